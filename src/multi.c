/* SPDX-License-Identifier: MIT
**
** multi.c - multishot operations: iterators over their completions.
**
** The record of the operation lives as long as the iterator; the same entry
** is submitted again, under another generation, whenever the kernel has
** ended it and it can go on: when the completion queue was full, when a
** provided buffer is there again, some time after descriptors had run out.
** Only the absence of F_MORE says that it has ended.
**
** A connection for which the table of descriptors has no slot is accepted by
** the kernel, and closed.  So when the table was full the operation takes one
** connection for each slot that is emptied, and is no multishot any more.
**
** What nobody has asked for yet waits in a queue.  When that is long the
** operation is cancelled, and goes on when most of it is taken.  An iterator
** that is closed gives up what is in it: connections are closed, buffers go
** back.
*/

#include <errno.h>
#include <stdlib.h>

#include "uring.h"

#define LONG_QUEUE 64u      /* results that wait, before it pauses */
#define LONG_DATA 16u       /* the same, of those that hold a buffer */
#define MIN_REST (SECOND / 200)  /* after running out of descriptors ... */
#define MAX_REST (SECOND / 2)    /* ... growing up to this */
#define MIN_SLOT_REST SECOND     /* the same when nobody was seen to ... */
#define MAX_SLOT_REST (64 * SECOND)     /* ... empty a slot of the table */
#define MAX_SLOTS 1048576u  /* IORING_MAX_FIXED_FILES */

/* The object, or the record, does not know it any more. */
void multi_unref(Multi *m) {
  if (--m->refs == 0)
    free(m);
}

void multi_wake_all(Multi *m) {
  while (!link_alone(&m->waiters))
    sched_wake(container(m->waiters.next, Task, link), WOKE_NORMAL);
}

/* ---- the queue ---------------------------------------------------------- */

/* Room for one more; false without memory. */
bool multi_reserve(Multi *m) {
  unsigned size;
  Item *items;
  if (m->count < m->size || m->closed)
    return true;
  size = m->size ? 2 * m->size : 8;
  items = malloc(size * sizeof *items);
  if (items == NULL)
    return false;
  for (unsigned i = 0; i < m->count; i++)
    items[i] = m->items[(m->head + i) % m->size];
  free(m->items);
  m->items = items;
  m->head = 0;
  m->size = size;
  return true;
}

/* Make the first item the operation's result. */
void multi_pop(Multi *m) {
  Item *i = &m->items[m->head];
  Op *op = m->op;
  m->head = (m->head + 1) % m->size;
  m->count--;
  op->res = i->res;
  op->flags = i->flags;
  op->extra = i->extra;
  op->serial++;
  op->state |= OP_DONE;
  op->state &= (uint8_t)~OP_TAKEN;
}

static unsigned limit(const Multi *m) {
  return m->op->group ? LONG_DATA : LONG_QUEUE;
}

static bool is_long(const Multi *m) { return m->count >= limit(m); }

/* ---- arming ------------------------------------------------------------- */

/* It will not go on; its results are still there. */
void multi_end(Multi *m, int error) {
  m->state = MULTI_ENDED;
  m->error = error;
  link_remove(&m->starved);
  heap_remove(&m->op->ring->timers, &m->timer);
  op_unuse(m->op);
  multi_wake_all(m);
}

/* Wait for a time that grows from 'low' to 'high'. */
static void rest(Multi *m, int64_t low, int64_t high) {
  m->rest = m->rest == 0 ? low : 2 * m->rest;
  if (m->rest > high)
    m->rest = high;
  m->timer.when = sched_clock() + m->rest;
  m->state = MULTI_RESTING;
  if (!heap_push(&m->op->ring->timers, &m->timer))
    multi_end(m, ENOMEM);
}

/* Wait for a slot of the table, or look after a while. */
static void rest_for_slot(Multi *m) {
  Ring *r = m->op->ring;
  m->single = true;
  rest(m, MIN_SLOT_REST, MAX_SLOT_REST);
  if (m->state == MULTI_RESTING)
    link_append(&r->slotless, &m->starved);
  multi_slots(r, 0);
}

/*
** So many slots of the table were emptied: whoever waits for one goes on, in
** the next turn.
*/
void multi_slots(Ring *r, unsigned n) {
  r->emptied = n < MAX_SLOTS - r->emptied ? r->emptied + n : MAX_SLOTS;
  while (r->emptied > 0 && !link_alone(&r->slotless)) {
    Multi *m = container(r->slotless.next, Multi, starved);
    link_remove(&m->starved);
    heap_remove(&r->timers, &m->timer);
    r->emptied--;
    m->timer.when = r->now;
    if (!heap_push(&r->timers, &m->timer))
      multi_end(m, ENOMEM);
  }
}

/* Submit it, under a new generation: a late cancellation must not hit it. */
void multi_arm(Multi *m) {
  Op *op = m->op;
  struct io_uring_sqe *sqe;
  link_remove(&m->starved);
  if (!op->ring->open || op->ring->fork_count != fork_count ||
      late_closed(op) != NULL) {
    multi_end(m, ECANCELED);
    return;
  }
  if (m->single && !m->slot) {
    rest_for_slot(m);
    return;
  }
  op->slot.generation++;
  sqe = ring_sqe(op->ring, op);
  if (sqe == NULL) {
    multi_end(m, ENOMEM);
    return;
  }
  memcpy(sqe, &m->sqe, sizeof *sqe);
  sqe->user_data = op_tag(op);
  if (op->kind == RES_TIMEOUT)
    sqe->off = m->left;
  if (m->single)
    sqe->ioprio &= (uint16_t)~IORING_ACCEPT_MULTISHOT;
  m->slot = false;
  m->state = MULTI_ARMED;
  m->pausing = false;
  op->state &= (uint8_t)~OP_CANCEL;
  op->tries = 0;
  op->state |= OP_KERNEL;
  op->ring->active++;
}

/* Some of the queue was taken. */
void multi_resume(Multi *m) {
  if (m->op != NULL && m->state == MULTI_PAUSED && 2 * m->count <= limit(m))
    multi_arm(m);
}

/* A while after descriptors have run out, or when there is a slot. */
void multi_rested(Timer *t) {
  Multi *m = container(t, Multi, timer);
  m->slot = true;
  if (m->state == MULTI_RESTING)
    multi_arm(m);
}

static void starve(Multi *m) {
  Group *g = m->op->group;
  if (g == NULL || g->ring == NULL)
    multi_end(m, ENOBUFS);
  else if (g->in > 0 || group_grow(g))
    multi_arm(m);
  else {
    m->state = MULTI_STARVED;
    link_append(&g->starved, &m->starved);
  }
}

/* The group has a buffer again, or is gone. */
void multi_wake(Group *g) {
  while (!link_alone(&g->starved) && (g->in > 0 || g->ring == NULL)) {
    Multi *m = container(g->starved.next, Multi, starved);
    link_remove(&m->starved);
    if (g->ring == NULL)
      multi_end(m, ENOBUFS);
    else
      multi_arm(m);
  }
}

/* Somebody cancels it: at once, where the kernel does not have it. */
void multi_cancel(Multi *m) {
  m->pausing = false;
  if (m->state != MULTI_ENDED && m->state != MULTI_ARMED)
    multi_end(m, ECANCELED);
}

/* ---- completions -------------------------------------------------------- */

/*
** May more come where nothing came?  An empty message looks like the end of
** a stream.  Of a socket that has both, it is the end unless something else
** is there to be read.  A slot of the table cannot be asked.
*/
static bool goes_on(const Op *op) {
  int type;
  socklen_t len = sizeof type;
  char c;
  if (op->fixed ||
      getsockopt(op->fd, SOL_SOCKET, SO_TYPE, &type, &len) != 0 ||
      type == SOCK_STREAM)
    return false;
  return type != SOCK_SEQPACKET ||
         recv(op->fd, &c, 1, MSG_PEEK | MSG_DONTWAIT) != 0;
}

static bool is_empty(const Op *op, int res, unsigned flags) {
  if (op->kind == RES_MESSAGE)
    return res >= 0 && msg_length(op, res, flags) == 0;
  return op->kind == RES_DATA && res == 0;
}

static bool is_end(const Op *op, int res, unsigned flags) {
  return is_empty(op, res, flags) && !goes_on(op);
}

static bool has_result(const Op *op, int res, bool end) {
  return (res >= 0 && !end) || (op->kind == RES_TIMEOUT && res == -ETIME);
}

/* It goes on when most of its results are taken, which may be so already. */
static void suspend(Multi *m) {
  m->state = MULTI_PAUSED;
  multi_resume(m);
}

/* The kernel has ended it: go on, later perhaps, or not. */
static void decide(Multi *m, int res, bool end) {
  const Op *op = m->op;
  int code = has_result(op, res, end) ? 0 : err_normal(-res);
  bool counted = op->kind == RES_TIMEOUT && m->sqe.off > 0;
  if (op->use[0].fd && op->use[0].fd->state != FD_OPEN)
    multi_end(m, ECANCELED);
  else if (end || (counted && m->left == 0))
    multi_end(m, 0);
  else if ((op->state & OP_CANCEL) && !m->pausing)
    multi_end(m, ECANCELED);
  else if (m->pausing && (code == ECANCELED || code == ENOBUFS))
    suspend(m);
  else if (code == 0 && (m->pausing || is_long(m)))
    suspend(m);
  else if (code == 0 || code == ECONNABORTED || code == EINTR)
    multi_arm(m);
  else if (code == ENOBUFS)
    starve(m);
  else if (code == ENFILE && op->kind == RES_DIRECT) {
    op->ring->emptied = 0;
    rest_for_slot(m);
  }
  else if (op->def->opcode == IORING_OP_ACCEPT &&
           (code == EMFILE || code == ENFILE))
    rest(m, MIN_REST, MAX_REST);
  else
    multi_end(m, code);
}

/* The kernel shall end it, and begin anew when there is room for results. */
static void renew(Multi *m) {
  if (m->op->state & OP_CANCEL)
    return;
  op_cancel(m->op);
  m->pausing = true;
}

/*
** Keep a result.  Room for it was reserved, but when the ring is being closed
** there may be none.
*/
static void keep(Multi *m, int res, unsigned flags) {
  Op *op = m->op;
  if (res == 0)        /* an empty datagram's buffer */
    result_return(op, op->at, res, flags);
  if (m->count == m->size) {
    result_dispose(op, res, flags);
    return;
  }
  m->items[(m->head + m->count++) % m->size] =
    (Item){res, flags, op->kind == RES_STAMP ? op->data64 : op->at};
  if (!m->single)
    m->rest = 0;
  if (m->left > 0)
    m->left--;
  sched_wake_one(&m->waiters);
  if (is_long(m) && (flags & IORING_CQE_F_MORE))
    renew(m);
}

/*
** The completion queue was full.  Of the times that packets were sent the
** kernel keeps what did not fit, and looks at it only when another is sent.
*/
void multi_renew(Ring *r) {
  for (uint32_t i = 0; i < slab_size(&r->ops); i++) {
    const Op *op = slab_at(&r->ops, i);
    if (op->slot.used && op->kind == RES_STAMP && op->multi &&
        (op->state & OP_KERNEL))
      renew(op->multi);
  }
}

/* A completion of the operation. */
void multi_complete(lua_State *L, Op *op, int res, unsigned flags) {
  Multi *m = op->multi;
  bool end = is_end(op, res, flags);
  if (!m->closed && has_result(op, res, end))
    keep(m, res, flags);
  else if (res <= 0)
    result_return(op, op->at, res, flags);
  else
    result_dispose(op, res, flags);
  if (flags & IORING_CQE_F_MORE)
    return;
  op->state &= (uint8_t)~OP_KERNEL;
  op->ring->active--;
  link_remove(&op->cancels);
  if (op->state & OP_WAITED)
    decide(m, res, end);
  else
    op_drop(L, op, OP_WAITED);
}

/* The record is about to be freed: give up what is in the queue. */
void multi_detach(Op *op, bool dispose) {
  Multi *m = op->multi;
  heap_remove(&op->ring->timers, &m->timer);
  link_remove(&m->starved);
  for (; m->count > 0; m->count--) {
    const Item *i = &m->items[m->head];
    op->at = (uint32_t)i->extra;
    if (dispose)
      result_dispose(op, i->res, i->flags);
    m->head = (m->head + 1) % m->size;
  }
  free(m->items);
  m->items = NULL;
  m->size = 0;
  m->state = MULTI_ENDED;
  op->multi = NULL;
  m->op = NULL;
  multi_wake_all(m);
  multi_unref(m);
}
