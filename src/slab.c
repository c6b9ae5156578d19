/* SPDX-License-Identifier: MIT
**
** slab.c - records of one size in slots with generations.  No Lua here.
**
** A record never moves, and a slot that is used again has another
** generation: whoever kept (index, generation) finds out that its record is
** gone instead of touching a stranger's.  Memory is given back only when
** the whole slab is freed.
*/

#include <stdlib.h>
#include <string.h>

#include "base.h"

void slab_init(Slab *s, size_t record) {
  memset(s, 0, sizeof *s);
  s->record = record;
}

uint32_t slab_size(const Slab *s) { return s->nchunks * SLAB_CHUNK; }

/* Add a chunk of free slots; false when there is no memory or no index. */
bool slab_grow(Slab *s) {
  uint32_t first = slab_size(s);
  void **chunks;
  char *chunk;
  if (first + SLAB_CHUNK > SLAB_MAXSLOTS)
    return false;
  chunks = realloc(s->chunks, (s->nchunks + 1) * sizeof *chunks);
  if (chunks == NULL)
    return false;
  s->chunks = chunks;
  chunk = calloc(SLAB_CHUNK, s->record);
  if (chunk == NULL)
    return false;
  s->chunks[s->nchunks++] = chunk;
  for (uint32_t i = SLAB_CHUNK; i-- > 0;) {  /* lowest index taken first */
    Slot *slot = (Slot *)(void *)(chunk + i * s->record);
    slot->index = first + i;
    slot->generation = 1;
    slot->next = s->free;
    s->free = slot->index + 1;
  }
  return true;
}

/* Take a free record, contents left as they are; NULL when none is free. */
void *slab_take(Slab *s) {
  Slot *slot;
  if (s->free == 0)
    return NULL;
  slot = slab_at(s, s->free - 1);
  s->free = slot->next;
  s->used++;
  slot->used = true;
  return slot;
}

/* Give a record back; what remembers its generation will not find it. */
void slab_put(Slab *s, void *record) {
  Slot *slot = record;
  slot->used = false;
  slot->generation++;
  slot->next = s->free;
  s->free = slot->index + 1;
  s->used--;
}

void slab_free(Slab *s) {
  for (uint32_t i = 0; i < s->nchunks; i++)
    free(s->chunks[i]);
  free(s->chunks);
  slab_init(s, s->record);
}
