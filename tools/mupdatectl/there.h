/*
 * The other table of a comparison: a dump of mupdatectl's (read again for each pass), a dump of
 * Cyrus's, or a MUPDATE server. Of the last two all rows are gathered in memory when they must be
 * put in order, some 50 octets each beside name and ACL; a server's only once digests differ.
 *
 * SPDX-License-Identifier: BSD-3-Clause
 */
#ifndef MUPDATECTL_THERE_H
#define MUPDATECTL_THERE_H

#include "mupdated/table/digest.h"
#include "tools/mupdatectl/dump_file.h"
#include "tools/mupdatectl/import.h"
#include "tools/mupdatectl/json_dump.h"

enum ctl_there_kind { CTL_THERE_DUMP, CTL_THERE_JSON, CTL_THERE_CYRUS, CTL_THERE_SERVER };

struct ctl_there {
    enum ctl_there_kind kind;
    const char *what;
    struct ctl *ctl;
    struct ctl_dump_file dump;
    struct ctl_json_dump json;
    struct ctl_import import; /* its rows are the gathered ones */
    struct buffer server;     /* only the mailboxes of this one are there; empty: all */
    struct buffer texts;      /* of the row that was asked for last */
};

/*
 * Open the file of that name, or, if there is none, connect to the server. Exit status; to be
 * closed in any case.
 */
int ctl_there_open(struct ctl_there *there, struct ctl *ctl, const char *what,
                   const struct rule_policy *policy);

/*
 * The same for what ctl_mboxlist -d said on a back-end; "-": standard input. Mailboxes that name
 * no server are of server.
 */
int ctl_there_open_backend(struct ctl_there *there, struct ctl *ctl, const char *path,
                           const char *server, const struct rule_policy *policy);
void ctl_there_close(struct ctl_there *there);

/* Read all of it, and see that it is good. Exit status. */
int ctl_there_digest(struct ctl_there *there, struct digest *digest, uint64_t *rows);

/* Its rows in octet order, from the begin. Exit status. */
int ctl_there_begin(struct ctl_there *there, struct ctl_source *source);

/*
 * How many of its entries could not be read, or say nothing that can be compared: what is known of
 * their names is not the whole truth. Of Cyrus's dumps only.
 */
uint64_t ctl_there_unread(const struct ctl_there *there);

/* Their names, where these are known, in octet order. */
struct ctl_source ctl_there_unread_names(struct ctl_there *there);

/*
 * The row as it is now: absent when there is none; valid until the next call. Of a server only.
 * Exit status.
 */
int ctl_there_find(struct ctl_there *there, struct mupdate_text name, struct mupdate_row *row);

#endif
