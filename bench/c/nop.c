/* SPDX-License-Identifier: MIT
**
** nop DEPTH COUNT: the cost of a no-op, DEPTH of them in flight.
**
** A turn submits DEPTH NOPs and waits for them in one system call, then reaps
** them all, until at least COUNT are done.  This is the floor that an awaited
** NOP of the library is compared with.  (A NOP completes while it is being
** submitted, so that a program could leave out the wait; an operation that
** one has to wait for could not.)
*/

#include "common.h"

/* Submit n NOPs, numbered, and wait for them. */
static void submit_nops(struct io_uring *ring, unsigned n) {
  int done;
  for (unsigned i = 0; i < n; i++) {
    struct io_uring_sqe *sqe = io_uring_get_sqe(ring);
    io_uring_prep_nop(sqe);
    io_uring_sqe_set_data64(sqe, i);
  }
  done = io_uring_submit_and_wait(ring, n);
  if (done != (int)n)
    die("io_uring_submit_and_wait", done < 0 ? -done : EIO);
}

/* Take what is completed; returns how many, adds their numbers to *sum. */
static unsigned reap(struct io_uring *ring, uint64_t *sum) {
  struct io_uring_cqe *cqe;
  unsigned head, n = 0;
  io_uring_for_each_cqe (ring, head, cqe) {
    if (cqe->res < 0)
      die("nop", -cqe->res);
    *sum += cqe->user_data;
    n++;
  }
  io_uring_cq_advance(ring, n);
  return n;
}

int main(int argc, char **argv) {
  struct io_uring ring;
  uint64_t count, start, done = 0, sum = 0;
  unsigned depth;
  double seconds, cpu, ops;
  if (argc != 3)
    usage("nop DEPTH COUNT");
  depth = (unsigned)parse_count(argv[1], 1, 32768, "DEPTH");
  count = parse_count(argv[2], 1, UINT64_MAX / 2, "COUNT");
  open_ring(&ring, depth, 2 * depth);

  cpu = cpu_seconds();
  start = now_ns();
  while (done < count) {
    submit_nops(&ring, depth);
    done += reap(&ring, &sum);
  }
  seconds = (double)(now_ns() - start) / 1e9;
  cpu = cpu_seconds() - cpu;

  if (sum != done / depth * ((uint64_t)depth * (depth - 1) / 2))
    die("nop: completions do not match submissions", 0);
  ops = (double)done;
  printf("ops=%llu seconds=%.6f cpu_seconds=%.6f ns_per_op=%.2f "
         "cpu_ns_per_op=%.2f\n",
         (unsigned long long)done, seconds, cpu, seconds * 1e9 / ops,
         cpu * 1e9 / ops);
  io_uring_queue_exit(&ring);
  return 0;
}
