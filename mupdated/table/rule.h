/*
 * What each command does to a row: pure functions of the row as it is and the
 * command (RFC 3656, section 4, as Cyrus's clients need it).
 *
 * SPDX-License-Identifier: BSD-3-Clause
 */
#ifndef TABLE_RULE_H
#define TABLE_RULE_H

#include "mupdated/table/row.h"

struct rule_policy {
    bool deny_location_conflict; /* no ACTIVATE may move an active mailbox to another server */
    size_t name_bytes;
    size_t location_bytes;
    size_t acl_bytes;
};

/* The servers whose rows somebody may write. As zeroes: none, so that he may only read. */
struct rule_servers {
    bool all;
    char *const *names; /* strings; not looked at when all */
    size_t count;
};

/* A command that changes a row. What the verb does not take is empty. */
struct rule_request {
    enum mupdate_verb verb;
    struct mupdate_text name;
    struct mupdate_text location;
    struct mupdate_text acl;
    struct rule_servers writes; /* of who sent it */
    bool seizes; /* an operator's: takes the row from another location, its state as it is */
};

enum rule_verdict {
    RULE_STORE,     /* store outcome.row (absent: delete the row), then OK */
    RULE_UNCHANGED, /* OK, and nothing is to be stored */
    RULE_REFUSED,   /* NO, whoever asks */
    RULE_FORBIDDEN, /* NO: who asks lacks the right */
};

#define RULE_TEXT_BYTES 512

struct rule_outcome {
    enum rule_verdict verdict;
    struct mupdate_row row;      /* to store; its texts are the request's */
    bool moved;                  /* an active mailbox went to another server: to be logged */
    char text[RULE_TEXT_BYTES];  /* for the client */
};

/*
 * Whether a name may stand in the table at all (not empty; no NUL, CR, LF; not too long).
 * Returns NULL when it may, else why not, in words for the client; static.
 */
const char *rule_check_name(const struct rule_policy *policy, struct mupdate_text name);

/* Said to who may write nothing. */
#define RULE_READ_ONLY "this user may only read"

/*
 * The same for a whole row that is not absent: its name; its location (not empty, no NUL,
 * CR or LF, names a server, at most one '!', not too long); its ACL (no NUL, not too long;
 * a reserved row has none).
 */
const char *rule_check_row(const struct rule_policy *policy, const struct mupdate_row *row);

/*
 * Decide. now is the row as it is, NULL or absent when there is none.
 *
 * The request is checked first, as rule_check_row() does (a partition may be empty, or
 * none at all), but a row that exists can always be deleted.
 *
 * A request that seizes may do what another may not: RESERVE takes a reservation, and ACTIVATE
 * an active mailbox, from another location, whatever the policy says.
 *
 * "The same location" is the same octets, partition included; another server
 * is one with other octets. A text that names a holder has printable ASCII only,
 * neither a quote nor a backslash, and is cut to fit.
 *
 * What nobody may do is refused in the same words for all. Of the rest, who may
 * not write all servers may write where the location that he gives is of a
 * server of his, and the row as it is
 *
 *                   none or his own   another's, reserved   another's, active
 *     RESERVE       yes               (held: for nobody)    (held: for nobody)
 *     ACTIVATE      yes               yes: takes it over    no
 *     DEACTIVATE    yes               (not active)          no
 *     DELETE        yes               no                    no
 *
 * so that both ends of an XFER can be bound to their own servers: the source
 * leaves a reserved row, which the target takes over. A server is the part of a
 * location before its '!', octet by octet.
 */
void rule_apply(const struct rule_policy *policy, const struct mupdate_row *now,
                const struct rule_request *request, struct rule_outcome *outcome);

#endif
