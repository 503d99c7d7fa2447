/* SPDX-License-Identifier: BSD-3-Clause */
#include "mupdated/store/sync.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

int sync_directory(const char *path)
{
    int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    int code = 0;

    if (fd < 0)
        return errno;
    /* Some file systems cannot sync a directory and say EINVAL. */
    if (fsync(fd) != 0 && errno != EINVAL)
        code = errno;
    close(fd);
    return code;
}

int sync_parent(const char *path)
{
    const char *slash = strrchr(path, '/');
    char *parent;
    int code;

    if (!slash)
        return sync_directory(".");
    parent = slash == path ? strdup("/") : strndup(path, (size_t)(slash - path));
    if (!parent)
        return ENOMEM;
    code = sync_directory(parent);
    free(parent);
    return code;
}
