/*
 * One row as it is now, for who compares tables while they change.
 *
 * SPDX-License-Identifier: BSD-3-Clause
 */
#include <stdlib.h>

#include "mupdated/control/json.h"
#include "mupdated/control/requests.h"

bool control_find(struct control_session *session, const json_t *request)
{
    const struct table *table = session->master->table;
    struct row row;
    char *name;
    size_t len;
    bool good;

    if (!json_get_text(request, "name", &name, &len))
        return false;
    if (!name)
        return control_refuse(session, "syntax", "name says which one");
    good = control_say(session,
                       json_pack("{s:o}", "row",
                                 table_find(table, (struct mupdate_text){name, len}, &row)
                                     ? json_row(&row.mupdate)
                                     : json_null()),
                       false);
    free(name);
    return good;
}
