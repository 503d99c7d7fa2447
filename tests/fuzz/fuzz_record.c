/*
 * The records of the table on disk, and the order of names.
 *
 *   - Any octets are a record or not; none is read behind its end.
 *   - A record that is decoded and encoded again is the same octets: there is
 *     one form of each.
 *   - The order is a total one, and the one that table/order.h describes.
 *
 * SPDX-License-Identifier: BSD-3-Clause
 */
#include <stdlib.h>
#include <string.h>

#include "mupdated/store/format.h"
#include "mupdated/table/order.h"
#include "tests/fuzz/fuzz.h"

static void touch_row(const struct row *row)
{
    fuzz_touch(row->mupdate.location.data, row->mupdate.location.len);
    fuzz_touch(row->mupdate.acl.data, row->mupdate.acl.len);
    fuzz_touch(row->who.data, row->who.len);
}

static void decode_row(const uint8_t *octets, size_t len)
{
    uint8_t *copy = fuzz_copy(octets, len);
    struct format_record record = { 0 };
    struct row row = { 0 };

    if (!format_decode_row(copy, len, &row)) {
        touch_row(&row);
        FUZZ_CHECK(format_encode_row(&record, &row) == FORMAT_OK);
        FUZZ_CHECK(record.len == len && memcmp(record.data, octets, len) == 0);
    }
    format_record_free(&record);
    free(copy);
}

static void decode_change(const uint8_t *octets, size_t len)
{
    uint8_t *copy = fuzz_copy(octets, len);
    struct format_record record = { 0 };
    struct change change = { 0 };
    struct change *kept;

    if (!format_decode_change(copy, len, &change)) {
        touch_row(&change.now);
        fuzz_touch(change.now.mupdate.name.data, change.now.mupdate.name.len);
        fuzz_touch(change.old_location.data, change.old_location.len);
        kept = change_copy(&change);
        FUZZ_CHECK(kept != NULL);
        FUZZ_CHECK(format_encode_change(&record, kept) == FORMAT_OK);
        FUZZ_CHECK(record.len == len && memcmp(record.data, octets, len) == 0);
        free(kept);
    }
    format_record_free(&record);
    free(copy);
}

static struct mupdate_text cut_text(struct fuzz *fuzz, size_t *at)
{
    struct mupdate_text text = { (const char *)fuzz->text + *at, 0 };

    if (*at < fuzz->len)
        text.len = fuzz_piece(fuzz, fuzz->len - *at);
    *at += text.len;
    return text;
}

static void encode_row(struct fuzz *fuzz)
{
    struct row row = { .mupdate.state = fuzz_below(fuzz, 2) ? MUPDATE_ACTIVE : MUPDATE_RESERVED,
                       .sequence = 1 + fuzz_below(fuzz, 65536),
                       .time_us = -(int64_t)fuzz_below(fuzz, 65536) };
    struct format_record record = { 0 };
    struct row again = { 0 };
    size_t at = 0;

    row.mupdate.location = cut_text(fuzz, &at);
    row.mupdate.acl = cut_text(fuzz, &at);
    row.who = cut_text(fuzz, &at);
    FUZZ_CHECK(format_encode_row(&record, &row) == FORMAT_OK);
    FUZZ_CHECK(format_decode_row(record.data, record.len, &again) == NULL);
    FUZZ_CHECK(again.mupdate.state == row.mupdate.state && again.sequence == row.sequence);
    FUZZ_CHECK(again.time_us == row.time_us && text_equal(again.who, row.who));
    FUZZ_CHECK(text_equal(again.mupdate.location, row.mupdate.location));
    FUZZ_CHECK(text_equal(again.mupdate.acl, row.mupdate.acl));
    format_record_free(&record);
}

static int sign(int number)
{
    return (number > 0) - (number < 0);
}

/* The place of a name in Cyrus's order, as octets to compare: order.h in other words. */
static void cyrus_key(struct buffer *key, struct mupdate_text name)
{
    const char *mark = name.len > 0 ? memchr(name.data, '!', name.len) : NULL;
    size_t rest = mark ? (size_t)(mark - name.data) : 0;

    for (size_t i = 0; i < name.len; i++) {
        uint8_t c = (uint8_t)name.data[i];

        if (i >= rest) {
            if (mark && i == rest)
                c = 0x1d;
            else if (c == '.')
                c = 0x1f;
            else if (c == '^')
                c = 0x2e;
        }
        buffer_append(key, &c, 1);
    }
}

static int compare_keys(struct mupdate_text a, struct mupdate_text b)
{
    struct buffer keys[2] = { { 0 } };
    struct mupdate_text texts[2];
    int order;

    cyrus_key(&keys[0], a);
    cyrus_key(&keys[1], b);
    for (int i = 0; i < 2; i++)
        texts[i] = (struct mupdate_text){ (const char *)buffer_bytes(&keys[i]),
                                          buffer_len(&keys[i]) };
    order = text_compare(texts[0], texts[1]);
    buffer_free(&keys[0]);
    buffer_free(&keys[1]);
    return sign(order ? order : text_compare(a, b));
}

static void compare_names(struct fuzz *fuzz)
{
    struct mupdate_text names[3];
    size_t at = 0;

    for (int i = 0; i < 3; i++)
        names[i] = cut_text(fuzz, &at);
    for (enum list_order order = LIST_ORDER_CYRUS36; order <= LIST_ORDER_OCTET; order++) {
        int ab = sign(order_compare(order, names[0], names[1]));
        int bc = sign(order_compare(order, names[1], names[2]));
        int ac = sign(order_compare(order, names[0], names[2]));

        FUZZ_CHECK(ab == -sign(order_compare(order, names[1], names[0])));
        FUZZ_CHECK((ab == 0) == text_equal(names[0], names[1]));
        FUZZ_CHECK(ab != bc || ac == ab);
    }
    FUZZ_CHECK(sign(order_compare(LIST_ORDER_CYRUS36, names[0], names[1])) ==
               compare_keys(names[0], names[1]));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct fuzz fuzz;

    fuzz_open(&fuzz, data, size);
    decode_row(fuzz.text, fuzz.len);
    decode_change(fuzz.text, fuzz.len);
    encode_row(&fuzz);
    compare_names(&fuzz);
    return 0;
}
