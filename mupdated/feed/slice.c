/* SPDX-License-Identifier: BSD-3-Clause */
#include "mupdated/feed/slice.h"

#include <mupdate/server.h>
#include <stdlib.h>
#include <string.h>
#include <xxhash.h>

#include "mupdated/table/row.h"

/* As many as pieces of full size may be kept, and twice that. */
#define CHAINS 1024

struct piece {
    struct slice slice; /* first: a slice is a piece */
    size_t references;
    size_t size;        /* of all that was allocated */
    struct piece *newer; /* by their last use, of those kept */
    struct piece *older;
    struct piece *chain;
    char *last;
    uint8_t *rows;
    struct mupdate_text tag;
    struct mupdate_text behind;
    bool is_first;      /* behind no row, which is not the same as behind an empty name */
    char data[];        /* the tag, the name behind which it begins, the rows */
};

struct slices {
    const struct table *table;
    size_t kept_max;
    size_t kept;
    size_t answers;
    struct piece *newest;
    struct piece *oldest;
    struct piece *chains[CHAINS];
};

struct slices *slices_new(const struct table *table, size_t kept_bytes)
{
    struct slices *slices = calloc(1, sizeof *slices);

    if (!slices)
        return NULL;
    slices->table = table;
    slices->kept_max = kept_bytes;
    return slices;
}

void slice_release(struct slice *slice)
{
    struct piece *piece = (struct piece *)slice;

    if (!piece || --piece->references > 0)
        return;
    free(piece->last);
    free(piece);
}

/* --- what is kept --- */

static struct piece **chain_of(struct slices *slices, struct mupdate_text tag,
                               const struct slice *behind)
{
    uint64_t hash = XXH3_64bits(tag.data, tag.len);

    if (behind)
        hash = XXH3_64bits_withSeed(behind->last.data, behind->last.len, hash + 1);
    return &slices->chains[hash % CHAINS];
}

static struct piece *find(struct slices *slices, struct mupdate_text tag,
                          const struct slice *behind)
{
    struct piece *at = *chain_of(slices, tag, behind);

    for (; at; at = at->chain)
        if (at->is_first == !behind && text_equal(at->tag, tag) &&
            (!behind || text_equal(at->behind, behind->last)))
            return at;
    return NULL;
}

static void unlink_use(struct slices *slices, struct piece *piece)
{
    *(piece->newer ? &piece->newer->older : &slices->newest) = piece->older;
    *(piece->older ? &piece->older->newer : &slices->oldest) = piece->newer;
}

static void link_newest(struct slices *slices, struct piece *piece)
{
    piece->newer = NULL;
    piece->older = slices->newest;
    *(slices->newest ? &slices->newest->newer : &slices->oldest) = piece;
    slices->newest = piece;
}

static void forget(struct slices *slices, struct piece *piece)
{
    struct slice behind = {.last = piece->behind};
    struct piece **at = chain_of(slices, piece->tag, piece->is_first ? NULL : &behind);

    while (*at != piece)
        at = &(*at)->chain;
    *at = piece->chain;
    unlink_use(slices, piece);
    slices->kept -= piece->size;
    slice_release(&piece->slice);
}

static void keep(struct slices *slices, struct piece *piece, const struct slice *behind)
{
    struct piece **chain = chain_of(slices, piece->tag, behind);

    if (piece->size > slices->kept_max)
        return;
    while (slices->kept > slices->kept_max - piece->size)
        /* NOLINTNEXTLINE(clang-analyzer-unix.Malloc): forget() unlinks what it frees */
        forget(slices, slices->oldest);
    piece->chain = *chain;
    *chain = piece;
    link_newest(slices, piece);
    slices->kept += piece->size;
    piece->references++;
}

static void forget_all(struct slices *slices)
{
    while (slices->oldest)
        forget(slices, slices->oldest);
}

void slices_free(struct slices *slices)
{
    if (!slices)
        return;
    forget_all(slices);
    free(slices);
}

void slices_join(struct slices *slices)
{
    slices->answers++;
}

void slices_leave(struct slices *slices)
{
    if (--slices->answers == 0)
        forget_all(slices);
}

size_t slices_kept(const struct slices *slices)
{
    return slices->kept;
}

/* --- encoding --- */

static struct piece *piece_new(struct mupdate_text tag, const struct slice *behind, size_t room)
{
    size_t behind_len = behind ? behind->last.len : 0;
    size_t size = sizeof(struct piece) + tag.len + behind_len + room;
    struct piece *piece = malloc(size);
    char *to;

    if (!piece)
        return NULL;
    memset(piece, 0, sizeof *piece);
    piece->references = 1;
    piece->size = size;
    piece->is_first = !behind;
    to = piece->data;
    memcpy(to, tag.data, tag.len);
    piece->tag = (struct mupdate_text){to, tag.len};
    to += tag.len;
    if (behind_len)
        memcpy(to, behind->last.data, behind_len);
    piece->behind = (struct mupdate_text){to, behind_len};
    piece->rows = (uint8_t *)to + behind_len;
    piece->slice.bytes = piece->rows;
    return piece;
}

static bool set_last(struct piece *piece, struct mupdate_text name)
{
    piece->last = malloc(name.len ? name.len : 1);
    if (!piece->last)
        return false;
    if (name.len)
        memcpy(piece->last, name.data, name.len);
    piece->size += name.len;
    piece->slice.last = (struct mupdate_text){piece->last, name.len};
    return true;
}

static struct piece *encode(const struct table *table, struct mupdate_text tag,
                            const struct slice *behind)
{
    struct table_cursor cursor;
    struct piece *piece;
    struct row row;
    struct mupdate_text last = behind ? behind->last : (struct mupdate_text){NULL, 0};
    size_t room = SLICE_BYTES;
    size_t len = 0;
    bool any;

    table_seek(table, behind ? &behind->last : NULL, &cursor);
    any = table_next(&cursor, &row);
    if (any) {
        len = mupdate_server_encode_row(tag, &row.mupdate, NULL, 0);
        if (len == 0)
            return NULL;
        if (room < len)
            room = len;
    }
    piece = piece_new(tag, behind, any ? room : 0);
    if (!piece)
        return NULL;
    piece->slice.sequence = table_sequence(table);
    for (; any; any = table_next(&cursor, &row)) {
        size_t used = piece->slice.len;

        len = mupdate_server_encode_row(tag, &row.mupdate, piece->rows + used, room - used);
        if (len == 0 || len > room - used)
            break;
        piece->slice.len += len;
        last = row.mupdate.name;
    }
    piece->slice.is_last = !any;
    if ((any && len == 0) || !set_last(piece, last)) {
        slice_release(&piece->slice);
        return NULL;
    }
    return piece;
}

struct slice *slices_take(struct slices *slices, struct mupdate_text tag,
                          const struct slice *behind, uint64_t since)
{
    struct piece *piece = find(slices, tag, behind);

    if (piece && piece->slice.sequence >= since) {
        unlink_use(slices, piece);
        link_newest(slices, piece);
        piece->references++;
        return &piece->slice;
    }
    if (piece)
        forget(slices, piece);
    piece = encode(slices->table, tag, behind);
    if (!piece)
        return NULL;
    /* One alone would only fill the processor's caches with what nobody comes to take. */
    if (slices->answers > 1)
        keep(slices, piece, behind);
    return &piece->slice;
}
