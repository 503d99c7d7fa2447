/* SPDX-License-Identifier: BSD-3-Clause */
#include "feed_support.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

void feed_master_open(struct feed_master *master, size_t kept_bytes)
{
    memset(master, 0, sizeof *master);
    master->table = table_new(LIST_ORDER_CYRUS36);
    master->departed = departed_new(LIST_ORDER_CYRUS36);
    assert_non_null(master->table);
    assert_non_null(master->departed);
    master->from.table = master->table;
    master->from.departed = master->departed;
    master->from.feed = feed_new(0);
    master->from.slices = slices_new(master->table, kept_bytes);
    master->from.stream = stream_new(master->from.feed, master->table);
    assert_non_null(master->from.stream);
    master->from.heal = heal_new(master->table, master->departed, FEED_SUPPORT_SLICE_ROWS);
    assert_non_null(master->from.heal);
    assert_non_null(master->from.feed);
    assert_non_null(master->from.slices);
}

void feed_master_close(struct feed_master *master)
{
    heal_free(master->from.heal);
    stream_free(master->from.stream);
    slices_free(master->from.slices);
    feed_free(master->from.feed);
    departed_free(master->departed);
    table_free(master->table);
}

void feed_master_set(struct feed_master *master, const char *name, enum mupdate_state state,
                     const char *acl)
{
    char location[32];
    struct change change = {
        .now = {.mupdate = {.state = state, .name = text_of(name)},
                .sequence = table_sequence(master->table) + 1},
    };
    struct row old;

    /* One server or the other, by the name. */
    snprintf(location, sizeof location, "%s!p", strlen(name) % 2 ? "odd" : "even");
    if (state != MUPDATE_ABSENT)
        change.now.mupdate.location = text_of(location);
    if (state == MUPDATE_ACTIVE)
        change.now.mupdate.acl = text_of(acl);
    if (table_find(master->table, change.now.mupdate.name, &old)) {
        change.old_state = old.mupdate.state;
        change.old_location = text_of(location);
    }
    assert_true(table_apply(master->table, &change));
    assert_true(departed_apply(master->departed, &change));
    assert_true(feed_publish(master->from.feed, &change));
}

void replica_open(struct replica *replica, struct feed_master *master, const char *tag,
                  const char *server, int heal_delay_ms)
{
    struct mupdate_text servers[1];
    char command[64];

    memset(replica, 0, sizeof *replica);
    replica->master = master;
    replica->table = table_new(LIST_ORDER_CYRUS36);
    assert_non_null(replica->table);
    snprintf(replica->tag, sizeof replica->tag, "%s", tag);
    server_support_open(&replica->support, NULL);
    server_support_reach(&replica->support, MUPDATE_SERVER_STATE_AUTHENTICATED);
    replica->support.answers = ANSWER_NEVER;
    snprintf(command, sizeof command, "%s UPDATE%s%s%s\r\n", tag, server ? " \"" : "",
             server ? server : "", server ? "\"" : "");
    server_support_feed(&replica->support, command, strlen(command), SPLIT_WHOLE);
    if (server)
        servers[0] = text_of(server);
    assert_true(subscription_start(&replica->subscription, replica, &master->from, servers,
                                   server ? 1 : 0, heal_delay_ms));
}

void replica_close(struct replica *replica)
{
    subscription_close(&replica->subscription);
    server_support_close(&replica->support);
    table_free(replica->table);
    buffer_free(&replica->received);
    buffer_free(&replica->told);
}

/* --- reading what it is told --- */

static bool take_word(struct mupdate_text *from, char end, struct mupdate_text *word)
{
    const char *stop = from->len ? memchr(from->data, end, from->len) : NULL;

    if (!stop)
        return false;
    *word = (struct mupdate_text){from->data, (size_t)(stop - from->data)};
    from->data += word->len + 1;
    from->len -= word->len + 1;
    return true;
}

static bool take_literal(struct mupdate_text *from, struct mupdate_text *text)
{
    struct mupdate_text head;

    if (!take_word(from, '\n', &head))
        return false;
    assert_int_equal(head.data[0], '{');
    text->len = (size_t)strtoul(head.data + 1, NULL, 10);
    text->data = from->data;
    if (from->len < text->len + 1)
        return false;
    from->data += text->len + 1;
    from->len -= text->len + 1;
    return true;
}

static bool is_word(struct mupdate_text word, const char *text)
{
    return text_equal(word, text_of(text));
}

static void keep(struct replica *replica, const struct mupdate_row *row)
{
    struct change change = {.now = {.mupdate = *row, .sequence = ++replica->rows}};

    assert_true(table_apply(replica->table, &change));
    buffer_append(&replica->told, row->state == MUPDATE_ABSENT ? "-" : "+", 1);
    buffer_append(&replica->told, row->name.data, row->name.len);
    buffer_append(&replica->told, "\n", 1);
}

/* One whole reply at the front, taken and understood. */
static bool take_reply(struct replica *replica)
{
    struct mupdate_text from = {(const char *)buffer_bytes(&replica->received),
                                buffer_len(&replica->received)};
    struct mupdate_row row = {0};
    struct mupdate_text tag, word, rest;

    if (!take_word(&from, ' ', &tag) || !take_word(&from, ' ', &word))
        return false;
    if (is_word(word, "OK")) {
        if (!take_word(&from, '\n', &rest))
            return false;
        replica->synchronised = true;
        replica->oks++;
        buffer_append(&replica->told, "=\n", 2);
    } else {
        assert_true(is_word(tag, replica->tag));
        row.state = is_word(word, "MAILBOX")   ? MUPDATE_ACTIVE
                    : is_word(word, "RESERVE") ? MUPDATE_RESERVED
                                               : MUPDATE_ABSENT;
        assert_true(row.state != MUPDATE_ABSENT || is_word(word, "DELETE"));
        assert_true(row.state != MUPDATE_ABSENT || replica->synchronised);
        if (!take_literal(&from, &row.name) ||
            (row.state != MUPDATE_ABSENT && !take_literal(&from, &row.location)) ||
            (row.state == MUPDATE_ACTIVE && !take_literal(&from, &row.acl)))
            return false;
        /* The octet behind the last literal was the CR of the line's end. */
        if (from.len < 1)
            return false;
        from.data++;
        keep(replica, &row);
    }
    buffer_consume(&replica->received,
                   (size_t)(from.data - (const char *)buffer_bytes(&replica->received)));
    return true;
}

/* As a connection does it: the session's output first. */
static size_t read_some(struct replica *replica, size_t octets)
{
    struct mupdate_server *session = replica->support.server;
    const uint8_t *data;
    size_t len = mupdate_server_output(session, &data);
    bool said = len > 0;

    if (!said)
        len = dump_output(&replica->subscription.dump, &data);
    if (len > octets)
        len = octets;
    if (len == 0)
        return 0;
    buffer_append(&replica->received, data, len);
    if (said)
        mupdate_server_sent(session, len);
    else
        dump_sent(&replica->subscription.dump, len);
    replica->octets += len;
    return len;
}

enum subscription_progress replica_run(struct replica *replica, size_t octets)
{
    enum subscription_progress progress = subscription_run(
        &replica->subscription, replica->support.server, replica->now_ms);
    size_t len;

    while (octets > 0 && (len = read_some(replica, octets)) > 0)
        octets -= len;
    while (take_reply(replica))
        ;
    return progress;
}

void replica_noop(struct replica *replica)
{
    struct mupdate_server *session = replica->support.server;
    struct mupdate_server_event event;

    assert_int_equal(mupdate_server_input(session, "N NOOP\r\n", 8), 8);
    assert_int_equal(mupdate_server_next(session, &event), MUPDATE_SERVER_EVENT);
    assert_int_equal(event.type, MUPDATE_SERVER_NOOP);
    subscription_noop(&replica->subscription);
}

void replica_finish(struct replica *replica)
{
    while (replica_run(replica, SIZE_MAX) != SUBSCRIPTION_IDLE)
        assert_int_not_equal(replica->subscription.state == SUBSCRIPTION_DUMPING &&
                                 replica->synchronised, 1);
}

void replica_expect_equal(const struct replica *replica)
{
    struct digest theirs;
    struct digest ours;

    table_digest(replica->table, &theirs);
    table_digest(replica->master->table, &ours);
    assert_true(digest_equal(&theirs, &ours));
}

const char *replica_told(struct replica *replica)
{
    buffer_append(&replica->told, "", 1);
    replica->told.end--;
    return (const char *)buffer_bytes(&replica->told);
}

void replica_forget(struct replica *replica)
{
    buffer_clear(&replica->told);
}
