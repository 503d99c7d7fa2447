/*
 * The writer: one thread that takes all queued changes (at most 256), applies
 * the table's rules to the rows as the batch sees them, makes the batch durable
 * in one transaction, and hands the results back to the loop. A second thread
 * takes checkpoints and prepares log files.
 *
 * If a batch cannot be stored, its requests are tried again one by one, so that
 * one of them does not fail the others. Once the store says that it does not
 * know whether a batch is stored, that batch and all after it are uncertain.
 *
 * Requests are decided in the order in which they were submitted.
 *
 * SPDX-License-Identifier: BSD-3-Clause
 */
#ifndef WRITER_WRITER_H
#define WRITER_WRITER_H

#include <uv.h>

#include "mupdated/store/store.h"
#include "mupdated/table/rule.h"

/* A batch is what is queued, up to so many requests, or octets of their texts. */
#define WRITER_BATCH 256
#define WRITER_BATCH_BYTES (4U << 20)

enum writer_result {
    WRITER_OK,        /* durable, or nothing was to be stored */
    WRITER_NO,        /* refused: nothing was stored */
    WRITER_FORBIDDEN, /* the same, since who asked lacks the right */
    WRITER_UNCERTAIN, /* may or may not be stored: close without an answer */
};

struct writer_request;

/* What a submitter does with what became of its request; on the loop's thread. */
struct writer_answer {
    /* The change is durable; the table in memory does not have it yet. */
    void (*stored)(void *owner, const struct writer_request *request);
    /* It was decided, and what was stored is visible. */
    void (*decided)(void *owner, const struct writer_request *request);
};

/*
 * One request. The submitter allocates it with writer_request_new() and gets
 * it back, to free it, in the callback.
 */
struct writer_request {
    struct writer_request *next;
    void *owner;                 /* the submitter's */
    const struct writer_answer *answer; /* the submitter's, for the writer's done callback */
    uint64_t only_sequence;      /* refuse unless the row is as this change left it; 0: any */
    struct rule_request rule;    /* texts point into the request's own memory */
    struct mupdate_text who;
    struct rule_policy policy;   /* the writer's: as it was when the request was submitted */
    /* the result */
    enum writer_result result;
    bool moved;                  /* see struct rule_outcome */
    struct change *change;       /* what was stored, NULL for nothing; freed with the request */
    char text[RULE_TEXT_BYTES];
};

/*
 * A request with its own copy of all texts; NULL: out of memory. The names in
 * rule->writes are not copied, and must outlive the request.
 */
struct writer_request *writer_request_new(const struct rule_request *rule, struct mupdate_text who,
                                          void *owner);
void writer_request_free(struct writer_request *request);

/* The octets of its texts. */
size_t writer_request_bytes(const struct writer_request *request);

/*
 * Called on the loop's thread with the requests of one batch, or of several
 * that were decided meanwhile, in order, linked by next. They are the callback's
 * now. first is the oldest change that the log still holds. The callback may
 * submit requests and stop the writer.
 */
typedef void writer_done(void *context, struct writer_request *batch, uint64_t first);

struct writer_options {
    struct store *store;
    uint64_t log_changes;            /* changes to keep in the log */
    int checkpoint_interval_ms;      /* at least 1 */
    void (*log)(void *context, int level, const char *text); /* any thread */
    void *log_context;
    writer_done *done;
    void *context;
};

struct writer;

/*
 * Start the threads. 0, or a negative libuv error code (*writer is then NULL).
 * *options and *policy are copied. The store must stay open until closed is
 * called; after a failure until the loop has run once more.
 */
int writer_start(struct writer **writer, uv_loop_t *loop, const struct writer_options *options,
                 const struct rule_policy *policy);

/*
 * Loop's thread: queue a request. Not after writer_stop(). Nothing bounds the
 * queue here: whoever submits keeps count of what each connection has under way.
 */
void writer_submit(struct writer *writer, struct writer_request *request);

/* Loop's thread: a new policy for the requests submitted from now on. */
void writer_set_policy(struct writer *writer, const struct rule_policy *policy,
                       uint64_t log_changes);

/* Requests submitted and not handed back yet. */
size_t writer_pending(const struct writer *writer);

/* Upper ends, in nanoseconds, of what commit_counts are of; the last one has no end. */
#define WRITER_COMMIT_BUCKETS 14
extern const uint64_t writer_commit_ends_ns[WRITER_COMMIT_BUCKETS];

/* What the writer did since it started. */
struct writer_stats {
    uint64_t batches;
    uint64_t requests;         /* in them */
    uint64_t stored;           /* changes that were stored */
    uint64_t commit_counts[WRITER_COMMIT_BUCKETS + 1]; /* batches that took up to so long */
    uint64_t commit_ns;        /* what all batches took together, from decision to disk */
    uint64_t checkpoints;
    uint64_t checkpoint_failures;
    uint64_t checkpoint_ns;    /* what the last one took */
    int64_t checkpoint_time_us; /* when it ended, since 1970; 0: never */
    bool refusing;             /* the last change could not be stored */
    bool failed;               /* and for good: the store cannot be trusted any more */
    uint64_t refused_at_ns;    /* of uv_hrtime(): when that was last found out */
    uint64_t busy_ns;          /* what the batch under way has taken so far; 0: there is none */
};

/* Any thread. */
void writer_stats(struct writer *writer, struct writer_stats *stats);

/*
 * Loop's thread: decide what is queued, stop the threads, take a last
 * checkpoint. closed is called on the loop when all results were handed back
 * and the writer is freed.
 */
void writer_stop(struct writer *writer, void (*closed)(void *context), void *context);

#endif
