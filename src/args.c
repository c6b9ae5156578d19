/* SPDX-License-Identifier: MIT
**
** args.c - readers of arguments, one for each kind.
**
** args_read checks everything that can raise before anything is taken;
** args_own then copies or counts what must outlive the call into the
** operation.  Optional arguments may be nil; a value of the wrong type is
** never taken for a missing one, and a number never for a string.
*/

#include <fcntl.h>
#include <limits.h>
#include <math.h>
#include <stdlib.h>

#include "uring.h"

#define MAX_IOV 1024          /* UIO_MAXIOV */
#define MAX_TRANSFER 0x7ffff000u /* what the kernel transfers at once */

/* An integer within bounds [e]. */
lua_Integer args_int(lua_State *L, int arg, lua_Integer low,
                     lua_Integer high) {
  lua_Integer n;
  if (lua_type(L, arg) != LUA_TNUMBER)
    luaL_typeerror(L, arg, "integer");
  n = luaL_checkinteger(L, arg);
  if (n < low || n > high)
    luaL_argerror(L, arg, lua_pushfstring(L,
      "%I is out of range, expected %I to %I", (LUAI_UACINT)n,
      (LUAI_UACINT)low, (LUAI_UACINT)high));
  return n;
}

lua_Integer args_optint(lua_State *L, int arg, lua_Integer def,
                        lua_Integer low, lua_Integer high) {
  return lua_isnoneornil(L, arg) ? def : args_int(L, arg, low, high);
}

/* A time span in seconds, as nanoseconds; huge ones are FOREVER [e]. */
int64_t args_seconds(lua_State *L, int arg) {
  lua_Number s;
  if (lua_type(L, arg) != LUA_TNUMBER)
    luaL_typeerror(L, arg, "number");
  s = lua_tonumber(L, arg);
  luaL_argcheck(L, !isnan(s), arg, "seconds expected, got nan");
  luaL_argcheck(L, s >= 0, arg, "seconds must not be negative");
  return s >= 9e9 ? FOREVER : (int64_t)(s * 1e9);
}

int64_t args_optseconds(lua_State *L, int arg, int64_t def) {
  return lua_isnoneornil(L, arg) ? def : args_seconds(L, arg);
}

/* A string without zeros, as the kernel takes paths [e]. */
static const char *check_path(lua_State *L, int arg) {
  size_t len;
  const char *s;
  luaL_checktype(L, arg, LUA_TSTRING);
  s = lua_tolstring(L, arg, &len);
  luaL_argcheck(L, strlen(s) == len, arg, "path contains a zero byte");
  luaL_argcheck(L, len < PATH_MAX, arg, "path is too long");
  return s;
}

/* Memory to fill: a buffer, or (for an await) how many bytes to return. */
static void read_buffer(lua_State *L, int arg, bool raw, Args *a) {
  if (!raw && lua_type(L, arg) == LUA_TNUMBER) {
    a->want = true;
    a->len = (size_t)args_int(L, arg, 0, MAX_TRANSFER);
    return;
  }
  if (buf_test(L, arg) == NULL)
    luaL_typeerror(L, arg, raw ? "buffer" : "buffer or integer");
  a->buffer = arg;
  a->len = buf_check(L, arg)->size;
}

/* Memory to write: a string or a buffer. */
static void read_data(lua_State *L, int arg, Args *a) {
  if (lua_type(L, arg) == LUA_TSTRING) {
    a->buf = (void *)(uintptr_t)lua_tolstring(L, arg, &a->len);
    a->anchor = arg;
  }
  else if (buf_test(L, arg) != NULL) {
    a->buffer = arg;
    a->len = buf_check(L, arg)->size;
  }
  else
    luaL_typeerror(L, arg, "string or buffer");
}

/* How much of it; left out it is everything. */
static void read_length(lua_State *L, int arg, Args *a) {
  a->len = (size_t)args_optint(L, arg, (lua_Integer)a->len, 0,
                               (lua_Integer)a->len);
  if (a->len > MAX_TRANSFER)
    a->len = MAX_TRANSFER;
}

/*
** A list of buffers, or of strings and buffers to write.  Strings are kept
** in a table of our own, which nobody else can change meanwhile.
*/
static void read_list(lua_State *L, int arg, bool writing, Args *a) {
  lua_Unsigned n;
  luaL_checktype(L, arg, LUA_TTABLE);
  n = lua_rawlen(L, arg);
  luaL_argcheck(L, n <= MAX_IOV, arg, "more than 1024 pieces");
  luaL_checkstack(L, 4, NULL);
  lua_createtable(L, (int)n, 0);
  for (lua_Unsigned i = 1; i <= n; i++) {
    int type = lua_rawgeti(L, arg, (lua_Integer)i);
    if (!(writing && type == LUA_TSTRING) && buf_test(L, -1) == NULL)
      luaL_argerror(L, arg, lua_pushfstring(L, "%s expected at index %I, "
        "got %s", writing ? "string or buffer" : "buffer", (LUAI_UACINT)i,
        luaL_typename(L, -1)));
    lua_rawseti(L, -2, (lua_Integer)i);
  }
  a->niov = (unsigned)n;
  a->list = lua_gettop(L);
  a->anchor = a->list;
}

static void read_time(lua_State *L, int arg, Args *a) {
  int64_t ns = args_seconds(L, arg);
  a->time.tv_sec = ns / SECOND;
  a->time.tv_nsec = ns % SECOND;
  a->ts = &a->time;
}

static int read_how(lua_State *L, int arg) {
  static const char *const names[] = {"read", "write", "both", NULL};
  if (lua_type(L, arg) == LUA_TSTRING)
    return luaL_checkoption(L, arg, NULL, names);
  return (int)args_int(L, arg, 0, 2);
}

/*
** An operation of the ring by what its script knows of it: its sqe, the
** task that waits for it, or the value of set_data or set_data64.  What is
** not there (any more) gets a user_data that fits nothing.
*/
static uint64_t read_target(lua_State *L, int arg, Ring *r) {
  Op *op = NULL;
  luaL_checkany(L, arg);
  if (luaL_testudata(L, arg, SQE_TYPE) != NULL)
    op = sqe_op(L, arg);
  else if (luaL_testudata(L, arg, TASK_TYPE) != NULL)
    op = ((Task *)lua_touserdata(L, arg))->op;
  else
    op = sqe_find(L, arg, r);
  return op != NULL && op->ring == r ? op_tag(op) : 0;
}

/*
** Read the arguments of 'def' from stack index 'arg' on [-0, +?, e]: a list
** leaves a table on the stack.  In the raw layer memory to fill is always a
** buffer.
*/
void args_read(lua_State *L, const OpDef *def, int arg, Ring *r, bool raw,
               Args *a) {
  memset(a, 0, offsetof(Args, name));
  a->fd = -1;
  for (const char *kind = def->args; *kind != '\0'; kind++, arg++) {
    switch (*kind) {
      case 'f': a->fd = fd_arg(L, arg, &a->own[0]); break;
      case 'F': a->fd2 = fd_arg(L, arg, &a->own[1]); break;
      case 'D':
        a->fd = AT_FDCWD;
        if (!lua_isnoneornil(L, arg) &&
            !(lua_type(L, arg) == LUA_TNUMBER &&
              lua_tonumber(L, arg) == AT_FDCWD))
          a->fd = fd_arg(L, arg, &a->own[0]);
        break;
      case 'p': a->path[0] = check_path(L, arg); break;
      case 'P': a->path[1] = check_path(L, arg); break;
      case 'b': read_buffer(L, arg, raw, a); break;
      case 'd': read_data(L, arg, a); break;
      case 'n':
        if (a->want)          /* the count stood in the buffer's place */
          arg--;
        else
          read_length(L, arg, a);
        break;
      case 'v': read_list(L, arg, false, a); break;
      case 'w': read_list(L, arg, true, a); break;
      case 'o':
        a->offset = (uint64_t)args_optint(L, arg, -1, -1, INT64_MAX);
        break;
      case 's':
        a->offset = (uint64_t)args_optint(L, arg, 0, 0, INT64_MAX);
        break;
      case 'z': a->length = (uint64_t)args_int(L, arg, 0, INT64_MAX); break;
      case 'l': a->flags = (unsigned)args_optint(L, arg, 0, 0, MAX_U32); break;
      case 'm': a->mode = (unsigned)args_optint(L, arg, 0, 0, MAX_U32); break;
      case 'e': a->mask = (unsigned)args_int(L, arg, 0, MAX_U32); break;
      case 'x':
        a->mask = statx_mask(L, arg, STATX_BASIC_STATS | STATX_BTIME);
        break;
      case 'c': a->count = (unsigned)args_optint(L, arg, 0, 0, MAX_U32); break;
      case 'h': a->how = read_how(L, arg); break;
      case 'a':
        addr_check(L, arg, &a->name);
        a->addr = (struct sockaddr *)&a->name.sa;
        a->addrsize = a->name.len;
        break;
      case 'i': a->domain = (int)args_int(L, arg, 0, INT32_MAX); break;
      case 'j': a->type = (int)args_int(L, arg, 0, INT32_MAX); break;
      case 'k': a->protocol = (int)args_optint(L, arg, 0, 0, INT32_MAX); break;
      case 't': read_time(L, arg, a); break;
      case 'u': a->target = read_target(L, arg, r); break;
    }
  }
}

/*
** The last look at the arguments, when no Lua code will run any more: a
** metamethod or a finaliser may have changed the buffer's size [-0, +0, e].
*/
void args_settle(lua_State *L, Args *a) {
  if (a->buffer == 0)
    return;
  a->block = buf_check(L, a->buffer);
  a->buf = a->block->data;
  luaL_argcheck(L, a->len <= a->block->size, a->buffer,
                "buffer has been made smaller meanwhile");
}

/* ---- into the operation ------------------------------------------------- */

static bool own_path(Op *op, const char **path) {
  if (*path != NULL) {
    size_t size = strlen(*path) + 1;
    char *copy = op_alloc(op, size);
    if (copy == NULL)
      return false;
    *path = memcpy(copy, *path, size);
  }
  return true;
}

/* The iovec array of a list, and a reference to each buffer in it. */
static bool own_list(lua_State *L, Op *op, Args *a) {
  a->iov = op_alloc(op, (a->niov + 1) * sizeof *a->iov);
  op->blocks = op_alloc(op, (a->niov + 1) * sizeof *op->blocks);
  if (a->iov == NULL || op->blocks == NULL)
    return false;
  for (unsigned i = 0; i < a->niov; i++) {
    if (lua_rawgeti(L, a->list, i + 1) == LUA_TSTRING)
      a->iov[i].iov_base =
        (void *)(uintptr_t)lua_tolstring(L, -1, &a->iov[i].iov_len);
    else {
      Block *b = buf_check(L, -1);
      op->blocks[op->nblocks++] = block_hold(b);
      a->iov[i].iov_base = b->data;
      a->iov[i].iov_len = b->size;
    }
    lua_pop(L, 1);
  }
  return true;
}

/*
** Move what the kernel may touch from the Lua stack into 'op', and point
** the arguments at it.  False when there is no memory; what was moved by
** then is released with the operation.
*/
bool args_own(lua_State *L, Op *op, Args *a) {
  if (!own_path(op, &a->path[0]) || !own_path(op, &a->path[1]))
    return false;
  if (a->list && !own_list(L, op, a))
    return false;
  if (a->block)
    op->block = block_hold(a->block);
  else if (a->want) {
    op->block = pool_take(&op->ring->pool, a->len);
    if (op->block == NULL)
      return false;
    op->pooled = true;
    a->buf = op->block->data;
  }
  if (a->addr) {
    Addr *copy = op_alloc(op, offsetof(Addr, sa) + a->addrsize);
    if (copy == NULL)
      return false;
    memcpy(copy, &a->name, offsetof(Addr, sa) + a->addrsize);
    a->addr = (struct sockaddr *)&copy->sa;
    op->addr = copy;
  }
  if (a->ts) {
    a->ts = op_alloc(op, sizeof *a->ts);
    if (a->ts == NULL)
      return false;
    *a->ts = a->time;
  }
  if (op->kind == RES_STATX) {
    a->statx = op->statx = op_alloc(op, sizeof *op->statx);
    if (a->statx == NULL)
      return false;
  }
  if (op->kind == RES_ACCEPT) {
    Addr *peer = op_alloc(op, sizeof *peer);
    if (peer == NULL)
      return false;
    peer->len = sizeof peer->sa;
    a->addr = (struct sockaddr *)&peer->sa;
    a->addrlen = &peer->len;
    op->addr = peer;
  }
  op->fd = a->fd;
  op->path = a->path[0];
  return true;
}
