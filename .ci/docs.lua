-- lua .ci/docs.lua DIR: writes DIR/docs/reference.md and DIR/lua/uring/meta/*.lua
-- from the rows of src/ops.def, by way of core.ops, and from docs/data; and
-- DIR/docs/friendly.md from the comments in lua/uring.

local core <const> = require "uring.core"
local data <const> = dofile ".ci/data.lua"
local kinds <const> = dofile ".ci/kinds.lua"
local annotations <const> = dofile ".ci/annotations.lua"
local friendly <const> = dofile ".ci/friendly.lua"

local known <const> = {} -- rows of operations.lua by name
for _, row in ipairs(data.operations) do known[row[1]] = row end

local out <const> = {}
local function put(...) out[#out + 1] = string.format(...) end

local function anchor(title) return (title:lower():gsub("[^%w%s_-]", ""):gsub("%s", "-")) end

-- ---- nothing is left out ------------------------------------------------

-- Every function of the module has a row, and every operation one.
local function check()
  local documented <const> = {}
  for _, section in ipairs(data.sections) do
    documented[section.of] = documented[section.of] or {}
    for _, row in ipairs(section[1]) do
      documented[section.of][row.name] = true
      assert(row.exists or row.c, "docs/data/methods.lua: there is no " .. row.name)
    end
  end
  for _, row in ipairs(core.ops) do
    assert(known[row.name], row.name .. " is not in docs/data/operations.lua")
    documented.sqe["prep_" .. row.name] = true
    documented["core.op"][row.name] = true
    documented["core.op"][known[row.name].op or row.name] = true
  end
  local classes <const> = { "ring", "sqe", "buffer", "fd", "task", "timer" }
  for key in pairs(debug.getregistry()) do
    local class <const> = type(key) == "string" and key:match "^uring%.([%w_]+)$"
    if class and data.surface(class) then classes[#classes + 1] = class end
  end
  for key, value in pairs(core) do
    if type(value) == "table" and key ~= "errno" and key ~= "ops" then
      classes[#classes + 1] = "core." .. key
    end
  end
  classes[#classes + 1] = "core"
  local missing <const> = {}
  for _, of in ipairs(classes) do
    for name, value in pairs(data.surface(of)) do
      if type(value) == "function" and not (documented[of] or {})[name] then
        missing[of .. "." .. name] = true
      end
    end
  end
  if next(missing) then
    local list <const> = {}
    for name in pairs(missing) do list[#list + 1] = name end
    table.sort(list)
    error("without a row in docs/data/methods.lua: " .. table.concat(list, " "))
  end
end

-- ---- operations ---------------------------------------------------------

-- The parameters as they are written: "fd, buffer [, length [, offset]]".
local function parameters(list)
  local text, open = "", 0
  local last = #list -- the last one that must be there
  while last > 0 and list[last].optional do last = last - 1 end
  for i, arg in ipairs(list) do
    local comma <const> = i > 1 and ", " or ""
    if i <= last then
      text = text .. comma .. arg.name
    else
      text = text .. (i > 1 and " [" or "[") .. comma .. arg.name
      open = open + 1
    end
  end
  return text .. ("]"):rep(open)
end

-- The form of a read that returns a string: the number of bytes instead of the
-- buffer, and no length.
local function string_form(list)
  local form <const> = {}
  for _, arg in ipairs(list) do
    if arg.letter == "b" then
      form[#form + 1] = { name = "n", type = "integer", doc = "so many bytes, at most, as a " ..
        "string" }
    elseif arg.letter ~= "n" then
      form[#form + 1] = arg
    end
  end
  return form
end

local function put_arguments(list, string_too)
  if #list == 0 then return end
  for _, arg in ipairs(list) do
    put("- `%s`: %s%s%s", arg.name, arg.type:gsub("uring%.", ""), arg.optional and ", " ..
      "optional" or "",
      arg.doc and " - " .. arg.doc or "")
    if string_too and arg.letter == "b" then
      put "- `n`: integer - how many bytes to read at most, for a string"
    end
  end
end

local function put_memory(row)
  local parts <const> = {}
  if row.submit then parts[#parts + 1] = "until it is submitted: " .. row.submit end
  if row.done then parts[#parts + 1] = "until the completion: " .. row.done end
  if row.notif then parts[#parts + 1] = "until the notification: " .. row.notif end
  if #parts > 0 then put("- Memory in use %s.", table.concat(parts, "; ")) end
end

local function put_errors(row)
  if not row.errors then return end
  local parts <const> = {}
  for _, e in ipairs(row.errors) do parts[#parts + 1] = ("`%s`: %s"):format(e[1], e[2]) end
  put("- Errors: %s.", table.concat(parts, "; "))
end

local function put_operation(row)
  local info <const> = known[row.name]
  local list <const> = kinds.arguments(row, info)
  local doc, _, raw = kinds.result(row)
  if kinds.multishot(row) then doc = doc:gsub("; with.*", "") end
  local strings <const> = row.args:find "b" ~= nil
  put("### %s\n\n%s\n\n```lua", row.name, info.doc)
  if info.op ~= false then
    local name <const> = info.op or row.name
    if strings then put("op.%s(%s)", name, parameters(string_form(list))) end
    put("op.%s(%s)", name, parameters(list))
  end
  put("sqe:prep_%s(%s)\n```\n", row.name, parameters(list))
  put_arguments(list, strings and info.op ~= false)
  if kinds.multishot(row) then doc = "an [iterator](#multishot-operations), each time " .. doc end
  put("- Result: %s%s%s.", doc, info.gives and " (" .. info.gives .. ")" or "",
    raw and "; " .. raw or "")
  put_errors(info)
  put_memory(info)
  put("- Linux %s%s.\n", info.since, info.man and ", " .. info.man or "")
  if info.note then put("%s\n", info.note) end
  if info.example then
    assert(load(info.example))
    for name in info.example:gmatch "core%.([%u%d_]+)" do assert(core[name], name) end
    put("```lua\n%s\n```\n", info.example)
  end
end

local function operations()
  local section
  for _, row in ipairs(core.ops) do
    local here <const> = kinds.section(row.name)
    if here ~= section then
      section = here
      put("## Operations: %s\n", section)
    end
    put_operation(row)
  end
end

-- ---- functions and methods ----------------------------------------------

-- A signature without its types' prefix, and with what may also come back.
local function signature(row)
  local text = row[1]:gsub("uring%.", ""):gsub("%?:", "?:")
  local call, back = text:match "^([%w_]+%b())(.*)$"
  back = back:gsub("^: ?", "")
  if back:find "!$" then back = back:sub(1, -2) .. " | nil, message, errno" end
  local prefix = row.of .. (row.of:find "^core" and "." or ":")
  if row.of == "core.op" then prefix = "op." end
  return prefix .. call .. (back ~= "" and " -> " .. back or "")
end

local function page(row)
  if row.man then return row.man ~= "" and row.man or nil end
  local first <const> = (row.c or ""):match "%S+"
  return first and first .. "(3)"
end

local function put_row(row)
  put("```lua\n%s\n```\n\n%s", signature(row), row[2])
  local more <const> = {}
  if row.since then more[#more + 1] = "Linux " .. row.since end
  more[#more + 1] = page(row)
  if #more > 0 then put("%s.", table.concat(more, ", ")) end
  put ""
end

local function methods()
  for _, section in ipairs(data.sections) do
    put("## %s\n", section.title)
    if section.doc then put("%s\n", section.doc) end
    if section.fields then
      put "| field | type | |\n|---|---|---|"
      for _, f in ipairs(section.fields) do put("| `%s.%s` | %s | %s " ..
        "|", section.of, f[1], f[2], f[3]) end
      put ""
    end
    for _, row in ipairs(section[1]) do
      if row.exists then put_row(row) end
    end
  end
end

-- ---- options and constants ----------------------------------------------

local function options()
  put "## Options of core.ring\n"
  put("A ring whose maker names no flag gets the best set that the kernel takes: SINGLE_ISSUER, " ..
    "DEFER_TASKRUN, TASKRUN_FLAG, SUBMIT_ALL, CLAMP, or fewer of them.\n")
  put "| option | type | | Linux |\n|---|---|---|---|"
  for _, o in ipairs(data.options()) do
    put("| `%s` | %s | %s | %s |", o.name, o.type:gsub("uring%.", ""), o.doc, o.since or "")
  end
  put ""
end

-- Groups of const.def: title and names.
local function groups()
  local list <const> = {}
  for line in io.lines "src/const.def" do
    local title <const> = line:match "^/%* %-%-%-%- (.-) %-%-%-%- %*/"
    if title then list[#list + 1] = { title = title } end
    for name in line:gmatch "%f[%w]%u%(([%w_]+)" do
      if #list > 0 then table.insert(list[#list], name) end
    end
  end
  return list
end

local function constants()
  local rows <const> = {}
  for _, row in ipairs(data.constants) do rows[row.name] = row end
  put("## Constants\n\nFields of the module, `core.IORING_SETUP_SQPOLL`, in the spelling of the " ..
    "manual pages. That a constant is here does not say that the running kernel knows it. " ..
      "Errors " ..
    "are in `core.errno`.\n")
  for _, group in ipairs(groups()) do
    put("### Constants: %s\n", group.title)
    local rest <const> = {}
    local header = false
    for _, name in ipairs(group) do
      local row <const> = rows[name]
      if not row then
        rest[#rest + 1] = "`" .. name .. "`"
      else
        if not header then put "| name | value | | Linux |\n|---|---|---|---|" end
        header = true
        put("| `%s` | %s | %s | %s " ..
          "|", name, row.value > 255 and ("0x%x"):format(row.value) or row.value,
          row.doc or "", row.since or "")
      end
    end
    if header then put "" end
    if #rest > 0 then put("%s\n", table.concat(rest, " ")) end
  end
end

-- ---- the page -----------------------------------------------------------

local function titles()
  local list <const> = {}
  for _, text in ipairs(out) do
    local title <const> = text:match "^## ([^\n]+)"
    if title then list[#list + 1] = ("- [%s](#%s)"):format(title, anchor(title)) end
  end
  return table.concat(list, "\n")
end

local INTRODUCTION <const> = [[
# Reference

Made by `make docs` from the table of operations and what is known of liburing 2.15: do not edit.

The operations come in two forms, with the same arguments:

```lua
local op = require "uring.op"         -- waits, in a task while others run
local text, message, errno = op.read(fd, 4096, 0)

local core = require "uring.core"     -- the raw layer: submits, completes later
ring:get_sqe():prep_read(fd, buffer, 4096, 0):set_data "some value"
ring:submit()
local cqe = ring:wait_cqe()           -- cqe.res, cqe.flags, cqe.data
```

**Results.** `op.` returns what is said with each operation, or `nil, message, errno`: the message
names the operation and what it worked on, the number is in `core.errno`. In the raw layer
`cqe.res` is the kernel's number, negative for an error; for operations that only succeed it is 0.
A wrong argument raises in both.

**Errors of any operation.** `EBADF`: the descriptor is not open, or is being closed. `ECANCELED`:
it was cancelled, or one that it was linked to has failed. `EINVAL`: arguments that do not go
together. `EOPNOTSUPP`: not for this descriptor, or this kernel does not have the operation
(`op.supported(name)`). `ENOMEM`, `EINTR`: as anywhere.

**Types.** A *Descriptor* is a number, an Fd, a file of Lua's `io`, or an object with a method
`getfd`, `fileno` or `pollfd`. *Data* is a string or a Buffer. An *AddressLike* is a text as
`"127.0.0.1:80"`, `"[::1]:80"`, `"unix:/run/x.sock"`, `"unix:@name"`, or a table `{family =, host
=, port =}` or `{path =}`; an *Address* is such a table. Times are in seconds, sizes and places in
bytes.

**Memory.** What the kernel uses is kept alive by the module, in any case and until it lets go.
What is said here under *memory in use* is when a script may look at a buffer or change it: not
before. With `sqpoll` all of it is in use until the completion.

**Linux** is the release that has the operation; the module itself needs 5.11. The kernel is
asked, not its version.
]]

local function reference()
  operations()
  methods()
  options()
  constants()
  return INTRODUCTION .. "\n" .. titles() .. "\n\n" .. table.concat(out, "\n"):gsub("\n+$", "") ..
    "\n"
end

local function write(path, text)
  local file <close> = assert(io.open(path, "w"))
  assert(file:write(text))
end

check()
local dir <const> = arg[1]
write(dir .. "/docs/reference.md", reference())
write(dir .. "/docs/friendly.md", friendly(parameters))
write(dir .. "/lua/uring/meta/core.lua", annotations.core(data, kinds, known))
write(dir .. "/lua/uring/meta/op.lua", annotations.op(data, kinds, known))
