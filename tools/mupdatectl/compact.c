/* SPDX-License-Identifier: BSD-3-Clause */
#include "mupdated/store/compact.h"

#include <stdio.h>
#include <string.h>
#include <sysexits.h>

#include "tools/mupdatectl/disk.h"
#include "tools/mupdatectl/offline.h"
#include "tools/mupdatectl/output.h"
#include "tools/mupdatectl/progress.h"

enum { OPTION_DRY_RUN = CTL_OWN_OPTION };

struct compacting {
    const struct ctl_place *place;
    bool dry_run;
    struct ctl_progress progress;
    uint64_t before; /* octets on the disk */
    uint64_t after;
    struct store_counts counts;
};

static void on_written(void *context, uint64_t done)
{
    struct compacting *compacting = context;

    ctl_progress_step(&compacting->progress, done);
}

/* --- as the owner --- */

static bool same(const struct row *old, const struct row *new)
{
    return old->mupdate.state == new->mupdate.state &&
           text_equal(old->mupdate.name, new->mupdate.name) &&
           text_equal(old->mupdate.location, new->mupdate.location) &&
           text_equal(old->mupdate.acl, new->mupdate.acl) && old->sequence == new->sequence &&
           old->time_us == new->time_us && text_equal(old->who, new->who);
}

/* The old table is put away for the new one: so it is looked at row by row, not believed. */
static int compare_rows(struct compacting *compacting, struct store *old, struct store *new)
{
    struct store_error error;
    struct store_walk *old_walk = NULL;
    struct store_walk *new_walk = NULL;
    struct row old_row;
    struct row new_row;
    uint64_t done = 0;
    bool equal = true;
    enum store_result old_result = store_walk_new(&old_walk, old, &error);
    enum store_result new_result = old_result;

    if (old_result == STORE_OK)
        new_result = store_walk_new(&new_walk, new, &error);
    ctl_progress_begin(&compacting->progress, "comparing", "rows", compacting->counts.rows);
    while (equal && old_result == STORE_OK && new_result == STORE_OK) {
        old_result = store_walk_next(old_walk, &old_row, &error);
        if (old_result == STORE_OK || old_result == STORE_ABSENT)
            new_result = store_walk_next(new_walk, &new_row, &error);
        equal = old_result == new_result &&
                (old_result != STORE_OK || same(&old_row, &new_row));
        ctl_progress_step(&compacting->progress, ++done);
    }
    ctl_progress_end(&compacting->progress);
    store_walk_free(old_walk);
    store_walk_free(new_walk);
    if (old_result == STORE_ABSENT && new_result == STORE_ABSENT)
        return 0;
    return equal || old_result == STORE_BROKEN || new_result == STORE_BROKEN
               ? ctl_store_failed(STORE_BROKEN, &error)
               : ctl_complain(EX_SOFTWARE, "the new table is not as the old one");
}

static int check(struct compacting *compacting, struct store *old,
                 const struct store_options *options)
{
    struct store_options existing = *options;
    struct store_position old_position;
    struct store_position new_position;
    struct store_error error;
    struct store *new;
    enum store_result result;
    int status;

    existing.existing = true;
    result = store_open(&new, &existing, &error);
    if (result != STORE_OK)
        return ctl_store_failed(result, &error);
    status = compare_rows(compacting, old, new);
    store_position(old, &old_position);
    store_position(new, &new_position);
    if (!status && (memcmp(&old_position, &new_position, sizeof old_position) != 0 ||
                    store_confirmed(old) != store_confirmed(new)))
        status = ctl_complain(EX_SOFTWARE, "the new table is not as the old one");
    store_close(new);
    return status;
}

static int make(void *context, const struct store_options *options)
{
    struct compacting *compacting = context;
    struct store_options old =
        ctl_store_options(compacting->place, compacting->place->directory);
    struct store_error error;
    struct store *store;
    enum store_result result;
    int status = 0;

    old.existing = true;
    /* For the exchange the lock is held already. */
    old.locked = !compacting->dry_run;
    result = store_open(&store, &old, &error);
    if (result != STORE_OK)
        return ctl_store_failed(result, &error);
    compacting->before = ctl_disk_used(compacting->place->directory);
    ctl_progress_begin(&compacting->progress, "writing", "records", 0);
    result = store_compact(store, options, on_written, compacting, &compacting->counts, &error);
    ctl_progress_end(&compacting->progress);
    status = result == STORE_OK ? check(compacting, store, options)
                                : ctl_store_failed(result, &error);
    store_close(store);
    compacting->after = ctl_disk_used(options->directory);
    return status;
}

static int look(void *context, const struct store_options *options)
{
    (void)context;
    (void)options;
    return 0;
}

/* --- */

static int report(const struct compacting *compacting, bool json)
{
    char before[CTL_DISK_BYTES];
    char after[CTL_DISK_BYTES];

    if (json)
        return ctl_print_json(json_pack(
            "{sIsIsIsI}", "rows", (json_int_t)compacting->counts.rows, "changes",
            (json_int_t)compacting->counts.changes, "bytes_before",
            (json_int_t)compacting->before, "bytes_after", (json_int_t)compacting->after));
    printf("%s %s on the disk and %s %s: %llu rows and %llu changes.\n",
           compacting->dry_run ? "The table takes" : "The table took",
           ctl_disk_text(compacting->before, before),
           compacting->dry_run ? "would take" : "takes now",
           ctl_disk_text(compacting->after, after),
           (unsigned long long)compacting->counts.rows,
           (unsigned long long)compacting->counts.changes);
    return ctl_flush();
}

static int compact(struct ctl *ctl, int argc, char **argv)
{
    struct compacting compacting = {.dry_run = false};
    struct ctl_place place;
    int option;
    int status;

    while ((option = ctl_option(ctl, argc, argv)) != CTL_END) {
        if (option == CTL_STOP)
            return ctl->status;
        compacting.dry_run = true;
    }
    status = ctl_place_find(&place, ctl, false);
    if (status)
        return status;
    compacting.place = &place;
    status = compacting.dry_run ? ctl_table_try(&place, make, look, &compacting)
                                : ctl_table_replace(&place, make, &compacting, ctl->json, NULL);
    if (!status)
        status = report(&compacting, ctl->json);
    ctl_place_free(&place);
    return status;
}

static const struct option compact_options[] = {
    {"dry-run", no_argument, NULL, OPTION_DRY_RUN},
    {NULL, 0, NULL, 0},
};

const struct ctl_command ctl_compact_command = {
    .name = "compact",
    .arguments = "[--dry-run]",
    .summary = "give back what the table's files need no more",
    .help = "Make the master's database anew from itself, in files without the room that deleted\n"
            "mailboxes and dropped changes have left. It stays the same table: rows, log of\n"
            "changes, history, numbers; front-ends notice nothing. mupdated must be stopped; the\n"
            "old files are kept beside the new ones until you remove them.\n"
            "\n"
            "      --dry-run              change nothing; show what it would give back\n",
    .run = compact,
    .options = compact_options,
    .maximum = 0,
};
