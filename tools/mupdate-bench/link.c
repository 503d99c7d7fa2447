/*
 * SPDX-License-Identifier: BSD-3-Clause
 */
#include "link.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string.h>
#include <sys/epoll.h>
#include <sysexits.h>
#include <unistd.h>

#include "link_internal.h"
#include "report.h"
#include "secure.h"

/*
 * So many connections with the large receive buffers that the kernel grows by
 * itself would bring it to its limit for all sockets.
 */
enum { CROWD = 32, CROWD_RECEIVE_BYTES = 1 << 18 };

_Noreturn void link_lost(const struct link *link, enum link_state state, int error)
{
    static const char *const phases[] = {
        "closed",     "connecting",     "waiting for the banner", "asking for TLS", "beginning TLS",
        "logging in", "under commands", "logging out"};
    report_failure(EX_UNAVAILABLE, "connection %zu to %s port %s, %s: %s", link->number,
                   link->set->options->host, link->set->options->port, phases[state],
                   error == 0 ? "closed by the server" : strerror(error));
}

void link_close(struct link *link)
{
    struct link_set *set = link->set;
    set->ready -= link->state == LINK_READY;
    set->starting -= link->state < LINK_READY;
    set->closed++;
    close(link->fd);
    link->fd = -1;
    link->state = LINK_CLOSED;
    link->in.start = link->in.end = 0;
    link->out.start = link->out.end = 0;
    link->paused = false;
    link->shares = false;
    secure_close(link->secure);
    link->secure = NULL;
}

/* The link is LINK_CLOSED when this returns. */
void link_lose(struct link *link, int error)
{
    enum link_state state = link->state;
    if (link->set->events.on_lost == NULL) {
        link_lost(link, state, error);
    }
    link_close(link);
    link->set->events.on_lost(link, state, error);
}

void link_wrong(const struct link *link, const struct message *message, const char *wanted)
{
    size_t len = message->octets < 300 ? message->octets : 300;
    report_failure(EX_PROTOCOL, "connection %zu: wanted %s, got: %.*s", link->number, wanted,
                   (int)len, message->tag.data);
}

void link_command(struct link *link, uint64_t tag, const char *word, size_t count,
                  const struct message_text *arguments)
{
    size_t word_len = strlen(word);
    size_t len = word_len + 32;
    for (size_t i = 0; i < count; i++) {
        len += arguments[i].len + 32;
    }
    struct octets *out = &link->out;
    octets_reserve(out, len);
    octets_put(out, "X", 1);
    octets_put_number(out, tag);
    octets_put(out, " ", 1);
    octets_put(out, word, word_len);
    for (size_t i = 0; i < count; i++) {
        octets_put(out, " {", 2);
        octets_put_number(out, arguments[i].len);
        octets_put(out, "+}\r\n", 4);
        octets_put(out, arguments[i].data, arguments[i].len);
    }
    octets_put(out, "\r\n", 2);
}

static void watch(struct link *link)
{
    struct epoll_event event = {.events = (link->paused ? 0U : EPOLLIN) |
                                          (link->waits_to_write ? EPOLLOUT : 0U),
                                .data.ptr = link};
    if (epoll_ctl(link->set->epoll, EPOLL_CTL_MOD, link->fd, &event) != 0) {
        report_failure(EX_OSERR, "epoll_ctl: %s", strerror(errno));
    }
}

static void watch_writing(struct link *link, bool wanted)
{
    if (link->waits_to_write != wanted) {
        link->waits_to_write = wanted;
        watch(link);
    }
}

void link_pause(struct link *link)
{
    link->paused = true;
    watch(link);
}

/* What the socket has to take next. */
static const char *waiting(struct link *link, size_t *len)
{
    struct octets *out = &link->out;
    *len = out->end - out->start;
    if (!secure_layered(link->secure)) {
        return out->data + out->start;
    }
    if (*len > 0) {
        secure_send(link->secure, out->data + out->start, *len);
        out->start = out->end;
    }
    return secure_waiting(link->secure, len);
}

static void taken(struct link *link, size_t len)
{
    if (secure_layered(link->secure)) {
        secure_sent(link->secure, len);
    } else {
        link->out.start += len;
    }
}

void link_flush(struct link *link)
{
    size_t len;
    const char *data;
    while ((data = waiting(link, &len)), len > 0) {
        ssize_t sent = send(link->fd, data, len, MSG_NOSIGNAL);
        if (sent < 0 && errno == EAGAIN) {
            break;
        }
        if (sent < 0 && link->state != LINK_LOGOUT) {
            link_lose(link, errno);
            return;
        }
        /* A server that has gone takes no LOGOUT, and needs none. */
        taken(link, sent < 0 ? len : (size_t)sent);
    }
    watch_writing(link, len > 0);
}

void link_start(struct link *link)
{
    struct link_set *set = link->set;
    int one = 1;
    link->fd = socket(set->address.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (link->fd < 0) {
        report_failure(EX_OSERR, "connection %zu: socket: %s", link->number, strerror(errno));
    }
    setsockopt(link->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
    if (set->count >= CROWD) {
        int octets = CROWD_RECEIVE_BYTES;
        setsockopt(link->fd, SOL_SOCKET, SO_RCVBUF, &octets, sizeof(octets));
    }
    link->state = LINK_CONNECTING;
    link->waits_to_write = false;
    link->paused = false;
    link->received_octets = 0;
    link->started_ns = report_now_ns();
    if (secure_wanted(set->options)) {
        link->secure = secure_open(set->options, link->number);
    }
    set->closed--;
    set->starting++;
    if (connect(link->fd, (const struct sockaddr *)&set->address, set->address_len) != 0 &&
        errno != EINPROGRESS) {
        link_lose(link, errno);
        return;
    }
    /* The server speaks first, and a failed connect() is readable too. */
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = link};
    if (epoll_ctl(set->epoll, EPOLL_CTL_ADD, link->fd, &event) != 0) {
        report_failure(EX_OSERR, "epoll_ctl: %s", strerror(errno));
    }
}

void link_share(struct link *link)
{
    size_t len = link->in.end - link->in.start;
    if (len > 0) {
        report_failure(EX_PROTOCOL, "connection %zu: the server said something unasked: %.*s",
                       link->number, (int)(len < 100 ? len : 100),
                       link->in.data + link->in.start);
    }
    link->shares = true;
    link->at = 0;
}

void link_logout(struct link *link)
{
    static const char logout[] = "Q01 LOGOUT\r\n";
    octets_reserve(&link->out, sizeof(logout));
    octets_put(&link->out, logout, sizeof(logout) - 1);
    link->set->ready -= link->state == LINK_READY;
    link->state = LINK_LOGOUT;
}
