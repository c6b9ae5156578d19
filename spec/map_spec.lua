local core = require "uring.core"
local helper = require "spec.helper"

local op <const>, fails <const> = core.op, helper.fails
local it <const> = helper.main_it

local function on(ring, f, ...) return ring:spawn(f, ...):join() end

-- A ring with these options; nil where the kernel lacks them, which is said.
local function ring_with(options)
  local ring, message, code = core.ring(options)
  if ring then return ring end
  assert.equal(core.errno.EINVAL, code)
  pending(message)
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
    for i = 1, 3 do assert.equal(i, ring:wait_cqe(1).data) end
    for i = 1, 50 do ring:get_sqe():prep_nop():set_data(i) end
    assert.equal(50, ring:submit())
    for i = 1, 50 do assert.equal(i, ring:wait_cqe(1).data) end
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
    assert.equal("not submitted", ring:wait_cqe(1).data)
  end)

  it("is refused where it would not be safe", function()
    local ring <close> = assert(core.ring { entries = 8, clamp = true })
    if ring.flags & core.IORING_SETUP_NO_SQARRAY == 0 then
      fails("EINVAL", "resize_rings: only a ring that was made with no_sqarray can be resized",
        ring:resize_rings(16))
    end
    local plain <close> = ring_with { entries = 8, no_sqarray = true }
    fails("EINVAL", "resize_rings: Invalid argument", plain:resize_rings(16))
  end)
end)

describe("completions of 32 bytes", function()
  it("have two numbers more", function()
    local ring <close> = assert(core.ring { cqe32 = true })
    ring:get_sqe():prep_nop(core.IORING_NOP_CQE32, 0, 0x1111, 0x2222)
    ring:get_sqe():prep_nop()
    ring:submit()
    local cqe = ring:wait_cqe(1)
    if cqe.res == -core.errno.EINVAL then return pending "this kernel has no IORING_NOP_CQE32" end
    assert.same({ 0x1111, 0x2222 }, { cqe.extra1, cqe.extra2 })
    assert.equal(0, ring:wait_cqe(1).res)
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
          local cqe = assert(ring:wait_cqe(1))
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
    fails("EOPNOTSUPP", "io_uring_setup: Operation not supported", core.ring { sqe_mixed = true })
    fails("EOPNOTSUPP", "io_uring_setup: Operation not supported", core.ring { sq_rewind = true })
  end)
end)
