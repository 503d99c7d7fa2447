/* SPDX-License-Identifier: BSD-3-Clause */
#include "tests/fuzz/slow_scan.h"

#include <string.h>

enum place {
    AT_START, /* a token must start here */
    IN_WORD,
    IN_QUOTES,
    BEHIND_BACKSLASH,
    BEHIND_TOKEN, /* a blank or the line's end must come */
    IN_DIGITS,
    BEHIND_PLUS,
    BEHIND_BRACE,
    BEHIND_LAST_CR, /* of a literal's announcement */
    BEHIND_CR,
};

struct slow {
    enum place place;
    struct wire_token token;
    bool escaped;
    bool glued; /* the announcement follows "=" */
    bool waits;
    size_t digits;
    uint64_t number;
    bool huge;
};

/* ATOM-CHAR: any CHAR but SP, CTL, "(", ")", "{", quotes and backslashes. */
static bool in_atom(uint8_t c)
{
    return c > 0x20 && c < 0x7f && !strchr("(){\"\\", c);
}

static void add_digit(struct slow *slow, uint8_t c)
{
    unsigned int value = c - (unsigned int)'0';

    slow->huge |= ++slow->digits > 20 || __builtin_mul_overflow(slow->number, 10, &slow->number) ||
                  __builtin_add_overflow(slow->number, value, &slow->number);
}

enum wire_scan slow_scan(const uint8_t *command, size_t from, size_t to, struct wire_token *tokens,
                         size_t max, size_t *count, bool *waits)
{
    struct slow slow = { .place = from == 0 ? AT_START : BEHIND_TOKEN };

    if (from == 0 && to > 0 && (command[0] == '\n' || (to > 1 && command[0] == '\r' &&
                                                       command[1] == '\n')))
        return WIRE_SCAN_ERROR;
    for (size_t at = from; at < to; at++) {
        uint8_t c = command[at];
        bool ends = false; /* the token ends before this octet */

        switch (slow.place) {
        case AT_START:
            slow.token = (struct wire_token){ WIRE_ATOM, at, 0 };
            slow.escaped = slow.glued = slow.huge = false;
            slow.digits = 0;
            slow.number = 0;
            slow.place = IN_WORD;
            if (c == '"') {
                slow.token = (struct wire_token){ WIRE_QUOTED, at + 1, 0 };
                slow.place = IN_QUOTES;
            } else if (c == '{') {
                slow.place = IN_DIGITS;
            } else if (!in_atom(c)) {
                return WIRE_SCAN_ERROR;
            }
            break;
        case IN_WORD:
            if (c == '{' && at - slow.token.at == 1 && command[at - 1] == '=') {
                slow.glued = true;
                slow.place = IN_DIGITS;
            } else if (!in_atom(c)) {
                slow.token.len = at - slow.token.at;
                ends = true;
            }
            break;
        case IN_QUOTES:
            if (c == '\0' || c == '\r' || c == '\n')
                return WIRE_SCAN_ERROR;
            if (c == '\\') {
                slow.place = BEHIND_BACKSLASH;
            } else if (c == '"') {
                slow.token.type = slow.escaped ? WIRE_ESCAPED : WIRE_QUOTED;
                slow.token.len = at - slow.token.at;
                slow.place = BEHIND_TOKEN;
                /* It counts only when something that may follow it does. */
                if (at + 1 == to)
                    return WIRE_SCAN_ERROR;
                if (command[at + 1] != ' ' && command[at + 1] != '\n' &&
                    !(command[at + 1] == '\r' && at + 2 < to && command[at + 2] == '\n'))
                    return WIRE_SCAN_ERROR;
                if (*count == max)
                    return WIRE_SCAN_ERROR;
                tokens[(*count)++] = slow.token;
            }
            break;
        case BEHIND_BACKSLASH:
            if (c != '"' && c != '\\')
                return WIRE_SCAN_ERROR;
            slow.escaped = true;
            slow.place = IN_QUOTES;
            break;
        case IN_DIGITS:
            if (c >= '0' && c <= '9') {
                add_digit(&slow, c);
                break;
            }
            slow.waits = c == '}';
            if (slow.digits == 0 || (c != '}' && c != '+'))
                return WIRE_SCAN_ERROR;
            slow.place = c == '+' ? BEHIND_PLUS : BEHIND_BRACE;
            break;
        case BEHIND_PLUS:
            if (c != '}')
                return WIRE_SCAN_ERROR;
            slow.place = BEHIND_BRACE;
            break;
        case BEHIND_BRACE:
        case BEHIND_LAST_CR:
            if (c == '\r' && slow.place == BEHIND_BRACE) {
                slow.place = BEHIND_LAST_CR;
                break;
            }
            if (c != '\n' || (slow.glued && (slow.number != 0 || slow.huge)) || *count == max)
                return WIRE_SCAN_ERROR;
            *waits = slow.waits;
            tokens[(*count)++] = (struct wire_token){ slow.glued ? WIRE_EQUALS : WIRE_LITERAL, to,
                                                      slow.huge ? SIZE_MAX : slow.number };
            return WIRE_SCAN_LITERAL;
        case BEHIND_TOKEN:
        case BEHIND_CR:
            if (c == '\n')
                return WIRE_SCAN_END;
            if (slow.place == BEHIND_CR || (c != ' ' && c != '\r'))
                return WIRE_SCAN_ERROR;
            slow.place = c == ' ' ? AT_START : BEHIND_CR;
            break;
        }
        if (ends) {
            bool line_end = c == '\n' || (c == '\r' && at + 1 < to && command[at + 1] == '\n');

            if ((c != ' ' && !line_end) || *count == max)
                return WIRE_SCAN_ERROR;
            tokens[(*count)++] = slow.token;
            slow.place = c == ' ' ? AT_START : BEHIND_CR;
            if (c == '\n')
                return WIRE_SCAN_END;
        }
    }
    return WIRE_SCAN_ERROR;
}
