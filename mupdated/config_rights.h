/*
 * From the keys admins, readers, backends and group_NAME to the identities that
 * have a right. Only config_check.c uses it.
 *
 * SPDX-License-Identifier: BSD-3-Clause
 */
#ifndef MUPDATED_CONFIG_RIGHTS_H
#define MUPDATED_CONFIG_RIGHTS_H

#include "mupdated/config_origin.h"

/*
 * Fill config->identities. Returns 0, or -1 with *error filled: a group that
 * is not there or holds another one, a word of backends that binds nobody or to
 * no server, an identity with two roles, out of memory. What was filled until
 * then is freed with the configuration.
 */
int config_rights_resolve(struct config *config, const struct config_origins *origins,
                          struct config_error *error);

#endif
