/*
 * How a Cyrus replica takes in a dump, and what the rows at risk do for it.
 *
 * The replica's own list is in list order, and so is the dump; it goes through
 * both side by side, comparing plain octets. Names that are equal are passed
 * over in both; a name of its own that compares lower than the dump's next is
 * deleted; one of the dump's that compares lower is stored; of what is left at
 * the end, its own are deleted, the dump's stored.
 *
 * SPDX-License-Identifier: BSD-3-Clause
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "mupdated/table/departed.h"
#include "mupdated/table/table.h"
#include "tests/unit/cases.h"
#include "tests/unit/table/table_support.h"

#define NAMES 14
#define CASES 100000

static const char *const alphabets[] = {".- ^ab", ".-ab", ".-^! ab", "^2.Ab-"};

/* A set of the case's names; names are in list order. */
struct world {
    struct name names[NAMES];
    bool replica[NAMES];
    uint64_t changed[NAMES]; /* sequence of the last change of each name */
    uint64_t sequence;
    struct table *table;
    struct departed *departed;
    struct randoms randoms;
};

static int compare_names(const void *a, const void *b)
{
    return order_compare(LIST_ORDER_CYRUS36, name_text(a), name_text(b));
}

static int compare_plain(const void *a, const void *b)
{
    return text_compare(name_text(a), name_text(b));
}

static bool is_present(const struct world *world, size_t i)
{
    struct row row;
    return table_find(world->table, name_text(&world->names[i]), &row);
}

static void change(struct world *world, size_t i, bool present)
{
    struct change made = {.now = {.mupdate = {.name = name_text(&world->names[i])},
                                  .sequence = ++world->sequence}};
    if (present)
        made.now.mupdate.state = MUPDATE_ACTIVE;
    assert_true(table_apply(world->table, &made));
    assert_true(departed_apply(world->departed, &made));
    world->changed[i] = world->sequence;
}

static void change_some(struct world *world, uint32_t most)
{
    for (uint32_t n = randoms_below(&world->randoms, most + 1); n > 0; n--) {
        size_t i = randoms_below(&world->randoms, NAMES);
        change(world, i, !is_present(world, i));
    }
}

/* A master with a random table and a replica that has all of it. */
static void world_begin(struct world *world, const char *alphabet)
{
    names_random(world->names, NAMES, &world->randoms, alphabet, 6);
    qsort(world->names, NAMES, sizeof(world->names[0]), compare_names);
    world->sequence = 0;
    for (size_t i = 0; i < NAMES; i++) {
        world->changed[i] = 0;
        if (randoms_below(&world->randoms, 3) > 0)
            change(world, i, true);
    }
    change_some(world, 3);
    for (size_t i = 0; i < NAMES; i++)
        world->replica[i] = is_present(world, i);
}

static void world_end(struct world *world)
{
    for (size_t i = 0; i < NAMES; i++) {
        if (is_present(world, i))
            change(world, i, false);
    }
    departed_trim(world->departed, UINT64_MAX);
}

/* The replica's merge, as the file's head says. Both lists hold indexes of names. */
static void merge(struct world *world, const size_t *dump, size_t dump_count)
{
    size_t own[NAMES], own_count = 0, i = 0, d = 0;
    for (size_t n = 0; n < NAMES; n++) {
        if (world->replica[n])
            own[own_count++] = n;
    }
    while (i < own_count && d < dump_count) {
        int compared = compare_plain(&world->names[own[i]], &world->names[dump[d]]);
        if (compared < 0) {
            world->replica[own[i++]] = false;
        } else {
            world->replica[dump[d++]] = true;
            if (compared == 0)
                i++;
        }
    }
    while (i < own_count)
        world->replica[own[i++]] = false;
    while (d < dump_count)
        world->replica[dump[d++]] = true;
}

/* What the stream brings: the latest state of what changed after since. */
static void stream(struct world *world, uint64_t since)
{
    for (size_t i = 0; i < NAMES; i++) {
        if (world->changed[i] > since)
            world->replica[i] = is_present(world, i);
    }
}

static size_t name_index(const struct world *world, struct mupdate_text name)
{
    for (size_t i = 0; i < NAMES; i++) {
        if (text_equal(name_text(&world->names[i]), name))
            return i;
    }
    fail_msg("a row that nobody made");
    return 0;
}

/* The next row behind name number *last (NAMES: the first); false at the end. */
static bool next_row(const struct world *world, size_t *last)
{
    struct mupdate_text after = {NULL, 0};
    if (*last < NAMES)
        after = name_text(&world->names[*last]);
    struct table_cursor cursor;
    struct row row;
    table_seek(world->table, *last < NAMES ? &after : NULL, &cursor);
    if (!table_next(&cursor, &row))
        return false;
    *last = name_index(world, row.mupdate.name);
    return true;
}

/* A dump of the table, with up to so many changes between two of its rows. */
static size_t take_dump(struct world *world, size_t *dump, uint32_t changes)
{
    size_t count = 0;
    for (size_t last = NAMES; next_row(world, &last);) {
        dump[count++] = last;
        change_some(world, changes);
    }
    return count;
}

struct difference {
    size_t missing;
    size_t extra;
};

static struct difference compare_to_master(const struct world *world)
{
    struct difference difference = {0, 0};
    for (size_t i = 0; i < NAMES; i++) {
        bool present = is_present(world, i);
        difference.missing += present && !world->replica[i];
        difference.extra += !present && world->replica[i];
    }
    return difference;
}

/* Send the rows at risk, with up to so many changes, streamed at once, between two rows. */
static size_t heal(struct world *world, uint64_t since, uint32_t changes)
{
    struct departed_walk walk;
    size_t sent = 0;
    if (!departed_any(world->departed, since))
        return 0;
    departed_walk_start(&walk, world->departed, since);
    for (size_t last = NAMES; next_row(world, &last);) {
        if (departed_walk_at_risk(&walk, name_text(&world->names[last]))) {
            world->replica[last] = true;
            sent++;
        }
        uint64_t before = world->sequence;
        change_some(world, changes);
        stream(world, before);
    }
    departed_walk_end(&walk);
    return sent;
}

static int setup(void **state)
{
    static struct world world;
    world = (struct world){.randoms = {9}};
    world.table = table_new(LIST_ORDER_CYRUS36);
    world.departed = departed_new(LIST_ORDER_CYRUS36);
    *state = &world;
    return world.table != NULL && world.departed != NULL ? 0 : -1;
}

static int teardown(void **state)
{
    struct world *world = *state;
    table_free(world->table);
    departed_free(world->departed);
    return 0;
}

static void without_help_a_replica_loses_rows_and_more_of_them_in_octet_order(void **state)
{
    struct world *world = *state;
    size_t lost = 0, lost_in_octet_order = 0, cases = cases_of(CASES / 5);
    for (size_t n = 0; n < cases; n++) {
        world_begin(world, alphabets[n % 4]);
        change_some(world, 8);
        bool own[NAMES];
        memcpy(own, world->replica, sizeof(own));
        size_t dump[NAMES];
        size_t count = take_dump(world, dump, 0);
        merge(world, dump, count);
        struct difference difference = compare_to_master(world);
        assert_int_equal(difference.extra, 0);
        lost += difference.missing;

        struct name in_octets[NAMES];
        for (size_t i = 0; i < count; i++)
            in_octets[i] = world->names[dump[i]];
        qsort(in_octets, count, sizeof(in_octets[0]), compare_plain);
        for (size_t i = 0; i < count; i++)
            dump[i] = name_index(world, name_text(&in_octets[i]));
        memcpy(world->replica, own, sizeof(own));
        merge(world, dump, count);
        difference = compare_to_master(world);
        assert_int_equal(difference.extra, 0);
        lost_in_octet_order += difference.missing;
        world_end(world);
    }
    assert_true(lost > cases / 20);
    assert_true(lost_in_octet_order > lost);
}

static void after_the_rows_at_risk_a_replica_has_exactly_the_table(void **state)
{
    struct world *world = *state;
    size_t lost = 0, sent = 0, rows = 0, cases = cases_of(CASES);
    for (size_t n = 0; n < cases; n++) {
        world_begin(world, alphabets[n % 4]);
        change_some(world, 8);
        uint64_t since = world->sequence;
        size_t dump[NAMES];
        size_t count = take_dump(world, dump, 0);
        merge(world, dump, count);
        size_t missing = compare_to_master(world).missing;
        size_t healed = heal(world, since, 0);
        struct difference difference = compare_to_master(world);
        if (difference.missing > 0 || difference.extra > 0)
            fail_msg("case %zu: %zu missing, %zu extra", n, difference.missing, difference.extra);
        assert_true(healed >= missing);
        lost += missing;
        sent += healed;
        rows += count;
        world_end(world);
    }
    assert_true(lost > cases / 20);
    assert_true(sent < rows / 4);
}

static void a_replica_has_exactly_the_table_although_it_changes_all_the_while(void **state)
{
    struct world *world = *state;
    size_t cases = cases_of(CASES / 2);
    for (size_t n = 0; n < cases; n++) {
        world_begin(world, alphabets[n % 4]);
        change_some(world, 8);
        uint64_t since = world->sequence;
        size_t dump[4 * NAMES];
        size_t count = take_dump(world, dump, 2);
        merge(world, dump, count);
        stream(world, since);
        uint64_t before = world->sequence;
        change_some(world, 3);
        stream(world, before);
        heal(world, since, 2);
        struct difference difference = compare_to_master(world);
        if (difference.missing > 0 || difference.extra > 0)
            fail_msg("case %zu: %zu missing, %zu extra", n, difference.missing, difference.extra);
        world_end(world);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(without_help_a_replica_loses_rows_and_more_of_them_in_octet_order),
        cmocka_unit_test(after_the_rows_at_risk_a_replica_has_exactly_the_table),
        cmocka_unit_test(a_replica_has_exactly_the_table_although_it_changes_all_the_while),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
