-- statx(2): what is asked for, and the table that comes back.

local core = require "uring.core"

-- The kernel's struct statx, from a table of its fields.
local function pack(st)
  local function time(t) return string.pack("<i8I4i4", t[1], t[2], 0) end
  local bytes = string.pack("<I4I4I8I4I4I4I2I2I8I8I8I8",
    st.mask, st.blksize or 0, st.attributes or 0, st.nlink or 0, st.uid or 0,
    st.gid or 0, st.mode or 0, 0, st.ino or 0, st.size or 0, st.blocks or 0,
    st.attributes_mask or 0)
  local none = { 0, 0 }
  bytes = bytes .. time(st.atime or none) .. time(st.btime or none) ..
    time(st.ctime or none) .. time(st.mtime or none)
  bytes = bytes .. string.pack("<I4I4I4I4I8I4I4I8I4I4I4I4I4",
    st.rdev_major or 0, st.rdev_minor or 0, st.dev_major or 0,
    st.dev_minor or 0, st.mnt_id or 0, st.dio_mem_align or 0,
    st.dio_offset_align or 0, st.subvol or 0, st.atomic_min or 0,
    st.atomic_max or 0, st.atomic_segments or 0, st.dio_read or 0,
    st.atomic_opt or 0)
  return bytes .. ("\0"):rep(256 - #bytes)
end

local function decode(st) return core.statx(core.buffer(pack(st))) end

local always <const> = {
  mask = 0, blksize = 0, attributes = 0, attributes_mask = 0,
  dev = 0, dev_major = 0, dev_minor = 0,
  rdev = 0, rdev_major = 0, rdev_minor = 0,
}

describe("statx", function()
  describe("of a buffer", function()
    it("has only the fields that are always valid when no others are",
    function()
      assert.same(always, decode {
        mask = 0, mode = 0xffff, size = 7, ino = 8, atime = { 1, 2 },
        mnt_id = 3, subvol = 4, dio_mem_align = 5,
      })
    end)

    it("has a field when its bit is set, and then alone", function()
      local bits <const> = {
        nlink = "NLINK", uid = "UID", gid = "GID", ino = "INO",
        size = "SIZE", blocks = "BLOCKS", mnt_id = "MNT_ID",
      }
      for field, name in pairs(bits) do
        local mask = core["STATX_" .. name]
        local expected = { [field] = 42 }
        for k, v in pairs(always) do expected[k] = v end
        expected.mask = mask
        assert.same(expected, decode { mask = mask, [field] = 42 })
      end
    end)

    it("has the numbers that need all their bits", function()
      local st = decode {
        mask = core.STATX_ALL, blksize = 0xffffffff, nlink = 0xffffffff,
        uid = 0xfffffffe, gid = 0xfffffffd, ino = math.maxinteger,
        size = math.maxinteger, blocks = 0x7fffffffff, attributes = -1,
      }
      assert.equal(0xffffffff, st.blksize)
      assert.equal(0xffffffff, st.nlink)
      assert.equal(0xfffffffe, st.uid)
      assert.equal(0xfffffffd, st.gid)
      assert.equal(math.maxinteger, st.ino)
      assert.equal(math.maxinteger, st.size)
      assert.equal(0x7fffffffff, st.blocks)
      assert.equal(-1, st.attributes)
    end)

    it("names every type of file", function()
      local types <const> = {
        file = core.S_IFREG, directory = core.S_IFDIR, link = core.S_IFLNK,
        socket = core.S_IFSOCK, fifo = core.S_IFIFO, char = core.S_IFCHR,
        block = core.S_IFBLK, unknown = 0,
      }
      for name, mode in pairs(types) do
        assert.equal(name, decode { mask = core.STATX_TYPE, mode = mode }.type)
      end
    end)

    it("takes the mode apart", function()
      local mode = core.S_IFREG | tonumber("4755", 8)
      local st = decode { mask = core.STATX_BASIC_STATS, mode = mode }
      assert.equal(mode, st.mode)
      assert.equal(tonumber("4755", 8), st.perm)
      assert.equal("file", st.type)
    end)

    it("has of the mode what is valid", function()
      local st = decode { mask = core.STATX_TYPE, mode = core.S_IFREG | 420 }
      assert.equal("file", st.type)
      assert.is_nil(st.perm)
      assert.is_nil(st.mode)
      st = decode { mask = core.STATX_MODE, mode = core.S_IFREG | 420 }
      assert.is_nil(st.type)
      assert.equal(420, st.perm)
      assert.is_nil(st.mode)
    end)

    it("joins device numbers as stat(2) does", function()
      local st = decode { mask = 0, dev_major = 8, dev_minor = 1,
                          rdev_major = 0x12345, rdev_minor = 0x6789a }
      assert.equal(0x801, st.dev)
      assert.equal(8, st.dev_major)
      assert.equal(1, st.dev_minor)
      assert.equal(0x12000 << 32 | 0x345 << 8 | 0x67800 << 12 | 0x9a, st.rdev)
    end)

    for _, name in ipairs { "atime", "btime", "ctime", "mtime" } do
      it("has " .. name .. " in seconds, and its nanoseconds", function()
        local mask = core["STATX_" .. name:upper()]
        local st = decode { mask = mask, [name] = { 1700000000, 250000000 } }
        assert.equal(1700000000.25, st[name])
        assert.equal(250000000, st[name .. "_nsec"])
      end)
    end

    it("has whole seconds as integers", function()
      local st = decode { mask = core.STATX_MTIME, mtime = { 1700000000, 0 } }
      assert.equal("integer", math.type(st.mtime))
      assert.equal(0, st.mtime_nsec)
    end)

    it("knows times before 1970", function()
      local st = decode { mask = core.STATX_MTIME, mtime = { -2, 500000000 } }
      assert.equal(-1.5, st.mtime)
    end)

    it("has what newer kernels tell", function()
      local st = decode {
        mask = core.STATX_DIOALIGN | core.STATX_SUBVOL |
          core.STATX_WRITE_ATOMIC | core.STATX_DIO_READ_ALIGN |
          core.STATX_MNT_ID_UNIQUE,
        mnt_id = 1 << 40, dio_mem_align = 1, dio_offset_align = 2,
        subvol = 3, atomic_min = 4, atomic_max = 5, atomic_segments = 6,
        dio_read = 7, atomic_opt = 8,
      }
      assert.equal(1 << 40, st.mnt_id)
      assert.equal(1, st.dio_mem_align)
      assert.equal(2, st.dio_offset_align)
      assert.equal(3, st.subvol)
      assert.equal(4, st.atomic_write_unit_min)
      assert.equal(5, st.atomic_write_unit_max)
      assert.equal(6, st.atomic_write_segments_max)
      assert.equal(7, st.dio_read_offset_align)
      assert.equal(8, st.atomic_write_unit_max_opt)
    end)

    it("reads the beginning of a larger one", function()
      local buf = core.buffer(pack { mask = core.STATX_SIZE, size = 9 } .. "x")
      assert.equal(9, core.statx(buf).size)
    end)

    it("refuses one that is too small", function()
      assert.error_matches(function() core.statx(core.buffer(255)) end,
        "buffer is too small for a struct statx")
      assert.error_matches(function() core.statx(core.buffer(0)) end,
        "too small")
    end)

    it("refuses anything else", function()
      for _, value in ipairs { pack { mask = 0 }, 256, {}, io.stdout } do
        assert.error_matches(function() core.statx(value) end,
          "uring.buffer expected")
      end
      assert.error_matches(function() core.statx() end,
        "uring.buffer expected")
    end)
  end)

  describe("of a file", function()
    local path

    local function statx(mask, name, flags)
      return core.op.statx(core.AT_FDCWD, name or path, flags or 0, mask)
    end

    before_each(function()
      path = os.tmpname()
      local f <close> = assert(io.open(path, "w"))
      f:write("twelve bytes")
    end)

    after_each(function() os.remove(path) end)

    it("tells what is asked for by default", function()
      local st = assert(statx())
      assert.equal("file", st.type)
      assert.equal(12, st.size)
      assert.equal(1, st.nlink)
      assert.equal(st.mode & 4095, st.perm)
      assert.is_true(math.abs(os.time() - st.mtime) < 60)
      for _, name in ipairs { "ino", "blocks", "uid", "gid", "dev", "blksize",
                              "atime", "ctime", "mtime_nsec" } do
        assert.is_number(st[name], name)
      end
    end)

    it("knows a directory and a device", function()
      assert.equal("directory", assert(statx(nil, "/")).type)
      local null = assert(statx(nil, "/dev/null"))
      assert.equal("char", null.type)
      assert.equal(1, null.rdev_major)
      assert.equal(3, null.rdev_minor)
      assert.equal(0x103, null.rdev)
    end)

    it("takes a mask as an integer, a name or a list of names", function()
      for _, mask in ipairs { core.STATX_SIZE, "size", { "size" },
                              { "size", "size" }, { "size", "mtime" }, "basic",
                              "all", { "type", "all" } } do
        assert.equal(12, assert(statx(mask)).size)
      end
    end)

    it("takes the names of fields that come anyway", function()
      assert.is_number(assert(statx { "dev", "rdev", "blksize" }).dev)
    end)

    it("takes an empty list", function()
      assert.is_number(assert(statx {}).blksize)
    end)

    it("fails for what is not there", function()
      local st, message, code = statx("size", path .. ".missing")
      assert.is_nil(st)
      assert.matches("No such file or directory", message, 1, true)
      assert.equal(core.errno.ENOENT, code)
    end)

    local wrong <const> = {
      { "an unknown name", "sizes", "no statx field has the name 'sizes'" },
      { "a number in a string", "1", "no statx field has the name '1'" },
      { "an unknown name in a list", { "size", "colour" },
        "no statx field has the name 'colour'" },
      { "a number in a list", { "size", 1 },
        "list of names expected, got number in it" },
      { "a negative mask", -1, "out of range" },
      { "a mask of more than 32 bits", 1 << 32, "out of range" },
      { "a fraction", 0.5, "integer" },
      { "a boolean", true, "integer, name or list of names expected" },
    }
    for _, case in ipairs(wrong) do
      it("refuses " .. case[1], function()
        local ok, err = pcall(statx, case[2])
        assert.is_false(ok)
        assert.matches("bad argument #4", err, 1, true)
        assert.matches(case[3], err, 1, true)
      end)
    end
  end)
end)
