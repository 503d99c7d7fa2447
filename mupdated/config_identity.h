/*
 * Which name in a client's certificate says who it is: the keys
 * tls_client_identity and tls_client_map.
 *
 * SPDX-License-Identifier: BSD-3-Clause
 */
#ifndef MUPDATED_CONFIG_IDENTITY_H
#define MUPDATED_CONFIG_IDENTITY_H

#include <stdbool.h>
#include <stddef.h>

#include "layer/tls.h"

/* One entry of tls_client_map: who has this name is that. */
struct config_identity_entry {
    enum tls_name kind;
    char name[TLS_NAME_BYTES];
    char identity[TLS_NAME_BYTES];
};

/* What an entry may look like, for messages. */
#define CONFIG_IDENTITY_ALLOWED \
    "entries \"USER=KIND:NAME\" with \";\" between, where KIND is san-dns, san-email, san-uri, " \
    "cn or subject"

/*
 * The next entry of a map; *at goes behind it, and must be the whole text at
 * first. False at the end, with *reason NULL, or with *reason a static text that
 * completes "tls_client_map: TEXT ..." when the entry cannot be used.
 */
bool config_identity_next(const char **at, struct config_identity_entry *entry,
                          const char **reason);

/*
 * The next of the kinds in tls_client_identity; *at goes behind it. False at
 * the end.
 */
bool config_identity_kind(const char **at, enum tls_name *kind);

#endif
