-- What docs/data says, and what the module has: for coverage.lua and docs.lua,
-- which run from the top of the tree.

local core <const> = require "uring.core"

local M = {
  operations = dofile "docs/data/operations.lua",
  sections = dofile "docs/data/methods.lua",
  skipped = dofile "docs/data/skipped.lua",
  constants = {},
  functions = {} -- of liburing: the row of methods.lua that stands for it
}

for line in io.lines "docs/data/constants.tsv" do
  local name, value, lib, since, doc = line:match "^([^\t]+)\t([^\t]+)\t([^\t]+)\t([^\t]+)\t(.+)$"
  assert(name, "docs/data/constants.tsv: " .. line)
  if name ~= "name" then
    M.constants[#M.constants + 1] = { name = name, value = math.tointeger(value), lib = lib,
      since = since ~= "-" and since or nil, doc = doc ~= "-" and doc or nil }
  end
end

--- What the module has of a class, or of a table as "core.sock".
function M.surface(of)
  local class <const> = debug.getregistry()["uring." .. of]
  if class then return class.methods end
  local t = core
  for field in of:gmatch "%.(%w+)" do t = t[field] end
  return t
end

for _, section in ipairs(M.sections) do
  local surface <const> = M.surface(section.of)
  for _, row in ipairs(section[1]) do
    row.name = row[1]:match "^[%w_]+"
    row.of = section.of
    row.exists = type(surface[row.name]) == "function"
    for name in (row.c or ""):gmatch "%S+" do
      if row.exists or not M.functions[name] then M.functions[name] = row end
    end
  end
end

-- ---- options of core.ring ------------------------------------------------

-- Those that are no flag, or not named as their flag is.
local OTHERS <const> = {
  { name = "entries", type = "integer", doc = "places in the submission queue; 256" },
  { name = "cq_entries", type = "integer", flag = "CQSIZE",
    doc = "places in the completion queue; 4 times as many" },
  { name = "attach_wq", type = "uring.Ring", flag = "ATTACH_WQ" },
  { name = "sq_thread_idle", type = "integer",
    doc = "milliseconds without work after which the thread of `sqpoll` sleeps; 1000" },
  { name = "sq_thread_cpu", type = "integer", flag = "SQ_AFF",
    doc = "the processor, from 0, that the thread of `sqpoll` stays on" }
}

-- Does core.ring know the option?  It says so by raising.
local function takes(option)
  local value = option.type ~= "boolean" and 8 or true
  if option.type == "uring.Ring" then value = core.default() end
  local _, result <const> = pcall(core.ring, { entries = 2, [option.name] = value })
  if type(result) == "userdata" then result:close() end
  return not tostring(result):find "unknown option"
end

--- The options of core.ring, of which a flag has one of its own name, as a list
--- of {name, type, flag, doc, since}.  With 'all' also those that are missing.
function M.options(all)
  local flags <const>, list <const> = {}, {}
  for _, option in ipairs(OTHERS) do
    if option.flag then flags[option.flag] = option end
    list[#list + 1] = option
  end
  for _, row in ipairs(M.constants) do
    local flag <const> = row.name:match "^IORING_SETUP_(.+)$"
    if flag then
      local option = flags[flag]
      if not option then
        option = { name = flag:lower(), type = "boolean", flag = flag }
        if all or takes(option) then list[#list + 1] = option end
      end
      option.doc = option.doc or row.doc:gsub(": option [%w_]+$", "")
      option.since = row.since
    end
  end
  return list
end

M.takes = takes

return M
