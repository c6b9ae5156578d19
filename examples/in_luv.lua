-- The ring as a guest of a luv loop: tasks of the ring serve a file, and luv
-- fetches it, ticking meanwhile.
--
--   lua5.4 examples/in_luv.lua [FILE]         needs luv: apt install lua-luv

local uv = require "luv"
local uring = require "uring"

local ring, message = uring.ring()
if not ring then
  io.stderr:write("in_luv: ", message, "\n")
  os.exit(1, true)
end
local poll, timer = uv.new_poll(ring:pollfd()), uv.new_timer()

-- One turn of the ring; then luv calls again when a completion has come, or
-- when a task is to go on.
local function turn()
  ring:step(0)
  timer:stop()
  if #ring:tasks() == 0 then
    poll:stop()
    return
  end
  local seconds = ring:timeout()
  if seconds then timer:start(math.ceil(seconds * 1000), 0, turn) end
end

local path = arg[1] or arg[0]
local fetched, ticks = {}, 0

local ticker = uv.new_timer()
ticker:start(1, 1, function() ticks = ticks + 1 end)

local function report()
  local text = table.concat(fetched)
  print(("%d bytes, %s, %s"):format(#text,
    text == uring.run(function() return assert(uring.open(path)):read "a" end)
      and "unchanged" or "damaged", ticks > 0 and "ticking" or "late"))
  ticker:close()
end

-- A client of luv's: everything that comes is the file.
local function fetch(port)
  local client = uv.new_tcp()
  client:connect("127.0.0.1", port, function(failed)
    assert(not failed, failed)
    client:read_start(function(err, data)
      assert(not err, err)
      if data then
        fetched[#fetched + 1] = data
      else
        client:close()
        report()
      end
    end)
  end)
end

-- Tasks of the ring: they start with the first turn.
ring:spawn(function()
  local server <close> = assert(uring.listen "127.0.0.1:0")
  fetch(server:address().port)
  local conn <close> = assert(server:accept())
  local file <close> = assert(uring.open(path))
  while true do
    local data = file:read(1000) or ""
    assert(conn:write(data))
    uring.sleep(0.001)                   -- a slow server
    if #data < 1000 then break end
  end
end)

poll:start("r", turn)
turn()
uv.run()
