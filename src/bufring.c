/* SPDX-License-Identifier: MIT
**
** bufring.c - provided buffer rings, for Lua.
**
** An operation that is given such a ring instead of a buffer takes memory
** only when its data is there.  op.recv and its like then return a buffer
** object that is borrowed: its release, or collection, gives the memory
** back to the ring.  In the raw layer a completion names the buffer
** (cqe.buffer_id), which is the script's until it calls recycle.
**
** The rules of who has which buffer are in group.c.
*/

#include "uring.h"

#define MAX_ENTRIES 32768

static Group *check(lua_State *L, int arg) {
  Group *g = *(Group **)luaL_checkudata(L, arg, BUFRING_TYPE);
  luaL_argcheck(L, g != NULL && g->ring != NULL, arg, "buffer ring is closed");
  return g;
}

/* The group of the buffer ring at 'arg', or NULL; raises for a closed one. */
Group *bufring_test(lua_State *L, int arg) {
  return luaL_testudata(L, arg, BUFRING_TYPE) ? check(L, arg) : NULL;
}

/* The same, which must be of the ring. */
Group *bufring_arg(lua_State *L, int arg, const Ring *r) {
  Group *g = bufring_test(L, arg);
  if (g != NULL)
    luaL_argcheck(L, g->ring == r, arg, "buffer ring of another ring");
  return g;
}

/*
** With MSG_TRUNC a result may be more than what came.  Where an operation may
** have a part of a buffer, or several, nobody would know which [e].
*/
void bufring_check(lua_State *L, const Group *g, unsigned ioprio,
                   unsigned flags) {
  if ((flags & MSG_TRUNC) && ((g && g->incremental) ||
                              (ioprio & U_RECVSEND_BUNDLE)))
    luaL_error(L, "MSG_TRUNC does not go with buffers that are filled in "
                  "pieces, nor with bundles");
}

static unsigned entries_arg(lua_State *L, int arg) {
  unsigned n = (unsigned)args_int(L, arg, 1, MAX_ENTRIES);
  luaL_argcheck(L, (n & (n - 1)) == 0, arg, "not a power of two");
  return n;
}

/*
** ring:setup_buf_ring(entries, group [, flags [, size [, outgoing]]])
** -> buffer ring | nil, message, errno
** entries: a power of two up to 32768; size: bytes of each buffer, 4096.
** All buffers are the kernel's at once, to receive into; in an outgoing ring
** none is: push puts data into it, for send_bundle.
*/
static int l_setup(lua_State *L) {
  Ring *r = ring_check(L, 1);
  unsigned n = entries_arg(L, 2), id = (unsigned)args_int(L, 3, 0, 65535);
  unsigned flags = (unsigned)args_optint(L, 4, 0, 0, UINT16_MAX);
  unsigned size = (unsigned)args_optint(L, 5, 4096, 1, INT32_MAX);
  bool outgoing = lua_toboolean(L, 6);
  Group **box;
  int rc;
  luaL_argcheck(L, !(flags & U_PBUF_RING_MMAP), 4, "IOU_PBUF_RING_MMAP: the "
    "memory is the kernel's then, and is gone with its ring");
  box = lua_newuserdatauv(L, sizeof *box, 1);
  *box = NULL;
  luaL_setmetatable(L, BUFRING_TYPE);
  lua_pushvalue(L, 1);
  lua_setiuservalue(L, -2, 1);
  ring_usable(L, r);
  *box = group_new(n, size, n);
  if (*box == NULL)
    return luaL_error(L, "not enough memory");
  (*box)->outgoing = outgoing;
  rc = group_register(r, *box, id, flags);
  if (rc < 0)
    return reg_result(L, rc, "setup_buf_ring", IORING_REGISTER_PBUF_RING);
  for (unsigned i = 0; i < n; i++) {
    (*box)->pieces[i].size = size;
    if (!outgoing)
      group_add(*box, i, size);
  }
  return 1;
}

/* Unregister 'g': true, or nil, message, errno. */
static int unregister(lua_State *L, Group *g, const char *what) {
  return reg_result(L, group_unregister(g), what,
                    IORING_UNREGISTER_PBUF_RING);
}

/* ring:unregister_buf_ring(group) -> true | nil, message, errno */
static int l_unregister(lua_State *L) {
  Ring *r = ring_check(L, 1);
  Group *g = group_find(r, (unsigned)args_int(L, 2, 0, 65535));
  luaL_argcheck(L, g != NULL && !g->pool, 2, "no buffer ring of that number");
  return unregister(L, g, "unregister_buf_ring");
}

/*
** bufring:close() -> true; the kernel takes no more buffers of it.  Those
** that are borrowed stay what they are.
*/
static int l_close(lua_State *L) {
  Group *g = *(Group **)luaL_checkudata(L, 1, BUFRING_TYPE);
  if (g != NULL && g->ring != NULL && g->ring->fork_count == fork_count)
    return unregister(L, g, "free_buf_ring");
  lua_pushboolean(L, 1);
  return 1;
}

/* The kernel may know the ring still: it has a reference of its own. */
static int l_gc(lua_State *L) {
  Group **box = luaL_checkudata(L, 1, BUFRING_TYPE), *g = *box;
  *box = NULL;
  group_unref(g);
  return 0;
}

/* ---- buffers by number -------------------------------------------------- */

/* What a completion has: where, and how much. */
typedef struct Range {
  unsigned id, at, len;
} Range;

/* Has the script so much of the group from there on [e]? */
static void check_range(lua_State *L, const Group *g, Range r) {
  for (unsigned i = 0; i < g->count; i++) {
    const Piece *p = &g->pieces[r.id];
    if (p->shares <= p->lent || r.at > p->used)
      break;
    if (r.len <= p->used - r.at)
      return;
    r.len -= p->used - r.at;
    r.id = p->next;
    r.at = 0;
  }
  luaL_argerror(L, 2, lua_pushfstring(L, "buffer %d is not the script's",
                                      (int)r.id));
}

/*
** A completion, or the number of a buffer, how many bytes it has (all of
** them), and from where on (0) [e].
*/
static Range range_arg(lua_State *L, Group *g) {
  Range r = {0, 0, 0};
  if (cqe_range(L, 2, &r.id, &r.at, &r.len))
    luaL_argcheck(L, r.id < g->count, 2, "buffer of another ring");
  else {
    const Piece *p;
    r.id = (unsigned)args_int(L, 2, 0, (lua_Integer)g->count - 1);
    p = &g->pieces[r.id];
    r.at = (unsigned)args_optint(L, 4, 0, 0, p->used);
    r.len = (unsigned)args_optint(L, 3, p->used - r.at, 0, INT32_MAX);
  }
  check_range(L, g, r);
  return r;
}

/*
** Room to put the bytes of a completion together, pushed; NULL, and nothing is
** pushed, when they are in one piece.  May run a finaliser [-0, +0..1, e].
*/
char *bufring_room(lua_State *L, const Group *g, unsigned id, unsigned at,
                   unsigned len) {
  return len <= g->pieces[id].size - at ? NULL : lua_newuserdatauv(L, len, 0);
}

static void add_text(Group *g, unsigned id, const char *data, unsigned n,
                     void *arg) {
  char **to = arg;
  (void)g;
  (void)id;
  memcpy(*to, data, n);
  *to += n;
}

/*
** Push the bytes of a completion; they stay with it.  'room' is what
** bufring_room has pushed; they are copied before any finaliser runs
** [-0..1, +1, e].
*/
void bufring_string(lua_State *L, Group *g, unsigned id, unsigned at,
                    unsigned len, char *room) {
  char *to = room;
  if (room == NULL) {
    lua_pushlstring(L, group_data(g, id) + at, len);
    return;
  }
  group_each(g, id, at, len, add_text, &to);
  lua_pushlstring(L, room, len);
  lua_remove(L, -2);
}

/* bufring:string(cqe | id [, n [, at]]) -> string; a copy */
static int l_string(lua_State *L) {
  Group *g = check(L, 1);
  Range r = range_arg(L, g);
  char *room = bufring_room(L, g, r.id, r.at, r.len);
  check_range(L, g, r);
  bufring_string(L, g, r.id, r.at, r.len, room);
  return 1;
}

/*
** bufring:recycle(cqe | id [, n [, at]]) -> bufring
** The buffers of a completion are the kernel's again.
*/
static int l_recycle(lua_State *L) {
  Group *g = check(L, 1);
  Range r = range_arg(L, g);
  group_return(g, r.id, r.at, r.len);
  lua_settop(L, 1);
  return 1;
}

static void count_part(Group *g, unsigned id, const char *data, unsigned n,
                       void *arg) {
  (void)g;
  (void)id;
  (void)data;
  (void)n;
  ++*(int *)arg;
}

/* Objects that wait on the stack for what they are to borrow. */
typedef struct Lending {
  lua_State *L;
  int next;
} Lending;

static void lend_part(Group *g, unsigned id, const char *data, unsigned n,
                      void *arg) {
  Lending *l = arg;
  Block *b = *(Block **)lua_touserdata(l->L, l->next++);
  b->data = (char *)(uintptr_t)data;
  b->size = n;
  b->group = g;
  b->id = (uint16_t)id;
  g->refs++;
  g->pieces[id].lent++;
}

/* In how many buffers a completion is. */
static int count_parts(Group *g, unsigned id, unsigned at, unsigned len) {
  int n = 0;
  group_each(g, id, at, len, count_part, &n);
  return n;
}

/*
** Push a buffer without memory for each part of a completion [-0, +n, e].
** Returns n.
*/
int bufring_reserve(lua_State *L, Group *g, unsigned id, unsigned at,
                    unsigned len) {
  int n = count_parts(g, id, at, len);
  luaL_checkstack(L, n + 4, "too many buffers");
  for (int i = 0; i < n; i++)
    buf_push(L);
  return n;
}

/* The 'n' buffers on the top borrow the parts: they have the shares now. */
void bufring_lend(lua_State *L, Group *g, unsigned id, unsigned at,
                  unsigned len, int n) {
  Lending l = {L, lua_gettop(L) - n + 1};
  group_each(g, id, at, len, lend_part, &l);
}

/* A borrowed block is not used any more. */
void bufring_release(Block *b) {
  Group *g = b->group;
  g->pieces[b->id].lent--;
  group_unshare(g, b->id);
  group_unref(g);
}

/*
** bufring:buffer(cqe | id [, n [, at]]) -> buffer ...
** A buffer object for each part; it goes back when it is released.
*/
static int l_buffer(lua_State *L) {
  Group *g = check(L, 1);
  Range r = range_arg(L, g);
  int n;
  lua_settop(L, 2);
  n = bufring_reserve(L, g, r.id, r.at, r.len);
  check(L, 1);         /* a finaliser may have ended it, or given them back */
  check_range(L, g, r);
  luaL_argcheck(L, count_parts(g, r.id, r.at, r.len) == n, 2,
                "the completion's buffers were given back meanwhile");
  bufring_lend(L, g, r.id, r.at, r.len, n);
  return n;
}

/*
** bufring:push(string [, string ...]) -> bufring | nil, message, ENOBUFS
** Puts data into free buffers of an outgoing ring, for the kernel to send.
*/
static int l_push(lua_State *L) {
  Group *g = check(L, 1);
  unsigned free = 0, id = 0;
  int n = lua_gettop(L);
  luaL_argcheck(L, g->outgoing, 1, "not an outgoing buffer ring");
  for (int i = 2; i <= n; i++) {
    luaL_checktype(L, i, LUA_TSTRING);
    luaL_argcheck(L, lua_rawlen(L, i) <= g->size && lua_rawlen(L, i) > 0, i,
                  "string must fit into one buffer, and not be empty");
  }
  for (unsigned i = 0; i < g->count; i++)
    free += g->pieces[i].state == PIECE_FREE;
  if (free < (unsigned)n - 1)
    return err_fail(L, ENOBUFS, "push", NULL);
  for (int i = 2; i <= n; i++, id++) {
    size_t len;
    const char *s = lua_tolstring(L, i, &len);
    while (g->pieces[id].state != PIECE_FREE)
      id++;
    memcpy(group_data(g, id), s, len);
    group_add(g, id, (unsigned)len);
  }
  lua_settop(L, 1);
  return 1;
}

/* ---- asking ------------------------------------------------------------- */

/* bufring:available() -> number of buffers that the kernel has */
static int l_available(lua_State *L) {
  lua_pushinteger(L, check(L, 1)->in);
  return 1;
}

/* bufring:group() -> number, for sqe:set_buf_group */
static int l_group(lua_State *L) {
  lua_pushinteger(L, check(L, 1)->id);
  return 1;
}

/* bufring:size() -> bytes of each buffer */
static int l_size(lua_State *L) {
  lua_pushinteger(L, check(L, 1)->size);
  return 1;
}

static int l_len(lua_State *L) {
  lua_pushinteger(L, check(L, 1)->entries);
  return 1;
}

static int l_tostring(lua_State *L) {
  Group *g = *(Group **)luaL_checkudata(L, 1, BUFRING_TYPE);
  if (g == NULL || g->ring == NULL)
    lua_pushliteral(L, BUFRING_TYPE " (closed)");
  else
    lua_pushfstring(L, BUFRING_TYPE " (group %d, %d of %d buffers with the "
                    "kernel)", (int)g->id, (int)g->in, (int)g->entries);
  return 1;
}

static const luaL_Reg methods[] = {
  {"available", l_available},
  {"buffer", l_buffer},
  {"close", l_close},
  {"group", l_group},
  {"push", l_push},
  {"recycle", l_recycle},
  {"size", l_size},
  {"string", l_string},
  {NULL, NULL}
};

static const luaL_Reg meta[] = {
  {"__close", l_close},
  {"__gc", l_gc},
  {"__len", l_len},
  {"__tostring", l_tostring},
  {NULL, NULL}
};

static const luaL_Reg ring_methods[] = {
  {"free_buf_ring", l_unregister},
  {"register_buf_ring", l_setup},
  {"setup_buf_ring", l_setup},
  {"unregister_buf_ring", l_unregister},
  {NULL, NULL}
};

void bufring_open(lua_State *L, State *S) {
  unit_type(L, S, BUFRING_TYPE, methods, meta);
  unit_methods(L, S, RING_TYPE, ring_methods);
}
