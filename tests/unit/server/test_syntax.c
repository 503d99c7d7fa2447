/* SPDX-License-Identifier: BSD-3-Clause */
#include "server_support.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define INPUT(text) text, sizeof text - 1

struct exchange {
    enum mupdate_server_state state;
    const char *input;
    size_t len;
    const char *events;
    const char *replies;
};

#define UNAUTHENTICATED MUPDATE_SERVER_STATE_UNAUTHENTICATED
#define AUTHENTICATING MUPDATE_SERVER_STATE_AUTHENTICATING
#define AUTHENTICATED MUPDATE_SERVER_STATE_AUTHENTICATED
#define STREAMING MUPDATE_SERVER_STATE_STREAMING

static const struct exchange right[] = {
    { AUTHENTICATED, INPUT("a1 noop\r\n"), "NOOP\n", "a1 OK\n" },
    { AUTHENTICATED, INPUT("A1 NoOp\n"), "NOOP\n", "A1 OK\n" },
    { AUTHENTICATED, INPUT("!#$%&',-./:;<=>?@[]^_`|}~ NOOP\r\n"), "NOOP\n",
      "!#$%&',-./:;<=>?@[]^_`|}~ OK\n" },
    { AUTHENTICATED, INPUT("1 FIND \"user.a\"\r\n"), "FIND(user.a)\n", "1 OK\n" },
    { AUTHENTICATED, INPUT("1 find {6+}\r\nuser.a\r\n"), "FIND(user.a)\n", "1 OK\n" },
    { AUTHENTICATED, INPUT("1 find {6+}\nuser.a\n"), "FIND(user.a)\n", "1 OK\n" },
    { AUTHENTICATED, INPUT("1 FIND {6}\r\nuser.a\r\n"), "FIND(user.a)\n", "+ go ahead\n1 OK\n" },
    { AUTHENTICATED, INPUT("1 FIND {0}\r\n\r\n"), "FIND()\n", "+ go ahead\n1 OK\n" },
    { AUTHENTICATED, INPUT("1 FIND \"\"\r\n"), "FIND()\n", "1 OK\n" },
    { AUTHENTICATED, INPUT("1 FIND {0+}\r\n\r\n"), "FIND()\n", "1 OK\n" },
    { AUTHENTICATED, INPUT("1 FIND {0000000000000000001+}\r\nx\r\n"), "FIND(x)\n", "1 OK\n" },
    { AUTHENTICATED, INPUT("1 FIND \"a\\\"b\\\\c d\te\xc3\xa4\"\r\n"),
      "FIND(a\"b\\c\\20d\\09e\xc3\xa4)\n", "1 OK\n" },
    { AUTHENTICATED, INPUT("1 FIND {9+}\r\na\0b\r\nc\"\\{\r\n"), "FIND(a\\00b\\0d\\0ac\"\\{)\n",
      "1 OK\n" },
    { AUTHENTICATED, INPUT("1 RESERVE \"a\" \"b!c\"\r\n"), "RESERVE(a,b!c)\n", "1 OK\n" },
    { AUTHENTICATED, INPUT("1 RESERVE {1+}\r\na {3+}\r\nb!c\r\n"), "RESERVE(a,b!c)\n", "1 OK\n" },
    { AUTHENTICATED, INPUT("1 ACTIVATE {1}\r\na {3}\r\nb!c {2}\r\nde\r\n"), "ACTIVATE(a,b!c,de)\n",
      "+ go ahead\n+ go ahead\n+ go ahead\n1 OK\n" },
    { AUTHENTICATED, INPUT("1 ACTIVATE \"a\\\\\" {3+}\r\nb!c \"d\\\"\"\r\n"),
      "ACTIVATE(a\\,b!c,d\")\n", "1 OK\n" },
    { AUTHENTICATED, INPUT("1 DEACTIVATE \"a\" \"\"\r\n"), "DEACTIVATE(a,)\n", "1 OK\n" },
    { AUTHENTICATED, INPUT("1 DELETE \"a\"\r\n"), "DELETE(a)\n", "1 OK\n" },
    { AUTHENTICATED, INPUT("1 LIST\r\n"), "LIST()\n", "1 OK\n" },
    { AUTHENTICATED, INPUT("1 LIST \"b!\"\r\n"), "LIST(b!)\n", "1 OK\n" },
    { AUTHENTICATED, INPUT("1 UPDATE\r\n"), "UPDATE()\n", "1 OK\n" },
    { AUTHENTICATED, INPUT("1 UPDATE \"a\" {1+}\r\nb \"c\"\r\n"), "UPDATE(a,b,c)\n", "1 OK\n" },
    { AUTHENTICATED, INPUT("1 LOGOUT\r\n"), "LOGOUT\n", "1 BYE\n" },
    { AUTHENTICATED, INPUT("1 COMPRESS \"deflate\"\r\n"), "COMPRESS\n", "1 OK\n" },
    { AUTHENTICATED, INPUT("1 COMPRESS DEFLATE\r\n"), "COMPRESS\n", "1 OK\n" },
    { AUTHENTICATED, INPUT("1 COMPRESS {7+}\r\nDEFLATE\r\n"), "COMPRESS\n", "1 OK\n" },
    { UNAUTHENTICATED, INPUT("1 COMPRESS DEFLATE\r\n"), "", "1 NO\n" },
    { UNAUTHENTICATED, INPUT("1 LOGOUT\r\n"), "LOGOUT\n", "1 BYE\n" },
    { UNAUTHENTICATED, INPUT("1 STARTTLS\r\n"), "STARTTLS\n", "1 OK\n" },
    { UNAUTHENTICATED, INPUT("1 AUTHENTICATE \"PLAIN\" {8+}\r\nAGEAYg==\r\n"),
      "AUTHENTICATE(PLAIN,\\00a\\00b)\n", "1 OK\n" },
    { UNAUTHENTICATED, INPUT("1 AUTHENTICATE {5}\r\nPLAIN {8}\r\nAGEAYg==\r\n"),
      "AUTHENTICATE(PLAIN,\\00a\\00b)\n", "+ go ahead\n+ go ahead\n1 OK\n" },
    { UNAUTHENTICATED, INPUT("1 AUTHENTICATE PLAIN \"AGEAYg==\"\r\n"),
      "AUTHENTICATE(PLAIN,\\00a\\00b)\n", "1 OK\n" },
    { UNAUTHENTICATED, INPUT("1 AUTHENTICATE SCRAM-SHA-256\r\n"), "AUTHENTICATE(SCRAM-SHA-256)\n",
      "1 OK\n" },
    { UNAUTHENTICATED, INPUT("1 AUTHENTICATE EXTERNAL ={0+}\r\n\r\n"), "AUTHENTICATE(EXTERNAL,)\n",
      "1 OK\n" },
    { UNAUTHENTICATED, INPUT("1 AUTHENTICATE EXTERNAL =\r\n"), "AUTHENTICATE(EXTERNAL,)\n",
      "1 OK\n" },
    { UNAUTHENTICATED, INPUT("1 AUTHENTICATE EXTERNAL \"=\"\r\n"), "AUTHENTICATE(EXTERNAL,)\n",
      "1 OK\n" },
    { UNAUTHENTICATED, INPUT("1 AUTHENTICATE EXTERNAL {1+}\r\n=\r\n"), "AUTHENTICATE(EXTERNAL,)\n",
      "1 OK\n" },
    { UNAUTHENTICATED, INPUT("1 AUTHENTICATE EXTERNAL \"\"\r\n"), "AUTHENTICATE(EXTERNAL,)\n",
      "1 OK\n" },
    { UNAUTHENTICATED, INPUT("1 AUTHENTICATE CHALLENGE\r\naSBhbQ==\r\n2 NOOP\r\n"),
      "AUTHENTICATE(CHALLENGE)\nRESPONSE(i\\20am)\nNOOP\n", "d2hvPw==\n1 OK\n2 OK\n" },
    { UNAUTHENTICATED, INPUT("1 AUTHENTICATE CHALLENGE\r\n\r\n2 NOOP\r\n"),
      "AUTHENTICATE(CHALLENGE)\nRESPONSE()\nNOOP\n", "d2hvPw==\n1 OK\n2 OK\n" },
    { UNAUTHENTICATED, INPUT("1 AUTHENTICATE CHALLENGE\n*\n2 LOGOUT\n"),
      "AUTHENTICATE(CHALLENGE)\nCANCELLED\nLOGOUT\n", "d2hvPw==\n1 NO\n2 BYE\n" },
    { STREAMING, INPUT("1 NOOP\r\n2 LOGOUT\r\n"), "NOOP\nLOGOUT\n", "1 OK\n2 BYE\n" },
};

static const struct exchange wrong[] = {
    { AUTHENTICATED, INPUT("\r\n"), "", "* BAD\n" },
    { AUTHENTICATED, INPUT("\n"), "", "* BAD\n" },
    { AUTHENTICATED, INPUT("\r\n\r\n"), "", "* BAD\n* BAD\n" },
    { AUTHENTICATED, INPUT("\0\r\n"), "", "* BAD\n" },
    { AUTHENTICATED, INPUT("\xff\xff\r\n"), "", "* BAD\n" },
    { AUTHENTICATED, INPUT(" 1 NOOP\r\n"), "", "* BAD\n" },
    { AUTHENTICATED, INPUT("\t1 NOOP\r\n"), "", "* BAD\n" },
    { AUTHENTICATED, INPUT("\"1\" NOOP\r\n"), "", "* BAD\n" },
    { AUTHENTICATED, INPUT("* NOOP\r\n"), "", "* BAD\n" },
    { AUTHENTICATED, INPUT("+1 NOOP\r\n"), "", "* BAD\n" },
    { AUTHENTICATED, INPUT("1(2 NOOP\r\n"), "", "* BAD\n" },
    { AUTHENTICATED, INPUT("1\rNOOP\r\n"), "", "* BAD\n" },
    { AUTHENTICATED, INPUT("{4+}\r\n"), "", "* BAD\n" },
    { AUTHENTICATED, INPUT("1\r\n"), "", "1 BAD\n" },
    { AUTHENTICATED, INPUT("1 \r\n"), "", "1 BAD\n" },
    { AUTHENTICATED, INPUT("1  NOOP\r\n"), "", "1 BAD\n" },
    { AUTHENTICATED, INPUT("1 NOOP \r\n"), "", "1 BAD\n" },
    { AUTHENTICATED, INPUT("1 NOOP\r\r\n"), "", "1 BAD\n" },
    { AUTHENTICATED, INPUT("1 NO\rOP\r\n"), "", "1 BAD\n" },
    { AUTHENTICATED, INPUT("1 NO\0OP\r\n"), "", "1 BAD\n" },
    { AUTHENTICATED, INPUT("1 \"NOOP\"\r\n"), "", "1 BAD\n" },
    { AUTHENTICATED, INPUT("1 {4+}\r\nNOOP\r\n"), "", "1 BAD\n" },
    { AUTHENTICATED, INPUT("1 {4}\r\n"), "", "1 BAD\n" },
    { AUTHENTICATED, INPUT("1 XNOOP\r\n"), "", "1 BAD\n" },
    { AUTHENTICATED, INPUT("1 SELECT \"INBOX\"\r\n"), "", "1 BAD\n" },
    { AUTHENTICATED, INPUT("1 SELECT {5+}\r\nINBOX {3+}\r\nabc\r\n"), "", "1 BAD\n" },
    { AUTHENTICATED, INPUT("1 SELECT {5}\r\n"), "", "1 BAD\n" },
    { AUTHENTICATED, INPUT("1 NOOP \"x\"\r\n"), "", "1 BAD\n" },
    { AUTHENTICATED, INPUT("1 NOOP {3+}\r\nabc\r\n"), "", "1 BAD\n" },
    { AUTHENTICATED, INPUT("1 NOOP {3}\r\n"), "", "1 BAD\n" },
    { AUTHENTICATED, INPUT("1 LOGOUT now\r\n"), "", "1 BAD\n" },
    { AUTHENTICATED, INPUT("1 FIND\r\n"), "", "1 BAD\n" },
    { AUTHENTICATED, INPUT("1 FIND user.a\r\n"), "", "1 BAD\n" },
    { AUTHENTICATED, INPUT("1 FIND \"a\" \"b\"\r\n"), "", "1 BAD\n" },
    { AUTHENTICATED, INPUT("1 FIND \"a\" {1+}\r\nb\r\n"), "", "1 BAD\n" },
    { AUTHENTICATED, INPUT("1 FIND {1+}\r\na {1+}\r\nb {2+}\r\n\r\n\r\n"), "", "1 BAD\n" },
    { AUTHENTICATED, INPUT("1 FIND {1+}\r\na \r\n"), "", "1 BAD\n" },
    { AUTHENTICATED, INPUT("1 FIND {1+}\r\nab\r\n"), "", "1 BAD\n" },
    { AUTHENTICATED, INPUT("1 FIND {1+}\r\na{3+}\r\n"), "", "1 BAD\n" },
    { AUTHENTICATED, INPUT("1 FIND {1+}\r\na {3+}\r\n\r\n\0\r\n"), "", "1 BAD\n" },
    { AUTHENTICATED, INPUT("1 FIND \"a\"\"b\"\r\n"), "", "1 BAD\n" },
    { AUTHENTICATED, INPUT("1 FIND \"a\"b\r\n"), "", "1 BAD\n" },
    { AUTHENTICATED, INPUT("1 FIND \"a\\b\"\r\n"), "", "1 BAD\n" },
    { AUTHENTICATED, INPUT("1 FIND \"a\\b\" {3+}\r\nx\r\n\r\n"), "", "1 BAD\n" },
    { AUTHENTICATED, INPUT("1 FIND \"a\0b\"\r\n"), "", "1 BAD\n" },
    { AUTHENTICATED, INPUT("1 FIND \"a\rb\"\r\n"), "", "1 BAD\n" },
    { AUTHENTICATED, INPUT("1 FIND \"a\r\n"), "", "1 BAD\n" },
    { AUTHENTICATED, INPUT("1 FIND \"a {5+}\r\n"), "", "1 BAD\n" },
    { AUTHENTICATED, INPUT("1 FIND ={0+}\r\n\r\n"), "", "1 BAD\n" },
    { AUTHENTICATED, INPUT("1 FIND {}\r\n"), "", "1 BAD\n" },
    { AUTHENTICATED, INPUT("1 FIND {+}\r\n"), "", "1 BAD\n" },
    { AUTHENTICATED, INPUT("1 FIND {-1}\r\n"), "", "1 BAD\n" },
    { AUTHENTICATED, INPUT("1 FIND {-1+}\r\n"), "", "1 BAD\n" },
    { AUTHENTICATED, INPUT("1 FIND {1x}\r\n"), "", "1 BAD\n" },
    { AUTHENTICATED, INPUT("1 FIND {1x+}\r\n"), "", "1 BAD\n" },
    { AUTHENTICATED, INPUT("1 FIND {1+\r\n"), "", "1 BAD\n" },
    { AUTHENTICATED, INPUT("1 FIND {1+} \r\n"), "", "1 BAD\n" },
    { AUTHENTICATED, INPUT("1 FIND {5} {5+}\r\nabcde\r\n"), "", "1 BAD\n" },
    { AUTHENTICATED, INPUT("1 FIND x{5+}\r\n"), "", "1 BAD\n" },
    { AUTHENTICATED, INPUT("1 FIND {4294967296}\r\n"), "", "1 BAD\n" },
    { AUTHENTICATED, INPUT("1 FIND {18446744073709551616}\r\n"), "", "1 BAD\n" },
    { AUTHENTICATED, INPUT("1 RESERVE \"a\"\r\n"), "", "1 BAD\n" },
    { AUTHENTICATED, INPUT("1 RESERVE \"a\" \"b\" \"c\"\r\n"), "", "1 BAD\n" },
    { AUTHENTICATED, INPUT("1 RESERVE \"a\" b\r\n"), "", "1 BAD\n" },
    { AUTHENTICATED, INPUT("1 RESERVE a {1+}\r\nb\r\n"), "", "1 BAD\n" },
    { AUTHENTICATED, INPUT("1 ACTIVATE \"a\" \"b\"\r\n"), "", "1 BAD\n" },
    { AUTHENTICATED, INPUT("1 ACTIVATE \"a\" \"b\" \"c\" \"d\"\r\n"), "", "1 BAD\n" },
    { AUTHENTICATED, INPUT("1 DEACTIVATE \"a\"\r\n"), "", "1 BAD\n" },
    { AUTHENTICATED, INPUT("1 DELETE\r\n"), "", "1 BAD\n" },
    { AUTHENTICATED, INPUT("1 DELETE \"a\" \"b\"\r\n"), "", "1 BAD\n" },
    { AUTHENTICATED, INPUT("1 LIST a\r\n"), "", "1 BAD\n" },
    { AUTHENTICATED, INPUT("1 LIST \"a\" \"b\"\r\n"), "", "1 BAD\n" },
    { AUTHENTICATED, INPUT("1 UPDATE (\"a\" \"b\")\r\n"), "", "1 BAD\n" },
    { AUTHENTICATED, INPUT("1 UPDATE a\r\n"), "", "1 BAD\n" },
    { AUTHENTICATED, INPUT("1 AUTHENTICATE \"PLAIN\" {8+}\r\nAGEAYg==\r\n"), "", "1 BAD\n" },
    { AUTHENTICATED, INPUT("1 AUTHENTICATE \"EXTERNAL\" ={0+}\r\n\r\n"), "", "1 BAD\n" },
    { AUTHENTICATED, INPUT("1 STARTTLS\r\n"), "", "1 BAD\n" },
    { AUTHENTICATED, INPUT("1 COMPRESS\r\n"), "", "1 BAD\n" },
    { AUTHENTICATED, INPUT("1 COMPRESS \"LZW\"\r\n"), "", "1 NO\n" },
    { AUTHENTICATED, INPUT("1 COMPRESS DEFLATE2\r\n"), "", "1 NO\n" },
    { AUTHENTICATED, INPUT("1 COMPRESS ={0+}\r\n\r\n"), "", "1 BAD\n" },
    { STREAMING, INPUT("1 FIND \"a\"\r\n2 LIST\r\n3 UPDATE\r\n"), "", "1 BAD\n2 BAD\n3 BAD\n" },
    { STREAMING, INPUT("1 ACTIVATE {1+}\r\na {1+}\r\nb {1+}\r\nc\r\n2 DELETE {1}\r\n"), "",
      "1 BAD\n2 BAD\n" },
    { STREAMING, INPUT("1 STARTTLS\r\n2 COMPRESS DEFLATE\r\n3 AUTHENTICATE PLAIN\r\n\r\n"), "",
      "1 BAD\n2 BAD\n3 BAD\n* BAD\n" },
    { UNAUTHENTICATED, INPUT("1 FIND \"a\"\r\n"), "", "1 NO\n" },
    { UNAUTHENTICATED, INPUT("1 FIND {1}\r\n"), "", "1 NO\n" },
    { UNAUTHENTICATED, INPUT("1 ACTIVATE {1+}\r\na {1+}\r\nb {1+}\r\nc\r\n"), "", "1 NO\n" },
    { UNAUTHENTICATED, INPUT("1 ACTIVATE {1+}\r\na {1}\r\n"), "", "1 NO\n" },
    { UNAUTHENTICATED, INPUT("1 LIST\r\n2 UPDATE\r\n3 NOOP\r\n4 RESERVE \"a\" \"b\"\r\n"), "",
      "1 NO\n2 NO\n3 NO\n4 NO\n" },
    { UNAUTHENTICATED, INPUT("1 DELETE \"a\"\r\n2 DEACTIVATE \"a\" \"b\"\r\n"), "",
      "1 NO\n2 NO\n" },
    { UNAUTHENTICATED, INPUT("1 XYZZY\r\n"), "", "1 BAD\n" },
    { UNAUTHENTICATED, INPUT("GET / HTTP/1.1\r\nHost: x\r\n\r\n"), "",
      "GET BAD\nHost: BAD\n* BAD\n" },
    { UNAUTHENTICATED, INPUT("\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\n"), "", "* BAD\n" },
    { UNAUTHENTICATED, INPUT("1 AUTHENTICATE\r\n"), "", "1 BAD\n" },
    { UNAUTHENTICATED, INPUT("1 AUTHENTICATE PLAIN AGEAYg\r\n"), "", "1 BAD\n" },
    { UNAUTHENTICATED, INPUT("1 AUTHENTICATE PLAIN \"?\"\r\n"), "", "1 BAD\n" },
    { UNAUTHENTICATED, INPUT("1 AUTHENTICATE PLAIN {3+}\r\nabc\r\n"), "", "1 BAD\n" },
    { UNAUTHENTICATED, INPUT("1 AUTHENTICATE ={0+}\r\n\r\n"), "", "1 BAD\n" },
    { UNAUTHENTICATED, INPUT("1 AUTHENTICATE PLAIN \"\" \"\"\r\n"), "", "1 BAD\n" },
    { UNAUTHENTICATED, INPUT("1 AUTHENTICATE DENIED\r\n"), "AUTHENTICATE(DENIED)\n", "1 NO\n" },
    { UNAUTHENTICATED, INPUT("1 AUTHENTICATE CHALLENGE\r\nnot base64\r\n"),
      "AUTHENTICATE(CHALLENGE)\nCANCELLED\n", "d2hvPw==\n1 BAD\n" },
    { UNAUTHENTICATED, INPUT("1 AUTHENTICATE CHALLENGE\r\nx {3+}\r\n"),
      "AUTHENTICATE(CHALLENGE)\nCANCELLED\n", "d2hvPw==\n1 BAD\n" },
    { UNAUTHENTICATED, INPUT("1 AUTHENTICATE CHALLENGE\r\n**\r\n"),
      "AUTHENTICATE(CHALLENGE)\nCANCELLED\n", "d2hvPw==\n1 BAD\n" },
    { UNAUTHENTICATED, INPUT("1 AUTHENTICATE CHALLENGE\r\n*\r\n"),
      "AUTHENTICATE(CHALLENGE)\nCANCELLED\n", "d2hvPw==\n1 NO\n" },
};

static void expect_exchange(const struct exchange *exchange, const char *suffix,
                            const char *suffix_events, const char *suffix_replies,
                            enum server_support_split split, enum server_support_answers answers)
{
    struct server_support support;
    char events[1024];
    char replies[1024];
    uint8_t input[1024];
    size_t len = exchange->len + strlen(suffix);

    assert_true(len <= sizeof input);
    memcpy(input, exchange->input, exchange->len);
    memcpy(input + exchange->len, suffix, strlen(suffix));
    snprintf(events, sizeof events, "%s%s", exchange->events, suffix_events);
    snprintf(replies, sizeof replies, "%s%s", exchange->replies, suffix_replies);

    server_support_open(&support, NULL);
    server_support_reach(&support, exchange->state);
    support.answers = answers;
    assert_int_equal(server_support_feed(&support, input, len, split), len);
    if (strcmp(server_support_events(&support), events) != 0 ||
        strcmp(server_support_replies(&support), replies) != 0)
        print_error("for: %.*s\n", (int)exchange->len, exchange->input);
    assert_string_equal(server_support_events(&support), events);
    assert_string_equal(server_support_replies(&support), replies);
    server_support_close(&support);
}

static void every_way(const struct exchange *exchange, const char *suffix,
                      const char *suffix_events, const char *suffix_replies)
{
    expect_exchange(exchange, suffix, suffix_events, suffix_replies, SPLIT_WHOLE, ANSWER_AT_ONCE);
    expect_exchange(exchange, suffix, suffix_events, suffix_replies, SPLIT_OCTETS, ANSWER_AT_ONCE);
    expect_exchange(exchange, suffix, suffix_events, suffix_replies, SPLIT_WHOLE, ANSWER_LATE);
    expect_exchange(exchange, suffix, suffix_events, suffix_replies, SPLIT_OCTETS, ANSWER_LATE);
    for (int i = 0; i < 40; i++)
        expect_exchange(exchange, suffix, suffix_events, suffix_replies, SPLIT_RANDOM,
                        ANSWER_RANDOM);
}

static void right_commands_become_events_however_they_are_split(void **state)
{
    (void)state;
    srand(2003);
    for (size_t i = 0; i < sizeof right / sizeof right[0]; i++)
        every_way(&right[i], "", "", "");
}

static void after_a_wrong_command_the_next_one_works(void **state)
{
    (void)state;
    srand(2004);
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        switch (wrong[i].state) {
        case AUTHENTICATED:
            every_way(&wrong[i], "Z1 NOOP\r\nZ2 FIND {1+}\r\nx\r\n", "NOOP\nFIND(x)\n",
                      "Z1 OK\nZ2 OK\n");
            break;
        case STREAMING:
            every_way(&wrong[i], "Z1 NOOP\r\n", "NOOP\n", "Z1 OK\n");
            break;
        default:
            every_way(&wrong[i], "Z1 AUTHENTICATE PLAIN {0+}\r\n\r\nZ2 NOOP\r\n",
                      "AUTHENTICATE(PLAIN,)\nNOOP\n", "Z1 OK\nZ2 OK\n");
            break;
        }
    }
}

/* The whole stream of all wrong commands, with right ones between them, at once. */
static void any_row_of_wrong_commands_is_answered_one_by_one(void **state)
{
    (void)state;
    srand(2005);
    for (int round = 0; round < 300; round++) {
        struct buffer input = { 0 };
        struct buffer events = { 0 };
        struct buffer replies = { 0 };
        struct server_support support;

        for (int i = 0; i < 60; i++) {
            const struct exchange *one = &wrong[(size_t)rand() % (sizeof wrong / sizeof wrong[0])];

            if (one->state != AUTHENTICATED || rand() % 3 == 0) {
                buffer_append_string(&input, "Y RESERVE {1+}\r\na \"b\"\r\n");
                buffer_append_string(&events, "RESERVE(a,b)\n");
                buffer_append_string(&replies, "Y OK\n");
                continue;
            }
            buffer_append(&input, one->input, one->len);
            buffer_append_string(&replies, one->replies);
        }
        buffer_append(&events, "", 1);
        buffer_append(&replies, "", 1);
        server_support_open(&support, NULL);
        server_support_reach(&support, AUTHENTICATED);
        support.answers = ANSWER_RANDOM;
        assert_int_equal(server_support_feed(&support, buffer_bytes(&input), buffer_len(&input),
                                             SPLIT_RANDOM),
                         buffer_len(&input));
        assert_string_equal(server_support_events(&support), (char *)buffer_bytes(&events));
        assert_string_equal(server_support_replies(&support), (char *)buffer_bytes(&replies));
        server_support_close(&support);
        buffer_free(&input);
        buffer_free(&events);
        buffer_free(&replies);
    }
}

static void a_reply_carries_the_tag_as_the_client_wrote_it(void **state)
{
    struct server_support support;

    (void)state;
    server_support_open(&support, NULL);
    server_support_reach(&support, AUTHENTICATED);
    server_support_feed(&support, "aBc.9 nOoP\r\naBc.9 wHat\r\n", 24, SPLIT_WHOLE);
    assert_string_equal(server_support_replies(&support), "aBc.9 OK\naBc.9 BAD\n");
    server_support_close(&support);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(right_commands_become_events_however_they_are_split),
        cmocka_unit_test(after_a_wrong_command_the_next_one_works),
        cmocka_unit_test(any_row_of_wrong_commands_is_answered_one_by_one),
        cmocka_unit_test(a_reply_carries_the_tag_as_the_client_wrote_it),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
