/*
 * A file that is there whole or not at all; or standard output.
 *
 * SPDX-License-Identifier: BSD-3-Clause
 */
#ifndef MUPDATECTL_OUTPUT_FILE_H
#define MUPDATECTL_OUTPUT_FILE_H

#include <limits.h>
#include <stdbool.h>
#include <stddef.h>

struct ctl_output_file {
    const char *path;     /* NULL: standard output */
    char part[PATH_MAX];  /* its name until it is whole; "": path is no regular file */
    int fd;
    char *buffer;
    size_t len;
    int failed;           /* exit status; the reason was said */
};

/* Begin. A regular file gets mode 0600 and takes the place of path at the end. Exit status. */
int ctl_output_file_open(struct ctl_output_file *file, const char *path);

/* False when it cannot be written; file->failed. */
bool ctl_output_file_write(struct ctl_output_file *file, const void *data, size_t len);

/*
 * With status 0: make it durable and give it its name. Else remove what there is. Returns the
 * exit status of it all.
 */
int ctl_output_file_close(struct ctl_output_file *file, int status);

#endif
