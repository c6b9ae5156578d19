-- Directories and names.

local assert = require "luassert"
local core = require "uring.core"
local helper = require "spec.helper"
local system = require "spec.system" -- spec/support/system.c

local cases = {}

-- Two directories in that of the case, a file in the first one.
local function directories(t)
  for _, name in ipairs { "a", "b" } do system.mkdir(t.dir .. "/" .. name) end
  helper.write_file(t.dir .. "/a/file", "text")
  return t:keep(assert(io.open(t.dir .. "/a"))), t:keep(assert(io.open(t.dir .. "/b")))
end

local function is_directory(name, perm)
  local st <const> = system.stat(name)
  assert.same({ "d", perm & ~system.umask() }, { st.type, st.perm })
end

cases.mkdirat = {
  work = function(t)
    local _ <const>, b <const> = directories(t)
    assert.is_true(t:call("mkdirat", b, "new", 448))
    is_directory(t.dir .. "/b/new", 448)
    assert.is_true(t:call("mkdirat", b, "usual"))
    is_directory(t.dir .. "/b/usual", 511)
    assert.is_true(t:call("mkdirat", nil, t.dir .. "/whole"))
    is_directory(t.dir .. "/whole", 511)
  end,
  fail = function(t)
    t:fails("EEXIST", "mkdirat", t:directory(), "file")
    t:fails("ENOENT", "mkdirat", t:directory(), "none/new")
  end,
}

cases.mkdir = {
  work = function(t)
    assert.is_true(t:call("mkdir", t.dir .. "/new", 448))
    is_directory(t.dir .. "/new", 448)
    assert.is_true(t:call("mkdir", t.dir .. "/usual"))
    is_directory(t.dir .. "/usual", 511)
  end,
  fail = function(t) t:fails("EEXIST", "mkdir", t.path) end,
}

cases.renameat = {
  work = function(t)
    local a <const>, b <const> = directories(t)
    assert.is_true(t:call("renameat", a, "file", b, "new"))
    assert.is_nil(system.stat(t.dir .. "/a/file"))
    assert.equal("text", helper.read_file(t.dir .. "/b/new"))
    assert.is_true(t:call("renameat", nil, t.path, b, "new", core.RENAME_EXCHANGE))
    assert.equal("text", t:contents())
    assert.equal("0123456789", helper.read_file(t.dir .. "/b/new"))
    assert.is_true(t:call("renameat", b, "new", nil, t.path))
    assert.equal("0123456789", t:contents())
  end,
  fail = function(t)
    local a <const>, b <const> = directories(t)
    t:fails("EEXIST", "renameat", a, "file", nil, t.path, core.RENAME_NOREPLACE)
    t:fails("ENOENT", "renameat", b, "file", a, "new")
    assert.equal("0123456789", t:contents())
  end,
}

cases.rename = {
  work = function(t)
    assert.is_true(t:call("rename", t.path, t.dir .. "/new"))
    assert.is_nil(system.stat(t.path))
    assert.equal("0123456789", helper.read_file(t.dir .. "/new"))
  end,
  fail = function(t)
    t:fails("ENOENT", "rename", t.dir .. "/none", t.path)
    assert.equal("0123456789", t:contents())
  end,
}

cases.unlinkat = {
  work = function(t)
    local a <const> = directories(t)
    assert.is_true(t:call("unlinkat", a, "file"))
    assert.is_nil(system.stat(t.dir .. "/a/file"))
    assert.is_true(t:call("unlinkat", nil, t.dir .. "/a", core.AT_REMOVEDIR))
    assert.is_nil(system.stat(t.dir .. "/a"))
    assert.not_nil(system.stat(t.path))
  end,
  fail = function(t)
    directories(t)
    t:fails("ENOENT", "unlinkat", t:directory(), "none")
    t:fails("EISDIR", "unlinkat", t:directory(), "b")
    t:fails("ENOTDIR", "unlinkat", t:directory(), "file", core.AT_REMOVEDIR)
  end,
}

cases.unlink = {
  work = function(t)
    directories(t)
    assert.is_true(t:call("unlink", t.path))
    assert.is_nil(system.stat(t.path))
    assert.is_true(t:call("unlink", t.dir .. "/b", core.AT_REMOVEDIR))
    assert.is_nil(system.stat(t.dir .. "/b"))
  end,
  fail = function(t)
    directories(t)
    t:fails("ENOENT", "unlink", t.dir .. "/none")
    t:fails("ENOTEMPTY", "unlink", t.dir .. "/a", core.AT_REMOVEDIR)
  end,
}

cases.symlinkat = {
  work = function(t)
    local a <const> = directories(t)
    assert.is_true(t:call("symlinkat", "file", a, "link"))
    assert.equal("file", system.stat(t.dir .. "/a/link").target)
    assert.equal("text", helper.read_file(t.dir .. "/a/link"))
    assert.is_true(t:call("symlinkat", "none", nil, t.dir .. "/link"))
    assert.equal("none", system.stat(t.dir .. "/link").target)
  end,
  fail = function(t) t:fails("EEXIST", "symlinkat", "none", t:directory(), "file") end,
}

cases.symlink = {
  work = function(t)
    assert.is_true(t:call("symlink", "file", t.dir .. "/link"))
    assert.equal("file", system.stat(t.dir .. "/link").target)
  end,
  fail = function(t) t:fails("EEXIST", "symlink", "none", t.path) end,
}

cases.linkat = {
  work = function(t)
    local a <const>, b <const> = directories(t)
    local ino <const> = system.stat(t.dir .. "/a/file").ino
    assert.is_true(t:call("linkat", a, "file", b, "new"))
    assert.equal(ino, system.stat(t.dir .. "/b/new").ino)
    system.symlink("file", t.dir .. "/a/link")
    assert.is_true(t:call("linkat", a, "link", nil, t.dir .. "/itself"))
    assert.equal("file", system.stat(t.dir .. "/itself").target)
    assert.is_true(t:call("linkat", nil, t.dir .. "/a/link", b, "target",
      core.AT_SYMLINK_FOLLOW))
    assert.equal(ino, system.stat(t.dir .. "/b/target").ino)
  end,
  fail = function(t)
    local a <const>, b <const> = directories(t)
    t:fails("EEXIST", "linkat", a, "file", nil, t.path)
    t:fails("ENOENT", "linkat", b, "file", a, "new")
  end,
}

cases.link = {
  work = function(t)
    local ino <const> = system.stat(t.path).ino
    assert.is_true(t:call("link", t.path, t.dir .. "/new"))
    assert.equal(ino, system.stat(t.dir .. "/new").ino)
    system.symlink("file", t.dir .. "/link")
    assert.is_true(t:call("link", t.dir .. "/link", t.dir .. "/target", core.AT_SYMLINK_FOLLOW))
    assert.equal(ino, system.stat(t.dir .. "/target").ino)
  end,
  fail = function(t)
    t:fails("EEXIST", "link", t.path, t.path)
    t:fails("ENOENT", "link", t.dir .. "/none", t.dir .. "/new")
  end,
}

return cases
