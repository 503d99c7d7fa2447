/* SPDX-License-Identifier: BSD-3-Clause */
#include "mupdated/net/admission.h"

#include <string.h>
#include <sys/resource.h>

#include "mupdated/control/control.h"
#include "mupdated/log.h"
#include "mupdated/metrics/metrics.h"
#include "mupdated/net/connection.h"
#include "mupdated/net/traffic.h"

/* For the database, sasldb, the log, what listens, and the loop. */
#define OTHER_DESCRIPTORS ((size_t)64)

/* What a client is told, and the log. */
static const char *const texts[COUNTERS_REFUSALS] = {
    [COUNTERS_REFUSED_FILES] = "too many open files",
    [COUNTERS_REFUSED_TOTAL] = "too many connections",
    [COUNTERS_REFUSED_ADDRESS] = "too many connections from this address",
    [COUNTERS_REFUSED_MEMORY] = "out of memory",
    [COUNTERS_REFUSED_GONE] = "the client has gone",
    [COUNTERS_REFUSED_STRANGER] = "too many connections that are not logged in",
};

#define REFUSALS_LOGGED 1
#define STRANGERS_LOGGED 20

size_t admission_descriptors_besides(const struct config *config)
{
    /* Two kinds of logins have so many threads each, with a socket to whom they ask. */
    return OTHER_DESCRIPTORS + CONTROL_SESSIONS_MAX + ADMISSION_REFUSED +
           metrics_descriptors(config) + 2 * config->authentication_threads;
}

static size_t descriptors(void)
{
    struct rlimit limit;

    if (getrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur == RLIM_INFINITY)
        return SIZE_MAX;
    return (size_t)limit.rlim_cur;
}

/* Of a limit that is far too low, half. */
static size_t sockets_max(const struct admission *admission, const struct config *config)
{
    size_t besides = admission_descriptors_besides(config);

    return admission->descriptors > 2 * besides ? admission->descriptors - besides
                                                : admission->descriptors / 2;
}

void admission_init(struct admission *admission)
{
    memset(admission, 0, sizeof *admission);
    peers_init(&admission->peers);
    admission->descriptors = descriptors();
}

void admission_close(struct admission *admission)
{
    peers_close(&admission->peers);
}

bool admission_has_room(const struct admission *admission, const struct config *config,
                        size_t count)
{
    return count < sockets_max(admission, config) + ADMISSION_REFUSED;
}

static struct admission *admission_of(const struct connection *connection)
{
    return &connection->master->net.admission;
}

/* --- strangers --- */

static void link_stranger(struct connection *connection)
{
    struct admission *admission = admission_of(connection);

    connection->stranger = true;
    connection->stranger_previous = admission->newest_stranger;
    connection->stranger_next = NULL;
    if (admission->newest_stranger)
        admission->newest_stranger->stranger_next = connection;
    else
        admission->strangers = connection;
    admission->newest_stranger = connection;
    admission->stranger_count++;
    if (connection->from)
        connection->from->strangers++;
}

static void unlink_stranger(struct connection *connection)
{
    struct admission *admission = admission_of(connection);

    if (!connection->stranger)
        return;
    connection->stranger = false;
    if (connection->stranger_previous)
        connection->stranger_previous->stranger_next = connection->stranger_next;
    else
        admission->strangers = connection->stranger_next;
    if (connection->stranger_next)
        connection->stranger_next->stranger_previous = connection->stranger_previous;
    else
        admission->newest_stranger = connection->stranger_previous;
    admission->stranger_count--;
    if (connection->from)
        connection->from->strangers--;
}

/*
 * Who opens connections without an end would fill any limit within a moment and keep
 * all others out: so nobody is refused for their number, and the one that goes is the
 * oldest of the address with the most.
 */
static void drop_stranger(struct admission *admission)
{
    struct connection *victim = admission->strangers;
    size_t most = victim->from ? victim->from->strangers : 0;

    for (struct connection *at = victim->stranger_next; at; at = at->stranger_next) {
        size_t strangers = at->from ? at->from->strangers : 0;

        if (strangers > most) {
            victim = at;
            most = strangers;
        }
    }
    victim->master->counters.refused[COUNTERS_REFUSED_STRANGER]++;
    mupdate_server_bye(victim->session, texts[COUNTERS_REFUSED_STRANGER]);
    (void)traffic_flush(victim);
    connection_close(victim, texts[COUNTERS_REFUSED_STRANGER]);
}

/* --- coming and going --- */

static bool may_log(struct admission_log *log, size_t lines, uint64_t now_ms, size_t *unlogged)
{
    if (log->second != now_ms / 1000) {
        log->second = now_ms / 1000;
        log->lines = 0;
    }
    if (log->lines >= lines) {
        log->unlogged++;
        return false;
    }
    log->lines++;
    *unlogged = log->unlogged;
    log->unlogged = 0;
    return true;
}

const char *admission_refuse(struct connection *connection, enum counters_refusal why,
                             size_t limit)
{
    const char *reason = texts[why];
    size_t unlogged;

    connection->master->counters.refused[why]++;
    if (may_log(&admission_of(connection)->refusals, REFUSALS_LOGGED,
                uv_now(connection->master->loop), &unlogged))
        log_warning("refused: %s reason=%s limit=%zu unlogged=%zu", connection->peer,
                    LOG_VALUE(reason, strlen(reason)), limit, unlogged);
    return reason;
}

static bool may_log_stranger(const struct connection *connection, struct admission_log *log,
                             size_t *unlogged)
{
    *unlogged = 0;
    return log_wants(LOG_DEBUG) ||
           may_log(log, STRANGERS_LOGGED, uv_now(connection->master->loop), unlogged);
}

bool admission_logs_end(struct connection *connection, size_t *unlogged)
{
    return may_log_stranger(connection, &admission_of(connection)->ends, unlogged);
}

bool admission_logs_handshake(struct connection *connection, size_t *unlogged)
{
    return may_log_stranger(connection, &admission_of(connection)->handshakes, unlogged);
}

bool admission_logs_undecided(struct connection *connection, size_t *unlogged)
{
    return may_log_stranger(connection, &admission_of(connection)->undecided, unlogged);
}

/*
 * Strangers must never fill what another limit leaves: whatever that is, half of it is for
 * those who log in.
 */
static size_t strangers_max(const struct admission *admission, const struct config *config)
{
    size_t most = config->strangers_max;
    size_t sockets = sockets_max(admission, config);

    if (most > config->connections_max / 2)
        most = config->connections_max / 2;
    if (most > sockets / 2)
        most = sockets / 2;
    return most > 0 ? most : 1;
}

/* True when there is room, or a stranger was sent away for it. */
static bool make_room(struct admission *admission, size_t count, size_t most)
{
    if (count <= most)
        return true;
    if (!admission->strangers)
        return false;
    drop_stranger(admission);
    return true;
}

const char *admission_enter(struct connection *connection, const struct sockaddr_storage *address)
{
    struct admission *admission = admission_of(connection);
    const struct net *net = &connection->master->net;
    const struct config *config = connection->master->config;
    size_t total = config->connections_max + (address ? 0 : ADMISSION_UNIX_RESERVE);
    size_t sockets = sockets_max(admission, config);

    /* Those that are closing are counted too, as their descriptors are in use. */
    if (!make_room(admission, net->count, sockets))
        return admission_refuse(connection, COUNTERS_REFUSED_FILES, sockets);
    if (!make_room(admission, net->count, total))
        return admission_refuse(connection, COUNTERS_REFUSED_TOTAL, config->connections_max);
    if (address && address->ss_family == AF_UNSPEC)
        return admission_refuse(connection, COUNTERS_REFUSED_GONE, 0);
    if (address) {
        connection->from = peers_enter(&admission->peers, address);
        if (!connection->from)
            return admission_refuse(connection, COUNTERS_REFUSED_MEMORY, 0);
        if (connection->from->connections > config->connections_per_address)
            return admission_refuse(connection, COUNTERS_REFUSED_ADDRESS,
                                    config->connections_per_address);
    }
    if (admission->stranger_count >= strangers_max(admission, config))
        drop_stranger(admission);
    link_stranger(connection);
    return NULL;
}

void admission_logged_in(struct connection *connection)
{
    unlink_stranger(connection);
}

void admission_leave(struct connection *connection)
{
    struct admission *admission = admission_of(connection);

    unlink_stranger(connection);
    if (connection->from)
        peers_leave(&admission->peers, connection->from, uv_now(connection->master->loop));
    connection->from = NULL;
}
