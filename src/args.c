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
#include <sys/mman.h>

#include "uring.h"

#define MAX_IOV 1024          /* UIO_MAXIOV */
#define MAX_TRANSFER 0x7ffff000u /* what the kernel transfers at once */
#define MAX_XATTR 65536       /* XATTR_SIZE_MAX */
#define FUTEX_DEFAULT 130u    /* FUTEX2_SIZE_U32 | FUTEX2_PRIVATE */

/* An integer within bounds [e]. */
lua_Integer args_int(lua_State *L, int arg, lua_Integer low,
                     lua_Integer high) {
  int isint;
  lua_Integer n = lua_tointegerx(L, arg, &isint);
  if (lua_type(L, arg) != LUA_TNUMBER)
    luaL_typeerror(L, arg, "integer");
  if (!isint)
    luaL_checkinteger(L, arg);  /* raises */
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

/* A buffer, for the kernel to read or to fill. */
static void read_memory(lua_State *L, int arg, const char *expected,
                        Args *a) {
  if (buf_test(L, arg) == NULL)
    luaL_typeerror(L, arg, expected);
  a->buffer = arg;
  a->len = buf_test(L, arg)->size;
}

/*
** Memory to fill: a buffer, or (for an await) how many bytes to return.  In
** the raw layer nil leaves it to a provided buffer.
*/
void args_buffer(lua_State *L, int arg, bool raw, Args *a) {
  if (!raw && lua_type(L, arg) == LUA_TNUMBER) {
    a->want = true;
    a->len = (size_t)args_int(L, arg, 0, MAX_TRANSFER);
  }
  else if (raw && lua_isnil(L, arg))
    a->len = MAX_TRANSFER;
  else if (buf_test(L, arg) == NULL && luaL_testudata(L, arg, BUFRING_TYPE)) {
    a->bufring = arg;
    a->len = MAX_TRANSFER;
  }
  else
    read_memory(L, arg, raw ? "buffer" : "buffer or integer", a);
}

/* Memory to write: a string or a buffer. */
void args_data(lua_State *L, int arg, Args *a) {
  if (lua_type(L, arg) == LUA_TSTRING) {
    a->buf = (void *)(uintptr_t)lua_tolstring(L, arg, &a->len);
    a->anchor = arg;
  }
  else
    read_memory(L, arg, "string or buffer", a);
}

/*
** Memory for the value of an attribute: as args_buffer, and nil for a string
** of any length, 0 to ask for the length alone.
*/
static void read_value(lua_State *L, int arg, bool raw, Args *a) {
  if (lua_type(L, arg) == LUA_TNUMBER && lua_tonumber(L, arg) == 0)
    return;
  if (!raw && lua_isnoneornil(L, arg)) {
    a->want = true;
    a->len = MAX_XATTR;
  }
  else if (!lua_isnil(L, arg))
    args_buffer(L, arg, raw, a);
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
void args_list(lua_State *L, int arg, bool writing, Args *a) {
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

/* Where in the memory a futex is, from 0. */
static void read_word(lua_State *L, int arg, Args *a) {
  lua_Integer at = args_optint(L, arg, 0, 0, INT32_MAX);
  luaL_argcheck(L, a->len >= 4 && (size_t)at <= a->len - 4, arg,
                "the buffer has no 4 bytes there");
  luaL_argcheck(L, at % 4 == 0, arg, "not a multiple of 4");
  a->at = (size_t)at;
  a->len = 4;
}

/* 'count' pieces of 'length' bytes to be provided; 'arg' is behind them. */
static void check_provided(lua_State *L, int arg, const Args *a) {
  luaL_argcheck(L, a->length >= 1 && a->length <= MAX_TRANSFER, arg - 4,
                "length of a piece is out of range");
  luaL_argcheck(L, a->count >= 1 && a->count <= 65536, arg - 3,
                "number of pieces is out of range");
  luaL_argcheck(L, a->count <= a->len / a->length, arg - 3,
                "the buffer has no room for so many pieces");
  luaL_argcheck(L, a->offset + a->count <= 65536, arg - 1,
                "buffer ids go up to 65535");
}

/* Where a new direct descriptor goes: slot + 1, or any free one. */
static uint32_t read_slot(lua_State *L, int arg) {
  lua_Integer slot = args_optint(L, arg, U_SLOT_ALLOC, 0, MAX_U32);
  return slot >= U_SLOT_ALLOC - 1 ? U_SLOT_ALLOC : (uint32_t)slot + 1;
}

static int read_directory(lua_State *L, int arg, Fd **own) {
  if (lua_isnoneornil(L, arg) || (lua_type(L, arg) == LUA_TNUMBER &&
                                  lua_tonumber(L, arg) == AT_FDCWD))
    return AT_FDCWD;
  return fd_arg(L, arg, own);
}

static void read_address(lua_State *L, int arg, Args *a) {
  addr_check(L, arg, &a->name);
  a->addr = (struct sockaddr *)&a->name.sa;
  a->addrsize = a->name.len;
}

/* The bytes of a driver's command, as many as the ring's entries hold. */
static void read_bytes(lua_State *L, int arg, const Ring *r, Args *a) {
  size_t len;
  const char *s;
  struct stat st;
  if (a->own[0] == NULL || a->own[0]->ring == NULL)
    luaL_argcheck(L, fstat(a->fd, &st) != 0 || !S_ISSOCK(st.st_mode), arg - 1,
                  "cmd_sock is for sockets");
  if (lua_isnoneornil(L, arg))
    return;
  luaL_checktype(L, arg, LUA_TSTRING);
  s = lua_tolstring(L, arg, &len);
  luaL_argcheck(L, len <= r->sqe_size - 48, arg, "command is too long");
  a->temp = memcpy(a->form.bytes, s, len);
  a->tempsize = len;
}

/* What a NOP gives back: the result, and two numbers of a large cqe. */
static void read_inject(lua_State *L, int arg, Args *a) {
  a->count = (unsigned)args_optint(L, arg, 0, 0, MAX_U32);
  a->offset = (uint64_t)args_optint(L, arg + 1, 0, 0, INT64_MAX);
  a->flags2 = (unsigned)args_optint(L, arg + 2, 0, 0, MAX_U32);
}

/* A process by its number, or by a descriptor of one. */
static int read_process(lua_State *L, int arg, Fd **own) {
  if (lua_type(L, arg) == LUA_TNUMBER)
    return (int)args_int(L, arg, 0, INT32_MAX);
  return fd_arg(L, arg, own);
}

/*
** An operation of the ring by what its script knows of it: its sqe, the
** task that waits for it, or the value of set_data or set_data64.  What is
** not there (any more) gets a user_data that fits nothing.
*/
uint64_t args_target(lua_State *L, int arg, Ring *r) {
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
** A buffer ring; or, for an await, nil for the ring's own; in the raw layer
** the number of a group, or nil to set it later.
*/
static void read_group(lua_State *L, int arg, bool raw, Args *a) {
  a->takes = true;
  if (luaL_testudata(L, arg, BUFRING_TYPE))
    a->bufring = arg;
  else if (raw && lua_type(L, arg) == LUA_TNUMBER)
    a->index = (unsigned)args_int(L, arg, 0, UINT16_MAX);
  else if (!lua_isnoneornil(L, arg))
    luaL_typeerror(L, arg, "buffer ring");
}

/*
** Before a reader that pushes something: arguments that are left out, of the
** kinds from 'arg' on, become nil.
*/
static void pad(lua_State *L, int arg, const char *kinds) {
  int top = arg + (int)strlen(kinds) - 1;
  if (lua_gettop(L) < top)
    lua_settop(L, top);
}

/* Advice that leaves the memory usable; some takes it away, or poisons it. */
static void check_advice(lua_State *L, int arg, unsigned advice) {
  switch (advice) {
    case MADV_NORMAL: case MADV_RANDOM: case MADV_SEQUENTIAL:
    case MADV_WILLNEED: case MADV_DONTNEED: case MADV_FREE:
    case MADV_HUGEPAGE: case MADV_NOHUGEPAGE: case MADV_MERGEABLE:
    case MADV_UNMERGEABLE: case MADV_DONTDUMP: case MADV_DODUMP:
    case MADV_COLD: case MADV_PAGEOUT: case MADV_POPULATE_READ:
    case MADV_POPULATE_WRITE: case U_MADV_COLLAPSE:
      break;
    default:
      luaL_argerror(L, arg, "this advice is not for memory that Lua uses");
  }
}

/*
** Read the arguments of 'def' from stack index 'arg' on [-0, +?, e]: a list
** leaves a table on the stack.  In the raw layer memory to fill is always a
** buffer.
*/
void args_read(lua_State *L, const OpDef *def, int arg, Ring *r, bool raw,
               Args *a) {
  memset(a, 0, offsetof(Args, name));
  a->fd = a->fd2 = -1;
  for (const char *kind = def->args; *kind != '\0'; kind++, arg++) {
    switch (*kind) {
      case 'f':
        a->fd = fd_arg_any(L, arg, r, &a->own[0]);
        a->fixed = a->own[0] && a->own[0]->ring;
        break;
      case 'F': a->fd2 = fd_arg(L, arg, &a->own[1]); break;
      case 'R':
        a->fd2 = fd_arg_any(L, arg, r, &a->own[1]);
        a->fixed2 = a->own[1] && a->own[1]->ring;
        break;
      case 'H': a->fd2 = fd_arg_direct(L, arg, r, &a->own[1]); break;
      case 'D': a->fd = read_directory(L, arg, &a->own[0]); break;
      case 'G': a->fd2 = read_directory(L, arg, &a->own[1]); break;
      case 'p': a->path[0] = check_path(L, arg); break;
      case 'P': a->path[1] = check_path(L, arg); break;
      case 'b': args_buffer(L, arg, raw, a); break;
      case 'B': read_memory(L, arg, "buffer", a); break;
      case 'y': read_value(L, arg, raw, a); break;
      case 'd': args_data(L, arg, a); break;
      case 'n':
        if (a->want)          /* the count stood in the buffer's place */
          arg--;
        else
          read_length(L, arg, a);
        break;
      case 'N':
        a->len = (size_t)args_optint(L, arg, (lua_Integer)a->len, 0,
                                     (lua_Integer)a->len);
        break;
      case 'v': case 'w':
        pad(L, arg, kind);
        args_list(L, arg, *kind == 'w', a);
        break;
      case 'o':
        a->offset = (uint64_t)args_optint(L, arg, -1, -1, INT64_MAX);
        break;
      case 'O':
        a->offset2 = (uint64_t)args_optint(L, arg, -1, -1, INT64_MAX);
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
      case 'a': read_address(L, arg, a); break;
      case 'A':
        if (!lua_isnoneornil(L, arg))
          read_address(L, arg, a);
        break;
      case 'i': a->domain = (int)args_int(L, arg, 0, INT32_MAX); break;
      case 'j': a->type = (int)args_int(L, arg, 0, INT32_MAX); break;
      case 'k': a->protocol = (int)args_optint(L, arg, 0, 0, INT32_MAX); break;
      case 't': read_time(L, arg, a); break;
      case 'u': a->target = args_target(L, arg, r); break;
      case 'U':
        a->renew = !lua_isnoneornil(L, arg);
        if (a->renew)
          a->newdata = (uint64_t)args_int(L, arg, INT64_MIN, INT64_MAX);
        break;
      case 'L':
        a->flags2 = (unsigned)args_optint(L, arg, 0, 0, MAX_U32);
        break;
      case 'I': a->index = (unsigned)args_optint(L, arg, 0, 0, 65535); break;
      case 'S': a->slot = read_slot(L, arg); break;
      case 'q':
        a->mode = (unsigned)args_optint(L, arg, def->opcode ==
          IORING_OP_MKDIRAT ? 0777 : 0666, 0, 07777);
        break;
      case 'C':
        a->type = (int)args_int(L, arg, 0, U_SOCKET_TX_TIMESTAMP);
        break;
      case '3': a->count = (unsigned)args_int(L, arg, 0, MAX_U32); break;
      case 'M': a->count = (unsigned)args_int(L, arg, 1, 65536); break;
      case 'Y':
        a->target = message_tag(args_optint(L, arg, 0, MESSAGE_MIN,
                                            MESSAGE_MAX));
        break;
      case 'X':
        a->mask = (unsigned)args_optint(L, arg, MAX_U32, 0, MAX_U32);
        break;
      case 'E':
        a->mode = (unsigned)args_optint(L, arg, FUTEX_DEFAULT, 0, MAX_U32);
        break;
      case 'g': read_word(L, arg, a); break;
      case 'J': a->fd = read_process(L, arg, &a->own[0]); break;
      case 'Z': read_bytes(L, arg, r, a); break;
      case '9':
        if (a->flags != 0)
          read_inject(L, arg, a);
        break;
      case '0': a->slot = U_SLOT_ALLOC; break;
      case '4': pad(L, arg, kind); msg_read(L, arg, a); break;
      case '5': pad(L, arg, kind); msg_read_room(L, arg, false, a); break;
      case '6': pad(L, arg, kind); msg_read_room(L, arg, true, a); break;
      case '*': a->many = true; break;
      case '2': read_group(L, arg, raw, a); break;
      case '1': check_provided(L, arg, a); break;
      case 'W': form_open_how(L, arg, a); break;
      case 'K': a->how = form_ctl(L, arg); break;
      case 'T': form_event(L, arg, a); break;
      case 'Q': pad(L, arg, kind); form_fds(L, arg, a); break;
      case 'r': pad(L, arg, kind); form_waitv(L, arg, a); break;
      case 'V': form_option(L, arg, raw, a); break;
    }
  }
  if (a->bufring)
    bufring_arg(L, a->bufring, r);
  if (def->opcode == IORING_OP_MADVISE)
    check_advice(L, arg - 1, a->flags);
}

/*
** The last look at the arguments, when no Lua code will run any more: a
** metamethod or a finaliser may have changed a buffer's size [-0, +0, e].
*/
void args_settle(lua_State *L, Args *a) {
  if (a->waitv)
    form_settle_waitv(L, a);
  if (a->held)
    form_settle_fds(L, a);
  if (a->bufring)
    a->group = bufring_test(L, a->bufring);
  bufring_check(L, a->group, 0, a->flags);
  for (unsigned i = 1; a->list && i <= a->niov; i++) {
    if (lua_rawgeti(L, a->list, i) != LUA_TSTRING)
      buf_check(L, lua_gettop(L));
    lua_pop(L, 1);
  }
  if (a->buffer == 0)
    return;
  a->block = buf_check(L, a->buffer);
  a->buf = a->block->data + a->at;
  luaL_argcheck(L, a->at + a->len <= a->block->size, a->buffer,
                "buffer has been made smaller meanwhile");
}
