/* SPDX-License-Identifier: BSD-3-Clause */
#include "tools/mupdatectl/work.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>

#include "tools/mupdatectl/copy.h"
#include "tools/mupdatectl/progress.h"

static bool on_copied(void *context, uint64_t done, uint64_t total)
{
    struct ctl_progress *progress = context;

    progress->total = total;
    ctl_progress_step(progress, done);
    return true;
}

/* The next start of mupdated removes what is left of it if this one is killed. */
int ctl_work_directory(const struct ctl_place *place, char path[PATH_MAX])
{
    if (snprintf(path, PATH_MAX, "%s/copy-XXXXXX", place->directory) < PATH_MAX && mkdtemp(path))
        return 0;
    path[0] = '\0';
    return ctl_complain(EX_CANTCREAT, "%s: cannot make a directory for a copy of the table: %s",
                        place->directory, strerror(errno));
}

/* As the owner. */
static int copy_idle(struct ctl_work *work, const struct ctl_place *place)
{
    struct ctl_progress progress;
    struct store_error error;
    enum store_result result;
    int status = ctl_work_directory(place, work->path);

    if (status)
        return status;
    ctl_progress_begin(&progress, "copying", "MB", 0);
    result = work_copy(place->directory, work->path, WORK_ALL, on_copied, &progress,
                       &work->unread, &error);
    ctl_progress_end(&progress);
    return result == STORE_OK ? 0 : ctl_complain(EX_CANTCREAT, "%s", error.text);
}

int ctl_work_take(struct ctl_work *work, const struct ctl_place *place)
{
    struct store_error error;
    enum store_result result;
    int status;

    memset(work, 0, sizeof *work);
    work->local = place->local;
    status = ctl_as_owner(place);
    if (status)
        return status;
    result = store_lock_take(&work->lock, place->directory, &error);
    if (result == STORE_OK)
        status = copy_idle(work, place);
    ctl_as_self();
    if (result == STORE_BUSY) {
        work->hot = true;
        return ctl_copy_take(place, &work->local, work->path, &error);
    }
    if (result != STORE_OK)
        return ctl_store_failed(result, &error);
    if (status)
        ctl_work_end(work, place);
    return status;
}

void ctl_work_end(struct ctl_work *work, const struct ctl_place *place)
{
    if (work->hot) {
        ctl_local_close(&work->local);
        return;
    }
    if (work->path[0])
        ctl_remove_table(place, work->path);
    store_lock_release(work->lock);
    work->lock = NULL;
}
