-- The text of docs/friendly.md: docs/data/friendly.lua, with the comments above
-- the functions of lua/uring and, for what is the core's, its rows.

local core <const> = require "uring.core"
local uring <const> = require "uring"
local data <const> = dofile ".ci/data.lua"

local FILES <const> =
  { "init", "scope", "failure", "parallel", "sync", "inspect", "net", "file", "stream", "reader",
    "coroutine" }

-- Names of the core's rows that are others here.
local ALIASES <const> = { ring = "default" }
-- Tables, which the page names in its text.
local TABLES <const> = { op = true, errno = true, coroutine = true }

-- ---- the comments of the sources ----------------------------------------

-- The type at the beginning of a text, and the rest.
local function split_type(text)
  for _, kind in ipairs { "fun%b():? ?%S*", "%w+%b<>", "%S+" } do
    local name <const>, rest = text:match("^(" .. kind .. ")%s*(.*)$")
    if name then return name, rest end
  end
end

-- The name, the type and the text of a tag.
local function finish(tag)
  if not tag then return end
  if tag.is_param then
    tag.name, tag.text = tag.text:match "^(%S+)%s+(.*)$"
    tag.type, tag.text = split_type(tag.text)
  else
    tag.type, tag.text = split_type(tag.text)
    tag.name, tag.text = tag.text:match "^(%S*)%s*(.*)$"
  end
end

-- What a block of comment says: text, arguments, result; nil for one of a class.
local function parse(lines)
  local entry <const> = { text = "", arguments = {} }
  local tag
  for _, line in ipairs(lines) do
    local name <const>, rest = line:match "^@(%l+)%s+(.*)$"
    if name then
      if name == "class" then return nil end
      finish(tag)
      tag = name ~= "overload" and { text = rest, is_param = name == "param" }
      if name == "param" then
        entry.arguments[#entry.arguments + 1] = tag
      elseif name == "return" then
        entry.result = tag
      end
    else
      local place <const> = tag or entry
      local text <const> = line:match "^%s*(.*)$"
      place.text = place.text .. (text == "" and "\n\n" or
        (place.text:find "[^\n]$" and " " or "") .. text)
    end
  end
  finish(tag)
  return entry
end

local entries <const> = {} -- by file, class and name
local order <const> = {} -- by file and class: names

local function read(file)
  local lines = {}
  for line in io.lines("lua/uring/" .. file .. ".lua") do
    local comment <const> = line:match "^%-%-%-(.*)$"
    if comment then
      lines[#lines + 1] = comment:gsub("^ ", "")
    else
      local class, name = line:match "^function (%a+)[.:]([%w_]+)%("
      if not class then class, name = line:match "^(M)%.([%w_]+) = " end
      if class then
        local key <const> = file .. "." .. class
        order[key] = order[key] or {}
        table.insert(order[key], name)
        entries[key .. "." .. name] = #lines > 0 and parse(lines) or nil
      end
      lines = {}
    end
  end
end

for _, file in ipairs(FILES) do read(file) end

-- ---- the page -------------------------------------------------------------

local out <const> = {}
local function put(...) out[#out + 1] = string.format(...) end

local function markdown(text)
  return (text:gsub("<close>", "`<close>`"):gsub("(%S)  +", "%1 "))
end

local function stop(text) return text:find "%.$" and text or text .. "." end

local function type_text(name)
  return (name:gsub("uring%.", ""):gsub("|", " or "):gsub("%?$", ""))
end

-- What comes back: "true, or nil, message, errno".
local function result_text(result)
  local kind <const> = type_text(result.type)
  local what = kind
  if result.name == "self" then
    what = "itself"
  elseif result.name == "..." then
    what = ""
  elseif result.name ~= "" and kind ~= "true" and result.name ~= kind:lower() then
    what = ("%s (%s)"):format(result.name, kind)
  end
  local text = result.text:gsub("; nil", "; or nil", 1)
  if what == "" then return text end
  if text == "" then return what end
  if text:find "^nil" then return what .. ", or " .. text end
  return what .. ": " .. text
end

local function put_entry(call, entry, parameters)
  local list <const> = {}
  for i, argument in ipairs(entry.arguments) do
    local name <const> = argument.name:gsub("%?$", "")
    list[i] = { name = name, optional = argument.name:find "%?$" ~= nil }
  end
  local first = ""                     -- one that may be left out before others
  if #list > 1 and list[1].optional and not list[2].optional then
    first = ("[%s,] "):format(list[1].name)
  end
  put("```lua\n%s(%s%s)\n```\n", call, first,
      parameters(table.move(list, first ~= "" and 2 or 1, #list, 1, {})))
  put("%s\n", markdown(entry.text))
  for i, argument in ipairs(entry.arguments) do
    if argument.name ~= "..." or argument.text ~= "" then
      local optional <const> = list[i].optional and ", optional" or ""
      put("- `%s`: %s%s%s", list[i].name, type_text(argument.type), optional,
          argument.text ~= "" and " - " .. markdown(argument.text) or "")
    end
  end
  if entry.result then put("- Result: %s", stop(markdown(result_text(entry.result)))) end
  if #entry.arguments > 0 or entry.result then put "" end
end

-- A row of docs/data/methods.lua.
local function put_row(name)
  for _, section in ipairs(data.sections) do
    for _, row in ipairs(section[1]) do
      local same <const> = row.name == (ALIASES[name] or name)
      if same and (section.of == "core" or section.of == "core.sock") then
        local call <const>, back = row[1]:gsub("uring%.", ""):match "^[%w_]+(%b())(.*)$"
        back = back:gsub("^: ?", " -> "):gsub("!$", " | nil, message, errno")
        put("```lua\nuring.%s%s%s\n```\n\n%s\n", name, call, back, row[2])
        return
      end
    end
  end
  error("docs/data/friendly.lua: nothing is known of uring." .. name)
end

local function put_field(name, parameters)
  for _, file in ipairs(FILES) do
    local entry <const> = entries[file .. ".M." .. name]
    if entry and file ~= "coroutine" then
      if type(uring[name]) == "function" then
        put_entry("uring." .. name, entry, parameters)
      else
        put("```lua\nuring.%s\n```\n\n%s\n", name, markdown(entry.text))
      end
      return
    end
  end
  put_row(name)
end

local function put_class(class, object, file, parameters)
  local key <const> = file .. "." .. class
  for _, name in ipairs(order[key]) do
    local entry <const> = entries[key .. "." .. name]
    if name:find "^%l" then
      assert(entry and entry.text ~= "",
             ("lua/uring/%s.lua: nothing is said of %s.%s"):format(file, class, name))
      put_entry(object .. (class == "M" and "." or ":") .. name, entry, parameters)
    end
  end
end

local INTRODUCTION <const> = [[
# The friendly layer

Made by `make docs` from the sources: do not edit. README.md says what it is for; the operations
themselves, and what is made of them here, are in [reference.md](reference.md).

A failure is `nil, "<operation> <what>: <reason>", errno`, an end is `nil` alone, and misuse raises.
Times are in seconds. What is called in the main chunk runs the loop until it is done, except for
what needs a task and says so.
]]

--- The text; parameters(list) is how docs.lua writes a list of parameters.
local function page(parameters)
  local said <const> = {}
  for _, section in ipairs(dofile "docs/data/friendly.lua") do
    put("## %s\n\n%s\n", section[1], section[2])
    for i = 3, #section do
      local entry <const> = section[i]
      if type(entry) == "table" then
        put_class(entry[1], entry[2], entry[3], parameters)
      else
        said[entry] = true
        put_field(entry, parameters)
      end
    end
  end
  for name in pairs(uring) do
    assert(said[name] or TABLES[name], "docs/data/friendly.lua: without uring." .. name)
  end
  return INTRODUCTION .. "\n" .. table.concat(out, "\n"):gsub("\n+$", "") .. "\n"
end

assert(uring.op == core.op)

return page
