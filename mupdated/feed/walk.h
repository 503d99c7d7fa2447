/*
 * A walk over the table that can stop after any row and go on exactly there,
 * however the table changed meanwhile: the answer to LIST and the dump of
 * UPDATE. Rows that stand still are met exactly once; one that appears or goes
 * during the walk may be met or not.
 *
 * It belongs to the loop's thread.
 *
 * SPDX-License-Identifier: BSD-3-Clause
 */
#ifndef FEED_WALK_H
#define FEED_WALK_H

#include <mupdate/server.h>

#include "mupdated/table/table.h"
#include "wire/buffer.h"

/*
 * A walk, or a step of a subscription, hands the loop back after this many
 * rows looked at, so that a long answer to one client delays nobody else.
 */
#define WALK_SLICE_ROWS 2048

/* No more is encoded while this many bytes of replies wait. */
#define WALK_OUTPUT_BYTES 131072

enum walk_progress {
    WALK_DONE,   /* the end was reached */
    WALK_MORE,   /* the slice is used up: call again */
    WALK_FULL,   /* too many bytes wait: call again when they were sent */
    WALK_FAILED, /* out of memory */
};

/* All zero, or after walk_init(): before the first row. */
struct walk {
    bool started;
    struct buffer last; /* the name of the last row met */
};

/* Decides whether a row is sent. */
typedef bool walk_filter(void *context, const struct row *row);

void walk_init(struct walk *walk);
void walk_close(struct walk *walk);

/*
 * Stand behind a name, which may be the one that it stands behind; behind an
 * empty one all rows are. False: out of memory, the walk is of no use any more.
 */
bool walk_stand(struct walk *walk, struct mupdate_text name);

/* Send the next slice of rows that pass the filter as rows of the session's answer. */
enum walk_progress walk_run(struct walk *walk, const struct table *table,
                            struct mupdate_server *session, walk_filter *filter, void *context);

#endif
