-- What oom.c runs: messages with descriptors, chains, tables of descriptors
-- and buffers.

local core = require "uring.core"
local op, sock = core.op, core.sock

assert(core.default())
op.nop()

arm(true)

do -- descriptors in control messages
  local a, b = assert(sock.socketpair(core.AF_UNIX, core.SOCK_DGRAM))
  local r, w = assert(op.pipe())
  local control = { { type = "rights", fds = { r, w } }, { type = "credentials" } }
  for _ = 1, 3 do
    assert(op.sendmsg(a, { iov = { "one", core.buffer "two" }, control = control }))
  end
  local data, message = op.recvmsg(b, { iov = 10, control = 200 })
  assert(data == "onetwo", message)
  assert(#message.control[1].fds == 2)
  message.control[1].fds[1]:close() -- the other one is the collector's
  local it <close> = op.recvmsg_multishot(b, { control = 200 })
  data, message = it()
  assert(data == "onetwo", message)
  for _, fd in ipairs { a, b, r, w } do fd:close() end
end

do -- the same in the raw layer
  local ring <close> = assert(core.ring { entries = 8 })
  local a, b = assert(sock.socketpair(core.AF_UNIX, core.SOCK_DGRAM))
  local r, w = assert(op.pipe())
  local message = { iov = "x", control = { { type = "rights", fds = { r, w } } } }
  for i = 1, 4 do
    ring:get_sqe():prep_sendmsg(a, message):set_data(i)
    ring:submit()
    local cqe = assert(ring:wait_cqe())
    assert(cqe.data == i)
  end
  ring:get_sqe():prep_recvmsg(b, { iov = 10, control = 100 })
  ring:submit()
  local single = assert(ring:wait_cqe())
  assert(single.value.data == "x" and #single.value.control[1].fds == 2)
  local br = assert(ring:setup_buf_ring(4, 1, 0, 256))
  ring:get_sqe():prep_recvmsg_multishot(b, { control = 100 }, 0, br):set_data "more"
  ring:submit()
  local next, state = ring:cqes()
  local data, res, flags, value = next(state)
  assert(data == "more" and res > 0 and flags & core.IORING_CQE_F_MORE ~= 0)
  assert(value.data == "x" and #value.control[1].fds == 2)
  for _, cqe in ipairs(assert(ring:wait_cqes(2))) do
    assert(cqe.value.data == "x" and #cqe.value.control[1].fds == 2)
    br:recycle(cqe)
  end
  for _, fd in ipairs { a, b, r, w } do fd:close() end
end

do -- results that own something, in the raw layer
  local ring <close> = assert(core.ring { entries = 8 })
  ring:get_sqe():prep_pipe(0)
  ring:get_sqe():prep_statx(nil, "/etc/passwd")
  ring:submit()
  for _, cqe in ipairs(assert(ring:wait_cqes(2))) do
    if cqe.value[1] then
      arm(false) -- numbers have no owner: that is the script's part
      core.fd(cqe.value[1]):close()
      core.fd(cqe.value[2]):close()
      arm(true)
    end
  end
  local r, w = assert(sock.pipe())
  ring:register_sync_msg(1, 2)
  assert(ring:wait_cqe().data == 2)
  r:close()
  w:close()
end

do -- chains
  local r, w = assert(op.pipe())
  local results, bad = op.link(function(c)
    for i = 1, 10 do c:write(w, ("%d"):format(i)) end
    c:with { async = true }:read(r, 100)
  end)
  assert(not bad)
  assert(results[11] == "12345678910")
  results, bad = op.hardlink(function(c)
    c:open("/dev/null")
    c:open("/nonexistent")
    c:pipe()
  end)
  assert(bad == 2 and #results[3] == 2)
  assert(op.with { async = true }.write(w, "x") == 1)
  r:close()
  w:close()
end

do -- direct descriptors, tables
  local ring <close> = assert(core.ring { entries = 8 })
  assert(ring:register_files_sparse(8))
  local buffers = { core.buffer(100), core.buffer(200) }
  assert(ring:register_buffers(buffers))
  local task = ring:spawn(function()
    local null = assert(op.open("/dev/null", core.O_RDWR))
    local direct = assert(op.open_direct("/dev/zero"))
    assert(op.read(direct, 10) == ("\0"):rep(10))
    local list = assert(op.files_update({ null, null, null }))
    assert(#list == 3)
    for _, fd in ipairs(list) do assert(op.write(fd, "x") == 1) end
    local r, w = assert(op.pipe_direct())
    assert(op.write(w, "x") and op.read(r, 1) == "x")
    local plain = assert(direct:install())
    assert(op.read_fixed(plain, buffers[2], nil, 0, 1) == 200)
    assert(list[1]:close() and plain:close())
    assert(ring:register_files_update(7, { null }) == 1)
    null:close()
    return op.link(function(c)
      c:open_direct("/dev/zero", 0, 0, 6)
      c:with { fixed_file = true }:read(6, 10)
      c:close_direct(6)
    end)
  end)
  local results, bad = task:join()
  assert(not bad and #results[2] == 10)
  assert(ring:unregister_files() and ring:unregister_buffers())
  local null = assert(op.open("/dev/null"))
  assert(ring:register_files { null, false, null })
  local one = ring:direct(0)
  assert(one:close())
  null:close()
  assert(ring:register_probe())
  local other <close> = assert(core.ring { entries = 4 })
  assert(other:register_buffers_sparse(4))
end

do -- tables with tags, and of another ring; messages
  local ring <close> = assert(core.ring { entries = 8 })
  local other <close> = assert(core.ring { entries = 8 })
  local a, b = core.buffer(100), core.buffer(200)
  assert(ring:register_buffers_tags({ a, b }, { 1, 2 }))
  assert(other:clone_buffers(ring))
  assert(ring:register_buffers_update_tag(0, { b }, { 3 }) == 1)
  local r, w = assert(op.pipe())
  assert(ring:register_files_tags({ r, w }, { 4, 5 }))
  assert(ring:register_files_update_tag(0, { w }, { 6 }) == 1)
  local waiting = {}
  for i = 1, 3 do waiting[i] = ring:spawn(function() return (ring:receive(5)) end) end
  ring:step(0)
  assert(ring:register_sync_msg(0, 7))
  assert(other:spawn(op.msg_ring, ring, 0, 8):join())
  -- what was registered first is free, and says so
  for i = 1, 3 do assert(waiting[i]:join()) end
  while ring:receive(0) do end
  assert(a:busy() == 1 and b:busy() == 3)
  assert(ring:unregister_buffers() and ring:unregister_files())
  r:close()
  w:close()
end

do -- a close that has to wait
  local ring <close> = assert(core.ring { entries = 8 })
  local r, w = assert(op.pipe())
  local number = r:fileno()
  ring:get_sqe():prep_read(r, core.buffer(1)):set_flags(core.IOSQE_ASYNC)
  ring:get_sqe():prep_close(r)
  ring:submit()
  assert(ring:wait_cqe())
  assert(op.write(w, "x"))
  assert(ring:wait_cqe())
  assert(select(3, op.write(number, "x")) == core.errno.EBADF)
  w:close()
end

do -- coroutines inside a task
  local task = core.spawn(function()
    local coroutine = core.coroutine
    local generator = coroutine.wrap(function()
      for i = 1, 3 do
        core.sleep(0)
        require "coroutine".yield(i)
      end
    end)
    return generator() + generator() + generator()
  end)
  assert(task:join() == 6)
end
arm(false)
