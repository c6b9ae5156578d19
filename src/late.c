/* SPDX-License-Identifier: MIT
**
** late.c - closes that have to wait.
**
** The kernel looks a descriptor up when an operation begins.  Most begin when
** they are submitted, and keep the file; but one that is linked, drained, or
** left to a worker thread may begin when a close that was submitted later has
** been carried out already: the number, or the slot, may be somebody else's
** by then.  So where such operations of an Fd object are about, an entry that
** closes it becomes a NOP, and the descriptor is closed when they have ended.
**
** In a chain what comes before the close has ended when that begins.
*/

#include "uring.h"

#define LINKS (IOSQE_IO_LINK | IOSQE_IO_HARDLINK)
#define WAITS (IOSQE_ASYNC | IOSQE_IO_DRAIN)

/* The operation of an entry; NULL for one of our cancellations. */
static Op *op_of(Ring *r, const struct io_uring_sqe *sqe) {
  return (sqe->user_data & 0xff) == TAG_OP ? op_find(r, sqe->user_data) : NULL;
}

/* The object that it closes, or NULL. */
static Fd *closes(const Op *op) {
  if (op->def == NULL || op->def->opcode != IORING_OP_CLOSE)
    return NULL;
  return op->use[0].fd ? op->use[0].fd : op->use[1].fd;
}

/* Note which of the new entries may begin late; is there a close? */
static bool mark(Ring *r) {
  bool linked = false, found = false;
  for (uint64_t i = ring_unseen(r); i != r->placed; i++) {
    const struct io_uring_sqe *sqe = ring_entry(r, i);
    Op *op = op_of(r, sqe);
    if (sqe->flags & IOSQE_IO_DRAIN)
      r->drains = true;  /* and may hold up whatever comes behind it */
    if (op != NULL) {
      op->late |= linked || r->drains || (sqe->flags & WAITS) != 0;
      found |= closes(op) != NULL;
    }
    linked = (sqe->flags & LINKS) != 0;
  }
  return found;
}

/*
** Has the kernel looked at it?  Nothing says in which order rings, or their
** threads, are served.
*/
static bool has_begun(const Op *op) {
  const struct io_uring_sq *sq = &op->ring->uring.sq;
  unsigned left = sq->sqe_tail - io_uring_smp_load_acquire(sq->khead);
  return !op->late && op->number < op->ring->placed - left;
}

/*
** Has every other operation of the descriptor begun when the entry at 'at'
** does, which is part of a chain that begins at 'first'?
*/
static bool is_alone(const Ring *r, const Op *close, const Fd *f,
                     uint64_t first, uint64_t at) {
  for (const Link *l = f->uses.next; l != &f->uses; l = l->next) {
    const Op *op = container(l, FdUse, link)->op;
    if (op == close || !(op->state & OP_KERNEL))
      continue;
    if (op->ring != r) {
      if (!has_begun(op))
        return false;
      continue;
    }
    if (op->number >= first && op->number < at)
      continue;
    if (op->late || op->number >= at)
      return false;
  }
  return true;
}

/* Let it close nothing; what it was to close goes with its last operation. */
static void defer(const Ring *r, Op *op, struct io_uring_sqe *sqe) {
  uint8_t flags = sqe->flags & (LINKS | WAITS | IOSQE_CQE_SKIP_SUCCESS);
  compat_clear_sqe(sqe, r->sqe_size);
  sqe->opcode = IORING_OP_NOP;
  sqe->fd = -1;
  sqe->flags = flags;
  sqe->user_data = op_tag(op);
  op->deferred = true;
}

/* Look at the new entries, which will not change any more. */
void late_check(Ring *r) {
  uint64_t first = ring_unseen(r);
  r->checks = false;
  if (!mark(r))
    return;
  for (uint64_t i = first; i != r->placed; i++) {
    struct io_uring_sqe *sqe = ring_entry(r, i);
    Op *op = op_of(r, sqe);
    Fd *f = op ? closes(op) : NULL;
    if (f != NULL && !is_alone(r, op, f, first, i))
      defer(r, op, sqe);
    if (!(sqe->flags & LINKS))
      first = i + 1;
  }
}

/* A descriptor of the operation that is not open any more, or NULL. */
const Fd *late_closed(const Op *op) {
  for (int i = 0; i < 2; i++)
    if (op->use[i].fd && op->use[i].fd->state != FD_OPEN)
      return op->use[i].fd;
  for (unsigned i = 0; i < op->nheld; i++)
    if (op->held[i].fd && op->held[i].fd->state != FD_OPEN)
      return op->held[i].fd;
  return NULL;
}
