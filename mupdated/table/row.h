/*
 * What the daemon keeps of a row, and one record of the log of changes.
 *
 * SPDX-License-Identifier: BSD-3-Clause
 */
#ifndef TABLE_ROW_H
#define TABLE_ROW_H

#include "mupdated/table/digest.h"

/* A row with its history. A view: the texts belong to whoever hands it out. */
struct row {
    struct mupdate_row mupdate;
    uint64_t sequence;       /* of the change that made it so */
    int64_t time_us;         /* of that change: microseconds since 1970, UTC */
    struct mupdate_text who; /* the identity that made it */
};

/*
 * One change: the row as it became, and where it was before. The table in
 * memory is fed by changes only. now.mupdate.state is MUPDATE_ABSENT when the
 * row was deleted.
 */
struct change {
    struct row now;
    enum mupdate_state old_state;
    struct mupdate_text old_location; /* empty when there was none */
    uint64_t term;                    /* of the master that made it */
    bool has_digest;                  /* false: from before it was kept */
    struct digest digest;             /* of all rows, with this change made */
};

/* A copy in one allocation, to be freed with free(); NULL: out of memory. */
struct change *change_copy(const struct change *change);

/* The server part of a location: what stands before the '!', or all of it. */
struct mupdate_text location_server(struct mupdate_text location);

/* Same octets. */
bool text_equal(struct mupdate_text a, struct mupdate_text b);

/* Plain order of octets, shorter first: <0, 0, >0. */
int text_compare(struct mupdate_text a, struct mupdate_text b);

#endif
