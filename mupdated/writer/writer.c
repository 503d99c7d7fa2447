/* SPDX-License-Identifier: BSD-3-Clause */
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <syslog.h>

#include "mupdated/writer/private.h"

void writer_queue_init(struct writer_queue *queue)
{
    queue->head = NULL;
    queue->tail = &queue->head;
}

void writer_queue_append(struct writer_queue *queue, struct writer_request *first,
                         struct writer_request *last)
{
    *queue->tail = first;
    queue->tail = &last->next;
}

static void on_closed(uv_handle_t *handle)
{
    struct writer *writer = handle->data;
    void (*closed)(void *context) = writer->closed;
    void *context = writer->closed_context;

    uv_cond_destroy(&writer->upkeep);
    uv_cond_destroy(&writer->work);
    uv_mutex_destroy(&writer->lock);
    free(writer);
    if (closed)
        closed(context);
}

static void on_async_closed(uv_handle_t *handle)
{
    struct writer *writer = handle->data;

    uv_close((uv_handle_t *)&writer->lookout, on_closed);
}

static void on_lookout(uv_idle_t *lookout)
{
    const struct writer *writer = lookout->data;

    if (writer->pending != 1 || uv_hrtime() >= writer->lookout_until)
        uv_idle_stop(lookout);
    else
        (void)sched_yield();
}

static void on_decided(uv_async_t *async)
{
    struct writer *writer = async->data;
    struct writer_request *batch;
    enum writer_state state;
    uint64_t first;

    uv_mutex_lock(&writer->lock);
    batch = writer->decided.head;
    writer_queue_init(&writer->decided);
    first = writer->first;
    state = writer->state;
    uv_mutex_unlock(&writer->lock);

    for (const struct writer_request *request = batch; request; request = request->next)
        writer->pending--;
    if (batch)
        writer->done(writer->context, batch, first);

    /* Nothing is decided after this state: batch was the last. */
    if (state == WRITER_FINISHED && !uv_is_closing((uv_handle_t *)async)) {
        (void)uv_thread_join(&writer->thread);
        uv_close((uv_handle_t *)async, on_async_closed);
    }
}

static int init_locks(struct writer *writer)
{
    int code = uv_mutex_init(&writer->lock);

    if (code != 0)
        return code;
    code = uv_cond_init(&writer->work);
    if (code != 0)
        goto no_work;
    code = uv_cond_init(&writer->upkeep);
    if (code == 0)
        return 0;
    uv_cond_destroy(&writer->work);
no_work:
    uv_mutex_destroy(&writer->lock);
    return code;
}

/* Signals are for the loop: one that came here could wait as long as the thread does. */
static int start_thread(uv_thread_t *thread, uv_thread_cb body, struct writer *writer)
{
    sigset_t all, before;
    int code;

    (void)sigfillset(&all);
    (void)pthread_sigmask(SIG_SETMASK, &all, &before);
    code = uv_thread_create(thread, body, writer);
    (void)pthread_sigmask(SIG_SETMASK, &before, NULL);
    return code;
}

static int start_threads(struct writer *writer)
{
    int code = start_thread(&writer->upkeep_thread, writer_upkeep_thread, writer);

    if (code != 0)
        return code;
    code = start_thread(&writer->thread, writer_thread, writer);
    if (code == 0)
        return 0;
    uv_mutex_lock(&writer->lock);
    writer->upkeep_ends = true;
    uv_cond_signal(&writer->upkeep);
    uv_mutex_unlock(&writer->lock);
    (void)uv_thread_join(&writer->upkeep_thread);
    return code;
}

int writer_start(struct writer **writer_out, uv_loop_t *loop, const struct writer_options *options,
                 const struct rule_policy *policy)
{
    struct writer *writer = calloc(1, sizeof *writer);
    struct store_position position;
    struct store_error error;
    int code;

    *writer_out = NULL;
    if (!writer)
        return UV_ENOMEM;
    writer->policy = *policy;
    writer->done = options->done;
    writer->context = options->context;
    writer->store = options->store;
    writer->checkpoint_interval_ns =
        (uint64_t)(options->checkpoint_interval_ms > 0 ? options->checkpoint_interval_ms : 1) *
        1000000;
    writer->log = options->log;
    writer->log_context = options->log_context;
    writer->log_changes = options->log_changes;
    writer->state = WRITER_RUNNING;
    writer_queue_init(&writer->queue);
    writer_queue_init(&writer->decided);
    store_position(writer->store, &position);
    writer->first = position.first;

    if (decide_init(&writer->decide, options->store, options->log, options->log_context, &error) !=
        STORE_OK) {
        if (writer->log)
            writer->log(writer->log_context, LOG_ERR, error.text);
        free(writer);
        return UV_EIO;
    }
    code = init_locks(writer);
    if (code != 0) {
        free(writer);
        return code;
    }
    code = uv_async_init(loop, &writer->async, on_decided);
    if (code != 0) {
        uv_cond_destroy(&writer->upkeep);
        uv_cond_destroy(&writer->work);
        uv_mutex_destroy(&writer->lock);
        free(writer);
        return code;
    }
    writer->async.data = writer;
    (void)uv_idle_init(loop, &writer->lookout); /* cannot fail */
    writer->lookout.data = writer;
    writer->looks_out = uv_available_parallelism() > 1;
    code = start_threads(writer);
    if (code != 0) {
        uv_close((uv_handle_t *)&writer->async, on_async_closed);
        return code;
    }
    *writer_out = writer;
    return 0;
}

void writer_submit(struct writer *writer, struct writer_request *request)
{
    bool idle;

    request->next = NULL;
    request->policy = writer->policy;
    writer->pending++;
    if (writer->pending == 1 && writer->looks_out) {
        writer->lookout_until = uv_hrtime() + WRITER_LOOKOUT_NS;
        uv_idle_start(&writer->lookout, on_lookout);
    }
    uv_mutex_lock(&writer->lock);
    idle = !writer->queue.head;
    writer_queue_append(&writer->queue, request, request);
    if (idle)
        uv_cond_signal(&writer->work);
    uv_mutex_unlock(&writer->lock);
}

void writer_set_policy(struct writer *writer, const struct rule_policy *policy,
                       uint64_t log_changes)
{
    writer->policy = *policy;
    uv_mutex_lock(&writer->lock);
    writer->log_changes = log_changes;
    uv_cond_signal(&writer->work);
    uv_mutex_unlock(&writer->lock);
}

size_t writer_pending(const struct writer *writer)
{
    return writer->pending;
}

void writer_stats(struct writer *writer, struct writer_stats *stats)
{
    uv_mutex_lock(&writer->lock);
    *stats = writer->stats;
    if (writer->batch_began != 0)
        stats->busy_ns = uv_hrtime() - writer->batch_began;
    uv_mutex_unlock(&writer->lock);
}

void writer_stop(struct writer *writer, void (*closed)(void *context), void *context)
{
    writer->closed = closed;
    writer->closed_context = context;
    uv_mutex_lock(&writer->lock);
    writer->state = WRITER_STOPPING;
    uv_cond_signal(&writer->work);
    uv_mutex_unlock(&writer->lock);
}
