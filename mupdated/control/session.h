/*
 * One operator's connection: requests are answered one after the other.
 *
 * A request is answered at once, or by a task: a producer that can stop
 * anywhere and go on exactly there. A task is run while the client takes what
 * it says, so that no answer needs more memory than a slice of it.
 *
 * For the loop's thread.
 *
 * SPDX-License-Identifier: BSD-3-Clause
 */
#ifndef CONTROL_SESSION_H
#define CONTROL_SESSION_H

#include <jansson.h>
#include <uv.h>

#include "mupdated/master.h"

enum control_progress {
    CONTROL_DONE, /* the last line was said: the task is closed */
    CONTROL_MORE, /* call again */
    CONTROL_WAIT, /* call again after control_session_wake(); it may come without a reason */
    CONTROL_FAILED, /* out of memory: cut the client off */
};

struct control_session;

/* The first member of every task. */
struct control_task {
    enum control_progress (*run)(struct control_task *task, struct control_session *session);
    /*
     * The request is answered, or its client is gone. What it has under way in
     * another thread may come back later: the task frees itself then.
     */
    void (*close)(struct control_task *task);
    bool follows; /* to be woken when changes became visible */
};

struct control_session {
    uv_pipe_t pipe;
    struct control *control;
    struct control_session *previous;
    struct control_session *next;
    struct buffer in;
    struct buffer out;
    struct buffer writing;
    uv_write_t write;
    bool write_pending;
    bool closing;
    bool ended;              /* the client will ask no more */
    bool last;               /* to be closed when all was sent */
    bool awake;              /* its task can go on */
    struct control_task *task;
    json_int_t id;           /* of the request that is being answered */
    char who[80];            /* "root" or "uid=1000", for the log */
};

/* The master that it belongs to. */
struct master *control_session_master(const struct control_session *session);

/*
 * Say a line: the members of object, which is taken over, with the request's id
 * and ok. more: it is not the answer's last. False, and nothing said: out of
 * memory (object NULL is, too): cut the client off.
 */
bool control_say(struct control_session *session, json_t *object, bool more);

/*
 * Say that the request is refused. code is one of those in mupdated-control(7), text a
 * sentence for the operator.
 */
bool control_refuse(struct control_session *session, const char *code, const char *text);

/* The rest of the answer comes from the task, which is the session's now. */
void control_session_begin(struct control_session *session, struct control_task *task);

/* Its task can go on. */
void control_session_wake(struct control_session *session);

#endif
