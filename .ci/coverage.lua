-- lua .ci/coverage.lua HEADER...: what of liburing the module does not have.
-- Compares it with what docs/data knows of liburing 2.15, and with the headers
-- given.  What is missing fails, unless docs/data/skipped.lua says why.

local core <const> = require "uring.core"
local data <const> = dofile ".ci/data.lua"

local sqe <const> = data.surface "sqe"
local ring <const> = data.surface "ring"
local bad = false

local operations <const> = {}
for _, row in ipairs(data.operations) do operations[row[1]] = row end

-- Of each kind of thing: is it there?  "skipped" counts, what else is not true
-- is missing.

local function has_operation(name)
  local row <const> = operations[name]
  if row and row.skip then return "skipped" end
  if not sqe["prep_" .. name] then return false, "sqe:prep_" .. name end
  if row and row.op == false then return true end
  local awaited <const> = core.op[name] or row and row.op and core.op[row.op]
  return awaited ~= nil, "op." .. (row and row.op or name)
end

local function has_function(name)
  local row <const> = data.functions[name]
  if row then return row.exists, row.of .. ":" .. row.name end
  if data.skipped[name] then return "skipped" end
  return ring[name:gsub("^io_uring_", "")] ~= nil
end

local function has_opcode(name)
  local value <const> = core[name]
  for _, row in ipairs(core.ops) do
    if row.opcode == value then return true end
  end
  return name:find "_LAST$" ~= nil
end

local function has_constant(name) return core[name] ~= nil end

local options <const> = {}
for _, option in ipairs(data.options(true)) do options[option.flag or ""] = option end

local function has_option(flag)
  local option <const> = options[flag]
  return option and data.takes(option), "core.ring{" .. (option and option.name or flag) .. "}"
end

-- Counts the names of one kind, and says what is missing.
local function compare(what, names, has)
  local there, skipped, missing = 0, 0, {}
  table.sort(names)
  for _, name in ipairs(names) do
    local found, as = has(name)
    if found == "skipped" then
      skipped = skipped + 1
    elseif found then
      there = there + 1
    else
      missing[#missing + 1] = as or name
    end
  end
  print(("  %-11s %3d there, %2d skipped, %2d missing"):format(what, there, skipped, #missing))
  for _, name in ipairs(missing) do print("      " .. name) end
  bad = bad or #missing > 0
end

-- Keys of a table as a list.
local function keys(t)
  local list <const> = {}
  for key in pairs(t) do list[#list + 1] = key end
  return list
end

-- The names of constants that are about one thing: what follows a prefix.
local function after(prefix, names)
  local list <const> = {}
  for _, name in ipairs(names) do list[#list + 1] = name:match("^" .. prefix .. "(.+)$") end
  return list
end

local function compare_all(preps, functions, constants)
  local opcodes <const> = {}
  for _, rest in ipairs(after("IORING_OP_", constants)) do
    opcodes[#opcodes + 1] = "IORING_OP_" .. rest
  end
  compare("operations", preps, has_operation)
  compare("opcodes", opcodes, has_opcode)
  compare("functions", functions, has_function)
  compare("constants", constants, has_constant)
  compare("options", after("IORING_SETUP_", constants), has_option)
end

-- ---- docs/data ----------------------------------------------------------

local function known()
  local functions <const>, constants <const> = {}, {}
  for name in pairs(data.functions) do functions[name] = true end
  for name in pairs(data.skipped) do functions[name] = true end
  for _, row in ipairs(data.constants) do
    constants[row.name] = true
    if core[row.name] and core[row.name] ~= row.value then
      print(("%s is %d, not %d"):format(row.name, row.value, core[row.name]))
      bad = true
    end
  end
  print "liburing 2.15, as docs/data has it:"
  compare_all(keys(operations), keys(functions), keys(constants))
end

-- ---- headers ------------------------------------------------------------

local function is_constant(name)
  return (name:find "^IORING_" or name:find "^IOSQE_" or name:find "^IOU_" or
      name:find "^IO_URING_" or name:find "^IO_WQ_" or name:find "^SOCKET_URING_" or
      name:find "^ZCRX_" or name == "SPLICE_F_FD_IN_FIXED") and
    not name:find "^IO_URING_VERSION_"
end

-- The names of functions, which are declared or called with a parenthesis, and
-- of constants: macros and enumerators.
local function names_in(path)
  local functions <const>, constants <const> = {}, {}
  local file <close> = assert(io.open(path))
  local text <const> = "\n" .. file:read "a":gsub("/%*.-%*/", " ")
  for name in text:gmatch "%f[%w_](_*[%l_]*uring_[%l%d_]+)%s*%(" do functions[name] = true end
  for name in text:gmatch "\n%s*#%s*define%s+([%w_]+)%s" do constants[name] = true end
  for body in text:gmatch "%f[%w_]enum[%s%w_]*(%b{})" do
    for name in body:gmatch "[{,]%s*([%u%d_]+)" do constants[name] = true end
  end
  return functions, constants
end

local function headers(paths)
  local preps <const>, functions <const>, constants <const> = {}, {}, {}
  for _, path in ipairs(paths) do
    local f, c = names_in(path)
    -- The helpers of C are in liburing.h; in its other headers are macros.
    if path:find "liburing%.h$" then
      for name in pairs(f) do
        local prep <const> = name:match "^io_uring_prep_(.+)$"
        if prep then preps[prep] = true else functions[name] = true end
      end
    end
    for name in pairs(c) do
      if is_constant(name) then constants[name] = true end
    end
  end
  print(table.concat(paths, " "):match "%S*liburing%.h" .. ":")
  compare_all(keys(preps), keys(functions), keys(constants))
end

-- ---- what is skipped ----------------------------------------------------

local function skips()
  local reasons <const> = {}
  for name, why in pairs(data.skipped) do
    if has_function(name) == true then
      print(name .. " is skipped, and there")
      bad = true
    end
    reasons[why] = reasons[why] or {}
    table.insert(reasons[why], name)
  end
  for name, row in pairs(operations) do
    if row.skip then reasons[row.skip] = { "io_uring_prep_" .. name } end
  end
  print "skipped:"
  local lines <const> = keys(reasons)
  table.sort(lines)
  for _, why in ipairs(lines) do
    table.sort(reasons[why])
    print(("  %s: %s"):format(why, table.concat(reasons[why], " ")))
  end
end

known()
if #arg > 0 then headers(arg) end
skips()
os.exit(not bad, true)
