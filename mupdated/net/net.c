/* SPDX-License-Identifier: BSD-3-Clause */
#include "mupdated/net/net.h"

#include <string.h>

#include "mupdated/log.h"
#include "mupdated/net/connection.h"

#define SWEEP_MS 1000

/* How long a client may take for the last bytes, and then to end. */
#define DRAIN_MS 5000

static void on_due(uv_idle_t *idle)
{
    struct net *net = idle->data;
    struct connection *last = net->due_last;
    struct connection *connection;

    /* Those that are scheduled meanwhile wait for the next turn. */
    do {
        connection = net->due_first;
        if (!connection)
            break;
        net->due_first = connection->due_next;
        if (!net->due_first)
            net->due_last = NULL;
        connection->due = false;
        if (connection == last)
            last = NULL;
        connection_run(connection);
    } while (last);
    if (!net->due_first)
        uv_idle_stop(idle);
}

void connection_schedule(struct connection *connection)
{
    struct net *net = &connection->master->net;

    if (connection->due || connection->state == CONNECTION_CLOSED)
        return;
    connection->due = true;
    connection->due_next = NULL;
    if (net->due_last)
        net->due_last->due_next = connection;
    else
        net->due_first = connection;
    net->due_last = connection;
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

int net_init(struct net *net, struct master *master)
{
    int error;

    memset(net, 0, sizeof *net);
    if ((error = uv_idle_init(master->loop, &net->run_due)) != 0 ||
        (error = uv_timer_init(master->loop, &net->wake)) != 0 ||
        (error = uv_timer_init(master->loop, &net->sweep)) != 0)
        return error;
    net->run_due.data = net;
    net->wake.data = net;
    net->sweep.data = net;
    return uv_timer_start(&net->sweep, on_sweep, SWEEP_MS, SWEEP_MS);
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
