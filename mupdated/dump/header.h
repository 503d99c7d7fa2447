/*
 * The dump: the table as text that no engine is needed for, version 1. The form
 * is in mupdate-dump(5). Here: what stands in the first line and the last.
 *
 * Nothing in this room does I/O: octets in, rows out, and the other way round.
 *
 * SPDX-License-Identifier: BSD-3-Clause
 */
#ifndef DUMP_HEADER_H
#define DUMP_HEADER_H

#include "mupdated/table/row.h"
#include "wire/buffer.h"

#define DUMP_VERSION 1
#define DUMP_HISTORY_BYTES 16

/* The longest who that a dump may hold: no login name of any server is longer. */
#define DUMP_WHO_BYTES 4096

struct dump_header {
    unsigned char history[DUMP_HISTORY_BYTES]; /* of the table that was dumped */
    uint64_t term;
    uint64_t sequence;                         /* of its last change */
    uint64_t rows;
    int64_t time_s;                            /* when: seconds since 1970, UTC */
    struct mupdate_text server;                /* only the rows of this one; empty: all rows */
};

/* Append the header's line. A failure is the buffer's. */
void dump_header_write(const struct dump_header *header, struct buffer *out);

/*
 * Read it from a line without its end. Returns NULL, or what is wrong, in words; static.
 * *header's server points into the line, which is changed where it is unescaped.
 */
const char *dump_header_read(char *line, size_t len, struct dump_header *header);

/* "2026-11-22T10:15:00Z"; a time outside the years 1000 to 9999 becomes the first of 1970. */
#define DUMP_TIME_BYTES 21
void dump_time_write(int64_t time_s, char text[DUMP_TIME_BYTES]);

#endif
