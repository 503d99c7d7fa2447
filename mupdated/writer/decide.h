/*
 * Deciding a batch: rules, transaction, and what to do when it fails. No
 * threads and no queue here.
 *
 * SPDX-License-Identifier: BSD-3-Clause
 */
#ifndef WRITER_DECIDE_H
#define WRITER_DECIDE_H

#include "mupdated/writer/writer.h"

enum decide_state {
    DECIDE_STORING,   /* the last change could be stored */
    DECIDE_REFUSING,  /* it could not, and that was logged */
    DECIDE_UNCERTAIN, /* the store cannot be trusted any more: for good */
};

/* Belongs to one thread. */
struct decide {
    struct store *store;
    void (*log)(void *context, int level, const char *text);
    void *log_context;
    enum decide_state state;
    uint64_t refused; /* requests since the state is DECIDE_REFUSING */
    int64_t time_us;  /* of the newest change: time never goes back in the log */
};

/*
 * Begin after the newest change that the store holds. STORE_OK, or the
 * store's result with *error filled.
 */
enum store_result decide_init(struct decide *decide, struct store *store,
                              void (*log)(void *context, int level, const char *text),
                              void *log_context, struct store_error *error);

/*
 * Decide the requests, linked by next, in order: fills in their results. When
 * it returns, what is WRITER_OK is durable.
 */
void decide_batch(struct decide *decide, struct writer_request *requests);

#endif
