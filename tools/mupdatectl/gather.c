/* SPDX-License-Identifier: BSD-3-Clause */
#include "tools/mupdatectl/gather.h"

#include <stdlib.h>
#include <string.h>

#include "mupdated/table/sort.h"

#define FIRST_ITEMS 1024

struct item {
    const struct interned *location;
    uint64_t line;
    int64_t time_us;
    uint32_t name_len;
    uint32_t acl_len;
    enum mupdate_state state;
    char texts[]; /* name, then ACL */
};

void ctl_gather_init(struct ctl_gather *gather)
{
    memset(gather, 0, sizeof *gather);
    intern_init(&gather->locations);
}

void ctl_gather_free(struct ctl_gather *gather)
{
    for (size_t i = 0; i < gather->count; i++)
        free(gather->items[i]);
    free(gather->items);
    intern_close(&gather->locations);
    ctl_gather_init(gather);
}

static bool grow(struct ctl_gather *gather)
{
    size_t size = gather->size ? 2 * gather->size : FIRST_ITEMS;
    void **larger;

    if (gather->count < gather->size)
        return true;
    larger = reallocarray(gather->items, size, sizeof *larger);
    if (!larger)
        return false;
    gather->items = larger;
    gather->size = size;
    return true;
}

static void copy(char *to, struct mupdate_text text)
{
    if (text.len > 0)
        memcpy(to, text.data, text.len);
}

bool ctl_gather_add(struct ctl_gather *gather, const struct row *row, uint64_t line)
{
    const struct mupdate_row *mupdate = &row->mupdate;
    struct item *item;

    if (!grow(gather))
        return false;
    item = malloc(sizeof *item + mupdate->name.len + mupdate->acl.len);
    if (!item)
        return false;
    *item = (struct item){
        .location = intern_take(&gather->locations, mupdate->location),
        .line = line,
        .time_us = row->time_us,
        .name_len = (uint32_t)mupdate->name.len,
        .acl_len = (uint32_t)mupdate->acl.len,
        .state = mupdate->state,
    };
    if (!item->location) {
        free(item);
        return false;
    }
    copy(item->texts, mupdate->name);
    copy(item->texts + item->name_len, mupdate->acl);
    gather->items[gather->count++] = item;
    return true;
}

static struct mupdate_text name_of(const void *item)
{
    const struct item *one = item;

    return (struct mupdate_text){one->texts, one->name_len};
}

bool ctl_gather_sort(struct ctl_gather *gather, enum list_order order)
{
    gather->next = 0;
    return sort_items(order, name_of, gather->items, gather->count);
}

static struct row row_of(const struct item *item, uint64_t sequence)
{
    return (struct row){
        .mupdate =
            {
                .state = item->state,
                .name = {item->texts, item->name_len},
                .location = intern_text(item->location),
                .acl = {item->texts + item->name_len, item->acl_len},
            },
        .sequence = sequence,
        .time_us = item->time_us,
    };
}

bool ctl_gather_unite(struct ctl_gather *gather, ctl_gather_twice *twice, void *context)
{
    size_t kept = 0;
    bool good = true;

    for (size_t i = 0; i < gather->count; i++) {
        struct item *item = gather->items[i];
        struct item *last = kept > 0 ? gather->items[kept - 1] : NULL;

        if (!last || !text_equal(name_of(last), name_of(item))) {
            gather->items[kept++] = item;
            continue;
        }
        if (good) {
            struct row first = row_of(last, kept);
            struct row other = row_of(item, kept);

            good = twice(context, &first, last->line, &other, item->line);
        }
        free(item);
    }
    gather->count = kept;
    return good;
}

void ctl_gather_rewind(struct ctl_gather *gather)
{
    gather->next = 0;
}

bool ctl_gather_next(struct ctl_gather *gather, struct row *row)
{
    if (gather->next == gather->count)
        return false;
    *row = row_of(gather->items[gather->next], gather->next + 1);
    gather->next++;
    return true;
}

static bool next(void *context, struct row *row, int *status)
{
    (void)status;
    return ctl_gather_next(context, row);
}

struct ctl_source ctl_gather_source(struct ctl_gather *gather)
{
    ctl_gather_rewind(gather);
    return (struct ctl_source){next, gather};
}
