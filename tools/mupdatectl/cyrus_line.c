/* SPDX-License-Identifier: BSD-3-Clause */
#include <string.h>

#include "mupdated/dump/field.h"
#include "tools/mupdatectl/cyrus_entry.h"

/* The bits of the type, as they were up to Cyrus 3.4. */
static const struct {
    uint64_t bit;
    enum cyrus_flag flag;
} bits[] = {
    {1, CYRUS_REMOTE},   {2, CYRUS_RESERVED},       {8, CYRUS_MOVING},
    {16, CYRUS_DELETED}, {256, CYRUS_INTERMEDIATE},
};

/* Take what stands before the first of two octets, and that octet. False: neither is there. */
static bool cut(struct mupdate_text *rest, char one, char other, struct mupdate_text *text)
{
    size_t len = 0;

    while (len < rest->len && rest->data[len] != one && rest->data[len] != other)
        len++;
    if (len == rest->len)
        return false;
    *text = (struct mupdate_text){rest->data, len};
    rest->data += len + 1;
    rest->len -= len + 1;
    return true;
}

/* Up to Cyrus 2.2 there is none: then a partition stands there, which does not begin so. */
static bool read_type(struct mupdate_text *rest, struct cyrus_entry *entry)
{
    struct mupdate_text word;
    struct mupdate_text after = *rest;
    uint64_t type;

    if (!cut(&after, ' ', '\t', &word) || word.data[word.len] != ' ' ||
        !field_number(word, &type))
        return false;
    *rest = after;
    for (size_t i = 0; i < sizeof bits / sizeof bits[0]; i++)
        if (type & bits[i].bit)
            entry->flags |= bits[i].flag;
    return true;
}

static void read_location(struct mupdate_text location, struct cyrus_entry *entry)
{
    struct mupdate_text server;

    entry->partition = location;
    if (cut(&entry->partition, '!', '!', &server))
        entry->server = server;
}

/* The mtime is the second word of what some versions write behind the ACL. */
static void read_time(struct mupdate_text tail, struct cyrus_entry *entry)
{
    struct mupdate_text id;
    struct mupdate_text mtime;
    uint64_t time_s;

    if (field_next(&tail, &id) && field_next(&tail, &mtime) && field_number(mtime, &time_s) &&
        time_s <= CYRUS_TIME_MAX)
        entry->time_s = (int64_t)time_s;
}

/* An ACL ends with a tab, and what may follow it has none. */
static void read_acl(struct mupdate_text rest, struct cyrus_entry *entry)
{
    const char *tab = rest.len ? memrchr(rest.data, '\t', rest.len) : NULL;
    size_t len = tab ? (size_t)(tab - rest.data) + 1 : 0;

    entry->acl = rest;
    if (len < rest.len && rest.data[len] == '>') {
        entry->acl.len = len;
        read_time((struct mupdate_text){rest.data + len, rest.len - len}, entry);
    }
}

const char *cyrus_line_read(const char *data, size_t len, struct cyrus_entry *entry)
{
    struct mupdate_text rest = {data, len};
    struct mupdate_text location;
    bool typed;

    if (len > 0 && data[len - 1] == '\r')
        rest.len--;
    *entry = (struct cyrus_entry){.line = entry->line, .time_s = -1};
    if (rest.len && memchr(rest.data, '\0', rest.len))
        return "there is a NUL in it";
    if (!cut(&rest, '\t', '\t', &entry->name))
        return "it has no tab: a line is name, tab, type, location and ACL";
    typed = read_type(&rest, entry);
    if (!cut(&rest, typed ? ' ' : '\t', '\t', &location))
        return "there is nothing behind the location";
    read_location(location, entry);
    read_acl(rest, entry);
    return NULL;
}
