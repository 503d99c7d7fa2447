/*
 * A merge sort. The rows of the store come in octet order, in which only few stand
 * elsewhere than in list order, so most pairs of halves need no merging.
 *
 * SPDX-License-Identifier: BSD-3-Clause
 */
#include "mupdated/table/sort.h"

#include <stdlib.h>
#include <string.h>

struct sort {
    enum list_order order;
    tree_name *name;
    void **left; /* room for half of the items */
};

static bool in_order(const struct sort *sort, const void *a, const void *b)
{
    return order_compare(sort->order, sort->name(a), sort->name(b)) <= 0;
}

/* NOLINTNEXTLINE(misc-no-recursion): each time with half as many */
static void sort_range(const struct sort *sort, void **items, size_t count)
{
    if (count < 2)
        return;
    size_t half = count / 2;
    sort_range(sort, items, half);
    sort_range(sort, items + half, count - half);
    if (in_order(sort, items[half - 1], items[half]))
        return;
    memcpy(sort->left, items, half * sizeof(*items));
    size_t left = 0, right = half;
    for (void **to = items; left < half; to++) {
        if (right == count || in_order(sort, sort->left[left], items[right]))
            *to = sort->left[left++];
        else
            *to = items[right++];
    }
}

bool sort_items(enum list_order order, tree_name *name, void **items, size_t count)
{
    if (count < 2)
        return true;
    struct sort sort = {order, name, malloc(count / 2 * sizeof(*items))};
    if (sort.left == NULL)
        return false;
    sort_range(&sort, items, count);
    free(sort.left);
    return true;
}
