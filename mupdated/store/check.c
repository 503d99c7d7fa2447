/* SPDX-License-Identifier: BSD-3-Clause */
#include "mupdated/store/private.h"

#include <errno.h>
#include <search.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The newest change of a name, as far as the log was read. */
struct newest {
    uint64_t sequence;
    enum mupdate_state state;
    struct mupdate_text name; /* behind the struct, as is the location */
    struct mupdate_text location;
};

struct check {
    struct store *store;
    struct store_error *error;
    void *names; /* of struct newest, for tsearch() */
    uint64_t changes;
    uint64_t rows;
    uint64_t matched; /* rows whose newest change is in the log */
    uint64_t present; /* names that have a row after their newest change */
    uint64_t term;
    int64_t time_us;
    bool damaged; /* and *error says how; else memory ran out */
    void *memory; /* for the change that made a row */
    u_int32_t memory_size;
};

static int compare(const void *a, const void *b)
{
    const struct newest *left = a;
    const struct newest *right = b;

    return text_compare(left->name, right->name);
}

static bool wrong_change(struct check *check, uint64_t sequence, const char *wrong)
{
    (void)store_damaged_change(check->store, check->error, sequence, wrong);
    check->damaged = true;
    return false;
}

static bool wrong_row(struct check *check, struct mupdate_text name, const char *wrong)
{
    (void)store_damaged(check->store, check->error, FORMAT_ROWS, name, wrong);
    check->damaged = true;
    return false;
}

static struct newest *newest_new(const struct change *change)
{
    const struct mupdate_text *name = &change->now.mupdate.name;
    const struct mupdate_text *location = &change->now.mupdate.location;
    struct newest *newest = malloc(sizeof *newest + name->len + location->len);
    char *texts;

    if (!newest)
        return NULL;
    texts = (char *)(newest + 1);
    newest->sequence = change->now.sequence;
    newest->state = change->now.mupdate.state;
    newest->name = (struct mupdate_text){texts, name->len};
    newest->location = (struct mupdate_text){texts + name->len, location->len};
    memcpy(texts, name->data, name->len);
    if (location->len)
        memcpy(texts + name->len, location->data, location->len);
    return newest;
}

static bool note_change(void *context, const struct change *change)
{
    struct check *check = context;
    struct newest *newest;
    struct newest *before;
    struct newest **place;

    if (change->term < check->term)
        return wrong_change(check, change->now.sequence, "its term goes back");
    if (change->now.time_us < check->time_us)
        return wrong_change(check, change->now.sequence, "its time goes back");
    newest = newest_new(change);
    if (!newest)
        return false;
    place = tsearch(newest, &check->names, compare);
    if (!place) {
        free(newest);
        return false;
    }
    before = *place;
    if (before == newest) {
        /* Of a log that was never trimmed the begin of everything is known. */
        if (check->store->position.first == 1 && change->old_state != MUPDATE_ABSENT)
            return wrong_change(check, change->now.sequence,
                                "it does not start from nothing, and is the first of its name");
    } else {
        *place = newest;
        if (before->state != change->old_state ||
            (before->state != MUPDATE_ABSENT &&
             !text_equal(before->location, change->old_location))) {
            free(before);
            return wrong_change(check, change->now.sequence,
                                "it does not start from what the change before it left");
        }
        check->present -= before->state != MUPDATE_ABSENT;
        free(before);
    }
    check->present += newest->state != MUPDATE_ABSENT;
    check->changes++;
    check->term = change->term;
    check->time_us = change->now.time_us;
    return true;
}

static bool same_row(const struct row *a, const struct row *b)
{
    return a->mupdate.state == b->mupdate.state && a->time_us == b->time_us &&
           text_equal(a->mupdate.location, b->mupdate.location) &&
           text_equal(a->mupdate.acl, b->mupdate.acl) && text_equal(a->who, b->who);
}

static bool match_row(void *context, const struct row *row)
{
    struct check *check = context;
    struct newest key = {.name = row->mupdate.name};
    struct newest **place = tfind(&key, &check->names, compare);
    struct change change = {0};
    unsigned char sequence[8];
    size_t len;

    check->rows++;
    if (!place)
        return row->sequence < check->store->position.first ||
               wrong_row(check, row->mupdate.name, "the change that made it is of another name");
    if ((*place)->state == MUPDATE_ABSENT)
        return wrong_row(check, row->mupdate.name, "its newest change deleted it");
    if ((*place)->sequence != row->sequence)
        return wrong_row(check, row->mupdate.name, "it is not from the newest change of its name");
    format_put_u64(sequence, row->sequence);
    if (store_read(check->store->changes, NULL, sequence, sizeof sequence, 0, &check->memory,
                   &check->memory_size, &len) != 0)
        return wrong_row(check, row->mupdate.name, "the change that made it cannot be read again");
    if (format_decode_change(check->memory, len, &change) || !same_row(row, &change.now))
        return wrong_row(check, row->mupdate.name, "it is not what its newest change made it");
    check->matched++;
    return true;
}

enum store_result store_check(struct store *store, struct store_counts *counts,
                              struct store_error *error)
{
    struct check check = {.store = store, .error = error, .time_us = INT64_MIN};
    enum store_result result = store_changes(store, 0, note_change, &check, error);

    if (result == STORE_OK)
        result = store_rows(store, match_row, &check, error);
    if (result == STORE_OK && check.matched != check.present) {
        (void)snprintf(error->reason, sizeof error->reason, "the table is damaged");
        (void)snprintf(error->text, sizeof error->text,
                       "store: %s: " FORMAT_ROWS " lacks %llu rows that the log of changes has: "
                       "restore the directory from a backup",
                       store->directory, (unsigned long long)(check.present - check.matched));
        result = STORE_BROKEN;
    } else if (result == STORE_REFUSED) {
        /* A callback stopped the walk. */
        if (!check.damaged)
            (void)store_fail(store, error, ENOMEM, "check", NULL);
        result = STORE_BROKEN;
    }
    tdestroy(check.names, free);
    free(check.memory);
    counts->rows = check.rows;
    counts->changes = check.changes;
    return result;
}
