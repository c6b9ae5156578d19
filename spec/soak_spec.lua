-- Random operations, spawns, cancellations and deadlines over sockets, pipes,
-- channels and a file: at the end nothing is left and nothing is lost.
--
-- URING_SOAK is how many (100,000), URING_SEED repeats one that has failed.

local uring = require "uring"
local core = require "uring.core"
local helper = require "spec.helper"
local system = require "spec.system" -- spec/support/system.c

local op <const> = uring.op

local COUNT <const> = tonumber(os.getenv "URING_SOAK") or helper.scale(100000)
local SEED <const> = helper.seed()
local random <const> = helper.random(SEED)

local text <const> = ("0123456789abcdef"):rep(4096)

-- A direction of bytes: what was sent must be received.
local function stream(r, w, receive, send)
  local s = { sent = 0, received = 0 }
  function s.put()
    local n = send(w, text:sub(1, random(20000)))
    if n then s.sent = s.sent + n end
  end
  function s.get()
    local data = receive(r, random(20000))
    if data then s.received = s.received + #data end
  end
  function s.drain()
    while system.ready(r) do s.received = s.received + #receive(r, 65536) end
  end
  return s
end

local function channel(size)
  local c = uring.channel(size)
  local s = { sent = 0, received = 0 }
  function s.put()
    local n = random(100)
    if c:send(n) then s.sent = s.sent + n end
  end
  function s.get()
    local n = c:recv()
    if n then s.received = s.received + n end
  end
  function s.drain()
    for n in function() return c:try_recv() end do s.received = s.received + n end
  end
  return s
end

local function file(path)
  local fd = assert(op.openat(nil, path, core.O_RDWR | core.O_CREAT, 384))
  local size <const> = 100000
  assert(op.write(fd, ("x"):rep(size), nil, 0))
  local s = { sent = 0, received = 0 }
  function s.put()
    local at = random(size - 16) // 16 * 16
    op.write(fd, text:sub(1, 16), nil, at)
  end
  function s.get()
    local at = random(size - 16) // 16 * 16
    local data = op.read(fd, 16, at)
    if data and data ~= text:sub(1, 16) and data ~= ("x"):rep(16) then
      error("the file has " .. data .. " at " .. at)
    end
  end
  function s.drain() fd:close() end
  return s
end

-- Something that needs no partner.
local others <const> = {
  uring.yield,
  function() uring.sleep(random(10) / 10000) end,
  function() op.nop() end,
  function() op.timeout(random(10) / 10000) end,
  function()
    local fd <close> = op.openat(nil, "/dev/null", 0)
    return fd and op.read(fd, 10)
  end,
  function()
    local fd <close> = op.socket(core.AF_INET, core.SOCK_STREAM)
    return fd and op.poll_add(fd, core.POLLIN)
  end,
  function() uring.all { op.nop, uring.yield, function() uring.sleep(0.0001) end } end,
  function() uring.race { op.nop, function() uring.sleep(1000) end } end,
  function() uring.select { uring.channel(), function() uring.sleep(0.0002) end, 0.0003 } end,
  function() uring.shield(uring.sleep, 0.0001) end,
  function()
    local f = uring.coroutine.wrap(function()
      for i = 1, 3 do
        op.nop()
        uring.coroutine.yield(i)
      end
    end)
    f()
    f()
  end,
}

-- How something is done: to its end, or not.
local ways <const> = {
  function(f) uring.timeout(random(20) / 10000, f) end,
  function(f) uring.timeout(0, f) end,
  function(f) uring.timeout(0.001, uring.timeout, random(20) / 10000, f) end,
  function(f)
    local task = uring.spawn(f)
    for _ = 1, random(5) - 1 do uring.yield() end
    task:cancel()
    if random(2) == 1 then pcall(task.join, task) end
  end,
  function(f)
    uring.scope(function(s)
      for _ = 1, random(3) do s:spawn(f) end
      for _ = 1, random(4) - 1 do uring.yield() end
      s:cancel()
    end)
  end,
  function(f)
    uring.scope(function(s)
      local task = s:spawn(function() uring.timeout(0.002, f) end)
      uring.sleep(random(10) / 10000)
      task:cancel()
      task:cancel()
    end)
  end,
}

describe("a soak", function()
  helper.scoped(("of %d operations, seed %d, leaves nothing and loses nothing")
      :format(COUNT, SEED), function()
    local dir <close> = helper.tmpdir()
    local parties, fds = {}, {}
    for _ = 1, 3 do
      local r, w = core.sock.pipe()
      local a, b = core.sock.socketpair(core.AF_UNIX, core.SOCK_STREAM)
      for _, fd in ipairs { r, w, a, b } do fds[#fds + 1] = fd end
      parties[#parties + 1] = stream(r, w, op.read, function(fd, s) return op.write(fd, s) end)
      parties[#parties + 1] = stream(a, b, op.recv, op.send)
      parties[#parties + 1] = stream(b, a, op.recv, op.send)
      parties[#parties + 1] = channel(random(4) - 1)
    end
    parties[#parties + 1] = file(dir .. "/file")
    local left = COUNT
    local ok, err = pcall(uring.scope, function(s)
      for _ = 1, 32 do
        s:spawn(function()
          while left > 0 do
            left = left - 1
            local what = random(3)
            local party = parties[random(#parties)]
            local f = what == 1 and party.put or what == 2 and party.get
              or others[random(#others)]
            ways[random(#ways)](f)
          end
        end)
      end
    end)
    local function check()
      if not ok then error(err, 0) end
      for i, party in ipairs(parties) do
        party.drain()
        assert.equal(party.sent, party.received, "party " .. i)
      end
    end
    local good, why = pcall(check)
    for _, fd in ipairs(fds) do fd:close() end
    if not good then error(("%s\nURING_SEED=%d"):format(tostring(why), SEED), 0) end
  end, 60 + COUNT / 200)
end)
