/* SPDX-License-Identifier: BSD-3-Clause */
#include "mupdated/net/net.h"

#include <malloc.h>
#include <stdlib.h>
#include <string.h>

#include "mupdated/log.h"
#include "mupdated/net/connection.h"
#include "mupdated/net/traffic.h"

#define SWEEP_MS 1000

/*
 * How long all long answers together may take before the sockets are looked at again, and
 * all steps of handshakes together.
 */
#define LONG_TURN_NS 200000
#define HANDSHAKES_TURN_NS 200000

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
    uint64_t until;

    /* Those that are scheduled meanwhile wait for the next turn. */
    net->due_short = (struct due_queue){NULL, NULL};
    for (struct connection *at = now.first; at; at = at->due_next)
        at->due = &now;
    while (now.first)
        connection_run(take_due(&now));

    until = uv_hrtime() + LONG_TURN_NS;
    while (net->due_long.first) {
        connection_run(take_due(&net->due_long));
        if (uv_hrtime() >= until)
            break;
    }
    until = uv_hrtime() + HANDSHAKES_TURN_NS;
    while (net->due_handshakes.first) {
        traffic_shake_hands(take_due(&net->due_handshakes));
        if (uv_hrtime() >= until)
            break;
    }
    if (!net->due_short.first && !net->due_long.first && !net->due_handshakes.first)
        uv_idle_stop(idle);
}

static bool has_long_answer(const struct connection *connection)
{
    return connection->listing || (connection->subscription &&
                                   (connection->subscription->state == SUBSCRIPTION_DUMPING ||
                                    connection->subscription->state == SUBSCRIPTION_HEALING));
}

static struct due_queue *queue_of(const struct connection *connection)
{
    struct net *net = &connection->master->net;

    if (buffer_len(&connection->unread) > 0)
        return &net->due_handshakes;
    return has_long_answer(connection) ? &net->due_long : &net->due_short;
}

void connection_schedule(struct connection *connection)
{
    struct net *net = &connection->master->net;
    struct due_queue *queue = queue_of(connection);

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
    uint64_t nearest = 0;
    struct connection *next;

    for (struct connection *connection = net->waiting; connection; connection = next) {
        next = connection->waiting_next;
        if (connection->wake_at_ms <= now) {
            connection_wake_never(connection);
            connection_schedule(connection);
        } else if (nearest == 0 || connection->wake_at_ms < nearest) {
            nearest = connection->wake_at_ms;
        }
    }
    net->wake_at_ms = nearest;
    if (nearest != 0)
        uv_timer_start(timer, on_wake, nearest - now, 0);
}

void connection_wake_never(struct connection *connection)
{
    if (connection->wake_at_ms == 0)
        return;
    connection->wake_at_ms = 0;
    if (connection->waiting_previous)
        connection->waiting_previous->waiting_next = connection->waiting_next;
    else
        connection->master->net.waiting = connection->waiting_next;
    if (connection->waiting_next)
        connection->waiting_next->waiting_previous = connection->waiting_previous;
}

void connection_wake_at(struct connection *connection, uint64_t at_ms)
{
    struct net *net = &connection->master->net;
    uint64_t now = uv_now(net->wake.loop);

    if (connection->wake_at_ms == 0) {
        connection->waiting_previous = NULL;
        connection->waiting_next = net->waiting;
        if (net->waiting)
            net->waiting->waiting_previous = connection;
        net->waiting = connection;
        connection->wake_at_ms = at_ms;
    } else if (at_ms < connection->wake_at_ms) {
        connection->wake_at_ms = at_ms;
    }
    if (net->wake_at_ms == 0 || at_ms < net->wake_at_ms) {
        net->wake_at_ms = at_ms;
        uv_timer_start(&net->wake, on_wake, at_ms > now ? at_ms - now : 0, 0);
    }
}

/*
 * When so many connections are gone it is worth to give their memory back, and when no more
 * go on leaving it is for fewer. Not for each: looking through the heap of a large table may
 * take milliseconds, and a few strangers' memory is taken again by the next.
 */
#define TRIM_CONNECTIONS 1000
#define TRIM_CONNECTIONS_QUIET 100

/* malloc() would keep what lies below the last thing that is still in use. */
static void give_memory_back(struct net *net)
{
    bool fewer = net->count < net->swept;
    size_t gone = net->peak - net->count;

    net->swept = net->count;
    if (gone < (fewer ? TRIM_CONNECTIONS : TRIM_CONNECTIONS_QUIET))
        return;
    malloc_trim(0);
    net->peak = net->count;
}

/* Who was sent all and only does not end in turn is gone for the first reason. */
static void cut(struct connection *connection)
{
    connection_close(connection, connection->shut_down ? connection->reason
                                                       : "the last bytes were not taken in time");
}

static void on_sweep(uv_timer_t *timer)
{
    struct net *net = timer->data;
    uint64_t now = uv_now(timer->loop);
    struct connection *next;

    net_take_held(net);
    give_memory_back(net);
    for (struct connection *connection = net->connections; connection; connection = next) {
        const struct config *config = connection->master->config;

        next = connection->next;
        if (connection->state >= CONNECTION_DRAINING) {
            if (now - connection->state_ms >= DRAIN_MS)
                cut(connection);
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

struct connection *net_new_connection(struct net *net)
{
    struct connection *connection = calloc(1, sizeof *connection);

    if (connection || net->spare_used)
        return connection;
    net->spare_used = true;
    memset(net->spare, 0, sizeof *net->spare);
    return net->spare;
}

void net_free_connection(struct net *net, struct connection *connection)
{
    if (connection == net->spare)
        net->spare_used = false;
    else
        free(connection);
}

int net_init(struct net *net, struct master *master)
{
    int error;

    memset(net, 0, sizeof *net);
    admission_init(&net->admission);
    net->spare = malloc(sizeof *net->spare);
    if (!net->spare)
        return UV_ENOMEM;
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
        cut(connection);
    }
}

void net_close(struct net *net)
{
    uv_close((uv_handle_t *)&net->run_due, NULL);
    uv_close((uv_handle_t *)&net->wake, NULL);
    uv_close((uv_handle_t *)&net->sweep, NULL);
    admission_close(&net->admission);
    handed_free(&net->handed);
    free(net->spare);
    net->spare = NULL;
}
