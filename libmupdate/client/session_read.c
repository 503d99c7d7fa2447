/* SPDX-License-Identifier: BSD-3-Clause */
#include "client/session.h"

#include "wire/base64.h"

#include <string.h>

/* What a response turned out to be. */
enum taken {
    TAKEN_NOTHING, /* nothing to tell: go on */
    TAKEN_EVENT,
};

/* How far a response was read. */
enum progress {
    PROGRESS_MORE,  /* bytes are needed */
    PROGRESS_WHOLE, /* it is in client->tokens */
    PROGRESS_RAW,   /* a line that is no list of tokens, but perhaps a reply in plain words */
};

static struct mupdate_text text_of(struct mupdate_client *client, size_t number)
{
    return wire_token_text(buffer_bytes(&client->input), &client->items[number]);
}

/*
 * The text of a reply. RFC 3656 wants one string; deployed servers also send
 * plain words or nothing, which is then what stands behind the reply's word.
 */
static struct mupdate_text reply_text(struct mupdate_client *client, enum progress progress)
{
    const struct wire_token *word = &client->items[1];
    const uint8_t *bytes = buffer_bytes(&client->input);
    size_t from = word->at + word->len;
    size_t to = client->seen;

    if (progress == PROGRESS_WHOLE && client->tokens.count == 3 &&
        client->items[2].type != WIRE_ATOM)
        return text_of(client, 2);
    while (to > from && (bytes[to - 1] == '\n' || bytes[to - 1] == '\r'))
        to--;
    if (from < to && bytes[from] == ' ')
        from++;
    return (struct mupdate_text){ (const char *)bytes + from, to - from };
}

static bool reply_word(struct mupdate_client *client, enum mupdate_reply *reply)
{
    static const char *const words[] = {
        [MUPDATE_OK] = "OK",
        [MUPDATE_NO] = "NO",
        [MUPDATE_BAD] = "BAD",
        [MUPDATE_BYE] = "BYE",
    };

    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++) {
        if (wire_token_is(buffer_bytes(&client->input), &client->items[1], words[i])) {
            *reply = (enum mupdate_reply)i;
            return true;
        }
    }
    return false;
}

/* The number of the command that a tag names, 0 for a tag that was never sent. */
static uint64_t tag_number(const struct mupdate_client *client)
{
    const struct wire_token *tag = &client->items[0];
    const uint8_t *bytes = buffer_bytes(&client->input) + tag->at;
    struct wire_count count = { 0 };

    if (tag->type != WIRE_ATOM || tag->len < 2 || (*bytes != 'C' && *bytes != 'c'))
        return 0;
    for (size_t i = 1; i < tag->len; i++) {
        if (bytes[i] < '0' || bytes[i] > '9')
            return 0;
        wire_count_digit(&count, bytes[i]);
    }
    return count.overflow ? 0 : count.octets;
}

static enum taken broken(struct mupdate_client *client, const char *error)
{
    client_break(client, error);
    return TAKEN_NOTHING;
}

/* Where the session stands after the oldest command was answered. */
static void settle(struct mupdate_client *client, enum client_kind kind, uint64_t number,
                   enum mupdate_reply reply)
{
    bool ok = reply == MUPDATE_OK;

    buffer_consume(&client->kinds, 1);
    if (reply == MUPDATE_BYE || kind == CLIENT_KIND_LOGOUT) {
        client_move(client, CLIENT_OVER);
        return;
    }
    switch (kind) {
    case CLIENT_KIND_STARTTLS:
        client_move(client, ok ? CLIENT_GREETING : CLIENT_READY);
        break;
    case CLIENT_KIND_AUTHENTICATE:
    case CLIENT_KIND_COMPRESS:
        client_move(client, CLIENT_READY);
        break;
    case CLIENT_KIND_UPDATE:
        if (ok)
            client->stream = number;
        else if (client->state == CLIENT_UPDATING)
            client_move(client, CLIENT_READY);
        break;
    default:
        break;
    }
}

static enum taken take_reply(struct mupdate_client *client, enum progress progress,
                             enum mupdate_reply reply, struct mupdate_client_event *event)
{
    uint64_t number = tag_number(client);

    if (number == 0 || number != client_oldest(client))
        return broken(client, "a reply does not belong to the oldest command");
    event->type = MUPDATE_CLIENT_DONE;
    event->command = number;
    event->reply = reply;
    event->text = reply_text(client, progress);
    settle(client, (enum client_kind)buffer_bytes(&client->kinds)[0], number, reply);
    return TAKEN_EVENT;
}

static enum taken take_row(struct mupdate_client *client, struct mupdate_client_event *event)
{
    static const struct {
        const char *word;
        enum mupdate_state state;
        size_t least;
    } rows[] = {
        { "MAILBOX", MUPDATE_ACTIVE, 3 },
        { "RESERVE", MUPDATE_RESERVED, 2 },
        { "DELETE", MUPDATE_ABSENT, 1 },
    };
    uint64_t number = tag_number(client);
    size_t arguments = client->tokens.count - 2;
    bool streamed = number > 0 && number == client->stream;
    size_t i = 0;

    while (i < 3 && !wire_token_is(buffer_bytes(&client->input), &client->items[1], rows[i].word))
        i++;
    if (i == 3)
        return broken(client, "unknown response");
    /* An example in section 4.11 has a RESERVE with an ACL. */
    if (arguments < rows[i].least || arguments > 3)
        return broken(client, "a row has a wrong number of strings");
    for (size_t n = 0; n < arguments; n++) {
        if (client->items[n + 2].type == WIRE_ATOM || client->items[n + 2].type == WIRE_EQUALS)
            return broken(client, "a row has something else than strings");
    }
    if (!streamed) {
        uint8_t kind;

        if (number == 0 || number != client_oldest(client))
            return broken(client, "a row does not belong to the oldest command");
        kind = buffer_bytes(&client->kinds)[0];
        if (kind != CLIENT_KIND_FIND && kind != CLIENT_KIND_LIST && kind != CLIENT_KIND_UPDATE)
            return broken(client, "a row answers a command that asked for none");
        if (rows[i].state == MUPDATE_ABSENT)
            return broken(client, "a deletion comes before the stream");
    }
    event->type = MUPDATE_CLIENT_ROW;
    event->command = number;
    event->row.state = rows[i].state;
    event->row.name = text_of(client, 2);
    if (rows[i].least > 1)
        event->row.location = text_of(client, 3);
    if (rows[i].least > 2)
        event->row.acl = text_of(client, 4);
    return TAKEN_EVENT;
}

static enum taken take_untagged(struct mupdate_client *client, enum progress progress,
                                struct mupdate_client_event *event)
{
    enum mupdate_reply reply;
    bool reads = client->tokens.count > 1 && reply_word(client, &reply);

    if (reads && (reply == MUPDATE_BYE ||
                  (reply == MUPDATE_BAD && client->state != CLIENT_GREETING))) {
        event->type = MUPDATE_CLIENT_GOODBYE;
        event->reply = reply;
        event->text = reply_text(client, progress);
        if (reply == MUPDATE_BYE)
            client_move(client, CLIENT_OVER);
        return TAKEN_EVENT;
    }
    if (client->state != CLIENT_GREETING)
        return broken(client, "unexpected untagged response");
    if (!client_banner_line(client))
        return TAKEN_NOTHING;
    client_move(client, CLIENT_READY);
    event->type = MUPDATE_CLIENT_BANNER;
    return TAKEN_EVENT;
}

static enum taken take_response(struct mupdate_client *client, enum progress progress,
                                struct mupdate_client_event *event)
{
    const uint8_t *bytes = buffer_bytes(&client->input);
    enum mupdate_reply reply;

    if (client->tokens.count > 0 && wire_token_is(bytes, &client->items[0], "*"))
        return take_untagged(client, progress, event);
    if (client->state == CLIENT_GREETING)
        return broken(client, "something else than a banner");
    if (client->tokens.count < 2)
        return broken(client, "something else than a response");
    if (reply_word(client, &reply))
        return take_reply(client, progress, reply, event);
    if (progress == PROGRESS_RAW)
        return broken(client, "malformed response");
    return take_row(client, event);
}

/* A challenge is a bare line of base64 (section 4.2): only replies have blanks. */
static bool is_challenge(const struct mupdate_client *client, size_t to)
{
    return client->state == CLIENT_AUTHENTICATING && client->line == 0 &&
           /* gcc-analyzer(null-argument): to is the end of a line that is there */
           !memchr(buffer_bytes(&client->input), ' ', to);
}

static enum taken take_challenge(struct mupdate_client *client, struct mupdate_client_event *event)
{
    uint8_t *bytes = buffer_bytes(&client->input);
    size_t len = client->seen - 1;

    if (len > 0 && bytes[len - 1] == '\r')
        len--;
    if (!base64_decode(bytes, len, &event->data.len))
        return broken(client, "a challenge is not base64");
    event->type = MUPDATE_CLIENT_CHALLENGE;
    event->command = client->last;
    event->data.data = (const char *)bytes;
    client_move(client, CLIENT_CHALLENGED);
    return TAKEN_EVENT;
}

/* The line up to `to` is whole. */
static enum progress scan_line(struct mupdate_client *client, size_t to)
{
    const size_t whole = client->limits.line_bytes + 4 * client->limits.literal_bytes;
    struct wire_literal literal;
    const char *error;
    size_t octets;

    client->seen = to;
    switch (wire_scan_line(buffer_bytes(&client->input), client->line, to, &client->tokens,
                           &literal, &error)) {
    case WIRE_SCAN_END:
        return PROGRESS_WHOLE;
    case WIRE_SCAN_LITERAL:
        octets = client->items[client->tokens.count - 1].len;
        if (octets > client->limits.literal_bytes || to + octets > whole) {
            client_break(client, "a literal is too long");
            return PROGRESS_MORE;
        }
        /* Of a server {n} is taken like {n+}: it waits for nobody (section 2.2). */
        client->literal_end = to + octets;
        return PROGRESS_MORE;
    default:
        break;
    }
    if (client->line > 0) {
        client_break(client, "a response goes wrong behind a literal");
        return PROGRESS_MORE;
    }
    return PROGRESS_RAW;
}

/* Read on to the end of a response. *challenge: it is a line of an authentication. */
static enum progress read_response(struct mupdate_client *client, bool *challenge)
{
    *challenge = false;
    for (;;) {
        const uint8_t *bytes = buffer_bytes(&client->input);
        size_t held = buffer_len(&client->input);
        size_t limit = client->line + client->limits.line_bytes;
        size_t to;
        const uint8_t *line_end = NULL;
        enum progress progress;

        if (client->literal_end > 0) {
            client->seen = held < client->literal_end ? held : client->literal_end;
            if (client->seen < client->literal_end)
                return PROGRESS_MORE;
            client->line = client->seen;
            client->literal_end = 0;
            limit = client->line + client->limits.line_bytes;
        }
        to = held < limit ? held : limit;
        if (to > client->seen)
            line_end = memchr(bytes + client->seen, '\n', to - client->seen);
        client->seen = to;
        if (!line_end) {
            if (to == limit)
                client_break(client, "a line is too long");
            return PROGRESS_MORE;
        }
        to = (size_t)(line_end - bytes) + 1;
        if (is_challenge(client, to)) {
            client->seen = to;
            *challenge = true;
            return PROGRESS_WHOLE;
        }
        progress = scan_line(client, to);
        if (progress != PROGRESS_MORE || client->state == CLIENT_BROKEN)
            return progress;
    }
}

enum mupdate_client_next mupdate_client_next(struct mupdate_client *client,
                                             struct mupdate_client_event *event)
{
    if (client->handed > 0)
        buffer_consume(&client->input, client->handed);
    client->handed = 0;
    for (;;) {
        enum progress progress;
        enum taken taken;
        bool challenge;

        if (client_starved(client) || client->state == CLIENT_BROKEN)
            return MUPDATE_CLIENT_ERROR;
        if (client->state == CLIENT_OVER)
            return MUPDATE_CLIENT_WAIT;
        progress = read_response(client, &challenge);
        if (client->state == CLIENT_BROKEN)
            return MUPDATE_CLIENT_ERROR;
        if (progress == PROGRESS_MORE)
            return MUPDATE_CLIENT_WAIT;

        *event = (struct mupdate_client_event){ .type = MUPDATE_CLIENT_DONE };
        taken = challenge ? take_challenge(client, event) : take_response(client, progress, event);
        if (client->state == CLIENT_BROKEN)
            return MUPDATE_CLIENT_ERROR;
        client->handed = client->seen;
        client->line = 0;
        client->seen = 0;
        client->tokens.count = 0;
        if (taken == TAKEN_EVENT)
            return MUPDATE_CLIENT_EVENT;
        buffer_consume(&client->input, client->handed);
        client->handed = 0;
    }
}
