/*
 * The inside of a server session, shared by the files of this folder:
 *
 *   session.c   its life: new, free, input, output, states
 *   reader.c    bytes -> whole commands; what is refused is skipped
 *   command.c   which words are commands, with which arguments, when
 *   dispatch.c  whole commands -> events
 *   answer.c    the program's answers -> bytes
 *
 * SPDX-License-Identifier: BSD-3-Clause
 */
#ifndef SERVER_SESSION_H
#define SERVER_SESSION_H

#include "wire/buffer.h"
#include "wire/tail.h"
#include "wire/token.h"

#include <mupdate/server.h>

/* Tag, word, and as many arguments as the longest command has. */
#define SERVER_TOKENS (2 + MUPDATE_SERVER_HOSTS)

/* Bytes taken from the program beyond what was looked at: one read of a socket. */
#define SERVER_AHEAD_BYTES 65536

/*
 * A client that is not authenticated gets less of everything but of SASL, of which
 * a Kerberos ticket may need all: the longest line, the bytes taken in advance, and
 * the waiting bytes of replies at which no command is taken.
 */
#define SERVER_STRANGER_LINE_BYTES 8192
#define SERVER_STRANGER_AHEAD_BYTES 4096
#define SERVER_STRANGER_OUTPUT_BYTES 4096

/* What the banner said about TLS. */
enum server_tls {
    SERVER_TLS_UNKNOWN, /* no banner was given yet */
    SERVER_TLS_ABSENT,
    SERVER_TLS_OFFERED,
    SERVER_TLS_ACTIVE,
};

enum server_compress {
    SERVER_COMPRESS_ABSENT,
    SERVER_COMPRESS_OFFERED,
    SERVER_COMPRESS_ACTIVE,
};

/* What was handed out and is not answered; only changes may be several at once. */
enum server_flight {
    SERVER_FLIGHT_NONE,
    SERVER_FLIGHT_SETS,
    SERVER_FLIGHT_AUTH,     /* the program's turn in an authentication */
    SERVER_FLIGHT_RESPONSE, /* the client's turn */
    SERVER_FLIGHT_STARTTLS,
    SERVER_FLIGHT_COMPRESS,
    SERVER_FLIGHT_FIND,
    SERVER_FLIGHT_FOUND, /* FIND, its row was given */
    SERVER_FLIGHT_LIST,
    SERVER_FLIGHT_UPDATE,
    SERVER_FLIGHT_NOOP,
    SERVER_FLIGHTS,
};

enum reader_phase {
    READER_LINE,         /* collecting a line */
    READER_INVITE,       /* a literal is accepted; "+ go ahead" waits for older replies */
    READER_LITERAL,      /* collecting a literal's octets */
    READER_COMPLETE,     /* a command is whole and waits until it may be handed out */
    READER_REFUSED,      /* a refusal waits for older replies */
    READER_SKIP_LINE,    /* of a refused command: the rest of a line */
    READER_SKIP_LITERAL, /* of a refused command: the octets of a literal */
};

/* What the reader needs from the session before it can go on. */
enum reader_step {
    READER_MORE,    /* bytes */
    READER_COMMAND, /* that the command is handed out: reader_taken() */
    READER_INVITES, /* that nothing is unanswered: reader_invited() */
    READER_REFUSES, /* that nothing is unanswered: reader_refused() */
};

/* A reply that the session makes itself, and what of the input it is about. */
struct reader_refusal {
    enum mupdate_reply reply;
    const char *text;      /* static */
    struct wire_tail tail; /* how the refused line ends */
};

/* Offsets count from the first byte of the command, which is the input's first. */
struct reader {
    enum reader_phase phase;
    size_t line; /* where the line that is read starts */
    size_t seen; /* how far the input was looked at */
    uint64_t skip; /* octets of a literal still to skip */
    struct wire_tail tail;
    struct reader_refusal refusal;
    const struct command *command; /* once its word was read */
    struct wire_tokens tokens;
    struct wire_token items[SERVER_TOKENS];
};

struct mupdate_server {
    struct mupdate_server_limits limits;
    enum mupdate_server_state state;
    enum server_tls tls;
    enum server_compress compress;
    enum server_flight flight;
    size_t unanswered;

    struct buffer input;
    size_t handed; /* bytes of the input that the last event points into */
    struct reader reader;

    struct buffer tags; /* of what is unanswered: a uint16_t of length, then the tag */
    struct buffer stream_tag; /* UPDATE's, once answered */
    struct buffer output;
    struct mupdate_text hosts[MUPDATE_SERVER_HOSTS];
};

/* --- session.c */

/* Move to another state. A move that the table does not allow closes the session. */
bool server_move(struct mupdate_server *server, enum mupdate_server_state to);

/* Whether the client has still to authenticate. */
bool server_is_stranger(const struct mupdate_server *server);

/* The longest line that is taken now. */
size_t server_line_bytes(const struct mupdate_server *server);

/* Close without a further word; what is in the output still goes out. */
void server_close(struct mupdate_server *server);

/* Close when memory ran out, dropping the output, which has a hole. True when it did. */
bool server_failed(struct mupdate_server *server);

/* Remember that a command was handed out. */
void server_launch(struct mupdate_server *server, enum server_flight flight,
                    struct mupdate_text tag);

/* The oldest command was answered: forget its tag. */
void server_land(struct mupdate_server *server);

/* The tag of the oldest unanswered command. */
struct mupdate_text server_tag(const struct mupdate_server *server);

/* --- reader.c */

/* Read on until one of the four is needed. A refusal's text is in the reader. */
enum reader_step reader_step(struct mupdate_server *server);

/* The command was handed out: its bytes go with the next call of the program. */
void reader_taken(struct mupdate_server *server);

/* "+ go ahead" was sent. */
void reader_invited(struct mupdate_server *server);

/* The refusal was sent: go on behind what it was about. False: that cannot be done. */
bool reader_refused(struct mupdate_server *server);

/* Refuse a whole command, which is in the reader (READER_COMPLETE). */
void reader_refuse(struct mupdate_server *server, enum mupdate_reply reply, const char *text);

/* Whether the command's tag was read and is one that a reply can carry. */
bool reader_has_tag(const struct mupdate_server *server);

/* The tag for a refusal: the command's, or "*" when it has none (RFC 3656, section 3.3). */
struct mupdate_text reader_tag(const struct mupdate_server *server);

/* Start anew with the input's first byte. */
void reader_reset(struct mupdate_server *server);

/* --- command.c */

/* How a command is spelled and when it may be given. */
struct command {
    const char *word;
    enum mupdate_server_event_type event;
    enum mupdate_verb verb;
    enum server_flight flight;
    unsigned int states; /* bits 1 << enum mupdate_server_state */
    size_t arguments_min;
    size_t arguments_max;
    bool atoms; /* arguments may be atoms as well as strings */
};

/*
 * Judge what of the command was read so far: all of it (whole), or all up to a
 * literal's announcement, whose octets are not there yet. Sets
 * reader.command. NULL: right so far; otherwise the reason, with the reply.
 */
const char *command_check(struct mupdate_server *server, bool whole, enum mupdate_reply *reply);

/* Whether a literal is short enough for the command of which held octets were read. */
bool command_takes_literal(const struct mupdate_server *server, size_t held,
                           const struct wire_literal *literal);

/* --- dispatch.c */

/* Make an event of the whole command in the reader, or refuse it. True: *event is filled. */
bool dispatch_command(struct mupdate_server *server, struct mupdate_server_event *event);

/*
 * Read a line of an authentication exchange. True: *event is filled. False:
 * more bytes are needed.
 */
bool dispatch_response(struct mupdate_server *server, struct mupdate_server_event *event);

#endif
