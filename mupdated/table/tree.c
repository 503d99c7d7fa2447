/*
 * Inner nodes keep, beside each child, the first item below it. There are no
 * separators that outlive an item, so whoever changes the first item of a leaf
 * tells the nodes above.
 *
 * Full nodes are split on the way down, so a split never has to go back up and
 * a failed allocation leaves a valid tree. Nodes are merged when two neighbours
 * fill three quarters of one; there is no lower limit for a single node, which
 * spares all moving of items between neighbours.
 *
 * SPDX-License-Identifier: BSD-3-Clause
 */
#include "mupdated/table/tree.h"

#include <stdlib.h>
#include <string.h>

#define FAN 64
#define MERGE_COUNT (FAN * 3 / 4)
#define HEIGHT_MAX 15

struct leaf {
    size_t count;
    struct leaf *previous;
    struct leaf *next;
    void *items[FAN];
};

struct inner {
    size_t count;
    void *first[FAN]; /* the first item below each child */
    void *children[FAN];
};

/* The way from the root to a leaf: steps[level] is taken in a node of that level. */
struct path {
    struct {
        struct inner *node;
        size_t index;
    } steps[HEIGHT_MAX + 1];
    struct leaf *leaf;
};

void tree_init(struct tree *tree, enum list_order order, tree_name *name)
{
    *tree = (struct tree){.order = order, .name = name};
}

/* NOLINTNEXTLINE(misc-no-recursion): no deeper than HEIGHT_MAX */
static void free_node(void *node, unsigned level)
{
    if (level > 0) {
        struct inner *inner = node;
        for (size_t i = 0; i < inner->count; i++)
            free_node(inner->children[i], level - 1);
    }
    free(node);
}

void tree_close(struct tree *tree)
{
    if (tree->root != NULL)
        free_node(tree->root, tree->height);
    tree_init(tree, tree->order, tree->name);
}

static int compare(const struct tree *tree, const void *item, struct mupdate_text name)
{
    return order_compare(tree->order, tree->name(item), name);
}

/* How many of the items stand before name, or before it and at it. */
static size_t count_before(const struct tree *tree, void *const *items, size_t count,
                           struct mupdate_text name, bool inclusive)
{
    size_t low = 0, high = count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (compare(tree, items[middle], name) < (inclusive ? 1 : 0))
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

/* The child below which name is, or belongs. */
static size_t child_index(const struct tree *tree, const struct inner *inner,
                          struct mupdate_text name)
{
    /* Names before the first of all belong to child 0 too, so that one need not be compared. */
    return count_before(tree, inner->first + 1, inner->count - 1, name, true);
}

static struct leaf *find_leaf(const struct tree *tree, struct mupdate_text name,
                              struct path *path)
{
    void *node = tree->root;
    for (unsigned level = tree->height; level > 0; level--) {
        struct inner *inner = node;
        size_t index = child_index(tree, inner, name);
        path->steps[level].node = inner;
        path->steps[level].index = index;
        node = inner->children[index];
    }
    path->leaf = node;
    return node;
}

/* Stand at the item of that name, or return false. */
static bool locate(const struct tree *tree, struct mupdate_text name, struct path *path,
                   size_t *index)
{
    if (tree->root == NULL)
        return false;
    const struct leaf *leaf = find_leaf(tree, name, path);
    *index = count_before(tree, leaf->items, leaf->count, name, false);
    return *index < leaf->count && compare(tree, leaf->items[*index], name) == 0;
}

void *tree_find(const struct tree *tree, struct mupdate_text name)
{
    struct path path;
    size_t index;
    return locate(tree, name, &path, &index) ? path.leaf->items[index] : NULL;
}

static void insert_at(void **array, size_t count, size_t index, void *value)
{
    memmove(array + index + 1, array + index, (count - index) * sizeof(*array));
    array[index] = value;
}

static void remove_at(void **array, size_t count, size_t index)
{
    memmove(array + index, array + index + 1, (count - index - 1) * sizeof(*array));
}

/* The first item below the node of this level on the path is item now. */
static void set_first(const struct tree *tree, struct path *path, unsigned level, void *item)
{
    for (unsigned above = level + 1; above <= tree->height; above++) {
        path->steps[above].node->first[path->steps[above].index] = item;
        if (path->steps[above].index > 0)
            return;
    }
}

/*
 * Where to divide a full node. Rows are often loaded in order: when name goes
 * to the end, the left half stays full.
 */
static size_t split_point(const struct tree *tree, void *const *items, struct mupdate_text name)
{
    return compare(tree, items[FAN - 1], name) < 0 ? FAN - 1 : FAN / 2;
}

static bool split_leaf(const struct tree *tree, struct inner *parent, size_t index,
                       struct mupdate_text name)
{
    /* gcc-analyzer(use-of-uninitialized-value): it does not see what memcpy() wrote */
    struct leaf *left = parent->children[index];
    struct leaf *right = malloc(sizeof(*right));
    if (right == NULL)
        return false;
    size_t keep = split_point(tree, left->items, name);
    right->count = FAN - keep;
    memcpy(right->items, left->items + keep, right->count * sizeof(*right->items));
    left->count = keep;
    right->previous = left;
    right->next = left->next;
    if (left->next != NULL)
        left->next->previous = right;
    left->next = right;
    insert_at(parent->first, parent->count, index + 1, right->items[0]);
    insert_at(parent->children, parent->count, index + 1, right);
    parent->count++;
    return true;
}

static bool split_inner(const struct tree *tree, struct inner *parent, size_t index,
                        struct mupdate_text name)
{
    /* gcc-analyzer(use-of-uninitialized-value): it does not see what memcpy() wrote */
    struct inner *left = parent->children[index];
    struct inner *right = malloc(sizeof(*right));
    if (right == NULL)
        return false;
    size_t keep = split_point(tree, left->first, name);
    right->count = FAN - keep;
    memcpy(right->first, left->first + keep, right->count * sizeof(*right->first));
    memcpy(right->children, left->children + keep, right->count * sizeof(*right->children));
    left->count = keep;
    insert_at(parent->first, parent->count, index + 1, right->first[0]);
    insert_at(parent->children, parent->count, index + 1, right);
    parent->count++;
    return true;
}

static bool is_full(const void *node, unsigned level)
{
    /* NOLINTBEGIN(clang-analyzer-core.NullDereference): there is a node */
    return level > 0 ? ((const struct inner *)node)->count == FAN
                     : ((const struct leaf *)node)->count == FAN;
    /* NOLINTEND(clang-analyzer-core.NullDereference) */
}

static bool grow_root(struct tree *tree)
{
    if (tree->height == HEIGHT_MAX)
        return false;
    struct inner *root = malloc(sizeof(*root));
    if (root == NULL)
        return false;
    root->count = 1;
    root->children[0] = tree->root;
    root->first[0] = tree->height > 0 ? ((struct inner *)tree->root)->first[0]
                                      : ((struct leaf *)tree->root)->items[0];
    tree->root = root;
    tree->height++;
    return true;
}

/* behind_all: the item belongs behind the last one, which spares looking for its place. */
static bool insert(struct tree *tree, void *item, bool behind_all)
{
    struct mupdate_text name = tree->name(item);
    struct path path;
    if (tree->root == NULL) {
        struct leaf *leaf = calloc(1, sizeof(*leaf));
        if (leaf == NULL)
            return false;
        tree->root = leaf;
    } else if (is_full(tree->root, tree->height) && !grow_root(tree)) {
        return false;
    }
    void *node = tree->root;
    for (unsigned level = tree->height; level > 0; level--) {
        struct inner *inner = node;
        size_t index = behind_all ? inner->count - 1 : child_index(tree, inner, name);
        /* gcc-analyzer(use-of-uninitialized-value): it does not see what memcpy() wrote */
        if (is_full(inner->children[index], level - 1)) {
            if (level > 1 ? !split_inner(tree, inner, index, name)
                          : !split_leaf(tree, inner, index, name))
                return false;
            if (compare(tree, inner->first[index + 1], name) < 0)
                index++;
        }
        path.steps[level].node = inner;
        path.steps[level].index = index;
        /* gcc-analyzer(use-of-uninitialized-value): it does not see what memmove() wrote */
        node = inner->children[index];
    }
    struct leaf *leaf = node;
    size_t index =
        behind_all ? leaf->count : count_before(tree, leaf->items, leaf->count, name, false);
    insert_at(leaf->items, leaf->count, index, item);
    leaf->count++;
    tree->count++;
    if (index == 0)
        set_first(tree, &path, 0, item);
    return true;
}

bool tree_insert(struct tree *tree, void *item)
{
    return insert(tree, item, false);
}

bool tree_append(struct tree *tree, void *item)
{
    return insert(tree, item, true);
}

void *tree_replace(struct tree *tree, void *item)
{
    struct path path;
    size_t index;
    if (!locate(tree, tree->name(item), &path, &index))
        return NULL;
    void *old = path.leaf->items[index];
    path.leaf->items[index] = item;
    if (index == 0)
        set_first(tree, &path, 0, item);
    return old;
}

/* Take a child, freed already, out of its parent at this level of the path. */
static void remove_child(const struct tree *tree, struct path *path, unsigned level, size_t index)
{
    struct inner *parent = path->steps[level].node;
    remove_at(parent->first, parent->count, index);
    remove_at(parent->children, parent->count, index);
    parent->count--;
    if (index == 0 && parent->count > 0)
        set_first(tree, path, level, parent->first[0]);
}

static size_t node_count(const void *node, unsigned level)
{
    return level > 0 ? ((const struct inner *)node)->count : ((const struct leaf *)node)->count;
}

static void free_leaf(struct leaf *leaf)
{
    if (leaf->previous != NULL)
        leaf->previous->next = leaf->next;
    if (leaf->next != NULL)
        leaf->next->previous = leaf->previous;
    free(leaf);
}

/* Move all that the right node holds to the end of its left neighbour, and free it. */
static void merge(void *left, void *right, unsigned level)
{
    if (level == 0) {
        struct leaf *to = left, *from = right;
        memcpy(to->items + to->count, from->items, from->count * sizeof(*to->items));
        to->count += from->count;
        free_leaf(from);
    } else {
        struct inner *to = left, *from = right;
        memcpy(to->first + to->count, from->first, from->count * sizeof(*to->first));
        memcpy(to->children + to->count, from->children, from->count * sizeof(*to->children));
        to->count += from->count;
        free(from);
    }
}

/*
 * The node of this level on the path has lost an item or child: free it when it
 * is empty, merge it with a neighbour when that is small too. True when the
 * parent lost a child by it.
 */
static bool shrink_node(const struct tree *tree, struct path *path, unsigned level)
{
    struct inner *parent = path->steps[level + 1].node;
    size_t index = path->steps[level + 1].index;
    void *node = parent->children[index];
    size_t count = node_count(node, level);
    if (count == 0) {
        if (level == 0)
            free_leaf(node);
        else
            free(node);
        remove_child(tree, path, level + 1, index);
        return true;
    }
    if (index + 1 < parent->count &&
        count + node_count(parent->children[index + 1], level) <= MERGE_COUNT) {
        merge(node, parent->children[index + 1], level);
        remove_child(tree, path, level + 1, index + 1);
        return true;
    }
    if (index > 0 && count + node_count(parent->children[index - 1], level) <= MERGE_COUNT) {
        merge(parent->children[index - 1], node, level);
        remove_child(tree, path, level + 1, index);
        return true;
    }
    return false;
}

static void shrink_root(struct tree *tree)
{
    while (tree->height > 0 && node_count(tree->root, tree->height) == 1) {
        struct inner *root = tree->root;
        tree->root = root->children[0];
        tree->height--;
        free(root);
    }
    if (node_count(tree->root, tree->height) == 0) {
        free(tree->root);
        tree->root = NULL;
        tree->height = 0;
    }
}

void *tree_remove(struct tree *tree, struct mupdate_text name)
{
    struct path path;
    size_t index;
    if (!locate(tree, name, &path, &index))
        return NULL;
    struct leaf *leaf = path.leaf;
    void *item = leaf->items[index];
    remove_at(leaf->items, leaf->count, index);
    leaf->count--;
    tree->count--;
    if (index == 0 && leaf->count > 0)
        set_first(tree, &path, 0, leaf->items[0]);
    for (unsigned level = 0; level < tree->height && shrink_node(tree, &path, level); level++)
        continue;
    shrink_root(tree);
    return item;
}

void tree_seek(const struct tree *tree, const struct mupdate_text *after,
               struct tree_cursor *cursor)
{
    *cursor = (struct tree_cursor){NULL, 0};
    if (tree->root == NULL)
        return;
    if (after != NULL) {
        struct path path;
        const struct leaf *leaf = find_leaf(tree, *after, &path);
        cursor->leaf = leaf;
        cursor->index = count_before(tree, leaf->items, leaf->count, *after, true);
        return;
    }
    const void *node = tree->root;
    for (unsigned level = tree->height; level > 0; level--)
        node = ((const struct inner *)node)->children[0];
    cursor->leaf = node;
}

void *tree_peek(struct tree_cursor *cursor)
{
    const struct leaf *leaf = cursor->leaf;
    if (leaf != NULL && cursor->index == leaf->count) {
        leaf = leaf->next;
        *cursor = (struct tree_cursor){leaf, 0};
    }
    return leaf != NULL ? leaf->items[cursor->index] : NULL;
}

void *tree_next(struct tree_cursor *cursor)
{
    void *item = tree_peek(cursor);
    if (item != NULL)
        cursor->index++;
    return item;
}
