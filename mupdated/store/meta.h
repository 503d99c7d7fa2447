/*
 * What meta.db says, from its records one by one.
 *
 * SPDX-License-Identifier: BSD-3-Clause
 */
#ifndef STORE_META_H
#define STORE_META_H

#include "mupdated/store/format.h"
#include "mupdated/store/store.h"

struct meta {
    uint32_t format; /* 0: not told */
    bool has_history;
    unsigned char history[STORE_HISTORY_BYTES];
    uint64_t term; /* 0: not told */
    uint64_t base;
    bool confirmed;
    /* The ids of its files; all zeros: not told. */
    unsigned char rows_file[FORMAT_FILE_ID_BYTES];
    unsigned char changes_file[FORMAT_FILE_ID_BYTES];
    bool has_digest;
    struct digest digest;
};

/* As of a table that was never loaded, and of which nothing is told yet. */
void meta_begin(struct meta *meta);

/* Take one record. NULL, or what is wrong with it, in words; static. */
const char *meta_take(struct meta *meta, struct mupdate_text key, struct mupdate_text value);

/* Whether a file with this id may be the one of the table. */
bool meta_is_file(const unsigned char known[FORMAT_FILE_ID_BYTES],
                  const unsigned char id[FORMAT_FILE_ID_BYTES]);

/*
 * The digest of the rows that the table began with, before its first change. False: it is not
 * told.
 */
bool meta_digest(const struct meta *meta, struct digest *digest);

/* NULL, or what it lacks, in words; static. */
const char *meta_lacks(const struct meta *meta);

#endif
