--- Buffered streams over descriptors: sockets, and pipes later.
--
-- One reader and one writer at a time: a second one gets EBUSY at once.  End
-- of file is nil alone; a read that fails after some bytes returns them as
-- its fourth value.  Nothing is translated.

local core <const> = require "uring.core"
local op <const> = core.op
local errno <const>, strerror <const> = core.errno, core.strerror

local MIN_CHUNK <const>, MAX_CHUNK <const> = 4096, 65536
local JOIN_LIMIT <const> = 65536       -- pieces joined before they are sent

local find <const>, sub <const> = string.find, string.sub
local select <const>, type <const> = select, type
-- these let one task at a time into each direction of a descriptor
local recv <const>, send <const> = core.stream.recv, core.stream.send
local reading <const> = core.stream.reading

-- The bytes that were received and not read yet are the parked pieces, if
-- there are any, and then buffer from 'from' on.  'chunk' is how many to ask
-- for; false when no more can come, at the end or when it is closed.

---@class uring.Stream
---@field fd uring.Fd
local Stream = {}

local meta = {__name = "uring.stream", __index = Stream}

--- Wrap a connected socket.
---@param fd uring.Fd
---@param peer? table the address of the other side
---@return uring.Stream
local function new(fd, peer)
  return setmetatable({
    fd = fd, peer_address = peer or false, closed = false,
    buffer = "", from = 1, parked = false, chunk = MIN_CHUNK
  }, meta)
end

local function closed()
  return nil, "closed", errno.ECANCELED
end

local function busy(what)
  return nil, what .. ": another task is at it", errno.EBUSY
end

-- The failure of an operation, as the stream's user sees it.
local function failed(self, what, message, code)
  if self.closed then return closed() end
  if code == errno.EBUSY then return busy(what) end
  return nil, message, code
end

-- One recv; nil alone is the end.
local function receive(self)
  local chunk = self.chunk
  if not chunk then
    if self.closed then return closed() end
    return nil
  end
  local data, message, code = recv(self.fd, chunk)
  if not data then return failed(self, "read", message, code) end
  local n = #data
  if n == chunk then
    if chunk < MAX_CHUNK and not self.closed then self.chunk = chunk * 4 end
  elseif n == 0 then
    self.chunk = false
    return nil
  end
  return data
end

-- The same.  The pieces read so far are parked meanwhile: when it raises, for
-- the task is cancelled, they stay there.
local function receive_more(self, pieces)
  self.parked = pieces
  local data, message, code = receive(self)
  self.parked = false
  return data, message, code
end

-- The bytes that were received and not read yet.
local function pending(self)
  if self.from == 1 then return self.buffer end
  return sub(self.buffer, self.from)
end

local function take_all(self)
  local data = pending(self)
  self.buffer, self.from = "", 1
  return data
end

-- Pieces are parked: another task reads, or they were left by one that was
-- cancelled.  True when this one may read.
local function unpark(self)
  if reading(self.fd) then return busy "read" end
  self.buffer = table.concat(self.parked) .. pending(self)
  self.from, self.parked = 1, false
  return true
end

-- The argument as an integer from 'min', or an error for whoever called.
local function count(value, min, what)
  local n = type(value) == "number" and math.tointeger(value)
  if n and n >= min then return n end
  local why = "out of range"
  if type(value) ~= "number" then
    why = "number expected, got " .. type(value)
  elseif not n then
    why = "number has no integer representation"
  end
  error(("bad argument #1 to '%s' (%s)"):format(what, why), 3)
end

--- At least one byte: what has arrived, at most `max`.
---@param max? integer
---@return string? bytes nil at the end; nil, message, errno
function Stream:readsome(max)
  if not max and not self.parked and self.from > #self.buffer then
    return receive(self)
  end
  if max then max = count(max, 1, "readsome") end
  local data, message, code = true, nil, nil
  if self.parked then data, message, code = unpark(self) end
  if not data then return nil, message, code end
  if self.from > #self.buffer then
    data, message, code = receive(self)
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

-- Keep the pieces that were read for nothing, and fail.
local function fail(self, pieces, message, code)
  local partial = table.concat(pieces)
  if not message then
    message, code = "end of file", errno.ENODATA
  end
  if code == errno.EBUSY then
    self.buffer, self.from = partial .. pending(self), 1
    return nil, message, code
  end
  return nil, message, code, partial
end

local function read_exact(self, n)
  if self.parked then
    local ok, message, code = unpark(self)
    if not ok then return nil, message, code end
  end
  local have = #self.buffer - self.from + 1
  if have >= n then
    local from = self.from
    self.from = from + n
    return sub(self.buffer, from, from + n - 1)
  end
  local pieces, size = {take_all(self)}, have
  while size < n do
    local data, message, code = receive_more(self, pieces)
    if not data then
      if not message and size == 0 then return nil end
      return fail(self, pieces, message, code)
    end
    if size + #data > n then
      self.buffer, self.from = data, n - size + 1
      data = sub(data, 1, n - size)
    end
    size = size + #data
    pieces[#pieces + 1] = data
  end
  return table.concat(pieces)
end

--- Exactly n bytes.
---@param n integer
---@return string? bytes nil alone when the end came before the first; nil,
---message, errno, partial when it came later
function Stream:readexact(n)
  return read_exact(self, count(n, 0, "readexact"))
end

-- Read on until the delimiter is there.  'data' are the bytes so far; it
-- may begin in the first 'limit' + 1 of them all.
local function read_on(self, data, delimiter, limit)
  local pieces, size = {data}, #data
  local overlap = #delimiter - 1
  local tail = overlap > 0 and sub(data, -overlap) or ""
  while not limit or size <= limit + overlap do
    local chunk, message, code = receive_more(self, pieces)
    if not chunk then
      if not message then                -- the end: the rest, undelimited
        self.buffer, self.from = table.concat(pieces), 1
        return nil
      end
      return fail(self, pieces, message, code)
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
      return table.concat(pieces)
    end
    tail = overlap > 0 and sub(window, -overlap) or ""
    size = size + #chunk
    pieces[#pieces + 1] = chunk
  end
  self.buffer, self.from = table.concat(pieces), 1
  return nil, "line too long", errno.EMSGSIZE
end

-- Up to and with the delimiter; nil, and the bytes kept, when the end comes.
local function read_delimited(self, delimiter, limit)
  if self.parked then
    local ok, message, code = unpark(self)
    if not ok then return nil, message, code end
  end
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
function Stream:readuntil(delimiter, limit)
  if type(delimiter) ~= "string" or delimiter == "" then
    error("bad argument #1 to 'readuntil' (non-empty string expected)", 2)
  end
  if limit ~= nil and (math.type(limit) ~= "integer" or limit < 0) then
    error("bad argument #2 to 'readuntil' (limit of bytes expected)", 2)
  end
  local data, message, code, partial = read_delimited(self, delimiter, limit)
  if data then return sub(data, 1, -#delimiter - 1) end
  if message then return nil, message, code, partial end
  if self.from <= #self.buffer then return fail(self, {take_all(self)}) end
  return nil
end

-- A line; the last one may lack its newline.
local function read_line(self, keep)
  local line, message, code, partial = read_delimited(self, "\n")
  if line then return keep and line or sub(line, 1, -2) end
  if message then return nil, message, code, partial end
  if self.from <= #self.buffer then return take_all(self) end
  return nil
end

local function read_everything(self)
  if self.parked then
    local ok, message, code = unpark(self)
    if not ok then return nil, message, code end
  end
  local pieces = {take_all(self)}
  while true do
    local data, message, code = receive_more(self, pieces)
    if not data then
      if message then return fail(self, pieces, message, code) end
      return table.concat(pieces)
    end
    pieces[#pieces + 1] = data
  end
end

-- Up to n bytes, fewer only at the end, as io.read counts.
local function read_count(self, n)
  if n == 0 then
    if self.parked then
      local ok, message, code = unpark(self)
      if not ok then return nil, message, code end
    end
    if self.from > #self.buffer then
      local data, message, code = receive(self)
      if message then return nil, message, code end
      if not data then return nil end
      self.buffer, self.from = data, 1
    end
    return ""
  end
  local data, message, code, partial = read_exact(self, n)
  if data then return data end
  if code == errno.ENODATA then return partial end
  if message then return nil, message, code, partial end
  return nil
end

local readers <const> = {
  l = function(self) return read_line(self, false) end,
  L = function(self) return read_line(self, true) end,
  a = read_everything
}

local function read_one(self, format)
  if type(format) == "number" then
    return read_count(self, count(format, 0, "read"))
  end
  local reader = type(format) == "string" and readers[format:match "^%*?(.?)"]
  if not reader then error("bad argument #1 to 'read' (invalid format)", 2) end
  return reader(self)
end

--- Read as a Lua file does: "l" (default), "L", "a", or a count.
---@param format? string|integer
---@return string? bytes nil alone at the end; nil, message, errno, partial
function Stream:read(format)
  if format == nil then return read_line(self, false) end
  return read_one(self, format)
end

--- An iterator over lines, or over what read(format) returns.
---@param format? string|integer
function Stream:lines(format)
  return function()
    local data, message = self:read(format)
    if not data and message then error(message, 2) end
    return data
  end
end

-- ---- writing -------------------------------------------------------------

-- All of the string, which is not empty.
local function send_all(self, data)
  while true do
    if self.closed then return closed() end
    local sent, message, code = send(self.fd, data)
    if not sent then return failed(self, "write", message, code) end
    if sent == #data then return self end
    data = sub(data, sent + 1)         -- a signal, or an error that follows
  end
end

local function send_each(self, ...)
  for i = 1, select("#", ...) do
    local piece = tostring((select(i, ...)))
    if piece ~= "" then
      local ok, message, code = send_all(self, piece)
      if not ok then return nil, message, code end
    end
  end
  return self
end

local function check_pieces(...)
  local size = 0
  for i = 1, select("#", ...) do
    local piece = select(i, ...)
    if type(piece) == "number" then piece = tostring(piece) end
    if type(piece) ~= "string" then
      error(("bad argument #%d to 'write' (string expected, got %s)")
            :format(i, type(piece)), 3)
    end
    size = size + #piece
  end
  return size
end

--- Write all of the strings; returns when the kernel has them.
---@param ... string|number
---@return uring.Stream? self nil, message, errno
function Stream:write(...)
  if self.closed then return closed() end
  local sent, message, code = send(self.fd, ...)
  if sent then
    if sent == #... then return self end
    return send_all(self, sub(..., sent + 1))
  end
  if sent == nil then return failed(self, "write", message, code) end
  -- not one string alone
  if check_pieces(...) > JOIN_LIMIT then return send_each(self, ...) end
  local data = table.concat {...}
  if data == "" then return self end
  return send_all(self, data)
end

--- Nothing is held back, so there is nothing to do.
---@return uring.Stream self
function Stream:flush() return self end

--- Half-close: "write" (default) tells the peer that nothing more comes.
---@param how? "read"|"write"|"both"
---@return true? done nil, message, errno
function Stream:shutdown(how)
  if self.closed then return closed() end
  return op.shutdown(self.fd, how or "write")
end

-- ---- the rest --------------------------------------------------------------

--- The address of the other side.
---@return table? address nil, message, errno
function Stream:peer()
  if self.peer_address then return self.peer_address end
  if self.closed then return closed() end
  local address, message, code = core.sock.getpeername(self.fd)
  self.peer_address = address
  return address, message, code
end

--- The address of this side.
---@return table? address nil, message, errno
function Stream:address()
  if self.closed then return closed() end
  return core.sock.getsockname(self.fd)
end

--- Set a socket option by name: "nodelay", "keepalive", "rcvbuf"...
---@param name string
---@param value any
---@return true? done nil, message, errno
function Stream:setopt(name, value)
  if self.closed then return closed() end
  return core.sock.setsockopt(self.fd, nil, name, value)
end

--- Get a socket option by name.
---@param name string
function Stream:getopt(name)
  if self.closed then return closed() end
  return core.sock.getsockopt(self.fd, nil, name)
end

--- Close; whoever waits on it gets nil, "closed", ECANCELED.
---@return true? done nil, message, errno
function Stream:close()
  if self.closed then return true end
  self.closed, self.chunk = true, false
  return self.fd:close()
end

--- The number of the descriptor.
---@return integer
function Stream:fileno() return self.fd:fileno() end

function meta:__close() self:close() end

function meta:__tostring()
  if self.closed then return "uring.stream (closed)" end
  return ("uring.stream (fd %d)"):format(self.fd:fileno())
end

return {new = new, strerror = strerror}
