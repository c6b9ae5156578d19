-- Awaited NOPs: nop.lua DEPTH COUNT, as bench/c/nop.c in C.

local uring = require "uring"

local depth, count = tonumber(arg[1]), tonumber(arg[2])
local nop <const> = uring.op.nop
local each = count // depth

local function work()
  for _ = 1, each do nop() end
end

local wall, cpu = uring.now(), os.clock()
uring.run(function()
  for _ = 1, depth do uring.spawn(work) end
end)
wall, cpu = uring.now() - wall, os.clock() - cpu
print(("ops=%d seconds=%.6f cpu_seconds=%.6f ns_per_op=%.2f cpu_ns_per_op=%.2f")
      :format(each * depth, wall, cpu, wall * 1e9 / (each * depth),
              cpu * 1e9 / (each * depth)))
