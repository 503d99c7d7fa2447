/*
 * The files of Berkeley DB's log as they lie on the disk, read without Berkeley DB: to that
 * the first record that it cannot read is the end, whatever stands behind it.
 *
 * A file has its full size, of zeros, from the begin. It begins with a record of its own kind.
 * Each record begins with the offset of the one before it, its length and a sum; the numbers
 * are in the order of the machine.
 *
 * SPDX-License-Identifier: BSD-3-Clause
 */
#ifndef STORE_WAL_H
#define STORE_WAL_H

#include "mupdated/store/page.h"

enum wal_state {
    WAL_GOOD,
    WAL_NONE,      /* there is no file */
    WAL_GAP,       /* a file between two others is missing */
    WAL_DAMAGED,   /* a record was damaged after it was written */
    WAL_CUT,       /* a file is shorter than it was made */
    WAL_UNREADABLE, /* a file cannot be read, or is none of the log */
};

struct wal {
    enum wal_state state; /* the worst that was found */
    struct page_place at; /* where; of WAL_GAP the file that is missing, offset 0 */
    int code;             /* WAL_UNREADABLE: an errno code, or 0 */
    uint32_t first;       /* number of the first file */
    uint32_t last;
    struct page_place end;    /* behind the last record that can be read */
    struct page_place needed; /* from where on recovery reads; file 0: there is no checkpoint */
    bool torn;    /* the last write did not get to its end; nobody was told that it had */
    bool used;    /* a transaction was made durable in it */
};

/*
 * Read the log in a directory that nobody uses; the last file only, or all of them. 0, or an errno
 * code: the directory cannot be read, or ENOMEM.
 */
int wal_read(struct wal *wal, const char *directory, bool all);

/* The words for a state. */
const char *wal_state_text(enum wal_state state);

#endif
