/* SPDX-License-Identifier: BSD-3-Clause */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "tests/unit/dump/dump_support.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void the_form_is_the_one_that_the_manual_shows(void **state)
{
    struct row rows[] = {
        dump_row_of("user.a b", "be1.test!p", "a\tlrs\t"),
        dump_row_of("user.b", "be2.test!p", NULL),
        dump_row_of("user.c", "be2.test", ""),
    };
    struct dump_header header = dump_header_of(3);
    struct buffer out = {0};

    (void)state;
    rows[2].who = (struct mupdate_text){"", 0};
    rows[2].time_us = -1;
    dump_write(&header, rows, 3, &out);
    buffer_append(&out, "", 1);
    assert_string_equal(
        (const char *)buffer_bytes(&out),
        "mupdate-dump 1 history=00112233445566778899aabbccddeeff term=1 sequence=1000 rows=3 "
        "order=octet time=2026-11-22T10:00:00Z\n"
        "A user.a\\x20b be1.test!p a\\x09lrs\\x09 7 1795341600000000 backend1\n"
        "R user.b be2.test!p \\- 7 1795341600000000 backend1\n"
        "A user.c be2.test \\- 7 -1 \\-\n"
        "end rows=3 "
        "sha256=1b3e535e7a9f047f926cdc5c128e3a002e5a0b84e5d7723ca627194beec00535\n");
    buffer_free(&out);
}

/* All octets that a name may have, alone, first and last, and what escaping may confuse. */
static size_t nasty_names(char names[][8], size_t *lengths)
{
    static const char *const special[] = {"\\-", "-", "\\", "\\x", "\\x41", "x41", "\\\\", "A",
                                          "end ", "R a", "\"'", "!", "a!b", "%s%n"};
    size_t count = 0;

    for (int octet = 1; octet < 256; octet++) {
        if (octet == '\r' || octet == '\n')
            continue;
        names[count][0] = (char)octet;
        lengths[count++] = 1;
        memcpy(names[count], "z?z", 3);
        names[count][1] = (char)octet;
        lengths[count++] = 3;
    }
    for (size_t i = 0; i < sizeof special / sizeof special[0]; i++) {
        memcpy(names[count], special[i], strlen(special[i]));
        lengths[count++] = strlen(special[i]);
    }
    return count;
}

static int by_name(const void *a, const void *b)
{
    const struct row *left = a;
    const struct row *right = b;

    return text_compare(left->mupdate.name, right->mupdate.name);
}

static void every_name_comes_back_as_it_was(void **state)
{
    static char names[600][8];
    static size_t lengths[600];
    static struct row rows[600];
    static char long_name[1024], long_acl[65536];
    size_t found = nasty_names(names, lengths);
    size_t count = 0;
    struct buffer out = {0};
    struct dump_header header;

    (void)state;
    memset(long_name, 0xff, sizeof long_name);
    memset(long_acl, '\t', sizeof long_acl);
    for (size_t i = 0; i < found; i++) {
        rows[i] = dump_row_of("", "be1.test!p", i % 3 ? "\\-" : NULL);
        rows[i].mupdate.name = (struct mupdate_text){names[i], lengths[i]};
        if (i % 3)
            rows[i].mupdate.acl = rows[i].mupdate.name;
        rows[i].who = rows[i].mupdate.name;
        rows[i].sequence = i + 1;
        rows[i].time_us = i % 2 ? INT64_MAX : INT64_MIN;
    }
    rows[found] = dump_row_of("", "be1.test!p", "");
    rows[found].mupdate.name = (struct mupdate_text){long_name, sizeof long_name};
    rows[found++].mupdate.acl = (struct mupdate_text){long_acl, sizeof long_acl};
    qsort(rows, found, sizeof rows[0], by_name);
    for (size_t i = 0; i < found; i++)
        if (i == 0 || by_name(&rows[i - 1], &rows[i]) != 0)
            rows[count++] = rows[i];
    header = dump_header_of(count);
    dump_write(&header, rows, count, &out);
    for (size_t piece = 1; piece < 300000; piece = piece * 3 + 1) {
        struct dump_verdict verdict =
            dump_read(buffer_bytes(&out), buffer_len(&out), piece, rows);

        if (verdict.result != DUMP_END)
            fail_msg("line %d: %s", (int)verdict.line, verdict.text);
        assert_int_equal(verdict.rows, count);
    }
    buffer_free(&out);
}

static void an_empty_table_has_a_dump_too(void **state)
{
    struct dump_header header = dump_header_of(0);
    struct buffer out = {0};

    (void)state;
    header.sequence = 0;
    dump_write(&header, NULL, 0, &out);
    assert_int_equal(dump_read(buffer_bytes(&out), buffer_len(&out), 10, NULL).result, DUMP_END);
    buffer_free(&out);
}

static void the_header_comes_back_as_it_was(void **state)
{
    struct dump_header header = dump_header_of(0);
    struct buffer out = {0};
    struct dump_verdict verdict = {0};
    struct dump_reader *reader = dump_reader_new(&dump_policy, NULL, &verdict);
    const struct dump_header *again;
    struct row row;

    (void)state;
    header.term = UINT64_MAX;
    header.sequence = UINT64_MAX - 2;
    header.server = (struct mupdate_text){"be 1\\x", 6};
    dump_write(&header, NULL, 0, &out);
    assert_null(dump_reader_header(reader));
    dump_reader_give(reader, buffer_bytes(&out), buffer_len(&out));
    assert_int_equal(dump_reader_next(reader, &row), DUMP_MORE);
    again = dump_reader_header(reader);
    assert_memory_equal(again->history, header.history, sizeof header.history);
    assert_true(again->term == header.term && again->sequence == header.sequence);
    assert_true(again->time_s == header.time_s && text_equal(again->server, header.server));
    assert_int_equal(dump_reader_octets(reader), buffer_len(&out));
    dump_reader_free(reader);
    buffer_free(&out);
}

static bool refuse(void *context, const void *data, size_t len)
{
    (void)data;
    (void)len;
    return *(bool *)context;
}

static void the_writer_refuses_what_would_be_no_dump(void **state)
{
    struct dump_header header = dump_header_of(2);
    struct row first = dump_row_of("b", "be1!p", "");
    struct row same = dump_row_of("b", "be1!p", "");
    struct row before = dump_row_of("a", "be1!p", "");
    struct row absent = {.mupdate = {.name = {"c", 1}}};
    const struct row *wrong[] = {&same, &before, &absent};
    struct dump_writer *writer;
    bool takes = true;

    (void)state;
    for (size_t i = 0; i < 3; i++) {
        writer = dump_writer_new(&header, refuse, &takes);
        assert_true(dump_writer_row(writer, &first));
        assert_false(dump_writer_row(writer, wrong[i]));
        dump_writer_free(writer);
    }
    writer = dump_writer_new(&header, refuse, &takes);
    assert_true(dump_writer_row(writer, &first));
    assert_false(dump_writer_end(writer));
    dump_writer_free(writer);
    takes = false;
    header.rows = 0;
    writer = dump_writer_new(&header, refuse, &takes);
    assert_false(dump_writer_end(writer));
    dump_writer_free(writer);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_form_is_the_one_that_the_manual_shows),
        cmocka_unit_test(every_name_comes_back_as_it_was),
        cmocka_unit_test(an_empty_table_has_a_dump_too),
        cmocka_unit_test(the_header_comes_back_as_it_was),
        cmocka_unit_test(the_writer_refuses_what_would_be_no_dump),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
