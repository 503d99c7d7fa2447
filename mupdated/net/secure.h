/*
 * TLS of a connection: its start, whom it proves the client to be, its failure.
 *
 * It belongs to the loop's thread.
 *
 * SPDX-License-Identifier: BSD-3-Clause
 */
#ifndef NET_SECURE_H
#define NET_SECURE_H

#include "mupdated/net/connection.h"

/*
 * The next bytes of the client are its part of a handshake. False when the
 * certificate was taken away by a reload, or memory ran out: close.
 */
bool secure_start(struct connection *connection);

/* The handshake is complete: learn from the client's certificate who it is. */
void secure_established(struct connection *connection);

/* A layer failed: log it when it is TLS, with the certificate that was refused. */
void secure_failed(struct connection *connection);

/* Room for secure_describe(). */
#define SECURE_TEXT_BYTES 2048

/*
 * " tls=TLSv1.3", with " subject=... issuer=..." of the client's verified
 * certificate if there is one, in text; "" without TLS. Returns text.
 */
const char *secure_describe(const struct connection *connection, char *text, size_t size);

#endif
