/* SPDX-License-Identifier: BSD-3-Clause */
#include "wire/encode.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

static const struct mupdate_text tag = { "U01", 3 };

static void expect(struct buffer *out, const char *text, size_t len)
{
    assert_false(out->failed);
    assert_int_equal(buffer_len(out), len);
    assert_memory_equal(buffer_bytes(out), text, len);
    buffer_free(out);
}

#define EXPECT(out, text) expect(out, text, sizeof text - 1)

static void numbers_are_decimal(void **state)
{
    uint8_t to[ENCODE_DIGITS];

    (void)state;
    assert_int_equal(encode_number(to, 0), 1);
    assert_memory_equal(to, "0", 1);
    assert_int_equal(encode_number(to, 1905), 4);
    assert_memory_equal(to, "1905", 4);
    assert_int_equal(encode_number(to, UINT64_MAX), 20);
    assert_memory_equal(to, "18446744073709551615", 20);
}

static void an_active_row_is_a_mailbox_line_of_three_literals(void **state)
{
    struct buffer out = { 0 };
    struct mupdate_row row = { MUPDATE_ACTIVE, { "user.a\0b", 8 }, { "s!p", 3 }, { "", 0 } };

    (void)state;
    encode_row(&out, tag, &row);
    EXPECT(&out, "U01 MAILBOX {8+}\r\nuser.a\0b {3+}\r\ns!p {0+}\r\n\r\n");
}

static void a_reserved_row_has_no_acl(void **state)
{
    struct buffer out = { 0 };
    struct mupdate_row row = { MUPDATE_RESERVED, { "n", 1 }, { "s!", 2 }, { "acl", 3 } };

    (void)state;
    encode_row(&out, tag, &row);
    EXPECT(&out, "U01 RESERVE {1+}\r\nn {2+}\r\ns!\r\n");
}

static void an_absent_row_is_a_delete(void **state)
{
    struct buffer out = { 0 };
    struct mupdate_row row = { MUPDATE_ABSENT, { "n", 1 }, { "s!", 2 }, { NULL, 0 } };

    (void)state;
    encode_row(&out, tag, &row);
    EXPECT(&out, "U01 DELETE {1+}\r\nn\r\n");
}

static void texts_hold_nothing_that_breaks_a_line(void **state)
{
    struct buffer out = { 0 };

    (void)state;
    encode_reply(&out, tag, MUPDATE_NO, "held by \"b\\c\"\r\nU01 OK\t\x01\x7f\xc3\xa4");
    EXPECT(&out, "U01 NO \"held by \\\"b\\\\c\\\"\?\?U01 OK\?\?\?\?\?\"\r\n");
    encode_reply(&out, tag, MUPDATE_OK, NULL);
    EXPECT(&out, "U01 OK \"\"\r\n");
    encode_reply(&out, (struct mupdate_text){ "*", 1 }, MUPDATE_BYE, "x");
    EXPECT(&out, "* BYE \"x\"\r\n");
    encode_reply(&out, tag, MUPDATE_BAD, "x");
    EXPECT(&out, "U01 BAD \"x\"\r\n");
}

static void long_texts_are_cut_and_never_within_an_escape(void **state)
{
    char text[2000];
    struct buffer out = { 0 };

    (void)state;
    memset(text, 'x', sizeof text);
    text[sizeof text - 1] = '\0';
    encode_quoted(&out, text);
    assert_int_equal(buffer_len(&out), ENCODE_TEXT_BYTES + 2);
    buffer_free(&out);

    text[ENCODE_TEXT_BYTES - 1] = '"';
    encode_quoted(&out, text);
    assert_int_equal(buffer_len(&out), ENCODE_TEXT_BYTES - 1 + 2);
    assert_memory_equal(buffer_bytes(&out) + buffer_len(&out) - 2, "x\"", 2);
    buffer_free(&out);

    memset(text, '\\', sizeof text - 1);
    encode_quoted(&out, text);
    assert_int_equal(buffer_len(&out), ENCODE_TEXT_BYTES + 2);
    buffer_free(&out);
}

static void a_literal_is_its_length_and_its_octets(void **state)
{
    struct buffer out = { 0 };

    (void)state;
    encode_literal(&out, (struct mupdate_text){ "a\r\n\0b", 5 });
    EXPECT(&out, "{5+}\r\na\r\n\0b");
    encode_literal(&out, (struct mupdate_text){ NULL, 0 });
    EXPECT(&out, "{0+}\r\n");
}

static void sizes_that_cannot_be_had_fail_the_buffer(void **state)
{
    struct buffer out = { 0 };
    struct mupdate_row row = { MUPDATE_ACTIVE, { "n", 1 }, { "s", 1 }, { "a", SIZE_MAX / 2 } };

    (void)state;
    encode_row(&out, tag, &row);
    assert_true(out.failed);
    buffer_free(&out);
    encode_literal(&out, (struct mupdate_text){ "a", SIZE_MAX - 2 });
    assert_true(out.failed);
    buffer_free(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(numbers_are_decimal),
        cmocka_unit_test(an_active_row_is_a_mailbox_line_of_three_literals),
        cmocka_unit_test(a_reserved_row_has_no_acl),
        cmocka_unit_test(an_absent_row_is_a_delete),
        cmocka_unit_test(texts_hold_nothing_that_breaks_a_line),
        cmocka_unit_test(long_texts_are_cut_and_never_within_an_escape),
        cmocka_unit_test(a_literal_is_its_length_and_its_octets),
        cmocka_unit_test(sizes_that_cannot_be_had_fail_the_buffer),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
