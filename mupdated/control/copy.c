/* SPDX-License-Identifier: BSD-3-Clause */
#include "mupdated/control/copy.h"

#include <dirent.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "mupdated/control/requests.h"
#include "mupdated/log.h"
#include "mupdated/store/copy.h"
#include "mupdated/store/swap.h"

#define PREFIX "copy-"
#define NAME_BYTES sizeof PREFIX "123456"

/* How often a client is told how far it is, and the end of another copy is looked for. */
#define PROGRESS_MS 200
#define WAITING_MS 20

#define BUSY_TEXT                                                                                  \
    "another client has a copy of the table at this moment; try again when it has done its work"

enum copy_state {
    COPY_WAITING,  /* for the end of the one before */
    COPY_MAKING,   /* in the pool */
    COPY_MADE,     /* or not: result */
    COPY_TOLD,     /* it is the client's, as long as that is there */
    COPY_REMOVING, /* in the pool; the client is gone */
};

struct copy_task {
    struct control_task task;
    struct control_session *session; /* NULL: its client is gone */
    struct master *master;
    uv_work_t work;
    uv_timer_t timer;
    enum copy_state state;
    char name[NAME_BYTES];
    char path[PATH_MAX];
    atomic_bool cancelled;
    atomic_uint_fast64_t done;
    atomic_uint_fast64_t total;
    uint64_t said; /* of done */
    enum store_result result;
    struct store_error error;
};

static void remove_directory(const char *path)
{
    struct swap_paths paths = {.fresh = ""};

    (void)snprintf(paths.fresh, sizeof paths.fresh, "%s", path);
    swap_abandon(&paths);
}

void control_copy_clean(const char *directory)
{
    DIR *open_directory = opendir(directory);
    const struct dirent *entry;
    char path[PATH_MAX];

    if (!open_directory)
        return;
    while ((entry = readdir(open_directory))) {
        if (strncmp(entry->d_name, PREFIX, strlen(PREFIX)) != 0 ||
            snprintf(path, sizeof path, "%s/%s", directory, entry->d_name) >= (int)sizeof path)
            continue;
        log_notice("control: a copy of the table was left behind, removed: %s", path);
        remove_directory(path);
    }
    (void)closedir(open_directory);
}

/* --- in the pool --- */

static bool on_progress(void *context, uint64_t done, uint64_t total)
{
    struct copy_task *copying = context;

    atomic_store(&copying->done, done);
    atomic_store(&copying->total, total);
    return !atomic_load(&copying->cancelled);
}

static void make(uv_work_t *work)
{
    struct copy_task *copying = work->data;

    copying->result = store_backup(copying->master->store, copying->path, on_progress, copying,
                                   &copying->error);
}

static void take_away(uv_work_t *work)
{
    const struct copy_task *copying = work->data;

    remove_directory(copying->path);
}

/* --- on the loop --- */

static void on_timer_closed(uv_handle_t *timer)
{
    free(timer->data);
}

static void finish(struct copy_task *copying)
{
    copying->master->copy = MASTER_COPY_NONE;
    uv_close((uv_handle_t *)&copying->timer, on_timer_closed);
}

static void on_taken_away(uv_work_t *work, int status)
{
    struct copy_task *copying = work->data;

    (void)status;
    copying->master->control_work--;
    finish(copying);
}

/* Its client is gone and nothing is under way in the pool. */
static void begin_removal(struct copy_task *copying)
{
    copying->state = COPY_REMOVING;
    copying->master->copy = MASTER_COPY_ENDING;
    if (copying->result != STORE_OK ||
        uv_queue_work(copying->master->loop, &copying->work, take_away, on_taken_away) != 0)
        finish(copying);
    else
        copying->master->control_work++;
}

static void on_made(uv_work_t *work, int status)
{
    struct copy_task *copying = work->data;

    (void)status;
    copying->master->control_work--;
    copying->state = COPY_MADE;
    uv_timer_stop(&copying->timer);
    if (copying->session)
        control_session_wake(copying->session);
    else
        begin_removal(copying);
}

static void on_timer(uv_timer_t *timer)
{
    const struct copy_task *copying = timer->data;

    if (copying->session)
        control_session_wake(copying->session);
}

static enum control_progress say_progress(struct copy_task *copying,
                                          struct control_session *session)
{
    uint64_t done = atomic_load(&copying->done);

    if (done == copying->said)
        return CONTROL_WAIT;
    copying->said = done;
    return control_say(session,
                       json_pack("{s:{s:I,s:I}}", "progress", "done", (json_int_t)done, "total",
                                 (json_int_t)atomic_load(&copying->total)),
                       true)
               ? CONTROL_WAIT
               : CONTROL_FAILED;
}

/* False: it cannot be. */
static bool begin(struct copy_task *copying)
{
    struct master *master = copying->master;

    if (uv_queue_work(master->loop, &copying->work, make, on_made) != 0)
        return false;
    copying->state = COPY_MAKING;
    master->copy = MASTER_COPY_HELD;
    master->control_work++;
    (void)uv_timer_start(&copying->timer, on_timer, PROGRESS_MS, PROGRESS_MS);
    return true;
}

static enum control_progress wait_for_turn(struct copy_task *copying,
                                           struct control_session *session)
{
    switch (copying->master->copy) {
    case MASTER_COPY_NONE:
        return begin(copying) ? CONTROL_WAIT : CONTROL_FAILED;
    case MASTER_COPY_ENDING:
        return CONTROL_WAIT;
    case MASTER_COPY_HELD:
        break;
    }
    return control_refuse(session, "busy", BUSY_TEXT) ? CONTROL_DONE : CONTROL_FAILED;
}

static enum control_progress run(struct control_task *task, struct control_session *session)
{
    struct copy_task *copying = (struct copy_task *)task;

    if (copying->state == COPY_WAITING)
        return wait_for_turn(copying, session);
    if (copying->state == COPY_MAKING)
        return say_progress(copying, session);
    if (copying->state != COPY_MADE)
        return CONTROL_WAIT;
    if (copying->result != STORE_OK)
        return control_refuse(session, "refused", copying->error.text) ? CONTROL_DONE
                                                                       : CONTROL_FAILED;
    copying->state = COPY_TOLD;
    return control_say(session, json_pack("{s:s}", "copy", copying->name), true) ? CONTROL_WAIT
                                                                                 : CONTROL_FAILED;
}

static void close_task(struct control_task *task)
{
    struct copy_task *copying = (struct copy_task *)task;

    copying->session = NULL;
    atomic_store(&copying->cancelled, true);
    if (copying->state == COPY_WAITING)
        uv_close((uv_handle_t *)&copying->timer, on_timer_closed);
    else if (copying->state == COPY_MAKING)
        copying->master->copy = MASTER_COPY_ENDING;
    else
        begin_removal(copying);
}

static bool choose_name(struct copy_task *copying)
{
    uint32_t number;

    if (getrandom(&number, sizeof number, 0) != sizeof number)
        return false;
    (void)snprintf(copying->name, sizeof copying->name, PREFIX "%06x", number & 0xffffff);
    return snprintf(copying->path, sizeof copying->path, "%s/%s",
                    copying->master->config->database_directory,
                    copying->name) < (int)sizeof copying->path;
}

bool control_copy(struct control_session *session, const json_t *request)
{
    struct master *master = session->master;
    struct copy_task *copying;

    (void)request;
    if (master->copy == MASTER_COPY_HELD)
        return control_refuse(session, "busy", BUSY_TEXT);
    copying = calloc(1, sizeof *copying);
    if (!copying)
        return false;
    copying->task.run = run;
    copying->task.close = close_task;
    /* So that the end of the client's connection is noticed: it asks nothing more. */
    copying->task.follows = true;
    copying->session = session;
    copying->master = master;
    copying->work.data = copying;
    copying->timer.data = copying;
    if (!choose_name(copying)) {
        free(copying);
        return false;
    }
    (void)uv_timer_init(master->loop, &copying->timer); /* cannot fail */
    (void)uv_timer_start(&copying->timer, on_timer, WAITING_MS, WAITING_MS);
    control_session_begin(session, &copying->task);
    return true;
}
