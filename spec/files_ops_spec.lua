local core = require "uring.core"
local helper = require "spec.helper"

local op <const>, fails <const>, raises <const> = core.op, helper.fails, helper.raises
local it <const>, needs <const> = helper.it, helper.needs

-- A case with a directory and a file in it.
local function case(name, f, needed)
  local make = needed and needs(needed) or it
  make(name, function()
    local dir <close> = helper.tmpdir()
    helper.write_file(dir .. "/file", "contents")
    f(tostring(dir), dir .. "/file")
  end)
end

local function missing(name, path)
  return "ENOENT", ("%s %s: No such file or directory"):format(name, path)
end

local function exists(path)
  local st = op.statx(nil, path, core.AT_SYMLINK_NOFOLLOW)
  return st ~= nil
end

local function mode(path) return assert(op.statx(nil, path)).perm end

describe("files", function()
  describe("open", function()
    case("opens by a path", function(_, path)
      local fd <close> = assert(op.open(path, core.O_RDONLY))
      assert.equal(path, helper.process.descriptors()[fd:fileno()])
    end)

    case("makes a file with the permissions it is given, or usual ones", function(dir)
      local a <close> = assert(op.open(dir .. "/a", core.O_CREAT | core.O_WRONLY, 448))
      local b <close> = assert(op.openat(nil, dir .. "/b", core.O_CREAT | core.O_WRONLY))
      assert.equal(448, mode(dir .. "/a"))
      assert.equal(420, mode(dir .. "/b") | 0x24)
      assert.truthy(a and b)
    end)

    case("fails for what is not there", function(dir)
      local code, message = missing("open", dir .. "/none")
      fails(code, message, op.open(dir .. "/none", 0))
    end)
  end)

  describe("openat2", function()
    case("opens as open_how says", function(dir)
      local at <close> = assert(op.open(dir, core.O_RDONLY | core.O_DIRECTORY))
      local fd <close> = assert(op.openat2(at, "new",
        { flags = core.O_CREAT | core.O_WRONLY, mode = 384, resolve = core.RESOLVE_BENEATH }))
      assert.equal(3, op.write(fd, "new"))
      assert.equal("new", helper.read_file(dir .. "/new"))
      assert.equal(384, mode(dir .. "/new"))
    end)

    case("stays beneath", function(dir)
      local at <close> = assert(op.open(dir, core.O_RDONLY | core.O_DIRECTORY))
      fails("EXDEV", "openat2 ../x: Invalid cross-device link",
        op.openat2(at, "../x", { resolve = core.RESOLVE_BENEATH }))
    end)

    case("takes known fields only", function(_, path)
      raises("unknown field 'mod'", op.openat2, nil, path, { mod = 1 })
      raises("field 'flags': integer expected, got string", op.openat2, nil, path,
        { flags = "r" })
      raises("table expected", op.openat2, nil, path, core.O_RDONLY)
    end)
  end)

  describe("readv2 and writev2", function()
    case("take flags", function(_, path)
      local fd <close> = assert(op.open(path, core.O_RDWR))
      assert.equal(4, op.writev2(fd, { "en", core.buffer "d!" }, 0, core.RWF_APPEND))
      assert.equal("contentsend!", helper.read_file(path))
      local a, b = core.buffer(8), core.buffer(4)
      assert.equal(12, op.readv2(fd, { a, b }, 0, core.RWF_NOWAIT))
      assert.equal("contentsend!", a:string() .. b:string())
    end)

    case("fail for flags that the file cannot do", function()
      local r, w = op.pipe()
      local _ <close> = helper.closing(r, w)
      fails("EAGAIN", ("readv2 fd %d: Resource temporarily unavailable"):format(r:fileno()),
        op.readv2(r, { core.buffer(1) }, -1, core.RWF_NOWAIT))
      raises("buffer expected at index 1", op.readv2, r, { "x" })
    end)
  end)

  case("fallocate and ftruncate change the size", function(_, path)
    local fd <close> = assert(op.open(path, core.O_RDWR))
    assert.is_true(op.fallocate(fd, 0, 0, 100))
    assert.equal(100, op.statx(nil, path).size)
    assert.is_true(op.ftruncate(fd, 3))
    assert.equal("con", helper.read_file(path))
    fails("EINVAL", ("fallocate fd %d: Invalid argument"):format(fd:fileno()),
      op.fallocate(fd, 0, 0, 0))
  end)

  describe("advice", function()
    case("for a file", function(_, path)
      local fd <close> = assert(op.open(path, core.O_RDWR))
      assert.is_true(op.fadvise(fd, 0, 8, core.POSIX_FADV_DONTNEED))
      assert.is_true(op.fadvise64(fd, 0, 1 << 33, core.POSIX_FADV_WILLNEED))
      fails("EINVAL", ("fadvise fd %d: Invalid argument"):format(fd:fileno()),
        op.fadvise(fd, 0, 0, 99))
      raises("out of range", op.fadvise, fd, 0, 1 << 32, 0)
    end)

    it("for memory", function()
      local buffer = core.buffer(8192):fill(1)
      assert.is_true(op.madvise(buffer, 4096, core.MADV_DONTNEED))
      assert.equal(0, buffer:byte(1))
      assert.equal(1, buffer:byte(4097))
      assert.is_true(op.madvise64(buffer, nil, core.MADV_DONTNEED))
      assert.equal(0, buffer:byte(4097))
      for _, advice in ipairs {99, 100, 102, 10} do  -- poison, guard, no fork
        raises("not for memory that Lua uses", op.madvise, buffer, 1, advice)
      end
      raises("buffer expected", op.madvise, "string", 1, 0)
    end)
  end)

  case("sync_file_range", function(_, path)
    local fd <close> = assert(op.open(path, core.O_RDWR))
    assert.is_true(op.sync_file_range(fd, 0, 0, core.SYNC_FILE_RANGE_WRITE))
    local r, w = op.pipe()
    local _ <close> = helper.closing(r, w)
    fails("ESPIPE", ("sync_file_range fd %d: Illegal seek"):format(r:fileno()),
      op.sync_file_range(r, 0, 0, 0))
  end)
end)

describe("directories", function()
  case("mkdir and mkdirat", function(dir)
    local at <close> = assert(op.open(dir, core.O_RDONLY | core.O_DIRECTORY))
    assert.is_true(op.mkdir(dir .. "/a"))
    assert.is_true(op.mkdirat(at, "b", 448))
    assert.equal("directory", op.statx(nil, dir .. "/a").type)
    assert.equal(493, mode(dir .. "/a") | 0x6d)
    assert.equal(448, mode(dir .. "/b"))
    fails("EEXIST", ("mkdir %s/a: File exists"):format(dir), op.mkdir(dir .. "/a"))
    fails("EEXIST", "mkdirat b: File exists", op.mkdirat(at, "b"))
  end)

  case("unlink and unlinkat", function(dir, path)
    assert.is_true(op.unlink(path))
    assert.is_false(exists(path))
    local code, message = missing("unlink", path)
    fails(code, message, op.unlink(path))
    op.mkdir(dir .. "/d")
    fails("EISDIR", ("unlinkat %s/d: Is a directory"):format(dir),
      op.unlinkat(nil, dir .. "/d", 0))
    assert.is_true(op.unlinkat(nil, dir .. "/d", core.AT_REMOVEDIR))
    assert.is_false(exists(dir .. "/d"))
  end)

  case("rename and renameat", function(dir, path)
    local at <close> = assert(op.open(dir, core.O_RDONLY | core.O_DIRECTORY))
    assert.is_true(op.rename(path, dir .. "/a"))
    assert.is_true(op.renameat(at, "a", nil, dir .. "/b"))
    assert.equal("contents", helper.read_file(dir .. "/b"))
    helper.write_file(dir .. "/c", "c")
    fails("EEXIST", "renameat b: File exists",
      op.renameat(at, "b", at, "c", core.RENAME_NOREPLACE))
    local code, message = missing("rename", path)
    fails(code, message, op.rename(path, dir .. "/x"))
  end)

  case("link and linkat", function(dir, path)
    local at <close> = assert(op.open(dir, core.O_RDONLY | core.O_DIRECTORY))
    assert.is_true(op.link(path, dir .. "/a"))
    assert.is_true(op.linkat(at, "file", at, "b"))
    assert.equal(3, op.statx(nil, path).nlink)
    fails("EEXIST", ("link %s: File exists"):format(path), op.link(path, dir .. "/a"))
    fails("ENOENT", "linkat none: No such file or directory", op.linkat(at, "none", at, "x"))
  end)

  case("symlink and symlinkat", function(dir)
    local at <close> = assert(op.open(dir, core.O_RDONLY | core.O_DIRECTORY))
    assert.is_true(op.symlink("file", dir .. "/a"))
    assert.is_true(op.symlinkat("file", at, "b"))
    assert.equal("contents", helper.read_file(dir .. "/a"))
    assert.equal("link", op.statx(nil, dir .. "/b", core.AT_SYMLINK_NOFOLLOW).type)
    fails("EEXIST", ("symlink %s/a: File exists"):format(dir), op.symlink("file", dir .. "/a"))
    fails("EEXIST", "symlinkat b: File exists", op.symlinkat("file", at, "b"))
  end)

  case("keep their paths when the strings are gone", function(dir)
    local tasks = {}
    for i = 1, 100 do
      tasks[i] = core.spawn(op.mkdir, ("%s/%s-%d"):format(dir, ("x"):rep(100), i))
    end
    collectgarbage()
    for i = 1, 100 do
      assert.is_true(tasks[i]:join())
      assert.is_true(exists(("%s/%s-%d"):format(dir, ("x"):rep(100), i)))
    end
  end)
end)

describe("extended attributes", function()
  case("by a path", function(_, path)
    assert.is_true(op.setxattr("user.a", "value", path))
    assert.equal("value", op.getxattr("user.a", nil, path))
    assert.equal("value", op.getxattr("user.a", 100, path))
    assert.equal(5, op.getxattr("user.a", 0, path))
    if helper.shell "getfattr --version 2>&1":find "getfattr %d" then
      assert.matches("value$", helper.shell("getfattr --only-values -n user.a " .. path))
    end
    fails("ERANGE", ("getxattr %s: Numerical result out of range"):format(path),
      op.getxattr("user.a", 2, path))
    fails("ENODATA", ("getxattr %s: No data available"):format(path),
      op.getxattr("user.b", nil, path))
    fails("EEXIST", ("setxattr %s: File exists"):format(path),
      op.setxattr("user.a", "x", path, core.XATTR_CREATE))
  end)

  case("by a descriptor", function(_, path)
    local fd <close> = assert(op.open(path, core.O_RDWR))
    assert.is_true(op.fsetxattr(fd, "user.a", core.buffer "bytes", 0, 4))
    assert.equal("byte", op.fgetxattr(fd, "user.a"))
    assert.equal("byte", op.getxattr("user.a", nil, path))
    local buffer = core.buffer(10)
    assert.equal(4, op.fgetxattr(fd, "user.a", buffer))
    assert.equal("byte", buffer:string(1, 4))
    fails("ENODATA", ("fgetxattr fd %d: No data available"):format(fd:fileno()),
      op.fgetxattr(fd, "user.b"))
    fails("ENODATA", ("fsetxattr fd %d: No data available"):format(fd:fileno()),
      op.fsetxattr(fd, "user.b", "x", core.XATTR_REPLACE))
  end)

  case("of any length", function(_, path)
    local value = ("0123456789"):rep(300)
    assert.is_true(op.setxattr("user.long", value, path))
    assert.equal(value, op.getxattr("user.long", nil, path))
  end)
end)

describe("pipes", function()
  needs "pipe"("pipe makes both ends", function()
    local r, w = op.pipe(core.O_CLOEXEC | core.O_NONBLOCK)
    local _ <close> = helper.closing(r, w)
    assert.equal(2, op.write(w, "hi"))
    assert.equal("hi", op.read(r, 10))
    assert.matches("^pipe:", helper.process.descriptors()[w:fileno()])
    fails("EINVAL", "pipe: Invalid argument", op.pipe(1))
  end)

  case("splice moves bytes", function(_, path)
    local file <close> = assert(op.open(path, core.O_RDWR))
    local r, w = op.pipe()
    local _ <close> = helper.closing(r, w)
    assert.equal(4, op.splice(file, 4, w, -1, 4))
    assert.equal("ents", op.read(r, 10))
    op.write(w, "CON")
    assert.equal(3, op.splice(r, nil, file, 0, 100))
    assert.equal("CONtents", helper.read_file(path))
    fails("EINVAL", ("splice fd %d: Invalid argument"):format(file:fileno()),
      op.splice(file, 0, file, 0, 1))
  end)

  it("tee copies bytes", function()
    local r1, w1 = op.pipe()
    local r2, w2 = op.pipe()
    local _ <close> = helper.closing(r1, w1, r2, w2)
    op.write(w1, "bytes")
    assert.equal(3, op.tee(r1, w2, 3))
    assert.equal("byt", op.read(r2, 10))
    assert.equal("bytes", op.read(r1, 10))
    fails("EINVAL", ("tee fd %d: Invalid argument"):format(w1:fileno()), op.tee(r1, w1, 3))
  end)

  needs "pipe"("are closed when nobody takes them", function()
    local task = core.spawn(op.pipe)
    core.yield()
    task:interrupt "enough"
    pcall(task.join, task)
  end)
end)

describe("nop", function()
  it("gives back what it is told", function()
    assert.equal(0, op.nop())
    assert.equal(1234, op.nop(core.IORING_NOP_INJECT_RESULT, 1234))
    fails("ENOENT", "nop: No such file or directory",
      op.nop(core.IORING_NOP_INJECT_RESULT, 0x100000000 - core.errno.ENOENT))
  end)

  it("nop128 and uring_cmd128 say that they need a newer kernel, or a larger entry", function()
    if core.default():supports "nop128" then
      fails("EINVAL", "nop128: Invalid argument", op.nop128())
    else
      fails("EOPNOTSUPP", "nop128: operation not supported by this kernel", op.nop128())
      fails("EOPNOTSUPP", "uring_cmd128: operation not supported by this kernel",
        op.uring_cmd128(0, 0))
    end
  end)
end)

describe("commands of drivers", function()
  case("need a driver", function(_, path)
    local fd <close> = assert(op.open(path, core.O_RDWR))
    fails("EOPNOTSUPP", ("uring_cmd fd %d: Operation not supported"):format(fd:fileno()),
      op.uring_cmd(1, fd, ("x"):rep(16)))
    fails("EOPNOTSUPP", ("cmd_discard fd %d: Operation not supported"):format(fd:fileno()),
      op.cmd_discard(fd, 0, 4096))
    local wide <const> = core.default().flags & core.IORING_SETUP_SQE128 ~= 0
    raises("command is too long", op.uring_cmd, 1, fd, ("x"):rep(wide and 81 or 17))
  end)

  it("are refused for sockets, where they could name any memory", function()
    local fd <close> = assert(op.socket(core.AF_INET, core.SOCK_STREAM))
    raises("cmd_sock is for sockets", op.uring_cmd, 2, fd, "x")
  end)

  case("discard blocks", function(dir)
    local image = dir .. "/image"
    helper.write_file(image, ("x"):rep(1 << 20))
    local device, status = helper.shell("losetup --show -f " .. image)
    if status ~= 0 then return pending("no loop device here: " .. device) end
    device = device:match "%S+"
    do
      local fd <close> = assert(op.open(device, core.O_RDWR))
      local ok, message = op.cmd_discard(fd, 4096, 8192)
      fd:close()
      helper.shell("losetup -d " .. device)
      assert(ok, message)
    end
    local text = helper.read_file(image)
    assert.equal(("x"):rep(4096), text:sub(1, 4096))
    assert.equal(("\0"):rep(8192), text:sub(4097, 4096 + 8192))
    assert.equal("x", text:sub(4097 + 8192, 4097 + 8192))
  end)
end)
