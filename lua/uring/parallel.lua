--- Several things at once, in a scope that waits for them all.

local core <const> = require "uring.core"
local check <const> = require "uring.check"
local scope <const> = require "uring.scope"

local current <const> = core.current

local M = {}

local function check_functions(functions, what)
  check.kind(functions, "table", 1, what, 3)
  for i, f in ipairs(functions) do
    if not check.callable(f) then
      check.bad(1, what, ("function expected at index %d, got %s")
                :format(i, type(f)), 3)
    end
  end
end

--- Run the functions at once and wait for all.
---@param functions function[]
---@return any[] results the first result of each, in order
function M.all(functions)
  scope.need_task "uring.all"
  check_functions(functions, "all")
  local results = {}
  scope.scope(function(s)
    for i, f in ipairs(functions) do
      s:spawn(function() results[i] = f() end)
    end
  end)
  return results
end

--- Run the functions at once; the first one that returns ends the others.
--- It is an error when one fails before that; what the others raise after it
--- goes to uring.on_error, and a cancellation is raised by the next await.
---@param functions function[]
---@return any ... what that function returned
function M.race(functions)
  scope.need_task "uring.race"
  check_functions(functions, "race")
  local winner
  local ok, err = pcall(scope.scope, function(s)
    for _, f in ipairs(functions) do
      s:spawn(function()
        local results = table.pack(f())
        winner = winner or not s.errors and results
        s:cancel "another one was faster"
      end)
    end
  end)
  if not ok and not winner then error(err, 0) end
  if not ok then pcall(scope.guard, error, err, 0) end
  if winner then return table.unpack(winner, 1, winner.n) end
end

local function values(list)
  local i = 0
  return function()
    i = i + 1
    if list[i] ~= nil then return list[i], i end
  end
end

-- What a generic for would call: a function, a multishot, a channel.
local function is_iterator(source)
  local kind <const>, meta <const> = type(source), getmetatable(source)
  return kind == "function" or kind == "userdata"
    or kind == "table" and type(meta) == "table" and meta.__call
end

-- What gives the items one by one; or an error for who called each or map.
local function items(source, limit, f, what)
  local iterator <const> = is_iterator(source) and source
    or type(source) == "table" and values(source)
  if not iterator then
    check.bad(1, what, "table or function expected, got " .. type(source), 3)
  end
  if math.type(limit) ~= "integer" or limit < 1 then
    check.bad(2, what, "positive integer expected", 3)
  end
  check.kind(f, "function", 3, what, 3)
  return iterator
end

-- Call f(n, item...) for the n-th item, for at most `limit` of them at once.
local function fan_out(iterator, limit, f)
  scope.scope(function(s)
    local host, running, waiting = current(), 0, false
    local ended <const> = setmetatable({}, {__close = function()
      running = running - 1
      if waiting then host:wake() end
    end})
    local function run(...)
      local _ <close> = ended          -- also of one that was cancelled
      f(...)
    end
    local n, a, b, c = 0
    repeat
      while running >= limit do        -- first of all: what is taken is begun
        waiting = true
        core.park()
        waiting = false
      end
      a, b, c = iterator(nil, a)
      if a ~= nil then
        n, running = n + 1, running + 1
        s:spawn(run, n, a, b, c)
      end
    until a == nil
  end)
end

--- Call f for each item, for at most `limit` of them at once.
---@param source any[]|function a list: f(value, index); or an iterator, also a
---channel or a multishot operation
---@param limit integer
---@param f function
function M.each(source, limit, f)
  scope.need_task "uring.each"
  fan_out(items(source, limit, f, "each"), limit, function(_, ...) f(...) end)
end

--- The first result of f for each item, in the order of the items, with at
--- most `limit` calls at once.
---@param source any[]|function as for each
---@param limit integer
---@param f function
---@return any[]
function M.map(source, limit, f)
  scope.need_task "uring.map"
  local results <const> = {}
  fan_out(items(source, limit, f, "map"), limit, function(n, ...)
    results[n] = f(...)
  end)
  return results
end

return M
