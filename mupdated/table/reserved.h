/*
 * When the rows that are reserved came to be so: those that have been for too
 * long can be counted at any time, without a walk of the table.
 *
 * SPDX-License-Identifier: BSD-3-Clause
 */
#ifndef TABLE_RESERVED_H
#define TABLE_RESERVED_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct reserved_moment {
    uint64_t sequence; /* of the change that reserved it */
    int64_t time_us;   /* INT64_MAX: it is not reserved any more */
};

/* All zero is empty. Up to half of the moments are of rows that are not reserved any more. */
struct reserved {
    struct reserved_moment *moments; /* in the order of their sequences */
    size_t count;
    size_t size;
    size_t over; /* moments that are over */
};

void reserved_close(struct reserved *reserved);

/* Make room for one more moment. False: out of memory, nothing is changed. */
bool reserved_make_room(struct reserved *reserved);

/*
 * A row is reserved; there must be room. The sequence is greater than all before, or
 * reserved_sort() has to come before the next removal.
 */
void reserved_add(struct reserved *reserved, uint64_t sequence, int64_t time_us);
void reserved_sort(struct reserved *reserved);

/* It is not any more. It was added with this sequence. */
void reserved_remove(struct reserved *reserved, uint64_t sequence);

/* How many are reserved since that time or longer. Looks at all of them. */
uint64_t reserved_until(const struct reserved *reserved, int64_t time_us);

#endif
