-- The raw layer: submission entries, and the completions that come back.

local core = require "uring.core"
local helper = require "spec.helper"

local errno <const> = core.errno
local raises <const>, main_it <const> = helper.raises, helper.main_it

helper.each_config(function(make)
  -- A case with a ring, on which nothing may be left.
  local function ring_it(name, f)
    main_it(name, function()
      local ring <close> = make()
      f(ring)
      assert(helper.idle(ring))
    end)
  end

  ring_it("an entry that is never prepared completes as a NOP", function(ring)
    ring:get_sqe():set_data "nothing"
    assert.equal("uring.sqe (nop)", tostring(assert(ring:get_sqe())))
    assert.equal(2, ring:submit())
    local cqe = assert(ring:wait_cqe(5))
    assert.equal(0, cqe.res)
    assert.equal("nothing", cqe.data)
    assert.equal(0, ring:wait_cqe(5).res)
  end)

  ring_it("an entry may be prepared twice, and the second one counts", function(ring)
    local dir <close> = helper.tmpdir()
    local path <const> = dir .. "/file"
    local sqe = ring:get_sqe()
    sqe:prep_openat(nil, path, core.O_CREAT | core.O_WRONLY, 384)
    sqe:set_flags(core.IOSQE_ASYNC):set_data(1)
    sqe:prep_statx(nil, dir .. "", 0, "type")
    sqe:set_data(2)
    assert.equal("uring.sqe (statx)", tostring(sqe))
    ring:submit()
    local cqe = assert(ring:wait_cqe(5))
    assert.equal(0, cqe.res)
    assert.equal(2, cqe.data)
    assert.equal("directory", cqe.value.type)
    assert.is_nil(io.open(path))
  end)

  ring_it("data is any value and comes back itself", function(ring)
    local values <const> = { {}, "text", 0, -1, 1.5, false, true, print, core.buffer(1),
      coroutine.create(print), math.mininteger }
    for _, value in ipairs(values) do
      assert(ring:get_sqe()):prep_nop():set_data(value)
      ring:submit()
      local cqe = assert(ring:wait_cqe(5))
      assert.equal(value, cqe.data)
      assert.equal(0, cqe.user_data)
    end
  end)

  ring_it("data64 is an integer of its own", function(ring)
    for _, n in ipairs { 0, 1, -1, math.maxinteger, math.mininteger } do
      assert(ring:get_sqe()):prep_nop():set_data64(n)
      ring:submit()
      local cqe = assert(ring:wait_cqe(5))
      assert.equal(n, cqe.user_data)
      assert.equal(n, cqe.data) -- where there is no other
    end
    ring:get_sqe():prep_nop():set_data64(7):set_data "both"
    ring:submit()
    local cqe = assert(ring:wait_cqe(5))
    assert.equal(7, cqe.user_data)
    assert.equal("both", cqe.data)
  end)

  ring_it("data is not there for the next that uses the slot", function(ring)
    ring:get_sqe():prep_nop():set_data "old"
    ring:submit()
    assert.equal("old", ring:wait_cqe(5).data)
    ring:get_sqe():prep_nop()
    ring:submit()
    assert.equal(0, ring:wait_cqe(5).data)
    ring:spawn(function() ring:get_sqe():prep_nop():set_data("awaited"):await() end)
    while #ring:tasks() > 0 do ring:step(1) end
    ring:get_sqe():prep_nop()
    ring:submit()
    assert.equal(0, ring:wait_cqe(5).data)
    ring:get_sqe():prep_nop():set_data("gone"):set_data(nil)
    ring:submit()
    assert.equal(0, ring:wait_cqe(5).data)
  end)

  ring_it("data keeps its value alive, and no longer than that", function(ring)
    local weak = setmetatable({}, { __mode = "v" })
    weak[1] = {}
    ring:get_sqe():prep_nop():set_data(weak[1])
    collectgarbage()
    assert.not_nil(weak[1])
    ring:submit()
    for data in ring:cqes() do assert.equal(weak[1], data) end
    while ring:cq_ready() > 0 or weak[1] and ring:stats().slots > 0 do
      assert.equal(weak[1], ring:wait_cqe(5).data)
    end
    collectgarbage()
    assert.is_nil(weak[1])
  end)

  ring_it("nothing can be changed after submission", function(ring)
    local sqe = ring:get_sqe():prep_nop()
    ring:submit()
    for name, value in pairs { prep_nop = 0, set_data = 1, set_data64 = 1, set_flags = 0,
      set_ioprio = 0, set_personality = 0, await = 0 } do
      raises("sqe was submitted already", sqe[name], sqe, value)
    end
    assert(ring:wait_cqe(5))
    raises("sqe was submitted already", sqe.prep_nop, sqe)
    assert.equal("uring.sqe (ended)", tostring(sqe))
    assert(ring:get_sqe()) -- the slot has another owner
    raises("sqe was submitted already", sqe.set_data, sqe, 1)
    ring:submit()
    assert.equal(0, ring:wait_cqe(5).data)
  end)

  ring_it("linked entries are carried out in order", function(ring)
    local r, w = core.sock.pipe()
    local _ <close> = helper.closing(r, w)
    local buffer = core.buffer(8)
    ring:get_sqe():prep_write(w, "hello"):set_flags(core.IOSQE_IO_LINK):set_data "write"
    ring:get_sqe():prep_read(r, buffer):set_data "read"
    ring:submit()
    assert.equal("write", ring:wait_cqe(5).data)
    local cqe = assert(ring:wait_cqe(5))
    assert.equal("read", cqe.data)
    assert.equal("hello", buffer:string(1, cqe.res))
  end)

  ring_it("of a chain that breaks the rest is cancelled", function(ring)
    ring:get_sqe():prep_openat(nil, "/does/not/exist"):set_flags(core.IOSQE_IO_LINK)
    ring:get_sqe():prep_nop()
    ring:submit()
    local cqes = assert(ring:wait_cqes(2, 5))
    assert.equal(-errno.ENOENT, cqes[1].res)
    assert.equal(-errno.ECANCELED, cqes[2].res)
  end)

  ring_it("a string is kept until it is written", function(ring)
    local r, w = core.sock.pipe()
    local _ <close> = helper.closing(r, w)
    for i = 1, 20 do
      ring:get_sqe():prep_write(w, ("%d"):rep(50):format(
        table.unpack(setmetatable({}, { __index = function() return i end }), 1, 50)))
      collectgarbage()
      ring:submit()
      local n = assert(ring:wait_cqe(5)).res
      assert.equal(tostring(i):rep(50), core.op.read(r, n))
    end
  end)

  ring_it("accept tells the peer's address, statx a table", function(ring)
    local listener, address = helper.listener()
    ring:get_sqe():prep_accept(listener, core.SOCK_CLOEXEC)
    ring:submit()
    local client = core.op.socket(core.AF_INET, core.SOCK_STREAM)
    assert(core.op.connect(client, address))
    local cqe = assert(ring:wait_cqe(5))
    assert(cqe.res >= 0)
    local conn = core.fd(cqe.res)
    assert.same(core.sock.getsockname(client), cqe.value)
    local _ <close> = helper.closing(listener, client, conn)
    ring:get_sqe():prep_statx(nil, "/dev/null", 0, { "type" })
    ring:submit()
    assert.equal("char", ring:wait_cqe(5).value.type)
  end)

  ring_it("awaiting gives the kernel's numbers", function(ring)
    local results, listener, address = {}, helper.listener()
    local opened
    ring:spawn(function()
      local sqe = assert(ring:get_sqe()):prep_nop()
      results[1] = { sqe:await() }
      results[2] = { assert(ring:get_sqe()):prep_openat(nil, "/does/not/exist"):await() }
      opened = assert(ring:get_sqe()):prep_accept(listener, core.SOCK_CLOEXEC):await()
    end)
    local client = core.op.socket(core.AF_INET, core.SOCK_STREAM)
    assert(core.op.connect(client, address))
    while #ring:tasks() > 0 do ring:step(5) end
    local _ <close> = helper.closing(listener, client, core.fd(opened))
    assert.same({ 0, 0 }, { results[1][1], results[1][2] & core.IORING_CQE_F_MORE })
    assert.equal(-errno.ENOENT, results[2][1])
  end)

  ring_it("an entry has one that awaits it", function(ring)
    local r, w = core.sock.pipe()
    local _ <close> = helper.closing(r, w)
    local buffer, sqe = core.buffer(4), nil
    local first = ring:spawn(function()
      sqe = ring:get_sqe():prep_read(r, buffer)
      return sqe:await()
    end)
    local messages = {}
    ring:spawn(function()
      for _, name in ipairs { "await", "prep_nop", "set_data" } do
        messages[#messages + 1] = select(2, pcall(sqe[name], sqe, 1))
      end
      core.op.write(w, "abcd")
    end)
    while #ring:tasks() > 0 do ring:step(5) end
    for _, message in ipairs(messages) do assert.matches("sqe is awaited already", message) end
    assert.equal(3, #messages)
    assert.equal(4, (first:join()))
  end)

  ring_it("an interrupted await that succeeds delivers its number", function(ring)
    local listener, address = helper.listener()
    local client = core.op.socket(core.AF_INET, core.SOCK_STREAM)
    local task = ring:spawn(function()
      return (ring:get_sqe():prep_accept(listener, core.SOCK_CLOEXEC):await())
    end)
    ring:step(0)
    task:interrupt "stop"
    assert(core.op.connect(client, address))
    while #ring:tasks() > 0 do ring:step(5) end
    local _ <close> = helper.closing(listener, client)
    local ok, result = pcall(task.join, task)
    if ok then core.fd(result):close() else assert.equal("stop", result) end
  end)

  local key <const> = {}
  for how, target in pairs {
    ["its entry"] = function(sqe) return sqe end,
    ["a table"] = function(sqe) return sqe:set_data(key) and key end,
    ["a string"] = function(sqe) return sqe:set_data "name" and "name" end,
    ["its data64"] = function(sqe) return sqe:set_data64(77) and 77 end,
  } do
    ring_it("an operation is cancelled by " .. how, function(ring)
      local r, w = core.sock.pipe()
      local _ <close> = helper.closing(r, w)
      local wanted = target(ring:get_sqe():prep_read(r, core.buffer(1)))
      ring:submit()
      ring:get_sqe():prep_cancel(wanted):set_data "cancel"
      ring:submit()
      local seen = {}
      for _ = 1, 2 do
        local cqe = assert(ring:wait_cqe(5))
        seen[cqe.data == "cancel" and 1 or 2] = cqe.res
      end
      assert.same({ 0, -errno.ECANCELED }, seen)
      ring:get_sqe():prep_cancel(wanted)
      ring:submit()
      assert.equal(-errno.ENOENT, ring:wait_cqe(5).res)
    end)
  end
end)

-- IOSQE_CQE_SKIP_SUCCESS
helper.each_config(function(make, name)
  local SKIP <const>, LINK <const> = core.IOSQE_CQE_SKIP_SUCCESS, core.IOSQE_IO_LINK

  local function skip_it(title, f)
    main_it("without its success, " .. title, function()
      local ring <close> = make()
      f(ring)
      assert(helper.idle(ring))
    end)
  end

  -- The next completion is that of a NOP which is submitted now.
  local function nothing_before(ring)
    assert(ring:get_sqe()):prep_nop():set_data "mark"
    ring:submit()
    local cqe = assert(ring:wait_cqe(5))
    assert.equal("mark", cqe.data)
    assert.is_nil(ring:peek_cqe())
  end

  skip_it("an operation that holds nothing has no record either", function(ring)
    for i = 1, 100 do
      assert(ring:get_sqe()):prep_nop():set_flags(SKIP):set_data64(i)
      assert.equal(1, ring:submit())
      assert.equal(0, ring:stats().slots)
    end
    nothing_before(ring)
    -- the kernel cannot count what it has not told
    assert(ring:get_sqe()):prep_nop():set_flags(core.IOSQE_IO_DRAIN)
    ring:submit()
    assert.equal(-errno.EOPNOTSUPP, ring:wait_cqe(5).res)
  end)

  skip_it("a failure is told, by its number", function(ring)
    for _, n in ipairs { 0, 7, -7, (1 << 55) - 1, -(1 << 55), math.maxinteger } do
      assert(ring:get_sqe()):prep_fsync(9999):set_flags(SKIP):set_data64(n)
      ring:submit()
      local cqe = assert(ring:wait_cqe(5))
      assert.equal(-errno.EBADF, cqe.res)
      assert.equal(n, cqe.user_data)
      assert.equal(n, cqe.data)
      assert.is_false(cqe.message)
    end
  end)

  skip_it("a failure is told, by its value", function(ring)
    local value <const> = {}
    assert(ring:get_sqe()):prep_fsync(9999):set_flags(SKIP):set_data(value)
    ring:submit()
    local cqe = assert(ring:wait_cqe(5))
    assert.equal(-errno.EBADF, cqe.res)
    assert.equal(value, cqe.data)
  end)

  skip_it("memory and descriptors are kept until the end", function(ring)
    local r, w = core.sock.pipe()
    local _ <close> = helper.closing(r, w)
    local buffer = core.buffer(4)
    assert(ring:get_sqe()):prep_read(r, buffer, 4, -1):set_flags(SKIP):set_data {}
    ring:submit()
    assert.equal(1, r:pending())
    assert.equal(1, ring:stats().slots)
    assert(ring:get_sqe()):prep_write(w, "da" .. "ta", nil, -1):set_flags(SKIP)
    ring:submit()
    local timeout = os.time() + 5
    while ring:stats().slots > 0 and os.time() < timeout do
      assert.is_nil(ring:peek_cqe())
      ring:submit_and_wait_timeout(1, 0.01)
    end
    assert.equal("data", buffer:string(1, 4))
    assert.equal(0, r:pending() + w:pending())
    nothing_before(ring)
  end)

  skip_it("a chain tells of its end only", function(ring)
    local dir <close> = helper.tmpdir()
    local long <const> = not name:find "tiny"        -- three fit into the queue
    assert(ring:register_files_sparse(1))
    local function chain(path)
      assert(ring:get_sqe()):prep_openat_direct(nil, path, core.O_CREAT | core.O_WRONLY, 384, 0)
        :set_flags(SKIP | LINK):set_data "open"
      if long then
        assert(ring:get_sqe()):prep_write(0, "text", nil, 0)
          :set_flags(SKIP | LINK | core.IOSQE_FIXED_FILE):set_data "write"
      end
      assert(ring:get_sqe()):prep_close_direct(0):set_data "close"
      ring:submit()
    end
    chain(dir .. "/file")
    local cqe = assert(ring:wait_cqe(5))
    assert.same({ "close", 0 }, { cqe.data, cqe.res })
    assert.is_nil(ring:peek_cqe())
    assert.equal(long and "text" or "", helper.read_file(dir .. "/file"))
    chain(dir .. "/none/file")
    local seen = {}
    for i = 1, long and 3 or 2 do
      cqe = assert(ring:wait_cqe(5))
      seen[i] = cqe.data .. " " .. cqe.res
    end
    table.sort(seen)
    assert.same({ "close " .. -errno.ECANCELED, "open " .. -errno.ENOENT,
      long and "write " .. -errno.ECANCELED or nil }, seen)
  end)

  skip_it("a failure in a chain is told of every entry", function(ring)
    local buffer = core.buffer(4)
    assert(ring:get_sqe()):prep_fsync(9999):set_flags(SKIP | LINK):set_data64(1)
    assert(ring:get_sqe()):prep_read(9999, buffer, 4, 0):set_flags(SKIP):set_data64(2)
    ring:submit()
    local sum = 0
    for _ = 1, 2 do
      local cqe = assert(ring:wait_cqe(5))
      assert.equal(({ -errno.EBADF, -errno.ECANCELED })[cqe.user_data], cqe.res)
      sum = sum + cqe.user_data
    end
    assert.equal(3, sum)
  end)

  skip_it("an entry that is awaited has it", function(ring)
    assert.equal(0, (assert(ring:get_sqe()):prep_nop():set_flags(SKIP):await()))
  end)

  skip_it("an entry that is prepared again has it", function(ring)
    assert(ring:get_sqe()):prep_nop():set_flags(SKIP):prep_nop():set_data "again"
    ring:submit()
    assert.equal("again", ring:wait_cqe(5).data)
  end)

  skip_it("data in a provided buffer is told", function(ring)
    local r, w = core.sock.pipe()
    local _ <close> = helper.closing(r, w)
    local group <close> = assert(ring:setup_buf_ring(2, 3, 0, 16))
    assert(ring:get_sqe()):prep_read(r, nil, 16, -1):set_buf_group(group)
      :set_flags(SKIP | core.IOSQE_BUFFER_SELECT)
    ring:submit()
    assert(core.op.write(w, "data"))
    local cqe = assert(ring:wait_cqe(5))
    assert.equal(4, cqe.res)
    assert.equal("data", group:string(cqe))
    group:recycle(cqe)
  end)

  skip_it("what makes a descriptor is refused: nobody would know its number", function(ring)
    local sqe = assert(ring:get_sqe())
    local function refused(f, ...)
      raises("IOSQE_CQE_SKIP_SUCCESS: the new descriptor would be lost", f, sqe, ...)
    end
    sqe:prep_socket(core.AF_INET, core.SOCK_STREAM)
    refused(sqe.set_flags, SKIP)
    sqe:prep_socket_direct_alloc(core.AF_INET, core.SOCK_STREAM)
    refused(sqe.set_flags, SKIP)
    sqe:prep_recvmsg(0, 10)
    refused(sqe.set_flags, SKIP)
    sqe:prep_socket_direct(core.AF_INET, core.SOCK_STREAM, 0, 0):set_flags(SKIP)
    refused(sqe.set_target_fixed_file)
    sqe:prep_nop()
    ring:submit()
    assert.equal(0, ring:wait_cqe(5).res)
  end)
end)

describe("an entry", function()
  local function ring_it(name, f)
    main_it(name, function()
      local ring <close> = assert(core.ring { entries = 4 })
      f(ring)
    end)
  end

  ring_it("checks what is set", function(ring)
    local sqe = ring:get_sqe()
    raises("out of range", sqe.set_flags, sqe, 256)
    raises("out of range", sqe.set_flags, sqe, -1)
    raises("integer expected", sqe.set_flags, sqe, "1")
    raises("out of range", sqe.set_ioprio, sqe, 65536)
    raises("out of range", sqe.set_personality, sqe, -1)
    raises("number expected, got no value", function() sqe:set_data64() end)
    raises("value expected", function() sqe:set_data() end)
    raises("uring.sqe expected", sqe.prep_nop, {})
    assert.equal(sqe, sqe:set_flags(core.IOSQE_ASYNC))
    assert.equal(sqe, sqe:set_ioprio(0))
    assert.equal(sqe, sqe:set_personality(0))
    ring:submit()
    assert.equal(0, ring:wait_cqe(5).res)
  end)

  ring_it("takes no bytes for addresses", function(ring)
    local a, b = core.sock.socketpair()
    local _ <close> = helper.closing(a, b)
    local sqe = ring:get_sqe():prep_send(a, ("\0"):rep(16), 1)
    raises("IORING_SEND_VECTORIZED", sqe.set_ioprio, sqe, core.IORING_SEND_VECTORIZED)
    sqe:set_ioprio(core.IORING_RECVSEND_POLL_FIRST)
    ring:submit()
    assert.equal(1, ring:wait_cqe(5).res)
    assert.equal("\0", core.op.recv(b, 16))
    local with <const> = core.op.with { ioprio = core.IORING_SEND_VECTORIZED }
    for _, name in ipairs { "send", "send_zc", "sendto" } do
      raises("IORING_SEND_VECTORIZED", with[name], a, ("\0"):rep(16))
    end
    raises("IORING_SEND_VECTORIZED", core.op.link, function(c)
      c:with { ioprio = core.IORING_SEND_VECTORIZED }:send(a, ("\0"):rep(16))
    end)
  end)

  ring_it("passes a personality to the kernel", function(ring)
    ring:get_sqe():prep_nop():set_personality(999)
    ring:submit()
    assert.equal(-errno.EINVAL, ring:wait_cqe(5).res)
  end)

  ring_it("stays what it was when a prep raises", function(ring)
    local r, w = core.sock.pipe()
    local _ <close> = helper.closing(r, w)
    local buffer = core.buffer(4)
    local sqe = ring:get_sqe():prep_write(w, "abcd"):set_data "kept"
    raises("string or buffer expected", sqe.prep_write, sqe, w, 7)
    raises("descriptor expected", sqe.prep_write, sqe, {}, "x")
    ring:submit()
    assert.equal("kept", ring:wait_cqe(5).data)
    assert.equal("abcd", core.op.read(r, 4))
    assert.equal(0, buffer:busy())
  end)

  ring_it("names no descriptor that is being closed", function(ring)
    local r, w = core.sock.pipe()
    local sqe = ring:get_sqe()
    ring:get_sqe():prep_close(r)
    raises(("fd %d"):format(tonumber(tostring(r):match "%d+")), sqe.prep_read, sqe, r,
      core.buffer(1))
    w:close()
    raises("was closed", sqe.prep_write, sqe, w, "x")
  end)

  ring_it("takes no string for memory to fill", function(ring)
    local sqe = ring:get_sqe()
    raises("buffer expected, got string", sqe.prep_read, sqe, 0, "text")
    raises("buffer expected, got number", sqe.prep_read, sqe, 0, 100)
  end)

  ring_it("survives its ring", function(ring)
    local sqe = ring:get_sqe():prep_read(0, core.buffer(1))
    ring:close()
    raises("ring is closed", sqe.set_data, sqe, 1)
    assert.equal("uring.sqe (ended)", tostring(sqe))
  end)

  ring_it("may be prepared when a method of its argument prepares it", function(ring)
    local r, w = core.sock.pipe()
    local _ <close> = helper.closing(r, w)
    local sqe = ring:get_sqe()
    sqe:prep_write({
      fileno = function()
        sqe:prep_read(r, core.buffer(1))
        return w:fileno()
      end,
    }, "x")
    assert.equal(0, r:pending())
    ring:submit()
    assert.equal(1, ring:wait_cqe(5).res)
  end)

  ring_it("is not prepared when a method of its argument has submitted it", function(ring)
    local r, w = core.sock.pipe()
    local _ <close> = helper.closing(r, w)
    local sqe = ring:get_sqe()
    raises("sqe was submitted already", sqe.prep_write, sqe, {
      fileno = function()
        ring:submit()
        return w:fileno()
      end,
    }, "x")
    raises("ring is closed", function()
      local other = ring:get_sqe()
      other:prep_write({
        fileno = function()
          ring:close()
          return w:fileno()
        end,
      }, "x")
    end)
  end)

  ring_it("sees a buffer that an address has made smaller", function(ring)
    local sqe = ring:get_sqe()
    local buffer = core.buffer(100000)
    raises("smaller", sqe.prep_sendto, sqe, 0, buffer, nil, 0, setmetatable({}, {
      __index = function(_, key)
        buffer:resize(1)
        return ({ host = "127.0.0.1", port = 1 })[key]
      end,
    }))
  end)
end)

describe("a completion", function()
  main_it("has fields", function()
    local ring <close> = assert(core.ring())
    ring:get_sqe():prep_nop():set_data "data"
    ring:submit()
    local cqe = ring:wait_cqe(5)
    assert.equal(0, cqe.res)
    assert.equal("integer", math.type(cqe.flags))
    assert.is_false(cqe.more)
    assert.is_false(cqe.notif)
    assert.is_nil(cqe.buffer_id)
    assert.is_nil(cqe.value)
    assert.is_nil(cqe.nonsense)
    assert.equal(("uring.cqe (res 0, flags %d)"):format(cqe.flags), tostring(cqe))
    raises("attempt to index", function() cqe.res = 1 end)
  end)

  main_it("stays readable when its ring is gone", function()
    local cqe
    do
      local ring = assert(core.ring())
      ring:get_sqe():prep_nop():set_data { 1 }
      ring:submit()
      cqe = ring:wait_cqe(5)
      ring:close()
    end
    collectgarbage()
    collectgarbage()
    assert.same({ 1 }, cqe.data)
    assert.equal(0, cqe.res)
  end)

  main_it("may be taken by a finaliser while another is made", function()
    local ring <close> = assert(core.ring())
    local taken, twice, mine = {}, 0, 0
    local function take()
      local cqe = ring:cq_ready() > 0 and ring:peek_cqe()
      if not cqe then return 0 end
      if taken[cqe.data] then twice = twice + 1 end
      taken[cqe.data] = true
      return 1
    end
    for i = 1, 200 do
      ring:get_sqe():prep_nop():set_data(i)
      ring:submit()
      setmetatable({}, { __gc = take })
      if i % 3 == 0 then collectgarbage "step" end
      mine = mine + take()
    end
    for data in ring:cqes() do taken[data] = true end
    collectgarbage()
    assert.same({ 200, 0 }, { #taken, twice })
    assert.is_true(mine < 200) -- a finaliser has taken some
    assert(helper.idle(ring))
  end)
end)
