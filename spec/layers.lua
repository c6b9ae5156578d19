-- One case for both layers: what it asks for is done by op.<name> in a task,
-- or by sqe:prep_<name> and its completion, and comes back in one form.

local busted = require "busted"
local core = require "uring.core"
local helper = require "spec.helper"

local op <const>, sock <const> = core.op, core.sock
local assert <const> = busted.assert

local PATIENCE <const> = 20 -- seconds until nothing will come any more

local function set(names)
  local t = {}
  for name in names:gmatch "%S+" do t[name] = true end
  return t
end

-- What the number of a completion is, where it is neither a count nor 0.
local fds <const> = set "openat open openat2 fixed_fd_install socket accept multishot_accept"
local slots <const> = set [[openat_direct open_direct openat2_direct socket_direct
  socket_direct_alloc accept_direct multishot_accept_direct]]
local counts <const> = set [[nop read write readv writev readv2 writev2 read_fixed write_fixed
  readv_fixed writev_fixed splice tee getxattr fgetxattr send sendto send_zc send_zc_fixed recv
  send_bundle send_vectorized sendmsg sendmsg_zc sendmsg_zc_fixed poll_add poll_multishot cancel
  cancel64 cancel_fd msg_ring_fd msg_ring_fd_alloc futex_wake remove_buffers uring_cmd
  read_multishot recv_multishot cmd_tx_timestamp]]
local values <const> = set "statx waitid cmd_getsockname epoll_wait"

-- The slot that the arguments of prep_<name> say.
local place <const> = { openat_direct = 5, open_direct = 4, openat2_direct = 4, socket_direct = 4,
  accept_direct = 3, pipe_direct = 2 }

-- ---- the raw layer ----------------------------------------------------------

local raw = { entry = true }
raw.__index = raw

-- The next completion with these data, nil if none comes in time; others are
-- kept for those who want them.
function raw:await(data, seconds)
  local kept <const> = self.kept
  while true do
    for i, cqe in ipairs(kept) do
      if cqe.data == data then return table.remove(kept, i) end
    end
    local cqe <const>, message <const>, code <const> = self.ring:wait_cqe(seconds)
    if not cqe then return nil, message, code end
    kept[#kept + 1] = cqe
  end
end

function raw:reap(data) return assert(self:await(data, PATIENCE)) end

-- A completion as op.<name> would return it; a failure as nil and its number.
local function convert(self, name, args, cqe)
  local res <const>, value <const> = cqe.res, cqe.value
  if res < 0 and not (name:find "timeout" and res == -core.errno.ETIME) then return nil, -res end
  if fds[name] then return core.fd(res), value end
  if slots[name] then
    local slot <const> = args[place[name]]
    return self.ring:direct(slot and slot < core.IORING_FILE_INDEX_ALLOC and slot or res), value
  end
  if name == "pipe" then return core.fd(value[1]), core.fd(value[2]) end
  if name == "pipe_direct" then return self.ring:direct(value[1]), self.ring:direct(value[2]) end
  if name == "files_update" and args[2] then return res end
  if name == "files_update" then
    for i, slot in ipairs(value) do value[i] = self.ring:direct(slot) end
    return value
  end
  if name == "futex_waitv" then return res + 1 end
  if name:find "^recvmsg" then return res, value end
  if name == "cmd_sock" then
    if args[1] == core.SOCKET_URING_OP_SETSOCKOPT then return true end
    return value or res
  end
  if values[name] then return value end
  if counts[name] then return res, cqe end
  assert.equal(0, name:find "timeout" and 0 or res, name)
  return true
end

-- Begin an operation; what it is for whoever wants to cancel it is 'target'.
function raw:start(name, ...)
  local args <const>, pending = table.pack(...), {}
  local sqe <const> = assert(self.ring:get_sqe())
  pending.target = {}
  assert(sqe["prep_" .. name](sqe, ...))
  sqe:set_data(pending.target)
  if self.ioprio then sqe:set_ioprio(self.ioprio) end
  self:forget()
  assert(self.ring:submit())
  self.last = pending.target
  function pending.result()
    local cqe <const> = self:reap(pending.target)
    if name == "send_bundle" and cqe.more then -- it has tried to send more
      assert.equal(-core.errno.ENOBUFS, self:reap(pending.target).res)
    end
    return convert(self, name, args, cqe)
  end
  function pending.done()
    local cqe <const> = self:await(pending.target, 0)
    self.kept[#self.kept + 1] = cqe
    return cqe ~= nil
  end
  return pending
end

-- The memory of the last zero-copy send is free: the notification.
function raw:settle()
  local cqe <const> = self:reap(self.last)
  assert.is_true(cqe.notif)
  assert.is_false(cqe.more)
  return cqe
end

-- Operations one after the other, each {name, ...}: the numbers of their
-- completions.
function raw:chain(...)
  local tokens <const>, list <const> = {}, table.pack(...)
  for i, step in ipairs(list) do
    local sqe <const> = assert(self.ring:get_sqe())
    tokens[i] = {}
    sqe["prep_" .. step[1]](sqe, table.unpack(step, 2, #step)):set_data(tokens[i])
    if i < list.n then sqe:set_flags(core.IOSQE_IO_LINK) end
  end
  assert(self.ring:submit())
  for i, token in ipairs(tokens) do tokens[i] = self:reap(token).res end
  return tokens
end

-- A multishot: a function that returns its next result, and one that ends it.
function raw:many(name, ...)
  local args <const>, token, more = table.pack(...), {}, true
  local sqe <const> = assert(self.ring:get_sqe())
  local br
  for i = 1, args.n do
    if tostring(args[i]):find "^uring.bufring" then br = args[i] end
  end
  assert(sqe["prep_" .. name](sqe, ...)):set_data(token)
  assert(self.ring:submit())
  local function following()
    if not more then return nil end
    local cqe <const> = self:reap(token)
    more = cqe.more
    if br and cqe.buffer_id then
      local text <const>, value <const> = br:string(cqe), cqe.value
      br:recycle(cqe)
      if type(value) == "table" then return value.data, value end
      return text
    end
    if cqe.res == 0 and br then return nil end
    return convert(self, name, args, cqe)
  end
  return following, function()
    while more do -- a timer that has just expired is not found
      self:call("cancel", token)
      local cqe <const> = self:await(token, 0.01)
      more = not cqe or cqe.more
    end
  end
end

-- ---- operations in tasks ----------------------------------------------------

local await = {}
await.__index = await

-- What the task returns, which is not to wait for ever.
local function join(self, task) return helper.finish(self.ring, task, PATIENCE) end

local function normal(name, result, ...)
  local message <const>, code <const> = ...
  if result ~= nil or code == nil then return result, ... end
  assert.equal(name, message:match "^[%w_]+")
  assert.equal("integer", math.type(code))
  return nil, code
end

function await:start(name, ...)
  local f <const> = self.ioprio and op.with({ ioprio = self.ioprio })[name] or op[name]
  local task <const> = self.ring:spawn(f, ...)
  self:forget()
  self.ring:step(0)
  return {
    target = task,
    result = function() return normal(name, join(self, task)) end,
    done = function()
      self.ring:step(0)
      return task:status() ~= "waiting"
    end,
  }
end

function await:settle()
  local deadline <const> = core.now() + PATIENCE
  while self.ring:stats().active > 0 do
    assert(core.now() < deadline, "a notification has not come")
    self.ring:step(0.1)
  end
end

function await:chain(...)
  local steps <const> = table.pack(...)
  local results <const> = join(self, self.ring:spawn(op.link, function(c)
    for _, step in ipairs(steps) do c[step[1]](c, table.unpack(step, 2, #step)) end
  end))
  for i, result in ipairs(results) do
    if type(result) == "table" and result[3] then result = -result[3] end
    if steps[i][1]:find "timeout" and result == true then result = -core.errno.ETIME end
    if result == true then result = 0 end
    results[i] = result
  end
  return results
end

local function text_of(value, ...)
  if type(value) ~= "userdata" or not value.release then return value, ... end
  local text <const> = value:string()
  value:release()
  return text, ...
end

function await:many(name, ...)
  local it
  join(self, self.ring:spawn(function(...) it = op[name](...) end, ...))
  return function()
    return normal(name, join(self, self.ring:spawn(function() return text_of(it()) end)))
  end, function() join(self, self.ring:spawn(function() it:close() end)) end
end

-- ---- what both have ---------------------------------------------------------

local both = {}

-- Do it, and return the result.
function both:call(...) return self:start(...).result() end

-- Nobody has the arguments any more but the operation, whose thread may not
-- have read them.
function both:forget()
  if self.ring.flags & core.IORING_SETUP_SQPOLL ~= 0 then collectgarbage() end
end

-- It fails with this error.
function both:fails(code, ...)
  local result, number = self:call(...)
  assert.is_nil(result)
  assert.equal(core.errno[code], number)
end

-- A multishot ends with this error before it has begun.
function both:refuses(code, ...)
  local following <const>, stop <const> = self:many(...)
  local result <const>, number <const> = following()
  assert.is_nil(result)
  assert.equal(core.errno[code], number)
  stop()
end

-- It is closed when the case ends.
function both:keep(...)
  for i = 1, select("#", ...) do self.kept_open[#self.kept_open + 1] = (select(i, ...)) end
  return ...
end

-- The file of the case, and a file of it that Lua has opened.
function both:file(mode) return self:keep(assert(io.open(self.path, mode or "r+b"))) end

function both:write(text) helper.write_file(self.path, text) end

function both:contents() return helper.read_file(self.path) end

function both:directory() return self:keep(assert(io.open(self.dir))) end

function both:pipe() return self:keep(assert(sock.pipe())) end

-- Two connected sockets, and two of UDP; the address of the second.
function both:pair() return self:keep(helper.pair()) end

function both:udp()
  local a, b = self:keep(assert(op.socket(core.AF_INET, core.SOCK_DGRAM)),
    assert(op.socket(core.AF_INET, core.SOCK_DGRAM)))
  assert(sock.bind(a, "127.0.0.1:0"))
  assert(sock.bind(b, "127.0.0.1:0"))
  return a, b, assert(sock.getsockname(b))
end

function both:listener()
  local fd, address = helper.listener()
  return self:keep(fd), address
end

-- What is in the ring's table of files, by slot.
function both:slots() return helper.ring_info(self.ring).UserFiles end

-- Put a file into a slot, by a call.
function both:install(slot, file)
  assert.equal(1, self.ring:register_files_update(slot, { file or self:file() }))
  return slot
end

-- A buffer ring with the number 1; all its buffers must come back.
function both:buffers(n, size, flags, sending)
  self.br = assert(self.ring:setup_buf_ring(n, 1, flags or 0, size, sending))
  self.sending = sending
  return self.br
end

-- All that was pushed was sent, or dropped; the script of an entry says when
-- its memory may be filled again.
function both:taken(n, cqe)
  if cqe then self.br:recycle(cqe) end
  assert.equal(0, self.br:available())
  return n
end

for name, f in pairs(both) do raw[name], await[name] = f, f end

local layers <const> = { { "in a task", await }, { "as an entry", raw } }
local rings <const> = {
  { "", { entries = 32 } },
  { ", polled", { entries = 32, sqpoll = true, sq_thread_idle = 20 } },
}

local function close(self)
  for i = #self.kept_open, 1, -1 do
    local object <const> = self.kept_open[i]
    if io.type(object) ~= "closed file" then object:close() end
  end
  self.kept_open = {}
end

-- Run f(self) on a new ring with a table of 8 slots, in a directory with the
-- file "file", which has ten digits.
local function run(layer, options, f)
  local dir <close> = helper.tmpdir()
  local ring <close> = assert(core.ring(options))
  assert(ring:register_files_sparse(8))
  local self <const> = setmetatable({ ring = ring, dir = tostring(dir), path = dir .. "/file",
    kept = {}, kept_open = {} }, layer)
  helper.write_file(self.path, "0123456789")
  local ok, err = xpcall(f, function(err)
    if type(err) == "table" and type(err.message) == "string" then
      err.message = debug.traceback(err.message, 2)
    end
    return type(err) == "string" and debug.traceback(err, 2) or err
  end, self)
  close(self)
  if not ok then error(err, 0) end
  if self.br then
    assert.equal(self.sending and 0 or #self.br, self.br:available())
    self.br:close()
  end
  assert.same({}, self.kept)
  assert(helper.idle(ring))
end

-- A spec for each layer; and, 'polled', for a ring whose arguments the kernel
-- reads when it likes.  The ring may need more options.
local function each_layer(name, f, polled, options)
  for _, layer in ipairs(layers) do
    for i = 1, polled and 2 or 1 do
      local all <const> = { clamp = options and true }
      for _, list in ipairs { rings[i][2], options } do
        for option, value in pairs(list) do all[option] = value end
      end
      helper.main_it(("%s (%s%s)"):format(name, layer[1], rings[i][1]), function()
        run(layer[2], all, f)
      end)
    end
  end
end

return each_layer
