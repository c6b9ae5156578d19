/* SPDX-License-Identifier: MIT
**
** enter.c - how a ring waits: io_uring_enter(2) itself, cancelling in one
** call, clocks, busy polling, registered waits; and the calls that need a
** network card or a kernel that few have.
*/

#include <errno.h>

#include "uring.h"

static void set(lua_State *L, const char *name, uint64_t value) {
  lua_pushinteger(L, (lua_Integer)value);
  lua_setfield(L, -2, name);
}

/* ---- enter -------------------------------------------------------------- */

/* What the fourth argument of enter says. */
typedef struct Wait {
  struct compat_enter_arg arg;
  struct __kernel_timespec ts;
  uint64_t mask;       /* signals that are blocked meanwhile */
  bool some;           /* there is any of these */
  bool masked;
} Wait;

/* The signals of the list at 'index' as the kernel's mask [e]. */
static uint64_t signals(lua_State *L, int index) {
  uint64_t mask = 0;
  luaL_checktype(L, index, LUA_TTABLE);
  for (unsigned i = 1; i <= lua_rawlen(L, index); i++) {
    lua_rawgeti(L, index, i);
    mask |= UINT64_C(1) << (args_int(L, lua_gettop(L), 1, 64) - 1);
    lua_pop(L, 1);
  }
  return mask;
}

static void read_timeout(lua_State *L, int index, Wait *w) {
  int64_t ns = args_seconds(L, index);
  w->ts.tv_sec = ns / SECOND;
  w->ts.tv_nsec = ns % SECOND;
  w->arg.ts = (uint64_t)(uintptr_t)&w->ts;
  w->some = true;
}

static void read_mask(lua_State *L, int index, Wait *w) {
  w->mask = signals(L, index);
  w->arg.sigmask = (uint64_t)(uintptr_t)&w->mask;
  w->arg.sigmask_size = sizeof w->mask;
  w->some = w->masked = true;
}

/* Seconds, a list of signals, or a table of these and more, at 4 [e]. */
static void read_wait(lua_State *L, Wait *w) {
  static const char *const names[] =
    {"timeout", "sigmask", "min_wait_usec", NULL};
  memset(w, 0, sizeof *w);
  lua_settop(L, 5);
  if (lua_isnil(L, 5))
    return;
  if (lua_type(L, 5) == LUA_TNUMBER) {
    read_timeout(L, 5, w);
    return;
  }
  luaL_checktype(L, 5, LUA_TTABLE);
  if (lua_rawlen(L, 5) > 0) {
    read_mask(L, 5, w);
    return;
  }
  form_only(L, 5, names);
  w->arg.min_wait_usec = form_u32(L, 5, "min_wait_usec");
  w->some = w->arg.min_wait_usec != 0;
  lua_getfield(L, 5, "timeout");
  if (!lua_isnil(L, 6))
    read_timeout(L, 6, w);
  lua_getfield(L, 5, "sigmask");
  if (!lua_isnil(L, 7))
    read_mask(L, 7, w);
}

/*
** Show the kernel what is prepared; entries that it has not taken.  A thread
** of the kernel's takes all of them, whatever enter is told to submit.
*/
static unsigned flush(Ring *r) {
  uint64_t before = r->stats.submitted;
  uint32_t head = r->uring.sq.sqe_head;
  unsigned n = ring_flush(r);
  if (r->uring.flags & IORING_SETUP_SQPOLL)
    r->stats.submitted = before + (r->uring.sq.sqe_tail - head);
  return n;
}

/*
** ring:enter(to_submit, min_complete, flags [, timeout | signals | table])
** -> entries that were submitted | nil, message, errno
** io_uring_enter(2), with its flags; to_submit nil is for all there are.
** What comes last is a timeout in seconds, a list of signals that are
** blocked meanwhile, or {timeout =, sigmask =, min_wait_usec =}: it sets
** IORING_ENTER_EXT_ARG.  With IORING_ENTER_EXT_ARG_REG it is the index of a
** wait in the region.  Completions are left to cqes, wait_cqe and so on.
*/
static int l_enter(lua_State *L) {
  Ring *r = ring_check(L, 1);
  struct io_uring *u = &r->uring;
  unsigned ready = flush(r);
  unsigned n = (unsigned)args_optint(L, 2, ready, 0, MAX_U32);
  unsigned want = (unsigned)args_optint(L, 3, 0, 0, MAX_U32);
  unsigned flags = (unsigned)args_optint(L, 4, 0, 0, MAX_U32);
  Wait w;
  void *arg = NULL;
  size_t size = 0;
  int rc;
  if (flags & U_ENTER_EXT_ARG_REG) {
    arg = (void *)(uintptr_t)(args_int(L, 5, 0, 65535) *
                              (lua_Integer)sizeof(struct compat_reg_wait));
    size = sizeof(struct compat_reg_wait);
    flags |= IORING_ENTER_EXT_ARG;
  }
  else {
    read_wait(L, &w);
    if (w.some || (flags & IORING_ENTER_EXT_ARG)) {
      flags |= IORING_ENTER_EXT_ARG;
      arg = &w.arg;
      size = sizeof w.arg;
    }
  }
  ring_usable(L, r);
  if (r->registered)
    flags |= IORING_ENTER_REGISTERED_RING;
  else
    flags &= ~(unsigned)IORING_ENTER_REGISTERED_RING;
  rc = io_uring_enter2((unsigned)u->enter_ring_fd, n, want, flags, arg, size);
  r->stats.enters++;
  if (rc < 0)
    return ident_fail(L, r, -rc, "enter");
  if (!(u->flags & IORING_SETUP_SQPOLL))
    r->stats.submitted += (unsigned)rc;
  hook_check(L);
  lua_pushinteger(L, rc);
  return 1;
}

/* ---- cancelling, clocks, regions ---------------------------------------- */

/*
** ring:register_sync_cancel{target =, fd =, flags =, timeout =, opcode =}
** -> number cancelled; waits until they have ended, 'timeout' seconds at
** most; 6.0.  'target' is an sqe, a task, or what set_data kept.
*/
static int l_register_sync_cancel(lua_State *L) {
  static const char *const names[] =
    {"target", "fd", "flags", "timeout", "opcode", NULL};
  Ring *r = ring_check(L, 1);
  struct compat_sync_cancel c;
  int64_t ns = FOREVER;
  int rc;
  Fd *own = NULL;
  luaL_checktype(L, 2, LUA_TTABLE);
  form_only(L, 2, names);
  lua_settop(L, 2);
  memset(&c, 0, sizeof c);
  c.flags = form_u32(L, 2, "flags");
  c.opcode = (uint8_t)form_u32(L, 2, "opcode");
  c.fd = -1;
  lua_getfield(L, 2, "timeout");
  ns = args_optseconds(L, 3, FOREVER);
  c.sec = ns == FOREVER ? -1 : ns / SECOND;
  c.nsec = ns == FOREVER ? -1 : ns % SECOND;
  lua_getfield(L, 2, "fd");
  if (!lua_isnil(L, 4)) {
    c.fd = fd_arg_any(L, 4, r, &own);
    c.flags |= IORING_ASYNC_CANCEL_FD;
    if (own && own->ring)
      c.flags |= IORING_ASYNC_CANCEL_FD_FIXED;
  }
  lua_getfield(L, 2, "target");
  if (!lua_isnil(L, 5))
    c.addr = args_target(L, 5, r);
  ring_usable(L, r);
  rc = reg_call(r, IORING_REGISTER_SYNC_CANCEL, &c, 1);
  if (rc < 0)
    return reg_result(L, rc, "register_sync_cancel", 0);
  lua_pushinteger(L, rc);
  return 1;
}

static int napi_result(lua_State *L, int rc, const struct compat_napi *n,
                       const char *what) {
  if (rc < 0)
    return reg_result(L, rc, what, U_REGISTER_NAPI);
  lua_createtable(L, 0, 2);
  set(L, "busy_poll_to", n->busy_poll_to);
  lua_pushboolean(L, n->prefer_busy_poll);
  lua_setfield(L, -2, "prefer_busy_poll");
  return 1;
}

/*
** ring:register_napi{busy_poll_to = microseconds, prefer_busy_poll =,
** opcode =, op_param =} -> a table of what it was before; 6.9
*/
static int l_register_napi(lua_State *L) {
  static const char *const names[] =
    {"busy_poll_to", "prefer_busy_poll", "opcode", "op_param", NULL};
  Ring *r = ring_check(L, 1);
  struct compat_napi n;
  int rc;
  luaL_checktype(L, 2, LUA_TTABLE);
  form_only(L, 2, names);
  memset(&n, 0, sizeof n);
  n.busy_poll_to = form_u32(L, 2, "busy_poll_to");
  n.prefer_busy_poll = form_flag(L, 2, "prefer_busy_poll");
  n.opcode = (uint8_t)form_u32(L, 2, "opcode");
  n.op_param = form_u32(L, 2, "op_param");
  rc = reg_call(r, U_REGISTER_NAPI, &n, 1);
  return napi_result(L, rc, &n, "register_napi");
}

/* ring:unregister_napi() -> a table of what it was; 6.9 */
static int l_unregister_napi(lua_State *L) {
  Ring *r = ring_check(L, 1);
  struct compat_napi n;
  memset(&n, 0, sizeof n);
  return napi_result(L, reg_call(r, U_UNREGISTER_NAPI, &n, 1), &n,
                     "unregister_napi");
}

/* ring:register_clock(CLOCK_MONOTONIC or CLOCK_BOOTTIME) -> true; 6.12 */
static int l_register_clock(lua_State *L) {
  Ring *r = ring_check(L, 1);
  struct compat_clock c;
  memset(&c, 0, sizeof c);
  c.clockid = (uint32_t)args_int(L, 2, 0, INT32_MAX);
  return reg_result(L, reg_call(r, U_REGISTER_CLOCK, &c, 0), "register_clock",
                    U_REGISTER_CLOCK);
}

/*
** ring:register_region(buffer [, flags]) -> true
** Memory for waits that are registered (core.reg_wait), whole pages of it,
** until the ring is closed; with IORING_MEM_REGION_REG_WAIT_ARG only on a
** ring that is not enabled yet.  6.13
*/
static int l_register_region(lua_State *L) {
  Ring *r = ring_check(L, 1);
  Block *b = buf_check(L, 2);
  struct compat_region_desc d;
  struct compat_region reg;
  int rc;
  memset(&d, 0, sizeof d);
  memset(&reg, 0, sizeof reg);
  reg.flags = (uint64_t)args_optint(L, 3, 0, 0, MAX_U32);
  d.user_addr = (uint64_t)(uintptr_t)b->data;
  d.size = b->size;
  d.flags = U_REGION_TYPE_USER;
  reg.desc = (uint64_t)(uintptr_t)&d;
  if (!ring_keep(r, b))
    return luaL_error(L, "not enough memory");
  rc = reg_call(r, U_REGISTER_MEM_REGION, &reg, 1);
  return reg_result(L, rc, "register_region", U_REGISTER_MEM_REGION);
}

/*
** core.reg_wait{timeout = seconds, min_wait_usec =} -> 64 bytes, for a buffer
** that is given to register_region; IORING_ENTER_EXT_ARG_REG uses it
*/
static int l_reg_wait(lua_State *L) {
  static const char *const names[] = {"timeout", "min_wait_usec", NULL};
  struct compat_reg_wait w;
  luaL_checktype(L, 1, LUA_TTABLE);
  form_only(L, 1, names);
  lua_settop(L, 1);
  memset(&w, 0, sizeof w);
  w.min_wait_usec = form_u32(L, 1, "min_wait_usec");
  lua_getfield(L, 1, "timeout");
  if (!lua_isnil(L, 2)) {
    int64_t ns = args_seconds(L, 2);
    w.sec = ns / SECOND;
    w.nsec = ns % SECOND;
    w.flags = 1;  /* IORING_REG_WAIT_TS */
  }
  lua_pushlstring(L, (const char *)&w, sizeof w);
  return 1;
}

/* ---- for few machines --------------------------------------------------- */

/*
** ring:register_ifq{if_idx =, if_rxq =, rq_entries =, flags =, area = buffer,
** region = buffer} -> {zcrx_id =, rq_area_token =, head =, tail =, rqes =}
** A queue of a network card whose packets go to memory of ours; 6.15.
*/
static int l_register_ifq(lua_State *L) {
  static const char *const names[] =
    {"if_idx", "if_rxq", "rq_entries", "flags", "area", "region", NULL};
  Ring *r = ring_check(L, 1);
  struct compat_ifq q;
  struct compat_ifq_area area;
  struct compat_region_desc region;
  Block *b[2];
  int rc;
  luaL_checktype(L, 2, LUA_TTABLE);
  form_only(L, 2, names);
  lua_settop(L, 2);
  memset(&q, 0, sizeof q);
  memset(&area, 0, sizeof area);
  memset(&region, 0, sizeof region);
  q.if_idx = form_u32(L, 2, "if_idx");
  q.if_rxq = form_u32(L, 2, "if_rxq");
  q.rq_entries = form_u32(L, 2, "rq_entries");
  q.flags = form_u32(L, 2, "flags");
  lua_getfield(L, 2, "area");
  lua_getfield(L, 2, "region");
  for (int i = 0; i < 2; i++) {
    luaL_argcheck(L, buf_test(L, 3 + i) != NULL, 2,
                  "fields 'area' and 'region': buffers expected");
    b[i] = buf_test(L, 3 + i);
  }
  area.addr = (uint64_t)(uintptr_t)b[0]->data;
  area.len = b[0]->size;
  region.user_addr = (uint64_t)(uintptr_t)b[1]->data;
  region.size = b[1]->size;
  region.flags = U_REGION_TYPE_USER;
  q.area = (uint64_t)(uintptr_t)&area;
  q.region = (uint64_t)(uintptr_t)&region;
  ring_usable(L, r);
  if (!ring_keep(r, b[0]) || !ring_keep(r, b[1]))
    return luaL_error(L, "not enough memory");
  rc = reg_call(r, U_REGISTER_ZCRX_IFQ, &q, 1);
  if (rc < 0)
    return reg_result(L, rc, "register_ifq", U_REGISTER_ZCRX_IFQ);
  lua_createtable(L, 0, 5);
  set(L, "zcrx_id", q.zcrx_id);
  set(L, "rq_area_token", area.rq_area_token);
  set(L, "head", q.head);
  set(L, "tail", q.tail);
  set(L, "rqes", q.rqes);
  return 1;
}

/* ring:register_zcrx_ctrl{zcrx_id =, op =} -> true; 6.19 */
static int l_register_zcrx_ctrl(lua_State *L) {
  static const char *const names[] = {"zcrx_id", "op", NULL};
  Ring *r = ring_check(L, 1);
  struct compat_zcrx_ctrl c;
  luaL_checktype(L, 2, LUA_TTABLE);
  form_only(L, 2, names);
  memset(&c, 0, sizeof c);
  c.zcrx_id = form_u32(L, 2, "zcrx_id");
  c.op = form_u32(L, 2, "op");
  return reg_result(L, reg_call(r, U_REGISTER_ZCRX_CTRL, &c, 0),
                    "register_zcrx_ctrl", U_REGISTER_ZCRX_CTRL);
}

/* A filter of operations, in the table at 'arg' [e]. */
static void read_filter(lua_State *L, int arg, struct compat_bpf *b) {
  static const char *const names[] =
    {"opcode", "flags", "filter", "pdu_size", NULL};
  size_t len = 0;
  luaL_checktype(L, arg, LUA_TTABLE);
  form_only(L, arg, names);
  memset(b, 0, sizeof *b);
  b->cmd_type = 1;  /* IO_URING_BPF_CMD_FILTER */
  b->opcode = form_u32(L, arg, "opcode");
  b->flags = form_u32(L, arg, "flags");
  b->pdu_size = (uint8_t)form_u32(L, arg, "pdu_size");
  lua_getfield(L, arg, "filter");
  luaL_argcheck(L, lua_type(L, -1) == LUA_TSTRING, arg,
                "field 'filter': string expected");
  b->filter = (uint64_t)(uintptr_t)lua_tolstring(L, -1, &len);
  luaL_argcheck(L, len % 8 == 0 && len / 8 <= 4096, arg,
                "field 'filter': instructions of 8 bytes expected");
  b->filter_len = (uint32_t)(len / 8);
}

/*
** ring:register_bpf_filter{opcode =, flags =, filter = string, pdu_size =}
** -> true; the string is a classic BPF program; 7.0
*/
static int l_register_bpf_filter(lua_State *L) {
  Ring *r = ring_check(L, 1);
  struct compat_bpf b;
  read_filter(L, 2, &b);
  return reg_result(L, reg_call(r, U_REGISTER_BPF_FILTER, &b, 1),
                    "register_bpf_filter", U_REGISTER_BPF_FILTER);
}

/* core.register_bpf_filter_task{...} -> true; for this thread's rings; 7.0 */
static int l_register_bpf_filter_task(lua_State *L) {
  struct compat_bpf b;
  read_filter(L, 1, &b);
  return reg_result(L, io_uring_register((unsigned)-1, U_REGISTER_BPF_FILTER,
                    &b, 1), "register_bpf_filter_task",
                    U_REGISTER_BPF_FILTER);
}

static const luaL_Reg methods[] = {
  {"enter", l_enter},
  {"register_bpf_filter", l_register_bpf_filter},
  {"register_clock", l_register_clock},
  {"register_ifq", l_register_ifq},
  {"register_napi", l_register_napi},
  {"register_region", l_register_region},
  {"register_sync_cancel", l_register_sync_cancel},
  {"register_zcrx_ctrl", l_register_zcrx_ctrl},
  {"unregister_napi", l_unregister_napi},
  {NULL, NULL}
};

static const luaL_Reg functions[] = {
  {"reg_wait", l_reg_wait},
  {"register_bpf_filter_task", l_register_bpf_filter_task},
  {NULL, NULL}
};

void enter_open(lua_State *L, State *S) {
  unit_methods(L, S, RING_TYPE, methods);
  lua_pushlightuserdata(L, S);
  luaL_setfuncs(L, functions, 1);
}
