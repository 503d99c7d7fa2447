/* SPDX-License-Identifier: BSD-3-Clause */
#include "mupdated/control/json.h"

#include <stdio.h>
#include <stdlib.h>

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
