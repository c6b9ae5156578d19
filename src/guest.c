/* SPDX-License-Identifier: MIT
**
** guest.c - a ring inside another loop: luv, cqueues, poll(2).
**
** That loop waits until the descriptor of pollfd is readable, or for as long
** as timeout says, and then calls step(0).  Where the kernel leaves the work
** of completions to the task that enters (DEFER_TASKRUN), the descriptor of
** the ring itself does not become readable for that (measured: 6.18); an
** eventfd that is registered with the ring does.
*/

#include <errno.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "uring.h"

/*
** An eventfd for the completions of the ring, or a negative errno.  EBUSY
** when the script has registered one of its own.
*/
static int make_event(Ring *r) {
  int rc, fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
  if (fd < 0)
    return -errno;
  rc = reg_call(r, IORING_REGISTER_EVENTFD, &fd, 1);
  if (rc < 0)
    close(fd);
  return rc < 0 ? rc : fd;
}

/* A turn begins, which will look at everything that has come. */
void guest_turn(Ring *r) {
  uint64_t n;
  if (r->event > 0 && read(r->event - 1, &n, sizeof n) < 0)
    return;  /* nothing has come */
}

/* The ring is closed. */
void guest_close(Ring *r) {
  if (r->event > 0)
    close(r->event - 1);
  r->event = 0;
}

/*
** ring:pollfd() -> descriptor, readable when step has something to do
** nil, message, errno when there can be none.  It is the ring's.
*/
static int l_ring_pollfd(lua_State *L) {
  Ring *r = ring_check(L, 1);
  if (r->event == 0 && (r->uring.flags & IORING_SETUP_DEFER_TASKRUN)) {
    int fd = make_event(r);
    if (fd < 0)
      return err_fail(L, -fd, "pollfd", NULL);
    r->event = fd + 1;
  }
  if (r->event == 0 && r->uring.ring_fd < 0)
    return luaL_error(L, "ring has no descriptor");
  lua_pushinteger(L, r->event ? r->event - 1 : r->uring.ring_fd);
  return 1;
}

/* ring:events() -> "r": what pollfd is polled for */
static int l_ring_events(lua_State *L) {
  ring_check(L, 1);
  lua_pushliteral(L, "r");
  return 1;
}

/* Entries to be submitted; a thread of the kernel's takes them by itself. */
static unsigned unsubmitted(const Ring *r) {
  const struct io_uring_sq *sq = &r->uring.sq;
  if (r->uring.flags & IORING_SETUP_SQPOLL)
    return sq->sqe_tail - sq->sqe_head;
  return io_uring_sq_ready(&r->uring);
}

/* Is there something to do at once? */
static bool is_due(const Ring *r) {
  return !link_alone(&r->ready) || unsubmitted(r) > 0 ||
         io_uring_cq_ready(&r->uring) > 0 || ring_needs_enter(r) ||
         !link_alone(&r->backlog) || !link_alone(&r->cancels);
}

/*
** ring:timeout() -> seconds until something is due, 0 when a task is ready,
** nil when only a completion can bring anything
*/
static int l_ring_timeout(lua_State *L) {
  Ring *r = ring_check(L, 1);
  const Timer *t = heap_first(&r->timers);
  int64_t when = t ? t->when : FOREVER, left;
  if (!link_alone(&r->stubborn) && r->retry < when)
    when = r->retry;
  left = when - sched_clock();
  if (is_due(r))
    lua_pushinteger(L, 0);
  else if (when == FOREVER)
    lua_pushnil(L);
  else
    lua_pushnumber(L, left > 0 ? (lua_Number)left / 1e9 : 0.0);
  return 1;
}

static const luaL_Reg methods[] = {
  {"events", l_ring_events},
  {"pollfd", l_ring_pollfd},
  {"timeout", l_ring_timeout},
  {NULL, NULL}
};

void guest_open(lua_State *L, State *S) {
  unit_methods(L, S, RING_TYPE, methods);
}
