--- Structured concurrency: scopes, cancellation, deadlines.
--
-- Every task runs inside a scope; a scope ends when all its tasks have
-- ended.  Scopes form a tree, and cancelling one reaches everything below
-- it, except what is shielded.  The C half only knows one thing of all this:
-- the value that a task's awaits raise at the moment (task:interrupt).

local core <const> = require "uring.core"

local current <const>, waiter <const> = core.current, core.waiter
local spawn <const>, new_nursery <const> = core.spawn, core.nursery
local ETIMEDOUT <const> = core.errno.ETIMEDOUT
local ECANCELED <const> = core.errno.ECANCELED

local MAX_TOLD <const> = 10            -- errors in one message

local M = {}

--- What a cancelled task's awaits raise.  All of them are equal to
--- `uring.cancelled`; each says why it was raised.
---@class uring.Cancelled
---@field message string
local Cancelled = {}
Cancelled.__name = "uring.cancelled"
Cancelled.__index = Cancelled
Cancelled.__tostring = function(self) return self.message end
Cancelled.__eq = function() return true end

local function new_cancelled(message)
  return setmetatable({message = message}, Cancelled)
end

M.cancelled = new_cancelled "cancelled"

local function is_cancelled(value)
  return getmetatable(value) == Cancelled
end

---@class uring.Scope
---@field name? string
---@field errors? uring.Failure[] first come first
local Scope = {}
Scope.__name = "uring.scope"
Scope.__index = Scope

-- task -> the value of its own cancellation (task:cancel)
local cancelled_tasks = setmetatable({}, {__mode = "k"})
-- task -> the failure that was raised in it last: where that came from
local raising = setmetatable({}, {__mode = "k"})

-- What a task's own cancellation means to it in that scope.  One that the
-- task has opened itself has been told already, or is in a shield.
local function own_value(task, scope)
  if scope and scope.host == task then return nil end
  return cancelled_tasks[task]
end

-- nursery: the tasks spawned into it that have not ended.  inner: the first
-- of the scopes opened in it or by them, with the others in a list.  value:
-- what awaits raise.  short: a task of it has ended by that.  before: what was
-- raised in the host before it.
local function new_scope(host, parent, shield)
  local scope = setmetatable({
    host = host, parent = parent, nursery = nil, inner = nil, timer = nil,
    ended = nil, shield = shield, before = raising[host],
    value = not shield and parent and parent.value or nil
  }, Scope)
  if parent then
    local next = parent.inner
    if next then scope.next, next.prev = next, scope end
    parent.inner = scope
    if not shield then
      scope.value = scope.value or own_value(host, parent)
    end
  end
  return scope
end

-- Take a scope off the list of its parent.
local function unlist(scope)
  local parent, next, prev = scope.parent, scope.next, scope.prev
  if next then next.prev = prev end
  if prev then prev.next = next else parent.inner = next end
end

-- Let the awaits of everything below raise the value; the first one stays.
-- A task that is in an inner scope is reached by way of that.
local function interrupt(scope, value)
  if scope.value then return end
  scope.value = value
  local host = scope.host
  if not scope.waiting and host:owner() == scope then host:interrupt(value) end
  if scope.nursery then scope.nursery:interrupt(value) end
  local inner = scope.inner
  while inner do
    if not inner.shield then interrupt(inner, value) end
    inner = inner.next
  end
end

local function nursery_of(scope)
  local nursery = scope.nursery
  if not nursery then
    nursery = new_nursery(scope)
    scope.nursery = nursery
    if scope.value then nursery:interrupt(scope.value) end
  end
  return nursery
end

-- The host cannot wait for the tasks, for it is dead, or cannot be suspended
-- here.  They are cancelled, and the scope around this one answers for them.
local function abandon(scope)
  local parent, nursery = scope.parent, scope.nursery
  scope.ended, scope.abandoned = true, true
  if scope.timer then scope.timer:cancel() end
  interrupt(scope, M.cancelled)
  if parent then unlist(scope) end
  if parent and nursery then nursery_of(parent):adopt(nursery) end
end

-- The scope that answers for the tasks of this one.
local function in_charge(scope)
  while scope.abandoned and scope.parent do scope = scope.parent end
  return scope
end

local function enter(scope, task)
  task:owner(scope)
  task:interrupt(scope.value)
end

local function leave(scope, task)
  local parent = scope.parent
  task:owner(parent)
  if parent then
    if not scope.ended then unlist(scope) end
    scope.ended = true
    task:interrupt(parent.value or own_value(task, parent))
  else
    scope.ended = true
    task:interrupt(cancelled_tasks[task])
  end
end

-- Cancel a scope by a value of its own, which it takes back when it ends.
local function cancel(scope, message, result)
  if scope.own then return end
  scope.own = new_cancelled(message)
  scope.result = result
  scope.cut = scope.waiting            -- the body has ended before
  interrupt(scope, scope.own)
end

--- Cancel everything in the scope.  It returns nil, reason, ECANCELED then.
---@param reason? string
function Scope:cancel(reason)
  if not self.ended then
    reason = reason or "cancelled"
    cancel(self, reason, {nil, reason, ECANCELED})
  end
end

-- What went wrong in a task, and where.  others: what went wrong in the same
-- scopes after it.  text: what run has raised for all of them.
---@class uring.Failure
---@field value any as it was raised
---@field traceback string
---@field task uring.Task
local Failure = {}

-- The text of a value, whose __tostring may fail.
local function text_of(value)
  local ok, text = pcall(tostring, value)
  return ok and text or ("(error object is a %s value)"):format(type(value))
end

local function new_failure(value, task, traceback)
  return setmetatable({value = value, task = task,
                       traceback = traceback or text_of(value)}, Failure)
end

-- The failure that the value comes from, if it was raised in the task last.
local function origin_of(value, task)
  local failure = raising[task]
  if failure and (rawequal(failure.value, value)
                  or failure.text and failure.text == value) then
    return failure
  end
end

-- The first failure cancels the rest; every one is kept.
local function fail(scope, failure)
  local errors = scope.errors
  if errors then
    errors[#errors + 1] = failure
  else
    scope.errors = {failure}
    interrupt(scope, new_cancelled("cancelled, for another task failed"))
  end
end

-- The failure that has ended the task.
local function failure_in(task, value)
  local failure = origin_of(value, task)
  if not failure then
    failure = new_failure(value, task, task:traceback())
    raising[task] = failure
  end
  return failure
end

-- The C half calls this with the error of a task that a join is to raise.
local function task_raises(task, value)
  if not is_cancelled(value) then
    raising[waiter()] = failure_in(task, value)
  end
end

-- The C half calls this with each task that has ended, unless it is none of
-- our business: all is well, and its scopes have ended before.
local function task_ended(task, scope, failed, value)
  while scope and scope.host == task do    -- it died before it could leave
    abandon(scope)
    local parent = scope.parent
    for _, failure in ipairs(parent and scope.errors or {}) do
      fail(parent, failure)
    end
    scope = parent
  end
  if failed and not task:observed() then
    local told = cancelled_tasks[task] or scope and scope.value
    if told and is_cancelled(value) then  -- it ended as it was told to
      if scope and scope.value then scope.short = true end
      return
    end
    local failure = failure_in(task, value)
    if not scope then error(value, 0) end
    fail(in_charge(scope), failure)
  end
end

local function task_cancel(task, reason)
  if cancelled_tasks[task] then return end
  local value = new_cancelled(reason or "cancelled")
  cancelled_tasks[task] = value
  -- the outermost scope that this task has opened, unless shielded
  local scope, outer = task:owner(), nil
  while scope and scope.host == task do
    scope, outer = scope.parent, scope
  end
  if not outer then
    task:interrupt(value)
  elseif not outer.shield then
    interrupt(outer, value)
  end
end

core.on_end(task_ended)
core.on_cancel(task_cancel)
core.on_raise(task_raises)

--- Start a task in this scope.
---@param f function
---@param ... any its arguments
---@return uring.Task
function Scope:spawn(f, ...)
  local scope = in_charge(self)
  if scope.ended and not scope.abandoned then
    error("the scope has ended", 2)
  end
  return nursery_of(scope):spawn(f, ...)
end

-- Wait, whatever is cancelled, until the tasks of the scope have ended.
local function wait_all(scope, task)
  local nursery = scope.nursery
  if not nursery or #nursery == 0 then return end
  scope.waiting = true
  task:interrupt(nil)
  local ok, problem = pcall(nursery.join, nursery)
  scope.waiting = false
  if not ok then
    abandon(scope)
    fail(scope, new_failure(problem, task))
  end
end

local function handler(value)
  if is_cancelled(value) then return value end
  return new_failure(value, current(), debug.traceback(text_of(value), 2))
end

-- The failure for what a body raised; none when it was told to end.
local function failure_of(scope, task, value)
  if getmetatable(value) ~= Failure then
    if is_cancelled(value) and scope.value then return nil end
    return new_failure(value, task)
  end
  local origin = origin_of(value.value, task)
  return origin and origin ~= scope.before and origin or value
end

-- End the scope after its body; returns or raises for the whole.
local function finish(scope, task, ok, ...)
  if not ok then
    local failure = failure_of(scope, task, (...))
    if failure then fail(scope, failure) end
  end
  wait_all(scope, task)
  if scope.timer then scope.timer:cancel() end
  leave(scope, task)
  local errors = scope.errors
  if errors then
    local failure = errors[1]
    local others = failure.others or {}
    failure.others = table.move(errors, 2, #errors, #others + 1, others)
    raising[task] = failure
    error(failure.value, 0)
  end
  if ok and scope.short and not rawequal(scope.value, scope.own) then
    error(scope.value, 0)              -- its tasks were cut short from outside
  end
  if ok and not scope.cut then return ... end
  if ok or rawequal((...), scope.own) then
    return table.unpack(scope.result, 1, 3)
  end
  error((...), 0)
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

-- Where failures came from, the first few of them.
local function describe(list)
  local texts, n = {}, math.min(#list, MAX_TOLD)
  for i = 1, n do texts[i] = list[i].traceback end
  if n < #list then
    texts[n + 1] = ("%d more; uring.errors has them all"):format(#list - n)
  end
  return table.concat(texts, "\nand then: ")
end

--- What else went wrong: every error of the scopes that have raised this one,
--- itself the first.  It was caught in the running task: from run, scope, all
--- and their like, or join.
---@param value any the error
---@return uring.Failure[] errors {value=, traceback=, task=}
function M.errors(value)
  local task <const> = waiter()
  local failure <const> = origin_of(value, task) or new_failure(value, task)
  return gather(failure, {}, {})
end

-- Tell uring.on_error, which must not harm who reports.
local function report(failure, text)
  local reported <const>, problem <const> =
    pcall(require "uring".on_error, failure.value, text, failure.task)
  if not reported then
    io.stderr:write("uring: on_error failed: ", text_of(problem), "\n", text,
                    "\n")
  end
end

--- Run f(...) and give its error to uring.on_error; a cancellation goes on.
function M.guard(f, ...)
  local ok, failure = xpcall(f, handler, ...)
  if ok then return end
  if is_cancelled(failure) then error(failure, 0) end
  local task <const> = current()
  if getmetatable(failure) ~= Failure then
    failure = new_failure(failure, task)
  end
  failure = origin_of(failure.value, task) or failure
  report(failure, describe(gather(failure, {}, {})))
end

local function run_scope(scope, task, f, ...)
  enter(scope, task)
  return finish(scope, task, xpcall(f, handler, ...))
end

local function need_task(what)
  local task = current()
  if not task then
    error("uring." .. what .. " outside a task: call it inside uring.run", 3)
  end
  return task
end

--- Run f(scope) and wait for every task spawned in it.  When one fails the
--- others are cancelled and its error is raised here.
---@param f fun(scope: uring.Scope): ...
---@return any ... what f returns
function M.scope(f)
  local task = need_task "scope"
  local scope = new_scope(task, task:owner())
  return run_scope(scope, task, f, scope)
end

--- Run f(...) so that no cancellation from outside reaches it; for cleanup.
function M.shield(f, ...)
  local task = need_task "shield"
  return run_scope(new_scope(task, task:owner(), true), task, f, ...)
end

local function check_seconds(seconds)
  local why
  if type(seconds) ~= "number" then
    why = "number expected, got " .. type(seconds)
  elseif seconds ~= seconds then
    why = "seconds expected, got nan"
  elseif seconds < 0 then
    why = "seconds must not be negative"
  end
  if why then error("bad argument #1 to 'timeout' (" .. why .. ")", 3) end
end

--- Run f(...) for at most that many seconds.
---@param seconds number
---@return any ... what f returns; or nil, "timed out", ETIMEDOUT
function M.timeout(seconds, f, ...)
  local task = need_task "timeout"
  check_seconds(seconds)
  local scope
  local timer <const> = core.timer(seconds, function()
    cancel(scope, ("timed out after %g s"):format(seconds),
           {nil, "timed out", ETIMEDOUT})
  end)
  scope = new_scope(task, task:owner())
  scope.timer = timer
  return run_scope(scope, task, f, ...)
end

--- Start a task in the current scope.
---@param f function
---@param ... any its arguments
---@return uring.Task
function M.spawn(f, ...)
  local scope = core.owner()
  if scope then return scope:spawn(f, ...) end
  return spawn(f, ...)
end

local function report_all(list)
  for i = 1, #list do report(list[i], list[i].traceback) end
end

-- The first task of run is gone before the others, which nobody waits for.
local function await_abandoned(root, task)
  local ok, problem
  if root.nursery then ok, problem = pcall(root.nursery.join, root.nursery) end
  report_all(root.errors or {})
  if ok == false then report_all {new_failure(problem, task)} end
end

-- A message can tell of the others; any other value goes out as it is.
local function returned(ok, ...)
  if ok then return ... end
  local value = ...
  local list = M.errors(value)
  if type(value) == "string" then
    list[1].text = describe(list)
    error(list[1].text, 0)
  end
  for i = 2, #list do report(list[i], list[i].traceback) end
  error(value, 0)
end

-- An error that lets the interpreter print the message alone.
local Unavailable = {__name = "uring.unavailable"}
Unavailable.__index = Unavailable
Unavailable.__tostring = function(self) return self.message end

-- In debug mode: tell of what was opened since and never closed.
local function report_open(before)
  local known = {}
  for _, entry in ipairs(before) do known[entry.fd] = entry.where end
  for _, entry in ipairs(core.opened()) do
    if known[entry.fd] ~= entry.where then
      require "uring".on_report(("fd %d, opened at %s, was never closed")
                                :format(entry.fd, entry.where))
    end
  end
end

--- Run f(...) as the first task, and everything it starts, to the end.
---@return any ... what f returns; raises what it raises, with its traceback
function M.run(f, ...)
  if type(f) ~= "function" then
    error(("bad argument #1 to 'run' (function expected, got %s)")
          :format(type(f)), 2)
  end
  if current() then                    -- already running: a scope of its own
    local args <const> = table.pack(...)
    return M.scope(function() return f(table.unpack(args, 1, args.n)) end)
  end
  local root
  local task, message, code = spawn(function(...)
    local self <const> = current()
    root = new_scope(self, nil)
    return run_scope(root, self, f, ...)
  end, ...)
  if not task then
    error(setmetatable({message = message, errno = code}, Unavailable), 0)
  end
  local before <const> = core.debug() and core.opened()
  local results <const> = table.pack(pcall(task.join, task))
  local status = task:status()
  if status ~= "done" and status ~= "failed" then
    -- the loop itself was interrupted: stop the tasks, then go on raising
    if root then root:cancel("interrupted") end
    local ok <const>, value = pcall(task.join, task)
    if not (ok or is_cancelled(value)) then report_all(M.errors(value)) end
    error(results[2], 0)
  end
  if root and root.abandoned then await_abandoned(root, task) end
  if before then report_open(before) end
  return returned(table.unpack(results, 1, results.n))
end

return M
