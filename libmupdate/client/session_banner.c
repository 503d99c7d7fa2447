/* SPDX-License-Identifier: BSD-3-Clause */
#include "client/session.h"

#include <stdlib.h>
#include <string.h>

void client_banner_free(struct client_banner *banner)
{
    if (!banner)
        return;
    for (size_t i = 0; i < banner->shown.mechanism_count; i++)
        free(banner->mechanisms[i]);
    for (size_t i = 0; i < sizeof banner->strings / sizeof banner->strings[0]; i++)
        free(banner->strings[i]);
    free(banner);
}

static char *copy(struct mupdate_client *client, size_t number)
{
    struct mupdate_text text = { NULL, 0 };
    char *string;

    if (number < client->tokens.count)
        text = wire_token_text(buffer_bytes(&client->input), &client->items[number]);
    string = malloc(text.len + 1);
    if (!string) {
        client_break(client, "out of memory");
        return NULL;
    }
    if (text.len > 0)
        memcpy(string, text.data, text.len);
    string[text.len] = '\0';
    return string;
}

/* Several lines add up, as they do for Cyrus. */
static void add_mechanisms(struct mupdate_client *client)
{
    struct client_banner *banner = client->reading;

    for (size_t i = 2; i < client->tokens.count; i++) {
        char *name;

        if (banner->shown.mechanism_count == CLIENT_MECHANISMS)
            return;
        /* RFC 4422, section 3.1: a longer name is none, and is not worth its memory. */
        if (client->items[i].len > CLIENT_MECHANISM_BYTES)
            continue;
        name = copy(client, i);
        if (!name)
            return;
        banner->mechanisms[banner->shown.mechanism_count++] = name;
    }
}

/* The name may come with and without quotes. */
static bool names_deflate(struct mupdate_client *client)
{
    for (size_t i = 2; i < client->tokens.count; i++) {
        struct mupdate_text text = wire_token_text(buffer_bytes(&client->input),
                                                   &client->items[i]);
        struct wire_token word = { WIRE_ATOM, 0, text.len };

        if (wire_token_is((const uint8_t *)text.data, &word, "DEFLATE"))
            return true;
    }
    return false;
}

/* Behind "* OK MUPDATE": what is not there is empty. */
static bool complete(struct mupdate_client *client)
{
    struct client_banner *banner = client->reading;
    struct mupdate_client_banner *shown = &banner->shown;

    for (size_t i = 0; i < sizeof banner->strings / sizeof banner->strings[0]; i++) {
        banner->strings[i] = copy(client, i + 3);
        if (!banner->strings[i])
            return false;
    }
    shown->mechanisms = (const char *const *)banner->mechanisms;
    shown->hostname = banner->strings[0];
    shown->implementation = banner->strings[1];
    shown->version = banner->strings[2];
    shown->role = banner->strings[3];
    client_banner_free(client->banner);
    client->banner = banner;
    client->reading = NULL;
    return true;
}

bool client_banner_line(struct mupdate_client *client)
{
    const uint8_t *bytes = buffer_bytes(&client->input);
    const struct wire_token *word = &client->items[1];

    if (client->tokens.count < 2)
        return false;
    if (!client->reading) {
        client->reading = calloc(1, sizeof *client->reading);
        if (!client->reading) {
            client_break(client, "out of memory");
            return false;
        }
    }
    if (wire_token_is(bytes, word, "AUTH"))
        add_mechanisms(client);
    else if (wire_token_is(bytes, word, "STARTTLS"))
        client->reading->shown.starttls = true;
    else if (wire_token_is(bytes, word, "COMPRESS"))
        client->reading->shown.compress_deflate |= names_deflate(client);
    else if (wire_token_is(bytes, word, "PARTIAL-UPDATE"))
        client->reading->shown.partial_update = true;
    else if (wire_token_is(bytes, word, "OK"))
        return complete(client);
    return false;
}
