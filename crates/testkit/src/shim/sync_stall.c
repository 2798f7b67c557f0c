/* Makes syncs of binlog files sleep while the file named by WHERRY_SYNC_STALL exists, for 8 s at most. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define SLEEPS_MAX 800
#define SLEEP_MICROSECONDS 10000

static void stall(int file) {
    const char *control = getenv("WHERRY_SYNC_STALL");
    char link[64], path[4096];
    if (control == NULL || access(control, F_OK) != 0) return;
    snprintf(link, sizeof link, "/proc/self/fd/%d", file);
    ssize_t length = readlink(link, path, sizeof path - 1);
    if (length <= 0) return;
    path[length] = 0;
    const char *name = strrchr(path, '/');
    if (strncmp(name == NULL ? path : name + 1, "binlog.0", 8) != 0) return;
    for (int count = 0; count < SLEEPS_MAX && access(control, F_OK) == 0; count++) usleep(SLEEP_MICROSECONDS);
}

int fsync(int file) {
    int (*next)(int) = dlsym(RTLD_NEXT, "fsync");
    stall(file);
    return next(file);
}

int fdatasync(int file) {
    int (*next)(int) = dlsym(RTLD_NEXT, "fdatasync");
    stall(file);
    return next(file);
}
