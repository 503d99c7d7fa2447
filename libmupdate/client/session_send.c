/* SPDX-License-Identifier: BSD-3-Clause */
#include "client/session.h"

#include "wire/base64.h"
#include "wire/encode.h"

#include <string.h>

#define IN(state) (1u << CLIENT_##state)

/* When each command may be given, and where it leads. */
static const struct {
    const char *word;
    unsigned int states;
    bool alone; /* only when every command before it is answered */
    bool moves;
    enum client_state to;
} commands[] = {
    [CLIENT_KIND_AUTHENTICATE] = { " AUTHENTICATE ", IN(READY), true, true,
                                    CLIENT_AUTHENTICATING },
    [CLIENT_KIND_STARTTLS] = { " STARTTLS", IN(READY), true, true, CLIENT_UPGRADING },
    [CLIENT_KIND_COMPRESS] = { " COMPRESS \"DEFLATE\"", IN(READY), true, true,
                                CLIENT_UPGRADING },
    [CLIENT_KIND_FIND] = { " FIND ", IN(READY), false, false, CLIENT_READY },
    [CLIENT_KIND_LIST] = { " LIST", IN(READY), false, false, CLIENT_READY },
    [CLIENT_KIND_SET] = { "", IN(READY), false, false, CLIENT_READY },
    [CLIENT_KIND_UPDATE] = { " UPDATE", IN(READY), false, true, CLIENT_UPDATING },
    [CLIENT_KIND_NOOP] = { " NOOP", IN(READY) | IN(UPDATING), false, false, CLIENT_READY },
    [CLIENT_KIND_LOGOUT] = { " LOGOUT", IN(READY) | IN(UPDATING), false, true, CLIENT_LEAVING },
};

static bool begin(struct mupdate_client *client, enum client_kind kind)
{
    struct buffer *out = &client->output;
    uint8_t octet = (uint8_t)kind;
    uint8_t tag[1 + ENCODE_DIGITS] = { 'C' };

    if (!(commands[kind].states & 1u << client->state) ||
        (commands[kind].alone && buffer_len(&client->kinds) > 0))
        return false;
    if (commands[kind].moves)
        client_move(client, commands[kind].to);
    buffer_append(&client->kinds, &octet, 1);
    buffer_append(out, tag, 1 + encode_number(tag + 1, ++client->last));
    buffer_append_string(out, commands[kind].word);
    return true;
}

static uint64_t end(struct mupdate_client *client)
{
    buffer_append(&client->output, "\r\n", 2);
    return client_starved(client) ? 0 : client->last;
}

static void append_base64(struct buffer *out, const void *data, size_t len)
{
    size_t encoded = base64_encoded_len(len);
    uint8_t *to;

    if (encoded > SIZE_MAX / 2) {
        out->failed = true;
        return;
    }
    to = buffer_reserve(out, encoded);
    if (!to)
        return;
    base64_encode((char *)to, data, len);
    buffer_added(out, encoded);
}

uint64_t mupdate_client_authenticate(struct mupdate_client *client, const char *mechanism,
                                     const void *initial, size_t len)
{
    struct buffer *out = &client->output;
    uint8_t digits[ENCODE_DIGITS];

    if (!begin(client, CLIENT_KIND_AUTHENTICATE))
        return 0;
    encode_quoted(out, mechanism);
    if (initial && len == 0) {
        /* Base64 of nothing would look like no response to some servers. */
        buffer_append_string(out, " \"=\"");
    } else if (initial) {
        buffer_append_string(out, " {");
        buffer_append(out, digits, encode_number(digits, base64_encoded_len(len)));
        buffer_append_string(out, "+}\r\n");
        append_base64(out, initial, len);
    }
    return end(client);
}

bool mupdate_client_response(struct mupdate_client *client, const void *data, size_t len)
{
    if (client->state != CLIENT_CHALLENGED)
        return false;
    append_base64(&client->output, data, len);
    client_move(client, CLIENT_AUTHENTICATING);
    return end(client) > 0;
}

bool mupdate_client_cancel(struct mupdate_client *client)
{
    if (client->state != CLIENT_CHALLENGED)
        return false;
    buffer_append(&client->output, "*", 1);
    client_move(client, CLIENT_AUTHENTICATING);
    return end(client) > 0;
}

static uint64_t simple(struct mupdate_client *client, enum client_kind kind)
{
    return begin(client, kind) ? end(client) : 0;
}

uint64_t mupdate_client_starttls(struct mupdate_client *client)
{
    return simple(client, CLIENT_KIND_STARTTLS);
}

uint64_t mupdate_client_compress(struct mupdate_client *client)
{
    return simple(client, CLIENT_KIND_COMPRESS);
}

uint64_t mupdate_client_noop(struct mupdate_client *client)
{
    return simple(client, CLIENT_KIND_NOOP);
}

uint64_t mupdate_client_logout(struct mupdate_client *client)
{
    return simple(client, CLIENT_KIND_LOGOUT);
}

static void argument(struct mupdate_client *client, struct mupdate_text text)
{
    buffer_append(&client->output, " ", 1);
    encode_literal(&client->output, text);
}

uint64_t mupdate_client_find(struct mupdate_client *client, struct mupdate_text name)
{
    if (!begin(client, CLIENT_KIND_FIND))
        return 0;
    encode_literal(&client->output, name);
    return end(client);
}

uint64_t mupdate_client_list(struct mupdate_client *client, struct mupdate_text prefix)
{
    if (!begin(client, CLIENT_KIND_LIST))
        return 0;
    if (prefix.data)
        argument(client, prefix);
    return end(client);
}

uint64_t mupdate_client_set(struct mupdate_client *client, enum mupdate_verb verb,
                            const struct mupdate_row *row)
{
    static const struct {
        const char *word;
        bool location;
        bool acl;
    } verbs[] = {
        [MUPDATE_RESERVE] = { " RESERVE", true, false },
        [MUPDATE_ACTIVATE] = { " ACTIVATE", true, true },
        [MUPDATE_DEACTIVATE] = { " DEACTIVATE", true, false },
        [MUPDATE_DELETE] = { " DELETE", false, false },
    };

    if (!begin(client, CLIENT_KIND_SET))
        return 0;
    buffer_append_string(&client->output, verbs[verb].word);
    argument(client, row->name);
    if (verbs[verb].location)
        argument(client, row->location);
    if (verbs[verb].acl)
        argument(client, row->acl);
    return end(client);
}

uint64_t mupdate_client_update(struct mupdate_client *client, const struct mupdate_text *servers,
                               size_t count)
{
    if (!begin(client, CLIENT_KIND_UPDATE))
        return 0;
    for (size_t i = 0; i < count; i++)
        argument(client, servers[i]);
    return end(client);
}
