/*
 * A table to take apart: a copy of the files of one that nobody uses, so that whatever is done
 * to it the only one stays as it is.
 *
 * SPDX-License-Identifier: BSD-3-Clause
 */
#ifndef STORE_WORK_H
#define STORE_WORK_H

#include "mupdated/store/copy.h"

/* What a table is made of. */
enum work_part {
    WORK_ROWS = 1,
    WORK_CHANGES = 2,
    WORK_META = 4,
    WORK_LOG = 8, /* Berkeley DB's log */
    WORK_ALL = 15,
};

/* What the disk could not read. */
struct work_unread {
    uint64_t octets;
    char file[256]; /* the last one that has some */
};

/*
 * Copy these parts of the table in from into the directory to, which exists and has none of
 * them. The caller holds the lock of from. A file that the disk cannot read all of is copied
 * with octets that look like damage in the place of what it cannot, and *unread is filled. It
 * and progress may be NULL. STORE_OK, or STORE_REFUSED: no room, or another error, or progress
 * said so.
 */
enum store_result work_copy(const char *from, const char *to, unsigned parts,
                            store_progress *progress, void *context, struct work_unread *unread,
                            struct store_error *error);

/* Remove all files of a directory. 0 or an errno code. */
int work_clear(const char *directory);

/*
 * Have Berkeley DB recover what is in a directory, all of its log or what the last checkpoint
 * left, so that its files need no log; nothing is opened as a table. STORE_OK or STORE_BROKEN
 * with its words.
 */
enum store_result work_recover(const char *directory, bool all, struct store_error *error);

#endif
