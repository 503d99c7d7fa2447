/*
 * What the server sends to many subscribers that all asked the same with the
 * same tag: the same octets, as long as it does not change its mind. The
 * transcript keeps those octets once. Whoever is ahead extends it, and what is
 * new is parsed and checked; whoever follows is compared with it, which is far
 * cheaper than parsing and just as strict.
 *
 * SPDX-License-Identifier: BSD-3-Clause
 */
#ifndef MUPDATE_BENCH_TRANSCRIPT_H
#define MUPDATE_BENCH_TRANSCRIPT_H

#include "message.h"

struct transcript {
    char *data;     /* NULL until the first octets */
    size_t end;     /* octets kept */
    size_t parsed;  /* of them, in messages that transcript_next() has given */
    size_t partial; /* end when the message at parsed was seen to be incomplete */
};

/* The most that is kept: ten million rows. Memory is taken as it fills ... */
#define TRANSCRIPT_BYTES ((size_t)1 << 31)

/* ... or now for the first len octets, so that this takes no time later. */
void transcript_expect(struct transcript *transcript, size_t len);

/* Free what is kept; the transcript is then empty, as one that is all zero. */
void transcript_close(struct transcript *transcript);

/*
 * A subscriber that is at *at got these octets next. True, and *at moves on, if
 * the transcript says the same or ends there and was extended. False if it says
 * something else or is full. Ends the process when there is no memory.
 */
bool transcript_take(struct transcript *transcript, size_t *at, const char *data, size_t len);

/* Whether transcript_next() would look at something new. */
bool transcript_behind(const struct transcript *transcript);

/*
 * The next message that nobody has been given yet; MESSAGE_PARTIAL if the
 * transcript ends within it. The views last until the transcript is closed.
 */
enum message_result transcript_next(struct transcript *transcript, struct message *message);

#endif
