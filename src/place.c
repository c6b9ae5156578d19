/* SPDX-License-Identifier: MIT
**
** place.c - waiting in place, where Lua cannot yield.
**
** Outside a task an await runs turns of the loop until it is done.  Inside a
** task, in a callback of a C function, it waits for that one thing and
** resumes nobody.  Timers fire all the same, so that a deadline reaches what
** waits here, too.
*/

#include <errno.h>

#include "uring.h"

/* Can the ring run?  A status, with the error pushed. */
int place_check(lua_State *L, const Ring *r) {
  if (r->fork_count != fork_count)
    lua_pushliteral(L, "the loop belongs to the parent process: a child of "
                       "fork leaves with os.exit, or runs a ring of its own");
  else if (ring_dying(L, r))
    lua_pushliteral(L, "ring is being collected");
  else
    return LUA_OK;
  return LUA_ERRRUN;
}

/*
** Submit, wait for 'want' completions, at most 'timeout' ns, and take what
** has come.  0 or a negative errno; ENOMEM also when there is no memory for
** a completion, which is not lost then.
*/
int place_wait(lua_State *L, Ring *r, unsigned want, int64_t timeout) {
  int rc = ring_wait(r, want, timeout);
  cqe_reap(L, r);
  return rc == 0 && r->stalled ? -ENOMEM : rc;
}

/* Fire timers that are due as the loop does, outside any task; a status. */
static int fire(lua_State *L, State *S, Ring *r) {
  Task *t = S->task;
  int status;
  S->task = NULL;
  status = sched_timers(L, r);
  S->task = t;
  return status;
}

/*
** One wait without resuming anybody; a status, with the error pushed.  Timers
** are the business of the ring's own task alone: one of their functions could
** not be called inside another.
*/
static int block(lua_State *L, State *S, Ring *r, int64_t timeout) {
  bool mine = S->task != NULL && S->task->ring == r;
  int rc = place_check(L, r);
  if (rc != LUA_OK)
    return rc;
  if (mine)
    timeout = sched_patience(r, timeout);
  rc = place_wait(L, r, timeout > 0, timeout);
  if (rc < 0) {
    ident_push(L, r, -rc, "io_uring_enter");
    return LUA_ERRRUN;
  }
  rc = mine ? fire(L, S, r) : LUA_OK;
  return rc == LUA_OK ? hook_run(L) : rc;
}

/*
** One step of waiting in place, at most 'timeout' ns; a status, with the
** error pushed.
*/
static int step(lua_State *L, State *S, Ring *r, int64_t timeout) {
  if (S->task == NULL && !r->busy)
    return sched_turn(L, r, timeout);
  return block(L, S, r, timeout);
}

static int l_result(lua_State *L) {
  State *S = lua_touserdata(L, 1);
  Op *op = lua_touserdata(L, 2);
  lua_settop(L, 0);
  if (S->task != NULL && sched_stopped(S->task, op))
    sched_ready(L, S);
  return op_result(L, S, op);
}

/* The results of an operation that is done; a status [-0, +n] */
static int take_result(lua_State *L, State *S, Op *op) {
  lua_pushcfunction(L, l_result);
  lua_pushlightuserdata(L, S);
  lua_pushlightuserdata(L, op);
  return lua_pcall(L, 2, LUA_MULTRET, 0);
}

/* Wait for an operation; the record is released whatever happens [e]. */
int place_await(lua_State *L, State *S, Op *op) {
  Ring *r = op->ring;
  int status = LUA_OK, base = lua_gettop(L);
  r->pins++;
  while (status == LUA_OK && !(op->state & OP_DONE)) {
    if (S->task != NULL && S->task->cancelled)
      op_cancel(op);
    status = step(L, S, r, FOREVER);
  }
  if (status == LUA_OK) {
    status = take_result(L, S, op);
    op_drop(L, op, OP_WAITED);
  }
  else
    op_abandon(L, op);
  r->pins--;
  return status == LUA_OK ? lua_gettop(L) - base : lua_error(L);
}

/*
** The same for what is not an operation: one step.  Whoever can be cancelled
** looks for that after it [e].
*/
void place_step(lua_State *L, State *S, Ring *r, int64_t timeout) {
  int status, object = lua_gettop(L) + 1;
  ring_push(L, r);     /* nobody else may know it */
  r->pins++;
  status = step(L, S, r, timeout);
  r->pins--;
  lua_remove(L, object);
  if (status != LUA_OK)
    lua_error(L);
}

/* Wait until a descriptor that is being closed is closed [e]. */
void place_settle(lua_State *L, State *S, Fd *f) {
  while (f->state == FD_CLOSING && f->count > 0) {
    const FdUse *use = container(f->uses.next, FdUse, link);
    if (!(use->op->state & OP_KERNEL))
      luaL_error(L, "fd %d is used by a chain that is being written down",
                 f->fd);
    place_step(L, S, use->op->ring, FOREVER);
  }
}
