/* SPDX-License-Identifier: BSD-3-Clause */
#include "mupdated/control/session.h"

#include <stdio.h>
#include <string.h>

void control_session_init(struct control_session *session, struct master *master,
                          const struct control_kind *kinds,
                          void (*woken)(struct control_session *session))
{
    memset(session, 0, sizeof *session);
    session->master = master;
    session->kinds = kinds;
    session->woken = woken;
}

static void end_task(struct control_session *session)
{
    struct control_task *task = session->task;

    session->task = NULL;
    if (task)
        task->close(task);
}

void control_session_close(struct control_session *session)
{
    session->state = CONTROL_SESSION_LAST;
    end_task(session);
    buffer_free(&session->in);
    buffer_free(&session->out);
}

void control_session_wake(struct control_session *session)
{
    session->awake = true;
    session->woken(session);
}

void control_session_begin(struct control_session *session, struct control_task *task)
{
    session->task = task;
    control_session_wake(session);
}

/* --- saying --- */

static int append(const char *text, size_t len, void *context)
{
    struct buffer *out = context;

    buffer_append(out, text, len);
    return out->failed ? -1 : 0;
}

bool control_say(struct control_session *session, json_t *object, bool more)
{
    bool good = object && json_object_set_new(object, "id", json_integer(session->id)) == 0 &&
                (json_object_get(object, "ok") ||
                 json_object_set_new(object, "ok", json_true()) == 0) &&
                (!more || json_object_set_new(object, "more", json_true()) == 0) &&
                json_dump_callback(object, append, &session->out, JSON_COMPACT) == 0 &&
                append("\n", 1, &session->out) == 0;

    json_decref(object);
    return good;
}

bool control_refuse(struct control_session *session, const char *code, const char *text)
{
    return control_say(session, json_pack("{s:b,s:s,s:s}", "ok", 0, "code", code, "text", text),
                       false);
}

bool control_session_turn_away(struct control_session *session, const char *code,
                               const char *text)
{
    session->state = CONTROL_SESSION_LAST;
    session->id = 0;
    return control_refuse(session, code, text);
}

/* --- requests --- */

/* False: out of memory. */
static bool handle_request(struct control_session *session, const json_t *request)
{
    const json_t *version = json_object_get(request, "v");
    const char *name = json_string_value(json_object_get(request, "do"));

    session->id = json_integer_value(json_object_get(request, "id"));
    if (!json_is_integer(version))
        return control_refuse(session, "syntax", "the request has no version: \"v\"");
    if (json_integer_value(version) != CONTROL_VERSION)
        return control_refuse(session, "version",
                              "this mupdated speaks version 1 of the control protocol: use the "
                              "mupdatectl that came with it");
    if (!name)
        return control_refuse(session, "syntax", "the request does not say what to do: \"do\"");
    for (const struct control_kind *kind = session->kinds; kind->name; kind++)
        if (strcmp(kind->name, name) == 0)
            return kind->handle(session, request);
    return control_refuse(session, "unknown", "there is no such request");
}

/* False: out of memory. */
static bool handle_line(struct control_session *session, const char *line, size_t len)
{
    json_error_t error;
    json_t *request = json_loadb(line, len, JSON_REJECT_DUPLICATES, &error);
    const char *what = request ? "another kind of value" : error.text;
    const char *near = strstr(what, " near '");
    char text[256];
    bool good;

    session->id = 0;
    if (!json_is_object(request)) {
        /* What it is near to is cut anywhere, so that it may be no UTF-8. */
        (void)snprintf(text, sizeof text, "this is no JSON object in a line: %.*s, octet %d",
                       near ? (int)(near - what) : (int)strlen(what), what,
                       request ? 1 : error.position);
        json_decref(request);
        return control_refuse(session, "syntax", text);
    }
    good = handle_request(session, request);
    json_decref(request);
    return good;
}

bool control_session_input(struct control_session *session, const void *data, size_t len)
{
    if (session->state != CONTROL_SESSION_OPEN)
        return true;
    if (len > CONTROL_INPUT_BYTES - buffer_len(&session->in))
        return false;
    buffer_append(&session->in, data, len);
    return true;
}

void control_session_input_end(struct control_session *session)
{
    if (session->state == CONTROL_SESSION_OPEN)
        session->state = CONTROL_SESSION_ENDED;
}

/* Take the requests that came, until one needs a task. False: out of memory. */
static bool take_lines(struct control_session *session)
{
    while (!session->task && session->state != CONTROL_SESSION_LAST &&
           buffer_len(&session->out) < CONTROL_OUTPUT_BYTES) {
        const char *line = (const char *)buffer_bytes(&session->in);
        size_t len = buffer_len(&session->in);
        size_t looked_at = len < CONTROL_LINE_BYTES ? len : CONTROL_LINE_BYTES;
        /* gcc-analyzer(null-argument): a buffer that holds octets has data */
        const char *end = looked_at ? memchr(line, '\n', looked_at) : NULL;

        if (!end && len >= CONTROL_LINE_BYTES)
            return control_session_turn_away(session, "syntax",
                                             "the line of the request is too long");
        if (!end) {
            if (session->state == CONTROL_SESSION_ENDED)
                session->state = CONTROL_SESSION_LAST;
            return true;
        }
        if (!handle_line(session, line, (size_t)(end - line)))
            return false;
        buffer_consume(&session->in, (size_t)(end - line) + 1);
    }
    return true;
}

/* A slice of its task. False: out of memory. */
static bool run_task(struct control_session *session)
{
    if (!session->task || !session->awake ||
        buffer_len(&session->out) >= CONTROL_OUTPUT_BYTES)
        return true;
    switch (session->task->run(session->task, session)) {
    case CONTROL_DONE:
        end_task(session);
        return true;
    case CONTROL_MORE:
        return true;
    case CONTROL_WAIT:
        session->awake = false;
        return true;
    case CONTROL_FAILED:
        break;
    }
    return false;
}

enum control_session_turn control_session_run(struct control_session *session)
{
    if (!run_task(session) || !take_lines(session) || session->in.failed || session->out.failed)
        return CONTROL_SESSION_NO_MEMORY;
    /* Nobody would be left to notice that its client is gone. */
    if (session->state == CONTROL_SESSION_ENDED && session->task && session->task->follows) {
        end_task(session);
        session->state = CONTROL_SESSION_LAST;
    }
    if (session->state == CONTROL_SESSION_LAST)
        return CONTROL_SESSION_ENDS;
    return session->task && session->awake ? CONTROL_SESSION_GOES_ON : CONTROL_SESSION_WAITS;
}
