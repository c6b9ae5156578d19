--- Buffered streams over connected sockets.
--
-- One reader and one writer at a time: a second one gets EBUSY at once.  End
-- of file is nil alone; a read that fails after some bytes returns them as
-- its fourth value.  Nothing is translated.

local core <const> = require "uring.core"
local op <const>, errno <const> = core.op, core.errno
local check <const> = require "uring.check"
local reader <const> = require "uring.reader"

local MIN_CHUNK <const>, MAX_CHUNK <const> = 4096, 65536
local JOIN_LIMIT <const> = 65536       -- pieces joined before they are sent

local select <const>, sub <const>, type <const> = select, string.sub, type
local closed <const> = reader.closed
-- these let one task at a time into each direction of a descriptor
local recv <const>, send <const> = core.stream.recv, core.stream.send
local reading <const> = core.stream.reading

-- 'chunk' is how many bytes to ask for; false when no more can come, at the
-- end or when it is closed.

---@class uring.Stream: uring.Reader
---@field fd uring.Fd
local Stream = reader.extend {}

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

local function busy(what)
  return nil, what .. ": another task is at it", errno.EBUSY
end

-- The failure of an operation, as the stream's user sees it.
local function failed(self, what, message, code)
  if self.closed then return closed() end
  if code == errno.EBUSY then return busy(what) end
  return nil, message, code
end

-- ---- reading: see reader.lua ---------------------------------------------

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

Stream._receive = receive

function Stream:_reading() return reading(self.fd) end

function Stream._busy(_, what) return busy(what) end

local readsome <const> = Stream.readsome

--- At least one byte: what has arrived, at most `max`.
---@param max? integer
---@return string? bytes nil at the end; nil, message, errno
function Stream:readsome(max)
  if max or self.parked or self.from <= #self.buffer then
    return readsome(self, max)
  end
  return receive(self)                 -- the usual case at once
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
      check.bad(i, "write", "string expected, got " .. type(piece), 3)
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
---@return any value nil, message, errno
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

return {new = new}
