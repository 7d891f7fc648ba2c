/* Makes one device fail, for a program that it is preloaded into: calls on files below $OCA_FAULT_DEVICE fail or hang
 * for as long as $OCA_FAULTS holds a file that is named after the fault:
 *   read-error   reads fail with EIO        write-error  writes and syncs fail with EIO
 *   read-only    writes fail with EROFS     full         writes that take space fail with ENOSPC
 *   hang         reads and writes do not return
 * What LMDB reads by its map is out of reach. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sendfile.h>
#include <sys/uio.h>
#include <unistd.h>

enum kind { READ, WRITE, SYNC };

static int on(const char *fault) {
    char path[PATH_MAX];
    const char *folder = getenv("OCA_FAULTS");
    if (!folder) return 0;
    snprintf(path, sizeof path, "%s/%s", folder, fault);
    return access(path, F_OK) == 0;
}

static int on_device(const char *path) {
    const char *device = getenv("OCA_FAULT_DEVICE");
    size_t length = device ? strlen(device) : 0;
    return length && strncmp(path, device, length) == 0 && (path[length] == '/' || path[length] == 0);
}

/* The error that a call on that path gets, 0 for none; returns late where the device hangs. */
static int fault_of(const char *path, enum kind kind) {
    if (!on_device(path)) return 0;
    while (on("hang")) usleep(20000);
    if (kind == READ) return on("read-error") ? EIO : 0;
    if (on("write-error")) return EIO;
    if (on("read-only")) return EROFS;
    return kind == WRITE && on("full") ? ENOSPC : 0;
}

static int fault_at(int descriptor, enum kind kind) {
    char link[64], path[PATH_MAX];
    snprintf(link, sizeof link, "/proc/self/fd/%d", descriptor);
    ssize_t length = readlink(link, path, sizeof path - 1);
    if (length <= 0) return 0;
    path[length] = 0;
    return fault_of(path, kind);
}

#define NEXT(name) ((__typeof__(&name))dlsym(RTLD_NEXT, #name))
#define CALL(kind, descriptor, name, ...) \
    int error = fault_at(descriptor, kind); \
    if (error) { errno = error; return -1; } \
    return NEXT(name)(__VA_ARGS__)

ssize_t pread64(int fd, void *data, size_t n, off64_t at) { CALL(READ, fd, pread64, fd, data, n, at); }
ssize_t preadv64v2(int fd, const struct iovec *v, int n, off64_t at, int flags) {
    CALL(READ, fd, preadv64v2, fd, v, n, at, flags);
}
ssize_t sendfile64(int out, int in, off64_t *at, size_t n) { CALL(READ, in, sendfile64, out, in, at, n); }
ssize_t pwrite64(int fd, const void *data, size_t n, off64_t at) { CALL(WRITE, fd, pwrite64, fd, data, n, at); }
ssize_t pread(int fd, void *data, size_t n, off_t at) { CALL(READ, fd, pread, fd, data, n, at); }
ssize_t pwrite(int fd, const void *data, size_t n, off_t at) { CALL(WRITE, fd, pwrite, fd, data, n, at); }
int fsync(int fd) { CALL(SYNC, fd, fsync, fd); }
int fdatasync(int fd) { CALL(SYNC, fd, fdatasync, fd); }

int rename(const char *from, const char *to) {
    int error = fault_of(from, SYNC);
    if (error) { errno = error; return -1; }
    return NEXT(rename)(from, to);
}

int open64(const char *path, int flags, ...) {
    va_list more;
    va_start(more, flags);
    mode_t mode = va_arg(more, mode_t);
    va_end(more);
    int error = flags & (O_WRONLY | O_RDWR) ? fault_of(path, SYNC) : 0;
    if (error == EROFS) { errno = error; return -1; }
    return NEXT(open64)(path, flags, mode);
}
