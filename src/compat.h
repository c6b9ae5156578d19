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
  U_CQE_F_TSTAMP_HW = 1 << 16,       /* 6.17 */
  U_CLONE_SRC_REGISTERED = 1,        /* 6.12 */
  U_REGION_TYPE_USER = 1,            /* 6.13 */
  U_ENTER_EXT_ARG_REG = 64,          /* 6.13 */
  U_PBUF_RING_MMAP = 1,              /* 6.4 */
  U_PBUF_RING_INC = 2,               /* 6.12 */
  U_CQE_F_BUF_MORE = 16,             /* 6.12 */
  U_TIMEOUT_MULTISHOT = 64,          /* 6.4 */
  U_TIMEOUT_IMMEDIATE_ARG = 128,     /* 7.1 */
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
