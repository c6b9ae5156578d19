-- Tasks, scopes, errors, cancellation, deadlines.

local uring = require "uring"
local core = require "uring.core"
local helper = require "spec.helper"

local op <const>, errno <const> = uring.op, uring.errno
local it <const>, main_it <const> = helper.scoped, helper.main_it
local process <const> = helper.process

-- Something whose __close calls f.
local function closing(f) return setmetatable({}, {__close = f}) end

local function forever() uring.sleep(1000) end

local function timed_out(value, message, code)
  assert.is_nil(value)
  assert.equal("timed out", message)
  assert.equal(errno.ETIMEDOUT, code)
end

local function was_cancelled(ok, value)
  assert.is_false(ok)
  assert.is_true(value == uring.cancelled, tostring(value))
  return tostring(value)
end

-- Two connected streams.
local function pair()
  local server <close> = assert(uring.listen "127.0.0.1:0")
  local a = assert(uring.connect(server:address()))
  local b = assert(server:accept())
  return a, b
end

describe("run", function()
  main_it("returns what the function returns", function()
    local function count(...) return select("#", ...), ..., nil end
    local results = table.pack(uring.run(count, 1, nil))
    assert.same({n = 3, 2, 1, nil}, results)
  end)

  main_it("waits for every task that was started", function()
    local done = 0
    uring.run(function()
      for i = 1, 5 do
        uring.spawn(function() uring.sleep(i / 1000) done = done + 1 end)
      end
    end)
    assert.equal(5, done)
  end)

  main_it("raises an error with the traceback of its task", function()
    local function culprit() error "oops" end
    local ok, err = pcall(uring.run, function() culprit() return 1 end)
    assert.is_false(ok)
    assert.matches("scope_spec.lua:%d+: oops\nstack traceback:", err)
    assert.matches("in upvalue 'culprit'", err, 1, true)
  end)

  main_it("raises the error of a spawned task with that task's traceback", function()
    local function culprit() uring.sleep(0.001) error "oops" end
    local ok, err = pcall(uring.run, function()
      uring.spawn(function() culprit() return 1 end)
      forever()
    end)
    assert.is_false(ok)
    assert.matches("scope_spec.lua:%d+: oops\nstack traceback:", err)
    assert.matches("in upvalue 'culprit'", err, 1, true)
  end)

  main_it("raises values that are no strings as they are", function()
    local value = {}
    for _, v in ipairs {value, 42, true} do
      local ok, err = pcall(uring.run, function() error(v) end)
      assert.is_false(ok)
      assert.is_true(rawequal(v, err))
      ok, err = pcall(uring.run, function()
        uring.spawn(function() uring.sleep(0) error(v) end)
        forever()
      end)
      assert.is_false(ok)
      assert.is_true(rawequal(v, err))
    end
    assert.same({false}, {pcall(uring.run, function() error(nil) end)})
    assert.same({false}, {pcall(uring.run, function()
      uring.spawn(function() error() end)
      forever()
    end)})
  end)

  main_it("tells every error when several tasks fail", function()
    local ok, err = pcall(uring.run, function()
      for i = 1, 3 do
        uring.spawn(function()
          local _ <close> = closing(function() error("number " .. i) end)
          uring.sleep(i == 1 and 0.001 or 1000)
          error "number 0"
        end)
      end
    end)
    assert.is_false(ok)
    assert.matches("number 1", err, 1, true)
    assert.matches("and then: .*number [23].*and then: .*number [23]", err)
  end)

  main_it("rejects what is no function", function()
    helper.raises("bad argument #1 to 'run' (function expected, got nil)", uring.run)
  end)

  main_it("can be called again, after an error too", function()
    pcall(uring.run, error, "x")
    assert.equal(7, uring.run(function() return 7 end))
  end)

  it("is a scope of its own inside a task", function()
    local done
    assert.equal(5, uring.run(function(v)
      uring.spawn(function() uring.sleep(0.001) done = true end)
      return v
    end, 5))
    assert.is_true(done)
    local ok, err = pcall(uring.run, function() error("inner", 0) end)
    assert.is_false(ok)
    assert.equal("inner", err)
  end)

  main_it("reports a deadlock and can be called again", function()
    local ok, err = pcall(uring.run, function() core.park() end)
    assert.is_false(ok)
    assert.matches("deadlock", tostring(err))
    assert.equal(1, uring.run(function() return 1 end))
  end)

  main_it("does nothing at exit for a script that ends inside it", function()
    helper.prints("in\n", [[
      local uring = require "uring"
      uring.run(function()
        uring.spawn(uring.sleep, 1000)
        uring.spawn(function()
          local l = assert(uring.listen "127.0.0.1:0")
          l:accept()
        end)
        uring.sleep(0.01)
        print "in"
        os.exit(0, true)
      end)
    ]])
  end)
end)

describe("spawn", function()
  it("starts a task with arguments, which does not run at once", function()
    local got
    local task = uring.spawn(function(...) got = table.pack(...) end, 1, nil, 3)
    assert.is_nil(got)
    task:join()
    assert.same({n = 3, 1, nil, 3}, got)
  end)

  it("joins: the results, several times, by several tasks", function()
    local task = uring.spawn(function() uring.sleep(0.001) return 1, nil, 3 end)
    local function joined() assert.same({n = 3, 1, nil, 3}, table.pack(task:join())) end
    local other = uring.spawn(joined)
    joined()
    other:join()
    joined()
    assert.equal("done", task:status())
  end)

  it("raises in join what the task raised, and the scope goes on", function()
    local value = {}
    local task = uring.spawn(function() uring.sleep(0.001) error(value) end)
    local ok, err = pcall(task.join, task)
    assert.is_false(ok)
    assert.is_true(rawequal(value, err))
    ok, err = pcall(task.join, task)
    assert.is_false(ok)
    assert.is_true(rawequal(value, err))
    assert.equal("failed", task:status())
    assert.is_true(uring.sleep(0.001))
  end)

  it("runs tasks in the order they were started", function()
    local order = {}
    uring.scope(function(s)
      for i = 1, 10 do s:spawn(function() order[i] = #order + 1 end) end
    end)
    assert.same({1, 2, 3, 4, 5, 6, 7, 8, 9, 10}, order)
  end)

  it("rejects what is no function", function()
    helper.raises("function expected, got nil", uring.spawn)
    helper.raises("function expected", uring.spawn, {})
  end)

  it("has a task that cannot wait for itself", function()
    local task
    task = uring.spawn(function() return pcall(task.join, task) end)
    local ok, err = task:join()
    assert.is_false(ok)
    assert.matches("cannot wait for itself", err, 1, true)
  end)

  main_it("works outside a task, and join drives the loop", function()
    local task = uring.spawn(function() uring.sleep(0.001) return "done" end)
    assert.equal("done", task:join())
    task = uring.spawn(function() uring.sleep(0.001) error("bad", 0) end)
    local ok, err = pcall(task.join, task)
    assert.is_false(ok)
    assert.matches("bad", err)
  end)
end)

describe("scope", function()
  it("returns what its function returns, when its tasks have ended", function()
    local done
    local results = table.pack(uring.scope(function(s)
      s:spawn(function() uring.sleep(0.002) done = true end)
      return 1, nil
    end))
    assert.same({n = 2, 1, nil}, results)
    assert.is_true(done)
  end)

  it("waits for tasks that its tasks start", function()
    local depth = 0
    uring.scope(function(s)
      local function go(n)
        uring.yield()
        depth = n
        if n < 20 then s:spawn(go, n + 1) end
      end
      s:spawn(go, 1)
    end)
    assert.equal(20, depth)
  end)

  it("is where spawn starts tasks", function()
    local done = 0
    uring.scope(function()
      uring.spawn(function()
        uring.spawn(function() uring.sleep(0.002) done = done + 1 end)
      end)
    end)
    assert.equal(1, done)
  end)

  it("cancels the others when one task fails, and raises its error", function()
    local ended = 0
    local ok, err = pcall(uring.scope, function(s)
      for _ = 1, 5 do
        s:spawn(function()
          local _ <close> = closing(function() ended = ended + 1 end)
          forever()
        end)
      end
      uring.yield()
      s:spawn(function() error("first", 0) end)
      forever()
    end)
    assert.is_false(ok)
    assert.equal("first", err)
    assert.equal(5, ended)
    assert.is_true(uring.sleep(0))
  end)

  it("cancels its tasks when its function fails", function()
    local ended
    local ok, err = pcall(uring.scope, function(s)
      s:spawn(function()
        local _ <close> = closing(function() ended = true end)
        forever()
      end)
      uring.yield()
      error("body", 0)
    end)
    assert.is_false(ok)
    assert.equal("body", err)
    assert.is_true(ended)
  end)

  it("fails its outer scopes one after the other", function()
    local order = {}
    local ok, err = pcall(uring.scope, function(outer)
      outer:spawn(function()
        local _ <close> = closing(function() order[#order + 1] = "sibling" end)
        forever()
      end)
      uring.scope(function(inner)
        local _ <close> = closing(function() order[#order + 1] = "inner" end)
        inner:spawn(function() uring.sleep(0.001) error("deep", 0) end)
        forever()
      end)
    end)
    assert.is_false(ok)
    assert.equal("deep", err)
    assert.same({"inner", "sibling"}, order)
  end)

  it("confines a failure that is caught outside it", function()
    local other = uring.spawn(function() uring.sleep(0.005) return "fine" end)
    assert.is_false(pcall(uring.scope, function(s) s:spawn(error, "x") forever() end))
    assert.equal("fine", other:join())
  end)

  it("returns nil, reason, ECANCELED when it was cancelled", function()
    local ended = 0
    local value, message, code = uring.scope(function(s)
      s:spawn(function()
        local _ <close> = closing(function() ended = ended + 1 end)
        forever()
      end)
      uring.yield()
      s:cancel "enough"
      s:cancel "twice"
      forever()
    end)
    assert.is_nil(value)
    assert.equal("enough", message)
    assert.equal(errno.ECANCELED, code)
    assert.equal(1, ended)
    assert.is_true(uring.sleep(0))
  end)

  it("can be cancelled by one of its tasks while it waits for them", function()
    local _, message = uring.scope(function(s)
      s:spawn(forever)
      s:spawn(function() uring.sleep(0.001) s:cancel() end)
      return 1
    end)
    assert.equal("cancelled", message)
  end)

  it("takes no tasks when it has ended", function()
    local scope
    uring.scope(function(s) scope = s end)
    helper.raises("the scope has ended", scope.spawn, scope, print)
    scope:cancel()
  end)

  it("cancels at once a task that is started in it after its cancellation", function()
    local ran
    uring.scope(function(s)
      s:cancel()
      s:spawn(function() ran = true uring.sleep(0) ran = false end)
    end)
    assert.is_true(ran)
  end)

  main_it("needs a task", function()
    for _, name in ipairs {"scope", "shield", "timeout"} do
      helper.raises("uring." .. name .. " outside a task: call it inside uring.run",
                    uring[name], 1, print)
    end
  end)
end)

describe("cancelling a task", function()
  -- What it does, for each kind of wait: name -> f(), which waits forever.
  local waits = {
    sleep = forever,
    park = core.park,
    timeout = function() uring.timeout(1000, forever) end,
    scope = function() uring.scope(function(s) s:spawn(forever) end) end,
    join = function() uring.scope(function(s) s:spawn(forever):join() end) end,
    accept = function()
      local server <close> = assert(uring.listen "127.0.0.1:0")
      server:accept()
    end,
    serve = function()
      local server <close> = assert(uring.listen "127.0.0.1:0")
      server:serve(print)
    end,
    read = function()
      local a, b = pair()
      local _ <close> = helper.closing(a, b)
      a:read(1)
    end,
    write = function()
      local a, b = pair()
      local _ <close> = helper.closing(a, b)
      a:write(("x"):rep(1024):rep(32768))
    end,
    pipe = function()
      local r, w = core.sock.pipe()
      local _ <close> = helper.closing(r, w)
      op.read(r, 1)
    end,
    poll = function()
      local r, w = core.sock.pipe()
      local _ <close> = helper.closing(r, w)
      op.poll_add(r, core.POLLIN)
    end
  }
  local names = {}
  for name in pairs(waits) do names[#names + 1] = name end
  table.sort(names)
  for _, name in ipairs(names) do
    local wait = waits[name]

    it("ends it before it waits: " .. name, function()
      local task = uring.spawn(wait)
      assert.equal(task, task:cancel())
      was_cancelled(pcall(task.join, task))
    end)

    it("ends it while it waits: " .. name, function()
      local task = uring.spawn(wait)
      uring.sleep(0.005)
      task:cancel "that will do"
      assert.equal("that will do", was_cancelled(pcall(task.join, task)))
      assert.equal("failed", task:status())
      task:cancel()                    -- now it does nothing
    end)

    it("ends it once when done twice: " .. name, function()
      local task = uring.spawn(wait)
      uring.sleep(0.005)
      task:cancel "one"
      task:cancel "two"
      uring.yield()
      task:cancel "three"
      assert.equal("one", was_cancelled(pcall(task.join, task)))
    end)

    it("reaches it through the scope, and it is no failure: " .. name, function()
      local _, reason = uring.scope(function(s)
        s:spawn(wait)
        s:spawn(wait)
        uring.sleep(0.005)
        s:cancel "all of you"
        return 1
      end)
      assert.is_nil(reason)            -- the function had its say
      local got, why, code = uring.scope(function(s)
        s:spawn(wait)
        s:spawn(function() uring.sleep(0.005) s:cancel "all of you" end)
        wait()
      end)
      assert.is_nil(got)
      assert.equal("all of you", why)
      assert.equal(errno.ECANCELED, code)
    end)

    it("reaches it by a deadline: " .. name, function()
      timed_out(uring.timeout(0.005, wait))
      timed_out(uring.timeout(0, wait))
      timed_out(uring.timeout(1000, uring.timeout, 0.005, wait))
      timed_out(uring.timeout(0.005, uring.timeout, 1000, wait))
    end)
  end

  it("is no failure of the scope when nobody joins", function()
    local done
    uring.scope(function(s)
      local task = s:spawn(forever)
      s:spawn(function() uring.sleep(0.003) done = true end)
      uring.yield()
      task:cancel()
    end)
    assert.is_true(done)
  end)

  it("does nothing to one that has ended", function()
    local task = uring.spawn(function() return 1 end)
    task:join()
    task:cancel()
    assert.equal(1, task:join())
  end)

  it("takes only a string as the reason", function()
    local task = uring.spawn(uring.sleep, 0.001)
    helper.raises("bad argument #1 to 'cancel' (string expected, got table)",
                  function() task:cancel {} end)
    uring.scope(function(s)
      helper.raises("bad argument #1 to 'cancel' (string expected, got number)",
                    function() s:cancel(5) end)
      assert.is_true(uring.sleep(0))
    end)
    assert.is_true(task:join())
  end)

  it("is level-triggered: a pcall swallows it for one await only", function()
    local raised = 0
    local task = uring.spawn(function()
      for _ = 1, 3 do
        local ok, value = pcall(uring.sleep, 1000)
        was_cancelled(ok, value)
        raised = raised + 1
      end
      was_cancelled(pcall(op.nop))
      was_cancelled(pcall(uring.scope, function() uring.sleep(0) end))
      was_cancelled(pcall(uring.timeout, 10, forever))
      return "tough"
    end)
    uring.yield()
    task:cancel()
    assert.equal("tough", task:join())
    assert.equal(3, raised)
  end)

  it("reaches the tasks in the scopes it has opened, and no other", function()
    local cut = {}
    local function child(name)
      local _ <close> = closing(function() cut[#cut + 1] = name end)
      forever()
    end
    local sibling = uring.spawn(function() uring.sleep(0.01) return "fine" end)
    local task = uring.spawn(function()
      uring.scope(function(s)
        s:spawn(child, "a")
        uring.scope(function(inner)
          inner:spawn(child, "b")
          forever()
        end)
      end)
    end)
    uring.sleep(0.001)
    task:cancel()
    was_cancelled(pcall(task.join, task))
    table.sort(cut)
    assert.same({"a", "b"}, cut)
    assert.equal("fine", sibling:join())
  end)

  it("runs its to-be-closed variables, which may wait in a shield", function()
    local log = {}
    local task = uring.spawn(function()
      local _ <close> = closing(function()
        was_cancelled(pcall(uring.sleep, 0))
        log[#log + 1] = uring.shield(function(v)
          uring.sleep(0.002)
          uring.scope(function(s) s:spawn(uring.sleep, 0.001) end)
          return v
        end, "cleaned")
        was_cancelled(pcall(uring.sleep, 0))
      end)
      forever()
    end)
    uring.yield()
    task:cancel()
    was_cancelled(pcall(task.join, task))
    assert.same({"cleaned"}, log)
  end)

  it("closes a stream in a to-be-closed variable, while it is read", function()
    local a, b = pair()
    local _ <close> = b
    local task = uring.spawn(function()
      local _ <close> = a
      a:read "a"
    end)
    uring.sleep(0.002)
    task:cancel()
    was_cancelled(pcall(task.join, task))
    assert.is_nil((b:read(1)))
  end)

  it("is kept out by a shield, also from scopes inside it", function()
    local function cleanup()
      assert.is_true(uring.sleep(0.001))
      local result = uring.timeout(10, function()
        uring.sleep(0.001)
        return uring.scope(function(s) return s:spawn(uring.sleep, 0.001):join() end)
      end)
      assert.is_true(result)
      assert.is_true(uring.sleep(0.001))
      timed_out(uring.timeout(0.001, forever))
      assert.is_true(uring.sleep(0.001))
      return "clean"
    end
    -- cancelled inside the shield, before it, and by way of a scope
    local task = uring.spawn(function()
      assert.equal("clean", uring.shield(cleanup))
      uring.sleep(0)
    end)
    uring.sleep(0.002)
    task:cancel()
    was_cancelled(pcall(task.join, task))
    local log
    task = uring.spawn(function()
      pcall(forever)
      log = uring.shield(cleanup)
    end)
    uring.yield()
    task:cancel()
    task:join()
    assert.equal("clean", log)
    log = nil
    uring.timeout(0.001, function()
      pcall(forever)
      log = uring.shield(cleanup)
    end)
    assert.equal("clean", log)
  end)

  it("lets a shield end before it is raised", function()
    local finished
    local value = uring.timeout(0.002, function()
      uring.shield(function() uring.sleep(0.01) finished = true end)
      forever()
    end)
    assert.is_nil(value)
    assert.is_true(finished)
  end)

  it("can be compared with uring.cancelled", function()
    local task = uring.spawn(function()
      local ok, value = pcall(forever)
      return ok, value == uring.cancelled, uring.cancelled == value, value ~= "cancelled"
    end)
    uring.yield()
    task:cancel()
    assert.same({false, true, true, true}, {task:join()})
  end)

  it("is told from errors that are other tables", function()
    for _, value in ipairs {{}, setmetatable({}, {__name = "uring.cancelled"})} do
      assert.is_false(value == uring.cancelled)
      assert.is_false(uring.cancelled == value)
      local ok, err = pcall(uring.scope, function(s)
        s:spawn(error, value)
        s:cancel()
      end)
      assert.is_false(ok)
      assert.is_true(rawequal(value, err))
    end
  end)

  it("lets the error of a cleanup out", function()
    local ok, err = pcall(uring.scope, function(s)
      s:spawn(function()
        local _ <close> = closing(function() error("cleanup failed", 0) end)
        forever()
      end)
      uring.yield()
      s:cancel()
    end)
    assert.is_false(ok)
    assert.equal("cleanup failed", err)
  end)

  it("leaves the task alone that only joined the cancelled one", function()
    local task = uring.spawn(forever)
    local joiner = uring.spawn(function()
      was_cancelled(pcall(task.join, task))
      return uring.sleep(0)
    end)
    uring.yield()
    task:cancel()
    assert.is_true(joiner:join())
  end)

  it("of a joiner leaves the other task alone", function()
    local task = uring.spawn(function() uring.sleep(0.005) return "fine" end)
    local joiner = uring.spawn(task.join, task)
    uring.yield()
    joiner:cancel()
    was_cancelled(pcall(joiner.join, joiner))
    assert.equal("fine", task:join())
  end)
end)

describe("nothing is lost:", function()
  it("an operation that has ended when the cancellation comes returns its result", function()
    local r, w = core.sock.pipe()
    local _ <close> = helper.closing(r, w)
    local data, after
    local task = uring.spawn(function()
      data = op.read(r, 10)
      after = pcall(uring.sleep, 0)
    end)
    uring.yield()
    assert.equal(3, op.write(w, "abc"))
    task:cancel()                      -- the same turn, or the next
    task:join()
    assert.equal("abc", data)
    assert.is_false(after)
  end)

  it("a connection is delivered or closed, whenever accept is cancelled", function()
    local delivered, closed = 0, 0
    local server <close> = assert(uring.listen("127.0.0.1:0", {backlog = 512}))
    for i = 1, helper.scale(200) do
      local got
      local accepting = uring.spawn(function() got = server:accept() end)
      if i % 3 > 0 then uring.yield() end
      local client <close> = assert(uring.connect(server:address()))
      for _ = 1, i % 4 do uring.yield() end
      accepting:cancel()
      pcall(accepting.join, accepting)
      if not got then                  -- then it is in the queue, or closed
        got = uring.timeout(0.05, server.accept, server)
        if got then delivered = delivered - 1 end
      end
      if got then
        local _ <close> = got
        delivered = delivered + 1
        assert.truthy(got:write "hello")
        assert.equal("hello", client:read(5))
      else
        closed = closed + 1
        assert.is_nil((uring.timeout(1, client.read, client, 1)))
      end
    end
    assert.is_true(delivered > 0)
  end)

  it("a deadline that expires with its completion keeps the result", function()
    local r, w = core.sock.pipe()
    local _ <close> = helper.closing(r, w)
    local sent, received, expired = 0, 0, 0
    for _ = 1, helper.scale(300) do
      local writer = uring.spawn(function()
        uring.sleep(0.0005)
        sent = sent + assert(op.write(w, "x"))
      end)
      local data, message = uring.timeout(0.0005, op.read, r, 10)
      if data then
        received = received + #data
      else
        assert.equal("timed out", message)
        expired = expired + 1
      end
      writer:join()
    end
    assert.equal(1, op.write(w, "x"))
    assert.equal(sent + 1, received + #op.read(r, 4096))
  end)

  it("a descriptor that was opened is closed when nobody takes it", function()
    for i = 1, helper.scale(200) do
      local file
      local task = uring.spawn(function() file = uring.open("/dev/null") end)
      for _ = 1, i % 4 do uring.yield() end
      task:cancel()
      pcall(task.join, task)
      if file then file:close() end
    end
  end)                                 -- helper looks at the descriptors
end)

describe("a deadline", function()
  it("returns what the function returns in time", function()
    local before = uring.ring():stats().timers
    assert.same({n = 3, 1, nil, 3}, table.pack(uring.timeout(10, function(...)
      uring.sleep(0.001)
      return ...
    end, 1, nil, 3)))
    assert.equal(before, uring.ring():stats().timers)
  end)

  it("of 0 lets run what need not wait", function()
    assert.equal(5, uring.timeout(0, function() return 5 end))
    timed_out(uring.timeout(0, forever))
  end)

  it("expires in its time", function()
    local start = uring.now()
    timed_out(uring.timeout(0.02, forever))
    local took = uring.now() - start
    assert.is_true(took >= 0.02 and took < 1, took)
  end)

  it("raises what the function raises", function()
    local value = {}
    local ok, err = pcall(uring.timeout, 10, function() uring.sleep(0) error(value) end)
    assert.is_false(ok)
    assert.is_true(rawequal(value, err))
  end)

  it("says in the error which one it was", function()
    local said
    uring.timeout(0.001, function()
      local ok, value = pcall(forever)
      said = was_cancelled(ok, value)
    end)
    assert.equal("timed out after 0.001 s", said)
  end)

  it("covers the tasks that are started in it", function()
    local ended = 0
    timed_out(uring.timeout(0.005, function()
      for _ = 1, 3 do
        uring.spawn(function()
          local _ <close> = closing(function() ended = ended + 1 end)
          forever()
        end)
      end
      return "not soon enough"
    end))
    assert.equal(3, ended)
  end)

  it("that is nearer wins, whichever is outside", function()
    local inner
    timed_out(uring.timeout(0.005, function()
      inner = "not reached"
      uring.timeout(1000, forever)
      inner = "reached"
    end))
    assert.equal("not reached", inner)
    assert.equal("after", uring.timeout(1000, function()
      timed_out(uring.timeout(0.005, forever))
      assert.is_true(uring.sleep(0.001))
      return "after"
    end))
  end)

  it("that expires with the one around it leaves the outer one's result", function()
    for _ = 1, 20 do
      local reached
      timed_out(uring.timeout(0.001, function()
        uring.timeout(0.001, forever)
        uring.sleep(1000)
        reached = true
      end))
      assert.is_nil(reached)
    end
  end)

  it("does not reach beyond its function", function()
    for _ = 1, 50 do
      uring.timeout(0.0005, uring.sleep, 0.0005)
      assert.is_true(uring.sleep(0))
    end
  end)

  it("takes seconds", function()
    helper.raises("number expected, got string", uring.timeout, "x", print)
    helper.raises("seconds must not be negative", uring.timeout, -1, print)
    helper.raises("number expected", uring.timeout, nil, print)
    assert.equal(1, uring.timeout(math.huge, function() return 1 end))
  end)

  it("names itself in the error of a wrong argument", function()
    helper.raises("bad argument #1 to 'timeout'", uring.timeout, -1, print)
    helper.raises("got nan", uring.timeout, 0 / 0, print)
  end)

  it("leaves nothing when its arguments are wrong", function()
    uring.scope(function(s)
      for _ = 1, 3 do pcall(uring.timeout, -1, forever) end
      assert.is_nil(s.inner)
    end)
  end)

  it("is cheap, a hundred thousand at a time", function()
    local n = helper.scale(100000)
    local function nothing() end
    local timers = {}
    local start = process.cputime()
    for i = 1, n do timers[i] = core.timer(100 + i * 7919 % 1000, nothing) end
    for i = n, 1, -1 do timers[i]:cancel() end
    assert.is_true(process.cputime() - start < 5)
  end)
end)

describe("many tasks", function()
  it("sleep at the same time, and wake in order", function()
    helper.wake_in_order(helper.scale(1000), 0.0002, uring.spawn, uring.sleep)
  end)

  it("are cancelled at once", function()
    local n, ended = helper.scale(5000), 0
    uring.scope(function(s)
      for _ = 1, n do
        s:spawn(function()
          local _ <close> = closing(function() ended = ended + 1 end)
          forever()
        end)
      end
      uring.yield()
      s:cancel()
    end)
    assert.equal(n, ended)
  end)

  it("take turns", function()
    local turns = {}
    uring.scope(function(s)
      for i = 1, 3 do
        s:spawn(function()
          for _ = 1, 3 do
            turns[#turns + 1] = i
            uring.yield()
          end
        end)
      end
    end)
    assert.equal("123123123", table.concat(turns))
  end)
end)
