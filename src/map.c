/* SPDX-License-Identifier: MIT
**
** map.c - the memory that a ring shares with the kernel, where liburing does
** not set it up well enough.
**
** A ring without an array of indices (no_sqarray): io_uring_queue_init of
** liburing 2.3 writes the array over the ring's own header, so the pieces of
** it are called here.  And a ring that changes its size, which only such a
** ring can: the kernel does not say where the array of another is.
**
** A ring in memory of its own (no_mmap), and one without a descriptor
** (registered_fd_only), which is entered by a place in a table of the thread:
** liburing 2.3 knows neither, so it must not submit, wait or exit for them.
**
** Not here: SQE_MIXED (6.19) and SQ_REWIND (7.0), which change what an
** entry's place is.
*/

#include <errno.h>
#include <sys/mman.h>
#include <unistd.h>

#include "uring.h"

#define MAX_ENTRIES 32768u  /* IORING_MAX_ENTRIES */
#define PAGE 4096u

/* ---- memory of its own -------------------------------------------------- */

static size_t power_of_2(size_t n) {
  size_t p = 1;
  while (p < n)
    p *= 2;
  return p;
}

static void *map(size_t size) {
  return mmap(NULL, size, PROT_READ | PROT_WRITE,
              MAP_SHARED | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
}

/* The bytes of the queues: their header, completions, indices. */
static size_t queues_size(size_t sq, const struct io_uring_params *p) {
  size_t cq = p->flags & IORING_SETUP_CQSIZE ? power_of_2(p->cq_entries)
                                             : 2 * sq;
  size_t cqe = sizeof(struct io_uring_cqe) <<
               !!(p->flags & IORING_SETUP_CQE32);
  return (2 * PAGE + cq * cqe + sq * sizeof(unsigned)) & ~(size_t)(PAGE - 1);
}

/* Forget the memory of a ring that was not made, or is closed. */
static void free_memory(struct io_uring *u, size_t sqes_size) {
  munmap(u->sq.sqes, sqes_size);
  munmap(u->sq.ring_ptr, u->sq.ring_sz);
}

static int init_memory(Ring *r, unsigned entries, struct io_uring_params *p) {
  size_t sq = power_of_2(entries), size, sqes_size;
  struct io_uring *u = &r->uring;
  void *queues, *sqes;
  int fd;
  if (entries > MAX_ENTRIES || p->cq_entries > 2 * MAX_ENTRIES)
    return -EINVAL;
  size = queues_size(sq, p);
  sqes_size = (sq * sizeof(struct io_uring_sqe) <<
               !!(p->flags & IORING_SETUP_SQE128)) + PAGE - 1;
  sqes_size &= ~(size_t)(PAGE - 1);
  queues = map(size);
  if (queues == MAP_FAILED)
    return -ENOMEM;
  sqes = map(sqes_size);
  if (sqes == MAP_FAILED) {
    munmap(queues, size);
    return -ENOMEM;
  }
  memset(u, 0, sizeof *u);
  u->sq.sqes = sqes;
  u->sq.ring_ptr = queues;
  u->sq.ring_sz = size;
  compat_set_memory(p, queues, sqes);
  fd = io_uring_setup(entries, p);
  if (fd < 0) {
    free_memory(u, sqes_size);
    return fd;
  }
  compat_set_queues(u, p, queues, sqes, size);
  u->flags = p->flags;
  u->features = p->features;
  r->own_memory = true;
  r->sqes_size = sqes_size;
  r->registered = (p->flags & U_SETUP_REGISTERED_FD_ONLY) != 0;
  u->ring_fd = r->registered ? -1 : fd;
  u->enter_ring_fd = fd;
  return 0;
}

/*
** Submit, wait for 'want' completions, at most 'timeout' ns: for a ring that
** liburing cannot enter.  The number of entries, or a negative errno.
*/
int map_enter(Ring *r, unsigned want, int64_t timeout, bool events) {
  struct compat_enter_arg arg;
  struct __kernel_timespec ts;
  unsigned n = compat_flush_sq(&r->uring), flags = 0;
  memset(&arg, 0, sizeof arg);
  if (r->registered)
    flags |= IORING_ENTER_REGISTERED_RING;
  if (events)
    flags |= IORING_ENTER_GETEVENTS;
  if (r->no_iowait)
    flags |= U_ENTER_NO_IOWAIT;
  if (r->uring.flags & IORING_SETUP_SQPOLL) {
    io_uring_smp_mb();  /* it looks at the tail after it says so */
    if (IO_URING_READ_ONCE(*r->uring.sq.kflags) & IORING_SQ_NEED_WAKEUP)
      flags |= IORING_ENTER_SQ_WAKEUP;
    if (io_uring_sq_space_left(&r->uring) == 0)
      flags |= IORING_ENTER_SQ_WAIT;
  }
  if (want == 0 || timeout == FOREVER)
    return io_uring_enter2((unsigned)r->uring.enter_ring_fd, n, want, flags,
                           NULL, 0);
  ts.tv_sec = timeout / SECOND;
  ts.tv_nsec = timeout % SECOND;
  arg.ts = (uint64_t)(uintptr_t)&ts;
  return io_uring_enter2((unsigned)r->uring.enter_ring_fd, n, want,
                         flags | IORING_ENTER_EXT_ARG, (void *)&arg,
                         sizeof arg);
}

/* Must the ring be entered by map_enter, because liburing cannot? */
bool map_by_hand(const Ring *r) {
  return r->no_iowait || (r->uring.flags & U_SETUP_REGISTERED_FD_ONLY) != 0;
}

/* Give the ring's place in the thread's table back. */
static void unregister(Ring *r) {
  struct io_uring_rsrc_update u;
  memset(&u, 0, sizeof u);
  u.offset = (unsigned)r->uring.enter_ring_fd;
  reg_call(r, IORING_UNREGISTER_RING_FDS, &u, 1);
}

/* io_uring_queue_exit */
void map_exit(Ring *r) {
  if (!ident_fd(r))
    r->uring.ring_fd = -1;  /* the number is not ours to close */
  if (r->uring.ring_fd < 0 && r->registered)
    unregister(r);
  if (!r->own_memory) {
    io_uring_queue_exit(&r->uring);
    return;
  }
  if (r->registered && r->uring.ring_fd >= 0)
    io_uring_unregister_ring_fd(&r->uring);
  if (r->uring.ring_fd >= 0)
    close(r->uring.ring_fd);
  free_memory(&r->uring, r->sqes_size);
}

/* ---- no array of indices ------------------------------------------------ */

/* io_uring_queue_init_params, for every flag that a ring here may have. */
int map_init(Ring *r, unsigned entries, struct io_uring_params *p) {
  int fd, rc;
  if (p->flags & (U_SETUP_NO_MMAP | U_SETUP_REGISTERED_FD_ONLY))
    return init_memory(r, entries, p);
  if (!(p->flags & U_SETUP_NO_SQARRAY))
    return io_uring_queue_init_params(entries, &r->uring, p);
  fd = io_uring_setup(entries, p);
  if (fd < 0)
    return fd;
  memset(&r->uring, 0, sizeof r->uring);
  rc = io_uring_queue_mmap(fd, p, &r->uring);
  if (rc < 0) {
    close(fd);
    return rc;
  }
  r->uring.flags = p->flags;       /* 2.3 sets all but the features, */
  r->uring.features = p->features; /* 2.5 to 2.14 none of the four */
  r->uring.ring_fd = r->uring.enter_ring_fd = fd;
  return 0;
}

/* Forget the old queues; the new ones are in r->uring. */
static void unmap(struct io_uring *old, size_t sqe_size) {
  size_t entries = *old->sq.kring_entries;
  munmap(old->sq.sqes, entries * sqe_size);
  if (old->cq.ring_ptr && old->cq.ring_ptr != old->sq.ring_ptr)
    munmap(old->cq.ring_ptr, old->cq.ring_sz);
  munmap(old->sq.ring_ptr, old->sq.ring_sz);
}

/* Queues of other sizes, with what is in them; 0 or a negative errno. */
static int resize(Ring *r, unsigned sq_entries, unsigned cq_entries) {
  struct io_uring_params p;
  struct io_uring old = r->uring, fresh;
  int rc;
  memset(&p, 0, sizeof p);
  p.sq_entries = sq_entries;
  p.cq_entries = cq_entries;
  p.flags = IORING_SETUP_CLAMP | (cq_entries ? IORING_SETUP_CQSIZE : 0);
  rc = reg_call(r, U_REGISTER_RESIZE_RINGS, &p, 1);
  if (rc < 0)
    return rc;
  memset(&fresh, 0, sizeof fresh);
  p.flags = old.flags;  /* the sizes of entries are not asked for again */
  p.features = old.features;
  rc = io_uring_queue_mmap(old.ring_fd, &p, &fresh);
  if (rc < 0)
    return rc;
  fresh.sq.sqe_head = old.sq.sqe_head;
  fresh.sq.sqe_tail = old.sq.sqe_tail;
  r->uring.sq = fresh.sq;
  r->uring.cq = fresh.cq;
  unmap(&old, r->sqe_size);
  io_uring_ring_dontfork(&r->uring);
  return 0;
}

/*
** ring:resize_rings(sq_entries [, cq_entries]) -> true; 6.13
** For a ring that was made with defer_taskrun and no_sqarray.  Everything
** prepared is submitted first.
*/
static int l_resize_rings(lua_State *L) {
  Ring *r = ring_check(L, 1);
  unsigned sq = (unsigned)args_int(L, 2, 1, MAX_U32);
  unsigned cq = (unsigned)args_optint(L, 3, 0, 1, MAX_U32);
  int rc;
  if (!(r->uring.flags & U_SETUP_NO_SQARRAY) || r->uring.ring_fd < 0 ||
      r->own_memory) {
    luaL_pushfail(L);
    lua_pushliteral(L, "resize_rings: only a ring that was made with "
      "no_sqarray, and has a descriptor, can be resized");
    lua_pushinteger(L, EINVAL);
    return 3;
  }
  cqe_reap(L, r);
  ring_flush(r);
  rc = ring_submit(r);
  if (rc >= 0)
    rc = io_uring_sq_ready(&r->uring) > 0 ? -EBUSY : resize(r, sq, cq);
  return reg_result(L, rc, "resize_rings", U_REGISTER_RESIZE_RINGS);
}

/*
** ring:close_ring_fd() -> true
** After register_ring_fd the descriptor itself is not needed any more: it is
** closed, and its number free.  6.3
*/
static int l_close_ring_fd(lua_State *L) {
  Ring *r = ring_check(L, 1);
  if (!r->registered || r->uring.ring_fd < 0)
    return err_fail(L, EINVAL, "close_ring_fd", NULL);
  if (!(r->uring.features & U_FEAT_REG_REG_RING))
    return err_fail(L, EOPNOTSUPP, "close_ring_fd", NULL);
  close(r->uring.ring_fd);
  r->uring.ring_fd = -1;
  lua_pushboolean(L, 1);
  return 1;
}

/*
** ring:set_iowait(boolean) -> true
** Whether waiting counts as waiting for I/O, as it does at first: it raises
** the processor's speed, and what top(1) shows.  6.15
*/
static int l_set_iowait(lua_State *L) {
  Ring *r = ring_check(L, 1);
  luaL_checktype(L, 2, LUA_TBOOLEAN);
  if (!(r->uring.features & U_FEAT_NO_IOWAIT))
    return err_fail(L, EOPNOTSUPP, "set_iowait", NULL);
  r->no_iowait = !lua_toboolean(L, 2);
  lua_pushboolean(L, 1);
  return 1;
}

static const luaL_Reg methods[] = {
  {"close_ring_fd", l_close_ring_fd},
  {"resize_rings", l_resize_rings},
  {"set_iowait", l_set_iowait},
  {NULL, NULL}
};

void map_open(lua_State *L, State *S) {
  unit_methods(L, S, RING_TYPE, methods);
}
