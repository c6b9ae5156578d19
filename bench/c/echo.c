/* SPDX-License-Identifier: MIT */
#include "common.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#ifndef SQ
#define SQ 512u
#endif
#define CQ 32768u
#define MAX_CONNS 32768u
#ifndef BUF_SIZE
#define BUF_SIZE 65536u
#endif
#define BUF_STRIDE ((size_t)BUF_SIZE + 64)
#define NBUFS 8192u
#ifndef FIRST_BUFS
#define FIRST_BUFS 64u
#endif
#define MAX_QUEUED 32u
#define GROUP 1
#define NONE UINT32_MAX
#ifndef DIRECT
#define DIRECT 1
#endif

enum { KIND_ACCEPT, KIND_RECV, KIND_SEND, KIND_STOP, KIND_OTHER };
enum { MODE_MULTISHOT, MODE_SIMPLE, MODE_LEAN, MODE_LINK };

typedef struct Conn {
	uint32_t head, tail;
	uint32_t sent;
	uint32_t queued;
	bool receiving, sending, blocked, ended, starved, paused;
} Conn;

static struct io_uring ring;
static Conn *conns;
static unsigned max_conns;
static unsigned mode;
static int listener;
static bool stopping;
static bool accept_paused;

static struct io_uring_buf_ring *pool;
static unsigned char *pool_mem;
static uint32_t *buf_len, *buf_next;
static unsigned published, held, recycled;
static unsigned *starved, nstarved;
static unsigned *tries, ntries, tries_done;

static uint64_t messages, bytes, enters;

static int submit(unsigned wait)
{
	int n = wait ? io_uring_submit_and_wait(&ring, wait) : io_uring_submit(&ring);
	enters++;
	if (n < 0 && n != -EINTR && n != -EAGAIN && n != -EBUSY)
		die("io_uring_submit", -n);
	if (io_uring_sq_ready(&ring) == 0)
		tries_done = ntries;
	return n;
}

static struct io_uring_sqe *get_sqe(unsigned kind, unsigned i)
{
	struct io_uring_sqe *sqe;

	while ((sqe = io_uring_get_sqe(&ring)) == NULL)
		submit(0);
	io_uring_sqe_set_data64(sqe, (uint64_t)i << 8 | kind);
	return sqe;
}

static unsigned char *buf_at(uint32_t bid)
{
	return pool_mem + bid * BUF_STRIDE;
}

static void arm_accept(void)
{
	struct io_uring_sqe *sqe = get_sqe(KIND_ACCEPT, 0);

	if (DIRECT)
		io_uring_prep_multishot_accept_direct(sqe, listener, NULL, NULL, 0);
	else
		io_uring_prep_multishot_accept(sqe, listener, NULL, NULL, 0);
}

static void arm_recv(unsigned i)
{
	struct io_uring_sqe *sqe = get_sqe(KIND_RECV, i);

	if (mode == MODE_SIMPLE || mode == MODE_LINK) {
		io_uring_prep_recv(sqe, (int)i, buf_at(i), BUF_SIZE, 0);
#ifdef PF
		sqe->ioprio |= IORING_RECVSEND_POLL_FIRST;
#endif
	} else {
		io_uring_prep_recv_multishot(sqe, (int)i, NULL, 0, 0);
		sqe->flags |= IOSQE_BUFFER_SELECT;
		sqe->buf_group = GROUP;
	}
	if (DIRECT)
		sqe->flags |= IOSQE_FIXED_FILE;
	conns[i].receiving = true;
}

static void send_head(unsigned i, bool try)
{
	Conn *c = &conns[i];
	struct io_uring_sqe *sqe = get_sqe(KIND_SEND, i);

	io_uring_prep_send(sqe, (int)i, buf_at(c->head) + c->sent,
			   buf_len[c->head] - c->sent,
			   MSG_WAITALL | MSG_NOSIGNAL | (try ? MSG_DONTWAIT : 0));
	if (DIRECT)
		sqe->flags |= IOSQE_FIXED_FILE;
	if (try) {
		sqe->flags |= IOSQE_CQE_SKIP_SUCCESS;
		tries[ntries++] = i;
	}
	c->sending = true;
	c->blocked = !try;
}

static void shut(unsigned i)
{
	struct io_uring_sqe *sqe = get_sqe(KIND_OTHER, i);

	io_uring_prep_shutdown(sqe, (int)i, SHUT_RDWR);
	if (DIRECT)
		sqe->flags |= IOSQE_FIXED_FILE;
}

static void close_conn(unsigned i)
{
	struct io_uring_sqe *sqe = get_sqe(KIND_OTHER, i);

	if (DIRECT)
		io_uring_prep_close_direct(sqe, i);
	else
		io_uring_prep_close(sqe, (int)i);
	if (accept_paused) {
		accept_paused = false;
		arm_accept();
	}
}

static void recycle(uint32_t bid)
{
	io_uring_buf_ring_add(pool, buf_at(bid), BUF_SIZE,
			      (unsigned short)bid, (int)NBUFS - 1,
			      (int)recycled++);
	held--;
}

static void pop(Conn *c)
{
	uint32_t bid = c->head;

	c->head = buf_next[bid];
	c->sent = 0;
	c->queued--;
	recycle(bid);
}

static void maybe_close(unsigned i)
{
	Conn *c = &conns[i];

	if (c->ended && !c->sending && !c->receiving && c->head == NONE)
		close_conn(i);
}

static void fail_conn(unsigned i)
{
	Conn *c = &conns[i];

	while (c->head != NONE)
		pop(c);
	if (!c->ended)
		shut(i);
	c->ended = true;
}

static void next_send(unsigned i)
{
	Conn *c = &conns[i];

	c->sending = false;
	if (c->head != NONE) {
		send_head(i, mode == MODE_LEAN);
		return;
	}
	if (c->paused && !c->receiving && !c->ended) {
		c->paused = false;
		arm_recv(i);
	}
	maybe_close(i);
}

static void on_accept(const struct io_uring_cqe *cqe)
{
	int i = cqe->res;

	if (i >= 0) {
		if ((unsigned)i >= max_conns)
			die("too many", 0);
		memset(&conns[i], 0, sizeof conns[i]);
		conns[i].head = NONE;
		arm_recv((unsigned)i);
	}
	if (!(cqe->flags & IORING_CQE_F_MORE)) {
		if (i == -ENFILE || i == -EMFILE)
			accept_paused = true;
		else
			arm_accept();
	}
}

static void on_recv_simple(unsigned i, const struct io_uring_cqe *cqe)
{
	Conn *c = &conns[i];
	struct io_uring_sqe *sqe;

	c->receiving = false;
	if (cqe->res <= 0) {
		close_conn(i);
		return;
	}
	messages++;
	bytes += (uint64_t)cqe->res;
	c->sent = 0;
	c->queued = (unsigned)cqe->res;
	if (mode == MODE_LINK && io_uring_sq_space_left(&ring) < 2)
		submit(0);
	sqe = get_sqe(KIND_SEND, i);
	io_uring_prep_send(sqe, (int)i, buf_at(i), (size_t)cqe->res, MSG_WAITALL | MSG_NOSIGNAL);
	if (DIRECT)
		sqe->flags |= IOSQE_FIXED_FILE;
	if (mode == MODE_LINK) {
		sqe->flags |= IOSQE_IO_LINK | IOSQE_CQE_SKIP_SUCCESS;
		arm_recv(i);
	}
}

static void on_send_simple(unsigned i, const struct io_uring_cqe *cqe)
{
	if (cqe->res != (int)conns[i].queued)
		close_conn(i);
	else
		arm_recv(i);
}

static void on_recv(unsigned i, const struct io_uring_cqe *cqe)
{
	Conn *c = &conns[i];
	bool more = cqe->flags & IORING_CQE_F_MORE;

	c->receiving = more;
	if (cqe->res > 0) {
		uint32_t bid = cqe->flags >> IORING_CQE_BUFFER_SHIFT;

		messages++;
		bytes += (uint64_t)cqe->res;
		held++;
		buf_len[bid] = (uint32_t)cqe->res;
		buf_next[bid] = NONE;
		if (c->ended) {
			recycle(bid);
			maybe_close(i);
			return;
		}
		if (c->head == NONE)
			c->head = bid;
		else
			buf_next[c->tail] = bid;
		c->tail = bid;
		c->queued++;
		if (!c->sending)
			send_head(i, mode == MODE_LEAN);
		if (c->queued > MAX_QUEUED && !c->paused) {
			c->paused = true;
			if (more)
				io_uring_prep_cancel64(get_sqe(KIND_OTHER, i), (uint64_t)i << 8 | KIND_RECV, 0);
		}
		if (!more && !c->paused)
			arm_recv(i);
	} else if (cqe->res == -ENOBUFS) {
		if (c->ended)
			maybe_close(i);
		else
			starved[nstarved++] = i;
	} else if (cqe->res == -ECANCELED && c->paused && !c->ended) {
		if (!c->sending) {
			c->paused = false;
			arm_recv(i);
		}
	} else {
		if (cqe->res < 0)
			fail_conn(i);
		c->ended = true;
		maybe_close(i);
	}
}

static void on_send(unsigned i, const struct io_uring_cqe *cqe)
{
	Conn *c = &conns[i];
	bool try = !c->blocked;

	if (try) {
		if (cqe->res >= 0 || cqe->res == -EAGAIN) {
			if (cqe->res > 0)
				c->sent += (unsigned)cqe->res;
			send_head(i, false);
			return;
		}
		c->blocked = true;
	} else if (cqe->res == (int)(buf_len[c->head] - c->sent)) {
		pop(c);
		next_send(i);
		return;
	}
	c->sending = false;
	fail_conn(i);
	maybe_close(i);
}

static void finish_tries(void)
{
	unsigned n = tries_done;

	if (io_uring_cq_has_overflow(&ring))
		return;
	for (unsigned k = 0; k < n; k++) {
		Conn *c = &conns[tries[k]];

		if (c->blocked)
			continue;
		pop(c);
		next_send(tries[k]);
	}
	ntries -= n;
	tries_done -= n;
	memmove(tries, tries + n, ntries * sizeof *tries);
}

static void feed_starved(void)
{
	unsigned available;

	if (published < NBUFS) {
		unsigned n = published;
		while (n-- > 0) {
			held++;
			recycle(published++);
		}
	}
	io_uring_buf_ring_advance(pool, (int)recycled);
	recycled = 0;
	available = published - held;
	while (nstarved > 0 && available-- > 0)
		arm_recv(starved[--nstarved]);
}

static void turn(void)
{
	struct io_uring_cqe *cqe;
	unsigned head;
	unsigned n = 0;

	io_uring_for_each_cqe(&ring, head, cqe) {
		unsigned i = (unsigned)(cqe->user_data >> 8);

		n++;
		switch (cqe->user_data & 0xff) {
		case KIND_RECV:
			if (mode == MODE_SIMPLE || mode == MODE_LINK)
				on_recv_simple(i, cqe);
			else
				on_recv(i, cqe);
			break;
		case KIND_SEND:
			if (mode == MODE_SIMPLE || mode == MODE_LINK)
				on_send_simple(i, cqe);
			else
				on_send(i, cqe);
			break;
		case KIND_ACCEPT: on_accept(cqe); break;
		case KIND_STOP: stopping = true; break;
		default: break;
		}
	}
	io_uring_cq_advance(&ring, n);
	if (tries_done > 0)
		finish_tries();
	if (nstarved > 0)
		feed_starved();
	io_uring_buf_ring_advance(pool, (int)recycled);
	recycled = 0;
}

static void open_listener(unsigned port)
{
	struct sockaddr_in a = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t len = sizeof a;
	int on = 1;

	listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
	setsockopt(listener, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
	if (bind(listener, (struct sockaddr *)&a, sizeof a) || listen(listener, 4096))
		die("listen", errno);
	getsockname(listener, (struct sockaddr *)&a, &len);
	printf("%u\n", ntohs(a.sin_port));
	fflush(stdout);
}

static void watch_stop(void)
{
	sigset_t set;
	struct stat st;
	static char junk[64];

	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGINT);
	sigprocmask(SIG_BLOCK, &set, NULL);
	io_uring_prep_poll_add(get_sqe(KIND_STOP, 0), signalfd(-1, &set, SFD_CLOEXEC), POLLIN);
	if (fstat(0, &st) == 0 && (S_ISFIFO(st.st_mode) || S_ISSOCK(st.st_mode)))
		io_uring_prep_read(get_sqe(KIND_STOP, 0), 0, junk, sizeof junk, 0);
}

int main(int argc, char **argv)
{
	struct io_uring_buf_reg reg;
	const char *m = argc > 2 ? argv[2] : "multishot";

	mode = !strcmp(m, "simple") ? MODE_SIMPLE : !strcmp(m, "lean") ? MODE_LEAN : !strcmp(m, "link") ? MODE_LINK : MODE_MULTISHOT;
	max_conns = (unsigned)raise_nofile(20000);
	open_ring(&ring, SQ, CQ);
	if (DIRECT)
		io_uring_register_files_sparse(&ring, max_conns);
	conns = map_pages(max_conns * sizeof *conns);
	buf_len = map_pages(max_conns * 4);
	buf_next = map_pages(max_conns * 4);
	starved = map_pages(max_conns * 4);
	tries = map_pages(max_conns * 8);
	pool_mem = map_pages(max_conns * BUF_STRIDE);
	pool = map_pages(NBUFS * sizeof(struct io_uring_buf));
	memset(&reg, 0, sizeof reg);
	reg.ring_addr = (uint64_t)(uintptr_t)pool;
	reg.ring_entries = NBUFS;
	reg.bgid = GROUP;
	io_uring_register_buf_ring(&ring, &reg, 0);
	while (published < FIRST_BUFS) {
		held++;
		recycle(published++);
	}
	io_uring_buf_ring_advance(pool, (int)recycled);
	recycled = 0;
	open_listener((unsigned)parse_count(argv[1], 0, 65535, "PORT"));
	watch_stop();
	arm_accept();
	while (!stopping) {
		submit(1);
		turn();
	}
	{
		double cpu = cpu_seconds();
		printf("messages=%llu bytes=%llu cpu_seconds=%.3f cpu_ns_per_message=%.1f enters=%llu\n",
		       (unsigned long long)messages, (unsigned long long)bytes, cpu, messages ? cpu * 1e9 / (double)messages : 0.0, (unsigned long long)enters);
	}
	return 0;
}
