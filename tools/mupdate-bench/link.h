/*
 * Connections to the server: connected, with TLS if asked for, and authenticated, then
 * messages both ways, all of them in one epoll set and one thread. Whatever
 * goes wrong on one of them ends the process with a message that says what and
 * where (report_failure()), for then the figures mean nothing.
 *
 * SPDX-License-Identifier: BSD-3-Clause
 */
#ifndef MUPDATE_BENCH_LINK_H
#define MUPDATE_BENCH_LINK_H

#include <sys/socket.h>

#include "octets.h"
#include "message.h"
#include "options.h"
#include "transcript.h"

enum link_state {
    LINK_CLOSED,
    LINK_CONNECTING, /* the TCP connection is being made, or nothing has come yet */
    LINK_BANNER,     /* waiting for "* OK" */
    LINK_STARTTLS,   /* waiting for the answer to STARTTLS */
    LINK_TLS,        /* in TLS's handshake */
    LINK_AUTH,       /* waiting for the answer to AUTHENTICATE */
    LINK_READY,      /* messages go to on_message */
    LINK_LOGOUT,     /* waiting for the answer to LOGOUT or the end */
};

struct link_set;
struct secure;

struct link {
    struct link_set *set;
    size_t number; /* position in the set, for messages */
    enum link_state state;
    int fd;
    bool waits_to_write;
    bool paused; /* see link_pause() */
    struct octets in;
    struct octets out;
    struct secure *secure; /* NULL: PLAIN in the clear */
    bool shares; /* what it gets belongs to the transcript */
    size_t at;   /* in the transcript */
    uint64_t started_ns;
    uint64_t heard_ns; /* when the last octets came */
    uint64_t received_octets; /* since the connection was made */
};

/*
 * Called from link_set_wait(); messages are views, valid during the call. A
 * message of the transcript comes once, as one of the link that brought it and
 * with link->shares set; it ends at transcript.parsed.
 */
struct link_events {
    void (*on_ready)(struct link *link); /* authenticated; may be NULL */
    void (*on_message)(struct link *link, const struct message *message);
    void (*on_closed)(struct link *link); /* after link_logout(); may be NULL */
    /* link->at has moved on; may be NULL without link_share() */
    void (*on_advance)(struct link *link);
    /*
     * The link was sent something else than the transcript and is on its own
     * now: all that it ever got since link_share() comes again as messages. May be
     * NULL without link_share().
     */
    void (*on_own)(struct link *link);
    /*
     * The connection was not made, or broke, when it was in that state; it is
     * LINK_CLOSED now. NULL: that ends the process. error may be 0: closed by the
     * server. link_lost() gives up after all.
     */
    void (*on_lost)(struct link *link, enum link_state state, int error);
};

struct link_set {
    const struct options *options;
    struct link_events events;
    void *context; /* the scenario's own */
    struct link *links;
    size_t count;
    size_t ready;  /* links that are LINK_READY */
    size_t closed; /* links that are LINK_CLOSED */
    size_t starting;
    int epoll;
    uint64_t now_ns; /* when the octets being handled were received */
    uint64_t heard_ns; /* the last sign of life of the server */
    bool watched; /* see link_set_watched() */
    bool nothing_due;  /* set by the scenario: silence is no fault now */
    struct sockaddr_storage address;
    socklen_t address_len;
    struct transcript transcript;
    size_t author; /* number of the link that extended it last */
    bool checks_later; /* set by the scenario: parse it when there is nothing to receive */
    char *scratch; /* where links receive that share, or have layers */
    char *auth; /* the AUTHENTICATE command; NULL: not PLAIN */
    size_t auth_len;
};

/*
 * Make a set of count links that are not connected yet. events and context are
 * copied; options must stay valid.
 */
void link_set_open(struct link_set *set, const struct options *options, size_t count,
                   struct link_events events, void *context);

/* Log out and free everything. Links that are still busy are simply closed. */
void link_set_close(struct link_set *set);

/* Connect all links, some at a time, and return when all are LINK_READY. */
void link_set_connect(struct link_set *set);

/*
 * Start links from number first on, as many as may be under way at once. Returns
 * how many.
 */
size_t link_set_start_some(struct link_set *set, size_t first);

/*
 * Handle what has arrived, waiting up to timeout_ms (-1: as long as the options
 * allow silence) for something. Octets that the callbacks queued are sent.
 */
void link_set_wait(struct link_set *set, int timeout_ms);

/*
 * Let another file descriptor end the wait as well; it is only looked at. False
 * if it is one that is always readable, such as a file.
 */
bool link_set_watch(struct link_set *set, int fd);

/* Whether it was readable in the last link_set_wait(). */
bool link_set_watched(const struct link_set *set);

/*
 * Start to connect a LINK_CLOSED link; on_ready follows. If it is LINK_CLOSED
 * still, then on_lost was told why.
 */
void link_start(struct link *link);

/*
 * Let what comes from now on belong to the transcript. All links that share must
 * ask the same with the same tag; nothing may be under way to them.
 */
void link_share(struct link *link);

/* Do not receive any more, but with link_take(). */
void link_pause(struct link *link);

/* Receive up to len octets (at least one, at most 8 kB) now, if they are there. */
void link_take(struct link *link, size_t len);

/* Send LOGOUT. The link is closed when the answer is there; on_closed follows. */
void link_logout(struct link *link);

/*
 * Queue a command with strings as {n+} literals, as Cyrus's clients send them.
 * Outside of the callbacks link_flush() must follow.
 */
void link_command(struct link *link, uint64_t tag, const char *word, size_t count,
                  const struct message_text *arguments);

/* Send what is queued, as far as the socket takes it; the rest goes by itself. */
void link_flush(struct link *link);

/* End the process: the connection is lost. */
_Noreturn void link_lost(const struct link *link, enum link_state state, int error);

/* End the process: this message is not what the server had to say here. */
_Noreturn void link_wrong(const struct link *link, const struct message *message,
                          const char *wanted);

#endif
