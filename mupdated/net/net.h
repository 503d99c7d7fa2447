/*
 * All connections of a master, and when each of them runs.
 *
 * A connection with something to do is scheduled; scheduled ones run in turn, a
 * slice each, between two looks at the sockets. Those in the middle of a long
 * answer stand in a queue of their own and share a slice of time, so that no
 * number of dumps delays a short answer. So do those in a TLS handshake, whose
 * steps cost as much as a thousand FINDs: what they sent waits for its turn, and
 * nobody has to be refused for the number of handshakes.
 *
 * It belongs to the loop's thread.
 *
 * SPDX-License-Identifier: BSD-3-Clause
 */
#ifndef NET_NET_H
#define NET_NET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <uv.h>

#include "mupdated/config.h"
#include "mupdated/net/admission.h"
#include "mupdated/net/handed.h"

struct master;
struct connection;
struct listener;

/* Connections that have something to do, in turn. */
struct due_queue {
    struct connection *first;
    struct connection *last;
};

struct net {
    struct handed handed;
    struct listener *listeners;
    struct connection *connections; /* a list, newest first */
    size_t count;
    size_t peak;  /* of the count, since memory was given back to the system */
    size_t swept; /* the count when they were last looked at */
    struct admission admission;
    struct connection *spare; /* with which one is refused when there is no memory */
    bool spare_used;
    struct due_queue due_short; /* with answers that cost little */
    struct due_queue due_long;  /* with a slice of a dump, a list or a healing */
    struct due_queue due_handshakes;
    struct connection *waiting; /* those with a wake_at_ms; a list */
    uv_idle_t run_due;
    uv_timer_t wake;  /* at the nearest connection_wake_at() */
    uint64_t wake_at_ms;
    uv_timer_t sweep; /* looks for idle connections, and for memory of those that left */
};

/* Set up; nothing listens yet. 0 or a negative libuv error code. */
int net_init(struct net *net, struct master *master);

/*
 * Take the sockets that were handed down, and the addresses of TCP that the
 * configuration says, of which only root may have some. EX_OK, or another code of
 * <sysexits.h> when one cannot be used; it is then logged, and the master must not
 * start.
 */
int net_bind(struct net *net, struct master *master, const struct config *config);

/*
 * Make the UNIX sockets, whose owner has to be able to remove them, and listen
 * on all. As net_bind().
 */
int net_listen(struct net *net, struct master *master, const struct config *config);

/*
 * Memory for a connection, all zero; the spare one when there is no other, NULL when that is
 * in use. To be given back with net_free_connection().
 */
struct connection *net_new_connection(struct net *net);
void net_free_connection(struct net *net, struct connection *connection);

/* Try again to take the connections that could not be taken. */
void net_take_held(struct net *net);

/* Take no new connections; their sockets' files are removed, but of those handed down. */
void net_stop_listening(struct net *net);

/*
 * The configuration may give other rights than before: each session has the new
 * ones from now on, and one whose user has none any more is closed.
 */
void net_learn_rights(struct net *net);

/* Take no more commands from any connection. */
void net_stop_input(struct net *net);

/*
 * Close every connection, an idle one with a BYE, one that waits for an answer
 * without a word. They are gone when net->count is 0.
 */
void net_close_all(struct net *net, const char *text);

/* The connections that did not take their last bytes are cut off now. */
void net_cut_all(struct net *net);

/* Close the loop's handles, when all connections and listeners are gone. */
void net_close(struct net *net);

#endif
