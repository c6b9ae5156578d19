-- A matrix of cases: every moment at which a wait may be cancelled or its
-- deadline may expire.  Nothing leaks, nothing hangs, no result is lost.
--
--   moments.kind(name, new, options)
--
-- new() is a wait with what it needs: { wait = f() -> what it waits for;
-- complete = f(), which lets it end, once; check = f(value), with what the wait
-- has returned or nil, after complete: that nothing was lost }.  What is in it
-- is closed when it goes out of scope.  Options: instant, it may end before
-- anybody can cancel it; endless, nothing lets it end but its cancellation; needs,
-- an operation that the kernel may lack; entries, what the ring's queue must have.

local busted = require "busted"
local uring = require "uring"
local core = require "uring.core"
local helper = require "spec.helper"
local system = require "spec.system" -- spec/support/system.c

local assert <const>, describe <const> = busted.assert, busted.describe
local errno <const>, op <const> = uring.errno, uring.op

local moments = {}

local function is_cancelled(ok, value) return not ok and value == uring.cancelled end

-- A wait, and what is to be closed after it.
function moments.scene(t, ...)
  local things = { ... }
  return setmetatable(t, { __close = function()
    for _, thing in ipairs(things) do thing:close() end
  end })
end

function moments.nothing() end

-- What can be read from r at once, or nearly; all that is there, though the
-- thread of SQPOLL may take its time.
function moments.drain(read, r)
  local parts = {}
  while true do
    local data = uring.timeout(0.002, read, r, 65536)
    if data == "" or not data and not system.ready(r) then return table.concat(parts) end
    parts[#parts + 1] = data
  end
end

-- TCP with queues that do not grow, and an answer to each segment at once: who
-- reads, who writes.
function moments.small_pair()
  local listener <close> = assert(op.socket(core.AF_INET, core.SOCK_STREAM))
  assert(core.sock.setsockopt(listener, nil, "rcvbuf", 16384))
  assert(core.sock.bind(listener, "127.0.0.1:0"))
  assert(core.sock.listen(listener, 1))
  local w = assert(op.socket(core.AF_INET, core.SOCK_STREAM))
  assert(core.sock.setsockopt(w, nil, "sndbuf", 16384))
  assert(op.connect(w, core.sock.getsockname(listener)))
  local r = assert(op.accept(listener))
  assert(core.sock.setsockopt(r, "tcp", "quickack", 1))
  return r, w
end

-- Has the other side answered all that was sent?  Its answer makes room.
local function answered(w)
  if core.sock.getsockopt(w, nil, "domain") ~= core.AF_INET then return true end
  return string.unpack("I4", core.sock.getsockopt(w, "tcp", core.TCP_INFO, 104), 25) == 0
end

-- Sends until there is no room, and none to come; the number of bytes.
function moments.fill(send, w, chunk)
  local total = 0
  while true do
    local stays <const> = answered(w)
    local n <const> = uring.timeout(0.002, send, w, chunk)
    if not n and stays and not system.ready(w, true) then return total end
    total = total + (tonumber(n) or 0)
  end
end

-- A wait for a connection to a listener of its own, cancelled at any
-- moment: it is delivered, still in the queue, or closed; never lost.
-- accept(listener) is the wait, take(listener) accepts what is in the queue.
-- listen() is a listener, its address, and what else to close.
function moments.acceptor(accept, take, listen)
  local client
  local listener, address, other = (listen or helper.listener)()
  return moments.scene({
    wait = function() return (accept(listener)) end,
    complete = function()
      client = assert(op.socket(core.AF_INET, core.SOCK_STREAM))
      assert(op.connect(client, address))
    end,
    check = function(conn)
      local _ <close> = client
      local data, message, code
      helper.eventually(function()       -- one of the two will be seen
        conn = conn or uring.timeout(0.003, take, listener)
        if not conn then data, message, code = uring.timeout(0.003, op.recv, client, 10) end
        return conn or code ~= errno.ETIMEDOUT
      end)
      if conn then
        local _ <close> = conn
        assert.equal(2, op.send(conn, "hi"))
        assert.equal("hi", op.recv(client, 10))
      else
        assert.is_true(data == "" or code == errno.ECONNRESET, data or message)
      end
    end,
  }, listener, other)
end

-- A task that does the wait; what it has got is in 'got' then.
local function start(s)
  local got = {}
  got.task = uring.spawn(function()
    got.value = s.wait()
    uring.sleep(0)                       -- raises when it was cancelled
  end)
  return got
end

local function finish(got)
  local ok, value = pcall(got.task.join, got.task)
  assert(ok or value == uring.cancelled, value)
  return ok
end

function moments.kind(name, new, options)
  local instant <const> = options and options.instant
  local needs <const> = options and options.needs
  local endless <const> = options and options.endless
  local it = helper.scoped
  if needs and not assert(core.default()):supports(needs) then it = helper.needs(needs) end
  if options and options.entries and core.default().sq_entries < options.entries then
    it = function(title)
      busted.pending(("%s (a chain of %d does not fit into the queue of this ring)")
        :format(title, options.entries))
    end
  end

  describe(name, function()
    it("cancelled before it starts", function()
      local s <close> = new()
      local got = start(s)
      got.task:cancel()
      assert.is_false(finish(got))
      if not instant then assert.is_nil(got.value) end
      s.complete()
      s.check(got.value)
    end)

    it("cancelled in a task that is cancelled", function()
      local s <close> = new()
      local value
      local task = uring.spawn(function()
        pcall(uring.sleep, 1000)
        for _ = 1, 2 do
          local ok, result = pcall(s.wait)
          if ok then value = value or result else assert(is_cancelled(ok, result), result) end
        end
      end)
      uring.yield()
      task:cancel()
      task:join()
      if not instant then assert.is_nil(value) end
      s.complete()
      s.check(value)
    end)

    it("cancelled while it waits", function()
      local s <close> = new()
      local got = start(s)
      uring.sleep(0.001)
      got.task:cancel()
      assert(not finish(got) or instant)
      s.complete()
      s.check(got.value)
    end)

    it("cancelled twice", function()
      for turns = 0, 2 do
        local s <close> = new()
        local got = start(s)
        uring.yield()
        got.task:cancel "one"
        for _ = 1, turns do uring.yield() end
        got.task:cancel "two"
        assert(not finish(got) or instant)
        s.complete()
        s.check(got.value)
      end
    end)

    it("cancelled when its scope is, too", function()
      local s <close> = new()
      local value
      uring.scope(function(scope)
        local task = scope:spawn(function() value = s.wait() end)
        uring.yield()
        task:cancel()
        scope:cancel()
      end)
      s.complete()
      s.check(value)
    end)

    it("cancelled in the turn of its completion", function()
      for turns = 0, 3 do
        for order = 1, 2 do
          local s <close> = new()
          local got = start(s)
          for _ = 1, turns do uring.yield() end
          if order == 1 then
            got.task:cancel()
            s.complete()
          else
            s.complete()
            got.task:cancel()
          end
          finish(got)
          s.check(got.value)
        end
      end
    end)

    it("cancelled from another task while its completion is on the way", function()
      for turns = 0, 3 do
        local s <close> = new()
        local got = start(s)
        uring.yield()
        local other = uring.spawn(function()
          for _ = 1, turns do uring.yield() end
          got.task:cancel()
        end)
        s.complete()
        other:join()
        finish(got)
        s.check(got.value)
      end
    end)

    it("with a deadline of 0", function()
      local s <close> = new()
      local value, message, code = uring.timeout(0, s.wait)
      if value == nil and not instant then
        assert.equal("timed out", message)
        assert.equal(errno.ETIMEDOUT, code)
      end
      s.complete()
      s.check(value or nil)
    end)

    it("with a deadline that expires while it waits", function()
      local s <close> = new()
      local value, message = uring.timeout(0.001, uring.timeout, 1000, s.wait)
      if value == nil and not instant then assert.equal("timed out", message) end
      s.complete()
      s.check(value or nil)
    end)

    it("with a deadline that expires in the turn of its completion", function()
      for i = -1, 3 do
        local s <close> = new()
        local seconds = 0.0008
        local other = uring.spawn(function()
          uring.sleep(seconds + i * 0.00005)
          s.complete()
        end)
        local value = uring.timeout(seconds, s.wait)
        other:join()
        s.check(value or nil)
      end
    end)

    it("cancelled outside a shield, in which it goes on", function()
      local s <close> = new()
      local got = {}
      got.task = uring.spawn(function()
        got.value = endless and uring.shield(uring.timeout, 0.002, s.wait)
          or uring.shield(s.wait)
        uring.sleep(0)
      end)
      uring.yield()
      got.task:cancel()
      uring.yield()
      local closer = uring.spawn(s.complete)
      assert.is_false(finish(got))
      closer:join()
      if not endless then assert.truthy(got.value) end
      s.check(got.value)
    end)

    it("cancelled while its deadline expires", function()
      for i = -1, 1 do
        local s <close> = new()
        local value
        local task = uring.spawn(function()
          value = uring.timeout(0.0008, s.wait)
          uring.sleep(0)
        end)
        uring.sleep(0.0008 + i * 0.0001)
        task:cancel()
        pcall(task.join, task)
        s.complete()
        s.check(value or nil)
      end
    end)
  end)
end

return moments
