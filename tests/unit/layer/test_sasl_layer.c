/* SPDX-License-Identifier: BSD-3-Clause */
#include <stdlib.h>
#include <string.h>

#include "sasl_support.h"

/* Of LeakSanitizer, where it is linked in. */
void __lsan_disable(void) __attribute__((weak));
void __lsan_enable(void) __attribute__((weak));

/*
 * Around exchanges that end with encryption, or try to repeat one that did: what
 * plug-ins keep is not meant, see tests/support/valgrind.supp.
 */
static void tolerate_leaks(bool tolerate)
{
    if (__lsan_disable && __lsan_enable)
        (tolerate ? __lsan_disable : __lsan_enable)();
}

/*
 * Log in by DIGEST-MD5 and push what was negotiated; false when there is no
 * layer.
 */
static bool protect(struct peer *server_peer, struct peer *client_peer, unsigned minimum_bits,
                    unsigned maximum_bits)
{
    struct sasl_endpoint endpoint = endpoint_between(minimum_bits, maximum_bits);
    struct sasl_server *server = server_open(&endpoint);
    struct sasl_client *client = client_open(&endpoint, "murder", NULL, "Murder Pw");
    struct sasl_failure failure;
    struct layer *layers[2];
    struct login login;
    bool failed[2];

    tolerate_leaks(true);
    log_in(server, client, "DIGEST-MD5", &login);
    tolerate_leaks(false);
    assert_string_equal(login.failure.text, "");
    assert_true(ended(login.server, 'D'));
    layers[0] = sasl_server_layer(&server, &failed[0], &failure);
    layers[1] = sasl_client_layer(&client, &failed[1], &failure);
    assert_false(failed[0] || failed[1]);
    peer_init(server_peer);
    peer_init(client_peer);
    assert_true((layers[0] != NULL) == (layers[1] != NULL));
    assert_true((layers[0] != NULL) == (server == NULL));
    assert_true((layers[1] != NULL) == (client == NULL));
    sasl_server_close(server);
    sasl_client_close(client);
    if (!layers[0])
        return false;
    assert_true(layer_stack_push(&server_peer->stack, layers[0]));
    assert_true(layer_stack_push(&client_peer->stack, layers[1]));
    return true;
}

static void no_layer_comes_where_none_is_allowed(void **state)
{
    struct peer server, client;

    (void)state;
    assert_false(protect(&server, &client, 0, 0));
    peer_close(&server);
    peer_close(&client);
}

static bool holds(const struct buffer *wire, const char *text)
{
    return memmem(buffer_bytes(wire), buffer_len(wire), text, strlen(text)) != NULL;
}

static void integrity_lets_words_be_seen_and_not_changed(void **state)
{
    struct peer server, client;

    (void)state;
    for (int changed = 0; changed < 2; changed++) {
        assert_true(protect(&server, &client, 0, 1));
        peer_say(&server, "a word of the master", 20);
        assert_true(holds(&server.wire, "a word of the master"));
        buffer_bytes(&server.wire)[6] ^= (uint8_t)changed;
        assert_int_equal(peers_talk(&server, &client, 7, 100),
                         changed ? LAYER_FAILED : LAYER_OK);
        assert_int_equal(buffer_len(&client.got), changed ? 0 : 20);
        assert_true((layer_stack_error(&client.stack)[0] != '\0') == changed);
        peer_close(&server);
        peer_close(&client);
    }
}

static void confidentiality_hides_words(void **state)
{
    struct peer server, client;

    (void)state;
    assert_true(protect(&server, &client, 128, 256));
    peer_say(&server, "a word of the master", 20);
    assert_false(holds(&server.wire, "word"));
    assert_int_equal(peers_talk(&server, &client, 7, 100), LAYER_OK);
    assert_int_equal(buffer_len(&client.got), 20);
    assert_memory_equal(buffer_bytes(&client.got), "a word of the master", 20);
    peer_close(&server);
    peer_close(&client);
}

static void integrity_is_all_where_no_more_is_asked_for(void **state)
{
    struct peer server, client;

    (void)state;
    assert_true(protect(&server, &client, 0, 256));
    peer_say(&server, "a word of the master", 20);
    assert_true(holds(&server.wire, "a word of the master"));
    peer_close(&server);
    peer_close(&client);
}

static void a_client_encrypts_where_the_server_takes_no_less(void **state)
{
    struct sasl_endpoint strict = endpoint_between(128, 256);
    struct sasl_endpoint usual = endpoint_between(0, 256);
    struct sasl_server *server = server_open(&strict);
    struct sasl_client *client = client_open(&usual, "murder", NULL, "Murder Pw");
    struct sasl_failure failure;
    struct login login;
    struct layer *layer;
    bool failed;

    (void)state;
    tolerate_leaks(true);
    log_in(server, client, "DIGEST-MD5", &login);
    tolerate_leaks(false);
    assert_string_equal(login.failure.text, "");
    layer = sasl_client_layer(&client, &failed, &failure);
    assert_non_null(layer);
    assert_int_equal(sasl_layer_bits(layer), 128);
    layer->ops->free(layer);
    sasl_server_close(server);
}

static void a_client_that_may_not_encrypt_does_not_log_in_where_it_must(void **state)
{
    struct sasl_endpoint strict = endpoint_between(128, 256);
    struct sasl_endpoint weak = endpoint_between(0, 1);
    struct sasl_server *server = server_open(&strict);
    struct sasl_client *client = client_open(&weak, "murder", NULL, "Murder Pw");
    struct login login;

    (void)state;
    tolerate_leaks(true);
    log_in(server, client, "DIGEST-MD5", &login);
    tolerate_leaks(false);
    assert_true(ended(login.client, 'F'));
    assert_string_not_equal(login.failure.text, "");
    sasl_client_close(client);
    sasl_server_close(server);
}

static void bytes_pass_both_ways_in_any_pieces(void **state)
{
    static const struct {
        size_t bytes;
        size_t piece;
        size_t limit;
    } cases[] = {{3000, 1, 1}, {300000, 5000, 100}, {300000, 100000, 65536}, {70000, 7, 4096}};

    (void)state;
    for (size_t i = 0; i < 8; i++) {
        size_t len = cases[i / 2].bytes;
        uint8_t *bytes = some_bytes(len);
        struct peer server, client;

        assert_true(protect(&server, &client, i % 2 ? 128 : 0, 256));
        for (int round = 0; round < 2; round++) {
            peer_say(&server, bytes, len);
            peer_say(&client, bytes + 1, len - 1);
            assert_int_equal(
                peers_talk(&server, &client, cases[i / 2].piece, cases[i / 2].limit), LAYER_OK);
            assert_int_equal(buffer_len(&client.got), len);
            assert_memory_equal(buffer_bytes(&client.got), bytes, len);
            assert_int_equal(buffer_len(&server.got), len - 1);
            assert_memory_equal(buffer_bytes(&server.got), bytes + 1, len - 1);
            buffer_clear(&server.got);
            buffer_clear(&client.got);
        }
        peer_close(&server);
        peer_close(&client);
        free(bytes);
    }
}

static void no_packet_is_larger_than_the_peer_takes(void **state)
{
    size_t len = 500000;
    uint8_t *bytes = some_bytes(len);
    struct peer server, client;
    size_t packets = 0;

    (void)state;
    assert_true(protect(&server, &client, 0, 1));
    peer_say(&server, bytes, len);
    for (; buffer_len(&server.wire) > 0; packets++) {
        const uint8_t *at = buffer_bytes(&server.wire);
        size_t packet = (size_t)at[0] << 24 | (size_t)at[1] << 16 | (size_t)at[2] << 8 | at[3];

        assert_in_range(packet, 1, 65536);
        assert_in_range(packet + 4, 1, buffer_len(&server.wire));
        buffer_consume(&server.wire, packet + 4);
    }
    assert_in_range(packets, 8, 10);
    peer_close(&server);
    peer_close(&client);
    free(bytes);
}

static void a_packet_larger_than_announced_is_refused_unread(void **state)
{
    struct peer server, client;

    (void)state;
    assert_true(protect(&server, &client, 0, 256));
    buffer_append(&client.wire, "\x7f\xff\xff\xff", 4);
    assert_int_equal(peers_talk(&server, &client, 4, 100), LAYER_FAILED);
    assert_string_not_equal(layer_stack_error(&server.stack), "");
    assert_int_equal(layer_stack_send(&server.stack, "x", 1, &server.wire), LAYER_FAILED);
    peer_close(&server);
    peer_close(&client);
}

static void clear_words_behind_a_login_are_refused(void **state)
{
    struct peer server, client;

    (void)state;
    assert_true(protect(&server, &client, 0, 256));
    buffer_append_string(&client.wire, "X0 NOOP\r\nX1 NOOP\r\nX2 NOOP\r\n");
    assert_int_equal(peers_talk(&server, &client, 100, 100), LAYER_FAILED);
    assert_int_equal(buffer_len(&server.got), 0);
    peer_close(&server);
    peer_close(&client);
}

static void there_is_no_layer_before_the_login_is_complete(void **state)
{
    struct sasl_endpoint endpoint = endpoint_of(256);
    struct sasl_server *server = server_open(&endpoint);
    struct sasl_failure failure = {.text = ""};
    bool failed = false;

    (void)state;
    assert_null(sasl_server_layer(&server, &failed, &failure));
    assert_true(failed);
    assert_string_not_equal(failure.text, "");
    assert_non_null(server);
    sasl_server_close(server);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(no_layer_comes_where_none_is_allowed),
        cmocka_unit_test(integrity_lets_words_be_seen_and_not_changed),
        cmocka_unit_test(confidentiality_hides_words),
        cmocka_unit_test(integrity_is_all_where_no_more_is_asked_for),
        cmocka_unit_test(a_client_encrypts_where_the_server_takes_no_less),
        cmocka_unit_test(a_client_that_may_not_encrypt_does_not_log_in_where_it_must),
        cmocka_unit_test(bytes_pass_both_ways_in_any_pieces),
        cmocka_unit_test(no_packet_is_larger_than_the_peer_takes),
        cmocka_unit_test(a_packet_larger_than_announced_is_refused_unread),
        cmocka_unit_test(clear_words_behind_a_login_are_refused),
        cmocka_unit_test(there_is_no_layer_before_the_login_is_complete),
    };

    return cmocka_run_group_tests(tests, sasl_group_setup, sasl_group_teardown);
}
