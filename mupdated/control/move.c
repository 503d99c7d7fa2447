/*
 * Take the rows of one server to another, as when a back-end is retired. Each row is changed by
 * the writer as any other is, if it is still as it was looked at; so a client may come between,
 * and the same request may be made again.
 *
 * Subscribers must keep up: a front-end needs a transaction of its own for each change. So there
 * is a rate, and no more than a few rows are under way.
 *
 * SPDX-License-Identifier: BSD-3-Clause
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "mupdated/control/json.h"
#include "mupdated/control/requests.h"
#include "mupdated/log.h"
#include "mupdated/net/audit.h"
#include "mupdated/reserve.h"

/* Looked at in one slice, which takes some hundred microseconds, and how often there is one. */
#define SLICE_ROWS 4000
#define TICK_MS 5
#define PROGRESS_MS 200

/* Changes a second when the client does not say; and what it may say. */
#define RATE 1000
#define RATE_MAX 10000

#define UNDER_WAY_MAX 64

/* What a client is shown of what would be moved. */
#define SHOWN_ROWS 10

/* A change and its request, without their texts. */
#define CHANGE_BYTES 2048

enum move_state {
    MOVE_GOING,
    MOVE_ENDING, /* no more rows are taken, and some are at the writer yet */
    MOVE_ENDED,
};

enum move_end {
    MOVE_DONE,      /* all rows were looked at */
    MOVE_LEFT,      /* the client is gone */
    MOVE_REFUSED,   /* the writer does not take it: text */
    MOVE_UNCERTAIN, /* the writer does not know */
    MOVE_NO_MEMORY,
};

struct move_counts {
    uint64_t active;
    uint64_t reserved;
};

struct move_task {
    struct control_task task;
    struct control_session *session; /* NULL: its client is gone */
    struct master *master;
    uv_timer_t timer;
    bool timer_open;
    enum move_state state;
    enum move_end end;
    bool dry_run;
    struct buffer from; /* a server, or a location */
    struct buffer to;
    struct buffer after; /* the last name that was looked at */
    struct buffer location; /* where a row goes */
    bool begun;
    uint64_t rate;
    uint64_t last_ms; /* when the last changes were allowed */
    uint64_t allowed; /* thousandths of a change */
    uint64_t said_ms;
    size_t under_way;
    struct move_counts total;  /* at the begin */
    struct move_counts target; /* what the other server had then */
    struct move_counts moved;
    uint64_t changed;          /* by others at the same time, and so left alone */
    json_t *shown;
    char text[RULE_TEXT_BYTES];
    char who[sizeof((struct control_session *)0)->who + 16];
};

static struct mupdate_text text_of(const struct buffer *buffer)
{
    return (struct mupdate_text){(const char *)buffer_bytes(buffer), buffer_len(buffer)};
}

static bool has_partition(struct mupdate_text location)
{
    return location_server(location).len < location.len;
}

static uint64_t sum(const struct move_counts *counts)
{
    return counts->active + counts->reserved;
}

/* --- its life --- */

static void release(struct move_task *moving)
{
    if (moving->session || moving->timer_open || moving->under_way > 0)
        return;
    buffer_free(&moving->from);
    buffer_free(&moving->to);
    buffer_free(&moving->after);
    buffer_free(&moving->location);
    json_decref(moving->shown);
    free(moving);
}

static void on_timer_closed(uv_handle_t *timer)
{
    struct move_task *moving = timer->data;

    moving->timer_open = false;
    release(moving);
}

static void log_end(const struct move_task *moving)
{
    static const char *const ends[] = {
        [MOVE_DONE] = "done",           [MOVE_LEFT] = "client-left",
        [MOVE_REFUSED] = "refused",     [MOVE_UNCERTAIN] = "uncertain",
        [MOVE_NO_MEMORY] = "no-memory",
    };
    struct mupdate_text from = text_of(&moving->from);
    struct mupdate_text to = text_of(&moving->to);

    log_notice("move ended: from=%s to=%s active=%llu reserved=%llu changed=%llu end=%s by=%s",
               LOG_VALUE(from.data, from.len), LOG_VALUE(to.data, to.len),
               (unsigned long long)moving->moved.active,
               (unsigned long long)moving->moved.reserved, (unsigned long long)moving->changed,
               ends[moving->end], moving->who);
}

/* The first reason counts. */
static void end(struct move_task *moving, enum move_end reason)
{
    if (moving->state != MOVE_GOING)
        return;
    moving->state = MOVE_ENDING;
    moving->end = reason;
}

/* What there is to do when nothing more is under way. */
static void settle(struct move_task *moving)
{
    if (moving->state != MOVE_ENDING || moving->under_way > 0)
        return;
    moving->state = MOVE_ENDED;
    if (!moving->dry_run)
        log_end(moving);
    if (moving->session)
        control_session_wake(moving->session);
}

/* --- one row --- */

static void on_stored(void *owner, const struct writer_request *request)
{
    struct move_task *moving = owner;

    if (moving->master->config->audit)
        audit_operator_change(moving->who, request, moving->master->table);
    audit_operator_moved(request->change);
    if (request->change->now.mupdate.state == MUPDATE_ACTIVE)
        moving->moved.active++;
    else
        moving->moved.reserved++;
}

/* Whether the row is still what was to be moved: then it is not that which was refused. */
static bool is_as_it_was(const struct move_task *moving, const struct writer_request *request)
{
    struct row row;

    return table_find(moving->master->table, request->rule.name, &row) &&
           row.sequence == request->only_sequence;
}

static void on_decided(void *owner, const struct writer_request *request)
{
    struct move_task *moving = owner;

    moving->under_way--;
    switch (request->result) {
    case WRITER_OK:
        break;
    case WRITER_NO:
    case WRITER_FORBIDDEN:
        if (!is_as_it_was(moving, request)) {
            moving->changed++;
            break;
        }
        if (moving->state == MOVE_GOING)
            memcpy(moving->text, request->text, sizeof moving->text);
        end(moving, MOVE_REFUSED);
        break;
    case WRITER_UNCERTAIN:
        end(moving, MOVE_UNCERTAIN);
        break;
    }
    settle(moving);
    release(moving);
}

static const struct writer_answer answer = {.stored = on_stored, .decided = on_decided};

/* Where the row goes: to the same partition, unless another is named. False: out of memory. */
static bool find_target(struct move_task *moving, const struct row *row)
{
    struct mupdate_text to = text_of(&moving->to);
    struct mupdate_text old = row->mupdate.location;
    size_t server_len = location_server(old).len;

    buffer_clear(&moving->location);
    buffer_append(&moving->location, to.data, to.len);
    if (!has_partition(to))
        buffer_append(&moving->location, old.data + server_len, old.len - server_len);
    return !moving->location.failed;
}

static bool is_meant(const struct move_task *moving, struct mupdate_text location)
{
    struct mupdate_text from = text_of(&moving->from);

    return text_equal(from, has_partition(from) ? location : location_server(location));
}

static void submit(struct move_task *moving, const struct row *row)
{
    const struct rule_request rule = {
        .verb = row->mupdate.state == MUPDATE_ACTIVE ? MUPDATE_ACTIVATE : MUPDATE_RESERVE,
        .name = row->mupdate.name,
        .location = text_of(&moving->location),
        .acl = row->mupdate.acl,
        .writes = {.all = true},
        .seizes = true,
    };
    size_t bytes = CHANGE_BYTES + rule.name.len + rule.location.len + rule.acl.len;
    struct writer_request *request = NULL;

    if (reserve_allows(bytes))
        request = writer_request_new(
            &rule, (struct mupdate_text){moving->who, strlen(moving->who)}, moving);
    if (!request) {
        end(moving, MOVE_NO_MEMORY);
        return;
    }
    request->answer = &answer;
    request->only_sequence = row->sequence;
    moving->under_way++;
    writer_submit(moving->master->writer, request);
}

static void show(struct move_task *moving, const struct row *row)
{
    json_t *object = json_row(&row->mupdate);

    if (!object || !json_set_text(object, "to", text_of(&moving->location))) {
        json_decref(object);
        end(moving, MOVE_NO_MEMORY);
    } else if (json_array_append_new(moving->shown, object) != 0) {
        end(moving, MOVE_NO_MEMORY);
    }
}

static void take(struct move_task *moving, const struct row *row)
{
    if (!is_meant(moving, row->mupdate.location))
        return;
    if (!find_target(moving, row))
        end(moving, MOVE_NO_MEMORY);
    else if (text_equal(text_of(&moving->location), row->mupdate.location))
        return;
    else if (moving->dry_run)
        show(moving, row);
    else
        submit(moving, row);
}

/* --- the walk --- */

static bool nothing_is_left_to_show(const struct move_task *moving)
{
    size_t shown = json_array_size(moving->shown);

    return shown == SHOWN_ROWS || shown == sum(&moving->total);
}

/* Whether another row may be taken now. */
static bool may_take(const struct move_task *moving, uint64_t taken)
{
    if (moving->dry_run)
        return !nothing_is_left_to_show(moving);
    return moving->under_way < UNDER_WAY_MAX && 1000 * (taken + 1) <= moving->allowed;
}

static void remember(struct move_task *moving, struct mupdate_text name)
{
    buffer_clear(&moving->after);
    buffer_append(&moving->after, name.data, name.len);
    if (moving->after.failed)
        end(moving, MOVE_NO_MEMORY);
}

/* Go on from where the last slice ended. */
static void walk(struct move_task *moving)
{
    struct mupdate_text after = text_of(&moving->after);
    size_t before = moving->under_way;
    struct table_cursor cursor;
    struct row row;
    struct mupdate_text last = {NULL, 0};
    bool more = true;

    table_seek(moving->master->table, moving->begun ? &after : NULL, &cursor);
    moving->begun = true;
    for (int seen = 0; moving->state == MOVE_GOING && seen < SLICE_ROWS &&
                       may_take(moving, moving->under_way - before); seen++) {
        more = table_next(&cursor, &row);
        if (!more)
            break;
        take(moving, &row);
        last = row.mupdate.name;
    }
    if (last.len > 0)
        remember(moving, last);
    if (!more || (moving->dry_run && nothing_is_left_to_show(moving)))
        end(moving, MOVE_DONE);
    moving->allowed -= 1000 * (moving->under_way - before);
}

static void on_timer(uv_timer_t *timer)
{
    struct move_task *moving = timer->data;
    uint64_t now_ms = uv_now(moving->master->loop);

    if (moving->state == MOVE_GOING && !moving->master->writer) {
        strcpy(moving->text, "mupdated takes no changes at this moment");
        end(moving, MOVE_REFUSED);
    }
    if (moving->state == MOVE_GOING) {
        moving->allowed += moving->rate * (now_ms - moving->last_ms);
        if (moving->allowed > UINT64_C(1000) * UNDER_WAY_MAX)
            moving->allowed = UINT64_C(1000) * UNDER_WAY_MAX;
        moving->last_ms = now_ms;
        walk(moving);
    }
    settle(moving);
    if (moving->state == MOVE_ENDED)
        uv_timer_stop(timer);
    else if (now_ms - moving->said_ms >= PROGRESS_MS)
        control_session_wake(moving->session);
}

/* --- the answer --- */

static json_t *counts_json(const struct move_counts *counts)
{
    return json_pack("{s:I,s:I}", "active", (json_int_t)counts->active, "reserved",
                     (json_int_t)counts->reserved);
}

static bool say_progress(struct move_task *moving, struct control_session *session)
{
    uint64_t now_ms = uv_now(moving->master->loop);

    if (moving->dry_run || now_ms - moving->said_ms < PROGRESS_MS)
        return true;
    moving->said_ms = now_ms;
    return control_say(session,
                       json_pack("{s:{s:I,s:I}}", "progress", "done",
                                 (json_int_t)sum(&moving->moved), "total",
                                 (json_int_t)sum(&moving->total)),
                       true);
}

static bool say_end(const struct move_task *moving, struct control_session *session)
{
    char text[RULE_TEXT_BYTES + 64];

    switch (moving->end) {
    case MOVE_DONE:
        if (moving->dry_run)
            return control_say(session,
                               json_pack("{s:o,s:o,s:O}", "moves", counts_json(&moving->total),
                                         "target", counts_json(&moving->target), "first",
                                         moving->shown),
                               false);
        return control_say(session,
                           json_pack("{s:o,s:I}", "moved", counts_json(&moving->moved), "changed",
                                     (json_int_t)moving->changed),
                           false);
    case MOVE_REFUSED:
        (void)snprintf(text, sizeof text, "%s; %llu were moved before", moving->text,
                       (unsigned long long)sum(&moving->moved));
        return control_refuse(session, "refused", text);
    case MOVE_UNCERTAIN:
        return control_refuse(session, "store", "the store does not know what is moved");
    case MOVE_NO_MEMORY:
        return control_refuse(session, "busy", "mupdated is short of memory; try again");
    case MOVE_LEFT:
        break;
    }
    return false;
}

static enum control_progress run(struct control_task *task, struct control_session *session)
{
    struct move_task *moving = (struct move_task *)task;

    if (moving->state != MOVE_ENDED)
        return say_progress(moving, session) ? CONTROL_WAIT : CONTROL_FAILED;
    return say_end(moving, session) ? CONTROL_DONE : CONTROL_FAILED;
}

static void close_task(struct control_task *task)
{
    struct move_task *moving = (struct move_task *)task;

    moving->session = NULL;
    end(moving, MOVE_LEFT);
    settle(moving);
    uv_close((uv_handle_t *)&moving->timer, on_timer_closed);
}

/* --- the request --- */

static void count_location(void *context, struct mupdate_text location, uint64_t active,
                           uint64_t reserved)
{
    struct move_task *moving = context;
    struct mupdate_text to = text_of(&moving->to);

    if (text_equal(location_server(to), location_server(location))) {
        moving->target.active += active;
        moving->target.reserved += reserved;
    }
    if (!is_meant(moving, location) || (has_partition(to) && text_equal(to, location)))
        return;
    moving->total.active += active;
    moving->total.reserved += reserved;
}

/* As in the prefix of a LIST: it would take every mailbox's partition away. */
static bool ends_in_mark(struct mupdate_text location)
{
    return location.data && location.len > 0 && location.data[location.len - 1] == '!';
}

/* NULL, or what is wrong with it. */
static const char *check(const struct move_task *moving)
{
    const struct mupdate_row row = {MUPDATE_ACTIVE, {"x", 1}, text_of(&moving->to), {NULL, 0}};
    struct rule_policy policy;
    const char *wrong;

    if (buffer_len(&moving->from) == 0 || buffer_len(&moving->to) == 0)
        return "from and to say which servers";
    if (moving->rate < 1 || moving->rate > RATE_MAX)
        return "rate is a number of changes a second, from 1 to 10000";
    master_policy(moving->master->config, &policy);
    wrong = rule_check_row(&policy, &row);
    if (wrong)
        return wrong;
    if (ends_in_mark(text_of(&moving->from)) || ends_in_mark(text_of(&moving->to)))
        return "a partition is missing behind \"!\": name it, or leave out the \"!\" as well";
    if (text_equal(text_of(&moving->from), text_of(&moving->to)) ||
        (!has_partition(text_of(&moving->to)) &&
         text_equal(location_server(text_of(&moving->from)), text_of(&moving->to))))
        return "from and to are the same server, and to names no other partition";
    return NULL;
}

/* What the request has under key; nothing when it has none. False: out of memory. */
static bool get_text(const json_t *request, const char *key, struct buffer *to)
{
    char *text;
    size_t len;
    bool good = json_get_text(request, key, &text, &len);

    buffer_append(to, text, len);
    free(text);
    return good && !to->failed;
}

static void begin(struct control_session *session, struct move_task *moving)
{
    struct master *master = moving->master;

    (void)snprintf(moving->who, sizeof moving->who, "control:%s", session->who);
    table_locations(master->table, count_location, moving);
    moving->task.run = run;
    moving->task.close = close_task;
    /* So that the end of the client's connection is noticed: what it began ends with it. */
    moving->task.follows = true;
    moving->session = session;
    moving->timer.data = moving;
    moving->last_ms = moving->said_ms = uv_now(master->loop);
    if (!moving->dry_run)
        log_notice("move begins: from=%s to=%s active=%llu reserved=%llu by=%s",
                   LOG_VALUE(text_of(&moving->from).data, text_of(&moving->from).len),
                   LOG_VALUE(text_of(&moving->to).data, text_of(&moving->to).len),
                   (unsigned long long)moving->total.active,
                   (unsigned long long)moving->total.reserved, moving->who);
    (void)uv_timer_init(master->loop, &moving->timer); /* cannot fail */
    moving->timer_open = true;
    (void)uv_timer_start(&moving->timer, on_timer, 0, TICK_MS);
    control_session_begin(session, &moving->task);
}

bool control_move(struct control_session *session, const json_t *request)
{
    const json_t *rate = json_object_get(request, "rate");
    struct move_task *moving = calloc(1, sizeof *moving);
    const char *wrong;
    bool good;

    if (!moving)
        return false;
    moving->master = session->master;
    moving->dry_run = json_is_true(json_object_get(request, "dry_run"));
    moving->rate = rate ? (uint64_t)json_integer_value(rate) : RATE;
    moving->shown = json_array();
    good = moving->shown && get_text(request, "from", &moving->from) &&
           get_text(request, "to", &moving->to);
    wrong = good ? check(moving) : NULL;
    if (good && !wrong) {
        begin(session, moving);
        return true;
    }
    release(moving);
    return good && control_refuse(session, "value", wrong);
}
