/* SPDX-License-Identifier: MIT
**
** peer.h - the server that the load generator talks to: its address, and
** connections to it.  Only this machine is ever talked to.
*/

#ifndef BENCH_PEER_H
#define BENCH_PEER_H

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "common.h"

#define CONNECT_SECONDS 10 /* until one connection is there */

typedef union Peer {
  struct sockaddr any;
  struct sockaddr_in v4;
  struct sockaddr_in6 v6;
  struct sockaddr_un un;
} Peer;

/* The address in HOST (127.x.y.z, ::1 or unix:/path) and PORT, or exits. */
static inline Peer parse_peer(const char *host, const char *port) {
  Peer p;
  in_port_t be_port;
  memset(&p, 0, sizeof p);
  if (strncmp(host, "unix:", 5) == 0) {
    if (strlen(host + 5) >= sizeof p.un.sun_path)
      die("HOST: the path is too long", 0);
    p.un.sun_family = AF_UNIX;
    strcpy(p.un.sun_path, host + 5);
    return p;
  }
  if (port == NULL)
    die("PORT is missing", 0);
  be_port = htons((uint16_t)parse_count(port, 1, 65535, "PORT"));
  if (inet_pton(AF_INET, host, &p.v4.sin_addr) == 1 &&
      ntohl(p.v4.sin_addr.s_addr) >> 24 == 127) {
    p.v4.sin_family = AF_INET;
    p.v4.sin_port = be_port;
    return p;
  }
  memset(&p, 0, sizeof p);
  if (inet_pton(AF_INET6, host, &p.v6.sin6_addr) == 1 &&
      IN6_IS_ADDR_LOOPBACK(&p.v6.sin6_addr)) {
    p.v6.sin6_family = AF_INET6;
    p.v6.sin6_port = be_port;
    return p;
  }
  die("HOST: expected 127.x.y.z, ::1 or unix:/path", 0);
}

static inline socklen_t peer_size(const Peer *p) {
  switch (p->any.sa_family) {
    case AF_INET: return sizeof p->v4;
    case AF_INET6: return sizeof p->v6;
    default: return sizeof p->un;
  }
}

/* A new connection, or exits: a server that is slow to accept is waited
** for, up to CONNECT_SECONDS. */
static inline int connect_peer(const Peer *p) {
  const struct timeval limit = {CONNECT_SECONDS, 0};
  int on = 1;
  int fd = socket(p->any.sa_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (fd < 0)
    die("socket", errno);
  setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof limit);
  if (p->any.sa_family != AF_UNIX)
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  if (connect(fd, &p->any, peer_size(p)) != 0)
    die("connect", errno == EINPROGRESS || errno == EAGAIN ? ETIMEDOUT : errno);
  return fd;
}

#endif
