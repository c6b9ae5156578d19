-- What the register calls do to a ring, seen from outside it.

local core = require "uring.core"
local event = require "spec.event"   -- spec/support/event.c
local helper = require "spec.helper"
local system = require "spec.system" -- spec/support/system.c

local op <const>, errno <const>, fails <const> = core.op, core.errno, helper.fails

-- Run f in a task of the ring and return its results.
local function on(ring, f, ...) return ring:spawn(f, ...):join() end

-- A case with a ring of its own.
local function case(name, f, options)
  helper.main_it(name, function()
    local ring <close> = assert(core.ring(options))
    f(ring)
  end)
end


-- One entry that a worker thread carries out, while f looks.
local function at_work(ring, f)
  local r <const>, w <const> = assert(core.sock.pipe())
  local _ <close> = helper.closing(r, w)
  ring:get_sqe():prep_read(r, core.buffer(1), 1, -1):set_flags(core.IOSQE_ASYNC)
  ring:submit()
  f()
  system.write(w, "x")
  assert.equal(1, ring:wait_cqe(5).res)
end

-- ---- notifications ----------------------------------------------------------

describe("register_eventfd", function()
  case("tells of completions, unless that is switched off", function(ring)
    local fd <close> = core.fd(event.eventfd())
    local function told()
      on(ring, op.nop)
      local is <const> = system.ready(fd)
      if is then assert.equal(1, string.unpack("I8", system.read(fd, 8))) end
      return is
    end
    assert.is_false(told())
    assert.is_true(ring:register_eventfd(fd))
    assert.is_true(told())
    assert.is_true(ring:cq_eventfd_toggle(false))
    assert.is_false(told())
    assert.is_true(ring:cq_eventfd_toggle(true))
    assert.is_true(ring:cq_eventfd_enabled())
    assert.is_true(told())
    assert.is_true(ring:unregister_eventfd())
    assert.is_false(told())
  end)

  case("keeps telling when the script has closed its descriptor", function(ring)
    local fd <const> = core.fd(event.eventfd())
    local other <close> = assert(core.sock.dup(fd))
    assert.is_true(ring:register_eventfd(fd))
    fd:close()
    on(ring, op.nop)
    assert.is_true(system.ready(other))
  end)

  case("asynchronous tells of what worker threads did, only", function(ring)
    local fd <close> = core.fd(event.eventfd())
    assert.is_true(ring:register_eventfd_async(fd))
    on(ring, op.nop)
    assert.is_false(system.ready(fd))
    at_work(ring, function() assert.is_false(system.ready(fd)) end)
    helper.eventually(function() return system.ready(fd) end)
  end)
end)

-- ---- rights -----------------------------------------------------------------

-- In a child that is another user's: a script with 'secret', the path of a
-- file that only root can read, and 'id', a personality of the ring.
local function as_nobody(text)
  local dir <close> = helper.tmpdir()
  helper.write_file(dir .. "/secret", "text")
  helper.shell("chmod 600 " .. dir .. "/secret; chmod 755 " .. dir)
  local output <const>, status <const> = helper.script(([[
    local core = require "uring.core"
    local system = require "spec.system"
    local secret = %q
    local ring = assert(core.ring())
    local id = assert(ring:register_personality())
    local function result(set)
      set(ring:get_sqe():prep_openat(nil, secret))
      assert(ring:submit())
      return ring:wait_cqe(5).res
    end
    system.setuid(65534)
    %s
  ]]):format(dir .. "/secret", text))
  assert.equal(0, status, output)
  return output
end

describe("a personality", function()
  helper.main_it("is that of who has registered it", function()
    if helper.shell "id -u" ~= "0\n" then return pending "only root can become another user" end
    local output <const> = as_nobody [[
      print(result(function() end))
      local fd = result(function(sqe) sqe:set_personality(id) end)
      print(fd > 2)
      core.fd(fd):close()
      print(ring:unregister_personality(id))
      print(result(function(sqe) sqe:set_personality(id) end))
      print(select(3, core.op.with { personality = 77 }.open(secret)))
    ]]
    assert.equal(("%d\ntrue\ntrue\n%d\n%d\n"):format(-errno.EACCES, -errno.EINVAL,
      errno.EINVAL), output)
  end)

  helper.main_it("is taken for one operation by op.with", function()
    if helper.shell "id -u" ~= "0\n" then return pending "only root can become another user" end
    assert.equal("text\n", as_nobody [[
      local fd = ring:spawn(core.op.with { personality = id }.open, secret):join()
      print(ring:spawn(core.op.read, fd, 10):join())
    ]])
  end)
end)

describe("restrictions", function()
  case("let register calls through that they name, and refuse the others", function(ring)
    assert.is_true(ring:register_restrictions {
      { register_op = core.IORING_REGISTER_ENABLE_RINGS },
      { register_op = core.IORING_REGISTER_FILES2 },
    })
    assert.is_true(ring:enable_rings())
    assert.is_true(ring:register_files_sparse(2))
    fails("EACCES", "register_buffers: Permission denied", ring:register_buffers {core.buffer(1)})
    ring:get_sqe():prep_nop()
    ring:submit()
    assert.equal(-errno.EACCES, ring:wait_cqe(5).res) -- no operation is named
  end, { r_disabled = true })
end)

-- ---- workers ----------------------------------------------------------------

-- A script with a ring that has no worker yet; at_work(n, f) calls f(more) while n
-- of its entries need one each, with more() one more, and workers() are the
-- processors that they may run on.
local function with_workers(text)
  local output <const>, status <const> = helper.script([[
    local core = require "uring.core"
    local system = require "spec.system"
    local ring = assert(core.ring())
    local function workers()
      local list = {}
      for id in io.popen("ls /proc/$PPID/task"):lines() do
        local file <close> = io.open("/proc/self/task/" .. id .. "/status")
        local text = file and file:read "a" or ""
        if text:find "Name:%s*iou%-wrk" then
          list[#list + 1] = text:match "Cpus_allowed_list:%s*(%S+)"
        end
      end
      return list
    end
    local function eventually(f)
      local deadline = core.now() + 5
      while not f() do
        assert(core.now() < deadline, "it never comes")
        core.sleep(0.002)
      end
    end
    local path = os.tmpname()
    os.remove(path)
    assert(os.execute("mkfifo " .. path))
    local function at_work(n, f) -- who opens it waits for a writer
      local function open()
        ring:get_sqe():prep_openat(nil, path, core.O_RDONLY):set_flags(core.IOSQE_ASYNC)
      end
      for _ = 1, n do open() end
      ring:submit()
      f(function()
        n = n + 1
        open()
        ring:submit()
      end)
      local writer <close> = io.open(path, "r+")
      for _ = 1, n do core.fd(assert(ring:wait_cqe(5)).res):close() end
    end
  ]] .. text .. "os.remove(path)")
  assert.equal(0, status, output)
  return output
end

describe("worker threads", function()
  helper.main_it("run on the processors that are registered", function()
    assert.equal("0\n", with_workers [[
      assert(ring:register_iowq_aff { 0 })
      at_work(1, function()
        eventually(function() return #workers() == 1 end)
        print(workers()[1])
      end)
      assert(ring:unregister_iowq_aff())
    ]])
  end)

  helper.main_it("are no more than is registered", function()
    assert.equal("2\n4\n", with_workers [[
      for _, n in ipairs { 2, 4 } do
        assert(ring:register_iowq_max_workers(n, 0))
        at_work(6, function(more)
          eventually(function()
            if #workers() == n then return true end
            core.sleep(0.05)
            more()                     -- the kernel may miss that another is wanted
          end)
          core.sleep(0.02)
          print(#workers())
        end)
      end
    ]])
  end)
end)

-- ---- waiting ----------------------------------------------------------------

describe("busy polling", function()
  case("is what the kernel says of the ring", function(ring)
    local info = helper.ring_info(ring)
    if not info.NAPI then return pending "the kernel does not tell" end
    assert.equal("disabled", info.NAPI)
    assert(ring:register_napi { busy_poll_to = 17, prefer_busy_poll = true })
    info = helper.ring_info(ring)
    assert.equal("enabled", info.NAPI)
    assert.equal("17000", info.napi_busy_poll_dt)
    assert.equal("true", info.napi_prefer_busy_poll)
    local before <const> = assert(ring:register_napi { busy_poll_to = 20 })
    assert.same({ busy_poll_to = 17, prefer_busy_poll = true }, before)
    assert.equal("false", helper.ring_info(ring).napi_prefer_busy_poll)
    assert(ring:unregister_napi())
    assert.equal("disabled", helper.ring_info(ring).NAPI)
  end)

  case("is not for a ring that polls its device", function(ring)
    fails("EINVAL", "register_napi: Invalid argument", ring:register_napi { busy_poll_to = 1 })
  end, { iopoll = true })
end)

describe("a wait of a region", function()
  case("waits for more a little, and then for the least", function(ring)
    local region <const> = core.buffer(4096)
    region:set(core.reg_wait { timeout = 5, min_wait_usec = 20000 }, 1)
    region:set(core.reg_wait { timeout = 0.01 }, 1 + 64)
    assert.is_true(ring:register_region(region, core.IORING_MEM_REGION_REG_WAIT_ARG))
    assert.is_true(ring:enable_rings())
    ring:get_sqe():prep_nop()
    local flags <const> = core.IORING_ENTER_GETEVENTS | core.IORING_ENTER_EXT_ARG_REG
    local start <const> = core.now()
    assert.equal(1, ring:enter(nil, 8, flags, 0))
    local span <const> = core.now() - start
    assert(span >= 0.02 and span < 4, span)
    assert.equal(0, ring:wait_cqe().res)
    fails("ETIME", "enter: Timer expired", ring:enter(0, 8, flags, 1))
    fails("EFAULT", "enter: Bad address", ring:enter(0, 8, flags, 64)) -- behind its end
  end, { r_disabled = true })
end)

-- ---- asking -----------------------------------------------------------------

describe("buf_ring_head", function()
  case("is how many buffers the kernel has taken", function(ring)
    local br <close> = assert(ring:setup_buf_ring(4, 3, 0, 8))
    assert.equal(0, ring:buf_ring_head(3))
    for i = 1, 6 do
      local r <const>, w <const> = assert(core.sock.pipe())
      system.write(w, "x")
      ring:get_sqe():prep_read(r, nil, 1, -1):set_flags(core.IOSQE_BUFFER_SELECT)
        :set_buf_group(3)
      ring:submit()
      br:recycle(assert(ring:wait_cqe(5)))
      assert.equal(i, ring:buf_ring_head(3))
      r:close()
      w:close()
    end
  end)
end)

describe("the tables of a ring", function()
  case("are what the kernel says they are", function(ring)
    local a <const>, b <const> = core.buffer(4096), core.buffer(100)
    local file <close> = assert(io.open "/dev/zero")
    assert.is_true(ring:register_buffers { a, false, b })
    assert.is_true(ring:register_files { false, file, -1, 0 })
    local info = helper.ring_info(ring)
    assert.equal("/dev/zero", info.UserFiles[1])
    assert.is_nil(info.UserFiles[0])
    assert.is_nil(info.UserFiles[2])
    assert.equal(helper.process.descriptors()[0], info.UserFiles[3])
    assert.matches("/4096$", info.UserBufs[0])
    assert.matches("/100$", info.UserBufs[2])
    assert.equal(2, ring:register_files_update(0, { file, core.IORING_REGISTER_FILES_SKIP }))
    assert.equal(1, ring:register_files_update_tag(3, { file }, { 5 }))
    assert.equal(1, ring:register_buffers_update_tag(1, { b }))
    info = helper.ring_info(ring)
    assert.same({ [0] = "/dev/zero", "/dev/zero", [3] = "/dev/zero" }, info.UserFiles)
    assert.matches("/100$", info.UserBufs[1])
    assert.equal(1, ring:register_files_update(3, { false }))
    assert.equal(5, ring:wait_cqe(5).data) -- its tag
    assert.is_nil(helper.ring_info(ring).UserFiles[3])
    assert.is_true(ring:unregister_files())
    assert.is_true(ring:unregister_buffers())
    info = helper.ring_info(ring)
    assert.same({ {}, {} }, { info.UserFiles, info.UserBufs })
  end)

  case("may have parts of another's", function(ring)
    local list <const> = {}
    for i = 1, 4 do list[i] = core.buffer(i * 10) end
    assert.is_true(ring:register_buffers(list))
    for _, options in ipairs { {}, { no_mmap = true, entries = 8, registered_fd_only = true } } do
      local other <close> = assert(core.ring(options))
      assert.is_true(other:clone_buffers_offset(ring, 2, 1, 2))
      local file <close> = assert(io.open "/dev/zero")
      for i, length in pairs { [2] = 20, [3] = 30 } do
        assert.equal(length, on(other, op.read_fixed, file, list[i], length, 0, i))
      end
      local _, _, code = on(other, op.read_fixed, file, list[1], 1, 0, 1)
      assert.equal(errno.EFAULT, code)
      assert.same({ 1, 2, 2, 1 }, { list[1]:busy(), list[2]:busy(), list[3]:busy(),
        (list[4]:busy()) })
      -- and the other way, from a ring that may have no descriptor
      local third <close> = assert(core.ring())
      assert.is_true(third:clone_buffers(other))
      assert.equal(20, on(third, op.read_fixed, file, list[2], 20, 0, 2))
    end
    assert.equal(1, list[2]:busy())
  end)
end)
