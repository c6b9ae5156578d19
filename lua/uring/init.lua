--- uring: io_uring for Lua.
--
-- Scripts that read as if they blocked: a task waits for an operation, and
-- others run meanwhile.  See README.md, and docs/reference.md for the
-- operations themselves.

local core <const> = require "uring.core"
local scope <const> = require "uring.scope"
local parallel <const> = require "uring.parallel"
local net <const> = require "uring.net"
local file <const> = require "uring.file"
local sync <const> = require "uring.sync"
local inspect <const> = require "uring.inspect"

local M = {
  op = core.op,
  fd = core.fd,
  ring = core.default,
  buffer = core.buffer,
  errno = core.errno,
  isatty = core.sock.isatty,

  run = scope.run,
  spawn = scope.spawn,
  scope = scope.scope,
  shield = scope.shield,
  timeout = scope.timeout,
  cancelled = scope.cancelled,
  errors = scope.errors,
  all = parallel.all,
  race = parallel.race,
  each = parallel.each,
  map = parallel.map,
  channel = sync.channel,
  mutex = sync.mutex,
  semaphore = sync.semaphore,
  event = sync.event,
  condition = sync.condition,
  select = sync.select,
  coroutine = require "uring.coroutine",
  current = core.current,
  sleep = core.sleep,
  yield = core.yield,
  now = core.now,
  interval = inspect.interval,

  tasks = inspect.tasks,
  dump = inspect.dump,
  trace = inspect.trace,
  debug = inspect.debug,

  listen = net.listen,
  connect = net.connect,
  open = file.open
}

--- Called with the error of a handler that nobody waits for, as those of a
--- server's connections, its traceback, and its task.  Assign another.
---@param value any
---@param traceback string
---@param task uring.Task
function M.on_error(value, traceback, task)  -- luacheck: no unused args
  io.stderr:write("uring: ", traceback, "\n")
end

--- Called with what debug mode has to say.  Assign another.
---@param text string
function M.on_report(text)
  io.stderr:write("uring: ", text, "\n")
end

local folder <const> = debug.getinfo(1, "S").source:match "^@(.*/)[^/]+$"
if folder then core.folder(folder) end

core.on_report(function(text) M.on_report(text) end)

return M
