-- Every kind of wait, and every moment at which it may be cancelled or its
-- deadline may expire: nothing leaks, nothing hangs, no result is lost.

local uring = require "uring"
local core = require "uring.core"
local helper = require "spec.helper"

local op <const>, errno <const> = uring.op, uring.errno
local it <const> = helper.scoped

local function is_cancelled(ok, value) return not ok and value == uring.cancelled end

-- ---- kinds of wait ----------------------------------------------------------

-- Each is new(): { wait = f() -> what it waits for; complete = f(), which lets
-- it end, once; check = f(value), with what the wait has returned or nil, after
-- complete: that nothing was lost }.  What is in it is closed when it goes out
-- of scope.  instant: it may end before anybody can cancel it.
local kinds <const> = {}

local function kind(name, new, instant)
  kinds[#kinds + 1] = { name = name, new = new, instant = instant }
end

local function scene(t, ...)
  local things = table.pack(...)
  return setmetatable(t, { __close = function()
    for i = 1, things.n do things[i]:close() end
  end })
end

-- What can be read from r at once.
local function drain(read, r)
  local parts = {}
  while true do
    local data = uring.timeout(0.002, read, r, 65536)
    if not data or data == "" then return table.concat(parts) end
    parts[#parts + 1] = data
  end
end

-- A reader of "data": the bytes are returned, or still in the stream.
local function reader(make, receive, send, rest)
  return function()
    local r, w = make()
    return scene({
      wait = function() return receive(r) end,
      complete = function() assert.equal(4, send(w, "data")) end,
      check = function(value) assert.equal("data", (value or "") .. drain(rest, r)) end,
    }, r, w)
  end
end

local function socketpair()
  return core.sock.socketpair(core.AF_UNIX, core.SOCK_STREAM)
end

-- Bytes that were read into a buffer, of which only the number is returned.
local function into_buffer(f)
  return function(fd)
    local buffer = uring.buffer(100)
    local n = f(fd, buffer)
    return n and buffer:string(1, n)
  end
end

kind("read", reader(core.sock.pipe, function(fd) return op.read(fd, 100) end, op.write,
  op.read))
kind("read into a buffer", reader(core.sock.pipe, into_buffer(op.read), op.write, op.read))
kind("readv", reader(core.sock.pipe, function(fd)
  local a, b = uring.buffer(2), uring.buffer(50)
  local n = op.readv(fd, { a, b })
  return n and a:string(1, math.min(n, 2)) .. b:string(1, math.max(n - 2, 0))
end, op.write, op.read))
kind("recv", reader(socketpair, function(fd) return op.recv(fd, 100) end, op.send, op.recv))
kind("recv into a buffer", reader(socketpair, into_buffer(op.recv), op.send, op.recv))
kind("recv on TCP", reader(helper.pair, function(fd) return op.recv(fd, 100) end, op.send,
  op.recv))
kind("recv in a coroutine", reader(socketpair, function(fd)
  return uring.coroutine.wrap(function()
    return uring.coroutine.wrap(op.recv)(fd, 100)
  end)()
end, op.send, op.recv))
kind("recv of all or nothing", reader(socketpair, function(fd)
  return op.recv(fd, 4, core.MSG_WAITALL)
end, op.send, op.recv))

-- A stream, which keeps what it has read for the next who reads.
local function stream_reader(read)
  return function()
    local server <close> = assert(uring.listen "127.0.0.1:0")
    local a = assert(uring.connect(server:address()))
    local b = assert(server:accept())
    return scene({
      wait = function() return read(a) end,
      complete = function() assert(b:write "line\n") end,
      check = function(value)
        assert(b:shutdown "write")
        local rest = a:read "a"
        assert.equal("line\n", (value or "") .. rest)
      end,
    }, a, b)
  end
end

kind("a stream's line", stream_reader(function(a) return a:read "L" end))
kind("a stream's bytes", stream_reader(function(a) return a:readexact(5) end))
kind("a stream's some", stream_reader(function(a) return a:readsome() end))

-- A writer to something full: the number of bytes is returned, and they arrive.
local function writer(make, send, receive, size)
  return function()
    local r, w = make()
    local full = 0
    local chunk = ("x"):rep(4096)
    repeat
      local n = uring.timeout(0.002, send, w, chunk)
      full = full + (tonumber(n) or 0)
    until not n
    local received = 0
    return scene({
      wait = function() return send(w, ("y"):rep(size)) end,
      complete = function() received = #drain(receive, r) end,
      check = function(n)
        received = received + #drain(receive, r)
        assert.equal(full + (n or 0), received)
      end,
    }, r, w)
  end
end

kind("write", writer(core.sock.pipe, function(fd, data) return op.write(fd, data) end,
  op.read, 100))
kind("send", writer(socketpair, op.send, op.recv, 100))
kind("send of all", function()
  local r, w = socketpair()
  local received = ""
  local text <const> = ("0123456789"):rep(100000)
  return scene({
    wait = function() return op.send(w, text, nil, core.MSG_WAITALL) end,
    complete = function() received = drain(op.recv, r) end,
    check = function(n)
      received = received .. drain(op.recv, r)
      if n then assert.equal(n, #received) end
      assert.equal(text:sub(1, #received), received)
      assert.is_true(n ~= nil or received == "", #received .. " bytes were sent unnoticed")
    end,
  }, r, w)
end)

kind("accept", function()
  local listener, address = helper.listener()
  local client
  return scene({
    wait = function() return (op.accept(listener)) end,
    complete = function()
      client = assert(op.socket(core.AF_INET, core.SOCK_STREAM))
      assert(op.connect(client, address))
    end,
    check = function(conn)               -- delivered, in the queue, or closed
      local _ <close> = client
      conn = conn or uring.timeout(0.003, op.accept, listener)
      if conn then
        local _ <close> = conn
        assert.equal(2, op.send(conn, "hi"))
        assert.equal("hi", op.recv(client, 10))
      else
        local data, _, code = uring.timeout(5, op.recv, client, 10)
        assert.is_true(data == "" or code == errno.ECONNRESET)
      end
    end,
  }, listener)
end)

kind("connect", function()               -- to a queue that is full
  local listener = assert(op.socket(core.AF_UNIX, core.SOCK_STREAM))
  local name <const> = ("unix:@uring-%d-%d"):format(helper.process.pid(), listener:fileno())
  assert(core.sock.bind(listener, name))
  assert(core.sock.listen(listener, 0))
  local first = assert(op.socket(core.AF_UNIX, core.SOCK_STREAM))
  assert(op.connect(first, name))
  local socket = assert(op.socket(core.AF_UNIX, core.SOCK_STREAM))
  return scene({
    wait = function() return op.connect(socket, name) end,
    complete = function() assert(op.accept(listener)):close() end,
    check = function(connected)
      local conn = uring.timeout(connected and 5 or 0.003, op.accept, listener)
      if connected then assert.truthy(conn) end
      if conn then conn:close() end
    end,
  }, listener, first, socket)
end)

kind("poll", function()
  local r, w = core.sock.pipe()
  return scene({
    wait = function() return op.poll_add(r, core.POLLIN) end,
    complete = function() op.write(w, "x") end,
    check = function(events)
      if events then assert.equal(core.POLLIN, events & core.POLLIN) end
      assert.equal("x", op.read(r, 10))
    end,
  }, r, w)
end)

local function nothing() end

kind("timeout", function()
  return scene { wait = function() return op.timeout(0.003) end,
    complete = function() uring.sleep(0.003) end, check = nothing }
end)

kind("nop", function()
  return scene { wait = op.nop, complete = nothing, check = nothing }
end, true)

kind("openat", function()
  return scene {
    wait = function() return op.openat(nil, "/dev/null", 0) end,
    complete = nothing,
    check = function(fd) if fd then fd:close() end end,
  }
end, true)

kind("socket", function()
  return scene {
    wait = function() return op.socket(core.AF_INET, core.SOCK_STREAM) end,
    complete = nothing,
    check = function(fd) if fd then fd:close() end end,
  }
end, true)

kind("statx", function()
  return scene { wait = function() return op.statx(nil, "/", 0) end, complete = nothing,
    check = nothing }
end, true)

kind("a chunk of a file", function()
  local file = assert(uring.open "/proc/self/maps")
  local size
  return scene({
    wait = function() return file:read(10) end,
    complete = nothing,
    check = function(data)
      size = #file:read(10) + #(data or "")
      assert.is_true(size == 10 or size == 20)
    end,
  }, file)
end, true)

kind("sleep", function()
  return scene { wait = function() return uring.sleep(0.003) end,
    complete = function() uring.sleep(0.003) end, check = nothing }
end)

kind("yield", function()
  return scene { wait = uring.yield, complete = nothing, check = nothing }
end, true)

kind("join", function()
  local event = uring.event()
  local other = uring.spawn(function()
    event:wait()
    return "result"
  end)
  return scene {
    wait = function() return other:join() end,
    complete = function() event:set() end,
    check = function() assert.equal("result", other:join()) end,
  }
end)

kind("park", function()
  local parked, woken
  return scene {
    wait = function()
      parked = uring.current()
      return core.park()
    end,
    complete = function() woken = parked and parked:wake "woken" end,
    check = function(value) assert.equal(woken and "woken" or nil, value) end,
  }
end)

kind("park with a time", function()
  local parked, woken
  return scene {
    wait = function()
      parked = uring.current()
      return core.park(1000)
    end,
    complete = function() woken = parked and parked:wake "woken" end,
    check = function(value) assert.equal(woken and "woken" or nil, value) end,
  }
end)

local function receiver(size)
  return function()
    local channel = uring.channel(size)
    local sent
    return scene {
      wait = function() return channel:recv() end,
      complete = function() sent = channel:try_send "item" end,
      check = function(value)
        assert.equal(sent and "item" or nil, value or channel:try_recv())
        assert.is_nil(channel:try_recv())
        assert.equal(channel.receivers, channel.receivers.next)
      end,
    }
  end
end

kind("channel recv", receiver(0))
kind("channel recv with room", receiver(5))

kind("channel send", function()
  local channel = uring.channel()
  local got
  return scene {
    wait = function() return channel:send "item" end,
    complete = function() got = channel:try_recv() end,
    check = function(sent)
      assert.equal(got, sent and "item")
      assert.is_nil(channel:try_recv())
      assert.equal(channel.senders, channel.senders.next)
    end,
  }
end)

kind("channel send with room", function()
  local channel = uring.channel(1)
  channel:send "first"
  local got
  return scene {
    wait = function() return channel:send "item" end,
    complete = function() got = channel:try_recv() end,
    check = function(sent)
      assert.equal("first", got)
      assert.equal(sent and "item" or nil, channel:try_recv())
      assert.equal(channel.senders, channel.senders.next)
    end,
  }
end)

kind("mutex", function()
  local mutex, event = uring.mutex(), uring.event()
  local holder = uring.spawn(function()
    local _ <close> = mutex:lock()
    event:wait()
  end)
  uring.yield()
  return scene {
    wait = function()
      local locked <close> = mutex:lock()
      return locked and true
    end,
    complete = function() event:set() end,
    check = function()
      holder:join()
      assert.truthy(mutex:try_lock())
      assert.equal(mutex.waiters, mutex.waiters.next)
    end,
  }
end)

kind("semaphore", function()
  local semaphore = uring.semaphore(0)
  return scene {
    wait = function() return semaphore:acquire() end,
    complete = function() semaphore:release() end,
    check = function(taken)
      assert.equal(taken and 0 or 1, semaphore.permits)
      assert.equal(semaphore.waiters, semaphore.waiters.next)
    end,
  }
end)

kind("event", function()
  local event = uring.event()
  return scene {
    wait = function() return event:wait() end,
    complete = function() event:set() end,
    check = function() assert.equal(event.waiters, event.waiters.next) end,
  }
end)

kind("condition", function()
  local condition = uring.condition()
  local woken
  return scene {
    wait = function() return condition:wait() end,
    complete = function() woken = condition:signal() end,
    check = function(value)
      assert.equal(woken or nil, value)
      assert.equal(condition.waiters, condition.waiters.next)
    end,
  }
end)

kind("condition with a mutex", function()
  local mutex = uring.mutex()
  local condition, woken = uring.condition(mutex), nil
  return scene {
    wait = function()
      local locked <close> = mutex:lock()
      return locked and condition:wait()
    end,
    complete = function() woken = condition:signal() end,
    check = function(value)
      assert.equal(woken or nil, value)
      assert.is_nil(mutex.owner)
    end,
  }
end)

local function selecting(f)
  return function()
    local a, b, event = uring.channel(), uring.channel(), uring.event()
    local sent
    return scene {
      wait = function()
        local key, value = uring.select { a, { b, "x" }, event, uring.semaphore(0), 1000, f }
        return key == 1 and value or nil
      end,
      complete = function() sent = a:try_send "item" end,
      check = function(value)
        assert.equal(sent and "item" or nil, value)
        for _, list in ipairs { a.receivers, b.senders, event.waiters } do
          assert.equal(list, list.next)
        end
      end,
    }
  end
end

kind("select", selecting(nil))
kind("select with a function", selecting(function() uring.sleep(1000) end))

kind("fd:close", function()
  local r, w = core.sock.pipe()
  local other = uring.spawn(function() return op.read(r, 1) end)
  uring.yield()
  return scene({
    wait = function() return r:close() end,
    complete = nothing,
    check = function(done)
      if done then assert.is_false(r:isopen()) end
      r:close()
      other:join()
      assert.is_false(r:isopen())
    end,
  }, w)
end, true)

kind("a scope", function()
  local event = uring.event()
  local ended = 0
  return scene {
    wait = function()
      return uring.scope(function(s)
        for _ = 1, 2 do
          s:spawn(function()
            local _ <close> = setmetatable({}, { __close = function() ended = ended + 1 end })
            event:wait()
          end)
        end
        return "end"
      end)
    end,
    complete = function() event:set() end,
    check = function() assert.equal(0, ended % 2) end,
  }
end)

kind("all", function()
  local event = uring.event()
  return scene {
    wait = function()
      local function f() return event:wait() end
      return uring.all { f, f, f }
    end,
    complete = function() event:set() end,
    check = function(list) if list then assert.same({ true, true, true }, list) end end,
  }
end)

-- ---- moments ----------------------------------------------------------------

-- A task that does the wait; what it has got is in 'got' then.
local function start(s)
  local got = {}
  got.task = uring.spawn(function()
    got.value = s.wait()
    uring.sleep(0)                       -- raises when it was cancelled
  end)
  return got
end

local function finish(got)
  local ok, value = pcall(got.task.join, got.task)
  assert(ok or value == uring.cancelled, value)
  return ok
end

for _, k in ipairs(kinds) do
  describe(k.name, function()
    it("cancelled before it starts", function()
      local s <close> = k.new()
      local got = start(s)
      got.task:cancel()
      assert.is_false(finish(got))
      if not k.instant then assert.is_nil(got.value) end
      s.complete()
      s.check(got.value)
    end)

    it("cancelled in a task that is cancelled", function()
      local s <close> = k.new()
      local value
      local task = uring.spawn(function()
        pcall(uring.sleep, 1000)
        for _ = 1, 2 do
          local ok, result = pcall(s.wait)
          if ok then value = value or result else assert(is_cancelled(ok, result), result) end
        end
      end)
      uring.yield()
      task:cancel()
      task:join()
      if not k.instant then assert.is_nil(value) end
      s.complete()
      s.check(value)
    end)

    it("cancelled while it waits", function()
      local s <close> = k.new()
      local got = start(s)
      uring.sleep(0.001)
      got.task:cancel()
      assert(not finish(got) or k.instant)
      s.complete()
      s.check(got.value)
    end)

    it("cancelled twice", function()
      for turns = 0, 2 do
        local s <close> = k.new()
        local got = start(s)
        uring.yield()
        got.task:cancel "one"
        for _ = 1, turns do uring.yield() end
        got.task:cancel "two"
        assert(not finish(got) or k.instant)
        s.complete()
        s.check(got.value)
      end
    end)

    it("cancelled when its scope is, too", function()
      local s <close> = k.new()
      local value
      uring.scope(function(scope)
        local task = scope:spawn(function() value = s.wait() end)
        uring.yield()
        task:cancel()
        scope:cancel()
      end)
      s.complete()
      s.check(value)
    end)

    it("cancelled in the turn of its completion", function()
      for turns = 0, 3 do
        for order = 1, 2 do
          local s <close> = k.new()
          local got = start(s)
          for _ = 1, turns do uring.yield() end
          if order == 1 then
            got.task:cancel()
            s.complete()
          else
            s.complete()
            got.task:cancel()
          end
          finish(got)
          s.check(got.value)
        end
      end
    end)

    it("cancelled from another task while its completion is on the way", function()
      for turns = 0, 3 do
        local s <close> = k.new()
        local got = start(s)
        uring.yield()
        local other = uring.spawn(function()
          for _ = 1, turns do uring.yield() end
          got.task:cancel()
        end)
        s.complete()
        other:join()
        finish(got)
        s.check(got.value)
      end
    end)

    it("with a deadline of 0", function()
      local s <close> = k.new()
      local value, message, code = uring.timeout(0, s.wait)
      if value == nil and not k.instant then
        assert.equal("timed out", message)
        assert.equal(errno.ETIMEDOUT, code)
      end
      s.complete()
      s.check(value or nil)
    end)

    it("with a deadline that expires while it waits", function()
      local s <close> = k.new()
      local value, message = uring.timeout(0.001, uring.timeout, 1000, s.wait)
      if value == nil and not k.instant then assert.equal("timed out", message) end
      s.complete()
      s.check(value or nil)
    end)

    it("with a deadline that expires in the turn of its completion", function()
      for i = -1, 3 do
        local s <close> = k.new()
        local seconds = 0.0008
        local other = uring.spawn(function()
          uring.sleep(seconds + i * 0.00005)
          s.complete()
        end)
        local value = uring.timeout(seconds, s.wait)
        other:join()
        s.check(value or nil)
      end
    end)

    it("cancelled while its deadline expires", function()
      for i = -1, 1 do
        local s <close> = k.new()
        local value
        local task = uring.spawn(function()
          value = uring.timeout(0.0008, s.wait)
          uring.sleep(0)
        end)
        uring.sleep(0.0008 + i * 0.0001)
        task:cancel()
        pcall(task.join, task)
        s.complete()
        s.check(value or nil)
      end
    end)
  end)
end
