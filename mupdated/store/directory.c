/* SPDX-License-Identifier: BSD-3-Clause */
#include "mupdated/store/private.h"
#include "mupdated/store/swap.h"
#include "mupdated/store/sync.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <syslog.h>
#include <unistd.h>

/* Linux reads no more than this for sure, whatever length it is asked for. */
#define READ_AHEAD_BYTES (128 << 10)

static int path_of(const struct store *store, const char *name, char **path)
{
    return asprintf(path, "%s/%s", store->directory, name) < 0 ? ENOMEM : 0;
}

static enum store_result busy(struct store *store, struct store_error *error)
{
    char pid[24] = "";
    ssize_t got = pread(store->lock_fd, pid, sizeof pid - 1, 0);
    size_t digits;

    if (got < 0)
        got = 0;
    pid[got] = '\0';
    digits = strspn(pid, "0123456789");
    pid[digits] = '\0';
    (void)snprintf(error->reason, sizeof error->reason, "the directory is in use");
    (void)snprintf(error->text, sizeof error->text,
                   "store: %s: in use by %s%s: stop that one first, or give this one another "
                   "directory",
                   store->directory, digits ? "process " : "another process", pid);
    error->again = false;
    return STORE_BUSY;
}

/* Whether a table that was put away for another lies beside the directory. */
static bool was_put_away(const struct store *store, char *found, size_t size)
{
    const char *slash = strrchr(store->directory, '/');
    char *parent_path = slash == store->directory ? strdup("/")
                        : slash ? strndup(store->directory, (size_t)(slash - store->directory))
                                : strdup(".");
    DIR *parent = parent_path ? opendir(parent_path) : NULL;
    const char *name = slash ? slash + 1 : store->directory;
    const struct dirent *entry;
    size_t len = strlen(name);

    free(parent_path);
    found[0] = '\0';
    while (parent && !found[0] && (entry = readdir(parent)))
        if (strncmp(entry->d_name, name, len) == 0 &&
            strncmp(entry->d_name + len, SWAP_OLD, strlen(SWAP_OLD)) == 0)
            (void)snprintf(found, size, "%s", entry->d_name);
    if (parent)
        (void)closedir(parent);
    return found[0] != '\0';
}

enum store_result store_directory_may_begin(const struct store *store, struct store_error *error)
{
    char old[256];

    if (!was_put_away(store, old, sizeof old))
        return STORE_OK;
    memset(error, 0, sizeof *error);
    (void)snprintf(error->text, sizeof error->text,
                   "store: %s has no table and %.100s is there: a table was being replaced; "
                   "give that one its name back, or, to begin with an empty table, move it away",
                   store->directory, old);
    return STORE_BROKEN;
}

static enum store_result make_directory(struct store *store, struct store_error *error)
{
    struct stat status;

    if (stat(store->directory, &status) == 0 || errno != ENOENT)
        return STORE_OK;
    if (store->options.existing)
        return store_absent(store, error);
    if (store_directory_may_begin(store, error) != STORE_OK)
        return STORE_BROKEN;
    if (mkdir(store->directory, 0700) == 0 || errno == EEXIST)
        return STORE_OK;
    (void)store_fail(store, error, errno, "make the directory", NULL);
    return STORE_BROKEN;
}

/* The directory may have been exchanged for another after its lock was opened. */
static bool is_still_there(const struct store *store, const char *path)
{
    struct stat held;
    struct stat now;

    return fstat(store->lock_fd, &held) == 0 && lstat(path, &now) == 0 &&
           held.st_dev == now.st_dev && held.st_ino == now.st_ino;
}

enum store_result store_directory_lock(struct store *store, struct store_error *error)
{
    char *path;
    char pid[24];
    int len;
    enum store_result result = make_directory(store, error);

    if (result != STORE_OK)
        return result;
    if (path_of(store, FORMAT_LOCK, &path) != 0)
        return store_fail(store, error, ENOMEM, "lock", NULL);
    store->lock_fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (store->lock_fd < 0) {
        (void)store_fail(store, error, errno, "open " FORMAT_LOCK, NULL);
        free(path);
        return STORE_BROKEN;
    }
    errno = EWOULDBLOCK;
    if (flock(store->lock_fd, LOCK_EX | LOCK_NB) != 0 || !is_still_there(store, path)) {
        free(path);
        if (errno == EWOULDBLOCK) {
            result = busy(store, error);
        } else {
            (void)store_fail(store, error, errno, "lock", NULL);
            result = STORE_BROKEN;
        }
        close(store->lock_fd);
        store->lock_fd = -1;
        return result;
    }
    free(path);

    /* The pid only helps whoever is refused; the lock holds without it. */
    len = snprintf(pid, sizeof pid, "%ld\n", (long)getpid());
    if (ftruncate(store->lock_fd, 0) != 0 || pwrite(store->lock_fd, pid, (size_t)len, 0) != len)
        store_log(store, LOG_NOTICE, "store: %s: cannot write the pid to " FORMAT_LOCK ": %s",
                  store->directory, strerror(errno));
    return STORE_OK;
}

void store_directory_unlock(struct store *store)
{
    if (store->lock_fd < 0)
        return;
    if (ftruncate(store->lock_fd, 0) != 0)
        store_log(store, LOG_DEBUG, "store: %s: " FORMAT_LOCK " keeps an old pid: %s",
                  store->directory, strerror(errno));
    close(store->lock_fd);
    store->lock_fd = -1;
}

void store_directory_read_ahead(const struct store *store, const char *name)
{
    char *path;
    struct stat status;
    int fd;

    if (path_of(store, name, &path) != 0)
        return;
    fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    free(path);
    if (fd < 0)
        return;
    if (fstat(fd, &status) == 0) {
        for (off_t at = 0; at < status.st_size; at += READ_AHEAD_BYTES)
            (void)posix_fadvise(fd, at, READ_AHEAD_BYTES, POSIX_FADV_WILLNEED);
    }
    (void)close(fd);
}

int store_directory_sync(const struct store *store)
{
    return sync_directory(store->directory);
}

uint64_t store_free_bytes(const char *directory)
{
    struct statvfs space;

    if (statvfs(directory, &space) != 0)
        return UINT64_MAX;
    return (uint64_t)space.f_bavail * space.f_frsize;
}

static int ballast_make(const char *path)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
    int code;

    if (fd < 0)
        return errno;
    code = posix_fallocate(fd, 0, (off_t)STORE_BALLAST_BYTES);
    close(fd);
    if (code != 0)
        (void)unlink(path);
    return code;
}

void store_ballast_keep(struct store *store)
{
    struct stat status;
    char *path;
    int code;

    if (path_of(store, FORMAT_BALLAST, &path) != 0)
        return;
    if (stat(path, &status) == 0 && status.st_size == (off_t)STORE_BALLAST_BYTES) {
        free(path);
        return;
    }
    (void)unlink(path); /* a crash may have left half of one */
    code = store_free_bytes(store->directory) < STORE_FREE_FLOOR_BYTES + STORE_BALLAST_BYTES
               ? ENOSPC
               : ballast_make(path);
    free(path);
    if (code == 0) {
        store->ballast_missing = false;
    } else if (!store->ballast_missing) {
        store->ballast_missing = true;
        store_log(store, LOG_WARNING,
                  "store: %s: cannot set %llu MB aside for a recovery on a full disk: %s",
                  store->directory, STORE_BALLAST_BYTES >> 20, strerror(code));
    }
}

bool store_ballast_drop(struct store *store)
{
    char *path;
    bool dropped;

    if (path_of(store, FORMAT_BALLAST, &path) != 0)
        return false;
    dropped = unlink(path) == 0;
    free(path);
    return dropped;
}

struct store_lock {
    struct store store; /* never opened */
};

enum store_result store_lock_take(struct store_lock **lock_out, const char *directory,
                                  struct store_error *error)
{
    struct store_lock *lock = calloc(1, sizeof *lock);
    char *copy = strdup(directory);
    enum store_result result = STORE_BROKEN;

    memset(error, 0, sizeof *error);
    *lock_out = NULL;
    if (lock && copy) {
        lock->store.directory = copy;
        lock->store.options.existing = true;
        lock->store.lock_fd = -1;
        lock->store.sync_failures = store_sync_failures();
        store_forget_words(false);
        result = store_directory_lock(&lock->store, error);
    } else {
        (void)snprintf(error->text, sizeof error->text, "store: %s", strerror(ENOMEM));
    }
    if (result == STORE_OK) {
        *lock_out = lock;
        return STORE_OK;
    }
    free(copy);
    free(lock);
    return result;
}

void store_lock_release(struct store_lock *lock)
{
    if (!lock)
        return;
    store_directory_unlock(&lock->store);
    free(lock->store.directory);
    free(lock);
}
