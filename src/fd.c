/* SPDX-License-Identifier: MIT
**
** fd.c - descriptors that know their operations.
**
** A number that is closed while the kernel, or the submission queue, still
** has an operation for it may be reused by then: the operation would hit a
** stranger.  So an Fd counts its operations.  Closing it refuses new ones,
** cancels those that are there, each by its own user_data, and calls
** close(2) when the last has ended.  A raw number has no such protection.
**
** The C object outlives the Lua object while operations use it.
** Direct descriptors, which are slots of a ring, are in direct.c.
*/

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include "uring.h"

static void fd_free(Fd *f) {
  link_remove(&f->open);
  free(f->opened);
  free(f->closed);
  free(f);
}

/* There is no descriptor any more; whoever waits for that goes on. */
void fd_gone(Fd *f) {
  f->state = FD_CLOSED;
  link_remove(&f->direct);
  link_remove(&f->open);
  while (!link_alone(&f->closers))
    sched_wake(container(f->closers.next, Task, link), WOKE_NORMAL);
}

/* The last operation has ended, or there was none. */
static void finish(Fd *f) {
  if (f->state == FD_CLOSING) {
    if (f->ring)
      f->error = fd_clear_slot(f->ring, (unsigned)f->fd);
    else
      f->error = close(f->fd) == 0 ? 0 : errno;
    fd_gone(f);
  }
  if (!f->owned) {
    link_remove(&f->direct);
    fd_free(f);
  }
}

/* In a child of fork the operations are the parent's: forget them. */
static void disown(Fd *f) {
  if (f->fork_count == fork_count)
    return;
  f->fork_count = fork_count;
  while (!link_alone(&f->uses))
    fd_unuse(container(f->uses.next, FdUse, link));
}

/* Is it a pipe, a socket, a terminal: where data comes when it comes? */
bool fd_pollable(Fd *f) {
  enum { UNKNOWN, YES, NO };
  if (f->pollable == UNKNOWN) {
    struct stat st;
    bool file = f->ring != NULL || fstat(f->fd, &st) != 0 ||
                S_ISREG(st.st_mode) || S_ISDIR(st.st_mode) ||
                S_ISBLK(st.st_mode);
    f->pollable = file ? NO : YES;
  }
  return f->pollable == YES;
}

/* Does an operation of the ring hold the lane? */
bool fd_lane_busy(const Fd *f, const Ring *r, int lane) {
  const Lane *l = &f->lanes[lane];
  return l->ring == r->number &&
         slab_find(&r->ops, l->index, l->generation) != NULL;
}

/* 'op' is about to be prepared for this descriptor. */
void fd_use(Fd *f, FdUse *use, Op *op) {
  disown(f);
  use->fd = f;
  use->op = op;
  link_init(&use->link);
  link_append(&f->uses, &use->link);
  f->count++;
}

/* The kernel is done with the operation that holds 'use', if any does. */
void fd_unuse(FdUse *use) {
  Fd *f = use->fd;
  if (f == NULL)
    return;
  use->fd = NULL;
  link_remove(&use->link);
  if (--f->count == 0)
    finish(f);
}

/* An operation was prepared that closes it: no new ones from now on. */
void fd_closing(Fd *f) {
  if (f->state == FD_OPEN)
    f->state = FD_CLOSING;
}

/*
** Begin to close; nothing happens when it was begun before.  Returns whether
** the descriptor is closed now.
*/
int fd_close(Fd *f) {
  disown(f);
  if (f->state == FD_OPEN) {
    f->state = FD_CLOSING;
    f->count++;        /* a multishot that is idle ends at once */
    for (Link *l = f->uses.next, *next; l != &f->uses; l = next) {
      next = l->next;
      op_cancel(container(l, FdUse, link)->op);
    }
    if (--f->count == 0)
      finish(f);
  }
  return f->state == FD_CLOSED;
}

/* ---- the object ------------------------------------------------------- */

static Fd **box_check(lua_State *L, int arg) {
  return luaL_checkudata(L, arg, FD_TYPE);
}

/* Push an object without a descriptor: -> fd */
static int l_fd_empty(lua_State *L) {
  Fd **box = lua_newuserdatauv(L, sizeof *box, 1), *f;
  *box = NULL;
  luaL_setmetatable(L, FD_TYPE);
  f = *box = calloc(1, sizeof *f);
  if (f == NULL)
    return luaL_error(L, "not enough memory");
  f->fd = -1;
  f->state = FD_CLOSED;
  f->owned = true;
  f->fork_count = fork_count;
  link_init(&f->uses);
  link_init(&f->closers);
  link_init(&f->direct);
  link_init(&f->open);
  return 1;
}

/* Give the empty object 'f' its descriptor; cannot fail. */
void fd_own(lua_State *L, State *S, Fd *f, int fd) {
  f->fd = fd;
  f->state = FD_OPEN;
  debug_opened(L, S, f);
}

/*
** Push a new object that owns the number 'fd' [-0, +1, e]; with -1 it is
** empty.  The number has an owner in any case: where there can be no object
** for want of memory it is closed before the error is raised.
*/
Fd *fd_push(lua_State *L, State *S, int fd) {
  Fd *f;
  lua_pushcfunction(L, l_fd_empty);
  if (fd < 0)
    lua_call(L, 0, 1);
  else if (lua_pcall(L, 0, 1, 0) != LUA_OK) {
    close(fd);
    lua_error(L);
  }
  f = *(Fd **)lua_touserdata(L, -1);
  if (fd >= 0)
    fd_own(L, S, f, fd);
  return f;
}

/* fd_test; 'S' is NULL in a function without upvalues. */
static Fd *test(lua_State *L, const State *S, int arg) {
  Fd **box = S ? unit_test(L, arg, S->fd_meta)
               : luaL_testudata(L, arg, FD_TYPE);
  return box ? *box : NULL;
}

/* The Fd at 'arg'; NULL when it is something else. */
Fd *fd_test(lua_State *L, int arg) { return test(L, state_get(L), arg); }

/* Raise for a descriptor that is not there any more. */
static int closed_error(lua_State *L, int arg, const Fd *f) {
  const char *how = f->state == FD_DETACHED ? "detached" : "closed";
  if (f->closed)
    lua_pushfstring(L, "fd %d was %s at %s", f->fd, how, f->closed);
  else if (f->fd >= 0)
    lua_pushfstring(L, "fd %d was %s", f->fd, how);
  else
    lua_pushliteral(L, "closed descriptor");
  return luaL_argerror(L, arg, lua_tostring(L, -1));
}

static Fd *check(lua_State *L, int arg) {
  Fd *f = *box_check(L, arg);
  if (f == NULL)
    luaL_argerror(L, arg, "closed descriptor");
  return f;
}

/* The Fd at 'arg', which is open or closing [e]. */
Fd *fd_check(lua_State *L, int arg) {
  Fd *f = check(L, arg);
  if (f->state == FD_CLOSED || f->state == FD_DETACHED)
    closed_error(L, arg, f);
  return f;
}

static int check_number(lua_State *L, int arg, int index) {
  int isnum;
  lua_Integer n = lua_tointegerx(L, index, &isnum);
  luaL_argcheck(L, isnum && n >= 0 && n <= INT32_MAX, arg,
                "descriptor out of range");
  return (int)n;
}

/* Ask an object for its descriptor by one of the usual methods. */
static bool ask_method(lua_State *L, int arg, int *fd) {
  static const char *const names[] = {"getfd", "fileno", "pollfd", NULL};
  if (lua_type(L, arg) == LUA_TUSERDATA) {
    if (luaL_getmetafield(L, arg, "__index") == LUA_TNIL)
      return false;
    lua_pop(L, 1);
  }
  for (int i = 0; names[i] != NULL; i++) {
    if (lua_getfield(L, arg, names[i]) != LUA_TNIL) {
      lua_pushvalue(L, arg);
      lua_call(L, 1, 1);
      *fd = check_number(L, arg, -1);
      lua_pop(L, 1);
      return true;
    }
    lua_pop(L, 1);
  }
  return false;
}

/*
** The descriptor at 'arg' [e]: a number, an Fd (then *own is set), a Lua
** file, or an object with a method getfd, fileno or pollfd, which may run
** any Lua code: read such an argument before any pointer is taken.
*/
static int any_arg(lua_State *L, const State *S, int arg, Fd **own) {
  int fd, type;
  luaL_Stream *file;
  *own = test(L, S, arg);
  if (*own != NULL) {
    if ((*own)->state == FD_CLOSED || (*own)->state == FD_DETACHED)
      closed_error(L, arg, *own);
    return (*own)->fd;
  }
  type = lua_type(L, arg);
  if (type == LUA_TNUMBER) {
    luaL_checkinteger(L, arg);
    return check_number(L, arg, arg);
  }
  file = type == LUA_TUSERDATA ? luaL_testudata(L, arg, LUA_FILEHANDLE) : NULL;
  if (file != NULL) {
    luaL_argcheck(L, file->closef != NULL, arg, "closed file");
    return fileno(file->f);
  }
  if ((type == LUA_TUSERDATA || type == LUA_TTABLE) && ask_method(L, arg, &fd))
    return fd;
  return luaL_typeerror(L, arg, "descriptor");
}

/* Raise unless the direct descriptor 'f' is of the ring. */
void fd_check_ring(lua_State *L, int arg, const Ring *r, const Fd *f) {
  luaL_argcheck(L, f->ring == r, arg,
                "direct descriptor of another ring");
}

/* The same, or a direct descriptor of the ring, which has own->ring [e]. */
int fd_arg_any(lua_State *L, int arg, const Ring *r, Fd **own) {
  int fd = any_arg(L, r->state, arg, own);
  if (*own && (*own)->ring)
    fd_check_ring(L, arg, r, *own);
  return fd;
}

/* The descriptor at 'arg', which must not be a direct one [e]. */
int fd_arg(lua_State *L, int arg, Fd **own) {
  int fd = any_arg(L, state_get(L), arg, own);
  luaL_argcheck(L, *own == NULL || (*own)->ring == NULL, arg,
    "direct descriptor: only operations of its ring can use it (fd:install "
    "makes an ordinary one)");
  return fd;
}

/* uring.fd(number) -> fd; adopts an open descriptor */
static int l_fd_new(lua_State *L) {
  fd_push(L, state_get(L), (int)args_int(L, 1, 0, INT32_MAX));
  return 1;
}

/* fd:fileno() -> integer; a direct descriptor has none: fd:slot() */
static int l_fd_fileno(lua_State *L) {
  Fd *own;
  lua_pushinteger(L, fd_arg(L, 1, &own));
  return 1;
}

/* fd:detach() -> number or slot, which the caller owns from now on */
static int l_fd_detach(lua_State *L) {
  State *S = state_get(L);
  Fd *f = fd_check(L, 1);
  disown(f);
  if (f->count > 0 || f->state == FD_CLOSING)
    return luaL_error(L, "fd %d is in use by %d operation%s", f->fd,
                      (int)f->count, f->count == 1 ? "" : "s");
  debug_closing(L, S, f, "detached");
  f->state = FD_DETACHED;
  link_remove(&f->direct);
  link_remove(&f->open);
  lua_pushinteger(L, f->fd);
  return 1;
}

/* true, or what close(2) said: the descriptor is gone in any case */
static int close_result(lua_State *L, Fd *f) {
  char what[24];
  if (f->error != 0) {
    snprintf(what, sizeof what, "%s %d", f->ring ? "slot" : "fd", f->fd);
    return err_fail(L, f->error, "close", what);
  }
  lua_pushboolean(L, 1);
  return 1;
}

static int await_closed(lua_State *L, State *S, Fd *f);

static int closek(lua_State *L, int status, lua_KContext ctx) {
  State *S = state_get(L);
  Task *t = sched_resumed(L, S);
  (void)status;
  if (t == NULL)
    return lua_yieldk(L, 0, ctx, closek);
  return await_closed(L, S, *(Fd **)lua_touserdata(L, 1));
}

/* Wait until the Fd at index 1, which is being closed, is closed. */
static int await_closed(lua_State *L, State *S, Fd *f) {
  if (f->state == FD_CLOSING) {
    Task *t = sched_yielder(L, S);
    if (t != NULL) {
      link_append(&f->closers, &t->link);
      return sched_park(L, t, WAIT_CLOSE, FOREVER, closek);
    }
    place_settle(L, S, f);
  }
  return close_result(L, f);
}

/*
** Close the Fd at index 1 and return the result; to be returned from the C
** function.  Where it cannot yield it waits in place.
*/
int fd_await_close(lua_State *L, State *S, Fd *f) {
  if (f->state == FD_OPEN)
    debug_closing(L, S, f, "closed");
  fd_close(f);
  lua_settop(L, 1);
  return await_closed(L, S, f);
}

/*
** fd:close() -> true | nil, message, errno
** Cancels the operations on it and waits until they have ended, which no
** cancellation of the task cuts short.  Closing twice does no harm.
*/
static int l_fd_close(lua_State *L) {
  return fd_await_close(L, state_get(L), check(L, 1));
}

static int l_fd_gc(lua_State *L) {
  Fd **box = box_check(L, 1), *f = *box;
  *box = NULL;
  if (f == NULL)
    return 0;
  disown(f);
  f->owned = false;
  if (f->count > 0) {
    if (f->state == FD_OPEN)  /* closed when its operations have ended */
      f->state = FD_CLOSING;
    return 0;
  }
  if (f->state == FD_OPEN)
    f->state = FD_CLOSING;
  finish(f);
  return 0;
}

static int l_fd_tostring(lua_State *L) {
  static const char *const states[] =
    {"", ", closing", ", closed", ", detached"};
  Fd *f = *box_check(L, 1);
  if (f == NULL || f->fd < 0)
    lua_pushliteral(L, FD_TYPE " (closed)");
  else
    lua_pushfstring(L, FD_TYPE " (%s%d%s)", f->ring ? "direct " : "", f->fd,
                    states[f->state]);
  return 1;
}

/* fd:isopen() -> boolean */
static int l_fd_isopen(lua_State *L) {
  Fd *f = *box_check(L, 1);
  lua_pushboolean(L, f != NULL && f->state == FD_OPEN &&
                     (f->ring == NULL || f->ring->open));
  return 1;
}

/* fd:pending() -> number of operations prepared or in flight */
static int l_fd_pending(lua_State *L) {
  Fd *f = *box_check(L, 1);
  lua_pushinteger(L, f ? (lua_Integer)f->count : 0);
  return 1;
}

static const luaL_Reg methods[] = {
  {"close", l_fd_close},
  {"detach", l_fd_detach},
  {"fileno", l_fd_fileno},
  {"isopen", l_fd_isopen},
  {"pending", l_fd_pending},
  {NULL, NULL}
};

static const luaL_Reg meta[] = {
  {"__gc", l_fd_gc},
  {"__close", l_fd_close},
  {"__tostring", l_fd_tostring},
  {NULL, NULL}
};

void fd_open(lua_State *L, State *S) {
  S->fd_meta = unit_type(L, S, FD_TYPE, methods, meta);
  lua_pushlightuserdata(L, S);
  lua_pushcclosure(L, l_fd_new, 1);
  lua_setfield(L, -2, "fd");
}
