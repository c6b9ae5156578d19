--- Reading by lines, counts and delimiters what arrives in pieces of any
--- size: the methods that files and streams share.
--
-- An object has the bytes that were received and not read yet: the pieces in
-- 'parked', if there are any, and then 'buffer' from 'from' on; and 'closed'.
-- Its class says how bytes come:
--
--   self:_receive(want)   a string of at least one byte; nil at the end; or
--                         nil, message, errno.  'want' is how many bytes will
--                         do, if that is known: a hint.
--   self:_reading()       whether a task is in there
--   self:_busy(what)      nil, message, EBUSY
--
-- One task reads at a time; another one gets EBUSY at once, and then nothing
-- was taken from it.  A cancelled read leaves its bytes for the next one.

local core <const> = require "uring.core"
local errno <const> = core.errno
local check <const> = require "uring.check"
local numeral <const> = require "uring.numeral"

local find <const>, sub <const> = string.find, string.sub
local concat <const>, unpack <const> = table.concat, table.unpack
local select <const>, type <const> = select, type

---@class uring.Reader
local Reader = {}

local function closed()
  return nil, "closed", errno.ECANCELED
end

-- ---- the bytes that were received ----------------------------------------

-- One receive.  The pieces read so far are parked meanwhile: when it raises,
-- for the task is cancelled, they stay there.
local function receive(self, pieces, want)
  self.parked = pieces
  local data, message, code = self:_receive(want)
  self.parked = false
  return data, message, code
end

-- The bytes in the buffer that were not read yet.
local function pending(self)
  if self.from == 1 then return self.buffer end
  return sub(self.buffer, self.from)
end

local function take_all(self)
  local data = pending(self)
  self.buffer, self.from = "", 1
  return data
end

-- True when this task may read.  Pieces are parked: another one reads, or
-- they were left by one that was cancelled.
local function ready(self, what)
  if self.closed then return closed() end
  local parked = self.parked
  if parked then
    if self:_reading() then return self:_busy(what or "read") end
    self.buffer = concat(parked) .. pending(self)
    self.from, self.parked = 1, false
  end
  return true
end

-- Fail with the pieces that were read for it; when another task reads, they
-- were not read.
local function fail(self, pieces, message, code)
  local partial = pieces and concat(pieces)
  if code ~= errno.EBUSY then return nil, message, code, partial end
  if partial then self.buffer, self.from = partial .. pending(self), 1 end
  return nil, message, code
end

-- ---- arguments -------------------------------------------------------------

-- The argument as an integer from 'min', or an error for whoever called the
-- method.
local function integer(value, min, arg, what, level)
  local n = type(value) == "number" and math.tointeger(value)
  if n and n >= min then return n end
  local why = "out of range"
  if type(value) ~= "number" then
    why = "number expected, got " .. type(value)
  elseif not n then
    why = "number has no integer representation"
  end
  check.bad(arg, what, why, (level or 2) + 1)
end

-- ---- counts ----------------------------------------------------------------

--- At least one byte: what has arrived, at most `max`.
---@param max? integer
---@return string? bytes nil at the end; nil, message, errno
function Reader:readsome(max)
  if max then max = integer(max, 1, 1, "readsome") end
  local data, message, code = ready(self)
  if not data then return nil, message, code end
  if self.from > #self.buffer then
    data, message, code = self:_receive(max)
    if not data then
      if message then return nil, message, code end
      return nil
    end
  else
    data = take_all(self)
  end
  if max and #data > max then
    self.buffer, self.from = data, max + 1
    return sub(data, 1, max)
  end
  return data
end

-- n bytes; fewer at the end, and nil alone when that comes before the first.
local function read_count(self, n)
  local have = #self.buffer - self.from + 1
  if have >= n then
    local from = self.from
    self.from = from + n
    return sub(self.buffer, from, from + n - 1)
  end
  local pieces, size = {take_all(self)}, have
  while size < n do
    local data, message, code = receive(self, pieces, n - size)
    if not data then
      if message then return fail(self, pieces, message, code) end
      if size == 0 then return nil end
      break
    end
    if size + #data > n then
      self.buffer, self.from = data, n - size + 1
      data = sub(data, 1, n - size)
    end
    size = size + #data
    pieces[#pieces + 1] = data
  end
  return concat(pieces)
end

--- Exactly n bytes.
---@param n integer
---@return string? bytes nil alone when the end came before the first; nil,
---message, errno, partial when it came later
function Reader:readexact(n)
  n = integer(n, 0, 1, "readexact")
  local ok, reason, number = ready(self)
  if not ok then return nil, reason, number end
  local data, message, code, partial = read_count(self, n)
  if data and #data < n then
    return nil, "end of file", errno.ENODATA, data
  end
  if data then return data end
  if message then return nil, message, code, partial end
  return nil
end

-- "" unless this is the end.
local function read_nothing(self)
  if self.from > #self.buffer then
    local data, message, code = self:_receive()
    if not data then
      if message then return nil, message, code end
      return nil
    end
    self.buffer, self.from = data, 1
  end
  return ""
end

local function read_everything(self)
  local pieces = {take_all(self)}
  while true do
    local data, message, code = receive(self, pieces)
    if not data then
      if message then return fail(self, pieces, message, code) end
      return concat(pieces)
    end
    pieces[#pieces + 1] = data
  end
end

-- ---- delimiters --------------------------------------------------------------

local function too_long(self, pieces)
  self.buffer, self.from = concat(pieces) .. pending(self), 1
  return nil, "line too long", errno.EMSGSIZE
end

-- Read on until the delimiter is there.  'data' are the bytes so far; it
-- may begin in the first 'limit' + 1 of them all.
local function read_on(self, data, delimiter, limit)
  local pieces, size = {data}, #data
  local overlap = #delimiter - 1
  local tail = overlap > 0 and sub(data, -overlap) or ""
  while not limit or size <= limit + overlap do
    local chunk, message, code = receive(self, pieces)
    if not chunk then
      if message then return fail(self, pieces, message, code) end
      self.buffer, self.from = concat(pieces), 1  -- the rest, undelimited
      return nil
    end
    local window = tail .. chunk
    local first = find(window, delimiter, 1, true)
    if first then
      local stop = first + overlap - #tail  -- last byte of it in the chunk
      if limit and size + stop > limit + overlap + 1 then
        pieces[#pieces + 1] = chunk
        break
      end
      pieces[#pieces + 1] = sub(chunk, 1, stop)
      self.buffer, self.from = chunk, stop + 1
      return concat(pieces)
    end
    tail = overlap > 0 and sub(window, -overlap) or ""
    size = size + #chunk
    pieces[#pieces + 1] = chunk
  end
  return too_long(self, pieces)
end

-- Up to and with the delimiter; nil, and the bytes kept, when the end comes.
local function read_delimited(self, delimiter, limit)
  local from = self.from
  local first, last = find(self.buffer, delimiter, from, true)
  if not first then
    return read_on(self, take_all(self), delimiter, limit)
  end
  if limit and first - from > limit then
    return nil, "line too long", errno.EMSGSIZE
  end
  self.from = last + 1
  return sub(self.buffer, from, last)
end

--- The bytes up to a delimiter, which is read, too, but not returned.
---@param delimiter string
---@param limit? integer the most bytes before it; when there are more, they
---stay, and it is nil, "line too long", EMSGSIZE
---@return string? bytes nil alone at the end; nil, message, errno, partial
function Reader:readuntil(delimiter, limit)
  if type(delimiter) ~= "string" or delimiter == "" then
    check.bad(1, "readuntil", "non-empty string expected")
  end
  if limit ~= nil and (math.type(limit) ~= "integer" or limit < 0) then
    check.bad(2, "readuntil", "limit of bytes expected")
  end
  local ok, reason, number = ready(self)
  if not ok then return nil, reason, number end
  local data, message, code, partial = read_delimited(self, delimiter, limit)
  if data then return sub(data, 1, -#delimiter - 1) end
  if message then return nil, message, code, partial end
  if self.from > #self.buffer then return nil end
  return nil, "end of file", errno.ENODATA, take_all(self)
end

-- A line; the last one may lack its newline.
local function read_line(self, keep)
  local line, message, code, partial = read_delimited(self, "\n")
  if line then return keep and line or sub(line, 1, -2) end
  if message then return nil, message, code, partial end
  if self.from <= #self.buffer then return take_all(self) end
  return nil
end

-- ---- numerals --------------------------------------------------------------

local function read_number(self)
  local taken, message, code = {}, nil, nil
  local number = numeral.read(function()
    if self.from > #self.buffer then
      local data
      data, message, code = receive(self, taken)
      if not data then return nil end
      self.buffer, self.from = data, 1
    end
    return sub(self.buffer, self.from, self.from)
  end, function()
    taken[#taken + 1] = sub(self.buffer, self.from, self.from)
    self.from = self.from + 1
  end)
  if message then return fail(self, taken, message, code) end
  return number
end

-- ---- by formats ------------------------------------------------------------

-- As in liolib, a star before a letter and more letters after it do no harm.
local readers <const> = {
  l = read_line,
  L = function(self) return read_line(self, true) end,
  a = read_everything,
  n = read_number
}

-- The function for a format, and its argument; or an error for whoever called
-- the caller.
local function reader_of(format, arg)
  if type(format) == "number" then
    local n = integer(format, 0, arg, "read", 3)
    return n > 0 and read_count or read_nothing, n
  end
  local read = type(format) == "string" and readers[format:match "^%*?(.?)"]
  if not read then
    check.bad(arg, "read", "invalid format", 3)
  end
  return read
end

-- A value for each format, nil for the first one that fails.
local function read_each(self, n, ...)
  local results = {}
  for i = 1, n do
    local read <const>, count <const> = reader_of((select(i, ...)), i)
    local value, message, code, partial = read(self, count)
    if value == nil and message then return nil, message, code, partial end
    results[i] = value
    if value == nil then return unpack(results, 1, i) end
  end
  return unpack(results, 1, n)
end

--- Read by the formats of Lua's files: "l" (default), "L", "a", "n", counts.
---@param ... string|integer formats
---@return string|number|nil ... nil alone at the end; nil, message, errno,
---partial when a read fails
function Reader:read(...)
  if self.parked or self.closed then
    local ok, message, code = ready(self)
    if not ok then return nil, message, code end
  end
  local n <const>, format <const> = select("#", ...), ...
  if n == 0 or n == 1 and format == nil then return read_line(self) end
  if n > 1 then return read_each(self, n, ...) end
  local read <const>, count <const> = reader_of(format, 1)
  return read(self, count)
end

-- What an iterator returns for what a read has returned.
local function or_raise(data, message, ...)
  if data == nil and message then error(message, 2) end
  return data, message, ...
end

--- An iterator over lines, or over what read(...) returns.  It raises the
--- message when a read fails.
---@param ... string|integer formats, as for read
---@return fun(): ...
function Reader:lines(...)
  local formats <const> = table.pack(...)
  if formats.n > 0 then
    return function()
      return or_raise(self:read(unpack(formats, 1, formats.n)))
    end
  end
  return function()
    local buffer <const>, from <const> = self.buffer, self.from
    local stop <const> = find(buffer, "\n", from, true)
    if not stop or self.parked or self.closed then
      return or_raise(self:read())
    end
    self.from = stop + 1               -- the usual case at once
    return sub(buffer, from, stop - 1)
  end
end

-- Give the methods to a class.
local function extend(class)
  for name, method in pairs(Reader) do class[name] = method end
  return class
end

return {extend = extend, ready = ready, integer = integer, closed = closed}
