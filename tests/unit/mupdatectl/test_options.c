/* SPDX-License-Identifier: BSD-3-Clause */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "tools/mupdatectl/command.h"

static void a_host_is_split_from_its_port(void **state)
{
    static const struct {
        const char *text;
        const char *host;
        const char *port;
        bool tls;
    } cases[] = {
        {"localhost", "localhost", NULL, false},
        {"mupdate.example.org:3906", "mupdate.example.org", "3906", false},
        {"127.0.0.1:mupdate", "127.0.0.1", "mupdate", false},
        {"::1", "::1", NULL, false},
        {"2001:db8::1", "2001:db8::1", NULL, false},
        {"[::1]", "::1", NULL, false},
        {"[::1]:3906", "::1", "3906", false},
        {"unix:/run/mupdated/socket", "unix:/run/mupdated/socket", NULL, false},
        {"unix:/run/a:b", "unix:/run/a:b", NULL, false},
        {"unix:/run/tls", "unix:/run/tls", NULL, false},
        {"mupdate.example.org/tls", "mupdate.example.org", NULL, true},
        {"mupdate.example.org:3906/tls", "mupdate.example.org", "3906", true},
        {"[::1]:3906/tls", "::1", "3906", true},
        {"::1/tls", "::1", NULL, true},
    };
    size_t i;

    (void)state;
    for (i = 0; i < sizeof cases / sizeof *cases; i++) {
        char text[64];
        const char *host;
        const char *port;
        bool tls;

        strcpy(text, cases[i].text);
        assert_true(ctl_split_host(text, &host, &port, &tls));
        assert_int_equal(tls, cases[i].tls);
        assert_string_equal(host, cases[i].host);
        if (cases[i].port)
            assert_string_equal(port, cases[i].port);
        else
            assert_null(port);
    }
}

static void what_is_no_host_is_refused(void **state)
{
    static const char *const cases[] = {"",       ":3905",  "host:",         "[]",   "[::1",
                                        "[::1]x", "[::1]:", "unix:relative", "unix:",
                                        "host/", "host/ssl", "host/tls/", "host:/tls", "/tls"};
    size_t i;

    (void)state;
    for (i = 0; i < sizeof cases / sizeof *cases; i++) {
        char text[64];
        const char *host;
        const char *port;
        bool tls;

        strcpy(text, cases[i]);
        if (ctl_split_host(text, &host, &port, &tls))
            fail_msg("\"%s\" was taken", cases[i]);
    }
}

static void seconds_may_have_decimals_and_have_limits(void **state)
{
    static const char *const wrong[] = {"",   "-1",  "+1",  " 1",    "0",   "0.0009",
                                        "1s", "nan", "inf", "86401", "1e9", "0x"};
    size_t i;

    (void)state;
    assert_int_equal(ctl_seconds("30"), 30000);
    assert_int_equal(ctl_seconds("0.25"), 250);
    assert_int_equal(ctl_seconds("0.001"), 1);
    assert_int_equal(ctl_seconds("86400"), 86400000);
    for (i = 0; i < sizeof wrong / sizeof *wrong; i++)
        if (ctl_seconds(wrong[i]) != -1)
            fail_msg("\"%s\" was taken", wrong[i]);
}

static int option_of(struct ctl *ctl, const struct ctl_command *command, int argc, char **argv)
{
    int option;

    assert_int_equal(ctl_options_init(ctl), 0);
    ctl->command = command;
    optind = 0;
    do
        option = ctl_option(ctl, argc, argv);
    while (option >= CTL_OWN_OPTION);
    return option;
}

static void shared_options_are_taken_behind_the_command_too(void **state)
{
    char *argv[] = {"list",  "-h",        "[::1]:99", "--json",     "-u",  "jane", "--tls",
                    "never", "--timeout", "2.5",      "--location", "b1!", NULL};
    struct ctl ctl;

    (void)state;
    assert_int_equal(option_of(&ctl, &ctl_list_command, 12, argv), CTL_END);
    assert_string_equal(ctl.connect.host, "::1");
    assert_string_equal(ctl.connect.port, "99");
    assert_string_equal(ctl.connect.user, "jane");
    assert_int_equal(ctl.connect.tls, MUPDATE_TLS_NEVER);
    assert_int_equal(ctl.connect.timeout_ms, 2500);
    assert_true(ctl.json);
    ctl_options_free(&ctl);
}

static int complete(int argc, char **argv, struct ctl *ctl)
{
    assert_int_equal(option_of(ctl, &ctl_ping_command, argc, argv), CTL_END);
    return ctl_options_complete(ctl);
}

static void tls_behind_the_host_goes_before_starttls(void **state)
{
    char *require[] = {"ping", "--tls", "require", "-h", "a:1/tls", NULL};
    char *never[] = {"ping", "-h", "a/tls", "--tls", "never", NULL};
    struct ctl ctl;

    (void)state;
    assert_int_equal(complete(5, require, &ctl), 0);
    assert_int_equal(ctl.connect.tls, MUPDATE_TLS_FIRST);
    assert_string_equal(ctl.connect.host, "a");
    ctl_options_free(&ctl);
    assert_int_equal(complete(5, never, &ctl), 64);
    ctl_options_free(&ctl);
}

static void a_certificate_logs_in_unless_a_user_is_named(void **state)
{
    char *alone[] = {"ping", "--cert", "c", "--key", "k", NULL};
    char *named[] = {"ping", "--cert", "c", "-u", "jane", NULL};
    char *plain[] = {"ping", "--cert", "c", "-m", "PLAIN", NULL};
    char *key[] = {"ping", "--key", "k", NULL};
    struct ctl ctl;

    (void)state;
    assert_int_equal(complete(5, alone, &ctl), 0);
    assert_null(ctl.connect.user);
    assert_string_equal(ctl.connect.cert_file, "c");
    assert_string_equal(ctl.connect.key_file, "k");
    ctl_options_free(&ctl);
    assert_int_equal(complete(5, named, &ctl), 0);
    assert_string_equal(ctl.connect.user, "jane");
    ctl_options_free(&ctl);
    assert_int_equal(complete(5, plain, &ctl), 0);
    assert_string_equal(ctl.connect.user, ctl.account);
    ctl_options_free(&ctl);
    assert_int_equal(complete(3, key, &ctl), 64);
    ctl_options_free(&ctl);
}

static void a_name_that_looks_like_an_option_stands_behind_two_hyphens(void **state)
{
    char *argv[] = {"find", "--json", "--", "--json", NULL};
    struct ctl ctl;

    (void)state;
    assert_int_equal(option_of(&ctl, &ctl_find_command, 4, argv), CTL_END);
    assert_int_equal(optind, 3);
    ctl_options_free(&ctl);
}

static void every_command_is_found_by_its_name_and_explains_itself(void **state)
{
    static const char *const names[] = {"find",    "list",       "watch",  "activate",
                                        "reserve", "deactivate", "delete", "ping"};
    size_t i;

    (void)state;
    for (i = 0; i < sizeof names / sizeof *names; i++) {
        const struct ctl_command *command = ctl_command_find(names[i]);

        assert_non_null(command);
        assert_string_equal(command->name, names[i]);
        assert_true(strlen(command->summary) > 0);
        assert_true(strlen(command->help) > strlen(command->summary));
    }
    assert_null(ctl_command_find("frobnicate"));
    assert_null(ctl_command_find(""));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_host_is_split_from_its_port),
        cmocka_unit_test(what_is_no_host_is_refused),
        cmocka_unit_test(seconds_may_have_decimals_and_have_limits),
        cmocka_unit_test(shared_options_are_taken_behind_the_command_too),
        cmocka_unit_test(tls_behind_the_host_goes_before_starttls),
        cmocka_unit_test(a_certificate_logs_in_unless_a_user_is_named),
        cmocka_unit_test(a_name_that_looks_like_an_option_stands_behind_two_hyphens),
        cmocka_unit_test(every_command_is_found_by_its_name_and_explains_itself),
    };

    return cmocka_run_group_tests_name("mupdatectl options", tests, NULL, NULL);
}
