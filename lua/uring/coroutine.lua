--- The coroutine library for code that does I/O inside coroutines.
--
-- A generator made here may await anywhere in a task, at any depth: the
-- operation suspends the task, and the generator does not notice.  With the
-- standard library an await inside a coroutine raises an error.

local core <const> = require "uring.core"
local nested <const> = core.coroutine

local library <const> = _G.coroutine   -- which install changes

-- Kept from before install, for debuggers and whoever needs them.
local original <const> = {}
for name, f in pairs(library) do original[name] = f end

-- What waits for an operation can be neither resumed nor closed by others, and
-- what is in a scope of its own cannot yield.
local M = {
  original = original,
  create = original.create,
  isyieldable = original.isyieldable,
  running = original.running,
  status = original.status,
  yield = nested.yield,
  close = nested.close,
  resume = nested.resume,
  wrap = nested.wrap
}

--- Put this library in place of the global one, whose functions stay in
--- uring.coroutine.original.
function M.install()
  for name in pairs(original) do library[name] = M[name] end
end

--- Put the standard library back.
function M.uninstall()
  for name, f in pairs(original) do library[name] = f end
end

return M
