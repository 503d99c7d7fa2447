/* SPDX-License-Identifier: BSD-3-Clause */
#include "mupdated/dump/reader.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "layer/tls_digest.h"
#include "mupdated/dump/field.h"

/* A line's state, numbers and blanks, with room to spare; and all of a header or a trailer. */
#define LINE_FIXED_BYTES 512
#define ESCAPED_LEN 4

enum place {
    AT_HEADER,
    AT_ROWS,
    AT_TAIL, /* the trailer was read: nothing may follow */
    AT_END,
};

struct dump_reader {
    struct rule_policy policy;
    dump_complain *complain;
    void *context;
    struct tls_digest *digest;
    enum place place;
    enum dump_result verdict; /* at AT_END */
    size_t line_max;

    const char *data; /* that was given, not yet used */
    size_t len;
    bool finished;
    struct buffer line; /* begun, without its end */
    size_t line_used;   /* of it: the line that the last row points into */
    struct buffer last; /* the name of the row before */

    struct buffer header_line; /* what header.server points into */
    struct dump_header header;
    bool has_header;
    uint64_t rows;
    uint64_t line_number; /* of the line that is looked at */
    uint64_t octets;
    unsigned complaints;
};

struct dump_reader *dump_reader_new(const struct rule_policy *policy, dump_complain *complain,
                                    void *context)
{
    struct dump_reader *reader = calloc(1, sizeof *reader);

    if (!reader)
        return NULL;
    reader->policy = *policy;
    reader->complain = complain;
    reader->context = context;
    reader->line_max = LINE_FIXED_BYTES + ESCAPED_LEN * (policy->name_bytes +
                       policy->location_bytes + policy->acl_bytes + DUMP_WHO_BYTES);
    reader->digest = tls_digest_new();
    if (reader->digest)
        return reader;
    dump_reader_free(reader);
    return NULL;
}

void dump_reader_free(struct dump_reader *reader)
{
    if (!reader)
        return;
    tls_digest_free(reader->digest);
    buffer_free(&reader->line);
    buffer_free(&reader->last);
    buffer_free(&reader->header_line);
    free(reader);
}

void dump_reader_give(struct dump_reader *reader, const void *data, size_t len)
{
    reader->data = data;
    reader->len = len;
}

void dump_reader_finish(struct dump_reader *reader)
{
    reader->finished = true;
}

const struct dump_header *dump_reader_header(const struct dump_reader *reader)
{
    return reader->has_header ? &reader->header : NULL;
}

uint64_t dump_reader_octets(const struct dump_reader *reader)
{
    return reader->octets;
}

static enum dump_result end(struct dump_reader *reader, enum dump_result verdict)
{
    reader->place = AT_END;
    reader->verdict = verdict;
    return verdict;
}

__attribute__((format(printf, 2, 3))) static void complain(struct dump_reader *reader,
                                                           const char *format, ...)
{
    char text[256];
    va_list arguments;

    va_start(arguments, format);
    (void)vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    reader->complain(reader->context, reader->line_number, text);
    if (++reader->complaints == DUMP_COMPLAINTS_MAX)
        (void)end(reader, DUMP_BAD);
}

/* --- lines --- */

/*
 * The next whole line without its end, in memory that the reader may change. DUMP_ROW when there
 * is one, DUMP_END at the end of the file.
 */
static enum dump_result take_line(struct dump_reader *reader, struct mupdate_text *line)
{
    const char *end_of_line = reader->len ? memchr(reader->data, '\n', reader->len) : NULL;
    size_t len = end_of_line ? (size_t)(end_of_line - reader->data) : reader->len;

    buffer_consume(&reader->line, reader->line_used);
    reader->line_used = 0;
    /* Not more than can be right is kept. */
    if (buffer_len(&reader->line) + len > reader->line_max) {
        reader->line_number++;
        complain(reader, "the line is longer than the limits of mupdated.conf allow: raise "
                         "limit_name, limit_location or limit_acl, or the file is no dump");
        return end(reader, DUMP_BAD);
    }
    buffer_append(&reader->line, reader->data, len);
    if (reader->line.failed)
        return end(reader, DUMP_NO_MEMORY);
    if (reader->len > 0) {
        size_t taken = len + (end_of_line ? 1 : 0);

        reader->octets += taken;
        reader->data += taken;
        reader->len -= taken;
    }
    if (!end_of_line && !reader->finished)
        return DUMP_MORE;
    *line = (struct mupdate_text){(const char *)buffer_bytes(&reader->line),
                                  buffer_len(&reader->line)};
    if (!end_of_line && line->len == 0)
        return DUMP_END;
    reader->line_number++;
    if (!end_of_line) {
        complain(reader, "the file ends in the middle of this line");
        return end(reader, DUMP_BAD);
    }
    reader->line_used = line->len;
    return DUMP_ROW;
}

static bool add_to_digest(struct dump_reader *reader, struct mupdate_text line)
{
    return tls_digest_add(reader->digest, line.data, line.len) &&
           tls_digest_add(reader->digest, "\n", 1);
}

/* --- what stands in them --- */

static void read_header(struct dump_reader *reader, struct mupdate_text line)
{
    const char *wrong;

    buffer_append(&reader->header_line, line.data, line.len);
    if (!add_to_digest(reader, line) || reader->header_line.failed) {
        (void)end(reader, DUMP_NO_MEMORY);
        return;
    }
    wrong = dump_header_read((char *)buffer_bytes(&reader->header_line), line.len,
                             &reader->header);
    if (wrong) {
        /* Without it nothing that follows means anything. */
        complain(reader, "%s", wrong);
        (void)end(reader, DUMP_BAD);
        return;
    }
    reader->has_header = true;
    reader->place = AT_ROWS;
}

static const char *read_fields(struct dump_reader *reader, struct mupdate_text line,
                               struct row *row)
{
    struct mupdate_text *texts[] = {&row->mupdate.name, &row->mupdate.location,
                                    &row->mupdate.acl};
    struct mupdate_text field;
    const char *wrong;

    if (!field_next(&line, &field) || field.len != 1 ||
        (field.data[0] != 'A' && field.data[0] != 'R'))
        return "it begins with neither A nor R nor end";
    row->mupdate.state = field.data[0] == 'A' ? MUPDATE_ACTIVE : MUPDATE_RESERVED;
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        if (!field_next(&line, &field))
            return "a field is missing";
        wrong = field_read(field, texts[i]);
        if (wrong)
            return wrong;
    }
    if (!field_next(&line, &field) || !field_number(field, &row->sequence) || row->sequence == 0)
        return "its sequence number is missing or wrong";
    if (row->sequence > reader->header.sequence)
        return "its sequence number is above the header's";
    if (!field_next(&line, &field) || !field_signed(field, &row->time_us))
        return "its time is missing or wrong";
    if (!field_next(&line, &field))
        return "a field is missing";
    wrong = field_read(field, &row->who);
    if (wrong)
        return wrong;
    if (row->who.len > DUMP_WHO_BYTES)
        return "who made it is too long";
    return line.data ? "there is something behind its last field" : NULL;
}

static const char *check_row(struct dump_reader *reader, const struct row *row)
{
    const struct dump_header *header = &reader->header;
    const char *wrong = rule_check_row(&reader->policy, &row->mupdate);
    struct mupdate_text last = {(const char *)buffer_bytes(&reader->last),
                                buffer_len(&reader->last)};
    int order = reader->rows > 0 ? text_compare(last, row->mupdate.name) : -1;

    if (wrong)
        return wrong;
    if (header->server.len && !text_equal(header->server, location_server(row->mupdate.location)))
        return "it is not on the server that the header names";
    return order == 0 ? "its name is that of the row before"
           : order > 0 ? "it is not in the order of the names' octets"
                       : NULL;
}

/* True when *row is one to hand out. */
static bool read_row(struct dump_reader *reader, struct mupdate_text line, struct row *row)
{
    const char *wrong;

    if (!add_to_digest(reader, line)) {
        (void)end(reader, DUMP_NO_MEMORY);
        return false;
    }
    wrong = read_fields(reader, line, row);
    if (!wrong)
        wrong = check_row(reader, row);
    reader->rows++;
    if (wrong) {
        complain(reader, "%s", wrong);
        return false;
    }
    buffer_consume(&reader->last, buffer_len(&reader->last));
    buffer_append(&reader->last, row->mupdate.name.data, row->mupdate.name.len);
    if (reader->last.failed) {
        (void)end(reader, DUMP_NO_MEMORY);
        return false;
    }
    return reader->complaints == 0;
}

static bool is_trailer(struct mupdate_text line)
{
    /* NOLINTNEXTLINE(clang-analyzer-core.NonNullParamChecker): a text with octets has data */
    return line.len >= 4 && memcmp(line.data, "end ", 4) == 0;
}

static void read_trailer(struct dump_reader *reader, struct mupdate_text line)
{
    unsigned char octets[TLS_DIGEST_BYTES];
    struct buffer right = {0};
    struct buffer digest = {0};

    if (!tls_digest_end(reader->digest, octets)) {
        (void)end(reader, DUMP_NO_MEMORY);
        return;
    }
    field_print(&right, "end rows=%llu sha256=", (unsigned long long)reader->rows);
    field_write_hex(&digest, octets, sizeof octets);
    if (right.failed || digest.failed) {
        (void)end(reader, DUMP_NO_MEMORY);
    } else {
        size_t len = buffer_len(&right);

        reader->place = AT_TAIL;
        /* gcc-analyzer(null-argument): a buffer that did not fail has what was put there */
        if (line.len < len || memcmp(line.data, buffer_bytes(&right), len) != 0)
            complain(reader, "the trailer does not count %llu rows, as there are",
                     (unsigned long long)reader->rows);
        else if (line.len != len + buffer_len(&digest) ||
                 /* gcc-analyzer(null-argument): nor did this one */
                 memcmp(line.data + len, buffer_bytes(&digest), buffer_len(&digest)) != 0)
            complain(reader, "the file was changed or damaged: its SHA-256 is not the trailer's");
        if (reader->place == AT_TAIL && reader->header.rows != reader->rows)
            complain(reader, "there are %llu rows, and the header says %llu",
                     (unsigned long long)reader->rows, (unsigned long long)reader->header.rows);
    }
    buffer_free(&right);
    buffer_free(&digest);
}

static enum dump_result at_end_of_file(struct dump_reader *reader)
{
    if (reader->place != AT_TAIL) {
        reader->line_number++;
        complain(reader, reader->place == AT_HEADER ? "the file is empty"
                                                    : "the file ends here, without its trailer");
    }
    return end(reader, reader->complaints ? DUMP_BAD : DUMP_END);
}

enum dump_result dump_reader_next(struct dump_reader *reader, struct row *row)
{
    while (reader->place != AT_END) {
        struct mupdate_text line;
        enum dump_result result = take_line(reader, &line);
        bool good = false;

        if (result == DUMP_END)
            return at_end_of_file(reader);
        if (result != DUMP_ROW)
            return result;
        if (reader->place == AT_HEADER) {
            read_header(reader, line);
        } else if (reader->place == AT_TAIL) {
            complain(reader, "there is something behind the trailer");
            return end(reader, DUMP_BAD);
        } else if (is_trailer(line)) {
            read_trailer(reader, line);
        } else {
            memset(row, 0, sizeof *row);
            good = read_row(reader, line, row);
        }
        if (good)
            return DUMP_ROW;
    }
    return reader->verdict;
}
