/* As little as a policy server can do: looks for the ends of requests and answers DUNNO. The bar of benchmarks.
 * null PORT|unix:PATH */
#include <arpa/inet.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

enum { FDS_MAX = 65536, READ_MAX = 65536 };

static char last[FDS_MAX]; /* whether the last byte of a connection was the end of a line */

static int listen_on(const char *address) {
  if (strncmp(address, "unix:", 5) == 0) {
    struct sockaddr_un at = {.sun_family = AF_UNIX};
    strncpy(at.sun_path, address + 5, sizeof at.sun_path - 1);
    int fd = socket(AF_UNIX, SOCK_STREAM, 0);
    return bind(fd, (struct sockaddr *)&at, sizeof at) == 0 && listen(fd, 512) == 0 ? fd : -1;
  }
  struct sockaddr_in at = {.sin_family = AF_INET, .sin_port = htons((unsigned short)atoi(address))};
  at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  int one = 1, fd = socket(AF_INET, SOCK_STREAM, 0);
  setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
  return bind(fd, (struct sockaddr *)&at, sizeof at) == 0 && listen(fd, 512) == 0 ? fd : -1;
}

int main(int argc, char **argv) {
  if (argc != 2) return 64;
  int server = listen_on(argv[1]), poll = epoll_create1(0);
  if (server < 0) return 1;
  struct epoll_event event = {.events = EPOLLIN, .data.fd = server}, ready[256];
  epoll_ctl(poll, EPOLL_CTL_ADD, server, &event);
  puts("ready");
  fflush(stdout);
  static char bytes[READ_MAX];
  for (;;) {
    int n = epoll_wait(poll, ready, 256, -1);
    for (int i = 0; i < n; i++) {
      int fd = ready[i].data.fd;
      if (fd == server) {
        int one = 1, peer = accept(server, NULL, NULL);
        if (peer < 0 || peer >= FDS_MAX) continue;
        setsockopt(peer, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
        last[peer] = 0;
        struct epoll_event added = {.events = EPOLLIN, .data.fd = peer};
        epoll_ctl(poll, EPOLL_CTL_ADD, peer, &added);
        continue;
      }
      ssize_t got = recv(fd, bytes, sizeof bytes, 0);
      if (got <= 0) {
        close(fd);
        continue;
      }
      for (ssize_t at = 0; at < got; at++) {
        if (bytes[at] == '\n' && last[fd]) {
          send(fd, "action=DUNNO\n\n", 14, MSG_NOSIGNAL);
          last[fd] = 0;
        } else
          last[fd] = bytes[at] == '\n';
      }
    }
  }
}
