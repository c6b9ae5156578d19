/* SPDX-License-Identifier: MIT
**
** const.c - the constants of io_uring and of the calls it stands for.
**
** They are fields of the module itself, in the spelling of the manual
** pages: core.IORING_SETUP_SQPOLL, core.O_RDONLY.  The rows are in
** const.def.  Error numbers are elsewhere (core.errno, error.c).  That a
** constant is here does not say that the running kernel knows it.
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

void const_open(lua_State *L, State *S) {
  (void)S;
  for (size_t i = 0; i < sizeof constants / sizeof constants[0]; i++)
    set(L, constants[i].name, constants[i].value);
  set(L, "SIGRTMIN", SIGRTMIN);  /* functions of the C library, which */
  set(L, "SIGRTMAX", SIGRTMAX);  /* keeps some signals for itself */
}
