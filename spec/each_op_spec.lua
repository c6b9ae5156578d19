-- Each operation of the table at its real work, seen by other means, and in
-- its failure; in a task, and as an entry of the raw layer.

local core = require "uring.core"
local each_layer = require "spec.layers"

local cases <const> = {}
for _, name in ipairs { "files", "paths", "sockets", "receiving", "events", "rings" } do
  for row, case in pairs(require("spec.cases." .. name)) do cases[row] = case end
end

-- The kernel does not have it: in a task that is said, an entry fails.
local function absent(name, args)
  return function(t)
    local result <const>, code <const> = t:call(name, table.unpack(args))
    assert.is_nil(result)
    assert.equal(core.errno[t.entry and "EINVAL" or "EOPNOTSUPP"], code)
  end
end

describe("the operation", function()
  for _, row in ipairs(core.ops) do
    describe(row.name, function()
      local case <const> = cases[row.name]
      if not case then return end
      if core.default():supports(row.name) then
        if case.work then each_layer("does its work", case.work, true, case.options) end
        if case.fail then each_layer("fails", case.fail, false, case.options) end
        if case.without then
          each_layer("says that it needs " .. case.without[1], case.without[2])
        end
      else
        pending("does its work (this kernel has no " .. row.name .. ")")
        each_layer("is not there", absent(row.name, case.absent))
      end
    end)
  end

  it("has a case for each row of the table, and no other has", function()
    local rows <const> = {}
    for _, row in ipairs(core.ops) do
      rows[row.name] = true
      local case <const> = cases[row.name]
      assert(case and (case.work and case.fail or case.without or case.absent), row.name)
    end
    for name in pairs(cases) do assert(rows[name], name) end
  end)
end)
