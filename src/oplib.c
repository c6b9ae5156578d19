/* SPDX-License-Identifier: MIT
**
** oplib.c - uring.op: every operation as a function that waits.
**
** Each function is a closure over its row of ops.def.  Everything that can
** raise comes before the slot is taken.
*/

#include <errno.h>
#include <stdio.h>

#include "uring.h"

#define FD_TEXT 24

/* What the arguments name, for a message or a trace; NULL for nothing. */
static const char *describe(const Args *a, char *out) {
  if (a->path[0])
    return a->path[0];
  if (a->fd < 0)
    return NULL;
  snprintf(out, FD_TEXT, "fd %d", a->fd);
  return out;
}

static void trace_submit(lua_State *L, State *S, const OpDef *def,
                         const Args *a) {
  char what[FD_TEXT];
  debug_trace(L, S, "submit", def->name, describe(a, what), 0, NULL);
}

/* Push the failure of an operation whose lane another task is in. */
static int busy(lua_State *L, const OpDef *def, const Fd *f) {
  char what[FD_TEXT];
  snprintf(what, sizeof what, "fd %d", f->fd);
  return err_fail(L, EBUSY, def->name, what);
}

#define POOL_FEW 128u
#define POOL_LEAST 512u  /* bytes for which a provided buffer is worth it */

/*
** Where many reads wait that return strings, those that may have to wait
** long take memory only when there is data; if they ask for no more than a
** provided buffer has.  A few have memory of their own, which is a little
** faster: the kernel takes provided buffers in turn, not the warmest.
*/
static Group *pool_for(Ring *r, const OpDef *def, const Args *a) {
  if (!a->want || a->len < POOL_LEAST || a->len > POOL_BUFFER ||
      a->group != NULL || a->flags != 0 || r->pool.lent < POOL_FEW)
    return a->group;
  if (def->opcode == IORING_OP_RECV || (def->opcode == IORING_OP_READ &&
      a->own[0] && a->offset == UINT64_MAX && fd_pollable(a->own[0])))
    return group_pool(r);
  return NULL;
}

/*
** op.<name>(...): the second upvalue is the operation's row.  Everything
** that can raise comes before the slot is taken.
*/
static int call(lua_State *L, const OpDef *def, int lane,
                const With *with) {
  State *S = state_get(L);
  Ring *r = sched_ring(L, S);
  Args a;
  Op *op;
  char what[FD_TEXT];
  if (r == NULL)
    return 3;
  args_read(L, def, 1, r, false, &a);
  with_check(L, 1, def, with, &a);
  if (S->on_trace != LUA_NOREF)
    trace_submit(L, S, def, &a);
  op_reserve(L, r);
  args_settle(L, &a);
  ring_usable(L, r);
  if (def->opcode == IORING_OP_CLOSE && (a.own[0] || a.own[1]))
    return fd_await_close(L, S, a.own[a.own[0] == NULL]);
  if (!op_known(r, def))
    return op_unsupported(L, def);
  for (int i = 0; i < 2; i++)
    if (a.own[i] && a.own[i]->state != FD_OPEN)
      return op_closing(L, def, a.own[i]);
  if (lane != LANE_NONE && a.own[0] && fd_lane_busy(a.own[0], r, lane))
    return busy(L, def, a.own[0]);
  if (a.own[0] == NULL && !a.fixed && debug_closed(S, a.fd))
    return debug_bad_fd(L, S, def->name, describe(&a, what), a.fd);
  if (a.takes && a.group == NULL)
    return luaL_error(L, "%s: buffer ring expected", def->name);
  a.group = pool_for(r, def, &a);
  op = op_new(L, r, def, &a, false);
  if (lane != LANE_NONE && a.own[0])
    a.own[0]->lanes[lane] =
      (Lane){r->number, op->slot.index, op->slot.generation};
  with_apply(op, op_submit(L, op, &a), with);
  return sched_await(L, S, op);
}

/* The row of an operation: the second upvalue. */
static const OpDef *row(lua_State *L) {
  return lua_touserdata(L, lua_upvalueindex(2));
}

/* What op.with has set: the third upvalue, where there is one. */
static const With *with_of(lua_State *L) {
  return lua_touserdata(L, lua_upvalueindex(3));
}

static int l_op_call(lua_State *L) {
  return call(L, row(L), LANE_NONE, with_of(L));
}

static int l_op_in(lua_State *L) { return call(L, row(L), LANE_IN, NULL); }
static int l_op_out(lua_State *L) { return call(L, row(L), LANE_OUT, NULL); }

/* The same for a multishot: returns an iterator. */
static int l_op_multi(lua_State *L) {
  return multi_start(L, state_get(L), row(L), with_of(L));
}

/* The function of uring.op for a row; its upvalues: state, row, options. */
lua_CFunction op_function(const OpDef *def) {
  return strchr(def->args, '*') ? l_op_multi : l_op_call;
}

/* Push the failure of an operation that this kernel does not have. */
int op_unsupported(lua_State *L, const OpDef *def) {
  luaL_pushfail(L);
  lua_pushfstring(L, "%s: operation not supported by this kernel",
                  def->name);
  lua_pushinteger(L, EOPNOTSUPP);
  return 3;
}

/* Push the failure of an operation on a descriptor that is being closed. */
int op_closing(lua_State *L, const OpDef *def, const Fd *f) {
  char what[24];
  snprintf(what, sizeof what, "fd %d", f->fd);
  return err_fail(L, EBADF, def->name, what);
}

/* op.supported(name) -> boolean; nil, message, errno without io_uring */
static int l_op_supported(lua_State *L) {
  State *S = state_get(L);
  const OpDef *def = op_def(luaL_checkstring(L, 1));
  Ring *r = sched_ring(L, S);
  if (r == NULL)
    return 3;
  lua_pushboolean(L, def != NULL && op_known(r, def));
  return 1;
}

/* Push a function for a row [-0, +1, e]. */
static void push(lua_State *L, State *S, const OpDef *def, lua_CFunction f) {
  lua_pushlightuserdata(L, S);
  lua_pushlightuserdata(L, (void *)(uintptr_t)def);
  lua_pushcclosure(L, f, 2);
}

/* Push the function of uring.op for a row [-0, +1, e]. */
void op_push(lua_State *L, State *S, const OpDef *def) {
  push(L, S, def, op_function(def));
}

/* core.stream.reading(fd) -> whether a task is in the direction of reads */
static int l_op_reading(lua_State *L) {
  State *S = state_get(L);
  const Ring *r = S->task ? S->task->ring : S->ring;
  const Fd *f = fd_test(L, 1);
  lua_pushboolean(L, f && r && fd_lane_busy(f, r, LANE_IN));
  return 1;
}

static void prep_recv(struct io_uring_sqe *sqe, const Args *a) {
  io_uring_prep_recv(sqe, a->fd, a->buf, a->len, 0);
}

static void prep_send(struct io_uring_sqe *sqe, const Args *a) {
  size_t len = a->len < INT32_MAX ? a->len : INT32_MAX;
  io_uring_prep_send(sqe, a->fd, a->buf, len, MSG_NOSIGNAL | MSG_WAITALL);
}

/* Rows of streams alone, with only the arguments that these use. */
static const OpDef
  stream_recv = {"recv", IORING_OP_RECV, RES_DATA, "fb", prep_recv},
  stream_send = {"send", IORING_OP_SEND, RES_COUNT, "fd", prep_send};

/* core.stream.recv(fd, n) -> string | nil, message, errno */
static int l_op_recv(lua_State *L) {
  return call(L, &stream_recv, LANE_IN, NULL);
}

/*
** core.stream.send(fd, string) -> bytes | nil, message, errno
** All of it, unless a signal or an error comes between.  False, and nothing
** is done, unless there is one string alone, which is not empty: that spares
** the caller two calls to find out.
*/
static int l_op_send(lua_State *L) {
  if (lua_gettop(L) != 2 || lua_type(L, 2) != LUA_TSTRING ||
      lua_rawlen(L, 2) == 0) {
    lua_pushboolean(L, 0);
    return 1;
  }
  return call(L, &stream_send, LANE_OUT, NULL);
}

/*
** core.stream: for streams.  One task at a time is in each direction;
** another one gets EBUSY at once.
*/
static void open_stream(lua_State *L, State *S) {
  static const luaL_Reg functions[] = {
    {"recv", l_op_recv}, {"send", l_op_send}, {"reading", l_op_reading},
    {NULL, NULL}
  };
  luaL_newlibtable(L, functions);
  lua_pushlightuserdata(L, S);
  luaL_setfuncs(L, functions, 1);
  push(L, S, op_def("read"), l_op_in);
  lua_setfield(L, -2, "read");
  push(L, S, op_def("write"), l_op_out);
  lua_setfield(L, -2, "write");
  lua_setfield(L, -2, "stream");
}

/* Names that are like the other ones. */
static const char *const aliases[][2] = {
  {"accept_multishot", "multishot_accept"},
  {"accept_multishot_direct", "multishot_accept_direct"}
};

/* The table core.op: a function for each row. */
void op_open(lua_State *L, State *S) {
  lua_createtable(L, 0, (int)op_count + 1);
  for (unsigned i = 0; i < op_count; i++) {
    op_push(L, S, &op_defs[i]);
    lua_setfield(L, -2, op_defs[i].name);
  }
  for (size_t i = 0; i < sizeof aliases / sizeof aliases[0]; i++) {
    lua_getfield(L, -1, aliases[i][1]);
    lua_setfield(L, -2, aliases[i][0]);
  }
  lua_pushlightuserdata(L, S);
  lua_pushcclosure(L, l_op_supported, 1);
  lua_setfield(L, -2, "supported");
  lua_setfield(L, -2, "op");
  open_stream(L, S);
}
