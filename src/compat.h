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

#include <stdbool.h>
#include <string.h>
#include <liburing.h>
#include <lua.h>
#include <lauxlib.h>

#if LUA_VERSION_NUM != 504
#error "uring needs Lua 5.4"
#endif

#define U_MADV_COLLAPSE 25  /* 6.1; newer than Debian 12's headers */

/* Lua 5.4.6 renamed lua_resetthread and gave it a second parameter. */
#if LUA_VERSION_RELEASE_NUM >= 50406
#define compat_closethread(co, from) lua_closethread(co, from)
#else
#define compat_closethread(co, from) ((void)(from), lua_resetthread(co))
#endif

/* operations newer than liburing 2.3 */
enum {
  U_OP_READ_MULTISHOT = 49,          /* 6.7 */
  U_OP_WAITID = 50,                  /* 6.7 */
  U_OP_FUTEX_WAIT = 51,              /* 6.7 */
  U_OP_FUTEX_WAKE = 52,              /* 6.7 */
  U_OP_FUTEX_WAITV = 53,             /* 6.7 */
  U_OP_FIXED_FD_INSTALL = 54,        /* 6.8 */
  U_OP_FTRUNCATE = 55,               /* 6.9 */
  U_OP_BIND = 56,                    /* 6.11 */
  U_OP_LISTEN = 57,                  /* 6.11 */
  U_OP_RECV_ZC = 58,                 /* 6.15 */
  U_OP_EPOLL_WAIT = 59,              /* 6.15 */
  U_OP_READV_FIXED = 60,             /* 6.15 */
  U_OP_WRITEV_FIXED = 61,            /* 6.15 */
  U_OP_PIPE = 62,                    /* 6.16 */
  U_OP_NOP128 = 63,                  /* 6.19 */
  U_OP_URING_CMD128 = 64             /* 6.19 */
};

/* commands of uring_cmd */
enum {
  U_SOCKET_SIOCINQ = 0,              /* 6.6 */
  U_SOCKET_SIOCOUTQ = 1,             /* 6.6 */
  U_SOCKET_GETSOCKOPT = 2,           /* 6.7 */
  U_SOCKET_SETSOCKOPT = 3,           /* 6.7 */
  U_SOCKET_TX_TIMESTAMP = 4,         /* 6.17 */
  U_SOCKET_GETSOCKNAME = 5,          /* 6.19 */
  U_BLOCK_DISCARD = 0x1200           /* 6.12 */
};

/* calls of io_uring_register newer than liburing 2.3 */
enum {
  U_REGISTER_PBUF_STATUS = 26,       /* 6.8 */
  U_REGISTER_NAPI = 27,              /* 6.9 */
  U_UNREGISTER_NAPI = 28,            /* 6.9 */
  U_REGISTER_CLOCK = 29,             /* 6.12 */
  U_REGISTER_CLONE_BUFFERS = 30,     /* 6.12 */
  U_REGISTER_SEND_MSG_RING = 31,     /* 6.13 */
  U_REGISTER_ZCRX_IFQ = 32,          /* 6.15 */
  U_REGISTER_RESIZE_RINGS = 33,      /* 6.13 */
  U_REGISTER_MEM_REGION = 34,        /* 6.13 */
  U_REGISTER_QUERY = 35,             /* 6.18 */
  U_REGISTER_ZCRX_CTRL = 36,         /* 6.19 */
  U_REGISTER_BPF_FILTER = 37         /* 7.0 */
};

/* or'ed to such a call when the descriptor is a registered one; 6.3 */
#define U_REGISTER_USE_REGISTERED_RING 0x80000000u

/* flags of rings; 2.3 has those up to bit 13 */
enum {
  U_SETUP_NO_MMAP = 1 << 14,         /* 6.5 */
  U_SETUP_REGISTERED_FD_ONLY = 1 << 15, /* 6.5; with NO_MMAP */
  U_SETUP_NO_SQARRAY = 1 << 16,      /* 6.6 */
  U_SETUP_CQE_MIXED = 1 << 18,       /* 6.18 */
  U_SETUP_SQE_MIXED = 1 << 19,       /* 6.19 */
  U_SETUP_SQ_REWIND = 1 << 20        /* 7.0 */
};

/* flags */
enum {
  U_FEAT_REG_REG_RING = 1 << 13,     /* 6.3 */
  U_FEAT_NO_IOWAIT = 1 << 17,        /* 6.15 */
  U_ENTER_NO_IOWAIT = 1 << 7,        /* 6.15 */
  U_CQE_F_SKIP = 1 << 5,             /* 6.18 */
  U_CQE_F_32 = 1 << 15,              /* 6.18 */
  U_CLONE_SRC_REGISTERED = 1,        /* 6.12 */
  U_REGION_TYPE_USER = 1,            /* 6.13 */
  U_ENTER_EXT_ARG_REG = 64,          /* 6.13 */
  U_PBUF_RING_MMAP = 1,              /* 6.4 */
  U_PBUF_RING_INC = 2,               /* 6.12 */
  U_CQE_F_BUF_MORE = 16,             /* 6.12 */
  U_TIMEOUT_MULTISHOT = 64,          /* 6.4 */
  U_RECVSEND_BUNDLE = 16,            /* 6.10; in sqe.ioprio */
  U_SEND_VECTORIZED = 32,            /* 6.17; in sqe.ioprio */
  U_MSG_DATA = 0,                    /* 5.18; in sqe.addr */
  U_MSG_SEND_FD = 1,                 /* 6.0; likewise */
  U_MSG_RING_FLAGS_PASS = 2          /* 6.3 */
};

/* sqe.file_index that lets the kernel choose the slot; 5.19 */
#define U_SLOT_ALLOC UINT32_MAX

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

/* ---- what newer headers prepare otherwise, or not at all ---- */

static inline void compat_set_flags(struct io_uring_sqe *sqe, unsigned flags) {
  sqe->rw_flags = (__kernel_rwf_t)flags;  /* all flags share these bytes */
}

/*
** nop: 'result' comes back with IORING_NOP_INJECT_RESULT, 6.10; the extras
** do with IORING_NOP_CQE32, 6.18.
*/
static inline void compat_prep_nop(struct io_uring_sqe *sqe, int op,
                                   unsigned flags, unsigned result,
                                   uint64_t extra1, uint64_t extra2) {
  io_uring_prep_rw(op, sqe, -1, NULL, result, extra1);
  sqe->addr = extra2;
  compat_set_flags(sqe, flags);
}

/* readv and writev with a registered buffer: liburing 2.10 */
static inline void compat_prep_rwv_fixed(struct io_uring_sqe *sqe, int op,
                                         int fd, const struct iovec *iov,
                                         unsigned n, uint64_t offset,
                                         unsigned flags, unsigned index) {
  io_uring_prep_rw(op, sqe, fd, iov, n, offset);
  compat_set_flags(sqe, flags);
  sqe->buf_index = (uint16_t)index;
}

/* openat2: the helper of 2.3 wants an open_how that is not const */
static inline void compat_prep_openat2(struct io_uring_sqe *sqe, int fd,
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
static inline void compat_set_slot(struct io_uring_sqe *sqe, uint32_t index) {
  sqe->file_index = index;
}

/* fixed_fd_install: liburing 2.6 */
static inline void compat_prep_fixed_fd_install(struct io_uring_sqe *sqe,
                                                int slot, unsigned flags) {
  io_uring_prep_rw(U_OP_FIXED_FD_INSTALL, sqe, slot, NULL, 0, 0);
  sqe->flags |= IOSQE_FIXED_FILE;
  compat_set_flags(sqe, flags);
}

/* fallocate: off_t in 2.3, __u64 later */
static inline void compat_prep_fallocate(struct io_uring_sqe *sqe, int fd,
                                         unsigned mode, uint64_t offset,
                                         uint64_t len) {
  io_uring_prep_rw(IORING_OP_FALLOCATE, sqe, fd, NULL, mode, offset);
  sqe->addr = len;
}

/* fadvise: 2.3 cuts an off_t to 32 bits */
static inline void compat_prep_fadvise(struct io_uring_sqe *sqe, int fd,
                                       uint64_t offset, unsigned len,
                                       unsigned advice) {
  io_uring_prep_rw(IORING_OP_FADVISE, sqe, fd, NULL, len, offset);
  compat_set_flags(sqe, advice);
}

/* fadvise with a length of 64 bits: liburing 2.7; 6.11 */
static inline void compat_prep_fadvise64(struct io_uring_sqe *sqe, int fd,
                                         uint64_t offset, uint64_t len,
                                         unsigned advice) {
  compat_prep_fadvise(sqe, fd, offset, 0, advice);
  sqe->addr = len;
}

/* madvise, likewise */
static inline void compat_prep_madvise(struct io_uring_sqe *sqe,
                                       const void *addr, unsigned len,
                                       unsigned advice) {
  io_uring_prep_rw(IORING_OP_MADVISE, sqe, -1, addr, len, 0);
  compat_set_flags(sqe, advice);
}

/* madvise with a length of 64 bits: liburing 2.7; 6.11 */
static inline void compat_prep_madvise64(struct io_uring_sqe *sqe,
                                         const void *addr, uint64_t len,
                                         unsigned advice) {
  compat_prep_madvise(sqe, addr, 0, advice);
  sqe->off = len;
}

/* uring_cmd: liburing 2.13.  Its bytes are copied to the entry's end. */
static inline void compat_prep_uring_cmd(struct io_uring_sqe *sqe, int op,
                                         unsigned cmd, int fd,
                                         const void *bytes, size_t size) {
  io_uring_prep_rw(op, sqe, fd, NULL, 0, 0);
  sqe->cmd_op = cmd;
  if (size > 0)
    memcpy((char *)sqe + 48, bytes, size);
}

/* get and set options of sockets, ask their queues: liburing 2.5 */
static inline void compat_prep_cmd_sock(struct io_uring_sqe *sqe, unsigned cmd,
                                        int fd, unsigned level, unsigned name,
                                        const void *value, unsigned len) {
  compat_prep_uring_cmd(sqe, IORING_OP_URING_CMD, cmd, fd, NULL, 0);
  memcpy((char *)sqe + 16, &level, sizeof level);
  memcpy((char *)sqe + 20, &name, sizeof name);
  sqe->file_index = len;                        /* optlen */
  sqe->addr3 = (uint64_t)(uintptr_t)value;      /* optval */
}

/* getsockname and, with 'peer', getpeername: liburing 2.13 */
static inline void compat_prep_cmd_getsockname(struct io_uring_sqe *sqe,
                                               int fd, void *addr,
                                               socklen_t *len, bool peer) {
  compat_prep_uring_cmd(sqe, IORING_OP_URING_CMD, U_SOCKET_GETSOCKNAME, fd,
                        NULL, 0);
  sqe->addr = (uint64_t)(uintptr_t)addr;
  sqe->addr3 = (uint64_t)(uintptr_t)len;
  sqe->file_index = peer;
}

/* discard blocks of a device: liburing 2.8 */
static inline void compat_prep_cmd_discard(struct io_uring_sqe *sqe, int fd,
                                           uint64_t offset, uint64_t len) {
  compat_prep_uring_cmd(sqe, IORING_OP_URING_CMD, U_BLOCK_DISCARD, fd, NULL,
                        0);
  sqe->addr = offset;
  sqe->addr3 = len;
}

/* epoll_wait: liburing 2.10 */
static inline void compat_prep_epoll_wait(struct io_uring_sqe *sqe, int fd,
                                          void *events, unsigned max,
                                          unsigned flags) {
  io_uring_prep_rw(U_OP_EPOLL_WAIT, sqe, fd, events, max, 0);
  compat_set_flags(sqe, flags);
}

/* a completion on another ring: liburing 2.4 has the form with cqe flags */
static inline void compat_prep_msg_ring(struct io_uring_sqe *sqe, int fd,
                                        unsigned len, uint64_t data,
                                        unsigned flags, unsigned cqe_flags) {
  io_uring_prep_rw(IORING_OP_MSG_RING, sqe, fd, NULL, len, data);
  compat_set_flags(sqe, flags);
  sqe->file_index = cqe_flags;
}

/* a descriptor of our table for another ring's: liburing 2.4; 6.0 */
static inline void compat_prep_msg_ring_fd(struct io_uring_sqe *sqe, int fd,
                                           int slot, uint32_t index,
                                           uint64_t data, unsigned flags) {
  io_uring_prep_rw(IORING_OP_MSG_RING, sqe, fd, NULL, 0, data);
  sqe->addr = U_MSG_SEND_FD;
  sqe->addr3 = (unsigned)slot;
  sqe->file_index = index;
  compat_set_flags(sqe, flags);
}

/* futex_wait and futex_wake: liburing 2.6; 'kind' is FUTEX2_* */
static inline void compat_prep_futex(struct io_uring_sqe *sqe, int op,
                                     const void *word, uint64_t value,
                                     uint64_t mask, unsigned kind,
                                     unsigned flags) {
  io_uring_prep_rw(op, sqe, (int)kind, word, 0, value);
  compat_set_flags(sqe, flags);
  sqe->addr3 = mask;
}

/* futex_waitv: liburing 2.6 */
static inline void compat_prep_futex_waitv(struct io_uring_sqe *sqe,
                                           const void *words, unsigned n,
                                           unsigned flags) {
  io_uring_prep_rw(U_OP_FUTEX_WAITV, sqe, 0, words, n, 0);
  compat_set_flags(sqe, flags);
}

/* waitid: liburing 2.6 */
static inline void compat_prep_waitid(struct io_uring_sqe *sqe, unsigned type,
                                      int id, void *info, unsigned options,
                                      unsigned flags) {
  io_uring_prep_rw(U_OP_WAITID, sqe, id, NULL, type,
                   (uint64_t)(uintptr_t)info);
  sqe->file_index = options;
  compat_set_flags(sqe, flags);
}

/* pipe2: liburing 2.12 */
static inline void compat_prep_pipe(struct io_uring_sqe *sqe, int *fds,
                                    unsigned flags, uint32_t index) {
  io_uring_prep_rw(U_OP_PIPE, sqe, 0, fds, 0, 0);
  compat_set_flags(sqe, flags);
  sqe->file_index = index;
}

/*
** Structures of the register calls that headers lack or have in several
** forms: the kernel's layout, with names of ours.
*/
struct compat_sync_cancel {
  uint64_t addr;
  int32_t fd;
  uint32_t flags;
  int64_t sec, nsec;   /* -1, -1 for no limit */
  uint8_t opcode;      /* 6.6 */
  uint8_t pad[31];
};

struct compat_napi {
  uint32_t busy_poll_to; /* microseconds */
  uint8_t prefer_busy_poll, opcode, pad[2];
  uint32_t op_param, resv;
};

struct compat_clock {
  uint32_t clockid, resv[3];
};

struct compat_clone {
  uint32_t src_fd, flags, src_off, dst_off, nr, pad[3];
};

struct compat_region_desc {
  uint64_t user_addr, size;
  uint32_t flags, id;
  uint64_t mmap_offset, resv[4];
};

struct compat_region {
  uint64_t desc, flags, resv[2];
};

/* one of a region of registered waits */
struct compat_reg_wait {
  int64_t sec, nsec;
  uint32_t min_wait_usec, flags;
  uint64_t sigmask;
  uint32_t sigmask_size, pad[3];
  uint64_t pad2[2];
};

/* what io_uring_enter takes with IORING_ENTER_EXT_ARG */
struct compat_enter_arg {
  uint64_t sigmask;
  uint32_t sigmask_size, min_wait_usec;
  uint64_t ts;
};

struct compat_buf_status {
  uint32_t buf_group, head, resv[8];
};

struct compat_buf_reg {
  uint64_t ring_addr;
  uint32_t ring_entries;
  uint16_t bgid, flags;
  uint32_t min_left, resv[5];
};

struct compat_query {
  uint64_t next, data;
  uint32_t op, size;
  int32_t result;
  uint32_t resv[3];
};

struct compat_query_opcodes {
  uint32_t request_opcodes, register_opcodes;
  uint64_t features, setup_flags, enter_flags, sqe_flags;
  uint32_t query_opcodes, pad;
};

struct compat_ifq_area {
  uint64_t addr, len, rq_area_token;
  uint32_t flags, dmabuf_fd;
  uint64_t resv[2];
};

struct compat_ifq {
  uint32_t if_idx, if_rxq, rq_entries, flags;
  uint64_t area, region;
  uint32_t head, tail, rqes, resv2;
  uint64_t resv3[2];
  uint32_t zcrx_id, rx_buf_len;
  uint64_t resv4[3];
};

struct compat_zcrx_ctrl {
  uint32_t zcrx_id, op;
  uint64_t resv[8];
};

struct compat_bpf {
  uint16_t cmd_type, cmd_flags;
  uint32_t resv;
  uint32_t opcode, flags, filter_len;
  uint8_t pdu_size, resv2[3];
  uint64_t filter, resv3[5];
};

_Static_assert(sizeof(struct compat_sync_cancel) == 64 &&
               sizeof(struct compat_napi) == 16 &&
               sizeof(struct compat_clone) == 32 &&
               sizeof(struct compat_region_desc) == 64 &&
               sizeof(struct compat_region) == 32 &&
               sizeof(struct compat_reg_wait) == 64 &&
               sizeof(struct compat_enter_arg) == 24 &&
               sizeof(struct compat_buf_status) == 40 &&
               sizeof(struct compat_buf_reg) == 40 &&
               sizeof(struct compat_query) == 40 &&
               sizeof(struct compat_query_opcodes) == 48 &&
               sizeof(struct compat_ifq_area) == 48 &&
               sizeof(struct compat_ifq) == 96 &&
               sizeof(struct compat_zcrx_ctrl) == 72 &&
               sizeof(struct compat_bpf) == 72, "layout of the kernel");

/*
** Show the kernel the entries that were prepared, as every function of
** liburing does that submits; returns how many it has not taken.  The array
** of indices, where there is one, was filled when the ring was made.
*/
static inline unsigned compat_flush_sq(struct io_uring *ring) {
  struct io_uring_sq *sq = &ring->sq;
  if (sq->sqe_head != sq->sqe_tail) {
    sq->sqe_head = sq->sqe_tail;
    io_uring_smp_store_release(sq->ktail, sq->sqe_tail);
  }
  return sq->sqe_tail - io_uring_smp_load_acquire(sq->khead);
}

/* Memory for the queues and the entries, of a ring with NO_MMAP. */
static inline void compat_set_memory(struct io_uring_params *p, void *queues,
                                     void *sqes) {
  uint64_t address = (uint64_t)(uintptr_t)sqes;
  memcpy((char *)p + 72, &address, sizeof address);   /* sq_off.user_addr */
  address = (uint64_t)(uintptr_t)queues;
  memcpy((char *)p + 112, &address, sizeof address);  /* cq_off.user_addr */
}

/* What io_uring_queue_mmap does when it has mapped that memory. */
static inline void compat_set_queues(struct io_uring *ring,
                                     const struct io_uring_params *p,
                                     void *queues, void *sqes, size_t size) {
  struct io_uring_sq *sq = &ring->sq;
  struct io_uring_cq *cq = &ring->cq;
  char *base = queues;
  sq->khead = (unsigned *)(void *)(base + p->sq_off.head);
  sq->ktail = (unsigned *)(void *)(base + p->sq_off.tail);
  sq->kring_mask = (unsigned *)(void *)(base + p->sq_off.ring_mask);
  sq->kring_entries = (unsigned *)(void *)(base + p->sq_off.ring_entries);
  sq->kflags = (unsigned *)(void *)(base + p->sq_off.flags);
  sq->kdropped = (unsigned *)(void *)(base + p->sq_off.dropped);
  if (!(p->flags & U_SETUP_NO_SQARRAY)) {
    sq->array = (unsigned *)(void *)(base + p->sq_off.array);
    for (unsigned i = 0; i < p->sq_entries; i++)
      sq->array[i] = i;
  }
  sq->sqes = sqes;
  sq->ring_ptr = queues;
  sq->ring_sz = size;
  sq->ring_mask = *sq->kring_mask;
  sq->ring_entries = *sq->kring_entries;
  cq->khead = (unsigned *)(void *)(base + p->cq_off.head);
  cq->ktail = (unsigned *)(void *)(base + p->cq_off.tail);
  cq->kring_mask = (unsigned *)(void *)(base + p->cq_off.ring_mask);
  cq->kring_entries = (unsigned *)(void *)(base + p->cq_off.ring_entries);
  cq->koverflow = (unsigned *)(void *)(base + p->cq_off.overflow);
  cq->cqes = (struct io_uring_cqe *)(void *)(base + p->cq_off.cqes);
  if (p->cq_off.flags)
    cq->kflags = (unsigned *)(void *)(base + p->cq_off.flags);
  cq->ring_ptr = queues;
  cq->ring_sz = size;
  cq->ring_mask = *cq->kring_mask;
  cq->ring_entries = *cq->kring_entries;
}

#endif
