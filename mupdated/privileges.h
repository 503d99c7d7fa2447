/*
 * Who the daemon is, and what it keeps to itself. For the main thread, before
 * any other runs.
 *
 * SPDX-License-Identifier: BSD-3-Clause
 */
#ifndef MUPDATED_PRIVILEGES_H
#define MUPDATED_PRIVILEGES_H

#include "mupdated/config.h"

/* Who a daemon that root starts becomes when the key user is not given. */
#define PRIVILEGES_USER "mupdated"

/*
 * Started as root: make the directory of the database if it is not there,
 * become the user that the configuration names, with the groups that the
 * system gives him, and make sure that there is no way back. With
 * "user: root" stay root, and say so. Started by somebody else: see that the
 * configuration names nobody else.
 *
 * Returns EX_OK, or another code of <sysexits.h> with the reason logged: the
 * process may then be half somebody else, and must end.
 */
int privileges_drop(const struct config *config);

/*
 * See that the account is there which privileges_drop() looks for. Returns as
 * that does, and changes nothing.
 */
int privileges_check_user(const struct config *config);

/*
 * Keep what is in memory (passwords, keys) out of core files and from other
 * processes of the same user, unless the configuration wants core files.
 * Behind privileges_drop(), since the kernel forgets it when the user changes.
 */
void privileges_seal(const struct config *config);

/*
 * Log a warning for each file that the configuration names and that is there,
 * but may not be read by the user that the daemon is now. SIGHUP reads them
 * again, so that what root may read does not help.
 */
void privileges_check_files(const struct config *config);

#endif
