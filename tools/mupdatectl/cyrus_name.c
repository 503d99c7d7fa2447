/* SPDX-License-Identifier: BSD-3-Clause */
#include "tools/mupdatectl/cyrus_name.h"

#include <string.h>

/* MAX_MAILBOX_NAME of Cyrus, which counts a NUL. */
#define NAME_BYTES 489
/* With what Cyrus adds it is the name of a file: the lock of a user, who may have a domain. */
#define USER_BYTES 247
/* The last part of a deleted mailbox's name: seconds since 1970, in hexadecimal. */
#define STAMP_DIGITS 8

static const char too_long[] = "a name that is too long for Cyrus";
static const char another[] = "a name that Cyrus takes for another";

static bool begins(struct mupdate_text text, const char *prefix)
{
    size_t len = strlen(prefix);

    return text.len >= len && memcmp(text.data, prefix, len) == 0;
}

static struct mupdate_text skip(struct mupdate_text text, size_t len)
{
    return (struct mupdate_text){text.data + len, text.len - len};
}

/* Empty parts between dots vanish inside Cyrus. */
static bool has_empty_part(struct mupdate_text text)
{
    return text.len > 0 && (text.data[0] == '.' || text.data[text.len - 1] == '.' ||
                            memmem(text.data, text.len, "..", 2) != NULL);
}

/* Behind "DELETED.": "user.anna.6B02ECDE". Cyrus reads the number and writes it anew. */
static bool has_bad_stamp(struct mupdate_text text)
{
    const char *dot = text.len ? memrchr(text.data, '.', text.len) : NULL;
    struct mupdate_text stamp;

    if (!dot)
        return false;
    stamp = skip(text, (size_t)(dot - text.data) + 1);
    if (stamp.len > STAMP_DIGITS || stamp.data[0] == '0')
        return true;
    for (size_t i = 0; i < stamp.len; i++)
        if (!stamp.data[i] || !strchr("0123456789ABCDEF", stamp.data[i]))
            return true;
    return false;
}

/* Behind "user." */
static size_t user_len(struct mupdate_text text)
{
    const char *dot = text.len ? memchr(text.data, '.', text.len) : NULL;

    return dot ? (size_t)(dot - text.data) : text.len;
}

const char *cyrus_name_check(struct mupdate_text name)
{
    const char *mark = name.len ? memchr(name.data, '!', name.len) : NULL;
    size_t domain = mark ? (size_t)(mark - name.data) + 1 : 0;
    struct mupdate_text rest = skip(name, domain);

    if (name.len > NAME_BYTES)
        return too_long;
    /* Inside Cyrus they stand for the mark behind the domain and for the dot. */
    if (memchr(name.data, '\x1d', name.len) || memchr(name.data, '\x1f', name.len) ||
        has_empty_part(rest))
        return another;
    if (begins(rest, "DELETED.")) {
        rest = skip(rest, strlen("DELETED."));
        if (has_bad_stamp(rest))
            return another;
    }
    if (begins(rest, "user.") &&
        user_len(skip(rest, strlen("user."))) + domain > USER_BYTES)
        return too_long;
    return NULL;
}
