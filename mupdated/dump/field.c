/* SPDX-License-Identifier: BSD-3-Clause */
#include "mupdated/dump/field.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#define ESCAPED_LEN 4 /* \xHH */

static const char capitals[] = "0123456789ABCDEF";

static bool is_plain(unsigned char octet)
{
    return octet > 0x20 && octet < 0x7f && octet != '\\';
}

void field_write(struct buffer *out, struct mupdate_text text)
{
    uint8_t *to;
    uint8_t *at;

    if (text.len == 0) {
        buffer_append_string(out, "\\-");
        return;
    }
    to = text.len > SIZE_MAX / ESCAPED_LEN ? NULL : buffer_reserve(out, text.len * ESCAPED_LEN);
    if (!to) {
        out->failed = true;
        return;
    }
    at = to;
    for (size_t i = 0; i < text.len; i++) {
        unsigned char octet = (unsigned char)text.data[i];

        if (is_plain(octet)) {
            *at++ = octet;
        } else {
            *at++ = '\\';
            *at++ = 'x';
            *at++ = (uint8_t)capitals[octet >> 4];
            *at++ = (uint8_t)capitals[octet & 15];
        }
    }
    buffer_added(out, (size_t)(at - to));
}

bool field_next(struct mupdate_text *line, struct mupdate_text *field)
{
    const char *blank;

    if (!line->data)
        return false;
    blank = line->len ? memchr(line->data, ' ', line->len) : NULL;
    field->data = line->data;
    if (!blank) {
        field->len = line->len;
        *line = (struct mupdate_text){NULL, 0};
        return true;
    }
    field->len = (size_t)(blank - line->data);
    line->len -= field->len + 1;
    line->data = blank + 1;
    return true;
}

static int capital_digit(char digit)
{
    const char *found = digit ? strchr(capitals, digit) : NULL;

    return found ? (int)(found - capitals) : -1;
}

const char *field_read(struct mupdate_text field, struct mupdate_text *text)
{
    char *to;
    size_t len = 0;

    if (field.len == 0)
        return "a field is missing";
    if (field.len == 2 && memcmp(field.data, "\\-", 2) == 0) {
        *text = (struct mupdate_text){field.data, 0};
        return NULL;
    }
    memcpy(&to, &field.data, sizeof to); /* the line is the reader's own */
    for (size_t i = 0; i < field.len; i++) {
        int high;
        int low;

        if (is_plain((unsigned char)field.data[i])) {
            to[len++] = field.data[i];
            continue;
        }
        if (field.data[i] != '\\')
            return "it holds an octet that must be escaped";
        if (field.len - i < ESCAPED_LEN || field.data[i + 1] != 'x')
            return "a backslash is not followed by x and two digits";
        high = capital_digit(field.data[i + 2]);
        low = capital_digit(field.data[i + 3]);
        if (high < 0 || low < 0)
            return "a backslash is not followed by x and two digits";
        if (is_plain((unsigned char)(high << 4 | low)))
            return "an octet is escaped that must not be";
        to[len++] = (char)(high << 4 | low);
        i += ESCAPED_LEN - 1;
    }
    *text = (struct mupdate_text){field.data, len};
    return NULL;
}

bool field_number(struct mupdate_text field, uint64_t *number)
{
    uint64_t value = 0;

    if (field.len == 0 || (field.data[0] == '0' && field.len > 1))
        return false;
    for (size_t i = 0; i < field.len; i++) {
        if (field.data[i] < '0' || field.data[i] > '9' ||
            __builtin_mul_overflow(value, 10, &value) ||
            __builtin_add_overflow(value, (unsigned)(field.data[i] - '0'), &value))
            return false;
    }
    *number = value;
    return true;
}

bool field_signed(struct mupdate_text field, int64_t *number)
{
    bool negative = field.len > 0 && field.data[0] == '-';
    uint64_t value;

    if (negative)
        field = (struct mupdate_text){field.data + 1, field.len - 1};
    if (!field_number(field, &value) || value > (uint64_t)INT64_MAX + negative ||
        (negative && value == 0))
        return false;
    *number = negative ? (int64_t)(0 - value) : (int64_t)value;
    return true;
}

static int small_digit(char digit)
{
    if (digit >= '0' && digit <= '9')
        return digit - '0';
    return digit >= 'a' && digit <= 'f' ? digit - 'a' + 10 : -1;
}

bool field_hex(struct mupdate_text field, unsigned char *octets, size_t count)
{
    if (field.len != 2 * count)
        return false;
    for (size_t i = 0; i < count; i++) {
        int high = small_digit(field.data[2 * i]);
        int low = small_digit(field.data[2 * i + 1]);

        if (high < 0 || low < 0)
            return false;
        octets[i] = (unsigned char)(high << 4 | low);
    }
    return true;
}

void field_write_hex(struct buffer *out, const unsigned char *octets, size_t count)
{
    for (size_t i = 0; i < count; i++)
        field_print(out, "%02x", octets[i]);
}

void field_print(struct buffer *out, const char *format, ...)
{
    char text[256];
    va_list arguments;
    int len;

    va_start(arguments, format);
    len = vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    if (len < 0 || (size_t)len >= sizeof text)
        out->failed = true;
    else
        buffer_append(out, text, (size_t)len);
}
