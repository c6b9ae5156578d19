/* SPDX-License-Identifier: MIT
**
** debug.c - what debug mode remembers and reports, and tracing.
**
** In debug mode every Fd knows where it was opened and closed, the last
** closed numbers are remembered for the message of EBADF, raw numbers are
** checked before they are used, and a task that runs for long without
** waiting is reported.  Without it, nothing of this costs more than a test
** of one flag.
*/

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>

#include "uring.h"

#define SLOW (SECOND / 10)  /* a task should not run longer at once */

/* Is the function in a file of the library's own? */
static bool is_own(const State *S, const lua_Debug *ar) {
  size_t n = strlen(S->folder);
  return n > 0 && ar->source[0] == '@' &&
         strncmp(ar->source + 1, S->folder, n) == 0;
}

/*
** Where the coroutine is: in the script, or else in the library; false when
** no Lua function runs in it.
*/
bool debug_place(lua_State *L, const State *S, char *out, size_t size) {
  lua_Debug ar;
  bool found = false;
  for (int level = 0; lua_getstack(L, level, &ar); level++) {
    lua_getinfo(L, "Sl", &ar);
    if (ar.currentline <= 0 || (found && is_own(S, &ar)))
      continue;
    found = true;
    snprintf(out, size, "%s:%d", ar.short_src, ar.currentline);
    if (!is_own(S, &ar))
      break;
  }
  return found;
}

/* ---- descriptors -------------------------------------------------------- */

/* The descriptor has been opened by the running function. */
void debug_opened(lua_State *L, State *S, Fd *f) {
  char where[CRUMB_TEXT];
  if (!S->debug)
    return;
  if (debug_place(L, S, where, sizeof where))
    f->opened = strdup(where);
  link_remove(&f->open);
  link_append(&S->open, &f->open);
}

/* The running function closes it, or hands it to somebody else. */
void debug_closing(lua_State *L, State *S, Fd *f, const char *how) {
  char where[CRUMB_TEXT / 2];
  Crumb *c;
  if (!S->debug || f->closed != NULL ||
      !debug_place(L, S, where, sizeof where))
    return;
  f->closed = strdup(where);
  c = &S->crumbs[S->ncrumbs++ % CRUMBS];
  c->fd = f->ring ? -1 : f->fd;
  if (f->count > 0)
    snprintf(c->text, sizeof c->text, "%s at %s while %u operation%s pending",
             how, where, f->count, f->count == 1 ? " was" : "s were");
  else
    snprintf(c->text, sizeof c->text, "%s at %s", how, where);
}

/* What became of the number, as far as is known; never NULL. */
static const char *fate(const State *S, int fd) {
  unsigned n = S->ncrumbs;
  for (unsigned i = 1; i <= CRUMBS && i <= n; i++) {
    const Crumb *c = &S->crumbs[(n - i) % CRUMBS];
    if (c->fd == fd)
      return c->text;
  }
  return "not opened here, or closed by somebody else";
}

/* Add to the message at -2 of nil, message, errno what became of 'fd'. */
static void explain(lua_State *L, const State *S, int fd) {
  lua_pushfstring(L, "%s (%s)", lua_tostring(L, -2), fate(S, fd));
  lua_replace(L, -3);
}

/* The failure of an operation whose descriptor is bad [-0, +3, e]. */
int debug_bad_fd(lua_State *L, const State *S, const char *op,
                 const char *what, int fd) {
  err_fail(L, EBADF, op, what);
  if (S->debug && fd >= 0)
    explain(L, S, fd);
  return 3;
}

/* Is 'fd', a raw number, no open descriptor? */
bool debug_closed(const State *S, int fd) {
  return S->debug && fd >= 0 && fcntl(fd, F_GETFD) < 0 && errno == EBADF;
}

/* Copy at most 'max' of the open descriptors; how many there are. */
static size_t copy_open(const State *S, Crumb *c, size_t max) {
  size_t n = 0;
  for (const Link *l = S->open.next; l != &S->open; l = l->next, n++) {
    const Fd *f = container(l, Fd, open);
    if (n < max) {
      c[n].fd = f->fd;
      snprintf(c[n].text, sizeof c->text, "%s", f->opened ? f->opened : "?");
    }
  }
  return n;
}

/*
** core.opened() -> list of {fd =, where =}, of what debug mode saw opened
** From a copy: making a table may run the finaliser of one of them.
*/
static int l_debug_opened(lua_State *L) {
  const State *S = state_get(L);
  size_t max = copy_open(S, NULL, 0), n;
  Crumb *all = lua_newuserdatauv(L, max * sizeof *all, 0);
  n = copy_open(S, all, max);
  lua_newtable(L);
  for (size_t i = 0; i < n && i < max; i++) {
    lua_createtable(L, 0, 2);
    lua_pushinteger(L, all[i].fd);
    lua_setfield(L, -2, "fd");
    lua_pushstring(L, all[i].text);
    lua_setfield(L, -2, "where");
    lua_rawseti(L, -2, (lua_Integer)i + 1);
  }
  return 1;
}

/* ---- slow tasks --------------------------------------------------------- */

/* Report a task, at index 1, that ran for the seconds at index 2. */
static int l_debug_slow(lua_State *L) {
  const Task *t = lua_touserdata(L, 1);
  lua_rawgeti(L, LUA_REGISTRYINDEX, t->ring->state->on_report);
  luaL_tolstring(L, 1, NULL);
  luaL_traceback(L, t->leaf ? t->leaf : t->co, NULL, 0);
  lua_pushfstring(L, "%s ran for %f s without waiting\n%s",
                  lua_tostring(L, -2), lua_tonumber(L, 2),
                  lua_tostring(L, -1));
  lua_replace(L, -3);
  lua_pop(L, 1);
  lua_call(L, 1, 0);
  return 0;
}

/*
** The task has run from 'since' until now without waiting: report it when
** that was long [-0, +0].  An error of the report itself is dropped.
*/
void debug_ran(lua_State *L, State *S, const Task *t, int64_t since) {
  int64_t span = sched_clock() - since;
  if (span < SLOW || S->on_report == LUA_NOREF || t->ring == NULL)
    return;
  lua_pushcfunction(L, l_debug_slow);
  sched_push(L, t);
  lua_pushnumber(L, (lua_Number)span / 1e9);
  if (lua_pcall(L, 2, 0, 0) != LUA_OK)
    lua_pop(L, 1);
}

/* ---- tracing ------------------------------------------------------------ */

/*
** Call the trace function, if there is one [-0, +0, e]: event, task, name
** of the operation, what it works on, and for a completion the seconds it
** took and the kernel's result.  Operations inside it are not traced.
*/
void debug_trace(lua_State *L, State *S, const char *event, const char *op,
                 const char *what, int64_t span, const int32_t *res) {
  int status;
  if (S->on_trace == LUA_NOREF || S->tracing)
    return;
  luaL_checkstack(L, 8, NULL);
  lua_rawgeti(L, LUA_REGISTRYINDEX, S->on_trace);
  lua_pushstring(L, event);
  if (S->task)
    sched_push(L, S->task);
  else
    lua_pushnil(L);
  lua_pushstring(L, op);
  lua_pushstring(L, what);
  if (res != NULL) {
    lua_pushnumber(L, (lua_Number)span / 1e9);
    lua_pushinteger(L, *res);
  }
  S->tracing = true;
  status = lua_pcall(L, res != NULL ? 6 : 4, 0, 0);
  S->tracing = false;
  if (status != LUA_OK)
    lua_error(L);
}

/* ---- switches ----------------------------------------------------------- */

/* Replace the function kept at 'ref' by the one at index 1, or by none. */
int debug_hook(lua_State *L, int *ref) {
  lua_settop(L, 1);
  if (!lua_isnil(L, 1))
    luaL_checktype(L, 1, LUA_TFUNCTION);
  luaL_unref(L, LUA_REGISTRYINDEX, *ref);
  *ref = lua_isnil(L, 1) ? LUA_NOREF : luaL_ref(L, LUA_REGISTRYINDEX);
  return 0;
}

/* core.on_trace(function | nil) */
static int l_debug_on_trace(lua_State *L) {
  return debug_hook(L, &state_get(L)->on_trace);
}

/* core.on_report(function | nil); called with what debug mode has to say */
static int l_debug_on_report(lua_State *L) {
  return debug_hook(L, &state_get(L)->on_report);
}

/* core.debug([boolean]) -> whether debug mode was on */
static int l_debug_debug(lua_State *L) {
  State *S = state_get(L);
  bool before = S->debug;
  if (!lua_isnoneornil(L, 1)) {
    luaL_checktype(L, 1, LUA_TBOOLEAN);
    S->debug = lua_toboolean(L, 1);
  }
  lua_pushboolean(L, before);
  return 1;
}

/* core.folder(path); where the Lua half is, which reports do not name */
static int l_debug_folder(lua_State *L) {
  State *S = state_get(L);
  const char *path = luaL_checkstring(L, 1);
  if (strlen(path) < sizeof S->folder)
    strcpy(S->folder, path);
  return 0;
}

static const luaL_Reg functions[] = {
  {"folder", l_debug_folder},
  {"debug", l_debug_debug},
  {"on_report", l_debug_on_report},
  {"on_trace", l_debug_on_trace},
  {"opened", l_debug_opened},
  {NULL, NULL}
};

/* URING_DEBUG=1 in the environment switches debug mode on from the start. */
void debug_open(lua_State *L, State *S) {
  const char *env = getenv("URING_DEBUG");
  S->debug = env != NULL && *env != '\0' && strcmp(env, "0") != 0;
  link_init(&S->open);
  lua_pushlightuserdata(L, S);
  luaL_setfuncs(L, functions, 1);
}
