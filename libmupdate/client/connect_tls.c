/* SPDX-License-Identifier: BSD-3-Clause */
#include <string.h>

#include "client/connect_steps.h"
#include "layer/tls.h"

static bool handshake_failed(const struct connect_attempt *attempt)
{
    const char *reason = attempt->link->state == CONNECT_LINK_FAILED
                             ? layer_stack_error(&attempt->link->stack)
                             : "the server closed the connection";
    /* What OpenSSL says of a greeting in the clear. */
    bool clear = attempt->options->tls == MUPDATE_TLS_FIRST &&
                 strstr(reason, "wrong version number") != NULL;

    connect_error_set(attempt->error, MUPDATE_CONNECT_TLS, "TLS with %s failed: %s%s",
                      attempt->link->peer, reason,
                      clear ? "; this port does not seem to begin with TLS: leave out /tls" : "");
    return false;
}

static bool handshake(const struct connect_attempt *attempt, const struct layer *layer)
{
    int64_t until = moment_after(attempt->timeout_ms);

    while (!tls_layer_established(layer)) {
        int moved = connect_link_move(attempt->link, until, attempt->error);

        if (moved == 0) {
            connect_error_set(attempt->error, MUPDATE_CONNECT_TIMEOUT,
                              "%s did not complete TLS within %d ms", attempt->link->peer,
                              attempt->timeout_ms);
            return false;
        }
        if (moved < 0)
            return attempt->error->kind == MUPDATE_CONNECT_MEMORY ? false
                                                                  : handshake_failed(attempt);
        if (attempt->link->state == CONNECT_LINK_FAILED)
            return handshake_failed(attempt);
    }
    return true;
}

static bool start_layer(const struct connect_attempt *attempt)
{
    const struct tls_client_options tls_options = {
        .ca_file = attempt->options->ca_file,
        .accept_any_certificate = attempt->options->accept_any_certificate,
        .cert_file = attempt->options->cert_file,
        .key_file = attempt->options->key_file,
    };
    struct tls_error tls_error;
    struct tls_context *context = tls_context_client(&tls_options, &tls_error);
    struct layer *layer;

    if (!context) {
        connect_error_set(attempt->error, MUPDATE_CONNECT_TLS, "cannot use TLS: %s",
                          tls_error.text);
        return false;
    }
    layer = tls_layer_client(context, connect_server_name(attempt), &attempt->link->down);
    tls_context_unref(context);
    if (!layer || !layer_stack_push(&attempt->link->stack, layer)) {
        if (layer)
            layer->ops->free(layer);
        connect_error_set(attempt->error, MUPDATE_CONNECT_MEMORY,
                          "out of memory while starting TLS");
        return false;
    }
    return handshake(attempt, layer);
}

/* With TLS 1.3 the handshake is complete here before the server has judged our certificate. */
static bool await_banner_under_tls(const struct connect_attempt *attempt)
{
    if (connect_await_banner(attempt))
        return true;
    return attempt->link->state == CONNECT_LINK_FAILED ? handshake_failed(attempt) : false;
}

bool connect_begin(const struct connect_attempt *attempt)
{
    if (attempt->options->tls != MUPDATE_TLS_FIRST)
        return connect_await_banner(attempt);
    return start_layer(attempt) && await_banner_under_tls(attempt);
}

bool connect_starttls(const struct connect_attempt *attempt)
{
    const struct mupdate_client_banner *banner = mupdate_client_banner(attempt->link->client);
    struct mupdate_client_event event;
    const char *path;
    uint64_t command;

    if (attempt->options->tls == MUPDATE_TLS_NEVER || attempt->options->tls == MUPDATE_TLS_FIRST)
        return true;
    if (attempt->options->tls == MUPDATE_TLS_TRY &&
        (!banner->starttls || connect_host_is_unix(attempt->options->host, &path)))
        return true;
    if (!banner->starttls) {
        connect_error_set(
            attempt->error, MUPDATE_CONNECT_TLS,
            "%s does not offer STARTTLS, which was required; does it have a certificate?",
            attempt->link->peer);
        return false;
    }
    command = mupdate_client_starttls(attempt->link->client);
    if (!connect_await_done(attempt, command, &event, "an answer to STARTTLS"))
        return false;
    if (event.reply != MUPDATE_OK) {
        connect_error_set(attempt->error, MUPDATE_CONNECT_TLS,
                          "%s offers STARTTLS but refuses it: %.*s", attempt->link->peer,
                          connect_text_len(event.text), connect_text(event.text));
        return false;
    }
    /* What stands behind the OK was not said under TLS: anyone may have put it there. */
    (void)mupdate_client_discard_input(attempt->link->client);
    return start_layer(attempt) && await_banner_under_tls(attempt);
}
