/*
 * Make a whole table at once, from rows that come in order: for loads, imports
 * and repairs. A million rows take some seconds.
 *
 * SPDX-License-Identifier: BSD-3-Clause
 */
#ifndef STORE_BUILD_H
#define STORE_BUILD_H

#include "mupdated/store/store.h"

struct store_build;

/*
 * Begin a new table in options->directory, where there must be none. It has a history id of
 * its own and term 1, is not confirmed, and its log of changes is empty: the next change has
 * the number sequence + 1. STORE_OK; otherwise as store_open(), or STORE_REFUSED when there is a
 * table already, and *build is NULL.
 */
enum store_result store_build_begin(struct store_build **build, const struct store_options *options,
                                    uint64_t sequence, struct store_error *error);

/*
 * Put a row, not absent, whose name is behind that of the row before in octet order and whose
 * sequence is 1 to that of the table. STORE_OK; STORE_REFUSED (it is not so, full disk, out of
 * memory) or STORE_BROKEN: only store_build_abandon() may follow.
 */
enum store_result store_build_row(struct store_build *build, const struct row *row,
                                  struct store_error *error);

/*
 * Put a change behind those before it: the numbers are dense, and the last is that of the
 * table, with its digest. All rows came before. Results as of store_build_row().
 */
enum store_result store_build_change(struct store_build *build, const struct change *change,
                                     struct store_error *error);

/*
 * Have the table be the one that it is made from: with its history and term, with the number
 * that it began with if it was loaded, and confirmed if that was. Right before store_build_end().
 */
void store_build_same(struct store_build *build, const struct store_position *position,
                      uint64_t base, bool confirmed);

/* Make the table whole and durable and close it. build is freed, whatever is returned. */
enum store_result store_build_end(struct store_build *build, struct store_error *error);

/* Give up; what there is in the directory is no table that could be opened. NULL is allowed. */
void store_build_abandon(struct store_build *build);

#endif
