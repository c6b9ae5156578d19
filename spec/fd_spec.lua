-- Descriptors that know their operations.

local core = require "uring.core"
local helper = require "spec.helper"

local op <const>, errno <const> = core.op, core.errno
local process <const> = helper.process
local raises <const>, fails <const>, main_it <const> = helper.raises, helper.fails, helper.main_it

local function null() return assert(op.openat(nil, "/dev/null", core.O_RDWR)) end

local function is_open(number) return process.descriptors()[number] ~= nil end

describe("core.fd", function()
  main_it("adopts a number", function()
    local number = null():detach()
    local fd = core.fd(number)
    assert.equal(number, fd:fileno())
    assert.is_true(fd:isopen())
    assert.equal(0, fd:pending())
    assert.equal(("uring.fd (%d)"):format(number), tostring(fd))
    assert.is_true(fd:close())
    assert.is_false(is_open(number))
  end)

  for _, case in ipairs {
    { "a negative number", "out of range", -1 },
    { "a huge one", "out of range", 1 << 31 },
    { "a fraction", "number has no integer representation", 0.5 },
    { "a string", "integer expected, got string", "1" },
    { "nothing", "integer expected, got no value" },
  } do
    it("refuses " .. case[1], function()
      raises(case[2], core.fd, table.unpack(case, 3))
    end)
  end
end)

describe("a descriptor", function()
  main_it("is closed once", function()
    local fd = null()
    local number <const> = fd:fileno()
    assert.is_true(fd:close())
    assert.is_false(fd:isopen())
    local other = null()
    assert.equal(number, other:fileno()) -- the number has a new owner
    assert.is_true(fd:close())
    assert.is_true(other:isopen())
    assert.is_true(is_open(number))
    assert.equal(("uring.fd (%d, closed)"):format(number), tostring(fd))
    other:close()
  end)

  main_it("is closed at the end of a scope", function()
    local number
    do
      local fd <close> = null()
      number = fd:fileno()
    end
    assert.is_false(is_open(number))
  end)

  main_it("is closed when it is collected", function()
    local number = null():fileno()
    collectgarbage()
    collectgarbage()
    assert.is_false(is_open(number))
  end)

  main_it("is no longer its number's owner once detached", function()
    local fd = null()
    local number <const> = fd:detach()
    assert.is_true(is_open(number))
    assert.is_false(fd:isopen())
    assert.equal(("uring.fd (%d, detached)"):format(number), tostring(fd))
    raises(("fd %d was detached"):format(number), fd.fileno, fd)
    raises(("fd %d was detached"):format(number), fd.detach, fd)
    raises(("fd %d was detached"):format(number), op.read, fd, 1)
    assert.is_true(fd:close()) -- which does nothing
    fd = nil -- luacheck: ignore 311
    collectgarbage()
    collectgarbage()
    assert.is_true(is_open(number))
    assert.equal(0, process.close(number))
  end)

  main_it("raises where it is used after it was closed", function()
    local fd = null()
    local number <const> = fd:fileno()
    fd:close()
    local text <const> = ("bad argument #1 to '?' (fd %d was closed)"):format(number)
    raises(text, op.read, fd, 1)
    raises(text, op.write, fd, "x")
    raises(text, op.close, fd)
    raises(text, fd.fileno, fd)
    raises(text, fd.detach, fd)
    raises(text, core.sock.dup, fd)
  end)

  main_it("says when the kernel says no to closing", function()
    local fd = null()
    process.close(fd:fileno())
    fails("EBADF", ("close fd %d: Bad file descriptor"):format(fd:fileno()), fd:close())
    assert.is_false(fd:isopen())
  end)

  it("hides its metatable", function()
    local fd <close> = null()
    assert.equal("uring", getmetatable(fd))
  end)
end)

-- Does a thread carry out what the default ring is given?  It may be quick.
local function polled() return core.default().flags & core.IORING_SETUP_SQPOLL ~= 0 end

describe("closing a descriptor with operations", function()
  helper.it("wakes them with ECANCELED", function()
    local r, w = core.sock.pipe()
    local results, tasks = {}, {}
    for i = 1, 3 do
      tasks[i] = core.spawn(function() results[i] = { op.read(r, 10) } end)
    end
    core.yield()
    assert.equal(3, r:pending())
    local number <const> = r:fileno()
    assert.is_true(r:close())
    assert.equal(0, r:pending())
    assert.is_false(is_open(number))
    for i = 1, 3 do
      tasks[i]:join()
      fails("ECANCELED", ("read fd %d: Operation canceled"):format(number),
        table.unpack(results[i], 1, 3))
    end
    w:close()
  end)

  helper.it("refuses new ones at once", function()
    local r, w = core.sock.pipe()
    local reader = core.spawn(function() return op.read(r, 10) end)
    core.yield()
    local closer = core.spawn(function() return r:close() end)
    core.yield()
    if r:isopen() then core.yield() end
    local busy = r:pending() > 0
    assert.is_true(busy or polled())
    if busy then
      assert.matches("closing", tostring(r))
      fails("EBADF", ("read fd %d: Bad file descriptor"):format(r:fileno()), op.read(r, 1))
      raises("in use by 1 operation", r.detach, r)
    end
    assert.is_true(closer:join())
    fails("ECANCELED", ("read fd %d: Operation canceled"):format(
      tonumber(tostring(r):match "%d+")), reader:join())
    w:close()
  end)

  helper.it("does not give the number away before they have ended", function()
    local r, w = core.sock.pipe()
    local number <const> = r:fileno()
    local ended, looked, readers = 0, 0, {}
    for i, read in ipairs { op.read, op.with { async = true }.read } do -- a worker ends later
      readers[i] = core.spawn(function()
        read(r, 10)
        ended = ended + 1
      end)
    end
    core.yield()
    local closer = core.spawn(function() r:close() end)
    while ended < 2 do
      if r:pending() > 0 then
        local other <close> = assert(core.sock.dup(w)) -- at once, and not in a turn
        assert.not_equal(number, other:fileno())
        looked = looked + 1
      end
      core.yield()
    end
    assert.is_true(looked > 0 or polled())
    for _, reader in ipairs(readers) do reader:join() end
    closer:join()
    local other <close> = null()
    assert.equal(number, other:fileno())
    w:close()
  end)

  helper.it("may be waited for by several", function()
    local r, w = core.sock.pipe()
    core.spawn(function() op.read(r, 10) end)
    core.yield()
    local tasks = {}
    for i = 1, 3 do tasks[i] = core.spawn(function() return r:close() end) end
    for i = 1, 3 do assert.is_true(tasks[i]:join()) end
    assert.is_true(w:close())
  end)

  helper.it("goes on when whoever waits for it is interrupted", function()
    local r, w = core.sock.pipe()
    local number <const> = r:fileno()
    core.spawn(function() op.read(r, 10) end)
    core.yield()
    local closer = core.spawn(function() r:close() end)
    core.yield()
    closer:interrupt "no"
    local ok, err = pcall(closer.join, closer)
    assert(ok or err == "no")
    while is_open(number) do core.yield() end
    w:close()
  end)

  helper.it("waits on when the interruption is taken back", function()
    local r, w = core.sock.pipe()
    core.spawn(function() op.read(r, 10) end)
    core.yield()
    local closer = core.spawn(function()
      local ok = r:close()
      assert.equal(0, r:pending())
      return ok
    end)
    core.yield()
    closer:interrupt "no"
    closer:interrupt(nil)
    assert.is_true(closer:join())
    w:close()
  end)

  main_it("waits in place outside a task", function()
    local r, w = core.sock.pipe()
    local reader = core.spawn(function() return op.read(r, 10) end)
    core.yield()
    assert.equal(1, r:pending())
    assert.is_true(r:close())
    assert.equal(0, r:pending())
    assert.is_nil((reader:join()))
    w:close()
  end)

  helper.it("waits in place where Lua cannot yield", function()
    local r, w = core.sock.pipe()
    local reader = core.spawn(function() return op.read(r, 10) end)
    core.yield()
    assert.equal("true", (("x"):gsub("x", function() return tostring(r:close()) end)))
    assert.equal(0, r:pending())
    assert.is_nil((reader:join()))
    w:close()
  end)

  main_it("ends those of the raw layer, too", function()
    local ring <close> = assert(core.ring())
    local r, w = core.sock.pipe()
    ring:get_sqe():prep_read(r, core.buffer(4)):set_data "pending"
    ring:submit()
    ring:get_sqe():prep_read(r, core.buffer(4)):set_data "not submitted"
    assert.equal(2, r:pending())
    assert.is_true(r:close())
    for _ = 1, 2 do assert.equal(-errno.ECANCELED, ring:wait_cqe(5).res) end
    w:close()
  end)

  helper.it("with op.close does the same", function()
    local r, w = core.sock.pipe()
    local reader = core.spawn(function() return op.read(r, 10) end)
    core.yield()
    assert.is_true(op.close(r))
    assert.is_nil((reader:join()))
    assert.is_true(op.close(w))
    raises("was closed", op.close, w)
  end)

  helper.it("happens after the last when the object is collected", function()
    local r, w = core.sock.pipe()
    local number <const> = r:fileno()
    local reader = core.spawn(function(fd)
      return op.read(fd, 10)
    end, r)
    r = nil -- luacheck: ignore 311
    core.yield()
    collectgarbage()
    collectgarbage()
    assert.is_true(is_open(number))
    op.write(w, "late")
    assert.equal("late", reader:join())
    reader = nil -- luacheck: ignore 311
    core.yield()
    collectgarbage()
    collectgarbage()
    assert.is_false(is_open(number))
    w:close()
  end)
end)

describe("the direction of a stream", function()
  it("is free when its reader's ring is gone, and another in its place", function()
    helper.prints("waiting\nwaiting\n", [[
      local core = require "uring.core"
      core.default()
      local a, b = core.sock.socketpair()
      local function reader(ring)
        local task = ring:spawn(core.stream.recv, b, 10)
        ring:step(0)
        return task:status()
      end
      print(reader(assert(core.ring { entries = 8 })))
      collectgarbage()
      collectgarbage()
      local ring = assert(core.ring { entries = 8 }) -- where that was
      ring:spawn(core.op.timeout, 10)                -- in the slot of its reader
      ring:step(0)
      print(reader(ring))
      ring:close()
    ]], true)
  end)
end)

describe("a close of the raw layer", function()
  local ring

  local function ring_it(name, f)
    main_it(name, function()
      ring = assert(core.ring())
      f()
      ring:close()
    end)
  end

  ring_it("takes the descriptor from its object", function()
    local fd = null()
    local number <const> = fd:fileno()
    ring:get_sqe():prep_close(fd)
    fails("EBADF", ("read fd %d: Bad file descriptor"):format(number), op.read(fd, 1))
    ring:submit()
    assert.equal(0, ring:wait_cqe(5).res)
    local other = null()
    assert.equal(number, other:fileno())
    assert.is_true(fd:close())
    fd = nil -- luacheck: ignore 311
    collectgarbage()
    collectgarbage()
    assert.is_true(is_open(number))
    other:close()
  end)

  ring_it("goes on with what was there before", function()
    local r, w = core.sock.pipe()
    local number <const> = r:fileno()
    ring:get_sqe():prep_read(r, core.buffer(8)):set_data "read"
    ring:get_sqe():prep_close(r):set_data "close"
    assert.is_false(r:isopen())
    assert.equal(2, r:pending())
    ring:submit()
    assert.equal("close", ring:wait_cqe(5).data)
    assert.is_false(is_open(number))
    op.write(w, "late")
    assert.equal(4, ring:wait_cqe(5).res)
    assert.equal(0, r:pending())
    w:close()
  end)

  ring_it("closes it also when the entry becomes something else", function()
    local fd = null()
    local number <const> = fd:fileno()
    ring:get_sqe():prep_close(fd):prep_nop()
    assert.is_false(fd:isopen())
    assert.is_false(is_open(number))
    ring:submit()
    assert.equal(0, ring:wait_cqe(5).res)
  end)

  ring_it("closes it also when the kernel has not come to it", function()
    local fd = null()
    local number <const> = fd:fileno()
    ring:get_sqe():prep_close(fd)
    ring:close()
    assert.is_false(is_open(number))
  end)

  ring_it("closes it in the end, whatever is collected", function()
    local number = null():fileno()
    collectgarbage()
    collectgarbage()
    do
      local fd = null()
      assert.equal(number, fd:fileno())
      ring:get_sqe():prep_close(fd)
    end
    collectgarbage()
    collectgarbage()
    ring:close()
    collectgarbage()
    assert.is_false(is_open(number))
  end)
end)

describe("what stands for a descriptor", function()
  main_it("is a number", function()
    local fd <close> = null()
    assert.equal(3, op.write(fd:fileno(), "abc"))
    assert.equal(3, op.write(fd:fileno() + 0.0, "abc"))
    raises("descriptor out of range", op.write, -1, "x")
    raises("descriptor out of range", op.write, 1 << 31, "x")
    raises("number has no integer representation", op.write, 1.5, "x")
    raises("descriptor expected, got string", op.write, "1", "x")
  end)

  main_it("is a file of Lua", function()
    local file = assert(io.tmpfile())
    assert.equal(5, op.write(file, "hello", nil, 0))
    assert.equal("hello", op.read(file, 10, 0))
    file:close()
    raises("closed file", op.read, file, 1)
  end)

  for _, name in ipairs { "getfd", "fileno", "pollfd" } do
    main_it("is an object with a method " .. name, function()
      local fd <close> = null()
      local object = {}
      object[name] = function(self)
        assert.equal(object, self)
        return fd:fileno()
      end
      assert.equal(2, op.write(object, "ab"))
      object[name] = function() return "x" end
      raises("descriptor out of range", op.write, object, "ab")
      object[name] = function() error "not now" end
      raises("not now", op.write, object, "ab")
    end)
  end

  main_it("is nothing else", function()
    raises("descriptor expected, got table", op.read, {}, 1)
    raises("descriptor expected, got nil", op.read, nil, 1)
    raises("descriptor expected, got no value", op.read)
    raises("descriptor expected, got boolean", op.read, true, 1)
    raises("descriptor expected, got uring.buffer", op.read, core.buffer(1), 1)
    raises("descriptor expected, got thread", op.read, coroutine.create(print), 1)
  end)

  main_it("may be closed by its own method, or by an address", function()
    local fd = assert(op.socket(core.AF_INET, core.SOCK_STREAM))
    local address = setmetatable({}, {
      __index = function(_, key)
        fd:close()
        return ({ host = "127.0.0.1", port = 1 })[key]
      end,
    })
    local result, message, code = op.connect(fd, address)
    assert.is_nil(result)
    assert.equal(errno.EBADF, code)
    assert.matches("Bad file descriptor", message)
  end)
end)
