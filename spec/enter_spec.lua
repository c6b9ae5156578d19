-- io_uring_enter(2), line by line and in the order of the page: the flags of
-- the call, those of an entry, what it returns, and both tables of errors.
-- Each is produced, and then the ring works as before. What cannot be produced
-- here says why; then a call that strace(1) makes fail shows what a script sees.

local core = require "uring.core"
local helper = require "spec.helper"

local op <const>, errno <const>, process <const> = core.op, core.errno, helper.process
local fails <const>, main_it <const> = helper.fails, helper.main_it
local GET <const> = core.IORING_ENTER_GETEVENTS

-- Run f in a task of the ring and return its results.
local function on(ring, f, ...) return ring:spawn(f, ...):join() end

-- The ring does what it is for, and nothing is left in it.
local function alive(ring)
  assert(ring:get_sqe()):prep_nop():set_data "alive"
  assert(ring:submit_and_wait(1))
  local cqe = assert(ring:wait_cqe(5))
  assert.same({ "alive", 0 }, { cqe.data, cqe.res })
  assert(helper.idle(ring))
end

-- A case with a ring of its own, which is alive afterwards unless f says not.
local function case(name, f, options)
  main_it(name, function()
    local ring <close> = assert(core.ring(options))
    if f(ring) ~= "gone" then alive(ring) end
  end)
end

-- How the entry that f prepares ends, when it is submitted alone.
local function result(ring, f)
  f(assert(ring:get_sqe()))
  assert.equal(1, ring:submit())
  return assert(ring:wait_cqe(5)).res
end

local function ends(ring, code, f)
  local res = result(ring, f)
  assert.equal(code, res < 0 and select(2, core.strerror(-res)) or res)
end

local function elapsed(f, ...)
  local start = core.now()
  local results = table.pack(f(...))
  return core.now() - start, table.unpack(results, 1, results.n)
end

-- The kernel's threads of that name in this process, as ps(1) lists them.
local function threads(name)
  return helper.shell(("grep -h '(%s-' /proc/%d/task/*/stat"):format(name, process.pid()))
end

-- Wait until the thread that polls the ring's queue sleeps; that of a ring
-- which was closed just now may still be there.  It says so before it looks at
-- the queue for the last time, and may lose the processor in between: so for a
-- while.
local function asleep()
  local times = 0
  helper.eventually(function()
    local list = threads "iou-sqp"
    times = list:find "%) S " and not list:find "%) [^S] " and times + 1 or 0
    return times == 5
  end)
end

-- SIGALRM from now on, counted by process.caught: none when the scope is left.
local function alarm(seconds, interval)
  process.catch(core.SIGALRM)
  process.alarm(seconds, interval)
  return setmetatable({}, { __close = function()
    process.alarm(0)
    process.ignore(core.SIGALRM)
  end })
end

-- A case with signals: valgrind holds them back while a call waits that it does
-- not know.
local function signal_case(name, f)
  if not os.getenv "URING_SPEC_RUNNER" then return case(name, f) end
  pending(name .. " (not under a checker)")
end

-- ---- flags of the call ------------------------------------------------------

describe("a flag of io_uring_enter(2):", function()
  case("IORING_ENTER_GETEVENTS waits for min_complete completions", function(ring)
    for _ = 1, 2 do ring:get_sqe():prep_timeout(0.1) end
    local start = core.now()
    assert.equal(2, ring:enter(nil, 2, 0))
    assert.equal(0, ring:cq_ready())
    assert.equal(0, ring:enter(0, 2, GET))
    assert(core.now() - start >= 0.1)
    assert.equal(2, ring:cq_ready())
    assert.equal(2, #ring:wait_cqes(2))
  end)

  case("IORING_ENTER_SQ_WAKEUP wakes the thread that polls", function(ring)
    asleep()
    ring:get_sqe():prep_nop()
    assert.equal(1, ring:enter(nil, 0, 0))
    fails("ETIME", "enter: Timer expired", ring:enter(0, 1, GET, 0.02))
    assert.equal(1, ring:enter(1, 0, core.IORING_ENTER_SQ_WAKEUP))
    assert.equal(0, ring:enter(0, 1, GET))
    assert.equal(0, ring:wait_cqe(5).res)
    assert.equal(1, ring:stats().submitted)
  end, { sqpoll = true, sq_thread_idle = 1 })

  case("IORING_ENTER_SQ_WAIT waits until an entry is free", function(ring)
    for _ = 1, 20 do
      asleep()
      while ring:sq_space_left() > 0 do ring:get_sqe():prep_nop() end
      assert.equal(4, ring:enter(nil, 0, 0))
      assert.equal(0, ring:sq_space_left()) -- the thread sleeps
      assert.equal(0, ring:enter(0, 0, core.IORING_ENTER_SQ_WAKEUP | core.IORING_ENTER_SQ_WAIT))
      assert(ring:sq_space_left() > 0)
      assert.equal(4, #ring:wait_cqes(4, 5))
    end
  end, { sqpoll = true, sq_thread_idle = 1, entries = 4 })

  case("IORING_ENTER_EXT_ARG takes a timeout and signals", function(ring)
    local EXT <const> = core.IORING_ENTER_EXT_ARG
    local span, _, _, code = elapsed(ring.enter, ring, 0, 1, GET | EXT, 0.02)
    assert.equal(errno.ETIME, code)
    assert(span >= 0.02, span)
    -- set where it is needed; and by itself it says nothing
    fails("ETIME", "enter: Timer expired", ring:enter(0, 1, GET, { timeout = 0.01 }))
    fails("ETIME", "enter: Timer expired",
      ring:enter(0, 1, GET, { timeout = 0.01, sigmask = { core.SIGINT, core.SIGTERM } }))
    ring:get_sqe():prep_nop()
    assert.equal(1, ring:enter(nil, 1, GET | EXT))
    assert.equal(0, ring:wait_cqe().res)
  end)

  case("IORING_ENTER_EXT_ARG waits a little for more, by min_wait_usec", function(ring)
    ring:get_sqe():prep_nop()
    local span, n = elapsed(ring.enter, ring, nil, 8, GET, { timeout = 20, min_wait_usec = 20000 })
    assert.equal(1, n)
    assert(span >= 0.02 and span < 10, span)
    assert.equal(0, ring:wait_cqe().res)
  end)

  case("IORING_ENTER_REGISTERED_RING enters by a place in the thread's table", function(ring)
    -- a ring that is not registered has none: there it is left away
    assert.equal(0, ring:enter(0, 0, core.IORING_ENTER_REGISTERED_RING))
    assert.is_true(ring:register_ring_fd())
    assert.is_true(ring:close_ring_fd())
    ring:get_sqe():prep_nop()
    assert.equal(1, ring:enter(nil, 1, GET | core.IORING_ENTER_REGISTERED_RING))
    ring:get_sqe():prep_nop()
    assert.equal(1, ring:enter(nil, 1, GET)) -- set for a ring that is
    assert.equal(2, #ring:wait_cqes(2))
  end)

  case("IORING_ENTER_ABS_TIMER waits until a time of the registered clock", function(ring)
    local ABS <const> = GET | core.IORING_ENTER_ABS_TIMER
    local start = core.now()
    fails("ETIME", "enter: Timer expired", ring:enter(0, 1, ABS, start + 0.02))
    local late = core.now() - start
    assert(late >= 0.02 - 0.001 and late < 5, late) -- and not as many seconds
    fails("ETIME", "enter: Timer expired", ring:enter(0, 1, ABS, start - 1))
    assert.is_true(ring:register_clock(core.CLOCK_BOOTTIME))
    start = core.now()
    local uptime = helper.read_file("/proc/uptime"):match "%S+" + 0.0 -- hundredths
    fails("ETIME", "enter: Timer expired", ring:enter(0, 1, ABS, uptime + 0.05))
    late = core.now() - start
    assert(late >= 0.03 and late < 5, late)
  end)

  -- A ring with three waits in its region.
  local function with_region(f)
    return function(ring)
      local region = core.buffer(4096)
      region:set(core.reg_wait { timeout = 0.02 }, 1 + 64)
      -- no timeout; signals at address 8, where no memory is
      region:set(string.pack("<i8i8I4I4I8I4", 0, 0, 0, 0, 8, 8), 1 + 2 * 64)
      assert.is_true(ring:register_region(region, core.IORING_MEM_REGION_REG_WAIT_ARG))
      assert.is_true(ring:enable_rings())
      return f(ring)
    end
  end
  local REG <const> = GET | core.IORING_ENTER_EXT_ARG_REG

  case("IORING_ENTER_EXT_ARG_REG waits as the region says", with_region(function(ring)
    local span, _, message, code = elapsed(ring.enter, ring, 0, 1, REG, 1)
    assert.same({ "enter: Timer expired", errno.ETIME }, { message, code })
    assert(span >= 0.02, span)
    ring:get_sqe():prep_nop()
    assert.equal(1, ring:enter(nil, 1, REG, 0))
    assert.equal(0, ring:wait_cqe().res)
  end), { r_disabled = true })

  case("IORING_ENTER_NO_IOWAIT waits without counting as waiting for I/O", function(ring)
    local flags <const> = GET | core.IORING_ENTER_NO_IOWAIT
    if ring.features & core.IORING_FEAT_NO_IOWAIT == 0 then
      return fails("EINVAL", "enter: Invalid argument", ring:enter(0, 1, flags, 0.01))
    end
    fails("ETIME", "enter: Timer expired", ring:enter(0, 1, flags, 0.01))
    ring:get_sqe():prep_timeout(0.01)
    assert.equal(1, ring:enter(nil, 1, flags))
    assert.equal(-errno.ETIME, ring:wait_cqe().res)
  end)

  main_it("with IORING_SETUP_IOPOLL min_complete of 0 returns what is there", function()
    local ring <close> = assert(core.ring { iopoll = true })
    assert.equal(0, ring:enter(0, 0, GET))
    ring:get_sqe():prep_nop()
    assert.equal(1, ring:enter(nil, 0, GET))
    assert.equal(1, ring:cq_ready())
    ring:get_sqe():prep_nop()
    assert.equal(1, ring:enter(nil, 1, GET))
    assert.equal(2, #ring:wait_cqes(2))
    alive(ring)
  end)

  signal_case("sig: signals are blocked while it waits, and only then", function(ring)
    do
      local _ <close> = alarm(0.02)
      fails("ETIME", "enter: Timer expired",
        ring:enter(0, 1, GET, { timeout = 0.1, sigmask = { core.SIGALRM } }))
      assert.equal(1, process.caught()) -- after the wait
    end
    do
      ring:get_sqe():prep_timeout(0.05)
      local _ <close> = alarm(0.01)
      assert.equal(1, ring:enter(nil, 1, GET, { core.SIGALRM }))
      assert.equal(-errno.ETIME, ring:wait_cqe().res)
      assert.equal(1, process.caught())
    end
    helper.raises("out of range", ring.enter, ring, 0, 0, 0, { 65 })
    helper.raises("unknown field 'x'", ring.enter, ring, 0, 0, 0, { x = 1 })
  end)
end)

-- ---- flags of an entry ------------------------------------------------------

describe("a flag of an entry:", function()
  local LINK <const>, HARDLINK <const> = core.IOSQE_IO_LINK, core.IOSQE_IO_HARDLINK

  -- What completes, in order, as "data result".
  local function order(ring, n)
    local list = {}
    for i = 1, n do
      local cqe = assert(ring:wait_cqe(5))
      list[i] = cqe.data .. " " .. (cqe.res < 0 and select(2, core.strerror(-cqe.res)) or cqe.res)
    end
    return list
  end

  case("IOSQE_FIXED_FILE takes the descriptor for a slot of the ring's table", function(ring)
    local zero <close> = assert(io.open "/dev/zero")
    local buffer = core.buffer "1234"
    assert.is_true(ring:register_files { false, zero })
    assert.equal(2, result(ring, function(sqe)
      sqe:prep_read(1, buffer, 2, 0):set_flags(core.IOSQE_FIXED_FILE)
    end))
    assert.equal("\0\0" .. "34", buffer:string())
    assert.equal("\0\0\0", on(ring, op.with { fixed_file = true }.read, 1, 3, 0))
    assert.equal("\0", on(ring, op.read, ring:direct(1), 1, 0)) -- set by the object
    ends(ring, "EBADF", function(sqe) -- not for every operation
      sqe:prep_openat(nil, "/dev/null", 0):set_flags(core.IOSQE_FIXED_FILE)
    end)
  end)

  case("IOSQE_IO_DRAIN begins after all before it, and all after it wait", function(ring)
    ring:get_sqe():prep_timeout(0.02):set_data "before"
    ring:get_sqe():prep_nop():set_flags(core.IOSQE_IO_DRAIN):set_data "drain"
    ring:get_sqe():prep_nop():set_data "after"
    assert.equal(3, ring:submit())
    assert.same({ "before ETIME", "drain 0", "after 0" }, order(ring, 3))
    local done = {}
    local slow = ring:spawn(function() done[1] = op.timeout(0.02) end)
    ring:spawn(function() done[2] = { op.with { drain = true }.nop(), done[1] ~= nil } end)
    slow:join()
    while not done[2] do ring:step(1) end
    assert.same({ 0, true }, done[2])
  end)

  case("IOSQE_IO_LINK begins the next when it has ended well", function(ring)
    local r, w = core.sock.pipe()
    local _ <close> = helper.closing(r, w)
    local buffer = core.buffer(8)
    ring:get_sqe():prep_timeout(0.01, 0, core.IORING_TIMEOUT_ETIME_SUCCESS):set_flags(LINK)
      :set_data "first"
    ring:get_sqe():prep_write(w, "ab"):set_flags(LINK):set_data "write"
    ring:get_sqe():prep_read(r, buffer, 2, -1):set_data "read"
    assert.equal(3, ring:submit())
    assert.same({ "first ETIME", "write 2", "read 2" }, order(ring, 3))
    -- a short read ends the chain
    ring:get_sqe():prep_write(w, "ab"):set_flags(LINK):set_data "write"
    ring:get_sqe():prep_read(r, buffer, 8, -1):set_flags(LINK):set_data "read"
    ring:get_sqe():prep_nop():set_flags(LINK):set_data "nop"
    ring:get_sqe():prep_nop():set_data "last"
    ring:get_sqe():prep_nop():set_data "outside"
    assert.equal(5, ring:submit())
    local list = order(ring, 5)
    table.sort(list)
    assert.same({ "last ECANCELED", "nop ECANCELED", "outside 0", "read 2", "write 2" }, list)
    local results, bad = on(ring, op.link, function(c)
      c:openat(nil, "/does/not/exist", 0)
      c:nop()
    end)
    assert.equal(1, bad)
    assert.same({ errno.ENOENT, errno.ECANCELED }, { results[1][3], results[2][3] })
  end)

  case("IOSQE_IO_LINK of the last entry of a submission ends the chain", function(ring)
    ring:get_sqe():prep_openat(nil, "/does/not/exist", 0):set_flags(LINK):set_data "open"
    ring:get_sqe():prep_nop():set_data "nop"
    assert.equal(1, ring:enter(1))
    assert.equal(1, ring:enter(1, 2, GET))
    local list = order(ring, 2)
    table.sort(list)
    assert.same({ "nop 0", "open ENOENT" }, list)
  end)

  case("IOSQE_IO_HARDLINK begins the next however it has ended", function(ring)
    ring:get_sqe():prep_openat(nil, "/does/not/exist", 0):set_flags(HARDLINK):set_data "open"
    ring:get_sqe():prep_nop():set_data "nop"
    assert.equal(2, ring:submit())
    assert.same({ "open ENOENT", "nop 0" }, order(ring, 2))
    local results, bad = on(ring, op.hardlink, function(c)
      c:openat(nil, "/does/not/exist", 0)
      c:nop()
    end)
    assert.equal(1, bad)
    assert.equal(0, results[2])
    -- unless it could not be submitted
    ring:get_sqe():prep_nop():set_personality(999):set_flags(HARDLINK):set_data "bad"
    ring:get_sqe():prep_nop():set_data "nop"
    ring:submit()
    assert.same({ "bad EINVAL", "nop ECANCELED" }, order(ring, 2))
  end)

  -- In a process of its own, for a worker lives on for some seconds.
  main_it("IOSQE_ASYNC gives it to a worker at once", function()
    helper.prints("0\tfalse\n0\ttrue\nok\ttrue\n", [[
      local core = require "uring.core"
      local process = require "spec.process"
      local file = io.open("/dev/zero")
      local function worker()
        local pipe = io.popen("cat /proc/" .. process.pid() .. "/task/*/comm")
        local names = pipe:read "a"
        pipe:close()
        return names:find "iou%-wrk" ~= nil
      end
      local ring = core.ring()
      for _, flags in ipairs { 0, core.IOSQE_ASYNC } do
        ring:get_sqe():prep_nop():set_flags(flags)
        ring:submit()
        print(ring:wait_cqe(5).res, worker())
      end
      print(#core.op.with { async = true }.read(file, 4, 0) == 4 and "ok", worker())
    ]])
  end)

  case("IOSQE_BUFFER_SELECT takes a buffer of a group, until there is none", function(ring)
    local r, w = core.sock.pipe()
    local _ <close> = helper.closing(r, w)
    local memory = core.buffer(20)
    assert.is_true(on(ring, op.provide_buffers, memory, 10, 2, 3, 100))
    local function read()
      op.write(w, "hello")
      ring:get_sqe():prep_read(r, nil, 10, -1):set_flags(core.IOSQE_BUFFER_SELECT):set_buf_group(3)
      ring:submit()
      return assert(ring:wait_cqe(5))
    end
    local ids = {}
    for i = 1, 2 do
      local cqe = read()
      assert.equal(5, cqe.res)
      assert.not_equal(0, cqe.flags & core.IORING_CQE_F_BUFFER)
      assert.equal(cqe.flags >> core.IORING_CQE_BUFFER_SHIFT, cqe.buffer_id)
      local at = (cqe.buffer_id - 100) * 10
      assert.equal("hello", memory:string(at + 1, at + 5))
      ids[i] = cqe.buffer_id
    end
    table.sort(ids)
    assert.same({ 100, 101 }, ids)
    local cqe = read()
    assert.equal(-errno.ENOBUFS, cqe.res)
    assert.is_nil(cqe.buffer_id)
    assert.is_true(on(ring, op.provide_buffers, memory, 10, 1, 3, 101)) -- again
    assert.equal(101, read().buffer_id)
  end)

  -- sqe_spec.lua has more of it.
  case("IOSQE_CQE_SKIP_SUCCESS tells of a failure only", function(ring)
    ring:get_sqe():prep_nop():set_flags(core.IOSQE_CQE_SKIP_SUCCESS):set_data64(1)
    ring:get_sqe():prep_fsync(987654):set_flags(core.IOSQE_CQE_SKIP_SUCCESS):set_data64(2)
    assert.equal(2, ring:submit())
    assert.same({ "2 EBADF" }, order(ring, 1))
    fails("EAGAIN", "peek_cqe: Resource temporarily unavailable", ring:peek_cqe())
  end)
end)

-- ---- what it returns --------------------------------------------------------

describe("io_uring_enter(2) returns", function()
  case("how many entries it has taken", function(ring)
    for i = 1, 3 do ring:get_sqe():prep_nop():set_data(i) end
    assert.equal(2, ring:enter(2, 2, GET))
    assert.equal(1, ring:sq_ready())
    assert.equal(1, ring:enter(7, 1, GET)) -- more than there are
    assert.same({ 1, 2, 3 },
      { ring:wait_cqe().data, ring:wait_cqe().data, ring:wait_cqe().data })
    assert.equal(3, ring:stats().submitted)
  end)

  case("0 when none was to be submitted, or there is none", function(ring)
    ring:get_sqe():prep_nop()
    assert.equal(0, ring:enter(0))
    assert.equal(1, ring:sq_ready())
    assert.equal(1, ring:enter())
    assert.equal(0, ring:enter())
    assert.equal(0, ring:enter(3))
    assert.equal(0, ring:wait_cqe().res)
  end)

  case("the number it was told where a thread polls the queue", function(ring)
    ring:get_sqe():prep_nop()
    assert.equal(7, ring:enter(7, 1, GET | core.IORING_ENTER_SQ_WAKEUP))
    assert.equal(1, ring:stats().submitted)
    assert.equal(0, ring:wait_cqe(5).res)
  end, { sqpoll = true, sq_thread_idle = 10 })

  case("no error of an entry: that is in its completion", function(ring)
    ring:get_sqe():prep_fsync(987654)
    assert.equal(1, ring:enter(1, 1, GET))
    assert.equal(-errno.EBADF, ring:wait_cqe().res)
  end)
end)

-- ---- errors of the call -----------------------------------------------------

-- How an error of the call looks that this kernel does not return, or not on
-- demand: the first enter fails, in the raw layer and under an operation.  The
-- next one works in either.
local function injected(name, reason, retried)
  helper.traced_it(("%s, where the kernel returns it, is %s"):format(name, retried and
    "told, and an operation tries again" or "told, and an operation raises it"), function()
    local output = helper.inject("io_uring_enter", ("error=%s:when=1"):format(name), [[
      local core = require "uring.core"
      local ring = core.ring()
      ring:get_sqe():prep_nop()
      print(ring:enter(1, 1, core.IORING_ENTER_GETEVENTS))
      print(ring:enter(1, 1, core.IORING_ENTER_GETEVENTS))
      print(ring:wait_cqe(5).res)
    ]])
    assert.equal(("nil\tenter: %s\t%d\n1\n0\n"):format(reason, errno[name]), output)
    output = helper.inject("io_uring_enter", ("error=%s:when=1"):format(name), [[
      local core = require "uring.core"
      print(pcall(core.op.nop))
      print(core.op.nop())
    ]])
    assert.equal((retried and "true\t0\n0\n" or "false\tio_uring_enter: %s\n0\n"):format(reason),
      output)
  end)
end

-- A memory cgroup of our own makes the kernel run out of memory, for this
-- script only: starve(f) calls f when there is none left.  Nothing may be
-- touched then that is not resident yet, or the script waits for ever: hence
-- the lock, the deadline, and another try.
local group <const> = "/sys/fs/cgroup/memory/uring-spec-" .. process.pid()
local starve <const> = [[
  local core = require "uring.core"
  local process = require "spec.process"
  local function file(name, mode)
    local f = assert(io.open(arg[1] .. "/" .. name, mode))
    f:setvbuf "no"
    return f
  end
  file("cgroup.procs", "w"):write(process.pid())
  file("memory.oom_control", "w"):write(1) -- do not kill
  local limit, usage = file("memory.limit_in_bytes", "w"), file "memory.usage_in_bytes"
  local function starve(f)
    collectgarbage()
    collectgarbage "stop"
    process.lock_memory()
    usage:seek "set"
    limit:write(usage:read "n")
    local results = table.pack(f())
    limit:write(-1)
    collectgarbage "restart"
    return table.unpack(results, 1, results.n)
  end
  local function fill(ring, prepare)
    local n = 0
    for sqe in ring.get_sqe, ring do
      prepare(sqe)
      n = n + 1
    end
    return n
  end
]]

local function starved_it(name, f)
  local can = helper.unchecked and not helper.torture and
    helper.shell(("mkdir %s 2>/dev/null && test -w %s/memory.oom_control && echo can; rmdir %s " ..
      "2>/dev/null"):format(group, group, group)) == "can\n"
  if not can then
    return pending(name .. (helper.unchecked and not helper.torture and
      " (for a kernel without memory it takes a cgroup of our own, of version 1: there is none)"
      or " (not under a checker)"))
  end
  main_it(name, function()
    local path <const> = os.tmpname()
    local function run(text)
      helper.write_file(path, starve .. text)
      local output, status
      for _ = 1, 5 do
        helper.shell("mkdir " .. group)
        output, status = helper.shell(helper.command(path,
          "env MALLOC_TOP_PAD_=1048576 timeout -s KILL 20") .. " " .. group)
        helper.shell("sleep 0.1; rmdir " .. group)
        if status == 0 then return output end
      end
      error(("status %d\n%s"):format(status, output))
    end
    f(run)
    os.remove(path)
  end)
end

describe("an error of io_uring_enter(2):", function()
  starved_it("EAGAIN, when there is no memory for an entry", function(run)
    local output = run [[
      local r, w = core.sock.pipe()
      local ring = core.ring { entries = 8192, cq_entries = 16384, clamp = true, submit_all = true }
      local n = fill(ring, function(sqe) sqe:prep_poll_add(r, core.POLLIN) end)
      local some = 0
      local function submit()
        local k, message, code = ring:submit()
        if not k then return message, code end
        some = some + k
        if k > 0 then return submit() end
      end
      print(starve(submit))
      print(some < n, ring:submit() == n - some, ring:sq_ready())
      ring:get_sqe():prep_nop()
      print(ring:submit_and_wait(1), ring:wait_cqe(5).res, ring:stats().submitted == n + 1)
      print(ring:close(), ring:stats().slots, r:close(), w:close())
    ]]
    assert.equal("submit: Resource temporarily unavailable\t11\n" ..
      "true\ttrue\t0\n1\t0\ttrue\ntrue\t0\ttrue\ttrue\n", output)
  end)
  injected("EAGAIN", "Resource temporarily unavailable", true)

  describe("EBADF, when the ring's descriptor", function()
    for _, how in ipairs {
      { "was closed by somebody else", "EBADF", "Bad file descriptor" },
      { "was closed by somebody else and its number is a file's: EOPNOTSUPP", "EOPNOTSUPP",
        "Operation not supported" },
    } do
      main_it(how[1], function()
        local ring <close> = assert(core.ring())
        local fd <const> = ring:fileno()
        local null <close> = assert(op.open "/dev/null")
        local text <const> = (": %s (the ring's descriptor, %d, was closed by somebody else)")
          :format(how[3], fd)
        process.close(fd)
        if how[2] == "EOPNOTSUPP" then process.dup2(null:fileno(), fd) end
        ring:get_sqe():prep_nop()
        fails(how[2], "submit" .. text, ring:submit())
        fails(how[2], "enter" .. text, ring:enter(0, 1, GET))
        fails(how[2], "wait_cqe" .. text, ring:wait_cqe(5))
        fails(how[2], "wait_cqes" .. text, ring:wait_cqes(2, 5))
        fails(how[2], "peek_cqe" .. text, ring:peek_cqe())
        fails(how[2], "submit_and_wait" .. text, ring:submit_and_wait_timeout(1, 1))
        fails(how[2], "register_personality" .. text, ring:register_personality())
        local task = ring:spawn(op.nop)
        helper.raises("io_uring_enter" .. text, task.join, task)
        -- which is not taken for that of an operation
        local _, message, code = op.read(987654, 1)
        assert.same({ "read fd 987654: Bad file descriptor", errno.EBADF }, { message, code })
        local span = elapsed(ring.close, ring)
        assert(span < 1, span)
        assert.equal(0, ring:stats().slots)
        assert.equal(how[2] == "EOPNOTSUPP" and "/dev/null" or nil, process.descriptors()[fd])
        process.close(fd)
      end)
    end

    -- The kernel has them until its mapping of the queues is gone.
    local leaking <const> = os.getenv "URING_SPEC_RUNNER" and function(name)
      pending(name .. " (not under a checker)")
    end or main_it
    leaking("was closed: operations in flight are left to the kernel", function()
      local output = helper.script([[
        warn "@on"
        local core = require "uring.core"
        local process = require "spec.process"
        local r, w = core.sock.pipe()
        local ring = core.ring()
        local task = ring:spawn(core.op.read, r, 10)
        ring:step(0)
        ring:step(0)
        process.close(ring:fileno())
        print(pcall(ring.step, ring, 0))
        print(ring:close(), task:status(), r:pending(), ring:stats().slots)
        print(r:close(), w:close())
      ]], "env ASAN_OPTIONS=detect_leaks=0")
      assert.equal("true\ttrue\n" ..
        "Lua warning: uring: 1 operation did not end before the ring was closed; memory leaked\n" ..
        "true\tlost\t0\t0\ntrue\ttrue\n", output)
    end)

    -- One that has no descriptor is in the heap of the ring's timers.
    leaking("was closed: a multishot that waits by itself ends", function()
      local output = helper.script([[
        local core = require "uring.core"
        local process = require "spec.process"
        local op, sock = core.op, core.sock
        local ring, r, w = core.ring(), sock.pipe()
        local server, client = op.socket(2, 1, 0), op.socket(2, 1, 0)
        assert(sock.bind(server, "127.0.0.1:0") and sock.listen(server))
        local accepts
        ring:spawn(op.read, r, 10)
        ring:spawn(function()
          assert(op.connect(client, sock.getsockname(server)))
          process.limit_files(3)
          accepts = op.accept_multishot(server)
        end)
        repeat ring:step(0.01) until tostring(accepts):find "without descriptors"
        process.close(ring:fileno())
        print(ring:close(), ring:stats().slots, accepts)
        accepts = nil
        collectgarbage()
        print(ring:stats().slots, r:close(), w:close(), server:close())
      ]], "env ASAN_OPTIONS=detect_leaks=0")
      assert.equal("true\t0\turing.multishot (closed)\n0\ttrue\ttrue\ttrue\n", output)
    end)
  end)

  case("EBADFD, when the ring is not enabled", function(ring)
    local text <const> = ": File descriptor in bad state (the ring is not enabled yet)"
    ring:get_sqe():prep_nop():set_data "late"
    fails("EBADFD", "submit" .. text, ring:submit())
    fails("EBADFD", "enter" .. text, ring:enter(0, 0, GET))
    fails("EBADFD", "wait_cqe" .. text, ring:wait_cqe(5))
    local task = ring:spawn(op.nop)
    helper.raises("io_uring_enter" .. text, task.join, task)
    assert.is_true(ring:enable_rings())
    assert.equal(0, task:join())
    assert.equal("late", ring:wait_cqe(5).data)
  end, { r_disabled = true })

  starved_it("EBADR, when there is no memory for a completion", function(run)
    local output = run [[
      warn "@on"
      local ring = core.ring { entries = 8192, cq_entries = 8192, submit_all = true,
        defer_taskrun = true, single_issuer = true }
      local function nop(sqe) sqe:prep_nop() end
      assert(fill(ring, nop) == 8192 and ring:enter() == 8192) -- the queue is full
      fill(ring, nop)
      -- each processor of the kernel's has some put by, for 4,096 at most
      print(starve(function() return ring:enter(6144) end))
      print(ring:enter(), ring:cq_has_overflow())
      local n = 0
      for _, res in ring:cqes() do n = n + 1 + res end
      if n == 16384 then os.exit(1) end -- that was enough
      print(ring:stats().active == 16384 - n)
      print(ring:wait_cqe())
      print(ring:wait_cqe(0.01)) -- it says so once
      ring:get_sqe():prep_nop()
      print(ring:submit_and_wait(1), ring:wait_cqe(5).res)
      local lost, start = ring:stats().active, core.now()
      warn("lost ", lost)
      ring:close()
      print(core.now() - start < 1, ring:stats().slots)
    ]]
    local lost = assert(output:match "Lua warning: lost (%d+)\n", output)
    assert.equal("6144\n2048\ttrue\ntrue\n" ..
      "nil\twait_cqe: Invalid request descriptor (completions were lost: there was no memory " ..
      "for them)\t53\nnil\twait_cqe: Timer expired\t62\n1\t0\n" ..
      ("Lua warning: lost %d\nLua warning: uring: %d operations did not end before the ring was " ..
      "closed; memory leaked\ntrue\t0\n"):format(lost, lost), output)
  end)
  injected("EBADR",
    "Invalid request descriptor (completions were lost: there was no memory for them)")

  case("EBUSY, when what has overflowed finds no room", function(ring)
    for _ = 1, 3 do
      for _ = 1, 4 do ring:get_sqe():prep_nop() end
      assert.equal(4, ring:enter())
    end
    assert.is_true(ring:cq_has_overflow())
    local n, message, code = ring:enter(0, 1, GET) -- takes nothing off the queue
    assert.equal(12, #ring:wait_cqes(12, 5))
    assert.is_false(ring:cq_has_overflow())
    if n then
      alive(ring)
      return pending "this kernel keeps it outside the queue, and returns"
    end
    assert.same({ "enter: Device or resource busy", errno.EBUSY }, { message, code })
  end, { entries = 4, cq_entries = 4 })
  injected("EBUSY", "Device or resource busy", true)

  case("EEXIST, when another thread has made the ring, or enabled it", function(ring)
    local text <const> = ": File exists (the ring belongs to another thread)"
    ring:get_sqe():prep_nop():set_data "kept"
    process.thread(function()
      fails("EEXIST", "submit" .. text, ring:submit())
      fails("EEXIST", "enter" .. text, ring:enter(0, 1, GET))
      fails("EEXIST", "wait_cqe" .. text, ring:wait_cqe(5))
      local task = ring:spawn(op.nop)
      helper.raises("io_uring_enter" .. text, task.join, task)
    end)
    assert.equal("kept", ring:wait_cqe(5).data)
    while #ring:tasks() > 0 do ring:step(1) end
    local other <close> = assert(core.ring { r_disabled = true, single_issuer = true })
    process.thread(function()
      assert.is_true(other:enable_rings())
      alive(other)
    end)
    other:get_sqe():prep_nop()
    fails("EEXIST", "submit" .. text, other:submit())
  end, { single_issuer = true, defer_taskrun = true })

  case("EINVAL, when a flag is none", function(ring)
    fails("EINVAL", "enter: Invalid argument", ring:enter(0, 0, 1 << 30))
    fails("EINVAL", "enter: Invalid argument", ring:enter(0, 0, 1 << 31 | GET))
  end)

  case("EFAULT, when the address of sig is none, or outside the region", function(ring)
    local REG <const> = GET | core.IORING_ENTER_EXT_ARG_REG
    fails("EFAULT", "enter: Bad address", ring:enter(0, 1, REG, 0)) -- there is no region
    local region = core.buffer(4096)
    -- a wait with no timeout, and with signals at address 8
    region:set(string.pack("<i8i8I4I4I8I4", 0, 0, 0, 0, 8, 8))
    local other <close> = assert(core.ring { r_disabled = true })
    assert.is_true(other:register_region(region, core.IORING_MEM_REGION_REG_WAIT_ARG))
    assert.is_true(other:enable_rings())
    fails("EFAULT", "enter: Bad address", other:enter(0, 1, REG, 0))
    fails("EFAULT", "enter: Bad address", other:enter(0, 1, REG, 64))
    alive(other)
  end)

  pending("ENXIO, when the ring is being torn down (a descriptor keeps a ring alive, and so " ..
    "does its number in the thread's table: no call can meet one that goes)")
  injected("ENXIO", "No such device or address")

  -- EOPNOTSUPP, no io_uring instance: with EBADF above.

  signal_case("EINTR, when a signal comes while it waits", function(ring)
    do
      local _ <close> = alarm(0.02, 0.02)
      fails("EINTR", "enter: Interrupted system call", ring:enter(0, 1, GET, 10))
    end
    do -- what waits for something waits on
      local _ <close> = alarm(0.01)
      local span, _, _, code = elapsed(ring.wait_cqe, ring, 0.05)
      assert.same({ errno.ETIME, 1 }, { code, process.caught() })
      assert(span >= 0.05, span)
    end
    do
      local _ <close> = alarm(0.01)
      assert.is_true(on(ring, core.sleep, 0.03))
      assert.equal(1, process.caught())
    end
    local r, w = core.sock.pipe()
    local _ <close> = helper.closing(r, w)
    local _ <close> = alarm(0.01)
    local reader = ring:spawn(op.read, r, 10)
    ring:spawn(function()
      core.sleep(0.03)
      op.write(w, "data")
    end)
    assert.equal("data", reader:join())
    assert.equal(1, process.caught())
    while #ring:tasks() > 0 do ring:step(1) end
  end)
  injected("EINTR", "Interrupted system call", true)

  pending("EOWNERDEAD, when the thread that polls the queue was killed (it ends with the " ..
    "process that made the ring; a child of that is refused the ring before)")
  injected("EOWNERDEAD", "Owner died (the kernel's thread that polls the queue has ended)")
end)

-- ---- errors of an entry -----------------------------------------------------

-- An operation fails likewise, and its message names it.
local function fails_on(ring, code, what, f, ...)
  fails(code, what .. ": " .. core.strerror(errno[code]), on(ring, f, ...))
end

describe("an error of an entry:", function()
  local FIXED_FILE <const> = core.IOSQE_FIXED_FILE
  local zero

  before_each(function() zero = assert(op.open("/dev/zero", core.O_RDWR)) end)
  after_each(function() zero:close() end)

  local function fd(name) return ("%s fd %d"):format(name, zero:fileno()) end

  case("EACCES, when a restriction does not allow its opcode or flags", function(ring)
    assert.is_true(ring:register_restrictions {
      { sqe_op = "nop" }, { sqe_op = "fsync" }, { sqe_flags_allowed = core.IOSQE_ASYNC },
    })
    assert.is_true(ring:enable_rings())
    ends(ring, "EACCES", function(sqe) sqe:prep_read(zero, core.buffer(1)) end)
    ends(ring, "EACCES", function(sqe) sqe:prep_nop():set_flags(core.IOSQE_IO_DRAIN) end)
    assert.equal(0, result(ring, function(sqe) sqe:prep_nop():set_flags(core.IOSQE_ASYNC) end))
    fails_on(ring, "EACCES", fd "read", op.read, zero, 1)
    fails_on(ring, "EACCES", fd "fsync", op.with { drain = true }.fsync, zero)
  end, { r_disabled = true })

  main_it("EACCES, when it lacks flags that a restriction requires", function()
    local ring <close> = assert(core.ring { r_disabled = true })
    assert.is_true(ring:register_restrictions {
      { sqe_op = "nop" }, { sqe_flags_required = core.IOSQE_ASYNC },
    })
    assert.is_true(ring:enable_rings())
    ends(ring, "EACCES", function(sqe) sqe:prep_nop() end)
    fails_on(ring, "EACCES", "nop", op.nop)
    assert.equal(0, result(ring, function(sqe) sqe:prep_nop():set_flags(core.IOSQE_ASYNC) end))
    assert.equal(0, on(ring, op.with { async = true }.nop))
    assert(helper.idle(ring))
  end)

  case("EBADF, when its descriptor is none", function(ring)
    local buffer = core.buffer(1)
    ends(ring, "EBADF", function(sqe) sqe:prep_read(987654, buffer) end)
    fails_on(ring, "EBADF", "read fd 987654", op.read, 987654, 1)
    -- one that was open when the entry was prepared
    local null = assert(op.open("/dev/null", core.O_WRONLY))
    local number <const> = null:fileno()
    ring:get_sqe():prep_read(number, buffer)
    null:close()
    ring:submit()
    assert.equal(-errno.EBADF, ring:wait_cqe(5).res)
    helper.raises(("fd %d was closed"):format(number), on, ring, op.read, null, 1)
    -- one that is not open for that
    null = assert(op.open("/dev/null", core.O_WRONLY))
    local _ <close> = helper.closing(null)
    ends(ring, "EBADF", function(sqe) sqe:prep_read(null, buffer) end)
    fails_on(ring, "EBADF", ("read fd %d"):format(null:fileno()), op.read, null, 1)
  end)

  case("EBADF, when IOSQE_FIXED_FILE is set and no files are registered", function(ring)
    local buffer = core.buffer(1)
    ends(ring, "EBADF", function(sqe) sqe:prep_read(0, buffer):set_flags(FIXED_FILE) end)
    fails_on(ring, "EBADF", "read slot 0", op.with { fixed_file = true }.read, 0, 1)
    assert.is_true(ring:register_files { false, zero }) -- an empty slot, and none
    ends(ring, "EBADF", function(sqe) sqe:prep_read(0, buffer):set_flags(FIXED_FILE) end)
    ends(ring, "EBADF", function(sqe) sqe:prep_read(2, buffer):set_flags(FIXED_FILE) end)
    fails_on(ring, "EBADF", "read slot 0", op.with { fixed_file = true }.read, 0, 1)
  end)

  case("EFAULT, when its memory is not accessible", function(ring)
    local size <const> = 32 << 20 -- mapped, and not of the heap
    local buffer = core.buffer(size)
    local address <const> = helper.address_of(buffer, size)
    process.protect(address, size, false)
    local results = table.pack(pcall(function()
      ends(ring, "EFAULT", function(sqe) sqe:prep_read(zero, buffer) end)
      ends(ring, "EFAULT", function(sqe) sqe:prep_readv(zero, { buffer, core.buffer(1) }) end)
      fails_on(ring, "EFAULT", fd "read", op.read, zero, buffer)
      local r, w <close> = core.sock.pipe()
      fails_on(ring, "EFAULT", ("write fd %d"):format(w:fileno()), op.write, w, buffer)
      r:close()
    end))
    process.protect(address, size, true)
    assert(table.unpack(results, 1, results.n))
    assert.equal(4096, result(ring, function(sqe) sqe:prep_read(zero, buffer, 4096) end))
  end)

  for name, memory in pairs { read_fixed = ("x"):rep(8), write_fixed = ("y"):rep(8) } do
    case(("EFAULT, when %s has no registered buffer, or is outside of it"):format(name),
      function(ring)
        local prep <const> = "prep_" .. name
        local buffer, other = core.buffer(memory), core.buffer(memory)
        local function prepare(index, of)
          return function(sqe) sqe[prep](sqe, zero, of, nil, 0, index) end
        end
        ends(ring, "EFAULT", prepare(0, buffer))
        fails_on(ring, "EFAULT", fd(name), op[name], zero, buffer, nil, 0, 0)
        assert.is_true(ring:register_buffers { buffer })
        assert.equal(8, result(ring, prepare(0, buffer)))
        ends(ring, "EFAULT", prepare(0, other))
        fails_on(ring, "EFAULT", fd(name), op[name], zero, other, nil, 0, 0)
      end)
  end

  case("EINVAL, when its flags are none", function(ring)
    ends(ring, "EINVAL", function(sqe) sqe:prep_nop():set_flags(128) end)
    ends(ring, "EINVAL", function(sqe) sqe:prep_read(zero, core.buffer(1)):set_flags(128) end)
  end)

  -- An operation knows better: no call is made.  With entries of 64 bytes NOP128
  -- is no opcode for a newer kernel either.
  case("EINVAL, when its opcode is none", function(ring)
    ends(ring, "EINVAL", function(sqe) sqe:prep_nop128() end)
    if not ring:supports "nop128" then
      local before = ring:stats().submitted
      fails("EOPNOTSUPP", "nop128: operation not supported by this kernel", on(ring, op.nop128))
      assert.equal(before, ring:stats().submitted)
    end
  end, { clamp = true })

  case("EINVAL, when its buf_index is none", function(ring)
    -- which is where the group is
    ends(ring, "EINVAL", function(sqe) sqe:prep_fsync(zero):set_buf_group(5) end)
    ends(ring, "EINVAL", function(sqe) sqe:prep_shutdown(zero, 0):set_buf_group(5) end)
  end)

  case("EINVAL, when its personality is none", function(ring)
    ends(ring, "EINVAL", function(sqe) sqe:prep_nop():set_personality(999) end)
    fails_on(ring, "EINVAL", fd "read", op.with { personality = 999 }.read, zero, 1)
    local id = assert(ring:register_personality())
    assert.equal(0, result(ring, function(sqe) sqe:prep_nop():set_personality(id) end))
  end)

  case("EINVAL, when a vector is read or written and there are registered buffers", function(ring)
    assert.is_true(ring:register_buffers { core.buffer(8) })
    local read = result(ring, function(sqe) sqe:prep_readv(zero, { core.buffer(4) }) end)
    local written = result(ring, function(sqe) sqe:prep_writev(zero, { core.buffer(4) }) end)
    if read == 4 and written == 4 then
      alive(ring)
      return pending "this kernel does both all the same"
    end
    assert.same({ -errno.EINVAL, -errno.EINVAL }, { read, written })
  end)

  case("EINVAL, when the buf_index of read_fixed or write_fixed is none", function(ring)
    local buffer = core.buffer(8)
    assert.is_true(ring:register_buffers { buffer })
    for _, name in ipairs { "read_fixed", "write_fixed" } do
      local prep <const> = "prep_" .. name
      local res = result(ring, function(sqe) sqe[prep](sqe, zero, buffer, nil, 0, 7) end)
      assert(res == -errno.EINVAL or res == -errno.EFAULT, res)
      local _, message, code = on(ring, op[name], zero, buffer, nil, 0, 7)
      assert.equal(-res, code)
      assert.equal(("%s: %s"):format(fd(name), (core.strerror(code))), message)
      if res ~= -errno.EINVAL then
        alive(ring)
        return pending "this kernel says EFAULT, as for a buffer that is not there"
      end
    end
  end)

  case("EINVAL, when fsync is polled for, or has fields that are not its own", function(ring)
    ends(ring, "EINVAL", function(sqe) sqe:prep_fsync(zero):set_ioprio(1) end)
    ends(ring, "EINVAL", function(sqe) sqe:prep_fsync(zero):set_buf_group(1) end)
    fails_on(ring, "EINVAL", fd "fsync", op.with { ioprio = 1 }.fsync, zero)
    local polled <close> = assert(core.ring { iopoll = true })
    ends(polled, "EINVAL", function(sqe) sqe:prep_fsync(zero) end)
    fails_on(polled, "EINVAL", fd "fsync", op.fsync, zero)
    alive(polled)
  end)

  -- EOPNOTSUPP is of the file: one on a device with queues for polling can be read.
  for _, name in ipairs { "readv", "writev", "read_fixed", "write_fixed" } do
    case(("EINVAL or EOPNOTSUPP, when %s is polled for on a file that is not"):format(name),
      function(ring)
        local buffer = core.buffer(8)
        local fixed <const> = name:find "fixed"
        if fixed then assert.is_true(ring:register_buffers { buffer }) end
        local prep <const> = "prep_" .. name
        local res = result(ring, function(sqe)
          if fixed then sqe[prep](sqe, zero, buffer, nil, 0, 0)
          else sqe[prep](sqe, zero, { buffer }, 0) end
        end)
        assert(res == -errno.EINVAL or res == -errno.EOPNOTSUPP, res)
      end, { iopoll = true })
  end

  for name, prepare in pairs {
    poll_add = function(sqe) return sqe:prep_poll_add(zero, core.POLLIN) end,
    poll_remove = function(sqe) return sqe:prep_poll_remove(1) end,
  } do
    case(("EINVAL, when the ring of a %s polls, or it has fields that are not its own")
      :format(name), function(ring)
        ends(ring, "EINVAL", function(sqe) prepare(sqe):set_ioprio(1) end)
        ends(ring, "EINVAL", function(sqe) prepare(sqe):set_buf_group(1) end)
        local polled <close> = assert(core.ring { iopoll = true })
        ends(polled, "EINVAL", prepare)
        fails_on(polled, "EINVAL", fd "poll_add", op.poll_add, zero, core.POLLIN)
        alive(polled)
      end)
  end

  pending("EINVAL, when poll_add has an address (nothing sets one: prep_poll_add has none, and " ..
    "prep_send_set_addr is refused for it)")

  main_it("prep_send_set_addr is refused for poll_add", function()
    local ring <close> = assert(core.ring())
    local sqe = ring:get_sqe():prep_poll_add(zero, core.POLLIN)
    helper.raises("sqe is not prepared for a send", sqe.prep_send_set_addr, sqe, "127.0.0.1:80")
  end)

  case("EOPNOTSUPP, when the kernel was built without its opcode", function(ring)
    local probe = assert(ring:register_probe())
    for _, row in ipairs {
      { "epoll_wait", zero, core.buffer(12), 1 }, { "futex_wake", core.buffer(4), 1 },
      { "madvise", core.buffer(4096), 4096, core.MADV_NORMAL },
      { "socket", core.AF_INET, core.SOCK_STREAM, 0, 0 },
    } do
      local name <const> = row[1]
      local opcode <const> = core["IORING_OP_" .. name:upper()]
      if opcode <= probe.last_op and not probe.ops[opcode] then
        ends(ring, "EOPNOTSUPP", function(sqe)
          sqe["prep_" .. name](sqe, table.unpack(row, 2))
        end)
        return fails("EOPNOTSUPP", name .. ": operation not supported by this kernel",
          on(ring, op[name], table.unpack(row, 2)))
      end
    end
    alive(ring)
    pending "this kernel was built with all that can be left out"
  end)

  case("EOPNOTSUPP, when IOSQE_BUFFER_SELECT is not for its opcode", function(ring)
    ends(ring, "EOPNOTSUPP", function(sqe) sqe:prep_nop():set_flags(core.IOSQE_BUFFER_SELECT) end)
    ends(ring, "EOPNOTSUPP", function(sqe)
      sqe:prep_write(zero, "x"):set_flags(core.IOSQE_BUFFER_SELECT):set_buf_group(1)
    end)
  end)

  case("EOPNOTSUPP, when IOSQE_IO_DRAIN comes after IOSQE_CQE_SKIP_SUCCESS", function(ring)
    ring:get_sqe():prep_nop():set_flags(core.IOSQE_CQE_SKIP_SUCCESS)
    assert.equal(1, ring:submit())
    ends(ring, "EOPNOTSUPP", function(sqe) sqe:prep_nop():set_flags(core.IOSQE_IO_DRAIN) end)
    fails_on(ring, "EOPNOTSUPP", "nop", op.with { drain = true }.nop)
  end)

  case("EINVAL, when a timeout has two clocks, or is multishot and absolute", function(ring)
    for _, flags in ipairs {
      core.IORING_TIMEOUT_BOOTTIME | core.IORING_TIMEOUT_REALTIME,
      core.IORING_TIMEOUT_MULTISHOT | core.IORING_TIMEOUT_ABS,
    } do
      ends(ring, "EINVAL", function(sqe) sqe:prep_timeout(0.01, 0, flags) end)
      fails_on(ring, "EINVAL", "timeout", op.timeout, 0.01, 0, flags)
    end
  end)
end)
