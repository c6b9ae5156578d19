-- Files: reading, writing, opening them, and what else is done to one.

local assert = require "luassert"
local core = require "uring.core"
local helper = require "spec.helper"
local system = require "spec.system" -- spec/support/system.c

local PAGE <const> = 4096

local cases = {}

-- ---- reading and writing ----------------------------------------------------

cases.read = {
  work = function(t)
    local file <const>, buffer <const> = t:file(), core.buffer(10)
    assert.equal(4, (t:call("read", file, buffer, 4, 3)))
    assert.equal("3456\0", buffer:string(1, 5))
    assert.equal(0, system.tell(file))
    assert.equal(3, (t:call("read", file, buffer, 3)))
    assert.equal(2, (t:call("read", file, buffer, 2, -1)))
    assert.equal("3426", buffer:string(1, 4))
    assert.equal(5, system.tell(file))
    assert.equal(2, (t:call("read", file, buffer, nil, 8)))
    assert.equal(0, (t:call("read", file, buffer, nil, 10)))
  end,
  fail = function(t) t:fails("EBADF", "read", t:file "a", core.buffer(1)) end,
}

cases.write = {
  work = function(t)
    local file <const> = t:file()
    assert.equal(3, (t:call("write", file, "abcdef", 3, 2)))
    assert.equal("01abc56789", t:contents())
    assert.equal(2, (t:call("write", file, core.buffer "XY")))
    assert.equal(1, (t:call("write", file, "Z", nil, -1)))
    assert.equal("XYZbc56789", t:contents())
    assert.equal(3, system.tell(file))
  end,
  fail = function(t) t:fails("EBADF", "write", t:file "r", "x") end,
}

local function readv(name, ...)
  local more <const> = table.pack(...)
  return function(t)
    local file <const>, a <const>, b <const> = t:file(), core.buffer(3), core.buffer(4)
    assert.equal(7, (t:call(name, file, { a, b }, 2, table.unpack(more))))
    assert.equal("2345678", a:string() .. b:string())
    assert.equal(3, (t:call(name, file, { b, core.buffer(0) }, 7, table.unpack(more))))
    assert.equal("7898", b:string())
    assert.equal(4, (t:call(name, file, { b }, nil, table.unpack(more))))
    assert.equal(4, system.tell(file))
  end
end

local function writev(name, ...)
  local more <const> = table.pack(...)
  return function(t)
    local file <const> = t:file()
    assert.equal(4, (t:call(name, file, { "ab", "", core.buffer "cd" }, 5, table.unpack(more))))
    assert.equal("01234abcd9", t:contents())
    assert.equal(1, (t:call(name, file, { "X" }, nil, table.unpack(more))))
    assert.equal(1, (t:call(name, file, { "Y" }, -1, table.unpack(more))))
    assert.equal("XY234abcd9", t:contents())
  end
end

cases.readv = {
  work = readv "readv",
  fail = function(t) t:fails("EBADF", "readv", t:file "a", { core.buffer(1) }) end,
}

cases.writev = {
  work = writev "writev",
  fail = function(t) t:fails("EBADF", "writev", t:file "r", { "x" }) end,
}

cases.readv2 = {
  work = readv("readv2", core.RWF_NOWAIT),
  fail = function(t)
    t:fails("EAGAIN", "readv2", (t:pipe()), { core.buffer(1) }, -1, core.RWF_NOWAIT)
    t:fails("EOPNOTSUPP", "readv2", t:file(), { core.buffer(1) }, 0, 1 << 30)
  end,
}

cases.writev2 = {
  work = function(t)
    writev("writev2", core.RWF_DSYNC)(t)
    t:write "0123456789"
    assert.equal(3, (t:call("writev2", t:file(), { "end" }, 2, core.RWF_APPEND)))
    assert.equal("0123456789end", t:contents())
  end,
  fail = function(t) t:fails("EOPNOTSUPP", "writev2", t:file(), { "x" }, 0, 1 << 30) end,
}

-- Registered are two of these.
local function registered(t)
  local a <const>, b <const> = core.buffer "abcdefghij", core.buffer "ABCDEFGHIJ"
  assert(t.ring:register_buffers { a, b })
  return a, b
end

cases.read_fixed = {
  work = function(t)
    local a <const>, b <const> = registered(t)
    local file <const> = t:file()
    assert.equal(4, (t:call("read_fixed", file, b, 4, 3, 1)))
    assert.equal("3456EFGHIJ", b:string())
    assert.equal(3, (t:call("read_fixed", file, a, nil, 7)))
    assert.equal("789defghij", a:string())
    assert.equal(2, (t:call("read_fixed", file, a, 2)))
    assert.equal(2, system.tell(file))
  end,
  fail = function(t)
    local a <const>, b <const> = registered(t)
    t:fails("EFAULT", "read_fixed", t:file(), b, 1, 0, 0)
    t:fails("EFAULT", "read_fixed", t:file(), a, 1, 0, 2)
  end,
}

cases.write_fixed = {
  work = function(t)
    local _ <const>, b <const> = registered(t)
    assert.equal(3, (t:call("write_fixed", t:file(), b, 3, 4, 1)))
    assert.equal("0123ABC789", t:contents())
  end,
  fail = function(t)
    local a <const> = registered(t)
    t:fails("EFAULT", "write_fixed", t:file(), a, 1, 0, 1)
  end,
}

cases.readv_fixed = {
  work = function(t)
    local a <const>, b <const> = registered(t)
    assert.equal(7, (t:call("readv_fixed", t:file(), { b }, 3, 0, 1)))
    assert.equal("3456789HIJ", b:string())
    t:write(("0123456789"):rep(2))
    assert.equal(19, (t:call("readv_fixed", t:file(), { a, a }, 1)))
    assert.equal("1234567890", a:string())
  end,
  fail = function(t)
    local a <const> = registered(t)
    t:fails("EFAULT", "readv_fixed", t:file(), { a }, 0, 0, 1)
    t:fails("EOPNOTSUPP", "readv_fixed", t:file(), { a }, 0, 1 << 30)
  end,
}

cases.writev_fixed = {
  work = function(t)
    local _ <const>, b <const> = registered(t)
    t:write(("x"):rep(30))
    assert.equal(20, (t:call("writev_fixed", t:file(), { b, b }, 5, 0, 1)))
    assert.equal("xxxxx" .. ("ABCDEFGHIJ"):rep(2) .. "xxxxx", t:contents())
    t:write "0"
    assert.equal(10, (t:call("writev_fixed", t:file(), { b }, 0, core.RWF_APPEND, 1)))
    assert.equal("0ABCDEFGHIJ", t:contents())
  end,
  fail = function(t)
    local a <const> = registered(t)
    t:fails("EFAULT", "writev_fixed", t:file(), { a }, 0, 0, 1)
  end,
}

cases.read_multishot = {
  work = function(t)
    local br <const> = t:buffers(4, 8)
    local r <const>, w <const> = t:pipe()
    local following <const>, stop <const> = t:many("read_multishot", r, 0, 0, br)
    system.write(w, "pipe")
    assert.equal("pipe", following())
    system.write(w, "0123456789")
    assert.equal("01234567", following())
    assert.equal("89", following())
    w:close()
    assert.is_nil(following())
    stop()
  end,
  fail = function(t)
    local br <const> = t:buffers(2, 8)
    t:refuses("EBADFD", "read_multishot", t:file(), 0, 0, br)
    t:refuses("EINVAL", "read_multishot", t:pipe(), 3, 0, br)
  end,
}

-- ---- opening and closing ----------------------------------------------------

local CREATE <const> = core.O_CREAT | core.O_EXCL | core.O_WRONLY | core.O_APPEND

-- It is what it was opened for; the permissions are those of a new file.
local function opened(t, fd, path, perm, flags)
  t:keep(fd)
  local target <const> = helper.process.descriptors()[fd:fileno()]
  assert.equal(path, target)
  assert.equal(perm & ~system.umask(), system.stat(path).perm)
  local mode <const>, cloexec <const> = system.flags(fd)
  local mask <const> = core.O_ACCMODE | core.O_APPEND | core.O_NONBLOCK
  assert.equal(flags & mask, mode & mask)
  assert.equal(flags & core.O_CLOEXEC ~= 0, cloexec)
end

cases.openat = {
  work = function(t)
    local at <const> = t:directory()
    opened(t, t:call("openat", at, "new", CREATE, 416), t.dir .. "/new", 416, CREATE)
    opened(t, t:call("openat", at, "usual", CREATE | core.O_CLOEXEC), t.dir .. "/usual", 438,
      CREATE | core.O_CLOEXEC)
    opened(t, t:call("openat", nil, t.dir .. "/new"), t.dir .. "/new", 416, core.O_RDONLY)
  end,
  fail = function(t)
    t:fails("ENOENT", "openat", t:directory(), "none")
    t:fails("EEXIST", "openat", t:directory(), "file", CREATE)
    t:fails("ENOTDIR", "openat", t:file(), "file")
  end,
}

cases.open = {
  work = function(t)
    opened(t, t:call("open", t.dir .. "/new", CREATE, 416), t.dir .. "/new", 416, CREATE)
    opened(t, t:call("open", t.dir .. "/usual", CREATE), t.dir .. "/usual", 438, CREATE)
  end,
  fail = function(t)
    t:fails("ENOENT", "open", t.dir .. "/none")
    t:fails("EEXIST", "open", t.path, CREATE)
  end,
}

cases.openat2 = {
  work = function(t)
    local at <const> = t:directory()
    local fd <const> = t:call("openat2", at, "new",
      { flags = CREATE, mode = 416, resolve = core.RESOLVE_BENEATH })
    opened(t, fd, t.dir .. "/new", 416, CREATE)
    opened(t, t:call("openat2", at, t.path, {}), t.path, 438, 0)
  end,
  fail = function(t)
    t:fails("EXDEV", "openat2", t:directory(), "../x", { resolve = core.RESOLVE_BENEATH })
    t:fails("ENOENT", "openat2", t:directory(), "none", {})
    t:fails("EINVAL", "openat2", t:directory(), "file", { flags = 1 << 40 })
    t:fails("EINVAL", "openat2", t:directory(), "file", { mode = 420 }) -- it makes no file
  end,
}

-- The slot, if it does not matter which, holds the file; the permissions and
-- flags are these.
local function in_slot(t, fd, slot, path, perm, flags)
  if slot then assert.equal(slot, fd:slot()) else slot = fd:slot() end
  assert.equal(path, t:slots()[slot])
  local plain <const> = t.ring:spawn(core.op.fixed_fd_install, fd):join()
  opened(t, plain, path, perm, flags | core.O_CLOEXEC)
  assert.is_true(t.ring:spawn(fd.close, fd):join())
  assert.is_nil(t:slots()[slot])
end

-- With these arguments before the slot it fails where there is none.
local function fills_table(t, name, ...)
  local args <const> = table.pack(...)
  local list <const> = {}
  for i = 1, 8 do
    list[i] = assert(t:call(name, ...))
    assert.equal(i - 1, list[i]:slot())
  end
  t:fails("ENFILE", name, ...)
  for i = 1, 8 do t.ring:spawn(list[i].close, list[i]):join() end
  args.n = args.n + 1
  args[args.n] = 8
  t:fails("EINVAL", name, table.unpack(args, 1, args.n))
end

cases.openat_direct = {
  work = function(t)
    local at <const>, flags <const> = t:directory(), CREATE | core.O_NONBLOCK
    in_slot(t, t:call("openat_direct", at, "new", flags, 416, 5), 5, t.dir .. "/new", 416, flags)
    in_slot(t, t:call("openat_direct", at, "usual", CREATE), nil, t.dir .. "/usual", 438, CREATE)
    in_slot(t, t:call("openat_direct", nil, t.path, 0, 0, core.IORING_FILE_INDEX_ALLOC), nil,
      t.path, 438, 0)
    t:install(3)
    in_slot(t, t:call("openat_direct", at, "new", 0, 0, 3), 3, t.dir .. "/new", 416, 0)
  end,
  fail = function(t)
    t:fails("ENOENT", "openat_direct", t:directory(), "none", 0, 0, 1)
    t:fails("EINVAL", "openat_direct", t:directory(), "file", core.O_CLOEXEC, 0, 1)
    fills_table(t, "openat_direct", t:directory(), "file", 0, 0)
    assert.same({}, t:slots())
  end,
}

cases.open_direct = {
  work = function(t)
    in_slot(t, t:call("open_direct", t.dir .. "/new", CREATE, 416, 5), 5, t.dir .. "/new", 416,
      CREATE)
    local usual <const> = t.dir .. "/usual"
    in_slot(t, t:call("open_direct", usual, CREATE), nil, usual, 438, CREATE)
  end,
  fail = function(t)
    t:fails("ENOENT", "open_direct", t.dir .. "/none", 0, 0, 1)
    fills_table(t, "open_direct", t.path, 0, 0)
  end,
}

cases.openat2_direct = {
  work = function(t)
    local how <const> = { flags = CREATE, mode = 416, resolve = core.RESOLVE_BENEATH }
    in_slot(t, t:call("openat2_direct", t:directory(), "new", how, 5), 5, t.dir .. "/new", 416,
      CREATE)
    in_slot(t, t:call("openat2_direct", nil, t.path, {}), nil, t.path, 438, 0)
  end,
  fail = function(t)
    t:fails("EXDEV", "openat2_direct", t:directory(), "../x",
      { resolve = core.RESOLVE_BENEATH }, 1)
    fills_table(t, "openat2_direct", t:directory(), "file", {})
  end,
}

cases.close = {
  work = function(t)
    local number <const> = assert(core.sock.dup(t:file())):detach()
    assert.is_true(t:call("close", number))
    assert.is_nil(helper.process.descriptors()[number])
    local fd <const> = assert(core.sock.dup(t:file()))
    local of_it <const> = fd:fileno()
    assert.is_true(t:call("close", fd))
    assert.is_nil(helper.process.descriptors()[of_it])
    assert.is_false(fd:isopen())
  end,
  fail = function(t) t:fails("EBADF", "close", 987654) end,
}

cases.close_direct = {
  work = function(t)
    t:install(2)
    t:install(3)
    assert.is_true(t:call("close_direct", 3))
    assert.same({ [2] = t.path }, t:slots())
    assert.is_true(t:call("close_direct", t.ring:direct(2)))
    assert.same({}, t:slots())
  end,
  fail = function(t)
    t:install(0)
    t:fails("EBADF", "close_direct", 1)
    t:fails("EINVAL", "close_direct", 8)
    assert.same({ [0] = t.path }, t:slots())
  end,
}

cases.fixed_fd_install = {
  work = function(t)
    t:install(3)
    local fd <const> = t:keep(t:call("fixed_fd_install", 3))
    local other <const> = t:keep(t:call("fixed_fd_install", 3, core.IORING_FIXED_FD_NO_CLOEXEC))
    assert.same({ true, false }, { select(2, system.flags(fd)), (select(2, system.flags(other))) })
    fd:close()
    assert.equal(t.path, t:slots()[3])
    assert.equal(1, t.ring:register_files_update(3, { false }))
    assert.equal("0123", system.read(other, 4))
  end,
  fail = function(t)
    t:fails("EBADF", "fixed_fd_install", 3)
    t:install(3)
    t:fails("EINVAL", "fixed_fd_install", 3, 1 << 5)
  end,
}

cases.files_update = {
  work = function(t)
    local file <const>, SKIP <const> = t:file(), core.IORING_REGISTER_FILES_SKIP
    assert.equal(2, t:call("files_update", { file, 0 }, 2))
    local input <const> = helper.process.descriptors()[0]
    assert.same({ [2] = t.path, [3] = input }, t:slots())
    assert.equal(3, t:call("files_update", { file, SKIP, false }, 1))
    assert.same({ [1] = t.path, [2] = t.path }, t:slots())
    local list <const> = t:call("files_update", { 0, file })
    assert.same({ 3, 4 }, { list[1]:slot(), list[2]:slot() })
    assert.same({ t.path, t.path, input, t.path }, t:slots())
  end,
  fail = function(t)
    t:fails("EBADF", "files_update", { 987654 }, 0)
    t:fails("EINVAL", "files_update", { t:file(), t:file() }, 7)
    assert.same({}, t:slots())
    for slot = 0, 7 do t:install(slot) end
    t:fails("ENFILE", "files_update", { 0 })
  end,
}

-- ---- what is on the disk ----------------------------------------------------

-- Where the pages of a file are that has three, so far apart that the system
-- looks at each by itself.
local FAR <const> = 1 << 24

-- The file with these three pages, on the disk or not.
local function three_pages(t, on_disk)
  local file <const> = t:file()
  file:setvbuf "no"
  for i = 0, 2 do
    file:seek("set", i * FAR)
    file:write(("a"):rep(PAGE))
  end
  if on_disk then system.fsync(file) end
  return file
end

-- Of each of the three pages whether it is "cache", or "dirty".
local function state(file, what)
  local list <const> = {}
  for i = 0, 2 do
    local answer <const> = system.cached(file, i * FAR, PAGE)
    list[i + 1] = answer and answer[what]
  end
  return list
end

-- A file whose three pages are not on the disk; pending where the system does
-- not tell.
local function dirty(t)
  local file <const> = three_pages(t, true)
  local before <const> = state(file, "dirty")
  file:close()
  t:write ""
  local again <const> = three_pages(t)
  if before[1] ~= 0 or state(again, "dirty")[1] ~= 1 then
    pending "the system does not tell what is on the disk"
  end
  return again
end

cases.fsync = {
  work = function(t)
    for _, flags in ipairs { 0, core.IORING_FSYNC_DATASYNC } do
      local file <const> = dirty(t)
      assert.is_true(t:call("fsync", file, flags))
      assert.same({ 0, 0, 0 }, state(file, "dirty"))
    end
  end,
  fail = function(t)
    t:fails("EINVAL", "fsync", (t:pipe()))
    t:fails("EINVAL", "fsync", t:file(), 1 << 20)
  end,
}

cases.sync_file_range = {
  work = function(t)
    local flags <const> = core.SYNC_FILE_RANGE_WAIT_BEFORE | core.SYNC_FILE_RANGE_WRITE |
      core.SYNC_FILE_RANGE_WAIT_AFTER
    local states
    local function write()
      local file <const> = dirty(t)
      states = {}
      for i, args in ipairs { { FAR, 0 }, { FAR, flags }, { nil, flags } } do -- first nothing
        assert.is_true(t:call("sync_file_range", file, PAGE, args[1], args[2]))
        states[i] = table.concat(state(file, "dirty"))
      end
    end
    -- the system writes pages, too, when it likes
    for _ = 1, 5 do
      write()
      if states[3] == "001" then break end
    end
    assert.same({ "111", "101", "001" }, states)
  end,
  fail = function(t)
    t:fails("ESPIPE", "sync_file_range", (t:pipe()))
    t:fails("EINVAL", "sync_file_range", t:file(), 0, 0, 1 << 20)
  end,
}

local function fadvise(name)
  return {
    work = function(t)
      local file = three_pages(t, true)
      system.evict(file)
      if state(file, "cache")[1] ~= 0 then
        pending "the system does not tell what is in memory"
      end
      file:close()
      file = three_pages(t, true)
      assert.is_true(t:call(name, file, FAR, PAGE, core.POSIX_FADV_NORMAL))
      assert.same({ 1, 1, 1 }, state(file, "cache"))
      assert.is_true(t:call(name, file, FAR, PAGE, core.POSIX_FADV_DONTNEED))
      assert.same({ 1, 0, 1 }, state(file, "cache"))
      assert.is_true(t:call(name, file, nil, FAR, core.POSIX_FADV_DONTNEED))
      assert.same({ 0, 0, 1 }, state(file, "cache"))
      if name == "fadvise64" then
        assert.is_true(t:call(name, file, FAR, (1 << 32) + PAGE, core.POSIX_FADV_DONTNEED))
        assert.same({ 0, 0, 0 }, state(file, "cache"))
      end
    end,
    fail = function(t)
      t:fails("EINVAL", name, t:file(), 0, 0, 99)
      t:fails("ESPIPE", name, (t:pipe()), 0, 0, 0)
    end,
  }
end

cases.fadvise = fadvise "fadvise"
cases.fadvise64 = fadvise "fadvise64"

local function madvise(name)
  return {
    work = function(t)
      local buffer <const> = core.buffer(3 * PAGE, PAGE):fill(1)
      assert.is_true(t:call(name, buffer, PAGE, core.MADV_DONTNEED))
      assert.same({ 0, 0, 1 }, { buffer:byte(1), buffer:byte(PAGE), (buffer:byte(PAGE + 1)) })
      buffer:fill(1)
      assert.is_true(t:call(name, buffer, nil, core.MADV_NORMAL))
      assert.equal(1, (buffer:byte(1)))
      assert.is_true(t:call(name, buffer, nil, core.MADV_DONTNEED))
      assert.equal(("\0"):rep(3 * PAGE), buffer:string())
    end,
    fail = function(t)
      local buffers <const> = { core.buffer(100), core.buffer(100) } -- one is not at a page
      local _, code <const> = t:call(name, buffers[1], nil, core.MADV_DONTNEED)
      local _, other <const> = t:call(name, buffers[2], nil, core.MADV_DONTNEED)
      assert.equal(core.errno.EINVAL, code or other)
    end,
  }
end

cases.madvise = madvise "madvise"
cases.madvise64 = madvise "madvise64"

cases.fallocate = {
  work = function(t)
    local file <const> = t:file()
    assert.is_true(t:call("fallocate", file, 0, 100, 50))
    assert.equal(150, system.stat(t.path).size)
    assert.is_true(t:call("fallocate", file, core.FALLOC_FL_KEEP_SIZE, nil, 9000))
    assert.equal(150, system.stat(t.path).size)
    t:write(("a"):rep(3 * PAGE))
    assert.is_true(t:call("fallocate", file,
      core.FALLOC_FL_PUNCH_HOLE | core.FALLOC_FL_KEEP_SIZE, PAGE + 10, 100))
    local text <const> = t:contents()
    assert.equal(("a"):rep(PAGE + 10) .. ("\0"):rep(100) .. ("a"):rep(2 * PAGE - 110), text)
  end,
  fail = function(t)
    t:fails("EINVAL", "fallocate", t:file(), 0, 0, 0)
    t:fails("EBADF", "fallocate", t:file "r", 0, 0, 1)
    t:fails("EOPNOTSUPP", "fallocate", t:file(), 1 << 20, 0, 1)
  end,
}

cases.ftruncate = {
  work = function(t)
    assert.is_true(t:call("ftruncate", t:file(), 3))
    assert.equal("012", t:contents())
    assert.is_true(t:call("ftruncate", t:file(), 5))
    assert.equal("012\0\0", t:contents())
    assert.is_true(t:call("ftruncate", t:file(), (1 << 32) + 1))
    assert.equal((1 << 32) + 1, system.stat(t.path).size)
  end,
  fail = function(t) t:fails("EINVAL", "ftruncate", t:file "r", 0) end,
}

cases.statx = {
  work = function(t)
    system.symlink("file", t.dir .. "/link")
    local known <const>, link <const> = system.stat(t.path), system.stat(t.dir .. "/link")
    local at <const> = t:directory()
    local st = t:call("statx", at, "link")
    assert.same({ known.ino, known.size, known.perm, known.nlink, "file" },
      { st.ino, st.size, st.perm, st.nlink, st.type })
    assert.equal(0, st.mask & core.STATX_MNT_ID_UNIQUE)
    st = t:call("statx", at, "link", core.AT_SYMLINK_NOFOLLOW, "all")
    assert.same({ link.ino, 4, "link" }, { st.ino, st.size, st.type })
    st = t:call("statx", nil, t.path, 0, core.STATX_MNT_ID_UNIQUE) -- comes when it is asked for
    assert.not_equal(0, st.mask & core.STATX_MNT_ID_UNIQUE)
    assert.equal(known.ino, t:call("statx", t:file(), "", core.AT_EMPTY_PATH, "ino").ino)
  end,
  fail = function(t)
    t:fails("ENOENT", "statx", t:directory(), "none")
    t:fails("EINVAL", "statx", t:directory(), "file", 1 << 30)
  end,
}

-- ---- extended attributes ----------------------------------------------------

local function getxattr(name, target, order)
  return {
    work = function(t)
      system.setxattr(t.path, "user.a", "value")
      local buffer <const> = core.buffer(10)
      assert.equal(5, (t:call(name, order(target(t), "user.a", buffer))))
      assert.equal("value\0", buffer:string(1, 6))
      assert.equal(5, (t:call(name, order(target(t), "user.a", buffer, 5))))
      assert.equal(5, (t:call(name, order(target(t), "user.a", 0))))
    end,
    fail = function(t)
      system.setxattr(t.path, "user.a", "value")
      local buffer <const> = core.buffer(10)
      t:fails("ENODATA", name, order(target(t), "user.b", buffer))
      t:fails("ERANGE", name, order(target(t), "user.a", buffer, 4))
      assert.equal("\0", buffer:string(1, 1))
    end,
  }
end

local function setxattr(name, target, order)
  return {
    work = function(t)
      assert.is_true(t:call(name, order(target(t), "user.a", "value", 0, 3)))
      assert.equal("val", system.getxattr(t.path, "user.a"))
      assert.is_true(t:call(name, order(target(t), "user.a", core.buffer "other",
        core.XATTR_REPLACE)))
      assert.equal("other", system.getxattr(t.path, "user.a"))
      assert.is_true(t:call(name, order(target(t), "user.b", "")))
      assert.equal("", system.getxattr(t.path, "user.b"))
    end,
    fail = function(t)
      t:fails("ENODATA", name, order(target(t), "user.a", "x", core.XATTR_REPLACE))
      system.setxattr(t.path, "user.a", "value")
      t:fails("EEXIST", name, order(target(t), "user.a", "x", core.XATTR_CREATE))
      assert.equal("value", system.getxattr(t.path, "user.a"))
    end,
  }
end

local function path(t) return t.path end

local function file(t) return t:file() end

cases.getxattr = getxattr("getxattr", path,
  function(where, name, value, len) return name, value, where, len end)
cases.fgetxattr = getxattr("fgetxattr", file,
  function(where, name, value, len) return where, name, value, len end)
cases.setxattr = setxattr("setxattr", path,
  function(where, name, value, flags, len) return name, value, where, flags, len end)
cases.fsetxattr = setxattr("fsetxattr", file,
  function(where, name, value, flags, len) return where, name, value, flags, len end)

-- ---- pipes ------------------------------------------------------------------

cases.pipe = {
  work = function(t)
    local r, w = t:keep(t:call("pipe", core.O_CLOEXEC | core.O_NONBLOCK))
    for _, fd in ipairs { r, w } do
      local flags <const>, cloexec <const> = system.flags(fd)
      assert.equal(core.O_NONBLOCK, flags & core.O_NONBLOCK)
      assert.is_true(cloexec)
    end
    assert.equal(4, system.write(w, "pipe"))
    assert.equal("pipe", system.read(r, 10))
    r, w = t:keep(t:call "pipe")
    assert.equal(0, system.flags(r) & core.O_NONBLOCK)
    assert.is_false(select(2, system.flags(w)))
  end,
  fail = function(t)
    t:fails("EINVAL", "pipe", core.O_APPEND)
    local limit <const> = helper.process.limit_files(3)
    local result <const>, code <const> = t:call("pipe")
    helper.process.limit_files(limit)
    assert.is_nil(result)
    assert.equal(core.errno.EMFILE, code)
  end,
}

cases.pipe_direct = {
  work = function(t)
    local r <const>, w <const> = t:call("pipe_direct", core.O_NONBLOCK, 4)
    assert.same({ 4, 5 }, { r:slot(), w:slot() })
    local slots <const> = t:slots()
    assert.matches("^pipe:", slots[4])
    assert.equal(slots[4], slots[5])
    local reader <const> = t:keep(t.ring:spawn(core.op.fixed_fd_install, r):join())
    local writer <const> = t:keep(t.ring:spawn(core.op.fixed_fd_install, w):join())
    assert.equal(core.O_NONBLOCK, system.flags(reader) & core.O_NONBLOCK)
    system.write(writer, "pipe")
    assert.equal("pipe", system.read(reader, 10))
    local free <const>, other <const> = t:call("pipe_direct")
    assert.same({ 6, 7 }, { free:slot(), other:slot() })
  end,
  fail = function(t)
    t:fails("EINVAL", "pipe_direct", core.O_CLOEXEC)
    t:fails("EINVAL", "pipe_direct", 0, 7)
    for slot = 0, 6 do t:install(slot) end
    t:fails("ENFILE", "pipe_direct")
    assert.is_nil(t:slots()[7])
  end,
}

cases.splice = {
  work = function(t)
    local r <const>, w <const> = t:pipe()
    assert.equal(4, (t:call("splice", t:file(), 3, w, -1, 4)))
    assert.equal("3456", system.read(r, 10))
    system.write(w, "abcdef")
    assert.equal(2, (t:call("splice", r, nil, t:file(), 5, 2, core.SPLICE_F_MOVE)))
    assert.equal("01234ab789", t:contents())
    local file_at <const> = t:file()
    assert.equal(4, (t:call("splice", r, -1, file_at, nil, 100)))
    assert.equal("cdef4ab789", t:contents())
    assert.equal(4, system.tell(file_at))
    t:install(6)
    assert.equal(1, (t:call("splice", t.ring:direct(6), 9, w, nil, 10)))
    assert.equal("9", system.read(r, 10))
  end,
  fail = function(t)
    local r <const>, w <const> = t:pipe()
    t:fails("EINVAL", "splice", t:file(), 0, t:file(), 0, 1)
    t:fails("EAGAIN", "splice", r, nil, t:file(), 0, 1, core.SPLICE_F_NONBLOCK)
    t:fails("EINVAL", "splice", t:file(), 0, w, nil, 1, 1 << 20)
  end,
}

cases.tee = {
  work = function(t)
    local r <const>, w <const> = t:pipe()
    local r2 <const>, w2 <const> = t:pipe()
    system.write(w, "abcdef")
    assert.equal(4, (t:call("tee", r, w2, 4)))
    assert.equal("abcd", system.read(r2, 10))
    t:install(6, r)
    assert.equal(6, (t:call("tee", t.ring:direct(6), w2, 100)))
    assert.equal("abcdef", system.read(r2, 10))
    assert.equal("abcdef", system.read(r, 10))
  end,
  fail = function(t)
    local r <const>, w <const> = t:pipe()
    local _ <const>, w2 <const> = t:pipe()
    t:fails("EINVAL", "tee", r, w, 1)
    t:fails("EBADF", "tee", w, w2, 1)
    t:fails("EAGAIN", "tee", r, w2, 1, core.SPLICE_F_NONBLOCK)
  end,
}

return cases
