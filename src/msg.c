/* SPDX-License-Identifier: MIT
**
** msg.c - msghdr and control messages, from Lua.
**
** To be sent:     {name = address, iov = string | buffer | list of them,
**                  control = {{type = "rights", fds = {...}},
**                             {type = "credentials", pid =, uid =, gid =},
**                             {level =, type = integer, data = string}}}
** To be received: a number of bytes, or {iov = number | buffer | list,
**                  control = bytes of room, name = false}
**
** Descriptors that are sent cannot be closed before that is done.  What came
** is in recvmsg.c.
*/

#include <stdlib.h>
#include <unistd.h>

#include "uring.h"

#define MAX_RIGHTS 253   /* SCM_MAX_FD */
#define MAX_CONTROL 65536

/* ---- to be sent --------------------------------------------------------- */

/* Add a control message to the buffer, padded. */
static void add_control(luaL_Buffer *b, int level, int type,
                        const void *data, size_t len) {
  struct cmsghdr h;
  size_t space = CMSG_SPACE(len);
  char *p = luaL_prepbuffsize(b, space);
  memset(&h, 0, sizeof h);
  memset(p, 0, space);
  h.cmsg_len = CMSG_LEN(len);
  h.cmsg_level = level;
  h.cmsg_type = type;
  memcpy(p, &h, sizeof h);
  if (len > 0)
    memcpy(p + CMSG_LEN(0), data, len);
  luaL_addsize(b, space);
}

/*
** The list of descriptors in the table at 'entry'.  Their objects go into
** the table at a->held.
*/
static void add_rights(lua_State *L, int arg, int entry, Args *a,
                       luaL_Buffer *b) {
  int fds[MAX_RIGHTS], list;
  lua_Unsigned n;
  lua_getfield(L, entry, "fds");
  list = lua_gettop(L);
  luaL_argcheck(L, lua_istable(L, list), arg, "rights: field 'fds': list of "
                "descriptors expected");
  n = lua_rawlen(L, list);
  luaL_argcheck(L, n >= 1 && n <= MAX_RIGHTS, arg, "rights: 1 to 253 "
                "descriptors expected");
  for (lua_Unsigned i = 0; i < n; i++) {
    Fd *own;
    lua_rawgeti(L, list, (lua_Integer)i + 1);
    lua_replace(L, arg);
    fds[i] = fd_arg(L, arg, &own);
    lua_pushvalue(L, arg);
    lua_rawseti(L, a->held, (lua_Integer)lua_rawlen(L, a->held) + 1);
  }
  lua_pop(L, 1);
  add_control(b, SOL_SOCKET, SCM_RIGHTS, fds, n * sizeof *fds);
}

static void add_credentials(lua_State *L, int entry, luaL_Buffer *b) {
  struct ucred c;
  c.pid = (pid_t)form_field(L, entry, "pid", getpid());
  c.uid = (uid_t)form_field(L, entry, "uid", getuid());
  c.gid = (gid_t)form_field(L, entry, "gid", getgid());
  add_control(b, SOL_SOCKET, SCM_CREDENTIALS, &c, sizeof c);
}

static void add_other(lua_State *L, int arg, int entry, luaL_Buffer *b) {
  size_t len;
  const char *data;
  int level = (int)form_field(L, entry, "level", SOL_SOCKET);
  int type = (int)form_field(L, entry, "type", 0);
  luaL_argcheck(L, level != SOL_SOCKET || type != SCM_RIGHTS, arg,
                "descriptors are sent by type = \"rights\"");
  lua_getfield(L, entry, "data");
  luaL_argcheck(L, lua_type(L, -1) == LUA_TSTRING, arg,
                "control message: field 'data': string expected");
  data = lua_tolstring(L, -1, &len);
  luaL_argcheck(L, len <= MAX_CONTROL, arg, "control message is too long");
  lua_replace(L, arg); /* a metamethod may have made it for us alone */
  add_control(b, level, type, data, len);
}

/*
** The control messages in the list at 'list': their bytes are pushed.  The
** buffer is the only thing on the stack above 'top' between two of them.
*/
static void read_control(lua_State *L, int arg, int list, Args *a) {
  luaL_Buffer one;
  int top = lua_gettop(L);
  lua_Unsigned n = lua_rawlen(L, list);
  lua_pushliteral(L, "");
  for (lua_Unsigned i = 1; i <= n; i++) {
    int entry = top + 2;
    const char *type;
    luaL_argcheck(L, lua_rawgeti(L, list, (lua_Integer)i) == LUA_TTABLE, arg,
                  "control: list of tables expected");
    type = lua_getfield(L, entry, "type") == LUA_TSTRING
           ? lua_tostring(L, -1) : "";
    luaL_buffinit(L, &one);
    if (strcmp(type, "rights") == 0)
      add_rights(L, arg, entry, a, &one);
    else if (strcmp(type, "credentials") == 0)
      add_credentials(L, entry, &one);
    else if (*type == '\0')
      add_other(L, arg, entry, &one);
    else
      luaL_argerror(L, arg, "control message of unknown type");
    luaL_pushresult(&one);
    lua_insert(L, entry);
    lua_settop(L, entry);
    lua_concat(L, 2);
  }
  a->control = lua_tolstring(L, -1, &a->controlsize);
  luaL_argcheck(L, a->controlsize <= MAX_CONTROL, arg,
                "too many control messages");
}

/* The field 'iov' is on the top: a list, or one thing; left as a list. */
static void list_of(lua_State *L) {
  if (lua_istable(L, -1))
    return;
  lua_createtable(L, 1, 0);
  if (lua_isnil(L, -2)) {
    lua_remove(L, -2);
    return;
  }
  lua_insert(L, -2);
  lua_rawseti(L, -2, 1);
}

/*
** A message to be sent, at 'arg' [e].  Leaves on the stack what the
** operation keeps alive.  The argument's place is used for the fields, so
** that errors name it.
*/
void msg_read(lua_State *L, int arg, Args *a) {
  static const char *const names[] = {"control", "iov", "name", NULL};
  int table;
  luaL_checktype(L, arg, LUA_TTABLE);
  form_only(L, arg, names);
  luaL_checkstack(L, 20, NULL);
  lua_pushvalue(L, arg);
  table = lua_gettop(L);
  lua_newtable(L);
  a->held = table + 1;
  lua_getfield(L, table, "name");
  if (!lua_isnil(L, -1)) {
    lua_replace(L, arg);
    addr_check(L, arg, &a->name);
    a->addr = (struct sockaddr *)&a->name.sa;
    a->addrsize = a->name.len;
  }
  else
    lua_pop(L, 1);
  lua_getfield(L, table, "control");
  if (!lua_isnil(L, -1)) {
    luaL_argcheck(L, lua_istable(L, -1), arg, "field 'control': list of "
                  "control messages expected");
    read_control(L, arg, lua_gettop(L), a);
  }
  lua_getfield(L, table, "iov");
  list_of(L);
  lua_replace(L, arg);
  args_list(L, arg, true, a);
  lua_pushvalue(L, a->held);  /* kept alive, too */
  lua_rawseti(L, a->list, (lua_Integer)a->niov + 1);
  a->message = true;
}

/* ---- to be received ----------------------------------------------------- */

/*
** Room for what is to be received, at 'arg' [e]; of a multishot only how much
** for control messages, and whether for a name.
*/
void msg_read_room(lua_State *L, int arg, bool many, Args *a) {
  static const char *const names[] = {"control", "iov", "name", NULL};
  int table;
  a->message = true;
  if (many && lua_isnoneornil(L, arg))
    return;
  if (!many && lua_type(L, arg) == LUA_TNUMBER) {
    args_buffer(L, arg, false, a);
    return;
  }
  luaL_checktype(L, arg, LUA_TTABLE);
  form_only(L, arg, names);
  luaL_checkstack(L, 10, NULL);
  a->controlsize = (size_t)form_field(L, arg, "control", 0);
  luaL_argcheck(L, a->controlsize <= MAX_CONTROL, arg,
                "field 'control' is out of range");
  lua_pushvalue(L, arg);
  table = lua_gettop(L);
  a->nameless = lua_getfield(L, table, "name") == LUA_TBOOLEAN &&
                !lua_toboolean(L, -1);
  lua_getfield(L, table, "iov");
  if (many) {          /* the data goes into provided buffers */
    luaL_argcheck(L, lua_isnil(L, -1), arg, "field 'iov': a multishot takes "
                  "provided buffers");
    return;
  }
  if (lua_type(L, -1) == LUA_TNUMBER) {
    lua_replace(L, arg);
    args_buffer(L, arg, false, a);
    return;
  }
  list_of(L);
  lua_replace(L, arg);
  args_list(L, arg, false, a);
}

/* ---- the operation's own ------------------------------------------------ */

static bool own_control(Message *m, const Args *a) {
  if (a->controlsize == 0)
    return true;
  m->hdr.msg_control = calloc(1, a->controlsize);
  m->room = a->controlsize;
  if (m->hdr.msg_control == NULL)
    return false;
  if (a->control)
    memcpy(m->hdr.msg_control, a->control, a->controlsize);
  return true;
}

/*
** Room for control messages.  Of a multishot only when it is known whose
** buffers it takes: else nobody would find the descriptors that come in them.
*/
void msg_room(Op *op) {
  Message *m = op->message;
  m->hdr.msg_controllen = m->many && op->group == NULL ? 0 : m->room;
}

/* Build the msghdr in the operation's memory; false without. */
bool msg_own(Op *op, Args *a) {
  Message *m = op_alloc(op, sizeof *m);
  if (m == NULL)
    return false;
  memset(m, 0, sizeof *m);
  op->message = m;
  a->msg = &m->hdr;
  if (a->addr) {       /* where it goes */
    m->hdr.msg_name = a->addr;
    m->hdr.msg_namelen = a->addrsize;
  }
  else if (op->kind == RES_MESSAGE && !a->nameless) {
    m->hdr.msg_name = &m->peer.sa;
    m->hdr.msg_namelen = sizeof m->peer.sa;
  }
  if (a->list) {
    m->hdr.msg_iov = a->iov;
    m->hdr.msg_iovlen = a->niov;
  }
  else if (a->want) {
    m->one = (struct iovec){a->buf, a->len};
    m->hdr.msg_iov = &m->one;
    m->hdr.msg_iovlen = 1;
  }
  if (!own_control(m, a))
    return false;
  m->many = a->many;
  msg_room(op);
  return true;
}

void msg_free(Op *op) {
  free(op->message->hdr.msg_control);
  op->message = NULL;
}
