/*
 * SPDX-License-Identifier: BSD-3-Clause
 */
#include "link.h"

#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sysexits.h>
#include <unistd.h>

#include "login.h"
#include "report.h"
#include "secure.h"

enum {
    /* More connections at once than this overflow a listen queue of 128. */
    STARTING_MAX = 64,
    EVENTS_PER_WAIT = 256,
    READ_BYTES = 1 << 13,
    READ_BYTES_MAX = 1 << 18,
    SCRATCH_BYTES = 1 << 18,
    /* Checked in one go when there is nothing to receive. */
    CHECK_BYTES = 1 << 16,
    /* So many connections with the large receive buffers that the kernel grows
     * by itself would bring it to its limit for all sockets. */
    CROWD = 32,
    CROWD_RECEIVE_BYTES = 1 << 18,
};

_Noreturn void link_lost(const struct link *link, enum link_state state, int error)
{
    static const char *const phases[] = {
        "closed",     "connecting",     "waiting for the banner", "asking for TLS", "beginning TLS",
        "logging in", "under commands", "logging out"};
    report_failure(EX_UNAVAILABLE, "connection %zu to %s port %s, %s: %s", link->number,
                   link->set->options->host, link->set->options->port, phases[state],
                   error == 0 ? "closed by the server" : strerror(error));
}

static void close_link(struct link *link)
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
    close_link(link);
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
    if (link->in.start < link->in.end) {
        report_failure(EX_PROTOCOL, "connection %zu: the server said something unasked: %.*s",
                       link->number, 100, link->in.data + link->in.start);
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

_Noreturn void link_not_a_message(const struct link *link, const char *data, size_t len)
{
    report_failure(EX_PROTOCOL, "connection %zu: not a MUPDATE message: %.*s", link->number,
                   (int)(len < 100 ? len : 100), data);
}

static void take_message(struct link *link, const struct message *message)
{
    struct link_set *set = link->set;
    switch (link->state) {
    case LINK_READY:
        if (message_text_is(message->tag, "*")) {
            if (set->events.on_lost != NULL) {
                link_lose(link, 0);
                return;
            }
            report_failure(EX_UNAVAILABLE, "connection %zu: the server says: %.*s", link->number,
                           (int)(message->octets < 300 ? message->octets : 300),
                           message->tag.data);
        }
        set->events.on_message(link, message);
        break;
    case LINK_LOGOUT:
        /* Rows of a stream may still be under way. */
        if (message_text_is(message->tag, "Q01")) {
            if (!message_text_is(message->word, "BYE") && !message_text_is(message->word, "OK")) {
                link_wrong(link, message, "Q01 BYE");
            }
            close_link(link);
            if (set->events.on_closed != NULL) {
                set->events.on_closed(link);
            }
        }
        break;
    case LINK_CLOSED:
    case LINK_CONNECTING:
    case LINK_BANNER:
    case LINK_STARTTLS:
    case LINK_TLS:
    case LINK_AUTH:
        break;
    }
}

void link_ready(struct link *link)
{
    struct link_set *set = link->set;
    link->state = LINK_READY;
    set->ready++;
    set->starting--;
    if (set->events.on_ready != NULL) {
        set->events.on_ready(link);
    }
}

static void take_input(struct link *link)
{
    struct octets *in = &link->in;
    while (link->state != LINK_CLOSED && link->state < LINK_READY && login_take(link)) {
    }
    while (link->state >= LINK_READY && in->start < in->end) {
        struct message message;
        enum message_result result =
            message_parse(in->data + in->start, in->end - in->start, &message);
        if (result == MESSAGE_PARTIAL) {
            break;
        }
        if (result == MESSAGE_BAD) {
            link_not_a_message(link, in->data + in->start, in->end - in->start);
        }
        in->start += message.octets;
        take_message(link, &message);
    }
}

/* What the transcript has not been checked for yet, up to about len octets. */
static void check_transcript(struct link_set *set, size_t len)
{
    struct transcript *transcript = &set->transcript;
    struct link *author = &set->links[set->author];
    size_t end = transcript->parsed + len;
    struct message message;
    enum message_result result = MESSAGE_WHOLE;
    while (transcript->parsed < end &&
           (result = transcript_next(transcript, &message)) == MESSAGE_WHOLE) {
        set->events.on_message(author, &message);
    }
    if (result == MESSAGE_BAD) {
        link_not_a_message(author, transcript->data + transcript->parsed,
                      transcript->end - transcript->parsed);
    }
}

/* The link goes on alone: it parses all that it was sent since link_share(). */
static void leave_transcript(struct link *link, const char *data, size_t len)
{
    const char *said = link->set->transcript.data;
    size_t at = 0;
    struct message message;
    link->shares = false;
    link->set->events.on_own(link);
    while (message_parse(said + at, link->at - at, &message) == MESSAGE_WHOLE) {
        at += message.octets;
        link->set->events.on_message(link, &message);
    }
    octets_reserve(&link->in, link->at - at + len);
    octets_put(&link->in, said + at, link->at - at);
    octets_put(&link->in, data, len);
    take_input(link);
}

static void take_shared(struct link *link, const char *data, size_t len)
{
    struct link_set *set = link->set;
    size_t end = set->transcript.end;
    if (!transcript_take(&set->transcript, &link->at, data, len)) {
        leave_transcript(link, data, len);
        return;
    }
    if (set->transcript.end > end) {
        set->author = link->number;
        if (!set->checks_later) {
            check_transcript(set, set->transcript.end);
        }
    }
    set->events.on_advance(link);
}

static void link_ended(struct link *link)
{
    if (link->state != LINK_LOGOUT) {
        link_lose(link, 0);
        return;
    }
    close_link(link);
    if (link->set->events.on_closed != NULL) {
        link->set->events.on_closed(link);
    }
}

static void take_protected(struct link *link, const char *data, size_t len)
{
    size_t plain_len;
    do {
        const char *plain = secure_receive(link->secure, data, len, &plain_len);
        len = 0;
        if (plain == NULL) {
            link_ended(link);
            return;
        }
        if (link->state == LINK_TLS) {
            login_tls(link);
        }
        if (plain_len > 0 && link->shares && link->state == LINK_READY) {
            take_shared(link, plain, plain_len);
        } else if (plain_len > 0) {
            octets_reserve(&link->in, plain_len);
            octets_put(&link->in, plain, plain_len);
            take_input(link);
        }
    } while (plain_len > 0 && secure_layered(link->secure));
}

/* Up to limit octets. */
static void link_readable(struct link *link, size_t limit)
{
    struct link_set *set = link->set;
    struct octets *in = &link->in;
    bool shares = link->shares && link->state == LINK_READY;
    bool layered = secure_layered(link->secure);
    char *to = set->scratch;
    size_t space = SCRATCH_BYTES;
    if (!shares && !layered) {
        octets_reserve(in, READ_BYTES);
        to = in->data + in->end;
        space = in->size - in->end;
    }
    space = space < limit ? space : limit;
    ssize_t received = recv(link->fd, to, space, 0);
    if (received < 0 && (errno == EAGAIN || errno == EINTR)) {
        return;
    }
    if (received < 0 && link->state != LINK_LOGOUT) {
        link_lose(link, errno);
        return;
    }
    if (received <= 0) {
        link_ended(link);
        return;
    }
    set->now_ns = set->heard_ns = link->heard_ns = report_now_ns();
    link->received_octets += (size_t)received;
    if (link->state == LINK_CONNECTING) {
        link->state = LINK_BANNER;
    }
    if (layered) {
        take_protected(link, to, (size_t)received);
    } else if (shares) {
        take_shared(link, to, (size_t)received);
    } else {
        in->end += (size_t)received;
        take_input(link);
        /* A buffer that a read fills shows a dump: read that in larger pieces. */
        if ((size_t)received == space && in->size < READ_BYTES_MAX && limit == SIZE_MAX) {
            octets_reserve(in, in->size);
        }
    }
    if (link->state != LINK_CLOSED) {
        link_flush(link);
    }
}

void link_take(struct link *link, size_t len)
{
    link_readable(link, len < READ_BYTES ? len : READ_BYTES);
}

void link_set_wait(struct link_set *set, int timeout_ms)
{
    struct epoll_event events[EVENTS_PER_WAIT];
    int limit_ms = (int)(set->options->timeout * 1000);
    bool behind = transcript_behind(&set->transcript);
    if (timeout_ms < 0 || timeout_ms > limit_ms) {
        timeout_ms = limit_ms;
    }
    int count = epoll_wait(set->epoll, events, EVENTS_PER_WAIT, behind ? 0 : timeout_ms);
    if (count < 0 && errno != EINTR) {
        report_failure(EX_OSERR, "epoll_wait: %s", strerror(errno));
    }
    set->now_ns = report_now_ns();
    set->watched = false;
    if (count == 0 && behind) {
        report_spare_begin();
        check_transcript(set, CHECK_BYTES);
        report_spare_end();
        set->heard_ns = report_now_ns();
        return;
    }
    if (set->nothing_due) {
        set->heard_ns = set->now_ns;
    }
    for (int i = 0; i < count; i++) {
        struct link *link = events[i].data.ptr;
        if (link == NULL) {
            set->watched = true;
            continue;
        }
        if ((events[i].events & EPOLLOUT) != 0) {
            set->heard_ns = set->now_ns;
            link_flush(link);
        }
        if ((events[i].events & (EPOLLIN | EPOLLHUP | EPOLLERR)) != 0 &&
            link->state != LINK_CLOSED) {
            link_readable(link, SIZE_MAX);
        }
    }
    if ((double)(set->now_ns - set->heard_ns) / 1e9 > set->options->timeout) {
        report_failure(EX_UNAVAILABLE, "nothing from %s port %s for %g seconds",
                       set->options->host, set->options->port, set->options->timeout);
    }
}

size_t link_set_start_some(struct link_set *set, size_t first)
{
    size_t next = first;
    while (next < set->count && set->starting < STARTING_MAX) {
        link_start(&set->links[next++]);
    }
    return next - first;
}

void link_set_connect(struct link_set *set)
{
    set->heard_ns = report_now_ns();
    size_t next = 0;
    while (set->ready < set->count) {
        next += link_set_start_some(set, next);
        link_set_wait(set, -1);
    }
}

bool link_set_watched(const struct link_set *set)
{
    return set->watched;
}

bool link_set_watch(struct link_set *set, int fd)
{
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = NULL};
    if (epoll_ctl(set->epoll, EPOLL_CTL_ADD, fd, &event) == 0) {
        return true;
    }
    if (errno != EPERM) {
        report_failure(EX_OSERR, "epoll_ctl: %s", strerror(errno));
    }
    return false;
}

void link_set_open(struct link_set *set, const struct options *options, size_t count,
                   struct link_events events, void *context)
{
    *set = (struct link_set){.options = options, .events = events, .context = context,
                             .count = count, .closed = count};
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_family = AF_UNSPEC};
    struct addrinfo *found;
    int error = getaddrinfo(options->host, options->port, &hints, &found);
    if (error != 0) {
        report_failure(EX_NOHOST, "%s port %s: %s", options->host, options->port,
                       gai_strerror(error));
    }
    memcpy(&set->address, found->ai_addr, found->ai_addrlen);
    set->address_len = found->ai_addrlen;
    freeaddrinfo(found);
    login_prepare(set);
    set->links = calloc(count, sizeof(*set->links));
    set->scratch = malloc(SCRATCH_BYTES);
    set->epoll = epoll_create1(EPOLL_CLOEXEC);
    if (set->links == NULL || set->scratch == NULL || set->epoll < 0) {
        report_failure(EX_OSERR, "%zu connections: %s", count, strerror(errno));
    }
    for (size_t i = 0; i < count; i++) {
        set->links[i] = (struct link){.set = set, .number = i, .fd = -1};
    }
}

/* From now on the link parses. False if it is in the middle of an answer. */
static bool unshare(struct link *link)
{
    const struct transcript *transcript = &link->set->transcript;
    if (!link->shares) {
        return true;
    }
    link->shares = false;
    if (link->at < transcript->parsed) {
        return false;
    }
    octets_reserve(&link->in, link->at - transcript->parsed + 1);
    octets_put(&link->in, transcript->data + transcript->parsed, link->at - transcript->parsed);
    return true;
}

void link_set_close(struct link_set *set)
{
    while (transcript_behind(&set->transcript)) {
        check_transcript(set, CHECK_BYTES);
    }
    set->events.on_closed = NULL;
    set->events.on_lost = NULL;
    set->heard_ns = report_now_ns();
    for (size_t i = 0; i < set->count; i++) {
        if (set->links[i].state == LINK_READY && unshare(&set->links[i])) {
            link_logout(&set->links[i]);
            link_flush(&set->links[i]);
        } else if (set->links[i].state != LINK_CLOSED) {
            close_link(&set->links[i]);
        }
    }
    while (set->closed < set->count) {
        link_set_wait(set, -1);
    }
    for (size_t i = 0; i < set->count; i++) {
        free(set->links[i].in.data);
        free(set->links[i].out.data);
    }
    free(set->links);
    free(set->auth);
    free(set->scratch);
    transcript_close(&set->transcript);
    close(set->epoll);
}
