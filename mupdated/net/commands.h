/*
 * What each command of a client does.
 *
 * SPDX-License-Identifier: BSD-3-Clause
 */
#ifndef NET_COMMANDS_H
#define NET_COMMANDS_H

#include "mupdated/net/connection.h"

/* Act on an event of the connection's session. False: cut the connection off. */
bool commands_handle(struct connection *connection, const struct mupdate_server_event *event);

/* The writer decided a request of this connection: answer it. */
void commands_stored(struct connection *connection, const struct writer_request *request);

#endif
