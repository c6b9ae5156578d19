-- What few scripts do: waiting with a deadline where Lua cannot yield, scopes
-- whose tasks somebody has closed, cleanup inside cleanup, finalisers that
-- cancel, depth.

local uring = require "uring"
local core = require "uring.core"
local helper = require "spec.helper"

local op <const>, errno <const> = uring.op, uring.errno
local it <const>, main_it <const> = helper.scoped, helper.main_it
local coro <const> = uring.coroutine

local function closing(f) return setmetatable({}, { __close = f }) end

local function forever() uring.sleep(1000) end

local function pipe()
  local r, w = core.sock.pipe()
  return r, w, helper.closing(r, w)
end

local function was_cancelled(message, ok, value)
  assert.is_false(ok)
  assert.is_true(value == uring.cancelled, tostring(value))
  assert.equal(message, tostring(value))
end

local function timed_out(value, message, code)
  assert.is_nil(value)
  assert.equal("timed out", message)
  assert.equal(errno.ETIMEDOUT, code)
end

-- Run f where Lua cannot yield, and return its results.
local function in_gsub(f, ...)
  local args, results = table.pack(...), nil
  string.gsub("x", "x", function() results = table.pack(f(table.unpack(args, 1, args.n))) end)
  return table.unpack(results, 1, results.n)
end

local function values(err)
  local list = {}
  for i, failure in ipairs(uring.errors(err)) do list[i] = failure.value end
  return list
end

describe("a deadline where Lua cannot yield", function()
  it("ends an operation, and loses nothing of it", function()
    local r, w <const>, _ <close> = pipe()
    local start = uring.now()
    timed_out(in_gsub(uring.timeout, 0.01, op.read, r, 10))
    timed_out(uring.timeout(0.01, in_gsub, op.read, r, 10))
    timed_out(uring.timeout(1000, in_gsub, uring.timeout, 0.01, uring.timeout, 500, op.read, r, 10))
    assert.is_true(uring.now() - start < 5)
    assert.equal(2, op.write(w, "hi"))
    assert.equal("hi", in_gsub(uring.timeout, 10, op.read, r, 10))
    assert.is_true(uring.sleep(0))
  end)

  it("ends a sleep, a multishot, a yield, but not a close", function()
    local listener <close> = helper.listener()
    local connections <close> = op.accept_multishot(listener)
    local start = uring.now()
    timed_out(in_gsub(uring.timeout, 0.01, forever))
    timed_out(in_gsub(uring.timeout, 0.01, connections))
    timed_out(in_gsub(uring.timeout, 0.01, function()
      while true do uring.yield() end
    end))
    assert.is_true(uring.now() - start < 5)
    timed_out(in_gsub(uring.timeout, 0, function()
      assert.is_true(connections:close())
      uring.sleep(0)
    end))
  end)

  it("is told in the error, and is raised by every await", function()
    local said = {}
    uring.timeout(0.005, in_gsub, function()
      for i = 1, 2 do
        local ok, value = pcall(uring.sleep, 1000)
        was_cancelled("timed out after 0.005 s", ok, value)
        said[i] = true
      end
      said[3] = uring.shield(uring.sleep, 0.001)
    end)
    assert.same({ true, true, true }, said)
  end)

  it("leaves other tasks as they are until this one has waited", function()
    local r <const>, w <const>, _ <close> = pipe()
    local log = {}
    local other = uring.spawn(function()
      uring.sleep(0.001)
      log[#log + 1] = "other"
      op.write(w, "x")
    end)
    uring.yield()
    timed_out(in_gsub(uring.timeout, 0.02, op.read, r, 10))
    log[#log + 1] = "this"
    other:join()
    assert.same({ "this", "other" }, log)
  end)

  it("reaches a sort, a finaliser, a metamethod of the C half", function()
    timed_out(uring.timeout(0.01, table.sort, { 3, 2, 1 }, function() forever() end))
    local message
    setmetatable({}, { __gc = function() message = select(2, uring.timeout(0.01, forever)) end })
    collectgarbage()
    assert.equal("timed out", message)
  end)

  it("of many timers is one among them", function()
    local fired = 0
    for i = 1, 50 do core.timer(i / 10000, function() fired = fired + 1 end) end
    timed_out(in_gsub(uring.timeout, 0.02, forever))
    assert.equal(50, fired)
  end)

  it("passes the error of another timer on", function()
    core.timer(0.001, function() error("from a timer", 0) end)
    helper.raises("from a timer", in_gsub, uring.timeout, 10, forever)
    local r, w <const>, _ <close> = pipe()
    core.timer(0.001, function() error("from a timer", 0) end)
    helper.raises("from a timer", in_gsub, op.read, r, 10)
    core.timer(0.001, function() error("from a timer", 0) end)
    helper.raises("from a timer", in_gsub, op.link, function(c)
      c:read(r, 10)
      c:read(r, 10)
    end)
    assert.equal(1, op.write(w, "x"))
    assert.equal("x", op.read(r, 10))
  end)
end)

describe("a scope where Lua cannot yield", function()
  it("cannot wait for its tasks: they are cancelled, and the next scope waits", function()
    local ended = 0
    local _, message = uring.timeout(1000, function()
      in_gsub(function()
        helper.raises("cannot wait here", uring.scope, function(s)
          s:spawn(function()
            local _ <close> = closing(function()
              uring.shield(uring.sleep, 0.002)
              uring.spawn(function() ended = ended + 1 end)
              ended = ended + 1
            end)
            forever()
          end)
        end)
      end)
      assert.is_true(uring.sleep(0))     -- this task is not
      assert.equal(0, ended)
    end)
    assert.is_nil(message)
    assert.equal(2, ended)
  end)

  main_it("says where that was", function()
    local ok, err = pcall(uring.run, function()
      in_gsub(uring.scope, function(s) s:spawn(forever) end)
    end)
    assert.is_false(ok)
    assert.matches("^cannot wait here: [^\n]*\nstack traceback:\n.*in function 'string.gsub'" ..
                   ".*stranger_spec.lua:", err)
  end)

  it("raises what its tasks raise later in the next scope", function()
    local ok, err = pcall(uring.scope, function()
      pcall(in_gsub, uring.all, { function()
        local _ <close> = closing(function() error("cleanup", 0) end)
        forever()
      end })
      forever()
    end)
    assert.is_false(ok)
    assert.equal("cleanup", err)
  end)

  it("without tasks is as anywhere", function()
    assert.equal(5, in_gsub(uring.scope, function() return 5 end))
    assert.equal(6, in_gsub(uring.shield, function() return 6 end))
    assert.equal(7, in_gsub(uring.run, function() return 7 end))
    helper.raises("oops", in_gsub, uring.scope, function() error("oops", 0) end)
    assert.is_true(uring.sleep(0))
  end)

  it("can be cancelled afterwards as before", function()
    local task = uring.spawn(function()
      pcall(in_gsub, uring.scope, function(s) s:spawn(forever) end)
      forever()
    end)
    uring.yield()
    task:cancel "later"
    was_cancelled("later", pcall(task.join, task))
  end)
end)

describe("a scope whose task somebody has closed", function()
  local CLOSED <const> = "somebody has closed the task's coroutine"

  it("is waited for by the scope around it, which has its errors", function()
    local ended = 0
    local ok, err = pcall(uring.scope, function(s)
      local thread
      s:spawn(function()
        thread = coroutine.running()
        uring.timeout(1000, function()
          uring.scope(function(inner)
            for i = 1, 3 do
              inner:spawn(function()
                local _ <close> = closing(function()
                  uring.shield(uring.sleep, i / 1000)
                  ended = ended + 1
                  error("number " .. i, 0)
                end)
                forever()
              end)
            end
          end)
        end)
      end)
      uring.sleep(0.001)
      coroutine.close(thread)
      s:cancel()
    end)
    assert.is_false(ok)
    assert.equal(3, ended)
    local list = values(err)
    table.sort(list)
    assert.same({ "number 1", "number 2", "number 3", CLOSED }, list)
  end)

  it("is cancelled when it is noticed before its tasks have ended", function()
    local ended
    local ok, err = pcall(uring.scope, function(s)
      local thread
      local task = s:spawn(function()
        thread = coroutine.running()
        uring.scope(function(inner)
          inner:spawn(function()
            local _ <close> = closing(function()
              uring.shield(uring.sleep, 0.002)
              ended = true
              error("cleanup", 0)
            end)
            forever()
          end)
          core.park()
        end)
      end)
      uring.sleep(0.001)
      coroutine.close(thread)
      assert.is_false(task:wake())
      task:wake()
      uring.yield()
      forever()
    end)
    assert.is_false(ok)
    assert.is_true(ended)
    assert.same({ CLOSED, "cleanup" }, values(err))
  end)

  main_it("is waited for by run, when it was that of the first task", function()
    local before <const>, told, ended = uring.on_error, {}, nil
    uring.on_error = function(value) told[#told + 1] = value end
    local ok, err = pcall(uring.run, function()
      local thread = coroutine.running()
      uring.spawn(function()
        local _ <close> = closing(function()
          uring.shield(uring.sleep, 0.005)
          uring.spawn(function() ended = true end)
          error("cleanup", 0)
        end)
        forever()
      end)
      uring.spawn(function() coroutine.close(thread) end)
      uring.sleep(0.002)
    end)
    uring.on_error = before
    assert.is_false(ok)
    assert.equal(CLOSED, err:match "[^\n]*")
    assert.same({ "cleanup" }, told)
    assert.is_true(ended)
  end)

  it("does not take what is meant for one that waits", function()
    local r, w <const>, _ <close> = pipe()
    local channel = uring.channel()
    local bytes <close> = op.read_multishot(r)
    for receive, send in pairs {
      [function() return channel:recv() end] = function() channel:try_send "item" end,
      [function() return (bytes()) end] = function() op.write(w, "item") end,
    } do
      local threads, got = {}, {}
      for i = 1, 2 do
        uring.spawn(pcall, uring.scope, function(s)
          s:spawn(function()
            threads[i] = coroutine.running()
            got[i] = receive()
          end)
        end)
      end
      while not threads[2] do uring.yield() end
      coroutine.close(threads[1])
      send()
      while not got[2] do uring.sleep(0.0005) end
      assert.is_nil(got[1])
      assert.equal("item", got[2])
    end
  end)

  it("is not somebody who hears an error by joining", function()
    local ok, err = pcall(uring.scope, function(s)
      local event = uring.event()
      local failing = s:spawn(function()
        event:wait()
        error("unheard", 0)
      end)
      local thread
      uring.spawn(pcall, uring.scope, function(inner)
        inner:spawn(function()
          thread = coroutine.running()
          failing:join()
        end)
      end)
      while not thread do uring.yield() end
      coroutine.close(thread)
      event:set()
      uring.sleep(10)
    end)
    assert.is_false(ok)
    assert.equal("unheard", err)
  end)
end)

describe("cleanup", function()
  it("is cut short by a cancellation, unless it is in a shield", function()
    local r <const>, _, _ <close> = pipe()
    local log = {}
    local function task_of(cleanup)
      local task = uring.spawn(function()
        local _ <close> = closing(cleanup)
        return "result"
      end)
      uring.sleep(0.001)
      task:cancel "in cleanup"
      return pcall(task.join, task)
    end
    was_cancelled("in cleanup", task_of(function() op.read(r, 10) end))
    was_cancelled("in cleanup", task_of(function()
      pcall(op.read, r, 10)
      log[#log + 1] = "caught"
      uring.sleep(0)
      log[#log + 1] = "not reached"
    end))
    local ok, result = task_of(function()
      uring.shield(uring.sleep, 0.005)
      log[#log + 1] = "shielded"
    end)
    assert.is_true(ok)
    assert.equal("result", result)
    assert.same({ "caught", "shielded" }, log)
  end)

  it("of generators in each other runs from the inside, and may wait in a shield", function()
    local log = {}
    local function level(n)
      return coro.wrap(function()
        local _ <close> = closing(function(_, err)
          assert.equal("deep", tostring(err))
          uring.shield(uring.sleep, 0.001)
          log[#log + 1] = n
        end)
        if n == 0 then forever() else level(n - 1)() end
      end)
    end
    local task = uring.spawn(function() level(3)() end)
    uring.sleep(0.002)
    task:cancel "deep"
    was_cancelled("deep", pcall(task.join, task))
    assert.same({ 0, 1, 2, 3 }, log)
  end)

  it("of a deadline may outlive the one around it, which is kept then", function()
    local said, after = {}, nil
    timed_out(uring.timeout(0.01, function()
      timed_out(uring.timeout(0.001, function()
        local _ <close> = closing(function()
          said[1] = tostring(select(2, pcall(forever)))
          uring.shield(uring.sleep, 0.02)
          said[2] = tostring(select(2, pcall(forever)))
        end)
        forever()
      end))
      after = { pcall(uring.sleep, 0) }
      error(after[2], 0)
    end))
    assert.same({ "timed out after 0.001 s", "timed out after 0.001 s" }, said)
    was_cancelled("timed out after 0.01 s", table.unpack(after))
  end)
end)

describe("tasks of two rings", function()
  local default <const> = uring.ring()

  -- Turns of both, until the task has ended.
  local function drive(other, task)
    local deadline <const> = uring.now() + 10
    while task:status() ~= "done" and task:status() ~= "failed" do
      assert(uring.now() < deadline, task:traceback())
      default:step(0)
      other:step(0.001)
    end
    return task:join()
  end

  main_it("join each other, with results and errors", function()
    local other <close> = assert(core.ring())
    local there = other:spawn(function() op.timeout(0.002) return "there" end)
    assert.equal("there", drive(other, uring.spawn(there.join, there)))
    there = other:spawn(function() op.timeout(0.002) error("fails there", 0) end)
    local ok, err = drive(other, uring.spawn(pcall, there.join, there))
    assert.same({ false, "fails there" }, { ok, err })
    -- one that nobody joins
    there = other:spawn(error, "alone")
    helper.raises("alone", other.step, other, 0)
    helper.raises("alone", there.join, there)
    assert(helper.idle(other))
  end)

  main_it("cancel each other, and who waits for the other's end", function()
    local other <close> = assert(core.ring())
    local r <const>, _, _ <close> = pipe()
    local there = other:spawn(op.read, r, 10)
    other:step(0)
    was_cancelled("from here", drive(other, uring.spawn(function()
      there:cancel "from here"
      return pcall(there.join, there)
    end)))
    there = other:spawn(op.read, r, 10)
    local joiner = uring.spawn(there.join, there)
    other:step(0)
    default:step(0)
    joiner:cancel "only this one"
    was_cancelled("only this one", pcall(joiner.join, joiner))
    assert.equal("waiting", there:status())
    there:cancel()
    was_cancelled("cancelled", pcall(there.join, there))
    assert(helper.idle(other))
  end)

  main_it("are told when the other ring is closed", function()
    local other = assert(core.ring())
    local there = other:spawn(op.timeout, 1000)
    local joiner = uring.spawn(pcall, there.join, there)
    default:step(0)
    other:step(0)
    other:close()
    local ok, err = joiner:join()
    assert.is_false(ok)
    assert.matches("the task's ring was closed", err, 1, true)
    assert.equal("lost", there:status())
  end)

  main_it("share channels and scopes", function()
    local other <close> = assert(core.ring())
    local channel, sum, scope = uring.channel(), 0, nil
    local here = uring.spawn(function()
      uring.scope(function(s)
        scope = s
        for value in channel do sum = sum + value end
      end)
      return sum
    end)
    default:step(0)
    other:spawn(function()
      for i = 1, 10 do
        assert(channel:send(i))
        op.nop()
      end
      scope:spawn(function()               -- on this ring, waited for on the other
        op.timeout(0.005)
        sum = sum + 100
      end)
      channel:close()
    end)
    assert.equal(155, drive(other, here))
    assert(helper.idle(other))
  end)
end)

describe("a message handler of the script", function()
  it("may fail, or wait in place", function()
    local function handled(handler)
      return xpcall(function()
        uring.sleep(0)
        error("first", 0)
      end, handler)
    end
    assert.is_false(handled(function() error "again" end))
    assert.same({ false, "first after a wait" }, { handled(function(err)
      uring.sleep(0.001)
      return err .. " after a wait"
    end) })
    assert.is_true(uring.sleep(0))
  end)
end)

describe("a finaliser", function()
  it("may cancel tasks, its own, scopes, and wake", function()
    local function collected(f)
      setmetatable({}, { __gc = f })
      collectgarbage()
    end
    local task = uring.spawn(forever)
    uring.yield()
    collected(function() task:cancel "by a finaliser" end)
    was_cancelled("by a finaliser", pcall(task.join, task))
    task = uring.spawn(function()
      collected(function() uring.current():cancel "itself" end)
      uring.sleep(0)
    end)
    was_cancelled("itself", pcall(task.join, task))
    local _, reason = uring.scope(function(s)
      collected(function() s:cancel "a scope" end)
      uring.sleep(0)
    end)
    assert.equal("a scope", reason)
    local channel = uring.channel(1)
    collected(function() channel:send "item" end)
    assert.equal("item", channel:recv())
  end)

  main_it("may cancel a scope in the middle of anything", function()
    local n = 0
    core.torture(true)
    local ok, err = pcall(uring.run, function()
      for _ = 1, 10 do
        uring.scope(function(s)
          for _ = 1, 5 do
            s:spawn(function()
              setmetatable({}, { __gc = function()
                n = n + 1
                s:cancel()
              end })
              forever()
            end)
          end
        end)
      end
    end)
    core.torture(helper.torture)
    assert(ok, err)
    collectgarbage()
    collectgarbage()
    assert.equal(50, n)
  end)
end)

describe("depth", function()
  local function stack_overflow(ok, err)
    assert.is_false(ok)
    assert.matches("stack overflow", tostring(err))
  end

  -- A stack overflow fills the stack first: not with a collection each time.
  it("of calls ends in an error, after waits too", function()
    local function deep(n)
      if n % 50000 == 0 then uring.yield() end
      return 1 + deep(n + 1)
    end
    local task = uring.spawn(deep, 0)
    stack_overflow(pcall(task.join, task))
    task = uring.spawn(function()
      local _ <close> = closing(function() deep(1) end)
      uring.sleep(0)
    end)
    stack_overflow(pcall(task.join, task))
    assert.is_true(uring.sleep(0))
  end)

  it("of pcall ends in an error, and is cancelled where it goes", function()
    local function nest(n)
      if n == 0 then return uring.sleep(1000) end
      local ok, value = pcall(nest, n - 1)
      if not ok then error(value, 0) end
      return value
    end
    local task = uring.spawn(nest, 180)
    uring.yield()
    task:cancel "deep"
    was_cancelled("deep", pcall(task.join, task))
    task = uring.spawn(nest, 250)
    stack_overflow(pcall(task.join, task))
  end)

  it("of scopes in one task is that of pcall", function()
    local function nest(n)
      if n == 0 then return uring.sleep(0.001) end
      return (uring.scope(function() return nest(n - 1) end))
    end
    assert.is_true(nest(80))
    stack_overflow(pcall(nest, 300))
    assert.is_true(uring.sleep(0))
  end)

  it("of tasks in scopes may be thousands: ended, failed, cancelled", function()
    local n <const> = helper.scale(2000)
    local function nest(depth, bottom)
      if depth == 0 then return bottom() end
      return uring.scope(function(s) return s:spawn(nest, depth - 1, bottom):join() + 1 end)
    end
    assert.equal(n, nest(n, function() return uring.sleep(0) and 0 end))
    local ok, err = pcall(nest, n, function() error("bottom", 0) end)
    assert.is_false(ok)
    assert.equal("bottom", err)
    assert.equal(1, #uring.errors(err))
    local reached
    local _, reason = uring.scope(function(s)
      local task = s:spawn(nest, n, function()
        reached = true
        forever()
      end)
      while not reached do uring.yield() end
      s:cancel "from the top"
      task:join()
    end)
    assert.equal("from the top", reason)
  end, 60)
end)
