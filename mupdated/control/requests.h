/*
 * What the control socket can be asked.
 *
 * SPDX-License-Identifier: BSD-3-Clause
 */
#ifndef CONTROL_REQUESTS_H
#define CONTROL_REQUESTS_H

#include "mupdated/control/session.h"

/* The version of the protocol; it grows when an older client could misunderstand an answer. */
#define CONTROL_VERSION 1

/*
 * Handle one request: answer it, refuse it, or begin a task that will. False:
 * out of memory.
 */
bool control_request(struct control_session *session, const json_t *request);

/* The handlers, by the file that they are in. As above. */
bool control_status(struct control_session *session, const json_t *request);
bool control_connections(struct control_session *session, const json_t *request);
bool control_kick(struct control_session *session, const json_t *request);
bool control_reservations(struct control_session *session, const json_t *request);
bool control_changes(struct control_session *session, const json_t *request);
bool control_confirm(struct control_session *session, const json_t *request);
bool control_release(struct control_session *session, const json_t *request);
bool control_saved(struct control_session *session, const json_t *request);
bool control_copy(struct control_session *session, const json_t *request);
bool control_find(struct control_session *session, const json_t *request);
bool control_move(struct control_session *session, const json_t *request);

#endif
