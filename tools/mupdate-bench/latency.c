/*
 * The time from the OK that a writer gets to the arrival of the row at each
 * subscriber. The writer keeps its pace whatever the server does, so that a
 * server that stops for a while is not measured only before and after.
 *
 * SPDX-License-Identifier: BSD-3-Clause
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/timerfd.h>
#include <sysexits.h>
#include <unistd.h>

#include "link.h"
#include "report.h"
#include "scenario.h"
#include "table.h"

/* Change number i writes row first + i; its command has the tag i. */
struct change {
    uint64_t sent_ns;
    uint64_t done_ns; /* 0: no OK yet */
    bool passes; /* it is in the transcript: a server may send it again */
};

/* A change in the transcript of the subscribers' streams. */
struct passage {
    size_t end; /* where it ends */
    uint64_t change;
};

struct latency {
    const struct options *options;
    struct table table;
    uint64_t mark;
    uint64_t count;  /* changes to make */
    uint64_t sent;
    uint64_t done;
    uint64_t arrivals;
    uint64_t early; /* arrivals before the OK */
    uint64_t last_ns; /* the last arrival */
    struct change *changes;
    struct passage *passages;
    uint64_t passed;   /* passages that are filled */
    uint64_t *next;    /* the first passage that a subscriber has not come to */
    uint8_t *arrived;  /* a bit for each subscriber and change */
    size_t arrived_size; /* octets of one subscriber's */
    struct histogram from_ok;
    struct histogram from_command;
    struct histogram writer;
};

/* Link 0 is the writer, the others are subscribers. */
static void writer_message(struct link *link, const struct message *message)
{
    struct latency *latency = link->set->context;
    uint64_t tag;
    if (!message_tag_number(message->tag, &tag) || tag != latency->done ||
        !message_text_is(message->word, "OK") || message->count != 1) {
        link_wrong(link, message, "OK to the oldest ACTIVATE");
    }
    struct change *change = &latency->changes[latency->done++];
    change->done_ns = link->set->now_ns;
    histogram_add(&latency->writer, change->done_ns - change->sent_ns);
}

/* A server may well send a row to others before it answers the writer. */
static void count_arrival(struct latency *latency, const struct link *link, uint64_t number)
{
    uint8_t *arrived = latency->arrived + (link->number - 1) * latency->arrived_size;
    uint8_t bit = (uint8_t)(1U << number % 8);
    if ((arrived[number / 8] & bit) != 0) {
        return;
    }
    arrived[number / 8] |= bit;
    const struct change *change = &latency->changes[number];
    bool early = change->done_ns == 0;
    latency->arrivals++;
    latency->early += early;
    latency->last_ns = link->heard_ns;
    histogram_add(&latency->from_ok, early ? 0 : link->heard_ns - change->done_ns);
    histogram_add(&latency->from_command, link->heard_ns - change->sent_ns);
}

static void take_change(struct link *link, const struct message *message)
{
    struct latency *latency = link->set->context;
    const struct options *options = latency->options;
    uint64_t number;
    uint64_t mark;
    uint64_t tag;
    if (!message_tag_number(message->tag, &tag) || tag != TABLE_TAG) {
        link_wrong(link, message, "the tag of the stream");
    }
    if (!message_text_is(message->word, "MAILBOX") || message->count != 3 ||
        !row_number(&options->set, message->arguments[0], &number)) {
        return; /* someone else's row */
    }
    if (!row_location_is(number, message->arguments[1]) ||
        !row_acl_is(&options->set, number, message->arguments[2], &mark)) {
        link_wrong(link, message, "the row as it was stored");
    }
    uint64_t change = mark - latency->mark - 1;
    if (mark <= latency->mark || change >= latency->sent) {
        return; /* an earlier run's change, sent again */
    }
    if (number != options->first + change) {
        link_wrong(link, message, "the change under its own name");
    }
    if (!link->shares) {
        count_arrival(latency, link, change);
    } else if (!latency->changes[change].passes) {
        latency->changes[change].passes = true;
        latency->passages[latency->passed++] =
            (struct passage){link->set->transcript.parsed, change};
    }
}

static void on_message(struct link *link, const struct message *message)
{
    struct latency *latency = link->set->context;
    if (link->number == 0) {
        writer_message(link, message);
    } else if (!table_message(&latency->table, link, message)) {
        take_change(link, message);
    }
}

static void on_advance(struct link *link)
{
    struct latency *latency = link->set->context;
    uint64_t *next = &latency->next[link->number];
    table_advance(&latency->table, link);
    while (*next < latency->passed && latency->passages[*next].end <= link->at) {
        count_arrival(latency, link, latency->passages[(*next)++].change);
    }
}

static void on_own(struct link *link)
{
    struct latency *latency = link->set->context;
    table_own(&latency->table, link);
}

static void send_change(struct link *writer, struct latency *latency)
{
    const struct options *options = latency->options;
    char name[ROW_TEXT_BYTES];
    char location[ROW_TEXT_BYTES];
    char acl[ROW_TEXT_BYTES];
    uint64_t row = options->first + latency->sent;
    struct message_text arguments[3] = {
        {name, row_name(&options->set, row, name)},
        {location, row_location(row, location)},
        {acl, row_acl(&options->set, row, latency->mark + 1 + latency->sent, acl)}};
    latency->changes[latency->sent].sent_ns = report_now_ns();
    link_command(writer, latency->sent++, "ACTIVATE", 3, arguments);
}

static void start_streams(struct link_set *set, struct latency *latency)
{
    for (size_t i = 1; i < set->count; i++) {
        table_ask(&latency->table, &set->links[i], "UPDATE");
        link_flush(&set->links[i]);
    }
    while (latency->table.done < latency->options->subscribers) {
        link_set_wait(set, -1);
    }
}

static int start_timer(double rate)
{
    int timer = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);
    long long period_ns = (long long)(1e9 / rate);
    struct timespec period = {period_ns / 1000000000, period_ns % 1000000000};
    struct itimerspec setting = {.it_interval = period, .it_value = period};
    if (timer < 0 || timerfd_settime(timer, 0, &setting, NULL) != 0) {
        report_failure(EX_OSERR, "timer: %s", strerror(errno));
    }
    return timer;
}

static void write_at_pace(struct link_set *set, struct latency *latency)
{
    int timer = start_timer(latency->options->rate);
    (void)link_set_watch(set, timer);
    while (latency->done < latency->count) {
        uint64_t ticks = 0;
        if (read(timer, &ticks, sizeof(ticks)) == (ssize_t)sizeof(ticks)) {
            for (; ticks > 0 && latency->sent < latency->count; ticks--) {
                send_change(&set->links[0], latency);
            }
            link_flush(&set->links[0]);
        }
        set->nothing_due = latency->done == latency->sent;
        link_set_wait(set, -1);
    }
    set->nothing_due = false;
    close(timer);
    /* What has not arrived by the longest silence allowed is lost. */
    uint64_t wanted = latency->count * latency->options->subscribers;
    uint64_t end_ns = report_now_ns() + (uint64_t)(latency->options->timeout * 1e9);
    while (latency->arrivals < wanted && report_now_ns() < end_ns) {
        link_set_wait(set, 100);
    }
    if (latency->arrivals < wanted) {
        report_failure(EX_UNAVAILABLE, "%llu of %llu changes did not arrive",
                       (unsigned long long)(wanted - latency->arrivals),
                       (unsigned long long)wanted);
    }
}

static void report_latency(const struct latency *latency)
{
    report_figure("subscribers", (double)latency->options->subscribers);
    report_figure("rate_per_s", latency->options->rate);
    report_figure("changes", (double)latency->count);
    const struct change *changes = latency->changes;
    uint64_t last_ns = changes[latency->count - 1].done_ns;
    report_figure("achieved_per_s",
                  (double)latency->count * 1e9 / (double)(last_ns - changes[0].sent_ns));
    report_figure("rows_per_s", (double)latency->arrivals * 1e9 /
                                    (double)(latency->last_ns - changes[0].sent_ns));
    report_times("", &latency->from_ok);
    report_times("from_command_", &latency->from_command);
    report_times("writer_", &latency->writer);
    report_figure("before_ok_share", (double)latency->early / (double)latency->arrivals);
    report_own_cpu();
}

void scenario_latency(const struct options *options)
{
    static struct latency latency;
    latency.options = options;
    latency.mark = scenario_mark();
    latency.count = (uint64_t)(options->rate * options->seconds);
    latency.count = options->count > 0 ? options->count : latency.count > 0 ? latency.count : 1;
    if (latency.count > options->rows) {
        report_failure(EX_USAGE, "%llu changes need as many --rows: each row is changed once",
                       (unsigned long long)latency.count);
    }
    latency.changes = calloc(latency.count, sizeof(*latency.changes));
    latency.passages = calloc(latency.count, sizeof(*latency.passages));
    latency.next = calloc(options->subscribers + 1, sizeof(*latency.next));
    latency.arrived_size = latency.count / 8 + 1;
    latency.arrived = calloc(options->subscribers, latency.arrived_size);
    if (latency.changes == NULL || latency.passages == NULL || latency.next == NULL ||
        latency.arrived == NULL) {
        report_failure(EX_OSERR, "no memory for %llu changes", (unsigned long long)latency.count);
    }
    struct link_set set;
    link_set_open(&set, options, options->subscribers + 1,
                  (struct link_events){
                      .on_message = on_message, .on_advance = on_advance, .on_own = on_own},
                  &latency);
    table_open(&latency.table, options, set.count, NULL);
    link_set_connect(&set);
    start_streams(&set, &latency);
    report_clock_start();
    write_at_pace(&set, &latency);
    report_latency(&latency);
    link_set_close(&set);
    table_close(&latency.table);
    free(latency.next);
    free(latency.passages);
    free(latency.changes);
    free(latency.arrived);
}
