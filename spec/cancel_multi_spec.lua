-- Multishot operations and chains, cancelled at every moment: see moments.lua.

local uring = require "uring"
local core = require "uring.core"
local helper = require "spec.helper"
local moments = require "spec.moments"

local op <const> = uring.op
local kind <const>, scene <const>, drain <const> = moments.kind, moments.scene, moments.drain
local nothing <const> = moments.nothing

local function socketpair()
  return core.sock.socketpair(core.AF_UNIX, core.SOCK_STREAM)
end

-- ---- multishots -------------------------------------------------------------

-- What an iterator has got and nobody has taken waits for the next who asks.
local function kept(it, value)
  if value == nil then value = uring.timeout(5, it) end
  return (assert(value))
end

kind("a multishot accept", function()
  local listener, address = helper.listener()
  local it = op.accept_multishot(listener)
  local client
  return scene({
    wait = function() return (it()) end,
    complete = function()
      client = assert(op.socket(core.AF_INET, core.SOCK_STREAM))
      assert(op.connect(client, address))
    end,
    check = function(conn)
      local _ <close> = client
      conn = kept(it, conn)
      local _ <close> = conn
      assert.equal(2, op.send(conn, "hi"))
      assert.equal("hi", op.recv(client, 10))
    end,
  }, it, listener)
end)

-- The iterator goes with the task: the connection is delivered, in the queue,
-- or closed.
kind("a loop over a multishot accept", function()
  return moments.acceptor(function(listener)
    for conn in op.accept_multishot(listener) do return conn end -- luacheck: ignore 512
  end, op.accept)
end)

-- A multishot that receives "data".
local function receiver(make, start, send)
  return function()
    local r, w = make()
    local it = start(r)
    return scene({
      wait = function() return (it()) end,
      complete = function() assert.equal(4, send(w, "data")) end,
      check = function(data) assert.equal("data", kept(it, data)) end,
    }, it, r, w)
  end
end

kind("a multishot recv", receiver(socketpair, op.recv_multishot, op.send))
kind("a multishot recv on TCP", receiver(helper.pair, op.recv_multishot, op.send))
kind("a multishot recv in a coroutine", receiver(socketpair, function(fd)
  local it = op.recv_multishot(fd)
  return setmetatable({ close = function() return it:close() end }, {
    __call = function() return uring.coroutine.wrap(function() return it() end)() end,
  })
end, op.send))
kind("a multishot read", receiver(core.sock.pipe, op.read_multishot, op.write),
  { needs = "read_multishot" })
kind("a multishot recvmsg", receiver(socketpair, function(fd)
  return op.recvmsg_multishot(fd)
end, op.send))

kind("a multishot poll", function()
  local r, w = core.sock.pipe()
  local it = op.poll_multishot(r, core.POLLIN)
  return scene({
    wait = function() return (it()) end,
    complete = function() assert.equal(1, op.write(w, "x")) end,
    check = function(events) assert.equal(core.POLLIN, kept(it, events)) end,
  }, it, r, w)
end)

kind("a multishot timeout", function()
  local it = op.timeout_multishot(0.003, 1)
  return scene({
    wait = function() return (it()) end,
    complete = function() uring.sleep(0.003) end,
    check = function(fired) kept(it, fired) end,
  }, it)
end, { needs = "timeout_multishot" })

kind("the end of a multishot", function()
  local listener = helper.listener()
  local it = op.accept_multishot(listener)
  return scene({
    wait = function() return it:close() end,
    complete = nothing,
    check = function()
      assert.is_true(it:close())
      assert.is_nil((it()))
    end,
  }, listener)
end, { instant = true })

-- ---- chains -----------------------------------------------------------------

-- A chain of which something was done returns, with what was, although it was
-- cancelled; then the wait here is false.
local function chain(link)
  return function()
    local r, w = core.sock.pipe()
    return scene({
      wait = function()
        local results = link(function(c)
          c:read(r, 100)
          c:nop()
        end)
        return type(results[1]) == "string" and results[1]
      end,
      complete = function() assert.equal(4, op.write(w, "data")) end,
      check = function(value) assert.equal("data", (value or "") .. drain(op.read, r)) end,
    }, r, w)
  end
end

kind("a chain", chain(op.link))
kind("a hard chain", chain(op.hardlink))

-- Its first operation is done while the last one waits: that is told.
local function begun(link)
  return function()
    local r, w = core.sock.pipe()
    local r2, w2 = core.sock.pipe()
    local taken = ""
    assert.equal(5, op.write(w2, "first"))
    return scene({
      wait = function()
        local results = link(function(c)
          c:read(r2, 3)
          c:read(r, 100)
        end)
        taken = taken .. (type(results[1]) == "string" and results[1] or "")
        return type(results[2]) == "string" and results[2]
      end,
      complete = function() assert.equal(4, op.write(w, "data")) end,
      check = function(value)
        assert.equal("data", (value or "") .. drain(op.read, r))
        assert.equal("first", taken .. drain(op.read, r2))
      end,
    }, r, w, r2, w2)
  end
end

kind("a chain that has begun", begun(op.link), { entries = 3 })
kind("a hard chain that has begun", begun(op.hardlink), { entries = 3 })

kind("a chain with a deadline of its own", function()
  local r, w = core.sock.pipe()
  return scene({
    wait = function()
      local results = op.link(function(c)
        c:read(r, 100)
        c:link_timeout(1000)
      end)
      return type(results[1]) == "string" and results[1] or nil
    end,
    complete = function() assert.equal(4, op.write(w, "data")) end,
    check = function(value) assert.equal("data", (value or "") .. drain(op.read, r)) end,
  }, r, w)
end)

kind("a chain that accepts", function()
  return moments.acceptor(function(listener)
    local results = op.link(function(c)
      c:accept(listener)
      c:nop()
    end)
    local conn = results[1]
    return type(conn) == "table" and conn[1] or type(conn) == "userdata" and conn or nil
  end, op.accept)
end)
