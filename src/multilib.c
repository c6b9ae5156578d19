/* SPDX-License-Identifier: MIT
**
** multilib.c - multishot operations, for Lua: an iterator that can be closed.
**
**   for conn in op.accept_multishot(fd) do ... end
**
** A task that asks for the next result waits in the iterator's list, not
** for an operation: being cancelled it goes at once, and what has come
** stays for the next who asks.
*/

#include <errno.h>
#include <stdlib.h>

#include "uring.h"

enum { MULTI_RING = 1, MULTI_FD };  /* user values */

/* Setup flags of rings whose completions may have 32 bytes. */
#define WIDE (IORING_SETUP_CQE32 | U_SETUP_CQE_MIXED)

static Multi *check(lua_State *L, int arg) {
  return *(Multi **)luaL_checkudata(L, arg, MULTI_TYPE);
}

/* Nobody will ask any more; the record goes when the kernel lets it. */
static void give_up(lua_State *L, Multi *m) {
  Op *op = m->op;
  m->closed = true;
  if (op == NULL || !(op->state & OP_WAITED))
    return;
  if (m->state != MULTI_ARMED && m->state != MULTI_ENDED)
    multi_end(m, ECANCELED);
  multi_wake_all(m);
  op_abandon(L, op);
}

static int l_gc(lua_State *L) {
  Multi **box = luaL_checkudata(L, 1, MULTI_TYPE), *m = *box;
  *box = NULL;
  if (m != NULL) {
    give_up(L, m);
    multi_unref(m);
  }
  return 0;
}

static int await_end(lua_State *L, State *S, Multi *m);

static int endk(lua_State *L, int status, lua_KContext ctx) {
  State *S = state_get(L);
  Task *t = sched_resumed(L, S);
  (void)status;
  if (t == NULL)
    return lua_yieldk(L, 0, ctx, endk);
  return await_end(L, S, check(L, 1));
}

static int await_end(lua_State *L, State *S, Multi *m) {
  while (m->op != NULL && m->op->ring->open) {
    Task *t = sched_yielder(L, S);
    if (t != NULL) {
      link_append(&m->waiters, &t->link);
      return sched_park(L, t, WAIT_END, FOREVER, endk);
    }
    place_step(L, S, m->op->ring, FOREVER);
  }
  lua_pushboolean(L, 1);
  return 1;
}

/*
** multishot:close() -> true
** Stops it and waits until the kernel has let go.  What was not taken is
** given up.
*/
static int l_close(lua_State *L) {
  Multi *m = check(L, 1);
  if (m != NULL)
    give_up(L, m);
  lua_settop(L, 1);
  if (m != NULL)
    return await_end(L, state_get(L), m);
  lua_pushboolean(L, 1);
  return 1;
}

/* Push how it has ended: nil, and message and errno unless by itself. */
static int ending(lua_State *L, const Multi *m) {
  char what[ADDR_TEXT];
  if (m->op != NULL && m->error != 0)
    return err_fail(L, m->error, m->op->def->name,
                    op_what(m->op, what, sizeof what));
  lua_pushnil(L);
  return 1;
}

/* Is there a result that was begun to be taken, and then raised? */
static bool has_current(const Multi *m) {
  return (m->op->state & (OP_DONE | OP_TAKEN)) == OP_DONE;
}

/* Return the next result, which is there. */
static int deliver(lua_State *L, State *S, Multi *m) {
  Op *op = m->op;
  Claim c;
  int n;
  if (!has_current(m))
    multi_pop(m);
  c = result_claim(op);
  n = result_push(L, S, op);
  if (n > 0)
    result_take(op, c);      /* a number has no owner, and is not taken yet */
  multi_resume(m);
  return n;
}

static int next(lua_State *L, State *S, Multi *m);

static int nextk(lua_State *L, int status, lua_KContext ctx) {
  State *S = state_get(L);
  Task *t = sched_resumed(L, S);
  (void)status;
  if (t == NULL)
    return lua_yieldk(L, 0, ctx, nextk);
  if (t->woke == WOKE_CANCEL)
    sched_ready(L, S);
  return next(L, S, check(L, 1));
}

static int next(lua_State *L, State *S, Multi *m) {
  for (;;) {
    Task *t;
    if (m == NULL || m->closed || m->op == NULL) {
      lua_pushnil(L);
      return 1;
    }
    if (m->count > 0 || has_current(m)) {
      int n = deliver(L, S, m);
      if (n > 0)
        return n;
      lua_settop(L, 1);
      continue;
    }
    if (m->state == MULTI_ENDED)
      return ending(L, m);
    t = sched_yielder(L, S);
    if (t != NULL) {
      t->what = m->op->def->name;
      link_append(&m->waiters, &t->link);
      return sched_park(L, t, WAIT_MULTI, FOREVER, nextk);
    }
    place_step(L, S, m->op->ring, FOREVER);
    sched_ready(L, S);
  }
}

/*
** multishot() -> the next result | nil, message, errno
** nil alone when it has come to its end, or was closed.
*/
static int l_next(lua_State *L) {
  State *S = state_get(L);
  sched_ready(L, S);
  lua_settop(L, 1);
  return next(L, S, check(L, 1));
}

/* multishot:error() -> nil | nil, message, errno; why it has ended */
static int l_error(lua_State *L) {
  const Multi *m = check(L, 1);
  if (m == NULL) {
    lua_pushnil(L);
    return 1;
  }
  return ending(L, m);
}

static int l_tostring(lua_State *L) {
  static const char *const states[] =
    {"armed", "paused", "without buffers", "without descriptors", "ended"};
  const Multi *m = check(L, 1);
  if (m == NULL || m->op == NULL)
    lua_pushliteral(L, MULTI_TYPE " (closed)");
  else
    lua_pushfstring(L, MULTI_TYPE " (%s, %s, %d waiting)", m->op->def->name,
                    states[m->state], (int)m->count);
  return 1;
}

/* Push the object, without an operation [-0, +1, e]. */
static Multi *push_object(lua_State *L, Ring *r) {
  Multi **box = lua_newuserdatauv(L, sizeof *box, 2), *m;
  *box = NULL;
  luaL_setmetatable(L, MULTI_TYPE);
  ring_push(L, r);
  lua_setiuservalue(L, -2, MULTI_RING);
  lua_pushvalue(L, 1);
  lua_setiuservalue(L, -2, MULTI_FD);
  m = *box = calloc(1, sizeof *m);
  if (m == NULL)
    luaL_error(L, "not enough memory");
  m->refs = 1;
  m->state = MULTI_ENDED;
  m->timer.kind = TIMER_MULTI;
  link_init(&m->waiters);
  link_init(&m->starved);
  return m;
}

/* The iterator at the top as the four values of a generic for. */
static int four_values(lua_State *L) {
  int object = lua_gettop(L);
  lua_pushnil(L);
  lua_pushnil(L);
  lua_pushvalue(L, object);
  return 4;
}

/*
** op.<name>(...) of a multishot row -> iterator, nil, nil, iterator
** | nil, message, errno
*/
int multi_start(lua_State *L, State *S, const OpDef *def, const With *with) {
  Ring *r = sched_ring(L, S);
  Args a;
  Multi *m;
  Op *op;
  if (r == NULL)
    return 3;
  luaL_checkstack(L, 12, NULL);
  args_read(L, def, 1, r, false, &a);
  with_check(L, 1, def, with, &a);
  m = push_object(L, r);
  op_reserve(L, r);
  args_settle(L, &a);
  ring_usable(L, r);
  if (def->result == RES_MESSAGE && a.group && a.group->incremental)
    return luaL_error(L, "%s: buffers that are filled in pieces: the last "
                      "piece may be too short for a message", def->name);
  if (!op_known(r, def))
    return op_unsupported(L, def);
  if (a.own[0] && a.own[0]->state != FD_OPEN)
    return op_closing(L, def, a.own[0]);
  if (def->result == RES_STAMP && !(r->uring.flags & WIDE)) {
    luaL_pushfail(L);
    lua_pushfstring(L, "%s: the ring was not made with cqe32 or cqe_mixed",
                    def->name);
    lua_pushinteger(L, EINVAL);
    return 3;
  }
  if (a.takes && a.group == NULL && (a.group = group_pool(r)) == NULL)
    return err_fail(L, ENOBUFS, def->name, NULL);
  op = op_new(L, r, def, &a, false);
  op->multi = m;
  m->op = op;
  m->refs++;
  m->left = def->result == RES_TIMEOUT ? a.count : 0;
  op_prep(op, &m->sqe, &a);
  with_apply(op, &m->sqe, with);
  m->sqe.off = def->result == RES_TIMEOUT ? m->left : m->sqe.off;
  r->stamped |= def->result == RES_STAMP;
  multi_arm(m);
  return four_values(L);
}

static const luaL_Reg methods[] = {
  {"close", l_close},
  {"error", l_error},
  {NULL, NULL}
};

static const luaL_Reg meta[] = {
  {"__call", l_next},
  {"__close", l_close},
  {"__gc", l_gc},
  {"__tostring", l_tostring},
  {NULL, NULL}
};

void multi_open(lua_State *L, State *S) {
  unit_type(L, S, MULTI_TYPE, methods, meta);
}
