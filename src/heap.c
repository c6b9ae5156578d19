/* SPDX-License-Identifier: MIT
**
** heap.c - timers in a four-way heap.  No Lua here.
**
** A timer knows its place, so that arming and disarming cost O(log n) and
** asking for the first one nothing.  Four children a node halve the depth
** of a binary heap, and lie in one cache line.  The heap does not own its
** timers: each is part of whatever waits.
*/

#include <stdlib.h>
#include <string.h>

#include "base.h"

static void put(Heap *h, uint32_t i, HeapNode node) {
  h->nodes[i] = node;
  node.timer->place = i + 1;
}

/* Move 'node', which belongs at 'i' or above, to its place. */
static void rise(Heap *h, uint32_t i, HeapNode node) {
  while (i > 0) {
    uint32_t up = (i - 1) / 4;
    if (h->nodes[up].when <= node.when)
      break;
    put(h, i, h->nodes[up]);
    i = up;
  }
  put(h, i, node);
}

/* Move 'node', which belongs at 'i' or below, to its place. */
static void sink(Heap *h, uint32_t i, HeapNode node) {
  for (;;) {
    uint32_t child = 4 * i + 1, end = child + 4, least = child;
    if (child >= h->count)
      break;
    if (end > h->count)
      end = h->count;
    while (++child < end)
      if (h->nodes[child].when < h->nodes[least].when)
        least = child;
    if (node.when <= h->nodes[least].when)
      break;
    put(h, i, h->nodes[least]);
    i = least;
  }
  put(h, i, node);
}

/* Arm a timer that is not armed; false when there is no memory. */
bool heap_push(Heap *h, Timer *t) {
  if (h->count == h->size) {
    uint32_t size = h->size ? 2 * h->size : 16;
    HeapNode *nodes = realloc(h->nodes, size * sizeof *nodes);
    if (nodes == NULL)
      return false;
    h->nodes = nodes;
    h->size = size;
  }
  rise(h, h->count++, (HeapNode){t->when, t});
  return true;
}

/* Disarm a timer; nothing happens to one that is not armed. */
void heap_remove(Heap *h, Timer *t) {
  uint32_t i = t->place;
  HeapNode last;
  if (i-- == 0)
    return;
  t->place = 0;
  last = h->nodes[--h->count];
  if (last.timer == t)
    return;
  if (i > 0 && last.when < h->nodes[(i - 1) / 4].when)
    rise(h, i, last);
  else
    sink(h, i, last);
}

void heap_free(Heap *h) {
  free(h->nodes);
  memset(h, 0, sizeof *h);
}
