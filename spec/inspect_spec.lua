-- What is my program waiting for?  tasks, dump, trace, debug mode, deadlocks.

local uring = require "uring"
local core = require "uring.core"
local helper = require "spec.helper"

local op <const>, errno <const> = uring.op, uring.errno
local it <const>, main_it <const> = helper.scoped, helper.main_it
local raises <const> = helper.raises
local process <const> = helper.process

local function line() return debug.getinfo(2, "l").currentline end

local function pipe()
  local r, w = core.sock.pipe()
  return r, w, helper.closing(r, w)
end

-- The part of a dump that is about the task of that name.
local function part(report, name)
  local head, rest = report:match("\n(uring%.task %(" .. name .. ", [^\n]*)(.*)")
  local lines = { head }
  for text in (rest or ""):gmatch "\n([^\n]+)" do
    if not text:find "^    " then break end
    lines[#lines + 1] = text
  end
  return table.concat(lines, "\n")
end

describe("dump", function()
  it("names each task, its operation, descriptor and line, blocked in ten ways and more", function()
    local r <const>, w <const>, _ <close> = pipe()
    local r2 <const>, w2 <const>, _ <close> = pipe()
    local listener <close>, address = helper.listener()
    local server <close> = assert(uring.listen "127.0.0.1:0")
    local peer <close> = assert(uring.listen "127.0.0.1:0")
    local stream <close> = assert(uring.connect(peer:address()))
    local channel, mutex = uring.channel(), uring.mutex()
    local semaphore, event, condition = uring.semaphore(0), uring.event(), uring.condition()
    mutex:lock()
    local target
    local here = line()
    local waits <const> = {              -- each in a line of its own
      function() op.read(r, 10) end,
      function() op.poll_add(r2, core.POLLIN) end,
      function() op.accept(listener) end,
      function() server:accept() end,
      function() stream:read "l" end,
      function() uring.sleep(1000) end,
      function() target:join() end,
      function() channel:recv() end,
      function() mutex:lock() end,
      function() semaphore:acquire() end,
      function() event:wait() end,
      function() condition:wait() end,
      function() uring.select { channel, event } end,
      function() core.park() end,
      function() uring.coroutine.wrap(function() op.timeout(1000) end)() end,
      function() uring.timeout(1000, function() channel:recv() end) end,
      function() uring.scope(function(s) s:spawn(uring.sleep, 1000):name "inner" end) end,
    }
    local expected <const> = {
      "read fd " .. r:fileno(), "poll_add fd " .. r2:fileno(), "accept fd " .. listener:fileno(),
      "accept fd " .. server.fd:fileno(), "recv fd " .. stream.fd:fileno(), "sleep",
      "join target", "channel recv", "mutex", "semaphore", "event", "condition", "select",
      "park", "timeout", "channel recv", "scope",
    }
    assert.is_not_nil(address and w and w2)
    uring.scope(function(s)
      local start = uring.now()
      target = s:spawn(uring.sleep, 1000):name "target"
      for i, f in ipairs(waits) do s:spawn(f):name("blocked " .. i) end
      uring.sleep(0.01)
      local report = uring.dump()
      local took = uring.now() - start
      for i, what in ipairs(expected) do
        local text = part(report, "blocked " .. i)
        local head = ("blocked %d, waiting): %s, for "):format(i, what)
        assert.matches(head, text, 1, true)
        local age = tonumber(text:match ", for (%d+%.%d+) s")
        assert.is_true(age >= 0.009 and age <= took + 0.001, age)
        assert.matches("inspect_spec.lua:" .. here + 1 + i .. ":", text, 1, true)
        assert.not_matches("/scope.lua:", text, 1, true)
        assert.not_matches("[C]", text, 1, true)
      end
      assert.matches("inner, waiting): sleep, for ", report, 1, true)
      assert.matches("^%d+ tasks\n", report)
      assert.matches("running): running", report, 1, true)   -- itself
      s:cancel()
    end)
  end)

  it("names a descriptor that is being closed, and a task without a name", function()
    local r, w = core.sock.pipe()
    local _ <close> = w
    local report
    uring.scope(function(s)
      local reader = s:spawn(function() op.read(r, 1) end)
      s:spawn(function() reader:join() end):name "joiner"
      s:spawn(function() r:close() end):name "closer"
      s:spawn(function() report = uring.dump() end)
    end)
    assert.matches("closer, waiting%): close fd %d+, for", report)
    assert.matches("joiner, waiting%): join task %d+, for", report)
  end)

  it("does not hide a program's own files that are in a folder uring", function()
    local task = uring.spawn(assert(load("require 'uring'.sleep(1000) return 1",
      "@/home/somebody/uring/tool.lua")))
    uring.yield()
    assert.matches("/home/somebody/uring/tool.lua:1:", uring.dump(), 1, true)
    task:cancel()
  end)

  main_it("works outside tasks, and while none runs", function()
    assert.equal("0 tasks", uring.dump())
    local task = uring.spawn(function() uring.sleep(1000) end):name "sleeper"
    assert.matches("^1 task\nuring.task %(sleeper, ready%): ready", uring.dump())
    core.yield()
    assert.matches("sleeper, waiting): sleep, for", uring.dump(), 1, true)
    task:cancel()
    pcall(task.join, task)
  end)
end)

describe("tasks", function()
  it("lists those that have not ended", function()
    local n = #uring.tasks()
    local task = uring.spawn(uring.sleep, 0.001)
    assert.equal(n + 1, #uring.tasks())
    task:join()
    assert.equal(n, #uring.tasks())
    local found = false
    for _, t in ipairs(uring.tasks()) do found = found or t == uring.current() end
    assert.is_true(found)
  end)
end)

describe("the traceback of a task", function()
  local wrap <const>, resume <const> = uring.coroutine.wrap, uring.coroutine.resume

  it("has the coroutines that it waits in, the innermost first", function()
    local lines, co = {}, nil
    local function inner() lines[1] = line() uring.sleep(1000) end
    local task = uring.spawn(function()
      local outer = wrap(function()
        co = uring.coroutine.create(function() lines[2] = line() inner() end)
        lines[3] = line() resume(co, "an argument")
      end)
      lines[4] = line() outer()
    end)
    uring.yield()
    local numbers = {}
    for n in task:traceback():gmatch "inspect_spec.lua:(%d+): in" do
      numbers[#numbers + 1] = math.tointeger(n)
    end
    assert.same(lines, numbers)
    for _, n in ipairs(lines) do
      assert.matches("inspect_spec.lua:" .. n .. ":", uring.dump(), 1, true)
    end
    task:cancel()
    pcall(task.join, task)
  end)

  it("has them, too, when it asks itself", function()
    local text = wrap(function() return uring.current():traceback() end)()
    local _, coroutines = text:gsub("stack traceback:\n", "")
    assert.equal(2, coroutines)
    assert.matches("^stack traceback:\n%s*%[C%]: in method 'traceback'\n.*\n" ..
                   "resumed from\nstack", text)
  end)
end)

describe("a scope with a name", function()
  local function forever() uring.sleep(1000) end

  it("is in the dump with the tasks in it, the innermost of several", function()
    local report
    uring.scope("outer", function(s)
      s:spawn(forever):name "near"
      s:spawn(uring.scope, "inner", forever):name "far"
      s:spawn(uring.timeout, 1000, forever):name "deep"
      uring.yield()
      report = uring.dump()
      assert.equal("uring.scope (outer)", tostring(s))
      s:cancel()
    end)
    assert.matches("%(near, waiting%): sleep, for [%d.]+ s, in outer\n", report)
    assert.matches("%(far, waiting%): sleep, for [%d.]+ s, in inner\n", report)
    assert.matches("%(deep, waiting%): sleep, for [%d.]+ s, in outer\n", report)
    assert.not_matches(", in ", uring.dump())
    assert.equal("uring.scope", uring.scope(tostring))
  end)

  it("is named by the cancellation of the other tasks when one fails", function()
    local told
    local ok, err = pcall(uring.scope, "downloads", function(s)
      s:spawn(error, "first", 0)
      told = select(2, pcall(uring.sleep, 1000))
    end)
    assert.same({ false, "first" }, { ok, err })
    assert.equal("cancelled, for another task of downloads failed", tostring(told))
    raises("bad argument #2 to 'scope' (function expected, got nil)", uring.scope, "name")
  end)
end)

describe("tasks and dump", function()
  main_it("are of another ring when that is asked for", function()
    local ring <close> = assert(core.ring())
    ring:spawn(uring.sleep, 1000):name "elsewhere"
    ring:step(0)
    assert.same({}, uring.tasks())
    assert.equal("elsewhere", uring.tasks(ring)[1]:name())
    assert.matches("^1 task\n.*%(elsewhere, waiting%): sleep", uring.dump(ring))
  end)
end)

describe("trace", function()
  it("sees each operation submitted and completed, with its task", function()
    local r <const>, w <const>, _ <close> = pipe()
    local log = {}
    local task
    uring.trace(function(...) log[#log + 1] = table.pack(...) end)
    local ok, err = pcall(function()
      task = uring.spawn(function()
        assert.equal(2, op.write(w, "hi"))
        assert.equal("hi", op.read(r, 10))
        op.openat(nil, "/no/such/file", 0)
        op.timeout(0.002)
      end):name "traced"
      task:join()
    end)
    uring.trace()
    assert(ok, err)
    op.nop()
    local names, whats <const> = { "write", "read", "openat", "timeout" },
      { "fd " .. w:fileno(), "fd " .. r:fileno(), "/no/such/file" }
    assert.equal(8, #log)
    for i, name in ipairs(names) do
      local submit, complete = log[2 * i - 1], log[2 * i]
      assert.same({ "submit", name }, { submit[1], submit[3] })
      assert.same({ "complete", name }, { complete[1], complete[3] })
      assert.equal(task, submit[2])
      assert.equal(task, complete[2])
      assert.equal(whats[i], submit[4])
      assert.equal(whats[i], complete[4])
      assert.is_nil(submit[5])
      assert.is_true(complete[5] >= 0 and complete[5] < 5)
      assert.equal(({ 2, 2, -errno.ENOENT, -errno.ETIME })[i], complete[6])
    end
    assert.is_true(log[8][5] >= 0.0015)
  end)

  it("may use operations itself, which are not traced", function()
    local n = 0
    uring.trace(function()
      n = n + 1
      op.nop()
    end)
    local ok, result = pcall(op.nop)
    uring.trace(nil)
    assert.is_true(ok)
    assert.equal(0, result)
    assert.equal(2, n)
  end)

  it("passes its error to whoever called, and leaks nothing", function()
    for at = 1, 2 do
      local n = 0
      uring.trace(function()
        n = n + 1
        if n == at then error("from trace", 0) end
      end)
      local ok, err = pcall(op.openat, nil, "/dev/null", 0)
      uring.trace(nil)
      assert.is_false(ok)
      assert.equal("from trace", err)
    end
    assert.equal(0, op.nop())
  end)

  it("takes a function or nil", function()
    raises("function expected", uring.trace, 1)
    raises("function expected", uring.trace, {})
  end)

  main_it("works in the main chunk", function()
    local log = {}
    uring.trace(function(event, task, name)
      log[#log + 1] = event .. " " .. tostring(task) .. " " .. name
    end)
    op.nop()
    uring.trace(nil)
    assert.same({ "submit nil nop", "complete nil nop" }, log)
  end)
end)

-- A case in debug mode; f gets the list of what was reported.
local function debug_it(name, f)
  it(name, function()
    local reports, on_report = {}, uring.on_report
    uring.on_report = function(text) reports[#reports + 1] = text end
    local before = uring.debug(true)
    local ok, err = pcall(f, reports)
    uring.debug(before)
    uring.on_report = on_report
    if not ok then error(err, 0) end
  end)
end

describe("debug mode", function()
  it("is switched on and off", function()
    local before = uring.debug()
    assert.equal(before, uring.debug(true))
    assert.is_true(uring.debug())
    assert.is_true(uring.debug(false))
    assert.is_false(uring.debug())
    uring.debug(before)
    raises("boolean expected", uring.debug, 1)
  end)

  debug_it("says where a descriptor was closed that is bad", function()
    local fd = assert(op.openat(nil, "/dev/null", 0))
    local number = fd:fileno()
    local here = line() fd:close()
    local value, message, code = op.read(number, 10)
    assert.is_nil(value)
    assert.equal(("read fd %d: Bad file descriptor (closed at spec/inspect_spec.lua:%d)")
      :format(number, here), message)
    assert.equal(errno.EBADF, code)
    local ok, err = pcall(op.read, fd, 10)
    assert.is_false(ok)
    assert.matches(("closed at spec/inspect_spec.lua:%d"):format(here), err, 1, true)
  end)

  debug_it("says how many operations were pending", function()
    local r <const>, w <const> = core.sock.pipe()
    local _ <close> = w
    local number = r:fileno()
    local readers = {}
    for i = 1, 2 do readers[i] = uring.spawn(op.poll_add, r, core.POLLIN) end
    uring.yield()
    local here = line() r:close()
    for _, reader in ipairs(readers) do assert.is_nil((reader:join())) end
    local _, message = op.read(number, 10)
    assert.matches(("(closed at spec/inspect_spec.lua:%d while 2 operations were pending)")
      :format(here), message, 1, true)
  end)

  debug_it("says when a number was never opened here, or detached", function()
    local _, message, code = op.read(900, 10)
    assert.equal("read fd 900: Bad file descriptor (not opened here, or closed by somebody else)",
      message)
    assert.equal(errno.EBADF, code)
    local fd = assert(op.openat(nil, "/dev/null", 0))
    local here = line() local number = fd:detach()
    process.close(number)
    _, message = op.write(number, "x")
    assert.matches(("(detached at spec/inspect_spec.lua:%d)"):format(here), message, 1, true)
  end)

  debug_it("checks raw numbers before the kernel sees them", function()
    local completed = uring.ring():stats().completed
    for _, f in ipairs { op.read, op.recv, function(fd) return op.write(fd, "x") end,
      function(fd) return op.poll_add(fd, core.POLLIN) end, op.accept, op.fsync } do
      local value, message, code = f(901, 10)
      assert.is_nil(value)
      assert.equal(errno.EBADF, code)
      assert.matches("Bad file descriptor (not opened here", message, 1, true)
    end
    assert.equal(completed, uring.ring():stats().completed)
    assert.equal(0, op.nop())
  end)

  debug_it("knows what became of a number that was used again", function()
    local first = assert(op.openat(nil, "/dev/null", 0))
    local number = first:fileno()
    first:close()
    local second = assert(op.openat(nil, "/dev/null", 0))
    assert.equal(number, second:fileno())
    local here = line() second:close()
    local _, message = op.read(number, 1)
    assert.matches(":" .. here .. ")", message, 1, true)
  end)

  debug_it("names a task that ran for long", function(reports)
    local function slow()
      local stop = uring.now() + 0.12
      while uring.now() < stop do end
      uring.yield()
      return 1
    end
    uring.spawn(slow):name("the slow one"):join()
    -- a machine that does much else makes slow ones of others, too, but not always
    local function of(name)
      for _, text in ipairs(reports) do
        if text:find("(" .. name, 1, true) then return text end
      end
    end
    local report = assert(of "the slow one")
    local seconds = tonumber(report:match "the slow one, %a+%) ran for (%S+) s without waiting")
    assert.is_true(seconds >= 0.12 and seconds < 5, report)
    assert.matches("inspect_spec.lua", report, 1, true)
    local quick = 0
    repeat
      quick = quick + 1
      uring.spawn(function() uring.yield() end):name("quick " .. quick):join()
    until not of("quick " .. quick .. ",") or quick == 10
    assert.is_nil(of("quick " .. quick .. ","))
  end)

  main_it("reports at the end of run what was never closed", function()
    local output, status = helper.script [[
      local uring = require "uring"
      uring.debug(true)
      local kept
      uring.run(function()
        kept = assert(uring.open "/dev/null")
        local closed = assert(uring.op.openat(nil, "/dev/null", 0))
        closed:close()
        local detached = assert(uring.op.openat(nil, "/dev/null", 0))
        detached:detach()
      end)
      uring.run(print, "again")
    ]]
    assert.equal(0, status)
    assert.matches("^uring: fd %d+, opened at [^\n]+:5, was never closed\nagain\n$", output)
  end)

  main_it("is switched on by the environment", function()
    local text <const> = "print(require 'uring'.debug())"
    assert.equal("true\n", (helper.script(text, "env URING_DEBUG=1")))
    assert.equal("false\n", (helper.script(text, "env URING_DEBUG=0")))
    assert.equal("false\n", (helper.script(text, "env -u URING_DEBUG")))
  end)

  it("is off otherwise: EBADF is said plainly", function()
    local before = uring.debug(false)
    local _, message, code = op.read(902, 10)
    uring.debug(before)
    assert.equal("read fd 902: Bad file descriptor", message)
    assert.equal(errno.EBADF, code)
  end)
end)

describe("interval", function()
  it("ticks in its rhythm", function()
    local start, ticks = uring.now(), {}
    for tick in uring.interval(0.01) do
      ticks[#ticks + 1] = tick
      assert.is_true(uring.now() - start >= 0.01 * tick)
      if tick == 2 then uring.sleep(0.025) end       -- two are missed
      if tick == 6 then break end
    end
    assert.same({ 1, 2, 3, 4, 5, 6 }, ticks)
    local took = uring.now() - start
    assert.is_true(took >= 0.06 and took < 2, took)
  end)

  it("is cancelled like a sleep", function()
    assert.equal("timed out", (select(2, uring.timeout(0.02, function()
      for _ in uring.interval(0.005) do end            -- luacheck: ignore
    end))))
    raises("number expected", uring.interval)
    raises("must not be negative", uring.interval, -1)
    raises("number expected", uring.interval, "x")
  end)
end)

describe("a deadlock", function()
  main_it("is reported with what each task waits for and where", function()
    local output, status = helper.script [[
      local uring = require "uring"
      uring.run(function()
        local a, b = uring.mutex(), uring.mutex()
        local channel = uring.channel()
        uring.spawn(function()
          a:lock() uring.yield()
          b:lock()
        end):name "one"
        uring.spawn(function()
          b:lock() uring.yield()
          a:lock()
        end):name "two"
        uring.spawn(function()
          channel:recv()
        end):name "three"
      end)
    ]]
    assert.equal(1, status)
    assert.matches("deadlock: nothing is in flight, and nobody can wake", output, 1, true)
    assert.matches("uring.task %(one, waiting%): mutex at [^\n]*:7\n", output)
    assert.matches("uring.task %(two, waiting%): mutex at [^\n]*:11\n", output)
    assert.matches("uring.task %(three, waiting%): channel recv at [^\n]*:14\n", output)
  end)

  main_it("of the main chunk is reported, too", function()
    raises("deadlock: nothing is in flight, and nobody can wake the program",
      uring.channel().recv, uring.channel())
  end)
end)
