/* SPDX-License-Identifier: BSD-3-Clause */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "fixture.h"
#include "mupdated/store/format.h"
#include "raw.h"

#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static enum store_result try_open(struct store_fixture *fixture)
{
    enum store_result result = store_open(&fixture->store, &fixture->options, &fixture->error);

    if (result != STORE_OK)
        assert_null(fixture->store);
    return result;
}

static void remove_file(const struct store_fixture *fixture, const char *name)
{
    char path[4300];

    (void)snprintf(path, sizeof path, "%s/%s", fixture->directory, name);
    assert_int_equal(unlink(path), 0);
}

static void a_new_table_is_empty_and_has_a_history_of_its_own(void **state)
{
    struct store_fixture *fixture = *state;
    struct store_fixture *other = store_fixture_new(NULL);
    struct store_position position;
    struct store_position others;
    struct store_counts counts;

    store_fixture_open(other);
    store_position(fixture->store, &position);
    store_position(other->store, &others);
    assert_int_equal(position.term, 1);
    assert_int_equal(position.first, 1);
    assert_int_equal(position.last, 0);
    assert_memory_not_equal(position.history, others.history, STORE_HISTORY_BYTES);
    store_fixture_check(fixture, &counts);
    assert_int_equal(counts.rows + counts.changes, 0);
    store_fixture_free(other);
}

static void the_position_is_the_same_after_reopening(void **state)
{
    struct store_fixture *fixture = *state;
    struct store_position before;
    struct store_position after;

    for (int i = 0; i < 3; i++)
        store_fixture_store(fixture, "user.a", i % 2 ? "be1!p" : "be2!p", "");
    store_position(fixture->store, &before);
    store_fixture_reopen(fixture);
    store_position(fixture->store, &after);
    assert_memory_equal(before.history, after.history, STORE_HISTORY_BYTES);
    assert_int_equal(after.term, 1);
    assert_int_equal(after.first, 1);
    assert_int_equal(after.last, 3);
    assert_int_equal(store_fixture_store(fixture, "user.b", "be1!p", ""), 4);
}

static void a_second_store_in_the_same_process_is_refused(void **state)
{
    struct store_fixture *fixture = *state;
    struct store *second;

    assert_int_equal(store_open(&second, &fixture->options, &fixture->error), STORE_BUSY);
    assert_null(second);
    store_fixture_store(fixture, "user.a", "be1!p", "");
}

/* A child that opens the store, says so and waits to be killed. */
static pid_t open_in_child(struct store_fixture *fixture)
{
    int ready[2];
    char octet;
    pid_t child;

    assert_int_equal(pipe(ready), 0);
    child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        struct store *store;

        close(ready[0]);
        if (store_open(&store, &fixture->options, &fixture->error) != STORE_OK ||
            write(ready[1], "x", 1) != 1)
            _exit(1);
        for (;;)
            pause();
    }
    close(ready[1]);
    assert_int_equal(read(ready[0], &octet, 1), 1);
    close(ready[0]);
    return child;
}

static void a_second_process_is_refused_and_told_by_whom_and_what_to_do(void **state)
{
    struct store_fixture *fixture = *state;
    char pid[32];
    pid_t child;

    store_fixture_close(fixture);
    child = open_in_child(fixture);
    assert_int_equal(try_open(fixture), STORE_BUSY);
    (void)snprintf(pid, sizeof pid, "process %ld:", (long)child);
    assert_non_null(strstr(fixture->error.text, pid));
    assert_non_null(strstr(fixture->error.text, fixture->directory));
    assert_non_null(strstr(fixture->error.text, "stop that one first"));
    assert_int_equal(kill(child, SIGKILL), 0);
    assert_int_equal(waitpid(child, NULL, 0), child);
}

static void a_killed_process_leaves_no_lock_behind(void **state)
{
    struct store_fixture *fixture = *state;
    pid_t child;

    store_fixture_close(fixture);
    child = open_in_child(fixture);
    assert_int_equal(kill(child, SIGKILL), 0);
    assert_int_equal(waitpid(child, NULL, 0), child);
    store_fixture_open(fixture);
    store_fixture_check(fixture, NULL);
}

static void a_newer_format_is_refused_and_not_touched(void **state)
{
    struct store_fixture *fixture = *state;
    static const unsigned char newer[4] = {0, 0, 0, FORMAT_VERSION + 1};
    static const unsigned char ours[4] = {0, 0, 0, FORMAT_VERSION};
    unsigned char found[4];

    store_fixture_store(fixture, "user.a", "be1!p", "");
    store_fixture_close(fixture);
    raw_put(fixture->directory, "meta.db", "format", 6, newer, sizeof newer);
    assert_int_equal(try_open(fixture), STORE_NEWER);
    assert_non_null(strstr(fixture->error.text, "format 4"));
    assert_int_equal(raw_get(fixture->directory, "meta.db", "format", 6, found, sizeof found), 4);
    assert_memory_equal(found, newer, 4);
    raw_put(fixture->directory, "meta.db", "format", 6, ours, sizeof ours);
    store_fixture_open(fixture);
    assert_string_equal(store_fixture_location(fixture, "user.a"), "be1!p");
}

static void a_table_of_which_a_database_is_gone_is_not_taken_for_a_new_one(void **state)
{
    static const char *const databases[] = {FORMAT_META, FORMAT_ROWS, FORMAT_CHANGES};

    (void)state;
    for (size_t i = 0; i < sizeof databases / sizeof databases[0]; i++) {
        struct store_fixture *fixture = store_fixture_new(NULL);

        store_fixture_open(fixture);
        store_fixture_store(fixture, "user.a", "be1!p", "");
        store_fixture_close(fixture);
        remove_file(fixture, databases[i]);
        assert_int_equal(try_open(fixture), STORE_BROKEN);
        assert_non_null(strstr(fixture->error.text, fixture->directory));
        assert_non_null(strstr(fixture->error.text, databases[i]));
        assert_non_null(strstr(fixture->error.text, "see mupdatectl verify and repair"));
        store_fixture_free(fixture);
    }
}

static void a_damaged_meta_record_is_reported(void **state)
{
    struct store_fixture *fixture = *state;

    store_fixture_close(fixture);
    raw_put(fixture->directory, "meta.db", "history", 7, "short", 5);
    assert_int_equal(try_open(fixture), STORE_BROKEN);
    assert_non_null(strstr(fixture->error.text, "meta.db: the record of history"));
}

static void one_wrong_bit_in_a_file_is_reported(void **state)
{
    struct store_fixture *fixture = *state;
    char path[4300];
    char name[32];
    char page[4096];
    char *octet = NULL;
    enum store_result result;
    struct store_counts counts;
    off_t at = 0;
    int fd;

    for (int i = 0; i < 200; i++) {
        (void)snprintf(name, sizeof name, "user.%03d", i);
        store_fixture_store(fixture, name, "be1!p", "anyone lrs");
    }
    store_fixture_close(fixture);
    (void)snprintf(path, sizeof path, "%s/%s", fixture->directory, FORMAT_ROWS);
    fd = open(path, O_RDWR);
    assert_true(fd >= 0);
    while (!octet) {
        assert_int_equal(pread(fd, page, sizeof page, at), sizeof page);
        octet = memmem(page, sizeof page, "be1!p", 5);
        at += (off_t)sizeof page;
    }
    *octet ^= 1; /* the page stays one that could be right */
    assert_int_equal(pwrite(fd, page, sizeof page, at - (off_t)sizeof page), sizeof page);
    close(fd);
    result = try_open(fixture);
    if (result == STORE_OK)
        result = store_check(fixture->store, &counts, &fixture->error);
    assert_int_equal(result, STORE_BROKEN);
    assert_non_null(strstr(fixture->error.text, FORMAT_ROWS));
}

static void nobody_else_may_read_the_files_whatever_the_umask(void **state)
{
    struct store_fixture *fixture = store_fixture_new(NULL);
    mode_t umask_before = umask(0);
    DIR *directory;
    const struct dirent *entry;
    struct stat status;
    unsigned files = 0;

    (void)state;
    store_fixture_open(fixture);
    umask(umask_before);
    store_fixture_store(fixture, "user.a", "be1!p", "");
    assert_int_equal(stat(fixture->directory, &status), 0);
    assert_int_equal(status.st_mode & 07777, 0700);
    directory = opendir(fixture->directory);
    assert_non_null(directory);
    while ((entry = readdir(directory))) {
        if (entry->d_name[0] == '.')
            continue;
        assert_int_equal(fstatat(dirfd(directory), entry->d_name, &status, 0), 0);
        assert_int_equal(status.st_mode & 07777, 0600);
        files++;
    }
    closedir(directory);
    assert_true(files >= 6);
    store_fixture_free(fixture);
}

static void a_directory_that_cannot_be_made_is_named(void **state)
{
    struct store_fixture *fixture = store_fixture_new(NULL);
    char missing[4300];

    (void)state;
    (void)snprintf(missing, sizeof missing, "%s/no/such", fixture->place);
    fixture->options.directory = missing;
    assert_int_equal(try_open(fixture), STORE_BROKEN);
    assert_non_null(strstr(fixture->error.text, missing));
    assert_non_null(strstr(fixture->error.text, "No such file"));
    store_fixture_free(fixture);
}

int main(void)
{
#define TEST(name)                                                                                 \
    cmocka_unit_test_setup_teardown(name, store_fixture_setup, store_fixture_teardown)
    const struct CMUnitTest tests[] = {
        TEST(a_new_table_is_empty_and_has_a_history_of_its_own),
        TEST(the_position_is_the_same_after_reopening),
        TEST(a_second_store_in_the_same_process_is_refused),
        TEST(a_second_process_is_refused_and_told_by_whom_and_what_to_do),
        TEST(a_killed_process_leaves_no_lock_behind),
        TEST(a_newer_format_is_refused_and_not_touched),
        cmocka_unit_test(a_table_of_which_a_database_is_gone_is_not_taken_for_a_new_one),
        TEST(a_damaged_meta_record_is_reported),
        TEST(one_wrong_bit_in_a_file_is_reported),
        cmocka_unit_test(nobody_else_may_read_the_files_whatever_the_umask),
        cmocka_unit_test(a_directory_that_cannot_be_made_is_named),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
