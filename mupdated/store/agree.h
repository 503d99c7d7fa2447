/*
 * Whether a log of changes agrees with itself and with the rows: terms and times never go
 * back; each change starts from what the one before it on the same name left; each row is what
 * the newest change of its name made it, and a name whose newest change deleted it has no row;
 * and all rows together have the digest that the last change tells.
 *
 *     agree_new(); agree_change() for all, in order; agree_row() for all; agree_missing();
 *     agree_digest()
 *
 * Needs memory for the newest change of each name in the log.
 *
 * SPDX-License-Identifier: BSD-3-Clause
 */
#ifndef STORE_AGREE_H
#define STORE_AGREE_H

#include "mupdated/table/row.h"

struct agree;

enum agree_about { AGREE_CHANGE, AGREE_ROW, AGREE_ROWS };

/*
 * Called with each thing that is wrong, in words that stand during the call; sequence is of the
 * change, of the row's, or for all rows of the last. False: stop.
 */
typedef bool agree_found(void *context, enum agree_about about, struct mupdate_text name,
                         uint64_t sequence, const char *wrong);

/*
 * The log begins with the change number first; begin is the digest of the rows while there is no
 * change, NULL: it is not told. NULL: out of memory.
 */
struct agree *agree_new(uint64_t first, const struct digest *begin, agree_found *found,
                        void *context);
void agree_free(struct agree *agree);

/*
 * The changes from one number to another, both included, cannot be read: nothing is
 * wrong that they may explain.
 */
int agree_gap(struct agree *agree, uint64_t from, uint64_t to);

/* Each returns 0; ENOMEM; or ECANCELED: found said so. */
int agree_change(struct agree *agree, const struct change *change);
int agree_row(struct agree *agree, const struct row *row);

/* All rows came: see whether one is missing. */
int agree_missing(struct agree *agree);

/* All rows came, and each could be read: see whether they are all together what they must be. */
int agree_digest(struct agree *agree);

#endif
