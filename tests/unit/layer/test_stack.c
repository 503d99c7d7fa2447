/* SPDX-License-Identifier: BSD-3-Clause */
#include <stdlib.h>
#include <string.h>

#include "layer/deflate.h"
#include "layer/tls.h"
#include "sasl_support.h"

/* A layer that marks what passes, to see the order; it fails or ends on command. */
struct mark_layer {
    struct layer layer;
    char mark;
};

static enum layer_result mark_receive(struct layer *layer, struct buffer *in, struct buffer *up,
                                      struct buffer *down, size_t limit, bool *pending)
{
    struct mark_layer *self = (struct mark_layer *)layer;

    *pending = false;
    while (buffer_len(in) > 0 && buffer_len(up) < limit) {
        uint8_t byte = *buffer_bytes(in);

        buffer_consume(in, 1);
        if (byte == '!') {
            buffer_append(down, "alert", 5);
            return LAYER_FAILED;
        }
        if (byte == '.')
            return LAYER_CLOSED;
        if (byte == '?') {
            buffer_append(down, &self->mark, 1);
            continue;
        }
        buffer_append(up, &byte, 1);
    }
    return LAYER_OK;
}

static enum layer_result mark_send(struct layer *layer, const void *data, size_t len,
                                   struct buffer *down)
{
    struct mark_layer *self = (struct mark_layer *)layer;

    buffer_append(down, &self->mark, 1);
    buffer_append(down, data, len);
    return LAYER_OK;
}

static void mark_finish(struct layer *layer, struct buffer *down)
{
    mark_send(layer, "end", 3, down);
}

static const char *mark_error(const struct layer *layer)
{
    return ((const struct mark_layer *)layer)->mark == 'T' ? "T failed" : "another failed";
}

static void mark_free(struct layer *layer)
{
    free(layer);
}

static const struct layer_ops mark_ops[LAYER_KINDS] = {
    {LAYER_TLS, mark_receive, mark_send, mark_finish, mark_error, mark_free},
    {LAYER_SASL, mark_receive, mark_send, NULL, mark_error, mark_free},
    {LAYER_DEFLATE, mark_receive, mark_send, mark_finish, mark_error, mark_free},
};

static struct layer *mark_new(enum layer_kind kind)
{
    struct mark_layer *self = calloc(1, sizeof *self);

    assert_non_null(self);
    self->layer.ops = &mark_ops[kind];
    self->mark = "TSD"[kind];
    return &self->layer;
}

static void assert_holds(struct buffer *buffer, const char *text)
{
    assert_int_equal(buffer_len(buffer), strlen(text));
    if (*text)
        assert_memory_equal(buffer_bytes(buffer), text, strlen(text));
    buffer_clear(buffer);
}

static enum layer_result receive(struct peer *peer, const char *text, size_t limit)
{
    return layer_stack_receive(&peer->stack, text, strlen(text), &peer->got, &peer->wire, limit);
}

static void an_empty_stack_copies(void **state)
{
    struct peer peer;

    (void)state;
    peer_init(&peer);
    assert_int_equal(receive(&peer, "any words", 3), LAYER_OK);
    assert_holds(&peer.got, "any words");
    assert_false(layer_stack_pending(&peer.stack));
    peer_say(&peer, "answer", 6);
    layer_stack_finish(&peer.stack, &peer.wire);
    assert_holds(&peer.wire, "answer");
    assert_string_equal(layer_stack_error(&peer.stack), "");
    peer_close(&peer);
}

static void layers_stand_in_their_order(void **state)
{
    static const enum layer_kind order[] = {LAYER_TLS, LAYER_SASL, LAYER_DEFLATE};
    struct peer peer;

    (void)state;
    peer_init(&peer);
    for (size_t i = 0; i < 3; i++)
        assert_true(layer_stack_push(&peer.stack, mark_new(order[i])));
    peer_say(&peer, "x", 1);
    assert_holds(&peer.wire, "TSDx");
    layer_stack_finish(&peer.stack, &peer.wire);
    assert_holds(&peer.wire, "TSDendTend");
    peer_close(&peer);
}

static void no_layer_is_put_below_one_that_runs(void **state)
{
    static const enum layer_kind pairs[][2] = {
        {LAYER_SASL, LAYER_TLS},
        {LAYER_DEFLATE, LAYER_TLS},
        {LAYER_DEFLATE, LAYER_SASL},
    };

    (void)state;
    for (size_t i = 0; i < 3; i++) {
        struct layer *below = mark_new(pairs[i][1]);
        struct peer peer;

        peer_init(&peer);
        assert_true(layer_stack_push(&peer.stack, mark_new(pairs[i][0])));
        assert_false(layer_stack_push(&peer.stack, below));
        assert_null(layer_stack_get(&peer.stack, pairs[i][1]));
        below->ops->free(below);
        peer_close(&peer);
    }
}

static void a_second_layer_of_a_kind_stays_with_the_caller(void **state)
{
    struct layer *first = mark_new(LAYER_SASL);
    struct layer *second = mark_new(LAYER_SASL);
    struct peer peer;

    (void)state;
    peer_init(&peer);
    assert_true(layer_stack_push(&peer.stack, first));
    assert_false(layer_stack_push(&peer.stack, second));
    assert_ptr_equal(layer_stack_get(&peer.stack, LAYER_SASL), first);
    assert_null(layer_stack_get(&peer.stack, LAYER_TLS));
    mark_free(second);
    peer_close(&peer);
}

static void what_does_not_fit_waits_inside(void **state)
{
    struct peer peer;

    (void)state;
    peer_init(&peer);
    layer_stack_push(&peer.stack, mark_new(LAYER_TLS));
    layer_stack_push(&peer.stack, mark_new(LAYER_DEFLATE));
    assert_int_equal(receive(&peer, "abcdefg", 3), LAYER_OK);
    assert_holds(&peer.got, "abc");
    assert_true(layer_stack_pending(&peer.stack));
    assert_int_equal(receive(&peer, "", 3), LAYER_OK);
    assert_holds(&peer.got, "def");
    assert_true(layer_stack_pending(&peer.stack));
    assert_int_equal(receive(&peer, "", 3), LAYER_OK);
    assert_holds(&peer.got, "g");
    assert_false(layer_stack_pending(&peer.stack));
    peer_close(&peer);
}

static void what_a_layer_says_itself_goes_through_those_below(void **state)
{
    struct peer peer;

    (void)state;
    peer_init(&peer);
    layer_stack_push(&peer.stack, mark_new(LAYER_TLS));
    layer_stack_push(&peer.stack, mark_new(LAYER_SASL));
    peer.stack.received[LAYER_SASL] = (struct buffer){0};
    buffer_append_string(&peer.stack.received[LAYER_SASL], "?b");
    assert_int_equal(receive(&peer, "", 10), LAYER_OK);
    assert_holds(&peer.wire, "TS");
    assert_holds(&peer.got, "b");
    peer_close(&peer);
}

static void a_failure_stays_and_lets_the_alert_out(void **state)
{
    struct peer peer;

    (void)state;
    peer_init(&peer);
    layer_stack_push(&peer.stack, mark_new(LAYER_TLS));
    assert_int_equal(receive(&peer, "ab!cd", 100), LAYER_FAILED);
    assert_holds(&peer.got, "ab");
    assert_holds(&peer.wire, "alert");
    assert_string_equal(layer_stack_error(&peer.stack), "T failed");
    assert_int_equal(receive(&peer, "ef", 100), LAYER_FAILED);
    assert_int_equal(layer_stack_send(&peer.stack, "x", 1, &peer.wire), LAYER_FAILED);
    layer_stack_finish(&peer.stack, &peer.wire);
    assert_holds(&peer.got, "");
    assert_holds(&peer.wire, "");
    assert_false(layer_stack_pending(&peer.stack));
    peer_close(&peer);
}

static void the_end_comes_after_the_last_byte_and_what_follows_is_dropped(void **state)
{
    struct peer peer;

    (void)state;
    peer_init(&peer);
    layer_stack_push(&peer.stack, mark_new(LAYER_TLS));
    layer_stack_push(&peer.stack, mark_new(LAYER_DEFLATE));
    assert_int_equal(receive(&peer, "abcde", 2), LAYER_OK);
    assert_int_equal(receive(&peer, "f", 4), LAYER_OK);
    assert_true(layer_stack_pending(&peer.stack));
    assert_holds(&peer.got, "abcd");
    /* The end passes the layer above while words before it still wait there. */
    buffer_append_string(&peer.stack.received[LAYER_TLS], ".gh");
    assert_int_equal(receive(&peer, "", 1), LAYER_OK);
    assert_holds(&peer.got, "e");
    assert_true(layer_stack_pending(&peer.stack));
    assert_int_equal(receive(&peer, "", 100), LAYER_CLOSED);
    assert_holds(&peer.got, "f");
    assert_int_equal(receive(&peer, "ij", 100), LAYER_CLOSED);
    assert_holds(&peer.got, "");
    assert_int_equal(layer_stack_send(&peer.stack, "x", 1, &peer.wire), LAYER_OK);
    assert_holds(&peer.wire, "TDx");
    peer_close(&peer);
}

static void running_out_of_memory_is_a_failure(void **state)
{
    struct buffer failed = {.failed = true};
    struct peer peer;

    (void)state;
    peer_init(&peer);
    layer_stack_push(&peer.stack, mark_new(LAYER_TLS));
    assert_int_equal(
        layer_stack_receive(&peer.stack, "a", 1, &failed, &peer.wire, 10), LAYER_FAILED);
    assert_string_equal(layer_stack_error(&peer.stack), "out of memory");
    peer_close(&peer);
    peer_init(&peer);
    assert_int_equal(layer_stack_send(&peer.stack, "a", 1, &failed), LAYER_FAILED);
    assert_string_equal(layer_stack_error(&peer.stack), "out of memory");
    peer_close(&peer);
}

/* Push the layers of a mask on both, 0 being the server. */
static void push_layers(struct peer *peers, unsigned mask, struct tls_context *const *contexts)
{
    if (mask & 1u << LAYER_TLS) {
        assert_true(layer_stack_push(&peers[0].stack, tls_layer_server(contexts[0])));
        assert_true(layer_stack_push(
            &peers[1].stack, tls_layer_client(contexts[1], "mupdate.test", &peers[1].wire)));
        assert_int_equal(peers_talk(&peers[0], &peers[1], 500, 100), LAYER_OK);
    }
    if (mask & 1u << LAYER_SASL) {
        struct sasl_endpoint endpoint = endpoint_of(256);
        struct sasl_server *server = server_open(&endpoint);
        struct sasl_client *client = client_open(&endpoint, "murder", NULL, "Murder Pw");
        struct sasl_failure failure;
        struct login login;
        bool failed;

        log_in(server, client, "DIGEST-MD5", &login);
        assert_true(
            layer_stack_push(&peers[0].stack, sasl_server_layer(&server, &failed, &failure)));
        assert_true(
            layer_stack_push(&peers[1].stack, sasl_client_layer(&client, &failed, &failure)));
    }
    if (mask & 1u << LAYER_DEFLATE) {
        assert_true(layer_stack_push(&peers[0].stack, deflate_layer_new()));
        assert_true(layer_stack_push(&peers[1].stack, deflate_layer_new()));
    }
}

static void every_set_of_layers_carries_every_byte_in_any_pieces(void **state)
{
    static const struct {
        size_t bytes;
        size_t piece;
        size_t limit;
    } cases[] = {{5000, 1, 1}, {200000, 3000, 17}, {1000000, 65536, 16384}, {300000, 9, 100000}};
    struct tls_context *contexts[2] = {server_context(), client_context()};

    (void)state;
    for (unsigned mask = 0; mask < 8; mask++) {
        for (size_t i = 0; i < 4; i++) {
            size_t len = cases[i].bytes;
            uint8_t *bytes = some_bytes(len);
            struct peer peers[2];
            size_t said[2] = {0, 0};

            peer_init(&peers[0]);
            peer_init(&peers[1]);
            push_layers(peers, mask, contexts);
            while (said[0] < len || said[1] < len) {
                for (int j = 0; j < 2; j++) {
                    size_t some = next_random() % (len / 3 + 1);

                    if (some > len - said[j])
                        some = len - said[j];
                    peer_say(&peers[j], bytes + said[j], some);
                    said[j] += some;
                }
                assert_int_equal(
                    peers_talk(&peers[0], &peers[1], cases[i].piece, cases[i].limit), LAYER_OK);
            }
            for (int j = 0; j < 2; j++) {
                assert_int_equal(buffer_len(&peers[j].got), len);
                assert_memory_equal(buffer_bytes(&peers[j].got), bytes, len);
                peer_close(&peers[j]);
            }
            free(bytes);
        }
    }
    tls_context_unref(contexts[0]);
    tls_context_unref(contexts[1]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_empty_stack_copies),
        cmocka_unit_test(layers_stand_in_their_order),
        cmocka_unit_test(no_layer_is_put_below_one_that_runs),
        cmocka_unit_test(a_second_layer_of_a_kind_stays_with_the_caller),
        cmocka_unit_test(what_does_not_fit_waits_inside),
        cmocka_unit_test(what_a_layer_says_itself_goes_through_those_below),
        cmocka_unit_test(a_failure_stays_and_lets_the_alert_out),
        cmocka_unit_test(the_end_comes_after_the_last_byte_and_what_follows_is_dropped),
        cmocka_unit_test(running_out_of_memory_is_a_failure),
        cmocka_unit_test(every_set_of_layers_carries_every_byte_in_any_pieces),
    };

    return cmocka_run_group_tests(tests, sasl_group_setup, sasl_group_teardown);
}
