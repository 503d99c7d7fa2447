/*
 * The whole table to one or many subscribers at once: UPDATE, and LIST.
 *
 * SPDX-License-Identifier: BSD-3-Clause
 */
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>

#include "link.h"
#include "report.h"
#include "scenario.h"

enum { TAG = 1 };

/* What one subscriber got. */
struct share {
    uint8_t *seen; /* one bit a row of the set */
    uint64_t rows;
    uint64_t known; /* rows of the set, each counted once */
    uint64_t octets;
    uint64_t done_ns; /* 0: not yet */
};

struct dump {
    const struct options *options;
    struct share *shares;
    uint64_t wanted; /* rows of the set that must come */
    size_t done;
};

static void take_row(struct link *link, struct share *share, const struct message *message)
{
    const struct dump *dump = link->set->context;
    bool active = message_text_is(message->word, "MAILBOX");
    if ((!active || message->count != 3) &&
        (!message_text_is(message->word, "RESERVE") || message->count != 2)) {
        link_wrong(link, message, "a row of the dump");
    }
    share->rows++;
    uint64_t number;
    uint64_t mark;
    if (!row_number(&dump->options->set, message->arguments[0], &number) ||
        number >= dump->options->rows) {
        return;
    }
    uint8_t bit = (uint8_t)(1U << number % 8);
    if (!active || (share->seen[number / 8] & bit) != 0 ||
        !row_location_is(number, message->arguments[1]) ||
        !row_acl_is(&dump->options->set, number, message->arguments[2], &mark)) {
        link_wrong(link, message, "each row of the set once, as it was stored");
    }
    share->seen[number / 8] |= bit;
    share->known++;
}

static void on_message(struct link *link, const struct message *message)
{
    struct dump *dump = link->set->context;
    struct share *share = &dump->shares[link->number];
    uint64_t tag;
    if (share->done_ns != 0) {
        return; /* the stream that follows a dump is measured elsewhere */
    }
    if (!message_tag_number(message->tag, &tag) || tag != TAG) {
        link_wrong(link, message, "the tag of the dump");
    }
    if (!message_text_is(message->word, "OK")) {
        take_row(link, share, message);
        return;
    }
    if (message->count != 1 || share->known != dump->wanted) {
        report_failure(EX_PROTOCOL,
                       "connection %zu: the dump ended with %llu of %llu rows of the set",
                       link->number, (unsigned long long)share->known,
                       (unsigned long long)dump->wanted);
    }
    share->done_ns = link->set->now_ns;
    share->octets = link->received_octets - (link->in.end - link->in.start) - share->octets;
    dump->done++;
}

/* How many rows of the set are at a location that starts with the prefix. */
static uint64_t rows_at(const struct options *options, const char *prefix)
{
    char location[ROW_TEXT_BYTES];
    uint64_t count = 0;
    for (uint64_t row = 0; row < options->rows; row++) {
        size_t len = row_location(row, location);
        count += strlen(prefix) <= len && memcmp(location, prefix, strlen(prefix)) == 0;
    }
    return count;
}

static void report_dump(const struct dump *dump, uint64_t start_ns)
{
    const struct options *options = dump->options;
    struct histogram times = {0};
    uint64_t last_ns = start_ns;
    double rows = 0;
    double octets = 0;
    for (size_t i = 0; i < options->subscribers; i++) {
        const struct share *share = &dump->shares[i];
        histogram_add(&times, share->done_ns - start_ns);
        last_ns = share->done_ns > last_ns ? share->done_ns : last_ns;
        rows += (double)share->rows;
        octets += (double)share->octets;
    }
    double seconds = (double)(last_ns - start_ns) / 1e9;
    report_figure("subscribers", (double)options->subscribers);
    report_figure("rows", rows / (double)options->subscribers);
    report_figure("bytes", octets / (double)options->subscribers);
    report_figure("seconds", seconds);
    report_figure("rows_per_s", rows / seconds);
    report_figure("bytes_per_s", octets / seconds);
    report_times("", &times);
    report_own_cpu();
}

static void run_dump(const struct options *options, const char *word, const char *prefix)
{
    struct dump dump = {.options = options,
                        .wanted = prefix == NULL ? options->rows : rows_at(options, prefix)};
    size_t seen_size = options->rows / 8 + 1;
    dump.shares = calloc(options->subscribers, sizeof(*dump.shares));
    uint8_t *seen = calloc(options->subscribers, seen_size);
    if (dump.shares == NULL || seen == NULL) {
        report_failure(EX_OSERR, "no memory for %zu subscribers", options->subscribers);
    }
    struct link_set set;
    link_set_open(&set, options, options->subscribers,
                  (struct link_events){.on_message = on_message}, &dump);
    link_set_connect(&set);

    report_clock_start();
    uint64_t start_ns = report_now_ns();
    struct message_text argument = {prefix, prefix == NULL ? 0 : strlen(prefix)};
    for (size_t i = 0; i < options->subscribers; i++) {
        dump.shares[i].seen = seen + i * seen_size;
        dump.shares[i].octets = set.links[i].received_octets;
        link_command(&set.links[i], TAG, word, prefix == NULL ? 0 : 1, &argument);
        link_flush(&set.links[i]);
    }
    while (dump.done < options->subscribers) {
        link_set_wait(&set, -1);
    }
    report_dump(&dump, start_ns);
    link_set_close(&set);
    free(seen);
    free(dump.shares);
}

void scenario_dump(const struct options *options)
{
    run_dump(options, "UPDATE", NULL);
}

void scenario_list(const struct options *options)
{
    run_dump(options, "LIST", options->location);
}
