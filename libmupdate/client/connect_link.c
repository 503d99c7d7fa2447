/* SPDX-License-Identifier: BSD-3-Clause */
#include "client/connect_link.h"

#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum {
    READ_BYTES = 65536,
    UP_BYTES = 65536,    /* decoded bytes that are handed to the session at a time */
    SEND_BYTES = 16384,  /* one TLS record */
    DOWN_BYTES = 262144, /* encoded bytes that may wait for the socket */
};

int64_t moment_now(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

int64_t moment_after(int timeout_ms)
{
    return timeout_ms < 0 ? MOMENT_NEVER : moment_now() + timeout_ms;
}

int moment_left(int64_t moment)
{
    int64_t left;

    if (moment == MOMENT_NEVER)
        return -1;
    left = moment - moment_now();
    if (left < 0)
        return 0;
    return left > INT_MAX ? INT_MAX : (int)left;
}

void connect_error_set(struct mupdate_connect_error *error, enum mupdate_connect_kind kind,
                       const char *format, ...)
{
    va_list arguments;
    char *c;

    error->kind = kind;
    va_start(arguments, format);
    vsnprintf(error->text, sizeof error->text, format, arguments);
    va_end(arguments);
    for (c = error->text; *c; c++)
        if ((unsigned char)*c < ' ' || (unsigned char)*c > '~')
            *c = '?';
}

void connect_link_init(struct connect_link *link, int fd, struct mupdate_client *client,
                       const char *peer)
{
    memset(link, 0, sizeof *link);
    link->fd = fd;
    link->client = client;
    link->down.secret = true;
    layer_stack_init(&link->stack);
    snprintf(link->peer, sizeof link->peer, "%s", peer);
}

void connect_link_close(struct connect_link *link)
{
    close(link->fd);
    layer_stack_close(&link->stack);
    buffer_free(&link->up);
    buffer_free(&link->down);
}

void connect_link_lost(const struct connect_link *link, struct mupdate_connect_error *error)
{
    if (link->state == CONNECT_LINK_FAILED)
        connect_error_set(error, MUPDATE_CONNECT_LOST, "the connection to %s broke: %s", link->peer,
                          layer_stack_error(&link->stack));
    else if (link->cause)
        connect_error_set(error, MUPDATE_CONNECT_LOST, "the connection to %s broke: %s", link->peer,
                          strerror(link->cause));
    else
        connect_error_set(error, MUPDATE_CONNECT_LOST, "%s closed the connection", link->peer);
}

static bool no_memory(const struct connect_link *link, struct mupdate_connect_error *error)
{
    connect_error_set(error, MUPDATE_CONNECT_MEMORY, "out of memory while talking to %s",
                      link->peer);
    return false;
}

/*
 * What a failed layer was about to say (an alert) is still sent. What it gave
 * to the session before is still handed out, so the error is reported later.
 */
static bool layers_failed(struct connect_link *link, struct mupdate_connect_error *error)
{
    if (link->down.failed || link->up.failed)
        return no_memory(link, error);
    if (buffer_len(&link->down) > 0)
        (void)send(link->fd, buffer_bytes(&link->down), buffer_len(&link->down),
                   MSG_NOSIGNAL | MSG_DONTWAIT);
    link->state = CONNECT_LINK_FAILED;
    return true;
}

static bool encode(struct connect_link *link, struct mupdate_connect_error *error)
{
    const uint8_t *data;
    size_t len;

    while (buffer_len(&link->down) < DOWN_BYTES &&
           (len = mupdate_client_output(link->client, &data)) > 0) {
        if (len > SEND_BYTES)
            len = SEND_BYTES;
        if (layer_stack_send(&link->stack, data, len, &link->down) != LAYER_OK)
            return layers_failed(link, error);
        mupdate_client_sent(link->client, len);
    }
    return link->down.failed ? no_memory(link, error) : true;
}

bool connect_link_flush(struct connect_link *link, struct mupdate_connect_error *error)
{
    while (link->state == CONNECT_LINK_OPEN) {
        ssize_t sent;

        if (!encode(link, error))
            return false;
        if (buffer_len(&link->down) == 0)
            break;
        sent = send(link->fd, buffer_bytes(&link->down), buffer_len(&link->down),
                    MSG_NOSIGNAL | MSG_DONTWAIT);
        if (sent >= 0) {
            buffer_consume(&link->down, (size_t)sent);
        } else if (errno == EAGAIN || errno == EWOULDBLOCK) {
            break;
        } else if (errno != EINTR) {
            /* The peer may have said why it closed: that is read first. */
            link->cause = errno == EPIPE ? 0 : errno;
            link->state = CONNECT_LINK_DEAF;
            buffer_clear(&link->down);
        }
    }
    return true;
}

/* Bytes of the peer, or none when the layers still hold some, go to the session. */
static bool take(struct connect_link *link, const void *data, size_t len,
                 struct mupdate_connect_error *error)
{
    enum layer_result result =
        layer_stack_receive(&link->stack, data, len, &link->up, &link->down, UP_BYTES);

    if (buffer_len(&link->up) > 0) {
        if (!mupdate_client_input(link->client, buffer_bytes(&link->up), buffer_len(&link->up)))
            return no_memory(link, error);
        buffer_clear(&link->up);
    }
    if (result == LAYER_FAILED)
        return layers_failed(link, error);
    if (result == LAYER_CLOSED) {
        link->cause = 0;
        link->state = CONNECT_LINK_CLOSED;
    }
    return link->up.failed || link->down.failed ? no_memory(link, error) : true;
}

static bool receive(struct connect_link *link, struct mupdate_connect_error *error)
{
    uint8_t data[READ_BYTES];
    ssize_t len = recv(link->fd, data, sizeof data, MSG_DONTWAIT);

    if (len > 0)
        return take(link, data, (size_t)len, error);
    if (len < 0 && (errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR))
        return true;
    if (len < 0)
        link->cause = errno;
    link->state = CONNECT_LINK_CLOSED;
    return true;
}

int connect_link_move(struct connect_link *link, int64_t until, struct mupdate_connect_error *error)
{
    struct pollfd poll_fd = {.fd = link->fd, .events = POLLIN};
    int ready;

    if (!connect_link_flush(link, error))
        return -1;
    if (link->state != CONNECT_LINK_FAILED && layer_stack_pending(&link->stack))
        return take(link, NULL, 0, error) ? 1 : -1;
    if (link->state == CONNECT_LINK_FAILED || link->state == CONNECT_LINK_CLOSED) {
        connect_link_lost(link, error);
        return -1;
    }
    if (link->state == CONNECT_LINK_OPEN && buffer_len(&link->down) > 0)
        poll_fd.events |= POLLOUT;
    ready = poll(&poll_fd, 1, moment_left(until));
    if (ready == 0)
        return 0;
    if (ready < 0) {
        if (errno == EINTR)
            return 1;
        link->cause = errno;
        link->state = CONNECT_LINK_CLOSED;
        connect_link_lost(link, error);
        return -1;
    }
    /* A broken socket shows as readable: receive() finds out what happened. */
    if (poll_fd.revents & ~POLLOUT)
        return receive(link, error) ? 1 : -1;
    return connect_link_flush(link, error) ? 1 : -1;
}

int connect_link_next(struct connect_link *link, struct mupdate_client_event *event, int64_t until,
                      struct mupdate_connect_error *error)
{
    if (!connect_link_flush(link, error))
        return -1;
    for (;;) {
        int moved;

        switch (mupdate_client_next(link->client, event)) {
        case MUPDATE_CLIENT_EVENT:
            return 1;
        case MUPDATE_CLIENT_ERROR:
            connect_error_set(error, MUPDATE_CONNECT_PROTOCOL, "%s does not keep to MUPDATE: %s",
                              link->peer, mupdate_client_error(link->client));
            link->state = CONNECT_LINK_CLOSED;
            return -1;
        case MUPDATE_CLIENT_WAIT:
            break;
        }
        moved = connect_link_move(link, until, error);
        if (moved <= 0)
            return moved;
    }
}
