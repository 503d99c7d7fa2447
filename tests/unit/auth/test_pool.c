/* SPDX-License-Identifier: BSD-3-Clause */
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "mupdated/auth/pool.h"
#include "mupdated/log.h"

/* Long enough to be never. */
#define PATIENCE_MS 60000

enum lane { QUICK, ASKING, LANES };

/* Work waits here while the gate is shut: a service that does not answer. */
struct gate {
    uv_mutex_t lock;
    uv_cond_t opened;
    bool shut;
    unsigned inside;
};

struct errand {
    struct pool_job job; /* first */
    struct world *world;
    struct gate *gate;
    unsigned number;
    bool under_way; /* the pool's */
    unsigned ends[POOL_CROWDED + 1];
    uv_thread_t thread; /* in which it ran */
};

struct world {
    uv_loop_t loop;
    struct pool *pool;
    struct gate gate;
    unsigned ended;
    unsigned order[64]; /* in which errands of one thread ran */
    atomic_uint ran;
};

static void pass(struct gate *gate)
{
    uv_mutex_lock(&gate->lock);
    gate->inside++;
    uv_cond_broadcast(&gate->opened);
    while (gate->shut)
        uv_cond_wait(&gate->opened, &gate->lock);
    gate->inside--;
    uv_mutex_unlock(&gate->lock);
}

static void set_gate(struct gate *gate, bool shut)
{
    uv_mutex_lock(&gate->lock);
    gate->shut = shut;
    uv_cond_broadcast(&gate->opened);
    uv_mutex_unlock(&gate->lock);
}

static void wait_until_inside(struct gate *gate, unsigned count)
{
    uv_mutex_lock(&gate->lock);
    while (gate->inside < count)
        uv_cond_wait(&gate->opened, &gate->lock);
    uv_mutex_unlock(&gate->lock);
}

static void on_work(struct pool_job *job)
{
    struct errand *errand = (struct errand *)job;
    unsigned at;

    if (errand->gate)
        pass(errand->gate);
    errand->thread = uv_thread_self();
    at = atomic_fetch_add(&errand->world->ran, 1);
    if (at < 64)
        errand->world->order[at] = errand->number;
}

static void on_ended(struct pool_job *job, enum pool_end end)
{
    struct errand *errand = (struct errand *)job;

    errand->ends[end]++;
    errand->under_way = end == POOL_LATE;
    errand->world->ended++;
}

static void open_world(struct world *world, size_t threads, size_t waiting, uint64_t idle_ms)
{
    const struct pool_lane_options lanes[LANES] = {
        [QUICK] = {"quick", 1, waiting, 5},
        [ASKING] = {"asking", threads, waiting, 0},
    };

    memset(world, 0, sizeof *world);
    assert_int_equal(uv_loop_init(&world->loop), 0);
    assert_int_equal(uv_mutex_init(&world->gate.lock), 0);
    assert_int_equal(uv_cond_init(&world->gate.opened), 0);
    world->pool = pool_new(&world->loop, lanes, LANES, idle_ms);
    assert_non_null(world->pool);
}

static void close_gate_of(struct world *world)
{
    uv_cond_destroy(&world->gate.opened);
    uv_mutex_destroy(&world->gate.lock);
}

static void close_world(struct world *world)
{
    pool_stop(world->pool);
    assert_int_equal(uv_run(&world->loop, UV_RUN_DEFAULT), 0);
    assert_true(pool_free(world->pool, PATIENCE_MS));
    assert_int_equal(uv_loop_close(&world->loop), 0);
    close_gate_of(world);
}

static void submit(struct world *world, enum lane lane, struct errand *errand, uint64_t origin,
                   uint64_t timeout_ms)
{
    errand->world = world;
    errand->job.work = on_work;
    errand->job.ended = on_ended;
    errand->under_way = true;
    pool_submit(world->pool, lane, &errand->job, origin, timeout_ms);
}

/* One turn of the loop. UV_RUN_ONCE may wait for ever when a timer was due before it. */
static void turn(struct world *world)
{
    assert_int_not_equal(uv_run(&world->loop, UV_RUN_NOWAIT), 0);
    uv_sleep(1);
}

/* Turn the loop until so many ends were told. */
static void wait_ended(struct world *world, unsigned count)
{
    while (world->ended < count)
        turn(world);
    assert_int_equal(world->ended, count);
}

static struct pool_counts counts_of(struct world *world, enum lane lane)
{
    struct pool_counts counts;

    pool_counts(world->pool, lane, &counts);
    return counts;
}

static void work_is_done_off_the_loop_and_its_end_told_on_it(void **state)
{
    struct world world;
    struct errand errand = {.number = 7};
    uv_thread_t self = uv_thread_self();

    (void)state;
    open_world(&world, 2, 10, PATIENCE_MS);
    submit(&world, ASKING, &errand, 0, PATIENCE_MS);
    assert_int_equal(world.ended, 0);
    wait_ended(&world, 1);
    assert_int_equal(errand.ends[POOL_RAN], 1);
    assert_int_equal(world.order[0], 7);
    assert_false(uv_thread_equal(&self, &errand.thread));
    close_world(&world);
}

static void one_after_the_other_they_need_one_thread(void **state)
{
    struct world world;
    struct errand errand = {0};

    (void)state;
    open_world(&world, 8, 10, PATIENCE_MS);
    for (unsigned i = 1; i <= 200; i++) {
        submit(&world, ASKING, &errand, i, PATIENCE_MS);
        wait_ended(&world, i);
        assert_int_equal(counts_of(&world, ASKING).threads, 1);
    }
    close_world(&world);
}

static void no_more_threads_than_allowed_are_started(void **state)
{
    struct world world;
    struct errand errands[50] = {0};

    (void)state;
    open_world(&world, 3, 100, PATIENCE_MS);
    world.gate.shut = true;
    for (unsigned i = 0; i < 50; i++) {
        errands[i].gate = &world.gate;
        submit(&world, ASKING, &errands[i], i, PATIENCE_MS);
    }
    wait_until_inside(&world.gate, 3);
    assert_int_equal(counts_of(&world, ASKING).threads, 3);
    assert_int_equal(counts_of(&world, ASKING).waiting, 47);
    set_gate(&world.gate, false);
    wait_ended(&world, 50);
    assert_int_equal(counts_of(&world, ASKING).threads, 3);
    close_world(&world);
}

static void a_lane_that_hangs_delays_no_other(void **state)
{
    struct world world;
    struct errand stuck[2] = {{.gate = &world.gate}, {.gate = &world.gate}};
    struct errand quick = {0};

    (void)state;
    open_world(&world, 2, 10, PATIENCE_MS);
    world.gate.shut = true;
    submit(&world, ASKING, &stuck[0], 1, PATIENCE_MS);
    submit(&world, ASKING, &stuck[1], 2, PATIENCE_MS);
    wait_until_inside(&world.gate, 2);
    submit(&world, QUICK, &quick, 1, PATIENCE_MS);
    wait_ended(&world, 1);
    assert_int_equal(quick.ends[POOL_RAN], 1);
    set_gate(&world.gate, false);
    wait_ended(&world, 3);
    close_world(&world);
}

static void a_late_job_is_told_of_once_and_again_when_it_comes_back(void **state)
{
    struct world world;
    struct errand errand = {.gate = &world.gate};

    (void)state;
    open_world(&world, 2, 10, PATIENCE_MS);
    world.gate.shut = true;
    submit(&world, ASKING, &errand, 1, 20);
    wait_until_inside(&world.gate, 1);
    wait_ended(&world, 1);
    assert_int_equal(errand.ends[POOL_LATE], 1);
    assert_int_equal(counts_of(&world, ASKING).late, 1);
    assert_false(pool_cancel(world.pool, &errand.job));
    set_gate(&world.gate, false);
    wait_ended(&world, 2);
    assert_int_equal(errand.ends[POOL_RAN], 1);
    assert_int_equal(counts_of(&world, ASKING).late, 0);
    close_world(&world);
}

static void while_all_threads_stay_behind_jobs_are_refused_at_once(void **state)
{
    struct world world;
    struct errand late = {.gate = &world.gate};
    struct errand waits = {0}, refused = {0};

    (void)state;
    open_world(&world, 1, 10, PATIENCE_MS);
    world.gate.shut = true;
    submit(&world, ASKING, &late, 1, 20);
    wait_until_inside(&world.gate, 1);
    submit(&world, ASKING, &waits, 1, 21);
    wait_ended(&world, 2);
    assert_int_equal(late.ends[POOL_LATE], 1);
    assert_int_equal(waits.ends[POOL_STUCK], 1);
    submit(&world, ASKING, &refused, 1, PATIENCE_MS);
    assert_int_equal(world.ended, 2);
    wait_ended(&world, 3);
    assert_int_equal(refused.ends[POOL_STUCK], 1);

    set_gate(&world.gate, false);
    wait_ended(&world, 4);
    submit(&world, ASKING, &refused, 1, PATIENCE_MS);
    wait_ended(&world, 5);
    assert_int_equal(refused.ends[POOL_RAN], 1);
    assert_int_equal(atomic_load(&world.ran), 2);
    close_world(&world);
}

static void who_waits_too_long_where_nobody_is_late_was_in_a_crowd(void **state)
{
    struct world world;
    struct errand runs = {.gate = &world.gate}, waits = {0};

    (void)state;
    open_world(&world, 1, 10, PATIENCE_MS);
    world.gate.shut = true;
    submit(&world, ASKING, &runs, 1, PATIENCE_MS);
    wait_until_inside(&world.gate, 1);
    submit(&world, ASKING, &waits, 1, 5);
    wait_ended(&world, 1);
    assert_int_equal(waits.ends[POOL_CROWDED], 1);
    set_gate(&world.gate, false);
    wait_ended(&world, 2);
    assert_int_equal(runs.ends[POOL_RAN], 1);
    close_world(&world);
}

static void places_take_turns_and_each_keeps_its_order(void **state)
{
    struct world world;
    struct errand first = {.gate = &world.gate, .number = 99};
    struct errand errands[8];
    /* Seven come from place 1, and behind them one from place 2. */
    static const unsigned order[9] = {99, 0, 7, 1, 2, 3, 4, 5, 6};

    (void)state;
    open_world(&world, 1, 20, PATIENCE_MS);
    memset(errands, 0, sizeof errands);
    world.gate.shut = true;
    submit(&world, ASKING, &first, 0, PATIENCE_MS);
    wait_until_inside(&world.gate, 1);
    for (unsigned i = 0; i < 8; i++) {
        errands[i].number = i;
        submit(&world, ASKING, &errands[i], i < 7 ? 1 : 2, PATIENCE_MS);
    }
    set_gate(&world.gate, false);
    wait_ended(&world, 9);
    assert_memory_equal(world.order, order, sizeof order);
    close_world(&world);
}

static void where_too_many_wait_the_newest_of_the_flood_is_refused(void **state)
{
    struct world world;
    struct errand first = {.gate = &world.gate}, other = {0};
    struct errand flood[5];

    (void)state;
    open_world(&world, 1, 4, PATIENCE_MS);
    memset(flood, 0, sizeof flood);
    world.gate.shut = true;
    submit(&world, ASKING, &first, 0, PATIENCE_MS);
    wait_until_inside(&world.gate, 1);
    for (unsigned i = 0; i < 5; i++)
        submit(&world, ASKING, &flood[i], 1, PATIENCE_MS);
    submit(&world, ASKING, &other, 2, PATIENCE_MS);
    wait_ended(&world, 2);
    assert_int_equal(flood[4].ends[POOL_CROWDED], 1);
    assert_int_equal(flood[3].ends[POOL_CROWDED], 1);
    set_gate(&world.gate, false);
    wait_ended(&world, 7);
    assert_int_equal(other.ends[POOL_RAN], 1);
    assert_int_equal(flood[0].ends[POOL_RAN] + flood[1].ends[POOL_RAN] + flood[2].ends[POOL_RAN],
                     3);
    close_world(&world);
}

static void who_waits_can_be_given_up_and_who_runs_cannot(void **state)
{
    struct world world;
    struct errand runs = {.gate = &world.gate}, waits = {0};

    (void)state;
    open_world(&world, 1, 10, PATIENCE_MS);
    world.gate.shut = true;
    submit(&world, ASKING, &runs, 0, PATIENCE_MS);
    wait_until_inside(&world.gate, 1);
    submit(&world, ASKING, &waits, 0, PATIENCE_MS);
    assert_true(pool_cancel(world.pool, &waits.job));
    assert_false(pool_cancel(world.pool, &runs.job));
    assert_int_equal(counts_of(&world, ASKING).waiting, 0);
    set_gate(&world.gate, false);
    wait_ended(&world, 1);
    assert_int_equal(runs.ends[POOL_RAN], 1);
    assert_int_equal(atomic_load(&world.ran), 1);
    close_world(&world);
}

static void threads_without_work_end(void **state)
{
    struct world world;
    struct errand errand = {0};

    (void)state;
    open_world(&world, 2, 10, 1);
    for (unsigned i = 1; i <= 3; i++) {
        submit(&world, ASKING, &errand, 0, PATIENCE_MS);
        wait_ended(&world, i);
        while (counts_of(&world, ASKING).threads > 0)
            turn(&world);
    }
    close_world(&world);
}

static void limits_can_be_changed(void **state)
{
    struct world world;
    struct errand errands[3];

    (void)state;
    open_world(&world, 1, 10, PATIENCE_MS);
    memset(errands, 0, sizeof errands);
    world.gate.shut = true;
    pool_set_limits(world.pool, ASKING, 2, 10);
    for (unsigned i = 0; i < 3; i++) {
        errands[i].gate = &world.gate;
        submit(&world, ASKING, &errands[i], 0, PATIENCE_MS);
    }
    wait_until_inside(&world.gate, 2);
    assert_int_equal(counts_of(&world, ASKING).waiting, 1);
    set_gate(&world.gate, false);
    wait_ended(&world, 3);
    close_world(&world);
}

static void the_end_does_not_wait_for_a_thread_that_hangs(void **state)
{
    struct world world;
    struct errand errand = {.gate = &world.gate};

    (void)state;
    open_world(&world, 1, 10, PATIENCE_MS);
    world.gate.shut = true;
    submit(&world, ASKING, &errand, 0, 5);
    wait_until_inside(&world.gate, 1);
    wait_ended(&world, 1);
    pool_stop(world.pool);
    assert_int_equal(uv_run(&world.loop, UV_RUN_DEFAULT), 0);
    assert_false(pool_free(world.pool, 10));
    assert_int_equal(errand.ends[POOL_RAN], 0);
    /* Only a test can know that it comes back. */
    set_gate(&world.gate, false);
    assert_true(pool_free(world.pool, PATIENCE_MS));
    assert_int_equal(errand.ends[POOL_RAN], 1);
    assert_int_equal(uv_loop_close(&world.loop), 0);
    close_gate_of(&world);
}

#define MANY 64
#define ROUNDS 40000

static unsigned draw(unsigned *seed)
{
    *seed = *seed * 1664525U + 1013904223U;
    return *seed >> 16;
}

/* What is under way is never lost, told of twice, or run after it was given up. */
static void any_mixture_of_submissions_and_cancellations_adds_up(void **state)
{
    static struct errand errands[MANY];
    struct world world;
    unsigned submitted = 0, cancelled = 0, never_began = 0, ran = 0;
    unsigned seed = 4;

    (void)state;
    open_world(&world, 6, 20, 1);
    memset(errands, 0, sizeof errands);
    for (unsigned round = 0; round < ROUNDS; round++) {
        struct errand *errand = &errands[draw(&seed) % MANY];

        if (!errand->under_way) {
            submit(&world, draw(&seed) % LANES, errand, draw(&seed) % 8, 1 + draw(&seed) % 50);
            submitted++;
        } else if (draw(&seed) % 2) {
            errand->under_way = !pool_cancel(world.pool, &errand->job);
            cancelled += !errand->under_way;
        }
        if (draw(&seed) % 8 == 0)
            uv_run(&world.loop, UV_RUN_NOWAIT);
    }
    for (unsigned i = 0; i < MANY; i++)
        while (errands[i].under_way)
            turn(&world);
    for (unsigned i = 0; i < MANY; i++) {
        never_began += errands[i].ends[POOL_STUCK] + errands[i].ends[POOL_CROWDED];
        ran += errands[i].ends[POOL_RAN];
    }
    assert_int_equal(submitted, cancelled + never_began + ran);
    assert_int_equal(atomic_load(&world.ran), ran);
    close_world(&world);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(work_is_done_off_the_loop_and_its_end_told_on_it),
        cmocka_unit_test(one_after_the_other_they_need_one_thread),
        cmocka_unit_test(no_more_threads_than_allowed_are_started),
        cmocka_unit_test(a_lane_that_hangs_delays_no_other),
        cmocka_unit_test(a_late_job_is_told_of_once_and_again_when_it_comes_back),
        cmocka_unit_test(while_all_threads_stay_behind_jobs_are_refused_at_once),
        cmocka_unit_test(who_waits_too_long_where_nobody_is_late_was_in_a_crowd),
        cmocka_unit_test(places_take_turns_and_each_keeps_its_order),
        cmocka_unit_test(where_too_many_wait_the_newest_of_the_flood_is_refused),
        cmocka_unit_test(who_waits_can_be_given_up_and_who_runs_cannot),
        cmocka_unit_test(threads_without_work_end),
        cmocka_unit_test(limits_can_be_changed),
        cmocka_unit_test(the_end_does_not_wait_for_a_thread_that_hangs),
        cmocka_unit_test(any_mixture_of_submissions_and_cancellations_adds_up),
    };

    log_set_level(LOG_ERR);
    return cmocka_run_group_tests_name("auth/pool", tests, NULL, NULL);
}
