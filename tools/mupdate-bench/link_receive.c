/*
 * SPDX-License-Identifier: BSD-3-Clause
 */
#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <sysexits.h>

#include "link_internal.h"
#include "login.h"
#include "report.h"
#include "secure.h"

enum { READ_BYTES = 1 << 13, READ_BYTES_MAX = 1 << 18 };

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
            link_close(link);
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

void link_check_transcript(struct link_set *set, size_t len)
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
            link_check_transcript(set, set->transcript.end);
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
    link_close(link);
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

void link_readable(struct link *link, size_t limit)
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
