/* SPDX-License-Identifier: MIT
**
** wait.c - what a task waits for besides operations: the end of another
** task, a time, its turn, or being woken; and how it is told to stop.
**
** Each wait has the same shape: check, link the task to what it waits for,
** park; a continuation looks how it was woken.  In the main chunk the loop
** runs in place instead, and a task that cannot yield is refused where
** nobody could ever wake it.
*/

#include <errno.h>

#include "uring.h"

/* ---- the end of a task -------------------------------------------------- */

/* Raise the error of the task at index 1, which is on the top [e]. */
static int raise_error(lua_State *L) {
  const State *S = state_get(L);
  if (S->on_raise != LUA_NOREF) {
    lua_rawgeti(L, LUA_REGISTRYINDEX, S->on_raise);
    lua_pushvalue(L, 1);
    lua_pushvalue(L, -3);
    lua_call(L, 2, 0);
  }
  return lua_error(L);
}

/* Push the results of the task at index 1, or raise its error [-0, +n, e]. */
static int results(lua_State *L, Task *t) {
  int n = lua_gettop(t->co);
  if (t->state == TASK_LOST)
    return luaL_error(L, "the task's ring was closed");
  luaL_checkstack(L, n + 3, "too many results");
  if (!lua_checkstack(t->co, n))
    return luaL_error(L, "too many results");
  for (int i = 1; i <= n; i++)
    lua_pushvalue(t->co, i);
  lua_xmove(t->co, L, n);
  return t->state == TASK_FAILED ? raise_error(L) : n;
}

/* How a wait ended that has no result of its own. */
static int after_wait(lua_State *L, Task *t) {
  if (t->woke == WOKE_CANCEL)
    sched_ready(L, state_get(L));
  return 0;
}

static int await_end(lua_State *L, Task *self, Task *t);

static int joink(lua_State *L, int status, lua_KContext ctx) {
  Task *self = sched_resumed(L, state_get(L));
  (void)status;
  if (self == NULL)
    return lua_yieldk(L, 0, ctx, joink);
  after_wait(L, self);
  return await_end(L, self, task_check(L, 1));
}

/* Wait in a task for the end of the task at index 1. */
static int await_end(lua_State *L, Task *self, Task *t) {
  if (task_ended(t))
    return results(L, t);
  link_append(&t->joiners, &self->link);
  return sched_park(L, self, WAIT_JOIN, FOREVER, joink);
}

/* Run the loop in place until the task has ended. */
static void drive(lua_State *L, State *S, Task *t) {
  while (!task_ended(t)) {
    Ring *r = t->ring;
    int status;
    if (S->task != NULL || r->busy)
      luaL_error(L, "cannot wait for a task here: Lua cannot yield across "
                    "the C function that called this one");
    t->driven = true;
    status = sched_turn(L, r, FOREVER);
    t->driven = false;
    if (status != LUA_OK)
      lua_error(L);
  }
}

/* task:join() -> its results; raises its error */
static int l_task_join(lua_State *L) {
  State *S = state_get(L);
  Task *t = task_check(L, 1), *self;
  sched_ready(L, S);
  lua_settop(L, 1);
  if (!task_ended(t)) {
    luaL_argcheck(L, t != S->task, 1, "a task cannot wait for itself");
    luaL_argcheck(L, !t->here, 1, "the main chunk is no task that ends");
    self = sched_yielder(L, S);
    if (self != NULL)
      return await_end(L, self, t);
    drive(L, S, t);
  }
  return results(L, t);
}

/* ---- a time, a turn ----------------------------------------------------- */

static int sleepk(lua_State *L, int status, lua_KContext ctx) {
  Task *self = sched_resumed(L, state_get(L));
  (void)status;
  if (self == NULL)
    return lua_yieldk(L, 0, ctx, sleepk);
  after_wait(L, self);
  lua_pushboolean(L, 1);
  return 1;
}

static int64_t add_time(int64_t now, int64_t span) {
  return span >= FOREVER - now ? FOREVER : now + span;
}

/* core.sleep(seconds) -> true | nil, message, errno */
static int l_sleep(lua_State *L) {
  State *S = state_get(L);
  int64_t span = args_seconds(L, 1), until, left;
  Ring *r = sched_ring(L, S);
  Task *self = sched_yielder(L, S);
  if (r == NULL)
    return 3;
  until = add_time(sched_clock(), span);
  if (until == FOREVER)
    until--;  /* a timer all the same: who sleeps is not in a deadlock */
  if (self != NULL)
    return sched_park(L, self, WAIT_SLEEP, until, sleepk);
  while ((left = until - sched_clock()) > 0) {
    place_step(L, S, r, left);
    sched_ready(L, S);
  }
  lua_pushboolean(L, 1);
  return 1;
}

/* core.yield() -> true; lets every task run that is ready */
static int l_yield(lua_State *L) {
  State *S = state_get(L);
  Ring *r = sched_ring(L, S);
  Task *self = sched_yielder(L, S);
  if (r == NULL)
    return 3;
  if (self != NULL) {
    sched_again(L, self);
    return lua_yieldk(L, 0, 0, sleepk);
  }
  place_step(L, S, r, 0);
  sched_ready(L, S);
  lua_pushboolean(L, 1);
  return 1;
}

/* core.now() -> seconds of CLOCK_MONOTONIC */
static int l_now(lua_State *L) {
  lua_pushnumber(L, (lua_Number)sched_clock() / 1e9);
  return 1;
}

/* ---- being woken -------------------------------------------------------- */

/* Push how a park ended that began above stack index 'base' [-0, +n, e]. */
static int park_result(lua_State *L, Task *self, int base) {
  after_wait(L, self);
  if (self->woke == WOKE_TIMEOUT) {
    luaL_pushfail(L);
    lua_pushliteral(L, "timed out");
    lua_pushinteger(L, ETIMEDOUT);
    return 3;
  }
  return lua_gettop(L) - base;
}

static int parkk(lua_State *L, int status, lua_KContext ctx) {
  Task *self = sched_resumed(L, state_get(L));
  (void)status;
  if (self == NULL) {
    lua_settop(L, 1);  /* a stranger's values */
    return lua_yieldk(L, 0, ctx, parkk);
  }
  return park_result(L, self, 1);
}

/* The task that stands for the main chunk; it is pushed [-0, +1, e]. */
static Task *push_waiter(lua_State *L, State *S) {
  Task *t;
  if (S->waiter != LUA_NOREF) {
    lua_rawgeti(L, LUA_REGISTRYINDEX, S->waiter);
    return lua_touserdata(L, -1);
  }
  t = task_new(L);
  t->here = true;
  t->state = TASK_RUNNING;
  lua_pushliteral(L, "main chunk");
  lua_setiuservalue(L, -2, TASK_NAME);
  lua_pushvalue(L, -1);
  S->waiter = luaL_ref(L, LUA_REGISTRYINDEX);
  return t;
}

/* core.waiter() -> the running task, or what stands for the main chunk */
static int l_waiter(lua_State *L) {
  State *S = state_get(L);
  if (S->task)
    sched_push(L, S->task);
  else
    push_waiter(L, S);
  return 1;
}

/* Park the main chunk: run the loop until it is woken. */
static int park_here(lua_State *L, State *S, int64_t until) {
  Ring *r = ring_default(L, S);
  int status = LUA_OK;
  Task *t;
  if (r == NULL)
    return 3;
  if (S->task != NULL || r->busy)
    return luaL_error(L, "cannot wait here: Lua cannot yield across the C "
                         "function that called this one");
  t = push_waiter(L, S);
  t->ring = r;
  t->wait = WAIT_PARK;
  if (until != FOREVER) {
    t->timer.when = until;
    if (!heap_push(&r->timers, &t->timer))
      return luaL_error(L, "not enough memory");
  }
  t->state = TASK_WAITING;
  while (status == LUA_OK && t->state == TASK_WAITING)
    status = sched_turn(L, r, FOREVER);
  heap_remove(&r->timers, &t->timer);
  t->state = TASK_RUNNING;
  if (status != LUA_OK)
    return lua_error(L);
  lua_settop(L, 1);
  luaL_checkstack(L, t->nargs, "too many values");
  lua_xmove(t->co, L, t->nargs);
  t->nargs = 0;
  return park_result(L, t, 1);
}

/*
** core.park([seconds [, what]]) -> the values of task:wake
** nil, "timed out", ETIMEDOUT when nobody has woken the task by then.  'what'
** says to uring.dump what it waits for.
*/
static int l_park(lua_State *L) {
  State *S = state_get(L);
  int64_t span = args_optseconds(L, 1, FOREVER);
  const char *what = luaL_optstring(L, 2, NULL);
  int64_t until = span == FOREVER ? FOREVER : add_time(sched_clock(), span);
  Task *self;
  sched_ready(L, S);
  self = sched_yielder(L, S);
  lua_settop(L, 2);
  lua_remove(L, 1);
  if (self == NULL)
    return park_here(L, S, until);
  self->what = what;
  return sched_park(L, self, WAIT_PARK, until, parkk);
}

/*
** task:wake(...) -> whether the task was parked, and gets the values
** One whose coroutine somebody has closed will end, and gets nothing.
*/
static int l_task_wake(lua_State *L) {
  Task *t = task_check(L, 1);
  int n = lua_gettop(L) - 1;
  bool parked = t->state == TASK_WAITING && t->wait == WAIT_PARK;
  if (parked && !t->here && lua_status(t->leaf) != LUA_YIELD) {
    sched_wake(t, WOKE_NORMAL);
    parked = false;
  }
  if (parked) {
    if (!lua_checkstack(t->leaf, n + 1))
      return luaL_error(L, "too many values");
    lua_xmove(L, t->leaf, n);
    t->nargs = n;
    sched_wake(t, WOKE_NORMAL);
  }
  lua_pushboolean(L, parked);
  return 1;
}

/*
** core.check(); raises what an await would raise here before it waits: for
** what would wait if it could not go on at once
*/
static int l_check(lua_State *L) {
  sched_ready(L, state_get(L));
  return 0;
}

/* ---- being told to stop ------------------------------------------------- */

/*
** task:interrupt(value) -> task
** From now on every await of the task raises the value, beginning with the
** one it is in, once that has ended; nil lets it wait again.
*/
static int l_task_interrupt(lua_State *L) {
  Task *t = task_check(L, 1);
  luaL_checkany(L, 2);
  lua_settop(L, 2);
  t->cancelled = !lua_isnil(L, 2);
  lua_setiuservalue(L, 1, TASK_CANCEL);
  if (t->cancelled)
    sched_interrupt(t);
  return 1;
}

/*
** task:cancel([reason]) -> task
** What that means to the tasks and scopes below is decided by the function
** given to core.on_cancel; without one the awaits raise "cancelled".
*/
static int l_task_cancel(lua_State *L) {
  State *S = state_get(L);
  Task *t = task_check(L, 1);
  luaL_optstring(L, 2, NULL);
  lua_settop(L, 2);
  if (task_ended(t))
    ;
  else if (S->on_cancel != LUA_NOREF) {
    lua_rawgeti(L, LUA_REGISTRYINDEX, S->on_cancel);
    lua_pushvalue(L, 1);
    lua_pushvalue(L, 2);
    lua_call(L, 2, 0);
  }
  else {
    lua_pushliteral(L, "cancelled");
    lua_setiuservalue(L, 1, TASK_CANCEL);
    t->cancelled = true;
    sched_interrupt(t);
  }
  lua_settop(L, 1);
  return 1;
}

/* task:observed() -> whether somebody waited in join when it ended */
static int l_task_observed(lua_State *L) {
  lua_pushboolean(L, task_check(L, 1)->observed);
  return 1;
}

static const luaL_Reg methods[] = {
  {"cancel", l_task_cancel},
  {"interrupt", l_task_interrupt},
  {"join", l_task_join},
  {"observed", l_task_observed},
  {"wake", l_task_wake},
  {NULL, NULL}
};

static const luaL_Reg functions[] = {
  {"check", l_check},
  {"now", l_now},
  {"park", l_park},
  {"sleep", l_sleep},
  {"waiter", l_waiter},
  {"yield", l_yield},
  {NULL, NULL}
};

void wait_open(lua_State *L, State *S) {
  unit_methods(L, S, TASK_TYPE, methods);
  lua_pushlightuserdata(L, S);
  luaL_setfuncs(L, functions, 1);
}
