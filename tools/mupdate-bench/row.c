/*
 * SPDX-License-Identifier: BSD-3-Clause
 */
#include "row.h"

#include <string.h>

enum { USER_DIGITS = 8, MARK_DIGITS = 16 };

static const struct {
    const char *text;
    size_t len;
} folders[] = {{"", 0}, {".Sent", 5}, {".Drafts", 7}, {".Trash", 6}, {".Archive.2026", 13}};

static const char rights[] = "\tlrswipkxtecdan\t";
static const char mark_rights[] = "\tl\t";

#define FOLDERS (sizeof(folders) / sizeof(folders[0]))

static char *put(char *out, const char *data, size_t len)
{
    memcpy(out, data, len);
    return out + len;
}

static char *put_user(char *out, const struct row_set *set, uint64_t user)
{
    out = put(out, set->prefix, set->prefix_len);
    for (size_t i = USER_DIGITS; i-- > 0; user /= 10) {
        out[i] = (char)('0' + user % 10);
    }
    return out + USER_DIGITS;
}

bool row_set_init(struct row_set *set, const char *name)
{
    size_t len = strlen(name);
    if (len == 0 || len > ROW_PREFIX_BYTES || strspn(name, "abcdefghijklmnopqrstuvwxyz") != len) {
        return false;
    }
    memcpy(set->prefix, name, len + 1);
    set->prefix_len = len;
    return true;
}

size_t row_name(const struct row_set *set, uint64_t number, char *out)
{
    char *end = put_user(put(out, "user.", 5), set, number / FOLDERS);
    end = put(end, folders[number % FOLDERS].text, folders[number % FOLDERS].len);
    return (size_t)(end - out);
}

size_t row_location(uint64_t number, char *out)
{
    char *end = put(out, "backend0.bench.test!default", 27);
    out[7] = (char)('1' + number / FOLDERS % 4);
    return (size_t)(end - out);
}

size_t row_acl(const struct row_set *set, uint64_t number, uint64_t mark, char *out)
{
    char *end = put(put_user(out, set, number / FOLDERS), rights, sizeof(rights) - 1);
    if (mark != 0) {
        *end++ = 'm';
        for (int shift = (MARK_DIGITS - 1) * 4; shift >= 0; shift -= 4) {
            *end++ = "0123456789abcdef"[mark >> shift & 15];
        }
        end = put(end, mark_rights, sizeof(mark_rights) - 1);
    }
    return (size_t)(end - out);
}

bool row_number(const struct row_set *set, struct message_text name, uint64_t *number)
{
    size_t head = 5 + set->prefix_len + USER_DIGITS;
    if (name.len < head || memcmp(name.data, "user.", 5) != 0 ||
        memcmp(name.data + 5, set->prefix, set->prefix_len) != 0) {
        return false;
    }
    uint64_t user = 0;
    for (const char *digit = name.data + head - USER_DIGITS; digit < name.data + head; digit++) {
        if (*digit < '0' || *digit > '9') {
            return false;
        }
        user = user * 10 + (uint64_t)(*digit - '0');
    }
    for (size_t i = 0; i < FOLDERS; i++) {
        if (name.len - head == folders[i].len &&
            memcmp(name.data + head, folders[i].text, folders[i].len) == 0) {
            *number = user * FOLDERS + i;
            return true;
        }
    }
    return false;
}

bool row_location_is(uint64_t number, struct message_text location)
{
    char wanted[ROW_TEXT_BYTES];
    size_t len = row_location(number, wanted);
    return location.len == len && memcmp(location.data, wanted, len) == 0;
}

static bool read_mark(const char *digits, uint64_t *mark)
{
    uint64_t value = 0;
    for (size_t i = 0; i < MARK_DIGITS; i++) {
        char c = digits[i];
        if (c >= '0' && c <= '9') {
            value = value << 4 | (uint64_t)(c - '0');
        } else if (c >= 'a' && c <= 'f') {
            value = value << 4 | (uint64_t)(c - 'a' + 10);
        } else {
            return false;
        }
    }
    *mark = value;
    return true;
}

bool row_acl_is(const struct row_set *set, uint64_t number, struct message_text acl,
                uint64_t *mark)
{
    char wanted[ROW_TEXT_BYTES];
    size_t len = row_acl(set, number, 0, wanted);
    *mark = 0;
    if (acl.len < len || memcmp(acl.data, wanted, len) != 0) {
        return false;
    }
    if (acl.len == len) {
        return true;
    }
    size_t tail = sizeof(mark_rights) - 1;
    return acl.len == len + 1 + MARK_DIGITS + tail && acl.data[len] == 'm' &&
           memcmp(acl.data + acl.len - tail, mark_rights, tail) == 0 &&
           read_mark(acl.data + len + 1, mark);
}
