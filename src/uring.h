/* SPDX-License-Identifier: MIT
**
** uring.h - private header: the types that the units share and their
** functions, grouped by file.
**
** Who owns what: a Ring owns its operations (Op, in a slab) and its tasks'
** places in the queues.  An Op owns or references everything that the
** kernel may touch for it, until its terminal completion.  Blocks of buffer
** memory and descriptors (Fd) are counted C objects, so that the order in
** which Lua finalises its userdata does not matter.
**
** Functions that may raise a Lua error say so with [e].
*/

#ifndef URING_H
#define URING_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/uio.h>

#include "compat.h"

typedef struct State State;
typedef struct Ring Ring;
typedef struct Op Op;
typedef struct OpDef OpDef;
typedef struct Task Task;
typedef struct Fd Fd;
typedef struct Block Block;
typedef struct Args Args;
typedef struct Group Group;
typedef struct Multi Multi;
typedef struct Chain Chain;
typedef struct Message Message;

#define RING_TYPE "uring.ring"
#define SQE_TYPE "uring.sqe"
#define CQE_TYPE "uring.cqe"
#define BUFFER_TYPE "uring.buffer"
#define BUFRING_TYPE "uring.bufring"
#define MULTI_TYPE "uring.multishot"
#define FD_TYPE "uring.fd"
#define TASK_TYPE "uring.task"
#define TIMER_TYPE "uring.timer"
#define ADDRESS_TYPE "uring.address"

/* ---- lists ------------------------------------------------------------ */

/* Link of a circular list; a lone link points to itself. */
typedef struct Link {
  struct Link *next, *prev;
} Link;

static inline void link_init(Link *l) { l->next = l->prev = l; }

static inline bool link_alone(const Link *l) { return l->next == l; }

/* Put 'l', which is alone, at the end of the list with head 'head'. */
static inline void link_append(Link *head, Link *l) {
  l->prev = head->prev;
  l->next = head;
  head->prev->next = l;
  head->prev = l;
}

static inline void link_remove(Link *l) {
  l->prev->next = l->next;
  l->next->prev = l->prev;
  link_init(l);
}

#define container(ptr, type, member) \
  ((type *)(void *)((char *)(ptr) - offsetof(type, member)))

/* ---- slab.c (no Lua) -------------------------------------------------- */

#define SLAB_MAXSLOTS 0xffffffu  /* 24 bits; the last one is never used */
#define SLAB_CHUNK 64u  /* records allocated at once */

/* First member of every record of a slab. */
typedef struct Slot {
  uint32_t index;      /* place in the slab */
  uint32_t generation; /* grows each time the slot is put back */
  uint32_t next;       /* next free slot + 1, while free */
  bool used;
} Slot;

typedef struct Slab {
  void **chunks;       /* records never move */
  size_t record;       /* bytes of one */
  uint32_t nchunks, free, used; /* 'free' is first free slot + 1 */
} Slab;

void slab_init(Slab *s, size_t record);
bool slab_grow(Slab *s);
uint32_t slab_size(const Slab *s);
void *slab_take(Slab *s);
void slab_put(Slab *s, void *record);
void slab_free(Slab *s);

/* The record at 'index', used or not, or NULL beyond the end. */
static inline void *slab_at(const Slab *s, uint32_t index) {
  if (index / SLAB_CHUNK >= s->nchunks)
    return NULL;
  return (char *)s->chunks[index / SLAB_CHUNK] +
         (index % SLAB_CHUNK) * s->record;
}

/* The record that is taken next, or NULL. */
static inline void *slab_first(const Slab *s) {
  return s->free ? slab_at(s, s->free - 1) : NULL;
}

/* The record in use at 'index' if it is still of this generation. */
static inline void *slab_find(const Slab *s, uint32_t index,
                              uint32_t generation) {
  Slot *slot = slab_at(s, index);
  if (slot == NULL || !slot->used || slot->generation != generation)
    return NULL;
  return slot;
}

/* ---- heap.c (no Lua) -------------------------------------------------- */

typedef struct Timer {
  int64_t when;        /* ns of CLOCK_MONOTONIC */
  uint32_t place;      /* index in the heap + 1; 0 when not armed */
  uint8_t kind;        /* TimerKind: what it is part of */
} Timer;

typedef enum { TIMER_TASK, TIMER_CALL, TIMER_MULTI } TimerKind;

/* 'when' beside the pointer: comparing touches only the array. */
typedef struct HeapNode {
  int64_t when;
  Timer *timer;
} HeapNode;

typedef struct Heap {
  HeapNode *nodes;
  uint32_t count, size;
} Heap;

bool heap_push(Heap *h, Timer *t);
void heap_remove(Heap *h, Timer *t);
void heap_free(Heap *h);

static inline Timer *heap_first(const Heap *h) {
  return h->count ? h->nodes[0].timer : NULL;
}

extern unsigned fork_count;  /* how often this process has been a child */

/* ---- the state of one Lua universe ------------------------------------ */

#define CRUMBS 64
#define CRUMB_TEXT 192

/* What became of a descriptor, for the message of EBADF. */
typedef struct Crumb {
  int fd;
  char text[CRUMB_TEXT];
} Crumb;

/* First upvalue of every function of the module. */
struct State {
  Task *task;          /* the task that runs now, NULL in the main chunk */
  Ring *ring;          /* the default ring, NULL until somebody needs it */
  int rings;           /* registry: Ring* -> ring userdata, weak values */
  int keep;            /* registry: the default ring's userdata */
  int main, handler;   /* registry: first functions of every task */
  const void *fd_meta, *buffer_meta, *task_meta; /* their metatables */
  int waiter;          /* registry: the task that stands for the main chunk */
  int waiting;         /* registry: coroutines that wait inside an await */
  int on_end;          /* registry: called with a task that has ended */
  int on_cancel;       /* registry: called with a task to be cancelled */
  int on_trace;        /* registry: called with each operation */
  int on_report;       /* registry: called with what debug mode reports */
  bool debug;          /* remember where descriptors come from */
  bool tracing;        /* inside on_trace */
  char folder[256];    /* where the Lua half is */
  Link open;           /* descriptors opened in debug mode */
  Crumb crumbs[CRUMBS]; /* the last ones closed in it, circular */
  unsigned ncrumbs;
  bool torture;        /* collect all garbage before every resume */
  bool closing;        /* lua_close has finalised the default ring */
};

static inline State *state_get(lua_State *L) {
  return (State *)lua_touserdata(L, lua_upvalueindex(1));
}

/* luaL_testudata without looking the name up, for what unit_type returned. */
static inline void *unit_test(lua_State *L, int arg, const void *meta) {
  void *p = lua_touserdata(L, arg);
  bool same;
  if (p == NULL || !lua_getmetatable(L, arg))
    return NULL;
  same = lua_topointer(L, -1) == meta;
  lua_pop(L, 1);
  return same ? p : NULL;
}

/* ---- error.c ---------------------------------------------------------- */

const char *err_name(int code);
int err_push(lua_State *L, int code, const char *op, const char *what);
int err_fail(lua_State *L, int code, const char *op, const char *what);
int err_setup(lua_State *L, int code);
int err_normal(int code);
void err_open(lua_State *L, State *S);

/* ---- buf.c ------------------------------------------------------------ */

/*
** Memory that the kernel may read or write.  Freed when the last reference,
** a buffer object's or an operation's, is gone.
*/
struct Block {
  unsigned refs;       /* the buffer object and each operation */
  unsigned busy;       /* of these, the operations */
  size_t size;
  char *data;
  Group *group;        /* it is borrowed from; or NULL ... */
  uint16_t id;         /* ... and its number there */
  Block *next;         /* in a list of a pool */
};

#define POOL_CLASSES 4
#define POOL_BYTES (4u << 20)  /* spare memory that a ring keeps, at most */

/* Spare blocks of a ring, for operations that return strings. */
typedef struct Pool {
  Block *spare[POOL_CLASSES]; /* lists of blocks of one size */
  size_t bytes;
  unsigned lent;       /* blocks that operations have */
} Pool;

Block *block_bare(size_t size, size_t align);
Block *block_new(size_t size, size_t align);
void block_unref(Block *b);
Block *block_hold(Block *b);
void block_release(Block *b);
Block *pool_take(Pool *p, size_t size);
void pool_put(Pool *p, Block *b);
void pool_free(Pool *p);
Block *buf_check(lua_State *L, int arg);
Block *buf_test(lua_State *L, int arg);
void buf_push(lua_State *L);
void buf_open(lua_State *L, State *S);

/* ---- group.c (no Lua), bufring.c -------------------------------------- */

#define POOL_BUFFER 4096u  /* bytes of a provided buffer of a ring's own */

enum { PIECE_FREE, PIECE_IN, PIECE_OUT };  /* IN: the kernel has it */

/* A provided buffer. */
typedef struct Piece {
  uint32_t size;       /* that the kernel was given */
  uint32_t used;       /* of these, filled or taken by the kernel */
  uint32_t shares;     /* completions that have some of it */
  uint32_t lent;       /* of these, buffer objects */
  uint16_t next;       /* the one that was put into the ring after it */
  uint8_t state;
} Piece;

/* A ring of provided buffers; see group.c. */
struct Group {
  unsigned refs;
  Ring *ring;          /* that knows it; NULL when none does any more */
  Group *next;         /* in Ring.groups */
  uint16_t id;         /* the kernel's number for it */
  uint16_t last;       /* the buffer that was put in last */
  bool pool, outgoing, incremental;
  unsigned entries;    /* of the ring */
  unsigned count;      /* buffers there are */
  unsigned in;         /* of these, with the kernel */
  unsigned size;       /* of each */
  size_t stride;       /* from one to the next */
  unsigned per;        /* buffers of a chunk */
  unsigned nchunks;
  Block **chunks;
  Block *memory;       /* of the ring */
  struct io_uring_buf_ring *br;
  Piece *pieces;
  Link starved;        /* multishots that wait for a buffer */
};

Group *group_new(unsigned entries, unsigned size, unsigned per);
void group_unref(Group *g);
int group_register(Ring *r, Group *g, unsigned id, unsigned flags);
int group_unregister(Group *g);
void group_forget(Ring *r, bool leak);
Group *group_find(const Ring *r, unsigned id);
Group *group_pool(Ring *r);
bool group_grow(Group *g);
char *group_data(const Group *g, unsigned id);
void group_add(Group *g, unsigned id, unsigned len);
unsigned group_taken(Group *g, unsigned id, unsigned len, bool more);
void group_return(Group *g, unsigned id, unsigned at, unsigned len);
void group_unshare(Group *g, unsigned id);
void group_each(Group *g, unsigned id, unsigned at, unsigned len,
                void (*visit)(Group *, unsigned, const char *, unsigned,
                              void *), void *arg);

Group *bufring_test(lua_State *L, int arg);
Group *bufring_arg(lua_State *L, int arg, const Ring *r);
void bufring_string(lua_State *L, Group *g, unsigned id, unsigned at,
                    unsigned len);
int bufring_borrow(lua_State *L, Group *g, unsigned id, unsigned at,
                   unsigned len);
void bufring_release(Block *b);
void bufring_open(lua_State *L, State *S);

/* ---- fd.c ------------------------------------------------------------- */

typedef enum { FD_OPEN, FD_CLOSING, FD_CLOSED, FD_DETACHED } FdState;

/* Directions of a stream, each for one task at a time. */
enum { LANE_IN, LANE_OUT, LANES, LANE_NONE = LANES };

/* Who is in a lane: an operation whose result was not taken yet. */
typedef struct Lane {
  const Ring *ring;
  uint32_t index, generation;
} Lane;

/*
** A descriptor that knows its operations, so that it is closed only when
** none of them can reach a reused number.
*/
struct Fd {
  int fd;              /* the number; kept for messages once closed */
  Ring *ring;          /* of a direct one, whose number is a slot; or NULL */
  Link direct;         /* in Ring.directs */
  FdState state;
  bool owned;          /* a Lua object refers to it */
  bool dry;            /* the last receive took all there was */
  uint8_t pollable;    /* whether one may wait long for data: see fd_pollable */
  unsigned count;      /* operations prepared or in flight */
  unsigned fork_count; /* of the process the operations are of */
  Link uses;           /* FdUse of each of them */
  Link closers;        /* tasks that wait until it is closed */
  Lane lanes[LANES];
  int error;           /* what close(2) said, as an errno */
  Link open;           /* in State.open, in debug mode */
  char *opened, *closed; /* where, in debug mode */
};

/* An operation's hold on a descriptor. */
typedef struct FdUse {
  Link link;           /* in Fd.uses */
  Fd *fd;              /* NULL for a raw number */
  Op *op;
} FdUse;

Fd *fd_push(lua_State *L, State *S, int fd);
void fd_own(lua_State *L, State *S, Fd *f, int fd);
void fd_gone(Fd *f);
void fd_closing(Fd *f);
Fd *fd_test(lua_State *L, int arg);
Fd *fd_check(lua_State *L, int arg);
void fd_check_ring(lua_State *L, int arg, const Ring *r, const Fd *f);
bool fd_pollable(Fd *f);
int fd_arg(lua_State *L, int arg, Fd **own);
int fd_arg_any(lua_State *L, int arg, const Ring *r, Fd **own);
bool fd_lane_busy(const Fd *f, const Ring *r, int lane);
void fd_use(Fd *f, FdUse *use, Op *op);
void fd_unuse(FdUse *use);
int fd_close(Fd *f);
int fd_await_close(lua_State *L, State *S, Fd *f);
void fd_open(lua_State *L, State *S);

/* ---- direct.c --------------------------------------------------------- */

Fd *fd_push_direct(lua_State *L, Ring *r);
void fd_own_direct(lua_State *L, Fd *f, unsigned slot);
int fd_clear_slot(Ring *r, unsigned slot);
void fd_replaced(Ring *r, unsigned slot, unsigned n);
int fd_arg_direct(lua_State *L, int arg, const Ring *r, Fd **own);
void direct_open(lua_State *L, State *S);

/* ---- addr.c ----------------------------------------------------------- */

#define ADDR_TEXT 160  /* room for the text of any address */

typedef struct Addr {
  socklen_t len;
  struct sockaddr_storage sa;
} Addr;

void addr_check(lua_State *L, int arg, Addr *a);
int addr_text(const struct sockaddr *sa, socklen_t len, char *out,
              size_t size);
void addr_push(lua_State *L, const struct sockaddr *sa, socklen_t len);
void addr_open(lua_State *L, State *S);

/* ---- statx.c ---------------------------------------------------------- */

unsigned statx_mask(lua_State *L, int arg, unsigned def);
void statx_push(lua_State *L, const struct statx *st);
void statx_open(lua_State *L, State *S);

/* ---- forms.c ---------------------------------------------------------- */

#define MAX_WAITV 128  /* futexes of one futex_waitv */

/* struct open_how, which not every header has */
typedef struct OpenHow {
  uint64_t flags, mode, resolve;
} OpenHow;

lua_Integer form_field(lua_State *L, int arg, const char *name,
                       lua_Integer def);
uint32_t form_u32(lua_State *L, int arg, const char *name);
bool form_flag(lua_State *L, int arg, const char *name);
void form_only(lua_State *L, int arg, const char *const names[]);
void form_open_how(lua_State *L, int arg, Args *a);
void form_event(lua_State *L, int arg, Args *a);
void form_fds(lua_State *L, int arg, Args *a);
void form_waitv(lua_State *L, int arg, Args *a);
void form_settle_waitv(lua_State *L, Args *a);
void form_own_waitv(lua_State *L, Op *op, const Args *a);
void form_option(lua_State *L, int arg, bool raw, Args *a);
int form_ctl(lua_State *L, int arg);
void form_push_siginfo(lua_State *L, const void *info);
void form_push_events(lua_State *L, const struct epoll_event *ev, int n);

/* ---- sock.c ----------------------------------------------------------- */

void sock_open(lua_State *L, State *S);

/* ---- sys.c ------------------------------------------------------------ */

void sys_open(lua_State *L, State *S);

/* ---- args.c ----------------------------------------------------------- */

/* What poll_update does to the record of the other operation. */
typedef struct Renewal {
  uint64_t target;     /* its user_data */
  uint64_t data;       /* its new data64 */
  bool renew;          /* there is one */
} Renewal;

/*
** The arguments of one operation, as read from the Lua stack.  Pointers go
** into Lua values until args_own has copied or counted what must outlive
** the call.  Only 'name' is not cleared before reading.
*/
struct Args {
  int fd, fd2;
  Fd *own[2];          /* the objects behind fd and fd2 */
  bool fixed, fixed2;  /* fd, fd2 is a slot of the ring's table */
  const char *path[2];
  Block *block;        /* memory behind buf */
  void *buf;
  size_t len;
  bool want;           /* len bytes asked for, to be returned as a string */
  int anchor;          /* stack index of a string or table to keep */
  int list;            /* stack index of a list of buffers or strings */
  struct iovec *iov;
  unsigned niov;
  uint64_t offset, offset2, length;
  unsigned flags, flags2, mode, mask, count;
  uint32_t slot;       /* for a new descriptor: slot + 1, or U_SLOT_ALLOC */
  unsigned index;      /* of a registered buffer, or a group of buffers */
  Group *group;        /* whose buffers it takes */
  int bufring;         /* stack index of its object */
  bool takes;          /* provided buffers, whoever's */
  bool many;           /* it is a multishot */
  bool message;        /* it has a msghdr ... */
  bool nameless;       /* ... without room for a name */
  const char *control; /* control messages to be sent */
  size_t controlsize;  /* of these, or room for those that come */
  int rights;          /* stack index of the descriptors to be sent */
  struct msghdr *msg;
  int how, domain, type, protocol;
  uint64_t target;     /* user_data of another operation, or a message */
  bool renew;          /* that one gets newdata as its data64 */
  uint64_t newdata;
  const void *temp;    /* a structure for the kernel to read ... */
  size_t tempsize;     /* ... of so many bytes */
  int waitv;           /* stack index of the buffers that it points to */
  size_t at;           /* where buf begins in the buffer */
  void *out;           /* a structure for the kernel to fill */
  struct statx *statx;
  struct sockaddr *addr; /* to connect to, or room for the peer's */
  socklen_t *addrlen;    /* room for its length */
  socklen_t addrsize;
  int buffer;          /* stack index of the buffer behind block */
  struct __kernel_timespec *ts;
  struct __kernel_timespec time;
  Addr name;
  union {              /* what temp points to, when it is small */
    OpenHow how;
    struct epoll_event event;
    int number;
    unsigned char bytes[80];
  } form;
};

void args_read(lua_State *L, const OpDef *def, int first, Ring *r, bool raw,
               Args *a);
void args_settle(lua_State *L, Args *a);
void args_buffer(lua_State *L, int arg, bool raw, Args *a);
void args_list(lua_State *L, int arg, bool writing, Args *a);
void args_data(lua_State *L, int arg, Args *a);
uint64_t args_target(lua_State *L, int arg, Ring *r);
lua_Integer args_int(lua_State *L, int arg, lua_Integer low,
                     lua_Integer high);
lua_Integer args_optint(lua_State *L, int arg, lua_Integer def,
                        lua_Integer low, lua_Integer high);
int64_t args_seconds(lua_State *L, int arg);
int64_t args_optseconds(lua_State *L, int arg, int64_t def);

#define MAX_U32 0xffffffffLL

/* ---- own.c ------------------------------------------------------------ */

bool args_own(lua_State *L, Op *op, Args *a);

/* ---- ops.def, sqe.c --------------------------------------------------- */

/* What an operation's result is, to Lua. */
typedef enum {
  RES_COUNT,           /* a number of bytes or things */
  RES_DONE,            /* true */
  RES_DATA,            /* bytes read: a count, or a string */
  RES_FD,              /* a new descriptor: an Fd object */
  RES_ACCEPT,          /* the same, and the peer's address */
  RES_STATX,           /* a table */
  RES_TIMEOUT,         /* true, although the kernel says ETIME */
  RES_DIRECT,          /* a new descriptor in the ring's table: an Fd */
  RES_ACCEPT_DIRECT,   /* the same, and the peer's address */
  RES_PIPE,            /* two new descriptors: the read and the write end */
  RES_PIPE_DIRECT,     /* the same, in the ring's table */
  RES_SLOTS,           /* descriptors put into the table: a list of Fds */
  RES_OPTION,          /* of a socket: an integer, a string, or a count */
  RES_NAME,            /* an address */
  RES_EVENTS,          /* a list of epoll events */
  RES_SIGINFO,         /* a table; false when no child has changed */
  RES_INDEX,           /* a place in a list, counted from 1 */
  RES_UPDATE,          /* true; gives another operation new data */
  RES_CHAIN,           /* a list of results */
  RES_MESSAGE,         /* bytes read and what came with them */
  RES_SENT             /* bytes sent, over several completions */
} ResultKind;

struct OpDef {
  const char *name;
  uint8_t opcode;
  uint8_t result;
  const char *args;    /* a letter for each argument's kind */
  void (*prep)(struct io_uring_sqe *sqe, const Args *a);
};

extern const OpDef op_defs[];
extern const unsigned op_count;

const OpDef *op_def(const char *name);
bool op_known(Ring *r, const OpDef *def);
int sqe_push(lua_State *L, Ring *r);
Op *sqe_op(lua_State *L, int arg);
Op *sqe_find(lua_State *L, int arg, Ring *r);
void sqe_open(lua_State *L, State *S);

/* ---- op.c ------------------------------------------------------------- */

#define OP_INLINE 136  /* bytes of an operation's own memory */

enum {                 /* Op.state */
  OP_KERNEL = 1,       /* the terminal completion has not come */
  OP_WAITED = 2,       /* somebody will take the result */
  OP_DONE = 4,         /* res and flags are the result */
  OP_TAKEN = 8,        /* what the result owns has got another owner */
  OP_RAW = 16,         /* made by get_sqe: completions go to Ring.raw */
  OP_CANCEL = 32,      /* cancellation was asked for */
  OP_NUMBER = 64       /* the result is the kernel's number and flags */
};

/*
** An operation: a record in C memory that lives until the kernel has posted
** its terminal completion and nobody waits for the result any more.
*/
struct Op {
  Slot slot;
  int anchor;          /* registry: what must not be collected; 0: no place */
  int fd;              /* for messages; -1 when there is none */
  Ring *ring;
  int64_t since;       /* when it was prepared */
  int32_t res;
  uint32_t flags;
  uint32_t number;     /* place in the submission queue */
  Link cancels;        /* in Ring.cancels or Ring.stubborn */
  FdUse use[2];
  /* from here to 'mem' zero in a new one */
  const OpDef *def;    /* NULL for an entry that was not prepared */
  Task *task;          /* who is resumed */
  uint8_t state;
  uint8_t kind;        /* ResultKind */
  bool pooled;         /* block belongs to the ring's pool */
  bool anchored;       /* there is a value at 'anchor' */
  bool fixed;          /* works on a slot of the ring's table */
  uint8_t tries;       /* cancellations that did not stop it */
  uint16_t used;       /* bytes taken from mem */
  uint32_t place;      /* for a new descriptor, Args.slot */
  uint32_t at;         /* of the last completion: where its bytes begin */
  unsigned nout;       /* structures at 'out' */
  unsigned nblocks;    /* how many 'blocks' */
  unsigned queued;     /* its completions in Ring.raw */
  const char *path;    /* for messages */
  const Addr *addr;    /* likewise, or the peer of an accept */
  struct statx *statx;
  Group *group;        /* whose buffers it takes; it has a reference */
  unsigned want;       /* bytes to be returned as a string */
  Multi *multi;        /* its completions go there */
  Message *message;    /* what its msghdr is part of */
  Chain *chain;        /* this is the master of one */
  Op *master;          /* it is a member of that one's */
  void *out;           /* Args.out */
  uint64_t data64;     /* set_data64 */
  Block *block;        /* memory given to the kernel ... */
  Block **blocks;      /* ... or a list of such */
  void *more;          /* chain of further memory */
  _Alignas(16) char mem[OP_INLINE];
};

void op_reserve(lua_State *L, Ring *r);
Op *op_new(lua_State *L, Ring *r, const OpDef *def, Args *a, bool raw);
void op_load(lua_State *L, Op *op, const OpDef *def, Args *a);
void op_unload(lua_State *L, Op *op);
void op_select(Op *op, Group *g);
void op_unuse(Op *op);
void *op_alloc(Op *op, size_t size);
struct io_uring_sqe *op_submit(lua_State *L, Op *op, const Args *a);
void op_prep(Op *op, struct io_uring_sqe *sqe, const Args *a);
void op_complete(lua_State *L, Op *op, int res, unsigned flags);
void op_cancel(Op *op);
void op_drop(lua_State *L, Op *op, int holder);
void op_abandon(lua_State *L, Op *op);
int op_result(lua_State *L, State *S, Op *op);
const char *op_what(const Op *op, char *out, size_t size);
uint64_t op_tag(const Op *op);

/* ---- oplib.c ---------------------------------------------------------- */

/* What op.with adds to an operation. */
typedef struct With {
  unsigned flags;      /* IOSQE_ */
  unsigned ioprio, personality;
} With;

lua_CFunction op_function(const OpDef *def);

int op_unsupported(lua_State *L, const OpDef *def);
int op_closing(lua_State *L, const OpDef *def, const Fd *f);
void op_push(lua_State *L, State *S, const OpDef *def);
void op_open(lua_State *L, State *S);

/* ---- result.c --------------------------------------------------------- */

void result_effect(Op *op);
void result_dispose(const Op *op, int res, unsigned flags);
void result_replaced(Op *op, unsigned slot, unsigned n);
void result_return(const Op *op, unsigned at, int res, unsigned flags);
int result_push(lua_State *L, State *S, Op *op);
void result_value(lua_State *L, Op *op, int res);

/* ---- msg.c, recvmsg.c ------------------------------------------------- */

/* In the operation's memory. */
struct Message {
  struct msghdr hdr;   /* first: the kernel gets its address */
  struct iovec one;    /* when the data is in one piece */
  Addr peer;           /* room for a name */
  size_t room;         /* bytes for control messages */
  unsigned nuses;
  FdUse uses[];        /* descriptors to be sent */
};

void msg_read(lua_State *L, int arg, Args *a);
void msg_read_room(lua_State *L, int arg, bool many, Args *a);
bool msg_own(lua_State *L, Op *op, Args *a);
void msg_unuse(Op *op);
void msg_free(Op *op);
void msg_dispose(const Op *op, int res, unsigned flags);
int msg_push(lua_State *L, State *S, Op *op);
void msg_value(lua_State *L, const Op *op, int res);

/* ---- chain.c ---------------------------------------------------------- */

/* An entry that is not in the queue yet. */
typedef struct ChainSqe {
  struct io_uring_sqe sqe[2];  /* room for SQE128 */
} ChainSqe;

void with_check(lua_State *L, int arg, const With *with, Args *a);
void with_apply(struct io_uring_sqe *sqe, const With *with);
void chain_done(lua_State *L, Op *member);
void chain_cancel(const Chain *c);
void chain_free(lua_State *L, Op *master);
void chain_replaced(const Op *op, unsigned slot, unsigned n);
int chain_push(lua_State *L, State *S, Op *master);
void chain_open(lua_State *L, State *S);

/* ---- multi.c, multilib.c ---------------------------------------------- */

/* A completion that nobody has asked for yet. */
typedef struct Item {
  int32_t res;
  uint32_t flags, at;
} Item;

typedef enum {
  MULTI_ARMED,         /* the kernel has it */
  MULTI_PAUSED,        /* the queue is long */
  MULTI_STARVED,       /* no buffer */
  MULTI_RESTING,       /* no descriptor; a timer runs */
  MULTI_ENDED
} MultiState;

struct Multi {
  unsigned refs;       /* the object, the operation's record */
  Op *op;              /* NULL when there is no record any more */
  MultiState state;
  bool pausing;        /* cancelled because the queue is long */
  bool closed;         /* nobody wants any more */
  int error;           /* that has ended it; 0 for its natural end */
  Link waiters;        /* tasks */
  Link starved;        /* in Group.starved */
  Timer timer;
  int64_t rest;
  uint32_t left;       /* of a timeout: how often; 0 for ever */
  Item *items;         /* circular queue */
  unsigned head, count, size;
  struct io_uring_sqe sqe;
};

void multi_unref(Multi *m);
void multi_pop(Multi *m);
void multi_arm(Multi *m);
void multi_end(Multi *m, int error);
void multi_resume(Multi *m);
void multi_rested(Timer *t);
void multi_wake(Group *g);
void multi_wake_all(Multi *m);
void multi_cancel(Multi *m);
void multi_complete(lua_State *L, Op *op, int res, unsigned flags);
void multi_detach(Op *op, bool dispose);
int multi_start(lua_State *L, State *S, const OpDef *def, const With *with);
void multi_open(lua_State *L, State *S);

/* ---- cqe.c ------------------------------------------------------------ */

/*
** user_data of everything we submit: generation (32) | slot (24) | kind (8).
** What a script sends to a ring, or has it say when a registered thing is
** free, is a number of 56 bits before the kind: it cannot name an operation.
*/
enum { TAG_OP = 1, TAG_CANCEL = 2, TAG_MESSAGE = 3 };

#define MESSAGE_MAX ((INT64_C(1) << 55) - 1)
#define MESSAGE_MIN (-MESSAGE_MAX - 1)

static inline uint64_t message_tag(int64_t data) {
  return (uint64_t)data << 8 | TAG_MESSAGE;
}

static inline int64_t message_data(uint64_t tag) {
  return (int64_t)tag >> 8;
}

/* A completion of the raw layer, off the kernel's queue. */
typedef struct RawCqe {
  Op *op;              /* NULL for a message */
  int64_t data;        /* of a message */
  uint64_t extra[2];   /* of a completion of 32 bytes */
  bool wide;           /* it is one */
  int32_t res;
  uint32_t flags;
  uint32_t at;         /* where its bytes begin in a provided buffer */
} RawCqe;

unsigned cqe_reap(lua_State *L, Ring *r);
void cqe_dispose(RawCqe *c);
int cqe_push(lua_State *L, Ring *r);
int l_cqe_each(lua_State *L);
bool cqe_range(lua_State *L, int arg, unsigned *id, unsigned *at,
               unsigned *len);
void cqe_open(lua_State *L, State *S);

/* ---- ring.c, submit.c, setup.c, ringlib.c ----------------------------- */

typedef struct Stats {
  uint64_t submitted, completed, enters, stale, cancels, resumes, spawned;
} Stats;

struct Ring {
  struct io_uring uring;
  State *state;
  bool open;
  bool busy;           /* inside a turn */
  bool registered;     /* its descriptor is, by register_ring_fd */
  bool no_iowait;      /* waits with IORING_ENTER_NO_IOWAIT */
  bool own_memory;     /* of its queues, which liburing does not know */
  size_t sqes_size;    /* bytes of that for entries */
  bool disabled;       /* made with r_disabled, and not enabled since */
  unsigned pins;       /* awaits in place: not to be closed under them */
  unsigned fork_count; /* of the process it was made in */
  size_t sqe_size;
  Slab ops;
  unsigned active;     /* operations that the kernel has or will get */
  Link cancels;        /* operations to be cancelled at the next enter */
  Link stubborn;       /* those to be cancelled again at 'retry' */
  int64_t retry;       /* ns */
  int event;           /* eventfd of pollfd + 1; 0 when there is none */
  Link backlog;        /* entries that found the submission queue full */
  Pool pool;
  RawCqe *raw;         /* circular queue of the raw layer */
  unsigned raw_head, raw_count, raw_size;
  struct io_uring_probe *probe;
  Link directs;        /* Fds of its table of descriptors */
  Block **fixed;       /* registered buffers; NULL for a hole */
  unsigned nfixed;
  Group *groups;       /* buffer rings that it knows */
  Group *spare;        /* of these, the one of its own */
  bool no_spare;       /* it has been tried */
  Block **kept;        /* memory the kernel may use until the end */
  unsigned nkept;
  /* sched.c */
  Link ready;          /* tasks to resume, first come first served */
  unsigned nready;
  Heap timers;
  unsigned ntasks;     /* started and not ended */
  int64_t now;         /* time at the last turn, ns */
  Stats stats;
};

struct io_uring_sqe *ring_sqe(Ring *r, Op *op);
void ring_cancel_again(Ring *r, Op *op);
bool ring_needs_enter(const Ring *r);
void submit_drop_backlog(lua_State *L, Ring *r);
bool ring_chain(Ring *r, Op **ops, const ChainSqe *sqes, unsigned n);
unsigned ring_flush(Ring *r);
int ring_submit(Ring *r);
int ring_wait(Ring *r, unsigned want, int64_t timeout);
void ring_close(lua_State *L, int index, int64_t patience);
void ring_refuse(lua_State *L, const Ring *r);
bool ring_dying(lua_State *L, const Ring *r);
Ring *ring_check(lua_State *L, int arg);
void ring_push(lua_State *L, const Ring *r);
bool ring_keep(Ring *r, Block *b);
Ring *ring_default(lua_State *L, State *S);
void setup_open(lua_State *L, State *S);
void ring_open(lua_State *L, State *S);

/* Raise unless the ring is open and this process's own [-0, +0, e]. */
static inline void ring_usable(lua_State *L, const Ring *r) {
  if (!r->open || r->fork_count != fork_count)
    ring_refuse(L, r);
}

enum { RING_DATA = 1, RING_TASKS = 2 };  /* user values */

#define FOREVER INT64_MAX
#define SECOND INT64_C(1000000000)

/* ---- register.c, tune.c, enter.c -------------------------------------- */

int reg_call(Ring *r, unsigned opcode, void *arg, unsigned n);
int reg_result(lua_State *L, int rc, const char *what, unsigned opcode);
void register_open(lua_State *L, State *S);
void tune_open(lua_State *L, State *S);
void enter_open(lua_State *L, State *S);

/* ---- map.c ------------------------------------------------------------ */

int map_init(Ring *r, unsigned entries, struct io_uring_params *p);
bool map_by_hand(const Ring *r);
int map_enter(Ring *r, unsigned want, int64_t timeout, bool events);
void map_exit(Ring *r);
void map_open(lua_State *L, State *S);

/* ---- sched.c ---------------------------------------------------------- */

typedef enum {
  TASK_READY, TASK_RUNNING, TASK_WAITING, TASK_DONE, TASK_FAILED, TASK_LOST
} TaskState;

typedef enum {         /* what a waiting task waits for */
  WAIT_START, WAIT_OP, WAIT_SLEEP, WAIT_PARK, WAIT_JOIN, WAIT_CLOSE,
  WAIT_YIELD, WAIT_MULTI
} WaitKind;

typedef enum { WOKE_NORMAL, WOKE_TIMEOUT, WOKE_CANCEL } WakeReason;

struct Task {
  Link link;           /* in the ready queue or the list of what it awaits */
  lua_State *co;
  lua_State *leaf;     /* coroutine inside it that may await; NULL: in place */
  Ring *ring;          /* NULL once it has ended */
  Op *op;              /* the operation it awaits, until taken */
  Timer timer;
  Link joiners;        /* tasks that wait for its end */
  uint32_t id;         /* place in the ring's task table */
  uint8_t state, wait, woke;
  bool cancelled;      /* every await raises the cancel value */
  bool failed;         /* its function raised an error */
  bool inward;         /* resumed, and the leaf does not run yet */
  bool here;           /* stands for the main chunk, which waits in place */
  bool driven;         /* the main chunk waits for its end */
  bool observed;       /* somebody waited when it ended */
  int nargs;           /* values on co's stack for the next resume */
  int64_t since;       /* when it began to wait */
  const char *what;    /* what it is parked for; on the leaf's stack */
};

enum {                 /* user values of a task */
  TASK_CO = 1, TASK_OWNER, TASK_NAME, TASK_TRACE, TASK_CANCEL, TASK_LEAF,
  TASK_VALUES = TASK_LEAF
};

int64_t sched_clock(void);
void sched_push(lua_State *L, const Task *t);
void sched_ready(lua_State *L, State *S);
Ring *sched_ring(lua_State *L, State *S);
Task *sched_yielder(lua_State *L, State *S);
Task *sched_resumed(lua_State *L, State *S);
int sched_park(lua_State *L, Task *t, WaitKind wait, int64_t until,
               lua_KFunction k);
void sched_wake(Task *t, WakeReason why);
void sched_start(Task *t);
void sched_again(lua_State *L, Task *t);
void sched_interrupt(Task *t);
int sched_await(lua_State *L, State *S, Op *op);
void sched_in_place(lua_State *L, State *S, Ring *r);
void sched_settle(lua_State *L, State *S, Fd *f);
int sched_turn(lua_State *L, Ring *r, int64_t timeout);

/* ---- task.c ----------------------------------------------------------- */

Task *task_check(lua_State *L, int arg);
Task *task_new(lua_State *L);
void task_unlist(lua_State *L, Ring *r, Task *t);
void task_forget(lua_State *L, Ring *r);
void task_open(lua_State *L, State *S);

static inline bool task_ended(const Task *t) {
  return t->state >= TASK_DONE;
}

/* ---- hook.c ----------------------------------------------------------- */

int hook_run(lua_State *L);
void hook_check(lua_State *L);

/* ---- wait.c ----------------------------------------------------------- */

void wait_open(lua_State *L, State *S);

/* ---- inspect.c -------------------------------------------------------- */

void task_deadlock(lua_State *L, Ring *r);
void inspect_open(lua_State *L, State *S);

/* ---- guest.c ---------------------------------------------------------- */

void guest_turn(Ring *r);
void guest_close(Ring *r);
void guest_open(lua_State *L, State *S);

/* ---- coro.c ----------------------------------------------------------- */

void coro_hold(lua_State *L, const Task *t);
void coro_open(lua_State *L, State *S);

/* ---- timer.c ---------------------------------------------------------- */

int timer_fire(lua_State *L, Ring *r, Timer *t);
void timer_forget(lua_State *L, int arg);
void timer_open(lua_State *L, State *S);

/* ---- debug.c ---------------------------------------------------------- */

bool debug_place(lua_State *L, const State *S, char *out, size_t size);
void debug_opened(lua_State *L, State *S, Fd *f);
void debug_closing(lua_State *L, State *S, Fd *f, const char *how);
int debug_bad_fd(lua_State *L, const State *S, const char *op,
                 const char *what, int fd);
bool debug_closed(const State *S, int fd);
void debug_ran(lua_State *L, State *S, const Task *t, int64_t since);
void debug_trace(lua_State *L, State *S, const char *event, const char *op,
                 const char *what, int64_t span, const int32_t *res);
int debug_hook(lua_State *L, int *ref);
void debug_open(lua_State *L, State *S);

/* ---- const.c, module.c ------------------------------------------------ */

void const_open(lua_State *L, State *S);
const void *unit_type(lua_State *L, State *S, const char *name,
                      const luaL_Reg *methods, const luaL_Reg *meta);
void unit_methods(lua_State *L, State *S, const char *name,
                  const luaL_Reg *methods);

__attribute__((visibility("default"))) int luaopen_uring_core(lua_State *L);

#endif
