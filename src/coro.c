/* SPDX-License-Identifier: MIT
**
** coro.c - coroutines inside tasks: resume and wrap that let an await pass.
**
** An await suspends the task, not the generator it happens in.  So a resume
** that sees its coroutine yield for an await yields in turn, outward to the
** loop, and when the task goes on resumes inward again, without the script
** noticing.  Task.leaf is the coroutine that may await: the innermost one
** that was resumed by these functions all the way.  Everything else about
** coroutines is the standard library's.
*/

#include "uring.h"

enum { RESUME, WRAP };  /* the context: which function goes on */

/*
** Note in the registry whether 'co' waits inside an await.  It has a place
** there since it was resumed: nothing can be raised now [-0, +0].
*/
static void set_waiting(lua_State *L, State *S, lua_State *co, bool waits) {
  lua_rawgeti(L, LUA_REGISTRYINDEX, S->waiting);
  lua_pushthread(co);
  lua_xmove(co, L, 1);
  lua_pushboolean(L, waits);
  lua_rawset(L, -3);
  lua_pop(L, 1);
}

/* Does the coroutine at 'arg' wait inside an await? */
static bool is_waiting(lua_State *L, State *S, int arg) {
  bool waits;
  lua_rawgeti(L, LUA_REGISTRYINDEX, S->waiting);
  lua_pushvalue(L, arg);
  lua_rawget(L, -2);
  waits = lua_toboolean(L, -1);
  lua_pop(L, 2);
  return waits;
}

/* Move the results of the coroutine to L; [-0, +n]. */
static int succeed(lua_State *L, lua_State *co, int n, int how) {
  if (!lua_checkstack(L, n + 1)) {
    lua_pop(co, n);
    return luaL_error(L, "too many results to resume");
  }
  if (how == RESUME)
    lua_pushboolean(L, 1);
  lua_xmove(co, L, n);
  return how == RESUME ? n + 1 : n;
}

/* The coroutine has failed: as coroutine.resume and wrap report it. */
static int fail(lua_State *L, lua_State *co, int how) {
  if (how == RESUME) {
    lua_xmove(co, L, 1);  /* perhaps the same stack */
    lua_pushboolean(L, 0);
    lua_insert(L, -2);
    return 2;
  }
  if (lua_status(co) != LUA_OK && lua_status(co) != LUA_YIELD) {
    compat_closethread(co, L);  /* its variables to be closed; error on top */
  }
  lua_xmove(co, L, 1);
  if (lua_type(L, -1) == LUA_TSTRING) {
    luaL_where(L, 1);
    lua_insert(L, -2);
    lua_concat(L, 2);
  }
  return lua_error(L);
}

static int go_on(lua_State *L, Task *t, lua_State *co, int nargs, int how,
                 lua_State *after);

/* The coroutine of this call: the argument of resume, wrap's own. */
static lua_State *mine(lua_State *L, int how) {
  return lua_tothread(L, how == WRAP ? lua_upvalueindex(2) : 1);
}

/*
** The task waits in the running coroutine: keep that alive, for a stranger
** may close one of those that hold it [-0, +0].
*/
void coro_hold(lua_State *L, const Task *t) {
  if (t->leaf == t->co)
    return;
  sched_push(L, t);
  lua_pushthread(L);
  lua_setiuservalue(L, -2, TASK_LEAF);
  lua_pop(L, 1);
}

/* The task's innermost coroutine runs again: it needs no other hold. */
static void arrive(lua_State *L, Task *t) {
  t->nargs = 0;
  t->inward = false;
  sched_push(L, t);
  lua_pushnil(L);
  lua_setiuservalue(L, -2, TASK_LEAF);
  lua_pop(L, 1);
}

/* The task goes on: pass it inward. */
static int inwardk(lua_State *L, int status, lua_KContext how) {
  State *S = state_get(L);
  Task *t = S->task;
  lua_State *co = mine(L, (int)how);
  int nargs;
  (void)status;
  if (t == NULL || !t->inward) {  /* a stranger resumed this coroutine */
    lua_settop(L, 1);
    return lua_yieldk(L, 0, how, inwardk);
  }
  nargs = co == t->leaf ? t->nargs : 0;
  set_waiting(L, S, co, false);
  if (lua_status(co) != LUA_YIELD) {  /* a stranger has closed it */
    lua_settop(co, 0);
    nargs = 0;
    arrive(L, t);
  }
  else if (co == t->leaf)
    arrive(L, t);
  return go_on(L, t, co, nargs, (int)how, L);
}

/*
** Resume 'co' with 'nargs' values on its stack, and pass an await of the
** task 't' outward.  'after' may await when the coroutine has come back.
*/
static int go_on(lua_State *L, Task *t, lua_State *co, int nargs, int how,
                 lua_State *after) {
  int nres, status = lua_resume(co, L, nargs, &nres);
  if (t != NULL && status == LUA_YIELD && t->state != TASK_RUNNING) {
    lua_pop(co, nres);
    set_waiting(L, state_get(L), co, true);
    return lua_yieldk(L, 0, how, inwardk);
  }
  if (t != NULL) {
    t->inward = false;
    t->leaf = after;
  }
  if (status == LUA_OK || status == LUA_YIELD)
    return succeed(L, co, nres, how);
  return fail(L, co, how);
}

/*
** A script resumes 'co': it may await if this coroutine may, and can yield
** here; if not, its awaits wait in place.
*/
static int enter(lua_State *L, lua_State *co, int nargs, int how) {
  Task *t = state_get(L)->task;
  lua_State *leaf = t != NULL ? t->leaf : NULL;
  if (t != NULL && leaf == L)
    t->leaf = lua_isyieldable(L) ? co : NULL;
  return go_on(L, t, co, nargs, how, leaf);
}

/* Move the arguments from index 'first' on to the coroutine. */
static int give(lua_State *L, lua_State *co, int first) {
  int n = lua_gettop(L) - first + 1;
  if (!lua_checkstack(co, n))
    luaL_error(L, "too many arguments to resume");
  lua_xmove(L, co, n);
  return n;
}

/*
** Why the coroutine at 'arg' cannot be resumed, where lua_resume would do it;
** NULL, and in a task it has a place among those that wait [-0, +0, e].
*/
static const char *refusal(lua_State *L, State *S, int arg) {
  bool waits;
  lua_rawgeti(L, LUA_REGISTRYINDEX, S->waiting);
  lua_pushvalue(L, arg);
  if (lua_rawget(L, -2) == LUA_TNIL && S->task != NULL) {
    lua_pushvalue(L, arg);
    lua_pushboolean(L, 0);
    lua_rawset(L, -4);
  }
  waits = lua_toboolean(L, -1);
  lua_pop(L, 2);
  return waits ? "cannot resume a coroutine that waits for an operation"
               : NULL;
}

/* coroutine.resume(co, ...) */
static int l_coro_resume(lua_State *L) {
  State *S = state_get(L);
  lua_State *co;
  const char *why;
  co = lua_tothread(L, 1);
  luaL_checktype(L, 1, LUA_TTHREAD);
  why = refusal(L, S, 1);
  if (why != NULL) {
    lua_pushboolean(L, 0);
    lua_pushstring(L, why);
    return 2;
  }
  return enter(L, co, give(L, co, 2), RESUME);
}

static int l_coro_call(lua_State *L) {
  State *S = state_get(L);
  lua_State *co = lua_tothread(L, lua_upvalueindex(2));
  const char *why = refusal(L, S, lua_upvalueindex(2));
  if (why != NULL)
    return luaL_error(L, "%s", why);
  return enter(L, co, give(L, co, 1), WRAP);
}

/*
** The message handler of what wrap makes.  Its upvalues are the last error and
** whether there was one: a cancellation that is raised in the cleanup after
** that does not hide it.
*/
static int l_wrap_handler(lua_State *L) {
  const Task *t = state_get(L)->task;
  bool told = false;
  if (t != NULL && t->cancelled) {
    sched_push(L, t);
    lua_getiuservalue(L, -1, TASK_CANCEL);
    told = lua_rawequal(L, 1, -1);
  }
  lua_settop(L, 1);
  if (!told) {
    lua_pushvalue(L, 1);
    lua_replace(L, lua_upvalueindex(2));
    lua_pushboolean(L, 1);
    lua_replace(L, lua_upvalueindex(3));
  }
  else if (lua_toboolean(L, lua_upvalueindex(3)))
    lua_pushvalue(L, lua_upvalueindex(2));
  return 1;
}

static int wrap_maink(lua_State *L, int status, lua_KContext ctx) {
  (void)ctx;
  if (status == LUA_OK || status == LUA_YIELD)
    return lua_gettop(L) - 1;
  return lua_error(L);
}

/*
** The first function of what wrap makes; its upvalue is the script's.  A
** protected call, so that variables are closed inside the coroutine, where
** they may wait.
*/
static int l_wrap_main(lua_State *L) {
  int status, n = lua_gettop(L);
  lua_pushvalue(L, lua_upvalueindex(2));
  lua_insert(L, 1);
  lua_pushvalue(L, lua_upvalueindex(1));
  lua_pushnil(L);
  lua_pushboolean(L, 0);
  lua_pushcclosure(L, l_wrap_handler, 3);
  lua_insert(L, 1);
  status = lua_pcallk(L, n, LUA_MULTRET, 1, 0, wrap_maink);
  return wrap_maink(L, status, 0);
}

/* coroutine.wrap(f) */
static int l_coro_wrap(lua_State *L) {
  lua_State *co;
  luaL_checktype(L, 1, LUA_TFUNCTION);
  lua_pushlightuserdata(L, state_get(L));
  co = lua_newthread(L);
  lua_pushvalue(L, -2);
  lua_pushvalue(L, 1);
  lua_pushcclosure(L, l_wrap_main, 2);
  lua_xmove(L, co, 1);
  lua_pushcclosure(L, l_coro_call, 2);
  return 1;
}

/* Why the coroutine cannot be closed, or NULL. */
static const char *unclosable(lua_State *L, State *S, lua_State *co) {
  lua_Debug ar;
  if (co == L)
    return "running coroutine";
  if (lua_status(co) == LUA_OK && lua_getstack(co, 0, &ar))
    return "normal coroutine";
  if (is_waiting(L, S, 1))
    return "coroutine that waits for an operation";
  return NULL;
}

/* coroutine.close(co) */
static int l_coro_close(lua_State *L) {
  lua_State *co = lua_tothread(L, 1);
  const char *why;
  luaL_checktype(L, 1, LUA_TTHREAD);
  why = unclosable(L, state_get(L), co);
  if (why != NULL)
    return luaL_error(L, "cannot close a %s", why);
  if (compat_closethread(co, L) == LUA_OK) {
    lua_pushboolean(L, 1);
    return 1;
  }
  lua_pushboolean(L, 0);
  lua_xmove(co, L, 1);
  return 2;
}

/* Push the owner before those that this coroutine has set, or nil. */
static void push_owning(lua_State *L, const State *S) {
  lua_rawgeti(L, LUA_REGISTRYINDEX, S->owning);
  lua_pushthread(L);
  lua_rawget(L, -2);
  lua_remove(L, -2);
}

/*
** The owner of the task at index 1 becomes the value at index 2.  A coroutine
** inside the running task has to put back the one before it yields: whoever
** has resumed it would go on in a scope of its [-0, +0, e].
*/
void coro_owner(lua_State *L, State *S) {
  const Task *t = S->task;
  if (t == NULL || t != lua_touserdata(L, 1) || L == t->co)
    return;
  if (lua_getiuservalue(L, 1, TASK_OWNER) == LUA_TNIL)
    lua_pushboolean(L, 0);
  else
    lua_pushvalue(L, 3);
  push_owning(L, S);
  lua_rawgeti(L, LUA_REGISTRYINDEX, S->owning);
  lua_pushthread(L);
  if (lua_isnil(L, 5))
    lua_pushvalue(L, 4);       /* the first of them */
  else if (lua_rawequal(L, 5, 2) || (lua_isboolean(L, 5) && lua_isnil(L, 2)))
    lua_pushnil(L);            /* and it is back */
  else
    lua_pushvalue(L, 5);
  lua_rawset(L, 6);
  lua_settop(L, 2);
}

/* coroutine.yield(...) */
static int l_coro_yield(lua_State *L) {
  const State *S = state_get(L);
  if (S->task != NULL && L != S->task->co) {
    push_owning(L, S);
    if (!lua_isnil(L, -1))
      return luaL_error(L, "cannot yield inside a scope, timeout or shield "
                           "that this coroutine has opened");
    lua_pop(L, 1);
  }
  return lua_yield(L, lua_gettop(L));
}

/*
** The coroutine that 'co' has resumed and not got back from, or NULL; 'co' is
** one of a task, and has room for two values.
*/
lua_State *coro_inner(lua_State *co) {
  lua_State *inner = NULL;
  lua_Debug ar;
  if (!lua_getstack(co, 0, &ar))
    return NULL;
  lua_getinfo(co, "f", &ar);
  if (lua_tocfunction(co, -1) == l_coro_call)
    lua_getupvalue(co, -1, 2);
  else if (lua_tocfunction(co, -1) != l_coro_resume ||
           lua_getlocal(co, &ar, 1) == NULL)
    lua_pushnil(co);
  inner = lua_tothread(co, -1);
  lua_pop(co, 2);
  return inner;
}

static const luaL_Reg functions[] = {
  {"close", l_coro_close},
  {"resume", l_coro_resume},
  {"wrap", l_coro_wrap},
  {"yield", l_coro_yield},
  {NULL, NULL}
};

/* A table in the registry whose keys are weak. */
static int weak_table(lua_State *L) {
  lua_newtable(L);
  lua_createtable(L, 0, 1);
  lua_pushliteral(L, "k");
  lua_setfield(L, -2, "__mode");
  lua_setmetatable(L, -2);
  return luaL_ref(L, LUA_REGISTRYINDEX);
}

/* The table core.coroutine. */
void coro_open(lua_State *L, State *S) {
  S->waiting = weak_table(L);
  S->owning = weak_table(L);
  lua_newtable(L);
  lua_pushlightuserdata(L, S);
  luaL_setfuncs(L, functions, 1);
  lua_setfield(L, -2, "coroutine");
}
