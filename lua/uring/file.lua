--- Files with the methods of Lua's own, whose reads and writes wait.
--
-- A regular file is read and written at explicit offsets, so the position is
-- this object's own; anything else (a pipe, a terminal) goes in order.
-- Reads are buffered, writes are not.
--
-- One task reads at a time: a second one gets EBUSY at once.  Writes of
-- several tasks follow each other in the file; each takes its place in it
-- before it waits.

local core <const> = require "uring.core"
local op <const>, errno <const> = core.op, core.errno
local numeral <const> = require "uring.numeral"

local CHUNK <const> = 65536
local LARGEST <const> = 1 << 20        -- one read, whatever was asked for
local find <const>, sub <const> = string.find, string.sub
local pcall <const>, select <const>, type <const> = pcall, select, type

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

local function busy(what, self)
  return nil, what .. " " .. self.path .. ": another task reads it",
         errno.EBUSY
end

-- An argument as an integer that is at least 'min', or an error for whoever
-- called the method.
local function integer(value, min, arg, what)
  local n = type(value) == "number" and math.tointeger(value)
  if n and n >= min then return n end
  local why = "out of range"
  if type(value) ~= "number" then
    why = "number expected, got " .. type(value)
  elseif not n then
    why = "number has no integer representation"
  end
  error(("bad argument #%d to '%s' (%s)"):format(arg, what, why), 3)
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
  if find(path, "\0", 1, true) then
    error("bad argument #1 to 'open' (path contains a zero byte)", 2)
  end
  mode = mode == nil and "r" or mode
  local flags = type(mode) == "string" and MODES[mode:gsub("b+$", "")]
  if not flags then
    error("bad argument #2 to 'open' (invalid mode)", 2)
  end
  local fd, message, code =
    op.openat(nil, path, flags | O.O_CLOEXEC, permissions or tonumber("666", 8))
  if not fd then
    return nil, message:gsub("^openat", "open", 1), code
  end
  local ok, st = pcall(op.statx, fd, "", O.AT_EMPTY_PATH, "type")
  if not ok then                       -- cancelled
    fd:close()
    error(st, 0)
  end
  local regular <const> = st and st.type == "file"
  local append <const> = flags & O.O_APPEND ~= 0
  return setmetatable({
    fd = fd, path = path, append = append,
    offset = regular and 0 or -1,      -- where the next read of the fd begins
    at_end = regular and append and flags & O.O_RDWR == 0,
    buffer = "", from = 1
  }, meta)
end

-- After an append the position is the end of the file, as with C's files.
local function settle(self)
  if not self.at_end then return true end
  local st, message, code = self:stat()
  if not st then return nil, message, code end
  self.offset, self.at_end = st.size, nil
  return true
end

local function read_next(self, n)
  local ok, message, code = settle(self)
  if not ok or self.closed then return nil, message, code end
  return op.read(self.fd, n, self.offset)
end

-- One read into the buffer, which is empty; nil alone is the end.  Where it
-- raises, for the task is cancelled, the pieces go back into the buffer.
local function fill(self, n, pieces)
  if self.closed then return closed() end
  if self.reading then return busy("read", self) end
  self.reading = true
  local ok, data, message, code = pcall(read_next, self, n or CHUNK)
  self.reading = false
  if not ok then
    if pieces then self.buffer, self.from = table.concat(pieces), 1 end
    error(data, 0)
  end
  if not data then
    if self.closed then return closed() end
    return named(self, message, code)
  end
  if data == "" then return nil end
  if self.offset >= 0 then self.offset = self.offset + #data end
  self.buffer, self.from = data, 1
  return true
end

-- Fail with what was read so far.
local function fail(self, pieces, message, code)
  local partial = pieces and table.concat(pieces)
  if code == errno.EBUSY then          -- nothing was done
    if partial then self.buffer, self.from = partial, 1 end
    return nil, message, code
  end
  return nil, message, code, partial
end

local function take_all(self)
  local data = self.from == 1 and self.buffer or sub(self.buffer, self.from)
  self.buffer, self.from = "", 1
  return data
end

-- The next byte without taking it; nil at the end.
local function peek(self, taken)
  if self.from > #self.buffer then
    local ok, message, code = fill(self, nil, taken)
    if not ok then return nil, message, code end
  end
  return sub(self.buffer, self.from, self.from)
end

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
    local ok, message, code = fill(self, nil, pieces)
    if not ok then
      if message then return fail(self, pieces, message, code) end
      return pieces and table.concat(pieces)
    end
  end
end

local function read_count(self, n)
  if n == 0 then
    local byte, message, code = peek(self)
    if byte then return "" end
    if message then return nil, message, code end
    return nil
  end
  local have = #self.buffer - self.from + 1
  if have >= n then
    local from = self.from
    self.from = from + n
    return sub(self.buffer, from, from + n - 1)
  end
  local pieces, count = {take_all(self)}, have
  while count < n do
    local most <const> = math.min(math.max(n - count, CHUNK), LARGEST)
    local ok, message, code = fill(self, most, pieces)
    if not ok then
      if message then return fail(self, pieces, message, code) end
      if count == 0 then return nil end
      return table.concat(pieces)
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
    local ok, message, code = fill(self, nil, pieces)
    if not ok then
      if message then return fail(self, pieces, message, code) end
      return table.concat(pieces)
    end
    pieces[#pieces + 1] = take_all(self)
  end
end

local function read_number(self)
  local taken, message, code = {}, nil, nil
  local number = numeral.read(function()
    local c
    c, message, code = peek(self, taken)
    return c
  end, function()
    taken[#taken + 1] = sub(self.buffer, self.from, self.from)
    self.from = self.from + 1
  end)
  if message then return nil, message, code end
  return number
end

-- As in liolib, a star before a letter and more letters after it do no harm.
local readers <const> = {
  l = function(self) return read_line(self, false) end,
  L = function(self) return read_line(self, true) end,
  a = read_everything,
  n = read_number
}

local function read_one(self, format, arg)
  local kind <const> = type(format)
  if kind == "number" then
    return read_count(self, integer(format, 0, arg, "read"))
  end
  local reader = kind == "string" and readers[format:match "^%*?(.?)"]
  if not reader then
    error(("bad argument #%d to 'read' (invalid format)"):format(arg), 2)
  end
  return reader(self)
end

-- A value for each format, nil for the first one that fails.
local function read_each(self, ...)
  local n, results = select("#", ...), {}
  for i = 1, n do
    local value, message, code, partial = read_one(self, (select(i, ...)), i)
    if value == nil and message then return nil, message, code, partial end
    results[i] = value
    if value == nil then return table.unpack(results, 1, i) end
  end
  return table.unpack(results, 1, n)
end

--- Read by the formats of Lua's files: "l" (default), "L", "a", "n", counts.
---@param ... string|integer
---@return string|number|nil ... nil alone at the end; nil, message, errno,
---partial when a read fails
function File:read(...)
  if self.closed then return closed() end
  local n <const> = select("#", ...)
  local format <const> = ...
  if n == 0 or n == 1 and format == nil then return read_line(self, false) end
  if n == 1 then return read_one(self, format, 1) end
  return read_each(self, ...)
end

-- What an iterator returns for what a read has returned.
local function or_raise(data, message, ...)
  if data == nil and message then error(message, 2) end
  return data, message, ...
end

--- An iterator over lines, or over what read(...) returns.
function File:lines(...)
  local formats <const> = table.pack(...)
  return function()
    return or_raise(self:read(table.unpack(formats, 1, formats.n)))
  end
end

-- Where the next read or write is to be, for the script.
local function position(self)
  return self.offset - (#self.buffer - self.from + 1)
end

-- Forget what was read ahead of a file that has positions.
local function rewind(self)
  if self.offset >= 0 then
    self.offset = position(self)
    self.buffer, self.from = "", 1
  end
end

-- -> true, or nil and the failure; and always how many bytes were written
local function write_all(self, data, offset)
  local done = 0
  while true do
    local n, message, code = op.write(self.fd, data, nil, offset)
    if not n then return nil, done, message, code end
    done = done + n
    if n == #data then return true, done end
    if self.closed then return nil, done end
    data = sub(data, n + 1)
    if offset >= 0 then offset = offset + n end
  end
end

-- Write at the position, which is moved first: others may write, too.
local function write_here(self, data)
  local before <const> = self.offset
  local after <const> = before + #data
  self.offset = after
  local ok, good, done, message, code = pcall(write_all, self, data, before)
  if not (ok and good) and self.offset == after then
    self.offset = before + (ok and done or 0)
  end
  if not ok then error(good, 0) end
  return good, message, code
end

-- Write where the kernel puts it: in order, or at the end.
local function write_on(self, data)
  local ok, _, message, code = write_all(self, data, -1)
  self.at_end = self.append and self.offset >= 0
  return ok, message, code
end

-- What the arguments of write are together.
local function join(...)
  local n <const> = select("#", ...)
  for i = 1, n do
    local kind = type((select(i, ...)))
    if kind ~= "string" and kind ~= "number" then
      error(("bad argument #%d to 'write' (string expected, got %s)")
            :format(i, kind), 3)
    end
  end
  return n == 1 and tostring((...)) or table.concat {...}
end

--- Write the values, each a string or a number.
---@param ... string|number
---@return uring.File? self nil, message, errno
function File:write(...)
  if self.closed then return closed() end
  local data <const> = join(...)
  local placed <const> = self.offset >= 0
  if placed and self.reading then return busy("write", self) end
  rewind(self)
  if data == "" then return self end
  local write <const> = placed and not self.append and write_here or write_on
  local ok, message, code = write(self, data)
  if ok then return self end
  if self.closed then return closed() end
  return named(self, message, code)
end

--- Set and get the position, as a Lua file does.
---@param whence? "set"|"cur"|"end"
---@param offset? integer
---@return integer? position from the beginning; nil, message, errno
function File:seek(whence, offset)
  whence = whence == nil and "cur" or whence
  if whence ~= "set" and whence ~= "cur" and whence ~= "end" then
    error("bad argument #1 to 'seek' (invalid option '" .. tostring(whence)
          .. "')", 2)
  end
  offset = integer(offset == nil and 0 or offset, math.mininteger, 2, "seek")
  if self.closed then return closed() end
  if self.offset < 0 then
    return nil, "seek " .. self.path .. ": Illegal seek", errno.ESPIPE
  end
  if self.reading then return busy("seek", self) end
  local base = 0
  if whence == "end" then
    local st, message, code = self:stat()
    if not st then return nil, message, code end
    base = st.size
  elseif whence == "cur" then
    local ok, message, code = settle(self)
    if not ok then return nil, message, code end
    base = position(self)
  end
  if base + offset < 0 then
    return nil, "seek " .. self.path .. ": Invalid argument", errno.EINVAL
  end
  self.buffer, self.from = "", 1
  self.offset, self.at_end = base + offset, nil
  return self.offset
end

--- Read at an offset; neither the position nor the buffer is touched.
---@param n integer|uring.Buffer how many bytes, or where to
---@param offset integer
---@return string|integer|nil data "" at the end; nil, message, errno
function File:pread(n, offset)
  offset = integer(offset, 0, 2, "pread")
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
  offset = integer(offset, 0, 2, "pwrite")
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
  if self.reading then return busy("truncate", self) end
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
