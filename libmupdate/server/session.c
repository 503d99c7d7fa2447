/* SPDX-License-Identifier: BSD-3-Clause */
#include "server/session.h"

#include "wire/encode.h"

#include <stdlib.h>
#include <string.h>

/* The smallest limits with which RFC 3656 can be kept (sections 2 and 2.2). */
#define LINE_BYTES_MIN 1024
#define LITERAL_BYTES_MIN 4096

/* A reply with a longer tag might not fit in a line that every client reads. */
#define TAG_BYTES_MAX 256

#define TO(state) (1u << MUPDATE_SERVER_STATE_##state)

/* Where a session may go from each state. */
static const unsigned int moves[] = {
    [MUPDATE_SERVER_STATE_UNAUTHENTICATED] = TO(AUTHENTICATING) | TO(TLS) | TO(CLOSED),
    [MUPDATE_SERVER_STATE_AUTHENTICATING] = TO(UNAUTHENTICATED) | TO(AUTHENTICATED) | TO(CLOSED),
    [MUPDATE_SERVER_STATE_TLS] = TO(UNAUTHENTICATED) | TO(CLOSED),
    [MUPDATE_SERVER_STATE_AUTHENTICATED] = TO(DUMPING) | TO(CLOSED),
    [MUPDATE_SERVER_STATE_DUMPING] = TO(STREAMING) | TO(CLOSED),
    [MUPDATE_SERVER_STATE_STREAMING] = TO(CLOSED),
    [MUPDATE_SERVER_STATE_CLOSED] = TO(CLOSED),
};

bool server_move(struct mupdate_server *server, enum mupdate_server_state to)
{
    bool allowed = moves[server->state] & 1u << to;

    server->state = allowed ? to : MUPDATE_SERVER_STATE_CLOSED;
    return allowed;
}

bool server_is_stranger(const struct mupdate_server *server)
{
    return server->state == MUPDATE_SERVER_STATE_UNAUTHENTICATED ||
           server->state == MUPDATE_SERVER_STATE_AUTHENTICATING ||
           server->state == MUPDATE_SERVER_STATE_TLS;
}

static size_t at_most(const struct mupdate_server *server, size_t limit, size_t strangers)
{
    return server_is_stranger(server) && limit > strangers ? strangers : limit;
}

size_t server_line_bytes(const struct mupdate_server *server)
{
    return at_most(server, server->limits.line_bytes, SERVER_STRANGER_LINE_BYTES);
}

static size_t ahead_bytes(const struct mupdate_server *server)
{
    return at_most(server, SERVER_AHEAD_BYTES, SERVER_STRANGER_AHEAD_BYTES);
}

static size_t output_bytes(const struct mupdate_server *server)
{
    return at_most(server, server->limits.output_bytes, SERVER_STRANGER_OUTPUT_BYTES);
}

void server_close(struct mupdate_server *server)
{
    server_move(server, MUPDATE_SERVER_STATE_CLOSED);
}

bool server_failed(struct mupdate_server *server)
{
    if (!server->input.failed && !server->output.failed && !server->tags.failed &&
        !server->stream_tag.failed)
        return false;
    buffer_clear(&server->output);
    server_close(server);
    return true;
}

void server_launch(struct mupdate_server *server, enum server_flight flight,
                    struct mupdate_text tag)
{
    uint16_t len = (uint16_t)tag.len;
    uint8_t *to = buffer_reserve(&server->tags, sizeof len + tag.len);

    if (!to)
        return;
    memcpy(to, &len, sizeof len);
    memcpy(to + sizeof len, tag.data, tag.len);
    buffer_added(&server->tags, sizeof len + tag.len);
    server->flight = flight;
    server->unanswered++;
}

struct mupdate_text server_tag(const struct mupdate_server *server)
{
    const uint8_t *from = buffer_bytes(&server->tags);
    uint16_t len;

    /* gcc-analyzer(null-dereference): a buffer that holds octets has data */
    memcpy(&len, from, sizeof len);
    return (struct mupdate_text){ (const char *)from + sizeof len, len };
}

void server_land(struct mupdate_server *server)
{
    buffer_consume(&server->tags, sizeof(uint16_t) + server_tag(server).len);
    if (--server->unanswered == 0)
        server->flight = SERVER_FLIGHT_NONE;
}

void mupdate_server_limits_default(struct mupdate_server_limits *limits)
{
    *limits = (struct mupdate_server_limits){
        .tag_bytes = 64,
        .line_bytes = 8192,
        .literal_bytes = 131072,
        .sasl_bytes = 65536,
        .commands_in_flight = 64,
        .output_bytes = 262144,
    };
}

static void between(size_t *limit, size_t least, size_t most)
{
    if (*limit < least)
        *limit = least;
    if (*limit > most)
        *limit = most;
}

struct mupdate_server *mupdate_server_new(const struct mupdate_server_limits *limits)
{
    struct mupdate_server *server = calloc(1, sizeof *server);
    struct mupdate_server_limits *own;

    if (!server)
        return NULL;
    own = &server->limits;
    if (limits)
        *own = *limits;
    else
        mupdate_server_limits_default(own);
    /* The upper bounds keep sums of them from wrapping. */
    between(&own->tag_bytes, 1, TAG_BYTES_MAX);
    between(&own->line_bytes, LINE_BYTES_MIN, SIZE_MAX / 64);
    between(&own->literal_bytes, LITERAL_BYTES_MIN, SIZE_MAX / 64);
    between(&own->sasl_bytes, LINE_BYTES_MIN, SIZE_MAX / 64);
    between(&own->commands_in_flight, 1, SIZE_MAX);
    between(&own->output_bytes, 1, SIZE_MAX);
    server->input.secret = true;
    reader_reset(server);
    return server;
}

void mupdate_server_free(struct mupdate_server *server)
{
    if (!server)
        return;
    buffer_free(&server->input);
    buffer_free(&server->tags);
    buffer_free(&server->stream_tag);
    buffer_free(&server->output);
    free(server);
}

enum mupdate_server_state mupdate_server_state(const struct mupdate_server *server)
{
    return server->state;
}

bool mupdate_server_start_tls(struct mupdate_server *server)
{
    if (server->tls != SERVER_TLS_UNKNOWN || server->state != MUPDATE_SERVER_STATE_UNAUTHENTICATED)
        return false;
    return server_move(server, MUPDATE_SERVER_STATE_TLS);
}

size_t mupdate_server_unanswered(const struct mupdate_server *server)
{
    return server->unanswered;
}

/* The last event's texts are no longer needed. */
static void forget_handed(struct mupdate_server *server)
{
    if (server->handed > 0)
        buffer_consume(&server->input, server->handed);
    server->handed = 0;
}

static bool may_read(const struct mupdate_server *server)
{
    return server->tls != SERVER_TLS_UNKNOWN && server->state != MUPDATE_SERVER_STATE_TLS;
}

size_t mupdate_server_input(struct mupdate_server *server, const void *data, size_t len)
{
    size_t ahead;
    size_t ahead_max;

    forget_handed(server);
    if (server->state == MUPDATE_SERVER_STATE_CLOSED)
        return len;
    if (!may_read(server))
        return 0;
    ahead = buffer_len(&server->input) - server->reader.seen;
    ahead_max = ahead_bytes(server);
    if (ahead >= ahead_max)
        return 0;
    if (len > ahead_max - ahead)
        len = ahead_max - ahead;
    buffer_append(&server->input, data, len);
    server_failed(server);
    return len;
}

size_t mupdate_server_discard_input(struct mupdate_server *server)
{
    size_t len;

    forget_handed(server);
    len = buffer_len(&server->input);
    buffer_clear(&server->input);
    reader_reset(server);
    return len;
}

/* What was handed out keeps the reader from what comes behind it. */
static bool must_wait(const struct mupdate_server *server)
{
    if (server->flight == SERVER_FLIGHT_SETS)
        return server->unanswered >= server->limits.commands_in_flight;
    return server->flight != SERVER_FLIGHT_NONE && server->flight != SERVER_FLIGHT_RESPONSE;
}

/* True when the reader's need is met, false when it has to wait for answers. */
static bool serve_reader(struct mupdate_server *server, enum reader_step need,
                         struct mupdate_server_event *event, bool *is_event)
{
    const struct reader_refusal *refusal = &server->reader.refusal;

    *is_event = false;
    if (need == READER_COMMAND && (server->unanswered == 0 ||
                                   server->reader.command->flight == SERVER_FLIGHT_SETS)) {
        *is_event = dispatch_command(server, event);
        return true;
    }
    if (server->unanswered > 0)
        return false;
    if (need == READER_INVITES) {
        buffer_append_string(&server->output, "+ go ahead\r\n");
        reader_invited(server);
    } else {
        encode_reply(&server->output, reader_tag(server), refusal->reply, refusal->text);
        if (!reader_refused(server))
            server_close(server);
    }
    return true;
}

enum mupdate_server_next mupdate_server_next(struct mupdate_server *server,
                                             struct mupdate_server_event *event)
{
    forget_handed(server);
    for (;;) {
        enum reader_step need;
        bool is_event;

        if (server_failed(server) || server->state == MUPDATE_SERVER_STATE_CLOSED)
            return MUPDATE_SERVER_CLOSED;
        if (!may_read(server) || must_wait(server) ||
            buffer_len(&server->output) >= output_bytes(server))
            return MUPDATE_SERVER_BLOCKED;
        if (server->flight == SERVER_FLIGHT_RESPONSE) {
            is_event = dispatch_response(server, event);
            if (server_failed(server))
                return MUPDATE_SERVER_CLOSED;
            return is_event ? MUPDATE_SERVER_EVENT : MUPDATE_SERVER_WAIT;
        }
        need = reader_step(server);
        if (server->state == MUPDATE_SERVER_STATE_CLOSED)
            return MUPDATE_SERVER_CLOSED;
        if (need == READER_MORE)
            return MUPDATE_SERVER_WAIT;
        if (!serve_reader(server, need, event, &is_event))
            return MUPDATE_SERVER_BLOCKED;
        if (is_event && !server_failed(server))
            return MUPDATE_SERVER_EVENT;
    }
}
