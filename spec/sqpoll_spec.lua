-- Rings whose queue a thread of the kernel's looks at: what it may read stays
-- as it was until the completion, and chains stay whole.

local core = require "uring.core"
local helper = require "spec.helper"
local event = require "spec.event" -- spec/support/event.c

local op <const>, sock <const> = core.op, core.sock
local main_it <const>, raises <const> = helper.main_it, helper.raises

-- All garbage is freed, and memory of any size is used for something else.
local function churn()
  collectgarbage()
  collectgarbage()
  local list = {}
  for size = 8, 2048, 8 do
    list[#list + 1] = ("\xff"):rep(size + size % 7)
    if size % 64 == 0 then list[#list + 1] = core.buffer(list[#list]) end
  end
  return list
end

-- ---- what was prepared and not looked at ------------------------------------

-- prepare(sqe) makes entries with sqe(name) on a ring whose thread does not
-- look at its queue yet, and returns check(results), the completions by name,
-- and perhaps complete(), to be called once the thread has taken them.
local function case(name, prepare, it)
  (it or main_it)(name, function()
    local ring <close> = assert(core.ring { sqpoll = true, sq_thread_idle = 1, r_disabled = true })
    local dir <close> = helper.tmpdir()
    local expected = 0
    local check <close>, complete = prepare(function(data)
      expected = expected + 1
      return assert(ring:get_sqe()):set_data(data)
    end, dir)
    local one <const> = churn()
    ring:submit()                        -- the queue shows them; EBADFD
    local two <const> = churn()
    assert.equal(expected, ring:sq_ready())
    assert(ring:enable_rings())
    helper.eventually(function() return ring:sq_ready() == 0 end)
    local three <const> = churn()
    if complete then complete() end
    local results = {}
    while expected > 0 do
      local cqe = assert(ring:wait_cqe(10))
      if not cqe.notif then results[cqe.data] = cqe end
      if not cqe.more then expected = expected - 1 end
    end
    helper.run(function() check(results) end)
    assert(#one == #two and #two == #three)
    assert(helper.idle(ring))
  end)
end

-- A function that can be called, and closes things when it goes out of scope.
local function checking(f, ...)
  return setmetatable({}, {
    __call = function(_, results) f(results) end,
    __close = getmetatable(helper.closing(...)).__close,
  })
end

local function fine(results)
  for name, cqe in pairs(results) do
    assert(cqe.res >= 0, ("%s: %d"):format(name, cqe.res))
  end
end

-- A text of that many bytes.
local function numbers(seed, n)
  local parts = {}
  for i = 1, n // 8 do parts[i] = ("%s%07d"):format(seed, i) end
  return table.concat(parts)
end

-- So many bytes, which come one after the other.
local function read_all(fd, n)
  local parts, size = {}, 0
  while size < n do
    local data = assert(op.read(fd, 65536))
    assert(data ~= "")
    parts[#parts + 1], size = data, size + #data
    if #parts % 8 == 1 then churn() end
  end
  return table.concat(parts)
end

local function tcp_pair()
  local listener <close>, address = helper.listener(1)
  local a = assert(op.socket(core.AF_INET, core.SOCK_STREAM))
  assert(op.connect(a, address))
  return a, assert(op.accept(listener))
end

local function udp()
  local fd = assert(op.socket(core.AF_INET, core.SOCK_DGRAM))
  assert(sock.bind(fd, "127.0.0.1:0"))
  return fd, assert(sock.getsockname(fd)).port
end

describe("what the thread has not looked at yet", function()
  case("are paths", function(sqe, dir)
    for _, name in ipairs { "gone", "old", "first" } do
      helper.write_file(dir .. "/" .. name, name)
    end
    local create <const> = core.O_CREAT | core.O_WRONLY
    sqe "openat":prep_openat(nil, dir .. "/created", create, 384)
    sqe "openat2":prep_openat2(nil, dir .. "/how", { flags = create, mode = 416 })
    sqe "mkdirat":prep_mkdirat(nil, dir .. "/directory", 448)
    sqe "symlinkat":prep_symlinkat("to" .. "/" .. "nowhere", nil, dir .. "/link")
    sqe "linkat":prep_linkat(nil, dir .. "/first", nil, dir .. "/second")
    sqe "renameat":prep_renameat(nil, dir .. "/old", nil, dir .. "/new")
    sqe "unlinkat":prep_unlinkat(nil, dir .. "/gone")
    sqe "statx":prep_statx(nil, "/proc/self/" .. "status")
    return checking(function(results)
      fine(results)
      core.fd(results.openat.res):close()
      core.fd(results.openat2.res):close()
      assert.equal("file", results.statx.value.type)
      assert.equal(384, assert(op.statx(nil, dir .. "/created")).mode & 511)
      assert.equal(416, assert(op.statx(nil, dir .. "/how")).mode & 511)
      assert.equal("directory", assert(op.statx(nil, dir .. "/directory")).type)
      local link = assert(op.statx(nil, dir .. "/link", core.AT_SYMLINK_NOFOLLOW))
      assert.equal(#"to/nowhere", link.size)
      assert.equal("first", helper.read_file(dir .. "/second"))
      assert.equal("old", helper.read_file(dir .. "/new"))
      for _, name in ipairs { "old", "gone" } do assert.is_nil(io.open(dir .. "/" .. name)) end
    end)
  end)

  case("are names and values of attributes", function(sqe, dir)
    helper.write_file(dir .. "/f", "")
    sqe "setxattr":prep_setxattr("user." .. "name", "value" .. "!", dir .. "/f")
    return checking(function(results)
      if results.setxattr.res == -core.errno.EOPNOTSUPP then return end -- of the file system
      assert.equal(0, results.setxattr.res)
      assert.equal("value!", op.getxattr("user.name", nil, dir .. "/f"))
    end)
  end)

  case("are addresses", function(sqe, dir)
    local listener, address = helper.listener(1)
    local peer, port = udp()
    local client = assert(op.socket(core.AF_INET, core.SOCK_STREAM))
    local one = assert(op.socket(core.AF_INET, core.SOCK_DGRAM))
    local path = assert(op.socket(core.AF_UNIX, core.SOCK_STREAM))
    local two = assert(op.socket(core.AF_INET, core.SOCK_DGRAM))
    sqe "connect":prep_connect(client, "127.0.0.1:" .. address.port)
    sqe "accept":prep_accept(listener)
    sqe "bind":prep_bind(path, "unix:" .. dir .. "/socket")
    sqe "sendto":prep_sendto(one, "to" .. "!", nil, 0, "127.0.0.1:" .. port)
    sqe "send":prep_send(two, "set" .. "!"):prep_send_set_addr("127.0.0.1:" .. port)
    return checking(function(results)
      fine(results)
      core.fd(results.accept.res):close()
      assert.equal("127.0.0.1", results.accept.value.host)
      assert.equal(assert(sock.getsockname(client)).port, results.accept.value.port)
      assert.equal(address.port, assert(sock.getpeername(client)).port)
      assert.equal(dir .. "/socket", assert(sock.getsockname(path)).path)
      local got = { op.recv(peer, 100), (op.recv(peer, 100)) }
      table.sort(got)
      assert.same({ "set!", "to!" }, got)
    end, listener, peer, client, one, two, path)
  end, helper.needs "bind" == helper.it and main_it or helper.needs "bind")

  case("are strings, lists of them, and messages", function(sqe, dir)
    local path <const> = dir .. "/f"
    local file = assert(op.open(path, core.O_CREAT | core.O_RDWR))
    local a, b = assert(sock.socketpair(core.AF_UNIX, core.SOCK_DGRAM))
    local c, d = tcp_pair()
    local peer, port = udp()
    local from = udp()
    local r, w = assert(op.pipe())
    sqe "write":prep_write(file, "one" .. ",", nil, 0)
    sqe "writev":prep_writev(file, { "two" .. ",", core.buffer("three" .. ","), "four" .. "." }, 4)
    sqe "send":prep_send(a, "a " .. "string")
    sqe "sendmsg":prep_sendmsg(a, {
      iov = { "a " .. "message", " of " .. "two" },
      control = { { type = "rights", fds = { w } } },
    })
    sqe "sendmsg to":prep_sendmsg(from, { iov = "to" .. "!", name = "127.0.0.1:" .. port })
    sqe "send_zc":prep_send_zc(c, "not " .. "copied")
    return checking(function(results)
      fine(results)
      assert.equal("one,two,three,four.", helper.read_file(path))
      assert.equal("a string", op.recv(b, 100))
      local data, message = op.recvmsg(b, { iov = 100, control = 64 })
      assert.equal("a message of two", data)
      assert.equal("to!", op.recv(peer, 100))
      assert.equal("not copied", op.recv(d, 100))
      local sent <close> = message.control[1].fds[1]
      assert.equal(1, op.write(sent, "x"))
      assert.equal("x", op.read(r, 1))
    end, file, a, b, c, d, peer, from, r, w)
  end)

  case("are times", function(sqe)
    local r, w = assert(op.pipe())
    local start <const> = core.now()
    sqe "timeout":prep_timeout(0.05 + 0.01)
    sqe "read":prep_read(r, core.buffer(1), 1, -1):set_flags(core.IOSQE_IO_LINK)
    sqe "link_timeout":prep_link_timeout(0.05 + 0.02)
    return checking(function(results)
      assert(core.now() - start >= 0.07)
      assert.equal(-core.errno.ETIME, results.timeout.res)
      assert.equal(-core.errno.ETIME, results.link_timeout.res)
      assert.equal(-core.errno.ECANCELED, results.read.res)
    end, r, w)
  end)

  case("are structures and lists of numbers", function(sqe)
    local ep = core.fd(event.epoll())
    local r, w = assert(op.pipe())
    local socket = assert(op.socket(core.AF_INET, core.SOCK_STREAM))
    local a, b = core.buffer(4), core.buffer(4)
    sqe "epoll_ctl":prep_epoll_ctl(ep, r, "add", { events = core.EPOLLIN, data = 70000 + 7 })
    sqe "epoll_wait":prep_epoll_wait(ep, 4)
    sqe "setsockopt":prep_cmd_sock(core.SOCKET_URING_OP_SETSOCKOPT, socket, core.SOL_SOCKET,
      core.SO_KEEPALIVE, 1)
    sqe "futex_waitv":prep_futex_waitv { { a, 0 }, { b, 0 } }
    return checking(function(results)
      fine(results)
      assert.same({ { events = core.EPOLLIN, data = 70007 } }, results.epoll_wait.value)
      assert.equal(1, sock.getsockopt(socket, core.SOL_SOCKET, core.SO_KEEPALIVE))
      assert.equal(1, results.futex_waitv.res)
    end, ep, r, w, socket), function()
      assert.equal(1, op.write(w, "x"))
      assert.equal(1, op.futex_wake(b, 1))
    end
  end, helper.needs "epoll_wait" == helper.it and helper.needs "futex_waitv" == helper.it
    and main_it or helper.needs "epoll_wait")
end)

-- ---- what is under way ------------------------------------------------------

describe("what the thread has taken and is not done with", function()
  case("is data that waits for room", function(sqe)
    local r1, w1 = assert(op.pipe())
    local r2, w2 = assert(op.pipe())
    local a, b = assert(sock.socketpair(core.AF_UNIX, core.SOCK_STREAM))
    local c, d = tcp_pair()
    for _, full in ipairs { w1, w2 } do assert.equal(65536, op.write(full, ("."):rep(65536))) end
    local n <const>, many <const> = 2000, 3000000
    sqe "write":prep_write(w1, numbers("w", n))
    sqe "writev":prep_writev(w2, { numbers("v", n), core.buffer(numbers("b", n)) })
    sqe "send":prep_send(a, numbers("s", many), nil, core.MSG_WAITALL)
    sqe "sendmsg":prep_sendmsg(c, { iov = { numbers("m", many), core.buffer(numbers("n", many)) } },
      core.MSG_WAITALL)
    return checking(fine, r1, w1, r2, w2, a, b, c, d), function()
      helper.run(function()
        assert(read_all(r1, 65536 + n):sub(65537) == numbers("w", n))
        assert(read_all(r2, 65536 + 2 * n):sub(65537) == numbers("v", n) .. numbers("b", n))
        assert(read_all(b, many) == numbers("s", many))
        assert(read_all(d, 2 * many) == numbers("m", many) .. numbers("n", many))
      end)
    end
  end)

  case("is memory to be filled", function(sqe)
    local r, w = assert(op.pipe())
    local a, b = assert(sock.socketpair(core.AF_UNIX, core.SOCK_DGRAM))
    local listener, address = helper.listener(1)
    local client = assert(op.socket(core.AF_INET, core.SOCK_STREAM))
    local peer, port = udp()
    sqe "read":prep_read(r, core.buffer(100), nil, -1)
    sqe "recvmsg":prep_recvmsg(b, { iov = 100, control = 64 })
    sqe "accept":prep_accept(listener)
    sqe "recvmsg from":prep_recvmsg(peer, { iov = 100 })
    return checking(function(results)
      fine(results)
      core.fd(results.accept.res):close()
      assert.equal(assert(sock.getsockname(client)).port, results.accept.value.port)
      assert.equal(5, results.read.res)
      assert.equal("message", results.recvmsg.value.data)
      local sent <close> = results.recvmsg.value.control[1].fds[1]
      assert.is_true(sent:isopen())
      assert.equal("datagram", results["recvmsg from"].value.data)
      assert.equal(port, results["recvmsg from"].value.name.port)
    end, r, w, a, b, listener, client, peer), function()
      assert.equal(5, op.write(w, "bytes"))
      assert.equal(7, op.sendmsg(a, { iov = "message",
        control = { { type = "rights", fds = { w } } } }))
      assert(op.connect(client, address))
      assert.equal(8, op.sendto(peer, "datagram", nil, 0, "127.0.0.1:" .. port))
    end
  end)
end)

-- ---- operations while the thread sleeps and wakes ---------------------------

-- Tasks of a ring until they have ended, with a collection before each resume.
local function drive(ring, tasks)
  core.torture(true)
  local restore <close> = setmetatable({}, {
    __close = function() core.torture(helper.torture) end,
  })
  for _, task in ipairs(tasks) do helper.finish(ring, task) end
  assert(restore and helper.idle(ring))
end

local kinds <const> = {
  { "a ring", { sqpoll = true, sq_thread_idle = 1 } },
  { "a ring of two entries", { sqpoll = true, sq_thread_idle = 1, entries = 2, cq_entries = 4 } },
  { "a ring that is entered by hand", { sqpoll = true, sq_thread_idle = 1, entries = 8 }, true },
}

describe("while the thread sleeps and wakes", function()
  for _, kind in ipairs(kinds) do
    main_it("operations have what they were given, on " .. kind[1], function()
      local ring <close> = assert(core.ring(kind[2]))
      if kind[3] and not ring:set_iowait(false) then
        return pending "this kernel has no IORING_ENTER_NO_IOWAIT"
      end
      local dir <close> = helper.tmpdir()
      local listener <close>, address = helper.listener(16)
      local kept
      local function work(i, round)
        local name <const> = ("%s/%d-%d"):format(dir, i, round)
        local fd <close> = assert(op.openat(nil, name .. "", core.O_CREAT | core.O_RDWR, 384))
        local text <const> = ("%d "):format(i + round):rep(50)
        assert.equal(2 * #text, op.writev(fd, { text .. "", core.buffer(text) }, 0))
        assert.equal(text .. text, op.read(fd, 1000, 0))
        assert.equal(2 * #text, assert(op.statx(nil, name .. "")).size)
        assert.is_true(op.renameat(nil, name .. "", nil, name .. "x"))
        assert.is_true(op.unlinkat(nil, name .. "x"))
        if i % 3 == 0 then assert.is_true(op.timeout(0.001 + i / 1e6)) end
        if i % 3 == 1 then
          local socket <close> = assert(op.socket(core.AF_INET, core.SOCK_STREAM))
          assert.is_true(op.connect(socket, "127.0.0.1:" .. address.port))
          local peer <close> = assert(op.accept(listener))
          assert(op.sendmsg(socket, { iov = { "one " .. i, "two " .. i } }))
          assert.is_string(op.recv(peer, 100))
        end
        if i % 3 == 2 then
          local results, bad = op.link(function(c)
            c:write(fd, "linked " .. i, nil, 0)
            c:write(fd, "then " .. i, nil, 20)
          end)
          assert.is_nil(bad)
          assert.same({ #("linked " .. i), #("then " .. i) }, results)
        end
      end
      for round = 1, helper.scale(20) do
        if round % 2 == 1 then core.sleep(0.02) end  -- it falls asleep
        local tasks = {}
        for i = 1, 6 do tasks[i] = ring:spawn(work, i, round) end
        tasks[7] = ring:spawn(function()
          for _ = 1, 10 do
            kept = churn()
            if round % 4 == 1 then core.sleep(0.008) else core.yield() end
          end
        end)
        drive(ring, tasks)
      end
      assert(#kept > 0)
    end)
  end
end)

-- ---- rings that share a thread ----------------------------------------------

describe("rings that share their thread", function()
  local options <const> = { sqpoll = true, sq_thread_idle = 50, entries = 64 }

  local function two(entries)
    local one = assert(core.ring(options))
    local other = assert(core.ring { sqpoll = true, sq_thread_idle = 50, entries = entries or 64,
      attach_wq = one })
    return one, other, helper.closing(other, one)
  end

  -- The thread takes eight entries of a ring, and goes on to the next ring.
  main_it("keep chains whole", function()
    local one, other, _ <close> = two()
    for _, ring in ipairs { one, other } do
      for _, before in ipairs { 0, 1, 5, 7 } do
        for _, n in ipairs { 2, 5, 8 } do
          local r, w = assert(op.pipe())
          local _ <close> = helper.closing(r, w)
          for _ = 1, before do ring:spawn(op.nop) end
          local start <const> = core.now()
          local task = ring:spawn(op.link, function(c)
            c:timeout(0.005, 0, core.IORING_TIMEOUT_ETIME_SUCCESS)
            for i = 2, n do c:write(w, "" .. i) end
          end)
          local reader = ring:spawn(function() return op.read(r, 1), core.now() end)
          while #ring:tasks() > 0 do ring:step(1) end
          local text, now = reader:join()
          assert.equal("2", text)
          assert(now - start >= 0.005, ("%d, %d before: cut"):format(n, before))
          local _, bad = task:join()
          assert.is_nil(bad)
        end
      end
    end
  end)

  main_it("refuse a longer chain", function()
    local one, other, _ <close> = two()
    for _, ring in ipairs { one, other } do
      local task = ring:spawn(op.link, function(c) for _ = 1, 9 do c:nop() end end)
      ring:step(0)
      raises("a chain of 9 operations is too long: a thread that polls for several rings takes " ..
        "8 entries at once", task.join, task)
      assert(helper.idle(ring))
    end
  end)

  main_it("take a longer one when they have a thread each", function()
    local ring <close> = assert(core.ring(options))
    local task = ring:spawn(op.link, function(c) for _ = 1, 64 do c:nop() end end)
    while task:status() ~= "done" do ring:step(1) end
    assert.equal(64, #task:join())
  end)

  -- No completion says that there is room: what waits for it looks again.
  main_it("go on when the thread was busy with the other one", function()
    local one, other, _ <close> = two(2)
    local dir <close> = helper.tmpdir()
    helper.write_file(dir .. "/big", ("x"):rep(16 << 20))
    local file <close> = assert(op.open(dir .. "/big"))
    local buffer <const> = core.buffer(16 << 20)
    for _ = 1, helper.scale(20) do
      for _ = 1, 8 do one:get_sqe():prep_read(file, buffer, nil, 0) end
      one:submit()
      local r, w = assert(op.pipe())
      local _ <close> = helper.closing(r, w)
      local reader = other:spawn(op.read, r, 1)
      local task = other:spawn(op.link, function(c) c:nop() c:nop() end)
      local start <const> = core.now()
      while task:status() ~= "done" do
        assert(core.now() - start < 5, "still waiting for room")
        other:step(6)
      end
      assert.equal(1, op.write(w, "x"))
      while reader:status() ~= "done" do other:step(1) end
      for _ = 1, 8 do assert(one:wait_cqe(10).res > 0) end
    end
  end)
end)
