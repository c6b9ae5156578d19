/* SPDX-License-Identifier: MIT
**
** op.h - operations: their arguments, the table, the record, results,
** and the kinds with more than one completion.  Part of uring.h.
*/

#ifndef URING_OP_H
#define URING_OP_H

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
  int held;            /* stack index of a list with further descriptors */
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
  RES_SENT,            /* bytes sent, over several completions */
  RES_STAMP            /* when a packet was sent */
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
void sqe_check_ioprio(lua_State *L, int arg, const OpDef *def,
                      unsigned value);
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
  OP_NUMBER = 64,      /* the result is the kernel's number and flags */
  OP_SKIP = 128        /* raw, and its script does not want a success */
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
  uint64_t number;     /* of its entry: Ring.placed before */
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
  bool named;          /* set_data has kept a value for it */
  bool bundle;         /* takes several provided buffers at once */
  bool late;           /* may begin after what was submitted later */
  bool deferred;       /* it is to close what others may still begin with */
  uint8_t tries;       /* cancellations that did not stop it */
  uint16_t used;       /* bytes taken from mem */
  uint32_t place;      /* for a new descriptor, Args.slot */
  uint32_t at;         /* of the last completion: where its bytes begin */
  uint32_t serial;     /* of the result: how many there were before */
  uint64_t extra;      /* of the result: 'at'; or of RES_STAMP the ns */
  unsigned nout;       /* structures at 'out' */
  unsigned nblocks;    /* how many 'blocks' */
  unsigned nheld;      /* how many 'held' */
  unsigned queued;     /* its completions in Ring.raw */
  const char *path;    /* for messages */
  const Addr *addr;    /* likewise, or the peer of an accept */
  struct statx *statx;
  Group *group;        /* whose buffers it takes; it has a reference */
  uint16_t from;       /* the number of that group, known or not ... */
  bool selects;        /* ... if it takes provided buffers */
  unsigned want;       /* bytes to be returned as a string */
  Multi *multi;        /* its completions go there */
  Message *message;    /* what its msghdr is part of */
  Chain *chain;        /* this is the master of one */
  Op *master;          /* it is a member of that one's */
  void *out;           /* Args.out */
  uint64_t data64;     /* set_data64; or of the last RES_STAMP the ns */
  Block *block;        /* memory given to the kernel ... */
  Block **blocks;      /* ... or a list of such */
  FdUse *held;         /* descriptors in a list that it was given */
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

/* Which result was looked at: making an object for it may run finalisers. */
typedef struct Claim {
  uint32_t generation, serial;
} Claim;

Claim result_claim(const Op *op);
bool result_claimed(const Op *op, Claim c);
bool result_take(Op *op, Claim c);
void result_effect(Op *op);
void result_dispose(const Op *op, int res, unsigned flags);
void result_drop(Op *op);
void result_replaced(Op *op, unsigned slot, unsigned n);
void result_return(const Op *op, unsigned at, int res, unsigned flags);
int result_push(lua_State *L, State *S, Op *op);
void result_value(lua_State *L, Op *op, int res, unsigned flags, unsigned at);
void result_own(lua_State *L, State *S, int kind, int value);

/* ---- msg.c, recvmsg.c ------------------------------------------------- */

/* In the operation's memory. */
struct Message {
  struct msghdr hdr;   /* first: the kernel gets its address */
  struct iovec one;    /* when the data is in one piece */
  Addr peer;           /* room for a name */
  size_t room;         /* bytes for control messages */
  bool many;           /* the whole of it goes into a provided buffer */
};

void msg_read(lua_State *L, int arg, Args *a);
void msg_read_room(lua_State *L, int arg, bool many, Args *a);
bool msg_own(Op *op, Args *a);
void msg_free(Op *op);
void msg_room(Op *op);
size_t msg_length(const Op *op, int res, unsigned flags);
void msg_dispose(const Op *op, int res, unsigned flags);
int msg_push(lua_State *L, Op *op);
void msg_value(lua_State *L, const Op *op, int res, unsigned flags,
               unsigned at);
void msg_adopt(lua_State *L, State *S, int index);

/* ---- chain.c, with.c, late.c ------------------------------------------ */

/* An entry that is not in the queue yet. */
typedef struct ChainSqe {
  struct io_uring_sqe sqe[2];  /* room for SQE128 */
} ChainSqe;

With with_read(lua_State *L, int arg);
void with_check(lua_State *L, int arg, const OpDef *def, const With *with,
                Args *a);
void with_apply(Op *op, struct io_uring_sqe *sqe, const With *with);
void chain_done(lua_State *L, Op *member);
void chain_cancel(const Chain *c);
void chain_free(lua_State *L, Op *master);
void chain_replaced(const Op *op, unsigned slot, unsigned n);
int chain_push(lua_State *L, State *S, Op *master);
void chain_open(lua_State *L, State *S);
void with_open(lua_State *L, State *S);
void late_check(Ring *r);
const Fd *late_closed(const Op *op);

/* ---- multi.c, multilib.c ---------------------------------------------- */

/* A completion that nobody has asked for yet. */
typedef struct Item {
  int32_t res;
  uint32_t flags;
  uint64_t extra;      /* Op.extra */
} Item;

typedef enum {
  MULTI_ARMED,         /* the kernel has it */
  MULTI_PAUSED,        /* the queue is long */
  MULTI_STARVED,       /* no buffer */
  MULTI_RESTING,       /* no descriptor, or no slot for one; a timer runs */
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
  Link starved;        /* in Group.starved, or Ring.slotless */
  Timer timer;
  int64_t rest;
  bool single;         /* the table was full: one connection at a time */
  bool slot;           /* there may be a slot for the next */
  uint32_t left;       /* of a timeout: how often; 0 for ever */
  Item *items;         /* circular queue */
  unsigned head, count, size;
  struct io_uring_sqe sqe;
};

void multi_unref(Multi *m);
bool multi_reserve(Multi *m);
void multi_pop(Multi *m);
void multi_renew(Ring *r);
void multi_arm(Multi *m);
void multi_end(Multi *m, int error);
void multi_resume(Multi *m);
void multi_rested(Timer *t);
void multi_wake(Group *g);
void multi_slots(Ring *r, unsigned n);
void multi_wake_all(Multi *m);
void multi_cancel(Multi *m);
void multi_complete(lua_State *L, Op *op, int res, unsigned flags);
void multi_detach(Op *op, bool dispose);
int multi_start(lua_State *L, State *S, const OpDef *def, const With *with);
void multi_open(lua_State *L, State *S);

/* ---- reap.c, cqe.c ---------------------------------------------------- */

/*
** user_data of everything we submit: generation (32) | slot (24) | kind (8).
** What a script sends to a ring, or has it say when a registered thing is
** free, is a number of 56 bits before the kind: it cannot name an operation.
** Nor can that of an operation without a record, whose success is skipped.
*/
enum { TAG_OP = 1, TAG_CANCEL = 2, TAG_MESSAGE = 3, TAG_SKIP = 4 };

#define MESSAGE_MAX ((INT64_C(1) << 55) - 1)
#define MESSAGE_MIN (-MESSAGE_MAX - 1)

static inline uint64_t message_tag(int64_t data) {
  return (uint64_t)data << 8 | TAG_MESSAGE;
}

static inline uint64_t skip_tag(int64_t data) {
  return (uint64_t)data << 8 | TAG_SKIP;
}

static inline int64_t message_data(uint64_t tag) {
  return (int64_t)tag >> 8;
}

/* A completion of the raw layer, off the kernel's queue. */
typedef struct RawCqe {
  Op *op;              /* NULL when it has no record */
  int64_t data;        /* then its number */
  bool message;        /* it is no operation's of this ring */
  uint64_t extra[2];   /* of a completion of 32 bytes */
  bool wide;           /* it is one */
  bool reserved;       /* its buffers are: see cqe_reserve */
  int32_t res;
  uint32_t flags;
  uint32_t at;         /* where its bytes begin in a provided buffer ... */
  int32_t len;         /* ... and how many are there; else as res */
} RawCqe;

unsigned cqe_reap(lua_State *L, Ring *r);
void cqe_dispose(RawCqe *c);
void cqe_reserve(const RawCqe *c, bool reserved);
void cqe_release(lua_State *L, Ring *r, Op *op);
int cqe_push(lua_State *L, Ring *r);
int cqe_push_list(lua_State *L, Ring *r, unsigned n);
int l_cqe_each(lua_State *L);
bool cqe_range(lua_State *L, int arg, unsigned *id, unsigned *at,
               unsigned *len);
void cqe_open(lua_State *L, State *S);

#endif
