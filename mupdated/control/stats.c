/* SPDX-License-Identifier: BSD-3-Clause */
#include "mupdated/control/stats.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <time.h>
#include <unistd.h>

#include "mupdated/master.h"
#include "mupdated/net/connection.h"
#include "mupdated/net/traffic.h"

const char *stats_activity_name(enum stats_activity activity)
{
    static const char *const names[STATS_ACTIVITIES] = {
        [STATS_LOGIN] = "login",         [STATS_COMMANDS] = "commands",
        [STATS_DUMPING] = "dumping",     [STATS_STREAMING] = "streaming",
        [STATS_CLOSING] = "closing",
    };

    return names[activity];
}

enum stats_activity stats_activity(const struct connection *connection)
{
    if (connection->state >= CONNECTION_DRAINING)
        return STATS_CLOSING;
    if (!connection->user)
        return STATS_LOGIN;
    if (!connection->subscription)
        return STATS_COMMANDS;
    return connection->subscription->state == SUBSCRIPTION_DUMPING ? STATS_DUMPING
                                                                   : STATS_STREAMING;
}

void stats_subscriber(const struct connection *connection, int64_t now_us,
                      struct stats_subscriber *subscriber)
{
    const struct subscription *subscription = connection->subscription;
    struct feed_change oldest;

    *subscriber = (struct stats_subscriber){
        .connection = connection,
        .partial = subscription->partial,
        .dumping = subscription->state == SUBSCRIPTION_DUMPING,
        .behind = feed_behind(&subscription->position),
        .backlog_bytes = traffic_waiting(connection),
    };
    subscriber->sequence = feed_sequence(subscription->from.feed) - subscriber->behind;
    if (feed_peek(&subscription->position, &oldest) && now_us > oldest.time_us)
        subscriber->behind_seconds = (double)(now_us - oldest.time_us) / 1e6;
}

/* --- the table --- */

struct locations {
    struct stats_server *items;
    size_t count;
    size_t size;
    bool failed;
};

static void note_location(void *context, struct mupdate_text location, uint64_t active,
                          uint64_t reserved)
{
    struct locations *locations = context;

    if (locations->count == locations->size) {
        size_t size = locations->size ? 2 * locations->size : 64;
        struct stats_server *items = realloc(locations->items, size * sizeof *items);

        if (!items) {
            locations->failed = true;
            return;
        }
        locations->items = items;
        locations->size = size;
    }
    locations->items[locations->count++] =
        (struct stats_server){location_server(location), active, reserved};
}

static int compare_servers(const void *a, const void *b)
{
    const struct stats_server *left = a;
    const struct stats_server *right = b;

    return text_compare(left->name, right->name);
}

/* A server has a location for each of its partitions. */
static bool gather_servers(const struct table *table, struct stats *stats)
{
    struct locations found = {0};

    table_locations(table, note_location, &found);
    stats->servers = found.items;
    if (found.failed)
        return false;
    if (found.count)
        qsort(found.items, found.count, sizeof *found.items, compare_servers);
    for (size_t i = 0; i < found.count; i++) {
        struct stats_server *last = stats->server_count ? &stats->servers[stats->server_count - 1]
                                                        : NULL;

        if (last && text_equal(last->name, found.items[i].name)) {
            last->active += found.items[i].active;
            last->reserved += found.items[i].reserved;
        } else {
            stats->servers[stats->server_count++] = found.items[i];
        }
    }
    return true;
}

/* --- connections --- */

static int compare_names(const void *a, const void *b)
{
    return strcmp(((const struct stats_user *)a)->name, ((const struct stats_user *)b)->name);
}

static void count_users(struct stats *stats, size_t logged_in)
{
    if (logged_in)
        qsort(stats->users, logged_in, sizeof *stats->users, compare_names);
    for (size_t i = 0; i < logged_in; i++) {
        struct stats_user *last = stats->user_count ? &stats->users[stats->user_count - 1] : NULL;

        if (last && strcmp(last->name, stats->users[i].name) == 0)
            last->connections++;
        else
            stats->users[stats->user_count++] = stats->users[i];
    }
}

static int compare_behind(const void *a, const void *b)
{
    const struct stats_subscriber *left = a;
    const struct stats_subscriber *right = b;

    if (left->behind != right->behind)
        return left->behind > right->behind ? -1 : 1;
    return left->connection->number < right->connection->number ? -1 : 1;
}

static bool gather_connections(const struct net *net, struct stats *stats)
{
    size_t logged_in = 0;

    /* One more, so that none is an allocation too. */
    stats->users = malloc((net->count + 1) * sizeof *stats->users);
    stats->subscribers = malloc((net->count + 1) * sizeof *stats->subscribers);
    if (!stats->users || !stats->subscribers)
        return false;
    for (const struct connection *at = net->connections; at; at = at->next) {
        struct stats_subscriber *subscriber = &stats->subscribers[stats->subscriber_count];
        enum stats_activity activity = stats_activity(at);

        stats->connections++;
        stats->by_activity[activity]++;
        if (activity != STATS_CLOSING && at->user)
            stats->users[logged_in++] = (struct stats_user){at->user, 1};
        if (activity != STATS_DUMPING && activity != STATS_STREAMING)
            continue;
        stats_subscriber(at, stats->now_us, subscriber);
        stats->backlog_bytes += subscriber->backlog_bytes;
        if (subscriber->behind > stats->lag_changes)
            stats->lag_changes = subscriber->behind;
        if (subscriber->behind_seconds > stats->lag_seconds)
            stats->lag_seconds = subscriber->behind_seconds;
        stats->subscriber_count++;
    }
    if (stats->subscriber_count)
        qsort(stats->subscribers, stats->subscriber_count, sizeof *stats->subscribers,
              compare_behind);
    count_users(stats, logged_in);
    return true;
}

/* --- the machine --- */

void stats_disk(const char *directory, struct stats_disk *disk)
{
    struct statvfs file_system;
    const struct dirent *entry;
    struct stat status;
    DIR *files;

    *disk = (struct stats_disk){0};
    if (statvfs(directory, &file_system) == 0) {
        disk->size_bytes = (uint64_t)file_system.f_blocks * file_system.f_frsize;
        disk->free_bytes = (uint64_t)file_system.f_bavail * file_system.f_frsize;
    }
    files = opendir(directory);
    if (!files)
        return;
    while ((entry = readdir(files)))
        if (fstatat(dirfd(files), entry->d_name, &status, AT_SYMLINK_NOFOLLOW) == 0 &&
            S_ISREG(status.st_mode))
            disk->used_bytes += (uint64_t)status.st_blocks * 512;
    closedir(files);
}

static uint64_t resident_bytes(void)
{
    FILE *file = fopen("/proc/self/statm", "re");
    char line[256];
    const char *resident = NULL;

    if (!file)
        return 0;
    if (fgets(line, sizeof line, file))
        resident = strchr(line, ' '); /* its second number */
    fclose(file);
    return resident ? strtoull(resident, NULL, 10) * (uint64_t)sysconf(_SC_PAGESIZE) : 0;
}

static void gather_table(const struct master *master, struct stats *stats)
{
    int age_ms = master->config->stale_reservations_ms;
    struct digest digest;

    stats->confirmed = store_confirmed(master->store);
    stats->position = master->position;
    stats->position.last = table_sequence(master->table);
    table_counts(master->table, &stats->rows);
    table_digest(master->table, &digest);
    digest_octets(&digest, stats->digest);
    stats->stale_seconds = (double)age_ms / 1000;
    stats->stale =
        table_reserved_until(master->table, stats->now_us - (int64_t)age_ms * 1000);
}

bool stats_gather(struct master *master, const struct stats_disk *disk, struct stats *stats)
{
    struct timespec now = {0};

    memset(stats, 0, sizeof *stats);
    (void)clock_gettime(CLOCK_REALTIME, &now);
    stats->now_us = (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
    stats->uptime_seconds = (double)(uv_hrtime() - master->started_ns) / 1e9;
    stats->start_time_us = master->start_time_us;
    stats->resident_bytes = resident_bytes();
    if (master->tls)
        stats->certificate_time_us =
            (now.tv_sec + tls_context_ends_in(master->tls)) * INT64_C(1000000);
    gather_table(master, stats);
    stats->connections_max = master->config->connections_max;
    stats->counters = master->counters;
    if (master->writer) {
        stats->pending = writer_pending(master->writer);
        writer_stats(master->writer, &stats->writer);
    }
    stats->disk = *disk;
    stats->backup_time_us = master->backup_time_us;
    if (gather_servers(master->table, stats) && gather_connections(&master->net, stats))
        return true;
    stats_free(stats);
    return false;
}

void stats_free(struct stats *stats)
{
    free(stats->servers);
    free(stats->users);
    free(stats->subscribers);
}
