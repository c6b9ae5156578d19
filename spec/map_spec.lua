local core = require "uring.core"
local helper = require "spec.helper"

local op <const>, fails <const> = core.op, helper.fails
local it <const> = helper.main_it

local function on(ring, f, ...) return ring:spawn(f, ...):join() end

-- Does the kernel say itself that it knows all these options?  Since 6.18.
local function claims(options)
  local answer, all = core.register_query(), 0
  for name in pairs(options) do all = all | (core["IORING_SETUP_" .. name:upper()] or 0) end
  return answer and answer.setup_flags & all == all
end

-- A ring with these options; pending where the kernel lacks some.
local function ring_with(options)
  local ring, message, code = core.ring(options)
  if ring then return ring end
  assert.equal(core.errno.EINVAL, code)
  assert(not claims(options), message)
  local names = {}
  for name in pairs(options) do names[#names + 1] = name end
  table.sort(names)
  pending("this kernel has no ring with " .. table.concat(names, ", "))
end

describe("a ring without an array of indices", function()
  it("works like any other", function()
    local ring <close> = ring_with { entries = 4, no_sqarray = true }
    assert.equal(core.IORING_SETUP_NO_SQARRAY, ring.flags & core.IORING_SETUP_NO_SQARRAY)
    for i = 1, 20 do
      ring:get_sqe():prep_nop(core.IORING_NOP_INJECT_RESULT, i):set_data(i)
      if i % 3 == 0 then ring:submit() end
      if i % 4 == 0 then ring:enter() end
    end
    ring:submit()
    local n = 0
    for data, res in ring:cqes() do
      n = n + 1
      assert.same({ n, n }, { data, res })
    end
    assert.equal(20, n)
    assert(helper.idle(ring))
  end)

  it("can be made and closed many times", function()
    for _ = 1, 50 do
      local ring <close> = ring_with { entries = 64, no_sqarray = true }
      assert.equal(0, on(ring, op.nop))
    end
  end)
end)

describe("resize_rings", function()
  local options = { entries = 8, no_sqarray = true, defer_taskrun = true, single_issuer = true }

  it("keeps what is in the queues", function()
    local ring <close> = ring_with(options)
    for i = 1, 3 do ring:get_sqe():prep_nop():set_data(i) end
    ring:enter(nil, 3, core.IORING_ENTER_GETEVENTS)
    assert.is_true(ring:resize_rings(64, 256))
    assert.same({ 64, 256 }, { ring.sq_entries, ring.cq_entries })
    for i = 1, 3 do assert.equal(i, ring:wait_cqe(5).data) end
    for i = 1, 50 do ring:get_sqe():prep_nop():set_data(i) end
    assert.equal(50, ring:submit())
    for i = 1, 50 do assert.equal(i, ring:wait_cqe(5).data) end
    assert.is_true(ring:resize_rings(4))
    assert.equal(4, ring.sq_entries)
    assert.equal(0, on(ring, op.nop))
  end)

  it("leaves operations in flight alone", function()
    local ring <close> = ring_with(options)
    local r, w = op.pipe()
    local _ <close> = helper.closing(r, w)
    local task = ring:spawn(op.read, r, 10)
    ring:step(0)
    ring:get_sqe():prep_nop():set_data "not submitted"
    assert.is_true(ring:resize_rings(32))
    op.write(w, "hi")
    assert.equal("hi", task:join())
    assert.equal("not submitted", ring:wait_cqe(5).data)
  end)

  it("is refused where it would not be safe", function()
    local ring <close> = assert(core.ring { entries = 8, clamp = true })
    if ring.flags & core.IORING_SETUP_NO_SQARRAY == 0 then
      fails("EINVAL", "resize_rings: only a ring that was made with no_sqarray, " ..
        "and has a descriptor, can be resized", ring:resize_rings(16))
    end
    local plain <close> = ring_with { entries = 8, no_sqarray = true }
    fails("EINVAL", "resize_rings: Invalid argument", plain:resize_rings(16))
  end)
end)

-- A script's day on a ring: the raw layer, tasks, timers, overflow, closing.
local function exercise(ring)
  local r, w = op.pipe()
  local _ <close> = helper.closing(r, w)
  assert.equal(0, on(ring, op.nop))
  local reader = ring:spawn(op.read, r, 10)
  ring:step(0)
  assert.equal(2, on(ring, op.write, w, "hi"))
  assert.equal("hi", reader:join())
  assert.is_true(on(ring, core.sleep, 0.01))
  local total = 0
  for i = 1, 30 do
    local sqe = ring:get_sqe()
    if not sqe then
      assert(ring:submit())
      sqe = ring:get_sqe()
    end
    sqe:prep_nop():set_data(i)
  end
  assert(ring:submit())
  for _ = 1, 30 do total = total + assert(ring:wait_cqe(5)).data end
  assert.equal(465, total)
  assert.is_nil(ring:wait_cqe(0.01))
  local tasks = {}
  for i = 1, 40 do tasks[i] = ring:spawn(op.nop) end
  for i = 1, 40 do assert.equal(0, tasks[i]:join()) end
  if ring:stats().active == 0 then assert(helper.idle(ring)) end
  ring:spawn(op.read, r, 10) -- in flight when the ring is closed
  ring:step(0)
end

describe("a ring in memory of its own", function()
  local flags = { {}, { no_sqarray = true }, { sqe128 = true, cqe32 = true },
    { cq_entries = 16 }, { defer_taskrun = true, single_issuer = true, taskrun_flag = true },
    { sqpoll = true, sq_thread_idle = 10 } }

  local function with(options)
    options.entries, options.no_mmap = 8, true
    return options
  end

  for i = 1, #flags do
    it(("works like any other (%d)"):format(i), function()
      local ring <close> = ring_with(with(flags[i]))
      exercise(ring)
    end)

    it(("works without a descriptor (%d)"):format(i), function()
      local options = with(flags[i])
      options.registered_fd_only = true
      local ring <close> = ring_with(options)
      assert.has_error(function() ring:fileno() end, "ring has no descriptor")
      assert.equal(0, ring:enter(0, 0, core.IORING_ENTER_GETEVENTS))
      assert.is_true(ring:register_files_sparse(2))
      local fd = on(ring, op.open_direct, "/dev/zero", core.O_RDONLY)
      assert.equal("\0", on(ring, op.read, fd, 1, 0))
      exercise(ring)
      options.registered_fd_only = nil
    end)
  end

  it("can be large", function()
    local ring <close> = ring_with { entries = 4096, cq_entries = 16384, no_mmap = true }
    for _ = 1, 4096 do ring:get_sqe():prep_nop() end
    assert.equal(4096, ring:submit())
    for _ = 1, 4096 do assert.equal(0, ring:wait_cqe(5).res) end
  end)

  it("gives everything back", function()
    for _ = 1, 50 do -- a thread has 16 places for registered rings
      local ring <close> = ring_with { entries = 8, no_mmap = true, registered_fd_only = true }
      assert.equal(0, on(ring, op.nop))
    end
  end)

  it("is refused what makes no sense", function()
    fails("EINVAL", "io_uring_setup: Invalid argument",
      core.ring { entries = 8, registered_fd_only = true })
    fails("EINVAL", "io_uring_setup: Invalid argument",
      core.ring { entries = 100000, no_mmap = true })
  end)
end)

describe("close_ring_fd", function()
  it("leaves a ring that is registered", function()
    for _ = 1, 20 do
      local ring <close> = assert(core.ring { entries = 8, clamp = true })
      fails("EINVAL", "close_ring_fd: Invalid argument", ring:close_ring_fd())
      assert.is_true(ring:register_ring_fd())
      local fd = ring:fileno()
      assert.is_true(ring:close_ring_fd())
      assert.is_nil(helper.process.descriptors()[fd])
      fails("EINVAL", "close_ring_fd: Invalid argument", ring:close_ring_fd())
      assert.is_true(ring:register_files_sparse(1))
      exercise(ring)
    end
  end)
end)

describe("set_iowait", function()
  local flags = { {}, { clamp = true }, { sqpoll = true, sq_thread_idle = 10 } }
  for i = 1, #flags do
    it(("changes nothing but what top shows (%d)"):format(i), function()
      flags[i].entries = 8
      local ring <close> = ring_with(flags[i])
      if ring.features & core.IORING_FEAT_NO_IOWAIT == 0 then
        return fails("EOPNOTSUPP", "set_iowait: Operation not supported", ring:set_iowait(false))
      end
      assert.is_true(ring:set_iowait(false))
      exercise(ring)
      assert.is_true(ring:set_iowait(true))
      exercise(ring)
    end)
  end
end)

describe("completions of 32 bytes", function()
  it("have two numbers more", function()
    local ring <close> = assert(core.ring { cqe32 = true })
    ring:get_sqe():prep_nop(core.IORING_NOP_CQE32, 0, 0x1111, 0x2222)
    ring:get_sqe():prep_nop()
    ring:submit()
    local cqe = ring:wait_cqe(5)
    if cqe.res == -core.errno.EINVAL and not core.register_query() then -- both are of 6.18
      return pending "this kernel has no IORING_NOP_CQE32"
    end
    assert.same({ 0x1111, 0x2222 }, { cqe.extra1, cqe.extra2 })
    assert.equal(0, ring:wait_cqe(5).res)
  end)

  it("may be mixed with others", function()
    local ring <close> = ring_with { entries = 4, cq_entries = 4, cqe_mixed = true }
    for i = 1, 100 do
      local wide = i % 3 == 0
      ring:get_sqe():prep_nop(wide and core.IORING_NOP_CQE32 or 0, 0, wide and i or 0,
        wide and 2 * i or 0):set_data(i)
      assert(ring:submit())
      if i % 2 == 0 then
        for j = i - 1, i do
          local cqe = assert(ring:wait_cqe(5))
          assert.equal(j, cqe.data)
          assert.equal(j % 3 == 0 and j or nil, cqe.extra1)
          assert.equal(j % 3 == 0 and 2 * j or nil, cqe.extra2)
        end
      end
    end
    assert(helper.idle(ring))
  end)

  it("are one thing or the other", function()
    fails("EINVAL", "io_uring_setup: Invalid argument",
      core.ring { cqe_mixed = true, cqe32 = true })
  end)
end)

describe("flags that move entries about", function()
  it("are refused", function()
    fails("EOPNOTSUPP", "io_uring_setup: sqe_mixed (Linux 6.19): the entries of a ring are all " ..
      "of one size here (EOPNOTSUPP)", core.ring { sqe_mixed = true })
    fails("EOPNOTSUPP", "io_uring_setup: sq_rewind (Linux 7.0): entries keep their places in " ..
      "the queue here (EOPNOTSUPP)", core.ring { sq_rewind = true, no_sqarray = true })
  end)
end)
