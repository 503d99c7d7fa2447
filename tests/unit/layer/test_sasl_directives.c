/* SPDX-License-Identifier: BSD-3-Clause */
#include <stdio.h>
#include <string.h>

#include "layer/sasl_internal.h"
#include "sasl_support.h"

#define CHALLENGE "nonce=\"OA6M\",realm=\"" REALM "\",qop=\"auth\",charset=utf-8,algorithm=md5-sess"

static bool is_taken(const char *text)
{
    struct sasl_failure failure = {.text = ""};
    bool taken = sasl_directives_check(text, &failure);

    assert_int_equal(taken, failure.text[0] == '\0');
    return taken;
}

static void directives_that_come_once_pass(void **state)
{
    static const char *const texts[] = {
        "",
        ",, ,",
        CHALLENGE,
        "username=\"chris\",realm=\"elwood.innosoft.com\",nonce=\"OA6MG9tEQGm2hh\",nc=00000001,"
        "cnonce=\"OA6MHXh6VqTrRk\",digest-uri=\"imap/elwood.innosoft.com\","
        "response=d388dad90d4bbd760a152321f2143af7,qop=auth,charset=utf-8",
        "rspauth=ea40f60335c427b5527b84dbabcdfffd",
        " ,nonce = \"a\" ,\r\n\t qop=auth , ",
        "username=\"a,nonce=\\\"b\\\",nonce=c\",nonce=\"\"",
        "nonce=,nonces=,non=",
    };

    (void)state;
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++)
        assert_true(is_taken(texts[i]));
}

static void realms_may_be_several(void **state)
{
    (void)state;
    assert_true(is_taken("realm=\"a\",realm=\"a\",Realm=\"b\"," CHALLENGE));
}

static void a_directive_that_comes_twice_is_named(void **state)
{
    static const char *const texts[][2] = {
        {"nonce=\"a\",qop=auth,nonce=\"b\"", "nonce"},
        {"nonce=a,NONCE=a", "NONCE"},
        {"x-own=1,a=2,x-own=1", "x-own"},
        {"qop = \"auth\" , qop\t=\"auth-int\"", "qop"},
        {"username=\"\\\\\",username=\"b\"", "username"},
        {"nc=,nc=", "nc"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        struct sasl_failure failure;
        char text[128];

        snprintf(text, sizeof text, "DIGEST-MD5: the peer sent the directive %s twice",
                 texts[i][1]);
        assert_false(sasl_directives_check(texts[i][0], &failure));
        assert_string_equal(failure.text, text);
    }
}

static void what_is_no_list_of_directives_is_refused(void **state)
{
    static const char *const texts[] = {
        "nonce",       "=a",        "nonce=\"a",  "nonce=\"a\\", "nonce=\"a\"b",
        "nonce=a b",   "nonce@=a",  "no nce=a",   "nonce=a;b=c", "nonce=\x80",
        "\x80nonce=a", "n\"once=a", "nonce'=a",   "a=b=c",       "\x01",
    };

    (void)state;
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++)
        assert_false(is_taken(texts[i]));
}

static void there_is_an_end_to_the_number_of_directives(void **state)
{
    char text[512] = "";

    (void)state;
    for (int i = 0; i < 32; i++)
        snprintf(text + strlen(text), sizeof text - strlen(text), "x%d=1,", i);
    assert_true(is_taken(text));
    snprintf(text + strlen(text), sizeof text - strlen(text), "y=1");
    assert_false(is_taken(text));
}

static void a_server_must_begin_with_a_challenge(void **state)
{
    static const char *const challenges[] = {CHALLENGE, "nonce=\"a\"", "qop=\"auth\", NONCE=a"};
    static const char *const others[] = {
        "", "qop=\"auth\"", "rspauth=ea40f60335c427b5527b84dbabcdfffd", "RSPAUTH=a",
        CHALLENGE ",rspauth=a", "rspauth=a," CHALLENGE, "nonces=a", CHALLENGE ",nonce=\"b\"",
    };
    struct sasl_failure failure;

    (void)state;
    for (size_t i = 0; i < sizeof challenges / sizeof challenges[0]; i++)
        assert_true(sasl_directives_check_first(challenges[i], &failure));
    for (size_t i = 0; i < sizeof others / sizeof others[0]; i++) {
        failure.text[0] = '\0';
        assert_false(sasl_directives_check_first(others[i], &failure));
        assert_string_not_equal(failure.text, "");
    }
}

static void a_client_answers_nothing_but_a_challenge_first(void **state)
{
    static const char answer[] = "rspauth=ea40f60335c427b5527b84dbabcdfffd";
    struct sasl_endpoint endpoint = endpoint_of(0);
    struct sasl_client *client = client_open(&endpoint, "murder", NULL, "Murder Pw");
    struct sasl_failure failure = {.text = ""};
    const char *mechanism;
    const void *out;
    size_t len;

    (void)state;
    assert_int_equal(sasl_client_begin(client, DIGEST_MD5, &mechanism, &out, &len, &failure),
                     SASL_PROGRESS_CHALLENGE);
    assert_int_equal(sasl_client_continue(client, answer, strlen(answer), &out, &len, &failure),
                     SASL_PROGRESS_FAILED);
    assert_string_equal(failure.text, "DIGEST-MD5: what the server began with is no challenge");
    sasl_client_close(client);
}

static void a_client_does_not_answer_a_challenge_with_a_directive_twice(void **state)
{
    struct sasl_endpoint endpoint = endpoint_of(0);
    struct sasl_failure failure = {.text = ""};
    const char *mechanism;
    const void *out;
    size_t len;

    (void)state;
    for (int twice = 0; twice < 2; twice++) {
        const char *challenge = twice ? CHALLENGE ",nonce=\"OA6N\"" : CHALLENGE;
        struct sasl_client *client = client_open(&endpoint, "murder", NULL, "Murder Pw");

        assert_int_equal(
            sasl_client_begin(client, DIGEST_MD5, &mechanism, &out, &len, &failure),
            SASL_PROGRESS_CHALLENGE);
        assert_int_equal(sasl_client_continue(client, challenge, strlen(challenge), &out, &len,
                                              &failure),
                         twice ? SASL_PROGRESS_FAILED : SASL_PROGRESS_CHALLENGE);
        assert_string_equal(failure.text,
                            twice ? "DIGEST-MD5: the peer sent the directive nonce twice" : "");
        assert_int_equal(sasl_client_continue(client, CHALLENGE, strlen(CHALLENGE), &out, &len,
                                              &failure),
                         SASL_PROGRESS_FAILED);
        sasl_client_close(client);
    }
}

static void a_server_takes_no_response_with_a_directive_twice(void **state)
{
    static const char response[] = "username=\"murder\",nonce=\"a\",username=\"murder\"";
    struct sasl_endpoint endpoint = endpoint_of(0);
    struct sasl_server *server = server_open(&endpoint);
    struct sasl_client *client = client_open(&endpoint, "murder", NULL, "Murder Pw");
    struct login login;
    const void *out;
    size_t len;

    (void)state;
    for (int initial = 0; initial < 2; initial++) {
        struct sasl_failure failure = {.text = ""};
        enum sasl_progress progress = sasl_server_begin(
            server, "digest-md5", initial ? response : NULL, sizeof response - 1, &out, &len,
            &failure);

        if (!initial) {
            assert_int_equal(progress, SASL_PROGRESS_CHALLENGE);
            progress = sasl_server_continue(server, response, sizeof response - 1, &out, &len,
                                            &failure);
        }
        assert_int_equal(progress, SASL_PROGRESS_FAILED);
        assert_string_equal(failure.text,
                            "DIGEST-MD5: the peer sent the directive username twice");
        assert_null(sasl_server_user(server));
        assert_int_equal(sasl_server_continue(server, "", 0, &out, &len, &failure),
                         SASL_PROGRESS_FAILED);
    }
    log_in(server, client, DIGEST_MD5, &login);
    assert_true(ended(login.server, 'D'));
    sasl_client_close(client);
    sasl_server_close(server);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(directives_that_come_once_pass),
        cmocka_unit_test(realms_may_be_several),
        cmocka_unit_test(a_directive_that_comes_twice_is_named),
        cmocka_unit_test(what_is_no_list_of_directives_is_refused),
        cmocka_unit_test(there_is_an_end_to_the_number_of_directives),
        cmocka_unit_test(a_server_must_begin_with_a_challenge),
        cmocka_unit_test(a_client_answers_nothing_but_a_challenge_first),
        cmocka_unit_test(a_client_does_not_answer_a_challenge_with_a_directive_twice),
        cmocka_unit_test(a_server_takes_no_response_with_a_directive_twice),
    };

    return cmocka_run_group_tests(tests, sasl_group_setup, sasl_group_teardown);
}
