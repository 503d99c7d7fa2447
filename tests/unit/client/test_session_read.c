/* SPDX-License-Identifier: BSD-3-Clause */
#include "wire/buffer.h"

#include <mupdate/client.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define INPUT(text) text, sizeof text - 1
#define BANNER "* AUTH \"PLAIN\"\r\n* OK MUPDATE \"h\" \"i\" \"v\" \"(master)\"\r\n"

static void write_text(struct buffer *to, struct mupdate_text text)
{
    for (size_t i = 0; i < text.len; i++) {
        char hex[4];

        if ((unsigned char)text.data[i] > 31) {
            buffer_append(to, text.data + i, 1);
        } else {
            snprintf(hex, sizeof hex, "\\%02x", (unsigned int)(unsigned char)text.data[i]);
            buffer_append_string(to, hex);
        }
    }
}

static void write_event(struct buffer *to, const struct mupdate_client_event *event)
{
    static const char *const replies[] = { "OK", "NO", "BAD", "BYE" };
    char start[32] = "BANNER";

    switch (event->type) {
    case MUPDATE_CLIENT_CHALLENGE:
        snprintf(start, sizeof start, "%d? ", (int)event->command);
        break;
    case MUPDATE_CLIENT_ROW:
        snprintf(start, sizeof start, "%d%c ", (int)event->command, "-ra"[event->row.state]);
        break;
    case MUPDATE_CLIENT_DONE:
    case MUPDATE_CLIENT_GOODBYE:
        snprintf(start, sizeof start, "%d %s ", (int)event->command, replies[event->reply]);
        break;
    default:
        break;
    }
    buffer_append_string(to, start);
    write_text(to, event->text);
    write_text(to, event->data);
    write_text(to, event->row.name);
    if (event->type == MUPDATE_CLIENT_ROW && event->row.state != MUPDATE_ABSENT) {
        buffer_append_string(to, ",");
        write_text(to, event->row.location);
    }
    if (event->type == MUPDATE_CLIENT_ROW && event->row.state == MUPDATE_ACTIVE) {
        buffer_append_string(to, ",");
        write_text(to, event->row.acl);
    }
    buffer_append_string(to, "|");
}

/* Take events until bytes are needed. False: the session broke. */
static bool take(struct mupdate_client *client, struct buffer *events)
{
    struct mupdate_client_event event;
    enum mupdate_client_next next;

    while ((next = mupdate_client_next(client, &event)) == MUPDATE_CLIENT_EVENT)
        write_event(events, &event);
    return next == MUPDATE_CLIENT_WAIT;
}

/* Commands by letter. */
static void command(struct mupdate_client *client, char letter)
{
    struct mupdate_text text = { "x", 1 };
    struct mupdate_row row = { MUPDATE_ACTIVE, { "n", 1 }, { "l", 1 }, { "a", 1 } };
    uint64_t number = 0;

    switch (letter) {
    case 'a': number = mupdate_client_authenticate(client, "PLAIN", "", 0); break;
    case 't': number = mupdate_client_starttls(client); break;
    case 'z': number = mupdate_client_compress(client); break;
    case 'f': number = mupdate_client_find(client, text); break;
    case 'l': number = mupdate_client_list(client, text); break;
    case 's': number = mupdate_client_set(client, MUPDATE_ACTIVATE, &row); break;
    case 'u': number = mupdate_client_update(client, NULL, 0); break;
    case 'n': number = mupdate_client_noop(client); break;
    case 'q': number = mupdate_client_logout(client); break;
    default: break;
    }
    assert_true(number > 0);
}

enum split { WHOLE, OCTETS, RANDOM };

static void run(const char *commands, const char *input, size_t len, enum split split,
                struct buffer *events)
{
    struct mupdate_client *client = mupdate_client_new(NULL);
    size_t done = 0;
    bool sound = true;

    assert_non_null(client);
    if (commands) {
        assert_true(mupdate_client_input(client, BANNER, strlen(BANNER)));
        assert_true(take(client, events));
        buffer_clear(events);
        for (; *commands; commands++)
            command(client, *commands);
    }
    while (sound && done < len) {
        size_t chunk = len - done;
        uint8_t *copy;

        if (split == OCTETS)
            chunk = 1;
        if (split == RANDOM && chunk > 1)
            chunk = 1 + (size_t)rand() % chunk;
        copy = malloc(chunk);
        assert_non_null(copy);
        memcpy(copy, input + done, chunk);
        assert_true(mupdate_client_input(client, copy, chunk));
        free(copy);
        done += chunk;
        sound = take(client, events);
    }
    if (!sound) {
        struct mupdate_client_event event;

        assert_non_null(mupdate_client_error(client));
        assert_int_equal(mupdate_client_next(client, &event), MUPDATE_CLIENT_ERROR);
        assert_int_equal(mupdate_client_noop(client), 0);
        buffer_append_string(events, "ERROR");
    } else {
        assert_null(mupdate_client_error(client));
    }
    buffer_append(events, "", 1);
    mupdate_client_free(client);
}

static const struct {
    const char *commands; /* NULL: the banner is in the input */
    const char *input;
    size_t len;
    const char *events;
} cases[] = {
    { NULL, INPUT(BANNER), "BANNER|" },
    { NULL, INPUT("* auth plain\n* X-THING \"1\" {2+}\r\n\r\n ok\n* ((( \"\n* ok\n"), "BANNER|" },
    { NULL, INPUT("* AUTH \r\n* OK MUPDATE\r\n"), "BANNER|" },
    { NULL, INPUT("* BYE \"go away\"\r\n"), "0 BYE go away|" },
    { NULL, INPUT("* BAD \"x\"\r\n* OK\r\n"), "BANNER|" },
    { NULL, INPUT("HTTP/1.0 400 Bad Request\r\n"), "ERROR" },
    { NULL, INPUT("\r\n"), "ERROR" },
    { "f", INPUT("C1 OK \"done\"\r\n"), "1 OK done|" },
    { "f", INPUT("c1 ok \"\"\n"), "1 OK |" },
    { "f", INPUT("C1 OK\r\n"), "1 OK |" },
    { "f", INPUT("C1 OK {4+}\r\ndone\r\n"), "1 OK done|" },
    { "f", INPUT("C1 OK {4}\r\ndone\r\n"), "1 OK done|" },
    { "f", INPUT("C1 OK Search complete (really) \"now\r\n"),
      "1 OK Search complete (really) \"now|" },
    { "f", INPUT("C1 OK [CODE] \"x\"\r\n"), "1 OK [CODE] \"x\"|" },
    { "f", INPUT("C1 NO \"a\\\"b\\\\\"\r\n"), "1 NO a\"b\\|" },
    { "f", INPUT("C1 NO \"a\\tb\"\r\n"), "1 NO \"a\\tb\"|" },
    { "f", INPUT("C1 BAD \"what\"\r\n"), "1 BAD what|" },
    { "f", INPUT("C1 BYE \"bye\"\r\nC2 garbage\r\n"), "1 BYE bye|" },
    { "f", INPUT("* BYE \"bye\"\r\ngarbage\r\n"), "0 BYE bye|" },
    { "f", INPUT("* BYE going down\r\n"), "0 BYE going down|" },
    { "f", INPUT("* BAD \"what\"\r\nC1 OK \"\"\r\n"), "0 BAD what|1 OK |" },
    { "f", INPUT("C1 MAILBOX \"n\" \"l!p\" \"a\tb\t\"\r\nC1 OK \"\"\r\n"),
      "1a n,l!p,a\\09b\\09|1 OK |" },
    { "f", INPUT("C1 mailbox {1+}\r\nn {2}\r\nl! {0+}\r\n\r\nC1 OK \"\"\r\n"), "1a n,l!,|1 OK |" },
    { "f", INPUT("C1 RESERVE {3+}\r\n\r\0\n \"l\"\r\nC1 OK \"\"\r\n"),
      "1r \\0d\\00\\0a,l|1 OK |" },
    { "l", INPUT("C1 RESERVE \"n\" \"l\" \"acl\"\r\nC1 MAILBOX \"n\" \"l\" \"a\"\r\n"
                 "C1 OK \"\"\r\n"),
      "1r n,l|1a n,l,a|1 OK |" },
    { "fsn", INPUT("C1 OK \"\"\r\nC2 NO \"held\"\r\nC3 OK \"\"\r\n"), "1 OK |2 NO held|3 OK |" },
    { "u", INPUT("C1 MAILBOX \"n\" \"l\" \"a\"\r\nC1 OK \"\"\r\nC1 DELETE \"n\"\r\n"
                 "C1 RESERVE \"m\" \"l\"\r\n"),
      "1a n,l,a|1 OK |1- n|1r m,l|" },
    { "unq", INPUT("C1 OK \"\"\r\nC1 DELETE \"n\"\r\nC2 OK \"\"\r\nC1 DELETE \"m\"\r\n"
                   "C3 BYE \"bye\"\r\nrubbish\r\n"),
      "1 OK |1- n|2 OK |1- m|3 BYE bye|" },
    { "q", INPUT("C1 OK \"bye-bye\"\r\n"), "1 OK bye-bye|" },
    { "t", INPUT("C1 OK Begin TLS negotiation now\r\n" BANNER),
      "1 OK Begin TLS negotiation now|BANNER|" },
    { "t", INPUT("C1 NO \"not now\"\r\n"), "1 NO not now|" },
    { "z", INPUT("C1 OK \"DEFLATE active\"\r\n"), "1 OK DEFLATE active|" },
    { "a", INPUT("C1 OK \"in\"\r\n"), "1 OK in|" },
    { "a", INPUT("C1 OK Authenticated\r\n"), "1 OK Authenticated|" },
    { "a", INPUT("C1 NO \"out\"\r\n"), "1 NO out|" },
    { "a", INPUT("d2hvPw==\r\n"), "1? who?|" },
    { "a", INPUT("d2hvPw==\n"), "1? who?|" },
    { "a", INPUT("\r\n"), "1? |" },
    { "a", INPUT("d2hvPw==\r\nC1 NO \"too late\"\r\n"), "1? who?|1 NO too late|" },
    /* what a server must not send */
    { "f", INPUT("C2 OK \"\"\r\n"), "ERROR" },
    { "fs", INPUT("C2 OK \"\"\r\n"), "ERROR" },
    { "f", INPUT("C1 OK \"\"\r\nC1 OK \"\"\r\n"), "1 OK |ERROR" },
    { "f", INPUT("X1 OK \"\"\r\n"), "ERROR" },
    { "f", INPUT("C1x OK \"\"\r\n"), "ERROR" },
    { "f", INPUT("C18446744073709551617 OK \"\"\r\n"), "ERROR" },
    { "f", INPUT("\"C1\" OK \"\"\r\n"), "ERROR" },
    { "f", INPUT("\r\n"), "ERROR" },
    { "f", INPUT("C1\r\n"), "ERROR" },
    { "f", INPUT("C1 WHAT \"\"\r\n"), "ERROR" },
    { "f", INPUT("* INFO \"x\"\r\n"), "ERROR" },
    { "f", INPUT("* OK \"x\"\r\n"), "ERROR" },
    { "f", INPUT("+ go ahead\r\n"), "ERROR" },
    { "f", INPUT("C1 MAILBOX \"n\" \"l\"\r\n"), "ERROR" },
    { "f", INPUT("C1 MAILBOX \"n\" \"l\" \"a\" \"b\"\r\n"), "ERROR" },
    { "f", INPUT("C1 MAILBOX n \"l\" \"a\"\r\n"), "ERROR" },
    { "f", INPUT("C1 MAILBOX \"n\" ={0+}\r\n \"a\"\r\n"), "ERROR" },
    { "f", INPUT("C1 MAILBOX \"n\"  \"l\" \"a\"\r\n"), "ERROR" },
    { "f", INPUT("C1 MAILBOX {1+}\r\nnx \"l\" \"a\"\r\n"), "ERROR" },
    { "f", INPUT("C1 MAILBOX {1048577+}\r\n"), "ERROR" },
    { "f", INPUT("C1 MAILBOX {18446744073709551616+}\r\n"), "ERROR" },
    { "f", INPUT("C1 DELETE \"n\"\r\n"), "ERROR" },
    { "u", INPUT("C1 DELETE \"n\"\r\n"), "ERROR" },
    { "s", INPUT("C1 RESERVE \"n\" \"l\"\r\n"), "ERROR" },
    { "lf", INPUT("C2 RESERVE \"n\" \"l\"\r\n"), "ERROR" },
    { "a", INPUT("not base64\r\n"), "ERROR" },
    { "a", INPUT("d2hvPw=\r\n"), "ERROR" },
    { "a", INPUT("d2hvPw==\r\nd2hvPw==\r\n"), "1? who?|ERROR" },
    { "a", INPUT("* INFO \"x\"\r\n"), "ERROR" },
};

static void responses_become_events_however_they_are_split(void **state)
{
    (void)state;
    srand(5);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        for (int round = 0; round < 60; round++) {
            struct buffer events = { 0 };
            enum split split = round == 0 ? WHOLE : round == 1 ? OCTETS : RANDOM;

            run(cases[i].commands, cases[i].input, cases[i].len, split, &events);
            if (strcmp((char *)buffer_bytes(&events), cases[i].events) != 0)
                print_error("for: %.*s\n", (int)cases[i].len, cases[i].input);
            assert_string_equal((char *)buffer_bytes(&events), cases[i].events);
            buffer_free(&events);
        }
    }
}

static void the_banner_is_kept_and_replaced_by_the_next(void **state)
{
    struct mupdate_client *client = mupdate_client_new(NULL);
    const struct mupdate_client_banner *banner;
    struct buffer events = { 0 };
    static const char first[] = "* AUTH KERBEROS_V4 \"PLAIN\"\r\n* AUTH {11+}\r\nSCRAM-SHA-1\r\n"
                                "* STARTTLS\r\n* COMPRESS \"DEFLATE\"\r\n* PARTIAL-UPDATE\r\n"
                                "* OK MUPDATE \"h\" \"i\" \"v 1\" \"mupdate://h/\"\r\n";
    static const char second[] = "C1 OK \"\"\r\n* AUTH\r\n* COMPRESS LZW deflate\r\n* OK\r\n";

    (void)state;
    assert_non_null(client);
    assert_null(mupdate_client_banner(client));
    assert_true(mupdate_client_input(client, first, strlen(first)));
    assert_true(take(client, &events));
    banner = mupdate_client_banner(client);
    assert_non_null(banner);
    assert_int_equal(banner->mechanism_count, 3);
    assert_string_equal(banner->mechanisms[0], "KERBEROS_V4");
    assert_string_equal(banner->mechanisms[1], "PLAIN");
    assert_string_equal(banner->mechanisms[2], "SCRAM-SHA-1");
    assert_true(banner->starttls && banner->compress_deflate && banner->partial_update);
    assert_string_equal(banner->hostname, "h");
    assert_string_equal(banner->implementation, "i");
    assert_string_equal(banner->version, "v 1");
    assert_string_equal(banner->role, "mupdate://h/");

    assert_int_equal(mupdate_client_starttls(client), 1);
    assert_true(mupdate_client_input(client, second, strlen(second)));
    assert_true(take(client, &events));
    banner = mupdate_client_banner(client);
    assert_int_equal(banner->mechanism_count, 0);
    assert_false(banner->starttls || banner->partial_update);
    assert_true(banner->compress_deflate);
    assert_string_equal(banner->hostname, "");
    assert_string_equal(banner->role, "");
    mupdate_client_free(client);
    buffer_free(&events);
}

static void a_banner_of_very_many_mechanisms_is_cut(void **state)
{
    struct mupdate_client *client = mupdate_client_new(NULL);
    struct buffer events = { 0 };

    (void)state;
    assert_non_null(client);
    for (int i = 0; i < 300; i++)
        assert_true(mupdate_client_input(client, "* AUTH A B C D E F G\r\n", 22));
    assert_true(mupdate_client_input(client, "* OK\r\n", 6));
    assert_true(take(client, &events));
    assert_int_equal(mupdate_client_banner(client)->mechanism_count, 64);
    mupdate_client_free(client);
    buffer_free(&events);
}

static void lines_and_literals_have_limits(void **state)
{
    struct mupdate_client_limits limits = { .line_bytes = 2000, .literal_bytes = 5000 };
    struct buffer events = { 0 };
    char data[6000];

    (void)state;
    memset(data, 'x', sizeof data);
    for (size_t len = 1990; len <= 2010; len++) {
        struct mupdate_client *client = mupdate_client_new(&limits);

        assert_non_null(client);
        assert_true(mupdate_client_input(client, "* X ", 4));
        assert_true(mupdate_client_input(client, data, len - 6));
        assert_true(mupdate_client_input(client, "\r\n", 2));
        assert_int_equal(take(client, &events), len <= 2000);
        mupdate_client_free(client);
    }
    for (size_t len = 4999; len <= 5001; len++) {
        struct mupdate_client *client = mupdate_client_new(&limits);
        char start[64];

        assert_non_null(client);
        assert_true(mupdate_client_input(client, BANNER, strlen(BANNER)));
        assert_true(take(client, &events));
        assert_int_equal(mupdate_client_find(client, (struct mupdate_text){ "n", 1 }), 1);
        snprintf(start, sizeof start, "C1 RESERVE \"n\" {%zu+}\r\n", len);
        assert_true(mupdate_client_input(client, start, strlen(start)));
        assert_int_equal(take(client, &events), len <= 5000);
        if (len <= 5000) {
            buffer_clear(&events);
            assert_true(mupdate_client_input(client, data, len));
            assert_true(mupdate_client_input(client, "\r\n", 2));
            assert_true(take(client, &events));
            assert_int_equal(buffer_len(&events), strlen("1r n,|") + len);
        }
        mupdate_client_free(client);
    }
    buffer_free(&events);
}

static void noise_from_a_server_means_the_same_however_it_is_split(void **state)
{
    static const char *const pieces[] = {
        "C1", "C2", " ", "OK", "NO", "MAILBOX", "RESERVE", "DELETE", "\"", "\\", "{3+}", "{3}",
        "{0+}", "{", "=", "\r\n", "\n", "abc", "\"x\"", "* ", "BYE", "BAD", "C1 OK \"x\"\r\n",
        "C1 MAILBOX \"n\" \"l\" \"a\"\r\n", "C1 DELETE {1+}\r\nx\r\n", "C2 OK done\r\n", "AAAA\r\n",
    };
    static const char *const commands[] = { "fs", "un", "a", "t", "lq", "" };

    (void)state;
    for (unsigned int round = 0; round < 4000; round++) {
        struct buffer input = { 0 };
        struct buffer whole = { 0 };
        struct buffer split = { 0 };
        const char *given = commands[round % 6];

        srand(round);
        for (int i = 0; i < 25; i++)
            buffer_append_string(&input, pieces[(size_t)rand() % (sizeof pieces /
                                                                  sizeof pieces[0])]);
        run(given, (char *)buffer_bytes(&input), buffer_len(&input), WHOLE, &whole);
        run(given, (char *)buffer_bytes(&input), buffer_len(&input), round % 2 ? OCTETS : RANDOM,
            &split);
        assert_string_equal((char *)buffer_bytes(&whole), (char *)buffer_bytes(&split));
        buffer_free(&input);
        buffer_free(&whole);
        buffer_free(&split);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(responses_become_events_however_they_are_split),
        cmocka_unit_test(the_banner_is_kept_and_replaced_by_the_next),
        cmocka_unit_test(a_banner_of_very_many_mechanisms_is_cut),
        cmocka_unit_test(lines_and_literals_have_limits),
        cmocka_unit_test(noise_from_a_server_means_the_same_however_it_is_split),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
