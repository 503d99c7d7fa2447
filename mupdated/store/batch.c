/* SPDX-License-Identifier: BSD-3-Clause */
#include "mupdated/store/private.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

/* How long a commit that is already decided may wait for room to be written to. */
#define FLUSH_ATTEMPTS 50
#define FLUSH_PAUSE_MS 100

static enum store_result undo(struct store *store, struct store_error *error,
                              enum store_result result)
{
    store_abort(store);
    store->batch_failed = true;
    if (result == STORE_BROKEN)
        store_die(store, error->text);
    return result;
}

enum store_result store_begin(struct store *store, struct store_error *error)
{
    int code;

    store_forget_words(store->batch_failed);
    store->puts = 0;
    store->batch_digest = store->digest;
    code = atomic_load(&store->phase) == STORE_RUNNING
               ? store->env->txn_begin(store->env, NULL, &store->txn, 0)
               : DB_RUNRECOVERY;
    if (code == 0)
        return STORE_OK;
    store->txn = NULL;
    return undo(store, error, store_fail(store, error, code, "begin", NULL));
}

enum store_result store_get(struct store *store, struct mupdate_text name, struct row *row,
                            struct store_error *error)
{
    const char *wrong;
    size_t len;
    int code = store_read(store->rows, store->txn, name.data, name.len, DB_RMW, &store->found,
                          &store->found_size, &len);

    if (code == DB_NOTFOUND)
        return STORE_ABSENT;
    if (code != 0)
        return undo(store, error, store_fail(store, error, code, "get", &name));
    row->mupdate.name = name;
    wrong = format_decode_row(store->found, len, row);
    if (wrong)
        return undo(store, error, store_damaged(store, error, FORMAT_ROWS, name, wrong));
    return STORE_OK;
}

enum store_result store_check_room(struct store *store, struct store_error *error)
{
    if (store_free_bytes(store->directory) >= STORE_FREE_FLOOR_BYTES)
        return STORE_OK;
    (void)snprintf(error->reason, sizeof error->reason, "%s", strerror(ENOSPC));
    (void)snprintf(error->text, sizeof error->text,
                   "store: %s: less than %u MB are free: nothing is stored until there is more",
                   store->directory, STORE_FREE_FLOOR_BYTES >> 20);
    error->again = false;
    return STORE_REFUSED;
}

static int encoded(enum format_result result)
{
    return result == FORMAT_OK ? 0 : result == FORMAT_NO_MEMORY ? ENOMEM : EFBIG;
}

static int put_row(struct store *store, const struct row *row)
{
    DBT key = store_dbt(row->mupdate.name.data, row->mupdate.name.len);
    DBT value;
    int code;

    if (row->mupdate.state == MUPDATE_ABSENT)
        return store->rows->del(store->rows, store->txn, &key, 0);
    code = encoded(format_encode_row(&store->record, row));
    if (code != 0)
        return code;
    value = store_dbt(store->record.data, store->record.len);
    return store->rows->put(store->rows, store->txn, &key, &value, 0);
}

static int put_change(struct store *store, const struct change *change)
{
    unsigned char sequence[8];
    DBT key;
    DBT value;
    int code = encoded(format_encode_change(&store->record, change));

    if (code != 0)
        return code;
    format_put_u64(sequence, change->now.sequence);
    key = store_dbt(sequence, sizeof sequence);
    value = store_dbt(store->record.data, store->record.len);
    return store->changes->put(store->changes, store->txn, &key, &value, DB_NOOVERWRITE);
}

/* What all rows are with this change made. */
static void sum_up(struct store *store, struct change *change, const struct mupdate_row *old)
{
    change->has_digest = store->has_digest;
    if (!store->has_digest)
        return;
    if (old)
        digest_subtract(&store->batch_digest, old);
    if (change->now.mupdate.state != MUPDATE_ABSENT)
        digest_add(&store->batch_digest, &change->now.mupdate);
    change->digest = store->batch_digest;
}

enum store_result store_put(struct store *store, struct change *change,
                            const struct mupdate_row *old, struct store_error *error)
{
    const struct mupdate_text *name = &change->now.mupdate.name;
    enum store_result result;
    int code;

    if (store->puts == 0) {
        result = store_check_room(store, error);
        if (result != STORE_OK)
            return undo(store, error, result);
    }
    change->now.sequence = store->position.last + store->puts + 1;
    change->term = store->position.term;
    code = name->len == 0 || name->len > FORMAT_TEXT_BYTES ? EFBIG : put_row(store, &change->now);
    if (code == 0) {
        sum_up(store, change, old);
        code = put_change(store, change);
    }
    if (code != 0)
        return undo(store, error, store_fail(store, error, code, "put", name));
    store->puts++;
    return STORE_OK;
}

/*
 * Berkeley DB may call a commit done although its record could not be written:
 * when that record is the first to go into a new log file and the file cannot
 * be made or filled. The transaction is then decided and cannot be undone; it
 * can only become durable. When all is written this costs no system call.
 */
static int flush(struct store *store)
{
    const struct timespec pause = {0, FLUSH_PAUSE_MS * 1000000L};
    int code = store->env->log_flush(store->env, NULL);

    for (int i = 0; code != 0 && i < FLUSH_ATTEMPTS; i++) {
        if (atomic_load(&store->phase) != STORE_RUNNING ||
            store_sync_failures() != store->sync_failures)
            break;
        (void)nanosleep(&pause, NULL);
        code = store->env->log_flush(store->env, NULL);
    }
    store_spares_keep();
    return code;
}

enum store_result store_commit_txn(struct store *store, DB_TXN *txn, struct store_error *error)
{
    enum store_result result;
    int code = txn->commit(txn, DB_TXN_SYNC);

    if (code != 0) {
        result = store_fail(store, error, code, "commit", NULL);
    } else {
        code = flush(store);
        if (code == 0 && store_sync_failures() == store->sync_failures)
            return STORE_OK;
        (void)store_fail(store, error, code, "write the log", NULL);
        result = STORE_BROKEN;
    }
    if (result == STORE_REFUSED)
        return STORE_REFUSED;
    store_die(store, error->text);
    return STORE_UNCERTAIN;
}

enum store_result store_commit(struct store *store, struct store_error *error)
{
    DB_TXN *txn = store->txn;
    enum store_result result;

    if (store->puts == 0) {
        store_abort(store); /* it has changed nothing: no need to write that down */
        return STORE_OK;
    }
    store->txn = NULL;
    result = store_commit_txn(store, txn, error);
    if (result == STORE_OK) {
        store->position.last += store->puts;
        store->digest = store->batch_digest;
    }
    store->batch_failed = result != STORE_OK;
    store->puts = 0;
    return result;
}

void store_abort(struct store *store)
{
    DB_TXN *txn = store->txn;
    struct store_error error;
    int code;

    store->txn = NULL;
    store->puts = 0;
    if (!txn)
        return;
    code = txn->abort(txn);
    if (code != 0) {
        (void)store_fail(store, &error, code, "abort", NULL);
        store_die(store, error.text);
    }
}
