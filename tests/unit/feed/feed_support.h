/*
 * A master's table with all that feeds from it, and replicas that follow it
 * through real sessions: each keeps a table of what it was told.
 *
 * SPDX-License-Identifier: BSD-3-Clause
 */
#ifndef FEED_SUPPORT_H
#define FEED_SUPPORT_H

#include "mupdated/feed/subscription.h"
#include "tests/unit/server/server_support.h"
#include "tests/unit/table/table_support.h"

struct feed_master {
    struct table *table;
    struct departed *departed;
    struct subscription_sources from;
};

/* So few rows are looked at at once for the healing that a small table takes many turns. */
#define FEED_SUPPORT_SLICE_ROWS 3

/* An empty table; pieces of dumps are kept up to kept_bytes. */
void feed_master_open(struct feed_master *master, size_t kept_bytes);
void feed_master_close(struct feed_master *master);

/* Make a row so, or delete it; made again with the same acl it still is a change. */
void feed_master_set(struct feed_master *master, const char *name, enum mupdate_state state,
                     const char *acl);

/* A replica: a client that keeps what it is told. */
struct replica {
    struct feed_master *master;
    struct server_support support;
    struct subscription subscription;
    struct table *table;
    struct buffer received; /* not whole yet */
    char tag[16];
    bool synchronised;      /* the OK of UPDATE came */
    size_t oks;             /* how many came in all */
    size_t rows;            /* how many were told */
    size_t octets;
    struct buffer told;     /* a line for each reply: "+NAME", "-NAME" deleted, "=" OK */
    uint64_t now_ms;
};

/* Log in and ask: for the rows of a server only, or for all with NULL. heal_delay_ms may be -1. */
void replica_open(struct replica *replica, struct feed_master *master, const char *tag,
                  const char *server, int heal_delay_ms);
void replica_close(struct replica *replica);

/* Let the master run once, and read up to so many octets of what it has to say. */
enum subscription_progress replica_run(struct replica *replica, size_t octets);

/* Send a NOOP, and let the master take it. */
void replica_noop(struct replica *replica);

/* Read without limit until nothing more comes. */
void replica_finish(struct replica *replica);

/* It has exactly the master's rows. */
void replica_expect_equal(const struct replica *replica);

/* What it was told since replica_forget(). */
const char *replica_told(struct replica *replica);
void replica_forget(struct replica *replica);

#endif
