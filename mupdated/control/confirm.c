/*
 * An operator says that the table is the right one.
 *
 * SPDX-License-Identifier: BSD-3-Clause
 */
#include <stdlib.h>
#include <string.h>

#include "mupdated/control/requests.h"
#include "mupdated/log.h"

struct confirm_task {
    struct control_task task;
    struct control_session *session; /* NULL: its client is gone */
    struct master *master;
    uv_work_t work;
    bool done;
    enum store_result result;
    struct store_error error;
    char who[sizeof((struct control_session *)0)->who];
};

/* In the pool: it waits for the disk. */
static void confirm(uv_work_t *work)
{
    struct confirm_task *confirming = work->data;

    confirming->result = store_confirm(confirming->master->store, &confirming->error);
}

static void on_confirmed(uv_work_t *work, int status)
{
    struct confirm_task *confirming = work->data;

    (void)status;
    confirming->done = true;
    confirming->master->confirming = false;
    confirming->master->control_work--;
    if (confirming->result == STORE_OK)
        log_notice("confirmed: by=%s", confirming->who);
    else
        log_error("not confirmed: %s", confirming->error.text);
    if (confirming->session)
        control_session_wake(confirming->session);
    else
        free(confirming);
}

static bool say(struct control_session *session, bool before)
{
    return control_say(session, json_pack("{s:b}", "before", (int)before), false);
}

static enum control_progress run(struct control_task *task, struct control_session *session)
{
    struct confirm_task *confirming = (struct confirm_task *)task;
    bool good;

    if (!confirming->done)
        return CONTROL_WAIT;
    good = confirming->result == STORE_OK
               ? say(session, false)
               : control_refuse(session, "refused", confirming->error.text);
    return good ? CONTROL_DONE : CONTROL_FAILED;
}

static void close_task(struct control_task *task)
{
    struct confirm_task *confirming = (struct confirm_task *)task;

    confirming->session = NULL;
    if (confirming->done)
        free(confirming);
}

bool control_confirm(struct control_session *session, const json_t *request)
{
    struct master *master = session->master;
    struct confirm_task *confirming;

    (void)request;
    if (store_confirmed(master->store))
        return say(session, true);
    if (master->confirming)
        return control_refuse(session, "busy", "somebody else confirms it at this moment");
    confirming = calloc(1, sizeof *confirming);
    if (!confirming)
        return false;
    confirming->task.run = run;
    confirming->task.close = close_task;
    confirming->session = session;
    confirming->master = master;
    confirming->work.data = confirming;
    strcpy(confirming->who, session->who);
    if (uv_queue_work(master->loop, &confirming->work, confirm, on_confirmed) != 0) {
        free(confirming);
        return false;
    }
    master->confirming = true;
    master->control_work++;
    control_session_begin(session, &confirming->task);
    return true;
}
