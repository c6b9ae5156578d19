/* SPDX-License-Identifier: MIT
**
** echo PORT [multishot|simple]: a TCP echo server on 127.0.0.1, one thread.
**
** Prints its port (PORT 0 picks one), serves until SIGTERM, SIGINT or the end
** of a piped standard input, then prints what it did and what it cost.  Two
** designs, since which one costs less depends on the load:
**
** multishot  One receive per connection stays armed and takes its buffers
**            from a shared ring.  Received buffers queue on their connection,
**            one send is in flight, a sent buffer goes back to the ring.
** simple     Each connection has a buffer: receive, send, receive.
**
** In both, a turn is one system call that submits what the turn before has
** prepared and waits, and a connection is the slot of its direct descriptor.
** A slot is closed only when nothing is in flight for it, so no completion
** can reach the next connection in the same slot.
**
** Tried and found no cheaper here: ordinary descriptors; receive linked
** behind send; IORING_RECVSEND_POLL_FIRST; sends without completions
** (MSG_DONTWAIT, CQE_SKIP_SUCCESS), which halve the enters of a lone
** connection but not its time.
*/

#include "common.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <signal.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>

#define SQ_ENTRIES 512u   /* a fuller turn is submitted in parts */
#define CQ_ENTRIES 32768u /* two for each of 16,000 connections */
#define MAX_CONNS 32768u
#define BUFFER_SIZE 65536u
#define STRIDE (BUFFER_SIZE + 64u) /* spreads them over the cache sets */
#define NBUFFERS 8192u             /* a power of two */
#define FIRST_BUFFERS 64u
#define MAX_QUEUED 32u /* buffers a client that never reads can hold */
#define GROUP 1
#define NONE UINT32_MAX

enum {
  KIND_ACCEPT,
  KIND_RECV,
  KIND_SEND,
  KIND_SIGNAL,
  KIND_STDIN,
  KIND_OTHER /* a cancel or a close: nobody waits for it */
};

typedef struct Conn {
  uint32_t head, tail; /* received buffers, not yet sent (multishot) */
  uint32_t queued;     /* how many; simple: bytes in the buffer */
  uint32_t sent;       /* bytes of the head, or of the buffer, that are sent */
  bool receiving;      /* a receive is in flight, or waits for buffers */
  bool sending;
  bool paused; /* no receives until the queue is sent */
  bool ended;  /* no more to receive, or broken */
} Conn;

/* The two designs: what a new connection and its completions do. */
typedef struct Design {
  void (*receive)(unsigned i);
  void (*on_recv)(unsigned i, int res, unsigned flags);
  void (*on_send)(unsigned i, int res);
} Design;

static struct io_uring ring;
static int listener;
static Conn *conns;
static const Design *design;
static bool stopping, accept_paused;
static uint64_t messages, bytes, enters;

/* simple: buffer i is the one of connection i; multishot: of the ring */
static unsigned char *memory;

/* The ring of buffers.  Only as many circulate as the load needs, because
** they are used in turn: with all of them the cache would hold none. */
static struct io_uring_buf_ring *buffers;
static unsigned circulating; /* given to the ring at least once */
static unsigned held;        /* of these, not in the ring now */
static unsigned added;       /* in the ring, its tail not yet advanced */
static uint32_t length[NBUFFERS], next_buffer[NBUFFERS];
static uint32_t starved[MAX_CONNS]; /* a queue: they wait for buffers */
static unsigned first_starved, nstarved;

/* ---- operations ---- */

static void submit(unsigned wait) {
  int n = io_uring_submit_and_wait(&ring, wait);
  if (n < 0 && n != -EINTR && n != -EAGAIN && n != -EBUSY)
    die("io_uring_submit_and_wait", -n);
  enters++;
}

static struct io_uring_sqe *get_sqe(unsigned kind, unsigned i) {
  struct io_uring_sqe *sqe;
  while ((sqe = io_uring_get_sqe(&ring)) == NULL)
    submit(0);
  io_uring_sqe_set_data64(sqe, tag(kind, i)); /* a prep leaves it alone */
  return sqe;
}

static unsigned char *buffer(unsigned i) {
  return memory + (size_t)i * STRIDE;
}

static void accept_all(void) {
  struct io_uring_sqe *sqe = get_sqe(KIND_ACCEPT, 0);
  io_uring_prep_multishot_accept_direct(sqe, listener, NULL, NULL, 0);
}

/* Send what is left of buffer b, which holds n bytes. */
static void send_rest(unsigned i, unsigned b, uint32_t n) {
  struct io_uring_sqe *sqe = get_sqe(KIND_SEND, i);
  uint32_t from = conns[i].sent;
  io_uring_prep_send(sqe, (int)i, buffer(b) + from, n - from,
                     MSG_WAITALL | MSG_NOSIGNAL);
  sqe->flags |= IOSQE_FIXED_FILE;
}

/* Ends the armed receive of a connection. */
static void cancel_recv(unsigned i) {
  struct io_uring_sqe *sqe = get_sqe(KIND_OTHER, i);
  io_uring_prep_cancel64(sqe, tag(KIND_RECV, i), 0);
}

static void close_conn(unsigned i) {
  io_uring_prep_close_direct(get_sqe(KIND_OTHER, i), i);
  if (accept_paused) { /* there is a slot again */
    accept_paused = false;
    accept_all();
  }
}

static void count_message(int n) {
  messages++;
  bytes += (uint64_t)n;
}

/* ---- simple ---- */

static void simple_receive(unsigned i) {
  struct io_uring_sqe *sqe = get_sqe(KIND_RECV, i);
  io_uring_prep_recv(sqe, (int)i, buffer(i), BUFFER_SIZE, 0);
  sqe->flags |= IOSQE_FIXED_FILE;
}

static void simple_on_recv(unsigned i, int res, unsigned flags) {
  (void)flags;
  if (res <= 0) {
    close_conn(i);
    return;
  }
  count_message(res);
  conns[i].queued = (uint32_t)res;
  conns[i].sent = 0;
  send_rest(i, i, conns[i].queued);
}

static void simple_on_send(unsigned i, int res) {
  Conn *c = &conns[i];
  if (res <= 0) {
    close_conn(i);
    return;
  }
  c->sent += (uint32_t)res;
  if (c->sent == c->queued)
    simple_receive(i);
  else
    send_rest(i, i, c->queued);
}

/* ---- multishot: buffers ---- */

static void give_back(uint32_t bid) {
  io_uring_buf_ring_add(buffers, buffer(bid), BUFFER_SIZE, (unsigned short)bid,
                        (int)NBUFFERS - 1, (int)added);
  added++;
  held--;
}

static void advance_buffers(void) {
  io_uring_buf_ring_advance(buffers, (int)added);
  added = 0;
}

/* Let n more buffers circulate, or as many as there are. */
static void circulate(unsigned n) {
  while (n-- > 0 && circulating < NBUFFERS) {
    held++;
    give_back(circulating++);
  }
}

static void push_buffer(Conn *c, uint32_t bid, uint32_t n) {
  length[bid] = n;
  next_buffer[bid] = NONE;
  if (c->head == NONE)
    c->head = bid;
  else
    next_buffer[c->tail] = bid;
  c->tail = bid;
  c->queued++;
}

static void pop_buffer(Conn *c) {
  uint32_t bid = c->head;
  c->head = next_buffer[bid];
  c->sent = 0;
  c->queued--;
  give_back(bid);
}

/* ---- multishot: connections ---- */

static void multi_receive(unsigned i) {
  struct io_uring_sqe *sqe = get_sqe(KIND_RECV, i);
  io_uring_prep_recv_multishot(sqe, (int)i, NULL, 0, 0);
  sqe->flags |= IOSQE_FIXED_FILE | IOSQE_BUFFER_SELECT;
  sqe->buf_group = GROUP;
  conns[i].receiving = true;
}

/* What is next for a connection, after anything has changed. */
static void settle(unsigned i) {
  Conn *c = &conns[i];
  if (c->sending)
    return;
  if (c->head != NONE) {
    c->sending = true;
    send_rest(i, c->head, length[c->head]);
  }
  else if (c->receiving)
    return;
  else if (c->ended)
    close_conn(i);
  else { /* the queue of a paused one is sent, or the receive ran out */
    c->paused = false;
    multi_receive(i);
  }
}

static void on_data(unsigned i, uint32_t bid, int res) {
  Conn *c = &conns[i];
  count_message(res);
  held++;
  if (c->ended) { /* broken: there is nobody to send it to */
    give_back(bid);
    return;
  }
  push_buffer(c, bid, (uint32_t)res);
  if (c->queued > MAX_QUEUED && !c->paused) {
    c->paused = true;
    cancel_recv(i);
  }
}

static void multi_on_recv(unsigned i, int res, unsigned flags) {
  Conn *c = &conns[i];
  if (res > 0)
    on_data(i, flags >> IORING_CQE_BUFFER_SHIFT, res);
  else if (res == -ENOBUFS) {
    /* counts as receiving until it is fed */
    starved[(first_starved + nstarved++) % MAX_CONNS] = i;
    return;
  }
  else if (res != -ECANCELED) /* the end of it, or an error */
    c->ended = true;
  if (!(flags & IORING_CQE_F_MORE)) {
    c->receiving = false;
    if (!c->paused && !c->ended)
      multi_receive(i);
  }
  settle(i);
}

static void multi_on_send(unsigned i, int res) {
  Conn *c = &conns[i];
  c->sending = false;
  if (res > 0) { /* MSG_WAITALL: hardly ever less than all */
    c->sent += (uint32_t)res;
    if (c->sent == length[c->head])
      pop_buffer(c);
  }
  else { /* broken: drop what is left */
    while (c->head != NONE)
      pop_buffer(c);
    c->ended = true;
    if (c->receiving)
      cancel_recv(i);
  }
  settle(i);
}

/* The ring ran dry: more buffers, and back to those that found none. */
static void feed_starved(void) {
  circulate(circulating);
  advance_buffers();
  for (unsigned n = circulating - held; n > 0 && nstarved > 0; n--) {
    unsigned i = starved[first_starved];
    first_starved = (first_starved + 1) % MAX_CONNS;
    nstarved--;
    conns[i].receiving = false;
    if (!conns[i].ended && !conns[i].paused)
      multi_receive(i);
    settle(i);
  }
}

/* ---- the loop ---- */

static void on_accept(int res, unsigned flags) {
  if (res >= 0) {
    memset(&conns[res], 0, sizeof conns[res]);
    conns[res].head = NONE;
    design->receive((unsigned)res);
  }
  if (flags & IORING_CQE_F_MORE)
    return;
  if (res == -ENFILE || res == -EMFILE || res == -ENOMEM)
    accept_paused = true; /* until a connection is closed */
  else if (res >= 0 || res == -ECONNABORTED || res == -EINTR)
    accept_all();
  else
    die("accept", -res);
}

static void read_stdin(void) {
  static char ignored[64];
  io_uring_prep_read(get_sqe(KIND_STDIN, 0), 0, ignored, sizeof ignored, 0);
}

static void on_cqe(const struct io_uring_cqe *cqe) {
  unsigned i = tag_index(cqe->user_data);
  switch (tag_kind(cqe->user_data)) {
    case KIND_RECV: design->on_recv(i, cqe->res, cqe->flags); break;
    case KIND_SEND: design->on_send(i, cqe->res); break;
    case KIND_ACCEPT: on_accept(cqe->res, cqe->flags); break;
    case KIND_SIGNAL: stopping = true; break;
    case KIND_STDIN:
      if (cqe->res > 0)
        read_stdin();
      else
        stopping = true;
      break;
    default: break;
  }
}

static void turn(void) {
  struct io_uring_cqe *cqe;
  unsigned head, n = 0;
  submit(1);
  io_uring_for_each_cqe (&ring, head, cqe) {
    on_cqe(cqe);
    n++;
  }
  io_uring_cq_advance(&ring, n);
  if (nstarved > 0)
    feed_starved();
  if (added > 0)
    advance_buffers();
}

/* ---- set-up ---- */

static void open_listener(uint16_t port) {
  struct sockaddr_in a = {.sin_family = AF_INET,
                          .sin_port = htons(port),
                          .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
  socklen_t len = sizeof a;
  int on = 1;
  listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (listener < 0)
    die("socket", errno);
  setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  /* connections inherit it */
  setsockopt(listener, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  if (bind(listener, (struct sockaddr *)&a, len) != 0)
    die("bind", errno);
  if (listen(listener, 4096) != 0 ||
      getsockname(listener, (struct sockaddr *)&a, &len) != 0)
    die("listen", errno);
  printf("%u\n", ntohs(a.sin_port));
  fflush(stdout);
}

/* Watch for signals; and for the end of standard input, if it is a pipe. */
static void watch_for_stop(void) {
  struct stat st;
  sigset_t set;
  int fd;
  sigemptyset(&set);
  sigaddset(&set, SIGTERM);
  sigaddset(&set, SIGINT);
  sigprocmask(SIG_BLOCK, &set, NULL);
  fd = signalfd(-1, &set, SFD_CLOEXEC);
  if (fd < 0)
    die("signalfd", errno);
  io_uring_prep_poll_add(get_sqe(KIND_SIGNAL, 0), fd, POLLIN);
  if (fstat(0, &st) == 0 && (S_ISFIFO(st.st_mode) || S_ISSOCK(st.st_mode)))
    read_stdin();
}

static void set_up(void) {
  unsigned n = (unsigned)raise_nofile(20000);
  int err;
  if (n > MAX_CONNS)
    n = MAX_CONNS;
  open_ring(&ring, SQ_ENTRIES, CQ_ENTRIES);
  err = io_uring_register_files_sparse(&ring, n);
  if (err < 0)
    die("io_uring_register_files_sparse", -err);
  conns = map_pages(n * sizeof *conns);
  memory = map_pages((size_t)(n > NBUFFERS ? n : NBUFFERS) * STRIDE);
  buffers = open_buf_ring(&ring, NBUFFERS, GROUP);
  circulate(FIRST_BUFFERS);
  advance_buffers();
}

int main(int argc, char **argv) {
  static const Design multishot = {multi_receive, multi_on_recv, multi_on_send};
  static const Design simple = {simple_receive, simple_on_recv, simple_on_send};
  const char *mode = argc > 2 ? argv[2] : "multishot";
  double cpu;
  if (argc < 2 || argc > 3)
    usage("echo PORT [multishot|simple]");
  if (strcmp(mode, "multishot") != 0 && strcmp(mode, "simple") != 0)
    usage("echo PORT [multishot|simple]");
  design = *mode == 's' ? &simple : &multishot;
  set_up();
  open_listener((uint16_t)parse_count(argv[1], 0, 65535, "PORT"));
  watch_for_stop();
  accept_all();
  while (!stopping)
    turn();
  cpu = cpu_seconds();
  printf("messages=%llu bytes=%llu cpu_seconds=%.3f cpu_ns_per_message=%.1f "
         "enters=%llu\n",
         (unsigned long long)messages, (unsigned long long)bytes, cpu,
         messages ? cpu * 1e9 / (double)messages : 0.0,
         (unsigned long long)enters);
  return 0;
}
