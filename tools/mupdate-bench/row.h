/*
 * The rows that the generator works with. Row number i of a set is always the
 * same mailbox at the same location, so that what a server sends can be
 * checked without remembering what it was told: five mailboxes a user, four
 * back-ends, names and ACLs as Cyrus servers make them. An ACL carries a mark,
 * so that each write of a row is a change and can be told from the others.
 *
 * SPDX-License-Identifier: BSD-3-Clause
 */
#ifndef MUPDATE_BENCH_ROW_H
#define MUPDATE_BENCH_ROW_H

#include "message.h"

enum { ROW_PREFIX_BYTES = 12, ROW_TEXT_BYTES = 128 };

/* More rows than this do not fit into the digits of a name. */
#define ROW_NUMBER_MAX UINT64_C(499999999)

/* Rows of different sets have different names. */
struct row_set {
    char prefix[ROW_PREFIX_BYTES + 1];
    size_t prefix_len;
};

/* False if name is not 1 to ROW_PREFIX_BYTES lower-case letters. */
bool row_set_init(struct row_set *set, const char *name);

/* Each writes at most ROW_TEXT_BYTES octets to out and returns how many. */
size_t row_name(const struct row_set *set, uint64_t number, char *out);
size_t row_location(uint64_t number, char *out);
/* A mark of 0 is none: the ACL that fill gives a row. */
size_t row_acl(const struct row_set *set, uint64_t number, uint64_t mark, char *out);

/* The number of the row of this name; false if it is not one of the set. */
bool row_number(const struct row_set *set, struct message_text name, uint64_t *number);

bool row_location_is(uint64_t number, struct message_text location);

/* Whether acl is one that row_acl() makes for the row; *mark gets its mark. */
bool row_acl_is(const struct row_set *set, uint64_t number, struct message_text acl,
                uint64_t *mark);

#endif
