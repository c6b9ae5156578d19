/* SPDX-License-Identifier: MIT
**
** group.c - provided buffers: a ring of them that the kernel takes from.
**
** Every buffer of a group is with exactly one side: in the kernel's ring, or
** ours because a completion named it.  A completion that names one makes a
** share of it; when the last share is given back, and the kernel will not
** put more into it (an incremental group fills one in pieces), it goes into
** the ring again.  So none is lost, and none is there twice.
**
** In an outgoing group the kernel takes what is to be sent; a buffer that
** comes back from it is free, and is filled again by the script.
**
** No Lua here.  The memory lives as long as the script, the kernel, a
** borrowed buffer or an operation knows of it.
*/

#include <errno.h>
#include <stdlib.h>

#include "uring.h"

#define PAD 64u        /* bytes between the pool's: not all in one cache set */

static char *chunk_of(const Group *g, unsigned id) {
  return g->chunks[id / g->per]->data;
}

/* Where the memory of a buffer is. */
char *group_data(const Group *g, unsigned id) {
  return chunk_of(g, id) + (size_t)(id % g->per) * g->stride;
}

void group_unref(Group *g) {
  if (g == NULL || --g->refs > 0)
    return;
  for (unsigned i = 0; i < g->nchunks; i++)
    block_unref(g->chunks[i]);
  if (g->memory)
    block_unref(g->memory);
  free(g->chunks);
  free(g->pieces);
  free(g);
}

/* Memory for 'per' more buffers, which are ours; false without. */
static bool add_chunk(Group *g) {
  Block *b = block_new((size_t)g->per * g->stride, 0);
  if (b == NULL)
    return false;
  g->chunks[g->nchunks++] = b;
  g->count += g->per;
  return true;
}

/*
** A group that the kernel does not know, without buffers in its ring; NULL
** without memory.  'entries' is a power of two; memory for 'per' buffers of
** 'size' bytes is taken at once.
*/
Group *group_new(unsigned entries, unsigned size, unsigned per) {
  Group *g = calloc(1, sizeof *g);
  if (g == NULL)
    return NULL;
  g->refs = 1;
  g->entries = entries;
  g->per = per;
  g->size = size;
  g->stride = per < entries ? size + PAD : size;
  link_init(&g->starved);
  g->pieces = calloc(entries, sizeof *g->pieces);
  g->chunks = calloc(entries / per, sizeof *g->chunks);
  g->memory = block_new(entries * sizeof(struct io_uring_buf), 4096);
  if (!g->pieces || !g->chunks || !g->memory || !add_chunk(g)) {
    group_unref(g);
    return NULL;
  }
  g->br = (struct io_uring_buf_ring *)(void *)g->memory->data;
  return g;
}

/* Does the kernel have operations that take from a former group 'id'? */
static bool is_awaited(const Ring *r, unsigned id) {
  for (uint32_t i = 0; i < slab_size(&r->ops); i++) {
    const Op *op = slab_at(&r->ops, i);
    if (op->slot.used && (op->state & OP_KERNEL) && op->group != NULL &&
        op->group->id == id)
      return true;
  }
  return false;
}

/*
** Operations that have named the number before there was a group take from
** this one, and hold it: the kernel may have a buffer of it for them.
*/
static void hold_for(const Ring *r, Group *g) {
  for (uint32_t i = 0; i < slab_size(&r->ops); i++) {
    Op *op = slab_at(&r->ops, i);
    if (op->slot.used && (op->state & OP_KERNEL) && op->selects &&
        op->group == NULL && op->from == g->id)
      op_select(op, g);
  }
}

/*
** Tell the kernel; 0 or a negative errno.  The ring refers to it then.  EBUSY
** while there are operations of a former group of that number: they would
** take from this one, and nobody would know whose buffer 0 they have.
*/
int group_register(Ring *r, Group *g, unsigned id, unsigned flags) {
  struct compat_buf_reg reg;
  int rc;
  if (group_find(r, id) == NULL && is_awaited(r, id))
    return -EBUSY;
  memset(&reg, 0, sizeof reg);
  reg.ring_addr = (uint64_t)(uintptr_t)g->br;
  reg.ring_entries = g->entries;
  reg.bgid = (uint16_t)id;
  reg.flags = (uint16_t)flags;
  rc = reg_call(r, IORING_REGISTER_PBUF_RING, &reg, 1);
  if (rc < 0)
    return rc;
  g->id = (uint16_t)id;
  g->incremental = (flags & U_PBUF_RING_INC) != 0;
  g->ring = r;
  g->refs++;
  g->next = r->groups;
  r->groups = g;
  hold_for(r, g);
  return 0;
}

/*
** The kernel takes no more of its buffers; those it has taken for operations
** stay there.  0 or a negative errno.
*/
int group_unregister(Group *g) {
  struct compat_buf_reg reg;
  Ring *r = g->ring;
  int rc;
  memset(&reg, 0, sizeof reg);
  reg.bgid = g->id;
  rc = reg_call(r, IORING_UNREGISTER_PBUF_RING, &reg, 1);
  if (rc < 0)
    return rc;
  for (Group **p = &r->groups; *p != NULL; p = &(*p)->next)
    if (*p == g) {
      *p = g->next;
      break;
    }
  g->ring = NULL;
  multi_wake(g);
  group_unref(g);
  return 0;
}

/* The ring is closed; 'leak' when the kernel may still use the memory. */
void group_forget(Ring *r, bool leak) {
  while (r->groups != NULL) {
    Group *g = r->groups;
    r->groups = g->next;
    g->ring = NULL;
    if (!leak)
      group_unref(g);
  }
  r->spare = NULL;
}

/* The group of that number that the ring has registered, or NULL. */
Group *group_find(const Ring *r, unsigned id) {
  Group *g = r->groups;
  while (g != NULL && g->id != id)
    g = g->next;
  return g;
}

/* Put a buffer with 'len' bytes into the kernel's ring. */
void group_add(Group *g, unsigned id, unsigned len) {
  Piece *p = &g->pieces[id];
  p->used = 0;
  p->size = len;
  p->state = PIECE_IN;
  g->pieces[g->last].next = (uint16_t)id;
  g->last = (uint16_t)id;
  g->in++;
  io_uring_buf_ring_add(g->br, group_data(g, id), len, (uint16_t)id,
                        (int)(g->entries - 1), 0);
  io_uring_buf_ring_advance(g->br, 1);
}

/* More memory for a group that was not given all at once; false at its end */
bool group_grow(Group *g) {
  unsigned first = g->count;
  if (g->ring == NULL || first == g->entries || !add_chunk(g))
    return false;
  for (unsigned id = first; id < g->count; id++)
    group_add(g, id, g->size);
  return true;
}

/* ---- shares ------------------------------------------------------------- */

/* Bytes of buffer 'id', from 'at' on, of 'left' that a completion has. */
static unsigned part(const Group *g, unsigned id, unsigned at, unsigned left) {
  unsigned room = g->pieces[id].size - at;
  return left < room ? left : room;
}

/* Do these flags make it take several buffers for one completion? */
bool group_bundles(const OpDef *def, unsigned ioprio) {
  return (def->opcode == IORING_OP_RECV || def->opcode == IORING_OP_SEND) &&
         (ioprio & U_RECVSEND_BUNDLE) != 0;
}

/* Is it one of the buffers that the kernel has? */
bool group_has(const Group *g, unsigned id) {
  return id < g->count && g->pieces[id].state == PIECE_IN;
}

/* What a single completion may have of the buffer that it names. */
unsigned group_room(const Group *g, unsigned id) {
  return g->pieces[id].size - g->pieces[id].used;
}

/*
** A completion has named buffer 'id', which the kernel had, and has 'len'
** bytes, perhaps in those that follow it, too (a bundle).  Returns where in
** the first they begin.
*/
unsigned group_taken(Group *g, unsigned id, unsigned len, bool more) {
  unsigned at, from, n;
  at = from = g->pieces[id].used;
  for (;; id = g->pieces[id].next, from = g->pieces[id].used) {
    Piece *p = &g->pieces[id];
    n = part(g, id, from, len);
    p->used += n;
    p->shares++;
    len -= n;
    if (len == 0 && more)
      break;           /* the kernel goes on with this one */
    p->state = PIECE_OUT;
    g->in--;
    if (len == 0 || g->pieces[p->next].state != PIECE_IN)
      break;
  }
  return at;
}

/* A share of one buffer is given back. */
static void give_back(Group *g, unsigned id) {
  Piece *p = &g->pieces[id];
  p->shares--;
  if (p->state != PIECE_OUT || p->shares > 0)
    return;
  if (g->outgoing || g->ring == NULL)
    p->state = PIECE_FREE;
  else {
    group_add(g, id, g->size);
    multi_wake(g);
  }
}

void group_unshare(Group *g, unsigned id) { give_back(g, id); }

/*
** Give back all that a completion had, or pass it to 'visit', part by part,
** which then has the shares.
*/
void group_each(Group *g, unsigned id, unsigned at, unsigned len,
                void (*visit)(Group *, unsigned, const char *, unsigned,
                              void *), void *arg) {
  for (;;) {
    unsigned next = g->pieces[id].next, n = part(g, id, at, len);
    if (visit)
      visit(g, id, group_data(g, id) + at, n, arg);
    else
      give_back(g, id);
    len -= n;
    if (len == 0)
      return;
    id = next;
    at = 0;
  }
}

void group_return(Group *g, unsigned id, unsigned at, unsigned len) {
  group_each(g, id, at, len, NULL, NULL);
}

static void reserve(Group *g, unsigned id, const char *data, unsigned n,
                    void *arg) {
  (void)data;
  (void)n;
  if (*(bool *)arg)
    g->pieces[id].lent++;
  else
    g->pieces[id].lent--;
}

/* No script may have the shares of a completion, or it may from now on. */
void group_reserve(Group *g, unsigned id, unsigned at, unsigned len,
                   bool reserved) {
  group_each(g, id, at, len, reserve, &reserved);
}

/* ---- the pool ----------------------------------------------------------- */

#define POOL_ENTRIES 1024u
#define POOL_STEP 64u  /* buffers that are added at a time */

/*
** The group that operations of the ring use which return strings, made when
** it is first needed; NULL where there can be none.
*/
Group *group_pool(Ring *r) {
  Group *g;
  int rc = -EEXIST;
  if (r->spare != NULL || r->no_spare)
    return r->spare;
  r->no_spare = true;
  g = group_new(POOL_ENTRIES, POOL_BUFFER, POOL_STEP);
  if (g == NULL)
    return NULL;
  g->pool = true;
  for (unsigned id = 65535; rc == -EEXIST && id > 65000; id--)
    rc = group_register(r, g, id, 0);
  if (rc == 0) {
    r->spare = g;
    for (unsigned id = 0; id < g->count; id++)
      group_add(g, id, g->size);
  }
  group_unref(g);
  return r->spare;
}
