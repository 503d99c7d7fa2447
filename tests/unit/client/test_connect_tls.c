/* SPDX-License-Identifier: BSD-3-Clause */
#include "connect_script.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "layer/deflate.h"
#include "layer/tls.h"
#include "tests/unit/layer/layer_support.h"

#define TLS_BANNER    "* AUTH\r\n* STARTTLS\r\n" BANNER_END
#define SECRET_BANNER "* OK MUPDATE \"under.tls.test\" \"Test\" \"1\" \"(master)\"\r\n"

static int make_files(void **state)
{
    (void)state;
    make_certificates();
    return 0;
}

/* Connect as the options say; kind MUPDATE_CONNECT_OK: it must work, to this hostname. */
static void connect_with(script_function *function, const char *word,
                         struct mupdate_connect_options options, enum mupdate_connect_kind kind,
                         const char *part)
{
    struct script script;
    struct mupdate_connect_error error;
    struct mupdate_connection *connection;

    script_start(&script, function, word);
    options.host = options.host ? options.host : "127.0.0.1";
    options.port = script.port;
    options.timeout_ms = PATIENT_MS;
    connection = mupdate_connect(&options, &error);
    if (kind == MUPDATE_CONNECT_OK) {
        if (!connection)
            fail_msg("%s", error.text);
        assert_string_equal(mupdate_client_banner(mupdate_connection_client(connection))->hostname,
                            part);
    } else {
        assert_null(connection);
        if (!strstr(error.text, part))
            fail_msg("no \"%s\" in \"%s\"", part, error.text);
        assert_int_equal(error.kind, kind);
    }
    mupdate_connection_close(connection);
    script_end(&script);
}

static struct mupdate_connect_options trusting(const char *ca)
{
    return (struct mupdate_connect_options){.ca_file = ca, .tls = MUPDATE_TLS_REQUIRE};
}

/* The server side of TLS on the script's connection, then the banner. */
static void handshake_and_greet(struct script *script)
{
    struct tls_context *context = server_context();
    struct layer *layer = tls_layer_server(context);

    tls_context_unref(context);
    if (!layer || !layer_stack_push(&script->stack, layer)) {
        script->wrong = "the server cannot start TLS";
        return;
    }
    while (!tls_layer_established(layer)) {
        char data[4096];
        ssize_t len = recv(script->fd, data, sizeof data, 0);

        if (len <= 0 || layer_stack_receive(&script->stack, data, (size_t)len, &script->up,
                                            &script->down, SIZE_MAX / 2) != LAYER_OK)
            return;
        script_say(script, "");
    }
    script_say(script, SECRET_BANNER);
    script_expect_end(script);
}

/* With STARTTLS; what the word says follows its OK in clear. */
static void serve_tls(struct script *script)
{
    char answer[256];

    script_say(script, TLS_BANNER);
    script_expect(script, "STARTTLS");
    /* In one write, so that the client gets both at once. */
    snprintf(answer, sizeof answer, "%s OK \"Begin\"\r\n%s", script->tag,
             script->word ? script->word : "");
    script_say(script, answer);
    handshake_and_greet(script);
}

static void a_port_that_begins_with_tls_is_greeted_by_its_handshake(void **state)
{
    struct mupdate_connect_options options = trusting(temp_path("ca.pem"));

    (void)state;
    options.tls = MUPDATE_TLS_FIRST;
    connect_with(handshake_and_greet, NULL, options, MUPDATE_CONNECT_OK, "under.tls.test");
    options.ca_file = temp_path("otherca.pem");
    connect_with(handshake_and_greet, NULL, options, MUPDATE_CONNECT_TLS,
                 "the peer's certificate is refused");
}

static void a_local_socket_does_not_begin_with_tls(void **state)
{
    const struct mupdate_connect_options options = {.host = "unix:/nonexistent/socket",
                                                    .tls = MUPDATE_TLS_FIRST};
    struct mupdate_connect_error error;

    (void)state;
    assert_null(mupdate_connect(&options, &error));
    assert_int_equal(error.kind, MUPDATE_CONNECT_USAGE);
}

static void the_banner_under_tls_replaces_the_first(void **state)
{
    (void)state;
    connect_with(serve_tls, NULL, trusting(temp_path("ca.pem")), MUPDATE_CONNECT_OK,
                 "under.tls.test");
}

static void tls_is_used_without_being_asked_for_when_it_is_offered(void **state)
{
    (void)state;
    connect_with(serve_tls, NULL, (struct mupdate_connect_options){.ca_file = temp_path("ca.pem")},
                 MUPDATE_CONNECT_OK, "under.tls.test");
}

static void a_certificate_of_an_unknown_authority_is_refused(void **state)
{
    (void)state;
    connect_with(serve_tls, NULL, trusting(temp_path("otherca.pem")), MUPDATE_CONNECT_TLS,
                 "certificate");
    connect_with(serve_tls, NULL, (struct mupdate_connect_options){.tls = MUPDATE_TLS_TRY},
                 MUPDATE_CONNECT_TLS, "certificate");
}

static void a_certificate_for_another_name_is_refused(void **state)
{
    struct mupdate_connect_options options = trusting(temp_path("ca.pem"));

    (void)state;
    options.host = "localhost";
    connect_with(serve_tls, NULL, options, MUPDATE_CONNECT_TLS, "certificate");
}

static void any_certificate_does_when_that_is_wanted(void **state)
{
    struct mupdate_connect_options options = {.tls = MUPDATE_TLS_REQUIRE,
                                              .accept_any_certificate = true};

    (void)state;
    options.host = "localhost";
    connect_with(serve_tls, NULL, options, MUPDATE_CONNECT_OK, "under.tls.test");
}

static void what_follows_the_ok_in_clear_is_not_taken_for_the_banner(void **state)
{
    (void)state;
    connect_with(serve_tls, "* AUTH \"PLAIN\"\r\n* OK MUPDATE \"forged\" \"\" \"\" \"\"\r\n",
                 trusting(temp_path("ca.pem")), MUPDATE_CONNECT_OK, "under.tls.test");
}

static void greet_in_clear(struct script *script)
{
    script_say(script, BANNER);
    script_expect_end(script);
}

static void a_greeting_in_the_clear_is_no_handshake(void **state)
{
    struct mupdate_connect_options options = trusting(NULL);

    (void)state;
    options.tls = MUPDATE_TLS_FIRST;
    connect_with(greet_in_clear, NULL, options, MUPDATE_CONNECT_TLS, "TLS with 127.0.0.1");
    connect_with(greet_in_clear, NULL, options, MUPDATE_CONNECT_TLS, "leave out /tls");
}

static void tls_that_is_required_and_not_offered_is_an_error(void **state)
{
    (void)state;
    connect_with(greet_in_clear, NULL, trusting(NULL), MUPDATE_CONNECT_TLS,
                 "does not offer STARTTLS");
}

static void refuse(struct script *script)
{
    script_say(script, TLS_BANNER);
    script_expect(script, "STARTTLS");
    script_reply(script, "NO \"out of order\"");
    script_expect_end(script);
}

static void a_refused_starttls_is_an_error_and_nothing_is_said_in_clear(void **state)
{
    (void)state;
    connect_with(refuse, NULL, trusting(NULL), MUPDATE_CONNECT_TLS, "out of order");
    connect_with(refuse, NULL, (struct mupdate_connect_options){.user = "murder"},
                 MUPDATE_CONNECT_TLS, "out of order");
}

static void garble(struct script *script)
{
    char data[4096];

    script_say(script, TLS_BANNER);
    script_expect(script, "STARTTLS");
    script_reply(script, "OK \"Begin\"");
    (void)recv(script->fd, data, sizeof data, 0);
    script_say(script, "this is no TLS at all\r\n");
    while (recv(script->fd, data, sizeof data, 0) > 0)
        ;
}

static void close_in_handshake(struct script *script)
{
    char data[4096];

    script_say(script, TLS_BANNER);
    script_expect(script, "STARTTLS");
    script_reply(script, "OK \"Begin\"");
    (void)recv(script->fd, data, sizeof data, 0);
}

static void a_handshake_that_fails_is_an_error_of_tls(void **state)
{
    (void)state;
    connect_with(garble, NULL, trusting(NULL), MUPDATE_CONNECT_TLS, "TLS with 127.0.0.1");
    connect_with(close_in_handshake, NULL, trusting(NULL), MUPDATE_CONNECT_TLS, "closed");
}

static void agree(struct script *script)
{
    script_say(script, TLS_BANNER);
    script_expect(script, "STARTTLS");
    script_reply(script, "OK \"Begin\"");
    script_expect_end(script);
}

static void a_missing_ca_file_is_named(void **state)
{
    (void)state;
    connect_with(agree, NULL, trusting("/nonexistent/ca.pem"), MUPDATE_CONNECT_TLS,
                 "/nonexistent/ca.pem");
}

static void compress(struct script *script)
{
    struct layer *layer = deflate_layer_new();

    script_say(script, "* COMPRESS \"DEFLATE\"\r\n" BANNER_END);
    script_expect(script, "COMPRESS \"DEFLATE\"");
    script_reply(script, script->word);
    if (strncmp(script->word, "OK", 2) == 0 && !layer_stack_push(&script->stack, layer))
        script->wrong = "the server cannot compress";
    else if (strncmp(script->word, "OK", 2) != 0)
        layer->ops->free(layer);
    script_expect(script, "LOGOUT");
    script_reply(script, "BYE \"bye\"");
}

static void compression_is_used_when_the_server_agrees_and_else_left_out(void **state)
{
    struct mupdate_connect_options options = {.compress = true};

    (void)state;
    connect_with(compress, "OK \"DEFLATE active\"", options, MUPDATE_CONNECT_OK, "mupdate.test");
    connect_with(compress, "NO \"not now\"", options, MUPDATE_CONNECT_OK, "mupdate.test");
    connect_with(greet_in_clear, NULL, options, MUPDATE_CONNECT_OK, "mupdate.test");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_banner_under_tls_replaces_the_first),
        cmocka_unit_test(a_port_that_begins_with_tls_is_greeted_by_its_handshake),
        cmocka_unit_test(a_local_socket_does_not_begin_with_tls),
        cmocka_unit_test(a_greeting_in_the_clear_is_no_handshake),
        cmocka_unit_test(tls_is_used_without_being_asked_for_when_it_is_offered),
        cmocka_unit_test(a_certificate_of_an_unknown_authority_is_refused),
        cmocka_unit_test(a_certificate_for_another_name_is_refused),
        cmocka_unit_test(any_certificate_does_when_that_is_wanted),
        cmocka_unit_test(what_follows_the_ok_in_clear_is_not_taken_for_the_banner),
        cmocka_unit_test(tls_that_is_required_and_not_offered_is_an_error),
        cmocka_unit_test(a_refused_starttls_is_an_error_and_nothing_is_said_in_clear),
        cmocka_unit_test(a_handshake_that_fails_is_an_error_of_tls),
        cmocka_unit_test(a_missing_ca_file_is_named),
        cmocka_unit_test(compression_is_used_when_the_server_agrees_and_else_left_out),
    };

    return cmocka_run_group_tests_name("connect_tls", tests, make_files, NULL);
}
