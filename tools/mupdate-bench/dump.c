/*
 * The whole table to one or many subscribers at once: UPDATE, and LIST.
 *
 * SPDX-License-Identifier: BSD-3-Clause
 */
#include "report.h"
#include "scenario.h"
#include "table.h"

/* What follows a dump, its stream, is measured elsewhere. */
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

static void run_dump(const struct options *options, const char *word, const char *prefix)
{
    struct table table;
    table_open(&table, options, options->subscribers, prefix);
    struct link_set set;
    link_set_open(&set, options, options->subscribers,
                  (struct link_events){
                      .on_message = on_message, .on_advance = on_advance, .on_own = on_own},
                  &table);
    table_expect(&table, &set);
    link_set_connect(&set);

    report_clock_start();
    uint64_t start_ns = report_now_ns();
    set.checks_later = true;
    for (size_t i = 0; i < options->subscribers; i++) {
        table_ask(&table, &set.links[i], word);
        link_flush(&set.links[i]);
    }
    while (table.done < options->subscribers) {
        link_set_wait(&set, -1);
    }
    static struct histogram times;
    for (size_t i = 0; i < options->subscribers; i++) {
        histogram_add(&times, table.shares[i].done_ns - start_ns);
    }
    table_report(&table, start_ns);
    report_times("", &times);
    report_own_cpu();
    link_set_close(&set);
    table_close(&table);
}

void scenario_dump(const struct options *options)
{
    run_dump(options, "UPDATE", NULL);
}

void scenario_list(const struct options *options)
{
    run_dump(options, "LIST", options->location);
}
