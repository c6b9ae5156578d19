-- Runs busted under the interpreter that runs this file: busted's own launcher
-- takes whatever "lua" happens to be, and drops the quotes of its arguments.
-- Line buffering, because a process that a sanitizer ends flushes nothing.
--
-- Of a directory each spec has a process of its own: busted keeps all that has
-- run, and specs that collect garbage around every case would pay for every
-- file before theirs.  The last line is the sum of busted's, in its form.

io.stdout:setvbuf "line"

local KINDS <const> = {"success", "failure", "error", "pending"}

local function quote(s) return "'" .. s:gsub("'", [['\'']]) .. "'" end

-- The command that runs this file again, with the options, but for a file.
local function command(file)
  local words = {"exec", os.getenv "URING_SPEC_RUNNER" or "", quote(arg[-1]), quote(arg[0])}
  for i = 1, #arg - 1 do words[#words + 1] = quote(arg[i]) end
  words[#words + 1] = quote(file)
  return table.concat(words, " ") .. " 2>&1"
end

-- Run one and pass on what it says; add its summary to the sums.
local function run(file, sums)
  local pipe <const> = assert(io.popen(command(file)))
  local found = false
  print(file)
  for line in pipe:lines() do
    local plain <const> = line:gsub("\27%[[%d;]*m", "")
    if plain:find "^%d+ success" then
      found = true
      for _, kind in ipairs(KINDS) do
        sums[kind] = sums[kind] + tonumber(plain:match("(%d+) " .. kind))
      end
    else
      print(line)
    end
  end
  local good <const>, how <const>, code <const> = pipe:close()
  if not good then print(("%s: %s %d"):format(file, how, code)) end
  if not found then sums.error = sums.error + 1 end
  return good and found
end

local function run_all(directory)
  local files = {}
  for name in require "lfs".dir(directory) do
    if name:find "_spec%.lua$" then files[#files + 1] = directory .. "/" .. name end
  end
  table.sort(files)
  local sums <const>, start <const> = {}, os.time()
  for _, kind in ipairs(KINDS) do sums[kind] = 0 end
  local all = #files > 0
  for _, file in ipairs(files) do all = run(file, sums) and all end
  print(("%d successes / %d failures / %d errors / %d pending : %d seconds"):format(sums.success,
    sums.failure, sums.error, sums.pending, os.time() - start))
  return all
end

if require "lfs".attributes(arg[#arg] or "", "mode") == "directory" then
  os.exit(run_all(arg[#arg]), true)
end
require "busted.runner" { standalone = false }
