--- What is my program waiting for?

local core <const> = require "uring.core"
local check <const> = require "uring.check"
local scope <const> = require "uring.scope"

local M = {}

--- The tasks that have not ended.
---@param ring? uring.Ring the default one
---@return uring.Task[]
function M.tasks(ring)
  return (ring or assert(core.default())):tasks()
end

-- How a traceback names the files of this library.
local function library()
  local names = {}
  for name in pairs(package.loaded) do
    local path = type(name) == "string" and name:find "^uring%f[.\0]"
                 and package.searchpath(name, package.path)
    if path then
      names[#path < 60 and path or "..." .. path:sub(-56)] = true
    end
  end
  return names
end

-- The lines of a traceback that are the script's own.
local function own_lines(traceback, inside)
  local lines = {}
  for line in traceback:gmatch "\n%s*([^\n]+)" do
    local file = line:match "^(.-):%d+:"
    if file and not inside[file] then lines[#lines + 1] = line end
  end
  return lines
end

--- A report of every task: its name, state, what it waits for, for how long,
--- in which scope that has a name, and at which lines.
---@param ring? uring.Ring the default one
---@return string
function M.dump(ring)
  local tasks, inside = M.tasks(ring), library()
  local report = {("%d task%s"):format(#tasks, #tasks == 1 and "" or "s")}
  for _, task in ipairs(tasks) do
    local what, age = task:waiting()
    local around <const> = scope.name_around(task)
    report[#report + 1] = ("%s: %s, for %.3f s%s")
      :format(tostring(task), what, age, around and ", in " .. around or "")
    for _, line in ipairs(own_lines(task:traceback(), inside)) do
      report[#report + 1] = "    " .. line
    end
  end
  return table.concat(report, "\n")
end

--- Call f(event, task, operation, what, seconds, result) when an operation is
--- submitted ("submit") and when its result is taken ("complete"); nil ends
--- it.  Seconds and the kernel's result come with a completion.
---@param f? fun(event: string, task: uring.Task?, operation: string,
---what: string?, seconds: number?, result: integer?)
M.trace = core.on_trace

--- Switch debug mode on or off; URING_DEBUG=1 has it on from the start.  It
--- remembers where descriptors are opened and closed, tells in the message of
--- EBADF what became of one, names tasks that run for over 100 ms without
--- waiting, and what run leaves open.
---@param on? boolean
---@return boolean before
M.debug = core.debug

--- An iterator that returns 1, 2, 3... every so many seconds; a tick that was
--- missed comes at once, and the rhythm is kept.
---@param seconds number
---@return fun(): integer
function M.interval(seconds)
  check.seconds(seconds, 1, "interval")
  local start, tick = core.now(), 0
  return function()
    tick = tick + 1
    core.sleep(math.max(0, start + tick * seconds - core.now()))
    return tick
  end
end

return M
