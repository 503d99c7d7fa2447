/* SPDX-License-Identifier: BSD-3-Clause */
#include "mupdated/dump/writer.h"

#include <stdlib.h>

#include "layer/tls_digest.h"
#include "mupdated/dump/field.h"

#define PIECE_BYTES (64U << 10)

struct dump_writer {
    dump_sink *sink;
    void *context;
    struct tls_digest *digest;
    struct buffer out;
    struct buffer name; /* of the last row */
    uint64_t rows;
    uint64_t promised;
};

struct dump_writer *dump_writer_new(const struct dump_header *header, dump_sink *sink,
                                    void *context)
{
    struct dump_writer *writer = calloc(1, sizeof *writer);

    if (!writer)
        return NULL;
    writer->sink = sink;
    writer->context = context;
    writer->promised = header->rows;
    writer->digest = tls_digest_new();
    dump_header_write(header, &writer->out);
    if (writer->digest && !writer->out.failed)
        return writer;
    dump_writer_free(writer);
    return NULL;
}

void dump_writer_free(struct dump_writer *writer)
{
    if (!writer)
        return;
    tls_digest_free(writer->digest);
    buffer_free(&writer->out);
    buffer_free(&writer->name);
    free(writer);
}

static bool flush(struct dump_writer *writer)
{
    size_t len = buffer_len(&writer->out);

    if (writer->out.failed || !tls_digest_add(writer->digest, buffer_bytes(&writer->out), len) ||
        !writer->sink(writer->context, buffer_bytes(&writer->out), len))
        return false;
    buffer_consume(&writer->out, len);
    return true;
}

static bool is_behind_the_last(struct dump_writer *writer, struct mupdate_text name)
{
    struct mupdate_text last = {(const char *)buffer_bytes(&writer->name),
                                buffer_len(&writer->name)};

    if (writer->rows > 0 && text_compare(last, name) >= 0)
        return false;
    buffer_consume(&writer->name, last.len);
    buffer_append(&writer->name, name.data, name.len);
    return !writer->name.failed;
}

bool dump_writer_row(struct dump_writer *writer, const struct row *row)
{
    const struct mupdate_row *mupdate = &row->mupdate;
    struct buffer *out = &writer->out;

    if (mupdate->state == MUPDATE_ABSENT || !is_behind_the_last(writer, mupdate->name))
        return false;
    writer->rows++;
    buffer_append_string(out, mupdate->state == MUPDATE_ACTIVE ? "A " : "R ");
    field_write(out, mupdate->name);
    buffer_append_string(out, " ");
    field_write(out, mupdate->location);
    buffer_append_string(out, " ");
    field_write(out, mupdate->acl);
    field_print(out, " %llu %lld ", (unsigned long long)row->sequence, (long long)row->time_us);
    field_write(out, row->who);
    buffer_append_string(out, "\n");
    return buffer_len(out) < PIECE_BYTES || flush(writer);
}

bool dump_writer_end(struct dump_writer *writer)
{
    unsigned char octets[TLS_DIGEST_BYTES];
    struct buffer *out = &writer->out;

    if (writer->rows != writer->promised || !flush(writer) ||
        !tls_digest_end(writer->digest, octets))
        return false;
    field_print(out, "end rows=%llu sha256=", (unsigned long long)writer->rows);
    field_write_hex(out, octets, sizeof octets);
    buffer_append_string(out, "\n");
    return !out->failed &&
           writer->sink(writer->context, buffer_bytes(out), buffer_len(out));
}
