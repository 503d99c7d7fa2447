/*
 * How many rows are reserved since when.
 *
 * SPDX-License-Identifier: BSD-3-Clause
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "mupdated/table/reserved.h"
#include "tests/unit/table/table_support.h"

static void add(struct reserved *reserved, uint64_t sequence, int64_t time_us)
{
    assert_true(reserved_make_room(reserved));
    reserved_add(reserved, sequence, time_us);
}

static void those_of_a_time_or_before_are_counted(void **state)
{
    struct reserved reserved = {0};

    (void)state;
    assert_int_equal(reserved_until(&reserved, INT64_MAX), 0);
    add(&reserved, 1, 100);
    add(&reserved, 2, 100);
    add(&reserved, 7, 300);
    assert_int_equal(reserved_until(&reserved, 99), 0);
    assert_int_equal(reserved_until(&reserved, 100), 2);
    assert_int_equal(reserved_until(&reserved, 299), 2);
    assert_int_equal(reserved_until(&reserved, 300), 3);
    reserved_close(&reserved);
}

static void one_that_is_over_does_not_count(void **state)
{
    struct reserved reserved = {0};

    (void)state;
    for (uint64_t i = 1; i <= 3; i++)
        add(&reserved, i, 100);
    reserved_remove(&reserved, 2);
    reserved_remove(&reserved, 2);
    reserved_remove(&reserved, 9);
    assert_int_equal(reserved_until(&reserved, 100), 2);
    assert_int_equal(reserved_until(&reserved, INT64_MAX), 2);
    reserved_close(&reserved);
}

static void times_that_are_not_in_order_are_no_matter(void **state)
{
    struct reserved reserved = {0};

    (void)state;
    add(&reserved, 9, 50);
    add(&reserved, 3, 400);
    add(&reserved, 5, INT64_MAX);
    reserved_sort(&reserved);
    reserved_remove(&reserved, 9);
    assert_int_equal(reserved_until(&reserved, 399), 0);
    assert_int_equal(reserved_until(&reserved, 400), 1);
    assert_int_equal(reserved_until(&reserved, INT64_MAX), 2);
    reserved_close(&reserved);
}

/* The oldest stays for ever, as a back-end that died leaves it. */
static void memory_does_not_grow_with_those_that_are_over(void **state)
{
    struct reserved reserved = {0};

    (void)state;
    add(&reserved, 1, 1);
    for (uint64_t i = 2; i < 100000; i++) {
        add(&reserved, i, (int64_t)i);
        if (i > 2)
            reserved_remove(&reserved, i - 1);
    }
    assert_int_equal(reserved_until(&reserved, INT64_MAX), 2);
    assert_true(reserved.size <= 128);
    reserved_close(&reserved);
}

#define ROWS 500

static void it_agrees_with_a_plain_array(void **state)
{
    struct randoms randoms = {1};
    struct reserved reserved = {0};
    int64_t times[ROWS] = {0}; /* their sequences too; 0: not reserved */
    uint64_t sequence = 0;

    (void)state;
    for (unsigned i = 0; i < 20000; i++) {
        uint64_t which = randoms_below(&randoms, ROWS);

        if (times[which] != 0) {
            reserved_remove(&reserved, (uint64_t)times[which]);
            times[which] = 0;
        } else {
            sequence++;
            times[which] = (int64_t)sequence;
            add(&reserved, sequence, (int64_t)sequence);
        }
        if (i % 100 == 0) {
            int64_t until = (int64_t)randoms_below(&randoms, (unsigned)sequence + 2);
            uint64_t expected = 0;

            for (size_t row = 0; row < ROWS; row++)
                expected += times[row] != 0 && times[row] <= until;
            assert_int_equal(reserved_until(&reserved, until), expected);
        }
    }
    reserved_close(&reserved);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(those_of_a_time_or_before_are_counted),
        cmocka_unit_test(one_that_is_over_does_not_count),
        cmocka_unit_test(times_that_are_not_in_order_are_no_matter),
        cmocka_unit_test(memory_does_not_grow_with_those_that_are_over),
        cmocka_unit_test(it_agrees_with_a_plain_array),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
