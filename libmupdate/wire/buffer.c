/* SPDX-License-Identifier: BSD-3-Clause */
#include "wire/buffer.h"

#include <stdlib.h>
#include <string.h>

/* What an empty buffer may keep for the next use. */
#define KEEP_BYTES 4096

void buffer_init(struct buffer *buffer)
{
    memset(buffer, 0, sizeof *buffer);
}

/*
 * Only data[start] .. data[end - 1] of a secret buffer is ever anything else than
 * wiped or never written, so that nothing else needs to be wiped.
 */
static void wipe(struct buffer *buffer, size_t from, size_t to)
{
    if (buffer->secret && buffer->data && from < to)
        explicit_bzero(buffer->data + from, to - from);
}

void buffer_free(struct buffer *buffer)
{
    bool secret = buffer->secret;

    wipe(buffer, buffer->start, buffer->end);
    free(buffer->data);
    buffer_init(buffer);
    buffer->secret = secret;
}

uint8_t *buffer_reserve(struct buffer *buffer, size_t len)
{
    size_t held = buffer_len(buffer);

    if (buffer->failed)
        return NULL;
    if (buffer->size - buffer->end >= len && buffer->data)
        return buffer->data + buffer->end;

    /*
     * Moving the bytes to the front costs held; it is only done when at least
     * as many were consumed since, so that a long queue is not moved for every
     * few bytes.
     */
    if (buffer->start >= held && buffer->size - held >= len && buffer->data) {
        memmove(buffer->data, buffer->data + buffer->start, held);
        wipe(buffer, buffer->start, buffer->end);
    } else {
        size_t size = buffer->size < 256 ? 256 : buffer->size;
        uint8_t *data;

        /* With as much room as is held, so that the next move is that far away. */
        while (size - held < len || size / 2 < held) {
            if (size > SIZE_MAX / 2) {
                buffer->failed = true;
                return NULL;
            }
            size *= 2;
        }
        data = malloc(size);
        if (!data) {
            buffer->failed = true;
            return NULL;
        }
        if (buffer->data)
            memcpy(data, buffer->data + buffer->start, held);
        wipe(buffer, buffer->start, buffer->end);
        free(buffer->data);
        buffer->data = data;
        buffer->size = size;
    }
    buffer->start = 0;
    buffer->end = held;
    return buffer->data + buffer->end;
}

void buffer_added(struct buffer *buffer, size_t len)
{
    buffer->end += len;
}

void buffer_append(struct buffer *buffer, const void *data, size_t len)
{
    uint8_t *to;

    if (len == 0)
        return;
    to = buffer_reserve(buffer, len);
    if (!to)
        return;
    memcpy(to, data, len);
    buffer_added(buffer, len);
}

void buffer_append_string(struct buffer *buffer, const char *string)
{
    buffer_append(buffer, string, strlen(string));
}

void buffer_consume(struct buffer *buffer, size_t len)
{
    wipe(buffer, buffer->start, buffer->start + len);
    buffer->start += len;
    if (buffer->start == buffer->end)
        buffer_clear(buffer);
}

void buffer_clear(struct buffer *buffer)
{
    wipe(buffer, buffer->start, buffer->end);
    if (buffer->size > KEEP_BYTES) {
        free(buffer->data);
        buffer->data = NULL;
        buffer->size = 0;
    }
    buffer->start = 0;
    buffer->end = 0;
}
