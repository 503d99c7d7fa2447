/* SPDX-License-Identifier: BSD-3-Clause */
#include "mupdated/table/intern.h"

#include <stdlib.h>
#include <string.h>

struct interned {
    size_t references;
    struct intern_rows rows;
    size_t len;
    char data[];
};

static struct mupdate_text interned_name(const void *item)
{
    return intern_text(item);
}

struct mupdate_text intern_text(const struct interned *interned)
{
    return (struct mupdate_text){interned->data, interned->len};
}

void intern_init(struct intern *intern)
{
    index_init(&intern->index, interned_name);
}

void intern_close(struct intern *intern)
{
    for (size_t i = 0; i < INDEX_SHARDS; i++) {
        const struct index_shard *shard = &intern->index.shards[i];
        for (uint32_t place = 0; place < shard->places; place++) {
            if (shard->tags[place] != 0)
                free(shard->items[place]);
        }
    }
    index_close(&intern->index);
}

const struct interned *intern_take(struct intern *intern, struct mupdate_text text)
{
    struct interned *interned = index_find(&intern->index, text);
    if (interned == NULL) {
        size_t size;
        if (__builtin_add_overflow(sizeof(*interned), text.len, &size))
            return NULL;
        interned = malloc(size);
        if (interned == NULL)
            return NULL;
        interned->references = 0;
        interned->rows = (struct intern_rows){0, 0};
        interned->len = text.len;
        if (text.len > 0)
            memcpy(interned->data, text.data, text.len);
        if (!index_insert(&intern->index, interned)) {
            free(interned);
            return NULL;
        }
    }
    interned->references++;
    return interned;
}

void intern_release(struct intern *intern, const struct interned *interned)
{
    struct interned *own = (struct interned *)interned;
    if (--own->references == 0) {
        index_remove(&intern->index, intern_text(own));
        free(own);
    }
}

struct intern_rows *intern_rows(const struct interned *interned)
{
    return &((struct interned *)interned)->rows;
}

void intern_each(const struct intern *intern, intern_visit *visit, void *context)
{
    for (size_t i = 0; i < INDEX_SHARDS; i++) {
        const struct index_shard *shard = &intern->index.shards[i];

        for (uint32_t place = 0; place < shard->places; place++) {
            const struct interned *interned;

            if (shard->tags[place] == 0)
                continue;
            interned = shard->items[place];
            visit(context, intern_text(interned), &interned->rows);
        }
    }
}
