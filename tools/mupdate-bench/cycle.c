/*
 * The life of a connection of a Cyrus back-end, over and over: connect,
 * authenticate, two commands, LOGOUT, each step after the answer to the last.
 *
 * SPDX-License-Identifier: BSD-3-Clause
 */
#include <stdlib.h>
#include <sysexits.h>

#include "link.h"
#include "report.h"
#include "scenario.h"

enum { COMMANDS = 2 };

/* One connection at a time on each link. */
struct cycle_link {
    uint64_t row;
    uint64_t started_ns;
    unsigned answered;
    bool has_row;
};

struct cycle {
    const struct options *options;
    struct cycle_link *links;
    uint64_t next_row;
    uint64_t counted;
    uint64_t count_ns;
    uint64_t end_ns;
    struct histogram times;
};

static void send_next(struct link *link)
{
    struct cycle *cycle = link->set->context;
    struct cycle_link *own = &cycle->links[link->number];
    char name[ROW_TEXT_BYTES];
    char location[ROW_TEXT_BYTES];
    char acl[ROW_TEXT_BYTES];
    struct message_text arguments[3] = {
        {name, row_name(&cycle->options->set, own->row, name)},
        {location, row_location(own->row, location)},
        {acl, row_acl(&cycle->options->set, own->row, 0, acl)}};
    if (!cycle->options->changes) {
        link_command(link, own->answered, "FIND", 1, arguments);
    } else if (own->answered == 0) {
        link_command(link, own->answered, "RESERVE", 2, arguments);
    } else {
        link_command(link, own->answered, "ACTIVATE", 3, arguments);
    }
}

static void begin(struct link *link)
{
    struct cycle *cycle = link->set->context;
    uint64_t row = cycle->next_row++;
    cycle->links[link->number] = (struct cycle_link){
        .started_ns = report_now_ns(),
        .row = cycle->options->changes ? cycle->options->first + row : row % cycle->options->rows,
    };
    link_start(link);
}

static void on_message(struct link *link, const struct message *message)
{
    struct cycle *cycle = link->set->context;
    struct cycle_link *own = &cycle->links[link->number];
    const struct row_set *set = &cycle->options->set;
    uint64_t tag;
    uint64_t number;
    uint64_t mark;
    if (own->answered >= COMMANDS || !message_tag_number(message->tag, &tag) ||
        tag != own->answered) {
        link_wrong(link, message, "the tag of the command");
    }
    if (message_text_is(message->word, "MAILBOX") && !cycle->options->changes &&
        message->count == 3 && row_number(set, message->arguments[0], &number) &&
        number == own->row && row_location_is(number, message->arguments[1]) &&
        row_acl_is(set, number, message->arguments[2], &mark) && !own->has_row) {
        own->has_row = true;
        return;
    }
    if (!message_text_is(message->word, "OK") || message->count != 1 ||
        own->has_row == cycle->options->changes) {
        link_wrong(link, message, cycle->options->changes ? "OK" : "the row, then OK");
    }
    own->has_row = false;
    if (++own->answered < COMMANDS) {
        send_next(link);
    } else {
        link_logout(link);
    }
}

static void on_closed(struct link *link)
{
    struct cycle *cycle = link->set->context;
    uint64_t now_ns = report_now_ns();
    if (now_ns >= cycle->end_ns) {
        return;
    }
    if (now_ns >= cycle->count_ns) {
        cycle->counted++;
        histogram_add(&cycle->times, now_ns - cycle->links[link->number].started_ns);
    }
    begin(link);
}

void scenario_cycle(const struct options *options)
{
    static struct cycle cycle;
    cycle.options = options;
    cycle.links = calloc(options->connections, sizeof(*cycle.links));
    if (cycle.links == NULL) {
        report_failure(EX_OSERR, "no memory for %zu connections", options->connections);
    }
    struct link_set set;
    link_set_open(&set, options, options->connections,
                  (struct link_events){.on_ready = send_next, .on_message = on_message,
                                       .on_closed = on_closed},
                  &cycle);
    report_clock_start();
    uint64_t measured_ns = (uint64_t)(options->seconds * 1e9);
    cycle.count_ns = report_now_ns() + measured_ns / 10;
    cycle.end_ns = cycle.count_ns + measured_ns;
    set.heard_ns = report_now_ns();
    for (size_t i = 0; i < set.count; i++) {
        begin(&set.links[i]);
    }
    while (set.closed < set.count) {
        link_set_wait(&set, -1);
    }
    report_figure("connections", (double)options->connections);
    report_figure("seconds", options->seconds);
    report_figure("cycles", (double)cycle.next_row);
    report_figure("ops_per_s", (double)cycle.counted / options->seconds);
    report_times("", &cycle.times);
    report_own_cpu();
    link_set_close(&set);
    free(cycle.links);
}
