/* The least that a server of files must do, for each request: one read, one send of a ready-made head, sendfile.
 * No parser, no limits, no time-outs, no counters: nobody can be cheaper by this kernel interface.
 *
 * floor ADDRESS PORT ROOT PATH...
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

enum { FILES_MAX = 1024, CONNECTIONS_MAX = 65536, JOINED_BYTES_MAX = 60000 };

static struct {
  char path[256];
  char head[1024];
  int head_bytes;
  int descriptor;
  off_t size;
} files[FILES_MAX];

static struct {
  int file; /* being sent; -1: none */
  int have;
  off_t at;
  char in[4096];
} connections[CONNECTIONS_MAX];

static int files_count, epoll;

static void watch(int descriptor, unsigned events) {
  struct epoll_event event = {.events = events, .data.fd = descriptor};
  epoll_ctl(epoll, EPOLL_CTL_ADD, descriptor, &event);
}

/* Sends on; false: the connection is broken. */
static int send_body(int descriptor) {
  int file = connections[descriptor].file;
  while (connections[descriptor].at < files[file].size) {
    size_t left = files[file].size - connections[descriptor].at;
    ssize_t moved = sendfile(descriptor, files[file].descriptor, &connections[descriptor].at, left);
    if (moved <= 0) return moved < 0 && errno == EAGAIN;
    if ((size_t)moved < left) return 1;
  }
  connections[descriptor].file = -1;
  return 1;
}

static int answer(int descriptor, const char *path) {
  for (int file = 0; file < files_count; file++) {
    if (strcmp(files[file].path, path)) continue;
    int joined = files[file].size < JOINED_BYTES_MAX ? MSG_MORE : 0;
    if (send(descriptor, files[file].head, files[file].head_bytes, joined) != files[file].head_bytes) return 0;
    connections[descriptor].file = file;
    connections[descriptor].at = 0;
    return send_body(descriptor);
  }
  return 0;
}

static int receive(int descriptor) {
  char *in = connections[descriptor].in;
  int *have = &connections[descriptor].have;
  ssize_t came = recv(descriptor, in + *have, sizeof connections->in - 1 - *have, 0);
  if (came <= 0) return came < 0 && errno == EAGAIN;
  *have += came;
  in[*have] = 0;
  if (!strstr(in, "\r\n\r\n")) return 1;
  *have = 0;
  char *path = in + sizeof "GET " - 1, *end = strchr(path, ' ');
  if (!end) return 0;
  *end = 0;
  return answer(descriptor, path);
}

static void load(const char *root, const char *path) {
  char full[1024];
  struct stat about;
  snprintf(full, sizeof full, "%s%s", root, path);
  int descriptor = open(full, O_RDONLY);
  if (descriptor < 0 || fstat(descriptor, &about) || files_count == FILES_MAX) {
    perror(full);
    exit(1);
  }
  snprintf(files[files_count].path, sizeof files->path, "%s", path);
  files[files_count].descriptor = descriptor;
  files[files_count].size = about.st_size;
  files[files_count].head_bytes = snprintf(
      files[files_count].head, sizeof files->head,
      "HTTP/1.1 200 OK\r\nContent-Length: %ld\r\nContent-Type: video/iso.segment\r\nAccept-Ranges: bytes\r\n"
      "ETag: \"0123456789abcdef0123456789abcdef\"\r\nLast-Modified: Wed, 25 Nov 2026 21:00:00 GMT\r\n"
      "Cache-Control: public, max-age=86400\r\nAccess-Control-Allow-Origin: *\r\nTiming-Allow-Origin: *\r\n"
      "Access-Control-Expose-Headers: Content-Length, Content-Range, Date, ETag, Last-Modified\r\n"
      "Date: Wed, 25 Nov 2026 21:00:00 GMT\r\n\r\n",
      (long)about.st_size);
  files_count++;
}

int main(int argc, char **argv) {
  if (argc < 5) {
    fprintf(stderr, "usage: floor ADDRESS PORT ROOT PATH...\n");
    return 2;
  }
  signal(SIGPIPE, SIG_IGN);
  for (int place = 4; place < argc; place++) load(argv[3], argv[place]);
  int listener = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0), yes = 1;
  setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes);
  setsockopt(listener, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof yes);
  struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(atoi(argv[2]))};
  inet_pton(AF_INET, argv[1], &address.sin_addr);
  if (bind(listener, (void *)&address, sizeof address) || listen(listener, 1024)) {
    perror("listen");
    return 1;
  }
  epoll = epoll_create1(0);
  watch(listener, EPOLLIN);
  for (;;) {
    struct epoll_event events[256];
    int count = epoll_wait(epoll, events, 256, -1);
    for (int turn = 0; turn < count; turn++) {
      int descriptor = events[turn].data.fd, fine = 1;
      if (descriptor == listener) {
        for (int new; (new = accept4(listener, 0, 0, SOCK_NONBLOCK)) >= 0;) {
          if (new >= CONNECTIONS_MAX) {
            close(new);
            continue;
          }
          connections[new].file = -1;
          connections[new].have = 0;
          watch(new, EPOLLIN | EPOLLOUT | EPOLLET);
        }
        continue;
      }
      if (events[turn].events & EPOLLOUT && connections[descriptor].file >= 0) fine = send_body(descriptor);
      if (fine && events[turn].events & EPOLLIN) fine = receive(descriptor);
      if (!fine) close(descriptor);
    }
  }
}
