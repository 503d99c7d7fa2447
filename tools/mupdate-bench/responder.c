/*
 * SPDX-License-Identifier: BSD-3-Clause
 */
#include "responder.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sysexits.h>
#include <unistd.h>

#include "message.h"
#include "report.h"

enum { IN_BYTES = 1 << 16, EVENTS_PER_WAIT = 256, ANSWER_BYTES = 3 * ROW_TEXT_BYTES + 128 };

struct peer {
    struct peer *next; /* among those that sent UPDATE */
    int fd;
    bool streams;
    bool ends;
    bool blocked; /* waits until the socket takes more */
    size_t dump_at; /* what of the dump is sent; SIZE_MAX: no dump under way */
    size_t in_end;
    char in[IN_BYTES];
    char *out;
    size_t out_start;
    size_t out_end;
    size_t out_size;
};

struct responder {
    const struct options *options;
    int listener;
    int epoll;
    struct peer *streaming;
    char *dump; /* all rows and the OK, for the tag X1 that the generator uses */
    size_t dump_len;
};

static const char banner[] = "* AUTH \"PLAIN\"\r\n"
                             "* OK MUPDATE \"localhost\" \"mupdate-bench\" \"0\" \"(master)\"\r\n";

/* The generator tells the user what the end of its responder means. */
static _Noreturn void give_up(const char *what)
{
    perror(what);
    _exit(EX_OSERR);
}

static void peer_put(struct peer *peer, const char *data, size_t len)
{
    if (peer->out_start == peer->out_end) {
        peer->out_start = peer->out_end = 0;
    }
    if (peer->out_size - peer->out_end < len) {
        peer->out_size = (peer->out_end + len) * 2;
        peer->out = realloc(peer->out, peer->out_size);
        if (peer->out == NULL) {
            give_up("mupdate-bench: responder: out of memory");
        }
    }
    memcpy(peer->out + peer->out_end, data, len);
    peer->out_end += len;
}

static size_t put_text(char *out, const char *data, size_t len)
{
    memcpy(out, data, len);
    return len;
}

static size_t put_literal(char *out, const char *data, size_t len)
{
    size_t end = 0;
    end += put_text(out, " {", 2);
    if (len >= 100) {
        out[end++] = (char)('0' + len / 100);
    }
    if (len >= 10) {
        out[end++] = (char)('0' + len / 10 % 10);
    }
    out[end++] = (char)('0' + len % 10);
    end += put_text(out + end, "+}\r\n", 4);
    end += put_text(out + end, data, len);
    return end;
}

static size_t put_row(const struct row_set *set, struct message_text tag, uint64_t number,
                      char *out)
{
    char text[ROW_TEXT_BYTES];
    size_t end = put_text(out, tag.data, tag.len);
    end += put_text(out + end, " MAILBOX", 8);
    end += put_literal(out + end, text, row_name(set, number, text));
    end += put_literal(out + end, text, row_location(number, text));
    end += put_literal(out + end, text, row_acl(set, number, 0, text));
    end += put_text(out + end, "\r\n", 2);
    return end;
}

static void make_dump(struct responder *responder)
{
    static const struct message_text tag = {"X1", 2};
    static const char done[] = "X1 OK \"done\"\r\n";
    uint64_t rows = responder->options->rows;
    responder->dump = malloc(rows * ANSWER_BYTES / 2 + sizeof(done) + ANSWER_BYTES);
    if (responder->dump == NULL) {
        give_up("mupdate-bench: responder: out of memory");
    }
    for (uint64_t row = 0; row < rows; row++) {
        responder->dump_len += put_row(&responder->options->set, tag, row,
                                       responder->dump + responder->dump_len);
    }
    responder->dump_len += put_text(responder->dump + responder->dump_len, done, sizeof(done) - 1);
}

/* Send the dump, then the answers; false when the peer was answered its LOGOUT. */
static bool peer_flush(struct responder *responder, struct peer *peer)
{
    for (;;) {
        bool dumps = peer->dump_at != SIZE_MAX;
        const char *data = dumps ? responder->dump + peer->dump_at : peer->out + peer->out_start;
        size_t len = dumps ? responder->dump_len - peer->dump_at : peer->out_end - peer->out_start;
        if (len == 0 && dumps) {
            peer->dump_at = SIZE_MAX;
            continue;
        }
        if (len == 0) {
            break;
        }
        ssize_t sent = send(peer->fd, data, len, MSG_NOSIGNAL);
        if (sent < 0) {
            break;
        }
        *(dumps ? &peer->dump_at : &peer->out_start) += (size_t)sent;
    }
    bool blocked = peer->dump_at != SIZE_MAX || peer->out_start < peer->out_end;
    if (blocked != peer->blocked) {
        struct epoll_event event = {.events = blocked ? EPOLLIN | EPOLLOUT : EPOLLIN,
                                    .data.ptr = peer};
        if (epoll_ctl(responder->epoll, EPOLL_CTL_MOD, peer->fd, &event) != 0) {
            give_up("mupdate-bench: responder: epoll_ctl");
        }
        peer->blocked = blocked;
    }
    return !peer->ends;
}

static void tell_subscribers(struct responder *responder, const struct message *command)
{
    char row[IN_BYTES];
    size_t end = put_text(row, "X1 MAILBOX", 10);
    for (size_t i = 0; i < 3; i++) {
        if (command->arguments[i].len > 999) {
            return;
        }
        end += put_literal(row + end, command->arguments[i].data, command->arguments[i].len);
    }
    end += put_text(row + end, "\r\n", 2);
    for (struct peer *peer = responder->streaming; peer != NULL; peer = peer->next) {
        peer_put(peer, row, end);
    }
}

static void list_location(struct responder *responder, struct peer *peer, struct message_text tag,
                          struct message_text prefix)
{
    char out[ANSWER_BYTES];
    char location[ROW_TEXT_BYTES];
    for (uint64_t row = 0; row < responder->options->rows; row++) {
        size_t len = row_location(row, location);
        if (prefix.len <= len && memcmp(location, prefix.data, prefix.len) == 0) {
            peer_put(peer, out, put_row(&responder->options->set, tag, row, out));
        }
    }
}

static void answer(struct responder *responder, struct peer *peer, const struct message *command)
{
    static const char done[] = " OK \"done\"\r\n";
    char out[ANSWER_BYTES];
    size_t end = 0;
    uint64_t number;
    if (message_text_is(command->word, "FIND") && command->count == 1 &&
        row_number(&responder->options->set, command->arguments[0], &number)) {
        end = put_row(&responder->options->set, command->tag, number, out);
    } else if (message_text_is(command->word, "LIST") && command->count == 1) {
        list_location(responder, peer, command->tag, command->arguments[0]);
    } else if (message_text_is(command->word, "UPDATE") || message_text_is(command->word, "LIST")) {
        peer->dump_at = 0;
        if (command->word.data[0] == 'U' && !peer->streams) {
            peer->streams = true;
            peer->next = responder->streaming;
            responder->streaming = peer;
        }
        return;
    } else if (message_text_is(command->word, "ACTIVATE") && command->count == 3 &&
               responder->streaming != NULL) {
        tell_subscribers(responder, command);
    }
    end += put_text(out + end, command->tag.data, command->tag.len);
    end += put_text(out + end, done, sizeof(done) - 1);
    peer_put(peer, out, end);
}

static void peer_free(struct responder *responder, struct peer *peer)
{
    for (struct peer **at = &responder->streaming; *at != NULL; at = &(*at)->next) {
        if (*at == peer) {
            *at = peer->next;
            break;
        }
    }
    close(peer->fd);
    free(peer->out);
    free(peer);
}

static void peer_accept(struct responder *responder)
{
    int fd = accept4(responder->listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (fd < 0) {
        return;
    }
    int one = 1;
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
    struct peer *peer = malloc(sizeof(*peer));
    if (peer == NULL) {
        give_up("mupdate-bench: responder: out of memory");
    }
    *peer = (struct peer){.fd = fd, .dump_at = SIZE_MAX};
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = peer};
    if (epoll_ctl(responder->epoll, EPOLL_CTL_ADD, fd, &event) != 0) {
        give_up("mupdate-bench: responder: epoll_ctl");
    }
    peer_put(peer, banner, sizeof(banner) - 1);
    peer_flush(responder, peer);
    /* NOLINTNEXTLINE(clang-analyzer-unix.Malloc): epoll holds it; peer_free() frees it */
}

static void peer_read(struct responder *responder, struct peer *peer)
{
    ssize_t received = recv(peer->fd, peer->in + peer->in_end, IN_BYTES - peer->in_end, 0);
    if (received <= 0) {
        peer_free(responder, peer);
        return;
    }
    peer->in_end += (size_t)received;
    size_t at = 0;
    struct message command;
    while (at < peer->in_end && !peer->ends) {
        enum message_result result = message_parse(peer->in + at, peer->in_end - at, &command);
        if (result == MESSAGE_PARTIAL) {
            break;
        }
        if (result == MESSAGE_BAD) {
            peer_free(responder, peer);
            return;
        }
        at += command.octets;
        answer(responder, peer, &command);
        peer->ends = message_text_is(command.word, "LOGOUT");
    }
    memmove(peer->in, peer->in + at, peer->in_end - at);
    peer->in_end -= at;
    for (struct peer *other = responder->streaming; other != NULL; other = other->next) {
        if (other->out_start < other->out_end && !other->blocked && other != peer) {
            peer_flush(responder, other);
        }
    }
    if (!peer_flush(responder, peer)) {
        peer_free(responder, peer);
    }
}

static _Noreturn void respond(struct responder *responder)
{
    make_dump(responder);
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = NULL};
    responder->epoll = epoll_create1(EPOLL_CLOEXEC);
    if (responder->epoll < 0 ||
        epoll_ctl(responder->epoll, EPOLL_CTL_ADD, responder->listener, &event) != 0) {
        give_up("mupdate-bench: responder: epoll");
    }
    for (;;) {
        struct epoll_event events[EVENTS_PER_WAIT];
        int count = epoll_wait(responder->epoll, events, EVENTS_PER_WAIT, -1);
        for (int i = 0; i < count; i++) {
            struct peer *peer = events[i].data.ptr;
            if (peer == NULL) {
                peer_accept(responder);
            } else if ((events[i].events & EPOLLIN) != 0) {
                peer_read(responder, peer);
            } else if ((events[i].events & (EPOLLHUP | EPOLLERR)) != 0) {
                peer_free(responder, peer);
            } else {
                peer_flush(responder, peer);
            }
        }
    }
}

void responder_start(struct options *options)
{
    struct responder responder = {.options = options};
    struct sockaddr_in address = {.sin_family = AF_INET,
                                  .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof(address);
    responder.listener = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (responder.listener < 0 ||
        bind(responder.listener, (struct sockaddr *)&address, len) != 0 ||
        listen(responder.listener, SOMAXCONN) != 0 ||
        getsockname(responder.listener, (struct sockaddr *)&address, &len) != 0) {
        report_failure(EX_OSERR, "responder: %s", strerror(errno));
    }
    snprintf(options->host, sizeof(options->host), "127.0.0.1");
    snprintf(options->port, sizeof(options->port), "%u", (unsigned)ntohs(address.sin_port));
    pid_t parent = getpid();
    pid_t child = fork();
    if (child < 0) {
        report_failure(EX_OSERR, "responder: fork: %s", strerror(errno));
    }
    if (child == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        if (getppid() != parent) {
            _exit(EX_OK);
        }
        respond(&responder);
    }
    close(responder.listener);
}
