/* SPDX-License-Identifier: BSD-3-Clause */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "feed_support.h"

#include <stdio.h>
#include <string.h>

#include "mupdated/feed/stream.h"

static int open_master(void **state)
{
    static struct feed_master master;

    feed_master_open(&master, 0);
    *state = &master;
    return 0;
}

static int close_master(void **state)
{
    feed_master_close(*state);
    return 0;
}

static struct stream_piece take(struct feed_master *master, const char *tag,
                                const struct feed_position *position)
{
    struct stream_piece piece;

    assert_true(stream_take(master->from.stream, text_of(tag), position, &piece));
    return piece;
}

static void who_stands_at_the_same_change_is_given_the_same_octets(void **state)
{
    struct feed_master *master = *state;
    struct feed_position first = {0};
    struct feed_position second = {0};
    struct stream_piece one;
    struct stream_piece two;

    feed_join(master->from.feed, &first);
    feed_join(master->from.feed, &second);
    feed_master_set(master, "user.a", MUPDATE_ACTIVE, "a lrs");
    feed_master_set(master, "user.b", MUPDATE_RESERVED, "");
    one = take(master, "U01", &first);
    feed_pass_to(&first, one.to);
    two = take(master, "U01", &second);
    assert_ptr_equal(one.octets, two.octets);
    assert_int_equal(one.len, two.len);
    assert_ptr_equal(one.to, two.to);
    assert_true(text_equal(two.last, text_of("user.b")));
    assert_int_equal(feed_behind(&first), 0);
    assert_int_equal(feed_behind(&second), 2);
    feed_leave(&first);
    feed_leave(&second);
}

static bool holds(const struct stream_piece *piece, const char *text)
{
    return memmem(piece->octets, piece->len, text, strlen(text)) != NULL;
}

static void another_tag_is_given_octets_of_its_own(void **state)
{
    struct feed_master *master = *state;
    struct feed_position position = {0};
    struct stream_piece piece;

    feed_join(master->from.feed, &position);
    feed_master_set(master, "user.a", MUPDATE_ACTIVE, "a lrs");
    piece = take(master, "U01", &position);
    assert_true(holds(&piece, "U01 MAILBOX "));
    piece = take(master, "U02", &position);
    assert_true(holds(&piece, "U02 MAILBOX "));
    assert_false(holds(&piece, "U01"));
    feed_leave(&position);
}

static void what_was_encoded_before_a_change_is_never_given_after_it(void **state)
{
    struct feed_master *master = *state;
    struct feed_position early = {0};
    struct feed_position late = {0};
    struct stream_piece piece;

    feed_join(master->from.feed, &early);
    feed_join(master->from.feed, &late);
    feed_master_set(master, "user.a", MUPDATE_ACTIVE, "old lrs");
    piece = take(master, "U01", &early);
    assert_true(holds(&piece, "old lrs"));
    feed_pass_to(&early, piece.to);

    feed_master_set(master, "user.a", MUPDATE_ABSENT, "");
    piece = take(master, "U01", &late);
    assert_false(holds(&piece, "MAILBOX"));
    assert_true(holds(&piece, "U01 DELETE "));
    feed_pass_to(&late, piece.to);
    assert_int_equal(feed_behind(&late), 0);
    feed_leave(&early);
    feed_leave(&late);
}

static void who_stands_elsewhere_is_given_what_is_behind_him(void **state)
{
    struct feed_master *master = *state;
    struct feed_position behind = {0};
    struct feed_position ahead = {0};
    struct stream_piece piece;

    feed_join(master->from.feed, &behind);
    feed_master_set(master, "user.a", MUPDATE_ACTIVE, "");
    feed_join(master->from.feed, &ahead);
    feed_master_set(master, "user.b", MUPDATE_ACTIVE, "");
    piece = take(master, "U01", &behind);
    assert_true(holds(&piece, "user.a") && holds(&piece, "user.b"));
    piece = take(master, "U01", &ahead);
    assert_false(holds(&piece, "user.a"));
    assert_true(holds(&piece, "user.b"));
    feed_leave(&behind);
    feed_leave(&ahead);
}

static void a_long_backlog_comes_in_pieces_of_bounded_size(void **state)
{
    struct feed_master *master = *state;
    struct feed_position position = {0};
    static char acl[20001];
    char name[32];
    size_t pieces = 0;
    size_t rows = 0;

    memset(acl, 'a', sizeof acl - 1);
    feed_join(master->from.feed, &position);
    for (int i = 0; i < 1000; i++) {
        (void)snprintf(name, sizeof name, "user.%d", i);
        feed_master_set(master, name, MUPDATE_ACTIVE, i < 20 ? acl : "");
    }
    while (feed_behind(&position)) {
        struct stream_piece piece = take(master, "U01", &position);
        uint64_t before = feed_behind(&position);

        assert_true(piece.len <= STREAM_BYTES + sizeof acl + 200);
        feed_pass_to(&position, piece.to);
        assert_true(before - feed_behind(&position) <= STREAM_CHANGES);
        rows += before - feed_behind(&position);
        pieces++;
    }
    assert_int_equal(rows, 1000);
    assert_true(pieces >= 1000 / STREAM_CHANGES + 20 / 5);
    feed_leave(&position);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, open_master, close_master)
    const struct CMUnitTest tests[] = {
        TEST(who_stands_at_the_same_change_is_given_the_same_octets),
        TEST(another_tag_is_given_octets_of_its_own),
        TEST(what_was_encoded_before_a_change_is_never_given_after_it),
        TEST(who_stands_elsewhere_is_given_what_is_behind_him),
        TEST(a_long_backlog_comes_in_pieces_of_bounded_size),
    };
#undef TEST

    return cmocka_run_group_tests(tests, NULL, NULL);
}
