/*
 * The protocol of one operator's connection (mupdated-control(7)), without its socket: octets
 * come in, lines of JSON go out. Requests are answered one after the other.
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
#include <stdbool.h>
#include <stddef.h>

#include "wire/buffer.h"

/* The version of the protocol; it grows when an older client could misunderstand an answer. */
#define CONTROL_VERSION 1

/* A request is a line of at most so many octets, with the line feed. */
#define CONTROL_LINE_BYTES 65536

/* What may wait of further requests while one is answered: a line and what one read brings. */
#define CONTROL_INPUT_BYTES (CONTROL_LINE_BYTES + 4096)

/* A task says no more, and no request is taken, while so much waits for the client. */
#define CONTROL_OUTPUT_BYTES 262144

struct master;
struct control_session;

enum control_progress {
    CONTROL_DONE, /* the last line was said: the task is closed */
    CONTROL_MORE, /* call again */
    CONTROL_WAIT, /* call again after control_session_wake(); it may come without a reason */
    CONTROL_FAILED, /* out of memory: cut the client off */
};

/* The first member of every task. */
struct control_task {
    enum control_progress (*run)(struct control_task *task, struct control_session *session);
    /*
     * The request is answered, or its client is gone. What it has under way in
     * another thread may come back later: the task frees itself then.
     */
    void (*close)(struct control_task *task);
    bool follows; /* to be woken when changes became visible; it ends when the client does */
};

/* What can be asked. */
struct control_kind {
    const char *name;
    /*
     * Handle one request, which is a JSON object: answer it, refuse it, or begin a task that
     * will. False: out of memory.
     */
    bool (*handle)(struct control_session *session, const json_t *request);
};

enum control_session_state {
    CONTROL_SESSION_OPEN,
    CONTROL_SESSION_ENDED, /* the client asks nothing more; what it asked is answered */
    CONTROL_SESSION_LAST,  /* no more is said: to be closed when all was sent */
};

struct control_session {
    struct master *master;
    const struct control_kind *kinds; /* to one without a name */
    void (*woken)(struct control_session *session);
    enum control_session_state state;
    struct buffer in;
    struct buffer out; /* for the client; who runs the session takes from it */
    struct control_task *task;
    bool awake;        /* its task can go on */
    json_int_t id;     /* of the request that is being answered */
    char who[80];      /* "root" or "uid=1000", for the log */
};

/* What a session wants of who runs it. */
enum control_session_turn {
    CONTROL_SESSION_WAITS,     /* run it again behind input, woken(), or when out was taken */
    CONTROL_SESSION_GOES_ON,   /* run it again soon; better when out was taken */
    CONTROL_SESSION_ENDS,      /* close it when out was taken */
    CONTROL_SESSION_NO_MEMORY, /* close it at once */
};

/* --- for who has the socket --- */

/*
 * Begin. The session answers the requests of kinds, whose handlers find master; woken is called
 * when it must be run, from inside or outside of control_session_run().
 */
void control_session_init(struct control_session *session, struct master *master,
                          const struct control_kind *kinds,
                          void (*woken)(struct control_session *session));

/*
 * Take octets of the client, in any pieces; then run the session. False: it asks on without
 * end while an answer is under way: cut it off.
 */
bool control_session_input(struct control_session *session, const void *data, size_t len);

/* The client will say no more; then run the session. */
void control_session_input_end(struct control_session *session);

/* Answer requests that came, and let the task say a slice. */
enum control_session_turn control_session_run(struct control_session *session);

/* Say why a client is not served, and nothing else. False: out of memory. */
bool control_session_turn_away(struct control_session *session, const char *code,
                               const char *text);

/* The end: its task is closed, what was not sent is dropped. */
void control_session_close(struct control_session *session);

/* --- for the requests --- */

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
