/* SPDX-License-Identifier: BSD-3-Clause */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sysexits.h>
#include <unistd.h>

#include "tools/mupdatectl/command.h"
#include "tools/mupdatectl/import.h"

#define PIECE_BYTES (256U << 10)
#define US_PER_S 1000000

static const struct {
    unsigned flag;
    const char *why;
} useless[] = {
    {CYRUS_DELETED, "deleted: Cyrus keeps it to remember that it is gone"},
    {CYRUS_INTERMEDIATE, "intermediate: no mailbox, only there for those below it"},
};

static const char moving[] = "on its way to another back-end: the one that has it will say so";
/* To be imported, and to be compared. */
static const char *const no_server[] = {
    "local: the dump does not say whose it is (see --server)",
    "local: the dump does not say whose it is (see verify --backend)",
};
static const char *const lost[] = {
    "left out by Cyrus, whose JSON cannot hold its name (see --from)",
    "left out by Cyrus, whose JSON cannot hold its name",
};

static struct mupdate_text text_of(const struct buffer *buffer)
{
    return (struct mupdate_text){(const char *)buffer_bytes(buffer), buffer_len(buffer)};
}

static int leave_out(struct ctl_import *import, const struct cyrus_entry *entry, const char *why,
                     bool harmless)
{
    return ctl_import_leave_out(import, entry->line, why, harmless, entry->name, "");
}

static int take(struct ctl_import *import, const struct cyrus_entry *entry)
{
    struct mupdate_text server = entry->server;
    struct row row = {
        .mupdate = {.state = entry->flags & CYRUS_RESERVED ? MUPDATE_RESERVED : MUPDATE_ACTIVE,
                    .name = entry->name},
        .time_us = entry->time_s >= 0 ? entry->time_s * US_PER_S : import->now_us,
    };

    for (size_t i = 0; i < sizeof useless / sizeof useless[0]; i++)
        if (entry->flags & useless[i].flag)
            return leave_out(import, entry, useless[i].why, true);
    if (entry->flags & CYRUS_MOVING)
        return leave_out(import, entry, moving, false);
    if (!server.data) {
        import->local += !import->server;
        if (!import->server)
            return leave_out(import, entry, no_server[import->comparing], false);
        server = (struct mupdate_text){import->server, strlen(import->server)};
    }
    buffer_clear(&import->location);
    buffer_append(&import->location, server.data, server.len);
    if (entry->partition.data) {
        buffer_append(&import->location, "!", 1);
        buffer_append(&import->location, entry->partition.data, entry->partition.len);
    }
    if (import->location.failed)
        return ctl_complain(EX_OSERR, "out of memory");
    row.mupdate.location = text_of(&import->location);
    /* A reserved row has none. */
    if (row.mupdate.state == MUPDATE_ACTIVE)
        row.mupdate.acl = entry->acl;
    return ctl_import_row(import, &row, entry->line);
}

static void complain(void *context, uint64_t line, const char *text)
{
    struct ctl_import *import = context;

    ctl_progress_end(&import->progress);
    (void)ctl_complain(0, "%s:%llu: %s", import->from, (unsigned long long)line, text);
}

static int give_more(struct ctl_import *import, struct cyrus_reader *reader, int fd, char *piece)
{
    ssize_t got;

    do {
        got = read(fd, piece, PIECE_BYTES);
    } while (got < 0 && errno == EINTR);
    if (got < 0)
        return ctl_complain(EX_IOERR, "cannot read %s: %s", import->from, strerror(errno));
    if (got == 0)
        cyrus_reader_finish(reader);
    else
        cyrus_reader_give(reader, piece, (size_t)got);
    ctl_progress_step(&import->progress, cyrus_reader_octets(reader));
    return 0;
}

static int read_all(struct ctl_import *import, struct cyrus_reader *reader, int fd, char *piece)
{
    struct cyrus_entry entry;
    int status = 0;

    while (!status) {
        switch (cyrus_reader_next(reader, &entry)) {
        case CYRUS_ENTRY:
            status = take(import, &entry);
            continue;
        case CYRUS_LOST:
            entry.name = (struct mupdate_text){NULL, 0};
            status = leave_out(import, &entry, lost[import->comparing], false);
            continue;
        case CYRUS_MORE:
            status = give_more(import, reader, fd, piece);
            continue;
        case CYRUS_END:
            return 0;
        case CYRUS_BAD:
            return ctl_complain(EX_DATAERR,
                                "%s is not good and is not used; take another dump with "
                                "ctl_mboxlist -d, or see mupdatectl import --help for --format",
                                import->from);
        case CYRUS_NO_MEMORY:
            return ctl_complain(EX_OSERR, "out of memory");
        }
    }
    return status;
}

static int open_file(const char *path, uint64_t *size)
{
    struct stat status;
    int fd = strcmp(path, "-") == 0 ? fcntl(STDIN_FILENO, F_DUPFD_CLOEXEC, 0)
                                    : open(path, O_RDONLY | O_CLOEXEC);

    if (fd >= 0 && fstat(fd, &status) == 0 && S_ISDIR(status.st_mode)) {
        close(fd);
        errno = EISDIR;
        return -1;
    }
    if (fd >= 0)
        *size = S_ISREG(status.st_mode) ? (uint64_t)status.st_size : 0;
    return fd;
}

int ctl_import_file(struct ctl_import *import, const char *path, enum cyrus_form form)
{
    uint64_t size = 0;
    struct cyrus_reader *reader;
    char *piece;
    int fd = open_file(path, &size);
    int status;

    import->from = strcmp(path, "-") == 0 ? "(standard input)" : path;
    if (fd < 0)
        return ctl_complain(EX_NOINPUT, "cannot read %s: %s", import->from, strerror(errno));
    reader = cyrus_reader_new(form, &import->policy, complain, import);
    piece = malloc(PIECE_BYTES);
    ctl_progress_begin(&import->progress, "reading", "MB", size);
    status = reader && piece ? read_all(import, reader, fd, piece)
                             : ctl_complain(EX_OSERR, "out of memory");
    ctl_progress_end(&import->progress);
    free(piece);
    cyrus_reader_free(reader);
    close(fd);
    return status;
}
