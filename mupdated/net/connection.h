/*
 * One client's connection: socket, layers, session, and what it has under way.
 *
 * It belongs to the loop's thread. Closing is asynchronous and counted: a
 * connection is freed when its socket is closed and the last of its requests
 * has come back from the writer.
 *
 * SPDX-License-Identifier: BSD-3-Clause
 */
#ifndef NET_CONNECTION_H
#define NET_CONNECTION_H

#include <mupdate/server.h>
#include <uv.h>

#include "layer/layer.h"
#include "mupdated/auth/auth.h"
#include "mupdated/auth/rights.h"
#include "mupdated/feed/dump.h"
#include "mupdated/feed/subscription.h"
#include "mupdated/feed/walk.h"
#include "mupdated/master.h"
#include "mupdated/net/audit.h"

enum connection_state {
    CONNECTION_OPEN,      /* takes commands */
    CONNECTION_QUIET,     /* takes no more commands; answers are still given */
    CONNECTION_DRAINING,  /* only sends what waits, then closes */
    CONNECTION_LINGERING, /* all was sent: waits for the client to end */
    CONNECTION_CLOSED,    /* the socket is closing or closed */
};

/* The answer to a LIST that is being given. */
struct listing {
    struct dump dump;     /* of all rows, or */
    struct walk walk;     /* of those with a */
    struct buffer prefix; /* of the location */
};

/* Room for an address of IPv6 and a port. */
#define CONNECTION_ADDRESS_BYTES 64

struct connection {
    union {
        uv_handle_t handle;
        uv_stream_t stream;
        uv_tcp_t tcp;
        uv_pipe_t pipe;
    } socket;
    struct master *master;
    enum connection_state state;
    uint64_t state_ms;     /* when it came to be so */
    const char *reason;    /* why it drains; static */
    struct connection *previous; /* in net->connections */
    struct connection *next;
    struct due_queue *due; /* the one it is in, or NULL */
    struct connection *due_next;
    struct peer *from;     /* the address it counts for; NULL: a UNIX socket, or closed */
    bool stranger;         /* it is in admission->strangers */
    struct connection *stranger_previous;
    struct connection *stranger_next;
    struct connection *waiting_previous; /* in net->waiting, while it has a wake_at_ms */
    struct connection *waiting_next;

    struct layer_stack layers;
    struct buffer unread;  /* of a TLS handshake: not yet through the layers */
    struct buffer plain;   /* through the layers, not yet taken by the session */
    struct buffer raw;     /* through the layers, for the socket */
    struct buffer writing; /* handed to libuv */
    uv_write_t write;
    bool write_pending;
    uv_shutdown_t shutdown;
    bool shut_down;
    bool reading;
    bool peer_ended;       /* the client will send no more */
    struct mupdate_server *session;

    char *external;        /* who a certificate says the client is, for EXTERNAL; or NULL */
    struct auth_exchange *auth;
    char *user;            /* NULL before authentication */
    char *authenticated;   /* who acts as user, where that is another; otherwise NULL */
    struct rights rights;  /* by the configuration of now */
    struct audit_refusals refusals;
    struct subscription *subscription;
    struct listing *listing;
    size_t stores;         /* requests at the writer */
    size_t store_bytes;    /* and the octets of their texts */
    bool socket_closed;

    uint64_t number;       /* counts the connections of this process, from 1 */
    uint64_t opened_ms;
    uint64_t input_ms;     /* when the last byte came */
    uint64_t wake_at_ms;   /* 0: never */
    const char *delayed_no; /* a refusal that waits for wake_at_ms and for all stores */
    struct mupdate_server_event login; /* an AUTHENTICATE that waits for wake_at_ms */
    bool login_waits;
    size_t failed_logins;
    char local[CONNECTION_ADDRESS_BYTES]; /* "address;port", as SASL has it; "" for UNIX */
    char remote[CONNECTION_ADDRESS_BYTES];
    char peer[80];         /* "[address] port=N" or "unix", for the log */
};

/*
 * Take a connection that waits at a listening socket. False when that cannot be
 * done now: it waits, and with it all behind it, until this is called again. local is
 * the address that all its connections have, in SASL's form; "" when each has
 * its own. tls: TLS is the first thing, and the banner follows it.
 */
bool connection_accept(struct master *master, uv_stream_t *listening, const char *local, bool tls);

/* An address as SASL has it, "address;port", in text; "" when it is none of IP. */
void connection_format_address(const struct sockaddr_storage *address, char *text, size_t size);

/* Let it run soon. */
void connection_schedule(struct connection *connection);

/* Let it run at a time of uv_now(), or sooner: then wake_at_ms is 0 again. */
void connection_wake_at(struct connection *connection, uint64_t at_ms);

/* Forget the time at which it was to run. */
void connection_wake_never(struct connection *connection);

/* Run a slice: go on with what is under way, take commands, send. */
void connection_run(struct connection *connection);

/* Cut it off, with the reason in the log. Pending answers are not given. */
void connection_close(struct connection *connection, const char *reason);

/* Go on to a state. States only ever go on; false when it is past that one. */
bool connection_move(struct connection *connection, enum connection_state state);

/* The answer to a LIST is given, or given up. */
void connection_listing_ends(struct connection *connection);

/* In the middle of a TLS handshake, which is gone on with in net->due_handshakes only. */
bool connection_shakes_hands(const struct connection *connection);

/* Take no more commands; what is under way is answered. */
void connection_quiet(struct connection *connection);

/* Look up the rights of its user; false: there are none. Only after authentication. */
bool connection_learn_rights(struct connection *connection);

/* Send what waits, then close. reason is static. */
void connection_drain(struct connection *connection, const char *reason);

/* What SASL is to know of this connection; valid until the next call. */
void connection_endpoint(struct connection *connection, struct sasl_endpoint *endpoint);

/* Put the banner that fits the connection's state into the output. */
void connection_banner(struct connection *connection);

/* Free it if nothing holds it any more. */
void connection_release(struct connection *connection);

#endif
