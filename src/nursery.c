/* SPDX-License-Identifier: MIT
**
** nursery.c - the tasks that somebody answers for together.
**
** A nursery knows its tasks until they have ended, can have all their awaits
** raise a value, and can be waited for.  There is mechanism only: the scopes,
** what a failure means to the others, are written in Lua.  Its tasks keep it
** alive, so that their links into it are good.
*/

#include "uring.h"

struct Nursery {
  Link tasks;          /* Task.sibling */
  Link waiters;        /* tasks in join */
  unsigned count;      /* of tasks that have not ended */
  bool interrupted;    /* with the value at NURSERY_VALUE */
};

enum { NURSERY_OWNER = 1, NURSERY_VALUE = 2 };  /* user values */

static Nursery *check(lua_State *L, int arg) {
  const State *S = state_get(L);
  Nursery *n = unit_test(L, arg, S->nursery_meta);
  return n != NULL ? n : luaL_checkudata(L, arg, NURSERY_TYPE);
}

/* core.nursery(owner) -> nursery; the owner of the tasks that begin in it */
static int l_nursery(lua_State *L) {
  Nursery *n;
  luaL_checkany(L, 1);
  n = lua_newuserdatauv(L, sizeof *n, 2);
  memset(n, 0, sizeof *n);
  link_init(&n->tasks);
  link_init(&n->waiters);
  lua_pushvalue(L, 1);
  lua_setiuservalue(L, -2, NURSERY_OWNER);
  luaL_setmetatable(L, NURSERY_TYPE);
  return 1;
}

/*
** nursery:spawn(f, ...) -> task | nil, message, errno
** On the ring of the running task, or the default one.
*/
static int l_nursery_spawn(lua_State *L) {
  State *S = state_get(L);
  Nursery *n = check(L, 1);
  Ring *r = S->task ? S->task->ring : ring_default(L, S);
  Task *t;
  if (r == NULL)
    return 3;
  t = task_spawn(L, r, 2);
  t->nursery = n;
  link_append(&n->tasks, &t->sibling);
  n->count++;
  lua_pushvalue(L, 1);
  lua_setiuservalue(L, -2, TASK_NURSERY);
  lua_getiuservalue(L, 1, NURSERY_OWNER);
  lua_setiuservalue(L, -2, TASK_OWNER);
  if (n->interrupted) {
    t->cancelled = true;
    lua_getiuservalue(L, 1, NURSERY_VALUE);
    lua_setiuservalue(L, -2, TASK_CANCEL);
  }
  return 1;
}

/*
** nursery:interrupt(value) -> nursery
** From now on the awaits of its tasks, and of those that it will have, raise
** the value; not of a task that has got another owner meanwhile.
*/
static int l_nursery_interrupt(lua_State *L) {
  Nursery *n = check(L, 1);
  luaL_checkany(L, 2);
  lua_settop(L, 2);
  lua_pushvalue(L, 2);
  lua_setiuservalue(L, 1, NURSERY_VALUE);
  n->interrupted = true;
  lua_getiuservalue(L, 1, NURSERY_OWNER);
  for (Link *at = n->tasks.next; at != &n->tasks; at = at->next) {
    Task *t = container(at, Task, sibling);
    if (ring_dying(L, t->ring))
      continue;          /* it never runs again */
    sched_push(L, t);
    lua_getiuservalue(L, 4, TASK_OWNER);
    if (lua_rawequal(L, 3, 5)) {
      t->cancelled = true;
      lua_pushvalue(L, 2);
      lua_setiuservalue(L, 4, TASK_CANCEL);
      sched_interrupt(t);
    }
    lua_settop(L, 3);
  }
  lua_settop(L, 1);
  return 1;
}

/* It may have no task left. */
static void wake_waiters(Nursery *n) {
  while (n->count == 0 && !link_alone(&n->waiters))
    sched_wake(container(n->waiters.next, Task, link), WOKE_NORMAL);
}

/*
** nursery:adopt(other) -> nursery
** The tasks of the other one are waited for here from now on.  They keep their
** owner: an interruption does not reach them.
*/
static int l_nursery_adopt(lua_State *L) {
  Nursery *n = check(L, 1), *other = check(L, 2);
  Link *at = other->tasks.next;
  luaL_argcheck(L, n != other, 2, "the same nursery");
  while (at != &other->tasks) {
    Task *t = container(at, Task, sibling);
    at = at->next;
    if (ring_dying(L, t->ring))
      continue;          /* it never runs again */
    sched_push(L, t);
    lua_pushvalue(L, 1);
    lua_setiuservalue(L, -2, TASK_NURSERY);
    lua_pop(L, 1);
    link_remove(&t->sibling);
    link_append(&n->tasks, &t->sibling);
    t->nursery = n;
    n->count++;
    other->count--;
  }
  wake_waiters(other);
  lua_settop(L, 1);
  return 1;
}

/*
** A task of it is no more.  Whoever waits for the last one is woken first of
** all: what follows may fail for want of memory.
*/
void nursery_leave(Task *t) {
  Nursery *n = t->nursery;
  if (n == NULL)
    return;
  t->nursery = NULL;
  link_remove(&t->sibling);
  n->count--;
  wake_waiters(n);
}

/* Has the task on the top still the owner that its nursery gave it? */
bool nursery_owns(lua_State *L) {
  bool same;
  if (lua_getiuservalue(L, -1, TASK_NURSERY) == LUA_TNIL) {
    lua_pop(L, 1);
    return false;
  }
  lua_getiuservalue(L, -1, NURSERY_OWNER);
  lua_getiuservalue(L, -3, TASK_OWNER);
  same = lua_rawequal(L, -1, -2);
  lua_pop(L, 3);
  return same;
}

static int joink(lua_State *L, int status, lua_KContext ctx);

static int await_all(lua_State *L, Task *self, Nursery *n) {
  if (n->count == 0)
    return 0;
  link_append(&n->waiters, &self->link);
  return sched_park(L, self, WAIT_NURSERY, FOREVER, joink);
}

static int joink(lua_State *L, int status, lua_KContext ctx) {
  State *S = state_get(L);
  Task *self = sched_resumed(L, S);
  (void)status;
  if (self == NULL)
    return lua_yieldk(L, 0, ctx, joink);
  if (self->woke == WOKE_CANCEL)
    sched_ready(L, S);
  return await_all(L, self, check(L, 1));
}

/* nursery:join(); returns when none of its tasks is left */
static int l_nursery_join(lua_State *L) {
  State *S = state_get(L);
  Nursery *n = check(L, 1);
  Task *self;
  sched_ready(L, S);
  lua_settop(L, 1);
  self = sched_yielder(L, S);
  if (self != NULL)
    return await_all(L, self, n);
  while (n->count > 0) {
    Ring *r = container(n->tasks.next, Task, sibling)->ring;
    if (S->task != NULL || r->busy)
      return luaL_error(L, "cannot wait here: Lua cannot yield across the C "
                           "function that called this one");
    place_step(L, S, r, FOREVER);
  }
  return 0;
}

/* #nursery: how many of its tasks have not ended */
static int l_nursery_len(lua_State *L) {
  lua_pushinteger(L, check(L, 1)->count);
  return 1;
}

static int l_nursery_tostring(lua_State *L) {
  lua_pushfstring(L, NURSERY_TYPE " (%d)", (int)check(L, 1)->count);
  return 1;
}

static const luaL_Reg methods[] = {
  {"adopt", l_nursery_adopt},
  {"interrupt", l_nursery_interrupt},
  {"join", l_nursery_join},
  {"spawn", l_nursery_spawn},
  {NULL, NULL}
};

static const luaL_Reg meta[] = {
  {"__len", l_nursery_len},
  {"__tostring", l_nursery_tostring},
  {NULL, NULL}
};

static const luaL_Reg functions[] = {
  {"nursery", l_nursery},
  {NULL, NULL}
};

void nursery_open(lua_State *L, State *S) {
  S->nursery_meta = unit_type(L, S, NURSERY_TYPE, methods, meta);
  lua_pushlightuserdata(L, S);
  luaL_setfuncs(L, functions, 1);
}
