/*
 * The answer to UPDATE or LIST: the whole table, at each of many subscribers.
 * Every row of the set must come once and as it was stored. The subscribers
 * share a transcript: the octets that all get are checked once. One who gets
 * others is checked on its own.
 *
 * SPDX-License-Identifier: BSD-3-Clause
 */
#ifndef MUPDATE_BENCH_TABLE_H
#define MUPDATE_BENCH_TABLE_H

#include "link.h"

enum { TABLE_TAG = 1 };

/* The rows of one answer. */
struct table_rows {
    uint8_t *seen; /* one bit a row of the set; NULL: nothing came yet */
    uint64_t rows;
    uint64_t known; /* rows of the set, each counted once */
    bool ended; /* by OK */
};

/* What one subscriber got. */
struct table_share {
    struct table_rows *own; /* NULL: the same as the others */
    uint64_t rows;
    uint64_t octets;
    uint64_t done_ns; /* 0: not yet */
};

struct table {
    const struct options *options;
    const char *prefix; /* of the locations that are asked for; NULL: all */
    uint64_t wanted; /* rows of the set that must come */
    struct table_rows rows; /* of the transcript */
    bool grows; /* set by the caller: rows of the set may be missing or reserved */
    size_t end; /* of the answer, in the transcript; 0: not yet */
    struct table_share *shares; /* by link number */
    size_t count;
    size_t done; /* shares that are */
};

/* For a set of count links. options and prefix must stay valid. */
void table_open(struct table *table, const struct options *options, size_t count,
                const char *prefix);
void table_close(struct table *table);

/* Take the memory for the answer now, so that this takes no measured time. */
void table_expect(const struct table *table, struct link_set *set);

/*
 * Send the command, UPDATE or LIST, on a LINK_READY link. Outside of the callbacks
 * link_flush() must follow. table_message(), table_advance() and table_own() are
 * then to be called from on_message, on_advance and on_own.
 */
void table_ask(struct table *table, struct link *link, const char *word);

/*
 * The same, of a link that does not share the transcript and may ask again after
 * each answer. on_message is enough then.
 */
void table_ask_alone(struct table *table, struct link *link, const char *word);

/*
 * A message to the link. True if it belongs to the answer: false is what comes
 * behind the OK.
 */
bool table_message(struct table *table, struct link *link, const struct message *message);

void table_advance(struct table *table, struct link *link);
void table_own(struct table *table, struct link *link);

/* Whether the link has the whole answer. */
bool table_has(const struct table *table, const struct link *link);

/*
 * Report rows and bytes of one subscriber, and rows_per_s and bytes_per_s of all
 * together in the time from start_ns until the last one was done.
 */
void table_report(const struct table *table, uint64_t start_ns);

#endif
