/*
 * What there is against what is to be: the summary of a --dry-run.
 *
 * SPDX-License-Identifier: BSD-3-Clause
 */
#ifndef MUPDATECTL_PRESENT_H
#define MUPDATECTL_PRESENT_H

#include "tools/mupdatectl/differences.h"
#include "tools/mupdatectl/offline.h"

/* The rows of an open table for a comparison; *walk is to be freed. Exit status. */
int ctl_table_source(struct store *store, struct store_walk **walk, struct ctl_source *source);

/*
 * Print how the rows of then differ from the present table, which is empty when there is none.
 * Exit status.
 */
int ctl_present_compare(const struct ctl_place *place, const struct ctl_source *then, bool json);

#endif
