-- Where io_uring is forbidden, absent or too dear: the message says what is in
-- the way and what to do about it, and there is no traceback.

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

describe("an ordinary user with a tiny limit of locked memory", function()
  local limited <const> = "setpriv --reuid 65534 --regid 65534 --clear-groups --inh-caps=-all " ..
    "--bounding-set=-all prlimit --memlock=0:0"
  local works <const> = helper.shell(limited .. " true") == ""

  local function limited_it(name, f)
    if works and not checked then
      it(name, f)
    else
      pending(name .. (checked and " (not under a checker)" or " (setpriv cannot run here)"))
    end
  end

  limited_it("is told so", function()
    local dir <close> = helper.tmpdir() -- others may not be able to read the tree
    local core = assert(package.searchpath("uring.core", package.cpath))
    helper.write_file(dir .. "/core.so", helper.read_file(core))
    helper.write_file(dir .. "/script.lua", ([[
      package.preload["uring.core"] = package.loadlib("%s/core.so", "luaopen_uring_core")
    ]]):format(dir) .. script)
    helper.shell("chmod -R a+rX " .. dir)
    local output = helper.shell(("%s lua5.4 %s/script.lua"):format(limited, dir))
    check(output, { "the limit of this user is 0 KiB", "ulimit -l", "RLIMIT_MEMLOCK" }, 12)
  end)
end)

describe("a process without descriptors", function()
  it("is told so, and gets a ring when it has one again", function()
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
end)
