/* SPDX-License-Identifier: MIT
**
** ring.c - submission, waiting, closing.
**
** Closing is the delicate part.  The kernel goes on with the operations of
** a ring that is closed, and writes into their memory; so ring_close cancels
** them all and reaps until the last terminal completion has come.  If one
** does not come in time, its memory and that of its neighbours is leaked on
** purpose.
**
** A ring belongs to the process that made it: in a child of fork every
** entry raises, and only the descriptor is closed.
*/

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "uring.h"

#define MAX_WAITS 1000  /* for room in the queue of SQPOLL */

#define MAX_TRIES 7  /* then every 64 ms */

/* An entry that found the submission queue full. */
typedef struct Backlog {
  Link link;
  Op *op;
  struct io_uring_sqe sqe[2];  /* room for SQE128 */
} Backlog;

/* ---- submission --------------------------------------------------------- */

static struct io_uring_sqe *get_sqe(Ring *r, Op *op) {
  uint32_t number = r->uring.sq.sqe_tail;
  struct io_uring_sqe *sqe = io_uring_get_sqe(&r->uring);
  if (sqe != NULL) {
    compat_clear_sqe(sqe, r->sqe_size);
    if (op)
      op->number = number;
  }
  return sqe;
}

/*
** Count an enter that was made with 'n' new entries in the queue.  With a
** thread of the kernel's they are all submitted, and the result also counts
** earlier ones that it has not come to.
*/
static int count_enter(Ring *r, int rc, unsigned n) {
  r->stats.enters++;
  if (rc > 0 && (r->uring.flags & IORING_SETUP_SQPOLL))
    rc = (int)n;
  if (rc > 0)
    r->stats.submitted += (unsigned)rc;
  return rc;
}

static unsigned new_entries(const Ring *r) {
  return r->uring.sq.sqe_tail - r->uring.sq.sqe_head;
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
  unsigned n = new_entries(r);
  int rc = map_by_hand(r) ? map_enter(r, 0, 0, false)
                          : io_uring_submit(&r->uring);
  rc = count_enter(r, rc, n);
  if (rc >= 0 && (r->uring.flags & IORING_SETUP_SQPOLL))
    wait_for_room(r);
  return rc;
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
  b->op = op;
  link_init(&b->link);
  link_append(&r->backlog, &b->link);
  return b->sqe;
}

/* Move entries from the backlog to the queue; false while some are left. */
static bool flush_backlog(Ring *r) {
  while (!link_alone(&r->backlog)) {
    Backlog *b = container(r->backlog.next, Backlog, link);
    struct io_uring_sqe *sqe = get_sqe(r, b->op);
    if (sqe == NULL && ring_submit(r) >= 0)
      sqe = get_sqe(r, b->op);
    if (sqe == NULL)
      return false;
    memcpy(sqe, b->sqe, r->sqe_size);
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

/* Show the kernel everything that is prepared; the number of entries. */
unsigned ring_flush(Ring *r) {
  if (flush_backlog(r))
    flush_cancels(r);
  return compat_flush_sq(&r->uring);
}

/* Does the kernel hold back completions until we enter? */
static bool needs_enter(const Ring *r) {
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
  if (flush_backlog(r))
    flush_cancels(r);
  n = new_entries(r);
  if (want == 0 || timeout <= 0) {
    if (io_uring_sq_ready(&r->uring) == 0 && !needs_enter(r))
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

/*
** Keep memory alive until the ring is closed; false when there is none to
** note that.
*/
bool ring_keep(Ring *r, Block *b) {
  Block **kept;
  for (unsigned i = 0; i < r->nkept; i++)
    if (r->kept[i] == b)
      return true;
  kept = realloc(r->kept, (r->nkept + 1) * sizeof *kept);
  if (kept == NULL)
    return false;
  r->kept = kept;
  r->kept[r->nkept++] = block_hold(b);
  return true;
}

/* ---- closing ------------------------------------------------------------ */

/* The n-th slot's operation if it has 'state' bits, or NULL. */
static Op *op_with(Ring *r, uint32_t index, int state) {
  Op *op = slab_at(&r->ops, index);
  return op->slot.used && (op->state & state) ? op : NULL;
}

/*
** Take the entries that the kernel has not seen off the queue; their number,
** and that of the first.  A disabled ring refuses to look at any of them,
** also of those that were submitted.
*/
static uint32_t rewind_queue(Ring *r, uint32_t *first) {
  struct io_uring_sq *sq = &r->uring.sq;
  uint32_t n;
  *first = r->disabled ? IO_URING_READ_ONCE(*sq->khead) : sq->sqe_head;
  n = sq->sqe_tail - *first;
  sq->sqe_head = sq->sqe_tail = *first;
  if (r->disabled)
    io_uring_smp_store_release(sq->ktail, *first);
  return n;
}

/* Entries that the kernel has not seen end here, as cancelled. */
static void drop_unsubmitted(lua_State *L, Ring *r) {
  uint32_t first, n = rewind_queue(r, &first);
  while (!link_alone(&r->backlog)) {
    Backlog *b = container(r->backlog.next, Backlog, link);
    link_remove(&b->link);
    if (b->op)
      op_complete(L, b->op, -ECANCELED, 0);
    free(b);
  }
  for (uint32_t i = 0; i < slab_size(&r->ops); i++) {
    Op *op = op_with(r, i, OP_KERNEL);
    if (op && op->number - first < n)
      op_complete(L, op, -ECANCELED, 0);
  }
}

/*
** Cancel and reap until nothing is active or the time is over.  Everything
** is cancelled once more: an earlier cancellation may have been dropped
** from the queue just now.
*/
static void drain(lua_State *L, Ring *r, int64_t patience) {
  int64_t end = sched_clock() + patience, left = patience;
  for (uint32_t i = 0; i < slab_size(&r->ops); i++) {
    Op *op = op_with(r, i, OP_KERNEL);
    if (op) {
      link_remove(&op->cancels);
      op->state &= (uint8_t)~OP_CANCEL;
      op_cancel(op);
    }
  }
  while (r->active > 0 && left > 0) {
    int rc = ring_wait(r, 1, left);
    if (cqe_reap(L, r) == 0 && rc < 0)
      break;
    left = end - sched_clock();
  }
}

/*
** The kernel still has operations and will not give them back: keep their
** memory for ever, but not their descriptors.
*/
static void leak(lua_State *L, Ring *r) {
  char text[96];
  for (uint32_t i = 0; i < slab_size(&r->ops); i++) {
    Op *op = op_with(r, i, OP_KERNEL);
    if (op) {
      if (op->multi)
        multi_detach(op, false);
      op_unuse(op);
    }
  }
  slab_init(&r->ops, sizeof(Op));
  r->nkept = r->nfixed = 0;
  snprintf(text, sizeof text, "uring: %u operation%s did not end before the "
    "ring was closed; memory leaked", r->active, r->active == 1 ? "" : "s");
  lua_warning(L, text, 0);
}

/* Release what nobody will ask for any more. */
static void release_results(lua_State *L, Ring *r) {
  for (; r->raw_count > 0; r->raw_count--) {
    cqe_dispose(&r->raw[r->raw_head]);
    r->raw_head = (r->raw_head + 1) % r->raw_size;
  }
  for (uint32_t i = 0; i < slab_size(&r->ops); i++) {
    Op *op = op_with(r, i, OP_WAITED | OP_RAW);
    if (op)
      op_drop(L, op, OP_WAITED | OP_RAW);
  }
}

static void free_tables(lua_State *L, Ring *r) {
  for (uint32_t i = 0; i < slab_size(&r->ops); i++) {
    Op *op = slab_at(&r->ops, i);
    if (op->slot.used && op->multi)
      multi_detach(op, false);
    luaL_unref(L, LUA_REGISTRYINDEX, op->anchor);
    op->anchor = 0;
    op->anchored = false;
  }
  free(r->raw);
  r->raw = NULL;
  r->raw_size = 0;
  pool_free(&r->pool);
  heap_free(&r->timers);
  if (r->probe)
    io_uring_free_probe(r->probe);
  r->probe = NULL;
  for (unsigned i = 0; i < r->nfixed; i++)
    if (r->fixed[i])
      block_release(r->fixed[i]);
  free(r->fixed);
  for (unsigned i = 0; i < r->nkept; i++)
    block_release(r->kept[i]);
  free(r->kept);
}

/* The tasks of the ring, whose object is at 'index', are lost. */
static void forget_tasks(lua_State *L, Ring *r, int index) {
  lua_getiuservalue(L, index, RING_TASKS);
  task_forget(L, r);
  lua_pop(L, 1);
}

/*
** Close the ring, whose object is at 'index', within 'patience' ns; nothing
** happens to a closed one.  The records stay readable until the object
** itself is collected.
*/
void ring_close(lua_State *L, int index, int64_t patience) {
  Ring *r = lua_touserdata(L, index);
  if (!r->open)
    return;
  r->open = false;
  if (r->state->ring == r)
    r->state->ring = NULL;
  if (r->fork_count != fork_count) {
    close(r->uring.ring_fd);  /* the queues are the parent's */
    group_forget(r, false);
    forget_tasks(L, r, index);
    free_tables(L, r);
    return;
  }
  drop_unsubmitted(L, r);
  drain(L, r, patience);
  forget_tasks(L, r, index);
  group_forget(r, r->active > 0);
  if (r->active > 0)
    leak(L, r);  /* may still use provided buffers, too */
  release_results(L, r);
  map_exit(r);
  free_tables(L, r);
}

/* Raise for a ring that is closed, or not this process's own. */
void ring_refuse(lua_State *L, const Ring *r) {
  luaL_error(L, r->open ? "ring belongs to the parent process: a child of "
                          "fork makes a ring of its own" : "ring is closed");
}

/*
** Is the ring garbage, and will be closed next?  Finalisers of other objects
** that run before its own may still see it.
*/
bool ring_dying(lua_State *L, const Ring *r) {
  bool dying;
  ring_push(L, r);
  dying = lua_isnil(L, -1);
  lua_pop(L, 1);
  return dying;
}

/* The usable ring at 'arg' [e]. */
Ring *ring_check(lua_State *L, int arg) {
  Ring *r = luaL_checkudata(L, arg, RING_TYPE);
  ring_usable(L, r);
  if (ring_dying(L, r))
    luaL_error(L, "ring is being collected");
  return r;
}

/* Push the object of a ring, or nil when it is dying. */
void ring_push(lua_State *L, const Ring *r) {
  lua_rawgeti(L, LUA_REGISTRYINDEX, r->state->rings);
  lua_rawgetp(L, -1, r);
  lua_remove(L, -2);
}
