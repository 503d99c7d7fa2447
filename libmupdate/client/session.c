/* SPDX-License-Identifier: BSD-3-Clause */
#include "client/session.h"

#include <stdlib.h>

/* Below these a server that keeps to RFC 3656 could not be understood (2, 2.2). */
#define LINE_BYTES_MIN 1024
#define LITERAL_BYTES_MIN 4096

#define TO(state) (1u << CLIENT_##state)
#define TO_END (TO(OVER) | TO(BROKEN))

/* Where a session may go from each state. */
static const unsigned int moves[] = {
    [CLIENT_GREETING] = TO(READY) | TO_END,
    [CLIENT_READY] = TO(AUTHENTICATING) | TO(UPGRADING) | TO(UPDATING) | TO(LEAVING) | TO_END,
    [CLIENT_AUTHENTICATING] = TO(CHALLENGED) | TO(READY) | TO_END,
    [CLIENT_CHALLENGED] = TO(AUTHENTICATING) | TO(READY) | TO_END,
    [CLIENT_UPGRADING] = TO(GREETING) | TO(READY) | TO_END,
    [CLIENT_UPDATING] = TO(READY) | TO(LEAVING) | TO_END,
    [CLIENT_LEAVING] = TO_END,
    [CLIENT_OVER] = TO_END,
    [CLIENT_BROKEN] = TO(BROKEN),
};

void client_move(struct mupdate_client *client, enum client_state to)
{
    if (moves[client->state] & 1u << to)
        client->state = to;
    else
        client_break(client, "the session was used in a wrong order");
}

void client_break(struct mupdate_client *client, const char *error)
{
    if (client->state != CLIENT_BROKEN)
        client->error = error;
    client->state = CLIENT_BROKEN;
    buffer_clear(&client->output);
}

bool client_starved(struct mupdate_client *client)
{
    if (!client->input.failed && !client->output.failed && !client->kinds.failed)
        return false;
    client_break(client, "out of memory");
    return true;
}

uint64_t client_oldest(const struct mupdate_client *client)
{
    size_t waiting = buffer_len(&client->kinds);

    return waiting > 0 ? client->last - waiting + 1 : 0;
}

void mupdate_client_limits_default(struct mupdate_client_limits *limits)
{
    *limits = (struct mupdate_client_limits){
        .line_bytes = 65536,
        .literal_bytes = 1048576,
    };
}

static void between(size_t *limit, size_t least, size_t most)
{
    if (*limit < least)
        *limit = least;
    if (*limit > most)
        *limit = most;
}

struct mupdate_client *mupdate_client_new(const struct mupdate_client_limits *limits)
{
    struct mupdate_client *client = calloc(1, sizeof *client);

    if (!client)
        return NULL;
    if (limits)
        client->limits = *limits;
    else
        mupdate_client_limits_default(&client->limits);
    /* The upper bounds keep sums of them from wrapping. */
    between(&client->limits.line_bytes, LINE_BYTES_MIN, SIZE_MAX / 64);
    between(&client->limits.literal_bytes, LITERAL_BYTES_MIN, SIZE_MAX / 64);
    client->output.secret = true;
    client->tokens = (struct wire_tokens){ client->items, 0, CLIENT_TOKENS };
    return client;
}

void mupdate_client_free(struct mupdate_client *client)
{
    if (!client)
        return;
    client_banner_free(client->banner);
    client_banner_free(client->reading);
    buffer_free(&client->kinds);
    buffer_free(&client->input);
    buffer_free(&client->output);
    free(client);
}

bool mupdate_client_input(struct mupdate_client *client, const void *data, size_t len)
{
    if (client->handed > 0)
        buffer_consume(&client->input, client->handed);
    client->handed = 0;
    if (client->state == CLIENT_OVER)
        return true;
    buffer_append(&client->input, data, len);
    return !client_starved(client);
}

size_t mupdate_client_discard_input(struct mupdate_client *client)
{
    size_t len = buffer_len(&client->input) - client->handed;

    buffer_clear(&client->input);
    client->handed = 0;
    client->line = 0;
    client->seen = 0;
    client->literal_end = 0;
    client->tokens.count = 0;
    return len;
}

const struct mupdate_client_banner *mupdate_client_banner(const struct mupdate_client *client)
{
    return client->banner ? &client->banner->shown : NULL;
}

const char *mupdate_client_error(const struct mupdate_client *client)
{
    return client->error;
}

size_t mupdate_client_output(const struct mupdate_client *client, const uint8_t **data)
{
    *data = buffer_bytes(&client->output);
    return buffer_len(&client->output);
}

void mupdate_client_sent(struct mupdate_client *client, size_t len)
{
    buffer_consume(&client->output, len);
}
