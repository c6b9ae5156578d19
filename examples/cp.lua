-- Copy a file, with several reads and writes in flight.
--
--   lua5.4 examples/cp.lua SRC DST

local uring = require "uring"
local CHUNK <const>, WORKERS <const> = 256 * 1024, 8

local function check(ok, message)
  return ok or error({message = message}, 0)
end

local function progress(done, size)
  local part = math.min(done / size, 1)
  local bar = ("\r[%-50s] %3d %%"):format(("#"):rep(part * 50 // 1 | 0), part * 100 // 1 | 0)
  io.stderr:write(bar, done >= size and "\n" or "")
end

-- The chunks up to 'size', each worker the next one; then what comes after.
local function copy(source, target, size)
  local next_offset, done, tty = 0, 0, uring.isatty(2)
  local function copy_range(buffer, offset, stop)
    while offset < stop do             -- a read may be short
      local n = check(source:pread(buffer, offset))
      if n == 0 then return end
      check(target:pwrite(n == #buffer and buffer or buffer:string(1, n), offset))
      offset, done = offset + n, done + n
      if tty then progress(done, size) end
    end
  end
  uring.scope(function(s)
    for _ = 1, WORKERS do
      s:spawn(function()
        local buffer = uring.buffer(CHUNK)
        while next_offset < size do
          local offset = next_offset
          next_offset = offset + CHUNK
          copy_range(buffer, offset, math.min(next_offset, size))
        end
      end)
    end
  end)
  if size > 0 then source:seek("set", size) target:seek("set", size) end
  repeat
    local data, message = source:read(CHUNK)
    check(data or not message, message)
    check(target:write(data or ""))
  until not data
end

local function cp(from, to)
  local source <close> = check(uring.open(from))
  local st = check(source:stat())
  check(st.type ~= "directory", "open " .. from .. ": Is a directory")
  local old = uring.op.statx(nil, to)
  check(not old or old.ino ~= st.ino or old.dev ~= st.dev,
        from .. " and " .. to .. " are the same file")
  local target <close> = check(uring.open(to, "w", st.perm))
  local regular = check(target:stat()).type == "file"
  local ok, problem = pcall(function()
    copy(source, target, regular and st.type == "file" and st.size or 0)
    if regular then check(target:chmod(st.perm)) end
  end)
  if not ok then
    if regular then os.remove(to) end  -- nobody wants half a copy
    error(problem, 0)
  end
end

if #arg ~= 2 then
  io.stderr:write("usage: cp.lua SRC DST\n")
  os.exit(2, true)
end
-- caught inside, too: the workers fail alike, and one message will do
local started, ok, problem = pcall(uring.run, pcall, cp, arg[1], arg[2])
if not started then ok, problem = false, ok end
if not ok then
  io.stderr:write("cp: ", type(problem) == "table" and problem.message or tostring(problem), "\n")
end
os.exit(ok, true)
