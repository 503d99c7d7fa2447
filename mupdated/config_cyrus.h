/*
 * The keys of Cyrus's imapd.conf that have no meaning for a MUPDATE master, so
 * that a file that Cyrus reads can be given to mupdated as it is.
 *
 * SPDX-License-Identifier: BSD-3-Clause
 */
#ifndef MUPDATED_CONFIG_CYRUS_H
#define MUPDATED_CONFIG_CYRUS_H

#include <stdbool.h>
#include <stddef.h>

/* Whether name, in small letters, is a key of Cyrus's without a meaning here. */
bool config_cyrus_has(const char *name);

/*
 * Whether name looks like one: a key of a family that only other parts of
 * Cyrus use, or one that is made with the name of a partition or a server.
 */
bool config_cyrus_may_have(const char *name);

/* The names that config_cyrus_has() knows, in strcmp() order; NULL past the last. */
const char *config_cyrus_name(size_t index);

#endif
