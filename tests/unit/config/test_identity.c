/* SPDX-License-Identifier: BSD-3-Clause */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "config_support.h"
#include "mupdated/config_identity.h"

#define CHECKED "tls_server_cert: /c\ntls_client_ca_file: /f\nadmins: a\n"

static void a_map_is_read_entry_by_entry(void **state)
{
    static const struct {
        const char *identity;
        enum tls_name kind;
        const char *name;
    } expected[] = {
        {"one", TLS_NAME_SAN_DNS, "b1.test"},
        {"two", TLS_NAME_SUBJECT, "CN=Jane Doe,O=A\\;B=C"},
        {"three", TLS_NAME_SAN_URI, "spiffe://murder/x"},
        {"four", TLS_NAME_CN, "Jane Q"},
        {"five", TLS_NAME_SAN_EMAIL, "ops@b.test"},
    };
    const char *at = "one=san-dns:b1.test; two = SUBJECT: CN=Jane Doe,O=A\\;B=C ;;three=san-uri:"
                     "spiffe://murder/x;four=cn:Jane Q;\tfive=san-email:ops@b.test;";
    struct config_identity_entry entry;
    const char *reason;
    (void)state;

    for (size_t i = 0; i < sizeof expected / sizeof expected[0]; i++) {
        assert_true(config_identity_next(&at, &entry, &reason));
        assert_string_equal(entry.identity, expected[i].identity);
        assert_int_equal(entry.kind, expected[i].kind);
        assert_string_equal(entry.name, expected[i].name);
    }
    assert_false(config_identity_next(&at, &entry, &reason));
    assert_null(reason);
}

static void a_bad_entry_is_refused_with_its_reason(void **state)
{
    static const char *const maps[] = {"one", "one=cn", "one=dns:x", "=cn:x", "a b=cn:x",
                                       "one=cn:", "one=cn: ", "one=cn:x;two", "one=cn;x:y"};
    char text[256];
    (void)state;

    for (size_t i = 0; i < sizeof maps / sizeof maps[0]; i++) {
        snprintf(text, sizeof text, CHECKED "tls_client_map: %s\n", maps[i]);
        refuse_with(text, "t.conf:4: tls_client_map: ");
    }
    refuse_with(CHECKED "tls_client_map: one=dns:x\n",
                "'one=dns:x' has an entry without a known kind of name and \":\" behind its \"=\": "
                "give entries \"USER=KIND:NAME\"");
}

static void a_name_that_is_too_long_is_refused(void **state)
{
    char map[TLS_NAME_BYTES + 16] = "one=cn:";
    const char *at = map;
    struct config_identity_entry entry;
    const char *reason;
    (void)state;

    memset(map + 7, 'x', TLS_NAME_BYTES - 1);
    assert_true(config_identity_next(&at, &entry, &reason));
    map[7 + TLS_NAME_BYTES - 1] = 'x';
    at = map;
    assert_false(config_identity_next(&at, &entry, &reason));
    assert_non_null(reason);
}

static void the_kinds_come_in_the_order_they_were_given(void **state)
{
    struct config *config = accept_text(CHECKED "tls_client_identity: subject  SAN-DNS cn\n");
    const char *at = config->tls_client_identity;
    enum tls_name kind;
    (void)state;

    assert_true(config_identity_kind(&at, &kind));
    assert_int_equal(kind, TLS_NAME_SUBJECT);
    assert_true(config_identity_kind(&at, &kind));
    assert_int_equal(kind, TLS_NAME_SAN_DNS);
    assert_true(config_identity_kind(&at, &kind));
    assert_int_equal(kind, TLS_NAME_CN);
    assert_false(config_identity_kind(&at, &kind));
    config_free(config);
}

static void certificates_that_are_not_checked_name_nobody(void **state)
{
    (void)state;

    refuse_with("tls_client_identity: cn\n",
                "t.conf:1: tls_client_identity: needs certificates of clients that are checked");
    refuse_with("tls_server_cert: /c\ntls_client_map: a=cn:b\n",
                "t.conf:2: tls_client_map: needs certificates of clients that are checked");
    refuse_with(CHECKED "tls_client_identity: cn\ntls_client_certs: off\n",
                "t.conf:4: tls_client_identity: needs certificates of clients that are checked");
}

static void external_must_be_among_the_mechanisms_that_are_named(void **state)
{
    struct config *config =
        accept_text(CHECKED "tls_client_identity: cn\nsasl_mech_list: PLAIN XEXTERNAL\n");
    (void)state;

    assert_string_equal(notices, "t.conf:4: tls_client_identity: has no effect: sasl_mech_list "
                                 "does not name EXTERNAL\n");
    config_free(config);
    config = accept_text(CHECKED "tls_client_identity: cn\nsasl_mech_list: PLAIN external\n");
    assert_string_equal(notices, "");
    config_free(config);
}

static void revocation_without_certificates_is_noticed(void **state)
{
    struct config *config = accept_text("admins: a\ntls_server_cert: /c\ntls_crl_file: /l\n");
    (void)state;

    assert_string_equal(notices, "t.conf:3: tls_crl_file: has no effect: clients are not asked for "
                                 "certificates\n");
    config_free(config);
    config = accept_text(CHECKED "tls_crl_file: /l\n");
    assert_string_equal(notices, "");
    config_free(config);
}

static void old_versions_are_noticed_where_openssl_does_not_speak_them(void **state)
{
    struct config *config = accept_text("admins: a\ntls_versions: tls1_0 tls1_2\n");
    (void)state;

    assert_non_null(strstr(notices, "t.conf:2: tls_versions: tls1_0 and tls1_1 have no effect"));
    config_free(config);
    config = accept_text("admins: a\ntls_versions: tls1_1\ntls_ciphers: DEFAULT:@SECLEVEL=0\n");
    assert_string_equal(notices, "");
    config_free(config);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_map_is_read_entry_by_entry),
        cmocka_unit_test(a_bad_entry_is_refused_with_its_reason),
        cmocka_unit_test(a_name_that_is_too_long_is_refused),
        cmocka_unit_test(the_kinds_come_in_the_order_they_were_given),
        cmocka_unit_test(certificates_that_are_not_checked_name_nobody),
        cmocka_unit_test(external_must_be_among_the_mechanisms_that_are_named),
        cmocka_unit_test(revocation_without_certificates_is_noticed),
        cmocka_unit_test(old_versions_are_noticed_where_openssl_does_not_speak_them),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
