-- The socket calls that are not operations of the ring.

local core = require "uring.core"

local sock <const> = core.sock
local op <const> = core.op
local errno <const> = core.errno

local open -- descriptors of the running test

local function keep(fd, ...)
  assert(fd, ...)
  open[#open + 1] = fd
  return fd, ...
end

local function tcp() return keep(op.socket(core.AF_INET, core.SOCK_STREAM)) end

local function udp() return keep(op.socket(core.AF_INET, core.SOCK_DGRAM)) end

local function pair(...)
  local a, b, code = sock.socketpair(...)
  assert(a, b, code)
  return keep(a), keep(b)
end

-- The lowest free descriptor: it rises when one is leaked.
local function lowest()
  local fd <close> = assert(sock.dup(0))
  return fd:fileno()
end

local function fails(code, message, result, err, n)
  assert.is_nil(result)
  assert.equal(message, err)
  assert.equal(code, n)
end

-- A number that no descriptor has.
local function dead_number()
  local fd = assert(sock.dup(0))
  local n = fd:fileno()
  assert(fd:close())
  return n
end

describe("sock", function()
  local before

  before_each(function()
    open = {}
    tcp():close() -- the first operation makes the ring, which keeps its own
    before = lowest()
  end)

  after_each(function()
    for _, fd in ipairs(open) do fd:close() end
    assert.equal(before, lowest())
  end)

  describe("bind", function()
    it("gives a socket its address", function()
      local fd = tcp()
      assert.is_true(sock.bind(fd, "127.0.0.1:0"))
      local name = assert(sock.getsockname(fd))
      assert.equal("inet", name.family)
      assert.equal("127.0.0.1", name.host)
      assert.is_true(name.port > 0)
      assert.equal("127.0.0.1:" .. name.port, tostring(name))
    end)

    it("takes a table, also one that getsockname returned", function()
      local a, b = udp(), udp()
      assert.is_true(sock.bind(a, { host = "127.0.0.1", port = 0 }))
      local name = assert(sock.getsockname(a))
      fails(errno.EADDRINUSE, ("bind %s: Address already in use"):format(name),
        sock.bind(b, name))
    end)

    it("takes an abstract name with any bytes", function()
      local fd = pair "unix"
      local name = ("@uring\0spec\255%d"):format(require "spec.process".pid())
      assert.is_true(sock.bind(fd, { path = name }))
      assert.equal(name, sock.getsockname(fd).path)
    end)

    it("lets the kernel choose an abstract name", function()
      local fd = pair "unix"
      assert.is_true(sock.bind(fd, "unix:"))
      assert.matches("^@%x+$", sock.getsockname(fd).path)
    end)

    it("takes a path", function()
      local path = os.tmpname()
      os.remove(path)
      local fd = pair "unix"
      assert.is_true(sock.bind(fd, "unix:" .. path))
      assert.equal(path, sock.getsockname(fd).path)
      os.remove(path)
    end)

    it("fails naming the address", function()
      fails(errno.EADDRNOTAVAIL,
        "bind 192.0.2.1:0: Cannot assign requested address",
        sock.bind(tcp(), "192.0.2.1:0"))
      fails(errno.ENOENT, "bind unix:/nonexistent/x: No such file or directory",
        sock.bind(pair "unix", "unix:/nonexistent/x"))
    end)

    it("refuses what is no address", function()
      local fd = tcp()
      assert.error_matches(function() sock.bind(fd, "localhost:80") end,
        "bad argument #2 to '[%w.]*bind' %(numeric address expected, " ..
        "got 'localhost:80'%)")
      assert.error_matches(function() sock.bind(fd) end, "address expected")
      assert.error_matches(function() sock.bind(fd, 80) end,
        "address expected, got number")
    end)

    it("notices that reading the address closed the descriptor", function()
      local fd = tcp()
      local trap = setmetatable({}, { __index = function() fd:close() end })
      assert.is_false(pcall(sock.bind, fd, trap))
      fd = tcp()
      trap = setmetatable({ host = "127.0.0.1", port = 0 },
        { __index = function() fd:close() end })
      assert.error_matches(function() sock.bind(fd, trap) end, "closed")
    end)
  end)

  describe("listen", function()
    it("makes a socket accept", function()
      local fd = tcp()
      assert(sock.bind(fd, "127.0.0.1:0"))
      assert.equal(0, sock.getsockopt(fd, nil, "acceptconn"))
      assert.is_true(sock.listen(fd))
      assert.equal(1, sock.getsockopt(fd, nil, "acceptconn"))
    end)

    it("takes a backlog", function()
      local fd = tcp()
      assert.is_true(sock.listen(fd, 0))
      assert.is_true(sock.listen(fd, 1 << 20))
    end)

    it("fails for what cannot", function()
      local fd = udp()
      fails(errno.EOPNOTSUPP,
        ("listen fd %d: Operation not supported"):format(fd:fileno()),
        sock.listen(fd))
    end)

    it("refuses a backlog out of range", function()
      local fd = tcp()
      assert.error_matches(function() sock.listen(fd, -1) end, "out of range")
      assert.error_matches(function() sock.listen(fd, "1") end,
        "integer expected, got string")
    end)
  end)

  describe("getpeername", function()
    it("is the other end", function()
      local server, client = tcp(), tcp()
      assert(sock.bind(server, "127.0.0.1:0"))
      assert(sock.listen(server))
      local name = assert(sock.getsockname(server))
      assert(op.connect(client, name))
      assert.same(name, sock.getpeername(client))
    end)

    it("is unnamed for one of a pair", function()
      local a = pair()
      assert.equal("unix:", tostring(sock.getpeername(a)))
      assert.equal("unix:", tostring(sock.getsockname(a)))
    end)

    it("fails where there is no other end", function()
      local fd = tcp()
      fails(errno.ENOTCONN, ("getpeername fd %d: Transport endpoint is not " ..
        "connected"):format(fd:fileno()), sock.getpeername(fd))
    end)
  end)

  describe("setsockopt", function()
    local function set_get(fd, name, value)
      assert.is_true(sock.setsockopt(fd, nil, name, value))
      return (assert(sock.getsockopt(fd, nil, name)))
    end

    it("takes booleans and integers", function()
      local fd = tcp()
      for _, name in ipairs { "nodelay", "keepalive", "reuseaddr", "reuseport",
                              "cork" } do
        assert.equal(1, set_get(fd, name, true), name)
        assert.equal(0, set_get(fd, name, false), name)
        assert.equal(1, set_get(fd, name, 1), name)
      end
      assert.equal(77, set_get(fd, "keepidle", 77))
      assert.equal(7, set_get(fd, "keepintvl", 7))
      assert.equal(5, set_get(fd, "keepcnt", 5))
      assert.equal(1234, set_get(fd, "user_timeout", 1234))
      assert.equal(9, set_get(fd, "ttl", 9))
    end)

    it("takes the level by name or number, and the option likewise",
    function()
      local fd = tcp()
      local ways <const> = {
        { "tcp", "nodelay" }, { "tcp", core.TCP_NODELAY },
        { core.IPPROTO_TCP, "nodelay" },
        { core.IPPROTO_TCP, core.TCP_NODELAY },
      }
      for _, way in ipairs(ways) do
        assert(sock.setsockopt(fd, nil, "nodelay", false))
        assert.is_true(sock.setsockopt(fd, way[1], way[2], true))
        assert.equal(1, sock.getsockopt(fd, way[1], way[2]))
      end
    end)

    it("tells options of the same name apart by their level", function()
      local fd = udp()
      assert.is_true(sock.setsockopt(fd, "udp", "cork", true))
      assert.equal(1, sock.getsockopt(fd, core.IPPROTO_UDP, core.UDP_CORK))
      fails(errno.ENOPROTOOPT, ("setsockopt fd %d: Protocol not available")
        :format(fd:fileno()), sock.setsockopt(fd, "tcp", "cork", true))
    end)

    it("takes a time in seconds", function()
      local fd = tcp()
      assert.equal(1.5, set_get(fd, "rcvtimeo", 1.5))
      assert.equal(3, set_get(fd, "sndtimeo", 3))
      assert.is_true(set_get(fd, "rcvtimeo", 1e-9) > 0)
      for _, none in ipairs { 0, false, math.huge } do
        assert(sock.setsockopt(fd, nil, "rcvtimeo", 1))
        assert.equal(0, set_get(fd, "rcvtimeo", none))
      end
      assert(sock.setsockopt(fd, nil, "rcvtimeo", 1))
      assert.equal(0, set_get(fd, "rcvtimeo", nil))
    end)

    it("takes a linger in seconds, or false", function()
      local fd = tcp()
      assert.is_false(sock.getsockopt(fd, nil, "linger"))
      assert(sock.setsockopt(fd, nil, "linger", 5))
      assert.equal(5, sock.getsockopt(fd, nil, "linger"))
      assert(sock.setsockopt(fd, nil, "linger", 0.1))
      assert.equal(1, sock.getsockopt(fd, nil, "linger"))
      assert(sock.setsockopt(fd, nil, "linger", 0))
      assert.equal(0, sock.getsockopt(fd, nil, "linger"))
      for _, off in ipairs { false, nil } do
        assert(sock.setsockopt(fd, nil, "linger", off))
        assert.is_false(sock.getsockopt(fd, nil, "linger"))
      end
    end)

    it("has zeros where the kernel reads what it is to return", function()
      local listener, fd = tcp(), tcp()
      assert(sock.bind(listener, "127.0.0.1:0") and sock.listen(listener))
      assert(op.connect(fd, sock.getsockname(listener)))
      local receive <const> = 35 -- TCP_ZEROCOPY_RECEIVE: with addresses to write to
      for _, n in ipairs { 64, 5000 } do
        for _ = 1, 20 do local _ = ("\255"):rep(n) end
        collectgarbage()
        local value = assert(sock.getsockopt(fd, "tcp", receive, n))
        assert.equal(0, ("<I8"):unpack(value))
      end
    end)

    it("takes the name of something", function()
      local fd = tcp()
      assert.equal("reno", set_get(fd, "congestion", "reno"))
    end)

    it("takes bytes for an option by number", function()
      local fd = tcp()
      local linger = string.pack("i4i4", 1, 3)
      assert.is_true(sock.setsockopt(fd, "socket", core.SO_LINGER, linger))
      assert.equal(3, sock.getsockopt(fd, "socket", core.SO_LINGER))
      assert.equal(linger, sock.getsockopt(fd, "socket", core.SO_LINGER, 64))
      fails(errno.EINVAL,
        ("setsockopt fd %d: Invalid argument"):format(fd:fileno()),
        sock.setsockopt(fd, "socket", core.SO_KEEPALIVE, "1"))
    end)

    it("fails with what the kernel says", function()
      local fd = tcp()
      fails(errno.ENOPROTOOPT, ("setsockopt fd %d: Protocol not available")
        :format(fd:fileno()), sock.setsockopt(fd, nil, "error", 1))
      fails(errno.ENOENT, ("setsockopt fd %d: No such file or directory")
        :format(fd:fileno()), sock.setsockopt(fd, nil, "congestion", "none"))
    end)

    local wrong <const> = {
      { "an unknown option", { nil, "nagle", 1 }, "invalid option 'nagle'" },
      { "an option of another level", { "socket", "nodelay", 1 },
        "invalid option 'nodelay' for this level" },
      { "an unknown level", { "sctp", "nodelay", 1 },
        "invalid option 'sctp'" },
      { "a number without a level", { nil, core.TCP_NODELAY, 1 },
        "level expected for an option that is given by its number" },
      { "no option", { "tcp", n = 1 }, "integer expected, got no value" },
      { "no value", { "tcp", "nodelay", n = 2 }, "value expected" },
      { "nil for an integer", { "tcp", "nodelay", nil, n = 3 },
        "integer expected, got nil" },
      { "a string for an integer", { "tcp", "nodelay", "1" },
        "integer expected, got string" },
      { "an integer of too many bits", { "tcp", "nodelay", 1 << 32 },
        "out of range" },
      { "a string for a time", { nil, "rcvtimeo", "1" },
        "number expected, got string" },
      { "a negative time", { nil, "rcvtimeo", -1 }, "must not be negative" },
      { "a time that is no number", { nil, "rcvtimeo", 0 / 0 }, "nan" },
      { "true for a linger", { nil, "linger", true },
        "number expected, got boolean" },
      { "a linger without end", { nil, "linger", math.huge },
        "too many seconds" },
      { "a number for a name", { nil, "congestion", 1 },
        "string expected, got number" },
      { "a table", { "tcp", "nodelay", {} }, "integer expected, got table" },
    }
    for _, case in ipairs(wrong) do
      it("refuses " .. case[1], function()
        local fd, args = tcp(), case[2]
        local ok, err = pcall(sock.setsockopt, fd,
          table.unpack(args, 1, args.n or 3))
        assert.is_false(ok)
        assert.matches(case[3], err, 1, true)
      end)
    end
  end)

  describe("getsockopt", function()
    it("tells what the socket is", function()
      local fd = udp()
      assert.equal(core.AF_INET, sock.getsockopt(fd, nil, "domain"))
      assert.equal(core.SOCK_DGRAM, sock.getsockopt(fd, nil, "type"))
      assert.equal(core.IPPROTO_UDP, sock.getsockopt(fd, nil, "protocol"))
      assert.equal(0, sock.getsockopt(fd, nil, "error"))
    end)

    it("takes the kind of value that is wanted", function()
      local fd = tcp()
      assert(sock.setsockopt(fd, nil, "rcvtimeo", 1.5))
      assert(sock.setsockopt(fd, nil, "linger", 4))
      local level <const> = "socket"
      assert.equal(1.5,
        sock.getsockopt(fd, level, core.SO_RCVTIMEO, "timeval"))
      assert.equal(4, sock.getsockopt(fd, level, core.SO_LINGER, "linger"))
      assert.equal(1, sock.getsockopt(fd, level, core.SO_LINGER, "int"))
      assert(sock.setsockopt(fd, nil, "congestion", "reno"))
      assert.equal("reno",
        sock.getsockopt(fd, "tcp", core.TCP_CONGESTION, "string"))
    end)

    it("returns bytes as they are", function()
      local fd = pair()
      local pid, uid, gid = string.unpack("i4I4I4",
        sock.getsockopt(fd, "socket", core.SO_PEERCRED, 12))
      assert.is_true(pid > 0)
      assert.is_true(uid >= 0 and gid >= 0)
      assert.equal("", sock.getsockopt(fd, "socket", core.SO_TYPE, 0))
    end)

    it("fails for what is no socket", function()
      local r = keep((sock.pipe()))
      fails(errno.ENOTSOCK,
        ("getsockopt fd %d: Socket operation on non-socket")
        :format(r:fileno()), sock.getsockopt(r, nil, "type"))
      fails(errno.ENOTSOCK,
        ("getsockopt fd %d: Socket operation on non-socket")
        :format(r:fileno()), sock.getsockopt(r, "socket", core.SO_TYPE, 16))
    end)

    it("refuses a kind that it does not know", function()
      local fd = tcp()
      assert.error_matches(function()
        sock.getsockopt(fd, nil, "type", "float")
      end, "bad argument #4 to '[%w.]*getsockopt' %(invalid option 'float'%)")
      assert.error_matches(function()
        sock.getsockopt(fd, nil, "type", -1)
      end, "out of range")
      assert.error_matches(function()
        sock.getsockopt(fd, nil, "type", 1 << 40)
      end, "out of range")
    end)
  end)

  describe("socketpair", function()
    it("makes two that are connected", function()
      local a, b = pair()
      assert.equal(5, op.send(a, "hello"))
      assert.equal("hello", op.recv(b, 10))
    end)

    it("takes a domain and a type", function()
      for name, number in pairs { stream = core.SOCK_STREAM,
                                  dgram = core.SOCK_DGRAM,
                                  seqpacket = core.SOCK_SEQPACKET } do
        assert.equal(number, sock.getsockopt(pair("unix", name), nil, "type"))
        assert.equal(number,
          sock.getsockopt(pair(core.AF_UNIX, number), nil, "type"))
      end
    end)

    it("fails, and leaks nothing", function()
      fails(errno.EOPNOTSUPP, "socketpair: Operation not supported",
        sock.socketpair("inet"))
    end)

    it("refuses what it does not know", function()
      assert.error_matches(function() sock.socketpair("ipx") end,
        "bad argument #1 to '[%w.]*socketpair' %(invalid option 'ipx'%)")
      assert.error_matches(function() sock.socketpair("unix", "tcp") end,
        "invalid option 'tcp'")
      assert.error_matches(function() sock.socketpair(true) end,
        "integer expected, got boolean")
    end)
  end)

  describe("pipe", function()
    it("makes an end to read and an end to write", function()
      local r, w = assert(sock.pipe())
      keep(r)
      keep(w)
      assert.equal(4, op.write(w, "data"))
      assert.equal("data", op.read(r, 10))
    end)

    it("takes flags", function()
      local r, w = assert(sock.pipe(core.O_NONBLOCK))
      keep(r)
      keep(w)
    end)

    it("fails for flags that the kernel does not know", function()
      fails(errno.EINVAL, "pipe: Invalid argument", sock.pipe(core.O_APPEND))
    end)

    it("refuses what are no flags", function()
      assert.error_matches(function() sock.pipe("n") end,
        "integer expected, got string")
      assert.error_matches(function() sock.pipe(-1) end, "out of range")
    end)

    it("closes both ends when nobody keeps them", function()
      local count = lowest()
      assert(sock.pipe())
      collectgarbage()
      collectgarbage()
      assert.equal(count, lowest())
    end)
  end)

  describe("dup", function()
    it("is another descriptor of the same thing", function()
      local a, b = pair()
      local c = keep(sock.dup(a))
      assert.not_equal(a:fileno(), c:fileno())
      assert.equal(1, op.send(c, "x"))
      assert.equal("x", op.recv(b, 1))
    end)

    it("is closed on its own", function()
      local a, b = pair()
      assert(sock.dup(a)):close()
      assert.equal(1, op.send(a, "x"))
      assert.equal("x", op.recv(b, 1))
    end)

    it("is not inherited by programs", function()
      local fd = keep(sock.dup(0))
      local f <close> = assert(io.popen(
        ("test -e /proc/self/fd/%d && echo yes || echo no")
        :format(fd:fileno())))
      assert.equal("no", f:read())
    end)
  end)

  describe("isatty", function()
    it("is false for a socket and a file", function()
      assert.is_false(sock.isatty(tcp()))
      local f <close> = assert(io.open("/dev/null"))
      assert.is_false(sock.isatty(f))
    end)

    it("is true for a terminal", function()
      local f <close> = io.open("/dev/ptmx", "r+")
      if f == nil then return pending("no /dev/ptmx here") end
      assert.is_true(sock.isatty(f))
    end)
  end)

  describe("a descriptor", function()
    local calls <const> = {
      { "bind", "127.0.0.1:0" }, { "listen" }, { "getsockname" },
      { "getpeername" }, { "setsockopt", "tcp", "nodelay", true },
      { "getsockopt", "tcp", "nodelay" }, { "dup" }, { "isatty" },
    }
    for _, call in ipairs(calls) do
      local name = call[1]
      it("may be a number to " .. name, function()
        local n = dead_number()
        local what = name == "bind" and "127.0.0.1:0" or "fd " .. n
        fails(errno.EBADF, ("%s %s: Bad file descriptor"):format(name, what),
          sock[name](n, table.unpack(call, 2)))
      end)

      it("is refused by " .. name .. " when it is closed", function()
        local fd = tcp()
        fd:close()
        assert.error_matches(function()
          sock[name](fd, table.unpack(call, 2))
        end, "bad argument #1 to '[%w.?]*' %(fd %d+ was closed%)")
      end)

      it("is refused by " .. name .. " when it is something else", function()
        for _, value in ipairs { "0", -1, 0.5, true, {}, 1 << 40 } do
          assert.error_matches(function()
            sock[name](value, table.unpack(call, 2))
          end, "bad argument #1 to ")
        end
      end)
    end

    it("may be a Lua file", function()
      local f <close> = assert(io.open("/dev/null"))
      assert.equal(errno.ENOTSOCK, select(3, sock.getsockname(f)))
    end)

    it("may be an object with getfd", function()
      local fd = tcp()
      local object = { getfd = function() return fd:fileno() end }
      assert.is_true(sock.bind(object, "127.0.0.1:0"))
    end)
  end)
end)
