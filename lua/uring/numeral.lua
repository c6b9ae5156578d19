--- Reading a numeral character by character, as io.read "n" does.

local MAX <const> = 200                -- characters; longer ones fail

local M = {}

--- Read the longest prefix that looks like a numeral.
---@param peek fun(): string? the next character, nil at the end
---@param skip fun() take it
---@return number? number nil when there was none
function M.read(peek, skip)
  local text, count, failed = {}, 0, false
  local function accept(set)
    local c = peek()
    if failed or not c or not set:find(c, 1, true) then return false end
    count = count + 1
    if count > MAX then
      failed = true
      return false
    end
    text[count] = c
    skip()
    return true
  end
  local function digits(set)
    local n = 0
    while accept(set) do n = n + 1 end
    return n
  end
  local c = peek()
  while c and c:find "%s" do
    skip()
    c = peek()
  end
  local set, exponent, n = "0123456789", "eE", 0
  accept "+-"
  if accept "0" then
    if accept "xX" then
      set, exponent = "0123456789abcdefABCDEF", "pP"
    else
      n = 1
    end
  end
  n = n + digits(set)
  if accept "." then n = n + digits(set) end
  if n > 0 and accept(exponent) then
    accept "+-"
    digits "0123456789"
  end
  if failed then return nil end
  return tonumber(table.concat(text))
end

return M
