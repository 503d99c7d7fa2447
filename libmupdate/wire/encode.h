/*
 * What goes out: strings, replies and rows, appended to a buffer. Running out
 * of memory shows in the buffer.
 *
 * SPDX-License-Identifier: BSD-3-Clause
 */
#ifndef WIRE_ENCODE_H
#define WIRE_ENCODE_H

#include "wire/buffer.h"

#include <mupdate/types.h>

/* Octets of a quoted text, without its quotes: a reply is never longer than the
   1,024 octets of a line that every peer must read (RFC 3656, section 2). */
#define ENCODE_TEXT_BYTES 512

/* Room for the decimal digits of any size_t. */
#define ENCODE_DIGITS 20

/* Write the decimal digits of a number; returns how many. No NUL is added. */
size_t encode_number(uint8_t *to, uint64_t number);

/* A literal that needs no invitation: {n+} CR LF and the octets (2.2). */
void encode_literal(struct buffer *out, struct mupdate_text text);

/*
 * A text for people as a quoted string (2.2): quotes and backslashes escaped,
 * what is not printable ASCII shown as "?", cut at ENCODE_TEXT_BYTES. NULL is
 * the empty text.
 */
void encode_quoted(struct buffer *out, const char *text);

/* A reply's line (3.1 to 3.4): tag SP word SP quoted text CR LF. */
void encode_reply(struct buffer *out, struct mupdate_text tag, enum mupdate_reply reply,
                  const char *text);

/* How many octets a row's lines take; SIZE_MAX: more than can be counted. */
size_t encode_row_len(struct mupdate_text tag, const struct mupdate_row *row);

/* Write these octets. */
void encode_row_put(uint8_t *to, struct mupdate_text tag, const struct mupdate_row *row);

/* A row's lines (3.5 to 3.7): MAILBOX, RESERVE, or DELETE for an absent one. */
void encode_row(struct buffer *out, struct mupdate_text tag, const struct mupdate_row *row);

#endif
