/* SPDX-License-Identifier: BSD-3-Clause */
#include "mupdated/auth/lane.h"

#include <string.h>
#include <strings.h>

/* Whether each word of the setting is one of these; a NULL ends them. */
static bool has_only(const char *setting, const char *const *words)
{
    size_t len;

    for (; *(setting += strspn(setting, " \t")); setting += len) {
        const char *const *word = words;

        len = strcspn(setting, " \t");
        while (*word && (strlen(*word) != len || strncasecmp(setting, *word, len) != 0))
            word++;
        if (!*word)
            return false;
    }
    return true;
}

static bool is_one_of(const char *name, const char *const *words)
{
    for (; *words; words++)
        if (strcasecmp(name, *words) == 0)
            return true;
    return false;
}

enum auth_lane auth_lane(const struct config *config, const char *mechanism)
{
    static const char *const files[] = {"sasldb", NULL};
    static const char *const own_checks[] = {"auxprop", "auxprop-hashed", NULL};
    static const char *const passwords[] = {"PLAIN", "LOGIN", NULL};
    static const char *const computed[] = {"PLAIN", "LOGIN", "CRAM-MD5", "DIGEST-MD5",
                                           "EXTERNAL", NULL};
    bool computes = strncasecmp(mechanism, "SCRAM-", 6) == 0 || is_one_of(mechanism, computed);
    const char *checks = config_sasl(config, "pwcheck_method");
    const char *plugins = config_sasl(config, "auxprop_plugin");

    if (checks && is_one_of(mechanism, passwords) && !has_only(checks, own_checks))
        return AUTH_LANE_PASSWORD;
    /* Unset means all plug-ins that are installed; those that ask others do nothing unset. */
    if (computes && (!plugins || has_only(plugins, files)))
        return AUTH_LANE_LOCAL;
    return AUTH_LANE_NETWORK;
}
