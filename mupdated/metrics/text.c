/* SPDX-License-Identifier: BSD-3-Clause */
#include "mupdated/metrics/text.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PREFIX "mupdated_"
#define LINE_BYTES 512

/* --- lines --- */

__attribute__((format(printf, 2, 3)))
static void print(struct buffer *out, const char *format, ...)
{
    char line[LINE_BYTES];
    va_list arguments;

    va_start(arguments, format);
    (void)vsnprintf(line, sizeof line, format, arguments);
    va_end(arguments);
    buffer_append_string(out, line);
}

static void head(struct buffer *out, const char *name, const char *type, const char *help)
{
    print(out, "# HELP " PREFIX "%s %s\n# TYPE " PREFIX "%s %s\n", name, help, name, type);
}

static void integer(struct buffer *out, const char *name, const char *type, const char *help,
                    uint64_t value)
{
    head(out, name, type, help);
    print(out, PREFIX "%s %" PRIu64 "\n", name, value);
}

static void gauge(struct buffer *out, const char *name, const char *help, uint64_t value)
{
    integer(out, name, "gauge", help, value);
}

static void counter(struct buffer *out, const char *name, const char *help, uint64_t value)
{
    integer(out, name, "counter", help, value);
}

static void seconds(struct buffer *out, const char *name, const char *help, double value)
{
    head(out, name, "gauge", help);
    print(out, PREFIX "%s %.9g\n", name, value);
}

/* A moment that is not known has no line at all. */
static void moment(struct buffer *out, const char *name, const char *help, int64_t time_us)
{
    head(out, name, "gauge", help);
    if (time_us > 0)
        print(out, PREFIX "%s %" PRId64 ".%06" PRId64 "\n", name, time_us / 1000000,
              time_us % 1000000);
}

static void labelled(struct buffer *out, const char *name, const char *label, const char *text,
                     uint64_t value)
{
    print(out, PREFIX "%s{%s=\"%s\"} %" PRIu64 "\n", name, label, text, value);
}

/* --- what there is --- */

static void process(struct buffer *out, const struct stats *stats)
{
    head(out, "build_info", "gauge", "1; its label is the version of this mupdated.");
    print(out, PREFIX "build_info{version=\"%s\"} 1\n", MUPDATED_VERSION);
    moment(out, "start_time_seconds", "When the process started, in seconds since 1970.",
           stats->start_time_us);
    gauge(out, "resident_memory_bytes", "Memory of the process.", stats->resident_bytes);
    moment(out, "certificate_expiry_time_seconds",
           "When the certificate for TLS expires, in seconds since 1970.",
           stats->certificate_time_us);
    moment(out, "backup_time_seconds",
           "When the last mupdatectl backup since the start ended, in seconds since 1970.",
           stats->backup_time_us);
}

static void table(struct buffer *out, const struct stats *stats)
{
    char history[2 * STORE_HISTORY_BYTES + 1];

    for (size_t i = 0; i < STORE_HISTORY_BYTES; i++)
        (void)snprintf(history + 2 * i, 3, "%02x", stats->position.history[i]);
    gauge(out, "table_confirmed", "Whether the table is served: 0 behind a load until it is "
          "confirmed.", stats->confirmed);
    head(out, "table_history_info", "gauge", "1; its label is the history of the changes.");
    labelled(out, "table_history_info", "history", history, 1);
    gauge(out, "table_term", "The term of the master.", stats->position.term);
    gauge(out, "table_sequence", "The number of the last change.", stats->position.last);
    gauge(out, "change_log_changes", "Changes that the log of changes holds.",
          stats->position.last + 1 - stats->position.first);
    head(out, "table_rows", "gauge", "Mailboxes in the table, by state.");
    labelled(out, "table_rows", "state", "active", stats->rows.active);
    labelled(out, "table_rows", "state", "reserved", stats->rows.reserved);
    gauge(out, "reservations_stale",
          "Names that have been reserved for longer than stale_reservations_after.", stats->stale);
}

/* --- servers --- */

static bool has_label(const struct stats_server *server)
{
    static const struct mupdate_text other = {"other", 5};

    return server->name.len > 0 && server->name.len <= METRICS_SERVER_BYTES &&
           !text_equal(server->name, other);
}

static int compare_names(const void *a, const void *b)
{
    const struct stats_server *left = a;
    const struct stats_server *right = b;

    return text_compare(left->name, right->name);
}

/* Those with the most rows first. */
static int compare_rows(const void *a, const void *b)
{
    const struct stats_server *left = a;
    const struct stats_server *right = b;
    uint64_t left_rows = left->active + left->reserved;
    uint64_t right_rows = right->active + right->reserved;

    if (left_rows != right_rows)
        return left_rows > right_rows ? -1 : 1;
    return compare_names(a, b);
}

/* What is no printable ASCII is shown as \xHH, so that it is valid UTF-8 whatever it was. */
static void label_value(struct buffer *out, struct mupdate_text text)
{
    for (size_t i = 0; i < text.len; i++) {
        unsigned char octet = (unsigned char)text.data[i];

        if (octet == '\\' || octet == '"')
            print(out, "\\%c", octet);
        else if (octet < 0x20 || octet > 0x7e)
            print(out, "\\\\x%02x", octet);
        else
            buffer_append(out, &text.data[i], 1);
    }
}

static void server_rows(struct buffer *out, struct mupdate_text name, const char *state,
                        uint64_t rows)
{
    buffer_append_string(out, PREFIX "server_rows{server=\"");
    label_value(out, name);
    print(out, "\",state=\"%s\"} %" PRIu64 "\n", state, rows);
}

static void server(struct buffer *out, const struct stats_server *server)
{
    server_rows(out, server->name, "active", server->active);
    server_rows(out, server->name, "reserved", server->reserved);
}

/* False: out of memory. */
static bool servers(struct buffer *out, const struct stats *stats)
{
    struct stats_server other = {.name = {"other", 5}};
    struct stats_server *shown = malloc((stats->server_count + 1) * sizeof *shown);
    size_t count = 0;

    if (!shown)
        return false;
    head(out, "server_rows", "gauge", "Mailboxes in the table, by server and state.");
    for (size_t i = 0; i < stats->server_count; i++) {
        other.active += stats->servers[i].active;
        other.reserved += stats->servers[i].reserved;
        if (has_label(&stats->servers[i]))
            shown[count++] = stats->servers[i];
    }
    if (count > METRICS_SERVERS_MAX) {
        qsort(shown, count, sizeof *shown, compare_rows);
        count = METRICS_SERVERS_MAX;
        qsort(shown, count, sizeof *shown, compare_names);
    }
    for (size_t i = 0; i < count; i++) {
        server(out, &shown[i]);
        other.active -= shown[i].active;
        other.reserved -= shown[i].reserved;
    }
    if (count < stats->server_count)
        server(out, &other);
    free(shown);
    return true;
}

/* --- clients --- */

static void connections(struct buffer *out, const struct stats *stats)
{
    const struct counters *counters = &stats->counters;

    head(out, "connections", "gauge", "Connections, by what they do.");
    for (size_t i = 0; i < STATS_ACTIVITIES; i++)
        labelled(out, "connections", "activity", stats_activity_name((enum stats_activity)i),
                 stats->by_activity[i]);
    gauge(out, "connections_max", "How many there may be: mupdate_connections_max.",
          stats->connections_max);
    counter(out, "connections_accepted_total", "Connections that were taken.",
            counters->accepted);
    head(out, "connections_refused_total", "counter",
         "Connections that were sent away, by the limit that they met.");
    for (size_t i = 0; i < COUNTERS_REFUSALS; i++)
        labelled(out, "connections_refused_total", "reason",
                 counters_refusal_name((enum counters_refusal)i), counters->refused[i]);
    counter(out, "connections_kicked_total", "Connections that an operator closed.",
            counters->kicked);
    counter(out, "connections_unconfirmed_total",
            "Connections that were closed without an answer, since the table is not confirmed.",
            counters->unconfirmed);
    counter(out, "received_bytes_total", "Octets from clients.", counters->received_bytes);
    counter(out, "sent_bytes_total", "Octets to clients.", counters->sent_bytes);
}

static void logins(struct buffer *out, const struct counters *counters)
{
    head(out, "logins_total", "counter", "Logins, by mechanism and what became of them.");
    for (size_t i = 0; i < COUNTERS_MECHANISMS; i++)
        for (size_t j = 0; j < COUNTERS_LOGINS; j++)
            print(out, PREFIX "logins_total{mechanism=\"%s\",result=\"%s\"} %" PRIu64 "\n",
                  counters_mechanism_name(i), counters_login_name((enum counters_login)j),
                  counters->logins[i][j]);
}

static void commands(struct buffer *out, const struct counters *counters)
{
    head(out, "commands_total", "counter", "Commands that were taken up.");
    for (size_t i = 0; i < COUNTERS_COMMANDS; i++)
        labelled(out, "commands_total", "command",
                 counters_command_name((enum counters_command)i), counters->commands[i]);
    head(out, "changes_total", "counter",
         "Commands that change a row, by what became of them.");
    for (size_t i = 0; i < COUNTERS_VERBS; i++)
        for (size_t j = 0; j < COUNTERS_CHANGES; j++)
            print(out, PREFIX "changes_total{command=\"%s\",result=\"%s\"} %" PRIu64 "\n",
                  counters_verb_name((enum mupdate_verb)i),
                  counters_change_name((enum counters_change)j), counters->changes[i][j]);
}

static void subscribers(struct buffer *out, const struct stats *stats)
{
    gauge(out, "subscribers", "Connections that follow the table.", stats->subscriber_count);
    gauge(out, "subscriber_lag_changes", "Changes that the furthest subscriber is behind.",
          stats->lag_changes);
    seconds(out, "subscriber_lag_seconds",
            "How old the oldest change is that a subscriber has not been sent.",
            stats->lag_seconds);
    gauge(out, "subscriber_backlog_bytes", "Octets that wait for subscribers to take them.",
          stats->backlog_bytes);
    counter(out, "subscriptions_total", "Subscriptions that were begun.",
            stats->counters.subscriptions);
    counter(out, "subscribers_dropped_total",
            "Subscribers that were cut off since they were too far behind.",
            stats->counters.subscribers_lost);
}

/* --- the writer and the disk --- */

static void commits(struct buffer *out, const struct writer_stats *writer)
{
    uint64_t count = 0;

    head(out, "commit_duration_seconds", "histogram",
         "What a batch of changes took, from the decision until it was durable.");
    for (size_t i = 0; i < WRITER_COMMIT_BUCKETS; i++) {
        count += writer->commit_counts[i];
        print(out, PREFIX "commit_duration_seconds_bucket{le=\"%g\"} %" PRIu64 "\n",
              (double)writer_commit_ends_ns[i] / 1e9, count);
    }
    print(out,
          PREFIX "commit_duration_seconds_bucket{le=\"+Inf\"} %" PRIu64 "\n" PREFIX
                 "commit_duration_seconds_sum %.9f\n" PREFIX
                 "commit_duration_seconds_count %" PRIu64 "\n",
          writer->batches, (double)writer->commit_ns / 1e9, writer->batches);
}

static void writer(struct buffer *out, const struct stats *stats)
{
    const struct writer_stats *writer = &stats->writer;

    gauge(out, "changes_pending", "Commands that wait for the writer.", stats->pending);
    gauge(out, "changes_refusing", "1: the last change could not be stored, see the log.",
          writer->refusing);
    commits(out, writer);
    counter(out, "batched_changes_total", "Commands in the batches that were decided.",
            writer->requests);
    seconds(out, "batch_running_seconds", "How long the batch under way takes already.",
            (double)writer->busy_ns / 1e9);
    counter(out, "checkpoints_total", "Checkpoints that were tried.", writer->checkpoints);
    counter(out, "checkpoints_failed_total", "Checkpoints that failed.",
            writer->checkpoint_failures);
    moment(out, "checkpoint_time_seconds",
           "When the last checkpoint ended that succeeded, in seconds since 1970.",
           writer->checkpoint_time_us);
    seconds(out, "checkpoint_duration_seconds", "What that checkpoint took.",
            (double)writer->checkpoint_ns / 1e9);
}

static void disk(struct buffer *out, const struct stats_disk *disk)
{
    gauge(out, "disk_size_bytes", "Size of the file system that the database is on.",
          disk->size_bytes);
    gauge(out, "disk_free_bytes", "What is free there.", disk->free_bytes);
    gauge(out, "database_size_bytes", "What the files of the database take.", disk->used_bytes);
}

bool metrics_text(const struct stats *stats, struct buffer *out)
{
    process(out, stats);
    table(out, stats);
    if (!servers(out, stats))
        out->failed = true;
    connections(out, stats);
    logins(out, &stats->counters);
    commands(out, &stats->counters);
    subscribers(out, stats);
    writer(out, stats);
    disk(out, &stats->disk);
    return !out->failed;
}
