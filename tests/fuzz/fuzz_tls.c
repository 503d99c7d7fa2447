/*
 * TLS: a server and a client that hear any octets, and both ends of a
 * connection with an enemy between them, who never gets a forged octet past
 * them.
 *
 * SPDX-License-Identifier: BSD-3-Clause
 */
#include "layer/tls.h"
#include "tests/fuzz/fuzz.h"
#include "tests/fuzz/pair.h"
#include "tests/fuzz/tls_fixed.h"

/* What may be asked of a layer at any time. */
static void ask(const struct pair_end *end)
{
    const struct layer *layer = layer_stack_get(&end->stack, LAYER_TLS);
    unsigned char binding[64];
    const char *name;
    size_t len = tls_layer_binding(layer, binding, sizeof binding, &name);

    FUZZ_CHECK(len <= sizeof binding && name != NULL);
    if (tls_layer_established(layer))
        FUZZ_CHECK(tls_layer_bits(layer) >= 128 && len > 0);
    else
        FUZZ_CHECK(len == 0 && (end->result == LAYER_FAILED || buffer_len(&end->got) == 0));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct pair pair;
    struct fuzz fuzz;
    size_t mode;

    fuzz_open(&fuzz, data, size);
    pair_init(&pair, &fuzz);
    mode = fuzz_below(&fuzz, 8);
    tls_fixed_push(&pair, fuzz_below(&fuzz, 2));
    switch (mode) {
    case 0: /* instead of the client */
        buffer_clear(&pair.ends[1].wire);
        pair_hear(&pair, 0, fuzz.text, fuzz.len);
        break;
    case 1: /* instead of the server */
        pair.changed = true;
        pair_hear(&pair, 1, fuzz.text, fuzz.len);
        break;
    case 2: /* behind a whole handshake */
        pair_talk(&pair);
        pair_hear(&pair, (int)fuzz_below(&fuzz, 2), fuzz.text, fuzz.len);
        break;
    case 3: /* behind a whole handshake, to what is said */
        pair_talk(&pair);
        pair.changes = 1 + fuzz_below(&fuzz, 4);
        pair_say_text(&pair);
        break;
    default:
        pair.changes = fuzz_below(&fuzz, 4);
        pair_say_text(&pair);
        break;
    }
    ask(&pair.ends[0]);
    ask(&pair.ends[1]);
    pair_close(&pair);
    return 0;
}
