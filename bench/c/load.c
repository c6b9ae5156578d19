/* SPDX-License-Identifier: MIT
**
** load [-c connections] [-s message_bytes] [-t seconds] [-n messages_total]
**      [-i idle_connections] [-b] HOST PORT
**
** Drives an echo server on this machine and checks every byte.  HOST is
** 127.x.y.z, ::1 or unix:/path (then without PORT).
**
** Each connection writes a message, reads the same bytes back, then writes
** the next message.  With -b it streams: it writes the next one as soon as
** the last is written, with at most WINDOW on their way.  Writing never waits
** for reading, so a server may echo in pieces of any size.  All connections
** are open before the first message.
**
** A message is a series of words that depends on the connection and on the
** number of the message: bytes of another connection, message or place are
** found.  A connection that delivers a wrong byte counts in 'wrong', one that
** breaks counts in 'errors'; neither is used again.  Exits 0 only if both are
** 0, and always ends: after STALL_NS without a byte it gives up, and what is
** missing counts in 'errors'.
**
** Its own cost matters: a load that is slower than the server makes the
** server sleep and wake up more often.  Hence multishot receives that stay
** armed, no completions for writes, and one system call a turn.
*/

#include <unistd.h>

#include "common.h"
#include "latency.h"
#include "peer.h"

#define WINDOW 4u                /* messages on their way with -b */
#define TICK_NS 50000000         /* how often to look at the clock, at least */
#define STALL_NS 10000000000u    /* wait so long for a byte */
#define OPEN_NS 60000000000u     /* and so long for all connections */
#define LONGEST_NS 600000000000u /* and so long for -n messages */
#define POOL_BYTES (2u << 20)    /* receive buffers at most: cache-sized */
#define GROUP 1
#define MAX_REPORTS 5 /* failures that are explained on stderr */

enum { KIND_RECV, KIND_SEND, KIND_TICK };

typedef struct Conn {
  unsigned char *out;     /* 'window' messages of 'stride' bytes each */
  uint64_t written;       /* messages whose write has begun */
  uint64_t checked;       /* messages that came back whole */
  size_t at;              /* bytes of the next one that came back */
  uint64_t began[WINDOW]; /* when the messages on their way were written */
  bool sending;           /* a write is in flight (only known with -b) */
  bool dead;
} Conn;

static struct io_uring ring;
static Conn *conns;
static int *fds; /* of the connections, then of the idle ones */
static unsigned alive;

/* options */
static unsigned nconns = 1, nidle;
static size_t size = 64, stride; /* stride: in whole words */
static unsigned window = 1;
static double seconds_limit;
static uint64_t messages_limit = UINT64_MAX;

/* receive buffers */
static struct io_uring_buf_ring *pool;
static unsigned char *pool_memory;
static unsigned pool_count; /* a power of two */
static unsigned pool_size;  /* bytes in each */
static unsigned returned;   /* since the ring was last told */
static unsigned *hungry;    /* a queue: connections that found no buffer */
static unsigned first_hungry, nhungry;

static uint64_t now, stop_at, give_up_at, last_byte_at;
static uint64_t begun, finished, lost; /* messages */
static uint64_t bytes, wrong, errors;
static Latency latency;

/* ---- messages ---- */

/* Write message n of connection i to its place, and return that. */
static unsigned char *make_message(unsigned i, uint64_t n) {
  unsigned char *out = conns[i].out + n % window * stride;
  uint64_t word = ((uint64_t)i << 40) + n + 1;
  /* mix, so that even one byte of it tells most messages apart */
  word = (word ^ word >> 31) * 0xbf58476d1ce4e5b9u;
  word = (word ^ word >> 27) * 0x94d049bb133111ebu;
  word ^= word >> 31;
  for (size_t k = 0; k < stride; k += sizeof word) {
    memcpy(out + k, &word, sizeof word);
    word += 0x9e3779b97f4a7c15u;
  }
  return out;
}

/* ---- operations ---- */

static struct io_uring_sqe *get_sqe(unsigned kind, unsigned i) {
  struct io_uring_sqe *sqe = io_uring_get_sqe(&ring);
  if (sqe == NULL) {
    int err = io_uring_submit(&ring);
    sqe = io_uring_get_sqe(&ring);
    if (sqe == NULL)
      die("io_uring_submit", err < 0 ? -err : EIO);
  }
  io_uring_sqe_set_data64(sqe, tag(kind, i)); /* a prep leaves it alone */
  return sqe;
}

static void receive(unsigned i) {
  struct io_uring_sqe *sqe = get_sqe(KIND_RECV, i);
  io_uring_prep_recv_multishot(sqe, (int)i, NULL, 0, 0);
  sqe->flags |= IOSQE_FIXED_FILE | IOSQE_BUFFER_SELECT;
  sqe->buf_group = GROUP;
}

static void tick(void) {
  static struct __kernel_timespec ts = {0, TICK_NS};
  io_uring_prep_timeout(get_sqe(KIND_TICK, 0), &ts, 0, 0);
}

/* Write the next message.  In ping-pong the whole echo tells that the write
** is over; only a failure needs a completion. */
static void write_message(unsigned i) {
  Conn *c = &conns[i];
  const unsigned char *out = make_message(i, c->written);
  struct io_uring_sqe *sqe = get_sqe(KIND_SEND, i);
  io_uring_prep_send(sqe, (int)i, out, size, MSG_WAITALL | MSG_NOSIGNAL);
  sqe->flags |= IOSQE_FIXED_FILE;
  if (window == 1)
    sqe->flags |= IOSQE_CQE_SKIP_SUCCESS;
  else
    c->sending = true;
  c->began[c->written % window] = now;
  c->written++;
  begun++;
}

/* Write the next message if it is time for it. */
static void go_on(unsigned i) {
  const Conn *c = &conns[i];
  if (!c->dead && !c->sending && c->written - c->checked < window &&
      begun < messages_limit && now < stop_at)
    write_message(i);
}

/* ---- failures ---- */

/* Count a failure, once; what the connection had begun is lost. */
static void drop(unsigned i, uint64_t *counter, const char *why) {
  Conn *c = &conns[i];
  if (c->dead)
    return;
  if (wrong + errors < MAX_REPORTS)
    fprintf(stderr, "load: connection %u, message %llu, byte %zu: %s\n", i,
            (unsigned long long)c->checked, c->at, why);
  ++*counter;
  c->dead = true;
  alive--;
  lost += c->written - c->checked;
  shutdown(fds[i], SHUT_RDWR);
}

static void drop_wrong(unsigned i, const unsigned char *got,
                       const unsigned char *want) {
  char why[64];
  size_t k = 0;
  while (got[k] == want[k])
    k++;
  conns[i].at += k;
  snprintf(why, sizeof why, "0x%02x instead of 0x%02x", got[k], want[k]);
  drop(i, &wrong, why);
}

/* ---- completions ---- */

static void finish_message(Conn *c) {
  latency_add(&latency, now - c->began[c->checked % window]);
  c->checked++;
  c->at = 0;
  finished++;
}

/* Compare n bytes with what must come next on this connection. */
static void check(unsigned i, const unsigned char *got, size_t n) {
  Conn *c = &conns[i];
  while (n > 0) {
    const unsigned char *want = c->out + c->checked % window * stride + c->at;
    size_t left = size - c->at, k = left < n ? left : n;
    if (c->checked == c->written) {
      drop(i, &wrong, "bytes that nobody sent");
      return;
    }
    if (memcmp(got, want, k) != 0) {
      drop_wrong(i, got, want);
      return;
    }
    got += k;
    n -= k;
    c->at += k;
    if (k == left)
      finish_message(c);
  }
}

static void return_buffer(unsigned bid) {
  io_uring_buf_ring_add(pool, pool_memory + (size_t)bid * pool_size, pool_size,
                        (unsigned short)bid, (int)pool_count - 1,
                        (int)returned);
  returned++;
}

static void on_recv(unsigned i, int res, unsigned flags) {
  if (res > 0) {
    unsigned bid = flags >> IORING_CQE_BUFFER_SHIFT;
    last_byte_at = now;
    bytes += (uint64_t)res;
    if (!conns[i].dead)
      check(i, pool_memory + (size_t)bid * pool_size, (size_t)res);
    return_buffer(bid);
    go_on(i);
  }
  else if (res == -ENOBUFS) {
    hungry[(first_hungry + nhungry++) % nconns] = i;
    return;
  }
  else
    drop(i, &errors, res == 0 ? "closed by the server" : strerror(-res));
  if (!(flags & IORING_CQE_F_MORE) && !conns[i].dead)
    receive(i);
}

static void on_send(unsigned i, int res) {
  conns[i].sending = false;
  if (res == (int)size)
    go_on(i);
  else
    drop(i, &errors, res < 0 ? strerror(-res) : "a write was cut short");
}

static void on_cqe(const struct io_uring_cqe *cqe) {
  unsigned i = tag_index(cqe->user_data);
  switch (tag_kind(cqe->user_data)) {
    case KIND_RECV: on_recv(i, cqe->res, cqe->flags); break;
    case KIND_SEND: on_send(i, cqe->res); break;
    default: tick(); break;
  }
}

/* Give the buffers back; serve no more connections than there are buffers, or
** all would try and most of them fail again. */
static void refill(void) {
  io_uring_buf_ring_advance(pool, (int)returned);
  returned = 0;
  for (unsigned n = pool_count; n > 0 && nhungry > 0; n--) {
    unsigned i = hungry[first_hungry];
    first_hungry = (first_hungry + 1) % nconns;
    nhungry--;
    if (!conns[i].dead)
      receive(i);
  }
}

static void turn(void) {
  struct io_uring_cqe *cqe;
  unsigned head, n = 0;
  int err = io_uring_submit_and_wait(&ring, 1);
  if (err < 0 && err != -EINTR && err != -EAGAIN && err != -EBUSY)
    die("io_uring_submit_and_wait", -err);
  now = now_ns();
  io_uring_for_each_cqe (&ring, head, cqe) {
    on_cqe(cqe);
    n++;
  }
  io_uring_cq_advance(&ring, n);
  refill();
}

/* Whether echoes are awaited, or more messages can begin. */
static bool unfinished(void) {
  return alive > 0 &&
         (finished + lost < begun || (begun < messages_limit && now < stop_at));
}

/* Send messages until the time or their number is used up. */
static void drive(void) {
  now = last_byte_at = now_ns();
  stop_at =
    seconds_limit > 0 ? now + (uint64_t)(seconds_limit * 1e9) : UINT64_MAX;
  give_up_at = seconds_limit > 0 ? stop_at + STALL_NS : now + LONGEST_NS;
  tick();
  for (unsigned i = 0; i < nconns; i++) {
    receive(i);
    go_on(i);
  }
  while (unfinished()) {
    turn();
    if (now - last_byte_at > STALL_NS || now > give_up_at) {
      uint64_t missing = begun - finished - lost;
      fprintf(stderr, "load: gave up waiting for %llu echoes\n",
              (unsigned long long)missing);
      errors += missing > 0 ? missing : 1;
      return;
    }
  }
}

/* ---- set-up ---- */

static void *allocate(size_t n, size_t each) {
  void *p = calloc(n, each);
  if (p == NULL)
    die("calloc", ENOMEM);
  return p;
}

static void open_connections(const Peer *peer) {
  unsigned n = nconns + nidle;
  uint64_t until = now_ns() + OPEN_NS;
  if (raise_nofile(n + 64) < n + 64)
    die("load: the limit of descriptors is too low", 0);
  fds = allocate(n, sizeof *fds);
  for (unsigned i = 0; i < n; i++) {
    fds[i] = connect_peer(peer);
    if (now_ns() > until)
      die("load: the server accepts too slowly", 0);
  }
}

static void make_conns(void) {
  stride = (size + 7) & ~(size_t)7;
  conns = allocate(nconns, sizeof *conns);
  hungry = allocate(nconns, sizeof *hungry);
  for (unsigned i = 0; i < nconns; i++)
    conns[i].out = allocate(window, stride);
  alive = nconns;
}

static void make_ring(void) {
  int err;
  open_ring(&ring, 1024, 4 * nconns < 4096 ? 4096 : 4 * nconns);
  err = io_uring_register_files(&ring, fds, nconns);
  if (err < 0)
    die("io_uring_register_files", -err);
  for (pool_size = 256; pool_size < window * size && pool_size < 65536;)
    pool_size *= 2;
  pool_count = pool_size <= 2048 ? 1024 : POOL_BYTES / pool_size;
  pool_memory = map_pages(POOL_BYTES);
  pool = open_buf_ring(&ring, pool_count, GROUP);
  for (unsigned bid = 0; bid < pool_count; bid++)
    return_buffer(bid);
  refill();
}

/* Idle connections must have stayed open and silent. */
static void check_idle(void) {
  for (unsigned i = nconns; i < nconns + nidle; i++) {
    char byte;
    if (recv(fds[i], &byte, 1, MSG_DONTWAIT) >= 0 || errno != EAGAIN)
      errors++;
  }
}

/* ---- the command ---- */

static double parse_seconds(const char *s) {
  char *end;
  double t = strtod(s, &end);
  if (end == s || *end != '\0' || !(t > 0 && t <= 1e6))
    die("-t: expected seconds", 0);
  return t;
}

/* Read the options; returns the index of HOST. */
static int parse_options(int argc, char **argv) {
  int opt;
  while ((opt = getopt(argc, argv, "c:s:t:n:i:b")) != -1) {
    const char *a = optarg;
    switch (opt) {
      case 'c': nconns = (unsigned)parse_count(a, 1, 1000000, "-c"); break;
      case 's': size = parse_count(a, 1, 1u << 26, "-s"); break;
      case 't': seconds_limit = parse_seconds(a); break;
      case 'n': messages_limit = parse_count(a, 1, 1ull << 60, "-n"); break;
      case 'i': nidle = (unsigned)parse_count(a, 0, 1000000, "-i"); break;
      case 'b': window = WINDOW; break;
      default: exit(2);
    }
  }
  if (optind == argc || optind + 2 < argc)
    usage("load [-c connections] [-s message_bytes] [-t seconds] "
          "[-n messages_total]\n            [-i idle_connections] [-b] "
          "HOST PORT");
  if (seconds_limit == 0 && messages_limit == UINT64_MAX)
    seconds_limit = 5;
  return optind;
}

static void report(double seconds, double cpu) {
  printf("connections=%u size=%zu messages=%llu seconds=%.3f "
         "messages_per_second=%.0f bytes=%llu wrong=%llu errors=%llu "
         "cpu_seconds=%.3f p50_us=%.1f p99_us=%.1f\n",
         nconns, size, (unsigned long long)finished, seconds,
         (double)finished / seconds, (unsigned long long)bytes,
         (unsigned long long)wrong, (unsigned long long)errors, cpu,
         latency_us(&latency, 0.50), latency_us(&latency, 0.99));
}

int main(int argc, char **argv) {
  int host = parse_options(argc, argv);
  Peer peer = parse_peer(argv[host], argv[host + 1]);
  uint64_t start;
  double cpu;
  open_connections(&peer);
  make_conns();
  make_ring();
  cpu = cpu_seconds();
  start = now_ns();
  drive();
  cpu = cpu_seconds() - cpu;
  now = now_ns();
  check_idle();
  report((double)(now - start) / 1e9, cpu);
  return wrong == 0 && errors == 0 ? 0 : 1;
}
