-- What oom.c runs: multishots and provided buffers.  Bytes and connections
-- that came are there, or an error says that they are not.

local core = require "uring.core"
local op, sock = core.op, core.sock

assert(core.default())
op.nop()

-- What an iterator has brought: "1 2 3 ...", without a gap.
local function check(list, n, complete)
  for i, item in ipairs(list) do
    if item ~= ("%03d"):format(i) then broken("lost before " .. item) end
  end
  if complete and #list ~= n then broken "an iterator has ended too early" end
end

local function datagrams(n)
  local a, b = assert(sock.socketpair(core.AF_UNIX, core.SOCK_DGRAM))
  for i = 1, n do
    assert(op.send(a, ("%03d"):format(i)))
  end
  return a, b
end

arm(true)

do -- accept: more than the first size of the queue; some are not taken
  local fd <close> = assert(op.socket(core.AF_INET, core.SOCK_STREAM))
  assert(sock.bind(fd, "127.0.0.1:0"))
  assert(sock.listen(fd, 64))
  local address = assert(sock.getsockname(fd))
  local clients = {}
  for i = 1, 12 do
    clients[i] = assert(op.socket(core.AF_INET, core.SOCK_STREAM))
    assert(op.connect(clients[i], address))
  end
  local it <close> = op.accept_multishot(fd)
  op.nop()
  for _ = 1, 10 do
    local conn, message = it()
    assert(conn, message)
    conn:close()
  end
  for _, client in ipairs(clients) do client:close() end
end

do -- receive, from the pool: all that came is delivered before an error is
  local a, b = datagrams(20)
  local got = {}
  local it <close> = op.recv_multishot(b)
  op.nop()
  local data, message
  repeat
    data, message = it()
    got[#got + 1] = data
  until not data or #got == 20
  check(got, 20, not message)
  assert(data, message)
  a:close()
  b:close()
end

do -- into a buffer ring, and in pieces of its buffers
  local ring = core.default()
  for _, flags in ipairs { 0, core.IOU_PBUF_RING_INC } do
    local a, b = datagrams(6)
    local br <close> = assert(ring:setup_buf_ring(2, 7, flags, 8))
    local got, message = {}, nil -- luacheck: ignore 311
    do
      local it <close> = op.recv_multishot(b, br)
      repeat
        local buffer
        buffer, message = it()
        if buffer then
          got[#got + 1] = buffer:string()
          buffer:release()
        end
      until not buffer or #got == 6
    end
    if br:available() ~= 2 then broken "a buffer has not come back" end
    if flags == 0 then check(got, 6, not message) end
    a:close()
    b:close()
  end
end

do -- poll, and time
  local a, b = datagrams(1)
  local poll <close> = op.poll_multishot(b, core.POLLIN)
  assert(poll())
  local clock <close> = op.timeout_multishot(0.0001, 3)
  for _ = 1, 3 do assert(clock()) end
  assert(not clock())
  a:close()
  b:close()
end

do -- in tasks: whoever waits gets an error or a result
  local a, b = datagrams(3)
  local task = core.spawn(function()
    local it <close> = op.recv_multishot(b)
    return it() .. it() .. it()
  end)
  assert(task:join() == "001002003")
  a:close()
  b:close()
end

do -- many reads that share the pool, which grows
  local a, b = assert(sock.socketpair())
  local tasks = {}
  for i = 1, 140 do tasks[i] = core.spawn(op.recv, b, 1000) end
  core.yield()
  a:close()
  for i = 1, 140 do assert(tasks[i]:join() == "") end
  b:close()
end
arm(false)
