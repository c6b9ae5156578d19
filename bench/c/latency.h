/* SPDX-License-Identifier: MIT
**
** latency.h - a histogram of times with a relative error of 3 per cent, in
** constant space: 32 buckets for each doubling.
*/

#ifndef BENCH_LATENCY_H
#define BENCH_LATENCY_H

#include <stdint.h>

#define LATENCY_STEPS 32u

typedef struct Latency {
  uint64_t total;
  uint64_t count[64 * LATENCY_STEPS];
} Latency;

static inline void latency_add(Latency *h, uint64_t ns) {
  unsigned shift = 0;
  while (ns >> shift >= 2 * LATENCY_STEPS)
    shift++;
  h->count[shift * LATENCY_STEPS + (ns >> shift)]++;
  h->total++;
}

/* The smallest time that falls into bucket i. */
static inline uint64_t latency_bucket(unsigned i) {
  unsigned shift = i < 2 * LATENCY_STEPS ? 0 : i / LATENCY_STEPS - 1;
  return (uint64_t)(i - shift * LATENCY_STEPS) << shift;
}

/* The time, in microseconds, that a share q of all stayed below. */
static inline double latency_us(const Latency *h, double q) {
  uint64_t want = (uint64_t)(q * (double)h->total), seen = h->count[0];
  unsigned i = 0;
  while (seen <= want && i < 64 * LATENCY_STEPS - 1)
    seen += h->count[++i];
  return h->total == 0 ? 0 : (double)latency_bucket(i) / 1e3;
}

#endif
