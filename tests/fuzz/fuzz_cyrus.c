/*
 * Dumps of Cyrus's: their reader hears anything, in each form and in the form that it takes it
 * for; and rows made of the text are written, and read again.
 *
 *   - However a file is cut into pieces, the same entries and complaints come.
 *   - What the reader gives fits the limits that it was told.
 *   - What the writer wrote is taken, and is the rows that it was given.
 *
 * SPDX-License-Identifier: BSD-3-Clause
 */
#include <stdlib.h>
#include <string.h>

#include "tests/fuzz/fuzz.h"
#include "tools/mupdatectl/cyrus_writer.h"

#define ROWS 16

static const struct rule_policy policy = {
    .name_bytes = 4096, .location_bytes = 1024, .acl_bytes = 65536};

/* What came of a file. */
struct reading {
    enum cyrus_result result;
    enum cyrus_form form;
    struct buffer said; /* the entries and complaints, one after the other */
    unsigned complaints;
    uint64_t entries;
};

static struct mupdate_text text_of(const struct buffer *buffer)
{
    return (struct mupdate_text){(const char *)buffer_bytes(buffer), buffer_len(buffer)};
}

static void take_complaint(void *context, uint64_t line, const char *text)
{
    struct reading *reading = context;

    FUZZ_CHECK(line > 0 && *text && ++reading->complaints <= DUMP_COMPLAINTS_MAX);
    buffer_append(&reading->said, &line, sizeof line);
    buffer_append_string(&reading->said, text);
}

static void say_text(struct reading *reading, struct mupdate_text text)
{
    FUZZ_CHECK(text.len == 0 || (text.data && !memchr(text.data, '\0', text.len)));
    buffer_append(&reading->said, text.data ? "+" : "-", 1);
    buffer_append(&reading->said, &text.len, sizeof text.len);
    buffer_append(&reading->said, text.data, text.len);
}

static void take_entry(struct reading *reading, const struct cyrus_entry *entry)
{
    FUZZ_CHECK(reading->complaints == 0 && entry->line > 0 && entry->time_s >= -1);
    reading->entries++;
    buffer_append(&reading->said, &entry->line, sizeof entry->line);
    buffer_append(&reading->said, &entry->flags, sizeof entry->flags);
    buffer_append(&reading->said, &entry->time_s, sizeof entry->time_s);
    say_text(reading, entry->name);
    say_text(reading, entry->server);
    say_text(reading, entry->partition);
    say_text(reading, entry->acl);
}

/* The next piece of the file; all that is left without choices. */
static size_t next_piece(struct fuzz *fuzz, size_t rest)
{
    return rest > 0 && fuzz ? fuzz_piece(fuzz, rest) : rest;
}

/* Read a file, in pieces as the choices say (fuzz NULL: at once). */
static void read_file(struct reading *reading, enum cyrus_form form, struct mupdate_text file,
                      struct fuzz *fuzz)
{
    struct cyrus_reader *reader;
    struct cyrus_entry entry;
    void *piece = NULL;
    size_t at = 0;

    memset(reading, 0, sizeof *reading);
    reader = cyrus_reader_new(form, &policy, take_complaint, reading);
    FUZZ_CHECK(reader != NULL);
    for (;;) {
        size_t len;

        reading->result = cyrus_reader_next(reader, &entry);
        if (reading->result == CYRUS_ENTRY) {
            take_entry(reading, &entry);
            continue;
        }
        if (reading->result == CYRUS_LOST) {
            FUZZ_CHECK(reading->complaints == 0 && entry.line > 0);
            buffer_append(&reading->said, &entry.line, sizeof entry.line);
            continue;
        }
        if (reading->result != CYRUS_MORE)
            break;
        len = next_piece(fuzz, file.len - at);
        free(piece);
        piece = fuzz_copy(len > 0 ? file.data + at : NULL, len);
        if (len > 0)
            cyrus_reader_give(reader, piece, len);
        else
            cyrus_reader_finish(reader);
        at += len;
    }
    FUZZ_CHECK(reading->result == CYRUS_END ? reading->complaints == 0
                                            : reading->result == CYRUS_BAD &&
                                                  reading->complaints > 0);
    FUZZ_CHECK(reading->result != CYRUS_END || cyrus_reader_octets(reader) == file.len);
    FUZZ_CHECK(cyrus_reader_next(reader, &entry) == reading->result);
    reading->form = cyrus_reader_form(reader);
    FUZZ_CHECK(form == CYRUS_ANY || reading->form == form);
    free(piece);
    cyrus_reader_free(reader);
}

static void check_file(struct fuzz *fuzz, enum cyrus_form form, const struct buffer *file)
{
    struct reading whole, cut;

    FUZZ_CHECK(!file->failed);
    read_file(&whole, form, text_of(file), NULL);
    read_file(&cut, form, text_of(file), fuzz);
    FUZZ_CHECK(whole.result == cut.result && whole.entries == cut.entries);
    FUZZ_CHECK(whole.form == cut.form);
    FUZZ_CHECK(text_equal(text_of(&whole.said), text_of(&cut.said)));
    buffer_free(&whole.said);
    buffer_free(&cut.said);
}

/* --- what the writer wrote --- */

static struct mupdate_text cut_text(struct fuzz *fuzz, size_t *at)
{
    struct mupdate_text text = {(const char *)fuzz->text + *at, 0};

    if (*at < fuzz->len)
        text.len = fuzz_piece(fuzz, fuzz->len - *at);
    *at += text.len;
    return text;
}

static bool make_row(struct fuzz *fuzz, size_t *at, struct row *row)
{
    *row = (struct row){.mupdate = {.state = MUPDATE_ACTIVE}, .time_us = 1};
    row->mupdate.name = cut_text(fuzz, at);
    row->mupdate.location = cut_text(fuzz, at);
    if (fuzz_below(fuzz, 4))
        row->mupdate.location = (struct mupdate_text){"be1!p", 5};
    if (fuzz_below(fuzz, 4))
        row->mupdate.acl = cut_text(fuzz, at);
    else
        row->mupdate.state = MUPDATE_RESERVED;
    return rule_check_row(&policy, &row->mupdate) == NULL;
}

static bool is_row(const struct cyrus_entry *entry, const struct mupdate_row *row)
{
    unsigned flags = CYRUS_REMOTE | (row->state == MUPDATE_RESERVED ? CYRUS_RESERVED : 0);
    struct mupdate_text server = location_server(row->location);
    struct mupdate_text partition = {row->location.data + server.len, 0};

    if (server.len < row->location.len) {
        partition.data++;
        partition.len = row->location.len - server.len - 1;
    }
    return entry->flags == flags && text_equal(entry->name, row->name) &&
           text_equal(entry->server, server) && text_equal(entry->partition, partition) &&
           text_equal(entry->acl, row->acl);
}

static void compare(enum cyrus_form form, const struct buffer *file, const struct row *rows,
                    size_t count)
{
    struct reading reading = {.result = CYRUS_MORE};
    struct cyrus_reader *reader = cyrus_reader_new(form, &policy, take_complaint, &reading);
    struct cyrus_entry entry;
    size_t seen = 0;

    FUZZ_CHECK(reader != NULL);
    cyrus_reader_give(reader, buffer_bytes(file), buffer_len(file));
    for (; cyrus_reader_next(reader, &entry) == CYRUS_ENTRY; seen++)
        FUZZ_CHECK(seen < count && is_row(&entry, &rows[seen].mupdate));
    cyrus_reader_finish(reader);
    FUZZ_CHECK(seen == count);
    /* Text of nothing at all is an empty file. */
    FUZZ_CHECK(cyrus_reader_next(reader, &entry) ==
               (buffer_len(file) > 0 ? CYRUS_END : CYRUS_BAD));
    cyrus_reader_free(reader);
    buffer_free(&reading.said);
}

static void write_and_read(struct fuzz *fuzz)
{
    enum cyrus_form form = fuzz_below(fuzz, 2) ? CYRUS_JSON : CYRUS_TEXT;
    struct cyrus_writer writer;
    struct row rows[ROWS];
    struct buffer file = {0};
    size_t count = 0;
    size_t at = 0;

    cyrus_writer_begin(&writer, form, &file);
    while (count < ROWS && at < fuzz->len) {
        size_t before = buffer_len(&file);

        if (!make_row(fuzz, &at, &rows[count]))
            continue;
        if (!cyrus_writer_row(&writer, &rows[count], &file))
            count++;
        else
            FUZZ_CHECK(buffer_len(&file) == before);
    }
    cyrus_writer_end(&writer, &file);
    FUZZ_CHECK(!file.failed && writer.rows == count);
    compare(form, &file, rows, count);
    check_file(fuzz, form, &file);
    buffer_free(&file);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct buffer file = {0};
    struct fuzz fuzz;
    unsigned kind;

    fuzz_open(&fuzz, data, size);
    kind = (unsigned)fuzz_below(&fuzz, 4);
    if (kind == 3) {
        write_and_read(&fuzz);
        return 0;
    }
    buffer_append(&file, fuzz.text, fuzz.len);
    check_file(&fuzz, (enum cyrus_form)kind, &file);
    buffer_free(&file);
    return 0;
}
