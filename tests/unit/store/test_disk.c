/* SPDX-License-Identifier: BSD-3-Clause */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "fixture.h"
#include "raw.h"
#include "tests/unit/cases.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

static char long_acl[65537];

static uint64_t last_of(struct store_fixture *fixture)
{
    struct store_position position;

    store_position(fixture->store, &position);
    return position.last;
}

/* One batch that sets count rows to the location. */
static enum store_result try_batch(struct store_fixture *fixture, int count, const char *location,
                                   const char *acl)
{
    char name[32];
    enum store_result result = store_begin(fixture->store, &fixture->error);

    for (int i = 0; i < count && result == STORE_OK; i++) {
        (void)snprintf(name, sizeof name, "user.%d", i);
        result = store_fixture_put(fixture, name, location, acl, NULL);
    }
    return result == STORE_OK ? store_commit(fixture->store, &fixture->error) : result;
}

static void a_batch_that_cannot_be_written_is_refused_and_the_next_one_stored(void **state)
{
    struct store_fixture *fixture = *state;

    assert_int_equal(try_batch(fixture, 3, "be1!p", ""), STORE_OK);
    raw_fail_writes(ENOSPC, 0);
    for (int i = 0; i < 50; i++)
        assert_int_equal(try_batch(fixture, 3, "be2!p", ""), STORE_REFUSED);
    assert_true(strlen(fixture->logged) < 5000);
    assert_string_equal(fixture->error.reason, "No space left on device");
    assert_non_null(strstr(fixture->error.text, fixture->directory));
    assert_string_equal(store_fixture_location(fixture, "user.1"), "be1!p");
    raw_fail_writes(0, 0);
    assert_int_equal(try_batch(fixture, 3, "be3!p", ""), STORE_OK);
    assert_int_equal(last_of(fixture), 6);
    assert_int_equal(fixture->panics, 0);
    store_fixture_reopen(fixture);
    assert_string_equal(store_fixture_location(fixture, "user.1"), "be3!p");
    store_fixture_check(fixture, NULL);
}

/*
 * Let the disk be full after the first, second, third... write. Whatever comes
 * of it: what was said to be stored is there afterwards, and what was refused is not.
 */
static void wherever_the_disk_becomes_full_each_answer_is_true(void **state)
{
    struct store_fixture *fixture = *state;
    char location[32];
    char expected[32] = "be!0";
    /* Or some of these: odd and even ones, and of each remainder of three. */
    unsigned step = cases_of(60) < 60 ? 5 : 1;
    bool more;

    assert_int_equal(try_batch(fixture, 40, expected, long_acl), STORE_OK);
    for (unsigned successes = 0; successes < 60; successes += step) {
        enum store_result result;

        (void)snprintf(location, sizeof location, "be!%u", successes + 1);
        raw_fail_writes(ENOSPC, successes);
        if (successes % 3 == 0)
            (void)store_checkpoint(fixture->store, &fixture->error);
        result = try_batch(fixture, 40, location, long_acl);
        if (successes % 2 == 0 && fixture->panics == 0)
            (void)store_trim(fixture->store, 60, &more, &fixture->error);
        raw_fail_writes(0, 0);
        if (result == STORE_OK)
            (void)snprintf(expected, sizeof expected, "%s", location);
        if (fixture->panics) {
            fixture->panics = 0;
            store_fixture_reopen(fixture);
            if (result == STORE_UNCERTAIN)
                (void)snprintf(expected, sizeof expected, "%s",
                               store_fixture_location(fixture, "user.0"));
        } else {
            assert_true(result == STORE_OK || result == STORE_REFUSED);
        }
        if (successes % 7 == 0)
            store_fixture_reopen(fixture);
        assert_string_equal(store_fixture_location(fixture, "user.0"), expected);
        assert_string_equal(store_fixture_location(fixture, "user.39"), expected);
        store_fixture_check(fixture, NULL);
    }
}

static void *mend_after_some_failures(void *nothing)
{
    (void)nothing;
    while (raw_failed_writes() < 6)
        (void)usleep(1000);
    raw_fail_writes(0, 0);
    return NULL;
}

/*
 * Batches until one must begin the second log file, to which writes fail.
 * They are small, so that nothing but their commit writes to it.
 */
static enum store_result fail_at_a_new_log_file(struct store_fixture *fixture)
{
    for (int i = 0; i < 2000; i++) {
        enum store_result result = try_batch(fixture, 200, i % 2 ? "be1!p" : "be2!p", "a lrs");

        if (result != STORE_OK || raw_failed_writes() > 0)
            return result;
    }
    fail_msg("no new log file was begun");
    return STORE_OK;
}

static void a_commit_at_the_start_of_a_new_log_file_waits_for_room(void **state)
{
    struct store_fixture *fixture = *state;
    struct store_fixture *copy;
    pthread_t thread;
    enum store_result result;
    uint64_t last;
    char command[9000];

    raw_fail_writes_to("log.0000000002", ENOSPC);
    assert_int_equal(pthread_create(&thread, NULL, mend_after_some_failures, NULL), 0);
    result = fail_at_a_new_log_file(fixture);
    assert_int_equal(pthread_join(thread, NULL), 0);
    raw_fail_writes(0, 0);
    assert_int_equal(result, STORE_OK);
    assert_int_equal(fixture->panics, 0);
    last = last_of(fixture);

    /* What the disk holds now, without the end that store_close() gives it. */
    copy = store_fixture_new(NULL);
    (void)snprintf(command, sizeof command, "cp -r '%s' '%s'", fixture->directory, copy->directory);
    assert_int_equal(system(command), 0);
    store_fixture_open(copy);
    assert_int_equal(last_of(copy), last);
    store_fixture_check(copy, NULL);
    store_fixture_free(copy);
}

static void a_commit_that_stays_half_written_is_uncertain(void **state)
{
    struct store_fixture *fixture = *state;
    enum store_result result;
    uint64_t last;

    raw_fail_writes_to("log.0000000002", ENOSPC);
    result = fail_at_a_new_log_file(fixture);
    last = last_of(fixture);
    raw_fail_writes(0, 0);
    assert_int_equal(result, STORE_UNCERTAIN);
    assert_non_null(strstr(fixture->error.text, "write the log"));
    assert_int_equal(fixture->panics, 1);
    assert_int_equal(store_begin(fixture->store, &fixture->error), STORE_BROKEN);
    assert_int_equal(fixture->panics, 1);
    store_fixture_reopen(fixture);
    assert_true(last_of(fixture) == last || last_of(fixture) == last + 200);
    store_fixture_check(fixture, NULL);
}

static void after_a_flush_that_the_disk_did_not_confirm_nothing_is_acknowledged(void **state)
{
    struct store_fixture *fixture = *state;
    uint64_t last;

    assert_int_equal(try_batch(fixture, 3, "be1!p", ""), STORE_OK);
    raw_fail_sync(EIO, 0);
    assert_int_equal(try_batch(fixture, 3, "be2!p", ""), STORE_UNCERTAIN);
    assert_int_equal(fixture->panics, 1);
    assert_int_equal(store_begin(fixture->store, &fixture->error), STORE_BROKEN);
    assert_int_equal(store_checkpoint(fixture->store, &fixture->error), STORE_BROKEN);
    assert_int_equal(fixture->panics, 1);
    store_fixture_reopen(fixture);
    last = last_of(fixture);
    assert_true(last == 3 || last == 6);
    assert_string_equal(store_fixture_location(fixture, "user.1"), last == 3 ? "be1!p" : "be2!p");
    store_fixture_check(fixture, NULL);
}

static void after_a_checkpoint_that_the_disk_did_not_confirm_nothing_is_acknowledged(void **state)
{
    struct store_fixture *fixture = *state;

    assert_int_equal(try_batch(fixture, 3, "be1!p", ""), STORE_OK);
    raw_fail_sync(ENOSPC, 0);
    assert_int_equal(store_checkpoint(fixture->store, &fixture->error), STORE_BROKEN);
    assert_non_null(strstr(fixture->error.text, "did not confirm"));
    assert_int_equal(fixture->panics, 1);
    assert_int_equal(store_begin(fixture->store, &fixture->error), STORE_BROKEN);
    store_fixture_reopen(fixture);
    assert_int_equal(last_of(fixture), 3);
    store_fixture_check(fixture, NULL);
}

/* A file that may not grow is a full disk that any user can have. */
static void at_a_limit_of_the_file_size_changes_are_refused_until_it_is_gone(void **state)
{
    struct store_fixture *fixture = *state;
    struct rlimit before;
    struct rlimit limit;
    enum store_result result = STORE_OK;
    uint64_t last;

    (void)signal(SIGXFSZ, SIG_IGN);
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &before), 0);
    limit = before;
    limit.rlim_cur = 2 << 20;
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
    for (int i = 0; i < 100 && result == STORE_OK; i++)
        result = try_batch(fixture, 4, i % 2 ? "be1!p" : "be2!p", long_acl);
    last = last_of(fixture);
    assert_int_equal(result, STORE_REFUSED);
    assert_int_equal(try_batch(fixture, 4, "be3!p", long_acl), STORE_REFUSED);
    assert_int_equal(last_of(fixture), last);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &before), 0);
    assert_int_equal(fixture->panics, 0);
    assert_int_equal(try_batch(fixture, 4, "be4!p", long_acl), STORE_OK);
    assert_int_equal(last_of(fixture), last + 4);
    store_fixture_reopen(fixture);
    assert_string_equal(store_fixture_location(fixture, "user.0"), "be4!p");
    store_fixture_check(fixture, NULL);
}

static void new_log_files_are_begun_when_no_descriptor_is_left(void **state)
{
    struct store_fixture *fixture = *state;
    struct rlimit before;
    struct rlimit limit;
    int lowest = open("/dev/null", O_RDONLY);

    assert_true(lowest >= 0);
    close(lowest);
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
    limit = before;
    limit.rlim_cur = (rlim_t)lowest;
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &limit), 0);
    assert_int_equal(open("/dev/null", O_RDONLY), -1);
    for (int i = 0; i < 200; i++) {
        enum store_result result = try_batch(fixture, 4, i % 2 ? "be1!p" : "be2!p", long_acl);

        if (result != STORE_OK)
            (void)setrlimit(RLIMIT_NOFILE, &before);
        assert_int_equal(result, STORE_OK);
    }
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
    assert_int_equal(fixture->panics, 0);
    store_fixture_check(fixture, NULL);
}

static void disk_use_is_bounded_however_often_rows_are_rewritten(void **state)
{
    struct store_fixture *fixture = *state;
    uint64_t half = 0;
    uint64_t end;
    uint64_t logs;
    unsigned files;
    bool more;

    for (int i = 0; i < 300; i++) {
        assert_int_equal(try_batch(fixture, 4, i % 2 ? "be1!p" : "be2!p", long_acl), STORE_OK);
        if (i % 10 != 9)
            continue;
        do
            assert_int_equal(store_trim(fixture->store, 8, &more, &fixture->error), STORE_OK);
        while (more);
        assert_int_equal(store_checkpoint(fixture->store, &fixture->error), STORE_OK);
        files = store_fixture_files(fixture, "log.", &logs);
        assert_true(files <= 2);
        if (i == 149)
            (void)store_fixture_files(fixture, "changes.db", &half);
    }
    (void)store_fixture_files(fixture, "changes.db", &end);
    assert_true(half > 0);
    assert_true(end <= half + half / 4);
    store_fixture_check(fixture, NULL);
}

/* --- a file system that is really full: needs the right to mount one --- */

static struct store_fixture *mount_small(const char *size)
{
    struct store_fixture *outer = store_fixture_new(NULL);

    if (unshare(CLONE_NEWNS) != 0 || mount("none", "/", "none", MS_REC | MS_PRIVATE, NULL) != 0 ||
        mount("tmpfs", outer->place, "tmpfs", 0, size) != 0) {
        store_fixture_free(outer);
        return NULL;
    }
    return outer;
}

static void unmount_small(struct store_fixture *fixture)
{
    store_fixture_close(fixture);
    assert_int_equal(umount2(fixture->place, MNT_DETACH), 0);
    store_fixture_free(fixture);
}

/* Fill the file system but for so many octets. */
static void fill(const struct store_fixture *fixture, const char *name, off_t leave)
{
    char path[4300];
    int fd;

    (void)snprintf(path, sizeof path, "%s/%s", fixture->place, name);
    fd = open(path, O_WRONLY | O_CREAT | O_APPEND, 0600);
    assert_true(fd >= 0);
    while (write(fd, long_acl, 4096) > 0)
        ;
    if (leave > 0)
        assert_int_equal(ftruncate(fd, lseek(fd, 0, SEEK_END) - leave), 0);
    close(fd);
}

static void empty(const struct store_fixture *fixture, const char *name)
{
    char path[4300];

    (void)snprintf(path, sizeof path, "%s/%s", fixture->place, name);
    assert_int_equal(unlink(path), 0);
}

static void changes_are_refused_before_the_disk_is_full(void **state)
{
    struct store_fixture *fixture = mount_small("size=128m");
    uint64_t last;

    (void)state;
    if (!fixture)
        skip();
    store_fixture_open(fixture);
    assert_int_equal(try_batch(fixture, 4, "be1!p", long_acl), STORE_OK);
    last = last_of(fixture);
    fill(fixture, "filler", 31 << 20);
    assert_int_equal(try_batch(fixture, 4, "be2!p", long_acl), STORE_REFUSED);
    assert_string_equal(fixture->error.reason, "No space left on device");
    assert_string_equal(store_fixture_location(fixture, "user.0"), "be1!p");
    assert_int_equal(store_checkpoint(fixture->store, &fixture->error), STORE_OK);
    empty(fixture, "filler");
    assert_int_equal(try_batch(fixture, 4, "be3!p", long_acl), STORE_OK);
    assert_int_equal(last_of(fixture), last + 4);
    store_fixture_check(fixture, NULL);
    unmount_small(fixture);
}

static void a_disk_that_fills_up_during_a_batch_refuses_that_batch(void **state)
{
    struct store_fixture *fixture = mount_small("size=128m");
    char name[32];
    uint64_t last;

    (void)state;
    if (!fixture)
        skip();
    store_fixture_open(fixture);
    assert_int_equal(try_batch(fixture, 4, "be1!p", long_acl), STORE_OK);
    last = last_of(fixture);
    assert_int_equal(store_begin(fixture->store, &fixture->error), STORE_OK);
    for (int i = 0; i < 20; i++) {
        (void)snprintf(name, sizeof name, "user.%d", i);
        assert_int_equal(store_fixture_put(fixture, name, "be2!p", long_acl, NULL), STORE_OK);
    }
    fill(fixture, "filler", 0);
    assert_int_equal(store_commit(fixture->store, &fixture->error), STORE_REFUSED);
    assert_int_equal(store_checkpoint(fixture->store, &fixture->error), STORE_REFUSED);
    assert_string_equal(store_fixture_location(fixture, "user.0"), "be1!p");
    empty(fixture, "filler");
    assert_int_equal(try_batch(fixture, 4, "be3!p", long_acl), STORE_OK);
    assert_int_equal(store_checkpoint(fixture->store, &fixture->error), STORE_OK);
    assert_int_equal(last_of(fixture), last + 4);
    assert_int_equal(fixture->panics, 0);
    store_fixture_reopen(fixture);
    assert_string_equal(store_fixture_location(fixture, "user.0"), "be3!p");
    store_fixture_check(fixture, NULL);
    unmount_small(fixture);
}

static void recovery_on_a_full_disk_gives_the_ballast_up(void **state)
{
    static struct store_fixture *fixture; /* static: the child ends without freeing it */
    char name[32];
    pid_t child;
    int status;
    uint64_t octets;

    (void)state;
    fixture = mount_small("size=128m");
    if (!fixture)
        skip();
    child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        store_fixture_open(fixture);
        for (int i = 0; i < 4000; i++) {
            (void)snprintf(name, sizeof name, "user.%d", i);
            store_fixture_store(fixture, name, "be1!p", "anyone lrs");
        }
        fill(fixture, "filler", 0);
        _exit(0);
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
    assert_int_equal(store_fixture_files(fixture, "ballast", &octets), 1);
    store_fixture_open(fixture);
    assert_true(store_fixture_logged(fixture, "the disk is full: gave up ballast"));
    assert_int_equal(store_fixture_files(fixture, "ballast", &octets), 0);
    assert_int_equal(last_of(fixture), 4000);
    store_fixture_check(fixture, NULL);
    assert_int_equal(try_batch(fixture, 4, "be2!p", ""), STORE_REFUSED);
    empty(fixture, "filler");
    assert_int_equal(try_batch(fixture, 4, "be2!p", ""), STORE_OK);
    assert_int_equal(store_checkpoint(fixture->store, &fixture->error), STORE_OK);
    assert_int_equal(store_fixture_files(fixture, "ballast", &octets), 1);
    assert_true(octets >= 32 << 20);
    unmount_small(fixture);
}

int main(void)
{
#define TEST(name)                                                                                 \
    cmocka_unit_test_setup_teardown(name, store_fixture_setup, store_fixture_teardown)
    const struct CMUnitTest tests[] = {
        TEST(a_batch_that_cannot_be_written_is_refused_and_the_next_one_stored),
        TEST(wherever_the_disk_becomes_full_each_answer_is_true),
        TEST(a_commit_at_the_start_of_a_new_log_file_waits_for_room),
        TEST(a_commit_that_stays_half_written_is_uncertain),
        TEST(after_a_flush_that_the_disk_did_not_confirm_nothing_is_acknowledged),
        TEST(after_a_checkpoint_that_the_disk_did_not_confirm_nothing_is_acknowledged),
        TEST(at_a_limit_of_the_file_size_changes_are_refused_until_it_is_gone),
        TEST(new_log_files_are_begun_when_no_descriptor_is_left),
        TEST(disk_use_is_bounded_however_often_rows_are_rewritten),
        cmocka_unit_test(changes_are_refused_before_the_disk_is_full),
        cmocka_unit_test(a_disk_that_fills_up_during_a_batch_refuses_that_batch),
        cmocka_unit_test(recovery_on_a_full_disk_gives_the_ballast_up),
    };

    memset(long_acl, 'l', sizeof long_acl - 1);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
