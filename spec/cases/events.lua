-- Readiness, time, cancellation.

local assert = require "luassert"
local core = require "uring.core"
local event = require "spec.event"   -- spec/support/event.c
local system = require "spec.system" -- spec/support/system.c

local cases = {}

-- How long f takes is between these seconds; the bound above is for a machine
-- that does much else.
local function takes(low, high, f, ...)
  local start <const> = core.now()
  local result, code = f(...)
  local seconds <const> = core.now() - start
  assert(seconds >= low and seconds < high, seconds)
  return result, code
end

-- A pending read that nobody will answer, and what ends it.
local function idle(t)
  local r <const>, w <const> = t:pipe()
  return t:start("read", r, core.buffer(1)), r, w
end

local function cancelled(pending)
  local result <const>, code <const> = pending.result()
  assert.is_nil(result)
  assert.equal(core.errno.ECANCELED, code)
end

-- ---- readiness --------------------------------------------------------------

cases.poll_add = {
  work = function(t)
    local r <const>, w <const> = t:pipe()
    assert.equal(core.POLLOUT, (t:call("poll_add", w, core.POLLOUT | core.POLLIN)))
    local waiting <const> = t:start("poll_add", r, core.POLLIN)
    system.write(w, "x")
    assert.equal(core.POLLIN, (waiting.result()))
    w:close()
    assert.equal(core.POLLHUP, (t:call("poll_add", r, core.POLLPRI)))
    local a <const>, b <const> = t:pair()
    local closing <const> = t:start("poll_add", b, core.POLLRDHUP) -- more than 8 bits
    assert(core.sock.setsockopt(a, nil, "linger", false))
    a:close()
    assert.equal(core.POLLRDHUP, (closing.result()))
  end,
  fail = function(t) t:fails("EBADF", "poll_add", 987654, core.POLLIN) end,
}

cases.poll_multishot = {
  work = function(t)
    local r <const>, w <const> = t:pipe()
    local following, stop = t:many("poll_multishot", r, core.POLLIN)
    for _ = 1, 3 do
      system.write(w, "x")
      assert.equal(core.POLLIN, (following()))
      assert.equal("x", system.read(r, 10))
    end
    stop()
    following, stop = t:many("poll_multishot", w, core.POLLOUT)
    assert.equal(core.POLLOUT, (following()))
    stop()
  end,
  fail = function(t)
    t:refuses("EBADF", "poll_multishot", 987654, core.POLLIN)
  end,
}

cases.poll_remove = {
  work = function(t)
    local r <const> = t:pipe()
    local one <const> = t:start("poll_add", r, core.POLLIN)
    local two <const> = t:start("poll_add", r, core.POLLIN)
    assert.is_true(t:call("poll_remove", two.target))
    cancelled(two)
    assert.is_true(t:call("poll_remove", one.target))
    cancelled(one)
  end,
  fail = function(t)
    t:fails("ENOENT", "poll_remove", "nobody")
    local pending <const>, _ <const>, w <const> = idle(t) -- is no poll
    t:fails("ENOENT", "poll_remove", pending.target)
    w:close()
    assert.equal(0, (pending.result()))
  end,
}

local EVENTS <const>, DATA <const> =
  core.IORING_POLL_UPDATE_EVENTS, core.IORING_POLL_UPDATE_USER_DATA

cases.poll_update = {
  work = function(t)
    local r <const>, w <const> = t:pipe()
    system.write(w, "x")
    local one <const> = t:start("poll_add", r, core.POLLPRI)
    assert.is_true(t:call("poll_update", one.target, nil, core.POLLPRI, EVENTS))
    assert.is_true(t:call("poll_update", one.target, nil, core.POLLIN, EVENTS))
    assert.equal(core.POLLIN, (one.result()))
    local two <const> = t:start("poll_add", r, core.POLLPRI)
    assert.is_true(t:call("poll_update", two.target, 7, core.POLLIN, EVENTS | DATA))
    assert.equal(core.POLLIN, (two.result()))
  end,
  fail = function(t)
    t:fails("ENOENT", "poll_update", "nobody", nil, core.POLLIN, EVENTS)
    t:fails("EINVAL", "poll_update", "nobody", nil, core.POLLIN, 1 << 8)
    t:fails("EINVAL", "poll_update", "nobody", nil, core.POLLIN, core.IORING_POLL_ADD_MULTI)
  end,
}

cases.epoll_ctl = {
  work = function(t)
    local ep <const> = t:keep(core.fd(event.epoll()))
    local r <const>, w <const> = t:pipe()
    local target <const> = t:keep(core.fd(event.eventfd()))
    assert.is_true(t:call("epoll_ctl", ep, r, "add", { events = core.EPOLLIN, data = -5 }))
    assert.is_true(t:call("epoll_ctl", ep, target, core.EPOLL_CTL_ADD, core.EPOLLOUT))
    assert.same({ { core.EPOLLOUT, target:fileno() } }, system.epoll_wait(ep))
    system.write(w, "x")
    assert.equal(2, #system.epoll_wait(ep))
    assert.is_true(t:call("epoll_ctl", ep, target, "del"))
    assert.same({ { core.EPOLLIN, -5 } }, system.epoll_wait(ep))
    assert.is_true(t:call("epoll_ctl", ep, r, "mod", { events = core.EPOLLIN, data = 1 << 40 }))
    assert.same({ { core.EPOLLIN, 1 << 40 } }, system.epoll_wait(ep))
    assert.is_true(t:call("epoll_ctl", ep, r, "mod", core.EPOLLPRI))
    assert.same({}, system.epoll_wait(ep))
  end,
  fail = function(t)
    local ep <const> = t:keep(core.fd(event.epoll()))
    local r <const>, w <const> = t:pipe()
    t:fails("EINVAL", "epoll_ctl", w, r, "add", core.EPOLLIN)
    t:fails("ENOENT", "epoll_ctl", ep, r, "mod", core.EPOLLIN)
    t:fails("EPERM", "epoll_ctl", ep, t:file(), "add", core.EPOLLIN)
  end,
}

cases.epoll_wait = {
  work = function(t)
    local ep <const> = t:keep(core.fd(event.epoll()))
    local r <const>, w <const> = t:pipe()
    system.epoll_ctl(ep, r, core.EPOLLIN, 1 << 40)
    local waiting <const> = t:start("epoll_wait", ep, 8)
    system.write(w, "x")
    assert.same({ { events = core.EPOLLIN, data = 1 << 40 } }, waiting.result())
    system.epoll_ctl(ep, w, core.EPOLLOUT, 2)
    assert.equal(2, #t:call("epoll_wait", ep, 8))
    assert.equal(1, #t:call("epoll_wait", ep, 1))
  end,
  fail = function(t)
    t:fails("EINVAL", "epoll_wait", t:file(), 8)
    t:fails("EINVAL", "epoll_wait", t:keep(core.fd(event.epoll())), 8, 1)
  end,
}

-- ---- time -------------------------------------------------------------------

local ABS <const>, SUCCESS <const> = core.IORING_TIMEOUT_ABS, core.IORING_TIMEOUT_ETIME_SUCCESS
local BOOT <const>, REAL <const> = core.IORING_TIMEOUT_BOOTTIME, core.IORING_TIMEOUT_REALTIME

-- The time of that clock in so many seconds.
local function at(clock, seconds)
  if clock == REAL then return system.clock(core.CLOCK_REALTIME) + seconds end
  return system.clock(clock == BOOT and core.CLOCK_BOOTTIME or core.CLOCK_MONOTONIC) + seconds
end

cases.timeout = {
  work = function(t)
    for _, clock in ipairs { 0, BOOT, REAL } do
      assert.is_true(takes(0.01, 2, t.call, t, "timeout", 0.01, 0, clock))
      assert.is_true(takes(0.01, 2, function()
        return t:call("timeout", at(clock, 0.0101), 0, clock | ABS)
      end))
    end
    local waiting <const> = t:start("timeout", 100, 2)
    assert.equal(0, (t:call "nop"))
    assert.is_false(waiting.done())
    assert.equal(0, (t:call "nop"))
    assert.is_true(takes(0, 2, waiting.result))
    -- one that is a success breaks no chain
    assert.same({ -core.errno.ETIME, 7 }, t:chain({ "timeout", 0.001, 0, SUCCESS },
      { "nop", core.IORING_NOP_INJECT_RESULT, 7 }))
    assert.same({ -core.errno.ETIME, -core.errno.ECANCELED }, t:chain({ "timeout", 0.001 },
      { "nop", core.IORING_NOP_INJECT_RESULT, 7 }))
  end,
  fail = function(t)
    t:fails("EINVAL", "timeout", 0.01, 0, BOOT | REAL)
    t:fails("EINVAL", "timeout", 0.01, 0, 1 << 20)
    t:fails("EINVAL", "timeout", 0.01, 0, core.IORING_TIMEOUT_UPDATE)
  end,
}

cases.timeout_multishot = {
  work = function(t)
    local following, stop
    takes(0.015, 2, function()
      following, stop = t:many("timeout_multishot", 0.005, 3)
      for _ = 1, 3 do assert.is_true(following()) end
    end)
    assert.is_nil(following())
    stop()
    following, stop = t:many("timeout_multishot", 0.002, 0, BOOT)
    for _ = 1, 5 do assert.is_true(following()) end
    stop()
  end,
  fail = function(t)
    t:refuses("EINVAL", "timeout_multishot", 0.005, 3, BOOT | REAL)
  end,
}

cases.timeout_remove = {
  work = function(t)
    local one <const>, two <const> = t:start("timeout", 100), t:start("timeout", 100)
    assert.is_true(t:call("timeout_remove", two.target))
    cancelled(two)
    assert.is_true(t:call("timeout_remove", one.target))
    cancelled(one)
  end,
  fail = function(t)
    t:fails("ENOENT", "timeout_remove", "nobody")
    t:fails("EINVAL", "timeout_remove", "nobody", ABS)
  end,
}

cases.timeout_update = {
  work = function(t)
    for _, clock in ipairs { 0, BOOT, REAL } do -- the clock stays what it was
      local waiting = t:start("timeout", 100, 0, clock)
      assert.is_true(t:call("timeout_update", 0.01, waiting.target))
      assert.is_true(takes(0, 2, waiting.result))
      waiting = t:start("timeout", 100, 0, clock)
      assert.is_true(t:call("timeout_update", at(clock, 0.01), waiting.target, ABS))
      assert.is_true(takes(0, 2, waiting.result))
    end
  end,
  fail = function(t)
    t:fails("ENOENT", "timeout_update", 1, "nobody")
    t:fails("EINVAL", "timeout_update", 1, "nobody", BOOT)
    local one <const> = t:start("timeout", 100) -- has nothing to end
    t:fails("ENOENT", "timeout_update", 1, one.target, core.IORING_LINK_TIMEOUT_UPDATE)
    assert.is_true(t:call("timeout_remove", one.target))
    cancelled(one)
  end,
}

cases.link_timeout = {
  work = function(t)
    local r <const>, w <const> = t:pipe()
    for _, clock in ipairs { 0, BOOT, REAL } do
      for _, abs in ipairs { 0, ABS } do
        assert.same({ -core.errno.ECANCELED, -core.errno.ETIME }, takes(0.01, 2, function()
          local seconds <const> = abs == 0 and 0.01 or at(clock, 0.0101)
          return t:chain({ "read", r, core.buffer(1) },
            { "link_timeout", seconds, clock | abs })
        end))
      end
    end
    system.write(w, "x")
    local results <const> = t:chain({ "read", r, core.buffer(1) }, { "link_timeout", 100 })
    assert.equal(1, results[1])
    assert.truthy(results[2] == -core.errno.ECANCELED or results[2] == false)
  end,
  fail = function(t)
    t:fails("EINVAL", "link_timeout", 1) -- of nothing
    local results <const> = t:chain({ "read", t:file(), core.buffer(1) },
      { "link_timeout", 1, BOOT | REAL })
    assert.equal(-core.errno.EINVAL, results[2])
  end,
}

-- ---- cancellation -----------------------------------------------------------

local ALL <const>, ANY <const> = core.IORING_ASYNC_CANCEL_ALL, core.IORING_ASYNC_CANCEL_ANY
local OP <const>, USERDATA <const> =
  core.IORING_ASYNC_CANCEL_OP, core.IORING_ASYNC_CANCEL_USERDATA

local function cancels(name)
  return {
    work = function(t)
      local one <const>, two <const> = idle(t), idle(t)
      assert.equal(0, (t:call(name, two.target)))
      cancelled(two)
      local three <const> = t:start("poll_add", t:pipe(), core.POLLIN)
      -- of that kind, and that one
      t:fails("ENOENT", name, one.target, OP | USERDATA, core.IORING_OP_POLL_ADD)
      assert.equal(0, (t:call(name, three.target, OP | USERDATA, core.IORING_OP_POLL_ADD)))
      cancelled(three)
      local four <const> = t:start("poll_add", t:pipe(), core.POLLIN)
      assert.equal(1, (t:call(name, nil, OP | ALL, core.IORING_OP_POLL_ADD)))
      cancelled(four)
      local five <const> = idle(t)
      assert.equal(2, (t:call(name, nil, ANY | ALL)))
      cancelled(one)
      cancelled(five)
      local six <const> = idle(t)
      assert.equal(1, (t:call(name, nil, ANY))) -- counts
      cancelled(six)
      local seven <const> = idle(t)
      assert.equal(1, (t:call(name, seven.target, ALL)))
      cancelled(seven)
    end,
    fail = function(t)
      t:fails("ENOENT", name, "nobody")
      assert.equal(0, (t:call(name, "nobody", ALL)))
      t:fails("ENOENT", name, nil, OP, core.IORING_OP_READ)
      t:fails("EINVAL", name, "nobody", 1 << 20)
      t:fails("EINVAL", name, "nobody", ANY | core.IORING_ASYNC_CANCEL_FD)
    end,
  }
end

cases.cancel = cancels "cancel"
cases.cancel64 = cancels "cancel64"

cases.cancel_fd = {
  work = function(t)
    local other <const>, _ <const>, w <const> = idle(t)
    local one <const>, r <const> = idle(t)
    assert.equal(0, (t:call("cancel_fd", r)))
    cancelled(one)
    local list <const> = {}
    for i = 1, 3 do list[i] = t:start("poll_add", r, core.POLLIN) end
    assert.equal(3, (t:call("cancel_fd", r, ALL)))
    for i = 1, 3 do cancelled(list[i]) end
    t:install(3, r)
    local direct <const> = t.ring:direct(3)
    local slot <const> = t:start("read", direct, core.buffer(1))
    t:fails("ENOENT", "cancel_fd", 3)
    assert.equal(0, (t:call("cancel_fd", direct)))
    cancelled(slot)
    w:close()
    assert.equal(0, (other.result()))
  end,
  fail = function(t)
    t:fails("ENOENT", "cancel_fd", (t:pipe()))
    t:fails("EBADF", "cancel_fd", 987654)
    t:fails("EINVAL", "cancel_fd", t:pipe(), ANY)
  end,
}

return cases
