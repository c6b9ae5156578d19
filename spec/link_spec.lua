-- Chains of linked operations, and options for one operation.

local core = require "uring.core"
local helper = require "spec.helper"

local op <const> = core.op

-- Run f in a task of a new ring with eight slots.
local function on(make, f)
  helper.on_ring(function()
    local ring = make()
    assert(ring:register_files_sparse(8))
    return ring
  end, f)
end

local function slots_free(ring)
  local fd <close> = assert(op.open("/dev/null"))
  local list = {}
  for i = 1, 8 do list[i] = fd end
  local fds = assert(op.files_update(list))
  assert.equal(8, #fds)
  for _, direct in ipairs(fds) do direct:close() end
  assert.is_true(ring:stats().slots <= 1)
end

describe("a chain", function()
  helper.each_config(function(make, name)
    local tiny <const> = name:find "tiny"

    helper.main_it("opens, reads and closes in one await", function()
      on(make, function(ring)
        local dir <close> = helper.tmpdir()
        helper.write_file(dir .. "/f", ("0123456789"):rep(10))
        if tiny then
          helper.raises("a chain of 3 operations does not fit into a submission queue of 2",
            op.link, function(c)
              c:openat_direct(nil, dir .. "/f", 0, 0, 5)
              c:with { fixed_file = true }:read(5, 100, 0)
              c:close_direct(5)
            end)
        else
          for _ = 1, 40 do
            local results, bad = op.link(function(c)
              c:openat_direct(nil, dir .. "/f", 0, 0, 5)
              c:with { fixed_file = true }:read(5, 100, 0)
              c:close_direct(5)
            end)
            assert.is_nil(bad)
            assert.same({ true, ("0123456789"):rep(10), true }, results)
          end
        end
        slots_free(ring)
      end)
    end)

    helper.main_it("runs in order, after whatever is queued", function()
      on(make, function(ring)
        local r, w = assert(op.pipe())
        local _ <close> = helper.closing(r, w)
        local tasks = {}
        for i = 1, 30 do
          tasks[i] = ring:spawn(function()
            local results, bad = op.link(function(c)
              c:write(w, ("%02da"):format(i))
              c:write(w, ("%02db"):format(i))
            end)
            assert.is_nil(bad)
            assert.same({ 3, 3 }, results)
          end)
        end
        for _, task in ipairs(tasks) do task:join() end
        local seen, text = {}, op.read(r, 4096)
        assert.equal(180, #text)
        for i, half in text:gmatch "(%d%d)(%a)" do
          assert.equal(half, seen[i] and "b" or "a")
          seen[i] = true
        end
      end)
    end)

    helper.main_it("stops at the first failure, a hard one does not", function()
      on(make, function()
        local r, w = assert(op.pipe())
        local _ <close> = helper.closing(r, w)
        local results, bad = op.link(function(c)
          c:read(w, 1)
          c:write(w, "x")
        end)
        assert.equal(1, bad)
        assert.same({ nil, ("read fd %d: Bad file descriptor"):format(w:fileno()),
          core.errno.EBADF }, results[1])
        assert.equal(core.errno.ECANCELED, results[2][3])
        results, bad = op.hardlink(function(c)
          c:read(w, 1)
          c:write(w, "x")
        end)
        assert.equal(1, bad)
        assert.equal(1, results[2])
        assert.equal("x", op.read(r, 10))
      end)
    end)
  end)

  -- Without IORING_SETUP_SUBMIT_ALL the kernel stops at an entry that it refuses
  -- at once, and leaves the rest of the queue; a chain it takes as a whole.
  for _, options in ipairs {
    { entries = 32, clamp = true }, { entries = 32, submit_all = true },
    { entries = 8, clamp = true }, { entries = 8, clamp = true, sqpoll = true },
  } do
    local name <const> = ("on a ring of %d with%s %s"):format(options.entries,
      options.sqpoll and " sqpoll and" or "", options.submit_all and "submit_all" or "clamp")
    helper.main_it("is neither lost nor cut where an entry is refused, " .. name, function()
      on(function() return assert(core.ring(options)) end, function(ring)
        local r, w = assert(op.pipe())
        local _ <close> = helper.closing(r, w)
        local tasks, sent = {}, 0
        local function chain(bad, hard)
          local results, first = op[hard and "hardlink" or "link"](function(c)
            for i = 1, 5 do c:with { personality = i == bad and 77 or 0 }:write(w, "x") end
          end)
          if bad < 1 or bad > 5 then
            assert.is_nil(first)
            assert.same({ 1, 1, 1, 1, 1 }, results)
            return 5
          end
          assert.equal(5, #results)
          assert.is_true(first >= 1 and first <= bad)
          assert.equal(core.errno.EINVAL, results[bad][3])
          local n = 0
          for i = 1, 5 do
            if results[i] == 1 then
              n = n + 1
            elseif i ~= bad then
              assert.equal(core.errno.ECANCELED, results[i][3])
            end
          end
          return n
        end
        local function single(personality)
          local n, _, code = op.with { personality = personality }.write(w, "x")
          assert.equal(personality == 0 and 1, n or false)
          assert(n or code == core.errno.EINVAL)
          return n or 0
        end
        for i = 1, 60 do
          tasks[#tasks + 1] = ring:spawn(chain, i % 7, i % 2 == 0)
          tasks[#tasks + 1] = ring:spawn(single, i % 3 == 0 and 77 or 0)
        end
        for _, task in ipairs(tasks) do sent = sent + task:join() end
        assert(op.write(w, "end"))
        local got = ""
        while not got:find "end" do got = got .. op.read(r, 4096) end
        assert.equal(("x"):rep(sent) .. "end", got)
      end)
    end)
  end

  helper.it("has a timeout for one of its operations", function()
    local r, w = assert(op.pipe())
    local _ <close> = helper.closing(r, w)
    local results, bad = op.link(function(c)
      c:read(r, 10)
      c:link_timeout(0.005)
    end)
    assert.equal(1, bad)
    assert.equal(core.errno.ECANCELED, results[1][3])
    assert.is_true(results[2])
    assert(op.write(w, "in time"))
    results, bad = op.link(function(c)
      c:read(r, 7)
      c:link_timeout(5)
    end)
    assert.is_nil(bad)
    assert.same({ "in time", false }, results)
  end)

  helper.it("may be empty, or of one", function()
    assert.same({}, (op.link(function() end)))
    assert.same({ 0 }, (op.link(function(c) c:nop() end)))
  end)

  helper.it("is cancelled as a whole, hard or not", function()
    local r, w = assert(op.pipe())
    local _ <close> = helper.closing(r, w)
    for _, link in ipairs { op.link, op.hardlink } do
      for pause = 0, 3 do
        local task = core.spawn(function()
          return link(function(c)
            c:read(r, 10)
            c:read(r, 10)
            c:read(r, 10)
          end)
        end)
        for _ = 1, pause do core.yield() end
        task:cancel()
        assert.is_false(pcall(task.join, task))
        assert.equal(0, r:pending())
      end
    end
  end)

  helper.it("ends when a descriptor of it is closed", function()
    local r, w = assert(op.pipe())
    local task = core.spawn(function()
      return op.hardlink(function(c)
        c:read(r, 10)
        c:read(r, 10)
      end)
    end)
    core.yield()
    assert(r:close())
    local results, bad = task:join()
    assert.equal(1, bad)
    assert.equal(core.errno.ECANCELED, results[2][3])
    w:close()
  end)

  helper.it("leaves nothing when its function fails, or makes a mistake", function()
    local ring = core.default()
    local r, w = assert(op.pipe())
    local _ <close> = helper.closing(r, w)
    local slots = ring:stats().slots
    helper.raises("oops", op.link, function(c)
      c:read(r, 10)
      c:write(w, "x")
      error "oops"
    end)
    helper.raises("bad argument #1 to 'read'", op.link, function(c)
      c:write(w, "x")
      c:read()
    end)
    helper.raises("a multishot cannot be part of a chain", op.link,
      function(c) c:poll_multishot(r, 1) end)
    helper.raises("no operation 'nonsense'", op.link, function(c) c:nonsense() end)
    local kept
    op.link(function(c) kept = c end)
    helper.raises("the chain was submitted", function() kept:nop() end)
    assert.equal(slots, ring:stats().slots)
    assert.equal(0, r:pending() + w:pending())
    assert.is_true(r:isopen())
  end)

  helper.it("closes an ordinary descriptor", function()
    local r, w = assert(op.pipe())
    local results, bad = op.link(function(c)
      c:write(w, "last")
      c:close(w)
    end)
    assert.is_nil(bad)
    assert.same({ 4, true }, results)
    assert.is_false(w:isopen())
    assert.equal("last", op.read(r, 10))
    assert.equal("", op.read(r, 10))
    r:close()
  end)

  helper.it("gives descriptors that nobody closed", function()
    local results = op.link(function(c)
      c:open("/dev/null")
      c:pipe()
    end)
    assert.is_true(results[1]:isopen())
    assert.equal(2, #results[2])
    results[1]:close()
    results[2][1]:close()
    results[2][2]:close()
  end)

  helper.main_it("works outside any task, and ends with its ring", function()
    local r, w = assert(op.pipe())
    local _ <close> = helper.closing(r, w)
    assert.same({ 1, "x" }, (op.link(function(c)
      c:write(w, "x")
      c:read(r, 1)
    end)))
    local ring = assert(core.ring())
    ring:spawn(function()
      op.link(function(c)
        c:read(r, 1)
        c:read(r, 1)
      end)
    end)
    ring:step(0)
    ring:close()
    assert.equal(0, r:pending())
  end)

  helper.main_it("is not submitted to a ring that was closed while it was written down", function()
    helper.prints("ring is closed\n", [[
      local core = require "uring.core"
      local _, err = pcall(core.op.link, function(c)
        c:nop()
        core.default():close()
      end)
      print(err)
    ]], true)
  end)

  helper.it("is no other than the link of files without a function", function()
    local dir <close> = helper.tmpdir()
    helper.write_file(dir .. "/a", "text")
    assert.is_true(op.link(dir .. "/a", dir .. "/b"))
    assert.equal("text", helper.read_file(dir .. "/b"))
  end)
end)

describe("op.with", function()
  helper.it("sets flags for one operation", function()
    local r, w = assert(op.pipe())
    local _ <close> = helper.closing(r, w)
    assert.equal(1, op.with { async = true }.write(w, "x"))
    assert.equal("x", op.with { drain = true }.read(r, 10))
    assert.equal(core.errno.EINVAL, select(3, op.with { ioprio = 0xff }.nop()))
    assert.equal(core.errno.EINVAL, select(3, op.with { personality = 77 }.nop()))
    assert.equal(0, op.with { ioprio = 0 }.nop())
  end)

  helper.main_it("takes a number for a slot of the table", function()
    on(function() return assert(core.ring()) end, function()
      local fd <close> = assert(op.open_direct("/dev/zero", 0, 0, 3))
      assert.equal(3, fd:slot())
      assert.equal("\0\0", op.with { fixed_file = true }.read(3, 2))
      local plain <close> = assert(op.open("/dev/null"))
      helper.raises("not a direct descriptor", op.with { fixed_file = true }.read, plain, 2)
    end)
  end)

  helper.it("refuses what it does not know", function()
    helper.raises("unknown field 'nonsense'", op.with, { nonsense = true })
    helper.raises("no operation 'nonsense'", function() return op.with {}.nonsense end)
    helper.raises("16 bits", op.with, { ioprio = 65536 })
  end)
end)
