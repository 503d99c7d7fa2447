/* SPDX-License-Identifier: BSD-3-Clause */
#include "mupdated/store/wal.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
    AT_PREVIOUS = 0,
    AT_LEN = 4,
    AT_SUM = 8,
    HEADER_BYTES = 12,
    /* in a record, behind its header */
    AT_TYPE = 0,
    AT_TRANSACTION = 4,
    AT_CHECKPOINT = 16,
    AT_OPERATION = 16,
    AT_HEAD_LEN = 36, /* of an item that is put on a page or taken away */
    AT_ITEM_LEN = 40, /* when there is no head, as of a key */
    AT_ITEM = 44,
    AT_FULL_BYTES = 8, /* of the record that begins a file */
    FIRST_RECORD_BYTES = 16,
};

enum { TYPE_COMMIT = 10, TYPE_CHECKPOINT = 11, TYPE_ITEM = 41 };

/* To add, in the second octet, and to a leaf, in the first. */
enum { OPERATION_ADD = 0x105, OPERATION_COMMIT = 1 };

#define SEQUENCE_BYTES 8

#define LOG_MAGIC 0x040988U

/* A disk writes so much whole or not at all. */
#define SECTOR_BYTES 512

/* One holds little more than a page. */
#define RECORD_BYTES_MAX (1U << 16)

#define FILE_BYTES_MAX (1U << 30)

struct wal_file {
    unsigned char *octets;
    size_t len;
};

static uint32_t get_u32(const unsigned char *from)
{
    uint32_t value;

    memcpy(&value, from, sizeof value);
    return value;
}

static void found(struct wal *wal, enum wal_state state, uint32_t file, size_t offset, int code)
{
    if (wal->state != WAL_GOOD)
        return;
    wal->state = state;
    wal->at = (struct page_place){file, (uint32_t)offset};
    wal->code = code;
}

const char *wal_state_text(enum wal_state state)
{
    switch (state) {
    case WAL_NONE:
        return "there is none";
    case WAL_GAP:
        return "it is missing";
    case WAL_DAMAGED:
        return "a record was damaged after it was written";
    case WAL_CUT:
        return "it was cut off";
    case WAL_UNREADABLE:
        return "it cannot be read";
    default:
        return "it is good";
    }
}

/* --- one file --- */

static int read_octets(int fd, struct wal_file *file)
{
    struct stat status;

    if (fstat(fd, &status) != 0)
        return errno;
    if (!S_ISREG(status.st_mode) || status.st_size > FILE_BYTES_MAX)
        return EINVAL;
    file->len = (size_t)status.st_size;
    file->octets = malloc(file->len ? file->len : 1);
    if (!file->octets)
        return ENOMEM;
    for (size_t done = 0; done < file->len;) {
        ssize_t got = pread(fd, file->octets + done, file->len - done, (off_t)done);

        if (got < 0 && errno == EINTR)
            continue;
        if (got <= 0)
            return got < 0 ? errno : EIO;
        done += (size_t)got;
    }
    return 0;
}

static int read_file(const char *directory, uint32_t number, struct wal_file *file)
{
    char *path;
    int fd;
    int code;

    if (asprintf(&path, "%s/log.%010u", directory, number) < 0)
        return ENOMEM;
    fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
    free(path);
    if (fd < 0)
        return errno;
    code = read_octets(fd, file);
    close(fd);
    return code;
}

/* Length of the record at an offset, header included; 0 when there is none that is good. */
static size_t record_at(const struct wal_file *file, size_t at, size_t previous)
{
    const unsigned char *header = file->octets + at;
    uint32_t sum = 0;
    size_t len;

    if (at + HEADER_BYTES > file->len)
        return 0;
    len = get_u32(header + AT_LEN);
    if (len < HEADER_BYTES + 4 || len > file->len - at ||
        (at > 0 && get_u32(header + AT_PREVIOUS) != previous))
        return 0;
    for (size_t i = HEADER_BYTES; i < len; i++)
        sum = sum * 33 + header[i];
    sum ^= get_u32(header + AT_PREVIOUS) ^ get_u32(header + AT_LEN);
    return sum == get_u32(header + AT_SUM) ? len : 0;
}

static void note_record(struct wal *wal, const unsigned char *record, size_t len)
{
    uint32_t type = get_u32(record + AT_TYPE);

    if (type == TYPE_COMMIT)
        wal->used = true;
    if (type != TYPE_CHECKPOINT || len < AT_CHECKPOINT + 8)
        return;
    wal->needed.file = get_u32(record + AT_CHECKPOINT);
    wal->needed.offset = get_u32(record + AT_CHECKPOINT + 4);
}

static size_t zeros_from(const struct wal_file *file, size_t at)
{
    size_t end = at;

    while (end < file->len && file->octets[end] == 0)
        end++;
    return end - at;
}

/*
 * Whether the record there is whole but for its length: some other length agrees with its sum.
 * One without a type was not written up to there, and of zeros, too, some length may agree.
 */
static bool has_lost_its_length(const struct wal_file *file, size_t at)
{
    const unsigned char *header = file->octets + at;
    uint32_t sum = 0;

    if (at + HEADER_BYTES + 4 > file->len || get_u32(header + HEADER_BYTES + AT_TYPE) == 0)
        return false;
    for (size_t len = HEADER_BYTES; len < file->len - at && len < RECORD_BYTES_MAX; len++) {
        if (len >= HEADER_BYTES + 4 &&
            (sum ^ get_u32(header + AT_PREVIOUS) ^ (uint32_t)len) == get_u32(header + AT_SUM))
            return true;
        sum = sum * 33 + header[len];
    }
    return false;
}

/*
 * Something stands where no good record does. Sectors that were never written are zeros: if
 * one of those is among them the machine went down, or the process was killed, in the middle of a
 * write, of which nobody was told that it was done. Else all of it was written, and is not
 * what it was.
 */
static bool is_torn(const struct wal_file *file, size_t at)
{
    size_t len = at + HEADER_BYTES <= file->len ? get_u32(file->octets + at + AT_LEN) : 0;
    size_t end = len >= HEADER_BYTES && len <= file->len - at ? at + len : at + HEADER_BYTES;

    if (end > file->len)
        end = file->len;
    if (has_lost_its_length(file, at))
        return false;
    while (at < end) {
        size_t sector_end = (at / SECTOR_BYTES + 1) * SECTOR_BYTES;

        if (sector_end > file->len)
            sector_end = file->len;
        if (zeros_from(file, at) >= sector_end - at)
            return true;
        at = sector_end;
    }
    return false;
}

/*
 * Whether a change gets its number: its key goes into the log of changes. Only a batch does that
 * to a table that is served; what trims it takes keys away. No name of a row begins with a zero.
 */
static bool adds_change(const unsigned char *record, size_t len)
{
    return len >= AT_ITEM + SEQUENCE_BYTES && get_u32(record + AT_TYPE) == TYPE_ITEM &&
           get_u32(record + AT_OPERATION) == OPERATION_ADD &&
           get_u32(record + AT_HEAD_LEN) == 0 &&
           get_u32(record + AT_ITEM_LEN) == SEQUENCE_BYTES && record[AT_ITEM] == 0;
}

static bool commits(const unsigned char *record, size_t len, uint32_t transaction)
{
    return len >= AT_OPERATION + 4 && get_u32(record + AT_TYPE) == TYPE_COMMIT &&
           get_u32(record + AT_TRANSACTION) == transaction &&
           get_u32(record + AT_OPERATION) == OPERATION_COMMIT;
}

/* Length of a record behind a hole, when it is not known where the one before it begins. */
static size_t record_behind(const struct wal_file *file, size_t at, size_t hole)
{
    size_t previous;

    if (at + HEADER_BYTES > file->len)
        return 0;
    previous = get_u32(file->octets + at + AT_PREVIOUS);
    return previous >= hole && previous < at ? record_at(file, at, previous) : 0;
}

/*
 * Whether what is missing at a hole had come to the disk once. Writes that were not synced may
 * come there in any order, so that the end of a batch may be there without its begin, and so may
 * trims, which are not synced. But no batch begins before the one before it was synced, with all
 * that stands before it: a whole end of one batch and something of the next prove it.
 */
static bool was_synced(const struct wal_file *file, size_t hole)
{
    uint32_t batch = 0;
    bool committed = false;
    size_t len;

    for (size_t at = hole + 1; at + HEADER_BYTES <= file->len; at += len ? len : 1) {
        const unsigned char *record = file->octets + at + HEADER_BYTES;

        len = record_behind(file, at, hole);
        if (len == 0)
            continue;
        if (adds_change(record, len - HEADER_BYTES)) {
            if (committed)
                return true;
            batch = get_u32(record + AT_TRANSACTION);
        } else if (batch && commits(record, len - HEADER_BYTES, batch)) {
            committed = true;
        }
    }
    return false;
}

static void look_at_end(struct wal *wal, const struct wal_file *file, uint32_t number, size_t at,
                        size_t full)
{
    wal->end = (struct page_place){number, (uint32_t)at};
    /* Berkeley DB makes it one octet short of its full size. */
    if (file->len + 1 < full) {
        found(wal, WAL_CUT, number, file->len, 0);
        return;
    }
    if (zeros_from(file, at) == file->len - at)
        return;
    if (number == wal->last && is_torn(file, at) && !was_synced(file, at))
        wal->torn = true;
    else
        found(wal, WAL_DAMAGED, number, at, 0);
}

static int look_at_file(struct wal *wal, const char *directory, uint32_t number)
{
    struct wal_file file = {NULL, 0};
    int code = read_file(directory, number, &file);
    size_t at = 0;
    size_t previous = 0;
    size_t full = 0;
    size_t len;

    if (code == 0 && file.len >= HEADER_BYTES + FIRST_RECORD_BYTES &&
        record_at(&file, 0, 0) && get_u32(file.octets + HEADER_BYTES) == LOG_MAGIC)
        full = get_u32(file.octets + HEADER_BYTES + AT_FULL_BYTES);
    while (full && (len = record_at(&file, at, previous)) != 0) {
        if (at > 0)
            note_record(wal, file.octets + at + HEADER_BYTES, len - HEADER_BYTES);
        previous = at;
        at += len;
    }
    if (full) {
        look_at_end(wal, &file, number, at, full);
    } else if (code == ENOENT) {
        found(wal, WAL_GAP, number, 0, 0);
    } else if (code == 0 && file.len > 0 && zeros_from(&file, 0) == file.len) {
        /* One that was begun and not written to. */
        wal->end = (struct page_place){number, 0};
    } else if (code != ENOMEM) {
        found(wal, code == 0 && file.len < HEADER_BYTES + FIRST_RECORD_BYTES ? WAL_CUT
                                                                             : WAL_UNREADABLE,
              number, 0, code);
    }
    free(file.octets);
    return code == ENOMEM ? ENOMEM : 0;
}

/* --- all --- */

static uint32_t number_of(const char *name)
{
    unsigned long number;
    char *end;

    if (strncmp(name, "log.", 4) != 0 || strlen(name) != 14 ||
        strspn(name + 4, "0123456789") != 10)
        return 0;
    number = strtoul(name + 4, &end, 10);
    return number < UINT32_MAX ? (uint32_t)number : 0;
}

static int find_files(struct wal *wal, const char *directory)
{
    DIR *files = opendir(directory);
    const struct dirent *entry;

    if (!files)
        return errno;
    while ((entry = readdir(files))) {
        uint32_t number = number_of(entry->d_name);

        if (number && (!wal->first || number < wal->first))
            wal->first = number;
        if (number > wal->last)
            wal->last = number;
    }
    (void)closedir(files);
    return 0;
}

int wal_read(struct wal *wal, const char *directory, bool all)
{
    int code;

    memset(wal, 0, sizeof *wal);
    code = find_files(wal, directory);
    if (code != 0)
        return code;
    if (wal->last == 0)
        wal->state = WAL_NONE;
    for (uint32_t number = all ? wal->first : wal->last; number && number <= wal->last; number++) {
        code = look_at_file(wal, directory, number);
        if (code != 0)
            return code;
    }
    return 0;
}
