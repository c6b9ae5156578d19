rockspec_format = "3.0"
package = "uring"
version = "scm-1"
source = {
  url = "git+file://.", -- `luarocks make` builds the tree it is called in
}
description = {
  summary = "io_uring for Lua: asynchronous I/O in plain coroutines",
  detailed = [[
A script submits an operation, its coroutine yields, and it is resumed with the
result when the kernel has it: files, sockets, timers and processes on one ring,
written in C over liburing, with streams, tasks and cancellation in Lua.]],
  license = "MIT",
  labels = { "linux", "io_uring", "async", "io", "network" },
}
supported_platforms = { "linux" }
dependencies = { "lua >= 5.4, < 5.5" }
external_dependencies = {
  LIBURING = { header = "liburing.h", library = "uring" },
}
build = {
  type = "make",
  build_target = "all",
  -- For both passes: an install that saw other flags would build again.
  variables = {
    BUILD = "build/luarocks", -- the tree keeps its own build
    CFLAGS = "$(CFLAGS)",
    LUA_INCDIR = "$(LUA_INCDIR)",
    LIBURING_INCDIR = "$(LIBURING_INCDIR)",
    LIBURING_LIBDIR = "$(LIBURING_LIBDIR)",
    INST_LIBDIR = "$(LIBDIR)",
    INST_LUADIR = "$(LUADIR)",
  },
}
test = {
  type = "command",
  command = "make test",
}
