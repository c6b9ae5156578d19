/* SPDX-License-Identifier: MIT
**
** recvmsg.c - messages that came, for Lua: the data, and a table
**
**   {name =, flags =, truncated =, control_truncated =,
**    control = {{type = "rights", fds = {...}},
**               {type = "credentials", pid =, uid =, gid =},
**               {type = "timestamp", time = seconds},
**               {type = "timestamping", software =, hardware =},
**               {level =, type = integer, data = string}}}
**
** Descriptors that came are Fd objects; if nobody takes the result they are
** closed.  The raw layer gets their numbers.
*/

#include <sys/time.h>
#include <time.h>
#include <unistd.h>

#include "uring.h"

/* Where the parts of a received message are. */
typedef struct Got {
  const void *name, *control;
  size_t namelen, controllen, len;
  unsigned flags;
  const char *data;    /* NULL when it is in the script's own buffers */
} Got;

/* Of a multishot: all of it is in one provided buffer. */
static bool parse_buffer(const Op *op, int res, unsigned flags, Got *g) {
  const Message *m = op->message;
  struct io_uring_recvmsg_out out;
  size_t name = m->hdr.msg_namelen, control = m->room;
  size_t head = sizeof out + name + control;
  const char *p;
  if (!(flags & IORING_CQE_F_BUFFER) || res < 0 || (size_t)res < head)
    return false;
  p = group_data(op->group, flags >> IORING_CQE_BUFFER_SHIFT) + op->at;
  memcpy(&out, p, sizeof out);
  g->name = p + sizeof out;
  g->namelen = out.namelen < name ? out.namelen : name;
  g->control = p + sizeof out + name;
  g->controllen = out.controllen < control ? out.controllen : control;
  g->flags = out.flags;
  g->data = p + head;
  g->len = (size_t)res - head;
  return true;
}

/* False when there is nothing to be found. */
static bool parse(const Op *op, int res, unsigned flags, Got *g) {
  const Message *m = op->message;
  memset(g, 0, sizeof *g);
  if (res < 0)
    return false;
  if (op->group)
    return parse_buffer(op, res, flags, g);
  g->name = &m->peer.sa;
  g->namelen = m->hdr.msg_name ? m->hdr.msg_namelen : 0;
  if (g->namelen > sizeof m->peer.sa)
    g->namelen = sizeof m->peer.sa;
  g->control = m->hdr.msg_control;
  g->controllen = m->hdr.msg_controllen < m->room ? m->hdr.msg_controllen
                                                  : m->room;
  g->flags = (unsigned)m->hdr.msg_flags;
  g->data = op->pooled ? op->block->data : NULL;
  g->len = (size_t)res;
  return true;
}

/* How much data came. */
size_t msg_length(const Op *op, int res, unsigned flags) {
  Got g;
  return parse(op, res, flags, &g) ? g.len : 0;
}

/* A control message. */
typedef struct Control {
  int level, type;
  const char *data;
  size_t len;
} Control;

/* The one at *at, which is moved behind it; false at the end. */
static bool next_control(const Got *g, size_t *at, Control *c) {
  struct cmsghdr h;
  size_t len;
  if (g->controllen < sizeof h || *at > g->controllen - sizeof h)
    return false;
  memcpy(&h, (const char *)g->control + *at, sizeof h);
  len = (size_t)h.cmsg_len;
  if (len < CMSG_LEN(0) || len > g->controllen - *at)
    return false;
  c->level = h.cmsg_level;
  c->type = h.cmsg_type;
  c->data = (const char *)g->control + *at + CMSG_LEN(0);
  c->len = len - CMSG_LEN(0);
  *at += CMSG_ALIGN(len);
  return true;
}

static bool is_rights(const Control *c) {
  return c->level == SOL_SOCKET && c->type == SCM_RIGHTS;
}

/* Close the descriptors that came and nobody took. */
void msg_dispose(const Op *op, int res, unsigned flags) {
  Got g;
  Control c;
  size_t at = 0;
  if (!parse(op, res, flags, &g))
    return;
  while (next_control(&g, &at, &c))
    for (size_t i = 0; is_rights(&c) && i < c.len / sizeof(int); i++) {
      int fd;
      memcpy(&fd, c.data + i * sizeof fd, sizeof fd);
      close(fd);
    }
}

static void set(lua_State *L, const char *name, lua_Integer value) {
  lua_pushinteger(L, value);
  lua_setfield(L, -2, name);
}

static void set_type(lua_State *L, const char *type) {
  lua_pushstring(L, type);
  lua_setfield(L, -2, "type");
}

static void set_time(lua_State *L, const char *name, const char *data) {
  struct timespec ts;
  memcpy(&ts, data, sizeof ts);
  lua_pushnumber(L, (lua_Number)ts.tv_sec + (lua_Number)ts.tv_nsec / 1e9);
  lua_setfield(L, -2, name);
}

/* Fill the table on the top from a control message other than rights. */
static void push_other(lua_State *L, const Control *c) {
  if (c->level == SOL_SOCKET && c->type == SCM_CREDENTIALS &&
      c->len == sizeof(struct ucred)) {
    struct ucred u;
    memcpy(&u, c->data, sizeof u);
    set_type(L, "credentials");
    set(L, "pid", u.pid);
    set(L, "uid", u.uid);
    set(L, "gid", u.gid);
  }
  else if (c->level == SOL_SOCKET && c->type == SCM_TIMESTAMPNS &&
           c->len == sizeof(struct timespec)) {
    set_type(L, "timestamp");
    set_time(L, "time", c->data);
  }
  else if (c->level == SOL_SOCKET && c->type == SCM_TIMESTAMP &&
           c->len == sizeof(struct timeval)) {
    struct timeval tv;
    memcpy(&tv, c->data, sizeof tv);
    set_type(L, "timestamp");
    lua_pushnumber(L, (lua_Number)tv.tv_sec + (lua_Number)tv.tv_usec / 1e6);
    lua_setfield(L, -2, "time");
  }
  else if (c->level == SOL_SOCKET && c->type == SCM_TIMESTAMPING &&
           c->len == 3 * sizeof(struct timespec)) {
    set_type(L, "timestamping");
    set_time(L, "software", c->data);
    set_time(L, "hardware", c->data + 2 * sizeof(struct timespec));
  }
  else {
    set(L, "level", c->level);
    set(L, "type", c->type);
    lua_pushlstring(L, c->data, c->len);
    lua_setfield(L, -2, "data");
  }
}

/*
** Fill the table on the top with descriptors: numbers, or (with 'S') objects
** that do not own theirs yet.  Returns how many.
*/
static size_t push_rights(lua_State *L, State *S, const Control *c) {
  size_t n = c->len / sizeof(int);
  set_type(L, "rights");
  lua_createtable(L, (int)n, 0);
  for (size_t i = 0; i < n; i++) {
    int fd;
    memcpy(&fd, c->data + i * sizeof fd, sizeof fd);
    if (S)
      fd_push(L, S, -1);
    else
      lua_pushinteger(L, fd);
    lua_rawseti(L, -2, (lua_Integer)i + 1);
  }
  lua_setfield(L, -2, "fds");
  return n;
}

/* Push the list of control messages [-0, +1, e]. */
static void push_control(lua_State *L, State *S, const Got *g) {
  Control c;
  size_t at = 0;
  lua_Integer n = 0;
  lua_newtable(L);
  while (next_control(g, &at, &c)) {
    lua_createtable(L, 0, 4);
    if (is_rights(&c))
      push_rights(L, S, &c);
    else
      push_other(L, &c);
    lua_rawseti(L, -2, ++n);
  }
}

/* Give the objects in the list of control messages on the top theirs. */
static void own_rights(lua_State *L, State *S, const Got *g) {
  Control c;
  size_t at = 0;
  for (lua_Integer n = 1; next_control(g, &at, &c); n++) {
    if (!is_rights(&c))
      continue;
    lua_rawgeti(L, -1, n);
    lua_pushliteral(L, "fds");
    lua_rawget(L, -2);
    for (size_t i = 0; i < c.len / sizeof(int); i++) {
      int fd;
      memcpy(&fd, c.data + i * sizeof fd, sizeof fd);
      lua_rawgeti(L, -1, (lua_Integer)i + 1);
      fd_own(L, S, fd_test(L, lua_gettop(L)), fd);
      lua_pop(L, 1);
    }
    lua_pop(L, 2);
  }
}

/* Push the table of what came beside the data [-0, +1, e]. */
static void push_table(lua_State *L, State *S, const Got *g) {
  lua_createtable(L, 0, 5);
  if (g->namelen > 0) {
    addr_push(L, g->name, (socklen_t)g->namelen);
    lua_setfield(L, -2, "name");
  }
  set(L, "flags", g->flags);
  lua_pushboolean(L, (g->flags & MSG_TRUNC) != 0);
  lua_setfield(L, -2, "truncated");
  lua_pushboolean(L, (g->flags & MSG_CTRUNC) != 0);
  lua_setfield(L, -2, "control_truncated");
  push_control(L, S, g);
  lua_pushvalue(L, -1);
  lua_setfield(L, -3, "control");
}

/*
** Push the data, or how much of it is in the script's buffers, and the table
** of what came with it; the descriptors in it have owners then [-0, +2, e].
*/
int msg_push(lua_State *L, State *S, Op *op) {
  Got g;
  luaL_checkstack(L, 12, NULL);
  if (!parse(op, op->res, op->flags, &g)) {
    lua_pushliteral(L, "");
    lua_newtable(L);
    return 2;
  }
  if (g.data)
    lua_pushlstring(L, g.data, g.len < (size_t)op->res ? g.len
                                                       : (size_t)op->res);
  else
    lua_pushinteger(L, op->res);
  push_table(L, S, &g);
  own_rights(L, S, &g);
  op->state |= OP_TAKEN;
  lua_pop(L, 1);
  result_return(op, op->at, op->res, op->flags);
  return 2;
}

/*
** For the raw layer: push the table alone, with numbers for descriptors, and
** with the data if that is not in the script's own buffers.
** From a copy: making a table may run a finaliser that closes the ring.
*/
void msg_value(lua_State *L, const Op *op, int res) {
  const Ring *r = op->ring;
  Got g;
  struct sockaddr_storage name;
  char *control;
  if (op->group || !parse(op, res, 0, &g)) {
    lua_pushnil(L);
    return;
  }
  control = lua_newuserdatauv(L, g.controllen + 1, 0);
  if (!r->open) {
    lua_pushnil(L);
    lua_replace(L, -2);
    return;
  }
  if (g.data)
    lua_pushlstring(L, g.data, g.len);
  else
    lua_pushnil(L);
  if (!r->open) {
    lua_remove(L, -2);
    return;
  }
  if (g.controllen > 0)
    memcpy(control, g.control, g.controllen);
  memcpy(&name, g.name, sizeof name);
  g.control = control;
  g.name = &name;
  luaL_checkstack(L, 12, NULL);
  push_table(L, NULL, &g);
  lua_pop(L, 1);
  lua_insert(L, -2);
  lua_setfield(L, -2, "data");
  lua_replace(L, -2);
}
