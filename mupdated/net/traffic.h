/*
 * The bytes of a connection, between its socket, its layers and its session.
 *
 * It belongs to the loop's thread.
 *
 * SPDX-License-Identifier: BSD-3-Clause
 */
#ifndef NET_TRAFFIC_H
#define NET_TRAFFIC_H

#include "mupdated/net/connection.h"

/*
 * Send what waits: the session's output, then that of its dump. When the socket
 * takes no more, a little is handed to libuv, which says when it went: the rest
 * waits where it is, and counts there against its limits. False: the
 * connection was closed.
 */
bool traffic_flush(struct connection *connection);

/* Whether the session or its dump has something to send. */
bool traffic_has_output(const struct connection *connection);

/* Encoded octets that the socket has not taken yet. */
size_t traffic_waiting(const struct connection *connection);

/* Whether the socket has taken all that the session and the layers said. */
bool traffic_all_sent(const struct connection *connection);

/*
 * Bytes from the socket go up through the layers; without any, what waits in
 * them does. False: the connection was closed.
 */
bool traffic_receive(struct connection *connection, const void *data, size_t len);

/* Go on with a TLS handshake: what the client sent of it goes up through the layers. */
void traffic_shake_hands(struct connection *connection);

/* False when the socket cannot be read. */
bool traffic_start_reading(struct connection *connection);

/* Read from the socket, or not: what cannot be taken waits at the client. False as above. */
bool traffic_choose_reading(struct connection *connection);

/*
 * Pass what the session has said so far through the layers, and forget what
 * the client sent so far: the moment at which a new layer starts.
 */
bool traffic_turn(struct connection *connection);

#endif
