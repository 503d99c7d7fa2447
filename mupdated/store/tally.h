/*
 * Whether the rows and the log of changes are of one table, while both are read at a start: a file
 * that an operator copied over from a backup has good pages, and would be served.
 *
 * Each row whose change is in the log must be what that change made it. Each change that made
 * a row that is not there must have been followed by another of the same name; and none that
 * deleted a row may have left it there. Names are known by hashes of 64 bits. Costs less
 * than reading the records; needs 8 octets for each change.
 *
 *     tally_new(); tally_row() for all rows; tally_change() for all changes, in order; tally_end()
 *
 * SPDX-License-Identifier: BSD-3-Clause
 */
#ifndef STORE_TALLY_H
#define STORE_TALLY_H

#include "mupdated/store/store.h"

struct tally;

/* The sequence of the row of that name, 0: there is none. */
typedef uint64_t tally_find(void *context, struct mupdate_text name);

/* Of a table at that position. NULL: out of memory. */
struct tally *tally_new(const struct store_position *position, tally_find *find, void *context);
void tally_free(struct tally *tally);

void tally_row(struct tally *tally, const struct row *row);

/* False: out of memory. */
bool tally_change(struct tally *tally, const struct change *change);

/*
 * All came. True: they are of one table; else *sequence is a change that the rows contradict,
 * or 0: two rows are of one change.
 */
bool tally_end(const struct tally *tally, uint64_t *sequence);

#endif
