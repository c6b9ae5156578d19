/* SPDX-License-Identifier: MIT
**
** reap.c - completions are copied off the kernel's queue at once.
**
** What belongs to a waiting task goes into its operation, and the task on
** the ready queue; what the raw layer prepared goes to the ring's own queue,
** until a script asks for it.  The kernel's queue is advanced once a batch.
** A completion whose slot has another generation is counted and ignored.
**
** None is lost for want of memory: what there is no room for stays on the
** kernel's queue, and what a script cannot be given stays on the ring's.
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

/* What the kernel says, of a completion of the raw layer. */
static void copy(RawCqe *c, const Ring *r, const struct io_uring_cqe *cqe) {
  c->op = NULL;
  c->data = message_data(cqe->user_data);
  c->message = (cqe->user_data & 0xff) == TAG_MESSAGE;
  c->res = cqe->res;
  c->flags = cqe->flags;
  c->reserved = false;
  c->wide = is_wide(r, cqe);
  if (c->wide)
    memcpy(c->extra, cqe + 1, sizeof c->extra);
  c->at = 0;
  c->len = cqe->res;
}

/* A place at the end of the ring's queue; room was reserved. */
static RawCqe *append(Ring *r) {
  return &r->raw[(r->raw_head + r->raw_count++) % r->raw_size];
}

/*
** A buffer that its group did not give to the kernel: the script has provided
** some otherwise, under the number that the group has, or had.  It is the
** script's business; what is for a multishot comes without it.
*/
static bool is_foreign(Op *op, unsigned id, unsigned *flags) {
  if (op->group != NULL && group_has(op->group, id))
    return false;
  if (op->multi != NULL)
    *flags &= ~(unsigned)IORING_CQE_F_BUFFER;
  else
    op_select(op, NULL);
  return true;
}

/*
** A provided buffer is ours: note which part of it.  Returns the result, or
** what of it is in the buffer: with MSG_TRUNC it may be more.
*/
static int take_buffer(Op *op, const struct io_uring_cqe *cqe,
                       unsigned *flags) {
  unsigned id = cqe->flags >> IORING_CQE_BUFFER_SHIFT;
  unsigned len = cqe->res > 0 ? (unsigned)cqe->res : 0;
  if (op->group == NULL)  /* of a number that the script has named */
    op_select(op, group_find(op->ring, op->from));
  if (is_foreign(op, id, flags))
    return cqe->res;
  if (!op->bundle && len > group_room(op->group, id))
    len = group_room(op->group, id);
  op->at = group_taken(op->group, id, len,
                       (cqe->flags & U_CQE_F_BUF_MORE) != 0);
  return cqe->res > 0 ? (int)len : cqe->res;
}

/*
** The provided buffers of a completion are nobody's until a script takes it
** off the ring's queue: they cannot be given back before.
*/
void cqe_reserve(const RawCqe *c, bool reserved) {
  if (c->reserved)
    group_reserve(c->op->group, c->flags >> IORING_CQE_BUFFER_SHIFT, c->at,
                  c->len > 0 ? (unsigned)c->len : 0, reserved);
}

/* When a packet was sent; a completion of 32 bytes says it. */
static void take_stamp(const Ring *r, Op *op, const struct io_uring_cqe *cqe) {
  uint64_t at[2] = {0, 0};
  if (is_wide(r, cqe))
    memcpy(at, cqe + 1, sizeof at);
  op->data64 = at[0] * (uint64_t)SECOND + at[1];
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
void cqe_release(lua_State *L, Ring *r, Op *op) {
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

/*
** A completion of an operation that the raw layer has prepared.  Of a ring
** that is being closed it may have to go without being seen: 'room' is false.
*/
static void take_raw(lua_State *L, Ring *r, Op *op,
                     const struct io_uring_cqe *cqe, int len, bool room) {
  RawCqe spare, *c = room ? append(r) : &spare;
  copy(c, r, cqe);
  c->op = op;
  c->at = op->at;
  c->len = len;
  if (room) {
    op->queued++;
    c->reserved = op->group != NULL && (cqe->flags & IORING_CQE_F_BUFFER);
    cqe_reserve(c, true);
  }
  op_complete(L, op, cqe->res, cqe->flags);
  if (!room)
    cqe_dispose(c);
}

/* Take one entry; false when there is no memory for what it brings. */
static bool take(lua_State *L, Ring *r, const struct io_uring_cqe *cqe) {
  uint64_t tag = cqe->user_data;
  unsigned flags = cqe->flags;
  int len = cqe->res;
  bool room, skipped;
  Op *op;
  if ((tag & 0xff) == TAG_MESSAGE || (tag & 0xff) == TAG_SKIP) {
    if (!reserve(r))
      return !r->open;
    copy(append(r), r, cqe);
    if ((tag & 0xff) == TAG_MESSAGE)
      message_came(r);
    return true;
  }
  op = op_find(r, tag);
  if ((tag & 0xff) == TAG_CANCEL) {
    cancelled(r, op, cqe->res);
    return true;
  }
  if ((tag & 0xff) != TAG_OP || op == NULL || !(op->state & OP_KERNEL)) {
    r->stats.stale++;
    return true;
  }
  skipped = is_skipped(op, cqe);
  if (op->state & OP_RAW)
    room = skipped || reserve(r);
  else
    room = op->multi == NULL || multi_reserve(op->multi);
  if (!room && r->open)
    return false;
  r->stats.completed++;
  if (flags & IORING_CQE_F_BUFFER)
    len = take_buffer(op, cqe, &flags);
  if (op->multi && op->kind == RES_STAMP)
    take_stamp(r, op, cqe);
  if ((op->state & OP_RAW) && !skipped)
    take_raw(L, r, op, cqe, len, room);
  else
    op_complete(L, op, len, flags);
  if (skipped)
    cqe_release(L, r, op);
  return true;
}

/*
** Take everything off the completion queue; the number of entries.  Where
** there is no memory for one, it and all behind it stay, and the ring is
** stalled.  Not with liburing's loop: that of 2.3 does not know mixed sizes,
** where one of 32 bytes has two places, and one place may be left empty
** before it.
*/
unsigned cqe_reap(lua_State *L, Ring *r) {
  const struct io_uring_cq *cq = &r->uring.cq;
  unsigned mask = *cq->kring_mask, head = *cq->khead, first = head, n = 0;
  unsigned tail = io_uring_smp_load_acquire(cq->ktail);
  bool mixed = (r->uring.flags & U_SETUP_CQE_MIXED) != 0;
  int shift = (r->uring.flags & IORING_SETUP_CQE32) != 0;
  r->stalled = false;
  while (head != tail) {
    const struct io_uring_cqe *cqe = &cq->cqes[(head & mask) << shift];
    bool skip = mixed && (cqe->flags & U_CQE_F_SKIP);
    r->stalled = !skip && !take(L, r, cqe);
    if (r->stalled)
      break;
    head += mixed && !skip && (cqe->flags & U_CQE_F_32) ? 2 : 1;
    n += !skip;
  }
  if (r->stamped)
    tail = io_uring_smp_load_acquire(cq->ktail);
  io_uring_cq_advance(&r->uring, head - first);
  if (r->stamped && tail - first + 2 >= *cq->kring_entries)
    multi_renew(r);    /* one of 32 bytes may take 3 places */
  return n;
}

/* Close what a completion owns that no script has seen. */
void cqe_dispose(RawCqe *c) {
  if (c->op == NULL)
    return;
  c->op->at = c->at;
  result_dispose(c->op, c->len, c->flags);
  c->op->state |= OP_TAKEN;
}
