/* SPDX-License-Identifier: BSD-3-Clause */
#include "tools/mupdatectl/status.h"

#include <stdbool.h>
#include <string.h>

#include "tools/mupdatectl/output.h"
#include "tools/mupdatectl/when.h"

/* Above the lists. */
#define HEAD_LINES 14

int64_t ctl_status_number(const json_t *status, const char *group, const char *key)
{
    return json_integer_value(json_object_get(json_object_get(status, group), key));
}

double ctl_status_real(const json_t *status, const char *group, const char *key)
{
    return json_number_value(json_object_get(json_object_get(status, group), key));
}

/* One screen, which is written from top to bottom. */
struct screen {
    FILE *file;
    const json_t *status;
    char text[CTL_WHEN_BYTES];
};

static void number(struct screen *screen, const char *group, const char *key)
{
    (void)fputs(ctl_number_text(ctl_status_number(screen->status, group, key), screen->text),
                screen->file);
}

static void size(struct screen *screen, const char *group, const char *key)
{
    (void)fputs(ctl_size_text((double)ctl_status_number(screen->status, group, key), screen->text),
                screen->file);
}

static void duration(struct screen *screen, double seconds)
{
    (void)fputs(ctl_duration_text(seconds, screen->text), screen->file);
}

static void words(struct screen *screen, const char *text)
{
    (void)fputs(text, screen->file);
}

/* Seconds since a moment, at the time of the status. */
static double age(const struct screen *screen, const json_t *time_us)
{
    return (double)(json_integer_value(json_object_get(screen->status, "time_us")) -
                    json_integer_value(time_us)) / 1e6;
}

static void head(struct screen *screen)
{
    const json_t *status = screen->status;

    ctl_write_member(screen->file, status, "server");
    words(screen, ": ");
    ctl_write_member(screen->file, status, "role");
    words(screen, ", mupdated ");
    ctl_write_member(screen->file, status, "version");
    (void)fprintf(screen->file, ", process %lld, up ",
                  (long long)json_integer_value(json_object_get(status, "pid")));
    duration(screen, json_number_value(json_object_get(status, "uptime_seconds")));
    (void)fprintf(screen->file, ", %s of memory\n\n",
                  ctl_size_text(json_number_value(json_object_get(status, "resident_bytes")),
                                screen->text));
}

static void table(struct screen *screen)
{
    const json_t *group = json_object_get(screen->status, "table");

    words(screen, "Table        ");
    number(screen, "table", "rows");
    words(screen, " rows: ");
    number(screen, "table", "active");
    words(screen, " active, ");
    number(screen, "table", "reserved");
    words(screen, " reserved");
    if (ctl_status_number(screen->status, "table", "stale") > 0) {
        words(screen, ", ");
        number(screen, "table", "stale");
        words(screen, " of them for more than ");
        duration(screen, ctl_status_real(screen->status, "table", "stale_after_seconds"));
    }
    words(screen, json_is_false(json_object_get(group, "confirmed"))
                      ? "; NOT CONFIRMED: see mupdatectl confirm\n"
                      : "\n");
    words(screen, "Position     change ");
    number(screen, "position", "sequence");
    words(screen, ", log of changes from ");
    number(screen, "position", "oldest_change");
    words(screen, ", term ");
    number(screen, "position", "term");
    words(screen, "\nHistory      ");
    ctl_write_member(screen->file, json_object_get(screen->status, "position"), "history");
    words(screen, "\nDigest       ");
    ctl_write_member(screen->file, group, "digest");
    words(screen, "\n");
}

/* Up to how many seconds 99 of 100 batches took; -1: longer than the longest that is told apart. */
static double most_took(const json_t *commits, int64_t batches)
{
    int64_t seen = 0;

    for (size_t i = 0; i < json_array_size(commits); i++) {
        const json_t *one = json_array_get(commits, i);
        const json_t *limit = json_object_get(one, "up_to_seconds");

        seen += json_integer_value(json_object_get(one, "batches"));
        if (seen >= batches - batches / 100)
            return limit ? json_number_value(limit) : -1;
    }
    return -1;
}

static void changes(struct screen *screen)
{
    const json_t *writer = json_object_get(screen->status, "writer");
    int64_t batches = ctl_status_number(screen->status, "writer", "batches");
    double most = most_took(json_object_get(writer, "commits"), batches);

    words(screen, "Changes      ");
    if (json_is_true(json_object_get(writer, "refusing")))
        words(screen, "REFUSED: the last one could not be stored, see the log; ");
    number(screen, "writer", "stored");
    words(screen, " stored, ");
    number(screen, "counters", "changes_refused");
    words(screen, " refused, ");
    number(screen, "writer", "pending");
    words(screen, " waiting\nBatches      ");
    number(screen, "writer", "batches");
    if (batches > 0)
        (void)fprintf(screen->file, " of %.1f requests and %.2f ms on average",
                      ctl_status_real(screen->status, "writer", "requests") / (double)batches,
                      ctl_status_real(screen->status, "writer", "commit_seconds") * 1000 /
                          (double)batches);
    if (batches > 0 && most >= 0)
        (void)fprintf(screen->file, ", 99 %% within %g ms", most * 1000);
    words(screen, "\nCheckpoints  ");
    number(screen, "checkpoint", "count");
    if (ctl_status_number(screen->status, "checkpoint", "time_us") > 0) {
        words(screen, ", the last one ");
        duration(screen, age(screen, json_object_get(json_object_get(screen->status, "checkpoint"),
                                                     "time_us")));
        (void)fprintf(screen->file, " ago, took %.3f s",
                      ctl_status_real(screen->status, "checkpoint", "seconds"));
    }
    words(screen, ", ");
    number(screen, "checkpoint", "failures");
    words(screen, " failed\n");
}

static void disk(struct screen *screen)
{
    words(screen, "Disk         ");
    size(screen, "disk", "free_bytes");
    words(screen, " free, ");
    size(screen, "disk", "used_bytes");
    words(screen, " used in ");
    ctl_write_member(screen->file, json_object_get(screen->status, "disk"), "directory");
    if (json_object_get(screen->status, "backup_time_us")) {
        words(screen, "; last backup ");
        duration(screen, age(screen, json_object_get(screen->status, "backup_time_us")));
        words(screen, " ago");
    }
    words(screen, "\n");
}

static void connections(struct screen *screen)
{
    json_t *group = json_object_get(screen->status, "connections");
    const char *separator = ": ";
    const char *activity;
    json_t *count;

    words(screen, "Connections  ");
    number(screen, "connections", "count");
    words(screen, " of ");
    number(screen, "connections", "max");
    json_object_foreach(json_object_get(group, "by_activity"), activity, count) {
        (void)fprintf(screen->file, "%s%lld ", separator, (long long)json_integer_value(count));
        ctl_write_escaped(screen->file, (struct mupdate_text){activity, strlen(activity)});
        separator = ", ";
    }
    words(screen, "\nLogins       ");
    number(screen, "counters", "logins");
    words(screen, " good, ");
    number(screen, "counters", "bad_logins");
    words(screen, " refused; ");
    number(screen, "counters", "turned_away");
    words(screen, " connections turned away\nSubscribers  ");
    number(screen, "subscribers", "count");
    words(screen, ", the furthest is ");
    number(screen, "subscribers", "behind");
    words(screen, " changes, ");
    duration(screen, ctl_status_real(screen->status, "subscribers", "behind_seconds"));
    words(screen, " behind; ");
    number(screen, "counters", "subscribers_lost");
    words(screen, " dropped\n");
}

/* --- the lists --- */

static void say_rest(const struct screen *screen, size_t count, size_t shown)
{
    if (shown < count)
        (void)fprintf(screen->file, "... and %zu more\n", count - shown);
}

/* The lines that a list of count items may have of those that are left: its share of them. */
static size_t share(int *left, size_t count, int lists)
{
    size_t most = *left / lists > 3 ? (size_t)(*left / lists - 3) : 0;
    size_t shown = count < most ? count : most;

    *left -= (int)shown + 3;
    return shown;
}

static void servers(const struct screen *screen, int *left)
{
    const json_t *list = json_object_get(json_object_get(screen->status, "table"), "servers");
    size_t count = json_array_size(list);
    size_t shown = share(left, count, 3);

    if (count == 0 || shown == 0)
        return;
    (void)fprintf(screen->file, "\n%-40s %10s %10s\n", "SERVER", "ACTIVE", "RESERVED");
    for (size_t i = 0; i < shown; i++) {
        const json_t *one = json_array_get(list, i);

        ctl_write_column(screen->file, one, "name", 40);
        (void)fprintf(screen->file, "%10lld %10lld\n",
                      (long long)json_integer_value(json_object_get(one, "active")),
                      (long long)json_integer_value(json_object_get(one, "reserved")));
    }
    say_rest(screen, count, shown);
}

static void users(const struct screen *screen, int *left)
{
    const json_t *list = json_object_get(json_object_get(screen->status, "connections"), "by_user");
    size_t count = json_array_size(list);
    size_t shown = share(left, count, 2);

    if (count == 0 || shown == 0)
        return;
    (void)fprintf(screen->file, "\n%-40s %11s\n", "USER", "CONNECTIONS");
    for (size_t i = 0; i < shown; i++) {
        const json_t *one = json_array_get(list, i);

        ctl_write_column(screen->file, one, "user", 40);
        (void)fprintf(screen->file, "%11lld\n",
                      (long long)json_integer_value(json_object_get(one, "connections")));
    }
    say_rest(screen, count, shown);
}

static void subscribers(struct screen *screen, int *left)
{
    const json_t *list = json_object_get(json_object_get(screen->status, "subscribers"), "list");
    size_t count = json_array_size(list);
    size_t shown = share(left, count, 1);

    if (count == 0 || shown == 0)
        return;
    (void)fprintf(screen->file, "\n%-40s %-16s %10s %10s %10s %10s\n", "SUBSCRIBER", "USER",
                  "CHANGE", "BEHIND", "SECONDS", "BACKLOG");
    for (size_t i = 0; i < shown; i++) {
        const json_t *one = json_array_get(list, i);

        ctl_write_column(screen->file, one, "client", 40);
        ctl_write_column(screen->file, one, "user", 16);
        (void)fprintf(screen->file, "%10lld %10lld %10.1f %10s\n",
                      (long long)json_integer_value(json_object_get(one, "sequence")),
                      (long long)json_integer_value(json_object_get(one, "behind")),
                      json_number_value(json_object_get(one, "behind_seconds")),
                      ctl_size_text(json_number_value(json_object_get(one, "backlog_bytes")),
                                    screen->text));
    }
    say_rest(screen, count, shown);
}

void ctl_status_screen(FILE *file, const json_t *status, int rows)
{
    struct screen screen = {.file = file, .status = status};
    int left = rows > 0 ? rows - HEAD_LINES : 1 << 20;

    head(&screen);
    table(&screen);
    changes(&screen);
    disk(&screen);
    connections(&screen);
    servers(&screen, &left);
    users(&screen, &left);
    subscribers(&screen, &left);
}
