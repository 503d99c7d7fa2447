/*
 * A set of named items in list order: a B+ tree of pointers. The items are
 * the caller's; the tree never frees one.
 *
 * Cost: O(log n) comparisons to find, insert, remove or seek; a step of a walk
 * is O(1). 8 to 22 octets for an item. Memory goes back as items are removed.
 *
 * SPDX-License-Identifier: BSD-3-Clause
 */
#ifndef TABLE_TREE_H
#define TABLE_TREE_H

#include "mupdated/table/order.h"

/* An item's name; it must not change while the item is in the tree. */
typedef struct mupdate_text tree_name(const void *item);

struct tree {
    enum list_order order;
    tree_name *name;
    void *root;
    unsigned height; /* levels above the leaves */
    size_t count;    /* items */
};

/* Where a walk stands. Valid until an item is inserted or removed; all zero: the end. */
struct tree_cursor {
    const void *leaf;
    size_t index;
};

void tree_init(struct tree *tree, enum list_order order, tree_name *name);

/* Free the tree's own memory; the items are the caller's to free, before or after. */
void tree_close(struct tree *tree);

/*
 * Put an item in whose name the tree does not hold. False: out of memory, the
 * tree holds what it held.
 */
bool tree_insert(struct tree *tree, void *item);

/* The same for an item that belongs behind all others, in O(1) comparisons; fills the leaves. */
bool tree_append(struct tree *tree, void *item);

/* The item of that name, or NULL. */
void *tree_find(const struct tree *tree, struct mupdate_text name);

/* Put item in the place of the one with its name, which is returned; NULL: there is none. */
void *tree_replace(struct tree *tree, void *item);

/* Take the item of that name out and return it; NULL: there is none. */
void *tree_remove(struct tree *tree, struct mupdate_text name);

/* Stand before the first item behind after in list order; NULL: before the first of all. */
void tree_seek(const struct tree *tree, const struct mupdate_text *after,
               struct tree_cursor *cursor);

/* The item that the cursor stands before, or NULL at the end. */
void *tree_peek(struct tree_cursor *cursor);

/* The same, and step behind it. */
void *tree_next(struct tree_cursor *cursor);

#endif
