/* SPDX-License-Identifier: BSD-3-Clause */
#include "mupdated/auth/identity.h"

#include <string.h>

#include "mupdated/config_identity.h"

static bool find_mapped(const char *map, const struct layer *tls, char *identity)
{
    struct config_identity_entry entry;
    const char *reason;

    while (config_identity_next(&map, &entry, &reason)) {
        if (tls_layer_peer_has(tls, entry.kind, entry.name)) {
            strcpy(identity, entry.identity);
            return true;
        }
    }
    return false;
}

bool identity_find(const struct config *config, const struct layer *tls, char *identity,
                   const char **reason)
{
    const char *kinds = config->tls_client_identity;
    enum tls_name kind;

    *reason = NULL;
    if (config->tls_client_map && find_mapped(config->tls_client_map, tls, identity))
        return true;
    if (config->tls_client_map)
        *reason = "no entry of tls_client_map has a name of it";
    if (!kinds)
        return false;
    /* A name that is doubtful is not passed over for one of the next kind. */
    while (config_identity_kind(&kinds, &kind)) {
        switch (tls_layer_peer_name(tls, kind, identity)) {
        case TLS_NAME_ONE:
            return true;
        case TLS_NAME_ABSENT:
            break;
        case TLS_NAME_SEVERAL:
            *reason = "it has several names of a kind in tls_client_identity";
            return false;
        case TLS_NAME_UNFIT:
            *reason = "a name in it cannot be a user's";
            return false;
        }
    }
    *reason = "it has no name of a kind in tls_client_identity";
    return false;
}
