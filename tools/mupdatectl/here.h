/*
 * The master's table for a comparison. While a mupdated uses it that tells its digest and single
 * rows, and makes a copy only when all rows are needed.
 *
 * SPDX-License-Identifier: BSD-3-Clause
 */
#ifndef MUPDATECTL_HERE_H
#define MUPDATECTL_HERE_H

#include "mupdated/table/digest.h"
#include "tools/mupdatectl/differences.h"
#include "tools/mupdatectl/offline.h"
#include "wire/buffer.h"

struct ctl_here {
    const struct ctl_place *place;
    bool online;             /* a mupdated uses the table and may change it */
    struct ctl_local asking; /* online: connected to it */
    struct ctl_table table;
    bool open;               /* table is, and the program is its owner until ctl_here_close() */
    struct store_walk *walk;
    char *texts[3];          /* name, location and ACL of the row that was asked for last */
};

/* Exit status; to be closed in any case. */
int ctl_here_open(struct ctl_here *here, const struct ctl_place *place);
void ctl_here_close(struct ctl_here *here);

/* Exit status. */
int ctl_here_digest(struct ctl_here *here, unsigned char digest[DIGEST_BYTES], uint64_t *rows);

/* All rows of one moment in octet order, from the begin. Exit status. */
int ctl_here_begin(struct ctl_here *here, struct ctl_source *source);

/* The row as it is now: absent when there is none; valid until the next call. Online only. */
int ctl_here_find(struct ctl_here *here, struct mupdate_text name, struct mupdate_row *row);

#endif
