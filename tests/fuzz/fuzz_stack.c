/*
 * A stack of layers: DEFLATE alone, or above TLS, a SASL security layer or both.
 * What arrives is cut as the limits say, whatever it was packed into.
 *
 * SPDX-License-Identifier: BSD-3-Clause
 */
#include <string.h>

#include "layer/deflate.h"
#include "tests/fuzz/sasl_fixed.h"
#include "tests/fuzz/tls_fixed.h"

static void push_deflate(struct pair *pair)
{
    for (int i = 0; i < 2; i++) {
        struct layer *layer = deflate_layer_new();

        FUZZ_CHECK(layer && layer_stack_push(&pair->ends[i].stack, layer));
    }
}

/* Both ends hear the same, one in pieces and small measures, and the other all at once. */
static void hear_twice(struct pair *pair)
{
    const struct pair_end *ends = pair->ends;

    pair_hear(pair, 0, pair->fuzz->text, pair->fuzz->len);
    pair->limit = SIZE_MAX / 2;
    pair_hear(pair, 1, pair->fuzz->text, pair->fuzz->len);
    FUZZ_CHECK(ends[0].result == ends[1].result);
    FUZZ_CHECK(buffer_len(&ends[0].got) == buffer_len(&ends[1].got));
    FUZZ_CHECK(buffer_len(&ends[0].got) == 0 ||
               memcmp(buffer_bytes(&ends[0].got), buffer_bytes(&ends[1].got),
                      buffer_len(&ends[0].got)) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    /* The slow ones are the less frequent ones. */
    enum { DEFLATE, DEFLATE_HEARS, SASL_BELOW = 12, TLS_BELOW = 14, BOTH_BELOW = 15, MODES };
    struct pair pair;
    struct fuzz fuzz;
    size_t mode;

    fuzz_open(&fuzz, data, size);
    pair_init(&pair, &fuzz);
    mode = fuzz_below(&fuzz, MODES);
    if (mode >= TLS_BELOW) {
        tls_fixed_push(&pair, false);
        pair_talk(&pair);
    }
    if (mode >= SASL_BELOW && mode != TLS_BELOW)
        sasl_fixed_push(&pair);
    push_deflate(&pair);
    pair.changes = fuzz_below(&fuzz, 4);
    if (mode % 2 == DEFLATE_HEARS && mode < SASL_BELOW)
        hear_twice(&pair);
    else
        pair_say_text(&pair);
    pair_close(&pair);
    return 0;
}
