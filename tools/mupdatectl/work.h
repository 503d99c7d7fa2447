/*
 * A copy of the table to take apart, so that the only one stays as it is.
 *
 * SPDX-License-Identifier: BSD-3-Clause
 */
#ifndef MUPDATECTL_WORK_H
#define MUPDATECTL_WORK_H

#include "mupdated/store/work.h"
#include "tools/mupdatectl/offline.h"

struct ctl_work {
    char path[PATH_MAX];
    bool hot;                /* a mupdated uses the table and made the copy */
    struct ctl_local local;  /* hot: whose copy it is */
    struct store_lock *lock; /* else: keeps a mupdated from being started */
    struct work_unread unread; /* of the files it was copied from */
};

/*
 * Take one, inside the database: file by file while nobody uses it, and nobody can until the
 * end; else from the mupdated that does. Needs room for a second table. Shows a progress bar.
 * Exit status.
 */
int ctl_work_take(struct ctl_work *work, const struct ctl_place *place);

/* An empty directory in the database, for copies. As the owner. Exit status. */
int ctl_work_directory(const struct ctl_place *place, char path[PATH_MAX]);

/* Remove it. */
void ctl_work_end(struct ctl_work *work, const struct ctl_place *place);

#endif
