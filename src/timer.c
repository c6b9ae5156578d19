/* SPDX-License-Identifier: MIT
**
** timer.c - a function to be called at a time, for deadlines.
**
** An armed timer is kept alive by the task table of its ring.  The function
** is called from the base of the loop, outside any task: it marks, wakes and
** cancels, but cannot wait.
*/

#include "uring.h"

typedef struct Call {
  Timer timer;
  Ring *ring;          /* NULL when not armed */
} Call;

/*
** Set the place of the timer in the ring's table to the top value [-1, e].
** The table of a dying ring goes with it.
*/
static void list(lua_State *L, const Ring *r, const Call *c) {
  ring_push(L, r);
  if (lua_isnil(L, -1)) {
    lua_pop(L, 2);
    return;
  }
  lua_getiuservalue(L, -1, RING_TASKS);
  lua_pushvalue(L, -3);
  lua_rawsetp(L, -2, c);
  lua_pop(L, 3);
}

/* The ring of the value at 'arg', if that is a timer, is closed. */
void timer_forget(lua_State *L, int arg) {
  Call *c = luaL_testudata(L, arg, TIMER_TYPE);
  if (c != NULL)
    c->ring = NULL;
}

/* Call the function of a timer that is due; a status, the error pushed. */
int timer_fire(lua_State *L, Ring *r, Timer *t) {
  Call *c = container(t, Call, timer);
  ring_push(L, r);
  lua_getiuservalue(L, -1, RING_TASKS);
  lua_rawgetp(L, -1, c);
  lua_replace(L, -3);
  lua_pop(L, 1);
  lua_pushnil(L);
  list(L, r, c);
  c->ring = NULL;
  lua_getiuservalue(L, -1, 1);
  lua_replace(L, -2);
  return lua_pcall(L, 0, 0, 0);
}

/* core.timer(seconds, f) -> timer | nil, message, errno */
static int l_timer_new(lua_State *L) {
  State *S = state_get(L);
  int64_t span = args_seconds(L, 1), now = sched_clock();
  Ring *r;
  Call *c;
  luaL_checktype(L, 2, LUA_TFUNCTION);
  r = S->task ? S->task->ring : ring_default(L, S);
  if (r == NULL)
    return 3;
  ring_usable(L, r);
  c = lua_newuserdatauv(L, sizeof *c, 1);
  memset(c, 0, sizeof *c);
  c->timer.kind = TIMER_CALL;
  luaL_setmetatable(L, TIMER_TYPE);
  lua_pushvalue(L, 2);
  lua_setiuservalue(L, -2, 1);
  c->timer.when = span >= FOREVER - now ? FOREVER : now + span;
  lua_pushvalue(L, -1);
  list(L, r, c);
  ring_usable(L, r);  /* a finaliser may have closed it */
  if (!heap_push(&r->timers, &c->timer)) {
    lua_pushnil(L);
    list(L, r, c);
    return luaL_error(L, "not enough memory");
  }
  c->ring = r;
  return 1;
}

/* timer:cancel() -> whether it was armed */
static int l_timer_cancel(lua_State *L) {
  Call *c = luaL_checkudata(L, 1, TIMER_TYPE);
  bool armed = c->ring != NULL;
  if (armed) {
    heap_remove(&c->ring->timers, &c->timer);
    lua_pushnil(L);
    list(L, c->ring, c);
    c->ring = NULL;
  }
  lua_pushboolean(L, armed);
  return 1;
}

static const luaL_Reg methods[] = {
  {"cancel", l_timer_cancel},
  {NULL, NULL}
};

static const luaL_Reg meta[] = {
  {"__close", l_timer_cancel},
  {NULL, NULL}
};

void timer_open(lua_State *L, State *S) {
  unit_type(L, S, TIMER_TYPE, methods, meta);
  lua_pushlightuserdata(L, S);
  lua_pushcclosure(L, l_timer_new, 1);
  lua_setfield(L, -2, "timer");
}
