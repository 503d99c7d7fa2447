/* SPDX-License-Identifier: BSD-3-Clause */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "layer/tls_digest.h"

/* FIPS 180-2, appendix B.2: the digest of two blocks. */
static const char message[] = "abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq";
static const unsigned char known[TLS_DIGEST_BYTES] = {
    0x24, 0x8d, 0x6a, 0x61, 0xd2, 0x06, 0x38, 0xb8, 0xe5, 0xc0, 0x26, 0x93, 0x0c, 0x3e, 0x60, 0x39,
    0xa3, 0x3c, 0xe4, 0x59, 0x64, 0xff, 0x21, 0x67, 0xf6, 0xec, 0xed, 0xd4, 0x19, 0xdb, 0x06, 0xc1,
};

static void the_digest_is_that_of_the_standard_however_the_octets_are_cut(void **state)
{
    (void)state;
    for (size_t cut = 0; cut < sizeof message; cut++) {
        struct tls_digest *digest = tls_digest_new();
        unsigned char octets[TLS_DIGEST_BYTES];

        assert_non_null(digest);
        assert_true(tls_digest_add(digest, message, cut));
        assert_true(tls_digest_add(digest, message + cut, strlen(message) - cut));
        assert_true(tls_digest_end(digest, octets));
        assert_memory_equal(octets, known, sizeof known);
        tls_digest_free(digest);
    }
    tls_digest_free(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_digest_is_that_of_the_standard_however_the_octets_are_cut),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
