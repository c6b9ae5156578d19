/* SPDX-License-Identifier: MIT
**
** setup.c - making a ring, and the default one.
**
** A ring whose maker names no flag gets the best set that the kernel
** accepts, found by trial: a flag that an older one does not know is EINVAL
** there.  Whoever names flags gets these and no others.
*/

#include <errno.h>
#include <unistd.h>

#include "uring.h"

#define DEFAULT_ENTRIES 256

/* ---- options ------------------------------------------------------------ */

static const struct {
  const char *name;
  unsigned flag;
} setup_flags[] = {
  {"iopoll", 1u << 0}, {"sqpoll", 1u << 1}, {"clamp", 1u << 4},
  {"r_disabled", 1u << 6}, {"submit_all", 1u << 7},
  {"coop_taskrun", 1u << 8}, {"taskrun_flag", 1u << 9},
  {"sqe128", 1u << 10}, {"cqe32", 1u << 11},
  {"single_issuer", 1u << 12}, {"defer_taskrun", 1u << 13},
  {"no_mmap", U_SETUP_NO_MMAP},
  {"registered_fd_only", U_SETUP_REGISTERED_FD_ONLY},
  {"no_sqarray", U_SETUP_NO_SQARRAY}, {"hybrid_iopoll", 1u << 17},
  {"cqe_mixed", U_SETUP_CQE_MIXED}, {"sqe_mixed", U_SETUP_SQE_MIXED},
  {"sq_rewind", U_SETUP_SQ_REWIND}
};

/* The flags a ring gets when its maker names none, best first. */
static const unsigned ladder[] = {
  IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN |
    IORING_SETUP_TASKRUN_FLAG | IORING_SETUP_SUBMIT_ALL | IORING_SETUP_CLAMP,
  IORING_SETUP_COOP_TASKRUN | IORING_SETUP_TASKRUN_FLAG |
    IORING_SETUP_SUBMIT_ALL | IORING_SETUP_CLAMP,
  IORING_SETUP_CLAMP
};

typedef struct Options {
  unsigned entries;
  bool named;          /* some flag was */
  Ring *attach;        /* of attach_wq; or NULL */
  struct io_uring_params p;
} Options;

/* An integer option, read from the top of the stack [e]. */
static unsigned number_option(lua_State *L, const char *name,
                              lua_Integer low, lua_Integer high) {
  int isnum;
  lua_Integer n = lua_tointegerx(L, -1, &isnum);
  if (!isnum || lua_type(L, -1) != LUA_TNUMBER || n < low || n > high)
    luaL_argerror(L, 1, lua_pushfstring(L,
      "option '%s': integer from %I to %I expected", name,
      (LUAI_UACINT)low, (LUAI_UACINT)high));
  return (unsigned)n;
}

static bool flag_option(lua_State *L, const char *name, Options *o) {
  for (size_t i = 0; i < sizeof setup_flags / sizeof setup_flags[0]; i++) {
    if (strcmp(setup_flags[i].name, name) == 0) {
      if (lua_type(L, -1) != LUA_TBOOLEAN)
        luaL_argerror(L, 1, lua_pushfstring(L,
          "option '%s': boolean expected, got %s", name,
          luaL_typename(L, -1)));
      if (lua_toboolean(L, -1))
        o->p.flags |= setup_flags[i].flag;
      o->named = true;
      return true;
    }
  }
  return false;
}

/* One option, its value at the top of the stack [e]. */
static void read_option(lua_State *L, const char *name, Options *o) {
  if (strcmp(name, "entries") == 0)
    o->entries = number_option(L, name, 1, MAX_U32);
  else if (strcmp(name, "cq_entries") == 0) {
    o->p.cq_entries = number_option(L, name, 1, MAX_U32);
    o->p.flags |= IORING_SETUP_CQSIZE;
  }
  else if (strcmp(name, "sq_thread_idle") == 0)
    o->p.sq_thread_idle = number_option(L, name, 0, MAX_U32);
  else if (strcmp(name, "sq_thread_cpu") == 0) {
    o->p.sq_thread_cpu = number_option(L, name, 0, MAX_U32);
    o->p.flags |= IORING_SETUP_SQ_AFF;
  }
  else if (strcmp(name, "attach_wq") == 0) {
    Ring *other = luaL_testudata(L, -1, RING_TYPE);
    luaL_argcheck(L, other != NULL, 1, "option 'attach_wq': ring expected");
    ring_usable(L, other);
    o->attach = other;
    o->p.wq_fd = (unsigned)other->uring.ring_fd;
    o->p.flags |= IORING_SETUP_ATTACH_WQ;
  }
  else if (!flag_option(L, name, o))
    luaL_argerror(L, 1, lua_pushfstring(L, "unknown option '%s'", name));
}

/* The options in the table at index 1, if there is one [e]. */
static void read_options(lua_State *L, Options *o) {
  memset(o, 0, sizeof *o);
  o->entries = DEFAULT_ENTRIES;
  if (lua_isnoneornil(L, 1))
    return;
  luaL_checktype(L, 1, LUA_TTABLE);
  lua_pushnil(L);
  while (lua_next(L, 1)) {
    if (lua_type(L, -2) != LUA_TSTRING)
      luaL_argerror(L, 1, "option names are strings");
    read_option(L, lua_tostring(L, -2), o);
    lua_pop(L, 1);
  }
}

static unsigned cq_default(unsigned entries) {
  return entries > 16384 ? 65536 : entries < 16 ? 64 : 4 * entries;
}

/* One attempt; memory of rings closed just now may take a moment to return */
static int init(Ring *r, const Options *o, unsigned flags) {
  int rc = 0;
  for (int try = 0; try < 5; try++) {
    struct io_uring_params p = o->p;
    p.flags |= flags;
    if (p.cq_entries == 0 && !o->named) {
      p.flags |= IORING_SETUP_CQSIZE;
      p.cq_entries = cq_default(o->entries);
    }
    rc = map_init(r, o->entries, &p);
    if (rc != -ENOMEM)
      break;
    usleep(2000);
  }
  return rc;
}

static int init_best(Ring *r, const Options *o) {
  int rc = -EINVAL;
  if (o->named)
    return init(r, o, 0);
  for (size_t i = 0; rc == -EINVAL && i < sizeof ladder / sizeof *ladder; i++)
    rc = init(r, o, ladder[i]);
  return rc;
}

/* ---- making one --------------------------------------------------------- */

/* Everything of a new ring that needs no kernel. */
static void init_fields(Ring *r, State *S) {
  memset(r, 0, sizeof *r);
  r->state = S;
  r->number = ++S->made;
  if (r->number == 1)
    pool_prime();
  r->placed = 1;
  r->fork_count = fork_count;
  slab_init(&r->ops, sizeof(Op));
  link_init(&r->cancels);
  link_init(&r->stubborn);
  link_init(&r->backlog);
  link_init(&r->ready);
  link_init(&r->directs);
  link_init(&r->slotless);
  link_init(&r->link);
  link_init(&r->receivers);
}

/* Push a closed ring with its tables [-0, +1, e]. */
static Ring *push_closed(lua_State *L, State *S) {
  Ring *r = lua_newuserdatauv(L, sizeof *r, 2);
  init_fields(r, S);
  luaL_setmetatable(L, RING_TYPE);
  lua_newtable(L);
  lua_setiuservalue(L, -2, RING_DATA);
  lua_newtable(L);
  lua_setiuservalue(L, -2, RING_TASKS);
  lua_rawgeti(L, LUA_REGISTRYINDEX, S->rings);
  lua_pushvalue(L, -2);
  lua_rawsetp(L, -2, r);
  lua_pop(L, 1);
  return r;
}

/*
** Push the failure of flags that are newer than the kernels this was made on,
** and change what the place of an entry is [-0, +3, e].
*/
static void refuse(lua_State *L, unsigned flags) {
  luaL_pushfail(L);
  if (flags & U_SETUP_SQE_MIXED)
    lua_pushliteral(L, "io_uring_setup: sqe_mixed (Linux 6.19): the entries "
                    "of a ring are all of one size here (EOPNOTSUPP)");
  else
    lua_pushliteral(L, "io_uring_setup: sq_rewind (Linux 7.0): entries keep "
                    "their places in the queue here (EOPNOTSUPP)");
  lua_pushinteger(L, EOPNOTSUPP);
}

/*
** Open the closed ring at the top of the stack; or put nil, message, errno
** in its place, and return false.
*/
static bool open_ring(lua_State *L, Ring *r, const Options *o) {
  int rc;
  if (o->p.flags & (U_SETUP_SQE_MIXED | U_SETUP_SQ_REWIND)) {
    lua_pop(L, 1);
    refuse(L, o->p.flags);
    return false;
  }
  rc = init_best(r, o);
  if (rc >= 0) {
    r->open = true;
    link_append(&r->state->all, &r->link);
    r->disabled = (r->uring.flags & IORING_SETUP_R_DISABLED) != 0;
    if (!(r->uring.features & IORING_FEAT_EXT_ARG)) {
      ring_close(L, lua_gettop(L), 0);
      rc = -ENOSYS;
    }
  }
  if (rc < 0) {
    lua_pop(L, 1);
    err_setup(L, -rc);
    return false;
  }
  if (o->attach && (r->uring.flags & IORING_SETUP_SQPOLL))
    r->shared = o->attach->shared = true;
  io_uring_ring_dontfork(&r->uring);
  ident_note(r);
  r->sqe_size = sizeof(struct io_uring_sqe) <<
                !!(r->uring.flags & IORING_SETUP_SQE128);
  r->now = sched_clock();
  r->probe = map_by_hand(r) ? io_uring_get_probe()
                            : io_uring_get_probe_ring(&r->uring);
  return true;
}

/* core.ring([options]) -> ring | nil, message, errno */
static int l_ring_new(lua_State *L) {
  State *S = state_get(L);
  Options o;
  read_options(L, &o);
  return open_ring(L, push_closed(L, S), &o) ? 1 : 3;
}

/* ---- the default one ---------------------------------------------------- */

/* Is there one, of this process? */
static bool has_default(const State *S) {
  return S->ring != NULL && S->ring->fork_count == fork_count;
}

/*
** Make the default ring; false when there can be none, with nil, message,
** errno on the stack [-0, +0 or 3, e].  'o' is NULL when any ring will do.
*/
static bool make_default(lua_State *L, State *S, const Options *o) {
  Options none = {.entries = DEFAULT_ENTRIES};
  Ring *r;
  if (S->closing)
    luaL_error(L, "the Lua state is being closed");
  r = push_closed(L, S);
  if (has_default(S)) {  /* a finaliser has made it just now, or before */
    if (o != NULL)
      luaL_error(L, "there is a default ring already: its options are set "
                    "before anything has used it");
    lua_pop(L, 1);
    return true;
  }
  if (!open_ring(L, r, o ? o : &none))
    return false;
  S->ring = r;
  lua_rawseti(L, LUA_REGISTRYINDEX, S->keep);
  return true;
}

/*
** The ring that operations outside any task use, made when it is first
** needed.  NULL when there can be none: then nil, message, errno are on the
** stack [-0, +0 or 3, e].
*/
Ring *ring_default(lua_State *L, State *S) {
  return has_default(S) || make_default(L, S, NULL) ? S->ring : NULL;
}

/*
** core.default([options]) -> the ring of operations outside tasks | nil, ...
** The options are those of core.ring, for the ring that is made now: they
** raise when there is one.
*/
static int l_default(lua_State *L) {
  State *S = state_get(L);
  Options o;
  read_options(L, &o);
  if (!(lua_isnoneornil(L, 1) ? ring_default(L, S) != NULL
                              : make_default(L, S, &o)))
    return 3;
  lua_rawgeti(L, LUA_REGISTRYINDEX, S->keep);
  return 1;
}

static const luaL_Reg functions[] = {
  {"default", l_default},
  {"ring", l_ring_new},
  {NULL, NULL}
};

void setup_open(lua_State *L, State *S) {
  lua_pushlightuserdata(L, S);
  luaL_setfuncs(L, functions, 1);
}
