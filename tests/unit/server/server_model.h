/*
 * Commands, right and wrong, by a model that knows by the way it makes them
 * what must come of each.
 *
 * SPDX-License-Identifier: BSD-3-Clause
 */
#ifndef TESTS_SERVER_MODEL_H
#define TESTS_SERVER_MODEL_H

#include "wire/buffer.h"

/* All zero but for where its choices come from. */
struct server_model {
    size_t (*below)(void *context, size_t limit); /* a number below limit */
    void *context;
    struct buffer input;   /* what the client sends */
    struct buffer events;  /* as server_support_events(), for a session that is authenticated */
    struct buffer replies; /* as server_support_replies(), when all is answered with OK */
};

/* Make so many commands; the events and replies are then ended by a NUL. */
void server_model_generate(struct server_model *model, size_t commands);

void server_model_free(struct server_model *model);

#endif
