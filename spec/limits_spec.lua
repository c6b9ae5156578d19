-- What many tasks and timers cost.  The bounds are of a program by itself:
-- under a checker, or a collection at every resume, it must only work.

local helper = require "spec.helper"

local plain <const> = not os.getenv "LD_PRELOAD" and not os.getenv "URING_SPEC_RUNNER"
                      and not helper.torture

-- Run a script which prints a number, up to so many times until that is below
-- the bound: other programs disturb, also those that share the processor's
-- core, and so there is a pause.  Each is a process of its own.
local function below(bound, times, text)
  local best = math.huge
  for i = 1, plain and times or 1 do
    if i > 1 then helper.shell "sleep 0.3" end
    local output, status = helper.script(text)
    assert.equal(0, status, output)
    best = math.min(best, (assert(tonumber(output), output)))
    if best < bound then return end
  end
  if plain then assert(best < bound, ("%g, and the bound is %g"):format(best, bound)) end
end

local function scaled(n) return plain and n or n // 100 end

describe("the cost of", function()
  helper.main_it("a task that sleeps is below 2 KiB", function()
    below(2048, 3, ([[
      local uring = require "uring"
      local n = %d
      local function resident()
        for line in io.lines "/proc/self/status" do
          local kib = line:match "VmRSS:%%s+(%%d+)"
          if kib then return kib * 1024 end
        end
      end
      uring.run(function()
        uring.scope(function(s)
          s:spawn(uring.sleep, 0)
          uring.sleep(0)
          collectgarbage()
          local before = resident()
          for _ = 1, n do s:spawn(uring.sleep, 1000) end
          uring.sleep(0.01)
          assert(uring.ring():stats().timers >= n)
          print((resident() - before) / n)
          s:cancel()
        end)
        assert(uring.ring():stats().timers == 0)
      end)
    ]]):format(scaled(100000)))
  end)

  helper.main_it("reading 64 KiB is below a page fault in five strings", function()
    below(0.2, 3, [[
      local op = require "uring.core".op
      local zero = op.open "/dev/zero"
      local function faults()          -- minflt of proc_pid_stat(5)
        local file <close> = io.open "/proc/self/stat"
        return tonumber(file:read "a":match ".*%) %S+ %S+ %S+ %S+ %S+ %S+ %S+ (%d+)")
      end
      local function read(n)
        for _ = 1, n do
          local list = {}
          for i = 1, 20 do list[i] = op.read(zero, 65536) end
          list = nil
          collectgarbage()
        end
      end
      read(20)
      local before = faults()
      read(50)
      print((faults() - before) / 1000)
    ]])
  end)

  for name, set in pairs {
    ["one after the other"] = "for i = 1, n do timer(100 + i % 1000, f):cancel() end",
    ["all at once"] = [[
      local timers = {}
      for i = 1, n do timers[i] = timer(100 + i * 7919 % 1000, f) end
      for i = 1, n do timers[i]:cancel() end]],
  } do
    helper.main_it("a million timers, set and cancelled " .. name .. ", is below 2 s", function()
      below(2, 10, ([[
        local core = require "uring.core"
        local timer = core.timer
        local n, f = %d, print
        local start = os.clock()
        %s
        print(os.clock() - start)
        assert(core.default():stats().timers == 0)
      ]]):format(scaled(1000000), set))
    end)
  end

  helper.main_it("a million deadlines, set and met, is below 2 s", function()
    below(2, 10, ([[
      local uring = require "uring"
      uring.run(function()
        local function nothing() end
        local start = os.clock()
        for _ = 1, %d do uring.timeout(100, nothing) end
        print(os.clock() - start)
      end)
    ]]):format(scaled(1000000)))
  end)

  helper.main_it("starting, running and joining an empty task is below a microsecond", function()
    below(1e-6, 20, ([[
      local uring = require "uring"
      local n, best = %d, math.huge
      uring.run(function()
        local function empty() end
        for _ = 1, 10 do
          local start = os.clock()
          for _ = 1, n do uring.spawn(empty):join() end
          best = math.min(best, (os.clock() - start) / n)
        end
      end)
      print(best)
    ]]):format(scaled(20000)))
  end)

  helper.main_it("a traceback, and so of an error, is below three times that without the module",
    function()
      below(3, 5, ([[
        local function cost()
          local best = math.huge
          for _ = 1, 5 do
            local start = os.clock()
            for _ = 1, %d do debug.traceback "" end
            best = math.min(best, os.clock() - start)
          end
          return best
        end
        local before = cost()
        require "uring"
        print(cost() / before)
      ]]):format(scaled(2000)))
    end)

  helper.main_it("a deadline does not grow with their number: O(log n)", function()
    below(6, 10, ([[
      local core = require "uring.core"
      local function cost(n)
        local timers = {}
        for i = 1, n do timers[i] = core.timer(100 + i * 7919 %% 1000, print) end
        local start = os.clock()
        for i = 1, 20000 do core.timer(100 + i * 7919 %% 1000, print):cancel() end
        local seconds = os.clock() - start
        for i = 1, n do timers[i]:cancel() end
        return seconds
      end
      cost(1000)
      local few, many = cost(1000), cost(%d)
      print(many / few)
    ]]):format(scaled(100000)))
  end)
end)
