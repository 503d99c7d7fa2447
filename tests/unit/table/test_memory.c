/* SPDX-License-Identifier: BSD-3-Clause */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "mupdated/table/departed.h"
#include "mupdated/table/index.h"
#include "mupdated/table/table.h"
#include "tests/unit/table/allocations.h"
#include "tests/unit/table/table_support.h"

#define ROWS 20000

static int teardown(void **state)
{
    (void)state;
    allocations_fail_after(-1);
    return 0;
}

struct texts {
    char name[32];
    char location[32];
    char acl[32];
};

/* Changes of rows that are new, changed and gone, with shared and with own locations. */
static void make_change(struct change *change, struct texts *texts, struct randoms *randoms,
                        uint64_t sequence)
{
    enum mupdate_state state = (enum mupdate_state)randoms_below(randoms, 3);
    snprintf(texts->name, sizeof(texts->name), "user.u%u", randoms_below(randoms, 900));
    snprintf(texts->location, sizeof(texts->location), "b%u!p", randoms_below(randoms, 300));
    snprintf(texts->acl, sizeof(texts->acl), "a\t%u\t", randoms_below(randoms, 99));
    *change = (struct change){
        .now = {.mupdate = {.state = state, .name = text_of(texts->name)},
                .sequence = sequence,
                .who = text_of(texts->location)},
    };
    if (state != MUPDATE_ABSENT)
        change->now.mupdate.location = text_of(texts->location);
    if (state == MUPDATE_ACTIVE)
        change->now.mupdate.acl = text_of(texts->acl);
}

/* All that can be seen of a table, as one hash of its walk and its figures. */
struct sight {
    struct digest digest;
    struct table_counts counts;
    uint64_t sequence;
    uint64_t walk;
};

static void look(const struct table *table, struct sight *sight)
{
    memset(sight, 0, sizeof(*sight));
    table_digest(table, &sight->digest);
    table_counts(table, &sight->counts);
    sight->sequence = table_sequence(table);
    struct table_cursor cursor;
    struct row row;
    table_seek(table, NULL, &cursor);
    while (table_next(&cursor, &row)) {
        struct row found;
        assert_true(table_find(table, row.mupdate.name, &found));
        assert_ptr_equal(found.mupdate.name.data, row.mupdate.name.data);
        const struct mupdate_text texts[] = {row.mupdate.name, row.mupdate.location,
                                             row.mupdate.acl, row.who};
        for (size_t i = 0; i < 4; i++) {
            for (size_t o = 0; o < texts[i].len; o++)
                sight->walk = sight->walk * 31 + (unsigned char)texts[i].data[o];
        }
        sight->walk = sight->walk * 31 + row.sequence;
    }
}

static void a_change_that_finds_no_memory_leaves_the_table_as_it_was(void **state)
{
    (void)state;
    struct randoms randoms = {6};
    struct table *table = table_new(LIST_ORDER_CYRUS36);
    assert_non_null(table);
    size_t failures = 0;
    for (uint64_t sequence = 1; sequence <= 3000; sequence++) {
        struct change change;
        struct texts texts;
        make_change(&change, &texts, &randoms, sequence);
        struct sight before, after;
        look(table, &before);
        for (long allowed = 0;; allowed++) {
            allocations_fail_after(allowed);
            bool done = table_apply(table, &change);
            size_t refused = allocations_refused();
            allocations_fail_after(-1);
            if (done) {
                struct row row;
                assert_int_equal(table_find(table, change.now.mupdate.name, &row),
                                 change.now.mupdate.state != MUPDATE_ABSENT);
                assert_int_equal(table_sequence(table), sequence);
                break;
            }
            assert_true(refused > 0);
            failures++;
            look(table, &after);
            assert_memory_equal(&before, &after, sizeof(before));
        }
    }
    assert_true(failures > 3000);
    table_free(table);
}

/* True when all rows could be loaded. */
static bool load_names(struct table *table, unsigned count)
{
    for (unsigned i = 0; i < count; i++) {
        char name[32], location[32];
        snprintf(name, sizeof(name), "user.u%u", (i * 7919u) % count);
        snprintf(location, sizeof(location), "b%u!p", i % 9);
        struct row row = {
            .mupdate = {MUPDATE_ACTIVE, text_of(name), text_of(location), text_of("a\tlrs\t")}};
        if (!table_load(table, &row))
            return false;
    }
    return table_loaded(table);
}

static void a_load_that_finds_no_memory_fails_and_leaves_nothing_behind(void **state)
{
    (void)state;
    /* More than the index has shards, so that it makes room for all of them at once. */
    const unsigned count = INDEX_SHARDS + 200;
    const size_t without = allocations_live();
    size_t failures = 0;
    bool done = false;
    for (long allowed = 1; !done; allowed += 1 + (long)(failures % 5)) {
        struct table *table = table_new(LIST_ORDER_CYRUS36);
        assert_non_null(table);
        allocations_fail_after(allowed);
        done = load_names(table, count);
        size_t refused = allocations_refused();
        allocations_fail_after(-1);
        assert_int_equal(done, refused == 0);
        failures += !done;
        table_free(table);
        assert_int_equal(allocations_live(), without);
    }
    assert_true(failures > 700);
}

static void a_load_that_found_no_memory_to_sort_can_be_ended_later(void **state)
{
    (void)state;
    const unsigned count = INDEX_SHARDS + 200;
    long allowed = 0;
    struct table *table = table_new(LIST_ORDER_CYRUS36);
    for (unsigned i = 0; i < count; i++) {
        char name[32];
        snprintf(name, sizeof(name), "user.u%u", (i * 7919u) % count);
        struct row row = {.mupdate = {.state = MUPDATE_ACTIVE, .name = text_of(name)}};
        assert_true(table_load(table, &row));
    }
    for (bool done = false; !done; allowed += 10) {
        allocations_fail_after(allowed);
        done = table_loaded(table);
        allocations_fail_after(-1);
    }
    assert_true(allowed > INDEX_SHARDS);
    struct sight sight;
    look(table, &sight);
    assert_int_equal(sight.counts.rows, count);
    table_free(table);
}

static void a_deletion_needs_no_memory(void **state)
{
    (void)state;
    struct table *table = table_new(LIST_ORDER_CYRUS36);
    for (unsigned i = 0; i < ROWS; i++) {
        char name[32];
        snprintf(name, sizeof(name), "user.u%u", i);
        struct row row = {
            .mupdate = {MUPDATE_ACTIVE, text_of(name), text_of("b1!p"), text_of("a\tlrs\t")}};
        assert_true(table_load(table, &row));
    }
    assert_true(table_loaded(table));
    allocations_fail_after(0);
    for (unsigned i = 0; i < ROWS; i++) {
        char name[32];
        snprintf(name, sizeof(name), "user.u%u", i);
        struct change change = {.now = {.mupdate = {.name = text_of(name)}}};
        assert_true(table_apply(table, &change));
    }
    allocations_fail_after(-1);
    struct table_counts counts;
    table_counts(table, &counts);
    assert_int_equal(counts.rows, 0);
    table_free(table);
}

static void a_table_that_finds_no_memory_is_not_made(void **state)
{
    (void)state;
    allocations_fail_after(0);
    struct table *table = table_new(LIST_ORDER_CYRUS36);
    struct departed *departed = departed_new(LIST_ORDER_CYRUS36);
    struct change change = {.now = {.mupdate = {.name = text_of("a")}}};
    struct change *copy = change_copy(&change);
    allocations_fail_after(-1);
    assert_null(table);
    assert_null(departed);
    assert_null(copy);
}

static void deleted_rows_give_their_memory_back(void **state)
{
    (void)state;
    size_t without = allocations_live();
    struct table *table = table_new(LIST_ORDER_CYRUS36);
    size_t empty = allocations_live();
    struct randoms randoms = {7};
    for (unsigned round = 0; round < 3; round++) {
        for (unsigned i = 0; i < ROWS; i++) {
            char name[32], location[32];
            snprintf(name, sizeof(name), "user.u%u", (i * 7919u) % ROWS);
            snprintf(location, sizeof(location), "b%u!p", i);
            struct change change = {
                .now = {.mupdate = {MUPDATE_ACTIVE, text_of(name), text_of(location),
                                    text_of("a\tlrs\t")}}};
            assert_true(table_apply(table, &change));
        }
        size_t full = allocations_live();
        assert_true(full > empty + 2 * ROWS);
        /* A few rows here and there must not hold on to the memory of the many. */
        unsigned keep = randoms_below(&randoms, 97);
        for (unsigned i = 0; i < ROWS; i++) {
            char name[32];
            snprintf(name, sizeof(name), "user.u%u", i);
            struct change change = {.now = {.mupdate = {.name = text_of(name)}}};
            if (i % 97 != keep)
                assert_true(table_apply(table, &change));
        }
        size_t kept = ROWS / 97 + 1;
        assert_true(allocations_live() < empty + 2 * kept + 2 * kept + 20);
        for (unsigned i = keep; i < ROWS; i += 97) {
            char name[32];
            snprintf(name, sizeof(name), "user.u%u", i);
            struct change change = {.now = {.mupdate = {.name = text_of(name)}}};
            assert_true(table_apply(table, &change));
        }
        assert_int_equal(allocations_live(), empty);
    }
    table_free(table);
    assert_int_equal(allocations_live(), without);
}

static void a_departure_that_finds_no_memory_is_not_learnt(void **state)
{
    (void)state;
    size_t without = allocations_live();
    struct departed *departed = departed_new(LIST_ORDER_CYRUS36);
    size_t failures = 0;
    for (unsigned i = 0; i < 3000; i++) {
        char name[32];
        snprintf(name, sizeof(name), "user.u%u", (i * 7919u) % 3000);
        struct change change = {.now = {.mupdate = {.name = text_of(name)}, .sequence = i + 1}};
        for (long allowed = 0;; allowed++) {
            allocations_fail_after(allowed);
            bool done = departed_apply(departed, &change);
            allocations_fail_after(-1);
            if (done)
                break;
            failures++;
            assert_int_equal(departed_count(departed), i);
        }
        assert_int_equal(departed_count(departed), i + 1);
    }
    assert_true(failures >= 3000);
    departed_free(departed);
    assert_int_equal(allocations_live(), without);
}

static void forgotten_names_give_their_memory_back(void **state)
{
    (void)state;
    struct departed *departed = departed_new(LIST_ORDER_CYRUS36);
    size_t empty = allocations_live();
    struct departed_walk walk;
    for (uint64_t i = 1; i <= ROWS; i++) {
        char name[32];
        snprintf(name, sizeof(name), "user.u%u", (unsigned)i);
        struct change change = {.now = {.mupdate = {.name = text_of(name)}, .sequence = i}};
        assert_true(departed_apply(departed, &change));
        if (i > 100)
            departed_trim(departed, i - 99);
        assert_true(allocations_live() <= empty + 200);
    }
    assert_int_equal(departed_count(departed), 100);
    departed_walk_start(&walk, departed, 0);
    assert_false(departed_walk_at_risk(&walk, text_of("user.v")));
    departed_trim(departed, UINT64_MAX);
    assert_false(departed_walk_at_risk(&walk, text_of("user.w")));
    assert_int_equal(departed_count(departed), 0);
    assert_true(allocations_live() > empty);
    departed_walk_end(&walk);
    departed_walk_end(&walk);
    assert_int_equal(allocations_live(), empty);
    departed_free(departed);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(a_change_that_finds_no_memory_leaves_the_table_as_it_was,
                                  teardown),
        cmocka_unit_test_teardown(a_load_that_finds_no_memory_fails_and_leaves_nothing_behind,
                                  teardown),
        cmocka_unit_test_teardown(a_load_that_found_no_memory_to_sort_can_be_ended_later,
                                  teardown),
        cmocka_unit_test_teardown(a_deletion_needs_no_memory, teardown),
        cmocka_unit_test_teardown(a_table_that_finds_no_memory_is_not_made, teardown),
        cmocka_unit_test_teardown(deleted_rows_give_their_memory_back, teardown),
        cmocka_unit_test_teardown(a_departure_that_finds_no_memory_is_not_learnt, teardown),
        cmocka_unit_test_teardown(forgotten_names_give_their_memory_back, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
