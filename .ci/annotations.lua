-- The annotations of uring.core and uring.op for the Lua language server, for
-- docs.lua: files that are read by editors and never run.

local core <const> = require "uring.core"

local HEADER <const> = [[
---@meta %s

-- Made by `make docs` from the table of operations: do not edit.  For editors;
-- no program requires this file.

]]

local ALIASES <const> = [[
---A number, an Fd, a file of io, or an object with getfd, fileno or pollfd.
---@alias uring.Descriptor integer|uring.Fd|file*|table

---What is written.
---@alias uring.Data string|uring.Buffer

---@alias uring.AddressLike string|uring.Address|table

---@class uring.Address
---@field family string "inet", "inet6", "unix" or a number of another one
---@field host? string
---@field port? integer
---@field path? string

---@class uring.Statx: table
]]

-- Splits "a: integer, b?: fun(x: any, y: any)" at the commas outside brackets.
local function split(text)
  local list <const> = {}
  local depth, start = 0, 1
  for i = 1, #text + 1 do
    local c <const> = text:sub(i, i)
    if c:find "[%(%{<]" then depth = depth + 1 end
    if c:find "[%)%}>]" then depth = depth - 1 end
    if (c == "," and depth == 0) or c == "" then
      local part <const> = text:sub(start, i - 1):match "^%s*(.-)%s*$"
      if part ~= "" then list[#list + 1] = part end
      start = i + 1
    end
  end
  return list
end

local function returns(put, text)
  local fails <const> = text:find "!$" ~= nil
  local list <const> = split(text:gsub("!$", ""))
  local rest <const> = { "string?", "integer?" }
  for i, kind in ipairs(list) do
    local many <const> = kind:match "^(.-) ?%.%.%.$"
    if many then
      put("---@return %s ...", many)
    elseif not fails then
      put("---@return %s", kind)
    elseif i == 1 then
      put("---@return %s", kind:find "%?$" and kind or kind == "any" and kind or kind .. "?")
    else
      put("---@return %s|%s", kind:gsub("%?$", ""), table.remove(rest, 1))
    end
  end
  if fails then
    if #rest == 2 then put "---@return string? message" end
    put "---@return integer? errno"
  end
end

-- One function by its signature, as a field of 'name' with '.' or ':'.
local function put_row(put, name, row)
  local list <const>, back = row[1]:match "^[%w_]+(%b())(.*)$"
  local names <const> = {}
  put("---%s", row[2])
  for _, parameter in ipairs(split(list:sub(2, -2))) do
    local variable <const>, mark, kind = parameter:match "^([%w_%.]+)(%??): (.+)$"
    put("---@param %s%s %s", variable, mark, kind)
    names[#names + 1] = variable
  end
  back = back:gsub("^: ", "")
  if back ~= "" then returns(put, back) end
  put("function %s%s(%s) end\n", name, row.name, table.concat(names, ", "))
end

local CLASSES <const> = { ring = "uring.Ring", sqe = "uring.Sqe", cqe = "uring.Cqe",
  buffer = "uring.Buffer", fd = "uring.Fd", task = "uring.Task", timer = "uring.Timer",
  nursery = "uring.Nursery", bufring = "uring.Bufring", multishot = "uring.Multishot" }

local M = {}

-- A function of an operation: its doc, its parameters, and 'overload' of it.
local function put_operation(put, name, info, list, back, overload)
  local names <const> = {}
  put("---%s", info.doc)
  for _, arg in ipairs(list) do
    put("---@param %s%s %s # %s", arg.name, arg.optional and "?" or "", arg.type, arg.doc)
    names[#names + 1] = arg.name
  end
  for _, line in ipairs(overload) do put("%s", line) end
  returns(put, back)
  put("function %s(%s) end\n", name, table.concat(names, ", "))
end

local function signature(list)
  local text <const> = {}
  for _, arg in ipairs(list) do
    text[#text + 1] = ("%s%s: %s"):format(arg.name, arg.optional and "?" or "", arg.type)
  end
  return table.concat(text, ", ")
end

-- A read with a number instead of the buffer.
local function string_form(list)
  local form <const> = {}
  for _, arg in ipairs(list) do
    if arg.letter == "b" then
      form[#form + 1] = { name = "n", type = "integer" }
    elseif arg.letter ~= "n" then
      form[#form + 1] = arg
    end
  end
  return form
end

-- Where the raw layer takes nil for a provided buffer.
local function raw_form(list)
  local form <const> = {}
  for i, arg in ipairs(list) do
    form[i] = arg.letter == "b" and setmetatable({ optional = true }, { __index = arg }) or arg
  end
  return form
end

local function file(module)
  local out <const> = { HEADER:format(module) }
  return out, function(...) out[#out + 1] = string.format(...) .. "\n" end
end

-- The lines together, which must be Lua.
local function text(out)
  local all <const> = table.concat(out)
  assert(load(all))
  return all
end

--- The text of lua/uring/meta/core.lua.
function M.core(data, kinds, known)
  local out <const>, put <const> = file "uring.core"
  put("%s", ALIASES)
  put "---@class uring.RingOptions"
  for _, o in ipairs(data.options()) do put("---@field %s? %s %s", o.name, o.type, o.doc) end
  put "\n---@class uring.core"
  put "---@field errno table<string, integer> error numbers by name"
  put "---@field ops table[] the rows of operations: name, opcode, args, result"
  put "---@field op uring.op"
  local names <const> = {}
  for name, value in pairs(core) do
    if type(value) == "number" then names[#names + 1] = name end
  end
  table.sort(names)
  for _, name in ipairs(names) do put("---@field %s integer", name) end
  put "local core = {}\n"
  local seen <const> = {}
  for _, section in ipairs(data.sections) do
    local of <const> = section.of
    local class <const> = CLASSES[of]
    local skip <const> = of == "core.op"
    if not seen[of] and class then
      put("---@class %s", class)
      if of == "multishot" then put "---@overload fun(): any, string?, integer?" end
      for _, s in ipairs(data.sections) do
        for _, f in ipairs(s.of == of and s.fields or {}) do
          put("---@field %s %s %s", f[1]:gsub("%?$", ""), f[2], f[3])
        end
      end
      put("local %s = {}\n", of)
    elseif not seen[of] and of ~= "core" and not skip then
      put("%s = {}\n", of)
    end
    seen[of] = true
    for _, row in ipairs(section[1]) do
      if row.exists and not skip then put_row(put, of .. (class and ":" or "."), row) end
    end
  end
  for _, row in ipairs(core.ops) do
    local info <const> = known[row.name]
    put_operation(put, "sqe:prep_" .. row.name, info, raw_form(kinds.arguments(row, info)),
      "uring.Sqe", {})
  end
  put "return core"
  return text(out)
end

--- The text of lua/uring/meta/op.lua.
function M.op(data, kinds, known)
  local out <const>, put <const> = file "uring.op"
  put "---@class uring.op\nlocal op = {}\n"
  for _, section in ipairs(data.sections) do
    for _, row in ipairs(section.of == "core.op" and section[1] or {}) do
      if row.exists then put_row(put, "op.", row) end
    end
  end
  for _, row in ipairs(core.ops) do
    local info <const> = known[row.name]
    if info.op ~= false then
      local list <const> = kinds.arguments(row, info)
      local _, back = kinds.result(row)
      if kinds.multishot(row) then back = "uring.Multishot" end
      local overload <const> = {}
      if row.args:find "b" then
        overload[1] = ("---@overload fun(%s): string?, string?, integer?"):format(
          signature(string_form(list)))
      elseif row.args:find "y" then
        overload[1] = ("---@overload fun(%s): string?, string?, integer?"):format(
          signature(list))
      end
      put_operation(put, "op." .. (info.op or row.name), info, list, back .. "!", overload)
    end
  end
  put "return op"
  return text(out)
end

return M
