/*
 * What comes after the last line of a configuration: values that follow from
 * others, and values that do not go together. Only config.c uses it.
 *
 * SPDX-License-Identifier: BSD-3-Clause
 */
#ifndef MUPDATED_CONFIG_CHECK_H
#define MUPDATED_CONFIG_CHECK_H

#include "mupdated/config_origin.h"

/*
 * Complete config, in which every key has its value or default, and see that
 * the values go together. Returns 0, or -1 with *error filled.
 */
int config_check(struct config *config, const struct config_origins *origins, config_notice *notice,
                 void *context, struct config_error *error);

#endif
