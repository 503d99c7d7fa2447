/* SPDX-License-Identifier: BSD-3-Clause */
#include "mupdated/net/net.h"

#include <string.h>
#include <sys/resource.h>

#include "mupdated/log.h"
#include "mupdated/net/connection.h"

#define SWEEP_MS 1000

/* How long all long answers together may take before the sockets are looked at again. */
#define LONG_TURN_NS 200000

/* How long a client may take for the last bytes, and then to end. */
#define DRAIN_MS 5000

static struct connection *take_due(struct due_queue *queue)
{
    struct connection *connection = queue->first;

    queue->first = connection->due_next;
    if (!queue->first)
        queue->last = NULL;
    connection->due = NULL;
    return connection;
}

static void on_due(uv_idle_t *idle)
{
    struct net *net = idle->data;
    struct due_queue now = net->due_short;
    uint64_t long_until;

    /* Those that are scheduled meanwhile wait for the next turn. */
    net->due_short = (struct due_queue){NULL, NULL};
    for (struct connection *at = now.first; at; at = at->due_next)
        at->due = &now;
    while (now.first)
        connection_run(take_due(&now));

    long_until = uv_hrtime() + LONG_TURN_NS;
    while (net->due_long.first) {
        connection_run(take_due(&net->due_long));
        if (uv_hrtime() >= long_until)
            break;
    }
    if (!net->due_short.first && !net->due_long.first)
        uv_idle_stop(idle);
}

static bool has_long_answer(const struct connection *connection)
{
    return connection->listing || (connection->subscription &&
                                   (connection->subscription->state == SUBSCRIPTION_DUMPING ||
                                    connection->subscription->state == SUBSCRIPTION_HEALING));
}

void connection_schedule(struct connection *connection)
{
    struct net *net = &connection->master->net;
    struct due_queue *queue = has_long_answer(connection) ? &net->due_long : &net->due_short;

    if (connection->due || connection->state == CONNECTION_CLOSED)
        return;
    connection->due = queue;
    connection->due_next = NULL;
    if (queue->last)
        queue->last->due_next = connection;
    else
        queue->first = connection;
    queue->last = connection;
    uv_idle_start(&net->run_due, on_due);
}

static void on_wake(uv_timer_t *timer)
{
    struct net *net = timer->data;
    uint64_t now = uv_now(timer->loop);

    net->wake_at_ms = 0;
    for (struct connection *connection = net->connections; connection;
         connection = connection->next) {
        uint64_t at = connection->wake_at_ms;

        if (at == 0)
            continue;
        connection->wake_at_ms = 0;
        if (at <= now)
            connection_schedule(connection);
        else
            connection_wake_at(connection, at);
    }
}

void connection_wake_at(struct connection *connection, uint64_t at_ms)
{
    struct net *net = &connection->master->net;
    uint64_t now = uv_now(net->wake.loop);

    if (connection->wake_at_ms == 0 || at_ms < connection->wake_at_ms)
        connection->wake_at_ms = at_ms;
    if (net->wake_at_ms == 0 || at_ms < net->wake_at_ms) {
        net->wake_at_ms = at_ms;
        uv_timer_start(&net->wake, on_wake, at_ms > now ? at_ms - now : 0, 0);
    }
}

static void on_sweep(uv_timer_t *timer)
{
    struct net *net = timer->data;
    uint64_t now = uv_now(timer->loop);
    struct connection *next;

    net_take_held(net);
    for (struct connection *connection = net->connections; connection; connection = next) {
        const struct config *config = connection->master->config;

        next = connection->next;
        if (connection->state >= CONNECTION_DRAINING) {
            if (now - connection->state_ms >= DRAIN_MS)
                connection_close(connection, "the last bytes were not taken in time");
            continue;
        }
        if (!connection->user && config->login_timeout_ms > 0 &&
            now - connection->opened_ms >= (uint64_t)config->login_timeout_ms)
            connection_close(connection, "not authenticated in time");
        else if (config->idle_timeout_ms > 0 &&
                 now - connection->input_ms >= (uint64_t)config->idle_timeout_ms) {
            mupdate_server_bye(connection->session, "idle for too long");
            connection_drain(connection, "idle for too long");
        }
    }
}

/* For the database, password checks, the log, and the loop. */
#define OTHER_DESCRIPTORS ((rlim_t)64)

static size_t sockets_max(void)
{
    struct rlimit limit;

    if (getrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur == RLIM_INFINITY)
        return SIZE_MAX;
    return limit.rlim_cur > 2 * OTHER_DESCRIPTORS ? (size_t)limit.rlim_cur - OTHER_DESCRIPTORS
                                                  : OTHER_DESCRIPTORS;
}

int net_init(struct net *net, struct master *master)
{
    int error;

    memset(net, 0, sizeof *net);
    net->sockets_max = sockets_max();
    if ((error = uv_idle_init(master->loop, &net->run_due)) != 0 ||
        (error = uv_timer_init(master->loop, &net->wake)) != 0 ||
        (error = uv_timer_init(master->loop, &net->sweep)) != 0)
        return error;
    net->run_due.data = net;
    net->wake.data = net;
    net->sweep.data = net;
    return uv_timer_start(&net->sweep, on_sweep, SWEEP_MS, SWEEP_MS);
}

void net_learn_rights(struct net *net)
{
    for (struct connection *connection = net->connections; connection;
         connection = connection->next) {
        if (!connection->user || connection->state >= CONNECTION_DRAINING ||
            connection_learn_rights(connection))
            continue;
        audit_revoked(connection);
        mupdate_server_bye(connection->session, "this user has no right to use this server");
        connection_drain(connection, "the user has no right any more");
    }
}

void net_stop_input(struct net *net)
{
    for (struct connection *connection = net->connections; connection;
         connection = connection->next)
        connection_quiet(connection);
}

void net_close_all(struct net *net, const char *text)
{
    struct connection *next;

    for (struct connection *connection = net->connections; connection; connection = next) {
        next = connection->next;
        if (connection->state >= CONNECTION_DRAINING)
            continue;
        mupdate_server_bye(connection->session, text);
        connection_drain(connection, text);
    }
}

void net_cut_all(struct net *net)
{
    struct connection *next;

    for (struct connection *connection = net->connections; connection; connection = next) {
        next = connection->next;
        connection_close(connection, "the last bytes were not taken in time");
    }
}

void net_close(struct net *net)
{
    uv_close((uv_handle_t *)&net->run_due, NULL);
    uv_close((uv_handle_t *)&net->wake, NULL);
    uv_close((uv_handle_t *)&net->sweep, NULL);
}
