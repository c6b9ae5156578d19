/* SPDX-License-Identifier: MIT
**
** own.c - from the arguments of an operation into its record.
**
** The kernel may read what it was given after the call that gave it has
** returned: with SQPOLL everything, else data and whatever it fills.  So
** there is one rule for all of it: the record has a copy, or a reference,
** until the terminal completion.
*/

#include <signal.h>

#include "uring.h"

static inline bool own_path(Op *op, const char **path) {
  size_t size;
  char *copy;
  if (*path == NULL)
    return true;
  size = strlen(*path) + 1;
  copy = op_alloc(op, size);
  if (copy == NULL)
    return false;
  *path = memcpy(copy, *path, size);
  return true;
}

/* The iovec array of a list, and a reference to each buffer in it. */
static bool own_list(lua_State *L, Op *op, Args *a) {
  a->iov = op_alloc(op, (a->niov + 1) * sizeof *a->iov);
  op->blocks = op_alloc(op, (a->niov + 1) * sizeof *op->blocks);
  if (a->iov == NULL || op->blocks == NULL)
    return false;
  for (unsigned i = 0; i < a->niov; i++) {
    if (lua_rawgeti(L, a->list, i + 1) == LUA_TSTRING)
      a->iov[i].iov_base =
        (void *)(uintptr_t)lua_tolstring(L, -1, &a->iov[i].iov_len);
    else {
      Block *b = buf_check(L, -1);
      op->blocks[op->nblocks++] = block_hold(b);
      a->iov[i].iov_base = b->data;
      a->iov[i].iov_len = b->size;
    }
    lua_pop(L, 1);
  }
  return true;
}

/*
** Hold the descriptors in a list: their numbers must not be closed before the
** kernel has looked at them.  They are open, for the arguments were settled.
*/
static bool own_held(lua_State *L, Op *op, const Args *a) {
  unsigned n = (unsigned)lua_rawlen(L, a->held);
  op->held = op_alloc(op, (n + 1) * sizeof *op->held);
  if (op->held == NULL)
    return false;
  for (unsigned i = 1; i <= n; i++) {
    Fd *f;
    lua_rawgeti(L, a->held, i);
    f = fd_test(L, lua_gettop(L));
    lua_pop(L, 1);
    if (f != NULL)
      fd_use(f, &op->held[op->nheld++], op);
  }
  return true;
}

/* The structure to read, and the memory that it points to. */
static bool own_temp(lua_State *L, Op *op, Args *a) {
  void *copy = op_alloc(op, a->tempsize);
  if (copy == NULL)
    return false;
  a->temp = memcpy(copy, a->temp, a->tempsize);
  if (a->waitv == 0)
    return true;
  op->blocks = op_alloc(op, a->count * sizeof *op->blocks);
  if (op->blocks == NULL)
    return false;
  form_own_waitv(L, op, a);
  return true;
}

/* Bytes that the kernel fills beside the data. */
static size_t out_size(const Op *op, const Args *a) {
  switch (op->kind) {
    case RES_PIPE: case RES_PIPE_DIRECT: return 2 * sizeof(int);
    case RES_SIGINFO: return sizeof(siginfo_t);
    case RES_EVENTS: return a->count * sizeof(struct epoll_event);
    case RES_SLOTS: return a->tempsize;
    case RES_OPTION: return a->block || a->want ? 0 : sizeof(uint64_t);
    case RES_UPDATE: return sizeof(Renewal);
    default: return 0;
  }
}

/* Room for what the kernel fills, and what the result needs to know. */
static bool own_out(Op *op, Args *a) {
  size_t size = out_size(op, a);
  if (size == 0)
    return true;
  a->out = op->out = op_alloc(op, size);
  if (a->out == NULL)
    return false;
  memset(a->out, 0, size);
  op->nout = a->count;
  if (op->kind == RES_SLOTS)
    memcpy(a->out, a->temp, size);
  else if (op->kind == RES_UPDATE)
    *(Renewal *)op->out = (Renewal){a->target, a->newdata, a->renew};
  else if (op->kind == RES_OPTION)
    a->buf = a->out;
  return true;
}

/* Room for an address that the kernel fills. */
static bool own_peer(Op *op, Args *a) {
  Addr *peer = op_alloc(op, sizeof *peer);
  if (peer == NULL)
    return false;
  peer->len = sizeof peer->sa;
  a->addr = (struct sockaddr *)&peer->sa;
  a->addrlen = &peer->len;
  op->addr = peer;
  return true;
}

/* A command of a socket has the kind of result that the command gives. */
static void option_kind(Op *op, const Args *a) {
  if (a->type == U_SOCKET_SETSOCKOPT)
    op->kind = RES_DONE;
  else if (a->type != U_SOCKET_GETSOCKOPT)
    op->kind = RES_COUNT;
}

/*
** Move what the kernel may touch from the Lua stack into 'op', and point
** the arguments at it.  False when there is no memory; what was moved by
** then is released with the operation.
*/
bool args_own(lua_State *L, Op *op, Args *a) {
  if (!own_path(op, &a->path[0]) || !own_path(op, &a->path[1]))
    return false;
  if (a->list && !own_list(L, op, a))
    return false;
  if (a->block)
    op->block = block_hold(a->block);
  op->want = a->want ? (unsigned)a->len : 0;
  if (a->want && !a->group) {
    op->block = pool_take(&op->ring->pool, a->len);
    if (op->block == NULL)
      return false;
    op->pooled = true;
    a->buf = op->block->data;
  }
  if (a->addr) {
    Addr *copy = op_alloc(op, offsetof(Addr, sa) + a->addrsize);
    if (copy == NULL)
      return false;
    memcpy(copy, &a->name, offsetof(Addr, sa) + a->addrsize);
    a->addr = (struct sockaddr *)&copy->sa;
    op->addr = copy;
  }
  if (a->ts) {
    a->ts = op_alloc(op, sizeof *a->ts);
    if (a->ts == NULL)
      return false;
    *a->ts = a->time;
  }
  if (op->kind == RES_STATX) {
    a->statx = op->statx = op_alloc(op, sizeof *op->statx);
    if (a->statx == NULL)
      return false;
  }
  if (a->message && !msg_own(op, a))
    return false;
  if (a->held && !own_held(L, op, a))
    return false;
  if (op->kind == RES_OPTION)
    option_kind(op, a);
  if (a->temp && !own_temp(L, op, a))
    return false;
  if (!own_out(op, a))
    return false;
  if ((op->kind == RES_ACCEPT || op->kind == RES_ACCEPT_DIRECT ||
       op->kind == RES_NAME) && !own_peer(op, a))
    return false;
  if (op->def->opcode == IORING_OP_PROVIDE_BUFFERS &&
      !ring_keep(op->ring, a->block))
    return false;
  op->place = a->slot;
  op->fd = a->fd != -1 ? a->fd : a->fd2;
  if (op->kind == RES_SIGINFO && a->own[0] == NULL)
    op->fd = -1;  /* the number of a process */
  op->path = a->path[0];
  return true;
}
