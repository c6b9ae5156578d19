/* SPDX-License-Identifier: MIT
**
** inspect.c - asking: what tasks there are, what each waits for, since when.
*/

#include "uring.h"

static const char *const state_names[] =
  {"ready", "running", "waiting", "done", "failed", "lost"};

static const char *const wait_names[] =
  {"start", "", "sleep", "park", "join", "close", "yield", "multishot",
   "the end of a multishot", "scope", "message"};

/* task:status() -> "ready" "running" "waiting" "done" "failed" "lost" */
static int l_task_status(lua_State *L) {
  lua_pushstring(L, state_names[task_check(L, 1)->state]);
  return 1;
}

/* Push a short name of a task: what it was called, or its number. */
static void push_short(lua_State *L, lua_State *from, int index) {
  const Task *t = lua_touserdata(from, index);
  lua_pushvalue(from, index);
  lua_xmove(from, L, 1);
  if (lua_getiuservalue(L, -1, TASK_NAME) != LUA_TSTRING) {
    lua_pop(L, 1);
    lua_pushfstring(L, "task %d", (int)t->id);
  }
  lua_remove(L, -2);
}

/*
** The function that waits has what it waits for as its first argument.
** Nothing is added where a stranger has closed its coroutine.
*/
static void push_wait_for(lua_State *L, const Task *t) {
  const char *name = wait_names[t->wait];
  if (lua_status(t->leaf) != LUA_YIELD || !lua_checkstack(t->leaf, 1))
    lua_pushstring(L, name);
  else if (t->wait == WAIT_JOIN) {
    push_short(L, t->leaf, 1);
    lua_pushfstring(L, "%s %s", name, lua_tostring(L, -1));
    lua_remove(L, -2);
  }
  else {
    const Fd *f = *(Fd **)lua_touserdata(t->leaf, 1);
    lua_pushfstring(L, "%s %s %d", name, f->ring ? "slot" : "fd", f->fd);
  }
}

/* What a waiting task waits for, pushed: "read fd 7", "sleep" [-0, +1, e] */
static void push_wait(lua_State *L, const Task *t) {
  char buffer[ADDR_TEXT];
  const char *what;
  if (t->state != TASK_WAITING)
    lua_pushstring(L, state_names[t->state]);
  else if ((t->wait == WAIT_PARK || t->wait == WAIT_MULTI) &&
           t->what != NULL && lua_status(t->leaf) == LUA_YIELD)
    lua_pushstring(L, t->what);
  else if (t->wait == WAIT_JOIN || t->wait == WAIT_CLOSE)
    push_wait_for(L, t);
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
  Task *t = task_check(L, 1);
  if (task_ended(t))
    return 0;
  push_wait(L, t);
  lua_pushnumber(L, (lua_Number)(sched_clock() - t->since) / 1e9);
  return 2;
}

/* One user value as a field: get it, or set it and return the task. */
static int field(lua_State *L, int which) {
  task_check(L, 1);
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
static int l_task_owner(lua_State *L) {
  task_check(L, 1);
  if (!lua_isnone(L, 2)) {
    lua_settop(L, 2);
    coro_owner(L, state_get(L));
  }
  return field(L, TASK_OWNER);
}

/*
** Push where the coroutine is, and before that where those are that it has
** resumed, the innermost first [-0, +1, e].
*/
static void push_trace(lua_State *L, lua_State *co) {
  int base = lua_gettop(L);
  luaL_traceback(L, co, NULL, 0);
  while (lua_checkstack(co, 2) && (co = coro_inner(co)) != NULL) {
    luaL_checkstack(L, 3, NULL);
    luaL_traceback(L, co, NULL, 0);
    lua_insert(L, base + 1);
    lua_pushliteral(L, "\nresumed from\n");
    lua_insert(L, base + 2);
  }
  lua_concat(L, lua_gettop(L) - base);
}

/* task:traceback() -> where it waits, or where it failed; or nil */
static int l_task_traceback(lua_State *L) {
  Task *t = task_check(L, 1);
  if (task_ended(t))
    lua_getiuservalue(L, 1, TASK_TRACE);
  else
    push_trace(L, t->co);
  return 1;
}

static int l_task_tostring(lua_State *L) {
  Task *t = task_check(L, 1);
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
  char where[128];
  int list;
  push_tasks(L, r);
  list = lua_gettop(L);
  luaL_buffinit(L, &b);
  luaL_addstring(&b, "deadlock: nothing is in flight, and nobody can wake");
  if (r->ntasks == 0)
    luaL_addstring(&b, " the program");
  for (lua_Integer i = 1; i <= (lua_Integer)lua_rawlen(L, list); i++) {
    const Task *t;
    lua_rawgeti(L, list, i);
    t = lua_touserdata(L, -1);
    luaL_tolstring(L, -1, NULL);
    lua_pushliteral(L, "\n  ");
    lua_insert(L, -2);
    lua_pushliteral(L, ": ");
    push_wait(L, t);
    if (t->leaf && debug_place(t->leaf, r->state, where, sizeof where))
      lua_pushfstring(L, " at %s", where);
    else
      lua_pushliteral(L, "");
    lua_concat(L, 5);
    lua_remove(L, -2);
    luaL_addvalue(&b);
  }
  luaL_pushresult(&b);
  lua_remove(L, list);
}

static const luaL_Reg methods[] = {
  {"name", l_task_name},
  {"owner", l_task_owner},
  {"status", l_task_status},
  {"traceback", l_task_traceback},
  {"waiting", l_task_waiting},
  {NULL, NULL}
};

static const luaL_Reg ring_methods[] = {
  {"tasks", l_ring_tasks},
  {NULL, NULL}
};

void inspect_open(lua_State *L, State *S) {
  unit_methods(L, S, TASK_TYPE, methods);
  unit_methods(L, S, RING_TYPE, ring_methods);
  luaL_getmetatable(L, TASK_TYPE);
  lua_pushcfunction(L, l_task_tostring);
  lua_setfield(L, -2, "__tostring");
  lua_pop(L, 1);
  lua_pushlightuserdata(L, S);
  lua_pushcclosure(L, l_current, 1);
  lua_setfield(L, -2, "current");
}
