-- Files: what Lua's own do, and more.

local uring = require "uring"
local core = require "uring.core"
local helper = require "spec.helper"

local errno <const> = uring.errno
local it <const> = helper.scoped
local fails <const>, raises <const> = helper.fails, helper.raises

local dir
local function path(name) return dir .. "/" .. (name or "file") end

local function closed(...) fails("ECANCELED", "closed", ...) end

-- A file with that content, opened.
local function opened(content, mode)
  helper.write_file(path(), content)
  return assert(uring.open(path(), mode or "r+"))
end

-- Both ends of a pipe, as files.
local function pipe()
  local r, w = assert(core.sock.pipe())
  local _ <close> = helper.closing(r, w)
  local function again(fd, mode)
    return assert(uring.open("/proc/self/fd/" .. fd:fileno(), mode))
  end
  return again(r, "r"), again(w, "w")
end

local function random_text(n, alphabet)
  local t = {}
  for i = 1, n do
    local k = math.random(#alphabet)
    t[i] = alphabet:sub(k, k)
  end
  return table.concat(t)
end

-- What both results say, as text that can be compared: values, or the errno.
local function outcome(file, ...)
  local n <const> = select("#", ...)
  local first <const>, _, code <const> = ...
  if first == nil and code then return "errno " .. code end
  if first == file then return "the file" end
  local t = {}
  for i = 1, n do
    local v = select(i, ...)
    t[i] = math.type(v) == "float" and ("float %a"):format(v) or ("%s %q"):format(type(v), v)
  end
  return table.concat(t, ", ")
end

describe("file", function()
  helper.in_tmpdir(function(name) dir = name end)

  describe("beside one of io.open", function()
    local alphabet <const> = "0123456789abcxe.+-  \n\n"

    local function random_read()
      local formats = {"l", "L", "a", "n", 0, 1, 5, 100, "*l", "*n", "line", "*all"}
      local function one()
        local k = math.random(60)
        if k == 1 then return math.random(200000) end
        if k > 45 then return math.random(30) end
        k = math.random(#formats)
        if formats[k] == "a" or formats[k] == "*all" then k = math.random(#formats) end
        return formats[k]
      end
      if math.random(4) > 1 then return "read", one() end
      if math.random(8) == 1 then return "read" end
      return "read", one(), one(), one()
    end

    local function random_write()
      local k = math.random(12)
      if k == 1 then return "write", random_text(700, "abc\n"):rep(100) end
      if k == 2 then return "write", 12, -1.5, random_text(3, alphabet) end
      if k == 3 then return "write", "" end
      if k == 4 then return "write" end
      return "write", random_text(math.random(20), alphabet)
    end

    local function random_seek()
      local k = math.random(8)
      if k == 1 then return "seek" end
      if k == 2 then return "seek", "end" end
      if k == 3 then return "seek", "end", math.random(-40, 10) end
      if k == 4 then return "seek", "cur", math.random(-10, 10) end
      if k == 5 then return "seek", "set", math.random(-1, 300000) end
      if k == 6 then return "seek", "cur" end
      return "seek", "set", math.random(0, 300)
    end

    for _, mode in ipairs {"r", "r+", "w", "w+", "a", "a+", "rb", "r+b"} do
      it("reads, writes and seeks the same: " .. mode, function()
        for round = 1, helper.scale(12) do
          local seed <const> = os.time() * 100 + round
          math.randomseed(seed)
          local text = random_text(math.random(0, 4) * 100, alphabet)
          if round % 4 == 0 then text = random_text(1500, alphabet):rep(100) .. text end
          helper.write_file(path "theirs", text)
          helper.write_file(path "ours", text)
          local theirs = assert(io.open(path "theirs", mode))
          local ours <close> = assert(uring.open(path "ours", mode))
          local last
          local function both(name, ...)
            local expected = outcome(theirs, theirs[name](theirs, ...))
            local got = outcome(ours, ours[name](ours, ...))
            assert.equal(expected, got,
              ("seed %d, mode %s: %s %s"):format(seed, mode, name, table.concat({...}, " ")))
          end
          for _ = 1, 60 do
            local k = math.random(10)
            local pick = k <= 5 and random_read or k <= 8 and random_write or random_seek
            if last and last ~= pick and pick ~= random_seek then both("seek", "cur") end
            both(pick())
            last = pick
          end
          theirs:flush()
          assert.equal(ours, ours:flush())
          both("seek", "cur")
          both "close"
          assert.equal(helper.read_file(path "theirs"), helper.read_file(path "ours"))
        end
      end)
    end

    it("reads numerals the same", function()
      local inputs = {
        "", " ", "0", "1", "-1", "+1", "  42", "\n\t 7 8", "0x10", "0X1F", "0x", "0xg", "-0x1p4",
        "0x.8p1", "0x1.8", "1e5", "1e", "1e+", "1e-3x", "1.5.6", ".5", ".", "-.5e1", "5.", "--1",
        "+-1", "1-2", "e5", "0e0", "00012", "1_000", "nan", "inf", "0b1", "9223372036854775807",
        "9223372036854775808", "-9223372036854775808", "0xffffffffffffffff", "0x1ffffffffffffffff",
        "1E400", "12abc", "12,13", "1 2 3", "0x1p", "0x1p-", "1p4", "- 1", "\v\f\r 3", "\0001",
        "1\0002", ("1"):rep(199), ("1"):rep(200), ("1"):rep(201), ("0"):rep(300) .. "5",
        "-" .. ("9"):rep(199), "-" .. ("9"):rep(200), "." .. ("3"):rep(250), "0x" .. ("f"):rep(210),
        ("1"):rep(195) .. "e10", ("1"):rep(197) .. "e10", "1.7976931348623157e308", "4.9e-324"
      }
      math.randomseed(42)
      for _ = 1, helper.scale(400) do
        inputs[#inputs + 1] = random_text(math.random(12), "00123456789aAfFxXpPeE..+-- \n")
      end
      for _, text in ipairs(inputs) do
        helper.write_file(path(), text)
        local theirs = io.open(path())
        local ours <close> = assert(uring.open(path()))
        for _ = 1, 3 do
          assert.equal(outcome(theirs, theirs:read "n"), outcome(ours, ours:read "n"), text)
          assert.equal(theirs:seek(), ours:seek(), text)
        end
        assert.equal(theirs:read "a", ours:read "a", text)
        theirs:close()
      end
    end)

    it("iterates over lines the same", function()
      math.randomseed(7)
      for _, text in ipairs {"", "\n", "a", "a\n", "\n\na", random_text(2000, "abcd\n"),
                             random_text(1000, "xy"):rep(200) .. "\ny"} do
        helper.write_file(path(), text)
        for _, formats in ipairs {{}, {"l"}, {"L"}, {"n"}, {30}, {1, "l"}, {65536}} do
          local expected, got = {}, {}
          for a, b in io.lines(path(), table.unpack(formats)) do
            expected[#expected + 1] = {a, b}
          end
          local ours <close> = assert(uring.open(path()))
          for a, b in ours:lines(table.unpack(formats)) do got[#got + 1] = {a, b} end
          assert.same(expected, got)
        end
      end
    end)
  end)

  describe("open", function()
    it("fails with the path and the reason", function()
      fails("ENOENT", "open " .. path "none" .. ": No such file or directory",
            uring.open(path "none"))
      fails("ENOENT", "open " .. path "no/file" .. ": No such file or directory",
            uring.open(path "no/file", "w"))
      fails("ENOENT", "open 100%d: No such file or directory", uring.open "100%d")
      fails("ENOENT", "open : No such file or directory", uring.open "")
      fails("EISDIR", "open " .. dir .. ": Is a directory", uring.open(dir, "w"))
      fails("ENOTDIR", "open /dev/null/x: Not a directory", uring.open "/dev/null/x")
    end)

    it("creates with x what is not there", function()
      local file <close> = assert(uring.open(path(), "x"))
      assert(file:write "new")
      fails("EEXIST", "open " .. path() .. ": File exists", uring.open(path(), "x"))
      assert.equal("new", helper.read_file(path()))
      os.remove(path())
      local other <close> = assert(uring.open(path(), "x+b"))
      assert(other:write "abc")
      assert.equal(0, other:seek "set")
      assert.equal("abc", other:read "a")
    end)

    it("gives new files the permissions, less the umask", function()
      assert(uring.open(path "a", "w")):close()
      assert(uring.open(path "b", "w", tonumber("640", 8))):close()
      local umask = tonumber((helper.shell "umask"), 8)
      local a <close> = assert(uring.open(path "a"))
      local b <close> = assert(uring.open(path "b"))
      assert.equal(tonumber("666", 8) & ~umask, a:stat().perm)
      assert.equal(tonumber("640", 8) & ~umask, b:stat().perm)
    end)

    it("truncates with w, and not with r+ or a", function()
      helper.write_file(path(), "content")
      assert(uring.open(path(), "r+")):close()
      assert(uring.open(path(), "a")):close()
      assert.equal("content", helper.read_file(path()))
      assert(uring.open(path(), "w")):close()
      assert.equal("", helper.read_file(path()))
    end)

    it("takes the modes of io.open and x", function()
      for _, mode in ipairs {"", "z", "rw", "br", "rb+", "r++", "+", "r ", "R", 5, {}, false} do
        raises("bad argument #2 to 'open' (invalid mode)", uring.open, path(), mode)
      end
      raises("bad argument #1 to 'open' (string expected, got nil)", uring.open)
      raises("bad argument #1 to 'open' (string expected, got number)", uring.open, 5)
      raises("zero byte", uring.open, "a\0b")
    end)

    it("makes descriptors that a child does not inherit", function()
      local file <close> = assert(uring.open("/dev/zero"))
      assert.equal("no\n", (helper.shell(("test -e /proc/self/fd/%d && echo yes || echo no")
                                         :format(file:fileno()))))
    end)
  end)

  describe("read", function()
    it("takes big counts of small files", function()
      local file <close> = opened "small"
      assert.equal("small", file:read(1 << 40))
      assert.is_nil(file:read(1 << 40))
      assert.equal("", file:read "a")
    end)

    it("gives a big file in one piece", function()
      local text = ("0123456789"):rep(300000)
      local file <close> = opened(text)
      assert.is_true(file:read(#text - 5) == text:sub(1, -6))
      assert.equal("56789", file:read(10))
      file:seek "set"
      assert.is_true(file:read "a" == text)
      file:seek "set"
      assert.is_true(file:read "l" == text)
    end)

    it("rejects other formats", function()
      local file <close> = opened "text"
      for _, format in ipairs {"x", "", "*", {}, true} do
        raises("bad argument #1 to 'read' (invalid format)", file.read, file, format)
      end
      raises("bad argument #1 to 'read' (out of range)", file.read, file, -1)
      raises("no integer representation", file.read, file, 1.5)
      raises("bad argument #2 to 'read' (invalid format)", file.read, file, 1, "x")
    end)

    it("of a directory fails, in every way", function()
      local file <close> = assert(uring.open(dir))
      for _, format in ipairs {"l", "L", "a", "n", 0, 1} do
        local value, message, code = file:read(format)
        assert.is_nil(value)
        assert.equal("read " .. dir .. ": Is a directory", message)
        assert.equal(errno.EISDIR, code)
      end
      raises("read " .. dir .. ": Is a directory", function() for _ in file:lines() do end end)
      assert.equal("directory", file:stat().type)
    end)

    it("sees what was added after the end", function()
      local file <close> = opened "one\n"
      assert.equal("one", file:read())
      assert.is_nil(file:read())
      local other <close> = assert(uring.open(path(), "a"))
      assert(other:write "two\n")
      assert.equal("two", file:read())
    end)
  end)

  describe("write", function()
    it("goes to the end in append mode, wherever the position is", function()
      helper.write_file(path(), "abc")
      local file <close> = assert(uring.open(path(), "a+"))
      assert.equal("a", file:read(1))
      assert(file:write "d")
      assert.equal(4, file:seek())
      assert.equal(1, file:seek("set", 1))
      assert.equal("b", file:read(1))
      assert(file:write("e", 5))
      assert.is_nil(file:read(1))
      assert.equal(6, file:seek "end")
      assert.equal("abcde5", helper.read_file(path()))
    end)

    it("leaves a hole behind the end", function()
      local file <close> = opened ""
      assert.equal(5, file:seek("set", 5))
      assert(file:write "x")
      assert.equal("\0\0\0\0\0x", helper.read_file(path()))
    end)

    it("of several tasks follow each other", function()
      for _, mode in ipairs {"w", "a"} do
        os.remove(path())
        local file <close> = assert(uring.open(path(), mode))
        uring.scope(function(s)
          for i = 1, 50 do
            s:spawn(function()
              for j = 1, 10 do assert(file:write(("%d:%d\n"):format(i, j))) end
            end)
          end
        end)
        local seen, n = {}, 0
        for line in io.lines(path()) do
          local i, j = line:match "^(%d+):(%d+)$"
          i, j = tonumber(i), tonumber(j)
          assert.equal((seen[i] or 0) + 1, j)
          seen[i], n = j, n + 1
        end
        assert.equal(500, n)
      end
    end)

    it("rejects what is no string or number", function()
      local file <close> = opened ""
      raises("bad argument #2 to 'write' (string expected, got nil)", file.write, file, "a", nil)
      raises("bad argument #1 to 'write' (string expected, got table)", file.write, file, {})
      assert.equal(0, file:stat().size)
    end)

    it("fails on a full device, naming it", function()
      local file <close> = assert(uring.open("/dev/full", "w"))
      fails("ENOSPC", "write /dev/full: No space left on device", file:write "x")
      fails("ENOSPC", "write /dev/full: No space left on device", file:pwrite("x", 0))
      assert.equal(file, file:write "")
    end)

    it("fails at the limit of a file's size, and moves the position that far", function()
      local output, status = helper.script([[
        local uring = require "uring"
        require "spec.process".ignore(25)              -- SIGXFSZ
        uring.run(function()
          local file = assert(uring.open("]] .. path() .. [[", "w"))
          assert(file:write(("x"):rep(1000)))
          local ok, message, code = file:write(("y"):rep(2000))
          io.write(tostring(ok), code, " ", file:seek(), " ", file:stat().size, "\n")
        end)
      ]], "prlimit --fsize=2000")
      assert.equal(("nil%d 2000 2000\n"):format(errno.EFBIG), output)
      assert.equal(0, status)
    end)
  end)

  describe("at any offset", function()
    it("reads and writes without touching the position", function()
      local file <close> = opened "0123456789"
      assert.equal("01", file:read(2))
      assert.equal("567", file:pread(3, 5))
      assert.equal("89", file:pread(10, 8))
      assert.equal("", file:pread(10, 10))
      assert.equal(3, file:pwrite("abc", 4))
      assert.equal(2, file:seek())
      assert.equal("0123abc789", helper.read_file(path()))
    end)

    it("takes buffers", function()
      local file <close> = opened "0123456789"
      local buffer = uring.buffer(4)
      assert.equal(4, file:pread(buffer, 3))
      assert.equal("3456", buffer:string(1, 4))
      assert.equal(4, file:pwrite(buffer, 10))
      assert.equal("01234567893456", helper.read_file(path()))
      assert.equal(2, file:pread(buffer, 12))
    end)

    it("needs the offset", function()
      local file <close> = opened "0123456789"
      raises("bad argument #2 to 'pread' (number expected, got nil)", file.pread, file, 1)
      raises("bad argument #2 to 'pread' (out of range)", file.pread, file, 1, -1)
      raises("bad argument #2 to 'pwrite' (number expected, got nil)", file.pwrite, file, "x")
      raises("bad argument #2 to 'pwrite' (out of range)", file.pwrite, file, "x", -1)
      raises("bad argument #2 to 'pread' (number has no integer representation)",
             file.pread, file, 1, 0.5)
      raises("bad argument", file.pread, file, "x", 0)
      raises("bad argument", file.pwrite, file, 5, 0)
    end)

    it("works in many tasks at once", function()
      local file <close> = opened ""
      uring.scope(function(s)
        for i = 0, 99 do
          s:spawn(function()
            assert.equal(1000, file:pwrite(string.char(i):rep(1000), i * 1000))
            assert.equal(string.char(i):rep(1000), file:pread(1000, i * 1000))
          end)
        end
      end)
      assert.equal(100000, file:stat().size)
    end)
  end)

  describe("seek", function()
    it("fails before the beginning, and stays where it was", function()
      local file <close> = opened "abc"
      file:read(1)
      fails("EINVAL", "seek " .. path() .. ": Invalid argument", file:seek("set", -1))
      fails("EINVAL", "seek " .. path() .. ": Invalid argument", file:seek("cur", -2))
      assert.equal("b", file:read(1))
    end)

    it("fails for a pipe", function()
      local r, w = pipe()
      local _ <close> = helper.closing(r, w)
      local value, message, code = r:seek()
      assert.is_nil(value)
      assert.matches("^seek .*: Illegal seek$", message)
      assert.equal(errno.ESPIPE, code)
    end)

    it("takes whence and offset", function()
      local file <close> = opened "abc"
      raises("bad argument #1 to 'seek' (invalid option 'begin')", file.seek, file, "begin")
      raises("bad argument #1 to 'seek'", file.seek, file, 5)
      raises("bad argument #2 to 'seek' (number expected, got string)",
             file.seek, file, "set", "x")
      raises("no integer representation", file.seek, file, "set", 0.5)
      assert.equal(2, file:seek("set", 2.0))
    end)
  end)

  describe("of a pipe or a device", function()
    it("reads in order, and to the end", function()
      local r, w = pipe()
      local _ <close> = helper.closing(r, w)
      local writer = uring.spawn(function()
        for _, piece in ipairs {"one\ntw", "o\n12", "3 4.5 ", "rest\n"} do
          assert(w:write(piece))
          uring.sleep(0.001)
        end
        w:close()
      end)
      assert.equal("one", r:read())
      assert.equal("two\n", r:read "L")
      assert.equal(123, r:read "n")
      assert.equal(4.5, r:read "n")
      assert.equal(" re", r:read(3))
      assert.equal("st\n", r:read "a")
      assert.is_nil(r:read())
      writer:join()
    end)

    it("waits for a reader that is slow", function()
      local r, w = pipe()
      local _ <close> = helper.closing(r, w)
      local text = ("0123456789"):rep(100000)
      local writer = uring.spawn(function()
        assert(w:write(text))
        w:close()
      end)
      uring.sleep(0.002)
      assert.is_true(r:read "a" == text)
      writer:join()
    end)

    it("reads a fifo by name, whoever comes first", function()
      assert.equal("", (helper.shell("mkfifo " .. path "fifo")))
      local reader = uring.spawn(function()
        local r <close> = assert(uring.open(path "fifo"))
        return r:read "a"
      end)
      uring.sleep(0.002)
      local w = assert(uring.open(path "fifo", "w"))
      assert(w:write "through")
      w:close()
      assert.equal("through", reader:join())
    end)

    it("keeps what was read ahead when it is written", function()
      assert.equal("", (helper.shell("mkfifo " .. path "fifo")))
      local file <close> = assert(uring.open(path "fifo", "r+"))
      assert(file:write "one\ntwo\n")
      assert.equal("one", file:read())
      assert(file:write "three\n")
      assert.equal("two", file:read())
      assert.equal("three", file:read())
    end)

    it("has the methods of streams, too", function()
      local r, w = pipe()
      local _ <close> = helper.closing(r, w)
      assert(w:write "key: value; rest")
      assert.equal("key", r:readuntil ": ")
      assert.equal("val", r:readexact(3))
      assert.equal("u", r:readsome(1))
      assert.equal("e; rest", r:readsome())
      assert(w:write "abc")
      assert(w:close())
      local data, message, code, partial = r:readexact(4)
      assert.same({nil, "end of file", errno.ENODATA, "abc"}, {data, message, code, partial})
      assert.equal(1, select("#", r:readexact(1)))
      assert.equal(1, select("#", r:readsome()))
      assert.equal(1, select("#", r:readuntil "x"))
    end)

    it("knows its position after a read that was cancelled", function()
      local name <const> = path "cancelled"
      helper.write_file(name, ("x"):rep(200000))
      local file <close> = assert(uring.open(name, "r+"))
      local reader = uring.spawn(function() return file:read "a" end)
      uring.yield()
      uring.yield()
      reader:cancel()
      assert.is_false(pcall(reader.join, reader))
      assert.equal(0, file:seek())             -- nothing was taken
      assert(file:write "y")
      assert.equal(1, file:seek())
      assert.equal("x", file:read(1))
      assert.equal("yx", helper.read_file(name):sub(1, 2))
    end)

    it("gives a cancelled read's bytes to the next one", function()
      for _, format in ipairs {"l", "a", 100, "n"} do
        local r, w = pipe()
        local _ <close> = helper.closing(r, w)
        local reader = uring.spawn(function() return r:read(format) end)
        assert(w:write "12")
        uring.sleep(0.002)
        assert(w:write "34")
        uring.sleep(0.002)
        reader:cancel()
        assert.is_false(pcall(reader.join, reader))
        assert(w:write "5\n")
        assert.equal("12345", r:read "l")
      end
    end)

    it("tells a second reader EBUSY", function()
      local r, w = pipe()
      local _ <close> = helper.closing(r, w)
      local reader = uring.spawn(function() return r:read "l" end)
      uring.yield()
      for _, format in ipairs {"l", "a", "n", 0, 5} do
        local value, message, code = r:read(format)
        assert.is_nil(value)
        assert.matches("another task reads it", message)
        assert.equal(errno.EBUSY, code)
      end
      assert(w:write "line\n")
      assert.equal("line", reader:join())
    end)

    it("lets one task read and another write", function()
      assert.equal("", (helper.shell("mkfifo " .. path "fifo")))
      local file <close> = assert(uring.open(path "fifo", "r+"))
      local reader = uring.spawn(function() return file:read "l" end)
      uring.sleep(0.001)
      assert(file:write "line\n")
      assert.equal("line", reader:join())
    end)

    it("wakes who waits when it is closed", function()
      local r, w = pipe()
      local _ <close> = helper.closing(r, w)
      local reader = uring.spawn(function() return r:read "l" end)
      local writer = uring.spawn(function() return w:write(("x"):rep(1000000)) end)
      uring.sleep(0.002)
      w:close()
      closed(writer:join())
      r:close()
      reader:join()
      closed(r:read())
    end)

    it("reads /dev/null and /dev/zero", function()
      local null <close> = assert(uring.open("/dev/null", "r+"))
      assert.is_nil(null:read())
      assert.equal("", null:read "a")
      assert.equal(null, null:write("gone", 1))
      local zero <close> = assert(uring.open("/dev/zero"))
      assert.equal(("\0"):rep(100000), zero:read(100000))
    end)

    it("reads files of /proc, which have no size", function()
      local file <close> = assert(uring.open("/proc/self/status"))
      assert.matches("^Name:", file:read())
      assert.matches("\nPid:", file:read "a")
    end)

    it("fails with EPIPE when nobody reads, without a signal's harm", function()
      local output, status = helper.script [[
        local uring, core = require "uring", require "uring.core"
        require "spec.process".ignore(13)              -- SIGPIPE
        uring.run(function()
          local r, w = core.sock.pipe()
          local f = assert(uring.open("/proc/self/fd/" .. w:fileno(), "w"))
          r:close()
          local ok, message, code = f:write "x"
          print(ok, code == uring.errno.EPIPE)
        end)
      ]]
      assert.equal("nil\ttrue\n", output)
      assert.equal(0, status)
    end)
  end)

  describe("with two users", function()
    it("tells EBUSY to who would move the position under a reader", function()
      local file <close> = opened(("x"):rep(200000))
      local reader = uring.spawn(function() return file:read "a" end)
      uring.yield()
      assert.equal("waiting", reader:status())
      for _, call in ipairs {{file.read, "a"}, {file.write, "y"}, {file.seek, "set"},
                             {file.truncate, 5}} do
        local value, message, code = call[1](file, call[2])
        assert.is_nil(value)
        assert.matches("another task reads it", message)
        assert.equal(errno.EBUSY, code)
      end
      assert.equal(200000, #reader:join())
    end)
  end)

  describe("stat, sync, truncate and chmod", function()
    it("do what they say", function()
      local file <close> = opened "0123456789"
      local st = assert(file:stat())
      assert.equal(10, st.size)
      assert.equal("file", st.type)
      assert.is_true(file:sync())
      assert.is_true(file:sync(true))
      assert.is_true(file:chmod(tonumber("600", 8)))
      assert.equal(tonumber("600", 8), file:stat().perm)
      assert.equal("0123", file:read(4))
      assert.is_true(file:truncate(6))
      assert.equal("45", file:read "a")
      assert.is_true(file:truncate(0))
      assert(file:write "x")
      assert.equal("\0\0\0\0\0\0x", helper.read_file(path()))
    end)

    it("fail with the path and the reason", function()
      local file <close> = opened("x", "r")
      fails("EINVAL", "ftruncate " .. path() .. ": Invalid argument", file:truncate(0))
      fails("EBADF", "write " .. path() .. ": Bad file descriptor", file:write "x")
      fails("EBADF", "write " .. path() .. ": Bad file descriptor", file:pwrite("x", 0))
      local null <close> = assert(uring.open("/dev/null"))
      fails("EINVAL", "fsync /dev/null: Invalid argument", null:sync())
    end)
  end)

  describe("close", function()
    it("can be done twice, and makes everything else fail", function()
      local file = opened "text"
      assert.equal("uring.file (" .. path() .. ")", tostring(file))
      assert.is_true(file:close())
      assert.is_true(file:close())
      closed(file:read())
      closed(file:read "a")
      closed(file:read("n", "l"))
      closed(file:write "x")
      closed(file:seek())
      closed(file:pread(1, 0))
      closed(file:pwrite("x", 0))
      closed(file:stat())
      closed(file:sync())
      closed(file:truncate(0))
      closed(file:chmod(0))
      raises("closed", function() for _ in file:lines() do end end)
      assert.equal("uring.file (closed)", tostring(file))
      assert.equal("text", helper.read_file(path()))
    end)

    it("happens at the end of a block", function()
      local kept
      do
        local file <close> = opened "text"
        kept = file
      end
      closed(kept:read())
    end)
  end)
end)
