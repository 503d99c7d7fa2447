/*
 * libmupdate-server: the server side of one MUPDATE connection (RFC 3656),
 * without I/O.
 *
 * Bytes from the client go in with mupdate_server_input(); what the client
 * asks for comes out of mupdate_server_next() as events; the program answers
 * with the functions below; bytes for the client come out of
 * mupdate_server_output(). The session opens no socket, reads no clock, starts
 * no thread. TLS, SASL and compression are the program's: it is told when to
 * start them and passes the bytes through them.
 *
 * Commands may be pipelined. Their replies go out in the order of the commands
 * (section 2), so every answer is to the oldest command that has none yet.
 * Events of consecutive changes (SET) are handed out before the earlier ones
 * are answered, so that a program can store many at once; every other command
 * waits until all before it are answered, so that a FIND sees what an earlier
 * ACTIVATE on the same connection wrote.
 *
 * A session belongs to one thread at a time. All functions fail softly: when
 * memory runs out the session is closed without a further word.
 *
 * SPDX-License-Identifier: BSD-3-Clause
 */
#ifndef MUPDATE_SERVER_H
#define MUPDATE_SERVER_H

#include <mupdate/types.h>

#pragma GCC visibility push(default)

struct mupdate_server;

/* Servers that one UPDATE may name. */
#define MUPDATE_SERVER_HOSTS 64

/*
 * Limits of one session; mupdate_server_limits_default() fills in the defaults.
 * Values below what RFC 3656 needs are raised to it. A command beyond a limit
 * gets BAD, at once, and is skipped without being stored. The strings of one
 * command are limited together as well: to three literals of full size and four
 * lines.
 *
 * A client that has not authenticated gets less: lines of 8 KiB, mechanism names of 64
 * octets, 4 KiB of waiting replies; of its initial response and its exchange all that
 * sasl_bytes allows.
 */
struct mupdate_server_limits {
    size_t tag_bytes;          /* 64: longest tag; <= 256 */
    size_t line_bytes;         /* 8192: longest line outside literals, with CR LF; >= 1024 (2) */
    size_t literal_bytes;      /* 131072: longest literal; >= 4096 (2.2) */
    size_t sasl_bytes;         /* 65536: longest literal of an AUTHENTICATE, and longest line of
                                  its exchange, with its CR LF; >= 1024 */
    size_t commands_in_flight; /* 64: changes handed out and not answered yet */
    size_t output_bytes;       /* 262144: waiting bytes of replies at which no command is taken */
};

void mupdate_server_limits_default(struct mupdate_server_limits *limits);

/* What the banner says (section 3.8). Copied where it is passed. */
struct mupdate_server_banner {
    const char *const *mechanisms; /* SASL mechanism names; may be none */
    size_t mechanism_count;
    bool starttls;                 /* offer STARTTLS; never under TLS */
    bool compress;                 /* offer COMPRESS "DEFLATE" */
    const char *hostname;
    const char *implementation;
    const char *version;
    const char *role;              /* "(master)", or the master's MUPDATE URL */
};

enum mupdate_server_event_type {
    /* AUTHENTICATE: mechanism, and initial when has_initial. Answer with
       _challenge, _authenticated, _no or _bad. */
    MUPDATE_SERVER_AUTHENTICATE,
    /* The client's answer to a challenge, in initial. Answer as above. */
    MUPDATE_SERVER_AUTH_RESPONSE,
    /* The client gave up with "*"; the session has answered. Drop the exchange. */
    MUPDATE_SERVER_AUTH_CANCELLED,
    /* STARTTLS. Answer _ok, _discard_input, send the output, start TLS, then _banner; or _no. */
    MUPDATE_SERVER_STARTTLS,
    /* COMPRESS "DEFLATE", behind an authentication only. As STARTTLS, but with compression
       and without a banner. */
    MUPDATE_SERVER_COMPRESS,
    /* FIND: row.name. Answer with at most one _row, then _ok. */
    MUPDATE_SERVER_FIND,
    /* LIST: hosts[0] is the location prefix when host_count is 1. Answer with
       _row for each match, then _ok. */
    MUPDATE_SERVER_LIST,
    /* RESERVE, ACTIVATE, DEACTIVATE, DELETE: verb and row. Answer _ok or _no. */
    MUPDATE_SERVER_SET,
    /* UPDATE, with the servers of a partial update in hosts. Answer with _row
       for each, then _ok; from then on _row streams changes. To end it early,
       drop the connection without a word: a NO, BAD or BYE would be taken for
       a complete list by deployed clients. _no, _bad and _bye refuse to. */
    MUPDATE_SERVER_UPDATE,
    /* NOOP. Answer _ok (_no and _bad refuse to), in a stream after all changes known now were
       sent (section 4.8). */
    MUPDATE_SERVER_NOOP,
    /* LOGOUT; the session has answered BYE. Send the output and close. */
    MUPDATE_SERVER_LOGOUT,
};

/*
 * An event. All texts point into the session and stay valid until the next
 * call of mupdate_server_input(), _next(), _discard_input() or _free().
 */
struct mupdate_server_event {
    enum mupdate_server_event_type type;
    struct mupdate_text mechanism;
    bool has_initial;              /* an initial response of zero octets is one too */
    struct mupdate_text initial;   /* base64 already decoded */
    enum mupdate_verb verb;
    struct mupdate_row row;
    const struct mupdate_text *hosts;
    size_t host_count;
};

enum mupdate_server_next {
    MUPDATE_SERVER_EVENT,   /* *event is filled */
    MUPDATE_SERVER_WAIT,    /* more bytes are needed */
    MUPDATE_SERVER_BLOCKED, /* no command is taken until one is answered, output is sent, or, at
                               the start and under TLS, the banner is given */
    MUPDATE_SERVER_CLOSED,  /* no more will come: send the output, then close */
};

/* Where the session stands (sections 3.8, 4, 4.11). */
enum mupdate_server_state {
    MUPDATE_SERVER_STATE_UNAUTHENTICATED,
    MUPDATE_SERVER_STATE_AUTHENTICATING,
    MUPDATE_SERVER_STATE_TLS,           /* TLS is being started, banner not yet (re-)issued */
    MUPDATE_SERVER_STATE_AUTHENTICATED,
    MUPDATE_SERVER_STATE_DUMPING,       /* UPDATE taken, its OK not yet given */
    MUPDATE_SERVER_STATE_STREAMING,
    MUPDATE_SERVER_STATE_CLOSED,
};

/* A new session, or NULL when memory ran out. limits NULL: the defaults. */
struct mupdate_server *mupdate_server_new(const struct mupdate_server_limits *limits);
void mupdate_server_free(struct mupdate_server *server);

enum mupdate_server_state mupdate_server_state(const struct mupdate_server *server);

/*
 * The connection begins with TLS, without STARTTLS: to be told before anything
 * else. The session then stands as behind a STARTTLS that was answered with
 * _ok: start TLS, then give the banner. False, and nothing happens, at any other time.
 */
bool mupdate_server_start_tls(struct mupdate_server *server);

/*
 * Put the banner into the output: as the first thing of a connection and as
 * the first thing under TLS (section 3.8), where starttls is ignored. Until it
 * is given no input is taken. At any other time nothing happens.
 */
void mupdate_server_banner(struct mupdate_server *server,
                           const struct mupdate_server_banner *banner);

/*
 * Give bytes that came from the client. Returns how many were taken: less than
 * len when the session holds as much as it may (64 KiB that it has not looked
 * at, 4 KiB before authentication). Call mupdate_server_next() until it returns
 * something else than _EVENT, then offer the rest again: after _WAIT at least one
 * byte is taken, after _BLOCKED perhaps none. A closed session takes everything and forgets it.
 */
size_t mupdate_server_input(struct mupdate_server *server, const void *data, size_t len);

/* The next event. Call it until it returns something else than _EVENT. */
enum mupdate_server_next mupdate_server_next(struct mupdate_server *server,
                                             struct mupdate_server_event *event);

/*
 * Forget all input that was not handed out yet and return how many bytes that
 * was. For the moment at which TLS or a security layer starts: what came in
 * the clear behind the command must never be taken for a command (RFC 3656,
 * section 4.10; RFC 2595, section 4).
 */
size_t mupdate_server_discard_input(struct mupdate_server *server);

/* Commands handed out and not answered yet; an authentication is one until it ends. */
size_t mupdate_server_unanswered(const struct mupdate_server *server);

/*
 * Answers to the oldest unanswered command. text goes out as a quoted string:
 * what such a string cannot hold is replaced, and it is cut at 512 octets.
 * They do nothing and return false when there is no command that may be
 * answered so: answering is the caller's bookkeeping, and the session never
 * sends what would break the protocol.
 */
bool mupdate_server_ok(struct mupdate_server *server, const char *text);
bool mupdate_server_no(struct mupdate_server *server, const char *text);
bool mupdate_server_bad(struct mupdate_server *server, const char *text);

/*
 * One row of the answer to FIND, LIST or UPDATE, or, in a stream, a change;
 * only there an absent row is sent, as DELETE (sections 3.5 to 3.7). False,
 * and nothing is sent, when no row may be sent now.
 */
bool mupdate_server_row(struct mupdate_server *server, const struct mupdate_row *row);

/*
 * For what is sent to many clients: a row's octets depend on the row and on the
 * tag that the client chose, and many choose the same. So a program may encode
 * rows once, and give the octets to each session in place of _row.
 *
 * _rows_tag() gives the tag that the rows of the LIST or UPDATE under way carry,
 * or those of the stream behind UPDATE's OK; it is empty when there is neither.
 * It is valid until that command is answered.
 *
 * _rows() takes the octets of whole rows, with the result of _row.
 *
 * Or the program sends the rows of a LIST or UPDATE under way by itself: the
 * session's output before them, and all octets of whole rows before it gives
 * _ok; until then the session says nothing more. They count against no limit of
 * the session.
 *
 * _encode_row() writes the octets of a row, which must not be absent before
 * UPDATE's OK, to `to` when they are at most size, and returns how many they are
 * in either case; 0: the row cannot be sent. It needs no session, and may be
 * called in any thread.
 */
struct mupdate_text mupdate_server_rows_tag(const struct mupdate_server *server);
bool mupdate_server_rows(struct mupdate_server *server, const void *octets, size_t len);
size_t mupdate_server_encode_row(struct mupdate_text tag, const struct mupdate_row *row, void *to,
                                 size_t size);

/* The next challenge of an authentication (section 4.2); data is raw, not base64. */
bool mupdate_server_challenge(struct mupdate_server *server, const void *data, size_t len);

/* The authentication succeeded: OK. A security layer starts behind this output. */
bool mupdate_server_authenticated(struct mupdate_server *server, const char *text);

/*
 * Say an untagged BYE with a reason and close the session (section 3.4).
 * In a dump or with a command unanswered it only closes, without a word: a BYE
 * there would be taken for an answer. Allowed before the banner.
 */
void mupdate_server_bye(struct mupdate_server *server, const char *text);

/* The bytes for the client; valid until the next call on this session. */
size_t mupdate_server_output(const struct mupdate_server *server, const uint8_t **data);

/* The first len bytes of the output were sent. */
void mupdate_server_sent(struct mupdate_server *server, size_t len);

#pragma GCC visibility pop

#endif
