--- Checks of arguments, which blame whoever has called the function.

local M = {}

--- Raise what Lua raises for a bad argument.
---@param arg integer which one
---@param what string name of the function
---@param why string
---@param level? integer whom to blame: 2, the caller of the function that
---checks; 3, the caller of that
function M.bad(arg, what, why, level)
  error(("bad argument #%d to '%s' (%s)"):format(arg, what, why),
        (level or 2) + 1)
end

--- The value must be of that type.
function M.kind(value, expected, arg, what, level)
  if type(value) ~= expected then
    M.bad(arg, what, ("%s expected, got %s"):format(expected, type(value)),
          (level or 2) + 1)
  end
end

--- Whether it may be called; what a __call is, is seen then.
function M.callable(value)
  local kind <const> = type(value)
  return kind == "function" or kind == "table" or kind == "userdata"
end

--- The value must be one that may be called.
function M.func(value, arg, what, level)
  if not M.callable(value) then
    M.kind(value, "function", arg, what, (level or 2) + 1)
  end
end

--- The value must be a length of time.
function M.seconds(value, arg, what, level)
  level = (level or 2) + 1
  M.kind(value, "number", arg, what, level)
  if value ~= value then
    M.bad(arg, what, "seconds expected, got nan", level)
  elseif value < 0 then
    M.bad(arg, what, "seconds must not be negative", level)
  end
end

--- The value must be an integer from 'low' on.
function M.count(value, low, arg, what, level)
  if math.type(value) ~= "integer" or value < low then
    M.bad(arg, what, ("integer of at least %d expected, got %s")
          :format(low, type(value) == "number" and value or type(value)),
          (level or 2) + 1)
  end
end

return M
