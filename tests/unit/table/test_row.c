/* SPDX-License-Identifier: BSD-3-Clause */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "tests/unit/table/table_support.h"

static void a_copied_change_owns_all_its_texts(void **state)
{
    (void)state;
    char texts[] = "user.a\0b1!p\0acl\0murder\0b2!q";
    char *name = texts, *location = texts + 7, *acl = texts + 12, *who = texts + 16,
         *old = texts + 23;
    struct change change = {
        .now = {.mupdate = {MUPDATE_ACTIVE, text_of(name), text_of(location), text_of(acl)},
                .sequence = 7,
                .time_us = -8,
                .who = text_of(who)},
        .old_state = MUPDATE_RESERVED,
        .old_location = text_of(old),
        .term = 9,
    };
    struct change *copy = change_copy(&change);
    assert_non_null(copy);
    memset(texts, 'x', sizeof(texts) - 1);
    assert_int_equal(copy->now.mupdate.state, MUPDATE_ACTIVE);
    assert_true(text_equal(copy->now.mupdate.name, text_of("user.a")));
    assert_true(text_equal(copy->now.mupdate.location, text_of("b1!p")));
    assert_true(text_equal(copy->now.mupdate.acl, text_of("acl")));
    assert_true(text_equal(copy->now.who, text_of("murder")));
    assert_true(text_equal(copy->old_location, text_of("b2!q")));
    assert_int_equal(copy->now.sequence, 7);
    assert_true(copy->now.time_us == -8);
    assert_int_equal(copy->old_state, MUPDATE_RESERVED);
    assert_int_equal(copy->term, 9);
    free(copy);
}

static void a_change_with_empty_texts_can_be_copied(void **state)
{
    (void)state;
    struct change change = {.now = {.mupdate = {.name = text_of("a")}}};
    struct change *copy = change_copy(&change);
    assert_non_null(copy);
    assert_int_equal(copy->now.mupdate.location.len, 0);
    assert_int_equal(copy->now.who.len, 0);
    free(copy);
}

static void a_change_too_large_for_memory_is_not_copied(void **state)
{
    (void)state;
    struct change change = {.now = {.mupdate = {.name = {"a", SIZE_MAX - 8}}}};
    assert_null(change_copy(&change));
}

static void the_server_of_a_location_is_what_stands_before_the_mark(void **state)
{
    (void)state;
    static const char *const cases[][2] = {
        {"backend1!default", "backend1"}, {"backend1!", "backend1"}, {"backend1", "backend1"},
        {"!default", ""},                 {"", ""},                  {"a!b!c", "a"},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
        assert_true(text_equal(location_server(text_of(cases[i][0])), text_of(cases[i][1])));
    assert_int_equal(location_server((struct mupdate_text){NULL, 0}).len, 0);
}

static void texts_compare_as_unsigned_octets_and_the_shorter_first(void **state)
{
    (void)state;
    static const char *const ascending[] = {"", "a", "a\x01", "aa", "b", "b\x7f", "b\x80", "\xff"};
    size_t count = sizeof(ascending) / sizeof(ascending[0]);
    for (size_t i = 0; i < count; i++) {
        for (size_t j = 0; j < count; j++) {
            int result = text_compare(text_of(ascending[i]), text_of(ascending[j]));
            assert_int_equal((result > 0) - (result < 0), (i > j) - (i < j));
            assert_int_equal(text_equal(text_of(ascending[i]), text_of(ascending[j])), i == j);
        }
    }
    struct mupdate_text nothing = {NULL, 0};
    assert_int_equal(text_compare(nothing, text_of("")), 0);
    assert_true(text_equal(nothing, text_of("")));
    struct mupdate_text b = {"a\0b", 3}, c = {"a\0c", 3};
    assert_true(text_compare(b, c) < 0);
    assert_false(text_equal(b, c));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_copied_change_owns_all_its_texts),
        cmocka_unit_test(a_change_with_empty_texts_can_be_copied),
        cmocka_unit_test(a_change_too_large_for_memory_is_not_copied),
        cmocka_unit_test(the_server_of_a_location_is_what_stands_before_the_mark),
        cmocka_unit_test(texts_compare_as_unsigned_octets_and_the_shorter_first),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
