/*
 * The socket of a blocking connection, with the layers between it and the
 * session. The only place that reads and writes it.
 *
 * SPDX-License-Identifier: BSD-3-Clause
 */
#ifndef CLIENT_CONNECT_LINK_H
#define CLIENT_CONNECT_LINK_H

#include <mupdate/connect.h>

#include "layer/layer.h"

/* Moments are milliseconds of CLOCK_MONOTONIC. */
#define MOMENT_NEVER INT64_MAX

int64_t moment_now(void);

/* The moment timeout_ms from now; MOMENT_NEVER when it is negative. */
int64_t moment_after(int timeout_ms);

/* Milliseconds until then, as poll() wants them: -1 for MOMENT_NEVER, 0 when it has passed. */
int moment_left(int64_t moment);

/*
 * Fill *error. What comes from a peer or the system may be part of the text:
 * octets that could steer a terminal become '?'.
 */
__attribute__((format(printf, 3, 4))) void connect_error_set(struct mupdate_connect_error *error,
                                                             enum mupdate_connect_kind kind,
                                                             const char *format, ...);

enum connect_link_state {
    CONNECT_LINK_OPEN,
    CONNECT_LINK_DEAF,   /* the peer takes no more bytes; what it said before can still be read */
    CONNECT_LINK_CLOSED, /* the socket has nothing more; layers may still hold some */
    CONNECT_LINK_FAILED, /* a layer broke: layer_stack_error() */
};

struct connect_link {
    int fd;
    enum connect_link_state state;
    int cause;                     /* errno of the failure; 0: the peer closed */
    struct mupdate_client *client; /* not owned */
    struct layer_stack stack;
    struct buffer up;   /* on the way from the layers to the session */
    struct buffer down; /* on the way from the layers to the socket */
    char peer[256];     /* for error texts: "host:port" */
};

/* Takes fd, which must be non-blocking, from the caller. */
void connect_link_init(struct connect_link *link, int fd, struct mupdate_client *client,
                       const char *peer);

/* Closes the socket and frees the layers. */
void connect_link_close(struct connect_link *link);

/*
 * Send what the session has to send and get its next event, waiting until the
 * moment at most. Returns 1 with *event filled, 0 when time ran out, -1 with *error filled.
 */
int connect_link_next(struct connect_link *link, struct mupdate_client_event *event, int64_t until,
                      struct mupdate_connect_error *error);

/*
 * Move bytes once, in whatever direction is possible: for a handshake, in
 * which the session has no part. Returns 1 when something moved, 0 when time
 * ran out, -1 with *error filled.
 */
int connect_link_move(struct connect_link *link, int64_t until,
                      struct mupdate_connect_error *error);

/* Write as much as the socket takes without waiting. False with *error filled. */
bool connect_link_flush(struct connect_link *link, struct mupdate_connect_error *error);

/* Fill *error with why the link is of no more use. */
void connect_link_lost(const struct connect_link *link, struct mupdate_connect_error *error);

#endif
