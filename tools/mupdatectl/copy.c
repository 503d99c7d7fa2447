/* SPDX-License-Identifier: BSD-3-Clause */
#include "tools/mupdatectl/copy.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <sysexits.h>
#include <unistd.h>

#include "tools/mupdatectl/progress.h"

/* The longest time without a word while it is made: the disk may be slow to take the last of it. */
#define COPY_MS 600000

#define PIECE_BYTES (8U << 20)

/* What the daemon calls the copy: it must not lead out of the database. */
static bool is_name(const char *name)
{
    return name && strncmp(name, "copy-", 5) == 0 && !strchr(name, '/') && strlen(name) < 64;
}

static int wait_for_copy(struct ctl_local *local, char *name, size_t size)
{
    struct ctl_progress progress;
    int status = ctl_local_send(local, json_pack("{ss}", "do", "copy"));
    json_t *answer;

    ctl_progress_begin(&progress, "copying", "MB", 0);
    name[0] = '\0';
    while (!status && !name[0]) {
        const json_t *so_far;
        const char *said;

        status = ctl_local_next(local, &answer);
        if (status)
            break;
        so_far = json_object_get(answer, "progress");
        said = json_string_value(json_object_get(answer, "copy"));
        if (so_far) {
            progress.total = (uint64_t)json_integer_value(json_object_get(so_far, "total"));
            ctl_progress_step(&progress,
                              (uint64_t)json_integer_value(json_object_get(so_far, "done")));
        } else if (is_name(said)) {
            (void)snprintf(name, size, "%s", said);
        } else {
            (void)snprintf(local->text, sizeof local->text, "what listens at %s is no mupdated",
                           local->path);
            status = EX_PROTOCOL;
        }
        json_decref(answer);
    }
    ctl_progress_end(&progress);
    return status;
}

int ctl_copy_take(const struct ctl_place *place, struct ctl_local *local, char path[PATH_MAX],
                  const struct store_error *busy)
{
    char name[64];
    int status = ctl_local_connect(local);

    if (status)
        return ctl_complain(EX_UNAVAILABLE, "%s; and it cannot be asked for a copy: %s",
                            busy->text, local->text);
    local->timeout_ms = COPY_MS;
    status = wait_for_copy(local, name, sizeof name);
    if (!status &&
        snprintf(path, PATH_MAX, "%s/%s", place->directory, name) >= PATH_MAX) {
        (void)snprintf(local->text, sizeof local->text, "%s: the path is too long", name);
        status = EX_OSERR;
    }
    if (status) {
        (void)ctl_local_failed(local, status);
        ctl_local_close(local);
    }
    return status;
}

/* --- elsewhere --- */

/* An error number, or 0. */
static int copy_octets(int from, int to, struct ctl_progress *progress, uint64_t *done)
{
    for (;;) {
        ssize_t moved = sendfile(to, from, NULL, PIECE_BYTES);

        if (moved < 0 && errno == EINTR)
            continue;
        if (moved < 0)
            return errno;
        if (moved == 0)
            return fsync(to) == 0 ? 0 : errno;
        *done += (uint64_t)moved;
        ctl_progress_step(progress, *done);
    }
}

static int copy_file(int directory, int target, const char *name, struct ctl_progress *progress,
                     uint64_t *done)
{
    int from = openat(directory, name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
    int to = from < 0 ? -1
                      : openat(target, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC,
                               0600);
    int code = to < 0 ? errno : copy_octets(from, to, progress, done);

    if (to >= 0 && close(to) != 0 && code == 0)
        code = errno;
    if (from >= 0)
        close(from);
    return code;
}

static uint64_t size_of(DIR *files)
{
    const struct dirent *entry;
    struct stat status;
    uint64_t total = 0;

    while ((entry = readdir(files)))
        if (fstatat(dirfd(files), entry->d_name, &status, AT_SYMLINK_NOFOLLOW) == 0 &&
            S_ISREG(status.st_mode))
            total += (uint64_t)status.st_size;
    rewinddir(files);
    return total;
}

static int copy_files(DIR *files, int target)
{
    struct ctl_progress progress;
    const struct dirent *entry;
    struct stat status;
    uint64_t done = 0;
    int code = 0;

    ctl_progress_begin(&progress, "copying", "MB", size_of(files));
    while (code == 0 && (entry = readdir(files)))
        if (fstatat(dirfd(files), entry->d_name, &status, AT_SYMLINK_NOFOLLOW) == 0 &&
            S_ISREG(status.st_mode))
            code = copy_file(dirfd(files), target, entry->d_name, &progress, &done);
    ctl_progress_end(&progress);
    return code;
}

/* Another file system: an error number, or 0. */
static int copy_directory(const char *path, const char *target)
{
    DIR *files = opendir(path);
    int to;
    int code;

    if (!files)
        return errno;
    to = mkdir(target, 0700) == 0 ? open(target, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC)
                                  : -1;
    code = to < 0 ? errno : copy_files(files, to);
    if (to >= 0)
        close(to);
    (void)closedir(files);
    return code;
}

int ctl_copy_move(const struct ctl_place *place, const char *path, const char *target)
{
    int status = ctl_as_owner(place);
    int code;

    if (status)
        return status;
    code = rename(path, target) == 0 ? 0 : errno;
    if (code == EXDEV)
        code = copy_directory(path, target);
    ctl_as_self();
    return code == 0 ? 0
                     : ctl_complain(EX_CANTCREAT, "cannot make %s: %s", target, strerror(code));
}
