/* A closed loop of policy requests over many connections: each asks its next question when it has the answer to the last.
 * load PORT|unix:PATH CONNECTIONS MILLISECONDS FILE
 * FILE holds whole requests, one after the other. Prints: answers, seconds, and latencies in microseconds at the median,
 * 99 % and 99.9 %. It takes the place of Postfix in benchmarks; it answers for nothing else. */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

enum { BUCKETS = 1 << 20, CONNECTIONS_MAX = 4096 };

struct connection {
  int fd;
  uint64_t asked_at;
};

static char *text;
static size_t *starts;
static size_t requests, next_request;
static uint32_t buckets[BUCKETS];
static uint64_t answers;

static void fail(const char *what) {
  perror(what);
  exit(1);
}

static uint64_t now_ns(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

static void read_requests(const char *name) {
  struct stat info;
  int fd = open(name, O_RDONLY);
  if (fd < 0 || fstat(fd, &info) != 0) fail(name);
  size_t size = (size_t)info.st_size;
  text = malloc(size + 1);
  size_t have = 0;
  while (have < size) {
    ssize_t got = read(fd, text + have, size - have);
    if (got <= 0) fail(name);
    have += (size_t)got;
  }
  text[size] = 0;
  close(fd);
  starts = malloc((size / 8 + 2) * sizeof *starts);
  for (char *at = text, *end; (end = strstr(at, "\n\n")) != NULL; at = end + 2) starts[requests++] = (size_t)(at - text);
  starts[requests] = size;
  if (requests == 0) exit(1);
}

static int connect_to(const char *address) {
  if (strncmp(address, "unix:", 5) == 0) {
    struct sockaddr_un to = {.sun_family = AF_UNIX};
    strncpy(to.sun_path, address + 5, sizeof to.sun_path - 1);
    int fd = socket(AF_UNIX, SOCK_STREAM, 0);
    if (connect(fd, (struct sockaddr *)&to, sizeof to) != 0) fail("connect");
    return fd;
  }
  struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons((uint16_t)atoi(address))};
  to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  int one = 1, fd = socket(AF_INET, SOCK_STREAM, 0);
  setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
  if (connect(fd, (struct sockaddr *)&to, sizeof to) != 0) fail("connect");
  return fd;
}

static void ask(struct connection *c) {
  size_t from = starts[next_request], to = starts[next_request + 1];
  next_request = (next_request + 1) % requests;
  c->asked_at = now_ns();
  if (send(c->fd, text + from, to - from, MSG_NOSIGNAL) != (ssize_t)(to - from)) fail("send");
}

static double at_share(double share) {
  uint64_t wanted = (uint64_t)((double)answers * share), seen = 0;
  for (size_t i = 0; i < BUCKETS; i++)
    if ((seen += buckets[i]) > wanted) return (double)i;
  return BUCKETS;
}

int main(int argc, char **argv) {
  if (argc != 5) return 64;
  int count = atoi(argv[2]);
  uint64_t span = (uint64_t)atoi(argv[3]) * 1000000u;
  if (count < 1 || count > CONNECTIONS_MAX) return 64;
  read_requests(argv[4]);
  static struct connection all[CONNECTIONS_MAX];
  int poll = epoll_create1(0);
  for (int i = 0; i < count; i++) {
    all[i].fd = connect_to(argv[1]);
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = &all[i]};
    epoll_ctl(poll, EPOLL_CTL_ADD, all[i].fd, &event);
  }
  uint64_t started = now_ns(), until = started + span, now = started;
  for (int i = 0; i < count; i++) ask(&all[i]);
  struct epoll_event ready[256];
  char answer[4096];
  while (now < until) {
    int n = epoll_wait(poll, ready, 256, 1000);
    for (int i = 0; i < n; i++) {
      struct connection *c = ready[i].data.ptr;
      ssize_t got = recv(c->fd, answer, sizeof answer, 0);
      if (got <= 0) fail("recv");
      if (got < 2 || answer[got - 1] != '\n' || answer[got - 2] != '\n') continue;
      now = now_ns();
      uint64_t microseconds = (now - c->asked_at) / 1000;
      buckets[microseconds < BUCKETS ? microseconds : BUCKETS - 1]++;
      answers++;
      ask(c);
    }
    if (n == 0) now = now_ns();
  }
  printf("{\"answers\":%llu,\"seconds\":%.6f,\"p50\":%.0f,\"p99\":%.0f,\"p999\":%.0f}\n", (unsigned long long)answers,
         (double)(now - started) / 1e9, at_share(0.5), at_share(0.99), at_share(0.999));
  return 0;
}
