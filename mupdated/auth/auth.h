/*
 * Who may log in, and how: the daemon's policy on top of SASL.
 *
 * A user has access when the configuration gives him a role (rights.h), and an
 * admin may act as another user. The steps of an exchange run in threads (pool.h,
 * lane.h), since they may block (a password check over a socket) or cost
 * milliseconds (SCRAM's key derivation). One that gives no answer within
 * authentication_timeout is given up. Only a login by PLAIN that is the same as one
 * verified lately (key password_cache) takes no step at all: the servers of a
 * Murder connect for each change.
 *
 * All functions are for the loop's thread.
 *
 * SPDX-License-Identifier: BSD-3-Clause
 */
#ifndef AUTH_AUTH_H
#define AUTH_AUTH_H

#include <mupdate/types.h>
#include <uv.h>

#include "layer/sasl.h"
#include "mupdated/config.h"

struct auth;

/*
 * Set up SASL for this process; once. The configuration must outlive the
 * process or be replaced by auth_reload(). NULL with *failure filled.
 */
struct auth *auth_new(const struct config *config, uv_loop_t *loop, struct sasl_failure *failure);

/* Close the handles on the loop; all exchanges must be closed. */
void auth_stop(struct auth *auth);

/*
 * Behind the loop, after auth_stop(). False: a step hangs in one of the
 * threads. Then what it uses is left as it is, and the process must end by
 * _exit(2), so that nothing is taken from under it.
 */
bool auth_free(struct auth *auth);

/* New settings for exchanges from now on; running ones may still use the old. */
bool auth_reload(struct auth *auth, const struct config *config, struct sasl_failure *failure);

/*
 * The mechanisms for a connection's banner; the names are the auth's, valid
 * until the next call.
 */
size_t auth_mechanisms(struct auth *auth, const struct sasl_endpoint *endpoint,
                       const char *const **names);

enum auth_result {
    AUTH_CHALLENGE, /* send out, go on with auth_exchange_step() */
    AUTH_GRANTED,   /* user may use this server; layer may be NULL */
    AUTH_REFUSED,   /* wrong mechanism, user or password; or the mechanism failed */
    AUTH_NO_RIGHT,  /* the user is known, and has no role */
    AUTH_UNDECIDED, /* nobody could say: what checks it does not answer, or too many wait */
};

struct auth_answer {
    enum auth_result result;
    const void *out;      /* valid during the callback */
    size_t out_len;
    const char *user;     /* the user, or the one that was tried; NULL: unknown */
    const char *authenticated; /* who that was proved to be; mostly the user. NULL: nobody */
    struct layer *layer;  /* the callback's now */
    const char *reason;   /* for the log */
    const char *text;     /* for the peer, with AUTH_UNDECIDED; static */
};

struct auth_exchange;

/* Called on the loop's thread, never from within _begin or _step. */
typedef void auth_done(void *context, const struct auth_answer *answer);

/* Start; NULL: out of memory. initial NULL: none. */
struct auth_exchange *auth_exchange_begin(struct auth *auth, const struct sasl_endpoint *endpoint,
                                          struct mupdate_text mechanism, const void *initial,
                                          size_t len, auth_done *done, void *context);

/*
 * Whether the answer was known at once: then no step runs, done is not called,
 * and the exchange is only to be closed. The names in *answer are valid until the
 * next exchange begins, also when this one is closed.
 */
bool auth_exchange_known(const struct auth_exchange *exchange, struct auth_answer *answer);

/* The peer's answer to a challenge. False: out of memory. */
bool auth_exchange_step(struct auth_exchange *exchange, const void *data, size_t len);

const char *auth_exchange_mechanism(const struct auth_exchange *exchange);

/* The user that was tried, for the log, or NULL; while no step runs. */
const char *auth_exchange_user(struct auth_exchange *exchange);

/* Whether a step is under way: otherwise it is the client's turn. */
bool auth_exchange_runs(const struct auth_exchange *exchange);

/* End it, at any time; done is not called again. */
void auth_exchange_close(struct auth_exchange *exchange);

#endif
