-- What oom.c runs: the core and the operations.

local core = require "uring.core"
local op = core.op

-- what is cached for ever must be there before
local warm = core.default()
op.nop()

arm(true)
local ring = assert(core.ring {entries = 4, cq_entries = 8})
local buffer = core.buffer(100)
for i = 1, 6 do
  local sqe = ring:get_sqe()
  if sqe then sqe:prep_nop():set_data {i} end
  ring:submit()
end
for data in ring:cqes() do assert(type(data) == "table") end
local a, b = core.sock.socketpair()
assert(op.send(a, "hello"))
assert(op.recv(b, 100) == "hello")
assert(op.send(a, buffer))
assert(op.recv(b, buffer) == 100)
assert(op.writev(a, {"one", "two"}))
assert(op.recv(b, 10) == "onetwo")
local st = assert(op.statx(nil, "/etc/passwd"))
local fd = assert(op.openat(nil, "/etc/passwd", 0))
assert(#op.read(fd, 70000, 0) == st.size)
assert(not op.openat(nil, "/nonexistent/" .. ("x"):rep(300), 0))
assert(op.send(a, "x"))
local task = core.spawn(function()
  core.sleep(0.0001)
  return op.recv(b, 10)
end)
assert(task:join() == "x")
assert(fd:close() and a:close() and b:close())
ring:close()
arm(false)
assert(warm:stats().active == 0)
