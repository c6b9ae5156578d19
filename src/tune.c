/* SPDX-License-Identifier: MIT
**
** tune.c - the register calls that are about the ring itself: what it may
** do, whom it tells, how it waits and works.
**
** The names and the order of arguments are liburing's; what liburing takes
** in a structure is a table here.  true, a number or a table comes back, or
** nil, message, errno.
*/

#include <errno.h>
#include <sched.h>
#include <unistd.h>

#include "uring.h"
#include "prep.h"

static void set(lua_State *L, const char *name, uint64_t value) {
  lua_pushinteger(L, (lua_Integer)value);
  lua_setfield(L, -2, name);
}

/* A call without arguments: true [-0, +1 or 3, e]. */
static int plain(lua_State *L, unsigned opcode, const char *what) {
  return reg_result(L, reg_call(ring_check(L, 1), opcode, NULL, 0), what,
                    opcode);
}

/* ---- notifications ------------------------------------------------------ */

static int eventfd(lua_State *L, unsigned opcode, const char *what) {
  Ring *r = ring_check(L, 1);
  Fd *own;
  int fd = fd_arg(L, 2, &own);
  ring_usable(L, r);
  return reg_result(L, reg_call(r, opcode, &fd, 1), what, opcode);
}

/* ring:register_eventfd(fd) -> true; it counts completions */
static int l_register_eventfd(lua_State *L) {
  return eventfd(L, IORING_REGISTER_EVENTFD, "register_eventfd");
}

/* ring:register_eventfd_async(fd) -> true; only those of worker threads */
static int l_register_eventfd_async(lua_State *L) {
  return eventfd(L, IORING_REGISTER_EVENTFD_ASYNC, "register_eventfd_async");
}

static int l_unregister_eventfd(lua_State *L) {
  return plain(L, IORING_UNREGISTER_EVENTFD, "unregister_eventfd");
}

/* ring:cq_eventfd_toggle(boolean) -> true; 5.8 */
static int l_cq_eventfd_toggle(lua_State *L) {
  Ring *r = ring_check(L, 1);
  int rc;
  luaL_checktype(L, 2, LUA_TBOOLEAN);
  rc = io_uring_cq_eventfd_toggle(&r->uring, lua_toboolean(L, 2));
  return reg_result(L, rc, "cq_eventfd_toggle", 0);
}

/* ring:cq_eventfd_enabled() -> boolean */
static int l_cq_eventfd_enabled(lua_State *L) {
  lua_pushboolean(L, io_uring_cq_eventfd_enabled(&ring_check(L, 1)->uring));
  return 1;
}

/*
** ring:register_sync_msg(res, data [, flags]) -> true
** core.register_sync_msg(fd, res, data [, flags]), by its descriptor.
** A completion on that ring, from any thread, without a ring of one's own;
** 6.13.  See sqe:prep_msg_ring.
*/
static int l_register_sync_msg(lua_State *L) {
  struct io_uring_sqe sqe;
  Fd *own;
  unsigned res = (unsigned)args_int(L, 2, 0, MAX_U32);
  int64_t data = args_optint(L, 3, 0, MESSAGE_MIN, MESSAGE_MAX);
  unsigned flags = (unsigned)args_optint(L, 4, 0, 0, MAX_U32);
  int fd = fd_arg(L, 1, &own);
  memset(&sqe, 0, sizeof sqe);
  prep_msg_ring(&sqe, fd, res, message_tag(data), flags, 0);
  return reg_result(L, io_uring_register((unsigned)-1,
    U_REGISTER_SEND_MSG_RING, &sqe, 1), "register_sync_msg",
    U_REGISTER_SEND_MSG_RING);
}

/* ---- asking ------------------------------------------------------------- */

/*
** ring:register_probe() -> {last_op =, ops = {[0] = boolean, ...}, names =
** {name = boolean, ...}}: what the running kernel has
*/
static int l_register_probe(lua_State *L) {
  enum { N = 256 };
  Ring *r = ring_check(L, 1);
  struct io_uring_probe *p;
  int rc;
  size_t size = sizeof *p + N * sizeof(struct io_uring_probe_op);
  p = lua_newuserdatauv(L, size, 0);
  memset(p, 0, size);
  rc = reg_call(r, IORING_REGISTER_PROBE, p, N);
  if (rc < 0)
    return reg_result(L, rc, "register_probe", 0);
  lua_createtable(L, 0, 3);
  set(L, "last_op", p->last_op);
  lua_createtable(L, p->ops_len, 1);
  for (int i = 0; i < p->ops_len; i++) {
    lua_pushboolean(L, p->ops[i].flags & IO_URING_OP_SUPPORTED);
    lua_rawseti(L, -2, i);
  }
  lua_setfield(L, -2, "ops");
  lua_createtable(L, 0, (int)op_count);
  for (unsigned i = 0; i < op_count; i++) {
    unsigned code = op_defs[i].opcode;
    lua_pushboolean(L, code < p->ops_len &&
                       (p->ops[code].flags & IO_URING_OP_SUPPORTED));
    lua_setfield(L, -2, op_defs[i].name);
  }
  lua_setfield(L, -2, "names");
  return 1;
}

/*
** core.register_query() -> {request_opcodes =, register_opcodes =,
** features =, setup_flags =, enter_flags =, sqe_flags =}; 6.18
*/
static int l_register_query(lua_State *L) {
  struct compat_query_opcodes a;
  struct compat_query q;
  int rc;
  memset(&a, 0, sizeof a);
  memset(&q, 0, sizeof q);
  q.data = (uint64_t)(uintptr_t)&a;
  q.size = sizeof a;
  rc = io_uring_register((unsigned)-1, U_REGISTER_QUERY, &q, 0);
  if (rc < 0 || q.result < 0)
    return err_fail(L, rc < 0 ? -rc : -q.result, "register_query", NULL);
  lua_createtable(L, 0, 8);
  set(L, "request_opcodes", a.request_opcodes);
  set(L, "register_opcodes", a.register_opcodes);
  set(L, "features", a.features);
  set(L, "setup_flags", a.setup_flags);
  set(L, "enter_flags", a.enter_flags);
  set(L, "sqe_flags", a.sqe_flags);
  set(L, "query_opcodes", a.query_opcodes);
  return 1;
}

/* ring:buf_ring_head(group) -> where the kernel takes the next buffer; 6.8 */
static int l_buf_ring_head(lua_State *L) {
  Ring *r = ring_check(L, 1);
  struct compat_buf_status s;
  int rc;
  memset(&s, 0, sizeof s);
  s.buf_group = (unsigned)args_int(L, 2, 0, 65535);
  rc = reg_call(r, U_REGISTER_PBUF_STATUS, &s, 1);
  if (rc < 0)
    return reg_result(L, rc, "buf_ring_head", U_REGISTER_PBUF_STATUS);
  lua_pushinteger(L, s.head);
  return 1;
}

/* ---- rights ------------------------------------------------------------- */

/* ring:register_personality() -> id, for sqe:set_personality */
static int l_register_personality(lua_State *L) {
  int rc = reg_call(ring_check(L, 1), IORING_REGISTER_PERSONALITY, NULL, 0);
  if (rc < 0)
    return reg_result(L, rc, "register_personality", 0);
  lua_pushinteger(L, rc);
  return 1;
}

static int l_unregister_personality(lua_State *L) {
  Ring *r = ring_check(L, 1);
  unsigned id = (unsigned)args_int(L, 2, 0, UINT16_MAX);
  return reg_result(L, reg_call(r, IORING_UNREGISTER_PERSONALITY, NULL, id),
                    "unregister_personality", 0);
}

/* One restriction, its table on top of the stack [e]. */
static void read_restriction(lua_State *L, struct io_uring_restriction *x) {
  static const char *const kinds[] = {"register_op", "sqe_op",
    "sqe_flags_allowed", "sqe_flags_required"};
  memset(x, 0, sizeof *x);
  for (unsigned i = 0; i < 4; i++) {
    lua_getfield(L, -1, kinds[i]);
    if (!lua_isnil(L, -1)) {
      x->opcode = (uint16_t)i;
      if (i == 1 && lua_type(L, -1) == LUA_TSTRING) {
        const OpDef *def = op_def(lua_tostring(L, -1));
        luaL_argcheck(L, def != NULL, 2, "no operation has that name");
        x->sqe_op = def->opcode;
      }
      else  /* the other members have the same place */
        x->sqe_op = (uint8_t)args_int(L, lua_gettop(L), 0, 255);
      lua_pop(L, 1);
      return;
    }
    lua_pop(L, 1);
  }
  luaL_argerror(L, 2, "restriction expected: register_op, sqe_op, "
                      "sqe_flags_allowed or sqe_flags_required");
}

/*
** ring:register_restrictions(list) -> true
** The list has tables {sqe_op = "read"}, {sqe_flags_allowed = integer},
** {sqe_flags_required = integer}, {register_op = integer}; for a ring that
** was made with r_disabled and is not enabled yet; 5.10.  Without
** "cancel" such a ring cannot be closed while it has operations in flight.
*/
static int l_register_restrictions(lua_State *L) {
  Ring *r = ring_check(L, 1);
  struct io_uring_restriction *x;
  unsigned n;
  luaL_checktype(L, 2, LUA_TTABLE);
  n = (unsigned)lua_rawlen(L, 2);
  luaL_argcheck(L, n >= 1 && n <= 256, 2, "list of 1 to 256 expected");
  x = lua_newuserdatauv(L, n * sizeof *x, 0);
  for (unsigned i = 0; i < n; i++) {
    luaL_argcheck(L, lua_rawgeti(L, 2, i + 1) == LUA_TTABLE, 2,
                  "list of tables expected");
    read_restriction(L, &x[i]);
    lua_pop(L, 1);
  }
  ring_usable(L, r);
  return reg_result(L, reg_call(r, IORING_REGISTER_RESTRICTIONS, x, n),
                    "register_restrictions", 0);
}

/* ---- workers ------------------------------------------------------------ */

/* ring:register_iowq_aff(list of processors, from 0) -> true; 5.14 */
static int l_register_iowq_aff(lua_State *L) {
  Ring *r = ring_check(L, 1);
  cpu_set_t cpus;
  luaL_checktype(L, 2, LUA_TTABLE);
  CPU_ZERO(&cpus);
  for (unsigned i = 1; i <= lua_rawlen(L, 2); i++) {
    lua_rawgeti(L, 2, i);
    CPU_SET((unsigned)args_int(L, lua_gettop(L), 0, CPU_SETSIZE - 1), &cpus);
    lua_pop(L, 1);
  }
  return reg_result(L, reg_call(r, IORING_REGISTER_IOWQ_AFF, &cpus,
                    sizeof cpus), "register_iowq_aff", 0);
}

static int l_unregister_iowq_aff(lua_State *L) {
  return plain(L, IORING_UNREGISTER_IOWQ_AFF, "unregister_iowq_aff");
}

/*
** ring:register_iowq_max_workers([bounded [, unbounded]]) -> the numbers
** before; 0 or nil leaves one as it is; 5.15
*/
static int l_register_iowq_max_workers(lua_State *L) {
  Ring *r = ring_check(L, 1);
  unsigned n[2];
  int rc;
  n[0] = (unsigned)args_optint(L, 2, 0, 0, MAX_U32);
  n[1] = (unsigned)args_optint(L, 3, 0, 0, MAX_U32);
  rc = reg_call(r, IORING_REGISTER_IOWQ_MAX_WORKERS, n, 2);
  if (rc < 0)
    return reg_result(L, rc, "register_iowq_max_workers", 0);
  lua_pushinteger(L, n[0]);
  lua_pushinteger(L, n[1]);
  return 2;
}

/* ---- the ring's own descriptor ------------------------------------------ */

/*
** ring:register_ring_fd() -> true
** Spares the kernel a look at the table of descriptors at each enter.  A
** thread has 16 places for that.  5.18
*/
static int l_register_ring_fd(lua_State *L) {
  Ring *r = ring_check(L, 1);
  int rc = r->registered ? -EEXIST : io_uring_register_ring_fd(&r->uring);
  r->registered |= rc > 0;
  return reg_result(L, rc, "register_ring_fd", 0);
}

/* ring:unregister_ring_fd() -> true; nil, ..., EINVAL if it is not */
static int l_unregister_ring_fd(lua_State *L) {
  Ring *r = ring_check(L, 1);
  int rc = !r->registered || r->uring.ring_fd < 0 ? -EINVAL
    : io_uring_unregister_ring_fd(&r->uring);
  if (rc > 0)
    r->registered = false;
  return reg_result(L, rc, "unregister_ring_fd", 0);
}

static const luaL_Reg methods[] = {
  {"buf_ring_head", l_buf_ring_head},
  {"cq_eventfd_enabled", l_cq_eventfd_enabled},
  {"cq_eventfd_toggle", l_cq_eventfd_toggle},
  {"register_eventfd", l_register_eventfd},
  {"register_eventfd_async", l_register_eventfd_async},
  {"register_iowq_aff", l_register_iowq_aff},
  {"register_iowq_max_workers", l_register_iowq_max_workers},
  {"register_personality", l_register_personality},
  {"register_probe", l_register_probe},
  {"register_query", l_register_query},
  {"register_restrictions", l_register_restrictions},
  {"register_ring_fd", l_register_ring_fd},
  {"register_sync_msg", l_register_sync_msg},
  {"unregister_eventfd", l_unregister_eventfd},
  {"unregister_iowq_aff", l_unregister_iowq_aff},
  {"unregister_personality", l_unregister_personality},
  {"unregister_ring_fd", l_unregister_ring_fd},
  {NULL, NULL}
};

static const luaL_Reg functions[] = {
  {"register_query", l_register_query},
  {"register_sync_msg", l_register_sync_msg},
  {NULL, NULL}
};

void tune_open(lua_State *L, State *S) {
  unit_methods(L, S, RING_TYPE, methods);
  lua_pushlightuserdata(L, S);
  luaL_setfuncs(L, functions, 1);
}
