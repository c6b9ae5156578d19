-- Memory for the kernel to read and write.

local core = require "uring.core"
local helper = require "spec.helper"

local raises <const> = helper.raises

describe("a buffer", function()
  it("begins with zeros", function()
    local b = core.buffer(5)
    assert.equal("\0\0\0\0\0", b:string())
    assert.equal(5, #b)
    assert.equal("uring.buffer (5 bytes)", tostring(b))
  end)

  it("is made from a string", function()
    assert.equal("a\0b", core.buffer("a\0b"):string())
  end)

  it("may be empty", function()
    local b = core.buffer(0)
    assert.equal(0, #b)
    assert.equal("", b:string())
    assert.equal("", core.buffer(""):string())
    b:set("")
    b:fill(1)
  end)

  it("reads ranges as string.sub does", function()
    local text <const> = "hello"
    local b = core.buffer(text)
    local ends <const> = { -math.maxinteger - 1, -7, -5, -2, -1, 0, 1, 2, 4, 5, 6, math.maxinteger }
    for _, i in ipairs(ends) do
      assert.equal(text:sub(i), b:string(i))
      for _, j in ipairs(ends) do
        assert.equal(text:sub(i, j), b:string(i, j), ("%d %d"):format(i, j))
        assert.same({ text:byte(i, j) }, { b:byte(i, j) })
      end
    end
    assert.equal(("h"):byte(), b:byte())
    assert.equal(("e"):byte(), b:byte(2))
  end)

  it("takes a string at a place", function()
    local b = core.buffer("......")
    assert.equal(b, b:set("ab"))
    assert.equal("ab....", b:string())
    b:set("yz", 5)
    assert.equal("ab..yz", b:string())
    b:set("", 7)
  end)

  it("refuses a string that does not fit", function()
    local b = core.buffer(4)
    raises("string does not fit into the buffer", b.set, b, "hello")
    raises("string does not fit into the buffer", b.set, b, "lo", 4)
    raises("out of range", b.set, b, "", 6)
    raises("out of range", b.set, b, "x", 0)
    raises("out of range", b.set, b, "x", -1)
    raises("string expected, got number", b.set, b, 12)
    assert.equal("\0\0\0\0", b:string())
  end)

  it("is filled with a byte", function()
    local b = core.buffer(4)
    assert.equal(b, b:fill(65))
    assert.equal("AAAA", b:string())
    assert.equal("AABA", b:fill(66, 3, 3):string())
    assert.equal("AABC", b:fill(67, -1):string())
    raises("out of range", b.fill, b, 256)
    raises("out of range", b.fill, b, -1)
  end)

  it("changes its size and keeps its bytes", function()
    local b = core.buffer("hello")
    assert.equal(b, b:resize(7))
    assert.equal("hello\0\0", b:string())
    assert.equal("he", b:resize(2):string())
    assert.equal("", b:resize(0):string())
    raises("out of range", b.resize, b, -1)
  end)

  it("is not busy by itself", function()
    assert.equal(0, core.buffer(1):busy())
  end)

  for _, case in ipairs {
    { "a negative size", "out of range", -1 },
    { "a fraction", "number has no integer representation", 1.5 },
    { "a huge size", "out of range", (1 << 40) + 1 },
    { "nothing", "integer expected, got no value" },
    { "a table", "integer expected, got table", {} },
    { "an alignment of three", "alignment is a power of two", 64, 3 },
    { "an alignment of four", "alignment is a power of two", 64, 4 },
    { "an alignment that is a string", "integer expected, got string", 64, "8" },
  } do
    it("refuses " .. case[1], function()
      raises(case[2], core.buffer, table.unpack(case, 3))
    end)
  end

  it("raises when there is no memory", function()
    raises("not enough memory", core.buffer, 1 << 40)
    local b = core.buffer("x")
    raises("not enough memory", b.resize, b, 1 << 40)
    assert.equal("x", b:string())
  end)

  it("takes alignments", function()
    for _, align in ipairs { 8, 64, 512, 4096, 65536 } do
      assert.equal("abc", core.buffer("abc", align):string())
    end
  end)

  it("does not return a million bytes as numbers", function()
    local b = core.buffer(2000000)
    raises("too many bytes", b.byte, b, 1, -1)
  end)

  it("takes no room before it is used, when it is large", function()
    local function resident()
      return tonumber(helper.read_file("/proc/self/status"):match "VmRSS:%s+(%d+)")
    end
    local before = resident()
    for _ = 1, 10 do
      local b = core.buffer(1 << 30)
      b:set("first"):set("last", (1 << 30) - 3)
      assert.equal("first\0", b:string(1, 6))
      assert.equal("\0last", b:string(-5))
      assert.equal(0, b:byte(500000000))
      assert.equal("first", b:resize(5):string())
      assert.equal("first\0", b:resize(1 << 26):string(1, 6))
      b:release()
    end
    local used = resident() - before
    assert(used < 50 << 10, used) -- KiB
  end)

  it("hides its metatable", function()
    assert.equal("uring", getmetatable(core.buffer(1)))
  end)

  describe("in flight", function()
    helper.main_it("is busy, and keeps its size", function()
      local ring <close> = assert(core.ring())
      local r, w = core.sock.pipe()
      local _ <close> = helper.closing(r, w)
      local b = core.buffer(16)
      ring:get_sqe():prep_read(r, b)
      assert.equal(1, b:busy())
      raises("buffer is in use by 1 operation", b.resize, b, 32)
      ring:submit()
      raises("buffer is in use by 1 operation", b.resize, b, 32)
      assert(core.op.write(w, "hello"))
      assert.equal(5, ring:wait_cqe(5).res)
      assert.equal(0, b:busy())
      assert.equal("hello", b:resize(5):string())
    end)

    helper.main_it("is free again when the entry is prepared anew", function()
      local ring <close> = assert(core.ring())
      local b = core.buffer(16)
      local sqe = ring:get_sqe():prep_write(1, b)
      assert.equal(1, b:busy())
      sqe:prep_nop()
      assert.equal(0, b:busy())
    end)
  end)
end)
