local core = require "uring.core"
local helper = require "spec.helper"

local op <const>, sock <const> = core.op, core.sock
local fails <const>, raises <const> = helper.fails, helper.raises
local it <const>, needs <const>, settle <const> = helper.it, helper.needs, helper.settle


-- Two UDP sockets; the second's address.
local function udp()
  local a = assert(op.socket(core.AF_INET, core.SOCK_DGRAM))
  local b = assert(op.socket(core.AF_INET, core.SOCK_DGRAM))
  assert(sock.bind(b, "127.0.0.1:0"))
  return a, b, assert(sock.getsockname(b))
end

describe("sendto", function()
  it("sends a datagram to an address", function()
    local a, b, address = udp()
    local _ <close> = helper.closing(a, b)
    assert.equal(5, op.sendto(a, "hello", nil, 0, address))
    assert.equal("hello", op.recv(b, 100))
    assert.equal(2, op.sendto(a, core.buffer "hello", 2, 0, "127.0.0.1:" .. address.port))
    assert.equal("he", op.recv(b, 100))
  end)

  it("is a send without one", function()
    local a, b = helper.pair()
    local _ <close> = helper.closing(a, b)
    assert.equal(2, op.sendto(a, "hi"))
    assert.equal("hi", op.recv(b, 10))
  end)

  it("names the address when it fails", function()
    local a <close> = assert(op.socket(core.AF_INET, core.SOCK_DGRAM))
    fails("EACCES", "sendto 255.255.255.255:9: Permission denied",
      op.sendto(a, "x", nil, 0, "255.255.255.255:9"))
  end)
end)

describe("send_zc", function()
  needs "send_zc"("returns with the first completion and pins the memory", function()
    local a, b = helper.pair()
    local _ <close> = helper.closing(a, b)
    local buffer = core.buffer(("0123456789"):rep(6000))
    assert.equal(60000, op.send_zc(a, buffer))
    local got = {}
    local n = 0
    while n < 60000 do
      local piece = assert(op.recv(b, 65536))
      got[#got + 1] = piece
      n = n + #piece
    end
    assert.equal(buffer:string(), table.concat(got))
    settle(buffer)
  end)

  needs "send_zc"("keeps a string that nobody else has", function()
    local a, b = helper.pair()
    local _ <close> = helper.closing(a, b)
    assert.equal(30000, op.send_zc(a, ("x"):rep(30000), nil, core.MSG_WAITALL))
    collectgarbage()
    assert.equal(("x"):rep(30000), op.recv(b, 30000, core.MSG_WAITALL))
    settle()
  end)

  needs "send_zc"("sends to an address", function()
    local a, b, address = udp()
    local _ <close> = helper.closing(a, b)
    assert.equal(3, op.send_zc(a, "abc", nil, 0, 0, address))
    assert.equal("abc", op.recv(b, 10))
    settle()
  end)

  needs "send_zc"("fails where the socket cannot do it, and lets go", function()
    local a, b = sock.socketpair("unix", "stream")
    local _ <close> = helper.closing(a, b)
    local buffer = core.buffer(100)
    fails("EOPNOTSUPP", ("send_zc fd %d: Operation not supported"):format(a:fileno()),
      op.send_zc(a, buffer))
    settle(buffer)
  end)

  helper.main_it("gives the raw layer both completions", function()
    local a, b = helper.pair()
    local _ <close> = helper.closing(a, b)
    local ring <close> = assert(core.ring())
    local buffer = core.buffer(1000)
    ring:get_sqe():prep_send_zc(a, buffer, nil, 0, core.IORING_SEND_ZC_REPORT_USAGE):set_data "s"
    ring:submit()
    local first = assert(ring:wait_cqe(5))
    assert.equal(1000, first.res)
    assert.is_true(first.more)
    assert.equal("s", first.data)
    assert.equal(1, buffer:busy())
    assert.equal(1000, #op.recv(b, 1000))
    local last = assert(ring:wait_cqe(5))
    assert.is_true(last.notif)
    assert.is_false(last.more)
    assert.equal("s", last.data)
    assert.equal(0, buffer:busy())
    assert(helper.idle(ring))
  end)

  helper.main_it("has a second address by send_set_addr", function()
    local a, b, address = udp()
    local _ <close> = helper.closing(a, b)
    local ring <close> = assert(core.ring())
    ring:get_sqe():prep_send(a, "raw"):prep_send_set_addr(address)
    ring:submit()
    assert.equal(3, ring:wait_cqe(5).res)
    assert.equal("raw", op.recv(b, 10))
    raises("not prepared for a send", function()
      ring:get_sqe():prep_nop():prep_send_set_addr(address)
    end)
  end)
end)

describe("send_zc_fixed", function()
  helper.main_it("sends from a registered buffer", function()
    local a, b = helper.pair()
    local _ <close> = helper.closing(a, b)
    local ring <close> = assert(core.ring())
    local buffer = core.buffer(("z"):rep(5000))
    assert(ring:register_buffers { buffer })
    assert.equal(5000, ring:spawn(op.send_zc_fixed, a, buffer, nil, 0, 0, 0):join())
    assert.equal(("z"):rep(5000), op.recv(b, 5000, core.MSG_WAITALL))
    local task = ring:spawn(op.send_zc_fixed, a, buffer, nil, 0, 0, 1)
    fails("EFAULT", ("send_zc_fixed fd %d: Bad address"):format(a:fileno()), task:join())
  end)
end)

describe("cmd_sock", function()
  local SIOCINQ, SIOCOUTQ = core.SOCKET_URING_OP_SIOCINQ, core.SOCKET_URING_OP_SIOCOUTQ
  local GET, SET = core.SOCKET_URING_OP_GETSOCKOPT, core.SOCKET_URING_OP_SETSOCKOPT

  it("sets and gets options", function()
    local s <close> = assert(op.socket(core.AF_INET, core.SOCK_STREAM))
    assert.is_true(op.cmd_sock(SET, s, core.SOL_SOCKET, core.SO_KEEPALIVE, true))
    assert.equal(1, op.cmd_sock(GET, s, core.SOL_SOCKET, core.SO_KEEPALIVE))
    assert.is_true(sock.getsockopt(s, "socket", "keepalive") ~= 0)
    assert.is_true(op.cmd_sock(SET, s, core.IPPROTO_TCP, core.TCP_NODELAY, 1))
    assert.equal(1, sock.getsockopt(s, core.IPPROTO_TCP, core.TCP_NODELAY))
    assert.is_true(op.cmd_sock(SET, s, core.SOL_SOCKET, core.SO_LINGER,
      string.pack("i4i4", 1, 7)))
    local text = assert(op.cmd_sock(GET, s, core.SOL_SOCKET, core.SO_LINGER, 64))
    assert.same({ 1, 7, 9 }, { string.unpack("i4i4", text) })
    local buffer = core.buffer(64)
    assert.equal(8, op.cmd_sock(GET, s, core.SOL_SOCKET, core.SO_LINGER, buffer))
    assert.equal(text, buffer:string(1, 8))
  end)

  it("fails for options that are not there", function()
    local s <close> = assert(op.socket(core.AF_INET, core.SOCK_STREAM))
    fails("ENOPROTOOPT", ("cmd_sock fd %d: Protocol not available"):format(s:fileno()),
      op.cmd_sock(SET, s, core.SOL_SOCKET, 9999, 1))
    fails("EOPNOTSUPP", ("cmd_sock fd %d: Operation not supported"):format(s:fileno()),
      op.cmd_sock(GET, s, core.IPPROTO_TCP, core.TCP_NODELAY)) -- only SOL_SOCKET
    raises("expected 0 to 4", op.cmd_sock, 5, s)
    raises("string or buffer expected", op.cmd_sock, SET, s, 1, 1, {})
  end)

  it("asks how much is queued", function()
    local a, b = helper.pair()
    local _ <close> = helper.closing(a, b)
    assert.equal(0, op.cmd_sock(SIOCINQ, b))
    op.send(a, "12345")
    op.poll_add(b, core.POLLIN)
    assert.equal(5, op.cmd_sock(SIOCINQ, b))
    assert.equal(0, op.cmd_sock(SIOCOUTQ, b))
    local r, w = op.pipe()
    local _ <close> = helper.closing(r, w)
    local _, _, code = op.cmd_sock(SIOCINQ, r)
    assert.truthy(code == core.errno.EOPNOTSUPP or code == core.errno.ENOTSOCK)
  end)

  it("cmd_getsockname asks for addresses, or says that the kernel does not", function()
    local s <close>, address = helper.listener()
    local result, message, code = op.cmd_getsockname(s)
    if result then return assert.equal(address.port, result.port) end
    assert.equal(core.errno.EOPNOTSUPP, code)
    assert.equal(("cmd_getsockname fd %d: Operation not supported"):format(s:fileno()), message)
  end)
end)

describe("cancel_fd", function()
  it("cancels what waits for a descriptor", function()
    local a, b = helper.pair()
    local _ <close> = helper.closing(a, b)
    local task = core.spawn(op.recv, a, 10)
    core.yield()
    core.yield()
    assert.equal(0, op.cancel_fd(a))
    fails("ECANCELED", ("recv fd %d: Operation canceled"):format(a:fileno()), task:join())
    fails("ENOENT", ("cancel_fd fd %d: No such file or directory"):format(a:fileno()),
      op.cancel_fd(a))
  end)

  helper.main_it("knows slots of the ring's table", function()
    local ring <close> = assert(core.ring())
    assert(ring:register_files_sparse(2))
    local s = ring:spawn(op.socket_direct, core.AF_INET, core.SOCK_DGRAM):join()
    local task = ring:spawn(op.recv, s, 10)
    ring:step(0)
    assert.equal(0, ring:spawn(op.cancel_fd, s):join())
    fails("ECANCELED", "recv slot 0: Operation canceled", task:join())
  end)

  it("cancels them all, and counts them", function()
    local a, b = helper.pair()
    local _ <close> = helper.closing(a, b)
    local tasks = {}
    for i = 1, 3 do tasks[i] = core.spawn(op.poll_add, a, core.POLLIN) end
    core.yield()
    core.yield()
    assert.equal(3, op.cancel_fd(a, core.IORING_ASYNC_CANCEL_ALL))
    for i = 1, 3 do assert.equal(core.errno.ECANCELED, select(3, tasks[i]:join())) end
  end)
end)

describe("cancel", function()
  it("by the kind of operation", function()
    local a, b = helper.pair()
    local _ <close> = helper.closing(a, b)
    local poll = core.spawn(op.poll_add, a, core.POLLIN)
    local recv = core.spawn(op.recv, a, 10)
    core.yield()
    core.yield()
    assert.equal(1, op.cancel64(nil, core.IORING_ASYNC_CANCEL_OP | core.IORING_ASYNC_CANCEL_ALL,
      core.IORING_OP_POLL_ADD))
    assert.equal(core.errno.ECANCELED, select(3, poll:join()))
    op.send(b, "still")
    assert.equal("still", recv:join())
  end)

  it("by task, or not at all", function()
    local task = core.spawn(op.timeout, 10)
    core.yield()
    core.yield()
    assert.equal(0, op.cancel64(task))
    assert.equal(core.errno.ECANCELED, select(3, task:join()))
    fails("ENOENT", "cancel64: No such file or directory", op.cancel64(task))
  end)
end)
