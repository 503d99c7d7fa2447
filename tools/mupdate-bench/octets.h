/*
 * Octets on their way in or out of a connection. A buffer that is all zero is
 * empty; free(data) when it is not needed any more.
 *
 * SPDX-License-Identifier: BSD-3-Clause
 */
#ifndef MUPDATE_BENCH_BUFFER_H
#define MUPDATE_BENCH_BUFFER_H

#include <stddef.h>
#include <stdint.h>

struct buffer {
    char *data;
    size_t start; /* the octets from here ... */
    size_t end;   /* ... to here are waiting */
    size_t size;
};

/*
 * Make room for more octets behind end. What waits may move. Ends the process
 * (report_failure()) when 4 MB or the memory do not suffice.
 */
void buffer_reserve(struct buffer *buffer, size_t more);

/* Append octets, or a number in digits, to room that was reserved. */
void buffer_put(struct buffer *buffer, const char *data, size_t len);
void buffer_put_number(struct buffer *buffer, uint64_t number);

#endif
