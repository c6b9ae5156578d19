-- Sockets: making and connecting them, sending and receiving.

local assert = require "luassert"
local core = require "uring.core"
local helper = require "spec.helper"
local system = require "spec.system" -- spec/support/system.c

local op <const>, sock <const> = core.op, core.sock
local INET <const>, STREAM <const>, DGRAM <const> = core.AF_INET, core.SOCK_STREAM, core.SOCK_DGRAM

local cases = {}

-- ---- making them ------------------------------------------------------------

-- The socket has these properties.
local function is_socket(fd, domain, type, protocol, nonblock, cloexec)
  assert.equal(domain, sock.getsockopt(fd, nil, "domain"))
  assert.equal(type, sock.getsockopt(fd, nil, "type"))
  assert.equal(protocol, sock.getsockopt(fd, nil, "protocol"))
  local flags <const>, closes <const> = system.flags(fd)
  assert.equal(nonblock, flags & core.O_NONBLOCK ~= 0)
  assert.equal(cloexec, closes)
end

-- What is in the slot as an ordinary descriptor, which is closed on exec.
local function plain(t, fd) return t:keep(t.ring:spawn(op.fixed_fd_install, fd):join()) end

-- Calls that fail, with a slot or without.
local function makes_none(t, name, ...)
  t:fails("EAFNOSUPPORT", name, 12345, STREAM, 0, ...)
  t:fails("EPROTONOSUPPORT", name, INET, STREAM, core.IPPROTO_UDP, ...)
end

cases.socket = {
  work = function(t)
    local fd = t:keep(t:call("socket", INET, STREAM | core.SOCK_NONBLOCK | core.SOCK_CLOEXEC))
    is_socket(fd, INET, STREAM, core.IPPROTO_TCP, true, true)
    fd = t:keep(t:call("socket", core.AF_INET6, DGRAM, core.IPPROTO_UDP))
    is_socket(fd, core.AF_INET6, DGRAM, core.IPPROTO_UDP, false, false)
    fd = t:keep(t:call("socket", core.AF_UNIX, core.SOCK_SEQPACKET))
    is_socket(fd, core.AF_UNIX, core.SOCK_SEQPACKET, 0, false, false)
  end,
  fail = function(t)
    makes_none(t, "socket")
    t:fails("EINVAL", "socket", INET, STREAM, 0, 1)
  end,
}

cases.socket_direct = {
  work = function(t)
    local fd <const> = t:call("socket_direct", core.AF_INET6, DGRAM | core.SOCK_NONBLOCK,
      core.IPPROTO_UDP, 5)
    assert.equal(5, fd:slot())
    assert.matches("^socket:", t:slots()[5])
    is_socket(plain(t, fd), core.AF_INET6, DGRAM, core.IPPROTO_UDP, true, true)
    local any <const> = t:call("socket_direct", core.AF_UNIX, core.SOCK_SEQPACKET)
    is_socket(plain(t, any), core.AF_UNIX, core.SOCK_SEQPACKET, 0, false, true)
  end,
  fail = function(t)
    makes_none(t, "socket_direct", 1)
    t:fails("EINVAL", "socket_direct", INET, STREAM | core.SOCK_CLOEXEC, 0, 1)
    t:fails("EINVAL", "socket_direct", INET, STREAM, 0, 1, 1)
    t:fails("EINVAL", "socket_direct", INET, STREAM, 0, 8)
    for slot = 0, 7 do t:install(slot) end
    t:fails("ENFILE", "socket_direct", INET, STREAM)
  end,
}

cases.socket_direct_alloc = {
  work = function(t)
    t:install(0)
    local fd <const> = t:call("socket_direct_alloc", core.AF_INET6, DGRAM | core.SOCK_NONBLOCK,
      core.IPPROTO_UDP)
    assert.equal(1, fd:slot())
    is_socket(plain(t, fd), core.AF_INET6, DGRAM, core.IPPROTO_UDP, true, true)
  end,
  fail = function(t)
    makes_none(t, "socket_direct_alloc")
    t:fails("EINVAL", "socket_direct_alloc", INET, STREAM, 0, 1)
    for slot = 0, 7 do t:install(slot) end
    t:fails("ENFILE", "socket_direct_alloc", INET, STREAM)
  end,
}

local function tcp(t) return t:keep(assert(op.socket(INET, STREAM))) end

cases.bind = {
  work = function(t)
    local fd <const> = tcp(t)
    assert.is_true(t:call("bind", fd, "127.0.0.1:0"))
    local address <const> = sock.getsockname(fd)
    assert.equal("127.0.0.1", address.host)
    assert.not_equal(0, address.port)
    local unix <const> = t:keep(assert(op.socket(core.AF_UNIX, STREAM)))
    assert.is_true(t:call("bind", unix, "unix:" .. t.dir .. "/socket"))
    assert.equal(t.dir .. "/socket", sock.getsockname(unix).path)
    assert.not_nil(system.stat(t.dir .. "/socket"))
  end,
  fail = function(t)
    local _ <const>, address <const> = t:listener()
    t:fails("EADDRINUSE", "bind", tcp(t), address)
    t:fails("ENOTSOCK", "bind", t:file(), address)
  end,
}

-- How many connections may wait for a listener to accept them.
local function backlog(fd)
  return string.unpack("I4", sock.getsockopt(fd, "tcp", core.TCP_INFO or 11, 104), 29)
end

cases.listen = {
  work = function(t)
    local fd <const> = tcp(t)
    assert(sock.bind(fd, "127.0.0.1:0"))
    for _, n in ipairs { 17, 3 } do
      assert.is_true(t:call("listen", fd, n))
      assert.equal(1, sock.getsockopt(fd, nil, "acceptconn"))
      assert.equal(n, backlog(fd))
    end
  end,
  fail = function(t)
    t:fails("EOPNOTSUPP", "listen", t:udp(), 1)
    t:fails("ENOTSOCK", "listen", t:file(), 1)
  end,
}

-- A socket that has connected to it, by the default ring.
local function client(t, address)
  local fd <const> = tcp(t)
  assert(op.connect(fd, address))
  return fd
end

-- Bytes go from one to the other.
local function connected(from, to)
  assert.equal(5, system.write(from, "hello"))
  assert.equal("hello", system.read(to, 10))
end

cases.accept = {
  work = function(t)
    local fd <const>, address <const> = t:listener()
    local waiting <const> = t:start("accept", fd, core.SOCK_NONBLOCK | core.SOCK_CLOEXEC)
    local one <const> = client(t, address)
    local conn, peer = waiting.result()
    is_socket(t:keep(conn), INET, STREAM, core.IPPROTO_TCP, true, true)
    assert.same(sock.getsockname(one), peer)
    connected(one, conn)
    client(t, address)
    conn = t:call("accept", fd)
    is_socket(t:keep(conn), INET, STREAM, core.IPPROTO_TCP, false, false)
    client(t, address)
    t.ioprio = core.IORING_ACCEPT_POLL_FIRST
    conn, peer = t:call("accept", fd)
    assert.same(sock.getpeername(t:keep(conn)), peer)
  end,
  fail = function(t)
    t:fails("EINVAL", "accept", tcp(t))
    t:fails("ENOTSOCK", "accept", t:file())
    local fd <const>, address <const> = t:listener()
    t:fails("EINVAL", "accept", fd, 1)
    t.ioprio = core.IORING_ACCEPT_DONTWAIT
    t:fails("EAGAIN", "accept", fd)
    client(t, address)
    assert(op.poll_add(fd, core.POLLIN)) -- the last word of the handshake may come later
    assert.not_nil(t:keep((t:call("accept", fd))))
  end,
}

cases.accept_direct = {
  work = function(t)
    local fd <const>, address <const> = t:listener()
    local one <const>, two <const> = client(t, address), client(t, address)
    local conn, peer = t:call("accept_direct", fd, core.SOCK_NONBLOCK, 5)
    assert.equal(5, conn:slot())
    assert.same(sock.getsockname(one), peer)
    local there = plain(t, conn)
    is_socket(there, INET, STREAM, core.IPPROTO_TCP, true, true)
    connected(one, there)
    conn, peer = t:call("accept_direct", fd)
    assert.same(sock.getsockname(two), peer)
    there = plain(t, conn)
    is_socket(there, INET, STREAM, core.IPPROTO_TCP, false, true)
    connected(there, two)
  end,
  fail = function(t)
    t:fails("EINVAL", "accept_direct", tcp(t))
    local fd <const>, address <const> = t:listener()
    t:fails("EINVAL", "accept_direct", fd, core.SOCK_CLOEXEC)
    for slot = 0, 7 do t:install(slot) end
    client(t, address)
    t:fails("ENFILE", "accept_direct", fd)
  end,
}

cases.multishot_accept = {
  work = function(t)
    local fd <const>, address <const> = t:listener()
    local following <const>, stop <const> = t:many("multishot_accept", fd,
      core.SOCK_NONBLOCK | core.SOCK_CLOEXEC)
    for _ = 1, 3 do
      local one <const> = client(t, address)
      local conn <const> = t:keep((following()))
      is_socket(conn, INET, STREAM, core.IPPROTO_TCP, true, true)
      assert.same(sock.getsockname(one), sock.getpeername(conn))
      connected(one, conn)
    end
    stop()
  end,
  fail = function(t)
    t:refuses("EINVAL", "multishot_accept", tcp(t))
  end,
}

cases.multishot_accept_direct = {
  work = function(t)
    local fd <const>, address <const> = t:listener()
    local following <const>, stop <const> = t:many("multishot_accept_direct", fd,
      core.SOCK_NONBLOCK)
    t:install(1)
    for _ = 1, 3 do
      local one <const> = client(t, address)
      local conn <const> = following()
      assert.matches("^socket:", t:slots()[conn:slot()])
      local there <const> = plain(t, conn)
      is_socket(there, INET, STREAM, core.IPPROTO_TCP, true, true)
      connected(one, there)
    end
    stop()
  end,
  fail = function(t)
    t:refuses("EINVAL", "multishot_accept_direct", (t:listener()), core.SOCK_CLOEXEC)
  end,
}

cases.connect = {
  work = function(t)
    local fd <const>, address <const> = t:listener()
    local one <const> = tcp(t)
    assert.is_true(t:call("connect", one, address))
    assert.same(address, sock.getpeername(one))
    connected(one, t:keep((op.accept(fd))))
    local unix <const>, other <const> = t:keep(assert(op.socket(core.AF_UNIX, DGRAM)),
      assert(op.socket(core.AF_UNIX, DGRAM)))
    assert(sock.bind(unix, "unix:" .. t.dir .. "/socket"))
    assert.is_true(t:call("connect", other, "unix:" .. t.dir .. "/socket"))
    connected(other, unix)
  end,
  fail = function(t)
    local bound <const>, address <const> = helper.nobody()
    t:keep(bound)
    t:fails("ECONNREFUSED", "connect", tcp(t), address)
    t:fails("EAFNOSUPPORT", "connect", tcp(t), "unix:" .. t.dir .. "/socket")
  end,
}

cases.shutdown = {
  work = function(t)
    local a <const>, b <const> = t:pair()
    assert.is_true(t:call("shutdown", a, "write"))
    assert.equal("", system.read(b, 1))
    connected(b, a)
    assert.is_true(t:call("shutdown", b, core.SHUT_RD or 0))
    assert.equal("", system.read(b, 1))
    connected(b, a)
    local c <const>, d <const> = t:pair()
    assert.is_true(t:call("shutdown", c, "both"))
    assert.equal("", system.read(c, 1))
    assert.equal("", system.read(d, 1))
  end,
  fail = function(t)
    t:fails("ENOTCONN", "shutdown", tcp(t), "both")
    t:fails("ENOTSOCK", "shutdown", t:file(), "both")
  end,
}

-- ---- sending ----------------------------------------------------------------

cases.send = {
  work = function(t)
    local a <const>, b <const> = t:pair()
    assert.equal(3, (t:call("send", a, "abcdef", 3)))
    assert.equal("abc", system.read(b, 10))
    assert.equal(6, (t:call("send", a, core.buffer "ghijkl")))
    assert.equal("ghijkl", system.read(b, 10))
    assert.equal(1, (t:call("send", a, "!", nil, core.MSG_OOB)))
    assert.equal("!", system.oob(b))
    t.ioprio = core.IORING_RECVSEND_POLL_FIRST
    assert.equal(2, (t:call("send", a, "hi")))
    assert.equal("hi", system.read(b, 10))
  end,
  fail = function(t)
    t:fails("EPIPE", "send", tcp(t), "x", nil, core.MSG_NOSIGNAL)
    t:fails("ENOTSOCK", "send", t:file(), "x")
    local a <const> = t:udp()
    t:fails("EMSGSIZE", "send", a, ("x"):rep(70000))
    t:fails("EDESTADDRREQ", "send", a, "x")
  end,
}

cases.sendto = {
  work = function(t)
    local a <const>, b <const>, address <const> = t:udp()
    assert.equal(3, (t:call("sendto", a, "abcdef", 3, 0, address)))
    assert.equal("abc", system.read(b, 10))
    assert.equal(6, (t:call("sendto", a, core.buffer "ghijkl", nil, 0, tostring(address))))
    assert.equal("ghijkl", system.read(b, 10))
    assert(op.connect(a, address))
    assert.equal(2, (t:call("sendto", a, "hi")))
    assert.equal("hi", system.read(b, 10))
  end,
  fail = function(t)
    local a <const>, _ <const>, address <const> = t:udp()
    t:fails("EOPNOTSUPP", "sendto", a, "x", nil, core.MSG_OOB, address)
    t:fails("EDESTADDRREQ", "sendto", a, "x")
    t:fails("EAFNOSUPPORT", "sendto", a, "x", nil, 0, "[::1]:1")
  end,
}

cases.send_zc = {
  work = function(t)
    local a <const>, b <const> = t:pair()
    local buffer <const> = core.buffer "abcdef"
    assert.equal(3, (t:call("send_zc", a, buffer, 3)))
    assert.equal("abc", system.read(b, 10))
    t:settle()
    assert.equal(0, buffer:busy())
    assert.equal(6, (t:call("send_zc", a, "ghijkl", nil, 0, core.IORING_SEND_ZC_REPORT_USAGE)))
    assert.equal("ghijkl", system.read(b, 10))
    local cqe <const> = t:settle() -- the loopback interface copies
    if cqe then
      assert.equal(core.IORING_NOTIF_USAGE_ZC_COPIED, cqe.res & 0xffffffff)
    end
    local c <const>, d <const>, address <const> = t:udp()
    assert.equal(3, (t:call("send_zc", c, "udp", nil, 0, 0, address)))
    assert.equal("udp", system.read(d, 10))
    t:settle()
  end,
  fail = function(t)
    local a <const>, b <const>, address <const> = t:udp()
    t:fails("EOPNOTSUPP", "send_zc", a, "x", nil, core.MSG_OOB, 0, address)
    t:settle()
    t:fails("EINVAL", "send_zc", b, "x", nil, 0, 1 << 9, address)
    t:settle()
    t:fails("EDESTADDRREQ", "send_zc", b, "x")
    t:settle()
  end,
}

-- The second of two registered buffers.
local function registered(t, text)
  local buffer <const> = core.buffer(text)
  assert(t.ring:register_buffers { core.buffer(100), buffer })
  return buffer
end

cases.send_zc_fixed = {
  work = function(t)
    local a <const>, b <const> = t:pair()
    local buffer <const> = registered(t, "abcdef")
    assert.equal(3, (t:call("send_zc_fixed", a, buffer, 3, 0, 0, 1)))
    assert.equal("abc", system.read(b, 10))
    t:settle()
    local c <const>, d <const>, address <const> = t:udp()
    assert.equal(6, (t:call("send_zc_fixed", c, buffer, nil, 0, 0, 1, address)))
    assert.equal("abcdef", system.read(d, 10))
    t:settle()
  end,
  fail = function(t)
    local a <const>, b <const>, address <const> = t:udp()
    local buffer <const> = registered(t, "abcdef")
    t:fails("EFAULT", "send_zc_fixed", a, buffer, nil, 0, 0, 0, address)
    t:settle()
    t:fails("EFAULT", "send_zc_fixed", a, buffer, nil, 0, 0, 2, address)
    t:settle()
    t:fails("EOPNOTSUPP", "send_zc_fixed", b, buffer, nil, core.MSG_OOB, 0, 1, address)
    t:settle()
    t:fails("EINVAL", "send_zc_fixed", b, buffer, nil, 0, 1 << 9, 1, address)
    t:settle()
  end,
}

cases.send_vectorized = {
  work = function(t)
    local a <const>, b <const> = t:pair()
    assert.equal(9, (t:call("send_vectorized", a, { "one", core.buffer "two", "", "six" })))
    assert.equal("onetwosix", system.read(b, 10))
    assert.equal(1, (t:call("send_vectorized", a, { "!" }, core.MSG_OOB)))
    assert.equal("!", system.oob(b))
  end,
  fail = function(t)
    t:fails("EPIPE", "send_vectorized", tcp(t), { "x" }, core.MSG_NOSIGNAL)
    t:fails("EDESTADDRREQ", "send_vectorized", t:udp(), { "x" })
  end,
}

cases.sendmsg = {
  work = function(t)
    local a <const>, b <const> = t:pair()
    assert.equal(6, (t:call("sendmsg", a, { iov = { "one", core.buffer "two" } })))
    assert.equal("onetwo", system.read(b, 10))
    assert.equal(1, (t:call("sendmsg", a, { iov = "!" }, core.MSG_OOB)))
    assert.equal("!", system.oob(b))
    local c <const>, d <const>, address <const> = t:udp()
    assert.equal(3, (t:call("sendmsg", c, { name = address, iov = "udp" })))
    assert.equal("udp", system.read(d, 10))
  end,
  fail = function(t)
    t:fails("EDESTADDRREQ", "sendmsg", t:udp(), { iov = "x" })
    t:fails("ENOTSOCK", "sendmsg", t:file(), { iov = "x" })
  end,
}

cases.sendmsg_zc = {
  work = function(t)
    local a <const>, b <const> = t:pair()
    local buffer <const> = core.buffer "two"
    assert.equal(6, (t:call("sendmsg_zc", a, { iov = { "one", buffer } })))
    assert.equal("onetwo", system.read(b, 10))
    t:settle()
    assert.equal(0, buffer:busy())
    local c <const>, d <const>, address <const> = t:udp()
    assert.equal(3, (t:call("sendmsg_zc", c, { name = address, iov = "udp" })))
    assert.equal("udp", system.read(d, 10))
    t:settle()
  end,
  fail = function(t)
    local a <const>, _ <const>, address <const> = t:udp()
    t:fails("EOPNOTSUPP", "sendmsg_zc", a, { name = address, iov = "x" }, core.MSG_OOB)
    t:settle()
    t:fails("EDESTADDRREQ", "sendmsg_zc", a, { iov = "x" })
    t:settle()
  end,
}

cases.sendmsg_zc_fixed = {
  work = function(t)
    local a <const>, b <const> = t:pair()
    local buffer <const> = registered(t, "abcdef")
    assert.equal(12, (t:call("sendmsg_zc_fixed", a, { iov = { buffer, buffer } }, 0, 1)))
    assert.equal("abcdefabcdef", system.read(b, 100))
    t:settle()
  end,
  fail = function(t)
    local a <const>, b <const>, address <const> = t:udp()
    local message <const> = { name = address, iov = { registered(t, "abcdef") } }
    t:fails("EFAULT", "sendmsg_zc_fixed", a, message, 0, 0)
    t:settle()
    t:fails("EFAULT", "sendmsg_zc_fixed", a, message, 0, 2)
    t:settle()
    t:fails("EOPNOTSUPP", "sendmsg_zc_fixed", b, message, core.MSG_OOB, 1)
    t:settle()
  end,
}

return cases
