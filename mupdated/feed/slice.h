/*
 * Pieces of a dump, encoded once for all who are given one: the octets of the
 * rows from behind one name up to another, for one tag. Replicas ask with the
 * same tag, all walk from the table's beginning, and a piece ends for all where
 * it ended for the first: so they meet the same pieces, and the second to come
 * takes what the first had encoded.
 *
 * Why a piece may be shared. It holds its rows as they were at the table's
 * sequence when it was encoded. A dump that began at sequence S is followed by
 * the present state of all that changed after S. So each row of the dump may be
 * as it was at any time from S on, for each row another: what changed later is
 * sent after the OK, and a row that was gone, or not there yet, at that time has
 * changed after S as well. A piece is therefore right for a dump if it was encoded
 * at S or later, and is never given to one that began later than that. To be
 * given it is the same as to have come by at the moment when it was encoded. The
 * healing (table/departed.h) knows no more of a dump than S: a name that a piece
 * lacks was absent at S or later, and so is absent still or came back after S.
 *
 * Pieces are kept only while several long answers are under way, newest use
 * first, and only so many bytes of them. Beside those kept there is at most the
 * one that each answer is just sending, so a client that does not read costs one.
 *
 * It belongs to the loop's thread.
 *
 * SPDX-License-Identifier: BSD-3-Clause
 */
#ifndef FEED_SLICE_H
#define FEED_SLICE_H

#include "mupdated/table/table.h"

/* A piece is no longer than this, unless its only row is. */
#define SLICE_BYTES 65536

/* What is kept of pieces; about 300,000 rows. */
#define SLICES_KEPT_BYTES 33554432

struct slices;

/* Never changes once it is made. Whoever takes one has a share of it. */
struct slice {
    const uint8_t *bytes;
    size_t len;           /* 0 only when it is the last one */
    bool is_last;         /* no row stood behind it */
    struct mupdate_text last; /* the name of its last row, or, without rows, where it began */
    uint64_t sequence;    /* of the table when it was encoded */
};

/* No piece is kept yet. At most kept_bytes of them will be. NULL: out of memory. */
struct slices *slices_new(const struct table *table, size_t kept_bytes);

/* No answer may be under way, and no piece be held. */
void slices_free(struct slices *slices);

/* An answer that takes pieces begins, and ends. With the last one all that is kept goes. */
void slices_join(struct slices *slices);
void slices_leave(struct slices *slices);

/*
 * The piece behind another, or the table's first one when that is NULL, for an
 * answer that began at sequence since. It is given back with slice_release().
 * NULL: out of memory.
 */
struct slice *slices_take(struct slices *slices, struct mupdate_text tag,
                          const struct slice *behind, uint64_t since);
void slice_release(struct slice *slice);

/* Memory of the pieces that are kept. */
size_t slices_kept(const struct slices *slices);

#endif
