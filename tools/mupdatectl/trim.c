/* SPDX-License-Identifier: BSD-3-Clause */
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <sysexits.h>

#include "mupdated/config.h"
#include "tools/mupdatectl/disk.h"
#include "tools/mupdatectl/offline.h"
#include "tools/mupdatectl/output.h"
#include "tools/mupdatectl/progress.h"
#include "tools/mupdatectl/when.h"

enum {
    OPTION_KEEP = CTL_OWN_OPTION,
    OPTION_BEFORE,
    OPTION_OLDER_THAN,
    OPTION_DRY_RUN,
};

struct trimming {
    uint64_t promised; /* log_changes: so many stay, whatever is asked for */
    uint64_t keep;     /* --keep; 0: not given */
    uint64_t before;   /* --before; 0: not given */
    int64_t older_us;  /* --older-than, as a moment; INT64_MAX: not given */
    bool dry_run;
    bool json;
    struct store_position position; /* before */
    uint64_t first;    /* the oldest that stays */
    uint64_t bytes_before;
    uint64_t bytes_after;
};

/* --- what may go --- */

/* In the log of changes times never go back. */
static bool note_older(void *context, const struct change *change)
{
    struct trimming *trimming = context;

    if (change->now.time_us >= trimming->older_us)
        return false;
    trimming->first = change->now.sequence + 1;
    return true;
}

/* Find trimming->first. Exit status. */
static int decide(struct trimming *trimming, struct store *store)
{
    uint64_t end = trimming->position.last + 1;
    uint64_t floor = end > trimming->promised ? end - trimming->promised : 0;
    struct store_error error;
    enum store_result result;

    trimming->first = floor;
    if (trimming->keep)
        trimming->first = end > trimming->keep ? end - trimming->keep : 0;
    if (trimming->before)
        trimming->first = trimming->before;
    if (trimming->older_us != INT64_MAX) {
        trimming->first = 0;
        result = store_changes(store, trimming->position.first, note_older, trimming, &error);
        if (result != STORE_OK && result != STORE_REFUSED)
            return ctl_store_failed(result, &error);
    }
    if (trimming->first > floor)
        trimming->first = floor;
    if (trimming->first < trimming->position.first)
        trimming->first = trimming->position.first;
    return 0;
}

/* --- dropping it --- */

static int drop(struct trimming *trimming, struct store *store)
{
    uint64_t keep = trimming->position.last + 1 - trimming->first;
    uint64_t total = trimming->first - trimming->position.first;
    struct store_position now = trimming->position;
    struct ctl_progress progress;
    struct store_error error;
    enum store_result result = STORE_OK;
    bool more = total > 0;

    ctl_progress_begin(&progress, "dropping", "changes", total);
    while (more && result == STORE_OK) {
        result = store_trim(store, keep, &more, &error);
        store_position(store, &now);
        ctl_progress_step(&progress, now.first - trimming->position.first);
        /* So that Berkeley DB's own log does not grow by all that goes. */
        if (result == STORE_OK && (now.first - trimming->position.first) % 50000 < 1000)
            result = store_checkpoint(store, &error);
    }
    ctl_progress_end(&progress);
    trimming->first = now.first;
    return result == STORE_OK ? 0 : ctl_store_failed(result, &error);
}

static int trim_store(struct trimming *trimming, struct store *store)
{
    int status;

    store_position(store, &trimming->position);
    status = decide(trimming, store);
    if (status || trimming->dry_run)
        return status;
    return drop(trimming, store);
}

/* --- */

static int report(const struct trimming *trimming)
{
    char before[CTL_DISK_BYTES];
    char after[CTL_DISK_BYTES];
    unsigned long long dropped = trimming->first - trimming->position.first;
    unsigned long long kept = trimming->position.last + 1 - trimming->first;

    if (trimming->json)
        return ctl_print_json(json_pack(
            "{sIsIsIsI}", "dropped", (json_int_t)dropped, "kept", (json_int_t)kept, "bytes_before",
            (json_int_t)trimming->bytes_before, "bytes_after",
            (json_int_t)trimming->bytes_after));
    if (trimming->dry_run) {
        printf("%llu changes would go and %llu stay; the last %llu always do (log_changes).\n",
               dropped, kept, (unsigned long long)trimming->promised);
    } else {
        printf("Dropped %llu changes, %llu stay.\n", dropped, kept);
        printf("The database took %s on the disk and takes %s now.\n",
               ctl_disk_text(trimming->bytes_before, before),
               ctl_disk_text(trimming->bytes_after, after));
        if (dropped)
            printf("The room in its files is used again; mupdatectl compact gives it back.\n");
    }
    return ctl_flush();
}

static int trim_table(struct trimming *trimming, const struct ctl_place *place)
{
    struct store *store;
    struct store_error error;
    int status;
    enum store_result result;

    trimming->bytes_before = ctl_disk_used(place->directory);
    result = ctl_table_open_idle(place, &store, &error, &status);
    if (result == STORE_BUSY)
        return ctl_complain(EX_UNAVAILABLE,
                            "%s; a mupdated that runs drops by itself what is more than "
                            "log_changes, and what it needs no more of Berkeley DB's log",
                            error.text);
    if (result != STORE_OK)
        return status;
    status = trim_store(trimming, store);
    /* Which drops what is not needed of Berkeley DB's log, too. */
    store_close(store);
    trimming->bytes_after = ctl_disk_used(place->directory);
    ctl_as_self();
    return status ? status : report(trimming);
}

static bool take_number(const char *text, uint64_t *number)
{
    char *end;

    if (!isdigit((unsigned char)*text))
        return false;
    *number = strtoull(text, &end, 10);
    return !*end && *number >= 1 && *number <= INT64_MAX;
}

static int take_option(struct trimming *trimming, int option)
{
    int64_t age_us;

    switch (option) {
    case OPTION_KEEP:
        return take_number(optarg, &trimming->keep)
                   ? 0
                   : ctl_complain(EX_USAGE, "--keep %s: give a number of changes", optarg);
    case OPTION_BEFORE:
        return take_number(optarg, &trimming->before)
                   ? 0
                   : ctl_complain(EX_USAGE, "--before %s: give the number of a change", optarg);
    case OPTION_OLDER_THAN:
        age_us = ctl_duration_us(optarg);
        if (age_us < 0)
            return ctl_complain(EX_USAGE, "--older-than %s: give a time such as 12h, 30d or 8w",
                                optarg);
        trimming->older_us = ctl_now_us() - age_us;
        return 0;
    default:
        trimming->dry_run = true;
        return 0;
    }
}

static int trim(struct ctl *ctl, int argc, char **argv)
{
    struct trimming trimming = {.older_us = INT64_MAX};
    struct ctl_place place;
    int option;
    int status = 0;

    while (!status && (option = ctl_option(ctl, argc, argv)) != CTL_END) {
        if (option == CTL_STOP)
            return ctl->status;
        status = take_option(&trimming, option);
    }
    if (status)
        return status;
    if ((trimming.keep != 0) + (trimming.before != 0) + (trimming.older_us != INT64_MAX) > 1)
        return ctl_complain(EX_USAGE, "trim: give one of --keep, --before and --older-than");
    trimming.json = ctl->json;
    status = ctl_place_find(&place, ctl, false);
    if (status)
        return status;
    trimming.promised = place.config->log_changes;
    if (trimming.keep && trimming.keep < trimming.promised)
        status = ctl_complain(EX_USAGE,
                              "--keep %llu: log_changes in the configuration promises %llu to "
                              "subscribers that come back; lower that first",
                              (unsigned long long)trimming.keep,
                              (unsigned long long)trimming.promised);
    else
        status = trim_table(&trimming, &place);
    ctl_place_free(&place);
    return status;
}

static const struct option trim_options[] = {
    {"keep", required_argument, NULL, OPTION_KEEP},
    {"before", required_argument, NULL, OPTION_BEFORE},
    {"older-than", required_argument, NULL, OPTION_OLDER_THAN},
    {"dry-run", no_argument, NULL, OPTION_DRY_RUN},
    {NULL, 0, NULL, 0},
};

const struct ctl_command ctl_trim_command = {
    .name = "trim",
    .arguments = "[--keep NUMBER | --before NUMBER | --older-than TIME] [--dry-run]",
    .summary = "shorten the log of changes",
    .help = "Drop the oldest changes of the log, and what is not needed of Berkeley DB's own log.\n"
            "As many changes as log_changes in the configuration says always stay: they are\n"
            "promised to subscribers that come back. mupdated must be stopped; one that runs does\n"
            "this by itself.\n"
            "\n"
            "      --keep NUMBER          so many stay (default: log_changes)\n"
            "      --before NUMBER        only changes before the one of this number go\n"
            "      --older-than TIME      only changes that are older go: 12h, 30d, 8w\n"
            "      --dry-run              change nothing; show how many would go\n",
    .run = trim,
    .options = trim_options,
    .maximum = 0,
};
