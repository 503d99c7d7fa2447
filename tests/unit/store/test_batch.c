/* SPDX-License-Identifier: BSD-3-Clause */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "fixture.h"
#include "raw.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void begin(struct store_fixture *fixture)
{
    assert_int_equal(store_begin(fixture->store, &fixture->error), STORE_OK);
}

static void commit(struct store_fixture *fixture)
{
    assert_int_equal(store_commit(fixture->store, &fixture->error), STORE_OK);
}

static void put(struct store_fixture *fixture, const char *name, const char *location)
{
    assert_int_equal(store_fixture_put(fixture, name, location, "anyone lrs", NULL), STORE_OK);
}

static void assert_position(struct store_fixture *fixture, uint64_t first, uint64_t last)
{
    struct store_position position;

    store_position(fixture->store, &position);
    assert_int_equal(position.first, first);
    assert_int_equal(position.last, last);
}

static void a_committed_row_is_read_back_with_all_that_was_put(void **state)
{
    struct store_fixture *fixture = *state;
    static const char name[] = "user.\xc3\xa9 \"\\\t~";
    struct row row;
    struct change change = {.now = {.mupdate = {.state = MUPDATE_ACTIVE,
                                                .name = text_of(name),
                                                .location = text_of("be1!default"),
                                                .acl = text_of("a\tlrs\tb \x01\xff")},
                                    .time_us = -5,
                                    .who = text_of("postman")}};

    begin(fixture);
    assert_int_equal(store_put(fixture->store, &change, NULL, &fixture->error), STORE_OK);
    assert_int_equal(change.now.sequence, 1);
    assert_int_equal(change.term, 1);
    commit(fixture);
    store_fixture_reopen(fixture);
    begin(fixture);
    assert_int_equal(store_get(fixture->store, text_of(name), &row, &fixture->error), STORE_OK);
    assert_int_equal(row.mupdate.state, MUPDATE_ACTIVE);
    assert_true(text_is(row.mupdate.name, name));
    assert_true(text_is(row.mupdate.location, "be1!default"));
    assert_true(text_is(row.mupdate.acl, "a\tlrs\tb \x01\xff"));
    assert_true(text_is(row.who, "postman"));
    assert_int_equal(row.time_us, -5);
    assert_int_equal(row.sequence, 1);
    store_abort(fixture->store);
}

static void a_batch_sees_what_it_put_itself(void **state)
{
    struct store_fixture *fixture = *state;
    struct row row;

    begin(fixture);
    put(fixture, "user.a", "be1!p");
    assert_int_equal(store_get(fixture->store, text_of("user.a"), &row, &fixture->error), STORE_OK);
    assert_true(text_is(row.mupdate.location, "be1!p"));
    put(fixture, "user.a", NULL);
    assert_int_equal(store_get(fixture->store, text_of("user.a"), &row, &fixture->error),
                     STORE_ABSENT);
    commit(fixture);
    assert_null(store_fixture_location(fixture, "user.a"));
    assert_position(fixture, 1, 2);
    store_fixture_check(fixture, NULL);
}

static void a_deleted_row_stays_deleted_and_its_change_stays_in_the_log(void **state)
{
    struct store_fixture *fixture = *state;
    struct store_counts counts;

    store_fixture_store(fixture, "user.a", "be1!p", "");
    store_fixture_store(fixture, "user.a", NULL, NULL);
    store_fixture_reopen(fixture);
    assert_null(store_fixture_location(fixture, "user.a"));
    store_fixture_check(fixture, &counts);
    assert_int_equal(counts.rows, 0);
    assert_int_equal(counts.changes, 2);
}

static void an_aborted_batch_leaves_nothing_and_gives_its_numbers_back(void **state)
{
    struct store_fixture *fixture = *state;
    uint64_t sequence;

    store_fixture_store(fixture, "user.a", "be1!p", "");
    begin(fixture);
    put(fixture, "user.a", "be2!p");
    put(fixture, "user.b", "be2!p");
    store_abort(fixture->store);
    assert_string_equal(store_fixture_location(fixture, "user.a"), "be1!p");
    assert_null(store_fixture_location(fixture, "user.b"));
    begin(fixture);
    assert_int_equal(store_fixture_put(fixture, "user.c", "be1!p", "", &sequence), STORE_OK);
    assert_int_equal(sequence, 2);
    commit(fixture);
    store_fixture_reopen(fixture);
    assert_position(fixture, 1, 2);
    store_fixture_check(fixture, NULL);
}

static void a_refused_put_undoes_its_batch_and_the_next_batch_works(void **state)
{
    struct store_fixture *fixture = *state;
    struct change wrong = {.now = {.mupdate = {.state = MUPDATE_ABSENT,
                                               .name = text_of("user.none")}}};

    begin(fixture);
    put(fixture, "user.a", "be1!p");
    wrong.now.mupdate.location.len = (16U << 20) + 1;
    wrong.now.mupdate.state = MUPDATE_ACTIVE;
    assert_int_equal(store_put(fixture->store, &wrong, NULL, &fixture->error),
                     STORE_REFUSED);
    assert_false(fixture->error.again);
    assert_non_null(strstr(fixture->error.text, "put user.none"));
    assert_null(store_fixture_location(fixture, "user.a"));
    assert_int_equal(store_fixture_store(fixture, "user.b", "be1!p", ""), 1);
    assert_int_equal(fixture->panics, 0);
    store_fixture_check(fixture, NULL);
}

static void deleting_a_row_that_is_not_there_is_refused(void **state)
{
    struct store_fixture *fixture = *state;

    begin(fixture);
    assert_int_equal(store_fixture_put(fixture, "user.none", NULL, NULL, NULL), STORE_REFUSED);
    assert_int_equal(fixture->panics, 0);
    assert_position(fixture, 1, 0);
    assert_int_equal(store_fixture_store(fixture, "user.a", "be1!p", ""), 1);
}

static void a_batch_in_which_nothing_was_put_does_not_flush(void **state)
{
    struct store_fixture *fixture = *state;
    struct row row;
    unsigned before;

    store_fixture_store(fixture, "user.a", "be1!p", "");
    before = raw_syncs();
    begin(fixture);
    assert_int_equal(store_get(fixture->store, text_of("user.a"), &row, &fixture->error), STORE_OK);
    commit(fixture);
    assert_int_equal(raw_syncs(), before);
    assert_position(fixture, 1, 1);
}

static void a_batch_of_many_changes_is_flushed_once(void **state)
{
    struct store_fixture *fixture = *state;
    char name[32];
    unsigned before = raw_syncs();

    begin(fixture);
    for (int i = 0; i < 256; i++) {
        (void)snprintf(name, sizeof name, "user.%d", i);
        put(fixture, name, "be1!p");
    }
    commit(fixture);
    assert_int_equal(raw_syncs(), before + 1);
    assert_position(fixture, 1, 256);
}

static void names_and_acls_of_any_allowed_length_are_kept(void **state)
{
    struct store_fixture *fixture = *state;
    static const size_t name_lens[] = {1, 255, 990, 1024, 4096, 20000};
    char *name = malloc(20001);
    char *acl = malloc(70001);

    assert_non_null(name);
    assert_non_null(acl);
    memset(acl, 'l', 70000);
    acl[70000] = '\0';
    for (size_t i = 0; i < sizeof name_lens / sizeof name_lens[0]; i++) {
        memset(name, 'n', name_lens[i]);
        name[name_lens[i]] = '\0';
        for (int times = 0; times < 3; times++)
            store_fixture_store(fixture, name, "be1!p", acl);
    }
    store_fixture_reopen(fixture);
    for (size_t i = 0; i < sizeof name_lens / sizeof name_lens[0]; i++) {
        struct row row;

        memset(name, 'n', name_lens[i]);
        name[name_lens[i]] = '\0';
        begin(fixture);
        assert_int_equal(store_get(fixture->store, text_of(name), &row, &fixture->error), STORE_OK);
        assert_int_equal(row.mupdate.acl.len, 70000);
        assert_memory_equal(row.mupdate.acl.data, acl, 70000);
        store_abort(fixture->store);
    }
    store_fixture_check(fixture, NULL);
    free(name);
    free(acl);
}

static void the_largest_batch_of_the_largest_acls_is_stored(void **state)
{
    struct store_fixture *fixture = *state;
    char *acl = malloc(65537);
    char name[32];

    assert_non_null(acl);
    memset(acl, 'l', 65536);
    acl[65536] = '\0';
    for (int times = 0; times < 2; times++) {
        begin(fixture);
        for (int i = 0; i < 256; i++) {
            (void)snprintf(name, sizeof name, "user.%d", i);
            assert_int_equal(store_fixture_put(fixture, name, "be1!p", acl, NULL), STORE_OK);
        }
        commit(fixture);
    }
    free(acl);
    store_fixture_check(fixture, NULL);
}

int main(void)
{
#define TEST(name)                                                                                 \
    cmocka_unit_test_setup_teardown(name, store_fixture_setup, store_fixture_teardown)
    const struct CMUnitTest tests[] = {
        TEST(a_committed_row_is_read_back_with_all_that_was_put),
        TEST(a_batch_sees_what_it_put_itself),
        TEST(a_deleted_row_stays_deleted_and_its_change_stays_in_the_log),
        TEST(an_aborted_batch_leaves_nothing_and_gives_its_numbers_back),
        TEST(a_refused_put_undoes_its_batch_and_the_next_batch_works),
        TEST(deleting_a_row_that_is_not_there_is_refused),
        TEST(a_batch_in_which_nothing_was_put_does_not_flush),
        TEST(a_batch_of_many_changes_is_flushed_once),
        TEST(names_and_acls_of_any_allowed_length_are_kept),
        TEST(the_largest_batch_of_the_largest_acls_is_stored),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
