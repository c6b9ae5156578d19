/* SPDX-License-Identifier: MIT
**
** base.h - containers that know nothing of Lua: lists, slots with
** generations, timers in a heap.
*/

#ifndef URING_BASE_H
#define URING_BASE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* ---- lists ------------------------------------------------------------ */

/* Link of a circular list; a lone link points to itself. */
typedef struct Link {
  struct Link *next, *prev;
} Link;

static inline void link_init(Link *l) { l->next = l->prev = l; }

static inline bool link_alone(const Link *l) { return l->next == l; }

/* Put 'l', which is alone, at the end of the list with head 'head'. */
static inline void link_append(Link *head, Link *l) {
  l->prev = head->prev;
  l->next = head;
  head->prev->next = l;
  head->prev = l;
}

static inline void link_remove(Link *l) {
  l->prev->next = l->next;
  l->next->prev = l->prev;
  link_init(l);
}

#define container(ptr, type, member) \
  ((type *)(void *)((char *)(ptr) - offsetof(type, member)))

/* ---- slab.c (no Lua) -------------------------------------------------- */

#define SLAB_MAXSLOTS 0xffffffu  /* 24 bits; the last one is never used */
#define SLAB_CHUNK 64u  /* records allocated at once */

/* First member of every record of a slab. */
typedef struct Slot {
  uint32_t index;      /* place in the slab */
  uint32_t generation; /* grows each time the slot is put back */
  uint32_t next;       /* next free slot + 1, while free */
  bool used;
} Slot;

typedef struct Slab {
  void **chunks;       /* records never move */
  size_t record;       /* bytes of one */
  uint32_t nchunks, free, used; /* 'free' is first free slot + 1 */
} Slab;

void slab_init(Slab *s, size_t record);
bool slab_grow(Slab *s);
uint32_t slab_size(const Slab *s);
void *slab_take(Slab *s);
void slab_put(Slab *s, void *record);
void slab_free(Slab *s);

/* The record at 'index', used or not, or NULL beyond the end. */
static inline void *slab_at(const Slab *s, uint32_t index) {
  if (index / SLAB_CHUNK >= s->nchunks)
    return NULL;
  return (char *)s->chunks[index / SLAB_CHUNK] +
         (index % SLAB_CHUNK) * s->record;
}

/* The record that is taken next, or NULL. */
static inline void *slab_first(const Slab *s) {
  return s->free ? slab_at(s, s->free - 1) : NULL;
}

/* The record in use at 'index' if it is still of this generation. */
static inline void *slab_find(const Slab *s, uint32_t index,
                              uint32_t generation) {
  Slot *slot = slab_at(s, index);
  if (slot == NULL || !slot->used || slot->generation != generation)
    return NULL;
  return slot;
}

/* ---- heap.c (no Lua) -------------------------------------------------- */

typedef struct Timer {
  int64_t when;        /* ns of CLOCK_MONOTONIC */
  uint32_t place;      /* index in the heap + 1; 0 when not armed */
  uint8_t kind;        /* TimerKind: what it is part of */
} Timer;

typedef enum { TIMER_TASK, TIMER_CALL, TIMER_MULTI } TimerKind;

/* 'when' beside the pointer: comparing touches only the array. */
typedef struct HeapNode {
  int64_t when;
  Timer *timer;
} HeapNode;

typedef struct Heap {
  HeapNode *nodes;
  uint32_t count, size;
} Heap;

bool heap_push(Heap *h, Timer *t);
void heap_remove(Heap *h, Timer *t);
void heap_free(Heap *h);

static inline Timer *heap_first(const Heap *h) {
  return h->count ? h->nodes[0].timer : NULL;
}

extern unsigned fork_count;  /* how often this process has been a child */

#endif
