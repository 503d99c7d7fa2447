/*
 * Texts of the table as JSON. Octets that are not UTF-8 cannot stand in JSON: such a
 * value is given as base64, in a member called KEY_base64 instead.
 *
 * SPDX-License-Identifier: BSD-3-Clause
 */
#ifndef CONTROL_JSON_H
#define CONTROL_JSON_H

#include <jansson.h>
#include <mupdate/types.h>
#include <stdbool.h>

#include "mupdated/table/row.h"

/* Add a text under key, or under key_base64. key has at most 24 octets. False: out of memory. */
bool json_set_text(json_t *object, const char *key, struct mupdate_text text);

/* Add octets as hexadecimal digits. False: out of memory. */
bool json_set_hex(json_t *object, const char *key, const unsigned char *octets, size_t len);

/* "active", "reserved" or "deleted". */
const char *json_state_name(enum mupdate_state state);

/*
 * A new object with state, name and, as far as the state has them, location and
 * ACL; NULL: out of memory.
 */
json_t *json_row(const struct mupdate_row *row);

/*
 * A new object with what json_row() gives, sequence, time_us, term, who, and as far as there was
 * something before old_state and old_location; NULL: out of memory.
 */
json_t *json_change(const struct change *change);

/*
 * A copy of the text that object has under key, or under key_base64, to be freed, with a NUL
 * behind it; NULL when there is none. False: out of memory.
 */
bool json_get_text(const json_t *object, const char *key, char **text, size_t *len);

#endif
