/* SPDX-License-Identifier: BSD-3-Clause */
#include <stdlib.h>
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

static json_t *commands_json(const struct counters *counters)
{
    json_t *by_name = json_object();

    for (size_t i = 0; i < COUNTERS_COMMANDS; i++)
        if (json_object_set_new(by_name, counters_command_name((enum counters_command)i),
                                json_integer(U64(counters->commands[i]))) != 0) {
            json_decref(by_name);
            return NULL;
        }
    return by_name;
}

/* By command, what became of it. */
static json_t *changes_json(const struct counters *counters)
{
    json_t *by_verb = json_object();

    for (size_t i = 0; i < COUNTERS_VERBS; i++) {
        json_t *by_result = json_object();

        for (size_t j = 0; j < COUNTERS_CHANGES; j++)
            if (json_object_set_new(by_result, counters_change_name((enum counters_change)j),
                                    json_integer(U64(counters->changes[i][j]))) != 0) {
                json_decref(by_result);
                by_result = NULL;
                break;
            }
        if (json_object_set_new(by_verb, counters_verb_name((enum mupdate_verb)i), by_result) !=
            0) {
            json_decref(by_verb);
            return NULL;
        }
    }
    return by_verb;
}

/* By mechanism, of those that were tried. */
static json_t *logins_json(const struct counters *counters)
{
    json_t *by_mechanism = json_object();

    for (size_t i = 0; by_mechanism && i < COUNTERS_MECHANISMS; i++) {
        const uint64_t *count = counters->logins[i];
        json_t *one;

        if (count[COUNTERS_LOGIN_ACCEPTED] + count[COUNTERS_LOGIN_REFUSED] +
                count[COUNTERS_LOGIN_UNDECIDED] == 0)
            continue;
        one = json_pack("{s:I,s:I,s:I}", counters_login_name(COUNTERS_LOGIN_ACCEPTED),
                        U64(count[COUNTERS_LOGIN_ACCEPTED]),
                        counters_login_name(COUNTERS_LOGIN_REFUSED),
                        U64(count[COUNTERS_LOGIN_REFUSED]),
                        counters_login_name(COUNTERS_LOGIN_UNDECIDED),
                        U64(count[COUNTERS_LOGIN_UNDECIDED]));
        if (json_object_set_new(by_mechanism, counters_mechanism_name(i), one) != 0) {
            json_decref(by_mechanism);
            return NULL;
        }
    }
    return by_mechanism;
}

static json_t *refused_json(const struct counters *counters)
{
    json_t *by_reason = json_object();

    for (size_t i = 0; i < COUNTERS_REFUSALS; i++)
        if (json_object_set_new(by_reason, counters_refusal_name((enum counters_refusal)i),
                                json_integer(U64(counters->refused[i]))) != 0) {
            json_decref(by_reason);
            return NULL;
        }
    return by_reason;
}

static json_t *counters_json(const struct counters *counters)
{
    return json_pack(
        "{s:I,s:I,s:I,s:I,s:I,s:I,s:I,s:I,s:I,s:I,s:I,s:I,s:I,s:o,s:o,s:o,s:o}", "accepted",
        U64(counters->accepted), "turned_away", U64(counters_turned_away(counters)), "kicked",
        U64(counters->kicked), "received_bytes", U64(counters->received_bytes), "sent_bytes",
        U64(counters->sent_bytes), "logins",
        U64(counters_logins(counters, COUNTERS_LOGIN_ACCEPTED)), "bad_logins",
        U64(counters_logins(counters, COUNTERS_LOGIN_REFUSED)), "stored",
        U64(counters_changes(counters, COUNTERS_STORED)), "changes_refused",
        U64(counters_changes(counters, COUNTERS_REFUSED) +
            counters_changes(counters, COUNTERS_FORBIDDEN)),
        "changes_uncertain", U64(counters_changes(counters, COUNTERS_UNCERTAIN)), "unconfirmed",
        U64(counters->unconfirmed), "subscriptions", U64(counters->subscriptions),
        "subscribers_lost", U64(counters->subscribers_lost), "commands", commands_json(counters),
        "changes", changes_json(counters), "logins_by_mechanism", logins_json(counters), "refused",
        refused_json(counters));
}

static json_t *table_json(const struct stats *stats)
{
    json_t *table = json_pack(
        "{s:b,s:I,s:I,s:I,s:I,s:f,s:o}", "confirmed", (int)stats->confirmed, "rows",
        U64(stats->rows.rows), "active", U64(stats->rows.active), "reserved",
        U64(stats->rows.reserved), "stale", U64(stats->stale), "stale_after_seconds",
        stats->stale_seconds, "servers", servers_json(stats));

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

static json_t *status_json(const struct master *master, const struct stats *stats)
{
    json_t *status = json_pack(
        "{s:s,s:s,s:s,s:i,s:I,s:f,s:I,s:o,s:o,s:{s:I,s:I,s:o,s:o},s:{s:I,s:I,s:f,s:I,s:o},s:o,s:o,"
        "s:{s:s,s:I,s:I,s:I},s:o}",
        "version", MUPDATED_VERSION, "role", "master", "server", master->servername, "pid",
        (int)getpid(), "time_us", U64(stats->now_us), "uptime_seconds", stats->uptime_seconds,
        "resident_bytes", U64(stats->resident_bytes), "position", position_json(&stats->position),
        "table", table_json(stats), "connections", "count", U64(stats->connections), "max",
        U64(stats->connections_max), "by_activity", activities_json(stats), "by_user",
        users_json(stats), "subscribers", "count", U64(stats->subscriber_count), "behind",
        U64(stats->lag_changes), "behind_seconds", stats->lag_seconds, "backlog_bytes",
        U64(stats->backlog_bytes), "list", subscribers_json(stats), "writer", writer_json(stats),
        "checkpoint", checkpoint_json(&stats->writer), "disk", "directory",
        master->config->database_directory, "size_bytes", U64(stats->disk.size_bytes),
        "free_bytes", U64(stats->disk.free_bytes), "used_bytes", U64(stats->disk.used_bytes),
        "counters", counters_json(&stats->counters));

    /* What is not known is left out. */
    if (status &&
        (!stats->certificate_time_us ||
         json_object_set_new(status, "certificate_time_us",
                             json_integer(U64(stats->certificate_time_us))) == 0) &&
        (!stats->backup_time_us ||
         json_object_set_new(status, "backup_time_us",
                             json_integer(U64(stats->backup_time_us))) == 0))
        return status;
    json_decref(status);
    return NULL;
}

/* --- the request --- */

struct status_task {
    struct control_task task;
    struct control_session *session; /* NULL: its client is gone */
    struct master *master;
    uv_work_t work;
    bool measured;
    const char *directory; /* the configuration's, which stays */
    struct stats_disk disk;
};

/* In the pool: a disk may take its time. */
static void measure(uv_work_t *work)
{
    struct status_task *asking = work->data;

    stats_disk(asking->directory, &asking->disk);
}

static void on_measured(uv_work_t *work, int status)
{
    struct status_task *asking = work->data;

    (void)status;
    asking->measured = true;
    asking->master->control_work--;
    if (asking->session)
        control_session_wake(asking->session);
    else
        free(asking);
}

static enum control_progress run(struct control_task *task, struct control_session *session)
{
    const struct status_task *asking = (struct status_task *)task;
    struct stats stats;
    json_t *status;

    if (!asking->measured)
        return CONTROL_WAIT;
    if (!stats_gather(asking->master, &asking->disk, &stats))
        return CONTROL_FAILED;
    status = status_json(asking->master, &stats);
    stats_free(&stats);
    return control_say(session, json_pack("{s:o}", "status", status), false) ? CONTROL_DONE
                                                                             : CONTROL_FAILED;
}

static void close_task(struct control_task *task)
{
    struct status_task *asking = (struct status_task *)task;

    asking->session = NULL;
    if (asking->measured)
        free(asking);
}

bool control_status(struct control_session *session, const json_t *request)
{
    struct master *master = session->master;
    struct status_task *asking = calloc(1, sizeof *asking);

    (void)request;
    if (!asking)
        return false;
    asking->task.run = run;
    asking->task.close = close_task;
    asking->session = session;
    asking->master = master;
    asking->directory = master->config->database_directory;
    asking->work.data = asking;
    if (uv_queue_work(master->loop, &asking->work, measure, on_measured) != 0) {
        free(asking);
        return false;
    }
    master->control_work++;
    control_session_begin(session, &asking->task);
    return true;
}
