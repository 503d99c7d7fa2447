/*
 * One entry of a dump of Cyrus's, cut out by the reader (cyrus_reader.h).
 *
 * Both return NULL, or what is wrong, in words; static. *entry's texts point into the octets or
 * into the scratch, and its line is left as it is.
 *
 * SPDX-License-Identifier: BSD-3-Clause
 */
#ifndef MUPDATECTL_CYRUS_ENTRY_H
#define MUPDATECTL_CYRUS_ENTRY_H

#include "tools/mupdatectl/cyrus_reader.h"

/* The last second of the year 9999: what is later is no time. */
#define CYRUS_TIME_MAX 253402300799

/* Said when memory ran out. */
#define CYRUS_ENTRY_NO_MEMORY "out of memory"

/* What a member of JSON is parsed into, until the next one or cyrus_member_free(). */
struct cyrus_member {
    struct json_t *object;
    struct buffer acl;
};

/*
 * A member with braces around it: {"name": {...}}. *line is set to the line of a fault, counted
 * from 0 at the first one.
 */
const char *cyrus_member_read(struct cyrus_member *member, const char *data, size_t len,
                              struct cyrus_entry *entry, uint64_t *line);
void cyrus_member_free(struct cyrus_member *member);

/* A line without its end. */
const char *cyrus_line_read(const char *data, size_t len, struct cyrus_entry *entry);

#endif
