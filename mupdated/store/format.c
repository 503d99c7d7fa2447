/* SPDX-License-Identifier: BSD-3-Clause */
#include "mupdated/store/format.h"

#include <endian.h>
#include <stdlib.h>
#include <string.h>

#define ROW_VERSION 1
#define ROW_FIXED 30

/* Version 1 has no digest. */
#define CHANGE_VERSION 2
#define CHANGE_DIGEST 19
#define CHANGE_LENGTHS_BYTES 20

void format_put_u64(unsigned char to[8], uint64_t value)
{
    value = htobe64(value);
    memcpy(to, &value, sizeof value);
}

uint64_t format_get_u64(const unsigned char from[8])
{
    uint64_t value;

    memcpy(&value, from, sizeof value);
    return be64toh(value);
}

void format_put_u32(unsigned char to[4], uint32_t value)
{
    value = htobe32(value);
    memcpy(to, &value, sizeof value);
}

uint32_t format_get_u32(const unsigned char from[4])
{
    uint32_t value;

    memcpy(&value, from, sizeof value);
    return be32toh(value);
}

void format_put_digest(unsigned char to[FORMAT_DIGEST_BYTES], const struct digest *digest)
{
    format_put_u64(to, digest->rows);
    digest_octets(digest, to + 8);
}

void format_get_digest(const unsigned char from[FORMAT_DIGEST_BYTES], struct digest *digest)
{
    digest->rows = format_get_u64(from);
    digest->high = format_get_u64(from + 8);
    digest->low = format_get_u64(from + 16);
}

static enum format_result make_room(struct format_record *record, size_t fixed,
                                    const struct mupdate_text *texts, size_t count)
{
    size_t len = fixed;
    unsigned char *data;

    for (size_t i = 0; i < count; i++) {
        if (texts[i].len > FORMAT_TEXT_BYTES)
            return FORMAT_TOO_LONG;
        len += texts[i].len;
    }
    if (len > record->size || !record->data) {
        data = realloc(record->data, len);
        if (!data)
            return FORMAT_NO_MEMORY;
        record->data = data;
        record->size = len;
    }
    record->len = len;
    return FORMAT_OK;
}

/* Write the lengths at lengths_at and the texts behind the fixed part. */
static void put_texts(struct format_record *record, size_t lengths_at, size_t fixed,
                      const struct mupdate_text *texts, size_t count)
{
    unsigned char *to = record->data + fixed;

    for (size_t i = 0; i < count; i++) {
        format_put_u32(record->data + lengths_at + 4 * i, (uint32_t)texts[i].len);
        if (texts[i].len)
            memcpy(to, texts[i].data, texts[i].len);
        to += texts[i].len;
    }
}

static const char *get_texts(const unsigned char *data, size_t len, size_t lengths_at, size_t fixed,
                             struct mupdate_text **texts, size_t count)
{
    size_t at = fixed;

    for (size_t i = 0; i < count; i++) {
        size_t text_len = format_get_u32(data + lengths_at + 4 * i);

        if (text_len > len - at)
            return "its texts are cut off";
        texts[i]->data = (const char *)data + at;
        texts[i]->len = text_len;
        at += text_len;
    }
    return at == len ? NULL : "there is something behind its end";
}

enum format_result format_encode_row(struct format_record *record, const struct row *row)
{
    const struct mupdate_text texts[] = {row->mupdate.location, row->mupdate.acl, row->who};
    enum format_result result = make_room(record, ROW_FIXED, texts, 3);

    if (result != FORMAT_OK)
        return result;
    record->data[0] = ROW_VERSION;
    record->data[1] = (unsigned char)row->mupdate.state;
    format_put_u64(record->data + 2, row->sequence);
    format_put_u64(record->data + 10, (uint64_t)row->time_us);
    put_texts(record, 18, ROW_FIXED, texts, 3);
    return FORMAT_OK;
}

/* Where the lengths of the texts stand. */
static size_t change_lengths(bool has_digest)
{
    return CHANGE_DIGEST + (has_digest ? FORMAT_DIGEST_BYTES : 0);
}

enum format_result format_encode_change(struct format_record *record, const struct change *change)
{
    const struct mupdate_text texts[] = {change->now.mupdate.name, change->now.mupdate.location,
                                         change->now.mupdate.acl, change->now.who,
                                         change->old_location};
    size_t lengths = change_lengths(change->has_digest);
    size_t fixed = lengths + CHANGE_LENGTHS_BYTES;
    enum format_result result = make_room(record, fixed, texts, 5);

    if (result != FORMAT_OK)
        return result;
    record->data[0] = change->has_digest ? CHANGE_VERSION : 1;
    record->data[1] = (unsigned char)change->now.mupdate.state;
    record->data[2] = (unsigned char)change->old_state;
    format_put_u64(record->data + 3, change->term);
    format_put_u64(record->data + 11, (uint64_t)change->now.time_us);
    if (change->has_digest)
        format_put_digest(record->data + CHANGE_DIGEST, &change->digest);
    put_texts(record, lengths, fixed, texts, 5);
    return FORMAT_OK;
}

void format_record_free(struct format_record *record)
{
    free(record->data);
    memset(record, 0, sizeof *record);
}

static const char *check_fixed(const unsigned char *data, size_t len, unsigned newest, size_t fixed)
{
    if (len < 1)
        return "it is empty";
    if (data[0] == 0 || data[0] > newest)
        return "its version is not known to this program";
    if (len < fixed)
        return "it is cut off";
    return NULL;
}

const char *format_decode_row(const void *data, size_t len, struct row *row)
{
    const unsigned char *octets = data;
    struct mupdate_text *texts[] = {&row->mupdate.location, &row->mupdate.acl, &row->who};
    const char *wrong = check_fixed(octets, len, ROW_VERSION, ROW_FIXED);

    if (wrong)
        return wrong;
    if (octets[1] != MUPDATE_RESERVED && octets[1] != MUPDATE_ACTIVE)
        return "its state is not a state";
    row->mupdate.state = (enum mupdate_state)octets[1];
    row->sequence = format_get_u64(octets + 2);
    if (row->sequence == 0)
        return "its sequence number is 0";
    row->time_us = (int64_t)format_get_u64(octets + 10);
    return get_texts(octets, len, 18, ROW_FIXED, texts, 3);
}

const char *format_decode_change(const void *data, size_t len, struct change *change)
{
    const unsigned char *octets = data;
    struct mupdate_text *texts[] = {&change->now.mupdate.name, &change->now.mupdate.location,
                                    &change->now.mupdate.acl, &change->now.who,
                                    &change->old_location};
    bool has_digest = len > 0 && octets[0] != 1;
    size_t lengths = change_lengths(has_digest);
    size_t fixed = lengths + CHANGE_LENGTHS_BYTES;
    const char *wrong = check_fixed(octets, len, CHANGE_VERSION, fixed);

    if (wrong)
        return wrong;
    if (octets[1] > MUPDATE_ACTIVE || octets[2] > MUPDATE_ACTIVE)
        return "its state is not a state";
    change->now.mupdate.state = (enum mupdate_state)octets[1];
    change->old_state = (enum mupdate_state)octets[2];
    change->term = format_get_u64(octets + 3);
    if (change->term == 0)
        return "its term is 0";
    change->now.time_us = (int64_t)format_get_u64(octets + 11);
    change->has_digest = has_digest;
    if (has_digest)
        format_get_digest(octets + CHANGE_DIGEST, &change->digest);
    wrong = get_texts(octets, len, lengths, fixed, texts, 5);
    if (wrong)
        return wrong;
    if (change->now.mupdate.name.len == 0)
        return "it names no row";
    if (change->now.mupdate.state == MUPDATE_ABSENT &&
        (change->now.mupdate.location.len || change->now.mupdate.acl.len))
        return "it deletes a row and gives it a place";
    return NULL;
}
