/* SPDX-License-Identifier: BSD-3-Clause */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "fixture.h"
#include "tests/unit/cases.h"
#include "mupdated/store/copy.h"
#include "mupdated/store/format.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static struct store_fixture *target_of(struct store_fixture *fixture)
{
    struct store_fixture *copy = store_fixture_new(NULL);

    (void)fixture;
    copy->options.copy = true;
    copy->options.existing = true;
    return copy;
}

static void store_many(struct store_fixture *fixture, int from, int count)
{
    char name[32];

    for (int done = 0; done < count;) {
        assert_int_equal(store_begin(fixture->store, &fixture->error), STORE_OK);
        for (int i = 0; i < 500 && done < count; i++, done++) {
            (void)snprintf(name, sizeof name, "user.%07d", from + done);
            assert_int_equal(store_fixture_put(fixture, name, "be1!p", "a lrs", NULL), STORE_OK);
        }
        assert_int_equal(store_commit(fixture->store, &fixture->error), STORE_OK);
    }
}

static void complain(void *context, const char *text)
{
    (void)snprintf(context, 512, "%s", text);
}

/* The copy is sound, page by page and row by row; *counts is what it holds. */
static void check_copy(struct store_fixture *copy, struct store_counts *counts)
{
    char wrong[512] = "";

    store_fixture_open(copy);
    store_fixture_check(copy, counts);
    store_fixture_close(copy);
    if (store_verify_pages(copy->directory, complain, wrong, &copy->error) != STORE_OK)
        fail_msg("%s: %s", copy->error.text, wrong);
}

static bool same_row(void *context, const struct row *row)
{
    struct store_walk *walk = context;
    struct store_error error;
    struct row other;

    assert_int_equal(store_walk_next(walk, &other, &error), STORE_OK);
    assert_true(text_equal(row->mupdate.name, other.mupdate.name));
    assert_int_equal(row->sequence, other.sequence);
    return true;
}

static void a_copy_is_the_same_table_with_the_same_history(void **state)
{
    struct store_fixture *fixture = *state;
    struct store_fixture *copy = target_of(fixture);
    struct store_position before;
    struct store_position after;
    struct store_counts counts;
    struct store_walk *walk;
    struct row row;

    store_many(fixture, 0, 5000);
    store_many(fixture, 100, 50);
    assert_int_equal(store_backup(fixture->store, copy->directory, NULL, NULL, &fixture->error),
                     STORE_OK);
    check_copy(copy, &counts);
    assert_int_equal(counts.rows, 5000);
    assert_int_equal(counts.changes, 5050);
    store_fixture_open(copy);
    store_position(fixture->store, &before);
    store_position(copy->store, &after);
    assert_memory_equal(&before, &after, sizeof before);
    assert_int_equal(store_walk_new(&walk, copy->store, &copy->error), STORE_OK);
    assert_int_equal(store_rows(fixture->store, same_row, walk, &fixture->error), STORE_OK);
    assert_int_equal(store_walk_next(walk, &row, &copy->error), STORE_ABSENT);
    store_walk_free(walk);
    store_fixture_free(copy);
}

/* Rows that are written over and over. */
#define WIDE (int)cases_of(5000)

struct busy {
    struct store_fixture *fixture;
    atomic_bool stop;
    atomic_int stored;
};

static void *write_on(void *context)
{
    struct busy *busy = context;
    bool more;

    for (int i = 0; !atomic_load(&busy->stop); i++) {
        store_many(busy->fixture, i * 37 % WIDE, 50);
        atomic_fetch_add(&busy->stored, 50);
        if (i % 50 == 0)
            (void)store_trim(busy->fixture->store, 1000, &more, &busy->fixture->error);
    }
    return NULL;
}

static void *checkpoint_on(void *context)
{
    struct busy *busy = context;
    struct store_error error;

    while (!atomic_load(&busy->stop)) {
        assert_int_equal(store_checkpoint(busy->fixture->store, &error), STORE_OK);
        store_prepare_log(busy->fixture->store);
        (void)usleep(2000);
    }
    return NULL;
}

static void a_copy_beside_batches_checkpoints_and_trimming_is_sound(void **state)
{
    struct store_fixture *fixture = *state;
    struct busy busy = {.fixture = fixture};
    pthread_t threads[2];

    store_many(fixture, 0, WIDE);
    assert_int_equal(pthread_create(&threads[0], NULL, write_on, &busy), 0);
    assert_int_equal(pthread_create(&threads[1], NULL, checkpoint_on, &busy), 0);
    for (int i = 0; i < 4; i++) {
        struct store_fixture *copy = target_of(fixture);
        struct store_counts counts;
        struct store_error error;
        int before;

        while (atomic_load(&busy.stored) < 100 * (i + 1))
            (void)usleep(1000);
        before = atomic_load(&busy.stored);
        if (store_backup(fixture->store, copy->directory, NULL, NULL, &error) != STORE_OK)
            fail_msg("%s", error.text);
        check_copy(copy, &counts);
        store_fixture_open(copy);
        {
            struct store_position position;

            store_position(copy->store, &position);
            assert_true(position.last >= (uint64_t)(WIDE + before));
        }
        store_fixture_free(copy);
    }
    atomic_store(&busy.stop, true);
    (void)pthread_join(threads[0], NULL);
    (void)pthread_join(threads[1], NULL);
    store_fixture_check(fixture, NULL);
}

static void log_files_are_removed_again_after_a_copy(void **state)
{
    struct store_fixture *fixture = *state;
    struct store_fixture *copy = target_of(fixture);
    static char acl[60000];
    char name[32];
    uint64_t octets;

    memset(acl, 'a', sizeof acl - 1);
    store_many(fixture, 0, 1000);
    assert_int_equal(store_backup(fixture->store, copy->directory, NULL, NULL, &fixture->error),
                     STORE_OK);
    /* Each is twice in the log: as a row and as a change. So these are five log files. */
    for (int i = 0; i < 800; i++) {
        (void)snprintf(name, sizeof name, "user.%d", i);
        (void)store_fixture_store(fixture, name, "be1!p", acl);
        if (i % 100 == 99)
            assert_int_equal(store_checkpoint(fixture->store, &fixture->error), STORE_OK);
    }
    assert_true(store_fixture_files(fixture, "log.", &octets) <= 3);
    store_fixture_free(copy);
}

struct watch {
    unsigned calls;
    unsigned stop_at; /* 0: never */
    uint64_t done;
    uint64_t total;
};

static bool watch(void *context, uint64_t done, uint64_t total)
{
    struct watch *seen = context;

    assert_true(done >= seen->done && done <= total);
    seen->done = done;
    seen->total = total;
    return ++seen->calls != seen->stop_at;
}

static void progress_is_told_and_can_stop_the_copy(void **state)
{
    struct store_fixture *fixture = *state;
    struct store_fixture *copy = target_of(fixture);
    struct watch seen = {.stop_at = 3};
    struct stat status;

    store_many(fixture, 0, 20000);
    assert_int_equal(store_backup(fixture->store, copy->directory, watch, &seen, &fixture->error),
                     STORE_REFUSED);
    assert_int_equal(seen.calls, 3);
    assert_int_equal(stat(copy->directory, &status), -1);
    seen = (struct watch){0};
    assert_int_equal(store_backup(fixture->store, copy->directory, watch, &seen, &fixture->error),
                     STORE_OK);
    assert_true(seen.calls > 3 && seen.done == seen.total);
    /* The table goes on as if nothing had been. */
    store_many(fixture, 0, 10);
    store_fixture_check(fixture, NULL);
    store_fixture_free(copy);
}

static void a_target_that_is_there_is_left_alone(void **state)
{
    struct store_fixture *fixture = *state;
    struct store_fixture *copy = target_of(fixture);
    struct stat status;

    assert_int_equal(mkdir(copy->directory, 0700), 0);
    assert_int_equal(store_backup(fixture->store, copy->directory, NULL, NULL, &fixture->error),
                     STORE_REFUSED);
    assert_non_null(strstr(fixture->error.text, copy->directory));
    assert_int_equal(stat(copy->directory, &status), 0);
    assert_int_equal(store_backup(fixture->store, "/nowhere/at/all", NULL, NULL, &fixture->error),
                     STORE_REFUSED);
    (void)store_fixture_store(fixture, "user.a", "be1!p", "x");
    store_fixture_free(copy);
}

static void damage(const struct store_fixture *fixture, const char *name, off_t at)
{
    char path[4300];
    unsigned char octet;
    int fd;

    (void)snprintf(path, sizeof path, "%s/%s", fixture->directory, name);
    fd = open(path, O_RDWR | O_CLOEXEC);
    assert_true(fd >= 0);
    assert_int_equal(pread(fd, &octet, 1, at), 1);
    octet ^= 0x10;
    assert_int_equal(pwrite(fd, &octet, 1, at), 1);
    close(fd);
}

static void a_flipped_bit_in_any_page_is_found(void **state)
{
    struct store_fixture *fixture = *state;
    static const char *const names[] = {FORMAT_ROWS, FORMAT_CHANGES, FORMAT_META};

    store_many(fixture, 0, 300);
    store_fixture_close(fixture);
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        char path[4300];
        struct stat status;

        (void)snprintf(path, sizeof path, "%s/%s", fixture->directory, names[i]);
        assert_int_equal(stat(path, &status), 0);
        assert_int_equal(store_verify_pages(fixture->directory, NULL, NULL, &fixture->error),
                         STORE_OK);
        /* Each third page, and so some of each kind. */
        for (off_t at = 40; at < status.st_size; at += 3 * 4096) {
            char wrong[512] = "";

            damage(fixture, names[i], at);
            assert_int_equal(
                store_verify_pages(fixture->directory, complain, wrong, &fixture->error),
                STORE_BROKEN);
            assert_non_null(strstr(fixture->error.text, names[i]));
            assert_non_null(strstr(wrong, names[i]));
            damage(fixture, names[i], at);
        }
    }
    store_fixture_open(fixture);
}

static void pages_of_a_table_in_use_are_not_looked_at(void **state)
{
    struct store_fixture *fixture = *state;

    assert_int_equal(store_verify_pages(fixture->directory, NULL, NULL, &fixture->error),
                     STORE_BUSY);
}

int main(void)
{
#define TEST(name)                                                                                 \
    cmocka_unit_test_setup_teardown(name, store_fixture_setup, store_fixture_teardown)
    const struct CMUnitTest tests[] = {
        TEST(a_copy_is_the_same_table_with_the_same_history),
        TEST(a_copy_beside_batches_checkpoints_and_trimming_is_sound),
        TEST(log_files_are_removed_again_after_a_copy),
        TEST(progress_is_told_and_can_stop_the_copy),
        TEST(a_target_that_is_there_is_left_alone),
        TEST(a_flipped_bit_in_any_page_is_found),
        TEST(pages_of_a_table_in_use_are_not_looked_at),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
