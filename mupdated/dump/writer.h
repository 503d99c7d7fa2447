/*
 * Write a dump: rows in, octets out, in memory of the size of one row.
 *
 * An object belongs to one thread at a time.
 *
 * SPDX-License-Identifier: BSD-3-Clause
 */
#ifndef DUMP_WRITER_H
#define DUMP_WRITER_H

#include "mupdated/dump/header.h"

struct dump_writer;

/* Takes the octets, in order, in pieces of some 64 kB. False: it cannot, and the dump ends. */
typedef bool dump_sink(void *context, const void *data, size_t len);

/* Begin, with the header, which is copied. NULL: out of memory. */
struct dump_writer *dump_writer_new(const struct dump_header *header, dump_sink *sink,
                                    void *context);

/* NULL is allowed. */
void dump_writer_free(struct dump_writer *writer);

/*
 * Write a row. False, and nothing but dump_writer_free() may follow: the sink said so, memory
 * ran out, the row is absent, or its name does not come behind that of the row before.
 */
bool dump_writer_row(struct dump_writer *writer, const struct row *row);

/* Write the trailer. False as above, or there were more or fewer rows than the header says. */
bool dump_writer_end(struct dump_writer *writer);

#endif
