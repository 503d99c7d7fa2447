/* SPDX-License-Identifier: BSD-3-Clause */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

#include "mupdated/store/copy.h"
#include "mupdated/store/sync.h"
#include "tools/mupdatectl/copy.h"
#include "tools/mupdatectl/output.h"
#include "tools/mupdatectl/progress.h"

/* Inside a directory of its own, which the owner of the table may write. */
struct backup_paths {
    char work[PATH_MAX];
    char copy[PATH_MAX];
};

static bool on_copied(void *context, uint64_t done, uint64_t total)
{
    struct ctl_progress *progress = context;

    progress->total = total;
    ctl_progress_step(progress, done);
    return true;
}

/* By the descriptor: what a path leads to may change between two calls. */
static bool give_to_owner(const struct ctl_place *place, const char *path)
{
    int fd = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    bool given = fd >= 0 && (geteuid() != 0 || fchown(fd, place->owner, place->group) == 0);

    if (fd >= 0)
        close(fd);
    return given;
}

static int make_work(const struct ctl_place *place, const char *target, struct backup_paths *paths)
{
    if (access(target, F_OK) == 0)
        return ctl_complain(EX_CANTCREAT, "%s is there already; a backup is a new directory",
                            target);
    if (snprintf(paths->work, sizeof paths->work, "%s.new-XXXXXX", target) >=
            (int)sizeof paths->work - 8 ||
        !mkdtemp(paths->work))
        return ctl_complain(EX_CANTCREAT, "cannot make %s: %s", target, strerror(errno));
    if (!give_to_owner(place, paths->work)) {
        (void)ctl_complain(0, "cannot make %s: %s", target, strerror(errno));
        (void)rmdir(paths->work);
        return EX_CANTCREAT;
    }
    (void)snprintf(paths->copy, sizeof paths->copy, "%.4000s/copy", paths->work);
    return 0;
}

/* By the mupdated that uses the table. */
static int take_copy(const struct ctl_place *place, const struct backup_paths *paths,
                     const struct store_error *busy)
{
    struct ctl_local local = place->local;
    char path[PATH_MAX];
    int status = ctl_copy_take(place, &local, path, busy);

    if (status)
        return status;
    status = ctl_copy_move(place, path, paths->copy);
    ctl_local_close(&local);
    return status;
}

/* Copy the table to paths->copy. */
static int copy_table(const struct ctl_place *place, const struct backup_paths *paths)
{
    struct ctl_progress progress;
    struct store_error error;
    struct store *store;
    int status;
    enum store_result result = ctl_table_open_idle(place, &store, &error, &status);

    if (result == STORE_BUSY)
        return take_copy(place, paths, &error);
    if (result != STORE_OK)
        return status;
    ctl_progress_begin(&progress, "copying", "MB", 0);
    result = store_backup(store, paths->copy, on_copied, &progress, &error);
    ctl_progress_end(&progress);
    store_close(store);
    ctl_as_self();
    return result == STORE_OK ? 0 : ctl_store_failed(result, &error);
}

/* Make the copy a table that needs no log but its own, and see that it is good. */
static int recover_and_verify(const struct ctl_place *place, const char *copy,
                              struct store_counts *counts)
{
    struct store_options options = ctl_store_options(place, copy);
    int status = ctl_as_owner(place);

    if (status)
        return status;
    options.copy = true;
    status = ctl_table_verify(&options, counts);
    ctl_as_self();
    return status;
}

/* Give it its name, durably. */
static int finish(const struct backup_paths *paths, const char *target)
{
    int code = sync_directory(paths->copy);

    if (code != 0)
        return ctl_complain(EX_IOERR, "cannot make %s durable: %s", target, strerror(code));
    if (renameat2(AT_FDCWD, paths->copy, AT_FDCWD, target, RENAME_NOREPLACE) != 0 &&
        (errno != EINVAL || rename(paths->copy, target) != 0))
        return ctl_complain(EX_CANTCREAT, "cannot make %s: %s", target, strerror(errno));
    code = sync_parent(paths->work);
    /* It is whole and stays, but a crash of the machine may take its name away. */
    return code == 0 ? 0
                     : ctl_complain(EX_IOERR,
                                    "%s is made, but its name may not survive a crash of the "
                                    "machine: %s",
                                    target, strerror(code));
}

/* The mupdated that uses the table, if there is one: it shows when the last one was made. */
static void tell_of_it(const struct ctl_place *place)
{
    struct ctl_local local = place->local;
    json_t *answer;

    if (ctl_local_connect(&local) == 0 &&
        ctl_local_ask(&local, json_pack("{ss}", "do", "saved"), &answer) == 0)
        json_decref(answer);
    ctl_local_close(&local);
}

static int back_up(const struct ctl_place *place, const char *target, bool json)
{
    struct backup_paths paths;
    struct store_counts counts;
    int status = make_work(place, target, &paths);

    if (status)
        return status;
    status = copy_table(place, &paths);
    if (!status)
        status = recover_and_verify(place, paths.copy, &counts);
    if (!status)
        status = finish(&paths, target);
    if (!status)
        tell_of_it(place);
    if (status)
        ctl_remove_table(place, paths.copy);
    (void)rmdir(paths.work);
    if (status)
        return status;
    if (json)
        return ctl_print_json(json_pack("{sIsI}", "rows", (json_int_t)counts.rows, "changes",
                                        (json_int_t)counts.changes));
    printf("%s holds %llu rows and the last %llu changes, and was verified.\n", target,
           (unsigned long long)counts.rows, (unsigned long long)counts.changes);
    return ctl_flush();
}

static int backup(struct ctl *ctl, int argc, char **argv)
{
    struct ctl_place place;
    int status;

    if (ctl_option(ctl, argc, argv) == CTL_STOP)
        return ctl->status;
    status = ctl_place_find(&place, ctl, false);
    if (status)
        return status;
    status = back_up(&place, argv[optind], ctl->json);
    ctl_place_free(&place);
    return status;
}

const struct ctl_command ctl_backup_command = {
    .name = "backup",
    .arguments = "DIRECTORY",
    .summary = "copy the database, and verify the copy",
    .help = "Copy the master's database, with its log of changes, to a new directory, and verify\n"
            "every page and row of the copy. mupdatectl restore takes it back. The copy belongs\n"
            "to the user of the database.\n",
    .run = backup,
    .minimum = 1,
    .maximum = 1,
};
