-- Arguments of operations, generated from the rows of ops.def: each wrong one
-- raises Lua's own kind of message, and nothing is taken.

local core = require "uring.core"
local helper = require "spec.helper"

local HUGE <const> = 1 << 40

-- Of each kind of argument: a good value, wrong ones, and whether it may be
-- left out.  Values that are made anew for each case are functions.
local kinds = {}

local function null() return assert(core.op.openat(nil, "/dev/null", core.O_RDWR)) end

local function closed()
  local fd = null()
  fd:close()
  return fd
end

local function detached()
  local fd = null()
  helper.process.close(fd:detach())
  return fd
end

local function closed_file()
  local file = io.tmpfile()
  file:close()
  return file
end

local function buffer() return core.buffer(4096) end

local function kind(letters, good, wrong, optional)
  for letter in letters:gmatch "." do
    kinds[letter] = { good = good, wrong = wrong, optional = optional }
  end
end

local descriptors <const> = { -1, 1 << 31, 1.5, "1", true, {}, closed, detached, closed_file,
  buffer }
kind("fFR", null, descriptors)
kind("DG", nil, { "1", true, {}, closed, detached, -1 }, true)
kind("H", 0, { -1, 1 << 31, "1", {}, closed, null })
kind("J", 1, { -1, 1 << 31, "1", {}, closed })
kind("pP", "/does/not/exist", { 12, true, {}, "zero\0byte", ("x"):rep(5000), buffer })
kind("b", buffer, { "text", true, {}, HUGE, -1, 1.5 })
kind("B", buffer, { "text", true, {}, 12 })
kind("y", buffer, { "text", true, {}, -1 }, true)
kind("d", "text", { 12, true, {}, null })
kind("nN", nil, { -1, HUGE, "1", 1.5, {} }, true)
kind("v", function() return { core.buffer(1) } end,
  { 1, "text", { 1 }, { "text" }, { {} }, buffer })
kind("w", function() return { "text", core.buffer(1) } end, { 1, "text", { 1 }, { {} }, { true } })
kind("oO", nil, { -2, "1", 1.5, {} }, true)
kind("s", nil, { -1, "1", 1.5, {} }, true)
kind("z", 1, { -1, "1", 1.5, {} })
kind("lmLXE", nil, { -1, 1 << 32, "1", 1.5, {} }, true)
kind("c", 1, { -1, 1 << 32, "1", 1.5, {} }, true)
kind("e", 1, { -1, 1 << 32, "1", {} })
kind("x", nil, { -1, "nonsense", { "nonsense" }, { 1 }, true }, true)
kind("h", "both", { -1, 3, "nonsense", {}, true })
kind("a", "127.0.0.1:1", { 12, "nonsense", "1.2.3.4", "1.2.3.4:65536", {}, true,
  { host = "127.0.0.1" }, { host = "localhost", port = 1 }, { path = 12 },
  { path = ("x"):rep(200) }, { family = "inet6", host = "1.2.3.4", port = 1 } })
kind("A", nil, { 12, "nonsense", {}, true }, true)
kind("ij", 1, { -1, 1 << 31, "1", {} })
kind("k", nil, { -1, 1 << 31, "1", {} }, true)
kind("t", 0.001, { -1, 0 / 0, "1", {} })
kind("u", "nobody", {})
kind("U", nil, { "1", 1.5, {} }, true)
kind("I", nil, { -1, 65536, "1", {} }, true)
kind("S", nil, { -1, 1 << 32, "1", {} }, true)
kind("q", nil, { -1, 4096, "1", {} }, true)
kind("W", function() return {} end, { 1, "text", { nonsense = 1 }, { flags = "1" } })
kind("C", 0, { -1, 5, "1", {} })
kind("3", 1, { -1, 1 << 32, "1", {} })
kind("V", nil, {}, true)
kind("Z", nil, { 12, {}, true }, true)
kind("Q", function() return { false } end,
  { 1, "text", {}, { "text" }, { {} }, { -3 }, { closed } })
kind("K", "add", { 0, 4, "nonsense", {} })
kind("T", 1, { "text", { nonsense = 1 }, { events = "1" }, -1 })
kind("M", 1, { 0, 65537, "1", {} })
kind("Y", nil, { "1", 1.5, {} }, true)
kind("g", nil, { -4, 1, 4096, "1" }, true)
kind("r", function() return { { core.buffer(4), 0 } } end,
  { 1, "text", {}, { 1 }, { {} }, { { core.buffer(3), 0 } }, { { "text", 0 } } })
kinds["0"] = { wrong = {}, none = true } -- these are no arguments
kinds["1"], kinds["*"] = kinds["0"], kinds["0"]
kinds["9"] = kinds["0"] -- and these are read with flags only
kind("4", function() return { iov = "text" } end, { 1, "text", { nonsense = 1 }, { iov = 1 },
  { iov = { 1 } }, { iov = "x", name = "nonsense" }, { iov = "x", control = 1 },
  { iov = "x", control = { 1 } }, { iov = "x", control = { { type = "nonsense" } } },
  { iov = "x", control = { { type = "rights" } } },
  { iov = "x", control = { { type = "rights", fds = {} } } },
  { iov = "x", control = { { type = "rights", fds = { "text" } } } },
  { iov = "x", control = { { type = 1, level = 1, data = "" } } } })
kind("5", 100, { "text", true, -1, 1.5, HUGE, { nonsense = 1 }, { control = -1 },
  { iov = "text" }, { iov = { 1 } } })
kind("6", nil, { 1, "text", { nonsense = 1 }, { iov = 1 }, { control = HUGE } }, true)
kind("2", nil, { "1", true, {}, buffer }, true)

local function value(v)
  if type(v) == "function" then return v() end
  if type(v) == "table" and type(v[1]) == "function" then return { v[1]() } end
  return v
end

-- The row's kinds that are arguments, and good values for them.
local function letters(row)
  local list = {}
  for letter in row.args:gmatch "." do
    assert(kinds[letter], ("no values for the kind '%s' of %s"):format(letter, row.name))
    if not kinds[letter].none then list[#list + 1] = letter end
  end
  return list
end

local function good_values(list, last)
  local args = { n = last }
  for i = 1, last do args[i] = value(kinds[list[i]].good) end
  return args
end

-- Calls as a script would write them: the message names the function.
local function caller(name, method)
  local call = method and "t:%s(table.unpack(a, 1, a.n))" or "t.%s(table.unpack(a, 1, a.n))"
  return load(("local t, a = ... local result = %s return result"):format(call:format(name)))
end

-- Nothing of the arguments is in use, no slot is taken.
local function nothing_taken(ring, args, slots)
  assert.equal(slots, ring:stats().slots)
  for i = 1, args.n do
    local arg = args[i]
    if type(arg) == "userdata" and getmetatable(arg) == "uring" then
      if arg.pending then assert.equal(0, arg:pending()) end
      if arg.busy then assert.equal(0, arg:busy()) end
    end
  end
end

local function describe_value(v)
  if type(v) == "function" then
    for name, f in pairs { closed = closed, detached = detached, buffer = buffer, fd = null,
      ["closed file"] = closed_file } do
      if f == v then return name end
    end
  end
  if type(v) == "table" then return "{" .. (next(v) and describe_value((v[1])) or "") .. "}" end
  local text = tostring(v)
  return #text > 20 and text:sub(1, 20) .. "..." or ("%q"):format(text)
end

-- layer: name, a function that gives the table and the name to call.
local function check_rows(prefix, each)
  for _, row in ipairs(core.ops) do
    local list <const> = letters(row)
    local name <const> = prefix .. row.name

    helper.it(name .. " refuses wrong arguments", function()
      each(function(target, ring)
        local call <const> = caller(name, prefix ~= "")
        local slots <const> = ring:stats().slots

        local function refuses(args, i, what)
          local ok, err = pcall(call, target, args)
          assert(not ok, ("%s accepts %s as argument %d"):format(name, what, i))
          local expected = ("bad argument #%d to '%s' ("):format(i, name)
          assert(tostring(err):find(expected, 1, true), ("%s: %s"):format(what, err))
          nothing_taken(ring, args, slots)
        end

        for i, letter in ipairs(list) do
          local k <const> = kinds[letter]
          if not k.optional then
            refuses(good_values(list, i - 1), i, "nothing")
            if letter ~= "u" and not (letter == "b" and prefix ~= "") then
              local args = good_values(list, i - 1)
              args.n = i
              refuses(args, i, "nil")
            end
          end
          for _, wrong in ipairs(k.wrong) do
            -- a count stands for memory in an await only
            local args = good_values(list, i - 1)
            args[i], args.n = value(wrong), i
            refuses(args, i, describe_value(wrong))
          end
        end
      end)
    end)
  end
end

describe("the arguments of", function()
  check_rows("", function(f)
    f(core.op, core.default())
  end)

  check_rows("prep_", function(f)
    local ring <close> = assert(core.ring())
    f(ring:get_sqe(), ring)
  end)

  for _, row in ipairs(core.ops) do
    helper.it(("prep_%s may be more than it needs, and as few as it needs"):format(row.name),
      function()
        local ring <close> = assert(core.ring())
        local sqe = ring:get_sqe()
        local list <const> = letters(row)
        local call <const> = caller("prep_" .. row.name, true)
        local args = good_values(list, #list)
        args.n = args.n + 2
        args[args.n - 1], args[args.n] = "extra", {}
        assert.equal(sqe, call(sqe, args))
        sqe:prep_nop()
        if row.name == "provide_buffers" then return end -- it keeps them, and needs all
        nothing_taken(ring, args, 1)
        local last = #list
        while last > 0 and kinds[list[last]].optional and list[last] ~= "y" do last = last - 1 end
        args = good_values(list, last)
        assert.equal(sqe, call(sqe, args))
      end)
  end
end)
