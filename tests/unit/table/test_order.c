/* SPDX-License-Identifier: BSD-3-Clause */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>

#include <cmocka.h>

#include "tests/unit/cases.h"
#include "tests/unit/table/table_support.h"

static int sign(int value)
{
    return (value > 0) - (value < 0);
}

static void assert_as_reference(struct mupdate_text a, struct mupdate_text b)
{
    static const enum list_order orders[] = {LIST_ORDER_CYRUS36, LIST_ORDER_OCTET};
    for (size_t i = 0; i < 2; i++) {
        int expected = reference_compare(orders[i], a, b);
        int result = sign(order_compare(orders[i], a, b));
        if (result != expected)
            fail_msg("order %d: \"%.*s\" and \"%.*s\": %d, not %d", (int)orders[i], (int)a.len,
                     a.data, (int)b.len, b.data, result, expected);
    }
}

static void assert_ascending(const char *const *names, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        for (size_t j = 0; j < count; j++) {
            int result =
                sign(order_compare(LIST_ORDER_CYRUS36, text_of(names[i]), text_of(names[j])));
            if (result != (i > j) - (i < j))
                fail_msg("\"%s\" and \"%s\": %d", names[i], names[j], result);
        }
    }
}

static void separators_come_before_other_octets_of_a_name(void **state)
{
    (void)state;
    static const char *const names[] = {
        "user.a",   "user.a.b", "user.a b", "user.a#b", "user.a-b", "user.a^c",   "user.a/b",
        "user.a0",  "user.a2",  "user.aA",  "user.a_b", "user.ab",  "user.a\xff", "user.john^doe",
        "user.john2",
    };
    assert_ascending(names, sizeof(names) / sizeof(names[0]));
}

static void a_domain_compares_as_it_is_and_its_mark_before_all_printable_octets(void **state)
{
    (void)state;
    static const char *const names[] = {
        "example!user.a",   "example!user.a.b", "example!user.a!c", "example!user.a-b",
        "example!user.a^b", "example!user.a0",  "example-x.org!a",  "example.net!user.a",
        "example.org!a",    "example.org!a.b",  "example.org!a-b",  "example.org!b",
        "example0!a",       "example^!a",       "examples!a",
    };
    assert_ascending(names, sizeof(names) / sizeof(names[0]));
}

static void a_dot_in_a_name_comes_before_the_same_dot_in_a_domain(void **state)
{
    (void)state;
    static const char *const names[] = {"a", "a!x", "a.b", "a.z", "a-b", "a.b!x", "a/b"};
    /* "a.b!x" has the dot of a domain at 1, which compares as 0x2E. */
    assert_ascending(names, sizeof(names) / sizeof(names[0]));
}

static void octet_order_is_that_of_the_octets(void **state)
{
    (void)state;
    static const char *const names[] = {"a",  "a b", "a!b", "a-b",  "a.b",
                                        "a2", "a^b", "ab",  "a\xff"};
    for (size_t i = 0; i + 1 < sizeof(names) / sizeof(names[0]); i++)
        assert_true(order_compare(LIST_ORDER_OCTET, text_of(names[i]), text_of(names[i + 1])) < 0);
}

static void every_pair_of_octets_is_ordered_as_its_sort_keys_in_every_place(void **state)
{
    (void)state;
    static const char *const places[][2] = {
        {"", ""}, {"user.a", ""}, {"user.a", "b"}, {"", "!r"}, {"d.e", "!r.s"}, {"d.e!r.s", ""},
        {"d^e!", ".u"}, {"long.enough.for.words", ".of.the.comparison"},
    };
    static const size_t count = sizeof(places) / sizeof(places[0]);
    for (size_t p = 0; p < count; p++) {
        for (size_t q = 0; q < count; q++) {
            /* Different places for both names matter where the part before is the same. */
            if (strcmp(places[p][0], places[q][0]) != 0)
                continue;
            for (int x = 0; x < 256; x++) {
                for (int y = 0; y < 256; y++) {
                    char a[64], b[64];
                    int a_len = snprintf(a, sizeof(a), "%s?%s", places[p][0], places[p][1]);
                    int b_len = snprintf(b, sizeof(b), "%s?%s", places[q][0], places[q][1]);
                    a[strlen(places[p][0])] = (char)x;
                    b[strlen(places[q][0])] = (char)y;
                    assert_as_reference((struct mupdate_text){a, (size_t)a_len},
                                        (struct mupdate_text){b, (size_t)b_len});
                }
            }
        }
    }
}

static void the_order_is_total_over_random_names(void **state)
{
    (void)state;
    static const char *const alphabets[] = {".-!^ ab", ".^!", "\x1d\x1e\x1f.-^!/2", "ab!"};
    struct randoms randoms = {1};
    size_t cases = cases_of(300000);
    for (size_t n = 0; n < cases; n++) {
        const char *alphabet = alphabets[n % 4];
        size_t longest = n % 3 == 0 ? 4 : 20;
        struct name names[3];
        for (size_t i = 0; i < 3; i++)
            name_random(&names[i], &randoms, alphabet, longest);
        /* Names with a common beginning are the interesting ones. */
        if (n % 2 == 0)
            memcpy(names[1].octets, names[0].octets, names[0].len);
        struct mupdate_text a = name_text(&names[0]), b = name_text(&names[1]),
                            c = name_text(&names[2]);
        assert_as_reference(a, b);
        int ab = sign(order_compare(LIST_ORDER_CYRUS36, a, b));
        int bc = sign(order_compare(LIST_ORDER_CYRUS36, b, c));
        int ac = sign(order_compare(LIST_ORDER_CYRUS36, a, c));
        assert_int_equal(ab, -sign(order_compare(LIST_ORDER_CYRUS36, b, a)));
        assert_int_equal(ab == 0, text_equal(a, b));
        if (ab == bc)
            assert_int_equal(ac, ab);
    }
}

static void names_that_differ_only_in_mapped_octets_are_not_equal(void **state)
{
    (void)state;
    assert_true(order_compare(LIST_ORDER_CYRUS36, text_of("a\x1f"), text_of("a.")) < 0);
    assert_true(order_compare(LIST_ORDER_CYRUS36, text_of("a\x1f"
                                                          "b"),
                              text_of("a.a")) > 0);
    assert_true(order_compare(LIST_ORDER_CYRUS36, text_of("a^"), text_of("a^!")) < 0);
    assert_int_equal(order_compare(LIST_ORDER_CYRUS36, text_of(""), text_of("")), 0);
    struct mupdate_text nothing = {NULL, 0};
    assert_true(order_compare(LIST_ORDER_CYRUS36, nothing, text_of("a")) < 0);
    assert_true(order_compare(LIST_ORDER_OCTET, text_of("a"), nothing) > 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(separators_come_before_other_octets_of_a_name),
        cmocka_unit_test(a_domain_compares_as_it_is_and_its_mark_before_all_printable_octets),
        cmocka_unit_test(a_dot_in_a_name_comes_before_the_same_dot_in_a_domain),
        cmocka_unit_test(octet_order_is_that_of_the_octets),
        cmocka_unit_test(every_pair_of_octets_is_ordered_as_its_sort_keys_in_every_place),
        cmocka_unit_test(the_order_is_total_over_random_names),
        cmocka_unit_test(names_that_differ_only_in_mapped_octets_are_not_equal),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
