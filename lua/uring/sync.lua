--- Channels, mutexes, semaphores, events, conditions, select.
--
-- Tables and lists of waiting tasks, no descriptors.  All are first come
-- first served: a wake-up is given to one waiter at the moment it happens,
-- so a task that comes later cannot take it away.

local core <const> = require "uring.core"
local check <const> = require "uring.check"
local queue <const> = require "uring.queue"
local scope <const> = require "uring.scope"
local errno <const>, current <const> = core.errno, core.current
local may_wait <const> = core.check    -- raises what an await would raise here

local M = {}

local function class(name)
  local methods = {}
  return methods, {__name = name, __index = methods}
end

-- ---- channels ------------------------------------------------------------

---@class uring.Channel
local Channel, channel_meta = class "uring.channel"

--- A channel that holds up to n values; with 0 (the default) a send waits for
--- its receiver.  "for value in channel do" receives until it is closed and
--- empty, #channel is how many it holds, and <close> closes it.
---@param n? integer
---@return uring.Channel
function M.channel(n)
  if n ~= nil then check.count(n, 0, 1, "channel") end
  return setmetatable({
    size = n or 0,
    items = {}, head = 1, tail = 0,
    senders = queue.new(), receivers = queue.new()
  }, channel_meta)
end

local function ended()
  return nil, "closed", errno.EPIPE
end

-- Send without waiting; nil when it would have to wait.
local function offer(self, value)
  if queue.wake(self.receivers, value) then return true end
  if self.tail - self.head + 1 < self.size then
    self.tail = self.tail + 1
    self.items[self.tail] = value
    return true
  end
end

-- Receive without waiting; nil when it would have to wait.
local function take(self)
  local sender = queue.wake(self.senders, true)
  if self.head > self.tail then return sender and sender.value end
  local value = self.items[self.head]
  self.items[self.head] = nil
  self.head = self.head + 1
  if sender then
    self.tail = self.tail + 1
    self.items[self.tail] = sender.value
  end
  return value
end

local function check_value(value, what)
  if value == nil then check.bad(1, what, "nil cannot be sent", 3) end
end

--- Send a value, waiting for room or for a receiver.
---@param value any not nil
---@param seconds? number how long to wait
---@return true? sent nil, "closed", EPIPE; nil, "timed out", ETIMEDOUT
function Channel:send(value, seconds)
  check_value(value, "send")
  may_wait()
  if self.closed then return ended() end
  if offer(self, value) then return true end
  return queue.wait(self.senders, "channel send", value, seconds)
end

--- Send a value if that is possible without waiting.
---@param value any not nil
---@return boolean sent
function Channel:try_send(value)
  check_value(value, "try_send")
  return not self.closed and offer(self, value) or false
end

--- Receive a value, waiting for one.
---@param seconds? number how long to wait
---@return any value nil, "closed", EPIPE when the channel is closed and empty
function Channel:recv(seconds)
  may_wait()
  local value = take(self)
  if value ~= nil then return value end
  if self.closed then return ended() end
  return queue.wait(self.receivers, "channel recv", nil, seconds)
end

--- Receive a value if there is one.
---@return any value or nil
function Channel:try_recv()
  return take(self)
end

--- No more sends.  What was sent can still be received; senders that wait get
--- nil, "closed", EPIPE.
function Channel:close()
  self.closed = true
  queue.wake_all(self.receivers, ended())
  queue.wake_all(self.senders, ended())
end

--- for value in channel do ... end
function channel_meta:__call() return (self:recv()) end

channel_meta.__close = Channel.close

--- The values that are held.
function channel_meta:__len() return self.tail - self.head + 1 end

-- ---- semaphores, mutexes -------------------------------------------------

---@class uring.Semaphore
local Semaphore, semaphore_meta = class "uring.semaphore"

--- A semaphore with n permits.
---@param n integer
---@return uring.Semaphore
function M.semaphore(n)
  check.count(n, 0, 1, "semaphore")
  return setmetatable({permits = n, waiters = queue.new()}, semaphore_meta)
end

--- Take a permit, waiting for one.
---@param seconds? number how long to wait
---@return uring.Semaphore? self to be released, by <close> if you like; nil,
---"timed out", ETIMEDOUT
function Semaphore:acquire(seconds)
  may_wait()
  if self.permits > 0 then
    self.permits = self.permits - 1
    return self
  end
  return queue.wait(self.waiters, "semaphore", nil, seconds)
end

--- Take a permit if there is one.
---@return uring.Semaphore? self nil when there is none
function Semaphore:try_acquire()
  if self.permits == 0 then return nil end
  self.permits = self.permits - 1
  return self
end

--- Give a permit back, to the first that waits.
function Semaphore:release()
  if not queue.wake(self.waiters, self) then
    self.permits = self.permits + 1
  end
end

semaphore_meta.__close = Semaphore.release

---@class uring.Mutex
local Mutex, mutex_meta = class "uring.mutex"

--- A lock that one task holds at a time.
---@return uring.Mutex
function M.mutex()
  return setmetatable({waiters = queue.new()}, mutex_meta)
end

--- Lock, waiting until it is free.
---@param seconds? number how long to wait
---@return uring.Mutex? self to be unlocked, by <close> if you like; nil,
---"timed out", ETIMEDOUT
function Mutex:lock(seconds)
  may_wait()
  local me = core.waiter()
  if not self.owner then
    self.owner = me
    return self
  end
  if self.owner == me then
    error("mutex is locked by this task already", 2)
  end
  return queue.wait(self.waiters, "mutex", nil, seconds)
end

--- Lock if it is free.
---@return uring.Mutex? self nil when another task holds it
function Mutex:try_lock()
  if self.owner then return nil end
  self.owner = core.waiter()
  return self
end

--- Unlock: the first that waits has it then.
function Mutex:unlock()
  if self.owner ~= core.waiter() then
    error("mutex is not locked by this task", 2)
  end
  local node = queue.wake(self.waiters, self)
  self.owner = node and node.task
end

mutex_meta.__close = Mutex.unlock

-- ---- events, conditions ----------------------------------------------------

---@class uring.Event
local Event, event_meta = class "uring.event"

--- A flag that tasks wait for.
---@return uring.Event
function M.event()
  return setmetatable({value = false, waiters = queue.new()}, event_meta)
end

--- Wake everybody who waits, and let later ones pass.
function Event:set()
  self.value = true
  queue.wake_all(self.waiters, true)
end

--- From now on wait again.
function Event:clear() self.value = false end

--- Is it set?
---@return boolean
function Event:is_set() return self.value end

--- Wait until it is set.
---@param seconds? number how long to wait
---@return true? set nil, "timed out", ETIMEDOUT
function Event:wait(seconds)
  may_wait()
  if self.value then return true end
  return queue.wait(self.waiters, "event", nil, seconds)
end

---@class uring.Condition
local Condition, condition_meta = class "uring.condition"

--- A condition; with a mutex its wait unlocks it meanwhile.
---@param mutex? uring.Mutex
---@return uring.Condition
function M.condition(mutex)
  if mutex ~= nil and getmetatable(mutex) ~= mutex_meta then
    check.bad(1, "condition", "mutex expected, got " .. type(mutex))
  end
  return setmetatable({mutex = mutex, waiters = queue.new()}, condition_meta)
end

local function relock(mutex, ok, ...)
  if current() then scope.shield(mutex.lock, mutex) else mutex:lock() end
  if ok then return ... end
  error((...), 0)
end

--- Wait for a signal.  Check what you wait for again afterwards, in a loop.
---@param seconds? number how long to wait
---@return true? signalled nil, "timed out", ETIMEDOUT
function Condition:wait(seconds)
  local mutex = self.mutex
  if not mutex then
    return queue.wait(self.waiters, "condition", nil, seconds)
  end
  mutex:unlock()
  return relock(mutex, pcall(queue.wait, self.waiters, "condition", nil,
                             seconds))
end

--- Wake the first that waits.
---@return boolean woken
function Condition:signal()
  return queue.wake(self.waiters, true) ~= nil
end

--- Wake everybody who waits.
function Condition:broadcast() queue.wake_all(self.waiters, true) end

-- ---- select ----------------------------------------------------------------

local CASES <const> = "a case is a channel, {channel, value}, an event, a " ..
  "semaphore, a function or a number of seconds"

-- What is wrong with a case, or nil.
local function case_error(case)
  local kind, meta = type(case), getmetatable(case)
  if kind == "number" then
    if case < 0 or case ~= case then return "seconds must not be negative" end
  elseif kind == "table" and not meta then
    if getmetatable(case[1]) ~= channel_meta then return CASES end
    return case[2] == nil and "nil cannot be sent" or nil
  elseif kind ~= "function" and meta ~= channel_meta and meta ~= event_meta
         and meta ~= semaphore_meta then
    return CASES
  end
end

-- Can this case go on at once?  Then true and its results.
local function try_case(case)
  local meta = getmetatable(case)
  if meta == channel_meta then
    local value = take(case)
    if value ~= nil then return true, value end
    if case.closed then return true, ended() end
  elseif meta == event_meta then
    if case.value then return true, true end
  elseif meta == semaphore_meta then
    if case:try_acquire() then return true, case end
  elseif type(case) == "table" then
    if case[1].closed then return true, ended() end
    if offer(case[1], case[2]) then return true, true end
  end
end

-- The key and the results of a case that can go on at once, of a list the
-- first; nil when there is none.
local function first_ready(cases)
  local listed = 0
  for i, case in ipairs(cases) do
    local ready, value, message, code = try_case(case)
    if ready then return i, value, message, code end
    listed = i
  end
  for key, case in pairs(cases) do
    if math.type(key) ~= "integer" or key < 1 or key > listed then
      local ready, value, message, code = try_case(case)
      if ready then return key, value, message, code end
    end
  end
end

-- Enter the case into the list of what it waits for.
local function enter_case(ticket, key, case)
  local meta = getmetatable(case)
  if meta == channel_meta then
    queue.join(ticket, case.receivers, key)
  elseif meta == event_meta or meta == semaphore_meta then
    queue.join(ticket, case.waiters, key)
  elseif type(case) == "table" then
    queue.join(ticket, case[1].senders, key, case[2])
  end
end

-- Functions run as tasks of a scope; the first that returns wakes the ticket.
local function run_functions(s, ticket, cases, done)
  for key, case in pairs(cases) do
    if type(case) == "function" then
      s:spawn(function()
        local results = table.pack(case())
        if not done.key and ticket.task:wake(key) then
          done.key, done.results = key, results
        end
      end)
    end
  end
end

local function after_select(s, done, key, ...)
  s:cancel "another case was chosen"
  if done.key ~= nil and key == done.key then
    return table.pack(key, table.unpack(done.results, 1, done.results.n))
  end
  return table.pack(key, ...)
end

-- What was chosen is returned however the others end: their errors go to
-- uring.on_error then, and a cancellation is raised by the next await.
local function select_with_functions(ticket, cases, seconds)
  local results
  local ok, err = pcall(scope.scope, function(s)
    local done = {}
    run_functions(s, ticket, cases, done)
    results = after_select(s, done, queue.wait_any(ticket, "select", seconds))
  end)
  if not results then error(err, 0) end
  if not ok then pcall(scope.guard, error, err, 0) end
  return results
end

-- The nearest time among the cases, its key, and whether there are functions.
local function survey(cases)
  local seconds, timeout_key, functions
  check.kind(cases, "table", 1, "select", 3)
  if next(cases) == nil then check.bad(1, "select", "no cases", 3) end
  for key, case in pairs(cases) do
    local wrong = case_error(case)
    if wrong then check.bad(1, "select", wrong, 3) end
    if type(case) == "number" and (not seconds or case < seconds) then
      seconds, timeout_key = case, key
    end
    functions = functions or type(case) == "function"
  end
  return seconds, timeout_key, functions
end

--- Wait for the first of several things.
---
--- A case is a channel (receive), {channel, value} (send), an event, a
--- semaphore (acquire), a function (run as a task, and cancelled when another
--- case was faster), or a number (so many seconds).  When several can go on at
--- once, it is the first one of a list.
---@param cases table<any, any>
---@return any key of the case, then its results
function M.select(cases)
  local seconds, timeout_key, functions = survey(cases)
  may_wait()
  local key, value, message, code = first_ready(cases)
  if message then return key, value, message, code end
  if key ~= nil then return key, value end
  if functions and not current() then return scope.run(M.select, cases) end
  local ticket = queue.ticket()
  for k, case in pairs(cases) do enter_case(ticket, k, case) end
  local chosen = functions and select_with_functions(ticket, cases, seconds)
    or table.pack(queue.wait_any(ticket, "select", seconds))
  if chosen[1] == nil then return timeout_key end
  return table.unpack(chosen, 1, chosen.n)
end

return M
