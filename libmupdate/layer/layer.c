/* SPDX-License-Identifier: BSD-3-Clause */
#include "layer/layer.h"

#include <string.h>

/* What may wait between two layers: about one TLS record. */
#define BETWEEN_BYTES 16384

void layer_stack_init(struct layer_stack *stack)
{
    memset(stack, 0, sizeof *stack);
    stack->state = LAYER_OK;
}

void layer_stack_close(struct layer_stack *stack)
{
    for (int kind = 0; kind < LAYER_KINDS; kind++) {
        if (stack->layers[kind])
            stack->layers[kind]->ops->free(stack->layers[kind]);
        buffer_free(&stack->received[kind]);
    }
    layer_stack_init(stack);
}

struct layer *layer_stack_get(const struct layer_stack *stack, enum layer_kind kind)
{
    return stack->layers[kind];
}

/* The next layer above kind, or LAYER_KINDS for the session; below: from -1. */
static int layer_above(const struct layer_stack *stack, int kind)
{
    for (kind++; kind < LAYER_KINDS; kind++) {
        if (stack->layers[kind])
            break;
    }
    return kind;
}

bool layer_stack_push(struct layer_stack *stack, struct layer *layer)
{
    enum layer_kind kind = layer->ops->kind;

    if (stack->layers[kind] || layer_above(stack, (int)kind) != LAYER_KINDS)
        return false;
    stack->layers[kind] = layer;
    return true;
}

/* The next layer below kind, or -1 for the socket. */
static int layer_below(const struct layer_stack *stack, int kind)
{
    for (kind--; kind >= 0; kind--) {
        if (stack->layers[kind])
            break;
    }
    return kind;
}

static enum layer_result stack_failed(struct layer_stack *stack, const struct layer *layer)
{
    stack->state = LAYER_FAILED;
    stack->failed = layer;
    stack->pending = false;
    return LAYER_FAILED;
}

/* Send through layer kind and all below it. */
static enum layer_result send_from(struct layer_stack *stack, int kind, const void *data,
                                   size_t len, struct buffer *down)
{
    struct buffer encoded[2] = {{.secret = true}, {.secret = true}};
    struct layer *layer = NULL;
    enum layer_result result = LAYER_OK;
    int turn = 0;

    while (kind >= 0 && result == LAYER_OK) {
        int below = layer_below(stack, kind);
        struct buffer *to = below < 0 ? down : &encoded[turn];

        layer = stack->layers[kind];
        if (below >= 0)
            buffer_clear(to);
        result = layer->ops->send(layer, data, len, to);
        if (to->failed) {
            layer = NULL;
            result = LAYER_FAILED;
        }
        data = buffer_bytes(to);
        len = buffer_len(to);
        turn = !turn;
        kind = below;
    }
    buffer_free(&encoded[0]);
    buffer_free(&encoded[1]);
    if (result != LAYER_OK)
        return stack_failed(stack, layer);
    return LAYER_OK;
}

/*
 * Let one layer turn what waits below it. *moved is set when any byte moved;
 * *blocked when it had something to do and no place for it.
 */
static enum layer_result receive_one(struct layer_stack *stack, int kind, struct buffer *up,
                                     struct buffer *down, size_t limit, bool *moved, bool *blocked)
{
    struct layer *layer = stack->layers[kind];
    int above = layer_above(stack, kind);
    int below = layer_below(stack, kind);
    struct buffer *in = &stack->received[kind];
    struct buffer *out = above == LAYER_KINDS ? up : &stack->received[above];
    struct buffer said = {0};
    struct buffer *say = below < 0 ? down : &said;
    size_t in_len = buffer_len(in);
    size_t out_len = buffer_len(out);
    enum layer_result result;

    if (above != LAYER_KINDS) {
        limit = BETWEEN_BYTES;
        /* What comes out of a layer may be a password in the clear. */
        out->secret = true;
    }
    if (in_len == 0 && !stack->more[kind])
        return LAYER_OK;
    if (out_len >= limit) {
        *blocked = true;
        return LAYER_OK;
    }
    stack->more[kind] = false;
    result = layer->ops->receive(layer, in, out, say, limit, &stack->more[kind]);
    if (buffer_len(in) != in_len || buffer_len(out) != out_len)
        *moved = true;
    if (out->failed || say->failed) {
        layer = NULL;
        result = LAYER_FAILED;
    } else if (buffer_len(&said) > 0 &&
               send_from(stack, below, buffer_bytes(&said), buffer_len(&said), down) != LAYER_OK) {
        buffer_free(&said);
        return LAYER_FAILED;
    }
    buffer_free(&said);
    if (result == LAYER_FAILED)
        return stack_failed(stack, layer);
    return result;
}

enum layer_result layer_stack_receive(struct layer_stack *stack, const void *data, size_t len,
                                      struct buffer *up, struct buffer *down, size_t limit)
{
    int bottom = layer_above(stack, -1);
    bool moved, blocked;

    if (stack->state == LAYER_FAILED)
        return LAYER_FAILED;
    if (bottom == LAYER_KINDS) {
        buffer_append(up, data, len);
        return up->failed ? stack_failed(stack, NULL) : LAYER_OK;
    }
    /* What comes behind the end of a layer has no meaning (RFC 8446, 6.1). */
    if (stack->state == LAYER_OK)
        buffer_append(&stack->received[bottom], data, len);
    if (stack->received[bottom].failed)
        return stack_failed(stack, NULL);

    do {
        moved = false;
        blocked = false;
        for (int kind = bottom; kind < LAYER_KINDS; kind = layer_above(stack, kind)) {
            enum layer_result result = receive_one(stack, kind, up, down, limit, &moved, &blocked);

            if (result == LAYER_FAILED)
                return LAYER_FAILED;
            if (result == LAYER_CLOSED) {
                /* Layers above go on with what they have; below there is nothing left to read. */
                stack->state = LAYER_CLOSED;
                stack->more[kind] = false;
                for (int below = kind; below >= 0; below = layer_below(stack, below)) {
                    stack->more[below] = false;
                    buffer_clear(&stack->received[below]);
                }
            }
        }
    } while (moved);

    stack->pending = blocked;
    for (int kind = 0; kind < LAYER_KINDS; kind++)
        stack->pending |= stack->more[kind];
    return stack->pending ? LAYER_OK : stack->state;
}

bool layer_stack_pending(const struct layer_stack *stack)
{
    return stack->pending;
}

enum layer_result layer_stack_send(struct layer_stack *stack, const void *data, size_t len,
                                   struct buffer *down)
{
    int top = layer_below(stack, LAYER_KINDS);

    if (stack->state == LAYER_FAILED)
        return LAYER_FAILED;
    if (len == 0)
        return LAYER_OK;
    if (top >= 0)
        return send_from(stack, top, data, len, down);
    buffer_append(down, data, len);
    return down->failed ? stack_failed(stack, NULL) : LAYER_OK;
}

void layer_stack_finish(struct layer_stack *stack, struct buffer *down)
{
    if (stack->state == LAYER_FAILED)
        return;
    for (int kind = layer_below(stack, LAYER_KINDS); kind >= 0; kind = layer_below(stack, kind)) {
        struct layer *layer = stack->layers[kind];
        int below = layer_below(stack, kind);
        struct buffer said = {0};

        if (!layer->ops->finish)
            continue;
        layer->ops->finish(layer, below < 0 ? down : &said);
        if (buffer_len(&said) > 0)
            send_from(stack, below, buffer_bytes(&said), buffer_len(&said), down);
        buffer_free(&said);
    }
}

const char *layer_stack_error(const struct layer_stack *stack)
{
    if (stack->state != LAYER_FAILED)
        return "";
    return stack->failed ? stack->failed->ops->error(stack->failed) : "out of memory";
}
