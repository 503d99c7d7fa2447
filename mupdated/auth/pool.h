/*
 * Threads for work that takes long or blocks, apart from the loop and from each
 * other: each lane has threads and a queue of its own, so that a service which
 * does not answer holds up only those who ask it.
 *
 * A job has a time limit, from when it is submitted. Nothing can stop work that
 * blocks in somebody else's library: it is reported as late, its thread stays
 * behind, counts against the lane's limit, and takes jobs again when it comes
 * back. While every thread of a lane stays behind, its jobs are refused at once.
 *
 * Jobs of one lane begin in turns by where they come from, so that a flood from
 * one place delays others by one job at most; and where the queue is full, it
 * is the flood that is cut.
 *
 * Threads start when there is work, and end when there was none for a while.
 * Functions are for the loop's thread, but for the work itself.
 *
 * SPDX-License-Identifier: BSD-3-Clause
 */
#ifndef AUTH_POOL_H
#define AUTH_POOL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <uv.h>

struct pool;
struct pool_job;

/* What became of a job. */
enum pool_end {
    POOL_RAN,     /* its work is done */
    POOL_LATE,    /* its time is up, and it still runs: POOL_RAN comes when it is done */
    POOL_STUCK,   /* never began: threads that should have taken it stay behind */
    POOL_CROWDED, /* never began: too many wait, or no thread could be started */
};

/* The pool's. */
enum pool_state {
    POOL_JOB_IDLE,    /* not submitted, or ended */
    POOL_JOB_WAITING, /* in its lane's queue */
    POOL_JOB_RUNNING,
    POOL_JOB_LATE,    /* runs past its time */
    POOL_JOB_ENDING,  /* ended is about to be called */
};

struct pool_job {
    /* Set by the submitter. */
    void (*work)(struct pool_job *job); /* in a thread, with all signals blocked */
    /*
     * On the loop's thread, never from within pool_submit(): once, or with
     * POOL_LATE first and POOL_RAN later. May submit the job again, but after
     * POOL_LATE. The job is the submitter's again after any end but POOL_LATE.
     */
    void (*ended)(struct pool_job *job, enum pool_end end);

    /* The pool's. */
    enum pool_state state;
    enum pool_end end;
    unsigned lane;
    unsigned queue;
    struct pool_job *previous; /* in its queue, or among those that end */
    struct pool_job *next;
    uint64_t deadline_ms;
    struct pool_job *sooner;   /* those whose time runs */
    struct pool_job *later;
};

struct pool_lane_options {
    const char *name;  /* for the log; static */
    size_t threads;    /* at most, at least 1 */
    size_t waiting;    /* jobs in the queue at most, at least 1 */
    int nice;          /* added to the threads' niceness, where the system lets it be */
};

/* How long a thread waits for work before it ends, if pool_new() is told nothing else. */
#define POOL_IDLE_MS 30000

/*
 * A pool with these lanes, which are then named by their number. idle_ms: how
 * long a thread waits for work. NULL: out of memory, or of descriptors.
 */
struct pool *pool_new(uv_loop_t *loop, const struct pool_lane_options *lanes, unsigned count,
                      uint64_t idle_ms);

/* Other limits from now on. Threads that are too many end when they have nothing to do. */
void pool_set_limits(struct pool *pool, unsigned lane, size_t threads, size_t waiting);

/*
 * Have the work done, unless it cannot begin within timeout_ms. origin stands
 * for where the job comes from: equal numbers share their turns.
 */
void pool_submit(struct pool *pool, unsigned lane, struct pool_job *job, uint64_t origin,
                 uint64_t timeout_ms);

/*
 * Give a job up. True: it is the caller's again and ended is not called. False:
 * it runs, or ends: it is the caller's when ended is called for the last time.
 */
bool pool_cancel(struct pool *pool, struct pool_job *job);

struct pool_counts {
    size_t threads;
    size_t late;    /* of them, those that stay behind */
    size_t waiting;
};

void pool_counts(struct pool *pool, unsigned lane, struct pool_counts *counts);

/* Close the handles on the loop; jobs must all be cancelled. Nothing may be submitted then. */
void pool_stop(struct pool *pool);

/*
 * Behind the loop, after pool_stop(): wait up to wait_ms for the threads, end
 * what they ran, and free the pool. False: some stay behind. Then nothing is
 * freed, and what they use must stay until the process ends, by _exit(2); or
 * until this is called again and returns true.
 */
bool pool_free(struct pool *pool, uint64_t wait_ms);

#endif
