-- Everything else that a task may wait for, cancelled at every moment: see
-- moments.lua.

local uring = require "uring"
local core = require "uring.core"
local helper = require "spec.helper"
local moments = require "spec.moments"
local stream = require "uring.stream"

local op <const> = uring.op
local kind <const>, scene <const>, nothing <const> = moments.kind, moments.scene, moments.nothing

-- A stream, which keeps what it has read for the next who reads.
local function stream_reader(read)
  return function()
    local server <close> = assert(uring.listen "127.0.0.1:0")
    local a = assert(uring.connect(server:address()))
    local b = assert(server:accept())
    return scene({
      peer = b,
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

kind("a stream's iterator of lines", stream_reader(function(a) return a:lines "L" () end))
kind("a stream's bytes up to a mark", stream_reader(function(a)
  local data = a:readuntil "\n"
  return data and data .. "\n"
end))
kind("a stream's line", stream_reader(function(a) return a:read "L" end))
kind("a stream's bytes", stream_reader(function(a) return a:readexact(5) end))
kind("a stream's some", stream_reader(function(a) return a:readsome() end))

kind("a stream's rest", function()
  local made = stream_reader(function(a) return a:read "a" end)()
  local b = made.peer
  local complete = made.complete
  function made.complete()
    complete()
    assert(b:shutdown "write")
  end
  return made
end)

kind("a stream's write", function()
  local b, a = moments.small_pair()
  a, b = stream.new(a), stream.new(b)
  local chunk <const> = ("x"):rep(65536)
  local full <const>, received = moments.fill(op.send, a.fd, chunk), 0
  return scene({
    wait = function() return a:write(chunk) and #chunk end,
    complete = function() received = #moments.drain(op.recv, b.fd) end,
    check = function(n)                  -- some may be there of what was cancelled
      while received < full + (n or 0) do
        received = received + #assert(uring.timeout(5, op.recv, b.fd, 65536))
      end
      received = received + #moments.drain(op.recv, b.fd)
      assert.is_true(received == full + (n or 0) or not n and received < full + #chunk)
    end,
  }, a, b)
end)

kind("a server's accept", function()
  local function accept(server)
    local conn = server:accept()
    return conn and conn.fd
  end
  return moments.acceptor(accept, accept, function()
    local server = assert(uring.listen "127.0.0.1:0")
    return server, server:address()
  end)
end)


kind("a server", function()
  local server = assert(uring.listen "127.0.0.1:0")
  local client = assert(uring.connect(server:address()))
  local began, ended = 0, 0
  return scene({
    wait = function()
      return server:serve(function(conn)
        began = began + 1
        local _ <close> = setmetatable({}, { __close = function() ended = ended + 1 end })
        conn:read "l"
      end)
    end,
    complete = function()
      server:close()
      client:shutdown "write"
    end,
    check = function() assert.equal(began, ended) end,
  }, server, client)
end)

kind("connect", function()
  local server = assert(uring.listen "127.0.0.1:0")
  return scene({
    wait = function() return (uring.connect(server:address())) end,
    complete = nothing,
    check = function(conn) if conn then conn:close() end end,
  }, server)
end, { instant = true })

kind("a file's write", function()
  local name <const> = os.tmpname()
  local file = assert(uring.open(name, "w"))
  return scene({
    wait = function() return file:write "abc" and 3 end,
    complete = nothing,
    check = function(n)                  -- it is there, and told; or it is not
      assert(file:close())
      assert.equal(n and "abc" or "", helper.read_file(name))
    end,
  }, { close = function() os.remove(name) end })
end, { instant = true })

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
end, { instant = true })

kind("sleep", function()
  return scene { wait = function() return uring.sleep(0.003) end,
    complete = function() uring.sleep(0.003) end, check = nothing }
end)

kind("yield", function()
  return scene { wait = uring.yield, complete = nothing, check = nothing }
end, { instant = true })

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

kind("join of one that fails", function()
  local event = uring.event()
  local other
  uring.spawn(pcall, uring.scope, function(s)
    other = s:spawn(function()
      event:wait()
      error("oops", 0)
    end)
  end)
  uring.yield()
  return scene {
    wait = function()
      local ok, err = pcall(other.join, other)
      if err == "oops" then return err end
      return ok or error(err, 0)
    end,
    complete = function() event:set() end,
    check = function(value)
      assert.is_true(value == nil or value == "oops")
      assert.is_false(pcall(other.join, other))
    end,
  }
end)

kind("an interval", function()
  local tick = uring.interval(0.003)
  return scene { wait = tick, complete = function() uring.sleep(0.003) end, check = nothing }
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

local function receiver(size, receive)
  return function()
    local channel = uring.channel(size)
    local sent
    return scene {
      wait = function() return (receive or channel.recv)(channel) end,
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
kind("channel recv with a time", receiver(0, function(channel) return channel:recv(1000) end))
kind("channel iteration", receiver(1, function(channel)
  for value in channel do return value end -- luacheck: ignore 512
end))
kind("select of one channel", receiver(0, function(channel)
  return (select(2, uring.select { channel }))
end))

local function sender(send)
  return function()
    local channel = uring.channel()
    local got
    return scene {
      wait = function() return send(channel, "item") end,
      complete = function() got = channel:try_recv() end,
      check = function(sent)
        assert.equal(got, sent and "item")
        assert.is_nil(channel:try_recv())
        assert.equal(channel.senders, channel.senders.next)
      end,
    }
  end
end

kind("channel send", sender(function(channel, item) return channel:send(item) end))
kind("channel send with a time", sender(function(channel, item)
  return channel:send(item, 1000)
end))
kind("select of one send", sender(function(channel, item)
  return (select(2, uring.select { { channel, item } }))
end))

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

local function locker(lock)
  return function()
    local mutex, event = uring.mutex(), uring.event()
    local holder = uring.spawn(function()
      local _ <close> = mutex:lock()
      event:wait()
    end)
    uring.yield()
    return scene {
      wait = function()
        local locked <close> = lock(mutex)
        return locked and true
      end,
      complete = function() event:set() end,
      check = function()
        holder:join()
        assert.truthy(mutex:try_lock())
        assert.equal(mutex.waiters, mutex.waiters.next)
      end,
    }
  end
end

kind("mutex", locker(function(mutex) return mutex:lock() end))
kind("mutex with a time", locker(function(mutex) return mutex:lock(1000) end))

local function acquirer(acquire)
  return function()
    local semaphore = uring.semaphore(0)
    return scene {
      wait = function() return acquire(semaphore) end,
      complete = function() semaphore:release() end,
      check = function(taken)
        assert.equal(taken and 0 or 1, semaphore.permits)
        assert.equal(semaphore.waiters, semaphore.waiters.next)
      end,
    }
  end
end

kind("semaphore", acquirer(function(semaphore) return semaphore:acquire() end))
kind("semaphore with a time", acquirer(function(semaphore) return semaphore:acquire(1000) end))
kind("select of a semaphore", acquirer(function(semaphore)
  return (select(2, uring.select { semaphore }))
end))

-- What waits for the event, which nothing is lost of; it returns true.
local function waiter(wait)
  return function()
    local event = uring.event()
    return scene {
      wait = function() return wait(event) end,
      complete = function() event:set() end,
      check = function(value)
        if value ~= nil then assert.is_true(value) end
        assert.equal(event.waiters, event.waiters.next)
      end,
    }
  end
end

local function forever() uring.sleep(1000) end

kind("event", waiter(function(event) return event:wait() end))
kind("event with a time", waiter(function(event) return event:wait(1000) end))
kind("select of an event", waiter(function(event)
  return (select(2, uring.select { event }))
end))
kind("select of a function", waiter(function(event)
  return (select(2, uring.select { function() return event:wait() end, forever }))
end))
kind("a deadline", waiter(function(event)
  return (uring.timeout(1000, event.wait, event))
end))
kind("deadlines inside each other", waiter(function(event)
  return (uring.timeout(1000, uring.timeout, 500, uring.timeout, 1000, event.wait, event))
end))
kind("run inside run", waiter(function(event) return uring.run(event.wait, event) end))
kind("race", waiter(function(event)
  return uring.race { function() return event:wait() end, forever }
end))
kind("each", waiter(function(event)      -- waits for room
  uring.each({ 1, 2, 3 }, 1, function() event:wait() end)
  return true
end))
kind("each, of an iterator that waits", waiter(function(event)
  local done
  uring.each(function()
    if done then return nil end
    done = event:wait()
    return done
  end, 2, function() uring.yield() end)
  return true
end))
kind("map", waiter(function(event)
  return uring.map({ 1, 2 }, 2, function() return event:wait() end)[2]
end))
kind("a generator", waiter(function(event)
  return uring.coroutine.wrap(function() uring.coroutine.yield(event:wait()) end)()
end))
kind("scopes inside each other", waiter(function(event)
  return uring.scope(function(outer)
    outer:spawn(function()
      uring.scope(function(inner) inner:spawn(event.wait, event) end)
    end)
    return uring.scope(function() return true end)
  end)
end))
kind("a task in a shield in a scope", waiter(function(event)
  local value
  uring.scope(function(s)
    s:spawn(function()
      event:wait()
      uring.shield(uring.sleep, 0.0005)
      value = true
    end)
  end)
  return value
end))

kind("a shield", function()
  return scene { wait = function() return uring.shield(uring.sleep, 0.001) end,
    complete = nothing, check = nothing }
end, { instant = true })

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
end, { instant = true })

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
