/* SPDX-License-Identifier: MIT
**
** cqe.c - completions of the raw layer, for Lua.
**
** reap.c has put them on the ring's own queue.  One is taken off it when the
** object for it, with the values that the kernel wrote, is complete: want of
** memory loses none.
*/

#include "uring.h"

typedef struct Cqe {
  int32_t res;
  uint32_t flags;
  uint64_t user_data;
  bool message, wide;
  uint64_t extra[2];
  uint32_t at;         /* where its bytes begin in a provided buffer */
  int32_t len;         /* how many are there */
} Cqe;

enum { CQE_DATA = 1, CQE_VALUE = 2 };  /* user values */

/*
** Push what set_data kept for the operation, or its user_data; the number of
** what has no record [-0, +1].
*/
static void push_data(lua_State *L, Ring *r, const RawCqe *c) {
  const Op *op = c->op;
  if (op == NULL) {
    lua_pushinteger(L, c->data);
    return;
  }
  if (!op->named) {
    lua_pushinteger(L, (lua_Integer)op->data64);
    return;
  }
  ring_push(L, r);
  lua_getiuservalue(L, -1, RING_DATA);
  lua_rawgeti(L, -1, op->slot.index + 1);
  lua_replace(L, -3);
  lua_pop(L, 1);
}

/* The i-th completion of the ring's queue. */
static RawCqe *queued(const Ring *r, unsigned i) {
  return &r->raw[(r->raw_head + i) % r->raw_size];
}

/*
** Take the first completion off the ring's queue; the value that was made
** for it is at 'value'.  Its operation is released with the last of them.
** No error.
*/
static void take_first(lua_State *L, Ring *r, int value) {
  RawCqe c = *queued(r, 0);
  int kind;
  r->raw_head = (r->raw_head + 1) % r->raw_size;
  r->raw_count--;
  r->raw_taken++;
  r->messages -= c.message;
  if (c.op == NULL)
    return;
  cqe_reserve(&c, false);
  c.op->state |= OP_TAKEN;
  c.op->queued--;
  kind = c.op->kind;
  cqe_release(L, r, c.op);
  result_own(L, r->state, kind, value);
}

/*
** Has nothing been taken off the queue since, and is the ring still open?
** Making an object may run a finaliser that does such things.
*/
static bool untouched(const Ring *r, uint64_t taken) {
  return r->open && r->raw_taken == taken;
}

/*
** Push an object for the i-th completion, which stays in the queue; nothing
** for one that is not there any more [-0, +0..1, e].
*/
static bool push_object(lua_State *L, Ring *r, unsigned i) {
  uint64_t taken = r->raw_taken;
  Cqe *cqe = lua_newuserdatauv(L, sizeof *cqe, 2);
  RawCqe c;
  luaL_setmetatable(L, CQE_TYPE);
  if (!untouched(r, taken) || i >= r->raw_count) {
    lua_pop(L, 1);
    return false;
  }
  c = *queued(r, i);
  cqe->res = c.res;
  cqe->flags = c.flags;
  cqe->user_data = c.op ? c.op->data64 : (uint64_t)c.data;
  cqe->message = c.message;
  cqe->wide = c.wide;
  if (c.wide)
    memcpy(cqe->extra, c.extra, sizeof cqe->extra);
  cqe->at = c.at;
  cqe->len = c.len;
  push_data(L, r, &c);
  lua_setiuservalue(L, -2, CQE_DATA);
  if (c.op != NULL) {
    result_value(L, c.op, c.len, c.flags, c.at);
    lua_setiuservalue(L, -2, CQE_VALUE);
  }
  return true;
}

/* Take the first completion, whose object is on the top; no error. */
static void take_object(lua_State *L, Ring *r) {
  lua_getiuservalue(L, -1, CQE_VALUE);
  take_first(L, r, lua_gettop(L));
  lua_pop(L, 1);
}

/*
** Push the first completion as an object, or nil when there is none, which
** happens when a finaliser took it [-0, +1, e].
*/
int cqe_push(lua_State *L, Ring *r) {
  int base = lua_gettop(L);
  while (r->open && r->raw_count > 0) {
    uint64_t taken = r->raw_taken;
    if (push_object(L, r, 0) && untouched(r, taken)) {
      take_object(L, r);
      return 1;
    }
    lua_settop(L, base);
  }
  lua_pushnil(L);
  return 1;
}

/*
** Push a list of the first 'n' completions, or fewer when a finaliser took
** some.  They are taken when all objects are made [-0, +1, e].
*/
int cqe_push_list(lua_State *L, Ring *r, unsigned n) {
  int list = lua_gettop(L) + 1;
  uint64_t taken;
  unsigned i;
  do {
    ring_usable(L, r);
    lua_settop(L, list - 1);
    n = n < r->raw_count ? n : r->raw_count;
    taken = r->raw_taken;
    lua_createtable(L, (int)n, 0);
    for (i = 0; i < n && push_object(L, r, i); i++)
      lua_rawseti(L, list, i + 1);
  } while (i < n || !untouched(r, taken));
  for (i = 0; i < n; i++) {
    lua_rawgeti(L, list, i + 1);
    take_object(L, r);
    lua_pop(L, 1);
  }
  return 1;
}

/* The iterator of ring:cqes(). */
static int next_cqe(lua_State *L) {
  Ring *r = ring_check(L, 1);
  uint64_t taken;
  do {
    RawCqe c;
    lua_settop(L, 2);
    if (!r->open || r->raw_count == 0)
      return 0;
    taken = r->raw_taken;
    c = *queued(r, 0);
    push_data(L, r, &c);
    lua_pushinteger(L, c.res);
    lua_pushinteger(L, c.flags);
    if (c.op != NULL)
      result_value(L, c.op, c.len, c.flags, c.at);
    else
      lua_pushnil(L);
  } while (!untouched(r, taken));
  take_first(L, r, 6);
  return 4;
}

/*
** for data, res, flags, value in ring:cqes() do ... end
** Everything that is ready; makes no object for each.
*/
int l_cqe_each(lua_State *L) {
  Ring *r = ring_check(L, 1);
  do  /* what found the kernel's queue full comes when there is room */
    ring_wait(r, 0, 0);
  while (cqe_reap(L, r) > 0 && io_uring_cq_has_overflow(&r->uring));
  lua_pushcfunction(L, next_cqe);
  lua_pushvalue(L, 1);
  return 2;
}

/*
** Fields: res flags data user_data more notif buffer_id buffer_at message
** value extra1 extra2; the last two are of a completion of 32 bytes.
** 'message' says that it is none of this ring's operations, but was sent by
** msg_ring, or is the tag of a registered thing that is free now.  'value'
** is what the kernel filled in: a statx table, a peer's address.
*/
static int l_cqe_index(lua_State *L) {
  const Cqe *c = luaL_checkudata(L, 1, CQE_TYPE);
  const char *key = luaL_checkstring(L, 2);
  if (strcmp(key, "res") == 0)
    lua_pushinteger(L, c->res);
  else if (strcmp(key, "flags") == 0)
    lua_pushinteger(L, c->flags);
  else if (strcmp(key, "data") == 0)
    lua_getiuservalue(L, 1, CQE_DATA);
  else if (strcmp(key, "user_data") == 0)
    lua_pushinteger(L, (lua_Integer)c->user_data);
  else if (strcmp(key, "more") == 0)
    lua_pushboolean(L, (c->flags & IORING_CQE_F_MORE) != 0);
  else if (strcmp(key, "notif") == 0)
    lua_pushboolean(L, (c->flags & IORING_CQE_F_NOTIF) != 0);
  else if (strcmp(key, "buffer_id") == 0 && (c->flags & IORING_CQE_F_BUFFER))
    lua_pushinteger(L, c->flags >> IORING_CQE_BUFFER_SHIFT);
  else if (strcmp(key, "buffer_at") == 0 && (c->flags & IORING_CQE_F_BUFFER))
    lua_pushinteger(L, c->at);
  else if (strcmp(key, "message") == 0)
    lua_pushboolean(L, c->message);
  else if (c->wide && strcmp(key, "extra1") == 0)
    lua_pushinteger(L, (lua_Integer)c->extra[0]);
  else if (c->wide && strcmp(key, "extra2") == 0)
    lua_pushinteger(L, (lua_Integer)c->extra[1]);
  else if (strcmp(key, "value") == 0)
    lua_getiuservalue(L, 1, CQE_VALUE);
  else
    lua_pushnil(L);
  return 1;
}

/* Is there a completion at 'arg'?  Where its data is [-0, +0, e]. */
bool cqe_range(lua_State *L, int arg, unsigned *id, unsigned *at,
               unsigned *len) {
  const Cqe *c = luaL_testudata(L, arg, CQE_TYPE);
  if (c == NULL)
    return false;
  luaL_argcheck(L, c->flags & IORING_CQE_F_BUFFER, arg,
                "completion without a buffer");
  *id = c->flags >> IORING_CQE_BUFFER_SHIFT;
  *at = c->at;
  *len = c->len > 0 ? (unsigned)c->len : 0;
  return true;
}

static int l_cqe_tostring(lua_State *L) {
  const Cqe *c = luaL_checkudata(L, 1, CQE_TYPE);
  lua_pushfstring(L, CQE_TYPE " (res %d, flags %d)", (int)c->res,
                  (int)c->flags);
  return 1;
}

static const luaL_Reg meta[] = {
  {"__index", l_cqe_index},
  {"__tostring", l_cqe_tostring},
  {NULL, NULL}
};

void cqe_open(lua_State *L, State *S) {
  unit_type(L, S, CQE_TYPE, NULL, meta);
}
