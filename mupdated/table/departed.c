/* SPDX-License-Identifier: BSD-3-Clause */
#include "mupdated/table/departed.h"

#include <stdlib.h>
#include <string.h>

struct departed_name {
    struct departed_name *older; /* by the sequence of the last departure */
    struct departed_name *newer;
    uint64_t left;     /* sequence of the last departure */
    uint64_t returned; /* sequence at which it came back, 0 while it is absent */
    uint32_t references; /* one of the set, one for each place in a walk */
    uint32_t len;
    char name[];
};

struct departed {
    struct tree tree;
    struct departed_name *oldest;
    struct departed_name *newest;
    size_t absent;
    uint64_t last_return; /* sequence of the last change that brought a name back */
    uint64_t version; /* of the tree: cursors of an older one are of no use */
};

static struct mupdate_text departed_text(const void *item)
{
    const struct departed_name *name = item;
    return (struct mupdate_text){name->name, name->len};
}

static void release(struct departed_name *name)
{
    if (name != NULL && --name->references == 0)
        free(name);
}

static void hold(struct departed_name **place, struct departed_name *name)
{
    name->references++;
    release(*place);
    *place = name;
}

static void unlink_name(struct departed *departed, struct departed_name *name)
{
    *(name->older != NULL ? &name->older->newer : &departed->oldest) = name->newer;
    *(name->newer != NULL ? &name->newer->older : &departed->newest) = name->older;
}

static void link_newest(struct departed *departed, struct departed_name *name)
{
    name->older = departed->newest;
    name->newer = NULL;
    *(departed->newest != NULL ? &departed->newest->newer : &departed->oldest) = name;
    departed->newest = name;
}

struct departed *departed_new(enum list_order order)
{
    struct departed *departed = calloc(1, sizeof(*departed));
    if (departed != NULL)
        tree_init(&departed->tree, order, departed_text);
    return departed;
}

void departed_free(struct departed *departed)
{
    if (departed == NULL)
        return;
    departed_trim(departed, UINT64_MAX);
    tree_close(&departed->tree);
    free(departed);
}

static struct departed_name *add_name(struct departed *departed, struct mupdate_text text)
{
    if (text.len > UINT32_MAX)
        return NULL;
    struct departed_name *name = malloc(sizeof(*name) + text.len);
    if (name == NULL)
        return NULL;
    *name = (struct departed_name){.references = 1, .len = (uint32_t)text.len};
    if (text.len > 0)
        memcpy(name->name, text.data, text.len);
    if (!tree_insert(&departed->tree, name)) {
        free(name);
        return NULL;
    }
    departed->version++;
    departed->absent++;
    return name;
}

static bool name_left(struct departed *departed, struct mupdate_text text, uint64_t sequence)
{
    struct departed_name *name = tree_find(&departed->tree, text);
    if (name == NULL) {
        name = add_name(departed, text);
        if (name == NULL)
            return false;
    } else {
        unlink_name(departed, name);
        if (name->returned != 0)
            departed->absent++;
        name->returned = 0;
    }
    name->left = sequence;
    link_newest(departed, name);
    return true;
}

bool departed_apply(struct departed *departed, const struct change *change)
{
    if (departed->tree.order == LIST_ORDER_OCTET)
        return true;
    struct mupdate_text text = change->now.mupdate.name;
    if (change->now.mupdate.state == MUPDATE_ABSENT)
        return name_left(departed, text, change->now.sequence);
    struct departed_name *name = tree_find(&departed->tree, text);
    if (name != NULL && name->returned == 0) {
        name->returned = change->now.sequence;
        departed->last_return = change->now.sequence;
        departed->absent--;
    }
    return true;
}

void departed_trim(struct departed *departed, uint64_t first)
{
    while (departed->oldest != NULL && departed->oldest->left < first) {
        struct departed_name *name = departed->oldest;
        tree_remove(&departed->tree, departed_text(name));
        departed->version++;
        unlink_name(departed, name);
        if (name->returned == 0)
            departed->absent--;
        release(name);
    }
}

size_t departed_count(const struct departed *departed)
{
    return departed->absent;
}

bool departed_any(const struct departed *departed, uint64_t since)
{
    return departed->absent > 0 || departed->last_return > since;
}

void departed_walk_start(struct departed_walk *walk, struct departed *departed, uint64_t since)
{
    *walk = (struct departed_walk){
        .departed = departed, .since = since, .version = departed->version};
    tree_seek(&departed->tree, NULL, &walk->cursor);
}

static void resume(struct departed_walk *walk)
{
    struct mupdate_text passed;
    if (walk->passed != NULL)
        passed = departed_text(walk->passed);
    tree_seek(&walk->departed->tree, walk->passed != NULL ? &passed : NULL, &walk->cursor);
    walk->version = walk->departed->version;
}

bool departed_walk_at_risk(struct departed_walk *walk, struct mupdate_text name)
{
    if (walk->version != walk->departed->version)
        resume(walk);
    for (struct departed_name *next; (next = tree_peek(&walk->cursor)) != NULL;) {
        if (order_compare(walk->departed->tree.order, departed_text(next), name) >= 0)
            break;
        tree_next(&walk->cursor);
        hold(&walk->passed, next);
        if (next->returned != 0 && next->returned <= walk->since)
            continue;
        if (walk->greatest == NULL ||
            text_compare(departed_text(next), departed_text(walk->greatest)) > 0)
            hold(&walk->greatest, next);
    }
    return walk->greatest != NULL && text_compare(departed_text(walk->greatest), name) > 0;
}

void departed_walk_copy(struct departed_walk *to, const struct departed_walk *from)
{
    *to = *from;
    to->passed = to->greatest = NULL;
    if (from->passed != NULL)
        hold(&to->passed, from->passed);
    if (from->greatest != NULL)
        hold(&to->greatest, from->greatest);
}

void departed_walk_end(struct departed_walk *walk)
{
    release(walk->passed);
    release(walk->greatest);
    *walk = (struct departed_walk){0};
}
