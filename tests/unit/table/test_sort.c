/* SPDX-License-Identifier: BSD-3-Clause */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "mupdated/table/sort.h"
#include "tests/unit/table/table_support.h"

#define ITEMS 1000

static struct name names[ITEMS];
static void *items[ITEMS];
static size_t looked_at;

static struct mupdate_text item_name(const void *item)
{
    looked_at++;
    return name_text(item);
}

static size_t comparisons_to_sort(enum list_order order, size_t count)
{
    looked_at = 0;
    assert_true(sort_items(order, item_name, items, count));
    return looked_at / 2;
}

static void items_of_any_number_and_order_come_out_sorted(void **state)
{
    (void)state;
    static const enum list_order orders[] = {LIST_ORDER_CYRUS36, LIST_ORDER_OCTET};
    struct randoms randoms = {11};
    for (size_t count = 0; count < 200; count++) {
        enum list_order order = orders[count % 2];
        names_random(names, count, &randoms, ".-^! ab2", 8);
        for (size_t i = 0; i < count; i++)
            items[i] = &names[i];
        comparisons_to_sort(order, count);
        bool seen[ITEMS] = {false};
        for (size_t i = 0; i < count; i++) {
            seen[(struct name *)items[i] - names] = true;
            if (i > 0)
                assert_true(reference_compare(order, name_text(items[i - 1]),
                                              name_text(items[i])) < 0);
        }
        for (size_t i = 0; i < count; i++)
            assert_true(seen[i]);
    }
}

static void make_ordered_names(void)
{
    for (size_t i = 0; i < ITEMS; i++) {
        names[i].len = (size_t)snprintf(names[i].octets, NAME_MAX_BYTES, "user.%04zu", i);
        items[i] = &names[i];
    }
}

static void items_in_order_cost_one_comparison_each(void **state)
{
    (void)state;
    make_ordered_names();
    assert_int_equal(comparisons_to_sort(LIST_ORDER_CYRUS36, ITEMS), ITEMS - 1);
}

static void a_few_items_out_of_place_cost_little(void **state)
{
    (void)state;
    make_ordered_names();
    for (size_t i = 0; i + 1 < ITEMS; i += 50) {
        void *item = items[i];
        items[i] = items[i + 1];
        items[i + 1] = item;
    }
    assert_true(comparisons_to_sort(LIST_ORDER_CYRUS36, ITEMS) < 2 * ITEMS);
    for (size_t i = 0; i < ITEMS; i++)
        assert_ptr_equal(items[i], &names[i]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(items_of_any_number_and_order_come_out_sorted),
        cmocka_unit_test(items_in_order_cost_one_comparison_each),
        cmocka_unit_test(a_few_items_out_of_place_cost_little),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
