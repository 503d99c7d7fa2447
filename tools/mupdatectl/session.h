/*
 * The connection of a run, and commands whose answer is waited for.
 *
 * SPDX-License-Identifier: BSD-3-Clause
 */
#ifndef MUPDATECTL_SESSION_H
#define MUPDATECTL_SESSION_H

#include "tools/mupdatectl/command.h"

/* Connect and log in as the options say. Exit status. */
int ctl_connect(struct ctl *ctl);

/* LOGOUT and close; nothing when there is no connection. */
void ctl_disconnect(struct ctl *ctl);

/* The session of the connection. */
struct mupdate_client *ctl_client(struct ctl *ctl);

/* The exit status that stands for a failure. */
int ctl_exit_status(enum mupdate_connect_kind kind);

/* Called with each row; a status other than 0 ends the command. */
typedef int ctl_row(void *context, const struct mupdate_row *row);

/*
 * Wait for the end of a command that reads, as returned by the functions of
 * <mupdate/client.h>; on_row may be NULL. Exit status.
 */
int ctl_finish(struct ctl *ctl, uint64_t command, ctl_row *on_row, void *context);

/* The same for a change of the row of that name: says when its fate is not known. */
int ctl_finish_change(struct ctl *ctl, uint64_t command, const char *name);

/* Say that the server answered NO, BAD or BYE. Exit status. */
int ctl_refused(enum mupdate_reply reply, struct mupdate_text text);

/* A view of a NUL-terminated string. */
struct mupdate_text ctl_text(const char *string);

#endif
