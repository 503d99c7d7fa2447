/*
 * A set of named items by name: a hash table of pointers, for look-ups that
 * are faster than the tree's. The items are the caller's.
 *
 * It is cut into shards that grow and shrink each by itself, so that no single
 * insertion has to move a whole large table.
 *
 * SPDX-License-Identifier: BSD-3-Clause
 */
#ifndef TABLE_INDEX_H
#define TABLE_INDEX_H

#include "mupdated/table/tree.h"

#define INDEX_SHARDS 1024

struct index_shard {
    void **items;  /* a power of two of places; NULL: none yet */
    uint8_t *tags; /* of each place: 0 when it is free, else bits of the item's hash */
    uint32_t places;
    uint32_t count;
};

struct index {
    tree_name *name;
    uint64_t seed;
    struct index_shard shards[INDEX_SHARDS];
};

/* The seed differs between runs: names are chosen by users, and must not be chosen to collide. */
void index_init(struct index *index, tree_name *name);

/* Free the index's own memory, which leaves it empty; does not look at the items. */
void index_close(struct index *index);

/*
 * Put many items, whose names all differ, into an empty index: at their final size at once
 * and with less waiting for memory. False: out of memory; to be closed, and then empty again.
 */
bool index_fill(struct index *index, void *const *items, size_t count);

/* The item of that name, or NULL. */
void *index_find(const struct index *index, struct mupdate_text name);

/* Put in an item whose name is not in it. False: out of memory, nothing changed. */
bool index_insert(struct index *index, void *item);

/* Put item in the place of the one with its name, which is there. */
void index_replace(struct index *index, void *item);

/* Take the item of that name out and return it; NULL: there is none. */
void *index_remove(struct index *index, struct mupdate_text name);

#endif
