/* SPDX-License-Identifier: BSD-3-Clause */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "feed_support.h"

static const struct mupdate_text u01 = {"U01", 3};

/* Rows enough for several pieces. */
static void fill(struct feed_master *master, size_t rows, size_t acl_len)
{
    char *acl = malloc(acl_len + 1);
    char name[32];

    assert_non_null(acl);
    memset(acl, 'a', acl_len);
    acl[acl_len] = '\0';
    for (size_t i = 0; i < rows; i++) {
        snprintf(name, sizeof name, "user.%06zu", i);
        feed_master_set(master, name, MUPDATE_ACTIVE, acl);
    }
    free(acl);
}

/* Two answers are under way, so that pieces are kept. */
static void open_two(struct feed_master *master, size_t kept_bytes)
{
    feed_master_open(master, kept_bytes);
    slices_join(master->from.slices);
    slices_join(master->from.slices);
}

static void close_two(struct feed_master *master)
{
    slices_leave(master->from.slices);
    slices_leave(master->from.slices);
    assert_int_equal(slices_kept(master->from.slices), 0);
    feed_master_close(master);
}

static struct slice *take(struct feed_master *master, const struct slice *behind, uint64_t since)
{
    struct slice *slice = slices_take(master->from.slices, u01, behind, since);

    assert_non_null(slice);
    assert_true(slice->sequence >= since);
    return slice;
}

static void an_empty_table_has_one_last_piece_without_rows(void **state)
{
    struct feed_master master;
    struct slice *slice;

    (void)state;
    open_two(&master, SLICES_KEPT_BYTES);
    slice = take(&master, NULL, 0);
    assert_int_equal(slice->len, 0);
    assert_true(slice->is_last);
    slice_release(slice);
    close_two(&master);
}

static void pieces_are_the_rows_as_a_session_sends_them_each_once(void **state)
{
    struct feed_master master;
    struct buffer pieces = {0};
    struct buffer rows = {0};
    struct slice *slice = NULL;
    struct table_cursor cursor;
    struct row row;
    size_t count = 0;

    (void)state;
    open_two(&master, SLICES_KEPT_BYTES);
    fill(&master, 1000, 300);
    feed_master_set(&master, "user.000500.reserved", MUPDATE_RESERVED, NULL);
    table_seek(master.table, NULL, &cursor);
    while (table_next(&cursor, &row)) {
        size_t len = mupdate_server_encode_row(u01, &row.mupdate, NULL, 0);
        uint8_t *to = buffer_reserve(&rows, len);

        assert_int_equal(mupdate_server_encode_row(u01, &row.mupdate, to, len), len);
        buffer_added(&rows, len);
    }
    do {
        struct slice *next = take(&master, slice, 0);

        slice_release(slice);
        slice = next;
        assert_true(slice->len > 0 && slice->len <= SLICE_BYTES);
        buffer_append(&pieces, slice->bytes, slice->len);
        count++;
    } while (!slice->is_last);
    slice_release(slice);
    assert_true(count > 4);
    assert_int_equal(buffer_len(&pieces), buffer_len(&rows));
    assert_memory_equal(buffer_bytes(&pieces), buffer_bytes(&rows), buffer_len(&rows));
    buffer_free(&pieces);
    buffer_free(&rows);
    close_two(&master);
}

static void a_row_larger_than_a_piece_is_a_piece_of_its_own(void **state)
{
    struct feed_master master;
    struct slice *first, *second;

    (void)state;
    open_two(&master, SLICES_KEPT_BYTES);
    fill(&master, 2, 2 * SLICE_BYTES);
    first = take(&master, NULL, 0);
    assert_true(first->len > 2 * SLICE_BYTES && first->len < 3 * SLICE_BYTES);
    second = take(&master, first, 0);
    assert_int_equal(second->len, first->len);
    assert_true(second->is_last);
    slice_release(first);
    slice_release(second);
    close_two(&master);
}

static void who_stands_where_another_stood_is_given_the_same_piece(void **state)
{
    struct feed_master master;
    struct slice *first, *again, *behind_first, *behind_again;

    (void)state;
    open_two(&master, SLICES_KEPT_BYTES);
    fill(&master, 1000, 300);
    first = take(&master, NULL, 1000);
    again = take(&master, NULL, 1000);
    assert_ptr_equal(first, again);
    behind_first = take(&master, first, 1000);
    behind_again = take(&master, again, 1000);
    assert_ptr_not_equal(behind_first, first);
    assert_ptr_equal(behind_first, behind_again);
    slice_release(first);
    slice_release(again);
    slice_release(behind_first);
    slice_release(behind_again);
    close_two(&master);
}

static void another_tag_is_given_another_piece(void **state)
{
    struct feed_master master;
    struct slice *slice, *other;

    (void)state;
    open_two(&master, SLICES_KEPT_BYTES);
    fill(&master, 1, 10);
    slice = take(&master, NULL, 0);
    other = slices_take(master.from.slices, (struct mupdate_text){"U0", 2}, NULL, 0);
    assert_non_null(other);
    assert_ptr_not_equal(slice, other);
    assert_memory_equal(slice->bytes, "U01 MAILBOX ", 12);
    assert_memory_equal(other->bytes, "U0 MAILBOX ", 11);
    slice_release(slice);
    slice_release(other);
    close_two(&master);
}

static void a_piece_from_before_an_answer_began_is_not_given_to_it(void **state)
{
    struct feed_master master;
    struct slice *old, *now, *later;

    (void)state;
    open_two(&master, SLICES_KEPT_BYTES);
    fill(&master, 3, 10);
    old = take(&master, NULL, 3);
    feed_master_set(&master, "user.000001", MUPDATE_ACTIVE, "new");
    /* Who began before the change may have it as it was: the change is sent to him. */
    later = take(&master, NULL, 3);
    assert_ptr_equal(later, old);
    slice_release(later);
    now = take(&master, NULL, 4);
    assert_ptr_not_equal(now, old);
    assert_int_equal(now->len, old->len - 8);
    /* The newer one is given to all from now on. */
    later = take(&master, NULL, 3);
    assert_ptr_equal(later, now);
    slice_release(later);
    slice_release(old);
    slice_release(now);
    close_two(&master);
}

static void behind_a_name_that_is_gone_the_walk_goes_on(void **state)
{
    struct feed_master master;
    struct slice *first, *second;

    (void)state;
    open_two(&master, SLICES_KEPT_BYTES);
    fill(&master, 1000, 300);
    first = take(&master, NULL, 0);
    for (int i = 0; i < 1000; i++) {
        char name[32];

        snprintf(name, sizeof name, "user.%06d", i);
        if (i != 999)
            feed_master_set(&master, name, MUPDATE_ABSENT, NULL);
    }
    second = take(&master, first, 0);
    assert_true(second->is_last);
    assert_true(text_equal(second->last, text_of("user.000999")));
    slice_release(first);
    slice_release(second);
    close_two(&master);
}

static void one_answer_alone_keeps_nothing(void **state)
{
    struct feed_master master;
    struct slice *slice, *other;

    (void)state;
    feed_master_open(&master, SLICES_KEPT_BYTES);
    fill(&master, 1000, 300);
    slices_join(master.from.slices);
    slice = take(&master, NULL, 0);
    assert_int_equal(slices_kept(master.from.slices), 0);
    slices_join(master.from.slices);
    other = take(&master, slice, 0);
    assert_true(slices_kept(master.from.slices) >= SLICE_BYTES);
    slices_leave(master.from.slices);
    slices_leave(master.from.slices);
    assert_int_equal(slices_kept(master.from.slices), 0);
    /* What an answer still sends stays with it. */
    assert_memory_equal(other->bytes, "U01 MAILBOX ", 12);
    slice_release(slice);
    slice_release(other);
    feed_master_close(&master);
}

static void what_is_kept_is_bounded_and_the_latest_used_stays(void **state)
{
    const size_t most = 3 * SLICE_BYTES + SLICE_BYTES / 2;
    struct feed_master master;
    struct slice *first, *again, *slice = NULL;

    (void)state;
    open_two(&master, most);
    fill(&master, 2000, 300);
    first = take(&master, NULL, 0);
    do {
        struct slice *next = take(&master, slice, 0);

        slice_release(slice);
        slice = next;
        assert_true(slices_kept(master.from.slices) <= most);
        /* Used all the time. */
        again = take(&master, NULL, 0);
        assert_ptr_equal(again, first);
        slice_release(again);
    } while (!slice->is_last);
    slice_release(slice);
    slice = take(&master, first, 0);
    again = take(&master, first, 0);
    assert_ptr_equal(slice, again);
    slice_release(again);
    slice_release(slice);
    slice_release(first);
    close_two(&master);
}

static void a_piece_too_large_to_be_kept_is_given_all_the_same(void **state)
{
    struct feed_master master;
    struct slice *slice, *other;

    (void)state;
    open_two(&master, SLICE_BYTES);
    fill(&master, 1, 2 * SLICE_BYTES);
    slice = take(&master, NULL, 0);
    other = take(&master, NULL, 0);
    assert_ptr_not_equal(slice, other);
    assert_int_equal(slice->len, other->len);
    slice_release(slice);
    slice_release(other);
    close_two(&master);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_empty_table_has_one_last_piece_without_rows),
        cmocka_unit_test(pieces_are_the_rows_as_a_session_sends_them_each_once),
        cmocka_unit_test(a_row_larger_than_a_piece_is_a_piece_of_its_own),
        cmocka_unit_test(who_stands_where_another_stood_is_given_the_same_piece),
        cmocka_unit_test(another_tag_is_given_another_piece),
        cmocka_unit_test(a_piece_from_before_an_answer_began_is_not_given_to_it),
        cmocka_unit_test(behind_a_name_that_is_gone_the_walk_goes_on),
        cmocka_unit_test(one_answer_alone_keeps_nothing),
        cmocka_unit_test(what_is_kept_is_bounded_and_the_latest_used_stays),
        cmocka_unit_test(a_piece_too_large_to_be_kept_is_given_all_the_same),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
