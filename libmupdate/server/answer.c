/* SPDX-License-Identifier: BSD-3-Clause */
#include "server/session.h"

#include "wire/base64.h"
#include "wire/encode.h"

enum answer {
    ANSWER_OK = 1,
    ANSWER_NO = 2,
    ANSWER_BAD = 4,
    ANSWER_ROW = 8,
    ANSWER_CHALLENGE = 16,
    ANSWER_AUTHENTICATED = 32,
};

/*
 * What may be said to what is unanswered. UPDATE takes no refusal: deployed
 * clients take NO and BAD for the end of a complete list, and delete what they
 * were not sent. NOOP knows no other answer than OK (RFC 3656, section 4.8).
 */
static const unsigned int answers[SERVER_FLIGHTS] = {
    [SERVER_FLIGHT_SETS] = ANSWER_OK | ANSWER_NO | ANSWER_BAD,
    [SERVER_FLIGHT_AUTH] = ANSWER_CHALLENGE | ANSWER_AUTHENTICATED | ANSWER_NO | ANSWER_BAD,
    [SERVER_FLIGHT_STARTTLS] = ANSWER_OK | ANSWER_NO | ANSWER_BAD,
    [SERVER_FLIGHT_COMPRESS] = ANSWER_OK | ANSWER_NO | ANSWER_BAD,
    [SERVER_FLIGHT_FIND] = ANSWER_OK | ANSWER_NO | ANSWER_BAD | ANSWER_ROW,
    [SERVER_FLIGHT_FOUND] = ANSWER_OK,
    [SERVER_FLIGHT_LIST] = ANSWER_OK | ANSWER_NO | ANSWER_BAD | ANSWER_ROW,
    [SERVER_FLIGHT_UPDATE] = ANSWER_OK | ANSWER_ROW,
    [SERVER_FLIGHT_NOOP] = ANSWER_OK,
};

static bool may_answer(const struct mupdate_server *server, enum answer answer)
{
    return server->state != MUPDATE_SERVER_STATE_CLOSED && answers[server->flight] & answer;
}

/* Where the session stands after a final answer. */
static void settle(struct mupdate_server *server, bool ok)
{
    struct mupdate_text tag = server_tag(server);

    switch (server->flight) {
    case SERVER_FLIGHT_AUTH:
        server_move(server, ok ? MUPDATE_SERVER_STATE_AUTHENTICATED
                                : MUPDATE_SERVER_STATE_UNAUTHENTICATED);
        break;
    case SERVER_FLIGHT_STARTTLS:
        if (ok)
            server_move(server, MUPDATE_SERVER_STATE_TLS);
        break;
    case SERVER_FLIGHT_COMPRESS:
        if (ok)
            server->compress = SERVER_COMPRESS_ACTIVE;
        break;
    case SERVER_FLIGHT_UPDATE:
        buffer_append(&server->stream_tag, tag.data, tag.len);
        server_move(server, MUPDATE_SERVER_STATE_STREAMING);
        break;
    default:
        break;
    }
    server_land(server);
}

static bool finish(struct mupdate_server *server, enum answer answer, enum mupdate_reply reply,
                   const char *text)
{
    if (!may_answer(server, answer))
        return false;
    encode_reply(&server->output, server_tag(server), reply, text);
    settle(server, reply == MUPDATE_OK);
    return !server_failed(server);
}

bool mupdate_server_ok(struct mupdate_server *server, const char *text)
{
    return finish(server, ANSWER_OK, MUPDATE_OK, text);
}

bool mupdate_server_no(struct mupdate_server *server, const char *text)
{
    return finish(server, ANSWER_NO, MUPDATE_NO, text);
}

bool mupdate_server_bad(struct mupdate_server *server, const char *text)
{
    return finish(server, ANSWER_BAD, MUPDATE_BAD, text);
}

bool mupdate_server_authenticated(struct mupdate_server *server, const char *text)
{
    return finish(server, ANSWER_AUTHENTICATED, MUPDATE_OK, text);
}

static struct mupdate_text stream_tag(const struct mupdate_server *server)
{
    return (struct mupdate_text){ (const char *)buffer_bytes(&server->stream_tag),
                                  buffer_len(&server->stream_tag) };
}

bool mupdate_server_row(struct mupdate_server *server, const struct mupdate_row *row)
{
    struct mupdate_text tag;

    if (server->state == MUPDATE_SERVER_STATE_STREAMING) {
        tag = stream_tag(server);
    } else {
        /* DELETE is not given before the OK of UPDATE (section 3.7). */
        if (!may_answer(server, ANSWER_ROW) || row->state == MUPDATE_ABSENT)
            return false;
        if (server->flight == SERVER_FLIGHT_FIND)
            server->flight = SERVER_FLIGHT_FOUND;
        tag = server_tag(server);
    }
    encode_row(&server->output, tag, row);
    return !server_failed(server);
}

struct mupdate_text mupdate_server_rows_tag(const struct mupdate_server *server)
{
    /* A session that cannot go on must not be answered. */
    if (server->state == MUPDATE_SERVER_STATE_CLOSED || server->output.failed)
        return (struct mupdate_text){ NULL, 0 };
    if (server->state == MUPDATE_SERVER_STATE_STREAMING)
        return stream_tag(server);
    if (server->flight != SERVER_FLIGHT_LIST && server->flight != SERVER_FLIGHT_UPDATE)
        return (struct mupdate_text){ NULL, 0 };
    return server_tag(server);
}

bool mupdate_server_rows(struct mupdate_server *server, const void *octets, size_t len)
{
    if (mupdate_server_rows_tag(server).len == 0)
        return false;
    buffer_append(&server->output, octets, len);
    return !server_failed(server);
}

size_t mupdate_server_encode_row(struct mupdate_text tag, const struct mupdate_row *row, void *to,
                                 size_t size)
{
    size_t len;

    len = encode_row_len(tag, row);
    if (len == SIZE_MAX)
        return 0;
    if (len <= size)
        encode_row_put(to, tag, row);
    return len;
}

bool mupdate_server_challenge(struct mupdate_server *server, const void *data, size_t len)
{
    size_t encoded = base64_encoded_len(len);
    uint8_t *to;

    if (!may_answer(server, ANSWER_CHALLENGE) || encoded > SIZE_MAX / 2)
        return false;
    to = buffer_reserve(&server->output, encoded + 2);
    if (server_failed(server))
        return false;
    base64_encode((char *)to, data, len);
    to[encoded] = '\r';
    to[encoded + 1] = '\n';
    buffer_added(&server->output, encoded + 2);
    server->flight = SERVER_FLIGHT_RESPONSE;
    return true;
}

void mupdate_server_banner(struct mupdate_server *server,
                           const struct mupdate_server_banner *banner)
{
    struct buffer *out = &server->output;
    const char *const strings[] = { banner->hostname, banner->implementation, banner->version,
                                    banner->role };
    bool under_tls = server->state == MUPDATE_SERVER_STATE_TLS;

    if (server->state == MUPDATE_SERVER_STATE_CLOSED ||
        (!under_tls && server->tls != SERVER_TLS_UNKNOWN))
        return;

    buffer_append_string(out, "* AUTH");
    for (size_t i = 0; i < banner->mechanism_count; i++) {
        buffer_append(out, " ", 1);
        encode_quoted(out, banner->mechanisms[i]);
    }
    buffer_append(out, "\r\n", 2);
    if (under_tls) {
        /* What came in the clear behind STARTTLS must never be taken for a command. */
        mupdate_server_discard_input(server);
        server->tls = SERVER_TLS_ACTIVE;
        server_move(server, MUPDATE_SERVER_STATE_UNAUTHENTICATED);
    } else if (banner->starttls) {
        server->tls = SERVER_TLS_OFFERED;
        buffer_append_string(out, "* STARTTLS\r\n");
    } else {
        server->tls = SERVER_TLS_ABSENT;
    }
    if (server->compress != SERVER_COMPRESS_ACTIVE) {
        server->compress = banner->compress ? SERVER_COMPRESS_OFFERED : SERVER_COMPRESS_ABSENT;
        if (banner->compress)
            buffer_append_string(out, "* COMPRESS \"DEFLATE\"\r\n");
    }
    buffer_append_string(out, "* PARTIAL-UPDATE\r\n* OK MUPDATE");
    for (size_t i = 0; i < sizeof strings / sizeof strings[0]; i++) {
        buffer_append(out, " ", 1);
        encode_quoted(out, strings[i]);
    }
    buffer_append(out, "\r\n", 2);
    server_failed(server);
}

void mupdate_server_bye(struct mupdate_server *server, const char *text)
{
    if (server->state == MUPDATE_SERVER_STATE_CLOSED)
        return;
    /*
     * In a dump a BYE would be taken for the end of the list; while TLS starts
     * it would go out in the clear.
     */
    if (server->unanswered == 0 && server->state != MUPDATE_SERVER_STATE_TLS)
        encode_reply(&server->output, (struct mupdate_text){ "*", 1 }, MUPDATE_BYE, text);
    server_close(server);
    server_failed(server);
}

size_t mupdate_server_output(const struct mupdate_server *server, const uint8_t **data)
{
    *data = buffer_bytes(&server->output);
    return buffer_len(&server->output);
}

void mupdate_server_sent(struct mupdate_server *server, size_t len)
{
    buffer_consume(&server->output, len);
}
