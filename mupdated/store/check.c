/* SPDX-License-Identifier: BSD-3-Clause */
#include "mupdated/store/private.h"

#include <errno.h>

#include "mupdated/store/agree.h"

struct check {
    struct store *store;
    struct store_error *error;
    struct agree *agree;
    struct store_counts *counts;
    int code; /* ECANCELED: *error says what is wrong; or ENOMEM */
};

/* The first thing that is wrong is enough. */
static bool on_wrong(void *context, enum agree_about about, struct mupdate_text name,
                     uint64_t sequence, const char *wrong)
{
    struct check *check = context;

    if (about == AGREE_ROWS)
        (void)store_damaged_rows(check->store, check->error, wrong);
    else if (about == AGREE_ROW)
        (void)store_damaged(check->store, check->error, FORMAT_ROWS, name, wrong);
    else
        (void)store_damaged_change(check->store, check->error, sequence, wrong);
    return false;
}

static bool note_change(void *context, const struct change *change)
{
    struct check *check = context;

    check->counts->changes++;
    check->code = agree_change(check->agree, change);
    return check->code == 0;
}

static bool match_row(void *context, const struct row *row)
{
    struct check *check = context;

    check->counts->rows++;
    check->code = agree_row(check->agree, row);
    return check->code == 0;
}

enum store_result store_check(struct store *store, struct store_counts *counts,
                              struct store_error *error)
{
    struct check check = {.store = store, .error = error, .counts = counts};
    enum store_result result = STORE_OK;

    *counts = (struct store_counts){0};
    check.agree = agree_new(store->position.first, store->has_digest ? &store->digest : NULL,
                            on_wrong, &check);
    if (!check.agree)
        check.code = ENOMEM;
    if (check.code == 0)
        result = store_changes(store, 0, note_change, &check, error);
    if (check.code == 0 && result == STORE_OK)
        result = store_rows(store, match_row, &check, error);
    if (check.code == 0 && result == STORE_OK)
        check.code = agree_missing(check.agree);
    if (check.code == 0 && result == STORE_OK)
        check.code = agree_digest(check.agree);
    agree_free(check.agree);
    if (check.code == ENOMEM)
        return store_fail(store, error, ENOMEM, "check", NULL);
    return check.code == 0 ? result : STORE_BROKEN;
}
