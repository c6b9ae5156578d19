/* SPDX-License-Identifier: MIT
**
** buf.c - memory for the kernel to read and write.
**
** A buffer object refers to a Block, and so does every operation that works
** on it.  The memory is freed with the last reference, whatever order Lua
** finalises things in.  A block with operations is busy: its bytes may be
** read and written, but it keeps its size and place.
**
** The second half is the pool of a ring: blocks that operations borrow
** which return strings.
*/

#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "uring.h"

#define CACHE_LINE 64u
#define PAGE 4096u
#define LARGE (32u << 20)  /* malloc maps that anew each time, at the least */

/*
** Large memory is mapped: it is zero without being touched, so that it takes
** no time, and no room before it is used.  NULL without.
*/
static void *map(size_t size) {
  void *data = mmap(NULL, size, PROT_READ | PROT_WRITE,
                    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  return data == MAP_FAILED ? NULL : data;
}

/*
** Memory that shares no page with others if it begins with one: madvise
** works on whole pages, and must not touch a neighbour.  NULL without.
*/
static void *allocate(size_t size, size_t align) {
  uintptr_t page = (uintptr_t)sysconf(_SC_PAGESIZE);
  size_t whole = (size + page - 1) & ~(page - 1);
  void *data = NULL;
  if (posix_memalign(&data, align, align >= page ? whole : size) != 0)
    return NULL;
  if (align < page && (uintptr_t)data % page == 0) {  /* by chance */
    free(data);
    if (posix_memalign(&data, align, whole) != 0)
      return NULL;
  }
  return data;
}

/*
** A block of zeros; NULL without memory.  From a page on it is page-aligned,
** as O_DIRECT and buffer rings want it.
*/
Block *block_new(size_t size, size_t align) {
  Block *b = malloc(sizeof *b);
  void *data;
  if (b == NULL)
    return NULL;
  if (align == 0)
    align = size >= PAGE ? PAGE : CACHE_LINE;
  b->mapped = size >= LARGE && align <= PAGE;
  data = b->mapped ? map(size) : allocate(size ? size : 1, align);
  if (data == NULL) {
    free(b);
    return NULL;
  }
  if (!b->mapped)
    memset(data, 0, size);
  b->refs = 1;
  b->busy = 0;
  b->size = size;
  b->data = data;
  b->group = NULL;
  return b;
}

void block_unref(Block *b) {
  if (--b->refs > 0)
    return;
  if (b->group)
    bufring_release(b);
  else if (b->mapped)
    munmap(b->data, b->size);
  else
    free(b->data);
  free(b);
}

/* A reference by an operation. */
Block *block_hold(Block *b) {
  b->refs++;
  b->busy++;
  return b;
}

void block_release(Block *b) {
  b->busy--;
  block_unref(b);
}

/* ---- pool --------------------------------------------------------------- */

#define HEAP_PIECE (4u << 20)

/*
** Have malloc keep memory for the strings that come and go.  glibc gives the
** end of its heap back as soon as 128 KiB of it are free, and then strings of
** 64 KiB find every page of theirs missing.  Having freed a larger piece that
** it had mapped it keeps twice as much, unless somebody has set its limits:
** mallopt(3), M_MMAP_THRESHOLD.  Others take no notice.
*/
void pool_prime(void) {
  void *volatile piece = malloc(HEAP_PIECE);
  free(piece);
}

static const size_t class_size[POOL_CLASSES] = {512, 4096, 16384, 65536};

/* The least class that holds 'size' bytes; POOL_CLASSES when none does. */
static unsigned class_of(size_t size) {
  unsigned c = 0;
  while (c < POOL_CLASSES && class_size[c] < size)
    c++;
  return c;
}

/* A block of at least 'size' bytes, contents any; NULL without memory. */
Block *pool_take(Pool *p, size_t size) {
  unsigned c = class_of(size);
  Block *b = c < POOL_CLASSES ? p->spare[c] : NULL;
  if (b != NULL) {
    p->spare[c] = b->next;
    p->bytes -= b->size;
  }
  else
    b = block_new(c < POOL_CLASSES ? class_size[c] : size, 0);
  p->lent += b != NULL;
  return b;
}

/* Give a block back whose only reference is the caller's. */
void pool_put(Pool *p, Block *b) {
  unsigned c = class_of(b->size);
  p->lent--;
  if (c == POOL_CLASSES || p->bytes + b->size > POOL_BYTES) {
    block_unref(b);
    return;
  }
  b->next = p->spare[c];
  p->spare[c] = b;
  p->bytes += b->size;
}

void pool_free(Pool *p) {
  for (unsigned c = 0; c < POOL_CLASSES; c++) {
    Block *b;
    while ((b = p->spare[c]) != NULL) {
      p->spare[c] = b->next;
      block_unref(b);
    }
  }
  p->bytes = 0;
}

/* ---- the object ------------------------------------------------------- */

static Block **box_check(lua_State *L, int arg) {
  return luaL_checkudata(L, arg, BUFFER_TYPE);
}

/* The block of the buffer at 'arg' [e]. */
Block *buf_check(lua_State *L, int arg) {
  Block *b = *box_check(L, arg);
  luaL_argcheck(L, b != NULL, arg, "buffer was freed");
  return b;
}

/* The block of the buffer at 'arg'; NULL when it is something else. */
Block *buf_test(lua_State *L, int arg) {
  const State *S = state_get(L);  /* none in a function without upvalues */
  Block **box = S ? unit_test(L, arg, S->buffer_meta)
                  : luaL_testudata(L, arg, BUFFER_TYPE);
  return box ? *box : NULL;
}

/*
** Push a buffer without memory, which is to get some of a buffer ring's
** [-0, +1, e].
*/
void buf_push(lua_State *L) {
  Block **box = lua_newuserdatauv(L, sizeof *box, 0);
  *box = NULL;
  luaL_setmetatable(L, BUFFER_TYPE);
  *box = calloc(1, sizeof **box);
  if (*box == NULL)
    luaL_error(L, "not enough memory");
  (*box)->refs = 1;
}

static size_t check_align(lua_State *L, int arg) {
  lua_Integer align = args_optint(L, arg, 0, 0, 1 << 21);
  luaL_argcheck(L, (align & (align - 1)) == 0 &&
    (align == 0 || align >= (lua_Integer)sizeof(void *)), arg,
    "alignment is a power of two, at least the size of a pointer");
  return (size_t)align;
}

/*
** core.buffer(size | string [, align]) -> buffer
** size in bytes, up to 1 TiB; align in bytes.
*/
static int l_buf_new(lua_State *L) {
  size_t size, align = check_align(L, 2);
  const char *init = NULL;
  Block **box, *b;
  if (lua_type(L, 1) == LUA_TSTRING)
    init = lua_tolstring(L, 1, &size);
  else
    size = (size_t)args_int(L, 1, 0, INT64_C(1) << 40);
  box = lua_newuserdatauv(L, sizeof *box, 0);
  *box = NULL;
  luaL_setmetatable(L, BUFFER_TYPE);
  b = *box = block_new(size, align);
  if (b == NULL)
    return luaL_error(L, "not enough memory");
  if (init)
    memcpy(b->data, init, size);
  return 1;
}

static int l_buf_gc(lua_State *L) {
  Block **box = box_check(L, 1), *b = *box;
  *box = NULL;
  if (b)
    block_unref(b);
  return 0;
}

/*
** buffer:release() -> nothing
** The object has no memory from now on.  It is freed, or goes back to its
** buffer ring, when no operation uses it any more.
*/
static int l_buf_release(lua_State *L) { return l_buf_gc(L); }

static int l_buf_len(lua_State *L) {
  lua_pushinteger(L, (lua_Integer)buf_check(L, 1)->size);
  return 1;
}

static int l_buf_tostring(lua_State *L) {
  Block *b = *box_check(L, 1);
  if (b == NULL)
    lua_pushliteral(L, BUFFER_TYPE " (freed)");
  else
    lua_pushfstring(L, BUFFER_TYPE " (%I bytes)", (LUAI_UACINT)b->size);
  return 1;
}

/*
** Read a range as string.sub does: from 'i' (default 1) to 'j' (default
** 'last'), negative from the end, clipped.  Sets *from; returns its length.
*/
static size_t range(lua_State *L, int arg, size_t size, lua_Integer last,
                    size_t *from) {
  lua_Integer n = (lua_Integer)size;
  lua_Integer i = luaL_optinteger(L, arg, 1);
  lua_Integer j = luaL_optinteger(L, arg + 1, last);
  if (i < 0)
    i = (i < -n) ? 1 : n + i + 1;
  else if (i == 0)
    i = 1;
  if (j < 0)
    j = (j < -n) ? 0 : n + j + 1;
  else if (j > n)
    j = n;
  *from = (size_t)i - 1;
  return (i > j) ? 0 : (size_t)(j - i + 1);
}

/* buffer:string([i [, j]]) -> string */
static int l_buf_string(lua_State *L) {
  Block *b = buf_check(L, 1);
  size_t from, len = range(L, 2, b->size, -1, &from);
  lua_pushlstring(L, len ? b->data + from : "", len);
  return 1;
}

/* buffer:byte([i [, j]]) -> integers */
static int l_buf_byte(lua_State *L) {
  Block *b = buf_check(L, 1);
  lua_Integer i = luaL_optinteger(L, 2, 1);
  size_t from, len = range(L, 2, b->size, i, &from);
  if (len > 1000000)
    return luaL_error(L, "too many bytes");
  luaL_checkstack(L, (int)len, "too many bytes");
  for (size_t k = 0; k < len; k++)
    lua_pushinteger(L, (unsigned char)b->data[from + k]);
  return (int)len;
}

/* buffer:set(string [, i]) -> buffer; the string must fit from byte i on */
static int l_buf_set(lua_State *L) {
  Block *b = buf_check(L, 1);
  size_t len;
  const char *s;
  lua_Integer i;
  luaL_checktype(L, 2, LUA_TSTRING);
  s = lua_tolstring(L, 2, &len);
  i = args_optint(L, 3, 1, 1, (lua_Integer)b->size + 1);
  luaL_argcheck(L, len <= b->size - (size_t)(i - 1), 2,
                "string does not fit into the buffer");
  memcpy(b->data + i - 1, s, len);
  lua_settop(L, 1);
  return 1;
}

/* buffer:fill(byte [, i [, j]]) -> buffer */
static int l_buf_fill(lua_State *L) {
  Block *b = buf_check(L, 1);
  int byte = (int)args_int(L, 2, 0, 255);
  size_t from, len = range(L, 3, b->size, -1, &from);
  if (len > 0)
    memset(b->data + from, byte, len);
  lua_settop(L, 1);
  return 1;
}

/*
** buffer:resize(size) -> buffer; keeps the bytes, new ones are 0.  Raises
** while an operation uses the buffer.
*/
static int l_buf_resize(lua_State *L) {
  Block **box = box_check(L, 1), *b = buf_check(L, 1), *new;
  size_t size = (size_t)args_int(L, 2, 0, INT64_C(1) << 40), keep;
  if (b->busy)
    return luaL_error(L, "buffer is in use by %d operation%s", b->busy,
                      b->busy == 1 ? "" : "s");
  new = block_new(size, 0);
  if (new == NULL)
    return luaL_error(L, "not enough memory");
  keep = size < b->size ? size : b->size;
  memcpy(new->data, b->data, keep);
  *box = new;
  block_unref(b);
  lua_settop(L, 1);
  return 1;
}

/* buffer:busy() -> number of operations that use it */
static int l_buf_busy(lua_State *L) {
  lua_pushinteger(L, buf_check(L, 1)->busy);
  return 1;
}

static const luaL_Reg methods[] = {
  {"string", l_buf_string},
  {"byte", l_buf_byte},
  {"set", l_buf_set},
  {"fill", l_buf_fill},
  {"resize", l_buf_resize},
  {"busy", l_buf_busy},
  {"release", l_buf_release},
  {NULL, NULL}
};

static const luaL_Reg meta[] = {
  {"__close", l_buf_release},
  {"__gc", l_buf_gc},
  {"__len", l_buf_len},
  {"__tostring", l_buf_tostring},
  {NULL, NULL}
};

void buf_open(lua_State *L, State *S) {
  S->buffer_meta = unit_type(L, S, BUFFER_TYPE, methods, meta);
  lua_pushcfunction(L, l_buf_new);
  lua_setfield(L, -2, "buffer");
}
