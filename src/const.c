/* SPDX-License-Identifier: MIT
**
** const.c - the constants of io_uring and of the calls it stands for.
**
** They are fields of the module itself, in the spelling of the manual
** pages: core.IORING_SETUP_SQPOLL, core.O_RDONLY.  The rows are in
** const.def.  Error numbers are elsewhere (core.errno, error.c).  That a
** constant is here does not say that the running kernel knows it.
**
** They are in a table behind the module's own: Lua looks for the name of a
** function in every field of every module, for each line of a traceback, and
** would take four times as long with 700 more of them.
*/

#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <netinet/udp.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <sys/xattr.h>
#include <time.h>

#include "uring.h"

typedef struct Constant {
  const char *name;
  lua_Integer value;
} Constant;

/* The # takes a name as it is written, be it a macro somewhere or not. */
#define N(name, value) {#name, (lua_Integer)(value)},
#define C(name) {#name, (lua_Integer)(name)},

static const Constant constants[] = {
#include "const.def"
};

static void set(lua_State *L, const char *name, lua_Integer value) {
  lua_pushinteger(L, value);
  lua_setfield(L, -2, name);
}

static int l_const_next(lua_State *L) {
  lua_settop(L, 2);
  if (lua_next(L, 1))
    return 2;
  lua_pushnil(L);
  return 1;
}

/* Copy the fields of the table at 'from' to the one on the top [-0, +0, e]. */
static void copy(lua_State *L, int from) {
  lua_pushnil(L);
  while (lua_next(L, from)) {
    lua_pushvalue(L, -2);
    lua_insert(L, -2);
    lua_rawset(L, -4);
  }
}

/* pairs(core): the constants, too */
static int l_const_pairs(lua_State *L) {
  lua_settop(L, 1);
  lua_pushcfunction(L, l_const_next);
  lua_newtable(L);
  copy(L, lua_upvalueindex(1));
  copy(L, 1);
  lua_pushnil(L);
  return 3;
}

/* The metatable of the module, which is on the top. */
void const_open(lua_State *L, State *S) {
  (void)S;
  lua_createtable(L, 0, 2);
  lua_newtable(L);
  for (size_t i = 0; i < sizeof constants / sizeof constants[0]; i++)
    set(L, constants[i].name, constants[i].value);
  set(L, "SIGRTMIN", SIGRTMIN);  /* functions of the C library, which */
  set(L, "SIGRTMAX", SIGRTMAX);  /* keeps some signals for itself */
  lua_pushvalue(L, -1);
  lua_setfield(L, -3, "__index");
  lua_pushcclosure(L, l_const_pairs, 1);
  lua_setfield(L, -2, "__pairs");
  lua_setmetatable(L, -2);
}
