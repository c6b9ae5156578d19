local core = require "uring.core"
local helper = require "spec.helper"
local event = require "spec.event" -- spec/support/event.c

local op <const>, fails <const>, raises <const> = core.op, helper.fails, helper.raises
local needs <const>, process <const> = helper.needs, helper.process

-- A child that runs f and exits with its result.
local function child(f)
  local pid = process.fork()
  if pid == 0 then process.exit(f() or 0) end
  return pid
end

describe("waitid", function()
  needs "waitid"("tells how a child has ended", function()
    local pid = child(function() return 7 end)
    local info = assert(op.waitid(core.P_PID, pid, core.WEXITED))
    assert.equal(pid, info.pid)
    assert.equal(7, info.status)
    assert.equal("exited", info.how)
    assert.equal(core.CLD_EXITED, info.code)
    assert.equal(core.SIGCHLD, info.signo)
    fails("ECHILD", "waitid: No child processes", op.waitid(core.P_PID, pid, core.WEXITED))
  end)

  needs "waitid"("waits for it", function()
    local r, w = op.pipe()
    local _ <close> = helper.closing(r, w)
    local number = r:fileno()
    local pid = child(function() -- waits for the word
      io.open("/proc/self/fd/" .. number):read(1)
    end)
    local task = core.spawn(op.waitid, core.P_PID, pid, core.WEXITED)
    core.yield()
    core.yield()
    assert.equal("waiting", task:status())
    assert.is_false(op.waitid(core.P_PID, pid, core.WEXITED | core.WNOHANG))
    process.kill(pid, core.SIGKILL)
    local info = assert(task:join())
    assert.equal("killed", info.how)
    assert.equal(core.SIGKILL, info.status)
  end)

  needs "waitid"("waits for a descriptor of a process", function()
    local pid = child(function() return 3 end)
    local fd <close> = core.fd(event.pidfd(pid))
    assert.equal(3, assert(op.waitid(core.P_PIDFD, fd, core.WEXITED)).status)
    local _, message, code = op.waitid(core.P_PIDFD, fd, core.WEXITED)
    assert.equal(core.errno.ECHILD, code)
    assert.equal(("waitid fd %d: No child processes"):format(fd:fileno()), message)
  end)

  needs "waitid"("leaves it with WNOWAIT", function()
    local pid = child(function() return 1 end)
    assert.equal(pid, op.waitid(core.P_PID, pid, core.WEXITED | core.WNOWAIT).pid)
    assert.equal(pid, op.waitid(core.P_ALL, 0, core.WEXITED).pid)
  end)

  needs "waitid"("can be cancelled", function()
    local r, w = op.pipe()
    local _ <close> = helper.closing(r, w)
    local number = r:fileno()
    local pid = child(function() io.open("/proc/self/fd/" .. number):read(1) end)
    local task = core.spawn(op.waitid, core.P_PID, pid, core.WEXITED)
    core.yield()
    core.yield()
    assert.truthy(op.cancel(task))
    fails("ECANCELED", "waitid: Operation canceled", task:join())
    process.kill(pid, core.SIGKILL)
    assert.equal("killed", op.waitid(core.P_PID, pid, core.WEXITED).how)
  end)

  needs "waitid"("fails without options that make sense", function()
    fails("EINVAL", "waitid: Invalid argument", op.waitid(core.P_PID, 1, 0))
    fails("EINVAL", "waitid: Invalid argument", op.waitid(99, 1, core.WEXITED))
    raises("descriptor expected", op.waitid, core.P_PIDFD, "x", core.WEXITED)
  end)
end)
