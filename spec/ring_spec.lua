-- Rings: making them, their fields and methods, closing them.

local core = require "uring.core"
local helper = require "spec.helper"

local op <const>, errno <const> = core.op, core.errno
local process <const> = helper.process
local raises <const>, fails <const>, main_it <const> = helper.raises, helper.fails, helper.main_it

-- Each method of a ring, but for those that need no open ring.
local function methods()
  local list = {}
  for name, method in pairs(debug.getmetatable(core.default()).methods) do list[name] = method end
  for _, name in ipairs { "close", "stats", "register_query", "register_sync_msg" } do
    list[name] = nil
  end
  return pairs(list)
end


describe("core.ring", function()
  main_it("takes the best flags when none is named", function()
    local ring <close> = assert(core.ring())
    assert.equal(256, ring.sq_entries)
    assert.equal(1024, ring.cq_entries)
    local expected <const> = core.IORING_SETUP_CLAMP | core.IORING_SETUP_SUBMIT_ALL
    assert.equal(expected, ring.flags & expected)
    assert.not_equal(0, ring.features & core.IORING_FEAT_EXT_ARG)
  end)

  main_it("takes sizes", function()
    local ring <close> = assert(core.ring { entries = 5, cq_entries = 100 })
    assert.equal(8, ring.sq_entries)
    assert.equal(128, ring.cq_entries)
    local small <close> = assert(core.ring { entries = 1 })
    assert.equal(1, small.sq_entries)
    assert.equal(64, small.cq_entries)
  end)

  main_it("clamps what is too much, unless flags are named", function()
    local ring <close> = assert(core.ring { entries = 1 << 31 })
    assert.equal(32768, ring.sq_entries)
    fails("EINVAL", "io_uring_setup: Invalid argument",
      core.ring { entries = 1 << 31, submit_all = true })
  end)

  main_it("takes just the flags that are named", function()
    local ring <close> = assert(core.ring { clamp = true, submit_all = false })
    assert.equal(core.IORING_SETUP_CLAMP, ring.flags & 0xffff)
  end)

  main_it("makes a kernel thread poll the queue", function()
    local ring <close> = assert(core.ring { sqpoll = true, sq_thread_idle = 10 })
    assert.not_equal(0, ring.flags & core.IORING_SETUP_SQPOLL)
    for i = 1, 50 do
      local sqe = assert(ring:get_sqe())
      sqe:prep_nop():set_data(i)
      assert.equal(1, ring:submit())
      assert.equal(i, assert(ring:wait_cqe(5)).data)
      if i % 25 == 0 then core.sleep(0.02) end -- the thread goes to sleep
    end
    assert.equal(50, ring:stats().submitted)
  end)

  main_it("shares the workers of another", function()
    local one <close> = assert(core.ring())
    local two <close> = assert(core.ring { attach_wq = one })
    two:get_sqe():prep_nop():set_flags(core.IOSQE_ASYNC)
    two:submit()
    assert.equal(0, two:wait_cqe(5).res)
  end)

  for _, case in ipairs {
    { "an option it does not know", "unknown option 'entires'", { entires = 8 } },
    { "an option without a name", "option names are strings", { 8 } },
    { "no entries", "option 'entries': integer from 1 to 4294967295 expected", { entries = 0 } },
    { "a fraction", "option 'entries': integer", { entries = 1.5 } },
    { "a number in a string", "option 'entries': integer", { entries = "8" } },
    { "a negative size", "option 'cq_entries': integer", { cq_entries = -1 } },
    { "a flag that is a number", "option 'sqpoll': boolean expected, got number", { sqpoll = 1 } },
    { "a string", "table expected, got string", "entries" },
    { "a ring that is none", "option 'attach_wq': ring expected", { attach_wq = 1 } },
    { "a closed ring", "ring is closed", { attach_wq = false } },
  } do
    main_it("refuses " .. case[1], function()
      local options = case[3]
      if options.attach_wq == false then
        local closed = assert(core.ring())
        closed:close()
        options = { attach_wq = closed }
      end
      raises(case[2], core.ring, options)
    end)
  end

  main_it("says what the kernel refuses", function()
    fails("EINVAL", "io_uring_setup: Invalid argument",
      core.ring { defer_taskrun = true, sqpoll = true })
    fails("EINVAL", "io_uring_setup: Invalid argument",
      core.ring { entries = 8, cq_entries = 4, submit_all = true })
  end)

  main_it("is the same for all operations outside tasks", function()
    assert.equal(core.default(), core.default())
    local before <const> = core.default():stats().completed
    core.op.nop()
    assert.equal(before + 1, core.default():stats().completed)
  end)

  it("makes another default ring when that was closed", function()
    helper.prints("true\tfalse\t0\n", [[
      local core = require "uring.core"
      local one = core.default()
      one:close()
      io.write(tostring(select(2, pcall(one.step, one)) == "ring is closed"), "\t",
        tostring(core.default() == one), "\t", core.op.nop(), "\n")
    ]], true)
  end)
end)

describe("core.default", function()
  it("takes the options of the ring that it makes", function()
    helper.prints("4\t16\tok\t0\n", [[
      local core = require "uring.core"
      local ring = core.default { entries = 4, cq_entries = 16 }
      print(ring.sq_entries, ring.cq_entries, ring == core.default() and "ok", core.op.nop())
    ]], true)
  end)

  it("is uring.ring", function()
    helper.prints("4\tdone\n", [[
      local uring = require "uring"
      print(uring.ring { entries = 4 }.sq_entries, uring.run(function()
        uring.sleep(0)
        return "done"
      end))
    ]], true)
  end)

  it("refuses options when there is a default ring", function()
    local message <const> = "there is a default ring already: its options are set before anything"
    core.default()
    raises(message, core.default, { entries = 4 })
    raises(message, core.default, {})
    helper.prints("true\n", [[
      local core = require "uring.core"
      core.op.nop()
      local ok, err = pcall(core.default, { entries = 4 })
      print(not ok and err:find("default ring already", 1, true) ~= nil)
    ]], true)
  end)

  it("takes options again when the ring was closed", function()
    helper.prints("8\t16\n", [[
      local core = require "uring.core"
      local one = core.default { entries = 8 }
      io.write(one.sq_entries, "\t")
      one:close()
      print(core.default { entries = 16 }.sq_entries)
    ]], true)
  end)

  it("makes no ring of options that are wrong, or that the kernel refuses", function()
    helper.prints("true\tfalse\tnil\t22\t256\n", [[
      local core = require "uring.core"
      local ok, err = pcall(core.default, { entry = 4 })
      local named = err:find("unknown option 'entry'", 1, true) ~= nil
      local none, _, errno = core.default { defer_taskrun = true, sqpoll = true }
      print(named, ok, none, errno, core.default().sq_entries)
    ]], true)
  end)

  it("makes one ring when a finaliser wants it at the same time", function()
    helper.prints("true\n", [[
      local core = require "uring.core"
      local process = require "spec.process"
      collectgarbage "generational"
      local chosen, taken = 0, 0
      for i = 1, 2000 do
        local wanted = true
        setmetatable({}, { __gc = function() if wanted then core.default() end end })
        local ok, ring = pcall(core.default, { entries = 4 })
        wanted = false
        if ok then
          chosen = chosen + 1
          assert(ring == core.default() and ring.sq_entries == 4)
        else
          taken = taken + 1
          assert(ring:find("default ring already", 1, true), ring)
        end
        core.default():close()
        for _, target in pairs(process.descriptors()) do
          assert(not target:find("io_uring", 1, true), "another ring")
        end
      end
      print(chosen > 0 and taken > 0)
    ]], true)
  end)

  it("takes options in a child of fork", function()
    helper.prints("child\t4\nparent\t8\n", [[
      local core = require "uring.core"
      local process = require "spec.process"
      core.default { entries = 8 }
      local pid = process.fork()
      if pid == 0 then print("child", core.default { entries = 4 }.sq_entries) os.exit(0) end
      process.wait(pid)
      print("parent", core.default().sq_entries)
    ]], true)
  end)
end)

helper.each_config(function(make, config)
  main_it("completes what it is given, in any number", function()
    local ring <close> = make()
    local n <const>, seen = 500, {}
    local next = 1
    while next <= n do
      local sqe = ring:get_sqe()
      if sqe then
        sqe:prep_nop():set_data(next)
        next = next + 1
      else
        assert(ring:submit())
        for data, res in ring:cqes() do
          assert.equal(0, res)
          assert.is_nil(seen[data])
          seen[data] = true
        end
      end
    end
    assert(ring:submit())
    while #seen < n do
      local cqe = assert(ring:wait_cqe(5))
      seen[cqe.data] = true
    end
    assert(helper.idle(ring))
    assert.equal(n, ring:stats().completed)
    assert.equal(n, ring:stats().submitted)
    assert.equal(0, ring:stats().stale)
  end)

  main_it("loses no completion when its queue overflows", function()
    local ring <close> = make()
    local n <const> = ring.cq_entries * 3 + 5
    local given, sum, count = 0, 0, 0
    local function take(cqe) sum, count = sum + cqe.user_data, count + 1 end
    while given < n do
      local sqe = ring:get_sqe()
      if sqe then
        given = given + 1
        sqe:prep_nop():set_data64(given)
      else
        ring:submit() -- the kernel may be too full to take it
        if ring:sq_space_left() == 0 then take(assert(ring:wait_cqe(5))) end
      end
    end
    ring:submit()
    while count < n do take(assert(ring:wait_cqe(5))) end
    assert.equal(n * (n + 1) // 2, sum)
    assert.is_false(ring:cq_has_overflow())
  end)

  main_it("reads what a pipe gets, with a raw entry", function()
    local ring <close> = make()
    local r, w = assert(core.sock.pipe())
    local _ <close> = helper.closing(r, w)
    local buffer = core.buffer(8)
    ring:get_sqe():prep_read(r, buffer):set_data "read"
    assert.equal(1, ring:submit())
    fails("ETIME", "wait_cqe: Timer expired", ring:wait_cqe(0.01))
    assert.equal(1, r:pending())
    assert(core.op.write(w, "hello"))
    local cqe = assert(ring:wait_cqe(5))
    assert.equal("read", cqe.data)
    assert.equal("hello", buffer:string(1, cqe.res))
    assert.equal(0, r:pending())
  end)

  main_it("runs tasks, more than its queues hold", function()
    local ring <close> = make()
    local n <const> = helper.scale(200)
    local done = 0
    for _ = 1, n do
      ring:spawn(function()
        for _ = 1, 5 do assert.equal(0, core.op.nop()) end
        core.sleep(0.001)
        done = done + 1
      end)
    end
    while #ring:tasks() > 0 do ring:step(5) end
    assert.equal(n, done)
    assert(helper.idle(ring))
  end)

  main_it("cancels in flight what is too much for its queues", function()
    local ring <close> = make()
    local r, w = assert(core.sock.pipe())
    local _ <close> = helper.closing(r, w)
    local n <const> = 30
    local ended, tasks = 0, {}
    for i = 1, n do
      tasks[i] = ring:spawn(function()
        local ok, err = pcall(core.op.read, r, 10)
        assert.is_false(ok)
        assert.equal("enough", err)
        ended = ended + 1
      end)
    end
    ring:spawn(function()
      core.sleep(0.01)
      for i = 1, n do tasks[i]:interrupt "enough" end
    end)
    while #ring:tasks() > 0 do ring:step(5) end
    assert.equal(n, ended)
    assert(helper.idle(ring))
    assert.equal(0, r:pending())
  end)

  main_it("closes with operations in flight and with entries not submitted", function()
    local ring = make()
    local r, w = assert(core.sock.pipe())
    local _ <close> = helper.closing(r, w)
    local buffer = core.buffer(8)
    local lost = ring:spawn(function() core.op.read(r, 10) end)
    ring:step(0)
    assert.equal("waiting", lost:status())
    ring:get_sqe():prep_read(r, buffer):set_data {}
    ring:submit()
    ring:get_sqe():prep_read(r, buffer)
    assert.equal(2, buffer:busy())
    assert.equal(3, r:pending())
    assert.is_true(ring:close())
    assert.equal(0, buffer:busy())
    assert.equal(0, r:pending())
    assert.equal("lost", lost:status())
    assert.equal(0, ring:stats().slots)
    assert.equal("uring.ring (closed)", tostring(ring))
    assert(core.op.write(w, "hello")) -- nobody reads it any more
    assert.equal("hello", core.op.read(r, 10))
    assert.equal("\0\0\0\0\0\0\0\0", buffer:string())
  end)

  main_it("closes what came and nobody took", function()
    local ring = make()
    local before <const> = process.descriptors()
    for _ = 1, 2 do ring:get_sqe():prep_openat(nil, "/dev/null", core.O_RDONLY) end
    ring:submit()
    local task = ring:spawn(function() core.op.openat(nil, "/dev/null", core.O_RDONLY) end)
    helper.eventually(function()
      ring:step(0)
      return ring:cq_ready() == 2
    end)
    assert.not_nil(task)
    ring:close()
    collectgarbage()
    local after <const> = process.descriptors()
    for fd, target in pairs(after) do
      assert(target ~= "/dev/null" or before[fd] == target, "left open: " .. fd)
    end
  end)

  if config ~= "sqpoll" and config ~= "tiny sqpoll" then
    main_it("runs nothing of what was not submitted when it is closed", function()
      local dir <close> = helper.tmpdir()
      local ring = make()
      ring:get_sqe():prep_openat(nil, dir .. "/file", core.O_CREAT | core.O_WRONLY, 384)
      ring:close()
      assert.is_nil(io.open(dir .. "/file"))
    end)

    main_it("runs nothing of what the kernel has not taken when it is closed", function()
      local ring = make()
      local r, w = core.sock.pipe()
      local _ <close> = helper.closing(r, w)
      ring:get_sqe():prep_write(w, "1")
      ring:get_sqe():prep_write(w, "2")
      assert.equal(1, ring:enter(1, 1, core.IORING_ENTER_GETEVENTS))
      ring:close()
      assert.equal(0, w:pending())
      op.write(w, "3")
      assert.equal("13", op.read(r, 10))
    end)
  end
end)

describe("a ring", function()
  main_it("has fields", function()
    local ring <close> = assert(core.ring { entries = 8 })
    assert.equal("integer", math.type(ring.features))
    assert.equal("integer", math.type(ring.flags))
    assert.is_nil(ring.nonsense)
    assert.is_nil(ring[1])
    assert.is_nil(ring[{}])
    assert.equal(("uring.ring (fd %d)"):format(ring:fileno()), tostring(ring))
    raises("attempt to index", function() ring.field = 1 end)
  end)

  main_it("counts its queues", function()
    local ring <close> = assert(core.ring { entries = 4 })
    assert.equal(0, ring:sq_ready())
    assert.equal(4, ring:sq_space_left())
    for _ = 1, 4 do ring:get_sqe():prep_nop() end
    assert.equal(4, ring:sq_ready())
    assert.equal(0, ring:sq_space_left())
    assert.is_nil(ring:get_sqe())
    assert.equal(4, ring:submit())
    assert.equal(0, ring:submit())
    assert.equal(4, ring:cq_ready())
    assert.equal(4, ring:sq_space_left())
    assert.equal(4, #assert(ring:wait_cqes(4, 5)))
    assert.equal(0, ring:cq_ready())
    local stats <const> = ring:stats()
    assert.equal(4, stats.submitted)
    assert.equal(4, stats.completed)
  end)

  main_it("knows what the kernel can do", function()
    local ring <close> = assert(core.ring())
    assert.is_true(ring:supports "read")
    assert.is_false(ring:supports "nonsense")
    raises("bad argument #1 to 'supports'", function() ring:supports() end)
  end)

  main_it("submits and waits in one go", function()
    local ring <close> = assert(core.ring())
    for _ = 1, 3 do ring:get_sqe():prep_nop() end
    assert.equal(3, ring:submit_and_wait(3))
    assert.equal(3, ring:cq_ready())
    assert.equal(0, ring:submit_and_wait(2)) -- these are there
    assert.equal(3, #ring:wait_cqes(3))
    ring:get_sqe():prep_nop()
    assert.equal(1, ring:submit_and_wait_timeout(2, 0.02))
    fails("ETIME", "submit_and_wait: Timer expired", ring:submit_and_wait_timeout(2, 0.01))
    assert.equal(1, #ring:wait_cqes(1))
    ring:get_sqe():prep_nop()
    assert.equal(1, ring:submit_and_wait(0))
    assert(ring:wait_cqe(5))
  end)

  main_it("waits for a time", function()
    local ring <close> = assert(core.ring())
    local start <const> = core.now()
    fails("ETIME", "wait_cqe: Timer expired", ring:wait_cqe(0.03))
    local took <const> = core.now() - start
    assert(took >= 0.03 and took < 2, took)
    fails("ETIME", "wait_cqes: Timer expired", ring:wait_cqes(2, 0))
    fails("EAGAIN", "peek_cqe: Resource temporarily unavailable", ring:peek_cqe())
    ring:get_sqe():prep_nop()
    ring:submit()
    assert.equal(0, ring:peek_cqe().res)
    raises("seconds must not be negative", ring.wait_cqe, ring, -1)
    raises("got nan", ring.wait_cqe, ring, 0 / 0)
    raises("number expected, got string", ring.wait_cqe, ring, "1")
    raises("out of range", ring.wait_cqes, ring, 0)
    raises("integer expected, got no value", ring.wait_cqes, ring)
  end)

  main_it("gives everything that is ready to a loop", function()
    local ring <close> = assert(core.ring())
    for i = 1, 3 do ring:get_sqe():prep_nop():set_data(i) end
    ring:submit()
    local sum = 0
    for data, res, flags in ring:cqes() do
      assert.equal(0, res)
      assert.equal(0, flags & core.IORING_CQE_F_MORE)
      sum = sum + data
    end
    assert.equal(6, sum)
    for _ in ring:cqes() do error "there is none" end
  end)

  main_it("goes on with a loop that was left", function()
    local ring <close> = assert(core.ring())
    for i = 1, 3 do ring:get_sqe():prep_nop():set_data(i) end
    ring:submit()
    local following, state = ring:cqes()
    assert.equal(1, (following(state)))
    assert.equal(2, ring:cq_ready())
    local rest = {}
    for data in ring:cqes() do rest[#rest + 1] = data end
    assert.same({ 2, 3 }, rest)
  end)

  main_it("may be closed inside the loop over its completions", function()
    local ring = assert(core.ring())
    for i = 1, 3 do ring:get_sqe():prep_nop():set_data(i) end
    ring:submit()
    raises("ring is closed", function()
      for _ in ring:cqes() do ring:close() end
    end)
  end)

  main_it("is readable when there are completions", function()
    local ring <close> = assert(core.ring { clamp = true })
    assert.equal(ring:fileno(), ring:pollfd())
    local timer = ring:get_sqe():prep_timeout(0.01)
    assert.not_nil(timer)
    ring:submit()
    assert.equal(core.POLLIN, assert(core.op.poll_add(ring, core.POLLIN)))
    assert.equal(-errno.ETIME, ring:peek_cqe().res)
  end)

  main_it("refuses work until it is enabled", function()
    local ring <close> = assert(core.ring { r_disabled = true })
    ring:get_sqe():prep_nop():set_data "late"
    fails("EBADFD", "submit: File descriptor in bad state (the ring is not enabled yet)",
      ring:submit())
    assert.is_true(ring:enable_rings())
    fails("EBADFD", "enable_rings: File descriptor in bad state", ring:enable_rings())
    ring:submit()
    assert.equal("late", assert(ring:wait_cqe(5)).data)
  end)

  main_it("keeps what finds no room until there is some", function()
    for _, enable in ipairs { true, false } do
      local ring = assert(core.ring { r_disabled = true, entries = 2, cq_entries = 4 })
      local r, w = core.sock.pipe()
      local _ <close> = helper.closing(r, w)
      local n <const>, tasks = 20, {}
      for i = 1, n do tasks[i] = ring:spawn(function() return op.read(r, 1) end) end
      ring:step(0) -- the kernel takes none of them
      assert.equal(n, ring:stats().active)
      assert.is_nil(ring:get_sqe())
      if enable then
        assert(ring:enable_rings())
        op.write(w, ("x"):rep(n))
        while #ring:tasks() > 0 do ring:step(5) end
        for i = 1, n do assert.equal("x", tasks[i]:join()) end
        assert(helper.idle(ring))
      end
      ring:close()
      assert.equal(0, r:pending())
      assert.equal(0, ring:stats().slots)
    end
  end)

  main_it("can be closed before it is enabled", function()
    local ring = assert(core.ring { r_disabled = true })
    local r, w = assert(core.sock.pipe())
    local _ <close> = helper.closing(r, w)
    local task = ring:spawn(function() return core.op.read(r, 1) end)
    ring:step(0)
    assert.equal("waiting", task:status())
    raises("File descriptor in bad state", ring.step, ring, 0)
    ring:get_sqe():prep_read(r, core.buffer(1))
    ring:submit()
    ring:get_sqe():prep_read(r, core.buffer(1))
    local start <const> = core.now()
    ring:close()
    assert(core.now() - start < 1)
    assert.equal(0, r:pending())
    assert.equal("lost", task:status())
    assert.equal(0, ring:stats().slots)
  end)

  main_it("gives its methods only to rings", function()
    for _, method in methods() do
      raises("uring.ring expected, got table", method, {})
      raises("uring.ring expected, got n", method) -- nil, or no value
    end
  end)
end)

describe("closing a ring", function()
  main_it("may be done twice", function()
    local ring = assert(core.ring())
    assert.is_true(ring:close())
    assert.is_true(ring:close())
  end)

  main_it("makes its methods raise", function()
    local ring = assert(core.ring())
    local sqe = ring:get_sqe()
    ring:close()
    for _, method in methods() do raises("ring is closed", method, ring) end
    raises("ring is closed", sqe.prep_nop, sqe)
    raises("ring is closed", sqe.await, sqe)
    assert.equal("uring.sqe (ended)", tostring(sqe))
    assert.is_nil(ring.features)
    assert.equal(0, ring:stats().slots)
  end)

  main_it("happens at the end of a scope", function()
    local kept
    do
      local ring <close> = assert(core.ring())
      kept = ring
    end
    raises("ring is closed", kept.submit, kept)
  end)

  main_it("happens when it is collected", function()
    local r, w = assert(core.sock.pipe())
    local _ <close> = helper.closing(r, w)
    do
      local ring = assert(core.ring())
      ring:get_sqe():prep_read(r, core.buffer(100))
      ring:submit()
      ring:spawn(function() core.op.read(r, 1) end)
      ring:step(0)
    end
    collectgarbage()
    collectgarbage()
    assert.equal(0, r:pending())
  end)

  main_it("is refused while it runs", function()
    local ring <close> = assert(core.ring())
    local message
    ring:spawn(function() message = select(2, pcall(ring.close, ring)) end)
    ring:step(0)
    assert.equal("ring is running", message)
    local default <const> = core.default()
    raises("ring is running", helper.run, function() default:close() end)
  end)

  helper.it("of another ring wakes the tasks that joined its tasks", function()
    local ring = assert(core.ring())
    local lost = ring:spawn(function() core.park() end)
    local joiner = core.spawn(function() return lost:join() end)
    core.yield()
    ring:close()
    raises("the task's ring was closed", joiner.join, joiner)
    ring, lost = nil, nil -- luacheck: ignore 311
    collectgarbage()
    core.yield()
  end)

  main_it("makes its timers and tasks harmless", function()
    local ring = assert(core.ring())
    local timer, fired
    local parked = ring:spawn(function() core.park() end)
    local sleeper = ring:spawn(function()
      timer = core.timer(0, function() fired = true end)
      core.sleep(100)
    end)
    ring:step(0)
    ring:close()
    ring = nil -- luacheck: ignore 311
    collectgarbage()
    collectgarbage()
    assert.is_false(timer:cancel())
    assert.is_nil(fired)
    for _, task in ipairs { parked, sleeper } do
      assert.is_false(task:wake(1))
      assert.equal(task, task:interrupt "no")
      assert.equal("lost", task:status())
      assert.is_nil(task:waiting())
      assert.is_nil(task:traceback())
      assert.matches("uring.task %(%d+, lost%)", tostring(task))
      raises("the task's ring was closed", task.join, task)
    end
  end)
end)

describe("a ring whose descriptor was closed by somebody else", function()
  it("lets go of no place in the thread's table but its own", function()
    helper.prints("0\ttrue\n", [[
      local core = require "uring.core"
      local process = require "spec.process"
      local ring = core.ring() -- its number is less than 16, and so a place
      local others = {}
      for i = 1, 16 do
        others[i] = core.ring { entries = 4 }
        assert(others[i]:register_ring_fd())
      end
      process.close(ring:fileno())
      ring:close()
      local sum = 0
      for i = 1, 16 do
        sum = sum + others[i]:spawn(core.op.nop):join()
        assert(others[i]:close())
      end
      print(sum, ring:stats().slots == 0)
    ]])
  end)

  it("goes on when it is registered", function()
    helper.prints("0\tregister_personality: Bad file descriptor (the ring's descriptor, " ..
      "%d, was closed by somebody else)\ntrue\n", [[
      local core = require "uring.core"
      local process = require "spec.process"
      for i = 1, 40 do -- there are 16 places
        local ring = assert(core.ring { entries = 4 })
        assert(ring:register_ring_fd())
        process.close(ring:fileno())
        local _, message = ring:register_personality()
        local zero = ring:spawn(core.op.nop):join()
        if i == 40 then print(zero, (message:gsub("%d+", "%%d"))) end
        assert(ring:close())
      end
      print(core.op.nop() == 0)
    ]])
  end)
end)

describe("a ring after fork", function()
  -- What the child's function returns, from 0 to 255.
  local function in_child(f)
    local pid <const> = process.fork()
    if pid == 0 then
      local ok, status = xpcall(f, debug.traceback)
      if not ok then io.stderr:write(tostring(status), "\n") end
      process.exit(ok and status or 255)
    end
    return process.wait(pid)
  end

  main_it("is refused to the child", function()
    local ring <close> = assert(core.ring())
    local sqe = ring:get_sqe()
    local task = ring:spawn(function() core.park() end)
    assert.equal(7, in_child(function()
      for _, method in methods() do
        raises("ring belongs to the parent process", method, ring, 1)
      end
      raises("ring belongs to the parent process", sqe.prep_nop, sqe)
      raises("the loop belongs to the parent process", task.join, task)
      ring:close()
      raises("ring is closed", ring.submit, ring)
      raises("the task's ring was closed", task.join, task)
      return 7
    end))
    sqe:prep_nop():set_data "still mine"
    ring:submit()
    assert.equal("still mine", ring:wait_cqe(5).data)
  end)

  main_it("has a number that the child may have given to something else", function()
    local ring <close> = assert(core.ring())
    local fd <const> = ring:fileno()
    assert.equal(7, in_child(function()
      local null = assert(op.open "/dev/null")
      process.close(fd)
      process.dup2(null:fileno(), fd)
      ring:close()
      return process.descriptors()[fd] == "/dev/null" and 7 or 8
    end))
    assert.equal(0, ring:spawn(op.nop):join())
  end)

  main_it("has no sizes in the child, which does not have its memory", function()
    local ring <close> = assert(core.ring { entries = 8 })
    assert.equal(7, in_child(function()
      assert.same({}, { ring.sq_entries, ring.cq_entries, ring.features, ring.flags })
      return 7
    end))
    assert.equal(8, ring.sq_entries)
  end)

  main_it("is collected in the child after a descriptor that it was about to close", function()
    local ring = assert(core.ring())
    local r, w = assert(core.sock.pipe())
    ring:spawn(function() op.read(r, 5) end)
    ring:spawn(function() r:close() end)
    ring:step(0)
    assert.equal(7, in_child(function()
      ring, r = nil, nil -- luacheck: ignore 311
      collectgarbage()
      collectgarbage()
      return 7
    end))
    ring:close()
    r:close()
    w:close()
  end)

  main_it("cannot have a chain that the child ends, whose descriptors are gone", function()
    local pid
    local r, w = assert(core.sock.pipe())
    local ok, err = pcall(op.link, function(c)
      c:read(r, 5)
      pid = process.fork()
      if pid ~= 0 then error("not now", 0) end
      r:close()
      r = nil
      collectgarbage()
      collectgarbage()
    end)
    if pid == 0 then
      local refused = not ok and tostring(err):find "ring belongs to the parent process"
      process.exit(refused and 7 or 8)
    end
    assert.equal(7, process.wait(pid))
    assert.equal(0, r:pending())
    r:close()
    w:close()
  end)

  main_it("is another one for the child's operations", function()
    assert.equal(0, core.op.nop())
    assert.equal(7, in_child(function()
      assert.equal(0, core.op.nop())
      assert.equal(5, core.spawn(function()
        core.sleep(0.001)
        return 5
      end):join())
      collectgarbage() -- and with it the parent's ring
      assert.equal(0, core.op.nop())
      return 7
    end))
    assert.equal(0, core.op.nop())
  end)

  main_it("does not run in a child that a task has made", function()
    local r, w = assert(core.sock.pipe())
    local _ <close> = helper.closing(r, w)
    local ran = 0
    local reader = core.spawn(function() return core.op.read(r, 5) end)
    local other = core.spawn(function() ran = ran + 1 end)
    local forker = core.spawn(function()
      core.yield()
      local pid = process.fork()
      if pid == 0 then
        raises("ring belongs to the parent process", core.op.nop)
        return 0
      end
      return pid
    end)
    local ok, pid = pcall(forker.join, forker)
    if not ok or pid == 0 then -- the child
      local good = pcall(function()
        raises("the loop belongs to the parent process", reader.join, reader)
        assert.equal(1, r:pending())
        r:close() -- its own copy
        w:close()
        assert.equal(0, core.op.nop())
      end)
      process.exit(good and 7 or 8)
    end
    assert.equal(7, process.wait(pid))
    other:join()
    assert.equal(1, ran)
    assert(core.op.write(w, "hello"))
    assert.equal("hello", reader:join())
  end)
end)
