/* SPDX-License-Identifier: BSD-3-Clause */
#include "mupdated/net/connection.h"

#include <arpa/inet.h>
#include <stdlib.h>
#include <string.h>

#include "mupdated/log.h"
#include "mupdated/net/commands.h"

/* What one read takes, and what the layers may put up at once. */
#define READ_BYTES 65536

/* No more is read while so much waits for the socket. */
#define RAW_BYTES (4 * READ_BYTES)

/* What is handed to the socket at once. */
#define WRITE_BYTES 65536

/* Commands taken in one slice, so that a pipelining client delays nobody else. */
#define SLICE_EVENTS 64

/* No command is taken while changes of this size wait for the writer: they are few then. */
#define STORE_BYTES 1048576

/* States only ever go on; any may be left out. */
static bool move_to(struct connection *connection, enum connection_state state)
{
    if (state <= connection->state)
        return false;
    connection->state = state;
    connection->state_ms = uv_now(connection->master->loop);
    return true;
}

/* --- life --- */

static void format_address(const struct sockaddr_storage *address, bool for_log, char *text,
                           size_t size)
{
    char host[INET6_ADDRSTRLEN + 1] = "?";
    unsigned port = 0;

    if (address->ss_family == AF_INET) {
        const struct sockaddr_in *in = (const struct sockaddr_in *)address;

        uv_ip4_name(in, host, sizeof host);
        port = ntohs(in->sin_port);
    } else if (address->ss_family == AF_INET6) {
        const struct sockaddr_in6 *in = (const struct sockaddr_in6 *)address;

        uv_ip6_name(in, host, sizeof host);
        port = ntohs(in->sin6_port);
    }
    if (for_log)
        snprintf(text, size, "[%s] port=%u", host, port);
    else
        snprintf(text, size, "%s;%u", host, port);
}

static void learn_peer(struct connection *connection, bool is_unix)
{
    struct sockaddr_storage address;
    int len = sizeof address;

    if (is_unix) {
        strcpy(connection->peer, "unix");
        return;
    }
    if (uv_tcp_getpeername(&connection->socket.tcp, (struct sockaddr *)&address, &len) == 0) {
        format_address(&address, false, connection->remote, sizeof connection->remote);
        format_address(&address, true, connection->peer, sizeof connection->peer);
    }
    len = sizeof address;
    if (uv_tcp_getsockname(&connection->socket.tcp, (struct sockaddr *)&address, &len) == 0)
        format_address(&address, false, connection->local, sizeof connection->local);
}

static void subscription_ends(struct connection *connection)
{
    if (!connection->subscription)
        return;
    subscription_close(connection->subscription);
    free(connection->subscription);
    connection->subscription = NULL;
}

static void listing_ends(struct connection *connection)
{
    if (!connection->listing)
        return;
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
    mupdate_server_free(connection->session);
    layer_stack_close(&connection->layers);
    buffer_free(&connection->plain);
    buffer_free(&connection->raw);
    buffer_free(&connection->writing);
    free(connection->user);
    free(connection->delayed_no);
    free(connection);
    net_take_held(net);
}

static void on_closed(uv_handle_t *handle)
{
    struct connection *connection = handle->data;

    connection->socket_closed = true;
    connection_release(connection);
}

void connection_close(struct connection *connection, const char *reason)
{
    if (!move_to(connection, CONNECTION_CLOSED))
        return;
    log_info("closed: %s user=%s reason=%s", connection->peer,
             connection->user ? LOG_VALUE(connection->user, strlen(connection->user)) : "-",
             LOG_VALUE(reason, strlen(reason)));
    unlink_due(connection);
    auth_exchange_close(connection->auth);
    connection->auth = NULL;
    subscription_ends(connection);
    listing_ends(connection);
    uv_close(&connection->socket.handle, on_closed);
}

/* --- sending --- */

static void on_written(uv_write_t *write, int status)
{
    struct connection *connection = write->data;

    connection->write_pending = false;
    buffer_clear(&connection->writing);
    if (connection->state == CONNECTION_CLOSED)
        return;
    /* Who goes on reading is given time. */
    if (connection->state == CONNECTION_DRAINING)
        connection->state_ms = uv_now(connection->master->loop);
    if (status < 0)
        connection_close(connection, uv_strerror(status));
    else
        connection_run(connection);
}

static bool has_layers(const struct connection *connection)
{
    for (size_t i = 0; i < LAYER_KINDS; i++)
        if (connection->layers.layers[i])
            return true;
    return false;
}

/* Up to limit bytes of the session's output go through the layers. */
static bool encode(struct connection *connection, size_t limit)
{
    const uint8_t *data;
    size_t len = mupdate_server_output(connection->session, &data);

    if (len > limit)
        len = limit;
    if (len == 0)
        return true;
    if (layer_stack_send(&connection->layers, data, len, &connection->raw) != LAYER_OK ||
        connection->raw.failed)
        return false;
    mupdate_server_sent(connection->session, len);
    return true;
}

bool connection_turn(struct connection *connection)
{
    bool encoded = encode(connection, SIZE_MAX);

    mupdate_server_discard_input(connection->session);
    buffer_clear(&connection->plain);
    return encoded;
}

static size_t try_write(struct connection *connection, const uint8_t *data, size_t len, int *error)
{
    uv_buf_t buf = uv_buf_init((char *)data, (unsigned)(len < WRITE_BYTES ? len : WRITE_BYTES));
    int written = uv_try_write(&connection->socket.stream, &buf, 1);

    *error = written < 0 && written != UV_EAGAIN ? written : 0;
    return written < 0 ? 0 : (size_t)written;
}

static int write_later(struct connection *connection)
{
    struct buffer sent = connection->writing; /* empty, but it may keep memory for the next */
    uv_buf_t buf;
    int error;

    connection->writing = connection->raw;
    connection->raw = sent;
    buf = uv_buf_init((char *)buffer_bytes(&connection->writing),
                      (unsigned)buffer_len(&connection->writing));
    connection->write.data = connection;
    error = uv_write(&connection->write, &connection->socket.stream, &buf, 1, on_written);
    connection->write_pending = error == 0;
    return error;
}

/*
 * Send what waits. What the socket does not take is handed to libuv, once: the
 * rest waits in the session, where it counts against its limits.
 */
static bool flush(struct connection *connection)
{
    const uint8_t *data;
    size_t len;
    int error = 0;

    while (!connection->write_pending) {
        if (buffer_len(&connection->raw) == 0 && !has_layers(connection)) {
            len = mupdate_server_output(connection->session, &data);
            if (len == 0)
                break;
            len = try_write(connection, data, len, &error);
            mupdate_server_sent(connection->session, len);
            if (len > 0 && error == 0)
                continue;
        } else if (buffer_len(&connection->raw) > 0) {
            len = try_write(connection, buffer_bytes(&connection->raw),
                            buffer_len(&connection->raw), &error);
            buffer_consume(&connection->raw, len);
            if (len > 0 && error == 0)
                continue;
        }
        if (error == 0 && buffer_len(&connection->raw) == 0) {
            if (!encode(connection, WRITE_BYTES)) {
                connection_close(connection, "sending failed");
                return false;
            }
            if (buffer_len(&connection->raw) == 0)
                break;
            if (has_layers(connection))
                continue;
        }
        if (error == 0)
            error = write_later(connection);
        if (error != 0) {
            connection_close(connection, uv_strerror(error));
            return false;
        }
    }
    return true;
}

/* What the layers have to say before the connection is cut off, as far as it can go at once. */
static void send_last_words(struct connection *connection)
{
    int error;

    if (!connection->write_pending && buffer_len(&connection->raw) > 0)
        (void)try_write(connection, buffer_bytes(&connection->raw), buffer_len(&connection->raw),
                        &error);
}

static bool all_sent(const struct connection *connection)
{
    const uint8_t *data;

    return !connection->write_pending && buffer_len(&connection->raw) == 0 &&
           mupdate_server_output(connection->session, &data) == 0;
}

void connection_drain(struct connection *connection, const char *reason)
{
    if (!move_to(connection, CONNECTION_DRAINING))
        return;
    connection->reason = reason;
    auth_exchange_close(connection->auth);
    connection->auth = NULL;
    subscription_ends(connection);
    listing_ends(connection);
    connection_schedule(connection);
}

void connection_quiet(struct connection *connection)
{
    if (!move_to(connection, CONNECTION_QUIET))
        return;
    uv_read_stop(&connection->socket.stream);
    connection->reading = false;
}

/* --- receiving --- */

static void on_alloc(uv_handle_t *handle, size_t suggested, uv_buf_t *buf)
{
    /* One buffer serves all: what was read is passed on before the next read. */
    static char bytes[READ_BYTES];

    (void)handle;
    (void)suggested;
    *buf = uv_buf_init(bytes, sizeof bytes);
}

static bool receive(struct connection *connection, const void *data, size_t len)
{
    struct layer *tls;

    switch (layer_stack_receive(&connection->layers, data, len, &connection->plain,
                                &connection->raw, READ_BYTES)) {
    case LAYER_OK:
        break;
    case LAYER_CLOSED:
        connection->peer_ended = true;
        break;
    case LAYER_FAILED:
        /* An alert that the layer wants to send may still go out. */
        send_last_words(connection);
        connection_close(connection, layer_stack_error(&connection->layers));
        return false;
    }
    if (connection->plain.failed || connection->raw.failed) {
        connection_close(connection, "out of memory");
        return false;
    }
    tls = layer_stack_get(&connection->layers, LAYER_TLS);
    if (tls && tls_layer_established(tls) &&
        mupdate_server_state(connection->session) == MUPDATE_SERVER_STATE_TLS)
        connection_banner(connection);
    return true;
}

static void on_read(uv_stream_t *stream, ssize_t nread, const uv_buf_t *buf)
{
    struct connection *connection = stream->data;

    if (nread == 0)
        return;
    if (nread < 0) {
        uv_read_stop(stream);
        connection->reading = false;
        if (nread != UV_EOF) {
            connection_close(connection, uv_strerror((int)nread));
            return;
        }
        connection->peer_ended = true;
    } else if (connection->state == CONNECTION_OPEN) {
        connection->input_ms = uv_now(connection->master->loop);
        if (!receive(connection, buf->base, (size_t)nread))
            return;
    }
    connection_run(connection);
}

static bool start_reading(struct connection *connection)
{
    if (!connection->reading &&
        uv_read_start(&connection->socket.stream, on_alloc, on_read) != 0)
        return false;
    connection->reading = true;
    return true;
}

/* Reading stops while what came cannot be taken, so that it waits at the client. */
static bool choose_reading(struct connection *connection)
{
    /* The layers answer too (a change of TLS keys): to a client that does not read, not for ever. */
    bool wanted = !connection->peer_ended && buffer_len(&connection->plain) == 0 &&
                  !layer_stack_pending(&connection->layers) &&
                  buffer_len(&connection->raw) + buffer_len(&connection->writing) < RAW_BYTES;

    if (wanted)
        return start_reading(connection);
    uv_read_stop(&connection->socket.stream);
    connection->reading = false;
    return true;
}

static void on_shut_down(uv_shutdown_t *shutdown, int status)
{
    (void)shutdown;
    (void)status;
}

/*
 * All is said. To close now, with bytes of the client unread, would reset the
 * connection and could take the last words from the client: so this half ends,
 * and what still comes is thrown away until the client ends his.
 */
static void linger(struct connection *connection)
{
    if (connection->state == CONNECTION_DRAINING) {
        layer_stack_finish(&connection->layers, &connection->raw);
        move_to(connection, CONNECTION_LINGERING);
        if (!flush(connection))
            return;
    }
    if (connection->peer_ended) {
        connection_close(connection, connection->reason);
    } else if (all_sent(connection) && !connection->shut_down) {
        connection->shut_down = true;
        if (uv_shutdown(&connection->shutdown, &connection->socket.stream, on_shut_down) != 0 ||
            !start_reading(connection))
            connection_close(connection, connection->reason);
    }
}

/* --- running --- */

static bool listing_filter(void *context, const struct row *row)
{
    const struct listing *listing = context;
    size_t len = buffer_len(&listing->prefix);

    return row->mupdate.location.len >= len &&
           (len == 0 ||
            memcmp(row->mupdate.location.data, buffer_bytes(&listing->prefix), len) == 0);
}

/* Go on with the long answer under way. Sets *again when it could go on at once. */
static bool produce(struct connection *connection, bool *again, bool *full)
{
    if (connection->subscription) {
        switch (subscription_run(connection->subscription, connection->session,
                                 uv_now(connection->master->loop))) {
        case SUBSCRIPTION_IDLE:
            if (connection->subscription->wake_at_ms)
                connection_wake_at(connection, connection->subscription->wake_at_ms);
            return true;
        case SUBSCRIPTION_MORE:
            *again = true;
            return true;
        case SUBSCRIPTION_FULL:
            *full = true;
            return true;
        case SUBSCRIPTION_FAILED:
            return false;
        }
    }
    if (connection->listing) {
        switch (walk_run(&connection->listing->walk, connection->master->table,
                         connection->session, listing_filter, connection->listing)) {
        case WALK_DONE:
            listing_ends(connection);
            return mupdate_server_ok(connection->session, "List complete");
        case WALK_MORE:
            *again = true;
            return true;
        case WALK_FULL:
            *full = true;
            return true;
        case WALK_FAILED:
            return false;
        }
    }
    return true;
}

enum taken { TAKEN_ALL, TAKEN_BLOCKED, TAKEN_MORE, TAKEN_CLOSED, TAKEN_FAILED };

static enum taken take_commands(struct connection *connection)
{
    struct mupdate_server_event event;
    bool was_full = false;

    for (int events = 0; events < SLICE_EVENTS;) {
        size_t len = buffer_len(&connection->plain);
        size_t taken;

        if (connection->store_bytes >= STORE_BYTES)
            return TAKEN_BLOCKED;
        taken =
            mupdate_server_input(connection->session, buffer_bytes(&connection->plain), len);

        buffer_consume(&connection->plain, taken);
        switch (mupdate_server_next(connection->session, &event)) {
        case MUPDATE_SERVER_EVENT:
            if (!commands_handle(connection, &event))
                return TAKEN_FAILED;
            if (connection->state == CONNECTION_CLOSED)
                return TAKEN_ALL;
            events++;
            break;
        case MUPDATE_SERVER_WAIT:
            if (layer_stack_pending(&connection->layers)) {
                if (!receive(connection, NULL, 0))
                    return TAKEN_ALL;
                events += SLICE_EVENTS / 8; /* a small input may unpack to a long nothing */
            } else if (buffer_len(&connection->plain) == 0 || (taken == 0 && was_full)) {
                return TAKEN_ALL;
            }
            /* It may have thrown away what it was full of. */
            was_full = taken == 0;
            break;
        case MUPDATE_SERVER_BLOCKED:
            return TAKEN_BLOCKED;
        case MUPDATE_SERVER_CLOSED:
            return TAKEN_CLOSED;
        }
    }
    return TAKEN_MORE;
}

static void say_delayed_no(struct connection *connection)
{
    if (!connection->delayed_no || connection->wake_at_ms)
        return;
    mupdate_server_no(connection->session, connection->delayed_no);
    free(connection->delayed_no);
    connection->delayed_no = NULL;
}

/* The client ended its half: it gets the answers that are still due. */
static bool is_finished(const struct connection *connection)
{
    if (!connection->peer_ended)
        return false;
    /* In an exchange it may be the client's turn, who will say nothing. */
    if (connection->auth)
        return !auth_exchange_runs(connection->auth);
    return mupdate_server_unanswered(connection->session) == 0 && !connection->delayed_no;
}

void connection_run(struct connection *connection)
{
    bool again = false;
    bool full = false;
    enum taken taken = TAKEN_ALL;
    const uint8_t *output;
    bool had_output;

    if (connection->state == CONNECTION_CLOSED)
        return;
    say_delayed_no(connection);
    if (!produce(connection, &again, &full)) {
        connection_close(connection, "out of memory");
        return;
    }
    if (connection->state == CONNECTION_OPEN)
        taken = take_commands(connection);
    if (connection->state == CONNECTION_CLOSED)
        return;
    if (taken == TAKEN_FAILED) {
        connection_close(connection, "a command could not be carried out");
        return;
    }
    if (taken == TAKEN_CLOSED)
        connection_drain(connection, "session closed");
    had_output = mupdate_server_output(connection->session, &output) > 0;
    if (!flush(connection))
        return;
    if (connection->state >= CONNECTION_DRAINING) {
        if (connection->state == CONNECTION_LINGERING || all_sent(connection))
            linger(connection);
        return;
    }
    /* With output to send, blocked means that commands wait for room, and are still due. */
    if (taken != TAKEN_MORE && !(taken == TAKEN_BLOCKED && had_output) && is_finished(connection)) {
        connection_drain(connection, "the client ended the connection");
        return;
    }
    /* What waited for room in the output goes on at once when all of it left. */
    if (again || taken == TAKEN_MORE ||
        ((full || taken == TAKEN_BLOCKED) && had_output && all_sent(connection)))
        connection_schedule(connection);
    if (connection->state == CONNECTION_OPEN && !choose_reading(connection))
        connection_close(connection, "cannot read");
}

/* --- accepting --- */

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
        /* A security layer belongs below compression that already runs: none is offered then. */
        .maximum_bits = layer_stack_get(&connection->layers, LAYER_DEFLATE)
                            ? 0
                            : (unsigned)config->sasl_maximum_layer,
    };
    if (tls) {
        endpoint->external_bits = tls_layer_bits(tls);
        endpoint->binding_len =
            tls_layer_binding(tls, binding, sizeof binding, &endpoint->binding_name);
        endpoint->binding = binding;
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

bool connection_accept(struct master *master, uv_stream_t *listening, bool is_unix)
{
    struct net *net = &master->net;
    struct connection *connection;
    struct mupdate_server_limits limits;
    int error;

    /* Descriptors must be left for the database and the password checks. */
    if (net->count >= net->sockets_max)
        return false;
    connection = calloc(1, sizeof *connection);
    if (!connection) {
        log_error("cannot take a connection: out of memory");
        return false;
    }
    connection->master = master;
    layer_stack_init(&connection->layers);
    if (is_unix)
        error = uv_pipe_init(master->loop, &connection->socket.pipe, 0);
    else
        error = uv_tcp_init(master->loop, &connection->socket.tcp);
    if (error != 0) {
        log_error("cannot take a connection: %s", uv_strerror(error));
        free(connection);
        return false;
    }
    connection->socket.handle.data = connection;
    connection->next = net->connections;
    if (net->connections)
        net->connections->previous = connection;
    net->connections = connection;
    net->count++;
    connection->opened_ms = connection->input_ms = uv_now(master->loop);
    strcpy(connection->peer, "?");

    error = uv_accept(listening, &connection->socket.stream);
    if (error != 0) {
        connection_close(connection, uv_strerror(error));
        return true;
    }
    if (!is_unix) {
        uv_tcp_nodelay(&connection->socket.tcp, 1);
        uv_tcp_keepalive(&connection->socket.tcp, 1, 300);
    }
    learn_peer(connection, is_unix);
    log_debug("connected: %s", connection->peer);

    limits_of(master->config, &limits);
    connection->session = mupdate_server_new(&limits);
    if (!connection->session) {
        connection_close(connection, "out of memory");
        return true;
    }
    if (net->count > master->config->connections_max) {
        log_warning("too many connections: %s limit=%zu", connection->peer,
                    master->config->connections_max);
        mupdate_server_bye(connection->session, "too many connections");
        connection_drain(connection, "too many connections");
        return true;
    }
    connection_banner(connection);
    connection_run(connection);
    return true;
}
