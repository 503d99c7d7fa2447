/*
 * The control socket of the mupdated on this host (mupdated-control(7)): ask it, and
 * take its answers line by line.
 *
 * A function that returns an exit status says nothing: why it failed is in local->text,
 * for ctl_local_failed() or for who knows another way.
 *
 * SPDX-License-Identifier: BSD-3-Clause
 */
#ifndef MUPDATECTL_LOCAL_H
#define MUPDATECTL_LOCAL_H

#include <jansson.h>
#include <limits.h>

#include "tools/mupdatectl/command.h"

struct config;

struct ctl_local {
    int fd; /* -1: not connected */
    int timeout_ms; /* the longest wait for a line; -1: for ever */
    json_int_t number; /* of the last request */
    bool more; /* its answer has another line */
    char *in;
    size_t len;
    size_t size;
    char path[PATH_MAX]; /* "": the configuration wants no control socket */
    char text[PATH_MAX + 512];
};

/*
 * Where it is: --socket; or the configuration's, when it is of the database that is meant; or
 * "control" in that database. directory is that database.
 */
void ctl_local_find(struct ctl_local *local, const struct ctl *ctl, const struct config *config,
                    const char *directory);

/*
 * The same for who needs nothing but the socket: with --socket no configuration is read. Exit
 * status: EX_CONFIG.
 */
int ctl_local_find_alone(struct ctl_local *local, const struct ctl *ctl);

/*
 * Connect. Exit status: EX_UNAVAILABLE: nobody listens there; EX_NOPERM: not for this user.
 */
int ctl_local_connect(struct ctl_local *local);

/* May be called at any time behind ctl_local_find(). */
void ctl_local_close(struct ctl_local *local);

/*
 * Send a request, an object with "do" and what goes with it, which is released; NULL counts as
 * out of memory. Exit status.
 */
int ctl_local_send(struct ctl_local *local, json_t *request);

/*
 * The next line of the answer, to be released; local->more tells whether there is another. Exit
 * status: EX_NOPERM, EX_TEMPFAIL (too many clients; no answer in time; the connection was lost),
 * EX_PROTOCOL, EX_UNAVAILABLE (what was asked for was refused), EX_IOERR (the reader of
 * standard output went away, or the database cannot be read).
 */
int ctl_local_next(struct ctl_local *local, json_t **answer);

/* Send, and take an answer of one line. */
int ctl_local_ask(struct ctl_local *local, json_t *request, json_t **answer);

/*
 * Send, and call with each member of the list that all lines of the answer have under key. The
 * callback returns an exit status, and has said what is wrong; the first that is not 0 ends it, and
 * local->text is empty then.
 */
typedef int ctl_local_item(void *context, const json_t *item);
int ctl_local_list(struct ctl_local *local, json_t *request, const char *key,
                   ctl_local_item *callback, void *context);

/* Say why, if there is something to say. Returns status. */
int ctl_local_failed(const struct ctl_local *local, int status);

/* Find, connect; says what is wrong. Exit status. */
int ctl_local_open(struct ctl_local *local, const struct ctl *ctl);

#endif
