/* SPDX-License-Identifier: MIT
**
** error.c - how failure looks.
**
** There is one shape: nil, "<op> <what>: <reason>", errno.  Codes are
** positive here; the kernel's negative results are turned round where they
** are decoded.  Misuse is not handled here: it raises (luaL_argerror).
*/

#include <errno.h>
#include <stdio.h>
#include <sys/resource.h>

#include "uring.h"

/* Kernel-internal "restart this call" codes, which can leak into a CQE. */
#define ERESTART_FIRST 512
#define ERESTART_LAST 516

/*
** The errno that a user should see for the kernel's.
*/
int err_normal(int code) {
  return (code >= ERESTART_FIRST && code <= ERESTART_LAST) ? EINTR : code;
}

/* "ENOENT" for ENOENT; NULL for a number without a name. */
const char *err_name(int code) { return strerrorname_np(code); }

/*
** Push "<op> <what>: <reason>" [-0, +1, e]; 'what' may be NULL.
*/
int err_push(lua_State *L, int code, const char *op, const char *what) {
  const char *reason = strerrordesc_np(code);
  if (reason == NULL)
    reason = lua_pushfstring(L, "error %d", code);
  else
    lua_pushnil(L);
  if (what)
    lua_pushfstring(L, "%s %s: %s", op, what, reason);
  else
    lua_pushfstring(L, "%s: %s", op, reason);
  lua_remove(L, -2);
  return 1;
}

/* Push nil, message, errno [-0, +3, e]. */
int err_fail(lua_State *L, int code, const char *op, const char *what) {
  luaL_pushfail(L);
  err_push(L, code, op, what);
  lua_pushinteger(L, code);
  return 3;
}

/* The value of kernel.io_uring_disabled, or -1 where there is none. */
static int sysctl_disabled(void) {
  int value = -1;
  FILE *f = fopen("/proc/sys/kernel/io_uring_disabled", "re");
  if (f != NULL) {
    if (fscanf(f, "%d", &value) != 1)
      value = -1;
    fclose(f);
  }
  return value;
}

static void explain_eperm(lua_State *L) {
  int disabled = sysctl_disabled();
  if (disabled > 0)
    lua_pushfstring(L, "io_uring is switched off by the administrator "
      "(sysctl kernel.io_uring_disabled is %d): set it to 0%s",
      disabled, disabled == 1 ? ", or run as a member of the group in "
      "kernel.io_uring_group" : "");
  else
    lua_pushliteral(L, "io_uring is forbidden to this process, most likely "
      "by a seccomp filter of its container or service manager: allow "
      "io_uring_setup, io_uring_enter and io_uring_register there");
}

static void explain_enosys(lua_State *L) {
  lua_pushliteral(L, "this kernel has no io_uring, or a seccomp filter hides "
    "it: run Linux 5.11 or newer with CONFIG_IO_URING, or allow "
    "io_uring_setup, io_uring_enter and io_uring_register in the filter of "
    "the container");
}

static void explain_enomem(lua_State *L) {
  struct rlimit lim = {0, 0};
  getrlimit(RLIMIT_MEMLOCK, &lim);
  lua_pushfstring(L, "not enough locked memory for the ring: the limit of "
    "this user is %I KiB (ulimit -l, RLIMIT_MEMLOCK, shared by all of the "
    "user's rings): raise it, or ask for fewer entries",
    (LUAI_UACINT)(lim.rlim_cur / 1024));
}

/*
** Push nil, message, errno for a ring that could not be made [-0, +3, e].
** The message says what is in the way and what to do about it.
*/
int err_setup(lua_State *L, int code) {
  luaL_pushfail(L);
  switch (code) {
    case EPERM: explain_eperm(L); break;
    case ENOSYS: explain_enosys(L); break;
    case ENOMEM: explain_enomem(L); break;
    case ENXIO:
      lua_pushliteral(L, "the ring of attach_wq has no descriptor, or "
        "somebody else has closed it");
      break;
    default:
      err_push(L, code, "io_uring_setup", NULL);
      lua_pushinteger(L, code);
      return 3;
  }
  lua_pushfstring(L, "io_uring_setup: %s (%s)", lua_tostring(L, -1),
                  err_name(code));
  lua_remove(L, -2);
  lua_pushinteger(L, code);
  return 3;
}

/* core.strerror(errno) -> reason, name */
static int l_err_strerror(lua_State *L) {
  int code = (int)args_int(L, 1, 0, INT32_MAX);
  const char *reason = strerrordesc_np(code), *name = err_name(code);
  if (reason != NULL)
    lua_pushstring(L, reason);
  else
    lua_pushfstring(L, "error %d", code);
  lua_pushstring(L, name);
  return 2;
}

/* core.errno: ENOENT = 2, ... */
void err_open(lua_State *L, State *S) {
  (void)S;
  lua_newtable(L);
  for (int code = 1; code < 134; code++) {
    const char *name = err_name(code);
    if (name != NULL) {
      lua_pushinteger(L, code);
      lua_setfield(L, -2, name);
    }
  }
  lua_pushinteger(L, EWOULDBLOCK);
  lua_setfield(L, -2, "EWOULDBLOCK");
  lua_pushinteger(L, EOPNOTSUPP);  /* the C library names it ENOTSUP */
  lua_setfield(L, -2, "EOPNOTSUPP");
  lua_setfield(L, -2, "errno");
  lua_pushcfunction(L, l_err_strerror);
  lua_setfield(L, -2, "strerror");
}
