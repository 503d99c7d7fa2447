/* SPDX-License-Identifier: BSD-3-Clause */
#include "mupdated/dump/header.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

#include "mupdated/dump/field.h"

void dump_time_write(int64_t time_s, char text[DUMP_TIME_BYTES])
{
    time_t when = (time_t)time_s;
    struct tm parts;

    if (!gmtime_r(&when, &parts) || strftime(text, DUMP_TIME_BYTES, "%Y-%m-%dT%H:%M:%SZ",
                                             &parts) != DUMP_TIME_BYTES - 1)
        (void)snprintf(text, DUMP_TIME_BYTES, "1970-01-01T00:00:00Z");
}

static bool read_time(struct mupdate_text field, int64_t *time_s)
{
    char text[DUMP_TIME_BYTES];
    char again[DUMP_TIME_BYTES];
    struct tm parts = {0};

    if (field.len != sizeof text - 1)
        return false;
    memcpy(text, field.data, field.len);
    text[field.len] = '\0';
    if (!strptime(text, "%Y-%m-%dT%H:%M:%SZ", &parts))
        return false;
    *time_s = (int64_t)timegm(&parts);
    /* strptime(3) takes blanks, and a 31st of February. */
    dump_time_write(*time_s, again);
    return strcmp(text, again) == 0;
}

void dump_header_write(const struct dump_header *header, struct buffer *out)
{
    char time[DUMP_TIME_BYTES];

    dump_time_write(header->time_s, time);
    field_print(out, "mupdate-dump %d history=", DUMP_VERSION);
    field_write_hex(out, header->history, sizeof header->history);
    field_print(out, " term=%llu sequence=%llu rows=%llu order=octet time=%s",
                (unsigned long long)header->term, (unsigned long long)header->sequence,
                (unsigned long long)header->rows, time);
    if (header->server.len) {
        buffer_append_string(out, " server=");
        field_write(out, header->server);
    }
    buffer_append_string(out, "\n");
}

/* The value of the next field, which must be KEY=VALUE. */
static bool value_of(struct mupdate_text *line, const char *key, struct mupdate_text *value)
{
    size_t len = strlen(key);

    if (!field_next(line, value) || value->len <= len || memcmp(value->data, key, len) != 0 ||
        value->data[len] != '=')
        return false;
    value->data += len + 1;
    value->len -= len + 1;
    return true;
}

static bool is_word(struct mupdate_text field, const char *word)
{
    return text_equal(field, (struct mupdate_text){word, strlen(word)});
}

const char *dump_header_read(char *line, size_t len, struct dump_header *header)
{
    struct mupdate_text rest = {line, len};
    struct mupdate_text field;
    uint64_t version;

    memset(header, 0, sizeof *header);
    if (len > 0 && line[0] == '{')
        return "this is JSON, and only a dump as text can be loaded: mupdatectl dump without "
               "--json; mupdatectl import takes a dump of Cyrus's";
    if (!field_next(&rest, &field) || !is_word(field, "mupdate-dump"))
        return "this is no dump: it does not begin with mupdate-dump";
    if (!field_next(&rest, &field) || !field_number(field, &version) || version == 0)
        return "the version of the dump's form is missing";
    if (version > DUMP_VERSION)
        return "the dump has a newer form than this program can read: use the newer program";
    if (!value_of(&rest, "history", &field) ||
        !field_hex(field, header->history, sizeof header->history))
        return "history=, of 32 hexadecimal digits, is missing or wrong";
    if (!value_of(&rest, "term", &field) || !field_number(field, &header->term) ||
        header->term == 0)
        return "term= is missing or wrong";
    /* The next change must have a number too. */
    if (!value_of(&rest, "sequence", &field) || !field_number(field, &header->sequence) ||
        header->sequence >= UINT64_MAX - 1)
        return "sequence= is missing or wrong";
    if (!value_of(&rest, "rows", &field) || !field_number(field, &header->rows))
        return "rows= is missing or wrong";
    if (!value_of(&rest, "order", &field) || !is_word(field, "octet"))
        return "order=octet is missing";
    if (!value_of(&rest, "time", &field) || !read_time(field, &header->time_s))
        return "time= is missing or wrong";
    if (!rest.data)
        return NULL;
    if (!value_of(&rest, "server", &field) || field_read(field, &header->server) ||
        header->server.len == 0 || rest.data)
        return "behind time= there may be server= and nothing else";
    return NULL;
}
