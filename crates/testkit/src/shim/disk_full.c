/*
 * While the file named by WHERRY_DISK_FULL exists, no file below a folder named "data" can grow: writes past a
 * file's end and reservations of space fail with ENOSPC. Writes inside a file go through, as on a real full disk.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <unistd.h>

static int is_full(int file, off_t end) {
    const char *control = getenv("WHERRY_DISK_FULL");
    char link[64], path[4096];
    struct stat status;
    if (control == NULL || access(control, F_OK) != 0) return 0;
    if (fstat(file, &status) != 0 || !S_ISREG(status.st_mode) || end <= status.st_size) return 0;
    snprintf(link, sizeof link, "/proc/self/fd/%d", file);
    ssize_t length = readlink(link, path, sizeof path - 1);
    if (length <= 0) return 0;
    path[length] = 0;
    return strstr(path, "/data/") != NULL;
}

ssize_t write(int file, const void *bytes, size_t count) {
    static ssize_t (*next)(int, const void *, size_t);
    if (next == NULL) next = dlsym(RTLD_NEXT, "write");
    off_t at = lseek(file, 0, SEEK_CUR);
    int flags = fcntl(file, F_GETFL);
    struct stat status;
    if (flags >= 0 && (flags & O_APPEND) && fstat(file, &status) == 0) at = status.st_size;
    if (at >= 0 && is_full(file, at + (off_t)count)) {
        errno = ENOSPC;
        return -1;
    }
    return next(file, bytes, count);
}

ssize_t pwrite64(int file, const void *bytes, size_t count, off64_t at) {
    static ssize_t (*next)(int, const void *, size_t, off64_t);
    if (next == NULL) next = dlsym(RTLD_NEXT, "pwrite64");
    if (is_full(file, at + (off_t)count)) {
        errno = ENOSPC;
        return -1;
    }
    return next(file, bytes, count, at);
}

ssize_t pwrite(int file, const void *bytes, size_t count, off_t at) { return pwrite64(file, bytes, count, at); }

int posix_fallocate64(int file, off64_t at, off64_t length) {
    static int (*next)(int, off64_t, off64_t);
    if (next == NULL) next = dlsym(RTLD_NEXT, "posix_fallocate64");
    return is_full(file, at + length) ? ENOSPC : next(file, at, length);
}

int posix_fallocate(int file, off_t at, off_t length) { return posix_fallocate64(file, at, length); }

int fallocate64(int file, int mode, off64_t at, off64_t length) {
    static int (*next)(int, int, off64_t, off64_t);
    if (next == NULL) next = dlsym(RTLD_NEXT, "fallocate64");
    if (is_full(file, at + length)) {
        errno = ENOSPC;
        return -1;
    }
    return next(file, mode, at, length);
}

int fallocate(int file, int mode, off_t at, off_t length) { return fallocate64(file, mode, at, length); }
