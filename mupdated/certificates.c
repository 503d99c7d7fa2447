/* SPDX-License-Identifier: BSD-3-Clause */
#include "mupdated/certificates.h"

#include <string.h>

#include "mupdated/log.h"
#include "mupdated/master.h"

#define DAY_S INT64_C(86400)
#define DAY_MS (DAY_S * UINT64_C(1000))

/* So early that somebody who reads the log each week sees it in time. */
#define SOON_S (30 * DAY_S)

#define VALUE(text) LOG_VALUE(text, strlen(text))

static void tell_expiry(const struct tls_context *tls, const struct config *config)
{
    int64_t left = tls_context_ends_in(tls);
    int64_t starts = tls_context_starts_in(tls);
    int64_t crl = tls_context_crl_ends_in(tls);

    if (left < 0)
        log_error("certificate: file=%s has expired: clients that check it do not connect",
                  VALUE(config->tls_server_cert));
    else if (left < SOON_S)
        log_warning("certificate: file=%s expires in %lld days", VALUE(config->tls_server_cert),
                    (long long)(left / DAY_S));
    if (starts > 0)
        log_error("certificate: file=%s is not valid yet: clients that check it do not connect",
                  VALUE(config->tls_server_cert));
    if (crl < 0)
        log_error("CRL: file=%s has expired: clients with a certificate of its CA are refused",
                  VALUE(config->tls_crl_file));
}

bool certificates_open(const struct config *config, struct tls_context **tls)
{
    struct tls_server_options options = {
        .cert_file = config->tls_server_cert,
        .key_file = config->tls_server_key,
        .ca_file = config->tls_client_ca_file,
        .ca_dir = config->tls_client_ca_dir,
        .crl_file = config->tls_crl_file,
        .versions = config->tls_versions,
        .ciphers = config->tls_ciphers,
    };
    struct tls_error error;
    bool can_check = config->tls_client_ca_file || config->tls_client_ca_dir;

    *tls = NULL;
    if (!config->tls_server_cert)
        return true;
    if (config->tls_client_certs && strcmp(config->tls_client_certs, "require") == 0)
        options.client_certs = TLS_CLIENT_CERTS_REQUIRE;
    else if (can_check && config->tls_client_certs &&
             strcmp(config->tls_client_certs, "optional") == 0)
        options.client_certs = TLS_CLIENT_CERTS_OPTIONAL;
    *tls = tls_context_server(&options, &error);
    if (!*tls) {
        log_error("TLS cannot be set up: %s", error.text);
        return false;
    }
    tell_expiry(*tls, config);
    return true;
}

static void on_day(uv_timer_t *timer)
{
    const struct master *master = timer->data;

    if (master->tls)
        tell_expiry(master->tls, master->config);
}

void certificates_watch(uv_timer_t *timer, struct master *master)
{
    timer->data = master;
    uv_timer_init(master->loop, timer);
    uv_timer_start(timer, on_day, DAY_MS, DAY_MS);
    uv_unref((uv_handle_t *)timer);
}

void certificates_unwatch(uv_timer_t *timer)
{
    uv_close((uv_handle_t *)timer, NULL);
}
