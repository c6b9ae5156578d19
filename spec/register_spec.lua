local core = require "uring.core"
local helper = require "spec.helper"
local event = require "spec.event" -- spec/support/event.c

local op <const>, fails <const>, raises <const> = core.op, helper.fails, helper.raises
local it <const> = helper.main_it

-- Run f in a task of the ring and return its results.
local function on(ring, f, ...) return ring:spawn(f, ...):join() end

-- A case with a ring of its own.
local function case(name, f, options)
  it(name, function()
    local ring <close> = assert(core.ring(options))
    f(ring)
  end)
end

local unsupported = ": operation not supported by this kernel"

describe("registered buffers", function()
  local zero

  before_each(function() zero = assert(io.open "/dev/zero") end)
  after_each(function() zero:close() end)

  case("are read into and written from by their index", function(ring)
    local dir <close> = helper.tmpdir()
    local a, b = core.buffer "0123456789", core.buffer(10)
    assert.is_true(ring:register_buffers { a, b })
    local fd <close> = assert(op.open(dir .. "/f", core.O_RDWR | core.O_CREAT))
    assert.equal(10, on(ring, op.write_fixed, fd, a, nil, 0, 0))
    assert.equal(6, on(ring, op.read_fixed, fd, b, 6, 2, 1))
    assert.equal("234567\0\0\0\0", b:string())
    assert.equal("0123456789", helper.read_file(dir .. "/f"))
    fails("EFAULT", ("read_fixed fd %d: Bad address"):format(fd:fileno()),
      on(ring, op.read_fixed, fd, b, 6, 2, 0))
    fails("EFAULT", ("write_fixed fd %d: Bad address"):format(fd:fileno()),
      on(ring, op.write_fixed, fd, a, 6, 2, 7))
  end)

  case("work with vectors", function(ring)
    if not ring:supports "readv_fixed" then return pending "this kernel has no readv_fixed" end
    local dir <close> = helper.tmpdir()
    local a = core.buffer "0123456789"
    assert.is_true(ring:register_buffers { a })
    local fd <close> = assert(op.open(dir .. "/f", core.O_RDWR | core.O_CREAT))
    assert.equal(20, on(ring, op.writev_fixed, fd, { a, a }, 0, 0, 0))
    assert.equal("01234567890123456789", helper.read_file(dir .. "/f"))
    a:fill(0)
    assert.equal(10, on(ring, op.readv_fixed, fd, { a }, 5, 0, 0))
    assert.equal("5678901234", a:string())
    local other = core.buffer(1)
    fails("EFAULT", ("readv_fixed fd %d: Bad address"):format(fd:fileno()),
      on(ring, op.readv_fixed, fd, { other }, 0, 0, 0))
    fails("EFAULT", ("writev_fixed fd %d: Bad address"):format(fd:fileno()),
      on(ring, op.writev_fixed, fd, { other }, 0, 0, 0))
  end)

  case("keep their size and their memory while they are registered", function(ring)
    local a = core.buffer(100)
    assert.is_true(ring:register_buffers { a, core.buffer(50) })
    collectgarbage()
    raises("in use", a.resize, a, 200)
    fails("EBUSY", "register_buffers: Device or resource busy", ring:register_buffers { a })
    assert.is_true(ring:unregister_buffers())
    a:resize(200)
    fails("ENXIO", "unregister_buffers: No such device or address", ring:unregister_buffers())
  end)

  it("are let go by close", function()
    local a = core.buffer(100)
    local ring <close> = assert(core.ring())
    assert.is_true(ring:register_buffers { a, a })
    assert.equal(2, a:busy())
    ring:close()
    assert.equal(0, a:busy())
  end)

  case("may have holes, which are filled later", function(ring)
    local a, b = core.buffer(4), core.buffer(4)
    assert.is_true(ring:register_buffers_sparse(4))
    assert.equal(2, ring:register_buffers_update_tag(1, { a, b }))
    assert.equal(4, on(ring, op.read_fixed, zero, b, nil, 0, 2))
    assert.equal(1, ring:register_buffers_update_tag(1, { false }))
    assert.equal(0, a:busy())
    assert.equal(1, b:busy())
    fails("EINVAL", "register_buffers_update_tag: Invalid argument",
      ring:register_buffers_update_tag(3, { a, a }))
    assert.equal(0, a:busy())
    local _, _, code = on(ring, op.read_fixed, zero, b, nil, 0, 1)
    assert.equal(core.errno.EFAULT, code)
  end)

  case("say by their tags when they are free", function(ring)
    local a = core.buffer(4)
    assert.is_true(ring:register_buffers_tags({ a, a, false }, { 5, -6, 0 }))
    assert.equal(1, ring:register_buffers_update_tag(0, { a }, { 9 }))
    local cqe = assert(ring:wait_cqe(5))
    assert.same({ 0, 5, true }, { cqe.res, cqe.data, cqe.message })
    assert.is_true(ring:unregister_buffers())
    local seen = {}
    for i = 1, 2 do seen[i] = assert(ring:wait_cqe(5)).data end
    table.sort(seen)
    assert.same({ -6, 9 }, seen)
    raises("as many tags as things", ring.register_buffers_tags, ring, { a }, {})
  end)

  case("can be cloned to another ring", function(ring)
    local a, b = core.buffer(4), core.buffer(4)
    assert.is_true(ring:register_buffers { a, b })
    local other <close> = assert(core.ring())
    assert.is_true(other:clone_buffers(ring))
    assert.equal(2, a:busy())
    assert.equal(4, on(other, op.read_fixed, zero, b, nil, 0, 1))
    fails("EBUSY", "clone_buffers: Device or resource busy", other:clone_buffers(ring))
    assert.is_true(other:clone_buffers(ring, 1, 0, 1, core.IORING_REGISTER_DST_REPLACE))
    assert.equal(4, on(other, op.read_fixed, zero, a, nil, 0, 1))
    assert.equal(3, a:busy())
    assert.equal(1, b:busy())
    other:close()
    assert.equal(1, a:busy())
  end)

  case("can be moved about in their table", function(ring)
    local all <const> = { core.buffer(4), core.buffer(4), core.buffer(4) }
    local function busy()
      local n = {}
      for i = 1, 3 do n[i] = all[i]:busy() end
      return n
    end
    assert.is_true(ring:register_buffers(all))
    assert.is_true(ring:clone_buffers(ring, 1, 0, 2, core.IORING_REGISTER_DST_REPLACE))
    assert.same({ 2, 1, 0 }, busy())
    assert.is_true(ring:clone_buffers(ring, 0, 1, 2, core.IORING_REGISTER_DST_REPLACE))
    assert.same({ 1, 2, 0 }, busy())
    assert.equal(4, on(ring, op.read_fixed, zero, all[2], nil, 0, 2))
  end)

  case("are buffers", function(ring)
    raises("list of buffers", ring.register_buffers, ring, { "string" })
    raises("list is empty", ring.register_buffers, ring, {})
    raises("table expected", ring.register_buffers, ring, core.buffer(1))
    fails("EFAULT", "register_buffers: Bad address", ring:register_buffers { core.buffer(0) })
  end)
end)

describe("registered files", function()
  case("are used by their place", function(ring)
    local file <close> = assert(io.open "/dev/zero")
    assert.is_true(ring:register_files { false, file, -1 })
    file:close() -- the table has its own
    local buffer = core.buffer "x"
    ring:get_sqe():prep_read(1, buffer, 1, 0):set_flags(core.IOSQE_FIXED_FILE)
    ring:submit()
    assert.equal(1, ring:wait_cqe(5).res)
    assert.equal("\0", buffer:string())
    fails("EBUSY", "register_files: Device or resource busy", ring:register_files { 0 })
    assert.is_true(ring:unregister_files())
    fails("ENXIO", "unregister_files: No such device or address", ring:unregister_files())
  end)

  case("are updated, and tell by their tags", function(ring)
    local file <close> = assert(io.open "/dev/zero")
    assert.is_true(ring:register_files_tags({ file, file }, { 3, 4 }))
    assert.equal(1, ring:register_files_update_tag(0, { file }, { 5 }))
    assert.equal(3, ring:wait_cqe(5).data)
    assert.equal(2, ring:register_files_update(0, { core.IORING_REGISTER_FILES_SKIP, false }))
    assert.equal(4, ring:wait_cqe(5).data)
    assert.equal("\0", on(ring, op.read, ring:direct(0), 1, 0))
    fails("EINVAL", "register_files_update: Invalid argument",
      ring:register_files_update(2, { file }))
    assert.is_true(ring:unregister_files())
    assert.equal(5, ring:wait_cqe(5).data)
  end)

  case("get slots from a range", function(ring)
    assert.is_true(ring:register_files_sparse(8))
    assert.is_true(ring:register_file_alloc_range(4, 2))
    local a = on(ring, op.open_direct, "/dev/null", 0)
    local b = on(ring, op.open_direct, "/dev/null", 0)
    assert.same({ 4, 5 }, { a:slot(), b:slot() })
    assert.equal(core.errno.ENFILE, select(3, on(ring, op.open_direct, "/dev/null", 0)))
    local _, _, code = ring:register_file_alloc_range(7, 2)
    assert.truthy(code == core.errno.EINVAL or code == core.errno.EOVERFLOW)
  end)

  case("leave the limit of open files as it is", function(ring)
    local limit = helper.read_file("/proc/self/limits"):match "Max open files%s+(%d+)"
    fails("EMFILE", "register_files_sparse: Too many open files",
      ring:register_files_sparse(tonumber(limit) + 10))
    assert.equal(limit, helper.read_file("/proc/self/limits"):match "Max open files%s+(%d+)")
  end)
end)

describe("an eventfd", function()
  case("must be one", function(ring)
    local r, w = op.pipe()
    local _ <close> = helper.closing(r, w)
    fails("EINVAL", "register_eventfd: Invalid argument", ring:register_eventfd(r))
    fails("EINVAL", "register_eventfd_async: Invalid argument", ring:register_eventfd_async(w))
    fails("ENXIO", "unregister_eventfd: No such device or address", ring:unregister_eventfd())
  end)

  case("counts completions", function(ring)
    local fd <close> = core.fd(event.eventfd())
    assert.is_true(ring:register_eventfd(fd))
    assert.is_true(ring:cq_eventfd_enabled())
    fails("EBUSY", "register_eventfd: Device or resource busy", ring:register_eventfd(fd))
    on(ring, op.nop)
    assert.equal(1, string.unpack("I8", op.read(fd, 8)))
    assert.is_true(ring:cq_eventfd_toggle(false))
    assert.is_false(ring:cq_eventfd_enabled())
    assert.is_true(ring:unregister_eventfd())
    assert.is_true(ring:register_eventfd_async(fd))
    assert.is_true(ring:unregister_eventfd())
  end)
end)

describe("asking", function()
  case("register_probe lists the operations", function(ring)
    local probe = assert(ring:register_probe())
    assert.is_true(probe.ops[core.IORING_OP_READ])
    assert.equal(#probe.ops, probe.last_op)
    assert.is_true(probe.names.openat_direct)
    assert.equal(ring:supports "nop128", probe.names.nop128)
  end)

  case("register_query has the numbers", function(ring)
    local answer, _, code = core.register_query()
    if not answer then -- rings with mixed completions came with it
      assert.equal(core.errno.EINVAL, code)
      assert.is_nil(core.ring { cqe_mixed = true })
      return pending "this kernel has no register_query"
    end
    assert.equal(ring:register_probe().last_op + 1, answer.request_opcodes)
    assert.truthy(answer.register_opcodes > 35) -- it is one of them
    assert.equal(ring.features, answer.features)
    assert.equal(ring.flags, answer.setup_flags & ring.flags)
    assert.equal(1 << 3 | 1 << 6, answer.enter_flags & (1 << 3 | 1 << 6 | 1 << 30)) -- EXT_ARG, _REG
    assert.equal(0x7f, answer.sqe_flags & 0x7f)
    assert.same(answer, ring:register_query())
  end)

  case("buf_ring_head fails for a group that is not there", function(ring)
    fails("ENOENT", "buf_ring_head: No such file or directory", ring:buf_ring_head(5))
  end)
end)

describe("rights", function()
  case("a personality is an id", function(ring)
    local id = assert(ring:register_personality())
    ring:get_sqe():prep_nop():set_personality(id)
    ring:submit()
    assert.equal(0, ring:wait_cqe(5).res)
    assert.is_true(ring:unregister_personality(id))
    fails("EINVAL", "unregister_personality: Invalid argument", ring:unregister_personality(id))
    ring:get_sqe():prep_nop():set_personality(id)
    ring:submit()
    assert.equal(-core.errno.EINVAL, ring:wait_cqe(5).res)
  end)

  case("restrictions leave what they name", function(ring)
    assert.is_true(ring:register_restrictions {
      { sqe_op = "nop" }, { sqe_op = "fsync" }, { sqe_op = core.IORING_OP_ASYNC_CANCEL },
      { sqe_flags_allowed = core.IOSQE_ASYNC }, { register_op = core.IORING_REGISTER_ENABLE_RINGS },
    })
    fails("EBUSY", "register_restrictions: Device or resource busy",
      ring:register_restrictions { { sqe_op = 0 } })
    assert.is_true(ring:enable_rings())
    assert.equal(0, on(ring, op.nop))
    assert.equal(core.errno.EBADF, select(3, on(ring, op.fsync, 987654)))
    assert.equal(core.errno.EACCES, select(3, on(ring, op.read, 0, 1)))
    ring:get_sqe():prep_nop():set_flags(core.IOSQE_IO_DRAIN)
    ring:submit()
    assert.equal(-core.errno.EACCES, ring:wait_cqe(5).res)
    fails("EACCES", "register_personality: Permission denied", ring:register_personality())
  end, { r_disabled = true })

  case("restrictions may ask for flags", function(ring)
    assert.is_true(ring:register_restrictions {
      { sqe_op = "nop" }, { sqe_flags_required = core.IOSQE_ASYNC },
      { register_op = core.IORING_REGISTER_ENABLE_RINGS },
    })
    assert.is_true(ring:enable_rings())
    ring:get_sqe():prep_nop()
    ring:get_sqe():prep_nop():set_flags(core.IOSQE_ASYNC)
    ring:submit_and_wait(2)
    assert.same({ -core.errno.EACCES, 0 }, { ring:wait_cqe().res, ring:wait_cqe().res })
  end, { r_disabled = true, submit_all = true })
end)

describe("workers", function()
  case("have a number", function(ring)
    local bounded, unbounded = assert(ring:register_iowq_max_workers())
    assert.same({ bounded, unbounded }, { ring:register_iowq_max_workers(2, 3) })
    assert.same({ 2, 3 }, { ring:register_iowq_max_workers(0, nil) })
  end)

  case("run on processors", function(ring)
    assert.is_true(ring:register_iowq_aff { 0 })
    assert.is_true(ring:unregister_iowq_aff())
    raises("out of range", ring.register_iowq_aff, ring, { -1 })
  end)
end)

describe("the ring's descriptor", function()
  case("can be registered, once", function(ring)
    assert.is_true(ring:register_ring_fd())
    assert.equal(0, on(ring, op.nop))
    assert.equal(0, ring:enter(0, 0, core.IORING_ENTER_GETEVENTS))
    fails("EEXIST", "register_ring_fd: File exists", ring:register_ring_fd())
    assert.is_true(ring:unregister_ring_fd())
    fails("EINVAL", "unregister_ring_fd: Invalid argument", ring:unregister_ring_fd())
    assert.equal(0, on(ring, op.nop))
  end)

  it("has 16 places, which are given back", function()
    for _ = 1, 40 do
      local ring <close> = assert(core.ring { entries = 4 })
      assert.is_true(ring:register_ring_fd())
    end
  end)
end)

describe("register_sync_cancel", function()
  case("cancels an operation and waits for its end", function(ring)
    local sqe = ring:get_sqe():prep_timeout(60):set_data64(5)
    ring:submit()
    assert.truthy(ring:register_sync_cancel { target = 5, timeout = 1 })
    assert.equal(-core.errno.ECANCELED, ring:wait_cqe(5).res)
    fails("ENOENT", "register_sync_cancel: No such file or directory",
      ring:register_sync_cancel { target = 5 })
    fails("ENOENT", "register_sync_cancel: No such file or directory",
      ring:register_sync_cancel { target = sqe })
  end)

  case("cancels by descriptor, by kind, and all", function(ring)
    local r, w = op.pipe()
    local _ <close> = helper.closing(r, w)
    for _ = 1, 2 do ring:get_sqe():prep_poll_add(r, core.POLLIN) end
    ring:submit()
    assert.truthy(ring:register_sync_cancel { fd = r, flags = core.IORING_ASYNC_CANCEL_ALL })
    for _ = 1, 2 do assert.equal(-core.errno.ECANCELED, ring:wait_cqe(5).res) end
    ring:get_sqe():prep_poll_add(r, core.POLLIN)
    ring:submit()
    assert.truthy(ring:register_sync_cancel { opcode = core.IORING_OP_POLL_ADD,
      flags = core.IORING_ASYNC_CANCEL_OP })
    assert.equal(-core.errno.ECANCELED, ring:wait_cqe(5).res)
    assert.truthy(ring:register_sync_cancel {
      flags = core.IORING_ASYNC_CANCEL_ANY | core.IORING_ASYNC_CANCEL_ALL })
    raises("unknown field 'x'", ring.register_sync_cancel, ring, { x = 1 })
  end)
end)

describe("waiting", function()
  case("napi keeps its settings", function(ring)
    local before = assert(ring:register_napi { busy_poll_to = 10, prefer_busy_poll = true })
    assert.equal(0, before.busy_poll_to)
    assert.equal(10, assert(ring:unregister_napi()).busy_poll_to)
    raises("unknown field 'us'", ring.register_napi, ring, { us = 1 })
  end)

  case("a clock is one of two", function(ring)
    assert.is_true(ring:register_clock(core.CLOCK_BOOTTIME))
    assert.is_true(ring:register_clock(core.CLOCK_MONOTONIC))
    fails("EINVAL", "register_clock: Invalid argument", ring:register_clock(core.CLOCK_REALTIME))
  end)

  case("waits can be registered", function(ring)
    local region = core.buffer(4096)
    region:set(core.reg_wait { timeout = 0.02 }, 1 + 64)
    assert.is_true(ring:register_region(region, core.IORING_MEM_REGION_REG_WAIT_ARG))
    raises("in use", region.resize, region, 1)
    fails("EBUSY", "register_region: Device or resource busy",
      ring:register_region(core.buffer(4096)))
    assert.is_true(ring:enable_rings())
    local start = core.now()
    fails("ETIME", "enter: Timer expired",
      ring:enter(0, 1, core.IORING_ENTER_GETEVENTS | core.IORING_ENTER_EXT_ARG_REG, 1))
    assert.truthy(core.now() - start >= 0.02)
  end, { r_disabled = true })

  case("waits cannot be registered too late", function(ring)
    fails("EINVAL", "register_region: Invalid argument",
      ring:register_region(core.buffer(4096), core.IORING_MEM_REGION_REG_WAIT_ARG))
  end)
end)

describe("what few machines have", function()
  case("says so", function(ring)
    local area, region = core.buffer(4096 * 16), core.buffer(4096)
    local ok, message = ring:register_ifq { if_idx = 1, rq_entries = 8, area = area,
      region = region }
    assert.is_nil(ok)
    assert.matches("^register_ifq: ", message)
    ok, message = ring:register_zcrx_ctrl {}
    assert.is_nil(ok)
    assert.matches("^register_zcrx_ctrl: ", message)
    for _, f in ipairs {
      function() return ring:register_bpf_filter { opcode = 0, filter = ("\0"):rep(8) } end,
    } do
      ok, message = f()
      assert.is_nil(ok)
      assert.matches("^register_bpf_filter: ", message)
    end
    local query = core.register_query()
    if query and query.register_opcodes <= 36 then
      fails("EOPNOTSUPP", "register_zcrx_ctrl" .. unsupported, ring:register_zcrx_ctrl {})
      fails("EOPNOTSUPP", "register_bpf_filter" .. unsupported,
        ring:register_bpf_filter { filter = "12345678" })
      fails("EOPNOTSUPP", "register_bpf_filter_task" .. unsupported,
        core.register_bpf_filter_task { filter = "12345678" })
    end
    raises("instructions of 8 bytes", ring.register_bpf_filter, ring, { filter = "1" })
  end, { defer_taskrun = true, single_issuer = true, cqe32 = true })
end)

describe("provided buffers", function()
  case("are taken by operations that select one", function(ring)
    local r, w = op.pipe()
    local _ <close> = helper.closing(r, w)
    local memory = core.buffer(40)
    assert.is_true(on(ring, op.provide_buffers, memory, 10, 4, 3, 100))
    raises("in use", memory.resize, memory, 1)
    op.write(w, "hello")
    ring:get_sqe():prep_read(r, nil, 10, -1):set_flags(core.IOSQE_BUFFER_SELECT):set_buf_group(3)
    ring:submit()
    local cqe = assert(ring:wait_cqe(5))
    assert.equal(5, cqe.res)
    local at = (cqe.buffer_id - 100) * 10
    assert.equal("hello", memory:string(at + 1, at + 5))
    assert.equal(3, on(ring, op.remove_buffers, 10, 3))
    fails("ENOENT", "remove_buffers: No such file or directory", on(ring, op.remove_buffers, 1, 9))
    ring:close()
    assert.equal(0, memory:busy())
  end)

  case("fit into their memory", function(ring)
    local memory = core.buffer(40)
    raises("no room for so many", ring.spawn(ring, op.provide_buffers, memory, 10, 5, 0).join,
      ring:spawn(op.provide_buffers, memory, 10, 5, 0))
    raises("buffer ids go up to 65535", on, ring, op.provide_buffers, memory, 1, 2, 0, 65535)
    raises("out of range", on, ring, op.provide_buffers, memory, 0, 1, 0)
  end)
end)
