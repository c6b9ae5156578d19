/* SPDX-License-Identifier: MIT
**
** op.c - the life of an operation.
**
** op_new takes a slot and whatever the kernel may touch; op_submit gives
** the entry to the queue; op_complete is told by the completions; op_result
** turns the outcome into Lua values.  A record has two holders, the kernel
** (until the terminal completion: one without F_MORE) and whoever waits.
** It is freed when both have let go, and then also what the result owned if
** nobody took it: a connection that was accepted for a task that is gone is
** closed, not leaked.
**
** Between op_submit's getting the entry and its return no Lua function is
** called, so nothing can raise there: an entry cannot be given back.
*/

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "uring.h"

/* Further memory of an operation, in a chain. */
typedef struct More {
  struct More *next;
  _Alignas(16) char bytes[];
} More;

/*
** Memory that lives as long as the record; NULL when there is none.  Small
** pieces fit into the record itself.  Zeroed, because memcheck does not see
** what the kernel writes for an operation.
*/
void *op_alloc(Op *op, size_t size) {
  size_t rounded = (size + 15) & ~(size_t)15;
  More *more;
  if (rounded <= (size_t)OP_INLINE - op->used) {
    void *mem = op->mem + op->used;
    op->used = (uint16_t)(op->used + rounded);
    return mem;
  }
  more = calloc(1, sizeof *more + size);
  if (more == NULL)
    return NULL;
  more->next = op->more;
  op->more = more;
  return more->bytes;
}

/* user_data of the operation: generation | slot | kind */
uint64_t op_tag(const Op *op) {
  return (uint64_t)op->slot.generation << 32 |
         (uint64_t)op->slot.index << 8 | TAG_OP;
}

/*
** Make a slot, or the place in the registry where the next free one keeps
** its value [-0, +0, e].  May run finalisers.
*/
static void grow(lua_State *L, Ring *r) {
  Op *op;
  int place;
  if (r->ops.free == 0 && !slab_grow(&r->ops))
    luaL_error(L, "not enough memory");
  lua_pushboolean(L, 0);
  place = luaL_ref(L, LUA_REGISTRYINDEX);
  op = slab_first(&r->ops);
  if (op != NULL && op->anchor == 0)
    op->anchor = place;
  else  /* a finaliser's operation has taken it */
    luaL_unref(L, LUA_REGISTRYINDEX, place);
}

/*
** Have a free slot that can anchor, so that op_new needs no memory of Lua,
** and runs no finaliser that could take back what was checked [-0, +0, e].
*/
void op_reserve(lua_State *L, Ring *r) {
  const Op *op;
  while ((op = slab_first(&r->ops)) == NULL || op->anchor == 0)
    grow(L, r);
}

/* Keep the Lua value at 'index' until the operation is freed; no error. */
static void anchor(lua_State *L, Op *op, int index) {
  lua_pushvalue(L, index);
  lua_rawseti(L, LUA_REGISTRYINDEX, op->anchor);
  op->anchored = true;
}

static void unanchor(lua_State *L, Op *op) {
  lua_pushboolean(L, 0);
  lua_rawseti(L, LUA_REGISTRYINDEX, op->anchor);
  op->anchored = false;
}

/* Its descriptors may be closed. */
void op_unuse(Op *op) {
  for (int i = 0; i < 2; i++)
    fd_unuse(&op->use[i]);
  for (; op->nheld > 0; op->nheld--)
    fd_unuse(&op->held[op->nheld - 1]);
}

static void release_memory(Op *op) {
  if (op->message)
    msg_free(op);
  if (op->pooled)
    pool_put(&op->ring->pool, op->block);
  else if (op->block)
    block_release(op->block);
  for (unsigned i = 0; i < op->nblocks; i++)
    block_release(op->blocks[i]);
  while (op->more) {
    More *more = op->more;
    op->more = more->next;
    free(more);
  }
}

static void op_free(lua_State *L, Op *op) {
  result_drop(op);
  if (op->multi)
    multi_detach(op, true);
  if (op->chain)
    chain_free(L, op);
  op_unuse(op);
  if (op->anchored)
    unanchor(L, op);
  release_memory(op);
  group_unref(op->group);
  slab_put(&op->ring->ops, op);
}

/*
** A record for one operation 'def', with everything of 'a' that the kernel
** may touch [-0, +0, e]; nothing stays taken when it raises.  'def' is NULL
** for an entry that the raw layer will prepare later.  No kernel hold yet.
** A slot has been reserved.
*/
Op *op_new(lua_State *L, Ring *r, const OpDef *def, Args *a, bool raw) {
  Op *op = slab_take(&r->ops);
  memset((char *)op + offsetof(Op, def), 0,
         offsetof(Op, mem) - offsetof(Op, def));
  op->use[0].fd = op->use[1].fd = NULL;
  op->ring = r;
  op->state = raw ? OP_RAW : OP_WAITED;
  op->fd = -1;
  op->since = r->now;
  link_init(&op->cancels);
  if (def != NULL)
    op_load(L, op, def, a);
  return op;
}

/*
** Move 'a' into a record without contents [-0, +0, e]; raises for want of
** memory, and then the record is freed unless it is of the raw layer.
*/
void op_load(lua_State *L, Op *op, const OpDef *def, Args *a) {
  op->def = def;
  op->kind = def->result;
  op_select(op, a->group);
  if (a->anchor)
    anchor(L, op, a->anchor);
  if (!args_own(L, op, a)) {
    if (op->state & OP_RAW)
      op_unload(L, op);
    else
      op_free(L, op);
    luaL_error(L, "not enough memory");
  }
  for (int i = 0; i < 2; i++)
    if (a->own[i])
      fd_use(a->own[i], &op->use[i], op);
}

/* It takes its memory from a group of provided buffers, or from none. */
void op_select(Op *op, Group *g) {
  if (g)
    g->refs++;
  group_unref(op->group);
  op->group = g;
}

/* Undo op_load: the raw layer may prepare an entry twice. */
void op_unload(lua_State *L, Op *op) {
  op_unuse(op);
  if (op->anchored)
    unanchor(L, op);
  release_memory(op);
  op_select(op, NULL);
  op->block = NULL;
  op->pooled = false;
  op->blocks = NULL;
  op->nblocks = 0;
  op->used = 0;
  op->path = NULL;
  op->addr = NULL;
  op->statx = NULL;
  op->out = NULL;
  op->place = 0;
  op->fixed = op->bundle = op->selects = false;
  op->fd = -1;
  op->def = NULL;
  op->kind = RES_COUNT;
}

/* Fill the entry; what was in it is cleared already. */
void op_prep(Op *op, struct io_uring_sqe *sqe, const Args *a) {
  op->def->prep(sqe, a);
  if (a->fixed)
    sqe->flags |= IOSQE_FIXED_FILE;
  if (a->group || a->takes) {
    sqe->flags |= IOSQE_BUFFER_SELECT;
    sqe->buf_group = (uint16_t)(a->group ? a->group->id : a->index);
    op->from = sqe->buf_group;
    op->selects = true;
  }
  op->bundle = group_bundles(op->def, sqe->ioprio);
  op->fixed = (sqe->flags & IOSQE_FIXED_FILE) != 0;
  if (op->want > 0 && op->def->opcode == IORING_OP_RECV && a->own[0] &&
      a->own[0]->dry && a->flags == 0 && a->group)
    sqe->ioprio |= IORING_RECVSEND_POLL_FIRST;  /* saves a vain attempt */
  sqe->user_data = op_tag(op);
}

/*
** Put the operation on the submission queue; one without a row as a NOP.
** Returns the entry.  Cannot raise; without memory even to wait for room it
** completes with ENOMEM and returns NULL.
*/
struct io_uring_sqe *op_submit(lua_State *L, Op *op, const Args *a) {
  struct io_uring_sqe *sqe = ring_sqe(op->ring, op);
  op->state |= OP_KERNEL;
  op->ring->active++;
  if (sqe == NULL) {
    op_complete(L, op, -ENOMEM, 0);
    return NULL;
  }
  if (op->def)
    op_prep(op, sqe, a);
  else
    sqe->user_data = op_tag(op);
  return sqe;
}

/* The kernel has let go. */
static void terminal(lua_State *L, Op *op) {
  op->state &= (uint8_t)~OP_KERNEL;
  op->ring->active--;
  link_remove(&op->cancels);
  op_unuse(op);
  if (!(op->state & (OP_WAITED | OP_RAW)))
    op_free(L, op);
}

/*
** A provided buffer that came with no data for a result: nobody will ask
** for it.
*/
static void return_empty(Op *op, int res, unsigned flags) {
  if (res <= 0 && (flags & IORING_CQE_F_BUFFER) && !(op->state & OP_NUMBER))
    result_return(op, op->at, res, flags);
}

/*
** There was no provided buffer for an operation that returns a string: again
** with more of them, or with memory of its own.  False when that cannot be.
*/
static bool again(Op *op) {
  Ring *r = op->ring;
  struct io_uring_sqe *sqe;
  bool grown;
  if ((op->state & OP_CANCEL) || !r->open || late_closed(op) != NULL)
    return false;
  grown = group_grow(op->group);
  if (!grown) {
    op->block = pool_take(&r->pool, op->want);
    if (op->block == NULL)
      return false;
    op->pooled = true;
  }
  sqe = ring_sqe(r, op);
  if (sqe == NULL)
    return false;
  io_uring_prep_rw(op->def->opcode, sqe, op->fd, grown ? NULL :
                   op->block->data, op->want,
                   op->def->opcode == IORING_OP_READ ? UINT64_MAX : 0);
  sqe->flags = op->fixed ? IOSQE_FIXED_FILE : 0;
  if (grown) {
    sqe->flags |= IOSQE_BUFFER_SELECT;
    sqe->buf_group = op->group->id;
  }
  else
    op_select(op, NULL);
  sqe->user_data = op_tag(op);
  return true;
}

/* The first completion of an operation that has one result. */
static void done(Op *op, int res, unsigned flags) {
  op->res = res;
  op->flags = flags;
  op->extra = op->at;
  op->state |= OP_DONE;
  result_effect(op);
  if (op->task)
    sched_wake(op->task, WOKE_NORMAL);
}

/*
** A part of what a send takes from provided buffers; false for the last one,
** and then res is the sum of all.
*/
static bool has_sent(Op *op, int *res, unsigned flags) {
  result_return(op, op->at, *res, flags);
  if (*res > 0)
    op->nout += (unsigned)*res;
  if (op->nout > 0)
    *res = (int)op->nout;
  return (flags & IORING_CQE_F_MORE) != 0;
}

/* Does its second completion only say that its memory is free? */
static bool is_zero_copy(const Op *op) {
  return op->def && (op->def->opcode == IORING_OP_SEND_ZC ||
                     op->def->opcode == IORING_OP_SENDMSG_ZC);
}

/*
** One completion of the operation.  Of a zero-copy send the first one is
** the result and the last one only ends the record's life.  Anything else
** that somebody waits for has one result: should more come, as by a flag
** that makes it a multishot, it is cancelled, and they are given up.
*/
void op_complete(lua_State *L, Op *op, int res, unsigned flags) {
  bool more = (flags & IORING_CQE_F_MORE) != 0;
  if (op->multi) {
    multi_complete(L, op, res, flags);
    return;
  }
  if (res == -ENOBUFS && op->want > 0 && op->group && again(op))
    return;
  if (op->kind == RES_SENT && !(op->state & OP_RAW)) {
    if (has_sent(op, &res, flags))
      return;
    flags = 0;         /* the buffers have gone back */
  }
  if (!(op->state & OP_RAW))
    return_empty(op, res, flags);
  if (!(op->state & OP_DONE)) {
    done(op, res, flags);
    if (op->master)
      chain_done(L, op);
    if (more && !(op->state & OP_RAW) && !is_zero_copy(op))
      op_cancel(op);
  }
  else if (!(op->state & OP_RAW) && !(flags & IORING_CQE_F_NOTIF))
    result_dispose(op, res, flags);
  if (!more)
    terminal(L, op);
}

/*
** Ask the kernel to cancel it, at the next enter; the operation still ends
** with a completion of its own, which may be a success.
*/
void op_cancel(Op *op) {
  if (op->multi)
    multi_cancel(op->multi);
  if (!(op->state & OP_KERNEL) || (op->state & OP_CANCEL))
    return;
  op->state |= OP_CANCEL;
  if (op->chain) {
    chain_cancel(op->chain);
    return;
  }
  link_append(&op->ring->cancels, &op->cancels);
}

/* A holder, OP_WAITED or OP_RAW, lets go. */
void op_drop(lua_State *L, Op *op, int holder) {
  op->state &= (uint8_t)~holder;
  op->task = NULL;
  if (!(op->state & (OP_KERNEL | OP_WAITED | OP_RAW)))
    op_free(L, op);
}

/* Whoever waited has gone: stop it and let nobody take the result. */
void op_abandon(lua_State *L, Op *op) {
  op_cancel(op);
  op_drop(L, op, OP_WAITED);
}

/* ---- the result ------------------------------------------------------- */

/* What it worked on, for a message; NULL when there is nothing to name. */
const char *op_what(const Op *op, char *out, size_t size) {
  if (op->path)
    return op->path;
  if (op->addr && op->kind != RES_ACCEPT && op->kind != RES_ACCEPT_DIRECT &&
      op->kind != RES_NAME)
    addr_text((const struct sockaddr *)&op->addr->sa, op->addr->len, out,
              size);
  else if (op->fd >= 0)
    snprintf(out, size, "%s %d", op->fixed || op->def->args[0] == 'H' ?
             "slot" : "fd", op->fd);
  else
    return NULL;
  return out;
}

/* Push nil, message, errno for the code [-0, +3, e]. */
static int failure(lua_State *L, const Op *op, int code) {
  char what[ADDR_TEXT];
  if (code == EBADF && !op->fixed)
    return debug_bad_fd(L, op->ring->state, op->def->name,
                        op_what(op, what, sizeof what), op->fd);
  return err_fail(L, code, op->def->name, op_what(op, what, sizeof what));
}

/*
** Push the result as a await returns it [-0, +n, e].  The record is still
** held when this raises, so that its owner can release it.
*/
int op_result(lua_State *L, State *S, Op *op) {
  if (S->on_trace != LUA_NOREF && op->def) {
    char what[ADDR_TEXT];
    debug_trace(L, S, "complete", op->def->name,
                op_what(op, what, sizeof what), sched_clock() - op->since,
                &op->res);
  }
  if (op->state & OP_NUMBER) {
    lua_pushinteger(L, op->res);
    lua_pushinteger(L, op->flags);
    result_value(L, op, op->res, op->flags, (unsigned)op->extra);
    op->state |= OP_TAKEN;
    result_own(L, S, op->kind, lua_gettop(L));
    return 3;
  }
  if (op->kind == RES_CHAIN)
    return chain_push(L, S, op);
  if (op->res >= 0 || (op->kind == RES_TIMEOUT && op->res == -ETIME))
    return result_push(L, S, op);
  return failure(L, op, err_normal(-op->res));
}
