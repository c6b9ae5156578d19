-- The loop as a value: several rings, a ring inside another loop, turns that
-- are fair.

local uring = require "uring"
local core = require "uring.core"
local helper = require "spec.helper"

local op <const> = uring.op
local it <const>, main_it <const> = helper.scoped, helper.main_it
local raises <const> = helper.raises

-- Wait until the descriptor is readable, by the default ring.
local function readable(fd, seconds)
  local task = core.spawn(function()
    return uring.timeout(seconds or 5, op.poll_add, fd, core.POLLIN)
  end)
  return task:join()
end

-- ring:step until f() is true, waiting as another loop would.
local function host(ring, f)
  local turns = 0
  while not f() do
    local seconds = ring:timeout()
    if seconds ~= 0 then readable(ring:pollfd(), seconds or 5) end
    ring:step(0)
    turns = turns + 1
    assert(turns < 10000, "it turns and turns")
  end
  return turns
end

describe("a ring inside another loop", function()
  helper.each_config(function(make, name)
    main_it("wakes it for completions that come later", function()
      local ring <close> = make()
      local r, w = core.sock.pipe()
      local _ <close> = helper.closing(r, w)
      local got = {}
      ring:spawn(function()
        for i = 1, 3 do got[i] = op.read(r, 10) end
      end)
      ring:step(0)
      ring:step(0)
      for i = 1, 3 do
        local writer = core.spawn(function()
          uring.sleep(0.003)
          op.write(w, "data" .. i)
        end)
        assert.is_true(host(ring, function() return got[i] end) < 20)
        assert.equal("data" .. i, got[i])
        writer:join()
      end
      while #ring:tasks() > 0 do ring:step(0) end
    end)

    main_it("says when its next timer is due", function()
      local ring <close> = make()
      assert.is_nil(ring:timeout())
      assert.equal("r", ring:events())
      local far = ring:spawn(uring.sleep, 1000)
      assert.equal(0, ring:timeout())
      ring:step(0)
      while ring:timeout() == 0 do ring:step(0) end
      local seconds = ring:timeout()
      assert(seconds > 900 and seconds <= 1000, seconds)
      local start = uring.now()
      local task = ring:spawn(uring.sleep, 0.05)
      host(ring, function() return task:status() == "done" end)
      assert(uring.now() - start >= 0.05)
      far:cancel()
      host(ring, function() return far:status() == "failed" end)
      assert.is_nil(ring:timeout())
    end)

    main_it("is to be stepped at once for what is prepared and not submitted", function()
      local ring <close> = make()
      local task = ring:spawn(op.nop)
      ring:step(0)
      assert(task:status() ~= "waiting" or ring:timeout() == 0 or name:find "sqpoll")
      host(ring, function() return task:status() == "done" end)
    end)
  end)

  main_it("does not turn for nothing", function()
    local ring <close> = assert(core.ring())
    local r, w = core.sock.pipe()
    local _ <close> = helper.closing(r, w)
    local task = ring:spawn(op.read, r, 10)
    ring:step(0)
    while ring:timeout() == 0 do ring:step(0) end
    for _ = 1, 3 do                      -- what the last enter has signalled
      readable(ring:pollfd(), 0.001)
      ring:step(0)
    end
    assert.is_nil((readable(ring:pollfd(), 0.02)))
    op.write(w, "x")
    assert.is_number((readable(ring:pollfd())))
    host(ring, function() return task:status() == "done" end)
  end)

  main_it("has one descriptor, which is its own", function()
    local ring = assert(core.ring())
    local fd = ring:pollfd()
    assert.equal(fd, ring:pollfd())
    ring:close()
    raises("ring is closed", ring.pollfd, ring)
    raises("ring is closed", ring.timeout, ring)
    raises("ring is closed", ring.events, ring)
    assert.equal(-1, helper.process.close(fd))
  end)

  main_it("fails to have one when the script has registered an eventfd", function()
    local ring <close> = assert(core.ring { defer_taskrun = true, single_issuer = true })
    local other <close> = assert(core.ring { defer_taskrun = true, single_issuer = true })
    assert.is_true(ring:register_eventfd(other:pollfd()))
    helper.fails("EBUSY", "pollfd: Device or resource busy", ring:pollfd())
  end)
end)

describe("several rings", function()
  main_it("run tasks of their own, and pass values through channels", function()
    local a <close> = assert(core.ring())
    local b <close> = assert(core.ring { entries = 4 })
    local channel = uring.channel()
    local sum = 0
    a:spawn(function()
      for i = 1, 50 do
        op.nop()
        channel:send(i)
      end
      channel:close()
    end)
    local task = b:spawn(function()
      for n in channel do
        op.nop()
        sum = sum + n
      end
    end)
    local turns = 0
    while task:status() ~= "done" do
      a:step(0)
      b:step(0)
      turns = turns + 1
      assert(turns < 10000)
    end
    assert.equal(50 * 51 // 2, sum)
    assert.equal(50, a:stats().completed)
    assert.equal(50, b:stats().completed)
  end)

  main_it("cancel each other's tasks", function()
    local a <close> = assert(core.ring())
    local b <close> = assert(core.ring())
    local r, w = core.sock.pipe()
    local _ <close> = helper.closing(r, w)
    local victim = b:spawn(op.read, r, 10)
    b:step(0)
    a:spawn(function() victim:cancel "from the other ring" end)
    a:step(0)
    for _ = 1, 20 do b:step(0.001) end
    local ok, err = pcall(victim.join, victim)
    assert.is_false(ok)
    assert.equal("from the other ring", tostring(err))
  end)

  main_it("have a scope each for what their tasks start", function()
    local ring <close> = assert(core.ring())
    local done = 0
    local task = ring:spawn(function()
      return uring.run(function()
        for _ = 1, 3 do
          uring.spawn(function()
            uring.sleep(0.001)
            done = done + 1
          end)
        end
        return uring.timeout(0.001, uring.sleep, 1000)
      end)
    end)
    for _ = 1, 100 do
      if task:status() == "done" then break end
      ring:step(0.01)
    end
    assert.equal(3, done)
    assert.is_nil((task:join()))
    assert.equal(0, uring.ring():stats().tasks)
  end)
end)

describe("a turn", function()
  it("resumes the tasks that were ready, first come first served", function()
    local order = {}
    uring.scope(function(s)
      for i = 1, 5 do
        s:spawn(function()
          for round = 1, 4 do
            order[#order + 1] = round * 10 + i
            if i % 2 == 0 then uring.yield() else uring.sleep(0) end
          end
        end)
      end
    end)
    local rounds = {}
    for _, n in ipairs(order) do
      local round = n // 10
      rounds[round] = (rounds[round] or "") .. n % 10
    end
    assert.equal("12345", rounds[1])
    for round = 2, 4 do assert.equal(5, #rounds[round]) end
  end)

  main_it("is bounded by those: a task that starts another does not run it", function()
    local ring <close> = assert(core.ring())
    local depth = 0
    local function go()
      depth = depth + 1
      if depth < 10 then ring:spawn(go) end
    end
    ring:spawn(go)
    for i = 1, 10 do
      ring:step(0)
      assert.equal(i, depth)
    end
  end)

  it("leaves time for operations and timers, however many tasks always yield", function()
    local stop, ticks, reads = false, 0, 0
    local r, w = core.sock.pipe()
    local _ <close> = helper.closing(r, w)
    uring.scope(function(s)
      for _ = 1, 20 do
        s:spawn(function() while not stop do uring.yield() end end)
      end
      s:spawn(function()
        for _ = 1, 20 do
          op.write(w, "x")
          op.read(r, 1)
          reads = reads + 1
        end
      end)
      s:spawn(function()
        for _ = 1, 10 do
          uring.sleep(0.001)
          ticks = ticks + 1
        end
        stop = true
      end)
      local start = uring.now()
      assert.is_true(uring.timeout(5, s.spawn(s, function()
        while ticks < 10 do uring.sleep(0.001) end
        return true
      end).join, s:spawn(function() return true end)))
      assert(uring.now() - start < 5)
    end)
    assert.equal(20, reads)
    assert.equal(10, ticks)
  end)

  it("lets a deadline expire and a cancellation come among busy tasks", function()
    local n
    uring.scope(function(s)
      for _ = 1, 5 do s:spawn(function() while true do uring.yield() end end) end
      for seconds = 0.01, 1, 0.1 do        -- the machine may do something else so long
        n = 0
        assert.equal("timed out", (select(2, uring.timeout(seconds, function()
          while true do
            n = n + 1
            uring.yield()
          end
        end))))
        if n > 1 then break end
      end
      s:cancel()
    end)
    assert(n > 1)
  end)

  it("wakes those who wait in the order in which they were woken", function()
    local events, order = {}, {}
    for i = 1, 10 do events[i] = uring.event() end
    uring.scope(function(s)
      for i = 1, 10 do
        s:spawn(function()
          events[i]:wait()
          order[#order + 1] = i
        end)
      end
      uring.yield()
      for _, i in ipairs { 3, 1, 4, 10, 5, 9, 2, 6, 8, 7 } do events[i]:set() end
    end)
    assert.same({ 3, 1, 4, 10, 5, 9, 2, 6, 8, 7 }, order)
  end)
end)
