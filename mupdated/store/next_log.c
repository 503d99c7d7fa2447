/*
 * The log file after the current one, made before it is needed. Berkeley DB
 * makes a log file with its full size and holes, so that each commit would wait
 * for the file system to find blocks, and for its journal. In a file that is
 * full of zeros already a commit is one write to the disk: a third less time
 * for a batch, and no outliers.
 *
 * To recovery zeros are the end of the log, as holes are.
 *
 * SPDX-License-Identifier: BSD-3-Clause
 */
#include "mupdated/store/private.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Written and synced in pieces, so that a commit never waits behind much of it. */
#define PIECE_BYTES (1U << 20)

/* Berkeley DB's replacement functions are the process's, and so is this. */
static atomic_bool wanted = true;

static bool is_log_file(const char *name)
{
    return strncmp(name, "log.", 4) == 0 && name[4] != '\0' &&
           strspn(name + 4, "0123456789") == strlen(name + 4);
}

static void sync_directory(int fd)
{
    int code;

    while ((code = fsync(fd)) != 0 && errno == EINTR)
        ;
    /* Some file systems cannot sync a directory and say EINVAL. */
    if (code != 0 && errno != EINVAL)
        store_sync_failed();
}

/* The directory of a path, open; -1 when that cannot be had. */
static int open_directory(const char *path)
{
    const char *slash = strrchr(path, '/');
    char *directory = slash ? strndup(path, (size_t)(slash - path)) : NULL;
    int fd = directory ? open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC) : -1;

    free(directory);
    return fd;
}

static bool makes_log_file(const char *path, int flags)
{
    const char *slash = strrchr(path, '/');

    return (flags & O_CREAT) && slash && is_log_file(slash + 1);
}

void store_next_log_take(const char *path, int flags)
{
    int fd;

    if (!makes_log_file(path, flags))
        return;
    atomic_store(&wanted, true);
    fd = open_directory(path);
    if (fd < 0)
        return;
    /* The name must be durable before a commit is: syncing the data says nothing of a name. */
    if (renameat2(fd, FORMAT_NEXT_LOG, fd, strrchr(path, '/') + 1, RENAME_NOREPLACE) == 0)
        sync_directory(fd);
    close(fd);
}

void store_next_log_begun(const char *path, int flags)
{
    int fd;

    if (!makes_log_file(path, flags))
        return;
    fd = open_directory(path);
    /* Without a descriptor the name rests on what most file systems do when the file is synced. */
    if (fd < 0)
        return;
    sync_directory(fd);
    close(fd);
}

static int write_zeros(int fd)
{
    char *zeros = calloc(1, PIECE_BYTES);
    size_t done = 0;
    int code = zeros ? 0 : ENOMEM;

    while (code == 0 && done < STORE_LOG_FILE_BYTES) {
        size_t left = STORE_LOG_FILE_BYTES - done;
        ssize_t got = write(fd, zeros, left < PIECE_BYTES ? left : PIECE_BYTES);

        if (got < 0 && errno == EINTR)
            continue;
        if (got <= 0 || fdatasync(fd) != 0)
            code = got == 0 ? EIO : errno;
        else
            done += (size_t)got;
    }
    free(zeros);
    return code;
}

#define PART FORMAT_NEXT_LOG ".part"

/* Under another name until it is whole: half of one must not be used. */
static int make(int directory)
{
    int fd = openat(directory, PART, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
    int code;

    if (fd < 0)
        return errno;
    code = write_zeros(fd);
    close(fd);
    if (code == 0 && renameat(directory, PART, directory, FORMAT_NEXT_LOG) != 0)
        code = errno;
    if (code != 0)
        (void)unlinkat(directory, PART, 0);
    return code;
}

bool store_wants_log(const struct store *store)
{
    return atomic_load(&wanted) && atomic_load(&store->phase) == STORE_RUNNING;
}

void store_prepare_log(struct store *store)
{
    int directory;

    if (!store_wants_log(store))
        return;
    atomic_store(&wanted, false);
    if (store_free_bytes(store->directory) <
        STORE_FREE_FLOOR_BYTES + STORE_BALLAST_BYTES + STORE_LOG_FILE_BYTES)
        return;
    directory = open(store->directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (directory < 0)
        return;
    /* Without one commits are slower, and that is all: the next log file tries again. */
    if (faccessat(directory, FORMAT_NEXT_LOG, F_OK, 0) != 0)
        (void)make(directory);
    close(directory);
}

void store_next_log_drop(const struct store *store)
{
    int directory = open(store->directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

    if (directory < 0)
        return;
    (void)unlinkat(directory, FORMAT_NEXT_LOG, 0);
    (void)unlinkat(directory, PART, 0);
    close(directory);
}
