/* SPDX-License-Identifier: BSD-3-Clause */
#include "mupdated/table/row.h"

#include <stdlib.h>
#include <string.h>

static struct mupdate_text append(char **end, struct mupdate_text text)
{
    struct mupdate_text copy = {*end, text.len};
    if (text.len > 0) {
        memcpy(*end, text.data, text.len);
        *end += text.len;
    }
    return copy;
}

struct change *change_copy(const struct change *change)
{
    const struct mupdate_row *row = &change->now.mupdate;
    const size_t lengths[] = {row->name.len, row->location.len, row->acl.len, change->now.who.len,
                              change->old_location.len};
    size_t size = sizeof(struct change);
    for (size_t i = 0; i < sizeof(lengths) / sizeof(lengths[0]); i++) {
        if (__builtin_add_overflow(size, lengths[i], &size))
            return NULL;
    }
    struct change *copy = malloc(size);
    if (copy == NULL)
        return NULL;
    *copy = *change;
    char *end = (char *)(copy + 1);
    copy->now.mupdate.name = append(&end, row->name);
    copy->now.mupdate.location = append(&end, row->location);
    copy->now.mupdate.acl = append(&end, row->acl);
    copy->now.who = append(&end, change->now.who);
    copy->old_location = append(&end, change->old_location);
    return copy;
}

struct mupdate_text location_server(struct mupdate_text location)
{
    const char *mark = location.len > 0 ? memchr(location.data, '!', location.len) : NULL;
    if (mark != NULL)
        location.len = (size_t)(mark - location.data);
    return location;
}

bool text_equal(struct mupdate_text a, struct mupdate_text b)
{
    return a.len == b.len && (a.len == 0 || memcmp(a.data, b.data, a.len) == 0);
}

int text_compare(struct mupdate_text a, struct mupdate_text b)
{
    size_t shorter = a.len < b.len ? a.len : b.len;
    int result = shorter > 0 ? memcmp(a.data, b.data, shorter) : 0;
    return result != 0 ? result : (a.len > b.len) - (a.len < b.len);
}
