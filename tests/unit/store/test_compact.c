/* SPDX-License-Identifier: BSD-3-Clause */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "fixture.h"
#include "mupdated/store/compact.h"

#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

struct written {
    uint64_t calls;
    uint64_t done;
};

static void count(void *context, uint64_t done)
{
    struct written *written = context;

    assert_int_equal(done, written->done + 1);
    written->done = done;
    written->calls++;
}

/* Where the new table is made; path must have room. */
static struct store_options beside(const struct store_fixture *fixture, char *path, size_t size)
{
    struct store_options options = fixture->options;

    (void)snprintf(path, size, "%s/new", fixture->place);
    options.directory = path;
    return options;
}

/* Rows that come, change and go, and of the changes only the last 50. */
static void fill(struct store_fixture *fixture)
{
    char name[32];
    bool more = true;

    for (int i = 0; i < 100; i++) {
        (void)snprintf(name, sizeof name, "user.%03d", i);
        (void)store_fixture_store(fixture, name, "be1!p", "a\tlrs\t");
    }
    for (int i = 0; i < 100; i += 2) {
        (void)snprintf(name, sizeof name, "user.%03d", i);
        (void)store_fixture_store(fixture, name, i % 10 == 0 ? "be2!p" : NULL, "x");
    }
    while (more)
        assert_int_equal(store_trim(fixture->store, 50, &more, &fixture->error), STORE_OK);
}

static bool compare_row(void *context, const struct row *row)
{
    struct store_walk *walk = context;
    struct store_error error;
    struct row other;

    assert_int_equal(store_walk_next(walk, &other, &error), STORE_OK);
    assert_int_equal(other.mupdate.state, row->mupdate.state);
    assert_true(text_equal(other.mupdate.name, row->mupdate.name));
    assert_true(text_equal(other.mupdate.location, row->mupdate.location));
    assert_true(text_equal(other.mupdate.acl, row->mupdate.acl));
    assert_true(text_equal(other.who, row->who));
    assert_int_equal(other.sequence, row->sequence);
    assert_int_equal(other.time_us, row->time_us);
    return true;
}

static void what_is_made_is_the_same_table(void **state)
{
    struct store_fixture *fixture = *state;
    char path[sizeof fixture->place + 16];
    struct store_options options = beside(fixture, path, sizeof path);
    struct store_position old_position;
    struct store_position new_position;
    struct store_counts counts;
    struct store_counts checked;
    struct written written = {0};
    struct store_walk *walk;
    struct store *old;

    fill(fixture);
    assert_int_equal(store_compact(fixture->store, &options, count, &written, &counts,
                                   &fixture->error),
                     STORE_OK);
    assert_int_equal(counts.rows, 60);
    assert_int_equal(counts.changes, 50);
    assert_int_equal(written.calls, 110);
    store_position(fixture->store, &old_position);
    old = fixture->store;
    options.existing = true;
    assert_int_equal(store_open(&fixture->store, &options, &fixture->error), STORE_OK);
    store_position(fixture->store, &new_position);
    assert_memory_equal(new_position.history, old_position.history, STORE_HISTORY_BYTES);
    assert_int_equal(new_position.term, old_position.term);
    assert_int_equal(new_position.first, old_position.first);
    assert_int_equal(new_position.last, old_position.last);
    assert_true(store_confirmed(fixture->store));
    store_fixture_check(fixture, &checked);
    assert_int_equal(checked.rows, 60);
    assert_int_equal(checked.changes, 50);
    assert_int_equal(store_walk_new(&walk, fixture->store, &fixture->error), STORE_OK);
    assert_int_equal(store_rows(old, compare_row, walk, &fixture->error), STORE_OK);
    store_walk_free(walk);
    store_close(old);
    /* And it goes on as the old one would. */
    assert_int_equal(store_fixture_store(fixture, "user.new", "be1!p", "x"),
                     old_position.last + 1);
}

static void a_table_that_parted_stays_what_it_is(void **state)
{
    struct store_fixture *fixture = *state;
    char path[sizeof fixture->place + 16];
    struct store_options options = beside(fixture, path, sizeof path);
    struct store_counts counts;

    fill(fixture);
    assert_int_equal(store_part(fixture->store, &fixture->error), STORE_OK);
    assert_int_equal(store_compact(fixture->store, &options, NULL, NULL, &counts,
                                   &fixture->error),
                     STORE_OK);
    store_fixture_close(fixture);
    options.existing = true;
    assert_int_equal(store_open(&fixture->store, &options, &fixture->error), STORE_OK);
    assert_false(store_confirmed(fixture->store));
}

static void an_empty_table_may_be_made_anew_too(void **state)
{
    struct store_fixture *fixture = *state;
    char path[sizeof fixture->place + 16];
    struct store_options options = beside(fixture, path, sizeof path);
    struct store_counts counts;

    assert_int_equal(store_compact(fixture->store, &options, NULL, NULL, &counts,
                                   &fixture->error),
                     STORE_OK);
    store_fixture_close(fixture);
    options.existing = true;
    assert_int_equal(store_open(&fixture->store, &options, &fixture->error), STORE_OK);
    assert_int_equal(store_fixture_store(fixture, "user.a", "be1!p", "x"), 1);
}

static void it_is_not_made_over_another(void **state)
{
    struct store_fixture *fixture = *state;
    char path[sizeof fixture->place + 16];
    struct store_options options = beside(fixture, path, sizeof path);
    struct store_counts counts;

    fill(fixture);
    assert_int_equal(store_compact(fixture->store, &options, NULL, NULL, &counts,
                                   &fixture->error),
                     STORE_OK);
    assert_int_equal(store_compact(fixture->store, &options, NULL, NULL, &counts,
                                   &fixture->error),
                     STORE_REFUSED);
    assert_non_null(strstr(fixture->error.text, "there is a table already"));
}

static void who_holds_the_lock_may_open_the_table(void **state)
{
    struct store_fixture *fixture = *state;
    struct store_options options;
    struct store_lock *lock;
    struct store *another;

    fill(fixture);
    store_fixture_close(fixture);
    assert_int_equal(store_lock_take(&lock, fixture->directory, &fixture->error), STORE_OK);
    options = fixture->options;
    options.existing = true;
    assert_int_equal(store_open(&another, &options, &fixture->error), STORE_BUSY);
    options.locked = true;
    assert_int_equal(store_open(&another, &options, &fixture->error), STORE_OK);
    store_close(another);
    /* The lock is still held. */
    options.locked = false;
    assert_int_equal(store_open(&another, &options, &fixture->error), STORE_BUSY);
    store_lock_release(lock);
    store_fixture_open(fixture);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(what_is_made_is_the_same_table, store_fixture_setup,
                                        store_fixture_teardown),
        cmocka_unit_test_setup_teardown(a_table_that_parted_stays_what_it_is, store_fixture_setup,
                                        store_fixture_teardown),
        cmocka_unit_test_setup_teardown(an_empty_table_may_be_made_anew_too, store_fixture_setup,
                                        store_fixture_teardown),
        cmocka_unit_test_setup_teardown(it_is_not_made_over_another, store_fixture_setup,
                                        store_fixture_teardown),
        cmocka_unit_test_setup_teardown(who_holds_the_lock_may_open_the_table,
                                        store_fixture_setup, store_fixture_teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
