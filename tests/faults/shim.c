/* Preloaded into PipeWatcher, it makes the files below FAULTS_FOLDER and the clock fail on demand.

   FAULTS_CONTROL is a file of 64-bit numbers that is mapped, so a test changes them at any moment;
   their order is that of `Control` in shim.py. In the file FAULTS_JOURNAL each write is noted with
   the bytes that it replaced, and each sync: what a power cut may take away are the writes to an
   inode since it was synced. Syncs then cost nothing, since only the process is killed. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

enum { SYNC_DELAY_MS, SYNC_ERRNO, WRITE_ERRNO, CLOCK_OFFSET_S, STRUCK, NUMBERS };

static volatile int64_t none[NUMBERS];
static volatile int64_t *control = none;
static const char *folder;
static int journal = -1; /* open from the start: descriptors may run out */
static pthread_mutex_t noting = PTHREAD_MUTEX_INITIALIZER;

static ssize_t (*real_write)(int, const void *, size_t);
static ssize_t (*real_pwrite)(int, const void *, size_t, off_t);
static int (*real_fsync)(int), (*real_fdatasync)(int), (*real_ftruncate)(int, off_t);
static int (*real_unlink)(const char *), (*real_rename)(const char *, const char *);
static int (*real_clock_gettime)(clockid_t, struct timespec *);

__attribute__((constructor)) static void begin(void) {
    real_write = dlsym(RTLD_NEXT, "write");
    real_pwrite = dlsym(RTLD_NEXT, "pwrite64");
    real_fsync = dlsym(RTLD_NEXT, "fsync");
    real_fdatasync = dlsym(RTLD_NEXT, "fdatasync");
    real_ftruncate = dlsym(RTLD_NEXT, "ftruncate64");
    real_unlink = dlsym(RTLD_NEXT, "unlink");
    real_rename = dlsym(RTLD_NEXT, "rename");
    real_clock_gettime = dlsym(RTLD_NEXT, "clock_gettime");
    folder = getenv("FAULTS_FOLDER");
    const char *noted = getenv("FAULTS_JOURNAL");
    if (noted) journal = open(noted, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    const char *path = getenv("FAULTS_CONTROL");
    int fd = path ? open(path, O_RDWR | O_CLOEXEC) : -1;
    if (fd < 0) return;
    void *mapped = mmap(NULL, sizeof none, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (mapped != MAP_FAILED) control = mapped;
    close(fd);
}

static void struck(void) { __sync_fetch_and_add(&control[STRUCK], 1); }

static int is_ours(int fd) {
    char link[64], path[4096];
    if (!folder) return 0;
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t length = readlink(link, path, sizeof path - 1);
    if (length <= 0 || path[0] != '/') return 0;
    path[length] = 0;
    return strncmp(path, folder, strlen(folder)) == 0;
}

/* ---- the journal */

enum { WRITTEN, CUT, SYNCED };
struct note { int64_t kind, inode, offset, old_size, length, old_length; };

/* In one write: a kill leaves the note whole or, cut off, says that nothing followed it. */
static void append(const void *bytes, size_t size) {
    if (real_write(journal, bytes, size) != (ssize_t)size) abort();
}

/* Nothing of what was noted of it can be lost any more. */
static void synced(ino_t inode) {
    struct note head = {SYNCED, (int64_t)inode, 0, 0, 0, 0};
    append(&head, sizeof head);
}

static void read_old(int fd, char *into, size_t length, off_t offset) {
    if (pread(fd, into, length, offset) >= 0 || errno != EBADF) return;
    char link[64];
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    int readable = open(link, O_RDONLY | O_CLOEXEC);
    if (readable < 0) return;
    if (pread(readable, into, length, offset) < 0) errno = 0;
    close(readable);
}

/* Notes that `length` bytes at `offset` become `data`; without data, that the file is cut there. */
static void note(int fd, const void *data, size_t length, off_t offset) {
    struct stat file;
    if (fstat(fd, &file) < 0 || !S_ISREG(file.st_mode)) return;
    off_t end = data ? offset + (off_t)length : file.st_size;
    if (end > file.st_size) end = file.st_size;
    struct note head = {data ? WRITTEN : CUT, (int64_t)file.st_ino, offset, file.st_size,
                        data ? (int64_t)length : 0, end > offset ? end - offset : 0};
    size_t size = sizeof head + head.old_length + head.length;
    char *bytes = calloc(1, size);
    memcpy(bytes, &head, sizeof head);
    if (head.old_length) read_old(fd, bytes + sizeof head, head.old_length, offset);
    if (data) memcpy(bytes + sizeof head + head.old_length, data, length);
    append(bytes, size);
    free(bytes);
}

/* ---- files */

static int fails(int fd, off_t end) {
    int64_t error = control[WRITE_ERRNO];
    if (!error) return 0;
    struct stat file;
    /* A full disk takes what needs no more room. */
    if (error == ENOSPC && fstat(fd, &file) == 0 && end <= file.st_size) return 0;
    struck();
    errno = (int)error;
    return 1;
}

ssize_t pwrite64(int fd, const void *data, size_t length, off_t offset) {
    if (!is_ours(fd)) return real_pwrite(fd, data, length, offset);
    if (fails(fd, offset + (off_t)length)) return -1;
    if (journal < 0) return real_pwrite(fd, data, length, offset);
    pthread_mutex_lock(&noting);
    note(fd, data, length, offset);
    ssize_t written = real_pwrite(fd, data, length, offset);
    pthread_mutex_unlock(&noting);
    return written;
}

ssize_t pwrite(int fd, const void *data, size_t length, off_t offset) {
    return pwrite64(fd, data, length, offset);
}

ssize_t write(int fd, const void *data, size_t length) {
    if ((journal < 0 && !control[WRITE_ERRNO]) || !is_ours(fd)) return real_write(fd, data, length);
    struct stat file;
    int appends = (fcntl(fd, F_GETFL) & O_APPEND) != 0;
    off_t offset = appends && fstat(fd, &file) == 0 ? file.st_size : lseek(fd, 0, SEEK_CUR);
    if (fails(fd, offset + (off_t)length)) return -1;
    if (journal < 0) return real_write(fd, data, length);
    pthread_mutex_lock(&noting);
    note(fd, data, length, offset);
    ssize_t written = real_write(fd, data, length);
    pthread_mutex_unlock(&noting);
    return written;
}

int ftruncate64(int fd, off_t length) {
    if (journal < 0 || !is_ours(fd)) return real_ftruncate(fd, length);
    pthread_mutex_lock(&noting);
    note(fd, NULL, 0, length);
    int result = real_ftruncate(fd, length);
    pthread_mutex_unlock(&noting);
    return result;
}

int ftruncate(int fd, off_t length) { return ftruncate64(fd, length); }

static int sync_with(int (*real)(int), int fd) {
    if (!is_ours(fd)) return real(fd);
    if (control[SYNC_DELAY_MS]) {
        struck();
        usleep((useconds_t)control[SYNC_DELAY_MS] * 1000);
    }
    if (control[SYNC_ERRNO]) {
        struck();
        errno = (int)control[SYNC_ERRNO];
        return -1;
    }
    if (journal < 0) return real(fd);
    struct stat file;
    pthread_mutex_lock(&noting);
    if (fstat(fd, &file) == 0) synced(file.st_ino);
    pthread_mutex_unlock(&noting);
    return 0;
}

int fsync(int fd) { return sync_with(real_fsync, fd); }
int fdatasync(int fd) { return sync_with(real_fdatasync, fd); }

/* The inode that a file leaves is given to another: what was noted of it must go. */
int unlink(const char *path) {
    struct stat file;
    if (journal >= 0 && stat(path, &file) == 0 && file.st_nlink == 1) synced(file.st_ino);
    return real_unlink(path);
}

int rename(const char *from, const char *to) {
    struct stat file;
    if (journal >= 0 && stat(to, &file) == 0) synced(file.st_ino);
    return real_rename(from, to);
}

/* ---- the clock of the wall; that by which time is measured goes on evenly */

int clock_gettime(clockid_t which, struct timespec *now) {
    int result = real_clock_gettime(which, now);
    if (which == CLOCK_REALTIME || which == CLOCK_REALTIME_COARSE)
        now->tv_sec += control[CLOCK_OFFSET_S];
    return result;
}

int gettimeofday(struct timeval *restrict now, void *restrict zone) {
    struct timespec exact;
    (void)zone;
    clock_gettime(CLOCK_REALTIME, &exact);
    now->tv_sec = exact.tv_sec;
    now->tv_usec = exact.tv_nsec / 1000;
    return 0;
}

time_t time(time_t *into) {
    struct timespec exact;
    clock_gettime(CLOCK_REALTIME, &exact);
    if (into) *into = exact.tv_sec;
    return exact.tv_sec;
}
