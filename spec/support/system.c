/* SPDX-License-Identifier: MIT
**
** system.c - what the system says of files and descriptors.
**
** Plain system calls, for specs that look at the work of an operation by
** other means than the ring's.
*/

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/xattr.h>
#include <time.h>
#include <unistd.h>

#include <lua.h>
#include <lauxlib.h>

#define PATIENCE 5000  /* milliseconds until nothing will come any more */

__attribute__((visibility("default"))) int luaopen_spec_system(lua_State *L);

static int fail(lua_State *L, const char *call) {
  return luaL_error(L, "%s: %s", call, strerror(errno));
}

/* The number of the descriptor at 'arg': that, or an object's fileno. */
static int descriptor(lua_State *L, int arg) {
  luaL_Stream *file = luaL_testudata(L, arg, LUA_FILEHANDLE);
  int fd;
  if (file)
    return fileno(file->f);
  if (luaL_getmetafield(L, arg, "__index") == LUA_TNIL)
    return (int)luaL_checkinteger(L, arg);
  lua_pop(L, 1);
  lua_getfield(L, arg, "fileno");
  lua_pushvalue(L, arg);
  lua_call(L, 1, 1);
  fd = (int)luaL_checkinteger(L, -1);
  lua_pop(L, 1);
  return fd;
}

static void set(lua_State *L, const char *name, lua_Integer value) {
  lua_pushinteger(L, value);
  lua_setfield(L, -2, name);
}

/*
** system.stat(path) -> {type = "f", "d", "l" or "?", perm =, size =, ino =,
** nlink =, target =}, not followed; nil if it is not there
*/
static int l_stat(lua_State *L) {
  const char *path = luaL_checkstring(L, 1);
  struct stat st;
  char target[4096];
  ssize_t n;
  if (lstat(path, &st) < 0) {
    if (errno != ENOENT)
      return fail(L, "lstat");
    lua_pushnil(L);
    return 1;
  }
  lua_newtable(L);
  lua_pushstring(L, S_ISREG(st.st_mode) ? "f" : S_ISDIR(st.st_mode) ? "d" :
                 S_ISLNK(st.st_mode) ? "l" : "?");
  lua_setfield(L, -2, "type");
  set(L, "perm", st.st_mode & 07777);
  set(L, "size", (lua_Integer)st.st_size);
  set(L, "ino", (lua_Integer)st.st_ino);
  set(L, "nlink", (lua_Integer)st.st_nlink);
  if (S_ISLNK(st.st_mode)) {
    n = readlink(path, target, sizeof target);
    lua_pushlstring(L, target, n > 0 ? (size_t)n : 0);
    lua_setfield(L, -2, "target");
  }
  return 1;
}

/* system.mkdir(path) */
static int l_mkdir(lua_State *L) {
  if (mkdir(luaL_checkstring(L, 1), 0777) < 0)
    return fail(L, "mkdir");
  return 0;
}

/* system.symlink(target, path) */
static int l_symlink(lua_State *L) {
  if (symlink(luaL_checkstring(L, 1), luaL_checkstring(L, 2)) < 0)
    return fail(L, "symlink");
  return 0;
}

/* system.setuid(id): this process is that user's, for good */
static int l_setuid(lua_State *L) {
  uid_t id = (uid_t)luaL_checkinteger(L, 1);
  if (setresuid(id, id, id) < 0)
    return fail(L, "setresuid");
  return 0;
}

/* system.umask() -> what new files do not get */
static int l_umask(lua_State *L) {
  mode_t mask = umask(0);
  umask(mask);
  lua_pushinteger(L, mask);
  return 1;
}

/* system.flags(fd) -> those of fcntl(F_GETFL), and whether it is closed on
** exec */
static int l_flags(lua_State *L) {
  int fd = descriptor(L, 1), flags = fcntl(fd, F_GETFL);
  if (flags < 0)
    return fail(L, "fcntl");
  lua_pushinteger(L, flags);
  lua_pushboolean(L, fcntl(fd, F_GETFD) & FD_CLOEXEC);
  return 2;
}

/* system.read(fd, n) -> string; "" at the end, nil if nothing comes */
static int l_read(lua_State *L) {
  struct pollfd p = {descriptor(L, 1), POLLIN, 0};
  size_t size = (size_t)luaL_checkinteger(L, 2);
  char *data = lua_newuserdatauv(L, size, 0);
  ssize_t n;
  if (poll(&p, 1, PATIENCE) < 1) {
    lua_pushnil(L);
    return 1;
  }
  n = read(p.fd, data, size);
  if (n < 0)
    return fail(L, "read");
  lua_pushlstring(L, data, (size_t)n);
  return 1;
}

/* system.tell(fd) -> its position */
static int l_tell(lua_State *L) {
  off_t at = lseek(descriptor(L, 1), 0, SEEK_CUR);
  if (at < 0)
    return fail(L, "lseek");
  lua_pushinteger(L, (lua_Integer)at);
  return 1;
}

/* system.ready(fd [, write]) -> can it be read, or written, without waiting? */
static int l_ready(lua_State *L) {
  struct pollfd p = {descriptor(L, 1), POLLIN, 0};
  if (lua_toboolean(L, 2))
    p.events = POLLOUT;
  lua_pushboolean(L, poll(&p, 1, 0) == 1);
  return 1;
}

/* system.write(fd, string) -> bytes */
static int l_write(lua_State *L) {
  size_t len;
  const char *s = luaL_checklstring(L, 2, &len);
  ssize_t n = write(descriptor(L, 1), s, len);
  if (n < 0)
    return fail(L, "write");
  lua_pushinteger(L, n);
  return 1;
}

/* system.oob(fd) -> the byte that came out of band, or nil */
static int l_oob(lua_State *L) {
  struct pollfd p = {descriptor(L, 1), POLLPRI, 0};
  char c;
  if (poll(&p, 1, PATIENCE) < 1 || recv(p.fd, &c, 1, MSG_OOB) != 1)
    lua_pushnil(L);
  else
    lua_pushlstring(L, &c, 1);
  return 1;
}

/* system.getxattr(path, name) -> string, or nil if there is none */
static int l_getxattr(lua_State *L) {
  char value[4096];
  ssize_t n = getxattr(luaL_checkstring(L, 1), luaL_checkstring(L, 2), value,
                       sizeof value);
  if (n < 0 && errno != ENODATA)
    return fail(L, "getxattr");
  if (n < 0)
    lua_pushnil(L);
  else
    lua_pushlstring(L, value, (size_t)n);
  return 1;
}

/* system.setxattr(path, name, value) */
static int l_setxattr(lua_State *L) {
  size_t len;
  const char *value = luaL_checklstring(L, 3, &len);
  if (setxattr(luaL_checkstring(L, 1), luaL_checkstring(L, 2), value, len,
               0) < 0)
    return fail(L, "setxattr");
  return 0;
}

/*
** system.cached(fd, offset, size) -> {cache =, dirty =}: pages of that range
** that are in memory, and those that are not on the disk; nil before 6.5
*/
static int l_cached(lua_State *L) {
  struct { uint64_t offset, size; } range;
  struct { uint64_t cache, dirty, writeback, evicted, recent; } answer;
  int fd = descriptor(L, 1);
  range.offset = (uint64_t)luaL_checkinteger(L, 2);
  range.size = (uint64_t)luaL_checkinteger(L, 3);
  if (syscall(451, fd, &range, &answer, 0) < 0) {
    if (errno != ENOSYS)
      return fail(L, "cachestat");
    lua_pushnil(L);
    return 1;
  }
  lua_newtable(L);
  set(L, "cache", (lua_Integer)answer.cache);
  set(L, "dirty", (lua_Integer)(answer.dirty + answer.writeback));
  return 1;
}

/* system.fsync(fd) */
static int l_fsync(lua_State *L) {
  if (fsync(descriptor(L, 1)) < 0)
    return fail(L, "fsync");
  return 0;
}

/* system.evict(fd): nothing of the file stays in memory */
static int l_evict(lua_State *L) {
  int rc = posix_fadvise(descriptor(L, 1), 0, 0, POSIX_FADV_DONTNEED);
  if (rc != 0)
    return luaL_error(L, "posix_fadvise: %s", strerror(rc));
  return 0;
}

/* system.clock(id) -> its seconds */
static int l_clock(lua_State *L) {
  struct timespec ts;
  if (clock_gettime((clockid_t)luaL_checkinteger(L, 1), &ts) < 0)
    return fail(L, "clock_gettime");
  lua_pushnumber(L, (lua_Number)ts.tv_sec + (lua_Number)ts.tv_nsec / 1e9);
  return 1;
}

/* system.epoll_ctl(epoll, fd, events, data), to add it */
static int l_epoll_ctl(lua_State *L) {
  struct epoll_event e;
  memset(&e, 0, sizeof e);
  e.events = (uint32_t)luaL_checkinteger(L, 3);
  e.data.u64 = (uint64_t)luaL_checkinteger(L, 4);
  if (epoll_ctl(descriptor(L, 1), EPOLL_CTL_ADD, descriptor(L, 2), &e) < 0)
    return fail(L, "epoll_ctl");
  return 0;
}

/* system.epoll_wait(epoll) -> {{events, data}, ...} of what is ready now */
static int l_epoll_wait(lua_State *L) {
  struct epoll_event e[16];
  int n = epoll_wait(descriptor(L, 1), e, 16, 0);
  if (n < 0)
    return fail(L, "epoll_wait");
  lua_newtable(L);
  for (int i = 0; i < n; i++) {
    lua_newtable(L);
    lua_pushinteger(L, e[i].events);
    lua_rawseti(L, -2, 1);
    lua_pushinteger(L, (lua_Integer)e[i].data.u64);
    lua_rawseti(L, -2, 2);
    lua_rawseti(L, -2, i + 1);
  }
  return 1;
}

static const luaL_Reg functions[] = {
  {"cached", l_cached},
  {"clock", l_clock},
  {"epoll_ctl", l_epoll_ctl},
  {"epoll_wait", l_epoll_wait},
  {"evict", l_evict},
  {"flags", l_flags},
  {"fsync", l_fsync},
  {"getxattr", l_getxattr},
  {"mkdir", l_mkdir},
  {"oob", l_oob},
  {"read", l_read},
  {"ready", l_ready},
  {"setuid", l_setuid},
  {"setxattr", l_setxattr},
  {"stat", l_stat},
  {"symlink", l_symlink},
  {"tell", l_tell},
  {"umask", l_umask},
  {"write", l_write},
  {NULL, NULL}
};

int luaopen_spec_system(lua_State *L) {
  luaL_newlib(L, functions);
  return 1;
}
