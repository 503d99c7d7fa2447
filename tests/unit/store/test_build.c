/* SPDX-License-Identifier: BSD-3-Clause */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "fixture.h"
#include "mupdated/store/build.h"
#include "mupdated/store/format.h"
#include "raw.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static int place_only(void **state)
{
    *state = store_fixture_new(NULL);
    return 0;
}

static struct row row_of(const char *name, uint64_t sequence)
{
    return (struct row){
        .mupdate = {.state = MUPDATE_ACTIVE,
                    .name = text_of(name),
                    .location = text_of("be1!p"),
                    .acl = text_of("a\tlrs\t")},
        .sequence = sequence,
        .time_us = 1000000,
        .who = text_of("be1"),
    };
}

/* A table of count rows, loaded with the sequence. */
static void build(struct store_fixture *fixture, int count, uint64_t sequence)
{
    struct store_build *made;
    char name[32];

    assert_int_equal(store_build_begin(&made, &fixture->options, sequence, &fixture->error),
                     STORE_OK);
    for (int i = 0; i < count; i++) {
        struct row row;

        (void)snprintf(name, sizeof name, "user.%07d", i);
        row = row_of(name, 1 + (uint64_t)i % sequence);
        if (store_build_row(made, &row, &fixture->error) != STORE_OK)
            fail_msg("%s", fixture->error.text);
    }
    if (store_build_end(made, &fixture->error) != STORE_OK)
        fail_msg("%s", fixture->error.text);
}

static void a_loaded_table_holds_the_rows_and_is_not_confirmed(void **state)
{
    struct store_fixture *fixture = *state;
    struct store_position position;
    struct store_counts counts;

    build(fixture, 2500, 41);
    store_fixture_open(fixture);
    store_position(fixture->store, &position);
    assert_int_equal(position.term, 1);
    assert_int_equal(position.first, 42);
    assert_int_equal(position.last, 41);
    assert_false(store_confirmed(fixture->store));
    store_fixture_check(fixture, &counts);
    assert_int_equal(counts.rows, 2500);
    assert_int_equal(counts.changes, 0);
    assert_string_equal(store_fixture_location(fixture, "user.0002499"), "be1!p");
}

static void a_lost_row_of_a_loaded_table_is_found(void **state)
{
    struct store_fixture *fixture = *state;
    struct store_counts counts;

    build(fixture, 100, 41);
    raw_put(fixture->directory, FORMAT_ROWS, "user.0000007", 12, NULL, 0);
    store_fixture_open(fixture);
    assert_int_equal(store_check(fixture->store, &counts, &fixture->error), STORE_BROKEN);
    assert_non_null(strstr(fixture->error.text,
                           "rows.db: it holds 99 rows, and must hold 100"));
}

static void the_next_change_follows_the_load(void **state)
{
    struct store_fixture *fixture = *state;
    struct store_counts counts;
    bool more;

    build(fixture, 10, 41);
    store_fixture_open(fixture);
    assert_int_equal(store_fixture_store(fixture, "user.0000003", "be2!p", "x"), 42);
    store_fixture_reopen(fixture);
    assert_int_equal(store_fixture_store(fixture, "user.0000003", NULL, NULL), 43);
    assert_int_equal(store_trim(fixture->store, 1, &more, &fixture->error), STORE_OK);
    store_fixture_reopen(fixture);
    assert_int_equal(store_fixture_store(fixture, "user.new", "be2!p", "x"), 44);
    store_fixture_check(fixture, &counts);
    assert_int_equal(counts.rows, 10);
    assert_int_equal(counts.changes, 2);
}

static void each_load_is_a_history_of_its_own(void **state)
{
    struct store_fixture *fixture = *state;
    struct store_fixture *other = store_fixture_new(NULL);
    struct store_position position;
    struct store_position others;

    build(fixture, 1, 1);
    build(other, 1, 1);
    store_fixture_open(fixture);
    store_fixture_open(other);
    store_position(fixture->store, &position);
    store_position(other->store, &others);
    assert_memory_not_equal(position.history, others.history, STORE_HISTORY_BYTES);
    store_fixture_free(other);
}

static void a_confirmed_table_stays_confirmed(void **state)
{
    struct store_fixture *fixture = *state;

    build(fixture, 1, 1);
    store_fixture_open(fixture);
    assert_int_equal(store_confirm(fixture->store, &fixture->error), STORE_OK);
    assert_true(store_confirmed(fixture->store));
    store_fixture_reopen(fixture);
    assert_true(store_confirmed(fixture->store));
    assert_int_equal(store_confirm(fixture->store, &fixture->error), STORE_OK);
}

static void a_new_empty_table_needs_no_word(void **state)
{
    struct store_fixture *fixture = *state;

    store_fixture_open(fixture);
    assert_true(store_confirmed(fixture->store));
}

static void a_confirmation_that_is_not_on_disk_is_none(void **state)
{
    struct store_fixture *fixture = *state;

    build(fixture, 1, 1);
    store_fixture_open(fixture);
    raw_fail_writes(EIO, 0);
    assert_int_not_equal(store_confirm(fixture->store, &fixture->error), STORE_OK);
    assert_false(store_confirmed(fixture->store));
    raw_fail_writes(0, 0);
}

static void what_is_no_yes_is_a_no(void **state)
{
    struct store_fixture *fixture = *state;

    build(fixture, 1, 1);
    raw_put(fixture->directory, FORMAT_META, FORMAT_KEY_CONFIRMED, strlen(FORMAT_KEY_CONFIRMED),
            "\7", 1);
    store_fixture_open(fixture);
    assert_false(store_confirmed(fixture->store));
}

static void a_table_that_parts_keeps_its_changes_and_gets_a_new_history(void **state)
{
    struct store_fixture *fixture = *state;
    struct store_position before;
    struct store_position after;
    struct store_counts counts;

    store_fixture_open(fixture);
    (void)store_fixture_store(fixture, "user.a", "be1!p", "x");
    store_position(fixture->store, &before);
    assert_int_equal(store_part(fixture->store, &fixture->error), STORE_OK);
    store_fixture_reopen(fixture);
    store_position(fixture->store, &after);
    assert_memory_not_equal(before.history, after.history, STORE_HISTORY_BYTES);
    assert_int_equal(after.first, 1);
    assert_int_equal(after.last, 1);
    assert_false(store_confirmed(fixture->store));
    store_fixture_check(fixture, &counts);
    assert_int_equal(counts.changes, 1);
}

static void a_row_that_does_not_fit_is_refused(void **state)
{
    struct store_fixture *fixture = *state;
    struct row good = row_of("b", 1);
    struct row wrong[] = {row_of("a", 1), row_of("b", 1), row_of("c", 0), row_of("c", 3),
                          row_of("", 1), row_of("c", 1)};

    wrong[5].mupdate.state = MUPDATE_ABSENT;
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        struct store_fixture *one = store_fixture_new(NULL);
        struct store_build *made;

        assert_int_equal(store_build_begin(&made, &one->options, 2, &one->error), STORE_OK);
        assert_int_equal(store_build_row(made, &good, &one->error), STORE_OK);
        assert_int_equal(store_build_row(made, &wrong[i], &one->error), STORE_REFUSED);
        store_build_abandon(made);
        store_fixture_free(one);
    }
    store_fixture_open(fixture);
    store_fixture_close(fixture);
    assert_null(fixture->store);
}

static void a_table_that_is_there_is_not_built_upon(void **state)
{
    struct store_fixture *fixture = *state;
    struct store_build *made;

    store_fixture_open(fixture);
    (void)store_fixture_store(fixture, "user.a", "be1!p", "x");
    store_fixture_close(fixture);
    assert_int_equal(store_build_begin(&made, &fixture->options, 1, &fixture->error),
                     STORE_REFUSED);
    assert_null(made);
    store_fixture_open(fixture);
    assert_string_equal(store_fixture_location(fixture, "user.a"), "be1!p");
}

static bool count_row(void *context, const struct row *row)
{
    (void)row;
    ++*(int *)context;
    return true;
}

/* Whoever opens it must see that it is none: by the rows, which come from no change. */
static void half_a_load_is_no_table(void **state)
{
    struct store_fixture *fixture = *state;
    int rows = 0;
    int status;
    pid_t child = fork();

    assert_true(child >= 0);
    if (child == 0) {
        struct store_build *made;
        char name[32];

        if (store_build_begin(&made, &fixture->options, 5, &fixture->error) != STORE_OK)
            _exit(1);
        for (int i = 0; i < 5000; i++) {
            struct row row;

            (void)snprintf(name, sizeof name, "user.%07d", i);
            row = row_of(name, 1 + (uint64_t)i % 5);
            if (store_build_row(made, &row, &fixture->error) != STORE_OK)
                _exit(2);
            /* What a checkpoint in the middle of a larger load would leave. */
            if (i == 4500 && (store_checkpoint(*(struct store **)made, &fixture->error)))
                _exit(3);
        }
        (void)kill(getpid(), SIGKILL);
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFSIGNALED(status));
    store_fixture_open(fixture);
    assert_int_equal(store_rows(fixture->store, count_row, &rows, &fixture->error), STORE_BROKEN);
    assert_int_equal(rows, 0);
}

static void a_full_disk_ends_a_load(void **state)
{
    struct store_fixture *fixture = *state;
    struct store_build *made;
    enum store_result result = STORE_OK;
    char name[32];

    assert_int_equal(store_build_begin(&made, &fixture->options, 1, &fixture->error), STORE_OK);
    raw_fail_writes(ENOSPC, 0);
    for (int i = 0; result == STORE_OK && i < 1000000; i++) {
        struct row row;

        (void)snprintf(name, sizeof name, "user.%07d", i);
        row = row_of(name, 1);
        result = store_build_row(made, &row, &fixture->error);
    }
    assert_int_not_equal(result, STORE_OK);
    raw_fail_writes(0, 0);
    store_build_abandon(made);
}

/* --- formats --- */

/* As a program made it that knew format 1: it had neither key. */
static void make_old(struct store_fixture *fixture)
{
    unsigned char format[4];

    store_fixture_open(fixture);
    (void)store_fixture_store(fixture, "user.a", "be1!p", "x");
    store_fixture_close(fixture);
    format_put_u32(format, 1);
    raw_put(fixture->directory, FORMAT_META, FORMAT_KEY_FORMAT, strlen(FORMAT_KEY_FORMAT), format,
            sizeof format);
}

static void a_table_of_format_1_is_taken_over_and_is_confirmed(void **state)
{
    struct store_fixture *fixture = *state;
    struct store_position position;
    unsigned char format[4];

    make_old(fixture);
    store_fixture_open(fixture);
    assert_true(store_fixture_logged(fixture, "the table has format 3 now and had 1"));
    assert_true(store_confirmed(fixture->store));
    store_position(fixture->store, &position);
    assert_int_equal(position.last, 1);
    assert_string_equal(store_fixture_location(fixture, "user.a"), "be1!p");
    store_fixture_close(fixture);
    assert_int_equal(raw_get(fixture->directory, FORMAT_META, FORMAT_KEY_FORMAT,
                             strlen(FORMAT_KEY_FORMAT), format, sizeof format),
                     sizeof format);
    assert_int_equal(format_get_u32(format), FORMAT_VERSION);
}

static void a_change_from_before_the_load_is_damage(void **state)
{
    struct store_fixture *fixture = *state;
    unsigned char base[8];

    store_fixture_open(fixture);
    (void)store_fixture_store(fixture, "user.a", "be1!p", "x");
    store_fixture_close(fixture);
    format_put_u64(base, 1);
    raw_put(fixture->directory, FORMAT_META, FORMAT_KEY_BASE, strlen(FORMAT_KEY_BASE), base,
            sizeof base);
    assert_int_equal(store_open(&fixture->store, &fixture->options, &fixture->error),
                     STORE_BROKEN);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, place_only, store_fixture_teardown)
    const struct CMUnitTest tests[] = {
        TEST(a_loaded_table_holds_the_rows_and_is_not_confirmed),
        TEST(a_lost_row_of_a_loaded_table_is_found),
        TEST(the_next_change_follows_the_load),
        TEST(each_load_is_a_history_of_its_own),
        TEST(a_confirmed_table_stays_confirmed),
        TEST(a_new_empty_table_needs_no_word),
        TEST(a_confirmation_that_is_not_on_disk_is_none),
        TEST(what_is_no_yes_is_a_no),
        TEST(a_table_that_parts_keeps_its_changes_and_gets_a_new_history),
        TEST(a_row_that_does_not_fit_is_refused),
        TEST(a_table_that_is_there_is_not_built_upon),
        TEST(half_a_load_is_no_table),
        TEST(a_full_disk_ends_a_load),
        TEST(a_table_of_format_1_is_taken_over_and_is_confirmed),
        TEST(a_change_from_before_the_load_is_damage),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
