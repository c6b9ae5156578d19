/* SPDX-License-Identifier: MIT
**
** register.c - the tables of a ring: buffers and descriptors.
**
** The kernel pins registered memory, so that it stays what it is even when
** it is unmapped; but memory that is given back to the C library is used
** again.  So the ring holds each block as long as it is in the table, and a
** buffer in it keeps its size (it is "busy").
**
** A tag is a number of 56 bits that comes as a completion (cqe.message) when
** the kernel is done with what was registered.
*/

#include <errno.h>
#include <stdlib.h>

#include "uring.h"

#define MAX_BUFFERS 16384  /* IORING_MAX_REG_BUFFERS */
#define MAX_FILES 1048576  /* IORING_MAX_FIXED_FILES */

/* io_uring_register(2) itself; 0, a number, or a negative errno. */
int reg_call(Ring *r, unsigned opcode, void *arg, unsigned n) {
  if (r->uring.ring_fd < 0)  /* closed by close_ring_fd */
    return io_uring_register((unsigned)r->uring.enter_ring_fd,
                             opcode | U_REGISTER_USE_REGISTERED_RING, arg, n);
  return io_uring_register((unsigned)r->uring.ring_fd, opcode, arg, n);
}

/* How many calls the running kernel has; 0 when it cannot say (before 6.18) */
static unsigned known_calls(void) {
  struct compat_query_opcodes answer;
  struct compat_query q;
  memset(&answer, 0, sizeof answer);
  memset(&q, 0, sizeof q);
  q.data = (uint64_t)(uintptr_t)&answer;
  q.size = sizeof answer;
  if (io_uring_register((unsigned)-1, U_REGISTER_QUERY, &q, 0) < 0 ||
      q.result < 0)
    return 0;
  return answer.register_opcodes;
}

/*
** true; or nil, message, errno for a negative result of a method, whose ring
** is its first argument [-0, +1 or 3, e].
*/
int reg_result(lua_State *L, int rc, const char *what, unsigned opcode) {
  const Ring *r;
  unsigned known;
  if (rc >= 0) {
    lua_pushboolean(L, 1);
    return 1;
  }
  if (rc == -EINVAL && (known = known_calls()) != 0 && opcode >= known) {
    luaL_pushfail(L);
    lua_pushfstring(L, "%s: operation not supported by this kernel", what);
    lua_pushinteger(L, EOPNOTSUPP);
    return 3;
  }
  r = luaL_testudata(L, 1, RING_TYPE);
  return r ? ident_fail(L, r, -rc, what) : err_fail(L, -rc, what, NULL);
}

/* The same with the number instead of true. */
static int count(lua_State *L, int rc, const char *what, unsigned opcode) {
  if (rc < 0)
    return reg_result(L, rc, what, opcode);
  lua_pushinteger(L, rc);
  return 1;
}

/* The length of the list at 'arg', from 1 to 'max' [e]. */
static unsigned list_length(lua_State *L, int arg, unsigned max) {
  lua_Unsigned n;
  luaL_checktype(L, arg, LUA_TTABLE);
  n = lua_rawlen(L, arg);
  luaL_argcheck(L, n >= 1, arg, "list is empty");
  luaL_argcheck(L, n <= max, arg, "list is too long");
  return (unsigned)n;
}

/* The tags at 'arg', pushed as an array; NULL for nil [-0, +1, e]. */
static uint64_t *tags(lua_State *L, int arg, unsigned n) {
  uint64_t *tag;
  if (lua_isnoneornil(L, arg)) {
    lua_pushnil(L);
    return NULL;
  }
  luaL_checktype(L, arg, LUA_TTABLE);
  luaL_argcheck(L, lua_rawlen(L, arg) == n, arg, "as many tags as things "
                "expected");
  tag = lua_newuserdatauv(L, n * sizeof *tag, 0);
  for (unsigned i = 0; i < n; i++) {
    lua_Integer t;
    lua_rawgeti(L, arg, i + 1);
    t = args_int(L, lua_gettop(L), MESSAGE_MIN, MESSAGE_MAX);
    tag[i] = t ? message_tag(t) : 0;  /* 0 is none */
    lua_pop(L, 1);
  }
  return tag;
}

/* ---- buffers ------------------------------------------------------------ */

/* Room for 'n' in the list of blocks; false without memory. */
static bool fixed_room(Ring *r, unsigned n) {
  Block **fixed;
  if (n <= r->nfixed)
    return true;
  fixed = realloc(r->fixed, n * sizeof *fixed);
  if (fixed == NULL)
    return false;
  memset(fixed + r->nfixed, 0, (n - r->nfixed) * sizeof *fixed);
  r->fixed = fixed;
  r->nfixed = n;
  return true;
}

static void fixed_set(Ring *r, unsigned i, Block *b) {
  if (b)
    block_hold(b);
  if (r->fixed[i])
    block_release(r->fixed[i]);
  r->fixed[i] = b;
}

/*
** The buffers at 'arg' as an array of iovec, pushed; false is a hole.  No
** Lua code runs after the first has been looked at [-0, +1, e].
*/
static struct iovec *buffers(lua_State *L, int arg, unsigned n) {
  struct iovec *iov = lua_newuserdatauv(L, n * sizeof *iov, 0);
  for (unsigned i = 0; i < n; i++) {
    Block *b = NULL;
    if (lua_rawgeti(L, arg, i + 1) != LUA_TBOOLEAN || lua_toboolean(L, -1)) {
      luaL_argcheck(L, buf_test(L, -1) != NULL, arg,
                    "list of buffers, or false, expected");
      b = buf_test(L, -1);
    }
    iov[i].iov_base = b ? b->data : NULL;
    iov[i].iov_len = b ? b->size : 0;
    lua_pop(L, 1);
  }
  return iov;
}

/* Hold the buffers at 'arg' from the place 'first' of the table on. */
static void hold_buffers(lua_State *L, Ring *r, int arg, unsigned first,
                         unsigned n) {
  for (unsigned i = 0; i < n; i++) {
    lua_rawgeti(L, arg, i + 1);
    fixed_set(r, first + i, buf_test(L, -1));
    lua_pop(L, 1);
  }
}

/* ring:register_buffers_tags(buffers, tags) -> true; 5.13 */
static int register_buffers(lua_State *L, const char *what) {
  Ring *r = ring_check(L, 1);
  unsigned n = list_length(L, 2, MAX_BUFFERS);
  struct io_uring_rsrc_register reg;
  int rc;
  memset(&reg, 0, sizeof reg);
  reg.nr = n;
  reg.tags = (uint64_t)(uintptr_t)tags(L, 3, n);
  reg.data = (uint64_t)(uintptr_t)buffers(L, 2, n);
  ring_usable(L, r);
  if (!fixed_room(r, n))
    return luaL_error(L, "not enough memory");
  rc = reg.tags ? reg_call(r, IORING_REGISTER_BUFFERS2, &reg, sizeof reg)
    : reg_call(r, IORING_REGISTER_BUFFERS, (void *)(uintptr_t)reg.data, n);
  if (rc >= 0)
    hold_buffers(L, r, 2, 0, n);
  return reg_result(L, rc, what, IORING_REGISTER_BUFFERS);
}

static int l_register_buffers_tags(lua_State *L) {
  ring_check(L, 1);
  luaL_checktype(L, 3, LUA_TTABLE);
  return register_buffers(L, "register_buffers_tags");
}

/* ring:register_buffers(buffers) -> true; false in the list is a hole */
static int l_register_buffers(lua_State *L) {
  lua_settop(L, 2);
  return register_buffers(L, "register_buffers");
}

/* ring:register_buffers_sparse(n) -> true; 5.19 */
static int l_register_buffers_sparse(lua_State *L) {
  Ring *r = ring_check(L, 1);
  struct io_uring_rsrc_register reg;
  memset(&reg, 0, sizeof reg);
  reg.nr = (unsigned)args_int(L, 2, 1, MAX_BUFFERS);
  reg.flags = IORING_RSRC_REGISTER_SPARSE;
  if (!fixed_room(r, reg.nr))
    return luaL_error(L, "not enough memory");
  return reg_result(L, reg_call(r, IORING_REGISTER_BUFFERS2, &reg,
                    sizeof reg), "register_buffers_sparse", 0);
}

/* ring:register_buffers_update_tag(first, buffers [, tags]) -> number */
static int l_register_buffers_update_tag(lua_State *L) {
  Ring *r = ring_check(L, 1);
  unsigned n = list_length(L, 3, MAX_BUFFERS);
  struct io_uring_rsrc_update2 reg;
  int rc;
  lua_settop(L, 4);
  memset(&reg, 0, sizeof reg);
  reg.offset = (unsigned)args_int(L, 2, 0, MAX_BUFFERS - 1);
  reg.nr = n;
  reg.tags = (uint64_t)(uintptr_t)tags(L, 4, n);
  reg.data = (uint64_t)(uintptr_t)buffers(L, 3, n);
  ring_usable(L, r);
  rc = reg_call(r, IORING_REGISTER_BUFFERS_UPDATE, &reg, sizeof reg);
  if (rc > 0)
    hold_buffers(L, r, 3, reg.offset, (unsigned)rc);
  return count(L, rc, "register_buffers_update_tag", 0);
}

/* ring:unregister_buffers() -> true */
static int l_unregister_buffers(lua_State *L) {
  Ring *r = ring_check(L, 1);
  int rc = reg_call(r, IORING_UNREGISTER_BUFFERS, NULL, 0);
  if (rc >= 0) {
    for (unsigned i = 0; i < r->nfixed; i++)
      fixed_set(r, i, NULL);
    r->nfixed = 0;
  }
  return reg_result(L, rc, "unregister_buffers", 0);
}

/*
** ring:clone_buffers(from [, first, from_first, n, flags]) -> true
** The other ring's buffers, or 'n' of them, in this ring's table; 6.12.  The
** arguments are those of __io_uring_clone_buffers_offset.
*/
static int l_clone_buffers(lua_State *L) {
  Ring *r = ring_check(L, 1), *from = ring_check(L, 2);
  struct compat_clone c;
  unsigned n;
  int rc;
  memset(&c, 0, sizeof c);
  c.dst_off = (unsigned)args_optint(L, 3, 0, 0, MAX_BUFFERS);
  c.src_off = (unsigned)args_optint(L, 4, 0, 0, MAX_BUFFERS);
  c.nr = (unsigned)args_optint(L, 5, 0, 0, MAX_BUFFERS);
  c.flags = (unsigned)args_optint(L, 6, 0, 0, MAX_U32) &
            ~(unsigned)U_CLONE_SRC_REGISTERED;
  c.src_fd = (unsigned)from->uring.ring_fd;
  if (from->uring.ring_fd < 0) {
    c.src_fd = (unsigned)from->uring.enter_ring_fd;
    c.flags |= U_CLONE_SRC_REGISTERED;
  }
  n = c.nr ? c.nr : from->nfixed - (c.src_off < from->nfixed ? c.src_off : 0);
  if (!fixed_room(r, c.dst_off + n))
    return luaL_error(L, "not enough memory");
  rc = reg_call(r, U_REGISTER_CLONE_BUFFERS, &c, 1);
  for (unsigned k = 0; rc >= 0 && k < n; k++) {
    unsigned i = c.src_off < c.dst_off ? n - 1 - k : k;  /* as memmove */
    if (c.src_off + i < from->nfixed)
      fixed_set(r, c.dst_off + i, from->fixed[c.src_off + i]);
  }
  return reg_result(L, rc, "clone_buffers", U_REGISTER_CLONE_BUFFERS);
}

/* ---- descriptors -------------------------------------------------------- */

/*
** The descriptors at 'arg' as an array, which stays on the stack, as does the
** list of their objects [e].
*/
static int *files(lua_State *L, int arg, Args *a) {
  memset(a, 0, offsetof(Args, name));
  list_length(L, arg, MAX_FILES);
  form_fds(L, arg, a);
  return (int *)(uintptr_t)a->temp;
}

/* ring:register_files_tags(list, tags) -> true; 5.13 */
static int register_files(lua_State *L, const char *what) {
  Ring *r = ring_check(L, 1);
  struct io_uring_rsrc_register reg;
  Args a;
  int *fds;
  memset(&reg, 0, sizeof reg);
  fds = files(L, 2, &a);
  reg.nr = a.count;
  reg.tags = (uint64_t)(uintptr_t)tags(L, 3, a.count);
  reg.data = (uint64_t)(uintptr_t)fds;
  form_settle_fds(L, &a);
  ring_usable(L, r);
  return reg_result(L, reg.tags
    ? reg_call(r, IORING_REGISTER_FILES2, &reg, sizeof reg)
    : reg_call(r, IORING_REGISTER_FILES, fds, a.count), what, 0);
}

static int l_register_files_tags(lua_State *L) {
  ring_check(L, 1);
  luaL_checktype(L, 3, LUA_TTABLE);
  return register_files(L, "register_files_tags");
}

/* ring:register_files(list) -> true; false or -1 in the list is a hole */
static int l_register_files(lua_State *L) {
  lua_settop(L, 2);
  lua_pushnil(L);
  return register_files(L, "register_files");
}

/*
** ring:register_files_sparse(n) -> true; 5.19
** Unlike liburing, this does not raise the limit of open files for it.
*/
static int l_register_files_sparse(lua_State *L) {
  Ring *r = ring_check(L, 1);
  struct io_uring_rsrc_register reg;
  memset(&reg, 0, sizeof reg);
  reg.nr = (unsigned)args_int(L, 2, 1, MAX_FILES);
  reg.flags = IORING_RSRC_REGISTER_SPARSE;
  return reg_result(L, reg_call(r, IORING_REGISTER_FILES2, &reg, sizeof reg),
                    "register_files_sparse", 0);
}

/* The objects of slots that have been filled anew, or emptied, are dead. */
static void replaced(Ring *r, unsigned first, const int *fds, unsigned n) {
  for (unsigned i = 0; i < n; i++) {
    if (fds[i] != IORING_REGISTER_FILES_SKIP)
      fd_replaced(r, first + i, 1);
    multi_slots(r, fds[i] == -1);
  }
}

/*
** ring:register_files_update_tag(first, list [, tags]) -> number
** ring:register_files_update(first, list), likewise
** In the list false or -1 empties a slot, IORING_REGISTER_FILES_SKIP leaves
** it as it is.
*/
static int l_register_files_update(lua_State *L) {
  Ring *r = ring_check(L, 1);
  struct io_uring_rsrc_update2 reg;
  Args a;
  int rc, *fds;
  lua_settop(L, 4);
  memset(&reg, 0, sizeof reg);
  reg.offset = (unsigned)args_int(L, 2, 0, MAX_FILES);
  fds = files(L, 3, &a);
  reg.nr = a.count;
  reg.tags = (uint64_t)(uintptr_t)tags(L, 4, a.count);
  reg.data = (uint64_t)(uintptr_t)fds;
  form_settle_fds(L, &a);
  ring_usable(L, r);
  rc = reg.tags ? reg_call(r, IORING_REGISTER_FILES_UPDATE2, &reg, sizeof reg)
                : reg_call(r, IORING_REGISTER_FILES_UPDATE, &reg, a.count);
  replaced(r, reg.offset, fds, fd_updated(fds, a.count, rc));
  return count(L, rc, "register_files_update", 0);
}

/* ring:unregister_files() -> true; its direct descriptors are closed */
static int l_unregister_files(lua_State *L) {
  Ring *r = ring_check(L, 1);
  int rc = reg_call(r, IORING_UNREGISTER_FILES, NULL, 0);
  if (rc >= 0) {
    fd_replaced(r, 0, UINT32_MAX);
    multi_slots(r, MAX_FILES);
  }
  return reg_result(L, rc, "unregister_files", 0);
}

/* ring:register_file_alloc_range(first, n) -> true; for any free slot; 6.0 */
static int l_register_file_alloc_range(lua_State *L) {
  Ring *r = ring_check(L, 1);
  struct io_uring_file_index_range range;
  memset(&range, 0, sizeof range);
  range.off = (unsigned)args_int(L, 2, 0, MAX_U32);
  range.len = (unsigned)args_int(L, 3, 0, MAX_U32);
  return reg_result(L, reg_call(r, IORING_REGISTER_FILE_ALLOC_RANGE, &range,
                    0), "register_file_alloc_range", 0);
}

static const luaL_Reg methods[] = {
  {"clone_buffers", l_clone_buffers},
  {"clone_buffers_offset", l_clone_buffers},
  {"register_buffers", l_register_buffers},
  {"register_buffers_sparse", l_register_buffers_sparse},
  {"register_buffers_tags", l_register_buffers_tags},
  {"register_buffers_update_tag", l_register_buffers_update_tag},
  {"register_file_alloc_range", l_register_file_alloc_range},
  {"register_files", l_register_files},
  {"register_files_sparse", l_register_files_sparse},
  {"register_files_tags", l_register_files_tags},
  {"register_files_update", l_register_files_update},
  {"register_files_update_tag", l_register_files_update},
  {"unregister_buffers", l_unregister_buffers},
  {"unregister_files", l_unregister_files},
  {NULL, NULL}
};

void register_open(lua_State *L, State *S) {
  unit_methods(L, S, RING_TYPE, methods);
}
