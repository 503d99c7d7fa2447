/*
 * Open addressing with linear probing. The tags of a run of places share a
 * cache line, so that a look-up seldom touches an item that is not the one.
 *
 * SPDX-License-Identifier: BSD-3-Clause
 */
#include "mupdated/table/index.h"

#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>
#include <xxhash.h>

#include "mupdated/table/row.h"

#define PLACES_MIN 8
#define PLACES_MAX (UINT32_C(1) << 31)

/* Each item goes to a place of its own, far from the caches: so many at once are asked for. */
#define FILL_BATCH 16

static uint64_t random_seed(void)
{
    uint64_t seed;
    if (getrandom(&seed, sizeof(seed), GRND_NONBLOCK) == (ssize_t)sizeof(seed))
        return seed;
    /* Early at boot there may be no random numbers; a weaker seed beats waiting. */
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    return (uint64_t)now.tv_nsec ^ (uint64_t)now.tv_sec << 30 ^ (uint64_t)(uintptr_t)&now;
}

void index_init(struct index *index, tree_name *name)
{
    *index = (struct index){.name = name, .seed = random_seed()};
}

void index_close(struct index *index)
{
    for (size_t i = 0; i < INDEX_SHARDS; i++)
        free(index->shards[i].items);
    memset(index->shards, 0, sizeof(index->shards));
}

static uint64_t hash_name(const struct index *index, struct mupdate_text name)
{
    return XXH3_64bits_withSeed(name.data, name.len, index->seed);
}

/* Different bits of the hash choose the shard, the place and the tag. */
static size_t hash_shard(uint64_t hash)
{
    return (size_t)(hash >> 54) % INDEX_SHARDS;
}

static uint8_t hash_tag(uint64_t hash)
{
    uint8_t tag = (uint8_t)(hash >> 40);
    return tag != 0 ? tag : 1;
}

static uint32_t next_place(const struct index_shard *shard, uint32_t place)
{
    return (place + 1) & (shard->places - 1);
}

/* The place of the item of that name. */
static bool locate(const struct index *index, const struct index_shard *shard, uint64_t hash,
                   struct mupdate_text name, uint32_t *place)
{
    if (shard->places == 0)
        return false;
    uint32_t at = (uint32_t)hash & (shard->places - 1);
    for (; shard->tags[at] != 0; at = next_place(shard, at)) {
        if (shard->tags[at] == hash_tag(hash) &&
            text_equal(index->name(shard->items[at]), name)) {
            *place = at;
            return true;
        }
    }
    return false;
}

void *index_find(const struct index *index, struct mupdate_text name)
{
    uint64_t hash = hash_name(index, name);
    const struct index_shard *shard = &index->shards[hash_shard(hash)];
    uint32_t place;
    return locate(index, shard, hash, name, &place) ? shard->items[place] : NULL;
}

static void put(struct index_shard *shard, uint64_t hash, void *item)
{
    uint32_t at = (uint32_t)hash & (shard->places - 1);
    while (shard->tags[at] != 0)
        at = next_place(shard, at);
    shard->tags[at] = hash_tag(hash);
    shard->items[at] = item;
}

static bool resize(const struct index *index, struct index_shard *shard, uint32_t places)
{
    struct index_shard old = *shard;
    void **items = malloc((size_t)places * (sizeof(*items) + sizeof(*shard->tags)));
    if (items == NULL)
        return false;
    shard->items = items;
    shard->tags = (uint8_t *)(items + places);
    shard->places = places;
    memset(shard->tags, 0, places);
    for (uint32_t i = 0; i < old.places; i++) {
        if (old.tags[i] != 0)
            put(shard, hash_name(index, index->name(old.items[i])), old.items[i]);
    }
    free(old.items);
    return true;
}

static bool insert(struct index *index, uint64_t hash, void *item)
{
    struct index_shard *shard = &index->shards[hash_shard(hash)];
    if (shard->count >= shard->places / 4 * 3) {
        if (shard->places == PLACES_MAX)
            return false;
        if (!resize(index, shard, shard->places > 0 ? shard->places * 2 : PLACES_MIN))
            return false;
    }
    put(shard, hash, item);
    shard->count++;
    return true;
}

bool index_insert(struct index *index, void *item)
{
    return insert(index, hash_name(index, index->name(item)), item);
}

/*
 * Places for the items that nearly every shard gets; those that get more grow. Room for the
 * average would be twice what many need when that is just above a limit.
 */
static bool make_room(struct index *index, size_t count)
{
    size_t expected = count / INDEX_SHARDS;
    expected -= expected / 8;
    uint32_t places = PLACES_MIN;
    while ((size_t)places / 4 * 3 < expected && places < PLACES_MAX)
        places *= 2;
    for (size_t i = 0; i < INDEX_SHARDS; i++) {
        if (!resize(index, &index->shards[i], places))
            return false;
    }
    return true;
}

bool index_fill(struct index *index, void *const *items, size_t count)
{
    if (count >= INDEX_SHARDS && !make_room(index, count))
        return false;
    uint64_t hashes[FILL_BATCH];
    for (size_t done = 0; done < count;) {
        size_t batch = count - done < FILL_BATCH ? count - done : FILL_BATCH;
        for (size_t i = 0; i < batch; i++) {
            hashes[i] = hash_name(index, index->name(items[done + i]));
            const struct index_shard *shard = &index->shards[hash_shard(hashes[i])];
            if (shard->places > 0) {
                uint32_t at = (uint32_t)hashes[i] & (shard->places - 1);
                __builtin_prefetch(&shard->tags[at], 1);
                __builtin_prefetch(&shard->items[at], 1);
            }
        }
        for (size_t i = 0; i < batch; i++) {
            if (!insert(index, hashes[i], items[done + i]))
                return false;
        }
        done += batch;
    }
    return true;
}

void index_replace(struct index *index, void *item)
{
    struct mupdate_text name = index->name(item);
    uint64_t hash = hash_name(index, name);
    struct index_shard *shard = &index->shards[hash_shard(hash)];
    uint32_t place;
    if (locate(index, shard, hash, name, &place))
        shard->items[place] = item;
}

/* Free a place, and move up those that stand behind it only because it was taken. */
static void free_place(const struct index *index, struct index_shard *shard, uint32_t place)
{
    uint32_t mask = shard->places - 1;
    uint32_t at = place;
    for (;;) {
        at = next_place(shard, at);
        if (shard->tags[at] == 0)
            break;
        uint32_t home = (uint32_t)hash_name(index, index->name(shard->items[at])) & mask;
        if (((at - home) & mask) >= ((at - place) & mask)) {
            shard->items[place] = shard->items[at];
            shard->tags[place] = shard->tags[at];
            place = at;
        }
    }
    shard->tags[place] = 0;
}

void *index_remove(struct index *index, struct mupdate_text name)
{
    uint64_t hash = hash_name(index, name);
    struct index_shard *shard = &index->shards[hash_shard(hash)];
    uint32_t place;
    if (!locate(index, shard, hash, name, &place))
        return NULL;
    void *item = shard->items[place];
    free_place(index, shard, place);
    shard->count--;
    if (shard->count == 0) {
        free(shard->items);
        *shard = (struct index_shard){0};
    } else if (shard->places > PLACES_MIN && shard->count < shard->places / 8) {
        /* Without the memory for a smaller one the large one still serves. */
        (void)resize(index, shard, shard->places / 2);
    }
    return item;
}
