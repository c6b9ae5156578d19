/* SPDX-License-Identifier: MIT
**
** module.c - luaopen_uring_core: opens each unit.
**
** Requiring the module makes no ring, no thread and no descriptor.  The only
** thing it does to the process is to note when it has forked.
*/

#include <pthread.h>

#include "uring.h"

unsigned fork_count = 0;

static void count_fork(void) { fork_count++; }

static void watch_forks(void) { pthread_atfork(NULL, NULL, count_fork); }

/* Add functions, with the state as upvalue, to the methods of a type. */
void unit_methods(lua_State *L, State *S, const char *name,
                  const luaL_Reg *methods) {
  luaL_getmetatable(L, name);
  lua_getfield(L, -1, "methods");
  lua_pushlightuserdata(L, S);
  luaL_setfuncs(L, methods, 1);
  lua_pop(L, 2);
}

/*
** Make the metatable of a type [-0, +0, e].  'methods', when there are any,
** become its __index; every function gets the state as first upvalue.
** Returns what unit_test takes.
*/
const void *unit_type(lua_State *L, State *S, const char *name,
                      const luaL_Reg *methods, const luaL_Reg *meta) {
  const void *identity;
  luaL_newmetatable(L, name);
  lua_pushlightuserdata(L, S);
  luaL_setfuncs(L, meta, 1);
  if (methods) {
    lua_newtable(L);
    lua_pushvalue(L, -1);
    lua_setfield(L, -3, "methods");
    lua_setfield(L, -2, "__index");
  }
  lua_pushliteral(L, "uring");
  lua_setfield(L, -2, "__metatable");
  identity = lua_topointer(L, -1);
  lua_pop(L, 1);
  if (methods)
    unit_methods(L, S, name, methods);
  return identity;
}

/* The state of this universe, anchored in the registry. */
static State *new_state(lua_State *L) {
  State *S = lua_newuserdatauv(L, sizeof *S, 0);
  memset(S, 0, sizeof *S);
  lua_rawsetp(L, LUA_REGISTRYINDEX, S);
  lua_newtable(L);
  lua_createtable(L, 0, 1);
  lua_pushliteral(L, "v");
  lua_setfield(L, -2, "__mode");
  lua_setmetatable(L, -2);
  link_init(&S->all);
  S->rings = luaL_ref(L, LUA_REGISTRYINDEX);
  lua_pushboolean(L, 0);
  S->keep = luaL_ref(L, LUA_REGISTRYINDEX);
  S->on_end = S->on_cancel = S->on_raise = LUA_NOREF;
  S->on_throw = S->waiter = LUA_NOREF;
  S->on_trace = S->on_report = LUA_NOREF;
  return S;
}

int luaopen_uring_core(lua_State *L) {
  static pthread_once_t once = PTHREAD_ONCE_INIT;
  static void (*const units[])(lua_State *, State *) = {
    debug_open, err_open, const_open, buf_open, fd_open, addr_open,
    statx_open,
    sock_open, sys_open, sqe_open, cqe_open, op_open, ring_open, setup_open,
    bufring_open, multi_open, timer_open, task_open, nursery_open, wait_open,
    inspect_open, guest_open, coro_open, direct_open, register_open, tune_open,
    enter_open, map_open, chain_open, with_open, message_open
  };
  State *S;
  luaL_checkversion(L);
  pthread_once(&once, watch_forks);
  S = new_state(L);
  lua_newtable(L);
  for (size_t i = 0; i < sizeof units / sizeof units[0]; i++)
    units[i](L, S);
  return 1;
}
