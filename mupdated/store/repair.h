/*
 * A new table from what is left of a damaged one.
 *
 * What is in the log of changes is what was acknowledged: each change was written to it
 * together with its row. So a row is right when it is what the newest change of its name made
 * it; and rows that the log does not reach back to are right when no page of rows is missing,
 * or when they come from a dump or a backup of the same history that is not older than the log.
 * Only if all of that is so, and Berkeley DB's log lacks nothing, is the new table the old one,
 * with its history and its log of changes. Else it is a new one, not confirmed, with all that
 * could be found.
 *
 * SPDX-License-Identifier: BSD-3-Clause
 */
#ifndef STORE_REPAIR_H
#define STORE_REPAIR_H

#include "mupdated/store/salvage.h"

/* A dump or a backup. */
struct repair_base {
    unsigned char history[STORE_HISTORY_BYTES];
    uint64_t sequence;
    /* The next row, in any order; false at the end or when it failed, with *status not 0. */
    bool (*next)(void *context, struct row *row, int *status);
    void *context;
};

struct repair_options {
    const char *directory; /* the damaged table; the caller holds its lock */
    const char *work;      /* an empty directory for copies of it */
    const struct store_options *target; /* the directory of the new table, empty */
    const struct rule_policy *policy;   /* what no row may be, whatever limits are set */
    const struct repair_base *base;     /* NULL: none */
    salvage_said *said;
    salvage_progress *progress; /* NULL: none */
    void *context;              /* of both */
};

struct repair_summary {
    uint64_t rows;      /* in the new table */
    uint64_t kept;      /* of these as the old table's rows were */
    uint64_t from_log;  /* from the log of changes, because the row was not there or older */
    uint64_t from_base; /* from the dump or backup */
    uint64_t dropped;   /* rows of the old table that the log of changes has deleted, or has not */
    uint64_t changes;   /* in the new log of changes */
    uint64_t last;      /* the next change will have the number behind it */
    bool same;          /* it is the old table: nothing is lost or doubtful */
    bool confirmed;
    int base_status;    /* exit status of repair_base.next, when that failed */
};

/*
 * Make it. STORE_OK; STORE_NEWER; STORE_REFUSED: no room, no memory; STORE_BROKEN, also
 * when base is of another history; STORE_ABSENT: nothing at all is left, and there is no base.
 */
enum store_result store_repair(const struct repair_options *options,
                               struct repair_summary *summary, struct store_error *error);

#endif
