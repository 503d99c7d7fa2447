/*
 * libmupdate-client: the client side of one MUPDATE connection (RFC 3656),
 * without I/O. <mupdate/connect.h> is the same with a socket.
 *
 * Bytes from the server go in with mupdate_client_input(); what they mean
 * comes out of mupdate_client_next() as events; commands are given with the
 * functions below and may be pipelined; bytes for the server come out of
 * mupdate_client_output().
 *
 * A session belongs to one thread at a time.
 *
 * SPDX-License-Identifier: BSD-3-Clause
 */
#ifndef MUPDATE_CLIENT_H
#define MUPDATE_CLIENT_H

#include <mupdate/types.h>

#pragma GCC visibility push(default)

struct mupdate_client;

/* Limits of what a server may send; mupdate_client_limits_default() fills them in. */
struct mupdate_client_limits {
    size_t line_bytes;    /* 65536: longest line outside literals */
    size_t literal_bytes; /* 1048576: longest literal */
};

void mupdate_client_limits_default(struct mupdate_client_limits *limits);

/* What the banner said (section 3.8). Valid until the next banner or _free(). */
struct mupdate_client_banner {
    const char *const *mechanisms;
    size_t mechanism_count;
    bool starttls;
    bool compress_deflate;
    bool partial_update;
    const char *hostname;
    const char *implementation;
    const char *version;
    const char *role;
};

enum mupdate_client_event_type {
    MUPDATE_CLIENT_BANNER,    /* the banner is complete: mupdate_client_banner() */
    MUPDATE_CLIENT_CHALLENGE, /* a challenge, decoded, in data: answer with _response */
    MUPDATE_CLIENT_ROW,       /* row, belonging to command */
    MUPDATE_CLIENT_DONE,      /* command ended: reply and text */
    MUPDATE_CLIENT_GOODBYE,   /* an untagged BYE or BAD: reply and text */
};

/* An event; its texts stay valid until the next call of _input(), _next(), _discard_input() or
   _free(). */
struct mupdate_client_event {
    enum mupdate_client_event_type type;
    uint64_t command; /* what the command's function returned; 0 for none */
    enum mupdate_reply reply;
    struct mupdate_text text;
    struct mupdate_text data;
    struct mupdate_row row; /* state MUPDATE_ABSENT: the stream says DELETE */
};

enum mupdate_client_next {
    MUPDATE_CLIENT_EVENT,
    MUPDATE_CLIENT_WAIT,  /* more bytes are needed */
    MUPDATE_CLIENT_ERROR, /* the server broke the protocol: mupdate_client_error(); close */
};

/* A new session, or NULL when memory ran out. limits NULL: the defaults. */
struct mupdate_client *mupdate_client_new(const struct mupdate_client_limits *limits);
void mupdate_client_free(struct mupdate_client *client);

/* Give bytes that came from the server; all are taken, or false: out of memory. */
bool mupdate_client_input(struct mupdate_client *client, const void *data, size_t len);

enum mupdate_client_next mupdate_client_next(struct mupdate_client *client,
                                             struct mupdate_client_event *event);

/* Forget input not handed out yet; how many bytes. For the start of TLS or a layer. */
size_t mupdate_client_discard_input(struct mupdate_client *client);

/* The banner, or NULL before the first was read. */
const struct mupdate_client_banner *mupdate_client_banner(const struct mupdate_client *client);

/* What was wrong with the server's bytes, or NULL. */
const char *mupdate_client_error(const struct mupdate_client *client);

/*
 * Commands. Each returns the number that its events will carry, or 0 when it
 * may not be given now (before the banner, during an authentication, another
 * command than NOOP and LOGOUT after UPDATE) or memory ran out. Strings go out
 * as non-synchronising literals, which need no round trip (section 2.2).
 */

/* initial NULL: no initial response; one of zero octets is sent as such. */
uint64_t mupdate_client_authenticate(struct mupdate_client *client, const char *mechanism,
                                     const void *initial, size_t len);
/* The answer to a challenge, and giving up; false when none is waited for. */
bool mupdate_client_response(struct mupdate_client *client, const void *data, size_t len);
bool mupdate_client_cancel(struct mupdate_client *client);
/* After its OK: start TLS, then wait for the next banner. */
uint64_t mupdate_client_starttls(struct mupdate_client *client);
uint64_t mupdate_client_compress(struct mupdate_client *client);
uint64_t mupdate_client_find(struct mupdate_client *client, struct mupdate_text name);
/* prefix of the location; NULL data: all rows. */
uint64_t mupdate_client_list(struct mupdate_client *client, struct mupdate_text prefix);
/* RESERVE, ACTIVATE, DEACTIVATE, DELETE; what the verb does not take is ignored. */
uint64_t mupdate_client_set(struct mupdate_client *client, enum mupdate_verb verb,
                            const struct mupdate_row *row);
/* Rows, then DONE: the dump is complete; then rows as changes come. */
uint64_t mupdate_client_update(struct mupdate_client *client, const struct mupdate_text *servers,
                               size_t count);
uint64_t mupdate_client_noop(struct mupdate_client *client);
uint64_t mupdate_client_logout(struct mupdate_client *client);

/* The bytes for the server, and how many of them were sent. */
size_t mupdate_client_output(const struct mupdate_client *client, const uint8_t **data);
void mupdate_client_sent(struct mupdate_client *client, size_t len);

#pragma GCC visibility pop

#endif
