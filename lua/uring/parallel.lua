--- Several things at once, in a scope that waits for them all.

local core <const> = require "uring.core"
local scope <const> = require "uring.scope"

local current <const> = core.current

local M = {}

--- Run the functions at once and wait for all.
---@param functions function[]
---@return any[] results the first result of each, in order
function M.all(functions)
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

--- Call f for each item, for at most `limit` of them at once.
---@param source any[]|function a list: f(value, index); or an iterator, also a
---channel or a multishot operation
---@param limit integer
---@param f function
function M.each(source, limit, f)
  local iterator <const> = is_iterator(source) and source
    or type(source) == "table" and values(source)
  if not iterator then
    error("bad argument #1 to 'each' (table or function expected, got "
          .. type(source) .. ")", 2)
  end
  if math.type(limit) ~= "integer" or limit < 1 then
    error("bad argument #2 to 'each' (positive integer expected)", 2)
  end
  if type(f) ~= "function" then
    error("bad argument #3 to 'each' (function expected, got " .. type(f)
          .. ")", 2)
  end
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
    local a, b, c
    repeat
      while running >= limit do        -- first of all: what is taken is begun
        waiting = true
        core.park()
        waiting = false
      end
      a, b, c = iterator(nil, a)
      if a ~= nil then
        running = running + 1
        s:spawn(run, a, b, c)
      end
    until a == nil
  end)
end

--- The first result of f(value, index) for each value of a list, in order,
--- with at most `limit` calls at once.
---@param list any[]
---@param limit integer
---@param f function
---@return any[]
function M.map(list, limit, f)
  local results = {}
  M.each(list, limit, function(value, i) results[i] = f(value, i) end)
  return results
end

return M
