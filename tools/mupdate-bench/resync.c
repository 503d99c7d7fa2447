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

struct resync {
    struct table table;
    bool answered;    /* the server has said something */
    uint64_t refused; /* connections that it turned away since then */
};

static struct table *table_of(const struct link *link)
{
    struct resync *resync = link->set->context;
    return &resync->table;
}

static void on_ready(struct link *link)
{
    table_ask(table_of(link), link, "UPDATE");
}

static void on_message(struct link *link, const struct message *message)
{
    (void)table_message(table_of(link), link, message);
}

static void on_advance(struct link *link)
{
    table_advance(table_of(link), link);
}

static void on_own(struct link *link)
{
    table_own(table_of(link), link);
}

/*
 * A server that is going down may still accept connections that it will not serve,
 * and one that is up may turn some away. Both are tried again, and told.
 */
static void on_lost(struct link *link, enum link_state state, int error)
{
    struct resync *resync = link->set->context;
    if (state >= LINK_READY) {
        link_lost(link, state, error);
    }
    resync->answered = resync->answered || state > LINK_CONNECTING;
    resync->refused += resync->answered;
}

/* One tries until it is served, then all others start. True when all have. */
static bool start_all(struct link_set *set)
{
    struct resync *resync = set->context;
    bool served = false;
    bool tries = false;
    for (size_t i = 0; i < set->count; i++) {
        served = served || set->links[i].state > LINK_CONNECTING;
        tries = tries || set->links[i].state == LINK_CONNECTING;
    }
    resync->answered = resync->answered || served;
    for (size_t i = 0; i < set->count && set->closed > 0; i++) {
        if (set->links[i].state == LINK_CLOSED && (served || !tries)) {
            link_start(&set->links[i]);
            tries = true;
        }
    }
    return set->closed == 0;
}

static void report_resync(const struct link_set *set, const struct resync *resync,
                          uint64_t waiting_ns)
{
    const struct table *table = &resync->table;
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
    report_figure("refused", (double)resync->refused);
    report_times("", &times);
}

void scenario_resync(const struct options *options)
{
    struct resync resync = {.refused = 0};
    table_open(&resync.table, options, options->subscribers, NULL);
    struct link_set set;
    link_set_open(&set, options, options->subscribers,
                  (struct link_events){.on_ready = on_ready, .on_message = on_message,
                                       .on_advance = on_advance, .on_own = on_own,
                                       .on_lost = on_lost},
                  &resync);
    set.checks_later = true;
    table_expect(&resync.table, &set);
    report_line("waiting");
    report_clock_start();
    uint64_t waiting_ns = report_now_ns();
    set.heard_ns = waiting_ns;
    while (resync.table.done < options->subscribers) {
        bool all = start_all(&set);
        link_set_wait(&set, all && set.links[0].state > LINK_CONNECTING ? -1 : RETRY_MS);
    }
    report_resync(&set, &resync, waiting_ns);
    report_own_cpu();
    link_set_close(&set);
    table_close(&resync.table);
}
