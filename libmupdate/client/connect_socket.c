/* SPDX-License-Identifier: BSD-3-Clause */
#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "client/connect_steps.h"

bool connect_host_is_unix(const char *host, const char **path)
{
    if (strncmp(host, "unix:", 5) != 0)
        return false;
    *path = host + 5;
    return true;
}

/* Returns 0 when connected, or an errno. A connect() that a signal interrupted goes on by itself.
 */
static int await_connection(int fd, int64_t until)
{
    struct pollfd poll_fd = {.fd = fd, .events = POLLOUT};
    int failure = 0;
    socklen_t len = sizeof failure;
    int ready;

    do
        ready = poll(&poll_fd, 1, moment_left(until));
    while (ready < 0 && errno == EINTR);
    if (ready == 0)
        return ETIMEDOUT;
    if (ready < 0 || getsockopt(fd, SOL_SOCKET, SO_ERROR, &failure, &len) < 0)
        return errno;
    return failure;
}

/* Returns a socket, or -1 with errno set. */
static int connect_address(int family, const struct sockaddr *address, socklen_t len, int64_t until)
{
    int fd = socket(family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    int failure = 0;

    if (fd < 0)
        return -1;
    if (connect(fd, address, len) < 0)
        failure = errno == EINPROGRESS || errno == EINTR ? await_connection(fd, until) : errno;
    /* A command is one small write that waits for its answer: it must not be held back. */
    if (!failure && family != AF_UNIX) {
        int on = 1;

        (void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
        (void)setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof on);
    }
    if (failure) {
        close(fd);
        errno = failure;
        return -1;
    }
    return fd;
}

static int connect_unix(const char *path, int64_t until, const char *peer,
                        struct mupdate_connect_error *error)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int fd;

    if (path[0] != '/' || strlen(path) >= sizeof address.sun_path) {
        connect_error_set(error, MUPDATE_CONNECT_USAGE,
                          "%s: a socket is given as unix:/path, of at most %zu octets", peer,
                          sizeof address.sun_path - 1);
        return -1;
    }
    memcpy(address.sun_path, path, strlen(path));
    fd = connect_address(AF_UNIX, (const struct sockaddr *)&address, sizeof address, until);
    if (fd < 0) {
        int cause = errno;

        connect_error_set(error, MUPDATE_CONNECT_UNREACHABLE, "cannot reach %s: %s; %s", peer,
                          strerror(cause),
                          cause == EACCES ? "may this user use that socket?"
                                          : "is mupdated running there? See mupdated(8)");
    }
    return fd;
}

static void not_resolved(int result, const char *host, const char *port, const char *peer,
                         struct mupdate_connect_error *error)
{
    switch (result) {
    case EAI_MEMORY:
        connect_error_set(error, MUPDATE_CONNECT_MEMORY, "out of memory while looking up %s", host);
        break;
    case EAI_SERVICE:
        connect_error_set(error, MUPDATE_CONNECT_USAGE,
                          "%s: %s is neither a port number nor a service of /etc/services", peer,
                          port);
        break;
    default:
        connect_error_set(error, MUPDATE_CONNECT_NO_HOST,
                          "cannot find the host %s: %s; check the name and this host's DNS", host,
                          result == EAI_SYSTEM ? strerror(errno) : gai_strerror(result));
    }
}

/* Appends "ADDRESS: REASON" to what was tried so far. */
static void add_failure(char *tried, size_t size, const struct addrinfo *address, int cause)
{
    char name[NI_MAXHOST];
    size_t len = strlen(tried);

    if (getnameinfo(address->ai_addr, address->ai_addrlen, name, sizeof name, NULL, 0,
                    NI_NUMERICHOST) != 0)
        strcpy(name, "?");
    snprintf(tried + len, size - len, "%s%s: %s", len ? ", " : "", name, strerror(cause));
}

/* getaddrinfo() takes such a number for what is left of it in 16 bits. */
static bool port_is_too_high(const char *port)
{
    size_t digits = strspn(port, "0123456789");

    return digits > 0 && !port[digits] && (digits > 9 || strtoul(port, NULL, 10) > 65535);
}

int connect_socket(const struct mupdate_connect_options *options, int timeout_ms, const char *peer,
                   struct mupdate_connect_error *error)
{
    int64_t until = moment_after(timeout_ms);
    const char *port = options->port ? options->port : MUPDATE_DEFAULT_PORT;
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM};
    struct addrinfo *addresses;
    struct addrinfo *address;
    const char *path;
    char tried[320] = "";
    bool all_timed_out = true;
    int left = 0;
    int result;
    int fd = -1;

    if (connect_host_is_unix(options->host, &path))
        return connect_unix(path, until, peer, error);

    result = port_is_too_high(port) ? EAI_SERVICE
                                    : getaddrinfo(options->host, port, &hints, &addresses);
    if (result != 0) {
        not_resolved(result, options->host, port, peer, error);
        return -1;
    }
    for (address = addresses; address; address = address->ai_next)
        left++;
    for (address = addresses; address && fd < 0; address = address->ai_next) {
        /* One address that swallows packets must not use up the time of the others. */
        int64_t share =
            until == MOMENT_NEVER ? MOMENT_NEVER : moment_after(moment_left(until) / left);

        left--;
        fd = connect_address(address->ai_family, address->ai_addr, address->ai_addrlen, share);
        if (fd < 0) {
            all_timed_out = all_timed_out && errno == ETIMEDOUT;
            add_failure(tried, sizeof tried, address, errno);
        }
    }
    if (fd < 0) {
        bool numeric =
            addresses && !addresses->ai_next &&
            strncmp(tried, options->host, strlen(options->host)) == 0;

        connect_error_set(error,
                          all_timed_out ? MUPDATE_CONNECT_TIMEOUT : MUPDATE_CONNECT_UNREACHABLE,
                          "cannot reach %s: %s; is mupdated running there? See mupdated(8)", peer,
                          numeric ? tried + strlen(options->host) + 2 : tried);
    }
    freeaddrinfo(addresses);
    return fd;
}
