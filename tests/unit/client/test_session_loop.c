/*
 * Both sessions against each other, with the bytes between them cut anywhere.
 *
 * SPDX-License-Identifier: BSD-3-Clause
 */
#include <mupdate/client.h>
#include <mupdate/server.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define COMMANDS 3000
#define TEXT_MAX 300

static const char *const mechanisms[] = { "PLAIN" };
static const struct mupdate_server_banner banner = {
    .mechanisms = mechanisms,
    .mechanism_count = 1,
    .starttls = true,
    .compress = true,
    .hostname = "h",
    .implementation = "i",
    .version = "v",
    .role = "(master)",
};

enum kind { FIND, LIST, NOOP, SET, UPDATE };

/* What the client asked, for the server's side and the replies to be compared with. */
struct asked {
    enum kind kind;
    enum mupdate_verb verb;
    char name[TEXT_MAX];
    size_t name_len;
    char location[TEXT_MAX];
    size_t location_len;
    char acl[TEXT_MAX];
    size_t acl_len;
    uint64_t number;
    enum mupdate_reply reply;
    size_t rows; /* with this command's name, location and ACL */
};

struct loop {
    struct mupdate_client *client;
    struct mupdate_server *server;
    struct asked asked[COMMANDS];
    size_t given;   /* commands of the client */
    size_t taken;   /* events of the server */
    size_t replied; /* answers of the server */
    size_t done;    /* replies seen by the client */
    size_t rows;    /* rows seen of asked[done] */
    size_t stream_sent;
    size_t stream_seen;
};

static struct mupdate_text text(const char *data, size_t len)
{
    return (struct mupdate_text){ data, len };
}

static size_t random_text(char *to)
{
    size_t len = rand() % 8 ? (size_t)rand() % 12 : (size_t)rand() % TEXT_MAX;

    for (size_t i = 0; i < len; i++)
        to[i] = (char)rand();
    return len;
}

static void expect_text(struct mupdate_text seen, const char *data, size_t len)
{
    assert_int_equal(seen.len, len);
    if (len > 0)
        assert_memory_equal(seen.data, data, len);
}

static void give(struct loop *loop)
{
    struct asked *asked = &loop->asked[loop->given];
    struct mupdate_row row;

    memset(asked, 0, sizeof *asked);
    asked->kind = rand() % 3 ? SET : (enum kind)(rand() % 4);
    asked->verb = (enum mupdate_verb)(rand() % 4);
    asked->name_len = random_text(asked->name);
    asked->location_len = random_text(asked->location);
    asked->acl_len = random_text(asked->acl);
    asked->reply = asked->kind == NOOP ? MUPDATE_OK : (enum mupdate_reply)(rand() % 3);
    if (asked->kind == FIND)
        asked->rows = asked->reply == MUPDATE_OK ? (size_t)rand() % 2 : 0;
    if (asked->kind == LIST)
        asked->rows = (size_t)rand() % 5;
    row.name = text(asked->name, asked->name_len);
    row.location = text(asked->location, asked->location_len);
    row.acl = text(asked->acl, asked->acl_len);
    switch (asked->kind) {
    case FIND:
        asked->number = mupdate_client_find(loop->client, row.name);
        break;
    case LIST:
        asked->number = mupdate_client_list(loop->client, row.location);
        break;
    case SET:
        asked->number = mupdate_client_set(loop->client, asked->verb, &row);
        break;
    default:
        asked->number = mupdate_client_noop(loop->client);
        break;
    }
    assert_true(asked->number > 0);
    loop->given++;
}

static struct mupdate_row row_of(const struct asked *asked)
{
    struct mupdate_row row;

    row.state = asked->acl_len % 2 ? MUPDATE_ACTIVE : MUPDATE_RESERVED;
    row.name = text(asked->name, asked->name_len);
    row.location = text(asked->location, asked->location_len);
    row.acl = text(asked->acl, row.state == MUPDATE_ACTIVE ? asked->acl_len : 0);
    return row;
}

static void compare_event(struct loop *loop, const struct mupdate_server_event *event)
{
    static const enum mupdate_server_event_type types[] = {
        [FIND] = MUPDATE_SERVER_FIND,     [LIST] = MUPDATE_SERVER_LIST,
        [SET] = MUPDATE_SERVER_SET,       [NOOP] = MUPDATE_SERVER_NOOP,
        [UPDATE] = MUPDATE_SERVER_UPDATE,
    };
    const struct asked *asked = &loop->asked[loop->taken++];

    assert_int_equal(event->type, types[asked->kind]);
    if (asked->kind == LIST) {
        assert_int_equal(event->host_count, 1);
        expect_text(event->hosts[0], asked->location, asked->location_len);
    }
    if (asked->kind == FIND || asked->kind == SET)
        expect_text(event->row.name, asked->name, asked->name_len);
    if (asked->kind == SET) {
        assert_int_equal(event->verb, asked->verb);
        if (asked->verb != MUPDATE_DELETE)
            expect_text(event->row.location, asked->location, asked->location_len);
        if (asked->verb == MUPDATE_ACTIVATE)
            expect_text(event->row.acl, asked->acl, asked->acl_len);
    }
}

static void answer(struct loop *loop)
{
    const struct asked *asked = &loop->asked[loop->replied++];
    struct mupdate_row row = row_of(asked);
    bool done;

    for (size_t i = 0; i < asked->rows; i++)
        assert_true(mupdate_server_row(loop->server, &row));
    switch (asked->reply) {
    case MUPDATE_OK:
        done = mupdate_server_ok(loop->server, "yes, \"done\"");
        break;
    case MUPDATE_NO:
        done = mupdate_server_no(loop->server, "yes, \"done\"");
        break;
    default:
        done = mupdate_server_bad(loop->server, "yes, \"done\"");
        break;
    }
    assert_true(done);
}

static void run_server(struct loop *loop)
{
    struct mupdate_server_event event;
    enum mupdate_server_next next;

    while ((next = mupdate_server_next(loop->server, &event)) == MUPDATE_SERVER_EVENT)
        compare_event(loop, &event);
    assert_int_not_equal(next, MUPDATE_SERVER_CLOSED);
    assert_int_equal(mupdate_server_unanswered(loop->server), loop->taken - loop->replied);
    while (loop->replied < loop->taken && rand() % 4)
        answer(loop);
}

static void see(struct loop *loop, const struct mupdate_client_event *event)
{
    const struct asked *asked = &loop->asked[loop->done];

    if (event->type == MUPDATE_CLIENT_ROW && loop->stream_seen < loop->stream_sent &&
        loop->done == loop->given && loop->asked[loop->given - 1].kind == UPDATE) {
        assert_int_equal(event->row.state, MUPDATE_ABSENT);
        assert_int_equal(event->command, loop->asked[loop->given - 1].number);
        expect_text(event->row.name, "gone", 4);
        loop->stream_seen++;
        return;
    }
    assert_true(loop->done < loop->given);
    assert_int_equal(event->command, asked->number);
    if (event->type == MUPDATE_CLIENT_ROW) {
        struct mupdate_row row = row_of(asked);

        assert_int_equal(event->row.state, row.state);
        expect_text(event->row.name, row.name.data, row.name.len);
        expect_text(event->row.location, row.location.data, row.location.len);
        expect_text(event->row.acl, row.acl.data, row.acl.len);
        loop->rows++;
        return;
    }
    assert_int_equal(event->type, MUPDATE_CLIENT_DONE);
    assert_int_equal(event->reply, asked->reply);
    expect_text(event->text, "yes, \"done\"", 11);
    assert_int_equal(loop->rows, asked->rows);
    loop->rows = 0;
    loop->done++;
}

static void run_client(struct loop *loop)
{
    struct mupdate_client_event event;
    enum mupdate_client_next next;

    while ((next = mupdate_client_next(loop->client, &event)) == MUPDATE_CLIENT_EVENT)
        see(loop, &event);
    if (next == MUPDATE_CLIENT_ERROR)
        fail_msg("%s", mupdate_client_error(loop->client));
}

/* Move some bytes each way. */
static void carry(struct loop *loop)
{
    const uint8_t *data;
    size_t len = mupdate_client_output(loop->client, &data);

    if (len > 0) {
        size_t taken;

        len = 1 + (size_t)rand() % len;
        taken = mupdate_server_input(loop->server, data, len);
        mupdate_client_sent(loop->client, taken);
    }
    run_server(loop);
    len = mupdate_server_output(loop->server, &data);
    if (len > 0) {
        len = 1 + (size_t)rand() % len;
        assert_true(mupdate_client_input(loop->client, data, len));
        mupdate_server_sent(loop->server, len);
    }
    run_client(loop);
}

static void greet(struct loop *loop)
{
    struct mupdate_client_event event;
    struct mupdate_server_event asked;
    const uint8_t *data;
    size_t len;

    loop->client = mupdate_client_new(NULL);
    loop->server = mupdate_server_new(NULL);
    assert_non_null(loop->client);
    assert_non_null(loop->server);
    mupdate_server_banner(loop->server, &banner);
    len = mupdate_server_output(loop->server, &data);
    assert_true(mupdate_client_input(loop->client, data, len));
    mupdate_server_sent(loop->server, len);
    assert_int_equal(mupdate_client_next(loop->client, &event), MUPDATE_CLIENT_EVENT);
    assert_int_equal(event.type, MUPDATE_CLIENT_BANNER);
    assert_true(mupdate_client_banner(loop->client)->starttls);
    assert_true(mupdate_client_banner(loop->client)->partial_update);

    /* An exchange with an empty initial response, a challenge and a response of all octets. */
    assert_true(mupdate_client_authenticate(loop->client, "PLAIN", "", 0) > 0);
    len = mupdate_client_output(loop->client, &data);
    assert_int_equal(mupdate_server_input(loop->server, data, len), len);
    mupdate_client_sent(loop->client, len);
    assert_int_equal(mupdate_server_next(loop->server, &asked), MUPDATE_SERVER_EVENT);
    assert_int_equal(asked.type, MUPDATE_SERVER_AUTHENTICATE);
    assert_true(asked.has_initial);
    assert_int_equal(asked.initial.len, 0);
    assert_true(mupdate_server_challenge(loop->server, "\0\1\2", 3));
    len = mupdate_server_output(loop->server, &data);
    assert_true(mupdate_client_input(loop->client, data, len));
    mupdate_server_sent(loop->server, len);
    assert_int_equal(mupdate_client_next(loop->client, &event), MUPDATE_CLIENT_EVENT);
    assert_int_equal(event.type, MUPDATE_CLIENT_CHALLENGE);
    expect_text(event.data, "\0\1\2", 3);
    assert_true(mupdate_client_response(loop->client, "\377\0\r\n", 4));
    len = mupdate_client_output(loop->client, &data);
    assert_int_equal(mupdate_server_input(loop->server, data, len), len);
    mupdate_client_sent(loop->client, len);
    assert_int_equal(mupdate_server_next(loop->server, &asked), MUPDATE_SERVER_EVENT);
    assert_int_equal(asked.type, MUPDATE_SERVER_AUTH_RESPONSE);
    expect_text(asked.initial, "\377\0\r\n", 4);
    assert_true(mupdate_server_authenticated(loop->server, "welcome"));
    len = mupdate_server_output(loop->server, &data);
    assert_true(mupdate_client_input(loop->client, data, len));
    mupdate_server_sent(loop->server, len);
    assert_int_equal(mupdate_client_next(loop->client, &event), MUPDATE_CLIENT_EVENT);
    assert_int_equal(event.type, MUPDATE_CLIENT_DONE);
    assert_int_equal(event.reply, MUPDATE_OK);
}

static void what_the_client_asks_the_server_hears_and_back(void **state)
{
    (void)state;
    for (unsigned int seed = 1; seed <= 5; seed++) {
        struct loop *loop = calloc(1, sizeof *loop);

        assert_non_null(loop);
        srand(seed);
        greet(loop);
        while (loop->done < COMMANDS - 1) {
            while (loop->given < COMMANDS - 1 && loop->given - loop->done < 200 && rand() % 5)
                give(loop);
            carry(loop);
        }

        /* An update with rows, then a stream of deletions. */
        loop->asked[loop->given] = (struct asked){ .kind = UPDATE, .rows = 50, .name = "n",
                                                   .name_len = 1 };
        loop->asked[loop->given].number = mupdate_client_update(loop->client, NULL, 0);
        loop->given++;
        while (loop->done < loop->given)
            carry(loop);
        assert_int_equal(mupdate_server_state(loop->server), MUPDATE_SERVER_STATE_STREAMING);
        while (loop->stream_seen < 200) {
            struct mupdate_row gone = { MUPDATE_ABSENT, { "gone", 4 }, { "", 0 }, { "", 0 } };

            if (loop->stream_sent < 200 && rand() % 2) {
                assert_true(mupdate_server_row(loop->server, &gone));
                loop->stream_sent++;
            }
            carry(loop);
        }
        mupdate_client_free(loop->client);
        mupdate_server_free(loop->server);
        free(loop);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_the_client_asks_the_server_hears_and_back),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
