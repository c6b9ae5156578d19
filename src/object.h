/* SPDX-License-Identifier: MIT
**
** object.h - what operations work on: memory, buffer rings, descriptors,
** addresses, and the readers and makers of their Lua forms.  Part of uring.h.
*/

#ifndef URING_OBJECT_H
#define URING_OBJECT_H

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
  bool mapped;         /* by us: it is not malloc's */
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

Block *block_new(size_t size, size_t align);
void block_unref(Block *b);
Block *block_hold(Block *b);
void block_release(Block *b);
void pool_prime(void);
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
  uint32_t lent;       /* of these, buffer objects, or not taken yet */
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
bool group_bundles(const OpDef *def, unsigned ioprio);
bool group_has(const Group *g, unsigned id);
unsigned group_room(const Group *g, unsigned id);
unsigned group_taken(Group *g, unsigned id, unsigned len, bool more);
void group_return(Group *g, unsigned id, unsigned at, unsigned len);
void group_reserve(Group *g, unsigned id, unsigned at, unsigned len,
                   bool reserved);
void group_unshare(Group *g, unsigned id);
void group_each(Group *g, unsigned id, unsigned at, unsigned len,
                void (*visit)(Group *, unsigned, const char *, unsigned,
                              void *), void *arg);

Group *bufring_test(lua_State *L, int arg);
Group *bufring_arg(lua_State *L, int arg, const Ring *r);
char *bufring_room(lua_State *L, const Group *g, unsigned id, unsigned at,
                   unsigned len);
void bufring_string(lua_State *L, Group *g, unsigned id, unsigned at,
                    unsigned len, char *room);
void bufring_check(lua_State *L, const Group *g, unsigned ioprio,
                   unsigned flags);
int bufring_reserve(lua_State *L, Group *g, unsigned id, unsigned at,
                    unsigned len);
void bufring_lend(lua_State *L, Group *g, unsigned id, unsigned at,
                  unsigned len, int n);
void bufring_release(Block *b);
void bufring_open(lua_State *L, State *S);

/* ---- fd.c ------------------------------------------------------------- */

typedef enum { FD_OPEN, FD_CLOSING, FD_CLOSED, FD_DETACHED } FdState;

/* Directions of a stream, each for one task at a time. */
enum { LANE_IN, LANE_OUT, LANES, LANE_NONE = LANES };

/* Who is in a lane: an operation whose result was not taken yet. */
typedef struct Lane {
  uint32_t ring;       /* Ring.number */
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
  uint8_t pollable;    /* may one wait long for data?  See fd_pollable */
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
unsigned fd_updated(const int *fds, unsigned n, int rc);
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
void form_settle_fds(lua_State *L, const Args *a);
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

#endif
