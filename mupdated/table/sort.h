/*
 * Sorting named items into list order.
 *
 * SPDX-License-Identifier: BSD-3-Clause
 */
#ifndef TABLE_SORT_H
#define TABLE_SORT_H

#include "mupdated/table/tree.h"

/*
 * Sort items by their names; those of one name stay in their order. n - 1 comparisons when they
 * are in order already, little more when they nearly are, O(n log n) always. Needs 4 octets for
 * an item meanwhile; false: out of memory, the items are as they were.
 */
bool sort_items(enum list_order order, tree_name *name, void **items, size_t count);

#endif
