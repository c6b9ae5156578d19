local core = require "uring.core"
local helper = require "spec.helper"
local event = require "spec.event" -- spec/support/event.c

local op <const>, fails <const>, raises <const> = core.op, helper.fails, helper.raises
local it <const>, needs <const>, start <const> = helper.it, helper.needs, helper.start

local function pipe()
  local r, w = op.pipe()
  return r, w, helper.closing(r, w)
end

describe("epoll", function()
  needs "epoll_wait"("tells what is ready", function()
    local ep <close> = core.fd(event.epoll())
    local r, w, _ <close> = pipe()
    assert.is_true(op.epoll_ctl(ep, r, "add", { events = core.EPOLLIN, data = -5 }))
    assert.is_true(op.epoll_ctl(ep, w, core.EPOLL_CTL_ADD, core.EPOLLOUT))
    assert.same({ { events = core.EPOLLOUT, data = w:fileno() } }, op.epoll_wait(ep, 8))
    assert.is_true(op.epoll_ctl(ep, w, "del"))
    local task = start(op.epoll_wait, ep, 8)
    op.write(w, "x")
    assert.same({ { events = core.EPOLLIN, data = -5 } }, task:join())
    fails("EEXIST", ("epoll_ctl fd %d: File exists"):format(ep:fileno()),
      op.epoll_ctl(ep, r, "add", core.EPOLLIN))
  end)

  it("is a descriptor of its own kind", function()
    local r, w, _ <close> = pipe()
    fails("EINVAL", ("epoll_ctl fd %d: Invalid argument"):format(r:fileno()),
      op.epoll_ctl(r, w, "add", core.EPOLLIN))
    local _, _, code = op.epoll_wait(r, 1)
    assert.equal(core.errno.EINVAL, code)
    raises("invalid option 'new'", op.epoll_ctl, r, w, "new", 0)
    raises("unknown field 'x'", op.epoll_ctl, r, w, "add", { x = 1 })
    raises("out of range", op.epoll_wait, r, 0)
  end)
end)

describe("poll_update", function()
  it("changes what is waited for", function()
    local r, w, _ <close> = pipe()
    local task = start(op.poll_add, r, core.POLLPRI)
    op.write(w, "x")
    assert.is_true(op.poll_update(task, nil, core.POLLIN, core.IORING_POLL_UPDATE_EVENTS))
    assert.equal(core.POLLIN, task:join())
    fails("ENOENT", "poll_update: No such file or directory",
      op.poll_update(task, nil, core.POLLIN, core.IORING_POLL_UPDATE_EVENTS))
  end)

  helper.main_it("changes its data", function()
    local r, w, _ <close> = pipe()
    local ring <close> = assert(core.ring())
    ring:get_sqe():prep_poll_add(r, core.POLLIN):set_data64(1)
    ring:submit()
    ring:get_sqe():prep_poll_update(1, 2, 0, core.IORING_POLL_UPDATE_USER_DATA):set_data "update"
    ring:submit()
    local cqe = assert(ring:wait_cqe(5))
    assert.same({ "update", 0 }, { cqe.data, cqe.res })
    op.write(w, "x")
    cqe = assert(ring:wait_cqe(5))
    assert.same({ 2, core.POLLIN }, { cqe.data, cqe.res })
  end)

  helper.main_it("leaves the data when it fails", function()
    local ring <close> = assert(core.ring())
    ring:get_sqe():prep_timeout(1000):set_data64(1)
    ring:submit()
    ring:get_sqe():prep_poll_update(1, 2, core.POLLIN,
      core.IORING_POLL_UPDATE_EVENTS | core.IORING_POLL_UPDATE_USER_DATA)
    ring:submit()
    assert.equal(-core.errno.ENOENT, ring:wait_cqe(5).res)
    assert.truthy(ring:register_sync_cancel { target = 1 })
    local cqe = assert(ring:wait_cqe(5))
    assert.same({ 1, -core.errno.ECANCELED }, { cqe.data, cqe.res })
  end)
end)

describe("timeout", function()
  it("counts completions", function()
    local task = start(op.timeout, 10, 2)
    op.nop()
    op.nop()
    assert.is_true(task:join())
  end)

  it("has clocks, and absolute times", function()
    for _, flags in ipairs { core.IORING_TIMEOUT_BOOTTIME, core.IORING_TIMEOUT_REALTIME, 0,
      core.IORING_TIMEOUT_ETIME_SUCCESS } do
      local before = core.now()
      assert.is_true(op.timeout(0.01, 0, flags))
      assert.truthy(core.now() - before >= 0.01)
    end
    local before = core.now()
    assert.is_true(op.timeout(before + 0.01, 0, core.IORING_TIMEOUT_ABS))
    assert.truthy(core.now() >= before + 0.01)
    assert.is_true(op.timeout(os.time() + 0.0, 0,
      core.IORING_TIMEOUT_ABS | core.IORING_TIMEOUT_REALTIME))
    fails("EINVAL", "timeout: Invalid argument", op.timeout(1, 0,
      core.IORING_TIMEOUT_BOOTTIME | core.IORING_TIMEOUT_REALTIME))
  end)

  it("is updated", function()
    local before = core.now()
    local task = start(op.timeout, 10)
    assert.is_true(op.timeout_update(0.02, task))
    assert.is_true(task:join())
    assert.truthy(core.now() - before < 5)
    fails("ENOENT", "timeout_update: No such file or directory", op.timeout_update(1, task))
  end)

  it("is removed", function()
    local task = start(op.timeout, 10)
    assert.is_true(op.timeout_remove(task))
    fails("ECANCELED", "timeout: Operation canceled", task:join())
    fails("ENOENT", "timeout_remove: No such file or directory", op.timeout_remove(task))
  end)

  it("with IORING_TIMEOUT_IMMEDIATE_ARG takes as long, or needs a newer kernel", function()
    local began <const> = core.now()
    local ok, message, code = op.timeout(0.02, 0, core.IORING_TIMEOUT_IMMEDIATE_ARG)
    if ok then
      assert.is_true(core.now() - began >= 0.02)
    else
      fails("EINVAL", "timeout: Invalid argument", ok, message, code)
    end
  end)
end)

describe("link_timeout", function()
  -- Completions by their data, of a read that nobody answers and its timeout.
  local function linked(f, written)
    local r, w, _ <close> = pipe()
    local ring <close> = assert(core.ring())
    if written then op.write(w, "x") end
    local read = ring:get_sqe():prep_read(r, core.buffer(1), 1, -1):set_flags(core.IOSQE_IO_LINK)
    read:set_data "read"
    ring:get_sqe():prep_link_timeout(f and 10 or 0.02):set_data "timeout"
    ring:submit()
    if f then f(ring) end
    local results = {}
    while not (results.read and results.timeout) do
      local cqe = assert(ring:wait_cqe(5))
      results[cqe.data] = cqe.res
    end
    assert.equal(f and 0 or nil, results.update)
    results.update = nil
    return results
  end

  helper.main_it("ends what it is linked to", function()
    assert.same({ read = -core.errno.ECANCELED, timeout = -core.errno.ETIME }, linked())
  end)

  helper.main_it("is cancelled when that was faster", function()
    assert.same({ read = 1, timeout = -core.errno.ECANCELED }, linked(nil, true))
  end)

  helper.main_it("is updated", function()
    assert.same({ read = -core.errno.ECANCELED, timeout = -core.errno.ETIME },
      linked(function(ring)
        ring:get_sqe():prep_timeout_update(0.01, "timeout",
          core.IORING_LINK_TIMEOUT_UPDATE):set_data "update"
        ring:submit()
      end))
  end)

  it("alone is an error", function()
    fails("EINVAL", "link_timeout: Invalid argument", op.link_timeout(1))
  end)
end)

describe("an sqe", function()
  helper.main_it("has flags that order operations", function()
    local ring <close> = assert(core.ring())
    local r, w, _ <close> = pipe()
    local buffer = core.buffer(4)
    ring:get_sqe():prep_write(w, "data", nil, -1):set_flags(core.IOSQE_IO_LINK):set_data(1)
    ring:get_sqe():prep_read(r, buffer, 4, -1):set_flags(core.IOSQE_IO_HARDLINK):set_data(2)
    ring:get_sqe():prep_nop():set_flags(core.IOSQE_ASYNC):set_data(3)
    ring:get_sqe():prep_nop():set_flags(core.IOSQE_IO_DRAIN):set_data(4)
    ring:submit_and_wait(4)
    local order = {}
    for data in ring:cqes() do order[#order + 1] = data end
    assert.same({ 1, 2, 3, 4 }, order)
    assert.equal("data", buffer:string())
  end)

  helper.main_it("that closes a descriptor ends its object", function()
    local ring <close> = assert(core.ring())
    local fd = assert(op.open("/dev/null", core.O_RDONLY))
    local number = fd:fileno()
    ring:get_sqe():prep_close(fd)
    assert.is_false(fd:isopen())
    raises("being closed", function() ring:get_sqe():prep_read(fd, core.buffer(1)) end)
    assert.equal(2, ring:submit()) -- the other one is a NOP
    for _ = 1, 2 do assert.equal(0, ring:wait_cqe(5).res) end
    assert.is_nil(helper.process.descriptors()[number])
    local other <close> = assert(op.open("/dev/null", core.O_RDONLY))
    assert.equal(number, other:fileno())
    assert.is_true(fd:close()) -- and not the new owner of the number
    assert.is_truthy(helper.process.descriptors()[number])
  end)

  helper.main_it("that was to close a descriptor, and was not submitted, closes it", function()
    local fd = assert(op.open("/dev/null", core.O_RDONLY))
    local number = fd:fileno()
    do
      local ring <close> = assert(core.ring())
      ring:get_sqe():prep_close(fd)
    end
    assert.is_nil(helper.process.descriptors()[number])
    assert.is_false(fd:isopen())
  end)

  helper.main_it("of a broken link is cancelled", function()
    local ring <close> = assert(core.ring())
    ring:get_sqe():prep_read(999, core.buffer(1)):set_flags(core.IOSQE_IO_LINK):set_data(1)
    ring:get_sqe():prep_nop():set_data(2)
    ring:submit_and_wait(2)
    local results = {}
    for data, res in ring:cqes() do results[data] = res end
    assert.same({ -core.errno.EBADF, -core.errno.ECANCELED }, results)
  end)
end)
