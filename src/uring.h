/* SPDX-License-Identifier: MIT
**
** uring.h - private header: the types that the units share and their
** functions, grouped by file; in four parts, from the bottom up.
**
** Who owns what: a Ring owns its operations (Op, in a slab) and its tasks'
** places in the queues.  An Op owns or references everything that the
** kernel may touch for it, until its terminal completion.  Blocks of buffer
** memory and descriptors (Fd) are counted C objects, so that the order in
** which Lua finalises its userdata does not matter.
**
** Functions that may raise a Lua error say so with [e].
*/

#ifndef URING_H
#define URING_H

#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/uio.h>

#include "base.h"
#include "compat.h"

typedef struct State State;
typedef struct Ring Ring;
typedef struct Op Op;
typedef struct OpDef OpDef;
typedef struct Task Task;
typedef struct Fd Fd;
typedef struct Block Block;
typedef struct Args Args;
typedef struct Group Group;
typedef struct Multi Multi;
typedef struct Chain Chain;
typedef struct Message Message;
typedef struct Nursery Nursery;

#define RING_TYPE "uring.ring"
#define SQE_TYPE "uring.sqe"
#define CQE_TYPE "uring.cqe"
#define BUFFER_TYPE "uring.buffer"
#define BUFRING_TYPE "uring.bufring"
#define MULTI_TYPE "uring.multishot"
#define FD_TYPE "uring.fd"
#define TASK_TYPE "uring.task"
#define NURSERY_TYPE "uring.nursery"
#define TIMER_TYPE "uring.timer"
#define ADDRESS_TYPE "uring.address"

/* ---- the state of one Lua universe ------------------------------------ */

#define CRUMBS 64
#define CRUMB_TEXT 192

/* What became of a descriptor, for the message of EBADF. */
typedef struct Crumb {
  int fd;
  char text[CRUMB_TEXT];
} Crumb;

/* First upvalue of every function of the module. */
struct State {
  Task *task;          /* the task that runs now, NULL in the main chunk */
  Ring *ring;          /* the default ring, NULL until somebody needs it */
  Link all;            /* the rings that are open */
  uint32_t made;       /* how many rings there were */
  int rings;           /* registry: Ring* -> ring userdata, weak values */
  int keep;            /* registry: the default ring's userdata */
  int main, handler;   /* registry: first functions of every task */
  const void *fd_meta, *buffer_meta;     /* their metatables */
  const void *task_meta, *nursery_meta;  /* likewise */
  int waiter;          /* registry: the task that stands for the main chunk */
  int waiting;         /* registry: coroutines that wait inside an await */
  int owning;          /* registry: coroutine -> the task's owner before it */
  int on_end;          /* registry: called with a task that has ended */
  int on_cancel;       /* registry: called with a task to be cancelled */
  int on_raise;        /* registry: called when join raises an error */
  int on_throw;        /* registry: called with an error of a task */
  int on_trace;        /* registry: called with each operation */
  int on_report;       /* registry: called with what debug mode reports */
  bool debug;          /* remember where descriptors come from */
  bool tracing;        /* inside on_trace */
  char folder[256];    /* where the Lua half is */
  Link open;           /* descriptors opened in debug mode */
  Crumb crumbs[CRUMBS]; /* the last ones closed in it, circular */
  unsigned ncrumbs;
  bool torture;        /* collect all garbage before every resume */
  bool closing;        /* lua_close has finalised the default ring */
};

static inline State *state_get(lua_State *L) {
  return (State *)lua_touserdata(L, lua_upvalueindex(1));
}

/* luaL_testudata without looking the name up, for what unit_type returned. */
static inline void *unit_test(lua_State *L, int arg, const void *meta) {
  void *p = lua_touserdata(L, arg);
  bool same;
  if (p == NULL || !lua_getmetatable(L, arg))
    return NULL;
  same = lua_topointer(L, -1) == meta;
  lua_pop(L, 1);
  return same ? p : NULL;
}

#include "object.h"
#include "op.h"
#include "loop.h"

/* ---- const.c, module.c ------------------------------------------------ */

void const_open(lua_State *L, State *S);
const void *unit_type(lua_State *L, State *S, const char *name,
                      const luaL_Reg *methods, const luaL_Reg *meta);
void unit_methods(lua_State *L, State *S, const char *name,
                  const luaL_Reg *methods);

__attribute__((visibility("default"))) int luaopen_uring_core(lua_State *L);

#endif
