/* A service that calls without mercy: SECONDS, then calls a second over TCP and over UDP, whether or not those before
 * have been answered. It counts what each call met, and prints that as one line of JSON.
 *
 *   storm SECONDS TCP_PER_S UDP_PER_S BESIDE_PER_S PAUSE_S
 *
 * TCP: 8 addresses of 198.51.100.0/24, port 9000, a socket for each call. UDP: the same addresses, port 9001, one socket
 * for each address, which asks to hear of every error (IP_RECVERR). Two processes, one for each protocol; a third makes
 * BESIDE_PER_S calls over TCP one after another, each awaited, and says how long they took: what another part of the
 * service meets meanwhile. Descriptors are the only bound: with too many calls unanswered the next ones are not made.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <linux/errqueue.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { ADDRESSES = 8, ERRNOS = 160, LINGER_S = 5, TICK_US = 1000 };
static long met[ERRNOS], unsent[ERRNOS], made, answered, behind;
static double spent[200000];

static double now(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return t.tv_sec + t.tv_nsec / 1e9;
}

static struct sockaddr_in target(long n, int port) {
  struct sockaddr_in a = {.sin_family = AF_INET, .sin_port = htons(port)};
  a.sin_addr.s_addr = htonl(0xC6336401u + n % ADDRESSES);
  return a;
}

static void print(const char *protocol, double rate_s) {
  printf("{\"protocol\":\"%s\",\"made\":%ld,\"answered\":%ld,\"not_made\":%ld,\"per_s\":%.0f,\"met\":{", protocol, made,
         answered, behind, rate_s > 0 ? made / rate_s : 0);
  const char *comma = "";
  for (int e = 0; e < ERRNOS; e++)
    if (met[e]) printf("%s\"%s\":%ld", comma, e ? strerrorname_np(e) : "connected", met[e]), comma = ",";
  printf("},\"unsent\":{");
  comma = "";
  for (int e = 0; e < ERRNOS; e++)
    if (unsent[e]) printf("%s\"%s\":%ld", comma, strerrorname_np(e), unsent[e]), comma = ",";
  printf("}}\n");
  fflush(stdout);
}

static void finished(int fd) {
  int error = 0;
  socklen_t size = sizeof error;
  getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &size);
  met[error]++;
  answered++;
  close(fd);
}

static void reap_tcp(int loop, int wait_ms) {
  struct epoll_event events[512];
  int n;
  while ((n = epoll_wait(loop, events, 512, wait_ms)) > 0) {
    for (int i = 0; i < n; i++) finished(events[i].data.fd);
    wait_ms = 0;
  }
}

static void call_tcp(int loop, long n) {
  int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (fd < 0) {
    behind++;
    return;
  }
  struct sockaddr_in to = target(n, 9000);
  made++;
  if (connect(fd, (struct sockaddr *)&to, sizeof to) && errno == EINPROGRESS) {
    struct epoll_event event = {.events = EPOLLOUT, .data.fd = fd};
    epoll_ctl(loop, EPOLL_CTL_ADD, fd, &event);
    return;
  }
  met[errno]++;
  answered++;
  close(fd);
}

static void reap_udp(int fd) {
  char data[64], control[512];
  for (;;) {
    struct iovec part = {data, sizeof data};
    struct msghdr message = {.msg_iov = &part, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof control};
    if (recvmsg(fd, &message, MSG_ERRQUEUE | MSG_DONTWAIT) < 0) break;
    for (struct cmsghdr *c = CMSG_FIRSTHDR(&message); c; c = CMSG_NXTHDR(&message, c)) {
      struct sock_extended_err *error = (void *)CMSG_DATA(c);
      if (c->cmsg_level == IPPROTO_IP && c->cmsg_type == IP_RECVERR) met[error->ee_errno]++, answered++;
    }
  }
  int pending;
  socklen_t size = sizeof pending;
  getsockopt(fd, SOL_SOCKET, SO_ERROR, &pending, &size); /* told of already */
}

static void call_udp(int fd) {
  if (send(fd, "x", 1, MSG_DONTWAIT) == 1) {
    made++;
  } else if (errno == EAGAIN || errno == ENOBUFS) {
    unsent[errno]++, behind++;
  } else {
    reap_udp(fd); /* an error of an earlier one: this one has not left */
    if (send(fd, "x", 1, MSG_DONTWAIT) == 1) made++;
    else unsent[errno]++, behind++;
  }
}

static void storm(int is_tcp, double seconds, double per_s) {
  int loop = epoll_create1(EPOLL_CLOEXEC), sockets[ADDRESSES];
  for (int n = 0; n < ADDRESSES && !is_tcp; n++) {
    struct sockaddr_in to = target(n, 9001);
    int on = 1;
    sockets[n] = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    setsockopt(sockets[n], IPPROTO_IP, IP_RECVERR, &on, sizeof on);
    if (connect(sockets[n], (struct sockaddr *)&to, sizeof to)) exit(1);
  }
  double start = now(), end = start + seconds;
  long due = 0;
  while (now() < end) {
    for (long until = (now() - start) * per_s; due < until; due++)
      is_tcp ? call_tcp(loop, due) : call_udp(sockets[due % ADDRESSES]);
    if (is_tcp) reap_tcp(loop, 0);
    for (int n = 0; n < ADDRESSES && !is_tcp; n++) reap_udp(sockets[n]);
    usleep(TICK_US);
  }
  double took = now() - start;
  for (double last = now() + LINGER_S; now() < last && answered < made;) {
    if (is_tcp) reap_tcp(loop, 50);
    for (int n = 0; n < ADDRESSES && !is_tcp; n++) reap_udp(sockets[n]);
    if (!is_tcp) usleep(20000);
  }
  print(is_tcp ? "tcp" : "udp", took);
}

static int ascending(const void *a, const void *b) {
  double x = *(const double *)a, y = *(const double *)b;
  return (x > y) - (x < y);
}

static void beside(double seconds, double per_s) {
  double start = now(), end = start + seconds;
  for (long n = 0; now() < end && made < 200000; n++) {
    double due = start + n / per_s;
    while (now() < due) usleep(200);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    struct sockaddr_in to = target(n, 9000);
    double began = now();
    met[connect(fd, (struct sockaddr *)&to, sizeof to) ? errno : 0]++;
    spent[made++] = now() - began;
    answered++;
    close(fd);
  }
  print("beside", now() - start);
  qsort(spent, made, sizeof *spent, ascending);
  if (made)
    printf("{\"beside_us\":{\"median\":%.0f,\"p99\":%.0f,\"worst\":%.0f}}\n", spent[made / 2] * 1e6,
           spent[made * 99 / 100] * 1e6, spent[made - 1] * 1e6);
  fflush(stdout);
}

int main(int count, char **words) {
  if (count != 6) return 2;
  double seconds = atof(words[1]);
  struct rlimit all;
  getrlimit(RLIMIT_NOFILE, &all);
  all.rlim_cur = all.rlim_max;
  setrlimit(RLIMIT_NOFILE, &all);
  sleep(atoi(words[5]));
  double rates[3] = {atof(words[2]), atof(words[3]), atof(words[4])};
  for (int n = 0; n < 3; n++)
    if (rates[n] > 0 && fork() == 0) {
      n == 2 ? beside(seconds, rates[n]) : storm(n == 0, seconds, rates[n]);
      return 0;
    }
  while (wait(NULL) > 0) continue;
  printf("done\n");
  fflush(stdout);
  sleep(1000);
}
