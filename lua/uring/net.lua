--- TCP and Unix sockets: listening, serving, connecting.

local core <const> = require "uring.core"
local op <const>, sock <const>, errno <const> = core.op, core.sock, core.errno
local check <const> = require "uring.check"
local scope <const> = require "uring.scope"
local stream <const> = require "uring.stream"

local FAMILIES <const> =
  {inet = core.AF_INET, inet6 = core.AF_INET6, unix = core.AF_UNIX}
local STREAM <const> = core.SOCK_STREAM | core.SOCK_CLOEXEC
local PAUSE <const> = 0.05             -- seconds, when accepting is hopeless

local M = {}

---@class uring.Server
---@field fd uring.Fd
local Server = {}
local meta = {__name = "uring.server", __index = Server}

-- The rest of a call whose socket must be closed when it fails.
local function or_close(fd, ok, message, code)
  if ok then return fd end
  fd:close()
  return nil, message, code
end

local function check_address(address, what)
  local ok, result = pcall(core.address, address)
  if not ok then
    check.bad(1, what, result:match "%((.*)%)$" or "address expected", 3)
  end
  return result
end

-- A stream hands each write to the kernel whole, so holding small segments
-- back for more of them (Nagle's algorithm) would only cost time.
local function open_socket(family)
  local fd, message, code = op.socket(FAMILIES[family], STREAM)
  if fd and family ~= "unix" then sock.setsockopt(fd, nil, "nodelay", true) end
  return fd, message, code
end

local function bind(fd, address, options)
  if address.family ~= "unix" then
    sock.setsockopt(fd, nil, "reuseaddr", true)
    if options.reuseport then sock.setsockopt(fd, nil, "reuseport", true) end
    if options.v6only ~= nil then
      sock.setsockopt(fd, nil, "v6only", options.v6only)
    end
  end
  local ok, message, code = sock.bind(fd, address)
  if ok then ok, message, code = sock.listen(fd, options.backlog) end
  return ok, message, code
end

--- Listen for stream connections.  TCP connections have TCP_NODELAY set:
--- stream:setopt("nodelay", false) takes it back.
---@param address string|table "127.0.0.1:8080", "[::1]:0", "unix:/run/x"
---@param options? table backlog= (an integer), reuseport=, v6only= (booleans)
---@return uring.Server? server nil, message, errno
function M.listen(address, options)
  address = check_address(address, "listen")
  local fd, message, code = open_socket(address.family)
  if not fd then return nil, message, code end
  fd, message, code = or_close(fd, bind(fd, address, options or {}))
  if not fd then return nil, message, code end
  local path <const> = address.path
  return setmetatable({
    fd = fd, closed = false,
    path = path and path ~= "" and path:sub(1, 1) ~= "@" and path or false
  }, meta)
end

--- Connect to an address.  A TCP connection has TCP_NODELAY set.
---@param address string|table as for listen; or a host, with the port
---@param port? integer
---@return uring.Stream? stream nil, message, errno
function M.connect(address, port)
  if port then address = {host = address, port = port} end
  address = check_address(address, "connect")
  local fd, message, code = open_socket(address.family)
  if not fd then return nil, message, code end
  local ok, done
  ok, done, message, code = pcall(op.connect, fd, address)
  if not (ok and done) then fd:close() end
  if not ok then error(done, 0) end
  if not done then return nil, message, code end
  return stream.new(fd, address)
end

--- Wait for a connection.
---@return uring.Stream? stream nil, message, errno
function Server:accept()
  if self.closed then return nil, "closed", errno.ECANCELED end
  local fd, peer, code = op.accept(self.fd, core.SOCK_CLOEXEC)
  if fd then return stream.new(fd, peer) end
  if self.closed then return nil, "closed", errno.ECANCELED end
  return nil, peer, code
end

-- Errors of one connection or of the moment, not of the listening socket.
local passing <const> = {}
for _, name in ipairs {"ECONNABORTED", "EINTR", "EPROTO", "EMFILE", "ENFILE",
                       "ENOBUFS", "ENOMEM", "EPERM", "ENETDOWN", "EHOSTDOWN",
                       "ENETUNREACH", "EHOSTUNREACH"} do
  passing[errno[name]] = true
end

--- Run handler(stream) in a task of its own for every connection, until the
--- server is closed.  The connection is closed when the handler returns.  An
--- error in a handler goes to uring.on_error and harms nobody else.
---@param handler fun(stream: uring.Stream)
---@return true? done nil, message, errno
function Server:serve(handler)
  scope.need_task "server:serve"
  check.kind(handler, "function", 1, "serve")
  return scope.scope(function(s)
    local function run(conn)
      local _ <close> = conn
      scope.guard(handler, conn)
    end
    while true do
      local conn, message, code = self:accept()
      if conn then
        s:spawn(run, conn)
      elseif code == errno.ECANCELED and self.closed then
        return true
      elseif passing[code] then
        core.sleep(PAUSE)
      else
        return nil, message, code
      end
    end
  end)
end

--- The address it listens on.
---@return table? address nil, message, errno
function Server:address()
  if self.closed then return nil, "closed", errno.ECANCELED end
  return sock.getsockname(self.fd)
end

--- Stop listening; a serve that waits returns when its handlers have ended.
--- The file of a Unix socket is removed.
---@return true? done nil, message, errno
function Server:close()
  if self.closed then return true end
  self.closed = true
  if self.path then os.remove(self.path) end
  return self.fd:close()
end

--- The number of the descriptor.
---@return integer
function Server:fileno() return self.fd:fileno() end

function meta:__close() self:close() end

function meta:__tostring()
  if self.closed then return "uring.server (closed)" end
  return ("uring.server (%s)"):format(tostring(self:address()))
end

return M
