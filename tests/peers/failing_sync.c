/*
 * A disk whose syncs of segments fail, for a process that preloads this library (LD_PRELOAD).
 *
 * FAILING_SYNC_TRIGGER: once this file exists, fsync and fdatasync of a *.segment answer EIO.
 * FAILING_SYNC_LOG:     a line with the file's name is appended here for each sync that failed, so that a test can count them.
 * FAILING_SYNC_LOSES:   when set, the last write of the thread to that file is lost, as when the kernel drops the pages that it could not
 *                       write: the file reads as zeros there.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static __thread int last_fd = -1;
static __thread off64_t last_offset;
static __thread size_t last_count;

typedef ssize_t (*pwrite_call)(int, const void *, size_t, off64_t);
typedef int (*sync_call)(int);

static ssize_t real_pwrite(int fd, const void *bytes, size_t count, off64_t offset) {
    static pwrite_call call;
    if (!call) call = (pwrite_call)dlsym(RTLD_NEXT, "pwrite64");
    return call(fd, bytes, count, offset);
}

ssize_t pwrite64(int fd, const void *bytes, size_t count, off64_t offset) {
    last_fd = fd;
    last_offset = offset;
    last_count = count;
    return real_pwrite(fd, bytes, count, offset);
}

static int fails(int fd) {
    const char *trigger = getenv("FAILING_SYNC_TRIGGER");
    if (!trigger || access(trigger, F_OK) != 0) return 0;
    char link[64], path[4096];
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t length = readlink(link, path, sizeof path - 1);
    if (length < 8) return 0;
    path[length] = 0;
    if (strcmp(path + length - 8, ".segment") != 0) return 0;

    if (getenv("FAILING_SYNC_LOSES") && last_fd == fd && last_count > 0) {
        char *zeros = calloc(1, last_count);
        if (zeros) {
            /* What cannot be lost leaves the test with the milder failure. */
            ssize_t lost = real_pwrite(fd, zeros, last_count, last_offset);
            (void)lost;
            free(zeros);
        }
    }
    const char *log = getenv("FAILING_SYNC_LOG");
    int out = log ? open(log, O_WRONLY | O_CREAT | O_APPEND, 0644) : -1;
    if (out >= 0) {
        dprintf(out, "%s\n", path);
        close(out);
    }
    errno = EIO;
    return 1;
}

int fsync(int fd) {
    static sync_call call;
    if (!call) call = (sync_call)dlsym(RTLD_NEXT, "fsync");
    return fails(fd) ? -1 : call(fd);
}

int fdatasync(int fd) {
    static sync_call call;
    if (!call) call = (sync_call)dlsym(RTLD_NEXT, "fdatasync");
    return fails(fd) ? -1 : call(fd);
}
