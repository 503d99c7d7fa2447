/*
 * A copy of a table that is in use, by the mupdated that uses it.
 *
 * SPDX-License-Identifier: BSD-3-Clause
 */
#ifndef MUPDATECTL_COPY_H
#define MUPDATECTL_COPY_H

#include "tools/mupdatectl/offline.h"

/*
 * Have the copy made, in the table's directory; path is where. It is there until
 * ctl_local_close(local); local was found by ctl_local_find(). busy: who has the table, for
 * the message when there is nobody to be asked. Shows a progress bar. Exit status; it was said why.
 */
int ctl_copy_take(const struct ctl_place *place, struct ctl_local *local, char path[PATH_MAX],
                  const struct store_error *busy);

/*
 * Take it elsewhere: make the directory target of what is in path. As the owner of the database,
 * who may write both. Exit status; it was said why.
 */
int ctl_copy_move(const struct ctl_place *place, const char *path, const char *target);

#endif
