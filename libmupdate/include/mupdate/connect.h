/*
 * A blocking MUPDATE client connection: a socket, STARTTLS, SASL and the
 * session of <mupdate/client.h>.
 *
 * A connection belongs to one thread at a time.
 *
 * SPDX-License-Identifier: BSD-3-Clause
 */
#ifndef MUPDATE_CONNECT_H
#define MUPDATE_CONNECT_H

#include <mupdate/client.h>
#include <mupdate/types.h>

#pragma GCC visibility push(default)

struct mupdate_connection;

/* How to connect. All zero but host is a fair default. */
struct mupdate_connect_options {
    const char *host;          /* name, address, or "unix:/path" */
    const char *port;          /* NULL: "3905" */
    const char *user;          /* authentication identity; NULL: none is given */
    const char *authorize;     /* identity to act as; NULL: the user */
    const char *realm;
    const char *mechanism;     /* NULL: the strongest that both sides know */
    /*
     * Gives the password when a mechanism asks for it; may prompt. Returns
     * NULL to give up. What it returns is wiped by the library and freed with
     * free().
     */
    char *(*password)(void *context);
    void *context;
    /*
     * TRY goes on in the clear, and a mechanism may then show the password, where
     * no STARTTLS is offered, or somebody in between takes the offer away.
     * FIRST is for a port where TLS is the first thing, without STARTTLS.
     */
    enum { MUPDATE_TLS_TRY, MUPDATE_TLS_REQUIRE, MUPDATE_TLS_NEVER, MUPDATE_TLS_FIRST } tls;
    const char *ca_file;       /* NULL: the system's */
    bool accept_any_certificate;
    bool compress;
    int timeout_ms;            /* for connecting, authenticating, each reply; 0: 30,000 */
    /*
     * A certificate to show where TLS asks for one, PEM with its chain, and its
     * key; NULL: none, and the key is in cert_file. With one and without user
     * and mechanism it also logs in (EXTERNAL): the server says as whom.
     */
    const char *cert_file;
    const char *key_file;
};

/* Why something failed, in a sentence for an operator. */
struct mupdate_connect_error {
    enum mupdate_connect_kind {
        MUPDATE_CONNECT_OK,
        MUPDATE_CONNECT_USAGE,       /* an option makes no sense */
        MUPDATE_CONNECT_NO_HOST,     /* the name does not resolve */
        MUPDATE_CONNECT_UNREACHABLE, /* nobody answers */
        MUPDATE_CONNECT_TLS,         /* TLS was wanted and failed, at either end */
        MUPDATE_CONNECT_DENIED,      /* the server does not know this user or password */
        MUPDATE_CONNECT_PROTOCOL,    /* the server sent what RFC 3656 does not allow */
        MUPDATE_CONNECT_LOST,        /* the connection broke: a change may or may not be stored */
        MUPDATE_CONNECT_TIMEOUT,
        MUPDATE_CONNECT_MEMORY,
    } kind;
    char text[512];
};

/* Connect, start TLS as asked, authenticate when user, mechanism or cert_file is given. */
struct mupdate_connection *mupdate_connect(const struct mupdate_connect_options *options,
                                           struct mupdate_connect_error *error);

/* Say LOGOUT when the connection still stands, and free everything. */
void mupdate_connection_close(struct mupdate_connection *connection);

/* The session, for commands and the banner. */
struct mupdate_client *mupdate_connection_client(struct mupdate_connection *connection);

/*
 * Send what the session has to send and wait for the next event, at most
 * timeout_ms (-1: for ever; 0: only what is there). Returns 1 with *event filled, 0 when time ran
 * out, -1 with *error filled when the connection is of no more use.
 */
int mupdate_connection_next(struct mupdate_connection *connection,
                            struct mupdate_client_event *event, int timeout_ms,
                            struct mupdate_connect_error *error);

/* The descriptor to poll for reading between calls of _next(). */
int mupdate_connection_fd(const struct mupdate_connection *connection);

#pragma GCC visibility pop

#endif
