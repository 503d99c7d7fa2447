/*
 * What both sides of MUPDATE (RFC 3656) talk about.
 *
 * SPDX-License-Identifier: BSD-3-Clause
 */
#ifndef MUPDATE_TYPES_H
#define MUPDATE_TYPES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * A counted string of any octets. It is a view: whoever hands one out says how
 * long the octets behind it stay valid. There is no NUL behind the last octet.
 * data may be NULL only when len is 0.
 */
struct mupdate_text {
    const char *data;
    size_t len;
};

/* The state of a mailbox name in the table (RFC 3656, sections 3.5 to 3.7). */
enum mupdate_state {
    MUPDATE_ABSENT = 0,   /* not in the table; in a stream: deleted */
    MUPDATE_RESERVED = 1, /* the name is taken, nobody may open it yet */
    MUPDATE_ACTIVE = 2,   /* the mailbox is served at its location */
};

/*
 * One row of the table: mailbox -> location (server!partition), ACL, state.
 * A reserved row has an empty ACL; an absent one has a name only.
 */
struct mupdate_row {
    enum mupdate_state state;
    struct mupdate_text name;
    struct mupdate_text location;
    struct mupdate_text acl;
};

/* The four commands that change a row (RFC 3656, sections 4.1, 4.3, 4.4, 4.9). */
enum mupdate_verb {
    MUPDATE_RESERVE,
    MUPDATE_ACTIVATE,
    MUPDATE_DEACTIVATE,
    MUPDATE_DELETE,
};

/* How a command ended (RFC 3656, sections 3.1 to 3.4). */
enum mupdate_reply {
    MUPDATE_OK,
    MUPDATE_NO,
    MUPDATE_BAD,
    MUPDATE_BYE,
};

#endif
