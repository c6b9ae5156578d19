/* SPDX-License-Identifier: MIT
**
** event.c - kinds of descriptors that no operation makes.
*/

#include <errno.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <lua.h>
#include <lauxlib.h>

__attribute__((visibility("default"))) int luaopen_spec_event(lua_State *L);

static int check(lua_State *L, int rc, const char *call) {
  if (rc < 0)
    return luaL_error(L, "%s: %s", call, strerror(errno));
  lua_pushinteger(L, rc);
  return 1;
}

/* event.eventfd() -> descriptor */
static int l_eventfd(lua_State *L) {
  return check(L, eventfd(0, EFD_CLOEXEC), "eventfd");
}

/* event.epoll() -> descriptor */
static int l_epoll(lua_State *L) {
  return check(L, epoll_create1(EPOLL_CLOEXEC), "epoll_create1");
}

/* event.pidfd(pid) -> descriptor */
static int l_pidfd(lua_State *L) {
  long rc = syscall(SYS_pidfd_open, (pid_t)luaL_checkinteger(L, 1), 0);
  return check(L, (int)rc, "pidfd_open");
}

static const luaL_Reg functions[] = {
  {"epoll", l_epoll},
  {"eventfd", l_eventfd},
  {"pidfd", l_pidfd},
  {NULL, NULL}
};

int luaopen_spec_event(lua_State *L) {
  luaL_newlib(L, functions);
  return 1;
}
