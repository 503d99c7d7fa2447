/* SPDX-License-Identifier: BSD-3-Clause */
#include <stdio.h>
#include <sysexits.h>

#include "tools/mupdatectl/offline.h"
#include "tools/mupdatectl/output.h"

static int say(const struct ctl_place *place, bool json, bool before, const char *then)
{
    if (json)
        return ctl_print_json(json_pack("{sbsb}", "confirmed", 1, "before", (int)before));
    if (before)
        printf("The table in %s was confirmed already.\n", place->directory);
    else
        printf("The table in %s is confirmed: %s.\n", place->directory, then);
    return ctl_flush();
}

/* By the mupdated that uses the table, which serves it at once. */
static int ask_daemon(const struct ctl_place *place, bool json, const struct store_error *busy)
{
    struct ctl_local local = place->local;
    bool before = false;
    json_t *answer;
    int status = ctl_local_connect(&local);

    if (status)
        return ctl_complain(EX_UNAVAILABLE, "%s; and it cannot be asked: %s", busy->text,
                            local.text);
    status = ctl_local_ask(&local, json_pack("{ss}", "do", "confirm"), &answer);
    if (status) {
        (void)ctl_local_failed(&local, status);
    } else {
        before = json_is_true(json_object_get(answer, "before"));
        json_decref(answer);
    }
    ctl_local_close(&local);
    return status ? status : say(place, json, before, "mupdated serves it");
}

static int confirm_table(const struct ctl_place *place, bool json)
{
    struct store *store;
    struct store_error error;
    int status;
    enum store_result result = ctl_table_open_idle(place, &store, &error, &status);
    bool before;

    if (result == STORE_BUSY)
        return ask_daemon(place, json, &error);
    if (result != STORE_OK)
        return status;
    before = store_confirmed(store);
    if (!before)
        result = store_confirm(store, &error);
    if (result != STORE_OK)
        status = ctl_store_failed(result, &error);
    store_close(store);
    ctl_as_self();
    return status ? status : say(place, json, before, "mupdated will serve it");
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
    status = confirm_table(&place, ctl->json);
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
