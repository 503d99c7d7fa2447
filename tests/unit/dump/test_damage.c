/* SPDX-License-Identifier: BSD-3-Clause */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "tests/unit/dump/dump_support.h"

#include <stdlib.h>
#include <string.h>

static const char header_line[] =
    "mupdate-dump 1 history=00112233445566778899aabbccddeeff term=1 sequence=1000 rows=3 "
    "order=octet time=2026-11-22T10:00:00Z\n";

/* A small dump, good. */
static void small_dump(struct buffer *out)
{
    struct row rows[] = {
        dump_row_of("user.a b", "be1.test!p", "a\tlrs\t"),
        dump_row_of("user.b", "be2.test!p", NULL),
        dump_row_of("user.c", "be2.test", ""),
    };
    struct dump_header header = dump_header_of(3);

    dump_write(&header, rows, 3, out);
}

/* A dump of these lines with a trailer that is right. */
static struct dump_verdict read_lines(const char *header, const char *lines, uint64_t rows)
{
    struct buffer dump = {0};
    struct dump_verdict verdict;

    buffer_append_string(&dump, header);
    buffer_append_string(&dump, lines);
    buffer_append_string(&dump, "end\n");
    dump_seal(&dump, rows);
    verdict = dump_read(buffer_bytes(&dump), buffer_len(&dump), 100, NULL);
    buffer_free(&dump);
    return verdict;
}

static void a_dump_that_is_cut_off_anywhere_is_refused(void **state)
{
    struct buffer dump = {0};

    (void)state;
    small_dump(&dump);
    for (size_t len = 0; len < buffer_len(&dump); len++) {
        struct dump_verdict verdict = dump_read(buffer_bytes(&dump), len, 64, NULL);

        assert_int_equal(verdict.result, DUMP_BAD);
        assert_int_equal(verdict.complaints, 1);
    }
    assert_int_equal(dump_read(buffer_bytes(&dump), buffer_len(&dump), 64, NULL).result, DUMP_END);
    buffer_free(&dump);
}

static void every_flipped_bit_is_seen(void **state)
{
    struct buffer dump = {0};
    uint8_t *octets;

    (void)state;
    small_dump(&dump);
    octets = buffer_bytes(&dump);
    for (size_t i = 0; i < 8 * buffer_len(&dump); i++) {
        octets[i / 8] ^= (uint8_t)(1 << i % 8);
        assert_int_equal(dump_read(octets, buffer_len(&dump), 64, NULL).result, DUMP_BAD);
        octets[i / 8] ^= (uint8_t)(1 << i % 8);
    }
    buffer_free(&dump);
}

static void every_octet_that_is_missing_or_twice_is_seen(void **state)
{
    struct buffer dump = {0};
    size_t len;
    uint8_t *copy;

    (void)state;
    small_dump(&dump);
    len = buffer_len(&dump);
    copy = malloc(len + 1);
    assert_non_null(copy);
    for (size_t i = 0; i < len; i++) {
        memcpy(copy, buffer_bytes(&dump), i);
        memcpy(copy + i, buffer_bytes(&dump) + i + 1, len - i - 1);
        assert_int_equal(dump_read(copy, len - 1, 64, NULL).result, DUMP_BAD);
        memcpy(copy + i, buffer_bytes(&dump) + i, 1);
        memcpy(copy + i + 1, buffer_bytes(&dump) + i, len - i);
        assert_int_equal(dump_read(copy, len + 1, 64, NULL).result, DUMP_BAD);
    }
    free(copy);
    buffer_free(&dump);
}

struct bad_line {
    const char *line; /* the second of three */
    const char *text; /* of the complaint */
};

#define TAIL " 7 1795341600000000 be1\n"

static const struct bad_line bad_lines[] = {
    {"X b be1!p \\-" TAIL, "neither A nor R"},
    {"AR b be1!p \\-" TAIL, "neither A nor R"},
    {"\n", "neither A nor R"},
    {"A\n", "a field is missing"},
    {"A b\n", "a field is missing"},
    {"A  be1!p \\-" TAIL, "a field is missing"},
    {"A b be1!p \\- 7 1795341600000000\n", "a field is missing"},
    {"A b be1!p \\- 7 1795341600000000 \n", "a field is missing"},
    {"A b be1!p \\- 7 1795341600000000 be1 \n", "behind its last field"},
    {"A b be1!p \\- 7 1795341600000000 be1 more\n", "behind its last field"},
    {"A b\t be1!p \\-" TAIL, "must be escaped"},
    {"A b\xff be1!p \\-" TAIL, "must be escaped"},
    {"A b be1!p a\r 7 1 be1\n", "must be escaped"},
    {"A b\\ be1!p \\-" TAIL, "a backslash is not followed"},
    {"A b\\x0 be1!p \\-" TAIL, "a backslash is not followed"},
    {"A b\\x0g be1!p \\-" TAIL, "a backslash is not followed"},
    {"A b\\xff be1!p \\-" TAIL, "a backslash is not followed"},
    {"A b\\X0A be1!p \\-" TAIL, "a backslash is not followed"},
    {"A b\\- be1!p \\-" TAIL, "a backslash is not followed"},
    {"A b\\x41 be1!p \\-" TAIL, "escaped that must not be"},
    {"A \\- be1!p \\-" TAIL, "mailbox name is empty"},
    {"A b\\x00 be1!p \\-" TAIL, "mailbox name contains NUL"},
    {"A b\\x0A be1!p \\-" TAIL, "mailbox name contains NUL, CR or LF"},
    {"A b \\- \\-" TAIL, "location is empty"},
    {"A b !p \\-" TAIL, "location names no server"},
    {"A b be1!p!q \\-" TAIL, "more than one"},
    {"A b be1!p a\\x00" TAIL, "ACL contains NUL"},
    {"R b be1!p a" TAIL, "a reserved row has an ACL"},
    {"A b be1!p \\- 0 1 be1\n", "sequence number is missing or wrong"},
    {"A b be1!p \\- 07 1 be1\n", "sequence number is missing or wrong"},
    {"A b be1!p \\- +7 1 be1\n", "sequence number is missing or wrong"},
    {"A b be1!p \\- 18446744073709551616 1 be1\n", "sequence number is missing or wrong"},
    {"A b be1!p \\- 1001 1 be1\n", "above the header's"},
    {"A b be1!p \\- 7 1.5 be1\n", "its time is missing or wrong"},
    {"A b be1!p \\- 7 -0 be1\n", "its time is missing or wrong"},
    {"A b be1!p \\- 7 9223372036854775808 be1\n", "its time is missing or wrong"},
    {"A a be1!p \\-" TAIL, "its name is that of the row before"},
    {"A \\x1F be1!p \\-" TAIL, "not in the order"},
};

static void every_wrong_line_is_named_and_explained(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof bad_lines / sizeof bad_lines[0]; i++) {
        struct buffer lines = {0};
        struct dump_verdict verdict;

        buffer_append_string(&lines, "A a be1!p \\-" TAIL);
        buffer_append_string(&lines, bad_lines[i].line);
        buffer_append_string(&lines, "A c be1!p \\-" TAIL);
        buffer_append(&lines, "", 1);
        verdict = read_lines(header_line, (const char *)buffer_bytes(&lines), 3);
        buffer_free(&lines);
        if (verdict.result != DUMP_BAD || verdict.complaints != 1 || verdict.line != 3 ||
            !strstr(verdict.text, bad_lines[i].text))
            fail_msg("%s: %d, %u complaints, line %d: %s", bad_lines[i].line, (int)verdict.result,
                     verdict.complaints, (int)verdict.line, verdict.text);
        assert_int_equal(verdict.rows, 1);
    }
}

static const char *const bad_headers[] = {
    "\n",
    "mupdate-dump\n",
    "mupdate-dum 1 history=00112233445566778899aabbccddeeff term=1 sequence=1 rows=0 order=octet "
    "time=2026-11-22T10:00:00Z\n",
    "mupdate-dump 0 history=00112233445566778899aabbccddeeff term=1 sequence=1 rows=0 order=octet "
    "time=2026-11-22T10:00:00Z\n",
    "mupdate-dump 2 history=00112233445566778899aabbccddeeff term=1 sequence=1 rows=0 order=octet "
    "time=2026-11-22T10:00:00Z\n",
    "mupdate-dump 1 history=00112233445566778899aabbccddeef term=1 sequence=1 rows=0 order=octet "
    "time=2026-11-22T10:00:00Z\n",
    "mupdate-dump 1 history=00112233445566778899AABBCCDDEEFF term=1 sequence=1 rows=0 order=octet "
    "time=2026-11-22T10:00:00Z\n",
    "mupdate-dump 1 history=00112233445566778899aabbccddeeff term=0 sequence=1 rows=0 order=octet "
    "time=2026-11-22T10:00:00Z\n",
    "mupdate-dump 1 history=00112233445566778899aabbccddeeff sequence=1 rows=0 order=octet "
    "time=2026-11-22T10:00:00Z\n",
    "mupdate-dump 1 history=00112233445566778899aabbccddeeff term=1 sequence=18446744073709551615 "
    "rows=0 order=octet time=2026-11-22T10:00:00Z\n",
    "mupdate-dump 1 history=00112233445566778899aabbccddeeff term=1 sequence=1 rows=x order=octet "
    "time=2026-11-22T10:00:00Z\n",
    "mupdate-dump 1 history=00112233445566778899aabbccddeeff term=1 sequence=1 rows=0 "
    "order=cyrus36 time=2026-11-22T10:00:00Z\n",
    "mupdate-dump 1 history=00112233445566778899aabbccddeeff term=1 sequence=1 rows=0 "
    "order=octet time=2026-02-31T10:00:00Z\n",
    "mupdate-dump 1 history=00112233445566778899aabbccddeeff term=1 sequence=1 rows=0 "
    "order=octet time=2026-11-22 10:00:00\n",
    "mupdate-dump 1 history=00112233445566778899aabbccddeeff term=1 sequence=1 rows=0 "
    "order=octet\n",
    "mupdate-dump 1 history=00112233445566778899aabbccddeeff term=1 sequence=1 rows=0 "
    "order=octet time=2026-11-22T10:00:00Z server=\n",
    "mupdate-dump 1 history=00112233445566778899aabbccddeeff term=1 sequence=1 rows=0 "
    "order=octet time=2026-11-22T10:00:00Z server=\\-\n",
    "mupdate-dump 1 history=00112233445566778899aabbccddeeff term=1 sequence=1 rows=0 "
    "order=octet time=2026-11-22T10:00:00Z more=1\n",
    "mupdate-dump 1 history=00112233445566778899aabbccddeeff term=1 sequence=1 rows=0 "
    "order=octet time=2026-11-22T10:00:00Z server=be1 more=1\n",
};

static void a_bad_header_is_the_one_complaint(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof bad_headers / sizeof bad_headers[0]; i++) {
        struct dump_verdict verdict = read_lines(bad_headers[i], "", 0);

        if (verdict.result != DUMP_BAD || verdict.complaints != 1 || verdict.line != 1)
            fail_msg("%s: %d", bad_headers[i], (int)verdict.result);
    }
    assert_non_null(strstr(read_lines(bad_headers[4], "", 0).text, "newer"));
}

static void a_row_of_another_server_is_none_of_a_dump_of_one_server(void **state)
{
    static const char header[] =
        "mupdate-dump 1 history=00112233445566778899aabbccddeeff term=1 sequence=1000 rows=2 "
        "order=octet time=2026-11-22T10:00:00Z server=be1\n";

    (void)state;
    assert_int_equal(read_lines(header, "A a be1!p \\-" TAIL "A b be1 \\-" TAIL, 2).result,
                     DUMP_END);
    assert_int_equal(read_lines(header, "A a be1!p \\-" TAIL "A b be10!p \\-" TAIL, 2).line, 3);
}

static void wrong_counts_are_seen_in_the_header_and_in_the_trailer(void **state)
{
    static const char two_rows[] = "A a be1!p \\-" TAIL "A b be1!p \\-" TAIL;
    struct dump_verdict verdict = read_lines(header_line, two_rows, 2);

    (void)state;
    assert_int_equal(verdict.result, DUMP_BAD);
    assert_non_null(strstr(verdict.text, "there are 2 rows, and the header says 3"));
    verdict = read_lines(header_line, two_rows, 3);
    assert_int_equal(verdict.result, DUMP_BAD);
    assert_non_null(strstr(verdict.text, "does not count 2 rows"));
}

static void after_twenty_complaints_nothing_more_is_read(void **state)
{
    struct buffer lines = {0};
    struct dump_verdict verdict;

    (void)state;
    for (int i = 0; i < 100; i++)
        buffer_append_string(&lines, "nonsense\n");
    buffer_append(&lines, "", 1);
    verdict = read_lines(header_line, (const char *)buffer_bytes(&lines), 100);
    assert_int_equal(verdict.result, DUMP_BAD);
    assert_int_equal(verdict.complaints, DUMP_COMPLAINTS_MAX);
    buffer_free(&lines);
}

static void a_line_without_end_costs_bounded_memory(void **state)
{
    static char line[1 << 20];
    struct dump_verdict verdict;

    (void)state;
    memset(line, 'a', sizeof line);
    verdict = dump_read(line, sizeof line, 1000, NULL);
    assert_int_equal(verdict.result, DUMP_BAD);
    assert_non_null(strstr(verdict.text, "longer than"));
}

static void what_is_wider_than_the_limits_is_refused(void **state)
{
    static char name[1025];
    struct dump_header header = dump_header_of(1);
    struct row row = dump_row_of("", "be1!p", "");
    struct buffer out = {0};
    struct dump_verdict verdict;

    (void)state;
    memset(name, 'a', sizeof name);
    row.mupdate.name = (struct mupdate_text){name, sizeof name};
    dump_write(&header, &row, 1, &out);
    verdict = dump_read(buffer_bytes(&out), buffer_len(&out), 100, NULL);
    assert_int_equal(verdict.result, DUMP_BAD);
    assert_non_null(strstr(verdict.text, "too long"));
    buffer_free(&out);
}

/* The reader must end, whatever it is given; the sanitizers see the rest. */
static void noise_is_refused(void **state)
{
    struct buffer dump = {0};
    uint8_t *octets;
    size_t len;
    uint32_t random = 1;

    (void)state;
    small_dump(&dump);
    octets = buffer_bytes(&dump);
    len = buffer_len(&dump);
    for (int round = 0; round < 20000; round++) {
        uint8_t saved[4];
        size_t places[4];

        for (size_t i = 0; i < 4; i++) {
            random = random * 1664525 + 1013904223;
            places[i] = (random >> 8) % len;
            saved[i] = octets[places[i]];
            octets[places[i]] ^= (uint8_t)(1 + (random >> 24) % 255);
        }
        if (places[0] != places[1] && places[2] != places[3])
            (void)dump_read(octets, len, 1 + random % 97, NULL);
        for (size_t i = 4; i-- > 0;)
            octets[places[i]] = saved[i];
    }
    assert_int_equal(dump_read(octets, len, 64, NULL).result, DUMP_END);
    buffer_free(&dump);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_dump_that_is_cut_off_anywhere_is_refused),
        cmocka_unit_test(every_flipped_bit_is_seen),
        cmocka_unit_test(every_octet_that_is_missing_or_twice_is_seen),
        cmocka_unit_test(every_wrong_line_is_named_and_explained),
        cmocka_unit_test(a_bad_header_is_the_one_complaint),
        cmocka_unit_test(a_row_of_another_server_is_none_of_a_dump_of_one_server),
        cmocka_unit_test(wrong_counts_are_seen_in_the_header_and_in_the_trailer),
        cmocka_unit_test(after_twenty_complaints_nothing_more_is_read),
        cmocka_unit_test(a_line_without_end_costs_bounded_memory),
        cmocka_unit_test(what_is_wider_than_the_limits_is_refused),
        cmocka_unit_test(noise_is_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
