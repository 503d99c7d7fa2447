/* SPDX-License-Identifier: BSD-3-Clause */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "config_support.h"
#include "mupdated/config_listen.h"

static void each_form_of_an_address_is_split(void **state)
{
    static const struct {
        const char *word;
        const char *host;
        unsigned port;
        const char *full;
    } cases[] = {
        {"*", "", 3905, "*:3905"},
        {"*:1", "", 1, "*:1"},
        {"*:65535", "", 65535, "*:65535"},
        {"127.0.0.1", "127.0.0.1", 3905, "127.0.0.1:3905"},
        {"127.0.0.1:4000", "127.0.0.1", 4000, "127.0.0.1:4000"},
        {"mupdate.example.org", "mupdate.example.org", 3905, "mupdate.example.org:3905"},
        {"my-host_2:77", "my-host_2", 77, "my-host_2:77"},
        {"[::1]", "::1", 3905, "[::1]:3905"},
        {"[::]:3906", "::", 3906, "[::]:3906"},
        {"[fe80::1%eth0]:3906", "fe80::1%eth0", 3906, "[fe80::1%eth0]:3906"},
        {"tls:*:3906", "", 3906, "tls:*:3906"},
        {"tls:*", "", 3905, "tls:*:3905"},
        {"tls:[::1]:3906", "::1", 3906, "tls:[::1]:3906"},
        {"tls:mupdate.example.org:3906", "mupdate.example.org", 3906,
         "tls:mupdate.example.org:3906"},
    };
    (void)state;

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct config_listen listen;
        char word[CONFIG_LISTEN_WORD_BYTES];
        const char *reason = NULL;
        if (!config_listen_parse(cases[i].word, 3905, &listen, &reason)) {
            fail_msg("%s %s", cases[i].word, reason);
        }
        assert_int_equal(listen.kind, CONFIG_LISTEN_TCP);
        assert_int_equal(listen.tls, strncmp(cases[i].word, "tls:", 4) == 0);
        assert_string_equal(listen.host, cases[i].host);
        assert_int_equal(listen.port, cases[i].port);
        assert_string_equal(config_listen_format(&listen, word), cases[i].full);
    }
}

static void a_unix_path_is_kept_up_to_the_longest_that_a_socket_has(void **state)
{
    char word[5 + 108 + 1] = "unix:/";
    struct config_listen listen;
    char formatted[CONFIG_LISTEN_WORD_BYTES];
    const char *reason = NULL;
    (void)state;

    memset(word + 6, 'x', 106);
    assert_true(config_listen_parse(word, 3905, &listen, &reason));
    assert_int_equal(listen.kind, CONFIG_LISTEN_UNIX);
    assert_string_equal(listen.path, word + 5);
    assert_string_equal(config_listen_format(&listen, formatted), word);
    word[6 + 106] = 'x';
    assert_false(config_listen_parse(word, 3905, &listen, &reason));
    assert_string_equal(reason,
                        "has a path of more than 107 octets, which a Unix socket cannot have");
}

static void a_bad_word_is_refused_with_its_reason(void **state)
{
    static const struct {
        const char *word;
        const char *reason;
    } cases[] = {
        {"*:0", "no port number"},
        {"*:65536", "no port number"},
        {"*:99999999999999999999", "no port number"},
        {"*:", "no port number"},
        {"*:mupdate", "no port number"},
        {"*:39 05", "no port number"},
        {"host:-1", "no port number"},
        {":3905", "has no host"},
        {"tls:", "has no host"},
        {"tls:unix:/path", "before a Unix socket"},
        {"tls:tls:*:1", "more than one ':'"},
        {"", "has no host"},
        {"::1", "in brackets"},
        {"[::1", "not of the form"},
        {"[::1]3905", "not of the form"},
        {"[127.0.0.1]", "no IPv6 address"},
        {"[]", "no IPv6 address"},
        {"[::1%]", "no IPv6 address"},
        {"[*]", "no IPv6 address"},
        {"127.0.0.256", "four numbers"},
        {"127.1", "four numbers"},
        {"3905", "four numbers"},
        {"a/b", "has no host name"},
        {"-x", "has no host name"},
        {"**", "has no host name"},
        {"unix", "no absolute path"},
        {"tls", "no address behind"},
        {"unix:", "no absolute path"},
        {"unix:run/x", "no absolute path"},
    };
    (void)state;

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct config_listen listen;
        const char *reason = NULL;
        if (config_listen_parse(cases[i].word, 3905, &listen, &reason) ||
            strstr(reason, cases[i].reason) == NULL) {
            fail_msg("%s: %s", cases[i].word, reason);
        }
    }
}

static void a_host_name_that_is_too_long_is_refused(void **state)
{
    char word[300];
    struct config_listen listen;
    const char *reason = NULL;
    (void)state;

    memset(word, 'a', sizeof word);
    word[255] = '\0';
    assert_true(config_listen_parse(word, 3905, &listen, &reason));
    word[255] = 'a';
    word[256] = '\0';
    assert_false(config_listen_parse(word, 3905, &listen, &reason));
    assert_string_equal(reason, "has a host name of more than 255 octets");
}

static void the_default_is_all_addresses_at_mupdate_port(void **state)
{
    struct config *config = accept_text("mupdate_port: 4905\n");
    (void)state;

    assert_int_equal(config->listen.count, 1);
    assert_string_equal(config->listen.items[0], "*:4905");
    config_free(config);
}

static void several_words_each_get_a_port(void **state)
{
    struct config *config = accept_text("listen: 127.0.0.1 [::1]:77\tunix:/run/m host:1\n");
    (void)state;

    assert_int_equal(config->listen.count, 4);
    assert_string_equal(config->listen.items[0], "127.0.0.1:3905");
    assert_string_equal(config->listen.items[1], "[::1]:77");
    assert_string_equal(config->listen.items[2], "unix:/run/m");
    assert_string_equal(config->listen.items[3], "host:1");
    config_free(config);
}

static void a_bad_word_among_good_ones_is_named(void **state)
{
    (void)state;

    refuse_text("\nlisten: * ::1 host\n",
                "t.conf:2: listen: '::1' has more than one ':': write an IPv6 address in brackets, "
                "as [::1]:3905: give \"*\" (all addresses), a host name, an IPv4 address or an "
                "IPv6 address in brackets, each with \":PORT\" or without and with \"tls:\" before "
                "it or without, or \"unix:/absolute/path\"");
}

static void the_same_address_twice_is_refused(void **state)
{
    (void)state;

    refuse_text("listen: * *:3905\n",
                "t.conf:1: listen: '*:3905' is given twice: remove one of the two");
}

static void metrics_have_one_address_of_this_host_unless_another_is_written(void **state)
{
    static const struct {
        const char *value;
        const char *full; /* NULL: none */
        bool local;
    } cases[] = {
        {"9905", "127.0.0.1:9905", true},        {":9905", "127.0.0.1:9905", true},
        {"127.0.0.2:1", "127.0.0.2:1", true},    {"[::1]:65535", "[::1]:65535", true},
        {"0.0.0.0:9905", "0.0.0.0:9905", false}, {"[::]:9905", "[::]:9905", false},
        {"192.0.2.1:9905", "192.0.2.1:9905", false},
        {"[fe80::1%eth0]:9905", "[fe80::1%eth0]:9905", false},
        {"none", NULL, true},                    {"NONE", NULL, true},
    };
    (void)state;

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char text[128];
        struct config *config;

        snprintf(text, sizeof text, "admins: a\nmetrics_listen: %s\n", cases[i].value);
        config = accept_text(text);
        if (cases[i].full == NULL) {
            assert_null(config->metrics_listen);
        } else {
            assert_string_equal(config->metrics_listen, cases[i].full);
        }
        assert_int_equal(strstr(notices, "other hosts can ask") == NULL, cases[i].local);
        config_free(config);
    }
}

static void what_is_no_address_with_a_port_is_no_place_for_metrics(void **state)
{
    static const struct {
        const char *value;
        const char *reason;
    } cases[] = {
        {"0", "has no port number"},
        {"65536", "has no port number"},
        {":", "has no port number"},
        {"127.0.0.1", "has no port behind the address"},
        {"[::1]", "has no port behind the address"},
        {"127.0.0.1:0", "has no port number"},
        {"*:9905", "is no address of IP"},
        {"localhost:9905", "is no address of IP"},
        {"tls:127.0.0.1:9905", "is no address of IP"},
        {"unix:/run/metrics", "is no address of IP"},
        {"::1:9905", "has no port number"},
        {"127.1:9905", "has no IPv4 address"},
    };
    (void)state;

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char text[128];
        char expected[128];

        snprintf(text, sizeof text, "metrics_listen: %s\n", cases[i].value);
        snprintf(expected, sizeof expected, "t.conf:1: metrics_listen: '%s' %s", cases[i].value,
                 cases[i].reason);
        refuse_with(text, expected);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_form_of_an_address_is_split),
        cmocka_unit_test(a_unix_path_is_kept_up_to_the_longest_that_a_socket_has),
        cmocka_unit_test(a_bad_word_is_refused_with_its_reason),
        cmocka_unit_test(a_host_name_that_is_too_long_is_refused),
        cmocka_unit_test(the_default_is_all_addresses_at_mupdate_port),
        cmocka_unit_test(several_words_each_get_a_port),
        cmocka_unit_test(a_bad_word_among_good_ones_is_named),
        cmocka_unit_test(the_same_address_twice_is_refused),
        cmocka_unit_test(metrics_have_one_address_of_this_host_unless_another_is_written),
        cmocka_unit_test(what_is_no_address_with_a_port_is_no_place_for_metrics),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
