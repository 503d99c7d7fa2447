/*
 * A table to take apart: a copy of the files of one that nobody uses, so that whatever is done
 * to it the only one stays as it is.
 *
 * SPDX-License-Identifier: BSD-3-Clause
 */
#ifndef STORE_WORK_H
#define STORE_WORK_H

#include "mupdated/store/copy.h"

/* Whether a name in a table's directory is of a file that the table is made of. */
bool work_is_file(const char *name);

/* What work_copy() will take of the disk. 0 or an errno code. */
int work_size(const char *directory, uint64_t *bytes);

/*
 * Copy the files of the table in from into the directory to, which exists and has none of them. The
 * caller holds the lock of from. A file that the disk cannot read all of is copied with
 * zeros in the place of what it cannot. progress may be NULL. STORE_OK, or STORE_REFUSED: no room,
 * or another error, or progress said so.
 */
enum store_result work_copy(const char *from, const char *to, store_progress *progress,
                            void *context, struct store_error *error);

/*
 * Have Berkeley DB recover what is in a directory, all of its log or what the last checkpoint
 * left, so that its files need no log; nothing is opened as a table. STORE_OK or STORE_BROKEN with its
 * words.
 */
enum store_result work_recover(const char *directory, bool all, struct store_error *error);

#endif
