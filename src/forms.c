/* SPDX-License-Identifier: MIT
**
** forms.c - structures of the kernel that are tables in Lua.
**
** Readers leave the structure where Args.temp points: in the arguments
** themselves, or in a userdata on the stack, which own.c copies into the
** operation.  They read tables raw, so no Lua code runs but the methods of
** objects that stand for descriptors.
*/

#include <signal.h>
#include <sys/wait.h>

#include "uring.h"

/* An integer field of the table at 'arg'; 'def' for nil [-0, +0, e]. */
lua_Integer form_field(lua_State *L, int arg, const char *name,
                       lua_Integer def) {
  int isint;
  lua_Integer n = def;
  lua_pushstring(L, name);
  if (lua_rawget(L, arg) != LUA_TNIL) {
    n = lua_tointegerx(L, -1, &isint);
    if (!isint || lua_type(L, -1) != LUA_TNUMBER)
      luaL_argerror(L, arg, lua_pushfstring(L,
        "field '%s': integer expected, got %s", name, luaL_typename(L, -1)));
  }
  lua_pop(L, 1);
  return n;
}

/* An unsigned field of the table at 'arg', 0 for nil [e]. */
uint32_t form_u32(lua_State *L, int arg, const char *name) {
  lua_Integer n = form_field(L, arg, name, 0);
  if (n < 0 || n > MAX_U32)
    luaL_argerror(L, arg, lua_pushfstring(L, "field '%s' is out of range",
                                          name));
  return (uint32_t)n;
}

/* A boolean field of the table at 'arg'. */
bool form_flag(lua_State *L, int arg, const char *name) {
  bool on;
  lua_pushstring(L, name);
  lua_rawget(L, arg);
  on = lua_toboolean(L, -1);
  lua_pop(L, 1);
  return on;
}

/* Raise for a field of the table at 'arg' that is not among 'names'. */
void form_only(lua_State *L, int arg, const char *const names[]) {
  lua_pushnil(L);
  while (lua_next(L, arg)) {
    const char *key = lua_type(L, -2) == LUA_TSTRING ? lua_tostring(L, -2)
                                                     : NULL;
    const char *const *name = names;
    while (*name != NULL && (key == NULL || strcmp(*name, key) != 0))
      name++;
    if (*name == NULL)
      luaL_argerror(L, arg, lua_pushfstring(L, "unknown field '%s'",
                                            luaL_tolstring(L, -2, NULL)));
    lua_pop(L, 1);
  }
}

/* {flags =, mode =, resolve =}: integers, all 0 if left out */
void form_open_how(lua_State *L, int arg, Args *a) {
  static const char *const names[] = {"flags", "mode", "resolve", NULL};
  luaL_checktype(L, arg, LUA_TTABLE);
  form_only(L, arg, names);
  a->form.how.flags = (uint64_t)form_field(L, arg, "flags", 0);
  a->form.how.mode = (uint64_t)form_field(L, arg, "mode", 0);
  a->form.how.resolve = (uint64_t)form_field(L, arg, "resolve", 0);
  a->temp = &a->form.how;
  a->tempsize = sizeof a->form.how;
}

/* EPOLL_CTL_ADD and so on, or "add", "del", "mod". */
int form_ctl(lua_State *L, int arg) {
  static const char *const names[] = {"add", "del", "mod", NULL};
  if (lua_type(L, arg) == LUA_TSTRING)
    return luaL_checkoption(L, arg, NULL, names) + 1;
  return (int)args_int(L, arg, EPOLL_CTL_ADD, EPOLL_CTL_MOD);
}

/*
** {events =, data =}, or the events alone; data is the number of the
** descriptor if it is left out.
*/
void form_event(lua_State *L, int arg, Args *a) {
  struct epoll_event *e = &a->form.event;
  memset(e, 0, sizeof *e);
  e->data.u64 = (uint64_t)a->fd2;
  if (lua_istable(L, arg)) {
    static const char *const names[] = {"events", "data", NULL};
    form_only(L, arg, names);
    e->events = (uint32_t)form_field(L, arg, "events", 0);
    e->data.u64 = (uint64_t)form_field(L, arg, "data", a->fd2);
  }
  else if (a->how != EPOLL_CTL_DEL || !lua_isnoneornil(L, arg))
    e->events = (uint32_t)args_int(L, arg, 0, MAX_U32);
  a->temp = e;
  a->tempsize = sizeof *e;
}

/* A list of epoll events: {{events =, data =}, ...} [-0, +1, e] */
void form_push_events(lua_State *L, const struct epoll_event *ev, int n) {
  lua_createtable(L, n, 0);
  for (int i = 0; i < n; i++) {
    lua_createtable(L, 0, 2);
    lua_pushinteger(L, ev[i].events);
    lua_setfield(L, -2, "events");
    lua_pushinteger(L, (lua_Integer)ev[i].data.u64);
    lua_setfield(L, -2, "data");
    lua_rawseti(L, -2, i + 1);
  }
}

/* ---- lists -------------------------------------------------------------- */

#define MAX_FDS 32768  /* of one update of the table */

/* The length of the list at 'arg', at least 1 [e]. */
static unsigned list_length(lua_State *L, int arg, unsigned max) {
  lua_Unsigned n;
  luaL_checktype(L, arg, LUA_TTABLE);
  n = lua_rawlen(L, arg);
  if (n < 1 || n > max)
    luaL_argerror(L, arg, lua_pushfstring(L, "list of 1 to %d expected",
                                          (int)max));
  return (unsigned)n;
}

/* One element of such a list; in the list's place, so that errors name it. */
static int read_fd(lua_State *L, int arg) {
  Fd *own;
  int type = lua_type(L, arg);
  if (type == LUA_TBOOLEAN && !lua_toboolean(L, arg))
    return -1;
  if (type == LUA_TNUMBER && lua_tonumber(L, arg) < 0)
    return (int)args_int(L, arg, IORING_REGISTER_FILES_SKIP, -1);
  return fd_arg(L, arg, &own);
}

/*
** A list of descriptors for the ring's table.  false or -1 stands for none,
** -2 for IORING_REGISTER_FILES_SKIP.  Leaves the array, and a copy of the
** list that keeps its objects, on the stack.
*/
void form_fds(lua_State *L, int arg, Args *a) {
  unsigned n = list_length(L, arg, MAX_FDS);
  int *fds;
  luaL_checkstack(L, 6, NULL);
  fds = lua_newuserdatauv(L, n * sizeof *fds, 1);
  lua_createtable(L, (int)n, 0);
  a->anchor = a->held = lua_gettop(L);
  for (unsigned i = 0; i < n; i++) {
    lua_rawgeti(L, arg, i + 1);
    lua_rawseti(L, a->held, i + 1);
  }
  for (unsigned i = 0; i < n; i++) {
    lua_rawgeti(L, a->held, i + 1);
    lua_replace(L, arg);
    fds[i] = read_fd(L, arg);
  }
  a->temp = fds;
  a->tempsize = n * sizeof *fds;
  a->count = n;
}

/* Are the objects in that list still open?  No Lua code runs [-0, +0, e]. */
void form_settle_fds(lua_State *L, const Args *a) {
  unsigned n = (unsigned)lua_rawlen(L, a->held);
  for (unsigned i = 1; i <= n; i++) {
    const Fd *f;
    lua_rawgeti(L, a->held, i);
    f = fd_test(L, lua_gettop(L));
    lua_pop(L, 1);
    if (f != NULL && f->state != FD_OPEN)
      luaL_error(L, "fd %d is being closed", f->fd);
  }
}

/* struct futex_waitv of <linux/futex.h> */
typedef struct Waitv {
  uint64_t value, address;
  uint32_t flags, reserved;
} Waitv;

/* Has the block 4 bytes from 'at' on? */
static bool has_word(const Block *b, uint64_t at) {
  return b != NULL && b->size >= 4 && at <= b->size - 4;
}

/* One futex, its table on top: {buffer, value, at =, flags =} [-0, +1, e]. */
static void read_waitv(lua_State *L, int arg, Waitv *w) {
  int isint, table = lua_gettop(L);
  lua_Integer value, at = form_field(L, table, "at", 0);
  lua_rawgeti(L, table, 2);
  value = lua_tointegerx(L, -1, &isint);
  luaL_argcheck(L, isint && lua_type(L, -1) == LUA_TNUMBER && value >= 0 &&
    value <= MAX_U32, arg, "value of 32 bits expected as second field");
  w->value = (uint64_t)value;
  w->flags = (uint32_t)form_field(L, table, "flags", 130);
  w->reserved = 0;
  lua_pop(L, 1);
  lua_rawgeti(L, table, 1);
  luaL_argcheck(L, luaL_testudata(L, -1, BUFFER_TYPE), arg,
                "buffer expected as first field");
  luaL_argcheck(L, at >= 0 && at % 4 == 0, arg,
                "field 'at': not a multiple of 4");
  luaL_argcheck(L, has_word(buf_test(L, -1), (uint64_t)at), arg,
                "a buffer has no 4 bytes there");
  w->address = (uint64_t)at;
}

/* A list of futexes; leaves their array and a list of the buffers. */
void form_waitv(lua_State *L, int arg, Args *a) {
  unsigned n = list_length(L, arg, MAX_WAITV);
  Waitv *all;
  luaL_checkstack(L, 8, NULL);
  all = lua_newuserdatauv(L, n * sizeof *all, 0);
  lua_createtable(L, (int)n, 0);
  a->waitv = lua_gettop(L);
  for (unsigned i = 0; i < n; i++) {
    luaL_argcheck(L, lua_rawgeti(L, arg, i + 1) == LUA_TTABLE, arg,
                  "list of tables expected");
    read_waitv(L, arg, &all[i]);
    lua_rawseti(L, a->waitv, i + 1);
    lua_pop(L, 1);
  }
  a->temp = all;
  a->tempsize = n * sizeof *all;
  a->count = n;
  form_settle_waitv(L, a);
}

/* Check once more that the words are there; no Lua code runs [-0, +0, e]. */
void form_settle_waitv(lua_State *L, Args *a) {
  const Waitv *w = a->temp;
  for (unsigned i = 0; i < a->count; i++) {
    Block *b;
    lua_rawgeti(L, a->waitv, i + 1);
    b = buf_check(L, lua_gettop(L));
    lua_pop(L, 1);
    if (!has_word(b, w[i].address))
      luaL_error(L, "buffer %d of the list has no 4 bytes there", (int)i + 1);
  }
}

/*
** The operation holds the buffers, and the array in it says where the words
** are.  Cannot fail: settled.
*/
void form_own_waitv(lua_State *L, Op *op, const Args *a) {
  Waitv *w = (Waitv *)(uintptr_t)a->temp;
  for (unsigned i = 0; i < a->count; i++) {
    lua_rawgeti(L, a->waitv, i + 1);
    op->blocks[op->nblocks++] = block_hold(buf_test(L, -1));
    w[i].address += (uint64_t)(uintptr_t)op->blocks[i]->data;
    lua_pop(L, 1);
  }
}

/* ---- options of sockets ------------------------------------------------- */

/*
** For SETSOCKOPT an integer, a boolean, a string or a buffer.  For
** GETSOCKOPT how to get it: nil for an integer, a number of bytes for a
** string, or a buffer.
*/
void form_option(lua_State *L, int arg, bool raw, Args *a) {
  if (a->type == U_SOCKET_SETSOCKOPT) {
    int type = lua_type(L, arg);
    if (type == LUA_TNUMBER || type == LUA_TBOOLEAN) {
      a->form.number = type == LUA_TBOOLEAN ? lua_toboolean(L, arg)
        : (int)args_int(L, arg, INT32_MIN, MAX_U32);
      a->temp = &a->form.number;
      a->len = a->tempsize = sizeof a->form.number;
    }
    else
      args_data(L, arg, a);
  }
  else if (a->type == U_SOCKET_GETSOCKOPT) {
    if (lua_isnoneornil(L, arg))
      a->len = sizeof(int);
    else
      args_buffer(L, arg, raw, a);
  }
}

/* ---- children ----------------------------------------------------------- */

static const char *how_ended(int code) {
  switch (code) {
    case CLD_EXITED: return "exited";
    case CLD_KILLED: return "killed";
    case CLD_DUMPED: return "dumped";
    case CLD_TRAPPED: return "trapped";
    case CLD_STOPPED: return "stopped";
    case CLD_CONTINUED: return "continued";
    default: return "unknown";
  }
}

static void set(lua_State *L, const char *name, lua_Integer value) {
  lua_pushinteger(L, value);
  lua_setfield(L, -2, name);
}

/*
** Push what happened to a child: {pid =, uid =, status =, code =, signo =,
** how = "exited" and so on}; false if nothing did [-0, +1, e].
*/
void form_push_siginfo(lua_State *L, const void *info) {
  siginfo_t si;
  memcpy(&si, info, sizeof si);
  if (si.si_signo == 0) {
    lua_pushboolean(L, 0);
    return;
  }
  lua_createtable(L, 0, 6);
  set(L, "pid", si.si_pid);
  set(L, "uid", si.si_uid);
  set(L, "status", si.si_status);
  set(L, "code", si.si_code);
  set(L, "signo", si.si_signo);
  lua_pushstring(L, how_ended(si.si_code));
  lua_setfield(L, -2, "how");
}
