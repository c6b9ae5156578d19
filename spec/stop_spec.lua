-- run when its loop is interrupted, by a deadlock or by somebody's error: its
-- tasks end, and what it raises says why.  Ctrl-C is in signal_spec.lua.

local helper = require "spec.helper"
local uring = require "uring"

local main_it <const> = helper.main_it

local function closing(f) return setmetatable({}, { __close = f }) end

-- What run raises, and what goes to on_error meanwhile; nothing is left.
local function interrupted(f)
  local before <const>, list = uring.on_error, {}
  uring.on_error = function(value) list[#list + 1] = value end
  local ok, err = pcall(uring.run, f)
  uring.on_error = before
  assert.is_false(ok)
  assert.same({}, uring.tasks())
  assert.equal(0, uring.ring():stats().timers)
  return err, list
end

-- Start a task outside of run for each error, one after the other.
local function disturb(...)
  for i, value in ipairs { ... } do
    uring.spawn(function()
      uring.sleep(i * 0.002)
      error(value, 0)
    end)
  end
end

describe("a deadlock", function()
  local event <const>, channel <const> = uring.event(), uring.channel()
  local function forever() event:wait() end

  for name, f in pairs {
    ["in a shield"] = function() uring.shield(forever) end,
    ["in shields and scopes in each other"] = function()
      uring.shield(uring.shield, uring.scope, function() uring.shield(forever) end)
    end,
    ["in a task that a shield waits for"] = function()
      uring.shield(function()
        uring.spawn(forever)
        uring.spawn(uring.shield, forever)
      end)
    end,
  } do
    main_it(name .. " ends the tasks", function()
      local err, others = interrupted(f)
      assert.matches("^deadlock: nothing is in flight.*: event at [^\n]*stop_spec.lua:%d+", err)
      assert.same({}, others)
    end)
  end

  main_it("in a shield is told once", function()
    local err = interrupted(function() uring.shield(forever) end)
    assert.matches("^deadlock: [^\n]*\n[^\n]*: event at [^\n]*$", err)
  end)

  main_it("in the cleanup after one is told, too", function()
    local err, others = interrupted(function()
      local _ <close> = closing(function() uring.shield(channel.recv, channel) end)
      forever()
    end)
    assert.matches("^deadlock: [^\n]*\n[^\n]*: event at [^\n]*\n" ..
                   "and then: deadlock: [^\n]*\n[^\n]*: channel recv at [^\n]*$", err)
    assert.same({}, others)
  end)

  main_it("of shields opened one after the other ends in the last", function()
    local n = 0
    interrupted(function()
      repeat
        n = n + 1
        pcall(uring.shield, forever)
      until n == 5
    end)
    assert.equal(5, n)
  end)

  main_it("lets go on in a shield what the cleanup of others wakes", function()
    local got
    interrupted(function()
      uring.spawn(uring.shield, function() got = channel:recv() end)
      local _ <close> = closing(function()
        uring.shield(function()
          uring.sleep(0.001)
          channel:send "late"
        end)
      end)
      forever()
    end)
    assert.equal("late", got)
  end)
end)

describe("an error of a task outside of run", function()
  local cleaned
  local function cleanup()
    cleaned = false
    local _ <close> = closing(function()
      uring.shield(uring.sleep, 0.01)
      cleaned = true
    end)
    uring.sleep(1000)
  end

  main_it("stops what is in run, after its cleanup", function()
    disturb "one"
    local err, others = interrupted(cleanup)
    assert.equal("one", err)
    assert.same({}, others)
    assert.is_true(cleaned)
  end)

  main_it("is no end to the cleanup when it is the second", function()
    disturb("one", "two")
    local err, others = interrupted(cleanup)
    assert.equal("one", err)
    assert.same({ "two" }, others)
    assert.is_true(cleaned)
  end)

  main_it("is one to a shield when it is the third", function()
    disturb("one", "two", "three")
    local err, others = interrupted(function() uring.shield(uring.sleep, 1000) end)
    assert.equal("one", err)
    assert.same({ "two", "three" }, others)
  end)

  main_it("cancels what run has not begun", function()
    uring.spawn(error, "before", 0)
    local err = interrupted(function()
      uring.sleep(0)
      error "not reached"
    end)
    assert.equal("before", err)
  end)
end)

describe("run in debug mode", function()
  main_it("tells what was left open also when it is interrupted", function()
    helper.prints("reported\ttrue\nfalse\n", [[
      local uring = require "uring"
      uring.debug(true)
      uring.on_report = function(text) print("reported", text:match "was never closed$" ~= nil) end
      local kept
      local ok = pcall(uring.run, function()
        kept = assert(uring.op.openat(nil, "/dev/null", 0))
        uring.event():wait()
      end)
      print(ok)
    ]])
  end)
end)
