/* SPDX-License-Identifier: MIT
**
** sock.c - socket calls that are not operations of the ring.
**
** io_uring has no operation for these, or only newer kernels have one, and
** none of them waits for anything: they are ordinary system calls.  Each
** fails with nil, message, errno.  What makes descriptors gives them an
** owner before anything can raise, and all are close-on-exec.
**
** A descriptor is read after the other arguments: reading an address may
** run Lua code, and that may close the descriptor.
*/

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <netinet/udp.h>
#include <stdio.h>
#include <sys/time.h>
#include <unistd.h>

#include "uring.h"

/* ---- names for numbers -------------------------------------------------- */

typedef struct Name {
  const char *name;
  int value;
} Name;

static const Name domains[] = {
  {"unix", AF_UNIX}, {"inet", AF_INET}, {"inet6", AF_INET6}, {NULL, 0}
};

static const Name types[] = {
  {"stream", SOCK_STREAM}, {"dgram", SOCK_DGRAM},
  {"seqpacket", SOCK_SEQPACKET}, {"raw", SOCK_RAW}, {NULL, 0}
};

static const Name levels[] = {
  {"socket", SOL_SOCKET}, {"tcp", IPPROTO_TCP}, {"udp", IPPROTO_UDP},
  {"ip", IPPROTO_IP}, {"ipv6", IPPROTO_IPV6}, {NULL, 0}
};

/* The integer at 'arg', or what the name there stands for [e]. */
static int check_name(lua_State *L, int arg, const Name *names) {
  const char *s;
  if (lua_type(L, arg) != LUA_TSTRING)
    return (int)args_int(L, arg, 0, INT_MAX);
  s = lua_tostring(L, arg);
  for (; names->name != NULL; names++)
    if (strcmp(names->name, s) == 0)
      return names->value;
  return luaL_argerror(L, arg, lua_pushfstring(L, "invalid option '%s'", s));
}

static int opt_name(lua_State *L, int arg, const Name *names, int def) {
  return lua_isnoneornil(L, arg) ? def : check_name(L, arg, names);
}

/* ---- results ------------------------------------------------------------ */

/* nil, message, errno of a call on 'fd'; 'code' is errno, saved at once. */
static int fail(lua_State *L, int code, const char *op, int fd) {
  char what[24];
  snprintf(what, sizeof what, "fd %d", fd);
  return err_fail(L, code, op, what);
}

/*
** true, or the failure of the call that has just returned 'rc': errno is
** read here before anything can change it.
*/
static int done(lua_State *L, int rc, const char *op, int fd) {
  int code = errno;
  if (rc < 0)
    return fail(L, code, op, fd);
  lua_pushboolean(L, 1);
  return 1;
}

/* ---- addresses ---------------------------------------------------------- */

/*
** sock.bind(fd, address) -> true
** Of the ring only from Linux 6.11 on; this is for all kernels.  The message
** of a failure has the address, which is what is wrong most of the time.
*/
static int l_sock_bind(lua_State *L) {
  Fd *own;
  Addr a;
  const struct sockaddr *sa = (const struct sockaddr *)&a.sa;
  char what[ADDR_TEXT];
  int fd, code;
  addr_check(L, 2, &a);
  fd = fd_arg(L, 1, &own);
  if (bind(fd, sa, a.len) == 0) {
    lua_pushboolean(L, 1);
    return 1;
  }
  code = errno;
  addr_text(sa, a.len, what, sizeof what);
  return err_fail(L, code, "bind", what);
}

/* sock.listen(fd [, backlog]) -> true; the kernel limits the backlog */
static int l_sock_listen(lua_State *L) {
  Fd *own;
  int backlog = (int)args_optint(L, 2, SOMAXCONN, 0, INT_MAX);
  int fd = fd_arg(L, 1, &own);
  return done(L, listen(fd, backlog), "listen", fd);
}

/* The two calls differ in nothing but the end they ask for. */
typedef int (*GetName)(int fd, struct sockaddr *sa, socklen_t *len);

static int get_name(lua_State *L, GetName get, const char *op) {
  Fd *own;
  Addr a = {.len = sizeof a.sa};
  struct sockaddr *sa = (struct sockaddr *)&a.sa;
  int fd = fd_arg(L, 1, &own);
  if (get(fd, sa, &a.len) < 0)
    return fail(L, errno, op, fd);
  addr_push(L, sa, a.len);
  return 1;
}

/* sock.getsockname(fd) -> address */
static int l_sock_getsockname(lua_State *L) {
  return get_name(L, getsockname, "getsockname");
}

/* sock.getpeername(fd) -> address */
static int l_sock_getpeername(lua_State *L) {
  return get_name(L, getpeername, "getpeername");
}

/* ---- options ------------------------------------------------------------ */

/* What an option's value is, to the kernel and to Lua. */
typedef enum {
  OPT_INT,             /* int: integer; true and false are 1 and 0 */
  OPT_TIME,            /* struct timeval: seconds; 0, nil, false for none */
  OPT_LINGER,          /* struct linger: seconds; nil, false for off */
  OPT_TEXT,            /* name of something: string */
  OPT_BYTES            /* anything: string */
} OptKind;

typedef struct Option {
  const char *name;    /* NULL for one that was asked for by number */
  int level, number;
  OptKind kind;
} Option;

#define MAX_BYTES 65536  /* of an option's value */
#define MAX_NAME 256     /* of these, of an OPT_TEXT */

/* The rows.  The # takes a name as it is written, macro or not. */
#define OPTION(name, level, number, kind) {#name, level, number, kind},

static const Option options[] = {
#include "sock.def"
};

static const Option *const options_end =
  options + sizeof options / sizeof options[0];

/* An option by its name at 'arg', of 'level' if that is not -1 [e]. */
static Option by_name(lua_State *L, int arg, int level) {
  const char *name = lua_tostring(L, arg);
  for (const Option *o = options; o < options_end; o++)
    if (strcmp(o->name, name) == 0 && (level == -1 || level == o->level))
      return *o;
  luaL_argerror(L, arg, lua_pushfstring(L, "invalid option '%s'%s", name,
                level == -1 ? "" : " for this level"));
  return options[0];                    /* what only the compiler expects */
}

/*
** An option by number.  It has the kind of its row, so that a script gets
** the same for "linger" and SO_LINGER; one without a row is an int.
*/
static Option by_number(int level, int number) {
  OptKind kind = OPT_INT;
  for (const Option *o = options; o < options_end; o++)
    if (o->level == level && o->number == number)
      kind = o->kind;
  return (Option){NULL, level, number, kind};
}

/* The option of the level at 'arg' and the name or number behind it [e]. */
static Option check_option(lua_State *L, int arg) {
  int level = opt_name(L, arg, levels, -1);
  if (lua_type(L, arg + 1) == LUA_TSTRING)
    return by_name(L, arg + 1, level);
  luaL_argcheck(L, level != -1, arg,
                "level expected for an option that is given by its number");
  return by_number(level, (int)args_int(L, arg + 1, 0, INT_MAX));
}

/* A value on its way to the kernel or back. */
typedef struct Value {
  const void *data;    /* into u, or into a Lua string on the stack */
  socklen_t len;
  union {
    int number;
    struct timeval time;
    struct linger linger;
  } u;
} Value;

/* The value is the first 'len' bytes of u. */
static void own_value(Value *v, size_t len) {
  v->data = &v->u;
  v->len = (socklen_t)len;
}

/* An option may be unsigned (mark): all that fits into 32 bits is taken. */
static void read_int(lua_State *L, int arg, Value *v) {
  if (lua_isboolean(L, arg))
    v->u.number = lua_toboolean(L, arg);
  else
    v->u.number = (int)args_int(L, arg, INT_MIN, MAX_U32);
  own_value(v, sizeof v->u.number);
}

/*
** The kernel takes zero for "no limit", so nil and false become that, and a
** very short time must not: it is rounded up to whole microseconds.
*/
static void read_time(lua_State *L, int arg, Value *v) {
  int64_t ns = lua_toboolean(L, arg) ? args_seconds(L, arg) : 0;
  if (ns == FOREVER)
    ns = 0;
  ns += 999;
  v->u.time.tv_sec = ns / SECOND;
  v->u.time.tv_usec = ns % SECOND / 1000;
  own_value(v, sizeof v->u.time);
}

/* The kernel has whole seconds here: a part of one counts as one. */
static void read_linger(lua_State *L, int arg, Value *v) {
  v->u.linger = (struct linger){0, 0};
  if (lua_toboolean(L, arg)) {
    int64_t ns = args_seconds(L, arg);
    luaL_argcheck(L, ns <= INT_MAX * SECOND, arg, "too many seconds");
    v->u.linger.l_onoff = 1;
    v->u.linger.l_linger = (int)((ns + SECOND - 1) / SECOND);
  }
  own_value(v, sizeof v->u.linger);
}

/* The string stays where it is, on the stack, until the call is done. */
static void read_bytes(lua_State *L, int arg, Value *v) {
  size_t len;
  luaL_checktype(L, arg, LUA_TSTRING);
  v->data = lua_tolstring(L, arg, &len);
  luaL_argcheck(L, len <= MAX_BYTES, arg, "value is too long");
  v->len = (socklen_t)len;
}

/*
** The value at 'arg' for the option [e].  For an option given by number a
** string is its value as the kernel has it, whatever the row says.
*/
static void read_value(lua_State *L, int arg, const Option *o, Value *v) {
  if (o->name == NULL && lua_type(L, arg) == LUA_TSTRING) {
    read_bytes(L, arg, v);
    return;
  }
  switch (o->kind) {
    case OPT_INT: read_int(L, arg, v); break;
    case OPT_TIME: read_time(L, arg, v); break;
    case OPT_LINGER: read_linger(L, arg, v); break;
    default: read_bytes(L, arg, v);
  }
}

/*
** sock.setsockopt(fd, level, name, value) -> true
** level and name are integers or strings; with the name of an option the
** level may be nil.
*/
static int l_sock_setsockopt(lua_State *L) {
  Fd *own;
  Value v;
  int fd;
  Option o = check_option(L, 2);
  luaL_checkany(L, 4);
  read_value(L, 4, &o, &v);
  fd = fd_arg(L, 1, &own);
  return done(L, setsockopt(fd, o.level, o.number, v.data, v.len),
              "setsockopt", fd);
}

/*
** Push a value as a string; a name ends at the first zero.  The buffer comes
** before the descriptor: allocating may run a finaliser that closes it.  It
** is zeros: of some options the kernel reads there where else it is to write.
*/
static int get_bytes(lua_State *L, const Option *o, size_t size) {
  Fd *own;
  luaL_Buffer b;
  socklen_t len = (socklen_t)size;
  char *data = memset(luaL_buffinitsize(L, &b, size), 0, size);
  int fd = fd_arg(L, 1, &own);
  if (getsockopt(fd, o->level, o->number, data, &len) < 0)
    return fail(L, errno, "getsockopt", fd);
  luaL_pushresultsize(&b, o->kind == OPT_TEXT ? strnlen(data, len) : len);
  return 1;
}

/* Just that much is asked for: more makes some options longer ones. */
static size_t kind_size(OptKind kind) {
  switch (kind) {
    case OPT_TIME: return sizeof(struct timeval);
    case OPT_LINGER: return sizeof(struct linger);
    default: return sizeof(int);
  }
}

/* The counterpart of read_value, for what is no string. */
static void push_value(lua_State *L, OptKind kind, const Value *v) {
  if (kind == OPT_INT)
    lua_pushinteger(L, v->u.number);
  else if (kind == OPT_TIME)
    lua_pushnumber(L, (lua_Number)v->u.time.tv_sec +
                      (lua_Number)v->u.time.tv_usec / 1e6);
  else if (v->u.linger.l_onoff)
    lua_pushinteger(L, v->u.linger.l_linger);
  else
    lua_pushboolean(L, 0);
}

/*
** sock.getsockopt(fd, level, name [, kind]) -> value
** kind is "int", "timeval", "linger", "string", or the greatest number of
** bytes of a value to be returned as it is; nil for what suits the option.
** A linger that is off is false, so that it can be set again.
*/
static int l_sock_getsockopt(lua_State *L) {
  static const Name kinds[] = {{"int", OPT_INT}, {"timeval", OPT_TIME},
    {"linger", OPT_LINGER}, {"string", OPT_TEXT}, {NULL, 0}};
  Fd *own;
  Value v = {0};
  int fd;
  size_t size = MAX_NAME;
  Option o = check_option(L, 2);
  if (lua_type(L, 4) == LUA_TNUMBER) {
    size = (size_t)args_int(L, 4, 0, MAX_BYTES);
    o.kind = OPT_BYTES;
  }
  else
    o.kind = (OptKind)opt_name(L, 4, kinds, (int)o.kind);
  if (o.kind == OPT_TEXT || o.kind == OPT_BYTES)
    return get_bytes(L, &o, size);
  fd = fd_arg(L, 1, &own);
  own_value(&v, kind_size(o.kind));
  if (getsockopt(fd, o.level, o.number, &v.u, &v.len) < 0)
    return fail(L, errno, "getsockopt", fd);
  push_value(L, o.kind, &v);
  return 1;
}

/* ---- new descriptors ---------------------------------------------------- */

/* Push two objects without a descriptor, for the call that makes two. */
static void pair_push(lua_State *L, Fd *ends[2]) {
  ends[0] = fd_push(L, state_get(L), -1);
  ends[1] = fd_push(L, state_get(L), -1);
}

/* Give them the descriptors of the call that has just returned 'rc'. */
static int pair_done(lua_State *L, int rc, const char *op, Fd *ends[2],
                     const int fds[2]) {
  int code = errno;
  if (rc < 0)
    return err_fail(L, code, op, NULL);
  fd_own(L, state_get(L), ends[0], fds[0]);
  fd_own(L, state_get(L), ends[1], fds[1]);
  return 2;
}

/*
** sock.socketpair([domain [, type]]) -> fd, fd
** Names or integers, "unix" and "stream" by default; the type may have
** SOCK_NONBLOCK added.
*/
static int l_sock_socketpair(lua_State *L) {
  Fd *ends[2];
  int fds[2];
  int domain = opt_name(L, 1, domains, AF_UNIX);
  int type = opt_name(L, 2, types, SOCK_STREAM);
  pair_push(L, ends);
  return pair_done(L, socketpair(domain, type | SOCK_CLOEXEC, 0, fds),
                   "socketpair", ends, fds);
}

/* sock.pipe([flags]) -> fd to read, fd to write; flags of pipe2(2) */
static int l_sock_pipe(lua_State *L) {
  Fd *ends[2];
  int fds[2];
  int flags = (int)args_optint(L, 1, 0, 0, INT_MAX);
  pair_push(L, ends);
  return pair_done(L, pipe2(fds, flags | O_CLOEXEC), "pipe", ends, fds);
}

/* sock.dup(fd) -> fd with a number of its own */
static int l_sock_dup(lua_State *L) {
  Fd *own;
  int fd = fd_arg(L, 1, &own);
  int copy = fcntl(fd, F_DUPFD_CLOEXEC, 0);
  if (copy < 0)
    return fail(L, errno, "dup", fd);
  fd_push(L, state_get(L), copy);
  return 1;
}

/* sock.isatty(fd) -> boolean; fails only for what is no descriptor */
static int l_sock_isatty(lua_State *L) {
  Fd *own;
  int fd = fd_arg(L, 1, &own), yes = isatty(fd);
  if (!yes && errno == EBADF)
    return fail(L, EBADF, "isatty", fd);
  lua_pushboolean(L, yes);
  return 1;
}

static const luaL_Reg functions[] = {
  {"bind", l_sock_bind},
  {"dup", l_sock_dup},
  {"getpeername", l_sock_getpeername},
  {"getsockname", l_sock_getsockname},
  {"getsockopt", l_sock_getsockopt},
  {"isatty", l_sock_isatty},
  {"listen", l_sock_listen},
  {"pipe", l_sock_pipe},
  {"setsockopt", l_sock_setsockopt},
  {"socketpair", l_sock_socketpair},
  {NULL, NULL}
};

void sock_open(lua_State *L, State *S) {
  luaL_newlibtable(L, functions);
  lua_pushlightuserdata(L, S);
  luaL_setfuncs(L, functions, 1);
  lua_setfield(L, -2, "sock");
}
