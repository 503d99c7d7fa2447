/* SPDX-License-Identifier: BSD-3-Clause */
#include "mupdated/feed/stream.h"

#include <mupdate/server.h>
#include <stdlib.h>
#include <string.h>

#include "wire/buffer.h"

struct stream {
    const struct feed *feed;
    const struct table *table;
    /* what was encoded last */
    struct buffer octets;
    struct buffer tag;
    uint64_t sequence;             /* the feed's at that time */
    const struct feed_entry *from; /* the position behind which it is; NULL: nothing was */
    struct feed_entry *to;
    struct mupdate_text last;
};

struct stream *stream_new(const struct feed *feed, const struct table *table)
{
    struct stream *stream = calloc(1, sizeof *stream);

    if (!stream)
        return NULL;
    stream->feed = feed;
    stream->table = table;
    return stream;
}

void stream_free(struct stream *stream)
{
    if (!stream)
        return;
    buffer_free(&stream->octets);
    buffer_free(&stream->tag);
    free(stream);
}

static bool put_row(struct stream *stream, struct mupdate_text tag, struct mupdate_text name)
{
    struct row row;
    uint8_t *to;
    size_t len;

    if (!table_find(stream->table, name, &row)) {
        memset(&row, 0, sizeof row);
        row.mupdate.state = MUPDATE_ABSENT;
        row.mupdate.name = name;
    }
    len = mupdate_server_encode_row(tag, &row.mupdate, NULL, 0);
    to = len ? buffer_reserve(&stream->octets, len) : NULL;
    if (!to)
        return false;
    buffer_added(&stream->octets, mupdate_server_encode_row(tag, &row.mupdate, to, len));
    return true;
}

static bool encode(struct stream *stream, struct mupdate_text tag,
                   const struct feed_position *position)
{
    struct feed_entry *at = position->at;
    struct feed_change change;

    stream->from = NULL;
    stream->to = position->at;
    buffer_clear(&stream->octets);
    buffer_clear(&stream->tag);
    buffer_append(&stream->tag, tag.data, tag.len);
    if (stream->tag.failed)
        return false;
    for (size_t changes = 0; changes < STREAM_CHANGES && feed_next(&at, &change) &&
                             buffer_len(&stream->octets) < STREAM_BYTES;
         changes++) {
        if (!put_row(stream, tag, change.name))
            return false;
        stream->to = at;
        stream->last = change.name;
    }
    stream->from = position->at;
    stream->sequence = feed_sequence(stream->feed);
    return true;
}

static struct mupdate_text buffer_text(const struct buffer *buffer)
{
    return (struct mupdate_text){(const char *)buffer_bytes(buffer), buffer_len(buffer)};
}

bool stream_take(struct stream *stream, struct mupdate_text tag,
                 const struct feed_position *position, struct stream_piece *piece)
{
    bool fresh = stream->from == position->at && stream->sequence == feed_sequence(stream->feed) &&
                 text_equal(buffer_text(&stream->tag), tag);

    if (!fresh && !encode(stream, tag, position))
        return false;
    *piece = (struct stream_piece){
        .octets = buffer_bytes(&stream->octets),
        .len = buffer_len(&stream->octets),
        .to = stream->to,
        .last = stream->last,
    };
    return true;
}
