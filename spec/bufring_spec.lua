-- Provided buffers: each is with the kernel or with us, never with both, and
-- every one comes back.

local core = require "uring.core"
local helper = require "spec.helper"

local op <const> = core.op
local SELECT <const> = core.IOSQE_BUFFER_SELECT

local function raw_pair()
  local a, b = helper.pair()
  return a, b, helper.closing(a, b)
end

-- One completion of an entry that takes a buffer of the group.
local function complete(ring, sqe)
  ring:submit()
  return assert(ring:wait_cqe(5)), sqe
end

describe("a buffer ring", function()
  helper.each_config(function(make)
    helper.main_it("gives its buffers to receives of the raw layer", function()
      local ring <close> = make()
      local br = assert(ring:setup_buf_ring(4, 3, 0, 64))
      local a, b, _ <close> = raw_pair()
      assert.equal(4, br:available())
      assert.equal(4, #br)
      for i = 1, 20 do
        local text = ("message %d"):format(i)
        assert(op.send(a, text))
        ring:get_sqe():prep_recv(b, nil):set_buf_group(br):set_flags(SELECT)
        local cqe = complete(ring)
        assert.equal(#text, cqe.res)
        assert.equal(3, br:available())
        assert.equal(text, br:string(cqe))
        assert.equal(text:sub(1, 4), br:string(cqe.buffer_id, 4))
        br:recycle(cqe)
        assert.equal(4, br:available())
        helper.raises("is not the script's", br.recycle, br, cqe)
        helper.raises("is not the script's", br.string, br, cqe.buffer_id)
      end
    end)

    helper.main_it("gets them back at the end of file and with an error", function()
      local ring <close> = make()
      local br = assert(ring:setup_buf_ring(2, 3, 0, 64))
      local a, b, _ <close> = raw_pair()
      a:close()
      local task = ring:spawn(function()
        for _ = 1, 10 do
          assert.equal("", op.recv(b, br))
          local data, _, code = op.recv(0xffff, br)
          assert.is_nil(data)
          assert.equal(core.errno.EBADF, code)
        end
      end)
      helper.finish(ring, task)
      assert.equal(2, br:available())
    end)
  end)

  helper.main_it("is refused under the number of one that operations still use", function()
    local ring <close> = assert(core.ring())
    local a, b, _ <close> = raw_pair()
    local br = assert(ring:setup_buf_ring(2, 9))
    ring:get_sqe():prep_recv_multishot(b, br, 0):set_data "receive"
    ring:submit()
    assert(br:close())
    helper.fails("EBUSY", "setup_buf_ring: Device or resource busy", ring:setup_buf_ring(2, 9))
    assert(op.send(a, "x"))
    assert.equal(-core.errno.ENOBUFS, assert(ring:wait_cqe(5)).res)
    assert(ring:setup_buf_ring(2, 9))
  end)

  helper.main_it("may be made when an operation has its number already", function()
    local ring <close> = assert(core.ring())
    local a, b, _ <close> = raw_pair()
    ring:get_sqe():prep_recv(b, nil):set_buf_group(9):set_flags(SELECT)
      :set_ioprio(core.IORING_RECVSEND_POLL_FIRST)
    ring:submit()
    local br <close> = assert(ring:setup_buf_ring(2, 9))
    assert(op.send(a, "hello"))
    local cqe = assert(ring:wait_cqe(5))
    assert.equal("hello", br:string(cqe))
    assert.equal(1, br:available())
    br:recycle(cqe)
    assert.equal(2, br:available())
  end)

  helper.it("is refused twice under a number, and what is no power of two", function()
    local ring = core.default()
    local br <close> = assert(ring:setup_buf_ring(2, 9))
    helper.fails("EEXIST", "setup_buf_ring: File exists", ring:setup_buf_ring(2, 9))
    helper.raises("not a power of two", ring.setup_buf_ring, ring, 3, 10)
    helper.raises("IOU_PBUF_RING_MMAP", ring.setup_buf_ring, ring, 2, 10, 1)
    assert.equal(4096, br:size())
    assert.equal(9, br:group())
  end)

  helper.it("lends its memory to buffer objects", function()
    local ring = core.default()
    local a, b, _ <close> = raw_pair()
    local br <close> = assert(ring:setup_buf_ring(2, 9, 0, 32))
    assert(op.send(a, "hello"))
    local buffer = assert(op.recv(b, br))
    assert.equal("hello", buffer:string())
    assert.equal(5, #buffer)
    assert.equal(1, br:available())
    assert.equal(5, op.send(a, buffer)) -- from where it is
    local other <close> = assert(op.recv(b, br)) -- what it was sent to is another socket
    assert.equal(0, br:available())
    buffer:release()
    assert.equal(1, br:available())
    helper.raises("buffer was freed", buffer.string, buffer)
    assert.equal("hello", other:string())
  end)

  helper.it("gets a buffer back that is collected, or that an operation still uses", function()
    local ring = core.default()
    local a, b, _ <close> = raw_pair()
    local br <close> = assert(ring:setup_buf_ring(1, 9, 0, 32))
    assert(op.send(a, "hello"))
    assert(op.recv(b, br))
    collectgarbage()
    collectgarbage()
    assert.equal(1, br:available())
    assert(op.send(a, "hello"))
    local buffer = assert(op.recv(b, br))
    local task = core.spawn(function() return op.recv(a, buffer) end)
    core.yield()
    buffer:release()
    assert.equal(0, br:available()) -- the kernel still writes into it
    assert(op.send(b, "x"))
    assert.equal(1, task:join())
    assert.equal(1, br:available())
  end)

  helper.it("keeps the memory of borrowed buffers when it is closed, or its ring is", function()
    local ring = assert(core.ring())
    local a, b, _ <close> = raw_pair()
    local br = assert(ring:setup_buf_ring(2, 9, 0, 32))
    assert(op.send(a, "hello"))
    ring:get_sqe():prep_recv(b, nil):set_buf_group(9):set_flags(SELECT)
    local cqe = complete(ring)
    local buffer <close> = br:buffer(cqe)
    assert(br:close())
    assert.equal("hello", buffer:string())
    helper.raises("buffer ring is closed", br.available, br)
    ring:close()
    assert.equal("hello", buffer:string())
    assert.is_true(br:close())
  end)

  helper.it("has none for an operation when the script has them all", function()
    local ring = core.default()
    local a, b, _ <close> = raw_pair()
    local br <close> = assert(ring:setup_buf_ring(1, 9, 0, 4))
    assert(op.send(a, "12345678"))
    local first = assert(op.recv(b, br))
    helper.fails("ENOBUFS", ("recv fd %d: No buffer space available"):format(b:fileno()),
      op.recv(b, br))
    first:release()
    local second <close> = assert(op.recv(b, br))
    assert.equal("5678", second:string())
  end)

  helper.it("gets back what came for an operation that was cancelled", function()
    local ring = core.default()
    local a, b, _ <close> = raw_pair()
    local br <close> = assert(ring:setup_buf_ring(4, 9, 0, 32))
    for i = 1, helper.scale(60) do
      local task = core.spawn(function() return op.recv(b, br) end)
      core.yield()
      if i % 3 > 0 then assert(op.send(a, "x")) end
      if i % 2 > 0 then core.yield() end
      task:cancel()
      local ok, got = pcall(task.join, task)
      if ok and type(got) == "userdata" then got:release() end
      assert.equal(4, br:available())
    end
  end)

  helper.it("may be filled in pieces", function()
    local ring = core.default()
    local a, b, _ <close> = raw_pair()
    local br <close> = assert(ring:setup_buf_ring(2, 9, core.IOU_PBUF_RING_INC, 10))
    local pieces = {}
    for i = 1, 5 do
      assert(op.send(a, ("%03d"):format(i)))
      pieces[#pieces + 1] = assert(op.recv(b, br))
      if i == 4 then pieces[#pieces + 1] = assert(op.recv(b, br)) end
    end
    local text = {}
    for i, piece in ipairs(pieces) do text[i] = piece:string() end
    assert.equal("001,002,003,0,04,005", table.concat(text, ","))
    assert.equal(1, br:available())
    pieces[1]:release()
    pieces[2]:release()
    pieces[3]:release()
    assert.equal(1, br:available())
    pieces[4]:release() -- the last of the first buffer
    assert.equal(2, br:available())
    pieces[5]:release()
    pieces[6]:release()
    assert.equal(2, br:available())
    for i = 1, 20 do -- and goes on
      assert(op.send(a, ("%02d"):format(i)))
      local got = ""
      while #got < 2 do
        local piece <close> = assert(op.recv(b, br))
        got = got .. piece:string()
      end
      assert.equal(("%02d"):format(i), got)
    end
  end)

  helper.it("gives several buffers to one receive", function()
    local ring = core.default()
    local a, b, _ <close> = raw_pair()
    local br <close> = assert(ring:setup_buf_ring(8, 9, 0, 10))
    local own <close> = assert(core.ring())
    local raw = assert(own:setup_buf_ring(8, 9, 0, 10))
    local text = "0123456789abcdefghijABCDEFGHIJxyz"
    for _ = 1, 10 do
      assert(op.send(a, text))
      own:get_sqe():prep_recv(b, nil):set_buf_group(raw):set_flags(SELECT)
        :set_ioprio(core.IORING_RECVSEND_BUNDLE)
      local cqe = complete(own)
      local got, n = raw:string(cqe), cqe.res
      raw:recycle(cqe)
      while n < #text do -- it takes what it has, the rest comes later
        own:get_sqe():prep_recv(b, nil):set_buf_group(raw):set_flags(SELECT)
          :set_ioprio(core.IORING_RECVSEND_BUNDLE)
        cqe = complete(own)
        got, n = got .. raw:string(cqe), n + cqe.res
        raw:recycle(cqe)
      end
      assert.equal(text, got)
      assert.equal(8, raw:available())
    end
    assert.equal(8, br:available())
  end)

  helper.it("ends with the ring while operations wait for it", function()
    local ring = assert(core.ring())
    local a, b, _ <close> = raw_pair()
    local br = assert(ring:setup_buf_ring(2, 9, 0, 32))
    for _ = 1, 4 do
      ring:get_sqe():prep_recv(b, nil):set_buf_group(br):set_flags(SELECT)
    end
    ring:submit()
    assert(op.send(a, "x"))
    ring:close()
    assert.is_true(br:close())
  end)

  helper.it("stays when its object is collected", function()
    local ring <close> = assert(core.ring())
    local a, b, _ <close> = raw_pair()
    assert(ring:setup_buf_ring(2, 9, 0, 32))
    collectgarbage()
    collectgarbage()
    assert(op.send(a, "hello"))
    ring:get_sqe():prep_recv(b, nil):set_buf_group(9):set_flags(SELECT)
    local cqe = complete(ring)
    assert.equal(5, cqe.res)
    assert(ring:unregister_buf_ring(9))
    helper.raises("no buffer ring", ring.unregister_buf_ring, ring, 9)
  end)
end)

describe("reads that return strings", function()
  -- Many wait at once, so that they share provided buffers.
  local function crowd(n, f)
    local pairs_, tasks = {}, {}
    for i = 1, n do
      local r, w = assert(op.pipe())
      pairs_[i] = { r, w }
      tasks[i] = core.spawn(f, r, i)
    end
    core.sleep(0.005)
    return pairs_, tasks
  end

  local function close(list)
    for _, ends in ipairs(list) do
      ends[1]:close()
      ends[2]:close()
    end
  end

  helper.it("get their own bytes, all at once, each from where it reads", function()
    local n <const> = helper.scale(400) + 150
    local ends, tasks = crowd(n, function(r) return op.read(r, 4096) end)
    for round = 1, 2 do
      for i = 1, n do assert(op.write(ends[i][2], ("%d:%d"):format(round, i))) end
      for i = 1, n do
        assert.equal(("%d:%d"):format(round, i), tasks[i]:join())
        tasks[i] = core.spawn(function() return op.read(ends[i][1], 1024) end)
      end
      core.sleep(0.005)
    end
    for i = 1, n do
      ends[i][2]:close()
      assert.equal("", tasks[i]:join())
    end
    close(ends)
  end)

  helper.it("are cancelled without losing a byte", function()
    local n <const> = 300
    local ends, tasks = crowd(n, function(r) return op.read(r, 4096) end)
    for i = 1, n do
      if i % 2 == 0 then assert(op.write(ends[i][2], "hello")) end
      if i % 3 == 0 then tasks[i]:cancel() end
    end
    for i = 1, n do
      local got
      if i % 2 == 1 and i % 3 ~= 0 then assert(op.write(ends[i][2], "late")) end
      local ok, data = pcall(tasks[i].join, tasks[i])
      if ok then got = data
      elseif i % 2 == 0 then got = op.read(ends[i][1], 4096) end
      if i % 2 == 0 then assert.equal("hello", got)
      elseif ok then assert.equal("late", got) end
    end
    close(ends)
  end)

  helper.it("work on sockets, with and without more to come", function()
    local n <const> = 200
    local socks, tasks = {}, {}
    for i = 1, n do
      local a, b = helper.pair()
      socks[i] = { a, b }
      tasks[i] = core.spawn(function()
        local got = {}
        while true do
          local data = assert(op.recv(b, 1000))
          if data == "" then return table.concat(got) end
          got[#got + 1] = data
        end
      end)
    end
    core.sleep(0.005)
    local text = ("0123456789"):rep(300)
    for i = 1, n do assert(op.send(socks[i][1], text)) end
    core.sleep(0.005)
    for i = 1, n do assert(op.send(socks[i][1], text)) end
    for i = 1, n do
      socks[i][1]:close()
      assert.equal(text .. text, tasks[i]:join())
    end
    close(socks)
  end)

  helper.it("hold no memory while they wait", function()
    helper.prints("little\n", [[
      local core = require "uring.core"
      local op = core.op
      local function rss()
        for line in io.lines "/proc/self/status" do
          local n = line:match "^VmRSS:%s+(%d+)"
          if n then return tonumber(n) end
        end
      end
      local N = 3000
      core.spawn(function()
        local r, w = op.pipe()
        collectgarbage()
        local before = rss()
        for i = 1, N do core.spawn(op.read, r, 4096) end
        core.sleep(0.05)
        collectgarbage()
        local each = (rss() - before) / N
        print(each < 4.8 and "little" or each)
        w:close()
      end):join()
    ]])
  end)
end)

-- The kernel waits with such a buffer, until there is data.
describe("an entry that has named a group before there was one", function()
  helper.main_it("keeps the buffer that it takes when the group is gone", function()
    local ring <close> = assert(core.ring())
    local r, w = assert(op.pipe())
    local _ <close> = helper.closing(r, w)
    ring:get_sqe():prep_read(r, nil, 4096):set_buf_group(7)
      :set_flags(SELECT | core.IOSQE_ASYNC)
    local br = assert(ring:setup_buf_ring(1, 7, 0, 32 << 20)) -- so much is unmapped
    ring:submit()
    core.sleep(0.05)
    br:close()
    br = nil -- luacheck: ignore 311
    collectgarbage()
    collectgarbage()
    assert.equal(5, op.write(w, "hello"))
    assert.equal(5, assert(ring:wait_cqe(2)).res)
  end)

  helper.main_it("gives it back to the group", function()
    local ring <close> = assert(core.ring())
    local a, b, _ <close> = raw_pair()
    ring:get_sqe():prep_recv(b, nil):set_buf_group(7):set_flags(SELECT)
    local br = assert(ring:setup_buf_ring(2, 7, 0, 64))
    assert(op.send(a, "hello"))
    local cqe = complete(ring)
    assert.equal(1, br:available())
    assert.equal("hello", br:string(cqe))
    br:recycle(cqe)
    assert.equal(2, br:available())
  end)
end)

describe("a buffer that was provided otherwise, under the same number,", function()
  -- The number is beyond all that the ring's memory has.
  local function foreign(name, f)
    helper.main_it(name, function()
      local ring <close> = assert(core.ring())
      local a, b, _ <close> = raw_pair()
      local memory <const> = core.buffer(64)
      f(ring, b, function(id)
        ring:get_sqe():prep_provide_buffers(memory, 64, 1, 3, id)
        assert.equal(0, complete(ring).res)
        assert.equal(5, op.send(a, "hello"))
      end)
      assert.equal("hello", memory:string(1, 5))
    end)
  end

  foreign("comes to an entry of the raw layer", function(ring, b, provide)
    local br = assert(ring:setup_buf_ring(4, 3, 0, 64))
    ring:get_sqe():prep_recv(b, nil):set_buf_group(br):set_flags(SELECT)
    ring:submit()
    br:close()
    provide(60000)
    local cqe = assert(ring:wait_cqe(5))
    assert.same({ 5, 60000 }, { cqe.res, cqe.buffer_id })
  end)

  foreign("comes before there is a buffer ring", function(ring, b, provide)
    provide(70)
    ring:get_sqe():prep_recv(b, nil):set_buf_group(3):set_flags(SELECT)
    ring:enter(nil, 1, core.IORING_ENTER_GETEVENTS)
    local br = assert(ring:setup_buf_ring(4, 3, 0, 64))
    local cqe = assert(ring:wait_cqe(5))
    assert.same({ 5, 70 }, { cqe.res, cqe.buffer_id })
    assert.equal(4, br:available())
  end)

  foreign("comes to an await", function(ring, b, provide)
    local br = assert(ring:setup_buf_ring(4, 3, 0, 64))
    local task = ring:spawn(op.recv, b, br)
    ring:step(0)
    ring:step(0)
    br:close()
    provide(60000)
    assert.equal(5, task:join())
  end)

  foreign("comes to a multishot", function(ring, b, provide)
    local br = assert(ring:setup_buf_ring(4, 3, 0, 64))
    local shots
    ring:spawn(function() shots = op.recv_multishot(b, br) end):join()
    ring:step(0)
    br:close()
    provide(60000)
    assert.equal("", ring:spawn(function() return shots() end):join())
    ring:spawn(shots.close, shots):join()
  end)
end)
