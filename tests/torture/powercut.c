/* powercut: notes what a process does to the files of one directory, so that a power cut can be played afterwards.
 *
 *   gcc -O2 -Wall -U_FORTIFY_SOURCE -shared -fPIC -o powercut.so powercut.c -ldl -lpthread
 *   LD_PRELOAD=powercut.so MANOR_POWERCUT_DIR=/abs/data MANOR_POWERCUT_LOG=/abs/log program …
 *
 * Every change is made and noted under one lock, so the order of the notes is the order of the changes. A sync is two
 * notes, before and after: only what was written before the first is safe after the second. Its time stamp is taken when
 * the sync has returned and before the program hears of it, hence it is earlier than any acknowledgement that waited.
 * Shared memory (SQLite's -shm) is not noted: a power cut leaves nothing of it. Calls that change files in ways that are
 * not modelled are noted as such, and the player refuses the log.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

enum { CREATE = 1, WRITE, TRUNCATE, SYNC_BEGIN, SYNC_END, RENAME, UNLINK, MKDIR, NOT_MODELLED };

struct note { /* then path_length bytes of path, data_length bytes of data (RENAME: the new path) */
    uint32_t magic, operation;
    uint64_t nanoseconds, inode, offset;
    uint32_t path_length, data_length;
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static char directory[PATH_MAX];
static size_t directory_length;
static int notes = -1;

#define REAL(name) __typeof__(&name) real = (__typeof__(&name))dlsym(RTLD_NEXT, #name)

__attribute__((constructor)) static void begin(void) {
    const char *where = getenv("MANOR_POWERCUT_DIR"), *log = getenv("MANOR_POWERCUT_LOG");
    if (!where || !log || !realpath(where, directory)) return;
    directory_length = strlen(directory);
    notes = syscall(SYS_openat, AT_FDCWD, log, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
}

static int is_inside(const char *path) {
    return notes >= 0 && !strncmp(path, directory, directory_length) &&
           (path[directory_length] == 0 || path[directory_length] == '/');
}

/* The path behind a descriptor when it is a file of ours; asked each time, so dup and close need no book-keeping. */
static int path_of(int fd, char *path) {
    if (notes < 0 || fd < 0) return 0;
    char link[64];
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    int saved = errno;
    ssize_t n = readlink(link, path, PATH_MAX - 1);
    errno = saved;
    if (n <= 0) return 0;
    path[n] = 0;
    return is_inside(path);
}

static int absolute(int at, const char *path, char *out) {
    char base[PATH_MAX];
    if (notes < 0) return 0;
    if (path[0] == '/') snprintf(out, PATH_MAX, "%s", path);
    else {
        if (at == AT_FDCWD) { if (!getcwd(base, sizeof base)) return 0; }
        else {
            char link[64];
            snprintf(link, sizeof link, "/proc/self/fd/%d", at);
            ssize_t n = readlink(link, base, sizeof base - 1);
            if (n <= 0) return 0;
            base[n] = 0;
        }
        if (snprintf(out, PATH_MAX, "%s/%s", base, path) >= PATH_MAX) return 0;
    }
    return is_inside(out);
}

static uint64_t inode_of(int fd) { struct stat s; return fstat(fd, &s) ? 0 : s.st_ino; }

static void note(int operation, uint64_t inode, uint64_t offset, const char *path, const void *data, size_t length) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    struct note n = {0x4d414e52, operation, t.tv_sec * 1000000000ull + t.tv_nsec, inode, offset, strlen(path), length};
    struct iovec parts[3] = {{&n, sizeof n}, {(void *)path, n.path_length}, {(void *)data, length}};
    if (syscall(SYS_writev, notes, parts, 3) != (ssize_t)(sizeof n + n.path_length + length)) {
        static const char said[] = "powercut: the log could not be written\n";
        syscall(SYS_write, 2, said, sizeof said - 1);
        abort();
    }
}

static void not_modelled(int fd, const char *call) {
    char path[PATH_MAX];
    if (path_of(fd, path)) note(NOT_MODELLED, 0, 0, path, call, strlen(call));
}

/* ---- opening ---- */
static int opened(int at, const char *path, int flags, mode_t mode) {
    char full[PATH_MAX];
    int writes = (flags & O_ACCMODE) != O_RDONLY || flags & (O_CREAT | O_TRUNC);
    if (!writes || (flags & O_TMPFILE) == O_TMPFILE || !absolute(at, path, full))
        return syscall(SYS_openat, at, path, flags, mode);
    pthread_mutex_lock(&lock);
    struct stat s;
    int saved = errno, is_new = fstatat(at, path, &s, 0) != 0;
    errno = saved;
    int fd = syscall(SYS_openat, at, path, flags, mode);
    if (fd >= 0) {
        saved = errno;
        if (is_new) note(CREATE, inode_of(fd), 0, full, "", 0);
        else if (flags & O_TRUNC) note(TRUNCATE, inode_of(fd), 0, full, "", 0);
        errno = saved;
    }
    pthread_mutex_unlock(&lock);
    return fd;
}
#define MODE(last) mode_t mode = 0; if (flags & (O_CREAT | __O_TMPFILE)) { va_list a; va_start(a, last); mode = va_arg(a, mode_t); va_end(a); }
int open(const char *path, int flags, ...) { MODE(flags) return opened(AT_FDCWD, path, flags, mode); }
int open64(const char *path, int flags, ...) { MODE(flags) return opened(AT_FDCWD, path, flags, mode); }
int openat(int at, const char *path, int flags, ...) { MODE(flags) return opened(at, path, flags, mode); }
int openat64(int at, const char *path, int flags, ...) { MODE(flags) return opened(at, path, flags, mode); }
int creat(const char *path, mode_t mode) { return opened(AT_FDCWD, path, O_CREAT | O_WRONLY | O_TRUNC, mode); }
int creat64(const char *path, mode_t mode) { return creat(path, mode); }

/* ---- writing: the note holds what was taken, at the place where it went ---- */
static void wrote(int fd, const char *path, const void *data, ssize_t length, off64_t offset) {
    if (length <= 0) return;
    int saved = errno;
    if (offset < 0) offset = lseek64(fd, 0, SEEK_CUR) - length;
    note(WRITE, inode_of(fd), offset, path, data, length);
    errno = saved;
}
ssize_t write(int fd, const void *data, size_t length) {
    char path[PATH_MAX];
    if (!path_of(fd, path)) return syscall(SYS_write, fd, data, length);
    pthread_mutex_lock(&lock);
    ssize_t r = syscall(SYS_write, fd, data, length);
    wrote(fd, path, data, r, -1);
    pthread_mutex_unlock(&lock);
    return r;
}
ssize_t pwrite64(int fd, const void *data, size_t length, off64_t offset) {
    char path[PATH_MAX];
    if (!path_of(fd, path)) return syscall(SYS_pwrite64, fd, data, length, offset);
    pthread_mutex_lock(&lock);
    ssize_t r = syscall(SYS_pwrite64, fd, data, length, offset);
    wrote(fd, path, data, r, offset);
    pthread_mutex_unlock(&lock);
    return r;
}
ssize_t pwrite(int fd, const void *data, size_t length, off_t offset) { return pwrite64(fd, data, length, offset); }
ssize_t writev(int fd, const struct iovec *parts, int count) {
    char path[PATH_MAX];
    if (!path_of(fd, path)) return syscall(SYS_writev, fd, parts, count);
    ssize_t total = 0;
    for (int i = 0; i < count; i++) { /* a short write is allowed: the caller goes on from there */
        ssize_t r = write(fd, parts[i].iov_base, parts[i].iov_len);
        if (r < 0) return total ? total : r;
        total += r;
        if ((size_t)r < parts[i].iov_len) break;
    }
    return total;
}
int ftruncate64(int fd, off64_t length) {
    char path[PATH_MAX];
    if (!path_of(fd, path)) return syscall(SYS_ftruncate, fd, length);
    pthread_mutex_lock(&lock);
    int r = syscall(SYS_ftruncate, fd, length);
    if (!r) note(TRUNCATE, inode_of(fd), length, path, "", 0);
    pthread_mutex_unlock(&lock);
    return r;
}
int ftruncate(int fd, off_t length) { return ftruncate64(fd, length); }

/* ---- syncing: the lock is not held meanwhile, other threads may write, and what they write is not safe yet ---- */
static int synced(int fd, long call) {
    char path[PATH_MAX];
    if (!path_of(fd, path)) return syscall(call, fd);
    uint64_t inode = inode_of(fd);
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    uint64_t which = (t.tv_sec * 1000000000ull + t.tv_nsec) ^ (uint64_t)syscall(SYS_gettid) << 40;
    pthread_mutex_lock(&lock);
    note(SYNC_BEGIN, inode, which, path, "", 0);
    pthread_mutex_unlock(&lock);
    int r = syscall(call, fd), saved = errno;
    pthread_mutex_lock(&lock);
    if (!r) note(SYNC_END, inode, which, path, "", 0);
    pthread_mutex_unlock(&lock);
    errno = saved;
    return r;
}
int fdatasync(int fd) { return synced(fd, SYS_fdatasync); }
int fsync(int fd) { return synced(fd, SYS_fsync); }

/* ---- names ---- */
static int renamed(int from_at, const char *from, int to_at, const char *to, unsigned flags) {
    char a[PATH_MAX], b[PATH_MAX];
    int ours = absolute(from_at, from, a), theirs = absolute(to_at, to, b);
    if (!ours && !theirs) return syscall(SYS_renameat2, from_at, from, to_at, to, flags);
    pthread_mutex_lock(&lock);
    int r = syscall(SYS_renameat2, from_at, from, to_at, to, flags);
    if (!r) {
        if (ours && theirs && !flags) note(RENAME, 0, 0, a, b, strlen(b));
        else note(NOT_MODELLED, 0, 0, ours ? a : b, "rename", 6);
    }
    pthread_mutex_unlock(&lock);
    return r;
}
int rename(const char *from, const char *to) { return renamed(AT_FDCWD, from, AT_FDCWD, to, 0); }
int renameat(int a, const char *from, int b, const char *to) { return renamed(a, from, b, to, 0); }
int renameat2(int a, const char *from, int b, const char *to, unsigned flags) { return renamed(a, from, b, to, flags); }

static int unlinked(int at, const char *path, int flags) {
    char full[PATH_MAX];
    if (!absolute(at, path, full)) return syscall(SYS_unlinkat, at, path, flags);
    pthread_mutex_lock(&lock);
    int r = syscall(SYS_unlinkat, at, path, flags);
    if (!r) note(UNLINK, 0, 0, full, "", 0);
    pthread_mutex_unlock(&lock);
    return r;
}
int unlink(const char *path) { return unlinked(AT_FDCWD, path, 0); }
int unlinkat(int at, const char *path, int flags) { return unlinked(at, path, flags); }
int rmdir(const char *path) { return unlinked(AT_FDCWD, path, AT_REMOVEDIR); }

static int made(int at, const char *path, mode_t mode) {
    char full[PATH_MAX];
    if (!absolute(at, path, full)) return syscall(SYS_mkdirat, at, path, mode);
    pthread_mutex_lock(&lock);
    int r = syscall(SYS_mkdirat, at, path, mode);
    if (!r) note(MKDIR, 0, 0, full, "", 0);
    pthread_mutex_unlock(&lock);
    return r;
}
int mkdir(const char *path, mode_t mode) { return made(AT_FDCWD, path, mode); }
int mkdirat(int at, const char *path, mode_t mode) { return made(at, path, mode); }

/* ---- changes that are not modelled: said aloud, so that no log is believed that lacks them ---- */
#define REFUSED(result, name, fd, parameters, ...) \
    result name parameters { REAL(name); not_modelled(fd, #name); return real(__VA_ARGS__); }
REFUSED(ssize_t, pwritev, fd, (int fd, const struct iovec *v, int n, off_t o), fd, v, n, o)
REFUSED(ssize_t, pwritev64, fd, (int fd, const struct iovec *v, int n, off64_t o), fd, v, n, o)
REFUSED(ssize_t, pwritev2, fd, (int fd, const struct iovec *v, int n, off_t o, int f), fd, v, n, o, f)
REFUSED(ssize_t, pwritev64v2, fd, (int fd, const struct iovec *v, int n, off64_t o, int f), fd, v, n, o, f)
REFUSED(ssize_t, sendfile, fd, (int fd, int from, off_t *o, size_t n), fd, from, o, n)
REFUSED(ssize_t, sendfile64, fd, (int fd, int from, off64_t *o, size_t n), fd, from, o, n)
REFUSED(ssize_t, copy_file_range, fd, (int a, off64_t *x, int fd, off64_t *y, size_t n, unsigned f), a, x, fd, y, n, f)
REFUSED(int, fallocate, fd, (int fd, int m, off_t o, off_t n), fd, m, o, n)
REFUSED(int, fallocate64, fd, (int fd, int m, off64_t o, off64_t n), fd, m, o, n)
REFUSED(int, posix_fallocate, fd, (int fd, off_t o, off_t n), fd, o, n)
REFUSED(int, posix_fallocate64, fd, (int fd, off64_t o, off64_t n), fd, o, n)

static void *mapped(void *at, size_t length, int protection, int flags, int fd, off64_t offset) {
    char path[PATH_MAX];
    if (flags & MAP_SHARED && protection & PROT_WRITE && path_of(fd, path)) {
        size_t n = strlen(path);
        if (n < 4 || strcmp(path + n - 4, "-shm")) note(NOT_MODELLED, 0, 0, path, "mmap", 4);
    }
    return (void *)syscall(SYS_mmap, at, length, protection, flags, fd, offset);
}
void *mmap(void *a, size_t n, int p, int f, int fd, off_t o) { return mapped(a, n, p, f, fd, o); }
void *mmap64(void *a, size_t n, int p, int f, int fd, off64_t o) { return mapped(a, n, p, f, fd, o); }

int link(const char *from, const char *to) {
    char full[PATH_MAX];
    if (absolute(AT_FDCWD, to, full)) note(NOT_MODELLED, 0, 0, full, "link", 4);
    return syscall(SYS_linkat, AT_FDCWD, from, AT_FDCWD, to, 0);
}
int truncate64(const char *path, off64_t length) {
    char full[PATH_MAX];
    if (absolute(AT_FDCWD, path, full)) note(NOT_MODELLED, 0, 0, full, "truncate", 8);
    return syscall(SYS_truncate, path, length);
}
int truncate(const char *path, off_t length) { return truncate64(path, length); }
