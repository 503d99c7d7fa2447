/*
 * How a line that is not understood ends: does a literal follow it?
 *
 * After a malformed command the reader goes on to the end of the line. When
 * the line ends in " {n+}" outside of quotes its sender goes on with n octets,
 * which must not be taken for commands. The line is looked at as it passes;
 * nothing of it is kept.
 *
 * SPDX-License-Identifier: BSD-3-Clause
 */
#ifndef WIRE_TAIL_H
#define WIRE_TAIL_H

#include "wire/token.h"

enum wire_tail_state {
    WIRE_TAIL_PLAIN, /* within the line; also its start */
    WIRE_TAIL_RAW,   /* within a line in which quotes and braces mean nothing */
    WIRE_TAIL_QUOTED,
    WIRE_TAIL_ESCAPE, /* behind a backslash between quotes */
    WIRE_TAIL_BLANK,  /* behind a blank: only here a literal may start */
    WIRE_TAIL_EQUALS, /* " =", which Cyrus puts before an empty literal */
    WIRE_TAIL_COUNT,
    WIRE_TAIL_PLUS,
    WIRE_TAIL_BRACE, /* behind the closing brace */
    WIRE_TAIL_CR,    /* behind the CR behind the closing brace */
    /* The LF was seen: */
    WIRE_TAIL_END,     /* no literal follows, or one that waits for an invitation: all is over */
    WIRE_TAIL_LITERAL, /* count.octets octets follow, and then the command goes on */
    WIRE_TAIL_ENDLESS, /* so many follow that they cannot be counted */
};

struct wire_tail {
    enum wire_tail_state state; /* set to WIRE_TAIL_PLAIN or WIRE_TAIL_RAW at a line's start */
    struct wire_count count;
    bool waits;
};

/* Look at up to len bytes of a line. Returns how many belong to it, with its LF. */
size_t wire_tail_feed(struct wire_tail *tail, const uint8_t *data, size_t len);

static inline bool wire_tail_done(const struct wire_tail *tail)
{
    return tail->state >= WIRE_TAIL_END;
}

#endif
