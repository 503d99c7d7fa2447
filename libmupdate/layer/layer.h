/*
 * Layers between a socket and a session: TLS, a SASL security layer, DEFLATE.
 * Each turns bytes into bytes, for either side of a connection, without I/O.
 *
 * A stack of them stands as  socket - TLS - SASL - DEFLATE - session.  What
 * the peer sent goes up through layer_stack_receive(), what the session says
 * goes down through layer_stack_send(). An empty stack copies, whatever the
 * limit is: its output is what the caller holds in memory already.
 *
 * A stack belongs to one thread at a time.
 *
 * SPDX-License-Identifier: BSD-3-Clause
 */
#ifndef LAYER_LAYER_H
#define LAYER_LAYER_H

#include <stdbool.h>
#include <stddef.h>

#include "wire/buffer.h"

enum layer_result {
    LAYER_OK,
    LAYER_CLOSED, /* the peer ended the layer in an orderly way (TLS close_notify) */
    LAYER_FAILED, /* broken input, a failed handshake or no memory: drop the connection */
};

struct layer;

/* What a layer can do. The order of kinds is the order in the stack. */
enum layer_kind { LAYER_TLS, LAYER_SASL, LAYER_DEFLATE };
#define LAYER_KINDS 3

struct layer_ops {
    enum layer_kind kind;
    /*
     * Take bytes from in (consuming what is used), append what the session may
     * see to up until it holds limit bytes or more, and append what the layer
     * itself has to say to the peer (handshake, alert) to down. It may leave
     * bytes in `in`, or keep some, when the limit is reached: it is then called
     * again, with or without new bytes. *pending says whether more output could
     * be had without new input. LAYER_CLOSED comes after the last byte only;
     * down may hold an alert for the peer after LAYER_FAILED.
     */
    enum layer_result (*receive)(struct layer *layer, struct buffer *in, struct buffer *up,
                                 struct buffer *down, size_t limit, bool *pending);
    /*
     * Encode len bytes for the peer, all of them, flushed, and append them to
     * down. What is sent before a handshake is complete waits inside and
     * goes out with its last step.
     */
    enum layer_result (*send)(struct layer *layer, const void *data, size_t len,
                              struct buffer *down);
    /* Say that nothing more will be sent (TLS close_notify); may be NULL. */
    void (*finish)(struct layer *layer, struct buffer *down);
    /* What went wrong, in words for a log; never NULL. */
    const char *(*error)(const struct layer *layer);
    void (*free)(struct layer *layer);
};

/* The first member of every layer. */
struct layer {
    const struct layer_ops *ops;
};

struct layer_stack {
    struct layer *layers[LAYER_KINDS]; /* by kind; NULL: none */
    struct buffer received[LAYER_KINDS]; /* bytes that wait below layer k */
    bool more[LAYER_KINDS]; /* what layer k said in *pending */
    bool pending;
    enum layer_result state; /* once CLOSED or FAILED it stays so */
    const struct layer *failed; /* whose failure it is; NULL: memory ran out */
};

void layer_stack_init(struct layer_stack *stack);

/* Frees all layers. */
void layer_stack_close(struct layer_stack *stack);

/*
 * Add a layer, which the stack then owns. False when the stack has one of its
 * kind or of one above it: what already went through that one would come up
 * later, past the new layer. The layer is then still the caller's.
 */
bool layer_stack_push(struct layer_stack *stack, struct layer *layer);

/* The layer of a kind, or NULL. */
struct layer *layer_stack_get(const struct layer_stack *stack, enum layer_kind kind);

/*
 * Bytes from the peer go up. Appends to up until it holds limit bytes or more
 * (at most 68 kB more, with a SASL layer); what does not fit waits
 * inside (at most len, plus one record of each layer), and
 * layer_stack_pending() is then true: call again with len 0 when up was
 * emptied, before more is read from the peer. Bytes for the peer (a TLS
 * handshake, an alert also when the result is LAYER_FAILED) are appended to
 * down. LAYER_CLOSED comes when all that the peer sent before it is in up.
 */
enum layer_result layer_stack_receive(struct layer_stack *stack, const void *data, size_t len,
                                      struct buffer *up, struct buffer *down, size_t limit);

bool layer_stack_pending(const struct layer_stack *stack);

/*
 * Bytes for the peer go down; appended to down, ready for the socket. Works
 * after LAYER_CLOSED too: the peer may still listen.
 */
enum layer_result layer_stack_send(struct layer_stack *stack, const void *data, size_t len,
                                   struct buffer *down);

/* Appends what the layers say at an orderly end; nothing after LAYER_FAILED. */
void layer_stack_finish(struct layer_stack *stack, struct buffer *down);

/* What went wrong after LAYER_FAILED; "" otherwise. */
const char *layer_stack_error(const struct layer_stack *stack);

#endif
