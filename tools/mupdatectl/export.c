/* SPDX-License-Identifier: BSD-3-Clause */
#include <stdio.h>
#include <string.h>
#include <sysexits.h>

#include "tools/mupdatectl/cyrus_writer.h"
#include "tools/mupdatectl/gather.h"
#include "tools/mupdatectl/left_out.h"
#include "tools/mupdatectl/offline.h"
#include "tools/mupdatectl/progress.h"

enum { OPTION_FORMAT = CTL_OWN_OPTION, OPTION_REPORT };

struct exporting {
    enum cyrus_form form;
    struct ctl_gather rows;
    struct ctl_output_file file;
    struct ctl_left_out left_out;
    struct ctl_progress progress;
};

static int gather(struct exporting *exporting, struct store *store)
{
    struct store_walk *walk;
    struct store_error error;
    struct row row;
    bool kept = true;
    enum store_result result = store_walk_new(&walk, store, &error);

    ctl_progress_begin(&exporting->progress, "reading", "rows", 0);
    while (kept && result == STORE_OK &&
           (result = store_walk_next(walk, &row, &error)) == STORE_OK) {
        kept = ctl_gather_add(&exporting->rows, &row, 0);
        ctl_progress_step(&exporting->progress, exporting->rows.count);
    }
    ctl_progress_end(&exporting->progress);
    store_walk_free(walk);
    if (!kept)
        return ctl_complain(EX_OSERR, "out of memory");
    return result == STORE_ABSENT ? 0 : ctl_store_failed(result, &error);
}

static int read_table(struct exporting *exporting, const struct ctl_place *place)
{
    struct ctl_table table;
    int status = ctl_table_open(place, &table);

    if (status)
        return status;
    status = gather(exporting, table.store);
    if (!status && !store_confirmed(table.store))
        (void)ctl_complain(0, "note: the table that is exported is not confirmed");
    ctl_table_close(&table);
    if (!status && !ctl_gather_sort(&exporting->rows, cyrus_writer_order(exporting->form)))
        status = ctl_complain(EX_OSERR, "out of memory");
    return status;
}

static int flush(struct exporting *exporting, struct buffer *out)
{
    if (out->failed)
        return ctl_complain(EX_OSERR, "out of memory");
    if (!ctl_output_file_write(&exporting->file, buffer_bytes(out), buffer_len(out)))
        return exporting->file.failed;
    buffer_clear(out);
    return 0;
}

static int write_row(struct exporting *exporting, struct cyrus_writer *writer,
                     const struct row *row, struct buffer *out)
{
    const char *wrong = cyrus_writer_row(writer, row, out);

    if (!wrong)
        return flush(exporting, out);
    if (wrong == cyrus_writer_no_memory)
        return ctl_complain(EX_OSERR, "out of memory");
    return ctl_left_out_add(&exporting->left_out, "the table", wrong, false, row->mupdate.name,
                            "");
}

static int write_rows(struct exporting *exporting)
{
    struct cyrus_writer writer;
    struct buffer out = {0};
    struct row row;
    uint64_t done = 0;
    int status;

    cyrus_writer_begin(&writer, exporting->form, &out);
    status = flush(exporting, &out);
    ctl_progress_begin(&exporting->progress, "writing", "rows", exporting->rows.count);
    while (!status && ctl_gather_next(&exporting->rows, &row)) {
        status = write_row(exporting, &writer, &row, &out);
        ctl_progress_step(&exporting->progress, ++done);
    }
    ctl_progress_end(&exporting->progress);
    if (!status) {
        cyrus_writer_end(&writer, &out);
        status = flush(exporting, &out);
    }
    buffer_free(&out);
    return status;
}

static int run(struct exporting *exporting, const struct ctl_place *place, const char *path)
{
    int status = ctl_output_file_open(&exporting->file, path);

    if (status)
        return status;
    ctl_gather_init(&exporting->rows);
    status = read_table(exporting, place);
    if (!status)
        status = write_rows(exporting);
    ctl_gather_free(&exporting->rows);
    return ctl_output_file_close(&exporting->file, status);
}

static int export(struct ctl *ctl, int argc, char **argv)
{
    struct exporting exporting = {.form = CYRUS_JSON};
    struct ctl_place place;
    const char *path = NULL;
    const char *report = NULL;
    int option;
    int status;

    while ((option = ctl_option(ctl, argc, argv)) != CTL_END) {
        if (option == CTL_STOP)
            return ctl->status;
        if (option == OPTION_FORMAT)
            exporting.form = cyrus_form_named(optarg);
        else if (option == OPTION_REPORT)
            report = optarg;
        else
            path = optarg;
        if (exporting.form == CYRUS_ANY)
            return ctl_complain(EX_USAGE, "--format %s: give " CYRUS_FORM_NAMES, optarg);
    }
    status = ctl_place_find(&place, ctl, false);
    if (status)
        return status;
    status = ctl_left_out_init(&exporting.left_out, report, ctl->json);
    if (!status) {
        status = run(&exporting, &place, path);
        /* The dump may go to standard output. */
        if (!status)
            ctl_left_out_print(&exporting.left_out, LEFT_OUT_REPORT, stderr);
        status = ctl_left_out_end(&exporting.left_out, status);
        ctl_left_out_free(&exporting.left_out);
        if (!status && exporting.left_out.total > 0)
            status = CTL_EXIT_FOUND;
    }
    ctl_place_free(&place);
    return status;
}

static const struct option export_options[] = {
    {"output", required_argument, NULL, 'o'},
    {"format", required_argument, NULL, OPTION_FORMAT},
    {"report", required_argument, NULL, OPTION_REPORT},
    {NULL, 0, NULL, 0},
};

const struct ctl_command ctl_export_command = {
    .name = "export",
    .arguments = "[-o FILE] [--format NAME]",
    .summary = "write the table for Cyrus's ctl_mboxlist -u",
    .help = "Write the master's table as a dump that ctl_mboxlist -u of Cyrus takes, for a\n"
            "front-end or for a MUPDATE master of Cyrus's. What Cyrus cannot hold is left out,\n"
            "counted and named; the exit status is then 1.\n"
            "\n"
            "  -o, --output FILE          write there, under another name until it is whole;\n"
            "                             only you may read it (default: standard output)\n"
            "      --format NAME          cyrus (JSON, for 3.6 and later; the default) or\n"
            "                             cyrus-text (for 2.4 to 3.4)\n"
            "      --report FILE          write there all that was left out, and why\n",
    .run = export,
    .options = export_options,
    .letters = "o:",
    .maximum = 0,
};
