/* SPDX-License-Identifier: BSD-3-Clause */
#include "connect_script.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/unit/layer/sasl_support.h"
#include "wire/base64.h"

/* base64 of NUL murder NUL Murder Pw */
#define PLAIN_RESPONSE "AG11cmRlcgBNdXJkZXIgUHc="

static int asked;

static char *give_password(void *context)
{
    asked++;
    return context ? strdup(context) : NULL;
}

static struct mupdate_connect_options user_options(const struct script *script,
                                                   const char *password)
{
    struct mupdate_connect_options options = script_options(script);

    asked = 0;
    options.user = "murder";
    options.password = give_password;
    options.context = (void *)(uintptr_t)password;
    return options;
}

/* Log in to the script; NULL: it must work, otherwise it must fail with this kind and text. */
static void log_in_to(script_function *function, const char *word, const char *mechanism,
                      const char *password, enum mupdate_connect_kind kind, const char *part)
{
    struct script script;
    struct mupdate_connect_options options;
    struct mupdate_connect_error error;
    struct mupdate_connection *connection;

    script_start(&script, function, word);
    options = user_options(&script, password);
    options.mechanism = mechanism;
    connection = mupdate_connect(&options, &error);
    if (kind == MUPDATE_CONNECT_OK && !connection)
        fail_msg("%s", error.text);
    assert_int_equal(connection != NULL, kind == MUPDATE_CONNECT_OK);
    assert_int_equal(error.kind, kind);
    if (!strstr(error.text, part))
        fail_msg("no \"%s\" in \"%s\"", part, error.text);
    mupdate_connection_close(connection);
    script_end(&script);
}

static void plain(struct script *script)
{
    script_say(script, BANNER);
    script_expect(script, "AUTHENTICATE \"PLAIN\" {24+}\r\n" PLAIN_RESPONSE);
    script_reply(script, script->word);
    script_expect_end(script);
}

static void refuse_another(struct script *script)
{
    script_say(script, BANNER);
    script_expect(script, "AUTHENTICATE \"PLAIN\"");
    script_reply(script, "NO \"authentication failed\"");
    script_expect_end(script);
}

static void only_greet(struct script *script)
{
    script_say(script, script->word);
    script_expect_end(script);
}

static void plain_sends_user_and_password_at_once(void **state)
{
    (void)state;
    log_in_to(plain, "OK \"Authenticated\"", NULL, "Murder Pw", MUPDATE_CONNECT_OK, "");
    assert_int_equal(asked, 1);
}

static void no_is_denied_with_what_the_server_says_and_what_to_check(void **state)
{
    (void)state;
    log_in_to(plain, "NO \"authentication failed\"", NULL, "Murder Pw", MUPDATE_CONNECT_DENIED,
              "as murder: the server says authentication failed");
    log_in_to(plain, "NO \"authentication failed\"", NULL, "Murder Pw", MUPDATE_CONNECT_DENIED,
              "check the user, the password");
}

static void what_to_check_behind_a_no_is_of_the_roles_and_of_who_is_acted_as(void **state)
{
    struct script script;
    struct mupdate_connect_options options;
    struct mupdate_connect_error error;

    (void)state;
    log_in_to(plain, "NO \"authentication failed\"", NULL, "Murder Pw", MUPDATE_CONNECT_DENIED,
              "lets this user in (admins, readers, backends)");
    script_start(&script, refuse_another, NULL);
    options = user_options(&script, "Murder Pw");
    options.authorize = "anna";
    assert_null(mupdate_connect(&options, &error));
    assert_non_null(strstr(error.text, "lets this user act as another (admins)"));
    script_end(&script);
}

static void external_without_a_certificate_is_said_to_want_one(void **state)
{
    (void)state;
    log_in_to(only_greet, BANNER, "EXTERNAL", NULL, MUPDATE_CONNECT_DENIED,
              "EXTERNAL takes a certificate, and none was given");
}

static void bye_in_place_of_an_answer_is_no_denial(void **state)
{
    (void)state;
    log_in_to(plain, "BYE \"going down\"", NULL, "Murder Pw", MUPDATE_CONNECT_UNREACHABLE,
              "going down");
}

static void without_a_user_nobody_logs_in(void **state)
{
    struct script script;
    struct mupdate_connect_options options;
    struct mupdate_connect_error error;
    struct mupdate_connection *connection;

    (void)state;
    script_start(&script, only_greet, BANNER);
    options = script_options(&script);
    connection = mupdate_connect(&options, &error);
    assert_non_null(connection);
    mupdate_connection_close(connection);
    script_end(&script);
}

static void a_mechanism_that_is_not_offered_is_named_with_those_that_are(void **state)
{
    (void)state;
    log_in_to(only_greet, BANNER, "SCRAM-SHA-256", "Murder Pw", MUPDATE_CONNECT_DENIED,
              "does not offer SCRAM-SHA-256 here, but PLAIN");
}

static void nothing_on_offer_is_said_to_be_for_want_of_tls_when_there_is_starttls(void **state)
{
    (void)state;
    log_in_to(only_greet, "* AUTH\r\n* STARTTLS\r\n" BANNER_END, NULL, "Murder Pw",
              MUPDATE_CONNECT_DENIED, "without TLS");
    log_in_to(only_greet, BANNER_END, NULL, "Murder Pw", MUPDATE_CONNECT_DENIED, "no mechanism");
}

static void anonymous_is_never_chosen_for_a_user(void **state)
{
    (void)state;
    log_in_to(only_greet, "* AUTH \"ANONYMOUS\" \"EXTERNAL\"\r\n" BANNER_END, NULL, "Murder Pw",
              MUPDATE_CONNECT_DENIED, "only ANONYMOUS EXTERNAL");
}

static void no_password_is_denied_and_asked_for_once(void **state)
{
    (void)state;
    log_in_to(only_greet, BANNER, NULL, NULL, MUPDATE_CONNECT_DENIED, "cannot log in");
    assert_int_equal(asked, 1);
}

/* A whole login at a real server side; the word is the mechanism list. */
static void serve_sasl(struct script *script)
{
    /* Integrity only: what is looked at is this side's memory, not that of ciphers. */
    struct sasl_endpoint endpoint = endpoint_of(1);
    struct sasl_failure failure;
    struct sasl_server *server = sasl_server_open(&endpoint, only_admin, NULL, &failure);
    char mechanism[32] = "";
    uint8_t data[1024];
    size_t len = 0;
    const void *out = NULL;
    size_t out_len = 0;
    char encoded[2048];
    char *at;
    enum sasl_progress progress;
    struct layer *layer;
    bool failed = false;

    script_say(script, "* AUTH \"");
    script_say(script, script->word);
    script_say(script, "\"\r\n" BANNER_END);
    script_expect(script, "AUTHENTICATE \"");
    sscanf(script->command, "AUTHENTICATE \"%31[^\"]\"", mechanism);
    at = strstr(script->command, "\r\n");
    if (at) {
        len = strlen(at + 2);
        memcpy(data, at + 2, len);
        base64_decode(data, len, &len);
    }
    progress =
        sasl_server_begin(server, mechanism, at ? data : NULL, len, &out, &out_len, &failure);
    while (progress == SASL_PROGRESS_CHALLENGE) {
        base64_encode(encoded, out, out_len);
        encoded[base64_encoded_len(out_len)] = '\0';
        script_say(script, encoded);
        script_say(script, "\r\n");
        script_line(script);
        len = strlen(script->command);
        memcpy(data, script->command, len);
        base64_decode(data, len, &len);
        progress = sasl_server_continue(server, data, len, &out, &out_len, &failure);
    }
    strcpy(script->command, "(authenticated)");
    script_say(script, "C1 ");
    script_say(script, progress == SASL_PROGRESS_DONE ? "OK \"Authenticated\"\r\n"
                                                      : "NO \"authentication failed\"\r\n");
    layer = progress == SASL_PROGRESS_DONE ? sasl_server_layer(&server, &failed, &failure) : NULL;
    if (layer && !layer_stack_push(&script->stack, layer))
        script->wrong = "the server has no room for a security layer";
    if (strcmp(mechanism, "DIGEST-MD5") == 0) {
        if (!layer)
            script->wrong = "no security layer was negotiated";
        /* Nothing but what came through the layer can be this. */
        script_expect(script, "LOGOUT");
        script_reply(script, "BYE \"bye\"");
    } else {
        script_expect_end(script);
    }
    if (server)
        sasl_server_close(server);
}

static void mechanisms_that_prove_both_sides_log_in(void **state)
{
    (void)state;
    log_in_to(serve_sasl, "SCRAM-SHA-256", NULL, "Murder Pw", MUPDATE_CONNECT_OK, "");
    log_in_to(serve_sasl, "SCRAM-SHA-1", NULL, "Murder Pw", MUPDATE_CONNECT_OK, "");
    log_in_to(serve_sasl, "SCRAM-SHA-256", NULL, "wrong", MUPDATE_CONNECT_DENIED, "murder");
}

static void a_security_layer_protects_what_follows(void **state)
{
    (void)state;
    log_in_to(serve_sasl, "DIGEST-MD5", NULL, "Murder Pw", MUPDATE_CONNECT_OK, "");
}

static void agree_too_soon(struct script *script)
{
    script_say(script, "* AUTH \"SCRAM-SHA-256\"\r\n" BANNER_END);
    script_expect(script, "AUTHENTICATE \"SCRAM-SHA-256\"");
    script_reply(script, "OK \"Authenticated\"");
    script_expect_end(script);
}

static void an_ok_without_the_proof_of_the_server_is_not_believed(void **state)
{
    (void)state;
    log_in_to(agree_too_soon, NULL, NULL, "Murder Pw", MUPDATE_CONNECT_DENIED,
              "without having proved");
}

static void challenge_garbage(struct script *script)
{
    script_say(script, "* AUTH \"SCRAM-SHA-256\"\r\n" BANNER_END);
    script_expect(script, "AUTHENTICATE \"SCRAM-SHA-256\"");
    script_say(script, "Z2FyYmFnZQ==\r\n");
    script_line(script);
    if (strcmp(script->command, "*") != 0)
        script->wrong = "the client did not cancel";
    script_expect_end(script);
}

static void a_challenge_without_sense_is_cancelled(void **state)
{
    (void)state;
    log_in_to(challenge_garbage, NULL, NULL, "Murder Pw", MUPDATE_CONNECT_DENIED, "cannot log in");
}

static void ask_for_more(struct script *script)
{
    script_say(script, BANNER);
    script_expect(script, "AUTHENTICATE \"PLAIN\"");
    script_say(script, "Z2FyYmFnZQ==\r\n");
    script_line(script);
    if (strcmp(script->command, "*") != 0)
        script->wrong = "the client did not cancel";
    script_expect_end(script);
}

static void a_challenge_behind_the_last_response_is_cancelled(void **state)
{
    (void)state;
    log_in_to(ask_for_more, NULL, NULL, "Murder Pw", MUPDATE_CONNECT_DENIED, "asks for more");
}

static void close_in_the_exchange(struct script *script)
{
    script_say(script, "* AUTH \"SCRAM-SHA-256\"\r\n" BANNER_END);
    script_expect(script, "AUTHENTICATE \"SCRAM-SHA-256\"");
}

static void a_connection_that_ends_in_the_exchange_is_lost_not_denied(void **state)
{
    (void)state;
    log_in_to(close_in_the_exchange, NULL, NULL, "Murder Pw", MUPDATE_CONNECT_LOST, "closed");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(plain_sends_user_and_password_at_once),
        cmocka_unit_test(no_is_denied_with_what_the_server_says_and_what_to_check),
        cmocka_unit_test(what_to_check_behind_a_no_is_of_the_roles_and_of_who_is_acted_as),
        cmocka_unit_test(external_without_a_certificate_is_said_to_want_one),
        cmocka_unit_test(bye_in_place_of_an_answer_is_no_denial),
        cmocka_unit_test(without_a_user_nobody_logs_in),
        cmocka_unit_test(a_mechanism_that_is_not_offered_is_named_with_those_that_are),
        cmocka_unit_test(nothing_on_offer_is_said_to_be_for_want_of_tls_when_there_is_starttls),
        cmocka_unit_test(anonymous_is_never_chosen_for_a_user),
        cmocka_unit_test(no_password_is_denied_and_asked_for_once),
        cmocka_unit_test(mechanisms_that_prove_both_sides_log_in),
        cmocka_unit_test(a_security_layer_protects_what_follows),
        cmocka_unit_test(an_ok_without_the_proof_of_the_server_is_not_believed),
        cmocka_unit_test(a_challenge_without_sense_is_cancelled),
        cmocka_unit_test(a_challenge_behind_the_last_response_is_cancelled),
        cmocka_unit_test(a_connection_that_ends_in_the_exchange_is_lost_not_denied),
    };

    return cmocka_run_group_tests_name("connect_auth", tests, sasl_group_setup,
                                       sasl_group_teardown);
}
