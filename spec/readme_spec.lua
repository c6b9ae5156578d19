-- What README.md promises: its examples run as they are, and print what they
-- say; what it mentions is there.

local helper = require "spec.helper"

local it <const> = helper.main_it

local text <const> = helper.read_file "README.md"

-- The blocks of code of a language, each with its first line's number.
local function blocks(language)
  local list, current, n = {}, nil, 0
  for line in text:gmatch "([^\n]*)\n" do
    n = n + 1
    if current then
      if line == "```" then
        list[#list + 1] = {line = current.line, text = table.concat(current, "\n") .. "\n"}
        current = nil
      else
        current[#current + 1] = line
      end
    elseif line:match "^```(%S*)" == language then
      current = {line = n + 1}
    end
  end
  return list
end

-- A pattern for what a comment "--> ..." says is printed: blanks are any
-- blanks, and "..." is anything.
local function pattern(expected)
  local p = expected:gsub("%p", "%%%0"):gsub("%%%.%%%.%%%.", ".-"):gsub("%s+", "%%s+")
  return "^" .. p .. "$"
end

describe("README.md", function()
  local runnable = 0
  for i, block in ipairs(blocks "lua") do
    -- a block without its require is a piece of something
    if block.text:find 'require "uring' then
      runnable = runnable + 1
      it(("has example %d, in line %d, that runs"):format(i, block.line), function()
        local output, status = helper.script(block.text)
        assert.equal(0, status, output)
        local lines = output:gmatch "([^\n]*)\n"
        for expected in block.text:gmatch "%-%->%s*([^\n]+)" do
          local p, found = pattern(expected), false
          for line in lines do
            found = line:match(p) ~= nil
            if found then break end
          end
          assert.is_true(found, ("%q is not in\n%s"):format(expected, output))
        end
      end)
    else
      it(("has example %d, in line %d, that is Lua"):format(i, block.line), function()
        assert(load(block.text))
      end)
    end
  end

  it("begins with an example that runs", function()
    assert.is_true(runnable > 0)
    assert.is_true(text:find("```lua", 1, true) < 1000)
  end)

  it("names targets of make that there are", function()
    local makefile = helper.read_file "Makefile"
    for name in text:gmatch "make ([a-z]+)" do
      if not text:find("luarocks [^\n]*make " .. name) then
        assert.is_true(("\n" .. makefile):find("\n" .. name .. ":", 1, true) ~= nil, name)
      end
    end
  end)

  it("names files that there are", function()
    for name in text:gmatch "%]%(([^%s%)]+)%)" do
      if not name:find "^%a+:" then
        local there = io.open((name:gsub("#.*", "")))
        assert.is_true(there ~= nil, name)
        there:close()
      end
    end
    for name in text:gmatch "`([%w_]+%.lua)`" do
      local there = io.open("examples/" .. name)
      assert.is_true(there ~= nil, name)
      there:close()
    end
  end)

  it("names functions that there are", function()
    local uring = require "uring"
    for name in text:gmatch "%f[%w]uring%.([%a_]+)" do
      if name ~= "core" and name ~= "lua" and name ~= "so" then
        assert.is_true(uring[name] ~= nil, "uring." .. name)
      end
    end
    for name in text:gmatch "%f[%w]op%.([%a_]+)" do
      assert.is_true(uring.op[name] ~= nil, "op." .. name)
    end
  end)
end)
