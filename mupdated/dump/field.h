/*
 * The fields of a line of a dump. There is one way only to write a value, so
 * equal tables have equal dumps.
 *
 * SPDX-License-Identifier: BSD-3-Clause
 */
#ifndef DUMP_FIELD_H
#define DUMP_FIELD_H

#include <mupdate/types.h>

#include "wire/buffer.h"

/*
 * Append a text: blanks, controls, octets from 0x7F on and backslashes as \xHH with
 * capital letters; an empty one as "\-". A failure is the buffer's.
 */
void field_write(struct buffer *out, struct mupdate_text text);

/* The next field of a line: up to a blank, which is taken too, or the end. False: no more. */
bool field_next(struct mupdate_text *line, struct mupdate_text *field);

/*
 * Undo what field_write() did, in place: the octets are the line's, and may be changed.
 * Returns NULL, or what is wrong; static.
 */
const char *field_read(struct mupdate_text field, struct mupdate_text *text);

/* A decimal number without sign or leading zeros. False: it is none, or too large. */
bool field_number(struct mupdate_text field, uint64_t *number);

/* The same; negative ones have a "-". */
bool field_signed(struct mupdate_text field, int64_t *number);

/* Exactly count octets as hexadecimal digits, with small letters. */
bool field_hex(struct mupdate_text field, unsigned char *octets, size_t count);
void field_write_hex(struct buffer *out, const unsigned char *octets, size_t count);

/* Append as printf(3) says; for what is short. */
void field_print(struct buffer *out, const char *format, ...) __attribute__((format(printf, 2, 3)));

#endif
