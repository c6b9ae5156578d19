/* SPDX-License-Identifier: MIT */
/*
 * load [-c connections] [-s message_bytes] [-t seconds] [-n messages_total]
 *      [-i idle_connections] [-b] HOST PORT
 *
 * Drives an echo server on this machine and checks every byte.  HOST is
 * 127.x.y.z, ::1 or unix:/path (then without PORT).
 *
 * Each connection writes a message, reads the same bytes back and then writes
 * the next one.  With -b it streams: up to WINDOW messages are on their way,
 * and the next is written as soon as the last one is.  Writing never waits for
 * reading or the reverse, so a server may echo in pieces of any size.
 *
 * A message is a sequence of words that depends on the connection and on the
 * number of the message, so bytes of another connection, of another message or
 * of another place are found.  A connection that delivers a wrong byte counts
 * in `wrong`, one that ends early counts in `errors`; neither is used again.
 * Exits 0 only when both are 0, and always ends: without any progress for
 * STALL_NS it gives up and counts what is missing as errors.
 *
 * Its own cost matters, because a load that is slower than the server makes
 * the server sleep and wake up more often: hence multishot receives that stay
 * armed, and one system call per turn.
 */
#include "common.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#define WINDOW 4u		     /* messages on their way with -b */
#define STALL_NS 10000000000u	     /* no byte for that long: give up */
#define LIMIT_NS 600000000000u	     /* nor longer than that, without -t */
#define OPEN_NS 60000000000u	     /* nor to open the connections */
#define TICK_NS 50000000	     /* how often the clock is looked at */
#define POOL_BYTES (2u << 20)	     /* all receive buffers together */
#define GROUP 1			     /* their buffer group */
#define BUCKETS_PER_OCTAVE 32u	     /* latencies to 3 per cent */
#define NBUCKETS (64u * BUCKETS_PER_OCTAVE)

enum { KIND_RECV, KIND_SEND, KIND_TICK };

typedef struct Conn {
	unsigned char *out;  /* `window` slots of `stride` bytes each */
	uint64_t written;    /* messages whose write has begun */
	uint64_t checked;    /* messages that came back whole */
	size_t at;	     /* bytes of message `checked` that are back */
	uint64_t began[WINDOW]; /* when the message in that slot was written */
	uint8_t sending;     /* a write is in flight (only tracked with -b) */
	uint8_t dead;
} Conn;

static struct io_uring ring;
static struct io_uring_buf_ring *pool;
static unsigned char *pool_mem;
static unsigned pool_count; /* a power of two */
static unsigned pool_size;  /* bytes per receive buffer */
static unsigned recycled;   /* buffers to give back at the end of the turn */

static Conn *conns;
static int *fds; /* their descriptors, then those of the idle ones */
static unsigned nconns = 1;
static unsigned nidle;
static size_t size = 64;
static size_t stride; /* size, rounded up to whole words */
static unsigned window = 1;

static uint64_t start_limit = UINT64_MAX; /* messages to begin, in total */
static uint64_t stop_at = UINT64_MAX;	  /* begin none after this time */
static uint64_t now;			  /* time of this turn */
static uint64_t last_progress;
static uint64_t give_up_at; /* wait for echoes until then */
static uint64_t begun, finished, lost, bytes, wrong, errors;
static unsigned alive; /* connections that still work */
static uint64_t histogram[NBUCKETS];

/* ---- messages ---- */

/* Fills a slot with message number n of connection c. */
static void make_message(unsigned char *slot, unsigned c, uint64_t n)
{
	uint64_t word = ((uint64_t)c << 40) + n + 1;

	/* spread the seed, so that even one byte of it tells messages apart */
	word = (word ^ (word >> 31)) * 0xbf58476d1ce4e5b9u;
	word = (word ^ (word >> 27)) * 0x94d049bb133111ebu;
	word ^= word >> 31;
	for (size_t i = 0; i < stride; i += sizeof word) {
		memcpy(slot + i, &word, sizeof word);
		word += 0x9e3779b97f4a7c15u;
	}
}

static unsigned char *slot_of(const Conn *c, uint64_t n)
{
	return c->out + (n % window) * stride;
}

static void report_wrong(unsigned i, const unsigned char *got,
			 const unsigned char *want)
{
	size_t k = 0;

	while (got[k] == want[k])
		k++;
	if (wrong < 5)
		fprintf(stderr,
			"load: connection %u, message %llu, byte %zu: "
			"0x%02x instead of 0x%02x\n",
			i, (unsigned long long)conns[i].checked,
			conns[i].at + k, got[k], want[k]);
}

/* ---- latencies ---- */

static void record_latency(uint64_t ns)
{
	unsigned shift = 0;

	while ((ns >> shift) >= 2 * BUCKETS_PER_OCTAVE)
		shift++;
	histogram[shift * BUCKETS_PER_OCTAVE + (ns >> shift)]++;
}

/* The latency below which a share q of all messages stayed, microseconds. */
static double quantile_us(double q)
{
	uint64_t seen = 0;
	uint64_t want = (uint64_t)(q * (double)finished);
	unsigned i = 0;
	unsigned shift;

	while (i < NBUCKETS - 1 && (seen += histogram[i]) <= want)
		i++;
	if (i < 2 * BUCKETS_PER_OCTAVE)
		return (double)i / 1e3;
	shift = i / BUCKETS_PER_OCTAVE - 1;
	return (double)((uint64_t)(i - shift * BUCKETS_PER_OCTAVE) << shift) /
	       1e3;
}

/* ---- operations ---- */

static struct io_uring_sqe *get_sqe(unsigned kind, unsigned i)
{
	struct io_uring_sqe *sqe = io_uring_get_sqe(&ring);

	if (sqe == NULL) { /* full: hand over what is there */
		io_uring_submit(&ring);
		sqe = io_uring_get_sqe(&ring);
		if (sqe == NULL)
			die("load: the kernel takes no submissions", 0);
	}
	/* prep_* leaves user_data alone */
	io_uring_sqe_set_data64(sqe, (uint64_t)i << 8 | kind);
	return sqe;
}

static void arm_recv(unsigned i)
{
	struct io_uring_sqe *sqe = get_sqe(KIND_RECV, i);

	io_uring_prep_recv_multishot(sqe, (int)i, NULL, 0, 0);
	sqe->flags |= IOSQE_FIXED_FILE | IOSQE_BUFFER_SELECT;
	sqe->buf_group = GROUP;
}

static void arm_tick(void)
{
	static struct __kernel_timespec ts = {0, TICK_NS};

	io_uring_prep_timeout(get_sqe(KIND_TICK, 0), &ts, 0, 0);
}

/*
 * Writes the next message.  In ping-pong a whole echo shows that the write is
 * over, so only a failed one posts a completion.
 */
static void begin_message(unsigned i)
{
	Conn *c = &conns[i];
	unsigned char *slot = slot_of(c, c->written);
	struct io_uring_sqe *sqe;

	make_message(slot, i, c->written);
	sqe = get_sqe(KIND_SEND, i);
	io_uring_prep_send(sqe, (int)i, slot, size, MSG_WAITALL | MSG_NOSIGNAL);
	sqe->flags |= IOSQE_FIXED_FILE;
	if (window == 1)
		sqe->flags |= IOSQE_CQE_SKIP_SUCCESS;
	else
		c->sending = 1;
	c->began[c->written % window] = now;
	c->written++;
	begun++;
}

/* Begins a message on connection i if there is one to begin. */
static void go_on(unsigned i)
{
	const Conn *c = &conns[i];

	if (!c->dead && !c->sending && c->written - c->checked < window &&
	    begun < start_limit && now < stop_at)
		begin_message(i);
}

/* The connection takes no further part: what it had begun is lost. */
static void drop(unsigned i, uint64_t *counter)
{
	Conn *c = &conns[i];

	if (c->dead)
		return;
	c->dead = 1;
	alive--;
	++*counter;
	lost += c->written - c->checked;
	shutdown(fds[i], SHUT_RDWR); /* ends its receive */
}

/* ---- completions ---- */

/* Compares what came in with what must come next on this connection. */
static void check_bytes(unsigned i, const unsigned char *got, size_t n)
{
	Conn *c = &conns[i];

	bytes += n;
	while (n > 0) {
		const unsigned char *want = slot_of(c, c->checked) + c->at;
		size_t k = size - c->at < n ? size - c->at : n;

		if (c->checked == c->written) {
			fprintf(stderr, "load: connection %u: %zu bytes that "
				"were never sent\n", i, n);
			drop(i, &wrong);
			return;
		}
		if (memcmp(got, want, k) != 0) {
			report_wrong(i, got, want);
			drop(i, &wrong);
			return;
		}
		got += k;
		n -= k;
		c->at += k;
		if (c->at == size) {
			record_latency(now - c->began[c->checked % window]);
			c->at = 0;
			c->checked++;
			finished++;
		}
	}
}

static void give_back(unsigned bid)
{
	io_uring_buf_ring_add(pool, pool_mem + (size_t)bid * pool_size,
			      pool_size, (unsigned short)bid,
			      (int)pool_count - 1, (int)recycled);
	recycled++;
}

static void on_recv(unsigned i, const struct io_uring_cqe *cqe)
{
	Conn *c = &conns[i];

	if (cqe->res > 0) {
		unsigned bid = cqe->flags >> IORING_CQE_BUFFER_SHIFT;

		last_progress = now;
		if (!c->dead)
			check_bytes(i, pool_mem + (size_t)bid * pool_size,
				    (size_t)cqe->res);
		give_back(bid);
		go_on(i);
	} else if (cqe->res != -ENOBUFS) {
		if (!c->dead && errors < 5)
			fprintf(stderr, "load: connection %u: %s\n", i,
				cqe->res == 0 ? "closed by the server" :
						strerror(-cqe->res));
		drop(i, &errors);
	}
	/* out of buffers, or of room for completions: some are free by now */
	if (!(cqe->flags & IORING_CQE_F_MORE) && !c->dead)
		arm_recv(i);
}

static void on_send(unsigned i, int res)
{
	Conn *c = &conns[i];

	c->sending = 0;
	if (res != (int)size) { /* cut short means that it failed */
		if (!c->dead && errors < 5)
			fprintf(stderr, "load: connection %u: send: %s\n", i,
				res < 0 ? strerror(-res) : "cut short");
		drop(i, &errors);
		return;
	}
	go_on(i);
}

/* Handles every completion that is there. */
static void turn(void)
{
	struct io_uring_cqe *cqe;
	unsigned head;
	unsigned n = 0;

	now = now_ns();
	io_uring_for_each_cqe(&ring, head, cqe) {
		unsigned i = (unsigned)(cqe->user_data >> 8);

		n++;
		switch (cqe->user_data & 0xff) {
		case KIND_RECV: on_recv(i, cqe); break;
		case KIND_SEND: on_send(i, cqe->res); break;
		default: arm_tick(); break;
		}
	}
	io_uring_buf_ring_advance(pool, (int)recycled);
	recycled = 0;
	io_uring_cq_advance(&ring, n);
}

/* Whether an echo is awaited or another message can begin. */
static int unfinished(void)
{
	return alive > 0 && (finished + lost < begun ||
			     (begun < start_limit && now < stop_at));
}

/* Ping-pong or stream until the time or the messages are used up. */
static void drive(void)
{
	now = last_progress = now_ns();
	arm_tick();
	for (unsigned i = 0; i < nconns; i++) {
		arm_recv(i);
		go_on(i);
	}
	while (unfinished()) {
		int err = io_uring_submit_and_wait(&ring, 1);

		if (err < 0 && err != -EINTR && err != -EBUSY)
			die("io_uring_submit_and_wait", -err);
		turn();
		if (now - last_progress > STALL_NS || now > give_up_at) {
			fprintf(stderr, "load: gave up waiting for %llu echoes\n",
				(unsigned long long)(begun - finished - lost));
			errors += begun - finished - lost;
			break;
		}
	}
}

/* ---- connections ---- */

/* Fills in the address, returns its length; exits unless it is local. */
static socklen_t parse_address(const char *host, const char *port,
			       struct sockaddr_storage *ss)
{
	struct sockaddr_in *v4 = (struct sockaddr_in *)ss;
	struct sockaddr_in6 *v6 = (struct sockaddr_in6 *)ss;
	struct sockaddr_un *un = (struct sockaddr_un *)ss;
	in_port_t be_port = 0;

	memset(ss, 0, sizeof *ss);
	if (strncmp(host, "unix:", 5) == 0) {
		if (strlen(host + 5) >= sizeof un->sun_path)
			die("load: the path of the socket is too long", 0);
		un->sun_family = AF_UNIX;
		strcpy(un->sun_path, host + 5);
		return sizeof *un;
	}
	if (port == NULL)
		die("load: no PORT", 0);
	be_port = htons((uint16_t)parse_count(port, 1, 65535, "PORT"));
	if (inet_pton(AF_INET, host, &v4->sin_addr) == 1 &&
	    ntohl(v4->sin_addr.s_addr) >> 24 == 127) {
		v4->sin_family = AF_INET;
		v4->sin_port = be_port;
		return sizeof *v4;
	}
	if (inet_pton(AF_INET6, host, &v6->sin6_addr) == 1 &&
	    IN6_IS_ADDR_LOOPBACK(&v6->sin6_addr)) {
		v6->sin6_family = AF_INET6;
		v6->sin6_port = be_port;
		return sizeof *v6;
	}
	die("load: HOST must be 127.x.y.z, ::1 or unix:/path", 0);
}

/* Connects; a server that does not accept is waited for up to STALL_NS. */
static int open_connection(const struct sockaddr_storage *ss, socklen_t len)
{
	const struct timeval limit = {STALL_NS / 1000000000u, 0};
	int on = 1;
	int fd = socket(ss->ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (fd < 0)
		die("socket", errno);
	setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof limit);
	if (ss->ss_family != AF_UNIX)
		setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
	if (connect(fd, (const struct sockaddr *)ss, len) != 0)
		die("connect", errno == EINPROGRESS ? ETIMEDOUT : errno);
	return fd;
}

/* Opens all connections, the idle ones last. */
static void open_connections(const struct sockaddr_storage *ss, socklen_t len)
{
	unsigned n = nconns + nidle;
	uint64_t until = now_ns() + OPEN_NS;

	fds = calloc(n, sizeof *fds);
	if (fds == NULL)
		die("calloc", ENOMEM);
	if (raise_nofile(n + 64) < n + 64)
		die("load: cannot raise RLIMIT_NOFILE so far", 0);
	for (unsigned i = 0; i < n; i++) {
		fds[i] = open_connection(ss, len);
		if (now_ns() > until)
			die("load: the server accepts too slowly", 0);
	}
}

/* Counts the idle connections that did not stay open and silent. */
static void check_idle(void)
{
	for (unsigned i = nconns; i < nconns + nidle; i++) {
		char byte;

		if (recv(fds[i], &byte, 1, MSG_DONTWAIT) >= 0 ||
		    errno != EAGAIN)
			errors++;
	}
}

/* ---- set-up ---- */

static void make_conns(void)
{
	stride = (size + 7) & ~(size_t)7;
	conns = calloc(nconns, sizeof *conns);
	if (conns == NULL)
		die("calloc", ENOMEM);
	for (unsigned i = 0; i < nconns; i++) {
		conns[i].out = malloc(window * stride);
		if (conns[i].out == NULL)
			die("malloc", ENOMEM);
	}
	alive = nconns;
}

static void make_ring(void)
{
	unsigned cq = 4 * nconns < 4096 ? 4096 : 4 * nconns;
	int err;

	open_ring(&ring, 1024, cq);
	err = io_uring_register_files(&ring, fds, nconns);
	if (err < 0)
		die("io_uring_register_files", -err);
}

/* Few buffers, used again at once: they stay in the processor's cache. */
static void make_pool(void)
{
	struct io_uring_buf_reg reg;
	int err;

	pool_size = size <= 4096 ? 4096 : 65536;
	pool_count = POOL_BYTES / pool_size;
	pool_mem = map_pages((size_t)pool_count * pool_size);
	pool = map_pages(pool_count * sizeof(struct io_uring_buf));
	memset(&reg, 0, sizeof reg);
	reg.ring_addr = (uint64_t)(uintptr_t)pool;
	reg.ring_entries = pool_count;
	reg.bgid = GROUP;
	err = io_uring_register_buf_ring(&ring, &reg, 0);
	if (err < 0)
		die("io_uring_register_buf_ring", -err);
	for (unsigned bid = 0; bid < pool_count; bid++)
		give_back(bid);
	io_uring_buf_ring_advance(pool, (int)recycled);
	recycled = 0;
}

static double parse_seconds(const char *s)
{
	char *end;
	double t = strtod(s, &end);

	if (end == s || *end != '\0' || !(t > 0 && t < 1e6))
		die("-t: expected a number of seconds", 0);
	return t;
}

/* Reads the options; returns the seconds to run, 0 for no limit. */
static double parse_options(int argc, char **argv)
{
	double seconds = 0;
	int opt;

	while ((opt = getopt(argc, argv, "c:s:t:n:i:b")) != -1) {
		switch (opt) {
		case 'c':
			nconns = (unsigned)parse_count(optarg, 1, 1u << 20,
						       "-c");
			break;
		case 's': size = parse_count(optarg, 1, 1u << 26, "-s"); break;
		case 't': seconds = parse_seconds(optarg); break;
		case 'n':
			start_limit = parse_count(optarg, 1, UINT64_MAX / 2,
						  "-n");
			break;
		case 'i':
			nidle = (unsigned)parse_count(optarg, 0, 1u << 20,
						      "-i");
			break;
		case 'b': window = WINDOW; break;
		default: exit(2);
		}
	}
	if (optind == argc || optind + 2 < argc)
		die("usage: load [-c connections] [-s message_bytes] "
		    "[-t seconds] [-n messages_total]\n"
		    "            [-i idle_connections] [-b] HOST PORT", 0);
	return seconds == 0 && start_limit == UINT64_MAX ? 5 : seconds;
}

int main(int argc, char **argv)
{
	double limit = parse_options(argc, argv);
	struct sockaddr_storage ss;
	socklen_t len;
	uint64_t start;
	double seconds, cpu;

	len = parse_address(argv[optind], argv[optind + 1], &ss);
	open_connections(&ss, len);
	make_conns();
	make_ring();
	make_pool();

	cpu = cpu_seconds();
	start = now_ns();
	give_up_at = start + LIMIT_NS;
	if (limit > 0) {
		stop_at = start + (uint64_t)(limit * 1e9);
		give_up_at = stop_at + STALL_NS;
	}
	drive();
	seconds = (double)(now_ns() - start) / 1e9;
	cpu = cpu_seconds() - cpu;
	check_idle();

	printf("connections=%u size=%zu messages=%llu seconds=%.3f "
	       "messages_per_second=%.0f bytes=%llu wrong=%llu errors=%llu "
	       "cpu_seconds=%.3f p50_us=%.1f p99_us=%.1f\n",
	       nconns, size, (unsigned long long)finished, seconds,
	       (double)finished / seconds, (unsigned long long)bytes,
	       (unsigned long long)wrong, (unsigned long long)errors, cpu,
	       quantile_us(0.50), quantile_us(0.99));
	return wrong == 0 && errors == 0 ? 0 : 1;
}
