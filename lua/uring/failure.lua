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

-- others: what went wrong in the same scopes after it.  text: what run has
-- raised for all of them.
---@class uring.Failure
---@field value any as it was raised
---@field traceback string
---@field task uring.Task
local Failure = {}

-- task -> the failure that was raised in it last
local raised = setmetatable({}, {__mode = "k"})

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

function M.is(value)
  return getmetatable(value) == Failure
end

--- The failure that was raised in the task last, or nil.
function M.last(task)
  return raised[task]
end

--- The failure that the value comes from, if it was raised in the task last.
function M.origin(value, task)
  local failure = raised[task]
  if failure and (rawequal(failure.value, value)
                  or failure.text and failure.text == value) then
    return failure
  end
end

--- The failure that has ended the task.
function M.ended_by(value, task)
  local failure = M.origin(value, task)
  if not failure then
    failure = M.new(value, task, task:traceback())
    raised[task] = failure
  end
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
  return gather(M.origin(value, task) or M.new(value, task), {}, {})
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

--- Report a failure of the task together with what came with it.
function M.report_all(failure, task)
  failure = M.origin(failure.value, task) or failure
  report(failure, M.describe(gather(failure, {}, {})))
end

return M
