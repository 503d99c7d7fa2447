/*
 * The newest part of the log of changes, kept in memory for as long as a
 * subscriber has yet to pass it. A subscriber is a position in it, never a
 * queue of its own, so a change costs the same memory for one subscriber as
 * for a thousand, and nothing when there is none.
 *
 * An entry says which mailbox changed, and which servers it left and came to.
 * What is sent is the row as it is at sending time: an older state can never
 * follow a newer one.
 *
 * It belongs to the loop's thread.
 *
 * SPDX-License-Identifier: BSD-3-Clause
 */
#ifndef FEED_FEED_H
#define FEED_FEED_H

#include "mupdated/table/row.h"

struct feed;

/* One change. Valid until the subscriber that it was given to moves on. */
struct feed_change {
    uint64_t sequence;
    int64_t time_us; /* when it was made: microseconds since 1970, UTC */
    struct mupdate_text name;
    struct mupdate_text old_server; /* empty: the mailbox was nowhere */
    struct mupdate_text new_server; /* empty: the mailbox is gone */
};

/* A position. Embedded in its owner; all zero before feed_join(). */
struct feed_position {
    void *owner; /* the owner's, untouched here */
    struct feed *feed;
    struct feed_entry *at; /* the last change passed */
    struct feed_position *previous;
    struct feed_position *next;
};

/* An empty feed whose newest change is sequence; NULL: out of memory. */
struct feed *feed_new(uint64_t sequence);

/* All positions must have left. */
void feed_free(struct feed *feed);

/*
 * Append a change; its sequence is the newest one's plus 1. False when memory
 * ran out: every position then misses a change, unless it is appended after all at
 * once; its owner must be dropped.
 */
bool feed_publish(struct feed *feed, const struct change *change);

/* Sequence of the newest change. */
uint64_t feed_sequence(const struct feed *feed);

/* Start at the newest change: what comes later will be seen. */
void feed_join(struct feed *feed, struct feed_position *position);
void feed_leave(struct feed_position *position);

/* The oldest change not yet passed, or false when there is none. */
bool feed_peek(const struct feed_position *position, struct feed_change *change);

/*
 * Look ahead: the change behind *at, which moves on to it, or false when there
 * is none. Begin with a position's at.
 */
bool feed_next(struct feed_entry **at, struct feed_change *change);

/* Pass all up to one that feed_next() moved on to. */
void feed_pass_to(struct feed_position *position, struct feed_entry *to);

/* Pass the change that feed_peek() gave. */
void feed_pass(struct feed_position *position);

/* How many changes were published and not yet passed. */
uint64_t feed_behind(const struct feed_position *position);

/* The furthest that any position is behind. */
uint64_t feed_worst(const struct feed *feed);

/* All positions: the first, and the next of each (NULL at the end). */
struct feed_position *feed_first(const struct feed *feed);

#endif
