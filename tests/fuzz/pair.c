/* SPDX-License-Identifier: BSD-3-Clause */
#include "tests/fuzz/pair.h"

#include <stdlib.h>
#include <string.h>

/* Two ends that answer each other without an end would be a finding. */
#define TURNS 200

void pair_init(struct pair *pair, struct fuzz *fuzz)
{
    memset(pair, 0, sizeof *pair);
    pair->fuzz = fuzz;
    for (int i = 0; i < 2; i++)
        layer_stack_init(&pair->ends[i].stack);
}

void pair_close(struct pair *pair)
{
    for (int i = 0; i < 2; i++) {
        struct pair_end *end = &pair->ends[i];

        layer_stack_finish(&end->stack, &end->wire);
        layer_stack_close(&end->stack);
        buffer_free(&end->wire);
        buffer_free(&end->said);
        buffer_free(&end->got);
    }
}

static void check_end(struct pair *pair, int number)
{
    struct pair_end *end = &pair->ends[number];
    const struct buffer *said = &pair->ends[!number].said;

    if (pair->keeps) {
        FUZZ_CHECK(buffer_len(&end->got) <= buffer_len(said));
        FUZZ_CHECK(buffer_len(&end->got) == 0 ||
                   memcmp(buffer_bytes(&end->got), buffer_bytes(said),
                          buffer_len(&end->got)) == 0);
    }
    if (end->result == LAYER_FAILED) {
        struct buffer up = { 0 };
        struct buffer down = { 0 };

        FUZZ_CHECK(layer_stack_error(&end->stack)[0] != '\0');
        FUZZ_CHECK(!layer_stack_pending(&end->stack));
        FUZZ_CHECK(layer_stack_receive(&end->stack, "x", 1, &up, &down, 100) == LAYER_FAILED);
        FUZZ_CHECK(layer_stack_send(&end->stack, "x", 1, &down) == LAYER_FAILED);
        layer_stack_finish(&end->stack, &down);
        FUZZ_CHECK(buffer_len(&up) == 0 && buffer_len(&down) == 0);
    }
}

void pair_say(struct pair *pair, int number, const void *data, size_t len)
{
    struct pair_end *end = &pair->ends[number];

    if (layer_stack_send(&end->stack, data, len, &end->wire) == LAYER_OK)
        buffer_append(&end->said, data, len);
    else
        end->result = LAYER_FAILED;
}

/* What was packed tightly comes quickly once it is known to come slowly. */
static size_t choose_limit(struct pair *pair, const struct pair_end *end)
{
    if (pair->limit > 0)
        return pair->limit;
    return buffer_len(&end->got) < 2048 ? 1 + fuzz_below(pair->fuzz, 4096) : 16384;
}

static void receive(struct pair *pair, int number, const void *data, size_t len)
{
    struct pair_end *end = &pair->ends[number];
    size_t limit = choose_limit(pair, end);
    void *copy = fuzz_copy(data, len);
    struct buffer up = { 0 };

    end->result = layer_stack_receive(&end->stack, copy, len, &up, &end->wire, limit);
    free(copy);
    for (;;) {
        FUZZ_CHECK(buffer_len(&up) <= limit + pair->slack);
        buffer_append(&end->got, buffer_bytes(&up), buffer_len(&up));
        buffer_free(&up);
        check_end(pair, number);
        if (!layer_stack_pending(&end->stack))
            return;
        FUZZ_CHECK(end->result == LAYER_OK);
        limit = choose_limit(pair, end);
        end->result = layer_stack_receive(&end->stack, NULL, 0, &up, &end->wire, limit);
    }
}

/* Change octets on their way. */
static void change(struct pair *pair, struct buffer *passing)
{
    size_t len = buffer_len(passing);
    size_t at = fuzz_below(pair->fuzz, len < 65536 ? len : 65536);
    uint8_t *octets = buffer_bytes(passing);
    uint8_t octet = (uint8_t)fuzz_below(pair->fuzz, 256);

    pair->changes--;
    pair->changed = true;
    switch (fuzz_below(pair->fuzz, 6)) {
    case 0:
        octets[at] ^= octet ? octet : 1;
        break;
    case 1: /* lose the end */
        passing->end -= len - at;
        break;
    case 2: /* lose the beginning */
        buffer_consume(passing, at + 1);
        break;
    case 3: { /* say it twice */
        uint8_t *again = fuzz_copy(octets, len);

        buffer_append(passing, again, len);
        free(again);
        break;
    }
    case 4: /* something of the text behind it */
        buffer_append(passing, pair->fuzz->text, fuzz_piece(pair->fuzz, pair->fuzz->len + 1) - 1);
        break;
    default: /* and before it */
        octets[0] = octet;
        if (len > 4) {
            octets[3] = (uint8_t)(at >> 8);
            octets[4] = (uint8_t)at;
        }
        break;
    }
}

static bool deliver(struct pair *pair, int from)
{
    struct buffer *wire = &pair->ends[from].wire;
    struct buffer passing = { 0 };
    size_t at = 0;

    if (buffer_len(wire) == 0 || pair->ends[!from].result == LAYER_FAILED)
        return false;
    buffer_append(&passing, buffer_bytes(wire), buffer_len(wire));
    buffer_clear(wire);
    if (pair->changes > 0 && fuzz_below(pair->fuzz, 2))
        change(pair, &passing);
    while (at < buffer_len(&passing) && pair->ends[!from].result != LAYER_FAILED) {
        size_t piece = fuzz_piece(pair->fuzz, buffer_len(&passing) - at);

        receive(pair, !from, buffer_bytes(&passing) + at, piece);
        at += piece;
    }
    buffer_free(&passing);
    return true;
}

void pair_talk(struct pair *pair)
{
    bool moved = true;

    for (int turns = 0; moved; turns++) {
        FUZZ_CHECK(turns < TURNS);
        moved = deliver(pair, 0);
        moved = deliver(pair, 1) || moved;
    }
}

void pair_hear(struct pair *pair, int end, const void *data, size_t len)
{
    size_t at = 0;

    while (at < len && pair->ends[end].result != LAYER_FAILED) {
        size_t piece = fuzz_piece(pair->fuzz, len - at);

        receive(pair, end, (const uint8_t *)data + at, piece);
        at += piece;
    }
    pair_talk(pair);
}

void pair_say_text(struct pair *pair)
{
    const struct fuzz *fuzz = pair->fuzz;
    size_t at = 0;

    while (at < fuzz->len) {
        size_t piece = fuzz_piece(pair->fuzz, fuzz->len - at);

        pair_say(pair, (int)fuzz_below(pair->fuzz, 2), fuzz->text + at, piece);
        at += piece;
        if (fuzz_below(pair->fuzz, 4) > 0)
            pair_talk(pair);
    }
    pair_talk(pair);
    layer_stack_finish(&pair->ends[0].stack, &pair->ends[0].wire);
    pair_talk(pair);
    if (pair->changed)
        return;
    for (int i = 0; i < 2; i++) {
        const struct pair_end *end = &pair->ends[i];

        FUZZ_CHECK(end->result == (i == 1 && layer_stack_get(&end->stack, LAYER_TLS)
                                       ? LAYER_CLOSED
                                       : LAYER_OK));
        FUZZ_CHECK(buffer_len(&end->got) == buffer_len(&pair->ends[!i].said));
        FUZZ_CHECK(buffer_len(&end->got) == 0 ||
                   memcmp(buffer_bytes(&end->got), buffer_bytes(&pair->ends[!i].said),
                          buffer_len(&end->got)) == 0);
    }
}
