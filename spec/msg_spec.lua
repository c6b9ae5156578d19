-- sendmsg and recvmsg: pieces, addresses, control messages.

local core = require "uring.core"
local helper = require "spec.helper"
local system = require "spec.system" -- spec/support/system.c

local op <const>, sock <const> = core.op, core.sock
local open_descriptors <const> = helper.open_descriptors

local function unix_pair(type)
  local a, b = assert(sock.socketpair(core.AF_UNIX, type or core.SOCK_STREAM))
  return a, b, helper.closing(a, b)
end

local function udp()
  local fd = assert(op.socket(core.AF_INET, core.SOCK_DGRAM))
  assert(sock.bind(fd, "127.0.0.1:0"))
  return fd, assert(sock.getsockname(fd))
end


describe("sendmsg", function()
  helper.it("sends strings and buffers in one go", function()
    local a, b, _ <close> = unix_pair()
    assert.equal(11, op.sendmsg(a, { iov = { "hello", core.buffer " ", "world" } }))
    assert.equal("hello world", op.recv(b, 100))
    assert.equal(3, op.sendmsg(a, { iov = "one" }))
    assert.equal("one", op.recv(b, 100))
  end)

  -- Address sanitizer sees it.
  helper.it("keeps what a metamethod gives it", function()
    local a, b, _ <close> = unix_pair()
    local meta <const> = {}
    function meta.__index(_, key) return key == "data" and ("x"):rep(5000) or nil end
    for _ = 1, 10 do
      local message <const> = { iov = "y", control = { setmetatable({ level = 0 }, meta) } }
      local function send() return op.sendmsg(a, message) end
      assert.equal(1, helper.interrupted(send, collectgarbage))
    end
    assert.equal(("y"):rep(10), op.recv(b, 100))
  end)

  helper.it("sends to an address", function()
    local a, from = udp()
    local b, to = udp()
    local _ <close> = helper.closing(a, b)
    assert.equal(5, op.sendmsg(a, { name = to, iov = "hello" }))
    local data, message = op.recvmsg(b, 100)
    assert.equal("hello", data)
    assert.equal(from.port, message.name.port)
    assert.equal("127.0.0.1", message.name.host)
  end)

  helper.it("says what went wrong", function()
    local a <close> = udp()
    helper.fails("EDESTADDRREQ", ("sendmsg fd %d: Destination address required")
      :format(a:fileno()), op.sendmsg(a, { iov = "x" }))
    local fd <close> = assert(op.open("/dev/null"))
    assert.equal(core.errno.ENOTSOCK, select(3, op.recvmsg(fd, 10)))
  end)

  helper.it("sends pieces without copying them", function()
    local a, b = helper.pair()
    local _ <close> = helper.closing(a, b)
    local text = ("0123456789"):rep(2000)
    assert.equal(#text + 5, op.sendmsg_zc(a, { iov = { text, "-end-" } }))
    local got = {}
    local n = 0
    while n < #text + 5 do
      got[#got + 1] = assert(op.recv(b, 65536))
      n = n + #got[#got]
    end
    assert.equal(text .. "-end-", table.concat(got))
    helper.settle()
  end)

  helper.main_it("sends from a registered buffer", function()
    local ring <close> = assert(core.ring())
    local buffer = core.buffer(("x"):rep(8192))
    assert(ring:register_buffers { buffer })
    local task = ring:spawn(function()
      local a, b = helper.pair()
      local _ <close> = helper.closing(a, b)
      assert.equal(8192, op.sendmsg_zc_fixed(a, { iov = { buffer } }, 0, 0))
      local n = 0
      while n < 8192 do n = n + #assert(op.recv(b, 8192)) end
    end)
    helper.finish(ring, task)
  end)
end)

describe("recvmsg", function()
  helper.it("fills buffers", function()
    local a, b, _ <close> = unix_pair()
    local one, two = core.buffer(4), core.buffer(10)
    assert(op.send(a, "0123456789"))
    local n, message = op.recvmsg(b, { iov = { one, two } })
    assert.equal(10, n)
    assert.equal("0123", one:string())
    assert.equal("456789", two:string(1, 6))
    assert.is_false(message.truncated)
    assert.same({}, message.control)
  end)

  helper.it("says that a datagram was longer", function()
    local a, b, _ <close> = unix_pair(core.SOCK_DGRAM)
    assert(op.send(a, "0123456789"))
    local data, message = op.recvmsg(b, 4)
    assert.equal("0123", data)
    assert.is_true(message.truncated)
    assert.is_true(message.flags & core.MSG_TRUNC ~= 0)
  end)

  helper.it("returns an empty string at the end", function()
    local a, b, _ <close> = unix_pair()
    a:close()
    assert.equal("", (op.recvmsg(b, 10)))
  end)
end)

describe("descriptors in messages", function()
  helper.it("arrive as objects of the same files", function()
    local a, b, _ <close> = unix_pair()
    local r, w = assert(op.pipe())
    assert.equal(1, op.sendmsg(a, { iov = "x", control = { { type = "rights", fds = { r, w } } } }))
    local data, message = op.recvmsg(b, { iov = 10, control = 100 })
    assert.equal("x", data)
    assert.equal("rights", message.control[1].type)
    local r2, w2 = table.unpack(message.control[1].fds)
    assert.not_equal(r:fileno(), r2:fileno())
    assert(op.write(w2, "through"))
    assert.equal("through", op.read(r, 100))
    assert(op.write(w, "back"))
    assert.equal("back", op.read(r2, 100))
    -- they do not go to a child
    local info = helper.read_file(("/proc/self/fdinfo/%d"):format(r2:fileno()))
    local flags = info:match "flags:%s+(%d+)"
    assert.is_true(tonumber(flags, 8) & core.O_CLOEXEC ~= 0)
    for _, fd in ipairs { r, w, r2, w2 } do fd:close() end
  end)

  helper.it("are not closed before they are sent", function()
    local a, _, _ <close> = unix_pair()
    local r, w = assert(op.pipe())
    while op.send(a, ("x"):rep(65536), nil, core.MSG_DONTWAIT) do end
    local task = core.spawn(function()
      return op.sendmsg(a, { iov = "x", control = { { type = "rights", fds = { r } } } })
    end)
    core.yield()
    assert.equal(1, r:pending())
    assert.is_true(r:close()) -- cancels what would send it
    assert.equal(core.errno.ECANCELED, select(3, task:join()))
    w:close()
  end)

  helper.it("are closed when nobody takes them", function()
    local a, b, _ <close> = unix_pair()
    local r, w = assert(op.pipe())
    local _ <close> = helper.closing(r, w)
    local before = open_descriptors()
    for i = 1, 30 do
      local task = core.spawn(function()
        return op.recvmsg(b, { iov = 10, control = 100 })
      end)
      for _ = 1, i % 4 do core.yield() end
      assert(op.sendmsg(a, { iov = "x", control = { { type = "rights", fds = { r, w } } } }))
      task:cancel()
      local ok, _, message = pcall(task.join, task)
      if ok then
        for _, fd in ipairs(message.control[1].fds) do fd:close() end
      else
        local late = select(2, op.recvmsg(b, { iov = 10, control = 100 }, core.MSG_DONTWAIT))
        if type(late) == "table" then
          for _, fd in ipairs(late.control[1].fds) do fd:close() end
        end
      end
      assert.equal(before, open_descriptors())
    end
  end)

  helper.it("are reported when there is no room for them", function()
    local a, b, _ <close> = unix_pair()
    local r, w = assert(op.pipe())
    local _ <close> = helper.closing(r, w)
    local before = open_descriptors()
    assert(op.sendmsg(a, { iov = "x", control = { { type = "rights", fds = { r, w } } } }))
    local data, message = op.recvmsg(b, 10)
    assert.equal("x", data)
    assert.is_true(message.control_truncated)
    assert.same({}, message.control)
    assert(op.sendmsg(a, { iov = "x", control = { { type = "rights", fds = { r, w } } } }))
    message = select(2, op.recvmsg(b, { iov = 10, control = 20 })) -- for one of them
    assert.is_true(message.control_truncated)
    assert.equal(1, #message.control[1].fds)
    message.control[1].fds[1]:close()
    assert.equal(before, open_descriptors())
  end)

  -- Two ends, a message with a descriptor, and how to send it.
  local function sender(a)
    local r, w = assert(op.pipe())
    return function(n)
      for i = 1, n or 1 do
        assert(op.sendmsg(a, { iov = ("%03d"):format(i),
          control = { { type = "rights", fds = { r } } } }))
      end
    end, helper.closing(r, w)
  end

  -- Until the ring has n completions, which nobody takes.
  local function gather(ring, n)
    local deadline = core.now() + 5
    while ring:cq_ready() < n and core.now() < deadline do ring:step(0.01) end
    assert.equal(n, ring:cq_ready())
  end

  -- The first n completions, in a list of {data, value}.
  local function all_of(ring, n)
    local list = {}
    for data, _, _, value in ring:cqes() do list[#list + 1] = { data, value } end
    assert.equal(n, #list)
    return list
  end

  helper.main_it("are objects in the raw layer, too", function()
    local ring <close> = assert(core.ring())
    local a, b, _ <close> = unix_pair()
    local send, _ <close> = sender(a)
    local before = open_descriptors()
    ring:get_sqe():prep_recvmsg(b, { iov = 10, control = 64 }):set_data "one"
    send()
    ring:submit()
    local cqe = assert(ring:wait_cqe(5))
    assert.equal(3, cqe.res)
    assert.equal("001", cqe.value.data)
    local fd = cqe.value.control[1].fds[1]
    assert.is_true(fd:isopen())
    assert.equal(before + 1, open_descriptors())
    assert.is_true(fd:close())
    -- one whose value nobody looks at is the collector's
    ring:get_sqe():prep_recvmsg(b, { iov = 10, control = 64 })
    ring:submit()
    send()
    assert.equal(3, ring:wait_cqe(5).res)
    collectgarbage()
    collectgarbage()
    assert.equal(before, open_descriptors())
    -- one that nobody asks for is closed with the ring
    ring:get_sqe():prep_recvmsg(b, { iov = 10, control = 64 })
    send()
    ring:submit()
    gather(ring, 1)
    assert.equal(before + 1, open_descriptors())
    ring:close()
    assert.equal(before - 1, open_descriptors())
  end)

  helper.it("come with sqe:await, too", function()
    local ring = core.default()
    local a, b, _ <close> = unix_pair()
    local send, _ <close> = sender(a)
    local before = open_descriptors()
    send(2)
    local n, flags, message = ring:get_sqe():prep_recvmsg(b, { iov = 3, control = 64 }):await()
    assert.same({ 3, core.IORING_CQE_F_SOCK_NONEMPTY }, { n, flags })
    assert.equal("001", message.data)
    assert.is_true(message.control[1].fds[1]:isopen())
    message.control[1].fds[1]:close()
    ring:get_sqe():prep_recvmsg(b, { iov = 3, control = 64 }):await()
    collectgarbage()
    collectgarbage()
    assert.equal(before, open_descriptors())
  end)

  describe("of a multishot in the raw layer", function()
    local SELECT <const> = core.IOSQE_BUFFER_SELECT

    local function arm(ring, b, what, ...)
      local br = assert(ring:setup_buf_ring(8, 3, ...))
      ring:get_sqe():prep_recvmsg_multishot(b, what, 0, br):set_data "message"
      ring:submit()
      return br
    end

    helper.each_config(function(make)
      helper.main_it("come in the same table", function()
        local ring <close> = make()
        local a, b, _ <close> = unix_pair(core.SOCK_DGRAM)
        local send, _ <close> = sender(a)
        local br = arm(ring, b, { control = 64 })
        local before = open_descriptors()
        for _ = 1, 5 do
          send()
          local cqe = assert(ring:wait_cqe(5))
          assert.equal("message", cqe.data)
          assert.is_true(cqe.more)
          assert.equal("001", cqe.value.data)
          assert.is_false(cqe.value.truncated)
          assert.is_true(cqe.value.control[1].fds[1]:isopen())
          assert.equal("001", br:string(cqe):sub(-3))
          br:recycle(cqe)
          assert.equal(before + 1, open_descriptors())
          assert.is_true(cqe.value.control[1].fds[1]:close())
        end
      end)
    end)

    helper.main_it("are closed when nobody takes them", function()
      local ring <close> = assert(core.ring())
      local a, b, _ <close> = unix_pair(core.SOCK_DGRAM)
      local send, _ <close> = sender(a)
      local br = arm(ring, b, { control = 64 }, core.IOU_PBUF_RING_INC, 1024)
      local before = open_descriptors()
      send(3)                     -- all in one buffer
      gather(ring, 3)
      assert.equal(before + 3, open_descriptors())
      local cqe = assert(ring:wait_cqe())
      br:recycle(cqe)             -- unread
      cqe = nil                   -- luacheck: ignore 311
      collectgarbage()
      collectgarbage()
      assert.equal(before + 2, open_descriptors())
      ring:close()
      assert.equal(before - 1, open_descriptors())
    end)

    helper.main_it("stay in their buffer until the completion is taken", function()
      local ring <close> = assert(core.ring())
      local a, b, _ <close> = unix_pair(core.SOCK_DGRAM)
      local send, _ <close> = sender(a)
      local br = arm(ring, b, { control = 64 })
      send(2)
      gather(ring, 2)
      helper.raises("buffer 0 is not the script's", br.recycle, br, 0)
      helper.raises("buffer 1 is not the script's", br.buffer, br, 1)
      for i, entry in ipairs(all_of(ring, 2)) do
        assert.equal("message", entry[1])
        assert.equal(("%03d"):format(i), entry[2].data)
        assert.is_true(entry[2].control[1].fds[1]:close())
        br:recycle(i - 1)
      end
      assert.equal(8, br:available())
    end)

    helper.main_it("do not come where nobody would find them", function()
      local ring <close> = assert(core.ring())
      local a, b, _ <close> = unix_pair(core.SOCK_DGRAM)
      local send, _ <close> = sender(a)
      local before = open_descriptors()
      -- buffers of the older kind are the script's own business
      local memory = core.buffer(4096)
      ring:get_sqe():prep_provide_buffers(memory, 1024, 4, 5, 0)
      ring:submit()
      assert.equal(0, ring:wait_cqe(5).res)
      ring:get_sqe():prep_recvmsg_multishot(b, { control = 64, name = false })
        :set_buf_group(5):set_flags(SELECT)
      ring:submit()
      send()
      local cqe = assert(ring:wait_cqe(5))
      assert.equal(16 + 3, cqe.res)
      assert.is_nil(cqe.value)
      local at = cqe.buffer_id * 1024
      local namelen, controllen, len, flags = ("I4I4I4I4"):unpack(memory:string(at + 1, at + 16))
      assert.same({ 0, 0, 3 }, { namelen, controllen, len })
      assert.is_true(flags & core.MSG_CTRUNC ~= 0)
      assert.equal(before, open_descriptors())
    end)

    helper.main_it("come when the flag of a multishot is set by hand", function()
      local ring <close> = assert(core.ring())
      local a, b, _ <close> = unix_pair(core.SOCK_DGRAM)
      local send, _ <close> = sender(a)
      local br = assert(ring:setup_buf_ring(8, 3))
      ring:get_sqe():prep_recvmsg(b, { control = 64 }):set_buf_group(br)
        :set_flags(SELECT):set_ioprio(core.IORING_RECV_MULTISHOT)
      ring:submit()
      send()
      local cqe = assert(ring:wait_cqe(5))
      assert.is_true(cqe.more)
      assert.equal("001", cqe.value.data)
      assert.is_true(cqe.value.control[1].fds[1]:close())
    end)

    helper.main_it("are beside the buffer when it is made a single one", function()
      local ring <close> = assert(core.ring())
      local a, b, _ <close> = unix_pair(core.SOCK_DGRAM)
      local send, _ <close> = sender(a)
      local br = assert(ring:setup_buf_ring(8, 3))
      ring:get_sqe():prep_recvmsg_multishot(b, { control = 64 }, 0, br):set_ioprio(0)
      ring:submit()
      send()
      local cqe = assert(ring:wait_cqe(5))
      assert.same({ 3, false }, { cqe.res, cqe.more })
      assert.equal("001", br:string(cqe))
      assert.equal("001", cqe.value.data)
      assert.is_true(cqe.value.control[1].fds[1]:close())
    end)
  end)
end)

describe("control messages", function()
  helper.it("tell who has sent", function()
    local a, b, _ <close> = unix_pair()
    assert(sock.setsockopt(b, core.SOL_SOCKET, core.SO_PASSCRED, 1))
    assert(op.sendmsg(a, { iov = "x" }))
    local _, message = op.recvmsg(b, { iov = 10, control = 64 })
    local c = message.control[1]
    assert.equal("credentials", c.type)
    local pid = tonumber(helper.read_file("/proc/self/stat"):match "^%d+")
    assert.equal(pid, c.pid)
    assert(op.sendmsg(a, { iov = "x", control = { { type = "credentials" } } }))
    message = select(2, op.recvmsg(b, { iov = 10, control = 64 }))
    assert.same(c, message.control[1])
  end)

  helper.it("tell when it came", function()
    local a = udp()
    local b, to = udp()
    local _ <close> = helper.closing(a, b)
    for _, option in ipairs { core.SO_TIMESTAMP, core.SO_TIMESTAMPNS } do
      assert(sock.setsockopt(b, core.SOL_SOCKET, option, 1))
      assert(op.sendto(a, "x", nil, 0, to))
      local _, message = op.recvmsg(b, { iov = 10, control = 100 })
      assert.equal("timestamp", message.control[1].type)
      assert.is_true(math.abs(message.control[1].time - os.time()) < 10)
      assert(sock.setsockopt(b, core.SOL_SOCKET, option, 0))
    end
  end)

  helper.it("come as numbers and bytes when they are others", function()
    local a = udp()
    local b, to = udp()
    local _ <close> = helper.closing(a, b)
    assert(sock.setsockopt(b, core.IPPROTO_IP, 12, 1)) -- IP_RECVTTL
    assert(op.sendmsg(a, { name = to, iov = "x", control = {
      { level = core.IPPROTO_IP, type = 2, data = string.pack("i4", 77) } } })) -- IP_TTL
    local _, message = op.recvmsg(b, { iov = 10, control = 100 })
    assert.same({ level = core.IPPROTO_IP, type = 2, data = string.pack("i4", 77) },
      message.control[1])
  end)
end)

describe("a multishot recvmsg", function()
  helper.it("yields each datagram with its sender", function()
    local a, from = udp()
    local b, to = udp()
    local _ <close> = helper.closing(a, b)
    local it <close> = op.recvmsg_multishot(b)
    for i = 1, 50 do
      assert(op.sendto(a, ("message %d"):format(i), nil, 0, to))
      local data, message = it()
      assert.equal(("message %d"):format(i), data)
      assert.equal(from.port, message.name.port)
      assert.is_false(message.truncated)
    end
    assert(op.sendto(a, "", nil, 0, to))
    assert.equal("", (it()))
  end)

  helper.it("truncates what is longer than its buffer, and gives it back", function()
    local ring = core.default()
    local a = udp()
    local b, to = udp()
    local _ <close> = helper.closing(a, b)
    local br <close> = assert(ring:setup_buf_ring(2, 5, 0, 256))
    local it <close> = op.recvmsg_multishot(b, { name = false }, 0, br)
    for _ = 1, 10 do
      assert(op.sendto(a, ("x"):rep(300), nil, 0, to))
      local data, message = it()
      assert.equal(("x"):rep(240), data)
      assert.is_true(message.truncated)
      assert.is_nil(message.name)
      assert.equal(2, br:available())
    end
  end)

  helper.it("wants whole buffers", function()
    local b <close> = udp()
    local br <close> = assert(core.default():setup_buf_ring(2, 5, core.IOU_PBUF_RING_INC, 1024))
    helper.raises("filled in pieces", op.recvmsg_multishot, b, nil, 0, br)
  end)

  helper.it("passes descriptors, and closes those that nobody takes", function()
    local a, b, _ <close> = unix_pair(core.SOCK_DGRAM)
    local r, w = assert(op.pipe())
    local _ <close> = helper.closing(r, w)
    local before = open_descriptors()
    do
      local it <close> = op.recvmsg_multishot(b, { control = 64 })
      for _ = 1, 10 do
        assert(op.sendmsg(a, { iov = "x", control = { { type = "rights", fds = { r } } } }))
      end
      local data, message = it()
      assert.equal("x", data)
      assert(op.write(w, "y"))
      assert.equal("y", op.read(message.control[1].fds[1], 1))
      assert.is_true(select(2, system.flags(message.control[1].fds[1]))) -- no child gets it
      message.control[1].fds[1]:close()
      helper.eventually(function() return open_descriptors() == before + 9 end)
    end
    assert.equal(before, open_descriptors())
  end)
end)

describe("MSG_TRUNC", function()
  -- Datagrams of n bytes, all the same, one each time it is called.
  local function source(n)
    local a = udp()
    local b, to = udp()
    return function() assert(op.sendto(a, ("x"):rep(n), nil, 0, to)) end, b, helper.closing(a, b)
  end

  helper.it("says how long a datagram was, and no more than that", function()
    local send, b, _ <close> = source(3000)
    local buffer = core.buffer(20)
    send()
    assert.equal(3000, op.recv(b, buffer, nil, core.MSG_TRUNC))
    send()
    assert.equal(("x"):rep(10), op.recv(b, 10, core.MSG_TRUNC))
    send()
    local data, message = op.recvmsg(b, 10, core.MSG_TRUNC)
    assert.equal(("x"):rep(10), data)
    assert.is_true(message.truncated)
    send()
    assert.equal(3000, (op.recvmsg(b, { iov = buffer }, core.MSG_TRUNC)))
  end)

  helper.it("makes a completion no owner of more than its buffer", function()
    local send, b, _ <close> = source(9000)
    do
      local it <close> = op.recv_multishot(b, nil, 0, core.MSG_TRUNC)
      for _ = 1, 5 do
        send()
        assert.equal(("x"):rep(4096), it())
      end
    end
    local br <close> = assert(core.default():setup_buf_ring(4, 3, 0, 16))
    local it <close> = op.recv_multishot(b, br, 0, core.MSG_TRUNC)
    for _ = 1, 5 do
      send()
      local buffer <close> = it()
      assert.equal(("x"):rep(16), buffer:string())
      assert.equal(3, br:available())
    end
  end)

  helper.main_it("does so in the raw layer", function()
    local ring <close> = assert(core.ring())
    local send, b, _ <close> = source(300)
    local br = assert(ring:setup_buf_ring(4, 3, 0, 16))
    for _ = 1, 5 do
      send()
      ring:get_sqe():prep_recv(b, nil, nil, core.MSG_TRUNC):set_buf_group(br)
        :set_flags(core.IOSQE_BUFFER_SELECT)
      ring:submit()
      local cqe = assert(ring:wait_cqe(5))
      assert.equal(300, cqe.res)
      assert.equal(("x"):rep(16), br:string(cqe))
      br:recycle(cqe)
      assert.equal(4, br:available())
    end
  end)

  helper.it("is refused where a result may be a part of a buffer, or several", function()
    local ring = core.default()
    local _, b, _ <close> = source(1)
    local why <const> = "MSG_TRUNC does not go with buffers that are filled in pieces"
    local inc <close> = assert(ring:setup_buf_ring(4, 3, core.IOU_PBUF_RING_INC, 16))
    local br <close> = assert(ring:setup_buf_ring(4, 4, 0, 16))
    helper.raises(why, op.recv, b, inc, nil, core.MSG_TRUNC)
    helper.raises(why, op.recv_multishot, b, inc, 0, core.MSG_TRUNC)
    local bundle = op.with { ioprio = core.IORING_RECVSEND_BUNDLE }
    helper.raises(why, bundle.recv_multishot, b, br, 0, core.MSG_TRUNC)
    local sqe = ring:get_sqe():prep_recv(b, nil, nil, core.MSG_TRUNC)
    helper.raises(why, function() sqe:set_flags(core.IOSQE_BUFFER_SELECT):set_buf_group(inc) end)
    helper.raises(why, sqe.set_ioprio, sqe, core.IORING_RECVSEND_BUNDLE)
    sqe:prep_nop():await()
  end)
end)

describe("send", function()
  helper.it("takes a list of pieces where the kernel does", function()
    local a, b, _ <close> = unix_pair()
    assert.equal(6, op.send_vectorized(a, { "one", core.buffer "two" }))
    assert.equal("onetwo", op.recv(b, 100))
  end)

  helper.it("takes what is in an outgoing buffer ring", function()
    local ring = core.default()
    local a, b = helper.pair()
    local _ <close> = helper.closing(a, b)
    local br <close> = assert(ring:setup_buf_ring(8, 5, 0, 64, true))
    assert.equal(0, br:available())
    for round = 1, 5 do
      local text = {}
      for i = 1, 8 do text[i] = ("%d-%d;"):format(round, i):rep(i) end
      assert(br:push(table.unpack(text)))
      assert.equal(8, br:available())
      helper.fails("ENOBUFS", "push: No buffer space available", br:push("one more"))
      text = table.concat(text)
      local n = assert(op.send_bundle(a, 0, 0, br))
      while n < #text do n = n + assert(op.send_bundle(a, 0, 0, br)) end
      assert.equal(#text, n)
      assert.equal(0, br:available())
      local got = ""
      while #got < n do got = got .. assert(op.recv(b, 4096)) end
      assert.equal(text, got)
    end
    helper.fails("ENOBUFS", ("send_bundle fd %d: No buffer space available"):format(a:fileno()),
      op.send_bundle(a, 0, 0, br))
    helper.raises("buffer ring expected", op.send_bundle, a)
    helper.raises("not an outgoing buffer ring", function()
      local other <close> = assert(ring:setup_buf_ring(2, 6))
      other:push "x"
    end)
  end)

  helper.it("sends many buffers with several completions", function()
    local ring = core.default()
    local a, b = helper.pair()
    local _ <close> = helper.closing(a, b)
    local br <close> = assert(ring:setup_buf_ring(1024, 5, 0, 64, true))
    local list = {}
    for i = 1, 1024 do list[i] = ("%063d\n"):format(i) end
    for i = 1, 1024, 128 do assert(br:push(table.unpack(list, i, i + 127))) end
    local reader = core.spawn(function()
      local got = {}
      local n = 0
      while n < 65536 do
        got[#got + 1] = assert(op.recv(b, 65536))
        n = n + #got[#got]
      end
      return table.concat(got)
    end)
    local n = 0
    while n < 65536 do n = n + assert(op.send_bundle(a, 0, 0, br)) end
    assert.equal(table.concat(list), reader:join())
    assert.equal(0, br:available())
    assert(br:push "again")
  end)
end)

describe("recv_zc", function()
  helper.it("needs a network card that gives its queue", function()
    local a, b = helper.pair()
    local _ <close> = helper.closing(a, b)
    local it <close> = op.recv_zc(b)
    assert.equal(core.errno.EINVAL, select(3, it()))
  end)
end)

describe("the time a packet was sent", function()
  local STAMPS <const> = core.SOF_TIMESTAMPING_TX_SOFTWARE | core.SOF_TIMESTAMPING_SOFTWARE |
    core.SOF_TIMESTAMPING_OPT_ID | core.SOF_TIMESTAMPING_OPT_TSONLY

  helper.main_it("needs a ring with large completions", function()
    local ring <close> = assert(core.ring { entries = 4 })
    local a <close> = udp()
    helper.fails("EINVAL", "cmd_tx_timestamp: the ring was not made with cqe32 or cqe_mixed",
      ring:spawn(op.cmd_tx_timestamp, a):join())
  end)

  for _, options in ipairs { { cqe32 = true }, { cqe_mixed = true } } do
    helper.main_it(("comes in a completion of 32 bytes (%s)"):format(next(options)), function()
      options.entries = 16
      local ring <close> = assert(core.ring(options))
      local a = udp()
      local b, to = udp()
      local _ <close> = helper.closing(a, b)
      assert(op.connect(a, to))
      assert(sock.setsockopt(a, core.SOL_SOCKET, core.SO_TIMESTAMPING, STAMPS))
      ring:get_sqe():prep_cmd_sock(core.SOCKET_URING_OP_TX_TIMESTAMP, a)
      ring:submit()
      for i = 0, 9 do
        assert(op.send(a, "x"))
        local cqe = assert(ring:wait_cqe(5))
        assert.equal(i, cqe.res)
        assert.is_true(cqe.more)
        assert.is_true(math.abs(cqe.extra1 - os.time()) < 10) -- seconds
        assert.is_true(cqe.extra2 >= 0 and cqe.extra2 < 1000000000)
      end
    end)

    helper.main_it(("is what an iterator yields (%s)"):format(next(options)), function()
      local ring <close> = assert(core.ring(options))
      local a = udp()
      local b, to = udp()
      local _ <close> = helper.closing(a, b)
      local function last(list) return list[#list] end
      assert(op.connect(a, to))
      local task = ring:spawn(function()
        local function seconds() return system.clock(core.CLOCK_REALTIME) end -- not late by a tick
        local before, n <const> = seconds() // 1, 200
        assert(sock.setsockopt(a, core.SOL_SOCKET, core.SO_TIMESTAMPING, STAMPS))
        local it = op.cmd_tx_timestamp(a)
        for _ = 1, n do assert(op.send(a, "x")) end -- more than it keeps
        local list = {}
        for stamp in it do
          list[#list + 1] = stamp
          assert.equal(#list - 1, stamp.id)
          assert.same({ "sent", false }, { stamp.type, stamp.hardware })
          assert.is_true(stamp.sec >= before and stamp.sec <= seconds())
          assert.is_true(stamp.nsec >= 0 and stamp.nsec < 1000000000)
          if #list == n then break end
        end
        assert.is_true(last(list).sec * 1000000000 + last(list).nsec >=
          list[1].sec * 1000000000 + list[1].nsec)
        assert.is_true(it:close())
        assert.equal(0, a:pending())
        -- waits, and is cancelled, or closed under it
        local function wait()
          local iterator <close> = op.cmd_tx_timestamp(a)
          return iterator()
        end
        local waiting = ring:spawn(wait)
        core.sleep(0.002)
        waiting:cancel()
        assert.is_false(pcall(waiting.join, waiting))
        waiting = ring:spawn(wait)
        core.sleep(0.002)
        assert(a:close())
        assert.equal(core.errno.ECANCELED, select(3, waiting:join()))
      end)
      helper.finish(ring, task)
      assert(helper.idle(ring))
    end)
  end
end)
