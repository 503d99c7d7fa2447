/* SPDX-License-Identifier: BSD-3-Clause */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "mupdated/table/tree.h"
#include "tests/unit/table/table_support.h"

/* Enough for three levels. */
#define ITEMS 12000

static struct mupdate_text item_name(const void *item)
{
    return name_text(item);
}

static struct name items[ITEMS];
static bool present[ITEMS];

/* Items in list order: item i is the i-th name. */
static int setup(void **state)
{
    (void)state;
    for (size_t i = 0; i < ITEMS; i++) {
        int len = snprintf(items[i].octets, sizeof(items[i].octets), "user.%06zu", i);
        items[i].len = (size_t)len;
        present[i] = false;
    }
    return 0;
}

static void assert_holds_what_is_present(const struct tree *tree)
{
    struct tree_cursor cursor;
    tree_seek(tree, NULL, &cursor);
    size_t count = 0;
    for (size_t i = 0; i < ITEMS; i++) {
        if (!present[i])
            continue;
        assert_ptr_equal(tree_peek(&cursor), &items[i]);
        assert_ptr_equal(tree_next(&cursor), &items[i]);
        count++;
    }
    assert_null(tree_peek(&cursor));
    assert_null(tree_next(&cursor));
    assert_int_equal(tree->count, count);
}

static void assert_finds_what_is_present(const struct tree *tree)
{
    size_t next = ITEMS;
    for (size_t i = ITEMS; i-- > 0;) {
        struct mupdate_text name = name_text(&items[i]);
        assert_ptr_equal(tree_find(tree, name), present[i] ? &items[i] : NULL);
        struct tree_cursor cursor;
        tree_seek(tree, &name, &cursor);
        assert_ptr_equal(tree_next(&cursor), next < ITEMS ? &items[next] : NULL);
        if (present[i])
            next = i;
    }
}

static void insert(struct tree *tree, size_t i)
{
    assert_true(tree_insert(tree, &items[i]));
    present[i] = true;
}

static void take(struct tree *tree, size_t i)
{
    assert_ptr_equal(tree_remove(tree, name_text(&items[i])), present[i] ? &items[i] : NULL);
    present[i] = false;
}

static void shuffle(size_t *order, struct randoms *randoms)
{
    for (size_t i = 0; i < ITEMS; i++)
        order[i] = i;
    for (size_t i = ITEMS - 1; i > 0; i--) {
        size_t other = randoms_below(randoms, (uint32_t)i + 1);
        size_t kept = order[i];
        order[i] = order[other];
        order[other] = kept;
    }
}

static void items_can_be_put_in_and_taken_out_in_any_direction(void **state)
{
    (void)state;
    for (int way = 0; way < 4; way++) {
        struct tree tree;
        tree_init(&tree, LIST_ORDER_OCTET, item_name);
        for (size_t i = 0; i < ITEMS; i++)
            insert(&tree, way & 1 ? i : ITEMS - 1 - i);
        assert_holds_what_is_present(&tree);
        assert_finds_what_is_present(&tree);
        for (size_t i = 0; i < ITEMS; i++) {
            take(&tree, way & 2 ? i : ITEMS - 1 - i);
            if (i % 1500 == 0)
                assert_holds_what_is_present(&tree);
        }
        assert_holds_what_is_present(&tree);
        assert_null(tree.root);
        tree_close(&tree);
    }
}

static void random_insertions_and_removals_keep_the_order(void **state)
{
    (void)state;
    static size_t order[ITEMS];
    struct randoms randoms = {2};
    struct tree tree;
    tree_init(&tree, LIST_ORDER_CYRUS36, item_name);
    shuffle(order, &randoms);
    for (size_t i = 0; i < ITEMS; i++)
        insert(&tree, order[i]);
    assert_holds_what_is_present(&tree);
    assert_finds_what_is_present(&tree);
    for (size_t round = 0; round < 20; round++) {
        /* Rounds that shrink it and rounds that let it grow. */
        uint32_t share = round % 4 < 2 ? 20 : 80;
        for (size_t n = 0; n < ITEMS; n++) {
            size_t i = randoms_below(&randoms, ITEMS);
            bool in = randoms_below(&randoms, 100) < share;
            if (in && !present[i])
                insert(&tree, i);
            else if (!in)
                take(&tree, i);
        }
        assert_holds_what_is_present(&tree);
        assert_finds_what_is_present(&tree);
    }
    shuffle(order, &randoms);
    for (size_t i = 0; i < ITEMS; i++)
        take(&tree, order[i]);
    assert_holds_what_is_present(&tree);
    tree_close(&tree);
}

static void an_item_replaced_or_removed_is_not_looked_at_any_more(void **state)
{
    (void)state;
    struct tree tree;
    tree_init(&tree, LIST_ORDER_CYRUS36, item_name);
    struct name **own = calloc(ITEMS, sizeof(*own));
    assert_non_null(own);
    for (size_t round = 0; round < 2; round++) {
        for (size_t i = 0; i < ITEMS; i++) {
            struct name *item = malloc(sizeof(*item));
            assert_non_null(item);
            *item = items[i];
            if (round == 0) {
                assert_true(tree_insert(&tree, item));
            } else {
                assert_ptr_equal(tree_replace(&tree, item), own[i]);
                memset(own[i], 'x', sizeof(*own[i]));
                free(own[i]);
            }
            own[i] = item;
        }
    }
    for (size_t i = 0; i < ITEMS; i++)
        assert_ptr_equal(tree_find(&tree, name_text(&items[i])), own[i]);
    /* From the middle on, so that whole nodes go that have others to their left. */
    for (size_t n = 0; n < ITEMS; n++) {
        size_t i = (n + ITEMS / 3) % ITEMS;
        assert_ptr_equal(tree_remove(&tree, name_text(&items[i])), own[i]);
        memset(own[i], 'x', sizeof(*own[i]));
        own[i]->len = 1;
        free(own[i]);
    }
    assert_null(tree_replace(&tree, &items[0]));
    free(own);
    tree_close(&tree);
}

static void appended_items_fill_the_tree_in_order(void **state)
{
    (void)state;
    for (size_t count = 0; count <= ITEMS; count += count < 200 ? 1 : ITEMS - 200) {
        setup(state);
        struct tree tree;
        tree_init(&tree, LIST_ORDER_CYRUS36, item_name);
        for (size_t i = 0; i < count; i++) {
            assert_true(tree_append(&tree, &items[i]));
            present[i] = true;
        }
        assert_holds_what_is_present(&tree);
        assert_finds_what_is_present(&tree);
        for (size_t i = 0; i < count; i += 3)
            take(&tree, i);
        for (size_t i = 0; i < count; i += 3)
            insert(&tree, i);
        assert_holds_what_is_present(&tree);
        tree_close(&tree);
    }
}

static void an_empty_tree_finds_nothing(void **state)
{
    (void)state;
    struct tree tree;
    tree_init(&tree, LIST_ORDER_CYRUS36, item_name);
    struct mupdate_text name = text_of("a");
    assert_null(tree_find(&tree, name));
    assert_null(tree_remove(&tree, name));
    struct tree_cursor cursor;
    tree_seek(&tree, &name, &cursor);
    assert_null(tree_next(&cursor));
    tree_seek(&tree, NULL, &cursor);
    assert_null(tree_next(&cursor));
    tree_close(&tree);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(items_can_be_put_in_and_taken_out_in_any_direction, setup),
        cmocka_unit_test_setup(random_insertions_and_removals_keep_the_order, setup),
        cmocka_unit_test_setup(an_item_replaced_or_removed_is_not_looked_at_any_more, setup),
        cmocka_unit_test(appended_items_fill_the_tree_in_order),
        cmocka_unit_test(an_empty_tree_finds_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
