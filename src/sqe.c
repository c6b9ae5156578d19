/* SPDX-License-Identifier: MIT
**
** sqe.c - the table of operations, and the raw layer's submission entries.
**
** An Sqe object names an entry of the submission queue and the record behind
** it.  The entry is the script's until it is submitted; then a prep or a
** setter raises.  An entry that is never prepared is submitted as a NOP:
** the kernel's queue cannot be shortened.
*/

#include <errno.h>

#include "uring.h"
#include "prep.h"

/* ---- the table ---------------------------------------------------------- */

#define OP(name, opcode, args, result, prep) \
  static void fill_##name(struct io_uring_sqe *sqe, const Args *a) { \
    (void)a; \
    prep; \
  }
#include "ops.def"
#undef OP

#define OP(name, opcode, args, result, prep) \
  {#name, opcode, result, args, fill_##name},
const OpDef op_defs[] = {
#include "ops.def"
};
#undef OP

const unsigned op_count = sizeof op_defs / sizeof op_defs[0];

/* The row of that name, or NULL. */
const OpDef *op_def(const char *name) {
  for (unsigned i = 0; i < op_count; i++)
    if (strcmp(op_defs[i].name, name) == 0)
      return &op_defs[i];
  return NULL;
}

/* Does the running kernel have it?  Without a probe, let it answer itself. */
bool op_known(Ring *r, const OpDef *def) {
  return r->probe == NULL || io_uring_opcode_supported(r->probe, def->opcode);
}

/* ---- the entry ---------------------------------------------------------- */

typedef struct Sqe {
  Ring *ring;          /* kept alive by the user value */
  Op *op;
  uint32_t generation; /* of the operation */
  struct io_uring_sqe *sqe;
} Sqe;

/* Push a new entry, or nil when the queue is full [-0, +1, e]. */
int sqe_push(lua_State *L, Ring *r) {
  Args a;
  Sqe *s;
  memset(&a, 0, offsetof(Args, name));
  s = lua_newuserdatauv(L, sizeof *s, 1);
  memset(s, 0, sizeof *s);
  s->ring = r;
  ring_push(L, r);
  lua_setiuservalue(L, -2, 1);
  luaL_setmetatable(L, SQE_TYPE);
  op_reserve(L, r);
  ring_usable(L, r);  /* a finaliser may have closed it */
  if (io_uring_sq_space_left(&r->uring) == 0 || !link_alone(&r->backlog)) {
    luaL_pushfail(L);
    return 1;
  }
  s->op = op_new(L, r, NULL, NULL, true);
  s->generation = s->op->slot.generation;
  s->sqe = op_submit(L, s->op, &a);
  return 1;
}

/* The operation behind the Sqe at 'arg', or NULL when it has ended. */
Op *sqe_op(lua_State *L, int arg) {
  Sqe *s = luaL_checkudata(L, arg, SQE_TYPE);
  if (!s->ring->open)  /* its records may be freed */
    return NULL;
  if (!s->op->slot.used || s->op->slot.generation != s->generation)
    return NULL;
  return s->op;
}

/* The Sqe at 'arg', which is still the script's [e]. */
static Sqe *check(lua_State *L, int arg) {
  Sqe *s = luaL_checkudata(L, arg, SQE_TYPE);
  Op *op = sqe_op(L, arg);
  ring_usable(L, s->ring);
  if (op == NULL || !(op->state & OP_KERNEL) ||
      op->number < ring_unseen(s->ring))
    luaL_argerror(L, arg, "sqe was submitted already");
  if (!(op->state & OP_RAW))
    luaL_argerror(L, arg, "sqe is awaited already");
  return s;
}

/*
** A value of set_data or set_data64 among the ring's operations: the first
** live one that has it, or NULL.
*/
Op *sqe_find(lua_State *L, int arg, Ring *r) {
  int isint;
  lua_Integer n = lua_tointegerx(L, arg, &isint);
  Op *found = NULL;
  ring_push(L, r);
  if (lua_isnil(L, -1)) {
    lua_pop(L, 1);
    return NULL;
  }
  lua_getiuservalue(L, -1, RING_DATA);
  for (uint32_t i = 0; found == NULL && i < slab_size(&r->ops); i++) {
    Op *op = slab_at(&r->ops, i);
    if (!op->slot.used || !(op->state & OP_KERNEL) || !(op->state & OP_RAW))
      continue;
    if (lua_rawgeti(L, -1, i + 1) != LUA_TNIL) {
      if (lua_rawequal(L, -1, arg))
        found = op;
    }
    else if (isint && op->data64 == (uint64_t)n)
      found = op;
    lua_pop(L, 1);
  }
  lua_pop(L, 2);
  return found;
}

/*
** sqe:prep_<name>(...) -> sqe; the second upvalue is the operation's row.
** Clears what was set before, as liburing does: set flags afterwards.
*/
static int l_sqe_prep(lua_State *L) {
  const OpDef *def = lua_touserdata(L, lua_upvalueindex(2));
  Sqe *s = check(L, 1);
  Args a;
  args_read(L, def, 2, s->ring, true, &a);
  check(L, 1);
  args_settle(L, &a);
  for (int i = 0; i < 2; i++)
    if (a.own[i] && a.own[i]->state != FD_OPEN)
      return luaL_error(L, "fd %d is being closed", a.own[i]->fd);
  op_unload(L, s->op);
  compat_clear_sqe(s->sqe, s->ring->sqe_size);  /* a NOP, should it raise */
  s->sqe->user_data = op_tag(s->op);
  op_load(L, s->op, def, &a);
  op_prep(s->op, s->sqe, &a);
  if (def->opcode == IORING_OP_CLOSE && (a.own[0] || a.own[1])) {
    fd_closing(a.own[a.own[0] == NULL]);
    s->ring->checks = true;
  }
  lua_settop(L, 1);
  return 1;
}

/* Does its completion bring descriptors that nothing else names? */
static bool brings_fd(const Op *op) {
  switch (op->kind) {
    case RES_FD: case RES_ACCEPT: case RES_PIPE: case RES_MESSAGE: return true;
    default: return op->place == U_SLOT_ALLOC;
  }
}

/* A script would never hear of them [e]. */
static void refuse_skip(lua_State *L, int arg) {
  luaL_argerror(L, arg, "IOSQE_CQE_SKIP_SUCCESS: the new descriptor would be "
                        "lost");
}

/* Is it a receive, with flags of its own? */
static bool is_receive(const OpDef *def) {
  return def != NULL && (def->opcode == IORING_OP_RECV ||
                         def->opcode == IORING_OP_RECVMSG);
}

/* It takes buffers of the group that the entry names, or none [e]. */
static void select_group(lua_State *L, Sqe *s, unsigned id, bool selects) {
  Group *g = selects ? group_find(s->ring, id) : NULL;
  if (is_receive(s->op->def))
    bufring_check(L, g, 0, s->sqe->msg_flags);
  op_select(s->op, g);
  s->op->from = (uint16_t)id;
  s->op->selects = selects;
  if (s->op->message)
    msg_room(s->op);
}

/*
** sqe:set_flags(integer) -> sqe; IOSQE_ASYNC and so on
** With IOSQE_CQE_SKIP_SUCCESS no success is seen, whatever else is set; see
** submit.c for who skips it.
*/
static int l_sqe_set_flags(lua_State *L) {
  Sqe *s = check(L, 1);
  unsigned flags = (unsigned)args_int(L, 2, 0, 255);
  if (flags & IOSQE_CQE_SKIP_SUCCESS) {
    if (brings_fd(s->op))
      refuse_skip(L, 2);
    s->ring->skips = true;
  }
  select_group(L, s, s->sqe->buf_group, (flags & IOSQE_BUFFER_SELECT) != 0);
  if (s->op->fixed)  /* the number is a slot, and must not be taken for */
    flags |= IOSQE_FIXED_FILE;           /* an ordinary descriptor */
  s->sqe->flags = (uint8_t)flags;
  s->ring->checks |= flags != 0;
  lua_settop(L, 1);
  return 1;
}

/* Keep the top value as data of the Sqe at index 1 [-1, +0, e]. */
static void keep_data(lua_State *L, const Sqe *s) {
  lua_getiuservalue(L, 1, 1);
  lua_getiuservalue(L, -1, RING_DATA);
  lua_pushvalue(L, -3);
  s->op->named = !lua_isnil(L, -1);
  lua_rawseti(L, -2, s->op->slot.index + 1);
  lua_pop(L, 3);
}

/* sqe:set_data(value) -> sqe; any value, found again in cqe.data */
static int l_sqe_set_data(lua_State *L) {
  Sqe *s = check(L, 1);
  luaL_checkany(L, 2);
  lua_settop(L, 2);
  keep_data(L, s);
  return 1;
}

/* sqe:set_data64(integer) -> sqe; found again in cqe.user_data */
static int l_sqe_set_data64(lua_State *L) {
  Sqe *s = check(L, 1);
  s->op->data64 = (uint64_t)luaL_checkinteger(L, 2);
  lua_settop(L, 1);
  return 1;
}

/* sqe:set_personality(id) -> sqe; of ring:register_personality */
static int l_sqe_set_personality(lua_State *L) {
  Sqe *s = check(L, 1);
  s->sqe->personality = (uint16_t)args_int(L, 2, 0, UINT16_MAX);
  lua_settop(L, 1);
  return 1;
}

/* Is the operation a send of plain data? */
static bool is_send(const OpDef *def) {
  return def != NULL && (def->opcode == IORING_OP_SEND ||
                         def->opcode == IORING_OP_SEND_ZC);
}

/*
** Not IORING_SEND_VECTORIZED: the kernel would take the bytes for addresses,
** and send whatever memory they say [e].
*/
void sqe_check_ioprio(lua_State *L, int arg, const OpDef *def,
                      unsigned value) {
  luaL_argcheck(L, !(value & U_SEND_VECTORIZED) || !is_send(def), arg,
                "IORING_SEND_VECTORIZED: the data is no list of pieces");
}

/* sqe:set_ioprio(integer) -> sqe; a priority, or flags of sends and such */
static int l_sqe_set_ioprio(lua_State *L) {
  Sqe *s = check(L, 1);
  unsigned value = (unsigned)args_int(L, 2, 0, UINT16_MAX);
  sqe_check_ioprio(L, 2, s->op->def, value);
  if (is_receive(s->op->def))
    bufring_check(L, NULL, value, s->sqe->msg_flags);
  s->sqe->ioprio = (uint16_t)value;
  if (s->op->def != NULL)
    s->op->bundle = group_bundles(s->op->def, value);
  if (s->op->message != NULL && s->op->def->opcode == IORING_OP_RECVMSG) {
    s->op->message->many = (value & IORING_RECV_MULTISHOT) != 0;
    msg_room(s->op);
  }
  lua_settop(L, 1);
  return 1;
}

/*
** sqe:set_buf_group(group | buffer ring) -> sqe; with IOSQE_BUFFER_SELECT
*/
static int l_sqe_set_buf_group(lua_State *L) {
  Sqe *s = check(L, 1);
  Group *g = bufring_arg(L, 2, s->ring);
  unsigned id = g ? g->id : (unsigned)args_int(L, 2, 0, UINT16_MAX);
  select_group(L, s, id, (s->sqe->flags & IOSQE_BUFFER_SELECT) != 0);
  s->sqe->buf_group = (uint16_t)id;
  lua_settop(L, 1);
  return 1;
}

/* What a kind of result becomes when it is put into the ring's table. */
static int direct_kind(int kind) {
  switch (kind) {
    case RES_FD: case RES_DIRECT: return RES_DIRECT;
    case RES_ACCEPT: case RES_ACCEPT_DIRECT: return RES_ACCEPT_DIRECT;
    case RES_PIPE: case RES_PIPE_DIRECT: return RES_PIPE_DIRECT;
    default: return -1;
  }
}

/*
** sqe:set_target_fixed_file([slot]) -> sqe
** The new descriptor goes into that slot of the ring's table, or any free
** one.
*/
static int l_sqe_set_target_fixed_file(lua_State *L) {
  Sqe *s = check(L, 1);
  int kind = direct_kind(s->op->kind);
  lua_Integer slot = args_optint(L, 2, U_SLOT_ALLOC, 0, U_SLOT_ALLOC);
  luaL_argcheck(L, kind >= 0 && s->op->def->opcode != U_OP_FIXED_FD_INSTALL,
                1, "the operation makes no descriptor");
  if ((s->sqe->flags & IOSQE_CQE_SKIP_SUCCESS) && slot >= U_SLOT_ALLOC - 1)
    refuse_skip(L, 2);
  s->op->kind = (uint8_t)kind;
  s->op->place = slot >= U_SLOT_ALLOC - 1 ? U_SLOT_ALLOC : (uint32_t)slot + 1;
  prep_slot(s->sqe, s->op->place);
  lua_settop(L, 1);
  return 1;
}

/* sqe:prep_send_set_addr(address) -> sqe; after prep_send or prep_send_zc */
static int l_sqe_send_set_addr(lua_State *L) {
  Sqe *s = check(L, 1);
  Addr a, *copy;
  size_t size;
  addr_check(L, 2, &a);
  s = check(L, 1);
  luaL_argcheck(L, is_send(s->op->def), 1, "sqe is not prepared for a send");
  size = offsetof(Addr, sa) + a.len;
  copy = op_alloc(s->op, size);
  if (copy == NULL)
    return luaL_error(L, "not enough memory");
  memcpy(copy, &a, size);
  s->op->addr = copy;
  io_uring_prep_send_set_addr(s->sqe, (struct sockaddr *)&copy->sa,
                              (uint16_t)a.len);
  lua_settop(L, 1);
  return 1;
}

/*
** sqe:await() -> res, flags
** In a task it yields until this entry has completed; elsewhere it runs the
** ring until then.
*/
static int l_sqe_await(lua_State *L) {
  State *S = state_get(L);
  Sqe *s = check(L, 1);
  if (S->task && S->task->ring != s->ring)
    return luaL_error(L, "sqe belongs to another ring");
  sched_ready(L, S);
  lua_settop(L, 1);
  lua_pushnil(L);  /* no completion will ask for it */
  keep_data(L, s);
  s->sqe->flags &= (uint8_t)~IOSQE_CQE_SKIP_SUCCESS;
  s->op->state &= (uint8_t)~OP_RAW;
  s->op->state |= OP_WAITED | OP_NUMBER;
  return sched_await(L, S, s->op);
}

static int l_sqe_tostring(lua_State *L) {
  const Op *op = sqe_op(L, 1);
  if (op == NULL)
    lua_pushliteral(L, SQE_TYPE " (ended)");
  else
    lua_pushfstring(L, SQE_TYPE " (%s)", op->def ? op->def->name : "nop");
  return 1;
}

static const luaL_Reg methods[] = {
  {"await", l_sqe_await},
  {"prep_send_set_addr", l_sqe_send_set_addr},
  {"set_buf_group", l_sqe_set_buf_group},
  {"set_data", l_sqe_set_data},
  {"set_data64", l_sqe_set_data64},
  {"set_flags", l_sqe_set_flags},
  {"set_ioprio", l_sqe_set_ioprio},
  {"set_personality", l_sqe_set_personality},
  {"set_target_fixed_file", l_sqe_set_target_fixed_file},
  {NULL, NULL}
};

static const luaL_Reg meta[] = {
  {"__tostring", l_sqe_tostring},
  {NULL, NULL}
};

/*
** Push the table as Lua sees it: a list of {name, opcode, args, result}
** [-0, +1, e].
*/
static void push_rows(lua_State *L) {
  lua_createtable(L, (int)op_count, 0);
  for (unsigned i = 0; i < op_count; i++) {
    lua_createtable(L, 0, 4);
    lua_pushstring(L, op_defs[i].name);
    lua_setfield(L, -2, "name");
    lua_pushinteger(L, op_defs[i].opcode);
    lua_setfield(L, -2, "opcode");
    lua_pushstring(L, op_defs[i].args);
    lua_setfield(L, -2, "args");
    lua_pushinteger(L, op_defs[i].result);
    lua_setfield(L, -2, "result");
    lua_rawseti(L, -2, i + 1);
  }
}

/* Add a method prep_<name> for each row; core.ops is the rows. */
void sqe_open(lua_State *L, State *S) {
  unit_type(L, S, SQE_TYPE, methods, meta);
  push_rows(L);
  lua_setfield(L, -2, "ops");
  luaL_getmetatable(L, SQE_TYPE);
  lua_getfield(L, -1, "__index");
  for (unsigned i = 0; i < op_count; i++) {
    lua_pushfstring(L, "prep_%s", op_defs[i].name);
    lua_pushlightuserdata(L, S);
    lua_pushlightuserdata(L, (void *)(uintptr_t)&op_defs[i]);
    lua_pushcclosure(L, l_sqe_prep, 2);
    lua_rawset(L, -3);
  }
  lua_pop(L, 2);
}
