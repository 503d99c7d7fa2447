/*
 * What an import takes: rows that come from a dump of Cyrus's or over the wire.
 *
 * SPDX-License-Identifier: BSD-3-Clause
 */
#ifndef MUPDATECTL_IMPORT_H
#define MUPDATECTL_IMPORT_H

#include "tools/mupdatectl/command.h"
#include "tools/mupdatectl/cyrus_reader.h"
#include "tools/mupdatectl/gather.h"
#include "tools/mupdatectl/left_out.h"
#include "tools/mupdatectl/progress.h"

struct ctl_import {
    const char *from;   /* the file, or the server, for messages */
    const char *server; /* whose the mailboxes are that name none; NULL: left out */
    struct rule_policy policy;
    int64_t now_us;     /* the time of rows that have none */
    struct ctl_gather rows;
    struct ctl_left_out left_out;
    bool comparing;          /* it is only looked at; unread is kept */
    struct ctl_gather unread; /* absent rows of the names that are left out and may be wanted */
    struct ctl_progress progress;
    uint64_t local;     /* left out since they name no server */
    struct buffer location; /* of the entry that is looked at */
};

/*
 * All rows of a dump; path "-": standard input. Nothing else was changed. Exit status: EX_DATAERR:
 * it is no such dump, or not whole; each fault was said as FILE:LINE.
 */
int ctl_import_file(struct ctl_import *import, const char *path, enum cyrus_form form);

/* All rows of the server that ctl names, which is asked for a copy of its table. Exit status. */
int ctl_import_server(struct ctl_import *import, struct ctl *ctl);

/* Keep the row, or say why not. line 0: it did not come from a file. Exit status. */
int ctl_import_row(struct ctl_import *import, const struct row *row, uint64_t line);

/*
 * Count what was not taken, and tell it as ctl_left_out_add() does. line 0: it did not come from a
 * file. Exit status.
 */
int ctl_import_leave_out(struct ctl_import *import, uint64_t line, const char *why, bool harmless,
                         struct mupdate_text name, const char *other);

/* Put the rows in octet order and unite those of one name. Exit status. */
int ctl_import_sort(struct ctl_import *import);

#endif
