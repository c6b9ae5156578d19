-- Streams: every method, and what happens at the edges.

local uring = require "uring"
local core = require "uring.core"
local stream = require "uring.stream"
local helper = require "spec.helper"

local errno <const> = uring.errno
local it <const> = helper.scoped
local fails <const>, raises <const> = helper.fails, helper.raises

-- Two connected streams; of TCP, or of the Unix kind.
local function pair(kind)
  if kind == "unix" then
    local a, b = assert(core.sock.socketpair())
    return stream.new(a), stream.new(b)
  end
  local a, b = helper.pair()
  return stream.new(a), stream.new(b)
end

-- Write the pieces one by one, so that each is a chunk of its own, then end.
local function feed(to, pieces, keep_open)
  return uring.spawn(function()
    for _, piece in ipairs(pieces) do
      assert(to:write(piece))
      uring.sleep(0.001)
    end
    if not keep_open then assert(to:shutdown()) end
  end)
end

-- f(a, b) with a fresh pair each; 'a' is fed the pieces by 'b'.
local function fed(pieces, f, keep_open)
  local a, b = pair()
  local _ <close> = helper.closing(a, b)
  local feeding = feed(b, pieces, keep_open)
  f(a, b)
  feeding:join()
end

-- The text cut into pieces of n bytes.
local function cut(text, n)
  local pieces = {}
  for i = 1, #text, n do pieces[#pieces + 1] = text:sub(i, i + n - 1) end
  return pieces
end

-- The end of the stream: nil alone.
local function ends(...)
  assert.equal(1, select("#", ...))
  assert.is_nil((...))
end

local function closed(...) fails("ECANCELED", "closed", ...) end

-- Bytes that differ from place to place.
local unit
local function pattern(n)
  if not unit then
    local t = {}
    for i = 1, 12501 do t[i] = ("%08x"):format(i * 2654435761 & 0xffffffff) end
    unit = table.concat(t):sub(1, 100003)
  end
  return unit:rep(n // #unit + 1):sub(1, n)
end

describe("stream", function()
  describe("read", function()
    it("gives lines, of any length, from chunks of any size", function()
      local lines = {"", "a", "", "bc", ("d"):rep(5000), "", "end"}
      local text = table.concat(lines, "\n")
      for _, size in ipairs {1, 2, 3, 1000, #text} do
        local sent = size < 1000 and text:gsub("d+", "ddd") or text
        fed(cut(sent, size), function(a)
          for line in (sent .. "\n"):gmatch "(.-)\n" do
            assert.equal(line, a:read())
          end
          ends(a:read())
          ends(a:read "l")
        end)
      end
    end)

    it("keeps the newline with L, and adds none", function()
      fed({"one\ntw", "o\n", "\nlast"}, function(a)
        assert.equal("one\n", a:read "L")
        assert.equal("two\n", a:read "*L")
        assert.equal("\n", a:read "L")
        assert.equal("last", a:read "L")
        assert.is_nil(a:read "L")
      end)
    end)

    it("translates nothing", function()
      fed({"a\r\nb\0c\n"}, function(a)
        assert.equal("a\r", a:read "l")
        assert.equal("b\0c", a:read "l")
      end)
    end)

    it("gives everything with a, and then the empty string", function()
      fed({"one\n", "two", "\0three"}, function(a)
        assert.equal("one", a:read "l")
        assert.equal("two\0three", a:read "a")
        assert.equal("", a:read "a")
        assert.equal("", a:read "*all")
        assert.is_nil(a:read "l")
      end)
    end)

    it("gives counts, fewer at the end", function()
      fed({"abc", "defg", "hi"}, function(a)
        assert.equal("ab", a:read(2))
        assert.equal("", a:read(0))
        assert.equal("cdef", a:read(4.0))
        assert.same({n = 1, "ghi"}, table.pack(a:read(100)))
        ends(a:read(100))
        assert.is_nil(a:read(0))
      end)
    end)

    it("of 0 bytes waits until there is one, or the end", function()
      fed({"x"}, function(a)
        assert.equal("", a:read(0))
        assert.equal("", a:read(0))
        assert.equal("x", a:read(1))
        ends(a:read(0))
      end)
    end)

    it("takes several formats, and numerals, as a file's does", function()
      local text <const> = "12 0x1p4 rest\nabcdef"
      for size = 1, #text do
        fed(cut(text, size), function(a)
          assert.same({12, 16.0, " rest", "abc"}, {a:read("n", "n", "l", 3)})
          local results <const> = table.pack(a:read("a", "l", "l"))
          assert.same({"def", n = 2}, results)
        end)
      end
      fed({"x1\n"}, function(a)
        ends(a:read "n")
        assert.equal("x1", a:read())
      end)
      fed({"one\ntwo\n"}, function(a)
        raises("bad argument #2 to 'read' (invalid format)", a.read, a, "l", "x")
        assert.equal("two", a:read())
      end)
    end)

    it("keeps what was read of a numeral when it is cancelled", function()
      local a, b = pair()
      local _ <close> = helper.closing(a, b)
      assert(b:write "12")
      assert.is_nil((uring.timeout(0.01, a.read, a, "n")))
      assert(b:write "34 ")
      assert.equal(1234, a:read "n")
    end)

    it("takes the names of older Luas, and rejects others", function()
      local a, b = pair()
      local _ <close> = helper.closing(a, b)
      assert(b:write "line\nline\n")
      assert.equal("line", a:read "*line")
      assert.equal("line", a:read "*l")
      for _, format in ipairs {"x", "", "*", {}, true, print} do
        raises("bad argument #1 to 'read' (invalid format)", a.read, a, format)
      end
      raises("bad argument #1 to 'read' (out of range)", a.read, a, -1)
      raises("bad argument #1 to 'read' (number has no integer representation)",
             a.read, a, 1.5)
    end)
  end)

  describe("lines", function()
    it("ends at the end of the stream", function()
      fed({"a\nb", "\n\nc"}, function(a)
        local got = {}
        for line in a:lines() do got[#got + 1] = line end
        assert.same({"a", "b", "", "c"}, got)
      end)
    end)

    it("takes a format", function()
      fed({"abcdefg"}, function(a)
        local got = {}
        for piece in a:lines(3) do got[#got + 1] = piece end
        assert.same({"abc", "def", "g"}, got)
      end)
      fed({"a\nb"}, function(a)
        local got = {}
        for line in a:lines "L" do got[#got + 1] = line end
        assert.same({"a\n", "b"}, got)
      end)
    end)

    it("raises when a read fails", function()
      local a, b = pair()
      b:close()
      a:close()
      local ok, err = pcall(function() for _ in a:lines() do error "a line" end end)
      assert.is_false(ok)
      assert.matches("stream_spec.lua:%d+: closed$", err)
    end)
  end)

  describe("readexact", function()
    it("gives just that many bytes", function()
      local text = pattern(10000)
      fed(cut(text, 1777), function(a)
        assert.equal(text:sub(1, 1), a:readexact(1))
        assert.equal("", a:readexact(0))
        assert.equal(text:sub(2, 5000), a:readexact(4999))
        assert.equal(text:sub(5001), a:readexact(5000))
        ends(a:readexact(1))
        assert.equal("", a:readexact(0))
      end)
    end)

    it("fails with what there was when the end comes too soon", function()
      fed({"abc", "de"}, function(a)
        assert.same({n = 4, nil, "end of file", errno.ENODATA, "abcde"},
                    table.pack(a:readexact(6)))
        ends(a:readexact(6))
      end)
    end)

    it("takes only a count", function()
      local a, b = pair()
      local _ <close> = helper.closing(a, b)
      raises("bad argument #1 to 'readexact' (out of range)", a.readexact, a, -1)
      raises("bad argument #1 to 'readexact' (number expected, got nil)", a.readexact, a)
      raises("bad argument #1 to 'readexact' (number expected, got string)",
             a.readexact, a, "5")
      raises("no integer representation", a.readexact, a, 0.5)
      raises("no integer representation", a.readexact, a, 1e300)
    end)
  end)

  describe("readsome", function()
    it("gives what has arrived, at most so much", function()
      local a, b = pair()
      local _ <close> = helper.closing(a, b)
      assert(b:write "abcdef")
      assert.equal("ab", a:readsome(2))
      assert.equal("c", a:readsome(1))
      assert(b:write "ghi")
      assert.equal("def", a:readsome())
      assert.equal("ghi", a:readsome(100))
      assert(b:shutdown())
      ends(a:readsome())
      ends(a:readsome(1))
    end)

    it("takes only a positive count", function()
      local a, b = pair()
      local _ <close> = helper.closing(a, b)
      raises("bad argument #1 to 'readsome' (out of range)", a.readsome, a, 0)
      raises("bad argument #1 to 'readsome' (number expected, got table)",
             a.readsome, a, {})
    end)
  end)

  describe("readuntil", function()
    it("finds a delimiter wherever the chunks end", function()
      for _, delimiter in ipairs {"\n", "\r\n", "\r\n\r\n", "--boundary--", "%", "aab", "abab"} do
        local text = "first" .. delimiter .. delimiter .. "a a\r\n-" .. delimiter .. "rest"
        for size = 1, #delimiter + 2 do
          fed(cut(text, size), function(a)
            local from = 1
            while true do
              local s, e = text:find(delimiter, from, true)
              if not s then break end
              assert.equal(text:sub(from, s - 1), a:readuntil(delimiter))
              from = e + 1
            end
            assert.equal(text:sub(from), a:read "a")
          end)
        end
      end
    end)

    it("finds one that overlaps with itself", function()
      for size = 1, 5 do
        fed(cut("xaaab|aaab", size), function(a)
          assert.equal("xa", a:readuntil "aab")
          assert.equal("|a", a:readuntil "aab")
          ends(a:readuntil "aab")
        end)
      end
    end)

    it("fails with what there was when the end comes first", function()
      fed({"abc", "de"}, function(a)
        assert.same({n = 4, nil, "end of file", errno.ENODATA, "abcde"},
                    table.pack(a:readuntil "\n"))
        ends(a:readuntil "\n")
      end)
    end)

    it("gives up at a limit, the same in pieces or whole, and keeps the bytes", function()
      for _, size in ipairs {1, 2, 3, 5, 100} do
        fed(cut("12345\r\n123456\r\nx", size), function(a)
          fails("EMSGSIZE", "line too long", a:readuntil("\r\n", 4))
          fails("EMSGSIZE", "line too long", a:readuntil("\r\n", 0))
          assert.equal("12345", a:readuntil("\r\n", 5))
          fails("EMSGSIZE", "line too long", a:readuntil("\r\n", 5))
          assert.equal("123456", a:readuntil("\r\n", 6))
          assert.same({n = 4, nil, "end of file", errno.ENODATA, "x"},
                      table.pack(a:readuntil("\r\n", 6)))
        end)
      end
    end)

    it("gives up at a limit while more is coming", function()
      local a, b = pair()
      local _ <close> = helper.closing(a, b)
      local writer = uring.spawn(function()
        while b:write(("x"):rep(1000)) do end
      end)
      fails("EMSGSIZE", "line too long", a:readuntil("\n", 100000))
      assert.equal(("x"):rep(100001), a:readexact(100001))
      a:close()
      writer:join()
    end)

    it("takes only a delimiter", function()
      local a, b = pair()
      local _ <close> = helper.closing(a, b)
      for _, delimiter in ipairs {"", 5, {}, false} do
        raises("bad argument #1 to 'readuntil'", a.readuntil, a, delimiter)
      end
      raises("bad argument #1 to 'readuntil'", a.readuntil, a)
      raises("bad argument #2 to 'readuntil'", a.readuntil, a, "\n", -1)
      raises("bad argument #2 to 'readuntil'", a.readuntil, a, "\n", "5")
    end)
  end)

  describe("write", function()
    it("writes strings and numbers, and returns the stream", function()
      local a, b = pair()
      local _ <close> = helper.closing(a, b)
      assert.equal(b, b:write("a", 1, 2.5, "b"))
      assert.equal(b, b:write(7))
      assert.equal(b, b:write())
      assert.equal(b, b:write "")
      assert.equal(b, b:write("", ""))
      assert.equal(b, b:flush())
      assert(b:shutdown())
      assert.equal("a12.5b7", a:read "a")
    end)

    it("writes many big pieces, numbers and empty ones among them", function()
      local a, b = pair()
      local _ <close> = helper.closing(a, b)
      local big = pattern(50000)
      local writer = uring.spawn(function()
        assert.equal(b, b:write(big, 12, "", big, 3.5, big))
        b:shutdown()
      end)
      assert.equal(big .. "12" .. big .. "3.5" .. big, a:read "a")
      writer:join()
    end)

    it("rejects everything else, before a byte is written", function()
      local a, b = pair()
      local _ <close> = helper.closing(a, b)
      raises("bad argument #2 to 'write' (string expected, got nil)", b.write, b, "a", nil)
      raises("bad argument #1 to 'write' (string expected, got table)", b.write, b, {})
      raises("bad argument #3 to 'write' (string expected, got boolean)",
             b.write, b, "a", 1, true)
      b:shutdown()
      assert.equal("", a:read "a")
    end)

    it("waits for a slow reader, and every byte arrives", function()
      for _, kind in ipairs {"tcp", "unix"} do
        local a, b = pair(kind)
        local _ <close> = helper.closing(a, b)
        local text = pattern(12000000)
        local written
        local writer = uring.spawn(function()
          assert(b:write(text))
          written = true
          b:shutdown()
        end)
        uring.sleep(0.02)
        assert.is_nil(written)
        local parts = {}
        for part in function() return a:readsome(100000) end do
          parts[#parts + 1] = part
          if #parts % 50 == 0 then uring.sleep(0.001) end
        end
        writer:join()
        assert.is_true(text == table.concat(parts))
      end
    end)

    it("and read go on at once in both directions, 10 MB each", function()
      local a, b = pair()
      local _ <close> = helper.closing(a, b)
      local total = helper.scale(10 * 1024 * 1024)
      local text = pattern(1000003)
      local function send(s)
        local left = total
        while left > 0 do
          assert(s:write(text:sub(1, left)))
          left = left - math.min(left, #text)
        end
        assert(s:shutdown())
      end
      local function receive(s)
        local got = 0
        while got < total do
          local want = math.min(#text, total - got)
          assert.is_true(s:readexact(want) == text:sub(1, want))
          got = got + want
        end
        assert.is_nil(s:read(1))
      end
      uring.all {
        function() send(a) end, function() send(b) end,
        function() receive(a) end, function() receive(b) end
      }
    end)

    it("to a peer that has gone fails with EPIPE or ECONNRESET, without a signal", function()
      for _, kind in ipairs {"tcp", "unix"} do
        local a, b = pair(kind)
        local _ <close> = a
        b:close()
        local ok, message, code
        helper.eventually(function()
          ok, message, code = a:write "x"
          return not ok
        end)
        assert.is_nil(ok)
        assert.matches("^send", message)
        assert.is_true(code == errno.EPIPE or code == errno.ECONNRESET)
      end
    end)

    it("to a peer that goes meanwhile fails, too", function()
      local a, b = pair()
      local _ <close> = a
      local writer = uring.spawn(function() return a:write(("x"):rep(1 << 25)) end)
      uring.sleep(0.01)
      b:close()
      local ok, message, code = writer:join()
      assert.is_nil(ok)
      assert.matches("^send", message)
      assert.is_true(code == errno.EPIPE or code == errno.ECONNRESET)
    end)

    it("after shutdown fails with EPIPE", function()
      local a, b = pair()
      local _ <close> = helper.closing(a, b)
      assert(a:shutdown())
      local ok, _, code = a:write "x"
      assert.is_nil(ok)
      assert.equal(errno.EPIPE, code)
    end)
  end)

  describe("shutdown", function()
    it("half-closes: the other direction goes on", function()
      local a, b = pair()
      local _ <close> = helper.closing(a, b)
      assert(a:write "question")
      assert.is_true(a:shutdown())
      assert.equal("question", b:read "a")
      assert(b:write "answer")
      assert(b:shutdown "write")
      assert.equal("answer", a:read "a")
    end)

    it("of reading ends one's own reads", function()
      local a, b = pair()
      local _ <close> = helper.closing(a, b)
      local reader = uring.spawn(function() return table.pack(a:read(1)) end)
      uring.sleep(0.002)
      assert(a:shutdown "read")
      local result = reader:join()
      ends(table.unpack(result, 1, result.n))
      assert(b:shutdown "both")
    end)

    it("takes only a direction", function()
      local a, b = pair()
      local _ <close> = helper.closing(a, b)
      raises("bad argument", a.shutdown, a, "sideways")
    end)
  end)

  describe("with two users", function()
    it("tells the second reader EBUSY at once, whatever it calls", function()
      local a, b = pair()
      local _ <close> = helper.closing(a, b)
      local reader = uring.spawn(function() return a:readexact(6) end)
      assert(b:write "abc")
      uring.sleep(0.002)
      for _, call in ipairs {
        {a.read}, {a.read, "L"}, {a.read, "a"}, {a.read, 5}, {a.read, 0},
        {a.readsome}, {a.readexact, 4}, {a.readuntil, "x"}
      } do
        fails("EBUSY", "read: another task is at it", call[1](a, call[2]))
      end
      assert(b:write "defgh")
      assert.equal("abcdef", reader:join())
      assert.equal("gh", a:readsome())
    end)

    it("tells the second writer EBUSY at once", function()
      local a, b = pair()
      local _ <close> = helper.closing(a, b)
      local big = pattern(1 << 24)
      local writer = uring.spawn(function() return a:write(big) end)
      uring.sleep(0.005)
      fails("EBUSY", "write: another task is at it", a:write "x")
      fails("EBUSY", "write: another task is at it", a:write("x", "y"))
      local got = b:readexact(#big)
      assert.equal(a, writer:join())
      assert.is_true(got == big)
      assert.equal(a, a:write "x")
      assert.equal("x", b:read(1))
    end)

    it("lets one read while another writes", function()
      local a, b = pair()
      local _ <close> = helper.closing(a, b)
      local reader = uring.spawn(function() return a:read "l" end)
      uring.yield()
      assert.equal(a, a:write "ping\n")
      assert.equal("ping", b:read "l")
      assert(b:write "pong\n")
      assert.equal("pong", reader:join())
    end)
  end)

  describe("a cancelled reader", function()
    local reads = {
      {"a line", function(a) return a:read "l" end},
      {"everything", function(a) return a:read "a" end},
      {"a count", function(a) return a:read(1000) end},
      {"exactly", function(a) return a:readexact(1000) end},
      {"until", function(a) return a:readuntil "\r\n\r\n" end},
      {"some", function(a)
        while true do assert(a:read(0)) uring.sleep(1000) end
      end}
    }
    for _, case in ipairs(reads) do
      it("loses no byte, and the next reader goes on: " .. case[1], function()
        local a, b = pair()
        local _ <close> = helper.closing(a, b)
        local sent = {}
        local function send(text)
          sent[#sent + 1] = text
          assert(b:write(text))
        end
        send "before "
        for i = 1, 5 do
          local sending = uring.spawn(function()
            send(i .. " ")
            uring.sleep(0.001)
            send(i .. "; ")
          end)
          local value, message = uring.timeout(0.004, case[2], a)
          sending:join()
          assert.is_nil(value)
          assert.equal("timed out", message)
        end
        send "after\n"
        assert.equal(table.concat(sent), a:read "L")
      end)
    end

    it("whose bytes came with the cancellation", function()
      local a, b = pair()
      local _ <close> = helper.closing(a, b)
      local sent, got = {}, {}
      for i = 1, helper.scale(200) do
        local reader = uring.spawn(function()
          while true do
            local data = a:readsome()
            got[#got + 1] = data
          end
        end)
        for _ = 1, i % 3 do uring.yield() end
        sent[i] = i .. " "
        assert(b:write(sent[i]))
        for _ = 1, i % 5 do uring.yield() end
        reader:cancel()
        pcall(reader.join, reader)
      end
      b:shutdown()
      got[#got + 1] = a:read "a"
      assert.equal(table.concat(sent), table.concat(got))
    end)
  end)

  describe("a cancelled writer", function()
    it("leaves the stream to the next one", function()
      local a, b = pair()
      local _ <close> = helper.closing(a, b)
      assert.is_nil((uring.timeout(0.005, a.write, a, ("x"):rep(1 << 25))))
      local drain = uring.spawn(function() return b:read "a" end)
      assert.equal(a, a:write "end")
      a:shutdown()
      local all = drain:join()
      assert.matches("^x*end$", all)
      assert.is_true(#all < 1 << 25)
    end)
  end)

  describe("close", function()
    it("wakes who waits, with nil, 'closed', ECANCELED", function()
      local a, b = pair()
      local _ <close> = b
      local reader = uring.spawn(function() return a:read "l" end)
      local writer = uring.spawn(function() return a:write(("x"):rep(1 << 25)) end)
      local other = uring.spawn(function() return b:readexact(3) end)
      uring.sleep(0.005)
      assert.is_true(a:close())
      closed(reader:join())
      closed(writer:join())
      assert.equal("xxx", other:join())
    end)

    it("gives a woken reader what it had", function()
      local a, b = pair()
      local _ <close> = b
      local reader = uring.spawn(function() return a:readexact(10) end)
      assert(b:write "abc")
      uring.sleep(0.005)
      a:close()
      assert.same({n = 4, nil, "closed", errno.ECANCELED, "abc"}, table.pack(reader:join()))
    end)

    it("can be done twice, and makes everything else fail", function()
      local a, b = pair()
      local _ <close> = b
      assert.is_true(a:close())
      assert.is_true(a:close())
      closed(a:read())
      closed(a:read "a")
      closed(a:read(1))
      closed(a:read(0))
      closed(a:readsome())
      closed(a:readexact(1))
      closed(a:readuntil "x")
      closed(a:write "x")
      closed(a:write("x", "y"))
      closed(a:shutdown())
      closed(a:peer())
      closed(a:address())
      closed(a:setopt("nodelay", true))
      closed(a:getopt "nodelay")
      assert.equal("uring.stream (closed)", tostring(a))
    end)

    it("happens at the end of a block", function()
      local fd
      local a, b = pair()
      local _ <close> = b
      do
        local s <close> = a
        fd = s:fileno()
        assert.equal(("uring.stream (fd %d)"):format(fd), tostring(s))
      end
      closed(a:read())
      assert.is_nil(b:read(1))
      assert.is_true(fd > 2)
    end)

    it("by the peer is the end, after what it had sent", function()
      local a, b = pair()
      local _ <close> = a
      assert(b:write "bye")
      b:close()
      assert.equal("bye", a:read "a")
      assert.is_nil(a:read(1))
    end)

    it("by the peer with bytes unread is a reset", function()
      local a, b = pair()
      local _ <close> = a
      assert(a:write "never read")
      assert(b:write "abc")
      assert(uring.op.poll_add(b.fd, core.POLLIN)) -- it has come
      b:close()
      local data, message, code, partial = a:readexact(10)
      assert.is_nil(data)
      assert.matches("recv.*Connection reset by peer", message)
      assert.equal(errno.ECONNRESET, code)
      assert.is_true(partial == "abc" or partial == "")
    end)

    it("with linger 0 resets the peer", function()
      local a, b = pair()
      local _ <close> = a
      assert(b:setopt("linger", 0))
      local reader = uring.spawn(function() return a:read "l" end)
      uring.sleep(0.002)
      b:close()
      local data, message, code = reader:join()
      assert.is_nil(data)
      assert.matches("Connection reset by peer", message)
      assert.equal(errno.ECONNRESET, code)
    end)
  end)

  it("tells addresses and options", function()
    local server <close> = assert(uring.listen "127.0.0.1:0")
    local a <close> = assert(uring.connect(server:address()))
    local b <close> = assert(server:accept())
    assert.equal(server:address().port, a:peer().port)
    assert.equal(tostring(a:address()), tostring(b:peer()))
    assert.equal(tostring(b:address()), tostring(a:peer()))
    assert.is_true(a:setopt("nodelay", true))
    assert.truthy(a:getopt "nodelay")
    assert.is_true(a:getopt "rcvbuf" > 0)
    assert.equal(a.fd:fileno(), a:fileno())
    raises("bad argument", a.setopt, a, "no such option", 1)
  end)

  it("holds a line of megabytes, and many short ones", function()
    local long = ("x"):rep(helper.scale(4000000))
    local n = helper.scale(20000)
    local a, b = pair()
    local _ <close> = helper.closing(a, b)
    local writer = uring.spawn(function()
      assert(b:write(long, "\n"))
      local lines = {}
      for i = 1, n do lines[i] = i .. "\n" end
      assert(b:write(table.concat(lines)))
      b:shutdown()
    end)
    assert.is_true(a:read() == long)
    for i = 1, n do assert.equal(tostring(i), a:read()) end
    assert.is_nil(a:read())
    writer:join()
  end)

  it("holds no memory for what was read", function()
    local a, b = pair()
    local _ <close> = helper.closing(a, b)
    local block = ("x"):rep(65536)
    local function go(n)
      for _ = 1, n do
        assert(a:write(block))
        b:readexact(#block)
      end
      collectgarbage()
      collectgarbage()
      return collectgarbage "count"
    end
    local before = go(20)
    assert.is_true(go(helper.scale(400)) - before < 100)
  end)
end)
