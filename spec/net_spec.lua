-- Listening, connecting, serving; many connections at once.

local uring = require "uring"
local helper = require "spec.helper"

local errno <const> = uring.errno
local it <const> = helper.scoped
local fails <const>, raises <const> = helper.fails, helper.raises
local process <const>, reported <const> = helper.process, helper.reported

local function closed(...) fails("ECANCELED", "closed", ...) end

local function listen(...) return assert(uring.listen(... or "127.0.0.1:0", select(2, ...))) end

local function connect(server) return assert(uring.connect(server:address())) end

local function echo(conn)
  while true do
    local data = conn:readsome()
    if not data or not conn:write(data) then return end
  end
end

-- Below this there are just n numbers that are not in use.
local function limit_of(n)
  collectgarbage()
  collectgarbage()
  local used, number = process.descriptors(), 0
  while n > 0 do
    if not used[number] then n = n - 1 end
    number = number + 1
  end
  return number
end

-- f(server, serving) while the server serves; then it is closed.
local function serving(handler, f, ...)
  local server <close> = listen(...)
  local task = uring.spawn(server.serve, server, handler)
  f(server, task)
  server:close()
  assert.is_true(task:join())
end

local function has_ipv6()
  local file = io.open "/proc/net/if_inet6"
  if not file then return false end
  local text = file:read "a"
  file:close()
  return text:find "lo\n" ~= nil
end

describe("listen and connect", function()
  local function round_trip(address, shown)
    local server <close> = listen(address)
    assert.matches(shown, tostring(server:address()))
    assert.equal(("uring.server (%s)"):format(server:address()), tostring(server))
    local a <close> = connect(server)
    local b <close> = assert(server:accept())
    assert.equal(a, a:write "there")
    assert.equal("there", b:read(5))
    assert.equal(b, b:write "back")
    assert.equal("back", a:read(4))
    return server:address(), a:address(), b:peer()
  end

  it("work with IPv4", function()
    local address, from, peer = round_trip("127.0.0.1:0", "^127%.0%.0%.1:%d+$")
    assert.equal("inet", address.family)
    assert.is_true(address.port > 0)
    assert.equal(tostring(from), tostring(peer))
  end)

  local ipv6 = has_ipv6() and it or function(name) pending(name .. " (no IPv6 here)") end
  ipv6("work with IPv6", function()
    local address, from, peer = round_trip("[::1]:0", "^%[::1%]:%d+$")
    assert.equal("inet6", address.family)
    assert.equal(tostring(from), tostring(peer))
  end)

  ipv6("share a port between IPv4 and IPv6 with v6only", function()
    local six, four
    for _ = 1, 20 do                   -- another program may have the port
      six = listen("[::]:0", {v6only = true})
      four = uring.listen("0.0.0.0:" .. six:address().port)
      if four then break end
      six:close()
    end
    local _ <close> = helper.closing(six, four)
    local a <close> = assert(uring.connect("127.0.0.1", six:address().port))
    assert.equal("inet", a:peer().family)
    local b <close> = assert(four:accept())
    assert.equal(a, a:write "x")
    assert.equal("x", b:read(1))
  end)

  it("work with Unix paths", function()
    local tmp <close> = helper.tmpdir()
    round_trip("unix:" .. tmp .. "/socket", "^unix:/tmp/.*/socket$")
  end)

  it("work with abstract names", function()
    round_trip(("unix:@uring spec %d"):format(process.pid()), "^unix:@uring spec %d+$")
  end)

  it("take tables, and host and port", function()
    local server <close> = listen {host = "127.0.0.1", port = 0}
    local a <close> = assert(uring.connect("127.0.0.1", server:address().port))
    local b <close> = assert(server:accept())
    assert.equal(server:address().port, a:peer().port)
    assert.equal(server:address().port, b:address().port)
  end)

  it("say that an address is in use", function()
    local server <close> = listen()
    local text = tostring(server:address())
    fails("EADDRINUSE", "bind " .. text .. ": Address already in use", uring.listen(text))
    local tmp <close> = helper.tmpdir()
    local path = "unix:" .. tmp .. "/socket"
    local other <close> = listen(path)
    fails("EADDRINUSE", "bind " .. path .. ": Address already in use", uring.listen(path))
    assert.truthy(other)
  end)

  it("send small writes at once", function()
    local server <close> = listen()
    local a <close> = assert(uring.connect(server:address()))
    local b <close> = assert(server:accept())
    assert.equal(1, a:getopt "nodelay")
    assert.equal(1, b:getopt "nodelay")
    assert.is_true(b:setopt("nodelay", false))
    assert.equal(0, b:getopt "nodelay")
  end)

  it("outlive an on_error that fails itself", function()
    local before <const>, stderr <const>, text = uring.on_error, io.stderr, {}
    uring.on_error = function() error "no luck" end
    rawset(io, "stderr", {write = function(_, ...)
      text[#text + 1] = table.concat {...}
    end})
    local server = listen()
    local task = uring.spawn(server.serve, server, function(conn)
      if conn:read() == "fail" then error "handler" end
      conn:write "fine\n"
    end)
    for _, word in ipairs {"fail", "go on"} do
      local conn <close> = assert(uring.connect(server:address()))
      conn:write(word, "\n")
      assert.equal(word == "go on" and "fine" or nil, (conn:read()))
    end
    server:close()
    task:join()
    uring.on_error = before
    rawset(io, "stderr", stderr)
    assert.matches("on_error failed: .*no luck.*handler", table.concat(text))
  end)

  it("remove the file of a Unix socket when they are closed", function()
    local tmp <close> = helper.tmpdir()
    for _ = 1, 2 do
      local server = listen("unix:" .. tmp .. "/socket")
      assert.equal("socket", uring.op.statx(nil, tmp .. "/socket").type)
      server:close()
      fails("ENOENT", "statx " .. tmp .. "/socket: No such file or directory",
            uring.op.statx(nil, tmp .. "/socket"))
    end
  end)

  it("share an address with reuseport", function()
    local one <close> = listen("127.0.0.1:0", {reuseport = true})
    local two <close> = listen(tostring(one:address()), {reuseport = true})
    assert.equal(one:address().port, two:address().port)
  end)

  it("take an address again as soon as it is free", function()
    local port, again, message
    for _ = 1, 5 do                    -- another program may be faster
      do
        local server <close> = listen()
        port = server:address().port
        local a <close> = connect(server)
        local b <close> = assert(server:accept())
        b:close()
        assert.is_nil(a:read(1))
      end
      again, message = uring.listen("127.0.0.1:" .. port)
      if again then break end
    end
    local _ <close> = assert(again, message)
    assert.equal(port, again:address().port)
  end)

  it("say that nobody listens", function()
    local bound <close>, address = helper.nobody()
    assert.is_true(bound:isopen())
    local text = tostring(address)
    fails("ECONNREFUSED", "connect " .. text .. ": Connection refused", uring.connect(text))
    fails("ENOENT", "connect unix:/no/socket: No such file or directory",
          uring.connect "unix:/no/socket")
    fails("ECONNREFUSED", "connect unix:/: Connection refused", uring.connect "unix:/")
  end)

  it("close their socket at once when they fail", function()
    local server <close> = listen()
    local taken = tostring(server:address())
    collectgarbage "stop"
    local before = process.descriptors()
    local ok, err = pcall(function()
      for _ = 1, 5 do
        assert.is_nil((uring.listen(taken)))
        assert.is_nil((uring.connect "unix:/no/socket"))
        assert.is_nil((uring.listen "unix:/no/directory/socket"))
      end
      local task = uring.spawn(uring.connect, taken)
      uring.yield()
      task:cancel()
      local connected, stream = pcall(task.join, task)
      if connected then stream:close() end
      assert.same(before, process.descriptors())
    end)
    collectgarbage "restart"
    if not ok then error(err, 0) end
  end)

  it("say that the address is not this machine's", function()
    fails("EADDRNOTAVAIL", "bind 192.0.2.1:0: Cannot assign requested address",
          uring.listen "192.0.2.1:0")
  end)

  it("reject what is no address", function()
    for _, name in ipairs {"listen", "connect"} do
      for _, value in ipairs {"", "127.0.0.1", "127.0.0.1:x", "127.0.0.1:70000", "a:b:c", {}, 5,
                              true} do
        raises("bad argument #1 to '" .. name .. "' (", uring[name], value)
      end
      raises("bad argument #1 to '" .. name .. "' (", uring[name])
    end
    raises("bad argument #1 to 'connect' (", uring.connect, "127.0.0.1", "80x")
  end)

  it("give up at a deadline", function()
    local server <close> = listen("127.0.0.1:0", {backlog = 1})
    local streams = {}
    local function fill()              -- nobody accepts: the queue is full soon
      for _ = 1, 10 do
        local s, message, code = uring.timeout(0.1, uring.connect, server:address())
        if not s then return message, code end
        streams[#streams + 1] = s
      end
    end
    local message, code = fill()
    for _, s in ipairs(streams) do s:close() end
    assert.equal("timed out", message)
    assert.equal(errno.ETIMEDOUT, code)
  end)
end)

describe("accept", function()
  it("is woken by close, with nil, 'closed', ECANCELED", function()
    local server = listen()
    local accepting = uring.spawn(server.accept, server)
    uring.sleep(0.002)
    assert.is_true(server:close())
    closed(accepting:join())
    closed(server:accept())
    closed(server:address())
    assert.is_true(server:close())
    assert.equal("uring.server (closed)", tostring(server))
  end)

  it("takes connections in the order they came", function()
    local server <close> = listen()
    local clients = {}
    for i = 1, 5 do clients[i] = connect(server) end
    for i = 1, 5 do
      local conn <close> = assert(server:accept())
      assert.equal(clients[i]:address().port, conn:peer().port)
      clients[i]:close()
    end
  end)

  it("works in several tasks at once", function()
    local server <close> = listen()
    local n = 0
    for _ = 1, 5 do
      uring.spawn(function()
        local conn <close> = assert(server:accept())
        n = n + 1
        assert(conn:write "x")
      end)
    end
    for _ = 1, 5 do
      local a <close> = connect(server)
      assert.equal("x", a:read "a")
    end
    assert.equal(5, n)
  end)
end)

describe("serve", function()
  it("runs a handler in a task of its own for each connection", function()
    serving(echo, function(server)
      local list = {}
      for i = 1, 10 do list[i] = connect(server) end
      for i = 10, 1, -1 do assert(list[i]:write(i, "\n")) end
      for i = 1, 10 do
        assert.equal(tostring(i), list[i]:read())
        list[i]:close()
      end
    end)
  end)

  it("closes the connection when its handler returns", function()
    local kept
    serving(function(conn)
      kept = conn
      conn:write "bye"
    end, function(server)
      local a <close> = connect(server)
      assert.equal("bye", a:read "a")
      closed(kept:read())
    end)
  end)

  it("gives the handler the peer's address", function()
    serving(function(conn) conn:write(tostring(conn:peer())) end, function(server)
      local a <close> = connect(server)
      assert.equal(tostring(a:address()), a:read "a")
    end)
  end)

  it("reports an error in a handler, and goes on", function()
    local function culprit(value) error(value) end
    local value = {}
    local errors = reported(function()
      serving(function(conn)
        local line = conn:read()
        if line == "string" then culprit "oops" end
        if line == "table" then culprit(value) end
        if line == "scope" then
          uring.scope(function(s)
            s:spawn(function() uring.sleep(0.001) culprit "deep" return 1 end)
          end)
        end
        conn:write "fine"
      end, function(server)
        local other <close> = connect(server)
        for _, line in ipairs {"string", "table", "scope"} do
          local a <close> = connect(server)
          assert(a:write(line, "\n"))
          assert.is_nil(a:read(1))
        end
        assert(other:write "x\n")
        assert.equal("fine", other:read "a")
      end)
    end)
    assert.equal(3, #errors)
    assert.matches("net_spec.lua:%d+: oops$", errors[1].value)
    assert.is_true(rawequal(value, errors[2].value))
    assert.matches("net_spec.lua:%d+: deep$", errors[3].value)
    for _, report in ipairs(errors) do
      assert.matches("in upvalue 'culprit'", report.traceback, 1, true)
      assert.matches("uring.task", tostring(report.task))
    end
  end)

  it("writes errors to the standard error unless told otherwise", function()
    local output, status = helper.script [[
      local uring = require "uring"
      uring.run(function()
        local server = assert(uring.listen "127.0.0.1:0")
        local serving = uring.spawn(server.serve, server, function() error "handler failed" end)
        local a <close> = assert(uring.connect(server:address()))
        assert(a:read(1) == nil)
        server:close()
        assert(serving:join())
        io.stderr:write "end\n"
      end)
    ]]
    assert.matches("^uring: [^\n]*: handler failed\nstack traceback:\n.*end\n$", output)
    assert.equal(0, status)
  end)

  it("returns when the server is closed and the handlers have ended", function()
    local server <close> = listen()
    local finished
    local task = uring.spawn(server.serve, server, function(conn)
      assert.equal("go on", conn:read())
      uring.sleep(0.002)
      conn:write "done"
      finished = true
    end)
    local a <close> = connect(server)
    uring.sleep(0.002)
    server:close()
    uring.sleep(0.002)
    assert.equal("waiting", task:status())
    assert(a:write "go on\n")
    assert.equal("done", a:read "a")
    assert.is_true(task:join())
    assert.is_true(finished)
  end)

  it("can be closed by a handler", function()
    local server <close> = listen()
    local task = uring.spawn(server.serve, server, function(conn)
      server:close()
      conn:write "closed"
    end)
    local a <close> = connect(server)
    assert.equal("closed", a:read "a")
    assert.is_true(task:join())
    assert.is_true(server:serve(print))
  end)

  it("ends its handlers when it is cancelled", function()
    local server <close> = listen()
    local began, ended = 0, 0
    local clients = {}
    local _, message = uring.scope(function(s)
      s:spawn(server.serve, server, function(conn)
        local _ <close> = setmetatable({}, {__close = function() ended = ended + 1 end})
        began = began + 1
        conn:read "a"
      end)
      for i = 1, 3 do clients[i] = connect(server) end
      helper.eventually(function() return began == 3 end)
      s:cancel "enough"
      uring.sleep(1000)
    end)
    assert.equal("enough", message)
    assert.equal(3, ended)
    for i = 1, 3 do
      assert.is_nil((clients[i]:read(1)))
      clients[i]:close()
    end
  end)

  it("needs a function", function()
    local server <close> = listen()
    raises("bad argument #1 to 'serve' (function expected, got nil)", server.serve, server)
    raises("bad argument #1 to 'serve' (function expected, got table)", server.serve, server, {})
  end)

  it("waits when there are no descriptors left, and goes on", function()
    serving(echo, function(server)
      local first <close> = connect(server)
      assert(first:write "x")
      assert.equal("x", first:read(1))
      -- The accept in flight has the old limit; its connection, this end of
      -- it, and this end of the next one take what there is.
      local limit = process.limit_files(limit_of(3))
      local spare, second
      local ok, err = pcall(function()
        spare = connect(server)
        assert(spare:write "x")
        assert.equal("x", spare:read(1))
        second = connect(server)
        assert(second:write "y")
        local operations = uring.ring():stats().submitted
        uring.sleep(0.03)              -- it does not try all the time
        assert.is_true(uring.ring():stats().submitted - operations < 20)
        assert(first:write "z")        -- others are served meanwhile
        assert.equal("z", first:read(1))
        assert.is_nil((uring.timeout(0.01, second.readsome, second)))
      end)
      process.limit_files(limit)
      if not ok then error(err, 0) end
      local _ <close> = helper.closing(spare, second)
      assert.equal("y", second:read(1))
    end)
  end)

  it("is not harmed by clients that disconnect in the middle of anything", function()
    local big = ("x"):rep(1000000)
    local function lines(conn)
      for line in conn:lines() do
        if line == "big" then
          if not conn:write(big) then return end
        elseif not conn:write(line, "\n") then
          return
        end
      end
    end
    -- What a bad client does before it goes, gracefully or by a reset.
    local deeds = {
      function() end,
      function(c) c:write "half a line" end,
      function(c) c:write "line\n" end,
      function(c) c:write "line\n" c:read(2) end,
      function(c) c:write "big\n" end,
      function(c) c:write "big\n" c:read(1000) end,
      function(c) c:write(("big\n"):rep(20)) c:read(10) end,
      function(c) c:shutdown() end,
      function(c) c:write "half" c:shutdown() end,
      function(c) c:write "line\n" c:shutdown "both" end,
      function(c) uring.timeout(0.001, c.write, c, big) end,
      function(c)
        uring.spawn(function() c:read "a" end)
        uring.yield()
      end
    }
    local errors = reported(function()
      serving(lines, function(server)
        local going, messages = true, 0
        local good = uring.spawn(function()
          local c <close> = connect(server)
          while going do
            messages = messages + 1
            assert(c:write("ping ", messages, "\n"))
            assert.equal("ping " .. messages, c:read())
          end
        end)
        uring.each(coroutine.wrap(function()
          for round = 1, helper.scale(8) do
            for i = 1, #deeds do coroutine.yield(i, round) end
          end
        end), 10, function(i, round)
          local c <close> = connect(server)
          if round % 2 == 0 then c:setopt("linger", 0) end
          deeds[i](c)
        end)
        going = false
        good:join()
        assert.is_true(messages > 1)
      end)
    end)
    -- lines() raises where the peer has reset the connection: that and no more
    for _, report in ipairs(errors) do
      assert.matches("Connection reset by peer", report.value)
    end
  end)
end)

describe("many connections", function()
  -- n clients of an echo server, each running f(client, i).
  local function clients(n, f)
    serving(echo, function(server)
      uring.scope(function(s)
        for i = 1, n do
          s:spawn(function()
            local c <close> = connect(server)
            f(c, i)
          end)
        end
      end)
    end, "127.0.0.1:0", {backlog = 1024})
  end

  it("500 of them send 64 bytes back and forth", function()
    local n, rounds = helper.scale(500), helper.scale(40)
    local messages = 0
    clients(n, function(c, i)
      for j = 1, rounds do
        local message = ("%8d%8d"):format(i, j):rep(4)
        assert(c:write(message))
        assert.equal(message, c:readexact(64))
        messages = messages + 1
      end
    end)
    assert.equal(n * rounds, messages)
  end, 60)

  it("50 of them stream blocks of 64 KiB", function()
    local n, blocks = helper.scale(50), helper.scale(20)
    local unit = {}
    for i = 0, 8191 do unit[#unit + 1] = ("%08x"):format(i * 2654435761 & 0xffffffff) end
    unit = table.concat(unit)
    clients(n, function(c, i)
      local block = unit:sub(i + 1) .. unit:sub(1, i)
      uring.spawn(function()
        for _ = 1, blocks do assert(c:write(block)) end
        assert(c:shutdown())
      end)
      for _ = 1, blocks do assert.is_true(c:readexact(#block) == block) end
      assert.is_nil(c:read(1))
    end)
  end, 60)

  it("leave the memory flat", function()
    serving(echo, function(server)
      local list = {}
      for i = 1, helper.scale(100) do list[i] = connect(server) end
      local function go(rounds)
        for _ = 1, rounds do
          uring.scope(function(s)
            for _, c in ipairs(list) do
              s:spawn(function()
                assert(c:write(("x"):rep(64)))
                assert.equal(64, #c:readexact(64))
              end)
            end
          end)
        end
        collectgarbage()
        collectgarbage()
        return collectgarbage "count"
      end
      local before = go(5)
      local after = go(helper.scale(60))
      for _, c in ipairs(list) do c:close() end
      assert.is_true(after - before < 50, ("%.0f KiB more"):format(after - before))
    end)
  end, 60)

  it("come and go, and nothing is left", function()
    serving(echo, function(server)
      local function go(n)
        for i = 1, n do
          local c <close> = connect(server)
          assert(c:write(i, "\n"))
          assert.equal(tostring(i), c:read())
        end
        uring.sleep(0.01)
        collectgarbage()
        collectgarbage()
        return collectgarbage "count"
      end
      local before = go(20)
      local after = go(helper.scale(500))
      assert.is_true(after - before < 50, ("%.0f KiB more"):format(after - before))
    end)
  end, 60)

  it("5,000 idle ones stay open while one works", function()
    local n = helper.scale(helper.torture and 400 or 5000)
    local ok, limit = pcall(process.limit_files, 2 * n + 100)
    if not ok then
      n = 200
      limit = process.limit_files(500)
    end
    serving(echo, function(server)
      local list = {}
      for i = 1, n do list[i] = connect(server) end
      local worker <close> = connect(server)
      for i = 1, helper.scale(500) do
        local message = ("%64d"):format(i)
        assert(worker:write(message))
        assert.equal(message, worker:readexact(64))
      end
      for i = 1, n do
        if i % 100 == 1 then
          assert(list[i]:write "still there")
          assert.equal("still there", list[i]:readexact(11))
        end
        list[i]:close()
      end
    end, "127.0.0.1:0", {backlog = 1024})
    process.limit_files(limit)
  end, 60)
end)
