/* SPDX-License-Identifier: MIT
**
** loop.h - rings, and the loop that runs tasks on them.  Part of uring.h.
*/

#ifndef URING_LOOP_H
#define URING_LOOP_H

/* ---- ring.c, submit.c, setup.c, ringlib.c ----------------------------- */

typedef struct Stats {
  uint64_t submitted, completed, enters, stale, cancels, resumes, spawned;
} Stats;

struct Ring {
  struct io_uring uring;
  State *state;
  Link link;           /* in State.all */
  uint32_t number;     /* no other ring of the state has, or had; not 0 */
  bool open;
  bool busy;           /* inside a turn */
  bool registered;     /* its descriptor is, by register_ring_fd */
  bool no_iowait;      /* waits with IORING_ENTER_NO_IOWAIT */
  bool own_memory;     /* of its queues, which liburing does not know */
  size_t sqes_size;    /* bytes of that for entries */
  bool disabled;       /* made with r_disabled, and not enabled since */
  bool shared;         /* another ring has the same thread of SQPOLL */
  dev_t dev;           /* what its descriptor is */
  ino_t ino;
  pid_t thread;        /* that made it, or enabled it */
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
  bool skips;          /* new entries may have IOSQE_CQE_SKIP_SUCCESS */
  bool checks;         /* late.c has to look at them */
  bool drains;         /* one has had IOSQE_IO_DRAIN */
  Pool pool;
  RawCqe *raw;         /* circular queue of the raw layer */
  unsigned raw_head, raw_count, raw_size;
  uint64_t raw_taken;  /* how many were ever taken off it */
  unsigned messages;   /* of what is in it */
  unsigned promised;   /* of these, to tasks that are ready */
  Link receivers;      /* tasks that wait for one */
  bool stalled;        /* the last reaping found no memory for something */
  bool stamped;        /* there was a multishot of times of packets */
  struct io_uring_probe *probe;
  Link directs;        /* Fds of its table of descriptors */
  Link slotless;       /* multishots that wait for a slot of it */
  unsigned emptied;    /* slots that nobody has taken since it was full */
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
  uint64_t placed;     /* number of the next entry of the queue, from 1 */
  Stats stats;
};

struct io_uring_sqe *ring_sqe(Ring *r, Op *op);
void ring_cancel_again(Ring *r, Op *op);
bool ring_needs_enter(const Ring *r);
void submit_drop_backlog(lua_State *L, Ring *r);
unsigned ring_longest(const Ring *r);
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

/*
** Entries are numbered as they come; from this number on the kernel has not
** been shown them.
*/
static inline uint64_t ring_unseen(const Ring *r) {
  return r->placed - (r->uring.sq.sqe_tail - r->uring.sq.sqe_head);
}

/* The entry of that number, which the kernel has not been shown yet. */
static inline struct io_uring_sqe *ring_entry(const Ring *r, uint64_t number) {
  const struct io_uring_sq *sq = &r->uring.sq;
  int shift = (r->uring.flags & IORING_SETUP_SQE128) != 0;
  uint32_t place = sq->sqe_tail - (uint32_t)(r->placed - number);
  return &sq->sqes[(place & sq->ring_mask) << shift];
}

/* The operation whose op_tag that is; NULL when it is gone. */
static inline Op *op_find(const Ring *r, uint64_t tag) {
  return slab_find(&r->ops, (uint32_t)(tag >> 8) & SLAB_MAXSLOTS,
                   (uint32_t)(tag >> 32));
}

enum { RING_DATA = 1, RING_TASKS = 2 };  /* user values */

#define FOREVER INT64_MAX
#define SECOND INT64_C(1000000000)

/* ---- ident.c ---------------------------------------------------------- */

void ident_note(Ring *r);
bool ident_fd(const Ring *r);
int ident_push(lua_State *L, const Ring *r, int code, const char *call);
int ident_fail(lua_State *L, const Ring *r, int code, const char *call);

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
  WAIT_YIELD, WAIT_MULTI, WAIT_END, WAIT_NURSERY, WAIT_MESSAGE
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
  Nursery *nursery;    /* it began in, until it has ended; or NULL */
  Link sibling;        /* in Nursery.tasks */
  uint32_t id;         /* place in the ring's task table */
  uint8_t state, wait, woke;
  bool cancelled;      /* every await raises the cancel value */
  bool failed;         /* its function raised an error */
  bool thrown;         /* the error is on its way out */
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
  TASK_NURSERY, TASK_VALUES = TASK_NURSERY
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
bool sched_wake_one(Link *waiters);
void sched_start(Task *t);
void sched_again(lua_State *L, Task *t);
void sched_interrupt(Task *t);
int sched_await(lua_State *L, State *S, Op *op);
bool sched_stopped(const Task *t, const Op *op);
int sched_timers(lua_State *L, Ring *r);
int64_t sched_patience(const Ring *r, int64_t timeout);
int sched_turn(lua_State *L, Ring *r, int64_t timeout);

/* ---- place.c ---------------------------------------------------------- */

int place_check(lua_State *L, const Ring *r);
int place_wait(lua_State *L, Ring *r, unsigned want, int64_t timeout);
int place_await(lua_State *L, State *S, Op *op);
void place_step(lua_State *L, State *S, Ring *r, int64_t timeout);
void place_settle(lua_State *L, State *S, Fd *f);

/* ---- message.c -------------------------------------------------------- */

void message_came(Ring *r);
void message_left(Ring *r);
void message_open(lua_State *L, State *S);

/* ---- task.c ----------------------------------------------------------- */

Task *task_check(lua_State *L, int arg);
Task *task_new(lua_State *L);
Task *task_spawn(lua_State *L, Ring *r, int first);
void task_unlist(lua_State *L, Ring *r, Task *t);
void task_forget(lua_State *L, Ring *r);
void task_open(lua_State *L, State *S);

static inline bool task_ended(const Task *t) {
  return t->state >= TASK_DONE;
}

/* ---- nursery.c ---------------------------------------------------------- */

void nursery_leave(Task *t);
bool nursery_owns(lua_State *L);
void nursery_open(lua_State *L, State *S);

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
lua_State *coro_inner(lua_State *co);
void coro_owner(lua_State *L, State *S);
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

#endif
