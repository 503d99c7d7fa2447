/* SPDX-License-Identifier: BSD-3-Clause */
#include "mupdated/config_origin.h"

#include <stdio.h>
#include <string.h>

static const struct config_origin *of_key(const struct config_origins *origins, const char *key)
{
    return origins->of_key[config_key_find(key) - config_keys];
}

static struct config_where where(const struct config_origins *origins,
                                 const struct config_origin *origin)
{
    if (origin == NULL) {
        return (struct config_where){.file = origins->file, .line = 0};
    }
    return (struct config_where){.file = origin->file, .line = origin->line};
}

const struct config_origin *config_origin_find(const struct config_origins *origins,
                                               const char *written)
{
    for (size_t i = 0; i < origins->count; i++) {
        if (strcmp(origins->settings[i].key, written) == 0) {
            return &origins->settings[i];
        }
    }
    return NULL;
}

struct config_where config_origin_of(const struct config_origins *origins, const char *key)
{
    return where(origins, of_key(origins, key));
}

struct config_where config_origin_either(const struct config_origins *origins, const char *a,
                                         const char *b)
{
    const struct config_origin *origin_a = of_key(origins, a);
    const struct config_origin *origin_b = of_key(origins, b);
    bool is_b = origin_b != NULL && (origin_a == NULL || origin_a < origin_b);

    return where(origins, is_b ? origin_b : origin_a);
}

struct config_where config_origin_of_group(const struct config_origins *origins, const char *name)
{
    char written[CONFIG_QUOTE_BYTES];
    const struct config_origin *origin;

    snprintf(written, sizeof written, "mupdate_group_%s", name);
    origin = config_origin_find(origins, written);
    if (origin == NULL) {
        origin = config_origin_find(origins, written + strlen("mupdate_"));
    }
    return where(origins, origin);
}
