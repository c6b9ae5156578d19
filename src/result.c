/* SPDX-License-Identifier: MIT
**
** result.c - what the number of a completion means.
**
** One decoder for each kind of result; and, where a result owns something,
** how to give it up when nobody takes it.
*/

#include <errno.h>
#include <unistd.h>

#include "uring.h"

/* The slot of a new direct descriptor: the kernel's choice, or ours. */
static unsigned new_slot(const Op *op, int res) {
  return op->place == U_SLOT_ALLOC ? (unsigned)res : op->place - 1;
}

/* ---- at the completion -------------------------------------------------- */

/* A result that nobody has taken, and its slot has another file by now. */
void result_replaced(Op *op, unsigned slot, unsigned n) {
  if ((op->kind != RES_DIRECT && op->kind != RES_ACCEPT_DIRECT) ||
      op->res < 0 || new_slot(op, op->res) - slot >= n)
    return;
  op->kind = RES_DONE;
  op->state |= OP_TAKEN;
}

/* Fds of slots that the kernel has emptied or filled anew are dead. */
static void replaced(const Op *op, unsigned slot, unsigned n) {
  fd_replaced(op->ring, slot, n);
  if (op->master)
    chain_replaced(op, slot, n);
}

static void replace_slots(Op *op) {
  const int *fds = op->out;
  unsigned first = op->place - 1, n;
  if (op->place == 0 || op->place == U_SLOT_ALLOC)
    return;
  if (op->kind == RES_SLOTS) {
    n = fd_updated(fds, op->nout, op->res);
    for (unsigned i = 0; i < n; i++) {
      if (fds[i] != IORING_REGISTER_FILES_SKIP)
        replaced(op, first + i, 1);
      multi_slots(op->ring, fds[i] == -1);
    }
  }
  else if (op->res >= 0)
    replaced(op, first, op->kind == RES_PIPE_DIRECT ? 2 : 1);
  else if (op->kind == RES_PIPE_DIRECT && op->res == -EINVAL) {
    /* no slot is left for the second end: then the first is empty, too */
    fd_clear_slot(op->ring, first);
    replaced(op, first, 1);
  }
}

/*
** A descriptor was sent into a slot of another ring.  If that is one of this
** state's, the object that it has for the slot is dead.  With EOVERFLOW the
** descriptor has come, but not the message.
*/
static void replace_sent(const Op *op) {
  const Link *all = &op->ring->state->all;
  bool chosen = op->place == 0;
  unsigned slot = chosen ? (unsigned)op->res : op->place - 1;
  if (strchr(op->def->args, 'H') == NULL || op->fixed ||
      (op->res < 0 && (chosen || op->res != -EOVERFLOW)))
    return;
  for (Link *l = all->next; l != all; l = l->next) {
    Ring *r = container(l, Ring, link);
    if (r->uring.ring_fd == op->fd)
      fd_replaced(r, slot, 1);
  }
}

/* A descriptor was closed by an operation of its own. */
static void forget_closed(Op *op) {
  const Fd *f = op->use[0].fd;
  bool slot = op->def->args[0] == 'H' || (f && f->ring);
  if (op->def->args[0] == 'H')
    replaced(op, (unsigned)op->fd, 1);
  else if (op->use[0].fd)
    fd_gone(op->use[0].fd);
  if (slot && op->res >= 0)
    multi_slots(op->ring, 1);
}

/* The other operation of a poll_update has new data from now on. */
static void renew_data(const Op *op) {
  const Renewal *n = op->out;
  Op *target = op_find(op->ring, n->target);
  if (n->renew && target != NULL)
    target->data64 = n->data;
}

/* A close that fails has closed, too, unless it was not carried out. */
static bool has_closed(const Op *op) {
  return op->def->opcode == IORING_OP_CLOSE && op->res != -ECANCELED &&
         op->res != -EINVAL && !op->deferred;
}

/* What a result changes in this process before anybody asks for it. */
void result_effect(Op *op) {
  if (op->def == NULL)
    return;
  if (has_closed(op))
    forget_closed(op);
  if (op->def->opcode == IORING_OP_MSG_RING)
    replace_sent(op);
  else
    replace_slots(op);
  if (op->res < 0)
    return;
  if (op->def->opcode == IORING_OP_RECV && op->use[0].fd)
    op->use[0].fd->dry = !(op->flags & IORING_CQE_F_SOCK_NONEMPTY);
  if (op->kind == RES_UPDATE)
    renew_data(op);
}

/* The provided buffers of a completion go back. */
void result_return(const Op *op, unsigned at, int res, unsigned flags) {
  if ((flags & IORING_CQE_F_BUFFER) && op->group)
    group_return(op->group, flags >> IORING_CQE_BUFFER_SHIFT, at,
                 res > 0 ? (unsigned)res : 0);
}

/*
** Give up what a successful result owns and nobody took.  What came with no
** data has gone back before.
*/
void result_dispose(const Op *op, int res, unsigned flags) {
  const int *out = op->out;
  if (res < 0)
    return;
  if (op->kind == RES_MESSAGE)
    msg_dispose(op, res, flags);
  if (res > 0)
    result_return(op, op->at, res, flags);
  switch (op->kind) {
    case RES_FD: case RES_ACCEPT:
      close(res);
      break;
    case RES_DIRECT: case RES_ACCEPT_DIRECT:
      fd_clear_slot(op->ring, new_slot(op, res));
      break;
    case RES_PIPE:
      close(out[0]);
      close(out[1]);
      break;
    case RES_PIPE_DIRECT:
      fd_clear_slot(op->ring, (unsigned)out[0]);
      fd_clear_slot(op->ring, (unsigned)out[1]);
      break;
    case RES_SLOTS:
      for (int i = 0; op->place == U_SLOT_ALLOC && i < res; i++)
        fd_clear_slot(op->ring, (unsigned)out[i]);
      break;
    default:
      break;
  }
}

/* The operation ends: give up its result, unless somebody took it. */
void result_drop(Op *op) {
  if ((op->state & (OP_DONE | OP_TAKEN)) != OP_DONE)
    return;
  op->at = (uint32_t)op->extra;
  result_dispose(op, op->res, op->flags);
}

/* ---- for an await ------------------------------------------------------- */

/* The result that the operation has now. */
Claim result_claim(const Op *op) {
  return (Claim){op->slot.generation, op->serial};
}

/* Is it still there, and nobody's? */
bool result_claimed(const Op *op, Claim c) {
  return op->slot.generation == c.generation && op->serial == c.serial &&
         !(op->state & OP_TAKEN);
}

/*
** The result gets an owner, whose object was made before: that may have
** raised, which leaves the result to the operation, or have run a finaliser
** that closed a multishot, or asked it for a result itself.  False when it is
** not there any more.
*/
bool result_take(Op *op, Claim c) {
  if (!result_claimed(op, c))
    return false;
  op->state |= OP_TAKEN;
  return true;
}

/* Push the new descriptor [-0, +1, e]. */
static int push_fd(lua_State *L, State *S, Op *op) {
  Claim c = result_claim(op);
  Fd *f = fd_push(L, S, -1);
  if (!result_take(op, c))
    return 0;
  fd_own(L, S, f, op->res);
  return 1;
}

static int push_direct(lua_State *L, Op *op) {
  Claim c = result_claim(op);
  Fd *f = fd_push_direct(L, op->ring);
  if (!result_take(op, c))
    return 0;
  fd_own_direct(L, f, new_slot(op, op->res));
  return 1;
}

/* Both ends of a pipe; first the objects, which may raise. */
static int push_pipe(lua_State *L, State *S, Op *op) {
  const int *fds = op->out;
  Fd *ends[2];
  bool direct = op->kind == RES_PIPE_DIRECT;
  for (int i = 0; i < 2; i++)
    ends[i] = direct ? fd_push_direct(L, op->ring) : fd_push(L, S, -1);
  for (int i = 0; i < 2; i++) {
    if (direct)
      fd_own_direct(L, ends[i], (unsigned)fds[i]);
    else
      fd_own(L, S, ends[i], fds[i]);
  }
  op->state |= OP_TAKEN;
  return 2;
}

/* Descriptors in slots of the kernel's choice: a list of Fds; or a count. */
static int push_slots(lua_State *L, Op *op) {
  const int *slots = op->out;
  if (op->place != U_SLOT_ALLOC) {
    lua_pushinteger(L, op->res);
    return 1;
  }
  lua_createtable(L, op->res, 0);
  for (int i = 0; i < op->res; i++) {
    fd_push_direct(L, op->ring);
    lua_rawseti(L, -2, i + 1);
  }
  for (int i = 0; i < op->res; i++) {
    lua_rawgeti(L, -1, i + 1);
    fd_own_direct(L, fd_test(L, -1), (unsigned)slots[i]);
    lua_pop(L, 1);
  }
  op->state |= OP_TAKEN;
  return 1;
}

/*
** Bytes in provided buffers: a string from a ring's own, which go back at
** once; else borrowed buffer objects.
*/
static int push_provided(lua_State *L, Op *op) {
  Claim c = result_claim(op);
  unsigned id = op->flags >> IORING_CQE_BUFFER_SHIFT, len;
  unsigned at = (unsigned)op->extra;
  char *room;
  int n = 1;
  if (op->res == 0 || !(op->flags & IORING_CQE_F_BUFFER)) {
    lua_pushliteral(L, "");
    return result_take(op, c);
  }
  len = (unsigned)op->res;
  if (op->group->pool) {
    room = bufring_room(L, op->group, id, at, len);
    if (!result_claimed(op, c))
      return 0;
    bufring_string(L, op->group, id, at, len, room);
  }
  else
    n = bufring_reserve(L, op->group, id, at, len);
  if (!result_take(op, c))
    return 0;
  if (op->group->pool)
    result_return(op, at, (int)len, op->flags);
  else
    bufring_lend(L, op->group, id, at, len, n);
  return n;
}

/*
** Bytes read: a string if the memory was borrowed, or their count.  With
** MSG_TRUNC the result is what there was, and may be more than came.
*/
static int push_data(lua_State *L, Op *op) {
  if (op->group)
    return push_provided(L, op);
  if (op->pooled)
    lua_pushlstring(L, op->block->data, (unsigned)op->res < op->want ?
                    (unsigned)op->res : op->want);
  else
    lua_pushinteger(L, op->res);
  return 1;
}

/* An option's value; of a short one the kernel fills the first bytes. */
static int push_option(lua_State *L, Op *op) {
  int n;
  if (op->out == NULL)
    return push_data(L, op);
  memcpy(&n, op->out, sizeof n);
  lua_pushinteger(L, n);
  return 1;
}

/* When a packet was sent, and which: a table. */
static int push_stamp(lua_State *L, Op *op) {
  static const char *const types[] = {"sent", "scheduled", "acknowledged"};
  Claim c = result_claim(op);
  unsigned type = op->flags >> 17 & 0x7fff;  /* IORING_TIMESTAMP_TYPE_SHIFT */
  bool hardware = (op->flags & U_CQE_F_TSTAMP_HW) != 0;
  uint64_t ns = op->extra;
  int id = op->res;
  lua_createtable(L, 0, 5);
  lua_pushinteger(L, id);
  lua_setfield(L, -2, "id");
  lua_pushinteger(L, (lua_Integer)(ns / (uint64_t)SECOND));
  lua_setfield(L, -2, "sec");
  lua_pushinteger(L, (lua_Integer)(ns % (uint64_t)SECOND));
  lua_setfield(L, -2, "nsec");
  lua_pushboolean(L, hardware);
  lua_setfield(L, -2, "hardware");
  lua_pushstring(L, type < 3 ? types[type] : "unknown");
  lua_setfield(L, -2, "type");
  return result_take(op, c);
}

/* From a copy, as result_value does. */
static int push_peer(lua_State *L, const Op *op) {
  Addr peer = *op->addr;
  addr_push(L, (const struct sockaddr *)&peer.sa, peer.len);
  return 1;
}

/*
** Push a successful result [-0, +1..n, e].  Of a multishot nothing when it is
** not there any more: a finaliser has closed it meanwhile.
*/
int result_push(lua_State *L, State *S, Op *op) {
  switch (op->kind) {
    case RES_DONE: case RES_TIMEOUT: case RES_UPDATE:
      lua_pushboolean(L, 1);
      return 1;
    case RES_DATA: return push_data(L, op);
    case RES_MESSAGE: return msg_push(L, op);
    case RES_FD: return push_fd(L, S, op);
    case RES_DIRECT: return push_direct(L, op);
    case RES_ACCEPT: return push_fd(L, S, op) + push_peer(L, op);
    case RES_ACCEPT_DIRECT: return push_direct(L, op) + push_peer(L, op);
    case RES_PIPE: case RES_PIPE_DIRECT: return push_pipe(L, S, op);
    case RES_SLOTS: return push_slots(L, op);
    case RES_OPTION: return push_option(L, op);
    case RES_STAMP: return push_stamp(L, op);
    case RES_INDEX:
      lua_pushinteger(L, op->res + 1);
      return 1;
    case RES_STATX: case RES_NAME: case RES_EVENTS: case RES_SIGINFO:
      result_value(L, op, op->res, op->flags, (unsigned)op->extra);
      return 1;
    default:
      lua_pushinteger(L, op->res);
      return 1;
  }
}

/* ---- for the raw layer -------------------------------------------------- */

static void push_numbers(lua_State *L, const int *n, int count) {
  lua_createtable(L, count, 0);
  for (int i = 0; i < count; i++) {
    lua_pushinteger(L, n[i]);
    lua_rawseti(L, -2, i + 1);
  }
}

/* Bytes at op->out that result_value reads. */
static size_t out_bytes(const Op *op, int res) {
  switch (op->kind) {
    case RES_PIPE: case RES_PIPE_DIRECT: return 2 * sizeof(int);
    case RES_SLOTS: return (size_t)res * sizeof(int);
    case RES_EVENTS: return (size_t)res * sizeof(struct epoll_event);
    default: return 0;
  }
}

/*
** Push what the kernel wrote beside the number, or nil [-0, +1, e].  From a
** copy: making a table may run a finaliser that frees the operation.
** Descriptors in it do not own theirs before result_own.
*/
void result_value(lua_State *L, Op *op, int res, unsigned flags,
                  unsigned at) {
  uint32_t generation = op->slot.generation;
  size_t size = res > 0 ? out_bytes(op, res) : 0;
  int small[2], *copy = small;
  lua_pushnil(L);
  if (res < 0)
    return;
  if (op->kind == RES_PIPE || op->kind == RES_PIPE_DIRECT)
    memcpy(small, op->out, sizeof small);
  else if (size > 0) {
    copy = lua_newuserdatauv(L, size, 0);
    lua_replace(L, -2);
    if (op->slot.generation != generation)
      return;
    memcpy(copy, op->out, size);
  }
  switch (op->kind) {
    case RES_STATX: {
      struct statx st = *op->statx;
      statx_push(L, &st);
      break;
    }
    case RES_ACCEPT: case RES_ACCEPT_DIRECT: case RES_NAME:
      push_peer(L, op);
      break;
    case RES_PIPE: case RES_PIPE_DIRECT: push_numbers(L, copy, 2); break;
    case RES_SLOTS: push_numbers(L, copy, res); break;
    case RES_EVENTS:
      form_push_events(L, (const struct epoll_event *)(void *)copy, res);
      break;
    case RES_OPTION:
      if (op->out == NULL)
        return;
      push_option(L, op);
      break;
    case RES_SIGINFO: form_push_siginfo(L, op->out); break;
    case RES_MESSAGE: msg_value(L, op, res, flags, at); break;
    default: return;
  }
  lua_replace(L, -2);
}

/* The value at index 'value' is the script's now; what is above it goes. */
void result_own(lua_State *L, State *S, int kind, int value) {
  if (kind == RES_MESSAGE)
    msg_adopt(L, S, value);
}
