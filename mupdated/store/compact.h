/*
 * A table made anew from itself, in files without the holes that deleted rows and dropped changes
 * have left: those are used again, but never given back to the disk.
 *
 * Berkeley DB can do that in place, beside batches. It was tried: each file then has moments
 * in which no batch can be committed (most of a second with 200,000 rows, growing with the
 * file, and with as many locks as there are free pages), and a table has no second copy
 * meanwhile.
 *
 * SPDX-License-Identifier: BSD-3-Clause
 */
#ifndef STORE_COMPACT_H
#define STORE_COMPACT_H

#include "mupdated/store/store.h"

/* Rows and changes that were written so far. */
typedef void store_compacted(void *context, uint64_t done);

/*
 * Make the table that store is in options->directory, where there must be none: the same rows and
 * changes, history, term and confirmation; durable when this returns. *counts is what was
 * written. No batch may be under way. Results as of store_build_begin() and store_build_row();
 * after a failure what there is in the directory is no table.
 */
enum store_result store_compact(struct store *store, const struct store_options *options,
                                store_compacted *compacted, void *context,
                                struct store_counts *counts, struct store_error *error);

#endif
