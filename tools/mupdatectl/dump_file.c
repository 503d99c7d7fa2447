/* SPDX-License-Identifier: BSD-3-Clause */
#include "tools/mupdatectl/dump_file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sysexits.h>
#include <unistd.h>

#include "tools/mupdatectl/command.h"

#define PIECE_BYTES (256U << 10)

int ctl_dump_file_open(struct ctl_dump_file *file, const char *path,
                       const struct rule_policy *policy)
{
    struct stat status;

    memset(file, 0, sizeof *file);
    file->path = path;
    file->policy = *policy;
    file->fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (file->fd < 0)
        return ctl_complain(EX_NOINPUT, "cannot read %s: %s", path, strerror(errno));
    if (fstat(file->fd, &status) != 0 || !S_ISREG(status.st_mode)) {
        ctl_dump_file_close(file);
        return ctl_complain(EX_NOINPUT,
                            "%s is no regular file; a dump is read twice, so it must be one", path);
    }
    file->size = (uint64_t)status.st_size;
    file->piece = malloc(PIECE_BYTES);
    if (file->piece)
        return 0;
    ctl_dump_file_close(file);
    return ctl_complain(EX_OSERR, "out of memory");
}

void ctl_dump_file_close(struct ctl_dump_file *file)
{
    dump_reader_free(file->reader);
    file->reader = NULL;
    free(file->piece);
    file->piece = NULL;
    if (file->fd >= 0)
        close(file->fd);
    file->fd = -1;
}

static void complain(void *context, uint64_t line, const char *text)
{
    struct ctl_dump_file *file = context;

    ctl_progress_end(&file->progress);
    (void)ctl_complain(0, "%s:%llu: %s", file->path, (unsigned long long)line, text);
}

int ctl_dump_file_begin(struct ctl_dump_file *file, const char *what)
{
    dump_reader_free(file->reader);
    file->reader = dump_reader_new(&file->policy, complain, file);
    if (!file->reader)
        return ctl_complain(EX_OSERR, "out of memory");
    if (lseek(file->fd, 0, SEEK_SET) != 0)
        return ctl_complain(EX_IOERR, "cannot read %s: %s", file->path, strerror(errno));
    file->progressing = what != NULL;
    if (what)
        ctl_progress_begin(&file->progress, what, "MB", file->size);
    return 0;
}

static int give_more(struct ctl_dump_file *file)
{
    ssize_t got;

    do {
        got = read(file->fd, file->piece, PIECE_BYTES);
    } while (got < 0 && errno == EINTR);
    if (got < 0)
        return ctl_complain(EX_IOERR, "cannot read %s: %s", file->path, strerror(errno));
    if (got == 0)
        dump_reader_finish(file->reader);
    else
        dump_reader_give(file->reader, file->piece, (size_t)got);
    if (file->progressing)
        ctl_progress_step(&file->progress, dump_reader_octets(file->reader));
    return 0;
}

bool ctl_dump_file_next(struct ctl_dump_file *file, struct row *row, int *status)
{
    while (!*status) {
        switch (dump_reader_next(file->reader, row)) {
        case DUMP_ROW:
            return true;
        case DUMP_MORE:
            *status = give_more(file);
            continue;
        case DUMP_END:
            break;
        case DUMP_BAD:
            *status = ctl_complain(EX_DATAERR,
                                   "%s is not good and is not used; take another dump, or a "
                                   "backup with mupdatectl restore",
                                   file->path);
            break;
        case DUMP_NO_MEMORY:
            *status = ctl_complain(EX_OSERR, "out of memory");
            break;
        }
        break;
    }
    if (file->progressing)
        ctl_progress_end(&file->progress);
    return false;
}

int ctl_dump_file_check(struct ctl_dump_file *file, struct dump_header *header)
{
    struct row row;
    int status = ctl_dump_file_begin(file, "checking");

    while (!status && ctl_dump_file_next(file, &row, &status))
        ;
    if (!status)
        *header = *dump_reader_header(file->reader);
    return status;
}

static bool next(void *context, struct row *row, int *status)
{
    return ctl_dump_file_next(context, row, status);
}

struct ctl_source ctl_dump_file_source(struct ctl_dump_file *file)
{
    return (struct ctl_source){next, file};
}
