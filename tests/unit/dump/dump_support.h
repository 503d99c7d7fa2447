/*
 * Dumps in memory, for tests.
 *
 * SPDX-License-Identifier: BSD-3-Clause
 */
#ifndef TESTS_DUMP_SUPPORT_H
#define TESTS_DUMP_SUPPORT_H

#include "mupdated/dump/reader.h"
#include "mupdated/dump/writer.h"

extern const struct rule_policy dump_policy;

/* What a reader said of a dump. */
struct dump_verdict {
    enum dump_result result;
    uint64_t rows;
    unsigned complaints;
    uint64_t line;      /* of the first complaint */
    char text[256];     /* and what it says */
};

/* A header of that many rows, whose last change has the number 1000. */
struct dump_header dump_header_of(uint64_t rows);

/* A row: state by whether it has an ACL. */
struct row dump_row_of(const char *name, const char *location, const char *acl);

/* Write the rows; fails the test when that does not work. out is empty at first. */
void dump_write(const struct dump_header *header, const struct row *rows, size_t count,
                struct buffer *out);

/*
 * Read octets in pieces of piece octets, each in memory of its own; the rows must be those of
 * expect, as far as they come (NULL: any).
 */
struct dump_verdict dump_read(const void *data, size_t len, size_t piece, const struct row *expect);

/* Append the trailer that is right for what stands before it, with rows rows. */
void dump_append_trailer(struct buffer *dump, uint64_t rows);

/* Replace the trailer of a dump that was changed by one that is right for rows rows. */
void dump_seal(struct buffer *dump, uint64_t rows);

#endif
