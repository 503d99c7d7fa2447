/* SPDX-License-Identifier: BSD-3-Clause */
#include "mupdated/net/traffic.h"

#include <string.h>

#include "mupdated/net/secure.h"

/* What one read takes, and what the layers may put up at once. */
#define READ_BYTES 65536

/* The same before the client is logged in, so that many of them cost little. */
#define STRANGER_READ_BYTES 4096

/* No more is read while so many reads' worth waits for the socket. */
#define RAW_READS 4

/* What is handed to the socket, or to the layers, at once. */
#define WRITE_BYTES 65536

/*
 * What is handed to libuv of that which the socket did not take. It writes that
 * when the socket has room, without a turn: so it is little, and costs little
 * when a thousand sockets have room at once.
 */
#define WAKE_BYTES 4096

/* --- sending --- */

static void on_written(uv_write_t *write, int status)
{
    struct connection *connection = write->data;

    connection->write_pending = false;
    if (status == 0)
        connection->master->counters.sent_bytes += buffer_len(&connection->writing);
    buffer_clear(&connection->writing);
    if (connection->state == CONNECTION_CLOSED)
        return;
    /* Who goes on reading is given time. */
    if (connection->state == CONNECTION_DRAINING)
        connection->state_ms = uv_now(connection->master->loop);
    if (status < 0)
        connection_close(connection, uv_strerror(status));
    else
        connection_schedule(connection);
}

static bool has_layers(const struct connection *connection)
{
    for (size_t i = 0; i < LAYER_KINDS; i++)
        if (connection->layers.layers[i])
            return true;
    return false;
}

static struct dump *dump_under_way(const struct connection *connection)
{
    if (connection->subscription)
        return &connection->subscription->dump;
    return connection->listing ? &connection->listing->dump : NULL;
}

/* What the session says comes first: it says nothing between the pieces of a dump. */
static size_t output(const struct connection *connection, const uint8_t **data)
{
    size_t len = mupdate_server_output(connection->session, data);
    const struct dump *dump = dump_under_way(connection);

    return len == 0 && dump ? dump_output(dump, data) : len;
}

static void output_sent(struct connection *connection, size_t len)
{
    const uint8_t *data;

    if (mupdate_server_output(connection->session, &data) > 0)
        mupdate_server_sent(connection->session, len);
    else if (len > 0)
        dump_sent(dump_under_way(connection), len);
}

bool traffic_has_output(const struct connection *connection)
{
    const uint8_t *data;

    return output(connection, &data) > 0;
}

/* Up to limit bytes of the output go through the layers. */
static bool encode(struct connection *connection, size_t limit)
{
    const uint8_t *data;
    size_t len = output(connection, &data);

    if (len > limit)
        len = limit;
    if (len == 0)
        return true;
    if (layer_stack_send(&connection->layers, data, len, &connection->raw) != LAYER_OK ||
        connection->raw.failed)
        return false;
    output_sent(connection, len);
    return true;
}

bool traffic_turn(struct connection *connection)
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
    if (written < 0)
        return 0;
    connection->master->counters.sent_bytes += (size_t)written;
    return (size_t)written;
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

/* Without layers, what the session and its dump say goes to the socket as it is. */
static bool is_direct(const struct connection *connection)
{
    return buffer_len(&connection->raw) == 0 && !has_layers(connection);
}

bool traffic_flush(struct connection *connection)
{
    int error = 0;

    while (!connection->write_pending && error == 0) {
        bool direct = is_direct(connection);
        const uint8_t *data;
        size_t len, written;

        if (!direct && buffer_len(&connection->raw) == 0 && !encode(connection, WRITE_BYTES)) {
            connection_close(connection, "sending failed");
            return false;
        }
        data = buffer_bytes(&connection->raw);
        len = direct ? output(connection, &data) : buffer_len(&connection->raw);
        if (len == 0)
            return true;
        written = try_write(connection, data, len, &error);
        if (direct)
            output_sent(connection, written);
        else
            buffer_consume(&connection->raw, written);
        if (written > 0 || error != 0)
            continue;
        if (direct && !encode(connection, WAKE_BYTES)) {
            connection_close(connection, "sending failed");
            return false;
        }
        error = write_later(connection);
    }
    if (error != 0) {
        connection_close(connection, uv_strerror(error));
        return false;
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

size_t traffic_waiting(const struct connection *connection)
{
    const uint8_t *data;

    return buffer_len(&connection->raw) + buffer_len(&connection->writing) +
           output(connection, &data);
}

bool traffic_all_sent(const struct connection *connection)
{
    return !connection->write_pending && buffer_len(&connection->raw) == 0 &&
           !traffic_has_output(connection);
}

/* --- receiving --- */

static size_t read_bytes(const struct connection *connection)
{
    return connection->user ? READ_BYTES : STRANGER_READ_BYTES;
}

static void on_alloc(uv_handle_t *handle, size_t suggested, uv_buf_t *buf)
{
    /* One buffer serves all: what was read is passed on before the next read. */
    static char bytes[READ_BYTES];

    (void)suggested;
    *buf = uv_buf_init(bytes, (unsigned)read_bytes(handle->data));
}

bool traffic_receive(struct connection *connection, const void *data, size_t len)
{
    struct layer *tls;

    switch (layer_stack_receive(&connection->layers, data, len, &connection->plain,
                                &connection->raw, read_bytes(connection))) {
    case LAYER_OK:
        break;
    case LAYER_CLOSED:
        connection->peer_ended = true;
        break;
    case LAYER_FAILED:
        /* An alert that the layer wants to send may still go out. */
        send_last_words(connection);
        secure_failed(connection);
        connection_close(connection, layer_stack_error(&connection->layers));
        return false;
    }
    if (connection->plain.failed || connection->raw.failed) {
        connection_close(connection, "out of memory");
        return false;
    }
    tls = layer_stack_get(&connection->layers, LAYER_TLS);
    if (tls && tls_layer_established(tls) &&
        mupdate_server_state(connection->session) == MUPDATE_SERVER_STATE_TLS) {
        secure_established(connection);
        connection_banner(connection);
    }
    return true;
}

/* The step waits for its turn. */
static void keep_unread(struct connection *connection, const void *data, size_t len)
{
    buffer_append(&connection->unread, data, len);
    if (connection->unread.failed) {
        connection_close(connection, "out of memory");
        return;
    }
    uv_read_stop(&connection->socket.stream);
    connection->reading = false;
    connection_schedule(connection);
}

void traffic_shake_hands(struct connection *connection)
{
    struct buffer unread = connection->unread;
    bool open = connection->state == CONNECTION_OPEN;

    connection->unread = (struct buffer){0};
    if (!open || traffic_receive(connection, buffer_bytes(&unread), buffer_len(&unread)))
        connection_run(connection);
    buffer_free(&unread);
}

static void on_read(uv_stream_t *stream, ssize_t nread, const uv_buf_t *buf)
{
    struct connection *connection = stream->data;

    if (nread == 0)
        return;
    if (nread > 0)
        connection->master->counters.received_bytes += (size_t)nread;
    if (nread < 0) {
        uv_read_stop(stream);
        connection->reading = false;
        if (nread != UV_EOF) {
            connection_close(connection, uv_strerror((int)nread));
            return;
        }
        connection->peer_ended = true;
    } else if (connection->state == CONNECTION_OPEN) {
        bool login = !connection->user;
        bool received;

        connection->input_ms = uv_now(connection->master->loop);
        if (connection_shakes_hands(connection)) {
            keep_unread(connection, buf->base, (size_t)nread);
            return;
        }
        received = traffic_receive(connection, buf->base, (size_t)nread);

        /* It can hold a password; all copies of it are in secret buffers. */
        if (login)
            explicit_bzero(buf->base, (size_t)nread);
        if (!received)
            return;
    }
    connection_run(connection);
}

bool traffic_start_reading(struct connection *connection)
{
    if (!connection->reading &&
        uv_read_start(&connection->socket.stream, on_alloc, on_read) != 0)
        return false;
    connection->reading = true;
    return true;
}

bool traffic_choose_reading(struct connection *connection)
{
    /* Layers answer too (a change of TLS keys): to a client that does not read, not for ever. */
    bool wanted = !connection->peer_ended && buffer_len(&connection->plain) == 0 &&
                  buffer_len(&connection->unread) == 0 &&
                  !layer_stack_pending(&connection->layers) &&
                  buffer_len(&connection->raw) + buffer_len(&connection->writing) <
                      RAW_READS * read_bytes(connection);

    if (wanted)
        return traffic_start_reading(connection);
    uv_read_stop(&connection->socket.stream);
    connection->reading = false;
    return true;
}
