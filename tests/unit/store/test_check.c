/* SPDX-License-Identifier: BSD-3-Clause */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "fixture.h"
#include "mupdated/store/format.h"
#include "raw.h"

#include <string.h>

/* user.a moved, user.b deleted, user.c there, user.d made, deleted and made again. */
static void store_example(struct store_fixture *fixture)
{
    store_fixture_store(fixture, "user.a", "be1!p", "a lrs");
    store_fixture_store(fixture, "user.b", "be1!p", "b lrs");
    store_fixture_store(fixture, "user.c", "be1!p", "c lrs");
    store_fixture_store(fixture, "user.a", "be2!p", "a lrs");
    store_fixture_store(fixture, "user.b", NULL, NULL);
    store_fixture_store(fixture, "user.d", "be1!p", "d lrs");
    store_fixture_store(fixture, "user.d", NULL, NULL);
    store_fixture_store(fixture, "user.d", "be1!p", "d lrs");
}

static void assert_check_says(struct store_fixture *fixture, const char *text)
{
    struct store_counts counts;

    store_fixture_open(fixture);
    assert_int_equal(store_check(fixture->store, &counts, &fixture->error), STORE_BROKEN);
    if (!strstr(fixture->error.text, text))
        fail_msg("\"%s\" does not say \"%s\"", fixture->error.text, text);
}

static void put_row(struct store_fixture *fixture, const char *name, uint64_t sequence,
                    const char *location)
{
    struct row row = {.mupdate = {.state = MUPDATE_ACTIVE,
                                  .location = text_of(location),
                                  .acl = text_of("a lrs")},
                      .sequence = sequence,
                      .time_us = 1,
                      .who = text_of("backend1")};
    struct format_record record = {0};

    assert_int_equal(format_encode_row(&record, &row), FORMAT_OK);
    raw_put(fixture->directory, FORMAT_ROWS, name, strlen(name), record.data, record.len);
    format_record_free(&record);
}

static void a_sound_table_passes(void **state)
{
    struct store_fixture *fixture = *state;
    struct store_counts counts;

    store_example(fixture);
    store_fixture_check(fixture, &counts);
    assert_int_equal(counts.rows, 3);
    assert_int_equal(counts.changes, 8);
}

static void a_trimmed_table_passes_at_every_length_of_its_log(void **state)
{
    struct store_fixture *fixture = *state;
    struct store_counts counts;
    bool more;

    store_example(fixture);
    for (uint64_t keep = 8; keep >= 1; keep--) {
        assert_int_equal(store_trim(fixture->store, keep, &more, &fixture->error), STORE_OK);
        store_fixture_check(fixture, &counts);
        assert_int_equal(counts.rows, 3);
        assert_int_equal(counts.changes, keep);
    }
}

static void a_lost_row_is_found(void **state)
{
    struct store_fixture *fixture = *state;

    store_example(fixture);
    store_fixture_close(fixture);
    raw_put(fixture->directory, FORMAT_ROWS, "user.c", 6, NULL, 0);
    assert_check_says(fixture, "the record of user.c is damaged: it is missing");
}

/* With only the last change in the log, which knows of user.d. */
static void store_trimmed(struct store_fixture *fixture)
{
    bool more;

    store_example(fixture);
    assert_int_equal(store_trim(fixture->store, 1, &more, &fixture->error), STORE_OK);
    store_fixture_close(fixture);
}

static void a_lost_row_from_before_the_log_is_found(void **state)
{
    struct store_fixture *fixture = *state;

    store_trimmed(fixture);
    raw_put(fixture->directory, FORMAT_ROWS, "user.c", 6, NULL, 0);
    assert_check_says(fixture, "rows.db: it holds 2 rows, and must hold 3: mend the table");
}

static void a_row_that_came_back_from_before_the_log_is_found(void **state)
{
    struct store_fixture *fixture = *state;

    store_trimmed(fixture);
    put_row(fixture, "user.b", 2, "be1!p");
    assert_check_says(fixture, "rows.db: it holds 4 rows, and must hold 3");
}

static void a_row_from_before_the_log_that_was_another_is_found(void **state)
{
    struct store_fixture *fixture = *state;

    store_trimmed(fixture);
    put_row(fixture, "user.a", 4, "be1!p");
    assert_check_says(fixture, "rows.db: it holds 3 rows as it must, but others");
}

/* The change as it was written before digests were kept. */
static void write_without_digest(struct store_fixture *fixture, uint64_t sequence)
{
    struct format_record record = {0};
    struct change change = {0};
    unsigned char key[8];
    unsigned char octets[256];
    size_t len = raw_get(fixture->directory, FORMAT_CHANGES, raw_sequence(sequence, key), 8,
                         octets, sizeof octets);

    assert_null(format_decode_change(octets, len, &change));
    assert_true(change.has_digest);
    change.has_digest = false;
    assert_int_equal(format_encode_change(&record, &change), FORMAT_OK);
    assert_int_equal(record.len, len - FORMAT_DIGEST_BYTES);
    raw_put(fixture->directory, FORMAT_CHANGES, key, 8, record.data, record.len);
    format_record_free(&record);
}

static void a_table_from_before_digests_gets_one_when_its_rows_are_known(void **state)
{
    struct store_fixture *fixture = *state;
    struct digest digest;
    struct digest before;

    store_example(fixture);
    assert_true(store_digest(fixture->store, &before));
    store_fixture_close(fixture);
    write_without_digest(fixture, 8);
    store_fixture_open(fixture);
    store_fixture_check(fixture, NULL);
    assert_false(store_digest(fixture->store, &digest));
    assert_int_equal(store_fixture_store(fixture, "user.e", "be1!p", ""), 9);
    store_fixture_reopen(fixture);
    assert_false(store_digest(fixture->store, &digest));
    assert_int_equal(store_fixture_store(fixture, "user.e", NULL, NULL), 10);

    store_set_digest(fixture->store, &before);
    assert_int_equal(store_fixture_store(fixture, "user.c", NULL, NULL), 11);
    store_fixture_reopen(fixture);
    assert_true(store_digest(fixture->store, &digest));
    assert_int_equal(digest.rows, before.rows - 1);
    store_fixture_check(fixture, NULL);
}

static void a_row_that_came_back_is_found(void **state)
{
    struct store_fixture *fixture = *state;

    store_example(fixture);
    store_fixture_close(fixture);
    put_row(fixture, "user.b", 2, "be1!p");
    assert_check_says(fixture, "user.b is damaged: its newest change deleted it");
}

static void a_row_that_stayed_behind_is_found(void **state)
{
    struct store_fixture *fixture = *state;

    store_example(fixture);
    store_fixture_close(fixture);
    put_row(fixture, "user.a", 1, "be1!p");
    assert_check_says(fixture, "user.a is damaged: it is not from the newest change");
}

static void a_row_that_differs_from_its_change_is_found(void **state)
{
    struct store_fixture *fixture = *state;

    store_example(fixture);
    store_fixture_close(fixture);
    put_row(fixture, "user.a", 4, "be3!p");
    assert_check_says(fixture, "user.a is damaged: it is not what its newest change made it");
}

static void a_row_that_no_change_made_is_found(void **state)
{
    struct store_fixture *fixture = *state;

    store_example(fixture);
    store_fixture_close(fixture);
    put_row(fixture, "user.x", 3, "be3!p");
    assert_check_says(fixture, "user.x is damaged: the change that made it is of another name");
}

static void a_row_from_the_future_is_found(void **state)
{
    struct store_fixture *fixture = *state;

    store_example(fixture);
    store_fixture_close(fixture);
    put_row(fixture, "user.a", 9, "be3!p");
    assert_check_says(fixture, "user.a is damaged: its sequence number is not in the log");
}

static void a_change_that_does_not_follow_from_the_one_before_is_found(void **state)
{
    struct store_fixture *fixture = *state;
    struct change change;
    struct format_record record = {0};
    unsigned char key[8];
    unsigned char octets[256];
    size_t len;

    store_example(fixture);
    store_fixture_close(fixture);
    len = raw_get(fixture->directory, FORMAT_CHANGES, raw_sequence(4, key), 8, octets,
                  sizeof octets);
    assert_null(format_decode_change(octets, len, &change));
    change.old_location = text_of("be9!p");
    assert_int_equal(format_encode_change(&record, &change), FORMAT_OK);
    raw_put(fixture->directory, FORMAT_CHANGES, key, 8, record.data, record.len);
    format_record_free(&record);
    assert_check_says(fixture, "4 is damaged: it does not start from what the change before it");
}

static void a_lost_change_is_found(void **state)
{
    struct store_fixture *fixture = *state;
    unsigned char key[8];

    store_example(fixture);
    store_fixture_close(fixture);
    raw_put(fixture->directory, FORMAT_CHANGES, raw_sequence(7, key), 8, NULL, 0);
    assert_check_says(fixture, "changes.db: the record of 7 is damaged: it is missing");
}

int main(void)
{
#define TEST(name)                                                                                 \
    cmocka_unit_test_setup_teardown(name, store_fixture_setup, store_fixture_teardown)
    const struct CMUnitTest tests[] = {
        TEST(a_sound_table_passes),
        TEST(a_trimmed_table_passes_at_every_length_of_its_log),
        TEST(a_lost_row_is_found),
        TEST(a_row_that_came_back_is_found),
        TEST(a_lost_row_from_before_the_log_is_found),
        TEST(a_row_that_came_back_from_before_the_log_is_found),
        TEST(a_row_from_before_the_log_that_was_another_is_found),
        TEST(a_table_from_before_digests_gets_one_when_its_rows_are_known),
        TEST(a_row_that_stayed_behind_is_found),
        TEST(a_row_that_differs_from_its_change_is_found),
        TEST(a_row_that_no_change_made_is_found),
        TEST(a_row_from_the_future_is_found),
        TEST(a_change_that_does_not_follow_from_the_one_before_is_found),
        TEST(a_lost_change_is_found),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
