/* SPDX-License-Identifier: MIT
**
** sched.c - the loop: ready queue, resuming, parking, timers.
**
** A turn submits everything and waits in one enter, takes the completions
** off the queue, and then resumes the tasks that were ready when it began.
** Tasks are resumed from here only, never from inside a completion, a wake
** or a cancellation, so the C stack does not grow with the number of tasks.
**
** An await that cannot yield is in place.c.
*/

#include <errno.h>
#include <time.h>

#include "uring.h"

#define MAX_WAIT (INT64_C(3600) * SECOND)  /* one wait; then look again */

/* CLOCK_MONOTONIC in ns. */
int64_t sched_clock(void) {
  struct timespec ts;
  clock_gettime(CLOCK_MONOTONIC, &ts);
  return (int64_t)ts.tv_sec * SECOND + ts.tv_nsec;
}

/* ---- entering an await -------------------------------------------------- */

/* Push the object of a task that has not ended. */
void sched_push(lua_State *L, const Task *t) {
  ring_push(L, t->ring);
  lua_getiuservalue(L, -1, RING_TASKS);
  lua_rawgeti(L, -1, t->id);
  lua_replace(L, -3);
  lua_pop(L, 1);
}

/* Raise the value that the task was cancelled with. */
static int raise_cancel(lua_State *L, const Task *t) {
  sched_push(L, t);
  lua_getiuservalue(L, -1, TASK_CANCEL);
  return lua_error(L);
}

/* What every await checks first, before anything is taken [-0, +0, e]. */
void sched_ready(lua_State *L, State *S) {
  const Task *t = S->task;
  if (t == NULL)
    return;
  if (t->cancelled)
    raise_cancel(L, t);
  if (t->leaf != NULL && t->leaf != L && lua_isyieldable(L))
    luaL_error(L, "cannot wait inside a coroutine of the standard library: "
      "make it with uring.coroutine, or call uring.coroutine.install()");
}

/*
** The ring of the running task, or the default one, usable, and the task
** ready to wait [e].  NULL when there can be no ring: then nil, message,
** errno are on the stack.
*/
Ring *sched_ring(lua_State *L, State *S) {
  if (S->task == NULL)
    return ring_default(L, S);
  sched_ready(L, S);
  ring_usable(L, S->task->ring);
  return S->task->ring;
}

/* The running task if it can yield here and now, or NULL. */
Task *sched_yielder(lua_State *L, State *S) {
  Task *t = S->task;
  return t != NULL && t->leaf == L && lua_isyieldable(L) ? t : NULL;
}

/*
** For a continuation: the task that was resumed by the loop.  NULL when a
** stranger resumed its coroutine: then yield again.
*/
Task *sched_resumed(lua_State *L, State *S) {
  Task *t = S->task;
  return t != NULL && t->leaf == L ? t : NULL;
}

/* ---- parking and waking ------------------------------------------------- */

/*
** Suspend the task until it is woken or the time 'until' has come; 'k' goes
** on then, and has the state as its context.  To be returned from the C
** function [e, before anything is done].
*/
int sched_park(lua_State *L, Task *t, WaitKind wait, int64_t until,
               lua_KFunction k) {
  if (until != FOREVER) {
    t->timer.when = until;
    if (!heap_push(&t->ring->timers, &t->timer))
      return luaL_error(L, "not enough memory");
  }
  coro_hold(L, t);
  t->state = TASK_WAITING;
  t->wait = (uint8_t)wait;
  t->since = t->ring->now;
  return lua_yieldk(L, 0, (lua_KContext)t->ring->state, k);
}

/* Put a task on the ready queue of its ring. */
static void make_ready(Task *t) {
  t->state = TASK_READY;
  if (t->here)
    return;
  link_append(&t->ring->ready, &t->link);
  t->ring->nready++;
}

/* Make a waiting task ready; nothing happens to one that does not wait. */
void sched_wake(Task *t, WakeReason why) {
  if (t->state != TASK_WAITING)
    return;
  t->woke = (uint8_t)why;
  heap_remove(&t->ring->timers, &t->timer);
  link_remove(&t->link);
  make_ready(t);
}

/*
** Wake the first of a list that nobody has closed while it waited; whether
** there is one.
*/
bool sched_wake_one(Link *waiters) {
  bool heard = false;
  while (!heard && !link_alone(waiters)) {
    Task *t = container(waiters->next, Task, link);
    heard = lua_status(t->leaf) == LUA_YIELD;
    sched_wake(t, WOKE_NORMAL);
  }
  return heard;
}

/* A new task, which has never waited. */
void sched_start(Task *t) {
  t->wait = WAIT_START;
  t->since = t->ring->now;
  t->ring->ntasks++;
  t->ring->stats.spawned++;
  make_ready(t);
}

/* The running task goes to the end of the queue; it yields next. */
void sched_again(lua_State *L, Task *t) {
  coro_hold(L, t);
  t->wait = WAIT_YIELD;
  t->woke = WOKE_NORMAL;
  make_ready(t);
}

/*
** Cancel what the task waits for: an operation ends with its own completion,
** everything else at once.  But closing goes on to its end, which is near:
** what a function returns must not be lost because its variables are closed.
*/
void sched_interrupt(Task *t) {
  if (t->state != TASK_WAITING || t->wait == WAIT_CLOSE || t->wait == WAIT_END)
    return;
  if (t->wait == WAIT_OP)
    op_cancel(t->op);
  else
    sched_wake(t, WOKE_CANCEL);
}

/* ---- awaiting an operation ---------------------------------------------- */

/* Release an operation whose result could not be taken for an error. */
static void release_op(lua_State *L, Task *t) {
  if (t->op != NULL) {
    op_drop(L, t->op, OP_WAITED);
    t->op = NULL;
  }
}

/* Has the cancellation of the task ended its operation? */
bool sched_stopped(const Task *t, const Op *op) {
  int code = op->res < 0 ? err_normal(-op->res) : 0;
  return t->cancelled && (code == ECANCELED || code == EINTR);
}

/* The operation of the running task is done: return its result. */
static int finish(lua_State *L, State *S, Task *t) {
  Op *op = t->op;
  int n;
  if (sched_stopped(t, op)) {
    release_op(L, t);
    return raise_cancel(L, t);
  }
  n = op_result(L, S, op);  /* when this raises, t->op still holds it */
  release_op(L, t);
  return n;
}

static int finishk(lua_State *L, int status, lua_KContext ctx) {
  State *S = (State *)ctx;
  Task *t = sched_resumed(L, S);
  (void)status;
  if (t == NULL)
    return lua_yieldk(L, 0, ctx, finishk);
  return finish(L, S, t);
}

/*
** Wait for an operation that was submitted and return its result; to be
** returned from the C function.
*/
int sched_await(lua_State *L, State *S, Op *op) {
  Task *t = sched_yielder(L, S);
  if (t == NULL || (op->state & OP_DONE))
    return place_await(L, S, op);
  release_op(L, t);
  t->op = op;
  op->task = t;
  return sched_park(L, t, WAIT_OP, FOREVER, finishk);
}

/* ---- the turn ----------------------------------------------------------- */

/* Fire the timers that are due; a status, with the error pushed. */
int sched_timers(lua_State *L, Ring *r) {
  Timer *t;
  r->now = sched_clock();
  while ((t = heap_first(&r->timers)) != NULL && t->when <= r->now) {
    heap_remove(&r->timers, t);
    if (t->kind == TIMER_TASK)
      sched_wake(container(t, Task, timer), WOKE_TIMEOUT);
    else if (t->kind == TIMER_MULTI)
      multi_rested(t);
    else {
      int status = timer_fire(L, r, t);
      if (status != LUA_OK)
        return status;
    }
  }
  return LUA_OK;
}

/* Wake who joins; is there one whose coroutine nobody has closed? */
static bool wake_joiners(Task *t) {
  bool heard = false;
  while (!link_alone(&t->joiners)) {
    Task *j = container(t->joiners.next, Task, link);
    heard = heard || lua_status(j->leaf) == LUA_YIELD;
    sched_wake(j, WOKE_NORMAL);
  }
  return heard;
}

/*
** The coroutine has returned, failed, or yielded by itself.  Its results or
** error stay on its stack; who joins is woken.  A status, with the error of
** the end function pushed.
*/
static int end_task(lua_State *L, Ring *r, Task *t, int status) {
  State *S = r->state;
  if (status == LUA_YIELD) {
    compat_closethread(t->co, L);
    lua_settop(t->co, 0);
    lua_pushliteral(t->co, "coroutine.yield outside a coroutine: a task "
                           "gives way with uring.yield()");
  }
  release_op(L, t);
  t->state = status == LUA_OK && !t->failed ? TASK_DONE : TASK_FAILED;
  task_unlist(L, r, t);
  r->ntasks--;
  nursery_leave(t);
  t->observed = wake_joiners(t) || t->driven;
  if (S->on_end == LUA_NOREF ||
      ((t->state == TASK_DONE || t->observed) && nursery_owns(L))) {
    lua_pop(L, 1);
    return LUA_OK;
  }
  lua_rawgeti(L, LUA_REGISTRYINDEX, S->on_end);
  lua_insert(L, -2);
  lua_getiuservalue(L, -1, TASK_OWNER);
  lua_pushboolean(L, t->state == TASK_FAILED);
  if (t->state == TASK_DONE)
    return lua_pcall(L, 3, 0, 0);
  lua_xmove(t->co, L, 1);
  lua_pushvalue(L, -1);
  lua_xmove(L, t->co, 1);      /* where it stays, for every join */
  return lua_pcall(L, 4, 0, 0);
}

/* coroutine.close takes everything off a coroutine that waits. */
static bool closed_by_stranger(const Task *t) {
  return t->wait != WAIT_START && lua_status(t->co) != LUA_YIELD;
}

/* Resume the first ready task; a status, with the error pushed. */
static int resume_first(lua_State *L, Ring *r) {
  State *S = r->state;
  Task *t = container(r->ready.next, Task, link);
  int status, nres, nargs = t->nargs;
  int64_t since;
  link_remove(&t->link);
  r->nready--;
  r->stats.resumes++;
  t->inward = t->leaf != t->co;
  if (t->inward)
    nargs = 0;                 /* the values are on the leaf's stack */
  else
    t->nargs = 0;
  t->state = TASK_RUNNING;
  if (S->torture)
    lua_gc(L, LUA_GCCOLLECT);
  if (t->wait == WAIT_MESSAGE && t->woke == WOKE_NORMAL)
    r->promised--;
  if (closed_by_stranger(t)) {
    lua_settop(t->co, 0);
    lua_pushliteral(t->co, "somebody has closed the task's coroutine");
    return end_task(L, r, t, LUA_ERRRUN);
  }
  S->task = t;
  since = S->debug ? sched_clock() : 0;
  status = lua_resume(t->co, L, nargs, &nres);
  S->task = NULL;
  if (since != 0)
    debug_ran(L, S, t, since);
  if (status == LUA_YIELD && t->state != TASK_RUNNING) {
    if (nres > 0)
      lua_pop(t->co, nres);
    return LUA_OK;
  }
  return end_task(L, r, t, status);
}

/* How long a wait may be, in ns, so that no timer is missed. */
int64_t sched_patience(const Ring *r, int64_t timeout) {
  const Timer *t = heap_first(&r->timers);
  if (t != NULL) {
    int64_t left = t->when - sched_clock();
    if (left < timeout)
      timeout = left;
  }
  return timeout > MAX_WAIT && timeout != FOREVER ? MAX_WAIT : timeout;
}

/* Nothing can ever happen here again. */
static bool stuck(const Ring *r) {
  return link_alone(&r->ready) && r->timers.count == 0 && r->active == 0 &&
         link_alone(&r->receivers);
}

#define STUCK (-1)   /* a turn's status: nothing can ever happen here again */

/*
** A status, with the error pushed; STUCK, or a negative errno in *failed,
** without.  Raises nothing, so that the ring is never left busy.
*/
static int turn(lua_State *L, Ring *r, int64_t timeout, int *failed) {
  unsigned budget;
  int status;
  if (timeout == FOREVER && stuck(r))
    return STUCK;
  guest_turn(r);
  timeout = link_alone(&r->ready) ? sched_patience(r, timeout) : 0;
  *failed = place_wait(L, r, timeout > 0, timeout);
  if (r->stalled && !link_alone(&r->ready))
    *failed = 0;       /* who is ready may free some memory */
  if (*failed < 0)
    return LUA_ERRRUN;
  status = sched_timers(L, r);
  for (budget = r->nready; status == LUA_OK && budget > 0; budget--) {
    status = resume_first(L, r);
    message_left(r);
    if (r->fork_count != fork_count)  /* a task has forked, we are its child */
      return status;
  }
  return status == LUA_OK ? hook_run(L) : status;
}

/*
** One turn of the loop, waiting at most 'timeout' ns for something to
** happen.  A status, with the error pushed.
*/
int sched_turn(lua_State *L, Ring *r, int64_t timeout) {
  int failed = 0, status = place_check(L, r), object = lua_gettop(L) + 1;
  if (status != LUA_OK)
    return status;
  ring_push(L, r);     /* who waits for a task may have nothing but that */
  r->busy = true;
  status = turn(L, r, timeout, &failed);
  r->busy = false;
  lua_remove(L, object);
  if (status == STUCK)
    task_deadlock(L, r);
  else if (failed < 0)
    ident_push(L, r, -failed, "io_uring_enter");
  return status == STUCK ? LUA_ERRRUN : status;
}
