-- Where io_uring is forbidden, absent or too dear: the message says what is in
-- the way and what to do about it, and there is no traceback.

local core = require "uring.core"
local helper = require "spec.helper"

local script <const> = [[
local core = require "uring.core"
local function show(what, ok, message, code)
  print(what, ok, message, code)
end
show("ring", core.ring())
show("op", core.op.nop())
show("sleep", core.sleep(0))
show("spawn", core.spawn(print))
show("default", core.default())
show("supported", core.op.supported "read")
show("timer", core.timer(1, print))
]]

local calls <const> = { "ring", "op", "sleep", "spawn", "default", "supported", "timer" }

-- Each call fails with the message, which has these parts, and the number.
local function check(output, parts, code)
  local lines = {}
  for line in output:gmatch "[^\n]+" do lines[#lines + 1] = line end
  assert.equal(#calls, #lines, output)
  for i, name in ipairs(calls) do
    local what, result, message, number = lines[i]:match "^(%w+)\t(%w+)\t(.*)\t(%d+)$"
    assert.equal(name, what, lines[i])
    assert.equal("nil", result)
    assert.equal(tostring(code), number)
    assert.matches("^io_uring_setup: ", message)
    for _, part in ipairs(parts) do assert.matches(part, message, 1, true) end
  end
end

local checked <const> = os.getenv "URING_SPEC_RUNNER"
local traced_it <const> = helper.traced_it

-- The output of the script where making a ring fails.
local function inject(how, text)
  return helper.inject("io_uring_setup", how, text or script)
end

describe("without io_uring", function()
  traced_it("forbidden by a filter the message names the filter", function()
    check(inject "error=EPERM", { "seccomp", "container", "allow io_uring_setup", "(EPERM)" }, 1)
  end)

  traced_it("absent from the kernel the message says which kernel to run", function()
    check(inject "error=ENOSYS", { "no io_uring", "Linux 5.11", "(ENOSYS)" }, 38)
  end)

  traced_it("with too little memory the message names the limit", function()
    check(inject "error=ENOMEM", { "locked memory", "ulimit -l", "RLIMIT_MEMLOCK", "(ENOMEM)" }, 12)
  end)

  traced_it("for another reason the message has the system's word", function()
    check(inject "error=EMFILE", { "io_uring_setup: Too many open files" }, 24)
  end)

  traced_it("the next attempt may succeed", function()
    local output = inject("error=EPERM:when=1", [[
      local core = require "uring.core"
      print(core.op.nop() == nil, core.op.nop())
    ]])
    assert.equal("true\t0\n", output)
  end)

  traced_it("a kernel that knows fewer flags gets fewer", function()
    -- A newer liburing tries each set twice: with flags of its own, and without.
    local function refused(sets, twice)
      return inject(("error=EINVAL:when=1..%d"):format(twice and 2 * sets or sets), [[
        local core = require "uring.core"
        local ring = assert(core.ring())
        print(ring.flags & core.IORING_SETUP_DEFER_TASKRUN, core.op.nop())
        print(ring.flags & core.IORING_SETUP_COOP_TASKRUN ~= 0, ring.flags & 0xffef)
      ]])
    end
    local twice = refused(1):find "^8192" ~= nil
    assert.matches("^0\t0\ntrue\t", refused(1, twice))
    assert.equal("0\t0\nfalse\t8\n", refused(2, twice)) -- IORING_SETUP_CQSIZE
    local output = inject("error=EINVAL", [[
      local core = require "uring.core"
      print(core.ring())
    ]])
    assert.equal("nil\tio_uring_setup: Invalid argument\t22\n", output)
  end)

  traced_it("a task can be told", function()
    local output = inject("error=EPERM", [[
      local core = require "uring.core"
      local co = coroutine.wrap(function() return core.op.nop() end)
      print((select(3, co())))
    ]])
    assert.equal("1\n", output)
  end)
end)

-- A script of an ordinary user, who may not be able to read the tree, with a
-- limit of locked memory in bytes.
local as_nobody <const> = "setpriv --reuid 65534 --regid 65534 --clear-groups --inh-caps=-all " ..
  "--bounding-set=-all prlimit --memlock=%d:%d "
local function ordinary(memlock, text)
  local dir <close> = helper.tmpdir()
  local module = assert(package.searchpath("uring.core", package.cpath))
  helper.write_file(dir .. "/core.so", helper.read_file(module))
  helper.write_file(dir .. "/script.lua", ([[
    package.preload["uring.core"] = package.loadlib("%s/core.so", "luaopen_uring_core")
  ]]):format(dir) .. text)
  helper.shell("chmod -R a+rX " .. dir)
  return (helper.shell((as_nobody .. "lua5.4 %s/script.lua"):format(memlock, memlock, dir)))
end

local ordinary_works <const> = helper.shell(as_nobody:format(0, 0) .. "true") == ""

local function ordinary_it(name, f)
  if ordinary_works and not checked then
    it(name, f)
  else
    pending(name .. (checked and " (not under a checker)" or " (setpriv cannot run here)"))
  end
end

describe("an ordinary user with a tiny limit of locked memory", function()
  ordinary_it("is told so", function()
    check(ordinary(0, script), { "the limit of this user is 0 KiB", "ulimit -l", "RLIMIT_MEMLOCK" },
      12)
  end)

  ordinary_it("is told so when a buffer is registered", function()
    local output = ordinary(65536, [[
      local core = require "uring.core"
      local ring = assert(core.ring { entries = 4 })
      print(ring:register_buffers { core.buffer(100000) })
      print(ring:register_buffers { core.buffer(1000) })
      print(ring:setup_buf_ring(4096, 1))
      print(ring:spawn(core.op.nop):join())
    ]])
    local reason <const> = "Cannot allocate memory (the limit of locked memory is 64 KiB: " ..
      "ulimit -l)\t12\n"
    assert.equal("nil\tregister_buffers: " .. reason .. "true\n" ..
      "nil\tsetup_buf_ring: " .. reason .. "0\n", output)
  end)
end)

-- In the order of the page.
describe("an error of io_uring_setup(2):", function()
  local process <const>, fails <const> = helper.process, helper.fails
  local main_it <const> = helper.main_it

  local function invalid(options)
    fails("EINVAL", "io_uring_setup: Invalid argument", core.ring(options))
  end

  pending("EFAULT, when params is at no address (it is a structure of the C half)")

  pending("EINVAL, when resv is not zero (it is, and no option sets it)")

  main_it("EINVAL, when a flag is not supported, or not with the others", function()
    invalid { hybrid_iopoll = true }
    invalid { taskrun_flag = true }
    invalid { defer_taskrun = true }
    invalid { sqpoll = true, coop_taskrun = true }
    invalid { cqe32 = true, cqe_mixed = true }
  end)

  main_it("EINVAL, when entries is out of bounds", function()
    invalid { entries = 32769, clamp = false }
    helper.raises("integer from 1", core.ring, { entries = 0 })
    local ring <close> = assert(core.ring { entries = 32769 }) -- clamped
    assert.equal(32768, ring.sq_entries)
  end)

  main_it("EINVAL, when sq_thread_cpu is given without sqpoll, or is no processor", function()
    invalid { sq_thread_cpu = 0 }
    invalid { sq_thread_cpu = 1 << 20, sqpoll = true }
    local ring <close> = assert(core.ring { sq_thread_cpu = 0, sqpoll = true })
    assert.equal(core.IORING_SETUP_SQ_AFF, ring.flags & core.IORING_SETUP_SQ_AFF)
  end)

  main_it("EINVAL, when cq_entries is less than entries, or too many", function()
    invalid { entries = 8, cq_entries = 4 }
    invalid { entries = 8, cq_entries = 65537, clamp = false }
    helper.raises("integer from 1", core.ring, { cq_entries = 0 })
  end)

  main_it("EINVAL, when registered_fd_only is given without no_mmap", function()
    invalid { registered_fd_only = true }
  end)

  it("EMFILE, when the process has as many descriptors as it may", function()
    helper.prints("nil\tio_uring_setup: Too many open files\t24\n0\n", [[
      local core = require "uring.core"
      local process = require "spec.process"
      local fds, limit = {}, process.limit_files(20)
      while true do
        local fd = core.sock.dup(0)
        if not fd then break end
        fds[#fds + 1] = fd
      end
      print(core.ring())
      for _, fd in ipairs(fds) do fd:close() end
      process.limit_files(limit)
      print(core.op.nop())
    ]])
  end)

  -- The limit is the whole system's, and not for root.
  traced_it("ENFILE, when the system has as many open files as it may", function()
    assert.equal("nil\tio_uring_setup: Too many open files in system\t23\n", inject(
      "error=ENFILE", [[print(require "uring.core".ring())]]))
  end)

  -- ENOMEM: above.

  ordinary_it("EPERM, when an ordinary user asks for sqpoll", function()
    local output = ordinary(1 << 20, [[
      local core = require "uring.core"
      local ring, message, code = core.ring { sqpoll = true, sq_thread_idle = 10, entries = 4 }
      print(ring and ring:spawn(core.op.nop):join() or message, code)
    ]])
    if output == "0\tnil\n" then return pending "this kernel allows it" end
    assert.matches("^io_uring_setup: .* %(EPERM%)\t1\n$", output)
  end)

  -- The switch is the whole system's, too: the call is made to fail, and what
  -- the message looks up is a file of ours in a name space of its own.
  local in_space <const> = "unshare -m sh -c " ..
    "'mount --bind %s /proc/sys/kernel/io_uring_disabled && %s'"
  local file <const> = os.tmpname()
  local can_mount <const> = helper.shell(in_space:format(file, "true")) == ""
  os.remove(file)
  for value, what in pairs {
    [1] = "set it to 0, or run as a member of the group in kernel.io_uring_group (EPERM)",
    [2] = "set it to 0 (EPERM)",
  } do
    local switched_it = can_mount and traced_it
      or function(name) pending(name .. " (unshare cannot run here)") end
    switched_it("EPERM, when kernel.io_uring_disabled is " .. value, function()
      local dir <close> = helper.tmpdir()
      helper.write_file(dir .. "/value", tostring(value))
      helper.write_file(dir .. "/script.lua", [[print(require "uring.core".ring())]])
      local output = helper.shell(in_space:format(dir .. "/value",
        'env -u LD_PRELOAD strace -f -qq -o /dev/null -E LD_PRELOAD="$LD_PRELOAD" ' ..
        "-E ASAN_OPTIONS=detect_leaks=0 -e trace=io_uring_setup " ..
        "-e inject=io_uring_setup:error=EPERM lua5.4 " .. dir .. "/script.lua"))
      assert.equal(("nil\tio_uring_setup: io_uring is switched off by the administrator (sysctl " ..
        "kernel.io_uring_disabled is %d): %s\t1\n"):format(value, what), output)
    end)
  end

  main_it("ENXIO, when the ring of attach_wq has no descriptor", function()
    local text <const> = "io_uring_setup: the ring of attach_wq has no descriptor, or somebody " ..
      "else has closed it (ENXIO)"
    local ring <close> = assert(core.ring { entries = 4 })
    assert.is_true(ring:register_ring_fd())
    assert.is_true(ring:close_ring_fd())
    fails("ENXIO", text, core.ring { attach_wq = ring })
    local other <close> = assert(core.ring { entries = 4 })
    process.close(other:fileno())
    fails("ENXIO", text, core.ring { attach_wq = other })
  end)
end)
