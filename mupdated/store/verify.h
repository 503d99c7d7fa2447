/*
 * The whole look at a table: its files, Berkeley DB's log, every page, every record, and whether
 * they agree. Nothing is stopped by the first thing that is wrong.
 *
 * SPDX-License-Identifier: BSD-3-Clause
 */
#ifndef STORE_VERIFY_H
#define STORE_VERIFY_H

#include "mupdated/store/copy.h"
#include "mupdated/store/work.h"
#include "mupdated/table/rule.h"

enum verify_kind {
    VERIFY_FILE,      /* a file is missing, or is none of the table */
    VERIFY_LOG,       /* Berkeley DB's log */
    VERIFY_RECOVERY,  /* Berkeley DB cannot recover the table */
    VERIFY_PAGE,
    VERIFY_STRUCTURE, /* how the pages hang together */
    VERIFY_IDENTITY,  /* meta.db */
    VERIFY_RECORD,    /* cannot be read */
    VERIFY_RULE,      /* a row that nobody could have stored */
    VERIFY_SEQUENCE,  /* a change is missing in the log of changes */
    VERIFY_AGREEMENT, /* two things contradict each other */
};
#define VERIFY_KINDS (VERIFY_AGREEMENT + 1)

/* Something is wrong. Valid during the call. */
struct verify_finding {
    enum verify_kind kind;
    const char *file;         /* in which */
    struct mupdate_text name; /* of a row; empty: of none */
    uint64_t sequence;        /* of a change; 0: of none */
    const char *text;         /* what is wrong, with where in the file */
};
typedef void verify_found(void *context, const struct verify_finding *finding);

/* So many pages of so many were looked at; each is, more than once. */
typedef void verify_progress(void *context, uint64_t done, uint64_t total);

/* "file", "log" ... */
const char *verify_kind_name(enum verify_kind kind);

struct verify_options {
    /* A copy of a table, nobody else's, which is recovered: work_copy() or store_backup(). */
    const char *directory;
    bool hot; /* by store_backup(), of a table in use */
    const struct work_unread *unread; /* what work_copy() could not read; NULL: nothing */
    const struct rule_policy *policy; /* what a row may be */
    verify_found *found;
    verify_progress *progress; /* NULL: none */
    void *context;             /* of both */
};

struct verify_summary {
    uint64_t findings;
    uint64_t rows;    /* that could be read */
    uint64_t changes;
    struct store_position position; /* as far as it can be told */
    uint64_t base;                  /* the number that a loaded table began with */
    uint32_t format;
    bool confirmed;
    bool identified; /* meta.db told all that it must */
    bool torn;       /* the last write before it was stopped did not get to its end */
};

/*
 * Look. STORE_OK: at everything that could be looked at, and *summary says what came of it;
 * STORE_ABSENT: there is no table; STORE_NEWER; STORE_REFUSED: it cannot be told, for want of
 * memory.
 */
enum store_result store_verify(const struct verify_options *options,
                               struct verify_summary *summary, struct store_error *error);

#endif
