/*
 * Many replicas of different speed, changes all the time: in the end each has
 * the master's table.
 *
 * SPDX-License-Identifier: BSD-3-Clause
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "feed_support.h"
#include "tests/unit/cases.h"

#define REPLICAS 24
#define NAMES 1200

struct world {
    struct feed_master master;
    struct replica replicas[REPLICAS];
    bool open[REPLICAS];
    struct randoms randoms;
};

static const char *const tags[] = {"U01", "U01", "U01", "U1"};

static void random_change(struct world *world)
{
    uint32_t number = randoms_below(&world->randoms, NAMES);
    char name[64];
    char acl[400];

    /* Names whose order differs from that of their octets, so that healing has to do. */
    snprintf(name, sizeof name, "user.%03u%c%u", number / 4, ".-^ "[number % 4], number % 7);
    memset(acl, 'a' + (int)randoms_below(&world->randoms, 26), sizeof acl);
    acl[randoms_below(&world->randoms, sizeof acl)] = '\0';
    acl[sizeof acl - 1] = '\0';
    feed_master_set(&world->master, name, (enum mupdate_state)randoms_below(&world->randoms, 3),
                    acl);
}

static void step(struct world *world, size_t i)
{
    struct replica *replica = &world->replicas[i];
    /* Some read a little, some much, some not at all for a while. */
    size_t octets = i % 4 == 0 ? 100 : i % 4 == 1 ? 5000 : i % 4 == 2 ? 200000 : 0;

    if (!world->open[i]) {
        if (randoms_below(&world->randoms, 20) == 0) {
            replica_open(replica, &world->master, tags[randoms_below(&world->randoms, 4)],
                         NULL, randoms_below(&world->randoms, 3) ? 5 : -1);
            world->open[i] = true;
        }
        return;
    }
    if (randoms_below(&world->randoms, 10) == 0)
        octets = randoms_below(&world->randoms, 100000);
    assert_int_not_equal(replica_run(replica, octets), SUBSCRIPTION_FAILED);
    replica->now_ms++;
    if (randoms_below(&world->randoms, 200) == 0) {
        replica_close(replica);
        world->open[i] = false;
    }
}

static void finish_all(struct world *world)
{
    for (size_t i = 0; i < REPLICAS; i++) {
        struct replica *replica = &world->replicas[i];

        if (!world->open[i])
            continue;
        do {
            replica_finish(replica);
            replica->now_ms += 10;
        } while (replica->subscription.state != SUBSCRIPTION_LIVE);
        replica_finish(replica);
        assert_true(replica->synchronised);
        replica_expect_equal(replica);
        replica_close(replica);
    }
}

static void every_replica_has_the_masters_table_in_the_end(void **state)
{
    static struct world world;
    uint32_t seeds = 2 * (uint32_t)cases_of(6); /* even ones change more at a time */

    (void)state;
    for (uint32_t seed = 1; seed <= seeds; seed++) {
        size_t most = 3 * SLICE_BYTES + seed * SLICE_BYTES;

        memset(&world, 0, sizeof world);
        world.randoms.state = seed;
        feed_master_open(&world.master, most);
        for (size_t i = 0; i < 3 * NAMES; i++)
            random_change(&world);
        for (size_t turn = 0; turn < 300; turn++) {
            for (size_t i = 0; i < REPLICAS; i++)
                step(&world, i);
            for (uint32_t n = randoms_below(&world.randoms, seed % 2 ? 3 : 30); n > 0; n--)
                random_change(&world);
            assert_true(slices_kept(world.master.from.slices) <= most);
        }
        finish_all(&world);
        feed_master_close(&world.master);
    }
}

static void replicas_of_one_tag_share_what_is_encoded(void **state)
{
    static struct replica first, second, other, partial;
    struct feed_master master;
    char name[32];

    (void)state;
    feed_master_open(&master, SLICES_KEPT_BYTES);
    for (int i = 0; i < 3000; i++) {
        snprintf(name, sizeof name, "user.%d", i);
        feed_master_set(&master, name, MUPDATE_ACTIVE, "anna\tlrs\t");
    }
    replica_open(&first, &master, "U01", NULL, -1);
    replica_open(&second, &master, "U01", NULL, -1);
    replica_open(&other, &master, "X", NULL, -1);
    replica_open(&partial, &master, "U01", "odd", -1);
    replica_run(&first, 10);
    replica_run(&second, 20);
    replica_run(&other, 10);
    replica_run(&partial, 10);
    assert_ptr_equal(first.subscription.dump.slice, second.subscription.dump.slice);
    assert_ptr_not_equal(first.subscription.dump.slice, other.subscription.dump.slice);
    assert_null(partial.subscription.dump.slice);
    replica_finish(&first);
    replica_finish(&second);
    replica_finish(&other);
    replica_finish(&partial);
    replica_expect_equal(&first);
    replica_expect_equal(&second);
    replica_expect_equal(&other);
    /* Names of an odd length: of user.0 to user.2999, user.d and user.ddd have an even one. */
    assert_int_equal(partial.rows, 90 + 2000);
    replica_close(&first);
    replica_close(&second);
    replica_close(&other);
    replica_close(&partial);
    assert_int_equal(slices_kept(master.from.slices), 0);
    feed_master_close(&master);
}

static void who_does_not_read_holds_one_piece(void **state)
{
    static struct replica stuck, reading;
    struct feed_master master;
    const struct slice *held;
    char name[32];
    uint8_t first_octets[64];

    (void)state;
    feed_master_open(&master, 2 * SLICE_BYTES + SLICE_BYTES / 2);
    for (int i = 0; i < 5000; i++) {
        snprintf(name, sizeof name, "user.%d", i);
        feed_master_set(&master, name, MUPDATE_ACTIVE, "anna\tlrs\t");
    }
    replica_open(&stuck, &master, "U01", NULL, -1);
    assert_int_equal(replica_run(&stuck, 0), SUBSCRIPTION_MORE);
    held = stuck.subscription.dump.slice;
    memcpy(first_octets, held->bytes, sizeof first_octets);
    for (int i = 0; i < 5; i++) {
        replica_open(&reading, &master, "U01", NULL, -1);
        feed_master_set(&master, "user.new", MUPDATE_ACTIVE, "x");
        replica_finish(&reading);
        replica_expect_equal(&reading);
        replica_close(&reading);
        assert_int_equal(replica_run(&stuck, 0), SUBSCRIPTION_FULL);
        assert_ptr_equal(stuck.subscription.dump.slice, held);
    }
    assert_memory_equal(held->bytes, first_octets, sizeof first_octets);
    replica_finish(&stuck);
    replica_expect_equal(&stuck);
    replica_close(&stuck);
    feed_master_close(&master);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_replica_has_the_masters_table_in_the_end),
        cmocka_unit_test(replicas_of_one_tag_share_what_is_encoded),
        cmocka_unit_test(who_does_not_read_holds_one_piece),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
