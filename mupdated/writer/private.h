/*
 * What the writer's files share. Only they may include this.
 *
 * SPDX-License-Identifier: BSD-3-Clause
 */
#ifndef WRITER_PRIVATE_H
#define WRITER_PRIVATE_H

#include "mupdated/writer/decide.h"

/*
 * With one request at a time all of them wait for threads to wake up, longer
 * than for the disk on some machines. So whoever will be needed next looks out
 * for so long before it sleeps, and lets others run meanwhile: the writer after
 * a batch of one, the loop while one request is at the writer. With more at a
 * time there is no need, and none of this; nor on a single processor.
 */
#define WRITER_LOOKOUT_NS 200000

enum writer_state {
    WRITER_RUNNING,
    WRITER_STOPPING, /* decides what is queued, then ends */
    WRITER_FINISHED, /* the threads use nothing any more but to return */
};

/* Requests in order. tail points to the last one's next, or to head. */
struct writer_queue {
    struct writer_request *head;
    struct writer_request **tail;
};

struct writer {
    /* the loop's */
    uv_async_t async;
    uv_idle_t lookout;
    uint64_t lookout_until;
    struct rule_policy policy;
    size_t pending;
    writer_done *done;
    void *context;
    void (*closed)(void *context);
    void *closed_context;
    uv_thread_t thread;

    /* the writer thread's */
    bool looks_out; /* never changes: there is a processor for it */
    struct decide decide;
    struct store *store;
    bool trim_failing;
    uv_thread_t upkeep_thread;
    uint64_t checkpoint_interval_ns;
    void (*log)(void *context, int level, const char *text);
    void *log_context;

    /* everybody's, under lock */
    uv_mutex_t lock;
    uv_cond_t work;       /* for the writer thread */
    uv_cond_t upkeep; /* for the upkeep thread */
    enum writer_state state;
    bool upkeep_ends;
    struct writer_queue queue;
    struct writer_queue decided;
    uint64_t first; /* oldest change in the log of changes */
    struct writer_stats stats;
    uint64_t batch_began; /* of uv_hrtime(); 0: no batch is under way */
    uint64_t log_changes;
};

void writer_queue_init(struct writer_queue *queue);

/* Append one request, or a list of them that ends at last. */
void writer_queue_append(struct writer_queue *queue, struct writer_request *first,
                         struct writer_request *last);

/* The bodies of the threads; argument is the struct writer. */
void writer_thread(void *argument);
void writer_upkeep_thread(void *argument);

#endif
