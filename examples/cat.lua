-- Print files, one after the other; "-" or nothing is the standard input.
--
--   lua5.4 examples/cat.lua [FILE...]

local uring = require "uring"

local function report(message)
  io.stderr:write("cat: ", tostring(message), "\n")
end

-- The message about a descriptor, with its name.
local function named(message, name)
  return (message:gsub("fd %d+", function() return name end))
end

-- Copy everything from one descriptor to the standard output.
local function copy(from, name)
  while true do
    local data, message = uring.op.read(from, 65536)
    if data == "" then return true end
    if not data then return nil, named(message, name) end
    while #data > 0 do
      local n, why = uring.op.write(1, data)
      if not n then error({message = named(why, "standard output")}, 0) end
      data = data:sub(n + 1)
    end
  end
end

local function cat(path)
  if path == "-" then return copy(0, "standard input") end
  local file <close>, message = uring.open(path)
  if not file then return nil, message end
  return copy(file, path)
end

local ok, result = pcall(uring.run, function()
  local all_good = true
  for _, path in ipairs(#arg > 0 and arg or {"-"}) do
    local ok, message = cat(path)
    if not ok then
      all_good = false
      report(message)
    end
  end
  return all_good
end)
if not ok then report(type(result) == "table" and result.message or result) end
os.exit(ok and result, true)
