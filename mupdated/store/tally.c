/* SPDX-License-Identifier: BSD-3-Clause */
#include "mupdated/store/tally.h"

#include <stdlib.h>
#include <xxhash.h>

/* A name whose row should have been there, unless a later change took it. */
struct owed {
    uint64_t hash; /* of the name; 0: the place is free */
    uint64_t sequence; /* 0: it was taken */
};

struct tally {
    uint64_t first;
    uint64_t last;
    tally_find *find;
    void *context;
    uint64_t *rows; /* hash of the row that each change made; 0: there is none */
    struct owed *owed; /* open addressing, at most half full */
    size_t owed_size;
    size_t owed_count;
    uint64_t wrong; /* the first change that is contradicted */
    bool twice;     /* two rows are of one change */
};

static uint64_t hash_text(struct mupdate_text text, uint64_t seed)
{
    return XXH3_64bits_withSeed(text.data ? text.data : "", text.len, seed);
}

static uint64_t hash_name(struct mupdate_text name)
{
    return hash_text(name, 0) | 1;
}

static uint64_t hash_row(const struct row *row)
{
    uint64_t hash = hash_text(row->mupdate.name, row->mupdate.state);

    hash = hash_text(row->mupdate.location, hash);
    return hash_text(row->mupdate.acl, hash) | 1;
}

struct tally *tally_new(const struct store_position *position, tally_find *find, void *context)
{
    struct tally *tally = calloc(1, sizeof *tally);
    uint64_t changes = position->last + 1 - position->first;

    if (!tally)
        return NULL;
    tally->first = position->first;
    tally->last = position->last;
    tally->find = find;
    tally->context = context;
    tally->rows = calloc(changes ? changes : 1, sizeof *tally->rows);
    if (tally->rows)
        return tally;
    free(tally);
    return NULL;
}

void tally_free(struct tally *tally)
{
    if (!tally)
        return;
    free(tally->rows);
    free(tally->owed);
    free(tally);
}

void tally_row(struct tally *tally, const struct row *row)
{
    if (row->sequence < tally->first || row->sequence > tally->last)
        return;
    if (tally->rows[row->sequence - tally->first])
        tally->twice = true;
    tally->rows[row->sequence - tally->first] = hash_row(row);
}

/* Where a name is, or would be. */
static struct owed *place_of(const struct tally *tally, uint64_t hash)
{
    size_t at = hash & (tally->owed_size - 1);

    while (tally->owed[at].hash && tally->owed[at].hash != hash)
        at = (at + 1) & (tally->owed_size - 1);
    return &tally->owed[at];
}

static bool grow(struct tally *tally)
{
    struct owed *before = tally->owed;
    size_t size = tally->owed_size;

    tally->owed_size = size ? 2 * size : 1024;
    tally->owed = calloc(tally->owed_size, sizeof *tally->owed);
    if (!tally->owed) {
        tally->owed = before;
        tally->owed_size = size;
        return false;
    }
    for (size_t i = 0; i < size; i++)
        if (before[i].hash)
            *place_of(tally, before[i].hash) = before[i];
    free(before);
    return true;
}

/* Whatever was owed of the name is what this change says. */
static bool note_owed(struct tally *tally, struct mupdate_text name, uint64_t sequence)
{
    uint64_t hash = hash_name(name);
    struct owed *place;

    if (!sequence && !tally->owed_size)
        return true;
    if (2 * tally->owed_count >= tally->owed_size && !grow(tally))
        return false;
    place = place_of(tally, hash);
    if (!place->hash && !sequence)
        return true;
    tally->owed_count += !place->hash;
    *place = (struct owed){hash, sequence};
    return true;
}

bool tally_change(struct tally *tally, const struct change *change)
{
    const struct row *now = &change->now;
    uint64_t hash = now->sequence >= tally->first && now->sequence <= tally->last
                        ? tally->rows[now->sequence - tally->first]
                        : 0;
    uint64_t found;

    if (now->mupdate.state == MUPDATE_ABSENT) {
        found = tally->find(tally->context, now->mupdate.name);
        if (!tally->wrong && (hash || (found && found < now->sequence)))
            tally->wrong = now->sequence;
        return note_owed(tally, now->mupdate.name, 0);
    }
    if (hash && hash != hash_row(now) && !tally->wrong)
        tally->wrong = now->sequence;
    return note_owed(tally, now->mupdate.name, hash ? 0 : now->sequence);
}

bool tally_end(const struct tally *tally, uint64_t *sequence)
{
    *sequence = tally->wrong;
    if (tally->wrong || tally->twice)
        return false;
    for (size_t i = 0; i < tally->owed_size; i++) {
        *sequence = tally->owed[i].sequence;
        if (*sequence)
            return false;
    }
    return true;
}
