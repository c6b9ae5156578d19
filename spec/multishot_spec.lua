-- Multishot operations: one submission, many results.  Whatever the kernel
-- ends goes on by itself, and nothing that came is lost or left open.

local core = require "uring.core"
local helper = require "spec.helper"
local system = require "spec.system" -- spec/support/system.c

local op <const>, sock <const> = core.op, core.sock
local AF_INET <const>, STREAM <const> = core.AF_INET, core.SOCK_STREAM
local eventually <const>, open_descriptors <const> = helper.eventually, helper.open_descriptors
local on <const>, finish <const> = helper.on_ring, helper.finish

-- A listener of the ring's own, and a function that connects to it.
local function listener()
  local fd = assert(op.socket(AF_INET, STREAM))
  assert(sock.bind(fd, "127.0.0.1:0"))
  assert(sock.listen(fd, 512))
  local address = assert(sock.getsockname(fd))
  return fd, function()
    local client = assert(op.socket(AF_INET, STREAM))
    assert(op.connect(client, address))
    return client
  end
end

local function pair()
  local fd <close>, connect = listener()
  local client = connect()
  return client, assert(op.accept(fd))
end


describe("a multishot accept", function()
  helper.each_config(function(make)
    helper.main_it("yields every connection", function()
      on(make, function(ring)
        local fd <close>, connect = listener()
        local clients, peers = {}, {}
        ring:spawn(function()
          for i = 1, 20 do clients[i] = connect() end
        end)
        local n = 0
        for conn in op.accept_multishot(fd) do
          n = n + 1
          assert.is_true(conn:isopen())
          peers[n] = assert(sock.getpeername(conn))
          conn:close()
          if n == 20 then break end
        end
        for i, client in ipairs(clients) do
          assert.equal(sock.getsockname(client).port, peers[i].port)
        end
        for _, client in ipairs(clients) do client:close() end
      end)
    end)

    helper.main_it("loses none that nobody asks for while the queue overflows", function()
      on(make, function()
        local fd <close>, connect = listener()
        local clients, n = {}, 0
        local it <close> = op.accept_multishot(fd)
        core.yield()
        for i = 1, 200 do clients[i] = connect() end
        core.sleep(0.01)
        for conn in it do
          n = n + 1
          conn:close()
          if n == 200 then break end
        end
        assert.equal(200, n)
        for _, client in ipairs(clients) do client:close() end
      end)
    end)
  end)

  helper.it("closes the connections that nobody took", function()
    local fd <close>, connect = listener()
    local clients = {}
    for i = 1, 10 do clients[i] = connect() end
    local before = open_descriptors()
    do
      local it <close> = op.accept_multishot(fd)
      local first = assert(it())
      eventually(function() return open_descriptors() == before + 10 end)
      first:close()
    end
    assert.equal(before, open_descriptors())
    for _, client in ipairs(clients) do client:close() end
  end)

  helper.it("is closed by break, error and cancellation", function()
    local fd <close>, connect = listener()
    local ring = core.default()
    local _ <close> = connect()
    for conn in op.accept_multishot(fd) do -- luacheck: ignore 512
      conn:close()
      break
    end
    assert.equal(0, fd:pending())
    local _ <close> = connect()
    assert.is_false(pcall(function()
      for conn in op.accept_multishot(fd) do
        conn:close()
        error "enough"
      end
    end))
    assert.equal(0, fd:pending())
    local task = core.spawn(function()
      for conn in op.accept_multishot(fd) do conn:close() end
    end)
    core.sleep(0.005)
    assert.equal("multishot_accept", (task:waiting()))
    task:cancel()
    assert.is_false(pcall(task.join, task))
    assert.equal(0, fd:pending())
    assert.is_true(ring:stats().slots <= 1)
  end)

  helper.it("ends when its descriptor is closed, whatever its state", function()
    for _, connections in ipairs { 0, 3, 100 } do
      local fd, connect = listener()
      local clients = {}
      for i = 1, connections do clients[i] = connect() end
      local it <close> = op.accept_multishot(fd)
      core.sleep(0.01)
      assert.is_true(fd:close())
      local n, conn, message, code = 0, it()
      while conn do
        n = n + 1
        conn:close()
        conn, message, code = it()
      end
      assert.equal(core.errno.ECANCELED, code)
      assert.equal(message, select(2, it:error()))
      assert.is_true(n <= connections)
      for _, client in ipairs(clients) do client:close() end
    end
  end)

  helper.it("waits in one task and is closed in another", function()
    local fd <close> = listener()
    local it = op.accept_multishot(fd)
    local task = core.spawn(function() return it() end)
    core.sleep(0.005)
    it:close()
    assert.is_nil(task:join())
    assert.is_nil(it())
  end)

  helper.it("shares its connections among several tasks", function()
    local fd <close>, connect = listener()
    local it <close> = op.accept_multishot(fd)
    local tasks, clients = {}, {}
    for i = 1, 4 do
      tasks[i] = core.spawn(function()
        for _ = 1, 5 do assert(it()):close() end
      end)
    end
    for i = 1, 20 do clients[i] = connect() end
    for _, task in ipairs(tasks) do task:join() end
    for _, client in ipairs(clients) do client:close() end
  end)

  helper.main_it("works outside any task", function()
    local fd <close>, connect = listener()
    local _ <close> = connect()
    for conn in op.multishot_accept(fd) do -- luacheck: ignore 512
      conn:close()
      break
    end
  end)

  helper.it("gives up when it is collected", function()
    local fd <close>, connect = listener()
    local _ <close> = connect()
    op.accept_multishot(fd)
    core.sleep(0.005)
    collectgarbage()
    collectgarbage()
    eventually(function() return fd:pending() == 0 end)
  end)

  helper.it("goes on after the descriptors have run out", function()
    helper.prints("20 connections\n", [[
      local core = require "uring.core"
      local op, sock = core.op, core.sock
      local fd = assert(op.socket(core.AF_INET, core.SOCK_STREAM))
      assert(sock.bind(fd, "127.0.0.1:0"))
      assert(sock.listen(fd, 64))
      local address = sock.getsockname(fd)
      local port = address.port
      local clients = {}
      for i = 1, 20 do
        clients[i] = assert(op.socket(core.AF_INET, core.SOCK_STREAM))
        assert(op.connect(clients[i], address))
      end
      local pid = io.open("/proc/self/stat"):read "n"
      os.execute("prlimit --pid " .. pid .. " --nofile=32:32")
      local n, conns = 0, {}
      local it = op.accept_multishot(fd)
      local function close_all()
        for _, conn in ipairs(conns) do core.spawn(conn.close, conn) end
        conns = {}
      end
      for conn in it do
        n = n + 1
        conns[#conns + 1] = conn
        if #conns == 5 then core.timer(0.02, close_all) end
        if n == 20 then break end
      end
      print(n .. " connections")
    ]])
  end)

  helper.main_it("looks for a slot after a while, in case that it has seen none emptied", function()
    local ring <close> = assert(core.ring())
    assert(ring:register_files_sparse(1))
    on(function() return ring end, function()
      local fd <close>, connect = listener()
      local clients <const> = {}
      for i = 1, 3 do clients[i] = connect() end
      local start <const> = core.now()
      local it <close> = op.multishot_accept_direct(fd)
      local conn <close> = assert(it())
      assert.equal(0, conn:slot())
      eventually(function() return system.ready(clients[2]) end)
      assert.equal("", system.read(clients[2], 1)) -- there was no slot
      eventually(function() return system.ready(clients[3]) end)
      assert.is_true(core.now() - start >= 0.9)
      assert.equal("", system.read(clients[3], 1)) -- nor is there now
      for _, client in ipairs(clients) do client:close() end
    end)
  end)

  helper.main_it("puts connections into slots of the ring's table", function()
    local ring <close> = assert(core.ring())
    assert(ring:register_files_sparse(8))
    local task = ring:spawn(function()
      local fd <close>, connect = listener()
      local client <close> = connect()
      local _ <close> = connect()
      local n = 0
      for conn in op.multishot_accept_direct(fd) do -- luacheck: ignore 512
        assert.equal(n, conn:slot())
        assert(op.send(conn, "hi"))
        assert.equal("hi", op.recv(client, 10))
        conn:close()
        break
      end
      -- the one that nobody took has left its slot
      local slots = assert(op.files_update({ fd, fd, fd, fd, fd, fd, fd, fd }))
      assert.equal(8, #slots)
    end)
    finish(ring, task)
  end)

  helper.it("reports what is no socket", function()
    local fd <close> = assert(op.open("/dev/null"))
    local it <close> = op.accept_multishot(fd)
    helper.fails("ENOTSOCK", ("multishot_accept fd %d: Socket operation on non-socket")
      :format(fd:fileno()), it())
  end)
end)

describe("a multishot receive", function()
  helper.each_config(function(make)
    helper.main_it("yields the bytes in order until the end", function()
      on(make, function(ring)
        local a, b = pair()
        local sent = {}
        ring:spawn(function()
          for i = 1, 300 do
            sent[i] = ("%d,"):format(i):rep(i % 50 + 1)
            assert(op.send(a, sent[i]))
            if i % 7 == 0 then core.yield() end
          end
          a:close()
        end)
        local got = {}
        for data in op.recv_multishot(b) do
          got[#got + 1] = data
          if #got % 5 == 0 then core.sleep(0.0005) end
        end
        assert.equal(table.concat(sent), table.concat(got))
        b:close()
      end)
    end)

    helper.main_it("goes on when buffers are there again", function()
      on(make, function(ring)
        local a, b = pair()
        local br <close> = assert(ring:setup_buf_ring(4, 1, 0, 32))
        local it <close> = op.recv_multishot(b, br)
        local text = {}
        for i = 1, 100 do text[i] = ("%04d"):format(i) end
        text = table.concat(text)
        assert.equal(#text, op.send(a, text))
        local got, held = {}, {}
        while #table.concat(got) < #text do
          local buffer = assert(it())
          got[#got + 1] = buffer:string()
          held[#held + 1] = buffer
          if #held == 4 then
            assert.equal(0, br:available())
            for _, h in ipairs(held) do h:release() end
            held = {}
          end
        end
        for _, h in ipairs(held) do h:release() end
        assert.equal(text, table.concat(got))
        it:close()
        assert.equal(4, br:available())
        a:close()
        b:close()
      end)
    end)
  end)

  helper.it("gives its buffers back when nobody reads on", function()
    local ring = core.default()
    local a, b = pair()
    local _ <close> = helper.closing(a, b)
    local br <close> = assert(ring:setup_buf_ring(8, 1, 0, 16))
    do
      local it <close> = op.recv_multishot(b, br)
      assert(op.send(a, ("x"):rep(100)))
      local first <close> = assert(it())
      assert.equal(("x"):rep(16), first:string())
    end
    assert.equal(8, br:available())
  end)

  helper.it("waits for a buffer without asking the kernel again and again", function()
    local ring = core.default()
    local a, b = pair()
    local _ <close> = helper.closing(a, b)
    local br <close> = assert(ring:setup_buf_ring(1, 1, 0, 16))
    local it <close> = op.recv_multishot(b, br)
    assert(op.send(a, ("x"):rep(32)))
    local first = assert(it())
    local before = ring:stats().submitted
    local task = core.spawn(function() return it() end)
    core.sleep(0.02)
    assert.is_true(ring:stats().submitted - before < 5)
    first:release()
    local second <close> = assert(task:join())
    assert.equal(("x"):rep(16), second:string())
  end)

  helper.it("ends when its buffer ring is closed while it waits for a buffer", function()
    local ring = core.default()
    local a, b = pair()
    local _ <close> = helper.closing(a, b)
    local br = assert(ring:setup_buf_ring(1, 1, 0, 16))
    local it <close> = op.recv_multishot(b, br)
    assert(op.send(a, ("x"):rep(32)))
    local first <close> = assert(it())
    local task = core.spawn(function() return it() end)
    core.sleep(0.01)
    assert(br:close())
    assert.equal(core.errno.ENOBUFS, select(3, task:join()))
    assert.equal(("x"):rep(16), first:string()) -- the memory is still there
  end)

  helper.it("takes an empty datagram for what it is", function()
    local a <close> = assert(op.socket(AF_INET, core.SOCK_DGRAM))
    local b <close> = assert(op.socket(AF_INET, core.SOCK_DGRAM))
    assert(sock.bind(b, "127.0.0.1:0"))
    assert(op.connect(a, (sock.getsockname(b))))
    local it <close> = op.recv_multishot(b)
    for _, text in ipairs { "one", "", "two", "", "" , "three" } do
      assert(op.send(a, text))
      assert.equal(text, it())
    end
  end)

  for name, type in pairs { stream = core.SOCK_STREAM, seqpacket = core.SOCK_SEQPACKET } do
    for _, op_name in ipairs { "recv_multishot", "recvmsg_multishot" } do
      helper.it(("ends with a %s (%s)"):format(name, op_name), function()
        local a, b = assert(sock.socketpair(core.AF_UNIX, type))
        local _ <close> = helper.closing(a, b)
        local it <close> = op[op_name](b)
        for _, text in ipairs { "one", "two" } do
          assert(op.send(a, text))
          assert.equal(text, (it()))
        end
        if type == core.SOCK_SEQPACKET then -- an empty packet is none
          assert(op.sendmsg(a, { iov = "" }))
          assert(op.send(a, "three"))
          assert.same({ "", "three" }, { (it()), (it()) })
        end
        a:close()
        assert.is_nil(it())
        assert.is_nil(it:error())
      end)
    end
  end

  helper.it("does not fill the memory when nobody reads", function()
    local ring = core.default()
    local a, b = pair()
    local _ <close> = helper.closing(a, b)
    local it <close> = op.recv_multishot(b)
    local sent = 0
    eventually(function()
      sent = sent + assert(op.send(a, "message"))
      return tostring(it):find "paused"
    end)
    assert.is_true(sent < 100 * #"message")
    local before = ring:stats().submitted
    core.sleep(0.01)
    assert.is_true(ring:stats().submitted - before < 5)
    local n = 0
    while n < sent do n = n + #assert(it()) end
    assert.equal(sent, n)
  end)
end)

-- Pausing, running out of buffers, and going on, all at once.
describe("many multishot receives", function()
  helper.it("lose nothing when the readers are slower than the writers", function()
    local N <const>, SIZE <const> = 40, helper.scale(64) * 4096
    local tasks = {}
    for i = 1, N do
      local a, b = pair()
      tasks[#tasks + 1] = core.spawn(function()
        local piece, sent = string.char(127 + i):rep(SIZE), 0
        while sent < SIZE do sent = sent + assert(op.send(a, piece:sub(sent + 1))) end
        assert(a:close())
      end)
      tasks[#tasks + 1] = core.spawn(function()
        local _ <close> = b
        local got, mine = 0, "^" .. string.char(127 + i) .. "+$"
        local it <close> = op.recv_multishot(b)
        for data in it do
          assert.matches(mine, data)
          got = got + #data
          if got // 4096 % 7 == i % 7 then core.yield() end
        end
        assert(select("#", it:error()) == 1, select(2, it:error()))
        assert.equal(SIZE, got)
      end)
    end
    for _, task in ipairs(tasks) do task:join() end
  end, 60)
end)

describe("a multishot receive that is to pause", function()
  helper.it("tells the error that has ended it meanwhile", function()
    for pieces = 1, 20 do
      local a, b = pair()
      local _ <close> = b
      assert(op.send(a, ("x"):rep(pieces * 4096)))
      assert(core.sock.setsockopt(a, nil, "linger", 0))
      assert(a:close())                        -- a reset, behind the data
      core.sleep(0.001)
      local got, it <close> = 0, op.recv_multishot(b)
      local data, message, code = it()
      while data do
        got = got + #data
        data, message, code = it()
      end
      helper.fails("ECONNRESET", ("recv_multishot fd %d: Connection reset by peer")
        :format(b:fileno()), data, message, code)
      assert.equal(pieces * 4096, got)
    end
  end)
end)

describe("a multishot read", function()
  helper.it("yields what a pipe has until its end", function()
    local r <close>, w = assert(op.pipe())
    local it <close> = op.read_multishot(r)
    assert(op.write(w, "one"))
    assert.equal("one", it())
    assert(op.write(w, "two"))
    assert.equal("two", it())
    w:close()
    assert.is_nil(it())
    assert.is_nil(it:error())
  end)

  helper.it("refuses a regular file", function()
    local dir <close> = helper.tmpdir()
    helper.write_file(dir .. "/f", "text")
    local fd <close> = assert(op.open(dir .. "/f"))
    local it <close> = op.read_multishot(fd)
    assert.equal(core.errno.EBADFD, select(3, it()))
  end)
end)

describe("a multishot poll", function()
  helper.each_config(function(make)
    helper.main_it("says each time that there is something", function()
      on(make, function()
        local r, w = assert(op.pipe())
        local _ <close> = helper.closing(r, w)
        local it <close> = op.poll_multishot(r, core.POLLIN)
        for _ = 1, 30 do
          assert(op.write(w, "x"))
          assert.equal(core.POLLIN, it() & core.POLLIN)
          assert.equal("x", op.read(r, 10))
        end
      end)
    end)
  end)
end)

describe("a multishot timeout", function()
  helper.it("comes as often as it is told", function()
    local n, start = 0, core.now()
    for fired in op.timeout_multishot(0.002, 10) do
      assert.is_true(fired)
      n = n + 1
    end
    assert.equal(10, n)
    assert.is_true(core.now() - start >= 0.019)
  end)

  helper.it("comes for ever, until it is closed", function()
    local n = 0
    for _ in op.timeout_multishot(0.0005) do
      n = n + 1
      if n == 50 then break end
    end
    assert.equal(50, n)
  end)
end)

describe("multishots", function()
  helper.main_it("are given up with their ring, in whatever state", function()
    for _, what in ipairs { "armed", "queued", "paused", "starved" } do
      local before = open_descriptors()
      do
        local ring = assert(core.ring())
        local it, keep = nil, {}
        local task = ring:spawn(function()
          local fd, connect = listener()
          keep.fd, keep.clients = fd, {}
          for i = 1, what == "paused" and 100 or what == "queued" and 5 or 0 do
            keep.clients[i] = connect()
          end
          if what == "starved" then
            keep.a, keep.b = pair()
            local br = assert(ring:setup_buf_ring(1, 1, 0, 16))
            it = op.recv_multishot(keep.b, br)
            assert(op.send(keep.a, ("x"):rep(50)))
            keep.buffer = it()
          else
            it = op.accept_multishot(fd)
          end
          core.sleep(0.01)
        end)
        finish(ring, task)
        ring:close()
        assert.is_nil(it())
        assert.is_true(it:close())
        for _, client in ipairs(keep.clients) do client:close() end
        for _, name in ipairs { "fd", "a", "b" } do
          if keep[name] then keep[name]:close() end
        end
      end
      assert.equal(before, open_descriptors(), what)
    end
  end)

  helper.it("are stopped where a flag has made a single operation one", function()
    local fd <close>, connect = listener()
    local before = open_descriptors()
    local task = core.spawn(function()
      return core.default():get_sqe():prep_multishot_accept(fd):await()
    end)
    local clients = {}
    for i = 1, 5 do clients[i] = connect() end
    local res, flags = task:join()
    assert.is_true(res >= 0)
    assert.is_true(flags & core.IORING_CQE_F_MORE ~= 0)
    helper.process.close(res)
    eventually(function() return fd:pending() == 0 end)
    for _, client in ipairs(clients) do client:close() end
    assert.equal(before, open_descriptors())
  end)

  helper.main_it("post a completion each in the raw layer", function()
    local fd <close>, connect = listener()
    local ring <close> = assert(core.ring())
    assert(ring:get_sqe()):prep_multishot_accept(fd):set_data "accepting"
    ring:submit()
    for _ = 1, 3 do
      local _ <close> = connect()
      local cqe = assert(ring:wait_cqe(5))
      assert.equal("accepting", cqe.data)
      assert.is_true(cqe.more)
      helper.process.close(cqe.res)
    end
    assert(ring:get_sqe()):prep_cancel("accepting", 0):set_data "cancel"
    ring:submit()
    local seen = {}
    for _ = 1, 2 do
      local cqe = assert(ring:wait_cqe(5))
      seen[cqe.data] = cqe
    end
    assert.is_false(seen.accepting.more)
    assert.equal(-core.errno.ECANCELED, seen.accepting.res)
  end)

  helper.it("can be cancelled at any moment without losing a thing", function()
    local fd <close>, connect = listener()
    local before = open_descriptors()
    for pause = 0, helper.scale(40) do
      local taken = 0
      local task = core.spawn(function()
        for conn in op.accept_multishot(fd) do
          taken = taken + 1
          conn:close()
        end
      end)
      local clients = {}
      for i = 1, 3 do
        clients[i] = connect()
        if pause == i then task:cancel() end
      end
      for _ = 1, pause % 7 do core.yield() end
      task:cancel()
      assert.is_false(pcall(task.join, task))
      for _, client in ipairs(clients) do client:close() end
      -- what was not accepted is still in the backlog
      while true do
        local waiting = core.spawn(function() return op.poll_add(fd, core.POLLIN) end)
        core.sleep(0.0005)
        if waiting:status() == "done" then
          assert(op.accept(fd)):close()
        else
          waiting:cancel()
          pcall(waiting.join, waiting)
          break
        end
      end
    end
    assert.equal(before, open_descriptors())
  end)
end)

-- ---- what the kernel ends ---------------------------------------------------

-- Where messages come from, without a turn of the ring: put(text) sends one,
-- finish(abruptly) closes the other end.
local sources <const> = {}

function sources.read_multishot()
  local r <const>, w <const> = assert(sock.pipe())
  return { fd = r, put = function(text) system.write(w, text) end,
    finish = function() w:close() end }
end

local function stream()
  local a <const>, b <const> = pair()
  return { fd = b, put = function(text) system.write(a, text) end,
    finish = function(abruptly)
      if abruptly then assert(sock.setsockopt(a, nil, "linger", 0)) end
      a:close()
    end }
end

sources.recv_multishot, sources.recvmsg_multishot = stream, stream

local function iterator(name, fd, br)
  if name == "recvmsg_multishot" then return op[name](fd, { name = false }, 0, br) end
  if name == "read_multishot" then return op[name](fd, 0, 0, br) end
  return op[name](fd, br)
end

-- What comes next, and its buffer goes back.
local function text_of(it)
  local data <const>, message <const>, code <const> = it()
  if type(data) ~= "userdata" then return data, message, code end
  local text <const> = data:string()
  data:release()
  return text
end

describe("a multishot that the kernel ends", function()
  for name, source in pairs(sources) do
    describe(name, function()
      helper.each_config(function(make)
        helper.main_it("loses nothing when the queue of completions is full", function()
          on(make, function(ring)
            local s <const> = source()
            local fd <close> = s.fd
            local br <close> = assert(ring:setup_buf_ring(64, 1, 0, 64))
            local it <close> = iterator(name, fd, br)
            for round = 1, 5 do
              core.yield()
              local sent <const>, got = {}, ""
              for i = 1, 40 do
                sent[i] = ("%d:%02d,"):format(round, i):rep(10)
                s.put(sent[i])
              end
              sent[1] = table.concat(sent)
              while #got < #sent[1] do got = got .. assert(text_of(it)) end
              assert.equal(sent[1], got)
            end
            s.finish()
            assert.is_nil((text_of(it)))
            assert.is_nil(it:error())
            assert.equal(64, br:available())
          end)
        end)

        helper.main_it("loses nothing when nobody takes its buffers for a while", function()
          on(make, function(ring)
            local s <const> = source()
            local fd <close> = s.fd
            local br <close> = assert(ring:setup_buf_ring(2, 1, 0, 64))
            local it <close> = iterator(name, fd, br)
            local text <const> = ("0123456789"):rep(200)
            for _ = 1, 3 do
              s.put(text)
              core.sleep(0.003)
              local got = ""
              while #got < #text do got = got .. assert(text_of(it)) end
              assert.equal(text, got)
              assert.equal(2, br:available())
            end
            s.finish()
            assert.is_nil((text_of(it)))
            assert.equal(2, br:available())
          end)
        end)
      end)

      if name ~= "read_multishot" then
        helper.it("says with which error, though much has come before", function()
          for n = 14, 18 do -- about as much as is kept for whoever asks
            local s <const> = source()
            local fd <close> = s.fd
            local br <close> = assert(core.default():setup_buf_ring(64, 1, 0, 64))
            local it <close> = iterator(name, fd, br)
            core.yield()
            s.put(("x"):rep(48 * n)) -- 16 bytes may be of the kernel's
            s.finish(true)
            local got = 0
            local text, _, code = text_of(it)
            while text do
              got = got + #text
              text, _, code = text_of(it)
            end
            assert.same({ 48 * n, core.errno.ECONNRESET }, { got, code })
          end
        end)
      end

      helper.it("gives its buffers back at the end and with an error", function()
        local br <close> = assert(core.default():setup_buf_ring(2, 1, 0, 64))
        for _, abruptly in ipairs { false, true } do
          for _, before in ipairs { false, true } do
            local s <const> = source()
            local fd <close> = s.fd
            local it <close> = iterator(name, fd, br)
            core.yield()
            if before then s.put "text" end
            if before then assert.equal("text", text_of(it)) end
            s.finish(abruptly)
            local data <const>, _ <const>, code <const> = text_of(it)
            assert.is_nil(data)
            assert.equal(abruptly and name ~= "read_multishot" and core.errno.ECONNRESET or nil,
              code)
            assert.equal(2, br:available())
          end
        end
      end)
    end)
  end

  helper.each_config(function(make)
    helper.main_it("says of each datagram where it ends, though its queue is full", function()
      for _, name in ipairs { "recv_multishot", "recvmsg_multishot" } do
        on(make, function(ring)
          local a <close> = assert(op.socket(AF_INET, core.SOCK_DGRAM))
          local b <close> = assert(op.socket(AF_INET, core.SOCK_DGRAM))
          assert(sock.bind(b, "127.0.0.1:0"))
          assert(op.connect(a, (sock.getsockname(b))))
          local br <close> = assert(ring:setup_buf_ring(8, 1, 0, 64))
          local it <close> = iterator(name, b, br)
          for _ = 1, 3 do
            core.yield()
            for i = 1, 40 do system.write(a, ("x"):rep(i % 20)) end
            for i = 1, 40 do assert.equal(("x"):rep(i % 20), (text_of(it))) end
            assert.equal(8, br:available())
          end
        end)
      end
    end)

    -- A connection for which there is no slot is lost by the kernel itself: the
    -- third one, and no other.
    for how, free in pairs {
      ["their objects"] = function(_, conn) conn:close() end,
      ["close_direct"] = function(_, conn) assert(op.close_direct(conn:slot())) end,
      ["files_update"] = function(_, conn) assert(op.files_update({ false }, conn:slot())) end,
      ["a register call"] = function(ring, conn)
        assert(ring:register_files_update(conn:slot(), { -1 }))
      end,
    } do
      helper.main_it("accepts connections into slots, one for each that is closed by " .. how,
        function()
          local ring <close> = make()
          assert(ring:register_files_sparse(2))
          local task <const> = ring:spawn(function()
            local fd <close>, connect = listener()
            local clients <const>, names <const> = {}, {}
            for i = 1, 9 do
              clients[i] = connect()
              names[sock.getsockname(clients[i]).port] = i
            end
            local it <close> = op.multishot_accept_direct(fd)
            local held, order <const> = {}, {}
            for i = 1, 8 do
              local start <const> = core.now()
              local conn <const> = assert(it())
              assert(core.now() - start < 0.9) -- it did not look after a while
              local plain <close> = assert(conn:install())
              order[i] = names[sock.getpeername(plain).port]
              assert.equal(1, op.send(conn, "x"))
              held[#held + 1] = conn
              if i >= 2 then -- the next finds no slot, and waits
                if i % 2 == 0 then core.sleep(0.002) end
                free(ring, table.remove(held, 1))
              end
            end
            assert.same({ 1, 2, 4, 5, 6, 7, 8, 9 }, order)
            for i, client in ipairs(clients) do
              assert.equal(i == 3 and "" or "x", system.read(client, 10))
              client:close()
            end
            for _, conn in ipairs(held) do conn:close() end
          end)
          finish(ring, task)
          assert(helper.idle(ring))
        end)
    end

    helper.main_it("counts every timeout, though its queue is full", function()
      on(make, function()
        local start <const> = core.now()
        local it <close> = op.timeout_multishot(0.001, 30)
        core.yield()
        while core.now() - start < 0.02 do end -- luacheck: ignore 542
        local n = 0
        for fired in it do
          assert.is_true(fired)
          n = n + 1
        end
        assert.equal(30, n)
        assert.is_nil(it:error())
        assert(core.now() - start >= 0.029)
      end)
    end)

    helper.main_it("polls again, though its queue was full", function()
      on(make, function()
        local r <const>, w <const> = assert(sock.pipe())
        local _ <close> = helper.closing(r, w)
        local it <close> = op.poll_multishot(r, core.POLLIN)
        for _ = 1, 5 do
          core.yield()
          for _ = 1, 20 do
            system.write(w, "x")
            assert.equal("x", system.read(r, 1))
          end
          system.write(w, "y")
          repeat assert.equal(core.POLLIN, it()) until system.ready(r)
          assert.equal("y", system.read(r, 10))
        end
      end)
    end)
  end)
end)
