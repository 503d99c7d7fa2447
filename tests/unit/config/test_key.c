/* SPDX-License-Identifier: BSD-3-Clause */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "config_support.h"
#include "mupdated/config_cyrus.h"
#include "mupdated/config_key.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static void an_unknown_key_is_refused(void **state)
{
    static const char *const names[] = {"frobnicate", "x", "imap", "_admins", "my_log_level",
                                        "admins_imap", "tls_quux", "sasl", "sasl_", "mupdate_",
                                        "partition", "4"};
    (void)state;

    refuse_text("# c\nfrobnicate: 1\n",
                "t.conf:2: frobnicate: is not a key of mupdated or Cyrus: correct its spelling, or "
                "remove the line; mupdated.conf(5) lists the keys");
    for (size_t i = 0; i < COUNT(names); i++) {
        char text[64];
        snprintf(text, sizeof text, "%s: 1\n", names[i]);
        refuse_with(text, "is not a key of mupdated or Cyrus");
    }
}

static void a_misspelt_key_is_told_its_right_name(void **state)
{
    static const struct {
        const char *wrong;
        const char *right;
    } cases[] = {
        {"admnis", "admins"},           {"admin", "admins"},           {"adminss", "admins"},
        {"lisen", "listen"},            {"limit_nmae", "limit_name"},  {"limit-acl", "limit_acl"},
        {"idel_timeout", "idle_timeout"}, {"log_levle", "log_level"},
        {"tls_server_certs", "tls_server_cert"}, {"databasedirectory", "database_directory"},
        {"alowplaintxt", "allowplaintext"}, {"mupdate_prot", "mupdate_port"},
    };
    (void)state;

    refuse_text("admnis: murder\n", "t.conf:1: admnis: is not a key of mupdated or Cyrus: did you "
                                    "mean \"admins\"?");
    for (size_t i = 0; i < COUNT(cases); i++) {
        char text[64];
        char part[64];
        snprintf(text, sizeof text, "%s: 1\n", cases[i].wrong);
        snprintf(part, sizeof part, "did you mean \"%s\"?", cases[i].right);
        refuse_with(text, part);
    }
}

static void the_distance_counts_swaps_and_letters_and_stops_past_two(void **state)
{
    (void)state;

    assert_int_equal(config_key_distance("listen", "listen"), 0);
    assert_int_equal(config_key_distance("listen", "lsiten"), 1);
    assert_int_equal(config_key_distance("listen", "isten"), 1);
    assert_int_equal(config_key_distance("isten", "listen"), 1);
    assert_int_equal(config_key_distance("listen", "liXten"), 1);
    assert_int_equal(config_key_distance("listen", "lsitne"), 2);
    assert_int_equal(config_key_distance("listen", "list"), 2);
    assert_int_equal(config_key_distance("listen", "lis"), 3);
    assert_int_equal(config_key_distance("listen", ""), 3);
    assert_int_equal(config_key_distance("", ""), 0);
    assert_int_equal(config_key_distance("listen", "something else altogether"), 3);
}

static void a_name_longer_than_any_key_is_near_to_none(void **state)
{
    char name[200];
    (void)state;

    memset(name, 'a', sizeof name);
    name[sizeof name - 1] = '\0';
    assert_null(config_key_nearest(name));
    assert_int_equal(config_key_distance(name, name), 3);
    name[64] = '\0';
    assert_int_equal(config_key_distance(name, name), 0);
}

static void the_keys_of_cyrus_are_sorted_and_none_of_ours(void **state)
{
    size_t count = 0;
    (void)state;

    for (const char *name; (name = config_cyrus_name(count)) != NULL; count++) {
        if (count > 0) {
            assert_true(strcmp(config_cyrus_name(count - 1), name) < 0);
        }
        assert_true(config_cyrus_has(name));
        assert_null(config_key_find(name));
        assert_null(config_key_renamed(name));
    }
    assert_in_range(count, 500, 1000);
    assert_false(config_cyrus_has("frobnicate"));
}

static void no_key_of_ours_looks_like_one_of_cyruss(void **state)
{
    (void)state;

    for (size_t i = 0; i < config_key_count; i++) {
        assert_false(config_cyrus_may_have(config_keys[i].name));
        for (size_t j = 0; j < i; j++) {
            assert_string_not_equal(config_keys[i].name, config_keys[j].name);
        }
    }
}

static void a_key_of_cyruss_without_a_meaning_is_accepted_with_one_notice(void **state)
{
    struct config *config = accept_text("admins: a\nhashimapspool: true\nmupdate_server: m\n"
                                        "mupdate_retry_delay: 3\nmupdate_timeout: 5\n");
    (void)state;

    assert_string_equal(notices,
                        "t.conf:2: hashimapspool: has no effect: a key of Cyrus's without a "
                        "meaning for mupdated\n"
                        "t.conf:3: mupdate_server: has no effect: a key of Cyrus's without a "
                        "meaning for mupdated\n"
                        "t.conf:4: mupdate_retry_delay: has no effect: a key of Cyrus's without a "
                        "meaning for mupdated\n"
                        "t.conf:5: mupdate_timeout: has no effect: a key of Cyrus's without a "
                        "meaning for mupdated\n");
    config_free(config);
}

static void keys_with_a_name_of_the_operators_in_them_are_accepted(void **state)
{
    struct config *config = accept_text(
        "admins: a\npartition-default: /p\nmetapartition-x: /m\nmetapartition_index-x: /m\n"
        "archivepartition-x: /a\nfastsearchpartition-x: /s\nxlist-Sent: Sent\n"
        "backend1_password: x\nbackend1_mechs: PLAIN\nsieve_newer_than_this: 1\njmap_newest: 1\n");
    (void)state;

    assert_int_equal(notices_with("has no effect: taken for a key of Cyrus's"), 10);
    config_free(config);
}

static void the_kind_of_file_that_distributions_ship_is_accepted(void **state)
{
    struct config *config = accept_text(
        "configdirectory: /var/lib/cyrus\nproc_path: /run/cyrus/proc\n"
        "mboxname_lockpath: /run/cyrus/lock\ndefaultpartition: default\n"
        "partition-default: /var/spool/cyrus/mail\npartition-news: /var/spool/cyrus/news\n"
        "newsspool: /var/spool/news\naltnamespace: no\nunixhierarchysep: no\n"
        "lmtp_downcase_rcpt: yes\nallowanonymouslogin: no\npopminpoll: 1\n"
        "autocreate_quota: 0\numask: 077\nsieveusehomedir: false\nsievedir: /var/spool/sieve\n"
        "httpmodules: caldav carddav\nhashimapspool: true\nallowplaintext: yes\n"
        "sasl_pwcheck_method: auxprop\nsasl_auto_transition: no\n"
        "tls_client_ca_dir: /etc/ssl/certs\ntls_session_timeout: 1440\n"
        "lmtpsocket: /run/cyrus/socket/lmtp\nidlesocket: /run/cyrus/socket/idle\n"
        "notifysocket: /run/cyrus/socket/notify\nsyslog_prefix: cyrus\n");
    (void)state;

    assert_string_equal(config->database_directory, "/var/lib/cyrus/mupdated");
    assert_string_equal(config->syslog_prefix, "cyrus");
    assert_string_equal(config->tls_client_ca_dir, "/etc/ssl/certs");
    assert_true(config->allowplaintext);
    assert_string_equal(config_sasl(config, "auto_transition"), "no");
    assert_int_equal(notices_with("has no effect"), 21);
    config_free(config);
}

static void a_key_for_another_service_is_accepted_with_a_notice(void **state)
{
    struct config *config = accept_text("admins: a\nimap_admins: x\nmy_lmtp_sasl_mech_list: PLAIN\n"
                                        "imaps_tls_cert_file: /x\nlmtp_timeout: 3\n");
    (void)state;

    assert_int_equal(config->admins.count, 1);
    assert_string_equal(config->admins.items[0], "a");
    assert_null(config_sasl(config, "mech_list"));
    assert_null(config->tls_server_cert);
    assert_string_equal(notices,
                        "t.conf:2: imap_admins: has no effect: for Cyrus's service \"imap\", "
                        "mupdated is \"mupdate\"\n"
                        "t.conf:3: my_lmtp_sasl_mech_list: has no effect: for Cyrus's service "
                        "\"my_lmtp\", mupdated is \"mupdate\"\n"
                        "t.conf:4: imaps_tls_cert_file: has no effect: for Cyrus's service "
                        "\"imaps\", mupdated is \"mupdate\"\n"
                        "t.conf:5: lmtp_timeout: has no effect: for Cyrus's service \"lmtp\", "
                        "mupdated is \"mupdate\"\n");
    config_free(config);
}

static void the_services_own_key_wins_in_either_order(void **state)
{
    static const char *const texts[] = {
        "admins: a\nmupdate_admins: b\nmupdate_log_level: debug\nlog_level: error\n",
        "mupdate_admins: b\nadmins: a\nlog_level: error\nmupdate_log_level: debug\n",
    };
    (void)state;

    for (size_t i = 0; i < COUNT(texts); i++) {
        struct config *config = accept_text(texts[i]);
        assert_int_equal(config->admins.count, 1);
        assert_string_equal(config->admins.items[0], "b");
        assert_int_equal(config->log_level, LOG_DEBUG);
        assert_string_equal(notices, "");
        config_free(config);
    }
}

static void a_wrong_value_of_the_services_own_key_is_named_as_written(void **state)
{
    (void)state;

    refuse_text("mupdate_allowplaintext: x\n",
                "t.conf:1: mupdate_allowplaintext: 'x' is neither yes nor no: give yes or no, e.g. "
                "\"mupdate_allowplaintext: no\"");
}

static void sasl_settings_are_kept_without_their_prefix(void **state)
{
    struct config *config = accept_text("admins: a\nsasl_pwcheck_method: auxprop\n"
                                        "SASL_Mech_List: PLAIN SCRAM-SHA-256\n"
                                        "sasl_minimum_layer: 1\n");
    (void)state;

    assert_int_equal(config->sasl.count, 2);
    assert_string_equal(config_sasl(config, "pwcheck_method"), "auxprop");
    assert_string_equal(config_sasl(config, "mech_list"), "PLAIN SCRAM-SHA-256");
    assert_null(config_sasl(config, "minimum_layer"));
    assert_null(config_sasl(config, "none"));
    assert_int_equal(config->sasl_minimum_layer, 1);
    assert_string_equal(notices, "");
    config_free(config);
}

static void the_services_own_sasl_setting_wins_in_either_order(void **state)
{
    static const char *const texts[] = {
        "sasl_mech_list: PLAIN\nmupdate_sasl_mech_list: GSSAPI\n",
        "mupdate_sasl_mech_list: GSSAPI\nsasl_mech_list: PLAIN\n",
    };
    (void)state;

    for (size_t i = 0; i < COUNT(texts); i++) {
        struct config *config = accept_text(texts[i]);
        assert_int_equal(config->sasl.count, 1);
        assert_string_equal(config_sasl(config, "mech_list"), "GSSAPI");
        config_free(config);
    }
}

static void names_that_cyrus_gave_up_are_obeyed_with_a_notice(void **state)
{
    struct config *config = accept_text("admins: a\ntls_cert_file: /c\ntls_key_file: /k\n"
                                        "tls_ca_file: /f\ntls_ca_path: /d\n"
                                        "tls_cipher_list: HIGH\ntls_require_cert: yes\n");
    (void)state;

    assert_string_equal(config->tls_server_cert, "/c");
    assert_string_equal(config->tls_server_key, "/k");
    assert_string_equal(config->tls_client_ca_file, "/f");
    assert_string_equal(config->tls_client_ca_dir, "/d");
    assert_string_equal(config->tls_ciphers, "HIGH");
    assert_string_equal(config->tls_client_certs, "require");
    assert_int_equal(notices_with("is obeyed, and called \""), 6);
    assert_int_equal(notices_with("t.conf:2: tls_cert_file: is obeyed, and called "
                                  "\"tls_server_cert\" today: please rename it\n"), 1);
    config_free(config);
}

static void todays_name_wins_over_one_that_cyrus_gave_up(void **state)
{
    static const char *const texts[] = {
        "tls_cert_file: /old\ntls_server_cert: /new\n",
        "tls_server_cert: /new\ntls_cert_file: /old\n",
        "tls_server_cert: /old\nmupdate_tls_cert_file: /new\ntls_cert_file: /old\n",
    };
    (void)state;

    for (size_t i = 0; i < COUNT(texts); i++) {
        struct config *config = accept_text(texts[i]);
        assert_string_equal(config->tls_server_cert, "/new");
        config_free(config);
    }
}

static void a_murder_of_another_kind_is_served_with_a_notice(void **state)
{
    struct config *config = accept_text("admins: a\nmupdate_config: unified\n");
    (void)state;

    assert_string_equal(notices, "t.conf:2: mupdate_config: has no effect: mupdated serves every "
                                 "kind of Murder as a standard one\n");
    config_free(config);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_unknown_key_is_refused),
        cmocka_unit_test(a_misspelt_key_is_told_its_right_name),
        cmocka_unit_test(the_distance_counts_swaps_and_letters_and_stops_past_two),
        cmocka_unit_test(a_name_longer_than_any_key_is_near_to_none),
        cmocka_unit_test(the_keys_of_cyrus_are_sorted_and_none_of_ours),
        cmocka_unit_test(no_key_of_ours_looks_like_one_of_cyruss),
        cmocka_unit_test(a_key_of_cyruss_without_a_meaning_is_accepted_with_one_notice),
        cmocka_unit_test(keys_with_a_name_of_the_operators_in_them_are_accepted),
        cmocka_unit_test(the_kind_of_file_that_distributions_ship_is_accepted),
        cmocka_unit_test(a_key_for_another_service_is_accepted_with_a_notice),
        cmocka_unit_test(the_services_own_key_wins_in_either_order),
        cmocka_unit_test(a_wrong_value_of_the_services_own_key_is_named_as_written),
        cmocka_unit_test(sasl_settings_are_kept_without_their_prefix),
        cmocka_unit_test(the_services_own_sasl_setting_wins_in_either_order),
        cmocka_unit_test(names_that_cyrus_gave_up_are_obeyed_with_a_notice),
        cmocka_unit_test(todays_name_wins_over_one_that_cyrus_gave_up),
        cmocka_unit_test(a_murder_of_another_kind_is_served_with_a_notice),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
