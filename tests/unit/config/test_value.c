/* SPDX-License-Identifier: BSD-3-Clause */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "config_support.h"
#include "mupdated/config_value.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

/* A configuration of this one setting. */
static struct config *with(const char *key, const char *value)
{
    char text[256];

    snprintf(text, sizeof text, "%s: %s\n", key, value);
    return parse(text);
}

static void a_bool_has_all_of_imapd_confs_words(void **state)
{
    static const char *const yes[] = {"yes", "y", "true", "t", "on", "1", "YES", "True", "ON"};
    static const char *const no[] = {"no", "n", "false", "f", "off", "0", "NO", "False", "OFF"};
    (void)state;

    for (size_t i = 0; i < COUNT(yes); i++) {
        struct config *config = with("allowplaintext", yes[i]);
        assert_non_null(config);
        assert_true(config->allowplaintext);
        config_free(config);
    }
    for (size_t i = 0; i < COUNT(no); i++) {
        struct config *config = with("heal_resync", no[i]);
        assert_non_null(config);
        assert_false(config->heal_resync);
        config_free(config);
    }
}

static void anything_else_is_no_bool(void **state)
{
    static const char *const values[] = {"yess", "2", "o", "ye", "yes no", "-1", "enabled"};
    (void)state;

    for (size_t i = 0; i < COUNT(values); i++) {
        assert_null(with("allowplaintext", values[i]));
    }
    refuse_text("allowplaintext: maybe\n", "t.conf:1: allowplaintext: 'maybe' is neither yes nor "
                                           "no: give yes or no, e.g. \"allowplaintext: no\"");
}

static void a_size_has_units_of_1024(void **state)
{
    static const struct {
        const char *value;
        size_t bytes;
    } cases[] = {
        {"1024", 1024}, {"1k", 1024},  {"1K", 1024},   {"1kb", 1024},       {"1KB", 1024},
        {"2000b", 2000}, {"1M", 1 << 20}, {"1mb", 1 << 20}, {"0001024", 1024},
    };
    (void)state;

    for (size_t i = 0; i < COUNT(cases); i++) {
        char text[256];
        struct config *config;
        snprintf(text, sizeof text, "limit_name: %s\nlimit_literal: 2M\n",
                 cases[i].value);
        config = accept_text(text);
        assert_int_equal(config->name_bytes, cases[i].bytes);
        config_free(config);
    }
}

static void what_is_no_size_is_refused(void **state)
{
    static const char *const values[] = {"4x", "K", "4 K", "-1", "+1024", "1.5K", "0x1000", "1KK",
                                         "4KiB", "1K1K", "1s", "4096\xc2\xa0"};
    (void)state;

    for (size_t i = 0; i < COUNT(values); i++) {
        assert_null(with("limit_name", values[i]));
        assert_non_null(strstr(failure.text, "is not a size"));
    }
    refuse_text("\nlimit_name: 12x\n",
                "t.conf:2: limit_name: '12x' is not a size: give a size from 1K to 1M (octets, or "
                "with K, M or G for 1024, 1024K or 1024M), e.g. \"limit_name: 4K\"");
}

static void a_duration_has_units_that_are_added(void **state)
{
    static const struct {
        const char *value;
        int ms;
    } cases[] = {
        {"900", 900000},     {"900s", 900000},     {"15m", 900000}, {"1h", 3600000},
        {"1h30m", 5400000},  {"1D", 86400000},     {"1d1s1s", 86402000},
        {"900000ms", 900000}, {"15m1ms", 900001},
    };
    (void)state;

    for (size_t i = 0; i < COUNT(cases); i++) {
        struct config *config = with("idle_timeout", cases[i].value);
        assert_non_null(config);
        assert_int_equal(config->idle_timeout_ms, cases[i].ms);
        config_free(config);
    }
}

static void what_is_no_duration_is_refused(void **state)
{
    static const char *const values[] = {"m", "15 m", "1h30", "-15m", "1w", "15M15", "1.5h", "1K"};
    (void)state;

    for (size_t i = 0; i < COUNT(values); i++) {
        assert_null(with("idle_timeout", values[i]));
        assert_non_null(strstr(failure.text, "is not a duration"));
    }
    refuse_text("idle_timeout: 5m\n",
                "t.conf:1: idle_timeout: '5m' is too small: give a duration from 15m to 20d "
                "(seconds, or with ms, s, m, h or d; several are added, as 1h30m), e.g. "
                "\"idle_timeout: 180m\"");
}

static void a_number_has_digits_only(void **state)
{
    static const char *const values[] = {"1K", "", "1s", "1e3", "0x10", "-1", "one", "1 2"};
    (void)state;

    for (size_t i = 0; i < COUNT(values); i++) {
        assert_null(with("limit_commands", values[i]));
    }
    refuse_text("mupdate_port: mupdate\n",
                "t.conf:1: mupdate_port: 'mupdate' is not a whole number: give a whole number from "
                "1 to 65535, e.g. \"mupdate_port: 3905\"");
}

/* What a key's value is in a configuration, whatever the width of its member. */
static uint64_t number_of(const struct config *config, const struct config_key *key)
{
    uint64_t wide = 0;
    uint32_t narrow = 0;
    const char *member = (const char *)config + key->offset;

    if (key->size == sizeof narrow) {
        memcpy(&narrow, member, sizeof narrow);
        return narrow;
    }
    assert_int_equal(key->size, sizeof wide);
    memcpy(&wide, member, sizeof wide);
    return wide;
}

static void every_number_is_taken_at_both_edges_and_refused_past_them(void **state)
{
    struct config *config = accept_text("");
    size_t tried = 0;
    (void)state;

    for (size_t i = 0; i < config_key_count; i++) {
        const struct config_key *key = &config_keys[i];
        const char *unit = key->type == CONFIG_DURATION ? "ms" : "";
        const char *reason = NULL;
        char text[64];

        if (key->type != CONFIG_NUMBER && key->type != CONFIG_SIZE &&
            key->type != CONFIG_DURATION) {
            continue;
        }
        tried++;
        snprintf(text, sizeof text, "%llu%s", (unsigned long long)key->min, unit);
        assert_int_equal(config_value_set(config, key, text, &reason), CONFIG_VALUE_SET);
        assert_int_equal(number_of(config, key), key->min);
        snprintf(text, sizeof text, "%llu%s", (unsigned long long)key->max + 1, unit);
        assert_int_equal(config_value_set(config, key, text, &reason), CONFIG_VALUE_WRONG);
        assert_string_equal(reason, "is too large");
        assert_int_equal(number_of(config, key), key->min);
        snprintf(text, sizeof text, "%llu%s", (unsigned long long)key->max, unit);
        assert_int_equal(config_value_set(config, key, text, &reason), CONFIG_VALUE_SET);
        assert_int_equal(number_of(config, key), key->max);
        if (key->min > 0) {
            snprintf(text, sizeof text, "%llu%s", (unsigned long long)key->min - 1, unit);
            assert_int_equal(config_value_set(config, key, text, &reason), CONFIG_VALUE_WRONG);
            assert_string_equal(reason, "is too small");
        }
        snprintf(text, sizeof text, "99999999999999999999999999%s", unit);
        assert_int_equal(config_value_set(config, key, text, &reason), CONFIG_VALUE_WRONG);
        assert_string_equal(reason, "is too large");
    }
    assert_true(tried > 20);
    config_free(config);
}

static void a_product_that_overflows_is_too_large(void **state)
{
    (void)state;

    refuse_with("cache_size: 18014398509481984K\n", "is too large");
    refuse_with("cache_size: 17179869185G\n", "is too large");
    refuse_with("idle_timeout: 18446744073709551615ms1ms900000ms\n", "is too large");
    refuse_with("idle_timeout: 18446744073709552\n", "is too large");
}

static void a_word_is_taken_in_any_case(void **state)
{
    struct config *config = accept_text("list_order: OCTET\nlocation_conflict: Deny\nlog: Syslog\n"
                                        "syslog_facility: local3\ntls_client_certs: OFF\n"
                                        "log_level: WARNING\nmupdate_config: Standard\n");
    (void)state;

    assert_int_equal(config->list_order, CONFIG_ORDER_OCTET);
    assert_true(config->deny_location_conflict);
    assert_int_equal(config->log, LOG_TARGET_SYSLOG);
    assert_int_equal(config->syslog_facility, LOG_LOCAL3);
    assert_int_equal(config->log_level, LOG_WARNING);
    assert_string_equal(config->tls_client_certs, "off");
    config_free(config);
}

static void a_wrong_word_is_refused_with_those_allowed(void **state)
{
    (void)state;

    refuse_text("list_order: cyrus\n", "t.conf:1: list_order: 'cyrus' is not one of the words "
                                       "allowed: give cyrus36 or octet, e.g. \"list_order: "
                                       "cyrus36\"");
    refuse_with("list_order: yes\n", "is not one of the words allowed");
    refuse_with("syslog_facility: LOCAL8\n",
                "give MAIL, DAEMON, NEWS, USER, LOCAL0, LOCAL1, LOCAL2, LOCAL3, LOCAL4, LOCAL5, "
                "LOCAL6 or LOCAL7");
    refuse_with("log_level: err\n", "give error, warning, notice, info or debug");
    refuse_with("mupdate_config: split\n", "give standard, replicated or unified");
}

static void tls_versions_are_put_in_one_form(void **state)
{
    struct config *config = accept_text("tls_versions: TLS1_3\t ssl3  tls1_2\n");
    (void)state;

    assert_string_equal(config->tls_versions, "tls1_3 tls1_2");
    config_free(config);
    refuse_text("tls_versions: tls1_2 tls1_4\n",
                "t.conf:1: tls_versions: 'tls1_2 tls1_4' has a word that is not one of those "
                "allowed: give one or more of tls1_0, tls1_1, tls1_2, tls1_3, ssl2 or ssl3, e.g. "
                "\"tls_versions: tls1_2 tls1_3\"");
    refuse_with("tls_versions: ssl3\n", "has nothing that can be had");
}

static void a_path_starts_at_the_root(void **state)
{
    (void)state;

    refuse_text("database_directory: db\n",
                "t.conf:1: database_directory: 'db' is not an absolute path: give a path from the "
                "root, as \"/...\", e.g. \"database_directory: /var/lib/mupdated\"");
    refuse_with("tls_client_ca_file: disabled\n", "is not an absolute path");
}

static void the_configdirectory_is_filled_in(void **state)
{
    struct config *config = accept_text("database_directory: {ConfigDirectory}/db\n"
                                        "configdirectory: /srv/cyrus\n");
    (void)state;

    assert_string_equal(config->database_directory, "/srv/cyrus/db");
    config_free(config);
    refuse_with("database_directory: {configdirectory}/db\n",
                "t.conf:1: database_directory: '{configdirectory}/db' cannot be filled in");
    refuse_with("configdirectory: {configdirectory}/db\n",
                "t.conf:1: configdirectory: '{configdirectory}/db' cannot be filled in");
}

static void the_database_is_in_configdirectory_by_default(void **state)
{
    struct config *config = accept_text("configdirectory: /srv/cyrus\n");
    (void)state;

    assert_string_equal(config->database_directory, "/srv/cyrus/mupdated");
    config_free(config);
    config = accept_text("");
    assert_string_equal(config->database_directory, "/var/lib/mupdated");
    config_free(config);
}

static void disabled_turns_tls_off_as_in_cyrus(void **state)
{
    struct config *config = accept_text("tls_server_cert: Disabled\ntls_server_key: disabled\n");
    (void)state;

    assert_null(config->tls_server_cert);
    assert_null(config->tls_server_key);
    config_free(config);
}

static void a_name_is_one_plain_word(void **state)
{
    static const char *const values[] = {"a b", "a\"b", "a\\b", "a\tb", "a\x7f", "b\xc3\xa9"};
    (void)state;

    for (size_t i = 0; i < COUNT(values); i++) {
        assert_null(with("servername", values[i]));
        assert_non_null(strstr(failure.text, "is not one word of plain characters"));
    }
}

static void the_servername_is_this_hosts_by_default(void **state)
{
    struct config *config = accept_text("");
    (void)state;

    assert_non_null(config->servername);
    assert_true(config->servername[0] != '\0');
    config_free(config);
}

static void every_example_in_a_message_is_right(void **state)
{
    struct config *config = accept_text("");
    (void)state;

    for (size_t i = 0; i < config_key_count; i++) {
        const char *example = config_value_example(&config_keys[i]);
        const char *reason;
        assert_non_null(example);
        assert_int_equal(config_value_set(config, &config_keys[i], example, &reason),
                         CONFIG_VALUE_SET);
    }
    config_free(config);
}

static void the_defaults_are_those_that_the_manual_promises(void **state)
{
    struct config *config = accept_text("");
    (void)state;

    assert_int_equal(config->mupdate_port, 3905);
    assert_null(config->configdirectory);
    assert_int_equal(config->log, LOG_TARGET_STDERR);
    assert_int_equal(config->syslog_facility, LOG_MAIL);
    assert_null(config->syslog_prefix);
    assert_int_equal(config->log_level, LOG_INFO);
    assert_false(config->allowplaintext);
    assert_int_equal(config->sasl_minimum_layer, 0);
    assert_int_equal(config->sasl_maximum_layer, 256);
    assert_int_equal(config->sasl.count, 0);
    assert_int_equal(config->failedloginpause_ms, 3000);
    assert_int_equal(config->password_cache, CONFIG_PASSWORD_CACHE_SASLDB);
    assert_int_equal(config->password_cache_time_ms, 60000);
    assert_true(config->allowstarttls);
    assert_false(config->tls_required);
    assert_null(config->tls_server_cert);
    assert_null(config->tls_server_key);
    assert_null(config->tls_client_ca_file);
    assert_null(config->tls_client_ca_dir);
    assert_string_equal(config->tls_client_certs, "optional");
    assert_string_equal(config->tls_versions, "tls1_2 tls1_3");
    assert_string_equal(config->tls_ciphers, "DEFAULT");
    assert_int_equal(config->list_order, CONFIG_ORDER_CYRUS36);
    assert_false(config->deny_location_conflict);
    assert_true(config->heal_resync);
    assert_int_equal(config->heal_delay_ms, 1000);
    assert_int_equal(config->connections_max, 4096);
    assert_int_equal(config->name_bytes, 4096);
    assert_int_equal(config->location_bytes, 1024);
    assert_int_equal(config->acl_bytes, 65536);
    assert_int_equal(config->tag_bytes, 64);
    assert_int_equal(config->line_bytes, 8192);
    assert_int_equal(config->literal_bytes, 131072);
    assert_int_equal(config->commands_in_flight, 64);
    assert_int_equal(config->output_bytes, 262144);
    assert_int_equal(config->subscriber_backlog, 250000);
    assert_int_equal(config->login_timeout_ms, 60000);
    assert_int_equal(config->idle_timeout_ms, 180 * 60000);
    assert_int_equal(config->cache_bytes, 268435456);
    assert_int_equal(config->log_changes, 500000);
    assert_int_equal(config->checkpoint_interval_ms, 5000);
    config_free(config);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_bool_has_all_of_imapd_confs_words),
        cmocka_unit_test(anything_else_is_no_bool),
        cmocka_unit_test(a_size_has_units_of_1024),
        cmocka_unit_test(what_is_no_size_is_refused),
        cmocka_unit_test(a_duration_has_units_that_are_added),
        cmocka_unit_test(what_is_no_duration_is_refused),
        cmocka_unit_test(a_number_has_digits_only),
        cmocka_unit_test(every_number_is_taken_at_both_edges_and_refused_past_them),
        cmocka_unit_test(a_product_that_overflows_is_too_large),
        cmocka_unit_test(a_word_is_taken_in_any_case),
        cmocka_unit_test(a_wrong_word_is_refused_with_those_allowed),
        cmocka_unit_test(tls_versions_are_put_in_one_form),
        cmocka_unit_test(a_path_starts_at_the_root),
        cmocka_unit_test(the_configdirectory_is_filled_in),
        cmocka_unit_test(the_database_is_in_configdirectory_by_default),
        cmocka_unit_test(disabled_turns_tls_off_as_in_cyrus),
        cmocka_unit_test(a_name_is_one_plain_word),
        cmocka_unit_test(the_servername_is_this_hosts_by_default),
        cmocka_unit_test(every_example_in_a_message_is_right),
        cmocka_unit_test(the_defaults_are_those_that_the_manual_promises),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
