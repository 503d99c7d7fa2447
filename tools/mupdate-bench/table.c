/*
 * SPDX-License-Identifier: BSD-3-Clause
 */
#include "table.h"

#include <stdlib.h>
#include <string.h>
#include <sysexits.h>

#include "report.h"

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

static void *allocate(size_t count, size_t size)
{
    void *memory = calloc(count, size);
    if (memory == NULL) {
        report_failure(EX_OSERR, "no memory for the rows of %zu subscribers", count);
    }
    return memory;
}

void table_open(struct table *table, const struct options *options, size_t count,
                const char *prefix)
{
    *table = (struct table){
        .options = options,
        .prefix = prefix,
        .wanted = prefix == NULL ? options->rows : rows_at(options, prefix),
        .shares = allocate(count + 1, sizeof(*table->shares)),
        .count = count,
    };
}

void table_close(struct table *table)
{
    for (size_t i = 0; i < table->count; i++) {
        if (table->shares[i].own != NULL) {
            free(table->shares[i].own->seen);
            free(table->shares[i].own);
        }
    }
    free(table->rows.seen);
    free(table->shares);
}

void table_expect(const struct table *table, struct link_set *set)
{
    /* A row of a set takes up to 128 octets on the wire. */
    transcript_expect(&set->transcript, table->options->rows * 128);
}

static void send_command(struct table *table, struct link *link, const char *word)
{
    struct message_text argument = {table->prefix,
                                    table->prefix == NULL ? 0 : strlen(table->prefix)};
    table->shares[link->number].octets = link->received_octets;
    link_command(link, TABLE_TAG, word, table->prefix == NULL ? 0 : 1, &argument);
}

void table_ask(struct table *table, struct link *link, const char *word)
{
    link_share(link);
    send_command(table, link, word);
}

void table_ask_alone(struct table *table, struct link *link, const char *word)
{
    struct table_share *share = &table->shares[link->number];
    if (share->own == NULL) {
        table_own(table, link);
    } else {
        free(share->own->seen);
        *share->own = (struct table_rows){0};
    }
    table->done -= share->done_ns != 0;
    share->done_ns = 0;
    send_command(table, link, word);
}

static void take_row(struct table *table, struct table_rows *rows, struct link *link,
                     const struct message *message)
{
    const struct options *options = table->options;
    bool active = message_text_is(message->word, "MAILBOX");
    if ((!active || message->count != 3) &&
        (!message_text_is(message->word, "RESERVE") || message->count != 2)) {
        link_wrong(link, message, "a row of the dump");
    }
    rows->rows++;
    uint64_t number;
    uint64_t mark;
    if (!row_number(&options->set, message->arguments[0], &number) || number >= options->rows) {
        return;
    }
    uint8_t bit = (uint8_t)(1U << number % 8);
    if (!active && table->grows) {
        return;
    }
    if (!active || (rows->seen[number / 8] & bit) != 0 ||
        !row_location_is(number, message->arguments[1]) ||
        !row_acl_is(&options->set, number, message->arguments[2], &mark)) {
        link_wrong(link, message, "each row of the set once, as it was stored");
    }
    rows->seen[number / 8] |= bit;
    rows->known++;
}

static void settle(struct table *table, struct link *link)
{
    struct table_share *share = &table->shares[link->number];
    const struct table_rows *rows = share->own == NULL ? &table->rows : share->own;
    size_t behind = share->own == NULL ? link->at - table->end : link->in.end - link->in.start;
    share->rows = rows->rows;
    share->octets = link->received_octets - behind - share->octets;
    /* Now may be later: the answer may have been parsed some time after it came. */
    share->done_ns = link->heard_ns;
    table->done++;
}

void table_advance(struct table *table, struct link *link)
{
    if (table->end > 0 && link->at >= table->end && !table_has(table, link)) {
        settle(table, link);
    }
}

bool table_message(struct table *table, struct link *link, const struct message *message)
{
    struct table_rows *rows = link->shares ? &table->rows : table->shares[link->number].own;
    uint64_t tag;
    if (rows->ended) {
        return false;
    }
    if (!message_tag_number(message->tag, &tag) || tag != TABLE_TAG) {
        link_wrong(link, message, "the tag of the dump");
    }
    if (rows->seen == NULL) {
        rows->seen = allocate(1, table->options->rows / 8 + 1);
    }
    if (!message_text_is(message->word, "OK")) {
        take_row(table, rows, link, message);
        return true;
    }
    if (message->count != 1 || (rows->known != table->wanted && !table->grows)) {
        report_failure(EX_PROTOCOL,
                       "connection %zu: the dump ended with %llu of %llu rows of the set",
                       link->number, (unsigned long long)rows->known,
                       (unsigned long long)table->wanted);
    }
    rows->ended = true;
    if (!link->shares) {
        if (!table_has(table, link)) {
            settle(table, link);
        }
        return true;
    }
    table->end = link->set->transcript.parsed;
    for (size_t i = 0; i < link->set->count; i++) {
        if (link->set->links[i].shares) {
            table_advance(table, &link->set->links[i]);
        }
    }
    return true;
}

void table_own(struct table *table, struct link *link)
{
    table->shares[link->number].own = allocate(1, sizeof(struct table_rows));
}

bool table_has(const struct table *table, const struct link *link)
{
    return table->shares[link->number].done_ns != 0;
}

void table_report(const struct table *table, uint64_t start_ns)
{
    uint64_t last_ns = start_ns + 1;
    double subscribers = 0;
    double rows = 0;
    double octets = 0;
    for (size_t i = 0; i < table->count; i++) {
        const struct table_share *share = &table->shares[i];
        if (share->done_ns != 0) {
            last_ns = share->done_ns > last_ns ? share->done_ns : last_ns;
            rows += (double)share->rows;
            octets += (double)share->octets;
            subscribers++;
        }
    }
    double seconds = (double)(last_ns - start_ns) / 1e9;
    report_figure("subscribers", subscribers);
    report_figure("rows", rows / subscribers);
    report_figure("bytes", octets / subscribers);
    report_figure("seconds", seconds);
    report_figure("rows_per_s", rows / seconds);
    report_figure("bytes_per_s", octets / seconds);
}
