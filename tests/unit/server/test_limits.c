/* SPDX-License-Identifier: BSD-3-Clause */
#include "server_support.h"

#include "server/session.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define GOOD "Z1 NOOP\r\nZ2 FIND {1+}\r\nx\r\n"
#define GOOD_EVENTS "NOOP\nFIND(x)\n"
#define GOOD_REPLIES "Z1 OK\nZ2 OK\n"

static const enum server_support_split splits[] = { SPLIT_WHOLE, SPLIT_OCTETS, SPLIT_RANDOM };

/* Append a string of `len` octets between two texts. */
static void append_run(struct buffer *to, const char *before, char octet, size_t len,
                       const char *after)
{
    uint8_t *run;

    buffer_append_string(to, before);
    run = buffer_reserve(to, len);
    assert_non_null(run);
    memset(run, octet, len);
    buffer_added(to, len);
    buffer_append_string(to, after);
}

static size_t memory_of(const struct mupdate_server *server)
{
    return server->input.size + server->output.size + server->tags.size;
}

/* Feed the input and what follows it; the first reply is as told, then the good ones. */
static void expect(const struct mupdate_server_limits *limits, enum mupdate_server_state at,
                   const struct buffer *input, const char *events, const char *replies)
{
    for (size_t i = 0; i < sizeof splits / sizeof splits[0]; i++) {
        struct server_support support;
        char all[4096];

        server_support_open(&support, limits);
        server_support_reach(&support, at);
        assert_int_equal(server_support_feed(&support, buffer_bytes(input), buffer_len(input),
                                             splits[i]),
                         buffer_len(input));
        server_support_feed(&support, GOOD, strlen(GOOD), splits[i]);
        if (events) {
            snprintf(all, sizeof all, "%s%s", events, GOOD_EVENTS);
            assert_string_equal(server_support_events(&support), all);
        }
        snprintf(all, sizeof all, "%s%s", replies, GOOD_REPLIES);
        assert_string_equal(server_support_replies(&support), all);
        assert_true(memory_of(support.server) < 1048576);
        server_support_close(&support);
    }
}

static void expect_authenticated(struct buffer *input, const char *events, const char *replies)
{
    expect(NULL, MUPDATE_SERVER_STATE_AUTHENTICATED, input, events, replies);
    buffer_free(input);
}

static void a_tag_has_64_octets_and_not_65(void **state)
{
    struct buffer input = { 0 };
    char reply[80];

    (void)state;
    append_run(&input, "", 't', 64, " NOOP\r\n");
    memset(reply, 't', 64);
    snprintf(reply + 64, 16, " OK\n");
    expect_authenticated(&input, "NOOP\n", reply);
    append_run(&input, "", 't', 65, " NOOP\r\n");
    expect_authenticated(&input, "", "* BAD\n");
    append_run(&input, "", 't', 65, " FIND {5+}\r\nabcde {1+}\r\nx\r\n");
    expect_authenticated(&input, "", "* BAD\n");
}

static void a_line_has_8192_octets_with_its_end_and_not_8193(void **state)
{
    struct buffer input = { 0 };
    static const char find[] = "1 FIND \"";

    (void)state;
    append_run(&input, find, 'n', 8192 - strlen(find) - 3, "\"\r\n");
    assert_int_equal(buffer_len(&input), 8192);
    expect_authenticated(&input, NULL, "1 OK\n");
    append_run(&input, find, 'n', 8192 - strlen(find) - 2, "\"\n");
    assert_int_equal(buffer_len(&input), 8192);
    expect_authenticated(&input, NULL, "1 OK\n");
    append_run(&input, find, 'n', 8193 - strlen(find) - 3, "\"\r\n");
    expect_authenticated(&input, "", "1 BAD\n");
    append_run(&input, find, 'n', 8193 - strlen(find) - 2, "\"\n");
    expect_authenticated(&input, "", "1 BAD\n");
}

static void each_line_of_a_command_may_be_that_long(void **state)
{
    struct buffer input = { 0 };

    (void)state;
    append_run(&input, "1 ACTIVATE \"", 'n', 8100, "\" {1+}\r\n");
    append_run(&input, "b \"", 'c', 8185, "\"\r\n");
    expect_authenticated(&input, NULL, "1 OK\n");
    append_run(&input, "1 ACTIVATE \"", 'n', 8100, "\" {1+}\r\n");
    append_run(&input, "b \"", 'c', 8188, "\"\r\n");
    expect_authenticated(&input, "", "1 BAD\n");
}

static void an_endless_line_is_answered_once_and_not_kept(void **state)
{
    static const struct {
        const char *start;
        const char *end;
        const char *replies;
    } cases[] = {
        { "", "\r\n", "* BAD\n" },
        { "1 ", "\n", "1 BAD\n" },
        { "1 NOOP ", "\r\n", "1 BAD\n" },
        { "1 FIND \"", "\"\r\n", "1 BAD\n" },
        { "1 FIND \"", "\" {10+}\r\n0 NOOP\r\n\r\n\r\n", "1 BAD\n" },
        { "1 FIND ", " {4+}\r\nabcd {3+}\r\n\r\n\n \"x\"\r\n", "1 BAD\n" },
        { "1 FIND \"", " {10+}\r\n", "1 BAD\n" },
        { "1 FIND \"", "\" {10}\r\n", "1 BAD\n" },
        { "1 FIND {3+}\r\nabc", "\r\n", "1 BAD\n" },
        { "1 FIND {3+}\r\nabc \"", "\" {4+}\r\n\r\n\r\n\r\n", "1 BAD\n" },
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        for (size_t len = 8170; len < 8200; len++) {
            struct buffer input = { 0 };

            if (strlen(cases[i].start) + len < 8192 + 13)
                continue;
            append_run(&input, cases[i].start, 'x', len, cases[i].end);
            expect_authenticated(&input, "", cases[i].replies);
        }
        {
            struct buffer input = { 0 };

            append_run(&input, cases[i].start, 'x', 300000, cases[i].end);
            expect_authenticated(&input, "", cases[i].replies);
        }
    }
}

static void the_reply_to_a_long_line_does_not_wait_for_its_end(void **state)
{
    struct server_support support;
    struct buffer input = { 0 };

    (void)state;
    append_run(&input, "1 FIND \"", 'x', 8192, "");
    server_support_open(&support, NULL);
    server_support_reach(&support, MUPDATE_SERVER_STATE_AUTHENTICATED);
    server_support_feed(&support, buffer_bytes(&input), 8191, SPLIT_WHOLE);
    assert_string_equal(server_support_replies(&support), "");
    server_support_feed(&support, "x", 1, SPLIT_WHOLE);
    assert_string_equal(server_support_replies(&support), "1 BAD\n");
    server_support_close(&support);
    buffer_free(&input);
}

static void a_literal_has_131072_octets_and_not_131073(void **state)
{
    static const char *const announcements[] = { "+", "" };
    struct buffer input = { 0 };

    (void)state;
    for (size_t i = 0; i < 2; i++) {
        char start[64];

        snprintf(start, sizeof start, "1 FIND {131072%s}\r\n", announcements[i]);
        append_run(&input, start, '\n', 131072, "\r\n");
        expect_authenticated(&input, NULL, i == 0 ? "1 OK\n" : "+ go ahead\n1 OK\n");
    }
    append_run(&input, "1 FIND {131073+}\r\n", '\n', 131073, "\r\n");
    expect_authenticated(&input, "", "1 BAD\n");
    append_run(&input, "1 FIND {131073}\r\n", '\n', 0, "");
    expect_authenticated(&input, "", "1 BAD\n");
    append_run(&input, "1 ACTIVATE {2000000+}\r\n", '\n', 2000000, " {3+}\r\n\r\n\n {131073+}\r\n");
    append_run(&input, "", '\r', 131073, "\r\n");
    expect_authenticated(&input, "", "1 BAD\n");
}

static void three_literals_of_full_size_make_a_row(void **state)
{
    struct buffer input = { 0 };

    (void)state;
    append_run(&input, "1 ACTIVATE {131072+}\r\n", 'n', 131072, " {131072+}\r\n");
    append_run(&input, "", 'l', 131072, " {131072+}\r\n");
    append_run(&input, "", 'a', 131072, "\r\n");
    expect_authenticated(&input, NULL, "1 OK\n");
}

static void huge_literals_are_refused_at_once_and_skipped_exactly(void **state)
{
    static const char *const counts[] = { "4294967296", "4294967301", "9223372036854775813",
                                          "18446744073709551615" };
    static const char flood[] = "5 NOOP\r\n6 LOGOUT\r\n";

    (void)state;
    for (size_t i = 0; i < sizeof counts / sizeof counts[0]; i++) {
        struct server_support support;
        char start[64];

        snprintf(start, sizeof start, "1 FIND {%s+}\r\n", counts[i]);
        server_support_open(&support, NULL);
        server_support_reach(&support, MUPDATE_SERVER_STATE_AUTHENTICATED);
        server_support_feed(&support, start, strlen(start), SPLIT_WHOLE);
        assert_string_equal(server_support_replies(&support), "1 BAD\n");
        for (int n = 0; n < 3000; n++)
            server_support_feed(&support, flood, strlen(flood), SPLIT_WHOLE);
        assert_string_equal(server_support_events(&support), "");
        assert_string_equal(server_support_replies(&support), "1 BAD\n");
        assert_int_equal(support.next, MUPDATE_SERVER_WAIT);
        assert_true(memory_of(support.server) < 65536);
        server_support_close(&support);
    }
}

static void octets_that_cannot_be_counted_end_the_session(void **state)
{
    static const char *const lines[] = {
        "1 FIND {18446744073709551616+}\r\n",
        "1 FIND {99999999999999999999999999999999+}\r\n",
        "1 FIND {000000000000000000001+}\r\n",
        "1 WHAT {18446744073709551616+}\r\n",
        "1 FIND ( {18446744073709551616+}\r\n",
        "1 FIND {131073+}\r\n",
    };

    (void)state;
    for (size_t i = 0; i < sizeof lines / sizeof lines[0]; i++) {
        for (size_t n = 0; n < sizeof splits / sizeof splits[0]; n++) {
            struct server_support support;

            server_support_open(&support, NULL);
            server_support_reach(&support, MUPDATE_SERVER_STATE_AUTHENTICATED);
            server_support_feed(&support, lines[i], strlen(lines[i]), splits[n]);
            if (i == 5) { /* the uncountable one comes behind a skipped literal */
                struct buffer rest = { 0 };

                append_run(&rest, "", 'x', 131073, " {18446744073709551616+}\r\n");
                server_support_feed(&support, buffer_bytes(&rest), buffer_len(&rest), splits[n]);
                buffer_free(&rest);
            }
            server_support_feed(&support, GOOD, strlen(GOOD), splits[n]);
            assert_string_equal(server_support_events(&support), "");
            assert_string_equal(server_support_replies(&support), "1 BAD\n");
            assert_int_equal(support.next, MUPDATE_SERVER_CLOSED);
            server_support_close(&support);
        }
    }
}

static void update_names_64_servers_and_not_65(void **state)
{
    struct buffer input = { 0 };
    struct server_support support;

    (void)state;
    buffer_append_string(&input, "1 UPDATE");
    for (int i = 0; i < 64; i++)
        buffer_append_string(&input, " \"host\"");
    buffer_append_string(&input, "\r\n");
    server_support_open(&support, NULL);
    server_support_reach(&support, MUPDATE_SERVER_STATE_AUTHENTICATED);
    server_support_feed(&support, buffer_bytes(&input), buffer_len(&input), SPLIT_WHOLE);
    assert_string_equal(server_support_replies(&support), "1 OK\n");
    server_support_close(&support);

    input.end -= 2;
    buffer_append_string(&input, " \"host\"\r\n");
    expect_authenticated(&input, "", "1 BAD\n");
    buffer_append_string(&input, "1 UPDATE");
    for (int i = 0; i < 65; i++)
        buffer_append_string(&input, " {4+}\r\nhost");
    buffer_append_string(&input, "\r\n");
    expect_authenticated(&input, "", "1 BAD\n");
}

static void the_servers_of_an_update_are_bounded_together(void **state)
{
    struct buffer input = { 0 };

    (void)state;
    buffer_append_string(&input, "1 UPDATE");
    for (int i = 0; i < 10; i++)
        append_run(&input, " {100000+}\r\n", 'h', 100000, "");
    buffer_append_string(&input, "\r\n");
    expect_authenticated(&input, "", "1 BAD\n");
}

static void as_many_changes_as_allowed_are_handed_out_unanswered(void **state)
{
    struct mupdate_server_limits limits;
    struct server_support support;

    (void)state;
    mupdate_server_limits_default(&limits);
    limits.commands_in_flight = 3;
    server_support_open(&support, &limits);
    server_support_reach(&support, MUPDATE_SERVER_STATE_AUTHENTICATED);
    support.answers = ANSWER_NEVER;
    for (int i = 0; i < 5; i++)
        server_support_feed(&support, "1 DELETE \"a\"\r\n", 14, SPLIT_WHOLE);
    assert_string_equal(server_support_events(&support), "DELETE(a)\nDELETE(a)\nDELETE(a)\n");
    assert_int_equal(support.next, MUPDATE_SERVER_BLOCKED);
    assert_int_equal(mupdate_server_unanswered(support.server), 3);
    server_support_answer(&support);
    server_support_turn(&support);
    assert_string_equal(server_support_events(&support),
                        "DELETE(a)\nDELETE(a)\nDELETE(a)\nDELETE(a)\n");
    server_support_close(&support);
}

static void no_command_is_taken_while_much_output_waits(void **state)
{
    struct mupdate_server_limits limits;
    struct mupdate_server_event event;
    struct mupdate_server *server;
    struct server_support support;
    const uint8_t *data;
    static const char wrong[] = "1 WHAT\r\n";

    (void)state;
    mupdate_server_limits_default(&limits);
    limits.output_bytes = 100;
    server_support_open(&support, &limits);
    server_support_reach(&support, MUPDATE_SERVER_STATE_AUTHENTICATED);
    server = support.server;
    for (int i = 0; i < 100; i++)
        assert_int_equal(mupdate_server_input(server, wrong, strlen(wrong)), strlen(wrong));
    assert_int_equal(mupdate_server_next(server, &event), MUPDATE_SERVER_BLOCKED);
    assert_true(mupdate_server_output(server, &data) >= 100);
    assert_true(mupdate_server_output(server, &data) < 200);
    for (int i = 0; i < 100; i++) {
        mupdate_server_sent(server, mupdate_server_output(server, &data));
        if (mupdate_server_next(server, &event) == MUPDATE_SERVER_WAIT)
            break;
    }
    assert_int_equal(mupdate_server_next(server, &event), MUPDATE_SERVER_WAIT);
    server_support_close(&support);
}

static void a_blocked_session_holds_a_bounded_amount_of_input(void **state)
{
    struct server_support support;
    struct buffer input = { 0 };
    size_t taken;

    (void)state;
    append_run(&input, "1 FIND \"a\"\r\n", 'x', 500000, "");
    server_support_open(&support, NULL);
    server_support_reach(&support, MUPDATE_SERVER_STATE_AUTHENTICATED);
    support.answers = ANSWER_NEVER;
    taken = server_support_feed(&support, buffer_bytes(&input), buffer_len(&input), SPLIT_WHOLE);
    assert_true(taken < 200000);
    assert_int_equal(mupdate_server_input(support.server, "x", 1), 0);
    assert_int_equal(support.next, MUPDATE_SERVER_BLOCKED);
    assert_true(memory_of(support.server) < 300000);
    server_support_answer(&support);
    server_support_turn(&support);
    assert_int_equal(mupdate_server_input(support.server, "x", 1), 1);
    server_support_close(&support);
    buffer_free(&input);
}

static void a_line_of_an_authentication_has_65536_octets_and_not_one_more(void **state)
{
    struct buffer input = { 0 };

    (void)state;
    append_run(&input, "", 'A', 65532, "\r\n");
    input.end -= 2;
    buffer_append_string(&input, "\r\n");
    assert_int_equal(buffer_len(&input), 65534);
    for (int i = 0; i < 2; i++) {
        struct server_support support;

        server_support_open(&support, NULL);
        server_support_reach(&support, MUPDATE_SERVER_STATE_AUTHENTICATING);
        server_support_feed(&support, buffer_bytes(&input), buffer_len(&input), splits[i]);
        assert_string_equal(server_support_replies(&support), "A OK\n");
        server_support_close(&support);
    }
    buffer_free(&input);

    /* A multiple of four behind the limit, and what looks like a literal behind it. */
    append_run(&input, "", 'A', 65536, "\r\n");
    append_run(&input, "", 'x', 0, "1 AUTHENTICATE PLAIN \"\"\r\n");
    expect(NULL, MUPDATE_SERVER_STATE_AUTHENTICATING, &input,
           "CANCELLED\nAUTHENTICATE(PLAIN,)\n", "A BAD\n1 OK\n");
    buffer_free(&input);
    append_run(&input, "", 'A', 1000000, " {1000+}\r\n1 AUTHENTICATE PLAIN \"\"\r\n");
    expect(NULL, MUPDATE_SERVER_STATE_AUTHENTICATING, &input,
           "CANCELLED\nAUTHENTICATE(PLAIN,)\n", "A BAD\n1 OK\n");
    buffer_free(&input);
}

static void before_authentication_only_its_own_literals_are_stored(void **state)
{
    struct buffer input = { 0 };

    (void)state;
    append_run(&input, "1 AUTHENTICATE PLAIN {65536+}\r\n", 'A', 65536, "\r\n");
    expect(NULL, MUPDATE_SERVER_STATE_UNAUTHENTICATED, &input, NULL, "1 OK\n");
    buffer_free(&input);
    append_run(&input, "1 AUTHENTICATE PLAIN {65540+}\r\n", 'A', 65540,
               "\r\n2 AUTHENTICATE PLAIN \"\"\r\n");
    expect(NULL, MUPDATE_SERVER_STATE_UNAUTHENTICATED, &input, "AUTHENTICATE(PLAIN,)\n",
           "1 BAD\n2 OK\n");
    buffer_free(&input);
    append_run(&input, "1 FIND {100000+}\r\n", 'A', 100000, "\r\n2 AUTHENTICATE PLAIN \"\"\r\n");
    expect(NULL, MUPDATE_SERVER_STATE_UNAUTHENTICATED, &input, "AUTHENTICATE(PLAIN,)\n",
           "1 NO\n2 OK\n");
    buffer_free(&input);
}

static void before_authentication_generous_limits_of_lines_and_output_do_not_hold(void **state)
{
    struct mupdate_server_limits generous;
    struct buffer input = { 0 };

    (void)state;
    mupdate_server_limits_default(&generous);
    generous.line_bytes = generous.literal_bytes = generous.output_bytes = 16777216;
    append_run(&input, "1234 AUTHENTICATE PLAIN \"", 'A', 8192 - 28, "\"\r\n");
    expect(&generous, MUPDATE_SERVER_STATE_UNAUTHENTICATED, &input, NULL, "1234 OK\n");
    buffer_free(&input);
    append_run(&input, "12345 AUTHENTICATE PLAIN \"", 'A', 8192 - 28, "\"\r\n");
    append_run(&input, "", 'x', 0, "2 AUTHENTICATE PLAIN \"\"\r\n");
    expect(&generous, MUPDATE_SERVER_STATE_UNAUTHENTICATED, &input, "AUTHENTICATE(PLAIN,)\n",
           "12345 BAD\n2 OK\n");
    buffer_free(&input);
    append_run(&input, "1 AUTHENTICATE {65+}\r\n", 'A', 65,
               "\r\n2 AUTHENTICATE PLAIN \"\"\r\n");
    expect(&generous, MUPDATE_SERVER_STATE_UNAUTHENTICATED, &input, "AUTHENTICATE(PLAIN,)\n",
           "1 BAD\n2 OK\n");
    buffer_free(&input);
}

static void a_stranger_who_asks_for_all_he_can_costs_bounded_memory(void **state)
{
    /* A whole initial response but its last octet; and replies that nobody reads. */
    struct buffer endless = { 0 };
    struct buffer unread = { 0 };
    const struct buffer *inputs[] = { &endless, &unread };

    (void)state;
    append_run(&endless, "1 AUTHENTICATE PLAIN {65536+}\r\n", 'A', 65535, "");
    for (int i = 0; i < 10000; i++)
        buffer_append_string(&unread, "1 NOOP\r\n");
    for (size_t i = 0; i < 2; i++) {
        struct mupdate_server *server = mupdate_server_new(NULL);
        struct mupdate_server_banner banner = { .hostname = "h" };
        struct mupdate_server_event event;
        const uint8_t *at = buffer_bytes(inputs[i]);
        size_t left = buffer_len(inputs[i]);
        size_t taken;

        assert_non_null(server);
        mupdate_server_banner(server, &banner);
        do {
            taken = mupdate_server_input(server, at, left);
            at += taken;
            left -= taken;
            assert_int_not_equal(mupdate_server_next(server, &event), MUPDATE_SERVER_EVENT);
        } while (taken > 0);
        assert_true(i == 0 ? left == 0 : left > 0);
        assert_true(memory_of(server) <= 131072 + 3 * 8192);
        mupdate_server_free(server);
    }
    buffer_free(&endless);
    buffer_free(&unread);
}

static void limits_below_what_the_protocol_needs_are_raised(void **state)
{
    struct mupdate_server_limits none = { 0 };
    struct buffer input = { 0 };

    (void)state;
    append_run(&input, "1 FIND \"", 'n', 1024 - 11, "\"\r\n");
    append_run(&input, "1 FIND {4096+}\r\n", 'n', 4096, "\r\n");
    append_run(&input, "1 AUTHENTICATE \"", 'n', 5, "\"\r\n");
    for (size_t i = 0; i < sizeof splits / sizeof splits[0]; i++) {
        struct server_support support;

        server_support_open(&support, &none);
        server_support_greet(&support);
        server_support_feed(&support, "1 AUTHENTICATE PLAIN\r\n", 22, splits[i]);
        server_support_feed(&support, buffer_bytes(&input), buffer_len(&input), splits[i]);
        assert_string_equal(server_support_replies(&support), "1 OK\n1 OK\n1 OK\n1 BAD\n");
        server_support_close(&support);
    }
    buffer_free(&input);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_tag_has_64_octets_and_not_65),
        cmocka_unit_test(a_line_has_8192_octets_with_its_end_and_not_8193),
        cmocka_unit_test(each_line_of_a_command_may_be_that_long),
        cmocka_unit_test(an_endless_line_is_answered_once_and_not_kept),
        cmocka_unit_test(the_reply_to_a_long_line_does_not_wait_for_its_end),
        cmocka_unit_test(a_literal_has_131072_octets_and_not_131073),
        cmocka_unit_test(three_literals_of_full_size_make_a_row),
        cmocka_unit_test(huge_literals_are_refused_at_once_and_skipped_exactly),
        cmocka_unit_test(octets_that_cannot_be_counted_end_the_session),
        cmocka_unit_test(update_names_64_servers_and_not_65),
        cmocka_unit_test(the_servers_of_an_update_are_bounded_together),
        cmocka_unit_test(as_many_changes_as_allowed_are_handed_out_unanswered),
        cmocka_unit_test(no_command_is_taken_while_much_output_waits),
        cmocka_unit_test(a_blocked_session_holds_a_bounded_amount_of_input),
        cmocka_unit_test(a_line_of_an_authentication_has_65536_octets_and_not_one_more),
        cmocka_unit_test(before_authentication_only_its_own_literals_are_stored),
        cmocka_unit_test(before_authentication_generous_limits_of_lines_and_output_do_not_hold),
        cmocka_unit_test(a_stranger_who_asks_for_all_he_can_costs_bounded_memory),
        cmocka_unit_test(limits_below_what_the_protocol_needs_are_raised),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
