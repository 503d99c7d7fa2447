/*
 * The inside of a client session, shared by the session*.c files:
 *
 *   session.c         its life: new, free, input, output, states
 *   session_send.c    commands -> bytes
 *   session_read.c    bytes -> whole responses -> events
 *   session_banner.c  the capability banner
 *
 * SPDX-License-Identifier: BSD-3-Clause
 */
#ifndef CLIENT_SESSION_H
#define CLIENT_SESSION_H

#include "wire/buffer.h"
#include "wire/token.h"

#include <mupdate/client.h>

/* Words of one response: a banner may list many mechanisms. */
#define CLIENT_TOKENS 66

/* Mechanisms that are kept; more than any SASL library has. */
#define CLIENT_MECHANISMS 64
#define CLIENT_MECHANISM_BYTES 20

enum client_state {
    CLIENT_GREETING,       /* the banner is not complete */
    CLIENT_READY,          /* any command may be given */
    CLIENT_AUTHENTICATING, /* the server's turn */
    CLIENT_CHALLENGED,     /* the program's turn */
    CLIENT_UPGRADING,      /* STARTTLS or COMPRESS was sent: nothing may follow it */
    CLIENT_UPDATING,       /* UPDATE was sent: only NOOP and LOGOUT may follow */
    CLIENT_LEAVING,        /* LOGOUT was sent */
    CLIENT_OVER,           /* the server said BYE or answered LOGOUT */
    CLIENT_BROKEN,         /* error says why */
};

enum client_kind {
    CLIENT_KIND_AUTHENTICATE,
    CLIENT_KIND_STARTTLS,
    CLIENT_KIND_COMPRESS,
    CLIENT_KIND_FIND,
    CLIENT_KIND_LIST,
    CLIENT_KIND_SET,
    CLIENT_KIND_UPDATE,
    CLIENT_KIND_NOOP,
    CLIENT_KIND_LOGOUT,
};

/* A banner with the memory behind it. */
struct client_banner {
    struct mupdate_client_banner shown;
    char *mechanisms[CLIENT_MECHANISMS];
    char *strings[4]; /* hostname, implementation, version, role */
};

struct mupdate_client {
    struct mupdate_client_limits limits;
    enum client_state state;
    const char *error; /* static; once CLIENT_BROKEN */

    uint64_t last;       /* the number of the newest command */
    struct buffer kinds; /* of the unanswered commands, oldest first, an octet each */
    uint64_t stream;     /* the UPDATE whose changes are streamed, or 0 */

    struct client_banner *banner;  /* the complete one */
    struct client_banner *reading; /* the one that is being read */

    struct buffer input;
    size_t handed; /* bytes of the input that the last event points into */
    size_t line;   /* where the line that is read starts in the response */
    size_t seen;   /* how far the input was looked at */
    size_t literal_end; /* where the literal that is read ends; 0: none is */
    struct wire_tokens tokens;
    struct wire_token items[CLIENT_TOKENS];

    struct buffer output;
};

/* --- session.c */

/* Move to another state. A move that the table does not allow breaks the session. */
void client_move(struct mupdate_client *client, enum client_state to);

/* The session is of no more use, for a static reason. */
void client_break(struct mupdate_client *client, const char *error);

/* Break the session when memory ran out in one of its buffers. True when it did. */
bool client_starved(struct mupdate_client *client);

/* The number of the oldest unanswered command; 0 when there is none. */
uint64_t client_oldest(const struct mupdate_client *client);

/* --- client_banner.c */

/*
 * Take a line of the banner: the response in client->tokens, which begins with
 * "*". True when it was the last one; the banner is then client->banner. When
 * memory runs out the session breaks.
 */
bool client_banner_line(struct mupdate_client *client);

void client_banner_free(struct client_banner *banner);

#endif
