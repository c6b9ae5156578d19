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
** Descriptors that came are Fd objects, which the collector closes at last;
** if nobody takes the result they are closed, too.  In the raw layer the
** table is the value of the completion, and has the data as a field.
*/

#include <sys/time.h>
#include <time.h>
#include <unistd.h>

#include "uring.h"

/* Where the parts of a received message are. */
typedef struct Got {
  struct sockaddr_storage name;
  socklen_t namelen;
  unsigned flags;
  const void *control;
  size_t controllen, len;
  const char *data;    /* NULL when it is in the script's own buffers */
} Got;

/* What a completion tells of the message. */
typedef struct Shot {
  int res;
  unsigned flags, at;
} Shot;

static const char *provided(const Op *op, const Shot *s) {
  return group_data(op->group, s->flags >> IORING_CQE_BUFFER_SHIFT) + s->at;
}

static void set_name(Got *g, const void *name, size_t len) {
  g->namelen = (socklen_t)(len < sizeof g->name ? len : sizeof g->name);
  memcpy(&g->name, name, g->namelen);
}

/* Of a multishot: all of it is in one provided buffer. */
static bool parse_buffer(const Op *op, const Shot *s, Got *g) {
  const Message *m = op->message;
  struct io_uring_recvmsg_out out;
  size_t name = m->hdr.msg_namelen, control = m->hdr.msg_controllen;
  size_t head = sizeof out + name + control;
  const char *p;
  if (op->group == NULL || (size_t)s->res < head)
    return false;
  p = provided(op, s);
  memcpy(&out, p, sizeof out);
  set_name(g, p + sizeof out, out.namelen < name ? out.namelen : name);
  g->control = p + sizeof out + name;
  g->controllen = out.controllen < control ? out.controllen : control;
  g->flags = out.flags;
  g->data = p + head;
  g->len = (size_t)s->res - head;
  return true;
}

/* False when there is nothing to be found. */
static bool parse(const Op *op, const Shot *s, Got *g) {
  const Message *m = op->message;
  bool given = (s->flags & IORING_CQE_F_BUFFER) != 0;
  memset(g, 0, sizeof *g);
  if (s->res < 0 || m == NULL || (m->many && !given))
    return false;
  if (m->many)
    return parse_buffer(op, s, g);
  if (m->hdr.msg_name)
    set_name(g, &m->peer.sa, m->hdr.msg_namelen);
  g->control = m->hdr.msg_control;
  g->controllen = m->hdr.msg_controllen < m->room ? m->hdr.msg_controllen
                                                  : m->room;
  g->flags = (unsigned)m->hdr.msg_flags;
  g->len = (size_t)s->res;
  if (given)
    g->data = op->group ? provided(op, s) : NULL;
  else if (op->pooled) {
    g->data = op->block->data;
    if (g->len > op->want)  /* it was longer, says MSG_TRUNC */
      g->len = op->want;
  }
  return true;
}

/* How much data came. */
size_t msg_length(const Op *op, int res, unsigned flags) {
  Shot s = {res, flags, op->at};
  Got g;
  return parse(op, &s, &g) ? g.len : 0;
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
  Shot s = {res, flags, op->at};
  Got g;
  Control c;
  size_t at = 0;
  if (!parse(op, &s, &g))
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
** Fill the table on the top with objects for descriptors, which have their
** numbers but do not own them yet.
*/
static void push_rights(lua_State *L, State *S, const Control *c) {
  size_t n = c->len / sizeof(int);
  set_type(L, "rights");
  lua_createtable(L, (int)n, 0);
  for (size_t i = 0; i < n; i++) {
    Fd *f = fd_push(L, S, -1);
    memcpy(&f->fd, c->data + i * sizeof f->fd, sizeof f->fd);
    lua_rawseti(L, -2, (lua_Integer)i + 1);
  }
  lua_setfield(L, -2, "fds");
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

/* Push the table of what came beside the data [-0, +1, e]. */
static void push_table(lua_State *L, State *S, const Got *g) {
  lua_createtable(L, 0, 6);
  if (g->namelen > 0) {
    addr_push(L, (const struct sockaddr *)&g->name, g->namelen);
    lua_setfield(L, -2, "name");
  }
  set(L, "flags", g->flags);
  lua_pushboolean(L, (g->flags & MSG_TRUNC) != 0);
  lua_setfield(L, -2, "truncated");
  lua_pushboolean(L, (g->flags & MSG_CTRUNC) != 0);
  lua_setfield(L, -2, "control_truncated");
  push_control(L, S, g);
  lua_setfield(L, -2, "control");
}

/* Push a field of the table on the top; its name is there already. */
static int get(lua_State *L, const char *name) {
  lua_pushstring(L, name);
  return lua_rawget(L, -2);
}

/*
** The result is taken: the objects in the table at 'index', if it is one, own
** their descriptors from now on.  Nothing is left above it [-n, +0].
*/
void msg_adopt(lua_State *L, State *S, int index) {
  int list = index + 2;
  lua_settop(L, index);
  lua_pushvalue(L, index);
  if (lua_istable(L, -1) && get(L, "control") == LUA_TTABLE)
    for (lua_Integer i = 1; lua_rawgeti(L, list, i) == LUA_TTABLE; i++) {
      if (get(L, "fds") == LUA_TTABLE)
        for (lua_Integer k = 1; lua_rawgeti(L, list + 2, k) != LUA_TNIL; k++) {
          Fd *f = fd_test(L, list + 3);
          fd_own(L, S, f, f->fd);
          lua_pop(L, 1);
        }
      lua_settop(L, list);
    }
  lua_settop(L, index);
}

/*
** Push the data, or nil where the script's buffers have it, and the table,
** whose objects do not own their descriptors yet; false, and nothing is
** pushed, when there is none.  From a copy, for making a table may run a
** finaliser that frees the operation [-0, +2 or 0, e].
*/
static bool push_parts(lua_State *L, const Op *op, const Shot *s) {
  uint32_t generation = op->slot.generation;
  State *S = op->ring->state;
  int base = lua_gettop(L);
  Got g;
  char *control;
  luaL_checkstack(L, 16, NULL);
  if (!parse(op, s, &g))
    return false;
  control = lua_newuserdatauv(L, g.controllen + 1, 0);
  if (op->slot.generation != generation) {
    lua_settop(L, base);
    return false;
  }
  if (g.controllen > 0)
    memcpy(control, g.control, g.controllen);
  g.control = control;
  if (g.data)
    lua_pushlstring(L, g.data, g.len);
  else
    lua_pushnil(L);
  push_table(L, S, &g);
  lua_remove(L, base + 1);
  return true;
}

/*
** Push the data, or how much of it is in the script's buffers, and the table
** of what came with it; the descriptors in it have owners then.  Nothing when
** the result is not there any more [-0, +2 or 0, e].
*/
int msg_push(lua_State *L, Op *op) {
  Shot s = {op->res, op->flags, (unsigned)op->extra};
  Claim c = result_claim(op);
  int base = lua_gettop(L);
  bool some = push_parts(L, op, &s);
  if (!result_take(op, c)) {
    lua_settop(L, base);
    return 0;
  }
  result_return(op, s.at, s.res, s.flags);
  if (!some) {
    lua_pushliteral(L, "");
    lua_newtable(L);
    return 2;
  }
  msg_adopt(L, op->ring->state, base + 2);
  if (lua_isnil(L, base + 1)) {
    lua_pushinteger(L, s.res);
    lua_replace(L, base + 1);
  }
  return 2;
}

/* For the raw layer: push the table, with the data in it, or nil. */
void msg_value(lua_State *L, const Op *op, int res, unsigned flags,
               unsigned at) {
  Shot s = {res, flags, at};
  if (!push_parts(L, op, &s)) {
    lua_pushnil(L);
    return;
  }
  lua_insert(L, -2);
  lua_setfield(L, -2, "data");
}
