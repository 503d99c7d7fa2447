/* SPDX-License-Identifier: BSD-3-Clause */
#include "mupdated/writer/decide.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <syslog.h>
#include <time.h>

/* How often one request is tried when the store says that it may work at once. */
#define ATTEMPTS 10

static bool note_time(void *context, const struct change *change)
{
    struct decide *decide = context;

    decide->time_us = change->now.time_us;
    return true;
}

enum store_result decide_init(struct decide *decide, struct store *store,
                              void (*log)(void *context, int level, const char *text),
                              void *log_context, struct store_error *error)
{
    struct store_position position;

    memset(decide, 0, sizeof *decide);
    decide->store = store;
    decide->log = log;
    decide->log_context = log_context;
    decide->state = DECIDE_STORING;
    store_position(store, &position);
    return store_changes(store, position.last, note_time, decide, error);
}

static void say(const struct decide *decide, int level, const char *text)
{
    if (decide->log)
        decide->log(decide->log_context, level, text);
}

static void take_time(struct decide *decide)
{
    struct timespec now;
    int64_t time_us;

    if (clock_gettime(CLOCK_REALTIME, &now) != 0)
        return;
    time_us = (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
    if (time_us > decide->time_us)
        decide->time_us = time_us;
}

static void forget_result(struct writer_request *request)
{
    free(request->change);
    request->change = NULL;
    request->moved = false;
    request->text[0] = '\0';
}

static enum store_result no_memory(struct store *store, struct store_error *error)
{
    store_abort(store);
    memset(error, 0, sizeof *error);
    (void)snprintf(error->reason, sizeof error->reason, "out of memory");
    (void)snprintf(error->text, sizeof error->text, "writer: out of memory");
    return STORE_REFUSED;
}

/*
 * Store what outcome says. The change is copied before it is stored: its old
 * location is in the store's memory, which the next call uses again.
 */
static enum store_result store_outcome(struct decide *decide, struct writer_request *request,
                                       const struct row *row, const struct rule_outcome *outcome,
                                       struct store_error *error)
{
    struct change change = {
        .now = {.mupdate = outcome->row, .time_us = decide->time_us, .who = request->who},
        .old_state = row->mupdate.state,
        .old_location = row->mupdate.location,
    };

    request->change = change_copy(&change);
    if (!request->change)
        return no_memory(decide->store, error);
    return store_put(decide->store, request->change,
                     row->mupdate.state == MUPDATE_ABSENT ? NULL : &row->mupdate, error);
}

static enum writer_result result_of(enum rule_verdict verdict)
{
    switch (verdict) {
    case RULE_REFUSED:
        return WRITER_NO;
    case RULE_FORBIDDEN:
        return WRITER_FORBIDDEN;
    case RULE_STORE:
    case RULE_UNCHANGED:
        break;
    }
    return WRITER_OK;
}

static enum store_result decide_request(struct decide *decide, struct writer_request *request,
                                        struct store_error *error)
{
    struct row row = {.mupdate.state = MUPDATE_ABSENT};
    struct rule_outcome outcome = {.verdict = RULE_REFUSED};
    enum store_result result = store_get(decide->store, request->rule.name, &row, error);

    if (result != STORE_OK && result != STORE_ABSENT)
        return result;
    if (request->only_sequence != 0 &&
        (result == STORE_ABSENT || row.sequence != request->only_sequence)) {
        request->result = WRITER_NO;
        (void)snprintf(request->text, sizeof request->text, "it was changed meanwhile");
        return STORE_OK;
    }
    rule_apply(&request->policy, result == STORE_OK ? &row.mupdate : NULL, &request->rule,
               &outcome);
    request->result = result_of(outcome.verdict);
    request->moved = outcome.moved;
    (void)snprintf(request->text, sizeof request->text, "%s", outcome.text);
    if (outcome.verdict != RULE_STORE)
        return STORE_OK;
    return store_outcome(decide, request, &row, &outcome, error);
}

/* One transaction for the requests from first up to, not including, end. */
static enum store_result decide_together(struct decide *decide, struct writer_request *first,
                                         const struct writer_request *end,
                                         struct store_error *error)
{
    enum store_result result;

    for (struct writer_request *request = first; request != end; request = request->next)
        forget_result(request);
    take_time(decide);
    result = store_begin(decide->store, error);
    for (struct writer_request *request = first; request != end && result == STORE_OK;
         request = request->next)
        result = decide_request(decide, request, error);
    if (result == STORE_OK)
        result = store_commit(decide->store, error);
    return result;
}

static void refuse(struct decide *decide, struct writer_request *request,
                   const struct store_error *error)
{
    forget_result(request);
    request->result = WRITER_NO;
    (void)snprintf(request->text, sizeof request->text, "not stored: %s", error->reason);
    decide->refused++;
    if (decide->state == DECIDE_REFUSING)
        return;
    decide->state = DECIDE_REFUSING;
    say(decide, LOG_ERR, error->text);
    say(decide, LOG_ERR, "writer: changes are being refused");
}

static void note_stored(struct decide *decide, const struct writer_request *first,
                        const struct writer_request *end)
{
    char text[96];

    if (decide->state != DECIDE_REFUSING)
        return;
    while (first != end && !first->change)
        first = first->next;
    if (first == end)
        return; /* nothing was to be stored, so it is not known yet whether that works again */
    decide->state = DECIDE_STORING;
    (void)snprintf(text, sizeof text, "writer: changes are stored again, %llu were refused",
                   (unsigned long long)decide->refused);
    decide->refused = 0;
    say(decide, LOG_NOTICE, text);
}

static void give_up(struct decide *decide, struct writer_request *first)
{
    for (; first; first = first->next) {
        forget_result(first);
        first->result = WRITER_UNCERTAIN;
    }
    decide->state = DECIDE_UNCERTAIN;
}

static enum store_result decide_alone(struct decide *decide, struct writer_request *request)
{
    struct store_error error = {0};
    enum store_result result = STORE_REFUSED;

    error.again = true;
    for (int i = 0; i < ATTEMPTS && result == STORE_REFUSED && error.again; i++)
        result = decide_together(decide, request, request->next, &error);
    if (result == STORE_OK)
        note_stored(decide, request, request->next);
    else if (result == STORE_REFUSED)
        refuse(decide, request, &error);
    return result;
}

void decide_batch(struct decide *decide, struct writer_request *requests)
{
    struct store_error error = {0};
    enum store_result result;

    if (decide->state == DECIDE_UNCERTAIN) {
        give_up(decide, requests);
        return;
    }
    if (requests->next) {
        result = decide_together(decide, requests, NULL, &error);
        if (result == STORE_OK) {
            note_stored(decide, requests, NULL);
            return;
        }
        if (result != STORE_REFUSED) {
            say(decide, LOG_CRIT, error.text);
            give_up(decide, requests);
            return;
        }
    }
    for (struct writer_request *request = requests; request; request = request->next) {
        result = decide_alone(decide, request);
        if (result != STORE_OK && result != STORE_REFUSED) {
            give_up(decide, request);
            return;
        }
    }
}
