/*
 * A dump of the whole table, in pieces that are shared with others
 * (feed/slice.h): the answer to an UPDATE or LIST that asks for all rows. It can
 * stop anywhere and go on exactly there.
 *
 * The octets are not the session's: the connection sends them behind the
 * session's output, and the session is answered when all of them have left.
 *
 * It belongs to the loop's thread.
 *
 * SPDX-License-Identifier: BSD-3-Clause
 */
#ifndef FEED_DUMP_H
#define FEED_DUMP_H

#include <mupdate/server.h>

#include "mupdated/feed/slice.h"
#include "mupdated/feed/walk.h"

/* All zero: none is under way. */
struct dump {
    struct slices *slices;
    uint64_t since;      /* the table's sequence when it began */
    struct slice *slice; /* that is being sent, or was the last to be */
    size_t sent;         /* of its octets */
};

/* Begin, at the table's sequence since. */
void dump_start(struct dump *dump, struct slices *slices, uint64_t since);

/* Give back what it holds. Does nothing to one that is all zero. */
void dump_end(struct dump *dump);

/*
 * Have the next piece ready for the answer that the session is to give.
 * WALK_MORE: send it; WALK_FULL: the last one is not sent yet; WALK_DONE: all
 * was sent; WALK_FAILED: out of memory, or the session takes no rows.
 */
enum walk_progress dump_run(struct dump *dump, const struct mupdate_server *session);

/* Octets to be sent; valid until dump_sent(). None for one that is all zero. */
size_t dump_output(const struct dump *dump, const uint8_t **data);

/* The first len octets of them were sent. */
void dump_sent(struct dump *dump, size_t len);

#endif
