local core = require "uring.core"
local helper = require "spec.helper"

local op <const>, fails <const>, raises <const> = core.op, helper.fails, helper.raises
local it <const> = helper.main_it

describe("msg_ring", function()
  it("puts a completion on another ring", function()
    local ring <close> = assert(core.ring())
    assert.is_true(op.msg_ring(ring, 42, -7))
    local cqe = assert(ring:wait_cqe(5))
    assert.equal(42, cqe.res)
    assert.equal(-7, cqe.data)
    assert.equal(-7, cqe.user_data)
    assert.is_true(cqe.message)
    assert.is_false(cqe.more)
    assert(helper.idle(ring))
  end)

  it("keeps 56 bits of its data, and no more", function()
    local ring <close> = assert(core.ring())
    for _, n in ipairs { 0, 1, -1, (1 << 55) - 1, -(1 << 55) } do
      assert.is_true(op.msg_ring(ring, 0, n))
      assert.equal(n, ring:wait_cqe(5).data)
    end
    raises("out of range", op.msg_ring, ring, 0, 1 << 55)
    raises("out of range", op.msg_ring, ring, 0, -(1 << 55) - 1)
  end)

  it("cannot pass for the completion of an operation", function()
    local ring <close> = assert(core.ring())
    local task = ring:spawn(op.timeout, 60)
    ring:step(0)
    for tag = 0, 1023 do -- whatever bits the slot and the generation have
      op.msg_ring(ring, 5, tag)
      op.msg_ring(ring, 5, tag << 24)
    end
    for _ = 1, 2048 do assert.is_true(ring:wait_cqe(5).message) end
    assert.equal("waiting", task:status())
    assert.equal(0, ring:stats().stale)
    task:interrupt "done"
    pcall(task.join, task)
  end)

  it("comes to ring:cqes, too", function()
    local ring <close> = assert(core.ring())
    op.msg_ring(ring, 1, 11)
    op.msg_ring(ring, 2, 12)
    local all = {}
    for data, res in ring:cqes() do all[#all + 1] = { data, res } end
    assert.same({ { 11, 1 }, { 12, 2 } }, all)
  end)

  it("passes flags of the completion", function()
    local ring <close> = assert(core.ring())
    assert.is_true(op.msg_ring_cqe_flags(ring, 3, 9, 0, 0x50000))
    local cqe = assert(ring:wait_cqe(5))
    assert.equal(0x50000, cqe.flags)
    assert.equal(9, cqe.data)
  end)

  it("fails for what is no ring", function()
    local r, w = op.pipe()
    local _ <close> = helper.closing(r, w)
    fails("EBADFD", ("msg_ring fd %d: File descriptor in bad state"):format(r:fileno()),
      op.msg_ring(r, 0, 0))
    local ring = assert(core.ring())
    ring:close()
    raises("ring is closed", op.msg_ring, ring, 0, 0)
  end)

  it("fails for a ring that is not enabled", function()
    local ring <close> = assert(core.ring { r_disabled = true })
    local _, _, code = op.msg_ring(ring, 0, 0)
    assert.equal(core.errno.EBADFD, code)
  end)
end)

describe("msg_ring_fd", function()
  -- A ring with a table of 4, and another with the word in slot 1.
  local function rings()
    local ring, other = assert(core.ring()), assert(core.ring())
    assert(ring:register_files_sparse(4))
    assert(other:register_files_sparse(4))
    local fd = ring:spawn(op.open_direct, "/dev/zero", core.O_RDONLY, nil, 1):join()
    return ring, other, fd
  end

  it("sends a descriptor to a slot of another ring", function()
    local ring, other, fd = rings()
    local _ <close> = helper.closing(ring, other)
    assert.equal(0, ring:spawn(op.msg_ring_fd, other, fd, 3, 77):join())
    local cqe = assert(other:wait_cqe(5))
    assert.equal(77, cqe.data)
    assert.equal(0, cqe.res)
    fd:close()
    local got = other:direct(3)
    assert.equal("\0\0", other:spawn(op.read, got, 2, 0):join())
  end)

  it("sends one to any free slot", function()
    local ring, other, fd = rings()
    local _ <close> = helper.closing(ring, other)
    assert.equal(0, ring:spawn(op.msg_ring_fd_alloc, other, fd, 1):join())
    assert.equal(1, ring:spawn(op.msg_ring_fd_alloc, other, 1, 2,
      core.IORING_MSG_RING_CQE_SKIP):join())
    assert.equal(0, other:wait_cqe(5).res)
    assert.is_nil(other:peek_cqe())
    assert.equal("\0", other:spawn(op.read, other:direct(1), 1, 0):join())
  end)

  it("ends the object that the other ring has for the slot", function()
    local ring, other, fd = rings()
    local _ <close> = helper.closing(ring, other)
    local dir <close> = helper.tmpdir()
    helper.write_file(dir .. "/old", "old")
    local SKIP <const> = core.IORING_MSG_RING_CQE_SKIP
    for _, send in ipairs {
      function() return ring:spawn(op.msg_ring_fd, other, fd, 2, 0, SKIP):join() end,
      function()
        ring:get_sqe():prep_msg_ring_fd(other, fd, 2, 0, SKIP)
        ring:submit()
        return ring:wait_cqe(5).res
      end,
      function() -- in the end nobody hears of it
        ring:get_sqe():prep_msg_ring_fd(other, 1, 2, 0, SKIP)
          :set_flags(core.IOSQE_CQE_SKIP_SUCCESS)
        ring:submit()
        ring:step(0)
        return 0
      end,
    } do
      local old = other:spawn(op.open_direct, dir .. "/old", 0, 0, 2):join()
      local third = other:spawn(op.open_direct, dir .. "/old", 0, 0, 3):join()
      assert.equal("old", other:spawn(op.read, old, 9, 0):join())
      assert.equal(0, send())
      assert.is_false(old:isopen())
      assert.is_true(old:close()) -- which does not touch the new file
      assert.equal("\0", other:spawn(op.read, other:direct(2), 1, 0):join())
      assert.equal("old", other:spawn(op.read, third, 9, 0):join())
    end
  end)

  it("fails for an empty slot, and for a full table", function()
    local ring, other, fd = rings()
    local _ <close> = helper.closing(ring, other)
    local _, _, code = ring:spawn(op.msg_ring_fd, other, 3, 0, 0):join()
    assert.equal(core.errno.EBADF, code)
    for _ = 1, 4 do assert(ring:spawn(op.msg_ring_fd_alloc, other, fd, 0):join()) end
    _, _, code = ring:spawn(op.msg_ring_fd_alloc, other, fd, 0):join()
    assert.equal(core.errno.ENFILE, code)
  end)

  it("sends its own ring's only", function()
    local ring, other, fd = rings()
    local _ <close> = helper.closing(ring, other)
    raises("direct descriptor of another ring",
      function() return other:spawn(op.msg_ring_fd, ring, fd, 0, 0):join() end)
  end)
end)

describe("register_sync_msg", function()
  it("needs no ring to send from", function()
    local ring <close> = assert(core.ring())
    assert.is_true(ring:register_sync_msg(5, 6))
    assert.is_true(core.register_sync_msg(ring:fileno(), 7, -8))
    local a, b = ring:wait_cqe(5), ring:wait_cqe(5)
    assert.same({ 5, 6, true }, { a.res, a.data, a.message })
    assert.same({ 7, -8, true }, { b.res, b.data, b.message })
  end)

  it("fails for what is no ring", function()
    local r, w = op.pipe()
    local _ <close> = helper.closing(r, w)
    local _, message, code = core.register_sync_msg(r, 0, 0)
    assert.equal("register_sync_msg: File descriptor in bad state", message)
    assert.equal(core.errno.EBADFD, code)
    raises("out of range", core.register_sync_msg, r, 0, 1 << 55)
  end)
end)
