/* SPDX-License-Identifier: BSD-3-Clause */
#include <jansson.h>
#include <string.h>

#include "mupdated/dump/field.h"
#include "tools/mupdatectl/cyrus_entry.h"

static const struct {
    char letter;
    enum cyrus_flag flag;
} letters[] = {
    {'r', CYRUS_REMOTE},  {'z', CYRUS_RESERVED},     {'m', CYRUS_MOVING},
    {'d', CYRUS_DELETED}, {'i', CYRUS_INTERMEDIATE},
};

static struct mupdate_text text_of(const json_t *string)
{
    return (struct mupdate_text){json_string_value(string), json_string_length(string)};
}

/* The member of that key, when there is one. False: it is no string. */
static bool read_text(const json_t *object, const char *key, struct mupdate_text *text)
{
    const json_t *value = json_object_get(object, key);

    if (!value)
        return true;
    *text = text_of(value);
    return json_is_string(value);
}

static const char *read_type(const json_t *object, struct cyrus_entry *entry)
{
    struct mupdate_text type = {NULL, 0};

    if (!read_text(object, "mbtype", &type) || !type.data)
        return "its mbtype is missing or no string";
    for (size_t i = 0; i < sizeof letters / sizeof letters[0]; i++)
        if (memchr(type.data, letters[i].letter, type.len))
            entry->flags |= letters[i].flag;
    return NULL;
}

static const char *read_acl(struct cyrus_member *member, const json_t *object,
                            struct cyrus_entry *entry)
{
    json_t *acl = json_object_get(object, "acl");
    const char *id;
    json_t *rights;

    if (!json_is_object(acl))
        return "its acl is missing or no object";
    buffer_clear(&member->acl);
    json_object_foreach(acl, id, rights) {
        struct mupdate_text text = text_of(rights);

        if (!json_is_string(rights))
            return "its acl has rights that are no string";
        /* It could not be told from two of them. */
        if (strchr(id, '\t') || strchr(text.data, '\t'))
            return "its acl has a tab in an identifier or in rights";
        buffer_append_string(&member->acl, id);
        buffer_append(&member->acl, "\t", 1);
        buffer_append(&member->acl, text.data, text.len);
        buffer_append(&member->acl, "\t", 1);
    }
    if (member->acl.failed)
        return CYRUS_ENTRY_NO_MEMORY;
    entry->acl = (struct mupdate_text){(const char *)buffer_bytes(&member->acl),
                                       buffer_len(&member->acl)};
    return NULL;
}

static const char *read_object(struct cyrus_member *member, const json_t *object,
                               struct cyrus_entry *entry)
{
    struct mupdate_text mtime = {NULL, 0};
    uint64_t time_s;
    const char *wrong;

    if (!json_is_object(object))
        return "it is no object";
    wrong = read_type(object, entry);
    if (wrong)
        return wrong;
    if (!read_text(object, "server", &entry->server) ||
        !read_text(object, "partition", &entry->partition) ||
        !read_text(object, "mtime", &mtime))
        return "its server, partition or mtime is no string";
    if (field_number(mtime, &time_s) && time_s <= CYRUS_TIME_MAX)
        entry->time_s = (int64_t)time_s;
    return read_acl(member, object, entry);
}

const char *cyrus_member_read(struct cyrus_member *member, const char *data, size_t len,
                              struct cyrus_entry *entry, uint64_t *line)
{
    json_error_t error;
    const char *name;
    json_t *object;

    json_decref(member->object);
    *entry = (struct cyrus_entry){.line = entry->line, .time_s = -1};
    *line = 0;
    member->object = json_loadb(data, len, JSON_REJECT_DUPLICATES, &error);
    if (!member->object) {
        *line = error.line > 0 ? (uint64_t)error.line - 1 : 0;
        switch (json_error_code(&error)) {
        case json_error_out_of_memory:
            return CYRUS_ENTRY_NO_MEMORY;
        case json_error_invalid_utf8:
            return "it is not UTF-8";
        case json_error_duplicate_key:
            return "it has one key twice";
        case json_error_stack_overflow:
            return "it is nested too deeply";
        case json_error_null_character:
        case json_error_null_byte_in_key:
            return "there is a NUL in it";
        default:
            return "it is no JSON";
        }
    }
    json_object_foreach(member->object, name, object) {
        entry->name = (struct mupdate_text){name, strlen(name)};
        return read_object(member, object, entry);
    }
    return "it has no name";
}

void cyrus_member_free(struct cyrus_member *member)
{
    json_decref(member->object);
    member->object = NULL;
    buffer_free(&member->acl);
}
