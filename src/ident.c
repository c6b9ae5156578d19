/* SPDX-License-Identifier: MIT
**
** ident.c - is the ring's descriptor still the ring's, and the thread its?
**
** A descriptor is a number that anybody can close, and that is used again.
** Then calls on the ring fail like an operation on a bad descriptor, EBADF
** above all: the message says that it is the ring's own.  And whoever closes
** the ring must not close the number, which is somebody else's by now; in a
** child of fork that has closed everything it has inherited it always is.
*/

#include <errno.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "uring.h"

/* A new ring: remember what its descriptor is, and its thread. */
void ident_note(Ring *r) {
  struct stat st;
  if (r->uring.ring_fd >= 0 && fstat(r->uring.ring_fd, &st) == 0) {
    r->dev = st.st_dev;
    r->ino = st.st_ino;
  }
  r->thread = gettid();
}

/*
** Is its descriptor the one it was?  Every ring has an inode of its own;
** kernels before 5.13 have one for all of them.
*/
bool ident_fd(const Ring *r) {
  struct stat st;
  return r->uring.ring_fd >= 0 && fstat(r->uring.ring_fd, &st) == 0 &&
         st.st_dev == r->dev && st.st_ino == r->ino;
}

/*
** Push what about the ring is wrong when a call on it fails, or nil when
** that is not the reason [-0, +1, e].
*/
static void push_reason(lua_State *L, const Ring *r, int code) {
  const char *why = NULL;
  struct rlimit lim;
  if ((code == EBADF || code == EOPNOTSUPP) && r->uring.ring_fd >= 0 &&
      !ident_fd(r)) {
    lua_pushfstring(L, "the ring's descriptor, %d, was closed by somebody "
                       "else", r->uring.ring_fd);
    return;
  }
  if (code == ENOMEM && getrlimit(RLIMIT_MEMLOCK, &lim) == 0 &&
      lim.rlim_cur != RLIM_INFINITY) {
    lua_pushfstring(L, "the limit of locked memory is %I KiB: ulimit -l",
                    (LUAI_UACINT)(lim.rlim_cur / 1024));
    return;
  }
  if (code == EBADFD && r->disabled)
    why = "the ring is not enabled yet";
  else if (code == EEXIST && gettid() != r->thread)
    why = "the ring belongs to another thread";
  else if (code == EBADR)
    why = "completions were lost: there was no memory for them";
  else if (code == EOWNERDEAD)
    why = "the kernel's thread that polls the queue has ended";
  lua_pushstring(L, why);
}

/* Push "<call>: <reason>", for a call on the ring [-0, +1, e]. */
int ident_push(lua_State *L, const Ring *r, int code, const char *call) {
  err_push(L, code, call, NULL);
  push_reason(L, r, code);
  if (!lua_isnil(L, -1)) {
    lua_pushfstring(L, "%s (%s)", lua_tostring(L, -2), lua_tostring(L, -1));
    lua_replace(L, -3);
  }
  lua_pop(L, 1);
  return 1;
}

/* Push nil, message, errno, likewise [-0, +3, e]. */
int ident_fail(lua_State *L, const Ring *r, int code, const char *call) {
  luaL_pushfail(L);
  ident_push(L, r, code, call);
  lua_pushinteger(L, code);
  return 3;
}
