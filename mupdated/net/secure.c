/* SPDX-License-Identifier: BSD-3-Clause */
#include "mupdated/net/secure.h"

#include <stdio.h>
#include <string.h>

#include "mupdated/auth/identity.h"
#include "mupdated/log.h"

#define VALUE(text) LOG_VALUE(text, strlen(text))

bool secure_start(struct connection *connection)
{
    struct tls_context *context = connection->master->tls;
    struct layer *layer = context ? tls_layer_server(context) : NULL;

    if (!context)
        log_warning("TLS failed: %s reason=%s", connection->peer,
                    VALUE("no certificate is configured any more"));
    if (!layer)
        return false;
    if (layer_stack_push(&connection->layers, layer))
        return true;
    layer->ops->free(layer);
    return false;
}

void secure_established(struct connection *connection)
{
    const struct layer *tls = layer_stack_get(&connection->layers, LAYER_TLS);
    char identity[TLS_NAME_BYTES];
    char subject[TLS_NAME_BYTES];
    const char *reason;

    if (!tls_layer_peer_verified(tls))
        return;
    if (identity_find(connection->master->config, tls, identity, &reason)) {
        connection->external = strdup(identity);
        if (connection->external)
            return;
        reason = "out of memory";
    }
    if (reason && tls_layer_peer_subject(tls, subject))
        log_notice("certificate: %s identity=- subject=%s reason=%s", connection->peer,
                   VALUE(subject), VALUE(reason));
}

void secure_failed(struct connection *connection)
{
    const struct layer *tls = layer_stack_get(&connection->layers, LAYER_TLS);
    char subject[TLS_NAME_BYTES];
    char more[48] = "";
    size_t unlogged = 0;
    const char *error;
    bool named;

    if (!tls || connection->layers.failed != tls)
        return;
    if (!connection->user && !admission_logs_handshake(connection, &unlogged))
        return;
    if (unlogged > 0)
        snprintf(more, sizeof more, " unlogged=%zu", unlogged);
    error = layer_stack_error(&connection->layers);
    named = tls_layer_refused_subject(tls, subject);
    log_notice("TLS failed: %s reason=%s%s%s%s", connection->peer, VALUE(error),
               named ? " subject=" : "", named ? VALUE(subject) : "", more);
}

const char *secure_describe(const struct connection *connection, char *text, size_t size)
{
    const struct layer *tls = layer_stack_get(&connection->layers, LAYER_TLS);
    char subject[TLS_NAME_BYTES];
    char issuer[TLS_NAME_BYTES];

    text[0] = '\0';
    if (!tls)
        return text;
    if (tls_layer_peer_verified(tls) && tls_layer_peer_subject(tls, subject) &&
        tls_layer_peer_issuer(tls, issuer))
        snprintf(text, size, " tls=%s subject=%s issuer=%s", tls_layer_version(tls),
                 VALUE(subject), VALUE(issuer));
    else
        snprintf(text, size, " tls=%s", tls_layer_version(tls));
    return text;
}
