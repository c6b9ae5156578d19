-- Tasks: starting, ending, waiting, waking; and where an await may be called.

local core = require "uring.core"
local helper = require "spec.helper"

local op <const> = core.op
local it_task <const>, main_it <const> = helper.it, helper.main_it
local raises <const>, fails <const> = helper.raises, helper.fails

-- A task that waits in core.park, started.
local function parked(f)
  local task = core.spawn(f or core.park)
  core.yield()
  return task
end

local function pipe()
  local r, w = core.sock.pipe()
  return r, w, helper.closing(r, w)
end

describe("a task", function()
  main_it("gets its arguments and returns its results", function()
    local task = core.spawn(function(...) return select("#", ...), ... end, 1, nil, "x", nil)
    assert.same({ 4, 1, nil, "x", nil }, { task:join() })
    assert.equal(5, select("#", task:join()))
    assert.equal("done", task:status())
    assert.is_nil(task:waiting())
  end)

  main_it("may have many of both", function()
    local task = core.spawn(function(...) return ... end, table.unpack({}, 1, 10000))
    assert.equal(10000, select("#", task:join()))
  end)

  main_it("starts at the next turn, and not before", function()
    local ran = false
    local task = core.spawn(function() ran = true end)
    assert.is_false(ran)
    assert.equal("ready", task:status())
    assert.equal("ready", (task:waiting()))
    task:join()
    assert.is_true(ran)
  end)

  it_task("may be joined by many, before and after its end", function()
    local task = core.spawn(function()
      core.sleep(0.001)
      return "result"
    end)
    local joiners = {}
    for i = 1, 5 do joiners[i] = core.spawn(function() return task:join() end) end
    for i = 1, 5 do assert.equal("result", joiners[i]:join()) end
    assert.equal("result", task:join())
  end)

  it_task("raises its error where it is joined", function()
    local values <const> = { "text", {}, 12, false, print }
    for _, value in ipairs(values) do
      local task = core.spawn(function() error(value, 0) end)
      local ok, err = pcall(task.join, task)
      assert.is_false(ok)
      assert.equal(value, err)
      assert.equal("failed", task:status())
      assert.equal(err, select(2, pcall(task.join, task)))
    end
    local task = core.spawn(function() error() end)
    local ok, err = pcall(task.join, task)
    assert.same({ false }, { ok, err })
  end)

  it_task("keeps the traceback of its error", function()
    local function inner() error "oops" end
    local task = core.spawn(function() inner() end)
    pcall(task.join, task)
    assert.matches("task_spec.lua:%d+: oops\nstack traceback:", task:traceback())
    assert.matches("in upvalue 'inner'", task:traceback())
    local object = setmetatable({}, { __tostring = function() return "an object" end })
    task = core.spawn(function() error(object) end)
    assert.equal(object, select(2, pcall(task.join, task)))
    assert.matches("^an object\nstack traceback:", task:traceback())
    task = core.spawn(function() end)
    task:join()
    assert.is_nil(task:traceback())
  end)

  it_task("survives an error in its error", function()
    local object = setmetatable({}, { __tostring = function() error "worse" end })
    local task = core.spawn(function() error(object) end)
    assert.is_false(pcall(task.join, task))
    assert.equal("failed", task:status())
  end)

  it_task("fails when its stack overflows", function()
    local function deep() return 1 + deep() end
    local task = core.spawn(deep)
    raises("stack overflow", task.join, task)
    assert.equal(0, op.nop())
  end)

  it_task("closes its variables, which may wait, before it ends", function()
    local log = {}
    local function closer(name)
      return setmetatable({}, { __close = function(_, err)
        core.sleep(0.001)
        op.nop()
        log[#log + 1] = name .. tostring(err)
      end })
    end
    local task = core.spawn(function()
      local _ <close> = closer "a"
      local _ <close> = closer "b"
      error("oops", 0)
    end)
    raises("oops", task.join, task)
    assert.same({ "boops", "aoops" }, log)
  end)

  it_task("cannot wait for itself", function()
    local task
    task = core.spawn(function() task:join() end)
    raises("a task cannot wait for itself", task.join, task)
  end)

  main_it("keeps its ring while somebody waits for it", function()
    local function lonely(f) return assert(core.ring()):spawn(f) end
    local function work()
      collectgarbage()
      collectgarbage()
      core.sleep(0.001)
      collectgarbage()
      return 7
    end
    assert.equal(7, lonely(work):join())
    local nursery <const> = core.nursery(1)
    lonely(function() nursery:spawn(work) end):join()
    nursery:join()
    assert.equal(0, #nursery)
  end)

  main_it("cannot wait for the main chunk", function()
    local main <const> = core.waiter()
    raises("the main chunk is no task", main.join, main)
    local task <const> = core.spawn(function() main:join() end)
    raises("the main chunk is no task", task.join, task)
  end)

  it_task("knows who it is", function()
    local task
    task = core.spawn(function()
      assert.equal(task, core.current())
      core.sleep(0)
      assert.equal(task, core.current())
    end)
    task:join()
    assert.not_equal(task, core.current())
  end)

  main_it("is nobody in the main chunk", function() assert.is_nil(core.current()) end)

  it_task("has a name and an owner", function()
    local task = parked()
    assert.is_nil(task:name())
    assert.equal(task, task:name "worker")
    assert.equal("worker", task:name())
    assert.equal("uring.task (worker, waiting)", tostring(task))
    raises("string expected, got number", task.name, task, 1)
    local owner = {}
    assert.equal(task, task:owner(owner))
    assert.equal(owner, task:owner())
    task:wake()
    task:join()
    assert.equal("uring.task (worker, done)", tostring(task))
  end)

  it_task("says what it waits for", function()
    local r <const>, w <const>, _ <close> = pipe()
    local function waits(expected, f)
      local task = core.spawn(f)
      core.yield()
      local what, seconds = task:waiting()
      assert.equal(expected, what)
      assert(seconds >= 0 and seconds < 5, seconds)
      assert.equal("waiting", task:status())
      assert.matches("task_spec.lua", task:traceback())
      return task
    end
    local reader = waits(("read fd %d"):format(r:fileno()), function() op.read(r, 1) end)
    local sleeper = waits("sleep", function() core.sleep(0.05) end)
    local waiter = waits("park", function() core.park() end)
    local joiner = waits("join waiter", function() waiter:name("waiter"):join() end)
    op.write(w, "x")
    waiter:wake()
    for _, task in ipairs { reader, sleeper, waiter, joiner } do task:join() end
  end)

  it_task("is listed while it lives", function()
    local task = parked()
    local found = 0
    for _, t in ipairs(core.default():tasks()) do
      if t == task then found = found + 1 end
    end
    assert.equal(1, found)
    task:wake()
    task:join()
    for _, t in ipairs(core.default():tasks()) do assert.not_equal(task, t) end
  end)

  for _, case in ipairs { { "nil" }, { "a string", "f" }, { "a callable table",
    setmetatable({}, { __call = print }) } } do
    it("is not made of " .. case[1], function()
      raises("function expected", core.spawn, case[2])
      raises("function expected", core.default().spawn, core.default(), case[2])
    end)
  end

  main_it("tells its end to whoever wants to know", function()
    local ended = {}
    core.on_end(function(task) ended[#ended + 1] = task:status() end)
    local good, bad = core.spawn(function() end), core.spawn(function() error "x" end)
    good:join()
    pcall(bad.join, bad)
    core.on_end(nil)
    assert.same({ "done", "failed" }, ended)
    core.spawn(function() end):join()
    assert.equal(2, #ended)
    raises("function expected, got number", core.on_end, 1)
  end)

  main_it("passes an error of that function to whoever drives the loop", function()
    core.on_end(function() error("from on_end", 0) end)
    local task = core.spawn(function() end)
    raises("from on_end", task.join, task)
    core.on_end(nil)
    task:join()
  end)
end)

describe("sleeping", function()
  it_task("takes its time", function()
    local start <const> = core.now()
    assert.is_true(core.sleep(0.02))
    local took <const> = core.now() - start
    assert(took >= 0.02 and took < 2, took)
  end)

  main_it("runs the others meanwhile, outside tasks too", function()
    local n = 0
    local task = core.spawn(function()
      for _ = 1, 5 do
        core.sleep(0.001)
        n = n + 1
      end
    end)
    repeat core.sleep(0.02) until n == 5
    assert.equal("done", task:status())
  end)

  it_task("ends in the order of time", function()
    helper.wake_in_order(50, 0.0005, core.spawn, core.sleep)
  end)

  it_task("checks its argument", function()
    raises("number expected, got no value", core.sleep)
    raises("number expected, got string", core.sleep, "1")
    raises("seconds must not be negative", core.sleep, -1)
    raises("got nan", core.sleep, 0 / 0)
  end)

  it_task("forever is possible", function()
    local task = core.spawn(function() core.sleep(math.huge) end)
    core.yield()
    task:interrupt "enough"
    raises("enough", task.join, task)
  end)

  it_task("blocks where Lua cannot yield", function()
    local start <const> = core.now()
    string.gsub("x", "x", function() core.sleep(0.01) end)
    assert(core.now() - start >= 0.01)
  end)
end)

describe("yielding", function()
  it_task("lets every ready task run once", function()
    local log = {}
    local tasks = {}
    for i = 1, 3 do
      tasks[i] = core.spawn(function()
        for _ = 1, 2 do
          log[#log + 1] = i
          core.yield()
        end
      end)
    end
    for i = 1, 3 do tasks[i]:join() end
    assert.same({ 1, 2, 3, 1, 2, 3 }, log)
  end)

  it_task("does not starve operations", function()
    local done = false
    local task = core.spawn(function()
      op.nop()
      op.timeout(0.001)
      done = true
    end)
    while not done do core.yield() end
    task:join()
  end)
end)

describe("parking", function()
  it_task("ends with the values of the one who wakes", function()
    local task = parked(function() return core.park() end)
    assert.is_true(task:wake(1, nil, 3))
    assert.same({ 1, nil, 3 }, { task:join() })
    assert.is_false(task:wake())
  end)

  it_task("is ended by the first only", function()
    local task = parked(function() return core.park() end)
    assert.is_true(task:wake "first")
    assert.is_false(task:wake "second")
    assert.equal("first", task:join())
  end)

  it_task("has a deadline", function()
    fails("ETIMEDOUT", "timed out", core.park(0.005))
    fails("ETIMEDOUT", "timed out", core.park(0))
    local task = parked(function() return core.park(100) end)
    task:wake "in time"
    assert.equal("in time", task:join())
    assert.equal(1, core.default():stats().timers) -- the deadline of this case
  end)

  it_task("is not ended by waking what waits for something else", function()
    local r <const>, w <const>, _ <close> = pipe()
    local reader = core.spawn(function() return op.read(r, 10) end)
    local sleeper = core.spawn(function() return core.sleep(0.01) end)
    core.yield()
    assert.is_false(reader:wake "x")
    assert.is_false(sleeper:wake "x")
    op.write(w, "data")
    assert.equal("data", reader:join())
    assert.is_true(sleeper:join())
  end)

  main_it("runs the loop in the main chunk", function()
    local main = core.waiter()
    core.spawn(function() main:wake("a", nil, "b") end)
    assert.same({"a", nil, "b"}, {core.park()})
    assert.same({nil, "timed out", core.errno.ETIMEDOUT}, {core.park(0.01)})
    raises("deadlock", core.park)
  end)

  it_task("is not possible where Lua cannot yield", function()
    raises("Lua cannot yield", string.gsub, "x", "x", function() core.park() end)
  end)

  it_task("takes many values", function()
    local task = parked(function() return select("#", core.park()) end)
    task:wake(table.unpack({}, 1, 5000))
    assert.equal(5000, task:join())
  end)
end)

describe("interrupting", function()
  for name, f in pairs {
    park = function() core.park() end,
    sleep = function() core.sleep(100) end,
    join = function(other) other:join() end,
    timeout = function() op.timeout(100) end,
    read = function(_, r) op.read(r, 1) end,
    accept = function(_, _, listener) op.accept(listener) end,
    poll = function(_, r) op.poll_add(r, core.POLLIN) end,
  } do
    it_task("raises its value at a " .. name, function()
      local other = parked()
      local r <const>, _, _ <close> = pipe()
      local listener <close> = helper.listener()
      local value <const> = {}
      local task = core.spawn(f, other, r, listener)
      core.yield()
      assert.equal(task, task:interrupt(value))
      local ok, err = pcall(task.join, task)
      assert.is_false(ok)
      assert.equal(value, err)
      assert.is_nil(task:traceback()) -- it did not fail by itself
      other:wake()
      other:join()
    end)
  end

  it_task("raises again at each await, until it is taken back", function()
    local raised = {}
    local task
    task = parked(function()
      for i = 1, 3 do raised[i] = select(2, pcall(core.park)) end
      raised[4] = select(2, pcall(op.nop))
      raised[5] = select(2, pcall(core.yield))
      raised[6] = select(2, pcall(core.sleep, 1))
      task:interrupt(nil)
      return op.nop()
    end)
    task:interrupt "stop"
    assert.equal(0, task:join())
    assert.same({ "stop", "stop", "stop", "stop", "stop", "stop" }, raised)
  end)

  it_task("waits for the operation to end", function()
    local r <const>, _, _ <close> = pipe()
    local task = core.spawn(function() op.read(r, 1) end)
    core.yield()
    task:interrupt "stop"
    assert.equal("waiting", task:status())
    assert.equal(1, r:pending())
    raises("stop", task.join, task)
    assert.equal(0, r:pending())
  end)

  it_task("does not lose a result that came in time", function()
    local r <const>, w <const>, _ <close> = pipe()
    local task = core.spawn(function()
      local data = op.read(r, 10)
      assert.equal("stop", select(2, pcall(op.nop)))
      return data
    end)
    core.yield()
    op.write(w, "data") -- the read ends before its cancellation is submitted
    task:interrupt "stop"
    local ok, result = pcall(task.join, task)
    assert.same({ true, "data" }, { ok, result })
  end)

  it_task("of a join goes on waiting when it is taken back at once", function()
    local task = parked(function() return core.park() end)
    local joiner = core.spawn(function() return task:join() end)
    core.yield()
    joiner:interrupt "no"
    joiner:interrupt(nil)
    core.yield()
    assert.equal("waiting", joiner:status())
    task:wake "result"
    assert.equal("result", joiner:join())
  end)

  it_task("reaches a task before it has started", function()
    local task = core.spawn(function() op.nop() end)
    task:interrupt "never"
    raises("never", task.join, task)
  end)

  it_task("does nothing to one that has ended", function()
    local task = core.spawn(function() return 1 end)
    task:join()
    task:interrupt "late"
    assert.equal(1, task:join())
  end)

  it_task("may be done by the task itself", function()
    local task = core.spawn(function()
      core.current():interrupt "self"
      op.nop()
    end)
    raises("self", task.join, task)
  end)

  it("checks its arguments", function()
    local ring <close> = assert(core.ring())
    local task = ring:spawn(function() end)
    raises("value expected", function() task:interrupt() end)
  end)
end)

describe("timers", function()
  it_task("call a function at their time", function()
    local log, at = {}, nil
    local start <const> = core.now()
    local timer = core.timer(0.01, function()
      at = core.now() - start
      log[#log + 1] = "timer"
    end)
    core.timer(0.02, function() log[#log + 1] = "later" end)
    core.sleep(0.03)
    assert.same({ "timer", "later" }, log)
    assert(at >= 0.01 and at < 2, at)
    assert.is_false(timer:cancel())
  end)

  it_task("can be cancelled, once", function()
    local fired = false
    local timer = core.timer(0.001, function() fired = true end)
    assert.is_true(timer:cancel())
    assert.is_false(timer:cancel())
    core.sleep(0.01)
    assert.is_false(fired)
  end)

  it_task("are cancelled at the end of a scope", function()
    local fired = false
    do
      local timer <close> = core.timer(0.001, function() fired = true end)
      assert.not_nil(timer)
    end
    core.sleep(0.01)
    assert.is_false(fired)
  end)

  it_task("fire although nobody keeps them", function()
    local fired = 0
    for _ = 1, 10 do core.timer(0.005, function() fired = fired + 1 end) end
    collectgarbage()
    core.sleep(0.02)
    assert.equal(10, fired)
  end)

  it_task("may cancel and make others", function()
    local log = {}
    local second = core.timer(0.006, function() log[#log + 1] = "second" end)
    core.timer(0.002, function()
      log[#log + 1] = "first"
      second:cancel()
      core.timer(0.02, function() log[#log + 1] = "third" end) -- after the second's time
    end)
    helper.eventually(function() return #log == 2 end)
    assert.same({ "first", "third" }, log)
  end)

  it_task("are ordered, however many", function()
    local n <const> = helper.scale(2000)
    local timers, fired, last = {}, 0, 0
    math.randomseed(1)
    for i = 1, n do
      local delay <const> = math.random() / 50
      local soonest <const>, latest = core.now() + delay, nil
      timers[i] = core.timer(delay, function()
        assert(latest > last - 1e-6)
        last = math.max(last, soonest)
        fired = fired + 1
      end)
      latest = core.now() + delay
    end
    local cancelled = 0
    for i = 1, n, 2 do
      if timers[i]:cancel() then cancelled = cancelled + 1 end
    end
    core.sleep(0.05)
    assert.equal(n, fired + cancelled)
    assert.equal(1, core.default():stats().timers)
  end)

  main_it("pass an error to whoever drives the loop", function()
    core.timer(0, function() error("in a timer", 0) end)
    raises("in a timer", core.sleep, 0.01)
  end)

  it_task("check their arguments", function()
    raises("number expected", core.timer, "1", print)
    raises("function expected", core.timer, 1)
    raises("function expected", core.timer, 1, {})
    raises("seconds must not be negative", core.timer, -1, print)
  end)
end)

describe("an await", function()
  main_it("in the main chunk runs the loop", function()
    local r <const>, w <const>, _ <close> = pipe()
    core.spawn(function()
      core.sleep(0.005)
      op.write(w, "from a task")
    end)
    assert.equal("from a task", op.read(r, 100))
    core.yield()
  end)

  main_it("in a coroutine of the main chunk, too", function()
    local co = coroutine.wrap(function()
      coroutine.yield(op.nop())
      return op.nop()
    end)
    assert.equal(0, co())
    assert.equal(0, co())
  end)

  it_task("in a stock coroutine inside a task raises, and says why", function()
    local co = coroutine.wrap(function() return op.nop() end)
    raises("cannot wait inside a coroutine of the standard library: make it with " ..
      "uring.coroutine", co)
    local other = parked()
    for _, f in ipairs { function() core.sleep(0) end, function() core.park() end,
      function() core.yield() end, function() other:join() end } do
      local ok, err = coroutine.wrap(function() return pcall(f) end)()
      assert.is_false(ok)
      assert.matches("coroutine of the standard library", err)
    end
    other:wake()
    other:join()
  end)

  it_task("where Lua cannot yield waits for its operation only", function()
    local r <const>, w <const>, _ <close> = pipe()
    op.write(w, "data")
    local ran, got = false, nil
    core.spawn(function() ran = true end)
    string.gsub("x", "x", function() got = op.read(r, 10) end)
    assert.equal("data", got)
    assert.is_false(ran)
    local list = { 3, 1, 2 }
    table.sort(list, function(a, b)
      op.nop()
      return a < b
    end)
    assert.same({ 1, 2, 3 }, list)
    assert.equal("0", tostring(setmetatable({}, { __tostring = function()
      return tostring(op.nop())
    end })))
    assert.is_false(ran)
    core.yield()
    assert.is_true(ran)
  end)

  it_task("where Lua cannot yield leaves the results of others", function()
    local r <const>, w <const>, _ <close> = pipe()
    local reader = core.spawn(function() return op.read(r, 10) end)
    core.yield()
    string.gsub("x", "x", function()
      op.write(w, "data")
      op.timeout(0.002)
    end)
    assert.equal("data", reader:join())
  end)

  it_task("works in a finaliser", function()
    local result
    setmetatable({}, { __gc = function() result = op.nop() end })
    collectgarbage()
    assert.equal(0, result)
  end)

  main_it("works in a finaliser outside tasks", function()
    local result
    setmetatable({}, { __gc = function() result = op.nop() end })
    collectgarbage()
    assert.equal(0, result)
  end)

  it_task("works in metamethods, iterators and pcall", function()
    local t = setmetatable({}, { __index = function() return op.nop() end })
    assert.equal(0, t.field)
    for n in function(_, last) if not last then return op.nop() end end do assert.equal(0, n) end
    assert.same({ true, 0 }, { pcall(op.nop) })
    assert.same({ true, 0 }, { xpcall(op.nop, debug.traceback) })
  end)

  it_task("cannot join where Lua cannot yield", function()
    local task = parked()
    raises("cannot wait for a task here", string.gsub, "x", "x", function() task:join() end)
    task:wake()
    task:join()
  end)

  main_it("in a timer waits in place", function()
    local result
    core.timer(0, function() result = op.nop() end)
    core.sleep(0.01)
    assert.equal(0, result)
  end)
end)

describe("a stranger", function()
  it_task("may not yield in a task", function()
    local task = core.spawn(function() coroutine.yield(1) end)
    raises("coroutine.yield outside a coroutine: a task gives way with", task.join, task)
    assert.equal("failed", task:status())
  end)

  it_task("that resumes a waiting coroutine changes nothing", function()
    local r <const>, w <const>, _ <close> = pipe()
    local cos = {}
    local function spawn(f)
      return core.spawn(function()
        cos[#cos + 1] = coroutine.running()
        return f()
      end)
    end
    local other = parked(function() return core.park() end)
    local tasks <const> = {
      spawn(function() return op.read(r, 10) end),
      spawn(function() return core.park() end),
      spawn(function() return core.sleep(0.01) end),
      spawn(function() return other:join() end),
    }
    core.yield()
    for _ = 1, 3 do
      for _, co in ipairs(cos) do
        assert.is_true((coroutine.resume(co, "stranger", 1, 2)))
        assert.equal("suspended", coroutine.status(co))
      end
    end
    op.write(w, "data")
    tasks[2]:wake "woken"
    other:wake "other"
    assert.same({ "data" }, { tasks[1]:join() })
    assert.same({ "woken" }, { tasks[2]:join() })
    assert.same({ true }, { tasks[3]:join() })
    assert.same({ "other" }, { tasks[4]:join() })
  end)

  it_task("that closes a waiting coroutine makes the task fail", function()
    local r <const>, w <const>, _ <close> = pipe()
    local co, closed
    local reader = core.spawn(function()
      co = coroutine.running()
      local _ <close> = setmetatable({}, { __close = function() closed = true end })
      return op.read(r, 10)
    end)
    core.yield()
    assert.is_true(coroutine.close(co))
    assert.is_true(closed)
    op.write(w, "data")
    raises("somebody has closed the task's coroutine", reader.join, reader)
    local parker = core.spawn(function()
      co = coroutine.running()
      core.park()
    end)
    core.yield()
    coroutine.close(co)
    assert.equal("waiting", parker:status())
    assert.is_string(parker:traceback())
    parker:wake(1, 2, 3)
    raises("somebody has closed the task's coroutine", parker.join, parker)
  end)

  it_task("that closes one whose variable fails to close does not crash", function()
    local co
    local task = core.spawn(function()
      co = coroutine.running()
      local _ <close> = setmetatable({}, { __close = function() error "in close" end })
      core.park()
    end)
    core.yield()
    assert.is_false((coroutine.close(co)))
    task:wake()
    raises("somebody has closed the task's coroutine", task.join, task)
  end)

  it_task("that yields with a variable that fails to close does not crash", function()
    local task = core.spawn(function()
      local _ <close> = setmetatable({}, { __close = function() error "in close" end })
      coroutine.yield()
    end)
    raises("coroutine.yield outside a coroutine", task.join, task)
  end)
end)

describe("a loop on which nothing can happen", function()
  main_it("is reported with what its tasks wait for", function()
    local one = core.spawn(function() core.park() end):name "one"
    local two = core.spawn(function() one:join() end)
    local ok, err = pcall(two.join, two)
    assert.is_false(ok)
    assert.matches("deadlock: nothing is in flight, and nobody can wake", err, 1, true)
    assert.matches("uring.task (one, waiting): park", err, 1, true)
    assert.matches("uring%.task %(%d+, waiting%): join", err)
    one:wake()
    two:join()
  end)

  main_it("is not one that has a timer or an operation", function()
    local task = core.spawn(function() return core.park() end)
    core.timer(0.01, function() task:wake "by a timer" end)
    assert.equal("by a timer", task:join())
  end)

  main_it("is an error of step without tasks, but not with a time", function()
    local ring <close> = assert(core.ring())
    raises("nobody can wake the program", ring.step, ring)
    assert.is_true(ring:step(0))
    assert.is_true(ring:step(0.001))
    raises("seconds must not be negative", ring.step, ring, -1)
  end)
end)

describe("step", function()
  main_it("is one turn", function()
    local ring <close> = assert(core.ring())
    local log = {}
    ring:spawn(function()
      log[#log + 1] = 1
      core.yield()
      log[#log + 1] = 2
    end)
    ring:step(0)
    assert.same({ 1 }, log)
    ring:step(0)
    assert.same({ 1, 2 }, log)
    assert.equal(0, #ring:tasks())
  end)

  main_it("is not for those who are driven by it", function()
    local ring <close> = assert(core.ring())
    local task = ring:spawn(function() ring:step(0) end)
    ring:step(0)
    raises("ring is running", task.join, task)
    task = core.spawn(function() ring:step(0) end)
    raises("a task cannot run a ring", task.join, task)
  end)

  main_it("waits until something happens", function()
    local ring <close> = assert(core.ring())
    local woke = false
    ring:spawn(function()
      core.sleep(0.005)
      woke = true
    end)
    ring:step(0)
    local start <const> = core.now()
    ring:step(5)
    assert(core.now() - start < 3)
    while not woke do ring:step(5) end
  end)

  main_it("keeps the tasks of two rings apart", function()
    local a <close> = assert(core.ring())
    local b <close> = assert(core.ring())
    local from_a
    local first = a:spawn(function()
      op.nop()
      return b:spawn(function()
        op.nop()
        from_a = "b"
        return "second"
      end):join()
    end)
    for _ = 1, 20 do
      a:step(0)
      b:step(0)
    end
    assert.equal("second", first:join())
    assert.equal("b", from_a)
    assert.equal(1, a:stats().spawned)
    assert.equal(1, b:stats().spawned)
  end)

  main_it("lets a hook run, as Ctrl-C does", function()
    local count = 0
    debug.sethook(function() count = count + 1 end, "", 1)
    core.sleep(0.001)
    debug.sethook()
    assert(count > 0)
    local task = core.spawn(function() core.sleep(100) end)
    core.timer(0.005, function()
      debug.sethook(function()
        debug.sethook()
        error("interrupted!", 0)
      end, "c")
    end)
    raises("interrupted!", task.join, task)
    task:interrupt "x"
    raises("x", task.join, task)
  end)
end)
