/* SPDX-License-Identifier: MIT
**
** chain.c - linked operations, awaited together.
**
**   local results, bad = op.link(function(c)
**     c:openat_direct(nil, "file", 0, 0, 5)
**     c:with{fixed_file = true}:read(5, 100)
**     c:close_direct(5)
**   end)
**
** The function only writes down what is to be done.  Each operation gets a
** record and an entry of its own, apart from the queue; then the whole
** chain goes into the queue at once, so that no submission can cut it.  One
** more record, the master, stands for all of them: it is done with the last
** of them, it is what the task waits for, and cancelling it cancels them.
*/

#include <errno.h>
#include <stdlib.h>

#include "uring.h"

#define COLLECTOR_TYPE "uring.chain"
#define MAX_CHAIN 32768

static const OpDef master_def = {
  .name = "link", .opcode = IORING_OP_NOP, .result = RES_CHAIN, .args = ""
};

/* ---- the master --------------------------------------------------------- */

struct Chain {
  unsigned n, left;    /* members; those that are not done */
  Op *op[];
};

/*
** Has its cancellation stopped all of them?  When some had ended before, the
** list tells what has become of each.
*/
static bool was_stopped(const Op *master) {
  const Chain *c = master->chain;
  for (unsigned i = 0; i < c->n; i++) {
    int code = err_normal(-c->op[i]->res);
    if (code != ECANCELED && code != EINTR)
      return false;
  }
  return (master->state & OP_CANCEL) != 0;
}

/* A member has its result. */
void chain_done(lua_State *L, Op *member) {
  Op *master = member->master;
  Chain *c = master->chain;
  if (--c->left > 0)
    return;
  master->res = was_stopped(master) ? -ECANCELED : 0;
  master->state |= OP_DONE;
  master->state &= (uint8_t)~OP_KERNEL;
  if (master->task)
    sched_wake(master->task, WOKE_NORMAL);
  if (!(master->state & OP_WAITED))
    op_drop(L, master, OP_WAITED);
}

void chain_cancel(const Chain *c) {
  for (unsigned i = 0; i < c->n; i++)
    op_cancel(c->op[i]);
}

/* The master is about to be freed: nobody waits for the members. */
void chain_free(lua_State *L, Op *master) {
  Chain *c = master->chain;
  for (unsigned i = 0; i < c->n; i++) {
    Op *op = c->op[i];
    if (op->slot.used && op->master == master)
      op_drop(L, op, OP_WAITED);
  }
  free(c);
}

/* An operation of the chain has emptied slots, or filled them anew. */
void chain_replaced(const Op *op, unsigned slot, unsigned n) {
  const Chain *c = op->master->chain;
  for (unsigned i = 0; i < c->n; i++) {
    Op *other = c->op[i];
    if (other != op && (other->state & (OP_DONE | OP_TAKEN)) == OP_DONE)
      result_replaced(other, slot, n);
  }
}

/* Push what a member has come to: its value, or nil, message, errno. */
static bool push_member(lua_State *L, State *S, Op *op) {
  int base = lua_gettop(L), n;
  bool fine = op->res >= 0 || (op->kind == RES_TIMEOUT && op->res == -ETIME);
  if (op->kind == RES_TIMEOUT && op->res == -ECANCELED) {
    lua_pushboolean(L, 0);  /* what it was for has ended before */
    return true;
  }
  n = op_result(L, S, op);
  op_drop(L, op, OP_WAITED);
  if (n == 1)
    return fine;
  lua_createtable(L, n, 0);
  lua_insert(L, base + 1);
  while (n > 0)
    lua_rawseti(L, base + 1, n--);
  return fine;
}

/*
** Push the list of results, and the place of the first that has failed, or
** nil.  In the list a failure is {nil, message, errno}; what has several
** results is a list of them [-0, +2, e].
*/
int chain_push(lua_State *L, State *S, Op *master) {
  Chain *c = master->chain;
  unsigned bad = 0;
  luaL_checkstack(L, 10, NULL);
  lua_createtable(L, (int)c->n, 0);
  for (unsigned i = 0; i < c->n; i++) {
    if (!push_member(L, S, c->op[i]) && bad == 0)
      bad = i + 1;
    lua_rawseti(L, -2, i + 1);
  }
  if (bad > 0)
    lua_pushinteger(L, bad);
  else
    lua_pushnil(L);
  return 2;
}

/* ---- writing it down ---------------------------------------------------- */

typedef struct Collector {
  Ring *ring;
  bool open;           /* the function runs */
  bool closes;         /* there is a close of an Fd */
  With with;           /* for the next operation */
  unsigned size;
  ChainSqe *sqes;
  Chain *chain;
} Collector;

static Collector *check(lua_State *L) {
  Collector *c = luaL_checkudata(L, 1, COLLECTOR_TYPE);
  luaL_argcheck(L, c->open, 1, "the chain was submitted");
  return c;
}

/* Release what was written down. */
static void drop_all(lua_State *L, Collector *c) {
  Chain *chain = c->chain;
  c->chain = NULL;
  c->open = false;
  for (unsigned i = 0; chain && i < chain->n && c->ring->open; i++)
    op_drop(L, chain->op[i], OP_WAITED);
  free(chain);
  free(c->sqes);
  c->sqes = NULL;
}

static int l_collector_gc(lua_State *L) {
  drop_all(L, luaL_checkudata(L, 1, COLLECTOR_TYPE));
  return 0;
}

/* Room for one more; false without memory. */
static bool more_room(Collector *c) {
  unsigned n = c->chain ? c->chain->n : 0, size = c->size ? 2 * c->size : 8;
  Chain *chain;
  ChainSqe *sqes;
  if (n < c->size)
    return true;
  chain = realloc(c->chain, sizeof *chain + size * sizeof *chain->op);
  if (chain == NULL)
    return false;
  chain->n = n;
  c->chain = chain;
  sqes = realloc(c->sqes, size * sizeof *sqes);
  if (sqes == NULL)
    return false;
  c->sqes = sqes;
  c->size = size;
  return true;
}

/* Does the chain close it, before what comes next? */
static bool is_closed(const Collector *c, const Fd *f) {
  for (unsigned i = 0; c->closes && f && i < c->chain->n; i++)
    if (c->chain->op[i]->def->opcode == IORING_OP_CLOSE &&
        (c->chain->op[i]->use[0].fd == f || c->chain->op[i]->use[1].fd == f))
      return true;
  return false;
}

/* c:<name>(...): the second upvalue is the row.  Raises for any mistake. */
static int l_collector_add(lua_State *L) {
  const OpDef *def = lua_touserdata(L, lua_upvalueindex(2));
  Collector *c = check(L);
  Ring *r = c->ring;
  ChainSqe *sqe;
  Args a;
  Op *op;
  luaL_checkstack(L, 12, NULL);
  args_read(L, def, 2, r, false, &a);
  luaL_argcheck(L, !a.many, 1, "a multishot cannot be part of a chain");
  with_check(L, 2, def, &c->with, &a);
  op_reserve(L, r);
  args_settle(L, &a);
  ring_usable(L, r);
  check(L);
  if (!op_known(r, def))
    return luaL_error(L, "%s: operation not supported by this kernel",
                      def->name);
  for (int i = 0; i < 2; i++)
    if (a.own[i] && (a.own[i]->state != FD_OPEN || is_closed(c, a.own[i])))
      return luaL_error(L, "fd %d is being closed", a.own[i]->fd);
  if (a.takes && a.group == NULL)
    return luaL_error(L, "%s: buffer ring expected", def->name);
  if (c->chain && c->chain->n == MAX_CHAIN)
    return luaL_error(L, "chain is too long");
  if (!more_room(c))
    return luaL_error(L, "not enough memory");
  op = op_new(L, r, def, &a, false);
  sqe = &c->sqes[c->chain->n];
  c->chain->op[c->chain->n++] = op;
  c->closes |= def->opcode == IORING_OP_CLOSE && (a.own[0] || a.own[1]);
  memset(sqe, 0, sizeof *sqe);
  op_prep(op, sqe->sqe, &a);
  with_apply(op, sqe->sqe, &c->with);
  c->with = (With){0, 0, 0};
  return 0;
}

/* c:with{...} -> c; options for the operation that comes next */
static int l_collector_with(lua_State *L) {
  Collector *c = check(L);
  c->with = with_read(L, 2);
  lua_settop(L, 1);
  return 1;
}

static int l_collector_index(lua_State *L) {
  State *S = state_get(L);
  const OpDef *def;
  const char *name = luaL_checkstring(L, 2);
  if (strcmp(name, "with") == 0) {
    lua_pushcfunction(L, l_collector_with);
    return 1;
  }
  def = op_def(name);
  if (def == NULL)
    return luaL_error(L, "no operation '%s'", name);
  lua_pushlightuserdata(L, S);
  lua_pushlightuserdata(L, (void *)(uintptr_t)def);
  lua_pushcclosure(L, l_collector_add, 2);
  return 1;
}

/* Descriptors that the chain closes take no new operation from now on. */
static void mark_closing(const Chain *c) {
  for (unsigned i = 0; i < c->n; i++)
    if (c->op[i]->def->opcode == IORING_OP_CLOSE)
      for (int k = 0; k < 2; k++)
        if (c->op[i]->use[k].fd)
          fd_closing(c->op[i]->use[k].fd);
}

/* Submit the whole chain under a master, which has it then. */
static Op *submit(lua_State *L, Collector *c, bool hard) {
  Chain *chain = c->chain;
  unsigned n = chain->n, flag = hard ? IOSQE_IO_HARDLINK : IOSQE_IO_LINK;
  Op *master = op_new(L, c->ring, NULL, NULL, false);
  master->def = &master_def;
  master->kind = RES_CHAIN;
  master->chain = chain;
  master->state |= OP_KERNEL;
  chain->left = n;
  for (unsigned i = 0; i < n; i++) {
    chain->op[i]->master = master;
    chain->op[i]->state |= OP_KERNEL;
    if (i < n - 1)
      c->sqes[i].sqe->flags |= (uint8_t)flag;
  }
  c->ring->active += n;
  mark_closing(chain);
  c->chain = NULL;
  if (!ring_chain(c->ring, chain->op, c->sqes, n))
    for (unsigned i = 0; i < n; i++)
      op_complete(L, chain->op[i], -ENOMEM, 0);
  drop_all(L, c);
  return master;
}

static int too_long(lua_State *L, const Ring *r, unsigned n) {
  int room = (int)ring_longest(r), entries = (int)*r->uring.sq.kring_entries;
  if (room < entries)
    return luaL_error(L, "a chain of %d operations is too long: a thread that "
      "polls for several rings takes %d entries at once", (int)n, room);
  return luaL_error(L, "a chain of %d operations does not fit into a "
                    "submission queue of %d", (int)n, room);
}

static int run_chain(lua_State *L, bool hard) {
  State *S = state_get(L);
  Ring *r = sched_ring(L, S);
  Collector *c;
  unsigned n;
  if (r == NULL)
    return 3;
  luaL_checktype(L, 1, LUA_TFUNCTION);
  lua_settop(L, 1);
  c = lua_newuserdatauv(L, sizeof *c, 1);
  memset(c, 0, sizeof *c);
  c->ring = r;
  luaL_setmetatable(L, COLLECTOR_TYPE);
  ring_push(L, r);
  lua_setiuservalue(L, 2, 1);
  c->open = true;
  lua_pushvalue(L, 1);
  lua_pushvalue(L, 2);
  if (lua_pcall(L, 1, 0, 0) != LUA_OK) {
    drop_all(L, c);
    return lua_error(L);
  }
  c->open = false;
  n = c->chain ? c->chain->n : 0;
  if (n == 0) {
    lua_newtable(L);
    return 1;
  }
  op_reserve(L, r);
  ring_usable(L, r);   /* the function may have closed it, or have forked */
  if (n > ring_longest(r)) {
    drop_all(L, c);
    return too_long(L, r, n);
  }
  for (unsigned i = 0; i < n; i++) {
    const Fd *f = late_closed(c->chain->op[i]);
    if (f != NULL) {   /* while the chain was written down */
      drop_all(L, c);
      return luaL_error(L, "fd %d is being closed", f->fd);
    }
  }
  return sched_await(L, S, submit(L, c, hard));
}

/*
** op.link(function(c) ... end) -> list of results, place of the first bad
** op.link(path, path [, flags]) is the operation of that name.
*/
static int l_op_link(lua_State *L) {
  if (lua_type(L, 1) == LUA_TFUNCTION)
    return run_chain(L, false);
  return op_function(lua_touserdata(L, lua_upvalueindex(2)))(L);
}

/* op.hardlink(function(c) ... end): goes on whatever becomes of them */
static int l_op_hardlink(lua_State *L) { return run_chain(L, true); }

static const luaL_Reg functions[] = {
  {"hardlink", l_op_hardlink},
  {NULL, NULL}
};

static const luaL_Reg collector_meta[] = {
  {"__gc", l_collector_gc},
  {"__index", l_collector_index},
  {NULL, NULL}
};

/* Add to the functions of core.op. */
void chain_open(lua_State *L, State *S) {
  unit_type(L, S, COLLECTOR_TYPE, NULL, collector_meta);
  lua_getfield(L, -1, "op");
  lua_pushlightuserdata(L, S);
  luaL_setfuncs(L, functions, 1);
  lua_pushlightuserdata(L, S);
  lua_pushlightuserdata(L, (void *)(uintptr_t)op_def("link"));
  lua_pushcclosure(L, l_op_link, 2);
  lua_setfield(L, -2, "link");
  lua_pop(L, 1);
}
