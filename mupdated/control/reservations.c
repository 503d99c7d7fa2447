/* SPDX-License-Identifier: BSD-3-Clause */
#include <stdlib.h>

#include "mupdated/control/json.h"
#include "mupdated/control/requests.h"

/* Looked at in one slice: some hundred microseconds. */
#define SLICE_ROWS 2000

struct reservations_task {
    struct control_task task;
    int64_t before_us;    /* made then or earlier */
    struct buffer after;  /* the last name that was looked at */
    bool begun;
};

static json_t *reservation_json(const struct row *row)
{
    json_t *object = json_row(&row->mupdate);

    if (object &&
        json_object_set_new(object, "sequence", json_integer((json_int_t)row->sequence)) == 0 &&
        json_object_set_new(object, "time_us", json_integer(row->time_us)) == 0 &&
        json_set_text(object, "who", row->who))
        return object;
    json_decref(object);
    return NULL;
}

static enum control_progress look(struct control_task *task, struct control_session *session)
{
    struct reservations_task *walking = (struct reservations_task *)task;
    const struct table *table = session->master->table;
    struct mupdate_text after = {(const char *)buffer_bytes(&walking->after),
                                 buffer_len(&walking->after)};
    json_t *found = json_array();
    struct table_cursor cursor;
    struct row row;
    int seen;

    table_seek(table, walking->begun ? &after : NULL, &cursor);
    walking->begun = true;
    for (seen = 0; seen < SLICE_ROWS && table_next(&cursor, &row); seen++) {
        if (row.mupdate.state != MUPDATE_RESERVED || row.time_us > walking->before_us)
            continue;
        if (json_array_append_new(found, reservation_json(&row)) != 0) {
            json_decref(found);
            return CONTROL_FAILED;
        }
    }
    if (seen == SLICE_ROWS) {
        buffer_clear(&walking->after);
        buffer_append(&walking->after, row.mupdate.name.data, row.mupdate.name.len);
    }
    if (!control_say(session, json_pack("{s:o}", "reservations", found), seen == SLICE_ROWS) ||
        walking->after.failed)
        return CONTROL_FAILED;
    return seen == SLICE_ROWS ? CONTROL_MORE : CONTROL_DONE;
}

static void close_task(struct control_task *task)
{
    struct reservations_task *walking = (struct reservations_task *)task;

    buffer_free(&walking->after);
    free(walking);
}

bool control_reservations(struct control_session *session, const json_t *request)
{
    const json_t *before = json_object_get(request, "before_us");
    struct reservations_task *walking;

    if (before && !json_is_integer(before))
        return control_refuse(session, "syntax", "before_us is a number of microseconds");
    walking = calloc(1, sizeof *walking);
    if (!walking)
        return false;
    walking->task.run = look;
    walking->task.close = close_task;
    walking->before_us = before ? json_integer_value(before) : INT64_MAX;
    control_session_begin(session, &walking->task);
    return true;
}
