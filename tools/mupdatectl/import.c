/* SPDX-License-Identifier: BSD-3-Clause */
#include "tools/mupdatectl/import.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <time.h>

#include "mupdated/store/build.h"
#include "tools/mupdatectl/offline.h"
#include "tools/mupdatectl/output.h"
#include "tools/mupdatectl/present.h"

enum {
    OPTION_DRY_RUN = CTL_OWN_OPTION,
    OPTION_ALLOW_EMPTY,
    OPTION_FORMAT,
    OPTION_FROM,
    OPTION_REPORT,
    OPTION_SERVER,
};

/* Who made a row that was imported, for the log of changes. */
static const char importer[] = "import";

static const char twice[] = "its name stands there twice: the first one is taken";

struct importing {
    struct ctl_import import;
    struct ctl_place place;
    enum cyrus_form form;
    const char *path;
    const char *report;
    bool from_server;
    bool dry_run;
    bool allow_empty;
    bool json;
};

int ctl_import_leave_out(struct ctl_import *import, uint64_t line, const char *why, bool harmless,
                         struct mupdate_text name, const char *other)
{
    char where[PATH_MAX + 32];
    const struct row unread = {.mupdate = {.state = MUPDATE_ABSENT, .name = name}};

    if (import->comparing && !harmless && name.len &&
        !ctl_gather_add(&import->unread, &unread, line))
        return ctl_complain(EX_OSERR, "out of memory");
    if (line)
        (void)snprintf(where, sizeof where, "%s:%llu", import->from, (unsigned long long)line);
    return ctl_left_out_add(&import->left_out, line ? where : import->from, why, harmless, name,
                            other);
}

int ctl_import_row(struct ctl_import *import, const struct row *row, uint64_t line)
{
    const char *why = rule_check_row(&import->policy, &row->mupdate);

    if (!why)
        return ctl_gather_add(&import->rows, row, line) ? 0
                                                        : ctl_complain(EX_OSERR, "out of memory");
    return ctl_import_leave_out(import, line, why, false, row->mupdate.name, "");
}

static bool same(const struct mupdate_row *one, const struct mupdate_row *other)
{
    return one->state == other->state && text_equal(one->location, other->location) &&
           text_equal(one->acl, other->acl);
}

static bool say_twice(void *context, const struct row *kept, uint64_t kept_line,
                      const struct row *gone, uint64_t gone_line)
{
    struct ctl_import *import = context;
    char locations[512];

    (void)snprintf(locations, sizeof locations, "%.*s of line %llu, not %.*s",
                   (int)kept->mupdate.location.len, kept->mupdate.location.data,
                   (unsigned long long)kept_line, (int)gone->mupdate.location.len,
                   gone->mupdate.location.data);
    return ctl_import_leave_out(import, gone_line, twice, same(&kept->mupdate, &gone->mupdate),
                                gone->mupdate.name, locations) == 0;
}

int ctl_import_sort(struct ctl_import *import)
{
    if (!ctl_gather_sort(&import->rows, LIST_ORDER_OCTET))
        return ctl_complain(EX_OSERR, "out of memory");
    if (ctl_gather_unite(&import->rows, say_twice, import))
        return 0;
    return import->left_out.report.failed ? import->left_out.report.failed : EX_OSERR;
}

/* --- into a table --- */

static int make(void *context, const struct store_options *options)
{
    struct ctl_import *import = context;
    struct store_error error;
    struct store_build *build;
    struct row row;
    uint64_t done = 0;
    enum store_result result =
        store_build_begin(&build, options, import->rows.count, &error);

    ctl_gather_rewind(&import->rows);
    ctl_progress_begin(&import->progress, "loading", "rows", import->rows.count);
    while (result == STORE_OK && ctl_gather_next(&import->rows, &row)) {
        row.who = (struct mupdate_text){importer, sizeof importer - 1};
        result = store_build_row(build, &row, &error);
        ctl_progress_step(&import->progress, ++done);
    }
    ctl_progress_end(&import->progress);
    if (result == STORE_OK) {
        result = store_build_end(build, &error);
        return result == STORE_OK ? 0 : ctl_store_failed(result, &error);
    }
    store_build_abandon(build);
    return ctl_store_failed(result, &error);
}

/* 1 when something is missing that may be wanted. */
static int found(const struct ctl_import *import)
{
    return ctl_left_out_wanted(&import->left_out) ? CTL_EXIT_FOUND : 0;
}

static int print_left_out(const struct importing *importing)
{
    ctl_left_out_print(&importing->import.left_out, LEFT_OUT_REPORT, stdout);
    return ctl_flush();
}

static int dry_run(struct importing *importing)
{
    struct ctl_source then = ctl_gather_source(&importing->import.rows);
    int status = ctl_present_compare(&importing->place, &then, importing->json);

    if (status)
        return status;
    if (importing->json)
        return ctl_print_json(
            json_pack("{so}", "left_out", ctl_left_out_json(&importing->import.left_out)));
    status = print_left_out(importing);
    printf("This is what the import would change; nothing was changed.\n");
    return status ? status : ctl_flush();
}

static int replace(struct importing *importing)
{
    struct ctl_import *import = &importing->import;
    struct store_counts counts;
    int status = ctl_table_replace(&importing->place, make, import, importing->json, &counts);

    if (status)
        return status;
    if (importing->json)
        return ctl_print_json(json_pack("{sIsIsbso}", "rows", (json_int_t)counts.rows, "sequence",
                                        (json_int_t)import->rows.count, "confirmed", 0,
                                        "left_out", ctl_left_out_json(&import->left_out)));
    printf("Imported %llu rows; the next change will have the number %llu.\n",
           (unsigned long long)counts.rows, (unsigned long long)import->rows.count + 1);
    status = print_left_out(importing);
    ctl_say_unconfirmed();
    return status ? status : ctl_flush();
}

/* --- from where --- */

static int complain_empty(const struct importing *importing)
{
    if (importing->import.local)
        return ctl_complain(EX_DATAERR,
                            "%s is a back-end's own dump, which does not say whose the mailboxes "
                            "are; --server NAME does",
                            importing->import.from);
    ctl_left_out_print(&importing->import.left_out, LEFT_OUT_REPORT, stderr);
    return ctl_complain(EX_DATAERR,
                        "%s holds no mailboxes at all; if that is meant, say --allow-empty",
                        importing->import.from);
}

static int read_rows(struct importing *importing, struct ctl *ctl)
{
    struct ctl_import *import = &importing->import;
    int status = importing->from_server
                     ? ctl_import_server(import, ctl)
                     : ctl_import_file(import, importing->path, importing->form);

    if (!status)
        status = ctl_import_sort(import);
    status = ctl_left_out_end(&import->left_out, status);
    if (!status && import->rows.count == 0 && !importing->allow_empty)
        status = complain_empty(importing);
    return status;
}

static int run(struct importing *importing, struct ctl *ctl)
{
    struct ctl_import *import = &importing->import;
    struct timespec now;
    int status = importing->dry_run ? 0 : ctl_table_check_idle(&importing->place);

    if (status)
        return status;
    status = ctl_left_out_init(&import->left_out, importing->report, importing->json);
    if (status)
        return status;
    clock_gettime(CLOCK_REALTIME, &now);
    import->now_us = (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
    import->policy = importing->place.policy;
    ctl_gather_init(&import->rows);
    status = read_rows(importing, ctl);
    if (!status)
        status = importing->dry_run ? dry_run(importing) : replace(importing);
    ctl_gather_free(&import->rows);
    buffer_free(&import->location);
    ctl_left_out_free(&import->left_out);
    return status ? status : found(import);
}

/* --- options --- */

static int take_option(struct importing *importing, struct ctl *ctl, int option)
{
    switch (option) {
    case OPTION_DRY_RUN:
        importing->dry_run = true;
        return 0;
    case OPTION_ALLOW_EMPTY:
        importing->allow_empty = true;
        return 0;
    case OPTION_FORMAT:
        importing->form = cyrus_form_named(optarg);
        return importing->form != CYRUS_ANY
                   ? 0
                   : ctl_complain(EX_USAGE, "--format %s: give " CYRUS_FORM_NAMES, optarg);
    case OPTION_FROM:
        importing->from_server = true;
        return ctl_host(ctl, "--from", optarg);
    case OPTION_REPORT:
        importing->report = optarg;
        return 0;
    default:
        importing->import.server = optarg;
        return *optarg && !strpbrk(optarg, "! \t\r\n")
                   ? 0
                   : ctl_complain(EX_USAGE, "--server: give the name of a back-end");
    }
}

static int check_source(struct importing *importing, int argc, char **argv)
{
    if (importing->from_server == (optind < argc))
        return ctl_complain(EX_USAGE, "import: give a FILE, or --from HOST; see mupdatectl "
                                      "import --help");
    if (importing->from_server && (importing->form != CYRUS_ANY || importing->import.server))
        return ctl_complain(EX_USAGE, "--format and --server are for a file, not for --from");
    importing->path = importing->from_server ? NULL : argv[optind];
    return 0;
}

static int import(struct ctl *ctl, int argc, char **argv)
{
    struct importing importing = {.json = false};
    int option;
    int status = 0;

    while (!status && (option = ctl_option(ctl, argc, argv)) != CTL_END) {
        if (option == CTL_STOP)
            return ctl->status;
        status = take_option(&importing, ctl, option);
    }
    if (!status)
        status = check_source(&importing, argc, argv);
    if (status)
        return status;
    importing.json = ctl->json;
    status = ctl_place_find(&importing.place, ctl, true);
    if (status)
        return status;
    status = run(&importing, ctl);
    ctl_place_free(&importing.place);
    return status;
}

static const struct option import_options[] = {
    {"dry-run", no_argument, NULL, OPTION_DRY_RUN},
    {"allow-empty", no_argument, NULL, OPTION_ALLOW_EMPTY},
    {"format", required_argument, NULL, OPTION_FORMAT},
    {"from", required_argument, NULL, OPTION_FROM},
    {"report", required_argument, NULL, OPTION_REPORT},
    {"server", required_argument, NULL, OPTION_SERVER},
    {NULL, 0, NULL, 0},
};

const struct ctl_command ctl_import_command = {
    .name = "import",
    .arguments = "[OPTION ...] FILE | --from HOST",
    .summary = "make a table of what Cyrus has",
    .help = "Put the mailbox list of Cyrus in the place of the master's table, all of it or\n"
            "nothing: FILE is what ctl_mboxlist -d printed on a MUPDATE master, a front-end or a\n"
            "back-end (\"-\": standard input). mupdated must be stopped; the old table is kept\n"
            "beside the new one. The new one is not confirmed: see mupdatectl confirm --help.\n"
            "What is not a mailbox, or cannot be taken, is left out, counted and named.\n"
            "\n"
            "      --from HOST[:PORT][/tls]\n"
            "                             instead of a file: ask a MUPDATE master, Cyrus's or\n"
            "                             mupdated; log in by the options below\n"
            "      --server NAME          whose the mailboxes are that FILE has no server for:\n"
            "                             the back-end that it comes from\n"
            "      --format NAME          cyrus-json (3.6 and later) or cyrus-text (up to 3.4);\n"
            "                             default: as the file begins\n"
            "      --report FILE          write there all that was left out, and why\n"
            "      --dry-run              change nothing; show how it differs from the table\n"
            "      --allow-empty          take it without a single mailbox\n"
            "\n"
            "The exit status is 1 when something was left out that may be a mailbox.\n",
    .run = import,
    .options = import_options,
    .maximum = 1,
};
