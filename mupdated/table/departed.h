/*
 * Names that were deleted, as far back as the log of changes reaches; and which
 * present rows a Cyrus replica may lose because of them.
 *
 * A Cyrus replica that was away merges the dump with its own list by plain
 * octets while both are in list order. A present row X is at risk if some name
 * M that the dump left out stands before X in list order but behind X in plain
 * order. Sending exactly those rows once more after the dump puts the replica right.
 *
 * In LIST_ORDER_OCTET no row is ever at risk and nothing is kept.
 *
 * It belongs to the loop's thread.
 *
 * SPDX-License-Identifier: BSD-3-Clause
 */
#ifndef TABLE_DEPARTED_H
#define TABLE_DEPARTED_H

#include "mupdated/table/order.h"
#include "mupdated/table/row.h"
#include "mupdated/table/tree.h"

struct departed;
struct departed_name;

/* Nothing departed yet; NULL: out of memory. */
struct departed *departed_new(enum list_order order);

/* All walks must have ended. */
void departed_free(struct departed *departed);

/*
 * Learn from a change, in the order of the log. A name that comes back is kept
 * too, for walks that began before. False: out of memory, nothing was learnt.
 */
bool departed_apply(struct departed *departed, const struct change *change);

/* The log no longer holds changes below first: forget names that departed last below it. */
void departed_trim(struct departed *departed, uint64_t first);

/* How many of the names are absent now. */
size_t departed_count(const struct departed *departed);

/*
 * Whether any name counts in a walk that starts now with this since; if not, no
 * row is at risk and the walk can be spared. Cheap. Errs only to the side of true.
 */
bool departed_any(const struct departed *departed, uint64_t since);

/*
 * A walk over the rows of the table in list order, asking of each whether it
 * is at risk. Costs little for each row. Changes and trimming may come in
 * between: the walk goes on behind the last row asked about, at the cost of a
 * look-up, and what it knew about before still counts.
 */
struct departed_walk {
    struct departed *departed;
    uint64_t since;
    uint64_t version;
    struct tree_cursor cursor;
    struct departed_name *passed;   /* last one before the row asked about */
    struct departed_name *greatest; /* greatest in plain order of those passed that count */
};

/*
 * Begin a walk for a replica whose dump began when the table was at sequence
 * since. Names count that are absent when they are passed, or came back after
 * since: the dump may have left them out. End it with departed_walk_end().
 */
void departed_walk_start(struct departed_walk *walk, struct departed *departed, uint64_t since);

/* Whether the row of that name is at risk. Rows must come in list order; rows may be left out. */
bool departed_walk_at_risk(struct departed_walk *walk, struct mupdate_text name);

/* A second walk that stands where the first one does. It is to be ended too. */
void departed_walk_copy(struct departed_walk *to, const struct departed_walk *from);

/* Give back what the walk holds. Does nothing to a walk that has ended or is all zero. */
void departed_walk_end(struct departed_walk *walk);

#endif
