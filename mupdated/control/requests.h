/*
 * What the control socket can be asked. The handlers are as session.h says, each in a file of
 * its own name or its family's.
 *
 * SPDX-License-Identifier: BSD-3-Clause
 */
#ifndef CONTROL_REQUESTS_H
#define CONTROL_REQUESTS_H

#include "mupdated/control/session.h"
#include "mupdated/master.h"

/* All of them, to one without a name. */
extern const struct control_kind control_requests[];

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
