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

/* Records in order, read in bulk. All zero: none is under way. */
struct scan {
    DBC *cursor;
    DBT key;
    DBT bulk;
    void *place; /* in bulk; NULL: none of it is left */
    u_int32_t move;
};

/* Read from the begin, or from first_key on (malloc()ed; it is the scan's from now on). */
static int scan_begin(struct scan *scan, DB *db, void *first_key, u_int32_t first_len)
{
    int code;

    store_forget_words(false);
    memset(scan, 0, sizeof *scan);
    scan->key = store_dbt(first_key, first_len);
    scan->key.flags = DB_DBT_REALLOC;
    scan->bulk.flags = DB_DBT_USERMEM;
    scan->move = first_key ? DB_SET_RANGE : DB_FIRST;
    code = grow(&scan->bulk.data, &scan->bulk.ulen, BULK_BYTES);
    return code == 0 ? db->cursor(db, NULL, &scan->cursor, 0) : code;
}

static void scan_end(struct scan *scan)
{
    if (scan->cursor)
        (void)scan->cursor->close(scan->cursor);
    free(scan->key.data);
    free(scan->bulk.data);
    memset(scan, 0, sizeof *scan);
}

/* The next record, valid until the next call. DB_NOTFOUND at the end. */
static int scan_next(struct scan *scan, struct mupdate_text *key, struct mupdate_text *value)
{
    for (;;) {
        void *key_data;
        void *data;
        u_int32_t key_len;
        u_int32_t len;
        int code;

        if (scan->place) {
            DB_MULTIPLE_KEY_NEXT(scan->place, &scan->bulk, key_data, key_len, data, len);
            if (scan->place) {
                *key = (struct mupdate_text){key_data, key_len};
                *value = (struct mupdate_text){data, len};
                return 0;
            }
        }
        /* gcc-analyzer(null-dereference): store_fail(), after scan_begin(), is never STORE_OK */
        code = scan->cursor->get(scan->cursor, &scan->key, &scan->bulk,
                                 DB_MULTIPLE_KEY | scan->move);
        if (code == DB_BUFFER_SMALL)
            code = grow(&scan->bulk.data, &scan->bulk.ulen, scan->bulk.size);
        else if (code == 0) {
            DB_MULTIPLE_INIT(scan->place, &scan->bulk);
            scan->move = DB_NEXT;
        }
        if (code != 0)
            return code;
    }
}

/* What a code other than 0 and DB_NOTFOUND amounts to. */
static enum store_result scan_failed(struct store *store, int code, const char *name,
                                     struct store_error *error)
{
    (void)store_fail(store, error, code, "read", &(struct mupdate_text){name, strlen(name)});
    return STORE_BROKEN;
}

struct store_walk {
    struct store *store;
    struct scan scan;
    struct digest digest; /* of the rows that came */
};

enum store_result store_walk_new(struct store_walk **walk, struct store *store,
                                 struct store_error *error)
{
    int code = ENOMEM;

    *walk = calloc(1, sizeof **walk);
    if (*walk) {
        (*walk)->store = store;
        code = scan_begin(&(*walk)->scan, store->rows, NULL, 0);
    }
    if (code == 0)
        return STORE_OK;
    store_walk_free(*walk);
    *walk = NULL;
    return scan_failed(store, code, FORMAT_ROWS, error);
}

void store_walk_free(struct store_walk *walk)
{
    if (walk)
        scan_end(&walk->scan);
    free(walk);
}

static enum store_result next_row(struct store *store, struct scan *scan, struct row *row,
                                  struct store_error *error)
{
    struct mupdate_text value;
    const char *wrong;
    int code;

    memset(row, 0, sizeof *row);
    code = scan_next(scan, &row->mupdate.name, &value);
    if (code != 0)
        return code == DB_NOTFOUND ? STORE_ABSENT : scan_failed(store, code, FORMAT_ROWS, error);
    wrong = row->mupdate.name.len == 0 ? "its name is empty"
                                       : format_decode_row(value.data, value.len, row);
    if (!wrong && row->sequence > store->position.last)
        wrong = "its sequence number is not in the log of changes";
    return wrong ? store_damaged(store, error, FORMAT_ROWS, row->mupdate.name, wrong) : STORE_OK;
}

enum store_result store_walk_next(struct store_walk *walk, struct row *row,
                                  struct store_error *error)
{
    struct store *store = walk->store;
    enum store_result result = next_row(store, &walk->scan, row, error);
    char wrong[DIGEST_TEXT_BYTES];

    if (result == STORE_OK)
        digest_add(&walk->digest, &row->mupdate);
    if (result != STORE_ABSENT || !store->has_digest ||
        digest_equal(&walk->digest, &store->digest))
        return result;
    digest_explain(&walk->digest, &store->digest, wrong);
    return store_damaged_rows(store, error, wrong);
}

enum store_result store_rows(struct store *store, store_row *callback, void *context,
                             struct store_error *error)
{
    struct store_walk *walk;
    struct row row;
    enum store_result result = store_walk_new(&walk, store, error);

    while (result == STORE_OK &&
           (result = next_row(store, &walk->scan, &row, error)) == STORE_OK)
        if (!callback(context, &row))
            result = STORE_REFUSED;
    store_walk_free(walk);
    return result == STORE_ABSENT ? STORE_OK : result;
}

/* Which changes are read. */
struct changes_range {
    uint64_t next;  /* the sequence number that must come now */
    uint64_t last;  /* and the last one that is wanted */
    bool may_start; /* at any number: those before it may have been trimmed */
};

/* STORE_ABSENT when there are no more, or no more are wanted. */
static enum store_result next_change(struct store *store, struct scan *scan,
                                     struct changes_range *range, struct change *change,
                                     struct store_error *error)
{
    struct mupdate_text key;
    struct mupdate_text value;
    const char *wrong;
    int code;

    memset(change, 0, sizeof *change);
    code = scan_next(scan, &key, &value);
    if (code == DB_NOTFOUND)
        return STORE_ABSENT;
    if (code != 0)
        return store_fail(store, error, code, "read " FORMAT_CHANGES, NULL);
    if (key.len != 8)
        return store_damaged(store, error, FORMAT_CHANGES, key, "its key is not a sequence number");
    change->now.sequence = format_get_u64((const unsigned char *)key.data);
    if (change->now.sequence > range->last)
        return STORE_ABSENT;
    if (range->may_start)
        range->next = change->now.sequence;
    range->may_start = false;
    if (change->now.sequence != range->next)
        return store_damaged_change(store, error, range->next, "it is missing");
    wrong = format_decode_change(value.data, value.len, change);
    if (wrong)
        return store_damaged_change(store, error, range->next, wrong);
    range->next++;
    return STORE_OK;
}

static enum store_result read_changes(struct store *store, struct changes_range *range,
                                      store_change *callback, void *context,
                                      struct store_error *error)
{
    struct scan scan;
    struct change change;
    enum store_result result = STORE_OK;
    unsigned char *key;
    int code;

    if (range->next > range->last)
        return STORE_OK;
    key = malloc(8);
    if (!key) {
        (void)store_fail(store, error, ENOMEM, "read " FORMAT_CHANGES, NULL);
        return STORE_BROKEN;
    }
    format_put_u64(key, range->next);
    code = scan_begin(&scan, store->changes, key, 8);
    if (code != 0)
        result = store_fail(store, error, code, "read " FORMAT_CHANGES, NULL);
    while (result == STORE_OK) {
        result = next_change(store, &scan, range, &change, error);
        if (result == STORE_OK && !callback(context, &change))
            result = STORE_REFUSED;
    }
    scan_end(&scan);
    if (result != STORE_ABSENT)
        return result;
    return range->may_start || range->next == range->last + 1
               ? STORE_OK
               : store_damaged_change(store, error, range->next, "it is missing");
}

enum store_result store_changes(struct store *store, uint64_t from, store_change *callback,
                                void *context, struct store_error *error)
{
    struct changes_range range = {from, store->position.last, false};

    if (range.next < store->position.first)
        range.next = store->position.first;
    return read_changes(store, &range, callback, context, error);
}

enum store_result store_changes_between(struct store *store, uint64_t from, uint64_t to,
                                        store_change *callback, void *context,
                                        struct store_error *error)
{
    struct changes_range range = {from, to, true};

    return read_changes(store, &range, callback, context, error);
}
