/*
 * The steps of mupdate_connect(), in their order. Each waits timeout_ms at
 * most and returns false (or -1) with *error filled.
 *
 * SPDX-License-Identifier: BSD-3-Clause
 */
#ifndef CLIENT_CONNECT_STEPS_H
#define CLIENT_CONNECT_STEPS_H

#include "client/connect_link.h"

#define MUPDATE_DEFAULT_PORT "3905"

/* What every step needs. */
struct connect_attempt {
    const struct mupdate_connect_options *options;
    struct connect_link *link;
    struct mupdate_connect_error *error;
    int timeout_ms;
};

/* A text of the server for "%.*s" in an error: a length that leaves room for the rest. */
int connect_text_len(struct mupdate_text text);
const char *connect_text(struct mupdate_text text);

/* True when the host is "unix:/path"; *path is then the path. */
bool connect_host_is_unix(const char *host, const char **path);

/*
 * What the server is called by its certificate and by SASL: the host that was
 * asked for. Nobody can stand between the two ends of a local socket, so there
 * the server may say its name itself.
 */
const char *connect_server_name(const struct connect_attempt *attempt);

/*
 * A connected, non-blocking, close-on-exec socket: every address of the host
 * is tried in turn. -1 with *error filled. peer is how error texts call it.
 */
int connect_socket(const struct mupdate_connect_options *options, int timeout_ms, const char *peer,
                   struct mupdate_connect_error *error);

/*
 * The next event within timeout_ms. what says what is waited for ("its
 * banner"), for the error texts. An untagged BYE is an error here.
 */
bool connect_await(const struct connect_attempt *attempt, struct mupdate_client_event *event,
                   const char *what);

/* The end of a command within timeout_ms. */
bool connect_await_done(const struct connect_attempt *attempt, uint64_t command,
                        struct mupdate_client_event *event, const char *what);

bool connect_await_banner(const struct connect_attempt *attempt);

/* What a connection begins with: the banner, after a handshake where TLS comes first. */
bool connect_begin(const struct connect_attempt *attempt);

/* STARTTLS, the handshake, and the banner that follows it, as the options ask. */
bool connect_starttls(const struct connect_attempt *attempt);

/* SASL: choose a mechanism, authenticate, start its security layer. */
bool connect_authenticate(const struct connect_attempt *attempt);

/* COMPRESS, when the options ask for it and the server offers it. */
bool connect_compress(const struct connect_attempt *attempt);

#endif
