/* SPDX-License-Identifier: BSD-3-Clause */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "mupdated/table/digest.h"
#include "mupdated/table/table.h"
#include "tests/unit/table/table_support.h"

#define NAMES 400
#define MANY 30000

/* The table as a plain array, sorted by the slow comparison. */
struct model_row {
    struct name name;
    enum mupdate_state state;
    unsigned location;
    unsigned acl;
    uint64_t sequence;
    unsigned who;
};

static const char *const locations[] = {"b1!default", "b2!default", "b1!", "b3", ""};
static const char *const acls[] = {"", "a\tlrs\t", "a\tlrswipkxtecdan\tanyone\tp\t"};
static const char *const identities[] = {"murder", "", "admin"};

static struct model_row model[NAMES];
static enum list_order model_order;
static uint64_t sequence;

static int model_compare(const void *a, const void *b)
{
    return reference_compare(model_order, name_text(&((const struct model_row *)a)->name),
                             name_text(&((const struct model_row *)b)->name));
}

static void model_make(enum list_order order, struct randoms *randoms)
{
    static struct name names[NAMES];
    names_random(names, NAMES, randoms, ".-^! ab2", 8);
    memset(model, 0, sizeof(model));
    for (size_t i = 0; i < NAMES; i++)
        model[i].name = names[i];
    model_order = order;
    qsort(model, NAMES, sizeof(model[0]), model_compare);
    sequence = 0;
}

static struct row model_view(const struct model_row *row)
{
    return (struct row){
        .mupdate = {row->state, name_text(&row->name), text_of(locations[row->location]),
                    text_of(acls[row->acl])},
        .sequence = row->sequence,
        .time_us = (int64_t)row->sequence * 1000 - 5,
        .who = text_of(identities[row->who]),
    };
}

/* Change a random row of model and table alike. */
static struct model_row *change_random(struct table *table, struct randoms *randoms)
{
    struct model_row *row = &model[randoms_below(randoms, NAMES)];
    row->state = (enum mupdate_state)randoms_below(randoms, 3);
    row->location = randoms_below(randoms, 5);
    row->acl = row->state == MUPDATE_ACTIVE ? randoms_below(randoms, 3) : 0;
    row->who = randoms_below(randoms, 3);
    row->sequence = ++sequence;
    struct change change = {.now = model_view(row)};
    if (row->state == MUPDATE_ABSENT) {
        change.now.mupdate.location = text_of("");
        change.now.mupdate.acl = text_of("");
    }
    assert_true(table_apply(table, &change));
    return row;
}

static void assert_row(const struct row *row, const struct model_row *expected)
{
    struct row view = model_view(expected);
    assert_int_equal(row->mupdate.state, view.mupdate.state);
    assert_true(text_equal(row->mupdate.name, view.mupdate.name));
    assert_true(text_equal(row->mupdate.location, view.mupdate.location));
    assert_true(text_equal(row->mupdate.acl, view.mupdate.acl));
    assert_int_equal(row->sequence, view.sequence);
    assert_true(row->time_us == view.time_us);
    assert_true(text_equal(row->who, view.who));
}

#define LOCATIONS (sizeof locations / sizeof locations[0])

/* Rows of each state, at each of locations. */
struct by_location {
    uint64_t active[LOCATIONS];
    uint64_t reserved[LOCATIONS];
};

static void note_location(void *context, struct mupdate_text location, uint64_t active,
                          uint64_t reserved)
{
    struct by_location *seen = context;
    size_t i = 0;

    while (i < LOCATIONS && !text_equal(location, text_of(locations[i])))
        i++;
    assert_true(i < LOCATIONS);
    assert_true(active + reserved > 0);
    assert_int_equal(seen->active[i] + seen->reserved[i], 0);
    seen->active[i] = active;
    seen->reserved[i] = reserved;
}

static void assert_locations(const struct table *table)
{
    struct by_location expected = {0}, seen = {0};

    for (size_t i = 0; i < NAMES; i++) {
        expected.active[model[i].location] += model[i].state == MUPDATE_ACTIVE;
        expected.reserved[model[i].location] += model[i].state == MUPDATE_RESERVED;
    }
    table_locations(table, note_location, &seen);
    assert_memory_equal(&seen, &expected, sizeof(seen));
}

/* Those of the first half of all changes. */
static void assert_old_reservations(const struct table *table)
{
    uint64_t expected = 0;

    for (size_t i = 0; i < NAMES; i++)
        expected += model[i].state == MUPDATE_RESERVED && model[i].sequence <= sequence / 2;
    assert_int_equal(table_reserved_until(table, (int64_t)(sequence / 2) * 1000), expected);
}

static void assert_same_as_model(const struct table *table)
{
    struct table_counts expected = {0}, counts;
    struct digest digest = {0};
    struct table_cursor cursor;
    struct row row;
    table_seek(table, NULL, &cursor);
    for (size_t i = 0; i < NAMES; i++) {
        bool found = table_find(table, name_text(&model[i].name), &row);
        assert_int_equal(found, model[i].state != MUPDATE_ABSENT);
        if (!found)
            continue;
        assert_row(&row, &model[i]);
        assert_true(table_next(&cursor, &row));
        assert_row(&row, &model[i]);
        digest_add(&digest, &row.mupdate);
        expected.rows++;
        expected.active += model[i].state == MUPDATE_ACTIVE;
        expected.reserved += model[i].state == MUPDATE_RESERVED;
    }
    assert_false(table_next(&cursor, &row));
    table_counts(table, &counts);
    assert_int_equal(counts.rows, expected.rows);
    assert_int_equal(counts.active, expected.active);
    assert_int_equal(counts.reserved, expected.reserved);
    assert_int_equal(table_reserved_until(table, INT64_MAX), expected.reserved);
    assert_old_reservations(table);
    assert_locations(table);
    assert_int_equal(table_sequence(table), sequence);
    struct digest kept;
    table_digest(table, &kept);
    assert_true(digest_equal(&kept, &digest));
}

static void assert_seeks_from(const struct table *table, const struct name *from)
{
    struct mupdate_text after = name_text(from);
    struct table_cursor cursor;
    struct row row;
    table_seek(table, &after, &cursor);
    for (size_t i = 0; i < NAMES; i++) {
        if (model[i].state == MUPDATE_ABSENT ||
            reference_compare(model_order, name_text(&model[i].name), after) <= 0)
            continue;
        assert_true(table_next(&cursor, &row));
        assert_row(&row, &model[i]);
        return;
    }
    assert_false(table_next(&cursor, &row));
}

static void the_table_agrees_with_a_sorted_array_after_any_changes(void **state)
{
    (void)state;
    static const enum list_order orders[] = {LIST_ORDER_CYRUS36, LIST_ORDER_OCTET};
    struct randoms randoms = {3};
    for (size_t o = 0; o < 2; o++) {
        model_make(orders[o], &randoms);
        struct table *table = table_new(orders[o]);
        assert_non_null(table);
        assert_int_equal(table_order(table), orders[o]);
        for (size_t n = 0; n < 200; n++) {
            assert_same_as_model(table);
            for (size_t i = 0; i < 40; i++)
                change_random(table, &randoms);
        }
        for (size_t i = 0; i < NAMES; i++)
            assert_seeks_from(table, &model[i].name);
        for (size_t i = 0; i < 300; i++) {
            struct name name;
            name_random(&name, &randoms, ".-^! ab2", 9);
            assert_seeks_from(table, &name);
        }
        table_free(table);
    }
}

static void a_walk_between_changes_meets_each_unchanged_row_once_and_in_order(void **state)
{
    (void)state;
    struct randoms randoms = {4};
    for (size_t n = 0; n < 100; n++) {
        model_make(LIST_ORDER_CYRUS36, &randoms);
        struct table *table = table_new(LIST_ORDER_CYRUS36);
        assert_non_null(table);
        for (size_t i = 0; i < NAMES; i++)
            change_random(table, &randoms);
        bool there[NAMES], changed[NAMES] = {false}, met[NAMES] = {false};
        for (size_t i = 0; i < NAMES; i++)
            there[i] = model[i].state != MUPDATE_ABSENT;
        struct name last = {.len = 0};
        bool begun = false;
        for (bool more = true; more;) {
            struct mupdate_text after = name_text(&last);
            struct table_cursor cursor;
            struct row row;
            table_seek(table, begun ? &after : NULL, &cursor);
            for (size_t slice = 1 + randoms_below(&randoms, 20); slice > 0 && more; slice--) {
                more = table_next(&cursor, &row);
                if (!more)
                    break;
                assert_true(!begun || reference_compare(LIST_ORDER_CYRUS36, name_text(&last),
                                                        row.mupdate.name) < 0);
                begun = true;
                last.len = row.mupdate.name.len;
                memcpy(last.octets, row.mupdate.name.data, last.len);
                struct model_row key = {.name = last};
                struct model_row *found =
                    bsearch(&key, model, NAMES, sizeof(model[0]), model_compare);
                assert_non_null(found);
                assert_row(&row, found);
                met[found - model] = true;
            }
            for (size_t i = randoms_below(&randoms, 10); i > 0; i--)
                changed[change_random(table, &randoms) - model] = true;
        }
        for (size_t i = 0; i < NAMES; i++)
            assert_true(changed[i] || met[i] == there[i]);
        table_free(table);
    }
}

static void put_row(struct table *table, enum mupdate_state row_state, const char *name,
                    const char *location, const char *acl, uint64_t number)
{
    struct change change = {
        .now = {.mupdate = {row_state, text_of(name), text_of(location), text_of(acl)},
                .sequence = number}};
    assert_true(table_apply(table, &change));
}

static void a_loaded_table_agrees_with_a_sorted_array_and_goes_on_changing(void **state)
{
    (void)state;
    static const enum list_order orders[] = {LIST_ORDER_CYRUS36, LIST_ORDER_OCTET};
    struct randoms randoms = {8};
    for (size_t round = 0; round < 40; round++) {
        model_make(orders[round % 2], &randoms);
        struct table *table = table_new(orders[round % 2]);
        /* None, one, two of the names, and more. */
        size_t wanted = round < 6 ? round / 2 : randoms_below(&randoms, NAMES);
        size_t start = randoms_below(&randoms, NAMES);
        for (size_t n = 0; n < wanted; n++) {
            struct model_row *row = &model[(start + n * 7919) % NAMES];
            row->state = MUPDATE_RESERVED + randoms_below(&randoms, 2);
            row->location = randoms_below(&randoms, 5);
            row->acl = row->state == MUPDATE_ACTIVE ? randoms_below(&randoms, 3) : 0;
            row->who = randoms_below(&randoms, 3);
            row->sequence = ++sequence;
            struct row view = model_view(row);
            assert_true(table_load(table, &view));
        }
        assert_true(table_loaded(table));
        assert_same_as_model(table);
        for (size_t n = 0; n < NAMES; n++)
            change_random(table, &randoms);
        assert_same_as_model(table);
        table_free(table);
    }
}

static void many_rows_loaded_in_octet_order_stand_in_list_order(void **state)
{
    (void)state;
    static const char *const folders[] = {"", "-x", ".Sent", ".Trash", "2", "^y"};
    static const char *const in_list_order[] = {"", ".Sent", ".Trash", "-x", "^y", "2"};
    char name[32];
    struct table *table = table_new(LIST_ORDER_CYRUS36);
    for (unsigned i = 0; i < MANY; i++) {
        snprintf(name, sizeof(name), "user.%06u%s", i / 6, folders[i % 6]);
        struct row row = {.mupdate = {.state = MUPDATE_ACTIVE, .name = text_of(name)}};
        assert_true(table_load(table, &row));
    }
    assert_true(table_loaded(table));
    struct table_cursor cursor;
    struct row row;
    table_seek(table, NULL, &cursor);
    for (unsigned i = 0; i < MANY; i++) {
        snprintf(name, sizeof(name), "user.%06u%s", i / 6, in_list_order[i % 6]);
        assert_true(table_next(&cursor, &row));
        assert_true(text_equal(row.mupdate.name, text_of(name)));
        assert_true(table_find(table, text_of(name), &row));
        assert_true(text_equal(row.mupdate.name, text_of(name)));
    }
    assert_false(table_next(&cursor, &row));
    table_free(table);
}

static void assert_digests(const struct table *a, const struct table *b, bool equal)
{
    struct digest digest_a, digest_b;
    table_digest(a, &digest_a);
    table_digest(b, &digest_b);
    assert_int_equal(digest_equal(&digest_a, &digest_b), equal);
}

static void equal_tables_have_equal_digests_whatever_their_history(void **state)
{
    (void)state;
    struct randoms randoms = {5};
    model_make(LIST_ORDER_CYRUS36, &randoms);
    struct table *changed = table_new(LIST_ORDER_CYRUS36);
    struct table *loaded = table_new(LIST_ORDER_OCTET);
    struct table *empty = table_new(LIST_ORDER_CYRUS36);
    for (size_t i = 0; i < 5 * NAMES; i++)
        change_random(changed, &randoms);
    for (size_t i = NAMES; i-- > 0;) {
        struct row row = model_view(&model[i]);
        row.sequence = 1;
        row.who = text_of("somebody");
        if (model[i].state != MUPDATE_ABSENT)
            assert_true(table_load(loaded, &row));
    }
    assert_true(table_loaded(loaded));
    assert_digests(changed, loaded, true);
    assert_digests(changed, empty, false);
    for (size_t i = 0; i < NAMES; i++) {
        struct change change = {.now = {.mupdate = {.name = name_text(&model[i].name)}}};
        assert_true(table_apply(changed, &change));
    }
    assert_digests(changed, empty, true);
    table_free(changed);
    table_free(loaded);
    table_free(empty);
}

static void the_digest_depends_on_every_part_of_a_row(void **state)
{
    (void)state;
    static const struct {
        enum mupdate_state state;
        const char *name, *location, *acl;
    } rows[] = {
        {MUPDATE_ACTIVE, "ab", "cd", "ef"}, {MUPDATE_ACTIVE, "abc", "d", "ef"},
        {MUPDATE_ACTIVE, "a", "bcd", "ef"}, {MUPDATE_ACTIVE, "ab", "cde", "f"},
        {MUPDATE_ACTIVE, "ab", "c", "def"}, {MUPDATE_ACTIVE, "ab", "cdef", ""},
        {MUPDATE_ACTIVE, "ab", "", "cdef"}, {MUPDATE_RESERVED, "ab", "cdef", ""},
        {MUPDATE_ACTIVE, "ab", "cd", "eg"}, {MUPDATE_ACTIVE, "ab", "cf", "ef"},
        {MUPDATE_ACTIVE, "cd", "ab", "ef"},
    };
    size_t count = sizeof(rows) / sizeof(rows[0]);
    for (size_t i = 0; i < count; i++) {
        for (size_t j = 0; j < count; j++) {
            struct table *a = table_new(LIST_ORDER_CYRUS36), *b = table_new(LIST_ORDER_CYRUS36);
            put_row(a, rows[i].state, rows[i].name, rows[i].location, rows[i].acl, 1);
            put_row(b, rows[j].state, rows[j].name, rows[j].location, rows[j].acl, 2);
            assert_digests(a, b, i == j);
            table_free(a);
            table_free(b);
        }
    }
}

static void the_digest_has_a_fixed_value(void **state)
{
    (void)state;
    struct table *table = table_new(LIST_ORDER_CYRUS36);
    struct digest digest;
    unsigned char octets[DIGEST_BYTES];
    char hex[2 * DIGEST_BYTES + 1];
    put_row(table, MUPDATE_ACTIVE, "user.a", "b1!default", "a\tlrs\t", 1);
    put_row(table, MUPDATE_RESERVED, "user.b", "b2!", "", 2);
    table_digest(table, &digest);
    digest_octets(&digest, octets);
    for (size_t i = 0; i < sizeof(octets); i++)
        snprintf(hex + 2 * i, 3, "%02x", octets[i]);
    assert_int_equal(digest.rows, 2);
    assert_string_equal(hex, "a5e548cf260e8300df35db982dc3be9b");
    table_free(table);
}

static void the_sequence_is_the_greatest_seen(void **state)
{
    (void)state;
    struct table *table = table_new(LIST_ORDER_CYRUS36);
    assert_int_equal(table_sequence(table), 0);
    put_row(table, MUPDATE_ACTIVE, "b", "b1!", "", 9);
    put_row(table, MUPDATE_ACTIVE, "a", "b1!", "", 4);
    assert_int_equal(table_sequence(table), 9);
    table_set_sequence(table, 12);
    assert_int_equal(table_sequence(table), 12);
    struct change unknown = {.now = {.mupdate = {.name = text_of("nobody")}, .sequence = 13}};
    assert_true(table_apply(table, &unknown));
    assert_int_equal(table_sequence(table), 13);
    table_free(table);
}

static void a_change_may_be_made_of_the_row_that_it_replaces(void **state)
{
    (void)state;
    struct table *table = table_new(LIST_ORDER_CYRUS36);
    put_row(table, MUPDATE_ACTIVE, "user.a", "b1!default", "a\tlrs\t", 1);
    struct change change = {.old_state = MUPDATE_ACTIVE};
    assert_true(table_find(table, text_of("user.a"), &change.now));
    change.now.sequence = 2;
    assert_true(table_apply(table, &change));
    struct row row;
    assert_true(table_find(table, text_of("user.a"), &row));
    assert_true(text_equal(row.mupdate.location, text_of("b1!default")));
    assert_true(text_equal(row.mupdate.acl, text_of("a\tlrs\t")));
    change.now = row;
    change.now.mupdate.state = MUPDATE_ABSENT;
    assert_true(table_apply(table, &change));
    assert_false(table_find(table, text_of("user.a"), &row));
    table_free(table);
}

static void texts_that_no_other_row_shares_survive_exactly(void **state)
{
    (void)state;
    struct table *table = table_new(LIST_ORDER_CYRUS36);
    char all[256];
    for (int i = 0; i < 256; i++)
        all[i] = (char)i;
    char *large = malloc(200000);
    assert_non_null(large);
    memset(large, 'l', 200000);
    struct mupdate_text octets = {all, sizeof(all)}, long_text = {large, 200000};
    struct row row = {.mupdate = {MUPDATE_ACTIVE, octets, octets, octets}, .who = octets};
    assert_true(table_load(table, &row));
    row = (struct row){.mupdate = {MUPDATE_ACTIVE, long_text, long_text, long_text},
                       .who = long_text};
    assert_true(table_load(table, &row));
    assert_true(table_loaded(table));
    row = (struct row){0};
    assert_true(table_find(table, octets, &row));
    assert_true(text_equal(row.mupdate.name, octets));
    assert_true(text_equal(row.mupdate.location, octets));
    assert_true(text_equal(row.mupdate.acl, octets));
    assert_true(text_equal(row.who, octets));
    assert_true(table_find(table, long_text, &row));
    assert_true(text_equal(row.mupdate.acl, long_text));
    assert_true(text_equal(row.mupdate.location, long_text));
    free(large);
    table_free(table);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_table_agrees_with_a_sorted_array_after_any_changes),
        cmocka_unit_test(a_walk_between_changes_meets_each_unchanged_row_once_and_in_order),
        cmocka_unit_test(a_loaded_table_agrees_with_a_sorted_array_and_goes_on_changing),
        cmocka_unit_test(many_rows_loaded_in_octet_order_stand_in_list_order),
        cmocka_unit_test(equal_tables_have_equal_digests_whatever_their_history),
        cmocka_unit_test(the_digest_depends_on_every_part_of_a_row),
        cmocka_unit_test(the_digest_has_a_fixed_value),
        cmocka_unit_test(the_sequence_is_the_greatest_seen),
        cmocka_unit_test(a_change_may_be_made_of_the_row_that_it_replaces),
        cmocka_unit_test(texts_that_no_other_row_shares_survive_exactly),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
