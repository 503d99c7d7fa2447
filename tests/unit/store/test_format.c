/* SPDX-License-Identifier: BSD-3-Clause */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "fixture.h"
#include "mupdated/store/format.h"

#include <stdlib.h>
#include <string.h>

static struct change example(void)
{
    return (struct change){
        .now = {.mupdate = {.state = MUPDATE_ACTIVE,
                            .name = text_of("user.a"),
                            .location = text_of("be1!default"),
                            .acl = text_of("a\tlrs\t")},
                .sequence = 0x0102030405060708,
                .time_us = 1700000000123456,
                .who = text_of("postman")},
        .old_state = MUPDATE_RESERVED,
        .old_location = text_of("be2!p2"),
        .term = 7,
        .has_digest = true,
        .digest = {.rows = 0x1112131415161718,
                   .high = 0x2122232425262728,
                   .low = 0x3132333435363738},
    };
}

static struct change example_of_version_1(void)
{
    struct change change = example();

    change.has_digest = false;
    return change;
}

static void a_row_has_the_octets_that_the_description_says(void **state)
{
    static const unsigned char expected[] = {
        1, 2, 1, 2, 3, 4, 5, 6, 7, 8, 0, 0, 0, 0, 0, 0, 0, 5, 0, 0, 0, 3, 0, 0, 0, 2, 0, 0, 0, 1,
        'b', '!', 'p', 'x', '\t', 'w'};
    struct row row = {.mupdate = {.state = MUPDATE_ACTIVE,
                                  .name = text_of("user.a"),
                                  .location = text_of("b!p"),
                                  .acl = text_of("x\t")},
                      .sequence = 0x0102030405060708,
                      .time_us = 5,
                      .who = text_of("w")};
    struct format_record record = {0};

    (void)state;
    assert_int_equal(format_encode_row(&record, &row), FORMAT_OK);
    assert_int_equal(record.len, sizeof expected);
    assert_memory_equal(record.data, expected, sizeof expected);
    format_record_free(&record);
}

static void a_change_has_the_octets_that_the_description_says(void **state)
{
    static const unsigned char expected[] = {
        2,    2,    1,    0,    0,    0,    0,    0,    0,    0,    7,    0,    0,    0,    0,
        0,    0,    0,    5,    0x11, 0x12, 0x13, 0x14, 0x15, 0x16, 0x17, 0x18, 0x21, 0x22, 0x23,
        0x24, 0x25, 0x26, 0x27, 0x28, 0x31, 0x32, 0x33, 0x34, 0x35, 0x36, 0x37, 0x38, 0,    0,
        0,    6,    0,    0,    0,    1,    0,    0,    0,    2,    0,    0,    0,    1,    0,
        0,    0,    3,    'u',  's',  'e',  'r',  '.',  'a',  'b',  'x',  '\t', 'w',  'o',  '!',
        'p'};
    struct change change = example();
    struct format_record record = {0};

    (void)state;
    change.now.time_us = 5;
    change.now.mupdate.location = text_of("b");
    change.now.mupdate.acl = text_of("x\t");
    change.now.who = text_of("w");
    change.old_location = text_of("o!p");
    assert_int_equal(format_encode_change(&record, &change), FORMAT_OK);
    assert_int_equal(record.len, sizeof expected);
    assert_memory_equal(record.data, expected, sizeof expected);
    format_record_free(&record);
}

static void expect_back(struct change change)
{
    struct change back = {0};
    struct format_record record = {0};

    assert_int_equal(format_encode_change(&record, &change), FORMAT_OK);
    assert_null(format_decode_change(record.data, record.len, &back));
    assert_int_equal(back.now.mupdate.state, MUPDATE_ACTIVE);
    assert_true(text_equal(back.now.mupdate.name, change.now.mupdate.name));
    assert_true(text_equal(back.now.mupdate.location, change.now.mupdate.location));
    assert_true(text_equal(back.now.mupdate.acl, change.now.mupdate.acl));
    assert_true(text_equal(back.now.who, change.now.who));
    assert_true(text_equal(back.old_location, change.old_location));
    assert_int_equal(back.old_state, MUPDATE_RESERVED);
    assert_int_equal(back.term, 7);
    assert_int_equal(back.now.time_us, 1700000000123456);
    assert_int_equal(back.has_digest, change.has_digest);
    assert_int_equal(record.data[0], change.has_digest ? 2 : 1);
    if (change.has_digest)
        assert_true(digest_equal(&back.digest, &change.digest));
    format_record_free(&record);
}

static void a_change_is_read_back_as_it_was(void **state)
{
    (void)state;
    expect_back(example());
    expect_back(example_of_version_1());
}

/* Each prefix lies in a block of its own size, so that valgrind sees a read behind it. */
static void a_record_cut_off_anywhere_or_followed_by_anything_is_refused(void **state)
{
    struct change change = example();
    struct change older = example_of_version_1();
    struct change back;
    struct row row;
    struct format_record records[3] = {{0}, {0}, {0}};

    (void)state;
    assert_int_equal(format_encode_change(&records[0], &change), FORMAT_OK);
    assert_int_equal(format_encode_row(&records[1], &change.now), FORMAT_OK);
    assert_int_equal(format_encode_change(&records[2], &older), FORMAT_OK);
    for (int kind = 0; kind < 3; kind++) {
        for (size_t len = 0; len <= records[kind].len + 1; len++) {
            unsigned char *copy = calloc(1, len ? len : 1);
            const char *wrong;

            assert_non_null(copy);
            memcpy(copy, records[kind].data, len < records[kind].len ? len : records[kind].len);
            wrong = kind != 1 ? format_decode_change(copy, len, &back)
                              : format_decode_row(copy, len, &row);
            if (len == records[kind].len)
                assert_null(wrong);
            else
                assert_non_null(wrong);
            free(copy);
        }
        format_record_free(&records[kind]);
    }
}

static void impossible_values_are_refused(void **state)
{
    static const struct {
        size_t at;
        unsigned char octet;
        bool row;
    } cases[] = {
        {0, 0, true},      {0, 2, true},     {1, 0, true},    {1, 3, true},    {18, 0xff, true},
        {22, 0x80, true},  {29, 0xff, true}, {0, 0, false},   {0, 1, false},   {0, 3, false},
        {1, 3, false},     {2, 3, false},    {43, 0xff, false}, {46, 0, false}, {62, 0, false},
        {50, 0, false},    {10, 0, false},
    };
    struct change change = example();
    struct change back;
    struct row row;

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct format_record record = {0};

        assert_int_equal(cases[i].row ? format_encode_row(&record, &change.now)
                                      : format_encode_change(&record, &change),
                         FORMAT_OK);
        record.data[cases[i].at] = cases[i].octet;
        assert_non_null(cases[i].row ? format_decode_row(record.data, record.len, &row)
                                     : format_decode_change(record.data, record.len, &back));
        format_record_free(&record);
    }
}

/* Whatever the octets are: an answer, and no text outside of them. */
static void random_octets_never_lead_outside_of_the_record(void **state)
{
    struct change change = example();
    struct format_record record = {0};
    unsigned seed = 1;

    (void)state;
    assert_int_equal(format_encode_change(&record, &change), FORMAT_OK);
    for (int i = 0; i < 20000; i++) {
        unsigned char *copy = malloc(record.len);
        struct change back = {0};

        assert_non_null(copy);
        memcpy(copy, record.data, record.len);
        for (int k = 0; k < 3; k++)
            copy[(unsigned)rand_r(&seed) % record.len] = (unsigned char)rand_r(&seed);
        if (!format_decode_change(copy, record.len, &back))
            assert_int_equal((back.has_digest ? 63 : 39) + back.now.mupdate.name.len +
                                 back.now.mupdate.location.len + back.now.mupdate.acl.len +
                                 back.now.who.len + back.old_location.len,
                             record.len);
        free(copy);
    }
    format_record_free(&record);
}

static void a_text_beyond_the_limit_is_not_encoded(void **state)
{
    struct change change = example();
    struct format_record record = {0};

    (void)state;
    change.now.mupdate.acl.len = FORMAT_TEXT_BYTES + 1;
    assert_int_equal(format_encode_row(&record, &change.now), FORMAT_TOO_LONG);
    assert_int_equal(format_encode_change(&record, &change), FORMAT_TOO_LONG);
    format_record_free(&record);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_row_has_the_octets_that_the_description_says),
        cmocka_unit_test(a_change_has_the_octets_that_the_description_says),
        cmocka_unit_test(a_change_is_read_back_as_it_was),
        cmocka_unit_test(a_record_cut_off_anywhere_or_followed_by_anything_is_refused),
        cmocka_unit_test(impossible_values_are_refused),
        cmocka_unit_test(random_octets_never_lead_outside_of_the_record),
        cmocka_unit_test(a_text_beyond_the_limit_is_not_encoded),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
