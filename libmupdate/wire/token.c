/* SPDX-License-Identifier: BSD-3-Clause */
#include "wire/token.h"

#include <string.h>

/* The digits of UINT64_MAX. */
#define COUNT_DIGITS 20

#define IN_ATOM 1   /* ATOM-CHAR of RFC 2244 */
#define IN_QUOTED 2 /* stands for itself between quotes */

/* Rows of 16 octets. 8-bit octets and tabs are fine between quotes: names and ACLs hold them. */
static const uint8_t classes[256] = {
    0, 2, 2, 2, 2, 2, 2, 2, 2, 2, 0, 2, 2, 0, 2, 2, /* NUL, LF, CR */
    2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2,
    2, 3, 0, 3, 3, 3, 3, 3, 2, 2, 3, 3, 3, 3, 3, 3, /* SP " ( ) */
    3, 3, 3, 3, 3, 3, 3, 3, 3, 3, 3, 3, 3, 3, 3, 3,
    3, 3, 3, 3, 3, 3, 3, 3, 3, 3, 3, 3, 3, 3, 3, 3,
    3, 3, 3, 3, 3, 3, 3, 3, 3, 3, 3, 3, 0, 3, 3, 3, /* backslash */
    3, 3, 3, 3, 3, 3, 3, 3, 3, 3, 3, 3, 3, 3, 3, 3,
    3, 3, 3, 3, 3, 3, 3, 3, 3, 3, 3, 2, 3, 3, 3, 2, /* { DEL */
    2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2,
    2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2,
    2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2,
    2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2,
    2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2,
    2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2,
    2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2,
    2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2,
};

void wire_count_digit(struct wire_count *count, uint8_t digit)
{
    unsigned int value = digit - (unsigned int)'0';

    if (++count->digits > COUNT_DIGITS || count->octets > (UINT64_MAX - value) / 10) {
        count->overflow = true;
        count->digits = COUNT_DIGITS; /* a long run of digits must not wrap it */
        return;
    }
    count->octets = count->octets * 10 + value;
}

static bool at_line_end(const uint8_t *p, const uint8_t *end)
{
    return (end - p >= 1 && p[0] == '\n') || (end - p >= 2 && p[0] == '\r' && p[1] == '\n');
}

static bool add(struct wire_tokens *tokens, enum wire_token_type type, size_t at, size_t len,
                const char **error)
{
    if (tokens->count == tokens->max) {
        *error = "too many arguments";
        return false;
    }
    tokens->items[tokens->count++] = (struct wire_token){ type, at, len };
    return true;
}

/* p is behind the opening brace. False when this is no announcement that ends the line. */
static bool scan_literal(const uint8_t *p, const uint8_t *end, struct wire_literal *literal)
{
    *literal = (struct wire_literal){ .waits = true };
    while (p < end && *p >= '0' && *p <= '9')
        wire_count_digit(&literal->count, *p++);
    if (p < end && *p == '+') {
        literal->waits = false;
        p++;
    }
    return literal->count.digits > 0 && p < end && *p == '}' && at_line_end(p + 1, end);
}

/* p is behind the opening quote. Returns what is behind the closing one, or NULL. */
static const uint8_t *scan_quoted(const uint8_t *p, const uint8_t *end, enum wire_token_type *type,
                                  const char **error)
{
    *type = WIRE_QUOTED;
    for (;;) {
        while (p < end && classes[*p] & IN_QUOTED)
            p++;
        if (p == end || *p == '\n' || *p == '\r' || *p == '\0') {
            *error = p < end && *p == '\0' ? "NUL in a quoted string"
                                           : "a quoted string is not closed on its line";
            return NULL;
        }
        if (*p == '"')
            return p + 1;
        if (end - p < 2 || (p[1] != '"' && p[1] != '\\')) {
            *error = "a quoted string escapes something else than a quote or a backslash";
            return NULL;
        }
        *type = WIRE_ESCAPED;
        p += 2;
    }
}

enum wire_scan wire_scan_line(const uint8_t *command, size_t from, size_t to,
                              struct wire_tokens *tokens, struct wire_literal *literal,
                              const char **error)
{
    const uint8_t *p = command + from;
    const uint8_t *end = command + to;
    bool separated = from == 0;

    if (from == 0 && at_line_end(p, end)) {
        *error = "empty line";
        return WIRE_SCAN_ERROR;
    }
    for (;;) {
        const uint8_t *start;
        enum wire_token_type type;
        size_t quotes = 0;

        if (!separated) {
            if (p == end || *p != ' ') {
                if (at_line_end(p, end))
                    return WIRE_SCAN_END;
                *error = "one blank must separate arguments";
                return WIRE_SCAN_ERROR;
            }
            p++;
        }
        separated = false;

        start = p;
        if (p < end && *p == '"') {
            type = WIRE_QUOTED;
            quotes = 1;
            p = scan_quoted(p + 1, end, &type, error);
            if (!p)
                return WIRE_SCAN_ERROR;
        } else {
            type = WIRE_ATOM;
            while (p < end && classes[*p] & IN_ATOM)
                p++;
        }
        if (p < end && *p == '{' && !quotes) {
            bool equals = p - start == 1 && *start == '=';

            if ((p != start && !equals) || !scan_literal(p + 1, end, literal) ||
                (equals && (literal->count.octets != 0 || literal->count.overflow))) {
                *error = "malformed literal";
                return WIRE_SCAN_ERROR;
            }
            if (!add(tokens, equals ? WIRE_EQUALS : WIRE_LITERAL, to,
                     literal->count.overflow || literal->count.octets > SIZE_MAX
                         ? SIZE_MAX
                         : (size_t)literal->count.octets,
                     error))
                return WIRE_SCAN_ERROR;
            return WIRE_SCAN_LITERAL;
        }
        /* Only what is properly delimited counts: a tag that runs into garbage is not read. */
        if (p == start || ((p == end || *p != ' ') && !at_line_end(p, end))) {
            *error = p == start ? "an argument is missing or starts with a wrong character"
                                : "one blank must separate arguments";
            return WIRE_SCAN_ERROR;
        }
        if (!add(tokens, type, (size_t)(start - command) + quotes,
                 (size_t)(p - start) - 2 * quotes, error))
            return WIRE_SCAN_ERROR;
    }
}

struct mupdate_text wire_token_text(uint8_t *command, struct wire_token *token)
{
    uint8_t *data = command + token->at;

    if (token->type == WIRE_ESCAPED) {
        size_t len = 0;

        for (size_t i = 0; i < token->len; i++) {
            if (data[i] == '\\')
                i++;
            data[len++] = data[i];
        }
        token->len = len;
        token->type = WIRE_QUOTED;
    }
    return (struct mupdate_text){ (const char *)data, token->len };
}

bool wire_token_is(const uint8_t *command, const struct wire_token *token, const char *word)
{
    const uint8_t *data = command + token->at;
    size_t i;

    if (token->type != WIRE_ATOM)
        return false;
    for (i = 0; i < token->len && word[i]; i++) {
        uint8_t c = data[i];

        if (c >= 'a' && c <= 'z')
            c = (uint8_t)(c - 'a' + 'A');
        if (c != (uint8_t)word[i])
            return false;
    }
    return i == token->len && !word[i];
}
