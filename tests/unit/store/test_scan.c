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

struct seen {
    char names[4096]; /* each with a blank behind it */
    uint64_t first;
    uint64_t last;
    uint64_t count;
    uint64_t stop_after;
    size_t acl_len;
};

static bool see_row(void *context, const struct row *row)
{
    struct seen *seen = context;
    size_t len = strlen(seen->names);

    (void)snprintf(seen->names + len, sizeof seen->names - len, "%.*s ",
                   (int)row->mupdate.name.len, row->mupdate.name.data);
    seen->acl_len += row->mupdate.acl.len;
    return ++seen->count != seen->stop_after;
}

static bool see_change(void *context, const struct change *change)
{
    struct seen *seen = context;

    if (seen->count == 0)
        seen->first = change->now.sequence;
    else
        assert_int_equal(change->now.sequence, seen->last + 1);
    seen->last = change->now.sequence;
    seen->acl_len += change->now.mupdate.acl.len;
    return ++seen->count != seen->stop_after;
}

static void store_many(struct store_fixture *fixture, int count)
{
    char name[32];

    assert_int_equal(store_begin(fixture->store, &fixture->error), STORE_OK);
    for (int i = 0; i < count; i++) {
        (void)snprintf(name, sizeof name, "user.%d", i);
        assert_int_equal(store_fixture_put(fixture, name, "be1!p", "a lrs", NULL), STORE_OK);
    }
    assert_int_equal(store_commit(fixture->store, &fixture->error), STORE_OK);
}

static void rows_come_in_octet_order(void **state)
{
    struct store_fixture *fixture = *state;
    static const char *const names[] = {"b", "a.b", "a", "\xff", "a-b", "B", "a.b.c"};
    struct seen seen = {0};

    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        store_fixture_store(fixture, names[i], "be1!p", "");
    assert_int_equal(store_rows(fixture->store, see_row, &seen, &fixture->error), STORE_OK);
    assert_string_equal(seen.names, "B a a-b a.b a.b.c b \xff ");
}

static void changes_come_in_order_from_where_they_are_asked_for(void **state)
{
    struct store_fixture *fixture = *state;
    static const struct {
        uint64_t from;
        uint64_t first;
        uint64_t count;
    } cases[] = {{0, 1, 3000}, {1, 1, 3000}, {2999, 2999, 2}, {3000, 3000, 1}, {3001, 0, 0},
                 {UINT64_MAX, 0, 0}};

    store_many(fixture, 3000);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct seen seen = {0};

        assert_int_equal(
            store_changes(fixture->store, cases[i].from, see_change, &seen, &fixture->error),
            STORE_OK);
        assert_int_equal(seen.first, cases[i].first);
        assert_int_equal(seen.count, cases[i].count);
    }
}

static void a_callback_can_stop_either_walk(void **state)
{
    struct store_fixture *fixture = *state;
    struct seen rows = {.stop_after = 2};
    struct seen changes = {.stop_after = 2};

    store_many(fixture, 5);
    assert_int_equal(store_rows(fixture->store, see_row, &rows, &fixture->error), STORE_REFUSED);
    assert_int_equal(rows.count, 2);
    assert_int_equal(store_changes(fixture->store, 2, see_change, &changes, &fixture->error),
                     STORE_REFUSED);
    assert_int_equal(changes.last, 3);
    store_fixture_store(fixture, "user.a", "be1!p", "");
}

static void a_record_larger_than_the_bulk_buffer_is_read(void **state)
{
    struct store_fixture *fixture = *state;
    const size_t len = (5U << 20) + 3;
    char *acl = malloc(len + 1);
    struct seen rows = {0};
    struct seen changes = {0};

    assert_non_null(acl);
    memset(acl, 'l', len);
    acl[len] = '\0';
    store_many(fixture, 10);
    store_fixture_store(fixture, "user.5", "be1!p", acl);
    assert_int_equal(store_rows(fixture->store, see_row, &rows, &fixture->error), STORE_OK);
    assert_int_equal(rows.count, 10);
    assert_int_equal(rows.acl_len, len + 9 * 5);
    assert_int_equal(store_changes(fixture->store, 0, see_change, &changes, &fixture->error),
                     STORE_OK);
    assert_int_equal(changes.count, 11);
    assert_int_equal(changes.acl_len, len + 10 * 5);
    free(acl);
}

static void a_damaged_record_is_reported_with_database_and_key(void **state)
{
    struct store_fixture *fixture = *state;
    unsigned char record[200];
    unsigned char key[8];
    struct seen seen = {0};
    size_t len;

    store_many(fixture, 5);
    store_fixture_close(fixture);
    len = raw_get(fixture->directory, "rows.db", "user.3", 6, record, sizeof record);
    raw_put(fixture->directory, "rows.db", "user.3", 6, record, len - 1);
    raw_put(fixture->directory, "changes.db", raw_sequence(2, key), 8, "", 0);
    store_fixture_open(fixture);
    assert_int_equal(store_rows(fixture->store, see_row, &seen, &fixture->error), STORE_BROKEN);
    assert_non_null(strstr(fixture->error.text, "rows.db: the record of user.3 is damaged"));
    assert_int_equal(store_changes(fixture->store, 0, see_change, &seen, &fixture->error),
                     STORE_BROKEN);
    assert_non_null(strstr(fixture->error.text, "changes.db: the record of 2 is damaged"));

    /* A batch that meets it must not go on either. */
    {
        struct row row;

        assert_int_equal(store_begin(fixture->store, &fixture->error), STORE_OK);
        assert_int_equal(store_get(fixture->store, text_of("user.3"), &row, &fixture->error),
                         STORE_BROKEN);
        assert_int_equal(fixture->panics, 1);
    }
}

static void a_gap_in_the_log_of_changes_is_reported(void **state)
{
    struct store_fixture *fixture = *state;
    unsigned char key[8];
    struct seen seen = {0};

    store_many(fixture, 5);
    store_fixture_close(fixture);
    raw_put(fixture->directory, "changes.db", raw_sequence(3, key), 8, NULL, 0);
    store_fixture_open(fixture);
    assert_int_equal(store_changes(fixture->store, 0, see_change, &seen, &fixture->error),
                     STORE_BROKEN);
    assert_non_null(strstr(fixture->error.text, "changes.db: the record of 3"));
    assert_int_equal(seen.count, 2);
}

static void trimming_goes_in_bounded_steps_and_keeps_the_newest(void **state)
{
    struct store_fixture *fixture = *state;
    struct store_position position;
    struct store_position before;
    bool more = true;
    int calls = 0;

    store_many(fixture, 3500);
    while (more) {
        store_position(fixture->store, &before);
        assert_int_equal(store_trim(fixture->store, 10, &more, &fixture->error), STORE_OK);
        store_position(fixture->store, &position);
        assert_true(position.first - before.first <= 1000);
        assert_int_equal(position.last, 3500);
        calls++;
    }
    assert_int_equal(calls, 4);
    assert_int_equal(position.first, 3491);
    store_fixture_check(fixture, NULL);
    assert_int_equal(store_fixture_store(fixture, "user.a", "be1!p", ""), 3501);
    store_fixture_reopen(fixture);
    store_position(fixture->store, &position);
    assert_int_equal(position.first, 3491);
    assert_int_equal(position.last, 3501);
    store_fixture_check(fixture, NULL);
}

static void the_last_change_always_stays(void **state)
{
    struct store_fixture *fixture = *state;
    struct store_position position;
    bool more;

    assert_int_equal(store_trim(fixture->store, 0, &more, &fixture->error), STORE_OK);
    assert_false(more);
    store_many(fixture, 3);
    assert_int_equal(store_trim(fixture->store, 0, &more, &fixture->error), STORE_OK);
    assert_false(more);
    store_fixture_reopen(fixture);
    store_position(fixture->store, &position);
    assert_int_equal(position.first, 3);
    assert_int_equal(position.last, 3);
    assert_int_equal(store_fixture_store(fixture, "user.a", "be1!p", ""), 4);
}

static void long_changes_are_trimmed_fewer_at_a_time(void **state)
{
    struct store_fixture *fixture = *state;
    struct store_position position;
    char *acl = malloc(65537);
    bool more;

    assert_non_null(acl);
    memset(acl, 'l', 65536);
    acl[65536] = '\0';
    assert_int_equal(store_begin(fixture->store, &fixture->error), STORE_OK);
    for (int i = 0; i < 200; i++)
        assert_int_equal(store_fixture_put(fixture, "user.a", "be1!p", acl, NULL), STORE_OK);
    assert_int_equal(store_commit(fixture->store, &fixture->error), STORE_OK);
    free(acl);
    assert_int_equal(store_trim(fixture->store, 1, &more, &fixture->error), STORE_OK);
    assert_true(more);
    store_position(fixture->store, &position);
    assert_true(position.first > 1 && position.first < 100);
}

int main(void)
{
#define TEST(name)                                                                                 \
    cmocka_unit_test_setup_teardown(name, store_fixture_setup, store_fixture_teardown)
    const struct CMUnitTest tests[] = {
        TEST(rows_come_in_octet_order),
        TEST(changes_come_in_order_from_where_they_are_asked_for),
        TEST(a_callback_can_stop_either_walk),
        TEST(a_record_larger_than_the_bulk_buffer_is_read),
        TEST(a_damaged_record_is_reported_with_database_and_key),
        TEST(a_gap_in_the_log_of_changes_is_reported),
        TEST(trimming_goes_in_bounded_steps_and_keeps_the_newest),
        TEST(the_last_change_always_stays),
        TEST(long_changes_are_trimmed_fewer_at_a_time),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
