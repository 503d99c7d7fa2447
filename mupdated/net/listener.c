/* SPDX-License-Identifier: BSD-3-Clause */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sysexits.h>
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

/* Room for "HOST port N" or a path. */
#define PLACE_BYTES (CONFIG_LISTEN_HOST_BYTES + 16)

struct listener {
    union {
        uv_handle_t handle;
        uv_stream_t stream;
        uv_tcp_t tcp;
        uv_pipe_t pipe;
    } socket;
    struct listener *next;
    struct master *master;
    bool tls;   /* its connections begin with TLS */
    bool held;  /* a connection waits to be accepted */
    char *path; /* of a UNIX socket, NULL for TCP */
    bool optional; /* IPv6 of "all addresses", which a host may not have */
    char place[PLACE_BYTES];
    char local[CONNECTION_ADDRESS_BYTES]; /* the address of all that it accepts; "": of any */
};

static void on_connection(uv_stream_t *stream, int status)
{
    struct listener *listener = stream->data;

    if (status < 0)
        log_error("cannot take a connection: %s", uv_strerror(status));
    else
        listener->held =
            !connection_accept(listener->master, stream, listener->local, listener->tls);
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

/* What is wrong, or NULL. */
static const char *explain(int error)
{
    if (error == UV_EADDRINUSE)
        return "the address is in use; does another master, perhaps Cyrus's mupdate, run here?";
    if (error == UV_EACCES)
        return "permission denied";
    return error == 0 ? NULL : uv_strerror(error);
}

/* fd is a socket that is bound already, or -1. */
static const char *bind_tcp(struct listener *listener, const struct sockaddr *address, int fd)
{
    int error = uv_tcp_init(listener->master->loop, &listener->socket.tcp);

    if (error == 0 && fd >= 0)
        error = uv_tcp_open(&listener->socket.tcp, fd);
    else if (error == 0)
        error = uv_tcp_bind(&listener->socket.tcp, address,
                            address->sa_family == AF_INET6 ? UV_TCP_IPV6ONLY : 0);
    if (error == 0)
        error = set_options(listener);
    if (error == 0)
        learn_local(listener);
    return explain(error);
}

/* fd as above; whoever made that socket says who may use it, and removes it. */
static const char *bind_unix(struct listener *listener, int fd)
{
    int error = uv_pipe_init(listener->master->loop, &listener->socket.pipe, 0);
    const char *wrong;

    if (error == 0 && fd >= 0)
        return explain(uv_pipe_open(&listener->socket.pipe, fd));
    wrong = unix_socket_make_way(listener->path);
    if (wrong)
        return wrong;
    if (error == 0)
        error = uv_pipe_bind(&listener->socket.pipe, listener->path);
    if (error == 0 && chmod(listener->path, 0660) != 0)
        return strerror(errno);
    return explain(error);
}

/* What messages call it. */
static void format_place(const struct config_listen *at, char *place)
{
    if (at->kind == CONFIG_LISTEN_UNIX)
        snprintf(place, PLACE_BYTES, "%s", at->path);
    else
        snprintf(place, PLACE_BYTES, "%s port %u", at->host[0] ? at->host : "*", at->port);
}

/* What is wrong, or NULL. */
static const char *add(struct master *master, const struct config_listen *at,
                       const struct sockaddr *address)
{
    bool is_unix = at->kind == CONFIG_LISTEN_UNIX;
    struct listener *listener;
    const char *wrong;
    int fd = -1;

    if (handed_claim(&master->net.handed, address, &fd) == HANDED_COVERED)
        return NULL;
    listener = calloc(1, sizeof *listener);
    if (!listener)
        return "out of memory";
    listener->master = master;
    listener->tls = at->tls;
    listener->optional = !at->host[0] && address->sa_family == AF_INET6;
    if (is_unix) {
        listener->path = strdup(at->path);
        if (!listener->path) {
            free(listener);
            return "out of memory";
        }
    }
    format_place(at, listener->place);
    wrong = is_unix ? bind_unix(listener, fd) : bind_tcp(listener, address, fd);
    listener->socket.handle.data = listener;
    if (wrong) {
        uv_close(&listener->socket.handle, on_closed);
        return wrong;
    }
    listener->next = master->net.listeners;
    master->net.listeners = listener;
    return NULL;
}

/* True when it does not matter. */
static bool complain(const char *place, bool optional, const char *wrong)
{
    /* "All addresses" on a host without IPv6 means those of IPv4. */
    if (optional)
        log_notice("not listening on IPv6 of %s: %s", place, wrong);
    else
        log_error("cannot listen on %s: %s", place, wrong);
    return optional;
}

static bool add_tcp(struct master *master, const struct config_listen *at, const char *place)
{
    struct addrinfo hints = {.ai_family = AF_UNSPEC,
                             .ai_socktype = SOCK_STREAM,
                             .ai_flags = AI_PASSIVE | AI_NUMERICSERV};
    uv_getaddrinfo_t request;
    char port[8];
    bool good = true;
    int error;

    snprintf(port, sizeof port, "%u", at->port);
    error = uv_getaddrinfo(master->loop, &request, NULL, at->host[0] ? at->host : NULL, port,
                           &hints);
    if (error != 0) {
        log_error("cannot listen on %s: %s; correct the key listen", place, uv_strerror(error));
        return false;
    }
    for (struct addrinfo *address = request.addrinfo; address; address = address->ai_next) {
        const char *wrong = add(master, at, address->ai_addr);
        bool optional = !at->host[0] && address->ai_family == AF_INET6;

        if (wrong)
            good &= complain(place, optional, wrong);
    }
    uv_freeaddrinfo(request.addrinfo);
    return good;
}

static bool add_unix(struct master *master, const struct config_listen *at, const char *place)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    const char *wrong;

    strcpy(address.sun_path, at->path);
    wrong = add(master, at, (const struct sockaddr *)&address);
    return !wrong || complain(place, false, wrong);
}

/* Bind what the configuration says of one kind. */
static bool bind_kind(struct master *master, const struct config *config,
                      enum config_listen_kind kind)
{
    for (size_t i = 0; i < config->listen.count; i++) {
        const char *word = config->listen.items[i];
        struct config_listen at;
        char place[PLACE_BYTES];
        const char *wrong;

        /* The reader has put the default port into every word. */
        if (!config_listen_parse(word, 3905, &at, &wrong))
            return complain(word, false, wrong);
        if (at.kind != kind)
            continue;
        format_place(&at, place);
        if (!(kind == CONFIG_LISTEN_TCP ? add_tcp : add_unix)(master, &at, place))
            return false;
    }
    return true;
}

int net_bind(struct net *net, struct master *master, const struct config *config)
{
    int code = handed_take(&net->handed);

    if (code != EX_OK)
        return code;
    return bind_kind(master, config, CONFIG_LISTEN_TCP) ? EX_OK : EX_UNAVAILABLE;
}

int net_listen(struct net *net, struct master *master, const struct config *config)
{
    struct listener **at = &net->listeners;

    if (!bind_kind(master, config, CONFIG_LISTEN_UNIX))
        return EX_UNAVAILABLE;
    if (!handed_is_used_up(&net->handed))
        return EX_CONFIG;
    while (*at) {
        struct listener *listener = *at;
        /* Whether another one has the address shows here only. */
        const char *wrong = explain(uv_listen(&listener->socket.stream, BACKLOG, on_connection));

        if (!wrong) {
            at = &listener->next;
            continue;
        }
        if (!complain(listener->place, listener->optional, wrong))
            return EX_UNAVAILABLE;
        *at = listener->next;
        uv_close(&listener->socket.handle, on_closed);
    }
    for (size_t i = 0; i < config->listen.count; i++)
        log_info("listening: address=%s", config->listen.items[i]);
    return EX_OK;
}

void net_stop_listening(struct net *net)
{
    while (net->listeners) {
        struct listener *listener = net->listeners;

        net->listeners = listener->next;
        uv_close(&listener->socket.handle, on_closed);
    }
}
