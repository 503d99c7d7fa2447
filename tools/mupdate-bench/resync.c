/*
 * What happens after a restart of the server: all subscribers come back at once
 * and want the whole table. Started while the server is down, it says "waiting"
 * on standard output and tries until it is there.
 *
 * SPDX-License-Identifier: BSD-3-Clause
 */
#include <stdio.h>

#include "report.h"
#include "scenario.h"
#include "table.h"

/* While the server is down, one subscriber tries so often for all of them. */
enum { RETRY_MS = 2 };

static void on_ready(struct link *link)
{
    table_ask(link->set->context, link, "UPDATE");
}

static void on_message(struct link *link, const struct message *message)
{
    (void)table_message(link->set->context, link, message);
}

static void on_advance(struct link *link)
{
    table_advance(link->set->context, link);
}

static void on_own(struct link *link)
{
    table_own(link->set->context, link);
}

/* A server that is going down may still accept connections that it will not serve. */
static void on_lost(struct link *link, enum link_state state, int error)
{
    if (state >= LINK_READY) {
        link_lost(link, state, error);
    }
}

/* One tries until it is served, then all others start. True when all have. */
static bool start_all(struct link_set *set)
{
    bool served = false;
    bool tries = false;
    for (size_t i = 0; i < set->count; i++) {
        served = served || set->links[i].state > LINK_CONNECTING;
        tries = tries || set->links[i].state == LINK_CONNECTING;
    }
    for (size_t i = 0; i < set->count && set->closed > 0; i++) {
        if (set->links[i].state == LINK_CLOSED && (served || !tries)) {
            link_start(&set->links[i]);
            tries = true;
        }
    }
    return set->closed == 0;
}

static void report_resync(const struct link_set *set, const struct table *table,
                          uint64_t waiting_ns)
{
    static struct histogram times;
    uint64_t start_ns = UINT64_MAX;
    uint64_t first_ns = UINT64_MAX;
    uint64_t last_ns = 0;
    for (size_t i = 0; i < set->count; i++) {
        uint64_t started_ns = set->links[i].started_ns;
        start_ns = started_ns < start_ns ? started_ns : start_ns;
    }
    for (size_t i = 0; i < set->count; i++) {
        uint64_t done_ns = table->shares[i].done_ns;
        first_ns = done_ns < first_ns ? done_ns : first_ns;
        last_ns = done_ns > last_ns ? done_ns : last_ns;
        histogram_add(&times, done_ns - start_ns);
    }
    table_report(table, start_ns);
    report_figure("first_us", (double)(first_ns - start_ns) / 1e3);
    report_figure("last_us", (double)(last_ns - start_ns) / 1e3);
    report_figure("total_us", (double)(last_ns - waiting_ns) / 1e3);
    report_times("", &times);
}

void scenario_resync(const struct options *options)
{
    struct table table;
    table_open(&table, options, options->subscribers, NULL);
    struct link_set set;
    link_set_open(&set, options, options->subscribers,
                  (struct link_events){.on_ready = on_ready, .on_message = on_message,
                                       .on_advance = on_advance, .on_own = on_own,
                                       .on_lost = on_lost},
                  &table);
    set.checks_later = true;
    table_expect(&table, &set);
    report_line("waiting");
    report_clock_start();
    uint64_t waiting_ns = report_now_ns();
    set.heard_ns = waiting_ns;
    while (table.done < options->subscribers) {
        bool all = start_all(&set);
        link_set_wait(&set, all && set.links[0].state > LINK_CONNECTING ? -1 : RETRY_MS);
    }
    report_resync(&set, &table, waiting_ns);
    report_own_cpu();
    link_set_close(&set);
    table_close(&table);
}
