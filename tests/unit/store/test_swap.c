/* SPDX-License-Identifier: BSD-3-Clause */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "fixture.h"
#include "mupdated/store/build.h"
#include "mupdated/store/swap.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

/* --- the steps: each may be the last of the process --- */

static bool no_exchange; /* as on a file system that has none */
static int steps_left = -1; /* -1: any number */
static int renames_left = -1; /* before all fail; -1: none does */
static int syncs_left = -1;

static bool fails(int *left)
{
    if (*left < 0)
        return false;
    if (*left > 0) {
        --*left;
        return false;
    }
    errno = EIO;
    return true;
}

static void step(void)
{
    if (steps_left == 0)
        _exit(9);
    if (steps_left > 0)
        steps_left--;
}

int fsync(int fd);
int rename(const char *from, const char *to);
int renameat2(int from_at, const char *from, int to_at, const char *to, unsigned flags);

int fsync(int fd)
{
    step();
    if (fails(&syncs_left))
        return -1;
    return (int)syscall(SYS_fsync, fd);
}

int rename(const char *from, const char *to)
{
    step();
    if (fails(&renames_left))
        return -1;
    return (int)syscall(SYS_renameat2, AT_FDCWD, from, AT_FDCWD, to, 0);
}

int renameat2(int from_at, const char *from, int to_at, const char *to, unsigned flags)
{
    step();
    if (no_exchange && (flags & RENAME_EXCHANGE)) {
        errno = EINVAL;
        return -1;
    }
    return (int)syscall(SYS_renameat2, from_at, from, to_at, to, flags);
}

/* --- tables: the old one has user.old, the new one user.new --- */

static void make_old(struct store_fixture *fixture)
{
    store_fixture_open(fixture);
    (void)store_fixture_store(fixture, "user.old", "be1!p", "x");
    store_fixture_close(fixture);
}

static void make_new(struct store_fixture *fixture, struct swap_paths *paths)
{
    struct store_options options = fixture->options;
    struct store_build *build;
    struct row row = {.mupdate = {.state = MUPDATE_ACTIVE,
                                  .name = text_of("user.new"),
                                  .location = text_of("be1!p")},
                      .sequence = 1};

    if (swap_begin(paths, fixture->directory, &fixture->error) != STORE_OK ||
        swap_make(paths, &fixture->error) != STORE_OK)
        fail_msg("%s", fixture->error.text);
    options.directory = paths->fresh;
    assert_int_equal(store_build_begin(&build, &options, 1, &fixture->error), STORE_OK);
    assert_int_equal(store_build_row(build, &row, &fixture->error), STORE_OK);
    assert_int_equal(store_build_end(build, &fixture->error), STORE_OK);
}

/* Which table is at path: 'o', 'n', 0: none that could be opened. */
static char table_at(struct store_fixture *fixture, const char *path)
{
    struct store_options options = fixture->options;
    char which = 0;

    options.directory = path;
    options.existing = true;
    if (store_open(&fixture->store, &options, &fixture->error) != STORE_OK)
        return 0;
    store_fixture_check(fixture, NULL);
    which = store_fixture_location(fixture, "user.old") ? 'o' : 'n';
    store_fixture_close(fixture);
    return which;
}

static int place_only(void **state)
{
    no_exchange = false;
    steps_left = -1;
    renames_left = -1;
    syncs_left = -1;
    *state = store_fixture_new(NULL);
    return 0;
}

static void the_new_table_takes_the_place_and_the_old_one_is_kept(void **state)
{
    struct store_fixture *fixture = *state;
    struct swap_paths paths;

    for (int i = 0; i < 2; i++) {
        struct store_fixture *one = store_fixture_new(NULL);

        no_exchange = i;
        make_old(one);
        make_new(one, &paths);
        assert_int_equal(swap_end(&paths, &one->error), STORE_OK);
        assert_int_equal(table_at(one, one->directory), 'n');
        assert_int_equal(table_at(one, paths.old), 'o');
        assert_string_equal(paths.fresh, "");
        assert_non_null(strstr(paths.old, "/database.old-2"));
        store_fixture_free(one);
    }
    make_new(fixture, &paths);
    assert_int_equal(swap_end(&paths, &fixture->error), STORE_OK);
    assert_int_equal(table_at(fixture, fixture->directory), 'n');
    assert_string_equal(paths.old, "");
}

/* By a master that was started meanwhile: nobody holds its lock. */
static void a_table_that_was_made_meanwhile_keeps_its_place(void **state)
{
    struct store_fixture *fixture = *state;
    struct swap_paths paths;

    make_new(fixture, &paths);
    make_old(fixture);
    assert_int_equal(swap_end(&paths, &fixture->error), STORE_REFUSED);
    assert_int_equal(table_at(fixture, fixture->directory), 'o');
    assert_int_equal(table_at(fixture, paths.fresh), 'n');
    swap_abandon(&paths);
}

static void two_in_one_second_are_both_kept(void **state)
{
    struct store_fixture *fixture = *state;
    char kept[4][PATH_MAX];

    make_old(fixture);
    for (int i = 0; i < 4; i++) {
        struct swap_paths paths;

        make_new(fixture, &paths);
        assert_int_equal(swap_end(&paths, &fixture->error), STORE_OK);
        (void)snprintf(kept[i], sizeof kept[i], "%s", paths.old);
    }
    assert_int_equal(table_at(fixture, kept[0]), 'o');
    for (int i = 1; i < 4; i++)
        assert_int_equal(table_at(fixture, kept[i]), 'n');
}

static void note_leftover(void *context, const char *path, bool fresh)
{
    char *found = context;
    size_t len = strlen(found);

    (void)snprintf(found + len, 8192 - len, "%c:%s\n", fresh ? 'f' : 'o', strrchr(path, '/') + 1);
}

/* In a process of its own that ends before its nth step; true when it got to the end. */
static bool swap_with_steps(struct store_fixture *fixture, struct swap_paths *paths, int steps)
{
    pid_t child = fork();
    int status;

    assert_true(child >= 0);
    if (child == 0) {
        steps_left = steps;
        _exit(swap_end(paths, &fixture->error) == STORE_OK ? 0 : 1);
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status) && (WEXITSTATUS(status) == 0 || WEXITSTATUS(status) == 9));
    return WEXITSTATUS(status) == 0;
}

static void killed_at_any_step_a_whole_table_is_in_the_place_and_the_old_one_is_there(
    void **state)
{
    bool done = false;
    int steps;

    (void)state;
    for (steps = 0; !done; steps++) {
        struct store_fixture *fixture = store_fixture_new(NULL);
        struct swap_paths paths;
        char found[8192] = "";
        char *other;
        char which;

        make_old(fixture);
        make_new(fixture, &paths);
        done = swap_with_steps(fixture, &paths, steps);
        which = table_at(fixture, fixture->directory);
        assert_true(which == 'o' || which == 'n');
        swap_leftovers(&paths, note_leftover, found);
        /* The other one is there too, under a name that says what it is. */
        assert_true((found[0] == 'f' || found[0] == 'o') && strchr(found, '\n')[1] == '\0');
        *strchr(found, '\n') = '\0';
        assert_true(asprintf(&other, "%s/%s", fixture->place, found + 2) > 0);
        assert_int_equal(table_at(fixture, other), which == 'o' ? 'n' : 'o');
        if (which == 'n')
            assert_int_equal(found[0], 'o');
        free(other);
        store_fixture_free(fixture);
    }
    assert_true(steps > 6);
}

static void killed_between_two_renames_no_empty_table_is_made(void **state)
{
    bool done = false;
    bool missing = false;
    int steps;

    (void)state;
    for (steps = 0; !done; steps++) {
        struct store_fixture *fixture = store_fixture_new(NULL);
        struct swap_paths paths;
        enum store_result result;

        make_old(fixture);
        make_new(fixture, &paths);
        no_exchange = true;
        done = swap_with_steps(fixture, &paths, steps);
        result = store_open(&fixture->store, &fixture->options, &fixture->error);
        if (result == STORE_OK) {
            store_fixture_close(fixture);
            assert_int_not_equal(table_at(fixture, fixture->directory), 0);
        } else {
            missing = true;
            assert_int_equal(result, STORE_BROKEN);
            assert_non_null(strstr(fixture->error.text, "database.old-2"));
            assert_int_not_equal(access(fixture->directory, F_OK), 0);
            /* As a service manager makes it, at each start. */
            assert_int_equal(mkdir(fixture->directory, 0700), 0);
            for (int start = 0; start < 2; start++) {
                fixture->error.text[0] = '\0';
                assert_int_equal(store_open(&fixture->store, &fixture->options, &fixture->error),
                                 STORE_BROKEN);
                assert_non_null(strstr(fixture->error.text, "database.old-2"));
            }
        }
        no_exchange = false;
        store_fixture_free(fixture);
    }
    assert_true(missing);
}

static void a_table_that_does_not_get_its_name_back_is_told_of_by_its_new_one(void **state)
{
    struct store_fixture *fixture = *state;
    struct swap_paths paths;

    make_old(fixture);
    make_new(fixture, &paths);
    no_exchange = true;
    /* To the old one's later name and back, since there is no exchange; then the old one. */
    renames_left = 3;
    assert_int_equal(swap_end(&paths, &fixture->error), STORE_BROKEN);
    renames_left = -1;
    assert_non_null(strstr(fixture->error.text, "before anything else"));
    assert_non_null(strstr(fixture->error.text, paths.old));
    assert_int_not_equal(access(fixture->directory, F_OK), 0);
    assert_int_equal(table_at(fixture, paths.old), 'o');
    assert_int_equal(table_at(fixture, paths.fresh), 'n');
    assert_int_equal(rename(paths.old, fixture->directory), 0);
    assert_int_equal(table_at(fixture, fixture->directory), 'o');
}

static void a_table_in_its_place_whose_name_is_not_durable_is_told_of(void **state)
{
    struct store_fixture *fixture = *state;
    struct swap_paths paths;
    enum store_result result = STORE_REFUSED;
    int before;

    make_old(fixture);
    for (before = 0; result == STORE_REFUSED; before++) {
        make_new(fixture, &paths);
        syncs_left = before;
        result = swap_end(&paths, &fixture->error);
        syncs_left = -1;
        if (result == STORE_REFUSED) {
            assert_int_equal(table_at(fixture, fixture->directory), 'o');
            swap_abandon(&paths);
        }
    }
    assert_int_equal(result, STORE_UNCERTAIN);
    assert_non_null(strstr(fixture->error.text, "run sync"));
    assert_int_equal(table_at(fixture, fixture->directory), 'n');
    assert_int_equal(table_at(fixture, paths.old), 'o');
}

static void mode_and_owner_are_those_of_the_old_directory(void **state)
{
    struct store_fixture *fixture = *state;
    struct swap_paths paths;
    struct stat status;

    make_old(fixture);
    assert_int_equal(chmod(fixture->directory, 0710), 0);
    if (geteuid() == 0)
        assert_int_equal(chown(fixture->directory, 12345, 23456), 0);
    assert_int_equal(swap_begin(&paths, fixture->directory, &fixture->error), STORE_OK);
    assert_int_equal(swap_make(&paths, &fixture->error), STORE_OK);
    assert_int_equal(stat(paths.fresh, &status), 0);
    assert_int_equal(status.st_mode & 07777, 0710);
    if (geteuid() == 0)
        assert_true(status.st_uid == 12345 && status.st_gid == 23456);
    swap_abandon(&paths);
    assert_string_equal(paths.fresh, "");
}

static void nothing_is_removed_behind_a_link(void **state)
{
    struct store_fixture *fixture = *state;
    struct swap_paths paths = {.fresh = ""};
    char file[PATH_MAX];

    make_old(fixture);
    (void)snprintf(paths.fresh, sizeof paths.fresh, "%.3000s/link", fixture->place);
    assert_int_equal(symlink(fixture->directory, paths.fresh), 0);
    swap_abandon(&paths);
    (void)snprintf(file, sizeof file, "%.3000s/rows.db", fixture->directory);
    assert_int_equal(access(file, F_OK), 0);
}

static void what_cannot_be_replaced_is_refused_before_the_work(void **state)
{
    struct store_fixture *fixture = *state;
    struct swap_paths paths;
    char link[PATH_MAX];
    char path[PATH_MAX];

    assert_int_equal(swap_begin(&paths, "/proc", &fixture->error), STORE_REFUSED);
    assert_non_null(strstr(fixture->error.text, "a file system of its own"));
    assert_int_equal(swap_begin(&paths, "/nowhere/at/all", &fixture->error), STORE_REFUSED);
    assert_int_equal(swap_begin(&paths, "/proc/self/status", &fixture->error), STORE_REFUSED);
    /* Through a link it is the directory itself that is exchanged. */
    make_old(fixture);
    (void)snprintf(link, sizeof link, "%.3000s/link", fixture->place);
    assert_int_equal(symlink(fixture->directory, link), 0);
    assert_int_equal(swap_begin(&paths, link, &fixture->error), STORE_OK);
    assert_non_null(realpath(fixture->directory, path));
    assert_string_equal(paths.directory, path);
}

static void a_lock_keeps_everybody_out(void **state)
{
    struct store_fixture *fixture = *state;
    struct store_lock *lock;
    struct store_lock *second;

    make_old(fixture);
    assert_int_equal(store_lock_take(&lock, fixture->directory, &fixture->error), STORE_OK);
    assert_int_equal(store_lock_take(&second, fixture->directory, &fixture->error), STORE_BUSY);
    assert_null(second);
    assert_int_equal(store_open(&fixture->store, &fixture->options, &fixture->error), STORE_BUSY);
    store_lock_release(lock);
    store_fixture_open(fixture);
    assert_int_equal(store_lock_take(&lock, "/nowhere/at/all", &fixture->error), STORE_ABSENT);
    store_lock_release(NULL);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, place_only, store_fixture_teardown)
    const struct CMUnitTest tests[] = {
        TEST(the_new_table_takes_the_place_and_the_old_one_is_kept),
        TEST(a_table_that_was_made_meanwhile_keeps_its_place),
        TEST(two_in_one_second_are_both_kept),
        TEST(killed_at_any_step_a_whole_table_is_in_the_place_and_the_old_one_is_there),
        TEST(killed_between_two_renames_no_empty_table_is_made),
        TEST(a_table_that_does_not_get_its_name_back_is_told_of_by_its_new_one),
        TEST(a_table_in_its_place_whose_name_is_not_durable_is_told_of),
        TEST(mode_and_owner_are_those_of_the_old_directory),
        TEST(nothing_is_removed_behind_a_link),
        TEST(what_cannot_be_replaced_is_refused_before_the_work),
        TEST(a_lock_keeps_everybody_out),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
