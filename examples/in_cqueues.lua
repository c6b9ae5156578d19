-- The ring as a guest of a cqueues controller: tasks of the ring serve a file,
-- and cqueues fetches it, ticking meanwhile.
--
--   lua5.4 examples/in_cqueues.lua [FILE]     needs cqueues: apt install lua-cqueues

local cqueues = require "cqueues"
local socket = require "cqueues.socket"
local uring = require "uring"

local path = arg[1] or arg[0]
local loop = cqueues.new()
local ring, message = uring.ring()
if not ring then
  io.stderr:write("in_cqueues: ", message, "\n")
  os.exit(1, true)
end

-- Tasks of the ring: they start with its first turn.
local port
local server_task = ring:spawn(function()
  local server <close> = assert(uring.listen "127.0.0.1:0")
  port = server:address().port
  local conn <close> = assert(server:accept())
  local file <close> = assert(uring.open(path))
  repeat
    local data = file:read(1000) or ""
    assert(conn:write(data))
    uring.sleep(0.001)                   -- a slow server
  until #data < 1000
end)

-- The ring has the methods pollfd, events and timeout, so that cqueues can
-- wait for it: for a completion, or until a task is to go on.
loop:wrap(function()
  ring:step(0)
  while #ring:tasks() > 0 do
    cqueues.poll(ring)
    ring:step(0)
  end
end)

-- Coroutines of cqueues: a client, and a clock.
local fetched, ticks = nil, 0

loop:wrap(function()
  while not port do cqueues.sleep(0.001) end
  local client = socket.connect("127.0.0.1", port)
  client:setmode("b", "b")
  fetched = assert(client:read "*a")
  client:close()
end)

loop:wrap(function()
  while not fetched do
    cqueues.sleep(0.001)
    ticks = ticks + 1
  end
end)

assert(loop:loop())
server_task:join()                       -- raises its error
local file <close> = assert(uring.open(path))
print(("%d bytes, %s, %s"):format(#fetched,
  fetched == file:read "a" and "unchanged" or "damaged", ticks > 0 and "ticking" or "late"))
