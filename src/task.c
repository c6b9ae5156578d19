/* SPDX-License-Identifier: MIT
**
** task.c - tasks: how one is made, and how its coroutine begins and ends.
**
** A task is a coroutine with a place in its ring's table, which keeps it
** alive until it has ended.  Its results, or its error, stay on the stack
** of the coroutine, for every join.  There is mechanism only: who owns a
** task, what happens to its error, which tasks are cancelled with it is
** decided in Lua, by the functions given to core.on_end and core.on_cancel.
*/

#include "uring.h"

/* The task at 'arg' [e]. */
Task *task_check(lua_State *L, int arg) {
  const State *S = state_get(L);  /* none in a function without upvalues */
  Task *t = S != NULL ? unit_test(L, arg, S->task_meta) : NULL;
  return t != NULL ? t : luaL_checkudata(L, arg, TASK_TYPE);
}

/* Push an ended task and take it out of the table of its ring [-0, +1]. */
void task_unlist(lua_State *L, Ring *r, Task *t) {
  ring_push(L, r);
  lua_getiuservalue(L, -1, RING_TASKS);
  lua_rawgeti(L, -1, t->id);
  lua_replace(L, -3);
  luaL_unref(L, -1, (int)t->id);
  lua_pop(L, 1);
  t->ring = NULL;
}

static int l_text(lua_State *L) {
  luaL_tolstring(L, 1, NULL);
  return 1;
}

/* Push the text of the value at index 1, whose __tostring may fail. */
static const char *push_text(lua_State *L) {
  lua_pushcfunction(L, l_text);
  lua_pushvalue(L, 1);
  if (lua_pcall(L, 1, 1, 0) != LUA_OK)
    lua_pushfstring(L, "(error object is a %s value)", luaL_typename(L, 1));
  return lua_tostring(L, -1);
}

/*
** Tell the error at index 1 of the task at index 2; the traceback is at index
** 3, or nil.  What goes on is put at index 1.
*/
static void throw(lua_State *L, const State *S) {
  if (S->on_throw == LUA_NOREF)
    return;
  lua_rawgeti(L, LUA_REGISTRYINDEX, S->on_throw);
  lua_pushvalue(L, 2);
  lua_pushvalue(L, 1);
  lua_pushvalue(L, 3);
  if (lua_pcall(L, 3, 1, 0) == LUA_OK)
    lua_replace(L, 1);
}

/*
** The message handler of a task: keep the traceback, pass the value on.  It is
** called again for what is raised by the variables that are closed then.
** Nobody asks where a task was that ends as it was told to.
*/
static int l_task_handler(lua_State *L) {
  State *S = state_get(L);
  Task *t = S->task;
  if (t == NULL || t->co != L)  /* a stranger closes it */
    return 1;
  sched_push(L, t);
  lua_getiuservalue(L, 2, TASK_CANCEL);
  if (!t->cancelled || !lua_rawequal(L, 1, 3)) {
    t->thrown = true;
    luaL_traceback(L, L, push_text(L), 1);
    lua_replace(L, 3);
    lua_pushvalue(L, 3);
    lua_setiuservalue(L, 2, TASK_TRACE);
    throw(L, S);
  }
  else if (t->thrown) {
    lua_pushnil(L);
    lua_replace(L, 3);
    throw(L, S);
  }
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
Task *task_new(lua_State *L) {
  Task *t = lua_newuserdatauv(L, sizeof *t, TASK_VALUES);
  memset(t, 0, sizeof *t);
  link_init(&t->link);
  link_init(&t->joiners);
  link_init(&t->sibling);
  t->timer.kind = TIMER_TASK;
  t->state = TASK_LOST;
  luaL_setmetatable(L, TASK_TYPE);
  t->co = t->leaf = lua_newthread(L);
  lua_setiuservalue(L, -2, TASK_CO);
  return t;
}

/*
** Push a new task for the function and arguments from 'first' to the top
** [-0, +1, e].
*/
Task *task_spawn(lua_State *L, Ring *r, int first) {
  State *S = r->state;
  int n = lua_gettop(L) - first + 1;
  Task *t;
  lua_State *co;
  ring_usable(L, r);
  luaL_checktype(L, first, LUA_TFUNCTION);
  t = task_new(L);
  co = t->co;
  luaL_checkstack(L, n + 3, "too many arguments");
  if (!lua_checkstack(co, n + LUA_MINSTACK))
    luaL_error(L, "too many arguments");
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
  return t;
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
  task_spawn(L, r, 1);
  return 1;
}

/* core.owner() -> the owner of the running task, and the task; or nil */
static int l_owner(lua_State *L) {
  State *S = state_get(L);
  if (S->task == NULL)
    return 0;
  sched_push(L, S->task);
  lua_getiuservalue(L, -1, TASK_OWNER);
  lua_insert(L, -2);
  return 2;
}

/* ring:spawn(f, ...) -> task */
static int l_ring_spawn(lua_State *L) {
  task_spawn(L, ring_check(L, 1), 2);
  return 1;
}

static void lose(Ring *r, Task *t) {
  t->state = TASK_LOST;
  t->op = NULL;
  t->ring = NULL;
  link_remove(&t->link);
  heap_remove(&r->timers, &t->timer);
  nursery_leave(t);
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
  if (r->busy)
    return luaL_error(L, "ring is running");
  if (S->task != NULL)
    return luaL_error(L, "a task cannot run a ring: step it outside of tasks");
  if (sched_turn(L, r, timeout) != LUA_OK)
    return lua_error(L);
  lua_pushboolean(L, 1);
  return 1;
}

/*
** core.on_end(function | nil); called with a task that has ended, its owner,
** whether it failed, and its error; not with one that nobody needs to hear
** of: it began in a nursery, still has its owner, and nothing went wrong
*/
static int l_on_end(lua_State *L) {
  return debug_hook(L, &state_get(L)->on_end);
}

/* core.on_cancel(function | nil); called with the task and the reason */
static int l_on_cancel(lua_State *L) {
  return debug_hook(L, &state_get(L)->on_cancel);
}

/*
** core.on_raise(function | nil); called with a task and its error, before a
** join raises that
*/
static int l_on_raise(lua_State *L) {
  return debug_hook(L, &state_get(L)->on_raise);
}

/*
** core.on_throw(function | nil); called with a task, an error that is going to
** end it, and the traceback; what it returns goes on instead.  When a
** cancellation is raised after that, it is called with nil for the traceback.
*/
static int l_on_throw(lua_State *L) {
  return debug_hook(L, &state_get(L)->on_throw);
}

/* core.torture(boolean): collect all garbage before every resume */
static int l_torture(lua_State *L) {
  luaL_checktype(L, 1, LUA_TBOOLEAN);
  state_get(L)->torture = lua_toboolean(L, 1);
  return 0;
}

/* The methods are added by wait.c and inspect.c. */
static const luaL_Reg none[] = {
  {NULL, NULL}
};

static const luaL_Reg ring_methods[] = {
  {"spawn", l_ring_spawn},
  {"step", l_ring_step},
  {NULL, NULL}
};

static const luaL_Reg functions[] = {
  {"on_cancel", l_on_cancel},
  {"on_end", l_on_end},
  {"on_raise", l_on_raise},
  {"on_throw", l_on_throw},
  {"owner", l_owner},
  {"spawn", l_spawn},
  {"torture", l_torture},
  {NULL, NULL}
};

/* A closure over the state, kept in the registry. */
static int keep(lua_State *L, State *S, lua_CFunction f) {
  lua_pushlightuserdata(L, S);
  lua_pushcclosure(L, f, 1);
  return luaL_ref(L, LUA_REGISTRYINDEX);
}

/* The type, and the ring's methods that make and run tasks. */
void task_open(lua_State *L, State *S) {
  S->main = keep(L, S, l_task_main);
  S->handler = keep(L, S, l_task_handler);
  S->task_meta = unit_type(L, S, TASK_TYPE, none, none);
  unit_methods(L, S, RING_TYPE, ring_methods);
  lua_pushlightuserdata(L, S);
  luaL_setfuncs(L, functions, 1);
}
