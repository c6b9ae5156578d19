/* SPDX-License-Identifier: MIT
**
** message.c - messages from other rings, for tasks.
**
** A message is a completion that belongs to no operation of the ring.  It
** comes to the ring's own queue, where the raw layer finds it in its turn;
** receive takes the first message there is, whatever comes before it.
**
** A task that waits for one is in a list, and the first of them is woken by
** each that comes: that message is promised to it, and whoever asks later
** does not get it.  Nothing is handed over before the task runs, so one that
** is cancelled takes nothing with it.  That a message may come cannot be
** seen here; the ring is not stuck as long as a task waits for one.
*/

#include <errno.h>

#include "uring.h"

/*
** A message has come: promise it to who has waited longest.  The promise ends
** when that task runs again.
*/
void message_came(Ring *r) {
  r->messages++;
  if (sched_wake_one(&r->receivers))
    r->promised++;
}

/* One that was promised may have been left: whoever waits gets it. */
void message_left(Ring *r) {
  if (r->messages > r->promised && sched_wake_one(&r->receivers))
    r->promised++;
}

/* The i-th completion of the ring's queue. */
static RawCqe *queued(const Ring *r, unsigned i) {
  return &r->raw[(r->raw_head + i) % r->raw_size];
}

/* Take the first message off the queue and push it: data, res, flags. */
static int take(lua_State *L, Ring *r) {
  RawCqe c;
  unsigned i = 0;
  while (!queued(r, i)->message)
    i++;
  c = *queued(r, i);
  for (; i > 0; i--)   /* what comes before it moves up */
    *queued(r, i) = *queued(r, i - 1);
  r->raw_head = (r->raw_head + 1) % r->raw_size;
  r->raw_count--;
  r->raw_taken++;
  r->messages--;
  lua_pushinteger(L, c.data);
  lua_pushinteger(L, c.res);
  lua_pushinteger(L, c.flags);
  return 3;
}

static int timed_out(lua_State *L) {
  luaL_pushfail(L);
  lua_pushliteral(L, "timed out");
  lua_pushinteger(L, ETIMEDOUT);
  return 3;
}

static int await(lua_State *L, Ring *r, Task *t, Link *before);

static int awaitk(lua_State *L, int status, lua_KContext ctx) {
  State *S = state_get(L);
  Task *t = sched_resumed(L, S);
  (void)status;
  if (t == NULL)
    return lua_yieldk(L, 0, ctx, awaitk);
  if (t->woke == WOKE_CANCEL)
    sched_ready(L, S);
  if (t->ring->messages > t->ring->promised)
    return take(L, t->ring);
  if (t->woke == WOKE_TIMEOUT)
    return timed_out(L);
  /* the raw layer has taken it: first in the list again */
  return await(L, t->ring, t, t->ring->receivers.next);
}

/* Wait in a task until the time at index 2, before another in the list. */
static int await(lua_State *L, Ring *r, Task *t, Link *before) {
  t->timer.when = lua_tointeger(L, 2);
  if (t->timer.when != FOREVER && !heap_push(&r->timers, &t->timer))
    return luaL_error(L, "not enough memory");
  link_append(before, &t->link);
  return sched_park(L, t, WAIT_MESSAGE, FOREVER, awaitk);
}

/* Wait where nobody can yield: outside any task the loop runs meanwhile. */
static int await_here(lua_State *L, State *S, Ring *r) {
  int64_t until = lua_tointeger(L, 2), left = SECOND;
  do {
    if (r->messages > r->promised)
      return take(L, r);
    if (until != FOREVER)
      left = until - sched_clock();
    place_step(L, S, r, left > 0 ? left : 0);
    ring_usable(L, r);
    sched_ready(L, S);
  } while (left > 0 || r->messages > r->promised);
  return timed_out(L);
}

/*
** ring:receive([seconds]) -> data, res, flags | nil, "timed out", ETIMEDOUT
** The next message to this ring, first come first served.
*/
static int l_receive(lua_State *L) {
  State *S = state_get(L);
  Ring *r = ring_check(L, 1);
  int64_t span = args_optseconds(L, 2, FOREVER), now = sched_clock();
  Task *t;
  sched_ready(L, S);
  if (S->task != NULL && S->task->ring != r)
    return luaL_error(L, "a task receives the messages of its own ring");
  if (r->disabled)
    return err_fail(L, EBADFD, "receive", NULL);
  lua_settop(L, 1);
  lua_pushinteger(L, span >= FOREVER - now ? FOREVER : now + span);
  if (r->messages > r->promised)
    return take(L, r);
  t = span > 0 ? sched_yielder(L, S) : NULL;
  return t != NULL ? await(L, r, t, &r->receivers) : await_here(L, S, r);
}

static const luaL_Reg methods[] = {
  {"receive", l_receive},
  {NULL, NULL}
};

void message_open(lua_State *L, State *S) {
  unit_methods(L, S, RING_TYPE, methods);
}
