/* SPDX-License-Identifier: BSD-3-Clause */
#include "tools/mupdatectl/cyrus_writer.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "layer/tls_digest.h"
#include "mupdated/dump/field.h"
#include "tools/mupdatectl/cyrus_name.h"

#define US_PER_S 1000000
/* MAX_PARTITION_LEN of Cyrus, which counts a NUL. */
#define PARTITION_BYTES 63

const char cyrus_writer_no_memory[] = "out of memory";

static const char bad_utf8[] = "not UTF-8, which Cyrus's JSON must be";
static const char bad_name[] = "a name with a tab, which ends it in Cyrus's text";
static const char bad_acl[] = "an ACL that Cyrus would keep as another";
static const char bad_location[] = "a location that Cyrus's dump cannot hold";

static struct mupdate_text partition_of(struct mupdate_text location)
{
    size_t server = location_server(location).len;

    return server < location.len
               ? (struct mupdate_text){location.data + server + 1, location.len - server - 1}
               : (struct mupdate_text){"", 0};
}

static bool holds_one_of(struct mupdate_text text, const char *octets)
{
    for (size_t i = 0; i < text.len; i++)
        if (text.data[i] && strchr(octets, text.data[i]))
            return true;
    return false;
}

/* --- JSON --- */

/* NULL: it is not UTF-8, or out of memory. */
static json_t *string_of(struct mupdate_text text)
{
    return json_stringn(text.len ? text.data : "", text.len);
}

/* A value that may be NULL for want of memory. */
static bool set(json_t *object, const char *key, json_t *value)
{
    return json_object_set_new(object, key, value) == 0;
}

/* As NUL-terminated text, which JSON's keys are. False: out of memory. */
static bool terminate(struct buffer *buffer, struct mupdate_text text)
{
    buffer_clear(buffer);
    buffer_append(buffer, text.data, text.len);
    buffer_append(buffer, "", 1);
    return !buffer->failed;
}

/* Take what stands before the next tab, and that tab. */
static bool cut(struct mupdate_text *rest, struct mupdate_text *word)
{
    const char *tab = rest->len ? memchr(rest->data, '\t', rest->len) : NULL;

    if (!tab)
        return false;
    *word = (struct mupdate_text){rest->data, (size_t)(tab - rest->data)};
    rest->data += word->len + 1;
    rest->len -= word->len + 1;
    return true;
}

/* Cyrus's JSON has each identifier once. */
static const char *fill_acl(json_t *acl, struct mupdate_text text, struct buffer *key)
{
    struct mupdate_text id;
    struct mupdate_text rights;

    while (text.len > 0) {
        if (!cut(&text, &id) || !cut(&text, &rights))
            return bad_acl;
        if (!terminate(key, id))
            return cyrus_writer_no_memory;
        if (json_object_get(acl, (const char *)buffer_bytes(key)) ||
            json_object_set_new(acl, (const char *)buffer_bytes(key), string_of(rights)) != 0)
            return bad_acl;
    }
    return NULL;
}

/* One that stays the same from export to export, and is of no other name. */
static json_t *unique_id(struct mupdate_text name)
{
    struct tls_digest *digest = tls_digest_new();
    unsigned char octets[TLS_DIGEST_BYTES];
    char text[37];
    bool good = digest && tls_digest_add(digest, name.data, name.len) &&
                tls_digest_end(digest, octets);

    tls_digest_free(digest);
    if (!good)
        return NULL;
    /* RFC 9562, version 8: the rest is up to whoever makes it. */
    octets[6] = (unsigned char)((octets[6] & 0x0f) | 0x80);
    octets[8] = (unsigned char)((octets[8] & 0x3f) | 0x80);
    for (size_t i = 0, at = 0; i < 16; i++) {
        if (i == 4 || i == 6 || i == 8 || i == 10)
            text[at++] = '-';
        at += (size_t)snprintf(text + at, 3, "%02x", octets[i]);
    }
    return json_string(text);
}

static json_t *time_of(const struct row *row)
{
    char text[24];

    (void)snprintf(text, sizeof text, "%lld",
                   (long long)(row->time_us > 0 ? row->time_us / US_PER_S : 0));
    return json_string(text);
}

/* In the order of Cyrus's own. */
static bool fill(json_t *object, const struct row *row, json_t *acl)
{
    const struct mupdate_row *mupdate = &row->mupdate;
    const char *type = mupdate->state == MUPDATE_RESERVED ? "erz" : "er";

    return set(object, "name", string_of(mupdate->name)) && set(object, "mtime", time_of(row)) &&
           set(object, "uidvalidity", json_string("0")) &&
           set(object, "createdmodseq", json_string("0")) &&
           set(object, "foldermodseq", json_string("0")) &&
           set(object, "mbtype", json_string(type)) &&
           set(object, "partition", string_of(partition_of(mupdate->location))) &&
           set(object, "server", string_of(location_server(mupdate->location))) &&
           set(object, "acl", json_incref(acl)) &&
           set(object, "uniqueid", unique_id(mupdate->name)) &&
           set(object, "name_history", json_array());
}

static bool is_utf8(struct mupdate_text text)
{
    json_t *string = string_of(text);

    json_decref(string);
    return string != NULL;
}

static const char *check_json(const struct mupdate_row *row)
{
    if (!is_utf8(row->name) || !is_utf8(row->location) || !is_utf8(row->acl))
        return bad_utf8;
    if (partition_of(row->location).len > PARTITION_BYTES)
        return bad_location;
    return cyrus_name_check(row->name);
}

static int append(const char *text, size_t len, void *out)
{
    buffer_append(out, text, len);
    return 0;
}

static const char *write_member(const struct row *row, json_t *parent, json_t *object, json_t *acl,
                                bool first, struct buffer *out)
{
    struct buffer key = {0};
    const char *wrong = check_json(&row->mupdate);

    if (!wrong)
        wrong = fill_acl(acl, row->mupdate.acl, &key);
    if (!wrong && (!terminate(&key, row->mupdate.name) || !fill(object, row, acl) ||
                   !set(parent, (const char *)buffer_bytes(&key), json_incref(object))))
        wrong = cyrus_writer_no_memory;
    buffer_free(&key);
    if (wrong)
        return wrong;
    buffer_append_string(out, first ? "" : ",\n");
    if (json_dump_callback(parent, append, out, JSON_EMBED) != 0)
        return cyrus_writer_no_memory;
    return NULL;
}

static const char *write_json(const struct row *row, bool first, struct buffer *out)
{
    json_t *parent = json_object();
    json_t *object = json_object();
    json_t *acl = json_object();
    const char *wrong = parent && object && acl
                            ? write_member(row, parent, object, acl, first, out)
                            : cyrus_writer_no_memory;

    json_decref(acl);
    json_decref(object);
    json_decref(parent);
    return wrong;
}

/* --- text --- */

static const char *write_text(const struct mupdate_row *row, struct buffer *out)
{
    struct mupdate_text server = location_server(row->location);
    struct mupdate_text partition = partition_of(row->location);

    if (holds_one_of(row->name, "\t"))
        return bad_name;
    if (holds_one_of(row->location, " \t"))
        return bad_location;
    /* What stands behind a ">" is no ACL to some versions. */
    if (holds_one_of(row->acl, ">\r\n"))
        return bad_acl;
    buffer_append(out, row->name.data, row->name.len);
    field_print(out, "\t%d ", row->state == MUPDATE_RESERVED ? 3 : 1);
    buffer_append(out, server.data, server.len);
    buffer_append(out, "!", 1);
    buffer_append(out, partition.data, partition.len);
    buffer_append(out, " ", 1);
    buffer_append(out, row->acl.data, row->acl.len);
    buffer_append(out, "\n", 1);
    return NULL;
}

/* --- both --- */

void cyrus_writer_begin(struct cyrus_writer *writer, enum cyrus_form form, struct buffer *out)
{
    *writer = (struct cyrus_writer){.form = form};
    if (form == CYRUS_JSON)
        buffer_append_string(out, "{\n");
}

const char *cyrus_writer_row(struct cyrus_writer *writer, const struct row *row,
                             struct buffer *out)
{
    const char *wrong = writer->form == CYRUS_JSON ? write_json(row, writer->rows == 0, out)
                                                   : write_text(&row->mupdate, out);

    if (!wrong)
        writer->rows++;
    return wrong;
}

void cyrus_writer_end(struct cyrus_writer *writer, struct buffer *out)
{
    if (writer->form == CYRUS_JSON)
        buffer_append_string(out, "\n}\n");
}

enum list_order cyrus_writer_order(enum cyrus_form form)
{
    return form == CYRUS_JSON ? LIST_ORDER_CYRUS36 : LIST_ORDER_OCTET;
}
