-- Print files, one after the other; "-" or nothing is the standard input.
--
--   lua5.4 examples/cat.lua [FILE...]

local uring = require "uring"

local function report(message)
  io.stderr:write("cat: ", tostring(message), "\n")
end

-- Copy everything from one descriptor to another.
local function copy(from, to, name)
  while true do
    local data, message = uring.op.read(from, 65536)
    if data == "" then return true end
    if not data then
      return nil, (message:gsub("^read fd %d+", name))
    end
    while #data > 0 do
      local n, why = uring.op.write(to, data)
      if not n then return nil, why end
      data = data:sub(n + 1)
    end
  end
end

local function cat(path)
  if path == "-" then return copy(0, 1, "standard input") end
  local file <close>, message = uring.open(path)
  if not file then return nil, message end
  return copy(file, 1, path)
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
if not ok then report(result) end
os.exit(ok and result, true)
