/*
 * The operators' socket: a UNIX stream socket on which mupdatectl asks for what
 * does not belong on the wire. mupdated-control(7) describes the protocol:
 * a line of JSON for each request, one or more for each answer.
 *
 * Who may use it is decided by the kernel's word on who connected: root, the
 * user that this process runs as, and members of control_group.
 *
 * For the loop's thread.
 *
 * SPDX-License-Identifier: BSD-3-Clause
 */
#ifndef CONTROL_CONTROL_H
#define CONTROL_CONTROL_H

#include "mupdated/config.h"

/* Clients at one time: operators and their scripts are few. */
#define CONTROL_SESSIONS_MAX 32

struct master;
struct control;

/*
 * Listen as the configuration says. NULL when it says "none", or when the socket cannot be
 * had, which is logged: mail goes on without it.
 */
struct control *control_start(struct master *master, const struct config *config);

/* Changes became visible: those who follow the log of changes go on. */
void control_changed(struct control *control);

/*
 * Listen no more and cut off who is connected. control is freed by the loop, when the last
 * piece of work in another thread has come back. control may be NULL.
 */
void control_stop(struct control *control);

#endif
