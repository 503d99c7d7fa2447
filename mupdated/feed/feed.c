/* SPDX-License-Identifier: BSD-3-Clause */
#include "mupdated/feed/feed.h"

#include <stdlib.h>
#include <string.h>

/* The positions that stand at an entry keep it; entries are freed oldest first. */
struct feed_entry {
    struct feed_entry *next;
    uint64_t sequence;
    int64_t time_us;
    size_t positions;
    size_t name_len;
    size_t old_len;
    size_t new_len;
    char bytes[];
};

struct feed {
    struct feed_entry *oldest;
    struct feed_entry *newest;
    uint64_t sequence;
    struct feed_position *positions;
};

static struct feed_entry *entry_new(uint64_t sequence, struct mupdate_text name,
                                    struct mupdate_text old_server, struct mupdate_text new_server)
{
    struct feed_entry *entry =
        malloc(sizeof *entry + name.len + old_server.len + new_server.len);
    char *to;

    if (!entry)
        return NULL;
    entry->next = NULL;
    entry->sequence = sequence;
    entry->time_us = 0;
    entry->positions = 0;
    entry->name_len = name.len;
    entry->old_len = old_server.len;
    entry->new_len = new_server.len;
    to = entry->bytes;
    if (name.len)
        memcpy(to, name.data, name.len);
    to += name.len;
    if (old_server.len)
        memcpy(to, old_server.data, old_server.len);
    to += old_server.len;
    if (new_server.len)
        memcpy(to, new_server.data, new_server.len);
    return entry;
}

static void feed_reap(struct feed *feed)
{
    while (feed->oldest != feed->newest && feed->oldest->positions == 0) {
        struct feed_entry *entry = feed->oldest;

        feed->oldest = entry->next;
        free(entry);
    }
}

struct feed *feed_new(uint64_t sequence)
{
    struct mupdate_text none = {NULL, 0};
    struct feed *feed = calloc(1, sizeof *feed);

    if (!feed)
        return NULL;
    feed->newest = entry_new(sequence, none, none, none);
    if (!feed->newest) {
        free(feed);
        return NULL;
    }
    feed->oldest = feed->newest;
    feed->sequence = sequence;
    return feed;
}

void feed_free(struct feed *feed)
{
    if (!feed)
        return;
    while (feed->oldest) {
        struct feed_entry *entry = feed->oldest;

        feed->oldest = entry->next;
        free(entry);
    }
    free(feed);
}

bool feed_publish(struct feed *feed, const struct change *change)
{
    const struct mupdate_row *row = &change->now.mupdate;
    struct mupdate_text none = {NULL, 0};
    struct mupdate_text from =
        change->old_state == MUPDATE_ABSENT ? none : location_server(change->old_location);
    struct mupdate_text to = row->state == MUPDATE_ABSENT ? none : location_server(row->location);
    struct feed_entry *entry = entry_new(change->now.sequence, row->name, from, to);

    feed->sequence = change->now.sequence;
    if (!entry) {
        feed->newest->sequence = feed->sequence; /* who joins now has nothing to pass */
        return false;
    }
    entry->time_us = change->now.time_us;
    feed->newest->next = entry;
    feed->newest = entry;
    feed_reap(feed);
    return true;
}

uint64_t feed_sequence(const struct feed *feed)
{
    return feed->sequence;
}

void feed_join(struct feed *feed, struct feed_position *position)
{
    position->feed = feed;
    position->at = feed->newest;
    position->at->positions++;
    position->previous = NULL;
    position->next = feed->positions;
    if (feed->positions)
        feed->positions->previous = position;
    feed->positions = position;
}

void feed_leave(struct feed_position *position)
{
    struct feed *feed = position->feed;

    if (!feed)
        return;
    position->at->positions--;
    if (position->next)
        position->next->previous = position->previous;
    if (position->previous)
        position->previous->next = position->next;
    else
        feed->positions = position->next;
    position->feed = NULL;
    feed_reap(feed);
}

bool feed_next(struct feed_entry **at, struct feed_change *change)
{
    struct feed_entry *entry = (*at)->next;

    if (!entry)
        return false;
    change->sequence = entry->sequence;
    change->time_us = entry->time_us;
    change->name = (struct mupdate_text){entry->bytes, entry->name_len};
    change->old_server = (struct mupdate_text){entry->bytes + entry->name_len, entry->old_len};
    change->new_server =
        (struct mupdate_text){entry->bytes + entry->name_len + entry->old_len, entry->new_len};
    *at = entry;
    return true;
}

void feed_pass_to(struct feed_position *position, struct feed_entry *to)
{
    position->at->positions--;
    position->at = to;
    to->positions++;
    feed_reap(position->feed);
}

bool feed_peek(const struct feed_position *position, struct feed_change *change)
{
    struct feed_entry *at = position->at;

    return feed_next(&at, change);
}

void feed_pass(struct feed_position *position)
{
    feed_pass_to(position, position->at->next);
}

uint64_t feed_behind(const struct feed_position *position)
{
    return position->feed->sequence - position->at->sequence;
}

uint64_t feed_worst(const struct feed *feed)
{
    return feed->positions ? feed->sequence - feed->oldest->sequence : 0;
}

struct feed_position *feed_first(const struct feed *feed)
{
    return feed->positions;
}
