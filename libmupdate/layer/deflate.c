/* SPDX-License-Identifier: BSD-3-Clause */
#include "layer/deflate.h"

#include <stdio.h>
#include <stdlib.h>

#define ZLIB_CONST
#include <zlib.h>

/* Raw deflate with the largest window: what peers of RFC 4978 send and expect. */
#define WINDOW_BITS (-15)

/*
 * Rows of mailboxes look so much like each other that more effort or memory
 * gains next to nothing; these keep a connection at about 200 kB.
 */
#define LEVEL 3
#define MEMORY_LEVEL 6

#define CHUNK_BYTES 16384

/* zlib counts in unsigned int. */
#define SLICE_BYTES ((size_t)1 << 30)

struct deflate_layer {
    struct layer layer;
    z_stream deflater;
    z_stream inflater;
    char error[128];
};

static enum layer_result deflate_failed(struct deflate_layer *self, const char *what,
                                        const z_stream *stream, int code)
{
    const char *why = stream->msg ? stream->msg : zError(code);

    snprintf(self->error, sizeof self->error, "DEFLATE: %s: %s", what, why);
    return LAYER_FAILED;
}

static enum layer_result deflate_receive(struct layer *layer, struct buffer *in, struct buffer *up,
                                         struct buffer *down, size_t limit, bool *pending)
{
    struct deflate_layer *self = (struct deflate_layer *)layer;
    z_stream *stream = &self->inflater;

    (void)down;
    *pending = false;
    while (buffer_len(up) < limit) {
        size_t room = limit - buffer_len(up);
        size_t take = buffer_len(in) < SLICE_BYTES ? buffer_len(in) : SLICE_BYTES;
        int code;

        if (room > CHUNK_BYTES)
            room = CHUNK_BYTES;
        stream->next_out = buffer_reserve(up, room);
        if (!stream->next_out)
            return deflate_failed(self, "decompressing", stream, Z_MEM_ERROR);
        stream->avail_out = (uInt)room;
        /* An empty buffer has no address; zlib wants one all the same. */
        stream->next_in = take ? buffer_bytes(in) : (const Bytef *)"";
        stream->avail_in = (uInt)take;
        code = inflate(stream, Z_SYNC_FLUSH);
        buffer_consume(in, take - stream->avail_in);
        buffer_added(up, room - stream->avail_out);
        if (code == Z_STREAM_END)
            return LAYER_CLOSED;
        if (code != Z_OK && code != Z_BUF_ERROR)
            return deflate_failed(self, "decompressing", stream, code);
        if (stream->avail_out > 0 && buffer_len(in) == 0)
            return LAYER_OK;
    }
    /* Full: what the inflater still holds shows only when it is asked again. */
    *pending = true;
    return LAYER_OK;
}

static enum layer_result deflate_send(struct layer *layer, const void *data, size_t len,
                                      struct buffer *down)
{
    struct deflate_layer *self = (struct deflate_layer *)layer;
    z_stream *stream = &self->deflater;
    const Bytef *bytes = data;

    while (len > 0) {
        size_t take = len < SLICE_BYTES ? len : SLICE_BYTES;

        stream->next_in = bytes;
        stream->avail_in = (uInt)take;
        bytes += take;
        len -= take;
        do {
            size_t room = take < CHUNK_BYTES ? 64 + take / 2 : CHUNK_BYTES;
            int code;

            stream->next_out = buffer_reserve(down, room);
            if (!stream->next_out)
                return deflate_failed(self, "compressing", stream, Z_MEM_ERROR);
            stream->avail_out = (uInt)room;
            code = deflate(stream, Z_SYNC_FLUSH);
            buffer_added(down, room - stream->avail_out);
            /* Z_BUF_ERROR: the flush had ended exactly with the room. */
            if (code != Z_OK && code != Z_BUF_ERROR)
                return deflate_failed(self, "compressing", stream, code);
        } while (stream->avail_out == 0);
    }
    return LAYER_OK;
}

static const char *deflate_error(const struct layer *layer)
{
    return ((const struct deflate_layer *)layer)->error;
}

static void deflate_free(struct layer *layer)
{
    struct deflate_layer *self = (struct deflate_layer *)layer;

    deflateEnd(&self->deflater);
    inflateEnd(&self->inflater);
    free(self);
}

static const struct layer_ops deflate_ops = {
    .kind = LAYER_DEFLATE,
    .receive = deflate_receive,
    .send = deflate_send,
    .error = deflate_error,
    .free = deflate_free,
};

struct layer *deflate_layer_new(void)
{
    struct deflate_layer *self = calloc(1, sizeof *self);

    if (!self)
        return NULL;
    self->layer.ops = &deflate_ops;
    if (deflateInit2(&self->deflater, LEVEL, Z_DEFLATED, WINDOW_BITS, MEMORY_LEVEL,
                     Z_DEFAULT_STRATEGY) != Z_OK) {
        free(self);
        return NULL;
    }
    if (inflateInit2(&self->inflater, WINDOW_BITS) != Z_OK) {
        deflateEnd(&self->deflater);
        free(self);
        return NULL;
    }
    return &self->layer;
}
