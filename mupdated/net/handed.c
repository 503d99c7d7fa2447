/* SPDX-License-Identifier: BSD-3-Clause */
#include "mupdated/net/handed.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/un.h>
#include <sysexits.h>
#include <systemd/sd-daemon.h>
#include <unistd.h>

#include "mupdated/log.h"

/* Room for "[ADDRESS] port N" or a path. */
#define PLACE_BYTES sizeof(struct sockaddr_un)

static int option(int fd, int level, int name)
{
    int value = -1;
    socklen_t len = sizeof value;

    return getsockopt(fd, level, name, &value, &len) == 0 ? value : -1;
}

/* What is wrong, or NULL. */
static const char *look_at(struct handed_socket *socket)
{
    socklen_t len = sizeof socket->address;

    if (option(socket->fd, SOL_SOCKET, SO_TYPE) != SOCK_STREAM)
        return "it is no stream socket: hand down what ListenStream= makes";
    if (option(socket->fd, SOL_SOCKET, SO_ACCEPTCONN) != 1)
        return "it does not listen: hand down what ListenStream= makes, without Accept=yes";
    if (getsockname(socket->fd, (struct sockaddr *)&socket->address, &len) != 0)
        return strerror(errno);
    switch (socket->address.ss_family) {
    case AF_INET:
        return NULL;
    case AF_UNIX:
        return ((struct sockaddr_un *)&socket->address)->sun_path[0] ? NULL : "it has no path";
    case AF_INET6:
        socket->dual =
            option(socket->fd, IPPROTO_IPV6, IPV6_V6ONLY) == 0 &&
            IN6_IS_ADDR_UNSPECIFIED(&((struct sockaddr_in6 *)&socket->address)->sin6_addr);
        return NULL;
    default:
        return "its address is not of IP, nor a path";
    }
}

static const char *format_place(const struct handed_socket *socket, char *place)
{
    char host[INET6_ADDRSTRLEN] = "?";

    if (socket->address.ss_family == AF_UNIX) {
        (void)snprintf(place, PLACE_BYTES, "%s",
                       ((const struct sockaddr_un *)&socket->address)->sun_path);
    } else if (socket->address.ss_family == AF_INET) {
        const struct sockaddr_in *in = (const struct sockaddr_in *)&socket->address;

        (void)inet_ntop(AF_INET, &in->sin_addr, host, sizeof host);
        (void)snprintf(place, PLACE_BYTES, "%s port %u", host, ntohs(in->sin_port));
    } else {
        const struct sockaddr_in6 *in = (const struct sockaddr_in6 *)&socket->address;

        (void)inet_ntop(AF_INET6, &in->sin6_addr, host, sizeof host);
        (void)snprintf(place, PLACE_BYTES, "[%s] port %u", host, ntohs(in->sin6_port));
    }
    return place;
}

static bool check(struct handed_socket *socket)
{
    const char *wrong = look_at(socket);
    char place[PLACE_BYTES];

    if (wrong) {
        log_error("handed down: fd=%d name=%s cannot be used: %s", socket->fd,
                  LOG_VALUE(socket->name, strlen(socket->name)), wrong);
        return false;
    }
    (void)format_place(socket, place);
    log_info("handed down: fd=%d name=%s address=%s", socket->fd,
             LOG_VALUE(socket->name, strlen(socket->name)), LOG_VALUE(place, strlen(place)));
    return true;
}

int handed_take(struct handed *handed)
{
    char **names = NULL;
    /* Neither a program that is executed later nor a second call may find them. */
    int count = sd_listen_fds_with_names(1, &names);
    int code = EX_OK;

    *handed = (struct handed){NULL, 0};
    if (count < 0) {
        log_error("handed down: the environment cannot be understood: %s", strerror(-count));
        return EX_OSERR;
    }
    if (count == 0)
        return EX_OK;
    handed->sockets = calloc((size_t)count, sizeof *handed->sockets);
    if (!handed->sockets) {
        for (int i = 0; i < count; i++)
            free(names[i]);
        free(names);
        log_error("cannot start: out of memory");
        return EX_OSERR;
    }
    handed->count = (size_t)count;
    for (size_t i = 0; i < handed->count; i++) {
        handed->sockets[i].fd = SD_LISTEN_FDS_START + (int)i;
        handed->sockets[i].name = names[i];
        if (!check(&handed->sockets[i]))
            code = EX_CONFIG;
    }
    free(names);
    if (code != EX_OK)
        handed_free(handed);
    return code;
}

static bool is_same(const struct sockaddr_storage *ours, const struct sockaddr *address)
{
    if (ours->ss_family != address->sa_family)
        return false;
    if (address->sa_family == AF_INET) {
        const struct sockaddr_in *a = (const struct sockaddr_in *)ours;
        const struct sockaddr_in *b = (const struct sockaddr_in *)address;

        return a->sin_port == b->sin_port && a->sin_addr.s_addr == b->sin_addr.s_addr;
    }
    if (address->sa_family == AF_INET6) {
        const struct sockaddr_in6 *a = (const struct sockaddr_in6 *)ours;
        const struct sockaddr_in6 *b = (const struct sockaddr_in6 *)address;

        return a->sin6_port == b->sin6_port && a->sin6_scope_id == b->sin6_scope_id &&
               memcmp(&a->sin6_addr, &b->sin6_addr, sizeof a->sin6_addr) == 0;
    }
    return strcmp(((const struct sockaddr_un *)ours)->sun_path,
                  ((const struct sockaddr_un *)address)->sun_path) == 0;
}

/* Whether this is 0.0.0.0 with the port of a socket that is dual. */
static bool is_covered(const struct handed_socket *socket, const struct sockaddr *address)
{
    const struct sockaddr_in *in = (const struct sockaddr_in *)address;

    return socket->dual && address->sa_family == AF_INET && in->sin_addr.s_addr == INADDR_ANY &&
           in->sin_port == ((const struct sockaddr_in6 *)&socket->address)->sin6_port;
}

enum handed_result handed_claim(struct handed *handed, const struct sockaddr *address, int *fd)
{
    for (size_t i = 0; i < handed->count; i++) {
        struct handed_socket *socket = &handed->sockets[i];

        if (is_covered(socket, address)) {
            socket->claimed_ipv4 = true;
            return HANDED_COVERED;
        }
        if (!socket->claimed && is_same(&socket->address, address)) {
            *fd = socket->fd;
            socket->fd = -1;
            socket->claimed = true;
            return HANDED_SOCKET;
        }
    }
    return HANDED_NONE;
}

bool handed_is_used_up(const struct handed *handed)
{
    bool good = true;

    for (size_t i = 0; i < handed->count; i++) {
        const struct handed_socket *socket = &handed->sockets[i];
        char place[PLACE_BYTES];

        if (socket->claimed && (!socket->dual || socket->claimed_ipv4))
            continue;
        (void)format_place(socket, place);
        log_error("handed down: name=%s address=%s%s is in no word of the key listen: make "
                  "ListenStream= of the socket unit and listen agree",
                  LOG_VALUE(socket->name, strlen(socket->name)), LOG_VALUE(place, strlen(place)),
                  socket->dual ? ", which takes IPv4 too," : "");
        good = false;
    }
    return good;
}

void handed_free(struct handed *handed)
{
    for (size_t i = 0; i < handed->count; i++) {
        if (handed->sockets[i].fd >= 0)
            close(handed->sockets[i].fd);
        free(handed->sockets[i].name);
    }
    free(handed->sockets);
    *handed = (struct handed){NULL, 0};
}
