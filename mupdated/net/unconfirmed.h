/*
 * What a client gets from a table that was loaded and that nobody has confirmed. It may be
 * old, and whoever asks for rows deletes mail on an old table's word: he gets none. A back-end
 * that speaks of its own mailboxes is believed.
 *
 * SPDX-License-Identifier: BSD-3-Clause
 */
#ifndef NET_UNCONFIRMED_H
#define NET_UNCONFIRMED_H

#include "mupdated/net/connection.h"

/* At start: say it in the log, and what is to be done. Nothing when the table is confirmed. */
void unconfirmed_warn(const struct master *master);

/*
 * True when the event is one that such a table must not answer (FIND, LIST, UPDATE, RESERVE): the
 * connection was cut off, and that was logged, at most once a second.
 */
bool unconfirmed_refuses(struct connection *connection, const struct mupdate_server_event *event);

#endif
