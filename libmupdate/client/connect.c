/* SPDX-License-Identifier: BSD-3-Clause */
#include <mupdate/connect.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "client/connect_steps.h"
#include "layer/deflate.h"

enum {
    DEFAULT_TIMEOUT_MS = 30000,
    GOODBYE_MS = 1000, /* how long the end waits for the answer to LOGOUT */
};

struct mupdate_connection {
    struct mupdate_client *client;
    struct connect_link link;
};

int connect_text_len(struct mupdate_text text)
{
    return text.len > 160 ? 160 : (int)text.len;
}

const char *connect_text(struct mupdate_text text)
{
    return text.len ? text.data : "";
}

const char *connect_server_name(const struct connect_attempt *attempt)
{
    const struct mupdate_client_banner *banner = mupdate_client_banner(attempt->link->client);
    const char *path;

    if (!connect_host_is_unix(attempt->options->host, &path))
        return attempt->options->host;
    return banner->hostname && *banner->hostname ? banner->hostname : "localhost";
}

static bool await(const struct connect_attempt *attempt, struct mupdate_client_event *event,
                  const char *what, const char *hint)
{
    const char *peer = attempt->link->peer;
    int got =
        connect_link_next(attempt->link, event, moment_after(attempt->timeout_ms), attempt->error);

    if (got < 0)
        return false;
    if (got == 0) {
        connect_error_set(
            attempt->error, MUPDATE_CONNECT_TIMEOUT,
            "%s did not send %s within %d ms; is it a MUPDATE server, and not overloaded?%s", peer,
            what, attempt->timeout_ms, hint);
        return false;
    }
    if (event->type == MUPDATE_CLIENT_GOODBYE ||
        (event->type == MUPDATE_CLIENT_DONE && event->reply == MUPDATE_BYE)) {
        connect_error_set(attempt->error, MUPDATE_CONNECT_UNREACHABLE,
                          "%s does not serve this client: %.*s", peer,
                          connect_text_len(event->text), connect_text(event->text));
        return false;
    }
    return true;
}

bool connect_await(const struct connect_attempt *attempt, struct mupdate_client_event *event,
                   const char *what)
{
    return await(attempt, event, what, "");
}

bool connect_await_done(const struct connect_attempt *attempt, uint64_t command,
                        struct mupdate_client_event *event, const char *what)
{
    if (!command) {
        connect_error_set(attempt->error, MUPDATE_CONNECT_MEMORY,
                          "out of memory while connecting to %s", attempt->link->peer);
        return false;
    }
    do {
        if (!connect_await(attempt, event, what))
            return false;
    } while (event->type != MUPDATE_CLIENT_DONE || event->command != command);
    return true;
}

bool connect_await_banner(const struct connect_attempt *attempt)
{
    struct mupdate_client_event event;

    const char *path;
    const char *hint = "";

    /* Who does not begin with TLS where that comes first waits for the server, as it for him. */
    if (!layer_stack_get(&attempt->link->stack, LAYER_TLS) &&
        !connect_host_is_unix(attempt->options->host, &path))
        hint = " Or does this port begin with TLS? Then it is HOST:PORT/tls";
    do {
        if (!await(attempt, &event, "its banner", hint))
            return false;
    } while (event.type != MUPDATE_CLIENT_BANNER);
    return true;
}

/* Compression saves time, it is no condition: what the server does not want is left out. */
bool connect_compress(const struct connect_attempt *attempt)
{
    struct mupdate_client_event event;
    struct layer *layer;

    if (!attempt->options->compress ||
        !mupdate_client_banner(attempt->link->client)->compress_deflate)
        return true;
    if (!connect_await_done(attempt, mupdate_client_compress(attempt->link->client), &event,
                            "an answer to COMPRESS"))
        return false;
    if (event.reply != MUPDATE_OK)
        return true;
    layer = deflate_layer_new();
    if (!layer || !layer_stack_push(&attempt->link->stack, layer)) {
        if (layer)
            layer->ops->free(layer);
        connect_error_set(attempt->error, MUPDATE_CONNECT_MEMORY,
                          "out of memory while starting DEFLATE");
        return false;
    }
    return true;
}

/* "host:port", "[::1]:port" or "unix:/path". */
static void name_peer(const struct mupdate_connect_options *options, char *peer, size_t size)
{
    const char *port = options->port ? options->port : MUPDATE_DEFAULT_PORT;
    const char *path;

    if (connect_host_is_unix(options->host, &path))
        snprintf(peer, size, "%s", options->host);
    else if (strchr(options->host, ':'))
        snprintf(peer, size, "[%s]:%s", options->host, port);
    else
        snprintf(peer, size, "%s:%s", options->host, port);
}

struct mupdate_connection *mupdate_connect(const struct mupdate_connect_options *options,
                                           struct mupdate_connect_error *error)
{
    struct mupdate_connection *connection;
    struct connect_attempt attempt = {
        .options = options,
        .error = error,
        .timeout_ms = options->timeout_ms ? options->timeout_ms : DEFAULT_TIMEOUT_MS,
    };
    char peer[256];
    const char *path;
    int fd;

    connect_error_set(error, MUPDATE_CONNECT_OK, "%s", "");
    if (!options->host || !*options->host) {
        connect_error_set(error, MUPDATE_CONNECT_USAGE, "no host is given to connect to");
        return NULL;
    }
    if (options->tls == MUPDATE_TLS_FIRST && connect_host_is_unix(options->host, &path)) {
        connect_error_set(error, MUPDATE_CONNECT_USAGE,
                          "%s: a local socket does not begin with TLS", options->host);
        return NULL;
    }
    name_peer(options, peer, sizeof peer);
    fd = connect_socket(options, attempt.timeout_ms, peer, error);
    if (fd < 0)
        return NULL;

    connection = calloc(1, sizeof *connection);
    if (connection)
        connection->client = mupdate_client_new(NULL);
    if (!connection || !connection->client) {
        connect_error_set(error, MUPDATE_CONNECT_MEMORY, "out of memory while connecting to %s",
                          peer);
        free(connection);
        close(fd);
        return NULL;
    }
    connect_link_init(&connection->link, fd, connection->client, peer);
    attempt.link = &connection->link;
    if (!connect_begin(&attempt) || !connect_starttls(&attempt) ||
        !connect_authenticate(&attempt) || !connect_compress(&attempt)) {
        connect_link_close(&connection->link);
        mupdate_client_free(connection->client);
        free(connection);
        return NULL;
    }
    return connection;
}

/* Wait for the BYE: a socket closed with bytes unread resets, and the LOGOUT could be lost. */
static void say_goodbye(struct connect_link *link)
{
    int64_t until = moment_after(GOODBYE_MS);
    struct mupdate_connect_error error;
    struct mupdate_client_event event;
    uint64_t logout = mupdate_client_logout(link->client);

    while (logout && connect_link_next(link, &event, until, &error) > 0)
        if (event.type == MUPDATE_CLIENT_GOODBYE ||
            (event.type == MUPDATE_CLIENT_DONE && event.command == logout))
            break;
    if (link->state == CONNECT_LINK_OPEN) {
        layer_stack_finish(&link->stack, &link->down);
        (void)connect_link_flush(link, &error);
    }
}

void mupdate_connection_close(struct mupdate_connection *connection)
{
    if (!connection)
        return;
    if (connection->link.state == CONNECT_LINK_OPEN)
        say_goodbye(&connection->link);
    connect_link_close(&connection->link);
    mupdate_client_free(connection->client);
    free(connection);
}

struct mupdate_client *mupdate_connection_client(struct mupdate_connection *connection)
{
    return connection->client;
}

int mupdate_connection_next(struct mupdate_connection *connection,
                            struct mupdate_client_event *event, int timeout_ms,
                            struct mupdate_connect_error *error)
{
    return connect_link_next(&connection->link, event, moment_after(timeout_ms), error);
}

int mupdate_connection_fd(const struct mupdate_connection *connection)
{
    return connection->link.fd;
}
