-- Random trees of scopes, deadlines, shields, cancellations and errors: no
-- error is lost, no task outlives its scope, no shield is cut short, every
-- cleanup is done.
--
-- URING_SOAK is how many errors (500), URING_SEED repeats one that failed.

local uring = require "uring"
local core = require "uring.core"
local helper = require "spec.helper"

local op <const> = uring.op

local COUNT <const> = tonumber(os.getenv "URING_SOAK") or helper.scale(500)
local SEED <const> = helper.seed()
local random <const> = helper.random(SEED)

-- ---- errors that are numbered -----------------------------------------------

local raised, told = 0, {}

local function fail()
  raised = raised + 1
  local kind = random(4)
  error(kind == 1 and "error " .. raised or kind == 2 and raised or kind == 3 and { raised }
    or setmetatable({ raised }, { __tostring = function() error "no text" end }), 0)
end

-- Those that where Lua cannot yield are the library's.
local expected <const> = { "cannot wait here", "cannot wait for a task here" }

local function tell(err)
  if err == uring.cancelled then return end
  for _, failure in ipairs(uring.errors(err)) do
    local value = failure.value
    local n = type(value) == "table" and rawget(value, 1) or math.type(value) == "integer" and value
      or type(value) == "string" and tonumber(value:match "error (%d+)$")
    if n then
      told[n] = true
    else
      local known = value == uring.cancelled
      for _, text in ipairs(expected) do known = known or tostring(value):find(text, 1, true) end
      assert.truthy(known, tostring(value))
    end
    assert.is_string(failure.traceback)
  end
end

local function caught(f, ...)
  local ok, err = pcall(f, ...)
  if ok then return end
  tell(err)
  if err ~= uring.cancelled and random(2) == 1 then error(err, 0) end
end

-- ---- what a task does -------------------------------------------------------

local running, shields, ended = 0, 0, 0
local handles = {}                       -- tasks and scopes that may be cancelled

local function closing(f) return setmetatable({}, { __close = f }) end

-- Counted as long as it runs.
local function counted()
  running = running + 1
  return closing(function() running = running - 1 end)
end

local waits <const> = {
  uring.yield,
  op.nop,
  function() uring.sleep(random(10) / 20000) end,
  function() op.timeout(random(10) / 20000) end,
  function() uring.sleep(1000) end,
  function() core.park(random(10) / 20000) end,
  function() uring.coroutine.wrap(function() uring.coroutine.yield(op.nop()) end)() end,
  function() string.gsub("x", "x", function() uring.sleep(0.0001) end) end,
}

-- In a pcall of the script an error gives way to one of the cleanup: that is
-- Lua's, and so there is none while an error is on its way.
local function cleanup(_, err)
  local _ <close> = counted()
  local what = random(6)
  local calm <const> = err == nil or err == uring.cancelled
  if what == 1 and calm then fail() end
  if what == 2 and calm then uring.yield() end
  if what == 3 then pcall(uring.yield) end
  if what == 4 then
    shields = shields + 1
    uring.shield(function()
      uring.sleep(random(5) / 10000)
      ended = ended + 1
    end)
  end
end

local node

local function body(depth)
  local _ <close> = counted()
  local _ <close> = random(3) == 1 and closing(cleanup) or nil
  for _ = 1, random(3) do
    if random(3) > 1 then waits[random(#waits)]() end
    node(depth)
  end
  if random(8) == 1 then fail() end
  return depth
end

local nodes <const> = {
  function(d)                            -- whose tasks have ended with it
    local inside = 0
    local ok, err = pcall(uring.scope, function(s)
      handles[#handles + 1] = s
      for _ = 1, random(3) do
        s:spawn(function()
          inside = inside + 1
          local _ <close> = closing(function() inside = inside - 1 end)
          body(d)
        end)
      end
      if random(2) == 1 then body(d) end
      if random(5) == 1 then s:cancel() end
    end)
    assert.equal(0, inside)
    if not ok then error(err, 0) end
  end,
  function(d) uring.timeout(random(4) == 1 and 0 or random(20) / 10000, body, d) end,
  function(d) uring.timeout(1000, body, d) end,
  function(d) uring.shield(uring.timeout, 0.01, body, d) end,
  function(d) caught(body, d) end,
  function(d)
    caught(uring.scope, function(s)
      s:spawn(body, d)
      s:spawn(body, d)
    end)
  end,
  function(d)
    local task = uring.spawn(body, d)
    handles[#handles + 1] = task
    if random(2) == 1 then waits[random(#waits)]() end
    if random(3) == 1 then task:cancel() end
    if random(2) == 1 then
      local ok, err = pcall(task.join, task)
      if not ok then tell(err) end
    end
  end,
  function(d)
    local task = uring.spawn(body, d)
    uring.spawn(function() caught(task.join, task) end)
  end,
  function(d) uring.all { function() return body(d) end, function() return body(d) end } end,
  function(d)
    uring.race { function() return body(d) end, function() return body(d) end,
      function() uring.sleep(0.001) end }
  end,
  function(d) uring.each({ 1, 2, 3 }, random(3), function() body(d) end) end,
  function(d) uring.select { function() body(d) end, 0.001 } end,
  function(d) uring.run(body, d) end,
  function(d) uring.coroutine.wrap(function() body(d) end)() end,
  function(d) pcall(string.gsub, "x", "x", function() caught(body, d) end) end,
}

function node(depth)
  if depth > 0 then nodes[random(#nodes)](depth - 1) end
end

-- ---- rounds -----------------------------------------------------------------

local function round()
  raised, told, handles = 0, {}, {}
  local over
  local limit = core.timer(30, function() error("it hangs\n" .. uring.dump(), 0) end)
  local ok, err = pcall(uring.run, function()
    uring.spawn(uring.shield, function()
      while not over do
        uring.sleep(random(10) / 10000)
        if #handles > 0 then handles[random(#handles)]:cancel() end
      end
    end)
    local fine, problem = pcall(uring.timeout, 0.05, uring.scope, function(s)
      handles[#handles + 1] = s
      for _ = 1, 3 do s:spawn(body, 4) end
    end)
    over = true
    assert.equal(0, running)
    if not fine then error(problem, 0) end
  end)
  if limit:cancel() and not ok then tell(err) else assert(ok, err) end
  assert.equal(shields, ended)
  for i = 1, raised do assert.is_true(told[i] or false, ("error %d was lost"):format(i)) end
  return raised
end

describe("a soak of scopes", function()
  helper.main_it(("with %d errors, seed %d, loses none"):format(COUNT, SEED), function()
    local before <const> = uring.on_error
    uring.on_error = tell
    local ok, err = pcall(function()
      local n = 0
      while n < COUNT do n = n + round() end
    end)
    uring.on_error = before
    if not ok then error(("%s\nURING_SEED=%d"):format(tostring(err), SEED), 0) end
  end)
end)
