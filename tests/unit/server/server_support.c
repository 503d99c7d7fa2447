/* SPDX-License-Identifier: BSD-3-Clause */
#include "server_support.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static const char *const mechanisms[] = { "PLAIN", "SCRAM-SHA-256" };

static const struct mupdate_server_banner banner = {
    .mechanisms = mechanisms,
    .mechanism_count = 2,
    .starttls = true,
    .compress = true,
    .hostname = "mupdate.example.org",
    .implementation = "test",
    .version = "1",
    .role = "(master)",
};

static size_t random_below(void *context, size_t limit)
{
    (void)context;
    return (size_t)rand() % limit;
}

static size_t below(struct server_support *support, size_t limit)
{
    return support->below(support->below_context, limit);
}

void server_support_open(struct server_support *support,
                         const struct mupdate_server_limits *limits)
{
    memset(support, 0, sizeof *support);
    support->below = random_below;
    support->server = mupdate_server_new(limits);
    assert_non_null(support->server);
}

void server_support_clear(struct server_support *support)
{
    buffer_clear(&support->events);
    buffer_clear(&support->replies);
}

/* Send the output. False when there was none. */
static bool drain(struct server_support *support)
{
    const uint8_t *data;
    size_t len = mupdate_server_output(support->server, &data);

    buffer_append(&support->replies, data, len);
    mupdate_server_sent(support->server, len);
    return len > 0;
}

void server_support_greet(struct server_support *support)
{
    mupdate_server_banner(support->server, &banner);
    drain(support);
    server_support_clear(support);
}

void server_support_reach(struct server_support *support, enum mupdate_server_state state)
{
    enum server_support_answers answers = support->answers;
    const char *input = "";

    server_support_greet(support);
    support->answers = ANSWER_AT_ONCE;
    switch (state) {
    case MUPDATE_SERVER_STATE_AUTHENTICATED:
        input = "A AUTHENTICATE \"PLAIN\" \"\"\r\n";
        break;
    case MUPDATE_SERVER_STATE_STREAMING:
    case MUPDATE_SERVER_STATE_DUMPING:
        input = "A AUTHENTICATE \"PLAIN\" \"\"\r\nU UPDATE\r\n";
        break;
    case MUPDATE_SERVER_STATE_AUTHENTICATING:
        input = "A AUTHENTICATE \"CHALLENGE\"\r\n";
        break;
    default:
        break;
    }
    if (state == MUPDATE_SERVER_STATE_DUMPING) {
        server_support_feed(support, input, strlen(input) - 10, SPLIT_WHOLE);
        support->answers = ANSWER_NEVER;
        server_support_feed(support, "U UPDATE\r\n", 10, SPLIT_WHOLE);
    } else {
        server_support_feed(support, input, strlen(input), SPLIT_WHOLE);
    }
    assert_int_equal(mupdate_server_state(support->server), state);
    support->answers = answers;
    server_support_clear(support);
}

void server_support_close(struct server_support *support)
{
    mupdate_server_free(support->server);
    buffer_free(&support->events);
    buffer_free(&support->replies);
    buffer_free(&support->shown);
}

static void write_text(struct buffer *to, struct mupdate_text text)
{
    for (size_t i = 0; i < text.len; i++) {
        uint8_t c = (uint8_t)text.data[i];

        if (c > 32) {
            buffer_append(to, &c, 1);
        } else {
            char hex[4];

            snprintf(hex, sizeof hex, "\\%02x", c);
            buffer_append_string(to, hex);
        }
    }
}

static void write_event(struct buffer *to, const struct mupdate_server_event *event)
{
    static const char *const words[] = {
        [MUPDATE_SERVER_AUTHENTICATE] = "AUTHENTICATE", [MUPDATE_SERVER_AUTH_RESPONSE] = "RESPONSE",
        [MUPDATE_SERVER_AUTH_CANCELLED] = "CANCELLED",  [MUPDATE_SERVER_STARTTLS] = "STARTTLS",
        [MUPDATE_SERVER_COMPRESS] = "COMPRESS",         [MUPDATE_SERVER_FIND] = "FIND",
        [MUPDATE_SERVER_LIST] = "LIST",                 [MUPDATE_SERVER_SET] = "",
        [MUPDATE_SERVER_UPDATE] = "UPDATE",             [MUPDATE_SERVER_NOOP] = "NOOP",
        [MUPDATE_SERVER_LOGOUT] = "LOGOUT",
    };
    static const char *const verbs[] = {
        [MUPDATE_RESERVE] = "RESERVE",
        [MUPDATE_ACTIVATE] = "ACTIVATE",
        [MUPDATE_DEACTIVATE] = "DEACTIVATE",
        [MUPDATE_DELETE] = "DELETE",
    };

    buffer_append_string(to, words[event->type]);
    switch (event->type) {
    case MUPDATE_SERVER_AUTHENTICATE:
        buffer_append_string(to, "(");
        write_text(to, event->mechanism);
        buffer_append_string(to, event->has_initial ? "," : "");
        write_text(to, event->initial);
        buffer_append_string(to, ")");
        break;
    case MUPDATE_SERVER_AUTH_RESPONSE:
        buffer_append_string(to, "(");
        write_text(to, event->initial);
        buffer_append_string(to, ")");
        break;
    case MUPDATE_SERVER_SET:
        buffer_append_string(to, verbs[event->verb]);
        buffer_append_string(to, "(");
        write_text(to, event->row.name);
        if (event->verb != MUPDATE_DELETE) {
            buffer_append_string(to, ",");
            write_text(to, event->row.location);
        }
        if (event->verb == MUPDATE_ACTIVATE) {
            buffer_append_string(to, ",");
            write_text(to, event->row.acl);
        }
        buffer_append_string(to, ")");
        break;
    case MUPDATE_SERVER_FIND:
        buffer_append_string(to, "(");
        write_text(to, event->row.name);
        buffer_append_string(to, ")");
        break;
    case MUPDATE_SERVER_LIST:
    case MUPDATE_SERVER_UPDATE:
        buffer_append_string(to, "(");
        for (size_t i = 0; i < event->host_count; i++) {
            buffer_append_string(to, i > 0 ? "," : "");
            write_text(to, event->hosts[i]);
        }
        buffer_append_string(to, ")");
        break;
    default:
        break;
    }
    buffer_append_string(to, "\n");
}

static bool is_mechanism(const struct mupdate_server_event *event, const char *name)
{
    return event->mechanism.len == strlen(name) &&
           memcmp(event->mechanism.data, name, event->mechanism.len) == 0;
}

/* The mechanism "CHALLENGE" takes one response, "DENIED" fails, all others succeed. */
static void ask(struct server_support *support, const struct mupdate_server_event *event)
{
    size_t last = (support->asked_first + support->asked_count) % 128;

    write_event(&support->events, event);
    if (event->type == MUPDATE_SERVER_AUTH_CANCELLED || event->type == MUPDATE_SERVER_LOGOUT)
        return;
    if (event->type == MUPDATE_SERVER_AUTHENTICATE && support->answers != ANSWER_NEVER) {
        if (is_mechanism(event, "CHALLENGE")) {
            assert_true(mupdate_server_challenge(support->server, "who?", 4));
            return;
        }
        if (is_mechanism(event, "DENIED")) {
            assert_true(mupdate_server_no(support->server, "denied"));
            return;
        }
    }
    assert_true(support->asked_count < 128);
    support->asked[last] = event->type;
    support->asked_count++;
}

void server_support_answer(struct server_support *support)
{
    struct mupdate_server *server = support->server;
    bool done;

    assert_true(support->asked_count > 0);
    switch (support->asked[support->asked_first]) {
    case MUPDATE_SERVER_AUTHENTICATE:
    case MUPDATE_SERVER_AUTH_RESPONSE:
        done = mupdate_server_authenticated(server, "welcome");
        break;
    default:
        done = mupdate_server_ok(server, "done");
        break;
    }
    assert_true(done);
    support->asked_first = (support->asked_first + 1) % 128;
    support->asked_count--;
}

void server_support_turn(struct server_support *support)
{
    for (;;) {
        struct mupdate_server_event event;

        support->next = mupdate_server_next(support->server, &event);
        if (support->next == MUPDATE_SERVER_EVENT) {
            ask(support, &event);
            if (support->answers == ANSWER_AT_ONCE ||
                (support->answers == ANSWER_RANDOM && below(support, 2))) {
                while (support->asked_count > 0)
                    server_support_answer(support);
            }
        } else if (support->next == MUPDATE_SERVER_BLOCKED && support->asked_count > 0 &&
                   support->answers != ANSWER_NEVER) {
            server_support_answer(support);
        } else {
            if (support->answers == ANSWER_RANDOM && support->asked_count > 0 &&
                below(support, 4) == 0)
                server_support_answer(support);
            if (!drain(support) || support->next != MUPDATE_SERVER_BLOCKED)
                return;
        }
    }
}

size_t server_support_feed(struct server_support *support, const void *data, size_t len,
                           enum server_support_split split)
{
    const uint8_t *from = data;
    size_t done = 0;

    while (done < len) {
        size_t chunk = len - done;
        size_t taken;
        uint8_t *copy;

        if (split == SPLIT_OCTETS)
            chunk = 1;
        else if (split == SPLIT_RANDOM && chunk > 1)
            chunk = 1 + below(support, below(support, 2) ? chunk : chunk < 20 ? chunk : 20);
        /* A copy of its own size lets the sanitizers see every octet read too far. */
        copy = malloc(chunk);
        assert_non_null(copy);
        memcpy(copy, from + done, chunk);
        taken = mupdate_server_input(support->server, copy, chunk);
        free(copy);
        done += taken;
        server_support_turn(support);
        if (taken == 0 && support->next != MUPDATE_SERVER_WAIT)
            break;
    }
    if (support->answers != ANSWER_NEVER) {
        while (support->asked_count > 0) {
            server_support_answer(support);
            server_support_turn(support);
        }
        drain(support);
    }
    return done;
}

const char *server_support_events(struct server_support *support)
{
    uint8_t *end = buffer_reserve(&support->events, 1);

    assert_non_null(end);
    *end = '\0';
    return (const char *)buffer_bytes(&support->events);
}

/* Cut `TAG WORD "text"` to `TAG WORD`. Returns the new length. */
static size_t cut_text(const char *line, size_t len)
{
    static const char *const words[] = { " OK \"", " NO \"", " BAD \"", " BYE \"" };
    const char *blank = memchr(line, ' ', len);

    for (size_t i = 0; blank && i < sizeof words / sizeof words[0]; i++) {
        size_t word = strlen(words[i]);

        if ((size_t)(line + len - blank) > word && memcmp(blank, words[i], word) == 0) {
            assert_int_equal(line[len - 1], '"');
            assert_true((size_t)(line + len - blank) > word + 1);
            return (size_t)(blank - line) + word - 2;
        }
    }
    return len;
}

const char *server_support_replies(struct server_support *support)
{
    const char *line = (const char *)buffer_bytes(&support->replies);
    const char *end = line ? line + buffer_len(&support->replies) : NULL;

    buffer_clear(&support->shown);
    while (line < end) {
        const char *lf = memchr(line, '\n', (size_t)(end - line));

        assert_non_null(lf);
        assert_true(lf > line);
        assert_int_equal(lf[-1], '\r');
        buffer_append(&support->shown, line, cut_text(line, (size_t)(lf - line) - 1));
        buffer_append(&support->shown, "\n", 1);
        line = lf + 1;
    }
    buffer_append(&support->shown, "", 1);
    return (const char *)buffer_bytes(&support->shown);
}
