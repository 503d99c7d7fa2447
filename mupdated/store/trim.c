/* SPDX-License-Identifier: BSD-3-Clause */
#include "mupdated/store/private.h"

#include <errno.h>
#include <stdlib.h>

/*
 * What one call drops: so many changes, or so many octets. Long records are
 * written to Berkeley DB's log once more when they go, and the batches wait.
 */
#define TRIM_CHANGES 1000
#define TRIM_BYTES (4U << 20)

/* Drop up to count changes from the low end; *dropped says how many went. */
static enum store_result drop(struct store *store, DB_TXN *txn, uint64_t count, uint64_t *dropped,
                              struct store_error *error)
{
    unsigned char octets[8] = {0};
    DBT key = store_dbt(octets, 0);
    DBT value = store_dbt(NULL, 0);
    DBC *cursor;
    uint64_t bytes = 0;
    enum store_result result = STORE_OK;
    int code = store->changes->cursor(store->changes, txn, &cursor, 0);

    if (code != 0)
        return store_fail(store, error, code, "trim", NULL);
    key.flags = DB_DBT_USERMEM;
    key.ulen = sizeof octets;
    value.flags = DB_DBT_REALLOC;
    *dropped = 0;
    while (*dropped < count && bytes < TRIM_BYTES) {
        code = cursor->get(cursor, &key, &value, DB_NEXT | DB_RMW);
        if (code == DB_NOTFOUND || code == DB_BUFFER_SMALL ||
            (code == 0 && (key.size != sizeof octets ||
                           format_get_u64(octets) != store->position.first + *dropped))) {
            result = store_damaged_change(store, error, store->position.first + *dropped,
                                          "it is missing");
            break;
        }
        if (code == 0)
            code = cursor->del(cursor, 0);
        if (code != 0) {
            result = store_fail(store, error, code, "trim", NULL);
            break;
        }
        bytes += value.size;
        ++*dropped;
    }
    free(value.data);
    /* A cursor must be closed before its transaction ends, whatever happened. */
    code = cursor->close(cursor);
    if (code != 0 && result == STORE_OK)
        result = store_fail(store, error, code, "trim", NULL);
    return result;
}

enum store_result store_trim(struct store *store, uint64_t keep, bool *more,
                             struct store_error *error)
{
    uint64_t held = store->position.last + 1 - store->position.first;
    uint64_t count;
    uint64_t dropped = 0;
    DB_TXN *txn;
    enum store_result result;
    int code;

    *more = false;
    if (keep == 0)
        keep = 1;
    if (held <= keep)
        return STORE_OK;
    count = held - keep > TRIM_CHANGES ? TRIM_CHANGES : held - keep;

    store_forget_words(store->batch_failed);
    code = atomic_load(&store->phase) == STORE_RUNNING
               ? store->env->txn_begin(store->env, NULL, &txn, 0)
               : DB_RUNRECOVERY;
    if (code != 0) {
        result = store_fail(store, error, code, "trim", NULL);
    } else {
        result = drop(store, txn, count, &dropped, error);
        if (result != STORE_OK) {
            code = txn->abort(txn);
            if (code != 0)
                result = STORE_BROKEN;
        } else {
            /* Not flushed: after a crash the changes are back, which harms nobody. */
            code = txn->commit(txn, DB_TXN_NOSYNC);
            if (code != 0)
                result = store_fail(store, error, code, "trim", NULL);
        }
    }
    if (result == STORE_BROKEN)
        store_die(store, error->text);
    if (result != STORE_OK)
        return result;
    store->position.first += dropped;
    *more = held - dropped > keep;
    return STORE_OK;
}
