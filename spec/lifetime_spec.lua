-- What the kernel may touch outlives what the script drops: nothing crashes,
-- leaks or is overwritten, in whatever order things go.
--
-- The scripts run in a Lua of their own, because it is lua_close that they are
-- about; under ASan and valgrind so do they, and a leak is a failure.

local core = require "uring.core"
local helper = require "spec.helper"

local op <const>, errno <const> = core.op, core.errno
local main_it <const>, it_task <const> = helper.main_it, helper.it
local raises <const> = helper.raises

-- Before each script: a ring with 100 reads that nobody ends, of every kind.
local prelude <const> = [[
local core = require "uring.core"
local op, sock = core.op, core.sock
core.torture(os.getenv "URING_GC_TORTURE" == "1")
local function collect() for _ = 1, 3 do collectgarbage() end end
local function pending(ring, n)
  local r, w = assert(sock.pipe())
  for i = 1, n or 100 do
    local kind = i % 4
    if kind == 0 then
      local sqe = ring:get_sqe()
      if not sqe then ring:submit() sqe = ring:get_sqe() end
      sqe:prep_read(r, core.buffer(100)):set_data { i }
    elseif kind == 1 then
      ring:spawn(function() op.read(r, 100) end)
    elseif kind == 2 then
      ring:spawn(function() op.readv(r, { core.buffer(10), core.buffer(5000) }) end)
    else
      ring:spawn(function() op.poll_add(r, core.POLLIN) end)
    end
  end
  ring:submit()
  ring:step(0)
  return r, w
end
]]

local function survives(name, text)
  it(name, function() helper.prints("survived\n", prelude .. text .. "\nprint 'survived'\n") end)
end

-- The script prints before its end: what happens after is lua_close.
describe("with 100 reads pending, a script survives", function()
  survives("its end", [[
    local ring = core.ring()
    local r, w = pending(ring)
  ]])

  survives("its end, with the default ring", [[
    local r, w = pending(core.default())
  ]])

  survives("its end, with everything in globals", [[
    ring = core.ring()
    r, w = pending(ring)
    buffer = core.buffer(100)
    task = ring:spawn(function() core.park() end)
    timer = core.timer(100, print)
    sqe = ring:get_sqe():prep_read(r, buffer)
  ]])

  survives("its end inside a task", [[
    local ring = core.default()
    r, w = pending(ring)
    ring:spawn(function()
      print "survived"
      os.exit(0, true)
    end):join()
  ]])

  survives("its end by an error in a task", [[
    local ring = core.default()
    r, w = pending(ring)
    local task = ring:spawn(function() error "oops" end)
    assert(not pcall(task.join, task))
  ]])

  survives("dropping the ring", [[
    do
      local ring = core.ring()
      r, w = pending(ring)
    end
    collect()
    assert(r:pending() == 0, r:pending())
    assert(op.write(w, "x"))
    assert(op.read(r, 1) == "x")
  ]])

  survives("dropping the descriptors", [[
    local ring = core.ring()
    pending(ring)
    collect()
    ring:step(0)
    ring:close()
    collect()
  ]])

  survives("dropping everything", [[
    do pending(core.ring()) end
    collect()
  ]])

  survives("closing the ring", [[
    local ring = core.ring()
    local r, w = pending(ring)
    ring:close()
    assert(r:pending() == 0)
    assert(ring:stats().slots == 0)
    assert(ring:stats().active == 0)
  ]])

  survives("closing the descriptor", [[
    local ring = core.ring()
    local r, w = pending(ring)
    r:close()
    assert(r:pending() == 0)
    while #ring:tasks() > 0 do ring:step(1) end
    for _, res in ring:cqes() do assert(res == -core.errno.ECANCELED) end
    assert(ring:stats().slots == 0)
  ]])

  survives("many rings at once, dropped in any order", [[
    local rings = {}
    for i = 1, 10 do
      rings[i] = core.ring { entries = 8 }
      pending(rings[i], 20)
    end
    for i = 1, 10, 2 do rings[i] = nil end
    collect()
    for i = 2, 10, 4 do rings[i]:close() end
  ]])

  survives("tiny rings with a kernel thread", [[
    local ring = core.ring { entries = 2, cq_entries = 4, sqpoll = true, sq_thread_idle = 10 }
    local r, w = pending(ring, 40)
    collect()
  ]])

  survives("entries that were never submitted", [[
    local ring = core.ring()
    local r, w = sock.pipe()
    for i = 1, 100 do ring:get_sqe():prep_read(r, core.buffer(100)):set_data { i } end
    for i = 1, 20 do ring:get_sqe() end
    collect()
  ]])

  survives("completions that nobody took", [[
    local ring = core.ring()
    for i = 1, 50 do
      ring:get_sqe():prep_openat(nil, "/dev/null", 0):set_data { i }
      ring:get_sqe():prep_statx(nil, "/dev/null")
    end
    ring:submit_and_wait(100)
    collect()
  ]])

  survives("finalisers that use the dying ring", [[
    local log = {}
    local function sentinel(f) return setmetatable({}, { __gc = f }) end
    for _, late in ipairs { true, false } do
      local ring, sqe, task, timer, keep
      local function use()
        log[#log + 1] = pcall(ring.get_sqe, ring)
        pcall(ring.submit, ring)
        pcall(ring.step, ring, 0)
        pcall(ring.spawn, ring, print)
        pcall(ring.wait_cqe, ring, 0)
        pcall(ring.cqes, ring)
        pcall(ring.tasks, ring)
        pcall(ring.stats, ring)
        pcall(sqe.set_data, sqe, 1)
        pcall(sqe.prep_nop, sqe)
        pcall(sqe.prep_cancel, sqe, "x")
        pcall(sqe.await, sqe)
        pcall(tostring, sqe)
        pcall(task.join, task)
        pcall(task.wake, task)
        pcall(task.interrupt, task, 1)
        pcall(task.traceback, task)
        pcall(tostring, task)
        if timer then pcall(timer.cancel, timer) end
      end
      if not late then keep = sentinel(use) end -- finalised after the ring
      ring = core.ring()
      if late then keep = sentinel(use) end -- finalised before it
      sqe = ring:get_sqe()
      task = ring:spawn(function() timer = core.timer(10, print) core.park() end)
      ring:step(0)
    end
    collect()
    assert(#log >= 1)
  ]])

  survives("finalisers that do I/O while Lua is being closed", [[
    keep = setmetatable({}, { __gc = function() pcall(op.nop) pcall(core.default) end })
    core.default()
    r, w = sock.pipe()
    keep2 = setmetatable({}, { __gc = function() -- no new objects: Lua would leak them
      pcall(op.nop)
      pcall(op.write, w, "x")
      pcall(op.read, r, 1)
    end })
  ]])

  survives("finalisers that close the ring", [[
    for i = 1, 200 do
      local ring = core.ring { entries = 4 }
      setmetatable({}, { __gc = function() pcall(ring.close, ring) end })
      if i % 10 == 0 then collectgarbage "incremental" end
      pcall(function()
        for j = 1, 5 do
          local sqe = ring:get_sqe()
          if sqe then sqe:prep_statx(nil, "/dev/null") end
          ring:submit()
          ring:spawn(function() op.nop() end)
          ring:peek_cqe()
        end
        ring:step(0)
      end)
    end
  ]])

  survives("finalisers in the middle of everything", [[
    local ring = core.default()
    collectgarbage("setpause", 50)
    collectgarbage("setstepmul", 400)
    local n = 0
    local function make()
      n = n + 1
      if n >= 300 then return end
      setmetatable({}, { __gc = function()
        pcall(op.nop)
        core.spawn(function() op.nop() end)
        make()
      end })
    end
    for i = 1, 20 do make() end
    for i = 1, 50 do
      assert(op.statx(nil, "/dev/null"))
      local fd = assert(op.openat(nil, "/dev/null", 0))
      op.readv(fd, { core.buffer(100) })
      fd:close()
    end
    while #ring:tasks() > 0 do ring:step(1) end
  ]])
end)

describe("memory", function()
  it_task("that is being written is intact although it is dropped", function()
    local r, w = core.sock.pipe()
    local _ <close> = helper.closing(r, w)
    local n <const> = helper.scale(50)
    local writers = {}
    for i = 1, n do
      writers[i] = core.spawn(function()
        assert.equal(100, op.write(w, ("%04d"):rep(25):format(table.unpack((function()
          local t = {}
          for k = 1, 25 do t[k] = i end
          return t
        end)()))))
      end)
    end
    core.spawn(function()
      for _ = 1, 10 do
        collectgarbage()
        local junk = {}
        for k = 1, 100 do junk[k] = ("x"):rep(100) .. k end
        assert.equal(100, #junk)
        core.yield()
      end
    end)
    for i = 1, n do
      writers[i]:join()
      local data = op.read(r, 100)
      assert.equal(data:sub(1, 4):rep(25), data)
    end
    while #core.default():tasks() > 1 do core.yield() end
  end)

  it_task("of strings in a list, too, also if the list is changed", function()
    local r, w = core.sock.pipe()
    local _ <close> = helper.closing(r, w)
    local list = {}
    for i = 1, 20 do list[i] = ("%03d"):format(i):rep(10) end
    local expected <const> = table.concat(list)
    local writer = core.spawn(function() return op.writev(w, list) end)
    core.spawn(function()
      for i = 1, 20 do list[i] = nil end
      collectgarbage()
    end)
    assert.equal(#expected, writer:join())
    assert.equal(expected, op.read(r, 1000))
  end)

  main_it("is read by the kernel's thread after submit has returned", function()
    local ring <close> = assert(core.ring { sqpoll = true, sq_thread_idle = 100 })
    local dir <close> = helper.tmpdir()
    for i = 1, helper.scale(100) do
      ring:get_sqe():prep_openat(nil, dir .. "/" .. i, core.O_CREAT | core.O_WRONLY, 384)
      ring:submit()
      collectgarbage "step"
      local cqe = assert(ring:wait_cqe(5))
      assert(cqe.res >= 0)
      core.fd(cqe.res):close()
      assert(io.open(dir .. "/" .. i)):close()
    end
  end)

  main_it("of a buffer stays while an operation uses it", function()
    local ring <close> = assert(core.ring())
    local r, w = core.sock.pipe()
    local _ <close> = helper.closing(r, w)
    ring:get_sqe():prep_read(r, core.buffer(100000))
    ring:submit()
    collectgarbage()
    collectgarbage()
    local others = {}
    for i = 1, 100 do others[i] = core.buffer(100000):fill(i) end
    op.write(w, ("x"):rep(50000))
    assert.equal(50000, ring:wait_cqe(5).res)
    for i = 1, 100 do assert.equal(string.char(i):rep(4), others[i]:string(1, 4)) end
  end)

  main_it("is not touched by an operation whose ring was closed", function()
    local r, w = core.sock.pipe()
    local _ <close> = helper.closing(r, w)
    for _ = 1, helper.scale(50) do
      local ring = assert(core.ring())
      local buffer = core.buffer(64)
      ring:get_sqe():prep_read(r, buffer):set_flags(core.IOSQE_ASYNC)
      ring:submit()
      ring:close()
      assert.equal(0, buffer:busy())
      op.write(w, "data")
      assert.equal(("\0"):rep(64), buffer:string())
      assert.equal("data", op.read(r, 10))
    end
  end)
end)

describe("closing a ring", function()
  -- What cannot be cancelled, and takes a while, is in flight when the process
  -- is stopped for longer than the collector waits.
  main_it("takes its time, whatever the clock says", function()
    helper.prints("0\n", [[
      local core = require "uring.core"
      local pid = require "spec.process".pid()
      warn "@on"
      local ring = assert(core.ring { entries = 4 })
      local buffer = core.buffer(256 << 20)
      os.execute(("(sleep 0.05; kill -STOP %d; sleep 1.2; kill -CONT %d) &"):format(pid, pid))
      ring:get_sqe():prep_madvise(buffer, nil, core.MADV_POPULATE_WRITE)
      ring:submit()
      core.sleep(0.02)
      ring = nil
      collectgarbage()
      print(buffer:busy())
    ]])
  end)
end)

describe("a descriptor", function()
  it_task("that was accepted is closed when the acceptor is cancelled too late", function()
    local listener <close>, address = helper.listener()
    local accepted, cancelled = 0, 0
    for i = 1, helper.scale(100) do
      local task = core.spawn(function() return op.accept(listener) end)
      core.yield()
      local client <close> = op.socket(core.AF_INET, core.SOCK_STREAM)
      if i % 2 == 0 then
        assert(op.connect(client, address))
        task:interrupt "cancelled"
      else
        task:interrupt "cancelled"
        assert(op.connect(client, address))
      end
      local ok, conn = pcall(task.join, task)
      if ok then
        accepted = accepted + 1
        conn:close()
      else
        assert.equal("cancelled", conn)
        cancelled = cancelled + 1
        local rest = op.poll_add(listener, core.POLLIN) -- it is still in the backlog
        assert.equal(core.POLLIN, rest)
        assert(op.accept(listener)):close()
      end
    end
    assert.equal(helper.scale(100), accepted + cancelled)
  end)

  main_it("that came for a task of a closed ring is closed", function()
    local listener <close>, address = helper.listener()
    for _ = 1, 20 do
      local ring = assert(core.ring())
      ring:spawn(function() op.accept(listener) end)
      ring:step(0)
      local client = op.socket(core.AF_INET, core.SOCK_STREAM)
      ring:step(0)
      assert(op.connect(client, address))
      ring:close() -- with the completion in the queue, or cancelled
      client:close()
    end
  end)

  for name, make in pairs {
    openat = function() op.openat(nil, "/dev/null") end,
    socket = function() op.socket(core.AF_INET, core.SOCK_STREAM) end,
    accept = op.accept,
    pipe = function() op.pipe() end,
    openat_direct = function() op.openat_direct(nil, "/dev/null") end,
    socket_direct = function() op.socket_direct(core.AF_INET, core.SOCK_STREAM, 0, 2) end,
    accept_direct = function(listener) op.accept_direct(listener) end,
    pipe_direct = function() op.pipe_direct(0, 1) end,
    files_update = function(listener) op.files_update { listener, listener } end,
  } do
    main_it("that " .. name .. " makes for a task that somebody has closed is closed", function()
      local ring <close> = assert(core.ring())
      assert(ring:register_files_sparse(4))
      local listener <close>, address = helper.listener()
      local client <close> = assert(op.socket(core.AF_INET, core.SOCK_STREAM))
      assert(op.connect(client, address))
      local before <const> = helper.open_descriptors()
      local co
      local task = ring:spawn(function()
        co = coroutine.running()
        make(listener)
      end)
      ring:step(0)
      assert.equal("waiting", task:status())
      assert.is_true(coroutine.close(co))
      raises("somebody has closed the task's coroutine", task.join, task)
      assert(helper.idle(ring))
      assert.equal(before, helper.open_descriptors())
      assert.same({}, helper.ring_info(ring).UserFiles)
      if name:find "accept" then assert.equal("", op.recv(client, 1)) end
    end)
  end

  it_task("whose number was closed behind its back hits nobody else's", function()
    local r, w = core.sock.pipe()
    local reader = core.spawn(function() return op.read(r, 10) end)
    core.yield()
    w:close()
    assert.equal("", reader:join())
    helper.process.close(r:fileno())
    local result, message, code = op.read(r, 10)
    assert.is_nil(result)
    assert.equal(errno.EBADF, code)
    assert.matches("^read fd %d+: Bad file descriptor", message)
    assert.is_nil((r:close()))
  end)
end)

describe("slots", function()
  it_task("grow, and are used again", function()
    local ring <const> = core.default()
    local n <const> = 300
    for _ = 1, 3 do
      local r, w = core.sock.pipe()
      local tasks = {}
      for i = 1, n do tasks[i] = core.spawn(function() return op.poll_add(r, core.POLLIN) end) end
      core.yield()
      assert.equal(n, ring:stats().slots)
      op.write(w, "x")
      for i = 1, n do assert.equal(core.POLLIN, tasks[i]:join()) end
      assert.equal(0, ring:stats().slots)
      r:close()
      w:close()
    end
  end)

  it_task("are given back whatever is raised", function()
    local ring <const> = core.default()
    local fd <close> = assert(op.openat(nil, "/dev/null", core.O_RDWR))
    for _, case in ipairs {
      { op.read, fd, -1 }, { op.write, fd, {} }, { op.writev, fd, { "a", 1 } },
      { op.openat, nil, {} }, { op.connect, fd, "nowhere" }, { op.statx, nil, "/", 0, "nothing" },
      { op.timeout, -1 }, { op.cancel },
    } do
      raises("bad argument", table.unpack(case))
      assert.equal(0, ring:stats().slots)
      assert.equal(0, fd:pending())
    end
  end)
end)
