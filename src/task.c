/* SPDX-License-Identifier: MIT
**
** task.c - tasks as Lua sees them, on the loop of sched.c.
**
** A task is a coroutine with a place in its ring's table, which keeps it
** alive until it has ended.  Its results, or its error, stay on the stack
** of the coroutine, for every join.  This unit has mechanism only: who
** owns a task, what happens to its error, which tasks are cancelled with it
** is decided in Lua by the function given to core.on_end.
*/

#include <errno.h>

#include "uring.h"

static Task *check(lua_State *L, int arg) {
  return luaL_checkudata(L, arg, TASK_TYPE);
}

static bool ended(const Task *t) { return t->state >= TASK_DONE; }

/* Take an ended task out of the table of its ring. */
void task_unlist(lua_State *L, Ring *r, Task *t) {
  ring_push(L, r);
  lua_getiuservalue(L, -1, RING_TASKS);
  luaL_unref(L, -1, (int)t->id);
  lua_pop(L, 2);
  t->ring = NULL;
}

/* The message handler of a task: keep the traceback, pass the value on. */
static int l_task_handler(lua_State *L) {
  State *S = state_get(L);
  if (S->task == NULL || S->task->co != L)  /* a stranger closes it */
    return 1;
  if (S->task->cancelled)
    return 1;
  luaL_traceback(L, L, luaL_tolstring(L, 1, NULL), 1);
  sched_push(L, S->task);
  lua_pushvalue(L, -2);
  lua_setiuservalue(L, -2, TASK_TRACE);
  lua_settop(L, 1);
  return 1;
}

static int maink(lua_State *L, int status, lua_KContext ctx) {
  (void)ctx;
  if (status == LUA_OK || status == LUA_YIELD)
    return lua_gettop(L) - 1;
  state_get(L)->task->failed = true;
  return 1;
}

/*
** The first function of every coroutine: handler, f, ...  A protected call,
** so that pending to-be-closed variables are closed inside the coroutine,
** where they may do I/O.
*/
static int l_task_main(lua_State *L) {
  int status = lua_pcallk(L, lua_gettop(L) - 2, LUA_MULTRET, 1, 0, maink);
  return maink(L, status, 0);
}

/* Push a new task with an empty coroutine [-0, +1, e]. */
static Task *new_task(lua_State *L) {
  Task *t = lua_newuserdatauv(L, sizeof *t, TASK_VALUES);
  memset(t, 0, sizeof *t);
  link_init(&t->link);
  link_init(&t->joiners);
  t->timer.kind = TIMER_TASK;
  t->state = TASK_LOST;
  luaL_setmetatable(L, TASK_TYPE);
  t->co = t->leaf = lua_newthread(L);
  lua_setiuservalue(L, -2, TASK_CO);
  return t;
}

/* Make a task for the function and arguments from 'first' to the top. */
static int spawn(lua_State *L, Ring *r, int first) {
  State *S = r->state;
  int n = lua_gettop(L) - first + 1;
  Task *t;
  lua_State *co;
  luaL_checktype(L, first, LUA_TFUNCTION);
  t = new_task(L);
  co = t->co;
  luaL_checkstack(L, n + 3, "too many arguments");
  if (!lua_checkstack(co, n + LUA_MINSTACK))
    return luaL_error(L, "too many arguments");
  lua_rawgeti(L, LUA_REGISTRYINDEX, S->main);
  lua_rawgeti(L, LUA_REGISTRYINDEX, S->handler);
  for (int i = 0; i < n; i++)
    lua_pushvalue(L, first + i);
  lua_xmove(L, co, n + 2);
  t->nargs = n + 1;
  ring_push(L, r);
  lua_getiuservalue(L, -1, RING_TASKS);
  lua_pushvalue(L, -3);
  t->id = (uint32_t)luaL_ref(L, -2);
  lua_pop(L, 2);
  ring_usable(L, r);  /* a finaliser may have closed it */
  t->ring = r;
  sched_start(t);
  return 1;
}

/*
** core.spawn(f, ...) -> task | nil, message, errno
** On the ring of the running task, or the default one.
*/
static int l_spawn(lua_State *L) {
  State *S = state_get(L);
  Ring *r = S->task ? S->task->ring : ring_default(L, S);
  if (r == NULL)
    return 3;
  ring_usable(L, r);
  return spawn(L, r, 1);
}

/* ring:spawn(f, ...) -> task */
static int l_ring_spawn(lua_State *L) {
  return spawn(L, ring_check(L, 1), 2);
}

/* ---- waiting ------------------------------------------------------------ */

/* Push the results of an ended task, or raise its error [-0, +n, e]. */
static int results(lua_State *L, Task *t) {
  int n = lua_gettop(t->co);
  if (t->state == TASK_LOST)
    return luaL_error(L, "the task's ring was closed");
  luaL_checkstack(L, n, "too many results");
  if (!lua_checkstack(t->co, n))
    return luaL_error(L, "too many results");
  for (int i = 1; i <= n; i++)
    lua_pushvalue(t->co, i);
  lua_xmove(t->co, L, n);
  return t->state == TASK_FAILED ? lua_error(L) : n;
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
  return await_end(L, self, check(L, 1));
}

/* Wait in a task for the end of the task at index 1. */
static int await_end(lua_State *L, Task *self, Task *t) {
  if (ended(t))
    return results(L, t);
  link_append(&t->joiners, &self->link);
  return sched_park(L, self, WAIT_JOIN, FOREVER, joink);
}

/* Run the loop in place until the task has ended. */
static void drive(lua_State *L, State *S, Task *t) {
  t->driven = true;
  while (!ended(t)) {
    Ring *r = t->ring;
    if (S->task != NULL || r->busy)
      luaL_error(L, "cannot wait for a task here: Lua cannot yield across "
                    "the C function that called this one");
    if (sched_turn(L, r, FOREVER) != LUA_OK)
      lua_error(L);
  }
}

/* task:join() -> its results; raises its error */
static int l_task_join(lua_State *L) {
  State *S = state_get(L);
  Task *t = check(L, 1), *self;
  sched_ready(L, S);
  lua_settop(L, 1);
  if (!ended(t)) {
    luaL_argcheck(L, t != S->task, 1, "a task cannot wait for itself");
    self = sched_yielder(L, S);
    if (self != NULL)
      return await_end(L, self, t);
    drive(L, S, t);
  }
  return results(L, t);
}

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
  if (self != NULL)
    return sched_park(L, self, WAIT_SLEEP, until, sleepk);
  while ((left = until - sched_clock()) > 0) {
    int status;
    if (S->task == NULL && !r->busy)
      status = sched_turn(L, r, left);
    else {
      ring_wait(r, 1, left);
      cqe_reap(L, r);
      status = sched_hook(L);
    }
    if (status != LUA_OK)
      return lua_error(L);
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
    sched_again(self);
    return lua_yieldk(L, 0, 0, sleepk);
  }
  if (S->task == NULL && !r->busy && sched_turn(L, r, 0) != LUA_OK)
    return lua_error(L);
  lua_pushboolean(L, 1);
  return 1;
}

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
  t = new_task(L);
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

/* task:wake(...) -> whether the task was parked, and gets the values */
static int l_task_wake(lua_State *L) {
  Task *t = check(L, 1);
  int n = lua_gettop(L) - 1;
  bool parked = t->state == TASK_WAITING && t->wait == WAIT_PARK;
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
** task:interrupt(value) -> task
** From now on every await of the task raises the value, beginning with the
** one it is in, once that has ended; nil lets it wait again.
*/
static int l_task_interrupt(lua_State *L) {
  Task *t = check(L, 1);
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
  Task *t = check(L, 1);
  luaL_optstring(L, 2, NULL);
  lua_settop(L, 2);
  if (ended(t))
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
  lua_pushboolean(L, check(L, 1)->observed);
  return 1;
}

/* ---- asking ------------------------------------------------------------- */

static const char *const state_names[] =
  {"ready", "running", "waiting", "done", "failed", "lost"};

static const char *const wait_names[] =
  {"start", "", "sleep", "park", "join", "close", "yield"};

/* task:status() -> "ready" "running" "waiting" "done" "failed" "lost" */
static int l_task_status(lua_State *L) {
  lua_pushstring(L, state_names[check(L, 1)->state]);
  return 1;
}

/* What a waiting task waits for, pushed: "read fd 7", "sleep" [-0, +1, e] */
static void push_wait(lua_State *L, const Task *t) {
  char buffer[ADDR_TEXT];
  const char *what;
  if (t->state != TASK_WAITING)
    lua_pushstring(L, state_names[t->state]);
  else if (t->wait == WAIT_PARK && t->what != NULL &&
           lua_status(t->leaf) == LUA_YIELD)
    lua_pushstring(L, t->what);
  else if (t->wait != WAIT_OP)
    lua_pushstring(L, wait_names[t->wait]);
  else {
    what = op_what(t->op, buffer, sizeof buffer);
    lua_pushfstring(L, "%s%s%s", t->op->def ? t->op->def->name : "nop",
                    what ? " " : "", what ? what : "");
  }
}

/* task:waiting() -> what it waits for, for how many seconds */
static int l_task_waiting(lua_State *L) {
  Task *t = check(L, 1);
  if (ended(t))
    return 0;
  push_wait(L, t);
  lua_pushnumber(L, (lua_Number)(sched_clock() - t->since) / 1e9);
  return 2;
}

/* One user value as a field: get it, or set it and return the task. */
static int field(lua_State *L, int which) {
  check(L, 1);
  if (lua_isnone(L, 2))
    lua_getiuservalue(L, 1, which);
  else {
    lua_settop(L, 2);
    lua_setiuservalue(L, 1, which);
  }
  return 1;
}

/* task:name([name]) -> name | task */
static int l_task_name(lua_State *L) {
  if (!lua_isnoneornil(L, 2))
    luaL_checktype(L, 2, LUA_TSTRING);
  return field(L, TASK_NAME);
}

/* task:owner([value]) -> value | task; for whoever organises tasks */
static int l_task_owner(lua_State *L) { return field(L, TASK_OWNER); }

/* task:traceback() -> where it waits, or where it failed */
static int l_task_traceback(lua_State *L) {
  Task *t = check(L, 1);
  if (ended(t))
    lua_getiuservalue(L, 1, TASK_TRACE);
  else
    luaL_traceback(L, t->leaf ? t->leaf : t->co, NULL, 0);
  return 1;
}

static int l_task_tostring(lua_State *L) {
  Task *t = check(L, 1);
  if (lua_getiuservalue(L, 1, TASK_NAME) == LUA_TSTRING)
    lua_pushfstring(L, TASK_TYPE " (%s, %s)", lua_tostring(L, -1),
                    state_names[t->state]);
  else
    lua_pushfstring(L, TASK_TYPE " (%d, %s)", (int)t->id,
                    state_names[t->state]);
  return 1;
}

/* core.current() -> the running task | nil */
static int l_current(lua_State *L) {
  State *S = state_get(L);
  if (S->task)
    sched_push(L, S->task);
  else
    lua_pushnil(L);
  return 1;
}

/* Push a list of the tasks of a ring that have not ended [-0, +1, e]. */
static void push_tasks(lua_State *L, Ring *r) {
  lua_Integer n = 0;
  lua_newtable(L);
  ring_push(L, r);
  lua_getiuservalue(L, -1, RING_TASKS);
  lua_pushnil(L);
  while (lua_next(L, -2)) {
    if (luaL_testudata(L, -1, TASK_TYPE))
      lua_rawseti(L, -5, ++n);
    else
      lua_pop(L, 1);
  }
  lua_pop(L, 2);
}

/* ring:tasks() -> list of the tasks that have not ended */
static int l_ring_tasks(lua_State *L) {
  push_tasks(L, ring_check(L, 1));
  return 1;
}

/*
** Push the message for a ring on which nothing can happen any more, with
** the tasks that wait [-0, +1, e].
*/
void task_deadlock(lua_State *L, Ring *r) {
  luaL_Buffer b;
  int list;
  push_tasks(L, r);
  list = lua_gettop(L);
  luaL_buffinit(L, &b);
  luaL_addstring(&b, "deadlock: nothing is in flight, and nobody can wake");
  if (r->ntasks == 0)
    luaL_addstring(&b, " the program");
  for (lua_Integer i = 1; i <= (lua_Integer)lua_rawlen(L, list); i++) {
    lua_rawgeti(L, list, i);
    luaL_tolstring(L, -1, NULL);
    lua_pushliteral(L, "\n  ");
    lua_insert(L, -2);
    lua_pushliteral(L, ": ");
    push_wait(L, lua_touserdata(L, -4));
    lua_concat(L, 4);
    lua_remove(L, -2);
    luaL_addvalue(&b);
  }
  luaL_pushresult(&b);
  lua_remove(L, list);
}

static void lose(Ring *r, Task *t) {
  t->state = TASK_LOST;
  t->op = NULL;
  t->ring = NULL;
  link_remove(&t->link);
  heap_remove(&r->timers, &t->timer);
  while (!link_alone(&t->joiners))  /* perhaps of other rings */
    sched_wake(container(t->joiners.next, Task, link), WOKE_NORMAL);
}

/*
** The ring is closed: its tasks will never run again, nor its timers fire.
** Its task table is on the top of the stack.
*/
void task_forget(lua_State *L, Ring *r) {
  lua_pushnil(L);
  while (lua_next(L, -2)) {
    Task *t = luaL_testudata(L, -1, TASK_TYPE);
    if (t != NULL)
      lose(r, t);
    else
      timer_forget(L, -1);
    lua_pop(L, 1);
  }
  r->ntasks = r->nready = 0;
}

/* ring:step([seconds]) -> true; one turn of the loop, waiting that long */
static int l_ring_step(lua_State *L) {
  State *S = state_get(L);
  Ring *r = ring_check(L, 1);
  int64_t timeout = args_optseconds(L, 2, FOREVER);
  if (S->task != NULL || r->busy)
    return luaL_error(L, "ring is running");
  if (sched_turn(L, r, timeout) != LUA_OK)
    return lua_error(L);
  lua_pushboolean(L, 1);
  return 1;
}

/* Replace the function kept at 'ref' by the one at index 1, or by none. */
static int set_hook(lua_State *L, int *ref) {
  if (!lua_isnil(L, 1))
    luaL_checktype(L, 1, LUA_TFUNCTION);
  lua_settop(L, 1);
  luaL_unref(L, LUA_REGISTRYINDEX, *ref);
  *ref = lua_isnil(L, 1) ? LUA_NOREF : luaL_ref(L, LUA_REGISTRYINDEX);
  return 0;
}

/* core.on_end(function | nil); called with each task that has ended */
static int l_on_end(lua_State *L) {
  return set_hook(L, &state_get(L)->on_end);
}

/* core.on_cancel(function | nil); called with the task and the reason */
static int l_on_cancel(lua_State *L) {
  return set_hook(L, &state_get(L)->on_cancel);
}

/* core.now() -> seconds of CLOCK_MONOTONIC */
static int l_now(lua_State *L) {
  lua_pushnumber(L, (lua_Number)sched_clock() / 1e9);
  return 1;
}

/* core.torture(boolean): collect all garbage before every resume */
static int l_torture(lua_State *L) {
  luaL_checktype(L, 1, LUA_TBOOLEAN);
  state_get(L)->torture = lua_toboolean(L, 1);
  return 0;
}

static const luaL_Reg methods[] = {
  {"cancel", l_task_cancel},
  {"interrupt", l_task_interrupt},
  {"join", l_task_join},
  {"name", l_task_name},
  {"observed", l_task_observed},
  {"owner", l_task_owner},
  {"status", l_task_status},
  {"traceback", l_task_traceback},
  {"waiting", l_task_waiting},
  {"wake", l_task_wake},
  {NULL, NULL}
};

static const luaL_Reg meta[] = {
  {"__tostring", l_task_tostring},
  {NULL, NULL}
};

static const luaL_Reg ring_methods[] = {
  {"spawn", l_ring_spawn},
  {"step", l_ring_step},
  {"tasks", l_ring_tasks},
  {NULL, NULL}
};

static const luaL_Reg functions[] = {
  {"current", l_current},
  {"now", l_now},
  {"on_cancel", l_on_cancel},
  {"on_end", l_on_end},
  {"park", l_park},
  {"sleep", l_sleep},
  {"spawn", l_spawn},
  {"torture", l_torture},
  {"waiter", l_waiter},
  {"yield", l_yield},
  {NULL, NULL}
};

/* A closure over the state, kept in the registry. */
static int keep(lua_State *L, State *S, lua_CFunction f) {
  lua_pushlightuserdata(L, S);
  lua_pushcclosure(L, f, 1);
  return luaL_ref(L, LUA_REGISTRYINDEX);
}

/* Adds methods to the ring's: its unit is opened before. */
void task_open(lua_State *L, State *S) {
  S->main = keep(L, S, l_task_main);
  S->handler = keep(L, S, l_task_handler);
  unit_type(L, S, TASK_TYPE, methods, meta);
  unit_methods(L, S, RING_TYPE, ring_methods);
  lua_pushlightuserdata(L, S);
  luaL_setfuncs(L, functions, 1);
}
