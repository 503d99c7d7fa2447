/*
 * Read a dump, and check all of it: octets in, rows out. Memory is bounded by
 * the longest line that the policy allows.
 *
 *     dump_reader_give(reader, data, len);
 *     while ((result = dump_reader_next(reader, &row)) == DUMP_ROW)
 *         ...
 *     DUMP_MORE: give more, or dump_reader_finish() at the end of the file
 *
 * A row may be used for good only after DUMP_END: a fault may stand behind it.
 *
 * An object belongs to one thread at a time.
 *
 * SPDX-License-Identifier: BSD-3-Clause
 */
#ifndef DUMP_READER_H
#define DUMP_READER_H

#include "mupdated/dump/header.h"
#include "mupdated/table/rule.h"

/* After so many complaints nothing more is read. */
#define DUMP_COMPLAINTS_MAX 20

struct dump_reader;

enum dump_result {
    DUMP_ROW,
    DUMP_MORE,      /* all that was given is used up */
    DUMP_END,       /* all rows came and the trailer agrees: the dump is whole */
    DUMP_BAD,       /* there were complaints, and that is all of them */
    DUMP_NO_MEMORY,
};

/* What is wrong with a line, counted from 1; a sentence without a stop, valid during the call. */
typedef void dump_complain(void *context, uint64_t line, const char *text);

/* The policy, copied, says what a row may be. NULL: out of memory. */
struct dump_reader *dump_reader_new(const struct rule_policy *policy, dump_complain *complain,
                                    void *context);

/* NULL is allowed. */
void dump_reader_free(struct dump_reader *reader);

/* The next octets of the file, when dump_reader_next() said DUMP_MORE or at first; not copied. */
void dump_reader_give(struct dump_reader *reader, const void *data, size_t len);

/* The file ends here. */
void dump_reader_finish(struct dump_reader *reader);

/*
 * Go on. A row is valid until the next call; after a complaint no more rows come. The octets
 * that were given must stay until this says DUMP_MORE. After DUMP_END, DUMP_BAD or
 * DUMP_NO_MEMORY it says the same again.
 */
enum dump_result dump_reader_next(struct dump_reader *reader, struct row *row);

/* The header, once a row or DUMP_END came; else NULL. Valid as long as the reader. */
const struct dump_header *dump_reader_header(const struct dump_reader *reader);

/* Octets that were read so far. */
uint64_t dump_reader_octets(const struct dump_reader *reader);

#endif
