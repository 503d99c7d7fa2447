/* SPDX-License-Identifier: BSD-3-Clause */
#include "mupdated/auth/rights.h"

#include <stdlib.h>
#include <string.h>

static int compare(const void *key, const void *element)
{
    return strcmp(key, ((const struct config_identity *)element)->name);
}

static const struct config_identity *find(const struct config *config, const char *name)
{
    if (!name || config->identity_count == 0)
        return NULL;
    return bsearch(name, config->identities, config->identity_count, sizeof *config->identities,
                   compare);
}

bool rights_may_act_as_others(const struct config *config, const char *identity)
{
    const struct config_identity *found = find(config, identity);

    return found && found->role == CONFIG_ROLE_ADMIN;
}

void rights_of(const struct config *config, const char *user, const char *authenticated,
               struct rights *rights)
{
    const struct config_identity *found = find(config, user);

    *rights = (struct rights){.role = CONFIG_ROLE_NONE};
    if (!found || !authenticated ||
        (strcmp(user, authenticated) != 0 && !rights_may_act_as_others(config, authenticated)))
        return;
    rights->role = found->role;
    rights->writes.all = found->role == CONFIG_ROLE_ADMIN;
    rights->writes.names = found->servers.items;
    rights->writes.count = found->servers.count;
}
