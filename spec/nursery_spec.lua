-- Nurseries: tasks that somebody answers for together.

local core = require "uring.core"
local helper = require "spec.helper"

local it_task <const>, main_it <const>, raises <const> = helper.it, helper.main_it, helper.raises

-- Tasks of it that are parked until they are woken.
local function parked(nursery, n)
  local tasks = {}
  for i = 1, n do tasks[i] = assert(nursery:spawn(core.park)) end
  core.yield()
  return tasks
end

local function wake(tasks)
  for _, task in ipairs(tasks) do task:wake() end
end

describe("a nursery", function()
  it_task("knows the tasks that began in it until they have ended", function()
    local owner <const> = {}
    local nursery = core.nursery(owner)
    assert.equal(0, #nursery)
    local tasks = parked(nursery, 3)
    assert.equal(3, #nursery)
    assert.equal("uring.nursery (3)", tostring(nursery))
    for _, task in ipairs(tasks) do assert.equal(owner, task:owner()) end
    tasks[2]:wake()
    tasks[2]:join()
    assert.equal(2, #nursery)
    wake(tasks)
    nursery:join()
    assert.equal(0, #nursery)
  end)

  it_task("passes arguments on and refuses what is no function", function()
    local nursery = core.nursery(nil)
    local task = nursery:spawn(function(...) return ... end, 1, nil, "x")
    assert.same({ 1, nil, "x" }, { task:join() })
    raises("function expected, got no value", nursery.spawn, nursery)
    raises("uring.nursery expected", nursery.spawn, {}, print)
    raises("value expected", core.nursery)
    assert.equal(0, #nursery)
  end)

  it_task("is waited for by several, until the last task has ended", function()
    local nursery = core.nursery(nil)
    local tasks, ended = parked(nursery, 2), 0
    local waiters = {}
    for i = 1, 3 do
      waiters[i] = core.spawn(function()
        nursery:join()
        ended = ended + 1
      end)
    end
    core.yield()
    assert.equal("scope", waiters[1]:waiting())
    tasks[1]:wake()
    tasks[1]:join()
    core.yield()
    assert.equal(0, ended)
    nursery:spawn(function() end)          -- one more meanwhile
    tasks[2]:wake()
    for _, waiter in ipairs(waiters) do waiter:join() end
    assert.equal(3, ended)
  end)

  it_task("interrupts the tasks it has and those it will have", function()
    local nursery = core.nursery "owner"
    local reasons = {}
    local function wait()
      local ok, value = pcall(core.park)
      reasons[#reasons + 1] = { ok, value }
    end
    local value <const> = {}
    nursery:spawn(wait)
    core.yield()
    nursery:spawn(wait)                    -- which has not begun
    assert.equal(nursery, nursery:interrupt(value))
    nursery:spawn(wait)
    nursery:join()
    assert.same({ { false, value }, { false, value }, { false, value } }, reasons)
    for _, reason in ipairs(reasons) do assert.equal(value, reason[2]) end
    raises("value expected", nursery.interrupt, nursery)
  end)

  it_task("leaves a task alone that has another owner", function()
    local nursery = core.nursery "owner"
    local task = parked(nursery, 1)[1]
    task:owner "somebody else"
    nursery:interrupt "stop"
    core.yield()
    assert.equal("waiting", task:status())
    task:wake()
    nursery:join()
    assert.equal("done", task:status())
  end)

  it_task("can be waited for with a deadline or a cancellation of one's own", function()
    local nursery = core.nursery(nil)
    local tasks = parked(nursery, 1)
    local waiter = core.spawn(function() return pcall(nursery.join, nursery) end)
    core.yield()
    waiter:interrupt "enough"
    assert.same({ false, "enough" }, { waiter:join() })
    assert.equal(1, #nursery)
    wake(tasks)
    nursery:join()
  end)

  main_it("is waited for by the main chunk, which runs the loop", function()
    local nursery = core.nursery(nil)
    local turns = 0
    nursery:spawn(function()
      for _ = 1, 3 do
        core.sleep(0.001)
        turns = turns + 1
      end
    end)
    nursery:join()
    assert.equal(3, turns)
  end)

  it_task("cannot be waited for where Lua cannot yield", function()
    local nursery = core.nursery(nil)
    local tasks = parked(nursery, 1)
    raises("cannot wait here", table.sort, { 2, 1 }, function() nursery:join() end)
    wake(tasks)
    nursery:join()
  end)

  main_it("loses its tasks with their ring", function()
    local nursery, ring = core.nursery(nil), assert(core.ring())
    ring:spawn(function()
      nursery:spawn(core.park)
    end)
    ring:step(0)
    ring:step(0)
    assert.equal(1, #nursery)
    ring:close()
    assert.equal(0, #nursery)
    nursery:join()
  end)

  main_it("survives a ring that is collected with its tasks", function()
    local nursery = core.nursery "owner"
    do
      local ring = assert(core.ring())
      ring:spawn(function() nursery:spawn(core.park) end)
      ring:step(0)
      ring:step(0)
      -- interrupted by a finaliser that runs before that of the ring
      setmetatable({}, { __gc = function() nursery:interrupt "late" end })
    end
    collectgarbage()
    collectgarbage()
    assert.equal(0, #nursery)
  end)

  main_it("is kept by its tasks", function()
    local task = core.nursery("owner"):spawn(core.park)
    collectgarbage()
    core.yield()
    collectgarbage()
    assert.equal("owner", task:owner())
    task:wake()
    task:join()
    collectgarbage()
  end)

  it_task("adopts the tasks of another, which keep their owner", function()
    local nursery, other = core.nursery "one", core.nursery "two"
    local first, adopted = parked(nursery, 1), parked(other, 3)
    local left = false
    local waiter = core.spawn(function()
      other:join()
      left = true
    end)
    core.yield()
    assert.equal(nursery, nursery:adopt(other))
    assert.same({ 4, 0 }, { #nursery, #other })
    waiter:join()
    assert.is_true(left)
    nursery:interrupt "not for them"
    assert.is_false(pcall(first[1].join, first[1]))
    for _, task in ipairs(adopted) do
      assert.equal("two", task:owner())
      assert.equal("waiting", task:status())
    end
    other = nil                            -- luacheck: ignore 311
    collectgarbage()
    wake(adopted)
    nursery:join()
    assert.equal(0, #nursery)
    nursery:adopt(core.nursery(nil))
    raises("the same nursery", nursery.adopt, nursery, nursery)
    raises("uring.nursery expected", nursery.adopt, nursery, {})
  end)

  main_it("survives that a stranger closes the coroutine which waits for it", function()
    local waiter
    do
      local nursery = core.nursery(nil)
      local tasks = parked(nursery, 1)
      local co
      waiter = core.spawn(function()
        co = coroutine.running()
        nursery:join()
      end)
      core.yield()
      assert.equal("waiting", waiter:status())
      coroutine.close(co)
      collectgarbage()
      wake(tasks)
      nursery:join()
    end
    collectgarbage()
    raises("closed the task's coroutine", waiter.join, waiter)
  end)

  main_it("tells core.on_end of what went wrong only", function()
    local heard = {}
    local _ <close> = setmetatable({}, { __close = function() core.on_end(nil) end })
    core.on_end(function(_, owner, failed, err) heard[#heard + 1] = { owner, failed, err } end)
    local nursery = core.nursery "owner"
    nursery:spawn(function() end)
    nursery:spawn(function() error("x", 0) end)
    nursery:spawn(function() core.current():owner "other" end)
    nursery:join()
    assert.same({ { "owner", true, "x" }, { "other", false } }, heard)
  end)
end)
