/* SPDX-License-Identifier: BSD-3-Clause */
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>

#include "mupdated/control/json.h"
#include "tools/mupdatectl/local.h"
#include "tools/mupdatectl/offline.h"
#include "tools/mupdatectl/output.h"
#include "tools/mupdatectl/when.h"

enum { OPTION_MAILBOX = CTL_OWN_OPTION, OPTION_SINCE, OPTION_LAST };

/* Shown before --follow goes on, when nothing else says how many, as tail(1) does. */
#define FOLLOW_LAST 10

#define LAST_MAX 1000000

struct reading {
    struct ctl *ctl;
    bool follow;
    const char *mailbox;   /* NULL: any */
    int64_t since_us;
    int64_t last;          /* -1: all */
    json_t *kept;          /* with last: what may be shown yet; NULL without */
    size_t oldest;         /* of a full one */
    json_int_t sequence;   /* of the newest change that need not be asked for again */
    int failed;            /* exit status of a callback of the store */
};

/* --- one change --- */

static void write_side(const json_t *change, const char *state_key, const char *location_key)
{
    const char *state = json_string_value(json_object_get(change, state_key));

    /* Before its first change a name was nothing; after its last one it is deleted. */
    (void)fputs(state ? state : "-", stdout);
    if (!state || strcmp(state, "deleted") == 0)
        return;
    (void)putchar(' ');
    ctl_write_member(stdout, change, location_key);
}

static int print_change(const struct reading *reading, const json_t *change)
{
    char text[CTL_WHEN_BYTES];

    if (reading->ctl->json)
        return ctl_print_json(json_deep_copy(change));
    (void)printf("%s\t%lld\t",
                 ctl_moment_text(json_integer_value(json_object_get(change, "time_us")), text),
                 (long long)json_integer_value(json_object_get(change, "sequence")));
    ctl_write_member(stdout, change, "who");
    (void)putchar('\t');
    ctl_write_member(stdout, change, "name");
    (void)putchar('\t');
    write_side(change, "old_state", "old_location");
    (void)fputs(" -> ", stdout);
    write_side(change, "state", "location");
    if (json_object_get(change, "acl") || json_object_get(change, "acl_base64")) {
        (void)putchar('\t');
        ctl_write_acl_member(stdout, change);
    }
    (void)putchar('\n');
    return ferror(stdout) ? ctl_flush() : 0;
}

/* Print it, or keep it until it is known which are the last ones. */
static int take(void *context, const json_t *change)
{
    struct reading *reading = context;
    json_t *mine;

    if (json_integer_value(json_object_get(change, "sequence")) > reading->sequence)
        reading->sequence = json_integer_value(json_object_get(change, "sequence"));
    if (!reading->kept)
        return print_change(reading, change);
    if (reading->last == 0)
        return 0;
    mine = json_incref((json_t *)change);
    if (json_array_size(reading->kept) < (size_t)reading->last)
        return json_array_append_new(reading->kept, mine) == 0
                   ? 0
                   : ctl_complain(EX_OSERR, "out of memory");
    if (json_array_set_new(reading->kept, reading->oldest, mine) != 0)
        return ctl_complain(EX_OSERR, "out of memory");
    reading->oldest = (reading->oldest + 1) % (size_t)reading->last;
    return 0;
}

static int print_kept(struct reading *reading)
{
    size_t count = json_array_size(reading->kept);
    int status = 0;

    for (size_t i = 0; !status && i < count; i++)
        status = print_change(reading,
                              json_array_get(reading->kept, (reading->oldest + i) % count));
    json_decref(reading->kept);
    reading->kept = NULL;
    return status ? status : ctl_flush();
}

/* --- of the mupdated that runs --- */

/* from: 0 for those that are there; or the first of those to follow. */
static json_t *request(const struct reading *reading, json_int_t from)
{
    json_t *object = json_pack("{sssbsIsI}", "do", "changes", "follow", from > 0, "from", from,
                               "since_us", (json_int_t)reading->since_us);

    if (object &&
        (!reading->mailbox ||
         json_set_text(object, "mailbox",
                           (struct mupdate_text){reading->mailbox, strlen(reading->mailbox)})) &&
        /* Of those of one mailbox the last ones are chosen here. */
        (!reading->kept || reading->mailbox ||
         json_object_set_new(object, "last", json_integer(reading->last)) == 0))
        return object;
    json_decref(object);
    return NULL;
}

static int follow(struct reading *reading, struct ctl_local *local)
{
    int status;

    local->timeout_ms = -1;
    status = ctl_local_send(local, request(reading, reading->sequence + 1));
    do {
        const json_t *changes;
        json_t *answer;

        if (!status)
            status = ctl_local_next(local, &answer);
        if (status)
            return ctl_local_failed(local, status);
        changes = json_object_get(answer, "changes");
        for (size_t i = 0; !status && i < json_array_size(changes); i++)
            status = print_change(reading, json_array_get(changes, i));
        json_decref(answer);
        if (!status)
            status = ctl_flush();
    } while (!status && local->more);
    return status;
}

static int read_online(struct reading *reading, struct ctl_local *local)
{
    json_t *answer;
    int status = ctl_local_ask(local, json_pack("{ss}", "do", "status"), &answer);

    if (!status) {
        reading->sequence = json_integer_value(json_object_get(
            json_object_get(json_object_get(answer, "status"), "position"), "sequence"));
        json_decref(answer);
        status = ctl_local_list(local, request(reading, 0), "changes", take, reading);
    }
    if (status)
        return ctl_local_failed(local, status);
    status = print_kept(reading);
    return status || !reading->follow ? status : follow(reading, local);
}

/* --- of a stopped one --- */

static bool on_change(void *context, const struct change *change)
{
    struct reading *reading = context;
    json_t *object;

    if (change->now.time_us < reading->since_us ||
        (reading->mailbox &&
         !text_equal(change->now.mupdate.name,
                     (struct mupdate_text){reading->mailbox, strlen(reading->mailbox)})))
        return true;
    object = json_change(change);
    reading->failed = object ? take(reading, object) : ctl_complain(EX_OSERR, "out of memory");
    json_decref(object);
    return reading->failed == 0;
}

static int read_offline(struct reading *reading, const struct ctl_place *place)
{
    struct store_position position;
    struct store_error error;
    struct ctl_table table;
    enum store_result result;
    int status = ctl_table_open(place, &table);

    if (status)
        return status;
    store_position(table.store, &position);
    result = store_changes(table.store, position.first, on_change, reading, &error);
    ctl_table_close(&table);
    if (reading->failed)
        return reading->failed;
    return result == STORE_OK ? print_kept(reading) : ctl_store_failed(result, &error);
}

/*
 * Nobody listens: then, if it is true that no mupdated runs, which its lock tells, the log is in
 * the directory.
 */
static int without_daemon(struct reading *reading, const struct ctl_local *local)
{
    struct ctl_place place;
    int status;

    if (reading->follow)
        return ctl_local_failed(local, EX_UNAVAILABLE);
    status = ctl_place_find(&place, reading->ctl, false);
    if (status)
        return status;
    status = read_offline(reading, &place);
    ctl_place_free(&place);
    return status;
}

/* --- options --- */

static int take_last(struct reading *reading, const char *text)
{
    char *end;
    long long number = strtoll(text, &end, 10);

    if (!*text || *end || number < 0 || number > LAST_MAX)
        return ctl_complain(EX_USAGE, "--last %s: give a number up to %d", text, LAST_MAX);
    reading->last = number;
    return 0;
}

static int take_option(struct reading *reading, int option, const char *value)
{
    switch (option) {
    case 'f':
        reading->follow = true;
        return 0;
    case OPTION_MAILBOX:
        reading->mailbox = value;
        return 0;
    case OPTION_SINCE:
        reading->since_us = ctl_moment_us(value, ctl_now_us());
        return reading->since_us >= 0
                   ? 0
                   : ctl_complain(EX_USAGE,
                                  "--since %s: give a time such as 2026-11-22T10:00, with Z behind "
                                  "it for UTC, or how long ago, such as 10m or 2h",
                                  value);
    default:
        return take_last(reading, value);
    }
}

static int show_log(struct ctl *ctl, int argc, char **argv)
{
    struct reading reading = {.ctl = ctl, .last = -1};
    struct ctl_local local;
    int option;
    int status;

    while ((option = ctl_option(ctl, argc, argv)) != CTL_END) {
        if (option == CTL_STOP)
            return ctl->status;
        status = take_option(&reading, option, optarg);
        if (status)
            return status;
    }
    if (reading.follow && reading.last < 0 && reading.since_us == 0)
        reading.last = FOLLOW_LAST;
    if (reading.last >= 0 && !(reading.kept = json_array()))
        return ctl_complain(EX_OSERR, "out of memory");
    status = ctl_local_find_alone(&local, ctl);
    if (!status)
        status = ctl_local_connect(&local);
    if (status == EX_UNAVAILABLE)
        status = without_daemon(&reading, &local);
    else if (status)
        (void)ctl_local_failed(&local, status);
    else
        status = read_online(&reading, &local);
    ctl_local_close(&local);
    json_decref(reading.kept);
    return status;
}

static const struct option log_options[] = {
    {"follow", no_argument, NULL, 'f'},
    {"mailbox", required_argument, NULL, OPTION_MAILBOX},
    {"since", required_argument, NULL, OPTION_SINCE},
    {"last", required_argument, NULL, OPTION_LAST},
    {NULL, 0, NULL, 0},
};

const struct ctl_command ctl_log_command = {
    .name = "log",
    .arguments = "[-f] [--mailbox NAME] [--since TIME] [--last N]",
    .summary = "who changed what, and when",
    .help = "Show the log of changes, oldest first: time (UTC), number, user, mailbox, what it\n"
            "was and what it became. Asks the mupdated on this host, or reads its database when\n"
            "it is stopped.\n"
            "\n"
            "  -f, --follow               go on with each change as it is made; begins with the\n"
            "                             last 10 unless --last or --since is given\n"
            "      --mailbox NAME         only changes of this mailbox\n"
            "      --since TIME           only those made since then: 2026-11-22T10:00 (local\n"
            "                             time; with Z behind it UTC), or 90s, 10m, 2h, 1d ago\n"
            "      --last N               only the last N of these\n",
    .run = show_log,
    .options = log_options,
    .letters = "f",
    .maximum = 0,
};
