/*
 * A user that does not exist must look like one with a wrong password: same
 * challenges, same cost, same end, whatever the mechanism does. So behind all
 * sources of passwords stands one more, which gives users without any secret
 * a password that nobody can know: 256 random bits, new each time.
 *
 * SPDX-License-Identifier: BSD-3-Clause
 */
#include <stdio.h>
#include <string.h>
#include <sys/random.h>

#include "layer/sasl_internal.h"

#define SECRET_BYTES 32

/* Properties of the user who authenticates begin with "*" (saslplug.h). */
#define PASSWORD_PROPERTY "*userPassword"

static bool is_secret(const char *name)
{
    static const char stored[] = "*cmusaslsecret";

    return strcasecmp(name, PASSWORD_PROPERTY) == 0 || strcasecmp(name, "*authPassword") == 0 ||
           strncasecmp(name, stored, sizeof stored - 1) == 0;
}

/* SASL_NOMECH leaves the answers of the other sources as they are. */
static int decoy_lookup(void *global, sasl_server_params_t *params, unsigned flags,
                        const char *user, unsigned len)
{
    const struct propval *property = params->utils->prop_get(params->propctx);
    struct sasl_server *server = sasl_server_of(params->callbacks);
    unsigned char random[SECRET_BYTES];
    char secret[2 * SECRET_BYTES + 1];
    bool wanted = false;
    int code;

    (void)global;
    (void)user;
    (void)len;
    if (!property || !server || (flags & (SASL_AUXPROP_AUTHZID | SASL_AUXPROP_VERIFY_AGAINST_HASH)))
        return SASL_NOMECH;
    for (; property->name; property++) {
        if (is_secret(property->name) && property->values && property->values[0])
            return SASL_NOMECH;
        wanted |= strcasecmp(property->name, PASSWORD_PROPERTY) == 0;
    }
    if (!wanted || getrandom(random, sizeof random, 0) != (ssize_t)sizeof random)
        return SASL_NOMECH;

    for (size_t i = 0; i < SECRET_BYTES; i++)
        snprintf(secret + 2 * i, 3, "%02x", random[i]);
    code = params->utils->prop_set(params->propctx, PASSWORD_PROPERTY, secret, 2 * SECRET_BYTES);
    explicit_bzero(random, sizeof random);
    explicit_bzero(secret, sizeof secret);
    if (code != SASL_OK)
        return SASL_NOMECH;
    sasl_server_note_decoy(server);
    return SASL_OK;
}

static int decoy_init(const sasl_utils_t *utils, int max_version, int *out_version,
                      sasl_auxprop_plug_t **plugin, const char *name)
{
    static char own_name[] = DECOY_SOURCE;
    static sasl_auxprop_plug_t decoy = {
        .auxprop_lookup = decoy_lookup,
        .name = own_name,
    };

    (void)utils;
    (void)name;
    if (max_version < SASL_AUXPROP_PLUG_VERSION)
        return SASL_BADVERS;
    *out_version = SASL_AUXPROP_PLUG_VERSION;
    *plugin = &decoy;
    return SASL_OK;
}

bool sasl_decoy_register(struct sasl_failure *failure)
{
    /*
     * Cyrus-SASL asks its sources in reverse order of registration. The decoy
     * must be asked last, so this comes before sasl_server_init().
     */
    int code = sasl_auxprop_add_plugin(DECOY_SOURCE, decoy_init);

    if (code == SASL_OK)
        return true;
    sasl_failure_set(failure, "Cyrus-SASL takes no source of passwords: %s",
                     sasl_errstring(code, NULL, NULL));
    return false;
}
