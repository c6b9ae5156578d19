/* SPDX-License-Identifier: MIT
**
** compat.h - what an older liburing or an older Lua 5.4 lacks.
**
** The only file with version tests.  The rest of the source is written for
** the newest header; here an older one is brought up to it.  Names of the
** kernel that may be missing get a prefix of our own (most are enumerators
** in newer headers, so no #ifdef can see them), with the kernel version
** that brought them beside each.
*/

#ifndef URING_COMPAT_H
#define URING_COMPAT_H

#include <string.h>
#include <liburing.h>
#include <lua.h>
#include <lauxlib.h>

#if LUA_VERSION_NUM != 504
#error "uring needs Lua 5.4"
#endif

/* Lua 5.4.6 renamed lua_resetthread and gave it a second parameter. */
#if LUA_VERSION_RELEASE_NUM >= 50406
#define compat_closethread(co, from) lua_closethread(co, from)
#else
#define compat_closethread(co, from) ((void)(from), lua_resetthread(co))
#endif

/* operations newer than liburing 2.3 */
enum {
  U_OP_FTRUNCATE = 55,               /* 6.9 */
  U_OP_BIND = 56,                    /* 6.11 */
  U_OP_LISTEN = 57                   /* 6.11 */
};

/*
** Clear an entry before it is prepared.  Up to liburing 2.5 the prep
** functions do this, from 2.6 on io_uring_get_sqe does; the kernel rejects
** a stale field that an operation does not use, so nobody is relied upon.
*/
static inline void compat_clear_sqe(struct io_uring_sqe *sqe, size_t size) {
  memset(sqe, 0, size);
}

/* ftruncate(2): liburing 2.6 has io_uring_prep_ftruncate */
static inline void compat_prep_ftruncate(struct io_uring_sqe *sqe, int fd,
                                         uint64_t len) {
  io_uring_prep_rw(U_OP_FTRUNCATE, sqe, fd, NULL, 0, len);
}

/* bind(2): liburing 2.7 has io_uring_prep_bind */
static inline void compat_prep_bind(struct io_uring_sqe *sqe, int fd,
                                    const struct sockaddr *addr,
                                    socklen_t len) {
  io_uring_prep_rw(U_OP_BIND, sqe, fd, addr, 0, len);
}

/* listen(2): liburing 2.7 has io_uring_prep_listen */
static inline void compat_prep_listen(struct io_uring_sqe *sqe, int fd,
                                      unsigned backlog) {
  io_uring_prep_rw(U_OP_LISTEN, sqe, fd, NULL, backlog, 0);
}

#endif
