/*
 * Octets on their way in or out of a connection. What is all zero is empty;
 * free(data) when it is not needed any more.
 *
 * SPDX-License-Identifier: BSD-3-Clause
 */
#ifndef MUPDATE_BENCH_OCTETS_H
#define MUPDATE_BENCH_OCTETS_H

#include <stddef.h>
#include <stdint.h>

struct octets {
    char *data;
    size_t start; /* the octets from here ... */
    size_t end;   /* ... to here are waiting */
    size_t size;
};

/*
 * Make room for more octets behind end. What waits may move. Ends the process
 * (report_failure()) when 4 MB or the memory do not suffice.
 */
void octets_reserve(struct octets *octets, size_t more);

/* Append octets, or a number in digits, to room that was reserved. */
void octets_put(struct octets *octets, const char *data, size_t len);
void octets_put_number(struct octets *octets, uint64_t number);

#endif
