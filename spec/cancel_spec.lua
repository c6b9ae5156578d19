-- Every operation that may wait, cancelled at every moment: see moments.lua.

local uring = require "uring"
local core = require "uring.core"
local event = require "spec.event" -- spec/support/event.c
local helper = require "spec.helper"
local moments = require "spec.moments"
local system = require "spec.system" -- spec/support/system.c

local op <const> = uring.op
local kind <const>, scene <const>, drain <const> = moments.kind, moments.scene, moments.drain
local nothing <const> = moments.nothing

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
kind("read in a thread of the kernel", reader(core.sock.pipe, function(fd)
  return op.with { async = true }.read(fd, 100)
end, op.write, op.read))
kind("recvmsg", reader(socketpair, function(fd) return (op.recvmsg(fd, 100)) end, op.send,
  op.recv))
kind("recv into buffers that were provided", function()
  local buffers = assert(uring.ring():setup_buf_ring(4, 33, 0, 64))
  local r, w = socketpair()
  return scene({
    wait = function() return op.recv(r, buffers) end,
    complete = function() assert.equal(4, op.send(w, "data")) end,
    check = function(buffer)             -- borrowed from there
      local text = buffer and buffer:string() or ""
      if buffer then buffer:release() end
      assert.equal("data", text .. drain(op.recv, r))
      assert.equal(4, buffers:available())
    end,
  }, r, w, buffers)
end)
kind("recv in a coroutine", reader(socketpair, function(fd)
  return uring.coroutine.wrap(function()
    return uring.coroutine.wrap(op.recv)(fd, 100)
  end)()
end, op.send, op.recv))
kind("recv of all or nothing", reader(socketpair, function(fd)
  return op.recv(fd, 4, core.MSG_WAITALL)
end, op.send, op.recv))

-- A writer to something full: the number of bytes is returned, and they arrive.
local function writer(make, send, receive, size, settle)
  return function()
    local r, w = make()
    local full <const> = moments.fill(send, w, ("x"):rep(size > 4096 and 65536 or 4096))
    local received = 0
    return scene({
      wait = function() return send(w, ("y"):rep(size)) end,
      complete = function() received = #drain(receive, r) end,
      check = function(n)
        while received < full + (n or 0) do
          received = received + #assert(uring.timeout(5, receive, r, 65536))
        end
        assert.equal(full + (n or 0), received + #drain(receive, r))
        if settle then settle() end
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

kind("sendmsg", writer(socketpair, function(fd, data) return op.sendmsg(fd, { iov = data }) end,
  op.recv, 100))

kind("send on TCP", writer(moments.small_pair, op.send, op.recv, 5000))
kind("send_zc", writer(moments.small_pair, op.send_zc, op.recv, 5000, helper.settle),
  { needs = "send_zc" })
kind("sendmsg_zc", writer(moments.small_pair, function(fd, data)
  return op.sendmsg_zc(fd, { iov = data })
end, op.recv, 5000, helper.settle), { needs = "sendmsg_zc" })

local function two_pipes()
  local r, w = core.sock.pipe()
  local r2, w2 = core.sock.pipe()
  return r, w, r2, w2
end

kind("splice", function()
  local r, w, r2, w2 = two_pipes()
  return scene({
    wait = function() return op.splice(r, nil, w2, nil, 100) end,
    complete = function() assert.equal(4, op.write(w, "data")) end,
    check = function(n)
      local moved = drain(op.read, r2)
      assert.equal(n or 0, #moved)
      assert.equal("data", moved .. drain(op.read, r))
    end,
  }, r, w, r2, w2)
end)

kind("tee", function()
  local r, w, r2, w2 = two_pipes()
  return scene({
    wait = function() return op.tee(r, w2, 100) end,
    complete = function() assert.equal(4, op.write(w, "data")) end,
    check = function(n)
      assert.equal(n or 0, #drain(op.read, r2))
      assert.equal("data", drain(op.read, r))
    end,
  }, r, w, r2, w2)
end)

kind("recvmsg with descriptors", function()
  local a, b = socketpair()
  local r, w = core.sock.pipe()
  return scene({
    wait = function()
      local data, message = op.recvmsg(b, { iov = 10, control = 100 })
      return data and message
    end,
    complete = function()
      assert(op.sendmsg(a, { iov = "x", control = { { type = "rights", fds = { r } } } }))
    end,
    check = function(message)
      if not message and system.ready(b) then
        message = select(2, op.recvmsg(b, { iov = 10, control = 100 }))
      end
      if message then                    -- else it was closed: the helper counts
        local fd <close> = message.control[1].fds[1]
        assert.equal(2, op.write(w, "hi"))
        assert.equal("hi", op.read(fd, 10))
      end
    end,
  }, a, b, r, w)
end)

kind("accept", function()
  return moments.acceptor(op.accept, op.accept)
end)

kind("accept into a slot", function()
  local ring = uring.ring()
  assert(ring:register_files_sparse(2))
  local made = moments.acceptor(op.accept_direct, op.accept_direct, function()
    local listener, address = helper.listener()
    return listener, address, { close = function() assert(ring:unregister_files()) end }
  end)
  local check <const> = made.check
  function made.check(conn)
    check(conn)
    -- the slots are free again
    local a, b = op.open_direct("/dev/null"), op.open_direct("/dev/null")
    assert.truthy(a and b)
    assert.is_true(a:close() and b:close())
  end
  return made
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

kind("connect on TCP", function()        -- to a queue that is full
  local listener, address = helper.listener(0)
  local first = assert(op.socket(core.AF_INET, core.SOCK_STREAM))
  assert(op.connect(first, address))
  assert(op.poll_add(listener, core.POLLIN))
  local socket = assert(op.socket(core.AF_INET, core.SOCK_STREAM))
  return scene({
    wait = function() return op.connect(socket, address) end,
    complete = nothing,
    check = function(connected) assert.is_nil(connected) end,
  }, listener, first, socket)
end, { endless = true })

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

kind("epoll_wait", function()
  local r, w = core.sock.pipe()
  local ep = core.fd(event.epoll())
  assert(op.epoll_ctl(ep, r, "add", { events = core.EPOLLIN | core.EPOLLONESHOT, data = 7 }))
  return scene({
    wait = function()
      local list = op.epoll_wait(ep, 4)
      return list and list[1]
    end,
    complete = function() assert.equal(1, op.write(w, "x")) end,
    check = function(found)              -- it is told once
      found = found or assert(uring.timeout(5, op.epoll_wait, ep, 4))[1]
      assert.equal(7, found.data)
    end,
  }, r, w, ep)
end, { needs = "epoll_wait" })

kind("futex_wait", function()
  local buffer = uring.buffer(4)
  local woken
  return scene {
    wait = function() return op.futex_wait(buffer, 0) end,
    complete = function() woken = assert(op.futex_wake(buffer, 1)) end,
    check = function(value)
      assert.equal(woken, value and 1 or 0)
      assert.equal(0, buffer:busy())
    end,
  }
end, { needs = "futex_wait" })

kind("futex_waitv", function()
  local a, b = uring.buffer(4), uring.buffer(4)
  local woken
  return scene {
    wait = function() return op.futex_waitv { { a, 0 }, { b, 0 } } end,
    complete = function() woken = assert(op.futex_wake(b, 1)) end,
    check = function(value)
      -- the thread of SQPOLL may see the cancellation and the wake-up together,
      -- and the kernel then counts one that wakes nobody
      if value or core.default().flags & core.IORING_SETUP_SQPOLL == 0 then
        assert.equal(woken == 1 and 2 or nil, value)
      end
      assert.equal(0, a:busy() + b:busy())
    end,
  }
end, { needs = "futex_waitv" })

kind("waitid", function()
  local r, w = core.sock.pipe()
  local number <const>, pid <const> = r:fileno(), helper.process.fork()
  if pid == 0 then                       -- waits until it is killed
    io.open("/proc/self/fd/" .. number):read(1)
    helper.process.exit(7)
  end
  local function wait()
    local info = op.waitid(core.P_PID, pid, core.WEXITED)
    return info and info.status
  end
  return scene({
    wait = wait,
    complete = function() helper.process.kill(pid, core.SIGKILL) end,
    check = function(status)
      if status then
        assert.equal(core.SIGKILL, status)
        assert.is_nil(wait())            -- it was the one who waited for it
      else
        assert.equal(core.SIGKILL, uring.timeout(5, wait))
      end
    end,
  }, r, w)
end, { needs = "waitid" })

kind("timeout", function()
  return scene { wait = function() return op.timeout(0.003) end,
    complete = function() uring.sleep(0.003) end, check = nothing }
end)

kind("nop", function()
  return scene { wait = op.nop, complete = nothing, check = nothing }
end, { instant = true })

kind("openat", function()
  return scene {
    wait = function() return op.openat(nil, "/dev/null", 0) end,
    complete = nothing,
    check = function(fd) if fd then fd:close() end end,
  }
end, { instant = true })

kind("socket", function()
  return scene {
    wait = function() return op.socket(core.AF_INET, core.SOCK_STREAM) end,
    complete = nothing,
    check = function(fd) if fd then fd:close() end end,
  }
end, { instant = true })

kind("statx", function()
  return scene { wait = function() return op.statx(nil, "/", 0) end, complete = nothing,
    check = nothing }
end, { instant = true })

kind("pipe", function()
  local writer_end
  return scene {
    wait = function()
      local r, w = op.pipe()
      writer_end = r and w
      return r
    end,
    complete = nothing,
    check = function(r)
      if r then local _ <close> = helper.closing(r, writer_end) end
    end,
  }
end, { instant = true, needs = "pipe" })

kind("mkdir", function()                 -- it is made, and told; or it is not
  local dir = helper.tmpdir()
  return scene({
    wait = function() return op.mkdir(dir .. "/d", 448) end,
    complete = nothing,
    check = function(made) assert.equal(made, op.statx(nil, dir .. "/d", 0) and true) end,
  }, { close = getmetatable(dir).__close })
end, { instant = true })

kind("close", function()
  local r, w = core.sock.pipe()
  return scene({
    wait = function() return op.close(r) end,
    complete = nothing,
    check = function(done) assert.equal(not done, r:isopen()) end,
  }, r, w)
end, { instant = true })

kind("msg_ring", function()
  local ring = assert(core.ring())
  return scene({
    wait = function() return op.msg_ring(ring, 42, 7) end,
    complete = nothing,
    check = function(sent)
      local cqe = ring:peek_cqe()
      assert.equal(sent and 42, cqe and cqe.res)
      assert.is_nil((ring:peek_cqe()))
    end,
  }, ring)
end, { instant = true })
