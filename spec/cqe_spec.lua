-- Completions on their way to a script: finalisers run in between, and may
-- take, or close, what is just being made.

local core = require "uring.core"
local helper = require "spec.helper"

local op <const>, sock <const> = core.op, core.sock
local it <const> = helper.main_it

describe("a completion", function()
  local function three(ring)
    for i = 1, 3 do ring:get_sqe():prep_nop():set_data(i) end
    ring:submit()
    assert.equal(3, ring:cq_ready())
  end

  it("is given once, also when a finaliser takes some", function()
    local ring <close> = assert(core.ring())
    local taken
    local function take() taken = assert(ring:wait_cqe()).data end
    three(ring)
    assert.equal(2, helper.interrupted(function() return ring:wait_cqe().data end, take))
    assert.equal(1, taken)
    assert.equal(3, ring:wait_cqe().data)
    three(ring)
    local list = helper.interrupted(function() return ring:wait_cqes(2) end, take)
    assert.same({ 1, 2, 3 }, { taken, list[1].data, list[2].data })
    assert(helper.idle(ring))
  end)

  it("is not given to a loop when a finaliser has taken it", function()
    local ring <close> = assert(core.ring())
    local buffer = core.buffer(256)
    for i = 1, 2 do ring:get_sqe():prep_statx(nil, "/dev/null"):set_data(i) end
    ring:submit()
    while ring:cq_ready() < 2 do ring:step(1) end
    local taken
    local next, state = ring:cqes()
    local data, res, _, st = helper.interrupted(function() return next(state) end,
      function() taken = ring:wait_cqe() end)
    assert.same({ 1, 2, 0 }, { taken.data, data, res })
    assert.equal(taken.value.ino, st.ino)
    assert.is_nil(next(state))
    assert(helper.idle(ring))
    assert.equal(0, buffer:busy())
  end)

  it("is nil when a finaliser has closed the ring", function()
    for _, f in ipairs { "wait_cqe", "peek_cqe" } do
      local ring = assert(core.ring())
      three(ring)
      assert.is_nil(helper.interrupted(function() return (ring[f](ring)) end,
        function() ring:close() end))
    end
    local ring = assert(core.ring())
    three(ring)
    helper.raises("ring is closed", helper.interrupted,
      function() return ring:wait_cqes(3) end, function() ring:close() end)
  end)

  it("gives a message once, whoever takes it", function()
    local ring <close> = assert(core.ring())
    local a, b = assert(sock.socketpair(core.AF_UNIX, core.SOCK_DGRAM))
    local _ <close> = helper.closing(a, b)
    for _, text in ipairs { "one", "two" } do
      assert(op.sendmsg(a, { iov = text, control = { { type = "rights", fds = { a } } } }))
      ring:get_sqe():prep_recvmsg(b, { iov = 10, control = 64 })
      ring:submit()
    end
    assert.equal(2, ring:cq_ready())
    local taken
    local cqe = helper.interrupted(function() return ring:wait_cqe() end,
      function() taken = ring:wait_cqe() end)
    assert.same({ "one", "two" }, { taken.value.data, cqe.value.data })
    for _, c in ipairs { taken, cqe } do
      assert.is_true(c.value.control[1].fds[1]:close())
    end
  end)
end)

describe("what is made from a list", function()
  it("has no buffers that a finaliser has given back, and filled otherwise", function()
    local ring <close> = assert(core.ring())
    local a, b = helper.pair()
    local _ <close> = helper.closing(a, b)
    local br = assert(ring:setup_buf_ring(4, 1, 0, 64, true))
    local function send(...)
      br:push(...)
      ring:get_sqe():prep_send_bundle(a, 0, 0, br)
      ring:submit()
      return assert(ring:wait_cqe(2))
    end
    local first, second = send "0123456789", nil
    helper.raises("given back meanwhile", helper.interrupted, function()
      return br:buffer(first)
    end, function()
      br:recycle(first)
      second = send("01234", "56789")
    end)
    assert.equal("0123456789", br:string(second))
  end)

  it("tells of descriptors that a finaliser lets go", function()
    local debugging <const> = core.debug(true)
    local keep = {}
    for i = 1, 20 do keep[i] = { core.sock.pipe() } end
    local list = helper.interrupted(core.opened, function() keep = nil end, 3)
    core.debug(debugging)
    assert.is_nil(keep)
    assert.is_true(#list >= 40)
    for _, entry in ipairs(list) do assert.matches("cqe_spec", entry.where) end
  end)
end)

describe("a result of a multishot", function()
  it("is closed when a finaliser closes the iterator under it", function()
    local listener <close>, address = helper.listener()
    local client <close> = assert(op.socket(core.AF_INET, core.SOCK_STREAM))
    assert(op.connect(client, address))
    local iterator = op.accept_multishot(listener)
    local conn = helper.interrupted(function() return iterator() end,
      function() iterator:close() end)
    assert.is_nil(conn)
    assert.is_nil(iterator())
    assert.equal("", op.recv(client, 1)) -- the connection is gone
  end)

  it("goes back when a finaliser closes the iterator under it", function()
    local ring = core.default()
    local a, b = helper.pair()
    local _ <close> = helper.closing(a, b)
    local br <close> = assert(ring:setup_buf_ring(4, 1, 0, 16))
    local iterator = op.recv_multishot(b, br)
    assert(op.send(a, "hello"))
    assert.is_nil(helper.interrupted(function() return iterator() end,
      function() iterator:close() end))
    assert.equal(4, br:available())
  end)

  it("is closed with the descriptors of a message", function()
    local a, b = assert(sock.socketpair(core.AF_UNIX, core.SOCK_DGRAM))
    local _ <close> = helper.closing(a, b)
    local iterator = op.recvmsg_multishot(b, { control = 64 })
    assert(op.sendmsg(a, { iov = "x", control = { { type = "rights", fds = { a } } } }))
    assert.is_nil(helper.interrupted(function() return iterator() end,
      function() iterator:close() end))
  end)

  it("has one owner when a finaliser asks for one, too", function()
    local listener <close>, address = helper.listener()
    local iterator <close> = op.accept_multishot(listener)
    local clients = {}
    for i = 1, 2 do
      clients[i] = assert(op.socket(core.AF_INET, core.SOCK_STREAM))
      assert(op.connect(clients[i], address))
    end
    local other
    local conn <close> = helper.interrupted(function() return iterator() end,
      function() other = iterator() end)
    for i, fd in ipairs { other, conn } do
      assert.equal(sock.getsockname(clients[i]).port, sock.getpeername(fd).port)
    end
    other:close()
    for _, client in ipairs(clients) do client:close() end
  end)

  it("is taken once, whatever it is", function()
    local a, b = helper.pair()
    local _ <close> = helper.closing(a, b)
    local br <close> = assert(core.default():setup_buf_ring(4, 1, 0, 16))
    local iterator <close> = op.recv_multishot(b, br)
    local other
    for _, text in ipairs { "one", "two" } do
      assert(op.send(a, text))
      op.nop()
    end
    local data = helper.interrupted(function() return iterator() end,
      function() other = iterator() end)
    assert.same({ "one", "two" }, { other:string(), data:string() })
    other:release()
    data:release()
    assert.equal(4, br:available())
  end)

  it("begins where it began, whatever comes into the same buffer meanwhile", function()
    local a, b = helper.pair()
    local _ <close> = helper.closing(a, b)
    local br <close> = assert(core.default():setup_buf_ring(2, 1, core.IOU_PBUF_RING_INC, 64))
    local iterator <close> = op.recv_multishot(b, br)
    assert(op.send(a, "one"))
    op.nop()
    local first <close> = helper.interrupted(function() return iterator() end, function()
      assert(op.send(a, "second"))
      op.nop()
    end)
    local second <close> = iterator()
    assert.same({ "one", "second" }, { first:string(), second:string() })
  end)

  it("is not put together any more when a finaliser has closed the ring", function()
    helper.prints("nil\n", [[
      local core = require "uring.core"
      local op, ring = core.op, core.default()
      local a, b = core.sock.socketpair()
      local bundle = op.with { ioprio = core.IORING_RECVSEND_BUNDLE }
      local iterator = assert(bundle.recv_multishot(b))
      assert(op.send(a, ("x"):rep(20000)))
      op.nop()
      collectgarbage()
      collectgarbage "stop"
      setmetatable({}, { __gc = function() ring:close() end })
      collectgarbage("incremental", 1, 100, 63) -- a whole cycle each time
      collectgarbage "restart"
      print(iterator())
    ]], true)
  end)

  it("comes all the same when a finaliser has run the loop", function()
    local a, b = helper.pair()
    local _ <close> = helper.closing(a, b)
    local listener <close>, address = helper.listener()
    local clients = {}
    for i = 1, 3 do
      clients[i] = assert(op.socket(core.AF_INET, core.SOCK_STREAM))
      assert(op.connect(clients[i], address))
    end
    local iterator <close> = op.accept_multishot(listener)
    for i = 1, 3 do
      local conn <close> = helper.interrupted(function() return iterator() end, op.nop)
      assert.equal(sock.getsockname(clients[i]).port, sock.getpeername(conn).port)
    end
    for _, client in ipairs(clients) do client:close() end
  end)
end)
