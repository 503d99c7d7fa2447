/* SPDX-License-Identifier: BSD-3-Clause */
#include "server/session.h"

#define IN(state) (1u << MUPDATE_SERVER_STATE_##state)

/*
 * Every command (RFC 3656, section 4; COMPRESS as Cyrus has it, RFC 4978: only
 * behind an authentication, since it costs more memory than all else).
 */
static const struct command commands[] = {
    { .word = "FIND",
      .event = MUPDATE_SERVER_FIND,
      .flight = SERVER_FLIGHT_FIND,
      .states = IN(AUTHENTICATED),
      .arguments_min = 1,
      .arguments_max = 1 },
    { .word = "ACTIVATE",
      .event = MUPDATE_SERVER_SET,
      .verb = MUPDATE_ACTIVATE,
      .flight = SERVER_FLIGHT_SETS,
      .states = IN(AUTHENTICATED),
      .arguments_min = 3,
      .arguments_max = 3 },
    { .word = "RESERVE",
      .event = MUPDATE_SERVER_SET,
      .verb = MUPDATE_RESERVE,
      .flight = SERVER_FLIGHT_SETS,
      .states = IN(AUTHENTICATED),
      .arguments_min = 2,
      .arguments_max = 2 },
    { .word = "DEACTIVATE",
      .event = MUPDATE_SERVER_SET,
      .verb = MUPDATE_DEACTIVATE,
      .flight = SERVER_FLIGHT_SETS,
      .states = IN(AUTHENTICATED),
      .arguments_min = 2,
      .arguments_max = 2 },
    { .word = "DELETE",
      .event = MUPDATE_SERVER_SET,
      .verb = MUPDATE_DELETE,
      .flight = SERVER_FLIGHT_SETS,
      .states = IN(AUTHENTICATED),
      .arguments_min = 1,
      .arguments_max = 1 },
    { .word = "NOOP",
      .event = MUPDATE_SERVER_NOOP,
      .flight = SERVER_FLIGHT_NOOP,
      .states = IN(AUTHENTICATED) | IN(STREAMING) },
    { .word = "LIST",
      .event = MUPDATE_SERVER_LIST,
      .flight = SERVER_FLIGHT_LIST,
      .states = IN(AUTHENTICATED),
      .arguments_max = 1 },
    { .word = "UPDATE",
      .event = MUPDATE_SERVER_UPDATE,
      .flight = SERVER_FLIGHT_UPDATE,
      .states = IN(AUTHENTICATED),
      .arguments_max = MUPDATE_SERVER_HOSTS },
    { .word = "LOGOUT",
      .event = MUPDATE_SERVER_LOGOUT,
      .flight = SERVER_FLIGHT_NONE,
      .states = IN(UNAUTHENTICATED) | IN(AUTHENTICATED) | IN(STREAMING) },
    { .word = "AUTHENTICATE",
      .event = MUPDATE_SERVER_AUTHENTICATE,
      .flight = SERVER_FLIGHT_AUTH,
      .states = IN(UNAUTHENTICATED),
      .arguments_min = 1,
      .arguments_max = 2,
      .atoms = true },
    { .word = "STARTTLS",
      .event = MUPDATE_SERVER_STARTTLS,
      .flight = SERVER_FLIGHT_STARTTLS,
      .states = IN(UNAUTHENTICATED) },
    { .word = "COMPRESS",
      .event = MUPDATE_SERVER_COMPRESS,
      .flight = SERVER_FLIGHT_COMPRESS,
      .states = IN(AUTHENTICATED),
      .arguments_min = 1,
      .arguments_max = 1,
      .atoms = true },
};

/* Why a command may not be given in a state in which it may not. */
static const struct {
    enum mupdate_reply reply;
    const char *text;
} not_now[] = {
    [MUPDATE_SERVER_STATE_UNAUTHENTICATED] = { MUPDATE_NO, "authenticate first" },
    [MUPDATE_SERVER_STATE_AUTHENTICATING] = { MUPDATE_BAD, "authentication is going on" },
    [MUPDATE_SERVER_STATE_TLS] = { MUPDATE_BAD, "TLS is being started" },
    [MUPDATE_SERVER_STATE_AUTHENTICATED] = { MUPDATE_BAD, "already authenticated" },
    [MUPDATE_SERVER_STATE_DUMPING] = { MUPDATE_BAD, "an update is going on" },
    [MUPDATE_SERVER_STATE_STREAMING] = { MUPDATE_BAD, "only NOOP and LOGOUT may follow UPDATE" },
    [MUPDATE_SERVER_STATE_CLOSED] = { MUPDATE_BAD, "the session is closed" },
};

static const struct command *find_command(const uint8_t *bytes, const struct wire_token *word)
{
    for (size_t i = 0; i < sizeof commands / sizeof commands[0]; i++) {
        if (wire_token_is(bytes, word, commands[i].word))
            return &commands[i];
    }
    return NULL;
}

/* The two forms in which Cyrus and people write an empty initial response without quotes. */
static bool is_equals(const uint8_t *bytes, const struct wire_token *token)
{
    return token->type == WIRE_EQUALS || wire_token_is(bytes, token, "=");
}

static bool argument_fits(const struct command *command, const uint8_t *bytes, size_t number,
                          const struct wire_token *token)
{
    if (command->event == MUPDATE_SERVER_AUTHENTICATE && number == 1)
        return is_equals(bytes, token) || token->type != WIRE_ATOM;
    if (token->type == WIRE_EQUALS)
        return false;
    return command->atoms || token->type != WIRE_ATOM;
}

const char *command_check(struct mupdate_server *server, bool whole, enum mupdate_reply *reply)
{
    struct reader *reader = &server->reader;
    const struct wire_tokens *tokens = &reader->tokens;
    const uint8_t *bytes = buffer_bytes(&server->input);
    const struct command *command;
    size_t arguments;

    *reply = MUPDATE_BAD;
    if (!reader_has_tag(server))
        return tokens->items[0].type == WIRE_ATOM && tokens->items[0].len > server->limits.tag_bytes
                   ? "the tag is too long"
                   : "a command starts with a tag of letters and digits";
    if (tokens->count < 2)
        return "a command must follow the tag";
    if (!reader->command)
        reader->command = find_command(bytes, &tokens->items[1]);
    command = reader->command;
    if (!command)
        return "unknown command";
    if (!(command->states & 1u << server->state)) {
        *reply = not_now[server->state].reply;
        return not_now[server->state].text;
    }
    arguments = tokens->count - 2;
    if (arguments > command->arguments_max)
        return "too many arguments";
    if (whole && arguments < command->arguments_min)
        return "too few arguments";
    for (size_t i = 0; i < arguments; i++) {
        if (!argument_fits(command, bytes, i, &tokens->items[i + 2]))
            return "a quoted string or a literal is needed";
    }
    return NULL;
}

/* No mechanism's name is longer (RFC 4422, section 3.1: 20), nor is what peers make up. */
#define MECHANISM_BYTES 64

/* What the longest row may have in lines and literals together. */
static uint64_t row_bytes(const struct mupdate_server_limits *limits)
{
    return 4 * (uint64_t)limits->line_bytes + 3 * (uint64_t)limits->literal_bytes;
}

/* By what it is for: the literal is the last token. */
static size_t literal_limit(const struct mupdate_server *server)
{
    if (server->reader.command->event != MUPDATE_SERVER_AUTHENTICATE)
        return server->limits.literal_bytes;
    return server->reader.tokens.count == 3 ? MECHANISM_BYTES : server->limits.sasl_bytes;
}

bool command_takes_literal(const struct mupdate_server *server, size_t held,
                           const struct wire_literal *literal)
{
    if (literal->count.overflow || literal->count.octets > literal_limit(server))
        return false;
    /* The servers of a partial update may be long or many, not both. */
    return server->reader.command->event == MUPDATE_SERVER_AUTHENTICATE ||
           held + literal->count.octets <= row_bytes(&server->limits);
}
