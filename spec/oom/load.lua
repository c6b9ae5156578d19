-- What oom.c runs: loading the library.  The dynamic loader, which leaks a
-- little when it fails, has done its part before.

assert(package.loadlib(package.searchpath("uring.core", package.cpath), "*"))

arm(true)
local uring = require "uring"
arm(false)
assert(uring.run)
