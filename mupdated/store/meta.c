/* SPDX-License-Identifier: BSD-3-Clause */
#include "mupdated/store/meta.h"

#include <string.h>


void meta_begin(struct meta *meta)
{
    memset(meta, 0, sizeof *meta);
    meta->confirmed = true;
}

static bool is_key(struct mupdate_text key, const char *name)
{
    return key.len == strlen(name) && memcmp(key.data, name, key.len) == 0;
}

const char *meta_take(struct meta *meta, struct mupdate_text key, struct mupdate_text value)
{
    const unsigned char *octets = (const unsigned char *)value.data;

    if (is_key(key, FORMAT_KEY_FORMAT)) {
        if (value.len != 4 || format_get_u32(octets) == 0)
            return "the format is not a number of one";
        meta->format = format_get_u32(octets);
    } else if (is_key(key, FORMAT_KEY_HISTORY)) {
        if (value.len != STORE_HISTORY_BYTES)
            return "the history id has a wrong length";
        memcpy(meta->history, octets, value.len);
        meta->has_history = true;
    } else if (is_key(key, FORMAT_KEY_TERM)) {
        if (value.len != 8 || format_get_u64(octets) == 0)
            return "the term is not a number of one";
        meta->term = format_get_u64(octets);
    } else if (is_key(key, FORMAT_KEY_BASE)) {
        if (value.len != 8)
            return "the sequence number that it was loaded with has a wrong length";
        meta->base = format_get_u64(octets);
    } else if (is_key(key, FORMAT_KEY_CONFIRMED)) {
        /* What is neither yes nor no is not yes. */
        meta->confirmed = value.len == 1 && octets[0] == 1;
        if (value.len != 1 || octets[0] > 1)
            return "it is neither confirmed nor not";
    } else if (is_key(key, FORMAT_KEY_ROWS_FILE) || is_key(key, FORMAT_KEY_CHANGES_FILE)) {
        if (value.len != FORMAT_FILE_ID_BYTES)
            return "the id of a file has a wrong length";
        memcpy(is_key(key, FORMAT_KEY_ROWS_FILE) ? meta->rows_file : meta->changes_file, octets,
               FORMAT_FILE_ID_BYTES);
    } else if (is_key(key, FORMAT_KEY_DIGEST)) {
        if (value.len != FORMAT_DIGEST_BYTES)
            return "the digest has a wrong length";
        format_get_digest(octets, &meta->digest);
        meta->has_digest = true;
    }
    return NULL;
}

bool meta_is_file(const unsigned char known[FORMAT_FILE_ID_BYTES],
                  const unsigned char id[FORMAT_FILE_ID_BYTES])
{
    static const unsigned char none[FORMAT_FILE_ID_BYTES];

    return memcmp(known, none, sizeof none) == 0 || memcmp(known, id, sizeof none) == 0;
}

bool meta_digest(const struct meta *meta, struct digest *digest)
{
    *digest = meta->digest;
    /* One that was never loaded began with nothing. */
    return meta->has_digest || (meta->has_history && meta->base == 0);
}

const char *meta_lacks(const struct meta *meta)
{
    if (!meta->format)
        return "it does not tell the format of the table";
    if (!meta->has_history)
        return "it does not tell the history id of the table";
    if (!meta->term)
        return "it does not tell the term of the table";
    return NULL;
}
