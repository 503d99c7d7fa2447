/* SPDX-License-Identifier: BSD-3-Clause */
#include "mupdated/store/private.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <syslog.h>

#include "mupdated/store/page.h"

/* Open one database in the transaction; flags may hold DB_CREATE | DB_EXCL. */
static int open_database(struct store *store, DB_TXN *txn, const char *name, u_int32_t flags,
                         DB **database)
{
    DB *db;
    int code = db_create(&db, store->env, 0);

    if (code != 0)
        return code;
    code = db->set_pagesize(db, PAGE_BYTES);
    if (code == 0)
        code = db->set_flags(db, DB_CHKSUM);
    if (code == 0)
        code = db->open(db, txn, name, NULL, DB_BTREE, flags | DB_THREAD, 0600);
    if (code != 0) {
        (void)db->close(db, DB_NOSYNC);
        return code;
    }
    *database = db;
    return 0;
}

/*
 * All three databases are made together in one transaction. So if meta.db is
 * there the others must be, and if it is not there they must not be: a table
 * of which a part is gone is never taken for a new one.
 */
static enum store_result open_in_txn(struct store *store, DB_TXN *txn, bool *made,
                                     struct store_error *error)
{
    u_int32_t flags = 0;
    enum store_result result = STORE_OK;
    int code = open_database(store, txn, FORMAT_META, 0, &store->meta);

    *made = code == ENOENT;
    if (*made && store->options.existing)
        return store_absent(store, error);
    if (*made) {
        /* A service manager may have made the directory. */
        if (store_directory_may_begin(store, error) != STORE_OK)
            return STORE_BROKEN;
        flags = DB_CREATE | DB_EXCL;
        code = open_database(store, txn, FORMAT_META, flags, &store->meta);
    }
    if (code != 0)
        return store_fail_to_open(store, error, code, "open " FORMAT_META);

    /* Before the others: a newer format may have others. */
    if (*made)
        result = store_identity_write(store, txn, error);
    if (result == STORE_OK)
        result = store_identity_read(store, txn, error);
    if (result != STORE_OK)
        return result;

    code = open_database(store, txn, FORMAT_ROWS, flags, &store->rows);
    if (code != 0)
        return store_fail_to_open(store, error, code, "open " FORMAT_ROWS);
    code = open_database(store, txn, FORMAT_CHANGES, flags, &store->changes);
    if (code != 0)
        return store_fail_to_open(store, error, code, "open " FORMAT_CHANGES);
    return store_identity_bind(store, txn, error);
}

static enum store_result open_databases(struct store *store, struct store_error *error)
{
    DB_TXN *txn;
    bool made = false;
    enum store_result result;
    int code = store->env->txn_begin(store->env, NULL, &txn, 0);

    if (code != 0)
        return store_fail(store, error, code, "begin", NULL);
    result = open_in_txn(store, txn, &made, error);
    store->made = made;
    if (result != STORE_OK) {
        (void)txn->abort(txn);
        return result;
    }
    code = txn->commit(txn, DB_TXN_SYNC);
    if (code == 0 && made)
        code = store_directory_sync(store);
    if (code != 0)
        return store_fail(store, error, code, "make the databases", NULL);
    if (made)
        store_log(store, LOG_NOTICE, "store: %s: made a new, empty table", store->directory);
    else if (store->format < FORMAT_VERSION)
        store_log(store, LOG_NOTICE,
                  "store: %s: the table has format %d now and had %u: an older program will "
                  "refuse it",
                  store->directory, FORMAT_VERSION, store->format);
    return STORE_OK;
}

/* The sequence number at one end of the log of changes; 0 when it is empty. */
static enum store_result end_of_changes(struct store *store, u_int32_t end, uint64_t *sequence,
                                        struct store_error *error)
{
    unsigned char octets[8] = {0};
    DBT key = store_dbt(octets, sizeof octets);
    DBT value = store_dbt(NULL, 0);
    DBC *cursor;
    int code = store->changes->cursor(store->changes, NULL, &cursor, 0);

    if (code != 0)
        return store_fail(store, error, code, "read " FORMAT_CHANGES, NULL);
    key.flags = DB_DBT_USERMEM;
    key.ulen = sizeof octets;
    value.flags = DB_DBT_USERMEM | DB_DBT_PARTIAL;
    code = cursor->get(cursor, &key, &value, end);
    (void)cursor->close(cursor);
    *sequence = 0;
    if (code == DB_NOTFOUND)
        return STORE_OK;
    if (code != 0 && code != DB_BUFFER_SMALL)
        return store_fail(store, error, code, "read " FORMAT_CHANGES, NULL);
    if (code == 0 && key.size == sizeof octets)
        *sequence = format_get_u64(octets);
    if (*sequence == 0 || *sequence == UINT64_MAX)
        return store_damaged(store, error, FORMAT_CHANGES,
                             (struct mupdate_text){(const char *)octets, sizeof octets},
                             "its key is not a sequence number");
    return STORE_OK;
}

static enum store_result read_position(struct store *store, struct store_error *error)
{
    uint64_t first = 0;
    enum store_result result = end_of_changes(store, DB_FIRST, &first, error);

    if (result == STORE_OK)
        result = end_of_changes(store, DB_LAST, &store->position.last, error);
    if (result != STORE_OK)
        return result;
    if (first && first <= store->base)
        return store_damaged_change(store, error, first, "the table was loaded behind it");
    if (!first)
        store->position.last = store->base;
    store->position.first = first ? first : store->position.last + 1;
    return STORE_OK;
}

static bool take_digest(void *context, const struct change *change)
{
    struct store *store = context;

    store->has_digest = change->has_digest;
    store->digest = change->digest;
    return true;
}

/*
 * What the rows must be, as the last change tells it, or what the table began with. A change that
 * cannot be read tells nothing: who needs the changes meets it, others want the rows.
 */
static enum store_result read_digest(struct store *store, struct store_error *error)
{
    const struct store_position *position = &store->position;

    store->has_digest = false;
    if (position->first > position->last)
        return store_identity_read_digest(store, error);
    (void)store_changes(store, position->last, take_digest, store, error);
    return STORE_OK;
}

bool store_digest(const struct store *store, struct digest *digest)
{
    *digest = store->digest;
    return store->has_digest;
}

void store_set_digest(struct store *store, const struct digest *digest)
{
    store->has_digest = true;
    store->digest = *digest;
}

static void close_databases(struct store *store)
{
    DB **databases[] = {&store->changes, &store->rows, &store->meta};

    for (size_t i = 0; i < sizeof databases / sizeof databases[0]; i++) {
        if (*databases[i])
            (void)(*databases[i])->close(*databases[i], 0);
        *databases[i] = NULL;
    }
    if (store->env)
        (void)store->env->close(store->env, 0);
    store->env = NULL;
}

static enum store_result open_all(struct store *store, struct store_error *error)
{
    enum store_result result;
    int code;

    store_forget_words(false);
    result = store_check_log(store, error);
    if (result == STORE_OK)
        result = store_environment_open(store, error);
    if (result == STORE_OK)
        result = open_databases(store, error);
    if (result == STORE_OK)
        result = read_position(store, error);
    if (result == STORE_OK)
        result = read_digest(store, error);
    if (result == STORE_OK) {
        /* What recovery redid is now in the databases: the next start need not redo it. */
        code = store->env->txn_checkpoint(store->env, 0, 0, 0);
        if (code != 0)
            result = store_fail(store, error, code, "checkpoint", NULL);
    }
    if (result != STORE_OK)
        close_databases(store);
    return result;
}

static void store_free(struct store *store)
{
    store_spares_drop();
    store_directory_unlock(store);
    format_record_free(&store->record);
    free(store->found);
    (void)pthread_mutex_destroy(&store->checkpoint_lock);
    free(store->directory);
    free(store);
}

static enum store_result no_memory(struct store_error *error)
{
    (void)snprintf(error->reason, sizeof error->reason, "%s", strerror(ENOMEM));
    (void)snprintf(error->text, sizeof error->text, "store: %s", strerror(ENOMEM));
    error->again = false;
    return STORE_BROKEN;
}

enum store_result store_open(struct store **store_out, const struct store_options *options,
                             struct store_error *error)
{
    struct store *store = calloc(1, sizeof *store);
    enum store_result result;

    *store_out = NULL;
    if (!store)
        return no_memory(error);
    store->options = *options;
    store->lock_fd = -1;
    store->sync_failures = store_sync_failures();
    atomic_init(&store->phase, STORE_OPENING);
    atomic_init(&store->confirmed, false);
    store->directory = strdup(options->directory);
    if (!store->directory) {
        free(store);
        return no_memory(error);
    }
    store->options.directory = store->directory;
    if (pthread_mutex_init(&store->checkpoint_lock, NULL) != 0) {
        free(store->directory);
        free(store);
        return no_memory(error);
    }

    result = store->options.locked ? STORE_OK : store_directory_lock(store, error);
    if (result == STORE_OK) {
        store_next_log_drop(store);
        /* Recovery and who reads all rows want its pages in orders that are not the file's. */
        store_directory_read_ahead(store, FORMAT_ROWS);
        result = open_all(store, error);
        if (result != STORE_OK && result != STORE_NEWER && result != STORE_ABSENT &&
            (store_words_say_full() ||
             store_free_bytes(store->directory) < STORE_FREE_FLOOR_BYTES) &&
            store_ballast_drop(store)) {
            store_log(store, LOG_WARNING,
                      "store: %s: the disk is full: gave up " FORMAT_BALLAST " to recover",
                      store->directory);
            result = open_all(store, error);
        }
    }
    if (result != STORE_OK) {
        store_free(store);
        return result == STORE_REFUSED ? STORE_BROKEN : result;
    }
    if (!store->options.copy)
        store_ballast_keep(store);
    store_spares_keep();
    atomic_store(&store->phase, STORE_RUNNING);
    *store_out = store;
    return STORE_OK;
}

void store_close(struct store *store)
{
    int running = STORE_RUNNING;
    int code;

    if (!store)
        return;
    store_abort(store);
    if (atomic_compare_exchange_strong(&store->phase, &running, STORE_CLOSING)) {
        code = store->env->txn_checkpoint(store->env, 0, 0, DB_FORCE);
        if (code != 0)
            store_log(store, LOG_WARNING,
                      "store: %s: no checkpoint at the end, the next start recovers: %s",
                      store->directory, db_strerror(code));
    }
    close_databases(store);
    store_free(store);
}

void store_position(const struct store *store, struct store_position *position)
{
    *position = store->position;
}
