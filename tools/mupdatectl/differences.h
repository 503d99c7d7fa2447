/*
 * Two tables compared, row by row in octet order, in the memory of one row of each:
 * what would change, by server.
 *
 * SPDX-License-Identifier: BSD-3-Clause
 */
#ifndef MUPDATECTL_DIFFERENCES_H
#define MUPDATECTL_DIFFERENCES_H

#include <stdbool.h>
#include <stddef.h>

#include "mupdated/table/row.h"

/*
 * Rows in octet order of their names. *row is valid until the next call. False at the end, and
 * when it failed: *status is then an exit status, and the reason was said.
 */
struct ctl_source {
    bool (*next)(void *context, struct row *row, int *status);
    void *context;
};

struct ctl_difference {
    char *server; /* NULL: of all */
    size_t server_len;
    uint64_t same;
    uint64_t added;
    uint64_t removed;
    uint64_t changed; /* state, partition or ACL */
    uint64_t arrived; /* from another server */
    uint64_t left;    /* to another server */
};

struct ctl_differences {
    struct ctl_difference all;
    struct ctl_difference *servers; /* in octet order of their names */
    size_t count;
    size_t size;
};

/* Compare what there is with what is to be. Exit status; to be freed in any case. */
int ctl_differences_find(struct ctl_differences *differences, const struct ctl_source *now,
                         const struct ctl_source *then);
void ctl_differences_free(struct ctl_differences *differences);

/* Print a table, or with json an object for each server and one of all. Exit status. */
int ctl_differences_print(const struct ctl_differences *differences, bool json);

#endif
