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

enum store_result store_identity_write(struct store *store, DB_TXN *txn,
                                       struct store_error *error)
{
    unsigned char history[STORE_HISTORY_BYTES];
    unsigned char format[4];
    unsigned char term[8];
    int code;

    if (getrandom(history, sizeof history, 0) != (ssize_t)sizeof history)
        return store_fail(store, error, errno, "make a history id", NULL);
    format_put_u32(format, FORMAT_VERSION);
    format_put_u64(term, 1);
    code = put_meta(store, txn, FORMAT_KEY_FORMAT, format, sizeof format);
    if (code == 0)
        code = put_meta(store, txn, FORMAT_KEY_HISTORY, history, sizeof history);
    if (code == 0)
        code = put_meta(store, txn, FORMAT_KEY_TERM, term, sizeof term);
    return code == 0 ? STORE_OK : store_fail(store, error, code, "write " FORMAT_META, NULL);
}

enum store_result store_identity_read(struct store *store, DB_TXN *txn,
                                      struct store_error *error)
{
    unsigned char format[4];
    unsigned char term[8];
    uint32_t version;
    enum store_result result =
        get_meta(store, txn, FORMAT_KEY_FORMAT, format, sizeof format, error);

    if (result != STORE_OK)
        return result;
    version = format_get_u32(format);
    if (version > FORMAT_VERSION) {
        (void)snprintf(error->reason, sizeof error->reason, "the table has a newer format");
        (void)snprintf(error->text, sizeof error->text,
                       "store: %s: the table has format %u, this program reads up to %d: use the "
                       "newer program",
                       store->directory, version, FORMAT_VERSION);
        error->again = false;
        return STORE_NEWER;
    }
    result = get_meta(store, txn, FORMAT_KEY_HISTORY, store->position.history,
                      sizeof store->position.history, error);
    if (result == STORE_OK)
        result = get_meta(store, txn, FORMAT_KEY_TERM, term, sizeof term, error);
    if (result == STORE_OK)
        store->position.term = format_get_u64(term);
    return result;
}
