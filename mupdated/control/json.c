/* SPDX-License-Identifier: BSD-3-Clause */
#include "mupdated/control/json.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "wire/base64.h"

static json_t *base64(struct mupdate_text text)
{
    size_t len = base64_encoded_len(text.len);
    char *encoded = len == SIZE_MAX ? NULL : malloc(len ? len : 1);
    json_t *value;

    if (!encoded)
        return NULL;
    base64_encode(encoded, text.data, text.len);
    value = json_stringn(encoded, len);
    free(encoded);
    return value;
}

bool json_set_text(json_t *object, const char *key, struct mupdate_text text)
{
    json_t *value = json_stringn(text.len ? text.data : "", text.len);
    char other_key[32];

    if (value)
        return json_object_set_new(object, key, value) == 0;
    /* The octets are not UTF-8. (If it was memory, that is found out now.) */
    (void)snprintf(other_key, sizeof other_key, "%s_base64", key);
    return json_object_set_new(object, other_key, base64(text)) == 0;
}

bool json_set_hex(json_t *object, const char *key, const unsigned char *octets, size_t len)
{
    char text[129];

    for (size_t i = 0; i < len && i < sizeof text / 2; i++)
        (void)sprintf(text + 2 * i, "%02x", octets[i]);
    return json_object_set_new(object, key, json_string(text)) == 0;
}

const char *json_state_name(enum mupdate_state state)
{
    switch (state) {
    case MUPDATE_ACTIVE:
        return "active";
    case MUPDATE_RESERVED:
        return "reserved";
    case MUPDATE_ABSENT:
        break;
    }
    return "deleted";
}

json_t *json_row(const struct mupdate_row *row)
{
    json_t *object = json_object();

    if (object &&
        json_object_set_new(object, "state", json_string(json_state_name(row->state))) == 0 &&
        json_set_text(object, "name", row->name) &&
        (row->state == MUPDATE_ABSENT || json_set_text(object, "location", row->location)) &&
        (row->state != MUPDATE_ACTIVE || json_set_text(object, "acl", row->acl)))
        return object;
    json_decref(object);
    return NULL;
}

json_t *json_change(const struct change *change)
{
    json_t *object = json_row(&change->now.mupdate);

    if (object &&
        json_object_set_new(object, "sequence", json_integer((json_int_t)change->now.sequence)) ==
            0 &&
        json_object_set_new(object, "time_us", json_integer(change->now.time_us)) == 0 &&
        json_object_set_new(object, "term", json_integer((json_int_t)change->term)) == 0 &&
        json_set_text(object, "who", change->now.who) &&
        (change->old_state == MUPDATE_ABSENT ||
         (json_object_set_new(object, "old_state",
                              json_string(json_state_name(change->old_state))) == 0 &&
          json_set_text(object, "old_location", change->old_location))))
        return object;
    json_decref(object);
    return NULL;
}

bool json_get_text(const json_t *object, const char *key, char **text, size_t *len)
{
    const json_t *value = json_object_get(object, key);
    char other_key[32];
    bool encoded = !json_is_string(value);

    *text = NULL;
    *len = 0;
    if (encoded) {
        (void)snprintf(other_key, sizeof other_key, "%s_base64", key);
        value = json_object_get(object, other_key);
    }
    if (!json_is_string(value))
        return true;
    *len = json_string_length(value);
    *text = malloc(*len + 1);
    if (!*text)
        return false;
    memcpy(*text, json_string_value(value), *len + 1);
    if (encoded && !base64_decode((uint8_t *)*text, *len, len)) {
        free(*text);
        *text = NULL;
        return true;
    }
    (*text)[*len] = '\0';
    return true;
}
