/* SPDX-License-Identifier: MIT
**
** prep.h - entries that an older liburing cannot prepare, or a newer one
** prepares otherwise: for the rows of ops.def.
**
** Each fills the entry as the newest liburing does, whatever version the
** headers are of.
*/

#ifndef URING_PREP_H
#define URING_PREP_H

#include "compat.h"

/* ftruncate(2): liburing 2.6 has io_uring_prep_ftruncate */
static inline void prep_ftruncate(struct io_uring_sqe *sqe, int fd,
                                         uint64_t len) {
  io_uring_prep_rw(U_OP_FTRUNCATE, sqe, fd, NULL, 0, len);
}

/* bind(2): liburing 2.7 has io_uring_prep_bind */
static inline void prep_bind(struct io_uring_sqe *sqe, int fd,
                                    const struct sockaddr *addr,
                                    socklen_t len) {
  io_uring_prep_rw(U_OP_BIND, sqe, fd, addr, 0, len);
}

/* listen(2): liburing 2.7 has io_uring_prep_listen */
static inline void prep_listen(struct io_uring_sqe *sqe, int fd,
                                      unsigned backlog) {
  io_uring_prep_rw(U_OP_LISTEN, sqe, fd, NULL, backlog, 0);
}

/* ---- what newer headers prepare otherwise, or not at all ---- */

static inline void prep_flags(struct io_uring_sqe *sqe, unsigned flags) {
  sqe->rw_flags = (__kernel_rwf_t)flags;  /* all flags share these bytes */
}

/*
** nop: 'result' comes back with IORING_NOP_INJECT_RESULT, 6.10; the extras
** do with IORING_NOP_CQE32, 6.18.
*/
static inline void prep_nop(struct io_uring_sqe *sqe, int op,
                                   unsigned flags, unsigned result,
                                   uint64_t extra1, uint64_t extra2) {
  io_uring_prep_rw(op, sqe, -1, NULL, result, extra1);
  sqe->addr = extra2;
  prep_flags(sqe, flags);
}

/* readv and writev with a registered buffer: liburing 2.10 */
static inline void prep_rwv_fixed(struct io_uring_sqe *sqe, int op,
                                         int fd, const struct iovec *iov,
                                         unsigned n, uint64_t offset,
                                         unsigned flags, unsigned index) {
  io_uring_prep_rw(op, sqe, fd, iov, n, offset);
  prep_flags(sqe, flags);
  sqe->buf_index = (uint16_t)index;
}

/* openat2: the helper of 2.3 wants an open_how that is not const */
static inline void prep_openat2(struct io_uring_sqe *sqe, int fd,
                                       const char *path, const void *how,
                                       unsigned size) {
  io_uring_prep_rw(IORING_OP_OPENAT2, sqe, fd, path, size,
                   (uint64_t)(uintptr_t)how);
}

/*
** Put the descriptor that the operation makes into a slot of the ring's
** table: 'index' is slot + 1, or U_SLOT_ALLOC.  The helpers of liburing 2.3
** turn IORING_FILE_INDEX_ALLOC into 0, which is an ordinary descriptor.
*/
static inline void prep_slot(struct io_uring_sqe *sqe, uint32_t index) {
  sqe->file_index = index;
}

/* fixed_fd_install: liburing 2.6 */
static inline void prep_fixed_fd_install(struct io_uring_sqe *sqe,
                                                int slot, unsigned flags) {
  io_uring_prep_rw(U_OP_FIXED_FD_INSTALL, sqe, slot, NULL, 0, 0);
  sqe->flags |= IOSQE_FIXED_FILE;
  prep_flags(sqe, flags);
}

/* fallocate: off_t in 2.3, __u64 later */
static inline void prep_fallocate(struct io_uring_sqe *sqe, int fd,
                                         unsigned mode, uint64_t offset,
                                         uint64_t len) {
  io_uring_prep_rw(IORING_OP_FALLOCATE, sqe, fd, NULL, mode, offset);
  sqe->addr = len;
}

/* fadvise: 2.3 cuts an off_t to 32 bits */
static inline void prep_fadvise(struct io_uring_sqe *sqe, int fd,
                                       uint64_t offset, unsigned len,
                                       unsigned advice) {
  io_uring_prep_rw(IORING_OP_FADVISE, sqe, fd, NULL, len, offset);
  prep_flags(sqe, advice);
}

/* fadvise with a length of 64 bits: liburing 2.7; 6.11 */
static inline void prep_fadvise64(struct io_uring_sqe *sqe, int fd,
                                         uint64_t offset, uint64_t len,
                                         unsigned advice) {
  prep_fadvise(sqe, fd, offset, 0, advice);
  sqe->addr = len;
}

/* madvise, likewise */
static inline void prep_madvise(struct io_uring_sqe *sqe,
                                       const void *addr, unsigned len,
                                       unsigned advice) {
  io_uring_prep_rw(IORING_OP_MADVISE, sqe, -1, addr, len, 0);
  prep_flags(sqe, advice);
}

/* madvise with a length of 64 bits: liburing 2.7; 6.11 */
static inline void prep_madvise64(struct io_uring_sqe *sqe,
                                         const void *addr, uint64_t len,
                                         unsigned advice) {
  prep_madvise(sqe, addr, 0, advice);
  sqe->off = len;
}

/* uring_cmd: liburing 2.13.  Its bytes are copied to the entry's end. */
static inline void prep_uring_cmd(struct io_uring_sqe *sqe, int op,
                                         unsigned cmd, int fd,
                                         const void *bytes, size_t size) {
  io_uring_prep_rw(op, sqe, fd, NULL, 0, 0);
  sqe->cmd_op = cmd;
  if (size > 0)
    memcpy((char *)sqe + 48, bytes, size);
}

/* get and set options of sockets, ask their queues: liburing 2.5 */
static inline void prep_cmd_sock(struct io_uring_sqe *sqe, unsigned cmd,
                                        int fd, unsigned level, unsigned name,
                                        const void *value, unsigned len) {
  prep_uring_cmd(sqe, IORING_OP_URING_CMD, cmd, fd, NULL, 0);
  memcpy((char *)sqe + 16, &level, sizeof level);
  memcpy((char *)sqe + 20, &name, sizeof name);
  sqe->file_index = len;                        /* optlen */
  sqe->addr3 = (uint64_t)(uintptr_t)value;      /* optval */
}

/* getsockname and, with 'peer', getpeername: liburing 2.13 */
static inline void prep_cmd_getsockname(struct io_uring_sqe *sqe,
                                               int fd, void *addr,
                                               socklen_t *len, bool peer) {
  prep_uring_cmd(sqe, IORING_OP_URING_CMD, U_SOCKET_GETSOCKNAME, fd,
                        NULL, 0);
  sqe->addr = (uint64_t)(uintptr_t)addr;
  sqe->addr3 = (uint64_t)(uintptr_t)len;
  sqe->file_index = peer;
}

/* discard blocks of a device: liburing 2.8 */
static inline void prep_cmd_discard(struct io_uring_sqe *sqe, int fd,
                                           uint64_t offset, uint64_t len) {
  prep_uring_cmd(sqe, IORING_OP_URING_CMD, U_BLOCK_DISCARD, fd, NULL,
                        0);
  sqe->addr = offset;
  sqe->addr3 = len;
}

/* epoll_wait: liburing 2.10 */
static inline void prep_epoll_wait(struct io_uring_sqe *sqe, int fd,
                                          void *events, unsigned max,
                                          unsigned flags) {
  io_uring_prep_rw(U_OP_EPOLL_WAIT, sqe, fd, events, max, 0);
  prep_flags(sqe, flags);
}

/* a completion on another ring: liburing 2.4 has the form with cqe flags */
static inline void prep_msg_ring(struct io_uring_sqe *sqe, int fd,
                                        unsigned len, uint64_t data,
                                        unsigned flags, unsigned cqe_flags) {
  io_uring_prep_rw(IORING_OP_MSG_RING, sqe, fd, NULL, len, data);
  prep_flags(sqe, flags);
  sqe->file_index = cqe_flags;
}

/* a descriptor of our table for another ring's: liburing 2.4; 6.0 */
static inline void prep_msg_ring_fd(struct io_uring_sqe *sqe, int fd,
                                           int slot, uint32_t index,
                                           uint64_t data, unsigned flags) {
  io_uring_prep_rw(IORING_OP_MSG_RING, sqe, fd, NULL, 0, data);
  sqe->addr = U_MSG_SEND_FD;
  sqe->addr3 = (unsigned)slot;
  sqe->file_index = index;
  prep_flags(sqe, flags);
}

/* futex_wait and futex_wake: liburing 2.6; 'kind' is FUTEX2_* */
static inline void prep_futex(struct io_uring_sqe *sqe, int op,
                                     const void *word, uint64_t value,
                                     uint64_t mask, unsigned kind,
                                     unsigned flags) {
  io_uring_prep_rw(op, sqe, (int)kind, word, 0, value);
  prep_flags(sqe, flags);
  sqe->addr3 = mask;
}

/* futex_waitv: liburing 2.6 */
static inline void prep_futex_waitv(struct io_uring_sqe *sqe,
                                           const void *words, unsigned n,
                                           unsigned flags) {
  io_uring_prep_rw(U_OP_FUTEX_WAITV, sqe, 0, words, n, 0);
  prep_flags(sqe, flags);
}

/* waitid: liburing 2.6 */
static inline void prep_waitid(struct io_uring_sqe *sqe, unsigned type,
                                      int id, void *info, unsigned options,
                                      unsigned flags) {
  io_uring_prep_rw(U_OP_WAITID, sqe, id, NULL, type,
                   (uint64_t)(uintptr_t)info);
  sqe->file_index = options;
  prep_flags(sqe, flags);
}

/* IORING_TIMEOUT_IMMEDIATE_ARG: the time stands in the entry itself, in ns */
static inline void prep_immediate(struct io_uring_sqe *sqe,
                                  const struct __kernel_timespec *ts,
                                  unsigned flags) {
  if (flags & U_TIMEOUT_IMMEDIATE_ARG)
    sqe->addr = (uint64_t)ts->tv_sec * 1000000000u + (uint64_t)ts->tv_nsec;
}

/* pipe2: liburing 2.12 */
static inline void prep_pipe(struct io_uring_sqe *sqe, int *fds,
                                    unsigned flags, uint32_t index) {
  io_uring_prep_rw(U_OP_PIPE, sqe, 0, fds, 0, 0);
  prep_flags(sqe, flags);
  sqe->file_index = index;
}

#endif
