/* SPDX-License-Identifier: BSD-3-Clause */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "mupdated/config_listen.h"
#include "mupdated/log.h"
#include "mupdated/net/connection.h"
#include "mupdated/net/net.h"
#include "mupdated/net/unix_socket.h"

/* The kernel cuts it to net.core.somaxconn; every change is a connection. */
#define BACKLOG 4096

/* How long a connection is silent before the peer's kernel is asked whether it is there. */
#define KEEPALIVE_SECONDS 300

struct listener {
    union {
        uv_handle_t handle;
        uv_stream_t stream;
        uv_tcp_t tcp;
        uv_pipe_t pipe;
    } socket;
    struct listener *next;
    struct master *master;
    bool held;  /* a connection waits to be accepted */
    char *path; /* of a UNIX socket, NULL for TCP */
    char local[CONNECTION_ADDRESS_BYTES]; /* the address of all that it accepts; "": of any */
};

static void on_connection(uv_stream_t *stream, int status)
{
    struct listener *listener = stream->data;

    if (status < 0)
        log_error("cannot take a connection: %s", uv_strerror(status));
    else
        listener->held = !connection_accept(listener->master, stream, listener->local);
}

void net_take_held(struct net *net)
{
    for (struct listener *at = net->listeners; at; at = at->next)
        if (at->held)
            on_connection(&at->socket.stream, 0);
}

static void on_closed(uv_handle_t *handle)
{
    struct listener *listener = handle->data;

    free(listener->path);
    free(listener);
}

/*
 * Linux hands these options down to what the socket accepts, so they need not be
 * set for each connection.
 */
static int set_options(struct listener *listener)
{
    int error = uv_tcp_nodelay(&listener->socket.tcp, 1);

    return error == 0 ? uv_tcp_keepalive(&listener->socket.tcp, 1, KEEPALIVE_SECONDS) : error;
}

static bool is_any(const struct sockaddr *address)
{
    if (address->sa_family == AF_INET)
        return ((const struct sockaddr_in *)address)->sin_addr.s_addr == htonl(INADDR_ANY);
    return address->sa_family != AF_INET6 ||
           IN6_IS_ADDR_UNSPECIFIED(&((const struct sockaddr_in6 *)address)->sin6_addr);
}

/* Where all connections have the listener's address it is asked for once. */
static void learn_local(struct listener *listener)
{
    struct sockaddr_storage address;
    int len = sizeof address;

    if (uv_tcp_getsockname(&listener->socket.tcp, (struct sockaddr *)&address, &len) == 0 &&
        !is_any((const struct sockaddr *)&address))
        connection_format_address(&address, listener->local, sizeof listener->local);
}

/* fails with what is wrong, NULL otherwise */
static const char *bind_and_listen(struct listener *listener, const struct sockaddr *address)
{
    int error;

    if (listener->path) {
        const char *wrong = unix_socket_make_way(listener->path);

        if (wrong)
            return wrong;
        error = uv_pipe_bind(&listener->socket.pipe, listener->path);
    } else {
        error = uv_tcp_bind(&listener->socket.tcp, address,
                            address->sa_family == AF_INET6 ? UV_TCP_IPV6ONLY : 0);
    }
    if (error == 0 && listener->path && chmod(listener->path, 0660) != 0)
        return strerror(errno);
    if (error == 0 && !listener->path && (error = set_options(listener)) == 0)
        learn_local(listener);
    if (error == 0)
        error = uv_listen(&listener->socket.stream, BACKLOG, on_connection);
    if (error == UV_EADDRINUSE)
        return "the address is in use; does another master, perhaps Cyrus's mupdate, run here?";
    if (error == UV_EACCES)
        return "permission denied";
    return error == 0 ? NULL : uv_strerror(error);
}

static const char *add(struct master *master, const struct sockaddr *address, const char *path)
{
    struct listener *listener = calloc(1, sizeof *listener);
    const char *wrong;

    if (!listener)
        return "out of memory";
    listener->master = master;
    if (path) {
        listener->path = strdup(path);
        if (!listener->path) {
            free(listener);
            return "out of memory";
        }
        uv_pipe_init(master->loop, &listener->socket.pipe, 0);
    } else {
        uv_tcp_init(master->loop, &listener->socket.tcp);
    }
    listener->socket.handle.data = listener;
    wrong = bind_and_listen(listener, address);
    if (wrong) {
        uv_close(&listener->socket.handle, on_closed);
        return wrong;
    }
    listener->next = master->net.listeners;
    master->net.listeners = listener;
    return NULL;
}

static bool listen_tcp(struct master *master, const char *host, const char *port)
{
    struct addrinfo hints = {.ai_family = AF_UNSPEC,
                             .ai_socktype = SOCK_STREAM,
                             .ai_flags = AI_PASSIVE | AI_NUMERICSERV};
    uv_getaddrinfo_t request;
    bool any = false;
    bool good = true;
    int error =
        uv_getaddrinfo(master->loop, &request, NULL, host[0] ? host : NULL, port, &hints);

    if (error != 0) {
        log_error("cannot listen on %s port %s: %s; correct the key listen", host, port,
                  uv_strerror(error));
        return false;
    }
    for (struct addrinfo *at = request.addrinfo; at; at = at->ai_next) {
        const char *wrong = add(master, at->ai_addr, NULL);

        if (!wrong) {
            any = true;
        } else if (!host[0] && at->ai_family == AF_INET6) {
            /* "All addresses" on a host without IPv6 means those of IPv4. */
            log_notice("not listening on IPv6 port %s: %s", port, wrong);
        } else {
            log_error("cannot listen on %s port %s: %s", host[0] ? host : "*", port, wrong);
            good = false;
        }
    }
    uv_freeaddrinfo(request.addrinfo);
    return any && good;
}

bool net_listen(struct net *net, struct master *master, const struct config *config)
{
    (void)net;
    for (size_t i = 0; i < config->listen.count; i++) {
        const char *reason;
        struct config_listen at;
        char port[8];

        /* The reader has put the default port into every word. */
        if (!config_listen_parse(config->listen.items[i], 3905, &at, &reason)) {
            log_error("cannot listen: %s %s", config->listen.items[i], reason);
            return false;
        }
        if (at.kind == CONFIG_LISTEN_UNIX) {
            const char *wrong = add(master, NULL, at.path);

            if (wrong) {
                log_error("cannot listen on %s: %s", at.path, wrong);
                return false;
            }
        } else {
            snprintf(port, sizeof port, "%u", at.port);
            if (!listen_tcp(master, at.host, port))
                return false;
        }
        log_info("listening: address=%s", config->listen.items[i]);
    }
    return true;
}

void net_stop_listening(struct net *net)
{
    while (net->listeners) {
        struct listener *listener = net->listeners;

        net->listeners = listener->next;
        uv_close(&listener->socket.handle, on_closed);
    }
}
