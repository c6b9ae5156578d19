-- What becomes of an error: it comes out unchanged, with the traceback of its
-- task, and those that come after it are not lost.

local uring = require "uring"
local core = require "uring.core"
local helper = require "spec.helper"

local it <const>, main_it <const> = helper.scoped, helper.main_it
local reported <const> = helper.reported

local function closing(f) return setmetatable({}, {__close = f}) end

local function forever() uring.sleep(1000) end

-- Fails with the value at once; in a function that a traceback names.
local function culprit(value) error(value, 0) end

local function failing(value)
  return function()
    culprit(value)
    return 1                             -- so that the call above is no tail call
  end
end

-- Fails with the value when it is cancelled.
local function failing_late(value)
  return function()
    local _ <close> = closing(function() culprit(value) end)
    forever()
  end
end

-- Each value of uring.errors(err), in order; each has its traceback and task.
local function values(err)
  local list = {}
  for i, failure in ipairs(uring.errors(err)) do
    list[i] = failure.value
    assert.matches("in upvalue 'culprit'", failure.traceback, 1, true)
    assert.matches("^uring.task", tostring(failure.task))
  end
  return list
end

-- f fails with the first of the values, and the others came after it.
local function fails(expected, f, ...)
  local ok, err = pcall(f, ...)
  assert.is_false(ok)
  assert.is_true(rawequal(expected[1], err), tostring(err))
  assert.same(expected, values(err))
end

-- Wait until the task has ended, and do not ask how.
local function ended(task)
  while task:status() ~= "done" and task:status() ~= "failed" do uring.yield() end
end

-- Several tasks of a scope that fail in that order.
local function scope_of(...)
  local functions = {...}
  return uring.scope(function(s)
    for _, f in ipairs(functions) do s:spawn(f) end
  end)
end

describe("an error value", function()
  local odd = setmetatable({}, {__tostring = function() error "in __tostring" end})
  local number = setmetatable({}, {__tostring = function() return 1 end})
  local list = {"a string", 42, 1.5, true, false, {}, print, io.stdout, odd, number,
                coroutine.create(print), setmetatable({}, {__eq = function() error "in __eq" end})}
  list[0] = nil                          -- nil is the value of number 0
  for i = 0, #list do
    local value = list[i]
    local name = i == 9 and "a table whose __tostring fails"
      or i == 10 and "a table whose __tostring returns no string"
      or i == 12 and "a table whose __eq fails" or type(value) .. " " .. i

    local function same(ok, ...)
      assert.is_false(ok)
      assert.equal(1, select("#", ...))
      assert.is_true(rawequal(value, (...)))
      local failure = uring.errors((...))[1]
      assert.is_true(rawequal(value, failure.value))
      assert.matches("stack traceback:.*in upvalue 'culprit'", failure.traceback)
    end

    main_it("comes out of run as it is: " .. name, function()
      if type(value) == "string" then return end     -- which gets its traceback
      same(pcall(uring.run, failing(value)))
      same(pcall(uring.run, function()
        uring.spawn(failing(value))
        forever()
      end))
    end)

    it("comes out of a scope, a shield, a deadline and join as it is: " .. name, function()
      same(pcall(scope_of, failing(value)))
      same(pcall(uring.scope, failing(value)))
      same(pcall(uring.run, failing(value)))
      same(pcall(uring.shield, failing(value)))
      same(pcall(uring.timeout, 10, failing(value)))
      for _, f in ipairs {uring.all, uring.race} do same(pcall(f, {forever, failing(value)})) end
      for _, f in ipairs {uring.each, uring.map} do
        same(pcall(f, {1, 2}, 2, failing(value)))
      end
      local task = uring.spawn(failing(value))
      same(pcall(task.join, task))
      uring.yield()
      same(pcall(task.join, task))       -- it has ended, and has been waited for
    end)
  end
end)

describe("a traceback", function()
  it("begins where the error is, in a task, a scope and a handler", function()
    local function innermost(field) return field.missing.missing end
    local function body()
      innermost {}
      return 1
    end
    local first <const> = "attempt to index a nil value %(field 'missing'%)\n" ..
      "stack traceback:\n[^\n]*errors_spec.lua:%d+: in upvalue 'innermost'"
    for _, f in ipairs {
      function() scope_of(body) end,
      function() uring.scope(body) end,
      function() uring.shield(body) end,
      function() uring.all {body} end,
      function() uring.run(body) end,
      function() uring.spawn(body):join() end,
    } do
      local ok, err = pcall(f)
      assert.is_false(ok)
      assert.matches(first, uring.errors(err)[1].traceback)
    end
    local list = reported(function() uring.race {function() return 1 end, body} end)
    assert.matches(first, list[1].traceback)
    list = reported(function() require "uring.scope".guard(body) end)
    assert.matches(first, list[1].traceback)
  end)
end)

describe("several errors", function()
  it("of one scope come together", function()
    fails({"one", "two", "three"}, scope_of, failing "one", failing "two", failing "three")
    fails({"one", "two"}, scope_of, failing_late "two", failing "one")
  end)

  it("that are equal strings are all there", function()
    fails({"same", "same"}, scope_of, failing "same", failing "same")
  end)

  it("of nil, false and tables are all there", function()
    local a, b = {}, {}
    local ok, err = pcall(scope_of, failing(nil), failing(a), failing(false), failing(b))
    assert.is_false(ok)
    assert.is_nil(err)
    local list = uring.errors(err)
    assert.equal(4, #list)
    assert.is_nil(list[1].value)
    assert.is_true(rawequal(a, list[2].value))
    assert.is_false(list[3].value)
    assert.is_true(rawequal(b, list[4].value))
    assert.is_nil(next(a), "somebody's table has been changed")
  end)

  it("of a body and of its tasks come together", function()
    fails({"body", "task"}, uring.scope, function(s)
      s:spawn(failing_late "task")
      uring.yield()
      culprit "body"
    end)
    fails({"task", "body"}, uring.scope, function(s)
      s:spawn(failing "task")
      local _ <close> = closing(function() culprit "body" end)
      forever()
    end)
  end)

  it("of scopes inside each other come together, by way of the innermost", function()
    fails({"a", "b", "c", "d", "e", "f"}, uring.scope, function(outer)
      outer:spawn(function()
        uring.scope(function(inner)
          inner:spawn(function() scope_of(failing "a", failing "b") end)
          inner:spawn(failing_late "c")
        end)
      end)
      local other = outer:spawn(function()
        local _ <close> = closing(function()
          uring.shield(scope_of, failing "d", failing "e")
        end)
        forever()
      end)
      outer:spawn(function()
        local _ <close> = closing(function()
          uring.shield(ended, other)         -- the other one's come first
          culprit "f"
        end)
        forever()
      end)
    end)
  end)

  it("are the same for whoever raises the first one again", function()
    fails({"a", "b", "c"}, uring.scope, function(s)
      s:spawn(failing_late "c")
      uring.yield()
      local ok, err = pcall(scope_of, failing "a", failing "b")
      assert.is_false(ok)
      error(err, 0)
    end)
    fails({"a", "b"}, uring.timeout, 10, uring.shield, uring.run, scope_of, failing "a",
          failing "b")
  end)

  it("come through join, to each who waits", function()
    local task = uring.spawn(scope_of, failing "a", failing "b")
    local others = {}
    for i = 1, 3 do
      others[i] = uring.spawn(function() fails({"a", "b"}, task.join, task) end)
    end
    fails({"a", "b"}, task.join, task)
    for _, other in ipairs(others) do other:join() end
    fails({"a", "b"}, task.join, task)
    -- and from there through the scope of one that waits
    local second = uring.spawn(scope_of, failing "a", failing "b")
    fails({"a", "b"}, scope_of, function() second:join() end, function() second:join() end)
  end)

  it("name the task they come from, also after a join", function()
    local task
    local ok, err = pcall(uring.scope, function(s)
      task = uring.spawn(function() uring.yield() culprit "x" end)
      s:spawn(function() task:join() end)
    end)
    assert.is_false(ok)
    local list = uring.errors(err)
    assert.equal(1, #list)
    assert.equal(task, list[1].task)
    assert.matches("in upvalue 'culprit'", list[1].traceback, 1, true)
  end)

  it("of a cleanup while it is cancelled come out with their traceback", function()
    fails({"cleanup"}, uring.scope, function(s)
      s:spawn(failing_late "cleanup")
      uring.yield()
      s:cancel()
    end)
    fails({"one", "two"}, uring.timeout, 0.001, function()
      uring.spawn(failing_late "one")
      uring.spawn(failing_late "two")
      forever()
    end)
    local task = uring.spawn(failing_late "cleanup")
    uring.yield()
    task:cancel()
    fails({"cleanup"}, task.join, task)
  end)

  it("of a shield, and of a task in it, come out", function()
    fails({"inside", "after"}, uring.scope, function(s)
      local other = s:spawn(function()
        local _ <close> = closing(function() uring.shield(scope_of, failing "inside") end)
        forever()
      end)
      s:spawn(function()
        local _ <close> = closing(function() uring.shield(ended, other) culprit "after" end)
        forever()
      end)
      uring.yield()
      s:cancel()
    end)
  end)

  it("of all, each and map come together", function()
    fails({"a", "b"}, uring.all, {failing "a", forever, failing "b"})
    fails({"a", "b"}, uring.all, {failing_late "b", failing "a"})
    local function each(v) culprit(v) end
    fails({"a", "b"}, uring.each, {"a", "b"}, 2, each)
    fails({"a", "b"}, uring.map, {"a", "b"}, 2, each)
    local calls = 0
    fails({"iterator", "call"}, uring.each, function()
      calls = calls + 1
      if calls == 1 then return "call" end
      uring.yield()
      culprit "iterator"
    end, 5, function(v) failing_late(v)() end)
  end)

  it("of race come together when none has returned", function()
    fails({"a", "b"}, uring.race, {failing "a", failing "b"})
    fails({"a", "b"}, uring.race, {failing "a", failing_late "b"})
    fails({"a"}, uring.race, {failing "a", function() return "too late" end})
    fails({"a"}, uring.race, {failing "a", function() pcall(forever) return "too late" end})
  end)

  it("of race do not take its result away", function()
    local list = reported(function()
      assert.equal("a", uring.race {function() return "a" end, failing "b", failing "c"})
      assert.is_true(uring.sleep(0))
      assert.equal("d", uring.race {function() uring.yield() return "d" end, failing_late "e"})
    end)
    assert.same({"b", "e"}, {list[1].value, list[2].value})
    assert.equal(2, #list)
    assert.matches("^b\nstack traceback:.*in upvalue 'culprit'.*\nand then: c\nstack",
                   list[1].traceback)
    assert.matches("in upvalue 'culprit'", list[2].traceback, 1, true)
  end)

  it("are only of the error they are asked for", function()
    pcall(scope_of, failing "a", failing "b")
    local list = uring.errors "something else"
    assert.equal(1, #list)
    assert.equal("something else", list[1].value)
    assert.equal(uring.current(), list[1].task)
    assert.same({"a", "b"}, values "a")
    assert.equal(1, uring.spawn(function() return #uring.errors "a" end):join())
  end)

  it("do not come back with a later error of the same text", function()
    pcall(scope_of, failing "same", failing "b")
    fails({"same"}, uring.scope, failing "same")
    fails({"same", "c"}, scope_of, failing "same", failing "c")
  end)

  it("are kept in the scope, in order", function()
    local scope
    pcall(uring.scope, function(s)
      scope = s
      s:spawn(failing "a")
      s:spawn(failing "b")
    end)
    assert.same({"a", "b"}, {scope.errors[1].value, scope.errors[2].value})
  end)

  it("of ten thousand tasks are all there", function()
    local n <const> = helper.scale(10000)
    local ok, err = pcall(uring.scope, function(s)
      for i = 1, n do s:spawn(error, i) end
    end)
    assert.is_false(ok)
    local list = uring.errors(err)
    assert.equal(n, #list)
    for i = 1, n do assert.equal(i, list[i].value) end
  end)
end)

describe("variables that are closed", function()
  -- Each runs f in a task of its own, cancels it after it has failed, and gives
  -- what came out.
  local places <const> = {
    ["a task"] = function(f) return pcall(scope_of, f) end,
    ["a scope"] = function(f) return pcall(uring.scope, f) end,
    ["a scope in a task"] = function(f) return pcall(scope_of, function() uring.scope(f) end) end,
    ["a deadline"] = function(f) return pcall(uring.timeout, 1000, f) end,
    ["a shield"] = function(f) return pcall(uring.shield, f) end,
    ["run"] = function(f) return pcall(uring.run, f) end,
    ["all"] = function(f) return pcall(uring.all, {f}) end,
    ["a generator"] = function(f)
      return pcall(scope_of, function() uring.coroutine.wrap(f)() end)
    end,
    ["a joined task"] = function(f)
      local task = uring.spawn(f)
      return pcall(task.join, task)
    end,
  }
  local names = {}
  for name in pairs(places) do names[#names + 1] = name end
  table.sort(names)

  for _, name in ipairs(names) do
    local place <const> = places[name]

    it("see the error as it was raised, in " .. name, function()
      for _, value in ipairs {"text", {}, 42, false} do
        local seen
        local ok, err = place(function()
          local _ <close> = closing(function(_, e) seen = e end)
          uring.yield()
          error(value, 0)
        end)
        assert.is_false(ok)
        assert.is_true(rawequal(value, seen))
        if type(value) ~= "string" then assert.is_true(rawequal(value, err)) end
      end
    end)

    it("do not hide it when they are cancelled, in " .. name, function()
      for _, value in ipairs {{}, "text", false} do
        local task = uring.spawn(function()
          local ok, err = place(function()
            local _ <close> = closing(function(_, e) assert.is_true(rawequal(value, e)) end)
            local _ <close> = closing(uring.yield)   -- raises
            uring.current():cancel()
            culprit(value)
          end)
          assert.is_false(ok)
          if name == "a generator" and value == "text" then
            assert.matches("text$", err)   -- wrap puts the place before it
          else
            assert.is_true(rawequal(value, err), tostring(err))
          end
          return true
        end)
        assert.is_true(task:join())
      end
    end)

    it("that fail leave word of what was there before, in " .. name, function()
      local first <const>, second <const> = {}, {}
      local ok, err = place(function()
        local _ <close> = closing(function() culprit(second) end)
        uring.yield()
        culprit(first)
      end)
      assert.is_false(ok)
      assert.is_true(rawequal(second, err))
      if name ~= "a generator" then      -- there it is Lua's alone
        local list = values(err)
        assert.equal(2, #list)
        assert.is_true(rawequal(second, list[1]) and rawequal(first, list[2]))
      end
    end)
  end

  it("do not hide the error of a handler that nobody waits for", function()
    local server <close> = assert(uring.listen "127.0.0.1:0")
    local list = reported(function()
      uring.scope(function(s)
        s:spawn(server.serve, server, function()
          local _ <close> = closing(uring.yield)
          uring.current():cancel()
          culprit "in a handler"
        end)
        local conn <close> = assert(uring.connect(server:address()))
        assert.is_nil((conn:read(1)))
        s:cancel()
      end)
    end)
    assert.equal(1, #list)
    assert.equal("in a handler", list[1].value)
    assert.matches("in upvalue 'culprit'", list[1].traceback, 1, true)
  end)
end)

describe("a message with something before it", function()
  it("still has the others with it", function()
    local ok, err = pcall(uring.scope, function()
      uring.coroutine.wrap(function() scope_of(failing "a", failing "b") end)()
    end)
    assert.is_false(ok)
    assert.matches("errors_spec.lua:%d+: a$", err)
    local list = uring.errors(err)
    assert.same({err, "a", "b"}, {list[1].value, list[2].value, list[3].value})
    assert.equal(3, #list)
    ok, err = pcall(uring.scope, function()
      local fine, message = pcall(scope_of, failing "a", failing "b")
      if not fine then error("cannot start: " .. message, 0) end
    end)
    assert.is_false(ok)
    assert.equal("cannot start: a", err)
    assert.equal(3, #uring.errors(err))
  end)
end)

describe("on_error", function()
  it("may ask for the others", function()
    local before <const>, asked = uring.on_error, nil
    uring.on_error = function(value) asked = values(value) end
    assert.equal("fast", uring.race {function() return "fast" end, failing "a", failing "b"})
    uring.on_error = before
    assert.same({"a", "b"}, asked)
  end)
end)

describe("run", function()
  main_it("tells of every error in the text of the first", function()
    local ok, err = pcall(uring.run, function()
      local other = uring.spawn(scope_of, failing "a", failing "b")
      uring.spawn(function() uring.shield(ended, other) culprit {} end)
    end)
    assert.is_false(ok)
    assert.matches("^a\nstack traceback:.*\nand then: b\nstack traceback:.*\nand then: table: " ..
                   ".*in upvalue 'culprit'", err)
    assert.equal(3, #values(err))
  end)

  main_it("tells of so many that can be read", function()
    local ok, err = pcall(uring.run, function()
      for i = 1, 100 do uring.spawn(failing("number " .. i)) end
    end)
    assert.is_false(ok)
    assert.matches("^number 1\n.*and then: number 10\n.*\nand then: 90 more", err)
    assert.not_matches("number 11", err, 1, true)
    assert.equal(100, #values(err))
  end)

  main_it("gives the others to on_error when the first is no string", function()
    local first, second = {}, {}
    local list = reported(function()
      local ok, err = pcall(uring.run, function()
        uring.spawn(failing(first))
        uring.spawn(failing(second))
        uring.spawn(failing "third")
      end)
      assert.is_false(ok)
      assert.is_true(rawequal(first, err))
      assert.equal(3, #values(err))
    end)
    assert.equal(2, #list)
    assert.is_true(rawequal(second, list[1].value))
    assert.matches("^third\nstack traceback:.*in upvalue 'culprit'", list[2].traceback)
  end)

  main_it("inside run raises values as they are, and loses nothing", function()
    local ok, err = pcall(uring.run, function()
      fails({"a", "b"}, uring.run, scope_of, failing "a", failing "b")
      local value = {}
      fails({value, "b"}, uring.run, scope_of, failing(value), failing "b")
      uring.run(scope_of, failing "c", failing "d")
    end)
    assert.is_false(ok)
    assert.matches("^c\nstack traceback:.*\nand then: d\n", err)
  end)

  main_it("has the traceback of a task that was joined", function()
    local ok, err = pcall(uring.run, function()
      local task = uring.spawn(function() uring.yield() culprit "x" end)
      task:join()
    end)
    assert.is_false(ok)
    assert.matches("^x\nstack traceback:.*in upvalue 'culprit'", err)
  end)

  main_it("that was interrupted tells what its tasks raise at their end", function()
    local list = reported(function()
      uring.spawn(function() uring.sleep(0.001) culprit "from outside" end)
      local ok, err = pcall(uring.run, function()
        uring.spawn(failing_late "cleanup")
        forever()
      end)
      assert.is_false(ok)
      assert.equal("from outside", err)
    end)
    assert.equal(1, #list)
    assert.equal("cleanup", list[1].value)
  end)

  -- The standalone interpreter's own words for what came out.
  local function says(expected, text)
    local output, status = helper.script('local uring = require "uring"\n' .. text)
    assert.equal(1, status, output)
    assert.matches(expected, output)
  end

  main_it("lets the interpreter print errors with their tracebacks", function()
    says("^lua[%d.]*: [^\n]*:%d+: oops\nstack traceback:\n.*in upvalue 'culprit'.*" ..
         "\nand then: [^\n]*:%d+: again\nstack traceback:.*in upvalue 'culprit'", [[
      local function culprit(text) error(text) end
      uring.run(function()
        uring.spawn(function() culprit "oops" end)
        uring.spawn(function() culprit "again" end)
      end)
    ]])
  end)

  main_it("lets the interpreter print what a table says, and tells of the others", function()
    says("^uring: [^\n]*:%d+: again\nstack traceback:.*\nlua[%d.]*: the table's text\n$", [[
      uring.run(function()
        local meta = {__tostring = function() return "the table's text" end}
        uring.spawn(error, setmetatable({}, meta))
        uring.spawn(function() error "again" end)
      end)
    ]])
    says("^lua[%d.]*: %(error object is a table value%)\n", [[
      uring.run(function() error {} end)
    ]])
    says("^lua[%d.]*: [^\n]*nil[^\n]*\n", "uring.run(function() uring.spawn(error) end)")
  end)
end)

describe("on_throw", function()
  main_it("is told where an error is raised, and of a cancellation after it", function()
    helper.prints("true first string\ntrue cancelled nil\nfalse other\nfalse first\n", [[
      local core = require "uring.core"
      local task
      local function body()
        local _ <close> = setmetatable({}, {__close = function()
          task:cancel()
          core.yield()
        end})
        error("first", 0)
      end
      core.on_throw(function(t, v, traceback)
        io.write(tostring(t == task), " ", v, " ", type(traceback), "\n")
        return v == "cancelled" and "other" or v
      end)
      task = core.spawn(body)
      print((tostring(pcall(task.join, task)) .. " " .. select(2, pcall(task.join, task))))
      core.on_throw(function() error "in on_throw" end)
      task = core.spawn(error, "first")
      print((tostring(pcall(task.join, task)) .. " " .. select(2, pcall(task.join, task))))
    ]])
    helper.raises("function expected", core.on_throw, 1)
  end)
end)

describe("on_raise", function()
  main_it("is told before a join raises, and may raise itself", function()
    helper.prints("true\ttable\nfalse\tvalue\nfalse\tfrom on_raise\n", [[
      local core = require "uring.core"
      local value = setmetatable({}, {__tostring = function() return "value" end})
      local task = core.spawn(error, value)
      core.on_raise(function(t, v) print(t == task, type(v)) end)
      print(pcall(task.join, task))
      core.on_raise(function() error("from on_raise", 0) end)
      print(pcall(task.join, task))
    ]])
    helper.raises("function expected", core.on_raise, 1)
  end)
end)
