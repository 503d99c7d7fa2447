/* SPDX-License-Identifier: BSD-3-Clause */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "fixture.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "mupdated/store/format.h"
#include "mupdated/store/records.h"

#define ROWS 300

/* What was read of a file. */
struct seen {
    char names[ROWS][32];
    unsigned count;
    unsigned wrong;
    unsigned gaps;
    char after[32];
    char before[32];
    unsigned damaged;
};

static void copy_text(char to[32], struct mupdate_text text)
{
    (void)snprintf(to, 32, "%.*s", (int)text.len, text.len ? text.data : "");
}

static bool on_record(void *context, struct mupdate_text key, struct mupdate_text value,
                      const char *wrong)
{
    struct seen *seen = context;
    struct row row;

    assert_true(seen->count < ROWS);
    copy_text(seen->names[seen->count++], key);
    if (wrong)
        seen->wrong++;
    else
        assert_null(format_decode_row(value.data, value.len, &row));
    return true;
}

static void on_gap(void *context, struct mupdate_text after, struct mupdate_text before)
{
    struct seen *seen = context;

    seen->gaps++;
    copy_text(seen->after, after);
    copy_text(seen->before, before);
}

static void on_page(void *context, const struct page *page)
{
    struct seen *seen = context;

    assert_int_equal(page->wrong != NULL, page->kind == PAGE_DAMAGED);
    seen->damaged += page->kind == PAGE_DAMAGED;
}

/* user.000 to user.299, some with more than a page of ACL. */
static void store_rows_of_all_kinds(struct store_fixture *fixture)
{
    char acl[9001];
    char name[32];

    memset(acl, 'x', sizeof acl - 1);
    acl[sizeof acl - 1] = '\0';
    for (int i = 0; i < ROWS; i++) {
        (void)snprintf(name, sizeof name, "user.%03d", i);
        store_fixture_store(fixture, name, "be1!p", i % 50 == 7 ? acl : "a lrs");
    }
    store_fixture_close(fixture);
}

static void read_all(struct store_fixture *fixture, struct records *records, struct seen *seen)
{
    char path[4300];

    memset(seen, 0, sizeof *seen);
    (void)snprintf(path, sizeof path, "%s/%s", fixture->directory, FORMAT_ROWS);
    assert_int_equal(records_open(records, path, on_page, seen), 0);
    assert_int_equal(records_read(records, on_record, on_gap, seen), 0);
    assert_int_equal(records->damaged, seen->damaged);
}

static void flip(struct store_fixture *fixture, uint32_t page, unsigned at)
{
    char path[4300];
    unsigned char octet;
    int fd;

    (void)snprintf(path, sizeof path, "%s/%s", fixture->directory, FORMAT_ROWS);
    fd = open(path, O_RDWR);
    assert_true(fd >= 0);
    assert_int_equal(pread(fd, &octet, 1, (off_t)page * PAGE_BYTES + at), 1);
    octet ^= 1;
    assert_int_equal(pwrite(fd, &octet, 1, (off_t)page * PAGE_BYTES + at), 1);
    close(fd);
}

static void a_good_file_gives_all_records_in_order(void **state)
{
    struct store_fixture *fixture = *state;
    struct records records;
    static struct seen seen;

    store_rows_of_all_kinds(fixture);
    read_all(fixture, &records, &seen);
    assert_true(records.whole);
    assert_true(records.place.file == 1 && records.place.offset > 0);
    assert_int_equal(seen.damaged + seen.gaps + seen.wrong, 0);
    assert_int_equal(seen.count, ROWS);
    for (int i = 0; i < ROWS; i++) {
        char name[32];

        (void)snprintf(name, sizeof name, "user.%03d", i);
        assert_string_equal(seen.names[i], name);
    }
    records_close(&records);
}

static void an_empty_table_is_whole(void **state)
{
    struct store_fixture *fixture = *state;
    struct records records;
    static struct seen seen;

    store_fixture_close(fixture);
    read_all(fixture, &records, &seen);
    assert_true(records.whole);
    assert_int_equal(seen.count + seen.gaps + seen.damaged, 0);
    records_close(&records);
}

/* Each page in turn, and octets all over it. */
static void whatever_page_is_damaged_the_others_are_read(void **state)
{
    struct store_fixture *fixture = *state;
    struct records records;
    static struct seen seen;
    uint32_t pages;
    uint8_t *kinds;

    store_rows_of_all_kinds(fixture);
    read_all(fixture, &records, &seen);
    pages = records.file.pages;
    kinds = malloc(pages);
    assert_non_null(kinds);
    memcpy(kinds, records.kinds, pages);
    records_close(&records);
    for (uint32_t page = 0; page < pages; page++) {
        unsigned at = page == 0 ? page + 24 : 1 + page * 97 % (PAGE_BYTES - 1);

        flip(fixture, page, at);
        read_all(fixture, &records, &seen);
        assert_int_equal(seen.damaged, 1);
        assert_int_equal(records.whole, kinds[page] != PAGE_LEAF);
        assert_int_equal(seen.gaps, kinds[page] == PAGE_LEAF);
        assert_int_equal(seen.wrong, kinds[page] == PAGE_OVERFLOW);
        if (kinds[page] == PAGE_LEAF) {
            assert_true(seen.count < ROWS);
            assert_true(seen.before[0] == '\0' || strcmp(seen.after, seen.before) < 0);
        } else {
            assert_int_equal(seen.count, ROWS);
        }
        records_close(&records);
        flip(fixture, page, at);
    }
    free(kinds);
}

static void a_file_that_was_cut_gives_what_is_left(void **state)
{
    struct store_fixture *fixture = *state;
    struct records records;
    static struct seen seen;
    char path[4300];

    store_rows_of_all_kinds(fixture);
    (void)snprintf(path, sizeof path, "%s/%s", fixture->directory, FORMAT_ROWS);
    for (off_t size = 12 * PAGE_BYTES; size >= 0; size -= 777) {
        assert_int_equal(truncate(path, size), 0);
        read_all(fixture, &records, &seen);
        assert_false(records.whole);
        assert_int_equal(seen.damaged > 0, size % PAGE_BYTES != 0);
        records_close(&records);
    }
}

/* Rubbish with right sums: whatever stands there, nothing is read that is not the page's. */
static void items_stay_within_their_page(void **state)
{
    struct page_item item = {0};
    struct page_file file = {.fd = -1, .pages = 3};
    static struct page page;
    unsigned seed = 1;

    (void)state;
    for (int round = 0; round < 20000; round++) {
        for (size_t i = 0; i < PAGE_BYTES; i++) {
            seed = seed * 1103515245 + 12345;
            page.octets[i] = (unsigned char)(seed >> 16);
        }
        page.items = 2 * (seed >> 8 & 0x3ff);
        (void)page_item_read(&file, &page, seed >> 20 & 0xff, &item);
        assert_true(item.len <= PAGE_BYTES);
    }
    page_item_free(&item);
}

int main(void)
{
#define TEST(name)                                                                                 \
    cmocka_unit_test_setup_teardown(name, store_fixture_setup, store_fixture_teardown)
    const struct CMUnitTest tests[] = {
        TEST(a_good_file_gives_all_records_in_order),
        TEST(an_empty_table_is_whole),
        TEST(whatever_page_is_damaged_the_others_are_read),
        TEST(a_file_that_was_cut_gives_what_is_left),
        cmocka_unit_test(items_stay_within_their_page),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
