-- Ctrl-C: what the standalone interpreter does with SIGINT reaches a program
-- that waits.

local helper = require "spec.helper"

local it <const> = helper.main_it
local quick <const> = not os.getenv "URING_SPEC_RUNNER" and not os.getenv "LD_PRELOAD"

-- ctrl_c(seconds) sends the script SIGINT after that time; stamped() says that
-- it is about to come, since() how many seconds ago that was.
local prelude <const> = [[
  local uring = require "uring"
  local op, process = uring.op, require "spec.process"
  local stamp = %q
  local function ctrl_c(seconds)
    os.execute(("{ sleep %%g; date +%%%%s%%%%N >%%s; kill -INT %%d; } >/dev/null 2>&1 &")
      :format(seconds, stamp, process.pid()))
  end
  local function stamped()
    local file <close> = io.open(stamp)
    return file:read "n"
  end
  local function since()
    local date <close> = io.popen "date +%%s%%N"
    local file <close> = io.open(stamp)
    return (date:read "n" - file:read "n") / 1e9
  end
  local function closing(f) return setmetatable({}, {__close = f}) end
]]

-- Run a script after that; its output and exit status.
local function script(text)
  local stamp <const> = os.tmpname()
  local output, status = helper.script(prelude:format(stamp) .. text)
  os.remove(stamp)
  return output, status
end

-- Where a program may wait: each is interrupted, and says so in time.  A step may
-- return for any signal.
local waits <const> = {
  ["in run, in an operation"] = [[uring.run(function()
    local r, w = require "uring.core".sock.pipe()
    op.read(r, 1)
    w:close()
  end)]],
  ["in run, in a sleep"] = [[uring.run(uring.sleep, 1000)]],
  ["in run, in a sleep without end"] = [[uring.run(uring.sleep, math.huge)]],
  ["in run, in a scope with many tasks"] = [[uring.run(function()
    uring.scope(function(s)
      for _ = 1, 100 do s:spawn(uring.sleep, 1000) end
    end)
  end)]],
  ["in run, in a channel, with a server beside it"] = [[uring.run(function()
    local server = assert(uring.listen "127.0.0.1:0")
    uring.spawn(server.serve, server, print)
    uring.channel():recv()
  end)]],
  ["in run, in a coroutine"] = [[uring.run(function()
    uring.coroutine.wrap(function() uring.sleep(1000) end)()
  end)]],
  ["in run, while tasks are busy"] = [[uring.run(function()
    for _ = 1, 3 do
      uring.spawn(function()
        while true do uring.yield() end
      end)
    end
    uring.spawn(function()
      while true do op.nop() end
    end)
  end)]],
  ["in run, where Lua cannot yield"] = [[uring.run(function()
    string.gsub("x", "x", function() op.timeout(1000) end)
  end)]],
  ["in run, in a shield"] = [[uring.run(function()
    uring.shield(function()
      while not stamped() do uring.sleep(0.01) end
      local ok = pcall(uring.timeout, 0.5, uring.sleep, 1000)
      assert(ok)
    end)
  end)]],
  ["in the main chunk, in an operation"] = [[op.timeout(1000)]],
  ["in the main chunk, in a sleep"] = [[uring.sleep(1000)]],
  ["in the main chunk, in a channel"] = [[
    uring.spawn(uring.sleep, 1000)
    uring.channel():recv()]],
  ["in the main chunk, in a join"] = [[uring.spawn(uring.sleep, 1000):join()]],
  ["in the main chunk, in a step"] = [[
    local ring = require "uring.core".ring()
    ring:spawn(op.timeout, 1000)
    while true do ring:step() end]],
  ["in the main chunk, in the raw layer"] = [[
    local ring = require "uring.core".ring()
    ring:wait_cqe(1000)]],
}

describe("Ctrl-C", function()
  local names = {}
  for name in pairs(waits) do names[#names + 1] = name end
  table.sort(names)

  for _, name in ipairs(names) do
    it("interrupts a program " .. name, function()
      -- a shield is waited for; other programs may be in the way, but not always
      local bound = name:find "shield" and 0.8 or 0.1
      local best = math.huge
      for _ = 1, quick and 5 or 1 do
        local output, status = script([[
          local ok, err = pcall(function() ctrl_c(0.1) ]] .. waits[name] .. [[ end)
          local seconds = since()
          assert(not ok)
          print(tostring(err):match "^[^\n]*interrupted!")
          io.stderr:write(seconds, "\n")
          os.exit(0, true)
        ]])
        assert.equal(0, status, output)
        local seconds = tonumber(output:match "interrupted!\n([%d.e-]+)\n$")
        assert.is_number(seconds, output)
        best = math.min(best, seconds)
        if best < bound then return end
      end
      if quick then assert.is_true(best < bound, best) end
    end)
  end

  it("ends a program with the usual message", function()
    for _, text in ipairs { "uring.run(uring.sleep, 1000)", "uring.sleep(1000)" } do
      local output, status = script("ctrl_c(0.1) " .. text)
      assert.equal(1, status)
      assert.matches("^[^\n]*lua[%d.]*: interrupted!\nstack traceback:\n", output)
    end
  end)

  it("lets the variables to be closed of every task be closed, which may wait", function()
    local output, status = script [[
      uring.run(function()
        local _ <close> = closing(function() print "main closed" end)
        uring.spawn(function()
          local _ <close> = closing(function()
            uring.shield(function()
              uring.sleep(0.01)
              assert(op.nop() == 0)
            end)
            print "task closed"
          end)
          ctrl_c(0.1)
          uring.sleep(1000)
        end)
        uring.channel():recv()
      end)
    ]]
    assert.equal(1, status)
    assert.matches("task closed\n", output)
    assert.matches("main closed\n", output)
    assert.matches("interrupted!\n", output)
  end)

  it("lets the program go on that catches it", function()
    local output, status = script [[
      print(pcall(uring.run, function()
        ctrl_c(0.1)
        uring.sleep(1000)
      end))
      assert(#uring.tasks() == 0)
      print(uring.run(function() return op.nop() end))
    ]]
    assert.equal(0, status, output)
    assert.matches("^false\t[^\n]*interrupted!\n.*0\n$", output)
  end)

  it("ends the program at once when it comes a second time", function()
    local output, status = script [[
      uring.run(function()
        local _ <close> = closing(function()
          print "cleaning"
          io.stdout:flush()
          ctrl_c(0.1)
          uring.shield(uring.sleep, 1000)
        end)
        ctrl_c(0.1)
        uring.sleep(1000)
      end)
    ]]
    assert.matches("cleaning\n", output)
    assert.equal(130, status)
  end)
end)
