/*
 * Write what ctl_mboxlist -u of Cyrus takes: rows in, octets out. Nothing is lost in silence: a
 * row that would come back from Cyrus as another is not written.
 *
 * JSON, for Cyrus 3.6 and later, octet for octet as its own ctl_mboxlist -d prints it of a
 * front-end, and with what its -u asks for but its -d leaves out there: the unique id, which is
 * made of the name. Text, for Cyrus 2.4 to 3.4.
 *
 * An object belongs to one thread at a time.
 *
 * SPDX-License-Identifier: BSD-3-Clause
 */
#ifndef MUPDATECTL_CYRUS_WRITER_H
#define MUPDATECTL_CYRUS_WRITER_H

#include "mupdated/table/order.h"
#include "tools/mupdatectl/cyrus_reader.h"

struct cyrus_writer {
    enum cyrus_form form;
    uint64_t rows;
};

/* Said when memory ran out. */
extern const char cyrus_writer_no_memory[];

/* Append what stands before all rows. A failure is the buffer's. */
void cyrus_writer_begin(struct cyrus_writer *writer, enum cyrus_form form, struct buffer *out);

/*
 * Append a row, active or reserved. Returns NULL, or why nothing was appended: the form cannot hold
 * it, in words that are static; or cyrus_writer_no_memory.
 */
const char *cyrus_writer_row(struct cyrus_writer *writer, const struct row *row,
                             struct buffer *out);

/* Append what stands behind all rows. */
void cyrus_writer_end(struct cyrus_writer *writer, struct buffer *out);

/* The order in which Cyrus lists the names. */
enum list_order cyrus_writer_order(enum cyrus_form form);

#endif
