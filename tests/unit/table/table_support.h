/*
 * What the tests of the table share: texts, random names, a second and slower
 * way to order them.
 *
 * SPDX-License-Identifier: BSD-3-Clause
 */
#ifndef TABLE_SUPPORT_H
#define TABLE_SUPPORT_H

#include <string.h>

#include "mupdated/table/order.h"
#include "mupdated/table/row.h"

static inline struct mupdate_text text_of(const char *string) {
    return (struct mupdate_text){string, strlen(string)};
}

/* A small generator of its own: the same numbers on every machine. */
struct randoms {
    uint64_t state;
};

uint32_t randoms_below(struct randoms *randoms, uint32_t limit);

#define NAME_MAX_BYTES 64

struct name {
    size_t len;
    char octets[NAME_MAX_BYTES];
};

static inline struct mupdate_text name_text(const struct name *name) {
    return (struct mupdate_text){name->octets, name->len};
}

/* A name of 1 to longest octets of the alphabet. */
void name_random(struct name *name, struct randoms *randoms, const char *alphabet, size_t longest);

/* count different names. */
void names_random(struct name *names, size_t count, struct randoms *randoms, const char *alphabet,
                  size_t longest);

/* The order as its rules say it, by making each name's sort key: <0, 0, >0. */
int reference_compare(enum list_order order, struct mupdate_text a, struct mupdate_text b);

#endif
