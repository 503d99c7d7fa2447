/*
 * The master's state at one moment, gathered once for all who show it: the
 * control socket and the metrics.
 *
 * For the loop's thread, but for stats_disk().
 *
 * SPDX-License-Identifier: BSD-3-Clause
 */
#ifndef CONTROL_STATS_H
#define CONTROL_STATS_H

#include "mupdated/counters.h"
#include "mupdated/feed/subscription.h"
#include "mupdated/store/store.h"
#include "mupdated/table/table.h"
#include "mupdated/writer/writer.h"

struct master;
struct connection;

/* What a connection does. */
enum stats_activity {
    STATS_LOGIN,     /* not logged in yet */
    STATS_COMMANDS,  /* logged in: asks and changes */
    STATS_DUMPING,   /* an UPDATE's rows go out */
    STATS_STREAMING, /* it has them: changes go out as they come */
    STATS_CLOSING,
};
#define STATS_ACTIVITIES (STATS_CLOSING + 1)

/* In one word; static. */
const char *stats_activity_name(enum stats_activity activity);

/* The rows of one server. */
struct stats_server {
    struct mupdate_text name; /* the table's: valid until its next change */
    uint64_t active;
    uint64_t reserved;
};

/* The connections of one identity. */
struct stats_user {
    const char *name; /* valid until the loop goes on */
    uint64_t connections;
};

struct stats_subscriber {
    const struct connection *connection; /* valid until the loop goes on */
    bool partial;
    bool dumping;
    uint64_t sequence;      /* the last change it was sent, or began its dump behind */
    uint64_t behind;        /* changes */
    double behind_seconds;  /* how old the oldest of these is */
    uint64_t backlog_bytes; /* encoded, and not taken by its socket yet */
};

/* The file system that the database is on. */
struct stats_disk {
    uint64_t size_bytes;
    uint64_t free_bytes;
    uint64_t used_bytes; /* by the database's files */
};

struct stats {
    /* the process */
    int64_t now_us;         /* since 1970, as all that end in _time_us */
    int64_t start_time_us;
    double uptime_seconds;
    uint64_t resident_bytes;
    int64_t certificate_time_us; /* when it expires; 0: there is none */
    /* the table */
    bool confirmed;
    struct store_position position;
    struct table_counts rows;
    uint64_t stale;         /* rows reserved for longer than stale_seconds */
    double stale_seconds;   /* the key stale_reservations_after */
    unsigned char digest[DIGEST_BYTES];
    struct stats_server *servers; /* in octet order */
    size_t server_count;
    /* connections */
    uint64_t connections;
    uint64_t connections_max;
    uint64_t by_activity[STATS_ACTIVITIES];
    struct stats_user *users; /* those logged in, in octet order */
    size_t user_count;
    struct stats_subscriber *subscribers; /* the furthest behind first */
    size_t subscriber_count;
    uint64_t lag_changes;   /* the furthest that a subscriber is behind */
    double lag_seconds;
    uint64_t backlog_bytes; /* of all subscribers together */
    struct counters counters;
    /* the writer; all zero when it does not run */
    uint64_t pending;       /* changes that wait for it */
    struct writer_stats writer;
    struct stats_disk disk;
    int64_t backup_time_us; /* of the last one that mupdatectl told of; 0: not since the start */
};

/* For any thread that may wait for the disk. All zero if it cannot be asked. */
void stats_disk(const char *directory, struct stats_disk *disk);

/* False: out of memory; nothing is to be freed then. */
bool stats_gather(struct master *master, const struct stats_disk *disk, struct stats *stats);
void stats_free(struct stats *stats);

enum stats_activity stats_activity(const struct connection *connection);

/* What a subscriber has not taken; the connection has a subscription. */
void stats_subscriber(const struct connection *connection, int64_t now_us,
                      struct stats_subscriber *subscriber);

#endif
