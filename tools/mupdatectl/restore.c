/* SPDX-License-Identifier: BSD-3-Clause */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sysexits.h>
#include <unistd.h>

#include "tools/mupdatectl/offline.h"
#include "tools/mupdatectl/output.h"
#include "tools/mupdatectl/present.h"
#include "tools/mupdatectl/progress.h"

enum { OPTION_DRY_RUN = CTL_OWN_OPTION };

#define PIECE_BYTES (256U << 10)

struct restoring {
    const struct ctl_place *place;
    int from; /* the backup's directory */
    int lock; /* of that directory, shared until all is copied; -1: it has none, or no more */
    const char *path;
    bool json;
    struct ctl_progress progress;
    uint64_t copied;
};

/* A table's files: the databases and Berkeley DB's log. */
static bool is_of_table(const char *name)
{
    return strcmp(name, "rows.db") == 0 || strcmp(name, "changes.db") == 0 ||
           strcmp(name, "meta.db") == 0 || strncmp(name, "log.", 4) == 0;
}

static int copy_octets(struct restoring *restoring, int from, int to)
{
    char *piece = malloc(PIECE_BYTES);
    ssize_t got = 0;
    int code = piece ? 0 : ENOMEM;

    while (code == 0 && (got = read(from, piece, PIECE_BYTES)) != 0) {
        ssize_t done = 0;

        if (got < 0 && errno != EINTR)
            code = errno;
        while (code == 0 && done < got) {
            ssize_t wrote = write(to, piece + done, (size_t)(got - done));

            if (wrote > 0)
                done += wrote;
            else if (wrote == 0 || errno != EINTR)
                code = wrote == 0 ? EIO : errno;
        }
        restoring->copied += got > 0 ? (uint64_t)got : 0;
        ctl_progress_step(&restoring->progress, restoring->copied);
    }
    free(piece);
    return code == 0 && fsync(to) != 0 ? errno : code;
}

/* The caller may read what is root's, and the owner must have what is made. */
static int copy_file(struct restoring *restoring, const char *name, const char *directory)
{
    char path[PATH_MAX];
    int from;
    int to = -1;
    int code;

    ctl_as_self();
    from = openat(restoring->from, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    code = from < 0 ? errno : 0;
    if (ctl_as_owner(restoring->place))
        code = EPERM;
    if (code == 0 && snprintf(path, sizeof path, "%s/%s", directory, name) >= (int)sizeof path)
        code = ENAMETOOLONG;
    if (code == 0) {
        to = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
        code = to < 0 ? errno : copy_octets(restoring, from, to);
    }
    if (from >= 0)
        close(from);
    if (to >= 0 && close(to) != 0 && code == 0)
        code = errno;
    return code;
}

static int copy_files(struct restoring *restoring, const char *directory)
{
    int fd = dup(restoring->from);
    DIR *from = fd < 0 ? NULL : fdopendir(fd);
    const struct dirent *entry;
    bool found = false;
    int code = from ? 0 : errno;

    if (!from) {
        if (fd >= 0)
            close(fd);
        return ctl_complain(EX_NOINPUT, "cannot read %s: %s", restoring->path, strerror(code));
    }
    rewinddir(from);
    restoring->copied = 0;
    ctl_progress_begin(&restoring->progress, "copying", "MB", 0);
    while (code == 0 && (entry = readdir(from))) {
        if (!is_of_table(entry->d_name))
            continue;
        found = true;
        code = copy_file(restoring, entry->d_name, directory);
        if (code != 0)
            (void)ctl_complain(0, "cannot copy %s/%s: %s", restoring->path, entry->d_name,
                               strerror(code));
    }
    ctl_progress_end(&restoring->progress);
    (void)closedir(from);
    if (code != 0)
        return EX_IOERR;
    return found ? 0
                 : ctl_complain(EX_NOINPUT, "%s holds no table; name the directory that mupdatectl "
                                            "backup made", restoring->path);
}

/* A table in use changes while it is copied; what is wanted then is a backup of it. */
static int take_lock(struct restoring *restoring)
{
    restoring->lock = openat(restoring->from, "lock", O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    return restoring->lock >= 0 && flock(restoring->lock, LOCK_SH | LOCK_NB) != 0 &&
                   errno == EWOULDBLOCK
               ? ctl_complain(EX_UNAVAILABLE, "%s is in use; make a backup of it first",
                              restoring->path)
               : 0;
}

static void release_lock(struct restoring *restoring)
{
    if (restoring->lock >= 0)
        close(restoring->lock);
    restoring->lock = -1;
}

/* A backup has no lock before somebody uses it, and then may have changed under the copy. */
static int end_copy(struct restoring *restoring)
{
    bool used;

    ctl_as_self();
    used = restoring->lock < 0 && faccessat(restoring->from, "lock", F_OK, 0) == 0;
    release_lock(restoring);
    if (ctl_as_owner(restoring->place))
        return EX_NOPERM;
    return used ? ctl_complain(EX_UNAVAILABLE, "%s was put to use while it was copied",
                               restoring->path)
                : 0;
}

/* A copy, so that the backup stays as it is whatever comes of this. */
static int make(void *context, const struct store_options *options)
{
    struct restoring *restoring = context;
    struct store_options copy = *options;
    struct store_error error;
    struct store *store;
    enum store_result result;
    int status = copy_files(restoring, options->directory);

    if (!status)
        status = end_copy(restoring);
    if (status)
        return status;
    copy.existing = true;
    copy.copy = true;
    copy.settled = true;
    result = store_open(&store, &copy, &error);
    if (result != STORE_OK) {
        status = ctl_store_failed(result, &error);
        if (result == STORE_BROKEN)
            (void)ctl_complain(0, "that is of the backup: see mupdatectl --database %s verify",
                               restoring->path);
        return status;
    }
    result = store_part(store, &error);
    store_close(store);
    return result == STORE_OK ? 0 : ctl_store_failed(result, &error);
}

/* As the caller; the copy is opened as its owner. */
static int look(void *context, const struct store_options *options)
{
    const struct restoring *restoring = context;
    struct store_error error;
    struct ctl_source then;
    struct store_walk *walk = NULL;
    struct store *store;
    enum store_result result;
    int status = ctl_as_owner(restoring->place);

    if (status)
        return status;
    result = store_open(&store, options, &error);
    ctl_as_self();
    if (result != STORE_OK)
        return ctl_store_failed(result, &error);
    status = ctl_table_source(store, &walk, &then);
    if (!status)
        status = ctl_present_compare(restoring->place, &then, restoring->json);
    store_walk_free(walk);
    store_close(store);
    if (!status && !restoring->json)
        printf("The backup is good. This is what restoring it would change; nothing was "
               "changed.\n");
    return status ? status : ctl_flush();
}

static int replace(struct restoring *restoring)
{
    struct store_counts counts;
    int status = ctl_table_replace(restoring->place, make, restoring, restoring->json, &counts);

    if (status)
        return status;
    if (restoring->json)
        return ctl_print_json(json_pack("{sIsIsb}", "rows", (json_int_t)counts.rows, "changes",
                                        (json_int_t)counts.changes, "confirmed", 0));
    printf("Restored %llu rows and the last %llu changes.\n", (unsigned long long)counts.rows,
           (unsigned long long)counts.changes);
    ctl_say_unconfirmed();
    return ctl_flush();
}

static int restore(struct ctl *ctl, int argc, char **argv)
{
    struct restoring restoring = {.lock = -1};
    struct ctl_place place;
    bool dry_run = false;
    int option;
    int status;

    while ((option = ctl_option(ctl, argc, argv)) != CTL_END) {
        if (option == CTL_STOP)
            return ctl->status;
        dry_run = true;
    }
    restoring.json = ctl->json;
    restoring.path = argv[optind];
    status = ctl_place_find(&place, ctl, true);
    if (status)
        return status;
    restoring.place = &place;
    restoring.from = open(restoring.path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (restoring.from < 0) {
        status = ctl_complain(EX_NOINPUT, "cannot read %s: %s", restoring.path, strerror(errno));
    } else {
        status = take_lock(&restoring);
        if (!status)
            status = dry_run ? ctl_table_try(&place, make, look, &restoring) : replace(&restoring);
        release_lock(&restoring);
        close(restoring.from);
    }
    ctl_place_free(&place);
    return status;
}

static const struct option restore_options[] = {
    {"dry-run", no_argument, NULL, OPTION_DRY_RUN},
    {NULL, 0, NULL, 0},
};

const struct ctl_command ctl_restore_command = {
    .name = "restore",
    .arguments = "[--dry-run] DIRECTORY",
    .summary = "make a backup the table",
    .help = "Put the table of a backup (mupdatectl backup) in the place of the master's, all of\n"
            "it or nothing, with its log of changes. mupdated must be stopped; the old table is\n"
            "kept beside the new one. The new one is not confirmed: see mupdatectl confirm\n"
            "--help. The backup stays as it is.\n"
            "\n"
            "      --dry-run              change nothing; show how it differs from the table\n",
    .run = restore,
    .options = restore_options,
    .minimum = 1,
    .maximum = 1,
};
