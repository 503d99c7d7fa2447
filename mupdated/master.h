/*
 * One master: what its rooms share, and its life from start to stop. There is
 * one in the process; it belongs to the loop's thread.
 *
 * SPDX-License-Identifier: BSD-3-Clause
 */
#ifndef MUPDATED_MASTER_H
#define MUPDATED_MASTER_H

#include <uv.h>

#include "layer/tls.h"
#include "mupdated/auth/auth.h"
#include "mupdated/config.h"
#include "mupdated/counters.h"
#include "mupdated/feed/feed.h"
#include "mupdated/feed/heal.h"
#include "mupdated/feed/slice.h"
#include "mupdated/feed/stream.h"
#include "mupdated/net/net.h"
#include "mupdated/store/store.h"
#include "mupdated/table/departed.h"
#include "mupdated/table/table.h"
#include "mupdated/writer/writer.h"

/* Of the one copy of the database that there may be for an operator. */
enum master_copy {
    MASTER_COPY_NONE,
    MASTER_COPY_HELD,   /* it is made, or is somebody's */
    MASTER_COPY_ENDING, /* who asked for it is gone */
};

struct metrics;

struct master {
    uv_loop_t *loop;
    const struct config *config;
    const char *servername;  /* of the first configuration: a reload does not change it */
    struct tls_context *tls; /* NULL: no certificate is configured */
    uv_timer_t certificates; /* looks each day for one that expires */
    struct auth *auth;
    struct store *store;
    struct table *table;
    struct departed *departed;
    struct feed *feed;
    struct slices *slices;
    struct stream *stream;
    struct heal *heal;
    struct writer *writer;   /* NULL: takes no changes, at start and at the end */
    struct control *control; /* NULL: there is no control socket */
    struct metrics *metrics; /* NULL: there is no address for them */
    struct store_position position; /* of the start; first is kept up to date */
    struct counters counters;
    unsigned control_work;   /* of control/, under way in other threads: it uses the store */
    bool confirming;         /* control/confirm.c */
    int64_t backup_time_us;  /* control/saved.c: of the last backup; 0: not known */
    enum master_copy copy;   /* control/copy.c */
    uint64_t started_ns;     /* of uv_hrtime() */
    int64_t start_time_us;   /* since 1970 */
    uint64_t unconfirmed_log_ms;   /* net/unconfirmed.c: when it was logged last */
    uint64_t unconfirmed_unlogged; /* how often it was not, since then */
    struct net net;
};

/*
 * Take the addresses that the configuration names, some of which only root may
 * have; nobody is listened to yet. Returns EX_OK, or another code of
 * <sysexits.h> with the reason logged. The configuration must stay until the
 * process ends or master_reload() replaces it.
 */
int master_bind(struct master *master, uv_loop_t *loop, const struct config *config);

/* Behind master_bind(): open everything else that the configuration names and listen. As above. */
int master_start(struct master *master);

/*
 * Use a new configuration from now on. False, with the reason logged, when
 * what it names cannot be used: the old one then stays. The old one must be
 * kept too: an authentication or a change that is under way may still look at it.
 * Sessions have the rights that the new one gives them, or are closed.
 */
bool master_reload(struct master *master, const struct config *config);

/*
 * Stop: take no more connections and commands, decide and answer what is
 * queued, say BYE, close. stopped is called on the loop when no connection is
 * left; then call master_close() behind the loop.
 */
void master_stop(struct master *master, void (*stopped)(void *context), void *context);

/* While stopping: cut off clients that do not take their last bytes. */
void master_hurry(struct master *master);

/*
 * Close what is left, the database last. False: a login hangs in a thread, and
 * the process must end by _exit(2); the database is closed all the same.
 */
bool master_close(struct master *master);

/* What a command may be, by the configuration. */
void master_policy(const struct config *config, struct rule_policy *policy);

#endif
