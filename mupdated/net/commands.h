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

/*
 * What waits: a refusal for its time and for all stores, since answers come in order, and
 * a login that begins late. While commands are held the session must be given no input
 * and asked for no event.
 */
bool commands_are_held(const struct connection *connection);
void commands_say_delayed_no(struct connection *connection);

/* False: cut the connection off. */
bool commands_resume_login(struct connection *connection);

#endif
