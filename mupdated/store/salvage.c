/* SPDX-License-Identifier: BSD-3-Clause */
#include "mupdated/store/salvage.h"

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "mupdated/store/private.h"
#include "mupdated/store/records.h"
#include "mupdated/store/wal.h"
#include "mupdated/store/work.h"

enum { ROWS, CHANGES, META, DATABASES };

static const char *const databases[DATABASES] = {FORMAT_ROWS, FORMAT_CHANGES, FORMAT_META};
static const unsigned parts[DATABASES] = {WORK_ROWS, WORK_CHANGES, WORK_META};

/* Where a database is read. */
struct source {
    const char *directory;
    bool recovered;
};

__attribute__((format(printf, 3, 4))) static void tell(const struct salvage *salvage, bool lost,
                                                      const char *format, ...)
{
    char text[768];
    va_list arguments;

    va_start(arguments, format);
    (void)vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    salvage->said(salvage->context, lost, text);
}

static enum store_result refuse(struct store_error *error, int code)
{
    (void)snprintf(error->reason, sizeof error->reason, "%s", strerror(code));
    (void)snprintf(error->text, sizeof error->text, "cannot read what is left of the table: %s",
                   strerror(code));
    error->again = false;
    return STORE_REFUSED;
}

bool salvage_list_add(struct salvage_list *list, const struct change *change)
{
    if (list->count == list->size) {
        size_t size = list->size ? 2 * list->size : 1024;
        struct change **larger = realloc(list->changes, size * sizeof(struct change *));

        if (!larger)
            return false;
        list->changes = larger;
        list->size = size;
    }
    list->changes[list->count] = change_copy(change);
    if (!list->changes[list->count])
        return false;
    list->count++;
    return true;
}

static bool add(struct salvage *salvage, struct salvage_list *list, const struct change *change)
{
    if (salvage->progress)
        salvage->progress(salvage->context, "reading",
                          salvage->rows.count + salvage->changes.count, 0);
    if (!salvage_list_add(list, change))
        salvage->code = ENOMEM;
    return salvage->code == 0;
}

static void list_free(struct salvage_list *list)
{
    for (size_t i = 0; i < list->count; i++)
        free(list->changes[i]);
    free(list->changes);
    memset(list, 0, sizeof *list);
}

void salvage_free(struct salvage *salvage)
{
    list_free(&salvage->rows);
    list_free(&salvage->changes);
}

/* --- what there is --- */

static int open_database(const char *directory, int which, struct records *records)
{
    char *path;
    int code;

    if (asprintf(&path, "%s/%s", directory, databases[which]) < 0)
        return ENOMEM;
    code = records_open(records, path, NULL, NULL);
    free(path);
    return code;
}

/*
 * Which databases have nothing wrong on any page; and the last place in the log that a page
 * names. Returns 0 or ENOMEM.
 */
static int look_at_pages(const char *directory, unsigned *good, struct page_place *last)
{
    *good = 0;
    *last = (struct page_place){0, 0};
    for (int i = 0; i < DATABASES; i++) {
        struct records records;
        int code = open_database(directory, i, &records);

        if (code == ENOMEM)
            return code;
        if (code != 0)
            continue;
        if (records.damaged == 0 && records.whole)
            *good |= parts[i];
        if (page_place_before(*last, records.place))
            *last = records.place;
        records_close(&records);
    }
    return 0;
}

/* Whether the log lacks nothing that recovery needs. */
static bool log_is_whole(const struct salvage *salvage, const struct wal *wal,
                         struct page_place last)
{
    if (wal->state == WAL_NONE) {
        tell(salvage, true, "Berkeley DB's log is missing: changes may be lost");
        return false;
    }
    if (wal->state != WAL_GOOD &&
        (wal->needed.file == 0 || !page_place_before(wal->at, wal->needed))) {
        tell(salvage, true, "Berkeley DB's log: log.%010" PRIu32 ": %s: changes may be lost",
            wal->at.file, wal_state_text(wal->state));
        return false;
    }
    if (last.file && !page_place_before(last, wal->end)) {
        tell(salvage, true,
            "Berkeley DB's log ends at %" PRIu32 "/%" PRIu32 ", and pages are from %" PRIu32
            "/%" PRIu32 ": changes are lost",
            wal->end.file, wal->end.offset, last.file, last.offset);
        return false;
    }
    return true;
}

/* --- from where --- */

/* Recover a copy of these parts. 0 when that worked, else an errno code; ENOTRECOVERABLE. */
static int recover(const struct salvage *salvage, unsigned wanted, bool all,
                   struct store_error *error)
{
    int code = work_clear(salvage->work);

    if (code != 0)
        return code;
    if (work_copy(salvage->directory, salvage->work, wanted, NULL, NULL, NULL, error) != STORE_OK)
        return ECANCELED;
    return work_recover(salvage->work, all, error) == STORE_OK ? 0 : ENOTRECOVERABLE;
}

static void use(struct source *sources, unsigned which, const char *directory, bool recovered)
{
    for (int i = 0; i < DATABASES; i++)
        if (parts[i] & which)
            sources[i] = (struct source){directory, recovered};
}

/*
 * The log from its first file on, if there is all of it, makes all files anew. Else what recovery
 * makes of all files, or of those without a bad page; the others as they are.
 */
static int choose_sources(struct salvage *salvage, const struct wal *wal, struct source *sources,
                          struct store_error *error)
{
    unsigned all = WORK_ROWS | WORK_CHANGES | WORK_META;
    unsigned good;
    struct page_place last;
    int code = look_at_pages(salvage->directory, &good, &last);

    if (code != 0)
        return code;
    salvage->log_is_whole = log_is_whole(salvage, wal, last);
    use(sources, all, salvage->directory, false);
    if (good != all && salvage->log_is_whole && wal->state == WAL_GOOD && wal->first == 1 &&
        (code = recover(salvage, WORK_LOG, true, error)) != ENOTRECOVERABLE) {
        if (code == 0)
            code = look_at_pages(salvage->work, &good, &last);
        if (code != 0)
            return code;
        if (good == all) {
            use(sources, all, salvage->work, true);
            tell(salvage, false, "all files are made anew from Berkeley DB's log, which reaches "
                                "back to when the table was made");
            return 0;
        }
        code = look_at_pages(salvage->directory, &good, &last);
        if (code != 0)
            return code;
    }
    code = recover(salvage, WORK_ALL, false, error);
    if (code == 0) {
        use(sources, all, salvage->work, true);
        return 0;
    }
    if (code == ENOTRECOVERABLE && good != 0 && good != all) {
        code = recover(salvage, good | WORK_LOG, false, error);
        if (code == 0)
            use(sources, good, salvage->work, true);
    }
    if (code == ENOTRECOVERABLE)
        tell(salvage, true, "Berkeley DB cannot recover the table: %s", error->reason);
    return code == ENOTRECOVERABLE ? 0 : code;
}

/* --- records --- */

static bool on_meta(void *context, struct mupdate_text key, struct mupdate_text value,
                    const char *wrong)
{
    struct salvage *salvage = context;
    char quoted[160];

    if (!wrong)
        wrong = meta_take(&salvage->meta, key, value);
    /* What it should say may be that the table is not confirmed, or is another's. */
    if (wrong) {
        salvage->identified = false;
        tell(salvage, true, FORMAT_META ": record %s is not used: %s",
            store_quote(key, quoted, sizeof quoted), wrong);
    }
    return true;
}

static bool on_change(void *context, struct mupdate_text key, struct mupdate_text value,
                      const char *wrong)
{
    struct salvage *salvage = context;
    struct change change = {0};
    uint64_t sequence = key.len == 8 ? format_get_u64((const unsigned char *)key.data) : 0;

    if (sequence == 0 || sequence == UINT64_MAX)
        return true;
    if (wrong || format_decode_change(value.data, value.len, &change) ||
        rule_check_name(salvage->policy, change.now.mupdate.name) ||
        (change.now.mupdate.state != MUPDATE_ABSENT &&
         rule_check_row(salvage->policy, &change.now.mupdate))) {
        /* The numbers tell that one is missing, but for the last. */
        if (sequence > salvage->unread)
            salvage->unread = sequence;
        return true;
    }
    change.now.sequence = sequence;
    return add(salvage, &salvage->changes, &change);
}

static void on_changes_gap(void *context, struct mupdate_text after, struct mupdate_text before)
{
    struct salvage *salvage = context;

    (void)after;
    if (before.len == 0)
        salvage->end_is_known = false;
}

static bool on_row(void *context, struct mupdate_text key, struct mupdate_text value,
                   const char *wrong)
{
    struct salvage *salvage = context;
    struct change change = {.now = {.mupdate.name = key}};
    char quoted[160];

    if (!wrong)
        wrong = key.len == 0 ? "its name is empty"
                             : format_decode_row(value.data, value.len, &change.now);
    if (!wrong)
        wrong = rule_check_row(salvage->policy, &change.now.mupdate);
    if (wrong) {
        salvage->rows_are_whole = false;
        tell(salvage, false, "row %s is not used: %s", store_quote(key, quoted, sizeof quoted),
            wrong);
        return true;
    }
    return add(salvage, &salvage->rows, &change);
}

static void on_rows_gap(void *context, struct mupdate_text after, struct mupdate_text before)
{
    struct salvage *salvage = context;
    char begin[160];
    char end[160];

    salvage->rows_are_whole = false;
    tell(salvage, false, "pages with rows cannot be read: %s%s%s%s",
        after.len ? "behind " : "from the begin", store_quote(after, begin, sizeof begin),
        before.len ? " up to " : " to the end", store_quote(before, end, sizeof end));
}

/* Nothing of a file of another table is believed. */
static bool is_foreign(const struct salvage *salvage, const struct records *records, int which)
{
    unsigned char id[PAGE_FILE_ID_BYTES];

    return (which == ROWS || which == CHANGES) && page_file_id(&records->file, id) &&
           !meta_is_file(which == ROWS ? salvage->meta.rows_file : salvage->meta.changes_file, id);
}

/* Whether neither of the other two is its table's, which are more likely to be right. */
static bool meta_is_foreign(const struct salvage *salvage, const struct source *sources)
{
    for (int i = ROWS; i <= CHANGES; i++) {
        struct records records;
        bool foreign;

        if (open_database(sources[i].directory, i, &records) != 0)
            return false;
        foreign = is_foreign(salvage, &records, i);
        records_close(&records);
        if (!foreign)
            return false;
    }
    return true;
}

/* Read one database. *whole: it was recovered, and no page with records is missing. */
static int read_database(struct salvage *salvage, const struct source *source, int which,
                         records_record *record, records_gap *gap, bool *whole)
{
    struct records records;
    int code = open_database(source->directory, which, &records);

    *whole = false;
    if (code == ENOMEM)
        return code;
    if (code != 0) {
        tell(salvage, false, "%s cannot be read: %s", databases[which],
            code == ENOENT ? "it is missing" : strerror(code));
        return 0;
    }
    if (is_foreign(salvage, &records, which)) {
        tell(salvage, true, "%s is of another table, and is not used", databases[which]);
        records_close(&records);
        return 0;
    }
    *whole = source->recovered && records.whole;
    if (records.damaged)
        tell(salvage, false, "%s: %" PRIu64 " pages are damaged", databases[which],
            records.damaged);
    code = records_read(&records, record, gap, salvage);
    records_close(&records);
    return code == ECANCELED ? salvage->code : code;
}

static int compare_sequences(const void *a, const void *b)
{
    const struct change *left = *(struct change *const *)a;
    const struct change *right = *(struct change *const *)b;

    return (left->now.sequence > right->now.sequence) - (left->now.sequence < right->now.sequence);
}

static int read_databases(struct salvage *salvage, const struct source *sources)
{
    struct salvage_list *changes = &salvage->changes;
    bool whole;
    int code;

    salvage->identified = true;
    code = read_database(salvage, &sources[META], META, on_meta, NULL, &whole);
    if (code == 0 && meta_is_foreign(salvage, sources)) {
        tell(salvage, true, FORMAT_META " is of another table than " FORMAT_ROWS " and "
                            FORMAT_CHANGES ", and is not used");
        meta_begin(&salvage->meta);
        whole = false;
    }
    salvage->identified = salvage->identified && whole && !meta_lacks(&salvage->meta);
    if (!salvage->identified)
        tell(salvage, true, FORMAT_META " does not tell which table it is");
    if (code == 0) {
        salvage->end_is_known = true;
        code = read_database(salvage, &sources[CHANGES], CHANGES, on_change, on_changes_gap,
                             &whole);
        /*
         * Where recovery could not finish the last changes may be on no page yet; and an empty log
         * ends at the number that the table was loaded with, which only meta tells.
         */
        if (!sources[CHANGES].recovered ||
            (changes->count == 0 && !(whole && salvage->identified)))
            salvage->end_is_known = false;
        if (changes->count)
            qsort(changes->changes, changes->count, sizeof(struct change *),
                  compare_sequences);
        if (salvage->unread >
            (changes->count ? changes->changes[changes->count - 1]->now.sequence : 0))
            salvage->end_is_known = false;
    }
    if (code == 0) {
        salvage->rows_are_whole = true;
        code = read_database(salvage, &sources[ROWS], ROWS, on_row, on_rows_gap, &whole);
        salvage->rows_are_whole = salvage->rows_are_whole && whole;
    }
    return code;
}

enum store_result salvage_read(struct salvage *salvage, struct store_error *error)
{
    struct source sources[DATABASES];
    struct wal wal;
    int code = wal_read(&wal, salvage->directory, true);

    memset(error, 0, sizeof *error);
    meta_begin(&salvage->meta);
    if (code == 0)
        code = choose_sources(salvage, &wal, sources, error);
    if (code == 0)
        code = read_databases(salvage, sources);
    if (code != 0) {
        salvage_free(salvage);
        return code == ECANCELED ? STORE_REFUSED : refuse(error, code);
    }
    if (salvage->meta.format <= FORMAT_VERSION)
        return STORE_OK;
    salvage_free(salvage);
    (void)snprintf(error->text, sizeof error->text,
                   "the table has format %" PRIu32
                   ", this program reads up to %d: use the newer program",
                   salvage->meta.format, FORMAT_VERSION);
    return STORE_NEWER;
}
