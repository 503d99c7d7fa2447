/*
 * Two tables compared row by row in octet order, in the memory of one row of each: which rows
 * differ, and in what.
 *
 * SPDX-License-Identifier: BSD-3-Clause
 */
#ifndef MUPDATECTL_COMPARE_H
#define MUPDATECTL_COMPARE_H

#include <jansson.h>

#include "tools/mupdatectl/differences.h"

/* What two rows of one name differ in. */
enum ctl_differs {
    CTL_DIFFERS_ONLY_HERE = 1,
    CTL_DIFFERS_ONLY_THERE = 2,
    CTL_DIFFERS_STATE = 4,
    CTL_DIFFERS_LOCATION = 8,
    CTL_DIFFERS_ACL = 16,
    /* With a back-end's own list; ctl_differs() does not know these. */
    CTL_DIFFERS_ELSEWHERE = 32,   /* it is another back-end's here */
    CTL_DIFFERS_RESERVATION = 64, /* only here, and reserved */
    CTL_DIFFERS_UNREAD = 128,     /* what the other has could not be read: it is not compared */
};
#define CTL_DIFFERS_KINDS 8

/* 0: they are the same, or both absent. ACLs are compared of active rows only. */
unsigned ctl_differs(const struct mupdate_row *here, const struct mupdate_row *there);

struct ctl_compared {
    uint64_t same;
    uint64_t different;
    uint64_t unread; /* entries of the other that are not compared; their names are not counted */
    uint64_t kinds[CTL_DIFFERS_KINDS]; /* a row may differ in more than one way */
};

/* Count a name, and how its rows differ. */
void ctl_compared_count(struct ctl_compared *compared, unsigned differs);

/*
 * Call pair for each name that any of the three has, with the row of here or there absent if it
 * has none. The rows are valid during the call. unread: that source, whose rows are all absent, has
 * the name. It returns an exit status, and has said what is wrong; the first that is not 0 ends it.
 * Exit status.
 */
typedef int ctl_pair(void *context, const struct mupdate_row *here,
                     const struct mupdate_row *there, bool unread);
int ctl_compare(const struct ctl_source *here, const struct ctl_source *there,
                const struct ctl_source *unread, ctl_pair *pair, void *context);

/*
 * Print the pair: for people a line for each way in which it differs, with tabs between: that
 * way, the name, what is here, what is there; with json one object. Exit status.
 */
int ctl_differs_print(unsigned differs, const struct mupdate_row *here,
                      const struct mupdate_row *there, bool json);

/* Print the counts, and more, which is released: {"verdict": "different", ...}. Exit status. */
int ctl_compared_print_json(const struct ctl_compared *compared, json_t *more);

/* The same for people, without the end of the line: "DIFFERENT: 5 rows: 1 only-here, ...". */
void ctl_compared_print(const struct ctl_compared *compared);

/* CTL_EXIT_FOUND unless all was compared and is the same. */
int ctl_compared_status(const struct ctl_compared *compared);

#endif
