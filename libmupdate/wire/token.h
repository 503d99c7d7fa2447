/*
 * The words of one line: atoms, quoted strings, and the announcement of a
 * literal at its end (RFC 3656, sections 2.1, 2.2, 5; RFC 2244, section 8).
 *
 * A command or response is one run of bytes in memory: lines and the literals
 * between them. Tokens are positions in it, so that it may move while it grows.
 *
 * SPDX-License-Identifier: BSD-3-Clause
 */
#ifndef WIRE_TOKEN_H
#define WIRE_TOKEN_H

#include <mupdate/types.h>

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum wire_token_type {
    WIRE_ATOM,
    WIRE_QUOTED,
    WIRE_ESCAPED, /* a quoted string that still holds its backslashes */
    WIRE_LITERAL,
    WIRE_EQUALS,  /* "=" with a literal of no octets glued to it: Cyrus writes an empty
                     initial response of an authentication so */
};

struct wire_token {
    enum wire_token_type type;
    size_t at;  /* the first octet of the content, from the first byte of the command */
    size_t len; /* octets of the content, without quotes */
};

struct wire_tokens {
    struct wire_token *items; /* room for max, the caller's */
    size_t count;
    size_t max;
};

/* A number of octets being read, digit by digit. */
struct wire_count {
    uint64_t octets;
    unsigned int digits;
    bool overflow; /* more than 64 bits, or more digits than such a number has */
};

/* What a literal's announcement says. */
struct wire_literal {
    struct wire_count count;
    bool waits; /* {n}: the sender waits for "+ go ahead"; {n+}: it does not */
};

enum wire_scan {
    WIRE_SCAN_END,     /* the line ends the command */
    WIRE_SCAN_LITERAL, /* the last token is a literal, whose octets follow the line */
    WIRE_SCAN_ERROR,   /* *error says what is wrong; the tokens before it are there */
};

/*
 * Split the line command[from] .. command[to - 1] into tokens, which are added
 * to `tokens`. The line includes its LF or CR LF; without one it is an error
 * behind the last whole token. from is 0 for a command's first line, else the
 * line continues behind a literal. Nothing is written to the bytes.
 *
 * A literal's token is added with at = to and, when its count did not overflow
 * and fits in a size_t, len = its octets (else SIZE_MAX): whether it is taken
 * is the caller's decision.
 */
enum wire_scan wire_scan_line(const uint8_t *command, size_t from, size_t to,
                              struct wire_tokens *tokens, struct wire_literal *literal,
                              const char **error);

/* The content of a token; the backslashes of an escaped one are taken out in place. */
struct mupdate_text wire_token_text(uint8_t *command, struct wire_token *token);

/* Whether an atom is this word, which is given in capitals; case does not matter (5). */
bool wire_token_is(const uint8_t *command, const struct wire_token *token, const char *word);

/* Add a decimal digit. */
void wire_count_digit(struct wire_count *count, uint8_t digit);

#endif
