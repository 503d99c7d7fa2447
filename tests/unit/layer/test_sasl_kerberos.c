/* SPDX-License-Identifier: BSD-3-Clause */
#include <stdlib.h>
#include <string.h>

#include "layer/sasl_internal.h"
#include "layer_support.h"

#define GENERAL "Unspecified GSS failure.  Minor code may provide more information"

static void what_kerberos_says_is_taken_out_of_what_wraps_it(void **state)
{
    static const struct {
        const char *said;
        const char *left;
    } cases[] = {
        {"GSSAPI Error: " GENERAL " (Ticket expired)", "Kerberos: Ticket expired"},
        {"SASL(-1): generic failure: GSSAPI Error: " GENERAL " (Clock skew too great)",
         "Kerberos: Clock skew too great"},
        {"GSSAPI Error: No credentials (No Kerberos credentials available (default cache: /x))",
         "Kerberos: No Kerberos credentials available (default cache: /x)"},
        {"GSSAPI Error: Invalid token was supplied (Success)",
         "Kerberos: Invalid token was supplied"},
        {"GSSAPI Error: Invalid token was supplied (Unknown error)",
         "Kerberos: Invalid token was supplied"},
        {"GSSAPI Error: Something ()", "Kerberos: Something"},
        {"GSSAPI Error: without a minor code", "Kerberos: without a minor code"},
        {"GSSAPI Error: ", "Kerberos: "},
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct sasl_failure failure;

        sasl_failure_set(&failure, "%s", cases[i].said);
        assert_true(sasl_kerberos_failure(&failure));
        assert_string_equal(failure.text, cases[i].left);
    }
}

static void other_failures_stay_as_they_are(void **state)
{
    struct sasl_failure failure = {.text = "SASL(-13): user not found: no secret (in database)"};
    struct sasl_failure before = failure;

    (void)state;
    assert_false(sasl_kerberos_failure(&failure));
    assert_string_equal(failure.text, before.text);
    sasl_kerberos_advise(&failure);
    assert_string_equal(failure.text, before.text);
}

static void advice_goes_behind_what_is_known_and_fits(void **state)
{
    struct sasl_failure failure = {.text = "Kerberos: Ticket expired"};

    (void)state;
    sasl_kerberos_advise(&failure);
    assert_string_equal(failure.text, "Kerberos: Ticket expired; run kinit again");

    memset(failure.text, 'x', sizeof failure.text - 1);
    failure.text[sizeof failure.text - 1] = '\0';
    memcpy(failure.text, "Ticket expired", 14);
    sasl_kerberos_advise(&failure);
    assert_int_equal(strlen(failure.text), sizeof failure.text - 1);
}

static void gssapi_is_left_out_of_a_list(void **state)
{
    static const struct {
        const char *list;
        const char *left; /* NULL: nothing, or it was not there */
    } cases[] = {
        {"GSSAPI PLAIN", "PLAIN"},
        {"PLAIN gssapi SCRAM-SHA-1", "PLAIN SCRAM-SHA-1"},
        {"PLAIN GSSAPI", "PLAIN"},
        {"GSSAPI", NULL},
        {"GSSAPIX GSS", NULL},
        {"PLAIN", NULL},
        {"", NULL},
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char *left = sasl_kerberos_leave_out(cases[i].list);

        if (cases[i].left)
            assert_string_equal(left, cases[i].left);
        else
            assert_null(left);
        free(left);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_kerberos_says_is_taken_out_of_what_wraps_it),
        cmocka_unit_test(other_failures_stay_as_they_are),
        cmocka_unit_test(advice_goes_behind_what_is_known_and_fits),
        cmocka_unit_test(gssapi_is_left_out_of_a_list),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
