/* SPDX-License-Identifier: BSD-3-Clause */
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

static void apply(const struct rule_policy *with, const struct mupdate_row *now,
                  enum mupdate_verb verb, struct mupdate_text name, struct mupdate_text location,
                  struct mupdate_text acl, struct rule_outcome *outcome)
{
    struct rule_request request = {.verb = verb, .name = name, .location = location, .acl = acl,
                                   .writes.all = true};
    memset(outcome, 'x', sizeof(*outcome));
    rule_apply(with, now, &request, outcome);
}

#define HERE "b1.example!default"
#define HERE_OTHER_PARTITION "b1.example!"
#define ELSEWHERE "b2.example!default"

struct rule_case {
    enum mupdate_state state; /* of the row now, at HERE, with ACL "old" when it is active */
    enum mupdate_verb verb;
    const char *location;
    const char *acl;
    enum rule_verdict verdict;
    enum mupdate_state becomes;
    bool moved;
    const char *text;
};

#define HELD "mailbox is held by " HERE
#define MISSING "mailbox doesn't exist"
#define NOT_ACTIVE "mailbox not currently active"
#define DONE "done"

static const struct rule_case cases[] = {
    {MUPDATE_ABSENT, MUPDATE_RESERVE, HERE, "", RULE_STORE, MUPDATE_RESERVED, false, DONE},
    {MUPDATE_RESERVED, MUPDATE_RESERVE, HERE, "", RULE_UNCHANGED, 0, false, DONE},
    {MUPDATE_RESERVED, MUPDATE_RESERVE, HERE_OTHER_PARTITION, "", RULE_REFUSED, 0, false, HELD},
    {MUPDATE_RESERVED, MUPDATE_RESERVE, ELSEWHERE, "", RULE_REFUSED, 0, false, HELD},
    {MUPDATE_ACTIVE, MUPDATE_RESERVE, HERE, "", RULE_UNCHANGED, 0, false, DONE},
    {MUPDATE_ACTIVE, MUPDATE_RESERVE, HERE_OTHER_PARTITION, "", RULE_REFUSED, 0, false, HELD},
    {MUPDATE_ACTIVE, MUPDATE_RESERVE, ELSEWHERE, "", RULE_REFUSED, 0, false, HELD},

    {MUPDATE_ABSENT, MUPDATE_ACTIVATE, HERE, "new", RULE_STORE, MUPDATE_ACTIVE, false, DONE},
    {MUPDATE_ABSENT, MUPDATE_ACTIVATE, HERE, "", RULE_STORE, MUPDATE_ACTIVE, false, DONE},
    {MUPDATE_RESERVED, MUPDATE_ACTIVATE, HERE, "new", RULE_STORE, MUPDATE_ACTIVE, false, DONE},
    {MUPDATE_RESERVED, MUPDATE_ACTIVATE, HERE, "", RULE_STORE, MUPDATE_ACTIVE, false, DONE},
    {MUPDATE_RESERVED, MUPDATE_ACTIVATE, HERE_OTHER_PARTITION, "new", RULE_STORE, MUPDATE_ACTIVE,
     false, DONE},
    {MUPDATE_RESERVED, MUPDATE_ACTIVATE, ELSEWHERE, "new", RULE_STORE, MUPDATE_ACTIVE, false, DONE},
    {MUPDATE_ACTIVE, MUPDATE_ACTIVATE, HERE, "old", RULE_UNCHANGED, 0, false, DONE},
    {MUPDATE_ACTIVE, MUPDATE_ACTIVATE, HERE, "new", RULE_STORE, MUPDATE_ACTIVE, false, DONE},
    {MUPDATE_ACTIVE, MUPDATE_ACTIVATE, HERE, "", RULE_STORE, MUPDATE_ACTIVE, false, DONE},
    {MUPDATE_ACTIVE, MUPDATE_ACTIVATE, HERE_OTHER_PARTITION, "old", RULE_STORE, MUPDATE_ACTIVE,
     false, DONE},
    {MUPDATE_ACTIVE, MUPDATE_ACTIVATE, ELSEWHERE, "old", RULE_STORE, MUPDATE_ACTIVE, true, DONE},
    {MUPDATE_ACTIVE, MUPDATE_ACTIVATE, ELSEWHERE, "new", RULE_STORE, MUPDATE_ACTIVE, true, DONE},

    {MUPDATE_ABSENT, MUPDATE_DEACTIVATE, HERE, "", RULE_REFUSED, 0, false, MISSING},
    {MUPDATE_RESERVED, MUPDATE_DEACTIVATE, HERE, "", RULE_REFUSED, 0, false, NOT_ACTIVE},
    {MUPDATE_RESERVED, MUPDATE_DEACTIVATE, ELSEWHERE, "", RULE_REFUSED, 0, false, NOT_ACTIVE},
    {MUPDATE_ACTIVE, MUPDATE_DEACTIVATE, HERE, "", RULE_STORE, MUPDATE_RESERVED, false, DONE},
    {MUPDATE_ACTIVE, MUPDATE_DEACTIVATE, HERE_OTHER_PARTITION, "", RULE_STORE, MUPDATE_RESERVED,
     false, DONE},
    {MUPDATE_ACTIVE, MUPDATE_DEACTIVATE, ELSEWHERE, "", RULE_STORE, MUPDATE_RESERVED, false, DONE},

    {MUPDATE_ABSENT, MUPDATE_DELETE, "", "", RULE_REFUSED, 0, false, MISSING},
    {MUPDATE_RESERVED, MUPDATE_DELETE, "", "", RULE_STORE, MUPDATE_ABSENT, false, DONE},
    {MUPDATE_ACTIVE, MUPDATE_DELETE, "", "", RULE_STORE, MUPDATE_ABSENT, false, DONE},
};

static void assert_case(const struct rule_policy *with, const struct rule_case *expect)
{
    struct mupdate_row now = {expect->state, text_of("user.a"), text_of(HERE),
                              text_of(expect->state == MUPDATE_ACTIVE ? "old" : "")};
    struct rule_outcome outcome;
    apply(with, expect->state == MUPDATE_ABSENT ? NULL : &now, expect->verb, text_of("user.a"),
          text_of(expect->location), text_of(expect->acl), &outcome);
    if (outcome.verdict != expect->verdict || strcmp(outcome.text, expect->text) != 0)
        fail_msg("state %d, verb %d, \"%s\", \"%s\": verdict %d, \"%s\"", (int)expect->state,
                 (int)expect->verb, expect->location, expect->acl, (int)outcome.verdict,
                 outcome.text);
    assert_int_equal(outcome.moved, expect->moved);
    if (expect->verdict != RULE_STORE)
        return;
    assert_int_equal(outcome.row.state, expect->becomes);
    assert_true(text_equal(outcome.row.name, text_of("user.a")));
    bool gone = expect->becomes == MUPDATE_ABSENT;
    assert_true(text_equal(outcome.row.location, text_of(gone ? "" : expect->location)));
    bool active = expect->becomes == MUPDATE_ACTIVE;
    assert_true(text_equal(outcome.row.acl, text_of(active ? expect->acl : "")));
}

static void every_command_in_every_state_does_what_the_table_says(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
        assert_case(&policy, &cases[i]);
}

static void what_seizes_takes_a_row_from_another_location_in_its_state_only(void **state)
{
    static const struct {
        enum mupdate_state state;
        enum mupdate_verb verb;
        const char *location;
        enum rule_verdict verdict;
        bool moved;
    } seizing[] = {
        {MUPDATE_RESERVED, MUPDATE_RESERVE, ELSEWHERE, RULE_STORE, false},
        {MUPDATE_RESERVED, MUPDATE_RESERVE, HERE_OTHER_PARTITION, RULE_STORE, false},
        {MUPDATE_RESERVED, MUPDATE_RESERVE, HERE, RULE_UNCHANGED, false},
        {MUPDATE_ACTIVE, MUPDATE_RESERVE, ELSEWHERE, RULE_REFUSED, false},
        {MUPDATE_ACTIVE, MUPDATE_ACTIVATE, ELSEWHERE, RULE_STORE, true},
        {MUPDATE_ACTIVE, MUPDATE_ACTIVATE, HERE, RULE_UNCHANGED, false},
    };

    (void)state;
    for (size_t i = 0; i < sizeof seizing / sizeof seizing[0]; i++) {
        bool active = seizing[i].state == MUPDATE_ACTIVE;
        struct mupdate_row now = {seizing[i].state, text_of("user.a"), text_of(HERE),
                                  text_of(active ? "old" : "")};
        struct rule_request request = {.verb = seizing[i].verb, .name = text_of("user.a"),
                                       .location = text_of(seizing[i].location),
                                       .acl = now.acl, .writes.all = true, .seizes = true};
        struct rule_outcome outcome;

        rule_apply(&denying, &now, &request, &outcome);
        assert_int_equal(outcome.verdict, seizing[i].verdict);
        assert_int_equal(outcome.moved, seizing[i].moved);
        if (outcome.verdict != RULE_STORE)
            continue;
        assert_int_equal(outcome.row.state, seizing[i].state);
        assert_true(text_equal(outcome.row.location, text_of(seizing[i].location)));
        assert_true(text_equal(outcome.row.acl, now.acl));
    }
}

static void denying_conflicts_refuses_moves_of_active_mailboxes_and_nothing_else(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct rule_case expect = cases[i];
        if (expect.moved) {
            expect.verdict = RULE_REFUSED;
            expect.moved = false;
            expect.text = "mailbox is active at " HERE;
        }
        assert_case(&denying, &expect);
    }
}

static void an_absent_row_is_no_row(void **state)
{
    (void)state;
    struct mupdate_row absent = {.state = MUPDATE_ABSENT, .name = text_of("user.a")};
    struct rule_outcome outcome;
    apply(&policy, &absent, MUPDATE_DELETE, text_of("user.a"), text_of(""), text_of(""), &outcome);
    assert_int_equal(outcome.verdict, RULE_REFUSED);
    apply(&policy, &absent, MUPDATE_RESERVE, text_of("user.a"), text_of(HERE), text_of(""),
          &outcome);
    assert_int_equal(outcome.verdict, RULE_STORE);
}

static void what_a_reservation_or_deactivation_says_of_an_acl_is_ignored(void **state)
{
    (void)state;
    struct mupdate_row now = {MUPDATE_ACTIVE, text_of("user.a"), text_of(HERE), text_of("old")};
    struct rule_outcome outcome;
    apply(&policy, NULL, MUPDATE_RESERVE, text_of("user.a"), text_of(HERE), text_of("x"), &outcome);
    assert_int_equal(outcome.verdict, RULE_STORE);
    assert_int_equal(outcome.row.acl.len, 0);
    apply(&policy, &now, MUPDATE_DEACTIVATE, text_of("user.a"), text_of(HERE), text_of("x"),
          &outcome);
    assert_int_equal(outcome.verdict, RULE_STORE);
    assert_int_equal(outcome.row.acl.len, 0);
}

static char long_octets[70000];

static struct mupdate_text octets(size_t len)
{
    memset(long_octets, 'n', sizeof(long_octets));
    return (struct mupdate_text){long_octets, len};
}

static void names_are_checked_at_and_past_each_edge(void **state)
{
    (void)state;
    static const struct {
        struct mupdate_text name;
        const char *wrong;
    } names[] = {
        {{"", 0}, "mailbox name is empty"},
        {{NULL, 0}, "mailbox name is empty"},
        {{"a\0b", 3}, "mailbox name contains NUL, CR or LF"},
        {{"\0", 1}, "mailbox name contains NUL, CR or LF"},
        {{"a\r", 2}, "mailbox name contains NUL, CR or LF"},
        {{"\na", 2}, "mailbox name contains NUL, CR or LF"},
        {{"a\tb \"c\\ \x01\x7f\x80\xff!^.-", 16}, NULL},
        {{"a", 1}, NULL},
    };
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        const char *wrong = rule_check_name(&policy, names[i].name);
        if (names[i].wrong == NULL)
            assert_null(wrong);
        else
            assert_string_equal(wrong, names[i].wrong);
        for (int verb = MUPDATE_RESERVE; verb <= MUPDATE_DELETE; verb++) {
            struct rule_outcome outcome;
            apply(&policy, NULL, (enum mupdate_verb)verb, names[i].name, text_of(HERE), text_of(""),
                  &outcome);
            if (names[i].wrong != NULL) {
                assert_int_equal(outcome.verdict, RULE_REFUSED);
                assert_string_equal(outcome.text, names[i].wrong);
            } else if (verb == MUPDATE_RESERVE || verb == MUPDATE_ACTIVATE) {
                assert_int_equal(outcome.verdict, RULE_STORE);
            }
        }
    }
    assert_null(rule_check_name(&policy, octets(1024)));
    assert_string_equal(rule_check_name(&policy, octets(1025)), "mailbox name is too long");
}

static void locations_are_checked_at_and_past_each_edge(void **state)
{
    (void)state;
    static const struct {
        struct mupdate_text location;
        const char *wrong;
    } locations[] = {
        {{"", 0}, "location is empty"},
        {{"b1", 2}, NULL},
        {{"b1!", 3}, NULL},
        {{"b1!p", 4}, NULL},
        {{"b1.\xff\t\"!p \\", 10}, NULL},
        {{"!", 1}, "location names no server"},
        {{"!p", 2}, "location names no server"},
        {{"b1!!", 4}, "location contains more than one \"!\""},
        {{"b1!p!q", 6}, "location contains more than one \"!\""},
        {{"b1!p\0q", 6}, "location contains NUL, CR or LF"},
        {{"b1\r!p", 5}, "location contains NUL, CR or LF"},
        {{"b1!p\n", 5}, "location contains NUL, CR or LF"},
    };
    static const enum mupdate_verb verbs[] = {MUPDATE_RESERVE, MUPDATE_ACTIVATE,
                                              MUPDATE_DEACTIVATE};
    for (size_t i = 0; i < sizeof(locations) / sizeof(locations[0]); i++) {
        for (size_t v = 0; v < 3; v++) {
            struct mupdate_row now = {MUPDATE_ACTIVE, text_of("a"), text_of("b9!p"), text_of("")};
            struct rule_outcome outcome;
            apply(&policy, verbs[v] == MUPDATE_RESERVE ? NULL : &now, verbs[v], text_of("a"),
                  locations[i].location, text_of(""), &outcome);
            if (locations[i].wrong == NULL) {
                assert_int_equal(outcome.verdict, RULE_STORE);
            } else {
                assert_int_equal(outcome.verdict, RULE_REFUSED);
                assert_string_equal(outcome.text, locations[i].wrong);
            }
        }
    }
    struct rule_outcome outcome;
    apply(&policy, NULL, MUPDATE_RESERVE, text_of("a"), octets(256), text_of(""), &outcome);
    assert_int_equal(outcome.verdict, RULE_STORE);
    apply(&policy, NULL, MUPDATE_RESERVE, text_of("a"), octets(257), text_of(""), &outcome);
    assert_string_equal(outcome.text, "location is too long");
}

static void an_acl_may_hold_every_octet_but_nul(void **state)
{
    (void)state;
    char all[255];
    for (int i = 0; i < 255; i++)
        all[i] = (char)(i + 1);
    struct rule_outcome outcome;
    apply(&policy, NULL, MUPDATE_ACTIVATE, text_of("a"), text_of(HERE),
          (struct mupdate_text){all, sizeof(all)}, &outcome);
    assert_int_equal(outcome.verdict, RULE_STORE);
    assert_memory_equal(outcome.row.acl.data, all, sizeof(all));
    apply(&policy, NULL, MUPDATE_ACTIVATE, text_of("a"), text_of(HERE),
          (struct mupdate_text){"a\0b", 3}, &outcome);
    assert_string_equal(outcome.text, "ACL contains NUL");
    apply(&policy, NULL, MUPDATE_ACTIVATE, text_of("a"), text_of(HERE), octets(65536), &outcome);
    assert_int_equal(outcome.verdict, RULE_STORE);
    apply(&policy, NULL, MUPDATE_ACTIVATE, text_of("a"), text_of(HERE), octets(65537), &outcome);
    assert_int_equal(outcome.verdict, RULE_REFUSED);
    assert_string_equal(outcome.text, "ACL is too long");
}

static void a_whole_row_is_checked_as_the_commands_check_its_parts(void **state)
{
    struct mupdate_row row = {.state = MUPDATE_ACTIVE, .name = octets(1024),
                              .location = {HERE, sizeof HERE - 1}, .acl = {"a\tlrs\t", 6}};
    (void)state;
    assert_null(rule_check_row(&policy, &row));
    row.state = MUPDATE_RESERVED;
    assert_string_equal(rule_check_row(&policy, &row), "a reserved row has an ACL");
    row.acl.len = 0;
    assert_null(rule_check_row(&policy, &row));
    row.location.len = 0;
    assert_string_equal(rule_check_row(&policy, &row), "location is empty");
    row.name.len = 0;
    assert_string_equal(rule_check_row(&policy, &row), "mailbox name is empty");
    row.name = octets(4);
    row.location = (struct mupdate_text){HERE, sizeof HERE - 1};
    row.acl = (struct mupdate_text){"a\0", 2};
    assert_string_equal(rule_check_row(&policy, &row), "ACL contains NUL");
}

static void a_row_that_breaks_the_limits_can_still_be_deleted(void **state)
{
    (void)state;
    struct mupdate_text name = octets(5000);
    struct mupdate_row now = {MUPDATE_ACTIVE, name, text_of(HERE), text_of("")};
    struct rule_outcome outcome;
    apply(&policy, &now, MUPDATE_DELETE, name, text_of(""), text_of(""), &outcome);
    assert_int_equal(outcome.verdict, RULE_STORE);
    assert_int_equal(outcome.row.state, MUPDATE_ABSENT);
    assert_true(text_equal(outcome.row.name, name));
}

static void the_holder_is_named_in_printable_octets_and_cut(void **state)
{
    (void)state;
    struct mupdate_row now = {MUPDATE_RESERVED, text_of("a"),
                              text_of("b\"\\\t\x7f\xc3\xa9\x1b~ 1!p"), text_of("")};
    struct rule_outcome outcome;
    apply(&policy, &now, MUPDATE_RESERVE, text_of("a"), text_of(HERE), text_of(""), &outcome);
    assert_string_equal(outcome.text, "mailbox is held by b???????~ 1!p");
    now.location = octets(5000);
    apply(&policy, &now, MUPDATE_RESERVE, text_of("a"), text_of(HERE), text_of(""), &outcome);
    assert_int_equal(outcome.verdict, RULE_REFUSED);
    assert_int_equal(strlen(outcome.text), RULE_TEXT_BYTES - 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_command_in_every_state_does_what_the_table_says),
        cmocka_unit_test(what_seizes_takes_a_row_from_another_location_in_its_state_only),
        cmocka_unit_test(denying_conflicts_refuses_moves_of_active_mailboxes_and_nothing_else),
        cmocka_unit_test(an_absent_row_is_no_row),
        cmocka_unit_test(what_a_reservation_or_deactivation_says_of_an_acl_is_ignored),
        cmocka_unit_test(names_are_checked_at_and_past_each_edge),
        cmocka_unit_test(locations_are_checked_at_and_past_each_edge),
        cmocka_unit_test(an_acl_may_hold_every_octet_but_nul),
        cmocka_unit_test(a_whole_row_is_checked_as_the_commands_check_its_parts),
        cmocka_unit_test(a_row_that_breaks_the_limits_can_still_be_deleted),
        cmocka_unit_test(the_holder_is_named_in_printable_octets_and_cut),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
