/* Many players at once: each keeps one connection and asks for one object per period, as fast as a stream of that
 * bitrate goes. A response that is not whole when the next is due is a stall. Bodies are dropped in the kernel
 * (MSG_TRUNC), so that the load costs as little as it can.
 *
 * paced ADDRESS PORT CONNECTIONS PERIOD_MS SECONDS REQUEST-FILE BYTES
 *
 * REQUEST-FILE holds one whole request head; BYTES is how long its body must be. Clients' addresses are spread over
 * 127.1.0.0/16, 250 connections each. Prints one JSON line.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { PER_ADDRESS = 250, HEAD_BYTES_MAX = 4096 };

struct client {
  int descriptor;
  long due_us, asked_us; /* asked_us: 0 when nothing is on its way */
  long left;             /* of the body; -1 while the head comes */
  int head_bytes;
  char head[HEAD_BYTES_MAX];
};

static char request[HEAD_BYTES_MAX];
static long body_bytes, request_bytes, period_us;
static long responses, errors, stalls, bytes;
static unsigned *latencies_us;
static long latencies_max;

static long now_us(void) {
  struct timespec at;
  clock_gettime(CLOCK_MONOTONIC, &at);
  return at.tv_sec * 1000000L + at.tv_nsec / 1000;
}

static void fail(struct client *client) {
  if (client->descriptor < 0) return;
  errors++;
  close(client->descriptor);
  client->descriptor = -1;
}

static void ask(struct client *client, long now) {
  if (client->asked_us) { /* the one before is not whole yet */
    stalls++;
    client->due_us += period_us;
    return;
  }
  client->due_us += period_us;
  client->asked_us = now;
  client->left = -1;
  client->head_bytes = 0;
  if (send(client->descriptor, request, request_bytes, MSG_NOSIGNAL) != request_bytes) fail(client);
}

static void receive(struct client *client) {
  for (;;) {
    ssize_t came;
    if (client->left < 0) {
      came = recv(client->descriptor, client->head + client->head_bytes, HEAD_BYTES_MAX - 1 - client->head_bytes,
                  MSG_DONTWAIT);
    } else {
      came = recv(client->descriptor, NULL, client->left, MSG_TRUNC | MSG_DONTWAIT);
    }
    if (came <= 0) {
      if (came == 0 || errno != EAGAIN) fail(client);
      return;
    }
    if (client->left < 0) {
      client->head_bytes += came;
      client->head[client->head_bytes] = 0;
      char *end = strstr(client->head, "\r\n\r\n");
      if (!end) {
        if (client->head_bytes == HEAD_BYTES_MAX - 1) fail(client);
        continue;
      }
      if (strncmp(client->head, "HTTP/1.1 200", 12) || !client->asked_us) {
        fail(client);
        return;
      }
      client->left = body_bytes;
      came = client->head_bytes - (end + 4 - client->head);
    }
    bytes += came;
    client->left -= came;
    if (client->left == 0) {
      if (responses < latencies_max) latencies_us[responses] = now_us() - client->asked_us;
      responses++;
      client->asked_us = 0;
      return;
    }
  }
}

static int by_size(const void *left, const void *right) {
  unsigned a = *(const unsigned *)left, b = *(const unsigned *)right;
  return (a > b) - (a < b);
}

int main(int argc, char **argv) {
  if (argc != 8) {
    fprintf(stderr, "usage: paced ADDRESS PORT CONNECTIONS PERIOD_MS SECONDS REQUEST-FILE BYTES\n");
    return 2;
  }
  long count = atol(argv[3]), seconds = atol(argv[5]);
  period_us = atol(argv[4]) * 1000;
  FILE *file = fopen(argv[6], "rb");
  request_bytes = file ? fread(request, 1, sizeof request, file) : 0;
  body_bytes = atol(argv[7]);
  latencies_max = count * (seconds * 1000000 / period_us + 2);
  latencies_us = calloc(latencies_max, sizeof *latencies_us);
  struct client *clients = calloc(count, sizeof *clients);
  struct rlimit limit;
  getrlimit(RLIMIT_NOFILE, &limit);
  limit.rlim_cur = limit.rlim_max;
  setrlimit(RLIMIT_NOFILE, &limit);
  struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(atoi(argv[2]))};
  inet_pton(AF_INET, argv[1], &address.sin_addr);
  int epoll = epoll_create1(0);
  for (long place = 0; place < count; place++) {
    struct client *client = clients + place;
    struct sockaddr_in own = {.sin_family = AF_INET};
    own.sin_addr.s_addr = htonl(0x7f010001 + place / PER_ADDRESS);
    client->descriptor = socket(AF_INET, SOCK_STREAM, 0);
    if (client->descriptor < 0 || bind(client->descriptor, (void *)&own, sizeof own) ||
        connect(client->descriptor, (void *)&address, sizeof address)) {
      perror("connect");
      return 1;
    }
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = client};
    epoll_ctl(epoll, EPOLL_CTL_ADD, client->descriptor, &event);
  }
  fprintf(stderr, "connected\n");
  getchar(); /* the caller looks at the server's memory, then lets us go */
  long began = now_us(), ends = began + seconds * 1000000, next = 0;
  for (long place = 0; place < count; place++) clients[place].due_us = began + period_us * place / count;
  for (long now = began; now < ends; now = now_us()) {
    /* Clients are due in their order, round and round. */
    while (clients[next].due_us <= now) {
      if (clients[next].descriptor >= 0) {
        ask(clients + next, now);
      } else {
        clients[next].due_us += period_us;
      }
      next = (next + 1) % count;
    }
    struct epoll_event events[256];
    long wait_us = clients[next].due_us - now;
    int ready = epoll_wait(epoll, events, 256, wait_us > 1000 ? wait_us / 1000 : 0);
    for (int turn = 0; turn < ready; turn++) receive(events[turn].data.ptr);
  }
  long measured = responses < latencies_max ? responses : latencies_max;
  qsort(latencies_us, measured, sizeof *latencies_us, by_size);
  printf("{\"responses\": %ld, \"errors\": %ld, \"stalls\": %ld, \"bytes\": %ld, "
         "\"p50_us\": %u, \"p99_us\": %u, \"p999_us\": %u}\n",
         responses, errors, stalls, bytes, measured ? latencies_us[measured / 2] : 0,
         measured ? latencies_us[measured * 99 / 100] : 0, measured ? latencies_us[measured * 999 / 1000] : 0);
  return 0;
}
