-- The errors of io_uring_register(2), in the order of the page; each is
-- produced, and then the ring works as before.

local core = require "uring.core"
local helper = require "spec.helper"

local op <const>, process <const> = core.op, helper.process
local fails <const>, raises <const>, main_it <const> = helper.fails, helper.raises, helper.main_it

local function on(ring, f, ...) return ring:spawn(f, ...):join() end

-- A case with a ring of its own, which is alive afterwards.
local function case(name, f, options)
  main_it(name, function()
    local ring <close> = assert(core.ring(options))
    f(ring)
    assert.equal(0, on(ring, op.nop))
    assert(helper.idle(ring))
  end)
end

describe("an error of io_uring_register(2):", function()
  local zero

  before_each(function() zero = assert(op.open("/dev/zero", core.O_RDWR)) end)
  after_each(function() zero:close() end)

  case("EACCES, when a restriction does not allow its opcode", function(ring)
    assert.is_true(ring:register_restrictions {
      { sqe_op = "nop" }, { register_op = core.IORING_REGISTER_FILES },
      { register_op = core.IORING_REGISTER_ENABLE_RINGS },
    })
    assert.is_true(ring:enable_rings())
    fails("EACCES", "register_buffers: Permission denied", ring:register_buffers { core.buffer(1) })
    fails("EACCES", "register_personality: Permission denied", ring:register_personality())
    assert.is_true(ring:register_files { zero })
  end, { r_disabled = true })

  case("EBADF, when a descriptor is none", function(ring)
    for _, name in ipairs { "register_files", "register_eventfd", "register_eventfd_async" } do
      local list = name == "register_files" and { zero, 987654 } or 987654
      fails("EBADF", name .. ": Bad file descriptor", ring[name](ring, list))
    end
    assert.is_true(ring:register_files { zero, zero })
    fails("EBADF", "register_files_update: Bad file descriptor",
      ring:register_files_update(0, { 987654 }))
    assert.equal(1, ring:register_files_update(0, { zero, 987654 })) -- so far
  end)

  case("EBADFD, when a ring is to be enabled, or restricted, that is enabled", function(ring)
    local bad <const> = ": File descriptor in bad state"
    fails("EBADFD", "enable_rings" .. bad, ring:enable_rings())
    fails("EBADFD", "register_restrictions" .. bad,
      ring:register_restrictions { { sqe_op = "nop" } })
  end)

  case("EBUSY, when buffers, files or restrictions are registered already", function(ring)
    local busy <const> = ": Device or resource busy"
    local buffer = core.buffer(8)
    assert.is_true(ring:register_restrictions {
      { sqe_op = "nop" }, { register_op = core.IORING_REGISTER_FILES },
      { register_op = core.IORING_REGISTER_BUFFERS },
      { register_op = core.IORING_REGISTER_ENABLE_RINGS },
    })
    fails("EBUSY", "register_restrictions" .. busy,
      ring:register_restrictions { { sqe_op = "read" } })
    assert.is_true(ring:enable_rings())
    assert.is_true(ring:register_buffers { buffer })
    fails("EBUSY", "register_buffers" .. busy, ring:register_buffers { buffer })
    assert.equal(1, buffer:busy())
    assert.is_true(ring:register_files { zero })
    fails("EBUSY", "register_files" .. busy, ring:register_files { zero })
  end, { r_disabled = true })

  case("EEXIST, when another thread has made the ring", function(ring)
    process.thread(function()
      local buffer = core.buffer(8)
      local text <const> = ": File exists (the ring belongs to another thread)"
      fails("EEXIST", "register_buffers" .. text, ring:register_buffers { buffer })
      fails("EEXIST", "register_files" .. text, ring:register_files { zero })
      fails("EEXIST", "register_probe" .. text, ring:register_probe())
      assert.equal(0, buffer:busy())
    end)
  end, { single_issuer = true })

  case("EFAULT, when a buffer is not accessible", function(ring)
    local size <const> = 32 << 20 -- mapped, and not of the heap
    local buffer = core.buffer(size)
    local address <const> = helper.address_of(buffer, size)
    process.protect(address, size, false)
    local result = table.pack(ring:register_buffers { core.buffer(8), buffer })
    process.protect(address, size, true)
    fails("EFAULT", "register_buffers: Bad address", table.unpack(result, 1, 3))
    assert.equal(0, buffer:busy())
    assert.is_true(ring:register_buffers { buffer })
  end)

  case("EFAULT, when a buffer has more than 1 GiB", function(ring)
    local buffer = core.buffer((1 << 30) + 1)
    fails("EFAULT", "register_buffers: Bad address", ring:register_buffers { buffer })
    assert.equal(0, buffer:busy())
  end)

  -- What the arguments alone say is misuse, and raises.
  case("EINVAL, when no buffers or files are given", function(ring)
    raises("list is empty", ring.register_buffers, ring, {})
    raises("list is empty", ring.register_files, ring, {})
    raises("out of range, expected 1 to", ring.register_files_sparse, ring, 0)
    raises("out of range, expected 1 to", ring.register_buffers_sparse, ring, 0)
  end)

  case("EINVAL, when too many buffers are given", function(ring)
    local buffer, list = core.buffer(8), {}
    for i = 1, 16385 do list[i] = buffer end
    raises("list is too long", ring.register_buffers, ring, list)
    raises("out of range", ring.register_buffers_sparse, ring, 16385)
    list[16385] = nil -- the most that the kernel takes
    assert.is_true(ring:register_buffers(list))
    assert.equal(16384, buffer:busy())
    assert.is_true(ring:unregister_buffers())
    assert.equal(0, buffer:busy())
  end)

  pending("EINVAL, when something is given to unregister_buffers or unregister_files (the C " ..
    "half gives nothing, whatever the script does)")

  case("EINVAL, when there are too many restrictions, or one is none", function(ring)
    local invalid <const> = "register_restrictions: Invalid argument"
    local list = {}
    for i = 1, 256 do list[i] = { sqe_op = "nop" } end
    fails("EINVAL", invalid, ring:register_restrictions(list))
    fails("EINVAL", invalid, ring:register_restrictions { { sqe_op = 255 } })
    fails("EINVAL", invalid, ring:register_restrictions { { register_op = 255 } })
    list[257] = list[1]
    raises("list of 1 to 256 expected", ring.register_restrictions, ring, list)
    raises("restriction expected", ring.register_restrictions, ring, { { other = 1 } })
    raises("no operation has that name", ring.register_restrictions, ring, { { sqe_op = "x" } })
    assert.is_true(ring:enable_rings()) -- none holds
    assert.equal("\0", on(ring, op.read, zero, 1))
  end, { r_disabled = true })

  case("EMFILE, when there are more files than a table can have", function(ring)
    raises("out of range, expected 1 to 1048576", ring.register_files_sparse, ring, (1 << 20) + 1)
    fails("EMFILE", "register_files_sparse: Too many open files",
      ring:register_files_sparse(1 << 20)) -- and than the process may have
  end)

  main_it("EMFILE, when there are more files than the process may have open", function()
    local ring <close> = assert(core.ring())
    local limit = process.limit_files(64)
    local result = table.pack(ring:register_files_sparse(65))
    local exact = ring:register_files_sparse(64)
    process.limit_files(limit)
    fails("EMFILE", "register_files_sparse: Too many open files", table.unpack(result, 1, 3))
    assert.is_true(exact)
    assert.equal(0, on(ring, op.nop))
  end)

  -- ENOMEM: setup_errors_spec.lua, for it takes an ordinary user.

  case("ENXIO, when there are no buffers or files to unregister", function(ring)
    local none <const> = ": No such device or address"
    fails("ENXIO", "unregister_buffers" .. none, ring:unregister_buffers())
    fails("ENXIO", "unregister_files" .. none, ring:unregister_files())
    fails("ENXIO", "unregister_eventfd" .. none, ring:unregister_eventfd())
    fails("ENXIO", "register_files_update" .. none, ring:register_files_update(0, { zero }))
    fails("ENXIO", "register_buffers_update_tag" .. none,
      ring:register_buffers_update_tag(0, { core.buffer(8) }))
  end)

  pending("ENXIO, when the ring is being torn down, or registers already (a descriptor keeps a " ..
    "ring alive, and the calls of one thread do not meet)")

  case("EFAULT or EOPNOTSUPP, when a buffer is the memory of a file", function(ring)
    local size <const> = 32 << 20 -- mapped, and not of the heap
    local buffer = core.buffer(size)
    local dir <close> = helper.tmpdir()
    local file <close> = assert(op.open(dir .. "/file", core.O_RDWR | core.O_CREAT))
    assert(op.ftruncate(file, size))
    local address <const> = helper.address_of(buffer, size)
    process.map(address, size, file:fileno())
    local ok, message, code = ring:register_buffers { buffer }
    if ok then ring:unregister_buffers() end
    process.map(address, size)
    if ok then return pending "the files of the temporary directory are memory themselves" end
    assert.equal(0, buffer:busy())
    assert.is_true(code == core.errno.EFAULT or code == core.errno.EOPNOTSUPP)
    assert.equal("register_buffers: " .. core.strerror(code), message)
    assert.is_true(ring:register_buffers { buffer })
  end)

  case("ENOENT, when the group asked for is none", function(ring)
    fails("ENOENT", "buf_ring_head: No such file or directory", ring:buf_ring_head(3))
  end)

  case("EINVAL, when the group asked for is no buffer ring", function(ring)
    local memory = core.buffer(40)
    assert.is_true(on(ring, op.provide_buffers, memory, 10, 4, 3))
    fails("EINVAL", "buf_ring_head: Invalid argument", ring:buf_ring_head(3))
    assert.equal(4, on(ring, op.remove_buffers, 4, 3))
  end)

  -- The page has it the other way round.
  case("EINVAL, when the ring of register_napi polls for completions", function(ring)
    local ok, message, code = ring:register_napi { busy_poll_to = 10 }
    if not ok then
      assert.is_true(code == core.errno.EINVAL or code == core.errno.EOPNOTSUPP)
      return pending("this kernel does not do it for any ring: " .. message)
    end
    assert(ring:unregister_napi())
    local polled <close> = assert(core.ring { iopoll = true })
    fails("EINVAL", "register_napi: Invalid argument", polled:register_napi { busy_poll_to = 10 })
    assert.equal(0, on(polled, op.nop))
  end)
end)
