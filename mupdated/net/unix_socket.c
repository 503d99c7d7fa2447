/* SPDX-License-Identifier: BSD-3-Clause */
#include "mupdated/net/unix_socket.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

static bool is_alive(const struct sockaddr_un *address)
{
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    bool alive;

    if (fd < 0)
        return true;
    alive = connect(fd, (const struct sockaddr *)address, sizeof *address) == 0 ||
            errno != ECONNREFUSED;
    close(fd);
    return alive;
}

const char *unix_socket_make_way(const char *path)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    struct stat status;

    if (strlen(path) >= sizeof address.sun_path)
        return "the path is too long: a socket's has at most 107 octets";
    if (lstat(path, &status) != 0)
        return errno == ENOENT ? NULL : strerror(errno);
    strcpy(address.sun_path, path);
    if (!S_ISSOCK(status.st_mode) || is_alive(&address) || unlink(path) != 0)
        return "the path exists and is in use, or is no socket; remove it";
    return NULL;
}
