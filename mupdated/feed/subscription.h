/*
 * One UPDATE: the dump, its OK, the changes since, and the healing of a Cyrus
 * replica's merge. A producer that can stop anywhere and go on exactly there.
 *
 * Healing. A Cyrus replica that was away may lose rows when it merges the dump
 * with its own list (table/departed.h says which), so exactly these are sent
 * once more (feed/heal.h), a moment after the OK: a replica does not look at what comes in
 * the same read as the OK until something else comes. For the same reason the
 * last change sent in that moment is repeated when nothing was to be healed.
 * A NOOP proves that the OK was read, so it ends the wait.
 *
 * It belongs to the loop's thread; it reads no clock: now_ms comes from outside.
 *
 * SPDX-License-Identifier: BSD-3-Clause
 */
#ifndef FEED_SUBSCRIPTION_H
#define FEED_SUBSCRIPTION_H

#include "mupdated/feed/dump.h"
#include "mupdated/feed/feed.h"
#include "mupdated/feed/heal.h"
#include "mupdated/feed/stream.h"
#include "mupdated/feed/walk.h"
#include "mupdated/table/departed.h"
#include "mupdated/table/table.h"

enum subscription_state {
    SUBSCRIPTION_DUMPING,   /* rows go out, no OK yet */
    SUBSCRIPTION_SETTLING,  /* changes go out; the replica gets its moment */
    SUBSCRIPTION_HEALING,   /* rows at risk go out, and changes */
    SUBSCRIPTION_LIVE,      /* changes go out as they come */
};

enum subscription_progress {
    SUBSCRIPTION_IDLE,   /* nothing to send until something changes, or wake_at_ms has come */
    SUBSCRIPTION_MORE,   /* call again */
    SUBSCRIPTION_FULL,   /* too many bytes wait: call again when they were sent */
    SUBSCRIPTION_FAILED, /* out of memory: drop the connection */
};

/* What a subscription is sent from. All of it outlives the subscription. */
struct subscription_sources {
    struct feed *feed;
    const struct table *table;
    struct slices *slices;
    struct stream *stream;
    struct departed *departed;
    struct heal *heal;
};

struct subscription {
    struct feed_position position;
    enum subscription_state state;
    struct subscription_sources from;
    struct dump dump;              /* of all rows, while DUMPING */
    struct walk walk;              /* of a partial dump */
    uint64_t dump_sequence;        /* the table's when the dump began */
    struct heal_member heal;       /* while HEALING */
    bool partial;                  /* only rows of these servers */
    struct buffer servers;         /* each as length (size_t) and octets */
    int heal_delay_ms;             /* -1: no healing */
    uint64_t wake_at_ms;           /* when SETTLING ends; 0: not known yet, or none waited for */
    struct buffer repeat;          /* name of the last change sent while SETTLING */
    bool noop;                     /* a NOOP waits for its OK */
    uint64_t noop_sequence;        /* and for this change to be sent */
};

/*
 * Start an UPDATE for which the session waits. servers: those of a partial
 * update, none for all. heal_delay_ms -1: no healing (a partial update is
 * never healed: no Cyrus replica asks for one). owner is put into the position.
 * False: out of memory.
 */
bool subscription_start(struct subscription *subscription, void *owner,
                        const struct subscription_sources *from,
                        const struct mupdate_text *servers, size_t server_count,
                        int heal_delay_ms);
void subscription_close(struct subscription *subscription);

/* A NOOP came: its OK is sent by subscription_run() once all before it was. */
void subscription_noop(struct subscription *subscription);

/*
 * Send the next slice. What it puts into the dump is to be sent behind the
 * session's output.
 */
enum subscription_progress subscription_run(struct subscription *subscription,
                                            struct mupdate_server *session, uint64_t now_ms);

#endif
