/* SPDX-License-Identifier: MIT
**
** common.h - what the C baselines share: failing, clocks, numbers from the
** command line, rings.
**
** Everything is static inline, so that each program stays one file that
** compiles by itself.
*/

#ifndef BENCH_COMMON_H
#define BENCH_COMMON_H

#include <errno.h>
#include <liburing.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <time.h>

/* ---- failing ---- */

/* Prints "what: reason" (err is an errno, or 0 for none) and exits 1. */
static inline void __attribute__((noreturn)) die(const char *what, int err) {
  if (err != 0)
    fprintf(stderr, "%s: %s\n", what, strerror(err));
  else
    fprintf(stderr, "%s\n", what);
  exit(1);
}

static inline void __attribute__((noreturn)) usage(const char *line) {
  fprintf(stderr, "usage: %s\n", line);
  exit(2);
}

/* The number in 's', or exits: a baseline takes no vague arguments. */
static inline uint64_t parse_count(const char *s, uint64_t lo, uint64_t hi,
                                   const char *what) {
  char *end;
  unsigned long long n;
  errno = 0;
  n = strtoull(s, &end, 10);
  if (*s < '0' || *s > '9' || *end != '\0' || errno != 0 || n < lo || n > hi) {
    fprintf(stderr, "%s: expected %llu to %llu, got '%s'\n", what,
            (unsigned long long)lo, (unsigned long long)hi, s);
    exit(2);
  }
  return n;
}

/* ---- clocks ---- */

static inline uint64_t now_ns(void) {
  struct timespec ts;
  clock_gettime(CLOCK_MONOTONIC, &ts);
  return (uint64_t)ts.tv_sec * 1000000000u + (uint64_t)ts.tv_nsec;
}

/* User and system time of this process so far. */
static inline double cpu_seconds(void) {
  struct rusage u;
  getrusage(RUSAGE_SELF, &u);
  return (double)(u.ru_utime.tv_sec + u.ru_stime.tv_sec) +
         (double)(u.ru_utime.tv_usec + u.ru_stime.tv_usec) / 1e6;
}

/* ---- rings ---- */

/*
** The fastest ring for one thread: completions are delivered only when it
** asks for them, and the ring's descriptor is registered, so that an enter
** does not look it up.
*/
static inline void open_ring(struct io_uring *ring, unsigned sq, unsigned cq) {
  struct io_uring_params p;
  int err;
  memset(&p, 0, sizeof p);
  p.flags = IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN |
            IORING_SETUP_TASKRUN_FLAG | IORING_SETUP_SUBMIT_ALL |
            IORING_SETUP_CQSIZE | IORING_SETUP_CLAMP;
  p.cq_entries = cq;
  err = io_uring_queue_init_params(sq, ring, &p);
  if (err < 0)
    die("io_uring_queue_init_params", -err);
  err = io_uring_register_ring_fd(ring);
  if (err < 0)
    die("io_uring_register_ring_fd", -err);
}

/* Zeroed memory that costs nothing until it is touched. */
static inline void *map_pages(size_t size) {
  void *p = mmap(NULL, size, PROT_READ | PROT_WRITE,
                 MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (p == MAP_FAILED)
    die("mmap", errno);
  return p;
}

/* A ring for n provided buffers (a power of two), still empty. */
static inline struct io_uring_buf_ring *
open_buf_ring(struct io_uring *ring, unsigned n, uint16_t group) {
  struct io_uring_buf_ring *br = map_pages(n * sizeof(struct io_uring_buf));
  struct io_uring_buf_reg reg;
  int err;
  memset(&reg, 0, sizeof reg);
  reg.ring_addr = (uint64_t)(uintptr_t)br;
  reg.ring_entries = n;
  reg.bgid = group;
  err = io_uring_register_buf_ring(ring, &reg, 0);
  if (err < 0)
    die("io_uring_register_buf_ring", -err);
  return br;
}

/* user_data: a small kind and the index of what it is about. */
static inline uint64_t tag(unsigned kind, unsigned index) {
  return (uint64_t)index << 8 | kind;
}

static inline unsigned tag_kind(uint64_t tagged) {
  return (unsigned)(tagged & 0xff);
}

static inline unsigned tag_index(uint64_t tagged) {
  return (unsigned)(tagged >> 8);
}

/* ---- limits ---- */

/* Raises the limit of descriptors to 'want', or as far as it goes. */
static inline uint64_t raise_nofile(uint64_t want) {
  struct rlimit r;
  if (getrlimit(RLIMIT_NOFILE, &r) != 0)
    die("getrlimit", errno);
  if (r.rlim_cur >= want)
    return r.rlim_cur;
  if (r.rlim_max < want) {
    struct rlimit more = {want, want};
    if (setrlimit(RLIMIT_NOFILE, &more) == 0)
      return want; /* a privileged process raises the hard limit too */
  }
  r.rlim_cur = r.rlim_max < want ? r.rlim_max : want;
  if (setrlimit(RLIMIT_NOFILE, &r) != 0)
    die("setrlimit", errno);
  return r.rlim_cur;
}

#endif
