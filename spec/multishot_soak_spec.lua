-- Connections, multishots, borrowed buffers, chains and cancellations at any
-- moment, on rings of all kinds: nothing hangs, nothing is left.

local core = require "uring.core"
local helper = require "spec.helper"

local op <const>, sock <const> = core.op, core.sock
local random <const> = math.random

-- What a server's task does with its connection.
local habits <const> = {
  function(conn) -- echoes, and goes at some time
    for data in op.recv_multishot(conn) do
      if random(6) == 1 then break end
      if random(4) == 1 then core.yield() end
      op.send(conn, data)
    end
  end,
  function(conn, br) -- forgets some of what it has borrowed
    for buffer in op.recv_multishot(conn, br) do
      if random(3) > 1 then buffer:release() end
      if random(8) == 1 then break end
      if random(3) == 1 then core.sleep(0.0002) end
    end
  end,
  function(conn)
    local data
    repeat data = op.recv(conn, 1000) until not data or data == ""
  end,
  function(conn)
    op.link(function(c)
      c:recv(conn, 10)
      c:link_timeout(0.001)
    end)
    local it <close> = op.poll_multishot(conn, core.POLLIN)
    it()
  end,
}

local function serve(ring, fd, br, tasks)
  for conn in op.accept_multishot(fd) do
    tasks[#tasks + 1] = ring:spawn(function()
      local mine <close> = conn
      habits[random(#habits)](mine, br)
    end)
  end
end

local function talk(address)
  local fd <close> = assert(op.socket(core.AF_INET, core.SOCK_STREAM))
  if not op.connect(fd, address) then return end
  for _ = 1, random(6) do
    if not op.send(fd, ("d"):rep(random(200))) then return end
    if random(3) == 1 then core.sleep(0.0003) end
  end
  if random(3) == 1 then op.shutdown(fd, "write") end
end

-- Ends all of them; only a cancellation is an error.
local function stop(tasks)
  for _, task in ipairs(tasks) do task:cancel() end
  for _, task in ipairs(tasks) do
    local ok, err = pcall(task.join, task)
    assert(ok or tostring(err):find "cancelled", err)
  end
end

local function round(ring)
  local br <close> = assert(ring:setup_buf_ring(4, 1,
    random(2) == 1 and core.IOU_PBUF_RING_INC or 0, 32))
  local fd <close> = assert(op.socket(core.AF_INET, core.SOCK_STREAM))
  assert(sock.bind(fd, "127.0.0.1:0"))
  assert(sock.listen(fd, 64))
  local address <const> = assert(sock.getsockname(fd))
  local tasks <const> = {}
  local server = ring:spawn(serve, ring, fd, br, tasks)
  for _ = 1, 40 do
    tasks[#tasks + 1] = ring:spawn(talk, address)
    if random(3) == 1 then tasks[random(#tasks)]:cancel() end
    if random(5) == 1 then core.yield() end
  end
  core.sleep(0.002)
  if random(4) == 1 then fd:close() end
  stop { server }
  if random(4) == 1 then return false end -- the ring is closed under them
  stop(tasks)
  collectgarbage()
  collectgarbage()
  assert.equal(4, br:available())
  return true
end

describe("multishots, buffers and chains together", function()
  for _, config in ipairs(helper.configs) do
    helper.main_it(("leave nothing on a %s ring"):format(config[1]), function()
      for seed = 1, helper.scale(8) do
        math.randomseed(seed)
        local ring <close> = assert(core.ring(config[2]))
        if helper.finish(ring, ring:spawn(round, ring)) then assert(helper.idle(ring)) end
      end
    end)
  end
end)
