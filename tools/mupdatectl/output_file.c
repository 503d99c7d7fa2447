/* SPDX-License-Identifier: BSD-3-Clause */
#include "tools/mupdatectl/output_file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sysexits.h>
#include <unistd.h>

#include "mupdated/store/sync.h"
#include "tools/mupdatectl/command.h"

#define BUFFER_BYTES (256U << 10)

static const char *name_of(const struct ctl_output_file *file)
{
    return file->path ? file->path : "standard output";
}

static int cannot(struct ctl_output_file *file, int code, int status)
{
    /* There is no message when the reader of a pipe ended. */
    file->failed = code == EPIPE ? EX_IOERR
                                 : ctl_complain(status, "cannot write to %s: %s", name_of(file),
                                                strerror(code));
    return file->failed;
}

int ctl_output_file_open(struct ctl_output_file *file, const char *path)
{
    struct stat status;

    memset(file, 0, sizeof *file);
    file->path = path;
    file->fd = -1;
    file->buffer = malloc(BUFFER_BYTES);
    if (!file->buffer)
        return ctl_complain(EX_OSERR, "out of memory");
    if (!path) {
        file->fd = STDOUT_FILENO;
        return 0;
    }
    if (stat(path, &status) == 0 && !S_ISREG(status.st_mode)) {
        /* A pipe, a terminal, /dev/null: nothing to take the place of. */
        file->fd = open(path, O_WRONLY | O_CLOEXEC | O_NOCTTY);
    } else if (snprintf(file->part, sizeof file->part, "%s.part-XXXXXX", path) >=
               (int)sizeof file->part) {
        errno = ENAMETOOLONG;
    } else {
        file->fd = mkostemp(file->part, O_CLOEXEC);
    }
    if (file->fd >= 0)
        return 0;
    free(file->buffer);
    file->buffer = NULL;
    return cannot(file, errno, EX_CANTCREAT);
}

static bool flush(struct ctl_output_file *file)
{
    for (size_t done = 0; done < file->len;) {
        ssize_t wrote = write(file->fd, file->buffer + done, file->len - done);

        if (wrote < 0 && errno == EINTR)
            continue;
        if (wrote <= 0) {
            (void)cannot(file, wrote < 0 ? errno : EIO, EX_IOERR);
            return false;
        }
        done += (size_t)wrote;
    }
    file->len = 0;
    return true;
}

bool ctl_output_file_write(struct ctl_output_file *file, const void *data, size_t len)
{
    const char *from = data;

    while (!file->failed && len > 0) {
        size_t room = BUFFER_BYTES - file->len;
        size_t part = len < room ? len : room;

        memcpy(file->buffer + file->len, from, part);
        file->len += part;
        from += part;
        len -= part;
        if (file->len == BUFFER_BYTES && !flush(file))
            return false;
    }
    return !file->failed;
}

static int finish(struct ctl_output_file *file)
{
    int code;

    if (!flush(file))
        return file->failed;
    if (!file->part[0])
        return 0;
    if (fsync(file->fd) != 0 || rename(file->part, file->path) != 0)
        return cannot(file, errno, EX_IOERR);
    file->part[0] = '\0';
    code = sync_parent(file->path);
    return code == 0 ? 0 : cannot(file, code, EX_IOERR);
}

int ctl_output_file_close(struct ctl_output_file *file, int status)
{
    if (!status && file->failed)
        status = file->failed;
    if (!status)
        status = finish(file);
    if (file->part[0])
        (void)unlink(file->part);
    if (file->path && file->fd >= 0 && close(file->fd) != 0 && !status && errno != EINTR)
        status = cannot(file, errno, EX_IOERR);
    file->fd = -1;
    free(file->buffer);
    file->buffer = NULL;
    return status;
}
