/*
 * Who may write which row: what every command does for every role, to every
 * kind of row, with every kind of location, written out.
 *
 * SPDX-License-Identifier: BSD-3-Clause
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "mupdated/table/rule.h"
#include "tests/unit/table/table_support.h"

static const struct rule_policy policy = {
    .name_bytes = 1024, .location_bytes = 256, .acl_bytes = 65536};
static const struct rule_policy denying = {.deny_location_conflict = true,
                                           .name_bytes = 1024,
                                           .location_bytes = 256,
                                           .acl_bytes = 65536};

static char one[] = "one.example";
static char two[] = "two.example";
static char *const own[] = {one, two};

static const struct rule_servers reader = {.all = false};
static const struct rule_servers backend = {.names = own, .count = 2};
static const struct rule_servers backend_of_one = {.names = own, .count = 1};
static const struct rule_servers backend_of_two = {.names = own + 1, .count = 1};
static const struct rule_servers admin = {.all = true};

#define READ_ONLY "this user may only read"
#define NOT_OF "this user may not write mailboxes of server "

/* The columns: a location of a server of his, of his other one, the stranger's row's, a third's. */
static const char *const locations[] = {"one.example!p", "two.example!p", "other.example!p",
                                        "third.example!p"};

/* The rows. */
static const struct {
    enum mupdate_state state;
    const char *location;
} rows[] = {
    {MUPDATE_ABSENT, ""},
    {MUPDATE_RESERVED, "one.example!p"},
    {MUPDATE_ACTIVE, "one.example!p"},
    {MUPDATE_RESERVED, "other.example!p"},
    {MUPDATE_ACTIVE, "other.example!p"},
};

#define ROWS (sizeof rows / sizeof rows[0])

/*
 * What comes of it: + stored, = OK and nothing to store, - NO whoever asks,
 * r NO since he may only read, n NO for the server of the new location, o NO
 * for that of the row as it is. DELETE takes no location and has one column.
 */
static const struct {
    const char *what;
    enum mupdate_verb verb;
    const char *acl; /* an active row has the ACL "old" */
    const struct rule_servers *writes;
    /* no row, own reserved, own active, other's reserved, other's active */
    const char *results[ROWS];
} cases[] = {
    {"RESERVE by an admin", MUPDATE_RESERVE, "", &admin,
     {"++++", "=---", "=---", "--=-", "--=-"}},
    {"RESERVE by a back-end", MUPDATE_RESERVE, "", &backend,
     {"++nn", "=---", "=---", "--n-", "--n-"}},
    {"RESERVE by a reader", MUPDATE_RESERVE, "", &reader,
     {"rrrr", "r---", "r---", "--r-", "--r-"}},

    {"ACTIVATE by an admin", MUPDATE_ACTIVATE, "new", &admin,
     {"++++", "++++", "++++", "++++", "++++"}},
    {"ACTIVATE by a back-end", MUPDATE_ACTIVATE, "new", &backend,
     {"++nn", "++nn", "++nn", "++nn", "oonn"}},
    {"ACTIVATE by a reader", MUPDATE_ACTIVATE, "new", &reader,
     {"rrrr", "rrrr", "rrrr", "rrrr", "rrrr"}},

    {"ACTIVATE with the same ACL by an admin", MUPDATE_ACTIVATE, "old", &admin,
     {"++++", "++++", "=+++", "++++", "++=+"}},
    {"ACTIVATE with the same ACL by a back-end", MUPDATE_ACTIVATE, "old", &backend,
     {"++nn", "++nn", "=+nn", "++nn", "oonn"}},
    {"ACTIVATE with the same ACL by a reader", MUPDATE_ACTIVATE, "old", &reader,
     {"rrrr", "rrrr", "rrrr", "rrrr", "rrrr"}},

    {"DEACTIVATE by an admin", MUPDATE_DEACTIVATE, "", &admin,
     {"----", "----", "++++", "----", "++++"}},
    {"DEACTIVATE by a back-end", MUPDATE_DEACTIVATE, "", &backend,
     {"----", "----", "++nn", "----", "oonn"}},
    {"DEACTIVATE by a reader", MUPDATE_DEACTIVATE, "", &reader,
     {"----", "----", "rrrr", "----", "rrrr"}},

    {"DELETE by an admin", MUPDATE_DELETE, "", &admin, {"-", "+", "+", "+", "+"}},
    {"DELETE by a back-end", MUPDATE_DELETE, "", &backend, {"-", "+", "+", "o", "o"}},
    {"DELETE by a reader", MUPDATE_DELETE, "", &reader, {"-", "r", "r", "r", "r"}},
};

static void apply(const struct rule_policy *with, enum mupdate_state state, const char *at,
                  enum mupdate_verb verb, const char *location, const char *acl,
                  const struct rule_servers *writes, struct rule_outcome *outcome)
{
    struct mupdate_row now = {state, text_of("user.a"), text_of(at),
                              text_of(state == MUPDATE_ACTIVE ? "old" : "")};
    struct rule_request request = {.verb = verb, .name = text_of("user.a"),
                                   .location = text_of(location), .acl = text_of(acl),
                                   .writes = *writes};

    memset(outcome, 'x', sizeof *outcome);
    rule_apply(with, state == MUPDATE_ABSENT ? NULL : &now, &request, outcome);
}

static void assert_result(size_t number, size_t row, size_t column, char expected)
{
    static const char *const servers[] = {"one.example", "two.example", "other.example",
                                          "third.example"};
    bool with_location = cases[number].verb != MUPDATE_DELETE;
    struct rule_outcome outcome;
    char text[128] = "";
    enum rule_verdict verdict = RULE_REFUSED;

    apply(&policy, rows[row].state, rows[row].location, cases[number].verb,
          with_location ? locations[column] : "", cases[number].acl, cases[number].writes,
          &outcome);
    switch (expected) {
    case '+':
        verdict = RULE_STORE;
        strcpy(text, "done");
        break;
    case '=':
        verdict = RULE_UNCHANGED;
        strcpy(text, "done");
        break;
    case '-':
        break;
    case 'r':
        verdict = RULE_FORBIDDEN;
        strcpy(text, READ_ONLY);
        break;
    case 'n':
        verdict = RULE_FORBIDDEN;
        snprintf(text, sizeof text, NOT_OF "%s", servers[column]);
        break;
    case 'o':
        verdict = RULE_FORBIDDEN;
        strcpy(text, NOT_OF "other.example");
        break;
    default:
        fail_msg("'%c' says nothing", expected);
    }
    if (outcome.verdict != verdict || (text[0] && strcmp(outcome.text, text) != 0))
        fail_msg("%s, row %zu, location %s: verdict %d, \"%s\"", cases[number].what, row,
                 with_location ? locations[column] : "-", (int)outcome.verdict, outcome.text);
    if (verdict == RULE_REFUSED || verdict == RULE_FORBIDDEN)
        assert_false(outcome.moved);
}

static void every_command_by_every_role_on_every_row_does_what_the_table_says(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        size_t columns = cases[i].verb == MUPDATE_DELETE ? 1 : 4;

        for (size_t row = 0; row < ROWS; row++) {
            assert_int_equal(strlen(cases[i].results[row]), columns);
            for (size_t column = 0; column < columns; column++)
                assert_result(i, row, column, cases[i].results[row][column]);
        }
    }
}

static void assert_steps(enum mupdate_state state, const char *at, enum mupdate_verb verb,
                         const char *location, const struct rule_servers *writes,
                         enum rule_verdict verdict)
{
    struct rule_outcome outcome;

    apply(&policy, state, at, verb, location, verb == MUPDATE_ACTIVATE ? "acl" : "", writes,
          &outcome);
    if (outcome.verdict != verdict)
        fail_msg("state %d at %s, verb %d %s: %s", (int)state, at, (int)verb, location,
                 outcome.text);
}

static void a_mailbox_goes_from_a_bound_backend_to_another_and_back(void **state)
{
    (void)state;
    assert_steps(MUPDATE_ACTIVE, "one.example!p", MUPDATE_ACTIVATE, "two.example!p",
                 &backend_of_two, RULE_FORBIDDEN);
    assert_steps(MUPDATE_ACTIVE, "one.example!p", MUPDATE_DEACTIVATE, "one.example!p",
                 &backend_of_one, RULE_STORE);
    assert_steps(MUPDATE_RESERVED, "one.example!p", MUPDATE_ACTIVATE, "two.example!p",
                 &backend_of_two, RULE_STORE);
    assert_steps(MUPDATE_ACTIVE, "two.example!p", MUPDATE_ACTIVATE, "one.example!p",
                 &backend_of_one, RULE_FORBIDDEN);
    /* The source takes a mailbox back that the target did not take. */
    assert_steps(MUPDATE_RESERVED, "one.example!p", MUPDATE_ACTIVATE, "one.example!p",
                 &backend_of_one, RULE_STORE);
    /* The target of an XFER that broke off may not drop what the source holds. */
    assert_steps(MUPDATE_RESERVED, "one.example!p", MUPDATE_DELETE, "", &backend_of_two,
                 RULE_FORBIDDEN);
}

static void a_server_is_what_stands_before_the_first_mark_octet_by_octet(void **state)
{
    static const struct {
        const char *location;
        enum rule_verdict verdict;
    } names[] = {
        {"one.example!", RULE_STORE},          {"one.example", RULE_STORE},
        {"one.example!one.example", RULE_STORE}, {"one.exampl!p", RULE_FORBIDDEN},
        {"one.example2!p", RULE_FORBIDDEN},    {"ONE.example!p", RULE_FORBIDDEN},
        {"one.example !p", RULE_FORBIDDEN},    {" one.example!p", RULE_FORBIDDEN},
        {"other!one.example", RULE_FORBIDDEN}, {"one!p", RULE_FORBIDDEN},
    };
    struct rule_outcome outcome;

    (void)state;
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        apply(&policy, MUPDATE_ABSENT, "", MUPDATE_RESERVE, names[i].location, "", &backend_of_one,
              &outcome);
        if (outcome.verdict != names[i].verdict)
            fail_msg("\"%s\": %s", names[i].location, outcome.text);
    }
}

static void a_request_of_which_nothing_was_said_may_write_nothing(void **state)
{
    struct rule_request request = {.verb = MUPDATE_DELETE, .name = text_of("user.a")};
    struct mupdate_row now = {MUPDATE_ACTIVE, text_of("user.a"), text_of("one.example!p"),
                              text_of("old")};
    struct rule_outcome outcome;

    (void)state;
    rule_apply(&policy, &now, &request, &outcome);
    assert_int_equal(outcome.verdict, RULE_FORBIDDEN);
    assert_string_equal(outcome.text, READ_ONLY);
}

static void denied_moves_are_denied_to_backends_too(void **state)
{
    struct rule_outcome outcome;

    (void)state;
    apply(&denying, MUPDATE_ACTIVE, "one.example!p", MUPDATE_ACTIVATE, "two.example!p", "old",
          &backend, &outcome);
    assert_int_equal(outcome.verdict, RULE_REFUSED);
    assert_string_equal(outcome.text, "mailbox is active at one.example!p");
    apply(&denying, MUPDATE_RESERVED, "other.example!p", MUPDATE_ACTIVATE, "two.example!p", "old",
          &backend, &outcome);
    assert_int_equal(outcome.verdict, RULE_STORE);
}

static void a_backend_with_two_servers_may_move_a_mailbox_between_them(void **state)
{
    struct rule_outcome outcome;

    (void)state;
    apply(&policy, MUPDATE_ACTIVE, "one.example!p", MUPDATE_ACTIVATE, "two.example!p", "old",
          &backend, &outcome);
    assert_int_equal(outcome.verdict, RULE_STORE);
    assert_true(outcome.moved);
    apply(&policy, MUPDATE_ACTIVE, "one.example!p", MUPDATE_ACTIVATE, "two.example!p", "old",
          &backend_of_two, &outcome);
    assert_int_equal(outcome.verdict, RULE_FORBIDDEN);
    assert_false(outcome.moved);
}

static void the_name_of_a_strange_server_is_said_in_plain_octets_and_cut(void **state)
{
    char location[RULE_TEXT_BYTES + 64];
    struct rule_policy wide = policy;
    struct rule_outcome outcome;

    (void)state;
    apply(&policy, MUPDATE_ABSENT, "", MUPDATE_RESERVE, "a\"b\\c\x80\x01!p", "", &backend,
          &outcome);
    assert_string_equal(outcome.text, NOT_OF "a?b?c??");
    wide.location_bytes = sizeof location;
    memset(location, 'x', sizeof location - 1);
    location[sizeof location - 1] = '\0';
    apply(&wide, MUPDATE_ABSENT, "", MUPDATE_RESERVE, location, "", &backend, &outcome);
    assert_int_equal(strlen(outcome.text), RULE_TEXT_BYTES - 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_command_by_every_role_on_every_row_does_what_the_table_says),
        cmocka_unit_test(a_mailbox_goes_from_a_bound_backend_to_another_and_back),
        cmocka_unit_test(a_server_is_what_stands_before_the_first_mark_octet_by_octet),
        cmocka_unit_test(a_request_of_which_nothing_was_said_may_write_nothing),
        cmocka_unit_test(denied_moves_are_denied_to_backends_too),
        cmocka_unit_test(a_backend_with_two_servers_may_move_a_mailbox_between_them),
        cmocka_unit_test(the_name_of_a_strange_server_is_said_in_plain_octets_and_cut),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
