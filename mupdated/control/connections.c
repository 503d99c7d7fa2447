/* SPDX-License-Identifier: BSD-3-Clause */
#include <stdlib.h>
#include <string.h>

#include "mupdated/control/json.h"
#include "mupdated/control/requests.h"
#include "mupdated/control/stats.h"
#include "mupdated/log.h"
#include "mupdated/net/connection.h"

/* Shown in one slice. */
#define SLICE_CONNECTIONS 100

struct listing_task {
    struct control_task task;
    uint64_t next; /* the newest one not shown yet */
};

static bool set_subscription(json_t *object, const struct connection *connection, int64_t now_us)
{
    struct stats_subscriber subscriber;

    stats_subscriber(connection, now_us, &subscriber);
    return json_object_set_new(
               object, "subscription",
               json_pack("{s:b,s:I,s:I,s:f,s:I}", "partial", (int)subscriber.partial, "sequence",
                         (json_int_t)subscriber.sequence, "behind", (json_int_t)subscriber.behind,
                         "behind_seconds", subscriber.behind_seconds, "backlog_bytes",
                         (json_int_t)subscriber.backlog_bytes)) == 0;
}

static json_t *connection_json(const struct connection *connection)
{
    struct layer *tls = layer_stack_get(&connection->layers, LAYER_TLS);
    uint64_t now = uv_now(connection->master->loop);
    uv_timeval64_t clock = {0};
    json_t *object =
        json_pack("{s:I,s:s,s:s,s:f,s:f}", "connection", (json_int_t)connection->number, "client",
                  connection->peer, "activity", stats_activity_name(stats_activity(connection)),
                  "age_seconds", (double)(now - connection->opened_ms) / 1000, "idle_seconds",
                  (double)(now - connection->input_ms) / 1000);

    (void)uv_gettimeofday(&clock);
    if (object &&
        (!connection->user ||
         json_set_text(object, "user",
                       (struct mupdate_text){connection->user, strlen(connection->user)})) &&
        (!tls || !tls_layer_established(tls) ||
         json_object_set_new(object, "tls", json_string(tls_layer_version(tls))) == 0) &&
        (!connection->subscription ||
         set_subscription(object, connection, clock.tv_sec * 1000000 + clock.tv_usec)))
        return object;
    json_decref(object);
    return NULL;
}

static enum control_progress list(struct control_task *task, struct control_session *session)
{
    struct listing_task *listing = (struct listing_task *)task;
    const struct net *net = &session->master->net;
    json_t *shown = json_array();
    size_t count = 0;

    /* The list is in the order of the numbers, newest first. */
    for (const struct connection *at = net->connections; at && count < SLICE_CONNECTIONS;
         at = at->next) {
        if (at->number > listing->next || at->state == CONNECTION_CLOSED)
            continue;
        if (json_array_append_new(shown, connection_json(at)) != 0) {
            json_decref(shown);
            return CONTROL_FAILED;
        }
        listing->next = at->number - 1;
        count++;
    }
    if (!control_say(session, json_pack("{s:o}", "connections", shown), count > 0))
        return CONTROL_FAILED;
    return count > 0 ? CONTROL_MORE : CONTROL_DONE;
}

static void close_task(struct control_task *task)
{
    free(task);
}

bool control_connections(struct control_session *session, const json_t *request)
{
    struct listing_task *listing = calloc(1, sizeof *listing);

    (void)request;
    if (!listing)
        return false;
    listing->task.run = list;
    listing->task.close = close_task;
    listing->next = UINT64_MAX;
    control_session_begin(session, &listing->task);
    return true;
}

static bool is_meant(const struct connection *connection, json_int_t number, const char *user)
{
    if (number > 0)
        return connection->number == (uint64_t)number;
    return connection->user && strcmp(connection->user, user) == 0;
}

bool control_kick(struct control_session *session, const json_t *request)
{
    struct net *net = &session->master->net;
    json_int_t number = json_integer_value(json_object_get(request, "connection"));
    const char *user = json_string_value(json_object_get(request, "user"));
    struct connection *next;
    json_int_t kicked = 0;

    if ((number > 0) == (user != NULL))
        return control_refuse(session, "syntax", "name a connection or a user, and not both");
    for (struct connection *at = net->connections; at; at = next) {
        next = at->next;
        if (at->state == CONNECTION_CLOSED || !is_meant(at, number, user))
            continue;
        log_notice("kicked: %s user=%s by=%s", at->peer,
                   at->user ? LOG_VALUE(at->user, strlen(at->user)) : "-", session->who);
        connection_close(at, "closed by an operator");
        session->master->counters.kicked++;
        kicked++;
    }
    return control_say(session, json_pack("{s:I}", "kicked", kicked), false);
}
