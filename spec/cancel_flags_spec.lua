-- What a cancellation hits: every combination of its flags, by a model of what
-- io_uring_prep_cancel(3) says.

local core = require "uring.core"
local helper = require "spec.helper"

local errno <const> = core.errno

local ALL <const>, FD <const> = core.IORING_ASYNC_CANCEL_ALL, core.IORING_ASYNC_CANCEL_FD
local ANY <const>, FIXED <const> =
  core.IORING_ASYNC_CANCEL_ANY, core.IORING_ASYNC_CANCEL_FD_FIXED
local DATA <const>, OP <const> =
  core.IORING_ASYNC_CANCEL_USERDATA, core.IORING_ASYNC_CANCEL_OP

local READ <const>, POLL <const> = core.IORING_OP_READ, core.IORING_OP_POLL_ADD

-- What waits: of each its data, its descriptor and its kind.
local waiting <const> = {
  { data = "one", fd = 1, opcode = READ },
  { data = "two", fd = 1, opcode = POLL },
  { data = "three", fd = 2, opcode = READ },
  { data = "four", fd = 2, opcode = POLL },
}

-- Does the cancellation mean it?
local function matches(flags, what, op)
  if flags & ANY ~= 0 then return true end
  if flags & FD ~= 0 and op.fd ~= what.fd then return false end
  if flags & OP ~= 0 and op.opcode ~= what.opcode then return false end
  local by_data <const> = flags & DATA ~= 0 or flags & (FD | OP) == 0
  return not by_data or op.data == what.data
end

-- The result, and how many of those that it means are cancelled.
local function expected(flags, what)
  local n, names <const> = 0, {}
  for _, op in ipairs(waiting) do
    if matches(flags, what, op) then n, names[op.data] = n + 1, true end
  end
  if flags & (ALL | ANY) ~= 0 then return n, n, names end
  return n > 0 and 0 or -errno.ENOENT, n > 0 and 1 or 0, names
end

-- The names of flags, for a message.
local function spell(flags)
  local list <const> = {}
  for _, name in ipairs { "ALL", "FD", "ANY", "FD_FIXED", "USERDATA", "OP" } do
    if flags & core["IORING_ASYNC_CANCEL_" .. name] ~= 0 then list[#list + 1] = name end
  end
  return "flags " .. table.concat(list, "|")
end

-- Sums of these flags.
local function combinations(...)
  local list = { 0 }
  for _, flag in ipairs { ... } do
    for i = 1, #list do list[#list + 1] = list[i] | flag end
  end
  return list
end

-- For each of the flags, with those that are 'always' there: what waits on a
-- ring with the two descriptors in the slots 1 and 2 is cancelled by
-- f(ring, flags, descriptors, seen).  That returns whether the flags make no
-- sense, and the kernel's number, and keeps in 'seen' what has ended.
local function each(list, what, f, always)
  local ring <close> = assert(core.ring())
  local r <const>, w <const> = assert(core.sock.pipe())
  local r2 <const>, w2 <const> = assert(core.sock.pipe())
  local _ <close> = helper.closing(r, w, r2, w2)
  local fds <const> = { r, r2 }
  assert(ring:register_files { false, r, r2 })
  for _, flags in ipairs(list) do
    for _, op in ipairs(waiting) do
      local sqe <const> = ring:get_sqe()
      if op.opcode == READ then sqe:prep_read(fds[op.fd], core.buffer(1), 1, -1)
      else sqe:prep_poll_add(fds[op.fd], core.POLLIN) end
      sqe:set_data(op.data)
    end
    assert.equal(#waiting, ring:submit())
    local seen <const>, ended = {}, 0
    local function reap(n)
      for _ in pairs(seen) do n = n - 1 end
      for _ = 1, n do
        local cqe <const> = assert(ring:wait_cqe(5))
        seen[cqe.data] = cqe.res
      end
      assert.is_nil(ring:peek_cqe())
    end
    local invalid <const>, res <const> = f(ring, flags, fds, seen)
    if invalid then
      assert.equal(-errno.EINVAL, res, spell(flags))
    else
      local result <const>, count <const>, names <const> = expected(flags | (always or 0), what)
      assert.equal(result, res, spell(flags))
      reap(count)
      for name, number in pairs(seen) do
        assert(names[name], spell(flags) .. " has ended " .. name)
        assert.equal(-errno.ECANCELED, number)
      end
      ended = count
    end
    assert.equal(#waiting - ended, ring:register_sync_cancel { flags = ANY | ALL })
    reap(#waiting)
  end
  assert(helper.idle(ring))
end

-- The number of the completion of an entry; others are kept in 'seen'.
local function complete(ring, seen, prepare)
  prepare(ring:get_sqe()):set_data "cancel"
  ring:submit()
  while true do
    local cqe <const> = assert(ring:wait_cqe(5))
    if cqe.data == "cancel" then return cqe.res end
    seen[cqe.data] = cqe.res
  end
end

describe("a cancellation hits what its flags say", function()
  local what <const> = { data = "three", fd = 1, opcode = POLL }
  local none <const> = { data = "nothing", fd = 2, opcode = core.IORING_OP_NOP }

  for _, name in ipairs { "prep_cancel", "prep_cancel64" } do
    helper.main_it(name, function()
      for _, wanted in ipairs { what, none } do
        each(combinations(ALL, ANY, DATA, OP), wanted, function(ring, flags, _, seen)
          local opcode <const> = flags & OP ~= 0 and wanted.opcode or nil
          return flags & ANY ~= 0 and flags & OP ~= 0, complete(ring, seen, function(sqe)
            return sqe[name](sqe, wanted.data, flags, opcode)
          end)
        end)
      end
    end)
  end

  -- It names no data, and no kind but that of a NOP.
  helper.main_it("prep_cancel_fd", function()
    each(combinations(ALL, ANY, DATA, OP), { fd = 1, opcode = core.IORING_OP_NOP },
      function(ring, flags, fds, seen)
        return flags & ANY ~= 0, complete(ring, seen, function(sqe)
          return sqe:prep_cancel_fd(fds[1], flags)
        end)
      end, FD)
  end)

  helper.main_it("register_sync_cancel", function()
    for _, wanted in ipairs { what, none } do
      each(combinations(ALL, FD, ANY, FIXED, DATA, OP), wanted, function(ring, flags, fds)
        local number <const>, _, code <const> = ring:register_sync_cancel {
          target = wanted.data, opcode = wanted.opcode, flags = flags,
          fd = flags & FD ~= 0 and (flags & FIXED ~= 0 and wanted.fd or fds[wanted.fd]) or nil,
        }
        return false, number or -code
      end)
    end
  end)
end)
