/* SPDX-License-Identifier: BSD-3-Clause */
#include <stdlib.h>
#include <string.h>

#include "layer/sasl_internal.h"

/*
 * Packets are decoded whole, so at most this and one packet come out at once
 * beyond the limit.
 */
#define SLICE_BYTES 4096

/* The largest limit that a peer can announce. */
#define PEER_PACKET_BYTES 0xffffff

struct sasl_layer {
    struct layer layer;
    sasl_conn_t *conn;
    unsigned bits;
    unsigned send_bytes; /* the most that the peer takes in one packet, decoded */
    bool ordered;        /* order is to be checked */
    struct sasl_order order;
    void *owner;
    void (*owner_free)(void *owner);
    struct sasl_failure failure;
};

static enum layer_result layer_receive(struct layer *layer, struct buffer *in, struct buffer *up,
                                       struct buffer *down, size_t limit, bool *pending)
{
    struct sasl_layer *self = (struct sasl_layer *)layer;

    (void)down;
    *pending = false;
    while (buffer_len(up) < limit && buffer_len(in) > 0) {
        size_t take = buffer_len(in) < SLICE_BYTES ? buffer_len(in) : SLICE_BYTES;
        const char *decoded = NULL;
        unsigned len = 0;
        int code;

        if (self->ordered && !sasl_order_check(&self->order, buffer_bytes(in), take)) {
            sasl_failure_set(&self->failure, "a packet of the security layer was lost or repeated");
            return LAYER_FAILED;
        }
        code = sasl_decode(self->conn, (const char *)buffer_bytes(in), (unsigned)take, &decoded,
                           &len);
        if (code != SASL_OK) {
            sasl_failure_take(&self->failure, self->conn, code);
            return LAYER_FAILED;
        }
        buffer_consume(in, take);
        buffer_append(up, decoded, len);
    }
    return LAYER_OK;
}

static enum layer_result layer_send(struct layer *layer, const void *data, size_t len,
                                    struct buffer *down)
{
    struct sasl_layer *self = (struct sasl_layer *)layer;
    const char *bytes = data;

    while (len > 0) {
        unsigned take = len < self->send_bytes ? (unsigned)len : self->send_bytes;
        const char *encoded = NULL;
        unsigned encoded_len = 0;
        int code = sasl_encode(self->conn, bytes, take, &encoded, &encoded_len);

        if (code != SASL_OK) {
            sasl_failure_take(&self->failure, self->conn, code);
            return LAYER_FAILED;
        }
        buffer_append(down, encoded, encoded_len);
        bytes += take;
        len -= take;
    }
    return LAYER_OK;
}

static const char *layer_error(const struct layer *layer)
{
    return ((const struct sasl_layer *)layer)->failure.text;
}

static void layer_free(struct layer *layer)
{
    struct sasl_layer *self = (struct sasl_layer *)layer;

    self->owner_free(self->owner);
    free(self);
}

static const struct layer_ops layer_ops = {
    .kind = LAYER_SASL,
    .receive = layer_receive,
    .send = layer_send,
    .error = layer_error,
    .free = layer_free,
};

unsigned sasl_layer_bits(const struct layer *layer)
{
    return ((const struct sasl_layer *)layer)->bits;
}

static bool is_kerberos(sasl_conn_t *conn)
{
    const void *name = NULL;

    return sasl_getprop(conn, SASL_MECHNAME, &name) == SASL_OK && name && strcmp(name, GSSAPI) == 0;
}

struct layer *sasl_layer_new(sasl_conn_t *conn, const struct sasl_order *order, void *owner,
                             void (*owner_free)(void *owner), bool *failed,
                             struct sasl_failure *failure)
{
    struct sasl_layer *self;
    const void *bits = NULL;
    const void *most = NULL;
    unsigned send_bytes;

    *failed = true;
    if (sasl_getprop(conn, SASL_SSF, &bits) != SASL_OK || !bits) {
        sasl_failure_set(failure, "the strength of the security layer is unknown");
        return NULL;
    }
    if (*(const sasl_ssf_t *)bits == 0) {
        *failed = false;
        return NULL;
    }
    send_bytes = sasl_getprop(conn, SASL_MAXOUTBUF, &most) == SASL_OK && most
                     ? *(const unsigned *)most
                     : 0;
    /*
     * Where the peer's limit leaves no room for data Cyrus-SASL has put our own in its
     * place, which leaves less, or counted below zero.
     */
    if (send_bytes == 0 || send_bytes == PACKET_BYTES || send_bytes > PEER_PACKET_BYTES) {
        sasl_failure_set(failure, "the peer takes no packet of the security layer");
        return NULL;
    }
    if (is_kerberos(conn) && !order->known) {
        sasl_failure_set(failure, "Kerberos: the key is of an old kind, whose packets could be "
                                  "repeated: give the principals keys for AES");
        return NULL;
    }
    self = calloc(1, sizeof *self);
    if (!self) {
        sasl_failure_set(failure, "out of memory");
        return NULL;
    }
    *failed = false;
    self->layer.ops = &layer_ops;
    self->conn = conn;
    self->bits = *(const sasl_ssf_t *)bits;
    self->send_bytes = send_bytes;
    self->ordered = is_kerberos(conn);
    self->order = *order;
    self->owner = owner;
    self->owner_free = owner_free;
    return &self->layer;
}
