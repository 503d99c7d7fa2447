/*
 * Base64 as an authentication exchange uses it (RFC 3656, section 4.2;
 * RFC 2045, section 6.8): without line breaks, with padding.
 *
 * SPDX-License-Identifier: BSD-3-Clause
 */
#ifndef WIRE_BASE64_H
#define WIRE_BASE64_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* How many characters len octets become; SIZE_MAX when that does not fit. */
size_t base64_encoded_len(size_t len);

/* Encode len octets to `to`, which has room for base64_encoded_len(len). No NUL is added. */
void base64_encode(char *to, const void *data, size_t len);

/*
 * Decode len characters in place: the octets replace the characters from the
 * front, *decoded is their number. Strict: false for any other character,
 * missing or superfluous padding, or unused bits that are not zero; the text
 * is then partly overwritten.
 */
bool base64_decode(uint8_t *text, size_t len, size_t *decoded);

#endif
