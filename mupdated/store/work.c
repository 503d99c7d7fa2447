/* SPDX-License-Identifier: BSD-3-Clause */
#include "mupdated/store/work.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "mupdated/store/private.h"

#define PIECE_BYTES (256U << 10)
#define SECTOR_BYTES 4096

/* Zeros would look like a page or a record that was never written. */
#define UNREAD_OCTET 0xdb

#define RECOVERY_CACHE_BYTES (64U << 20)

struct work {
    int from;
    int to;
    unsigned parts;
    store_progress *progress;
    void *context;
    struct work_unread *unread;
    uint64_t done;
    uint64_t total;
    unsigned char *piece;
};

/* 0: none. */
static unsigned part_of(const char *name)
{
    if (strcmp(name, FORMAT_ROWS) == 0)
        return WORK_ROWS;
    if (strcmp(name, FORMAT_CHANGES) == 0)
        return WORK_CHANGES;
    if (strcmp(name, FORMAT_META) == 0)
        return WORK_META;
    return strncmp(name, "log.", 4) == 0 ? WORK_LOG : 0;
}

static enum store_result refuse(struct store_error *error, const char *path, int code)
{
    (void)snprintf(error->reason, sizeof error->reason, "%s", strerror(code));
    (void)snprintf(error->text, sizeof error->text, "cannot copy the table to %.400s: %s", path,
                   strerror(code));
    error->again = false;
    return STORE_REFUSED;
}

static int add_sizes(struct work *work, const char *directory)
{
    DIR *files = opendir(directory);
    const struct dirent *entry;
    struct stat status;

    if (!files)
        return errno;
    while ((entry = readdir(files)))
        if ((part_of(entry->d_name) & work->parts) &&
            fstatat(dirfd(files), entry->d_name, &status, AT_SYMLINK_NOFOLLOW) == 0)
            work->total += (uint64_t)status.st_size;
    (void)closedir(files);
    return 0;
}

/* What the disk cannot give is read in small parts, to lose no more than must be. */
static ssize_t read_piece(const struct work *work, int fd, const char *name, off_t at, off_t size)
{
    size_t want = size - at < PIECE_BYTES ? (size_t)(size - at) : PIECE_BYTES;
    ssize_t got = pread(fd, work->piece, want, at);

    if (got >= 0 || errno != EIO)
        return got;
    if (want > SECTOR_BYTES)
        want = SECTOR_BYTES;
    got = pread(fd, work->piece, want, at);
    if (got >= 0 || errno != EIO)
        return got;
    memset(work->piece, UNREAD_OCTET, want);
    if (work->unread) {
        work->unread->octets += want;
        (void)snprintf(work->unread->file, sizeof work->unread->file, "%s", name);
    }
    return (ssize_t)want;
}

static int write_piece(int fd, const unsigned char *piece, size_t len, off_t at)
{
    for (size_t done = 0; done < len;) {
        ssize_t wrote = pwrite(fd, piece + done, len - done, at + (off_t)done);

        if (wrote < 0 && errno == EINTR)
            continue;
        if (wrote <= 0)
            return wrote < 0 ? errno : EIO;
        done += (size_t)wrote;
    }
    return 0;
}

/* A log file is mostly zeros, which take no room when they are not written. */
static bool is_zero(const unsigned char *piece, size_t len)
{
    return len > 0 && piece[0] == 0 && memcmp(piece, piece + 1, len - 1) == 0;
}

static int copy_octets(struct work *work, const char *name, int from, int to)
{
    struct stat status;
    off_t at = 0;
    int code = fstat(from, &status) == 0 && S_ISREG(status.st_mode) ? 0 : EINVAL;

    while (code == 0 && at < status.st_size) {
        ssize_t got = read_piece(work, from, name, at, status.st_size);

        if (got < 0 && errno == EINTR)
            continue;
        if (got <= 0)
            return got < 0 ? errno : EIO;
        if (!is_zero(work->piece, (size_t)got))
            code = write_piece(to, work->piece, (size_t)got, at);
        at += got;
        work->done += (uint64_t)got;
        if (code == 0 && work->progress && !work->progress(work->context, work->done, work->total))
            code = ECANCELED;
    }
    return code == 0 && ftruncate(to, status.st_size) != 0 ? errno : code;
}

static int copy_file(struct work *work, const char *name)
{
    int from = openat(work->from, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
    int to;
    int code;

    if (from < 0)
        return errno;
    to = openat(work->to, name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
    code = to < 0 ? errno : copy_octets(work, name, from, to);
    close(from);
    if (to >= 0 && close(to) != 0 && code == 0)
        code = errno;
    return code;
}

static int copy_files(struct work *work, const char *from)
{
    DIR *files = opendir(from);
    const struct dirent *entry;
    int code = 0;

    if (!files)
        return errno;
    work->from = dirfd(files);
    while (code == 0 && (entry = readdir(files)))
        if (part_of(entry->d_name) & work->parts)
            code = copy_file(work, entry->d_name);
    (void)closedir(files);
    return code;
}

enum store_result work_copy(const char *from, const char *to, unsigned parts,
                            store_progress *progress, void *context, struct work_unread *unread,
                            struct store_error *error)
{
    struct work work = {
        .parts = parts, .progress = progress, .context = context, .unread = unread};
    int code = add_sizes(&work, from);

    if (unread)
        *unread = (struct work_unread){.octets = 0};
    /* Its own needs come first, and recovery takes some more. */
    if (code == 0 &&
        store_free_bytes(to) < work.total + STORE_LOG_FILE_BYTES + STORE_FREE_FLOOR_BYTES)
        code = ENOSPC;
    if (code == 0) {
        work.to = open(to, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
        work.piece = malloc(PIECE_BYTES);
        if (work.to < 0)
            code = errno;
        else
            code = work.piece ? copy_files(&work, from) : ENOMEM;
        if (work.to >= 0)
            close(work.to);
        free(work.piece);
    }
    return code == 0 ? STORE_OK : refuse(error, to, code);
}

int work_clear(const char *directory)
{
    DIR *files = opendir(directory);
    const struct dirent *entry;
    int code = 0;

    if (!files)
        return errno;
    while (code == 0 && (entry = readdir(files)))
        if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0 &&
            unlinkat(dirfd(files), entry->d_name, 0) != 0)
            code = errno;
    (void)closedir(files);
    return code;
}

enum store_result work_recover(const char *directory, bool all, struct store_error *error)
{
    struct store store = {.options = {.directory = directory,
                                      .cache_bytes = RECOVERY_CACHE_BYTES,
                                      .copy = all}};
    enum store_result result;
    int code;

    atomic_init(&store.phase, STORE_OPENING);
    store.sync_failures = store_sync_failures();
    store.directory = strdup(directory);
    if (!store.directory)
        return refuse(error, directory, ENOMEM);
    store_forget_words(false);
    result = store_environment_open(&store, error);
    if (result == STORE_OK) {
        code = store.env->txn_checkpoint(store.env, 0, 0, DB_FORCE);
        if (code != 0)
            result = store_fail(&store, error, code, "checkpoint", NULL);
    }
    if (store.env)
        (void)store.env->close(store.env, 0);
    free(store.directory);
    return result == STORE_OK ? STORE_OK : STORE_BROKEN;
}
