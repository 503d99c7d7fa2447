/* SPDX-License-Identifier: BSD-3-Clause */
#include <stdio.h>
#include <string.h>
#include <sysexits.h>

#include "mupdated/store/build.h"
#include "tools/mupdatectl/dump_file.h"
#include "tools/mupdatectl/offline.h"
#include "tools/mupdatectl/output.h"
#include "tools/mupdatectl/present.h"

enum { OPTION_DRY_RUN = CTL_OWN_OPTION, OPTION_ALLOW_EMPTY };

struct loading {
    struct ctl_dump_file file;
    struct dump_header header;
    bool dry_run;
    bool allow_empty;
};

/* Whether the file that was just read, and is good, is the one that was checked before. */
static int check_same(const struct loading *loading)
{
    const struct dump_header *again = dump_reader_header(loading->file.reader);

    if (again->rows == loading->header.rows && again->sequence == loading->header.sequence &&
        again->server.len == 0 &&
        memcmp(again->history, loading->header.history, sizeof again->history) == 0)
        return 0;
    return ctl_complain(EX_DATAERR, "%s was changed while it was read", loading->file.path);
}

/* The file is read, and checked, once more: it may be another than it was a moment ago. */
static int make(void *context, const struct store_options *options)
{
    struct loading *loading = context;
    struct store_error error;
    struct store_build *build;
    struct row row;
    enum store_result result;
    int status = ctl_dump_file_begin(&loading->file, "loading");

    if (status)
        return status;
    result = store_build_begin(&build, options, loading->header.sequence, &error);
    while (result == STORE_OK && ctl_dump_file_next(&loading->file, &row, &status))
        result = store_build_row(build, &row, &error);
    ctl_progress_end(&loading->file.progress);
    if (!status && result == STORE_OK)
        status = check_same(loading);
    if (status || result != STORE_OK) {
        store_build_abandon(build);
        return status ? status : ctl_store_failed(result, &error);
    }
    result = store_build_end(build, &error);
    return result == STORE_OK ? 0 : ctl_store_failed(result, &error);
}

/* Whether the dump, which is good, may be a table. */
static int check(struct loading *loading)
{
    struct dump_header header;
    int status = ctl_dump_file_check(&loading->file, &header);

    if (status)
        return status;
    if (header.server.len)
        return ctl_complain(EX_DATAERR,
                            "%s holds the mailboxes of one server only: as a table it would lack "
                            "all others",
                            loading->file.path);
    if (header.rows == 0 && !loading->allow_empty)
        return ctl_complain(EX_DATAERR,
                            "%s holds no mailboxes at all; if that is meant, say --allow-empty",
                            loading->file.path);
    loading->header = header;
    return 0;
}

static int dry_run(struct loading *loading, const struct ctl_place *place, bool json)
{
    struct ctl_source then = ctl_dump_file_source(&loading->file);
    int status = ctl_dump_file_begin(&loading->file, NULL);

    if (!status)
        status = ctl_present_compare(place, &then, json);
    if (!status && !json)
        printf("The dump is good. This is what loading it would change; nothing was changed.\n");
    return status ? status : ctl_flush();
}

static int replace(struct loading *loading, const struct ctl_place *place, bool json)
{
    struct store_counts counts;
    int status = ctl_table_replace(place, make, loading, json, &counts);

    if (status)
        return status;
    if (json)
        return ctl_print_json(json_pack("{sIsIsb}", "rows", (json_int_t)counts.rows, "sequence",
                                        (json_int_t)loading->header.sequence, "confirmed", 0));
    printf("Loaded %llu rows; the next change will have the number %llu.\n",
           (unsigned long long)counts.rows, (unsigned long long)loading->header.sequence + 1);
    ctl_say_unconfirmed();
    return ctl_flush();
}

static int load(struct ctl *ctl, int argc, char **argv)
{
    struct loading loading = {.dry_run = false};
    struct ctl_place place;
    int option;
    int status;

    while ((option = ctl_option(ctl, argc, argv)) != CTL_END) {
        if (option == CTL_STOP)
            return ctl->status;
        if (option == OPTION_DRY_RUN)
            loading.dry_run = true;
        else
            loading.allow_empty = true;
    }
    status = ctl_place_find(&place, ctl, true);
    if (status)
        return status;
    status = ctl_dump_file_open(&loading.file, argv[optind], &place.policy);
    if (!status) {
        status = check(&loading);
        if (!status)
            status = loading.dry_run ? dry_run(&loading, &place, ctl->json)
                                     : replace(&loading, &place, ctl->json);
        ctl_dump_file_close(&loading.file);
    }
    ctl_place_free(&place);
    return status;
}

static const struct option load_options[] = {
    {"dry-run", no_argument, NULL, OPTION_DRY_RUN},
    {"allow-empty", no_argument, NULL, OPTION_ALLOW_EMPTY},
    {NULL, 0, NULL, 0},
};

const struct ctl_command ctl_load_command = {
    .name = "load",
    .arguments = "[--dry-run] [--allow-empty] FILE",
    .summary = "make a dump the table",
    .help = "Put the table of a dump (mupdatectl dump) in the place of the master's, all of it or\n"
            "nothing. The dump is checked first. mupdated must be stopped; the old table is kept\n"
            "beside the new one. The new one is not confirmed: see mupdatectl confirm --help.\n"
            "\n"
            "      --dry-run              change nothing; show how it differs from the table\n"
            "      --allow-empty          take a dump without a single mailbox\n",
    .run = load,
    .options = load_options,
    .minimum = 1,
    .maximum = 1,
};
