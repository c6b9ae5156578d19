--- First-in first-out lists of waiting tasks, with removal in O(1).
--
-- A node waits for one thing; the nodes of a ticket wait for several, and
-- the first of them that is woken takes the others off their lists.  A task
-- that is cancelled leaves its list before the cancellation goes on, and one
-- that was woken already keeps what it was woken with: nothing is lost.

local core <const> = require "uring.core"
local park <const>, waiter <const>, pcall <const> =
  core.park, core.waiter, pcall

local M = {}

---@return table list empty
function M.new()
  local list = {}
  list.next, list.prev = list, list
  return list
end

local function append(list, node)
  local last = list.prev
  node.prev, node.next = last, list
  last.next, list.prev = node, node
end

local function remove(node)
  local prev, next = node.prev, node.next
  if next then
    prev.next, next.prev = next, prev
    node.next, node.prev = nil, nil
  end
end

local function leave(ticket)
  for i = 1, #ticket do remove(ticket[i]) end
end

--- Let the first task that still waits go on with the values.  One that was
--- cancelled, or whose time is over, does not wait any more although it had
--- no chance to leave the list yet.
---@return table? node of that task; nil when there is none
function M.wake(list, ...)
  local node = list.next
  while node ~= list do
    local ticket = node.ticket
    if ticket then leave(ticket) else remove(node) end
    if ticket and ticket.task:wake(node.key, ...)
       or not ticket and node.task:wake(...) then
      return node
    end
    node = list.next
  end
end

--- Let everybody go on with the values.
function M.wake_all(list, ...)
  repeat until not M.wake(list, ...)
end

local function woken(node, ok, ...)
  if ok then
    if node.next then remove(node) end   -- the time was over
    return ...
  end
  remove(node)
  error((...), 0)
end

--- Wait in the list; returns what the task is woken with.
---@param list table
---@param what string for uring.dump
---@param value any what the node carries
---@param seconds? number then nil, "timed out", ETIMEDOUT
function M.wait(list, what, value, seconds)
  local node = {task = waiter(), value = value}
  append(list, node)
  return woken(node, pcall(park, seconds, what))
end

--- A ticket for the running task.
function M.ticket()
  return {task = waiter()}
end

--- Put another node of the ticket into a list.
function M.join(ticket, list, key, value)
  local node = {ticket = ticket, key = key, value = value}
  ticket[#ticket + 1] = node
  append(list, node)
end

local function chosen(ticket, ok, ...)
  leave(ticket)
  if ok then return ... end
  error((...), 0)
end

--- Wait for the first of the ticket's nodes.
---@return any key of the node, and what it was woken with
function M.wait_any(ticket, what, seconds)
  return chosen(ticket, pcall(park, seconds, what))
end

return M
