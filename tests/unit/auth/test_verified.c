/* SPDX-License-Identifier: BSD-3-Clause */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "mupdated/auth/verified.h"

#define MESSAGE "\0anna\0secret"
#define NOBODY "/nonexistent/sasldb2"

static const struct verified_login anna = {.user = "anna", .authenticated = "anna"};

static int make(void **state)
{
    *state = verified_new();
    return *state ? 0 : -1;
}

static int drop(void **state)
{
    verified_free(*state);
    return 0;
}

static const struct sasl_endpoint in_the_clear = {.hostname = "h", .plaintext = true,
                                                  .maximum_bits = 256};

static struct verified_question ask(struct verified *verified, const struct sasl_endpoint *endpoint,
                                    const void *message, size_t len)
{
    struct verified_question question;

    assert_true(verified_ask(verified, endpoint, message, len, NOBODY, &question));
    return question;
}

static bool knows(struct verified *verified, const struct sasl_endpoint *endpoint,
                  const void *message, size_t len, uint64_t now_ms)
{
    struct verified_question question = ask(verified, endpoint, message, len);
    struct verified_login login;

    return verified_find(verified, &question, now_ms, &login);
}

static void keep(struct verified *verified, uint64_t then_ms)
{
    struct verified_question question =
        ask(verified, &in_the_clear, MESSAGE, sizeof MESSAGE - 1);

    verified_keep(verified, &question, then_ms, &anna);
}

static void a_kept_login_is_found_until_its_time(void **state)
{
    struct verified_question question = ask(*state, &in_the_clear, MESSAGE, sizeof MESSAGE - 1);
    struct verified_login login = {.user = "carl", .authenticated = "admin"};

    assert_false(verified_find(*state, &question, 0, &(struct verified_login){0}));
    verified_keep(*state, &question, 100, &login);
    assert_true(verified_find(*state, &question, 99, &login));
    assert_string_equal(login.user, "carl");
    assert_string_equal(login.authenticated, "admin");
    assert_false(verified_find(*state, &question, 100, &login));
}

static void finding_a_login_does_not_prolong_it(void **state)
{
    keep(*state, 100);
    assert_true(knows(*state, &in_the_clear, MESSAGE, sizeof MESSAGE - 1, 99));
    assert_false(knows(*state, &in_the_clear, MESSAGE, sizeof MESSAGE - 1, 100));
}

static void no_other_octet_is_known(void **state)
{
    char message[] = MESSAGE;
    size_t len = sizeof MESSAGE - 1;

    keep(*state, 100);
    for (size_t i = 0; i < len; i++) {
        for (int bit = 0; bit < 8; bit++) {
            message[i] = (char)(message[i] ^ 1 << bit);
            assert_false(knows(*state, &in_the_clear, message, len, 1));
            message[i] = (char)(message[i] ^ 1 << bit);
        }
    }
    assert_false(knows(*state, &in_the_clear, message, len - 1, 1));
    assert_false(knows(*state, &in_the_clear, message, len + 1, 1));
    assert_true(knows(*state, &in_the_clear, message, len, 1));
}

static void no_other_policy_is_known(void **state)
{
    struct sasl_endpoint other[4] = {in_the_clear, in_the_clear, in_the_clear, in_the_clear};

    other[0].plaintext = false;
    other[1].external_bits = 256;
    other[2].minimum_bits = 1;
    other[3].maximum_bits = 0;
    keep(*state, 100);
    for (size_t i = 0; i < 4; i++)
        assert_false(knows(*state, &other[i], MESSAGE, sizeof MESSAGE - 1, 1));
}

static void another_process_has_another_key(void **state)
{
    struct verified *other = verified_new();
    struct verified_question a = ask(*state, &in_the_clear, MESSAGE, sizeof MESSAGE - 1);
    struct verified_question b;

    assert_non_null(other);
    b = ask(other, &in_the_clear, MESSAGE, sizeof MESSAGE - 1);
    assert_memory_not_equal(a.digest, b.digest, sizeof a.digest);
    verified_free(other);
}

static void what_is_forgotten_is_not_found(void **state)
{
    keep(*state, 100);
    verified_forget(*state);
    assert_false(knows(*state, &in_the_clear, MESSAGE, sizeof MESSAGE - 1, 1));
}

static void what_was_under_way_when_all_was_forgotten_is_not_kept(void **state)
{
    struct verified_question question = ask(*state, &in_the_clear, MESSAGE, sizeof MESSAGE - 1);

    verified_forget(*state);
    verified_keep(*state, &question, 100, &anna);
    assert_false(knows(*state, &in_the_clear, MESSAGE, sizeof MESSAGE - 1, 1));
    assert_false(verified_find(*state, &question, 1, &(struct verified_login){0}));
}

static void a_file_that_was_changed_just_now_says_nothing(void **state)
{
    struct verified_question question;
    struct verified_login login;
    char path[] = "/tmp/verified-XXXXXX";
    int fd = mkstemp(path);

    assert_true(fd >= 0);
    assert_false(verified_ask(*state, &in_the_clear, MESSAGE, sizeof MESSAGE - 1, path, &question));
    verified_keep(*state, &question, 100, &anna);
    assert_false(verified_find(*state, &question, 1, &login));
    close(fd);
    unlink(path);
}

/* Files that are old and differ; a change of one in place cannot be made and be old at once. */
static void another_state_of_the_file_is_not_known(void **state)
{
    struct verified_question a, b;
    struct verified_login login;

    assert_true(
        verified_ask(*state, &in_the_clear, MESSAGE, sizeof MESSAGE - 1, "/etc/passwd", &a));
    assert_true(verified_ask(*state, &in_the_clear, MESSAGE, sizeof MESSAGE - 1, "/etc/group", &b));
    verified_keep(*state, &a, 100, &anna);
    assert_true(verified_find(*state, &a, 1, &login));
    assert_false(verified_find(*state, &b, 1, &login));
    assert_false(knows(*state, &in_the_clear, MESSAGE, sizeof MESSAGE - 1, 1));
}

static void a_file_that_cannot_be_looked_at_says_nothing(void **state)
{
    struct verified_question question;

    assert_false(verified_ask(*state, &in_the_clear, MESSAGE, sizeof MESSAGE - 1,
                              "/etc/passwd/sasldb2", &question));
    assert_false(question.asked);
}

static void messages_and_names_without_bounds_are_not_kept(void **state)
{
    struct verified_question question = ask(*state, &in_the_clear, MESSAGE, sizeof MESSAGE - 1);
    char name[VERIFIED_NAME_BYTES + 1];
    char message[VERIFIED_MESSAGE_BYTES + 1] = {0};
    struct verified_login login = {.user = name, .authenticated = "anna"};

    memset(name, 'n', sizeof name);
    name[VERIFIED_NAME_BYTES] = '\0';
    verified_keep(*state, &question, 100, &login);
    assert_false(verified_find(*state, &question, 1, &login));
    login = (struct verified_login){.user = "anna", .authenticated = name};
    verified_keep(*state, &question, 100, &login);
    assert_false(verified_find(*state, &question, 1, &login));
    name[VERIFIED_NAME_BYTES - 1] = '\0';
    verified_keep(*state, &question, 100, &login);
    assert_true(verified_find(*state, &question, 1, &login));
    assert_string_equal(login.authenticated, name);

    assert_false(verified_ask(*state, &in_the_clear, message, sizeof message, NOBODY, &question));
    assert_true(
        verified_ask(*state, &in_the_clear, message, sizeof message - 1, NOBODY, &question));
    assert_false(verified_ask(*state, &in_the_clear, message, 0, NOBODY, &question));
}

static void any_number_of_logins_fits_and_none_is_mistaken(void **state)
{
    char message[32];
    char name[16];
    size_t found = 0;

    for (int i = 0; i < 4 * VERIFIED_SLOTS; i++) {
        int len = snprintf(message, sizeof message, "u%d p%d", i, i);
        struct verified_question question = ask(*state, &in_the_clear, message, (size_t)len);

        snprintf(name, sizeof name, "u%d", i);
        verified_keep(*state, &question, 100, &(struct verified_login){name, name});
    }
    for (int i = 0; i < 4 * VERIFIED_SLOTS; i++) {
        int len = snprintf(message, sizeof message, "u%d p%d", i, i);
        struct verified_question question = ask(*state, &in_the_clear, message, (size_t)len);
        struct verified_login login;

        snprintf(name, sizeof name, "u%d", i);
        if (!verified_find(*state, &question, 1, &login))
            continue;
        assert_string_equal(login.user, name);
        found++;
    }
    assert_in_range(found, VERIFIED_SLOTS / 2, VERIFIED_SLOTS);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, make, drop)
    const struct CMUnitTest tests[] = {
        TEST(a_kept_login_is_found_until_its_time),
        TEST(finding_a_login_does_not_prolong_it),
        TEST(no_other_octet_is_known),
        TEST(no_other_policy_is_known),
        TEST(another_process_has_another_key),
        TEST(what_is_forgotten_is_not_found),
        TEST(what_was_under_way_when_all_was_forgotten_is_not_kept),
        TEST(a_file_that_was_changed_just_now_says_nothing),
        TEST(another_state_of_the_file_is_not_known),
        TEST(a_file_that_cannot_be_looked_at_says_nothing),
        TEST(messages_and_names_without_bounds_are_not_kept),
        TEST(any_number_of_logins_fits_and_none_is_mistaken),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
