/* SPDX-License-Identifier: BSD-3-Clause */
#include "wire/tail.h"

#include <string.h>

static bool is_digit(uint8_t c)
{
    return c >= '0' && c <= '9';
}

/* The state behind an octet that did not go on with what the state before it began. */
static enum wire_tail_state start_over(uint8_t c)
{
    if (c == '\n')
        return WIRE_TAIL_END;
    if (c == '"')
        return WIRE_TAIL_QUOTED;
    return c == ' ' ? WIRE_TAIL_BLANK : WIRE_TAIL_PLAIN;
}

static enum wire_tail_state announced(const struct wire_tail *tail)
{
    /* Nobody invited the literal, so its sender does not send it. */
    if (tail->waits)
        return WIRE_TAIL_END;
    return tail->count.overflow ? WIRE_TAIL_ENDLESS : WIRE_TAIL_LITERAL;
}

static enum wire_tail_state step(struct wire_tail *tail, uint8_t c)
{
    switch (tail->state) {
    case WIRE_TAIL_QUOTED:
        if (c == '\n')
            return WIRE_TAIL_END;
        if (c == '\\')
            return WIRE_TAIL_ESCAPE;
        return c == '"' ? WIRE_TAIL_PLAIN : WIRE_TAIL_QUOTED;
    case WIRE_TAIL_ESCAPE:
        return c == '\n' ? WIRE_TAIL_END : WIRE_TAIL_QUOTED;
    case WIRE_TAIL_BLANK:
    case WIRE_TAIL_EQUALS:
        if (c == '{') {
            tail->count = (struct wire_count){ 0 };
            tail->waits = true;
            return WIRE_TAIL_COUNT;
        }
        if (c == '=' && tail->state == WIRE_TAIL_BLANK)
            return WIRE_TAIL_EQUALS;
        return start_over(c);
    case WIRE_TAIL_COUNT:
        if (is_digit(c)) {
            wire_count_digit(&tail->count, c);
            return WIRE_TAIL_COUNT;
        }
        if (tail->count.digits > 0 && c == '+') {
            tail->waits = false;
            return WIRE_TAIL_PLUS;
        }
        if (tail->count.digits > 0 && c == '}')
            return WIRE_TAIL_BRACE;
        return start_over(c);
    case WIRE_TAIL_PLUS:
        return c == '}' ? WIRE_TAIL_BRACE : start_over(c);
    case WIRE_TAIL_BRACE:
        if (c == '\r')
            return WIRE_TAIL_CR;
        return c == '\n' ? announced(tail) : start_over(c);
    case WIRE_TAIL_CR:
        return c == '\n' ? announced(tail) : start_over(c);
    case WIRE_TAIL_RAW:
        return c == '\n' ? WIRE_TAIL_END : WIRE_TAIL_RAW;
    default:
        return start_over(c);
    }
}

size_t wire_tail_feed(struct wire_tail *tail, const uint8_t *data, size_t len)
{
    size_t used = 0;

    while (used < len && !wire_tail_done(tail))
        tail->state = step(tail, data[used++]);
    return used;
}
