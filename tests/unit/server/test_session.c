/* SPDX-License-Identifier: BSD-3-Clause */
#include "server_support.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static void feed(struct server_support *support, const char *text)
{
    server_support_feed(support, text, strlen(text), SPLIT_WHOLE);
}

/* What waits in the output, taken out of it. */
static const char *output(struct mupdate_server *server)
{
    static char text[4096];
    const uint8_t *data;
    size_t len = mupdate_server_output(server, &data);

    assert_true(len < sizeof text);
    if (len > 0)
        memcpy(text, data, len);
    text[len] = '\0';
    mupdate_server_sent(server, len);
    return text;
}

static void at(struct server_support *support, enum mupdate_server_state state)
{
    server_support_open(support, NULL);
    server_support_reach(support, state);
    support->answers = ANSWER_NEVER;
}

static const struct mupdate_row reserved = { MUPDATE_RESERVED, { "n", 1 }, { "l", 1 }, { "", 0 } };
static const struct mupdate_row absent = { MUPDATE_ABSENT, { "n", 1 }, { "", 0 }, { "", 0 } };

static void the_banner_says_what_there_is(void **state)
{
    static const char *const mechanisms[] = { "PLAIN", "SCRAM-SHA-256" };
    struct mupdate_server_banner banner = { mechanisms, 2, true, true, "h", "i", "v", "(master)" };
    struct mupdate_server *server = mupdate_server_new(NULL);

    (void)state;
    assert_non_null(server);
    mupdate_server_banner(server, &banner);
    assert_string_equal(output(server), "* AUTH \"PLAIN\" \"SCRAM-SHA-256\"\r\n"
                                        "* STARTTLS\r\n"
                                        "* COMPRESS \"DEFLATE\"\r\n"
                                        "* PARTIAL-UPDATE\r\n"
                                        "* OK MUPDATE \"h\" \"i\" \"v\" \"(master)\"\r\n");
    mupdate_server_banner(server, &banner);
    assert_string_equal(output(server), "");
    mupdate_server_free(server);

    server = mupdate_server_new(NULL);
    banner.mechanism_count = 0;
    banner.compress = false;
    banner.hostname = NULL;
    banner.role = "mupdate://\"m\"/";
    mupdate_server_banner(server, &banner);
    assert_string_equal(output(server),
                        "* AUTH\r\n* STARTTLS\r\n* PARTIAL-UPDATE\r\n"
                        "* OK MUPDATE \"\" \"i\" \"v\" \"mupdate://\\\"m\\\"/\"\r\n");
    mupdate_server_free(server);
}

static void nothing_is_taken_before_the_banner(void **state)
{
    struct server_support support;
    struct mupdate_server_event event;

    (void)state;
    server_support_open(&support, NULL);
    assert_int_equal(mupdate_server_input(support.server, "1 NOOP\r\n", 8), 0);
    assert_int_equal(mupdate_server_next(support.server, &event), MUPDATE_SERVER_BLOCKED);
    server_support_greet(&support);
    assert_int_equal(mupdate_server_input(support.server, "1 NOOP\r\n", 8), 8);
    server_support_close(&support);
}

static void replies_keep_the_order_of_the_commands(void **state)
{
    struct server_support support;

    (void)state;
    at(&support, MUPDATE_SERVER_STATE_AUTHENTICATED);
    feed(&support, "1 DELETE \"a\"\r\n2 DELETE \"b\"\r\n3 WHAT\r\n4 DELETE \"c\"\r\n"
                   "5 FIND \"d\"\r\n6 WHAT\r\n7 NOOP\r\n");
    assert_string_equal(server_support_events(&support), "DELETE(a)\nDELETE(b)\n");
    assert_int_equal(support.next, MUPDATE_SERVER_BLOCKED);
    assert_true(mupdate_server_no(support.server, "no"));
    server_support_turn(&support);
    assert_string_equal(server_support_events(&support), "DELETE(a)\nDELETE(b)\n");
    assert_true(mupdate_server_ok(support.server, "ok"));
    server_support_turn(&support);
    assert_string_equal(server_support_replies(&support), "1 NO\n2 OK\n3 BAD\n");
    assert_string_equal(server_support_events(&support), "DELETE(a)\nDELETE(b)\nDELETE(c)\n");
    assert_true(mupdate_server_bad(support.server, "bad"));
    server_support_turn(&support);
    assert_true(mupdate_server_ok(support.server, "ok"));
    server_support_turn(&support);
    assert_string_equal(server_support_events(&support),
                        "DELETE(a)\nDELETE(b)\nDELETE(c)\nFIND(d)\nNOOP\n");
    assert_string_equal(server_support_replies(&support),
                        "1 NO\n2 OK\n3 BAD\n4 BAD\n5 OK\n6 BAD\n");
    server_support_close(&support);
}

static void an_invitation_waits_for_older_replies(void **state)
{
    struct server_support support;

    (void)state;
    at(&support, MUPDATE_SERVER_STATE_AUTHENTICATED);
    feed(&support, "1 DELETE \"a\"\r\n2 DELETE {1}\r\n");
    assert_string_equal(server_support_replies(&support), "");
    assert_true(mupdate_server_ok(support.server, "ok"));
    server_support_turn(&support);
    assert_string_equal(server_support_replies(&support), "1 OK\n+ go ahead\n");
    feed(&support, "b\r\n");
    assert_string_equal(server_support_events(&support), "DELETE(a)\nDELETE(b)\n");
    server_support_close(&support);
}

static void find_takes_one_row_and_list_many_but_no_deletion(void **state)
{
    struct server_support support;

    (void)state;
    at(&support, MUPDATE_SERVER_STATE_AUTHENTICATED);
    assert_false(mupdate_server_row(support.server, &reserved));
    feed(&support, "f FIND \"n\"\r\n");
    assert_false(mupdate_server_row(support.server, &absent));
    assert_true(mupdate_server_row(support.server, &reserved));
    assert_false(mupdate_server_row(support.server, &reserved));
    assert_true(mupdate_server_ok(support.server, "ok"));
    assert_string_equal(output(support.server),
                        "f RESERVE {1+}\r\nn {1+}\r\nl\r\nf OK \"ok\"\r\n");
    feed(&support, "l LIST\r\n");
    assert_false(mupdate_server_row(support.server, &absent));
    assert_true(mupdate_server_row(support.server, &reserved));
    assert_true(mupdate_server_row(support.server, &reserved));
    assert_true(mupdate_server_ok(support.server, "ok"));
    feed(&support, "d DELETE \"n\"\r\n");
    assert_false(mupdate_server_row(support.server, &reserved));
    server_support_close(&support);
}

static void nothing_ends_a_dump_but_ok_or_silence(void **state)
{
    struct server_support support;
    static const char input[] = "1 WHAT\r\n\r\n2 FIND {99999999+}\r\n";

    (void)state;
    at(&support, MUPDATE_SERVER_STATE_DUMPING);
    feed(&support, input);
    assert_false(mupdate_server_no(support.server, "no"));
    assert_false(mupdate_server_bad(support.server, "bad"));
    assert_false(mupdate_server_authenticated(support.server, "ok"));
    assert_false(mupdate_server_challenge(support.server, "x", 1));
    assert_false(mupdate_server_row(support.server, &absent));
    assert_string_equal(output(support.server), "");
    assert_true(mupdate_server_row(support.server, &reserved));
    assert_string_equal(output(support.server), "U RESERVE {1+}\r\nn {1+}\r\nl\r\n");
    mupdate_server_bye(support.server, "shutting down");
    assert_string_equal(output(support.server), "");
    assert_int_equal(mupdate_server_state(support.server), MUPDATE_SERVER_STATE_CLOSED);
    assert_false(mupdate_server_row(support.server, &reserved));
    assert_false(mupdate_server_ok(support.server, "ok"));
    assert_string_equal(output(support.server), "");
    server_support_close(&support);
}

static void what_comes_in_a_dump_waits_for_its_ok(void **state)
{
    struct server_support support;

    (void)state;
    at(&support, MUPDATE_SERVER_STATE_DUMPING);
    feed(&support, "1 WHAT\r\n2 NOOP\r\n3 FIND \"a\"\r\n");
    assert_int_equal(support.next, MUPDATE_SERVER_BLOCKED);
    assert_string_equal(server_support_replies(&support), "");
    support.asked_count = 0;
    assert_true(mupdate_server_ok(support.server, "streaming"));
    assert_int_equal(mupdate_server_state(support.server), MUPDATE_SERVER_STATE_STREAMING);
    server_support_turn(&support);
    assert_string_equal(server_support_replies(&support), "U OK\n1 BAD\n");
    assert_string_equal(server_support_events(&support), "NOOP\n");
    assert_true(mupdate_server_ok(support.server, "ok"));
    server_support_turn(&support);
    assert_string_equal(server_support_replies(&support), "U OK\n1 BAD\n2 OK\n3 BAD\n");
    server_support_close(&support);
}

static void an_invitation_in_a_dump_waits_for_its_ok(void **state)
{
    struct server_support support;

    (void)state;
    at(&support, MUPDATE_SERVER_STATE_DUMPING);
    feed(&support, "1 NOOP {1}\r\n");
    assert_string_equal(server_support_replies(&support), "");
    server_support_close(&support);
}

static void a_stream_has_the_tag_of_its_update(void **state)
{
    struct server_support support;

    (void)state;
    at(&support, MUPDATE_SERVER_STATE_STREAMING);
    assert_true(mupdate_server_row(support.server, &absent));
    assert_string_equal(output(support.server), "U DELETE {1+}\r\nn\r\n");
    feed(&support, "N NOOP\r\n");
    assert_false(mupdate_server_no(support.server, "no"));
    assert_false(mupdate_server_bad(support.server, "bad"));
    assert_true(mupdate_server_row(support.server, &reserved));
    assert_true(mupdate_server_ok(support.server, "ok"));
    assert_string_equal(output(support.server),
                        "U RESERVE {1+}\r\nn {1+}\r\nl\r\nN OK \"ok\"\r\n");
    mupdate_server_bye(support.server, "bye");
    assert_string_equal(output(support.server), "* BYE \"bye\"\r\n");
    server_support_close(&support);
}

static void a_bye_is_said_only_where_it_is_no_answer(void **state)
{
    struct server_support support;

    (void)state;
    server_support_open(&support, NULL);
    mupdate_server_bye(support.server, "too many connections");
    assert_string_equal(output(support.server), "* BYE \"too many connections\"\r\n");
    mupdate_server_bye(support.server, "again");
    assert_string_equal(output(support.server), "");
    assert_int_equal(mupdate_server_input(support.server, "x", 1), 1);
    server_support_close(&support);

    at(&support, MUPDATE_SERVER_STATE_AUTHENTICATED);
    feed(&support, "1 DELETE \"a\"\r\n");
    mupdate_server_bye(support.server, "no");
    assert_string_equal(output(support.server), "");
    server_support_close(&support);

    at(&support, MUPDATE_SERVER_STATE_AUTHENTICATING);
    mupdate_server_bye(support.server, "no");
    assert_string_equal(output(support.server), "");
    server_support_close(&support);
}

static void starttls_forgets_what_came_in_the_clear_behind_it(void **state)
{
    struct server_support support;
    struct mupdate_server_banner banner = { .hostname = "h", .starttls = true, .compress = true };
    static const char rest[] = "2 LOGOUT\r\n3 FIND {5+}\r\nab";

    (void)state;
    at(&support, MUPDATE_SERVER_STATE_UNAUTHENTICATED);
    feed(&support, "1 STARTTLS\r\n");
    feed(&support, rest);
    assert_false(mupdate_server_authenticated(support.server, "ok"));
    assert_true(mupdate_server_ok(support.server, "begin"));
    assert_int_equal(mupdate_server_state(support.server), MUPDATE_SERVER_STATE_TLS);
    assert_int_equal(mupdate_server_input(support.server, "x", 1), 0);
    assert_int_equal(mupdate_server_discard_input(support.server), strlen(rest));
    support.asked_count = 0;
    server_support_turn(&support);
    assert_int_equal(support.next, MUPDATE_SERVER_BLOCKED);
    server_support_clear(&support);
    mupdate_server_banner(support.server, &banner);
    assert_string_equal(output(support.server), "* AUTH\r\n* COMPRESS \"DEFLATE\"\r\n"
                                                "* PARTIAL-UPDATE\r\n"
                                                "* OK MUPDATE \"h\" \"\" \"\" \"\"\r\n");
    feed(&support, "4 STARTTLS\r\n5 LOGOUT\r\n");
    assert_string_equal(server_support_events(&support), "LOGOUT\n");
    assert_string_equal(server_support_replies(&support), "4 NO\n5 BYE\n");
    server_support_close(&support);
}

static void the_banner_under_tls_drops_what_the_program_forgot_to(void **state)
{
    struct server_support support;
    struct mupdate_server_banner banner = { .hostname = "h" };

    (void)state;
    at(&support, MUPDATE_SERVER_STATE_UNAUTHENTICATED);
    feed(&support, "1 STARTTLS\r\n2 LOGOUT\r\n");
    assert_true(mupdate_server_ok(support.server, "begin"));
    mupdate_server_banner(support.server, &banner);
    server_support_turn(&support);
    assert_int_equal(support.next, MUPDATE_SERVER_WAIT);
    assert_string_equal(server_support_events(&support), "STARTTLS\n");
    server_support_close(&support);
}

static void tls_may_come_first_and_the_banner_behind_it(void **state)
{
    struct server_support support;
    struct mupdate_server_banner banner = { .hostname = "h", .starttls = true };

    (void)state;
    server_support_open(&support, NULL);
    assert_true(mupdate_server_start_tls(support.server));
    assert_false(mupdate_server_start_tls(support.server));
    assert_int_equal(mupdate_server_state(support.server), MUPDATE_SERVER_STATE_TLS);
    assert_int_equal(mupdate_server_input(support.server, "x", 1), 0);
    server_support_turn(&support);
    assert_int_equal(support.next, MUPDATE_SERVER_BLOCKED);
    server_support_clear(&support);
    mupdate_server_banner(support.server, &banner);
    assert_string_equal(output(support.server), "* AUTH\r\n* PARTIAL-UPDATE\r\n"
                                                "* OK MUPDATE \"h\" \"\" \"\" \"\"\r\n");
    feed(&support, "1 STARTTLS\r\n2 LOGOUT\r\n");
    assert_string_equal(server_support_replies(&support), "1 NO\n2 BYE\n");
    server_support_close(&support);
}

static void tls_does_not_come_first_behind_a_banner(void **state)
{
    struct server_support support;

    (void)state;
    at(&support, MUPDATE_SERVER_STATE_UNAUTHENTICATED);
    assert_false(mupdate_server_start_tls(support.server));
    assert_int_equal(mupdate_server_state(support.server), MUPDATE_SERVER_STATE_UNAUTHENTICATED);
    server_support_close(&support);
}

static void nothing_is_said_before_the_tls_that_comes_first(void **state)
{
    struct server_support support;

    (void)state;
    server_support_open(&support, NULL);
    assert_true(mupdate_server_start_tls(support.server));
    mupdate_server_bye(support.server, "too many");
    assert_string_equal(output(support.server), "");
    assert_int_equal(mupdate_server_state(support.server), MUPDATE_SERVER_STATE_CLOSED);
    server_support_close(&support);
}

static void starttls_refused_leaves_the_session_as_it_was(void **state)
{
    struct server_support support;

    (void)state;
    at(&support, MUPDATE_SERVER_STATE_UNAUTHENTICATED);
    feed(&support, "1 STARTTLS\r\n");
    assert_true(mupdate_server_no(support.server, "no"));
    support.asked_count = 0;
    feed(&support, "2 STARTTLS\r\n");
    assert_string_equal(server_support_events(&support), "STARTTLS\nSTARTTLS\n");
    server_support_close(&support);
}

static void what_the_banner_does_not_offer_is_not_there(void **state)
{
    struct server_support support;
    struct mupdate_server_banner banner = { .hostname = "h" };

    (void)state;
    server_support_open(&support, NULL);
    mupdate_server_banner(support.server, &banner);
    server_support_turn(&support);
    server_support_clear(&support);
    feed(&support, "1 STARTTLS\r\n2 AUTHENTICATE X\r\n");
    feed(&support, "3 COMPRESS DEFLATE\r\n");
    assert_string_equal(server_support_events(&support), "AUTHENTICATE(X)\n");
    assert_string_equal(server_support_replies(&support), "1 BAD\n2 OK\n3 NO\n");
    server_support_close(&support);
}

static void compression_starts_once(void **state)
{
    struct server_support support;

    (void)state;
    at(&support, MUPDATE_SERVER_STATE_AUTHENTICATED);
    feed(&support, "1 COMPRESS DEFLATE\r\n");
    assert_true(mupdate_server_no(support.server, "not now"));
    feed(&support, "2 COMPRESS DEFLATE\r\n");
    assert_true(mupdate_server_ok(support.server, "go"));
    feed(&support, "3 COMPRESS DEFLATE\r\n");
    assert_string_equal(server_support_events(&support), "COMPRESS\nCOMPRESS\n");
    assert_string_equal(server_support_replies(&support), "1 NO\n2 OK\n3 NO\n");
    server_support_close(&support);
}

static void an_authentication_takes_turns(void **state)
{
    struct server_support support;
    struct mupdate_server *server;

    (void)state;
    at(&support, MUPDATE_SERVER_STATE_UNAUTHENTICATED);
    server = support.server;
    assert_false(mupdate_server_challenge(server, "x", 1));
    assert_false(mupdate_server_authenticated(server, "x"));
    feed(&support, "1 AUTHENTICATE X\r\nAAAA\r\n");
    assert_string_equal(server_support_events(&support), "AUTHENTICATE(X)\n");
    assert_int_equal(support.next, MUPDATE_SERVER_BLOCKED);
    assert_false(mupdate_server_ok(server, "x"));
    assert_true(mupdate_server_challenge(server, "", 0));
    assert_false(mupdate_server_challenge(server, "", 0));
    assert_false(mupdate_server_authenticated(server, "x"));
    assert_false(mupdate_server_no(server, "x"));
    assert_string_equal(output(server), "\r\n");
    server_support_turn(&support);
    assert_string_equal(server_support_events(&support),
                        "AUTHENTICATE(X)\nRESPONSE(\\00\\00\\00)\n");
    assert_true(mupdate_server_no(server, "denied"));
    assert_int_equal(mupdate_server_state(server), MUPDATE_SERVER_STATE_UNAUTHENTICATED);
    assert_int_equal(mupdate_server_unanswered(server), 0);
    support.asked_count = 0;
    feed(&support, "2 AUTHENTICATE X\r\n");
    assert_true(mupdate_server_authenticated(server, "ok"));
    assert_int_equal(mupdate_server_state(server), MUPDATE_SERVER_STATE_AUTHENTICATED);
    server_support_close(&support);
}

static void logout_ends_the_session_behind_its_bye(void **state)
{
    struct server_support support;

    (void)state;
    at(&support, MUPDATE_SERVER_STATE_AUTHENTICATED);
    feed(&support, "1 LOGOUT\r\n2 NOOP\r\n");
    assert_string_equal(server_support_events(&support), "LOGOUT\n");
    assert_string_equal(server_support_replies(&support), "1 BYE\n");
    assert_int_equal(support.next, MUPDATE_SERVER_CLOSED);
    server_support_close(&support);
}

static void discarded_input_may_end_within_anything(void **state)
{
    static const char *const parts[] = {
        "1 FI", "1 FIND {10+}\r\nabc", "1 FIND ( x", "1 WHAT {100+}\r\nabc", "1 FIND {3}\r\n",
    };
    struct server_support support;

    (void)state;
    for (size_t i = 0; i < sizeof parts / sizeof parts[0]; i++) {
        at(&support, MUPDATE_SERVER_STATE_AUTHENTICATED);
        feed(&support, parts[i]);
        mupdate_server_discard_input(support.server);
        assert_int_equal(mupdate_server_discard_input(support.server), 0);
        server_support_clear(&support);
        feed(&support, "2 NOOP\r\n");
        assert_string_equal(server_support_events(&support), "NOOP\n");
        server_support_close(&support);
    }
}

static void texts_of_an_event_stay_while_it_is_answered(void **state)
{
    struct server_support support;
    struct mupdate_server_event event;
    struct mupdate_row row = { 0 };
    static const char input[] = "1 FIND \"a\\\"b\"\r\n2 NO";

    (void)state;
    at(&support, MUPDATE_SERVER_STATE_AUTHENTICATED);
    assert_int_equal(mupdate_server_input(support.server, input, strlen(input)), strlen(input));
    assert_int_equal(mupdate_server_next(support.server, &event), MUPDATE_SERVER_EVENT);
    row.state = MUPDATE_RESERVED;
    row.name = event.row.name;
    assert_true(mupdate_server_row(support.server, &row));
    assert_true(mupdate_server_ok(support.server, "ok"));
    assert_string_equal(output(support.server),
                        "1 RESERVE {3+}\r\na\"b {0+}\r\n\r\n1 OK \"ok\"\r\n");
    assert_memory_equal(event.row.name.data, "a\"b", 3);
    server_support_close(&support);
}

static void expect_the_same_apart(struct mupdate_server *server, const struct mupdate_row *row)
{
    uint8_t apart[128];
    const uint8_t *said;
    struct mupdate_text tag = mupdate_server_rows_tag(server);
    size_t len = mupdate_server_encode_row(tag, row, NULL, 0);

    assert_true(len > 0 && len < sizeof apart);
    memset(apart, '#', sizeof apart);
    assert_int_equal(mupdate_server_encode_row(tag, row, apart, len - 1), len);
    assert_int_equal(apart[0], '#');
    assert_int_equal(mupdate_server_encode_row(tag, row, apart, sizeof apart), len);
    assert_int_equal(apart[len], '#');
    assert_true(mupdate_server_row(server, row));
    assert_int_equal(mupdate_server_output(server, &said), len);
    assert_memory_equal(said, apart, len);
    assert_true(mupdate_server_rows(server, apart, len));
    assert_int_equal(mupdate_server_output(server, &said), 2 * len);
    assert_memory_equal(said + len, apart, len);
    mupdate_server_sent(server, 2 * len);
}

static void rows_encoded_apart_are_those_that_the_session_would_say(void **state)
{
    static const struct mupdate_row rows[] = {
        { MUPDATE_ACTIVE, { "user.a", 6 }, { "s!p", 3 }, { "anna\tlrs\t", 9 } },
        { MUPDATE_ACTIVE, { "0123456789", 10 }, { "", 0 }, { "", 0 } },
        { MUPDATE_RESERVED, { "n", 1 }, { "l", 1 }, { "", 0 } },
    };
    struct server_support support;

    (void)state;
    at(&support, MUPDATE_SERVER_STATE_DUMPING);
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        expect_the_same_apart(support.server, &rows[i]);
    server_support_close(&support);
    at(&support, MUPDATE_SERVER_STATE_STREAMING);
    output(support.server);
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        expect_the_same_apart(support.server, &rows[i]);
    expect_the_same_apart(support.server, &absent);
    server_support_close(&support);
}

static void rows_encoded_apart_are_taken_only_where_rows_belong(void **state)
{
    struct server_support support;
    const uint8_t *said;

    (void)state;
    at(&support, MUPDATE_SERVER_STATE_AUTHENTICATED);
    mupdate_server_sent(support.server, mupdate_server_output(support.server, &said));
    assert_false(mupdate_server_rows(support.server, "U DELETE {1+}\r\nn\r\n", 20));
    assert_int_equal(mupdate_server_output(support.server, &said), 0);
    server_support_close(&support);
}

static void rows_have_a_tag_in_a_list_a_dump_and_a_stream(void **state)
{
    struct server_support support;
    struct mupdate_text tag;

    (void)state;
    at(&support, MUPDATE_SERVER_STATE_AUTHENTICATED);
    assert_int_equal(mupdate_server_rows_tag(support.server).len, 0);
    feed(&support, "F FIND \"n\"\r\nL01 LIST\r\nU01 UPDATE\r\n");
    assert_int_equal(mupdate_server_rows_tag(support.server).len, 0);
    mupdate_server_ok(support.server, "");
    server_support_turn(&support);
    tag = mupdate_server_rows_tag(support.server);
    assert_int_equal(tag.len, 3);
    assert_memory_equal(tag.data, "L01", 3);
    mupdate_server_ok(support.server, "");
    server_support_turn(&support);
    tag = mupdate_server_rows_tag(support.server);
    assert_int_equal(tag.len, 3);
    assert_memory_equal(tag.data, "U01", 3);
    mupdate_server_ok(support.server, "");
    tag = mupdate_server_rows_tag(support.server);
    assert_int_equal(tag.len, 3);
    assert_memory_equal(tag.data, "U01", 3);
    server_support_close(&support);

    at(&support, MUPDATE_SERVER_STATE_DUMPING);
    mupdate_server_bye(support.server, "");
    assert_int_equal(mupdate_server_rows_tag(support.server).len, 0);
    server_support_close(&support);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_banner_says_what_there_is),
        cmocka_unit_test(nothing_is_taken_before_the_banner),
        cmocka_unit_test(replies_keep_the_order_of_the_commands),
        cmocka_unit_test(an_invitation_waits_for_older_replies),
        cmocka_unit_test(find_takes_one_row_and_list_many_but_no_deletion),
        cmocka_unit_test(nothing_ends_a_dump_but_ok_or_silence),
        cmocka_unit_test(what_comes_in_a_dump_waits_for_its_ok),
        cmocka_unit_test(an_invitation_in_a_dump_waits_for_its_ok),
        cmocka_unit_test(a_stream_has_the_tag_of_its_update),
        cmocka_unit_test(a_bye_is_said_only_where_it_is_no_answer),
        cmocka_unit_test(starttls_forgets_what_came_in_the_clear_behind_it),
        cmocka_unit_test(the_banner_under_tls_drops_what_the_program_forgot_to),
        cmocka_unit_test(tls_may_come_first_and_the_banner_behind_it),
        cmocka_unit_test(tls_does_not_come_first_behind_a_banner),
        cmocka_unit_test(nothing_is_said_before_the_tls_that_comes_first),
        cmocka_unit_test(starttls_refused_leaves_the_session_as_it_was),
        cmocka_unit_test(what_the_banner_does_not_offer_is_not_there),
        cmocka_unit_test(compression_starts_once),
        cmocka_unit_test(an_authentication_takes_turns),
        cmocka_unit_test(logout_ends_the_session_behind_its_bye),
        cmocka_unit_test(discarded_input_may_end_within_anything),
        cmocka_unit_test(texts_of_an_event_stay_while_it_is_answered),
        cmocka_unit_test(rows_encoded_apart_are_those_that_the_session_would_say),
        cmocka_unit_test(rows_encoded_apart_are_taken_only_where_rows_belong),
        cmocka_unit_test(rows_have_a_tag_in_a_list_a_dump_and_a_stream),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
