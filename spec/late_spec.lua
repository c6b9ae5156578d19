-- A descriptor that is closed while something may still begin to use it: a
-- stranger that gets its number, or its slot, is not touched.

local core = require "uring.core"
local helper = require "spec.helper"

local op <const>, raises <const>, file_of <const> = core.op, helper.raises, helper.file_of
local LINK <const>, HARDLINK <const> = core.IOSQE_IO_LINK, core.IOSQE_IO_HARDLINK
local ASYNC <const>, DRAIN <const> = core.IOSQE_ASYNC, core.IOSQE_IO_DRAIN


local function is_open(number) return helper.process.descriptors()[number] ~= nil end

-- The completions of n entries, by their data.
local function complete(ring, n)
  local all = {}
  for _ = 1, n do
    local cqe = assert(ring:wait_cqe(5))
    all[cqe.data] = cqe.res
  end
  return all
end

describe("a descriptor that prep_close closes", function()
  -- f(ring, dir) in the main chunk, and in a directory.
  local function case(name, f)
    helper.each_config(function(make, config)
      if config:find "tiny" then return end
      helper.main_it(name, function()
        local ring <close> = make()
        local dir <close> = helper.tmpdir()
        f(ring, dir)
      end)
    end)
  end

  -- An entry that waits until what this returns is called; what comes next is
  -- linked to it.
  local function held(ring)
    local r, w = assert(op.pipe())
    ring:get_sqe():prep_read(r, core.buffer(1), 1, -1):set_flags(HARDLINK):set_data "held"
    return setmetatable({}, {
      __call = function() assert.equal(1, op.write(w, "x")) end,
      __close = getmetatable(helper.closing(r, w)).__close,
    })
  end

  -- What is read is the file's own, though it was closed before, and its number
  -- was wanted by another.
  local function reads_its_own(ring, dir, mine, number, buffer, n, go)
    ring:submit()
    local cqe = assert(ring:wait_cqe(5))
    while cqe.data ~= "close" do
      n = n - 1
      cqe = assert(ring:wait_cqe(5))
    end
    assert.equal(0, cqe.res)
    local other <close> = file_of(dir, "else")
    if go then
      assert.not_equal(number, other:fileno())
      go()
    end
    local all = complete(ring, n - 1)
    assert.equal(4, all.read or 4)
    assert.equal("mine", buffer:string())
    assert.equal(0, mine:pending())
    assert.is_false(mine:isopen())
    assert.is_true(other:fileno() == number or not is_open(number))
  end

  case("stays until what is linked has ended", function(ring, dir)
    local mine, buffer = file_of(dir, "mine"), core.buffer(4)
    local number = mine:fileno()
    local go <close> = held(ring)
    ring:get_sqe():prep_read(mine, buffer, 4, 0):set_data "read"
    ring:get_sqe():prep_close(mine):set_data "close"
    reads_its_own(ring, dir, mine, number, buffer, 3, go)
  end)

  case("stays until what was linked before has ended", function(ring, dir)
    local mine, buffer = file_of(dir, "mine"), core.buffer(4)
    local number = mine:fileno()
    local go <close> = held(ring)
    ring:get_sqe():prep_read(mine, buffer, 4, 0):set_data "read"
    ring:submit()
    ring:get_sqe():prep_nop():set_flags(LINK):set_data "nop"
    ring:get_sqe():prep_close(mine):set_data "close"
    reads_its_own(ring, dir, mine, number, buffer, 4, go)
  end)

  case("stays until what comes behind it has ended", function(ring, dir)
    local mine, buffer = file_of(dir, "mine"), core.buffer(4)
    local number = mine:fileno()
    local closing, reading = ring:get_sqe(), ring:get_sqe()
    reading:prep_read(mine, buffer, 4, 0):set_data "read"
    closing:prep_close(mine):set_data "close":set_flags(LINK)
    reads_its_own(ring, dir, mine, number, buffer, 2)
  end)

  case("stays until what comes behind a drain has ended", function(ring, dir)
    local mine, buffer = file_of(dir, "mine"), core.buffer(4)
    local number = mine:fileno()
    local r, w = assert(op.pipe())
    ring:get_sqe():prep_poll_add(r, core.POLLIN):set_data "poll"
    ring:get_sqe():prep_nop():set_flags(DRAIN):set_data "drain"
    ring:get_sqe():prep_read(mine, buffer, 4, 0):set_data "read"
    ring:submit()
    ring:get_sqe():prep_close(mine):set_data "close"
    ring:submit()
    core.sleep(0.005)
    assert.is_true(is_open(number))
    assert(op.write(w, "x"))
    local all = complete(ring, 4)
    assert.same({ 0, 4 }, { all.close, all.read })
    assert.equal("mine", buffer:string())
    assert.is_false(is_open(number))
    r:close()
    w:close()
  end)

  case("stays until a worker has ended", function(ring)
    local r, w = assert(op.pipe())
    local number, buffer = r:fileno(), core.buffer(4)
    ring:get_sqe():prep_read(r, buffer):set_flags(ASYNC):set_data "read"
    ring:submit()
    ring:get_sqe():prep_close(r):set_data "close"
    ring:submit()
    assert.equal("close", ring:wait_cqe(5).data)
    assert.is_false(r:isopen())
    assert.is_true(is_open(number))
    assert(op.write(w, "mine"))
    assert.equal(4, ring:wait_cqe(5).res)
    assert.is_false(is_open(number))
    w:close()
  end)

  case("is closed at once when the others have it already", function(ring, dir)
    local r, w = assert(op.pipe())
    local mine, number = file_of(dir, "mine"), r:fileno()
    ring:get_sqe():prep_read(r, core.buffer(4)):set_data "read"
    ring:submit()
    ring:get_sqe():prep_write(w, "mine"):set_flags(LINK):set_data "write"
    ring:get_sqe():prep_close(w):set_data "close"
    ring:get_sqe():prep_read(mine, core.buffer(4), 4, 0):set_flags(LINK):set_data "first"
    ring:get_sqe():prep_close(mine):set_data "end"
    ring:submit()
    local all = complete(ring, 5)
    assert.same({ 4, 4, 0, 4, 0 }, { all.read, all.write, all.close, all.first, all["end"] })
    assert.is_false(w:isopen() or mine:isopen())
    ring:get_sqe():prep_read(r, core.buffer(4)):set_data "read"
    ring:submit()
    ring:get_sqe():prep_close(r):set_data "close"
    ring:submit()
    complete(ring, 2)
    assert.is_false(is_open(number))
  end)

  case("is closed at once in a slot of the table, or stays there", function(ring, dir)
    assert(ring:register_files_sparse(4))
    helper.write_file(dir .. "/mine", "mine")
    helper.write_file(dir .. "/else", "else")
    local buffer = core.buffer(4)
    local function open(name)
      ring:get_sqe():prep_open_direct(dir .. "/" .. name, 0, 0, core.IORING_FILE_INDEX_ALLOC)
        :set_data "open"
      ring:submit()
      local cqe
      repeat cqe = assert(ring:wait_cqe(5)) until cqe.data == "open"
      return cqe.res
    end
    local mine = ring:direct(open "mine")
    local go <close> = held(ring)
    ring:get_sqe():prep_read(mine, buffer, 4, 0):set_data "read"
    ring:get_sqe():prep_close_direct(mine):set_data "close"
    ring:submit()
    local seen = {}
    local function take()
      local cqe <const> = assert(ring:wait_cqe(5))
      seen[cqe.data] = cqe.res
    end
    repeat take() until seen.close
    ring:get_sqe():prep_open_direct(dir .. "/else", 0, 0, core.IORING_FILE_INDEX_ALLOC)
      :set_data "open"
    ring:submit()
    repeat take() until seen.open
    assert.equal(1, seen.open) -- not that of the other
    go()
    repeat take() until seen.read
    assert.equal("mine", buffer:string())
    assert.is_false(mine:isopen())
    assert.equal(0, open "else")
  end)
end)

describe("a descriptor that one ring closes", function()
  -- The other ring is made with the options; look(other) has it look at what
  -- was prepared.
  local function case(name, options, submit, look)
    helper.main_it("stays while another ring " .. name, function()
      local other <close> = assert(core.ring(options))
      local ring <close> = assert(core.ring())
      local dir <close> = helper.tmpdir()
      for _ = 1, 3 do ring:get_sqe():set_data "ahead" end
      ring:submit()
      complete(ring, 3)
      for before = 0, 8 do
        for _ = 1, before do other:get_sqe():set_data "before" end
        local mine, buffer = file_of(dir, "mine"), core.buffer(4)
        local number <const> = mine:fileno()
        other:get_sqe():prep_read(mine, buffer, 4, 0):set_data "read"
        submit(other)
        ring:get_sqe():prep_close(mine):set_data "close"
        ring:submit()
        assert.equal(0, complete(ring, 1).close)
        local stranger <close> = file_of(dir, "else")
        assert.not_equal(number, stranger:fileno())
        assert.is_true(is_open(number))
        look(other)
        assert.equal(4, complete(other, before + 1).read)
        assert.equal("mine", buffer:string())
        assert.is_false(is_open(number))
        if options.r_disabled then return end
      end
    end)
  end

  case("has not submitted what it prepared", {}, function() end, function(other) other:submit() end)
  case("has a thread that has not looked at it", { sqpoll = true, r_disabled = true },
    function(other) other:submit() end, function(other) other:enable_rings() end)

  helper.main_it("is closed at once when the other ring has begun with it", function()
    local other <close> = assert(core.ring())
    local ring <close> = assert(core.ring())
    local r, w = assert(op.pipe())
    local number <const> = r:fileno()
    other:get_sqe():prep_read(r, core.buffer(4), 4, -1):set_data "read"
    other:submit()
    ring:get_sqe():prep_close(r):set_data "close"
    ring:submit()
    assert.equal(0, complete(ring, 1).close)
    assert.is_false(is_open(number))
    assert.equal(1, op.write(w, "x"))
    assert.equal(1, complete(other, 1).read)
    w:close()
  end)
end)

describe("a descriptor that a chain closes", function()
  helper.it("is nothing for what comes after it", function()
    local r, w = assert(op.pipe())
    local _ <close> = helper.closing(r, w)
    raises("is being closed", op.link, function(c)
      c:close(w)
      c:write(w, "x")
    end)
    assert.is_true(w:isopen())
    raises("is being closed", op.hardlink, function(c)
      c:close(r)
      c:nop()
      c:splice(r, nil, w, nil, 1)
    end)
    assert.is_true(r:isopen())
  end)

  helper.main_it("is not used when it was closed while the chain was written down", function()
    local r, w = assert(op.pipe())
    local number, task = w:fileno(), nil
    raises("is being closed", op.link, function(c)
      c:write(w, "x")
      task = core.spawn(w.close, w)
      while w:isopen() do core.yield() end
      assert.is_true(is_open(number))
    end)
    assert.is_true(task:join())
    assert.equal("", op.read(r, 10))
    r:close()
  end)

  helper.it("cannot be closed by the function that writes the chain down", function()
    local r, w = assert(op.pipe())
    raises("is used by a chain that is being written down", op.link, function(c)
      c:write(w, "x")
      w:close()
    end)
    assert.is_false(w:isopen())
    assert.equal("", op.read(r, 10))
    r:close()
  end)

  helper.it("stays while another chain may begin with it", function()
    local dir <close> = helper.tmpdir()
    local mine = file_of(dir, "mine")
    local number = mine:fileno()
    local r, w = assert(op.pipe())
    local _ <close> = helper.closing(r, w)
    local task = core.spawn(function()
      return op.hardlink(function(c)
        c:read(r, 1)
        c:read(mine, 4, 0)
      end)
    end)
    core.yield()
    assert.same({ true }, (op.link(function(c) c:close(mine) end)))
    local other <close> = file_of(dir, "else")
    assert.not_equal(number, other:fileno())
    assert.equal(1, op.write(w, "x"))
    assert.equal("mine", task:join()[2])
    assert.is_false(is_open(number))
  end)

  helper.it("ends a multishot that is to go on with it", function()
    local listener, address = helper.listener()
    local number, clients = listener:fileno(), {}
    for i = 1, 80 do
      clients[i] = assert(op.socket(core.AF_INET, core.SOCK_STREAM))
      assert(op.connect(clients[i], address))
    end
    local it <close> = op.accept_multishot(listener)
    while not tostring(it):find "paused" do core.sleep(0.001) end
    assert.same({ true }, (op.link(function(c) c:close(listener) end)))
    local other <close>, elsewhere = helper.listener()
    assert.equal(number, other:fileno())
    local stranger <close> = assert(op.socket(core.AF_INET, core.SOCK_STREAM))
    assert(op.connect(stranger, elsewhere))
    local n = 0
    for conn in it do
      assert.equal(address.port, core.sock.getsockname(conn).port)
      conn:close()
      n = n + 1
    end
    assert.is_true(n >= 64 and n <= 80)
    assert.equal(core.errno.ECANCELED, select(3, it:error()))
    for _, client in ipairs(clients) do client:close() end
  end)
end)
