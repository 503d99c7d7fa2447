/*
 * SPDX-License-Identifier: BSD-3-Clause
 */
#include "octets.h"

#include <stdlib.h>
#include <string.h>
#include <sysexits.h>

#include "report.h"

enum { OCTETS_BYTES = 1 << 14, OCTETS_MAX_BYTES = 1 << 22 };

void octets_reserve(struct octets *octets, size_t more)
{
    if (octets->start == octets->end) {
        octets->start = octets->end = 0;
    }
    if (octets->size - octets->end >= more) {
        return;
    }
    if (octets->start > 0) {
        memmove(octets->data, octets->data + octets->start, octets->end - octets->start);
        octets->end -= octets->start;
        octets->start = 0;
    }
    size_t size = octets->size == 0 ? OCTETS_BYTES : octets->size;
    while (size - octets->end < more) {
        size *= 2;
    }
    if (size == octets->size) {
        return;
    }
    if (size > OCTETS_MAX_BYTES) {
        report_failure(EX_PROTOCOL, "a line or message longer than %d octets", OCTETS_MAX_BYTES);
    }
    char *data = realloc(octets->data, size);
    if (data == NULL) {
        report_failure(EX_OSERR, "no memory for a buffer of %zu octets", size);
    }
    octets->data = data;
    octets->size = size;
}

void octets_put(struct octets *octets, const char *data, size_t len)
{
    memcpy(octets->data + octets->end, data, len);
    octets->end += len;
}

void octets_put_number(struct octets *octets, uint64_t number)
{
    char digits[20];
    size_t at = sizeof(digits);
    do {
        digits[--at] = (char)('0' + number % 10);
        number /= 10;
    } while (number > 0);
    octets_put(octets, digits + at, sizeof(digits) - at);
}
