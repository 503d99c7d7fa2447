/* SPDX-License-Identifier: BSD-3-Clause */
#include "mupdated/store/verify.h"

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "mupdated/dump/header.h"
#include "mupdated/store/agree.h"
#include "mupdated/store/meta.h"
#include "mupdated/store/private.h"
#include "mupdated/store/records.h"
#include "mupdated/store/wal.h"

enum { ROWS, CHANGES, META, DATABASES };

static const char *const databases[DATABASES] = {FORMAT_ROWS, FORMAT_CHANGES, FORMAT_META};

struct verify {
    const struct verify_options *options;
    struct verify_summary *summary;
    struct store_error *error;
    struct records records[DATABASES];
    bool open[DATABASES];
    bool recovered;
    uint64_t done;  /* pages */
    uint64_t total;
    uint64_t begun; /* done when the reading of a database began */
    struct meta meta;
    uint64_t next;        /* the change that must come now; 0: any */
    uint64_t term;        /* of the last change */
    bool last_is_unknown; /* the end of the log of changes cannot be read */
    bool row_is_left_out; /* one at least: it is not known what all rows are */
    struct agree *agree;
    int code;             /* why a callback stopped */
};

const char *verify_kind_name(enum verify_kind kind)
{
    static const char *const names[] = {"file",     "log",    "recovery", "page",     "structure",
                                        "identity", "record", "rule",     "sequence", "agreement"};

    return names[kind];
}

/* --- findings --- */

static void found(struct verify *verify, const struct verify_finding *finding)
{
    verify->summary->findings++;
    verify->options->found(verify->options->context, finding);
}

__attribute__((format(printf, 4, 5))) static void tell(struct verify *verify, enum verify_kind kind,
                                                      const char *file, const char *format, ...)
{
    char text[512];
    va_list arguments;

    va_start(arguments, format);
    (void)vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    found(verify, &(struct verify_finding){.kind = kind, .file = file, .text = text});
}

static void tell_row(struct verify *verify, enum verify_kind kind, struct mupdate_text name,
                    const char *text)
{
    found(verify, &(struct verify_finding){
                      .kind = kind, .file = FORMAT_ROWS, .name = name, .text = text});
}

static void tell_change(struct verify *verify, enum verify_kind kind, struct mupdate_text name,
                       uint64_t sequence, const char *text)
{
    found(verify, &(struct verify_finding){.kind = kind,
                                           .file = FORMAT_CHANGES,
                                           .name = name,
                                           .sequence = sequence,
                                           .text = text});
}

static char *path_of(const struct verify *verify, const char *name)
{
    char *path;

    return asprintf(&path, "%s/%s", verify->options->directory, name) < 0 ? NULL : path;
}

/* --- files and pages --- */

static void step(struct verify *verify)
{
    verify->done++;
    if (verify->options->progress)
        verify->options->progress(verify->options->context, verify->done,
                                  verify->total > verify->done ? verify->total : verify->done);
}

static void on_raw_page(void *context, const struct page *page)
{
    (void)page;
    step(context);
}

static void on_page(void *context, const struct page *page)
{
    struct verify *verify = context;
    const char *name = NULL;

    step(verify);
    if (page->kind != PAGE_DAMAGED)
        return;
    for (int i = 0; i < DATABASES; i++)
        if (page == &verify->records[i].page)
            name = databases[i];
    tell(verify, VERIFY_PAGE, name, "page %" PRIu32 ": %s", page->number, page->wrong);
}

/* Open the files; their pages are told of when it is for good. */
static int open_files(struct verify *verify, bool for_good)
{
    for (int i = 0; i < DATABASES; i++) {
        char *path = path_of(verify, databases[i]);
        int code = path ? records_open(&verify->records[i], path,
                                       for_good ? on_page : on_raw_page, verify)
                        : ENOMEM;

        free(path);
        if (code == ENOMEM)
            return code;
        verify->open[i] = code == 0;
        if (for_good && code != 0)
            tell(verify, VERIFY_FILE, databases[i], "%s",
                code == ENOENT ? "it is missing" : strerror(code));
        else if (for_good && verify->records[i].file.pages == 0)
            tell(verify, VERIFY_FILE, databases[i], "it is empty");
        else if (for_good && verify->records[i].damaged == 0 && !verify->records[i].whole)
            tell(verify, VERIFY_STRUCTURE, databases[i], "pages with records are missing");
    }
    return 0;
}

static void close_files(struct verify *verify)
{
    for (int i = 0; i < DATABASES; i++) {
        if (verify->open[i])
            records_close(&verify->records[i]);
        verify->open[i] = false;
    }
}

static void on_structure(void *context, const char *file, const char *text)
{
    tell(context, VERIFY_STRUCTURE, file, "%s", text);
}

/* Berkeley DB's own look stops at the first bad page: where there is one it has no more to say. */
static int check_structure(struct verify *verify)
{
    for (int i = 0; i < DATABASES; i++) {
        char *path;

        if (!verify->open[i] || verify->records[i].damaged || !verify->records[i].whole)
            continue;
        path = path_of(verify, databases[i]);
        if (!path)
            return ENOMEM;
        (void)store_verify_file(path, databases[i], on_structure, verify);
        free(path);
    }
    return 0;
}

/* --- Berkeley DB's log --- */

static void tell_log(struct verify *verify, const struct wal *wal)
{
    char file[32];

    if (wal->state == WAL_NONE) {
        tell(verify, VERIFY_LOG, "log.*", "%s", wal_state_text(wal->state));
        return;
    }
    (void)snprintf(file, sizeof file, "log.%010" PRIu32, wal->at.file);
    if (wal->state == WAL_GAP || wal->code != 0)
        tell(verify, VERIFY_LOG, file, "%s",
            wal->code != 0 ? strerror(wal->code) : wal_state_text(wal->state));
    else
        tell(verify, VERIFY_LOG, file, "octet %" PRIu32 ": %s", wal->at.offset,
            wal_state_text(wal->state));
}

/* Nothing on a page may be from behind the end of the log, which is always written first. */
static void check_places(struct verify *verify, const struct wal *wal)
{
    for (int i = 0; i < DATABASES; i++) {
        struct page_place place = verify->open[i] ? verify->records[i].place : wal->end;

        if (wal->end.file && place.file && !page_place_before(place, wal->end) &&
            verify->open[i])
            tell(verify, VERIFY_LOG, databases[i],
                "it holds what was logged at %" PRIu32 "/%" PRIu32
                ", and the log ends at %" PRIu32 "/%" PRIu32 ": the end of the log is lost",
                place.file, place.offset, wal->end.file, wal->end.offset);
    }
}

/* Before recovery, which makes an end of the log where it finds one. */
static int check_log(struct verify *verify)
{
    struct wal wal;
    int code = wal_read(&wal, verify->options->directory, true);

    if (code == 0)
        code = open_files(verify, false);
    if (code != 0)
        return code;
    verify->summary->torn = wal.torn;
    /* The last file of a copy of a table in use was being written to. */
    if (wal.state != WAL_GOOD && !(verify->options->hot && wal.at.file == wal.last))
        tell_log(verify, &wal);
    check_places(verify, &wal);
    close_files(verify);
    return 0;
}

static void recover(struct verify *verify)
{
    struct store_error error;

    verify->recovered =
        work_recover(verify->options->directory, verify->options->hot, &error) == STORE_OK;
    if (!verify->recovered)
        tell(verify, VERIFY_RECOVERY, "log.*", "Berkeley DB cannot recover the table: %s",
            error.reason);
}

/* --- meta.db --- */

static bool on_meta(void *context, struct mupdate_text key, struct mupdate_text value,
                    const char *wrong)
{
    struct verify *verify = context;
    char quoted[80];

    if (!wrong)
        wrong = meta_take(&verify->meta, key, value);
    if (wrong)
        tell(verify, VERIFY_IDENTITY, FORMAT_META, "%s: %s",
            store_quote(key, quoted, sizeof quoted), wrong);
    return true;
}

/* Whether the files are this table's. */
static void check_files(struct verify *verify)
{
    const unsigned char *known[] = {verify->meta.rows_file, verify->meta.changes_file};
    bool foreign[] = {false, false};

    for (int i = ROWS; i <= CHANGES; i++) {
        unsigned char id[PAGE_FILE_ID_BYTES];

        foreign[i] = verify->open[i] && page_file_id(&verify->records[i].file, id) &&
                     !meta_is_file(known[i], id);
    }
    if (foreign[ROWS] && foreign[CHANGES]) {
        tell(verify, VERIFY_IDENTITY, databases[META],
             "it is of another table than " FORMAT_ROWS " and " FORMAT_CHANGES);
        return;
    }
    for (int i = ROWS; i <= CHANGES; i++)
        if (foreign[i])
            tell(verify, VERIFY_IDENTITY, databases[i], "it is of another table");
}

static enum store_result check_meta(struct verify *verify)
{
    struct verify_summary *summary = verify->summary;
    const char *lacks;

    meta_begin(&verify->meta);
    if (verify->open[META])
        verify->code = records_read(&verify->records[META], on_meta, NULL, verify);
    lacks = meta_lacks(&verify->meta);
    if (lacks && verify->open[META])
        tell(verify, VERIFY_IDENTITY, FORMAT_META, "%s", lacks);
    summary->identified = verify->open[META] && !lacks;
    check_files(verify);
    summary->format = verify->meta.format;
    summary->confirmed = summary->identified && verify->meta.confirmed;
    summary->base = verify->meta.base;
    summary->position.term = verify->meta.term;
    memcpy(summary->position.history, verify->meta.history, STORE_HISTORY_BYTES);
    if (summary->format <= FORMAT_VERSION)
        return STORE_OK;
    (void)snprintf(verify->error->text, sizeof verify->error->text,
                   "the table has format %" PRIu32
                   ", this program reads up to %d: use the newer program",
                   summary->format, FORMAT_VERSION);
    return STORE_NEWER;
}

/* --- the log of changes --- */

static bool on_disagreement(void *context, enum agree_about about, struct mupdate_text name,
                            uint64_t sequence, const char *wrong)
{
    struct verify *verify = context;

    if (about == AGREE_ROWS)
        tell(verify, VERIFY_AGREEMENT, FORMAT_ROWS, "%s", wrong);
    else if (about == AGREE_ROW)
        tell_row(verify, VERIFY_AGREEMENT, name, wrong);
    else
        tell_change(verify, VERIFY_AGREEMENT, name, sequence, wrong);
    return true;
}

static bool stop(struct verify *verify, int code)
{
    verify->code = code;
    return code == 0;
}

static const struct mupdate_text no_name;

static bool begin_agreement(struct verify *verify, uint64_t first)
{
    struct digest begin;
    bool is_told = meta_digest(&verify->meta, &begin);

    verify->summary->position.first = first;
    verify->agree = agree_new(first, is_told ? &begin : NULL, on_disagreement, verify);
    return verify->agree;
}

/* The changes from the one that must come now up to this one are missing. */
static bool note_missing(struct verify *verify, uint64_t to)
{
    char text[100];

    if (verify->next == to)
        (void)snprintf(text, sizeof text, "it is missing");
    else
        (void)snprintf(text, sizeof text, "it and those up to %" PRIu64 " are missing", to);
    tell_change(verify, VERIFY_SEQUENCE, no_name, verify->next, text);
    return stop(verify, agree_gap(verify->agree, verify->next, to));
}

/* Records are read: the leaves that were begun count. */
static void step_to(struct verify *verify, int which)
{
    verify->done = verify->begun + verify->records[which].leaves_read - 1;
    step(verify);
}

static bool on_change(void *context, struct mupdate_text key, struct mupdate_text value,
                      const char *wrong)
{
    struct verify *verify = context;
    struct change change = {0};
    uint64_t sequence;

    step_to(verify, CHANGES);
    if (key.len != 8 || format_get_u64((const unsigned char *)key.data) == 0) {
        tell(verify, VERIFY_RECORD, FORMAT_CHANGES, "%s",
            wrong ? wrong : "the key of a record is not a sequence number");
        return true;
    }
    sequence = format_get_u64((const unsigned char *)key.data);
    change.now.sequence = sequence;
    if (!verify->agree) {
        verify->next = sequence;
        if (!begin_agreement(verify, sequence))
            return stop(verify, ENOMEM);
        if (verify->summary->identified && sequence <= verify->summary->base)
            tell_change(verify, VERIFY_AGREEMENT, no_name, sequence,
                       "it is from before the table was loaded");
    }
    if (sequence > verify->next && !note_missing(verify, sequence - 1))
        return false;
    verify->next = sequence + 1;
    verify->summary->position.last = sequence;
    if (!wrong)
        wrong = format_decode_change(value.data, value.len, &change);
    if (wrong) {
        tell_change(verify, VERIFY_RECORD, no_name, sequence, wrong);
        return stop(verify, agree_gap(verify->agree, sequence, sequence));
    }
    verify->summary->changes++;
    if (change.term > verify->term)
        verify->term = change.term;
    return stop(verify, agree_change(verify->agree, &change));
}

static void on_changes_gap(void *context, struct mupdate_text after, struct mupdate_text before)
{
    struct verify *verify = context;

    (void)after;
    /* Between two changes the numbers tell. */
    if (before.len != 0)
        return;
    verify->last_is_unknown = true;
    tell(verify, VERIFY_SEQUENCE, FORMAT_CHANGES,
        "the end of the log of changes cannot be read; %" PRIu64 " is the last one that can",
        verify->summary->position.last);
}

static int check_changes(struct verify *verify)
{
    struct verify_summary *summary = verify->summary;
    int code = 0;

    summary->position.last = summary->base;
    verify->begun = verify->done;
    if (verify->open[CHANGES] && verify->records[CHANGES].file.pages)
        code = records_read(&verify->records[CHANGES], on_change, on_changes_gap, verify);
    else
        verify->last_is_unknown = true;
    if (code == ECANCELED)
        return verify->code;
    if (code == 0 && !verify->agree)
        (void)begin_agreement(verify, summary->base + 1);
    if (!verify->agree)
        return ENOMEM;
    if (code == 0 && verify->last_is_unknown)
        code = agree_gap(verify->agree, summary->position.last + 1, UINT64_MAX);
    if (summary->identified && verify->term > summary->position.term)
        tell(verify, VERIFY_AGREEMENT, FORMAT_META,
            "the term is %" PRIu64 ", and the log of changes has one of %" PRIu64,
            summary->position.term, verify->term);
    return code;
}

/* --- rows --- */

static bool on_row(void *context, struct mupdate_text key, struct mupdate_text value,
                   const char *wrong)
{
    struct verify *verify = context;
    struct row row = {.mupdate.name = key};

    step_to(verify, ROWS);
    if (!wrong)
        wrong = key.len == 0 ? "its name is empty"
                             : format_decode_row(value.data, value.len, &row);
    if (wrong) {
        verify->row_is_left_out = true;
        tell_row(verify, VERIFY_RECORD, key, wrong);
        return true;
    }
    verify->summary->rows++;
    wrong = rule_check_row(verify->options->policy, &row.mupdate);
    if (!wrong && row.who.len > DUMP_WHO_BYTES)
        wrong = "the name of who made it is too long";
    if (wrong)
        tell_row(verify, VERIFY_RULE, key, wrong);
    if (row.sequence > verify->summary->position.last && !verify->last_is_unknown) {
        verify->row_is_left_out = true;
        tell_row(verify, VERIFY_AGREEMENT, key, "its sequence number is not in the log of changes");
        return true;
    }
    return stop(verify, agree_row(verify->agree, &row));
}

static void on_rows_gap(void *context, struct mupdate_text after, struct mupdate_text before)
{
    char begin[120];
    char end[120];

    tell(context, VERIFY_PAGE, FORMAT_ROWS, "rows may be lost %s%s%s%s",
        after.len ? "behind " : "from the begin", store_quote(after, begin, sizeof begin),
        before.len ? " up to " : "", store_quote(before, end, sizeof end));
}

static int check_rows(struct verify *verify)
{
    struct records *rows = &verify->records[ROWS];
    int code;

    if (!verify->open[ROWS] || rows->file.pages == 0)
        return 0;
    verify->begun = verify->done;
    code = records_read(rows, on_row, on_rows_gap, verify);
    if (code == ECANCELED)
        code = verify->code;
    if (code == 0 && rows->whole)
        code = agree_missing(verify->agree);
    if (code == 0 && rows->whole && !verify->row_is_left_out)
        code = agree_digest(verify->agree);
    return code;
}

/* --- */

static enum store_result refuse(struct store_error *error, int code)
{
    (void)snprintf(error->reason, sizeof error->reason, "%s", strerror(code));
    (void)snprintf(error->text, sizeof error->text, "cannot verify the table: %s", strerror(code));
    error->again = false;
    return STORE_REFUSED;
}

/* Whether there is anything of a table; and how many pages there are to be looked at. */
static bool is_table(struct verify *verify)
{
    bool is = false;

    struct wal wal;

    for (int i = 0; i < DATABASES; i++) {
        char *path = path_of(verify, databases[i]);
        struct stat status;
        bool there = path && lstat(path, &status) == 0;

        free(path);
        is = is || there;
        /* As they are, after the recovery, and for their records. */
        verify->total += there ? 3 * ((uint64_t)status.st_size / PAGE_BYTES) : 0;
    }
    return is || wal_read(&wal, verify->options->directory, false) != 0 || wal.last != 0;
}

static void tell_unread(struct verify *verify)
{
    const struct work_unread *unread = verify->options->unread;

    if (unread && unread->octets)
        tell(verify, VERIFY_FILE, unread->file,
            "the disk cannot read all of it: %" PRIu64 " octets", unread->octets);
}

static enum store_result look(struct verify *verify)
{
    enum store_result result;
    int code = check_log(verify);

    tell_unread(verify);

    if (code == 0) {
        recover(verify);
        code = open_files(verify, true);
    }
    if (code == 0)
        code = check_structure(verify);
    if (code != 0)
        return refuse(verify->error, code);
    result = check_meta(verify);
    if (result != STORE_OK)
        return result;
    code = verify->code;
    if (code == 0)
        code = check_changes(verify);
    if (code == 0)
        code = check_rows(verify);
    return code == 0 ? STORE_OK : refuse(verify->error, code);
}

enum store_result store_verify(const struct verify_options *options,
                               struct verify_summary *summary, struct store_error *error)
{
    struct verify verify = {.options = options, .summary = summary, .error = error};
    enum store_result result;

    memset(summary, 0, sizeof *summary);
    memset(error, 0, sizeof *error);
    if (!is_table(&verify)) {
        (void)snprintf(error->text, sizeof error->text, "there is no table");
        return STORE_ABSENT;
    }
    result = look(&verify);
    close_files(&verify);
    agree_free(verify.agree);
    return result;
}
