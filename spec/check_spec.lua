-- Misuse of the friendly layer: it is named, with the function and the line of
-- whoever has called that.  The operations are in args_spec.lua.

local helper = require "spec.helper"
local uring = require "uring"

local main_it <const> = helper.main_it

-- What is called -> what is raised.  Each call is in a line of its own, so that
-- the line in the message can only be that one.
local mistakes <const> = {
  ["uring.run()"] = "bad argument #1 to 'run' (function expected, got nil)",
  ["uring.spawn(5)"] = "bad argument #1 to 'spawn' (function expected, got number)",
  ["uring.scope()"] = "bad argument #1 to 'scope' (function expected, got nil)",
  ["uring.scope(function(s) s:spawn() end)"] =
    "bad argument #1 to 'spawn' (function expected, got nil)",
  ["uring.scope(function(s) s:cancel(5) end)"] =
    "bad argument #1 to 'cancel' (string expected, got number)",
  ["uring.shield 'x'"] = "bad argument #1 to 'shield' (function expected, got string)",
  ["uring.timeout(1)"] = "bad argument #2 to 'timeout' (function expected, got nil)",
  ["uring.timeout(print, 1)"] = "bad argument #1 to 'timeout' (number expected, got function)",
  ["uring.timeout(-1, print)"] = "bad argument #1 to 'timeout' (seconds must not be negative)",
  ["uring.timeout(0/0, print)"] = "bad argument #1 to 'timeout' (seconds expected, got nan)",
  ["uring.sleep '1'"] = "bad argument #1 to 'sleep' (number expected, got string)",
  ["uring.interval(-1)"] = "bad argument #1 to 'interval' (seconds must not be negative)",
  ["uring.interval(0/0)"] = "bad argument #1 to 'interval' (seconds expected, got nan)",
  ["uring.all(print, print)"] = "bad argument #1 to 'all' (table expected, got function)",
  ["uring.all {print, 5}"] =
    "bad argument #1 to 'all' (function expected at index 2, got number)",
  ["uring.race()"] = "bad argument #1 to 'race' (table expected, got nil)",
  ["uring.race {false}"] =
    "bad argument #1 to 'race' (function expected at index 1, got boolean)",
  ["uring.each(5, 1, print)"] =
    "bad argument #1 to 'each' (table or function expected, got number)",
  ["uring.each({}, 0, print)"] = "bad argument #2 to 'each' (positive integer expected)",
  ["uring.map({}, print)"] = "bad argument #2 to 'map' (positive integer expected)",
  ["uring.map({}, 1, {})"] = "bad argument #3 to 'map' (function expected, got table)",
  ["uring.channel(-1)"] = "bad argument #1 to 'channel' (integer of at least 0 expected, got -1)",
  ["uring.channel 'x'"] =
    "bad argument #1 to 'channel' (integer of at least 0 expected, got string)",
  ["uring.channel():send()"] = "bad argument #1 to 'send' (nil cannot be sent)",
  ["uring.channel():try_send()"] = "bad argument #1 to 'try_send' (nil cannot be sent)",
  ["uring.semaphore()"] =
    "bad argument #1 to 'semaphore' (integer of at least 0 expected, got nil)",
  ["uring.condition(5)"] = "bad argument #1 to 'condition' (mutex expected, got number)",
  ["uring.select()"] = "bad argument #1 to 'select' (table expected, got nil)",
  ["uring.select {}"] = "bad argument #1 to 'select' (no cases)",
  ["uring.select {-1}"] = "bad argument #1 to 'select' (seconds must not be negative)",
  ["uring.trace(5)"] = "bad argument #1 to 'trace' (function expected, got number)",
  ["uring.debug 'on'"] = "bad argument #1 to 'debug' (boolean expected, got string)",
  ["uring.listen()"] = "bad argument #1 to 'listen' (address expected, got nil)",
  ["uring.connect('127.0.0.1', '80')"] = "bad argument #1 to 'connect' " ..
    "(integer from 0 to 65535 expected in field 'port', got string)",
  ["uring.connect('127.0.0.1', 99999)"] = "bad argument #1 to 'connect' " ..
    "(integer from 0 to 65535 expected in field 'port', got 99999)",
  ["uring.listen('127.0.0.1:0'):serve()"] =
    "bad argument #1 to 'serve' (function expected, got nil)",
  ["uring.open()"] = "bad argument #1 to 'open' (string expected, got nil)",
  ["uring.open 'a\\0b'"] = "bad argument #1 to 'open' (path contains a zero byte)",
  ["uring.open('x', 'q')"] = "bad argument #2 to 'open' (invalid mode)",
}

describe("misuse of the friendly layer", function()
  local calls = {}
  for call in pairs(mistakes) do calls[#calls + 1] = call end
  table.sort(calls)

  for _, call in ipairs(calls) do
    main_it("is named in " .. call:gsub("%c", "?"), function()
      local f <const> = assert(load("local uring = require 'uring'\n" .. call ..
                                    "\nreturn true", "=(script)"))
      local ok, err = pcall(uring.run, f)
      assert.is_false(ok)
      assert.equal("(script):2: " .. mistakes[call], err:match "^[^\n]*")
      collectgarbage()                 -- a server that was opened for it
    end)
  end

  main_it("is named outside a task by those that need one", function()
    for name, arguments in pairs {
      scope = { print }, shield = { print }, timeout = { 1, print }, all = { {} }, race = { {} },
      each = { {}, 1, print }, map = { {}, 1, print },
    } do
      local ok, err = pcall(function()
        uring[name](table.unpack(arguments))
        return true
      end)
      assert.is_false(ok)
      assert.matches("check_spec.lua:%d+: uring." .. name ..
                     " outside a task: call it inside uring.run$", err)
    end
    local server <close> = assert(uring.listen "127.0.0.1:0")
    helper.raises("server:serve outside a task: call it inside uring.run",
                  server.serve, server, print)
  end)
end)
