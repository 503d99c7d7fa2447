/*
 * Rows gathered in memory, to be put in another order: some 50 octets a row beside its name and
 * its ACL, which is what mupdated itself needs for them.
 *
 * SPDX-License-Identifier: BSD-3-Clause
 */
#ifndef MUPDATECTL_GATHER_H
#define MUPDATECTL_GATHER_H

#include "mupdated/table/intern.h"
#include "mupdated/table/order.h"
#include "mupdated/table/row.h"
#include "tools/mupdatectl/differences.h"

struct ctl_gather {
    void **items;
    size_t count;
    size_t size;
    size_t next; /* which ctl_gather_next() gives */
    struct intern locations;
};

void ctl_gather_init(struct ctl_gather *gather);
void ctl_gather_free(struct ctl_gather *gather);

/* Add a copy of a row, but who and sequence. line: where it stood. False: out of memory. */
bool ctl_gather_add(struct ctl_gather *gather, const struct row *row, uint64_t line);

/* Put them in order, by name; of one name, as they were added. False: out of memory. */
bool ctl_gather_sort(struct ctl_gather *gather, enum list_order order);

/* Rows of one name, where they stood; *kept is the first of them, *gone another. */
typedef bool ctl_gather_twice(void *context, const struct row *kept, uint64_t kept_line,
                              const struct row *gone, uint64_t gone_line);

/* Once in order: of each name keep the first. False: the callback said so. */
bool ctl_gather_unite(struct ctl_gather *gather, ctl_gather_twice *twice, void *context);

/* Go back to the begin. */
void ctl_gather_rewind(struct ctl_gather *gather);

/*
 * The next row, valid until the end; its sequence is its place, from 1, and who is empty. False:
 * that was the last.
 */
bool ctl_gather_next(struct ctl_gather *gather, struct row *row);

/* From the begin, for a comparison; in octet order. */
struct ctl_source ctl_gather_source(struct ctl_gather *gather);

#endif
