/*
 * A dump in a file (mupdate-dump(5)), read for load and for comparisons.
 *
 * SPDX-License-Identifier: BSD-3-Clause
 */
#ifndef MUPDATECTL_DUMP_FILE_H
#define MUPDATECTL_DUMP_FILE_H

#include "mupdated/dump/reader.h"
#include "tools/mupdatectl/differences.h"
#include "tools/mupdatectl/progress.h"

struct ctl_dump_file {
    const char *path;
    int fd;
    uint64_t size;
    struct rule_policy policy;
    struct dump_reader *reader;
    char *piece;
    struct ctl_progress progress;
    bool progressing;
};

/* Open it; it must be a regular file, since it is read twice. Exit status. */
int ctl_dump_file_open(struct ctl_dump_file *file, const char *path,
                       const struct rule_policy *policy);
void ctl_dump_file_close(struct ctl_dump_file *file);

/* Go back to its begin. what is for the progress bar; NULL: none. Exit status. */
int ctl_dump_file_begin(struct ctl_dump_file *file, const char *what);

/*
 * The next row, valid until the next call. False at the end, or with *status set when the dump
 * is not good: each fault was said as FILE:LINE.
 */
bool ctl_dump_file_next(struct ctl_dump_file *file, struct row *row, int *status);

/*
 * Read all of it and see that it is good. *header is valid until ctl_dump_file_begin(). Exit
 * status.
 */
int ctl_dump_file_check(struct ctl_dump_file *file, struct dump_header *header);

/* Its rows for a comparison. */
struct ctl_source ctl_dump_file_source(struct ctl_dump_file *file);

#endif
