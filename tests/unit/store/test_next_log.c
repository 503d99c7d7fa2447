/* SPDX-License-Identifier: BSD-3-Clause */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "fixture.h"
#include "raw.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static char long_acl[30001];

static ino_t inode_of(const struct store_fixture *fixture, const char *name)
{
    char path[4300];
    struct stat status;

    (void)snprintf(path, sizeof path, "%s/%s", fixture->directory, name);
    return stat(path, &status) == 0 ? status.st_ino : 0;
}

/* The inode of the newest log file. */
static ino_t log_inode(const struct store_fixture *fixture)
{
    char newest[256] = "";
    const struct dirent *entry;
    DIR *directory = opendir(fixture->directory);

    assert_non_null(directory);
    while ((entry = readdir(directory)))
        if (strncmp(entry->d_name, "log.", 4) == 0 && strcmp(entry->d_name, newest) > 0)
            (void)snprintf(newest, sizeof newest, "%s", entry->d_name);
    closedir(directory);
    return inode_of(fixture, newest);
}

/* Commit rows until a new log file was begun, and one row more. */
static uint64_t fill_the_log(struct store_fixture *fixture)
{
    ino_t before = log_inode(fixture);
    char name[32];

    memset(long_acl, 'a', sizeof long_acl - 1);
    for (int i = 0; i < 5000 && log_inode(fixture) == before; i++) {
        (void)snprintf(name, sizeof name, "user.%d", i % 50);
        (void)store_fixture_store(fixture, name, "be1!p", long_acl);
    }
    assert_true(log_inode(fixture) != before);
    return store_fixture_store(fixture, "user.last", "be2!p", "");
}

static void a_prepared_file_becomes_the_next_log_file(void **state)
{
    struct store_fixture *fixture = *state;
    ino_t prepared;

    assert_true(store_wants_log(fixture->store));
    store_prepare_log(fixture->store);
    prepared = inode_of(fixture, "next-log");
    assert_true(prepared != 0);
    assert_false(store_wants_log(fixture->store));
    fill_the_log(fixture);
    assert_true(log_inode(fixture) == prepared);
    assert_true(inode_of(fixture, "next-log") == 0);
    assert_true(store_wants_log(fixture->store));
    store_fixture_reopen(fixture);
    assert_string_equal(store_fixture_location(fixture, "user.last"), "be2!p");
    store_fixture_check(fixture, NULL);
}

static void write_file(const struct store_fixture *fixture, const char *name)
{
    char path[4300];
    int fd;

    (void)snprintf(path, sizeof path, "%s/%s", fixture->directory, name);
    fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, "remains", 7), 7);
    close(fd);
}

static void what_a_former_run_prepared_is_not_used(void **state)
{
    struct store_fixture *fixture = *state;

    store_fixture_close(fixture);
    write_file(fixture, "next-log");
    write_file(fixture, "next-log.part");
    store_fixture_open(fixture);
    assert_true(inode_of(fixture, "next-log") == 0);
    assert_true(inode_of(fixture, "next-log.part") == 0);
    fill_the_log(fixture);
    store_prepare_log(fixture->store);
    assert_true(inode_of(fixture, "next-log") != 0);
}

static void what_was_committed_to_prepared_files_survives_a_kill(void **state)
{
    static struct store_fixture *fixture; /* static: the child ends without freeing it */
    struct store_position position;
    uint64_t last = 0;
    int status;
    int ends[2];
    pid_t child;

    fixture = *state;
    store_fixture_close(fixture);
    assert_int_equal(pipe(ends), 0);
    child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        store_fixture_open(fixture);
        for (int i = 0; i < 3; i++) {
            store_prepare_log(fixture->store);
            last = fill_the_log(fixture);
        }
        _exit(write(ends[1], &last, sizeof last) == (ssize_t)sizeof last ? 0 : 1);
    }
    close(ends[1]);
    assert_int_equal(read(ends[0], &last, sizeof last), sizeof last);
    close(ends[0]);
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
    store_fixture_open(fixture);
    store_position(fixture->store, &position);
    assert_int_equal(position.last, last);
    assert_string_equal(store_fixture_location(fixture, "user.last"), "be2!p");
    store_fixture_check(fixture, NULL);
}

static void a_file_that_cannot_be_prepared_is_not_used_and_costs_nothing(void **state)
{
    struct store_fixture *fixture = *state;

    raw_fail_sync(EIO, 3);
    store_prepare_log(fixture->store);
    raw_fail_sync(0, 0);
    assert_true(inode_of(fixture, "next-log") == 0);
    assert_true(inode_of(fixture, "next-log.part") == 0);
    fill_the_log(fixture);
    assert_int_equal(fixture->panics, 0);
    assert_true(store_wants_log(fixture->store));
    store_prepare_log(fixture->store);
    assert_true(inode_of(fixture, "next-log") != 0);
}

static void half_of_a_prepared_file_is_made_anew(void **state)
{
    struct store_fixture *fixture = *state;

    write_file(fixture, "next-log.part");
    fill_the_log(fixture);
    assert_true(inode_of(fixture, "next-log.part") != 0);
    store_prepare_log(fixture->store);
    assert_true(inode_of(fixture, "next-log.part") == 0);
    fill_the_log(fixture);
    store_fixture_reopen(fixture);
    store_fixture_check(fixture, NULL);
}

int main(void)
{
#define TEST(name)                                                                                 \
    cmocka_unit_test_setup_teardown(name, store_fixture_setup, store_fixture_teardown)
    const struct CMUnitTest tests[] = {
        TEST(a_prepared_file_becomes_the_next_log_file),
        TEST(what_a_former_run_prepared_is_not_used),
        TEST(what_was_committed_to_prepared_files_survives_a_kill),
        TEST(a_file_that_cannot_be_prepared_is_not_used_and_costs_nothing),
        TEST(half_of_a_prepared_file_is_made_anew),
    };
#undef TEST

    return cmocka_run_group_tests(tests, NULL, NULL);
}
