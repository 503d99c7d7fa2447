/* SPDX-License-Identifier: BSD-3-Clause */
#include "mupdated/store/private.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>

static int put_meta(struct store *store, DB_TXN *txn, const char *key, const void *value,
                    size_t len)
{
    DBT key_dbt = store_dbt(key, strlen(key));
    DBT value_dbt = store_dbt(value, len);

    return store->meta->put(store->meta, txn, &key_dbt, &value_dbt, 0);
}

/* Read a value of meta.db that must have exactly len octets. */
static enum store_result get_meta(struct store *store, DB_TXN *txn, const char *key, void *value,
                                  size_t len, struct store_error *error)
{
    size_t got;
    int code = store_read(store->meta, txn, key, strlen(key), 0, &store->found,
                          &store->found_size, &got);

    if (code == DB_NOTFOUND || (code == 0 && got != len))
        return store_damaged(store, error, FORMAT_META, (struct mupdate_text){key, strlen(key)},
                             code == DB_NOTFOUND ? "it is missing" : "it has a wrong length");
    if (code != 0)
        return store_fail(store, error, code, "read " FORMAT_META, NULL);
    memcpy(value, store->found, len);
    return STORE_OK;
}

/* The same for one that may be missing: *value then stays. */
static enum store_result get_optional(struct store *store, DB_TXN *txn, const char *key,
                                      void *value, size_t len, bool *is_there,
                                      struct store_error *error)
{
    DBT key_dbt = store_dbt(key, strlen(key));
    int code = store->meta->exists(store->meta, txn, &key_dbt, 0);

    *is_there = code == 0;
    if (code == DB_NOTFOUND)
        return STORE_OK;
    if (code != 0)
        return store_fail(store, error, code, "read " FORMAT_META, NULL);
    return get_meta(store, txn, key, value, len, error);
}

static enum store_result written(struct store *store, int code, struct store_error *error)
{
    return code == 0 ? STORE_OK : store_fail(store, error, code, "write " FORMAT_META, NULL);
}

static enum store_result write_history(struct store *store, DB_TXN *txn, struct store_error *error)
{
    unsigned char history[STORE_HISTORY_BYTES];

    if (getrandom(history, sizeof history, 0) != (ssize_t)sizeof history)
        return store_fail(store, error, errno, "make a history id", NULL);
    return written(store, put_meta(store, txn, FORMAT_KEY_HISTORY, history, sizeof history),
                   error);
}

static int put_format(struct store *store, DB_TXN *txn)
{
    unsigned char format[4];

    format_put_u32(format, FORMAT_VERSION);
    return put_meta(store, txn, FORMAT_KEY_FORMAT, format, sizeof format);
}

static int put_confirmed(struct store *store, DB_TXN *txn, bool confirmed)
{
    unsigned char octet = confirmed;

    return put_meta(store, txn, FORMAT_KEY_CONFIRMED, &octet, sizeof octet);
}

enum store_result store_identity_write(struct store *store, DB_TXN *txn,
                                       struct store_error *error)
{
    unsigned char term[8];
    int code = put_format(store, txn);

    format_put_u64(term, 1);
    if (code == 0)
        code = put_meta(store, txn, FORMAT_KEY_TERM, term, sizeof term);
    return code == 0 ? write_history(store, txn, error) : written(store, code, error);
}

enum store_result store_identity_load(struct store *store, DB_TXN *txn, uint64_t base,
                                      struct store_error *error)
{
    unsigned char octets[8];
    int code = put_confirmed(store, txn, false);

    format_put_u64(octets, base);
    if (code == 0)
        code = put_meta(store, txn, FORMAT_KEY_BASE, octets, sizeof octets);
    return written(store, code, error);
}

enum store_result store_identity_copy(struct store *store, DB_TXN *txn,
                                      const struct store_position *position, uint64_t base,
                                      bool confirmed, struct store_error *error)
{
    unsigned char octets[8];
    int code = put_confirmed(store, txn, confirmed);

    format_put_u64(octets, base);
    if (code == 0)
        code = put_meta(store, txn, FORMAT_KEY_BASE, octets, sizeof octets);
    format_put_u64(octets, position->term);
    if (code == 0)
        code = put_meta(store, txn, FORMAT_KEY_TERM, octets, sizeof octets);
    if (code == 0)
        code = put_meta(store, txn, FORMAT_KEY_HISTORY, position->history,
                        sizeof position->history);
    return written(store, code, error);
}

enum store_result store_identity_digest(struct store *store, DB_TXN *txn,
                                        const struct digest *digest, struct store_error *error)
{
    unsigned char octets[FORMAT_DIGEST_BYTES];

    format_put_digest(octets, digest);
    return written(store, put_meta(store, txn, FORMAT_KEY_DIGEST, octets, sizeof octets), error);
}

static enum store_result read_format(struct store *store, DB_TXN *txn, struct store_error *error)
{
    unsigned char format[4];
    enum store_result result =
        get_meta(store, txn, FORMAT_KEY_FORMAT, format, sizeof format, error);

    if (result != STORE_OK)
        return result;
    store->format = format_get_u32(format);
    if (store->format < FORMAT_VERSION)
        return written(store, put_format(store, txn), error);
    if (store->format == FORMAT_VERSION)
        return STORE_OK;
    (void)snprintf(error->reason, sizeof error->reason, "the table has a newer format");
    (void)snprintf(error->text, sizeof error->text,
                   "store: %s: the table has format %u, this program reads up to %d: use the "
                   "newer program",
                   store->directory, store->format, FORMAT_VERSION);
    error->again = false;
    return STORE_NEWER;
}

enum store_result store_identity_read(struct store *store, DB_TXN *txn,
                                      struct store_error *error)
{
    unsigned char term[8];
    unsigned char base[8] = {0};
    unsigned char confirmed = 1;
    bool is_there;
    enum store_result result = read_format(store, txn, error);

    if (result == STORE_OK)
        result = get_meta(store, txn, FORMAT_KEY_HISTORY, store->position.history,
                          sizeof store->position.history, error);
    if (result == STORE_OK)
        result = get_meta(store, txn, FORMAT_KEY_TERM, term, sizeof term, error);
    if (result == STORE_OK)
        result = get_optional(store, txn, FORMAT_KEY_BASE, base, sizeof base, &is_there, error);
    if (result == STORE_OK)
        result = get_optional(store, txn, FORMAT_KEY_CONFIRMED, &confirmed, 1, &is_there, error);
    if (result != STORE_OK)
        return result;
    store->position.term = format_get_u64(term);
    store->base = format_get_u64(base);
    /* What is neither yes nor no is not yes. */
    atomic_store(&store->confirmed, confirmed == 1);
    return STORE_OK;
}

enum store_result store_identity_read_digest(struct store *store, struct store_error *error)
{
    unsigned char octets[FORMAT_DIGEST_BYTES];
    bool is_there;
    enum store_result result = get_optional(store, NULL, FORMAT_KEY_DIGEST, octets,
                                            sizeof octets, &is_there, error);

    /* One that was never loaded and has seen no change holds nothing. */
    store->has_digest = is_there || store->base == 0;
    store->digest = (struct digest){0};
    if (result == STORE_OK && is_there)
        format_get_digest(octets, &store->digest);
    return result;
}

static enum store_result bind_file(struct store *store, DB_TXN *txn, DB *db, const char *name,
                                   const char *key, struct store_error *error)
{
    unsigned char id[FORMAT_FILE_ID_BYTES];
    unsigned char known[FORMAT_FILE_ID_BYTES] = {0};
    static const unsigned char none[FORMAT_FILE_ID_BYTES];
    DB_MPOOLFILE *file = db->get_mpf(db);
    enum store_result result;
    bool is_there;
    int code = file->get_fileid(file, id);

    if (code != 0)
        return store_fail(store, error, code, "read a file's id", NULL);
    result = get_optional(store, txn, key, known, sizeof known, &is_there, error);
    if (result != STORE_OK)
        return result;
    if (memcmp(known, none, sizeof none) == 0)
        return written(store, put_meta(store, txn, key, id, sizeof id), error);
    if (memcmp(known, id, sizeof id) == 0)
        return STORE_OK;
    (void)snprintf(error->reason, sizeof error->reason, "a file is of another table");
    (void)snprintf(error->text, sizeof error->text,
                   "store: %s: %s is of another table than meta.db: put back the one that is "
                   "wrong, or see mupdatectl verify and repair",
                   store->directory, name);
    error->again = false;
    return STORE_BROKEN;
}

enum store_result store_identity_bind(struct store *store, DB_TXN *txn, struct store_error *error)
{
    enum store_result result =
        bind_file(store, txn, store->rows, FORMAT_ROWS, FORMAT_KEY_ROWS_FILE, error);

    return result == STORE_OK ? bind_file(store, txn, store->changes, FORMAT_CHANGES,
                                          FORMAT_KEY_CHANGES_FILE, error)
                              : result;
}

bool store_confirmed(const struct store *store)
{
    return atomic_load(&store->confirmed);
}

/* Write "confirmed", and a new history too if it is to be one. */
static enum store_result change_identity(struct store *store, bool confirmed,
                                         struct store_error *error)
{
    enum store_result result = STORE_OK;
    DB_TXN *txn;
    int code;

    store_forget_words(false);
    code = atomic_load(&store->phase) == STORE_RUNNING
               ? store->env->txn_begin(store->env, NULL, &txn, 0)
               : DB_RUNRECOVERY;
    if (code != 0)
        return store_fail(store, error, code, "begin", NULL);
    result = written(store, put_confirmed(store, txn, confirmed), error);
    if (result == STORE_OK && !confirmed)
        result = write_history(store, txn, error);
    if (result == STORE_OK) {
        result = store_commit_txn(store, txn, error);
    } else if (txn->abort(txn) != 0 || result == STORE_BROKEN) {
        store_die(store, error->text);
        result = STORE_UNCERTAIN;
    }
    if (result == STORE_OK)
        atomic_store(&store->confirmed, confirmed);
    return result;
}

enum store_result store_confirm(struct store *store, struct store_error *error)
{
    return store_confirmed(store) ? STORE_OK : change_identity(store, true, error);
}

enum store_result store_part(struct store *store, struct store_error *error)
{
    enum store_result result = change_identity(store, false, error);

    if (result == STORE_OK)
        result = get_meta(store, NULL, FORMAT_KEY_HISTORY, store->position.history,
                          sizeof store->position.history, error);
    return result;
}
