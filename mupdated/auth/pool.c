/* SPDX-License-Identifier: BSD-3-Clause */
#include "mupdated/auth/pool.h"

#include <signal.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <unistd.h>

#include "mupdated/log.h"

/*
 * Places are told apart by so many queues only: two may share one, which costs
 * them a turn, and no place can have a queue of its own made for each job.
 */
#define QUEUES 64

/* Enough for the plug-ins of Cyrus-SASL, Kerberos, and the system's resolver. */
#define STACK_BYTES (1U << 20)

#define NS_PER_MS UINT64_C(1000000)

struct queue {
    struct pool_job *first;
    struct pool_job *last;
    size_t count;
};

struct lane {
    struct pool_lane_options options;
    struct pool *pool;
    bool complained; /* the loop's: late threads were logged */

    /* under lock */
    uv_cond_t work;
    struct queue queues[QUEUES];
    unsigned turn; /* the queue whose turn it is */
    size_t waiting;
    size_t threads;
    size_t idle;   /* of them, those that wait for work */
    size_t late;   /* of them, those that stay behind */
};

struct thread {
    uv_thread_t id;
    struct lane *lane;
    struct thread *next;
};

struct pool {
    /* the loop's */
    uv_loop_t *loop;
    uv_async_t async;
    uv_timer_t timer;
    struct pool_job *soonest; /* whose time runs, in order */
    struct pool_job *latest;
    uint64_t idle_ns;
    unsigned lane_count;
    struct lane *lanes;

    /* everybody's, under lock */
    uv_mutex_t lock;
    uv_cond_t fewer;      /* threads: for pool_free() */
    bool stopped;
    size_t threads;
    struct thread *gone;  /* to be joined */
    struct queue ending;
};

/* --- lists --- */

static void append(struct queue *queue, struct pool_job *job)
{
    job->next = NULL;
    job->previous = queue->last;
    if (queue->last)
        queue->last->next = job;
    else
        queue->first = job;
    queue->last = job;
    queue->count++;
}

static void take_out(struct queue *queue, struct pool_job *job)
{
    if (job->previous)
        job->previous->next = job->next;
    else
        queue->first = job->next;
    if (job->next)
        job->next->previous = job->previous;
    else
        queue->last = job->previous;
    queue->count--;
}

/* Times are the same but after a reload: the place is nearly always the last. */
static void start_clock(struct pool *pool, struct pool_job *job)
{
    struct pool_job *sooner = pool->latest;

    while (sooner && sooner->deadline_ms > job->deadline_ms)
        sooner = sooner->sooner;
    job->sooner = sooner;
    job->later = sooner ? sooner->later : pool->soonest;
    if (job->later)
        job->later->sooner = job;
    else
        pool->latest = job;
    if (sooner)
        sooner->later = job;
    else
        pool->soonest = job;
}

static void stop_clock(struct pool *pool, struct pool_job *job)
{
    if (job->deadline_ms == 0)
        return;
    if (job->sooner)
        job->sooner->later = job->later;
    else
        pool->soonest = job->later;
    if (job->later)
        job->later->sooner = job->sooner;
    else
        pool->latest = job->sooner;
    job->deadline_ms = 0;
}

/* --- under lock --- */

static void wake_loop(struct pool *pool)
{
    if (!pool->stopped)
        (void)uv_async_send(&pool->async);
}

static void end_job(struct pool *pool, struct pool_job *job, enum pool_end end)
{
    job->state = POOL_JOB_ENDING;
    job->end = end;
    append(&pool->ending, job);
    wake_loop(pool);
}

static void stop_waiting(struct lane *lane, struct pool_job *job)
{
    take_out(&lane->queues[job->queue], job);
    lane->waiting--;
}

static struct pool_job *next_job(struct lane *lane)
{
    struct pool_job *job;

    while (!lane->queues[lane->turn].first)
        lane->turn = (lane->turn + 1) % QUEUES;
    job = lane->queues[lane->turn].first;
    lane->turn = (lane->turn + 1) % QUEUES;
    stop_waiting(lane, job);
    job->state = POOL_JOB_RUNNING;
    return job;
}

/* The longest queue is that of the flood, if there is one. */
static struct pool_job *job_to_refuse(const struct lane *lane)
{
    const struct queue *longest = lane->queues;

    for (const struct queue *queue = lane->queues; queue < lane->queues + QUEUES; queue++)
        if (queue->count > longest->count)
            longest = queue;
    return longest->last;
}

/* --- a thread --- */

/* NULL: the thread is to end. */
static struct pool_job *wait_for_job(struct lane *lane)
{
    struct pool *pool = lane->pool;
    int waited = 0;

    while (!pool->stopped && lane->waiting == 0) {
        if (waited != 0)
            return NULL;
        lane->idle++;
        waited = uv_cond_timedwait(&lane->work, &pool->lock, pool->idle_ns);
        lane->idle--;
    }
    return pool->stopped ? NULL : next_job(lane);
}

static void thread_body(void *argument)
{
    struct thread *thread = argument;
    struct lane *lane = thread->lane;
    struct pool *pool = lane->pool;
    struct pool_job *job;

    /* Threads have a niceness of their own on Linux. What cannot be had is done without. */
    if (lane->options.nice != 0)
        (void)setpriority(PRIO_PROCESS, (id_t)gettid(), lane->options.nice);
    uv_mutex_lock(&pool->lock);
    while ((job = wait_for_job(lane))) {
        uv_mutex_unlock(&pool->lock);
        job->work(job);
        uv_mutex_lock(&pool->lock);
        if (job->state == POOL_JOB_LATE)
            lane->late--;
        end_job(pool, job, POOL_RAN);
    }
    lane->threads--;
    pool->threads--;
    thread->next = pool->gone;
    pool->gone = thread;
    wake_loop(pool);
    uv_cond_signal(&pool->fewer);
    uv_mutex_unlock(&pool->lock);
}

/* Signals are the loop's: a handler must not run on these stacks. */
static int create_thread(struct thread *thread)
{
    const uv_thread_options_t options = {.flags = UV_THREAD_HAS_STACK_SIZE,
                                         .stack_size = STACK_BYTES};
    sigset_t all, before;
    int code;

    sigfillset(&all);
    (void)pthread_sigmask(SIG_SETMASK, &all, &before);
    code = uv_thread_create_ex(&thread->id, &options, thread_body, thread);
    (void)pthread_sigmask(SIG_SETMASK, &before, NULL);
    return code;
}

/* Under lock. */
static void add_thread(struct lane *lane)
{
    struct thread *thread = calloc(1, sizeof *thread);
    int code = UV_ENOMEM;

    if (thread) {
        thread->lane = lane;
        code = create_thread(thread);
    }
    if (code != 0) {
        log_error("logins: no thread can be started: lane=%s threads=%zu: %s", lane->options.name,
                  lane->threads, uv_strerror(code));
        free(thread);
        return;
    }
    lane->threads++;
    lane->pool->threads++;
}

/* --- on the loop --- */

static void join_gone(struct pool *pool)
{
    struct thread *gone;

    uv_mutex_lock(&pool->lock);
    gone = pool->gone;
    pool->gone = NULL;
    uv_mutex_unlock(&pool->lock);
    while (gone) {
        struct thread *thread = gone;

        gone = thread->next;
        (void)uv_thread_join(&thread->id);
        free(thread);
    }
}

static size_t count_late(struct lane *lane)
{
    size_t late;

    uv_mutex_lock(&lane->pool->lock);
    late = lane->late;
    uv_mutex_unlock(&lane->pool->lock);
    return late;
}

static void log_late(struct lane *lane)
{
    if (lane->complained)
        return;
    lane->complained = true;
    log_warning("logins: no answer in time: lane=%s threads=%zu of=%zu", lane->options.name,
                count_late(lane), lane->options.threads);
}

static void log_back(struct lane *lane)
{
    if (!lane->complained || count_late(lane) > 0)
        return;
    lane->complained = false;
    log_notice("logins: what was asked answers again: lane=%s", lane->options.name);
}

static void deliver(struct pool *pool)
{
    struct pool_job *job, *next;

    uv_mutex_lock(&pool->lock);
    job = pool->ending.first;
    pool->ending = (struct queue){NULL, NULL, 0};
    uv_mutex_unlock(&pool->lock);

    for (; job; job = next) {
        next = job->next;
        stop_clock(pool, job);
        job->state = POOL_JOB_IDLE;
        log_back(&pool->lanes[job->lane]);
        job->ended(job, job->end);
    }
}

static void on_async(uv_async_t *async)
{
    struct pool *pool = async->data;

    deliver(pool);
    join_gone(pool);
}

/* The time of a job is up. */
static void expire(struct pool *pool, struct pool_job *job)
{
    struct lane *lane = &pool->lanes[job->lane];
    enum pool_end end = POOL_RAN;

    uv_mutex_lock(&pool->lock);
    if (job->state == POOL_JOB_WAITING) {
        stop_waiting(lane, job);
        job->state = POOL_JOB_IDLE;
        end = lane->late > 0 ? POOL_STUCK : POOL_CROWDED;
    } else if (job->state == POOL_JOB_RUNNING) {
        job->state = POOL_JOB_LATE;
        lane->late++;
        end = POOL_LATE;
    }
    uv_mutex_unlock(&pool->lock);

    stop_clock(pool, job);
    if (end == POOL_RAN)
        return; /* about to be delivered */
    if (end == POOL_LATE)
        log_late(lane);
    job->ended(job, end);
}

static void on_time(uv_timer_t *timer);

static void set_timer(struct pool *pool)
{
    uint64_t now = uv_now(pool->loop);
    uint64_t at = pool->soonest->deadline_ms;

    uv_timer_start(&pool->timer, on_time, at > now ? at - now : 0, 0);
}

static void on_time(uv_timer_t *timer)
{
    struct pool *pool = timer->data;

    while (pool->soonest && pool->soonest->deadline_ms <= uv_now(pool->loop))
        expire(pool, pool->soonest);
    if (pool->soonest)
        set_timer(pool);
}

void pool_submit(struct pool *pool, unsigned number, struct pool_job *job, uint64_t origin,
                 uint64_t timeout_ms)
{
    struct lane *lane = &pool->lanes[number];

    job->lane = number;
    job->queue = (unsigned)(origin % QUEUES);
    job->deadline_ms = uv_now(pool->loop) + timeout_ms;
    start_clock(pool, job);
    /* It may go off for one that has ended: cheaper than to set it for each. */
    if (pool->soonest == job && (!uv_is_active((uv_handle_t *)&pool->timer) ||
                                 uv_timer_get_due_in(&pool->timer) > timeout_ms))
        set_timer(pool);

    uv_mutex_lock(&pool->lock);
    if (lane->late >= lane->options.threads) {
        end_job(pool, job, POOL_STUCK);
        uv_mutex_unlock(&pool->lock);
        return;
    }
    job->state = POOL_JOB_WAITING;
    append(&lane->queues[job->queue], job);
    lane->waiting++;
    if (lane->waiting > lane->idle && lane->threads < lane->options.threads)
        add_thread(lane);
    if (lane->waiting > lane->options.waiting || lane->threads == 0) {
        struct pool_job *refused = job_to_refuse(lane);

        stop_waiting(lane, refused);
        end_job(pool, refused, POOL_CROWDED);
    }
    uv_cond_signal(&lane->work);
    uv_mutex_unlock(&pool->lock);
}

bool pool_cancel(struct pool *pool, struct pool_job *job)
{
    bool waited;

    uv_mutex_lock(&pool->lock);
    waited = job->state == POOL_JOB_WAITING;
    if (waited) {
        stop_waiting(&pool->lanes[job->lane], job);
        job->state = POOL_JOB_IDLE;
    }
    uv_mutex_unlock(&pool->lock);
    if (waited)
        stop_clock(pool, job);
    return waited;
}

void pool_set_limits(struct pool *pool, unsigned lane, size_t threads, size_t waiting)
{
    uv_mutex_lock(&pool->lock);
    pool->lanes[lane].options.threads = threads;
    pool->lanes[lane].options.waiting = waiting;
    uv_mutex_unlock(&pool->lock);
}

void pool_counts(struct pool *pool, unsigned number, struct pool_counts *counts)
{
    const struct lane *lane = &pool->lanes[number];

    uv_mutex_lock(&pool->lock);
    *counts = (struct pool_counts){
        .threads = lane->threads, .late = lane->late, .waiting = lane->waiting};
    uv_mutex_unlock(&pool->lock);
}

/* --- start and end --- */

static void destroy(struct pool *pool)
{
    for (unsigned i = 0; i < pool->lane_count; i++)
        uv_cond_destroy(&pool->lanes[i].work);
    uv_cond_destroy(&pool->fewer);
    uv_mutex_destroy(&pool->lock);
    free(pool->lanes);
    free(pool);
}

static int init_lanes(struct pool *pool, const struct pool_lane_options *lanes, unsigned count)
{
    pool->lanes = calloc(count, sizeof *pool->lanes);
    if (!pool->lanes)
        return UV_ENOMEM;
    for (; pool->lane_count < count; pool->lane_count++) {
        struct lane *lane = &pool->lanes[pool->lane_count];
        int code = uv_cond_init(&lane->work);

        if (code != 0)
            return code;
        lane->options = lanes[pool->lane_count];
        lane->pool = pool;
    }
    return 0;
}

struct pool *pool_new(uv_loop_t *loop, const struct pool_lane_options *lanes, unsigned count,
                      uint64_t idle_ms)
{
    struct pool *pool = calloc(1, sizeof *pool);

    if (!pool)
        return NULL;
    pool->loop = loop;
    pool->idle_ns = idle_ms * NS_PER_MS;
    if (uv_mutex_init(&pool->lock) != 0) {
        free(pool);
        return NULL;
    }
    if (uv_cond_init(&pool->fewer) != 0) {
        uv_mutex_destroy(&pool->lock);
        free(pool);
        return NULL;
    }
    if (init_lanes(pool, lanes, count) != 0 || uv_async_init(loop, &pool->async, on_async) != 0) {
        destroy(pool);
        return NULL;
    }
    (void)uv_timer_init(loop, &pool->timer); /* cannot fail */
    pool->async.data = pool;
    pool->timer.data = pool;
    return pool;
}

void pool_stop(struct pool *pool)
{
    uv_mutex_lock(&pool->lock);
    pool->stopped = true;
    for (unsigned i = 0; i < pool->lane_count; i++)
        uv_cond_broadcast(&pool->lanes[i].work);
    uv_mutex_unlock(&pool->lock);
    uv_close((uv_handle_t *)&pool->async, NULL);
    uv_close((uv_handle_t *)&pool->timer, NULL);
}

bool pool_free(struct pool *pool, uint64_t wait_ms)
{
    uint64_t end_ns = uv_hrtime() + wait_ms * NS_PER_MS;
    size_t left;

    uv_mutex_lock(&pool->lock);
    while (pool->threads > 0) {
        uint64_t now_ns = uv_hrtime();

        if (now_ns >= end_ns)
            break;
        (void)uv_cond_timedwait(&pool->fewer, &pool->lock, end_ns - now_ns);
    }
    left = pool->threads;
    uv_mutex_unlock(&pool->lock);

    deliver(pool);
    join_gone(pool);
    if (left > 0)
        return false;
    destroy(pool);
    return true;
}
