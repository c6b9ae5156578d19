--- Structured concurrency: scopes, cancellation, deadlines.
--
-- Every task runs inside a scope; a scope ends when all its tasks have
-- ended.  Scopes form a tree, and cancelling one reaches everything below
-- it, except what is shielded.  The C half only knows one thing of all this:
-- the value that a task's awaits raise at the moment (task:interrupt).

local core <const> = require "uring.core"
local check <const> = require "uring.check"
local failure <const> = require "uring.failure"

local current <const>, waiter <const> = core.current, core.waiter
local owner <const> = core.owner
local spawn <const>, new_nursery <const> = core.spawn, core.nursery
local ETIMEDOUT <const> = core.errno.ETIMEDOUT
local ECANCELED <const> = core.errno.ECANCELED

local MAX_STOPS <const> = 100          -- shields opened one after the other

local M = {errors = failure.errors}

--- What a cancelled task's awaits raise.  All of them are equal to
--- `uring.cancelled`; each says why it was raised.
---@class uring.Cancelled
---@field message string
local Cancelled = {}
Cancelled.__name = "uring.cancelled"
Cancelled.__index = Cancelled
Cancelled.__tostring = function(self) return self.message end

local function new_cancelled(message)
  return setmetatable({message = message}, Cancelled)
end

--- What the awaits of a cancelled task raise is equal to this.
M.cancelled = new_cancelled "cancelled"

local function is_cancelled(value)
  return getmetatable(value) == Cancelled
end

-- Lua asks this, too, when only one of the two is such a value.
function Cancelled.__eq(a, b) return is_cancelled(a) and is_cancelled(b) end

---@class uring.Scope
---@field name? string for uring.dump
---@field errors? uring.Failure[] first come first
local Scope = {}
Scope.__name = "uring.scope"
Scope.__index = Scope

function Scope:__tostring()
  return self.name and ("uring.scope (%s)"):format(self.name) or "uring.scope"
end

--- The name of the innermost scope around a task that has one, or nil.
---@param task uring.Task
---@return string?
function M.name_around(task)
  local scope = task:owner()
  while getmetatable(scope) == Scope do
    if scope.name then return scope.name end
    scope = scope.parent
  end
end

-- task -> the value of its own cancellation (task:cancel)
local cancelled_tasks = setmetatable({}, {__mode = "k"})
-- task -> what is on its way out of the function in M.guard
local guarded = setmetatable({}, {__mode = "k"})

-- What a task's own cancellation means to it in that scope.  One that the
-- task has opened itself has been told already, or is in a shield.
local function own_value(task, scope)
  if scope and scope.host == task then return nil end
  return cancelled_tasks[task]
end

-- nursery: the tasks spawned into it that have not ended.  inner: the first
-- of the scopes opened in it or by them, with the others in a list.  value:
-- what awaits raise.  short: a task of it has ended by that.  before: what was
-- raised in the host before it.  thrown: what is on its way out of its body.
local function new_scope(host, parent, shield)
  local scope = setmetatable({
    host = host, parent = parent, nursery = nil, inner = nil, timer = nil,
    ended = nil, shield = shield, before = failure.last(host),
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

--- Cancel everything in the scope.  It returns nil, reason, ECANCELED then,
--- unless its function returns all the same.
---@param reason? string "cancelled"
function Scope:cancel(reason)
  if reason ~= nil then check.kind(reason, "string", 1, "cancel") end
  if not self.ended then
    reason = reason or "cancelled"
    cancel(self, reason, {nil, reason, ECANCELED})
  end
end

-- The first failure cancels the rest; every one is kept.
local function fail(scope, problem)
  local errors = scope.errors
  if errors then
    errors[#errors + 1] = problem
  else
    scope.errors = {problem}
    local of <const> = scope.name and (" of %s"):format(scope.name) or ""
    interrupt(scope, new_cancelled("cancelled, for another task" .. of
                                   .. " failed"))
  end
end

-- The C half calls this with the error of a task that a join is to raise.
local function task_raises(task, value)
  if not is_cancelled(value) then
    failure.note(failure.ended_by(value, task), waiter())
  end
end

-- The C half calls this with each task that has ended, unless it is none of
-- our business: all is well, and its scopes have ended before.
local function task_ended(task, scope, failed, value)
  while scope and scope.host == task do    -- it died before it could leave
    abandon(scope)
    local parent = scope.parent
    for _, problem in ipairs(parent and scope.errors or {}) do
      fail(parent, problem)
    end
    scope = parent
  end
  if failed and not task:observed() then
    local told = cancelled_tasks[task] or scope and scope.value
    if told and is_cancelled(value) then  -- it ended as it was told to
      if scope and scope.value then scope.short = true end
      return
    end
    local problem = failure.ended_by(value, task)
    if not scope then error(value, 0) end
    fail(in_charge(scope), problem)
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
core.on_throw(failure.leaves)

--- Start a task in this scope.
---@param f function
---@param ... any its arguments
---@return uring.Task
function Scope:spawn(f, ...)
  check.kind(f, "function", 1, "spawn")
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
  if not ok then                       -- Lua cannot yield here
    abandon(scope)
    fail(scope, failure.new(problem, task,
                            debug.traceback(failure.text(problem), 2)))
  end
end

-- What comes out of a scope's body.  A cancellation that is raised when
-- variables are closed does not take the place of the error before it.
local function handler(value)
  local scope, task = owner()
  local thrown = scope.thrown
  if scope.value and is_cancelled(value) then
    if thrown then return thrown[#thrown].value end
  else
    scope.thrown = failure.throw(thrown, value, task, scope.before)
  end
  return value
end

-- End the scope after its body; returns or raises for the whole.
local function finish(scope, task, ok, ...)
  if not ok and not (scope.value and is_cancelled((...))) then
    fail(scope, failure.catch(scope.thrown, (...), task))
  end
  wait_all(scope, task)
  if scope.timer then scope.timer:cancel() end
  leave(scope, task)
  if scope.errors then failure.raise(scope.errors, task) end
  if ok and scope.short and not rawequal(scope.value, scope.own) then
    error(scope.value, 0)              -- its tasks were cut short from outside
  end
  if ok and not scope.cut then return ... end
  if ok or rawequal((...), scope.own) then
    return table.unpack(scope.result, 1, 3)
  end
  error((...), 0)
end

local function guard_handler(value)
  local task <const> = current()
  local thrown <const> = guarded[task]
  if is_cancelled(value) then
    if thrown then return thrown[#thrown].value end
  else
    guarded[task] = failure.throw(thrown, value, task)
  end
  return value
end

--- Run f(...) and give its error to uring.on_error; a cancellation goes on.
function M.guard(f, ...)
  local ok, value = xpcall(f, guard_handler, ...)
  if ok then return end
  local task <const> = current()
  local thrown <const> = guarded[task]
  guarded[task] = nil
  if is_cancelled(value) then error(value, 0) end
  failure.report_all(failure.catch(thrown, value, task), task)
end

local function run_scope(scope, task, f, ...)
  enter(scope, task)
  return finish(scope, task, xpcall(f, handler, ...))
end

--- The running task, or an error for who has called the function that asks.
function M.need_task(what)
  local task = current()
  if not task then
    error(what .. " outside a task: call it inside uring.run", 3)
  end
  return task
end

local need_task <const> = M.need_task

--- Run f(scope) and wait for every task spawned in it.  When one fails the
--- others are cancelled and its error is raised here.
---@param name? string for uring.dump; may be left out
---@param f fun(scope: uring.Scope): ...
---@return any ... what f returns; nil, reason, ECANCELED when it was cancelled
---@overload fun(f: fun(scope: uring.Scope): ...): ...
function M.scope(name, f)
  local task = need_task "uring.scope"
  if type(name) == "string" then
    check.func(f, 2, "scope")
  else
    check.func(name, 1, "scope")
    name, f = nil, name
  end
  local scope = new_scope(task, task:owner())
  scope.name = name
  return run_scope(scope, task, f, scope)
end

--- Run f(...) so that no cancellation from outside reaches it; for cleanup.
---@param f function
---@param ... any its arguments
---@return any ... what f returns
function M.shield(f, ...)
  local task = need_task "uring.shield"
  check.func(f, 1, "shield")
  return run_scope(new_scope(task, task:owner(), true), task, f, ...)
end

--- Run f(...) for at most that many seconds: then cancel it, and wait for its
--- end.  What it returns all the same is returned.
---@param seconds number
---@param f function
---@param ... any its arguments
---@return any ... what f returns; or nil, "timed out", ETIMEDOUT
function M.timeout(seconds, f, ...)
  local task = need_task "uring.timeout"
  check.seconds(seconds, 1, "timeout")
  check.func(f, 2, "timeout")
  local scope
  local timer <const> = core.timer(seconds, function()
    cancel(scope, ("timed out after %g s"):format(seconds),
           {nil, "timed out", ETIMEDOUT})
  end)
  scope = new_scope(task, task:owner())
  scope.timer = timer
  return run_scope(scope, task, f, ...)
end

--- Start a task in the current scope.  Outside a task it belongs to none, and
--- begins when something runs the loop.
---@param f function
---@param ... any its arguments
---@return uring.Task
function M.spawn(f, ...)
  check.kind(f, "function", 1, "spawn")
  local scope = owner()
  if scope then return scope:spawn(f, ...) end
  return spawn(f, ...)
end

-- The first task of run is gone before the others, which nobody waits for.
local function await_abandoned(root, task)
  local ok, problem
  if root.nursery then ok, problem = pcall(root.nursery.join, root.nursery) end
  failure.report(root.errors or {})
  if ok == false then failure.report {failure.new(problem, task)} end
end

-- A message can tell of the others; any other value goes out as it is.
local function returned(ok, ...)
  if ok then return ... end
  local value = ...
  local list = failure.errors(value)
  if type(value) == "string" then
    list[1].text = failure.describe(list)
    error(list[1].text, 0)
  end
  failure.report(list, 2)
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

-- Has run's task not ended?
local function is_left(task)
  local status <const> = task:status()
  return status ~= "done" and status ~= "failed" and status ~= "lost"
end

-- Let the value be raised below in shields, too.
local function break_shields(scope, value)
  local inner = scope.inner
  while inner do
    if inner.shield then interrupt(inner, value) end
    break_shields(inner, value)
    inner = inner.next
  end
end

-- Something interrupts the loop, as Ctrl-C or a deadlock: stop the tasks.  What
-- is shielded may take its time, but not in a deadlock of its own, and not
-- when the loop is interrupted for the third time.  Returns what is to be
-- raised: also a message of such a deadlock.
local function stop(task, root, err)
  local value <const>, last = new_cancelled "interrupted", err
  local told <const> = {failure.new(err, task)}
  interrupt(root, value)
  for round = 1, MAX_STOPS do
    local ok <const>, problem <const> = pcall(task.join, task)
    local stuck <const> = type(problem) == "string"
                          and problem:find("^deadlock: ") and is_left(task)
    if not stuck or type(err) ~= "string" then
      if not (ok or is_cancelled(problem)) then
        failure.report(failure.errors(problem))
      end
    elseif problem ~= last then
      told[#told + 1], last = failure.new(problem, task), problem
    end
    if not is_left(task) then break end
    if stuck or round > 1 then break_shields(root, value) end
  end
  return type(err) == "string" and failure.describe(told) or err
end

--- Run f(...) as the first task, and everything it starts, to the end.  In a
--- task it is a scope.
---@param f function
---@param ... any its arguments
---@return any ... what f returns; raises what it raises, with its traceback
function M.run(f, ...)
  check.kind(f, "function", 1, "run")
  if current() then                    -- already running: a scope of its own
    local args <const> = table.pack(...)
    return M.scope(function() return f(table.unpack(args, 1, args.n)) end)
  end
  local root
  local task, message, code = spawn(function(...)
    return run_scope(root, current(), f, ...)
  end, ...)
  if not task then
    error(setmetatable({message = message, errno = code}, Unavailable), 0)
  end
  root = new_scope(task, nil)
  local before <const> = core.debug() and core.opened()
  local results <const> = table.pack(pcall(task.join, task))
  local interrupted <const> = is_left(task) -- by an error of the loop itself
  if interrupted then results[2] = stop(task, root, results[2]) end
  if root.abandoned then await_abandoned(root, task) end
  if before then report_open(before) end
  if interrupted then error(results[2], 0) end
  return returned(table.unpack(results, 1, results.n))
end

return M
