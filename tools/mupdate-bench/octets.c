/*
 * SPDX-License-Identifier: BSD-3-Clause
 */
#include "buffer.h"

#include <stdlib.h>
#include <string.h>
#include <sysexits.h>

#include "report.h"

enum { BUFFER_BYTES = 1 << 14, BUFFER_MAX_BYTES = 1 << 22 };

void buffer_reserve(struct buffer *buffer, size_t more)
{
    if (buffer->start == buffer->end) {
        buffer->start = buffer->end = 0;
    }
    if (buffer->size - buffer->end >= more) {
        return;
    }
    if (buffer->start > 0) {
        memmove(buffer->data, buffer->data + buffer->start, buffer->end - buffer->start);
        buffer->end -= buffer->start;
        buffer->start = 0;
    }
    size_t size = buffer->size == 0 ? BUFFER_BYTES : buffer->size;
    while (size - buffer->end < more) {
        size *= 2;
    }
    if (size == buffer->size) {
        return;
    }
    if (size > BUFFER_MAX_BYTES) {
        report_failure(EX_PROTOCOL, "a line or message longer than %d octets", BUFFER_MAX_BYTES);
    }
    char *data = realloc(buffer->data, size);
    if (data == NULL) {
        report_failure(EX_OSERR, "no memory for a buffer of %zu octets", size);
    }
    buffer->data = data;
    buffer->size = size;
}

void buffer_put(struct buffer *buffer, const char *data, size_t len)
{
    memcpy(buffer->data + buffer->end, data, len);
    buffer->end += len;
}

void buffer_put_number(struct buffer *buffer, uint64_t number)
{
    char digits[20];
    size_t at = sizeof(digits);
    do {
        digits[--at] = (char)('0' + number % 10);
        number /= 10;
    } while (number > 0);
    buffer_put(buffer, digits + at, sizeof(digits) - at);
}
