/*
 * Strings that many rows share: each is kept once, counted.
 *
 * SPDX-License-Identifier: BSD-3-Clause
 */
#ifndef TABLE_INTERN_H
#define TABLE_INTERN_H

#include "mupdated/table/index.h"

struct intern {
    struct index index;
};

struct interned;

void intern_init(struct intern *intern);

/* Free the pool and the strings in it, released or not. */
void intern_close(struct intern *intern);

/* A string with these octets, to be given back with intern_release(); NULL: out of memory. */
const struct interned *intern_take(struct intern *intern, struct mupdate_text text);
void intern_release(struct intern *intern, const struct interned *interned);

/* Valid until the string is released. */
struct mupdate_text intern_text(const struct interned *interned);

/* How many rows of each state name the string as their location; the table keeps it. */
struct intern_rows {
    uint64_t active;
    uint64_t reserved;
};

struct intern_rows *intern_rows(const struct interned *interned);

/*
 * Call visit for each string, in no order. Nothing may be taken or released meanwhile.
 */
typedef void intern_visit(void *context, struct mupdate_text text, const struct intern_rows *rows);
void intern_each(const struct intern *intern, intern_visit *visit, void *context);

#endif
