-- The echo server that bench/run.lua measures: prints its port, serves until
-- the standard input ends, then prints what a message has cost.

local uring = require "uring"

local messages, bytes = 0, 0

local function echo(conn)
  while true do
    local data = conn:readsome()
    if not data or not conn:write(data) then return end
    messages, bytes = messages + 1, bytes + #data
  end
end

uring.run(function()
  local server = assert(uring.listen("127.0.0.1:0", {backlog = 4096}))
  print(server:address().port)
  io.stdout:flush()
  local serving = uring.spawn(server.serve, server, echo)
  local before = os.clock()
  while uring.op.read(0, 4096) ~= "" do end
  local cpu = os.clock() - before
  print(("messages=%d bytes=%d cpu_seconds=%.3f cpu_ns_per_message=%.0f "
         .. "memory_kib=%.0f"):format(messages, bytes, cpu,
         cpu * 1e9 / math.max(messages, 1), collectgarbage "count"))
  io.stdout:flush()
  serving:cancel()
  server:close()
end)
