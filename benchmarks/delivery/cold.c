/* Two kinds of clients at once, each asking at a fixed rate on connections of its own: the first for objects that are in
 * memory, the second for those of its list, in order. Measures the time to the first byte (of the second kind: to the
 * last) from when a request was due, so that a server that stands still is seen by every request it holds up; of all
 * together, the time to the first byte. Bodies are dropped in the kernel; the clock is polled, so that the load's own
 * waking up is no part of it.
 *
 * cold ADDRESS PORT SECONDS RATE HOT-LIST OTHER-LIST [NAP_US]
 *
 * Lists hold one path a line. With NAP_US it sleeps so long between looks: at real-time priority it would else take a
 * core from everybody. Prints one JSON line.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { CONNECTIONS = 16, HEAD_BYTES_MAX = 4096, PATHS_MAX = 65536 };

struct client {
  int descriptor, head_bytes;
  long asked_us, left; /* asked_us: 0 when nothing is on its way; left: of the body, -1 while the head comes */
  char head[HEAD_BYTES_MAX];
};

struct kind {
  struct client clients[CONNECTIONS];
  char *paths[PATHS_MAX];
  long paths_count, asked, due_us, samples, done;
  unsigned *took_us;
} kinds[2];

static long errors, firsts;
static unsigned *first_us; /* of either kind */

static long now_us(void) {
  struct timespec at;
  clock_gettime(CLOCK_MONOTONIC, &at);
  return at.tv_sec * 1000000L + at.tv_nsec / 1000;
}

static void give_up(const char *why) {
  perror(why);
  exit(1);
}

static void receive(struct kind *kind, struct client *client) {
  int in_head = client->left < 0;
  ssize_t came = in_head ? recv(client->descriptor, client->head + client->head_bytes,
                                HEAD_BYTES_MAX - 1 - client->head_bytes, MSG_DONTWAIT)
                         : recv(client->descriptor, NULL, client->left, MSG_TRUNC | MSG_DONTWAIT);
  if (came < 0 && errno == EAGAIN) return;
  if (came <= 0) give_up("connection lost");
  if (in_head) {
    if (!client->head_bytes) {
      first_us[firsts++] = now_us() - client->asked_us;
      if (kind == kinds) kind->took_us[kind->samples++] = first_us[firsts - 1];
    }
    client->head_bytes += came;
    client->head[client->head_bytes] = 0;
    char *end = strstr(client->head, "\r\n\r\n"), *length = strcasestr(client->head, "\r\nContent-Length:");
    if (!end) return;
    if (strncmp(client->head, "HTTP/1.1 200", 12)) errors++;
    client->left = length ? atol(length + 17) : 0;
    came = client->head_bytes - (end + 4 - client->head);
  }
  client->left -= came;
  if (client->left == 0) {
    kind->done++;
    if (kind != kinds) kind->took_us[kind->samples++] = now_us() - client->asked_us;
    client->asked_us = 0;
  }
}

static void ask(struct kind *kind, long period_us) {
  struct client *client = kind->clients + kind->asked % CONNECTIONS;
  if (client->asked_us) return; /* asked when it is free; counted from when it was due */
  char request[HEAD_BYTES_MAX];
  int length = snprintf(request, sizeof request, "GET %s HTTP/1.1\r\nHost: bench\r\nAccept: */*\r\n\r\n",
                        kind->paths[kind->asked++ % kind->paths_count]);
  client->asked_us = kind->due_us;
  client->left = -1;
  client->head_bytes = 0;
  kind->due_us += period_us;
  if (send(client->descriptor, request, length, MSG_NOSIGNAL) != length) give_up("send");
}

static int by_size(const void *left, const void *right) {
  unsigned a = *(const unsigned *)left, b = *(const unsigned *)right;
  return (a > b) - (a < b);
}

int main(int argc, char **argv) {
  if (argc != 7 && argc != 8) return 2;
  long nap_us = argc == 8 ? atol(argv[7]) : 0;
  long seconds = atol(argv[3]), period_us = 1000000 / atol(argv[4]);
  struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(atoi(argv[2]))};
  inet_pton(AF_INET, argv[1], &address.sin_addr);
  for (int which = 0; which < 2; which++) {
    struct kind *kind = kinds + which;
    char line[HEAD_BYTES_MAX];
    FILE *list = fopen(argv[5 + which], "r");
    if (!list) give_up(argv[5 + which]);
    while (kind->paths_count < PATHS_MAX && fgets(line, sizeof line, list))
      kind->paths[kind->paths_count++] = strndup(line, strcspn(line, "\n"));
    kind->took_us = calloc(seconds * 1000000 / period_us + CONNECTIONS, sizeof *kind->took_us);
    for (int place = 0; place < CONNECTIONS; place++) {
      kind->clients[place].descriptor = socket(AF_INET, SOCK_STREAM, 0);
      if (connect(kind->clients[place].descriptor, (void *)&address, sizeof address)) give_up("connect");
    }
  }
  long began = now_us() + 10000, ends = began + seconds * 1000000;
  first_us = calloc(2 * (seconds * 1000000 / period_us + CONNECTIONS), sizeof *first_us);
  kinds[0].due_us = began;
  kinds[1].due_us = began + period_us / 3; /* not at the same moment */
  for (long now = began; now < ends + 2000000; now = now_us()) {
    long waiting = 0;
    for (struct kind *kind = kinds; kind < kinds + 2; kind++) {
      if (kind->due_us <= now && kind->due_us < ends) ask(kind, period_us);
      for (struct client *client = kind->clients; client < kind->clients + CONNECTIONS; client++)
        if (client->asked_us) receive(kind, client);
      waiting += kind->done < kind->asked;
    }
    if (now >= ends && !waiting) break;
    if (nap_us) usleep(nap_us);
  }
  for (struct kind *kind = kinds; kind < kinds + 2; kind++) {
    qsort(kind->took_us, kind->samples, sizeof *kind->took_us, by_size);
    errors += kind->asked - kind->done;
    if (!kind->samples) return 1;
  }
  qsort(first_us, firsts, sizeof *first_us, by_size);
  printf("{\"requests\": %ld, \"others\": %ld, \"errors\": %ld, \"p50_us\": %u, \"p99_us\": %u, \"other_p50_us\": %u, "
         "\"other_p99_us\": %u, \"all_p50_us\": %u, \"all_p99_us\": %u}\n",
         kinds[0].samples, kinds[1].samples, errors, kinds[0].took_us[kinds[0].samples / 2],
         kinds[0].took_us[kinds[0].samples * 99 / 100], kinds[1].took_us[kinds[1].samples / 2],
         kinds[1].took_us[kinds[1].samples * 99 / 100], first_us[firsts / 2], first_us[firsts * 99 / 100]);
  return 0;
}
