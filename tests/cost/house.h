/*
 * The whole daemon but its main file in this process, and clients of it on a
 * socket of the file system, so that what one operation costs can be counted.
 *
 * The clients live in the loop's thread: bytes are there before the loop looks
 * for them, and nothing depends on who runs when. Only the daemon's work is
 * counted: in this thread what happens within house_turn(), in other threads
 * everything. Whatever goes wrong ends the process with a message.
 *
 * SPDX-License-Identifier: BSD-3-Clause
 */
#ifndef TESTS_COST_HOUSE_H
#define TESTS_COST_HOUSE_H

#include "mupdated/master.h"

struct house {
    uv_loop_t loop;
    struct config *config;
    const char *socket;
    struct master master;
};

/* Start a master. socket is the path that the configuration makes it listen on. */
void house_open(struct house *house, const char *config_file, const char *socket);

/* Stop it in good order. */
void house_close(struct house *house);

/* One turn of the loop, which waits until there is something to do. */
void house_turn(struct house *house);

/*
 * From here on the writer does not look at its queue, until house_release_writer()
 * lets it take all that was queued meanwhile as one batch. That returns when the
 * batch is decided.
 */
void house_hold_writer(void);
void house_release_writer(void);

/*
 * What is counted between these two is written to a file that names the block.
 * writer: what its thread does is counted too.
 */
void house_count(bool writer);
void house_counted(const char *block);

void die(const char *format, ...) __attribute__((noreturn, format(printf, 1, 2)));

/* --- clients */

struct client {
    struct house *house;
    int fd;
    struct buffer received; /* since the last client_forget() */
    bool ended;             /* the daemon ended the connection */
};

/* Connect and read the banner. */
void client_connect(struct client *client, struct house *house);

/* Log in with PLAIN. */
void client_login(struct client *client);

/* Connect and log in. */
void client_open(struct client *client, struct house *house);

void client_close(struct client *client);

/* Hand bytes to the socket, which must take all. */
void client_send(struct client *client, const struct buffer *bytes);
void client_say(struct client *client, const char *text);

/* Read what is there. */
void client_read(struct client *client);

/* Turn the loop until the last line that came starts with this, or so many bytes are there. */
void client_wait_line(struct client *client, const char *start);
void client_wait_bytes(struct client *client, size_t len);

/* How often a text stands in what was received. */
size_t client_holds(const struct client *client, const char *text);

void client_forget(struct client *client);

#endif
