/* SPDX-License-Identifier: MIT
**
** direct.c - descriptors in a ring's own table.
**
** Their number is a slot of that table: no other call than an operation of
** the ring takes it, and nothing closes it but the ring.  The Fd object of
** one keeps its ring alive, and is in a list of the ring's: when a slot is
** filled anew, the object of the old file must not close the new one.
*/

#include <errno.h>

#include "uring.h"

/*
** Empty a slot of the ring's table; 0 or an errno.  A call and no operation:
** it needs no room in the queue, and the collector can make it.
*/
int fd_clear_slot(Ring *r, unsigned slot) {
  int none = -1, rc;
  struct io_uring_rsrc_update u = {.offset = slot,
                                   .data = (uint64_t)(uintptr_t)&none};
  if (!r->open || r->fork_count != fork_count)
    return 0;
  rc = reg_call(r, IORING_REGISTER_FILES_UPDATE, &u, 1);
  if (rc >= 0)
    multi_slots(r, 1);
  return rc < 0 ? -rc : 0;
}

/* Slots from 'slot' on have got other files, or none. */
void fd_replaced(Ring *r, unsigned slot, unsigned n) {
  for (Link *l = r->directs.next, *next; l != &r->directs; l = next) {
    Fd *f = container(l, Fd, direct);
    next = l->next;
    if ((unsigned)f->fd - slot < n)
      fd_gone(f);
  }
}

/*
** How many slots an update with the list of 'n' has touched that returned
** 'rc'.  It ends at the first descriptor that is none, or without memory:
** but before it looks it empties the slot.
*/
unsigned fd_updated(const int *fds, unsigned n, int rc) {
  unsigned done = rc > 0 ? (unsigned)rc : 0;
  if (rc < 0 && rc != -EBADF && rc != -ENOMEM)
    return 0;
  return done < n && fds[done] >= 0 ? done + 1 : done;
}

/* Push an empty object for a slot of the ring's table [-0, +1, e]. */
Fd *fd_push_direct(lua_State *L, Ring *r) {
  Fd *f = fd_push(L, r->state, -1);
  ring_push(L, r);
  lua_setiuservalue(L, -2, 1);
  f->ring = r;
  return f;
}

/* Give it its slot; cannot fail. */
void fd_own_direct(lua_State *L, Fd *f, unsigned slot) {
  fd_own(L, f->ring->state, f, (int)slot);
  link_append(&f->ring->directs, &f->direct);
}

/* A direct descriptor of the ring, or the number of a slot [e]. */
int fd_arg_direct(lua_State *L, int arg, const Ring *r, Fd **own) {
  *own = NULL;
  if (lua_type(L, arg) == LUA_TNUMBER)
    return (int)args_int(L, arg, 0, INT32_MAX);
  luaL_argcheck(L, fd_test(L, arg) != NULL, arg,
                "direct descriptor or slot expected");
  *own = fd_check(L, arg);
  luaL_argcheck(L, (*own)->ring != NULL, arg,
                "not a direct descriptor");
  fd_check_ring(L, arg, r, *own);
  return (*own)->fd;
}

/* ring:direct(slot) -> fd; adopts a slot of the ring's table */
static int l_fd_direct(lua_State *L) {
  Ring *r = ring_check(L, 1);
  unsigned slot = (unsigned)args_int(L, 2, 0, INT32_MAX);
  Fd *f = fd_push_direct(L, r);
  fd_replaced(r, slot, 1);
  fd_own_direct(L, f, slot);
  return 1;
}

/* fd:slot() -> integer; nil for an ordinary descriptor */
static int l_fd_slot(lua_State *L) {
  const Fd *f = fd_check(L, 1);
  if (f->ring)
    lua_pushinteger(L, f->fd);
  else
    luaL_pushfail(L);
  return 1;
}

static const luaL_Reg methods[] = {
  {"slot", l_fd_slot},
  {NULL, NULL}
};

static const luaL_Reg ring_methods[] = {
  {"direct", l_fd_direct},
  {NULL, NULL}
};

/* Methods of types that fd.c and ringlib.c have made. */
void direct_open(lua_State *L, State *S) {
  unit_methods(L, S, FD_TYPE, methods);
  unit_methods(L, S, RING_TYPE, ring_methods);
  luaL_getmetatable(L, FD_TYPE);
  lua_getfield(L, -1, "methods");
  op_push(L, S, op_def("fixed_fd_install"));  /* fd:install([flags]) -> fd */
  lua_setfield(L, -2, "install");
  lua_pop(L, 2);
}
