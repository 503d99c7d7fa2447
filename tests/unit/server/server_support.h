/*
 * A server session with a program behind it that answers everything, and
 * writes down what it was asked and what went out.
 *
 * SPDX-License-Identifier: BSD-3-Clause
 */
#ifndef TESTS_SERVER_SUPPORT_H
#define TESTS_SERVER_SUPPORT_H

#include "wire/buffer.h"

#include <mupdate/server.h>

/* How the bytes of a test reach the session. */
enum server_support_split {
    SPLIT_WHOLE,
    SPLIT_OCTETS, /* one at a time */
    SPLIT_RANDOM, /* by below() of the support */
};

/* When the program answers. */
enum server_support_answers {
    ANSWER_AT_ONCE,
    ANSWER_LATE, /* only when the session does not go on otherwise */
    ANSWER_RANDOM,
    ANSWER_NEVER, /* the test does */
};

struct server_support {
    struct mupdate_server *server;
    enum server_support_answers answers;
    /* What is random; rand() until the test has something else: seed it. */
    size_t (*below)(void *context, size_t limit);
    void *below_context;
    struct buffer events;  /* a line for each: "FIND(name)"; octets below 33 as \xx */
    struct buffer replies; /* the output as it is; what is drained only */
    struct buffer shown;   /* behind server_support_replies() */
    enum mupdate_server_event_type asked[128]; /* not answered yet, a ring */
    size_t asked_first;
    size_t asked_count;
    enum mupdate_server_next next; /* what mupdate_server_next() said last */
};

/* Every limit the default; the banner offers all there is. The session stands before it. */
void server_support_open(struct server_support *support,
                         const struct mupdate_server_limits *limits);

/* Give the banner, and drop it from the replies. */
void server_support_greet(struct server_support *support);

/* Go to a state from the one behind _open(); what that wrote is dropped. */
void server_support_reach(struct server_support *support, enum mupdate_server_state state);

void server_support_close(struct server_support *support);

/* Feed bytes, answering as told, until all are taken or the session takes no more: how many. */
size_t server_support_feed(struct server_support *support, const void *data, size_t len,
                           enum server_support_split split);

/* Answer the oldest; one event's worth. */
void server_support_answer(struct server_support *support);

/* Take events as long as there are some. */
void server_support_turn(struct server_support *support);

/* Both as strings; valid until the next call. The replies without the texts of OK, NO, BAD, BYE,
   each of which must be one that is not empty. */
const char *server_support_events(struct server_support *support);
const char *server_support_replies(struct server_support *support);

/* Forget what was written down. */
void server_support_clear(struct server_support *support);

#endif
