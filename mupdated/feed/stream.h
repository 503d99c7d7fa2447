/*
 * What changed, encoded once for all subscribers that stand at the same position
 * and use the same tag. They nearly all do: between two batches of the writer
 * each is given a turn, and passes all that there is.
 *
 * What was encoded is given to others only until the next change, because what
 * is sent of a change is the row as it is at sending time.
 *
 * It belongs to the loop's thread.
 *
 * SPDX-License-Identifier: BSD-3-Clause
 */
#ifndef FEED_STREAM_H
#define FEED_STREAM_H

#include "mupdated/feed/feed.h"
#include "mupdated/table/table.h"

/* So many changes, or octets and one row more, are encoded at once. */
#define STREAM_CHANGES 256
#define STREAM_BYTES 65536

struct stream;

/* Valid until the next call of stream_take() or feed_publish(). */
struct stream_piece {
    const void *octets;      /* of whole rows */
    size_t len;
    struct feed_entry *to;   /* the last of the changes: for feed_pass_to() */
    struct mupdate_text last; /* and its mailbox */
};

/* Both must outlive it. NULL: out of memory. */
struct stream *stream_new(const struct feed *feed, const struct table *table);
void stream_free(struct stream *stream);

/* What is behind a position that has changes to pass. False: out of memory. */
bool stream_take(struct stream *stream, struct mupdate_text tag,
                 const struct feed_position *position, struct stream_piece *piece);

#endif
