-- What oom.c runs: tasks, scopes, channels, streams and files.

local uring = require "uring"

local function session()
  local server <close> = assert(uring.listen "127.0.0.1:0")
  local serving = uring.spawn(server.serve, server, function(conn)
    for line in conn:lines() do assert(conn:write(line, "\n")) end
  end)
  local conn <close> = assert(uring.connect(server:address()))
  assert(conn:write "hello\n")
  assert(conn:read() == "hello")
  conn:close()
  server:close()
  serving:join()
  local channel = uring.channel()
  uring.spawn(function() channel:send "item" end)
  assert(channel:recv() == "item")
  local _, message = uring.timeout(0.001, uring.sleep, 10)
  assert(message == "timed out")
  local generator = uring.coroutine.wrap(function()
    uring.sleep(0)
    uring.coroutine.yield "value"
  end)
  assert(generator() == "value")
  pcall(uring.scope, function(s)
    s:spawn(error, "failure")
    uring.sleep(10)
  end)
  local file <close> = assert(uring.open("/etc/passwd"))
  assert(file:read "a")
end

uring.on_error = function() end
uring.run(session)   -- what is made once is there now
arm(true)
uring.run(session)
arm(false)
