/* SPDX-License-Identifier: BSD-3-Clause */
#include "server/session.h"

#include <string.h>

void reader_reset(struct mupdate_server *server)
{
    struct reader *reader = &server->reader;

    reader->phase = READER_LINE;
    reader->line = 0;
    reader->seen = 0;
    reader->command = NULL;
    reader->tokens = (struct wire_tokens){ reader->items, 0, SERVER_TOKENS };
}

bool reader_has_tag(const struct mupdate_server *server)
{
    const struct wire_tokens *tokens = &server->reader.tokens;
    const uint8_t *tag;

    if (tokens->count == 0 || tokens->items[0].type != WIRE_ATOM ||
        tokens->items[0].len > server->limits.tag_bytes)
        return false;
    /* A reply with such a tag would look untagged, or like an invitation. */
    tag = buffer_bytes(&server->input) + tokens->items[0].at;
    return *tag != '*' && *tag != '+';
}

struct mupdate_text reader_tag(const struct mupdate_server *server)
{
    const struct wire_token *token = &server->reader.items[0];

    if (!reader_has_tag(server))
        return (struct mupdate_text){ "*", 1 };
    return (struct mupdate_text){ (const char *)buffer_bytes(&server->input) + token->at,
                                  token->len };
}

void reader_refuse(struct mupdate_server *server, enum mupdate_reply reply, const char *text)
{
    struct reader_refusal *refusal = &server->reader.refusal;

    refusal->reply = reply;
    refusal->text = text;
    refusal->tail.state = WIRE_TAIL_END;
    server->reader.phase = READER_REFUSED;
}

/* Refuse within the line that ends, as far as it is there, at `to`. */
static void refuse_line(struct mupdate_server *server, enum mupdate_reply reply, const char *text,
                        size_t to)
{
    struct reader *reader = &server->reader;

    reader_refuse(server, reply, text);
    reader->seen = to;
    reader->refusal.tail = (struct wire_tail){ .state = WIRE_TAIL_PLAIN };
    wire_tail_feed(&reader->refusal.tail, buffer_bytes(&server->input) + reader->line,
                   to - reader->line);
}

/* Go on behind what is skipped, which ends as the tail says. False: it has no end. */
static bool skip_on(struct mupdate_server *server, const struct wire_tail *tail)
{
    struct reader *reader = &server->reader;

    switch (tail->state) {
    case WIRE_TAIL_END:
        reader_reset(server);
        return true;
    case WIRE_TAIL_LITERAL:
        reader->phase = READER_SKIP_LITERAL;
        reader->skip = tail->count.octets;
        return true;
    case WIRE_TAIL_ENDLESS:
        return false;
    default:
        reader->phase = READER_SKIP_LINE;
        reader->tail = *tail;
        return true;
    }
}

bool reader_refused(struct mupdate_server *server)
{
    buffer_consume(&server->input, server->reader.seen);
    server->reader.seen = 0;
    return skip_on(server, &server->reader.refusal.tail);
}

void reader_taken(struct mupdate_server *server)
{
    server->handed = server->reader.seen;
    reader_reset(server);
}

void reader_invited(struct mupdate_server *server)
{
    server->reader.phase = READER_LITERAL;
}

/* A whole line is there, up to `to`. */
static void read_line(struct mupdate_server *server, size_t to)
{
    struct reader *reader = &server->reader;
    struct wire_literal literal;
    enum mupdate_reply reply = MUPDATE_BAD;
    const char *error = NULL;
    enum wire_scan scan = wire_scan_line(buffer_bytes(&server->input), reader->line, to,
                                         &reader->tokens, &literal, &error);

    if (scan != WIRE_SCAN_ERROR)
        error = command_check(server, scan == WIRE_SCAN_END, &reply);
    if (!error && scan == WIRE_SCAN_LITERAL && !command_takes_literal(server, to, &literal))
        error = "the literal is too long";
    if (error) {
        refuse_line(server, reply, error, to);
        return;
    }
    reader->seen = to;
    if (scan == WIRE_SCAN_END)
        reader->phase = READER_COMPLETE;
    else
        reader->phase = literal.waits ? READER_INVITE : READER_LITERAL;
}

/* True when a phase was ended, false when more bytes are needed. */
static bool collect_line(struct mupdate_server *server)
{
    struct reader *reader = &server->reader;
    const uint8_t *bytes = buffer_bytes(&server->input);
    size_t held = buffer_len(&server->input);
    size_t limit = reader->line + server_line_bytes(server);
    size_t to = held < limit ? held : limit;
    const uint8_t *end;

    if (to == reader->seen)
        return false;
    end = memchr(bytes + reader->seen, '\n', to - reader->seen);
    if (end) {
        read_line(server, (size_t)(end - bytes) + 1);
        return true;
    }
    reader->seen = to;
    if (to < limit)
        return false;
    if (reader->tokens.count == 0) {
        struct wire_literal literal;
        const char *error;

        /* For the tag of the refusal. */
        wire_scan_line(bytes, 0, to, &reader->tokens, &literal, &error);
    }
    refuse_line(server, MUPDATE_BAD, "the line is too long", to);
    return true;
}

static bool collect_literal(struct mupdate_server *server)
{
    struct reader *reader = &server->reader;
    const struct wire_token *token = &reader->items[reader->tokens.count - 1];
    size_t held = buffer_len(&server->input);
    size_t end = token->at + token->len;

    reader->seen = held < end ? held : end;
    if (reader->seen < end)
        return false;
    reader->line = end;
    reader->phase = READER_LINE;
    return true;
}

static bool skip_literal(struct mupdate_server *server)
{
    struct reader *reader = &server->reader;
    size_t held = buffer_len(&server->input);
    size_t skipped = held < reader->skip ? held : (size_t)reader->skip;

    buffer_consume(&server->input, skipped);
    reader->skip -= skipped;
    if (reader->skip > 0)
        return false;
    reader->phase = READER_SKIP_LINE;
    reader->tail = (struct wire_tail){ .state = WIRE_TAIL_PLAIN };
    return true;
}

static bool skip_line(struct mupdate_server *server)
{
    struct wire_tail *tail = &server->reader.tail;
    struct wire_tail seen;

    buffer_consume(&server->input, wire_tail_feed(tail, buffer_bytes(&server->input),
                                                  buffer_len(&server->input)));
    if (!wire_tail_done(tail))
        return false;
    seen = *tail;
    if (!skip_on(server, &seen))
        server_close(server);
    return true;
}

enum reader_step reader_step(struct mupdate_server *server)
{
    bool more = true;

    while (more && server->state != MUPDATE_SERVER_STATE_CLOSED) {
        switch (server->reader.phase) {
        case READER_LINE:
            more = collect_line(server);
            break;
        case READER_LITERAL:
            more = collect_literal(server);
            break;
        case READER_SKIP_LITERAL:
            more = skip_literal(server);
            break;
        case READER_SKIP_LINE:
            more = skip_line(server);
            break;
        case READER_INVITE:
            return READER_INVITES;
        case READER_COMPLETE:
            return READER_COMMAND;
        case READER_REFUSED:
            return READER_REFUSES;
        }
    }
    return READER_MORE;
}
