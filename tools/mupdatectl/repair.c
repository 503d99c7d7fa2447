/* SPDX-License-Identifier: BSD-3-Clause */
#include "mupdated/store/repair.h"

#include <stdio.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

#include "mupdated/store/work.h"
#include "tools/mupdatectl/dump_file.h"
#include "tools/mupdatectl/offline.h"
#include "tools/mupdatectl/output.h"
#include "tools/mupdatectl/verify.h"
#include "tools/mupdatectl/work.h"

enum { OPTION_DRY_RUN = CTL_OWN_OPTION, OPTION_DUMP, OPTION_BACKUP };

struct repairing {
    const struct ctl_place *place;
    struct rule_policy policy; /* no limits: a row that is there stays */
    const char *dump;
    const char *backup;
    bool json;
    bool dry_run;
    struct ctl_findings findings;
    struct ctl_progress progress;
    uint64_t said[2]; /* lines: what was done, what is lost */
    int status;       /* of the printing */

    struct ctl_dump_file file;
    bool file_open;
    char copy[PATH_MAX]; /* of the backup */
    struct store *backup_store;
    struct store_walk *walk;
    struct repair_base base;

    struct repair_summary summary;
};

static void on_found(void *context, const struct verify_finding *finding)
{
    struct repairing *repairing = context;

    ctl_findings_take(&repairing->findings, finding);
}

static void on_checked(void *context, uint64_t done, uint64_t total)
{
    struct repairing *repairing = context;

    ctl_findings_step(&repairing->findings, done, total);
}

static void on_progress(void *context, const char *what, uint64_t done, uint64_t total)
{
    struct repairing *repairing = context;

    if (repairing->progress.what != what) {
        ctl_progress_end(&repairing->progress);
        ctl_progress_begin(&repairing->progress, what, "records", total);
    }
    ctl_progress_step(&repairing->progress, done);
}

static void on_said(void *context, bool lost, const char *text)
{
    struct repairing *repairing = context;

    if (repairing->said[lost]++ >= CTL_FINDINGS_MAX)
        return;
    if (repairing->progress.what)
        ctl_progress_end(&repairing->progress);
    if (!repairing->json)
        printf("%s: %s\n", lost ? "LOST OR DOUBTFUL" : "repair", text);
    else if (!repairing->status)
        repairing->status =
            ctl_print_json(json_pack("{sssb}", "repair", text, "lost", (int)lost));
}

/* --- the dump or the backup --- */

static bool next_of_dump(void *context, struct row *row, int *status)
{
    struct repairing *repairing = context;

    return ctl_dump_file_next(&repairing->file, row, status);
}

static bool next_of_backup(void *context, struct row *row, int *status)
{
    struct repairing *repairing = context;
    struct store_error error;
    enum store_result result = store_walk_next(repairing->walk, row, &error);

    if (result != STORE_OK && result != STORE_ABSENT)
        *status = ctl_store_failed(result, &error);
    return result == STORE_OK;
}

/* As the caller, whose file it is. */
static int open_dump(struct repairing *repairing)
{
    struct dump_header header;
    int status =
        ctl_dump_file_open(&repairing->file, repairing->dump, &repairing->place->policy);

    if (status)
        return status;
    repairing->file_open = true;
    status = ctl_dump_file_check(&repairing->file, &header);
    if (status)
        return status;
    if (header.server.len)
        return ctl_complain(EX_DATAERR, "%s holds the mailboxes of one server only",
                            repairing->dump);
    memcpy(repairing->base.history, header.history, sizeof repairing->base.history);
    repairing->base.sequence = header.sequence;
    repairing->base.next = next_of_dump;
    return ctl_dump_file_begin(&repairing->file, NULL);
}

/* As the owner; a copy, so that the backup stays as it is. */
static int open_backup(struct repairing *repairing)
{
    struct store_options options;
    struct store_position position;
    struct store_error error;
    enum store_result result;
    int status = ctl_work_directory(repairing->place, repairing->copy);

    if (status)
        return status;
    result = work_copy(repairing->backup, repairing->copy, WORK_ALL, NULL, NULL, NULL, &error);
    if (result != STORE_OK)
        return ctl_complain(EX_NOINPUT, "%s: %s", repairing->backup, error.text);
    options = ctl_store_options(repairing->place, repairing->copy);
    options.existing = true;
    options.copy = true;
    options.settled = true;
    result = store_open(&repairing->backup_store, &options, &error);
    if (result == STORE_OK)
        result = store_walk_new(&repairing->walk, repairing->backup_store, &error);
    if (result != STORE_OK)
        return ctl_store_failed(result, &error);
    store_position(repairing->backup_store, &position);
    memcpy(repairing->base.history, position.history, sizeof repairing->base.history);
    repairing->base.sequence = position.last;
    repairing->base.next = next_of_backup;
    return 0;
}

static void close_backup(struct repairing *repairing)
{
    store_walk_free(repairing->walk);
    store_close(repairing->backup_store);
    repairing->walk = NULL;
    repairing->backup_store = NULL;
    if (!repairing->copy[0])
        return;
    (void)work_clear(repairing->copy);
    (void)rmdir(repairing->copy);
    repairing->copy[0] = '\0';
}

/* --- the new table --- */

/* What verify says of the new table. */
static int verify_new(struct repairing *repairing, const char *directory)
{
    struct verify_options options = {.directory = directory,
                                     .policy = &repairing->policy,
                                     .found = on_found,
                                     .progress = on_checked,
                                     .context = repairing};
    struct verify_summary summary;
    struct store_error error;

    ctl_findings_begin(&repairing->findings, repairing->json);
    if (store_verify(&options, &summary, &error) != STORE_OK)
        return ctl_complain(EX_OSERR, "%s: %s", directory, error.text);
    ctl_findings_end(&repairing->findings);
    return summary.findings
               ? ctl_complain(EX_SOFTWARE, "the new table is not good, and is not used")
               : 0;
}

static int build(struct repairing *repairing, const struct store_options *target,
                 const char *work)
{
    struct repair_options options = {.directory = repairing->place->directory,
                                     .work = work,
                                     .target = target,
                                     .policy = &repairing->policy,
                                     .said = on_said,
                                     .progress = on_progress,
                                     .context = repairing};
    struct store_error error;
    enum store_result result;

    if (repairing->dump || repairing->backup)
        options.base = &repairing->base;
    result = store_repair(&options, &repairing->summary, &error);
    if (repairing->progress.what)
        ctl_progress_end(&repairing->progress);
    if (result == STORE_OK)
        return verify_new(repairing, target->directory);
    if (repairing->summary.base_status)
        return repairing->summary.base_status;
    return ctl_complain(result == STORE_ABSENT    ? EX_NOINPUT
                        : result == STORE_REFUSED ? EX_CANTCREAT
                                                  : EX_DATAERR,
                        "%s: %s", repairing->place->directory, error.text);
}

/* As the owner. */
static int make(void *context, const struct store_options *options)
{
    struct repairing *repairing = context;
    char work[PATH_MAX];
    int status = ctl_work_directory(repairing->place, work);

    if (status)
        return status;
    if (repairing->backup)
        status = open_backup(repairing);
    if (!status)
        status = build(repairing, options, work);
    close_backup(repairing);
    (void)work_clear(work);
    (void)rmdir(work);
    return status;
}

/* --- the report --- */

static int print_json(const struct repairing *repairing)
{
    const struct repair_summary *summary = &repairing->summary;

    return ctl_print_json(json_pack(
        "{sssIsIsIsIsIsIsIsb}", "result",
        summary->same ? "same" : "new history", "rows", (json_int_t)summary->rows, "kept",
        (json_int_t)summary->kept, "from_log", (json_int_t)summary->from_log, "from_base",
        (json_int_t)summary->from_base, "dropped", (json_int_t)summary->dropped, "changes",
        (json_int_t)summary->changes, "sequence", (json_int_t)summary->last, "confirmed",
        (int)summary->confirmed));
}

static void print_text(const struct repairing *repairing)
{
    const struct repair_summary *summary = &repairing->summary;

    for (int lost = 0; lost < 2; lost++)
        if (repairing->said[lost] > CTL_FINDINGS_MAX)
            printf("... and %llu more lines like these\n",
                   (unsigned long long)(repairing->said[lost] - CTL_FINDINGS_MAX));
    printf("%llu rows: %llu as they were, %llu from the log of changes, %llu from the %s; "
           "%llu rows were left out.\n",
           (unsigned long long)summary->rows, (unsigned long long)summary->kept,
           (unsigned long long)summary->from_log, (unsigned long long)summary->from_base,
           repairing->backup ? "backup" : "dump", (unsigned long long)summary->dropped);
    if (summary->same) {
        printf("Nothing that was acknowledged is lost: %s the same table, with the same history "
               "and\nthe last %llu changes, up to %llu.\n",
               repairing->dry_run ? "it would be" : "it is",
               (unsigned long long)summary->changes, (unsigned long long)summary->last);
        return;
    }
    printf("Something may be lost: %s a table of a new history, without a log of changes;\n"
           "the next change will have the number %llu.\n",
           repairing->dry_run ? "it would be" : "it is", (unsigned long long)summary->last + 1);
}

static int report(const struct repairing *repairing)
{
    int status = repairing->status;

    if (!status && repairing->json)
        status = print_json(repairing);
    if (!status && !repairing->json) {
        print_text(repairing);
        if (repairing->dry_run)
            printf("Nothing was changed.\n");
        else if (!repairing->summary.confirmed)
            ctl_say_unconfirmed();
    }
    if (!status)
        status = ctl_flush();
    return status ? status : repairing->summary.same ? 0 : CTL_EXIT_FOUND;
}

static int look(void *context, const struct store_options *options)
{
    (void)context;
    (void)options;
    return 0;
}

/* Nothing may use the table from now on until it was tried, without the exchange that locks it. */
static int try_it(struct repairing *repairing)
{
    struct store_error error;
    struct store_lock *lock;
    enum store_result result;
    int status = ctl_as_owner(repairing->place);

    if (status)
        return status;
    result = store_lock_take(&lock, repairing->place->directory, &error);
    ctl_as_self();
    if (result != STORE_OK)
        return ctl_store_failed(result, &error);
    status = ctl_table_try(repairing->place, make, look, repairing);
    store_lock_release(lock);
    return status;
}

/* What is wrong with it. *damaged: something that can be repaired. Exit status. */
static int verify_old(struct repairing *repairing, bool *damaged)
{
    struct verify_options options = {.policy = &repairing->policy,
                                     .found = on_found,
                                     .progress = on_checked,
                                     .context = repairing};
    struct verify_summary summary;
    struct store_error error;
    struct ctl_work work;
    enum store_result result;
    int status = ctl_work_take(&work, repairing->place);

    if (status)
        return status;
    if (work.hot) {
        ctl_work_end(&work, repairing->place);
        return ctl_complain(EX_UNAVAILABLE,
                            "%s: mupdated uses this table: see what mupdatectl verify says, and "
                            "stop mupdated before the table is repaired",
                            repairing->place->directory);
    }
    ctl_findings_begin(&repairing->findings, repairing->json);
    options.directory = work.path;
    options.unread = &work.unread;
    status = ctl_as_owner(repairing->place);
    if (!status) {
        result = store_verify(&options, &summary, &error);
        ctl_as_self();
        if (result != STORE_OK)
            status = ctl_complain(result == STORE_ABSENT ? EX_NOINPUT : EX_DATAERR, "%s: %s",
                                  repairing->place->directory, error.text);
        ctl_findings_end(&repairing->findings);
        *damaged = summary.findings > 0;
    }
    ctl_work_end(&work, repairing->place);
    return status ? status : repairing->findings.status;
}

static int repair_table(struct repairing *repairing)
{
    bool damaged = false;
    int status = verify_old(repairing, &damaged);

    if (status)
        return status;
    if (!damaged) {
        if (repairing->json)
            return ctl_print_json(json_pack("{ss}", "result", "good"));
        printf("The table in %s is good: there is nothing to repair.\n",
               repairing->place->directory);
        return ctl_flush();
    }
    status = repairing->dry_run
                 ? try_it(repairing)
                 : ctl_table_replace(repairing->place, make, repairing, repairing->json, NULL);
    return status ? status : report(repairing);
}

static int repair(struct ctl *ctl, int argc, char **argv)
{
    struct repairing repairing = {
        .policy = {.name_bytes = SIZE_MAX, .location_bytes = SIZE_MAX, .acl_bytes = SIZE_MAX}};
    struct ctl_place place;
    int option;
    int status;

    while ((option = ctl_option(ctl, argc, argv)) != CTL_END) {
        if (option == CTL_STOP)
            return ctl->status;
        if (option == OPTION_DRY_RUN)
            repairing.dry_run = true;
        else if (option == OPTION_DUMP)
            repairing.dump = optarg;
        else
            repairing.backup = optarg;
    }
    if (repairing.dump && repairing.backup)
        return ctl_complain(EX_USAGE, "repair: --dump and --backup do not go together");
    repairing.json = ctl->json;
    repairing.base.context = &repairing;
    status = ctl_place_find(&place, ctl, false);
    if (status)
        return status;
    repairing.place = &place;
    if (repairing.dump)
        status = open_dump(&repairing);
    if (!status)
        status = repair_table(&repairing);
    if (repairing.file_open)
        ctl_dump_file_close(&repairing.file);
    ctl_place_free(&place);
    return status;
}

static const struct option repair_options[] = {
    {"dry-run", no_argument, NULL, OPTION_DRY_RUN},
    {"dump", required_argument, NULL, OPTION_DUMP},
    {"backup", required_argument, NULL, OPTION_BACKUP},
    {NULL, 0, NULL, 0},
};

const struct ctl_command ctl_repair_command = {
    .name = "repair",
    .arguments = "[--dry-run] [OPTION ...]",
    .summary = "make a new table of a damaged one",
    .help =
        "Make a new table from what is left of a damaged one, and put it in its place. mupdated\n"
        "must be stopped; the damaged table is kept beside the new one. What the rows cannot\n"
        "tell is taken from the log of changes; what that does not reach back to, from a dump or\n"
        "a backup. The new table is the old one, and confirmed if that was, if nothing that was\n"
        "acknowledged is lost or doubtful; else it has a new history and is not confirmed, and\n"
        "the exit status is 1. See mupdatectl verify first.\n"
        "\n"
        "      --dry-run              change nothing; say what would come of it\n"
        "      --dump FILE            take the rows that are lost from a dump of this table\n"
        "      --backup DIRECTORY     take them from a backup of this table, which the user of\n"
        "                             the database must be able to read\n",
    .run = repair,
    .options = repair_options,
    .maximum = 0,
};
