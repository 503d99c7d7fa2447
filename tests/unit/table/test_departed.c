/* SPDX-License-Identifier: BSD-3-Clause */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "mupdated/table/departed.h"
#include "tests/unit/table/table_support.h"

static void apply(struct departed *departed, struct mupdate_text name, enum mupdate_state now,
                  uint64_t sequence)
{
    struct change change = {.now = {.mupdate = {.state = now, .name = name}, .sequence = sequence}};
    assert_true(departed_apply(departed, &change));
}

static void leaves(struct departed *departed, const char *name, uint64_t sequence)
{
    apply(departed, text_of(name), MUPDATE_ABSENT, sequence);
}

static void comes(struct departed *departed, const char *name, uint64_t sequence)
{
    apply(departed, text_of(name), MUPDATE_ACTIVE, sequence);
}

static bool at_risk(struct departed *departed, uint64_t since, const char *name)
{
    struct departed_walk walk;
    departed_walk_start(&walk, departed, since);
    bool result = departed_walk_at_risk(&walk, text_of(name));
    departed_walk_end(&walk);
    return result;
}

static void rows_between_both_orders_of_a_departed_name_are_at_risk(void **state)
{
    (void)state;
    struct departed *departed = departed_new(LIST_ORDER_CYRUS36);
    leaves(departed, "user.a.b", 1);
    assert_true(at_risk(departed, 0, "user.a-b"));
    assert_true(at_risk(departed, 0, "user.a b"));
    assert_true(at_risk(departed, 0, "user-z"));
    assert_false(at_risk(departed, 0, "user.a"));
    assert_false(at_risk(departed, 0, "user.a.a"));
    assert_false(at_risk(departed, 0, "user.a.b"));
    assert_false(at_risk(departed, 0, "user.a.c"));
    assert_false(at_risk(departed, 0, "user.a2"));
    assert_false(at_risk(departed, 0, "user.b"));
    leaves(departed, "user.john^doe", 2);
    assert_true(at_risk(departed, 0, "user.john2"));
    assert_true(at_risk(departed, 0, "user.johnA"));
    assert_false(at_risk(departed, 0, "user.johna"));
    assert_false(at_risk(departed, 0, "user.john-"));
    leaves(departed, "example!user.a", 3);
    assert_true(at_risk(departed, 0, "example user"));
    assert_false(at_risk(departed, 0, "example.org!user"));
    departed_free(departed);
}

static void nothing_is_at_risk_in_octet_order(void **state)
{
    (void)state;
    struct departed *departed = departed_new(LIST_ORDER_OCTET);
    leaves(departed, "user.a.b", 1);
    assert_int_equal(departed_count(departed), 0);
    assert_false(at_risk(departed, 0, "user.a-b"));
    departed_free(departed);
}

static void a_name_that_came_back_counts_only_for_dumps_begun_before(void **state)
{
    (void)state;
    struct departed *departed = departed_new(LIST_ORDER_CYRUS36);
    leaves(departed, "user.a.b", 5);
    assert_int_equal(departed_count(departed), 1);
    comes(departed, "user.a.b", 8);
    comes(departed, "user.a.b", 9);
    comes(departed, "user.other", 10);
    assert_int_equal(departed_count(departed), 0);
    assert_true(at_risk(departed, 7, "user.a-b"));
    assert_false(at_risk(departed, 8, "user.a-b"));
    leaves(departed, "user.a.b", 11);
    assert_int_equal(departed_count(departed), 1);
    assert_true(at_risk(departed, 10, "user.a-b"));
    departed_free(departed);
}

static void a_walk_is_needed_only_when_a_name_counts(void **state)
{
    (void)state;
    struct departed *departed = departed_new(LIST_ORDER_CYRUS36);
    assert_false(departed_any(departed, 0));
    comes(departed, "user.a.b", 1);
    assert_false(departed_any(departed, 0));
    leaves(departed, "user.a.b", 5);
    assert_true(departed_any(departed, 5));
    comes(departed, "user.a.b", 8);
    assert_true(departed_any(departed, 7));
    assert_false(departed_any(departed, 8));
    departed_free(departed);
}

static void names_are_forgotten_with_the_log_by_their_last_departure(void **state)
{
    (void)state;
    struct departed *departed = departed_new(LIST_ORDER_CYRUS36);
    leaves(departed, "user.a.b", 1);
    leaves(departed, "user.c.d", 2);
    comes(departed, "user.a.b", 3);
    leaves(departed, "user.a.b", 4);
    departed_trim(departed, 2);
    assert_int_equal(departed_count(departed), 2);
    departed_trim(departed, 3);
    assert_int_equal(departed_count(departed), 1);
    assert_true(at_risk(departed, 0, "user.a-b"));
    assert_false(at_risk(departed, 0, "user.c-d"));
    departed_trim(departed, 5);
    assert_int_equal(departed_count(departed), 0);
    assert_false(at_risk(departed, 0, "user.a-b"));
    departed_free(departed);
}

static void a_name_that_leaves_twice_in_a_row_is_counted_once(void **state)
{
    (void)state;
    struct departed *departed = departed_new(LIST_ORDER_CYRUS36);
    leaves(departed, "user.a.b", 1);
    leaves(departed, "user.a.b", 2);
    assert_int_equal(departed_count(departed), 1);
    departed_trim(departed, 2);
    assert_int_equal(departed_count(departed), 1);
    departed_trim(departed, 3);
    assert_int_equal(departed_count(departed), 0);
    departed_free(departed);
}

static void a_walk_keeps_what_it_passed_through_changes_and_trimming(void **state)
{
    (void)state;
    struct departed *departed = departed_new(LIST_ORDER_CYRUS36);
    leaves(departed, "user.a.b", 1);
    leaves(departed, "user.c.d", 2);
    struct departed_walk walk;
    departed_walk_start(&walk, departed, 2);
    assert_false(departed_walk_at_risk(&walk, text_of("user.a.c")));
    departed_trim(departed, UINT64_MAX);
    assert_true(departed_walk_at_risk(&walk, text_of("user.a-b")));
    leaves(departed, "user.b.z", 3);
    assert_true(departed_walk_at_risk(&walk, text_of("user.b-z")));
    assert_false(departed_walk_at_risk(&walk, text_of("user.c-d")));
    departed_walk_end(&walk);
    departed_free(departed);
}

/* What the header says, asked of every pair. */
static bool defined_at_risk(const struct name *gone, size_t count, struct mupdate_text name)
{
    for (size_t i = 0; i < count; i++) {
        if (reference_compare(LIST_ORDER_CYRUS36, name_text(&gone[i]), name) < 0 &&
            reference_compare(LIST_ORDER_OCTET, name_text(&gone[i]), name) > 0)
            return true;
    }
    return false;
}

static int compare_names(const void *a, const void *b)
{
    return reference_compare(LIST_ORDER_CYRUS36, name_text(a), name_text(b));
}

static void a_walk_finds_exactly_the_rows_of_the_definition(void **state)
{
    (void)state;
    enum { NAMES = 60, GONE = 25 };
    struct randoms randoms = {8};
    size_t found = 0, asked = 0;
    for (size_t n = 0; n < 1500; n++) {
        struct name names[NAMES];
        names_random(names, NAMES, &randoms, n % 2 == 0 ? ".-^! ab2" : ".-ab^", 7);
        struct departed *departed = departed_new(LIST_ORDER_CYRUS36);
        for (size_t i = 0; i < GONE; i++)
            apply(departed, name_text(&names[i]), MUPDATE_ABSENT, i + 1);
        qsort(names + GONE, NAMES - GONE, sizeof(names[0]), compare_names);
        struct departed_walk walk;
        departed_walk_start(&walk, departed, GONE);
        for (size_t i = GONE; i < NAMES; i++) {
            /* Rows may be left out, and the walk be interrupted by changes that do not matter. */
            if (randoms_below(&randoms, 4) == 0)
                continue;
            if (randoms_below(&randoms, 4) == 0) {
                leaves(departed, "~", NAMES + i);
                departed_trim(departed, 0);
            }
            bool expected = defined_at_risk(names, GONE, name_text(&names[i]));
            assert_int_equal(departed_walk_at_risk(&walk, name_text(&names[i])), expected);
            found += expected;
            asked++;
        }
        departed_walk_end(&walk);
        departed_free(departed);
    }
    assert_true(found > 1000);
    assert_true(found < asked / 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rows_between_both_orders_of_a_departed_name_are_at_risk),
        cmocka_unit_test(nothing_is_at_risk_in_octet_order),
        cmocka_unit_test(a_name_that_came_back_counts_only_for_dumps_begun_before),
        cmocka_unit_test(a_walk_is_needed_only_when_a_name_counts),
        cmocka_unit_test(names_are_forgotten_with_the_log_by_their_last_departure),
        cmocka_unit_test(a_name_that_leaves_twice_in_a_row_is_counted_once),
        cmocka_unit_test(a_walk_keeps_what_it_passed_through_changes_and_trimming),
        cmocka_unit_test(a_walk_finds_exactly_the_rows_of_the_definition),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
