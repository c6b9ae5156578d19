/* SPDX-License-Identifier: MIT
**
** submit.c - entries into the submission queue, and the enter of a turn.
**
** Nobody outside the raw layer sees a full queue: it is submitted, and what
** has no room even then waits in a backlog, in order.  The entries of a chain
** are never parted by a submission.
*/

#include <errno.h>
#include <sched.h>
#include <stdlib.h>

#include "uring.h"

#define MAX_WAITS 1000  /* for room in the queue of SQPOLL */
#define SOON (SECOND / 1000)  /* to look whether there is room now */
#define AT_ONCE 8u      /* entries of a ring: see ring_longest */
#define MAX_TRIES 7     /* to cancel; then every 64 ms */

/* An entry that found the submission queue full. */
typedef struct Backlog {
  Link link;
  Op *op;
  unsigned together;   /* of the first one of a chain: its length, else 1 */
  struct io_uring_sqe sqe[2];  /* room for SQE128 */
} Backlog;

/* ---- IOSQE_CQE_SKIP_SUCCESS --------------------------------------------- */

/*
** Does the kernel touch nothing of ours for it, and its success change
** nothing here?  Then it needs no record.
*/
static bool is_bare(const Op *op) {
  if (op->block || op->nblocks > 0 || op->more || op->used > 0 || op->out ||
      op->addr || op->statx || op->group || op->message || op->anchored ||
      op->use[0].fd || op->use[1].fd || op->nheld > 0 || op->named ||
      op->place != 0)
    return false;
  if (op->kind != RES_COUNT && op->kind != RES_DONE)
    return false;
  return op->def == NULL || op->def->args[0] != 'H';
}

/* The kernel has a bare one of the raw layer, and its record is not needed. */
static void forget(Op *op) {
  op->ring->active--;
  link_remove(&op->cancels);
  slab_put(&op->ring->ops, op);
}

/*
** Can the kernel be told to skip the completion of a success?  Only when the
** operation needs no record, for its end is never known then; and in a link
** the kernel would skip those of the others, too, after a failure.
*/
static bool can_skip(const Ring *r, const struct io_uring_sqe *sqe,
                     const Op *op) {
  int64_t data = (int64_t)op->data64;
  return (r->uring.features & IORING_FEAT_CQE_SKIP) && is_bare(op) &&
         !(op->state & OP_CANCEL) &&
         !(sqe->flags & (IOSQE_IO_LINK | IOSQE_IO_HARDLINK)) &&
         data >= MESSAGE_MIN && data <= MESSAGE_MAX;
}

/* An entry with IOSQE_CQE_SKIP_SUCCESS; perhaps we do it when it comes. */
static void skip_success(Ring *r, struct io_uring_sqe *sqe) {
  Op *op = op_find(r, sqe->user_data);
  if (can_skip(r, sqe, op)) {
    sqe->user_data = skip_tag((int64_t)op->data64);
    forget(op);
  }
  else {
    sqe->flags &= (uint8_t)~IOSQE_CQE_SKIP_SUCCESS;
    op->state |= OP_SKIP;
  }
}

/* ---- submission --------------------------------------------------------- */

static struct io_uring_sqe *get_sqe(Ring *r, Op *op) {
  struct io_uring_sqe *sqe = io_uring_get_sqe(&r->uring);
  if (sqe != NULL) {
    compat_clear_sqe(sqe, r->sqe_size);
    if (op)
      op->number = r->placed;
    r->placed++;
  }
  return sqe;
}

/*
** Count an enter that was made with 'n' new entries in the queue.  With a
** thread of the kernel's they are all submitted: the result says how many
** entries it has not come to, be they earlier ones, or none.
*/
static int count_enter(Ring *r, int rc, unsigned n) {
  r->stats.enters++;
  if (rc >= 0 && (r->uring.flags & IORING_SETUP_SQPOLL))
    rc = (int)n;
  if (rc > 0)
    r->stats.submitted += (unsigned)rc;
  return rc;
}

/* Nothing more can be set in the new entries; how many there are. */
static unsigned close_entries(Ring *r) {
  if (r->checks)
    late_check(r);
  for (uint64_t i = ring_unseen(r); r->skips && i != r->placed; i++) {
    struct io_uring_sqe *sqe = ring_entry(r, i);
    if (sqe->flags & IOSQE_CQE_SKIP_SUCCESS)
      skip_success(r, sqe);
  }
  r->skips = false;
  return (unsigned)(r->placed - ring_unseen(r));
}

/*
** Until the kernel's thread has taken an entry off a full queue.  The call
** returns early when a completion interrupts it; hence the loop.
*/
static void wait_for_room(Ring *r) {
  int rc = 0;
  for (int i = 0; i < MAX_WAITS && rc >= 0; i++) {
    if (io_uring_sq_space_left(&r->uring) > 0)
      return;
    rc = map_by_hand(r) ? map_enter(r, 0, 0, false)
                        : io_uring_sqring_wait(&r->uring);
  }
}

/* Hand the queue to the kernel; how many entries, or a negative errno. */
int ring_submit(Ring *r) {
  unsigned n = close_entries(r);
  int rc = map_by_hand(r) ? map_enter(r, 0, 0, false)
                          : io_uring_submit(&r->uring);
  rc = count_enter(r, rc, n);
  if (rc >= 0 && (r->uring.flags & IORING_SETUP_SQPOLL))
    wait_for_room(r);
  return rc;
}

/* The operation has no place in the queue; later entries may get one before */
static void set_aside(Backlog *b, Op *op) {
  b->op = op;
  op->late = true;
  op->number = 0;  /* no entry has that */
}

/*
** A cleared entry for 'op'.  When the queue is full it is submitted; when
** the kernel has no room even then, the entry waits in the backlog.  NULL
** without memory.
*/
struct io_uring_sqe *ring_sqe(Ring *r, Op *op) {
  struct io_uring_sqe *sqe;
  Backlog *b;
  if (link_alone(&r->backlog)) {
    sqe = get_sqe(r, op);
    if (sqe == NULL && ring_submit(r) >= 0)
      sqe = get_sqe(r, op);
    if (sqe != NULL)
      return sqe;
  }
  b = calloc(1, sizeof *b);
  if (b == NULL)
    return NULL;
  set_aside(b, op);
  b->together = 1;
  link_init(&b->link);
  link_append(&r->backlog, &b->link);
  return b->sqe;
}

/*
** How long a chain may be.  A thread of the kernel's that polls the queues of
** several rings takes 8 entries of one, then those of the next
** (IORING_SQPOLL_CAP_ENTRIES_VALUE): it cuts a longer chain there, and what
** comes after the cut does not wait for what came before.
*/
unsigned ring_longest(const Ring *r) {
  unsigned n = *r->uring.sq.kring_entries;
  return r->shared && n > AT_ONCE ? AT_ONCE : n;
}

/*
** Have room for 'n' entries in the queue, to be taken together; false when
** the kernel has none.  Before a chain a shared thread must have taken all
** there was, or it would count that among the 8.
*/
static bool room_for(Ring *r, unsigned n) {
  if (n > 1 && r->shared)
    n = *r->uring.sq.kring_entries;
  for (int i = 0; i < MAX_WAITS; i++) {
    if (io_uring_sq_space_left(&r->uring) >= n)
      return true;
    if (ring_submit(r) < 0)
      return false;
    if (!(r->uring.flags & IORING_SETUP_SQPOLL))
      break;
    sched_yield();     /* its thread takes one after the other */
  }
  return io_uring_sq_space_left(&r->uring) >= n;
}

/* Keep the entries of a chain until there is room; false without memory. */
static bool backlog_chain(Ring *r, Op **ops, const ChainSqe *sqes,
                          unsigned n) {
  Backlog **all = calloc(n, sizeof *all);
  unsigned made = 0;
  while (all != NULL && made < n && (all[made] = malloc(sizeof **all)))
    made++;
  for (unsigned i = 0; i < made; i++) {
    Backlog *b = all[i];
    if (made < n) {
      free(b);
      continue;
    }
    set_aside(b, ops[i]);
    b->together = i == 0 ? n : 1;
    memcpy(b->sqe, &sqes[i], sizeof b->sqe);
    link_init(&b->link);
    link_append(&r->backlog, &b->link);
  }
  free(all);
  return made == n;
}

/*
** Put the entries of a chain into the queue, so that one submission takes
** them all; false without memory, and then none is there.
*/
bool ring_chain(Ring *r, Op **ops, const ChainSqe *sqes, unsigned n) {
  if (!link_alone(&r->backlog) || !room_for(r, n))
    return backlog_chain(r, ops, sqes, n);
  for (unsigned i = 0; i < n; i++)
    memcpy(get_sqe(r, ops[i]), &sqes[i], r->sqe_size);
  r->checks = true;
  return true;
}

/* Move entries from the backlog to the queue; false while some are left. */
static bool flush_backlog(Ring *r) {
  while (!link_alone(&r->backlog)) {
    Backlog *b = container(r->backlog.next, Backlog, link);
    struct io_uring_sqe *sqe;
    if (!room_for(r, b->together))
      return false;
    sqe = get_sqe(r, b->op);
    memcpy(sqe, b->sqe, r->sqe_size);
    r->checks = true;
    link_remove(&b->link);
    free(b);
  }
  return true;
}

/* Queue the cancellations that were asked for; the rest goes next time. */
static void flush_cancels(Ring *r) {
  while (!link_alone(&r->cancels)) {
    Op *op = container(r->cancels.next, Op, cancels);
    struct io_uring_sqe *sqe = get_sqe(r, NULL);
    if (sqe == NULL && ring_submit(r) >= 0)
      sqe = get_sqe(r, NULL);
    if (sqe == NULL)
      return;
    io_uring_prep_cancel64(sqe, op_tag(op), 0);
    sqe->user_data = (op_tag(op) & ~UINT64_C(0xff)) | TAG_CANCEL;
    link_remove(&op->cancels);
    r->stats.cancels++;
  }
}

/*
** The kernel did not find the operation, or could not stop it: it was on its
** way to a worker thread, or is not there yet.  Cancel it again, at once and
** then ever later.
*/
void ring_cancel_again(Ring *r, Op *op) {
  int64_t when;
  if (op->tries == 0)
    link_append(&r->cancels, &op->cancels);
  else {
    when = sched_clock() + (SECOND / 2000 << op->tries);
    if (link_alone(&r->stubborn) || when < r->retry)
      r->retry = when;
    link_append(&r->stubborn, &op->cancels);
  }
  if (op->tries < MAX_TRIES)
    op->tries++;
}

/* Queue what is to be cancelled again by now; how long to wait at most. */
static int64_t retry_cancels(Ring *r, int64_t timeout) {
  int64_t left;
  if (link_alone(&r->stubborn))
    return timeout;
  left = r->retry - sched_clock();
  if (left > 0)
    return left < timeout ? left : timeout;
  while (!link_alone(&r->stubborn)) {
    Link *first = r->stubborn.next;
    link_remove(first);
    link_append(&r->cancels, first);
  }
  return timeout;
}

/* Queue what has waited for room; false when there is not enough. */
static bool flush_waiting(Ring *r) {
  if (flush_backlog(r))
    flush_cancels(r);
  return link_alone(&r->backlog) && link_alone(&r->cancels);
}

/* Show the kernel everything that is prepared; the number of entries. */
unsigned ring_flush(Ring *r) {
  flush_waiting(r);
  close_entries(r);
  return compat_flush_sq(&r->uring);
}

/* Does the kernel hold back completions until we enter? */
bool ring_needs_enter(const Ring *r) {
  unsigned flags = IO_URING_READ_ONCE(*r->uring.sq.kflags);
  return (flags & (IORING_SQ_TASKRUN | IORING_SQ_CQ_OVERFLOW)) != 0;
}

/*
** Submit everything and wait for 'want' completions, at most 'timeout' ns.
** 0 on success, and also when the time is over or a signal came: the caller
** looks at the completions in any case.
*/
int ring_wait(Ring *r, unsigned want, int64_t timeout) {
  struct io_uring_cqe *cqe;
  struct __kernel_timespec ts;
  unsigned n;
  int rc;
  timeout = retry_cancels(r, timeout);
  if (!flush_waiting(r) && timeout > SOON)
    timeout = SOON;    /* no completion says that there is room */
  n = close_entries(r);
  if (want == 0 || timeout <= 0) {
    if (io_uring_sq_ready(&r->uring) == 0 && !ring_needs_enter(r))
      return 0;
    rc = map_by_hand(r) ? map_enter(r, 0, 0, true)
                        : io_uring_submit_and_get_events(&r->uring);
  }
  else if (map_by_hand(r))
    rc = map_enter(r, want, timeout, true);
  else if (timeout == FOREVER) {
    /* one enter: with no timeout submit_and_wait_timeout repeats it after a
       signal, and Ctrl-C would not be noticed */
    if (io_uring_cq_ready(&r->uring) >= want &&
        io_uring_sq_ready(&r->uring) == 0)
      return 0;
    rc = io_uring_submit_and_wait(&r->uring, want);
  }
  else {
    ts.tv_sec = timeout / SECOND;
    ts.tv_nsec = timeout % SECOND;
    rc = io_uring_submit_and_wait_timeout(&r->uring, &cqe, want, &ts, NULL);
  }
  rc = count_enter(r, rc, n);
  if (rc >= 0 || rc == -ETIME || rc == -EINTR || rc == -EAGAIN ||
      rc == -EBUSY)
    return 0;
  return rc;
}

/* Entries of the backlog end as cancelled. */
void submit_drop_backlog(lua_State *L, Ring *r) {
  while (!link_alone(&r->backlog)) {
    Backlog *b = container(r->backlog.next, Backlog, link);
    link_remove(&b->link);
    if (b->op)
      op_complete(L, b->op, -ECANCELED, 0);
    free(b);
  }
}
