/*
 * Who may come in: limits on the number of connections, and what becomes of
 * those that do not log in.
 *
 * It belongs to the loop's thread.
 *
 * SPDX-License-Identifier: BSD-3-Clause
 */
#ifndef NET_ADMISSION_H
#define NET_ADMISSION_H

#include "mupdated/counters.h"
#include "mupdated/net/peers.h"

struct config;
struct connection;

/* Connections over UNIX sockets may be so many more: an operator gets in when all is taken. */
#define ADMISSION_UNIX_RESERVE 16

/* Connections for which a descriptor is kept, so that they can be told why they are refused. */
#define ADMISSION_REFUSED 16

/* Lines of a kind that anybody can cause: so many in a second are written, and the rest counted. */
struct admission_log {
    uint64_t second;
    size_t lines;    /* in this second */
    size_t unlogged; /* since the last line */
};

struct admission {
    struct peers peers;
    size_t descriptors;           /* the process's limit */
    struct connection *strangers; /* those that are not logged in, the oldest first */
    struct connection *newest_stranger;
    size_t stranger_count;
    struct admission_log refusals;
    struct admission_log ends;
    struct admission_log handshakes;
    struct admission_log undecided;
};

void admission_init(struct admission *admission);
void admission_close(struct admission *admission);

/*
 * The descriptors that the process may need besides one for each connection: for the database,
 * operators, metrics, and logins that ask somebody else.
 */
size_t admission_descriptors_besides(const struct config *config);

/* Whether a descriptor is left for one more, if only to refuse it, when there are count. */
bool admission_has_room(const struct admission *admission, const struct config *config,
                        size_t count);

/*
 * A connection was accepted; address is NULL for a UNIX socket, and of the kind AF_UNSPEC when
 * the client has closed it meanwhile. Returns NULL when it may stay: if there are too many
 * strangers now, or too many connections and a stranger among them, one had to go. Otherwise
 * the reason for which it may not (too many connections, of this address, or open files; no
 * memory; the client has gone), which is logged, as a static text.
 */
const char *admission_enter(struct connection *connection, const struct sockaddr_storage *address);

/*
 * Count and log that a connection is refused, and give the reason back as a static text: at most
 * one line a second, which says how many got none. limit is the one that was met; 0: none of the
 * configuration's.
 */
const char *admission_refuse(struct connection *connection, enum counters_refusal why,
                             size_t limit);

/*
 * Whether the end of a connection that never logged in is to be logged: 20 in a second are,
 * and at the level debug all. *unlogged is how many were not since the last one.
 */
bool admission_logs_end(struct connection *connection, size_t *unlogged);

/*
 * The same of a handshake of TLS that failed, and of a login that nobody could judge: of
 * both, while the connection is not logged in.
 */
bool admission_logs_handshake(struct connection *connection, size_t *unlogged);
bool admission_logs_undecided(struct connection *connection, size_t *unlogged);

/* It is logged in: it is no stranger any more. */
void admission_logged_in(struct connection *connection);

/* Its socket is being closed. Connections that never entered may leave too. */
void admission_leave(struct connection *connection);

#endif
