/* SPDX-License-Identifier: BSD-3-Clause */
#include "mupdated/store/compact.h"

#include "mupdated/store/build.h"
#include "mupdated/store/private.h"

struct compacting {
    struct store_build *build;
    store_compacted *compacted;
    void *context;
    struct store_counts *counts;
    enum store_result result;
    struct store_error *error;
};

static void tell(const struct compacting *compacting)
{
    if (compacting->compacted)
        compacting->compacted(compacting->context,
                              compacting->counts->rows + compacting->counts->changes);
}

static enum store_result put_rows(struct compacting *compacting, struct store *store)
{
    struct store_walk *walk;
    struct row row;
    enum store_result result = store_walk_new(&walk, store, compacting->error);

    while (result == STORE_OK &&
           (result = store_walk_next(walk, &row, compacting->error)) == STORE_OK) {
        result = store_build_row(compacting->build, &row, compacting->error);
        compacting->counts->rows++;
        tell(compacting);
    }
    store_walk_free(walk);
    return result == STORE_ABSENT ? STORE_OK : result;
}

static bool put_change(void *context, const struct change *change)
{
    struct compacting *compacting = context;

    compacting->result = store_build_change(compacting->build, change, compacting->error);
    compacting->counts->changes++;
    tell(compacting);
    return compacting->result == STORE_OK;
}

enum store_result store_compact(struct store *store, const struct store_options *options,
                                store_compacted *compacted, void *context,
                                struct store_counts *counts, struct store_error *error)
{
    struct compacting compacting = {NULL, compacted, context, counts, STORE_OK, error};
    struct store_position position;
    enum store_result result;

    *counts = (struct store_counts){0};
    store_position(store, &position);
    result = store_build_begin(&compacting.build, options, position.last, error);
    if (result != STORE_OK)
        return result;
    result = put_rows(&compacting, store);
    if (result == STORE_OK)
        result = store_changes(store, position.first, put_change, &compacting, error);
    /* What stopped the reading is told, and not that something did. */
    if (compacting.result != STORE_OK)
        result = compacting.result;
    if (result != STORE_OK) {
        store_build_abandon(compacting.build);
        return result;
    }
    store_build_same(compacting.build, &position, store->base, store_confirmed(store));
    return store_build_end(compacting.build, error);
}
