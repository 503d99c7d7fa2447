/*
 * Who a client is by its certificate: the policy on top of TLS, for EXTERNAL.
 *
 * SPDX-License-Identifier: BSD-3-Clause
 */
#ifndef AUTH_IDENTITY_H
#define AUTH_IDENTITY_H

#include "layer/tls.h"
#include "mupdated/config.h"

/*
 * The user that the verified certificate below is mapped to: by the first entry
 * of tls_client_map that fits, otherwise by the first kind of tls_client_identity
 * of which the certificate has a name. identity has TLS_NAME_BYTES. False with
 * *reason static: it cannot be told who that is, or NULL: nothing is configured.
 */
bool identity_find(const struct config *config, const struct layer *tls, char *identity,
                   const char **reason);

#endif
