/*
 * All that can be read of a damaged table, from wherever it can: after a recovery of a copy, of
 * those of its files that can be recovered; from Berkeley DB's log alone when that reaches back
 * to the begin; or else from the pages as they lie there. The table itself is only read.
 *
 * SPDX-License-Identifier: BSD-3-Clause
 */
#ifndef STORE_SALVAGE_H
#define STORE_SALVAGE_H

#include "mupdated/store/copy.h"
#include "mupdated/store/meta.h"
#include "mupdated/table/rule.h"

/* Rows and changes, each in memory of its own. */
struct salvage_list {
    struct change **changes; /* of a row: the change that made it, as far as the row tells */
    size_t count;
    size_t size;
};

/* What was done, or (lost) what is lost or doubtful: a line without its end. */
typedef void salvage_said(void *context, bool lost, const char *text);

/* So much of it is done: "reading", "building"; what is static, total 0 when it is not known. */
typedef void salvage_progress(void *context, const char *what, uint64_t done, uint64_t total);

struct salvage {
    const char *directory; /* the table; the caller holds its lock */
    const char *work;      /* an empty directory for copies of it */
    const struct rule_policy *policy;
    salvage_said *said;
    salvage_progress *progress; /* NULL: none */
    void *context;              /* of both */

    bool log_is_whole; /* Berkeley DB's log lacks nothing that anybody was told of */
    struct meta meta;
    bool identified;   /* meta tells all that it must, and nothing that is wrong */
    struct salvage_list rows;
    bool rows_are_whole;
    struct salvage_list changes; /* in order, with gaps */
    uint64_t unread;             /* the last change of which only the number can be read; 0: none */
    bool end_is_known;           /* no change may be behind the last one */
    int code;
};

/*
 * Read it; the fields up to context are set, the others zero. STORE_OK; STORE_NEWER;
 * STORE_REFUSED: no room, no memory.
 */
enum store_result salvage_read(struct salvage *salvage, struct store_error *error);
void salvage_free(struct salvage *salvage);

/* Add a copy. False: out of memory. */
bool salvage_list_add(struct salvage_list *list, const struct change *change);

#endif
