/* SPDX-License-Identifier: BSD-3-Clause */
#include <stdio.h>
#include <string.h>

#include "layer/tls.h"
#include "layer_support.h"

/* A server that checks certificates, and a client that has shown one. */
struct pair {
    struct peer server;
    struct peer client;
};

static struct tls_context *checking_server(const char *crl)
{
    struct tls_server_options options = {
        .cert_file = temp_path("server.pem"),
        .key_file = temp_path("server.key"),
        .ca_file = temp_path("ca.pem"),
        .crl_file = crl,
        .client_certs = TLS_CLIENT_CERTS_OPTIONAL,
    };
    struct tls_error error = {{0}};
    struct tls_context *context = tls_context_server(&options, &error);

    assert_string_equal(error.text, "");
    return context;
}

/* A certificate of ca.pem with this subject and alternative names ("DNS:a,..."; NULL: none). */
static void issue(const char *subject, const char *names)
{
    char command[512];

    snprintf(command, sizeof command,
             "openssl req -new -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -subj '%s' "
             "%s%s -keyout shown.key -out shown.csr && openssl x509 -req -CA ca.pem -CAkey ca.key "
             "-CAcreateserial -copy_extensions copy -days 2 -in shown.csr -out shown.pem",
             subject, names ? "-addext subjectAltName=" : "", names ? names : "");
    run(command);
}

/* Shake hands; cert NULL: nothing is shown. */
static enum layer_result meet(struct pair *pair, struct tls_context *server, const char *cert)
{
    struct tls_client_options options = {
        .ca_file = temp_path("ca.pem"), .cert_file = cert, .key_file = temp_path("shown.key")};
    struct tls_error error = {{0}};
    struct tls_context *client = tls_context_client(&options, &error);
    struct layer *layer;

    assert_string_equal(error.text, "");
    peer_init(&pair->server);
    peer_init(&pair->client);
    layer = tls_layer_server(server);
    assert_true(layer_stack_push(&pair->server.stack, layer));
    layer = tls_layer_client(client, "mupdate.test", &pair->client.wire);
    assert_true(layer_stack_push(&pair->client.stack, layer));
    tls_context_unref(server);
    tls_context_unref(client);
    return peers_talk(&pair->server, &pair->client, 1000, 1000);
}

static void part(struct pair *pair)
{
    peer_close(&pair->server);
    peer_close(&pair->client);
}

static const struct layer *tls_of(const struct peer *peer)
{
    return layer_stack_get(&peer->stack, LAYER_TLS);
}

static void assert_name(const char *subject, const char *names, enum tls_name kind,
                        enum tls_name_found found, const char *expected)
{
    struct pair pair;
    char name[TLS_NAME_BYTES];

    issue(subject, names);
    assert_int_equal(meet(&pair, checking_server(NULL), temp_path("shown.pem")), LAYER_OK);
    assert_true(tls_layer_peer_verified(tls_of(&pair.server)));
    assert_int_equal(tls_layer_peer_name(tls_of(&pair.server), kind, name), found);
    if (found == TLS_NAME_ONE)
        assert_string_equal(name, expected);
    part(&pair);
}

static void each_kind_of_name_is_found(void **state)
{
    static const char names[] = "DNS:B1.Test,email:Ops@b.test,URI:spiffe://x/Y";

    (void)state;
    assert_name("/O=A/CN=Jane Doe", names, TLS_NAME_SAN_DNS, TLS_NAME_ONE, "b1.test");
    assert_name("/O=A/CN=Jane Doe", names, TLS_NAME_SAN_EMAIL, TLS_NAME_ONE, "Ops@b.test");
    assert_name("/O=A/CN=Jane Doe", names, TLS_NAME_SAN_URI, TLS_NAME_ONE, "spiffe://x/Y");
    assert_name("/O=A/CN=Jane Doe", names, TLS_NAME_CN, TLS_NAME_ONE, "Jane Doe");
    assert_name("/O=A/CN=Jane Doe", names, TLS_NAME_SUBJECT, TLS_NAME_ONE, "CN=Jane Doe,O=A");
    assert_name("/O=A", NULL, TLS_NAME_CN, TLS_NAME_ABSENT, NULL);
    assert_name("/CN=x", "DNS:a.test", TLS_NAME_SAN_EMAIL, TLS_NAME_ABSENT, NULL);
}

static void a_doubtful_name_is_none(void **state)
{
    (void)state;
    assert_name("/CN=a/CN=b", NULL, TLS_NAME_CN, TLS_NAME_SEVERAL, NULL);
    assert_name("/CN=a/CN=a", NULL, TLS_NAME_CN, TLS_NAME_ONE, "a");
    assert_name("/CN=x", "DNS:a.test,DNS:b.test", TLS_NAME_SAN_DNS, TLS_NAME_SEVERAL, NULL);
    assert_name("/CN=x", "DNS:a.test,DNS:A.TEST", TLS_NAME_SAN_DNS, TLS_NAME_ONE, "a.test");
    assert_name("/CN=x", "DNS:*.test", TLS_NAME_SAN_DNS, TLS_NAME_UNFIT, NULL);
    assert_name("/CN=x", "DNS:a.test,DNS:*.test", TLS_NAME_SAN_DNS, TLS_NAME_UNFIT, NULL);
    assert_name("/CN=x", "DNS:*.test,DNS:a.test", TLS_NAME_SAN_DNS, TLS_NAME_UNFIT, NULL);
    assert_name("/CN= x", NULL, TLS_NAME_CN, TLS_NAME_UNFIT, NULL);
    /* A name of "a", NUL, "b". */
    assert_name("/CN=x", "DER:30:05:82:03:61:00:62", TLS_NAME_SAN_DNS, TLS_NAME_UNFIT, NULL);
}

static void a_name_is_found_among_several(void **state)
{
    struct pair pair;
    const struct layer *tls;

    (void)state;
    issue("/CN=a/CN=b", "DNS:A.test,DNS:*.b.test,DNS:c.test,email:Ops@b.test");
    assert_int_equal(meet(&pair, checking_server(NULL), temp_path("shown.pem")), LAYER_OK);
    tls = tls_of(&pair.server);
    assert_true(tls_layer_peer_has(tls, TLS_NAME_SAN_DNS, "C.TEST"));
    assert_true(tls_layer_peer_has(tls, TLS_NAME_SAN_DNS, "a.test"));
    assert_false(tls_layer_peer_has(tls, TLS_NAME_SAN_DNS, "*.b.test"));
    assert_false(tls_layer_peer_has(tls, TLS_NAME_SAN_DNS, "d.test"));
    assert_true(tls_layer_peer_has(tls, TLS_NAME_SAN_EMAIL, "Ops@b.test"));
    assert_false(tls_layer_peer_has(tls, TLS_NAME_SAN_EMAIL, "ops@b.test"));
    assert_true(tls_layer_peer_has(tls, TLS_NAME_CN, "b"));
    assert_false(tls_layer_peer_has(tls, TLS_NAME_CN, "B"));
    part(&pair);
}

static void nobody_is_known_without_a_certificate_or_a_check_of_it(void **state)
{
    struct pair pair;
    char name[TLS_NAME_BYTES];

    (void)state;
    issue("/CN=a", NULL);
    assert_int_equal(meet(&pair, checking_server(NULL), NULL), LAYER_OK);
    assert_false(tls_layer_peer_verified(tls_of(&pair.server)));
    assert_int_equal(tls_layer_peer_name(tls_of(&pair.server), TLS_NAME_CN, name),
                     TLS_NAME_ABSENT);
    assert_false(tls_layer_peer_subject(tls_of(&pair.server), name));
    part(&pair);
    assert_int_equal(meet(&pair, server_context(), temp_path("shown.pem")), LAYER_OK);
    assert_false(tls_layer_peer_verified(tls_of(&pair.server)));
    assert_false(tls_layer_peer_has(tls_of(&pair.server), TLS_NAME_CN, "a"));
    part(&pair);
}

static void who_was_refused_is_told_for_the_log(void **state)
{
    struct pair pair;
    char name[TLS_NAME_BYTES];

    (void)state;
    issue("/CN=good", NULL);
    assert_int_equal(meet(&pair, checking_server(NULL), temp_path("shown.pem")), LAYER_OK);
    assert_false(tls_layer_refused_subject(tls_of(&pair.server), name));
    assert_true(tls_layer_peer_subject(tls_of(&pair.server), name));
    assert_string_equal(name, "CN=good");
    assert_true(tls_layer_peer_issuer(tls_of(&pair.server), name));
    assert_string_equal(name, "CN=Test-CA");
    part(&pair);

    run("openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 "
        "-subj '/CN=st\tranger' -keyout shown.key -out shown.pem");
    assert_int_equal(meet(&pair, checking_server(NULL), temp_path("shown.pem")), LAYER_FAILED);
    assert_false(tls_layer_peer_verified(tls_of(&pair.server)));
    assert_true(tls_layer_refused_subject(tls_of(&pair.server), name));
    assert_string_equal(name, "CN=st\\09ranger");
    assert_non_null(strstr(layer_stack_error(&pair.server.stack), "self-signed certificate"));
    part(&pair);
}

static void revoked_certificates_and_those_without_a_list_are_refused(void **state)
{
    struct pair pair;

    (void)state;
    run("touch index && echo 01 > crlnumber && printf '%s\\n' '[ca]' 'default_ca=a' '[a]' "
        "'database=index' 'crlnumber=crlnumber' 'default_md=sha256' > ca.cnf");
    issue("/CN=a", NULL);
    run("openssl ca -config ca.cnf -cert ca.pem -keyfile ca.key -gencrl -crldays 2 -out crl.pem");
    assert_int_equal(meet(&pair, checking_server(temp_path("crl.pem")), temp_path("shown.pem")),
                     LAYER_OK);
    part(&pair);
    run("openssl ca -config ca.cnf -cert ca.pem -keyfile ca.key -revoke shown.pem && "
        "openssl ca -config ca.cnf -cert ca.pem -keyfile ca.key -gencrl -crldays 2 -out crl.pem");
    assert_int_equal(meet(&pair, checking_server(temp_path("crl.pem")), temp_path("shown.pem")),
                     LAYER_FAILED);
    assert_non_null(strstr(layer_stack_error(&pair.server.stack), "certificate revoked"));
    part(&pair);
    run("openssl ca -config ca.cnf -cert otherca.pem -keyfile other.key -gencrl -crldays 2 "
        "-out othercrl.pem");
    assert_int_equal(
        meet(&pair, checking_server(temp_path("othercrl.pem")), temp_path("shown.pem")),
        LAYER_FAILED);
    assert_non_null(strstr(layer_stack_error(&pair.server.stack), "unable to get certificate CRL"));
    part(&pair);
}

static void the_context_knows_when_it_ends(void **state)
{
    struct tls_context *context = server_context();

    (void)state;
    assert_true(tls_context_starts_in(context) <= 0);
    assert_in_range(tls_context_ends_in(context), 86400, 2 * 86400);
    assert_true(tls_context_crl_ends_in(context) == INT64_MAX);
    tls_context_unref(context);
    run("touch index && echo 01 > crlnumber && printf '%s\\n' '[ca]' 'default_ca=a' '[a]' "
        "'database=index' 'crlnumber=crlnumber' 'default_md=sha256' > ca.cnf");
    run("openssl ca -config ca.cnf -cert ca.pem -keyfile ca.key -gencrl -out crl.pem "
        "-crl_lastupdate 20200101000000Z -crl_nextupdate 20200201000000Z");
    context = checking_server(temp_path("crl.pem"));
    assert_true(tls_context_crl_ends_in(context) < 0);
    tls_context_unref(context);
}

static int setup(void **state)
{
    (void)state;
    make_certificates();
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_kind_of_name_is_found),
        cmocka_unit_test(a_doubtful_name_is_none),
        cmocka_unit_test(a_name_is_found_among_several),
        cmocka_unit_test(nobody_is_known_without_a_certificate_or_a_check_of_it),
        cmocka_unit_test(who_was_refused_is_told_for_the_log),
        cmocka_unit_test(revoked_certificates_and_those_without_a_list_are_refused),
        cmocka_unit_test(the_context_knows_when_it_ends),
    };

    return cmocka_run_group_tests(tests, setup, NULL);
}
