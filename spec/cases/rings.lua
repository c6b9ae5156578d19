-- Rings, futexes, processes, provided buffers, commands.

local assert = require "luassert"
local core = require "uring.core"
local event = require "spec.event"   -- spec/support/event.c
local helper = require "spec.helper"
local system = require "spec.system" -- spec/support/system.c

local process <const> = helper.process
local INJECT <const> = core.IORING_NOP_INJECT_RESULT

local cases = {}

cases.nop = {
  work = function(t)
    assert.equal(0, (t:call "nop"))
    assert.equal(77, (t:call("nop", INJECT, 77)))
  end,
  fail = function(t)
    t:fails("ENOENT", "nop", INJECT, 0x100000000 - core.errno.ENOENT)
    t:fails("EINVAL", "nop", 1 << 20)
  end,
}

cases.nop128 = { absent = {} }

-- ---- messages ---------------------------------------------------------------

-- Another ring, with a table of 4 slots.
local function other_ring(t, options)
  local ring <const> = t:keep(assert(core.ring(options)))
  assert(ring:register_files_sparse(4))
  return ring
end

local function message(ring)
  local cqe <const> = assert(ring:wait_cqe(5))
  assert.is_true(cqe.message)
  return { cqe.res, cqe.data, cqe.flags }
end

local function slots(ring) return helper.ring_info(ring).UserFiles end

cases.msg_ring = {
  work = function(t)
    local ring <const> = other_ring(t)
    assert.is_true(t:call("msg_ring", ring, 42, -7))
    assert.same({ 42, -7, 0 }, message(ring))
    assert.is_true(t:call("msg_ring", ring, 0xffffffff, 1 << 40))
    assert.same({ -1, 1 << 40, 0 }, message(ring))
    assert.is_true(t:call("msg_ring", ring:fileno()))
    assert.same({ 0, 0, 0 }, message(ring))
  end,
  fail = function(t)
    t:fails("EBADFD", "msg_ring", t:file(), 0, 0)
    t:fails("EBADFD", "msg_ring", other_ring(t, { r_disabled = true }), 0, 0)
    t:fails("EINVAL", "msg_ring", other_ring(t), 0, 0, 1 << 10)
  end,
}

cases.msg_ring_cqe_flags = {
  work = function(t)
    local ring <const> = other_ring(t)
    assert.is_true(t:call("msg_ring_cqe_flags", ring, 3, -9, 0, 0x50000))
    assert.same({ 3, -9, 0x50000 }, message(ring))
  end,
  fail = function(t)
    t:fails("EBADFD", "msg_ring_cqe_flags", t:file(), 0, 0, 0, 1)
    t:fails("EINVAL", "msg_ring_cqe_flags", other_ring(t), 0, 0, 1 << 10, 1)
  end,
}

local SKIP <const> = core.IORING_MSG_RING_CQE_SKIP

cases.msg_ring_fd = {
  work = function(t)
    local ring <const> = other_ring(t)
    t:install(5)
    assert.equal(0, (t:call("msg_ring_fd", ring, 5, 3, -77)))
    assert.same({ 0, -77, 0 }, message(ring))
    assert.same({ [3] = t.path }, slots(ring))
    assert.equal(0, (t:call("msg_ring_fd", ring, t.ring:direct(5), 1, 7, SKIP)))
    assert.is_nil(ring:peek_cqe())
    assert.same({ t.path, [3] = t.path }, slots(ring))
  end,
  fail = function(t)
    t:install(5)
    t:fails("EBADF", "msg_ring_fd", other_ring(t), 4, 0, 0)
    t:fails("EINVAL", "msg_ring_fd", other_ring(t), 5, 4, 0)
    t:fails("EBADFD", "msg_ring_fd", t:file(), 5, 0, 0)
    t:fails("EINVAL", "msg_ring_fd", other_ring(t), 5, 0, 0, 1 << 10)
  end,
}

cases.msg_ring_fd_alloc = {
  work = function(t)
    local ring <const> = other_ring(t)
    t:install(5)
    for slot = 0, 2 do
      assert.equal(slot, (t:call("msg_ring_fd_alloc", ring, 5, -slot)))
      assert.same({ slot, -slot, 0 }, message(ring))
    end
    assert.equal(3, (t:call("msg_ring_fd_alloc", ring, 5, 7, SKIP)))
    assert.is_nil(ring:peek_cqe())
    assert.same({ [0] = t.path, t.path, t.path, t.path }, slots(ring))
    t:fails("ENFILE", "msg_ring_fd_alloc", ring, 5, 0)
  end,
  fail = function(t) t:fails("EBADF", "msg_ring_fd_alloc", other_ring(t), 5, 0) end,
}

-- ---- futexes ----------------------------------------------------------------

local function words(...) return core.buffer(string.pack(("I4"):rep(select("#", ...)), ...)) end

cases.futex_wait = {
  work = function(t)
    local buffer <const> = words(7, 8)
    local waiting <const> = t:start("futex_wait", buffer, 8, 4, nil, nil, 4)
    assert.equal(1, buffer:busy())
    assert.equal(0, (t:call("futex_wake", buffer, 9)))                  -- another word
    assert.equal(0, (t:call("futex_wake", buffer, 9, 3, nil, nil, 4)))  -- other bits
    assert.equal(0, (t:call("futex_wake", buffer, 9, 4, core.FUTEX2_SIZE_U32 or 2, nil, 4)))
    assert.equal(1, (t:call("futex_wake", buffer, 9, 12, nil, nil, 4)))
    assert.is_true(waiting.result())
    assert.equal(0, buffer:busy())
  end,
  fail = function(t)
    t:fails("EAGAIN", "futex_wait", words(7), 8)
    t:fails("EINVAL", "futex_wait", words(7), 7, 0)           -- for no bits
    t:fails("EINVAL", "futex_wait", words(7), 7, nil, 0x40)
    t:fails("EINVAL", "futex_wait", words(7), 7, nil, nil, 1)
  end,
}

cases.futex_wake = {
  work = function(t)
    local buffer <const>, list <const> = words(0, 0), {}
    for i = 1, 3 do list[i] = t:start("futex_wait", buffer, 0, nil, nil, nil, 4) end
    assert.equal(2, (t:call("futex_wake", buffer, 2, nil, nil, nil, 4)))
    assert.equal(1, (t:call("futex_wake", buffer, 2, nil, nil, nil, 4)))
    for i = 1, 3 do assert.is_true(list[i].result()) end
  end,
  fail = function(t)
    t:fails("EINVAL", "futex_wake", words(0), 1, nil, 0x40)
    t:fails("EINVAL", "futex_wake", words(0), 1, 0)
    t:fails("EINVAL", "futex_wake", words(0), 1, nil, nil, 1)
  end,
}

cases.futex_waitv = {
  work = function(t)
    local a <const>, b <const> = words(0), words(1, 2)
    local list <const> = { { a, 0 }, { b, 1 }, { b, 2, at = 4 } }
    for i, place in ipairs { { a, 0 }, { b, 0 }, { b, 4 } } do
      local waiting <const> = t:start("futex_waitv", list)
      assert.equal(1, (t:call("futex_wake", place[1], 9, nil, nil, nil, place[2])))
      assert.equal(i, waiting.result())
    end
    assert.equal(0, a:busy() + b:busy())
  end,
  fail = function(t)
    t:fails("EAGAIN", "futex_waitv", { { words(0), 0 }, { words(1), 0 } })
    t:fails("EINVAL", "futex_waitv", { { words(0), 0, flags = 0x40 } })
    t:fails("EINVAL", "futex_waitv", { { words(0), 0 } }, 1)
  end,
}

-- ---- processes --------------------------------------------------------------

-- A child that exits with that number, or waits for a word.
local function child(t, status)
  local r <const>, w <const> = t:pipe()
  local fd <const> = r:fileno()
  local pid <const> = process.fork()
  if pid == 0 then
    if not status then system.read(fd, 1) end
    process.exit(status or 0)
  end
  return pid, w
end

cases.waitid = {
  work = function(t)
    local pid = child(t, 7)
    assert.equal(7, t:call("waitid", core.P_PID, pid, core.WEXITED | core.WNOWAIT).status)
    local info = t:call("waitid", core.P_ALL, 0, core.WEXITED)
    assert.same({ pid, 7, "exited" }, { info.pid, info.status, info.how })
    pid = child(t)
    assert.is_false(t:call("waitid", core.P_PID, pid, core.WEXITED | core.WNOHANG))
    local waiting = t:start("waitid", core.P_PID, pid, core.WSTOPPED)
    process.kill(pid, core.SIGSTOP)
    info = waiting.result()
    assert.same({ pid, core.SIGSTOP, "stopped" }, { info.pid, info.status, info.how })
    waiting = t:start("waitid", core.P_PID, pid, core.WCONTINUED)
    process.kill(pid, core.SIGCONT)
    assert.equal("continued", waiting.result().how)
    local fd <const> = t:keep(core.fd(event.pidfd(pid)))
    waiting = t:start("waitid", core.P_PIDFD, fd, core.WEXITED)
    process.kill(pid, core.SIGKILL)
    info = waiting.result()
    assert.same({ pid, core.SIGKILL, "killed" }, { info.pid, info.status, info.how })
  end,
  fail = function(t)
    local pid <const> = child(t, 0)
    process.wait(pid)
    t:fails("ECHILD", "waitid", core.P_PID, pid, core.WEXITED)
    t:fails("EINVAL", "waitid", core.P_PID, pid, 0)
    t:fails("EINVAL", "waitid", 99, pid, core.WEXITED)
    t:fails("EINVAL", "waitid", core.P_PID, pid, core.WEXITED, 1)
  end,
}

-- ---- provided buffers -------------------------------------------------------

-- A read into a buffer of the group: its number.
local function take(t, group)
  local r <const>, w <const> = t:pipe()
  system.write(w, "x")
  local token <const> = {}
  t.ring:get_sqe():prep_read(r, nil, 1, -1):set_flags(core.IOSQE_BUFFER_SELECT)
    :set_buf_group(group):set_data(token)
  assert(t.ring:submit())
  local cqe <const> = assert(t.ring:wait_cqe(5))
  assert.equal(token, cqe.data)
  return cqe.res == 1 and cqe.buffer_id or cqe.res
end

cases.provide_buffers = {
  work = function(t)
    local memory <const> = core.buffer(40)
    assert.is_true(t:call("provide_buffers", memory, 10, 3, 5, 100))
    local seen <const> = {}
    for i = 1, 3 do seen[i] = take(t, 5) end
    table.sort(seen)
    assert.same({ 100, 101, 102 }, seen)
    for i = 1, 21, 10 do assert.equal("x\0", memory:string(i, i + 1)) end
    assert.equal("\0", memory:string(31, 31))
    assert.equal(-core.errno.ENOBUFS, take(t, 5))
    assert.is_true(t:call("provide_buffers", memory, 1, 1))
    assert.equal(0, take(t, 0))
  end,
  fail = function(t)
    t:buffers(2, 8) -- this group is a ring
    t:fails("EINVAL", "provide_buffers", core.buffer(10), 10, 1, 1)
  end,
}

cases.remove_buffers = {
  work = function(t)
    assert.is_true(t:call("provide_buffers", core.buffer(40), 10, 4, 5))
    assert.equal(1, (t:call("remove_buffers", 1, 5)))
    assert.equal(3, (t:call("remove_buffers", 9, 5)))
    assert.equal(-core.errno.ENOBUFS, take(t, 5))
  end,
  fail = function(t)
    t:fails("ENOENT", "remove_buffers", 1, 9)
    t:buffers(2, 8)
    t:fails("EINVAL", "remove_buffers", 1, 1)
  end,
}

-- ---- commands of drivers ----------------------------------------------------

-- What f returns for a device whose blocks are those of the case's file, which
-- is a page of "x" many times; or pending.
local function device(t, f)
  t:write(("x"):rep(1 << 20))
  local output <const>, status <const> = helper.shell("losetup --show -f " .. t.path)
  if status ~= 0 then pending("no loop device here: " .. output) end
  local name <const> = output:match "%S+"
  local file <const> = io.open(name, "r+")
  local results <const> = table.pack(pcall(f, file))
  if file then file:close() end
  helper.shell("losetup -d " .. name)
  if not results[1] then error(results[2], 0) end
  return table.unpack(results, 2, results.n)
end

cases.uring_cmd = {
  work = function(t)
    local null <const> = t:keep(assert(io.open("/dev/null", "r+"))) -- takes any command
    assert.equal(0, (t:call("uring_cmd", 1, null, ("x"):rep(16))))
    assert.equal(0, (t:call("uring_cmd", 2, null)))
    -- BLOCK_URING_CMD_DISCARD: the command's first bytes are how many to
    -- discard, from the beginning
    assert.equal(0, (device(t, function(file)
      return t:call("uring_cmd", 0x1200, file, string.pack("I8", 8192))
    end)))
    assert.equal(("\0"):rep(8192) .. "x", t:contents():sub(1, 8192 + 1))
  end,
  fail = function(t)
    t:fails("EOPNOTSUPP", "uring_cmd", 1, t:file(), "x")
    local null <const> = t:keep(assert(io.open("/dev/null", "r+")))
    t:fails("EINVAL", "uring_cmd", 1, null, "x", 1 << 20)
  end,
}

cases.uring_cmd128 = { absent = { 1, 0, "x" } }

cases.cmd_discard = {
  work = function(t)
    assert.is_true((device(t, function(file) return t:call("cmd_discard", file, 4096, 8192) end)))
    assert.equal(("x"):rep(4096) .. ("\0"):rep(8192) .. "x",
      t:contents():sub(1, 4096 + 8192 + 1))
  end,
  fail = function(t) t:fails("EOPNOTSUPP", "cmd_discard", t:file(), 0, 4096) end,
}

return cases
