--- What went wrong in tasks, and where: no error is lost, whatever its value.
--
-- An error value goes through tasks and scopes as it is, for nothing may be
-- added to somebody's table, or to nil.  What is known of it besides, the
-- traceback and the errors that came with it, is a failure; a task knows the
-- one that was raised in it last, and so finds it for a value it has caught.

local core <const> = require "uring.core"

local waiter <const> = core.waiter

local MAX_TOLD <const> = 10            -- failures in one message

local M = {}

-- others: what went wrong in the same scopes after it, or has given way to it.
-- text: what run has raised for all of them.
---@class uring.Failure
---@field value any as it was raised
---@field traceback string
---@field task uring.Task
local Failure = {}

-- task -> the failure that was raised in it last
local raised = setmetatable({}, {__mode = "k"})
-- task -> those that are on their way out of it
local leaving = setmetatable({}, {__mode = "k"})

--- The text of a value, whose __tostring may fail.
function M.text(value)
  local ok, text = pcall(tostring, value)
  return ok and text or ("(error object is a %s value)"):format(type(value))
end

--- A failure of the task; without a traceback the text of the value.
function M.new(value, task, traceback)
  return setmetatable({value = value, task = task,
                       traceback = traceback or M.text(value)}, Failure)
end

--- The failure that was raised in the task last, or nil.
function M.last(task)
  return raised[task]
end

local function add_other(failure, other)
  local others = failure.others or {}
  failure.others = others
  others[#others + 1] = other
end

-- Is it the message with something before it, as coroutine.wrap puts there?
local function is_prefixed(value, message)
  return type(value) == "string" and type(message) == "string"
         and message ~= "" and #value > #message
         and value:sub(-#message) == message
end

-- The failure that the value comes from, if it was raised in the task last and
-- is not the one 'before'.
local function origin(value, task, before)
  local failure = raised[task]
  if not failure or rawequal(failure, before) then return nil end
  if rawequal(failure.value, value)
     or failure.text and failure.text == value then
    return failure
  elseif is_prefixed(value, failure.value) then
    local new = M.new(value, task)
    add_other(new, failure)
    return new
  end
end

--- An error is on its way out of the task, and comes by here: the list of all
--- that did, with this one.
function M.throw(thrown, value, task, before, traceback)
  thrown = thrown or {}
  thrown[#thrown + 1] = origin(value, task, before)
    or M.new(value, task, traceback or debug.traceback(M.text(value), 3))
  return thrown
end

--- The failure with which it has come out: of the list, those before the last
--- one have given way, to errors in the variables that were closed.
function M.catch(thrown, value, task)
  local failure
  for _, next in ipairs(thrown or {}) do
    if failure and failure ~= next then add_other(next, failure) end
    failure = next
  end
  if failure and rawequal(failure.value, value) then return failure end
  local last = origin(value, task) or M.new(value, task)
  if failure and failure ~= last then add_other(last, failure) end
  return last
end

--- The C half calls this with an error that is going to end the task, and
--- without a traceback for a cancellation that is raised when its variables
--- are closed then: that does not take the place of the error.
function M.leaves(task, value, traceback)
  local thrown <const> = leaving[task]
  if not traceback and thrown then return thrown[#thrown].value end
  leaving[task] = M.throw(thrown, value, task, nil, traceback)
  return value
end

--- The failure that has ended the task.
function M.ended_by(value, task)
  local thrown <const> = leaving[task]
  local failure = thrown and M.catch(thrown, value, task)
    or origin(value, task) or M.new(value, task, task:traceback())
  leaving[task], raised[task] = nil, failure
  return failure
end

--- Note that it is being raised in the task.
function M.note(failure, task)
  raised[task] = failure
end

--- Raise the first of a list in the task; the others go with it.
function M.raise(list, task)
  local failure = list[1]
  local others = failure.others or {}
  failure.others = table.move(list, 2, #list, #others + 1, others)
  raised[task] = failure
  error(failure.value, 0)
end

-- The failure and those that came with it, each once.
local function gather(failure, list, seen)
  if not seen[failure] then
    seen[failure] = true
    list[#list + 1] = failure
    for _, other in ipairs(failure.others or {}) do
      gather(other, list, seen)
    end
  end
  return list
end

--- What else went wrong: every error of the scopes that have raised this one,
--- itself the first.  It was caught in the running task: from run, scope, all
--- and their like, or join.
---@param value any the error
---@return uring.Failure[] errors {value=, traceback=, task=}
function M.errors(value)
  local task <const> = waiter()
  return gather(origin(value, task) or M.new(value, task), {}, {})
end

--- Where failures came from, the first few of them.
function M.describe(list)
  local texts, n = {}, math.min(#list, MAX_TOLD)
  for i = 1, n do texts[i] = list[i].traceback end
  if n < #list then
    texts[n + 1] = ("%d more; uring.errors has them all"):format(#list - n)
  end
  return table.concat(texts, "\nand then: ")
end

-- Tell uring.on_error, which must not harm who reports.
local function report(failure, text)
  local reported <const>, problem <const> =
    pcall(require "uring".on_error, failure.value, text, failure.task)
  if not reported then
    io.stderr:write("uring: on_error failed: ", M.text(problem), "\n", text,
                    "\n")
  end
end

--- Report each of a list, from the first on, or from another.
function M.report(list, first)
  for i = first or 1, #list do report(list[i], list[i].traceback) end
end

--- Report a failure that was caught in the task, with what came with it.
function M.report_all(failure, task)
  raised[task] = failure               -- for uring.errors there
  report(failure, M.describe(gather(failure, {}, {})))
end

return M
