/*
 * Dumps of the table: their reader hears anything, also with a trailer, or a
 * header too, that is right for the text; and rows made of the text are written
 * and read.
 *
 *   - However a file is cut into pieces, the same rows and complaints come.
 *   - A file that is taken, written again, is the same octets: there is one
 *     form of each table.
 *   - What the writer wrote is taken, and is the rows that it was given.
 *
 * SPDX-License-Identifier: BSD-3-Clause
 */
#include <stdlib.h>
#include <string.h>

#include "tests/fuzz/fuzz.h"
#include "tests/unit/dump/dump_support.h"

#define ROWS 16

/* Small, for the limits to be met. */
static const struct rule_policy policy = {
    .name_bytes = 24, .location_bytes = 40, .acl_bytes = 64};

/* More than any line may have under it. */
#define RUN_BYTES 32768

/* The first and the last second that a header's time can be. */
#define FIRST_SECOND INT64_C(-30610224000)
#define LAST_SECOND INT64_C(253402300799)

static const char *const server = "be1";

/* What came of a file. */
struct reading {
    enum dump_result result;
    struct buffer said; /* the rows and complaints, one after the other */
    unsigned complaints;
    uint64_t rows;
    struct buffer written; /* the rows once more, by the writer */
    struct dump_writer *writer;
};

static struct mupdate_text text_of(const struct buffer *buffer)
{
    return (struct mupdate_text){(const char *)buffer_bytes(buffer), buffer_len(buffer)};
}

static void take_complaint(void *context, uint64_t line, const char *text)
{
    struct reading *reading = context;

    FUZZ_CHECK(line > 0 && *text && ++reading->complaints <= DUMP_COMPLAINTS_MAX);
    for (const char *c = text; *c; c++)
        FUZZ_CHECK((unsigned char)*c >= ' ');
    buffer_append(&reading->said, &line, sizeof line);
    buffer_append_string(&reading->said, text);
}

static bool take_octets(void *context, const void *data, size_t len)
{
    buffer_append(context, data, len);
    return true;
}

static void say_text(struct reading *reading, struct mupdate_text text)
{
    buffer_append(&reading->said, &text.len, sizeof text.len);
    buffer_append(&reading->said, text.data, text.len);
}

static void take_row(struct reading *reading, const struct dump_header *header,
                     const struct row *row)
{
    const struct mupdate_row *mupdate = &row->mupdate;

    FUZZ_CHECK(reading->complaints == 0 && header != NULL);
    FUZZ_CHECK(rule_check_row(&policy, mupdate) == NULL);
    FUZZ_CHECK(row->sequence > 0 && row->sequence <= header->sequence);
    reading->rows++;
    buffer_append(&reading->said, &mupdate->state, sizeof mupdate->state);
    say_text(reading, mupdate->name);
    say_text(reading, mupdate->location);
    say_text(reading, mupdate->acl);
    say_text(reading, row->who);
    buffer_append(&reading->said, &row->sequence, sizeof row->sequence);
    buffer_append(&reading->said, &row->time_us, sizeof row->time_us);
    /* It refuses names that are not in order. */
    FUZZ_CHECK(dump_writer_row(reading->writer, row));
}

static void begin_writing(struct reading *reading, const struct dump_header *header)
{
    if (!reading->writer && header)
        reading->writer = dump_writer_new(header, take_octets, &reading->written);
}

static void check_end(struct reading *reading, const struct dump_reader *reader,
                      struct mupdate_text file)
{
    if (reading->result == DUMP_BAD) {
        FUZZ_CHECK(reading->complaints > 0);
        return;
    }
    FUZZ_CHECK(reading->result == DUMP_END && reading->complaints == 0);
    FUZZ_CHECK(dump_reader_header(reader) != NULL);
    FUZZ_CHECK(dump_reader_header(reader)->rows == reading->rows);
    FUZZ_CHECK(dump_reader_octets(reader) == file.len);
    FUZZ_CHECK(dump_writer_end(reading->writer));
    FUZZ_CHECK(text_equal(text_of(&reading->written), file));
}

/* Read a file, in pieces as the choices say (fuzz NULL: at once). */
static void read_file(struct reading *reading, struct mupdate_text file, struct fuzz *fuzz)
{
    struct dump_reader *reader = dump_reader_new(&policy, take_complaint, reading);
    void *piece = NULL;
    size_t at = 0;
    struct row row;

    memset(reading, 0, sizeof *reading);
    FUZZ_CHECK(reader != NULL);
    for (;;) {
        size_t rest = file.len - at;
        size_t len = rest > 0 && fuzz ? fuzz_piece(fuzz, rest) : rest;

        reading->result = dump_reader_next(reader, &row);
        begin_writing(reading, dump_reader_header(reader));
        if (reading->result == DUMP_ROW) {
            take_row(reading, dump_reader_header(reader), &row);
            continue;
        }
        if (reading->result != DUMP_MORE)
            break;
        free(piece);
        piece = fuzz_copy(len > 0 ? file.data + at : NULL, len);
        if (len > 0)
            dump_reader_give(reader, piece, len);
        else
            dump_reader_finish(reader);
        at += len;
    }
    check_end(reading, reader, file);
    FUZZ_CHECK(dump_reader_next(reader, &row) == reading->result);
    free(piece);
    dump_reader_free(reader);
    dump_writer_free(reading->writer);
    buffer_free(&reading->written);
}

static void check_file(struct fuzz *fuzz, const struct buffer *file)
{
    struct reading whole, cut;

    FUZZ_CHECK(!file->failed);
    read_file(&whole, text_of(file), NULL);
    read_file(&cut, text_of(file), fuzz);
    FUZZ_CHECK(whole.result == cut.result && whole.rows == cut.rows);
    FUZZ_CHECK(text_equal(text_of(&whole.said), text_of(&cut.said)));
    buffer_free(&whole.said);
    buffer_free(&cut.said);
}

/* The text as rows, with what is right before and behind them. */
static void make_whole(const struct fuzz *fuzz, bool with_header, struct buffer *file)
{
    uint64_t lines = 0;
    struct dump_header header;

    for (size_t i = 0; i < fuzz->len; i++)
        lines += fuzz->text[i] == '\n';
    if (fuzz->len == 0 || fuzz->text[fuzz->len - 1] != '\n')
        lines++;
    header = dump_header_of(lines);
    if (with_header)
        dump_header_write(&header, file);
    buffer_append(file, fuzz->text, fuzz->len);
    if (fuzz->len == 0 || fuzz->text[fuzz->len - 1] != '\n')
        buffer_append_string(file, "\n");
    dump_append_trailer(file, with_header ? lines : lines - 1);
}

static void make_too_long(struct buffer *file)
{
    uint8_t *run = buffer_reserve(file, RUN_BYTES);

    FUZZ_CHECK(run != NULL);
    memset(run, 'x', RUN_BYTES);
    buffer_added(file, RUN_BYTES);
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

static int by_name(const void *a, const void *b)
{
    const struct row *left = a;
    const struct row *right = b;

    return text_compare(left->mupdate.name, right->mupdate.name);
}

static size_t make_rows(struct fuzz *fuzz, struct row rows[ROWS])
{
    size_t count = 0;
    size_t kept = 0;
    size_t at = 0;

    while (count < ROWS && at < fuzz->len) {
        struct row *row = &rows[count];

        *row = dump_row_of("", server, fuzz_below(fuzz, 2) ? "" : NULL);
        row->mupdate.name = cut_text(fuzz, &at);
        if (fuzz_below(fuzz, 2))
            row->mupdate.location = cut_text(fuzz, &at);
        if (row->mupdate.state == MUPDATE_ACTIVE)
            row->mupdate.acl = cut_text(fuzz, &at);
        row->who = cut_text(fuzz, &at);
        row->sequence = 1 + fuzz_below(fuzz, 1000);
        row->time_us = (int64_t)(UINT64_MAX / 65535 * fuzz_below(fuzz, 65536));
        count += rule_check_row(&dump_policy, &row->mupdate) == NULL;
    }
    qsort(rows, count, sizeof rows[0], by_name);
    for (size_t i = 0; i < count; i++) {
        if (kept == 0 || by_name(&rows[kept - 1], &rows[i]) != 0)
            rows[kept++] = rows[i];
    }
    return kept;
}

static bool are_on_the_server(const struct row *rows, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (!text_equal(location_server(rows[i].mupdate.location),
                        (struct mupdate_text){server, strlen(server)}))
            return false;
    }
    return true;
}

static void check_header(const struct buffer *file, const struct dump_header *header)
{
    const char *lf = memchr(buffer_bytes(file), '\n', buffer_len(file));
    size_t len = (size_t)(lf - (const char *)buffer_bytes(file));
    char *line = fuzz_copy(buffer_bytes(file), len);
    struct dump_header again;

    FUZZ_CHECK(dump_header_read(line, len, &again) == NULL);
    FUZZ_CHECK(memcmp(again.history, header->history, sizeof again.history) == 0);
    FUZZ_CHECK(again.term == header->term && again.sequence == header->sequence);
    FUZZ_CHECK(again.rows == header->rows && again.time_s == header->time_s);
    FUZZ_CHECK(text_equal(again.server, header->server));
    free(line);
}

static void write_and_read(struct fuzz *fuzz)
{
    struct row rows[ROWS];
    size_t count = make_rows(fuzz, rows);
    struct dump_header header = dump_header_of(count);
    struct dump_verdict verdict;
    struct buffer file = {0};

    header.term = 1 + UINT64_MAX / 65536 * fuzz_below(fuzz, 65536);
    header.sequence = UINT64_MAX - 2 - fuzz_below(fuzz, 65536);
    header.time_s = FIRST_SECOND +
                    (LAST_SECOND - FIRST_SECOND) / 65535 * (int64_t)fuzz_below(fuzz, 65536);
    if (are_on_the_server(rows, count) && fuzz_below(fuzz, 2))
        header.server = (struct mupdate_text){server, strlen(server)};
    dump_write(&header, rows, count, &file);
    check_header(&file, &header);
    verdict = dump_read(buffer_bytes(&file), buffer_len(&file), 1 + fuzz_below(fuzz, 256), rows);
    FUZZ_CHECK(verdict.result == DUMP_END && verdict.rows == count && verdict.complaints == 0);
    check_file(fuzz, &file);
    buffer_free(&file);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct buffer file = {0};
    struct fuzz fuzz;

    fuzz_open(&fuzz, data, size);
    switch (fuzz_below(&fuzz, 4)) {
    case 0:
        buffer_append(&file, fuzz.text, fuzz.len);
        if (fuzz_below(&fuzz, 256) == 255)
            make_too_long(&file);
        check_file(&fuzz, &file);
        break;
    case 1:
        make_whole(&fuzz, false, &file);
        check_file(&fuzz, &file);
        break;
    case 2:
        make_whole(&fuzz, true, &file);
        check_file(&fuzz, &file);
        break;
    default:
        write_and_read(&fuzz);
        break;
    }
    buffer_free(&file);
    return 0;
}
