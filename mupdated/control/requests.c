/* SPDX-License-Identifier: BSD-3-Clause */
#include "mupdated/control/requests.h"

#include <string.h>

static const struct request_kind {
    const char *name;
    bool (*handle)(struct control_session *session, const json_t *request);
} kinds[] = {
    {"status", control_status},
    {"connections", control_connections},
    {"kick", control_kick},
    {"reservations", control_reservations},
    {"changes", control_changes},
    {"confirm", control_confirm},
    {"copy", control_copy},
    {"find", control_find},
    {"move", control_move},
    {"release", control_release},
    {"saved", control_saved},
};

bool control_request(struct control_session *session, const json_t *request)
{
    const json_t *version = json_object_get(request, "v");
    const char *name = json_string_value(json_object_get(request, "do"));

    session->id = json_integer_value(json_object_get(request, "id"));
    if (!json_is_integer(version))
        return control_refuse(session, "syntax", "the request has no version: \"v\"");
    if (json_integer_value(version) != CONTROL_VERSION)
        return control_refuse(session, "version",
                              "this mupdated speaks version 1 of the control protocol: use the "
                              "mupdatectl that came with it");
    if (!name)
        return control_refuse(session, "syntax", "the request does not say what to do: \"do\"");
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++)
        if (strcmp(kinds[i].name, name) == 0)
            return kinds[i].handle(session, request);
    return control_refuse(session, "unknown", "there is no such request");
}
