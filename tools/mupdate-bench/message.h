/*
 * One message of MUPDATE (RFC 3656, section 5) cut out of a buffer: a tag, a
 * word and strings. Replies and commands have the same shape, so the generator
 * and its responder share it. Made for speed: nothing is copied, and a message
 * that is not all there yet is simply scanned again when more has arrived.
 *
 * SPDX-License-Identifier: BSD-3-Clause
 */
#ifndef MUPDATE_BENCH_MESSAGE_H
#define MUPDATE_BENCH_MESSAGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { MESSAGE_ARGUMENTS = 4, MESSAGE_LITERAL_BYTES = 1 << 20 };

/* A view of the parsed buffer, valid as long as that is not moved. */
struct message_text {
    const char *data;
    size_t len;
};

struct message {
    struct message_text tag;
    struct message_text word;
    size_t count;
    struct message_text arguments[MESSAGE_ARGUMENTS];
    size_t octets; /* length of the whole message, its line end included */
};

enum message_result {
    MESSAGE_WHOLE,   /* *message is filled */
    MESSAGE_PARTIAL, /* more octets are needed */
    MESSAGE_BAD,     /* this is not a message */
};

/*
 * Parse the message that starts at data. Strings may be quoted or literals
 * ({n} and {n+} up to MESSAGE_LITERAL_BYTES); what is inside quotes is given as
 * it was sent, with its backslashes.
 */
enum message_result message_parse(const char *data, size_t len, struct message *message);

bool message_text_is(struct message_text text, const char *word);

/* The number n of a tag "X<n>". False if the tag has another form. */
bool message_tag_number(struct message_text tag, uint64_t *number);

#endif
