local core = require "uring.core"
local helper = require "spec.helper"

local op <const>, fails <const>, raises <const> = core.op, helper.fails, helper.raises
local needs <const>, start <const> = helper.needs, helper.start

local function word(n) return string.pack("<I4", n) end

describe("futex_wait", function()
  needs "futex_wait"("waits until it is woken", function()
    local buffer = core.buffer(word(7) .. word(8))
    local task = start(op.futex_wait, buffer, 8, nil, nil, nil, 4)
    assert.equal(0, op.futex_wake(buffer, 1)) -- the other word
    assert.equal(1, op.futex_wake(buffer, 10, nil, nil, nil, 4))
    assert.is_true(task:join())
  end)

  needs "futex_wait"("does not wait when the value is another", function()
    fails("EAGAIN", "futex_wait: Resource temporarily unavailable",
      op.futex_wait(core.buffer(word(7)), 8))
  end)

  needs "futex_wait"("is woken by bits of the mask", function()
    local buffer = core.buffer(4)
    local a = start(op.futex_wait, buffer, 0, 1)
    local b = start(op.futex_wait, buffer, 0, 2)
    assert.equal(1, op.futex_wake(buffer, 10, 2))
    assert.is_true(b:join())
    assert.equal(1, op.futex_wake(buffer, 10, 5))
    assert.is_true(a:join())
  end)

  needs "futex_wait"("can be cancelled, and frees its buffer", function()
    local buffer = core.buffer(4)
    local task = start(op.futex_wait, buffer, 0)
    assert.equal(1, buffer:busy())
    raises("in use", buffer.resize, buffer, 8)
    assert.truthy(op.cancel(task))
    fails("ECANCELED", "futex_wait: Operation canceled", task:join())
    assert.equal(0, buffer:busy())
  end)

  needs "futex_wait"("takes 4 bytes of a buffer only", function()
    local buffer = core.buffer(6)
    raises("no 4 bytes there", op.futex_wait, buffer, 0, nil, nil, nil, 4)
    raises("not a multiple of 4", op.futex_wait, buffer, 0, nil, nil, nil, 2)
    raises("no 4 bytes there", op.futex_wait, core.buffer(3), 0)
    raises("buffer expected", op.futex_wait, "1234", 0)
    fails("EINVAL", "futex_wait: Invalid argument", op.futex_wait(buffer, 0, nil, 0x40))
  end)
end)

describe("futex_waitv", function()
  needs "futex_waitv"("says which of them was woken", function()
    local a, b = core.buffer(4), core.buffer(word(1) .. word(2))
    local task = start(op.futex_waitv, { { a, 0 }, { b, 1 }, { b, 2, at = 4 } })
    assert.equal(1, a:busy())
    assert.equal(2, b:busy())
    assert.equal(1, op.futex_wake(b, 1, nil, nil, nil, 4))
    assert.equal(3, task:join())
    assert.equal(0, a:busy() + b:busy())
  end)

  needs "futex_waitv"("does not wait when one has another value", function()
    local a = core.buffer(4)
    fails("EAGAIN", "futex_waitv: Resource temporarily unavailable",
      op.futex_waitv { { a, 0 }, { a, 1 } })
  end)

  needs "futex_waitv"("checks its list", function()
    local a = core.buffer(6)
    raises("list of 1 to 128 expected", op.futex_waitv, {})
    raises("list of tables expected", op.futex_waitv, { a })
    raises("buffer expected as first field", op.futex_waitv, { { "x", 1 } })
    raises("has no 4 bytes there", op.futex_waitv, { { a, 0, at = 4 } })
    raises("not a multiple of 4", op.futex_waitv, { { a, 0, at = 2 } })
    raises("expected", op.futex_waitv, { { a } })
  end)

  needs "futex_waitv"("keeps buffers that nobody else has", function()
    local b = core.buffer(4)
    local task = start(function() return op.futex_waitv { { core.buffer(4), 0 }, { b, 0 } } end)
    collectgarbage()
    collectgarbage()
    assert.equal(1, op.futex_wake(b, 1))
    assert.equal(2, task:join())
  end)
end)
