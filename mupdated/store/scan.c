/* SPDX-License-Identifier: BSD-3-Clause */
#include "mupdated/store/private.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define BULK_BYTES (1U << 20)

DBT store_dbt(const void *data, size_t len)
{
    DBT dbt;

    memset(&dbt, 0, sizeof dbt);
    memcpy(&dbt.data, &data, sizeof dbt.data); /* Berkeley DB does not know const */
    dbt.size = (u_int32_t)len;
    return dbt;
}

/* Memory of at least need octets, in the steps that bulk reads ask for. */
static int grow(void **memory, u_int32_t *size, u_int32_t need)
{
    u_int32_t wanted = *size ? *size : 1024;
    void *larger;

    while (wanted < need) {
        if (wanted > UINT32_MAX / 2)
            return ENOMEM;
        wanted *= 2;
    }
    larger = realloc(*memory, wanted);
    if (!larger)
        return ENOMEM;
    *memory = larger;
    *size = wanted;
    return 0;
}

int store_read(DB *db, DB_TXN *txn, const void *key, size_t key_len, u_int32_t flags, void **memory,
               u_int32_t *size, size_t *len)
{
    DBT key_dbt = store_dbt(key, key_len);
    DBT value = store_dbt(NULL, 0);
    int code = *memory ? 0 : grow(memory, size, 1);

    if (code != 0)
        return code;
    value.flags = DB_DBT_USERMEM;
    for (;;) {
        value.data = *memory;
        value.ulen = *size;
        code = db->get(db, txn, &key_dbt, &value, flags);
        if (code != DB_BUFFER_SMALL)
            break;
        code = grow(memory, size, value.size);
        if (code != 0)
            break;
    }
    *len = code == 0 ? value.size : 0;
    return code;
}

/* What a scan does with a record: STORE_OK to go on, STORE_ABSENT when it has seen enough. */
typedef enum store_result scan_record(struct store *store, void *context, struct mupdate_text key,
                                      struct mupdate_text value, struct store_error *error);

static enum store_result visit(struct store *store, DBT *bulk, scan_record *record, void *context,
                               struct store_error *error)
{
    void *place;
    void *key;
    void *value;
    u_int32_t key_len;
    u_int32_t value_len;
    enum store_result result;

    DB_MULTIPLE_INIT(place, bulk);
    for (;;) {
        DB_MULTIPLE_KEY_NEXT(place, bulk, key, key_len, value, value_len);
        if (!place)
            return STORE_OK;
        result = record(store, context, (struct mupdate_text){key, key_len},
                        (struct mupdate_text){value, value_len}, error);
        if (result != STORE_OK)
            return result;
    }
}

/* Read the database from its begin, or from first_key on (malloc()ed; freed here). */
static enum store_result scan(struct store *store, DB *db, const char *name, void *first_key,
                              u_int32_t first_len, scan_record *record, void *context,
                              struct store_error *error)
{
    DBT key = store_dbt(first_key, first_len);
    DBT bulk = store_dbt(NULL, 0);
    DBC *cursor = NULL;
    u_int32_t move = first_key ? DB_SET_RANGE : DB_FIRST;
    enum store_result result = STORE_OK;
    int code;

    store_forget_words(false);
    key.flags = DB_DBT_REALLOC;
    bulk.flags = DB_DBT_USERMEM;
    code = grow(&bulk.data, &bulk.ulen, BULK_BYTES);
    if (code == 0)
        code = db->cursor(db, NULL, &cursor, 0);
    while (code == 0 && result == STORE_OK) {
        code = cursor->get(cursor, &key, &bulk, DB_MULTIPLE_KEY | move);
        if (code == 0) {
            result = visit(store, &bulk, record, context, error);
            move = DB_NEXT;
        } else if (code == DB_BUFFER_SMALL) {
            code = grow(&bulk.data, &bulk.ulen, bulk.size);
        }
    }
    if (result == STORE_ABSENT)
        result = STORE_OK;
    if (code != 0 && code != DB_NOTFOUND)
        result = store_fail(store, error, code, "read", &(struct mupdate_text){name, strlen(name)});
    if (cursor)
        (void)cursor->close(cursor);
    free(key.data);
    free(bulk.data);
    return result;
}

struct rows_scan {
    store_row *callback;
    void *context;
};

static enum store_result one_row(struct store *store, void *context, struct mupdate_text key,
                                 struct mupdate_text value, struct store_error *error)
{
    const struct rows_scan *scan_of = context;
    struct row row = {.mupdate.name = key};
    const char *wrong = key.len == 0 ? "its name is empty"
                                     : format_decode_row(value.data, value.len, &row);

    if (!wrong && row.sequence > store->position.last)
        wrong = "its sequence number is not in the log of changes";
    if (wrong)
        return store_damaged(store, error, FORMAT_ROWS, key, wrong);
    return scan_of->callback(scan_of->context, &row) ? STORE_OK : STORE_REFUSED;
}

enum store_result store_rows(struct store *store, store_row *callback, void *context,
                             struct store_error *error)
{
    struct rows_scan scan_of = {callback, context};

    return scan(store, store->rows, FORMAT_ROWS, NULL, 0, one_row, &scan_of, error);
}

struct changes_scan {
    store_change *callback;
    void *context;
    uint64_t next;  /* the sequence number that must come now */
    uint64_t last;  /* and the last one that is wanted */
    bool may_start; /* at any number: those before it may have been trimmed */
};

static enum store_result one_change(struct store *store, void *context, struct mupdate_text key,
                                    struct mupdate_text value, struct store_error *error)
{
    struct changes_scan *scan_of = context;
    struct change change = {0};
    const char *wrong;

    if (key.len != 8)
        return store_damaged(store, error, FORMAT_CHANGES, key, "its key is not a sequence number");
    change.now.sequence = format_get_u64((const unsigned char *)key.data);
    if (change.now.sequence > scan_of->last)
        return STORE_ABSENT;
    if (scan_of->may_start)
        scan_of->next = change.now.sequence;
    scan_of->may_start = false;
    if (change.now.sequence != scan_of->next)
        return store_damaged_change(store, error, scan_of->next, "it is missing");
    wrong = format_decode_change(value.data, value.len, &change);
    if (wrong)
        return store_damaged_change(store, error, change.now.sequence, wrong);
    scan_of->next++;
    return scan_of->callback(scan_of->context, &change) ? STORE_OK : STORE_REFUSED;
}

static enum store_result scan_changes(struct store *store, struct changes_scan *scan_of,
                                      struct store_error *error)
{
    enum store_result result;
    unsigned char *key;

    if (scan_of->next > scan_of->last)
        return STORE_OK;
    key = malloc(8);
    if (!key) {
        (void)store_fail(store, error, ENOMEM, "read " FORMAT_CHANGES, NULL);
        return STORE_BROKEN;
    }
    format_put_u64(key, scan_of->next);
    result = scan(store, store->changes, FORMAT_CHANGES, key, 8, one_change, scan_of, error);
    if (result == STORE_OK && !scan_of->may_start && scan_of->next != scan_of->last + 1)
        return store_damaged_change(store, error, scan_of->next, "it is missing");
    return result;
}

enum store_result store_changes(struct store *store, uint64_t from, store_change *callback,
                                void *context, struct store_error *error)
{
    struct changes_scan scan_of = {callback, context, from, store->position.last, false};

    if (scan_of.next < store->position.first)
        scan_of.next = store->position.first;
    return scan_changes(store, &scan_of, error);
}

enum store_result store_changes_between(struct store *store, uint64_t from, uint64_t to,
                                        store_change *callback, void *context,
                                        struct store_error *error)
{
    struct changes_scan scan_of = {callback, context, from, to, true};

    return scan_changes(store, &scan_of, error);
}
