-- Several things at once.

local uring = require "uring"
local helper = require "spec.helper"

local it <const> = helper.scoped
local raises <const> = helper.raises

local function closing(f) return setmetatable({}, {__close = f}) end

local function forever() uring.sleep(1000) end

-- f that returns its results after so many seconds.
local function after(seconds, ...)
  local results = table.pack(...)
  return function()
    uring.sleep(seconds)
    return table.unpack(results, 1, results.n)
  end
end

describe("all", function()
  it("waits for all, and gives the first result of each in order", function()
    local event = uring.event()          -- one waits for another: they run at once
    assert.same({1, "b", false}, uring.all {
      function()
        event:wait()
        return 1, 2
      end,
      after(0, "b"),
      function()
        uring.sleep(0.002)
        event:set()
        return false
      end,
    })
  end)

  it("of nothing is nothing", function()
    assert.same({}, uring.all {})
  end)

  it("cancels the others when one fails", function()
    local ended = 0
    local function other()
      local _ <close> = closing(function() ended = ended + 1 end)
      forever()
    end
    local value = {}
    local ok, err = pcall(uring.all, {other, function() uring.sleep(0) error(value) end, other})
    assert.is_false(ok)
    assert.is_true(rawequal(value, err))
    assert.equal(2, ended)
  end)

  it("gives nothing when a deadline cuts it short", function()
    local result, message = uring.timeout(0.005, uring.all, {after(0, 1), forever})
    assert.is_nil(result)
    assert.equal("timed out", message)
    local task = uring.spawn(uring.all, {after(0, 1), forever})
    task:cancel()
    assert.is_false(pcall(task.join, task))
  end)
end)

describe("race", function()
  it("gives everything the fastest one returns, and ends the others", function()
    local ended = 0
    local function slow()
      local _ <close> = closing(function() ended = ended + 1 end)
      forever()
    end
    assert.same({n = 3, 1, nil, 3},
                table.pack(uring.race {slow, after(900, "later"), after(0.002, 1, nil, 3), slow}))
    assert.equal(2, ended)
    assert.is_true(uring.sleep(0))
  end)

  it("takes one that does not wait, and one that returns nothing", function()
    assert.equal(1, uring.race {forever, function() return 1 end})
    assert.same({n = 0}, table.pack(uring.race {forever, function() end}))
    assert.same({n = 0}, table.pack(uring.race {}))
  end)

  it("takes the first of those that end in the same turn", function()
    assert.equal("a", uring.race {function() return "a" end, function() return "b" end})
  end)

  it("raises when one fails before any has returned", function()
    local ok, err = pcall(uring.race, {forever, function() uring.sleep(0) error("bad", 0) end})
    assert.is_false(ok)
    assert.equal("bad", err)
  end)

  it("ends with the deadline around it", function()
    local result, message = uring.timeout(0.005, uring.race, {forever, forever})
    assert.is_nil(result)
    assert.equal("timed out", message)
  end)
end)

describe("each", function()
  it("calls f for each value of a list, and its index", function()
    local got = {}
    uring.each({"a", "b", false, "d"}, 2, function(value, i)
      uring.sleep(0.002)
      got[i] = value
    end)
    assert.same({"a", "b", false, "d"}, got)
  end)

  it("runs as many at once as it may, and no more", function()
    for _, limit in ipairs {1, 3, 10, 100} do
      local running, most, calls = 0, 0, 0
      local list = {}
      for i = 1, 20 do list[i] = i end
      uring.each(list, limit, function(i)
        running, calls = running + 1, calls + 1
        most = math.max(most, running)
        uring.sleep(i % 3 / 1000)
        running = running - 1
      end)
      assert.equal(20, calls)
      assert.equal(math.min(limit, 20), most)
    end
  end)

  it("takes an iterator, which may wait, and is asked only when there is room", function()
    local asked, finished, sum = 0, 0, 0
    uring.each(function()
      uring.sleep(0.0005)
      asked = asked + 1
      assert.is_true(asked <= finished + 4)
      if asked <= 12 then return asked, asked * 2 end
    end, 3, function(a, b)
      uring.sleep(0.002)
      finished, sum = finished + 1, sum + a + b
    end)
    assert.equal(12, finished)
    assert.equal(3 * 78, sum)
    local words = {}
    uring.each(("one two three"):gmatch "%a+", 2, function(word) words[#words + 1] = word end)
    assert.same({"one", "two", "three"}, words)
  end)

  it("takes a channel, and a multishot operation", function()
    local channel, sum = uring.channel(), 0
    uring.spawn(function()
      for i = 1, 10 do channel:send(i) end
      channel:close()
    end)
    uring.each(channel, 3, function(value)
      uring.sleep(0.0005)
      sum = sum + value
    end)
    assert.equal(55, sum)
    local ticks = 0
    uring.each(uring.op.timeout_multishot(0.0005, 5), 2, function() ticks = ticks + 1 end)
    assert.equal(5, ticks)
    assert.same({2, 4, 6}, uring.map({1, 2, 3}, 2, function(v) return 2 * v end))
  end)

  it("takes nothing that it does not begin with, whenever it is cancelled", function()
    for turns = 0, 6 do
      local channel, begun = uring.channel(10), {}
      for i = 1, 10 do channel:send(i) end
      local task = uring.spawn(uring.each, function() return channel:recv() end, 2, function(value)
        begun[#begun + 1] = value
        uring.yield()
      end)
      for _ = 1, turns do uring.yield() end
      task:cancel()
      pcall(task.join, task)
      for i = 1, #begun do assert.equal(i, begun[i]) end
      assert.equal(10, #begun + #channel)
    end
  end)

  it("goes on when one call was cancelled by itself", function()
    local calls = 0
    uring.each({1, 2, 3, 4}, 1, function(i)
      calls = calls + 1
      if i == 2 then uring.current():cancel() end
      uring.sleep(0.001)
    end)
    assert.equal(4, calls)
  end)

  it("stops at the first failure", function()
    local calls = 0
    local ok, err = pcall(uring.each, function() calls = calls + 1 return calls end, 2, function(i)
      uring.sleep(0.001)
      if i == 5 then error("five", 0) end
    end)
    assert.is_false(ok)
    assert.equal("five", err)
    assert.is_true(calls < 10)
  end)

  it("stops at a failure of the iterator", function()
    local ended = 0
    local n = 0
    local ok, err = pcall(uring.each, function()
      n = n + 1
      if n == 3 then error("no more", 0) end
      return n
    end, 5, function()
      local _ <close> = closing(function() ended = ended + 1 end)
      forever()
    end)
    assert.is_false(ok)
    assert.equal("no more", err)
    assert.is_true(ended <= 2)
  end)

  it("needs a limit", function()
    for _, limit in ipairs {0, -1, 1.5, "2", false} do
      raises("bad argument #2 to 'each' (positive integer expected)",
             uring.each, {}, limit, print)
    end
    raises("bad argument #2 to 'each'", uring.each, {})
  end)

  it("needs something to go through, and a function", function()
    raises("bad argument #1 to 'each' (table or function expected, got nil)",
           uring.each, nil, 1, print)
    raises("bad argument #3 to 'each' (function expected, got nil)", uring.each, {1}, 1)
  end)
end)

describe("map", function()
  it("gives the results in the order of the list", function()
    assert.same({30, 20, 10}, uring.map({3, 2, 1}, 3, function(v, i)
      uring.sleep(v / 1000)
      assert.equal(4 - v, i)
      return v * 10, "more"
    end))
    assert.same({}, uring.map({}, 1, print))
  end)

  it("gives the results of an iterator in the order in which it has given the items", function()
    local letters = ("abc"):gmatch "."
    assert.same({"a3", "b3", "c3"}, uring.map(function() return letters(), 3 end, 2, function(c, n)
      uring.sleep((100 - c:byte()) / 1000)
      return c .. n
    end))
    local channel = uring.channel(3)
    for i = 1, 3 do channel:send(i) end
    channel:close()
    assert.same({1, 4, 9}, uring.map(channel, 3, function(v) return v * v end))
  end)

  it("keeps the places of results that are nil", function()
    local results = uring.map({1, 2, 3}, 2, function(v) return v ~= 2 and v or nil end)
    assert.equal(1, results[1])
    assert.is_nil(results[2])
    assert.equal(3, results[3])
  end)

  it("fails when one call fails, or the deadline comes", function()
    local ok, err = pcall(uring.map, {1, 2}, 2, function() error("bad", 0) end)
    assert.is_false(ok)
    assert.equal("bad", err)
    local result, message = uring.timeout(0.005, uring.map, {0, 1000}, 2, uring.sleep)
    assert.is_nil(result)
    assert.equal("timed out", message)
  end)
end)
