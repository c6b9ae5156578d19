/* SPDX-License-Identifier: MIT
**
** ring.c - setup, submission, waiting, closing.
**
** Closing is the delicate part.  The kernel goes on with the operations of
** a ring that is closed, and writes into their memory; so ring_close cancels
** them all and reaps until the last terminal completion has come.  If one
** does not come in time, its memory and that of its neighbours is leaked on
** purpose.
**
** A ring belongs to the process that made it: in a child of fork every
** entry raises, and only the descriptor is closed.
*/

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "uring.h"

#define DEFAULT_ENTRIES 256
#define CLOSE_PATIENCE (5 * SECOND)  /* for close, which waits knowingly */
#define GC_PATIENCE SECOND           /* for the collector */

/* An entry that found the submission queue full. */
typedef struct Backlog {
  Link link;
  Op *op;
  struct io_uring_sqe sqe[2];  /* room for SQE128 */
} Backlog;

/* ---- submission --------------------------------------------------------- */

static struct io_uring_sqe *get_sqe(Ring *r, Op *op) {
  uint32_t number = r->uring.sq.sqe_tail;
  struct io_uring_sqe *sqe = io_uring_get_sqe(&r->uring);
  if (sqe != NULL) {
    compat_clear_sqe(sqe, r->sqe_size);
    if (op)
      op->number = number;
  }
  return sqe;
}

/* Hand the queue to the kernel; 0 or a negative errno. */
int ring_submit(Ring *r) {
  int rc = io_uring_submit(&r->uring);
  r->stats.enters++;
  if (rc < 0)
    return rc;
  r->stats.submitted += (unsigned)rc;
  if (r->uring.flags & IORING_SETUP_SQPOLL)
    io_uring_sqring_wait(&r->uring);
  return rc;
}

/*
** A cleared entry for 'op'.  When the queue is full it is submitted; when
** the kernel has no room even then, the entry waits in the backlog.  NULL
** without memory.
*/
struct io_uring_sqe *ring_sqe(Ring *r, Op *op) {
  struct io_uring_sqe *sqe;
  Backlog *b;
  if (link_alone(&r->backlog)) {
    sqe = get_sqe(r, op);
    if (sqe == NULL && ring_submit(r) >= 0)
      sqe = get_sqe(r, op);
    if (sqe != NULL)
      return sqe;
  }
  b = calloc(1, sizeof *b);
  if (b == NULL)
    return NULL;
  b->op = op;
  link_init(&b->link);
  link_append(&r->backlog, &b->link);
  return b->sqe;
}

/* Move entries from the backlog to the queue; false while some are left. */
static bool flush_backlog(Ring *r) {
  while (!link_alone(&r->backlog)) {
    Backlog *b = container(r->backlog.next, Backlog, link);
    struct io_uring_sqe *sqe = get_sqe(r, b->op);
    if (sqe == NULL && ring_submit(r) >= 0)
      sqe = get_sqe(r, b->op);
    if (sqe == NULL)
      return false;
    memcpy(sqe, b->sqe, r->sqe_size);
    link_remove(&b->link);
    free(b);
  }
  return true;
}

/* Queue the cancellations that were asked for; the rest goes next time. */
static void flush_cancels(Ring *r) {
  while (!link_alone(&r->cancels)) {
    Op *op = container(r->cancels.next, Op, cancels);
    struct io_uring_sqe *sqe = get_sqe(r, NULL);
    if (sqe == NULL && ring_submit(r) >= 0)
      sqe = get_sqe(r, NULL);
    if (sqe == NULL)
      return;
    io_uring_prep_cancel64(sqe, op_tag(op), 0);
    sqe->user_data = TAG_CANCEL;
    link_remove(&op->cancels);
    r->stats.cancels++;
  }
}

/* Does the kernel hold back completions until we enter? */
static bool needs_enter(const Ring *r) {
  unsigned flags = IO_URING_READ_ONCE(*r->uring.sq.kflags);
  return (flags & (IORING_SQ_TASKRUN | IORING_SQ_CQ_OVERFLOW)) != 0;
}

/*
** Submit everything and wait for 'want' completions, at most 'timeout' ns.
** 0 on success, and also when the time is over or a signal came: the caller
** looks at the completions in any case.
*/
int ring_wait(Ring *r, unsigned want, int64_t timeout) {
  struct io_uring_cqe *cqe;
  struct __kernel_timespec ts;
  int rc;
  if (flush_backlog(r))
    flush_cancels(r);
  if (want == 0 || timeout <= 0) {
    if (io_uring_sq_ready(&r->uring) == 0 && !needs_enter(r))
      return 0;
    rc = io_uring_submit_and_get_events(&r->uring);
  }
  else {
    ts.tv_sec = timeout / SECOND;
    ts.tv_nsec = timeout % SECOND;
    rc = io_uring_submit_and_wait_timeout(&r->uring, &cqe, want,
           timeout == FOREVER ? NULL : &ts, NULL);
  }
  r->stats.enters++;
  if (rc > 0)
    r->stats.submitted += (unsigned)rc;
  if (rc >= 0 || rc == -ETIME || rc == -EINTR || rc == -EAGAIN ||
      rc == -EBUSY)
    return 0;
  return rc;
}

/* ---- closing ------------------------------------------------------------ */

/* The n-th slot's operation if it has 'state' bits, or NULL. */
static Op *op_with(Ring *r, uint32_t index, int state) {
  Op *op = slab_at(&r->ops, index);
  return op->slot.used && (op->state & state) ? op : NULL;
}

/* Entries that the kernel has not seen end here, as cancelled. */
static void drop_unsubmitted(lua_State *L, Ring *r) {
  uint32_t first = r->uring.sq.sqe_head, n = r->uring.sq.sqe_tail - first;
  r->uring.sq.sqe_tail = first;
  while (!link_alone(&r->backlog)) {
    Backlog *b = container(r->backlog.next, Backlog, link);
    link_remove(&b->link);
    if (b->op)
      op_complete(L, b->op, -ECANCELED, 0);
    free(b);
  }
  for (uint32_t i = 0; i < slab_size(&r->ops); i++) {
    Op *op = op_with(r, i, OP_KERNEL);
    if (op && op->number - first < n)
      op_complete(L, op, -ECANCELED, 0);
  }
}

/* Cancel and reap until nothing is active or the time is over. */
static void drain(lua_State *L, Ring *r, int64_t patience) {
  int64_t end = sched_clock() + patience, left = patience;
  for (uint32_t i = 0; i < slab_size(&r->ops); i++) {
    Op *op = op_with(r, i, OP_KERNEL);
    if (op)
      op_cancel(op);
  }
  while (r->active > 0 && left > 0) {
    int rc = ring_wait(r, 1, left);
    if (cqe_reap(L, r) == 0 && rc < 0)
      break;
    left = end - sched_clock();
  }
}

/*
** The kernel still has operations and will not give them back: keep their
** memory for ever, but not their descriptors.
*/
static void leak(lua_State *L, Ring *r) {
  char text[96];
  for (uint32_t i = 0; i < slab_size(&r->ops); i++) {
    Op *op = op_with(r, i, OP_KERNEL);
    if (op) {
      fd_unuse(&op->use[0]);
      fd_unuse(&op->use[1]);
    }
  }
  slab_init(&r->ops, sizeof(Op));
  r->anchors = LUA_NOREF;
  snprintf(text, sizeof text, "uring: %u operation%s did not end before the "
    "ring was closed; memory leaked", r->active, r->active == 1 ? "" : "s");
  lua_warning(L, text, 0);
}

/* Release what nobody will ask for any more. */
static void release_results(lua_State *L, Ring *r) {
  for (; r->raw_count > 0; r->raw_count--) {
    RawCqe *c = &r->raw[r->raw_head];
    cqe_dispose(c);
    r->raw_head = (r->raw_head + 1) % r->raw_size;
  }
  for (uint32_t i = 0; i < slab_size(&r->ops); i++) {
    Op *op = op_with(r, i, OP_WAITED | OP_RAW);
    if (op)
      op_drop(L, op, OP_WAITED | OP_RAW);
  }
}

static void free_tables(lua_State *L, Ring *r) {
  free(r->raw);
  r->raw = NULL;
  r->raw_size = 0;
  pool_free(&r->pool);
  heap_free(&r->timers);
  if (r->probe)
    io_uring_free_probe(r->probe);
  r->probe = NULL;
  luaL_unref(L, LUA_REGISTRYINDEX, r->anchors);
}

/*
** Close the ring, whose object is at 'index', within 'patience' ns; nothing
** happens to a closed one.  The records stay readable until the object
** itself is collected.
*/
static void close_within(lua_State *L, int index, int64_t patience) {
  Ring *r = lua_touserdata(L, index);
  if (!r->open)
    return;
  r->open = false;
  if (r->state->ring == r)
    r->state->ring = NULL;
  if (r->fork_count != fork_count) {
    close(r->uring.ring_fd);  /* the rest belongs to the parent */
    return;
  }
  drop_unsubmitted(L, r);
  drain(L, r, patience);
  lua_getiuservalue(L, index, RING_TASKS);
  task_forget(L, r);
  lua_pop(L, 1);
  if (r->active > 0)
    leak(L, r);
  release_results(L, r);
  io_uring_queue_exit(&r->uring);
  free_tables(L, r);
}

/* ---- making one --------------------------------------------------------- */

static const struct {
  const char *name;
  unsigned flag;
} setup_flags[] = {
  {"iopoll", 1u << 0}, {"sqpoll", 1u << 1}, {"clamp", 1u << 4},
  {"r_disabled", 1u << 6}, {"submit_all", 1u << 7},
  {"coop_taskrun", 1u << 8}, {"taskrun_flag", 1u << 9},
  {"sqe128", 1u << 10}, {"cqe32", 1u << 11},
  {"single_issuer", 1u << 12}, {"defer_taskrun", 1u << 13},
  {"hybrid_iopoll", 1u << 17}
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
    rc = io_uring_queue_init_params(o->entries, &r->uring, &p);
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

/* Everything of a new ring that needs no kernel. */
static void init_fields(Ring *r, State *S) {
  memset(r, 0, sizeof *r);
  r->state = S;
  r->fork_count = fork_count;
  r->anchors = LUA_NOREF;
  slab_init(&r->ops, sizeof(Op));
  link_init(&r->cancels);
  link_init(&r->backlog);
  link_init(&r->ready);
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
  lua_newtable(L);
  r->anchors = luaL_ref(L, LUA_REGISTRYINDEX);
  return r;
}

/* Push a new ring, or nil, message, errno [-0, +1 or 3, e]. */
static int ring_new(lua_State *L, State *S, const Options *o) {
  Ring *r = push_closed(L, S);
  int rc = init_best(r, o);
  if (rc < 0)
    return err_setup(L, -rc);
  r->open = true;
  if (!(r->uring.features & IORING_FEAT_EXT_ARG)) {
    close_within(L, lua_gettop(L), 0);
    return err_setup(L, ENOSYS);
  }
  io_uring_ring_dontfork(&r->uring);
  r->sqe_size = sizeof(struct io_uring_sqe) <<
                !!(r->uring.flags & IORING_SETUP_SQE128);
  r->now = sched_clock();
  r->probe = io_uring_get_probe_ring(&r->uring);
  return 1;
}

/* core.ring([options]) -> ring | nil, message, errno */
static int l_ring_new(lua_State *L) {
  Options o;
  read_options(L, &o);
  return ring_new(L, state_get(L), &o);
}

/*
** The ring that operations outside any task use, made when it is first
** needed.  NULL when there can be none: then nil, message, errno are on the
** stack [-0, +0 or 3, e].
*/
Ring *ring_default(lua_State *L, State *S) {
  if (S->ring == NULL || S->ring->fork_count != fork_count) {
    Options o;
    memset(&o, 0, sizeof o);
    o.entries = DEFAULT_ENTRIES;
    if (ring_new(L, S, &o) != 1)
      return NULL;
    S->ring = lua_touserdata(L, -1);
    lua_rawseti(L, LUA_REGISTRYINDEX, S->keep);
  }
  return S->ring;
}

/* Raise unless the ring is open and this process's own. */
void ring_usable(lua_State *L, const Ring *r) {
  if (!r->open)
    luaL_error(L, "ring is closed");
  if (r->fork_count != fork_count)
    luaL_error(L, "ring belongs to the parent process: a child of fork "
                  "makes a ring of its own");
}

/* The usable ring at 'arg' [e]. */
Ring *ring_check(lua_State *L, int arg) {
  Ring *r = luaL_checkudata(L, arg, RING_TYPE);
  ring_usable(L, r);
  return r;
}

/* Push the object of a ring, or nil while it is being finalised. */
void ring_push(lua_State *L, const Ring *r) {
  lua_rawgeti(L, LUA_REGISTRYINDEX, r->state->rings);
  lua_rawgetp(L, -1, r);
  lua_remove(L, -2);
}

/* ---- methods ------------------------------------------------------------ */

/* ring:close() -> true; cancels what is in flight and waits for its end */
static int l_ring_close(lua_State *L) {
  Ring *r = luaL_checkudata(L, 1, RING_TYPE);
  if (r->open && r->busy)
    return luaL_error(L, "ring is running");
  close_within(L, 1, CLOSE_PATIENCE);
  lua_pushboolean(L, 1);
  return 1;
}

static int l_ring_gc(lua_State *L) {
  Ring *r = luaL_checkudata(L, 1, RING_TYPE);
  close_within(L, 1, GC_PATIENCE);
  if (r->fork_count == fork_count)
    slab_free(&r->ops);
  return 0;
}

static int l_ring_tostring(lua_State *L) {
  Ring *r = luaL_checkudata(L, 1, RING_TYPE);
  if (r->open)
    lua_pushfstring(L, RING_TYPE " (fd %d)", r->uring.ring_fd);
  else
    lua_pushliteral(L, RING_TYPE " (closed)");
  return 1;
}

/* Push a count, or nil, message, errno for a negative one. */
static int count_result(lua_State *L, int rc, const char *what) {
  if (rc < 0)
    return err_fail(L, -rc, what, NULL);
  lua_pushinteger(L, rc);
  return 1;
}

/* ring:submit() -> entries submitted | nil, message, errno */
static int l_ring_submit(lua_State *L) {
  Ring *r = ring_check(L, 1);
  return count_result(L, ring_submit(r), "submit");
}

/*
** Wait until the raw layer has 'want' completions, or the time is over.
** 0, or a negative errno: -ETIME among them [e: a signal's handler].
*/
static int wait_raw(lua_State *L, Ring *r, unsigned want, int64_t timeout) {
  int64_t end = timeout == FOREVER ? FOREVER : sched_clock() + timeout;
  cqe_reap(L, r);
  while (r->raw_count < want) {
    int64_t left = end == FOREVER ? FOREVER : end - sched_clock();
    int rc = ring_wait(r, want - r->raw_count, left);
    cqe_reap(L, r);
    if (rc < 0)
      return rc;
    if (r->raw_count < want && left <= 0)
      return -ETIME;
    sched_signals(L);
    ring_usable(L, r);
  }
  return 0;
}

/*
** ring:submit_and_wait([n]) -> entries submitted | nil, message, errno
** ring:submit_and_wait_timeout(n, seconds), likewise
*/
static int l_ring_submit_and_wait(lua_State *L) {
  Ring *r = ring_check(L, 1);
  unsigned want = (unsigned)args_optint(L, 2, 1, 0, MAX_U32);
  int64_t timeout = args_optseconds(L, 3, FOREVER);
  uint64_t before = r->stats.submitted;
  int rc = want > r->raw_count ? wait_raw(L, r, want, timeout)
                               : ring_submit(r);
  unsigned n = (unsigned)(r->stats.submitted - before);
  return count_result(L, rc < 0 && n == 0 ? rc : (int)n, "submit_and_wait");
}

/* ring:wait_cqe([seconds]) -> cqe | nil, message, errno */
static int l_ring_wait_cqe(lua_State *L) {
  Ring *r = ring_check(L, 1);
  int rc = wait_raw(L, r, 1, args_optseconds(L, 2, FOREVER));
  if (rc < 0)
    return err_fail(L, -rc, "wait_cqe", NULL);
  return cqe_push(L, r);
}

/* ring:wait_cqes(n [, seconds]) -> list of cqes | nil, message, errno */
static int l_ring_wait_cqes(lua_State *L) {
  Ring *r = ring_check(L, 1);
  unsigned n = (unsigned)args_int(L, 2, 1, MAX_U32);
  int rc = wait_raw(L, r, n, args_optseconds(L, 3, FOREVER));
  if (rc < 0)
    return err_fail(L, -rc, "wait_cqes", NULL);
  lua_newtable(L);
  for (unsigned i = 1; i <= n; i++) {
    cqe_push(L, r);
    lua_rawseti(L, -2, i);
  }
  return 1;
}

/* ring:peek_cqe() -> cqe | nil, message, EAGAIN */
static int l_ring_peek_cqe(lua_State *L) {
  Ring *r = ring_check(L, 1);
  int rc = wait_raw(L, r, 1, 0);
  if (rc < 0)
    return err_fail(L, rc == -ETIME ? EAGAIN : -rc, "peek_cqe", NULL);
  return cqe_push(L, r);
}

/* ring:get_sqe() -> sqe | nil when the submission queue is full */
static int l_ring_get_sqe(lua_State *L) {
  return sqe_push(L, ring_check(L, 1));
}

/* ring:cq_ready() -> completions waiting for the raw layer */
static int l_ring_cq_ready(lua_State *L) {
  Ring *r = ring_check(L, 1);
  cqe_reap(L, r);
  lua_pushinteger(L, r->raw_count);
  return 1;
}

/* ring:sq_ready() -> entries not submitted */
static int l_ring_sq_ready(lua_State *L) {
  lua_pushinteger(L, io_uring_sq_ready(&ring_check(L, 1)->uring));
  return 1;
}

static int l_ring_sq_space_left(lua_State *L) {
  lua_pushinteger(L, io_uring_sq_space_left(&ring_check(L, 1)->uring));
  return 1;
}

static int l_ring_cq_has_overflow(lua_State *L) {
  lua_pushboolean(L, io_uring_cq_has_overflow(&ring_check(L, 1)->uring));
  return 1;
}

/* ring:fileno() -> descriptor, readable when there are completions */
static int l_ring_fileno(lua_State *L) {
  lua_pushinteger(L, ring_check(L, 1)->uring.ring_fd);
  return 1;
}

/* ring:enable_rings() -> true | nil, message, errno; 5.10 */
static int l_ring_enable_rings(lua_State *L) {
  Ring *r = ring_check(L, 1);
  int rc = io_uring_register((unsigned)r->uring.ring_fd,
                             IORING_REGISTER_ENABLE_RINGS, NULL, 0);
  if (rc < 0)
    return err_fail(L, -rc, "enable_rings", NULL);
  lua_pushboolean(L, 1);
  return 1;
}

/* ring:supports(name) -> boolean: does the running kernel have it? */
static int l_ring_supports(lua_State *L) {
  Ring *r = ring_check(L, 1);
  const OpDef *def = op_def(luaL_checkstring(L, 2));
  lua_pushboolean(L, def != NULL && op_known(r, def));
  return 1;
}

/* ring:stats() -> table of counters since the ring was made, and states */
static int l_ring_stats(lua_State *L) {
  Ring *r = luaL_checkudata(L, 1, RING_TYPE);
  const struct { const char *name; uint64_t value; } rows[] = {
    {"submitted", r->stats.submitted}, {"completed", r->stats.completed},
    {"enters", r->stats.enters}, {"stale", r->stats.stale},
    {"cancels", r->stats.cancels}, {"resumes", r->stats.resumes},
    {"spawned", r->stats.spawned}, {"active", r->active},
    {"slots", r->ops.used}, {"tasks", r->ntasks}, {"ready", r->nready},
    {"timers", r->timers.count}
  };
  lua_createtable(L, 0, sizeof rows / sizeof rows[0]);
  for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
    lua_pushinteger(L, (lua_Integer)rows[i].value);
    lua_setfield(L, -2, rows[i].name);
  }
  return 1;
}

/* Fields: features flags sq_entries cq_entries; else a method. */
static int l_ring_index(lua_State *L) {
  Ring *r = luaL_checkudata(L, 1, RING_TYPE);
  const char *key;
  lua_pushvalue(L, 2);
  if (lua_rawget(L, lua_upvalueindex(2)) != LUA_TNIL)
    return 1;
  key = lua_type(L, 2) == LUA_TSTRING ? lua_tostring(L, 2) : "";
  if (!r->open)
    return 1;
  if (strcmp(key, "features") == 0)
    lua_pushinteger(L, r->uring.features);
  else if (strcmp(key, "flags") == 0)
    lua_pushinteger(L, r->uring.flags);
  else if (strcmp(key, "sq_entries") == 0)
    lua_pushinteger(L, *r->uring.sq.kring_entries);
  else if (strcmp(key, "cq_entries") == 0)
    lua_pushinteger(L, *r->uring.cq.kring_entries);
  return 1;
}

static const luaL_Reg methods[] = {
  {"close", l_ring_close},
  {"cq_has_overflow", l_ring_cq_has_overflow},
  {"cq_ready", l_ring_cq_ready},
  {"cqes", l_cqe_each},
  {"enable_rings", l_ring_enable_rings},
  {"fileno", l_ring_fileno},
  {"get_sqe", l_ring_get_sqe},
  {"peek_cqe", l_ring_peek_cqe},
  {"pollfd", l_ring_fileno},
  {"sq_ready", l_ring_sq_ready},
  {"sq_space_left", l_ring_sq_space_left},
  {"stats", l_ring_stats},
  {"submit", l_ring_submit},
  {"submit_and_wait", l_ring_submit_and_wait},
  {"submit_and_wait_timeout", l_ring_submit_and_wait},
  {"supports", l_ring_supports},
  {"wait_cqe", l_ring_wait_cqe},
  {"wait_cqes", l_ring_wait_cqes},
  {NULL, NULL}
};

static const luaL_Reg meta[] = {
  {"__close", l_ring_close},
  {"__gc", l_ring_gc},
  {"__tostring", l_ring_tostring},
  {NULL, NULL}
};

/* Replace the metatable's __index by one that knows the fields, too. */
static void open_fields(lua_State *L, State *S) {
  luaL_getmetatable(L, RING_TYPE);
  lua_pushlightuserdata(L, S);
  lua_getfield(L, -2, "__index");
  lua_pushcclosure(L, l_ring_index, 2);
  lua_setfield(L, -2, "__index");
  lua_pop(L, 1);
}

void ring_open(lua_State *L, State *S) {
  unit_type(L, S, RING_TYPE, methods, meta);
  open_fields(L, S);
  lua_pushlightuserdata(L, S);
  lua_pushcclosure(L, l_ring_new, 1);
  lua_setfield(L, -2, "ring");
}
