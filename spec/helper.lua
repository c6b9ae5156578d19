-- What every spec of the core uses: cases that run inside a task with a
-- deadline, and a look round afterwards at what they have left behind.

local busted = require "busted"
local core = require "uring.core"
local process = require "spec.process" -- spec/support/process.c

local op <const>, sock <const> = core.op, core.sock
local assert <const> = busted.assert

local helper = { process = process }

helper.torture = os.getenv "URING_GC_TORTURE" == "1"
core.torture(helper.torture)

local scale <const> = tonumber(os.getenv "URING_SPEC_SCALE") or 1

-- The share of n turns that is done where everything is slow.
function helper.scale(n) return math.max(1, math.floor(n * scale)) end

-- Wait until f is true, whatever the machine does meanwhile, and return that.
-- Other tasks of the default ring run.
function helper.eventually(f)
  local deadline <const> = core.now() + 10
  while true do
    local value <const> = f()
    if value then return value end
    assert(core.now() < deadline, "it never comes")
    core.sleep(0.002)
  end
end

-- Wait until nothing is in flight on the default ring, and the buffer is free:
-- zero-copy sends tell of that when the peer has acknowledged what they sent.
function helper.settle(buffer)
  helper.eventually(function()
    return core.default():stats().active == 0 and (not buffer or buffer:busy() == 0)
  end)
end

-- A seed: the one in URING_SEED, to repeat a case that has failed, or another.
function helper.seed()
  return tonumber(os.getenv "URING_SEED") or os.time() ~ process.pid() << 20
end

-- A function that returns numbers from 1 to n: xorshift64, so that a seed means
-- the same everywhere.
function helper.random(seed)
  local state = seed | 1
  return function(n)
    state = state ~ (state << 13)
    state = state ~ (state >> 7)
    state = state ~ (state << 17)
    return (state >> 11) % n + 1
  end
end

-- ---- rings ------------------------------------------------------------------

-- Each is a description and the options of a ring that works.
helper.configs = {
  { "default" },
  { "plain", { clamp = true } },
  { "sqpoll", { sqpoll = true, sq_thread_idle = 50 } },
  { "tiny", { entries = 2, cq_entries = 4 } },
  { "tiny sqpoll", { entries = 2, cq_entries = 4, sqpoll = true, sq_thread_idle = 20 } },
  { "cqe32", { entries = 16, cqe32 = true } },
  { "cqe_mixed", { entries = 16, cqe_mixed = true } },
  { "sqe128", { entries = 16, sqe128 = true } },
  { "cooperative", { coop_taskrun = true, taskrun_flag = true } },
}

-- The default ring, and that of every script, has the options of the
-- configuration that URING_SPEC_RING names.
local configured, prologue = nil, ""
do
  local chosen
  local name <const> = os.getenv "URING_SPEC_RING"
  if name and name ~= "default" then
    local names <const> = {}
    for _, config in ipairs(helper.configs) do
      names[#names + 1] = config[1]
      if config[1] == name then chosen = config[2] end
    end
    if not chosen then
      error(("URING_SPEC_RING: '%s' is none of: %s"):format(name, table.concat(names, ", ")))
    end
    local list <const> = {}
    for k, v in pairs(chosen) do list[#list + 1] = ("%s = %s"):format(k, v) end
    prologue = ('assert(require "uring.core".default { %s }) '):format(table.concat(list, ", "))
    configured = assert(core.default(chosen))
  end
end

-- A description for each configuration: f(make), where make() is a new ring.
function helper.each_config(f)
  for _, config in ipairs(helper.configs) do
    local name <const>, options <const> = config[1], config[2]
    busted.describe(("on a %s ring"):format(name), function()
      f(function() return assert(core.ring(options)) end, name)
    end)
  end
end

-- Whether nothing is left in a ring that is idle; else what is.
function helper.idle(ring)
  local stats = ring:stats()
  for _, name in ipairs { "slots", "active", "tasks", "timers", "ready" } do
    if stats[name] ~= 0 then return false, ("%d %s left"):format(stats[name], name) end
  end
  local data, places = debug.getuservalue(ring, 1), debug.getuservalue(ring, 2)
  if data and next(data) ~= nil then return false, "set_data has left a value" end
  for _, v in pairs(places or {}) do
    if type(v) == "userdata" then return false, tostring(v) .. " left in the table" end
  end
  return true
end

-- The anchor tables are in the registry: nothing but false where nothing is
-- in flight.
local function anchored()
  for k, t in pairs(debug.getregistry()) do
    if math.type(k) == "integer" and type(t) == "table" and t[1] ~= nil and #t % 64 == 0 then
      local all, some = true, nil
      for i = 1, #t do
        if type(t[i]) == "table" or type(t[i]) == "string" then some = t[i]
        elseif t[i] ~= false then all = false end
      end
      if all and some then return some end
    end
  end
end

-- What the system says of a ring: fields by their names, and what is in its
-- tables by the number of the slot.
function helper.ring_info(ring)
  local info <const>, slots = { UserFiles = {}, UserBufs = {} }, nil
  for line in io.lines("/proc/self/fdinfo/" .. ring:fileno()) do
    local slot <const>, what <const> = line:match "^%s+(%d+): (.*)"
    local name <const>, value <const> = line:match "^([%w_]+):%s*(.-)%s*$"
    if slot and slots then slots[math.tointeger(slot)] = what end
    if name then slots = info[name] end
    if name and not slots then info[name] = value end
  end
  return info
end

-- ---- descriptors ------------------------------------------------------------

-- What is open that was not, and what is closed that was open.
local function compare(before, after)
  local changes = {}
  for fd, target in pairs(after) do
    if before[fd] ~= target then
      changes[#changes + 1] = ("%d is now %s (was %s)"):format(fd, target, before[fd] or "closed")
    end
  end
  for fd, target in pairs(before) do
    if not after[fd] then changes[#changes + 1] = ("%d (%s) was closed"):format(fd, target) end
  end
  return #changes == 0, table.concat(changes, "; ")
end

-- How many descriptors are open.
function helper.open_descriptors()
  local n = 0
  for _ in pairs(process.descriptors()) do n = n + 1 end
  return n
end

local function collect()
  collectgarbage()
  collectgarbage()
end

-- Call f and see that it leaves nothing: in the default ring, among the
-- descriptors, in the registry.
function helper.clean(f)
  local ring = assert(core.default())
  assert(not configured or ring == configured, "not the ring of URING_SPEC_RING")
  collect()
  local before = process.descriptors()
  local ok, err = pcall(f)
  collect()
  local after = process.descriptors()
  if not ok then error(err, 0) end
  assert(core.default() == ring, "the default ring is another one")
  assert(helper.idle(ring))
  assert(compare(before, after))
  local value = anchored()
  assert(value == nil, "still anchored: " .. tostring(value))
end

-- Run f() so that a finaliser runs g() when it takes memory, the n-th time.
function helper.interrupted(f, g, n)
  n = n or 1
  local meta = {}
  function meta.__gc()
    n = n - 1
    if n == 0 then g() elseif n > 0 then setmetatable({}, meta) end
  end
  collectgarbage()
  collectgarbage "stop"
  setmetatable({}, meta)
  collectgarbage("incremental", 1, 100, 63) -- a whole cycle each time
  collectgarbage "restart"
  local results = table.pack(pcall(f))
  n = 0
  collectgarbage("incremental", 200, 100, 13)
  assert(results[1], results[2])
  return table.unpack(results, 2, results.n)
end

-- ---- cases ------------------------------------------------------------------

-- Run f in a task and return its results; raise when it takes so long that it
-- waits for something that will never come.
function helper.run(f, seconds)
  seconds = seconds or 30
  local task = core.spawn(f)
  local late
  local timer = core.timer(seconds, function()
    late = ("still waiting (%s) after %g s: %s"):format(task:waiting(), seconds, task:traceback())
    task:interrupt(late)
  end)
  local results = table.pack(pcall(task.join, task))
  timer:cancel()
  if late then error(late, 0) end
  if not results[1] then
    local err = results[2]
    if type(err) == "string" then err = err .. "\n" .. tostring(task:traceback()) end
    error(err, 0)
  end
  return table.unpack(results, 2, results.n)
end

-- Turns of the ring until the task has ended, which is not to take long; what it
-- returns.
function helper.finish(ring, task, seconds)
  local deadline <const> = core.now() + (seconds or 20)
  while task:status() ~= "done" and task:status() ~= "failed" do
    assert(core.now() < deadline, "still waiting: " .. tostring(task:traceback()))
    ring:step(0.5)
  end
  return task:join()
end

-- Run f in a task of a ring of its own, which it leaves idle.
function helper.on_ring(make, f)
  local ring <close> = make()
  helper.finish(ring, ring:spawn(f, ring))
  assert(helper.idle(ring))
end

-- Errors that uring.on_error is told while f runs, each with its value,
-- traceback and task.
function helper.reported(f)
  local uring <const> = require "uring"
  local before <const>, list = uring.on_error, {}
  uring.on_error = function(value, traceback, task)
    list[#list + 1] = { value = value, traceback = traceback, task = task }
  end
  local ok, err = pcall(f)
  uring.on_error = before
  if not ok then error(err, 0) end
  return list
end

-- Tasks that sleep, each longer than the one that begins after it: they wake in
-- the order of time.  When one is due lies between what the clock says before
-- it sleeps and when the next one begins, however long that takes.
function helper.wake_in_order(n, gap, spawn, sleep)
  local began, order, tasks = {}, {}, {}
  for i = n, 1, -1 do
    tasks[#tasks + 1] = spawn(function()
      began[i] = core.now()
      sleep(0.02 + i * gap)
      order[#order + 1] = i
    end)
  end
  spawn(function() began[0] = core.now() end):join()
  for _, task in ipairs(tasks) do task:join() end
  assert.equal(n, #order)
  for k = 2, n do
    local one <const>, two <const> = order[k - 1], order[k]
    local late <const> = began[one] + one * gap - (began[two - 1] + two * gap)
    assert(late < 1e-6, ("%d before %d, %g s too soon"):format(one, two, late))
  end
end

-- A task that runs f, and waits when this returns.
function helper.start(f, ...)
  local task = core.spawn(f, ...)
  core.yield()
  core.yield()
  return task
end

-- A case inside a task with a deadline, which leaves nothing behind.
function helper.it(name, f, seconds)
  busted.it(name, function()
    helper.clean(function() helper.run(f, seconds) end)
  end)
end

-- What each task of the default ring waits for.
local function waiting()
  local lines = {}
  for _, task in ipairs(core.default():tasks()) do
    lines[#lines + 1] = ("%s: %s\n%s"):format(task, task:waiting(), task:traceback())
  end
  return table.concat(lines, "\n")
end

-- Where it was, for a failure.
local function traced(err)
  if type(err) == "table" and type(err.message) == "string" then
    err.message = debug.traceback(err.message, 2)
  end
  return type(err) == "string" and debug.traceback(err, 2) or err
end

-- A case in a scope of its own, as a program under uring.run is: what it
-- spawns has ended with it.
function helper.scoped(name, f, seconds)
  seconds = seconds or 30
  helper.it(name, function()
    local late
    local timer = core.timer(seconds, function() late = waiting() end)
    local ok, err = pcall(require "uring".timeout, seconds, function()
      local ok, err = xpcall(f, traced)
      if not ok then error(err, 0) end
    end)
    timer:cancel()
    if not ok then error(err, 0) end
    if late then error(("still waiting after %g s\n%s"):format(seconds, late), 0) end
  end, seconds + 5)
end

-- The same outside any task.
function helper.main_it(name, f)
  busted.it(name, function() helper.clean(f) end)
end

-- helper.needs("waitid")(name, f): a case for an operation that the kernel may
-- lack; then it is pending, with the reason.
function helper.needs(name)
  assert(op[name], "no operation has that name: " .. name)
  if assert(core.default()):supports(name) then return helper.it end
  return function(title)
    busted.pending(("%s (this kernel has no %s)"):format(title, name))
  end
end

-- ---- things to work with ----------------------------------------------------

-- A directory that is removed when the variable goes out of scope.
function helper.tmpdir()
  local path = process.mkdtemp()
  return setmetatable({}, {
    __close = function() process.rmtree(path) end,
    __tostring = function() return path end,
    __concat = function(a, b) return tostring(a) .. tostring(b) end,
  })
end

-- Each case of a block has such a directory: set(path) is told before it.
function helper.in_tmpdir(set)
  local dir
  busted.before_each(function()
    dir = helper.tmpdir()
    set(tostring(dir))
  end)
  busted.after_each(function() getmetatable(dir).__close(dir) end)
end

function helper.write_file(path, text)
  local file <close> = assert(io.open(path, "wb"))
  file:write(text)
end

-- A file with that text in it and for a name, open; it has the lowest number
-- that is free.
function helper.file_of(dir, text)
  helper.write_file(dir .. "/" .. text, text)
  return assert(op.open(dir .. "/" .. text))
end

function helper.read_file(path)
  local file <close> = assert(io.open(path, "rb"))
  return file:read "a"
end

-- The address of a buffer of whole pages: where in this process's memory the
-- text is that it gets.
function helper.address_of(buffer, size)
  local text <const> = ("uring %016x"):format(math.random(0))
  local memory <close> = assert(io.open("/proc/self/mem", "rb"))
  memory:setvbuf "no"
  buffer:set(text)
  local ranges = {}
  for line in io.lines "/proc/self/maps" do
    local from, to = line:match "^(%x+)%-(%x+) rw"
    if from then
      from, to = tonumber(from, 16), tonumber(to, 16)
      if to - from >= size and to - from < 64 * size then ranges[#ranges + 1] = { from, to } end
    end
  end
  for _, range in ipairs(ranges) do
    for at = range[1], range[2] - size, 4096 do
      memory:seek("set", at)
      if memory:read(#text) == text then return at end
    end
  end
  error "the buffer is nowhere"
end

-- A TCP socket that listens on a free port of 127.0.0.1, and its address.
function helper.listener(backlog)
  local fd = assert(op.socket(core.AF_INET, core.SOCK_STREAM))
  assert(sock.bind(fd, "127.0.0.1:0"))
  assert(sock.listen(fd, backlog or 128))
  return fd, assert(sock.getsockname(fd))
end

-- An address where nobody listens, as long as this descriptor is open: one that
-- is free may be somebody else's next, or be given to the very socket that is
-- to connect to it.
function helper.nobody()
  local fd = assert(op.socket(core.AF_INET, core.SOCK_STREAM))
  assert(sock.bind(fd, "127.0.0.1:0"))
  return fd, assert(sock.getsockname(fd))
end

-- Two connected TCP sockets.
function helper.pair()
  local listener <close>, address = helper.listener(1)
  local a = assert(op.socket(core.AF_INET, core.SOCK_STREAM))
  assert(op.connect(a, address))
  local b = assert(op.accept(listener))
  return a, b
end

-- All of them are closed when the variable goes out of scope.
function helper.closing(...)
  local list = table.pack(...)
  return setmetatable(list, {
    __close = function()
      for i = list.n, 1, -1 do list[i]:close() end
    end,
  })
end

-- Fails with nil, message, errno.
function helper.fails(code, message, result, err, n)
  assert.is_nil(result)
  assert.equal(message, err)
  assert.equal(core.errno[code], n)
end

-- Raises a message that contains the text.
function helper.raises(text, f, ...)
  local ok, err = pcall(f, ...)
  assert.is_false(ok)
  assert.matches(text, tostring(err), 1, true)
end

-- ---- other processes --------------------------------------------------------

local interpreter = "lua5.4"
do
  local i = -1
  while arg and arg[i] do
    interpreter = arg[i]
    i = i - 1
  end
end

-- For the shell.
local function quote(s) return "'" .. s:gsub("'", [['\'']]) .. "'" end
helper.quote = quote

-- Run a command line; its output (both streams) and exit status.
function helper.shell(command)
  local pipe = assert(io.popen("exec 2>&1; " .. command))
  local output = pipe:read "a"
  local _, how, code = pipe:close()
  return output, how == "exit" and code or 128 + code
end

-- The command that runs a Lua file with arguments, under the same checker as
-- this one.  'before' is a command that runs a command.
function helper.command(file, before)
  return ("exec %s %s %s %s"):format(before or "", os.getenv "URING_SPEC_RUNNER" or "",
    quote(interpreter), file)
end

-- Run a script in a Lua of its own; its output and exit status.  Its default
-- ring is as here, unless it chooses one by itself.
function helper.script(text, before, chooses)
  local path = os.tmpname()
  helper.write_file(path, (chooses and "" or prologue) .. text)
  local output, status = helper.shell(helper.command(path, before))
  os.remove(path)
  return output, status
end

-- Nothing looks closer at this process: a sanitizer, valgrind.
helper.unchecked = not (os.getenv "URING_SPEC_RUNNER" or os.getenv "LD_PRELOAD")

-- The output of a script where a system call fails, by strace(1): inject(
-- "io_uring_setup", "error=EPERM:when=1", text).
function helper.inject(call, how, text)
  return (helper.script(text, "env -u LD_PRELOAD strace -f -qq -o /dev/null " ..
    ('-E LD_PRELOAD="$LD_PRELOAD" -E ASAN_OPTIONS=detect_leaks=0 ' ..
      "-e trace=%s -e inject=%s:%s"):format(call, call, how)))
end

local can_trace

-- A case that needs helper.inject: tracing and valgrind exclude one another.
function helper.traced_it(name, f)
  if can_trace == nil then
    can_trace = helper.shell "env -u LD_PRELOAD strace -f -qq -e trace=none true" == ""
  end
  local why = os.getenv "URING_SPEC_RUNNER" and "not under a checker"
    or not can_trace and "strace cannot run here"
  if why then return busted.pending(("%s (%s)"):format(name, why)) end
  helper.main_it(name, f)
end

-- The script must end well and print just that.
function helper.prints(expected, text, chooses)
  local output, status = helper.script(text, nil, chooses)
  assert.equal(expected, output)
  assert.equal(0, status)
end

return helper
