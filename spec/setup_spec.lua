-- Each flag of a ring: that it is set, what it does, seen by other means, and
-- what it does not go with.

local core = require "uring.core"
local helper = require "spec.helper"
local system = require "spec.system" -- spec/support/system.c

local op <const>, errno <const> = core.op, core.errno
local fails <const>, main_it <const> = helper.fails, helper.main_it
local eventually <const> = helper.eventually

local EINVAL <const> = "io_uring_setup: Invalid argument"

-- What the kernel, or the library, adds by itself.
local OWN <const> = core.IORING_SETUP_CQSIZE | core.IORING_SETUP_NO_SQARRAY

-- Run f in a task of the ring.
local function on(ring, f, ...) return ring:spawn(f, ...):join() end

local function works(ring)
  ring:get_sqe():prep_nop(core.IORING_NOP_INJECT_RESULT, 7):set_data "raw"
  assert.equal(1, ring:submit())
  local cqe <const> = assert(ring:wait_cqe(5))
  assert.same({ "raw", 7 }, { cqe.data, cqe.res })
  assert.equal(8, on(ring, op.nop, core.IORING_NOP_INJECT_RESULT, 8))
end

-- A field of a thread of this process.
local function thread(id, field)
  return helper.read_file(("/proc/self/task/%s/status"):format(id)):match(field .. ":%s*(%S+)")
end

-- How many pieces of memory of rings this process has.
local function mappings()
  return select(2, helper.read_file "/proc/self/maps":gsub("io_uring", ""))
end


-- The thread that looks at the ring's queue; it says so itself when it runs.
local function poller(ring)
  local own <const>, id = tostring(helper.process.pid()), nil
  eventually(function()
    id = helper.ring_info(ring).SqThread
    return id ~= own
  end)
  return id
end

-- Each is the options of a ring, the flags that it has then, and what else is
-- seen of it.
local rings <const> = {
  { { clamp = true, entries = 100000 }, { "CLAMP" }, function(ring)
    assert.equal(32768, ring.sq_entries)
  end },
  { { cq_entries = 100, entries = 8, clamp = false }, { "CQSIZE" }, function(ring)
    assert.same({ 8, 128 }, { ring.sq_entries, ring.cq_entries })
  end },
  { { submit_all = true }, { "SUBMIT_ALL" }, function(ring)
    ring:get_sqe():prep_nop():set_personality(99):set_data "bad"
    ring:get_sqe():prep_nop():set_data "good"
    assert.equal(2, ring:submit())
    local bad <const>, good <const> = ring:wait_cqe(5), ring:wait_cqe(5)
    assert.same({ "bad", -errno.EINVAL, "good", 0 }, { bad.data, bad.res, good.data, good.res })
  end },
  { { coop_taskrun = true }, { "COOP_TASKRUN" } },
  { { coop_taskrun = true, taskrun_flag = true }, { "COOP_TASKRUN", "TASKRUN_FLAG" } },
  { { single_issuer = true }, { "SINGLE_ISSUER" } },
  { { single_issuer = true, defer_taskrun = true }, { "SINGLE_ISSUER", "DEFER_TASKRUN" } },
  { { sqe128 = true }, { "SQE128" } },
  { { cqe32 = true }, { "CQE32" }, function(ring)
    ring:get_sqe():prep_nop(core.IORING_NOP_CQE32, 0, 5, 6)
    ring:submit()
    local cqe <const> = assert(ring:wait_cqe(5))
    assert.same({ 5, 6 }, { cqe.extra1, cqe.extra2 })
  end },
  { { no_sqarray = true }, { "NO_SQARRAY" } },
  { { no_mmap = true, entries = 8 }, { "NO_MMAP" } },
  { { no_mmap = true, entries = 8, registered_fd_only = true },
    { "NO_MMAP", "REGISTERED_FD_ONLY" } },
  { { cqe_mixed = true }, { "CQE_MIXED" } },
  { { sqpoll = true, sq_thread_idle = 10 }, { "SQPOLL" }, function(ring)
    local id <const> = poller(ring)
    assert.truthy(thread(id, "Name"):find "^iou%-sqp")
    eventually(function() return thread(id, "State") == "S" end) -- it is idle, and sleeps
  end },
  { { sqpoll = true, sq_thread_idle = 20000 }, { "SQPOLL" }, function(ring)
    core.sleep(0.1)
    local id <const> = poller(ring)
    eventually(function() return thread(id, "State") == "R" end) -- also when it waits for a lock
  end },
  { { sqpoll = true, sq_thread_idle = 10, sq_thread_cpu = 0 }, { "SQPOLL", "SQ_AFF" },
    function(ring)
      local id <const> = poller(ring)
      eventually(function() return thread(id, "Cpus_allowed_list") == "0" end)
    end },
  { { iopoll = true }, { "IOPOLL" } },
  { { iopoll = true, hybrid_iopoll = true }, { "IOPOLL", "HYBRID_IOPOLL" } },
}

describe("a ring with the flags", function()
  for i, case in ipairs(rings) do
    local names <const> = table.concat(case[2], ", ")
    main_it(("%s (%d)"):format(names, i), function()
      local flags = 0
      for _, name in ipairs(case[2]) do flags = flags | core["IORING_SETUP_" .. name] end
      if i == 2 then assert.equal(core.IORING_SETUP_CQSIZE, flags) end
      local query <const> = core.register_query()
      if query and flags & ~query.setup_flags ~= 0 then
        return fails("EINVAL", EINVAL, core.ring(case[1]))
      end
      local before <const> = mappings()
      local ring <close> = assert(core.ring(case[1]))
      assert.equal(flags, ring.flags & (flags | ~OWN))
      assert.equal(case[1].no_mmap or false, mappings() == before)
      works(ring)
      if case[3] then case[3](ring) end
      assert(helper.idle(ring))
    end)
  end

  main_it("R_DISABLED does nothing until it is enabled", function()
    local ring <close> = assert(core.ring { r_disabled = true })
    assert.equal(core.IORING_SETUP_R_DISABLED, ring.flags & ~OWN)
    ring:get_sqe():prep_nop()
    fails("EBADFD", "submit: File descriptor in bad state (the ring is not enabled yet)",
      ring:submit())
    assert.is_true(ring:enable_rings())
    assert.equal(1, ring:submit())
    assert.equal(0, ring:wait_cqe(5).res)
    works(ring)
  end)

  main_it("none stops at an entry that is wrong", function()
    local ring <close> = assert(core.ring { submit_all = false })
    ring:get_sqe():prep_nop():set_personality(99):set_data "bad"
    ring:get_sqe():prep_nop():set_data "good"
    assert.equal(1, ring:submit())
    assert.equal(1, ring:sq_ready())
    assert.equal("bad", ring:wait_cqe(5).data)
    assert.equal(1, ring:submit())
    assert.equal("good", ring:wait_cqe(5).data)
  end)

  main_it("ATTACH_WQ has the thread of the other", function()
    local one <close> = assert(core.ring { sqpoll = true, sq_thread_idle = 10 })
    local two <close> = assert(core.ring { sqpoll = true, sq_thread_idle = 10, attach_wq = one })
    local three <close> = assert(core.ring { sqpoll = true, sq_thread_idle = 10 })
    assert.not_equal(0, two.flags & core.IORING_SETUP_ATTACH_WQ)
    local id <const> = poller(one)
    assert.equal(id, poller(two))
    assert.not_equal(id, poller(three))
    works(two)
    works(one)
  end)

  for _, options in ipairs {
    { taskrun_flag = true },
    { defer_taskrun = true },
    { sqpoll = true, single_issuer = true, defer_taskrun = true },
    { sqpoll = true, coop_taskrun = true },
    { hybrid_iopoll = true },
    { registered_fd_only = true },
    { cqe_mixed = true, cqe32 = true },
    { entries = 8, cq_entries = 4, submit_all = true },
    { entries = 100000, clamp = false },
    { sq_thread_cpu = 0, submit_all = true },
    { sqpoll = true, sq_thread_cpu = 4000 },
  } do
    local names <const> = {}
    for name, value in pairs(options) do names[#names + 1] = ("%s = %s"):format(name, value) end
    table.sort(names)
    main_it("is refused: " .. table.concat(names, ", "), function()
      fails("EINVAL", EINVAL, core.ring(options))
    end)
  end

  main_it("has the features that the kernel says it has", function()
    local ring <close> = assert(core.ring())
    local query <const> = core.register_query()
    if query then assert.equal(query.features, ring.features) end
    local known = 0
    for name, bit in pairs(core) do
      if type(name) == "string" and name:find "^IORING_FEAT_" then
        known = known + 1
        assert.equal(0, bit & (bit - 1), name)
      end
    end
    assert.is_true(known >= 17, known)
    for _, name in ipairs { "SINGLE_MMAP", "NODROP", "SUBMIT_STABLE", "RW_CUR_POS", "EXT_ARG" } do
      assert.not_equal(0, ring.features & core["IORING_FEAT_" .. name], name)
    end
  end)
end)

describe("a ring that polls its device", function()
  for _, options in ipairs { { iopoll = true }, { iopoll = true, hybrid_iopoll = true } } do
    main_it(("says what the device, and the operation, cannot do (%s)"):format(
      options.hybrid_iopoll and "hybrid" or "plain"), function()
      local ring <close> = assert(core.ring(options))
      local dir <close> = helper.tmpdir()
      helper.write_file(dir .. "/file", ("x"):rep(4096))
      local fd <close> = assert(op.open(dir .. "/file", core.O_RDONLY))
      fails("EOPNOTSUPP", ("read fd %d: Operation not supported"):format(fd:fileno()),
        on(ring, op.read, fd, 4096, 0))
      local direct <close> = assert(op.open(dir .. "/file", core.O_RDONLY | core.O_DIRECT))
      local result <const>, message <const>, code <const> =
        on(ring, op.read, direct, core.buffer(4096, 4096), nil, 0)
      if result then -- a disk with queues for that
        assert.equal(4096, result)
      else
        assert.equal(errno.EOPNOTSUPP, code)
        assert.equal(("read fd %d: Operation not supported"):format(direct:fileno()), message)
      end
      fails("EINVAL", ("poll_add fd %d: Invalid argument"):format(fd:fileno()),
        on(ring, op.poll_add, fd, core.POLLIN))
      fails("ETIME", "wait_cqe: Timer expired", ring:wait_cqe(0.01))
      assert.is_true(on(ring, core.sleep, 0.01))
    end)
  end
end)

describe("the default flags", function()
  main_it("are those that the kernel calls the best", function()
    local ring <close> = assert(core.ring())
    local best = 0
    for _, name in ipairs { "SINGLE_ISSUER", "DEFER_TASKRUN", "TASKRUN_FLAG", "SUBMIT_ALL",
      "CLAMP" } do
      best = best | core["IORING_SETUP_" .. name]
    end
    local query <const> = core.register_query()
    if query and best & ~query.setup_flags == 0 then assert.equal(best, ring.flags & ~OWN) end
    assert.is_true(select(2, system.flags(ring:fileno()))) -- no child gets it
  end)
end)
