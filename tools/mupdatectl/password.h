/*
 * Where the password comes from: a file or the terminal, never the command
 * line or the environment, which others on the host can see.
 *
 * SPDX-License-Identifier: BSD-3-Clause
 */
#ifndef MUPDATECTL_PASSWORD_H
#define MUPDATECTL_PASSWORD_H

#include "tools/mupdatectl/command.h"

/*
 * Read the first line of a file, allocated. A regular file that others may
 * read is refused, as ssh(1) and psql(1) refuse keys: group access is for files of root
 * only. Exit status.
 */
int ctl_password_read(const char *path, char **password);

/* The context of ctl_password_give(). */
struct ctl_password {
    struct ctl *ctl;
    int status; /* exit status; other than 0 after it returned NULL */
};

/* For struct mupdate_connect_options: the known password, or ask on the terminal. */
char *ctl_password_give(void *context);

#endif
