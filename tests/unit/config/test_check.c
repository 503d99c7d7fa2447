/* SPDX-License-Identifier: BSD-3-Clause */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "config_support.h"

static void tls_that_is_required_needs_a_certificate(void **state)
{
    (void)state;

    refuse_text("admins: a\ntls_required: yes\n",
                "t.conf:2: tls_required: yes needs tls_server_cert, or nobody could log in: add "
                "\"tls_server_cert: /etc/ssl/certs/mupdate.pem\", or say no");
    config_free(accept_text("tls_required: yes\ntls_server_cert: /c\n"));
}

static void tls_that_is_required_needs_starttls(void **state)
{
    (void)state;

    refuse_text("tls_server_cert: /c\ntls_required: yes\nallowstarttls: no\n",
                "t.conf:3: tls_required: yes and allowstarttls: no together let nobody log in: "
                "change one of the two, or add \"tls:*:3906\" to listen");
    config_free(accept_text("tls_server_cert: /c\nallowstarttls: no\n"));
    config_free(accept_text("tls_server_cert: /c\ntls_required: yes\nallowstarttls: no\n"
                            "listen: tls:*:3906\n"));
}

static void a_listener_with_tls_needs_a_certificate(void **state)
{
    (void)state;

    refuse_text("admins: a\nlisten: * tls:*:3906\n",
                "t.conf:2: listen: \"tls:\" needs tls_server_cert: add \"tls_server_cert: "
                "/etc/ssl/certs/mupdate.pem\", or remove \"tls:\"");
    config_free(accept_text("listen: * tls:*:3906\ntls_server_cert: /c\n"));
}

static void one_address_is_not_listened_on_with_tls_and_without(void **state)
{
    (void)state;

    refuse_with("tls_server_cert: /c\nlisten: * tls:*\n",
                "t.conf:2: listen: '*:3905' is given twice: remove one of the two, or give one of "
                "them another port");
    refuse_with("tls_server_cert: /c\nlisten: tls:*:1 tls:*:1\n",
                "listen: '*:1' is given twice: remove one of the two");
}

static void client_certificates_that_are_required_need_an_authority(void **state)
{
    (void)state;

    refuse_with("tls_client_certs: require\ntls_server_cert: /c\n",
                "t.conf:1: tls_client_certs: require needs tls_client_ca_file or "
                "tls_client_ca_dir");
    config_free(accept_text("tls_client_certs: require\ntls_server_cert: /c\n"
                            "tls_client_ca_dir: /d\n"));
    config_free(accept_text("tls_client_certs: require\ntls_server_cert: /c\n"
                            "tls_client_ca_file: /f\n"));
    config_free(accept_text("tls_client_certs: require\n"));
}

static void a_pair_of_certificates_is_refused(void **state)
{
    (void)state;

    refuse_with("tls_server_cert: /rsa.pem,/ec.pem\n",
                "t.conf:1: tls_server_cert: '/rsa.pem,/ec.pem' names two files, and mupdated uses "
                "one");
    config_free(accept_text("tls_server_cert: /rsa.pem,/ec.pem\n"
                            "mupdate_tls_server_cert: /rsa.pem\n"));
}

static void a_key_without_a_certificate_is_noticed(void **state)
{
    struct config *config = accept_text("admins: a\ntls_server_key: /k\n");
    (void)state;

    assert_string_equal(notices, "t.conf:2: tls_server_key: has no effect without tls_server_cert: "
                                 "there is no TLS\n");
    config_free(config);
}

static void the_least_layer_is_no_more_than_the_most(void **state)
{
    (void)state;

    refuse_text("sasl_minimum_layer: 257\n",
                "t.conf:1: sasl_minimum_layer: 257 is more than sasl_maximum_layer, which is 256: "
                "give a minimum of no more than the maximum");
    refuse_with("sasl_minimum_layer: 2\nsasl_maximum_layer: 1\n", "t.conf:2: "
                                                                  "sasl_minimum_layer: 2");
    config_free(accept_text("sasl_minimum_layer: 1\nsasl_maximum_layer: 1\n"));
}

static void a_literal_has_room_for_each_string(void **state)
{
    (void)state;

    refuse_text("limit_literal: 65535\n",
                "t.conf:1: limit_literal: 65535 is less than limit_acl, which is 65536, and "
                "clients send each string as a literal: give limit_literal at least that");
    refuse_with("limit_literal: 64K\nlimit_name: 65537\n",
                "t.conf:2: limit_literal: 65536 is less than limit_name, which is 65537");
    refuse_with("limit_location: 1M\n",
                "t.conf:1: limit_literal: 131072 is less than limit_location, which is 1048576");
    config_free(accept_text("limit_literal: 64K\n"));
}

static void a_backlog_is_no_longer_than_the_log_of_changes(void **state)
{
    (void)state;

    refuse_text("admins: a\nsubscriber_backlog: 500001\n",
                "t.conf:2: subscriber_backlog: 500001 is more than log_changes, which is "
                "500000, and "
                "a change that is not kept cannot be sent: give no more than that");
    refuse_with("log_changes: 1000\n", "t.conf:1: subscriber_backlog: 250000 is more than");
    config_free(accept_text("subscriber_backlog: 500000\n"));
}

struct changes {
    char text[512];
};

static void keep_change(void *context, const char *key, enum config_effect effect)
{
    struct changes *changes = context;
    size_t used = strlen(changes->text);

    snprintf(changes->text + used, sizeof changes->text - used, "%s=%s ", key,
             effect == CONFIG_ON_RELOAD ? "reload" : "restart");
}

static void compare(const char *before, const char *after, size_t differ, const char *expected)
{
    struct config *a = accept_text(before);
    struct config *b = accept_text(after);
    struct changes changes = {""};

    assert_int_equal(config_compare(a, b, keep_change, &changes), differ);
    assert_string_equal(changes.text, expected);
    config_free(a);
    config_free(b);
}

static void the_same_configuration_written_otherwise_is_no_change(void **state)
{
    (void)state;

    compare("admins: a b\nlimit_name: 2K\nlisten: *\nsasl_x: 1\nidle_timeout: 1h\n",
            "idle_timeout: 60m\nsasl_x: 1\nlisten: *:3905\nlimit_name: 2048\nadmins: a  b\n", 0,
            "");
}

static void a_change_says_whether_it_needs_a_restart(void **state)
{
    (void)state;

    compare("", "admins: a\nlog_level: debug\nlisten: [::1]\nlist_order: octet\n"
                "location_conflict: deny\nlimit_name: 2K\nsyslog_prefix: x\n", 7,
            "listen=restart log_level=reload syslog_prefix=restart admins=reload "
            "list_order=restart location_conflict=reload limit_name=reload ");
    compare("tls_server_cert: /a\n", "tls_server_cert: /b\n", 1, "tls_server_cert=reload ");
    compare("tls_server_cert: /a\n", "", 1, "tls_server_cert=reload ");
    compare("admins: a b\n", "admins: a c\n", 1, "admins=reload ");
}

static void sasl_settings_that_come_go_or_change_are_told(void **state)
{
    (void)state;

    compare("sasl_same: 1\nsasl_other: 1\nsasl_gone: 1\n",
            "sasl_other: 2\nsasl_new: 1\nsasl_same: 1\n", 3,
            "sasl_other=reload sasl_new=reload sasl_gone=reload ");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(tls_that_is_required_needs_a_certificate),
        cmocka_unit_test(tls_that_is_required_needs_starttls),
        cmocka_unit_test(a_listener_with_tls_needs_a_certificate),
        cmocka_unit_test(one_address_is_not_listened_on_with_tls_and_without),
        cmocka_unit_test(client_certificates_that_are_required_need_an_authority),
        cmocka_unit_test(a_pair_of_certificates_is_refused),
        cmocka_unit_test(a_key_without_a_certificate_is_noticed),
        cmocka_unit_test(the_least_layer_is_no_more_than_the_most),
        cmocka_unit_test(a_literal_has_room_for_each_string),
        cmocka_unit_test(a_backlog_is_no_longer_than_the_log_of_changes),
        cmocka_unit_test(the_same_configuration_written_otherwise_is_no_change),
        cmocka_unit_test(a_change_says_whether_it_needs_a_restart),
        cmocka_unit_test(sasl_settings_that_come_go_or_change_are_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
