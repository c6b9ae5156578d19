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
** Not here: NO_MMAP and REGISTERED_FD_ONLY (liburing would unmap, and enter,
** what is not there), SQE_MIXED (6.19) and SQ_REWIND (7.0), which change
** what an entry's place is.
*/

#include <errno.h>
#include <sys/mman.h>
#include <unistd.h>

#include "uring.h"

/* io_uring_queue_init_params, for every flag that a ring here may have. */
int map_init(Ring *r, unsigned entries, struct io_uring_params *p) {
  int fd, rc;
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
  if (!(r->uring.flags & U_SETUP_NO_SQARRAY) || r->uring.ring_fd < 0) {
    luaL_pushfail(L);
    lua_pushliteral(L, "resize_rings: only a ring that was made with "
                       "no_sqarray can be resized");
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

static const luaL_Reg methods[] = {
  {"resize_rings", l_resize_rings},
  {NULL, NULL}
};

void map_open(lua_State *L, State *S) {
  unit_methods(L, S, RING_TYPE, methods);
}
