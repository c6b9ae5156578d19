-- A TCP echo server: every connection is a task that reads and writes.
--
--   lua5.4 examples/echo_server.lua [address]     default 127.0.0.1:7000
--
-- Try it with: nc 127.0.0.1 7000

local uring = require "uring"

local function fail(message)
  io.stderr:write("echo_server: ", tostring(message), "\n")
  os.exit(1, true)
end

local function echo(conn)
  while true do
    local data, message = conn:readsome()
    if not data then return message end
    if not conn:write(data) then return end
  end
end

local ok, message = pcall(uring.run, function()
  local ok, server, message = pcall(uring.listen, arg[1] or "127.0.0.1:7000")
  if not ok then fail(server) end
  if not server then fail(message) end
  print("listening on " .. tostring(server:address()))
  io.stdout:flush()
  server:serve(echo)
end)
if not ok then fail(message) end
