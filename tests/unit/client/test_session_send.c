/* SPDX-License-Identifier: BSD-3-Clause */
#include <mupdate/client.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define TEXT(text) ((struct mupdate_text){ text, sizeof text - 1 })

static const struct mupdate_row row = {
    MUPDATE_ACTIVE, { "user.a", 6 }, { "s!p", 3 }, { "a\tlrs\t", 6 }
};

/* The output, taken. */
static const char *sent(struct mupdate_client *client)
{
    static char text[1024];
    const uint8_t *data;
    size_t len = mupdate_client_output(client, &data);

    assert_true(len < sizeof text);
    if (len > 0)
        memcpy(text, data, len);
    text[len] = '\0';
    mupdate_client_sent(client, len);
    return text;
}

static void receive(struct mupdate_client *client, const char *text)
{
    struct mupdate_client_event event;

    assert_true(mupdate_client_input(client, text, strlen(text)));
    while (mupdate_client_next(client, &event) == MUPDATE_CLIENT_EVENT)
        ;
}

static struct mupdate_client *greeted(void)
{
    struct mupdate_client *client = mupdate_client_new(NULL);

    assert_non_null(client);
    receive(client, "* AUTH PLAIN\r\n* OK MUPDATE \"\" \"\" \"\" \"\"\r\n");
    return client;
}

static void commands_are_written_with_literals_that_need_no_invitation(void **state)
{
    struct mupdate_client *client = greeted();
    struct mupdate_text hosts[] = { TEXT("a"), TEXT("b.c") };

    (void)state;
    assert_int_equal(mupdate_client_noop(client), 1);
    assert_string_equal(sent(client), "C1 NOOP\r\n");
    assert_int_equal(mupdate_client_find(client, TEXT("user.a")), 2);
    assert_string_equal(sent(client), "C2 FIND {6+}\r\nuser.a\r\n");
    assert_int_equal(mupdate_client_list(client, (struct mupdate_text){ NULL, 0 }), 3);
    assert_string_equal(sent(client), "C3 LIST\r\n");
    assert_int_equal(mupdate_client_list(client, TEXT("")), 4);
    assert_string_equal(sent(client), "C4 LIST {0+}\r\n\r\n");
    assert_int_equal(mupdate_client_set(client, MUPDATE_RESERVE, &row), 5);
    assert_string_equal(sent(client), "C5 RESERVE {6+}\r\nuser.a {3+}\r\ns!p\r\n");
    assert_int_equal(mupdate_client_set(client, MUPDATE_ACTIVATE, &row), 6);
    assert_string_equal(sent(client),
                        "C6 ACTIVATE {6+}\r\nuser.a {3+}\r\ns!p {6+}\r\na\tlrs\t\r\n");
    assert_int_equal(mupdate_client_set(client, MUPDATE_DEACTIVATE, &row), 7);
    assert_string_equal(sent(client), "C7 DEACTIVATE {6+}\r\nuser.a {3+}\r\ns!p\r\n");
    assert_int_equal(mupdate_client_set(client, MUPDATE_DELETE, &row), 8);
    assert_string_equal(sent(client), "C8 DELETE {6+}\r\nuser.a\r\n");
    assert_int_equal(mupdate_client_update(client, hosts, 2), 9);
    assert_string_equal(sent(client), "C9 UPDATE {1+}\r\na {3+}\r\nb.c\r\n");
    assert_int_equal(mupdate_client_logout(client), 10);
    assert_string_equal(sent(client), "C10 LOGOUT\r\n");
    mupdate_client_free(client);
}

static void an_authentication_is_written_in_base64(void **state)
{
    struct mupdate_client *client = greeted();

    (void)state;
    assert_int_equal(mupdate_client_authenticate(client, "PLAIN", "\0a\0b", 4), 1);
    assert_string_equal(sent(client), "C1 AUTHENTICATE \"PLAIN\" {8+}\r\nAGEAYg==\r\n");
    receive(client, "C1 NO \"\"\r\n");
    assert_int_equal(mupdate_client_authenticate(client, "EXTERNAL", "", 0), 2);
    assert_string_equal(sent(client), "C2 AUTHENTICATE \"EXTERNAL\" \"=\"\r\n");
    receive(client, "C2 NO \"\"\r\n");
    assert_int_equal(mupdate_client_authenticate(client, "X", NULL, 0), 3);
    assert_string_equal(sent(client), "C3 AUTHENTICATE \"X\"\r\n");
    assert_false(mupdate_client_response(client, "early", 5));
    assert_false(mupdate_client_cancel(client));
    receive(client, "AAAA\r\n");
    assert_true(mupdate_client_response(client, "me", 2));
    assert_string_equal(sent(client), "bWU=\r\n");
    assert_false(mupdate_client_response(client, "again", 5));
    receive(client, "AAAA\r\n");
    assert_true(mupdate_client_response(client, "", 0));
    assert_string_equal(sent(client), "\r\n");
    receive(client, "AAAA\r\n");
    assert_true(mupdate_client_cancel(client));
    assert_string_equal(sent(client), "*\r\n");
    assert_int_equal(mupdate_client_noop(client), 0);
    receive(client, "C3 NO \"cancelled\"\r\n");
    assert_int_equal(mupdate_client_noop(client), 4);
    mupdate_client_free(client);
}

/* A bit for each command but NOOP that may be given now. */
static unsigned int allowed(struct mupdate_client *client)
{
    unsigned int bits = 0;

    bits |= mupdate_client_find(client, TEXT("n")) ? 1u : 0;
    bits |= mupdate_client_list(client, TEXT("n")) ? 2u : 0;
    bits |= mupdate_client_set(client, MUPDATE_DELETE, &row) ? 4u : 0;
    bits |= mupdate_client_authenticate(client, "X", NULL, 0) ? 8u : 0;
    bits |= mupdate_client_starttls(client) ? 16u : 0;
    bits |= mupdate_client_compress(client) ? 32u : 0;
    bits |= mupdate_client_update(client, NULL, 0) ? 64u : 0;
    bits |= mupdate_client_logout(client) ? 128u : 0;
    return bits;
}

static void a_command_out_of_place_is_not_written(void **state)
{
    struct mupdate_client *client = mupdate_client_new(NULL);

    (void)state;
    assert_non_null(client);
    assert_int_equal(allowed(client), 0);
    assert_int_equal(mupdate_client_noop(client), 0);
    assert_string_equal(sent(client), "");
    mupdate_client_free(client);

    client = greeted();
    assert_int_equal(mupdate_client_authenticate(client, "X", NULL, 0), 1);
    sent(client);
    assert_int_equal(allowed(client), 0);
    assert_string_equal(sent(client), "");
    mupdate_client_free(client);

    client = greeted();
    assert_int_equal(mupdate_client_starttls(client), 1);
    sent(client);
    assert_int_equal(allowed(client), 0);
    receive(client, "C1 OK \"go\"\r\n");
    assert_int_equal(allowed(client), 0);
    assert_string_equal(sent(client), "");
    mupdate_client_free(client);

    client = greeted();
    assert_int_equal(mupdate_client_update(client, NULL, 0), 1);
    assert_int_equal(mupdate_client_noop(client), 2);
    assert_int_equal(allowed(client), 128);
    assert_int_equal(mupdate_client_noop(client), 0);
    mupdate_client_free(client);

    client = greeted();
    assert_int_equal(mupdate_client_find(client, TEXT("n")), 1);
    assert_int_equal(mupdate_client_starttls(client), 0);
    assert_int_equal(mupdate_client_compress(client), 0);
    assert_int_equal(mupdate_client_authenticate(client, "X", NULL, 0), 0);
    receive(client, "C1 OK \"\"\r\n");
    assert_int_equal(mupdate_client_compress(client), 2);
    mupdate_client_free(client);
}

static void a_refused_update_leaves_the_session_ready(void **state)
{
    struct mupdate_client *client = greeted();

    (void)state;
    assert_int_equal(mupdate_client_update(client, NULL, 0), 1);
    receive(client, "C1 NO \"authenticate first\"\r\n");
    assert_int_equal(mupdate_client_find(client, TEXT("n")), 2);
    mupdate_client_free(client);
}

static void input_in_the_clear_can_be_forgotten(void **state)
{
    struct mupdate_client *client = greeted();
    struct mupdate_client_event event;
    static const char input[] = "C1 OK \"go\"\r\n* OK MUPDATE \"evil\"";

    (void)state;
    assert_int_equal(mupdate_client_starttls(client), 1);
    assert_true(mupdate_client_input(client, input, strlen(input)));
    assert_int_equal(mupdate_client_next(client, &event), MUPDATE_CLIENT_EVENT);
    assert_int_equal(event.type, MUPDATE_CLIENT_DONE);
    assert_int_equal(mupdate_client_discard_input(client), strlen("* OK MUPDATE \"evil\""));
    receive(client, "* OK MUPDATE \"good\" \"\" \"\" \"\"\r\n");
    assert_string_equal(mupdate_client_banner(client)->hostname, "good");
    mupdate_client_free(client);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(commands_are_written_with_literals_that_need_no_invitation),
        cmocka_unit_test(an_authentication_is_written_in_base64),
        cmocka_unit_test(a_command_out_of_place_is_not_written),
        cmocka_unit_test(a_refused_update_leaves_the_session_ready),
        cmocka_unit_test(input_in_the_clear_can_be_forgotten),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
