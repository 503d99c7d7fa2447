/* SPDX-License-Identifier: BSD-3-Clause */
#include "mupdated/store/build.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "mupdated/store/private.h"

/* A transaction locks each page that it fills, and all pages of long records. */
#define PART_RECORDS 1000
#define PART_BYTES (1U << 20)

/* So much between two checkpoints: the log needs that much of the disk, beside the table. */
#define CHECKPOINT_BYTES (64U << 20)

struct store_build {
    struct store *store;
    DB_TXN *txn;
    uint64_t sequence;
    uint64_t next; /* change; 0: there was none yet */
    bool same;
    struct store_position position; /* of the table that it is, if it is the same */
    uint64_t base;
    bool confirmed;
    uint64_t records; /* in the transaction */
    size_t bytes;
    size_t logged; /* octets since the last checkpoint */
    char *last;    /* the name of the row before */
    size_t last_len;
    size_t last_size;
};

static enum store_result wrong(struct store_build *build, struct store_error *error,
                               const struct row *row, const char *text)
{
    char quoted[160];

    (void)snprintf(error->reason, sizeof error->reason, "%s", text);
    (void)snprintf(error->text, sizeof error->text, "store: %s: the row of %s: %s",
                   build->store->directory,
                   store_quote(row->mupdate.name, quoted, sizeof quoted), text);
    error->again = false;
    return STORE_REFUSED;
}

enum store_result store_build_begin(struct store_build **build_out,
                                    const struct store_options *options, uint64_t sequence,
                                    struct store_error *error)
{
    struct store_build *build = calloc(1, sizeof *build);
    enum store_result result;

    *build_out = NULL;
    if (!build) {
        (void)snprintf(error->reason, sizeof error->reason, "%s", strerror(ENOMEM));
        (void)snprintf(error->text, sizeof error->text, "store: %s", strerror(ENOMEM));
        error->again = false;
        return STORE_BROKEN;
    }
    build->sequence = sequence;
    result = store_open(&build->store, options, error);
    if (result == STORE_OK && !build->store->made) {
        (void)snprintf(error->reason, sizeof error->reason, "there is a table already");
        (void)snprintf(error->text, sizeof error->text, "store: %s: there is a table already",
                       options->directory);
        error->again = false;
        result = STORE_REFUSED;
    }
    /* Half of one that somebody takes for a table is at least not served. */
    if (result == STORE_OK)
        result = store_part(build->store, error);
    if (result == STORE_OK)
        *build_out = build;
    else
        store_build_abandon(build);
    return result;
}

void store_build_abandon(struct store_build *build)
{
    if (!build)
        return;
    if (build->txn)
        (void)build->txn->abort(build->txn);
    store_close(build->store);
    free(build->last);
    free(build);
}

/* Nothing needs to be durable before the end, so nothing waits for the disk. */
static enum store_result commit_part(struct store_build *build, struct store_error *error)
{
    DB_TXN *txn = build->txn;
    int code;

    build->txn = NULL;
    if (!txn)
        return STORE_OK;
    code = txn->commit(txn, DB_TXN_NOSYNC);
    if (code != 0)
        return store_fail(build->store, error, code, "build", NULL);
    build->logged += build->bytes;
    build->records = 0;
    build->bytes = 0;
    if (build->logged < CHECKPOINT_BYTES)
        return STORE_OK;
    build->logged = 0;
    return store_checkpoint(build->store, error);
}

static enum store_result begin_part(struct store_build *build, struct store_error *error)
{
    enum store_result result;
    int code;

    if (build->txn && build->records < PART_RECORDS && build->bytes < PART_BYTES)
        return STORE_OK;
    result = commit_part(build, error);
    if (result == STORE_OK)
        result = store_check_room(build->store, error);
    if (result != STORE_OK)
        return result;
    store_forget_words(false);
    code = build->store->env->txn_begin(build->store->env, NULL, &build->txn, 0);
    if (code == 0)
        return STORE_OK;
    build->txn = NULL;
    return store_fail(build->store, error, code, "build", NULL);
}

/* False: out of memory. */
static bool remember(struct store_build *build, struct mupdate_text name)
{
    if (name.len > build->last_size) {
        char *larger = realloc(build->last, 2 * name.len);

        if (!larger)
            return false;
        build->last = larger;
        build->last_size = 2 * name.len;
    }
    /* NOLINTNEXTLINE(clang-analyzer-core.NonNullParamChecker): it has last_size octets */
    memcpy(build->last, name.data, name.len);
    build->last_len = name.len;
    return true;
}

enum store_result store_build_row(struct store_build *build, const struct row *row,
                                  struct store_error *error)
{
    struct store *store = build->store;
    const struct mupdate_text *name = &row->mupdate.name;
    enum store_result result;
    DBT key;
    DBT value;
    int code;

    if (name->len == 0 || name->len > FORMAT_TEXT_BYTES || row->mupdate.state == MUPDATE_ABSENT)
        return wrong(build, error, row, "it is none");
    if (row->sequence == 0 || row->sequence > build->sequence)
        return wrong(build, error, row, "its sequence number is not one of the table's");
    if (build->last &&
        text_compare((struct mupdate_text){build->last, build->last_len}, *name) >= 0)
        return wrong(build, error, row, "it does not come behind the row before");
    result = begin_part(build, error);
    if (result != STORE_OK)
        return result;
    switch (format_encode_row(&store->record, row)) {
    case FORMAT_OK:
        break;
    case FORMAT_TOO_LONG:
        return wrong(build, error, row, "one of its texts is too long");
    case FORMAT_NO_MEMORY:
        return store_fail(store, error, ENOMEM, "build", name);
    }
    if (!remember(build, *name))
        return store_fail(store, error, ENOMEM, "build", name);
    key = store_dbt(name->data, name->len);
    value = store_dbt(store->record.data, store->record.len);
    code = store->rows->put(store->rows, build->txn, &key, &value, DB_NOOVERWRITE);
    if (code != 0)
        return store_fail(store, error, code, "build", name);
    digest_add(&store->digest, &row->mupdate);
    build->records++;
    build->bytes += name->len + store->record.len;
    return STORE_OK;
}

static int put_change(struct store_build *build, const struct change *change)
{
    struct store *store = build->store;
    unsigned char sequence[8];
    DBT key;
    DBT value;

    if (format_encode_change(&store->record, change) != FORMAT_OK)
        return ENOMEM;
    format_put_u64(sequence, change->now.sequence);
    key = store_dbt(sequence, sizeof sequence);
    value = store_dbt(store->record.data, store->record.len);
    return store->changes->put(store->changes, build->txn, &key, &value, DB_NOOVERWRITE);
}

enum store_result store_build_change(struct store_build *build, const struct change *change,
                                     struct store_error *error)
{
    enum store_result result;
    int code;

    if (change->now.sequence == 0 || change->now.sequence > build->sequence ||
        (build->next && change->now.sequence != build->next))
        return wrong(build, error, &change->now, "its change is not the next one");
    result = begin_part(build, error);
    if (result != STORE_OK)
        return result;
    code = put_change(build, change);
    if (code != 0)
        return store_fail(build->store, error, code, "build", &change->now.mupdate.name);
    build->next = change->now.sequence + 1;
    build->records++;
    build->bytes += build->store->record.len;
    return STORE_OK;
}

void store_build_same(struct store_build *build, const struct store_position *position,
                      uint64_t base, bool confirmed)
{
    build->same = true;
    build->position = *position;
    build->base = base;
    build->confirmed = confirmed;
}

static enum store_result write_identity(struct store_build *build, DB_TXN *txn,
                                        struct store_error *error)
{
    enum store_result result = STORE_OK;

    if (build->next == 0)
        result = store_identity_digest(build->store, txn, &build->store->digest, error);
    if (result != STORE_OK)
        return result;
    if (build->same)
        return store_identity_copy(build->store, txn, &build->position, build->base,
                                   build->confirmed, error);
    return store_identity_load(build->store, txn, build->sequence, error);
}

enum store_result store_build_end(struct store_build *build, struct store_error *error)
{
    struct store *store = build->store;
    enum store_result result = commit_part(build, error);
    DB_TXN *txn;
    int code;

    if (result == STORE_OK) {
        code = store->env->txn_begin(store->env, NULL, &txn, 0);
        if (code != 0)
            result = store_fail(store, error, code, "build", NULL);
    }
    if (result == STORE_OK) {
        result = write_identity(build, txn, error);
        if (result == STORE_OK)
            result = store_commit_txn(store, txn, error);
        else
            (void)txn->abort(txn);
    }
    if (result == STORE_OK)
        result = store_checkpoint(store, error);
    store_build_abandon(build);
    return result == STORE_UNCERTAIN ? STORE_BROKEN : result;
}
