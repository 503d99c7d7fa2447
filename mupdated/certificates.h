/*
 * The certificates of the daemon: what the configuration says of TLS becomes a
 * context, and the log tells in time when one of them expires.
 *
 * All functions are for the loop's thread.
 *
 * SPDX-License-Identifier: BSD-3-Clause
 */
#ifndef MUPDATED_CERTIFICATES_H
#define MUPDATED_CERTIFICATES_H

#include <stdbool.h>
#include <uv.h>

#include "layer/tls.h"
#include "mupdated/config.h"

struct master;

/*
 * Read the files: *tls is the caller's then, NULL without tls_server_cert.
 * What expires soon or has expired is logged. False, with the reason logged,
 * when one of the files cannot be used.
 */
bool certificates_open(const struct config *config, struct tls_context **tls);

/* Look again each day, at the files that master->tls was made of, until _unwatch(). */
void certificates_watch(uv_timer_t *timer, struct master *master);
void certificates_unwatch(uv_timer_t *timer);

#endif
