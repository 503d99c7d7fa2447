/* SPDX-License-Identifier: BSD-3-Clause */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "fixture.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "mupdated/store/wal.h"

static void path_of_log(const struct store_fixture *fixture, char path[4300])
{
    (void)snprintf(path, 4300, "%s/log.0000000001", fixture->directory);
}

static void write_at(struct store_fixture *fixture, size_t at, const void *octets, size_t len)
{
    char path[4300];
    int fd;

    path_of_log(fixture, path);
    fd = open(path, O_RDWR);
    assert_true(fd >= 0);
    assert_int_equal(pwrite(fd, octets, len, (off_t)at), len);
    close(fd);
}

static void read_at(struct store_fixture *fixture, size_t at, void *octets, size_t len)
{
    char path[4300];
    int fd;

    path_of_log(fixture, path);
    fd = open(path, O_RDONLY);
    assert_true(fd >= 0);
    assert_int_equal(pread(fd, octets, len, (off_t)at), len);
    close(fd);
}

static uint32_t length_at(struct store_fixture *fixture, size_t at)
{
    unsigned char octets[4];
    uint32_t len;

    read_at(fixture, at + 4, octets, sizeof octets);
    memcpy(&len, octets, sizeof len);
    return len;
}

/* The table, closed, and its log. */
static struct wal stored(struct store_fixture *fixture)
{
    struct wal wal;
    char name[32];

    for (int i = 0; i < 100; i++) {
        (void)snprintf(name, sizeof name, "user.%03d", i);
        store_fixture_store(fixture, name, "be1!p", "a lrs");
    }
    store_fixture_close(fixture);
    assert_int_equal(wal_read(&wal, fixture->directory, true), 0);
    return wal;
}

/* Where the last record begins. */
static size_t last_record(struct store_fixture *fixture, const struct wal *wal)
{
    size_t at = 0;

    while (at + length_at(fixture, at) < wal->end.offset)
        at += length_at(fixture, at);
    return at;
}

static void a_good_log_tells_its_end_and_where_recovery_begins(void **state)
{
    struct store_fixture *fixture = *state;
    struct wal wal = stored(fixture);

    assert_int_equal(wal.state, WAL_GOOD);
    assert_int_equal(wal.first, 1);
    assert_int_equal(wal.last, 1);
    assert_int_equal(wal.end.file, 1);
    assert_int_equal(wal.needed.file, 1);
    assert_true(page_place_before(wal.needed, wal.end));
    assert_true(wal.used);
    assert_false(wal.torn);
    assert_int_equal(length_at(fixture, wal.end.offset), 0);
}

static void a_directory_without_a_log_has_none(void **state)
{
    struct store_fixture *fixture = *state;
    struct wal wal;

    assert_int_equal(wal_read(&wal, fixture->place, true), 0);
    assert_int_equal(wal.state, WAL_NONE);
    assert_false(wal.used);
    assert_int_equal(wal_read(&wal, "/nowhere/at/all", true), ENOENT);
}

static void each_flipped_octet_of_a_record_is_found(void **state)
{
    struct store_fixture *fixture = *state;
    struct wal good = stored(fixture);
    size_t begin = last_record(fixture, &good);
    struct wal wal;

    for (size_t at = begin; at < good.end.offset; at++) {
        unsigned char octet;
        unsigned char other;

        read_at(fixture, at, &octet, 1);
        other = octet ^ 0x55;
        write_at(fixture, at, &other, 1);
        assert_int_equal(wal_read(&wal, fixture->directory, false), 0);
        assert_int_equal(wal.state, WAL_DAMAGED);
        assert_int_equal(wal.at.offset, begin);
        assert_int_equal(wal.end.offset, begin);
        assert_false(wal.torn);
        write_at(fixture, at, &octet, 1);
    }
}

/* A write of many sectors, of which only the first came to the disk before the power went. */
static void a_write_that_was_not_finished_is_no_damage(void **state)
{
    struct store_fixture *fixture = *state;
    struct wal good = stored(fixture);
    unsigned char octets[2000];
    uint32_t previous = (uint32_t)last_record(fixture, &good);
    uint32_t len = sizeof octets;
    struct wal wal;

    memset(octets, 0xa5, sizeof octets);
    memcpy(octets, &previous, 4);
    memcpy(octets + 4, &len, 4);
    for (size_t sectors = 1; sectors <= 2; sectors++) {
        size_t part = 512 * sectors - good.end.offset % 512;

        write_at(fixture, good.end.offset, octets, part);
        assert_int_equal(wal_read(&wal, fixture->directory, false), 0);
        assert_int_equal(wal.state, WAL_GOOD);
        assert_true(wal.torn);
        assert_int_equal(wal.end.offset, good.end.offset);
    }
    /* All of it came, and it is not what its sum says. */
    write_at(fixture, good.end.offset, octets, sizeof octets);
    assert_int_equal(wal_read(&wal, fixture->directory, false), 0);
    assert_int_equal(wal.state, WAL_DAMAGED);
}

/* Else what is left of it would be taken for damage behind the next, shorter write. */
static void recovery_takes_away_what_was_not_finished(void **state)
{
    struct store_fixture *fixture = *state;
    struct wal good = stored(fixture);
    unsigned char octets[40000];
    uint32_t previous = (uint32_t)last_record(fixture, &good);
    uint32_t len = sizeof octets;
    struct wal wal;

    memset(octets, 0xa5, sizeof octets);
    memcpy(octets, &previous, 4);
    memcpy(octets + 4, &len, 4);
    write_at(fixture, good.end.offset, octets, 30000 - 30000 % 512 - good.end.offset % 512);
    assert_int_equal(wal_read(&wal, fixture->directory, false), 0);
    assert_true(wal.torn);
    store_fixture_open(fixture);
    assert_int_equal(wal_read(&wal, fixture->directory, false), 0);
    assert_int_equal(wal.state, WAL_GOOD);
    assert_false(wal.torn);
    store_fixture_store(fixture, "user.more", "be1!p", "a lrs");
    store_fixture_close(fixture);
    assert_int_equal(wal_read(&wal, fixture->directory, false), 0);
    assert_int_equal(wal.state, WAL_GOOD);
    assert_false(wal.torn);
    store_fixture_open(fixture);
}

static size_t end_of_log(const struct store_fixture *fixture)
{
    struct wal wal;

    assert_int_equal(wal_read(&wal, fixture->directory, false), 0);
    return wal.end.offset;
}

/* What a log is with a sector of zeros in it; the log stays as it is. */
static struct wal without_sector(struct store_fixture *fixture, size_t at)
{
    static const unsigned char zeros[512];
    unsigned char octets[sizeof zeros];
    struct wal wal;

    read_at(fixture, at, octets, sizeof octets);
    write_at(fixture, at, zeros, sizeof zeros);
    assert_int_equal(wal_read(&wal, fixture->directory, false), 0);
    write_at(fixture, at, octets, sizeof octets);
    return wal;
}

/* A batch that is written in the order of the disk's liking, and trims, which are not synced. */
static void zeros_are_damage_where_a_later_batch_stands_behind_them(void **state)
{
    struct store_fixture *fixture = *state;
    size_t made = end_of_log(fixture);
    size_t before_two;
    size_t before_one;
    size_t end;
    unsigned torn = 0;
    bool more;
    char name[32];

    for (int i = 0; i < 50; i++) {
        (void)snprintf(name, sizeof name, "user.%03d", i);
        store_fixture_store(fixture, name, "be1!p", "a lrs");
    }
    before_two = end_of_log(fixture);
    store_fixture_store(fixture, "user.last.but.one", "be1!p", "a lrs");
    before_one = end_of_log(fixture);
    assert_int_equal(store_begin(fixture->store, &fixture->error), STORE_OK);
    for (int i = 0; i < 50; i++) {
        (void)snprintf(name, sizeof name, "user.%03d", 2 * i);
        assert_int_equal(store_fixture_put(fixture, name, "be2!p", "a lrs", NULL), STORE_OK);
    }
    assert_int_equal(store_commit(fixture->store, &fixture->error), STORE_OK);
    for (uint64_t keep = 90; keep > 0; keep -= 10)
        assert_int_equal(store_trim(fixture->store, keep, &more, &fixture->error), STORE_OK);
    store_fixture_close(fixture);
    end = end_of_log(fixture);
    assert_true(before_two / 512 > made / 512 + 10 && end / 512 > before_one / 512 + 10);

    for (size_t at = (made + 511) / 512 * 512; at + 512 <= before_two; at += 512) {
        struct wal wal = without_sector(fixture, at);

        assert_int_equal(wal.state, WAL_DAMAGED);
        assert_false(wal.torn);
        assert_true(wal.at.offset < at + 512);
    }
    for (size_t at = (before_one + 511) / 512 * 512; at + 512 <= end; at += 512) {
        struct wal wal = without_sector(fixture, at);

        assert_int_equal(wal.state, WAL_GOOD);
        /* Some were of zeros before. */
        assert_int_equal(wal.torn, wal.end.offset < end);
        torn += wal.torn;
    }
    assert_true(torn > 10);
}

static void a_file_that_was_cut_is_found(void **state)
{
    struct store_fixture *fixture = *state;
    struct wal good = stored(fixture);
    off_t sizes[] = {(off_t)good.end.offset + 100, (off_t)good.end.offset, 1000, 20, 0};
    char path[4300];
    struct wal wal;

    path_of_log(fixture, path);
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        assert_int_equal(truncate(path, sizes[i]), 0);
        assert_int_equal(wal_read(&wal, fixture->directory, false), 0);
        assert_int_equal(wal.state, WAL_CUT);
    }
}

static void a_missing_file_between_two_is_found(void **state)
{
    struct store_fixture *fixture = *state;
    char path[4300];
    char other[4300];
    struct wal wal;

    (void)stored(fixture);
    path_of_log(fixture, path);
    (void)snprintf(other, sizeof other, "%s/log.0000000003", fixture->directory);
    assert_int_equal(link(path, other), 0);
    assert_int_equal(wal_read(&wal, fixture->directory, true), 0);
    assert_int_equal(wal.state, WAL_GAP);
    assert_int_equal(wal.at.file, 2);
    assert_int_equal(unlink(other), 0);
}

static void a_store_is_not_opened_on_a_log_that_lost_changes(void **state)
{
    struct store_fixture *fixture = *state;
    struct wal good = stored(fixture);
    char path[4300];

    path_of_log(fixture, path);
    assert_int_equal(truncate(path, (off_t)good.end.offset), 0);
    assert_int_equal(store_open(&fixture->store, &fixture->options, &fixture->error),
                     STORE_BROKEN);
    assert_non_null(strstr(fixture->error.text, "changes may be lost"));
    assert_int_equal(unlink(path), 0);
    assert_int_equal(store_open(&fixture->store, &fixture->options, &fixture->error),
                     STORE_BROKEN);
    assert_non_null(strstr(fixture->error.text, "the log is missing"));
}

static void a_new_table_is_not_made_beside_the_log_of_another(void **state)
{
    struct store_fixture *fixture = *state;
    static const char *const names[] = {"rows.db", "changes.db", "meta.db"};

    (void)stored(fixture);
    for (size_t i = 0; i < 3; i++) {
        char path[4300];

        (void)snprintf(path, sizeof path, "%s/%s", fixture->directory, names[i]);
        assert_int_equal(unlink(path), 0);
    }
    assert_int_equal(store_open(&fixture->store, &fixture->options, &fixture->error),
                     STORE_BROKEN);
    assert_non_null(strstr(fixture->error.text, "meta.db is missing"));
}

int main(void)
{
#define TEST(name)                                                                                 \
    cmocka_unit_test_setup_teardown(name, store_fixture_setup, store_fixture_teardown)
    const struct CMUnitTest tests[] = {
        TEST(a_good_log_tells_its_end_and_where_recovery_begins),
        TEST(a_directory_without_a_log_has_none),
        TEST(each_flipped_octet_of_a_record_is_found),
        TEST(a_write_that_was_not_finished_is_no_damage),
        TEST(recovery_takes_away_what_was_not_finished),
        TEST(zeros_are_damage_where_a_later_batch_stands_behind_them),
        TEST(a_file_that_was_cut_is_found),
        TEST(a_missing_file_between_two_is_found),
        TEST(a_store_is_not_opened_on_a_log_that_lost_changes),
        TEST(a_new_table_is_not_made_beside_the_log_of_another),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
