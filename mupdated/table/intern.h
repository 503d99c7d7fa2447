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

#endif
