-- Messages from other rings, received in tasks: first come first served, and
-- none is lost with whoever waited for it.

local core = require "uring.core"
local helper = require "spec.helper"
local uring = require "uring"

local op <const>, fails <const>, raises <const> = core.op, helper.fails, helper.raises
local main_it <const> = helper.main_it

-- A message to the ring, from nobody's ring.
local function post(ring, res, data) assert(ring:register_sync_msg(res, data)) end

-- Turns of the rings, one after the other, until the tasks have ended.
local function run(rings, ...)
  local deadline = core.now() + 10
  for _, task in ipairs { ... } do
    while task:status() ~= "done" and task:status() ~= "failed" do
      assert(core.now() < deadline, task:traceback())
      for _, ring in ipairs(rings) do ring:step(0.001) end
    end
  end
end

describe("ring:receive", function()
  helper.each_config(function(make)
    main_it("gives the messages of another ring, in order", function()
      local one <close> = make()
      local two <close> = make()
      local got = {}
      local receiver = one:spawn(function()
        for i = 1, 60 do got[i] = { one:receive() } end
        return "all"
      end)
      local sender = two:spawn(function()
        for i = 1, 60 do assert(op.msg_ring(one, i, -i)) end
      end)
      run({ one, two }, receiver, sender)
      assert.equal("all", receiver:join())
      for i = 1, 60 do assert.same({ -i, i, 0 }, got[i]) end
      assert(helper.idle(one))
      assert(helper.idle(two))
    end)

    main_it("lets two rings talk", function()
      local one <close> = make()
      local two <close> = make()
      local function player(mine, other, first)
        return mine:spawn(function()
          local n = 0
          if first then assert(op.msg_ring(other, 0, 0)) end
          while n < 40 do
            n = mine:receive()
            assert(op.msg_ring(other, 0, n + 1))
          end
          return n
        end)
      end
      local a, b = player(one, two, true), player(two, one)
      run({ one, two }, a, b)
      assert.equal(81, a:join() + b:join())
    end)
  end)

  helper.it("is no deadlock as long as somebody waits for a message", function()
    helper.prints("7\t6\t0\ndeadlock\n", [[
      local core = require "uring.core"
      local process = require "spec.process"
      local ring = core.default()
      local number, parent = ring:fileno(), process.pid()
      local pid = process.fork()
      if pid == 0 then -- another process has the descriptor, too
        for _ = 1, 3 do io.popen "sleep 0.02":close() end
        assert(core.register_sync_msg(number, 6, 7))
        os.exit(true, false)
      end
      print(core.spawn(function() return ring:receive() end):join())
      process.wait(pid)
      local ok, err = pcall(function() core.spawn(core.park):join() end)
      print(tostring(err):match "deadlock")
    ]])
  end)

  helper.it("is served in turn", function()
    local ring = core.default()
    local got, tasks = {}, {}
    for i = 1, 5 do
      tasks[i] = core.spawn(function()
        local data = ring:receive()
        got[#got + 1] = { i, data }
      end)
    end
    core.yield()
    for i = 1, 5 do post(ring, 0, i * 10) end
    for _, task in ipairs(tasks) do task:join() end
    assert.same({ { 1, 10 }, { 2, 20 }, { 3, 30 }, { 4, 40 }, { 5, 50 } }, got)
  end)

  helper.it("does not give away what is promised to another", function()
    local ring = core.default()
    local order = {}
    local first = core.spawn(function()
      order[#order + 1] = "first " .. ring:receive()
    end)
    core.yield()
    post(ring, 0, 1)
    assert(op.nop()) -- it has come, and woken the first
    local late = { ring:receive(0) }
    if first:status() == "ready" then fails("ETIMEDOUT", "timed out", table.unpack(late)) end
    first:join()
    post(ring, 0, 2)
    order[#order + 1] = "second " .. ring:receive()
    assert.same({ "first 1", "second 2" }, order)
  end)

  helper.it("does not give it to one whose deadline expires in between either", function()
    local ring = core.default()
    local first = core.spawn(ring.receive, ring)
    local late = core.spawn(ring.receive, ring, 0.005)
    core.yield()
    local stop <const> = core.now() + 0.006
    while core.now() < stop do end       -- luacheck: ignore 542
    core.yield()                         -- the late one is ready, behind this task
    post(ring, 0, 1)
    string.gsub("x", "x", function() op.nop() end) -- and the first one is, behind it
    fails("ETIMEDOUT", "timed out", late:join())
    assert.same({ 1, 0, 0 }, { first:join() })
  end)

  helper.it("has a deadline", function()
    local ring = core.default()
    local before = core.now()
    fails("ETIMEDOUT", "timed out", ring:receive(0.01))
    assert.is_true(core.now() - before >= 0.01)
    fails("ETIMEDOUT", "timed out", ring:receive(0))
    post(ring, 3, 4)
    assert.same({ 4, 3, 0 }, { ring:receive(0) })
    local task = core.spawn(function() return ring:receive(5) end)
    core.yield()
    post(ring, 1, 2)
    assert.same({ 2, 1, 0 }, { task:join() })
    assert.equal(0, ring:stats().timers - 1) -- that of this case
    assert.is_nil((uring.timeout(0.005, ring.receive, ring)))
    raises("seconds must not be negative", ring.receive, ring, -1)
  end)

  main_it("waits in place outside any task, too", function()
    local ring <close> = assert(core.ring())
    local n = 0
    local ticker = ring:spawn(function()
      for _ = 1, 3 do
        core.sleep(0.001)
        n = n + 1
      end
      post(ring, 5, 6)
    end)
    assert.same({ 6, 5, 0 }, { ring:receive() })
    assert.equal(3, n)
    ticker:join()
    fails("ETIMEDOUT", "timed out", ring:receive(0.002))
    fails("ETIMEDOUT", "timed out", ring:receive(0))
    local quiet = ring:spawn(core.park) -- nobody will wake it
    post(ring, 7, 8)
    assert.same({ 8, 7, 0 }, { ring:receive(1) })
    fails("ETIMEDOUT", "timed out", ring:receive(0.002))
    quiet:wake()
    quiet:join()
  end)

  helper.it("waits in place where Lua cannot yield", function()
    local ring = core.default()
    local sender = core.spawn(op.msg_ring, ring, 1, 2)
    core.yield()
    local data = ("x"):gsub("x", function() return tostring((ring:receive(1))) end)
    assert.equal("2", data)
    sender:join()
  end)

  helper.it("loses nothing with whoever is cancelled", function()
    local ring = core.default()
    for moment = 0, 3 do
      local task = core.spawn(function() return (ring:receive()) end)
      if moment > 0 then core.yield() end
      if moment > 1 then post(ring, 0, moment) end
      if moment > 2 then op.nop() end
      task:cancel()
      if moment <= 1 then post(ring, 0, moment) end
      local ok, data = pcall(task.join, task)
      if not ok then data = ring:receive(1) end
      assert.equal(moment, data)
      fails("ETIMEDOUT", "timed out", ring:receive(0))
    end
  end)

  helper.it("goes on when an interruption is taken back", function()
    local ring = core.default()
    local task = core.spawn(function() return (ring:receive()) end)
    core.yield()
    task:interrupt "no"
    task:interrupt(nil)
    core.yield()
    post(ring, 0, 1)
    assert.equal(1, task:join())
  end)

  helper.it("gives to the next what a task was promised that somebody has closed", function()
    local ring = core.default()
    local co
    local doomed = core.spawn(function()
      co = coroutine.running()
      ring:receive()
    end)
    local other = core.spawn(function() return (ring:receive()) end)
    core.yield()
    local third = core.spawn(function()
      if doomed:status() == "ready" then coroutine.close(co) end
    end)
    local watcher = core.spawn(pcall, doomed.join, doomed)
    post(ring, 0, 1)
    post(ring, 0, 2)
    third:join()
    local closed = not watcher:join()
    assert.equal(closed and 1 or 2, other:join())
    if closed then assert.equal(2, ring:receive(1)) end
  end)

  main_it("leaves the completions of the raw layer where they are", function()
    local ring <close> = assert(core.ring())
    for i = 1, 3 do
      ring:get_sqe():prep_nop():set_data("nop " .. i)
      ring:submit()
      post(ring, 0, i)
    end
    local deadline = core.now() + 5
    while ring:cq_ready() < 6 and core.now() < deadline do ring:step(0.001) end
    for i = 1, 3 do assert.equal(i, (ring:receive(0))) end
    local all = {}
    for data in ring:cqes() do all[#all + 1] = data end
    assert.same({ "nop 1", "nop 2", "nop 3" }, all)
    -- and takes none that the raw layer has taken
    local task = ring:spawn(function() return (ring:receive()) end)
    ring:step(0)
    post(ring, 0, 1)
    assert.equal(1, ring:wait_cqe(5).data)
    ring:step(0)
    assert.equal("waiting", task:status())
    post(ring, 0, 2)
    assert.equal(2, task:join())
  end)

  helper.it("says what it waits for", function()
    local ring = core.default()
    local task = core.spawn(ring.receive, ring)
    core.yield()
    assert.equal("message", (task:waiting()))
    post(ring, 0, 0)
    task:join()
  end)

  main_it("is for the tasks of the ring", function()
    local one <close> = assert(core.ring())
    local two <close> = assert(core.ring())
    one:spawn(function()
      raises("a task receives the messages of its own ring", two.receive, two)
    end):join()
    local off <close> = assert(core.ring { r_disabled = true })
    fails("EBADFD", "receive: File descriptor in bad state", off:receive(1))
    one:close()
    raises("ring is closed", one.receive, one)
  end)

  main_it("ends with its ring", function()
    local ring = assert(core.ring())
    local task = ring:spawn(function() return ring:receive() end)
    ring:step(0)
    ring:close()
    assert.equal("lost", task:status())
  end)

  helper.scoped("works in scopes, and with what other rings do", function()
    local ring = uring.ring()
    local other <close> = assert(core.ring())
    local got = {}
    uring.scope(function(s)
      s:spawn(function()
        while true do
          local data = ring:receive()
          if data == 0 then return end
          got[#got + 1] = data
        end
      end)
      s:spawn(function()
        for i = 1, 10 do
          other:get_sqe():prep_msg_ring(ring, 0, i)
          other:submit()
          uring.sleep(0.001)
        end
        other:get_sqe():prep_msg_ring(ring, 0, 0)
        other:submit()
      end)
    end)
    assert.same({ 1, 2, 3, 4, 5, 6, 7, 8, 9, 10 }, got)
    local ok, err = pcall(uring.scope, function(s)
      s:spawn(ring.receive, ring)
      uring.sleep(0.001)
      error "enough"
    end)
    assert.is_false(ok)
    assert.matches("enough", err)
  end)
end)
