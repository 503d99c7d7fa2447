/*
 * Connections that are there and do nothing, so that what they cost the server
 * can be looked at: says "ready" on standard output when all stand, and stays
 * until its standard input ends.
 *
 * SPDX-License-Identifier: BSD-3-Clause
 */
#include <errno.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

#include "report.h"
#include "scenario.h"
#include "table.h"

struct hold {
    struct table table;
    size_t subscribers; /* the first links; the others are idle */
};

static void on_message(struct link *link, const struct message *message)
{
    struct hold *hold = link->set->context;
    if (link->number >= hold->subscribers) {
        link_wrong(link, message, "nothing on an idle connection");
    }
    (void)table_message(&hold->table, link, message);
}

static void on_advance(struct link *link)
{
    struct hold *hold = link->set->context;
    table_advance(&hold->table, link);
}

static void on_own(struct link *link)
{
    struct hold *hold = link->set->context;
    table_own(&hold->table, link);
}

/* What subscribers are sent meanwhile is taken and checked: they are not stuck. */
static void hold_until_end_of_input(struct link_set *set)
{
    char ignored[256];
    ssize_t got = 1;
    bool waits = link_set_watch(set, STDIN_FILENO);
    set->nothing_due = true;
    while (got > 0) {
        if (waits) {
            link_set_wait(set, -1);
        }
        if (waits && !link_set_watched(set)) {
            continue;
        }
        got = read(STDIN_FILENO, ignored, sizeof(ignored));
        if (got < 0 && errno != EINTR) {
            report_failure(EX_IOERR, "standard input: %s", strerror(errno));
        }
    }
    set->nothing_due = false;
}

void scenario_hold(const struct options *options)
{
    struct hold hold = {.subscribers = options->subscribers};
    size_t count = options->subscribers + options->connections;
    table_open(&hold.table, options, count, NULL);
    struct link_set set;
    link_set_open(&set, options, count,
                  (struct link_events){
                      .on_message = on_message, .on_advance = on_advance, .on_own = on_own},
                  &hold);
    report_clock_start();
    uint64_t start_ns = report_now_ns();
    link_set_connect(&set);
    set.checks_later = true;
    for (size_t i = 0; i < hold.subscribers; i++) {
        table_ask(&hold.table, &set.links[i], "UPDATE");
        link_flush(&set.links[i]);
    }
    while (hold.table.done < hold.subscribers) {
        link_set_wait(&set, -1);
    }
    report_figure("connections", (double)options->connections);
    report_figure("subscribers", (double)hold.subscribers);
    report_figure("ready_us", (double)(report_now_ns() - start_ns) / 1e3);
    report_line("ready");
    hold_until_end_of_input(&set);
    link_set_close(&set);
    table_close(&hold.table);
}
