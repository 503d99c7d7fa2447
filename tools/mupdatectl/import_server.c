/* SPDX-License-Identifier: BSD-3-Clause */
#include <sysexits.h>

#include "tools/mupdatectl/import.h"
#include "tools/mupdatectl/session.h"

static int take(void *context, const struct mupdate_row *mupdate)
{
    struct ctl_import *import = context;
    struct row row = {.mupdate = *mupdate, .time_us = import->now_us};

    ctl_progress_step(&import->progress, import->rows.count);
    if (mupdate->state == MUPDATE_ABSENT)
        return ctl_complain(EX_PROTOCOL, "%s sends a deletion where its table should come",
                            import->from);
    return ctl_import_row(import, &row, 0);
}

int ctl_import_server(struct ctl_import *import, struct ctl *ctl)
{
    int status = ctl_connect(ctl);

    import->from = ctl->connect.host;
    if (status)
        return status;
    /* Unlike LIST's, its answer is one moment's, and what a replica believes. */
    ctl_progress_begin(&import->progress, "receiving", "rows", 0);
    status = ctl_finish(ctl, mupdate_client_update(ctl_client(ctl), NULL, 0), take, import);
    ctl_progress_end(&import->progress);
    ctl_disconnect(ctl);
    return status;
}
