/* SPDX-License-Identifier: BSD-3-Clause */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "layer/tls.h"
#include "layer_support.h"

/* A server and a client that have not spoken yet. Takes over the contexts. */
static void pair_init(struct peer *server, struct peer *client, struct tls_context *server_side,
                      struct tls_context *client_side, const char *host)
{
    struct layer *layer;

    peer_init(server);
    peer_init(client);
    layer = tls_layer_server(server_side);
    assert_non_null(layer);
    assert_true(layer_stack_push(&server->stack, layer));
    layer = tls_layer_client(client_side, host, &client->wire);
    assert_non_null(layer);
    assert_true(layer_stack_push(&client->stack, layer));
    tls_context_unref(server_side);
    tls_context_unref(client_side);
}

static void pair_close(struct peer *server, struct peer *client)
{
    peer_close(server);
    peer_close(client);
}

static const struct layer *tls_of(const struct peer *peer)
{
    return layer_stack_get(&peer->stack, LAYER_TLS);
}

static struct tls_context *server_with(const char *versions, const char *ciphers)
{
    struct tls_server_options options = {
        .cert_file = temp_path("server.pem"),
        .key_file = temp_path("server.key"),
        .versions = versions,
        .ciphers = ciphers,
    };
    struct tls_error error = {{0}};
    struct tls_context *context;

    make_certificates();
    context = tls_context_server(&options, &error);
    assert_string_equal(error.text, "");
    return context;
}

static struct tls_context *trusting_client(void)
{
    struct tls_client_options options = {.accept_any_certificate = true};
    struct tls_error error;
    struct tls_context *context = tls_context_client(&options, &error);

    assert_non_null(context);
    return context;
}

static void a_handshake_succeeds_in_any_pieces(void **state)
{
    (void)state;
    for (size_t piece = 1; piece < 3000; piece = piece * 3 + 1) {
        struct peer server, client;

        pair_init(&server, &client, server_context(), client_context(), "mupdate.test");
        assert_false(tls_layer_established(tls_of(&server)));
        assert_int_equal(peers_talk(&server, &client, piece, 1), LAYER_OK);
        assert_true(tls_layer_established(tls_of(&server)));
        assert_true(tls_layer_established(tls_of(&client)));
        assert_string_equal(tls_layer_version(tls_of(&server)), "TLSv1.3");
        assert_string_equal(tls_layer_cipher(tls_of(&server)), tls_layer_cipher(tls_of(&client)));
        assert_in_range(tls_layer_bits(tls_of(&server)), 128, 256);
        pair_close(&server, &client);
    }
}

static void what_is_sent_before_the_end_of_the_handshake_comes_after_it(void **state)
{
    struct peer server, client;

    (void)state;
    pair_init(&server, &client, server_context(), client_context(), "mupdate.test");
    peer_say(&server, "* OK MUPDATE", 12);
    peer_say(&client, "X0 NOOP", 7);
    assert_int_equal(buffer_len(&server.wire), 0);
    assert_int_equal(peers_talk(&server, &client, 100, 100), LAYER_OK);
    assert_int_equal(buffer_len(&client.got), 12);
    assert_memory_equal(buffer_bytes(&client.got), "* OK MUPDATE", 12);
    assert_int_equal(buffer_len(&server.got), 7);
    pair_close(&server, &client);
}

static void versions_and_ciphers_are_those_configured(void **state)
{
    static const struct {
        const char *versions;
        const char *ciphers;
        const char *spoken;
    } cases[] = {
        {NULL, NULL, "TLSv1.3"},
        {"tls1_2", NULL, "TLSv1.2"},
        {"TLS1_2 tls1_3", NULL, "TLSv1.3"},
        {"tls1_0, tls1_2", NULL, "TLSv1.2"},
        {"tls1_2", "ECDHE-ECDSA-AES128-GCM-SHA256", "TLSv1.2"},
    };

    (void)state;
    for (size_t i = 0; i < 5; i++) {
        struct peer server, client;

        pair_init(&server, &client, server_with(cases[i].versions, cases[i].ciphers),
                  client_context(), "mupdate.test");
        assert_int_equal(peers_talk(&server, &client, 1000, 1000), LAYER_OK);
        assert_string_equal(tls_layer_version(tls_of(&client)), cases[i].spoken);
        if (cases[i].ciphers) {
            assert_string_equal(tls_layer_cipher(tls_of(&server)), cases[i].ciphers);
            assert_int_equal(tls_layer_bits(tls_of(&server)), 128);
        }
        pair_close(&server, &client);
    }
}

static void a_version_that_is_not_allowed_is_refused(void **state)
{
    struct peer server, client;

    (void)state;
    /* Our client speaks 1.2 and 1.3 only. */
    pair_init(&server, &client, server_with("tls1_1", "DEFAULT:@SECLEVEL=0"), client_context(),
              "mupdate.test");
    assert_int_equal(peers_talk(&server, &client, 1000, 1000), LAYER_FAILED);
    assert_non_null(strstr(layer_stack_error(&server.stack), "TLS handshake: "));
    pair_close(&server, &client);
}

static void a_certificate_for_another_name_is_refused(void **state)
{
    static const char *const hosts[] = {"other.test", "127.0.0.2", "::1"};

    (void)state;
    for (size_t i = 0; i < 3; i++) {
        struct peer server, client;

        pair_init(&server, &client, server_context(), client_context(), hosts[i]);
        assert_int_equal(peers_talk(&server, &client, 1000, 1000), LAYER_FAILED);
        assert_non_null(strstr(layer_stack_error(&client.stack),
                               i == 0 ? "hostname mismatch" : "IP address mismatch"));
        assert_false(tls_layer_established(tls_of(&client)));
        /* The client's alert lets the server say why, too. */
        buffer_clear(&server.wire);
        assert_int_equal(peers_talk(&server, &client, 1000, 1000), LAYER_FAILED);
        assert_non_null(strstr(layer_stack_error(&server.stack), "certificate"));
        pair_close(&server, &client);
    }
}

static void an_address_in_the_certificate_is_accepted(void **state)
{
    struct peer server, client;

    (void)state;
    pair_init(&server, &client, server_context(), client_context(), "127.0.0.1");
    assert_int_equal(peers_talk(&server, &client, 1000, 1000), LAYER_OK);
    pair_close(&server, &client);
}

static void a_certificate_of_an_unknown_authority_is_refused_unless_any_will_do(void **state)
{
    struct tls_client_options options = {.ca_file = temp_path("otherca.pem")};
    struct tls_error error;
    struct peer server, client;

    (void)state;
    make_certificates();
    pair_init(&server, &client, server_context(), tls_context_client(&options, &error),
              "mupdate.test");
    assert_int_equal(peers_talk(&server, &client, 1000, 1000), LAYER_FAILED);
    assert_non_null(strstr(layer_stack_error(&client.stack), "the peer's certificate is refused"));
    pair_close(&server, &client);

    options.ca_file = NULL;
    pair_init(&server, &client, server_context(), tls_context_client(&options, &error),
              "mupdate.test");
    assert_int_equal(peers_talk(&server, &client, 1000, 1000), LAYER_FAILED);
    pair_close(&server, &client);

    pair_init(&server, &client, server_context(), trusting_client(), "another.name");
    assert_int_equal(peers_talk(&server, &client, 1000, 1000), LAYER_OK);
    pair_close(&server, &client);
}

static void a_client_without_the_certificate_that_is_required_is_refused(void **state)
{
    struct tls_server_options options = {
        .cert_file = temp_path("server.pem"),
        .key_file = temp_path("server.key"),
        .ca_file = temp_path("ca.pem"),
    };
    struct tls_error error = {{0}};
    struct peer server, client;

    (void)state;
    make_certificates();
    options.client_certs = TLS_CLIENT_CERTS_REQUIRE;
    pair_init(&server, &client, tls_context_server(&options, &error), client_context(),
              "mupdate.test");
    assert_int_equal(peers_talk(&server, &client, 1000, 1000), LAYER_FAILED);
    assert_non_null(
        strstr(layer_stack_error(&server.stack), "peer did not return a certificate"));
    pair_close(&server, &client);

    options.client_certs = TLS_CLIENT_CERTS_OPTIONAL;
    pair_init(&server, &client, tls_context_server(&options, &error), client_context(),
              "mupdate.test");
    assert_int_equal(peers_talk(&server, &client, 1000, 1000), LAYER_OK);
    pair_close(&server, &client);
}

static void garbage_instead_of_a_hello_is_a_failure_with_an_alert(void **state)
{
    static const char *const garbage[] = {
        "X0 AUTHENTICATE \"PLAIN\" {32+}\r\n",
        "GET / HTTP/1.0\r\n\r\n",
        "\x16\x03\x01\xff\xff\x01\xff\xff\xff",
        "\x80\x80\x80\x80\x80\x80\x80\x80\x80\x80\x80\x80",
        "\x17\x03\x03\x01\x01",
    };

    (void)state;
    for (size_t i = 0; i < 5; i++) {
        struct peer server, client;
        char bytes[300];

        /* Enough of it to fill a record that it may announce. */
        memset(bytes, 'A', sizeof bytes);
        memcpy(bytes, garbage[i], strlen(garbage[i]));
        pair_init(&server, &client, server_context(), client_context(), "mupdate.test");
        assert_int_equal(layer_stack_receive(&server.stack, bytes, sizeof bytes, &server.got,
                                             &server.wire, 1000),
                         LAYER_FAILED);
        assert_memory_equal(layer_stack_error(&server.stack), "TLS handshake: ", 15);
        assert_string_not_equal(layer_stack_error(&server.stack) + 15, "no reason given");
        assert_int_equal(buffer_len(&server.got), 0);
        if (buffer_len(&server.wire) > 0)
            assert_int_equal(buffer_bytes(&server.wire)[0], 0x15);
        pair_close(&server, &client);
    }
}

static void an_error_of_one_connection_does_not_reach_another(void **state)
{
    struct peer server, client, broken, unused;

    (void)state;
    pair_init(&server, &client, server_context(), client_context(), "mupdate.test");
    pair_init(&broken, &unused, server_context(), client_context(), "mupdate.test");
    assert_int_equal(peers_talk(&server, &client, 1000, 1000), LAYER_OK);
    for (int i = 0; i < 3; i++) {
        layer_stack_receive(&broken.stack, "nonsense", 8, &broken.got, &broken.wire, 100);
        peer_say(&server, "word", 4);
        assert_int_equal(peers_talk(&server, &client, 1000, 1000), LAYER_OK);
    }
    assert_int_equal(buffer_len(&client.got), 12);
    pair_close(&server, &client);
    pair_close(&broken, &unused);
}

static void a_changed_byte_is_noticed_and_the_words_before_it_arrive(void **state)
{
    struct peer server, client;
    size_t first;

    (void)state;
    pair_init(&server, &client, server_context(), client_context(), "mupdate.test");
    assert_int_equal(peers_talk(&server, &client, 1000, 1000), LAYER_OK);
    peer_say(&server, "first", 5);
    first = buffer_len(&server.wire);
    peer_say(&server, "second", 6);
    buffer_bytes(&server.wire)[first + 7] ^= 1;
    assert_int_equal(peers_talk(&server, &client, 100000, 1000), LAYER_FAILED);
    assert_memory_equal(layer_stack_error(&client.stack), "TLS receiving: ", 15);
    pair_close(&server, &client);
}

static void close_notify_ends_the_stream_behind_the_last_word(void **state)
{
    struct peer server, client;

    (void)state;
    for (size_t limit = 1; limit < 100; limit += 3) {
        pair_init(&server, &client, server_context(), client_context(), "mupdate.test");
        assert_int_equal(peers_talk(&server, &client, 1000, 1000), LAYER_OK);
        peer_say(&server, "the last word", 13);
        layer_stack_finish(&server.stack, &server.wire);
        assert_int_equal(peers_talk(&server, &client, 1000, limit), LAYER_CLOSED);
        assert_int_equal(buffer_len(&client.got), 13);
        /* The other direction is open until it is closed as well. */
        peer_say(&client, "good-bye", 8);
        layer_stack_finish(&client.stack, &client.wire);
        assert_int_equal(peers_talk(&server, &client, 1000, limit), LAYER_CLOSED);
        assert_int_equal(buffer_len(&server.got), 8);
        pair_close(&server, &client);
    }
}

static void finishing_in_the_handshake_says_nothing(void **state)
{
    struct peer server, client;

    (void)state;
    pair_init(&server, &client, server_context(), client_context(), "mupdate.test");
    layer_stack_finish(&server.stack, &server.wire);
    assert_int_equal(buffer_len(&server.wire), 0);
    pair_close(&server, &client);
}

static void much_passes_both_ways(void **state)
{
    size_t len = 5000000;
    uint8_t *bytes = some_bytes(len);

    (void)state;
    for (int i = 0; i < 2; i++) {
        struct peer server, client;

        pair_init(&server, &client, server_with(i ? "tls1_2" : "tls1_3", NULL), client_context(),
                  "mupdate.test");
        assert_int_equal(peers_talk(&server, &client, 1000, 1000), LAYER_OK);
        peer_say(&server, bytes, len);
        peer_say(&client, bytes, len);
        assert_int_equal(peers_talk(&server, &client, 65536, 32768), LAYER_OK);
        assert_int_equal(buffer_len(&client.got), len);
        assert_memory_equal(buffer_bytes(&client.got), bytes, len);
        assert_int_equal(buffer_len(&server.got), len);
        assert_memory_equal(buffer_bytes(&server.got), bytes, len);
        pair_close(&server, &client);
    }
    free(bytes);
}

static void connections_outlive_a_reference_to_their_context(void **state)
{
    struct tls_context *old = server_context();
    struct peer server, client;

    (void)state;
    pair_init(&server, &client, tls_context_ref(old), client_context(), "mupdate.test");
    tls_context_unref(old);
    assert_int_equal(peers_talk(&server, &client, 1000, 1000), LAYER_OK);
    pair_close(&server, &client);
}

static void there_is_no_binding_before_the_handshake_ends(void **state)
{
    unsigned char data[64];
    const char *name;
    struct peer server, client;

    (void)state;
    pair_init(&server, &client, server_context(), client_context(), "mupdate.test");
    assert_int_equal(tls_layer_binding(tls_of(&server), data, sizeof data, &name), 0);
    assert_int_equal(peers_talk(&server, &client, 1000, 1000), LAYER_OK);
    assert_in_range(tls_layer_binding(tls_of(&server), data, sizeof data, &name), 12, 64);
    assert_string_equal(name, "tls-unique");
    assert_int_equal(tls_layer_binding(tls_of(&server), data, 4, &name), 0);
    pair_close(&server, &client);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_handshake_succeeds_in_any_pieces),
        cmocka_unit_test(what_is_sent_before_the_end_of_the_handshake_comes_after_it),
        cmocka_unit_test(versions_and_ciphers_are_those_configured),
        cmocka_unit_test(a_version_that_is_not_allowed_is_refused),
        cmocka_unit_test(a_certificate_for_another_name_is_refused),
        cmocka_unit_test(an_address_in_the_certificate_is_accepted),
        cmocka_unit_test(a_certificate_of_an_unknown_authority_is_refused_unless_any_will_do),
        cmocka_unit_test(a_client_without_the_certificate_that_is_required_is_refused),
        cmocka_unit_test(garbage_instead_of_a_hello_is_a_failure_with_an_alert),
        cmocka_unit_test(an_error_of_one_connection_does_not_reach_another),
        cmocka_unit_test(a_changed_byte_is_noticed_and_the_words_before_it_arrive),
        cmocka_unit_test(close_notify_ends_the_stream_behind_the_last_word),
        cmocka_unit_test(finishing_in_the_handshake_says_nothing),
        cmocka_unit_test(much_passes_both_ways),
        cmocka_unit_test(connections_outlive_a_reference_to_their_context),
        cmocka_unit_test(there_is_no_binding_before_the_handshake_ends),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
