/* SPDX-License-Identifier: BSD-3-Clause */
#include "mupdated/net/connection.h"

#include <arpa/inet.h>
#include <stdlib.h>
#include <string.h>

#include "mupdated/log.h"
#include "mupdated/net/secure.h"
#include "mupdated/reserve.h"

/* States only ever go on; any may be left out. */
bool connection_move(struct connection *connection, enum connection_state state)
{
    if (state <= connection->state)
        return false;
    connection->state = state;
    connection->state_ms = uv_now(connection->master->loop);
    return true;
}

/* The host's text, and the port; false when it is no address of IP. */
static bool read_address(const struct sockaddr_storage *address, char *host, size_t size,
                         unsigned *port)
{
    if (address->ss_family == AF_INET) {
        const struct sockaddr_in *in = (const struct sockaddr_in *)address;

        *port = ntohs(in->sin_port);
        return uv_ip4_name(in, host, size) == 0;
    }
    if (address->ss_family == AF_INET6) {
        const struct sockaddr_in6 *in = (const struct sockaddr_in6 *)address;

        *port = ntohs(in->sin6_port);
        return uv_ip6_name(in, host, size) == 0;
    }
    return false;
}

void connection_format_address(const struct sockaddr_storage *address, char *text, size_t size)
{
    char host[INET6_ADDRSTRLEN + 1];
    unsigned port;

    text[0] = '\0';
    if (read_address(address, host, sizeof host, &port))
        snprintf(text, size, "%s;%u", host, port);
}

/* A socket that was handed down may take IPv4 too, and then calls 192.0.2.1 ::ffff:192.0.2.1. */
static void unmap(struct sockaddr_storage *address)
{
    struct sockaddr_in *in = (struct sockaddr_in *)address;
    struct sockaddr_in6 in6;

    if (address->ss_family != AF_INET6)
        return;
    in6 = *(const struct sockaddr_in6 *)address;
    if (!IN6_IS_ADDR_V4MAPPED(&in6.sin6_addr))
        return;
    in->sin_family = AF_INET;
    in->sin_port = in6.sin6_port;
    memcpy(&in->sin_addr, &in6.sin6_addr.s6_addr[12], sizeof in->sin_addr);
}

/* *remote is the client's address, of the kind AF_UNSPEC when it is gone already. */
static void learn_addresses(struct connection *connection, const char *local,
                            struct sockaddr_storage *remote)
{
    struct sockaddr_storage address;
    char host[INET6_ADDRSTRLEN + 1];
    unsigned port;
    int len = sizeof *remote;

    remote->ss_family = AF_UNSPEC;
    if (uv_tcp_getpeername(&connection->socket.tcp, (struct sockaddr *)remote, &len) == 0) {
        unmap(remote);
        if (read_address(remote, host, sizeof host, &port)) {
            snprintf(connection->remote, sizeof connection->remote, "%s;%u", host, port);
            snprintf(connection->peer, sizeof connection->peer, "[%s] port=%u", host, port);
        }
    }
    len = sizeof address;
    if (local[0]) {
        strcpy(connection->local, local);
    } else if (uv_tcp_getsockname(&connection->socket.tcp, (struct sockaddr *)&address, &len) ==
               0) {
        unmap(&address);
        connection_format_address(&address, connection->local, sizeof connection->local);
    }
}

static void subscription_ends(struct connection *connection)
{
    if (!connection->subscription)
        return;
    subscription_close(connection->subscription);
    free(connection->subscription);
    connection->subscription = NULL;
}

void connection_listing_ends(struct connection *connection)
{
    if (!connection->listing)
        return;
    dump_end(&connection->listing->dump);
    walk_close(&connection->listing->walk);
    buffer_free(&connection->listing->prefix);
    free(connection->listing);
    connection->listing = NULL;
}

static void unlink_due(struct connection *connection)
{
    struct due_queue *queue = connection->due;
    struct connection **at;
    struct connection *before = NULL;

    if (!queue)
        return;
    for (at = &queue->first; *at != connection; at = &before->due_next)
        before = *at;
    *at = connection->due_next;
    if (queue->last == connection)
        queue->last = before;
    connection->due = NULL;
}

bool connection_shakes_hands(const struct connection *connection)
{
    const struct layer *tls = layer_stack_get(&connection->layers, LAYER_TLS);

    return tls && !tls_layer_established(tls);
}

void connection_release(struct connection *connection)
{
    struct net *net = &connection->master->net;

    if (!connection->socket_closed || connection->stores > 0)
        return;
    if (connection->next)
        connection->next->previous = connection->previous;
    if (connection->previous)
        connection->previous->next = connection->next;
    else
        net->connections = connection->next;
    net->count--;
    audit_refusals_end(connection);
    mupdate_server_free(connection->session);
    layer_stack_close(&connection->layers);
    buffer_free(&connection->unread);
    buffer_free(&connection->plain);
    buffer_free(&connection->raw);
    buffer_free(&connection->writing);
    free(connection->user);
    free(connection->external);
    free(connection->authenticated);
    net_free_connection(net, connection);
    net_take_held(net);
}

static void on_closed(uv_handle_t *handle)
{
    struct connection *connection = handle->data;

    connection->socket_closed = true;
    connection_release(connection);
}

static void log_end(struct connection *connection, const char *reason)
{
    const char *user = connection->user;
    char more[48] = "";
    size_t unlogged;

    if (!user && !admission_logs_end(connection, &unlogged))
        return;
    if (!user && unlogged > 0)
        snprintf(more, sizeof more, " unlogged=%zu", unlogged);
    log_info("closed: %s user=%s reason=%s%s", connection->peer,
             user ? LOG_VALUE(user, strlen(user)) : "-", LOG_VALUE(reason, strlen(reason)), more);
}

/* Who makes the master compute, and hangs up before the end, has failed too. */
static void exchange_ends(struct connection *connection)
{
    if (!connection->auth)
        return;
    if (connection->from)
        peers_failed(connection->from, uv_now(connection->master->loop));
    auth_exchange_close(connection->auth);
    connection->auth = NULL;
}

void connection_close(struct connection *connection, const char *reason)
{
    if (!connection_move(connection, CONNECTION_CLOSED))
        return;
    log_end(connection, reason);
    unlink_due(connection);
    connection_wake_never(connection);
    exchange_ends(connection);
    admission_leave(connection);
    subscription_ends(connection);
    connection_listing_ends(connection);
    uv_close(&connection->socket.handle, on_closed);
}

void connection_drain(struct connection *connection, const char *reason)
{
    if (!connection_move(connection, CONNECTION_DRAINING))
        return;
    connection->reason = reason;
    exchange_ends(connection);
    subscription_ends(connection);
    connection_listing_ends(connection);
    connection_schedule(connection);
}

void connection_quiet(struct connection *connection)
{
    if (!connection_move(connection, CONNECTION_QUIET))
        return;
    uv_read_stop(&connection->socket.stream);
    connection->reading = false;
}

bool connection_learn_rights(struct connection *connection)
{
    rights_of(connection->master->config, connection->user,
              connection->authenticated ? connection->authenticated : connection->user,
              &connection->rights);
    return connection->rights.role != CONFIG_ROLE_NONE;
}

/* --- accepting --- */

/* What a connection takes in memory: while it logs in, and most of them later. */
#define CONNECTION_BYTES 65536

void connection_endpoint(struct connection *connection, struct sasl_endpoint *endpoint)
{
    static unsigned char binding[256];
    const struct config *config = connection->master->config;
    struct layer *tls = layer_stack_get(&connection->layers, LAYER_TLS);

    *endpoint = (struct sasl_endpoint){
        .hostname = connection->master->servername,
        .local = connection->local[0] ? connection->local : NULL,
        .remote = connection->remote[0] ? connection->remote : NULL,
        .plaintext = config->allowplaintext || tls,
        .minimum_bits = (unsigned)config->sasl_minimum_layer,
        .maximum_bits = (unsigned)config->sasl_maximum_layer,
    };
    if (tls) {
        endpoint->external_bits = tls_layer_bits(tls);
        endpoint->binding_len =
            tls_layer_binding(tls, binding, sizeof binding, &endpoint->binding_name);
        endpoint->binding = binding;
        endpoint->external_id = connection->external;
    }
}

void connection_banner(struct connection *connection)
{
    struct master *master = connection->master;
    bool is_tls = layer_stack_get(&connection->layers, LAYER_TLS) != NULL;
    struct sasl_endpoint endpoint;
    struct mupdate_server_banner banner = {
        .starttls = master->tls && master->config->allowstarttls && !is_tls,
        .compress = true,
        .hostname = master->servername,
        .implementation = "mupdated",
        .version = MUPDATED_VERSION,
        .role = "(master)",
    };

    if (is_tls || !master->config->tls_required) {
        connection_endpoint(connection, &endpoint);
        banner.mechanism_count = auth_mechanisms(master->auth, &endpoint, &banner.mechanisms);
    }
    mupdate_server_banner(connection->session, &banner);
}

static void limits_of(const struct config *config, struct mupdate_server_limits *limits)
{
    mupdate_server_limits_default(limits);
    limits->tag_bytes = config->tag_bytes;
    limits->line_bytes = config->line_bytes;
    limits->literal_bytes = config->literal_bytes;
    limits->commands_in_flight = config->commands_in_flight;
    limits->output_bytes = config->output_bytes;
}

/*
 * It is told why, as far as its socket takes that at once, and closed. Who expects TLS would
 * not understand it.
 */
static void refuse(struct connection *connection, const char *reason, bool tls)
{
    char line[128];
    uv_buf_t buf = uv_buf_init(line, (unsigned)snprintf(line, sizeof line, "* BYE \"%s\"\r\n",
                                                        reason));

    if (!tls)
        (void)uv_try_write(&connection->socket.stream, &buf, 1);
    admission_leave(connection);
    connection_move(connection, CONNECTION_CLOSED);
    uv_close(&connection->socket.handle, on_closed);
}

bool connection_accept(struct master *master, uv_stream_t *listening, const char *local, bool tls)
{
    bool is_unix = listening->type == UV_NAMED_PIPE;
    struct net *net = &master->net;
    struct connection *connection;
    struct mupdate_server_limits limits;
    struct sockaddr_storage remote;
    const char *refused;
    int error;

    /* Descriptors must be left for the database, the password checks and operators. */
    if (!admission_has_room(&net->admission, master->config, net->count))
        return false;
    connection = net_new_connection(net);
    if (!connection)
        return false;
    connection->master = master;
    connection->plain.secret = true;
    layer_stack_init(&connection->layers);
    if (is_unix)
        error = uv_pipe_init(master->loop, &connection->socket.pipe, 0);
    else
        error = uv_tcp_init(master->loop, &connection->socket.tcp);
    if (error != 0) {
        log_error("cannot take a connection: %s", uv_strerror(error));
        net_free_connection(net, connection);
        return false;
    }
    connection->socket.handle.data = connection;
    connection->next = net->connections;
    if (net->connections)
        net->connections->previous = connection;
    net->connections = connection;
    net->count++;
    if (net->count > net->peak)
        net->peak = net->count;
    connection->number = ++master->counters.accepted;
    connection->opened_ms = connection->input_ms = uv_now(master->loop);
    strcpy(connection->peer, "?");

    error = uv_accept(listening, &connection->socket.stream);
    if (error != 0) {
        connection_close(connection, uv_strerror(error));
        return true;
    }
    if (is_unix)
        strcpy(connection->peer, "unix");
    else
        learn_addresses(connection, local, &remote);
    log_debug("connected: %s", connection->peer);

    refused = connection == net->spare || !reserve_allows(CONNECTION_BYTES)
                  ? admission_refuse(connection, COUNTERS_REFUSED_MEMORY, 0)
                  : admission_enter(connection, is_unix ? NULL : &remote);
    if (!refused) {
        limits_of(master->config, &limits);
        connection->session = mupdate_server_new(&limits);
        if (!connection->session)
            refused = admission_refuse(connection, COUNTERS_REFUSED_MEMORY, 0);
    }
    if (refused) {
        refuse(connection, refused, tls);
        return true;
    }
    if (tls && !mupdate_server_start_tls(connection->session)) {
        connection_close(connection, "TLS cannot start");
        return true;
    }
    if (!tls) {
        connection_banner(connection);
    } else if (!secure_start(connection)) {
        connection_close(connection, "TLS cannot start");
        return true;
    }
    connection_run(connection);
    return true;
}
