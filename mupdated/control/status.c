/* SPDX-License-Identifier: BSD-3-Clause */
#include <string.h>
#include <unistd.h>

#include "mupdated/control/json.h"
#include "mupdated/control/requests.h"
#include "mupdated/control/stats.h"
#include "mupdated/net/connection.h"

#define U64(value) ((json_int_t)(value))

/*
 * Every function here returns NULL, or false, when memory ran out; json_pack()
 * and json_object_set_new() take a NULL for that too.
 */

static json_t *servers_json(const struct stats *stats)
{
    json_t *servers = json_array();

    for (size_t i = 0; servers && i < stats->server_count; i++) {
        const struct stats_server *server = &stats->servers[i];
        json_t *one = json_pack("{s:I,s:I}", "active", U64(server->active), "reserved",
                                U64(server->reserved));

        if (!one || !json_set_text(one, "name", server->name) ||
            json_array_append_new(servers, one) != 0) {
            json_decref(servers);
            return NULL;
        }
    }
    return servers;
}

static json_t *activities_json(const struct stats *stats)
{
    json_t *activities = json_object();

    for (size_t i = 0; i < STATS_ACTIVITIES; i++)
        if (json_object_set_new(activities, stats_activity_name((enum stats_activity)i),
                                json_integer(U64(stats->by_activity[i]))) != 0) {
            json_decref(activities);
            return NULL;
        }
    return activities;
}

static json_t *users_json(const struct stats *stats)
{
    json_t *users = json_array();

    for (size_t i = 0; users && i < stats->user_count; i++) {
        const char *name = stats->users[i].name;
        json_t *one = json_pack("{s:I}", "connections", U64(stats->users[i].connections));

        if (!one || !json_set_text(one, "user", (struct mupdate_text){name, strlen(name)}) ||
            json_array_append_new(users, one) != 0) {
            json_decref(users);
            return NULL;
        }
    }
    return users;
}

static json_t *subscriber_json(const struct stats_subscriber *subscriber)
{
    const struct connection *connection = subscriber->connection;
    json_t *one = json_pack(
        "{s:I,s:s,s:s,s:b,s:I,s:I,s:f,s:I}", "connection", U64(connection->number), "client",
        connection->peer, "activity",
        stats_activity_name(subscriber->dumping ? STATS_DUMPING : STATS_STREAMING), "partial",
        (int)subscriber->partial, "sequence", U64(subscriber->sequence), "behind",
        U64(subscriber->behind), "behind_seconds", subscriber->behind_seconds, "backlog_bytes",
        U64(subscriber->backlog_bytes));

    if (one && json_set_text(one, "user",
                             (struct mupdate_text){connection->user, strlen(connection->user)}))
        return one;
    json_decref(one);
    return NULL;
}

/* Those furthest behind are what an operator looks for; "connections" has all of them. */
#define SUBSCRIBERS_SHOWN 1000

static json_t *subscribers_json(const struct stats *stats)
{
    json_t *subscribers = json_array();

    for (size_t i = 0; i < stats->subscriber_count && i < SUBSCRIBERS_SHOWN; i++)
        if (json_array_append_new(subscribers, subscriber_json(&stats->subscribers[i])) != 0) {
            json_decref(subscribers);
            return NULL;
        }
    return subscribers;
}

static json_t *commits_json(const struct writer_stats *writer)
{
    json_t *counts = json_array();

    for (size_t i = 0; i <= WRITER_COMMIT_BUCKETS; i++) {
        json_t *one = json_pack("{s:I}", "batches", U64(writer->commit_counts[i]));

        if (!one ||
            (i < WRITER_COMMIT_BUCKETS &&
             json_object_set_new(one, "up_to_seconds",
                                 json_real((double)writer_commit_ends_ns[i] / 1e9)) != 0) ||
            json_array_append_new(counts, one) != 0) {
            json_decref(one);
            json_decref(counts);
            return NULL;
        }
    }
    return counts;
}

static json_t *writer_json(const struct stats *stats)
{
    const struct writer_stats *writer = &stats->writer;

    return json_pack("{s:I,s:I,s:I,s:I,s:b,s:f,s:o}", "pending", U64(stats->pending), "batches",
                     U64(writer->batches), "requests", U64(writer->requests), "stored",
                     U64(writer->stored), "refusing", (int)writer->refusing, "commit_seconds",
                     (double)writer->commit_ns / 1e9, "commits", commits_json(writer));
}

static json_t *checkpoint_json(const struct writer_stats *writer)
{
    return json_pack("{s:I,s:I,s:I,s:f}", "count", U64(writer->checkpoints), "failures",
                     U64(writer->checkpoint_failures), "time_us", U64(writer->checkpoint_time_us),
                     "seconds", (double)writer->checkpoint_ns / 1e9);
}

static json_t *counters_json(const struct counters *counters)
{
    static const struct {
        const char *name;
        enum mupdate_server_event_type type;
    } commands[] = {
        {"find", MUPDATE_SERVER_FIND},     {"list", MUPDATE_SERVER_LIST},
        {"set", MUPDATE_SERVER_SET},       {"update", MUPDATE_SERVER_UPDATE},
        {"noop", MUPDATE_SERVER_NOOP},     {"starttls", MUPDATE_SERVER_STARTTLS},
        {"authenticate", MUPDATE_SERVER_AUTHENTICATE},
    };
    json_t *by_name = json_object();

    for (size_t i = 0; i < sizeof commands / sizeof *commands; i++)
        if (json_object_set_new(by_name, commands[i].name,
                                json_integer(U64(counters->commands[commands[i].type]))) != 0) {
            json_decref(by_name);
            return NULL;
        }
    return json_pack("{s:I,s:I,s:I,s:I,s:I,s:I,s:I,s:I,s:I,s:o}", "accepted",
                     U64(counters->accepted), "turned_away", U64(counters->turned_away), "logins",
                     U64(counters->logins), "bad_logins", U64(counters->bad_logins), "stored",
                     U64(counters->stored), "changes_refused", U64(counters->changes_refused),
                     "changes_uncertain", U64(counters->changes_uncertain), "subscriptions",
                     U64(counters->subscriptions), "subscribers_lost",
                     U64(counters->subscribers_lost), "commands", by_name);
}

static json_t *table_json(const struct stats *stats)
{
    json_t *table = json_pack("{s:b,s:I,s:I,s:I,s:o}", "confirmed", (int)stats->confirmed, "rows",
                              U64(stats->rows.rows), "active", U64(stats->rows.active), "reserved",
                              U64(stats->rows.reserved), "servers", servers_json(stats));

    if (table && json_set_hex(table, "digest", stats->digest, sizeof stats->digest))
        return table;
    json_decref(table);
    return NULL;
}

static json_t *position_json(const struct store_position *position)
{
    json_t *object = json_pack("{s:I,s:I,s:I}", "term", U64(position->term), "sequence",
                               U64(position->last), "oldest_change", U64(position->first));

    if (object && json_set_hex(object, "history", position->history, sizeof position->history))
        return object;
    json_decref(object);
    return NULL;
}

static json_t *status_json(struct master *master, const struct stats *stats)
{
    return json_pack(
        "{s:s,s:s,s:s,s:i,s:I,s:f,s:I,s:o,s:o,s:{s:I,s:I,s:o,s:o},s:{s:I,s:I,s:f,s:o},s:o,s:o,"
        "s:{s:s,s:I,s:I},s:o}",
        "version", MUPDATED_VERSION, "role", "master", "server", master->servername, "pid",
        (int)getpid(), "time_us", U64(stats->now_us), "uptime_seconds", stats->uptime_seconds,
        "resident_bytes", U64(stats->resident_bytes), "position", position_json(&stats->position),
        "table", table_json(stats), "connections", "count", U64(stats->connections), "max",
        U64(stats->connections_max), "by_activity", activities_json(stats), "by_user",
        users_json(stats), "subscribers", "count", U64(stats->subscriber_count), "behind",
        U64(stats->lag_changes), "behind_seconds", stats->lag_seconds, "list",
        subscribers_json(stats), "writer", writer_json(stats), "checkpoint",
        checkpoint_json(&stats->writer), "disk", "directory", master->config->database_directory,
        "free_bytes", U64(stats->disk_free_bytes), "used_bytes", U64(stats->disk_used_bytes),
        "counters", counters_json(&stats->counters));
}

bool control_status(struct control_session *session, const json_t *request)
{
    struct master *master = control_session_master(session);
    struct stats stats;
    json_t *status;

    (void)request;
    if (!stats_gather(master, &stats))
        return false;
    status = status_json(master, &stats);
    stats_free(&stats);
    return control_say(session, json_pack("{s:o}", "status", status), false);
}
