/* SPDX-License-Identifier: BSD-3-Clause */
#include "wire/base64.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static void encodes_the_examples_of_rfc_4648(void **state)
{
    static const char *const cases[][2] = {
        { "", "" },
        { "f", "Zg==" },
        { "fo", "Zm8=" },
        { "foo", "Zm9v" },
        { "foob", "Zm9vYg==" },
        { "fooba", "Zm9vYmE=" },
        { "foobar", "Zm9vYmFy" },
        { "\xff\xfe\xfd", "//79" },
        { "\xfb\xef\xbe", "++++" },
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char text[16];
        size_t decoded;

        assert_int_equal(base64_encoded_len(strlen(cases[i][0])), strlen(cases[i][1]));
        base64_encode(text, cases[i][0], strlen(cases[i][0]));
        assert_memory_equal(text, cases[i][1], strlen(cases[i][1]));
        assert_true(base64_decode((uint8_t *)text, strlen(cases[i][1]), &decoded));
        assert_int_equal(decoded, strlen(cases[i][0]));
        assert_memory_equal(text, cases[i][0], decoded);
    }
}

static void decodes_what_it_encoded_for_every_length(void **state)
{
    uint8_t data[200];
    char text[300];

    (void)state;
    srand(3656);
    for (size_t len = 0; len < sizeof data; len++) {
        size_t decoded;

        for (size_t i = 0; i < len; i++)
            data[i] = (uint8_t)rand();
        base64_encode(text, data, len);
        assert_true(base64_decode((uint8_t *)text, base64_encoded_len(len), &decoded));
        assert_int_equal(decoded, len);
        assert_memory_equal(text, data, len);
    }
}

static void refuses_everything_that_is_not_strict_base64(void **state)
{
    static const char *const cases[] = {
        "Z",      "Zg",       "Zg=",      "Zm9",   "Zm9v=", "Zm9v====", "====",  "=m9v",
        "Z=9v",   "Zm=v",     "Zg==Zg==", "Zm8=Zm8=", "Zh==", "Zm9=",  "Z g==", "Zm9v\n",
        "Zm9v\r\n", "Zm-_",   "\xc3\xa4==", "Zm9*", "*",    "A===",     "Zm9v Zm9v",
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        uint8_t text[32];
        size_t decoded;

        memcpy(text, cases[i], strlen(cases[i]));
        if (base64_decode(text, strlen(cases[i]), &decoded))
            fail_msg("taken: %s", cases[i]);
    }
    {
        uint8_t nul[] = { 'Z', 'm', '9', '\0' };
        size_t decoded;

        assert_false(base64_decode(nul, sizeof nul, &decoded));
    }
}

static void a_length_that_would_wrap_is_reported(void **state)
{
    (void)state;
    assert_true(base64_encoded_len(SIZE_MAX) == SIZE_MAX);
    assert_int_equal(base64_encoded_len(SIZE_MAX / 8 * 3 / 3), base64_encoded_len(SIZE_MAX / 8));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(encodes_the_examples_of_rfc_4648),
        cmocka_unit_test(decodes_what_it_encoded_for_every_length),
        cmocka_unit_test(refuses_everything_that_is_not_strict_base64),
        cmocka_unit_test(a_length_that_would_wrap_is_reported),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
