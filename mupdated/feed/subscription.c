/* SPDX-License-Identifier: BSD-3-Clause */
#include "mupdated/feed/subscription.h"

#include <string.h>

static void set_state(struct subscription *subscription, enum subscription_state state)
{
    subscription->state = state;
}

static struct mupdate_text buffer_text(const struct buffer *buffer)
{
    return (struct mupdate_text){(const char *)buffer_bytes(buffer), buffer_len(buffer)};
}

bool subscription_start(struct subscription *subscription, void *owner,
                        const struct subscription_sources *from,
                        const struct mupdate_text *servers, size_t server_count,
                        int heal_delay_ms)
{
    memset(subscription, 0, sizeof *subscription);
    subscription->position.owner = owner;
    subscription->from = *from;
    subscription->dump_sequence = table_sequence(from->table);
    subscription->partial = server_count > 0;
    subscription->heal_delay_ms = subscription->partial ? -1 : heal_delay_ms;
    walk_init(&subscription->walk);
    for (size_t i = 0; i < server_count; i++) {
        buffer_append(&subscription->servers, &servers[i].len, sizeof servers[i].len);
        buffer_append(&subscription->servers, servers[i].data, servers[i].len);
    }
    if (subscription->servers.failed) {
        subscription_close(subscription);
        return false;
    }
    if (!subscription->partial)
        dump_start(&subscription->dump, from->slices, subscription->dump_sequence);
    feed_join(from->feed, &subscription->position);
    return true;
}

void subscription_close(struct subscription *subscription)
{
    feed_leave(&subscription->position);
    dump_end(&subscription->dump);
    heal_leave(&subscription->heal);
    walk_close(&subscription->walk);
    buffer_free(&subscription->servers);
    buffer_free(&subscription->repeat);
}

static bool wants_server(const struct subscription *subscription, struct mupdate_text server)
{
    const uint8_t *at = buffer_bytes(&subscription->servers);
    size_t left = buffer_len(&subscription->servers);

    if (!subscription->partial)
        return true;
    while (left) {
        struct mupdate_text wanted;

        /* gcc-analyzer(null-dereference): a buffer that holds octets has data */
        memcpy(&wanted.len, at, sizeof wanted.len);
        wanted.data = (const char *)at + sizeof wanted.len;
        if (text_equal(wanted, server))
            return true;
        at += sizeof wanted.len + wanted.len;
        left -= sizeof wanted.len + wanted.len;
    }
    return false;
}

static bool dump_filter(void *context, const struct row *row)
{
    return wants_server(context, location_server(row->mupdate.location));
}

/* The state of a mailbox as it is now. */
static bool send_now(struct subscription *subscription, struct mupdate_server *session,
                     struct mupdate_text name)
{
    struct row row;

    if (!table_find(subscription->from.table, name, &row)) {
        memset(&row, 0, sizeof row);
        row.mupdate.state = MUPDATE_ABSENT;
        row.mupdate.name = name;
    }
    return mupdate_server_row(session, &row.mupdate);
}

static bool is_full(const struct mupdate_server *session)
{
    const uint8_t *output;

    return mupdate_server_output(session, &output) >= WALK_OUTPUT_BYTES;
}

/* What the replica was sent last in its moment. */
static bool note_repeat(struct subscription *subscription, struct mupdate_text name)
{
    if (subscription->state != SUBSCRIPTION_SETTLING)
        return true;
    buffer_clear(&subscription->repeat);
    buffer_append(&subscription->repeat, name.data, name.len);
    return !subscription->repeat.failed;
}

static enum subscription_progress run_some_changes(struct subscription *subscription,
                                                   struct mupdate_server *session)
{
    struct feed_change change;

    for (size_t changes = 0; changes < WALK_SLICE_ROWS; changes++) {
        if (!feed_peek(&subscription->position, &change))
            return SUBSCRIPTION_IDLE;
        if (is_full(session))
            return SUBSCRIPTION_FULL;
        if (((change.old_server.len && wants_server(subscription, change.old_server)) ||
             (change.new_server.len && wants_server(subscription, change.new_server))) &&
            !send_now(subscription, session, change.name))
            return SUBSCRIPTION_FAILED;
        feed_pass(&subscription->position);
    }
    return SUBSCRIPTION_MORE;
}

static enum subscription_progress run_changes(struct subscription *subscription,
                                              struct mupdate_server *session)
{
    struct stream_piece piece;

    if (subscription->partial)
        return run_some_changes(subscription, session);
    if (feed_behind(&subscription->position) == 0)
        return SUBSCRIPTION_IDLE;
    if (is_full(session))
        return SUBSCRIPTION_FULL;
    if (!stream_take(subscription->from.stream, mupdate_server_rows_tag(session),
                     &subscription->position, &piece) ||
        !mupdate_server_rows(session, piece.octets, piece.len) ||
        !note_repeat(subscription, piece.last))
        return SUBSCRIPTION_FAILED;
    feed_pass_to(&subscription->position, piece.to);
    return feed_behind(&subscription->position) ? SUBSCRIPTION_MORE : SUBSCRIPTION_IDLE;
}

static enum subscription_progress run_dump(struct subscription *subscription,
                                           struct mupdate_server *session)
{
    enum walk_progress progress =
        subscription->partial
            ? walk_run(&subscription->walk, subscription->from.table, session, dump_filter,
                       subscription)
            : dump_run(&subscription->dump, session);

    if (progress == WALK_DONE) {
        if (!mupdate_server_ok(session, "streaming starts"))
            return SUBSCRIPTION_FAILED;
        dump_end(&subscription->dump);
        walk_close(&subscription->walk);
        if (subscription->heal_delay_ms < 0) {
            set_state(subscription, SUBSCRIPTION_LIVE);
        } else {
            set_state(subscription, SUBSCRIPTION_SETTLING);
        }
        return SUBSCRIPTION_MORE;
    }
    return progress == WALK_MORE   ? SUBSCRIPTION_MORE
           : progress == WALK_FULL ? SUBSCRIPTION_FULL
                                   : SUBSCRIPTION_FAILED;
}

static bool start_healing(struct subscription *subscription)
{
    subscription->wake_at_ms = 0;
    set_state(subscription, SUBSCRIPTION_HEALING);
    return !departed_any(subscription->from.departed, subscription->dump_sequence) ||
           heal_join(subscription->from.heal, &subscription->heal, subscription->dump_sequence);
}

static enum subscription_progress run_healing(struct subscription *subscription,
                                              struct mupdate_server *session)
{
    enum walk_progress progress = WALK_DONE;

    if (subscription->heal.round)
        progress = heal_run(&subscription->heal, session);
    if (progress != WALK_DONE)
        return progress == WALK_MORE   ? SUBSCRIPTION_MORE
               : progress == WALK_FULL ? SUBSCRIPTION_FULL
                                       : SUBSCRIPTION_FAILED;

    if (!subscription->heal.sent_any && buffer_len(&subscription->repeat) &&
        !send_now(subscription, session, buffer_text(&subscription->repeat)))
        return SUBSCRIPTION_FAILED;
    buffer_free(&subscription->repeat);
    heal_leave(&subscription->heal);
    set_state(subscription, SUBSCRIPTION_LIVE);
    return SUBSCRIPTION_MORE;
}

void subscription_noop(struct subscription *subscription)
{
    subscription->noop = true;
    subscription->noop_sequence = feed_sequence(subscription->position.feed);
}

static bool noop_is_due(const struct subscription *subscription)
{
    const struct feed_position *position = &subscription->position;
    uint64_t sent = feed_sequence(position->feed) - feed_behind(position);

    return subscription->noop && subscription->state == SUBSCRIPTION_LIVE &&
           sent >= subscription->noop_sequence;
}

enum subscription_progress subscription_run(struct subscription *subscription,
                                            struct mupdate_server *session, uint64_t now_ms)
{
    enum subscription_progress progress;

    if (subscription->state == SUBSCRIPTION_DUMPING)
        return run_dump(subscription, session);

    progress = run_changes(subscription, session);
    if (noop_is_due(subscription)) {
        subscription->noop = false;
        if (!mupdate_server_ok(session, "all changes were sent"))
            return SUBSCRIPTION_FAILED;
    }
    if (progress != SUBSCRIPTION_IDLE)
        return progress;

    if (subscription->state == SUBSCRIPTION_SETTLING && !subscription->noop) {
        const uint8_t *output;

        /* The moment begins when the OK has left. */
        if (subscription->wake_at_ms == 0 && mupdate_server_output(session, &output) > 0)
            return SUBSCRIPTION_FULL;
        if (subscription->wake_at_ms == 0)
            subscription->wake_at_ms = now_ms + (uint64_t)subscription->heal_delay_ms;
        if (now_ms < subscription->wake_at_ms)
            return SUBSCRIPTION_IDLE;
    }
    /* Others whose moment is over now get their turn before this one looks: they look as one. */
    if (subscription->state == SUBSCRIPTION_SETTLING)
        return start_healing(subscription) ? SUBSCRIPTION_MORE : SUBSCRIPTION_FAILED;
    if (subscription->state == SUBSCRIPTION_HEALING)
        return run_healing(subscription, session);
    return SUBSCRIPTION_IDLE;
}
