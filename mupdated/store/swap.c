/* SPDX-License-Identifier: BSD-3-Clause */
#include "mupdated/store/swap.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "mupdated/store/format.h"

/* So many tables may be put away in one second. */
#define OLD_NAMES_MAX 10

__attribute__((format(printf, 2, 3))) static enum store_result refuse(struct store_error *error,
                                                                      const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    (void)vsnprintf(error->text, sizeof error->text, format, arguments);
    va_end(arguments);
    (void)snprintf(error->reason, sizeof error->reason, "the table cannot be replaced");
    error->again = false;
    return STORE_REFUSED;
}

/* Format a path; false when it is too long. */
__attribute__((format(printf, 2, 3))) static bool make_path(char path[PATH_MAX],
                                                            const char *format, ...)
{
    va_list arguments;
    int len;

    va_start(arguments, format);
    len = vsnprintf(path, PATH_MAX, format, arguments);
    va_end(arguments);
    if (len >= 0 && len < PATH_MAX)
        return true;
    errno = ENAMETOOLONG;
    return false;
}

/* The directory's path without links and with its parent's; it may itself be missing. */
static bool resolve(struct swap_paths *paths, const char *directory)
{
    char copy[PATH_MAX];
    char *slash;
    const char *name;
    size_t len;

    if (!realpath(directory, paths->directory)) {
        if (errno != ENOENT || !make_path(copy, "%s", directory))
            return false;
        len = strlen(copy);
        while (len > 1 && copy[len - 1] == '/')
            copy[--len] = '\0';
        slash = strrchr(copy, '/');
        name = slash ? slash + 1 : copy;
        if (slash)
            *slash = '\0';
        if (!realpath(!slash ? "." : slash == copy ? "/" : copy, paths->parent))
            return false;
        return make_path(paths->directory, "%s/%s",
                         strcmp(paths->parent, "/") == 0 ? "" : paths->parent, name);
    }
    slash = strrchr(paths->directory, '/');
    len = (size_t)(slash - paths->directory);
    return make_path(paths->parent, "%.*s", len ? (int)len : 1, paths->directory);
}

enum store_result swap_begin(struct swap_paths *paths, const char *directory,
                             struct store_error *error)
{
    struct stat own;
    struct stat parent;

    memset(paths, 0, sizeof *paths);
    if (!resolve(paths, directory) || stat(paths->parent, &parent) != 0)
        return refuse(error, "%s: %s", directory, strerror(errno));
    if (stat(paths->directory, &own) == 0) {
        if (!S_ISDIR(own.st_mode))
            return refuse(error, "%s is no directory", paths->directory);
        if (own.st_dev != parent.st_dev)
            return refuse(error,
                          "%s is a file system of its own and so cannot be exchanged for "
                          "another: have database_directory name a directory below it, and "
                          "move the files there",
                          paths->directory);
    } else if (errno != ENOENT) {
        return refuse(error, "%s: %s", paths->directory, strerror(errno));
    } else {
        paths->missing = true;
    }
    /* What counts is who acts, which access(2) does not ask. */
    if (faccessat(AT_FDCWD, paths->parent, W_OK | X_OK, AT_EACCESS) != 0)
        return refuse(error,
                      "%s: %s: the new table is made there and then takes the place of the old "
                      "one: run this as root",
                      paths->parent, strerror(errno));
    return STORE_OK;
}

/* By the descriptor: what a path leads to may change between two calls. */
static int set_owner(const char *path, const struct stat *like, bool mode_too)
{
    int fd = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    int code = fd < 0 ? errno : 0;

    if (code == 0 && geteuid() == 0 && fchown(fd, like->st_uid, like->st_gid) != 0)
        code = errno;
    if (code == 0 && mode_too && fchmod(fd, like->st_mode & 07777) != 0)
        code = errno;
    if (fd >= 0)
        close(fd);
    return code;
}

enum store_result swap_make(struct swap_paths *paths, struct store_error *error)
{
    struct stat own;
    bool there = stat(paths->directory, &own) == 0;
    int code;

    if (!make_path(paths->fresh, "%s" SWAP_FRESH "XXXXXX", paths->directory) ||
        !mkdtemp(paths->fresh)) {
        code = errno;

        paths->fresh[0] = '\0';
        return refuse(error, "%s: cannot make a directory for the new table: %s", paths->parent,
                      strerror(code));
    }
    /* When the directory is not there whoever owns its parent is the best guess. */
    code = there || stat(paths->parent, &own) == 0 ? set_owner(paths->fresh, &own, there) : errno;
    if (code != 0) {
        swap_abandon(paths);
        return refuse(error, "%s: cannot give the new directory its owner: %s", paths->parent,
                      strerror(code));
    }
    return STORE_OK;
}

void swap_abandon(struct swap_paths *paths)
{
    int fd = paths->fresh[0]
                 ? open(paths->fresh, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC)
                 : -1;
    DIR *directory = fd < 0 ? NULL : fdopendir(fd);
    const struct dirent *entry;

    if (!directory) {
        if (fd >= 0)
            close(fd);
        return;
    }
    while ((entry = readdir(directory)))
        if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0)
            (void)unlinkat(dirfd(directory), entry->d_name, 0);
    (void)closedir(directory);
    (void)rmdir(paths->fresh);
    paths->fresh[0] = '\0';
}

static int sync_file(int at, const char *name, int flags)
{
    int fd = openat(at, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK | flags);
    int code = 0;

    if (fd < 0)
        return errno;
    /* Some file systems cannot sync a directory and say EINVAL. */
    if (fsync(fd) != 0 && !(flags && errno == EINVAL))
        code = errno;
    close(fd);
    return code;
}

static int sync_all(const char *path)
{
    DIR *directory = opendir(path);
    const struct dirent *entry;
    int code = 0;

    if (!directory)
        return errno;
    while (code == 0 && (errno = 0, entry = readdir(directory)))
        if (entry->d_type == DT_REG || entry->d_type == DT_UNKNOWN)
            code = sync_file(dirfd(directory), entry->d_name, 0);
    if (code == 0)
        code = errno;
    if (code == 0)
        code = sync_file(AT_FDCWD, path, O_DIRECTORY);
    (void)closedir(directory);
    return code;
}

/* Give the directory at from a name under which a table that was put away may lie. */
static int rename_to_old(struct swap_paths *paths, const char *from)
{
    char time_text[32];
    time_t now = time(NULL);
    struct tm parts;

    if (!gmtime_r(&now, &parts) ||
        strftime(time_text, sizeof time_text, "%Y%m%dT%H%M%SZ", &parts) == 0)
        return EINVAL;
    for (int number = 1; number <= OLD_NAMES_MAX; number++) {
        char more[16] = "";
        struct stat status;

        if (number > 1)
            (void)snprintf(more, sizeof more, ".%d", number);
        if (!make_path(paths->old, "%s" SWAP_OLD "%s%s", paths->directory, time_text, more))
            return ENAMETOOLONG;
        if (lstat(paths->old, &status) == 0)
            continue;
        return rename(from, paths->old) == 0 ? 0 : errno;
    }
    return EEXIST;
}

/*
 * The new one gets the name under which the old one is to lie, then they change
 * places: whoever is killed between leaves a table that nobody has used yet.
 */
static int exchange(struct swap_paths *paths)
{
    int code = rename_to_old(paths, paths->fresh);

    if (code != 0)
        return code;
    if (renameat2(AT_FDCWD, paths->old, AT_FDCWD, paths->directory, RENAME_EXCHANGE) == 0)
        return 0;
    code = errno;
    if (rename(paths->old, paths->fresh) == 0)
        return code;
    (void)make_path(paths->fresh, "%s", paths->old);
    return code;
}

/*
 * For file systems that cannot exchange. Between the two steps there is no table:
 * a master does not start then, and says why (store_open()).
 */
static int replace(struct swap_paths *paths, bool *gone)
{
    int code = rename_to_old(paths, paths->directory);

    if (code != 0)
        return code;
    if (rename(paths->fresh, paths->directory) == 0)
        return 0;
    code = errno;
    *gone = rename(paths->old, paths->directory) != 0;
    return code;
}

static enum store_result tell_gone(const struct swap_paths *paths, int code,
                                   struct store_error *error)
{
    (void)refuse(error,
                 "there is no table in its place any more: rename %s, the old one, back to %s "
                 "before anything else: the new one, %s, could not be put there: %s",
                 paths->old, paths->directory, paths->fresh, strerror(code));
    return STORE_BROKEN;
}

static enum store_result tell_unsynced(const struct swap_paths *paths, int code,
                                       struct store_error *error)
{
    (void)refuse(error,
                 "%s has the new table, but after a power failure %s may be there instead, and "
                 "what is changed from now on be lost: run sync before mupdated is started: %s",
                 paths->directory, paths->old[0] ? "the old one, or none," : "none",
                 strerror(code));
    return STORE_UNCERTAIN;
}

enum store_result swap_end(struct swap_paths *paths, struct store_error *error)
{
    struct stat status;
    bool gone = false;
    int code = sync_all(paths->fresh);

    if (code == 0)
        code = sync_file(AT_FDCWD, paths->parent, O_DIRECTORY);
    if (code != 0)
        return refuse(error, "%s: cannot make the new table durable: %s", paths->fresh,
                      strerror(code));
    if (paths->missing || lstat(paths->directory, &status) != 0) {
        /* This fails when a master was started meanwhile, whose lock nobody holds: it has files. */
        code = rename(paths->fresh, paths->directory) == 0 ? 0 : errno;
    } else {
        code = exchange(paths);
        if (code == EINVAL || code == ENOSYS)
            code = replace(paths, &gone);
    }
    if (gone)
        return tell_gone(paths, code, error);
    if (code != 0) {
        paths->old[0] = '\0';
        return refuse(error, "%s: cannot put the new table in its place: %s", paths->directory,
                      strerror(code));
    }
    paths->fresh[0] = '\0';
    code = sync_file(AT_FDCWD, paths->parent, O_DIRECTORY);
    return code == 0 ? STORE_OK : tell_unsynced(paths, code, error);
}

void swap_leftovers(const struct swap_paths *paths, swap_leftover *callback, void *context)
{
    DIR *parent = opendir(paths->parent);
    const char *name = strrchr(paths->directory, '/') + 1;
    size_t len = strlen(name);
    const struct dirent *entry;
    char path[PATH_MAX];

    if (!parent)
        return;
    while ((entry = readdir(parent))) {
        const char *rest = entry->d_name + len;
        bool fresh;

        if (strncmp(entry->d_name, name, len) != 0)
            continue;
        fresh = strncmp(rest, SWAP_FRESH, strlen(SWAP_FRESH)) == 0;
        if ((fresh || strncmp(rest, SWAP_OLD, strlen(SWAP_OLD)) == 0) &&
            make_path(path, "%s/%s", paths->parent, entry->d_name))
            callback(context, path, fresh);
    }
    (void)closedir(parent);
}
