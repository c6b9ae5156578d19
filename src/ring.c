/* SPDX-License-Identifier: MIT
**
** ring.c - closing; what a ring keeps alive.
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

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "uring.h"

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
** Take the entries that the kernel has not seen off the queue; the number of
** the first.  It looks at them when it is entered, and not at
** those of a submission that fails; but a thread that polls the queue looks
** at any time, once the ring is enabled.
*/
static uint64_t rewind_queue(Ring *r) {
  struct io_uring_sq *sq = &r->uring.sq;
  bool polled = (r->uring.flags & IORING_SETUP_SQPOLL) && !r->disabled;
  uint32_t first = polled ? sq->sqe_head : IO_URING_READ_ONCE(*sq->khead);
  r->placed -= sq->sqe_tail - first;
  sq->sqe_head = sq->sqe_tail = first;
  if (!polled)
    io_uring_smp_store_release(sq->ktail, first);
  return r->placed;
}

/* Entries that the kernel has not seen end here, as cancelled. */
static void drop_unsubmitted(lua_State *L, Ring *r) {
  uint64_t first = rewind_queue(r);
  submit_drop_backlog(L, r);
  for (uint32_t i = 0; i < slab_size(&r->ops); i++) {
    Op *op = op_with(r, i, OP_KERNEL);
    if (op && op->chain == NULL && op->number >= first)
      op_complete(L, op, -ECANCELED, 0);
  }
}

/* How many completions the kernel has lost, having no memory for them. */
static unsigned lost(const Ring *r) {
  return IO_URING_READ_ONCE(*r->uring.cq.koverflow);
}

#define ROUND (SECOND / 20)

/*
** Cancel and reap until nothing is active or the time is over.  Everything
** is cancelled once more: an earlier cancellation may have been dropped
** from the queue just now.  What the kernel has lost is not waited for.
**
** The time is counted in short waits, and none counts for more than it was
** to take: a process that was stopped meanwhile, or a machine that is very
** busy, has not had it.
*/
static void drain(lua_State *L, Ring *r, int64_t patience) {
  int64_t now = sched_clock();
  for (uint32_t i = 0; i < slab_size(&r->ops); i++) {
    Op *op = op_with(r, i, OP_KERNEL);
    if (op) {
      link_remove(&op->cancels);
      op->state &= (uint8_t)~OP_CANCEL;
      op_cancel(op);
    }
  }
  while (r->active > lost(r) && patience > 0) {
    int64_t before = now;
    int rc = ring_wait(r, 1, ROUND);
    if (cqe_reap(L, r) == 0 && rc < 0)
      break;
    now = sched_clock();
    patience -= now - before < ROUND ? now - before : ROUND;
  }
}

/*
** The kernel still has operations and will not give them back: keep their
** memory for ever, but not their descriptors.  No other is left by now: its
** holder would come to a slab that does not know it.
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

/* In a child of fork: the records go, and must not be known to descriptors. */
static void disown(Ring *r) {
  for (uint32_t i = 0; i < slab_size(&r->ops); i++) {
    Op *op = slab_at(&r->ops, i);
    if (op->slot.used)
      op_unuse(op);
  }
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
  link_remove(&r->link);
  guest_close(r);
  if (r->state->ring == r)
    r->state->ring = NULL;
  if (r->fork_count != fork_count) {
    if (ident_fd(r))
      close(r->uring.ring_fd);  /* the queues are the parent's */
    disown(r);
    group_forget(r, false);
    forget_tasks(L, r, index);
    free_tables(L, r);
    return;
  }
  drop_unsubmitted(L, r);
  drain(L, r, patience);
  forget_tasks(L, r, index);
  group_forget(r, r->active > 0);
  release_results(L, r);
  if (r->active > 0)
    leak(L, r);  /* may still use provided buffers, too */
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
** that run before its own may still see it.  The default ring never is: the
** registry keeps it.
*/
bool ring_dying(lua_State *L, const Ring *r) {
  bool dying;
  if (r == r->state->ring)
    return false;
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
  if (r == r->state->ring) {
    lua_rawgeti(L, LUA_REGISTRYINDEX, r->state->keep);
    return;
  }
  lua_rawgeti(L, LUA_REGISTRYINDEX, r->state->rings);
  lua_rawgetp(L, -1, r);
  lua_remove(L, -2);
}
