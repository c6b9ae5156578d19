/* SPDX-License-Identifier: MIT
**
** with.c - options for one operation: op.with{async = true}.read(fd, 100)
*/

#include "uring.h"

#define WITH_TYPE "uring.with"

/* The options in the table at 'arg' [e]. */
With with_read(lua_State *L, int arg) {
  static const char *const names[] =
    {"async", "drain", "fixed_file", "ioprio", "personality", NULL};
  With w = {0, 0, 0};
  luaL_checktype(L, arg, LUA_TTABLE);
  form_only(L, arg, names);
  if (form_flag(L, arg, "async"))
    w.flags |= IOSQE_ASYNC;
  if (form_flag(L, arg, "drain"))
    w.flags |= IOSQE_IO_DRAIN;
  if (form_flag(L, arg, "fixed_file"))
    w.flags |= IOSQE_FIXED_FILE;
  w.ioprio = form_u32(L, arg, "ioprio");
  w.personality = form_u32(L, arg, "personality");
  luaL_argcheck(L, w.ioprio <= UINT16_MAX && w.personality <= UINT16_MAX, arg,
                "options 'ioprio' and 'personality' have 16 bits");
  return w;
}

/*
** With 'fixed_file' a number is a slot of the ring's table; an ordinary
** descriptor must not be taken for one.
*/
void with_check(lua_State *L, int arg, const OpDef *def, const With *with,
                Args *a) {
  if (with == NULL)
    return;
  sqe_check_ioprio(L, arg, def, with->ioprio);
  if (a->takes || a->bufring)
    bufring_check(L, NULL, with->ioprio, a->flags);
  if (!(with->flags & IOSQE_FIXED_FILE))
    return;
  luaL_argcheck(L, a->own[0] == NULL || a->own[0]->ring != NULL, arg,
                "not a direct descriptor, but 'fixed_file' is set");
  a->fixed = true;
}

/* What is set for the entry of an operation; NULL for nothing. */
void with_apply(Op *op, struct io_uring_sqe *sqe, const With *with) {
  if (sqe == NULL || with == NULL)
    return;
  sqe->flags |= (uint8_t)with->flags;
  if (with->flags & (IOSQE_ASYNC | IOSQE_IO_DRAIN))
    op->ring->checks = true;
  sqe->ioprio |= (uint16_t)with->ioprio;
  if (with->personality != 0)
    sqe->personality = (uint16_t)with->personality;
  op->bundle = group_bundles(op->def, sqe->ioprio);
}

/* op.with{...}.name: the function of that name, with the options */
static int l_with_index(lua_State *L) {
  const OpDef *def;
  luaL_checkudata(L, 1, WITH_TYPE);
  def = op_def(luaL_checkstring(L, 2));
  if (def == NULL)
    return luaL_error(L, "no operation '%s'", lua_tostring(L, 2));
  lua_pushlightuserdata(L, state_get(L));
  lua_pushlightuserdata(L, (void *)(uintptr_t)def);
  lua_pushvalue(L, 1);
  lua_pushcclosure(L, op_function(def), 3);
  return 1;
}

/*
** op.with{async =, drain =, fixed_file =, ioprio =, personality =}
** -> operations that have these set
*/
static int l_op_with(lua_State *L) {
  With w = with_read(L, 1);
  With *box = lua_newuserdatauv(L, sizeof *box, 0);
  *box = w;
  luaL_setmetatable(L, WITH_TYPE);
  return 1;
}

static const luaL_Reg functions[] = {
  {"with", l_op_with},
  {NULL, NULL}
};

static const luaL_Reg meta[] = {
  {"__index", l_with_index},
  {NULL, NULL}
};

/* Add to the functions of core.op. */
void with_open(lua_State *L, State *S) {
  unit_type(L, S, WITH_TYPE, NULL, meta);
  lua_getfield(L, -1, "op");
  lua_pushlightuserdata(L, S);
  luaL_setfuncs(L, functions, 1);
  lua_pop(L, 1);
}
