/* SPDX-License-Identifier: BSD-3-Clause */
#include <stdio.h>
#include <string.h>

#include "sasl_support.h"

static const char *const password_mechanisms[] = {
    "PLAIN",       "LOGIN",         "CRAM-MD5",      "DIGEST-MD5",
    "SCRAM-SHA-1", "SCRAM-SHA-256", "SCRAM-SHA-512",
};
#define MECHANISMS (sizeof password_mechanisms / sizeof password_mechanisms[0])

/* How a login of one user with one password goes. */
static struct login login_as(const char *mechanism, const char *user, const char *authorize,
                             const char *password)
{
    struct sasl_endpoint endpoint = endpoint_of(0);
    struct sasl_server *server = server_open(&endpoint);
    struct sasl_client *client = client_open(&endpoint, user, authorize, password);
    struct login login;

    log_in(server, client, mechanism, &login);
    sasl_client_close(client);
    sasl_server_close(server);
    return login;
}

static bool is_offered(struct sasl_server *server, const char *mechanism)
{
    const char *const *names;
    size_t count = sasl_server_mechanisms(server, &names);

    for (size_t i = 0; i < count; i++) {
        if (strcmp(names[i], mechanism) == 0)
            return true;
    }
    return false;
}

static void the_right_password_is_accepted_by_every_mechanism(void **state)
{
    (void)state;
    for (size_t i = 0; i < MECHANISMS; i++) {
        struct sasl_endpoint endpoint = endpoint_of(0);
        struct sasl_server *server = server_open(&endpoint);
        struct sasl_client *client = client_open(&endpoint, "murder", NULL, "Murder Pw");
        struct login login;

        assert_true(is_offered(server, password_mechanisms[i]));
        log_in(server, client, password_mechanisms[i], &login);
        assert_string_equal(login.failure.text, "");
        assert_string_equal(login.mechanism, password_mechanisms[i]);
        assert_true(ended(login.server, 'D'));
        assert_true(ended(login.client, 'D'));
        assert_string_equal(sasl_server_user(server), "murder");
        assert_string_equal(sasl_server_authenticated(server), "murder");
        sasl_client_close(client);
        sasl_server_close(server);
    }
}

static void a_wrong_password_is_refused_by_every_mechanism(void **state)
{
    (void)state;
    for (size_t i = 0; i < MECHANISMS; i++) {
        struct login login = login_as(password_mechanisms[i], "murder", NULL, "Murder Px");

        assert_true(ended(login.server, 'F'));
        assert_string_not_equal(login.failure.text, "");
    }
}

static void an_unknown_user_goes_through_the_steps_of_a_wrong_password(void **state)
{
    (void)state;
    for (size_t i = 0; i < MECHANISMS; i++) {
        struct login wrong = login_as(password_mechanisms[i], "murder", NULL, "Murder Px");
        struct login unknown = login_as(password_mechanisms[i], "nobody", NULL, "Murder Px");

        assert_string_equal(unknown.server, wrong.server);
        assert_string_equal(unknown.client, wrong.client);
    }
}

static void an_unknown_user_is_the_same_when_no_source_of_passwords_is_configured(void **state)
{
    (void)state;
    sasl_set("auxprop_plugin", NULL);
    for (size_t i = 0; i < MECHANISMS; i++) {
        struct login right = login_as(password_mechanisms[i], "murder", NULL, "Murder Pw");
        struct login wrong = login_as(password_mechanisms[i], "murder", NULL, "Murder Px");
        struct login unknown = login_as(password_mechanisms[i], "nobody", NULL, "Murder Px");

        assert_true(ended(right.server, 'D'));
        assert_string_equal(unknown.server, wrong.server);
        assert_string_equal(unknown.client, wrong.client);
    }
    sasl_set("auxprop_plugin", "sasldb");
}

/* The iterations and the length of the salt in a SCRAM challenge. */
static void scram_shape(const char *user, char *shape, size_t size)
{
    struct sasl_endpoint endpoint = endpoint_of(0);
    struct sasl_server *server = server_open(&endpoint);
    struct sasl_failure failure;
    char first[64];
    const void *out;
    size_t len, salt_len;
    const char *salt;
    int first_len = snprintf(first, sizeof first, "n,,n=%s,r=0123456789", user);

    assert_int_equal(sasl_server_begin(server, "SCRAM-SHA-256", first, (size_t)first_len, &out,
                                       &len, &failure),
                     SASL_PROGRESS_CHALLENGE);
    salt = strstr(out, ",s=");
    assert_non_null(salt);
    salt_len = strcspn(salt + 3, ",");
    snprintf(shape, size, "%zu %.*s", salt_len, (int)salt_len + 20, salt);
    sasl_server_close(server);
}

static void the_challenge_of_an_unknown_user_is_stable_and_of_the_same_shape(void **state)
{
    char known[256], unknown[256], again[256];

    (void)state;
    scram_shape("murder", known, sizeof known);
    scram_shape("nobody", unknown, sizeof unknown);
    scram_shape("nobody", again, sizeof again);
    assert_string_equal(unknown, again);
    assert_string_equal(strrchr(known, ','), strrchr(unknown, ','));
    assert_int_equal(strcspn(known, " "), strcspn(unknown, " "));
}

static void the_log_is_told_who_was_tried_and_whether_he_exists(void **state)
{
    struct sasl_endpoint endpoint = endpoint_of(0);
    struct sasl_server *server = server_open(&endpoint);
    struct sasl_client *client = client_open(&endpoint, "nobody", NULL, "x");
    struct login login;

    (void)state;
    assert_null(sasl_server_tried_user(server));
    log_in(server, client, "SCRAM-SHA-256", &login);
    assert_string_equal(sasl_server_tried_user(server), "nobody");
    assert_non_null(strstr(login.failure.text, "no such user"));
    sasl_client_close(client);

    client = client_open(&endpoint, "murder", NULL, "x");
    log_in(server, client, "SCRAM-SHA-256", &login);
    assert_string_equal(sasl_server_tried_user(server), "murder");
    assert_null(strstr(login.failure.text, "no such user"));
    sasl_client_close(client);
    sasl_server_close(server);
}

static void a_login_can_be_tried_again_after_a_failure(void **state)
{
    struct sasl_endpoint endpoint = endpoint_of(0);
    struct sasl_server *server = server_open(&endpoint);
    struct sasl_client *client;
    struct login login;

    (void)state;
    for (size_t i = 0; i < 2 * MECHANISMS; i++) {
        client = client_open(&endpoint, "murder", NULL, "wrong");
        log_in(server, client, password_mechanisms[i % MECHANISMS], &login);
        assert_true(ended(login.server, 'F'));
        assert_null(sasl_server_user(server));
        sasl_client_close(client);
    }
    client = client_open(&endpoint, "admin", NULL, "Admin Pw");
    log_in(server, client, "SCRAM-SHA-1", &login);
    assert_true(ended(login.server, 'D'));
    assert_string_equal(sasl_server_user(server), "admin");
    sasl_client_close(client);
    sasl_server_close(server);
}

static void a_cancelled_exchange_leaves_nothing_for_the_next(void **state)
{
    static const char first[] = "n,,n=admin,r=0123456789";
    struct sasl_endpoint endpoint = endpoint_of(0);
    struct sasl_failure failure = {.text = ""};
    const void *out;
    size_t len;

    (void)state;
    for (size_t i = 0; i < MECHANISMS; i++) {
        struct sasl_server *server = server_open(&endpoint);
        struct sasl_client *client = client_open(&endpoint, "murder", NULL, "Murder Pw");
        struct login login;

        assert_int_equal(sasl_server_begin(server, "SCRAM-SHA-256", first, sizeof first - 1, &out,
                                           &len, &failure),
                         SASL_PROGRESS_CHALLENGE);
        log_in(server, client, password_mechanisms[i], &login);
        assert_true(ended(login.server, 'D'));
        assert_string_equal(sasl_server_user(server), "murder");
        sasl_client_close(client);
        sasl_server_close(server);
    }
}

static void mechanisms_take_the_password_without_an_initial_response(void **state)
{
    static const char answer[] = "\0murder\0Murder Pw";
    struct sasl_endpoint endpoint = endpoint_of(0);
    struct sasl_server *server = server_open(&endpoint);
    struct sasl_failure failure = {.text = ""};
    const void *out;
    size_t len;

    (void)state;
    assert_int_equal(sasl_server_begin(server, "plain", NULL, 0, &out, &len, &failure),
                     SASL_PROGRESS_CHALLENGE);
    assert_int_equal(len, 0);
    assert_int_equal(
        sasl_server_continue(server, answer, sizeof answer - 1, &out, &len, &failure),
        SASL_PROGRESS_DONE);
    assert_string_equal(sasl_server_user(server), "murder");
    assert_int_equal(sasl_server_begin(server, "PLAIN", NULL, 0, &out, &len, &failure),
                     SASL_PROGRESS_FAILED);
    assert_string_equal(sasl_server_user(server), "murder");
    sasl_server_close(server);
}

static void the_last_word_of_the_server_is_a_challenge_of_its_own(void **state)
{
    struct login login = login_as("SCRAM-SHA-256", "murder", NULL, "Murder Pw");

    (void)state;
    assert_true(login.initial);
    assert_string_equal(login.server, "CCD");
    assert_string_equal(login.client, "CCD");
    login = login_as("DIGEST-MD5", "murder", NULL, "Murder Pw");
    assert_false(login.initial);
    assert_string_equal(login.server, "CCD");
    assert_string_equal(login.client, "CCD");
}

static void a_server_that_does_not_know_the_password_is_found_out(void **state)
{
    static const char lie[] = "v=AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=";
    struct sasl_endpoint endpoint = endpoint_of(0);
    struct sasl_server *server = server_open(&endpoint);
    struct sasl_client *client = client_open(&endpoint, "murder", NULL, "Murder Pw");
    struct sasl_failure failure = {.text = ""};
    const char *chosen;
    const void *said, *answer;
    size_t said_len, answer_len;
    bool failed = false;

    (void)state;
    assert_int_equal(
        sasl_client_begin(client, "SCRAM-SHA-256", &chosen, &said, &said_len, &failure),
        SASL_PROGRESS_CHALLENGE);
    assert_int_equal(
        sasl_server_begin(server, chosen, said, said_len, &answer, &answer_len, &failure),
        SASL_PROGRESS_CHALLENGE);
    assert_int_equal(sasl_client_continue(client, answer, answer_len, &said, &said_len, &failure),
                     SASL_PROGRESS_CHALLENGE);
    assert_null(sasl_client_layer(&client, &failed, &failure));
    assert_true(failed);
    assert_int_equal(
        sasl_client_continue(client, lie, sizeof lie - 1, &said, &said_len, &failure),
        SASL_PROGRESS_FAILED);
    sasl_client_close(client);
    sasl_server_close(server);
}

static void acting_as_another_takes_permission(void **state)
{
    static const char *const mechanisms[] = {"PLAIN", "DIGEST-MD5", "SCRAM-SHA-256"};

    (void)state;
    for (size_t i = 0; i < 3; i++) {
        struct sasl_endpoint endpoint = endpoint_of(0);
        struct sasl_server *server = server_open(&endpoint);
        struct sasl_client *client = client_open(&endpoint, "admin", "murder", "Admin Pw");
        struct login login;

        log_in(server, client, mechanisms[i], &login);
        assert_string_equal(login.failure.text, "");
        assert_true(ended(login.server, 'D'));
        assert_string_equal(sasl_server_user(server), "murder");
        assert_string_equal(sasl_server_authenticated(server), "admin");
        sasl_client_close(client);
        sasl_server_close(server);

        login = login_as(mechanisms[i], "murder", "admin", "Murder Pw");
        assert_true(ended(login.server, 'F'));
        assert_non_null(strstr(login.failure.text, "murder may not act as admin"));
    }
}

static void the_log_is_told_who_may_not_act_as_whom(void **state)
{
    static const char *const mechanisms[] = {"PLAIN", "DIGEST-MD5", "SCRAM-SHA-256"};
    static const char *const passwords[] = {"Murder Pw", "wrong"};
    struct sasl_endpoint endpoint = endpoint_of(0);
    struct sasl_server *server = server_open(&endpoint);
    struct login login;

    (void)state;
    assert_null(sasl_server_wanted_user(server));
    for (size_t i = 0; i < 6; i++) {
        struct sasl_client *client = client_open(&endpoint, "murder", "admin", passwords[i % 2]);

        log_in(server, client, mechanisms[i / 2], &login);
        assert_true(ended(login.server, 'F'));
        assert_string_equal(sasl_server_tried_user(server), "murder");
        if (i % 2)
            assert_null(sasl_server_wanted_user(server));
        else
            assert_string_equal(sasl_server_wanted_user(server), "admin");
        sasl_client_close(client);
    }
    sasl_server_close(server);
}

static void acting_as_oneself_by_name_takes_none(void **state)
{
    (void)state;
    for (size_t i = 0; i < MECHANISMS; i++) {
        struct login login = login_as(password_mechanisms[i], "murder", "murder", "Murder Pw");

        assert_true(ended(login.server, 'D'));
    }
}

static void the_default_realm_is_no_part_of_the_name_and_others_are(void **state)
{
    static const char *const mechanisms[] = {"PLAIN", "CRAM-MD5", "SCRAM-SHA-256"};
    static const struct {
        const char *user;
        const char *password;
        const char *name;
    } users[] = {
        {"murder@" REALM, "Murder Pw", "murder"},
        {"murder@MUPDATE.TEST", "Murder Pw", "murder"},
        {"visitor@elsewhere.test", "Visitor Pw", "visitor@elsewhere.test"},
    };

    (void)state;
    for (size_t i = 0; i < 9; i++) {
        struct sasl_endpoint endpoint = endpoint_of(0);
        struct sasl_server *server = server_open(&endpoint);
        struct sasl_client *client =
            client_open(&endpoint, users[i % 3].user, NULL, users[i % 3].password);
        struct login login;

        log_in(server, client, mechanisms[i / 3], &login);
        assert_true(ended(login.server, 'D'));
        assert_string_equal(sasl_server_user(server), users[i % 3].name);
        sasl_client_close(client);
        sasl_server_close(server);
    }
    assert_true(ended(login_as("PLAIN", "visitor", NULL, "Visitor Pw").server, 'F'));
    assert_true(
        ended(login_as("PLAIN", "visitor@" REALM, NULL, "Visitor Pw").server, 'F'));
}

static void blanks_around_a_name_are_no_part_of_it(void **state)
{
    static const char *const names[] = {" murder", "murder ", "      murder",
                                        "  murder@" REALM " "};

    (void)state;
    for (size_t i = 0; i < 8; i++) {
        const char *name = names[i % 4];
        struct sasl_endpoint endpoint = endpoint_of(0);
        struct sasl_server *server = server_open(&endpoint);
        struct sasl_failure failure = {.text = ""};
        char plain[64];
        int plain_len = snprintf(plain, sizeof plain, "%c%s%cMurder Pw", 0, name, 0);
        const void *out;
        size_t len;

        if (i < 4) {
            assert_int_equal(sasl_server_begin(server, "PLAIN", plain, (size_t)plain_len, &out,
                                               &len, &failure),
                             SASL_PROGRESS_DONE);
        } else {
            assert_int_equal(sasl_server_begin(server, "LOGIN", NULL, 0, &out, &len, &failure),
                             SASL_PROGRESS_CHALLENGE);
            assert_int_equal(
                sasl_server_continue(server, name, strlen(name), &out, &len, &failure),
                SASL_PROGRESS_CHALLENGE);
            assert_int_equal(sasl_server_continue(server, "Murder Pw", 9, &out, &len, &failure),
                             SASL_PROGRESS_DONE);
        }
        assert_string_equal(sasl_server_user(server), "murder");
        sasl_server_close(server);
    }
}

static void a_name_that_cannot_be_is_refused_like_an_unknown_one(void **state)
{
    static const char *const names[] = {"mur\r\nder", "\x7f", "   ", "\t", ("\x01@" REALM)};
    char longest[1100];

    (void)state;
    memset(longest, 'a', sizeof longest - 1);
    longest[sizeof longest - 1] = '\0';
    for (size_t i = 0; i < 6; i++) {
        struct sasl_endpoint endpoint = endpoint_of(0);
        struct sasl_server *server = server_open(&endpoint);
        struct sasl_failure failure = {.text = ""};
        char answer[1200];
        const void *out;
        size_t len;
        int answer_len = snprintf(answer, sizeof answer, "%c%s%cInvalid Pw", 0,
                                  i < 5 ? names[i] : longest, 0);

        assert_int_equal(sasl_server_begin(server, "PLAIN", answer, (size_t)answer_len, &out, &len,
                                           &failure),
                         SASL_PROGRESS_FAILED);
        assert_string_equal(sasl_server_tried_user(server), "(invalid)");
        assert_int_equal(strcspn(failure.text, "\r\n"), strlen(failure.text));
        sasl_server_close(server);
    }
}

static void line_ends_of_the_peer_do_not_reach_the_log(void **state)
{
    struct sasl_endpoint endpoint = endpoint_of(0);
    struct sasl_server *server = server_open(&endpoint);
    struct sasl_failure failure = {.text = ""};
    const void *out;
    size_t len;

    (void)state;
    assert_int_equal(sasl_server_begin(server, "NO\r\nSUCH", NULL, 0, &out, &len, &failure),
                     SASL_PROGRESS_FAILED);
    assert_non_null(strstr(failure.text, "NO??SUCH"));
    sasl_server_close(server);
}

static void broken_answers_fail_and_the_next_try_succeeds(void **state)
{
    static const char *const answers[] = {"", "\x01\xff\xfe", "n,,", "r=,s=,i=", "=====",
                                          "username=\"murder\",qop=auth-conf"};
    struct sasl_endpoint endpoint = endpoint_of(256);
    struct sasl_server *server = server_open(&endpoint);
    char *huge = test_calloc(1, 100000);
    struct sasl_failure failure = {.text = ""};
    struct sasl_client *client;
    struct login login;
    const void *out;
    size_t len;

    (void)state;
    for (size_t i = 0; i < MECHANISMS; i++) {
        for (size_t j = 0; j < 7; j++) {
            const char *answer = j < 6 ? answers[j] : huge;
            size_t answer_len = j < 6 ? strlen(answer) : 100000;
            enum sasl_progress progress = sasl_server_begin(
                server, password_mechanisms[i], j % 2 ? answer : NULL, answer_len * (j % 2), &out,
                &len, &failure);

            for (int steps = 0; progress == SASL_PROGRESS_CHALLENGE; steps++) {
                assert_in_range(steps, 0, 5);
                progress = sasl_server_continue(server, answer, answer_len, &out, &len, &failure);
            }
            assert_int_equal(progress, SASL_PROGRESS_FAILED);
        }
        assert_int_equal(sasl_server_continue(server, "", 0, &out, &len, &failure),
                         SASL_PROGRESS_FAILED);
    }
    test_free(huge);
    client = client_open(&endpoint, "murder", NULL, "Murder Pw");
    log_in(server, client, "SCRAM-SHA-256", &login);
    assert_true(ended(login.server, 'D'));
    sasl_client_close(client);
    sasl_server_close(server);
}

static void a_client_gives_up_without_a_password(void **state)
{
    struct login login = login_as("SCRAM-SHA-256", "murder", NULL, NULL);

    (void)state;
    assert_true(ended(login.client, 'F'));
    assert_string_equal(login.failure.text, "no password was given");
}

static void a_client_says_that_no_mechanism_suits(void **state)
{
    struct login login = login_as("KERBEROS_V4 NONSENSE", "murder", NULL, "Murder Pw");

    (void)state;
    assert_string_equal(login.client, "F");
    assert_non_null(strstr(login.failure.text, "no mechanism available"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_right_password_is_accepted_by_every_mechanism),
        cmocka_unit_test(a_wrong_password_is_refused_by_every_mechanism),
        cmocka_unit_test(an_unknown_user_goes_through_the_steps_of_a_wrong_password),
        cmocka_unit_test(an_unknown_user_is_the_same_when_no_source_of_passwords_is_configured),
        cmocka_unit_test(the_challenge_of_an_unknown_user_is_stable_and_of_the_same_shape),
        cmocka_unit_test(the_log_is_told_who_was_tried_and_whether_he_exists),
        cmocka_unit_test(a_login_can_be_tried_again_after_a_failure),
        cmocka_unit_test(a_cancelled_exchange_leaves_nothing_for_the_next),
        cmocka_unit_test(mechanisms_take_the_password_without_an_initial_response),
        cmocka_unit_test(the_last_word_of_the_server_is_a_challenge_of_its_own),
        cmocka_unit_test(a_server_that_does_not_know_the_password_is_found_out),
        cmocka_unit_test(acting_as_another_takes_permission),
        cmocka_unit_test(the_log_is_told_who_may_not_act_as_whom),
        cmocka_unit_test(acting_as_oneself_by_name_takes_none),
        cmocka_unit_test(the_default_realm_is_no_part_of_the_name_and_others_are),
        cmocka_unit_test(blanks_around_a_name_are_no_part_of_it),
        cmocka_unit_test(a_name_that_cannot_be_is_refused_like_an_unknown_one),
        cmocka_unit_test(line_ends_of_the_peer_do_not_reach_the_log),
        cmocka_unit_test(broken_answers_fail_and_the_next_try_succeeds),
        cmocka_unit_test(a_client_gives_up_without_a_password),
        cmocka_unit_test(a_client_says_that_no_mechanism_suits),
    };

    return cmocka_run_group_tests(tests, sasl_group_setup, sasl_group_teardown);
}
