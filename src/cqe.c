/* SPDX-License-Identifier: MIT
**
** cqe.c - reaping: completions are copied off the kernel's queue at once.
**
** What belongs to a waiting task goes into its operation, and the task on
** the ready queue; what the raw layer prepared goes to the ring's own queue,
** until a script asks for it.  The kernel's queue is advanced once a batch.
** A completion whose slot has another generation is counted and ignored.
*/

#include <stdlib.h>

#include "uring.h"

/* Room for one more completion of the raw layer; false without memory. */
static bool reserve(Ring *r) {
  unsigned size;
  RawCqe *raw;
  if (r->raw_count < r->raw_size)
    return true;
  size = r->raw_size ? 2 * r->raw_size : 64;
  raw = malloc(size * sizeof *raw);
  if (raw == NULL)
    return false;
  for (unsigned i = 0; i < r->raw_count; i++)
    raw[i] = r->raw[(r->raw_head + i) % r->raw_size];
  free(r->raw);
  r->raw = raw;
  r->raw_head = 0;
  r->raw_size = size;
  return true;
}

/* Has the completion 16 bytes more? */
static bool is_wide(const Ring *r, const struct io_uring_cqe *cqe) {
  return (r->uring.flags & IORING_SETUP_CQE32) ||
         ((r->uring.flags & U_SETUP_CQE_MIXED) && (cqe->flags & U_CQE_F_32));
}

/* A completion of the raw layer; room was reserved. */
static RawCqe *keep(Ring *r, const struct io_uring_cqe *cqe) {
  RawCqe *c = &r->raw[(r->raw_head + r->raw_count++) % r->raw_size];
  c->op = NULL;
  c->data = message_data(cqe->user_data);
  c->message = (cqe->user_data & 0xff) == TAG_MESSAGE;
  c->res = cqe->res;
  c->flags = cqe->flags;
  c->wide = is_wide(r, cqe);
  if (c->wide)
    memcpy(c->extra, cqe + 1, sizeof c->extra);
  c->at = 0;
  return c;
}

/* A provided buffer is ours: note which part of it. */
static void take_buffer(Op *op, const struct io_uring_cqe *cqe) {
  if (op->group)
    op->at = group_taken(op->group, cqe->flags >> IORING_CQE_BUFFER_SHIFT,
                         cqe->res > 0 ? (unsigned)cqe->res : 0,
                         (cqe->flags & U_CQE_F_BUF_MORE) != 0);
}

/* A cancellation has ended: did it reach its operation, which is 'op'? */
static void cancelled(Ring *r, Op *op, int res) {
  if (res < 0 && op != NULL && (op->state & OP_KERNEL) &&
      (op->state & OP_CANCEL) && link_alone(&op->cancels))
    ring_cancel_again(r, op);
}

/* Forget the value of set_data [-0, +0]. */
static void clear_data(lua_State *L, Ring *r, Op *op) {
  if (!op->named)
    return;
  ring_push(L, r);
  lua_getiuservalue(L, -1, RING_DATA);
  lua_pushnil(L);
  lua_rawseti(L, -2, op->slot.index + 1);
  lua_pop(L, 2);
  op->named = false;
}

/* A completion was passed on, or skipped.  The last one ends the operation. */
static void release(lua_State *L, Ring *r, Op *op) {
  op->state |= OP_TAKEN;
  if (op->queued == 0 && !(op->state & OP_KERNEL)) {
    clear_data(L, r, op);
    op_drop(L, op, OP_RAW);
  }
}

/*
** Is it the success of an operation whose script does not want that?  What
** comes in a provided buffer, or as one of several, is always wanted.
*/
static bool is_skipped(const Op *op, const struct io_uring_cqe *cqe) {
  return (op->state & (OP_SKIP | OP_DONE)) == OP_SKIP && cqe->res >= 0 &&
         !(cqe->flags & (IORING_CQE_F_MORE | IORING_CQE_F_BUFFER));
}

static void take(lua_State *L, Ring *r, const struct io_uring_cqe *cqe) {
  uint64_t tag = cqe->user_data;
  Op *op;
  if ((tag & 0xff) == TAG_MESSAGE || (tag & 0xff) == TAG_SKIP) {
    keep(r, cqe);
    return;
  }
  op = slab_find(&r->ops, (uint32_t)(tag >> 8) & SLAB_MAXSLOTS,
                 (uint32_t)(tag >> 32));
  if ((tag & 0xff) == TAG_CANCEL) {
    cancelled(r, op, cqe->res);
    return;
  }
  if ((tag & 0xff) != TAG_OP || op == NULL || !(op->state & OP_KERNEL)) {
    r->stats.stale++;
    return;
  }
  r->stats.completed++;
  if (cqe->flags & IORING_CQE_F_BUFFER)
    take_buffer(op, cqe);
  if (is_skipped(op, cqe)) {
    op_complete(L, op, cqe->res, cqe->flags);
    release(L, r, op);
    return;
  }
  if (op->state & OP_RAW) {
    RawCqe *c = keep(r, cqe);
    c->op = op;
    c->at = op->at;
    op->queued++;
  }
  op_complete(L, op, cqe->res, cqe->flags);
}

/*
** Take everything off the completion queue; the number of entries.  Not with
** liburing's loop: that of 2.3 does not know mixed sizes, where one of 32
** bytes has two places, and one place may be left empty before it.
*/
unsigned cqe_reap(lua_State *L, Ring *r) {
  const struct io_uring_cq *cq = &r->uring.cq;
  unsigned mask = *cq->kring_mask, head = *cq->khead, first = head, n = 0;
  unsigned tail = io_uring_smp_load_acquire(cq->ktail);
  bool mixed = (r->uring.flags & U_SETUP_CQE_MIXED) != 0;
  int shift = (r->uring.flags & IORING_SETUP_CQE32) != 0;
  while (head != tail && reserve(r)) {
    const struct io_uring_cqe *cqe = &cq->cqes[(head & mask) << shift];
    head++;
    if (mixed && (cqe->flags & U_CQE_F_SKIP))
      continue;
    if (mixed && (cqe->flags & U_CQE_F_32))
      head++;
    take(L, r, cqe);
    n++;
  }
  io_uring_cq_advance(&r->uring, head - first);
  return n;
}

/* Close what a completion owns that no script has seen. */
void cqe_dispose(RawCqe *c) {
  if (c->op == NULL)
    return;
  result_dispose(c->op, c->res, 0);
  c->op->state |= OP_TAKEN;
}

/* ---- the raw layer ------------------------------------------------------ */

typedef struct Cqe {
  int32_t res;
  uint32_t flags;
  uint64_t user_data;
  bool message, wide;
  uint64_t extra[2];
  uint32_t at;         /* where its bytes begin in a provided buffer */
} Cqe;

enum { CQE_DATA = 1, CQE_VALUE = 2 };  /* user values */

/*
** Push what set_data kept for the operation, or its user_data; the number of
** what has no record [-0, +1].
*/
static void push_data(lua_State *L, Ring *r, const RawCqe *c) {
  const Op *op = c->op;
  if (op == NULL) {
    lua_pushinteger(L, c->data);
    return;
  }
  if (!op->named) {
    lua_pushinteger(L, (lua_Integer)op->data64);
    return;
  }
  ring_push(L, r);
  lua_getiuservalue(L, -1, RING_DATA);
  lua_rawgeti(L, -1, op->slot.index + 1);
  lua_replace(L, -3);
  lua_pop(L, 1);
}

/* Take the first completion off the ring's queue. */
static RawCqe pop(Ring *r) {
  RawCqe c = r->raw[r->raw_head];
  r->raw_head = (r->raw_head + 1) % r->raw_size;
  r->raw_count--;
  return c;
}

/*
** Push the first completion as an object, or nil when there is none, which
** happens when a finaliser took it [-0, +1, e].
*/
int cqe_push(lua_State *L, Ring *r) {
  Cqe *cqe = lua_newuserdatauv(L, sizeof *cqe, 2);
  RawCqe c;
  uint32_t generation;
  luaL_setmetatable(L, CQE_TYPE);
  if (r->raw_count == 0) {
    lua_pushnil(L);
    return 1;
  }
  c = pop(r);
  generation = c.op ? c.op->slot.generation : 0;
  cqe->res = c.res;
  cqe->flags = c.flags;
  cqe->user_data = c.op ? c.op->data64 : (uint64_t)c.data;
  cqe->message = c.message;
  cqe->wide = c.wide;
  if (c.wide)
    memcpy(cqe->extra, c.extra, sizeof cqe->extra);
  cqe->at = c.at;
  push_data(L, r, &c);
  lua_setiuservalue(L, -2, CQE_DATA);
  if (c.op == NULL)
    return 1;
  result_value(L, c.op, c.res);
  lua_setiuservalue(L, -2, CQE_VALUE);
  if (r->open && c.op->slot.generation == generation) {
    c.op->queued--;
    release(L, r, c.op);
  }
  return 1;
}

/* The iterator of ring:cqes(). */
static int next_cqe(lua_State *L) {
  Ring *r = ring_check(L, 1);
  RawCqe c;
  if (r->raw_count == 0)
    return 0;
  c = pop(r);
  push_data(L, r, &c);
  lua_pushinteger(L, c.res);
  lua_pushinteger(L, c.flags);
  if (c.op == NULL)
    return 3;
  result_value(L, c.op, c.res);
  if (r->open) {
    c.op->queued--;
    release(L, r, c.op);
  }
  return 4;
}

/*
** for data, res, flags, value in ring:cqes() do ... end
** Everything that is ready; makes no object for each.
*/
int l_cqe_each(lua_State *L) {
  Ring *r = ring_check(L, 1);
  do  /* what found the kernel's queue full comes when there is room */
    ring_wait(r, 0, 0);
  while (cqe_reap(L, r) > 0 && io_uring_cq_has_overflow(&r->uring));
  lua_pushcfunction(L, next_cqe);
  lua_pushvalue(L, 1);
  return 2;
}

/*
** Fields: res flags data user_data more notif buffer_id buffer_at message
** value extra1 extra2; the last two are of a completion of 32 bytes.
** 'message' says that it is none of this ring's operations, but was sent by
** msg_ring, or is the tag of a registered thing that is free now.  'value'
** is what the kernel filled in: a statx table, a peer's address.
*/
static int l_cqe_index(lua_State *L) {
  const Cqe *c = luaL_checkudata(L, 1, CQE_TYPE);
  const char *key = luaL_checkstring(L, 2);
  if (strcmp(key, "res") == 0)
    lua_pushinteger(L, c->res);
  else if (strcmp(key, "flags") == 0)
    lua_pushinteger(L, c->flags);
  else if (strcmp(key, "data") == 0)
    lua_getiuservalue(L, 1, CQE_DATA);
  else if (strcmp(key, "user_data") == 0)
    lua_pushinteger(L, (lua_Integer)c->user_data);
  else if (strcmp(key, "more") == 0)
    lua_pushboolean(L, (c->flags & IORING_CQE_F_MORE) != 0);
  else if (strcmp(key, "notif") == 0)
    lua_pushboolean(L, (c->flags & IORING_CQE_F_NOTIF) != 0);
  else if (strcmp(key, "buffer_id") == 0 && (c->flags & IORING_CQE_F_BUFFER))
    lua_pushinteger(L, c->flags >> IORING_CQE_BUFFER_SHIFT);
  else if (strcmp(key, "buffer_at") == 0 && (c->flags & IORING_CQE_F_BUFFER))
    lua_pushinteger(L, c->at);
  else if (strcmp(key, "message") == 0)
    lua_pushboolean(L, c->message);
  else if (c->wide && strcmp(key, "extra1") == 0)
    lua_pushinteger(L, (lua_Integer)c->extra[0]);
  else if (c->wide && strcmp(key, "extra2") == 0)
    lua_pushinteger(L, (lua_Integer)c->extra[1]);
  else if (strcmp(key, "value") == 0)
    lua_getiuservalue(L, 1, CQE_VALUE);
  else
    lua_pushnil(L);
  return 1;
}

/* Is there a completion at 'arg'?  Where its data is [-0, +0, e]. */
bool cqe_range(lua_State *L, int arg, unsigned *id, unsigned *at,
               unsigned *len) {
  const Cqe *c = luaL_testudata(L, arg, CQE_TYPE);
  if (c == NULL)
    return false;
  luaL_argcheck(L, c->flags & IORING_CQE_F_BUFFER, arg,
                "completion without a buffer");
  *id = c->flags >> IORING_CQE_BUFFER_SHIFT;
  *at = c->at;
  *len = c->res > 0 ? (unsigned)c->res : 0;
  return true;
}

static int l_cqe_tostring(lua_State *L) {
  const Cqe *c = luaL_checkudata(L, 1, CQE_TYPE);
  lua_pushfstring(L, CQE_TYPE " (res %d, flags %d)", (int)c->res,
                  (int)c->flags);
  return 1;
}

static const luaL_Reg meta[] = {
  {"__index", l_cqe_index},
  {"__tostring", l_cqe_tostring},
  {NULL, NULL}
};

void cqe_open(lua_State *L, State *S) {
  unit_type(L, S, CQE_TYPE, NULL, meta);
}
