/* SPDX-License-Identifier: MIT
**
** addr.c - socket addresses, to and from Lua.
**
** A script writes an address as text ("127.0.0.1:80", "[fe80::1%lo]:80",
** "unix:/run/x.sock", "unix:@abstract") or as a table of fields, and gets
** it back as such a table.  What is made here from an address is accepted
** here again and means the same address; only the flow label of IPv6 is
** lost.  Names of hosts are not resolved: that takes time, which whoever
** calls this does not have.
*/

#include <arpa/inet.h>
#include <net/if.h>
#include <netinet/in.h>
#include <stdio.h>
#include <sys/un.h>

#include "uring.h"

#define HOST_SIZE (INET6_ADDRSTRLEN + 1 + IF_NAMESIZE)  /* "fe80::1%lo" */
#define UNIX_PATH offsetof(struct sockaddr_un, sun_path)
#define UNIX_MAX sizeof(((struct sockaddr_un *)0)->sun_path)
#define UNIX_TEXT (UNIX_MAX + 2)  /* a path and "./" */

/* ---- from Lua ----------------------------------------------------------- */

/* Raise, telling which part of the address is wrong. */
static int expected(lua_State *L, int arg, const char *what,
                    const char *got) {
  return luaL_argerror(L, arg, lua_pushfstring(L, "%s expected, got '%s'",
                                               what, got));
}

/* By memcpy: the structures may not be reached through one another. */
static void set(Addr *a, const void *sa, size_t len) {
  memcpy(&a->sa, sa, len);
  a->len = (socklen_t)len;
}

/*
** A path, or after '@' an abstract name, which may hold any bytes.  Nothing
** at all is the unnamed address; bind(2) makes up an abstract name for it.
*/
static void read_unix(lua_State *L, int arg, const char *path, size_t len,
                      Addr *a) {
  struct sockaddr_un un = {.sun_family = AF_UNIX};
  bool abstract = len > 0 && path[0] == '@';
  size_t max = abstract ? UNIX_MAX : UNIX_MAX - 1;
  luaL_argcheck(L, abstract || strlen(path) == len, arg,
                "path contains a zero byte");
  if (len > max) {
    luaL_argerror(L, arg, lua_pushfstring(L, "path is too long, a unix "
      "address holds %d bytes", (int)max));
    return;                             /* what only the compiler expects */
  }
  memcpy(un.sun_path, path, len);
  if (abstract)
    un.sun_path[0] = '\0';
  else if (len > 0)
    len++;                              /* the final zero belongs to it */
  set(a, &un, UNIX_PATH + len);
}

/*
** A decimal number up to 'high', without sign or space; -1 when the text
** is none.
*/
static int64_t read_decimal(const char *s, int64_t high) {
  int64_t n = 0;
  if (*s == '\0')
    return -1;
  for (; *s != '\0'; s++) {
    if (*s < '0' || *s > '9')
      return -1;
    n = n * 10 + (*s - '0');
    if (n > high)
      return -1;
  }
  return n;
}

/*
** A network interface by name or number; 0 when it is neither.  The name
** goes first, because that is what addr_text writes where there is one.
*/
static uint32_t read_scope(const char *s) {
  uint32_t index = if_nametoindex(s);
  int64_t n = index;
  if (index == 0)
    n = read_decimal(s, UINT32_MAX);
  return n < 0 ? 0 : (uint32_t)n;
}

/*
** False when the host is not an IPv4 address.  That is four decimal numbers
** here: the "127.1" and the octal numbers of inet_aton(3) are refused, for
** what they mean depends on who reads them.
*/
static bool read_inet(const char *host, uint16_t port, Addr *a) {
  struct sockaddr_in in = {.sin_family = AF_INET, .sin_port = htons(port)};
  if (inet_pton(AF_INET, host, &in.sin_addr) != 1)
    return false;
  set(a, &in, sizeof in);
  return true;
}

/*
** False when the host is not an IPv6 address; raises for one with a scope
** that does not exist here.
*/
static bool read_inet6(lua_State *L, int arg, const char *host,
                       uint16_t port, Addr *a) {
  struct sockaddr_in6 in6 =
    {.sin6_family = AF_INET6, .sin6_port = htons(port)};
  char number[INET6_ADDRSTRLEN] = "";
  size_t len = strcspn(host, "%");
  if (len >= sizeof number)
    return false;
  memcpy(number, host, len);
  if (inet_pton(AF_INET6, number, &in6.sin6_addr) != 1)
    return false;
  if (host[len] == '%') {
    const char *scope = host + len + 1;
    in6.sin6_scope_id = read_scope(scope);
    if (in6.sin6_scope_id == 0)
      expected(L, arg, "name or number of a network interface", scope);
  }
  set(a, &in6, sizeof in6);
  return true;
}

/*
** "127.0.0.1:80" or "[::1]:80".  The host is looked at before the port, so
** that the message about a name is about the name.
*/
static void read_text(lua_State *L, int arg, const char *s, size_t len,
                      Addr *a) {
  bool six = s[0] == '[';
  const char *host = six ? s + 1 : s;
  const char *end = six ? strstr(s, "]:") : strchr(s, ':');
  char copy[HOST_SIZE] = "";
  int64_t port;
  luaL_argcheck(L, strlen(s) == len, arg, "address contains a zero byte");
  if (end == NULL)
    expected(L, arg, "numeric address and port", s);
  if ((size_t)(end - host) < sizeof copy)
    memcpy(copy, host, (size_t)(end - host));
  end += six ? 2 : 1;
  port = read_decimal(end, UINT16_MAX);
  if (!(six ? read_inet6(L, arg, copy, (uint16_t)port, a)
            : read_inet(copy, (uint16_t)port, a)))
    expected(L, arg, "numeric address", s);
  if (port < 0)
    expected(L, arg, "port from 0 to 65535", end);
}

/*
** A field of the table at 'arg' [-0, +1, e]; NULL when it is nil.  A number
** is not taken for a string: a host of 127 is a mistake.
*/
static const char *field_string(lua_State *L, int arg, const char *name,
                                size_t *len) {
  int type = lua_getfield(L, arg, name);
  if (type == LUA_TNIL)
    return NULL;
  if (type != LUA_TSTRING)
    luaL_argerror(L, arg, lua_pushfstring(L,
      "string expected in field '%s', got %s", name, luaL_typename(L, -1)));
  return lua_tolstring(L, -1, len);
}

/*
** The field 'port' of the table at 'arg' [-0, +1, e].  It may not be left
** out: who wants any port says so with 0.
*/
static uint16_t field_port(lua_State *L, int arg) {
  int isnum = 0, type = lua_getfield(L, arg, "port");
  lua_Integer port = 0;
  if (type == LUA_TNUMBER)
    port = lua_tointegerx(L, -1, &isnum);
  if (!isnum || port < 0 || port > UINT16_MAX)
    luaL_argerror(L, arg, lua_pushfstring(L,
      "integer from 0 to 65535 expected in field 'port', got %s",
      type == LUA_TNUMBER ? lua_tostring(L, -1) : luaL_typename(L, -1)));
  return (uint16_t)port;
}

/*
** {host=, port=} or {path=}, where the family is optional.  The strings stay
** on the stack as long as they are needed.
*/
static void read_table(lua_State *L, int arg, Addr *a) {
  int top = lua_gettop(L);
  size_t path_len = 0, host_len = 0;
  const char *family = field_string(L, arg, "family", NULL);
  const char *path = field_string(L, arg, "path", &path_len);
  const char *host = field_string(L, arg, "host", &host_len);
  const char *is = "unix";
  luaL_argcheck(L, (path == NULL) != (host == NULL), arg,
                "address with either a 'host' or a 'path' expected");
  if (path != NULL)
    read_unix(L, arg, path, path_len, a);
  else {
    uint16_t port = field_port(L, arg);
    bool six = strchr(host, ':') != NULL;
    is = six ? "inet6" : "inet";
    if (strlen(host) != host_len ||
        !(six ? read_inet6(L, arg, host, port, a) : read_inet(host, port, a)))
      expected(L, arg, "numeric address", host);
  }
  if (family != NULL && strcmp(family, is) != 0)
    luaL_argerror(L, arg, lua_pushfstring(L, "family '%s' expected for this "
      "address, got '%s'", is, family));
  lua_settop(L, top);
}

/*
** Read the address at 'arg' into 'a' [-0, +0, e].  The fields of a table may
** come from a metamethod, so any Lua code may run: no pointer into a buffer
** may be held across this.
*/
void addr_check(lua_State *L, int arg, Addr *a) {
  size_t len;
  const char *s;
  switch (lua_type(L, arg)) {
    case LUA_TSTRING:
      s = lua_tolstring(L, arg, &len);
      if (strncmp(s, "unix:", 5) == 0)
        read_unix(L, arg, s + 5, len - 5, a);
      else
        read_text(L, arg, s, len, a);
      break;
    case LUA_TTABLE: read_table(L, arg, a); break;
    default: luaL_typeerror(L, arg, "address");
  }
}

/* ---- to Lua ------------------------------------------------------------- */

/* The family, or AF_UNSPEC for an address that is cut short. */
static int family_of(const struct sockaddr *sa, socklen_t len) {
  size_t least = UNIX_PATH;
  if (len < sizeof sa->sa_family)
    return AF_UNSPEC;
  if (sa->sa_family == AF_INET)
    least = sizeof(struct sockaddr_in);
  else if (sa->sa_family == AF_INET6)
    least = sizeof(struct sockaddr_in6);
  return len < least ? AF_UNSPEC : sa->sa_family;
}

/*
** The path of a unix address as a script writes it; returns its length.
** A path that begins with '@' is written "./@", or it would be taken for an
** abstract name.  The kernel need not end a path with a zero.
*/
static size_t unix_path(const struct sockaddr *sa, socklen_t len,
                        char out[UNIX_TEXT]) {
  const char *path = (const char *)sa + UNIX_PATH;
  size_t n = len - UNIX_PATH, dot = 0;
  if (n > UNIX_MAX)
    n = UNIX_MAX;
  if (n > 0 && path[0] == '\0') {       /* abstract; zeros may follow */
    out[0] = '@';
    memcpy(out + 1, path + 1, n - 1);
    return n;
  }
  n = strnlen(path, n);
  if (n > 0 && path[0] == '@') {
    memcpy(out, "./", 2);
    dot = 2;
  }
  memcpy(out + dot, path, n);
  return dot + n;
}

/* Write the scope behind the host, where there is one. */
static void append_scope(char host[HOST_SIZE], uint32_t scope) {
  char name[IF_NAMESIZE];
  size_t len = strlen(host);
  if (scope == 0)
    return;
  if (if_indextoname(scope, name) != NULL)
    snprintf(host + len, HOST_SIZE - len, "%%%s", name);
  else                                  /* the interface is gone */
    snprintf(host + len, HOST_SIZE - len, "%%%u", scope);
}

/*
** The host of an internet address with its scope; returns the port.  The
** caller has seen to it that the address is whole (family_of).
*/
static int host_text(const struct sockaddr *sa, char host[HOST_SIZE]) {
  struct sockaddr_in6 in6;
  if (sa->sa_family == AF_INET) {
    struct sockaddr_in in;
    memcpy(&in, sa, sizeof in);
    inet_ntop(AF_INET, &in.sin_addr, host, HOST_SIZE);
    return ntohs(in.sin_port);
  }
  memcpy(&in6, sa, sizeof in6);
  inet_ntop(AF_INET6, &in6.sin6_addr, host, HOST_SIZE);
  append_scope(host, in6.sin6_scope_id);
  return ntohs(in6.sin6_port);
}

/*
** Write the text of any address to 'out', cut to 'size' with its final zero;
** returns its whole length, for which ADDR_TEXT is always enough.  An
** abstract name may contain zeros.  Never raises, but may change errno.
*/
int addr_text(const struct sockaddr *sa, socklen_t len, char *out,
              size_t size) {
  char text[ADDR_TEXT] = "unix:", host[HOST_SIZE];
  int family = family_of(sa, len), port;
  size_t n;
  switch (family) {
    case AF_UNIX: n = 5 + unix_path(sa, len, text + 5); break;
    case AF_INET: case AF_INET6:
      port = host_text(sa, host);
      n = (size_t)snprintf(text, sizeof text, family == AF_INET ? "%s:%d"
                           : "[%s]:%d", host, port);
      break;
    default: n = (size_t)snprintf(text, sizeof text, "family %d", family);
  }
  if (size > 0) {
    size_t fit = n < size ? n : size - 1;
    memcpy(out, text, fit);
    out[fit] = '\0';
  }
  return (int)n;
}

static void push_unix(lua_State *L, const struct sockaddr *sa,
                      socklen_t len) {
  char path[UNIX_TEXT];
  lua_createtable(L, 0, 2);
  lua_pushliteral(L, "unix");
  lua_setfield(L, -2, "family");
  lua_pushlstring(L, path, unix_path(sa, len, path));
  lua_setfield(L, -2, "path");
}

static void push_inet(lua_State *L, const struct sockaddr *sa) {
  char host[HOST_SIZE];
  int port = host_text(sa, host);
  lua_createtable(L, 0, 3);
  lua_pushstring(L, sa->sa_family == AF_INET ? "inet" : "inet6");
  lua_setfield(L, -2, "family");
  lua_pushstring(L, host);
  lua_setfield(L, -2, "host");
  lua_pushinteger(L, port);
  lua_setfield(L, -2, "port");
}

/*
** Push an address as a table [-0, +1, e].  Of a family that is not known
** here it tells only the number.
*/
void addr_push(lua_State *L, const struct sockaddr *sa, socklen_t len) {
  int family = family_of(sa, len);
  switch (family) {
    case AF_UNIX: push_unix(L, sa, len); break;
    case AF_INET: case AF_INET6: push_inet(L, sa); break;
    default:
      lua_createtable(L, 0, 1);
      lua_pushinteger(L, family);
      lua_setfield(L, -2, "family");
  }
  luaL_setmetatable(L, ADDRESS_TYPE);
}

/* ---- the module --------------------------------------------------------- */

/*
** core.address(text | table) -> the same address as a table
** with all its fields, in the usual spelling.
*/
static int l_addr_new(lua_State *L) {
  Addr a;
  addr_check(L, 1, &a);
  addr_push(L, (const struct sockaddr *)&a.sa, a.len);
  return 1;
}

/*
** The text form, put together from whatever the fields are now: printing an
** address that a script has changed must not raise.
*/
static int l_addr_tostring(lua_State *L) {
  luaL_checktype(L, 1, LUA_TTABLE);
  if (lua_getfield(L, 1, "path") == LUA_TSTRING) {
    lua_pushliteral(L, "unix:");
    lua_insert(L, -2);
    lua_concat(L, 2);                   /* the path may contain zeros */
  }
  else if (lua_getfield(L, 1, "host") == LUA_TSTRING) {
    const char *host = lua_tostring(L, -1);
    const char *form = strchr(host, ':') ? "[%s]:%s" : "%s:%s";
    lua_getfield(L, 1, "port");
    lua_pushfstring(L, form, host, luaL_tolstring(L, -1, NULL));
  }
  else {
    lua_getfield(L, 1, "family");
    lua_pushfstring(L, "family %s", luaL_tolstring(L, -1, NULL));
  }
  return 1;
}

static const luaL_Reg functions[] = {
  {"address", l_addr_new},
  {NULL, NULL}
};

static const luaL_Reg meta[] = {
  {"__tostring", l_addr_tostring},
  {NULL, NULL}
};

/* Not unit_type: the fields are the table's own, there are no methods. */
void addr_open(lua_State *L, State *S) {
  luaL_newmetatable(L, ADDRESS_TYPE);
  lua_pushlightuserdata(L, S);
  luaL_setfuncs(L, meta, 1);
  lua_pop(L, 1);
  lua_pushlightuserdata(L, S);
  luaL_setfuncs(L, functions, 1);
}
