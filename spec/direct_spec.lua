local core = require "uring.core"
local helper = require "spec.helper"

local op <const>, fails <const>, raises <const> = core.op, helper.fails, helper.raises
local it <const>, file_of <const> = helper.main_it, helper.file_of

-- Run f in a task of the ring and return its results.
local function on(ring, f, ...) return ring:spawn(f, ...):join() end

-- A ring with a table of n slots.
local function table_ring(n, options)
  local ring = assert(core.ring(options))
  assert(ring:register_files_sparse(n or 4))
  return ring
end

-- A case in a task of a ring with a table of 4 slots, in a directory with a file.
local function case(name, f)
  it(name, function()
    local dir <close> = helper.tmpdir()
    local path = dir .. "/file"
    helper.write_file(path, "contents")
    local ring <close> = table_ring()
    on(ring, f, path, ring, dir)
    assert(helper.idle(ring))
  end)
end


describe("direct descriptors", function()
  describe("openat_direct", function()
    case("opens into the slot that is named", function(path)
      local fd = assert(op.openat_direct(nil, path, core.O_RDONLY, nil, 2))
      assert.equal(2, fd:slot())
      assert.equal("uring.fd (direct 2)", tostring(fd))
      assert.equal("contents", op.read(fd, 100, 0))
      assert.is_true(fd:close())
    end)

    case("replaces what an occupied slot had, and closes it", function(_, ring, dir)
      helper.write_file(dir .. "/other", "other")
      local reader, writer = op.pipe()
      assert.equal(1, ring:register_files_update(1, { writer }))
      local old = ring:direct(1)
      assert.is_true(writer:close())
      assert.equal(2, op.write(old, "hi"))
      local new = assert(op.openat_direct(nil, dir .. "/other", core.O_RDONLY, nil, 1))
      assert.is_false(old:isopen())
      assert.equal("hi", op.read(reader, 10))
      assert.equal("", op.read(reader, 10)) -- the last writer is gone
      assert.is_true(old:close())           -- and does not touch the new file
      assert.equal("other", op.read(new, 10, 0))
      new:close()
      reader:close()
    end)

    case("takes any free slot without one", function(path)
      local a = assert(op.openat_direct(nil, path, core.O_RDONLY))
      local b = assert(op.openat_direct(nil, path, core.O_RDONLY, 0, core.IORING_FILE_INDEX_ALLOC))
      assert.same({ 0, 1 }, { a:slot(), b:slot() })
      assert.is_true(a:close())
      local c = assert(op.open_direct(path, core.O_RDONLY))
      assert.equal(0, c:slot())
      assert.equal("contents", op.read(c, 100, 0))
    end)

    case("fails with ENFILE when the table is full", function(path)
      local all = {}
      for i = 1, 4 do all[i] = assert(op.openat_direct(nil, path, core.O_RDONLY)) end
      fails("ENFILE", ("openat_direct %s: Too many open files in system"):format(path),
        op.openat_direct(nil, path, core.O_RDONLY))
      all[3]:close()
      assert.equal(2, op.openat_direct(nil, path, core.O_RDONLY):slot())
    end)

    case("fails with EINVAL for a slot beyond the table", function(path)
      fails("EINVAL", ("openat_direct %s: Invalid argument"):format(path),
        op.openat_direct(nil, path, core.O_RDONLY, nil, 4))
    end)

    case("fails with EINVAL with O_CLOEXEC", function(path)
      fails("EINVAL", ("openat_direct %s: Invalid argument"):format(path),
        op.openat_direct(nil, path, core.O_RDONLY | core.O_CLOEXEC, nil, 1))
    end)

    case("fails like openat for a path that is not there", function(_, _, dir)
      fails("ENOENT", ("openat_direct %s/none: No such file or directory"):format(dir),
        op.openat_direct(nil, dir .. "/none", core.O_RDONLY))
      assert.equal(0, op.openat_direct(nil, dir .. "/file", 0):slot())
    end)

    it("fails with ENXIO or ENFILE without a table", function()
      local ring <close> = assert(core.ring())
      on(ring, function()
        fails("ENXIO", "openat_direct /dev/null: No such device or address",
          op.openat_direct(nil, "/dev/null", core.O_RDONLY, nil, 0))
        fails("ENFILE", "openat_direct /dev/null: Too many open files in system",
          op.openat_direct(nil, "/dev/null", core.O_RDONLY))
      end)
    end)
  end)

  case("openat2_direct opens into a slot", function(path, _, dir)
    local fd = assert(op.openat2_direct(nil, path, { flags = core.O_RDONLY }, 3))
    assert.equal(3, fd:slot())
    assert.equal("contents", op.read(fd, 100, 0))
    fails("ENOENT", ("openat2_direct %s/none: No such file or directory"):format(dir),
      op.openat2_direct(nil, dir .. "/none", { flags = core.O_RDONLY }))
  end)

  describe("fixed_fd_install", function()
    case("gives an ordinary descriptor of the same file", function(path)
      local direct = assert(op.openat_direct(nil, path, core.O_RDONLY, nil, 1))
      local fd = assert(op.fixed_fd_install(direct))
      assert.is_nil(fd:slot())
      assert.equal(path, helper.process.descriptors()[fd:fileno()])
      assert.is_true(direct:close())
      assert.equal("contents", op.read(fd, 100, 0))
      fd:close()
    end)

    case("lets the ordinary one be closed first", function(path)
      local direct = assert(op.openat_direct(nil, path, core.O_RDONLY, nil, 1))
      local fd = assert(direct:install())
      assert.is_true(fd:close())
      assert.equal("contents", op.read(direct, 100, 0))
    end)

    case("sets close-on-exec unless told not to", function(path)
      local direct = assert(op.openat_direct(nil, path, core.O_RDONLY, nil, 1))
      local function cloexec(fd)
        local text = helper.read_file("/proc/self/fdinfo/" .. fd:fileno())
        return tonumber(text:match "flags:%s*(%d+)", 8) & core.O_CLOEXEC ~= 0
      end
      local a <close> = assert(direct:install())
      local b <close> = assert(direct:install(core.IORING_FIXED_FD_NO_CLOEXEC))
      assert.is_true(cloexec(a))
      assert.is_false(cloexec(b))
    end)

    case("fails with EBADF for an empty slot", function()
      fails("EBADF", "fixed_fd_install slot 3: Bad file descriptor", op.fixed_fd_install(3))
    end)

    case("takes no ordinary descriptor", function(path)
      local fd <close> = assert(op.open(path, core.O_RDONLY))
      raises("not a direct descriptor", op.fixed_fd_install, fd)
    end)
  end)

  describe("close", function()
    case("empties the slot", function(path)
      local fd = assert(op.openat_direct(nil, path, core.O_RDONLY, nil, 1))
      assert.is_true(fd:close())
      assert.is_true(fd:close())
      assert.is_false(fd:isopen())
      fails("EBADF", "fixed_fd_install slot 1: Bad file descriptor", op.fixed_fd_install(1))
      raises("closed", op.read, fd, 1)
    end)

    case("is the same through the operations", function(path)
      local fd = assert(op.openat_direct(nil, path, core.O_RDONLY, nil, 1))
      assert.is_true(op.close_direct(fd))
      fd = assert(op.openat_direct(nil, path, core.O_RDONLY, nil, 1))
      assert.is_true(op.close(fd))
      assert.is_false(fd:isopen())
    end)

    case("by the number of the slot ends its object", function(path)
      local fd = assert(op.openat_direct(nil, path, core.O_RDONLY, nil, 1))
      assert.is_true(op.close_direct(1))
      assert.is_false(fd:isopen())
      fails("EBADF", "close_direct slot 1: Bad file descriptor", op.close_direct(1))
    end)

    case("cancels what waits for it", function(_, ring)
      local a = assert(op.socket_direct(core.AF_UNIX, core.SOCK_DGRAM))
      local task = ring:spawn(function() return op.recv(a, 10) end)
      core.yield()
      core.yield()
      assert.equal(1, a:pending())
      assert.is_true(a:close())
      fails("ECANCELED", "recv slot 0: Operation canceled", task:join())
    end)

    it("by the collector empties the slot", function()
      local ring <close> = table_ring(1)
      on(ring, function()
        for _ = 1, 3 do
          assert(op.open_direct("/dev/null", core.O_RDONLY))
          collectgarbage()
        end
      end)
    end)

    it("does no harm when its ring is closed", function()
      local ring = table_ring()
      local fd = on(ring, function() return assert(op.open_direct("/dev/null", 0)) end)
      ring:close()
      assert.is_false(fd:isopen())
      assert.is_true(fd:close())
    end)

    it("by unregister_files ends them all", function()
      local ring <close> = table_ring()
      local fd = on(ring, function() return assert(op.open_direct("/dev/null", 0)) end)
      assert.is_true(ring:unregister_files())
      assert.is_false(fd:isopen())
      assert.is_true(fd:close())
    end)
  end)

  describe("the object", function()
    it("keeps its ring", function()
      local fd
      do
        local ring = table_ring()
        fd = on(ring, function() return assert(op.open_direct("/dev/null", 0)) end)
      end
      collectgarbage()
      collectgarbage()
      assert.is_true(fd:isopen())
    end)

    case("has no number", function(path)
      local fd = assert(op.open_direct(path, core.O_RDONLY))
      raises("direct descriptor: only operations of its ring can use it", fd.fileno, fd)
      raises("direct descriptor", core.sock.getsockname, fd)
      raises("direct descriptor", op.openat, fd, "x", 0)
      raises("direct descriptor", op.epoll_ctl, 0, fd, "add", core.EPOLLIN)
    end)

    it("is no descriptor of another ring", function()
      local ring <close> = table_ring()
      local other <close> = table_ring()
      local fd = on(ring, function() return assert(op.open_direct("/dev/null", 0)) end)
      on(other, function() raises("direct descriptor of another ring", op.read, fd, 1) end)
    end)

    case("can be taken apart and made again", function(path, ring)
      local slot = assert(op.open_direct(path, core.O_RDONLY, nil, 2)):detach()
      assert.equal(2, slot)
      collectgarbage()
      assert.equal("contents", op.read(ring:direct(slot), 100, 0))
    end)

    case("keeps IOSQE_FIXED_FILE when flags are set", function(path, ring)
      local fd = assert(op.open_direct(path, core.O_RDONLY, nil, 0))
      local buffer = core.buffer(8)
      local res = ring:get_sqe():prep_read(fd, buffer, 8, 0):set_flags(core.IOSQE_ASYNC):await()
      assert.equal(8, res)
      assert.equal("contents", buffer:string())
    end)
  end)

  describe("sockets", function()
    case("socket_direct, accept_direct and the rest work on slots", function()
      local listener <close>, address = helper.listener()
      local a = assert(op.socket_direct(core.AF_INET, core.SOCK_STREAM, 0, 3))
      assert.equal(3, a:slot())
      assert.is_true(op.connect(a, address))
      local b, peer = assert(op.accept_direct(listener, 0, 1))
      assert.equal(1, b:slot())
      assert.equal("127.0.0.1", peer.host)
      assert.equal(5, op.send(a, "hello"))
      assert.equal("hello", op.recv(b, 100))
      assert.is_true(op.shutdown(a, "write"))
      assert.equal("", op.recv(b, 100))
    end)

    case("socket_direct_alloc takes any free slot", function()
      local a = assert(op.socket_direct_alloc(core.AF_INET, core.SOCK_STREAM))
      local b = assert(op.socket_direct_alloc(core.AF_INET, core.SOCK_STREAM))
      assert.same({ 0, 1 }, { a:slot(), b:slot() })
      fails("EINVAL", "socket_direct: Invalid argument",
        op.socket_direct(core.AF_INET, core.SOCK_STREAM | core.SOCK_CLOEXEC))
    end)

    case("accept_direct takes any free slot without one, and none when full", function()
      local listener <close>, address = helper.listener()
      local clients <close> = helper.closing()
      for i = 1, 5 do
        clients.n = i
        clients[i] = assert(op.socket(core.AF_INET, core.SOCK_STREAM))
        assert(op.connect(clients[i], address))
      end
      local taken = {}
      for i = 1, 4 do taken[i] = assert(op.accept_direct(listener)) end
      assert.same({ 0, 1, 2, 3 }, { taken[1]:slot(), taken[2]:slot(), taken[3]:slot(),
        taken[4]:slot() })
      local _, _, code = op.accept_direct(listener)
      assert.equal(core.errno.ENFILE, code)
    end)
  end)

  case("pipe_direct makes both ends", function()
    local r, w = op.pipe_direct(0)
    assert.same({ 0, 1 }, { r:slot(), w:slot() })
    assert.equal(4, op.write(w, "pipe"))
    assert.equal("pipe", op.read(r, 10))
    local r2, w2 = op.pipe_direct(core.O_NONBLOCK, 2)
    assert.same({ 2, 3 }, { r2:slot(), w2:slot() })
    fails("EINVAL", "pipe_direct: Invalid argument", op.pipe_direct(core.O_CLOEXEC))
    fails("ENFILE", "pipe_direct: Too many open files in system", op.pipe_direct())
    w:close()
    assert.equal("", op.read(r, 10))
    w2:close()
  end)

  case("splice and tee take them at both ends", function(path)
    local file = assert(op.open_direct(path, core.O_RDONLY))
    local r, w = op.pipe_direct(0)
    assert.equal(8, op.splice(file, 0, w, -1, 8))
    local r2, w2 = op.pipe()
    local _ <close> = helper.closing(r2, w2)
    assert.equal(8, op.tee(r, w2, 100))
    assert.equal("contents", op.read(r2, 100))
    assert.equal("contents", op.read(r, 100))
  end)

  describe("a list of descriptors", function()
    case("holds them until the kernel has looked at them", function(_, ring, dir)
      local buffer = core.buffer(4)
      local mine = file_of(dir, "mine")
      local number = mine:fileno()
      ring:get_sqe():prep_files_update({ mine, false }, 1):set_data "update"
      assert.equal(1, mine:pending())
      assert.is_true(mine:close()) -- which submits it, and cancels it
      local other <close> = file_of(dir, "else")
      assert.equal(number, other:fileno())
      local cqe = assert(ring:wait_cqe(5))
      assert.equal("update", cqe.data)
      if cqe.res == 2 then
        assert.equal(4, ring:get_sqe():prep_read(1, buffer, 4, 0)
          :set_flags(core.IOSQE_FIXED_FILE):await())
        assert.equal("mine", buffer:string())
      else
        assert.equal(-core.errno.ECANCELED, cqe.res)
      end
    end)

    case("holds them in a chain that waits", function(_, _, dir)
      local mine = file_of(dir, "mine")
      local number = mine:fileno()
      local task = core.spawn(function()
        return op.hardlink(function(c)
          c:timeout(0.02)
          c:files_update({ mine }, 1)
        end)
      end)
      core.yield()
      assert.is_true(mine:close())
      local other <close> = file_of(dir, "else")
      assert.equal(number, other:fileno())
      local results = task:join()
      if results[2] == 1 then
        assert.equal("mine", op.with { fixed_file = true }.read(1, 10))
      else
        assert.equal(core.errno.ECANCELED, results[2][3])
      end
    end)

    it("is looked at again when a finaliser may have closed them", function()
      local dir <close> = helper.tmpdir()
      local a, b = assert(core.sock.socketpair())
      local _ <close> = helper.closing(a, b)
      local function in_slot(ring)
        local buffer = core.buffer(4)
        ring:get_sqe():prep_read(1, buffer, 4, 0):set_flags(core.IOSQE_FIXED_FILE)
        ring:submit()
        assert.equal(4, ring:wait_cqe().res)
        return buffer:string()
      end
      local function sent()
        local _, message = op.recvmsg(b, { iov = 1, control = 64 })
        local fd <close> = message.control[1].fds[1]
        return op.read(fd, 10, 0)
      end
      for _, way in ipairs {
        { function(ring, fd) return ring:register_files { false, fd } end, in_slot, true },
        { function(ring, fd) return ring:register_files_update(1, { fd }) end, in_slot },
        { function(ring, fd) return ring:register_files_update_tag(1, { fd }, { 7 }) end, in_slot },
        { function(ring, fd)
          ring:get_sqe():prep_files_update({ fd }, 1)
          ring:submit()
          return ring:wait_cqe().res > 0
        end, in_slot },
        { function(_, fd)
          return op.sendmsg(a, { iov = "x", control = { { type = "rights", fds = { fd } } } })
        end, sent },
      } do
        local raised = 0
        for n = 1, 25 do
          local ring <close> = assert(core.ring { entries = 4 })
          if not way[3] then ring:register_files_sparse(2) end
          local mine <close>, other = file_of(dir, "mine"), nil
          local number = mine:fileno()
          local ok, result = pcall(helper.interrupted, function() return way[1](ring, mine) end,
            function()
              if mine:pending() > 0 then return end
              mine:close()
              other = file_of(dir, "else")
              assert(other:fileno() == number)
            end, n)
          raised = raised + (ok and 0 or 1)
          if ok and result then assert.equal("mine", way[2](ring)) end
          if other then other:close() end
        end
        assert.is_true(raised > 0 and raised < 25)
      end
    end)
  end)

  describe("files_update", function()
    case("puts descriptors into slots", function(path, ring)
      local fd <close> = assert(op.open(path, core.O_RDONLY))
      assert.equal(2, op.files_update({ fd, fd:fileno() }, 1))
      assert.equal("contents", op.read(ring:direct(2), 100, 0))
      assert.equal(1, op.files_update({ false }, 2))
      fails("EBADF", "fixed_fd_install slot 2: Bad file descriptor", op.fixed_fd_install(2))
    end)

    case("gives objects of free slots without a place", function(path)
      local fd <close> = assert(op.open(path, core.O_RDONLY))
      local list = assert(op.files_update { fd, fd })
      assert.equal(2, #list)
      assert.same({ 0, 1 }, { list[1]:slot(), list[2]:slot() })
      assert.equal("contents", op.read(list[2], 100, 0))
    end)

    case("fails for what is no descriptor", function()
      fails("EBADF", "files_update: Bad file descriptor", op.files_update({ 999 }, 0))
      raises("list of 1 to", op.files_update, {}, 0)
      raises("descriptor expected", op.files_update, { "x" }, 0)
    end)
  end)

  -- The object of its file must not close what the slot has next.
  describe("a failure that has emptied a slot", function()
    local function dead(object, slot)
      raises("was closed", op.read, object, 1)
      fails("EBADF", ("fixed_fd_install slot %d: Bad file descriptor"):format(slot),
        op.fixed_fd_install(slot))
      local other = assert(op.open_direct("/dev/zero", core.O_RDONLY, nil, slot))
      assert.is_true(object:close()) -- as before
      assert.equal("\0", op.read(other, 1))
      other:close()
    end

    case("is one of files_update", function(path)
      local a = assert(op.open_direct(path, core.O_RDONLY, nil, 1))
      local b = assert(op.open_direct(path, core.O_RDONLY, nil, 2))
      local c = assert(op.open_direct(path, core.O_RDONLY, nil, 3))
      local fd <close> = assert(op.open(path, core.O_RDONLY))
      fails("EBADF", "files_update: Bad file descriptor", op.files_update({ 987654 }, 1))
      dead(a, 1)
      assert.equal(1, op.files_update({ fd, 987654, fd }, 1))
      assert.equal("contents", op.read(c, 10, 0)) -- it was not come to
      dead(b, 2)
    end)

    case("is one of register_files_update", function(path, ring)
      local a = assert(op.open_direct(path, core.O_RDONLY, nil, 1))
      local b = assert(op.open_direct(path, core.O_RDONLY, nil, 2))
      local fd <close> = assert(op.open(path, core.O_RDONLY))
      fails("EBADF", "register_files_update: Bad file descriptor",
        ring:register_files_update(1, { 987654 }))
      dead(a, 1)
      assert.equal(1, ring:register_files_update(1, { fd, 987654 }))
      dead(b, 2)
      a = assert(op.open_direct(path, core.O_RDONLY, nil, 1))
      fails("EINVAL", "register_files_update: Invalid argument",
        ring:register_files_update(1, { fd, fd, fd, fd }))
      fails("EINVAL", "register_files_update: Invalid argument",
        ring:register_files_update_tag(1, { false }, { 7 }))
      assert.equal("contents", op.read(a, 10, 0)) -- not of these
    end)

    case("is one of pipe_direct", function(path)
      local a = assert(op.open_direct(path, core.O_RDONLY, nil, 3))
      fails("EINVAL", "pipe_direct: Invalid argument", op.pipe_direct(0, 3))
      dead(a, 3)
    end)
  end)

  it("are closed when nobody takes the result", function()
    local listener <close>, address = helper.listener()
    local ring <close> = table_ring(1)
    local task = ring:spawn(function() op.accept_direct(listener) end)
    ring:step(0)
    local client <close> = assert(op.socket(core.AF_INET, core.SOCK_STREAM))
    assert(op.connect(client, address))
    task:interrupt "enough" -- the accept has won against its cancellation
    pcall(task.join, task)
    collectgarbage()
    on(ring, function() assert(op.open_direct("/dev/null", 0)) end)
  end)

  it("come back to a script of the raw layer as numbers", function()
    local ring <close> = table_ring()
    ring:get_sqe():prep_openat_direct(nil, "/dev/zero", core.O_RDONLY, 0, 2):set_data "open"
    ring:get_sqe():prep_pipe_direct(0)
    ring:submit()
    local a, b = ring:wait_cqe(5), ring:wait_cqe(5)
    if a.data ~= "open" then a, b = b, a end
    assert.equal(0, a.res)
    assert.equal(2, #b.value)
    local buffer = core.buffer("x")
    ring:get_sqe():prep_read(2, buffer, 1, 0):set_flags(core.IOSQE_FIXED_FILE)
    assert.equal(1, ring:submit_and_wait(1))
    assert.equal(1, ring:wait_cqe().res)
    assert.equal("\0", buffer:string())
    ring:get_sqe():prep_close_direct(2)
    ring:submit()
    assert.equal(0, ring:wait_cqe(5).res)
  end)

  it("are what set_target_fixed_file makes of an open", function()
    local ring <close> = table_ring()
    ring:get_sqe():prep_openat(nil, "/dev/zero", core.O_RDONLY):set_target_fixed_file(1)
    ring:submit()
    assert.equal(0, ring:wait_cqe(5).res)
    local fd = ring:direct(1)
    assert.equal("\0\0", on(ring, op.read, fd, 2, 0))
    raises("makes no descriptor", function() ring:get_sqe():prep_nop():set_target_fixed_file(1) end)
  end)

  it("know that prep_close closes them", function()
    local ring <close> = table_ring()
    local fd = on(ring, function() return assert(op.open_direct("/dev/null", 0)) end)
    ring:get_sqe():prep_close_direct(fd)
    raises("being closed", function() ring:get_sqe():prep_read(fd, core.buffer(1)) end)
    ring:submit()
    local cqe
    repeat cqe = assert(ring:wait_cqe(5)) until cqe.res == 0
    assert.is_false(fd:isopen())
  end)
end)
