/*
 * All records that can be read of a database file, whatever else of it is damaged, and what
 * is damaged. For a file that nobody uses and that was recovered, or cannot be.
 *
 * The leaves of a B-tree are linked in the order of their keys. When one row of good leaves
 * goes from a first one to a last one, and there are no others, then nothing is missing,
 * whatever the other pages hold.
 *
 * SPDX-License-Identifier: BSD-3-Clause
 */
#ifndef STORE_RECORDS_H
#define STORE_RECORDS_H

#include <mupdate/types.h>

#include "mupdated/store/page.h"

struct records {
    struct page_file file;
    uint8_t *kinds;         /* enum page_kind of each page */
    uint32_t *links;        /* of each page two: previous and next */
    uint32_t *heads;        /* the leaves that begin a row of leaves, in the order of keys */
    uint32_t head_count;
    uint64_t damaged;       /* pages */
    uint32_t leaves;
    uint32_t leaves_read;   /* of which records_read() has read the records so far */
    struct page_place place; /* the last place in the log that any page names */
    bool whole;             /* no leaf is missing */
    struct page page;       /* the one that is looked at */
};

/* Called with each page, good or damaged. */
typedef void records_page(void *context, const struct page *page);

/*
 * Open a file and look at all of its pages. 0 or an errno code (EINVAL: it is no file; ENOMEM).
 * looked may be NULL.
 */
int records_open(struct records *records, const char *path, records_page *looked, void *context);
void records_close(struct records *records);

/*
 * Called with each record, in the order of keys. wrong: what is wrong with it, in words, or NULL;
 * value is then empty, and key may be. False: stop.
 */
typedef bool records_record(void *context, struct mupdate_text key, struct mupdate_text value,
                            const char *wrong);

/*
 * Called where leaves are missing: between two keys. Empty: from the begin, or to the end.
 */
typedef void records_gap(void *context, struct mupdate_text after, struct mupdate_text before);

/* Read them. 0; ENOMEM; or ECANCELED: the callback said so. gap may be NULL. */
int records_read(struct records *records, records_record *record, records_gap *gap, void *context);

#endif
