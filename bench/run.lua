-- Runs each workload here and in C over liburing, in turns in the same run,
-- and prints the ratios.  The server is pinned to one processor, the load to
-- another.
--
--   make bench [BENCH="nop echo"]

local ROUNDS <const> = 3
local SECONDS <const> = tonumber(os.getenv "BENCH_SECONDS") or 2
local LUA <const> = arg[-1] or "lua5.4"
local BIN <const> = os.getenv "BENCH_BIN" or "build/bench"

local function pinned(cpu, command)
  return ("taskset -c %d %s"):format(cpu, command)
end

-- The numbers in a line of name=value.
local function figures(line)
  local t = {}
  for name, value in (line or ""):gmatch "([%w_]+)=([%d.]+)" do
    t[name] = tonumber(value)
  end
  return t
end

local function output(command)
  local pipe <close> = assert(io.popen(command))
  return pipe:read "a"
end

-- Serve with the one command and load it with the other; both their figures.
local function serve(server, load_args)
  local fifo = os.tmpname()
  os.remove(fifo)
  os.execute("mkfifo " .. fifo)
  local pipe <close> =
    assert(io.popen(("exec %s <%s"):format(pinned(1, server), fifo)))
  local stdin = assert(io.open(fifo, "w"))
  os.remove(fifo)
  local port = pipe:read "l"
  local client = figures(output(pinned(0, ("%s/load %s -t %g 127.0.0.1 %s")
                                          :format(BIN, load_args, SECONDS,
                                                  port))))
  stdin:close()
  return figures(pipe:read "a"), client
end

-- The figures of the round in which each command cost least, in turns.
local function best(commands, run, cost)
  local results = {}
  for _ = 1, ROUNDS do
    for i, command in ipairs(commands) do
      local figure = run(command)
      figure.cost = cost(figure)
      if not results[i] or figure.cost < results[i].cost then
        results[i] = figure
      end
    end
  end
  return table.unpack(results)
end

local function nop()
  print "awaited NOP, ns each: time and CPU time"
  print "              C time  uring  ratio    C CPU  uring  ratio"
  for _, depth in ipairs {1, 32, 128} do
    local count = depth == 1 and 500000 or 2000000
    local c, l = best({
      ("%s/nop %d %d"):format(BIN, depth, count),
      ("%s bench/nop.lua %d %d"):format(LUA, depth, count)
    }, function(command) return figures(output(pinned(1, command))) end,
    function(f) return f.ns_per_op end)
    print(("depth %-6d %7.0f %6.0f %6.2f  %7.0f %6.0f %6.2f"):format(depth,
          c.ns_per_op, l.ns_per_op, l.ns_per_op / c.ns_per_op,
          c.cpu_ns_per_op, l.cpu_ns_per_op,
          l.cpu_ns_per_op / c.cpu_ns_per_op))
  end
end

local function echo()
  print "echo, CPU time of the server for a message in ns (messages a second)"
  print(("%-18s %20s %20s %20s   ratio to the better C"):format("connections",
        "C multishot", "C simple", "uring"))
  for _, load in ipairs {"-c 1 -s 64", "-c 50 -s 64", "-c 500 -s 64",
                         "-c 5000 -s 64", "-c 50 -s 65536 -b"} do
    local function run(command)
      local server, client = serve(command, load)
      client.cpu = server.cpu_seconds * 1e9 / client.messages
      return client
    end
    local c1, c2, l = best({
      BIN .. "/echo 0", BIN .. "/echo 0 simple", LUA .. " bench/echo.lua"
    }, run, function(f) return f.cpu end)
    local function cell(f)
      return ("%.0f (%.0f)"):format(f.cpu, f.messages_per_second)
    end
    print(("%-18s %20s %20s %20s   %.2f"):format(load, cell(c1), cell(c2),
          cell(l), l.cpu / math.min(c1.cpu, c2.cpu)))
  end
end

local all = {nop = nop, echo = echo}
local names = #arg > 0 and arg or {"nop", "echo"}
for _, name in ipairs(names) do
  local f = all[name]
  if not f then
    io.stderr:write("no benchmark called ", name, "\n")
    os.exit(2)
  end
  f()
end
