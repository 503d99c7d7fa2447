/*
 * The log of changes, read from the disk in libuv's pool, a piece after the other.
 *
 * SPDX-License-Identifier: BSD-3-Clause
 */
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "mupdated/control/json.h"
#include "mupdated/control/requests.h"

/* One piece: changes looked at, and shown. */
#define PIECE_LOOKED_AT 20000
#define PIECE_SHOWN 500

enum changes_state {
    CHANGES_IDLE,
    CHANGES_READING, /* in the pool */
    CHANGES_READ,    /* what was read waits to be said */
};

struct changes_task {
    struct control_task task;
    struct control_session *session; /* NULL: closed while the pool reads */
    uv_work_t work;
    enum changes_state state;
    struct master *master;
    uint64_t next;      /* the first one not looked at yet */
    uint64_t last;      /* of the piece */
    int64_t since_us;
    char *mailbox;      /* NULL: any */
    size_t mailbox_len;
    bool follow;
    atomic_bool cancelled;
    struct change *shown[PIECE_SHOWN];
    size_t shown_count;
    bool no_memory;
    enum store_result result;
    struct store_error error;
};

static void free_shown(struct changes_task *reading)
{
    for (size_t i = 0; i < reading->shown_count; i++)
        free(reading->shown[i]);
    reading->shown_count = 0;
}

static void task_free(struct changes_task *reading)
{
    free_shown(reading);
    free(reading->mailbox);
    free(reading);
}

/* --- in the pool --- */

static bool is_wanted(const struct changes_task *reading, const struct change *change)
{
    struct mupdate_text mailbox = {reading->mailbox, reading->mailbox_len};

    if (change->now.time_us < reading->since_us)
        return false;
    return !reading->mailbox || text_equal(change->now.mupdate.name, mailbox);
}

static bool on_change(void *context, const struct change *change)
{
    struct changes_task *reading = context;

    if (atomic_load(&reading->cancelled))
        return false;
    if (is_wanted(reading, change)) {
        struct change *copy = change_copy(change);

        if (!copy) {
            reading->no_memory = true;
            return false;
        }
        reading->shown[reading->shown_count++] = copy;
    }
    reading->next = change->now.sequence + 1;
    return reading->shown_count < PIECE_SHOWN;
}

static void read_piece(uv_work_t *work)
{
    struct changes_task *reading = work->data;

    do {
        reading->error.text[0] = '\0';
        reading->error.again = false;
        reading->result = store_changes_between(reading->master->store, reading->next,
                                                reading->last, on_change, reading,
                                                &reading->error);
    } while (reading->result == STORE_REFUSED && reading->error.again &&
             !atomic_load(&reading->cancelled));
    /* The piece may have been trimmed meanwhile. */
    if (reading->result == STORE_OK)
        reading->next = reading->last + 1;
}

/* --- on the loop --- */

static void on_read(uv_work_t *work, int status)
{
    struct changes_task *reading = work->data;

    (void)status;
    reading->master->control_work--;
    reading->state = CHANGES_READ;
    if (reading->session)
        control_session_wake(reading->session);
    else
        task_free(reading);
}

static bool say_piece(struct changes_task *reading, struct control_session *session, bool more)
{
    json_t *changes = json_array();

    for (size_t i = 0; i < reading->shown_count; i++)
        if (json_array_append_new(changes, json_change(reading->shown[i])) != 0) {
            json_decref(changes);
            return false;
        }
    free_shown(reading);
    return control_say(session, json_pack("{s:o}", "changes", changes), more);
}

static enum control_progress say_read(struct changes_task *reading,
                                      struct control_session *session, bool finished)
{
    reading->state = CHANGES_IDLE;
    if (reading->no_memory)
        return CONTROL_FAILED;
    if (reading->result != STORE_OK && reading->error.text[0])
        return control_refuse(session, "store", reading->error.text) ? CONTROL_DONE
                                                                     : CONTROL_FAILED;
    if (!finished && reading->shown_count == 0)
        return CONTROL_MORE;
    if (!say_piece(reading, session, !finished))
        return CONTROL_FAILED;
    return finished ? CONTROL_DONE : CONTROL_MORE;
}

static enum control_progress run(struct control_task *task, struct control_session *session)
{
    struct changes_task *reading = (struct changes_task *)task;
    struct master *master = session->master;
    uint64_t newest = table_sequence(master->table);
    bool finished = !reading->follow && reading->next > newest;

    if (reading->state == CHANGES_READING)
        return CONTROL_WAIT;
    if (reading->state == CHANGES_READ)
        return say_read(reading, session, finished);
    if (finished)
        return say_piece(reading, session, false) ? CONTROL_DONE : CONTROL_FAILED;
    if (reading->next > newest)
        return CONTROL_WAIT;
    reading->last = newest;
    if (reading->last - reading->next >= PIECE_LOOKED_AT)
        reading->last = reading->next + PIECE_LOOKED_AT - 1;
    if (uv_queue_work(master->loop, &reading->work, read_piece, on_read) != 0)
        return CONTROL_FAILED;
    master->control_work++;
    reading->state = CHANGES_READING;
    return CONTROL_WAIT;
}

static void close_task(struct control_task *task)
{
    struct changes_task *reading = (struct changes_task *)task;

    if (reading->state != CHANGES_READING) {
        task_free(reading);
        return;
    }
    reading->session = NULL;
    atomic_store(&reading->cancelled, true);
}

/* The number to begin with. */
static uint64_t choose_start(const struct master *master, const json_t *request)
{
    uint64_t newest = table_sequence(master->table);
    uint64_t start = master->position.first;
    json_int_t from = json_integer_value(json_object_get(request, "from"));
    json_int_t last = json_integer_value(json_object_get(request, "last"));

    if (from > 0 && (uint64_t)from > start)
        start = (uint64_t)from;
    if (json_object_get(request, "last") && last >= 0 && (uint64_t)last < newest &&
        newest + 1 - (uint64_t)last > start)
        start = newest + 1 - (uint64_t)last;
    return start;
}

bool control_changes(struct control_session *session, const json_t *request)
{
    struct master *master = session->master;
    struct changes_task *reading = calloc(1, sizeof *reading);

    if (!reading)
        return false;
    if (!json_get_text(request, "mailbox", &reading->mailbox, &reading->mailbox_len)) {
        free(reading);
        return false;
    }
    if (!reading->mailbox && (json_object_get(request, "mailbox") ||
                              json_object_get(request, "mailbox_base64"))) {
        free(reading);
        return control_refuse(session, "syntax", "mailbox is a name");
    }
    reading->task.run = run;
    reading->task.close = close_task;
    reading->follow = json_is_true(json_object_get(request, "follow"));
    reading->task.follows = reading->follow;
    reading->session = session;
    reading->work.data = reading;
    reading->master = master;
    reading->next = choose_start(master, request);
    reading->since_us = json_integer_value(json_object_get(request, "since_us"));
    control_session_begin(session, &reading->task);
    return true;
}
