/* SPDX-License-Identifier: BSD-3-Clause */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "feed_support.h"
#include "tests/unit/cases.h"

#define MANY 200

static struct replica replicas[MANY];

/* Until it is live and has nothing more to say. */
static void run_to_live(struct replica *replica)
{
    do {
        replica_finish(replica);
        replica->now_ms += 10;
    } while (replica->subscription.state != SUBSCRIPTION_LIVE);
    replica_finish(replica);
}

/* Until its dump has ended and it waits for the moment of healing. */
static void run_to_settling(struct replica *replica)
{
    replica_finish(replica);
    assert_int_equal(replica->subscription.state, SUBSCRIPTION_SETTLING);
    replica_forget(replica);
}

/* Until it has joined a round, and looked once. */
static void begin_look(struct replica *replica)
{
    replica_run(replica, SIZE_MAX);
    assert_int_equal(replica->subscription.state, SUBSCRIPTION_HEALING);
    replica_run(replica, SIZE_MAX);
    assert_int_equal(replica->subscription.state, SUBSCRIPTION_HEALING);
}

/* Rows enough for many slices, two of them at risk. */
static void fill(struct feed_master *master)
{
    char name[32];

    feed_master_open(master, SLICES_KEPT_BYTES);
    for (int i = 0; i < 100 * FEED_SUPPORT_SLICE_ROWS; i++) {
        snprintf(name, sizeof name, "user.%06d", i);
        feed_master_set(master, name, MUPDATE_RESERVED, NULL);
    }
    feed_master_set(master, "user.000007.b", MUPDATE_RESERVED, NULL);
    feed_master_set(master, "user.000007-x", MUPDATE_ACTIVE, "x");
    feed_master_set(master, "user.000007 x", MUPDATE_RESERVED, NULL);
    feed_master_set(master, "user.000007.b", MUPDATE_ABSENT, NULL);
}

static const char two_at_risk[] = "+user.000007 x\n+user.000007-x\n";

static void a_row_at_risk_is_sent_once_more(void **state)
{
    struct feed_master master;

    (void)state;
    fill(&master);
    replica_open(&replicas[0], &master, "U01", NULL, 5);
    run_to_settling(&replicas[0]);
    run_to_live(&replicas[0]);
    assert_string_equal(replica_told(&replicas[0]), two_at_risk);
    assert_int_equal(heal_looks(master.from.heal), 1);
    replica_close(&replicas[0]);
    feed_master_close(&master);
}

static void without_departures_the_table_is_not_looked_through(void **state)
{
    struct feed_master master;

    (void)state;
    feed_master_open(&master, SLICES_KEPT_BYTES);
    feed_master_set(&master, "user.a", MUPDATE_RESERVED, NULL);
    replica_open(&replicas[0], &master, "U01", NULL, 5);
    run_to_settling(&replicas[0]);
    run_to_live(&replicas[0]);
    assert_string_equal(replica_told(&replicas[0]), "");
    assert_int_equal(heal_looks(master.from.heal), 0);
    replica_close(&replicas[0]);
    feed_master_close(&master);
}

static void the_table_is_looked_through_once_for_all_who_wait(void **state)
{
    struct feed_master master;
    size_t live;

    (void)state;
    fill(&master);
    for (size_t i = 0; i < MANY; i++) {
        replica_open(&replicas[i], &master, "U01", NULL, 5);
        run_to_settling(&replicas[i]);
        replicas[i].now_ms = 1000;
    }
    do {
        live = 0;
        for (size_t i = 0; i < MANY; i++) {
            replica_run(&replicas[i], SIZE_MAX);
            live += replicas[i].subscription.state == SUBSCRIPTION_LIVE;
        }
    } while (live < MANY);
    assert_int_equal(heal_looks(master.from.heal), 1);
    for (size_t i = 0; i < MANY; i++) {
        replica_finish(&replicas[i]);
        assert_string_equal(replica_told(&replicas[i]), two_at_risk);
        replica_expect_equal(&replicas[i]);
        replica_close(&replicas[i]);
    }
    feed_master_close(&master);
}

static void who_comes_during_a_look_waits_for_the_next_and_helps_with_this_one(void **state)
{
    struct replica *first = &replicas[0], *second = &replicas[1];
    struct feed_master master;

    (void)state;
    fill(&master);
    replica_open(first, &master, "U01", NULL, 5);
    run_to_settling(first);
    first->now_ms = 1000;
    begin_look(first);

    /* Its dump lacks a name that departs where the look has been already. */
    feed_master_set(&master, "user.000001.b", MUPDATE_ABSENT, NULL);
    feed_master_set(&master, "user.000001-x", MUPDATE_RESERVED, NULL);
    replica_open(second, &master, "U01", NULL, 5);
    run_to_settling(second);
    /* The first stands still; the second alone brings both looks to their end. */
    run_to_live(second);
    assert_int_equal(heal_looks(master.from.heal), 2);
    assert_string_equal(replica_told(second),
                        "+user.000001-x\n+user.000007 x\n+user.000007-x\n");
    replica_run(first, SIZE_MAX);
    assert_int_equal(heal_looks(master.from.heal), 2);
    run_to_live(first);
    replica_expect_equal(first);
    replica_expect_equal(second);
    replica_close(first);
    replica_close(second);
    feed_master_close(&master);
}

static void a_look_ends_with_its_last_member(void **state)
{
    struct feed_master master;

    (void)state;
    fill(&master);
    for (size_t i = 0; i < 4; i++) {
        replica_open(&replicas[i], &master, "U01", NULL, 5);
        run_to_settling(&replicas[i]);
        replicas[i].now_ms = 1000;
    }
    begin_look(&replicas[0]);
    replica_run(&replicas[1], SIZE_MAX);
    replica_run(&replicas[2], SIZE_MAX);
    assert_int_equal(heal_looks(master.from.heal), 1);
    replica_close(&replicas[0]);
    replica_close(&replicas[1]);
    begin_look(&replicas[3]);
    assert_int_equal(heal_looks(master.from.heal), 2);
    replica_close(&replicas[2]);
    run_to_live(&replicas[3]);
    replica_close(&replicas[3]);
    feed_master_close(&master);
}

static void a_noop_brings_the_healing_at_once_and_is_answered_behind_it(void **state)
{
    struct replica *replica = &replicas[0];
    struct feed_master master;

    (void)state;
    fill(&master);
    replica_open(replica, &master, "U01", NULL, 1000000);
    run_to_settling(replica);
    replica_noop(replica);
    replica_finish(replica);
    assert_int_equal(replica->subscription.state, SUBSCRIPTION_LIVE);
    assert_string_equal(replica_told(replica), "+user.000007 x\n+user.000007-x\n=\n");
    replica_close(replica);
    feed_master_close(&master);
}

/* Each row at risk stands alone, and what their ranges take is more than a round keeps. */
static void ranges_beyond_what_a_round_keeps_are_sent_all_the_same(void **state)
{
    const size_t risks = 2000;
    struct buffer expected = {0};
    struct feed_master master;
    char pad[201], name[256];

    (void)state;
    feed_master_open(&master, SLICES_KEPT_BYTES);
    memset(pad, 'x', sizeof pad - 1);
    pad[sizeof pad - 1] = '\0';
    assert_true(risks * 2 * sizeof pad > 2 * HEAL_RANGES_BYTES);
    for (size_t i = 0; i < risks; i++) {
        snprintf(name, sizeof name, "user.%06zu.a%s", i, pad);
        feed_master_set(&master, name, MUPDATE_RESERVED, NULL);
        snprintf(name, sizeof name, "user.%06zu.b%s", i, pad);
        feed_master_set(&master, name, MUPDATE_RESERVED, NULL);
        feed_master_set(&master, name, MUPDATE_ABSENT, NULL);
        snprintf(name, sizeof name, "user.%06zu-x%s", i, pad);
        feed_master_set(&master, name, MUPDATE_RESERVED, NULL);
        buffer_append_string(&expected, "+");
        buffer_append_string(&expected, name);
        buffer_append_string(&expected, "\n");
    }
    buffer_append(&expected, "", 1);
    for (size_t i = 0; i < 2; i++) {
        replica_open(&replicas[i], &master, "U01", NULL, 5);
        run_to_settling(&replicas[i]);
        replicas[i].now_ms = 1000;
        replica_run(&replicas[i], SIZE_MAX);
    }
    for (size_t i = 0; i < 2; i++) {
        while (replicas[i].subscription.state != SUBSCRIPTION_LIVE)
            assert_int_not_equal(replica_run(&replicas[i], 5000), SUBSCRIPTION_FAILED);
        replica_finish(&replicas[i]);
        assert_string_equal(replica_told(&replicas[i]), buffer_bytes(&expected));
        replica_close(&replicas[i]);
    }
    buffer_free(&expected);
    feed_master_close(&master);
}

/* --- replicas that merge as Cyrus's do --- */

#define NAMES 80
#define CYRUSES 12

struct world {
    struct feed_master master;
    struct randoms randoms;
    struct name names[NAMES]; /* in list order */
    bool has[CYRUSES][NAMES]; /* what each has on its disk */
    bool open[CYRUSES];
};

static int compare_names(const void *a, const void *b)
{
    return order_compare(LIST_ORDER_CYRUS36, name_text(a), name_text(b));
}

static size_t number_of(const struct world *world, struct mupdate_text name)
{
    size_t i = 0;

    while (!text_equal(name_text(&world->names[i]), name))
        i++;
    return i;
}

/* As tests/unit/table/test_merge.c tells it; in_dump and has are by numbers, in list order. */
static void merge(struct world *world, bool *has, const bool *in_dump)
{
    size_t mine = 0, theirs = 0;
    bool kept[NAMES];

    memcpy(kept, has, sizeof kept);
    for (;;) {
        int order;

        while (mine < NAMES && !has[mine])
            mine++;
        while (theirs < NAMES && !in_dump[theirs])
            theirs++;
        if (mine == NAMES && theirs == NAMES)
            break;
        order = mine == NAMES     ? 1
                : theirs == NAMES ? -1
                                  : text_compare(name_text(&world->names[mine]),
                                                 name_text(&world->names[theirs]));
        if (order < 0)
            kept[mine] = false;
        if (order > 0)
            kept[theirs] = true;
        mine += order <= 0;
        theirs += order >= 0;
    }
    memcpy(has, kept, sizeof kept);
}

/* What it was told in this connection goes to its disk. */
static void take_in(struct world *world, size_t i)
{
    const char *at = replica_told(&replicas[i]);
    bool in_dump[NAMES] = {false};
    bool merged = false;

    for (const char *end; (end = strchr(at, '\n')) != NULL; at = end + 1) {
        struct mupdate_text name = {at + 1, (size_t)(end - at - 1)};

        if (*at == '=' && !merged) {
            merge(world, world->has[i], in_dump);
            merged = true;
        } else if (*at != '=') {
            (merged ? world->has[i] : in_dump)[number_of(world, name)] = *at == '+';
        }
    }
}

static void step(struct world *world, size_t i)
{
    struct replica *replica = &replicas[i];
    struct randoms *randoms = &world->randoms;
    size_t octets;

    if (!world->open[i]) {
        if (randoms_below(randoms, 8) == 0) {
            replica_open(replica, &world->master, "U01", NULL, (int)randoms_below(randoms, 8));
            world->open[i] = true;
        }
        return;
    }
    replica->now_ms++;
    /* From slow to fast. */
    octets = randoms_below(randoms, 50 + 100 * (uint32_t)i);
    assert_int_not_equal(replica_run(replica, octets), SUBSCRIPTION_FAILED);
    if (randoms_below(randoms, 40) == 0 && !replica->subscription.noop && replica->synchronised &&
        replica->subscription.state != SUBSCRIPTION_DUMPING) {
        replica_noop(replica);
    }
    if (randoms_below(randoms, 150) == 0) {
        take_in(world, i);
        replica_close(replica);
        world->open[i] = false;
    }
}

static void random_change(struct world *world)
{
    char name[NAME_MAX_BYTES + 1] = {0};
    const struct name *chosen = &world->names[randoms_below(&world->randoms, NAMES)];

    memcpy(name, chosen->octets, chosen->len);
    feed_master_set(&world->master, name,
                    randoms_below(&world->randoms, 2) ? MUPDATE_ABSENT : MUPDATE_RESERVED, NULL);
}

static size_t finish_all(struct world *world)
{
    size_t lost = 0;

    for (size_t i = 0; i < CYRUSES; i++) {
        if (!world->open[i])
            continue;
        run_to_live(&replicas[i]);
        take_in(world, i);
        for (size_t name = 0; name < NAMES; name++) {
            struct row row;

            lost += world->has[i][name] !=
                    table_find(world->master.table, name_text(&world->names[name]), &row);
        }
        replica_close(&replicas[i]);
        world->open[i] = false;
    }
    return lost;
}

static void replicas_that_merge_as_cyrus_does_have_the_masters_rows_in_the_end(void **state)
{
    static struct world world;
    uint64_t seeds = cases_of(150);

    (void)state;
    for (uint64_t seed = 1; seed <= seeds; seed++) {
        memset(&world, 0, sizeof world);
        world.randoms.state = seed;
        feed_master_open(&world.master, SLICES_KEPT_BYTES);
        names_random(world.names, NAMES, &world.randoms, ".-^ ab", 5);
        qsort(world.names, NAMES, sizeof world.names[0], compare_names);
        for (int turn = 0; turn < 300; turn++) {
            for (size_t i = 0; i < CYRUSES; i++)
                step(&world, i);
            for (uint32_t n = randoms_below(&world.randoms, 3); n > 0; n--)
                random_change(&world);
        }
        assert_int_equal(finish_all(&world), 0);
        feed_master_close(&world.master);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_row_at_risk_is_sent_once_more),
        cmocka_unit_test(without_departures_the_table_is_not_looked_through),
        cmocka_unit_test(the_table_is_looked_through_once_for_all_who_wait),
        cmocka_unit_test(who_comes_during_a_look_waits_for_the_next_and_helps_with_this_one),
        cmocka_unit_test(a_look_ends_with_its_last_member),
        cmocka_unit_test(a_noop_brings_the_healing_at_once_and_is_answered_behind_it),
        cmocka_unit_test(ranges_beyond_what_a_round_keeps_are_sent_all_the_same),
        cmocka_unit_test(replicas_that_merge_as_cyrus_does_have_the_masters_rows_in_the_end),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
