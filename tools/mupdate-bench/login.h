/*
 * From the banner to the end of AUTHENTICATE: what a connection says and hears
 * before it is LINK_READY. Used by link_receive.c and link_set.c alone.
 *
 * SPDX-License-Identifier: BSD-3-Clause
 */
#ifndef MUPDATE_BENCH_LOGIN_H
#define MUPDATE_BENCH_LOGIN_H

#include "link.h"

/* Prepare the log-in of a set; free(set->auth) at its end. */
void login_prepare(struct link_set *set);

/*
 * Take one line or message of what has come in a state before LINK_READY. False if
 * it is not all there, or when the link is LINK_READY, LINK_TLS or LINK_CLOSED now.
 */
bool login_take(struct link *link);

/* More has come in LINK_TLS. */
void login_tls(struct link *link);

#endif
