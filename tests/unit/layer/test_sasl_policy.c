/* SPDX-License-Identifier: BSD-3-Clause */
#include <stdio.h>
#include <string.h>

#include "layer/tls.h"
#include "sasl_support.h"

/* The mechanisms on offer, each followed by a blank. */
static const char *offer_of(const struct sasl_endpoint *endpoint)
{
    static char list[512];
    struct sasl_server *server = server_open(endpoint);
    const char *const *names;
    size_t count = sasl_server_mechanisms(server, &names);

    list[0] = '\0';
    for (size_t i = 0; i < count; i++) {
        size_t len = strlen(list);

        snprintf(list + len, sizeof list - len, "%s ", names[i]);
    }
    sasl_server_close(server);
    return list;
}

static enum sasl_progress begin(const struct sasl_endpoint *endpoint, const char *mechanism,
                                const char *initial, size_t initial_len)
{
    struct sasl_server *server = server_open(endpoint);
    struct sasl_failure failure = {.text = ""};
    const void *out;
    size_t len;
    enum sasl_progress progress =
        sasl_server_begin(server, mechanism, initial, initial_len, &out, &len, &failure);

    assert_true((progress == SASL_PROGRESS_FAILED) == (failure.text[0] != '\0'));
    sasl_server_close(server);
    return progress;
}

static void passwords_in_the_clear_are_neither_offered_nor_taken_unless_allowed(void **state)
{
    static const char answer[] = "\0murder\0Murder Pw";
    struct sasl_endpoint endpoint = endpoint_of(0);

    (void)state;
    assert_non_null(strstr(offer_of(&endpoint), "PLAIN "));
    assert_non_null(strstr(offer_of(&endpoint), "LOGIN "));
    assert_int_equal(begin(&endpoint, "PLAIN", answer, sizeof answer - 1), SASL_PROGRESS_DONE);

    endpoint.plaintext = false;
    assert_null(strstr(offer_of(&endpoint), "PLAIN "));
    assert_null(strstr(offer_of(&endpoint), "LOGIN "));
    assert_non_null(strstr(offer_of(&endpoint), "SCRAM-SHA-256 "));
    assert_int_equal(begin(&endpoint, "PLAIN", answer, sizeof answer - 1), SASL_PROGRESS_FAILED);
    assert_int_equal(begin(&endpoint, "LOGIN", NULL, 0), SASL_PROGRESS_FAILED);

    endpoint.external_bits = 256;
    assert_non_null(strstr(offer_of(&endpoint), "PLAIN "));
}

static void nobody_comes_in_without_a_name(void **state)
{
    struct sasl_endpoint endpoint = endpoint_of(256);

    (void)state;
    assert_null(strstr(offer_of(&endpoint), "ANONYMOUS "));
    assert_int_equal(begin(&endpoint, "ANONYMOUS", "guest", 5), SASL_PROGRESS_FAILED);
    assert_int_equal(begin(&endpoint, "EXTERNAL", "", 0), SASL_PROGRESS_FAILED);
}

static void mech_list_restricts_what_is_offered_and_taken(void **state)
{
    static const char answer[] = "\0murder\0Murder Pw";
    struct sasl_endpoint endpoint = endpoint_of(0);

    (void)state;
    sasl_set("mech_list", "scram-sha-256 DIGEST-MD5 NONSENSE");
    assert_string_equal(offer_of(&endpoint), "SCRAM-SHA-256 DIGEST-MD5 ");
    assert_int_equal(begin(&endpoint, "PLAIN", answer, sizeof answer - 1), SASL_PROGRESS_FAILED);
    sasl_set("mech_list", NULL);
    assert_int_equal(begin(&endpoint, "PLAIN", answer, sizeof answer - 1), SASL_PROGRESS_DONE);
}

static void a_least_strength_leaves_only_mechanisms_that_reach_it(void **state)
{
    struct sasl_endpoint endpoint = endpoint_of(256);

    (void)state;
    endpoint.minimum_bits = 56;
    assert_null(strstr(offer_of(&endpoint), "SCRAM"));
    assert_null(strstr(offer_of(&endpoint), "PLAIN "));
    assert_non_null(strstr(offer_of(&endpoint), "DIGEST-MD5 "));
    endpoint.external_bits = 128;
    assert_non_null(strstr(offer_of(&endpoint), "SCRAM-SHA-256 "));
}

static void the_list_of_mechanisms_can_be_asked_again_and_after_failures(void **state)
{
    struct sasl_endpoint endpoint = endpoint_of(0);
    struct sasl_server *server = server_open(&endpoint);
    struct sasl_failure failure;
    const char *const *names;
    const void *out;
    size_t len;
    size_t count = sasl_server_mechanisms(server, &names);

    (void)state;
    assert_in_range(count, 5, 30);
    assert_int_equal(sasl_server_begin(server, "CRAM-MD5", NULL, 0, &out, &len, &failure),
                     SASL_PROGRESS_CHALLENGE);
    assert_int_equal(sasl_server_mechanisms(server, &names), count);
    assert_int_equal(sasl_server_continue(server, "x", 1, &out, &len, &failure),
                     SASL_PROGRESS_FAILED);
    assert_int_equal(sasl_server_mechanisms(server, &names), count);
    sasl_server_close(server);
}

static void a_setting_of_one_plugin_wins_over_the_common_one(void **state)
{
    static const char first[] = "n,,n=murder,r=0123456789";
    struct sasl_endpoint endpoint = endpoint_of(0);
    struct sasl_server *server = server_open(&endpoint);
    struct sasl_failure failure;
    const void *out;
    size_t len;

    (void)state;
    sasl_set("scram_iteration_counter", "5000");
    sasl_set("SCRAM-SHA-256_scram_iteration_counter", "6000");
    assert_int_equal(sasl_server_begin(server, "SCRAM-SHA-256", first, sizeof first - 1, &out, &len,
                                       &failure),
                     SASL_PROGRESS_CHALLENGE);
    assert_non_null(strstr(out, ",i=6000"));
    assert_int_equal(sasl_server_begin(server, "SCRAM-SHA-1", first, sizeof first - 1, &out, &len,
                                       &failure),
                     SASL_PROGRESS_CHALLENGE);
    assert_non_null(strstr(out, ",i=5000"));
    sasl_set("scram_iteration_counter", NULL);
    sasl_set("SCRAM-SHA-256_scram_iteration_counter", NULL);
    sasl_server_close(server);
}

static void what_cyrus_sasl_complains_of_reaches_the_log(void **state)
{
    static const char answer[] = "\0murder\0Murder Pw";
    struct sasl_endpoint endpoint = endpoint_of(0);

    (void)state;
    sasl_set("pwcheck_method", "nonsense");
    assert_int_equal(begin(&endpoint, "PLAIN", answer, sizeof answer - 1), SASL_PROGRESS_FAILED);
    sasl_set("pwcheck_method", "auxprop");
    assert_non_null(strstr(sasl_logged(), "Password verification failed"));
    assert_int_equal(begin(&endpoint, "PLAIN", answer, sizeof answer - 1), SASL_PROGRESS_DONE);
}

static void an_endpoint_that_is_no_address_is_an_error(void **state)
{
    struct sasl_endpoint endpoint = endpoint_of(0);
    struct sasl_failure failure = {.text = ""};

    (void)state;
    endpoint.local = "nowhere";
    assert_null(sasl_server_open(&endpoint, NULL, NULL, &failure));
    assert_string_not_equal(failure.text, "");
    endpoint.local = NULL;
    endpoint.remote = NULL;
    assert_non_null(strstr(offer_of(&endpoint), "SCRAM-SHA-256 "));
}

/* Log in over TLS, each side with the binding it sees; false: refused. */
static bool bound_login(const char *mechanism, bool server_binds, bool other_connection)
{
    struct tls_context *contexts[2] = {server_context(), client_context()};
    struct sasl_endpoint endpoints[2] = {endpoint_of(256), endpoint_of(256)};
    unsigned char bindings[2][64];
    struct peer peers[2];
    struct sasl_server *server;
    struct sasl_client *client;
    struct login login;
    bool done;

    for (int i = 0; i < 2; i++)
        peer_init(&peers[i]);
    assert_true(layer_stack_push(&peers[0].stack, tls_layer_server(contexts[0])));
    assert_true(layer_stack_push(&peers[1].stack, tls_layer_client(contexts[1], "mupdate.test",
                                                                   &peers[1].wire)));
    assert_int_equal(peers_talk(&peers[0], &peers[1], 1000, 65536), LAYER_OK);
    for (int i = 0; i < 2; i++) {
        const struct layer *tls = layer_stack_get(&peers[i].stack, LAYER_TLS);

        assert_true(tls_layer_established(tls));
        endpoints[i].external_bits = tls_layer_bits(tls);
        endpoints[i].binding_len = tls_layer_binding(tls, bindings[i], sizeof bindings[i],
                                                     &endpoints[i].binding_name);
        assert_in_range(endpoints[i].binding_len, 12, 64);
        endpoints[i].binding = bindings[i];
    }
    assert_memory_equal(bindings[0], bindings[1], endpoints[0].binding_len);
    if (other_connection)
        bindings[0][0] ^= 1;
    if (!server_binds)
        endpoints[0].binding_len = 0;
    assert_true((strstr(offer_of(&endpoints[0]), "SCRAM-SHA-256-PLUS ") != NULL) == server_binds);

    server = server_open(&endpoints[0]);
    client = client_open(&endpoints[1], "murder", NULL, "Murder Pw");
    log_in(server, client, mechanism, &login);
    done = ended(login.server, 'D') && ended(login.client, 'D');
    sasl_client_close(client);
    sasl_server_close(server);
    for (int i = 0; i < 2; i++) {
        peer_close(&peers[i]);
        tls_context_unref(contexts[i]);
    }
    return done;
}

static void a_login_can_be_bound_to_its_tls_connection(void **state)
{
    (void)state;
    assert_true(bound_login("SCRAM-SHA-256-PLUS", true, false));
    assert_false(bound_login("SCRAM-SHA-256-PLUS", true, true));
    assert_true(bound_login("SCRAM-SHA-256", false, false));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(passwords_in_the_clear_are_neither_offered_nor_taken_unless_allowed),
        cmocka_unit_test(nobody_comes_in_without_a_name),
        cmocka_unit_test(mech_list_restricts_what_is_offered_and_taken),
        cmocka_unit_test(a_least_strength_leaves_only_mechanisms_that_reach_it),
        cmocka_unit_test(the_list_of_mechanisms_can_be_asked_again_and_after_failures),
        cmocka_unit_test(a_setting_of_one_plugin_wins_over_the_common_one),
        cmocka_unit_test(what_cyrus_sasl_complains_of_reaches_the_log),
        cmocka_unit_test(an_endpoint_that_is_no_address_is_an_error),
        cmocka_unit_test(a_login_can_be_bound_to_its_tls_connection),
    };

    return cmocka_run_group_tests(tests, sasl_group_setup, sasl_group_teardown);
}
