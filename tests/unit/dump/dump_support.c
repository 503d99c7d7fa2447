/* SPDX-License-Identifier: BSD-3-Clause */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "tests/unit/dump/dump_support.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "layer/tls_digest.h"
#include "mupdated/dump/field.h"

const struct rule_policy dump_policy = {
    .name_bytes = 1024, .location_bytes = 1024, .acl_bytes = 65536};

static struct mupdate_text text(const char *string)
{
    return (struct mupdate_text){string, strlen(string)};
}

struct dump_header dump_header_of(uint64_t rows)
{
    struct dump_header header = {.term = 1, .sequence = 1000, .rows = rows, .time_s = 1795341600};

    for (size_t i = 0; i < sizeof header.history; i++)
        header.history[i] = (unsigned char)(16 * i + i);
    return header;
}

struct row dump_row_of(const char *name, const char *location, const char *acl)
{
    return (struct row){
        .mupdate = {.state = acl ? MUPDATE_ACTIVE : MUPDATE_RESERVED,
                    .name = text(name),
                    .location = text(location),
                    .acl = text(acl ? acl : "")},
        .sequence = 7,
        .time_us = 1795341600000000,
        .who = text("backend1"),
    };
}

static bool to_buffer(void *context, const void *data, size_t len)
{
    buffer_append(context, data, len);
    return true;
}

void dump_write(const struct dump_header *header, const struct row *rows, size_t count,
                struct buffer *out)
{
    struct dump_writer *writer = dump_writer_new(header, to_buffer, out);

    assert_non_null(writer);
    for (size_t i = 0; i < count; i++)
        assert_true(dump_writer_row(writer, &rows[i]));
    assert_true(dump_writer_end(writer));
    assert_false(out->failed);
    dump_writer_free(writer);
}

static void note(void *context, uint64_t line, const char *complaint)
{
    struct dump_verdict *verdict = context;

    if (verdict->complaints++ == 0) {
        verdict->line = line;
        (void)snprintf(verdict->text, sizeof verdict->text, "%s", complaint);
    }
}

static void same(const struct row *row, const struct row *expect)
{
    assert_int_equal(row->mupdate.state, expect->mupdate.state);
    assert_true(text_equal(row->mupdate.name, expect->mupdate.name));
    assert_true(text_equal(row->mupdate.location, expect->mupdate.location));
    assert_true(text_equal(row->mupdate.acl, expect->mupdate.acl));
    assert_true(text_equal(row->who, expect->who));
    assert_int_equal(row->sequence, expect->sequence);
    assert_int_equal(row->time_us, expect->time_us);
}

struct dump_verdict dump_read(const void *data, size_t len, size_t piece, const struct row *expect)
{
    struct dump_verdict verdict = {0};
    struct dump_reader *reader = dump_reader_new(&dump_policy, note, &verdict);
    const char *at = data;
    char *given = NULL;
    struct row row;

    assert_non_null(reader);
    while ((verdict.result = dump_reader_next(reader, &row)) == DUMP_ROW ||
           verdict.result == DUMP_MORE) {
        size_t count = len < piece ? len : piece;

        if (verdict.result == DUMP_ROW) {
            if (expect)
                same(&row, &expect[verdict.rows]);
            verdict.rows++;
            continue;
        }
        /* Memory of exactly that size, so that reading past its end is seen. */
        free(given);
        given = malloc(count ? count : 1);
        assert_non_null(given);
        if (count) {
            memcpy(given, at, count);
            dump_reader_give(reader, given, count);
        } else {
            dump_reader_finish(reader);
        }
        at += count;
        len -= count;
    }
    assert_int_equal(dump_reader_next(reader, &row), verdict.result);
    dump_reader_free(reader);
    free(given);
    return verdict;
}

void dump_append_trailer(struct buffer *dump, uint64_t rows)
{
    struct tls_digest *digest = tls_digest_new();
    unsigned char sum[TLS_DIGEST_BYTES];

    assert_non_null(digest);
    assert_true(tls_digest_add(digest, buffer_bytes(dump), buffer_len(dump)));
    assert_true(tls_digest_end(digest, sum));
    tls_digest_free(digest);
    field_print(dump, "end rows=%llu sha256=", (unsigned long long)rows);
    field_write_hex(dump, sum, sizeof sum);
    buffer_append_string(dump, "\n");
}

void dump_seal(struct buffer *dump, uint64_t rows)
{
    const char *octets = (const char *)buffer_bytes(dump);
    size_t len = buffer_len(dump);

    assert_true(len > 0 && octets[len - 1] == '\n');
    for (len--; octets[len - 1] != '\n'; len--)
        ;
    dump->end = dump->start + len;
    dump_append_trailer(dump, rows);
}
