/*
 * The table in memory: all rows, in list order. It holds committed rows only,
 * so what is seen in it is durable.
 *
 * It belongs to the loop's thread.
 *
 * SPDX-License-Identifier: BSD-3-Clause
 */
#ifndef TABLE_TABLE_H
#define TABLE_TABLE_H

#include "mupdated/table/order.h"
#include "mupdated/table/row.h"
#include "mupdated/table/tree.h"


struct table;

struct table_counts {
    uint64_t rows;
    uint64_t active;
    uint64_t reserved;
};

/* An empty table, or NULL when memory ran out. */
struct table *table_new(enum list_order order);
void table_free(struct table *table);

/*
 * A row as it was read at start-up, not absent, into a table that is new. Rows may come in
 * any order, each name once; in octet or list order it is fastest. They are only gathered:
 * nothing else may be done with the table before table_loaded(), but table_free(). False:
 * out of memory, the table is unchanged.
 */
bool table_load(struct table *table, const struct row *row);

/*
 * At start-up, when all rows were loaded: put them in order. At once for all of them this
 * costs a fraction of putting in one by one, and leaves the fullest tree. False: out of
 * memory; the table can be used for table_loaded() and table_free() only.
 */
bool table_loaded(struct table *table);

/*
 * At start-up, when all rows were loaded: the sequence of the store's last
 * change, which may be a deletion and stand in no row.
 */
void table_set_sequence(struct table *table, uint64_t sequence);

/*
 * The one function that changes a running table: start-up's tail of the log, what
 * the writer committed, what a replica receives. Changes come in the order of
 * their sequence. False: out of memory, the table is unchanged.
 */
bool table_apply(struct table *table, const struct change *change);

/* True with *row filled when there is a row of that name; valid until the next change. */
bool table_find(const struct table *table, struct mupdate_text name, struct row *row);

/* Where a walk in list order stands. Valid until the next change of the table. */
struct table_cursor {
    struct tree_cursor at;
};

/*
 * Set the cursor before the first row behind name in list order (name itself
 * is passed over), or before the first row of all when after is NULL.
 */
void table_seek(const struct table *table, const struct mupdate_text *after,
                struct table_cursor *cursor);

/* The next row, or false at the end. */
bool table_next(struct table_cursor *cursor, struct row *row);

/* Sequence of the last change that the table has seen: the greatest one. */
uint64_t table_sequence(const struct table *table);

void table_counts(const struct table *table, struct table_counts *counts);

/*
 * How many rows are reserved since that time, microseconds since 1970, or longer. Costs a few
 * instructions for each reserved row, no walk.
 */
uint64_t table_reserved_until(const struct table *table, int64_t time_us);

/*
 * Call visit for each location that rows have, in no order, with how many. Costs no walk:
 * the counts are kept up to date by each change.
 */
typedef void table_location(void *context, struct mupdate_text location, uint64_t active,
                            uint64_t reserved);
void table_locations(const struct table *table, table_location *visit, void *context);

/* The digest of all rows, which each change keeps up to date. */
void table_digest(const struct table *table, struct digest *digest);

enum list_order table_order(const struct table *table);

#endif
