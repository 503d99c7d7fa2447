/* SPDX-License-Identifier: BSD-3-Clause */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "fixture.h"

#include <stdio.h>
#include <string.h>

#include "mupdated/store/tally.h"

/* A little table that is made to be wrong. */
struct little {
    struct row rows[8];
    size_t row_count;
    struct change changes[8];
    size_t change_count;
};

static struct row row_of(const char *name, const char *location, uint64_t sequence)
{
    return (struct row){.mupdate = {.state = location ? MUPDATE_ACTIVE : MUPDATE_ABSENT,
                                    .name = text_of(name),
                                    .location = text_of(location ? location : ""),
                                    .acl = text_of("")},
                        .sequence = sequence};
}

/* Of changes 11 to 15: user.a moved, user.b made, moved and deleted; user.old is from before. */
static struct little good(void)
{
    struct little little = {.row_count = 2, .change_count = 5};

    little.rows[0] = row_of("user.a", "be2!p", 12);
    little.rows[1] = row_of("user.old", "be1!p", 3);
    little.changes[0].now = row_of("user.b", "be1!p", 11);
    little.changes[1].now = row_of("user.a", "be2!p", 12);
    little.changes[2].now = row_of("user.b", "be2!p", 13);
    little.changes[3].now = row_of("user.b", NULL, 14);
    little.changes[4].now = row_of("user.gone", NULL, 15);
    return little;
}

static uint64_t find(void *context, struct mupdate_text name)
{
    const struct little *little = context;

    for (size_t i = 0; i < little->row_count; i++)
        if (text_equal(little->rows[i].mupdate.name, name))
            return little->rows[i].sequence;
    return 0;
}

/* 0: it is good; else the change that is contradicted, or UINT64_MAX. */
static uint64_t tally_of(struct little *little)
{
    struct store_position position = {
        .first = 11, .last = little->changes[little->change_count - 1].now.sequence};
    struct tally *tally = tally_new(&position, find, little);
    uint64_t sequence;
    bool is_good;

    assert_non_null(tally);
    for (size_t i = 0; i < little->row_count; i++)
        tally_row(tally, &little->rows[i]);
    for (size_t i = 0; i < little->change_count; i++)
        assert_true(tally_change(tally, &little->changes[i]));
    is_good = tally_end(tally, &sequence);
    tally_free(tally);
    return is_good ? 0 : sequence ? sequence : UINT64_MAX;
}

static void rows_and_changes_of_one_table_agree(void **state)
{
    struct little little = good();

    (void)state;
    assert_int_equal(tally_of(&little), 0);
}

static void a_row_that_is_older_than_its_newest_change_is_found(void **state)
{
    struct little little = good();

    (void)state;
    little.rows[0].sequence = 5;
    assert_int_equal(tally_of(&little), 12);
}

static void a_missing_row_is_found(void **state)
{
    struct little little = good();

    (void)state;
    little.rows[0] = little.rows[1];
    little.row_count = 1;
    assert_int_equal(tally_of(&little), 12);
}

static void a_row_that_its_change_did_not_make_is_found(void **state)
{
    (void)state;
    for (int what = 0; what < 4; what++) {
        struct little little = good();
        struct mupdate_row *row = &little.rows[0].mupdate;

        if (what == 0)
            row->name = text_of("user.c");
        else if (what == 1)
            row->location = text_of("be3!p");
        else if (what == 2)
            row->acl = text_of("x");
        else
            row->state = MUPDATE_RESERVED;
        assert_int_equal(tally_of(&little), 12);
    }
}

static void a_row_that_was_deleted_is_found(void **state)
{
    (void)state;
    for (uint64_t sequence = 1; sequence <= 14; sequence++) {
        struct little little = good();

        if (sequence == 12)
            continue;
        little.rows[little.row_count++] = row_of("user.b", "be2!p", sequence);
        assert_true(tally_of(&little) != 0);
    }
}

static void a_row_that_came_back_is_none(void **state)
{
    struct little little = good();

    (void)state;
    little.changes[5].now = row_of("user.b", "be1!p", 16);
    little.change_count = 6;
    assert_int_equal(tally_of(&little), 16);
    little.rows[little.row_count++] = row_of("user.b", "be1!p", 16);
    assert_int_equal(tally_of(&little), 0);
}

static void two_rows_of_one_change_are_found(void **state)
{
    struct little little = good();

    (void)state;
    little.rows[little.row_count++] = little.rows[0];
    assert_int_equal(tally_of(&little), UINT64_MAX);
}

static void many_names_are_kept_apart(void **state)
{
    struct store_position position = {.first = 1, .last = 10000};
    struct little none = {.row_count = 0};
    struct tally *tally = tally_new(&position, find, &none);
    uint64_t sequence;

    (void)state;
    assert_non_null(tally);
    for (uint64_t i = 1; i <= 10000; i++) {
        char name[32];
        struct change change = {0};

        /* Each is made, and deleted 5000 changes later; but for the last. */
        (void)snprintf(name, sizeof name, "user.%u", (unsigned)((i - 1) % 5000));
        change.now = row_of(name, i <= 5000 ? "be1!p" : NULL, i);
        if (i < 10000)
            assert_true(tally_change(tally, &change));
    }
    assert_false(tally_end(tally, &sequence));
    assert_int_equal(sequence, 5000);
    tally_free(tally);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rows_and_changes_of_one_table_agree),
        cmocka_unit_test(a_row_that_is_older_than_its_newest_change_is_found),
        cmocka_unit_test(a_missing_row_is_found),
        cmocka_unit_test(a_row_that_its_change_did_not_make_is_found),
        cmocka_unit_test(a_row_that_was_deleted_is_found),
        cmocka_unit_test(a_row_that_came_back_is_none),
        cmocka_unit_test(two_rows_of_one_change_are_found),
        cmocka_unit_test(many_names_are_kept_apart),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
