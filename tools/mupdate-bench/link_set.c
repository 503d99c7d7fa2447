/*
 * SPDX-License-Identifier: BSD-3-Clause
 */
#include <errno.h>
#include <netdb.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sysexits.h>
#include <unistd.h>

#include "link_internal.h"
#include "login.h"
#include "report.h"

enum {
    /* More connections at once than this overflow a listen queue of 128. */
    STARTING_MAX = 64,
    EVENTS_PER_WAIT = 256,
    /* Checked in one go when there is nothing to receive. */
    CHECK_BYTES = 1 << 16,
};

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
        link_check_transcript(set, CHECK_BYTES);
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
        link_check_transcript(set, CHECK_BYTES);
    }
    set->events.on_closed = NULL;
    set->events.on_lost = NULL;
    set->heard_ns = report_now_ns();
    for (size_t i = 0; i < set->count; i++) {
        if (set->links[i].state == LINK_READY && unshare(&set->links[i])) {
            link_logout(&set->links[i]);
            link_flush(&set->links[i]);
        } else if (set->links[i].state != LINK_CLOSED) {
            link_close(&set->links[i]);
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
