-- The operations of the first days, each at its real work, seen by other means,
-- and at its edges.

local core = require "uring.core"
local helper = require "spec.helper"

local op <const>, sock <const>, errno <const> = core.op, core.sock, core.errno
local raises <const>, fails <const> = helper.raises, helper.fails

local function pipe()
  local r, w = assert(sock.pipe())
  return r, w, helper.closing(r, w)
end

local function pair()
  local a, b = helper.pair()
  return a, b, helper.closing(a, b)
end

-- A file with the text, in a directory that goes with the scope.
local function file(dir, text, flags)
  local path = dir .. "/file"
  helper.write_file(path, text)
  return assert(op.openat(nil, path, flags or core.O_RDWR)), path
end

-- Cases of one operation.
local function describe_op(name, f)
  describe("op." .. name, function()
    f(helper.needs(name))
  end)
end

describe_op("nop", function(it)
  it("returns 0", function() assert.equal(0, op.nop()) end)
end)

describe_op("openat", function(it)
  it("opens a file, close-on-exec or not, as the flags say", function()
    local dir <close> = helper.tmpdir()
    local fd <close> = file(dir, "text")
    assert.equal("text", op.read(fd, 10, 0))
    assert.matches("^uring.fd %(%d+%)$", tostring(fd))
  end)

  it("creates one with a mode", function()
    local dir <close> = helper.tmpdir()
    local fd <close> = op.openat(nil, dir .. "/new", core.O_CREAT | core.O_WRONLY, 416)
    assert.equal(4, op.write(fd, "text"))
    assert.equal("text", helper.read_file(dir .. "/new"))
    assert.equal(416, op.statx(nil, dir .. "/new").perm)
  end)

  it("starts from a directory", function()
    local dir <close> = helper.tmpdir()
    local fd <close> = file(dir, "text")
    local base <close> = assert(op.openat(nil, tostring(dir), core.O_DIRECTORY))
    local again <close> = assert(op.openat(base, "file", core.O_RDONLY))
    assert.equal("text", op.read(again, 10))
    local here <close> = assert(op.openat(core.AT_FDCWD, "."))
    assert.not_equal(here:fileno(), fd:fileno())
  end)

  it("fails with the path in the message", function()
    fails("ENOENT", "openat /does/not/exist: No such file or directory",
      op.openat(nil, "/does/not/exist"))
    fails("EISDIR", "openat /: Is a directory", op.openat(nil, "/", core.O_WRONLY))
    fails("ENOTDIR", "openat /dev/null/x: Not a directory", op.openat(nil, "/dev/null/x"))
    fails("ENOENT", "openat : No such file or directory", op.openat(nil, ""))
    raises("path is too long", op.openat, nil, ("x"):rep(4096))
    fails("ENAMETOOLONG", "openat " .. ("x"):rep(4095) .. ": File name too long",
      op.openat(nil, ("x"):rep(4095)))
  end)

  it("fails when there are no descriptors left", function()
    local limit <const> = helper.process.limit_files(3)
    local result, message, code = op.openat(nil, "/dev/null")
    helper.process.limit_files(limit)
    fails("EMFILE", "openat /dev/null: Too many open files", result, message, code)
  end)
end)

describe_op("read", function(it)
  it("returns what is there, up to so many bytes, as a string", function()
    local r <const>, w <const>, _ <close> = pipe()
    op.write(w, "hello world")
    assert.equal("hello", op.read(r, 5))
    assert.equal(" world", op.read(r, 100))
  end)

  it("returns an empty string at the end of a file", function()
    local dir <close> = helper.tmpdir()
    local fd <close> = file(dir, "text")
    assert.equal("text", op.read(fd, 100))
    assert.equal("", op.read(fd, 100))
    assert.equal("", op.read(fd, 0, 0))
    assert.equal("", op.read(fd, 10, 1000))
  end)

  it("fills a buffer and returns how much", function()
    local dir <close> = helper.tmpdir()
    local fd <close> = file(dir, "hello")
    local buffer = core.buffer(8)
    assert.equal(5, op.read(fd, buffer))
    assert.equal("hello\0\0\0", buffer:string())
    assert.equal(2, op.read(fd, buffer, 2, 3))
    assert.equal("lollo", buffer:string(1, 5))
    assert.equal(0, op.read(fd, buffer, nil, 5))
    assert.equal(0, op.read(fd, core.buffer(0), nil, 0))
  end)

  it("reads at a place, or at the file's own", function()
    local dir <close> = helper.tmpdir()
    local fd <close> = file(dir, "0123456789")
    assert.equal("345", op.read(fd, 3, 3))
    assert.equal("012", op.read(fd, 3))
    assert.equal("34", op.read(fd, 2, -1))
    assert.equal("5", op.read(fd, 1, nil))
  end)

  it("returns strings of every size whole", function()
    local dir <close> = helper.tmpdir()
    for _, n in ipairs { 1, 511, 512, 513, 4096, 16385, 65536, 65537, 1000000 } do
      local text = ("0123456789"):rep(n // 10 + 1):sub(1, n)
      local fd <close> = file(dir, text)
      assert(text == op.read(fd, n + 10, 0), n)
      assert(text:sub(1, n - 1) == op.read(fd, n - 1, 0), n)
    end
  end)

  it("wakes when something comes, many in order", function()
    local r <const>, w <const>, _ <close> = pipe()
    local readers = {}
    for i = 1, 5 do readers[i] = core.spawn(function() return op.read(r, 1) end) end
    core.yield()
    for i = 1, 5 do op.write(w, tostring(i)) end
    local seen = {}
    for i = 1, 5 do seen[i] = readers[i]:join() end
    table.sort(seen)
    assert.same({ "1", "2", "3", "4", "5" }, seen)
  end)

  it("fails with the descriptor in the message", function()
    local dir <close> = helper.tmpdir()
    local fd <close> = file(dir, "x", core.O_WRONLY)
    fails("EBADF", ("read fd %d: Bad file descriptor"):format(fd:fileno()), op.read(fd, 1))
    local base <close> = assert(op.openat(nil, tostring(dir), core.O_DIRECTORY))
    fails("EISDIR", ("read fd %d: Is a directory"):format(base:fileno()), op.read(base, 1))
    fails("EBADF", "read fd 987654: Bad file descriptor", op.read(987654, 1))
  end)

  it("takes no length beside a number of bytes", function()
    local dir <close> = helper.tmpdir()
    local fd <close> = file(dir, "0123456789")
    assert.equal("89", op.read(fd, 100, 8))
    raises("out of range", op.read, fd, 0x7ffff001)
    raises("out of range", op.read, fd, core.buffer(3), 4)
  end)
end)

describe_op("write", function(it)
  it("writes strings and buffers, and parts of them", function()
    local dir <close> = helper.tmpdir()
    local fd <close>, path = file(dir, "")
    assert.equal(5, op.write(fd, "hello"))
    assert.equal(3, op.write(fd, core.buffer "abcdef", 3))
    assert.equal(1, op.write(fd, "J", nil, 0))
    assert.equal(0, op.write(fd, ""))
    assert.equal(0, op.write(fd, "text", 0))
    assert.equal("Jelloabc", helper.read_file(path))
  end)

  it("writes zeros and a great deal", function()
    local dir <close> = helper.tmpdir()
    local fd <close>, path = file(dir, "")
    local text <const> = ("\0\1\2\255"):rep(500000)
    assert.equal(#text, op.write(fd, text))
    assert(text == helper.read_file(path))
  end)

  it("goes beyond the end, and says when it cannot", function()
    local dir <close> = helper.tmpdir()
    local fd <close>, path = file(dir, "ab")
    assert.equal(1, op.write(fd, "z", nil, 4))
    assert.equal("ab\0\0z", helper.read_file(path))
    local full <close> = assert(op.openat(nil, "/dev/full", core.O_WRONLY))
    fails("ENOSPC", ("write fd %d: No space left on device"):format(full:fileno()),
      op.write(full, "x"))
    local reader <close> = assert(op.openat(nil, path, core.O_RDONLY))
    fails("EBADF", ("write fd %d: Bad file descriptor"):format(reader:fileno()),
      op.write(reader, "x"))
  end)

  it("to a pipe that nobody reads fails, and raises no signal", function()
    helper.process.ignore(core.SIGPIPE) -- which is the process's own business
    local r, w = sock.pipe()
    r:close()
    fails("EPIPE", ("write fd %d: Broken pipe"):format(w:fileno()), op.write(w, "x"))
    w:close()
  end)

  it("waits for room", function()
    local r <const>, w <const>, _ <close> = pipe()
    local text <const> = ("x"):rep(200000)
    local sent = 0
    local writer = core.spawn(function()
      while sent < #text do sent = sent + assert(op.write(w, text:sub(sent + 1))) end
      return sent
    end)
    local got = 0
    while got < #text do got = got + #op.read(r, 10000) end
    assert.equal(#text, writer:join())
  end)
end)

describe_op("readv", function(it)
  it("fills one buffer after the other", function()
    local dir <close> = helper.tmpdir()
    local fd <close> = file(dir, "hello world")
    local a <const>, b <const>, c <const> = core.buffer(3), core.buffer(0), core.buffer(20)
    assert.equal(11, op.readv(fd, { a, b, c }))
    assert.equal("hel", a:string())
    assert.equal("lo world", c:string(1, 8))
    assert.equal(5, op.readv(fd, { core.buffer(100) }, 6))
    assert.equal(0, op.readv(fd, {}))
    assert.equal(0, a:busy() + c:busy())
  end)

  it("takes a thousand", function()
    local dir <close> = helper.tmpdir()
    local fd <close> = file(dir, ("x"):rep(2000))
    local list = {}
    for i = 1, 1024 do list[i] = core.buffer(1) end
    assert.equal(1024, op.readv(fd, list, 0))
    list[1025] = core.buffer(1)
    raises("more than 1024 pieces", op.readv, fd, list, 0)
  end)

  it("may fill one buffer twice", function()
    local dir <close> = helper.tmpdir()
    local fd <close> = file(dir, "abcd")
    local buffer <const> = core.buffer(2)
    assert.equal(4, op.readv(fd, { buffer, buffer }, 0))
    assert.equal("cd", buffer:string())
    assert.equal(0, buffer:busy())
  end)
end)

describe_op("writev", function(it)
  it("writes strings and buffers in order", function()
    local dir <close> = helper.tmpdir()
    local fd <close>, path = file(dir, "")
    assert.equal(7, op.writev(fd, { "abc", "", core.buffer "de", "fg" }))
    assert.equal(2, op.writev(fd, { "XY" }, 1))
    assert.equal("aXYdefg", helper.read_file(path))
    assert.equal(0, op.writev(fd, {}))
    raises("string or buffer expected at index 2, got number", op.writev, fd, { "a", 12 })
  end)
end)

describe_op("close", function(it)
  it("closes a number of the caller's", function()
    local number <const> = assert(op.openat(nil, "/dev/null")):detach()
    assert.is_true(op.close(number))
    assert.is_nil(helper.process.descriptors()[number])
    fails("EBADF", ("close fd %d: Bad file descriptor"):format(number), op.close(number))
  end)
end)

describe_op("fsync", function(it)
  it("works on a file, and not on a pipe", function()
    local dir <close> = helper.tmpdir()
    local fd <close> = file(dir, "text")
    assert.is_true(op.fsync(fd))
    assert.is_true(op.fsync(fd, core.IORING_FSYNC_DATASYNC))
    fails("EINVAL", ("fsync fd %d: Invalid argument"):format(fd:fileno()), op.fsync(fd, 1 << 20))
    local r <const>, _, _ <close> = pipe()
    fails("EINVAL", ("fsync fd %d: Invalid argument"):format(r:fileno()), op.fsync(r))
  end)
end)

describe_op("statx", function(it)
  it("tells what a file is", function()
    local dir <close> = helper.tmpdir()
    local fd <close>, path = file(dir, "hello")
    local st <const> = assert(op.statx(nil, path))
    assert.equal(5, st.size)
    assert.equal("file", st.type)
    assert.equal(1, st.nlink)
    assert(math.abs(st.mtime - os.time()) < 100)
    assert.equal(st.ino, op.statx(fd, "", core.AT_EMPTY_PATH).ino)
    local base <close> = assert(op.openat(nil, tostring(dir), core.O_DIRECTORY))
    assert.equal(st.ino, op.statx(base, "file", 0, "ino").ino)
    assert.equal("directory", op.statx(base, ".").type)
  end)

  it("fails with the path in the message", function()
    fails("ENOENT", "statx /does/not/exist: No such file or directory",
      op.statx(nil, "/does/not/exist"))
  end)
end)

describe_op("fallocate", function(it)
  it("makes room in a file", function()
    local dir <close> = helper.tmpdir()
    local fd <close>, path = file(dir, "")
    assert.is_true(op.fallocate(fd, 0, 0, 10000))
    assert.equal(10000, op.statx(nil, path).size)
    assert.is_true(op.fallocate(fd, core.FALLOC_FL_KEEP_SIZE, nil, 50000))
    assert.equal(10000, op.statx(nil, path).size)
    fails("EINVAL", ("fallocate fd %d: Invalid argument"):format(fd:fileno()),
      op.fallocate(fd, 0, 0, 0))
  end)
end)

describe_op("ftruncate", function(it)
  it("cuts and lengthens a file", function()
    local dir <close> = helper.tmpdir()
    local fd <close>, path = file(dir, "hello")
    assert.is_true(op.ftruncate(fd, 2))
    assert.equal("he", helper.read_file(path))
    assert.is_true(op.ftruncate(fd, 4))
    assert.equal("he\0\0", helper.read_file(path))
  end)
end)

describe_op("socket", function(it)
  it("makes sockets of each family", function()
    for _, domain in ipairs { core.AF_INET, core.AF_INET6, core.AF_UNIX } do
      local fd <close> = assert(op.socket(domain, core.SOCK_DGRAM))
      assert.equal(domain, sock.getsockopt(fd, nil, "domain"))
      assert.equal(core.SOCK_DGRAM, sock.getsockopt(fd, nil, "type"))
    end
    fails("EAFNOSUPPORT", "socket: Address family not supported by protocol", op.socket(12345, 1))
  end)
end)

describe_op("bind", function(it)
  it("gives a socket its address", function()
    local fd <close> = op.socket(core.AF_INET, core.SOCK_STREAM)
    assert.is_true(op.bind(fd, "127.0.0.1:0"))
    local address <const> = sock.getsockname(fd)
    assert(address.port > 0)
    local other <close> = op.socket(core.AF_INET, core.SOCK_STREAM)
    fails("EADDRINUSE", ("bind %s: Address already in use"):format(address),
      op.bind(other, address))
  end)
end)

describe_op("listen", function(it)
  it("lets others connect", function()
    local fd <close> = op.socket(core.AF_INET, core.SOCK_STREAM)
    assert(sock.bind(fd, "127.0.0.1:0"))
    assert.is_true(op.listen(fd, 5))
    assert.equal(1, sock.getsockopt(fd, nil, "acceptconn"))
    local r <const>, _, _ <close> = pipe()
    fails("ENOTSOCK", ("listen fd %d: Socket operation on non-socket"):format(r:fileno()),
      op.listen(r, 1))
  end)
end)

describe_op("accept", function(it)
  it("waits for a connection and tells who it is", function()
    local listener <close>, address = helper.listener()
    local acceptor = core.spawn(function() return op.accept(listener, core.SOCK_CLOEXEC) end)
    core.yield()
    local client <close> = op.socket(core.AF_INET, core.SOCK_STREAM)
    assert.is_true(op.connect(client, address))
    local conn, peer = acceptor:join()
    local _ <close> = conn
    assert.same(sock.getsockname(client), peer)
    assert.equal("127.0.0.1", peer.host)
    op.send(conn, "hello")
    assert.equal("hello", op.recv(client, 10))
  end)

  it("over a unix socket has a peer without a name", function()
    local dir <close> = helper.tmpdir()
    local listener <close> = op.socket(core.AF_UNIX, core.SOCK_STREAM)
    assert(sock.bind(listener, "unix:" .. dir .. "/sock"))
    assert(sock.listen(listener))
    local client <close> = op.socket(core.AF_UNIX, core.SOCK_STREAM)
    assert.is_true(op.connect(client, { path = dir .. "/sock" }))
    local conn <close>, peer = op.accept(listener)
    assert.equal("unix", peer.family)
    assert.equal("", peer.path)
    assert.equal("uring.fd", tostring(conn):match "^[%w.]+")
  end)

  it("fails on what does not listen", function()
    local fd <close> = op.socket(core.AF_INET, core.SOCK_STREAM)
    fails("EINVAL", ("accept fd %d: Invalid argument"):format(fd:fileno()), op.accept(fd))
    local r <const>, _, _ <close> = pipe()
    fails("ENOTSOCK", ("accept fd %d: Socket operation on non-socket"):format(r:fileno()),
      op.accept(r))
  end)
end)

describe_op("connect", function(it)
  it("fails with the address in the message", function()
    local bound <close>, address = helper.nobody()
    assert.is_true(bound:isopen())
    local fd <close> = op.socket(core.AF_INET, core.SOCK_STREAM)
    fails("ECONNREFUSED", ("connect %s: Connection refused"):format(address),
      op.connect(fd, address))
    local unix <close> = op.socket(core.AF_UNIX, core.SOCK_STREAM)
    fails("ENOENT", "connect unix:/does/not/exist: No such file or directory",
      op.connect(unix, "unix:/does/not/exist"))
  end)

  it("over IPv6", function()
    local listener <close> = op.socket(core.AF_INET6, core.SOCK_STREAM)
    assert(sock.bind(listener, "[::1]:0"))
    assert(sock.listen(listener))
    local fd <close> = op.socket(core.AF_INET6, core.SOCK_STREAM)
    assert.is_true(op.connect(fd, sock.getsockname(listener)))
    local conn <close>, peer = op.accept(listener)
    assert.equal("::1", peer.host)
    assert.not_nil(conn)
  end)
end)

describe_op("send", function(it)
  it("sends strings and buffers, and parts of them", function()
    local a <const>, b <const>, _ <close> = pair()
    assert.equal(5, op.send(a, "hello"))
    assert.equal(2, op.send(a, core.buffer " world", 2))
    assert.equal("hello w", op.recv(b, 100))
    assert.equal(0, op.send(a, ""))
  end)

  it("to one that has gone fails", function()
    local a <const>, b <const>, _ <close> = pair()
    b:close()
    local result, message, code
    helper.eventually(function()
      result, message, code = op.send(a, "x", nil, core.MSG_NOSIGNAL)
      return not result
    end)
    assert.is_string(message)
    assert(code == errno.EPIPE or code == errno.ECONNRESET)
  end)
end)

describe_op("recv", function(it)
  it("returns what comes, and an empty string at the end", function()
    local a <const>, b <const>, _ <close> = pair()
    local reader = core.spawn(function() return op.recv(b, 100) end)
    core.yield()
    op.send(a, "hello")
    assert.equal("hello", reader:join())
    op.shutdown(a, "write")
    assert.equal("", op.recv(b, 100))
  end)

  it("looks without taking, and fills buffers", function()
    local a <const>, b <const>, _ <close> = pair()
    op.send(a, "hello")
    assert.equal("hell", op.recv(b, 4, core.MSG_PEEK))
    local buffer = core.buffer(10)
    assert.equal(3, op.recv(b, buffer, 3))
    assert.equal("hel", buffer:string(1, 3))
    assert.equal(2, op.recv(b, buffer))
    assert.equal("lol", buffer:string(1, 3))
  end)

  it("fails at once when it shall not wait", function()
    local _, b <const>, _ <close> = pair()
    fails("EAGAIN", ("recv fd %d: Resource temporarily unavailable"):format(b:fileno()),
      op.recv(b, 10, core.MSG_DONTWAIT))
  end)

  it("from a connection that was reset fails", function()
    local a <const>, b <const>, _ <close> = pair()
    sock.setsockopt(a, nil, "linger", 0)
    a:close()
    fails("ECONNRESET", ("recv fd %d: Connection reset by peer"):format(b:fileno()),
      op.recv(b, 10))
  end)
end)

describe_op("shutdown", function(it)
  it("ends one direction or both", function()
    local a <const>, b <const>, _ <close> = pair()
    assert.is_true(op.shutdown(a, "write"))
    assert.equal("", op.recv(b, 1))
    op.send(b, "still")
    assert.equal("still", op.recv(a, 10))
    assert.is_true(op.shutdown(b, 2))
    assert.equal("", op.recv(a, 1))
    local fd <close> = op.socket(core.AF_INET, core.SOCK_STREAM)
    fails("ENOTCONN",
      ("shutdown fd %d: Transport endpoint is not connected"):format(fd:fileno()),
      op.shutdown(fd, "both"))
  end)
end)

describe_op("poll_add", function(it)
  it("waits until a descriptor is ready", function()
    local r <const>, w <const>, _ <close> = pipe()
    assert.equal(core.POLLOUT, op.poll_add(w, core.POLLOUT | core.POLLERR))
    local poller = core.spawn(function() return op.poll_add(r, core.POLLIN) end)
    core.yield()
    assert.equal("waiting", poller:status())
    op.write(w, "x")
    assert.equal(core.POLLIN, poller:join())
    w:close()
    assert.equal(core.POLLIN | core.POLLHUP, op.poll_add(r, core.POLLIN))
  end)
end)

describe_op("poll_remove", function(it)
  it("ends the wait of a task", function()
    local r <const>, _, _ <close> = pipe()
    local poller = core.spawn(function() return op.poll_add(r, core.POLLIN) end)
    core.yield()
    core.yield()
    assert.is_true(op.poll_remove(poller))
    fails("ECANCELED", ("poll_add fd %d: Operation canceled"):format(r:fileno()), poller:join())
    fails("ENOENT", "poll_remove: No such file or directory", op.poll_remove(poller))
    fails("ENOENT", "poll_remove: No such file or directory", op.poll_remove "nobody")
  end)
end)

describe_op("timeout", function(it)
  it("ends after its time", function()
    local start <const> = core.now()
    assert.is_true(op.timeout(0.01))
    local took <const> = core.now() - start
    assert(took >= 0.01 and took < 2, took)
    assert.is_true(op.timeout(0))
  end)

  it("ends after so many completions", function()
    local timer = core.spawn(function() return op.timeout(100, 2) end)
    core.yield()
    core.yield()
    op.nop()
    op.nop()
    assert.is_true(timer:join())
  end)
end)

describe_op("timeout_remove", function(it)
  it("ends one before its time", function()
    local timer = core.spawn(function() return op.timeout(100) end)
    core.yield()
    core.yield()
    assert.is_true(op.timeout_remove(timer))
    fails("ECANCELED", "timeout: Operation canceled", timer:join())
    fails("ENOENT", "timeout_remove: No such file or directory", op.timeout_remove(timer))
  end)
end)

describe_op("cancel", function(it)
  it("cancels what a task waits for", function()
    local r <const>, _, _ <close> = pipe()
    local reader = core.spawn(function() return op.read(r, 1) end)
    core.yield()
    core.yield()
    assert.equal(0, op.cancel(reader))
    fails("ECANCELED", ("read fd %d: Operation canceled"):format(r:fileno()), reader:join())
    fails("ENOENT", "cancel: No such file or directory", op.cancel(reader))
  end)

  it("of a task that waits for no operation finds nothing", function()
    local task = core.spawn(function() core.park() end)
    core.yield()
    fails("ENOENT", "cancel: No such file or directory", op.cancel(task))
    task:wake()
    task:join()
  end)
end)

describe("op", function()
  helper.it("knows what the kernel has", function()
    assert.is_true(op.supported "read")
    assert.is_false(op.supported "nonsense")
    assert.is_nil(op.nonsense)
    for _, row in ipairs(core.ops) do
      assert.equal("boolean", type(op.supported(row.name)))
      assert.equal("function", type(op[row.name]))
    end
    raises("string expected", op.supported)
  end)

  helper.it("says so when it has not", function()
    local missing
    for _, row in ipairs(core.ops) do
      if row.args == "" and not op.supported(row.name) then missing = row.name end
    end
    if not missing then return pending "this kernel has every operation that takes nothing" end
    fails("EOPNOTSUPP", missing .. ": operation not supported by this kernel", op[missing]())
  end)

  helper.it("makes no garbage but results", function()
    if helper.torture then return pending "not while all garbage is collected all the time" end
    local function measure(n)
      for _ = 1, 100 do op.nop() end
      collectgarbage()
      collectgarbage "stop"
      local before <const> = collectgarbage "count"
      for _ = 1, n do op.nop() end
      local used <const> = collectgarbage "count" - before
      collectgarbage "restart"
      return used
    end
    assert(measure(1000) < 1)
  end)
end)
