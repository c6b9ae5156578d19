--- Files with the methods of Lua's own, whose reads and writes wait.
--
-- A regular file is read and written at explicit offsets, so the position is
-- this object's own; anything else (a pipe, a terminal) goes in order.
-- Reads are buffered, writes are not.

local core <const> = require "uring.core"
local op <const>, errno <const> = core.op, core.errno
local numeral <const> = require "uring.numeral"

local CHUNK <const> = 65536
local find <const>, sub <const> = string.find, string.sub
local type <const> = type

---@class uring.File
---@field fd uring.Fd
---@field path string
local File = {}
local meta = {__name = "uring.file", __index = File}

local O <const> = core
local MODES <const> = {
  r = O.O_RDONLY,
  ["r+"] = O.O_RDWR,
  w = O.O_WRONLY | O.O_CREAT | O.O_TRUNC,
  ["w+"] = O.O_RDWR | O.O_CREAT | O.O_TRUNC,
  a = O.O_WRONLY | O.O_CREAT | O.O_APPEND,
  ["a+"] = O.O_RDWR | O.O_CREAT | O.O_APPEND,
  x = O.O_WRONLY | O.O_CREAT | O.O_EXCL,
  ["x+"] = O.O_RDWR | O.O_CREAT | O.O_EXCL
}

local function closed()
  return nil, "closed", errno.ECANCELED
end

-- Put the path into the message of an operation on the descriptor.
local function named(self, message, code)
  if message then
    message = message:gsub("^(%w+) fd %d+:", function(name)
      return name .. " " .. self.path .. ":"
    end)
  end
  return nil, message, code
end

--- Open a file.
---@param path string
---@param mode? string as io.open's; "x" creates a file that must not exist
---@param permissions? integer of a new file; 0666 less the umask
---@return uring.File? file nil, message, errno
local function open(path, mode, permissions)
  if type(path) ~= "string" then
    error(("bad argument #1 to 'open' (string expected, got %s)")
          :format(type(path)), 2)
  end
  mode = mode or "r"
  local flags = MODES[type(mode) == "string" and mode:gsub("b", "", 1)]
  if not flags then
    error("bad argument #2 to 'open' (invalid mode)", 2)
  end
  local fd, message, code =
    op.openat(nil, path, flags | O.O_CLOEXEC, permissions or tonumber("666", 8))
  if not fd then
    return nil, message:gsub("^openat", "open", 1), code
  end
  local st <const> = op.statx(fd, "", O.AT_EMPTY_PATH, "type")
  local regular <const> = st and st.type == "file"
  return setmetatable({
    fd = fd, path = path, append = flags & O.O_APPEND ~= 0,
    offset = regular and 0 or -1,      -- where the next read of the fd begins
    buffer = "", from = 1
  }, meta)
end

-- One read into the buffer, which is empty; nil alone is the end.
local function fill(self, n)
  if self.closed then return closed() end
  local offset = self.offset
  local data, message, code = op.read(self.fd, n or CHUNK, offset)
  if not data then
    if self.closed then return closed() end
    return named(self, message, code)
  end
  if data == "" then return nil end
  if offset >= 0 then self.offset = offset + #data end
  self.buffer, self.from = data, 1
  return true
end

local function take_all(self)
  local data = self.from == 1 and self.buffer or sub(self.buffer, self.from)
  self.buffer, self.from = "", 1
  return data
end

-- The next byte without taking it; nil at the end.
local function peek(self)
  if self.from > #self.buffer then
    local ok, message, code = fill(self)
    if not ok then return nil, message, code end
  end
  return sub(self.buffer, self.from, self.from)
end

local function skip(self) self.from = self.from + 1 end

local function read_line(self, keep)
  local pieces
  while true do
    local from = self.from
    local stop = find(self.buffer, "\n", from, true)
    if stop then
      self.from = stop + 1
      local line = sub(self.buffer, from, keep and stop or stop - 1)
      if not pieces then return line end
      pieces[#pieces + 1] = line
      return table.concat(pieces)
    end
    local rest = take_all(self)
    if rest ~= "" then
      pieces = pieces or {}
      pieces[#pieces + 1] = rest
    end
    local ok, message, code = fill(self)
    if not ok then
      local partial = pieces and table.concat(pieces)
      if message then return nil, message, code, partial end
      return partial
    end
  end
end

local function read_count(self, n)
  if n == 0 then
    local byte, message, code = peek(self)
    if byte then return "" end
    return nil, message, code
  end
  local have = #self.buffer - self.from + 1
  if have >= n then
    local from = self.from
    self.from = from + n
    return sub(self.buffer, from, from + n - 1)
  end
  local pieces, count = {take_all(self)}, have
  while count < n do
    local ok, message, code = fill(self, math.max(n - count, CHUNK))
    if not ok then
      local partial = table.concat(pieces)
      if message then return nil, message, code, partial end
      if count == 0 then return nil end
      return partial
    end
    local piece = self.buffer
    if count + #piece > n then
      piece = sub(piece, 1, n - count)
    end
    self.from = #piece + 1
    count = count + #piece
    pieces[#pieces + 1] = piece
  end
  return table.concat(pieces)
end

local function read_everything(self)
  local pieces = {take_all(self)}
  while true do
    local ok, message, code = fill(self)
    if not ok then
      local data = table.concat(pieces)
      if message then return nil, message, code, data end
      return data
    end
    pieces[#pieces + 1] = take_all(self)
  end
end

local function read_one(self, format)
  if math.type(format) == "integer" and format >= 0 then
    return read_count(self, format)
  end
  if type(format) == "string" then
    local kind = format:gsub("^%*", "")
    if kind == "l" then return read_line(self, false) end
    if kind == "L" then return read_line(self, true) end
    if kind == "a" then return read_everything(self) end
    if kind == "n" then
      return numeral.read(function() return peek(self) end,
                          function() skip(self) end)
    end
  end
  error("bad argument to 'read' (invalid format)", 3)
end

--- Read by the formats of Lua's files: "l" (default), "L", "a", "n", counts.
---@param ... string|integer
---@return string|number|nil ... nil alone at the end; nil, message, errno,
---partial when a read fails
function File:read(format, ...)
  if self.closed then return closed() end
  if select("#", ...) == 0 then
    return read_one(self, format == nil and "l" or format)
  end
  local results, formats = {}, {format, ...}
  for i = 1, #formats do
    local value, message, code, partial = read_one(self, formats[i])
    if value == nil and message then return nil, message, code, partial end
    results[i] = value
    if value == nil then break end
  end
  return table.unpack(results, 1, #formats)
end

--- An iterator over lines, or over what read(...) returns.
function File:lines(...)
  local formats = table.pack(...)
  return function()
    local data, message = self:read(table.unpack(formats, 1, formats.n))
    if data == nil and message then error(message, 2) end
    return data
  end
end

-- Where the next read or write is to be, for the script.
local function position(self)
  return self.offset - (#self.buffer - self.from + 1)
end

-- Forget what was read ahead.
local function rewind(self)
  if self.offset >= 0 then self.offset = position(self) end
  self.buffer, self.from = "", 1
end

local function write_all(self, data, offset)
  local done = 0
  while done < #data do
    local n, message, code = op.write(self.fd, data, nil, offset)
    if not n then return nil, message, code, done end
    done = done + n
    if n < #data then
      data, done = sub(data, n + 1), 0
    end
    if offset >= 0 then offset = offset + n end
  end
  return offset
end

--- Write the values, each a string or a number.
---@param ... string|number
---@return uring.File? self nil, message, errno
function File:write(...)
  if self.closed then return closed() end
  for i = 1, select("#", ...) do
    local kind = type((select(i, ...)))
    if kind ~= "string" and kind ~= "number" then
      error(("bad argument #%d to 'write' (string expected, got %s)")
            :format(i, kind), 2)
    end
  end
  rewind(self)
  local data = select("#", ...) == 1 and tostring((...)) or table.concat {...}
  if data == "" then return self end
  local offset, message, code =
    write_all(self, data, self.append and -1 or self.offset)
  if not offset then return named(self, message, code) end
  if not self.append then self.offset = offset end
  return self
end

--- Set and get the position, as a Lua file does.
---@param whence? "set"|"cur"|"end"
---@param offset? integer
---@return integer? position from the beginning; nil, message, errno
function File:seek(whence, offset)
  whence, offset = whence or "cur", offset or 0
  if self.closed then return closed() end
  if self.offset < 0 then
    return nil, "seek " .. self.path .. ": Illegal seek", errno.ESPIPE
  end
  local base
  if whence == "set" then
    base = 0
  elseif whence == "cur" then
    base = position(self)
  elseif whence == "end" then
    local st, message, code = self:stat()
    if not st then return nil, message, code end
    base = st.size
  else
    error("bad argument #1 to 'seek' (invalid option '" .. tostring(whence)
          .. "')", 2)
  end
  if base + offset < 0 then
    return nil, "seek " .. self.path .. ": Invalid argument", errno.EINVAL
  end
  self.buffer, self.from = "", 1
  self.offset = base + offset
  return self.offset
end

--- Read at an offset; neither the position nor the buffer is touched.
---@param n integer|uring.Buffer how many bytes, or where to
---@param offset integer
---@return string|integer|nil data "" at the end; nil, message, errno
function File:pread(n, offset)
  if self.closed then return closed() end
  local data, message, code
  if type(n) == "number" then
    data, message, code = op.read(self.fd, n, offset)
  else
    data, message, code = op.read(self.fd, n, nil, offset)
  end
  if not data then return named(self, message, code) end
  return data
end

--- Write all of a string or buffer at an offset.
---@param data string|uring.Buffer
---@param offset integer
---@return integer? bytes nil, message, errno
function File:pwrite(data, offset)
  if self.closed then return closed() end
  local n, message, code = op.write(self.fd, data, nil, offset)
  if not n then return named(self, message, code) end
  if n < #data and n > 0 then
    local rest = type(data) == "string" and sub(data, n + 1)
                 or data:string(n + 1)
    local more
    more, message, code = self:pwrite(rest, offset + n)
    if not more then return nil, message, code end
    n = n + more
  end
  return n
end

--- The statx fields of the file, as a table.
---@return table? stat nil, message, errno
function File:stat()
  if self.closed then return closed() end
  local st, message, code = op.statx(self.fd, "", O.AT_EMPTY_PATH)
  if not st then return named(self, message, code) end
  return st
end

--- Have the kernel write everything to the device.
---@param data_only? boolean without times and the like (fdatasync)
---@return true? done nil, message, errno
function File:sync(data_only)
  if self.closed then return closed() end
  local flags = data_only and core.IORING_FSYNC_DATASYNC or 0
  local ok, message, code = op.fsync(self.fd, flags)
  if not ok then return named(self, message, code) end
  return true
end

--- Set the length.
---@param size integer
---@return true? done nil, message, errno
function File:truncate(size)
  if self.closed then return closed() end
  rewind(self)
  local ok, message, code = op.ftruncate(self.fd, size)
  if not ok then return named(self, message, code) end
  return true
end

--- Set the permissions; an ordinary call, io_uring has no operation for it.
---@param mode integer
---@return true? done nil, message, errno
function File:chmod(mode)
  if self.closed then return closed() end
  local ok, message, code = core.sys.fchmod(self.fd, mode)
  if not ok then return named(self, message, code) end
  return true
end

--- Writes are not held back, so there is nothing to do.
---@return uring.File self
function File:flush() return self end

--- Close the file.
---@return true? done nil, message, errno
function File:close()
  if self.closed then return true end
  self.closed = true
  return self.fd:close()
end

function File:fileno() return self.fd:fileno() end

function meta:__close() self:close() end

function meta:__tostring()
  if self.closed then return "uring.file (closed)" end
  return ("uring.file (%s)"):format(self.path)
end

return {open = open}
