/* SPDX-License-Identifier: BSD-3-Clause */
#include "server/session.h"

#include "wire/base64.h"
#include "wire/encode.h"

#include <string.h>

static struct mupdate_text argument(struct mupdate_server *server, size_t number)
{
    return wire_token_text(buffer_bytes(&server->input), &server->reader.items[number + 2]);
}

/* Sections 3.8 and 4.10: what the banner does not offer is not there. */
static bool check_starttls(struct mupdate_server *server)
{
    switch (server->tls) {
    case SERVER_TLS_OFFERED:
        return true;
    case SERVER_TLS_ACTIVE:
        reader_refuse(server, MUPDATE_NO, "TLS is active already");
        return false;
    default:
        reader_refuse(server, MUPDATE_BAD, "TLS is not supported here");
        return false;
    }
}

static bool check_compress(struct mupdate_server *server)
{
    static const char deflate[] = "DEFLATE";
    struct mupdate_text algorithm = argument(server, 0);
    struct wire_token word = { WIRE_ATOM, 0, algorithm.len };

    if (!wire_token_is((const uint8_t *)algorithm.data, &word, deflate)) {
        reader_refuse(server, MUPDATE_NO, "DEFLATE is the only known compression");
        return false;
    }
    switch (server->compress) {
    case SERVER_COMPRESS_OFFERED:
        return true;
    case SERVER_COMPRESS_ACTIVE:
        reader_refuse(server, MUPDATE_NO, "compression is active already");
        return false;
    default:
        reader_refuse(server, MUPDATE_NO, "compression is not offered");
        return false;
    }
}

static bool take_initial(struct mupdate_server *server, struct mupdate_server_event *event)
{
    struct mupdate_text text = argument(server, 1);

    event->has_initial = true;
    if (text.len == 1 && text.data[0] == '=')
        text.len = 0; /* how SASL profiles write a response of no octets */
    event->initial.data = text.data;
    return base64_decode((uint8_t *)buffer_bytes(&server->input) + server->reader.items[3].at,
                         text.len, &event->initial.len);
}

static void fill(struct mupdate_server *server, struct mupdate_server_event *event)
{
    static const enum mupdate_state states[] = {
        [MUPDATE_RESERVE] = MUPDATE_RESERVED,
        [MUPDATE_ACTIVATE] = MUPDATE_ACTIVE,
        [MUPDATE_DEACTIVATE] = MUPDATE_RESERVED,
        [MUPDATE_DELETE] = MUPDATE_ABSENT,
    };
    const struct command *command = server->reader.command;
    size_t count = server->reader.tokens.count - 2;

    switch (command->event) {
    case MUPDATE_SERVER_SET:
        event->verb = command->verb;
        event->row.state = states[command->verb];
        event->row.name = argument(server, 0);
        if (count > 1)
            event->row.location = argument(server, 1);
        if (count > 2)
            event->row.acl = argument(server, 2);
        break;
    case MUPDATE_SERVER_FIND:
        event->row.name = argument(server, 0);
        break;
    case MUPDATE_SERVER_LIST:
    case MUPDATE_SERVER_UPDATE:
        for (size_t i = 0; i < count; i++)
            server->hosts[i] = argument(server, i);
        event->hosts = server->hosts;
        event->host_count = count;
        break;
    default:
        break;
    }
}

bool dispatch_command(struct mupdate_server *server, struct mupdate_server_event *event)
{
    const struct command *command = server->reader.command;

    *event = (struct mupdate_server_event){ .type = command->event };
    switch (command->event) {
    case MUPDATE_SERVER_AUTHENTICATE:
        event->mechanism = argument(server, 0);
        if (event->mechanism.len && memchr(event->mechanism.data, '\0', event->mechanism.len)) {
            reader_refuse(server, MUPDATE_BAD, "a mechanism's name cannot hold a NUL");
            return false;
        }
        if (server->reader.tokens.count > 3 && !take_initial(server, event)) {
            reader_refuse(server, MUPDATE_BAD, "the initial response is not base64");
            return false;
        }
        server_move(server, MUPDATE_SERVER_STATE_AUTHENTICATING);
        break;
    case MUPDATE_SERVER_STARTTLS:
        if (!check_starttls(server))
            return false;
        break;
    case MUPDATE_SERVER_COMPRESS:
        if (!check_compress(server))
            return false;
        break;
    case MUPDATE_SERVER_LOGOUT:
        encode_reply(&server->output, reader_tag(server), MUPDATE_BYE, "logged out");
        server_close(server);
        break;
    case MUPDATE_SERVER_UPDATE:
        server_move(server, MUPDATE_SERVER_STATE_DUMPING);
        fill(server, event);
        break;
    default:
        fill(server, event);
        break;
    }
    if (command->flight != SERVER_FLIGHT_NONE)
        server_launch(server, command->flight, reader_tag(server));
    reader_taken(server);
    return true;
}

/* The exchange is over, by the client's doing. */
static void end_exchange(struct mupdate_server *server, struct mupdate_server_event *event,
                         enum mupdate_reply reply, const char *text)
{
    event->type = MUPDATE_SERVER_AUTH_CANCELLED;
    encode_reply(&server->output, server_tag(server), reply, text);
    server_land(server);
    server_move(server, MUPDATE_SERVER_STATE_UNAUTHENTICATED);
}

bool dispatch_response(struct mupdate_server *server, struct mupdate_server_event *event)
{
    struct reader *reader = &server->reader;
    uint8_t *bytes = buffer_bytes(&server->input);
    size_t held = buffer_len(&server->input);
    size_t limit = server->limits.sasl_bytes;
    size_t to = held < limit ? held : limit;
    uint8_t *end = NULL;
    size_t len;

    if (to > reader->seen)
        end = memchr(bytes + reader->seen, '\n', to - reader->seen);
    reader->seen = to;
    if (!end && to < limit)
        return false;

    *event = (struct mupdate_server_event){ .type = MUPDATE_SERVER_AUTH_RESPONSE };
    if (!end) {
        end_exchange(server, event, MUPDATE_BAD, "the response is too long");
        buffer_consume(&server->input, to);
        reader_reset(server);
        reader->phase = READER_SKIP_LINE;
        reader->tail = (struct wire_tail){ .state = WIRE_TAIL_RAW };
        return true;
    }
    len = (size_t)(end - bytes);
    reader->seen = len + 1;
    if (len > 0 && bytes[len - 1] == '\r')
        len--;
    /* gcc-analyzer(null-dereference): a buffer that holds octets has data */
    if (len == 1 && bytes[0] == '*') {
        end_exchange(server, event, MUPDATE_NO, "authentication cancelled");
    } else if (!base64_decode(bytes, len, &event->initial.len)) {
        end_exchange(server, event, MUPDATE_BAD, "the response is not base64");
    } else {
        event->has_initial = true;
        event->initial.data = (const char *)bytes;
        server->flight = SERVER_FLIGHT_AUTH;
    }
    reader_taken(server);
    return true;
}
