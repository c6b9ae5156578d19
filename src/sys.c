/* SPDX-License-Identifier: MIT
**
** sys.c - system calls for files that io_uring has no operation for.
**
** Ordinary calls: they can block for as long as the file system takes.
*/

#include <errno.h>
#include <stdio.h>
#include <unistd.h>

#include "uring.h"

static int result(lua_State *L, int rc, const char *name, int fd) {
  int code = errno;
  char what[24];
  if (rc != 0) {
    snprintf(what, sizeof what, "fd %d", fd);
    return err_fail(L, code, name, what);
  }
  lua_pushboolean(L, 1);
  return 1;
}

/* core.sys.fchmod(fd, mode) -> true | nil, message, errno */
static int l_sys_fchmod(lua_State *L) {
  mode_t mode = (mode_t)args_int(L, 2, 0, 07777);
  Fd *own;
  int fd = fd_arg(L, 1, &own);
  return result(L, fchmod(fd, mode), "fchmod", fd);
}

static const luaL_Reg functions[] = {
  {"fchmod", l_sys_fchmod},
  {NULL, NULL}
};

/* The table core.sys. */
void sys_open(lua_State *L, State *S) {
  lua_newtable(L);
  lua_pushlightuserdata(L, S);
  luaL_setfuncs(L, functions, 1);
  lua_setfield(L, -2, "sys");
}
