--- Files with the methods of Lua's own, whose reads and writes wait.
--
-- A regular file is read and written at explicit offsets, so the position is
-- this object's own; anything else (a pipe, a terminal) goes in order.
-- Reads are buffered (see reader.lua), writes are not.
--
-- One task reads at a time: a second one gets EBUSY at once.  Writes of
-- several tasks follow each other in the file; each takes its place in it
-- before it waits.

local core <const> = require "uring.core"
local op <const>, errno <const> = core.op, core.errno
local check <const> = require "uring.check"
local reader <const> = require "uring.reader"

local CHUNK <const> = 65536
local LARGEST <const> = 1 << 20        -- one read, whatever was asked for
local find <const>, sub <const> = string.find, string.sub
local pcall <const>, select <const>, type <const> = pcall, select, type
local closed <const>, integer <const> = reader.closed, reader.integer

local M = {}

---@class uring.File: uring.Reader
---@field fd uring.Fd
---@field path string
local File = reader.extend {}
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

local function busy(what, self)
  return nil, what .. " " .. self.path .. ": another task reads it",
         errno.EBUSY
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
function M.open(path, mode, permissions)
  check.kind(path, "string", 1, "open")
  if find(path, "\0", 1, true) then
    check.bad(1, "open", "path contains a zero byte")
  end
  mode = mode == nil and "r" or mode
  local flags = type(mode) == "string" and MODES[mode:gsub("b+$", "")]
  if not flags then
    check.bad(2, "open", "invalid mode")
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
    buffer = "", from = 1, parked = false, closed = false, reading = false
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

-- One read; nil alone is the end, which may be a later one the next time.
function File:_receive(want)
  if self.closed then return closed() end
  if self.reading then return busy("read", self) end
  local n <const> = math.min(math.max(want or 0, CHUNK), LARGEST)
  self.reading = true
  local ok, data, message, code = pcall(read_next, self, n)
  self.reading = false
  if not ok then error(data, 0) end
  if not data then
    if self.closed then return closed() end
    return named(self, message, code)
  end
  if data == "" then return nil end
  if self.offset >= 0 then self.offset = self.offset + #data end
  return data
end

function File:_reading() return self.reading end

function File:_busy(what) return busy(what, self) end

-- Nobody reads, and all that was read ahead is in the buffer.
local function at_rest(self, what)
  if self.reading then return busy(what, self) end
  return reader.ready(self, what)
end

-- Where the next read or write is to be, for the script.
local function position(self)
  return self.offset - (#self.buffer - self.from + 1)
end

-- Forget what was read ahead of a file that has positions.
local function rewind(self)
  if self.offset < 0 then return end
  self.offset = position(self)
  self.buffer, self.from = "", 1
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
      check.bad(i, "write", "string expected, got " .. kind, 3)
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
  local ok, message, code
  if placed then
    ok, message, code = at_rest(self, "write")
    if not ok then return nil, message, code end
    rewind(self)
  end
  if data == "" then return self end
  local write <const> = placed and not self.append and write_here or write_on
  ok, message, code = write(self, data)
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
    check.bad(1, "seek", ("invalid option '%s'"):format(tostring(whence)))
  end
  offset = integer(offset == nil and 0 or offset, math.mininteger, 2, "seek")
  if self.closed then return closed() end
  if self.offset < 0 then
    return nil, "seek " .. self.path .. ": Illegal seek", errno.ESPIPE
  end
  local ok, message, code = at_rest(self, "seek")
  if not ok then return nil, message, code end
  local base = 0
  if whence == "end" then
    local st
    st, message, code = self:stat()
    if not st then return nil, message, code end
    base = st.size
  elseif whence == "cur" then
    ok, message, code = settle(self)
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
  local ok, message, code = at_rest(self, "truncate")
  if not ok then return nil, message, code end
  rewind(self)
  ok, message, code = op.ftruncate(self.fd, size)
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

--- The number of the descriptor.
---@return integer
function File:fileno() return self.fd:fileno() end

function meta:__close() self:close() end

function meta:__tostring()
  if self.closed then return "uring.file (closed)" end
  return ("uring.file (%s)"):format(self.path)
end

return M
