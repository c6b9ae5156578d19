/* SPDX-License-Identifier: MIT
**
** ringlib.c - the methods of a ring, for Lua.
**
** The names are liburing's.  Completions of the raw layer are off the
** kernel's queue already (cqe.c): waiting for one means waiting until the
** ring's own queue has it.
*/

#include <errno.h>
#include <unistd.h>

#include "uring.h"

#define CLOSE_PATIENCE (5 * SECOND)  /* for close, which waits knowingly */
#define GC_PATIENCE SECOND           /* for the collector */

/* ---- the object --------------------------------------------------------- */

/* ring:close() -> true; cancels what is in flight and waits for its end */
static int l_ring_close(lua_State *L) {
  Ring *r = luaL_checkudata(L, 1, RING_TYPE);
  if (r->open && (r->busy || r->pins > 0))
    return luaL_error(L, "ring is running");
  ring_close(L, 1, CLOSE_PATIENCE);
  lua_pushboolean(L, 1);
  return 1;
}

static int l_ring_gc(lua_State *L) {
  Ring *r = luaL_checkudata(L, 1, RING_TYPE);
  if (r->state->ring == r)  /* which is kept until the very end */
    r->state->closing = true;
  ring_close(L, 1, GC_PATIENCE);
  slab_free(&r->ops);
  return 0;
}

static int l_ring_tostring(lua_State *L) {
  Ring *r = luaL_checkudata(L, 1, RING_TYPE);
  if (r->open)
    lua_pushfstring(L, RING_TYPE " (fd %d)", r->uring.ring_fd);
  else
    lua_pushliteral(L, RING_TYPE " (closed)");
  return 1;
}

/* ---- submitting and waiting --------------------------------------------- */

/* Push a count, or nil, message, errno for a negative one. */
static int count_result(lua_State *L, const Ring *r, int rc,
                        const char *what) {
  if (rc < 0)
    return ident_fail(L, r, -rc, what);
  lua_pushinteger(L, rc);
  return 1;
}

/* ring:submit() -> entries submitted | nil, message, errno */
static int l_ring_submit(lua_State *L) {
  Ring *r = ring_check(L, 1);
  return count_result(L, r, ring_submit(r), "submit");
}

/*
** Wait until the raw layer has 'want' completions, or the time is over.
** 0, or a negative errno: -ETIME among them [e: a signal's handler].
*/
static int wait_raw(lua_State *L, Ring *r, unsigned want, int64_t timeout) {
  int64_t end = timeout == FOREVER ? FOREVER : sched_clock() + timeout;
  cqe_reap(L, r);
  while (r->raw_count < want) {
    int64_t left = end == FOREVER ? FOREVER : end - sched_clock();
    int rc = ring_wait(r, want - r->raw_count, left);
    cqe_reap(L, r);
    if (rc < 0 || r->stalled)
      return rc < 0 ? rc : -ENOMEM;
    if (r->raw_count < want && left <= 0)
      return -ETIME;
    hook_check(L);
    ring_usable(L, r);
  }
  return 0;
}

/*
** ring:submit_and_wait([n]) -> entries submitted | nil, message, errno
** ring:submit_and_wait_timeout(n, seconds), likewise
*/
static int l_ring_submit_and_wait(lua_State *L) {
  Ring *r = ring_check(L, 1);
  unsigned want = (unsigned)args_optint(L, 2, 1, 0, MAX_U32);
  int64_t timeout = args_optseconds(L, 3, FOREVER);
  uint64_t before = r->stats.submitted;
  int rc = want > r->raw_count ? wait_raw(L, r, want, timeout)
                               : ring_submit(r);
  unsigned n = (unsigned)(r->stats.submitted - before);
  return count_result(L, r, rc < 0 && n == 0 ? rc : (int)n,
                      "submit_and_wait");
}

/* ring:wait_cqe([seconds]) -> cqe | nil, message, errno */
static int l_ring_wait_cqe(lua_State *L) {
  Ring *r = ring_check(L, 1);
  int rc = wait_raw(L, r, 1, args_optseconds(L, 2, FOREVER));
  if (rc < 0)
    return ident_fail(L, r, -rc, "wait_cqe");
  return cqe_push(L, r);
}

/* ring:wait_cqes(n [, seconds]) -> list of cqes | nil, message, errno */
static int l_ring_wait_cqes(lua_State *L) {
  Ring *r = ring_check(L, 1);
  unsigned n = (unsigned)args_int(L, 2, 1, MAX_U32);
  int rc = wait_raw(L, r, n, args_optseconds(L, 3, FOREVER));
  if (rc < 0)
    return ident_fail(L, r, -rc, "wait_cqes");
  return cqe_push_list(L, r, n);
}

/* ring:peek_cqe() -> cqe | nil, message, EAGAIN */
static int l_ring_peek_cqe(lua_State *L) {
  Ring *r = ring_check(L, 1);
  int rc = wait_raw(L, r, 1, 0);
  if (rc < 0)
    return ident_fail(L, r, rc == -ETIME ? EAGAIN : -rc, "peek_cqe");
  return cqe_push(L, r);
}

/* ring:get_sqe() -> sqe | nil when the submission queue is full */
static int l_ring_get_sqe(lua_State *L) {
  return sqe_push(L, ring_check(L, 1));
}

/* ---- asking ------------------------------------------------------------- */

/* ring:cq_ready() -> completions waiting for the raw layer */
static int l_ring_cq_ready(lua_State *L) {
  Ring *r = ring_check(L, 1);
  cqe_reap(L, r);
  lua_pushinteger(L, r->raw_count);
  return 1;
}

/* ring:sq_ready() -> entries not submitted */
static int l_ring_sq_ready(lua_State *L) {
  lua_pushinteger(L, io_uring_sq_ready(&ring_check(L, 1)->uring));
  return 1;
}

static int l_ring_sq_space_left(lua_State *L) {
  lua_pushinteger(L, io_uring_sq_space_left(&ring_check(L, 1)->uring));
  return 1;
}

static int l_ring_cq_has_overflow(lua_State *L) {
  lua_pushboolean(L, io_uring_cq_has_overflow(&ring_check(L, 1)->uring));
  return 1;
}

/* ring:fileno() -> its descriptor; to be waited for there is pollfd */
static int l_ring_fileno(lua_State *L) {
  Ring *r = ring_check(L, 1);
  if (r->uring.ring_fd < 0)
    return luaL_error(L, "ring has no descriptor");
  lua_pushinteger(L, r->uring.ring_fd);
  return 1;
}

/* ring:enable_rings() -> true | nil, message, errno; 5.10 */
static int l_ring_enable_rings(lua_State *L) {
  Ring *r = ring_check(L, 1);
  int rc = reg_call(r, IORING_REGISTER_ENABLE_RINGS, NULL, 0);
  if (rc < 0)
    return ident_fail(L, r, -rc, "enable_rings");
  r->disabled = false;
  r->thread = gettid();
  lua_pushboolean(L, 1);
  return 1;
}

/* ring:supports(name) -> boolean: does the running kernel have it? */
static int l_ring_supports(lua_State *L) {
  Ring *r = ring_check(L, 1);
  const OpDef *def = op_def(luaL_checkstring(L, 2));
  lua_pushboolean(L, def != NULL && op_known(r, def));
  return 1;
}

/* ring:stats() -> table of counters since the ring was made, and states */
static int l_ring_stats(lua_State *L) {
  Ring *r = luaL_checkudata(L, 1, RING_TYPE);
  const struct { const char *name; uint64_t value; } rows[] = {
    {"submitted", r->stats.submitted}, {"completed", r->stats.completed},
    {"enters", r->stats.enters}, {"stale", r->stats.stale},
    {"cancels", r->stats.cancels}, {"resumes", r->stats.resumes},
    {"spawned", r->stats.spawned}, {"active", r->active},
    {"slots", r->ops.used}, {"tasks", r->ntasks}, {"ready", r->nready},
    {"timers", r->timers.count}
  };
  lua_createtable(L, 0, sizeof rows / sizeof rows[0]);
  for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
    lua_pushinteger(L, (lua_Integer)rows[i].value);
    lua_setfield(L, -2, rows[i].name);
  }
  return 1;
}

/* Fields: features flags sq_entries cq_entries; else a method. */
static int l_ring_index(lua_State *L) {
  Ring *r = luaL_checkudata(L, 1, RING_TYPE);
  const char *key;
  lua_pushvalue(L, 2);
  if (lua_rawget(L, lua_upvalueindex(2)) != LUA_TNIL)
    return 1;
  key = lua_type(L, 2) == LUA_TSTRING ? lua_tostring(L, 2) : "";
  if (!r->open || r->fork_count != fork_count)  /* without its memory */
    return 1;
  if (strcmp(key, "features") == 0)
    lua_pushinteger(L, r->uring.features);
  else if (strcmp(key, "flags") == 0)
    lua_pushinteger(L, r->uring.flags);
  else if (strcmp(key, "sq_entries") == 0)
    lua_pushinteger(L, *r->uring.sq.kring_entries);
  else if (strcmp(key, "cq_entries") == 0)
    lua_pushinteger(L, *r->uring.cq.kring_entries);
  return 1;
}

static const luaL_Reg methods[] = {
  {"close", l_ring_close},
  {"cq_has_overflow", l_ring_cq_has_overflow},
  {"cq_ready", l_ring_cq_ready},
  {"cqes", l_cqe_each},
  {"enable_rings", l_ring_enable_rings},
  {"fileno", l_ring_fileno},
  {"get_sqe", l_ring_get_sqe},
  {"peek_cqe", l_ring_peek_cqe},
  {"sq_ready", l_ring_sq_ready},
  {"sq_space_left", l_ring_sq_space_left},
  {"stats", l_ring_stats},
  {"submit", l_ring_submit},
  {"submit_and_wait", l_ring_submit_and_wait},
  {"submit_and_wait_timeout", l_ring_submit_and_wait},
  {"supports", l_ring_supports},
  {"wait_cqe", l_ring_wait_cqe},
  {"wait_cqes", l_ring_wait_cqes},
  {NULL, NULL}
};

static const luaL_Reg meta[] = {
  {"__close", l_ring_close},
  {"__gc", l_ring_gc},
  {"__tostring", l_ring_tostring},
  {NULL, NULL}
};

/* Replace the metatable's __index by one that knows the fields, too. */
static void open_fields(lua_State *L, State *S) {
  luaL_getmetatable(L, RING_TYPE);
  lua_pushlightuserdata(L, S);
  lua_getfield(L, -2, "__index");
  lua_pushcclosure(L, l_ring_index, 2);
  lua_setfield(L, -2, "__index");
  lua_pop(L, 1);
}

void ring_open(lua_State *L, State *S) {
  unit_type(L, S, RING_TYPE, methods, meta);
  open_fields(L, S);
}
