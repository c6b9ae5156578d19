-- Sockets: what comes from them, and what is known of them.

local assert = require "luassert"
local core = require "uring.core"
local helper = require "spec.helper"
local system = require "spec.system" -- spec/support/system.c

local op <const>, sock <const> = core.op, core.sock

local cases = {}

cases.recv = {
  work = function(t)
    local a <const>, b <const> = t:pair()
    local buffer <const> = core.buffer(10)
    local waiting <const> = t:start("recv", b, buffer, 3)
    system.write(a, "abcdef")
    assert.equal(3, (waiting.result()))
    assert.equal("abc\0", buffer:string(1, 4))
    assert.equal(3, (t:call("recv", b, buffer, nil, core.MSG_PEEK)))
    assert.equal("def", system.read(b, 10))
    assert.equal("def\0", buffer:string(1, 4))
    a:close()
    t.ioprio = core.IORING_RECVSEND_POLL_FIRST
    assert.equal(0, (t:call("recv", b, buffer)))
  end,
  fail = function(t)
    t:fails("EAGAIN", "recv", t:udp(), core.buffer(1), nil, core.MSG_DONTWAIT)
    t:fails("ENOTSOCK", "recv", t:file(), core.buffer(1))
  end,
}

cases.recv_multishot = {
  work = function(t)
    local br <const> = t:buffers(4, 8)
    local a <const>, b <const> = t:pair()
    local following, stop = t:many("recv_multishot", b, br)
    system.write(a, "tcp")
    assert.equal("tcp", following())
    system.write(a, "0123456789")
    assert.equal("01234567", following())
    assert.equal("89", following())
    stop()
    following, stop = t:many("recv_multishot", b, br, 3) -- so many bytes at a time
    system.write(a, "abcdefgh")
    assert.same({ "abc", "def", "gh" }, { following(), following(), (following()) })
    a:close()
    assert.is_nil(following())
    stop()
  end,
  fail = function(t)
    local br <const> = t:buffers(2, 8)
    t:refuses("ENOTSOCK", "recv_multishot", t:file(), br, 0, 0)
    t:refuses("EINVAL", "recv_multishot", t:udp(), br, 0, core.MSG_WAITALL)
  end,
}

cases.recvmsg = {
  work = function(t)
    local a <const>, b <const>, address <const> = t:udp()
    assert(op.connect(a, address))
    local one <const>, two <const> = core.buffer(2), core.buffer(10)
    local waiting <const> = t:start("recvmsg", b, { iov = { one, two } }, core.MSG_PEEK)
    system.write(a, "abcdef")
    local n, message = waiting.result()
    assert.equal(6, n)
    assert.equal("abcdef", one:string() .. two:string(1, 4))
    assert.same(sock.getsockname(a), message.name)
    assert.equal("abcdef", system.read(b, 10))
    system.write(a, "abcdef")
    n, message = t:call("recvmsg", b, { iov = { one } })
    assert.same({ 2, true }, { n, message.truncated })
  end,
  fail = function(t)
    t:fails("EAGAIN", "recvmsg", t:udp(), { iov = { core.buffer(1) } }, core.MSG_DONTWAIT)
    t:fails("ENOTSOCK", "recvmsg", t:file(), { iov = { core.buffer(1) } })
  end,
}

cases.recvmsg_multishot = {
  work = function(t)
    local br <const> = t:buffers(4, 256)
    local a <const>, b <const>, address <const> = t:udp()
    assert(op.connect(a, address))
    local following <const>, stop <const> = t:many("recvmsg_multishot", b, nil, 0, br)
    for i = 1, 9 do
      system.write(a, ("message %d"):format(i))
      local data <const>, message <const> = following()
      assert.equal(("message %d"):format(i), data)
      assert.same(sock.getsockname(a), message.name)
      assert.is_false(message.truncated)
    end
    stop()
  end,
  fail = function(t)
    local br <const> = t:buffers(2, 128)
    t:refuses("ENOTSOCK", "recvmsg_multishot", t:file(), nil, 0, br)
    t:refuses("EINVAL", "recvmsg_multishot", t:udp(), nil, core.MSG_WAITALL, br)
  end,
}

cases.recv_zc = {
  without = { "a network card", function(t)
    local a <const>, b <const> = t:pair()
    system.write(a, "x")
    t:refuses("EINVAL", "recv_zc", b, 0, 0, 0)
    assert.equal("x", system.read(b, 1))
  end },
}

cases.send_bundle = {
  work = function(t)
    local br <const> = t:buffers(4, 8, 0, true)
    local a <const>, b <const> = t:pair()
    assert(br:push("one", "two", "three"))
    assert.equal(11, t:taken(t:call("send_bundle", a, 0, 0, br)))
    assert.equal("onetwothree", system.read(b, 100))
    assert(br:push "!")
    assert.equal(1, t:taken(t:call("send_bundle", a, 0, core.MSG_OOB, br)))
    assert.equal("!", system.oob(b))
    assert(br:push "abcdef")
    assert.equal(4, t:taken(t:call("send_bundle", a, 4, 0, br))) -- the kernel drops the rest
    assert.equal("abcd", system.read(b, 100))
    assert(br:push("1", "2", "3", "4")) -- all of them can be filled again
    t:taken(t:call("send_bundle", a, 0, 0, br))
  end,
  fail = function(t)
    local br <const> = t:buffers(4, 8, 0, true)
    local a <const> = t:pair()
    t:fails("ENOBUFS", "send_bundle", a, 0, 0, br)
    t:fails("ENOTSOCK", "send_bundle", t:file(), 0, 0, br)
  end,
}

-- ---- commands ---------------------------------------------------------------

local INQ <const>, OUTQ <const> = core.SOCKET_URING_OP_SIOCINQ, core.SOCKET_URING_OP_SIOCOUTQ
local GET <const>, SET <const> =
  core.SOCKET_URING_OP_GETSOCKOPT, core.SOCKET_URING_OP_SETSOCKOPT

cases.cmd_sock = {
  work = function(t)
    local a <const>, b <const> = t:pair()
    assert.is_true(t:call("cmd_sock", SET, a, core.SOL_SOCKET, core.SO_KEEPALIVE, true))
    assert.equal(1, sock.getsockopt(a, nil, "keepalive"))
    assert.is_true(t:call("cmd_sock", SET, a, core.IPPROTO_TCP, core.TCP_KEEPIDLE, 77))
    assert.equal(77, sock.getsockopt(a, nil, "keepidle"))
    assert.is_true(t:call("cmd_sock", SET, a, core.IPPROTO_IP, core.IP_TTL, 9))
    assert.equal(9, sock.getsockopt(a, nil, "ttl"))
    local linger <const> = core.buffer(string.pack("i4i4", 1, 7))
    assert.is_true(t:call("cmd_sock", SET, a, core.SOL_SOCKET, core.SO_LINGER, linger))
    assert.equal(7, sock.getsockopt(a, nil, "linger"))
    assert.equal(1, (t:call("cmd_sock", GET, a, core.SOL_SOCKET, core.SO_KEEPALIVE)))
    assert.equal(core.SOCK_STREAM, (t:call("cmd_sock", GET, a, core.SOL_SOCKET, core.SO_TYPE)))
    linger:fill(0)
    assert.equal(8, (t:call("cmd_sock", GET, a, core.SOL_SOCKET, core.SO_LINGER, linger)))
    assert.equal(string.pack("i4i4", 1, 7), linger:string())
    assert.equal(0, (t:call("cmd_sock", INQ, b)))
    system.write(a, "12345")
    helper.eventually(function() return t:call("cmd_sock", INQ, b, nil, nil) == 5 end)
    assert.equal("12345", system.read(b, 10))
    helper.eventually(function() return t:call("cmd_sock", OUTQ, a) == 0 end)
    while op.send(a, ("x"):rep(1 << 20), nil, core.MSG_DONTWAIT) do end
    assert.truthy(t:call("cmd_sock", OUTQ, a) > 0) -- nobody reads it
  end,
  fail = function(t)
    local a <const> = t:pair()
    t:fails("ENOPROTOOPT", "cmd_sock", SET, a, core.SOL_SOCKET, 9999, 1)
    t:fails("EINVAL", "cmd_sock", SET, a, core.SOL_SOCKET, core.SO_LINGER, "1")
    t:fails("EOPNOTSUPP", "cmd_sock", GET, a, core.IPPROTO_TCP, core.TCP_NODELAY)
    t:fails("EOPNOTSUPP", "cmd_sock", INQ, t:file())
    local unix <const> = t:keep(assert(sock.socketpair()))
    t:fails("EOPNOTSUPP", "cmd_sock", INQ, unix)
    -- a time of sending needs large completions
    t:fails("EINVAL", "cmd_sock", core.SOCKET_URING_OP_TX_TIMESTAMP, a)
  end,
}

local STAMPS <const> = core.SOF_TIMESTAMPING_TX_SOFTWARE | core.SOF_TIMESTAMPING_SOFTWARE |
  core.SOF_TIMESTAMPING_OPT_ID | core.SOF_TIMESTAMPING_OPT_TSONLY

-- os.time is late by up to a tick of the system's.
local function seconds_now() return system.clock(core.CLOCK_REALTIME) end

cases.cmd_tx_timestamp = {
  options = { cqe32 = true },
  work = function(t)
    local a <const>, _ <const>, address <const> = t:udp()
    assert(op.connect(a, address))
    assert(sock.setsockopt(a, core.SOL_SOCKET, core.SO_TIMESTAMPING, STAMPS))
    local following <const>, stop <const> = t:many("cmd_tx_timestamp", a)
    local before <const> = seconds_now() // 1
    for i = 0, 3 do
      system.write(a, "x")
      local stamp <const>, cqe <const> = following()
      assert.equal(i, cqe and stamp or stamp.id)
      local seconds <const> = cqe and cqe.extra1 or stamp.sec
      assert.truthy(seconds >= before and seconds <= seconds_now())
    end
    stop()
  end,
  fail = function(t)
    t:refuses("EOPNOTSUPP", "cmd_tx_timestamp", t:file())
  end,
}

-- Does the kernel have it?
local function knows_names()
  local fd <close> = helper.listener()
  return op.cmd_getsockname(fd) ~= nil
end

if knows_names() then
  cases.cmd_getsockname = {
    work = function(t)
      local a <const>, b <const> = t:pair()
      assert.same(sock.getsockname(a), t:call("cmd_getsockname", a))
      assert.same(sock.getsockname(b), t:call("cmd_getsockname", a, 1))
    end,
    fail = function(t)
      t:fails("ENOTCONN", "cmd_getsockname", (t:listener()), 1)
    end,
  }
else
  cases.cmd_getsockname = {
    without = { "Linux 6.19", function(t)
      t:fails("EOPNOTSUPP", "cmd_getsockname", (t:listener()))
    end },
  }
end

return cases
