/*
 * Each row is one allocation. Locations and identities are few and shared. A
 * change makes a new row and exchanges the pointers, so that it can fail before
 * anything is touched.
 *
 * SPDX-License-Identifier: BSD-3-Clause
 */
#include "mupdated/table/table.h"

#include <stdlib.h>
#include <string.h>

#include "mupdated/table/digest.h"
#include "mupdated/table/index.h"
#include "mupdated/table/intern.h"
#include "mupdated/table/reserved.h"
#include "mupdated/table/sort.h"

#define LOADING_MIN 1024
#define TEXT_BYTES_MAX ((UINT32_C(1) << 30) - 1)

struct table_row {
    uint64_t sequence;
    int64_t time_us;
    const struct interned *location;
    const struct interned *who;
    uint32_t name_bytes;
    uint32_t acl_bytes : 30;
    uint32_t state : 2;
    char data[]; /* the name, then the ACL */
};

/* Rows that were read, but are in no order yet. */
struct loading {
    void **rows;
    size_t count;
    size_t size;
};

struct table {
    struct loading loading;
    struct tree tree;
    struct index index;
    struct intern strings;
    struct reserved reserved;
    uint64_t sequence;
    struct table_counts counts;
    struct digest digest;
};

static struct mupdate_text row_name(const void *item)
{
    const struct table_row *row = item;
    return (struct mupdate_text){row->data, row->name_bytes};
}

static void view(const struct table_row *from, struct row *row)
{
    row->mupdate.state = (enum mupdate_state)from->state;
    row->mupdate.name = row_name(from);
    row->mupdate.location = intern_text(from->location);
    row->mupdate.acl = (struct mupdate_text){from->data + from->name_bytes, from->acl_bytes};
    row->sequence = from->sequence;
    row->time_us = from->time_us;
    row->who = intern_text(from->who);
}

struct table *table_new(enum list_order order)
{
    struct table *table = calloc(1, sizeof(*table));
    if (table == NULL)
        return NULL;
    tree_init(&table->tree, order, row_name);
    index_init(&table->index, row_name);
    intern_init(&table->strings);
    return table;
}

void table_free(struct table *table)
{
    if (table == NULL)
        return;
    struct tree_cursor cursor;
    tree_seek(&table->tree, NULL, &cursor);
    for (struct table_row *row; (row = tree_next(&cursor)) != NULL;)
        free(row);
    for (size_t i = 0; i < table->loading.count; i++)
        free(table->loading.rows[i]);
    free(table->loading.rows);
    tree_close(&table->tree);
    index_close(&table->index);
    intern_close(&table->strings);
    reserved_close(&table->reserved);
    free(table);
}

static void free_row(struct table *table, struct table_row *row)
{
    if (row->location != NULL)
        intern_release(&table->strings, row->location);
    if (row->who != NULL)
        intern_release(&table->strings, row->who);
    free(row);
}

/* And room for it in table->reserved, if it needs that. */
static struct table_row *make_row(struct table *table, const struct row *from)
{
    const struct mupdate_row *mupdate = &from->mupdate;
    if (mupdate->name.len > TEXT_BYTES_MAX || mupdate->acl.len > TEXT_BYTES_MAX)
        return NULL;
    if (mupdate->state != MUPDATE_ACTIVE && !reserved_make_room(&table->reserved))
        return NULL;
    struct table_row *row = malloc(sizeof(*row) + mupdate->name.len + mupdate->acl.len);
    if (row == NULL)
        return NULL;
    row->sequence = from->sequence;
    row->time_us = from->time_us;
    row->name_bytes = (uint32_t)mupdate->name.len;
    row->acl_bytes = (uint32_t)mupdate->acl.len & TEXT_BYTES_MAX;
    row->state = mupdate->state & 3u;
    if (mupdate->name.len > 0)
        memcpy(row->data, mupdate->name.data, mupdate->name.len);
    if (mupdate->acl.len > 0)
        memcpy(row->data + mupdate->name.len, mupdate->acl.data, mupdate->acl.len);
    row->location = intern_take(&table->strings, mupdate->location);
    row->who = intern_take(&table->strings, from->who);
    if (row->location == NULL || row->who == NULL) {
        free_row(table, row);
        return NULL;
    }
    return row;
}

static void count_in(struct table *table, const struct table_row *from)
{
    struct row row;
    view(from, &row);
    digest_add(&table->digest, &row.mupdate);
    table->counts.rows++;
    if (row.mupdate.state == MUPDATE_ACTIVE) {
        table->counts.active++;
        intern_rows(from->location)->active++;
    } else {
        table->counts.reserved++;
        intern_rows(from->location)->reserved++;
        reserved_add(&table->reserved, from->sequence, from->time_us);
    }
}

static void count_out(struct table *table, const struct table_row *from)
{
    struct row row;
    view(from, &row);
    digest_subtract(&table->digest, &row.mupdate);
    table->counts.rows--;
    if (row.mupdate.state == MUPDATE_ACTIVE) {
        table->counts.active--;
        intern_rows(from->location)->active--;
    } else {
        table->counts.reserved--;
        intern_rows(from->location)->reserved--;
        reserved_remove(&table->reserved, from->sequence);
    }
}

static void remove_row(struct table *table, struct mupdate_text name)
{
    struct table_row *row = index_remove(&table->index, name);
    if (row == NULL)
        return;
    tree_remove(&table->tree, name);
    count_out(table, row);
    free_row(table, row);
}

static bool put_row(struct table *table, const struct row *from)
{
    struct table_row *row = make_row(table, from);
    if (row == NULL)
        return false;
    struct table_row *old = index_find(&table->index, from->mupdate.name);
    if (old != NULL) {
        tree_replace(&table->tree, row);
        index_replace(&table->index, row);
        count_out(table, old);
        free_row(table, old);
    } else {
        if (!index_insert(&table->index, row)) {
            free_row(table, row);
            return false;
        }
        if (!tree_insert(&table->tree, row)) {
            index_remove(&table->index, from->mupdate.name);
            free_row(table, row);
            return false;
        }
    }
    count_in(table, row);
    return true;
}

static void saw(struct table *table, uint64_t sequence)
{
    if (sequence > table->sequence)
        table->sequence = sequence;
}

static bool gather(struct loading *loading, struct table_row *row)
{
    if (loading->count == loading->size) {
        size_t size = loading->size > 0 ? loading->size * 2 : LOADING_MIN;
        void **rows = realloc(loading->rows, size * sizeof(*rows));
        if (rows == NULL)
            return false;
        loading->rows = rows;
        loading->size = size;
    }
    loading->rows[loading->count++] = row;
    return true;
}

bool table_load(struct table *table, const struct row *from)
{
    struct table_row *row = make_row(table, from);
    if (row == NULL)
        return false;
    if (!gather(&table->loading, row)) {
        free_row(table, row);
        return false;
    }
    count_in(table, row);
    saw(table, row->sequence);
    return true;
}

static bool build(struct table *table)
{
    const struct loading *loading = &table->loading;
    if (!sort_items(table->tree.order, row_name, loading->rows, loading->count) ||
        !index_fill(&table->index, loading->rows, loading->count))
        return false;
    for (size_t i = 0; i < loading->count; i++) {
        if (!tree_append(&table->tree, loading->rows[i]))
            return false;
    }
    return true;
}

bool table_loaded(struct table *table)
{
    if (!build(table)) {
        /* The rows stay gathered, and go with the table. */
        tree_close(&table->tree);
        index_close(&table->index);
        return false;
    }
    reserved_sort(&table->reserved);
    free(table->loading.rows);
    table->loading = (struct loading){NULL, 0, 0};
    return true;
}

void table_set_sequence(struct table *table, uint64_t sequence)
{
    saw(table, sequence);
}

bool table_apply(struct table *table, const struct change *change)
{
    if (change->now.mupdate.state == MUPDATE_ABSENT)
        remove_row(table, change->now.mupdate.name);
    else if (!put_row(table, &change->now))
        return false;
    saw(table, change->now.sequence);
    return true;
}

bool table_find(const struct table *table, struct mupdate_text name, struct row *row)
{
    const struct table_row *found = index_find(&table->index, name);
    if (found != NULL)
        view(found, row);
    return found != NULL;
}

void table_seek(const struct table *table, const struct mupdate_text *after,
                struct table_cursor *cursor)
{
    tree_seek(&table->tree, after, &cursor->at);
}

bool table_next(struct table_cursor *cursor, struct row *row)
{
    const struct table_row *next = tree_next(&cursor->at);
    if (next != NULL)
        view(next, row);
    return next != NULL;
}

uint64_t table_sequence(const struct table *table)
{
    return table->sequence;
}

void table_counts(const struct table *table, struct table_counts *counts)
{
    *counts = table->counts;
}

uint64_t table_reserved_until(const struct table *table, int64_t time_us)
{
    return reserved_until(&table->reserved, time_us);
}

struct locations {
    table_location *visit;
    void *context;
};

static void visit_location(void *context, struct mupdate_text text, const struct intern_rows *rows)
{
    const struct locations *locations = context;

    /* The pool holds identities too. */
    if (rows->active || rows->reserved)
        locations->visit(locations->context, text, rows->active, rows->reserved);
}

void table_locations(const struct table *table, table_location *visit, void *context)
{
    struct locations locations = {visit, context};

    intern_each(&table->strings, visit_location, &locations);
}

void table_digest(const struct table *table, struct digest *digest)
{
    *digest = table->digest;
}

enum list_order table_order(const struct table *table)
{
    return table->tree.order;
}
