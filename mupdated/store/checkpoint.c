/* SPDX-License-Identifier: BSD-3-Clause */
#include "mupdated/store/private.h"

enum store_result store_checkpoint(struct store *store, struct store_error *error)
{
    enum store_result result = STORE_OK;
    int code;

    (void)pthread_mutex_lock(&store->checkpoint_lock);
    store_forget_words(store->checkpoint_failed);
    code = atomic_load(&store->phase) == STORE_RUNNING
               ? store->env->txn_checkpoint(store->env, 0, 0, 0)
               : DB_RUNRECOVERY;
    if (code != 0 || store_sync_failures() != store->sync_failures) {
        result = store_fail(store, error, code, "checkpoint", NULL);
        if (result == STORE_BROKEN)
            store_die(store, error->text);
    } else {
        store_ballast_keep(store);
        store_spares_keep();
    }
    store->checkpoint_failed = result != STORE_OK;
    (void)pthread_mutex_unlock(&store->checkpoint_lock);
    return result;
}
