-- uring.coroutine: the standard library where nothing waits, and generators
-- that wait where the standard library's cannot.

local uring = require "uring"
local core = require "uring.core"
local helper = require "spec.helper"

local op <const> = uring.op
local it <const>, main_it <const> = helper.scoped, helper.main_it
local raises <const> = helper.raises
local coro <const>, stock <const> = uring.coroutine, uring.coroutine.original

local function was_cancelled(ok, value)
  assert.is_false(ok)
  assert.is_true(value == uring.cancelled, tostring(value))
end

local function pipe()
  local r, w = core.sock.pipe()
  return r, w, helper.closing(r, w)
end

-- ---- the same as the standard library ---------------------------------------

-- Each case gets a library, and what it returns must be the same with both.
local same <const> = {
  ["values in and out"] = function(c)
    local co = c.create(function(...)
      local a = table.pack(c.yield(select("#", ...), ...))
      local b = table.pack(c.yield(a.n, table.unpack(a, 1, a.n)))
      return b.n, nil, nil
    end)
    return { c.resume(co, 1, nil, nil) }, { c.resume(co) }, { c.resume(co, nil, "x") },
      table.pack(c.resume(co)), c.status(co)
  end,
  ["many values"] = function(c)
    local co = c.wrap(function(...)
      for _ = 1, 3 do c.yield(...) end
    end)
    return select("#", co(table.unpack({}, 1, 5000))), select("#", co())
  end,
  ["a generator"] = function(c)
    local sum = 0
    for i, j in c.wrap(function() for i = 1, 10 do c.yield(i, -i) end end) do
      sum = sum + i * 100 + j
    end
    return sum
  end,
  ["an error"] = function(c)
    local co = c.create(function() error "oops" end)
    local ok, err = c.resume(co)
    return ok, err, c.status(co), c.resume(co)
  end,
  ["an error that is no string"] = function(c)
    local co = c.create(function() error { 1, 2 } end)
    local f = c.wrap(function() error { 3 } end)
    local g = c.wrap(function() error() end)
    return { c.resume(co) }, { pcall(f) }, table.pack(pcall(g))
  end,
  ["an error through wrap, with its place"] = function(c)
    local f = c.wrap(function() c.yield(1) error "oops" end)
    f()
    return { pcall(f) }, { pcall(f) }
  end,
  ["an error without a place through wrap"] = function(c)
    local f = c.wrap(function() error("bare", 0) end)
    return { pcall(f) }, { pcall(function() return f() end) }
  end,
  ["an error with variables to close, in wrap"] = function(c)
    local log = {}
    local f = c.wrap(function()
      local _ <close> = setmetatable({}, { __close = function(_, e) log[#log + 1] = e end })
      error("oops", 0)
    end)
    local ok, err = pcall(f)
    return ok, err, log
  end,
  ["an error in closing a variable, in wrap"] = function(c)
    local f = c.wrap(function()
      local _ <close> = setmetatable({}, { __close = function() error("second", 0) end })
      error("first", 0)
    end)
    return pcall(f)
  end,
  ["an error with variables to close, in resume and close"] = function(c)
    local log = {}
    local co = c.create(function()
      local _ <close> = setmetatable({}, { __close = function(_, e) log[#log + 1] = e end })
      error("oops", 0)
    end)
    local ok, err = c.resume(co)
    return ok, err, #log, { c.close(co) }, log
  end,
  ["resume of a dead one"] = function(c)
    local co = c.create(function() end)
    c.resume(co)
    return { c.resume(co) }, { c.resume(co, 1, 2, 3) }, c.status(co)
  end,
  ["wrap of a dead one"] = function(c)
    local f = c.wrap(function() end)
    f()
    return { pcall(f) }, { pcall(f, 1, 2) }
  end,
  ["resume of itself"] = function(c)
    local co
    co = c.create(function() return c.resume(co, "x") end)
    return c.resume(co)
  end,
  ["wrap of itself"] = function(c)
    local f
    f = c.wrap(function() return pcall(f) end)
    return f()
  end,
  ["resume of a normal one"] = function(c)
    local outer, status
    outer = c.create(function()
      local inner = c.create(function()
        status = c.status(outer)
        return c.resume(outer, 1)
      end)
      return c.resume(inner)
    end)
    return { c.resume(outer) }, status
  end,
  ["a wrapped one that calls the one outside it"] = function(c)
    local f, co
    f = c.wrap(function()
      co = c.running()
      return c.wrap(function() return c.status(co), pcall(f) end)()
    end)
    local results = { f() }
    return results, { c.wrap(function()
      return c.wrap(function() return c.resume(co) end)()
    end)() }
  end,
  ["status"] = function(c)
    local log = {}
    local co
    co = c.create(function()
      log[#log + 1] = c.status(co)
      c.wrap(function() log[#log + 1] = c.status(co) end)()
      c.yield()
    end)
    log[#log + 1] = c.status(co)
    c.resume(co)
    log[#log + 1] = c.status(co)
    c.resume(co)
    log[#log + 1] = c.status(co)
    return log
  end,
  ["running and isyieldable"] = function(c)
    local co
    co = c.create(function()
      local running, main = c.running()
      local inner
      string.gsub("x", "x", function() inner = c.isyieldable() end)
      return running == co, main, c.isyieldable(), inner, c.isyieldable(co)
    end)
    return c.isyieldable(co), { c.resume(co) }
  end,
  ["close of a new, a suspended, a finished one"] = function(c)
    local log = {}
    local function new()
      return c.create(function()
        local _ <close> = setmetatable({}, { __close = function(_, e)
          log[#log + 1] = tostring(e)
        end })
        c.yield()
      end)
    end
    local a, b, d = new(), new(), new()
    c.resume(b)
    c.resume(d)
    c.resume(d)
    return { c.close(a) }, { c.close(b) }, { c.close(d) }, log,
      c.status(a), c.status(b), { c.resume(b) }
  end,
  ["close with an error"] = function(c)
    local co = c.create(function()
      local _ <close> = setmetatable({}, { __close = function() error("in close", 0) end })
      c.yield()
    end)
    c.resume(co)
    return { c.close(co) }, { c.close(co) }
  end,
  ["close of itself, and of a normal one"] = function(c)
    local co
    co = c.create(function()
      local one = { pcall(c.close, co) }
      local other = c.wrap(function() return { pcall(c.close, co) } end)()
      return one, other
    end)
    return c.resume(co)
  end,
  ["yield across pcall and metamethods"] = function(c)
    local t = setmetatable({}, { __index = function(_, k) return c.yield(k) end,
      __add = function() return c.yield "add" end })
    local co = c.wrap(function()
      local _, v = pcall(function() return t.field end)
      local w = t + 1
      return v, w
    end)
    return co(), co "a", { co "b" }
  end,
  ["yield where Lua cannot"] = function(c)
    local co = c.create(function()
      return string.gsub("x", "x", function() c.yield() end)
    end)
    return c.resume(co)
  end,
  ["wrong arguments"] = function(c)
    local log = {}
    for _, name in ipairs { "create", "wrap", "resume", "status", "close" } do
      for _, value in ipairs { 1, "x", {}, false } do
        log[#log + 1] = select(2, pcall(c[name], value))
      end
      log[#log + 1] = select(2, pcall(c[name]))
    end
    return log
  end,
  ["wrap as an iterator that is left"] = function(c)
    local n = 0
    for i in c.wrap(function() for i = 1, 100 do c.yield(i) end end) do
      n = i
      if i == 3 then break end
    end
    collectgarbage()
    return n
  end,
  ["coroutines in coroutines"] = function(c)
    local function tree(depth)
      return c.wrap(function()
        if depth > 0 then
          for v in tree(depth - 1) do c.yield(v) end
          c.yield(depth)
          for v in tree(depth - 1) do c.yield(v) end
        end
      end)
    end
    local list = {}
    for v in tree(5) do list[#list + 1] = v end
    return list
  end,
  ["a stack overflow"] = function(c)
    local co = c.create(function()
      local function deep() return 1 + deep() end
      return deep()
    end)
    local ok, err = c.resume(co)
    return ok, (err:find("stack overflow", 1, true))
  end,
  ["too many coroutines inside each other"] = function(c)
    local function deep(n) return c.wrap(function() return deep(n + 1) end)() end
    local ok, err = pcall(deep, 1)
    return ok, (err:find("C stack overflow", 1, true) ~= nil)
  end,
}

-- The addresses of objects differ, and functions are named by their module.
local function plain(value)
  if type(value) == "string" then
    return (value:gsub("0x%x+", "0x"):gsub("'[%a.]*coroutine%.", "'"))
  end
  if type(value) ~= "table" then return value end
  local copy = {}
  for k, v in pairs(value) do copy[k] = plain(v) end
  return copy
end

describe("uring.coroutine is the standard library:", function()
  local names = {}
  for name in pairs(same) do names[#names + 1] = name end
  table.sort(names)

  for _, name in ipairs(names) do
    local function compare()
      local expected = plain(table.pack(same[name](stock)))
      assert.same(expected, plain(table.pack(same[name](coro))))
      local global = same[name](coroutine)
      assert.same(expected[1], plain(global))
    end
    it(name, compare)
    main_it(name .. ", outside tasks", compare)
    it(name .. ", inside a generator", function() coro.wrap(compare)() end)
  end

  main_it("has every function of it", function()
    for name, f in pairs(coroutine) do
      assert.is_function(coro[name])
      assert.equal(f, stock[name])
    end
  end)
end)

-- ---- waiting ----------------------------------------------------------------

-- A generator of the numbers that are read from r, each a byte.
local function bytes(r)
  return coro.wrap(function()
    while true do
      local byte = assert(op.read(r, 1))
      if byte == "" then return end
      coro.yield(byte:byte())
    end
  end)
end

describe("a generator", function()
  it("waits for operations, sleeps, parks and joins", function()
    local r, w <const>, _ <close> = pipe()
    local other = uring.spawn(function() uring.sleep(0.001) return "joined" end)
    local channel = uring.channel()
    local event = uring.event()
    uring.spawn(function()
      uring.sleep(0.001)
      op.write(w, "data")
      channel:send "item"
      event:set()
    end)
    local values = {}
    for value in coro.wrap(function()
      coro.yield(op.read(r, 10))
      coro.yield(channel:recv())
      coro.yield(event:wait())
      coro.yield(uring.sleep(0.001))
      coro.yield(uring.yield())
      coro.yield(other:join())
      coro.yield(uring.timeout(10, uring.sleep, 0.001))
      coro.yield((select(2, uring.timeout(0.001, uring.sleep, 1000))))
      coro.yield(uring.select { 0.001 })
      coro.yield(uring.scope(function(s) return s:spawn(op.nop):join() end))
    end) do
      values[#values + 1] = value
    end
    assert.same({ "data", "item", true, true, true, "joined", true, "timed out", 1, 0 },
      values)
  end)

  it("lets other tasks run meanwhile", function()
    local ran = 0
    local other = uring.spawn(function()
      for _ = 1, 5 do
        ran = ran + 1
        uring.yield()
      end
    end)
    local generator = coro.wrap(function()
      uring.sleep(helper.torture and 1 or 0.01)
      coro.yield(ran)
    end)
    assert.equal(5, generator())
    other:join()
  end)

  it("works three levels deep, with values at each", function()
    local r, w <const>, _ <close> = pipe()
    local function pairs_of(source)
      return coro.wrap(function()
        for a in source do
          uring.sleep(0)
          coro.yield(a, source())
        end
      end)
    end
    local function sums(source)
      return coro.wrap(function()
        for a, b in source do
          op.nop()
          coro.yield(a + b)
          uring.yield()
        end
        return nil
      end)
    end
    uring.spawn(function()
      for i = 1, 10 do
        op.write(w, string.char(i))
        uring.sleep(0.0002)
      end
      w:close()
    end)
    local got = {}
    for sum in sums(pairs_of(bytes(r))) do got[#got + 1] = sum end
    assert.same({ 3, 7, 11, 15, 19 }, got)
  end)

  it("may be dropped half way and collected, at every level", function()
    local r, w <const>, _ <close> = pipe()
    local alive = setmetatable({}, { __mode = "v" })
    local function level(n)
      local co = coro.create(function()
        while true do
          local value = n == 0 and op.read(r, 1) or nil
          if n > 0 then
            local ok
            ok, value = coro.resume(level(n - 1))
            assert(ok, value)
          end
          uring.sleep(0)
          coro.yield(value .. n)
        end
      end)
      alive[#alive + 1] = co
      return co
    end
    for _ = 1, helper.scale(40) do
      op.write(w, "x")
      local co = level(2)
      assert.same({ true, "x012" }, { coro.resume(co) })
      co = nil                           -- luacheck: ignore
      uring.yield()
    end
    collectgarbage()
    collectgarbage()
    assert.is_nil(next(alive))
  end)

  it("passes errors outward, also after a wait", function()
    local value = {}
    local co = coro.create(function()
      op.nop()
      coro.wrap(function() uring.sleep(0) error(value) end)()
    end)
    assert.same({ false, value }, { coro.resume(co) })
    assert.equal("dead", coro.status(co))
    local f = coro.wrap(function() op.nop() error "oops" end)
    raises("coroutine_spec.lua", f)
    local task = uring.spawn(function()
      coro.wrap(function() op.nop() error("deep", 0) end)()
    end)
    raises("deep", task.join, task)
    -- and the task is at its level again
    assert.equal(0, op.nop())
    assert.equal(0, coro.wrap(op.nop)())
  end)

  it("may catch an error around a wait", function()
    local f = coro.wrap(function()
      local ok, err = pcall(function() op.nop() error("inner", 0) end)
      coro.yield(ok, err)
      return pcall(coro.wrap(function() uring.sleep(0) error("innermost", 0) end))
    end)
    assert.same({ false, "inner" }, { f() })
    assert.same({ false, "innermost" }, { f() })
  end)

  it("closes its variables as a task does: others run while that waits", function()
    local channel, log = uring.channel(), {}
    local other = uring.spawn(function() log[#log + 1] = channel:recv() end)
    local f = coro.wrap(function()
      local _ <close> = setmetatable({}, { __close = function(_, err)
        channel:send(err)
        uring.scope(function(s) s:spawn(function() log[#log + 1] = "in a scope" end) end)
      end })
      op.nop()
      error("oops", 0)
    end)
    raises("oops", f)
    other:join()
    assert.same({ "oops", "in a scope" }, log)
    raises("dead coroutine", f)
    -- and when its task is cancelled
    local task = uring.spawn(function()
      coro.wrap(function()
        local _ <close> = setmetatable({}, { __close = function()
          uring.shield(channel.send, channel, "bye")
        end })
        uring.sleep(1000)
      end)()
    end)
    uring.yield()
    task:cancel()
    assert.equal("bye", channel:recv())
    was_cancelled(pcall(task.join, task))
  end)

  it("closes its variables when it fails after a wait", function()
    local log = {}
    local f = coro.wrap(function()
      local _ <close> = setmetatable({}, { __close = function(_, err)
        log[#log + 1] = err
        log[#log + 1] = op.nop()
      end })
      op.nop()
      error("oops", 0)
    end)
    assert.same({ false, "oops" }, { pcall(f) })
    assert.same({ "oops", 0 }, log)
  end)

  it("is cancelled with its task", function()
    local log = {}
    local task = uring.spawn(function()
      local f = coro.wrap(function()
        local g = coro.wrap(function()
          local ok, value = pcall(uring.sleep, 1000)
          log[#log + 1] = "inner"
          was_cancelled(ok, value)
          uring.sleep(1000)
        end)
        local ok, value = pcall(g)
        log[#log + 1] = "outer"
        was_cancelled(ok, value)
        log[#log + 1] = uring.shield(function() uring.sleep(0) return "cleaned" end)
        error(value, 0)
      end)
      f()
    end)
    uring.sleep(0.001)
    task:cancel()
    was_cancelled(pcall(task.join, task))
    assert.same({ "inner", "outer", "cleaned" }, log)
  end)

  it("keeps what it has read when it is cancelled then, and loses nothing", function()
    for turns = 0, 4 do
      local r, w <const>, _ <close> = pipe()
      local got
      local task = uring.spawn(function()
        for byte in bytes(r) do got = byte end
      end)
      for _ = 1, turns do uring.yield() end
      op.write(w, "x")
      task:cancel()
      was_cancelled(pcall(task.join, task))
      local rest = got and "" or op.read(r, 10)
      assert.equal("x", (got and string.char(got) or "") .. rest)
    end
  end)

  it("can be handed from task to task", function()
    local r, w <const>, _ <close> = pipe()
    local generator = bytes(r)
    local values = {}
    uring.scope(function(s)
      s:spawn(function()
        for i = 1, 6 do op.write(w, string.char(i)) uring.yield() end
      end)
      for _ = 1, 3 do
        s:spawn(function()
          values[#values + 1] = generator()
          values[#values + 1] = generator()
        end):join()
      end
    end)
    assert.same({ 1, 2, 3, 4, 5, 6 }, values)
  end)

  it("begun outside a task goes on inside, and the other way round", function()
    local ring <close> = assert(core.ring())
    local function new()
      return coro.wrap(function()
        for i = 1, 4 do
          op.nop()
          coro.yield(i)
        end
      end)
    end
    local f = new()
    assert.equal(1, f())
    local got
    ring:spawn(function() got = f() end)
    local task = uring.spawn(function() return f(), f() end)
    assert.same({ 2, 3 }, { task:join() })
    assert.is_nil(got)
  end)

  main_it("waits in the main chunk, too", function()
    local r, w <const>, _ <close> = pipe()
    uring.spawn(function()
      for i = 1, 3 do
        uring.sleep(0.001)
        op.write(w, string.char(i))
      end
      w:close()
    end)
    local values = {}
    for byte in bytes(r) do values[#values + 1] = byte end
    assert.same({ 1, 2, 3 }, values)
  end)

  it("waits in place inside a gsub, and goes on waiting as before", function()
    local r, w <const>, _ <close> = pipe()
    op.write(w, "abc")
    local generator = coro.wrap(function()
      while true do coro.yield(assert(op.read(r, 1))) end
    end)
    assert.equal("a-b", (("x-x"):gsub("x", function() return generator() end)))
    uring.yield()
    assert.equal("c", generator())
    local inside = coro.wrap(function()
      local text = ("x"):gsub("x", function() return op.nop() end)
      uring.sleep(0)
      coro.yield(text)
      return (("xx"):gsub("x", coro.wrap(function()
        while true do
          uring.sleep(0)
          coro.yield "y"
        end
      end)))
    end)
    assert.equal("0", inside())
    assert.equal("yy", inside())
  end)

  it("works in a hundred tasks at once", function()
    local n <const> = helper.scale(100)
    local total = 0
    uring.scope(function(s)
      for i = 1, n do
        s:spawn(function()
          local inner = coro.wrap(function()
            for j = 1, 10 do
              if (i + j) % 3 == 0 then uring.sleep(0.0001 * (i % 5)) else op.nop() end
              coro.yield(j)
            end
          end)
          for j in coro.wrap(function()
            for j in inner do
              uring.yield()
              coro.yield(j)
            end
          end) do
            total = total + j
          end
        end)
      end
    end)
    assert.equal(55 * n, total)
  end)

  it("may be very deep, as far as Lua's C stack goes", function()
    local function nest(n)
      if n == 0 then
        uring.sleep(0)
        return op.nop()
      end
      return coro.wrap(nest)(n - 1)
    end
    assert.equal(0, nest(50))
    local ok, err = pcall(nest, 1000)
    assert.is_false(ok)
    assert.matches("C stack overflow", err)
    assert.equal(0, nest(50))
  end)

  it("is named by dump where it waits", function()
    local task = uring.spawn(function()
      coro.wrap(function() uring.sleep(1000) end)()
    end)
    uring.yield()
    assert.matches("coroutine_spec.lua", task:traceback(), 1, true)
    assert.matches("sleep", uring.dump(), 1, true)
    task:cancel()
  end)
end)

describe("a coroutine in a scope of its own", function()
  local refusal <const> = "cannot yield inside a scope, timeout or shield that this coroutine " ..
                          "has opened"

  for name, open in pairs {
    scope = uring.scope, run = uring.run, shield = uring.shield,
    timeout = function(f) return uring.timeout(10, f) end,
    ["shield in a scope"] = function(f) return uring.scope(function() uring.shield(f) end) end,
  } do
    it("cannot yield: " .. name, function()
      local before <const> = core.owner()
      local closed = false
      local generator = coro.wrap(function()
        open(function()
          local _ <close> = setmetatable({}, { __close = function()
            uring.sleep(0)
            closed = true
          end })
          coro.yield "out"
        end)
      end)
      helper.raises(refusal, generator)
      assert.is_true(closed)
      assert.equal(before, core.owner())
    end)
  end

  it("can yield before and after it, and in a coroutine inside it", function()
    local generator = coro.wrap(function()
      coro.yield(1)
      uring.scope(function()
        pcall(coro.yield, "no")
        uring.timeout(10, uring.sleep, 0)
        pcall(coro.yield, "no")
        local inner = coro.wrap(function()
          coro.yield(2)
          uring.shield(uring.sleep, 0)
          coro.yield(3)
        end)
        assert.equal(2, inner())
        assert.equal(3, inner())
      end)
      pcall(uring.scope, error)
      coro.yield(4)
    end)
    assert.equal(1, generator())
    uring.scope(function() assert.equal(4, generator()) end)
    generator()
  end)

  it("can, too, in a task that nobody owns", function()
    local task = core.spawn(function()
      local generator = coro.wrap(function()
        uring.shield(uring.sleep, 0)
        coro.yield "after"
        uring.scope(coro.yield)
      end)
      assert.equal("after", generator())
      return pcall(generator)
    end)
    local ok, err = task:join()
    assert.is_false(ok)
    assert.matches(refusal, err, 1, true)
  end)

  it("does not hinder the one that has resumed it", function()
    coro.wrap(function()
      local generator = coro.wrap(function() uring.scope(coro.yield) end)
      pcall(generator)
      coro.yield()
    end)()
  end)
end)

describe("a coroutine that waits", function()
  -- A task whose coroutine 'co' waits in f, which has been called with co.
  local function waiting(f)
    local co = coro.create(f)
    local task = uring.spawn(function() return coro.resume(co, co) end)
    uring.yield()
    return task, co
  end

  it("is suspended, and cannot be resumed by others", function()
    local event = uring.event()
    local task, co = waiting(function() event:wait() return "done" end)
    assert.equal("suspended", coro.status(co))
    assert.same({ false, "cannot resume a coroutine that waits for an operation" },
      { coro.resume(co, "x") })
    assert.is_true((stock.resume(co, "x")))      -- changes nothing
    assert.is_true((stock.resume(co)))
    event:set()
    assert.same({ true, "done" }, { task:join() })
    assert.equal("dead", coro.status(co))
  end)

  it("cannot be resumed by wrap's function either", function()
    local event = uring.event()
    local f = coro.wrap(function() event:wait() return "done" end)
    local task = uring.spawn(f)
    uring.yield()
    raises("cannot resume a coroutine that waits for an operation", f)
    event:set()
    assert.equal("done", task:join())
    raises("cannot resume dead coroutine", f)
  end)

  it("cannot be closed", function()
    local event = uring.event()
    local task, co = waiting(function() event:wait() return "done" end)
    raises("cannot close a coroutine that waits for an operation", coro.close, co)
    event:set()
    task:join()
    assert.is_true(coro.close(co))
  end)

  for _, case in ipairs {
    { "sleeps", function() uring.sleep(0.002) end },
    { "waits for an operation", function() op.timeout(0.002) end },
    { "is parked", function() core.park(0.002) end },
    { "is parked and woken with values", function(_, park) park(1, 2, 3) end },
    { "yields", function() uring.yield() uring.yield() end },
    { "waits two levels down", function()
      coro.wrap(function() coro.wrap(uring.sleep)(0.002) end)()
    end },
  } do
    local name <const>, f <const> = case[1], case[2]

    it("that a stranger closes while it " .. name .. " is dead to its task", function()
      local parked
      local task, co = waiting(function(self)
        f(self, function()
          parked = uring.current()
          core.park()
        end)
      end)
      if parked then parked:wake(1, 2, 3) end
      assert.is_true((stock.close(co)))
      collectgarbage()
      collectgarbage()
      assert.is_string(uring.dump())
      assert.is_string(task:traceback())
      assert.is_string((task:waiting()))
      local ok, err = task:join()
      assert.is_false(ok)
      assert.matches("cannot resume dead coroutine", err)
      assert.equal(0, op.nop())
    end)

    it("whose task a stranger closes while it " .. name .. " is lost with it", function()
      local parked, outer
      local task = uring.spawn(function()
        outer = coro.running()
        coro.wrap(function(self)
          f(self, function()
            parked = uring.current()
            core.park()
          end)
        end)()
      end)
      uring.yield()
      assert.is_true((stock.close(outer)))
      collectgarbage()
      collectgarbage()
      assert.is_string(uring.dump())
      assert.is_string((task:waiting()))
      if parked then parked:wake(1, 2, 3) end
      collectgarbage()
      raises("somebody has closed the task's coroutine", task.join, task)
    end)
  end

  it("is put down when a level between it and its task is closed", function()
    local middle
    local task = uring.spawn(function()
      local ok, err = coro.resume(coro.create(function()
        middle = coro.running()
        coro.wrap(function() coro.wrap(core.park)() end)()
      end))
      return ok, err
    end)
    uring.yield()
    stock.close(middle)
    middle = nil                         -- luacheck: ignore
    collectgarbage()
    collectgarbage()
    assert.is_string(uring.dump())
    task:wake(1, 2, 3)
    local ok, err = task:join()
    assert.is_false(ok)
    assert.matches("cannot resume dead coroutine", err)
  end)

  it("is resumed by no stranger, from another task either", function()
    local r, w <const>, _ <close> = pipe()
    local task, co = waiting(function() return op.read(r, 10) end)
    uring.spawn(function()
      for _ = 1, 3 do
        assert.is_true((stock.resume(co, 1, 2)))
        uring.yield()
      end
    end):join()
    op.write(w, "data")
    assert.same({ true, "data" }, { task:join() })
  end)

  it("of the standard library raises, and says what to do", function()
    local f = stock.wrap(function() return pcall(coro.wrap(op.nop)) end)
    local ok, err = f()
    assert.is_false(ok)
    assert.matches("cannot wait inside a coroutine of the standard library", err, 1, true)
    assert.matches("uring.coroutine.install()", err, 1, true)
    assert.equal(0, op.nop())
    assert.equal(0, coro.wrap(op.nop)())
  end)

  main_it("may be left behind by a program that ends", function()
    helper.prints("", [[
      local uring = require "uring"
      local coro = uring.coroutine
      uring.spawn(function()
        coro.wrap(function() coro.wrap(uring.sleep)(1000) end)()
      end)
      uring.spawn(function()
        coro.wrap(function() uring.op.timeout(1000) end)()
      end)
      uring.sleep(0.001)
    ]])
  end)
end)

describe("install", function()
  it("puts the library in place of the global one, and back", function()
    local before = {}
    for name, f in pairs(coroutine) do before[name] = f end
    local ok, err = pcall(function()
      coro.install()
      coro.install()
      assert.equal(coro.wrap, coroutine.wrap)
      assert.equal(before.wrap, coro.original.wrap)
      assert.equal(0, coroutine.wrap(function() return op.nop() end)())
      local co = coroutine.create(function() uring.sleep(0) return "slept" end)
      assert.same({ true, "slept" }, { coroutine.resume(co) })
      assert.equal("dead", coroutine.status(co))
    end)
    coro.uninstall()
    assert(ok, err)
    for name, f in pairs(before) do assert.equal(f, coroutine[name]) end
    coro.uninstall()
    assert.equal(before.wrap, coroutine.wrap)
  end)

  main_it("lets a program's generators wait", function()
    helper.prints("1 2 3\n", [[
      local uring = require "uring"
      uring.coroutine.install()
      print(uring.run(function()
        local next = coroutine.wrap(function()
          for i = 1, 3 do
            uring.sleep(0.001)
            coroutine.yield(i)
          end
        end)
        return table.concat({next(), next(), next()}, " ")
      end))
    ]])
  end)
end)
