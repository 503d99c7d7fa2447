/* SPDX-License-Identifier: BSD-3-Clause */
#include "wire/encode.h"

#include <string.h>

/* The longest word of a reply, blanks, quotes and the line's end. */
#define REPLY_OVERHEAD 16

size_t encode_number(uint8_t *to, uint64_t number)
{
    size_t len = 1;

    /* Nearly every name, location and ACL is so short. */
    if (number >= 10 && number < 100) {
        to[0] = (uint8_t)('0' + number / 10);
        to[1] = (uint8_t)('0' + number % 10);
        return 2;
    }
    for (uint64_t rest = number; rest >= 10; rest /= 10)
        len++;
    for (size_t i = len; i-- > 0; number /= 10)
        to[i] = (uint8_t)('0' + number % 10);
    return len;
}

static uint8_t *put(uint8_t *to, const char *data, size_t len)
{
    if (len > 0)
        memcpy(to, data, len);
    return to + len;
}

static uint8_t *put_literal(uint8_t *to, struct mupdate_text text)
{
    *to++ = '{';
    to += encode_number(to, text.len);
    to = put(to, "+}\r\n", 4);
    return put(to, text.data, text.len);
}

void encode_literal(struct buffer *out, struct mupdate_text text)
{
    uint8_t *start;

    if (text.len > SIZE_MAX - ENCODE_DIGITS - 5) {
        out->failed = true;
        return;
    }
    start = buffer_reserve(out, text.len + ENCODE_DIGITS + 5);
    if (start)
        buffer_added(out, (size_t)(put_literal(start, text) - start));
}

/* Between quotes these stand for themselves: printable ASCII but for quotes and backslashes. */
static const bool is_plain[256] = {
    [' ' ... '!'] = true,
    ['#' ... '['] = true,
    [']' ... '~'] = true,
};

static uint8_t *put_quoted(uint8_t *to, const char *text)
{
    const uint8_t *from = (const uint8_t *)(text ? text : "");
    uint8_t *last;

    *to++ = '"';
    for (last = to + ENCODE_TEXT_BYTES; to < last; from++) {
        if (is_plain[*from]) {
            *to++ = *from;
        } else if (*from == '\0') {
            break;
        } else if (*from != '"' && *from != '\\') {
            *to++ = '?';
        } else {
            if (last - to < 2)
                break;
            *to++ = '\\';
            *to++ = *from;
        }
    }
    *to++ = '"';
    return to;
}

void encode_quoted(struct buffer *out, const char *text)
{
    uint8_t *start = buffer_reserve(out, ENCODE_TEXT_BYTES + 2);

    if (start)
        buffer_added(out, (size_t)(put_quoted(start, text) - start));
}

void encode_reply(struct buffer *out, struct mupdate_text tag, enum mupdate_reply reply,
                  const char *text)
{
    static const struct mupdate_text words[] = {
        [MUPDATE_OK] = { " OK ", 4 },
        [MUPDATE_NO] = { " NO ", 4 },
        [MUPDATE_BAD] = { " BAD ", 5 },
        [MUPDATE_BYE] = { " BYE ", 5 },
    };
    uint8_t *start = buffer_reserve(out, tag.len + REPLY_OVERHEAD + ENCODE_TEXT_BYTES);
    uint8_t *to;

    if (!start)
        return;
    to = put(start, tag.data, tag.len);
    to = put(to, words[reply].data, words[reply].len);
    to = put_quoted(to, text);
    to = put(to, "\r\n", 2);
    buffer_added(out, (size_t)(to - start));
}

static size_t digits(size_t number)
{
    size_t count = 1;

    for (; number >= 10; number /= 10)
        count++;
    return count;
}

static size_t literal_len(struct mupdate_text text)
{
    return digits(text.len) + 5 + text.len;
}

size_t encode_row_len(struct mupdate_text tag, const struct mupdate_row *row)
{
    if (tag.len > SIZE_MAX / 8 || row->name.len > SIZE_MAX / 8 ||
        row->location.len > SIZE_MAX / 8 || row->acl.len > SIZE_MAX / 8)
        return SIZE_MAX;
    switch (row->state) {
    case MUPDATE_ACTIVE:
        return tag.len + 9 + literal_len(row->name) + 1 + literal_len(row->location) + 1 +
               literal_len(row->acl) + 2;
    case MUPDATE_RESERVED:
        return tag.len + 9 + literal_len(row->name) + 1 + literal_len(row->location) + 2;
    default:
        return tag.len + 8 + literal_len(row->name) + 2;
    }
}

static uint8_t *put_words(uint8_t *to, struct mupdate_text tag, const char *word, size_t len)
{
    to = put(to, tag.data, tag.len);
    return put(to, word, len);
}

void encode_row_put(uint8_t *to, struct mupdate_text tag, const struct mupdate_row *row)
{
    switch (row->state) {
    case MUPDATE_ACTIVE:
        to = put_literal(put_words(to, tag, " MAILBOX ", 9), row->name);
        *to++ = ' ';
        to = put_literal(to, row->location);
        *to++ = ' ';
        to = put_literal(to, row->acl);
        break;
    case MUPDATE_RESERVED:
        to = put_literal(put_words(to, tag, " RESERVE ", 9), row->name);
        *to++ = ' ';
        to = put_literal(to, row->location);
        break;
    default:
        to = put_literal(put_words(to, tag, " DELETE ", 8), row->name);
        break;
    }
    put(to, "\r\n", 2);
}

void encode_row(struct buffer *out, struct mupdate_text tag, const struct mupdate_row *row)
{
    size_t len = encode_row_len(tag, row);
    uint8_t *start;

    if (len == SIZE_MAX) {
        out->failed = true;
        return;
    }
    start = buffer_reserve(out, len);
    if (!start)
        return;
    encode_row_put(start, tag, row);
    buffer_added(out, len);
}
