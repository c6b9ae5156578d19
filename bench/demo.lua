-- What `make demo` runs: a coroutine echo server, driven for a few seconds by
-- 50 connections from another process, which checks every byte.

local uring = require "uring"

local CONNECTIONS <const>, SIZE <const>, SECONDS <const> = 50, 64, 3
local BIN <const> = os.getenv "BENCH_BIN" or "build/bench"

local function echo(conn)
  while true do
    local data = conn:readsome()
    if not data or not conn:write(data) then return end
  end
end

local function read_all(pipe)
  local pieces = {}
  repeat
    local data = assert(uring.op.read(pipe, 4096))
    pieces[#pieces + 1] = data
  until data == ""
  return table.concat(pieces)
end

local ok, result = pcall(uring.run, function()
  local server = assert(uring.listen("127.0.0.1:0", {backlog = 1024}))
  print("serving echo on " .. tostring(server:address()))
  local serving = uring.spawn(server.serve, server, echo)
  print(("%d connections from another process send %d bytes and wait for " ..
         "them, for %d seconds"):format(CONNECTIONS, SIZE, SECONDS))
  local load = assert(io.popen(("%s/load -c %d -s %d -t %d 127.0.0.1 %d")
    :format(BIN, CONNECTIONS, SIZE, SECONDS, server:address().port)))
  local line = read_all(load)
  local good = load:close()
  local function figure(name)
    return tonumber(line:match("%f[%w_]" .. name .. "=([%d.]+)"))
  end
  print(("%d messages, %d a second; %d wrong bytes, %d errors"):format(
        figure "messages", figure "messages_per_second" // 1 | 0,
        figure "wrong", figure "errors"))
  server:close()
  serving:join()
  local stats = uring.ring():stats()
  print(("the ring: %d operations submitted in %d system calls, %d completed, "
         .. "%d tasks started, %d resumes; in flight now: %d"):format(
        stats.submitted, stats.enters, stats.completed, stats.spawned,
        stats.resumes, stats.active))
  return good and figure "messages" > 0 and figure "wrong" == 0
end)
if not ok then io.stderr:write("demo: ", tostring(result), "\n") end
print(ok and result and "everything came back right" or "FAILED")
os.exit(ok and result, true)
