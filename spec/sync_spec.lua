-- Channels, mutexes, semaphores, events, conditions, select.

local uring = require "uring"
local core = require "uring.core"
local helper = require "spec.helper"

local op <const>, errno <const> = uring.op, uring.errno
local it <const>, main_it <const> = helper.scoped, helper.main_it
local raises <const>, fails <const> = helper.raises, helper.fails

local function was_cancelled(ok, value)
  assert.is_false(ok)
  assert.is_true(value == uring.cancelled, tostring(value))
end

local function timed_out(...) fails("ETIMEDOUT", "timed out", ...) end
local function closed(...) fails("EPIPE", "closed", ...) end

local function empty(list) return list.next == list end

-- ---- what all of them have in common ----------------------------------------

-- Each is: name; new() -> object, its list of waiting tasks; wait(object,
-- seconds) -> truthy when woken; wake(object), which wakes one; and left(object),
-- how many wake-ups it keeps for those who come later.
local kinds = {
  {
    name = "a receiver",
    new = function() local c = uring.channel() return c, c.receivers end,
    wait = function(c, seconds) return c:recv(seconds) end,
    wake = function(c) c.sent = (c.sent or 0) + (c:try_send "item" and 0 or 1) end,
    left = function(c) return c.sent or 0 end,
  },
  {
    name = "a receiver of a buffered channel",
    new = function() local c = uring.channel(1000) return c, c.receivers end,
    wait = function(c, seconds) return c:recv(seconds) end,
    wake = function(c) assert(c:try_send "item") end,
    left = function(c) return #c end,
  },
  {
    name = "a sender",
    new = function() local c = uring.channel() return c, c.senders end,
    wait = function(c, seconds) return c:send("item", seconds) end,
    wake = function(c) c.missed = (c.missed or 0) + (c:try_recv() and 0 or 1) end,
    left = function(c) return c.missed or 0 end,
  },
  {
    name = "a semaphore",
    new = function() local s = uring.semaphore(0) return s, s.waiters end,
    wait = function(s, seconds) return s:acquire(seconds) end,
    wake = function(s) s:release() end,
    left = function(s) return s.permits end,
  },
  {
    name = "a mutex",
    new = function()
      local m = uring.mutex()
      assert(m:try_lock())
      return m, m.waiters
    end,
    wait = function(m, seconds)
      local ok, message, code = m:lock(seconds)
      if ok then m.mine = core.waiter() end
      return ok, message, code
    end,
    wake = function(m)
      if m.owner == core.waiter() then m:unlock() end
    end,
    left = function(m) return m.owner == nil and 1 or 0 end,
    one = true,
  },
  {
    name = "a condition",
    new = function() local c = uring.condition() return c, c.waiters end,
    wait = function(c, seconds) return c:wait(seconds) end,
    wake = function(c) c.missed = (c.missed or 0) + (c:signal() and 0 or 1) end,
    left = function(c) return c.missed or 0 end,
  },
  {
    name = "an event",
    new = function() local e = uring.event() return e, e.waiters end,
    wait = function(e, seconds) return e:wait(seconds) end,
    wake = function(e) e:set() end,
    left = function(e) return e:is_set() and 1 or 0 end,
    all = true,
  },
  {
    name = "select",
    new = function()
      local s = uring.semaphore(0)
      return s, s.waiters
    end,
    wait = function(s, seconds)
      local key, value = uring.select { uring.channel(), permit = s, late = seconds }
      if key == "late" then return nil, "timed out", errno.ETIMEDOUT end
      assert.equal("permit", key)
      return value
    end,
    wake = function(s) s:release() end,
    left = function(s) return s.permits end,
  },
}

for _, kind in ipairs(kinds) do
  describe(kind.name, function()
    local wait <const>, wake <const>, left <const> = kind.wait, kind.wake, kind.left

    it("waits until it is woken", function()
      local object, list = kind.new()
      local task = uring.spawn(wait, object)
      uring.sleep(0.002)
      assert.equal("waiting", task:status())
      assert.is_false(empty(list))
      wake(object)
      assert.truthy(task:join())
      assert.is_true(empty(list))
      if not kind.all then assert.equal(0, left(object)) end
    end)

    if not kind.one and not kind.all then
      it("is served first come, first served", function()
        local object = kind.new()
        local order = {}
        for i = 1, 20 do
          uring.spawn(function()
            wait(object)
            order[#order + 1] = i
          end)
        end
        uring.yield()
        for i = 1, 20 do
          wake(object)
          uring.yield()
          assert.equal(i, order[i])
          assert.equal(i, #order)
        end
        assert.equal(0, left(object))
      end)

      it("is passed over when it was cancelled or is late, wherever it stands", function()
        for place = 1, 3 do
          local object, list = kind.new()
          local woken, tasks = {}, {}
          for i = 1, 3 do
            tasks[i] = uring.spawn(function()
              if wait(object) then woken[#woken + 1] = i end
            end)
          end
          uring.yield()
          tasks[place]:cancel()          -- and in the same turn:
          wake(object)
          wake(object)
          uring.sleep(0.001)
          assert.equal(2, #woken)
          for _, i in ipairs(woken) do assert.not_equal(place, i) end
          assert.is_true(empty(list))
          assert.equal(0, left(object))
        end
      end)
    end

    it("times out", function()
      local object, list = kind.new()
      local task = uring.spawn(function()
        local start = uring.now()
        timed_out(wait(object, 0.01))
        assert.is_true(uring.now() - start >= 0.01)
        timed_out(wait(object, 0))
      end)
      task:join()
      assert.is_true(empty(list))
      if kind.one or kind.all then
        wake(object)
        assert.equal(1, left(object))
      end
    end)

    it("does not time out when it was woken in time", function()
      local object, list = kind.new()
      local task = uring.spawn(wait, object, 10)
      uring.sleep(0.001)
      wake(object)
      assert.truthy(task:join())
      assert.is_true(empty(list))
      assert.is_true(uring.ring():stats().timers <= 3)
    end)

    it("takes seconds as a number", function()
      local object, list = kind.new()
      local task = uring.spawn(function()
        raises("number", wait, object, "x")
        raises("bad argument #1", wait, object, 0 / 0)
        raises("must not be", wait, object, -1)
      end)
      task:join()
      assert.is_true(empty(list))
    end)

    it("raises at once in a task that is cancelled, and takes nothing", function()
      local object, list = kind.new()
      wake(object)
      local before = left(object)
      local task = uring.spawn(function()
        was_cancelled(pcall(wait, object))
        was_cancelled(pcall(wait, object, 0))
      end)
      task:cancel()
      task:join()
      assert.equal(before, left(object))
      assert.is_true(empty(list))
    end)

    it("raises when it is cancelled while it waits, and leaves no trace", function()
      local object, list = kind.new()
      local tasks = {}
      for i = 1, 5 do tasks[i] = uring.spawn(wait, object) end
      uring.sleep(0.001)
      for i, task in ipairs(tasks) do
        task:cancel()
        if i % 2 == 0 then task:cancel "twice" end
      end
      for _, task in ipairs(tasks) do was_cancelled(pcall(task.join, task)) end
      assert.is_true(empty(list))
      if not kind.all then
        wake(object)
        assert.equal(1, left(object))
      end
    end)

    it("keeps what it was woken with when it is cancelled then", function()
      local object, list = kind.new()
      local got, after
      local task = uring.spawn(function()
        got = wait(object)
        after = pcall(uring.sleep, 0)
      end)
      uring.yield()
      wake(object)
      task:cancel()
      pcall(task.join, task)
      assert.truthy(got)
      assert.is_false(after)
      assert.is_true(empty(list))
      if not kind.all then assert.equal(0, left(object)) end
    end)

    it("loses no wake-up to a cancellation, at any distance of turns", function()
      for turns = 0, 3 do
        for order = 1, 2 do
          local object, list = kind.new()
          local got
          local task = uring.spawn(function() got = wait(object) end)
          for _ = 1, turns do uring.yield() end
          if order == 1 then
            task:cancel()
            wake(object)
          else
            wake(object)
            task:cancel()
          end
          pcall(task.join, task)
          assert.is_true(empty(list))
          if not kind.all then
            assert.equal(1, (got and 1 or 0) + left(object))
          end
        end
      end
    end)

    it("loses no wake-up to a deadline", function()
      for i = 1, helper.scale(50) do
        local object, list = kind.new()
        local seconds = 0.0005 + i % 3 / 10000
        local got
        local waiting = uring.spawn(function()
          if i % 2 == 0 then
            got = wait(object, seconds)
          else
            got = uring.timeout(seconds, wait, object)
          end
        end)
        uring.sleep(0.0006)
        wake(object)
        waiting:join()
        assert.is_true(empty(list))
        if not kind.all then
          assert.equal(1, (got and 1 or 0) + left(object))
        end
      end
    end)

    main_it("can be waited for in the main chunk", function()
      local object, list = kind.new()
      if kind.one then                   -- it is locked by us: by a task instead
        object:unlock()
        uring.spawn(function()
          local _ <close> = object:lock()
          uring.sleep(0.005)
        end)
        core.yield()
      else
        uring.spawn(function() uring.sleep(0.005) wake(object) end)
      end
      assert.truthy(wait(object))
      assert.is_true(empty(list))
      if kind.one then
        object:unlock()
        assert.is_nil(object.owner)
      end
      object, list = kind.new()
      if not kind.one then               -- else it is locked by us
        timed_out(wait(object, 0.001))
        timed_out(wait(object, 0))
        raises("number", wait, object, "x")
        assert.is_true(empty(list))
        raises("deadlock: nothing is in flight", wait, object)
        assert.is_true(empty(list))
      end
      core.yield()
    end)

    it("cannot be waited for where Lua cannot yield", function()
      local object, list = kind.new()
      uring.spawn(function()
        raises("cannot wait here", string.gsub, "x", "x", function() wait(object) end)
      end):join()
      assert.is_true(empty(list))
    end)
  end)
end

-- ---- channels ---------------------------------------------------------------

describe("a channel", function()
  it("hands values over, each once, and to one receiver in order", function()
    for _, size in ipairs { 0, 1, 7 } do
      for receivers = 1, 3 do
        local channel = uring.channel(size)
        local n, got = helper.scale(300), {}
        uring.scope(function(s)
          for _ = 1, receivers do
            s:spawn(function()
              for value in channel do
                got[#got + 1] = value
                if value % 7 == 0 then uring.yield() end
              end
            end)
          end
          for i = 1, n do assert.is_true(channel:send(i)) end
          channel:close()
        end)
        if receivers > 1 then table.sort(got) end
        for i = 1, n do assert.equal(i, got[i]) end
        assert.equal(n, #got)
      end
    end
  end)

  it("without room makes a send wait for its receiver", function()
    local channel, log = uring.channel(), {}
    uring.spawn(function()
      for i = 1, 3 do
        channel:send(i)
        log[#log + 1] = "sent " .. i
      end
    end)
    uring.sleep(0.001)
    assert.equal(0, #log)
    assert.equal(1, channel:recv())
    uring.sleep(0.001)
    assert.same({ "sent 1" }, log)
    assert.equal(0, #channel)
    assert.equal(2, channel:recv())
    assert.equal(3, channel:recv())
  end)

  it("with room takes as many as fit", function()
    local channel = uring.channel(2)
    assert.is_true(channel:send "a")
    assert.is_true(channel:send "b")
    assert.equal(2, #channel)
    timed_out(channel:send("c", 0))
    assert.is_false(channel:try_send "c")
    local sender = uring.spawn(channel.send, channel, "c")
    uring.yield()
    assert.equal("a", channel:recv())
    assert.is_true(sender:join())
    assert.equal(2, #channel)
    assert.equal("b", channel:recv())
    assert.equal("c", channel:recv())
    assert.is_nil(channel:try_recv())
  end)

  it("carries false and every other value but nil", function()
    for _, size in ipairs { 0, 1 } do
      local channel = uring.channel(size)
      local values <const> = { false, true, 0, "", {}, print }
      uring.spawn(function()
        for _, value in ipairs(values) do channel:send(value) end
        channel:close()
      end)
      local i = 0
      for value in channel do
        i = i + 1
        assert.equal(values[i], value)
      end
      assert.equal(#values, i)
      -- the same, where the receiver waits first
      channel = uring.channel(size)
      local receiver = uring.spawn(channel.recv, channel)
      uring.yield()
      channel:send(false)
      assert.is_false(receiver:join())
      local sender = uring.spawn(channel.send, channel, false)
      uring.yield()
      assert.is_false(channel:try_recv())
      sender:join()
    end
    local channel = uring.channel(1)
    raises("bad argument #1 to 'send' (nil cannot be sent)", channel.send, channel)
    raises("bad argument #1 to 'try_send' (nil cannot be sent)", channel.try_send, channel)
    assert.equal(0, #channel)
  end)

  it("that is closed gives out what it holds, and takes no more", function()
    local channel = uring.channel(2)
    channel:send(1)
    channel:send(2)
    channel:close()
    channel:close()
    closed(channel:send(3))
    assert.is_false(channel:try_send(3))
    assert.equal(1, channel:recv())
    assert.equal(2, channel:recv())
    closed(channel:recv())
    closed(channel:recv(0))
    assert.is_nil(channel:try_recv())
    for _ in channel do error "unreachable" end
  end)

  it("that is closed wakes everybody who waits", function()
    local channel = uring.channel()
    local receivers, senders = {}, {}
    for i = 1, 3 do receivers[i] = uring.spawn(channel.recv, channel) end
    uring.yield()
    channel:close()
    for i = 1, 3 do closed(receivers[i]:join()) end
    channel = uring.channel(1)
    channel:send "held"
    for i = 1, 3 do senders[i] = uring.spawn(channel.send, channel, i) end
    uring.yield()
    channel:close()
    for i = 1, 3 do closed(senders[i]:join()) end
    assert.equal("held", channel:recv())
    closed(channel:recv())
  end)

  it("that is closed in the turn of a cancellation or a deadline ends the wait", function()
    local channel = uring.channel()
    local task = uring.spawn(channel.recv, channel)
    uring.yield()
    task:cancel()
    channel:close()
    was_cancelled(pcall(task.join, task))
    channel = uring.channel()
    task = uring.spawn(function() closed(channel:recv()) end)
    uring.yield()
    channel:close()
    task:cancel()
    task:join()
  end)

  it("may be closed by a variable", function()
    local channel
    do
      local c <close> = uring.channel()
      channel = c
    end
    closed(channel:recv())
  end)

  it("loses and doubles nothing among many who are cancelled", function()
    for _, size in ipairs { 0, 3 } do
      local channel = uring.channel(size)
      local n <const> = helper.scale(600)
      local sent, received, doubles = {}, {}, 0
      local function receive()
        local value = channel:recv(0.0005)
        if not value then return end
        if received[value] then doubles = doubles + 1 end
        received[value] = true
      end
      uring.scope(function(s)
        for i = 1, n do
          local a = s:spawn(function()
            if channel:send(i, i % 5 == 0 and 0.0003 or nil) then sent[i] = true end
          end)
          local b = s:spawn(receive)
          for _ = 1, i % 3 do uring.yield() end
          if i % 4 == 0 then a:cancel() end
          if i % 7 == 0 then b:cancel() end
          if i % 3 == 0 then s:spawn(receive) end
        end
        uring.sleep(0.002)
        for value in function() return channel:try_recv() end do
          if received[value] then doubles = doubles + 1 end
          received[value] = true
        end
      end)
      assert.equal(0, doubles)
      for i = 1, n do assert.equal(sent[i], received[i]) end
      assert.is_true(empty(channel.senders) and empty(channel.receivers))
    end
  end)

  it("takes a count", function()
    for _, size in ipairs { -1, 1.5, "1", {}, 0 / 0 } do
      raises("bad argument #1 to 'channel' (integer of at least 0 expected", uring.channel,
        size)
    end
  end)

  main_it("passes values between the main chunk and tasks", function()
    local channel = uring.channel()
    local task = uring.spawn(function()
      local sum = 0
      for value in channel do sum = sum + value end
      return sum
    end)
    for i = 1, 10 do assert.is_true(channel:send(i)) end
    channel:close()
    assert.equal(55, task:join())
  end)
end)

-- ---- mutexes, semaphores ----------------------------------------------------

describe("a mutex", function()
  it("lets one task in at a time, in the order they came", function()
    local mutex, inside, order = uring.mutex(), 0, {}
    uring.scope(function(s)
      for i = 1, 10 do
        s:spawn(function()
          local _ <close> = mutex:lock()
          inside = inside + 1
          assert.equal(1, inside)
          order[#order + 1] = i
          uring.sleep(0.0002)
          inside = inside - 1
        end)
      end
    end)
    assert.same({ 1, 2, 3, 4, 5, 6, 7, 8, 9, 10 }, order)
    assert.is_nil(mutex.owner)
  end)

  it("is handed over, so that nobody gets in between", function()
    local mutex, log = uring.mutex(), {}
    mutex:lock()
    uring.spawn(function()
      local _ <close> = mutex:lock()
      log[#log + 1] = "first"
    end)
    uring.yield()
    mutex:unlock()
    assert.is_nil(mutex:try_lock())
    local _ <close> = mutex:lock()
    assert.same({ "first" }, log)
  end)

  it("is unlocked by its owner only, and locked once", function()
    local mutex = uring.mutex()
    raises("mutex is not locked by this task", mutex.unlock, mutex)
    mutex:lock()
    raises("mutex is locked by this task already", mutex.lock, mutex)
    assert.is_nil(mutex:try_lock())
    uring.spawn(function()
      raises("mutex is not locked by this task", mutex.unlock, mutex)
    end):join()
    mutex:unlock()
    assert.is_true(mutex == mutex:try_lock())
    mutex:unlock()
  end)

  it("goes to the next when one that has it in hand is cancelled", function()
    local mutex = uring.mutex()
    mutex:lock()
    local log = {}
    local function worker(name)
      local _ <close> = mutex:lock()
      log[#log + 1] = name
      uring.sleep(0)
      log[#log + 1] = name .. " ended"
    end
    local one, two = uring.spawn(worker, "one"), uring.spawn(worker, "two")
    uring.yield()
    mutex:unlock()                       -- to one
    one:cancel()
    two:join()
    assert.same({ "one", "two", "two ended" }, log)
    assert.is_nil(mutex.owner)
  end)
end)

describe("a semaphore", function()
  it("lets so many in at a time", function()
    local semaphore, inside, most = uring.semaphore(3), 0, 0
    uring.scope(function(s)
      for _ = 1, 20 do
        s:spawn(function()
          local _ <close> = semaphore:acquire()
          inside = inside + 1
          most = math.max(most, inside)
          uring.sleep(0.0002)
          inside = inside - 1
        end)
      end
    end)
    assert.equal(3, most)
    assert.equal(3, semaphore.permits)
  end)

  it("gives a permit to the one that waits, not to one that comes", function()
    local semaphore = uring.semaphore(1)
    semaphore:acquire()
    local waiting = uring.spawn(function()
      semaphore:acquire()
      return "first"
    end)
    uring.yield()
    semaphore:release()
    assert.is_nil(semaphore:try_acquire())
    assert.equal("first", waiting:join())
  end)

  it("may start with none, and grow", function()
    local semaphore = uring.semaphore(0)
    assert.is_nil(semaphore:try_acquire())
    semaphore:release()
    semaphore:release()
    assert.is_true(semaphore == semaphore:acquire())
    assert.is_true(semaphore == semaphore:try_acquire())
    assert.is_nil(semaphore:try_acquire())
  end)

  it("takes a count", function()
    raises("bad argument #1 to 'semaphore' (integer of at least 0 expected, got nil)",
      uring.semaphore)
    raises("got -1", uring.semaphore, -1)
    raises("got 1.5", uring.semaphore, 1.5)
  end)
end)

-- ---- events, conditions -----------------------------------------------------

describe("an event", function()
  it("wakes everybody, and lets later ones pass until it is cleared", function()
    local event, woken = uring.event(), 0
    for _ = 1, 5 do
      uring.spawn(function()
        assert.is_true(event:wait())
        woken = woken + 1
      end)
    end
    uring.yield()
    assert.is_false(event:is_set())
    event:set()
    event:clear()                        -- those who waited were woken all the same
    uring.yield()
    assert.equal(5, woken)
    timed_out(event:wait(0))
    event:set()
    event:set()
    assert.is_true(event:wait())
    assert.is_true(event:is_set())
  end)
end)

describe("a condition", function()
  it("wakes one, or all", function()
    local condition, woken = uring.condition(), 0
    for _ = 1, 5 do
      uring.spawn(function()
        assert.is_true(condition:wait())
        woken = woken + 1
      end)
    end
    uring.yield()
    assert.is_true(condition:signal())
    uring.yield()
    assert.equal(1, woken)
    condition:broadcast()
    uring.yield()
    assert.equal(5, woken)
    assert.is_false(condition:signal())
    timed_out(condition:wait(0))         -- nothing is kept
  end)

  it("unlocks its mutex while it waits, and locks it again, whatever happens", function()
    local mutex = uring.mutex()
    local condition, ready = uring.condition(mutex), false
    local consumer = uring.spawn(function()
      local _ <close> = mutex:lock()
      while not ready do assert.is_true(condition:wait()) end
      assert.is_true(mutex.owner == uring.current())
      timed_out(condition:wait(0.001))
      assert.is_true(mutex.owner == uring.current())
      return "consumed"
    end)
    uring.yield()
    do
      local _ <close> = mutex:lock()
      ready = true
      condition:signal()
      uring.sleep(0.001)
      assert.equal("waiting", consumer:status())
    end
    assert.equal("consumed", consumer:join())
    assert.is_nil(mutex.owner)
    raises("mutex is not locked by this task", condition.wait, condition)
  end)

  it("locks its mutex again in one that is cancelled", function()
    local mutex = uring.mutex()
    local condition = uring.condition(mutex)
    local held
    local task = uring.spawn(function()
      local _ <close> = mutex:lock()
      local ok, value = pcall(condition.wait, condition)
      held = mutex.owner == uring.current()
      was_cancelled(ok, value)
    end)
    uring.yield()
    local _ <close> = mutex:lock()
    task:cancel()
    uring.sleep(0.001)
    assert.is_nil(held)
    mutex:unlock()
    task:join()
    assert.is_true(held)
    mutex:lock()
  end)

  main_it("with a mutex can be waited for in the main chunk", function()
    local mutex = uring.mutex()
    local condition = uring.condition(mutex)
    mutex:lock()
    uring.spawn(function()
      uring.sleep(0.001)
      local _ <close> = mutex:lock()
      condition:signal()
      uring.sleep(0.001)
    end)
    assert.is_true(condition:wait())
    timed_out(condition:wait(0.001))
    mutex:unlock()
    raises("mutex is not locked", mutex.unlock, mutex)
  end)
end)

-- ---- select -----------------------------------------------------------------

describe("select", function()
  it("takes one of those that are ready, and leaves the others", function()
    local channel, out = uring.channel(2), uring.channel(1)
    local semaphore, event = uring.semaphore(1), uring.event()
    channel:send(false)
    event:set()
    local seen, ran = {}, false
    for _ = 1, 3 do
      local cases <const> = {
        channel = #channel > 0 and channel or nil,
        out = #out == 0 and { out, "value" } or nil,
        semaphore = semaphore.permits > 0 and semaphore or nil,
        f = function() ran = true end,
        late = 0,
      }
      local key, value = uring.select(cases)
      assert.is_nil(seen[key])
      seen[key] = { value }
    end
    assert.same({ channel = { false }, out = { true }, semaphore = { semaphore } }, seen)
    assert.is_false(ran)
    assert.equal(0, #channel)
    assert.equal("value", out:try_recv())
    assert.equal(0, semaphore.permits)
    assert.same({ "event", true }, { uring.select { event = event } })
    assert.is_true(event:is_set())
  end)

  it("takes the first of a list", function()
    local a, b = uring.channel(1), uring.channel(1)
    a:send "a"
    b:send "b"
    assert.same({ 1, "a" }, { uring.select { a, b } })
    assert.same({ 2, "b" }, { uring.select { a, b } })
  end)

  it("waits for the first, and leaves the lists of the others", function()
    local a, b, c = uring.channel(), uring.channel(), uring.channel()
    local event, semaphore = uring.event(), uring.semaphore(0)
    local cases <const> = { a, { b, "mine" }, event, semaphore, 10, recv = c }
    local function woken_by(f)
      uring.spawn(function() uring.yield() f() end)
      local results = table.pack(uring.select(cases))
      for _, list in ipairs { a.receivers, b.senders, c.receivers, event.waiters,
        semaphore.waiters } do
        assert.is_true(empty(list))
      end
      return table.unpack(results, 1, results.n)
    end
    assert.same({ 1, "x" }, { woken_by(function() a:send "x" end) })
    local got
    assert.same({ 2, true }, { woken_by(function() got = b:recv() end) })
    uring.yield()
    assert.equal("mine", got)
    assert.same({ "recv", false }, { woken_by(function() c:send(false) end) })
    assert.same({ 4, semaphore }, { woken_by(function() semaphore:release() end) })
    assert.equal(0, semaphore.permits)
    assert.same({ 3, true }, { woken_by(function() event:set() end) })
    event:clear()
    assert.same({ n = 4, 1, nil, "closed", errno.EPIPE },
      table.pack(woken_by(function() a:close() end)))
    assert.same({ n = 4, 1, nil, "closed", errno.EPIPE }, table.pack(uring.select(cases)))
  end)

  it("gets the key when its time is over", function()
    local channel = uring.channel()
    assert.equal(2, uring.select { channel, 0.001 })
    assert.equal("late", uring.select { channel, late = 0 })
    assert.equal("near", uring.select { channel, far = 1000, near = 0.001 })
    assert.equal(1, uring.select { 0.001 })
    assert.is_true(empty(channel.receivers))
  end)

  it("may name one channel twice, to send and to receive", function()
    local channel = uring.channel()
    local task = uring.spawn(uring.select, { recv = channel, send = { channel, "out" } })
    uring.yield()
    assert.equal("out", channel:recv())
    assert.same({ "send", true }, { task:join() })
    task = uring.spawn(uring.select, { recv = channel, send = { channel, "out" } })
    uring.yield()
    assert.is_true(channel:send "in")
    assert.same({ "recv", "in" }, { task:join() })
    assert.is_true(empty(channel.receivers) and empty(channel.senders))
  end)

  it("takes the first of a list that can go on, however the list was made", function()
    local channels, cases = {}, { other = uring.channel(1) }
    for i = 9, 1, -1 do
      channels[i] = uring.channel(1)
      channels[i]:send(i)
      cases[i] = channels[i]
    end
    cases.other:send "other"
    for i = 1, 9 do assert.same({ i, i }, { uring.select(cases) }) end
    assert.same({ "other", "other" }, { uring.select(cases) })
  end)

  it("matches two selects with each other", function()
    local channel = uring.channel()
    local one = uring.spawn(uring.select, { { channel, "item" }, 10 })
    local two = uring.spawn(uring.select, { channel, 10 })
    assert.same({ 1, true }, { one:join() })
    assert.same({ 1, "item" }, { two:join() })
  end)

  it("runs functions as tasks, and cancels them when another case is chosen", function()
    local channel = uring.channel()
    local r, w = core.sock.pipe()
    local _ <close> = helper.closing(r, w)
    local cases <const> = { read = function() return op.read(r, 10), "more", nil end,
      item = channel }
    op.write(w, "data")
    local results = table.pack(uring.select(cases))
    assert.same({ n = 4, "read", "data", "more", nil }, results)
    uring.spawn(function() uring.sleep(0.001) channel:send "item" end)
    assert.same({ "item", "item" }, { uring.select(cases) })
    op.write(w, "still here")            -- the read of before takes nothing
    uring.sleep(0.001)
    assert.equal("still here", op.read(r, 100))
    local ended = false
    assert.equal("late", (uring.select { late = 0.001, function()
      local _ <close> = setmetatable({}, { __close = function()
        uring.shield(uring.sleep, 0.002)
        ended = true
      end })
      uring.sleep(1000)
    end }))
    assert.is_true(ended)
    assert.is_true(empty(channel.receivers))
  end)

  it("takes the first function that returns, also at once or nothing", function()
    assert.same({ n = 1, 2 }, table.pack(uring.select { function() uring.sleep(1) end,
      function() end }))
    assert.same({ n = 3, "a", nil, "x" }, table.pack(uring.select { a = function()
      return nil, "x"
    end }))
  end)

  it("raises the error of a function", function()
    local channel = uring.channel()
    local ok, err = pcall(uring.select, { channel, function()
      uring.sleep(0.001)
      error("oops", 0)
    end })
    assert.is_false(ok)
    assert.equal("oops", err)
    assert.is_true(empty(channel.receivers))
  end)

  it("returns what it has taken although a function fails or it is cancelled then", function()
    local channel = uring.channel()
    local reported
    local before = uring.on_error
    uring.on_error = function(value) reported = value end
    local task = uring.spawn(uring.select, { channel, function()
      local _ <close> = setmetatable({}, { __close = function() error("cleanup", 0) end })
      uring.sleep(1000)
    end })
    uring.sleep(0.001)
    assert.is_true(channel:try_send "item")
    assert.same({ 1, "item" }, { task:join() })
    uring.on_error = before
    assert.equal("cleanup", reported)
    local got
    task = uring.spawn(function()
      got = { uring.select { channel, function() uring.sleep(1000) end } }
      uring.sleep(0)
    end)
    uring.sleep(0.001)
    assert.is_true(channel:try_send "item")
    task:cancel()
    was_cancelled(pcall(task.join, task))
    assert.same({ 1, "item" }, got)
  end)

  it("loses no item to a cancellation, with functions and without", function()
    for i = 1, 24 do
      local channel = uring.channel(0)
      local cases <const> = { channel, i % 2 == 0 and 0.001 or nil,
        f = i % 3 == 0 and function() uring.sleep(1000) end or nil }
      local got, sent
      local task = uring.spawn(function()
        local key, value = uring.select(cases)
        if key == 1 then got = value end
      end)
      for _ = 1, i % 4 do uring.yield() end
      if i % 5 < 3 then
        sent = channel:try_send "item"
        task:cancel()
      else
        task:cancel()
        sent = channel:try_send "item"
      end
      pcall(task.join, task)
      assert.equal(sent and "item" or nil, got)
      assert.is_true(empty(channel.receivers))
    end
  end)

  it("checks every case before it takes anything", function()
    local channel = uring.channel(1)
    channel:send "item"
    for _, case in ipairs { "x", true, {}, { "x" }, print == nil, io.stdout, { channel, nil },
      uring.mutex(), -1, 0 / 0 } do
      local ok, err = pcall(uring.select, { channel, case })
      assert.is_false(ok)
      assert.matches("bad argument #1 to 'select'", err, 1, true)
      assert.equal(1, #channel)
    end
    for _, cases in ipairs { 1, "x", false } do
      raises("bad argument #1 to 'select' (table expected", uring.select, cases)
    end
    raises("bad argument #1 to 'select' (table expected", uring.select)
    raises("no cases", uring.select, {})
  end)

  main_it("can be used in the main chunk, with functions too", function()
    local channel = uring.channel()
    assert.equal("late", uring.select { channel, late = 0.001 })
    uring.spawn(function() channel:send(1) end)
    assert.same({ 1, 1 }, { uring.select { channel, late = 10 } })
    assert.same({ 2, "x" }, { uring.select { channel, function()
      uring.sleep(0.001)
      return "x"
    end } })
    assert.is_true(empty(channel.receivers))
    raises("oops", uring.select, { channel, function() error "oops" end })
    assert.is_true(empty(channel.receivers))
  end)
end)
