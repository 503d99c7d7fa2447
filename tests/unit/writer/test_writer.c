/* SPDX-License-Identifier: BSD-3-Clause */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "mupdated/writer/writer.h"
#include "tests/unit/store/fixture.h"
#include "tests/unit/store/raw.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct decided {
    enum writer_result result;
    uint64_t sequence; /* 0: nothing was stored */
    int64_t time_us;   /* the same for all changes of a batch */
    char text[RULE_TEXT_BYTES];
    int number; /* the request's */
};

struct fixture {
    struct store_fixture *store;
    uv_loop_t loop;
    struct writer *writer;
    struct writer_options options;
    struct rule_policy policy;
    int submitted;
    struct decided *decided;
    size_t decided_count;
    size_t decided_size;
    uint64_t first;
    unsigned calls;
    bool closed;
    int resubmit; /* so many requests more, each submitted in the callback */
};

static void submit(struct fixture *fixture, enum mupdate_verb verb, const char *name,
                   const char *location, const char *acl)
{
    struct rule_request rule = {.verb = verb, .name = text_of(name), .location = text_of(location),
                                .acl = text_of(acl), .writes.all = true};
    struct writer_request *request =
        writer_request_new(&rule, text_of("backend1"), (void *)(intptr_t)fixture->submitted++);

    assert_non_null(request);
    writer_submit(fixture->writer, request);
}

static void on_done(void *context, struct writer_request *batch, uint64_t first)
{
    struct fixture *fixture = context;

    fixture->first = first;
    fixture->calls++;
    while (batch) {
        struct writer_request *next = batch->next;
        struct decided *decided;

        if (fixture->decided_count == fixture->decided_size) {
            fixture->decided_size = fixture->decided_size ? 2 * fixture->decided_size : 64;
            fixture->decided =
                realloc(fixture->decided, fixture->decided_size * sizeof *fixture->decided);
            assert_non_null(fixture->decided);
        }
        decided = &fixture->decided[fixture->decided_count++];
        decided->result = batch->result;
        decided->sequence = batch->change ? batch->change->now.sequence : 0;
        decided->time_us = batch->change ? batch->change->now.time_us : 0;
        decided->number = (int)(intptr_t)batch->owner;
        (void)snprintf(decided->text, sizeof decided->text, "%s", batch->text);
        writer_request_free(batch);
        batch = next;
        if (fixture->resubmit > 0) {
            fixture->resubmit--;
            submit(fixture, MUPDATE_RESERVE, "user.again", "be1!p", "");
        }
    }
}

static void on_closed(void *context)
{
    struct fixture *fixture = context;

    fixture->closed = true;
    fixture->writer = NULL;
}

static void start(struct fixture *fixture)
{
    assert_int_equal(
        writer_start(&fixture->writer, &fixture->loop, &fixture->options, &fixture->policy), 0);
}

static int setup(void **state)
{
    struct fixture *fixture = calloc(1, sizeof *fixture);

    assert_non_null(fixture);
    fixture->store = store_fixture_new(NULL);
    store_fixture_open(fixture->store);
    assert_int_equal(uv_loop_init(&fixture->loop), 0);
    fixture->policy = (struct rule_policy){.name_bytes = 1024, .location_bytes = 1024,
                                           .acl_bytes = 65536};
    fixture->options = (struct writer_options){
        .store = fixture->store->store,
        .log_changes = 100000,
        .checkpoint_interval_ms = 60000,
        .log = fixture->store->options.log,
        .log_context = fixture->store,
        .done = on_done,
        .context = fixture,
    };
    /* So that the writer does not, at its own time: some tests count or fail what is synced. */
    store_prepare_log(fixture->store->store);
    start(fixture);
    *state = fixture;
    return 0;
}

static void stop(struct fixture *fixture)
{
    fixture->closed = false;
    writer_stop(fixture->writer, on_closed, fixture);
    while (!fixture->closed)
        assert_true(uv_run(&fixture->loop, UV_RUN_ONCE) || fixture->closed);
}

static int teardown(void **state)
{
    struct fixture *fixture = *state;

    raw_fail_sync(0, 0);
    if (fixture->writer)
        stop(fixture);
    assert_int_equal(uv_loop_close(&fixture->loop), 0);
    store_fixture_free(fixture->store);
    free(fixture->decided);
    free(fixture);
    return 0;
}

static void wait_for_all(struct fixture *fixture)
{
    while (writer_pending(fixture->writer) > 0)
        (void)uv_run(&fixture->loop, UV_RUN_ONCE);
}

static void results_come_back_in_the_order_of_submission(void **state)
{
    struct fixture *fixture = *state;
    char name[32];
    uint64_t sequence = 0;

    for (int i = 0; i < 5000; i++) {
        (void)snprintf(name, sizeof name, "user.%d", i % 1000);
        submit(fixture, i % 3 ? MUPDATE_ACTIVATE : MUPDATE_RESERVE, name, i % 7 ? "be1!p" : "be2!p",
               i % 3 ? "a lrs" : "");
    }
    assert_int_equal(writer_pending(fixture->writer), 5000);
    wait_for_all(fixture);
    assert_int_equal(fixture->decided_count, 5000);
    for (int i = 0; i < 5000; i++) {
        assert_int_equal(fixture->decided[i].number, i);
        if (fixture->decided[i].sequence)
            assert_int_equal(fixture->decided[i].sequence, ++sequence);
    }
    assert_true(sequence > 1000);
    stop(fixture);
    store_fixture_check(fixture->store, NULL);
}

static void of_reserves_of_one_name_exactly_one_wins(void **state)
{
    struct fixture *fixture = *state;
    char location[32];
    int winners = 0;

    for (int i = 0; i < 200; i++) {
        (void)snprintf(location, sizeof location, "be%d!p", i);
        submit(fixture, MUPDATE_RESERVE, "user.wanted", location, "");
    }
    wait_for_all(fixture);
    for (size_t i = 0; i < fixture->decided_count; i++)
        winners += fixture->decided[i].result == WRITER_OK;
    assert_int_equal(winners, 1);
    assert_int_equal(fixture->decided[0].result, WRITER_OK);
    assert_non_null(strstr(fixture->decided[1].text, "be0"));
}

static void what_was_ok_is_there_after_reopening(void **state)
{
    struct fixture *fixture = *state;

    submit(fixture, MUPDATE_RESERVE, "user.a", "be1!p", "");
    submit(fixture, MUPDATE_ACTIVATE, "user.b", "be1!p", "b lrs");
    submit(fixture, MUPDATE_DELETE, "user.a", "", "");
    wait_for_all(fixture);
    stop(fixture);
    store_fixture_reopen(fixture->store);
    assert_null(store_fixture_location(fixture->store, "user.a"));
    assert_string_equal(store_fixture_location(fixture->store, "user.b"), "be1!p");
}

static void a_change_that_changes_nothing_is_not_flushed(void **state)
{
    struct fixture *fixture = *state;
    unsigned before;

    submit(fixture, MUPDATE_RESERVE, "user.a", "be1!p", "");
    wait_for_all(fixture);
    before = raw_syncs();
    submit(fixture, MUPDATE_RESERVE, "user.a", "be1!p", "");
    submit(fixture, MUPDATE_DELETE, "user.none", "", "");
    wait_for_all(fixture);
    assert_int_equal(raw_syncs(), before);
    assert_int_equal(fixture->decided[1].result, WRITER_OK);
    assert_int_equal(fixture->decided[1].sequence, 0);
    assert_int_equal(fixture->decided[2].result, WRITER_NO);
}

static void many_requests_share_a_flush(void **state)
{
    struct fixture *fixture = *state;
    char name[32];
    unsigned before = raw_syncs();

    for (int i = 0; i < 2560; i++) {
        (void)snprintf(name, sizeof name, "user.%d", i);
        submit(fixture, MUPDATE_RESERVE, name, "be1!p", "");
    }
    wait_for_all(fixture);
    assert_true(raw_syncs() - before >= 10);
    assert_true(raw_syncs() - before < 1280);
}

static void the_statistics_tell_what_was_decided_and_stored(void **state)
{
    struct fixture *fixture = *state;
    struct writer_stats before, after;
    uint64_t batches = 0;

    writer_stats(fixture->writer, &before);
    assert_int_equal(before.batches, 0);
    submit(fixture, MUPDATE_ACTIVATE, "user.a", "b1!default", "a\tlrs\t");
    wait_for_all(fixture);
    submit(fixture, MUPDATE_ACTIVATE, "user.a", "b1!default", "a\tlrs\t"); /* changes nothing */
    submit(fixture, MUPDATE_DELETE, "user.b", "", "");                     /* is refused */
    wait_for_all(fixture);
    writer_stats(fixture->writer, &after);
    assert_int_equal(after.requests, 3);
    assert_int_equal(after.stored, 1);
    assert_in_range(after.batches, 2, 3);
    for (size_t i = 0; i <= WRITER_COMMIT_BUCKETS; i++)
        batches += after.commit_counts[i];
    assert_int_equal(batches, after.batches);
    assert_true(after.commit_ns > 0);
    assert_false(after.refusing);
}

static void stopping_decides_what_is_queued_first(void **state)
{
    struct fixture *fixture = *state;
    char name[32];

    for (int i = 0; i < 3000; i++) {
        (void)snprintf(name, sizeof name, "user.%d", i);
        submit(fixture, MUPDATE_RESERVE, name, "be1!p", "");
    }
    stop(fixture);
    assert_int_equal(fixture->decided_count, 3000);
    for (size_t i = 0; i < 3000; i++)
        assert_int_equal(fixture->decided[i].result, WRITER_OK);
    store_fixture_reopen(fixture->store);
    assert_non_null(store_fixture_location(fixture->store, "user.2999"));
}

static void an_idle_writer_stops(void **state)
{
    struct fixture *fixture = *state;

    stop(fixture);
    assert_int_equal(fixture->calls, 0);
}

static void requests_may_be_submitted_from_the_callback(void **state)
{
    struct fixture *fixture = *state;

    fixture->resubmit = 20;
    submit(fixture, MUPDATE_RESERVE, "user.a", "be1!p", "");
    wait_for_all(fixture);
    assert_int_equal(fixture->decided_count, 21);
}

static void a_new_policy_is_for_the_requests_submitted_after_it(void **state)
{
    struct fixture *fixture = *state;
    struct rule_policy strict = fixture->policy;

    strict.name_bytes = 6;
    for (int i = 0; i < 600; i++)
        submit(fixture, MUPDATE_ACTIVATE, "user.longer", "be1!p", i % 2 ? "a" : "b");
    writer_set_policy(fixture->writer, &strict, 100000);
    submit(fixture, MUPDATE_ACTIVATE, "user.longer", "be1!p", "c");
    wait_for_all(fixture);
    for (int i = 0; i < 600; i++)
        assert_int_equal(fixture->decided[i].result, WRITER_OK);
    assert_int_equal(fixture->decided[600].result, WRITER_NO);
}

static void on_tick(uv_timer_t *timer)
{
    (void)timer;
}

static void the_log_of_changes_is_kept_near_its_length(void **state)
{
    struct fixture *fixture = *state;
    struct store_position position;
    uv_timer_t tick;

    stop(fixture);
    fixture->options.log_changes = 50;
    start(fixture);
    for (int i = 0; i < 5000; i++)
        submit(fixture, MUPDATE_ACTIVATE, "user.a", i % 2 ? "be1!p" : "be2!p", "a lrs");
    wait_for_all(fixture);
    assert_true(fixture->first > 1);

    /* A shorter log is trimmed though nothing is submitted. */
    writer_set_policy(fixture->writer, &fixture->policy, 50);
    assert_int_equal(uv_timer_init(&fixture->loop, &tick), 0);
    assert_int_equal(uv_timer_start(&tick, on_tick, 1, 1), 0);
    stop(fixture);
    uv_close((uv_handle_t *)&tick, NULL);
    (void)uv_run(&fixture->loop, UV_RUN_DEFAULT);
    store_position(fixture->store->store, &position);
    assert_int_equal(position.last, 5000);
    assert_true(position.last + 1 - position.first <= 1050);
    assert_true(position.last + 1 - position.first >= 50);
    store_fixture_check(fixture->store, NULL);
}

static void checkpoints_are_taken_by_themselves(void **state)
{
    struct fixture *fixture = *state;
    struct writer_stats stats;
    uint64_t octets;
    unsigned before;

    stop(fixture);
    fixture->options.checkpoint_interval_ms = 5;
    start(fixture);
    (void)store_fixture_files(fixture->store, "changes.db", &octets);
    before = (unsigned)octets;
    for (int i = 0; i < 1000 && octets <= before; i++) {
        for (int k = 0; k < 100; k++)
            submit(fixture, MUPDATE_ACTIVATE, "user.a", k % 2 ? "be1!p" : "be2!p", "a lrs");
        wait_for_all(fixture);
        (void)store_fixture_files(fixture->store, "changes.db", &octets);
    }
    assert_true(octets > before);
    /* The file grows in the middle of a checkpoint, which is counted at its end. */
    do
        writer_stats(fixture->writer, &stats);
    while (stats.checkpoints == 0);
    assert_int_equal(stats.checkpoint_failures, 0);
    assert_true(stats.checkpoint_time_us > 0);
}

static void a_full_disk_refuses_changes_until_there_is_room(void **state)
{
    struct fixture *fixture = *state;
    struct writer_stats stats;

    submit(fixture, MUPDATE_RESERVE, "user.a", "be1!p", "");
    wait_for_all(fixture);
    raw_fail_writes(ENOSPC, 0);
    submit(fixture, MUPDATE_RESERVE, "user.b", "be1!p", "");
    submit(fixture, MUPDATE_RESERVE, "user.a", "be1!p", "");
    submit(fixture, MUPDATE_RESERVE, "user.a", "be2!p", "");
    wait_for_all(fixture);
    writer_stats(fixture->writer, &stats);
    assert_true(stats.refusing);
    raw_fail_writes(0, 0);
    submit(fixture, MUPDATE_RESERVE, "user.c", "be1!p", "");
    wait_for_all(fixture);
    writer_stats(fixture->writer, &stats);
    assert_false(stats.refusing);
    assert_int_equal(fixture->decided[1].result, WRITER_NO);
    assert_string_equal(fixture->decided[1].text, "not stored: No space left on device");
    assert_int_equal(fixture->decided[2].result, WRITER_OK); /* nothing was to be stored */
    assert_int_equal(fixture->decided[3].result, WRITER_NO);
    assert_non_null(strstr(fixture->decided[3].text, "be1"));
    assert_int_equal(fixture->decided[4].result, WRITER_OK);
    assert_int_equal(fixture->decided[4].sequence, 2);
    assert_true(store_fixture_logged(fixture->store, "changes are stored again"));
    assert_int_equal(fixture->store->panics, 0);
}

static void after_a_failed_flush_everything_is_uncertain_and_stopping_works(void **state)
{
    struct fixture *fixture = *state;

    submit(fixture, MUPDATE_RESERVE, "user.a", "be1!p", "");
    wait_for_all(fixture);
    raw_fail_sync(EIO, 0);
    submit(fixture, MUPDATE_RESERVE, "user.b", "be1!p", "");
    wait_for_all(fixture);
    submit(fixture, MUPDATE_RESERVE, "user.c", "be1!p", "");
    wait_for_all(fixture);
    assert_int_equal(fixture->decided[0].result, WRITER_OK);
    assert_int_equal(fixture->decided[1].result, WRITER_UNCERTAIN);
    assert_int_equal(fixture->decided[2].result, WRITER_UNCERTAIN);
    assert_int_equal(fixture->store->panics, 1);
    stop(fixture);
}

static void large_requests_make_smaller_batches(void **state)
{
    struct fixture *fixture = *state;
    char *acl = malloc(65537);
    char name[32];
    unsigned batches = 0;

    assert_non_null(acl);
    memset(acl, 'l', 65536);
    acl[65536] = '\0';
    for (int i = 0; i < 300; i++) {
        (void)snprintf(name, sizeof name, "user.%d", i);
        submit(fixture, MUPDATE_ACTIVATE, name, "be1!p", acl);
    }
    free(acl);
    wait_for_all(fixture);
    for (size_t i = 0; i < 300; i++) {
        assert_int_equal(fixture->decided[i].sequence, i + 1);
        batches += i == 0 || fixture->decided[i].time_us != fixture->decided[i - 1].time_us;
    }
    assert_true(batches >= 300 * 65536 / WRITER_BATCH_BYTES);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(results_come_back_in_the_order_of_submission),
        TEST(of_reserves_of_one_name_exactly_one_wins),
        TEST(what_was_ok_is_there_after_reopening),
        TEST(a_change_that_changes_nothing_is_not_flushed),
        TEST(many_requests_share_a_flush),
        TEST(the_statistics_tell_what_was_decided_and_stored),
        TEST(stopping_decides_what_is_queued_first),
        TEST(an_idle_writer_stops),
        TEST(requests_may_be_submitted_from_the_callback),
        TEST(a_new_policy_is_for_the_requests_submitted_after_it),
        TEST(the_log_of_changes_is_kept_near_its_length),
        TEST(checkpoints_are_taken_by_themselves),
        TEST(a_full_disk_refuses_changes_until_there_is_room),
        TEST(after_a_failed_flush_everything_is_uncertain_and_stopping_works),
        TEST(large_requests_make_smaller_batches),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
