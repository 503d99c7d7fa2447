/*
 * Where the settings of a configuration stand, for messages about them.
 *
 * SPDX-License-Identifier: BSD-3-Clause
 */
#ifndef MUPDATED_CONFIG_ORIGIN_H
#define MUPDATED_CONFIG_ORIGIN_H

#include "mupdated/config_key.h"
#include "mupdated/config_text.h"

/* A setting that was read: its key as written, and where. */
struct config_origin {
    char *key;
    char *file;
    unsigned line;
};

/* Where the values come from. */
struct config_origins {
    const char *file;                    /* the first one */
    const struct config_origin **of_key; /* for each of config_keys; NULL: the default */
    const struct config_origin *settings; /* all that were read, in that order */
    size_t count;
};

/* The setting with this key as written, or NULL. */
const struct config_origin *config_origin_find(const struct config_origins *origins,
                                               const char *written);

/* Where the value of one of config_keys was given; the file as a whole for a default. */
struct config_where config_origin_of(const struct config_origins *origins, const char *key);

/* Of two such keys that do not go together: where the later one was given. */
struct config_where config_origin_either(const struct config_origins *origins, const char *a,
                                         const char *b);

/* Where the group of this name was given. */
struct config_where config_origin_of_group(const struct config_origins *origins, const char *name);

#endif
