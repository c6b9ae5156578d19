/* SPDX-License-Identifier: MIT
**
** hook.c - Ctrl-C in the standalone interpreter, and whoever works like it.
**
** A signal's handler cannot raise an error.  It sets a debug hook of the main
** thread that does, when the next function is called there.  While the loop
** waits none is called; so it looks for a hook after each wait, and lets it
** run.
*/

#include "uring.h"

static int l_nothing(lua_State *L) {
  (void)L;
  return 0;
}

/*
** Let a debug hook run, of this coroutine or of the main thread.  A status,
** with the error pushed; a hook of the main thread that has raised it here is
** taken away, as it would have done itself there.
*/
int hook_run(lua_State *L) {
  lua_State *from = L;
  int status;
  if (lua_gethookmask(L) == 0) {
    lua_rawgeti(L, LUA_REGISTRYINDEX, LUA_RIDX_MAINTHREAD);
    from = lua_tothread(L, -1);
    lua_pop(L, 1);
    if (lua_gethookmask(from) == 0)
      return LUA_OK;
    lua_sethook(L, lua_gethook(from), lua_gethookmask(from),
                lua_gethookcount(from));
  }
  lua_pushcfunction(L, l_nothing);
  status = lua_pcall(L, 0, 0, 0);
  if (from != L) {
    lua_sethook(L, NULL, 0, 0);
    if (status != LUA_OK)
      lua_sethook(from, NULL, 0, 0);
  }
  return status;
}

/* The same, raising. */
void hook_check(lua_State *L) {
  if (hook_run(L) != LUA_OK)
    lua_error(L);
}
