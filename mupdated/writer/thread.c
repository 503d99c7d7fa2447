/* SPDX-License-Identifier: BSD-3-Clause */
#include <sched.h>
#include <syslog.h>
#include <time.h>

#include "mupdated/writer/private.h"

/* Trimming starts when the log is so much too long, so that it is not done for every batch. */
#define TRIM_SLACK 1000

static void say(const struct writer *writer, int level, const char *text)
{
    if (writer->log)
        writer->log(writer->log_context, level, text);
}

/* Take the next batch off the queue; NULL when it is empty. Call with the lock held. */
static struct writer_request *take_batch(struct writer *writer, struct writer_request **last)
{
    struct writer_request *first = writer->queue.head;
    size_t bytes;
    size_t count = 1;

    if (!first)
        return NULL;
    *last = first;
    bytes = writer_request_bytes(first);
    while ((*last)->next && count < WRITER_BATCH) {
        bytes += writer_request_bytes((*last)->next);
        if (bytes > WRITER_BATCH_BYTES)
            break;
        *last = (*last)->next;
        count++;
    }
    writer->queue.head = (*last)->next;
    if (!writer->queue.head)
        writer->queue.tail = &writer->queue.head;
    (*last)->next = NULL;
    return first;
}

static bool log_is_long(const struct writer *writer, uint64_t keep)
{
    struct store_position position;

    store_position(writer->store, &position);
    return writer->decide.state != DECIDE_UNCERTAIN &&
           position.last + 1 - position.first > keep + TRIM_SLACK;
}

/* Drop some changes; true when there are more to drop. */
static bool trim(struct writer *writer, uint64_t keep)
{
    struct store_error error;
    bool more = false;
    enum store_result result = store_trim(writer->store, keep, &more, &error);

    if (result == STORE_OK) {
        writer->trim_failing = false;
        return more;
    }
    if (!writer->trim_failing)
        say(writer, LOG_WARNING, error.text);
    writer->trim_failing = true;
    if (result != STORE_REFUSED)
        writer->decide.state = DECIDE_UNCERTAIN;
    return false;
}

const uint64_t writer_commit_ends_ns[WRITER_COMMIT_BUCKETS] = {
    100000,   250000,    500000,    1000000,   2500000,    5000000,    10000000,
    25000000, 50000000, 100000000, 250000000, 500000000, 1000000000, 2500000000,
};

/* Call with the lock held. */
static void count_batch(struct writer_stats *stats, const struct writer_request *first,
                        uint64_t took_ns)
{
    size_t bucket = 0;

    while (bucket < WRITER_COMMIT_BUCKETS && took_ns > writer_commit_ends_ns[bucket])
        bucket++;
    stats->commit_counts[bucket]++;
    stats->commit_ns += took_ns;
    stats->batches++;
    for (; first; first = first->next) {
        stats->requests++;
        stats->stored += first->change != NULL;
    }
}

static void hand_back(struct writer *writer, struct writer_request *first,
                      struct writer_request *last)
{
    struct store_position position;
    uint64_t now;

    store_position(writer->store, &position);
    now = uv_hrtime();
    uv_mutex_lock(&writer->lock);
    count_batch(&writer->stats, first, now - writer->batch_began);
    writer->stats.refusing = writer->decide.state != DECIDE_STORING;
    writer->stats.failed = writer->decide.state == DECIDE_UNCERTAIN;
    if (writer->stats.refusing)
        writer->stats.refused_at_ns = now;
    writer->batch_began = 0;
    writer_queue_append(&writer->decided, first, last);
    writer->first = position.first;
    if (store_wants_log(writer->store))
        uv_cond_signal(&writer->upkeep);
    uv_mutex_unlock(&writer->lock);
    (void)uv_async_send(&writer->async);
}

static void end_upkeep(struct writer *writer)
{
    struct store_error error;

    uv_mutex_lock(&writer->lock);
    writer->upkeep_ends = true;
    uv_cond_signal(&writer->upkeep);
    uv_mutex_unlock(&writer->lock);
    (void)uv_thread_join(&writer->upkeep_thread);
    if (writer->decide.state != DECIDE_UNCERTAIN &&
        store_checkpoint(writer->store, &error) != STORE_OK)
        say(writer, LOG_WARNING, error.text);
}

/* Call with the lock held. */
static void look_out(struct writer *writer)
{
    uint64_t until = uv_hrtime() + WRITER_LOOKOUT_NS;

    while (!writer->queue.head && writer->state == WRITER_RUNNING && uv_hrtime() < until) {
        uv_mutex_unlock(&writer->lock);
        (void)sched_yield();
        uv_mutex_lock(&writer->lock);
    }
}

void writer_thread(void *argument)
{
    struct writer *writer = argument;
    struct writer_request *first;
    struct writer_request *last = NULL;
    bool trimming = false;
    bool paused = false;
    bool alone = false; /* the last batch was one request */
    uint64_t keep;

    for (;;) {
        uv_mutex_lock(&writer->lock);
        if (alone && writer->looks_out)
            look_out(writer);
        for (;;) {
            keep = writer->log_changes;
            /* Looked at under the lock, so that a wake-up for a shorter log is not missed. */
            trimming = trimming || (!paused && log_is_long(writer, keep));
            if (writer->queue.head || trimming || writer->state != WRITER_RUNNING)
                break;
            uv_cond_wait(&writer->work, &writer->lock);
        }
        first = take_batch(writer, &last);
        if (!first && writer->state != WRITER_RUNNING)
            break;
        if (first)
            writer->batch_began = uv_hrtime();
        uv_mutex_unlock(&writer->lock);

        alone = first && first == last;
        if (first) {
            decide_batch(&writer->decide, first);
            hand_back(writer, first, last);
            paused = false;
        }
        if (trimming) {
            trimming = trim(writer, keep);
            paused = writer->trim_failing; /* until the next batch */
        }
    }
    uv_mutex_unlock(&writer->lock);

    end_upkeep(writer);
    uv_mutex_lock(&writer->lock);
    writer->state = WRITER_FINISHED;
    uv_mutex_unlock(&writer->lock);
    (void)uv_async_send(&writer->async);
}

static void take_checkpoint(struct writer *writer, bool *failing)
{
    struct store_error error;
    struct timespec now = {0};
    uint64_t begun = uv_hrtime();
    bool failed = store_checkpoint(writer->store, &error) != STORE_OK;
    uint64_t took_ns = uv_hrtime() - begun;

    (void)clock_gettime(CLOCK_REALTIME, &now);
    uv_mutex_lock(&writer->lock);
    writer->stats.checkpoints++;
    writer->stats.checkpoint_failures += failed;
    if (!failed) {
        writer->stats.checkpoint_ns = took_ns;
        writer->stats.checkpoint_time_us = (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
    }
    uv_mutex_unlock(&writer->lock);
    if (failed && !*failing)
        say(writer, LOG_WARNING, error.text);
    else if (*failing && !failed)
        say(writer, LOG_NOTICE, "writer: checkpoints work again");
    *failing = failed;
}

void writer_upkeep_thread(void *argument)
{
    struct writer *writer = argument;
    bool failing = false;
    uint64_t due = uv_hrtime() + writer->checkpoint_interval_ns;
    uint64_t now;

    uv_mutex_lock(&writer->lock);
    while (!writer->upkeep_ends) {
        now = uv_hrtime();
        if (now < due && !store_wants_log(writer->store)) {
            (void)uv_cond_timedwait(&writer->upkeep, &writer->lock, due - now);
            continue;
        }
        uv_mutex_unlock(&writer->lock);
        store_prepare_log(writer->store);
        if (now >= due) {
            take_checkpoint(writer, &failing);
            due = uv_hrtime() + writer->checkpoint_interval_ns;
        }
        uv_mutex_lock(&writer->lock);
    }
    uv_mutex_unlock(&writer->lock);
}
