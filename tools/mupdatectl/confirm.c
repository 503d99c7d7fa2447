/* SPDX-License-Identifier: BSD-3-Clause */
#include <stdio.h>

#include "tools/mupdatectl/offline.h"
#include "tools/mupdatectl/output.h"

static int confirm_table(const struct ctl_place *place)
{
    struct store *store;
    struct store_error error;
    enum store_result result = STORE_OK;
    bool before;
    int status = ctl_table_open(place, &store);

    if (status)
        return status;
    before = store_confirmed(store);
    if (!before)
        result = store_confirm(store, &error);
    if (result != STORE_OK)
        status = ctl_store_failed(result, &error);
    ctl_table_close(store);
    if (status)
        return status;
    printf(before ? "The table in %s was confirmed already.\n"
                  : "The table in %s is confirmed: mupdated will serve it.\n",
           place->directory);
    return ctl_flush();
}

static int confirm(struct ctl *ctl, int argc, char **argv)
{
    struct ctl_place place;
    int status;

    if (ctl_option(ctl, argc, argv) == CTL_STOP)
        return ctl->status;
    status = ctl_place_find(&place, ctl, false);
    if (status)
        return status;
    status = confirm_table(&place);
    ctl_place_free(&place);
    return status;
}

const struct ctl_command ctl_confirm_command = {
    .name = "confirm",
    .arguments = "",
    .summary = "say that a loaded table is the right one",
    .help = "After load, restore or import the table may be old, and a back-end that believes an\n"
            "old table deletes mail. So mupdated answers no FIND, LIST, UPDATE and RESERVE on it\n"
            "until this was said. Back-ends may tell it of their own mailboxes meanwhile.\n",
    .run = confirm,
    .maximum = 0,
};
