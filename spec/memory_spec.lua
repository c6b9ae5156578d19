-- Memory that runs out: each piece of work is done again and again, where the
-- first allocation fails, then the second, until it succeeds.  It fails with an
-- error or works, and leaves nothing either way.

local core = require "uring.core"
local helper = require "spec.helper"

local op <const> = core.op
local process <const> = helper.process

-- How many allocations the work makes at most; each is tried.
local LIMIT <const> = 3000

-- The work is f(ring, ...) on a ring of its own, with the things that make()
-- returns; check(...) looks at these afterwards.
local function starved(name, f, make)
  it(name, function()
    local before = process.descriptors()
    local failures = 0
    for n = 0, LIMIT do
      local ring = assert(core.ring { entries = 8 })
      local things = make and table.pack(make()) or {}
      local ok, err, ran_out = process.starve(n, f, ring, table.unpack(things))
      if not ok then
        failures = failures + 1
        assert.matches("not enough memory", tostring(err))
      end
      assert.is_nil(core.current())
      for _, thing in ipairs(things) do thing:close() end
      ring:close()
      assert.equal(0, ring:stats().slots)
      assert.equal(0, ring:stats().active)
      ring, things = nil, nil -- luacheck: ignore 311
      if not ran_out then break end
      assert(n < LIMIT, "it never succeeds")
    end
    collectgarbage()
    collectgarbage()
    assert(failures > 0)
    local after = process.descriptors()
    for fd, target in pairs(after) do assert.equal(before[fd], target) end
    assert.equal(0, core.default():stats().slots)
  end)
end

local function run(ring, f, ...)
  local task = ring:spawn(f, ...)
  while task:status() ~= "done" and task:status() ~= "failed" do ring:step(1) end
  return task:join()
end

describe("without memory", function()
  core.default()
  process.ignore(core.SIGPIPE)

  starved("a ring is made or not", function()
    local ring <close> = assert(core.ring { entries = 4 })
    return tostring(ring)
  end)

  starved("an entry is prepared, submitted and completed", function(ring, r, w)
    local data = { "data" }
    assert(ring:get_sqe()):prep_write(w, "hello"):set_data(data)
    assert(ring:get_sqe()):prep_statx(nil, "/dev/null"):set_data64(7)
    assert(ring:get_sqe()):prep_readv(r, { core.buffer(10), core.buffer(10000) })
    ring:submit()
    for _ = 1, 3 do assert(ring:wait_cqe(5)) end
  end, core.sock.pipe)

  starved("a task opens, reads and closes", function(ring)
    run(ring, function()
      local fd <close> = assert(op.openat(nil, "/dev/zero", core.O_RDONLY))
      assert(#op.read(fd, 100) == 100)
      assert(op.statx(nil, "/dev/zero").type == "char")
      assert(op.openat(nil, "/does/not/exist") == nil)
    end)
  end)

  starved("a task accepts", function(ring, listener, client)
    run(ring, function()
      assert(op.connect(client, core.sock.getsockname(listener)))
      local conn <close>, peer = op.accept(listener)
      assert(conn and peer.port > 0)
    end)
  end, function()
    local listener = helper.listener()
    return listener, op.socket(core.AF_INET, core.SOCK_STREAM)
  end)

  starved("tasks wait for one another", function(ring)
    local function work()
      core.sleep(0.0001)
      return 1
    end
    run(ring, function()
      local a, b = core.spawn(work), core.spawn(function() return core.park() end)
      local timer <close> = core.timer(0.0005, function() b:wake "woken" end)
      assert(a:join() == 1)
      assert(b:join() == "woken")
      return timer
    end)
  end)

  starved("a closing descriptor ends its operations", function(ring, r)
    local reader = ring:spawn(function() return op.read(r, 100000) end)
    ring:step(0)
    run(ring, function() r:close() end)
    while #ring:tasks() > 0 do ring:step(1) end
    return reader
  end, core.sock.pipe)

  it("coroutines in a task wait, or raise before they do", function()
    local failures = 0
    for n = 0, LIMIT do
      local ring <close> = assert(core.ring { entries = 8 })
      local waits = {}
      for i = 1, 40 do waits[i] = core.coroutine.wrap(function() core.sleep(0.0001) end) end
      local task = ring:spawn(function()
        for _, wait in ipairs(waits) do wait() end
      end)
      local _, _, ran_out = process.starve(n, function()
        while ring:stats().tasks > 0 do ring:step(1) end
      end)
      if task:status() == "failed" then
        failures = failures + 1
        assert.equal(0, ring:stats().timers)
      end
      if not ran_out then break end
      assert(n < LIMIT, "it never succeeds")
    end
    assert(failures > 0)
  end)

  starved("the main chunk waits in place", function(_, r, w)
    op.write(w, "data")
    assert(op.read(r, 70000) == "data")
    local fd <close> = assert(op.openat(nil, "/dev/null"))
    assert(op.fsync(fd) == nil)
  end, core.sock.pipe)
end)
