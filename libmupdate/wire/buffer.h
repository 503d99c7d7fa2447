/*
 * A queue of bytes: appended at the end, consumed at the front.
 *
 * Running out of memory is remembered: the buffer is then "failed", further
 * appends do nothing, and whoever fills it checks once, at the end.
 *
 * What may hold a password goes through buffers that are secret: they overwrite
 * each byte that leaves them, also when they move and when they are freed.
 *
 * SPDX-License-Identifier: BSD-3-Clause
 */
#ifndef WIRE_BUFFER_H
#define WIRE_BUFFER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct buffer {
    uint8_t *data; /* allocated; the bytes held are data[start] .. data[end - 1] */
    size_t start;
    size_t end;
    size_t size;
    bool failed;
    bool secret; /* set it while the buffer is empty; stays over buffer_free() */
};

/* All zero is an empty buffer too: buffer_init() is for those on the stack. */
void buffer_init(struct buffer *buffer);

/* Release the memory; the buffer is empty, not failed, and usable again, secret if it was. */
void buffer_free(struct buffer *buffer);

/*
 * Make room for len more bytes and return where they go, or NULL when there is
 * no memory (the buffer is then failed). Call buffer_added() with what was
 * really written. The pointer lasts until the next call on this buffer.
 */
uint8_t *buffer_reserve(struct buffer *buffer, size_t len);
void buffer_added(struct buffer *buffer, size_t len);

void buffer_append(struct buffer *buffer, const void *data, size_t len);
void buffer_append_string(struct buffer *buffer, const char *string);

/* Drop the first len bytes (len <= buffer_len()). */
void buffer_consume(struct buffer *buffer, size_t len);

/* Drop everything, keep a small allocation and give a large one back. */
void buffer_clear(struct buffer *buffer);

static inline size_t buffer_len(const struct buffer *buffer)
{
    return buffer->end - buffer->start;
}

/* The bytes held; valid until the next call that changes the buffer. */
static inline uint8_t *buffer_bytes(const struct buffer *buffer)
{
    return buffer->data ? buffer->data + buffer->start : NULL;
}

#endif
