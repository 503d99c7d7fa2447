/*
 * Which names Cyrus 3.6 keeps as they are. Inside it a name is taken apart and put together
 * again; of some another mailbox's name comes, and some end its ctl_mboxlist -u.
 *
 * SPDX-License-Identifier: BSD-3-Clause
 */
#ifndef MUPDATECTL_CYRUS_NAME_H
#define MUPDATECTL_CYRUS_NAME_H

#include <mupdate/types.h>

/* NULL, or why ctl_mboxlist -u should not be given this name, in words; static. */
const char *cyrus_name_check(struct mupdate_text name);

#endif
