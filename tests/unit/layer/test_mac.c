/* SPDX-License-Identifier: BSD-3-Clause */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "layer/tls_mac.h"

static void a_digest_depends_on_every_octet_and_on_nothing_before_it(void **state)
{
    struct tls_mac *mac = tls_mac_new();
    unsigned char first[TLS_MAC_BYTES], other[TLS_MAC_BYTES], again[TLS_MAC_BYTES];

    (void)state;
    assert_non_null(mac);
    assert_true(tls_mac_digest(mac, "ab", 2, "cd", 2, first));
    assert_true(tls_mac_digest(mac, "ab", 2, "ce", 2, other));
    assert_true(tls_mac_digest(mac, "ab", 2, "cd", 2, again));
    assert_false(tls_mac_equal(first, other));
    assert_true(tls_mac_equal(first, again));
    for (size_t i = 0; i < TLS_MAC_BYTES; i++) {
        again[i] ^= 1;
        assert_false(tls_mac_equal(first, again));
        again[i] ^= 1;
    }
    tls_mac_free(mac);
}

static void each_has_a_key_of_its_own(void **state)
{
    struct tls_mac *a = tls_mac_new();
    struct tls_mac *b = tls_mac_new();
    unsigned char of_a[TLS_MAC_BYTES], of_b[TLS_MAC_BYTES];

    (void)state;
    assert_non_null(a);
    assert_non_null(b);
    assert_true(tls_mac_digest(a, "", 0, "x", 1, of_a));
    assert_true(tls_mac_digest(b, "", 0, "x", 1, of_b));
    assert_memory_not_equal(of_a, of_b, TLS_MAC_BYTES);
    tls_mac_free(a);
    tls_mac_free(b);
    tls_mac_free(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_digest_depends_on_every_octet_and_on_nothing_before_it),
        cmocka_unit_test(each_has_a_key_of_its_own),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
